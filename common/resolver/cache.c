/* common/resolver/cache.c - answers by name and type, merged questions, stale answers while DNS is down. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/resolver/private.h"

#define TTL_MIN_S 1u
#define TTL_MAX_S 86400u
#define RETRY_DOWN_MS 5000u		/* how long a stale answer serves before DNS is asked again */
#define ERROR_MS 1000u

struct key {
	uint16_t type;
	const char *name;
};

static bool same(const struct hnode *n, const void *key)
{
	const struct answer *a = container_of(n, struct answer, node);
	const struct key *k = key;

	return a->type == k->type && strcasecmp(a->name, k->name) == 0;
}

static void drop(struct answer *a)
{
	htab_del(&a->r->cache, &a->node);
	list_del(&a->lru);
	free(a->rec);
	free(a);
}

static void evict(struct resolver *r)
{
	struct list *p, *tmp;

	list_for_each_safe(p, tmp, &r->lru) {
		struct answer *a = list_entry(p, struct answer, lru);

		if (r->cache.n < r->c.cache_max)
			return;
		if (!a->pending && list_empty(&a->waiters))
			drop(a);
	}
}

/* Asking when no server answers costs every name of the way a timeout: one question in RETRY_DOWN_MS finds out as well. */
static bool must_ask(const struct resolver_query *q, const struct answer *a)
{
	uint64_t now = loop_now_ms(q->r->loop);

	if (q->watch && q->watch->fresh && a->heard_ms < q->started_ms)
		return true;
	return q->started_ms >= a->expires_ms && !(now < q->r->down_until_ms && now < a->good_until_ms);
}

int cache_get(struct resolver_query *q, uint16_t type, const char *name, struct answer **ret)
{
	struct resolver *r = q->r;
	struct key k = { type, name };
	uint64_t h = hash_mix(hash_istr(str_from_c(name)), type);
	struct hnode *n = htab_find(&r->cache, h, same, &k);
	struct answer *a = n ? container_of(n, struct answer, node) : NULL;

	if (!a) {
		evict(r);
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		a->r = r;
		a->type = type;
		str_copy(str_from_c(name), a->name, sizeof(a->name));
		list_init(&a->waiters);
		list_add_tail(&r->lru, &a->lru);
		htab_add(&r->cache, &a->node, h);
	}
	list_del(&a->lru);
	list_add_tail(&r->lru, &a->lru);
	if (!a->pending && must_ask(q, a)) {
		a->pending = true;
		dns_ask(a);			/* may answer at once */
	}
	if (a->pending) {
		list_del(&q->wait);
		list_add_tail(&a->waiters, &q->wait);
		return -EINPROGRESS;
	}
	*ret = a;
	return a->err;
}

void cache_done(struct answer *a, int err, const struct rec *rec, unsigned n, uint32_t ttl_s)
{
	struct resolver *r = a->r;
	uint64_t now = loop_now_ms(r->loop);
	struct rec *copy = NULL;
	struct list woken;

	if (err == 0 && n) {
		copy = calloc(n, sizeof(*rec));
		if (!copy)
			err = -ENOMEM;		/* not to be taken for an empty answer, for as long as that lives */
	}
	a->pending = false;
	a->heard_ms = now;
	a->failed = err < 0;
	r->down_until_ms = err == -ETIMEDOUT ? now + RETRY_DOWN_MS : 0;
	if (err && now < a->good_until_ms) {
		a->err = 0;			/* old truth is better than none: row C12 */
		a->expires_ms = now + RETRY_DOWN_MS;
	} else if (err) {
		a->err = err;
		a->expires_ms = now + ERROR_MS;
	} else {
		ttl_s = ttl_s < TTL_MIN_S ? TTL_MIN_S : ttl_s > TTL_MAX_S ? TTL_MAX_S : ttl_s;
		free(a->rec);
		a->rec = copy;
		a->n = copy ? n : 0;
		if (copy)
			memcpy(copy, rec, n * sizeof(*rec));
		a->err = 0;
		a->expires_ms = now + (uint64_t)ttl_s * 1000;
		a->good_until_ms = a->expires_ms + (uint64_t)r->c.stale_max_s * 1000;
	}
	if (r->closing)
		return;
	/* Each may cancel others, or ask again for this very name: take them one by one. */
	list_init(&woken);
	while (!list_empty(&a->waiters)) {
		struct list *p = a->waiters.next;

		list_del(p);
		list_add_tail(&woken, p);
	}
	while (!list_empty(&woken)) {
		struct resolver_query *q = list_entry(woken.next, struct resolver_query, wait);

		list_del(&q->wait);
		query_step(q);
	}
}

/* ---- for people ---- */

static void put_records(const struct answer *a, struct buf *out)
{
	char text[ADDR_STRLEN];

	buf_reset(out);
	for (unsigned i = 0; i < a->n; i++) {
		const struct rec *c = &a->rec[i];

		if (i)
			buf_puts(out, ", ");
		if (a->type == DNS_SRV)
			buf_printf(out, "%u %u %u %s", c->prio, c->weight, c->port, c->name);
		else if (a->type == DNS_NAPTR)
			buf_printf(out, "%u %u %c %s %s", c->prio, c->weight, c->flag ? c->flag : '-', c->service, c->name);
		else
			buf_puts(out, addr_host(&c->a, text));
	}
	buf_putc(out, '\0');
}

void resolver_cache_each(struct resolver *r, bool (*fn)(void *arg, const struct resolver_cached *c), void *arg)
{
	uint64_t now = loop_now_ms(r->loop);
	struct list *p;
	struct buf text;

	buf_init(&text, 16384);
	list_for_each(p, &r->lru) {
		const struct answer *a = list_entry(p, struct answer, lru);
		struct resolver_cached c = { .name = a->name, .n = a->n, .err = a->err, .pending = a->pending,
			.stale = a->err == 0 && a->expires_ms <= now && now < a->good_until_ms,
			.left_ms = a->expires_ms > now ? a->expires_ms - now : 0 };

		c.type = a->type == DNS_A ? "A" : a->type == DNS_AAAA ? "AAAA" : a->type == DNS_SRV ? "SRV" : "NAPTR";
		put_records(a, &text);
		c.text = text.failed ? "" : text.p;
		if (!fn(arg, &c))
			break;
	}
	buf_fini(&text);
}

unsigned resolver_cache_flush(struct resolver *r, struct str name)
{
	struct list *p, *tmp;
	unsigned n = 0;

	list_for_each_safe(p, tmp, &r->lru) {
		struct answer *a = list_entry(p, struct answer, lru);

		if (a->pending || !list_empty(&a->waiters) || (name.l && !str_ieq_c(name, a->name)))
			continue;
		drop(a);
		n++;
	}
	return n;
}

void cache_free(struct resolver *r)
{
	while (!list_empty(&r->lru))
		drop(list_entry(r->lru.next, struct answer, lru));
	htab_fini(&r->cache);
}
