/* tests/util/test_cmap.c - the shared directory, alone and under four threads. */
#include <pthread.h>
#include <stdio.h>
#include "common/util/cmap.h"
#include "common/util/list.h"
#include "tests/check.h"

struct snap {
	struct obj obj;
	unsigned a, b;				/* b == ~a while it lives */
};

static atomic_int alive;

static void snap_free(struct obj *o)
{
	struct snap *s = container_of(o, struct snap, obj);

	s->a = s->b = 0;
	atomic_fetch_sub(&alive, 1);
	free(s);
}

static struct snap *snap_new(unsigned v)
{
	struct snap *s = calloc(1, sizeof(*s));

	obj_init(&s->obj, snap_free);
	s->a = v;
	s->b = ~v;
	atomic_fetch_add(&alive, 1);
	return s;
}

START_TEST(test_alone)
{
	struct cmap *m = cmap_new();
	struct snap *one = snap_new(1), *two = snap_new(2), *got;

	ck_assert_ptr_nonnull(m);
	ck_assert_ptr_null(cmap_get(m, STR("k")));
	ck_assert(!cmap_del(m, STR("k")));
	ck_assert_int_eq(cmap_put(m, STR("k"), one), 0);
	ck_assert_int_eq(cmap_put(m, STR_NONE, one), 0);	/* an empty key is a key */
	ck_assert_uint_eq(cmap_count(m), 2);
	got = cmap_get(m, STR("k"));
	ck_assert_ptr_eq(got, one);
	ck_assert_int_eq(cmap_put(m, STR("k"), two), 0);
	ck_assert_uint_eq(cmap_count(m), 2);
	ck_assert_uint_eq(got->a, 1);				/* the reader's snapshot stays */
	obj_unref(got);
	ck_assert(!cmap_del_if(m, STR("k"), one));		/* a newer publication stays */
	ck_assert(!cmap_del_if(m, STR("k"), NULL));
	ck_assert(cmap_del_if(m, STR("k"), two));
	ck_assert_ptr_null(cmap_get(m, STR("k")));
	obj_unref(one);
	obj_unref(two);
	ck_assert_int_eq(atomic_load(&alive), 1);
	cmap_free(m);
	ck_assert_int_eq(atomic_load(&alive), 0);
	cmap_free(NULL);
}
END_TEST

#define THREADS 4
#define KEYS 64
#define ROUNDS 20000

static void *churn(void *arg)
{
	struct cmap *m = arg;
	unsigned x = (unsigned)(uintptr_t)&x | 1;
	char key[16];

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct snap *s;
		struct str k;

		x = x * 1664525u + 1013904223u;
		k = str_make(key, (size_t)snprintf(key, sizeof(key), "key%u", (x >> 8) % KEYS));
		switch (x >> 28) {
		case 0: case 1: case 2: case 3:
			s = snap_new(x);
			if (cmap_put(m, k, s) < 0)
				abort();
			obj_unref(s);
			break;
		case 4:
			cmap_del(m, k);
			break;
		case 5:
			s = cmap_get(m, k);
			cmap_del_if(m, k, s);
			obj_unref(s);
			break;
		default:
			s = cmap_get(m, k);
			if (s && s->a != ~s->b)
				abort();
			obj_unref(s);
		}
	}
	return NULL;
}

START_TEST(test_threads)
{
	struct cmap *m = cmap_new();
	pthread_t t[THREADS];
	size_t found = 0;
	char key[16];

	ck_assert_ptr_nonnull(m);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, churn, m), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < KEYS; i++) {
		void *o = cmap_get(m, str_make(key, (size_t)snprintf(key, sizeof(key), "key%u", i)));

		found += o != NULL;
		obj_unref(o);
	}
	ck_assert_uint_eq(found, cmap_count(m));
	cmap_free(m);
	ck_assert_int_eq(atomic_load(&alive), 0);
}
END_TEST

TEST_MAIN("cmap", TEST_ONE(test_alone), TEST_ONE(test_threads))
