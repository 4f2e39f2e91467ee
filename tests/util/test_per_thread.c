/* tests/util/test_per_thread.c - one object for each thread, gone with it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "common/util/per_thread.h"
#include "tests/check.h"

#define THREADS 4

static atomic_int made, dropped;

static int *thing_new(void)
{
	atomic_fetch_add(&made, 1);
	return calloc(1, sizeof(int));
}

static void thing_free(int *t)
{
	atomic_fetch_add(&dropped, 1);
	free(t);
}

PER_THREAD(thing, int, thing_new, thing_free)

static void *use(void *arg)
{
	int *a = thing();

	for (int i = 0; a && i < 1000; i++)
		(*thing())++;
	*(int *)arg = a ? *a : 0;
	return a;
}

START_TEST(test_threads)
{
	pthread_t t[THREADS];
	int counted[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, use, &counted[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		ck_assert_int_eq(counted[i], 1000);	/* its own from the first use to the last */
	}
	ck_assert_int_eq(atomic_load(&made), THREADS);
	ck_assert_int_eq(atomic_load(&dropped), THREADS);
}
END_TEST

TEST_MAIN("per_thread", TEST_ONE(test_threads))
