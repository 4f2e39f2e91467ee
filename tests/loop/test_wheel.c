/* tests/loop/test_wheel.c - timers under a clock that the test moves by hand. */
#include <stdio.h>
#include "common/loop/wheel.h"
#include "tests/check.h"

struct tick {
	struct timer t;
	uint64_t due, fired_at;
	unsigned fired;
	struct tick *other;
	uint64_t again_ms;
};

static struct wheel w;
static uint64_t last_at;

static void on_tick(struct timer *t)
{
	struct tick *k = container_of(t, struct tick, t);

	if (timer_pending(t) || w.now_ms < last_at)
		abort();
	last_at = w.now_ms;
	k->fired++;
	k->fired_at = w.now_ms;
}

static const struct { uint64_t start, delay, step; } when_rows[] = {
	{ 0, 1, 1 }, { 0, 255, 1 }, { 0, 256, 1 }, { 0, 257, 1000 }, { 255, 1, 1 }, { 255, 256, 7 }, { 1, 65535, 13 },
	{ 0, 65536, 1000 }, { 65535, 65536, 100000 }, { 123456789, 16777216, 5000 }, { 123456789, 16777215, 1u << 23 },
	{ 16777215, 1, 1 }, { 0xffffffff, 1, 1 }, { 0xffffffff, 0x100000000, 0x3fffffff }, { 77, 0xffffffffff, 1ull << 38 },
	{ 77, 0x10000000000, 1ull << 38 },	/* from here on out of range: parked, looked at again */
	{ 0, 0x10000000000, 1ull << 36 }, { 0xffffffffff, 0x10000000001, 1ull << 39 }, { 12345, 0x123456789abcd, 1ull << 42 },
};

START_TEST(test_when)
{
	struct tick k = { 0 };
	uint64_t now = when_rows[_i].start, due = now + when_rows[_i].delay;

	wheel_init(&w, now);
	last_at = 0;
	timer_init(&k.t, on_tick);
	timer_start(&w, &k.t, when_rows[_i].delay);
	while (now + when_rows[_i].step < due) {
		now += when_rows[_i].step;
		wheel_advance(&w, now);
		ck_assert_uint_eq(k.fired, 0);
		ck_assert_uint_le(wheel_next_ms(&w, UINT64_MAX), due - now);
	}
	wheel_advance(&w, due - 1);
	ck_assert_uint_eq(k.fired, 0);
	wheel_advance(&w, due + 5);
	ck_assert_uint_eq(k.fired, 1);
	ck_assert_uint_eq(k.fired_at, due);
	ck_assert_uint_eq(w.n_pending, 0);
	ck_assert_uint_eq(wheel_next_ms(&w, 500), 500);
}
END_TEST

static void on_restart(struct timer *t)
{
	struct tick *k = container_of(t, struct tick, t);

	on_tick(t);
	timer_start(&w, t, k->again_ms);
}

static void on_kill(struct timer *t)
{
	struct tick *k = container_of(t, struct tick, t);

	on_tick(t);
	if (k->other) {
		timer_stop(&k->other->t);
		free(k->other);
	}
	free(k);
}

START_TEST(test_callbacks)
{
	struct tick zero = { 0 }, each = { .again_ms = 10 }, *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	wheel_init(&w, 1000);
	last_at = 0;
	timer_init(&zero.t, on_restart);
	timer_init(&each.t, on_restart);
	timer_init(&a->t, on_kill);
	timer_init(&b->t, on_kill);
	a->other = b;
	timer_start(&w, &a->t, 5);			/* frees b, due in the same tick */
	timer_start(&w, &b->t, 5);
	timer_start(&w, &each.t, 10);
	timer_start(&w, &zero.t, 0);
	ck_assert_uint_eq(wheel_next_ms(&w, 99), 0);
	wheel_advance(&w, 1000);
	ck_assert_uint_eq(zero.fired, 1);		/* a zero delay from a callback waits for the next tick */
	wheel_advance(&w, 1000);
	ck_assert_uint_eq(zero.fired, 1);
	wheel_advance(&w, 1010);
	ck_assert_uint_eq(zero.fired, 11);
	ck_assert_uint_eq(each.fired, 1);
	ck_assert_uint_eq(w.n_pending, 2);
	timer_stop(&zero.t);
	timer_stop(&zero.t);
	wheel_advance(&w, 1999);
	ck_assert_uint_eq(each.fired, 99);
	wheel_advance(&w, 1500);			/* a clock that goes back does nothing */
	ck_assert_uint_eq(w.now_ms, 1999);
	timer_start(&w, &each.t, UINT64_MAX);
	wheel_advance(&w, 1u << 20);
	ck_assert_uint_eq(each.fired, 99);
	timer_stop(&each.t);
	wheel_advance(&w, UINT64_MAX / 2);		/* nothing pending: any jump is cheap */
	timer_start(&w, &zero.t, 3);
	wheel_advance(&w, w.now_ms + 3);
	ck_assert_uint_eq(zero.fired, 12);
}
END_TEST

/* A million random starts and stops against the plainest model: a deadline per timer. */
#define TIMERS 512
#define ROUNDS 1000000

START_TEST(test_model)
{
	static struct tick k[TIMERS];
	unsigned wrong = 0;		/* counted: an assertion each would cost more than what it asks */
	uint64_t now = 0xfffff000 + (uint64_t)_i, x = 88172645463325252u + (uint64_t)_i, expected = 0, fired = 0;

	wheel_init(&w, now);
	last_at = 0;
	for (int i = 0; i < TIMERS; i++)
		timer_init(&k[i].t, on_tick);
	for (int i = 0; i < ROUNDS; i++) {
		struct tick *t;
		uint64_t to, first = UINT64_MAX;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		t = &k[x % TIMERS];
		if ((x >> 32 & 3) == 0) {
			timer_stop(&t->t);
			t->due = 0;
		} else {
			/* up to a month, short ones more often */
			uint64_t delay = (x >> 32) & ((1ull << ((x >> 8 & 0xff) % (i % 8 ? 12 : 32))) - 1);

			timer_start(&w, &t->t, delay);
			t->due = now + delay;
		}
		if (x >> 60)
			continue;
		to = now + (x >> 20 & 0x3ff);
		for (int n = 0; n < TIMERS; n++) {
			if (k[n].due && k[n].due <= to)
				expected++;
			if (k[n].due && k[n].due < first)
				first = k[n].due;
		}
		wrong += first != UINT64_MAX && wheel_next_ms(&w, UINT64_MAX) > first - now;
		wheel_advance(&w, to);
		for (int n = 0; n < TIMERS; n++) {
			bool was_due = k[n].due && k[n].due <= to;

			wrong += k[n].fired != (was_due ? 1 : 0) || (was_due && k[n].fired_at != k[n].due);
			if (was_due)
				k[n].due = 0;
			wrong += timer_pending(&k[n].t) != (k[n].due != 0);
			fired += k[n].fired;
			k[n].fired = 0;
		}
		now = to;
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(fired, expected);
	ck_assert_uint_gt(fired, 10000);
	wheel_advance(&w, now + (1ull << 32));		/* whatever is left comes by then, in its millisecond */
	for (int n = 0; n < TIMERS; n++)
		ck_assert(k[n].due ? k[n].fired == 1 && k[n].fired_at == k[n].due : k[n].fired == 0);
	ck_assert_uint_eq(w.n_pending, 0);
}
END_TEST

static const int model_rows[2];

TEST_MAIN("wheel", TEST_ROWS(test_when, when_rows), TEST_ONE(test_callbacks), TEST_ROWS(test_model, model_rows))
