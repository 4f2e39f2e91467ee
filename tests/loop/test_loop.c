/* tests/loop/test_loop.c - descriptors, timers and posts of one loop, and four threads that post to it. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "common/loop/loop.h"
#include "common/util/clock.h"
#include "tests/check.h"

#define LONG_MS 20000			/* no test waits that long: it is the time after which one fails */

static struct loop *l;

struct watch {
	struct loop_fd f;
	unsigned calls;
	struct watch *drop;		/* deleted, and its descriptor closed, on the first call */
	struct watch *add;
};

/* Turns of the loop until *n reaches `want`, then one more that must not go beyond it. */
static void serve_until(const unsigned *n, unsigned want)
{
	for (int i = 0; i < LONG_MS && *n < want; i++)
		loop_run_for(l, 1);
	loop_run_for(l, 2);
	ck_assert_uint_eq(*n, want);
}

static void stop(void *arg)
{
	loop_stop(l, *(int *)arg);
}

static void watch_open(struct watch *w, void (*fn)(struct loop_fd *, uint32_t))
{
	*w = (struct watch){ .f = { .fd = eventfd(1, EFD_NONBLOCK), .events = EPOLLIN, .fn = fn } };
	ck_assert_int_ge(w->f.fd, 0);
}

static void on_watch(struct loop_fd *f, uint32_t revents)
{
	struct watch *w = container_of(f, struct watch, f);
	uint64_t n;

	ck_assert_uint_eq(revents, EPOLLIN);
	ck_assert_int_eq(read(f->fd, &n, sizeof(n)), sizeof(n));
	w->calls++;
	if (w->drop) {
		loop_fd_del(l, &w->drop->f);
		close(w->drop->f.fd);
		w->drop = NULL;
	}
	if (w->add) {
		watch_open(w->add, on_watch);
		ck_assert_int_eq(loop_fd_add(l, &w->add->f), 0);
		w->add = NULL;
	}
}

/* Two descriptors ready in one batch: whichever comes first deletes the other, whose event must die with it, also
 * when another descriptor took its number and its slot meanwhile. */
START_TEST(test_delete_in_batch)
{
	struct watch a, b, c = { 0 };

	l = loop_new();
	watch_open(&a, on_watch);
	watch_open(&b, on_watch);
	a.drop = &b;
	b.drop = &a;
	a.add = b.add = &c;
	ck_assert_int_eq(loop_fd_add(l, &a.f), 0);
	ck_assert_int_eq(loop_fd_add(l, &b.f), 0);
	ck_assert_int_eq(loop_fd_add(l, &a.f), -EEXIST);
	serve_until(&c.calls, 1);			/* its own event, once */
	ck_assert_uint_eq(a.calls + b.calls, 1);
	loop_fd_del(l, &a.f);
	loop_fd_del(l, &b.f);				/* one of them for the second time: harmless */
	loop_fd_del(l, &c.f);
	close(c.f.fd);
	close(a.calls ? a.f.fd : b.f.fd);
	loop_free(l);
}
END_TEST

START_TEST(test_fd)
{
	struct watch w[200], bad = { .f = { .fd = -1, .events = EPOLLIN, .fn = on_watch } };
	uint64_t one = 1;

	l = loop_new();
	ck_assert_int_eq(loop_fd_add(l, &bad.f), -EBADF);
	ck_assert_int_eq(loop_fd_mod(l, &bad.f, EPOLLOUT), -ENOENT);
	loop_fd_del(l, &bad.f);
	for (int i = 0; i < 200; i++) {
		watch_open(&w[i], on_watch);
		ck_assert_int_eq(loop_fd_add(l, &w[i].f), 0);
	}
	for (int i = 0; i < 200; i++)
		serve_until(&w[i].calls, 1);
	ck_assert_int_eq(loop_fd_mod(l, &w[7].f, 0), 0);
	ck_assert_int_eq(write(w[7].f.fd, &one, sizeof(one)), sizeof(one));
	loop_run_for(l, 5);
	ck_assert_uint_eq(w[7].calls, 1);		/* not asked for */
	ck_assert_int_eq(loop_fd_mod(l, &w[7].f, EPOLLIN), 0);
	serve_until(&w[7].calls, 2);
	for (int i = 0; i < 200; i++) {
		loop_fd_del(l, &w[i].f);
		close(w[i].f.fd);
	}
	loop_free(l);
}
END_TEST

struct alarm {
	struct timer t;
	uint64_t due_us, late_us;
};

static void on_alarm(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, t);
	uint64_t now = clock_mono_us();

	ck_assert_uint_ge(now + 1000, a->due_us);	/* ticks are whole milliseconds */
	a->late_us = now - a->due_us;
	loop_stop(l, 7);
}

static unsigned turn_ends;

static void on_turn_end(void *arg)
{
	(void)arg;
	turn_ends++;
}

START_TEST(test_timer)
{
	struct loop_stats s;
	struct alarm a;

	l = loop_new();
	loop_on_turn_end(l, on_turn_end, NULL);
	timer_init(&a.t, on_alarm);
	a.due_us = loop_now_ms(l) * 1000 + 30000;
	timer_start(loop_wheel(l), &a.t, 30);
	ck_assert_int_eq(loop_run(l), 7);
	ck_assert(!timer_pending(&a.t));
	loop_stats(l, &s);
	ck_assert_uint_eq(s.turns, turn_ends);
	ck_assert_uint_le(s.turns, 40);			/* it slept, it did not spin */
	ck_assert_int_eq(loop_post(l, stop, NULL), -ESHUTDOWN);
	loop_free(l);
	loop_free(NULL);
}
END_TEST

static unsigned count_run;

static void count(void *arg)
{
	if ((uintptr_t)arg != count_run++)
		abort();			/* one producer's posts keep their order */
}

static void slow(void *arg)
{
	uint64_t until = clock_mono_us() + 3000;

	(void)arg;
	while (clock_mono_us() < until)
		;
}

START_TEST(test_full)
{
	struct loop_stats s;
	int rc = 5;

	l = loop_new();
	for (uintptr_t i = 0; i < LOOP_MAILBOX_SLOTS; i++)
		ck_assert_int_eq(loop_post(l, count, (void *)i), 0);
	ck_assert_int_eq(loop_post(l, count, NULL), -EAGAIN);
	serve_until(&count_run, LOOP_MAILBOX_SLOTS);
	ck_assert_int_eq(loop_post(l, slow, NULL), 0);
	ck_assert_int_eq(loop_post(l, stop, &rc), 0);
	ck_assert_int_eq(loop_run(l), 5);
	loop_stats(l, &s);
	ck_assert_uint_eq(s.posted, LOOP_MAILBOX_SLOTS + 2);
	ck_assert_uint_eq(s.post_refused, 1);
	ck_assert_uint_ge(s.lag_max_us, 3000);
	loop_stats(l, &s);
	ck_assert_uint_eq(s.lag_max_us, 0);
	loop_free(l);
}
END_TEST

#define THREADS 4
#define POSTS 50000u

static unsigned next_of[THREADS], total;	/* the loop's thread only */

static void one_of(void *arg)
{
	uintptr_t v = (uintptr_t)arg;

	if (v / POSTS >= THREADS || next_of[v / POSTS] != v % POSTS)
		abort();			/* lost, doubled or out of order */
	next_of[v / POSTS]++;
	if (++total == THREADS * POSTS)
		loop_stop(l, 0);
}

static void *producer(void *arg)
{
	uintptr_t base = (uintptr_t)arg * POSTS;

	for (uintptr_t i = 0; i < POSTS;)
		if (loop_post(l, one_of, (void *)(base + i)) == 0)
			i++;
	return NULL;
}

START_TEST(test_threads)
{
	pthread_t t[THREADS];

	l = loop_new();
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, producer, (void *)i), 0);
	loop_run_for(l, LONG_MS);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(total, THREADS * POSTS);
	loop_free(l);
}
END_TEST

/* Ping-pong between two loops: every post finds the other asleep or falling asleep, so one lost wake-up would
 * stall it until the sleep's end (a second) and show in the time. */
#define PINGS 6000u
static struct loop *pair[2];
static unsigned pings;

static void ping(void *arg)
{
	uintptr_t to = (uintptr_t)arg;

	if (++pings == PINGS) {
		loop_stop(pair[0], 0);
		loop_stop(pair[1], 0);
	} else if (loop_post(pair[to], ping, (void *)(1 - to)) < 0) {
		abort();
	}
}

static void *run_second(void *arg)
{
	loop_run_for(arg, LONG_MS);
	return NULL;
}

START_TEST(test_wakeups)
{
	struct loop_stats s;
	pthread_t t;

	pair[0] = loop_new();
	pair[1] = loop_new();
	ck_assert_int_eq(loop_post(pair[0], ping, (void *)1), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, run_second, pair[1]), 0);
	loop_run_for(pair[0], LONG_MS);
	pthread_join(t, NULL);
	ck_assert_uint_eq(pings, PINGS);
	loop_stats(pair[0], &s);
	ck_assert_uint_eq(s.posted, PINGS / 2);
	loop_free(pair[0]);
	loop_free(pair[1]);
}
END_TEST

TEST_MAIN("loop", TEST_ONE(test_delete_in_batch), TEST_ONE(test_fd), TEST_ONE(test_timer), TEST_ONE(test_full),
	  TEST_ONE(test_threads), TEST_ONE(test_wakeups))
