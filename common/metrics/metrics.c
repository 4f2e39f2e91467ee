/* common/metrics/metrics.c - families of cells; the cell of a label pair is found without a lock once it exists. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/metrics/metrics.h"
#include "common/util/hash.h"

#define SLOTS 1024u			/* open addressing, at most half full */
#define N_BUCKETS 14u

static const uint64_t bucket_us[N_BUCKETS - 1] = { 1000,   2500,   5000,    10000,   25000,   50000,  100000,
						   250000, 500000, 1000000, 2500000, 5000000, 10000000 };
static const char *const bucket_names[N_BUCKETS] = { "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
						     "0.25",  "0.5",	"1",	 "2.5",	 "5",	  "10",	  "+Inf" };

struct cell {
	char label[2][48];
	atomic_int_fast64_t value;	/* histograms: sum in us */
	atomic_uint_fast64_t bucket[];	/* N_BUCKETS when a histogram */
};

struct metric_state {
	struct metric *m;
	struct metric_state *next;
	_Atomic(struct cell *) slot[SLOTS];
	atomic_uint n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric_state *families;

static struct metric_state *state_of(struct metric *m)
{
	struct metric_state *s = __atomic_load_n(&m->state, __ATOMIC_ACQUIRE);

	if (s)
		return s;
	pthread_mutex_lock(&lock);
	s = m->state;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (s) {
			s->m = m;
			s->next = families;
			families = s;
			__atomic_store_n(&m->state, s, __ATOMIC_RELEASE);
		}
	}
	pthread_mutex_unlock(&lock);
	return s;
}

static bool cell_is(const struct cell *c, const char *l0, const char *l1)
{
	return strncmp(c->label[0], l0, sizeof(c->label[0]) - 1) == 0 && strncmp(c->label[1], l1, sizeof(c->label[1]) - 1) == 0;
}

static struct cell *cell_make(struct metric *m, const char *l0, const char *l1)
{
	struct cell *c = calloc(1, sizeof(*c) + (m->kind == METRIC_HISTOGRAM ? N_BUCKETS * sizeof(c->bucket[0]) : 0));

	if (!c)
		return NULL;
	str_copy(str_from_c(l0), c->label[0], sizeof(c->label[0]));
	str_copy(str_from_c(l1), c->label[1], sizeof(c->label[1]));
	return c;
}

static struct cell *cell_of(struct metric *m, const char *l0, const char *l1)
{
	struct metric_state *s = state_of(m);
	uint64_t h;
	struct cell *c = NULL;

	if (!s)
		return NULL;
	l0 = l0 ? l0 : "";
	l1 = l1 ? l1 : "";
	h = hash_mix(hash_str(str_from_c(l0)), hash_str(str_from_c(l1)));
	for (size_t i = h % SLOTS;; i = (i + 1) % SLOTS) {
		c = atomic_load_explicit(&s->slot[i], memory_order_acquire);
		if (c && cell_is(c, l0, l1))
			return c;
		if (!c)
			break;
	}
	if (atomic_load(&s->n) >= METRIC_MAX_CELLS && strcmp(l0, "other") != 0)
		return cell_of(m, "other", "other");
	pthread_mutex_lock(&lock);
	for (size_t i = h % SLOTS;; i = (i + 1) % SLOTS) {
		c = atomic_load_explicit(&s->slot[i], memory_order_acquire);
		if (c && cell_is(c, l0, l1))
			break;
		if (!c) {
			c = cell_make(m, l0, l1);
			if (c) {
				atomic_store_explicit(&s->slot[i], c, memory_order_release);
				atomic_fetch_add(&s->n, 1);
			}
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	return c;
}

void metric_add(struct metric *m, const char *l0, const char *l1, uint64_t n)
{
	metric_adjust(m, l0, l1, (int64_t)n);
}

void metric_adjust(struct metric *m, const char *l0, const char *l1, int64_t delta)
{
	struct cell *c = cell_of(m, l0, l1);

	if (c && delta)
		atomic_fetch_add_explicit(&c->value, delta, memory_order_relaxed);
}

void metric_set(struct metric *m, const char *l0, const char *l1, int64_t v)
{
	struct cell *c = cell_of(m, l0, l1);

	if (c)
		atomic_store_explicit(&c->value, v, memory_order_relaxed);
}

void metric_observe_us(struct metric *m, const char *l0, const char *l1, uint64_t us)
{
	struct cell *c = cell_of(m, l0, l1);
	unsigned b = 0;

	if (!c)
		return;
	while (b < N_BUCKETS - 1 && us > bucket_us[b])
		b++;
	atomic_fetch_add_explicit(&c->bucket[b], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->value, (int64_t)us, memory_order_relaxed);
}

int64_t metric_get(struct metric *m, const char *l0, const char *l1)
{
	struct cell *c = cell_of(m, l0, l1);

	return c ? atomic_load_explicit(&c->value, memory_order_relaxed) : 0;
}

void metrics_register(struct metric *m)
{
	if (state_of(m) && !m->label[0] && m->kind != METRIC_HISTOGRAM)
		cell_of(m, NULL, NULL);
}

/* ---- output ---- */

static void put_label(struct buf *out, const char *name, const char *value, bool *first)
{
	if (!name)
		return;
	buf_puts(out, *first ? "{" : ",");
	*first = false;
	buf_puts(out, name);
	buf_puts(out, "=\"");
	for (const char *p = value; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_putc(out, '\\');
		if ((unsigned char)*p >= ' ')
			buf_putc(out, *p);
	}
	buf_putc(out, '"');
}

static void put_labels(struct buf *out, const struct metric *m, const struct cell *c, const char *le)
{
	bool first = true;

	put_label(out, m->label[0], c->label[0], &first);
	put_label(out, m->label[1], c->label[1], &first);
	put_label(out, le ? "le" : NULL, le, &first);
	if (!first)
		buf_putc(out, '}');
}

static void put_histogram(struct buf *out, const struct metric *m, const struct cell *c)
{
	uint64_t sum = 0, us = (uint64_t)atomic_load_explicit(&c->value, memory_order_relaxed);

	for (unsigned b = 0; b < N_BUCKETS; b++) {
		sum += atomic_load_explicit(&c->bucket[b], memory_order_relaxed);
		buf_printf(out, "%s_bucket", m->name);
		put_labels(out, m, c, bucket_names[b]);
		buf_printf(out, " %llu\n", (unsigned long long)sum);
	}
	buf_printf(out, "%s_sum", m->name);
	put_labels(out, m, c, NULL);
	buf_printf(out, " %llu.%06llu\n%s_count", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000), m->name);
	put_labels(out, m, c, NULL);
	buf_printf(out, " %llu\n", (unsigned long long)sum);
}

static void put_family(struct buf *out, struct metric_state *s)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };

	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", s->m->name, s->m->help, s->m->name, kinds[s->m->kind]);
	for (size_t i = 0; i < SLOTS; i++) {
		struct cell *c = atomic_load_explicit(&s->slot[i], memory_order_acquire);

		if (!c)
			continue;
		if (s->m->kind == METRIC_HISTOGRAM) {
			put_histogram(out, s->m, c);
			continue;
		}
		buf_puts(out, s->m->name);
		put_labels(out, s->m, c, NULL);
		buf_printf(out, " %lld\n", (long long)atomic_load_explicit(&c->value, memory_order_relaxed));
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct metric_state *const *)a)->m->name, (*(struct metric_state *const *)b)->m->name);
}

void metrics_write(struct buf *out)
{
	struct metric_state *all[256];
	size_t n = 0;

	pthread_mutex_lock(&lock);
	for (struct metric_state *s = families; s && n < 256; s = s->next)
		all[n++] = s;
	pthread_mutex_unlock(&lock);
	qsort(all, n, sizeof(all[0]), by_name);
	for (size_t i = 0; i < n; i++)
		put_family(out, all[i]);
}
