/* common/util/cmap.c - the shared directory: striped chained tables. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include "common/util/cmap.h"
#include "common/util/hash.h"
#include "common/util/list.h"

#define STRIPES 256u

struct entry {
	struct hnode node;
	struct obj *obj;
	size_t l;
	char key[];
};

struct stripe {
	pthread_mutex_t lock;
	struct htab t;
};

struct cmap {
	atomic_size_t n;
	struct stripe s[STRIPES];
};

struct cmap *cmap_new(void)
{
	struct cmap *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	for (unsigned i = 0; i < STRIPES; i++) {
		pthread_mutex_init(&m->s[i].lock, NULL);
		if (htab_init(&m->s[i].t, 0) < 0) {
			cmap_free(m);
			return NULL;
		}
	}
	return m;
}

static void drop_entry(struct hnode *n, void *arg)
{
	struct entry *e = container_of(n, struct entry, node);

	htab_del(arg, n);
	obj_unref(e->obj);
	free(e);
}

void cmap_free(struct cmap *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < STRIPES; i++) {
		if (m->s[i].t.slot)
			htab_each(&m->s[i].t, drop_entry, &m->s[i].t);
		htab_fini(&m->s[i].t);
		pthread_mutex_destroy(&m->s[i].lock);
	}
	free(m);
}

static bool key_eq(const struct hnode *n, const void *key)
{
	const struct entry *e = container_of(n, const struct entry, node);

	return str_eq(str_make(e->key, e->l), *(const struct str *)key);
}

static struct stripe *stripe_of(struct cmap *m, uint64_t h)
{
	return &m->s[h >> 56];
}

int cmap_put(struct cmap *m, struct str key, void *obj)
{
	uint64_t h = hash_str(key);
	struct stripe *s = stripe_of(m, h);
	struct obj *old = NULL;
	struct hnode *n;
	struct entry *e;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	n = htab_find(&s->t, h, key_eq, &key);
	if (n) {
		e = container_of(n, struct entry, node);
		old = e->obj;
		e->obj = obj_ref(obj);
	} else {
		e = malloc(sizeof(*e) + key.l);
		if (e) {
			e->l = key.l;
			if (key.l)
				memcpy(e->key, key.p, key.l);
			e->obj = obj_ref(obj);
			htab_add(&s->t, &e->node, h);
			atomic_fetch_add(&m->n, 1);
		} else {
			rc = -ENOMEM;
		}
	}
	pthread_mutex_unlock(&s->lock);
	obj_unref(old);
	return rc;
}

void *cmap_get(struct cmap *m, struct str key)
{
	uint64_t h = hash_str(key);
	struct stripe *s = stripe_of(m, h);
	struct hnode *n;
	void *obj;

	pthread_mutex_lock(&s->lock);
	n = htab_find(&s->t, h, key_eq, &key);
	obj = n ? obj_ref(container_of(n, struct entry, node)->obj) : NULL;
	pthread_mutex_unlock(&s->lock);
	return obj;
}

static bool del(struct cmap *m, struct str key, bool any, const void *only)
{
	uint64_t h = hash_str(key);
	struct stripe *s = stripe_of(m, h);
	struct entry *e = NULL;
	struct hnode *n;

	pthread_mutex_lock(&s->lock);
	n = htab_find(&s->t, h, key_eq, &key);
	if (n && (any || container_of(n, struct entry, node)->obj == only)) {
		e = container_of(n, struct entry, node);
		htab_del(&s->t, n);
		atomic_fetch_sub(&m->n, 1);
	}
	pthread_mutex_unlock(&s->lock);
	if (!e)
		return false;
	obj_unref(e->obj);
	free(e);
	return true;
}

bool cmap_del(struct cmap *m, struct str key)
{
	return del(m, key, true, NULL);
}

bool cmap_del_if(struct cmap *m, struct str key, const void *obj)
{
	return del(m, key, false, obj);
}

size_t cmap_count(const struct cmap *m)
{
	return atomic_load(&m->n);
}
