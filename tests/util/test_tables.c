/* tests/util/test_tables.c - hash table, shared directory (four threads), state tables, metrics. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include "common/metrics/metrics.h"
#include "common/util/cmap.h"
#include "common/util/fsm.h"
#include "common/util/hash.h"
#include "common/util/list.h"
#include "tests/check.h"

struct item {
	struct hnode node;
	unsigned key;
};

static bool item_eq(const struct hnode *n, const void *key)
{
	return container_of(n, const struct item, node)->key == *(const unsigned *)key;
}

static void item_drop(struct hnode *n, void *arg)
{
	struct item *it = container_of(n, struct item, node);

	if (it->key % 2)
		ck_assert(htab_del(arg, n));
}

START_TEST(test_htab_grow_and_shrink)
{
	static struct item it[10000];
	struct htab t;

	ck_assert_int_eq(htab_init(&t, 0), 0);
	for (unsigned i = 0; i < 10000; i++) {
		it[i].key = i;
		htab_add(&t, &it[i].node, hash_mix(i, 1));
	}
	ck_assert_uint_ge(t.n_slots, 8192);
	htab_each(&t, item_drop, &t);
	ck_assert_uint_eq(t.n, 5000);
	for (unsigned i = 0; i < 10000; i++)
		ck_assert((htab_find(&t, hash_mix(i, 1), item_eq, &i) == NULL) == (i % 2 == 1));
	for (unsigned i = 0; i < 10000; i += 2)
		ck_assert(htab_del(&t, &it[i].node));
	ck_assert_uint_eq(t.n, 0);
	ck_assert_uint_lt(t.n_slots, 64);
	htab_fini(&t);
}
END_TEST

static atomic_int live;
struct thing {
	struct obj o;
	int v;
};
static void thing_free(struct obj *o)
{
	atomic_fetch_sub(&live, 1);
	free(o);
}
static struct thing *thing_new(int v)
{
	struct thing *t = malloc(sizeof(*t));

	obj_init(&t->o, thing_free);
	t->v = v;
	atomic_fetch_add(&live, 1);
	return t;
}

static void *hammer(void *arg)
{
	struct cmap *m = arg;
	char key[16];

	for (int i = 0; i < 20000; i++) {
		struct thing *t;

		snprintf(key, sizeof(key), "k%d", i % 97);
		if (i % 3 == 0) {
			t = thing_new(i % 97);
			ck_assert_int_eq(cmap_put(m, str_from_c(key), t), 0);
			obj_unref(t);
		} else if (i % 11 == 0) {
			cmap_del(m, str_from_c(key));
		} else if ((t = cmap_get(m, str_from_c(key)))) {
			ck_assert_int_eq(t->v, i % 97);
			obj_unref(t);
		}
	}
	return NULL;
}

START_TEST(test_cmap_four_threads)
{
	struct cmap *m = cmap_new();
	struct thing *a, *b;
	pthread_t th[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&th[i], NULL, hammer, m);
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	ck_assert_uint_le(cmap_count(m), 97);
	a = thing_new(1);
	b = thing_new(2);
	cmap_put(m, STR("x"), a);
	cmap_put(m, STR("x"), b);
	ck_assert(!cmap_del_if(m, STR("x"), a));
	ck_assert(cmap_del_if(m, STR("x"), b));
	obj_unref(a);
	obj_unref(b);
	cmap_free(m);
	ck_assert_int_eq(atomic_load(&live), 0);
}
END_TEST

static int acts;
static void act(void *ctx, void *arg)
{
	(void)ctx, (void)arg;
	acts++;
}
static const struct fsm_cell cells[2][2] = { { { act, 1 } }, { { NULL, 0 }, { fsm_ignore, 0 } } };
static const char *const names[] = { "a", "b" };

START_TEST(test_fsm_empty_cell_is_refused)
{
	const struct fsm f = FSM_TABLE("two", cells, names, names);
	uint8_t st = 0;
	uint64_t before = fsm_refused();

	ck_assert_int_eq(fsm_dispatch(&f, &st, 1, NULL, NULL), -EPROTO);
	ck_assert_uint_eq(st, 0);
	ck_assert_uint_eq(fsm_refused(), before + 1);
	ck_assert_int_eq(fsm_dispatch(&f, &st, 0, NULL, NULL), 0);
	ck_assert_uint_eq(st, 1);
	ck_assert_int_eq(acts, 1);
}
END_TEST

static METRIC_DEF(m_c, "t_total", METRIC_COUNTER, "A counter.", "a", NULL);
static METRIC_DEF(m_h, "t_seconds", METRIC_HISTOGRAM, "A histogram.", NULL, NULL);

static void *count(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++)
		metric_add(&m_c, i % 2 ? "x" : "y\"", NULL, 1);
	return NULL;
}

START_TEST(test_metrics_text)
{
	struct buf b;
	pthread_t th[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&th[i], NULL, count, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	metric_observe_us(&m_h, NULL, NULL, 3000);
	metric_observe_us(&m_h, NULL, NULL, 20000000);
	buf_init(&b, 1 << 16);
	metrics_write(&b);
	buf_putc(&b, '\0');
	ck_assert_ptr_nonnull(strstr(b.p, "# TYPE t_total counter\n"));
	ck_assert_ptr_nonnull(strstr(b.p, "t_total{a=\"x\"} 20000\n"));
	ck_assert_ptr_nonnull(strstr(b.p, "t_total{a=\"y\\\"\"} 20000\n"));
	ck_assert_ptr_nonnull(strstr(b.p, "t_seconds_bucket{le=\"0.0025\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(b.p, "t_seconds_bucket{le=\"0.005\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(b.p, "t_seconds_bucket{le=\"+Inf\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(b.p, "t_seconds_sum 20.003000\nt_seconds_count 2\n"));
	buf_fini(&b);
}
END_TEST

TEST_MAIN("tables", TEST_ONE(test_htab_grow_and_shrink), TEST_ONE(test_cmap_four_threads),
	  TEST_ONE(test_fsm_empty_cell_is_refused), TEST_ONE(test_metrics_text))
