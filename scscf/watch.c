/* scscf/watch.c - who wants to hear of a registration: the index of identities with subscriptions, shared by all workers. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "scscf/subscription.h"

struct entry {
	struct hnode node;
	uint64_t workers;		/* a bit each: workers are at most 64 */
	size_t l;
	char aor[];
};
struct watch_index {
	pthread_mutex_t lock;
	struct htab by_aor;
	atomic_size_t n;		/* to look without the lock whether there is anything at all */
};

static bool entry_eq(const struct hnode *n, const void *key)
{
	const struct entry *e = container_of(n, struct entry, node);

	return str_eq(str_make(e->aor, e->l), *(const struct str *)key);
}

static struct entry *find(const struct watch_index *x, struct str aor)
{
	struct hnode *n = htab_find(&x->by_aor, hash_str(aor), entry_eq, &aor);

	return n ? container_of(n, struct entry, node) : NULL;
}

int watch_index_set(struct watch_index *x, struct str aor, unsigned worker)
{
	struct entry *e;

	pthread_mutex_lock(&x->lock);
	e = find(x, aor);
	if (!e && (e = calloc(1, sizeof(*e) + aor.l))) {
		e->l = aor.l;
		memcpy(e->aor, aor.p, aor.l);
		htab_add(&x->by_aor, &e->node, hash_str(aor));
		atomic_store(&x->n, x->by_aor.n);
	}
	if (e)
		e->workers |= UINT64_C(1) << worker;
	pthread_mutex_unlock(&x->lock);
	return e ? 0 : -ENOMEM;
}

void watch_index_clear(struct watch_index *x, struct str aor, unsigned worker)
{
	struct entry *e;

	pthread_mutex_lock(&x->lock);
	e = find(x, aor);
	if (e && (e->workers &= ~(UINT64_C(1) << worker)) == 0) {
		htab_del(&x->by_aor, &e->node);
		atomic_store(&x->n, x->by_aor.n);
		free(e);
	}
	pthread_mutex_unlock(&x->lock);
}

uint64_t watch_index_who(struct watch_index *x, const struct profile *p)
{
	uint64_t workers = 0;

	if (!x || !p || atomic_load(&x->n) == 0)
		return 0;
	pthread_mutex_lock(&x->lock);
	for (unsigned i = 0; i < p->n_identities; i++) {
		const struct entry *e = find(x, str_from_c(p->identity[i].aor));

		workers |= e ? e->workers : 0;
	}
	pthread_mutex_unlock(&x->lock);
	return workers;
}

struct watch_index *watch_index_new(void)
{
	struct watch_index *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	pthread_mutex_init(&x->lock, NULL);
	if (htab_init(&x->by_aor, 16) == 0)
		return x;
	free(x);
	return NULL;
}

static void free_entry(struct hnode *n, void *arg)
{
	struct watch_index *x = arg;

	htab_del(&x->by_aor, n);
	free(container_of(n, struct entry, node));
}

void watch_index_free(struct watch_index *x)
{
	if (!x)
		return;
	htab_each(&x->by_aor, free_entry, x);
	htab_fini(&x->by_aor);
	pthread_mutex_destroy(&x->lock);
	free(x);
}
