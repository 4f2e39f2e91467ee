/* tests/http/test_access.c - who may not, though he could, and what is kept of who may not. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "common/http/private.h"
#include "common/util/clock.h"
#include "tests/http/connection.h"

#define PATIENCE_MS 20000u		/* with what has to come, on a busy machine */

static void change(void *u, struct http_req *r)
{
	(void)u;
	http_reply(r, 204, NULL, STR_NONE);
}

static const struct http_route routes[] = {
	{ "GET", "/things", HTTP_VIEW, change, "Looks at it." },
	{ "POST", "/things", HTTP_OPERATE, change, "Changes something." },
	{ "DELETE", "/things", HTTP_ADMIN, change, "Deletes it." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};

static const struct http_token tokens[] = { { "view-token", HTTP_VIEW, "vera" } };

/* Neither a stranger nor who may only look pushes out of the audit log what was done. */
static const char *const flood[] = { "", "Authorization: Bearer view-token\r\n" };
START_TEST(test_audit_flood)
{
	char text[4096];
	int fd;

	serve(routes, (struct http_config){ .token = TOKEN, .tokens = tokens, .n_tokens = 1 });
	http_server_routes(s, http_audit_routes, s);
	fd = dial();
	request(fd, "POST /things", WITH_TOKEN);
	await(fd, text, " 204 ");
	for (unsigned i = 0; i < HTTP_AUDIT_ENTRIES; i++) {
		request(fd, "DELETE /things", flood[_i]);
		await(fd, text, "\"detail\"");
	}
	request(fd, "GET /api/v1/audit?limit=2", WITH_TOKEN);	/* newest first, of both kinds */
	await(fd, text, "\"nextCursor\":\"1000\"");
	ck_assert_ptr_null(strstr(text, "POST /things"));
	request(fd, "GET /api/v1/audit?limit=2&cursor=1000", WITH_TOKEN);
	await(fd, text, "\"nextCursor\":\"998\"");
	request(fd, "GET /api/v1/audit?limit=2&cursor=903", WITH_TOKEN);
	await(fd, text, "\"nextCursor\":null");
	ck_assert_ptr_nonnull(strstr(text, "DELETE /things"));
	ck_assert_ptr_nonnull(strstr(text, "POST /things\",\"outcome\":204"));
	close(fd);
	http_server_free(s);
	loop_free(l);
}
END_TEST

#define STRANGER "Origin: https://evil.example\r\n"
static const struct { const char *name, *line, *headers; bool token; const char *comes; } sites[] = {
	{ "no browser", "POST /things", "", false, " 204 " },
	{ "our own page", "POST /things", "Origin: http://cscf.example:8080\r\nSec-Fetch-Site: same-origin\r\n", false, " 204 " },
	{ "our own page behind TLS of others", "POST /things", "Origin: https://CSCF.example:8080\r\n", false, " 204 " },
	{ "a neighbour's page", "POST /things", "Origin: http://192.0.2.1:8080\r\nSec-Fetch-Site: cross-site\r\n", false, " 204 " },
	{ "a stranger's page", "POST /things", STRANGER, false, "CROSS_SITE" },
	{ "another port", "DELETE /things", "Origin: http://cscf.example\r\nSec-Fetch-Site: same-site\r\n", false, "CROSS_SITE" },
	{ "a page without an origin", "POST /things", "Origin: null\r\n", false, "CROSS_SITE" },
	{ "a form of another site", "POST /things", "Sec-Fetch-Site: cross-site\r\n", false, "CROSS_SITE" },
	{ "a link from another site", "GET /things", "Sec-Fetch-Site: cross-site\r\n", false, " 204 " },
	{ "a token is no cookie: it was put there", "POST /things", STRANGER, true, " 204 " },
};

/* A connection that brings its rights along, as one with a client certificate does. */
static int dial_local(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert(str_copy(str_from_c(path), a.sun_path, sizeof(a.sun_path)));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* A page of another site can have a browser change nothing with the rights that the browser has. */
START_TEST(test_cross_site)
{
	static const char *const origins[] = { "http://192.0.2.1:8080" };
	char text[4096], path[64], headers[256];
	int fd;

	snprintf(path, sizeof(path), "/tmp/cscf-test-access.%d", (int)getpid());
	serve(routes, (struct http_config){ .token = TOKEN, .unix_socket = path, .origins = origins, .n_origins = 1 });
	snprintf(headers, sizeof(headers), "%s%s", sites[_i].headers, sites[_i].token ? WITH_TOKEN : "");
	fd = sites[_i].token ? dial() : dial_local(path);
	request(fd, sites[_i].line, headers);
	await(fd, text, sites[_i].comes);
	ck_assert(strstr(sites[_i].comes, "204") || strstr(text, " 403 "));
	close(fd);
	http_server_free(s);
	loop_free(l);
}
END_TEST

/* One source has half of the connections at most, and others are served meanwhile; an IPv6 /64 is one source. */
static int dial_from(const char *from)
{
	struct addr a;
	int fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(addr_parse(str_from_c(from), 0, &a), 0);
	ck_assert_int_eq(bind(fd, &a.sa, addr_len(&a)), 0);
	ck_assert_int_eq(connect(fd, &to.sa, addr_len(&to)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	loop_run_for(l, 1);
	return fd;
}

static bool is_cut(int fd)
{
	char c;
	ssize_t n = read(fd, &c, 1);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Serves until so many of them are cut (fd -1), and sees that no other one is. */
static void await_cut(int *fd, unsigned n, unsigned want)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;
	unsigned cut = 0;

	while (cut < want && clock_mono_ms() < until) {
		loop_run_for(l, 10);
		for (unsigned i = 0; i < n; i++) {
			if (fd[i] >= 0 && is_cut(fd[i])) {
				close(fd[i]);
				fd[i] = -1;
				cut++;
			}
		}
	}
	loop_run_for(l, 50);
	for (unsigned i = 0; i < n; i++)
		cut += fd[i] >= 0 && is_cut(fd[i]);
	ck_assert_uint_eq(cut, want);
}

START_TEST(test_share_of_a_source)
{
	enum { MOST = 128 };
	int fd[MOST], other;
	uint64_t until;
	char text[4096];

	serve(routes, (struct http_config){ .token = TOKEN });
	for (unsigned i = 0; i < MOST; i++)
		fd[i] = dial_from("127.0.103.7");
	await_cut(fd, MOST, MOST / 2);
	other = dial_from("127.0.103.8");
	request(other, "GET /things", WITH_TOKEN);
	await(other, text, " 204 ");
	close(other);
	for (unsigned i = 0; i < MOST; i++) {
		if (fd[i] >= 0) {			/* a place of its own is free again */
			close(fd[i]);
			fd[i] = -1;
			break;
		}
	}
	until = clock_mono_ms() + PATIENCE_MS;
	for (;;) {					/* once the server has heard of it */
		other = dial_from("127.0.103.7");
		loop_run_for(l, 10);
		if (!is_cut(other))
			break;
		close(other);
		ck_assert_msg(clock_mono_ms() < until, "no place is free again");
	}
	request(other, "GET /things", WITH_TOKEN);
	await(other, text, " 204 ");
	close(other);
	for (unsigned i = 0; i < MOST; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	http_server_free(s);
	loop_free(l);
}
END_TEST

static const struct { const char *name, *a, *b; bool same; } neighbours[] = {
	{ "two addresses", "192.0.2.1", "192.0.2.2", false },
	{ "one address", "192.0.2.1", "192.0.2.1", true },
	{ "a /64", "2001:db8::1", "2001:db8::ffff:0:1", true },
	{ "two /64", "2001:db8::1", "2001:db8:0:1::1", false },
};

START_TEST(test_source_is)
{
	struct addr a, b;

	ck_assert_int_eq(addr_parse(str_from_c(neighbours[_i].a), 1, &a), 0);
	ck_assert_int_eq(addr_parse(str_from_c(neighbours[_i].b), 2, &b), 0);
	ck_assert_msg((conns_source(&a.sa) == conns_source(&b.sa)) == neighbours[_i].same, "%s", neighbours[_i].name);
}
END_TEST

/* Slowloris: an octet now and then keeps no request alive. */
static const char *const slow[] = { "GET /things HTTP/1.1\r\nHost: x\r\nX-Slow: ", "POST /things HTTP/1.1\r\nHost: x\r\n" WITH_TOKEN "Content-Length: 100000\r\n\r\n" };
START_TEST(test_slowloris)
{
	enum { DEADLINE_MS = 300 };
	uint64_t began, took_ms = 0;
	bool over = false;
	int fd;

	serve(routes, (struct http_config){ .token = TOKEN, .request_ms = DEADLINE_MS });
	began = clock_mono_ms();
	fd = dial();
	ck_assert_int_eq(write(fd, slow[_i], strlen(slow[_i])), (ssize_t)strlen(slow[_i]));
	while (!over && took_ms < PATIENCE_MS) {
		loop_run_for(l, 20);
		over = write(fd, "a", 1) < 0 || is_cut(fd);
		took_ms = clock_mono_ms() - began;
	}
	ck_assert_msg(over, "still there after %u ms", (unsigned)took_ms);
	ck_assert_uint_ge(took_ms, DEADLINE_MS / 2);
	close(fd);
	http_server_free(s);
	loop_free(l);
}
END_TEST

/* A request that is there in time may be followed by others, past the time that one has. */
START_TEST(test_well)
{
	enum { DEADLINE_MS = 2000 };
	uint64_t until;
	char text[4096];
	int fd;

	serve(routes, (struct http_config){ .token = TOKEN, .request_ms = DEADLINE_MS });
	fd = dial();
	until = clock_mono_ms() + DEADLINE_MS + DEADLINE_MS / 2;
	do {
		request(fd, "GET /things", WITH_TOKEN);
		await(fd, text, " 204 ");
		loop_run_for(l, 200);
	} while (clock_mono_ms() < until);
	request(fd, "GET /things", WITH_TOKEN);
	await(fd, text, " 204 ");
	close(fd);
	http_server_free(s);
	loop_free(l);
}
END_TEST

TEST_MAIN("access", TEST_ONE(test_share_of_a_source), TEST_ROWS(test_source_is, neighbours), TEST_ROWS(test_slowloris, slow), TEST_ONE(test_well), TEST_ROWS(test_cross_site, sites), TEST_ROWS(test_audit_flood, flood))
