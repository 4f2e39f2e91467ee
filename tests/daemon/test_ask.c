/* tests/daemon/test_ask.c - one question to one worker: answered at once, later, and before the function returns.  The
 * linker puts the ends of a request here (--wrap). */
#include <stdlib.h>
#include "common/daemon/private.h"
#include "tests/check.h"

static struct stack s;
static struct worker_full w;
static struct ask *kept;
static unsigned replies, status;
static int no_request;

void __wrap_http_suspend(struct http_req *r);
struct str __wrap_http_header(const struct http_req *r, const char *name);
void __wrap_http_reply(struct http_req *r, unsigned st, const char *type, struct str body);

void __wrap_http_suspend(struct http_req *r)
{
	ck_assert_ptr_eq(r, (struct http_req *)&no_request);
}

struct str __wrap_http_header(const struct http_req *r, const char *name)
{
	ck_assert_ptr_eq(r, (struct http_req *)&no_request);
	ck_assert_str_eq(name, "If-Match");
	return STR_NONE;
}

void __wrap_http_reply(struct http_req *r, unsigned st, const char *type, struct str body)
{
	(void)r;
	(void)type;
	(void)body;
	replies++;
	status = st;
}

static void mark(void *arg)
{
	*(bool *)arg = true;
}

static void serve(struct loop *l)
{
	bool through = false;

	ck_assert_int_eq(loop_post(l, mark, &through), 0);
	while (!through)
		loop_run_for(l, 1);
}

static void at_once(struct worker *worker, struct ask *a)
{
	ck_assert_ptr_eq(worker, &w.w);
	ck_assert_str_eq(a->key, "key");
	a->status = 204;
}

static void later(struct worker *worker, struct ask *a)
{
	(void)worker;
	a->later = true;
	kept = a;
}

/* The main loop may be quicker than this function: the question must still be there when it returns. */
static void before_it_returns(struct worker *worker, struct ask *a)
{
	(void)worker;
	a->later = true;
	a->status = 202;
	ask_done(a);
	serve(s.main_loop);
	ck_assert_uint_eq(replies, 0);
}

static const struct { const char *name; void (*fn)(struct worker *, struct ask *); unsigned status; } rows[] = {
	{ "at once", at_once, 204 }, { "later", later, 200 }, { "before it returns", before_it_returns, 202 },
};

START_TEST(test_ask_row)
{
	s.main_loop = loop_new();
	s.workers = &w;
	s.n_workers = 1;
	w.w.loop = loop_new();
	stack_ask(&s, (struct http_req *)&no_request, &w.w, STR("key"), rows[_i].fn);
	serve(w.w.loop);
	serve(s.main_loop);
	if (kept) {
		ck_assert_uint_eq(replies, 0);
		kept->status = 200;
		ask_done(kept);
		serve(s.main_loop);
	}
	ck_assert_msg(replies == 1 && status == rows[_i].status, "%s: %u replies, %u", rows[_i].name, replies, status);
	loop_free(w.w.loop);
	loop_free(s.main_loop);
}
END_TEST

TEST_MAIN("ask", TEST_ROWS(test_ask_row, rows))
