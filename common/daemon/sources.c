/* common/daemon/sources.c - the table of sources: buckets, events within a window, bans. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/sources.h"
#include "common/util/hash.h"
#include "common/util/list.h"

#define STRIPES 16u
#define TOKEN 1000u			/* buckets count in thousandths: one per second is one per millisecond of these */
#define MAX_PASSED_OVER 8u		/* banned ones that are spared when room is made */

struct bucket {
	uint64_t tokens, at_ms;
};

struct source {
	struct hnode node;
	struct list lru;		/* head: most recent */
	struct addr a;			/* as a key: without port, unless it is a flow; IPv6: the /64 */
	struct bucket messages, answers;
	uint32_t count[SOURCE_N_EVENTS];
	uint64_t window_ms;		/* when it began */
	uint64_t banned_ms, until_ms;	/* until_ms in the future: banned */
	const char *reason;
	bool by_hand;
	uint64_t dropped;
};

struct stripe {
	pthread_mutex_t lock;
	struct htab table;
	struct list lru;
};

struct sources {
	struct sources_config c;
	struct stripe stripe[STRIPES];
	uint32_t max_each;
};

/* ---- exempt ---- */

bool sources_is_exempt(const struct sources *s, const struct addr *from)
{
	if (s->c.exempt_loopback && addr_is_loopback(from))
		return true;
	for (unsigned i = 0; i < s->c.n_exempt; i++)
		if (addr_in_prefix(from, &s->c.exempt[i].a, s->c.exempt[i].bits))
			return true;
	return false;
}

/* ---- table ---- */

static struct addr key_of(const struct addr *from, bool flow)
{
	struct addr k;

	memset(&k, 0, sizeof(k));
	k.sa.sa_family = from->sa.sa_family;
	if (from->sa.sa_family == AF_INET6)
		memcpy(&k.in6.sin6_addr, &from->in6.sin6_addr, flow ? 16 : 8);
	else
		k.in4.sin_addr = from->in4.sin_addr;
	if (flow)
		addr_set_port(&k, addr_port(from));
	return k;
}

static bool is_key(const struct hnode *n, const void *key)
{
	return addr_eq(&container_of(n, const struct source, node)->a, key);
}

static void forget(struct stripe *t, struct source *e)
{
	htab_del(&t->table, &e->node);
	list_del(&e->lru);
	free(e);
}

/* The quietest goes; one that is banned only when there are many of those. */
static void make_room(struct stripe *t, uint64_t now_ms)
{
	struct list *i = t->lru.prev;

	for (unsigned n = 0; n < MAX_PASSED_OVER && i->prev != &t->lru; n++, i = i->prev)
		if (list_entry(i, struct source, lru)->until_ms <= now_ms)
			break;
	forget(t, list_entry(i, struct source, lru));
}

/* Locks the stripe; NULL (still locked) when there is none and none is to be made, or no memory. */
static struct source *enter(struct sources *s, const struct addr *from, bool flow, bool make, uint64_t now_ms, struct stripe **ret)
{
	struct addr k = key_of(from, flow);
	uint64_t h = addr_hash(&k);
	struct stripe *t = *ret = &s->stripe[h >> 32 & (STRIPES - 1)];
	struct hnode *n;
	struct source *e;

	pthread_mutex_lock(&t->lock);
	n = htab_find(&t->table, h, is_key, &k);
	if (n) {
		e = container_of(n, struct source, node);
		list_del(&e->lru);
	} else {
		if (make && t->table.n >= s->max_each)
			make_room(t, now_ms);
		e = make ? calloc(1, sizeof(*e)) : NULL;
		if (!e)
			return NULL;
		e->a = k;
		e->window_ms = e->messages.at_ms = e->answers.at_ms = now_ms;
		e->messages.tokens = (uint64_t)s->c.burst * TOKEN;
		e->answers.tokens = (uint64_t)s->c.answers_per_s * TOKEN;
		htab_add(&t->table, &e->node, h);
	}
	list_add_head(&t->lru, &e->lru);
	return e;
}

static void leave(struct stripe *t)
{
	pthread_mutex_unlock(&t->lock);
}

struct sources *sources_new(const struct sources_config *c)
{
	struct sources *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->c = *c;
	s->max_each = c->max_sources / STRIPES ? c->max_sources / STRIPES : 1;
	for (unsigned i = 0; i < STRIPES; i++) {
		pthread_mutex_init(&s->stripe[i].lock, NULL);
		list_init(&s->stripe[i].lru);
		if (htab_init(&s->stripe[i].table, 16) < 0)
			goto fail;
	}
	return s;
fail:
	sources_free(s);
	return NULL;
}

void sources_free(struct sources *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < STRIPES; i++) {
		struct stripe *t = &s->stripe[i];

		while (t->lru.next && !list_empty(&t->lru))
			forget(t, list_entry(t->lru.next, struct source, lru));
		if (t->table.slot)
			htab_fini(&t->table);
	}
	free(s);
}

/* ---- buckets ---- */

static bool take(struct bucket *b, uint32_t per_s, uint32_t burst, uint64_t now_ms)
{
	uint64_t most = (uint64_t)burst * TOKEN, gone_ms = now_ms > b->at_ms ? now_ms - b->at_ms : 0;

	if (per_s == 0)
		return true;
	b->at_ms = now_ms;
	b->tokens = gone_ms > most / per_s ? most : b->tokens + gone_ms * per_s;
	if (b->tokens > most)
		b->tokens = most;
	if (b->tokens < TOKEN)
		return false;
	b->tokens -= TOKEN;
	return true;
}

static enum source_verdict take_one(struct sources *s, const struct addr *from, bool flow, uint64_t now_ms)
{
	enum source_verdict v = SOURCE_PASS;
	struct stripe *t;
	struct source *e;

	if (sources_is_exempt(s, from))
		return SOURCE_PASS;
	e = enter(s, from, flow, true, now_ms, &t);
	if (e && e->until_ms > now_ms)
		v = e->by_hand ? SOURCE_BARRED : SOURCE_BANNED;
	else if (e && !take(&e->messages, s->c.per_s, s->c.burst, now_ms))
		v = SOURCE_LIMITED;
	if (v != SOURCE_PASS)
		e->dropped++;
	leave(t);
	return v;
}

enum source_verdict sources_take(struct sources *s, const struct addr *from, uint64_t now_ms)
{
	return take_one(s, from, false, now_ms);
}

enum source_verdict sources_take_flow(struct sources *s, const struct addr *from, uint64_t now_ms)
{
	return take_one(s, from, true, now_ms);
}

/* ---- events and bans ---- */

const char *source_event_name(enum source_event e)
{
	static const char *const names[SOURCE_N_EVENTS] = { "malformed", "refused", "authentication" };

	return names[e];
}

enum source_verdict sources_event(struct sources *s, const struct addr *from, enum source_event what, uint64_t now_ms)
{
	enum source_verdict v = SOURCE_PASS;
	struct stripe *t;
	struct source *e;

	if (sources_is_exempt(s, from))
		return SOURCE_PASS;
	e = enter(s, from, false, true, now_ms, &t);
	if (!e) {
		leave(t);
		return SOURCE_PASS;
	}
	if (now_ms - e->window_ms >= (uint64_t)s->c.window_s * 1000) {
		e->window_ms = now_ms;
		memset(e->count, 0, sizeof(e->count));
	}
	if (!take(&e->answers, s->c.answers_per_s, s->c.answers_per_s, now_ms))
		v = SOURCE_LIMITED;
	if (++e->count[what] == s->c.ban_after[what] && s->c.ban_after[what] && e->until_ms <= now_ms) {
		e->banned_ms = now_ms;
		e->until_ms = now_ms + (uint64_t)s->c.ban_s * 1000;
		e->reason = source_event_name(what);
		e->by_hand = false;
		e->dropped = 0;
		e->window_ms = now_ms;
		memset(e->count, 0, sizeof(e->count));
		v = SOURCE_BANNED;
	}
	leave(t);
	return v;
}

const char *source_fmt(const struct addr *a, char dst[SOURCE_STRLEN])
{
	char host[ADDR_STRLEN];

	addr_host(a, host);
	if (a->sa.sa_family == AF_INET6)
		snprintf(dst, SOURCE_STRLEN, "%.*s/64", (int)strcspn(host + 1, "]"), host + 1);
	else
		snprintf(dst, SOURCE_STRLEN, "%s", host);
	return dst;
}

static struct source_view view_of(const struct source *e)
{
	struct source_view v = { .reason = e->reason, .since_ms = e->banned_ms, .until_ms = e->until_ms, .dropped = e->dropped };

	source_fmt(&e->a, v.source);
	return v;
}

size_t sources_bans(struct sources *s, uint64_t now_ms, size_t skip, struct source_view *ret, size_t max)
{
	size_t n = 0;

	for (unsigned i = 0; i < STRIPES; i++) {
		struct stripe *t = &s->stripe[i];
		struct list *p;

		pthread_mutex_lock(&t->lock);
		list_for_each(p, &t->lru) {
			const struct source *e = list_entry(p, struct source, lru);

			if (e->until_ms <= now_ms || (skip && skip--) || n == max)
				continue;
			ret[n++] = view_of(e);
		}
		pthread_mutex_unlock(&t->lock);
	}
	return n;
}

int sources_ban(struct sources *s, const struct addr *a, const char *reason, uint32_t ban_s, uint64_t now_ms, struct source_view *ret)
{
	uint64_t until_ms = now_ms + (uint64_t)ban_s * 1000;
	struct stripe *t;
	struct source *e;
	int rc = 0;

	if (sources_is_exempt(s, a))
		return -EPERM;
	e = enter(s, a, false, true, now_ms, &t);
	if (!e) {
		rc = -ENOMEM;
	} else if (e->until_ms > now_ms && e->by_hand && e->until_ms >= until_ms) {
		rc = -EEXIST;
	} else {
		if (e->until_ms <= now_ms) {
			e->banned_ms = now_ms;
			e->dropped = 0;
		}
		if (e->until_ms < until_ms)
			e->until_ms = until_ms;
		e->reason = reason;
		e->by_hand = true;
		*ret = view_of(e);
	}
	leave(t);
	return rc;
}

bool sources_unban(struct sources *s, const struct addr *a, uint64_t now_ms)
{
	struct stripe *t;
	struct source *e = enter(s, a, false, false, now_ms, &t);
	bool was = e && e->until_ms > now_ms;

	if (was)
		e->until_ms = 0;
	leave(t);
	return was;
}

size_t sources_count(struct sources *s)
{
	size_t n = 0;

	for (unsigned i = 0; i < STRIPES; i++) {
		pthread_mutex_lock(&s->stripe[i].lock);
		n += s->stripe[i].table.n;
		pthread_mutex_unlock(&s->stripe[i].lock);
	}
	return n;
}
