/* common/store/redis_conn.h - one connection to a Redis server, in clear or over TLS: octets out, replies in.  Of redis.c only.
 *
 * hiredis writes commands and reads replies; the socket is ours, since hiredis 0.14 (Debian 12) knows no TLS. */
#pragma once
#include <hiredis/hiredis.h>
#include <openssl/ssl.h>
#include "common/loop/loop.h"
#include "common/util/str.h"

#define REDIS_CONN_MAX_BYTES (1024u * 1024 * 1024)	/* that wait to be written: what the store lets wait is less */

struct redis_conn;
struct redis_conn_ops {			/* either may call redis_conn_free() */
	void (*reply)(void *u, const redisReply *reply);	/* borrowed, for the call */
	void (*broken)(void *u, const char *why);		/* once, and nothing after it */
};
/* address: "HOST:PORT", "[HOST]:PORT" or without a port.  ctx: TLS; NULL: in clear.  name: that the server's certificate must have; NULL: the
 * host.  NULL when it cannot even be begun. */
struct redis_conn *redis_conn_new(struct loop *l, const char *address, SSL_CTX *ctx, const char *name, const struct redis_conn_ops *ops, void *u);
void redis_conn_free(struct redis_conn *c);			/* NULL is fine */
int redis_conn_write(struct redis_conn *c, const char *p, size_t l);	/* copies; goes out by the loop.  0, -ENOMEM, -ENOTCONN */
