/* common/http2/h2.h - HTTP/2 on our own loop: what a client and a server say to each other.  RFC 9113; TS 29.500 §5.2.
 *
 * libnghttp2 does frames, header compression and flow control; here are sockets, TLS, deadlines and limits.  Clear text is h2c with
 * prior knowledge (RFC 9113 §3.3), which is what 5G cores speak; over TLS it is ALPN "h2".  Nothing blocks. */
#pragma once
#include "common/loop/loop.h"
#include "common/util/addr.h"

#define H2_MAX_HEADERS 64u		/* of one message; more: the stream is reset */
#define H2_MAX_HEADER_BYTES 16384u	/* names and values of one message together */
#define H2_MAX_BODY_BYTES 65536u

struct h2_header {
	struct str name, value;		/* name in lower case (RFC 9113 §8.2) */
};

/* ---- certificates: tls.c ---- */
struct h2_tls;
struct h2_tls_config {
	const char *cert_file, *key_file;	/* PEM; NULL: a client shows none */
	const char *ca_file;		/* whom we trust; NULL: the system's */
	bool verify;			/* a server asks for certificates; a client holds the chain and the name against its own */
};
#define H2_TLS_ERROR_BYTES 256u
struct h2_tls *h2_tls_new(const struct h2_tls_config *c, bool server, char reterr[H2_TLS_ERROR_BYTES]);	/* NULL with a sentence in reterr */
void h2_tls_free(struct h2_tls *t);	/* NULL is fine */

/* ---- client ---- */
struct h2_client_config {
	struct h2_tls *tls;		/* borrowed; NULL: only clear text */
	uint32_t connect_ms;		/* socket and TLS */
	uint32_t idle_ms;		/* a connection without a request is closed */
	uint32_t max_requests;		/* at a time, all peers together */
	uint32_t max_streams;		/* at a time on one connection, when the peer allows more */
};
struct h2_request {
	struct addr to;
	bool tls;
	struct str authority;		/* "pcf.5gc.example:7777"; its host is what a certificate must name */
	const char *method;
	struct str path;
	const struct h2_header *header;
	unsigned n_headers;
	struct str body;
	uint32_t deadline_ms;
};
struct h2_response {
	int err;			/* 0; -ETIMEDOUT, -ECONNRESET (both: may have been served), -ECONNREFUSED, -EHOSTUNREACH (both: nobody has
					 * seen it; no connection stood in time, or it broke before), -EPROTO, -EMSGSIZE, -EACCES (TLS) */
	unsigned status;
	const struct h2_header *header;
	unsigned n_headers;
	struct str body;
};
typedef void (*h2_answer_fn)(void *arg, const struct h2_response *r);

struct h2_client;			/* of one loop */
struct h2_client *h2_client_new(struct loop *l, const struct h2_client_config *c);	/* NULL: out of memory */
void h2_client_free(struct h2_client *c);	/* not from a callback; no callback follows */
/* One callback, never from inside the call.  Texts are copied; those of the answer live until the callback returns.  A request that the peer has
 * certainly not looked at (GOAWAY, REFUSED_STREAM, RFC 9113 §8.7) goes again, once, on another connection.
 * 0: too many (max_requests), or out of memory; no callback follows. */
uint64_t h2_send(struct h2_client *c, const struct h2_request *r, h2_answer_fn fn, void *arg);
void h2_cancel(struct h2_client *c, uint64_t request);		/* no callback follows; harmless when it is over */
uint32_t h2_client_outstanding(const struct h2_client *c);
uint32_t h2_client_connections(const struct h2_client *c);
struct str h2_response_header(const struct h2_response *r, const char *name);	/* empty: absent */

/* ---- server ---- */
struct h2_req;
struct h2_server_config {
	struct addr listen;
	struct h2_tls *tls;		/* borrowed; NULL: clear text */
	uint32_t max_connections;	/* the one beyond is closed at once */
	uint32_t max_streams;		/* of one connection, SETTINGS_MAX_CONCURRENT_STREAMS */
	uint32_t idle_ms;		/* a connection on which nothing comes is closed; the preface has at most H2_PREFACE_MS */
	/* What a request that is not whole yet may take; 0: the value below.  Beyond it the stream is reset; a header block that does not
	 * end, and the H2_MAX_STRIKES-th such stream, end the connection; one that only found no room beside others' is no fault of it. */
	uint32_t stream_ms;		/* from its first octet to its last: H2_STREAM_MS */
	uint32_t max_connection_bytes;	/* of one connection's: H2_CONNECTION_BYTES */
	uint32_t max_unfinished_bytes;	/* of all: H2_UNFINISHED_BYTES */
	/* A request is whole.  It is answered once, now or later, on this loop. */
	void (*request)(void *u, struct h2_req *r);
	void *u;
};
#define H2_PREFACE_MS 5000u
#define H2_STREAM_MS 10000u
#define H2_CONNECTION_BYTES (1u << 20)
#define H2_UNFINISHED_BYTES (8u << 20)
#define H2_MAX_STRIKES 16u
struct h2_server;
int h2_server_new(struct h2_server **ret, struct loop *l, const struct h2_server_config *c);	/* 0 or -errno */
void h2_server_free(struct h2_server *s);		/* not from its callback; requests that wait must not be answered any more */
uint16_t h2_server_port(const struct h2_server *s);
void h2_server_goaway(struct h2_server *s);		/* every connection: what runs ends, new requests go elsewhere */
void h2_server_hang_up(struct h2_server *s);		/* every connection is closed as it is: for tests */

struct str h2_req_method(const struct h2_req *r);
struct str h2_req_path(const struct h2_req *r);	/* with the query */
struct str h2_req_header(const struct h2_req *r, const char *name);	/* empty: absent */
struct str h2_req_body(const struct h2_req *r);
struct addr h2_req_from(const struct h2_req *r);
/* Each ends a request; it stays valid until then, also when its sender is gone. */
void h2_reply(struct h2_req *r, unsigned status, const struct h2_header *h, unsigned n, struct str body);
void h2_req_reset(struct h2_req *r, uint32_t error_code);	/* RST_STREAM: REFUSED_STREAM is 7, CANCEL 8 (RFC 9113 §7) */
void h2_req_drop(struct h2_req *r);			/* never answered: for tests */
