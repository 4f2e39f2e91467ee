/* common/http/private.h - shared by http.c, route.c and openapi.c only. */
#pragma once
#include <microhttpd.h>
#include "common/http/http.h"
#include "common/util/list.h"

#define HTTP_MAX_TABLES 32
#define HTTP_MAX_PARAMS 4
#define HTTP_MAX_QUERIES 8

struct http_bucket {			/* of one source address: a direct-mapped table, an address may push out another */
	uint64_t key, at_ms;
	uint32_t tokens_milli;		/* requests that may come at once, times 1000 */
	uint32_t bad_milli;		/* the same for failed authentications */
};
#define HTTP_BUCKETS 256u
#define HTTP_BAD_BURST 10u		/* failed authentications at once, then one a second */

struct http_audit {
	uint64_t wall_us, number;
	char who[64], from[ADDR_STRLEN], method[8], path[160];
	unsigned status;
};

struct http_audit_ring {
	struct http_audit *v;
	unsigned room;
	uint64_t n;			/* ever written */
};

#define HTTP_MAX_CONNECTIONS 128	/* of all; half of them of one source */
struct http_source {			/* an IPv4 address, an IPv6 /64 */
	uint64_t key;
	unsigned n;			/* its connections */
};

struct http_table {
	const struct http_route *routes;
	void *u;
};

struct http_listener {
	struct http_server *s;
	struct MHD_Daemon *mhd;
	struct loop_fd fd;
	bool trusted;				/* the unix socket: file permissions are the key */
};

struct http_server {
	struct loop *loop;
	char *nf, *unix_path;
	struct http_token token[HTTP_MAX_TOKENS];	/* texts are ours */
	size_t n_tokens;
	unsigned requests_per_s;
	struct http_bucket *bucket;		/* HTTP_BUCKETS */
	char *tls_cert, *tls_key, *tls_ca;
	enum http_role client_role;
	struct http_audit_ring done, refused;	/* strangers must not push out what was done */
	uint64_t n_audit;
	struct http_listener tcp, local;
	struct timer run;			/* libmicrohttpd's own time-outs, and the turn after a resume */
	struct http_table table[HTTP_MAX_TABLES];
	unsigned n_tables;
	const struct http_shape *shapes[HTTP_MAX_TABLES];
	unsigned n_shapes;
	struct http_source source[HTTP_MAX_CONNECTIONS];
	unsigned n_sources;
	uint32_t request_ms;		/* 0: connections.c says */
	char *origin[HTTP_MAX_ORIGINS];
	size_t n_origins;
	struct list suspended;
	struct list streams;
	bool stopping;				/* a new request gets 503 */
};

struct http_req {
	struct list link;			/* in suspended */
	struct http_listener *l;
	struct MHD_Connection *c;
	const char *method;
	char *path;
	enum http_role role;			/* what the sender may do */
	char who[64];
	const struct http_route *route;
	void *u;
	struct {
		struct str name;
		char *value;
	} param[HTTP_MAX_PARAMS];
	unsigned n_params;
	struct {
		const char *raw;
		char *value;			/* percent-decoded; libmicrohttpd made a bare '+' a blank: numbers need %2B */
	} query[HTTP_MAX_QUERIES];
	unsigned n_queries;
	struct buf body;
	bool too_large, refused, dispatched, suspended, answered, queued;
	char etag[HTTP_ETAG_STRLEN];		/* set by the handler */
	cJSON *json;
	struct {
		const char *name;
		char *value;
	} header[HTTP_MAX_HEADERS];
	unsigned n_headers;
	struct MHD_Response *response;
	unsigned status;
	void (*ended)(void *);			/* NULL: nobody asks */
	void *ended_u;
	struct http_stream *stream;		/* NULL: an answer with an end */
};

/* connections.c */
void conns_init(void);
uint64_t conns_source(const struct sockaddr *sa);		/* who that is for limits: never 0 */
enum MHD_Result conns_accept(void *listener, const struct sockaddr *sa, socklen_t l);
void conns_notify(void *listener, struct MHD_Connection *c, void **ctx, enum MHD_ConnectionNotificationCode what);
void conns_request(struct http_req *r);		/* it is here as a whole */
void conns_answer(struct http_req *r);		/* its answer is on its way */
void conns_next(struct MHD_Connection *c);	/* and was taken: the next one may come */
/* shape.c */
cJSON *shape_schema(const char *text, bool closed);		/* closed: objects have no other members.  NULL: not in the notation */
cJSON *shape_example(const cJSON *schema, const cJSON *all);	/* all: components/schemas */
const char *shape_find(const struct http_server *s, const char *what, const char *method, const char *path);	/* what: "", "< "; NULL: none */
/* cors.c */
int cors_init(struct http_server *s, const struct http_config *c);	/* 0, -ENOMEM, -ENOSPC */
void cors_fini(struct http_server *s);
bool cors_preflight(struct http_req *r);	/* true: it was one, and is answered */
bool cors_cross_site(const struct http_req *r);	/* a page of others has a browser change something */
void cors_headers(const struct http_req *r, struct MHD_Response *resp);
/* http.c */
void http_answer(struct http_req *r, unsigned status, struct MHD_Response *resp);	/* takes resp over */
void http_server_run_soon(struct http_server *s);
/* stream.c */
void stream_free(struct http_stream *st);	/* NULL is fine */
void streams_end(struct http_server *s);

/* access.c */
int access_init(struct http_server *s, const struct http_config *c);	/* 0 or -ENOMEM */
void access_fini(struct http_server *s);
bool access_allows(struct http_req *r);		/* else it has answered: 401, 403, 429 */
void access_audit(struct http_req *r);		/* when it is answered */

/* Percent-decoded copy; NULL when badly escaped (a %00 too) or out of memory. */
char *http_unescape(struct str in);
/* Finds the route and fills in the parameters.  Returns NULL with *ret_known_path telling 405 from 404. */
const struct http_route *http_route_find(struct http_server *s, struct http_req *r, bool *ret_known_path);
void http_route_allow(const struct http_server *s, const char *path, struct buf *out);	/* "GET, DELETE" */
