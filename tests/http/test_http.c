/* tests/http/test_http.c - the REST server over a real socket: routes, tokens, limits, waiting answers.  Row O1. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/http/http.h"
#include "tests/check.h"

#define TOKEN "secret-token"

static struct loop *l;
static struct http_req *waiting;

static void get_echo(void *u, struct http_req *r)
{
	cJSON *o = cJSON_CreateObject();
	char text[256];

	str_copy(http_param(r, "id"), text, sizeof(text));
	cJSON_AddStringToObject(o, "id", text);
	str_copy(http_query(r, "q"), text, sizeof(text));
	cJSON_AddStringToObject(o, "q", text);
	cJSON_AddStringToObject(o, "u", u);
	http_reply_json(r, 200, o);
}

static void post_json(void *u, struct http_req *r)
{
	(void)u;
	if (http_json(r))
		http_reply(r, 204, NULL, STR_NONE);
}

/* Something whose ETag is that of "1". */
static void change(struct http_req *r, bool must)
{
	char etag[HTTP_ETAG_STRLEN];

	http_etag(STR("1"), etag);
	if (!http_may_change(r, etag, must))
		return;
	http_set_etag(r, etag);
	http_reply_json(r, 200, cJSON_CreateNumber(2));
}

static void put_one(void *u, struct http_req *r)
{
	(void)u;
	change(r, false);
}

static void patch_one(void *u, struct http_req *r)
{
	(void)u;
	change(r, true);
}

static void get_number(void *u, struct http_req *r)
{
	(void)u;
	http_reply_json(r, 200, cJSON_CreateNumber(1));
}

static void answer_later(void *arg)
{
	struct http_req *r = waiting;

	(void)arg;
	http_problem(r, 504, "PEER_SILENT", "the worker had \"no\" answer");
}

static void *elsewhere(void *arg)
{
	(void)arg;
	loop_post(l, answer_later, NULL);
	return NULL;
}

static void get_later(void *u, struct http_req *r)
{
	pthread_t th;

	(void)u;
	waiting = r;
	http_suspend(r);
	pthread_create(&th, NULL, elsewhere, NULL);
	pthread_detach(th);
}

static void get_nothing(void *u, struct http_req *r)
{
	(void)u, (void)r;
}

static void get_page(void *u, struct http_req *r)
{
	struct str cursor;
	unsigned limit;
	char next[32];

	(void)u;
	if (!http_page(r, &limit, &cursor))
		return;
	snprintf(next, sizeof(next), "%u", limit);
	http_reply_page(r, cJSON_CreateArray(), next);
}

static void get_numbered(void *u, struct http_req *r)
{
	uint64_t at = 7;
	unsigned limit;
	char next[32];

	(void)u;
	if (!http_page_number(r, 1000, &limit, &at))
		return;
	snprintf(next, sizeof(next), "%llu", (unsigned long long)at);
	http_reply_page(r, cJSON_CreateArray(), next);
}

static const struct http_route routes[] = {
	{ "GET", "/healthz", HTTP_OPEN, get_echo, "Open." },
	{ "GET", "/api/v1/things/{id}", HTTP_VIEW, get_echo, "One thing." },
	{ "DELETE", "/api/v1/things/{id}", HTTP_ADMIN, get_echo, "Deletes it." },
	{ "GET", "/api/v1/things", HTTP_VIEW, get_page, "All things." },
	{ "GET", "/api/v1/numbered", HTTP_VIEW, get_numbered, "All things, by number." },
	{ "POST", "/api/v1/things", HTTP_OPERATE, post_json, "A new thing." },
	{ "GET", "/api/v1/number", HTTP_VIEW, get_number, "A number." },
	{ "PUT", "/api/v1/number", HTTP_OPERATE, put_one, "Changes it, with If-Match or without." },
	{ "PATCH", "/api/v1/number", HTTP_OPERATE, patch_one, "Changes it, with If-Match only." },
	{ "GET", "/api/v1/later", HTTP_VIEW, get_later, "Waits for a worker." },
	{ "GET", "/api/v1/nothing", HTTP_VIEW, get_nothing, "A handler without an answer." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};

#define AUTH "Authorization: Bearer " TOKEN "\r\n"
#define AS(t) "Authorization: Bearer " t "\r\n"
static const struct { const char *name, *method, *path, *headers; int body; unsigned status; const char *has; } rows[] = {
	{ "open without a token", "GET", "/healthz", "", 0, 200, "\"u\":\"ctx\"" },
	{ "no token", "GET", "/api/v1/things/1", "", 0, 401, "WWW-Authenticate: Bearer" },
	{ "wrong token", "GET", "/api/v1/things/1", "Authorization: Bearer secret-tokem\r\n", 0, 401, "UNAUTHORIZED" },
	{ "longer token", "GET", "/api/v1/things/1", "Authorization: Bearer " TOKEN "x\r\n", 0, 401, "UNAUTHORIZED" },
	{ "basic", "GET", "/api/v1/things/1", "Authorization: Basic " TOKEN "\r\n", 0, 401, "UNAUTHORIZED" },
	{ "right token", "GET", "/api/v1/things/1", AUTH, 0, 200, "\"id\":\"1\"" },
	{ "escapes stay in their segment", "GET", "/api/v1/things/sip%3a%2B49%2f1%40h?q=tel:%2B49%20x", AUTH, 0, 200, "\"id\":\"sip:+49/1@h\",\"q\":\"tel:+49 x\"" },
	{ "NUL in the path", "GET", "/api/v1/things/a%00b", AUTH, 0, 404, "RESOURCE_NOT_FOUND" },
	{ "unknown path", "GET", "/api/v1/other", AUTH, 0, 404, "application/problem+json" },
	{ "other method", "PUT", "/api/v1/things/1", AUTH, 0, 405, "Allow: GET, DELETE" },
	{ "JSON", "POST", "/api/v1/things", AUTH, 10, 204, "" },
	{ "no JSON", "POST", "/api/v1/things", AUTH, 0, 400, "JSON_SYNTAX" },
	{ "too deep", "POST", "/api/v1/things", AUTH, -100, 400, "JSON_TOO_DEEP" },
	{ "too large", "POST", "/api/v1/things", AUTH, 300000, 413, "BODY_TOO_LARGE" },
	{ "later, from another thread", "GET", "/api/v1/later", AUTH, 0, 504, "the worker had \\\"no\\\" answer" },
	{ "handler forgot", "GET", "/api/v1/nothing", AUTH, 0, 500, "NO_ANSWER" },
	{ "page", "GET", "/api/v1/things?limit=7", AUTH, 0, 200, "{\"items\":[],\"page\":{\"nextCursor\":\"7\"}}" },
	{ "a number as cursor", "GET", "/api/v1/numbered?cursor=1000", AUTH, 0, 200, "\"nextCursor\":\"1000\"" },
	{ "none", "GET", "/api/v1/numbered", AUTH, 0, 200, "\"nextCursor\":\"7\"" },
	{ "a number too high", "GET", "/api/v1/numbered?cursor=1001", AUTH, 0, 400, "INVALID_QUERY_PARAM" },
	{ "no number", "GET", "/api/v1/numbered?cursor=-1", AUTH, 0, 400, "INVALID_QUERY_PARAM" },
	{ "limit 0", "GET", "/api/v1/things?limit=0", AUTH, 0, 400, "INVALID_QUERY_PARAM" },
	{ "role: a viewer views", "GET", "/api/v1/things/1", AS("view-token"), 0, 200, "\"id\":\"1\"" },
	{ "role: a viewer changes nothing", "POST", "/api/v1/things", AS("view-token"), 10, 403, "INSUFFICIENT_ROLE" },
	{ "role: an operator operates", "POST", "/api/v1/things", AS("operate-token"), 10, 204, "" },
	{ "role: an operator is no admin", "DELETE", "/api/v1/things/1", AS("operate-token"), 0, 403, "olga has the role operate" },
	{ "role: the audit log is for admins", "GET", "/api/v1/audit", AS("operate-token"), 0, 403, "INSUFFICIENT_ROLE" },
	{ "audit log", "GET", "/api/v1/audit", AUTH, 0, 200, "\"nextCursor\":null" },
	{ "ETag", "GET", "/api/v1/things/1", AUTH, 0, 200, "ETag: \"" },
	{ "If-None-Match", "GET", "/api/v1/things/1", AUTH "If-None-Match: \"x\", *\r\n", 0, 304, "ETag: \"" },
	{ "If-None-Match of something else", "GET", "/api/v1/things/1", AUTH "If-None-Match: \"x\"\r\n", 0, 200, "\"id\":\"1\"" },
	{ "a change without If-Match", "PUT", "/api/v1/number", AUTH, 0, 200, "ETag: \"" },
	{ "If-Match of something else: RFC 9110 §13.1.1", "PUT", "/api/v1/number", AUTH "If-Match: \"x\", \"y\"\r\n", 0, 412, "PRECONDITION_FAILED" },
	{ "If-Match *", "PUT", "/api/v1/number", AUTH "If-Match: *\r\n", 0, 200, "ETag: \"" },
	{ "If-Match is missing: RFC 6585 §3", "PATCH", "/api/v1/number", AUTH, 0, 428, "PRECONDITION_REQUIRED" },
	{ "If-Match is there", "PATCH", "/api/v1/number", AUTH "If-Match: *\r\n", 0, 200, "ETag: \"" },
	{ "CORS: a neighbour's page may read", "GET", "/healthz", "Origin: http://192.0.2.1:8080\r\n", 0, 200, "Access-Control-Allow-Origin: http://192.0.2.1:8080" },
	{ "CORS: an error too", "GET", "/api/v1/things/1", "Origin: http://192.0.2.1:8080\r\n", 0, 401, "Access-Control-Allow-Origin: http://192.0.2.1:8080" },
	{ "CORS: preflight", "OPTIONS", "/api/v1/things/1", "Origin: http://192.0.2.1:8080\r\nAccess-Control-Request-Method: DELETE\r\n", 0, 204, "Access-Control-Allow-Headers: Authorization" },
	{ "CORS: no preflight", "OPTIONS", "/api/v1/things/1", "Origin: http://192.0.2.1:8080\r\n", 0, 405, "METHOD_NOT_ALLOWED" },
	{ "CORS: preflight of a stranger", "OPTIONS", "/api/v1/things/1", "Origin: http://192.0.2.9:8080\r\nAccess-Control-Request-Method: DELETE\r\n", 0, 405, "METHOD_NOT_ALLOWED" },
	{ "limit 1001", "GET", "/api/v1/things?limit=1001", AUTH, 0, 400, "INVALID_QUERY_PARAM" },
};

struct client {
	struct addr to;
	int row;
	char origin[64];
	char answer[16384];
};

static void body_make(struct buf *b, int kind)
{
	if (kind < 0)
		for (int i = 0; i < -kind; i++)
			buf_putc(b, '[');
	else if (kind > 0) {
		buf_putc(b, '"');
		for (int i = 2; i < kind; i++)
			buf_putc(b, 'x');
		buf_putc(b, '"');
	}
}

/* Its status; 0: none came. */
static unsigned ask(struct client *c)
{
	unsigned status = 0;
	int fd = socket(c->to.sa.sa_family, SOCK_STREAM, 0);
	struct buf req, body;
	size_t n = 0, sent = 0;
	ssize_t got;

	memset(c->answer, 0, sizeof(c->answer));
	buf_init(&req, 1 << 20);
	buf_init(&body, 1 << 20);
	body_make(&body, rows[c->row].body);
	buf_printf(&req, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%sContent-Length: %zu\r\n\r\n", rows[c->row].method,
		   rows[c->row].path, rows[c->row].headers, c->origin, body.l);
	buf_put(&req, buf_str(&body));
	if (!req.failed && !body.failed && connect(fd, &c->to.sa, addr_len(&c->to)) == 0) {
		while (sent < req.l && (got = write(fd, req.p + sent, req.l - sent)) > 0)
			sent += (size_t)got;
		while (n < sizeof(c->answer) - 1 && (got = read(fd, c->answer + n, sizeof(c->answer) - 1 - n)) > 0)
			n += (size_t)got;
	}
	close(fd);
	buf_fini(&req);
	buf_fini(&body);
	sscanf(c->answer, "HTTP/1.1 %u", &status);
	return status;
}

static void *client_main(void *arg)
{
	ask(arg);
	loop_stop(l, 0);
	return NULL;
}

static struct http_server *serve(struct addr *a)
{
	static const struct http_token tokens[] = { { "view-token", HTTP_VIEW, NULL }, { "operate-token", HTTP_OPERATE, "olga" } };
	static const char *const origins[] = { "http://192.0.2.1:8080" };
	struct http_config c = { .token = TOKEN, .tokens = tokens, .n_tokens = 2, .nf = "test", .origins = origins, .n_origins = 1 };
	struct http_server *s = NULL;
	int rc = -1;

	l = loop_new();
	for (uint16_t port = 28080; port < 28180 && rc < 0; port++) {	/* another run may hold one */
		addr_parse(STR("127.0.103.1"), port, &c.listen);
		rc = http_server_new(&s, l, &c);
	}
	ck_assert_int_eq(rc, 0);
	http_server_routes(s, routes, (void *)"ctx");
	http_server_routes(s, http_audit_routes, s);
	*a = c.listen;
	return s;
}

static int row_named(const char *name)
{
	int i = 0;

	while (strcmp(rows[i].name, name) != 0)
		i++;
	return i;
}

struct guesses {
	struct addr to;
	unsigned before, without, after_those, wrong, right, open;
};

static unsigned ask_row(const struct addr *to, const char *name)
{
	struct client c = { .to = *to, .row = row_named(name) };

	return ask(&c);
}

static void *guess(void *arg)
{
	struct guesses *g = arg;

	g->before = ask_row(&g->to, "If-None-Match of something else");
	for (unsigned i = 0; i < 40; i++)
		g->without = ask_row(&g->to, "no token");
	g->after_those = ask_row(&g->to, "If-None-Match of something else");
	for (unsigned i = 0; i < 64 && g->wrong != 429; i++)
		g->wrong = ask_row(&g->to, "wrong token");
	g->right = ask_row(&g->to, "If-None-Match of something else");
	g->open = ask_row(&g->to, "open without a token");
	loop_stop(l, 0);
	return NULL;
}

/* Guesses of one address are not looked at any more once so many were wrong, a right one neither; who shows no token guesses nothing. */
START_TEST(test_guesses)
{
	struct guesses g = { 0 };
	struct http_server *s = serve(&g.to);
	pthread_t th;

	pthread_create(&th, NULL, guess, &g);
	loop_run(l);
	pthread_join(th, NULL);
	ck_assert_uint_eq(g.before, 200);
	ck_assert_uint_eq(g.without, 401);
	ck_assert_uint_eq(g.after_those, 200);
	ck_assert_uint_eq(g.wrong, 429);
	ck_assert_uint_eq(g.right, 429);
	ck_assert_uint_eq(g.open, 200);
	http_server_free(s);
	loop_free(l);
}
END_TEST

START_TEST(test_request_row)
{
	struct client c = { .row = _i };
	struct http_server *s = serve(&c.to);
	unsigned status = 0;
	pthread_t th;

	pthread_create(&th, NULL, client_main, &c);
	loop_run(l);
	pthread_join(th, NULL);
	sscanf(c.answer, "HTTP/1.1 %u", &status);
	ck_assert_msg(status == rows[_i].status && strstr(c.answer, rows[_i].has), "%s: %s", rows[_i].name, c.answer);
	http_server_free(s);
	loop_free(l);
}
END_TEST

/* The tag that a GET shows is the one that a change is compared with; never a weak one. */
START_TEST(test_etag)
{
	cJSON *one = cJSON_CreateNumber(1);
	char text[HTTP_ETAG_STRLEN], json[HTTP_ETAG_STRLEN], list[64];

	http_etag(STR("1"), text);
	ck_assert(http_etag_json(one, json));
	ck_assert_str_eq(text, json);
	snprintf(list, sizeof(list), "\"a\" , %s", text);
	ck_assert(http_etag_listed(str_from_c(list), text));
	snprintf(list, sizeof(list), "W/%s", text);
	ck_assert(!http_etag_listed(str_from_c(list), text));
	ck_assert(!http_etag_listed(STR_NONE, text));
	cJSON_Delete(one);
}
END_TEST

/* What a page elsewhere could read: nothing, whatever it writes as its origin. */
static const char *const strangers[] = { "http://192.0.2.1:80801", "http://192.0.2.1", "https://192.0.2.1:8080", "null", "*" };
START_TEST(test_cors_stranger)
{
	struct client c = { .row = 0 };
	struct http_server *s = serve(&c.to);
	pthread_t th;

	snprintf(c.origin, sizeof(c.origin), "Origin: %s\r\n", strangers[_i]);
	pthread_create(&th, NULL, client_main, &c);
	loop_run(l);
	pthread_join(th, NULL);
	ck_assert_ptr_nonnull(strstr(c.answer, "HTTP/1.1 200"));
	ck_assert_ptr_null(strstr(c.answer, "Access-Control"));
	ck_assert_ptr_nonnull(strstr(c.answer, "Vary: Origin"));
	http_server_free(s);
	loop_free(l);
}
END_TEST

START_TEST(test_openapi_names_every_route)
{
	struct addr a;
	struct http_server *s = serve(&a);
	struct buf b;
	cJSON *doc, *paths;

	buf_init(&b, 1 << 16);
	http_server_openapi(s, &b);
	buf_putc(&b, '\0');
	doc = cJSON_Parse(b.p);
	ck_assert_ptr_nonnull(doc);
	paths = cJSON_GetObjectItemCaseSensitive(doc, "paths");
	for (const struct http_route *r = routes; r->method; r++)
		ck_assert_ptr_nonnull(cJSON_GetObjectItem(cJSON_GetObjectItemCaseSensitive(paths, r->path), r->method));
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(doc, "openapi")), "3.1.0");
	cJSON_Delete(doc);
	buf_fini(&b);
	http_server_free(s);
	loop_free(l);
}
END_TEST

TEST_MAIN("http", TEST_ROWS(test_request_row, rows), TEST_ONE(test_guesses), TEST_ONE(test_etag), TEST_ROWS(test_cors_stranger, strangers),
	  TEST_ONE(test_openapi_names_every_route))
