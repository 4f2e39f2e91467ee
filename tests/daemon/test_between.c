/* tests/daemon/test_between.c - what one worker has another one do, and the way back, which is never lost. */
#include <errno.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "tests/check.h"

static struct worker_full here, there;
static char got[256];
#define TEXT(t) ((void *)(uintptr_t)(t))

static void begin(void)
{
	struct worker_full *const all[] = { &here, &there };

	for (unsigned i = 0; i < 2; i++) {
		all[i]->w.loop = loop_new();
		ck_assert_ptr_nonnull(all[i]->w.loop);
		all[i]->w.wheel = loop_wheel(all[i]->w.loop);
		worker_returns_open(all[i]);
	}
	got[0] = '\0';
}

static void end(void)
{
	loop_free(here.w.loop);
	loop_free(there.w.loop);
}

static void on_call(struct worker *w, void *arg)
{
	strcat(got, w == &there.w ? "there " : "here ");
	strcat(got, arg);
	strncat(got, log_correlation_get().p ? log_correlation_get().p : "", 32);
	strcat(got, ";");
}

static void nothing(void *arg)
{
	(void)arg;
}

START_TEST(test_returns)		/* and the correlation goes along */
{
	struct worker_return a, b;

	begin();
	log_correlation(STR("icid-1"));
	worker_return(&here.w, &there.w, &a, on_call, TEXT("a "));
	worker_return(&here.w, &here.w, &b, on_call, TEXT("at once "));
	log_correlation(STR_NONE);
	ck_assert_str_eq(got, "here at once icid-1;");
	loop_run_for(there.w.loop, 2);
	ck_assert_str_eq(got, "here at once icid-1;there a icid-1;");
	end();
}
END_TEST

START_TEST(test_full_mailbox)		/* a question is refused then; an answer waits, and the order stays */
{
	struct worker_return r[3];

	begin();
	while (loop_post(there.w.loop, nothing, NULL) == 0)
		;
	ck_assert_int_eq(worker_post(&there.w, on_call, TEXT("question")), -EAGAIN);
	worker_return(&here.w, &there.w, &r[0], on_call, TEXT("1"));
	worker_return(&here.w, &there.w, &r[1], on_call, TEXT("2"));
	loop_run_for(here.w.loop, 5);		/* still full */
	loop_run_for(there.w.loop, 100);
	ck_assert_str_eq(got, "");
	worker_return(&here.w, &there.w, &r[2], on_call, TEXT("3"));
	loop_run_for(here.w.loop, 5);
	loop_run_for(there.w.loop, 5);
	ck_assert_str_eq(got, "there 1;there 2;there 3;");
	ck_assert(!timer_pending(&here.returns_timer));
	end();
}
END_TEST

static void on_main(void *arg)
{
	strcat(got, "main ");
	strcat(got, arg);
	strcat(got, ";");
}

/* An answer to the main thread waits as well, and nobody else waits behind it. */
START_TEST(test_full_mailbox_of_main)
{
	struct stack s = { .main_loop = loop_new() };
	struct worker_return r[3];

	begin();
	while (loop_post(s.main_loop, nothing, NULL) == 0)
		;
	ck_assert_int_eq(worker_return_main(&here.w, &s, &r[0], on_main, TEXT("1")), 0);
	ck_assert_int_eq(worker_return_main(NULL, &s, &r[1], on_main, TEXT("of nobody")), -EAGAIN);
	ck_assert_int_eq(worker_return_main(&here.w, &s, &r[1], on_main, TEXT("2")), 0);
	worker_return(&here.w, &there.w, &r[2], on_call, TEXT("at once"));
	loop_run_for(here.w.loop, 5);		/* still full */
	loop_run_for(there.w.loop, 5);
	ck_assert_str_eq(got, "there at once;");
	while (loop_post(s.main_loop, nothing, NULL) < 0)
		loop_run_for(s.main_loop, 1);
	while (timer_pending(&here.returns_timer)) {
		loop_run_for(here.w.loop, 5);
		loop_run_for(s.main_loop, 1);
	}
	while (!strstr(got, "main 2"))
		loop_run_for(s.main_loop, 1);
	ck_assert_str_eq(got, "there at once;main 1;main 2;");
	loop_stop(s.main_loop, 0);
	ck_assert_int_eq(worker_return_main(&here.w, &s, &r[0], on_main, TEXT("")), -ESHUTDOWN);
	loop_free(s.main_loop);
	end();
}
END_TEST

START_TEST(test_stopped)		/* nobody is there any more: nothing is kept for it */
{
	struct worker_return r;

	begin();
	loop_stop(there.w.loop, 0);
	worker_return(&here.w, &there.w, &r, on_call, TEXT(""));
	ck_assert(list_empty(&here.returns) && !timer_pending(&here.returns_timer));
	end();
}
END_TEST

TEST_MAIN("between", TEST_ONE(test_returns), TEST_ONE(test_full_mailbox), TEST_ONE(test_full_mailbox_of_main), TEST_ONE(test_stopped))
