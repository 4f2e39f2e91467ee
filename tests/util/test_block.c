/* tests/util/test_block.c - blocks kept for the next message: by size, within bounds, in every thread. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include "common/util/block.h"
#include "tests/check.h"

#define THREADS 4
#define MANY 200

#if defined(__SANITIZE_ADDRESS__)
#define KEPT 0			/* nothing is, there */
#else
#define KEPT 1
#endif

static const size_t sizes[] = { 1, 63, 64, 65, 1000, 1024, 1025, 1279, 1281, 4000, BLOCK_MAX_BYTES, BLOCK_MAX_BYTES + 1, 100000 };

START_TEST(test_size)
{
	size_t got = 0;
	char *p = block_get(sizes[_i], &got), *again;

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_ge(got, sizes[_i]);
	ck_assert_uint_lt(got, sizes[_i] + 256);
	ck_assert_uint_eq(got, block_bytes(sizes[_i]));
	ck_assert_uint_eq((uintptr_t)p % 16, 0);
	memset(p, 'x', got);
	block_put(p, got);
	again = block_get(got, &got);		/* the same size again: the same block */
	ck_assert(!KEPT || sizes[_i] > BLOCK_MAX_BYTES || again == p);
	block_put(again, got);
	block_put(NULL, got);
}
END_TEST

/* More than a thread keeps: the rest goes back to the heap, and what comes back is never given out twice. */
START_TEST(test_bounds)
{
	struct block_stats st;
	char *p[MANY];
	size_t got;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++) {
			p[i] = block_get(8000, &got);
			ck_assert_ptr_nonnull(p[i]);
			memset(p[i], i, got);
		}
		for (int i = 0; i < MANY; i++)		/* all of it is as it was written */
			ck_assert(p[i][0] == (char)i && memcmp(p[i], p[i] + 1, got - 1) == 0);
		ck_assert_uint_gt(MANY * got, BLOCK_KEEP_BYTES);
		for (int i = 0; i < MANY; i++)
			block_put(p[i], got);
		block_stats(&st);
		ck_assert_uint_eq(st.blocks, KEPT ? BLOCK_KEEP_BYTES / got : 0);
		ck_assert_uint_eq(st.bytes, st.blocks * got);
	}
}
END_TEST

/* Taken by one thread, put back by another, which ends: what it kept goes with it (LeakSanitizer and valgrind look). */
static void *put_all(void *arg)
{
	char **p = arg;

	for (int i = 0; i < MANY; i++)
		block_put(p[i], block_bytes(3000));
	return block_get(3000, &(size_t){ 0 });
}

START_TEST(test_threads)
{
	static char *p[THREADS][MANY];
	pthread_t t[THREADS];
	size_t got;

	for (int i = 0; i < THREADS; i++)
		for (int k = 0; k < MANY; k++)
			p[i][k] = block_get(3000, &got);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, put_all, p[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		void *left;

		pthread_join(t[i], &left);
		ck_assert_ptr_nonnull(left);
		block_put(left, got);
	}
}
END_TEST

TEST_MAIN("block", TEST_ROWS(test_size, sizes), TEST_ONE(test_bounds), TEST_ONE(test_threads))
