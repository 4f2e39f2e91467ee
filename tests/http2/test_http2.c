/* tests/http2/test_http2.c - client and server against each other over real sockets of one loop: RFC 9113; limits of h2.h. */
#include <errno.h>
#include <unistd.h>
#include "common/http2/h2.h"
#include "common/util/bytes.h"
#include "common/util/list.h"
#include "tests/check.h"
#include "tests/transport/certs.h"

#define DEADLINE_MS 3000u
#define MANY 200u

static struct loop *l;
static struct h2_client *client;
static struct h2_server *server;
static struct {
	unsigned n;			/* requests */
	struct h2_req *kept[MANY];
	unsigned n_kept;
	enum { ECHO, KEEP, REFUSE_ONCE, RESET, BIG, HANG_UP } how;
	struct str from_header;
	char method[8], path[64], value[64], body[64];
	struct timer later;
} srv;
static struct answer {
	unsigned n;
	int err;
	unsigned status;
	char body[64], header[64];
} got;

static void on_request(void *u, struct h2_req *r)
{
	static char big[H2_MAX_BODY_BYTES + 1];
	const struct h2_header h[] = { { STR("location"), STR("/there") } };

	(void)u;
	srv.n++;
	str_copy(h2_req_method(r), srv.method, sizeof(srv.method));
	str_copy(h2_req_path(r), srv.path, sizeof(srv.path));
	str_copy(h2_req_header(r, "x-say"), srv.value, sizeof(srv.value));
	str_copy(h2_req_body(r), srv.body, sizeof(srv.body));
	if (srv.how == KEEP)
		srv.kept[srv.n_kept++] = r;
	else if (srv.how == REFUSE_ONCE && srv.n == 1)
		h2_req_reset(r, 7);
	else if (srv.how == RESET)
		h2_req_reset(r, 8);
	else if (srv.how == HANG_UP) {
		h2_req_drop(r);
		timer_start(loop_wheel(l), &srv.later, 0);
	} else if (srv.how == BIG)
		h2_reply(r, 200, NULL, 0, str_make(big, sizeof(big)));
	else
		h2_reply(r, 201, h, 1, h2_req_body(r));
}

static void on_later(struct timer *t)
{
	(void)t;
	h2_server_hang_up(server);
}

static void on_answer(void *arg, const struct h2_response *r)
{
	struct answer *a = arg;

	a->n++;
	a->err = r->err;
	a->status = r->status;
	str_copy(r->body, a->body, sizeof(a->body));
	str_copy(h2_response_header(r, "location"), a->header, sizeof(a->header));
}

static uint32_t stream_ms, max_connection_bytes, max_unfinished_bytes;	/* of the next server; 0: what it has by itself */

static void serve(struct h2_tls *tls, uint32_t idle_ms)
{
	struct h2_server_config c = { .tls = tls, .max_connections = 4, .max_streams = 10, .idle_ms = idle_ms, .request = on_request,
				      .stream_ms = stream_ms, .max_connection_bytes = max_connection_bytes, .max_unfinished_bytes = max_unfinished_bytes };

	addr_parse(STR("127.0.0.1"), 0, &c.listen);
	ck_assert_int_eq(h2_server_new(&server, l, &c), 0);
}

static void setup_with(struct h2_tls *client_tls, struct h2_tls *server_tls, uint32_t idle_ms)
{
	const struct h2_client_config c = { .tls = client_tls, .connect_ms = 500, .idle_ms = idle_ms, .max_requests = MANY, .max_streams = 100 };

	memset(&srv, 0, sizeof(srv));
	memset(&got, 0, sizeof(got));
	l = loop_new();
	client = h2_client_new(l, &c);
	timer_init(&srv.later, on_later);
	serve(server_tls, idle_ms);
}

static void setup(void)
{
	setup_with(NULL, NULL, 60000);
}

static void teardown(void)
{
	h2_client_free(client);
	h2_server_free(server);
	loop_free(l);
}

static uint64_t ask_at(const char *at, uint16_t port, bool tls, struct str body, uint32_t deadline_ms, struct answer *a)
{
	const struct h2_header h[] = { { STR("x-say"), STR("hello") } };
	struct h2_request r = { .tls = tls, .authority = str_from_c(at), .method = "POST", .path = STR("/a/b?c=d"), .header = h, .n_headers = 1,
				.body = body, .deadline_ms = deadline_ms };

	addr_parse(STR("127.0.0.1"), port, &r.to);
	return h2_send(client, &r, on_answer, a);
}

static uint64_t ask(struct str body, struct answer *a)
{
	unsigned before = a->n;
	uint64_t id = ask_at("127.0.0.1:1", h2_server_port(server), false, body, DEADLINE_MS, a);

	ck_assert_msg(id && a->n == before, "called back from inside");
	return id;
}

#define until(cond) \
	do { \
		for (unsigned i_ = 0; i_ < 1000 && !(cond); i_++) \
			loop_run_for(l, 5); \
		ck_assert_msg(cond, "in time: %s", #cond); \
	} while (0)

START_TEST(test_ask)		/* and again on the same connection */
{
	setup();
	for (unsigned i = 1; i <= 3; i++) {
		ask(STR("{\"x\":1}"), &got);
		until(got.n == i);
		ck_assert_int_eq(got.err, 0);
		ck_assert_uint_eq(got.status, 201);
		ck_assert_str_eq(got.body, "{\"x\":1}");
		ck_assert_str_eq(got.header, "/there");
		ck_assert_str_eq(srv.method, "POST");
		ck_assert_str_eq(srv.path, "/a/b?c=d");
		ck_assert_str_eq(srv.value, "hello");
		ck_assert_uint_eq(h2_client_connections(client), 1);
	}
	ask(STR_NONE, &got);
	until(got.n == 4);
	ck_assert_str_eq(got.body, "");
	ck_assert_uint_eq(h2_client_outstanding(client), 0);
	teardown();
}
END_TEST

START_TEST(test_many)		/* more than there are streams; the one above max_requests is not taken */
{
	static struct answer all;

	setup();
	memset(&all, 0, sizeof(all));
	for (unsigned i = 0; i < MANY; i++)
		ck_assert(ask(STR("x"), &all));
	ck_assert(!ask_at("127.0.0.1:1", h2_server_port(server), false, STR("x"), DEADLINE_MS, &all));
	until(all.n == MANY);
	ck_assert_uint_eq(srv.n, MANY);
	ck_assert_int_eq(all.err, 0);
	ck_assert_uint_eq(h2_client_connections(client), 1);
	teardown();
}
END_TEST

START_TEST(test_silent)		/* a deadline; the connection stays, for a ping is answered; what comes late hurts nobody */
{
	setup();
	srv.how = KEEP;
	ask_at("127.0.0.1:1", h2_server_port(server), false, STR("x"), 50, &got);
	until(got.n == 1);
	ck_assert_int_eq(got.err, -ETIMEDOUT);
	loop_run_for(l, 20);
	h2_reply(srv.kept[0], 200, NULL, 0, STR("late"));
	srv.how = ECHO;
	ask(STR("y"), &got);
	until(got.n == 2);
	ck_assert_int_eq(got.err, 0);
	ck_assert_uint_eq(h2_client_connections(client), 1);
	teardown();
}
END_TEST

START_TEST(test_cancel)		/* before it is sent, and while it is served: no callback */
{
	uint64_t id;

	setup();
	srv.how = KEEP;
	h2_cancel(client, ask(STR("x"), &got));
	id = ask(STR("x"), &got);
	until(srv.n_kept == 1);
	h2_cancel(client, id);
	h2_cancel(client, id);
	loop_run_for(l, 20);
	h2_reply(srv.kept[0], 200, NULL, 0, STR_NONE);
	loop_run_for(l, 20);
	ck_assert_uint_eq(got.n, 0);
	ck_assert_uint_eq(h2_client_outstanding(client), 0);
	teardown();
}
END_TEST

START_TEST(test_nobody)		/* nobody listens there */
{
	uint16_t port;

	setup();
	port = h2_server_port(server);
	h2_server_free(server);
	ck_assert(ask_at("127.0.0.1:1", port, false, STR("x"), DEADLINE_MS, &got) && got.n == 0);
	until(got.n == 1);
	ck_assert_int_eq(got.err, -ECONNREFUSED);
	ck_assert_uint_eq(h2_client_connections(client), 0);
	serve(NULL, 60000);
	ask(STR("x"), &got);
	until(got.n == 2);
	ck_assert_int_eq(got.err, 0);
	teardown();
}
END_TEST

START_TEST(test_goaway)		/* RFC 9113 §6.8: what runs is answered there, what is new goes elsewhere */
{
	static struct answer first;

	setup();
	memset(&first, 0, sizeof(first));
	srv.how = KEEP;
	ask(STR("x"), &first);
	until(srv.n_kept == 1);
	h2_server_goaway(server);
	loop_run_for(l, 20);
	srv.how = ECHO;
	ask(STR("y"), &got);
	until(got.n == 1);
	ck_assert_int_eq(got.err, 0);
	ck_assert_uint_eq(h2_client_connections(client), 2);
	h2_reply(srv.kept[0], 200, NULL, 0, STR("kept"));
	until(first.n == 1);
	ck_assert_int_eq(first.err, 0);
	ck_assert_str_eq(first.body, "kept");
	until(h2_client_connections(client) == 1);
	teardown();
}
END_TEST

static const struct { const char *name; int how; int err; unsigned served; } faults[] = {
	{ "REFUSED_STREAM, RFC 9113 §8.7: once more", REFUSE_ONCE, 0, 2 },
	{ "reset", RESET, -ECONNRESET, 1 },
	{ "hung up", HANG_UP, -ECONNRESET, 1 },
	{ "a body above the limit", BIG, -EMSGSIZE, 1 },
};

START_TEST(test_fault)
{
	setup();
	srv.how = faults[_i].how;
	ask(STR("x"), &got);
	until(got.n == 1);
	ck_assert_msg(got.err == faults[_i].err && srv.n == faults[_i].served, "%s: %d, %u served", faults[_i].name, got.err, srv.n);
	srv.how = ECHO;
	ask(STR("y"), &got);
	until(got.n == 2);
	ck_assert_msg(got.err == 0, "%s: the next one %d", faults[_i].name, got.err);
	teardown();
}
END_TEST

START_TEST(test_large)		/* a request above the limit is reset and not handed out */
{
	static char big[H2_MAX_BODY_BYTES + 1];

	setup();
	ask(str_make(big, sizeof(big)), &got);
	until(got.n == 1);
	ck_assert(got.err == -ECONNRESET && srv.n == 0);
	ask(str_make(big, H2_MAX_BODY_BYTES), &got);
	until(got.n == 2);
	ck_assert(got.err == 0 && srv.n == 1);
	teardown();
}
END_TEST

START_TEST(test_idle)		/* both ends close what nobody uses */
{
	setup_with(NULL, NULL, 60);
	ask(STR("x"), &got);
	until(got.n == 1);
	until(h2_client_connections(client) == 0);
	ask(STR("x"), &got);
	until(got.n == 2 && got.err == 0);
	teardown();
}
END_TEST

/* A peer that takes connections and says nothing: 0 never accepts what is sent, else garbage. */
START_TEST(test_dead_peer)
{
	struct addr at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(at);

	setup();
	addr_parse(STR("127.0.0.1"), 0, &at);
	ck_assert_int_eq(bind(fd, &at.sa, addr_len(&at)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	ck_assert_int_eq(getsockname(fd, &at.sa, &len), 0);
	ask_at("127.0.0.1:1", addr_port(&at), false, STR("x"), 50, &got);
	until(got.n == 1);
	ck_assert_int_eq(got.err, -ETIMEDOUT);
	until(h2_client_connections(client) == 0);	/* the ping was not answered either */
	close(fd);
	teardown();
}
END_TEST

static int dial(uint16_t port)
{
	struct addr at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	addr_parse(STR("127.0.0.1"), port, &at);
	if (connect(fd, &at.sa, addr_len(&at)) < 0)
		ck_assert_int_eq(errno, EINPROGRESS);
	return fd;
}

/* No connection stands in time, because nobody takes it (its queue is full) or nobody speaks TLS there: nobody has seen the request. */
static const struct { const char *name; bool tls; } never[] = { { "nobody takes it", false }, { "nobody speaks TLS", true } };
START_TEST(test_never_stood)
{
	struct h2_tls *ct = h2_tls_new(&(struct h2_tls_config){ .verify = false }, false, (char[H2_TLS_ERROR_BYTES]){ "" });
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), filler[4];
	struct addr at;
	socklen_t len = sizeof(at);

	ck_assert_ptr_nonnull(ct);
	setup_with(ct, NULL, 60000);
	addr_parse(STR("127.0.0.1"), 0, &at);
	ck_assert_int_eq(bind(fd, &at.sa, addr_len(&at)), 0);
	ck_assert_int_eq(listen(fd, never[_i].tls ? 8 : 0), 0);
	ck_assert_int_eq(getsockname(fd, &at.sa, &len), 0);
	for (unsigned i = 0; i < 4 && !never[_i].tls; i++)
		filler[i] = dial(addr_port(&at));
	ask_at("127.0.0.1:1", addr_port(&at), never[_i].tls, STR("x"), 10 * DEADLINE_MS, &got);
	until(got.n == 1);
	ck_assert_msg(got.err == -EHOSTUNREACH, "%s: %d", never[_i].name, got.err);
	ck_assert_uint_eq(h2_client_connections(client), 0);
	for (unsigned i = 0; i < 4 && !never[_i].tls; i++)
		close(filler[i]);
	close(fd);
	teardown();
	h2_tls_free(ct);
}
END_TEST

static bool closed(int fd)
{
	char c[256];
	ssize_t n = recv(fd, c, sizeof(c), 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

START_TEST(test_strangers)	/* no preface; nonsense; more connections than there may be */
{
	int fd[6];

	setup_with(NULL, NULL, 150);
	fd[0] = dial(h2_server_port(server));
	until(closed(fd[0]));
	fd[1] = dial(h2_server_port(server));
	loop_run_for(l, 20);
	ck_assert_int_gt(send(fd[1], "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, MSG_NOSIGNAL), 0);
	until(closed(fd[1]));
	for (unsigned i = 2; i < 6; i++)
		fd[i] = dial(h2_server_port(server));
	loop_run_for(l, 20);
	close(fd[0]);
	fd[0] = dial(h2_server_port(server));
	until(closed(fd[0]));
	for (unsigned i = 0; i < 6; i++)
		close(fd[i]);
	teardown();
}
END_TEST

/* ---- requests that are never finished: frames by hand ---- */

struct raw {
	int fd;
	unsigned resets, code, served;	/* RST_STREAM, and the code of the last; HEADERS */
	bool gone;
};

static void raw_send(struct raw *c, uint8_t type, uint8_t flags, uint32_t stream, const void *p, size_t n)
{
	uint8_t f[9 + 16384] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags, 0, 0, (uint8_t)(stream >> 8), (uint8_t)stream };

	if (n)
		memcpy(f + 9, p, n);
	ck_assert_int_eq(send(c->fd, f, 9 + n, MSG_NOSIGNAL), (ssize_t)(9 + n));
}

static void raw_open(struct raw *c)
{
	*c = (struct raw){ .fd = dial(h2_server_port(server)) };
	loop_run_for(l, 20);
	ck_assert_int_eq(send(c->fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, MSG_NOSIGNAL), 24);
	raw_send(c, 4, 0, 0, NULL, 0);
}

/* HEADERS of a POST: indices of RFC 7541 appendix A. */
static void raw_post(struct raw *c, uint32_t stream, uint8_t flags)
{
	raw_send(c, 1, flags, stream, "\x83\x86\x84\1\1x", 6);
}

static void raw_data(struct raw *c, uint32_t stream, size_t n)
{
	static const uint8_t zero[16384];

	for (; n; n -= n < sizeof(zero) ? n : sizeof(zero))
		raw_send(c, 0, 0, stream, zero, n < sizeof(zero) ? n : sizeof(zero));
}

static void raw_read(struct raw *c)
{
	static uint8_t in[65536];
	ssize_t n = recv(c->fd, in, sizeof(in), 0);

	c->gone = c->gone || n == 0 || (n < 0 && errno == ECONNRESET);
	for (ssize_t at = 0; at + 9 <= n; at += 9 + (in[at] << 16 | in[at + 1] << 8 | in[at + 2])) {
		c->served += in[at + 3] == 1;
		c->resets += in[at + 3] == 3;
		if (in[at + 3] == 3)
			c->code = in[at + 12];
	}
}

static bool raw_has(struct raw *c, unsigned resets, unsigned served)
{
	raw_read(c);
	return c->resets >= resets && c->served >= served;
}

static bool raw_gone(struct raw *c)
{
	raw_read(c);
	return c->gone;
}

enum { END_STREAM = 1, END_HEADERS = 4, CANCEL = 8, CALM = 11 };

START_TEST(test_unfinished)		/* a body that never ends: reset at its time; the connection serves on.  A header block: the connection ends */
{
	struct raw c, d;

	stream_ms = 150;
	setup();
	raw_open(&c);
	raw_post(&c, 1, END_HEADERS);
	raw_data(&c, 1, 10);
	raw_open(&d);
	raw_post(&d, 1, 0);
	until(raw_has(&c, 1, 0));
	ck_assert_uint_eq(c.code, CANCEL);
	until(raw_gone(&d));
	raw_post(&c, 3, END_HEADERS | END_STREAM);
	until(raw_has(&c, 1, 1));
	ck_assert(srv.n == 1 && !c.gone);
	for (unsigned i = 1; i < H2_MAX_STRIKES; i++) {		/* no more than ten at a time */
		raw_post(&c, 3 + 2 * i, END_HEADERS);
		until(raw_has(&c, 1 + i, 1) || c.gone);
	}
	until(raw_gone(&c));
	close(c.fd);
	close(d.fd);
	teardown();
	stream_ms = 0;
}
END_TEST

START_TEST(test_budget)			/* what is not whole yet: of one connection, of all; who finishes in time gives it back */
{
	struct raw c, d;

	max_connection_bytes = 48 * 1024;
	max_unfinished_bytes = 70 * 1024;
	setup();
	raw_open(&c);
	raw_post(&c, 1, END_HEADERS);
	raw_data(&c, 1, 30000);
	raw_post(&c, 3, END_HEADERS);
	raw_data(&c, 3, 20000);
	until(raw_has(&c, 1, 0));
	ck_assert_uint_eq(c.code, CALM);
	raw_open(&d);
	raw_post(&d, 1, END_HEADERS);
	raw_data(&d, 1, 40000);
	until(raw_has(&d, 1, 0));
	ck_assert_uint_eq(d.code, CALM);
	for (unsigned i = 1; i <= H2_MAX_STRIKES; i++) {	/* others left no room: its connection is not blamed */
		raw_post(&d, 1 + 2 * i, END_HEADERS);
		raw_data(&d, 1 + 2 * i, 40000);
		until(raw_has(&d, 1 + i, 0) || d.gone);
		ck_assert_msg(!d.gone, "blamed after %u", i);
	}
	raw_send(&c, 0, END_STREAM, 1, "x", 1);
	until(raw_has(&c, 1, 1));
	ck_assert_uint_eq(srv.n, 1);
	raw_post(&d, 3 + 2 * H2_MAX_STRIKES, END_HEADERS);
	raw_data(&d, 3 + 2 * H2_MAX_STRIKES, 10000);
	raw_send(&d, 0, END_STREAM, 3 + 2 * H2_MAX_STRIKES, "x", 1);
	until(raw_has(&d, 1 + H2_MAX_STRIKES, 1));
	ck_assert(c.resets == 1 && d.resets == 1 + H2_MAX_STRIKES && !c.gone && !d.gone);
	close(c.fd);
	close(d.fd);
	teardown();
	max_connection_bytes = max_unfinished_bytes = 0;
}
END_TEST

static const struct { const char *name, *authority; bool trusted, client_cert, plain_server; int err; } tls_rows[] = {
	{ "the right name, both certificates", "pcf.example:7777", true, true, false, 0 },
	{ "the address", "127.0.0.1:7777", true, true, false, 0 },
	{ "another name", "other.example:7777", true, true, false, -EACCES },
	{ "an authority that is not ours", "pcf.example:7777", false, true, false, -EACCES },
	{ "clear text there", "pcf.example:7777", true, true, true, -EACCES },
};

START_TEST(test_tls)
{
	char dir[] = "/tmp/h2-test-XXXXXX", why[H2_TLS_ERROR_BYTES];
	struct cert_files ca, other, cert;
	struct h2_tls *ct, *st;

	certs_dir(dir);
	certs_authority(dir, "ca", &ca);
	certs_authority(dir, "other", &other);
	certs_make(dir, "pcf", "ca", NULL, "DNS:pcf.example,IP:127.0.0.1", -1, 10, &cert);
	st = h2_tls_new(&(struct h2_tls_config){ .cert_file = cert.cert, .key_file = cert.key, .ca_file = ca.cert, .verify = true }, true, why);
	ct = h2_tls_new(&(struct h2_tls_config){ .cert_file = cert.cert, .key_file = cert.key,
						 .ca_file = tls_rows[_i].trusted ? ca.cert : other.cert, .verify = true }, false, why);
	ck_assert_msg(st && ct, "%s", why);
	setup_with(ct, tls_rows[_i].plain_server ? NULL : st, 60000);
	for (unsigned i = 1; i <= 2; i++) {
		ck_assert(ask_at(tls_rows[_i].authority, h2_server_port(server), true, STR("secret"), DEADLINE_MS, &got));
		until(got.n == i);
		ck_assert_msg(tls_rows[_i].err ? got.err != 0 && srv.n == 0 : got.err == 0, "%s: %d", tls_rows[_i].name, got.err);
	}
	teardown();
	ck_assert(!h2_tls_new(&(struct h2_tls_config){ .cert_file = "/nowhere" }, true, why));
	ck_assert_msg(strstr(why, "/nowhere"), "%s", why);
	h2_tls_free(st);
	h2_tls_free(ct);
	certs_remove(dir);
}
END_TEST

START_TEST(test_tls_not_configured)
{
	setup();
	ask_at("a:1", h2_server_port(server), true, STR("x"), DEADLINE_MS, &got);
	until(got.n == 1);
	ck_assert_int_eq(got.err, -EACCES);
	teardown();
}
END_TEST

START_TEST(test_freed_with_work)	/* requests, and answers that are owed */
{
	setup();
	srv.how = KEEP;
	ask(STR("x"), &got);
	until(srv.n_kept == 1);
	ask(STR("y"), &got);
	h2_client_free(client);
	client = NULL;
	loop_run_for(l, 20);
	teardown();
	ck_assert_uint_eq(got.n, 0);
}
END_TEST

TEST_MAIN("http2", TEST_ONE(test_ask), TEST_ONE(test_many), TEST_ONE(test_silent), TEST_ONE(test_cancel), TEST_ONE(test_nobody),
	  TEST_ONE(test_goaway), TEST_ROWS(test_fault, faults), TEST_ONE(test_large), TEST_ONE(test_idle), TEST_ONE(test_dead_peer), TEST_ROWS(test_never_stood, never),
	  TEST_ONE(test_strangers), TEST_ONE(test_unfinished), TEST_ONE(test_budget), TEST_ROWS(test_tls, tls_rows), TEST_ONE(test_tls_not_configured), TEST_ONE(test_freed_with_work))
