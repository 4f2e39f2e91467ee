/* common/http/http.c - libmicrohttpd nested in the main loop: one daemon per listener, epoll inside epoll. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/http/private.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"

#define HTTP_IDLE_S 30
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static METRIC_DEF(m_requests, "cscf_rest_requests_total", METRIC_COUNTER, "REST requests by route and status class.",
		  "route", "class");

/* ---- running libmicrohttpd ---- */

static void server_run(struct http_server *s)
{
	struct http_listener *all[] = { &s->tcp, &s->local };
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < 2; i++) {
		MHD_UNSIGNED_LONG_LONG ms;

		if (!all[i]->mhd)
			continue;
		MHD_run(all[i]->mhd);
		if (MHD_get_timeout(all[i]->mhd, &ms) == MHD_YES && ms < next)
			next = ms;
	}
	if (next == UINT64_MAX)
		timer_stop(&s->run);
	else
		timer_start(loop_wheel(s->loop), &s->run, next);
}

void http_server_run_soon(struct http_server *s)
{
	timer_start(loop_wheel(s->loop), &s->run, 0);
}

static void on_fd(struct loop_fd *f, uint32_t ev)
{
	(void)ev;
	server_run(container_of(f, struct http_listener, fd)->s);
}

static void on_run_timer(struct timer *t)
{
	server_run(container_of(t, struct http_server, run));
}

/* ---- one request ---- */

static void req_free(struct http_req *r)
{
	for (unsigned i = 0; i < r->n_params; i++)
		free(r->param[i].value);
	for (unsigned i = 0; i < r->n_queries; i++)
		free(r->query[i].value);
	for (unsigned i = 0; i < r->n_headers; i++)
		free(r->header[i].value);
	list_del(&r->link);
	stream_free(r->stream);
	buf_fini(&r->body);
	cJSON_Delete(r->json);
	if (r->response)
		MHD_destroy_response(r->response);
	if (r->ended)
		r->ended(r->ended_u);
	free(r->path);
	free(r);
}

static void on_completed(void *u, struct MHD_Connection *c, void **cls, enum MHD_RequestTerminationCode why)
{
	struct http_req *r = *cls;

	(void)u, (void)why;
	conns_next(c);
	*cls = NULL;
	if (r)
		req_free(r);
}

static enum MHD_Result req_queue(struct http_req *r)
{
	r->queued = true;
	conns_answer(r);
	return MHD_queue_response(r->c, r->status, r->response);
}

static void req_dispatch(struct http_req *r)
{
	bool known;

	r->dispatched = true;
	conns_request(r);
	if (r->l->s->stopping) {		/* what it would ask may be gone, and nobody would answer it later */
		http_problem(r, 503, "STOPPING", "the daemon stops");
		return;
	}
	if (cors_preflight(r))
		return;
	r->route = http_route_find(r->l->s, r, &known);
	if (!r->route) {
		if (known)
			http_problem(r, 405, "METHOD_NOT_ALLOWED", "%s is not served here", r->method);
		else
			http_problem(r, 404, "RESOURCE_NOT_FOUND", "there is no such resource");
		return;
	}
	if (!access_allows(r))
		return;
	if (r->too_large || r->body.failed) {
		http_problem(r, 413, "BODY_TOO_LARGE", "a body may have %u octets", HTTP_MAX_BODY_BYTES);
		return;
	}
	r->route->fn(r->u, r);
	if (!r->answered && !r->suspended)
		http_problem(r, 500, "NO_ANSWER", "the handler gave no answer");
}

static enum MHD_Result on_access(void *u, struct MHD_Connection *c, const char *url, const char *method,
				 const char *version, const char *data, size_t *size, void **cls)
{
	struct http_req *r = *cls;

	(void)version;
	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return MHD_NO;
		list_init(&r->link);
		buf_init(&r->body, HTTP_MAX_BODY_BYTES);
		r->l = u;
		r->c = c;
		r->method = method;
		r->path = strdup(url);
		*cls = r;
		return r->path ? MHD_YES : MHD_NO;
	}
	if (*size) {
		if (r->body.l + *size > HTTP_MAX_BODY_BYTES)
			r->too_large = true;
		else
			buf_put(&r->body, str_make(data, *size));
		*size = 0;
		return MHD_YES;
	}
	if (!r->dispatched)
		req_dispatch(r);
	if (r->answered)
		return r->queued ? MHD_YES : req_queue(r);
	return r->suspended ? MHD_YES : MHD_NO;		/* no: there is no memory for an answer */
}

/* libmicrohttpd would decode the whole URL before we split it: a %2F in an identity must stay inside its segment. */
static size_t keep_escapes(void *u, struct MHD_Connection *c, char *s)
{
	(void)u, (void)c;
	return strlen(s);
}

void http_suspend(struct http_req *r)
{
	if (r->answered || r->suspended)
		return;
	r->suspended = true;
	list_add_tail(&r->l->s->suspended, &r->link);
	MHD_suspend_connection(r->c);
}

void http_on_end(struct http_req *r, void (*fn)(void *), void *u)
{
	r->ended = fn;
	r->ended_u = u;
}

void http_set_header(struct http_req *r, const char *name, const char *value)
{
	if (r->n_headers == HTTP_MAX_HEADERS)
		return;
	r->header[r->n_headers].name = name;
	r->header[r->n_headers].value = strdup(value);
	if (r->header[r->n_headers].value)
		r->n_headers++;
}

static void resume(struct http_req *r)
{
	list_del(&r->link);
	MHD_resume_connection(r->c);
	http_server_run_soon(r->l->s);
}

void http_answer(struct http_req *r, unsigned status, struct MHD_Response *resp)
{
	const char *cls[] = { "other", "1xx", "2xx", "3xx", "4xx", "5xx" };

	if (r->answered) {
		if (resp)
			MHD_destroy_response(resp);
		return;
	}
	if (!resp) {
		if (r->suspended) {		/* on_access ends the connection */
			r->suspended = false;
			resume(r);
		}
		return;
	}
	MHD_add_response_header(resp, "Cache-Control", "no-store");
	MHD_add_response_header(resp, "X-Content-Type-Options", "nosniff");
	for (unsigned i = 0; i < r->n_headers; i++)
		MHD_add_response_header(resp, r->header[i].name, r->header[i].value);
	cors_headers(r, resp);
	r->answered = true;
	r->status = status;
	r->response = resp;
	metric_add(&m_requests, r->route ? r->route->path : "none", cls[status / 100 < 6 ? status / 100 : 0], 1);
	access_audit(r);
	if (r->suspended)
		resume(r);		/* else on_access queues it */
}

void http_reply(struct http_req *r, unsigned status, const char *content_type, struct str body)
{
	struct MHD_Response *resp = MHD_create_response_from_buffer(body.l, (void *)(uintptr_t)(body.l ? body.p : ""),
								    MHD_RESPMEM_MUST_COPY);

	if (resp && content_type)
		MHD_add_response_header(resp, "Content-Type", content_type);
	http_answer(r, status, resp);
}

static void reply_cjson(struct http_req *r, unsigned status, const char *type, cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json), *etag = r->etag;
	bool get = text && status == 200 && r->route && strcmp(r->route->method, "GET") == 0;
	struct MHD_Response *resp = NULL;

	cJSON_Delete(json);
	if (get && !*etag)
		http_etag(str_from_c(text), etag);
	if (get && http_etag_listed(http_header(r, "If-None-Match"), etag)) {
		free(text);
		resp = MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
		status = 304;
	} else if (text)
		resp = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!resp) {
		free(text);
		resp = MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
		status = 500;
	}
	if (!resp) {
		http_answer(r, status, NULL);
		return;
	}
	MHD_add_response_header(resp, "Content-Type", type);
	if (*etag)
		MHD_add_response_header(resp, "ETag", etag);
	if (status == 429)
		MHD_add_response_header(resp, "Retry-After", "1");
	if (status == 401)
		MHD_add_response_header(resp, "WWW-Authenticate", "Bearer");
	if (status == 405) {
		struct buf allow;

		buf_init(&allow, 256);
		http_route_allow(r->l->s, r->path, &allow);
		buf_putc(&allow, '\0');
		if (!allow.failed)
			MHD_add_response_header(resp, "Allow", allow.p);
		buf_fini(&allow);
	}
	http_answer(r, status, resp);
}

void http_reply_json(struct http_req *r, unsigned status, cJSON *json)
{
	reply_cjson(r, status, "application/json", json);
}

void http_reply_page(struct http_req *r, cJSON *items, const char *next_cursor)
{
	cJSON *doc = cJSON_CreateObject(), *page;

	cJSON_AddItemToObject(doc, "items", items);
	page = cJSON_AddObjectToObject(doc, "page");
	if (next_cursor)
		cJSON_AddStringToObject(page, "nextCursor", next_cursor);
	else
		cJSON_AddNullToObject(page, "nextCursor");
	http_reply_json(r, 200, doc);
}

void http_problem_with(struct http_req *r, unsigned status, const char *cause, const char *detail, const char *name, cJSON *extra)
{
	cJSON *doc = cJSON_CreateObject();

	cJSON_AddStringToObject(doc, "type", "about:blank");
	cJSON_AddStringToObject(doc, "title", MHD_get_reason_phrase_for(status));
	cJSON_AddNumberToObject(doc, "status", status);
	cJSON_AddStringToObject(doc, "cause", cause);
	cJSON_AddStringToObject(doc, "detail", detail);
	cJSON_AddStringToObject(doc, "instance", r->path);
	if (name)
		cJSON_AddItemToObject(doc, name, extra);
	reply_cjson(r, status, "application/problem+json", doc);
}

void http_problem(struct http_req *r, unsigned status, const char *cause, const char *fmt, ...)
{
	char detail[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	http_problem_with(r, status, cause, detail, NULL, NULL);
}

struct str http_query(struct http_req *r, const char *name)
{
	const char *raw = MHD_lookup_connection_value(r->c, MHD_GET_ARGUMENT_KIND, name);

	if (!raw)
		return STR_NONE;
	for (unsigned i = 0; i < r->n_queries; i++)
		if (r->query[i].raw == raw)
			return str_from_c(r->query[i].value);
	if (r->n_queries == HTTP_MAX_QUERIES)
		return STR_NONE;
	r->query[r->n_queries].raw = raw;
	r->query[r->n_queries].value = http_unescape(str_from_c(raw));
	return str_from_c(r->query[r->n_queries++].value);
}

struct str http_header(const struct http_req *r, const char *name)
{
	return str_from_c(MHD_lookup_connection_value(r->c, MHD_HEADER_KIND, name));
}

void http_set_etag(struct http_req *r, const char *etag)
{
	snprintf(r->etag, sizeof(r->etag), "%s", etag);
}

struct str http_body(const struct http_req *r)
{
	return buf_str(&r->body);
}

/* cJSON parses by recursion: what is nested too deep never reaches it. */
static bool depth_fits(struct str s)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < s.l; i++) {
		if (quoted) {
			if (s.p[i] == '\\')
				i++;
			else if (s.p[i] == '"')
				quoted = false;
		} else if (s.p[i] == '"') {
			quoted = true;
		} else if (s.p[i] == '{' || s.p[i] == '[') {
			if (++depth > HTTP_MAX_JSON_DEPTH)
				return false;
		} else if ((s.p[i] == '}' || s.p[i] == ']') && depth) {
			depth--;
		}
	}
	return true;
}

cJSON *http_json_parse(struct str s, int *reterr)
{
	cJSON *j = NULL;

	*reterr = depth_fits(s) ? -EBADMSG : -E2BIG;
	if (*reterr == -EBADMSG && s.l)
		j = cJSON_ParseWithLength(s.p, s.l);
	return j;
}

cJSON *http_json(struct http_req *r)
{
	int err;

	if (r->json)
		return r->json;
	r->json = http_json_parse(http_body(r), &err);
	if (!r->json && err == -E2BIG)
		http_problem(r, 400, "JSON_TOO_DEEP", "the body is nested deeper than %d", HTTP_MAX_JSON_DEPTH);
	else if (!r->json)
		http_problem(r, 400, "JSON_SYNTAX", "the body is not JSON");
	return r->json;
}

bool http_page(struct http_req *r, unsigned *limit, struct str *cursor)
{
	struct str l = http_query(r, "limit");
	uint32_t n = 100;

	if (l.l && (str_to_u32(l, &n) < 0 || n < 1 || n > 1000)) {
		http_problem(r, 400, "INVALID_QUERY_PARAM", "limit must be 1 to 1000");
		return false;
	}
	*limit = n;
	*cursor = http_query(r, "cursor");
	return true;
}

bool http_page_number(struct http_req *r, uint64_t max, unsigned *limit, uint64_t *cursor)
{
	struct str text;
	uint64_t n;

	if (!http_page(r, limit, &text))
		return false;
	if (!text.l)
		return true;
	if (str_to_u64(text, &n) < 0 || n > max) {
		http_problem(r, 400, "INVALID_QUERY_PARAM", "the cursor is not one of ours");
		return false;
	}
	*cursor = n;
	return true;
}

/* ---- start and stop ---- */

static int listener_start(struct http_server *s, struct http_listener *l, const struct addr *a, int fd)
{
	const union MHD_DaemonInfo *info;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem opt[] = {
		{ MHD_OPTION_CONNECTION_LIMIT, HTTP_MAX_CONNECTIONS, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_S, NULL },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, NULL },
		{ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)conns_notify, l },
		{ fd >= 0 ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_CONNECTION_LIMIT, fd >= 0 ? fd : HTTP_MAX_CONNECTIONS, NULL },
		{ a ? MHD_OPTION_SOCK_ADDR : MHD_OPTION_END, 0, a ? (void *)(uintptr_t)&a->sa : NULL },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, s->tls_cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, s->tls_key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ s->tls_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, s->tls_ca },
		{ MHD_OPTION_END, 0, NULL },
	};
	const size_t tls_at = sizeof(opt) / sizeof(opt[0]) - 5;

	l->s = s;
	if (a && s->tls_cert)
		flags |= MHD_USE_TLS;
	else
		opt[tls_at].option = MHD_OPTION_END;
	if (a && a->sa.sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	l->mhd = MHD_start_daemon(flags, 0, a ? conns_accept : NULL, l, on_access, l, MHD_OPTION_ARRAY, opt, MHD_OPTION_END);
	if (!l->mhd)
		return errno ? -errno : -EIO;
	info = MHD_get_daemon_info(l->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -ENOTSUP;
	l->fd.fd = info->epoll_fd;
	l->fd.events = EPOLLIN;
	l->fd.fn = on_fd;
	return loop_fd_add(s->loop, &l->fd);
}

static int unix_open(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, rc = 0;

	if (!str_copy(str_from_c(path), a.sun_path, sizeof(a.sun_path)))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(path, 0660) < 0 || listen(fd, 64) < 0)
		rc = -errno;
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

int http_server_new(struct http_server **ret, struct loop *l, const struct http_config *c)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM, fd;

	if (!s)
		return rc;
	s->loop = l;
	s->local.trusted = true;
	list_init(&s->suspended);
	list_init(&s->streams);
	timer_init(&s->run, on_run_timer);
	metrics_register(&m_requests);
	conns_init();
	s->request_ms = c->request_ms;
	s->nf = strdup(c->nf);
	s->unix_path = c->unix_socket ? strdup(c->unix_socket) : NULL;
	if (!s->nf || (c->unix_socket && !s->unix_path) || access_init(s, c) < 0 || cors_init(s, c) < 0)
		goto fail;
	if (addr_is_set(&c->listen)) {
		rc = listener_start(s, &s->tcp, &c->listen, -1);
		if (rc < 0)
			goto fail;
	}
	if (s->unix_path) {
		fd = unix_open(s->unix_path);
		rc = fd < 0 ? fd : listener_start(s, &s->local, NULL, fd);
		if (rc < 0)
			goto fail;
	}
	*ret = s;
	return 0;
fail:
	http_server_free(s);
	return rc;
}

void http_server_routes(struct http_server *s, const struct http_route *routes, void *u)
{
	if (s->n_tables < HTTP_MAX_TABLES)
		s->table[s->n_tables++] = (struct http_table){ routes, u };
}

void http_server_shapes(struct http_server *s, const struct http_shape *shapes)
{
	if (s->n_shapes < HTTP_MAX_TABLES)
		s->shapes[s->n_shapes++] = shapes;
}

static void listener_stop(struct http_server *s, struct http_listener *l)
{
	if (!l->mhd)
		return;
	loop_fd_del(s->loop, &l->fd);
	MHD_stop_daemon(l->mhd);
	l->mhd = NULL;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	s->stopping = true;
	while (!list_empty(&s->suspended))
		http_problem(list_entry(s->suspended.next, struct http_req, link), 503, "STOPPING", "the daemon stops");
	streams_end(s);
	if (s->tcp.mhd || s->local.mhd)
		server_run(s);
	timer_stop(&s->run);
	listener_stop(s, &s->tcp);
	listener_stop(s, &s->local);
	if (s->unix_path)
		unlink(s->unix_path);
	free(s->unix_path);
	access_fini(s);
	cors_fini(s);
	free(s->nf);
	free(s);
}
