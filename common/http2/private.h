/* common/http2/private.h - between message.c (headers and body), io.c (a connection), client.c and server.c. */
#pragma once
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include "common/http2/h2.h"
#include "common/util/arena.h"
#include "common/util/bytes.h"
#include "common/util/list.h"

/* ---- message.c: what comes in on a stream, and what goes out ---- */
struct h2_message {
	struct arena *a;		/* its texts */
	struct h2_header h[H2_MAX_HEADERS];
	unsigned n;
	size_t header_bytes;
	struct str method, path;
	unsigned status;
	struct buf body;
};
int h2_message_init(struct h2_message *m);	/* 0 or -ENOMEM */
void h2_message_fini(struct h2_message *m);
int h2_message_header(struct h2_message *m, struct str name, struct str value);	/* 0; -EMSGSIZE, -ENOMEM, -EBADMSG */
int h2_message_data(struct h2_message *m, struct str d);				/* 0 or -EMSGSIZE */
struct str h2_find(const struct h2_header *h, unsigned n, const char *name);

struct h2_body {			/* what is still to be sent; the first member of a stream's user data */
	struct str s;
	size_t off;
};
extern const nghttp2_data_provider h2_provider;
nghttp2_nv h2_nv(struct str name, struct str value);

/* ---- io.c ---- */
enum h2_io_state { H2_CONNECTING, H2_HANDSHAKE, H2_OPEN, H2_CLOSED };
struct h2_io {
	struct loop *loop;
	struct loop_fd fd;
	SSL *ssl;			/* NULL: clear text */
	nghttp2_session *ng;
	enum h2_io_state state;
	struct buf out;
	size_t out_off;
	bool busy;			/* inside nghttp2 or its owner's turn: whoever has something to send leaves it to the end of it */
	struct timer flush;		/* something was submitted outside of a turn */
	/* The owner's.  opened: TCP and TLS stand.  turn: input was read, nghttp2 is left; what callbacks noted is done now.
	 * closed: it is over; the owner frees what it is part of.  Never from inside h2_io_kick(). */
	void (*opened)(struct h2_io *io);
	void (*turn)(struct h2_io *io);
	void (*closed)(struct h2_io *io, int err);
};
/* fd and ssl are taken over, at -errno too.  The caller makes io->ng before or in opened(). */
int h2_io_start(struct h2_io *io, struct loop *l, int fd, SSL *ssl);
void h2_io_kick(struct h2_io *io);		/* something was submitted */
void h2_io_stop(struct h2_io *io);		/* no callback follows */
SSL *h2_tls_connection(struct h2_tls *t, bool server, struct str name);	/* NULL: out of memory */
