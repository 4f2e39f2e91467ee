/* scscf/criteria.c - filter criteria: which one wants a request, and where equal tables are found.  TS 29.228 annexes B, C, F. */
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/sip/body.h"
#include "common/util/hash.h"
#include "common/util/list.h"
#include "scscf/criteria.h"
#include "scscf/pattern.h"

static METRIC_DEF(m_skipped, "cscf_scscf_filter_criteria_skipped_total", METRIC_COUNTER,
		  "Initial filter criteria that could not be used and were left out, once for each new table.", NULL, NULL);
static METRIC_DEF(m_tables, "cscf_scscf_filter_criteria_tables", METRIC_GAUGE, "Different tables of filter criteria in memory.", NULL,
		  NULL);

const char *session_case_name(enum session_case c)
{
	static const char *const names[N_SESSION_CASES] = {
		[CASE_ORIGINATING] = "originating",
		[CASE_TERMINATING_REGISTERED] = "terminating-registered",
		[CASE_TERMINATING_UNREGISTERED] = "terminating-unregistered",
		[CASE_ORIGINATING_UNREGISTERED] = "originating-unregistered",
		[CASE_ORIGINATING_CDIV] = "originating-cdiv",
	};

	return c < N_SESSION_CASES ? names[c] : "unknown";
}

/* ---- matching ---- */

static bool value_fits(const struct trigger *t, struct str value)
{
	return !t->content || pattern_matches(t->content, value);
}

static struct str canonical_name(const struct sip_msg *m, const struct sip_hdr *h)
{
	return h->id == SIP_H_OTHER ? sip_msg_hdr_name(m, h) : sip_hdr_name((enum sip_hdr_id)h->id);
}

static bool header_fits(const struct trigger *t, const struct sip_msg *m)
{
	if (t->name && sip_msg_wake(m)) {
		for (unsigned i = 0; i < m->n_hdrs; i++)
			if (pattern_matches(t->name, canonical_name(m, &m->hdrs[i])) && value_fits(t, sip_msg_hdr_value(m, &m->hdrs[i])))
				return true;
		return false;
	}
	for (const struct sip_hdr *h = sip_msg_hdr(m, (enum sip_hdr_id)t->id); h; h = sip_msg_hdr_next(m, h))
		if ((t->id != SIP_H_OTHER || str_ieq(sip_msg_hdr_name(m, h), t->text)) && value_fits(t, sip_msg_hdr_value(m, h)))
			return true;
	return false;
}

/* One line of SDP, "m=audio 5004 RTP/AVP 0": the name before the sign, the content behind it. */
static bool sdp_fits(const struct trigger *t, struct str body)
{
	struct str line, name, value;

	while (body.l) {
		str_cut(body, '\n', &line, &body);
		if (str_cut(str_trim(line), '=', &name, &value) && pattern_matches(t->name, name) && value_fits(t, value))
			return true;
	}
	return false;
}

static bool uri_fits(const struct trigger *t, struct str ruri)
{
	struct sip_uri a, b;

	if (pattern_matches(t->content, ruri))
		return true;
	/* Written as a URI, not as an expression: "sip:+49...", where '+' would mean repetition. */
	return sip_uri_parse(t->text, &a, NULL) == 0 && sip_uri_parse(ruri, &b, NULL) == 0 && sip_uri_equal(&a, &b);
}

static bool method_fits(const struct trigger *t, const struct criteria_query *q)
{
	if (t->id != q->m->method || (t->id == SIP_UNKNOWN_METHOD && !str_eq(t->text, q->m->method_name)))
		return false;
	return t->id != SIP_REGISTER || t->number == 0 || (t->number & q->registration);
}

bool criteria_trigger_fits(const struct trigger *t, const struct criteria_query *q)
{
	struct body_part p;
	bool fits = false;

	switch (t->kind) {
	case TRIGGER_URI:
		fits = uri_fits(t, q->ruri);
		break;
	case TRIGGER_METHOD:
		fits = method_fits(t, q);
		break;
	case TRIGGER_HEADER:
		if (t->id == SIP_H_PASSERTED_SERVICE && q->service.l)		/* the message has not got it yet */
			fits = value_fits(t, q->service);
		else
			fits = header_fits(t, q->m);
		break;
	case TRIGGER_CASE:
		fits = t->number == q->scase;
		break;
	case TRIGGER_SDP:
		fits = body_find(q->m, "application/sdp", &p) && sdp_fits(t, p.text);
		break;
	}
	return fits != t->negated;
}

/* Annex C.  CNF: in every group at least one trigger fits.  DNF: in at least one group all of them do. */
static bool criterion_fits(const struct criterion *k, const struct criteria_query *q)
{
	unsigned i = 0;

	if (!(k->part & (q->registered ? 1 : 2)))
		return false;
	if (!k->has_trigger)			/* annex B: without a trigger point it is for every request */
		return true;
	for (unsigned g = 0; g < k->n_groups; g++) {
		bool fits = !k->cnf;

		for (; i < k->group_end[g] && fits != k->cnf; i++)
			fits = criteria_trigger_fits(&k->trigger[k->member[i]], q);
		i = k->group_end[g];
		if (fits != k->cnf)		/* CNF: nothing in this group; DNF: all of it */
			return !k->cnf;
	}
	return k->cnf;
}

unsigned criteria_next(const struct criteria *c, unsigned from, const struct criteria_query *q)
{
	for (unsigned i = from; c && i < c->n; i++)
		if (criterion_fits(&c->v[i], q))
			return i;
	return CRITERIA_NONE;
}

/* ---- canonical XML ---- */

static void trim_tail(struct buf *b)
{
	while (b->l && (unsigned char)b->p[b->l - 1] <= ' ')
		b->l--;
}

void criteria_xml_start(struct buf *b, const char *name)
{
	trim_tail(b);
	buf_putc(b, '<');
	buf_puts(b, name);
	buf_putc(b, '>');
}

void criteria_xml_end(struct buf *b, const char *name)
{
	trim_tail(b);
	buf_puts(b, "</");
	buf_puts(b, name);
	buf_putc(b, '>');
}

void criteria_xml_text(struct buf *b, const char *s, size_t l)
{
	for (size_t i = 0; i < l; i++) {
		if ((unsigned char)s[i] <= ' ' && (b->l == 0 || b->p[b->l - 1] == '>'))
			continue;
		if (s[i] == '<')
			buf_puts(b, "&lt;");
		else if (s[i] == '>')
			buf_puts(b, "&gt;");
		else if (s[i] == '&')
			buf_puts(b, "&amp;");
		else
			buf_putc(b, s[i]);
	}
}

/* ---- the shared sets: a snapshot at a time ---- */

struct criteria_sets {
	struct obj o;
	struct arena *arena;		/* texts */
	unsigned n;
	struct criteria_set {
		uint32_t id;
		struct str text;
	} v[CRITERIA_MAX_SETS];
};

static void sets_free(struct obj *o)
{
	struct criteria_sets *x = container_of(o, struct criteria_sets, o);

	arena_unref(x->arena);
	free(x);
}

static struct criteria_sets *sets_new(void)
{
	struct criteria_sets *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	obj_init(&x->o, sets_free);
	x->arena = arena_new(0);
	if (!x->arena) {
		free(x);
		return NULL;
	}
	return x;
}

static int sets_append(struct criteria_sets *x, uint32_t id, struct str text)
{
	if (x->n == CRITERIA_MAX_SETS)
		return -EFBIG;
	x->v[x->n] = (struct criteria_set){ id, arena_dup(x->arena, text) };
	if (!x->v[x->n].text.p)
		return -ENOMEM;
	x->n++;
	return 0;
}

struct str criteria_sets_find(const struct criteria_sets *x, uint32_t id)
{
	for (unsigned i = 0; x && i < x->n; i++)
		if (x->v[i].id == id)
			return x->v[i].text;
	return STR_NONE;
}

/* ---- tables that are shared ---- */

struct table {
	struct criteria c;		/* first */
	struct hnode node;
	struct criteria_store *store;	/* NULL: of nobody */
	struct criteria *newer;		/* with the sets of today; NULL: it is that itself.  Under the store's lock */
};
struct criteria_store {
	pthread_mutex_t lock;		/* of by_text, sets, table.newer */
	struct htab by_text;
	struct criteria_sets *sets;	/* exchanged by the main thread */
};

static void table_free(struct table *t)
{
	for (unsigned i = 0; i < t->c.n; i++) {
		for (unsigned k = 0; k < t->c.v[i].n_triggers; k++) {
			pattern_free(t->c.v[i].trigger[k].name);
			pattern_free(t->c.v[i].trigger[k].content);
		}
	}
	free(t->c.v);
	arena_unref(t->c.arena);
	free(t);
}

static void table_drop(struct obj *o)
{
	struct table *t = (struct table *)o;

	if (t->store) {
		pthread_mutex_lock(&t->store->lock);
		htab_del(&t->store->by_text, &t->node);
		pthread_mutex_unlock(&t->store->lock);
		metric_adjust(&m_tables, NULL, NULL, -1);
	}
	obj_unref(t->newer);
	table_free(t);
}

/* A reference, unless its last one is just going. */
static bool try_ref(struct obj *o)
{
	unsigned n = atomic_load_explicit(&o->refs, memory_order_relaxed);

	while (n)
		if (atomic_compare_exchange_weak_explicit(&o->refs, &n, n + 1, memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

static bool text_eq(const struct hnode *n, const void *key)
{
	struct table *t = container_of(n, struct table, node);
	const struct str *text = key;

	return str_eq(t->c.text, *text) && try_ref(&t->c.o);
}

static int make_digest(struct criteria *c)
{
	unsigned char all[EVP_MAX_MD_SIZE];

	if (EVP_Digest(c->text.l ? c->text.p : "", c->text.l, all, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	memcpy(c->digest, all, sizeof(c->digest));
	return 0;
}

static int table_make(const struct criteria_sets *sets, struct str text, struct table **ret)
{
	struct table *t = calloc(1, sizeof(*t));
	int rc = -ENOMEM;

	if (!t)
		return rc;
	obj_init(&t->c.o, table_drop);
	t->c.arena = arena_new(text.l * 2);
	if (t->c.arena) {
		t->c.text = arena_dup(t->c.arena, text);
		rc = t->c.text.p ? criteria_compile(sets, &t->c) : -ENOMEM;
	}
	if (rc == 0)
		rc = make_digest(&t->c);
	if (rc < 0) {
		table_free(t);
		return rc;
	}
	if (sets && t->c.n_skipped) {		/* a table of nobody is only looked at */
		metric_add(&m_skipped, NULL, NULL, t->c.n_skipped);
		log_warn(LOG_REG, "filter criteria that cannot be used are left out", LOG_U("skipped", t->c.n_skipped),
			 LOG_U("used", t->c.n), LOG_S("why", t->c.skipped));
	}
	*ret = t;
	return 0;
}

static struct criteria_sets *sets_of(struct criteria_store *s)
{
	struct criteria_sets *x;

	pthread_mutex_lock(&s->lock);
	x = obj_ref(s->sets);
	pthread_mutex_unlock(&s->lock);
	return x;
}

/* Under the store's lock.  false: the sets have changed since. */
static bool table_add(struct criteria_store *s, struct table *t, const struct criteria_sets *sets, uint64_t h)
{
	if (t->c.uses_sets && s->sets != sets)
		return false;
	t->store = s;
	htab_add(&s->by_text, &t->node, h);
	metric_adjust(&m_tables, NULL, NULL, 1);
	return true;
}

int criteria_get(struct criteria_store *s, struct str text, struct criteria **ret)
{
	uint64_t h = hash_str(text);
	struct table *t = NULL;
	struct hnode *n = NULL;
	bool added = !s;
	int rc;

	if (text.l > CRITERIA_MAX_BYTES)
		return -EFBIG;
	if (s) {
		pthread_mutex_lock(&s->lock);
		n = htab_find(&s->by_text, h, text_eq, &text);
		pthread_mutex_unlock(&s->lock);
	}
	if (n) {
		*ret = &container_of(n, struct table, node)->c;
		return 0;
	}
	do {					/* made without the lock; two at a time make two tables, that does no harm */
		struct criteria_sets *sets = s ? sets_of(s) : NULL;

		rc = table_make(sets, text, &t);
		if (rc == 0 && s) {
			pthread_mutex_lock(&s->lock);
			added = table_add(s, t, sets, h);
			pthread_mutex_unlock(&s->lock);
			if (!added)
				obj_unref(&t->c);
		}
		obj_unref(sets);
	} while (rc == 0 && !added);
	if (rc == 0)
		*ret = &t->c;
	return rc;
}

struct criteria *criteria_current(struct criteria *c)
{
	struct table *t = (struct table *)c;
	struct criteria *now;

	if (!c || !c->uses_sets || !t->store)
		return obj_ref(c);
	pthread_mutex_lock(&t->store->lock);
	now = obj_ref(t->newer ? t->newer : c);
	pthread_mutex_unlock(&t->store->lock);
	return now;
}

/* ---- the sets change ---- */

struct stale {
	unsigned n, max;
	struct table **v;
};

static void note_stale(struct hnode *n, void *arg)
{
	struct table *t = container_of(n, struct table, node);
	struct stale *all = arg;

	if (t->c.uses_sets && all->n < all->max && try_ref(&t->c.o))
		all->v[all->n++] = t;
}

static void compile_anew(struct criteria_store *s, const struct criteria_sets *sets, struct table *t)
{
	struct table *fresh = NULL;
	struct criteria *old;

	if (table_make(sets, t->c.text, &fresh) < 0) {
		log_error(LOG_REG, "out of memory: filter criteria stay as they were before a shared set changed");
		return;
	}
	pthread_mutex_lock(&s->lock);
	old = t->newer;
	t->newer = &fresh->c;
	pthread_mutex_unlock(&s->lock);
	obj_unref(old);
}

struct each {
	unsigned n, max;
	struct criteria **v;		/* references */
};

static void note_today(struct hnode *n, void *arg)
{
	struct table *t = container_of(n, struct table, node);
	struct each *all = arg;

	if (all->n < all->max && (t->newer || try_ref(&t->c.o)))
		all->v[all->n++] = t->newer ? obj_ref(t->newer) : &t->c;
}

void criteria_store_each(struct criteria_store *s, void (*fn)(void *arg, const struct criterion *k), void *arg)
{
	struct each all = { 0 };

	pthread_mutex_lock(&s->lock);
	all.max = (unsigned)s->by_text.n;
	all.v = calloc(all.max ? all.max : 1, sizeof(*all.v));
	if (all.v)
		htab_each(&s->by_text, note_today, &all);
	pthread_mutex_unlock(&s->lock);
	if (!all.v)
		log_error(LOG_CORE, "out of memory: filter criteria are not listed");
	for (unsigned i = 0; i < all.n; i++) {
		for (unsigned k = 0; k < all.v[i]->n; k++)
			fn(arg, &all.v[i]->v[k]);
		obj_unref(all.v[i]);
	}
	free(all.v);
}

static int exchange(struct criteria_store *s, struct criteria_sets *fresh)
{
	struct criteria_sets *old;
	struct stale all = { 0 };

	pthread_mutex_lock(&s->lock);
	all.max = (unsigned)s->by_text.n;
	all.v = calloc(all.max ? all.max : 1, sizeof(*all.v));
	if (!all.v) {
		pthread_mutex_unlock(&s->lock);
		return -ENOMEM;
	}
	htab_each(&s->by_text, note_stale, &all);
	old = s->sets;
	s->sets = fresh;
	pthread_mutex_unlock(&s->lock);
	obj_unref(old);
	for (unsigned i = 0; i < all.n; i++) {
		compile_anew(s, fresh, all.v[i]);
		obj_unref(&all.v[i]->c);
	}
	free(all.v);
	return 0;
}

int criteria_store_put(struct criteria_store *s, uint32_t id, struct str text)
{
	struct criteria_sets *fresh;
	bool found = false;
	int rc = 0;

	if (text.l == 0 && criteria_store_set(s, id).l == 0)
		return -ENOENT;
	fresh = sets_new();
	if (!fresh)
		return -ENOMEM;
	for (unsigned i = 0; i < s->sets->n && rc == 0; i++) {
		const struct criteria_set *e = &s->sets->v[i];

		if (e->id != id || text.l)
			rc = sets_append(fresh, e->id, e->id == id ? text : e->text);
		found = found || e->id == id;
	}
	if (rc == 0 && !found)
		rc = sets_append(fresh, id, text);
	if (rc == 0)
		rc = exchange(s, fresh);
	if (rc < 0)
		obj_unref(fresh);
	return rc;
}

int criteria_store_add(struct criteria_store *s, uint32_t id, struct str text)
{
	return criteria_store_set(s, id).l ? -EEXIST : criteria_store_put(s, id, text);
}

struct str criteria_store_set(const struct criteria_store *s, uint32_t id)
{
	return criteria_sets_find(s->sets, id);
}

bool criteria_store_at(const struct criteria_store *s, unsigned i, uint32_t *ret_id, struct str *ret_elements)
{
	if (i >= s->sets->n)
		return false;
	if (ret_id)
		*ret_id = s->sets->v[i].id;
	if (ret_elements)
		*ret_elements = s->sets->v[i].text;
	return true;
}

size_t criteria_store_count(struct criteria_store *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->by_text.n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

struct criteria_store *criteria_store_new(void)
{
	struct criteria_store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	metrics_register(&m_skipped);
	metrics_register(&m_tables);
	s->sets = sets_new();
	if (s->sets && htab_init(&s->by_text, 64) == 0)
		return s;
	criteria_store_free(s);
	return NULL;
}

void criteria_store_free(struct criteria_store *s)
{
	if (!s)
		return;
	htab_fini(&s->by_text);
	obj_unref(s->sets);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
