/* common/http/http.h - the REST server: libmicrohttpd inside the main loop, routes in tables.
 *
 * Handlers run on the main thread.  One that must ask a worker calls http_suspend(), has the worker post the answer
 * back, and then replies: the connection waits without a thread.  Errors are application/problem+json (RFC 9457)
 * with `cause`; bodies are JSON, capped in size (256 KiB) and nesting (32) before cJSON sees them.  A GET of one resource
 * has a strong ETag, and If-None-Match gets 304.  Nothing is said to browsers of other origins, but for
 * those of http_config.origins (CORS). */
#pragma once
#include <cjson/cJSON.h>
#include "common/loop/loop.h"
#include "common/util/addr.h"
#include "common/util/bytes.h"

#define HTTP_MAX_BODY_BYTES (256u * 1024)
#define HTTP_MAX_JSON_DEPTH 32

struct http_server;
struct http_req;

enum http_role { HTTP_OPEN, HTTP_VIEW, HTTP_OPERATE, HTTP_ADMIN };

struct http_route {
	const char *method;		/* "GET" */
	const char *path;		/* "/api/v1/registrations/{id}": {x} is one segment, percent-decoded */
	enum http_role role;
	void (*fn)(void *u, struct http_req *r);
	const char *help;		/* one sentence, into openapi.json */
};

/* What operations answer and take, for openapi.json; the notation is in shape.c.
 *   { "Peer", "{identity:s open:b}" }			a shape that others refer to
 *   { "GET /api/v1/diameter/peers", "[Peer]" }		a page of them; "Peer": one; "201 Ban | 202 Operation": by status, "204": none;
 *							"text/plain": a text of that type
 *   { "< POST /api/v1/bans", "{source:s}" }		the body; "application/yaml": a text of that type */
struct http_shape {
	const char *name, *text;
};

struct http_token {
	const char *token;
	enum http_role role;		/* the highest it may play */
	const char *name;		/* whose it is, for the audit log; may be NULL */
};

#define HTTP_MAX_TOKENS 64
struct http_config {
	struct addr listen;		/* unset: no TCP listener */
	const char *unix_socket;	/* NULL: none; needs no token (file mode 0660) */
	const char *token;		/* bearer token of every role; neither it nor tokens: only HTTP_OPEN over TCP */
	const struct http_token *tokens;	/* copied */
	size_t n_tokens;
	unsigned requests_per_s;	/* of one IPv4 address or IPv6 /64 over TCP; 0: no limit.  More get 429 */
	uint32_t request_ms;		/* how long a whole request may take to come; 0: 40 s */
	const char *tls_cert, *tls_key;	/* PEM texts; NULL: clear text */
	const char *tls_client_ca;	/* PEM: who shows a certificate of it has client_role; NULL: none is asked for */
	enum http_role client_role;
	const char *nf;			/* "pcscf": for titles */
	const char *const *origins;	/* copied; "http://192.0.2.1:8080": whose pages may read answers (CORS); NULL: nobody's */
	size_t n_origins;
};
#define HTTP_MAX_ORIGINS 16
/* routes: ended by method == NULL; several tables may be added.  0 or -errno. */
int http_server_new(struct http_server **ret, struct loop *l, const struct http_config *c);
void http_server_routes(struct http_server *s, const struct http_route *routes, void *u);
/* Other tokens from now on, copied; who holds an old one is refused with his next request; streams end when they differ (a client comes
 * back with Last-Event-ID).  0; -ENOMEM, -ENOSPC: there are none then. */
int http_server_tokens(struct http_server *s, const char *token, const struct http_token *tokens, size_t n);
void http_server_shapes(struct http_server *s, const struct http_shape *shapes);	/* ended by name == NULL; several tables may be added */
void http_server_free(struct http_server *s);
void http_server_openapi(const struct http_server *s, struct buf *out);		/* OpenAPI 3.1 from the tables; also served */

void http_server_docs(const struct http_server *s, struct buf *out);		/* the same for people: an HTML page without a script */

/* GET /api/v1/audit: who changed what, the newest HTTP_AUDIT_ENTRIES, and the newest HTTP_AUDIT_REFUSED attempts of those who may
 * not.  u is the server. */
#define HTTP_AUDIT_ENTRIES 1000
#define HTTP_AUDIT_REFUSED 100
extern const struct http_route http_audit_routes[];

const char *http_role_name(enum http_role role);
int http_role_from_name(struct str name, enum http_role *ret);	/* "view", "operate", "admin"; -ENOENT */
const char *http_who(const struct http_req *r);		/* who asks: a token's name, "uid 0", a certificate's name */

struct str http_param(const struct http_req *r, const char *name);	/* path parameter */
struct str http_query(struct http_req *r, const char *name);	/* query parameter; empty: absent */
struct str http_body(const struct http_req *r);
struct str http_header(const struct http_req *r, const char *name);	/* empty: absent */
/* Of any text: NULL with -E2BIG (nested deeper than HTTP_MAX_JSON_DEPTH) or -EBADMSG in reterr. */
cJSON *http_json_parse(struct str s, int *reterr);
cJSON *http_json(struct http_req *r);		/* parsed body, owned by r; NULL after a 400 problem was sent */

/* etag.c: the ETag that a GET of this text or JSON has; any thread.  http_etag_json: false when out of memory. */
#define HTTP_ETAG_STRLEN 20
void http_etag(struct str text, char dst[HTTP_ETAG_STRLEN]);
bool http_etag_json(const cJSON *json, char dst[HTTP_ETAG_STRLEN]);
bool http_etag_listed(struct str list, const char *etag);	/* in If-Match's value; "*": always */
/* May what has this ETag now be changed, by the request's If-Match?  Else it has answered: 412, or 428 when there is none and it must. */
bool http_may_change(struct http_req *r, const char *etag, bool must);
bool http_may_change_json(struct http_req *r, cJSON *now, bool must);	/* now: what a GET shows; taken over */
#define HTTP_CAUSE_CHANGED "PRECONDITION_FAILED"
#define HTTP_DETAIL_CHANGED "it is not any more what If-Match says: read it again"
void http_set_etag(struct http_req *r, const char *etag);	/* of an answer to come that is not a GET's */

/* limit=1..1000 (default 100) and cursor; false after a 400 problem was sent. */
bool http_page(struct http_req *r, unsigned *limit, struct str *cursor);
/* The same for lists whose cursor is a number, max at most.  *cursor stays as it is when there is none. */
bool http_page_number(struct http_req *r, uint64_t max, unsigned *limit, uint64_t *cursor);

/* One more header of the answer to come, HTTP_MAX_HEADERS at most; name is borrowed until then, value copied. */
void http_set_header(struct http_req *r, const char *name, const char *value);
#define HTTP_MAX_HEADERS 4

/* Exactly one of these ends a request.  json is taken over. */
void http_reply(struct http_req *r, unsigned status, const char *content_type, struct str body);
void http_reply_json(struct http_req *r, unsigned status, cJSON *json);
void http_reply_page(struct http_req *r, cJSON *items, const char *next_cursor);	/* {"items":[...],"page":{"nextCursor":...}} */
void http_problem(struct http_req *r, unsigned status, const char *cause, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same with one more member of the problem; extra is taken over. */
void http_problem_with(struct http_req *r, unsigned status, const char *cause, const char *detail, const char *name, cJSON *extra);
/* The handler returns without an answer; the request stays valid until it is answered, also when the client is gone. */
void http_suspend(struct http_req *r);
/* fn is called when the answer has been sent or the client has gone: until then its octets are held. */
void http_on_end(struct http_req *r, void (*fn)(void *), void *u);

/* An answer without an end (server-sent events).  more: appends what there is to say; false: and that was all.  Called when the client
 * can take octets, again after http_stream_wake() when it had nothing to say.  closed: the stream is over, whoever ended it. */
struct http_stream;
struct http_stream_ops {
	bool (*more)(void *u, struct buf *out);
	void (*closed)(void *u);
};
/* NULL: it has answered with a problem; closed is not called. */
struct http_stream *http_stream(struct http_req *r, const char *content_type, const struct http_stream_ops *ops, void *u);
void http_stream_wake(struct http_stream *st);
