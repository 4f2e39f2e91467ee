/* tests/util/test_roll.c - lists that go on where a page ended, whatever left meanwhile. */
#include <stdlib.h>
#include "common/util/roll.h"
#include "tests/check.h"

#define MANY 20000u

static struct roll r;
static struct roll_entry e[MANY];

static void fill(unsigned n)
{
	roll_init(&r);
	for (unsigned i = 0; i < n; i++) {
		roll_add(&r, &e[i]);
		ck_assert_uint_eq(e[i].serial, i + 1);
	}
}

static void empty(void)
{
	while (!list_empty(&r.all))
		roll_del(&r, list_entry(r.all.next, struct roll_entry, link));
	ck_assert_uint_eq(r.n_blocks, 0);
	ck_assert_ptr_null(r.block);
}

/* How it would be without blocks. */
static struct roll_entry *slow_after(uint64_t serial)
{
	struct list *pos;

	list_for_each(pos, &r.all)
		if (list_entry(pos, struct roll_entry, link)->serial > serial)
			return list_entry(pos, struct roll_entry, link);
	return NULL;
}

START_TEST(test_order)
{
	fill(1000);
	ck_assert_ptr_eq(roll_after(&r, 0), &e[0]);
	ck_assert_ptr_eq(roll_after(&r, 500), &e[500]);
	ck_assert_ptr_eq(roll_after(&r, 999), &e[999]);
	ck_assert_ptr_null(roll_after(&r, 1000));
	ck_assert_ptr_null(roll_after(&r, UINT64_MAX - 1));
	ck_assert_ptr_eq(roll_next(&r, &e[0]), &e[1]);
	ck_assert_ptr_null(roll_next(&r, &e[999]));
	empty();
	ck_assert_ptr_null(roll_after(&r, 0));
	roll_add(&r, &e[0]);
	ck_assert_uint_eq(e[0].serial, 1001);		/* none is used twice */
	empty();
}
END_TEST

/* Some leave, others come, in no order: every cursor finds what a walk over all would. */
START_TEST(test_churn)
{
	unsigned seed = 4711;
	bool in[2000];

	fill(2000);
	memset(in, 1, sizeof(in));
	for (unsigned i = 0; i < 40000; i++) {
		unsigned k = (seed = seed * 1103515245u + 12345u) / 65536 % 2000;

		if (in[k])
			roll_del(&r, &e[k]);
		else if (i % 3 == 0)			/* so that fewer and fewer are there */
			roll_add(&r, &e[k]);
		else
			continue;
		in[k] = !in[k];
		if (i % 16 == 0) {
			uint64_t at = (seed / 7) % (r.last + 2);

			ck_assert_ptr_eq(roll_after(&r, at), slow_after(at));
		}
	}
	empty();
}
END_TEST

/* A page at the end of a long table, and of one that became thin, costs no walk over all: blocks are full or few. */
START_TEST(test_cost)
{
	unsigned left = 0;

	fill(MANY);
	ck_assert_uint_eq(r.n_blocks, (MANY + ROLL_BLOCK - 1) / ROLL_BLOCK);
	for (unsigned i = 0; i < MANY; i++) {
		if (i % 100)
			roll_del(&r, &e[i]);
		else
			left++;
	}
	ck_assert_uint_gt(r.n_blocks, 1);
	ck_assert_uint_le(r.n_blocks, 2 * left / (ROLL_BLOCK / 2) + 1);
	ck_assert_ptr_eq(roll_after(&r, MANY / 2 + 1), &e[MANY / 2 + 100]);
	for (unsigned i = 0; i < MANY; i += 100)
		roll_del(&r, &e[i]);
	ck_assert_uint_eq(r.n_blocks, 0);
}
END_TEST

/* The end of a full table is found without a walk: with one this would run into the time limit of a test. */
START_TEST(test_far)
{
	struct roll_entry *at = NULL;

	fill(MANY);
	for (unsigned i = 0; i < 50 * MANY; i++)		/* 2e10 steps if each were a walk */
		at = roll_after(&r, MANY - 1);
	ck_assert_ptr_eq(at, &e[MANY - 1]);
	empty();
}
END_TEST

TEST_MAIN("roll", TEST_ONE(test_order), TEST_ONE(test_churn), TEST_ONE(test_cost), TEST_ONE(test_far))
