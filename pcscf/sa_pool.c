/* pcscf/sa_pool.c - what sets of associations share: SPIs, ports, who has them, and how many nobody has answered for.  All workers, one lock.
 * TS 33.203 §7.1, §7.4; rows P13, X5, F21, SEC-10. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/clock.h"
#include "common/util/cmap.h"
#include "common/util/hash.h"
#include "common/util/rand.h"
#include "pcscf/sa_private.h"

#define IN_USE UINT32_MAX

struct sa_pool {
	const struct security_config *cfg;
	struct cmap *map;		/* "ports of a flow" -> set; "k KEY" -> the phone's newest */
	pthread_mutex_t lock;
	uint32_t *free_at_s;		/* per pair of SPIs: when it may be used again; IN_USE */
	uint32_t n, next;
	unsigned next_port;
	struct htab sources;		/* struct source: addresses with unproven sets */
	uint32_t unproven;
};

struct source {
	struct hnode node;
	struct addr host;
	uint32_t n;
};

struct sa_pool *sa_pool_new(const struct security_config *c)
{
	struct sa_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->cfg = c;
	p->n = c->n_spis / 2;
	p->next = rand_below(p->n);	/* phones may still hold what the process before gave out last */
	p->map = cmap_new();
	p->free_at_s = calloc(p->n, sizeof(*p->free_at_s));
	pthread_mutex_init(&p->lock, NULL);
	if (!p->map || !p->free_at_s || htab_init(&p->sources, 64) < 0) {
		sa_pool_free(p);
		return NULL;
	}
	return p;
}

void sa_pool_free(struct sa_pool *p)
{
	if (!p)
		return;
	cmap_free(p->map);
	free(p->free_at_s);
	htab_fini(&p->sources);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

struct key {
	char text[2 * ADDR_STRLEN + 2];
};

static struct str key_of(struct key *k, const struct addr *phone, uint16_t phone_port, const struct addr *us, uint16_t our_port)
{
	char a[ADDR_STRLEN], b[ADDR_STRLEN];
	int n = snprintf(k->text, sizeof(k->text), "%s %u %s %u", addr_host(phone, a), phone_port, addr_host(us, b), our_port);

	return str_make(k->text, (size_t)n);
}

struct sa_set *sa_find(struct sa_pool *p, const struct sip_flow *f)
{
	struct key k;

	return cmap_get(p->map, key_of(&k, &f->remote, addr_port(&f->remote), &f->local, addr_port(&f->local)));
}

struct sa_set *sa_of(struct sa_pool *p, const struct sip_flow *f)
{
	struct sa_set *s = sa_find(p, f);
	enum sa_state st = s ? sa_state(s) : SA_MAKING;

	if (s && (st == SA_MAKING || st == SA_ENDING)) {
		obj_unref(s);
		return NULL;
	}
	return s;
}

static struct str key_phone(struct str key, char *dst, size_t size)
{
	int n = snprintf(dst, size, "k %.*s", STR_ARG(key));

	return n > 0 && (size_t)n < size ? str_make(dst, (size_t)n) : STR_NONE;
}

struct sa_set *sa_of_phone(struct sa_pool *p, struct str key)
{
	char text[1024];
	struct str k = key_phone(key, text, sizeof(text));

	return k.l ? cmap_get(p->map, k) : NULL;
}

static uint32_t now_s(void)
{
	return (uint32_t)(clock_mono_us() / 1000000) + 1;
}

/* The one that has rested longest comes first: the index goes round. */
static int take_spis(struct sa_pool *p, struct sa_set *s)
{
	uint32_t now = now_s();

	for (uint32_t tries = 0; tries < p->n; tries++) {
		uint32_t i = p->next;

		p->next = (p->next + 1) % p->n;
		if (p->free_at_s[i] > now)
			continue;
		p->free_at_s[i] = IN_USE;
		s->k.mine.spi_c = p->cfg->spi_first + 2 * i;
		s->k.mine.spi_s = s->k.mine.spi_c + 1;
		s->k.reqid = p->cfg->reqid_first + 2 * i;
		return 0;
	}
	return -ENOSPC;
}

static void give_spis(struct sa_pool *p, const struct sa_set *s)
{
	p->free_at_s[(s->k.mine.spi_c - p->cfg->spi_first) / 2] = now_s() + p->cfg->quarantine_s;
}

static bool ports_free(struct sa_pool *p, const struct sa_set *s, uint16_t phone_port, uint16_t our_port)
{
	struct key k;
	void *there = cmap_get(p->map, key_of(&k, &s->k.peer, phone_port, &s->k.us, our_port));

	obj_unref(there);
	return !there;
}

/* A pair of ports makes one set's selectors: no two sets of one address may share one (row X5).  The server port that the
 * phone knows stays when it can, the client port changes (§7.4). */
static int take_ports(struct sa_pool *p, struct sa_set *s, uint16_t preferred_s)
{
	const struct security_config *c = p->cfg;
	unsigned first_s = preferred_s ? (unsigned)(preferred_s - c->port_s) : p->next_port % c->n_ports;
	unsigned first_c = ++p->next_port;

	for (unsigned i = 0; i < c->n_ports && !s->k.mine.port_s; i++) {
		uint16_t port = (uint16_t)(c->port_s + (first_s + i) % c->n_ports);

		if (ports_free(p, s, s->k.theirs.port_c, port))
			s->k.mine.port_s = port;
	}
	for (unsigned i = 0; i < c->n_ports && !s->k.mine.port_c; i++) {
		uint16_t port = (uint16_t)(c->port_c + (first_c + i) % c->n_ports);

		if (ports_free(p, s, s->k.theirs.port_s, port))
			s->k.mine.port_c = port;
	}
	return s->k.mine.port_s && s->k.mine.port_c ? 0 : -ENOSPC;
}

static void unpublish(struct sa_pool *p, struct sa_set *s)
{
	char text[1024];
	struct key k;
	struct str phone = key_phone(s->key, text, sizeof(text));

	cmap_del_if(p->map, key_of(&k, &s->k.peer, s->k.theirs.port_c, &s->k.us, s->k.mine.port_s), s);
	cmap_del_if(p->map, key_of(&k, &s->k.peer, s->k.theirs.port_s, &s->k.us, s->k.mine.port_c), s);
	if (phone.l)
		cmap_del_if(p->map, phone, s);
}

static int publish(struct sa_pool *p, struct sa_set *s)
{
	struct key k;
	int rc = cmap_put(p->map, key_of(&k, &s->k.peer, s->k.theirs.port_c, &s->k.us, s->k.mine.port_s), s);

	if (rc == 0)
		rc = cmap_put(p->map, key_of(&k, &s->k.peer, s->k.theirs.port_s, &s->k.us, s->k.mine.port_c), s);
	if (rc < 0)
		unpublish(p, s);
	return rc;
}

/* ---- SEC-10: a REGISTER that nobody has authenticated makes associations, which cost the kernel kilobytes for minutes ---- */

static bool is_source(const struct hnode *n, const void *key)
{
	return addr_host_eq(&container_of(n, struct source, node)->host, key);
}

static uint64_t hash_host(const struct addr *a)
{
	char text[ADDR_STRLEN];

	return hash_str(str_from_c(addr_host(a, text)));
}

static struct source *source_get(struct sa_pool *p, const struct addr *host)
{
	uint64_t h = hash_host(host);
	struct hnode *n = htab_find(&p->sources, h, is_source, host);
	struct source *s;

	if (n)
		return container_of(n, struct source, node);
	s = calloc(1, sizeof(*s));
	if (s) {
		s->host = *host;
		htab_add(&p->sources, &s->node, h);
	}
	return s;
}

static void source_drop_empty(struct sa_pool *p, struct source *s)
{
	if (s->n)
		return;
	htab_del(&p->sources, &s->node);
	free(s);
}

static int take_place(struct sa_pool *p, struct sa_set *s)
{
	const struct security_config *c = p->cfg;
	struct source *from;

	if (c->max_pending && p->unproven >= c->max_pending)
		return -EDQUOT;
	from = source_get(p, &s->k.peer);
	if (!from)
		return -ENOMEM;
	if (c->max_pending_per_source && from->n >= c->max_pending_per_source) {
		source_drop_empty(p, from);
		return -EDQUOT;
	}
	from->n++;
	p->unproven++;
	s->unproven = true;
	return 0;
}

static void give_place(struct sa_pool *p, struct sa_set *s)
{
	struct source *from = s->unproven ? source_get(p, &s->k.peer) : NULL;

	if (!from)
		return;
	s->unproven = false;
	p->unproven--;
	from->n--;
	source_drop_empty(p, from);
}

void sa_pool_proven(struct sa_pool *p, struct sa_set *s)
{
	pthread_mutex_lock(&p->lock);
	give_place(p, s);
	pthread_mutex_unlock(&p->lock);
}

/* SPIs and ports, and the set can be found by them from now on. */
int sa_pool_take(struct sa_pool *p, struct sa_set *s, uint16_t preferred_s)
{
	int rc;

	pthread_mutex_lock(&p->lock);
	rc = take_place(p, s);
	if (rc == 0) {
		rc = take_spis(p, s);
		if (rc == 0) {
			rc = take_ports(p, s, preferred_s);
			if (rc == 0)
				rc = publish(p, s);
			if (rc < 0)
				give_spis(p, s);
		}
		if (rc < 0)
			give_place(p, s);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void sa_pool_give(struct sa_pool *p, struct sa_set *s)
{
	pthread_mutex_lock(&p->lock);
	unpublish(p, s);
	give_spis(p, s);
	give_place(p, s);
	pthread_mutex_unlock(&p->lock);
}

void sa_pool_phone(struct sa_pool *p, struct sa_set *s)
{
	char text[1024];
	struct str phone = key_phone(s->key, text, sizeof(text));

	if (phone.l)
		(void)cmap_put(p->map, phone, s);
}

/* ---- after a restart ---- */

/* Its own SPIs and ports, not others. */
int sa_pool_take_again(struct sa_pool *p, struct sa_set *s)
{
	uint32_t i = (s->k.mine.spi_c - p->cfg->spi_first) / 2;
	int rc = -EEXIST;

	pthread_mutex_lock(&p->lock);
	if (i < p->n && p->free_at_s[i] != IN_USE && ports_free(p, s, s->k.theirs.port_c, s->k.mine.port_s) &&
	    ports_free(p, s, s->k.theirs.port_s, s->k.mine.port_c)) {
		rc = publish(p, s);
		if (rc == 0)
			p->free_at_s[i] = IN_USE;
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

/* Kept, but not to be had again: the phone does not know that yet. */
void sa_rest(struct sa_pool *p, const struct sa_set *s)
{
	uint32_t i = (s->k.mine.spi_c - p->cfg->spi_first) / 2;

	pthread_mutex_lock(&p->lock);
	if (i < p->n && p->free_at_s[i] != IN_USE)
		give_spis(p, s);
	pthread_mutex_unlock(&p->lock);
}
