/* common/diameter/redirect.c - the AVPs of a redirect, and what is remembered of it. */
#include <stdlib.h>
#include <string.h>
#include "common/diameter/redirect.h"

enum { DONT_CACHE, ALL_SESSION };	/* Redirect-Host-Usage: nothing to remember; Cx has no sessions */

const struct dia_row dia_redirect_rows[] = {
	DIA_ROW_ITEMS(292, BASE, dia_redirect, host, n, NULL),
	DIA_ROW(261, BASE, U32_OPT, dia_redirect, usage),
	DIA_ROW(262, BASE, U32_OPT, dia_redirect, cache_s),
	{ 0 },
};

struct redirected {
	struct hnode node;
	struct list by_age;
	uint64_t until_ms;
	size_t identity_l, host_l;
	char text[];			/* both */
};

struct str redirect_identity(enum dia_command_id cmd, const void *req)
{
	const struct cx_uar *uar = req;
	const struct cx_lir *lir = req;
	const struct cx_mar *mar = req;
	const struct cx_sar *sar = req;

	switch (cmd) {
	case CX_UA: return uar->impu;
	case CX_LI: return lir->impu;
	case CX_MA: return mar->impu;
	case CX_SA: return sar->impus.n ? sar->impus.v[0] : sar->impi;
	default: return STR_NONE;
	}
}

struct str redirect_host(struct str uri)
{
	struct str host;
	size_t n = 0;

	if (!str_istarts(uri, STR("aaa://")))
		return STR_NONE;
	host = str_from(uri, 6);
	while (n < host.l && host.p[n] != ':' && host.p[n] != ';')
		n++;
	return str_head(host, n);
}

int redirect_cache_init(struct redirect_cache *c, uint32_t max, uint32_t max_s)
{
	*c = (struct redirect_cache){ .max = max, .max_s = max_s };
	list_init(&c->by_age);
	return htab_init(&c->by_identity, 16);
}

static void forget(struct redirect_cache *c, struct redirected *x)
{
	htab_del(&c->by_identity, &x->node);
	list_del(&x->by_age);
	free(x);
	c->n--;
}

void redirect_cache_fini(struct redirect_cache *c)
{
	while (!list_empty(&c->by_age))
		forget(c, list_entry(c->by_age.next, struct redirected, by_age));
	htab_fini(&c->by_identity);
}

static bool is_identity(const struct hnode *n, const void *key)
{
	const struct redirected *x = container_of(n, struct redirected, node);

	return str_eq(str_make(x->text, x->identity_l), *(const struct str *)key);
}

static struct redirected *find(const struct redirect_cache *c, struct str identity)
{
	struct hnode *n = htab_find(&c->by_identity, hash_str(identity), is_identity, &identity);

	return n ? container_of(n, struct redirected, node) : NULL;
}

static bool any(const struct hnode *n, const void *key)
{
	(void)n;
	(void)key;
	return true;
}

void redirect_cache_forget(struct redirect_cache *c, uint64_t hash)
{
	struct hnode *n = htab_find(&c->by_identity, hash, any, NULL);

	if (n)
		forget(c, container_of(n, struct redirected, node));
}

void redirect_cache_put(struct redirect_cache *c, struct str identity, struct str host, const struct dia_redirect *r, uint64_t now_ms)
{
	uint32_t s = r->cache_s < c->max_s ? r->cache_s : c->max_s;
	struct redirected *x = find(c, identity);

	if (x)
		forget(c, x);
	if (r->usage <= ALL_SESSION || !s || !c->max)
		return;
	x = calloc(1, sizeof(*x) + identity.l + host.l);
	if (!x)
		return;
	if (c->n == c->max)
		forget(c, list_entry(c->by_age.next, struct redirected, by_age));
	x->until_ms = now_ms + (uint64_t)s * 1000;
	x->identity_l = identity.l;
	x->host_l = host.l;
	memcpy(x->text, identity.p, identity.l);
	memcpy(x->text + identity.l, host.p, host.l);
	htab_add(&c->by_identity, &x->node, hash_str(identity));
	list_add_tail(&c->by_age, &x->by_age);
	c->n++;
}

struct str redirect_cache_find(struct redirect_cache *c, struct str identity, uint64_t now_ms)
{
	struct redirected *x = c->n ? find(c, identity) : NULL;

	if (x && now_ms >= x->until_ms) {
		forget(c, x);
		x = NULL;
	}
	return x ? str_make(x->text + x->identity_l, x->host_l) : STR_NONE;
}
