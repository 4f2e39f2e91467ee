/* tests/http/test_stream.c - answers that wait and answers without an end, over a real socket: what becomes of them at the stop,
 * and of a stream when its token is revoked. */
#include <microhttpd.h>
#include "tests/http/connection.h"

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

/* A connection that is known to the server and idle. */
static int dial_idle(void)
{
	char text[4096];
	int fd = dial();

	request(fd, "GET /now", WITH_TOKEN);
	await(fd, text, "now");
	return fd;
}

/* Comes at the moment of the stop: no handler sees it, whether it would have waited or not. */
static const char *const late[] = { "GET /now", "GET /never", "GET /stream" };
START_TEST(test_late_request)
{
	char text[4096] = "";
	int fd;

	serve(routes, (struct http_config){ .token = TOKEN });
	fd = dial_idle();
	request(fd, late[_i], WITH_TOKEN);
	http_server_free(s);
	hear(fd, text);
	ck_assert_msg(strstr(text, "HTTP/1.1 503") && strstr(text, "STOPPING"), "%s: %s", late[_i], text);
	ck_assert_uint_eq(asked, 1);		/* dial_idle()'s */
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

	serve(routes, (struct http_config){ .token = TOKEN });
	fd = dial_idle();
	request(fd, "GET /never", WITH_TOKEN);
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

	serve(routes, (struct http_config){ .token = TOKEN });
	fd = dial_idle();
	request(fd, "GET /never", WITH_TOKEN);
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

	serve(routes, (struct http_config){ .token = TOKEN });
	fd = dial_idle();
	request(fd, "GET /stream", WITH_TOKEN);
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

static const struct http_token old_tokens[] = { { TOKEN, HTTP_VIEW, "vera" }, { "other", HTTP_ADMIN, NULL } },
			       renamed[] = { { TOKEN, HTTP_VIEW, "vera" }, { "others", HTTP_ADMIN, NULL } },
			       more_role[] = { { TOKEN, HTTP_ADMIN, "vera" }, { "other", HTTP_ADMIN, NULL } };

static const struct { const char *name, *token; const struct http_token *v; size_t n; bool ends; } changes[] = {
	{ "the same: a reload of something else", NULL, old_tokens, 2, false },
	{ "another token in place of one", NULL, renamed, 2, true },
	{ "another role", NULL, more_role, 2, true },
	{ "one is gone", NULL, old_tokens + 1, 1, true },
	{ "one more", "third", old_tokens, 2, true },
	{ "none", NULL, NULL, 0, true },
};

/* Who has lost his token gets no event any more; who has not comes back, with Last-Event-ID. */
START_TEST(test_stream_tokens_change)
{
	char text[4096] = "";
	int fd;

	serve(routes, (struct http_config){ .tokens = old_tokens, .n_tokens = 2 });
	fd = dial_idle();
	request(fd, "GET /stream", WITH_TOKEN);
	await(fd, text, "first\n");
	loop_run_for(l, 1);
	ck_assert_int_eq(http_server_tokens(s, changes[_i].token, changes[_i].v, changes[_i].n), 0);
	*text = '\0';
	if (changes[_i].ends)
		await(fd, text, "0\r\n\r\n");
	loop_run_for(l, 20);
	ck_assert_msg(closed == changes[_i].ends, "%s", changes[_i].name);
	close(fd);
	http_server_free(s);
	loop_free(l);
}
END_TEST

TEST_MAIN("stream", TEST_ROWS(test_late_request, late), TEST_ONE(test_waiting_request), TEST_ONE(test_waiting_request_no_memory),
	  TEST_ONE(test_stream_at_stop), TEST_ROWS(test_stream_tokens_change, changes))
