/* common/store/pending.c - changes on their way to the backend: of each key the last one. */
#include <errno.h>
#include <stdlib.h>
#include "common/store/private.h"

struct lookup {
	unsigned table;
	struct str key;
};

static uint64_t hash_of(unsigned table, struct str key)
{
	return hash_mix(hash_str(key), table);
}

static bool is_key(const struct hnode *n, const void *arg)
{
	const struct pending_change *p = container_of(n, struct pending_change, node);
	const struct lookup *l = arg;

	return p->c.r.table == l->table && str_eq(p->c.r.key, l->key);
}

static struct pending_change *find(const struct pending *p, unsigned table, struct str key)
{
	struct lookup l = { table, key };
	struct hnode *n = htab_find(&p->by_key, hash_of(table, key), is_key, &l);

	return n ? container_of(n, struct pending_change, node) : NULL;
}

static uint64_t cost(const struct pending_change *c)
{
	return sizeof(*c) + c->c.r.key.l + c->c.r.value.l;
}

static void drop(struct pending *p, struct pending_change *c)
{
	p->bytes -= cost(c);
	htab_del(&p->by_key, &c->node);
	list_del(&c->link);
	explicit_bzero(c->text, c->c.r.key.l + c->c.r.value.l);		/* keys of associations go this way */
	free(c);
}

int pending_init(struct pending *p, uint64_t max_bytes)
{
	*p = (struct pending){ .max_bytes = max_bytes };
	list_init(&p->all);
	return htab_init(&p->by_key, 64);
}

void pending_drop(struct pending *p, unsigned table, struct str key)
{
	struct pending_change *c = find(p, table, key);

	if (c)
		drop(p, c);
}

void pending_clear(struct pending *p)
{
	while (!list_empty(&p->all))
		drop(p, list_entry(p->all.next, struct pending_change, link));
}

void pending_fini(struct pending *p)
{
	if (!p->by_key.slot)
		return;
	pending_clear(p);
	htab_fini(&p->by_key);
}

int pending_add(struct pending *p, const struct change *c)
{
	struct pending_change *old = find(p, c->r.table, c->r.key), *n;
	size_t value_l = c->op == JOURNAL_PUT ? c->r.value.l : 0;

	/* A deletion always fits: what is gone must not come back. */
	if (c->op == JOURNAL_PUT && p->bytes - (old ? cost(old) : 0) + sizeof(*n) + c->r.key.l + value_l > p->max_bytes)
		return -ENOSPC;
	n = malloc(sizeof(*n) + c->r.key.l + value_l);
	if (!n)
		return -ENOMEM;
	n->c = *c;
	n->c.r.key = str_make(n->text, c->r.key.l);
	n->c.r.value = str_make(n->text + c->r.key.l, value_l);
	if (c->r.key.l)
		memcpy(n->text, c->r.key.p, c->r.key.l);
	if (value_l)
		memcpy(n->text + c->r.key.l, c->r.value.p, value_l);
	if (old)
		drop(p, old);
	p->bytes += cost(n);
	htab_add(&p->by_key, &n->node, hash_of(c->r.table, n->c.r.key));
	list_add_tail(&p->all, &n->link);
	return 0;
}

const struct change *pending_find(const struct pending *p, unsigned table, struct str key)
{
	const struct pending_change *c = find(p, table, key);

	return c ? &c->c : NULL;
}
