/* tests/http/test_stream.c - answers that wait and answers without an end, over a real socket: what becomes of them at the stop. */
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/http/http.h"
#include "tests/check.h"

#define TOKEN "secret-token"
#define SERVE_MS 2000u

static struct loop *l;
static struct http_server *s;
static struct addr to;
static unsigned asked, closed;		/* handlers run, streams over */
static bool no_memory;

struct MHD_Response *__real_MHD_create_response_from_buffer(size_t n, void *p, enum MHD_ResponseMemoryMode mode);
struct MHD_Response *__wrap_MHD_create_response_from_buffer(size_t n, void *p, enum MHD_ResponseMemoryMode mode);

struct MHD_Response *__wrap_MHD_create_response_from_buffer(size_t n, void *p, enum MHD_ResponseMemoryMode mode)
{
	return no_memory ? NULL : __real_MHD_create_response_from_buffer(n, p, mode);
}

static void get_now(void *u, struct http_req *r)
{
	(void)u;
	asked++;
	http_reply(r, 200, "text/plain", STR("now"));
}

static void get_never(void *u, struct http_req *r)
{
	(void)u;
	asked++;
	http_suspend(r);
}

static bool more(void *u, struct buf *out)
{
	bool *said = u;

	if (!*said)
		buf_puts(out, "first\n");
	*said = true;
	return true;
}

static void stream_closed(void *u)
{
	closed++;
	free(u);
}

static void get_stream(void *u, struct http_req *r)
{
	static const struct http_stream_ops ops = { more, stream_closed };

	(void)u;
	asked++;
	ck_assert_ptr_nonnull(http_stream(r, "text/plain", &ops, calloc(1, sizeof(bool))));
}

static const struct http_route routes[] = {
	{ "GET", "/now", HTTP_VIEW, get_now, "At once." },
	{ "GET", "/never", HTTP_VIEW, get_never, "Waits for a worker that says nothing." },
	{ "GET", "/stream", HTTP_VIEW, get_stream, "No end." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};

static void serve(void)
{
	struct http_config c = { .token = TOKEN, .nf = "test" };
	int rc = -1;

	l = loop_new();
	for (uint16_t port = 28180; port < 28280 && rc < 0; port++) {	/* another run may hold one */
		addr_parse(STR("127.0.103.1"), port, &c.listen);
		rc = http_server_new(&s, l, &c);
	}
	ck_assert_int_eq(rc, 0);
	http_server_routes(s, routes, NULL);
	to = c.listen;
}

static void request(int fd, const char *path)
{
	char text[256];
	ssize_t n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN "\r\n\r\n", path);

	ck_assert_int_eq(write(fd, text, (size_t)n), n);
}

/* What came until now is put behind what `text` holds. */
static void hear(int fd, char text[4096])
{
	size_t at = strlen(text);
	ssize_t n;

	while ((n = read(fd, text + at, 4095 - at)) > 0)
		at += (size_t)n;
	text[at] = '\0';
}

/* Serves until `what` came. */
static void await(int fd, char text[4096], const char *what)
{
	*text = '\0';
	for (unsigned i = 0; i < SERVE_MS && !strstr(text, what); i++) {
		loop_run_for(l, 1);
		hear(fd, text);
	}
	ck_assert_msg(strstr(text, what) != NULL, "no %s: %s", what, text);
}

/* A connection that is known to the server and idle. */
static int dial(void)
{
	int fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[4096];

	ck_assert_int_eq(connect(fd, &to.sa, addr_len(&to)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	request(fd, "/now");
	await(fd, text, "now");
	return fd;
}

/* Comes at the moment of the stop: no handler sees it, whether it would have waited or not. */
static const char *const late[] = { "/now", "/never", "/stream" };
START_TEST(test_late_request)
{
	char text[4096] = "";
	int fd;

	serve();
	fd = dial();
	request(fd, late[_i]);
	http_server_free(s);
	hear(fd, text);
	ck_assert_msg(strstr(text, "HTTP/1.1 503") && strstr(text, "STOPPING"), "%s: %s", late[_i], text);
	ck_assert_uint_eq(asked, 1);		/* dial()'s */
	close(fd);
	loop_free(l);
}
END_TEST

static void await_asked(unsigned n)
{
	for (unsigned i = 0; i < SERVE_MS && asked < n; i++)
		loop_run_for(l, 1);
	ck_assert_uint_eq(asked, n);
}

START_TEST(test_waiting_request)
{
	char text[4096] = "";
	int fd;

	serve();
	fd = dial();
	request(fd, "/never");
	await_asked(2);
	http_server_free(s);
	hear(fd, text);
	ck_assert_msg(strstr(text, "HTTP/1.1 503") && strstr(text, "STOPPING"), "%s", text);
	close(fd);
	loop_free(l);
}
END_TEST

/* Without memory for an answer the connection ends; the stop goes on. */
START_TEST(test_waiting_request_no_memory)
{
	char text[4096] = "", one;
	int fd;

	serve();
	fd = dial();
	request(fd, "/never");
	await_asked(2);
	no_memory = true;
	http_server_free(s);
	no_memory = false;
	hear(fd, text);
	ck_assert_str_eq(text, "");
	ck_assert_int_le(read(fd, &one, 1), 0);
	close(fd);
	loop_free(l);
}
END_TEST

START_TEST(test_stream_at_stop)
{
	char text[4096] = "";
	int fd;

	serve();
	fd = dial();
	request(fd, "/stream");
	await(fd, text, "first\n");
	loop_run_for(l, 1);
	ck_assert_uint_eq(closed, 0);
	http_server_free(s);
	ck_assert_uint_eq(closed, 1);
	*text = '\0';
	hear(fd, text);
	ck_assert_str_eq(text, "0\r\n\r\n");		/* the last chunk: RFC 9112 §7.1 */
	close(fd);
	loop_free(l);
}
END_TEST

TEST_MAIN("stream", TEST_ROWS(test_late_request, late), TEST_ONE(test_waiting_request), TEST_ONE(test_waiting_request_no_memory),
	  TEST_ONE(test_stream_at_stop))
