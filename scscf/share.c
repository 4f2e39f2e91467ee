/* scscf/share.c - registrations that several instances of this S-CSCF share: rows H1, H6; reliability F15; common/README.md.
 *
 * What another instance wrote comes from the store's writer as news and goes to the worker that owns the private identity, as one more
 * piece of work on that registration.  It replaces what is known here, unless both have changed it at once: then it has what either
 * has.  The instance that wrote a registration last ends it, tells the HSS and the application servers; when it does not, being gone,
 * another one does, a while later (start_expiry()), once Redis says that there is nothing newer (share_ended()). */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/rand.h"
#include "scscf/keep.h"

static METRIC_DEF(m_late, "cscf_scscf_share_looks_late_total", METRIC_COUNTER,
		  "REGISTERs that went on without a look at the shared store, which did not answer within its time.", NULL, NULL);

#define MAX_TRIES 5u			/* filter criteria that come later than who refers to them */

struct news {
	struct reg_work work;		/* first */
	struct scscf *s;
	struct store_remote r;		/* its texts stand behind */
	uint32_t taken;			/* our own changes that the writer knew of */
	unsigned tries;
	char text[];
};

static void again(void *arg, int rc);

/* ---- what it means ---- */

static bool is_that(const struct binding *b, const struct keep_contact *c)
{
	if (binding_has_flow(b, c->instance, c->reg_id))
		return str_eq_c(c->instance, b->instance) && c->reg_id == b->reg_id;
	return str_eq_c(c->uri, b->uri) || (c->instance.l && str_eq_c(c->instance, b->instance) && c->reg_id == b->reg_id);
}

static const struct keep_contact *find_contact(const struct keep_record *k, const struct binding *b)
{
	for (unsigned i = 0; i < k->n_contacts; i++)
		if (is_that(b, &k->contact[i]))
			return &k->contact[i];
	return NULL;
}

static struct binding *find_binding(const struct registration *g, const struct keep_contact *c)
{
	struct list *pos;

	list_for_each(pos, &g->bindings)
		if (is_that(list_entry(pos, struct binding, link), c))
			return list_entry(pos, struct binding, link);
	return NULL;
}

/* Of one contact: the later REGISTER (RFC 3261 §10.3 step 7); of two Call-IDs that which ends later. */
static bool ours_counts(const struct registration *g, const struct binding *b, const struct keep_contact *c, uint64_t their_now_ms)
{
	uint64_t now = registration_now_ms(g);

	if (str_eq_c(c->call_id, b->call_id))
		return b->cseq > c->cseq;
	return b->expires_ms > now && b->expires_ms - now > (c->expires_ms > their_now_ms ? c->expires_ms - their_now_ms : 0);
}

/* A contact that only we have, or newer. */
static bool is_more(const struct registration *g, const struct keep_record *k, uint64_t their_now_ms)
{
	struct list *pos;

	list_for_each(pos, &g->bindings) {
		const struct binding *b = list_entry(pos, struct binding, link);
		const struct keep_contact *c = find_contact(k, b);

		if (!c || ours_counts(g, b, c, their_now_ms))
			return true;
	}
	return false;
}

/* Both have changed it: theirs are added to ours, or take their place, and it is written. */
static int merge(struct registration *g, const struct keep_record *k, uint64_t their_now_ms)
{
	int rc = 0;

	for (unsigned i = 0; i < k->n_contacts && rc == 0; i++) {
		const struct keep_contact *c = &k->contact[i];
		struct binding *b = find_binding(g, c);

		if (c->expires_ms <= their_now_ms || (b ? ours_counts(g, b, c, their_now_ms) : g->n_bindings >= REG_MAX_CONTACTS))
			continue;
		rc = binding_restore(g, c, registration_now_ms(g) + (c->expires_ms - their_now_ms));
		if (rc == 0 && b)
			binding_drop(g, b, REGINFO_NONE);
	}
	thirdparty_restore(g, k);
	log_info(LOG_REG, "two instances changed a registration at once: it has what is newer of both", LOG_C("impi", g->impi),
		 LOG_U("contacts", g->n_bindings));
	return rc == 0 ? registration_publish(g) : rc;
}

/* It has ended there, and everybody was told there. */
static void end_here(struct registration *g)
{
	g->r->restoring = true;
	thirdparty_forget(g);
	registration_clear(g, REGINFO_UNREGISTERED);
	g->r->restoring = false;
}

static int apply(struct registration *g, const struct news *n, const struct keep_record *k)
{
	if (n->r.gone || k->n_contacts == 0) {
		if (n->r.conflict && g->n_bindings)
			keep_registration(g);		/* the phone has heard 200 here */
		else if (g->profile)
			end_here(g);
		return 0;
	}
	if (n->r.conflict && g->profile && is_more(g, k, n->r.their_now_ms))
		return merge(g, k, n->r.their_now_ms);
	return keep_replace(g, k, n->r.their_now_ms);
}

/* ---- on the owner ---- */

static void news_run(struct registration *g, struct reg_work *w)
{
	struct news *n = (struct news *)w;
	struct keep_record *k = malloc(sizeof(*k));
	struct str missing = STR_NONE;
	int rc = k ? 0 : -ENOMEM;

	/* What we put since then meets a conflict: there will be newer news. */
	if (!n->r.conflict && (int32_t)(g->kept_sequence - n->taken) > 0)
		goto out;
	if (rc == 0 && !n->r.gone)
		rc = keep_record_read(n->r.value, k);
	if (rc == 0 && !n->r.gone && !keep_has_criteria(n->s, k, &missing) && n->tries++ < MAX_TRIES &&
	    store_fetch(n->s->shared, STORE_CRITERIA, missing, again, n) == 0) {
		free(k);
		if (g->profile)		/* what it is now does not end meanwhile */
			timer_start(g->r->sw->w->wheel, &g->expiry, SHARE_TAKEOVER_MS);
		registration_done(g);
		return;
	}
	if (rc == 0) {
		(void)store_took(n->s->shared, STORE_REGISTRATION, n->r.key, n->r.version);
		rc = apply(g, n, k);
	}
	if (rc < 0)
		log_warn(LOG_REG, "a registration of another instance cannot be used", LOG_S("impi", n->r.key), LOG_C("error", strerror(-rc)));
out:
	free(k);
	free(n);
	registration_done(g);
}

static void news_drop(struct reg_work *w)	/* the daemon stops */
{
	free(w);
}

static struct registration *find_set(struct registrar *r, struct str impi, unsigned set)
{
	struct registration_sets s;

	registration_sets(r, impi, &s);
	for (unsigned i = 0; i < s.n; i++)
		if (s.v[i]->set == set)
			return s.v[i];
	return NULL;
}

static struct registration *make_set(struct registrar *r, struct str impi, unsigned set, const struct news *n)
{
	struct keep_record *k = malloc(sizeof(*k));
	struct registration *g = NULL;

	if (k && keep_record_read(n->r.value, k) == 0)
		g = registration_get(r, impi, keep_began_with(k), k->emergency);
	if (g)
		g->set = (uint8_t)set;
	free(k);
	return g;
}

static void news_here(struct worker *owner, void *arg)
{
	struct registrar *r = scscf_of(owner)->registrar;
	struct news *n = arg;
	unsigned set;
	struct str impi = keep_key_impi(n->r.key, &set);
	struct registration *g = find_set(r, impi, set);

	if (!g && n->r.gone) {
		(void)store_took(n->s->shared, STORE_REGISTRATION, n->r.key, n->r.version);
		free(n);
		return;
	}
	if (!g)
		g = make_set(r, impi, set, n);
	n->work.run = news_run;
	n->work.drop = news_drop;
	list_init(&n->work.link);
	if (g && registration_do(g, &n->work) == 0)
		return;
	log_warn(LOG_REG, "news of another instance find no room", LOG_S("impi", n->r.key));	/* the next change brings them again */
	free(n);
}

static void again(void *arg, int rc)
{
	struct news *n = arg;
	unsigned set;

	if (rc == -ESHUTDOWN || worker_post(stack_owner(n->s->stack, keep_key_impi(n->r.key, &set)), news_here, n) < 0)
		free(n);
}

/* ---- its time is over, and its owner said nothing ---- */

struct question {
	struct worker *owner;
	uint64_t again_ms;		/* when the timer asks anew */
	int rc;				/* 0: what is newer, if anything, came before it */
	size_t l;
	char key[];
};

static void answered_here(struct worker *owner, void *arg)
{
	struct question *q = arg;
	unsigned set;
	struct str impi = keep_key_impi(str_make(q->key, q->l), &set);
	struct registration *g = find_set(scscf_of(owner)->registrar, impi, set);

	/* A timer that was started anew: it was refreshed, or news wait for filter criteria.  Work under way: they may wait for it. */
	if (g && g->foreign && g->profile && !g->current && q->rc == 0 && timer_pending(&g->expiry) && g->expiry.at_ms == q->again_ms)
		registration_timed(g, &g->expiry, &g->expiry_work);
	free(q);
}

static void on_answer(void *arg, int rc)
{
	struct question *q = arg;

	q->rc = rc;
	if (rc == -ESHUTDOWN || worker_post(q->owner, answered_here, q) < 0)
		free(q);
}

void share_ended(struct registration *g)
{
	char room[KEEP_MAX_KEY];
	struct str key = keep_key(g, room);
	struct question *q = malloc(sizeof(*q) + key.l);

	timer_start(g->r->sw->w->wheel, &g->expiry, SHARE_TAKEOVER_MS + rand_below(SHARE_TAKEOVER_MS));
	if (!q)
		return;
	*q = (struct question){ .owner = g->r->sw->w, .again_ms = g->expiry.at_ms, .l = key.l };
	memcpy(q->key, key.p, key.l);
	if (store_fetch(registration_scscf(g)->shared, STORE_REGISTRATION, key, on_answer, q) < 0)
		free(q);
}

/* ---- on the writer's thread ---- */

static void take_criteria(struct scscf *s, const struct store_remote *r)
{
	struct criteria *c;

	if (r->gone || criteria_get(s->criteria, r->value, &c) < 0)
		return;
	share_criteria(s, r->key, c);
	obj_unref(c);
}

static void changed(void *u, const struct store_remote *r)
{
	struct scscf *s = u;
	struct worker *owner;
	struct news *n;
	unsigned set;

	if (r->table == STORE_CRITERIA) {
		take_criteria(s, r);
		return;
	}
	owner = stack_owner(s->stack, keep_key_impi(r->key, &set));
	n = malloc(sizeof(*n) + r->key.l + r->value.l);
	if (n) {
		*n = (struct news){ .s = s, .r = *r, .taken = (uint32_t)store_taken(s->shared, owner->id) };
		n->r.key = str_make(n->text, r->key.l);
		n->r.value = str_make(n->text + r->key.l, r->value.l);
		memcpy(n->text, r->key.p, r->key.l);
		if (r->value.l)
			memcpy(n->text + r->key.l, r->value.p, r->value.l);
	}
	if (!n || worker_post(owner, news_here, n) < 0) {
		log_error(LOG_REG, "news of another instance are lost between threads", LOG_S("impi", r->key));
		free(n);
	}
}

void share_criteria(struct scscf *s, struct str digest, struct criteria *c)
{
	if (s->shared_criteria && cmap_put(s->shared_criteria, digest, c) < 0)
		log_error(LOG_REG, "out of memory: filter criteria of other instances' users are not known");
}

void share_begin(struct scscf *s, struct stack *stack, struct store *store)
{
	static const struct store_shared_ops ops = { .tables = 1u << STORE_REGISTRATION | 1u << STORE_CRITERIA, .changed = changed };

	metrics_register(&m_late);
	s->stack = stack;
	s->shared = store;
	store_share(store, &ops, s);
}

/* ---- a REGISTER comes ---- */

/* The answer and the time-out each have a reference; who is first takes the job, both on the owner's thread. */
struct look {
	struct list link;		/* registrar.looks, while the timer runs */
	struct timer deadline;		/* of the owner */
	struct worker *owner;
	struct reg_job *job;
	atomic_bool taken;
	atomic_uint refs;
};

static void look_unref(struct look *l)
{
	if (atomic_fetch_sub(&l->refs, 1) == 1)
		free(l);
}

static void look_timer_end(struct look *l)
{
	timer_stop(&l->deadline);
	list_del(&l->link);
	look_unref(l);
}

/* The writer's thread may wait for a disk: what is known here has to do. */
static void on_late(struct timer *t)
{
	struct look *l = container_of(t, struct look, deadline);

	if (!atomic_exchange(&l->taken, true)) {
		metric_add(&m_late, NULL, NULL, 1);
		log_warn(LOG_REG, "the shared store says nothing of a registration in time", LOG_S("impi", l->job->impi));
		registrar_job_here(l->owner, l->job);
	}
	look_timer_end(l);
}

static void look_done(struct worker *owner, void *arg)
{
	struct look *l = arg;

	if (!atomic_exchange(&l->taken, true))
		registrar_job_here(owner, l->job);
	if (timer_pending(&l->deadline))
		look_timer_end(l);
	look_unref(l);
}

/* Of any thread.  When the owner takes nothing now, its timer sees to the job; share_stop() does when all ends. */
static void on_looked(void *arg, int rc)
{
	struct look *l = arg;

	if (rc == -ESHUTDOWN || atomic_load(&l->taken) || worker_post(l->owner, look_done, l) < 0)
		look_unref(l);
}

void share_look(struct worker *owner, struct reg_job *job)
{
	struct look *l = calloc(1, sizeof(*l));

	if (l) {
		l->owner = owner;
		l->job = job;
		atomic_init(&l->refs, 2);
		timer_init(&l->deadline, on_late);
		timer_start(owner->wheel, &l->deadline, SHARE_LOOK_MS);
		list_add_tail(&scscf_of(owner)->registrar->looks, &l->link);
		if (store_fetch(store_of(owner->store), STORE_REGISTRATION, job->impi, on_looked, l) == 0)
			return;
		timer_stop(&l->deadline);
		list_del(&l->link);
		free(l);
	}
	registrar_job_here(owner, job);
}

void share_stop(struct registrar *r)
{
	while (!list_empty(&r->looks)) {
		struct look *l = list_entry(r->looks.next, struct look, link);

		if (!atomic_exchange(&l->taken, true))
			reg_job_free(l->job);
		look_timer_end(l);
	}
}
