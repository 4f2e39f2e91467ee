/* pcscf/sa.c - sets of security associations, from the challenge to the last answer.  TS 33.203 §7.3, §7.4; TS 24.229 §5.2.2;
 * rows P3, P5, X3, X5, S8, F20, F21.  README.md has the life cycle as a diagram.
 *
 * The pool (all workers, one lock) gives SPIs and ports and finds a set by a message's ports.  The owner (one worker) moves
 * sets from state to state and tells the kernel. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/clock.h"
#include "common/util/cmap.h"
#include "common/util/hash.h"
#include "common/util/rand.h"
#include "pcscf/stored.h"

#define ANSWER_MS 1000u			/* a refusal leaves by the set that goes (S2: gone within a second) */
#define LINGER_MS 5000u			/* after a de-registration: its 200 may have to be sent again */
#define IN_USE UINT32_MAX

static METRIC_DEF(m_sets, "cscf_pcscf_sa_sets", METRIC_GAUGE, "Sets of security associations, by state.", "state", NULL);
static METRIC_DEF(m_ended, "cscf_pcscf_sa_sets_ended_total", METRIC_COUNTER, "Sets of security associations that ended, by reason.",
		  "reason", NULL);
static METRIC_DEF(m_failed, "cscf_pcscf_sa_setup_failed_total", METRIC_COUNTER, "Sets that could not be made, by reason.", "reason",
		  NULL);

const char *sa_state_name(enum sa_state s)
{
	static const char *const names[] = { "making", "pending", "live", "old", "ending" };

	return names[s];
}

/* ---- the pool ---- */

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
	metrics_register(&m_sets);
	metrics_register(&m_ended);
	metrics_register(&m_failed);
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

static void proven(struct sa_pool *p, struct sa_set *s)
{
	pthread_mutex_lock(&p->lock);
	give_place(p, s);
	pthread_mutex_unlock(&p->lock);
}

/* SPIs and ports, and the set can be found by them from now on. */
static int allocate(struct sa_pool *p, struct sa_set *s, uint16_t preferred_s)
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

static void release(struct sa_pool *p, struct sa_set *s)
{
	pthread_mutex_lock(&p->lock);
	unpublish(p, s);
	give_spis(p, s);
	give_place(p, s);
	pthread_mutex_unlock(&p->lock);
}

static void publish_phone(struct sa_pool *p, struct sa_set *s)
{
	char text[1024];
	struct str phone = key_phone(s->key, text, sizeof(text));

	if (phone.l)
		(void)cmap_put(p->map, phone, s);
}

/* ---- a set ---- */

static void set_free(struct obj *o)
{
	struct sa_set *s = container_of(o, struct sa_set, o);

	ipsec_wipe(&s->k, sizeof(s->k));
	free(s->client);
	free((char *)s->texts.p);
	free(s);
}

struct sa_set *sa_set_new(const struct sa_wish *w)
{
	struct sa_set *s = calloc(1, sizeof(*s));
	const struct sec_agree *one = &w->client->entry[w->chosen];
	char *texts = malloc(w->impi.l + w->key.l + 1);

	if (s)
		s->client = malloc((w->client->n ? w->client->n : 1) * sizeof(*s->client));
	if (!s || !s->client || !texts) {
		if (s)
			free(s->client);
		free(s);
		free(texts);
		return NULL;
	}
	obj_init(&s->o, set_free);
	s->texts = str_make(texts, w->impi.l + w->key.l);
	memcpy(texts, w->impi.p, w->impi.l);
	memcpy(texts + w->impi.l, w->key.p, w->key.l);
	s->impi = str_head(s->texts, w->impi.l);
	s->key = str_from(s->texts, w->impi.l);
	s->n_client = w->client->n;
	s->client_others = w->client->others;
	memcpy(s->client, w->client->entry, w->client->n * sizeof(*s->client));
	s->k = (struct ipsec_set){
		.us = w->us, .peer = w->phone, .alg = one->alg, .ealg = one->ealg,
		.encap_us = w->encap_us, .theirs = { .spi_c = one->spi_c, .spi_s = one->spi_s, .port_c = one->port_c, .port_s = one->port_s },
		.mine = { .port_s = w->via && addr_host_eq(&w->via->k.us, &w->us) ? w->via->k.mine.port_s : 0 },
	};
	memcpy(s->k.ck, w->ck, sizeof(s->k.ck));
	memcpy(s->k.ik, w->ik, sizeof(s->k.ik));
	return s;
}

/* ---- the owner ---- */

struct phone {				/* that has sets */
	struct hnode node;
	struct list sets;		/* struct owned, oldest first */
	unsigned n;
	size_t l;
	char key[];
};
struct owned {
	struct list link, of_phone;
	struct timer timer;
	struct sa_owner *owner;
	struct phone *phone;
	struct sa_set *set;
	struct ipsec_req req;
	bool asked;			/* the helper works on it */
	bool over;			/* and when it is done, it goes */
	void (*done)(void *arg, int rc);
	void *arg;
};
struct sa_owner {
	struct sa_pool *pool;
	const struct security_config *cfg;
	struct wheel *wheel;
	struct ipsec_port *port;
	struct htab by_key;
	struct list all;
	size_t n;
	void (*on_dead)(void *arg, const struct sa_set *s);
	void *on_dead_arg;
	struct store_port *store;	/* NULL: nothing is kept */
};

static bool is_phone(const struct hnode *n, const void *key)
{
	const struct phone *ph = container_of(n, struct phone, node);

	return str_eq(str_make(ph->key, ph->l), *(const struct str *)key);
}

static struct phone *phone_find(struct sa_owner *o, struct str key)
{
	struct hnode *n = htab_find(&o->by_key, hash_str(key), is_phone, &key);

	return n ? container_of(n, struct phone, node) : NULL;
}

static struct phone *phone_get(struct sa_owner *o, struct str key)
{
	struct phone *ph = phone_find(o, key);

	if (ph)
		return ph;
	ph = calloc(1, sizeof(*ph) + key.l);
	if (!ph)
		return NULL;
	list_init(&ph->sets);
	ph->l = key.l;
	memcpy(ph->key, key.p, key.l);
	htab_add(&o->by_key, &ph->node, hash_str(key));
	return ph;
}

static struct owned *owned_find(struct sa_owner *o, const struct sa_set *s)
{
	struct phone *ph = phone_find(o, s->key);
	struct list *i;

	if (ph)
		list_for_each(i, &ph->sets)
			if (list_entry(i, struct owned, of_phone)->set == s)
				return list_entry(i, struct owned, of_phone);
	return NULL;
}

static void set_state(struct owned *w, enum sa_state to)
{
	metric_adjust(&m_sets, sa_state_name(sa_state(w->set)), NULL, -1);
	metric_adjust(&m_sets, sa_state_name(to), NULL, 1);
	atomic_store_explicit(&w->set->state, to, memory_order_release);
}

/* The next process takes it up as it is now. */
static void keep(const struct owned *w)
{
	uint64_t now = w->owner->wheel->now_ms;

	if (sa_state(w->set) != SA_MAKING && sa_state(w->set) != SA_ENDING)
		stored_set(w->owner->store, w->set, sa_state(w->set), w->timer.at_ms > now ? w->timer.at_ms - now : 0);
}

static void owned_free(struct owned *w)
{
	struct sa_owner *o = w->owner;
	struct phone *ph = w->phone;

	timer_stop(&w->timer);
	metric_adjust(&m_sets, sa_state_name(sa_state(w->set)), NULL, -1);
	atomic_store_explicit(&w->set->state, SA_ENDING, memory_order_release);
	list_del(&w->link);
	list_del(&w->of_phone);
	o->n--;
	if (--ph->n == 0) {
		htab_del(&o->by_key, &ph->node);
		free(ph);
	}
	obj_unref(w->set);
	free(w);
}

/* Nobody finds it any more, then the kernel forgets it. */
static void owned_end(struct owned *w, const char *why)
{
	struct sa_owner *o = w->owner;
	int rc;

	if (w->asked) {			/* the helper's answer ends it */
		w->over = true;
		set_state(w, SA_ENDING);
		return;
	}
	log_info(LOG_SEC, "security associations end", LOG_C("why", why), LOG_S("impi", w->set->impi), LOG_U("spi_s", w->set->k.mine.spi_s));
	metric_add(&m_ended, why, NULL, 1);
	release(o->pool, w->set);
	stored_forget_set(o->store, w->set);
	rc = o->port->submit(o->port, IPSEC_DEL, &w->set->k, NULL);
	if (rc < 0)
		log_error(LOG_SEC, "the kernel keeps associations until they expire", LOG_I("errno", -rc), LOG_S("impi", w->set->impi));
	owned_free(w);
}

static const char *end_reason(enum sa_state s)
{
	switch (s) {
	case SA_PENDING: return "unanswered challenge";
	case SA_LIVE: return "expired";
	case SA_OLD: return "replaced";
	default: return "refused";
	}
}

static void on_timer(struct timer *t)
{
	struct owned *w = container_of(t, struct owned, timer);

	owned_end(w, end_reason(sa_state(w->set)));
}

static void leave(struct owned *w, enum sa_state to, uint32_t ms)
{
	set_state(w, to);
	timer_start(w->owner->wheel, &w->timer, ms);
	if (to == SA_ENDING)
		stored_forget_set(w->owner->store, w->set);
	else
		keep(w);
}

static struct owned *owned_by_spi(struct sa_owner *o, uint32_t spi)
{
	struct list *i;

	list_for_each(i, &o->all) {
		const struct ipsec_set *k = &list_entry(i, struct owned, link)->set->k;

		if (k->mine.spi_c == spi || k->mine.spi_s == spi)
			return list_entry(i, struct owned, link);
	}
	return NULL;
}

/* TS 33.203 annex M: what the NAT has made of the phone's port is known from what comes, and may change. */
static void on_mapping(struct owned *w, uint16_t port)
{
	struct sa_owner *o = w->owner;
	struct sa_set *s = w->set;
	int rc;

	if (!s->k.encap_us || s->k.encap_peer == port)
		return;
	log_info(LOG_SEC, "a NAT sends from another port", LOG_S("impi", s->impi), LOG_U("port", port), LOG_U("before", s->k.encap_peer));
	s->k.encap_peer = port;
	keep(w);
	rc = o->port->submit(o->port, IPSEC_UPDATE, &s->k, NULL);
	if (rc < 0)
		log_error(LOG_SEC, "a phone behind a NAT cannot be reached", LOG_I("errno", -rc), LOG_S("impi", s->impi));
}

static void on_event(void *u, const struct ipsec_event *e)
{
	struct sa_owner *o = u;
	struct owned *w = owned_by_spi(o, e->spi);
	struct sa_set *s;
	enum sa_state before;

	if (!w || w->asked)
		return;
	if (e->encap_peer) {
		on_mapping(w, e->encap_peer);
		return;
	}
	s = w->set;
	before = sa_state(s);
	obj_ref(s);
	owned_end(w, "expired in the kernel");
	if (before == SA_LIVE && o->on_dead)
		o->on_dead(o->on_dead_arg, s);
	obj_unref(s);
}

void sa_owner_on_dead(struct sa_owner *o, void (*fn)(void *arg, const struct sa_set *s), void *arg)
{
	o->on_dead = fn;
	o->on_dead_arg = arg;
}

struct sa_owner *sa_owner_new(struct sa_pool *p, const struct security_config *c, struct wheel *w, struct ipsec_port *port)
{
	struct sa_owner *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	*o = (struct sa_owner){ .pool = p, .cfg = c, .wheel = w, .port = port };
	list_init(&o->all);
	if (htab_init(&o->by_key, 64) < 0) {
		free(o);
		return NULL;
	}
	port->event = on_event;
	port->u = o;
	return o;
}

void sa_owner_free(struct sa_owner *o)
{
	if (!o)
		return;
	while (!list_empty(&o->all)) {
		struct owned *w = list_entry(o->all.next, struct owned, link);

		release(o->pool, w->set);
		owned_free(w);
	}
	htab_fini(&o->by_key);
	free(o);
}

size_t sa_count(const struct sa_owner *o)
{
	return o->n;
}

/* ---- making one ---- */

/* The phone tries again from the same place: what it left unanswered before goes, once the answer has left by it. */
static void end_other_pending(struct sa_owner *o, const struct owned *but, bool same_spis_only)
{
	struct list *i, *tmp;

	list_for_each_safe(i, tmp, &but->phone->sets) {
		struct owned *w = list_entry(i, struct owned, of_phone);
		const struct ipsec_end *a = &w->set->k.theirs, *b = &but->set->k.theirs;
		bool same = a->spi_c == b->spi_c || a->spi_s == b->spi_s || a->spi_c == b->spi_s || a->spi_s == b->spi_c;

		if (w == but || w->asked || !addr_host_eq(&w->set->k.peer, &but->set->k.peer) ||
		    (sa_state(w->set) != SA_PENDING && sa_state(w->set) != SA_ENDING))
			continue;
		if (same_spis_only && same)
			owned_end(w, "tried again");
		else if (!same_spis_only && sa_state(w->set) == SA_PENDING)
			leave(w, SA_ENDING, ANSWER_MS);
	}
	(void)o;
}

static const char *failure(int rc)
{
	return rc == -ENOSPC ? "no port or SPI left" : rc == -EDQUOT ? "too many that nobody has answered for" : rc == -EEXIST ? "SPI or port of another" : rc == -ETIMEDOUT ? "helper silent" :
	       rc == -EPIPE ? "helper gone" : rc == -ECANCELED ? "tried again" : "kernel";
}

static void finish(void (*done)(void *arg, int rc), void *arg, const struct sa_set *s, int rc)
{
	if (rc < 0) {
		metric_add(&m_failed, failure(rc), NULL, 1);
		log_error(LOG_SEC, "security associations cannot be made", LOG_C("why", failure(rc)), LOG_I("errno", -rc),
			  LOG_S("impi", s->impi));
	}
	done(arg, rc);
}

static void on_made(struct ipsec_req *r, int rc)
{
	struct owned *w = container_of(r, struct owned, req);
	struct sa_owner *o = w->owner;
	struct sa_set *s = w->set;
	void (*done)(void *arg, int rc) = w->done;
	void *arg = w->arg;

	w->asked = false;
	if (rc == 0 && w->over)
		rc = -ECANCELED;
	if (rc == 0) {
		end_other_pending(o, w, false);
		set_state(w, SA_PENDING);
		publish_phone(o->pool, s);
		timer_start(o->wheel, &w->timer, (uint64_t)o->cfg->await_auth_s * 1000);
		keep(w);
		log_info(LOG_SEC, "security associations made", LOG_S("impi", s->impi), LOG_C("alg", sec_alg_name(s->k.alg)),
			 LOG_C("ealg", sec_ealg_name(s->k.ealg)), LOG_U("spi_s", s->k.mine.spi_s), LOG_U("port_s", s->k.mine.port_s));
		finish(done, arg, s, 0);
		return;
	}
	obj_ref(s);
	if (rc == -ECANCELED) {
		owned_end(w, "tried again");
	} else {
		release(o->pool, s);
		owned_free(w);
	}
	finish(done, arg, s, rc);
	obj_unref(s);
}

static struct owned *owned_new(struct sa_owner *o, struct sa_set *s)
{
	struct phone *ph = phone_get(o, s->key);
	struct owned *w = ph && ph->n < SECURITY_MAX_SETS ? calloc(1, sizeof(*w)) : NULL;

	if (!w) {
		if (ph && !ph->n) {
			htab_del(&o->by_key, &ph->node);
			free(ph);
		}
		return NULL;
	}
	w->owner = o;
	w->phone = ph;
	w->set = obj_ref(s);
	timer_init(&w->timer, on_timer);
	list_add_tail(&o->all, &w->link);
	list_add_tail(&ph->sets, &w->of_phone);
	ph->n++;
	o->n++;
	metric_adjust(&m_sets, sa_state_name(SA_MAKING), NULL, 1);
	return w;
}

/* The NAT's port for that phone is the same for all its sets. */
static uint16_t known_mapping(const struct owned *of)
{
	uint16_t port = 0;
	struct list *i;

	list_for_each(i, &of->phone->sets) {
		const struct ipsec_set *k = &list_entry(i, struct owned, of_phone)->set->k;

		if (k->encap_us && addr_host_eq(&k->peer, &of->set->k.peer) && k->encap_peer)
			port = k->encap_peer;
	}
	return port;
}

void sa_setup(struct sa_owner *o, struct sa_set *s, void (*done)(void *arg, int rc), void *arg)
{
	struct owned *w = owned_new(o, s);
	uint16_t preferred = s->k.mine.port_s;
	int rc;

	if (!w) {
		finish(done, arg, s, -ENOSPC);
		return;
	}
	w->done = done;
	w->arg = arg;
	end_other_pending(o, w, true);
	s->k.mine.port_s = 0;
	rc = allocate(o->pool, s, preferred);
	if (rc < 0) {
		owned_free(w);
		finish(done, arg, s, rc);
		return;
	}
	s->n_server = security_server_list(o->cfg, sa_mod(s), &s->k.mine, s->server);
	if (s->k.encap_us)
		s->k.encap_peer = known_mapping(w);
	s->made_ms = clock_mono_us() / 1000;
	s->k.lifetime_s = o->cfg->await_auth_s + SA_KERNEL_GRACE_S;
	w->req.done = on_made;
	w->asked = true;
	rc = o->port->submit(o->port, IPSEC_ADD, &s->k, &w->req);
	if (rc < 0)
		on_made(&w->req, rc);
}

/* ---- afterwards ---- */

/* One live and at most one old set: §7.4. */
static void make_old(struct sa_owner *o, struct phone *ph, const struct owned *but)
{
	struct list *i, *tmp;

	list_for_each_safe(i, tmp, &ph->sets) {
		struct owned *w = list_entry(i, struct owned, of_phone);

		if (w == but)
			continue;
		if (sa_state(w->set) == SA_OLD)
			owned_end(w, "replaced");
		else if (sa_state(w->set) == SA_LIVE)
			leave(w, SA_OLD, o->cfg->old_ms);
	}
}

void sa_confirm(struct sa_owner *o, struct sa_set *s, uint32_t granted_s)
{
	struct owned *w = owned_find(o, s);
	uint64_t age_s;
	int rc;

	if (!w || sa_state(s) == SA_ENDING || sa_state(s) == SA_MAKING)
		return;
	if (sa_state(s) == SA_PENDING) {
		struct phone *ph = w->phone;

		make_old(o, ph, w);
		set_state(w, SA_LIVE);
		proven(o->pool, s);
	}
	if (sa_state(s) == SA_OLD)
		return;			/* a late answer on what is replaced already */
	age_s = clock_mono_us() / 1000000 - s->made_ms / 1000;
	s->k.lifetime_s = (uint32_t)age_s + granted_s + o->cfg->margin_s + SA_KERNEL_GRACE_S;
	timer_start(o->wheel, &w->timer, ((uint64_t)granted_s + o->cfg->margin_s) * 1000);
	keep(w);
	rc = o->port->submit(o->port, IPSEC_UPDATE, &s->k, NULL);
	if (rc < 0)
		log_error(LOG_SEC, "the lifetime of associations stays short", LOG_I("errno", -rc), LOG_S("impi", s->impi));
}

void sa_refuse(struct sa_owner *o, struct sa_set *s)
{
	struct owned *w = owned_find(o, s);

	if (w && sa_state(s) == SA_PENDING)
		leave(w, SA_ENDING, ANSWER_MS);
}

void sa_retire(struct sa_owner *o, struct str key, enum sa_retire why)
{
	struct phone *ph = phone_find(o, key);
	struct list *i, *tmp;

	if (!ph)
		return;
	ph->n++;			/* stays while we walk */
	list_for_each_safe(i, tmp, &ph->sets) {
		struct owned *w = list_entry(i, struct owned, of_phone);

		if (why != SA_LEFT && (w->asked || sa_state(w->set) == SA_PENDING))
			continue;
		if (why != SA_EXPIRED && !w->asked && sa_state(w->set) != SA_ENDING)
			leave(w, SA_OLD, LINGER_MS);
		else
			owned_end(w, why == SA_EXPIRED ? "expired" : "de-registered");
	}
	if (--ph->n == 0) {
		htab_del(&o->by_key, &ph->node);
		free(ph);
	}
}

/* ---- after a restart ---- */

void sa_owner_store(struct sa_owner *o, struct store_port *port)
{
	o->store = port;
}

/* Its own SPIs and ports, not others. */
static int take_again(struct sa_pool *p, struct sa_set *s)
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

int sa_restore(struct sa_owner *o, struct sa_set *s, enum sa_state state, uint64_t left_ms)
{
	struct owned *w = owned_new(o, s);
	int rc = w ? take_again(o->pool, s) : -ENOSPC;

	if (rc < 0) {
		if (w)
			owned_free(w);
		return rc;
	}
	set_state(w, state);
	if (state != SA_OLD)
		publish_phone(o->pool, s);
	timer_start(o->wheel, &w->timer, left_ms);
	return 0;
}
