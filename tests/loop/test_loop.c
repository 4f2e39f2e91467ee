/* tests/loop/test_loop.c - the wheel against a simple model; the mailbox from four threads; stale descriptor events. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "common/loop/loop.h"
#include "tests/check.h"

struct model {
	struct timer t;
	uint64_t due;		/* 0: not pending */
	unsigned fired;
};
#define N 2000
static struct model m[N];
static struct wheel w;

static void on_fire(struct timer *t)
{
	struct model *x = container_of(t, struct model, t);

	ck_assert_msg(x->due && w.now_ms == (x->due ? x->due : 1), "due %llu now %llu", (unsigned long long)x->due,
		      (unsigned long long)w.now_ms);
	x->due = 0;
	x->fired++;
}

START_TEST(test_wheel_against_model)
{
	unsigned seed = 12345;
	unsigned long total = 0;

	wheel_init(&w, 1000);
	for (int i = 0; i < N; i++)
		timer_init(&m[i].t, on_fire);
	for (int round = 0; round < 200000; round++) {
		struct model *x;

		seed = seed * 1103515245u + 12345u;
		x = &m[(seed >> 8) % N];
		if (seed >> 29 == 0) {
			timer_stop(&x->t);
			x->due = 0;
		} else {
			/* from 1 ms to over a month, short ones more often */
			uint64_t delay = 1 + (seed >> 4) % (1ull << ((seed >> 3) % 32));

			timer_start(&w, &x->t, delay);
			x->due = w.now_ms + delay;
		}
		if (round % 7 == 0) {
			uint64_t next = wheel_next_ms(&w, 5000), step = (seed >> 5) % 3 ? next : 1 + (seed >> 6) % 300;

			for (int i = 0; i < N && round % 777 == 0; i++)		/* never late */
				ck_assert(!m[i].due || m[i].due >= w.now_ms + (next ? 0 : 0));
			wheel_advance(&w, w.now_ms + step);
		}
	}
	wheel_advance(&w, w.now_ms + (1ull << 33));
	for (int i = 0; i < N; i++) {
		ck_assert_uint_eq(m[i].due, 0);
		total += m[i].fired;
	}
	ck_assert_uint_eq(w.n_pending, 0);
	ck_assert_uint_gt(total, 1000);
}
END_TEST

static unsigned zero_count;
static void on_zero(struct timer *t)
{
	if (++zero_count < 5)
		timer_start(&w, t, 0);
}

START_TEST(test_zero_delay_from_a_callback_fires_next_tick)
{
	struct timer t;

	wheel_init(&w, 77);
	timer_init(&t, on_zero);
	timer_start(&w, &t, 0);
	ck_assert_uint_eq(wheel_next_ms(&w, 1000), 0);
	wheel_advance(&w, 77);
	ck_assert_uint_eq(zero_count, 1);
	wheel_advance(&w, 90);
	ck_assert_uint_eq(zero_count, 5);
	ck_assert(!timer_pending(&t));
}
END_TEST

#define PER_THREAD 50000
static struct loop *l;
static unsigned got[4];
static unsigned next_of[4];
static atomic_uint refused;

static void on_mail(void *arg)
{
	uintptr_t v = (uintptr_t)arg;
	unsigned who = v & 3, n = (unsigned)(v >> 2);

	ck_assert_uint_eq(n, next_of[who]);	/* order of one producer is kept */
	next_of[who]++;
	if (++got[who] == PER_THREAD && got[0] + got[1] + got[2] + got[3] == 4 * PER_THREAD)
		loop_stop(l, 42);
}

static void *producer(void *arg)
{
	uintptr_t who = (uintptr_t)arg;

	for (uintptr_t i = 0; i < PER_THREAD; i++) {
		while (loop_post(l, on_mail, (void *)(i << 2 | who)) == -EAGAIN)
			atomic_fetch_add(&refused, 1);
		if (i % 1000 == 0)
			usleep(1);	/* lets the consumer fall asleep now and then */
	}
	return NULL;
}

START_TEST(test_mailbox_four_producers)
{
	pthread_t th[4];

	l = loop_new();
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&th[i], NULL, producer, (void *)i);
	ck_assert_int_eq(loop_run(l), 42);
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	ck_assert_int_eq(loop_post(l, on_mail, NULL), -ESHUTDOWN);
	loop_free(l);
}
END_TEST

static struct loop_fd pair_fd[2];
static unsigned fd_calls;
static void on_pair(struct loop_fd *f, uint32_t ev)
{
	(void)ev;
	fd_calls++;
	loop_fd_del(l, f == &pair_fd[0] ? &pair_fd[1] : &pair_fd[0]);	/* the other one's event of this batch is stale now */
	loop_fd_del(l, f);
	loop_stop(l, 0);
}

START_TEST(test_deleted_descriptor_gets_no_stale_event)
{
	int p[2][2];

	l = loop_new();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pipe(p[i]), 0);
		pair_fd[i] = (struct loop_fd){ .fd = p[i][0], .events = EPOLLIN, .fn = on_pair };
		ck_assert_int_eq(loop_fd_add(l, &pair_fd[i]), 0);
		ck_assert_int_eq(write(p[i][1], "x", 1), 1);
	}
	loop_run(l);
	ck_assert_uint_eq(fd_calls, 1);
	loop_fd_del(l, &pair_fd[0]);		/* harmless twice */
	loop_free(l);
}
END_TEST

TEST_MAIN("loop", TEST_ONE(test_wheel_against_model), TEST_ONE(test_zero_delay_from_a_callback_fires_next_tick),
	  TEST_ONE(test_mailbox_four_producers), TEST_ONE(test_deleted_descriptor_gets_no_stale_event))
