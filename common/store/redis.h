/* common/store/redis.h - the way to a Redis or Valkey server, to the master that Sentinels name, or to a Cluster.  Of the store only.
 *
 * One thread, one loop, nothing blocks.  There is one connection for commands to each master and one more for the feed.  When one of them
 * breaks, or is silent for timeout_ms, all are closed, every command that waits is told so, and a while later it begins anew: who uses it
 * has one thing to think of, being up or down. */
#pragma once
#include <hiredis/hiredis.h>
#include "common/loop/loop.h"
#include "common/store/store.h"

#define REDIS_MAX_MASTERS 16u

struct redis;
struct redis_ops {
	void (*up)(void *u);				/* commands may be sent, and nothing of the feed is missed from now on */
	void (*down)(void *u, const char *why);		/* after up(), or instead of it */
	void (*message)(void *u, struct str text);	/* of the feed */
};
typedef void (*redis_fn)(void *arg, const redisReply *reply);	/* NULL: it went down, and nobody knows what became of it */

/* What c points to is copied.  0, -ENOMEM. */
int redis_new(struct redis **ret, struct loop *l, const struct store_redis_config *c, struct str channel, const struct redis_ops *ops, void *u);
void redis_start(struct redis *r);
void redis_free(struct redis *r);			/* NULL is fine; commands that wait hear NULL, down() is not called */

/* One completion each.  To the master that has the key; MOVED and ASK are followed.  0, -ENOTCONN, -ENOMEM. */
int redis_send(struct redis *r, struct str key, unsigned argc, const struct str *argv, redis_fn fn, void *arg);
unsigned redis_masters(const struct redis *r);
int redis_send_to(struct redis *r, unsigned master, unsigned argc, const struct str *argv, redis_fn fn, void *arg);
void redis_failed(struct redis *r, const char *why);	/* an answer shows that it is no good: all anew */
void redis_good(struct redis *r);			/* it does what it is asked: until then each new beginning comes later than the one before */
unsigned redis_slot(struct str key);			/* Cluster specification: CRC16 of what stands in the first {}, if anything */
