/* common/metrics/metrics.c - families of cells; the cell of a label pair is found without a lock once it exists. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/metrics/metrics.h"
#include "common/util/hash.h"

#define SLOTS 1024u			/* open addressing, at most half full */
#define N_BUCKETS 14u
#define LABEL_MAX 47u

static const uint64_t bucket_us[N_BUCKETS - 1] = { 1000,   2500,   5000,    10000,   25000,   50000,  100000,
						   250000, 500000, 1000000, 2500000, 5000000, 10000000 };
static const char *const bucket_names[N_BUCKETS] = { "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
						     "0.25",  "0.5",	"1",	 "2.5",	 "5",	  "10",	  "+Inf" };

struct cell {
	char label[2][LABEL_MAX + 1];
	atomic_int_fast64_t value;	/* histograms: sum in us */
	atomic_uint_fast64_t bucket[];	/* N_BUCKETS when a histogram */
};

struct metric_state {
	struct metric *m;
	struct metric_state *next;
	_Atomic(struct cell *) slot[SLOTS];
	unsigned n;			/* under the lock */
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

/* A label pair as it is stored: unused labels are empty and long ones cut, so that no two cells print alike. */
struct pair {
	struct str label[2];
	uint64_t h;
};

static struct pair pair_make(const struct metric *m, const char *l0, const char *l1)
{
	struct pair p = { { str_from_c(m->label[0] ? l0 : NULL), str_from_c(m->label[1] ? l1 : NULL) }, 0 };

	for (unsigned i = 0; i < 2; i++)
		if (p.label[i].l > LABEL_MAX)
			p.label[i].l = LABEL_MAX;
	p.h = hash_mix(hash_str(p.label[0]), hash_str(p.label[1]));
	return p;
}

/* The pair's cell, or NULL and in *ret_free the slot where it belongs. */
static struct cell *cell_find(struct metric_state *s, const struct pair *p, size_t *ret_free)
{
	size_t i = p->h % SLOTS;
	struct cell *c;

	while ((c = atomic_load_explicit(&s->slot[i], memory_order_acquire)) != NULL) {
		if (str_eq_c(p->label[0], c->label[0]) && str_eq_c(p->label[1], c->label[1]))
			return c;
		i = (i + 1) % SLOTS;
	}
	*ret_free = i;
	return NULL;
}

static struct cell *cell_make(struct metric_state *s, const struct pair *p, size_t slot)
{
	size_t extra = s->m->kind == METRIC_HISTOGRAM ? N_BUCKETS * sizeof(((struct cell *)NULL)->bucket[0]) : 0;
	struct cell *c = calloc(1, sizeof(*c) + extra);

	if (!c)
		return NULL;
	str_copy(p->label[0], c->label[0], sizeof(c->label[0]));
	str_copy(p->label[1], c->label[1], sizeof(c->label[1]));
	atomic_store_explicit(&s->slot[slot], c, memory_order_release);
	s->n++;
	return c;
}

static struct cell *cell_of(struct metric *m, const char *l0, const char *l1)
{
	struct metric_state *s = state_of(m);
	struct pair p = pair_make(m, l0, l1);
	struct cell *c;
	size_t slot;

	if (!s)
		return NULL;
	c = cell_find(s, &p, &slot);
	if (c)
		return c;
	pthread_mutex_lock(&lock);
	if (s->n >= METRIC_MAX_CELLS)
		p = pair_make(m, "other", "other");
	c = cell_find(s, &p, &slot);
	if (!c)
		c = cell_make(s, &p, slot);
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
	struct metric_state *s = state_of(m);
	struct pair p = pair_make(m, l0, l1);
	size_t slot;
	struct cell *c = s ? cell_find(s, &p, &slot) : NULL;	/* reading makes no cell */

	return c ? atomic_load_explicit(&c->value, memory_order_relaxed) : 0;
}

int64_t metrics_sum(const char *name)
{
	struct metric_state *s;
	int64_t sum = 0;

	pthread_mutex_lock(&lock);
	for (s = families; s && strcmp(s->m->name, name) != 0; s = s->next)
		;
	for (size_t i = 0; s && i < SLOTS; i++) {
		struct cell *c = atomic_load_explicit(&s->slot[i], memory_order_acquire);

		sum += c ? atomic_load_explicit(&c->value, memory_order_relaxed) : 0;
	}
	pthread_mutex_unlock(&lock);
	return sum;
}

void metrics_register(struct metric *m)
{
	if (state_of(m) && !m->label[0] && !m->label[1])
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
		if (*p == '"' || *p == '\\' || *p == '\n')
			buf_putc(out, '\\');
		buf_putc(out, *p == '\n' ? 'n' : *p);
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

static int by_label(const void *a, const void *b)
{
	const struct cell *x = *(struct cell *const *)a, *y = *(struct cell *const *)b;
	int d = strcmp(x->label[0], y->label[0]);

	return d ? d : strcmp(x->label[1], y->label[1]);
}

static void put_family(struct buf *out, struct metric_state *s)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };
	struct cell *all[SLOTS];
	size_t n = 0;

	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", s->m->name, s->m->help, s->m->name, kinds[s->m->kind]);
	for (size_t i = 0; i < SLOTS; i++) {
		all[n] = atomic_load_explicit(&s->slot[i], memory_order_acquire);
		if (all[n])
			n++;
	}
	qsort(all, n, sizeof(all[0]), by_label);
	for (size_t i = 0; i < n; i++) {
		if (s->m->kind == METRIC_HISTOGRAM) {
			put_histogram(out, s->m, all[i]);
			continue;
		}
		buf_puts(out, s->m->name);
		put_labels(out, s->m, all[i], NULL);
		buf_printf(out, " %lld\n", (long long)atomic_load_explicit(&all[i]->value, memory_order_relaxed));
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
