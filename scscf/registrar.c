/* scscf/registrar.c - the table of registrations of one worker, the order in which work on one is done, its timer and its
 * publication.  TS 24.229 §5.4.1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/events.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "common/util/rand.h"
#include "scscf/keep.h"
#include "scscf/registration.h"

#define TIMER_AGAIN_MS 1000

static METRIC_DEF(m_outcomes, "cscf_registrar_outcomes_total", METRIC_COUNTER, "Registrations and de-registrations by kind and cause.",
		  "kind", "cause");
static METRIC_DEF(m_attempts, "cscf_register_attempts_total", METRIC_COUNTER, "REGISTERs that were judged, challenges apart, by kind.", "kind", NULL);
static METRIC_DEF(m_success, "cscf_register_success_total", METRIC_COUNTER, "REGISTERs that went well, by kind.", "kind", NULL);
static METRIC_DEF(m_failures, "cscf_register_failures_total", METRIC_COUNTER, "REGISTERs that failed, by cause.", "cause", NULL);
static METRIC_DEF(m_now, "cscf_registrations", METRIC_GAUGE, "Private identities registered now.", NULL, NULL);

void registration_outcome(const char *kind, const char *cause)
{
	metric_add(&m_outcomes, kind, cause, 1);
	if (strcmp(cause, "challenged") == 0 || strcmp(kind, "network") == 0)
		return;
	metric_add(&m_attempts, kind, NULL, 1);
	if (strcmp(cause, "ok") == 0)
		metric_add(&m_success, kind, NULL, 1);
	else
		metric_add(&m_failures, cause, NULL, 1);
}

/* ---- the table ---- */

/* Notes each that is found, and looks on. */
static bool collect(const struct hnode *n, const void *key)
{
	struct registration *g = container_of(n, struct registration, node);
	struct registration_sets *s = (struct registration_sets *)(uintptr_t)key;

	if (str_eq_c(s->impi, g->impi) && s->n < REG_MAX_SETS)
		s->v[s->n++] = g;
	return false;
}

void registration_sets(struct registrar *r, struct str impi, struct registration_sets *ret)
{
	*ret = (struct registration_sets){ .impi = impi };
	(void)htab_find(&r->by_impi, hash_str(impi), collect, ret);
}

struct registration *registration_find(struct registrar *r, struct str impi)
{
	struct registration *found = NULL;
	struct registration_sets s;

	registration_sets(r, impi, &s);
	for (unsigned i = 0; i < s.n; i++)
		if (!s.v[i]->emergency && (!found || (!found->profile && s.v[i]->profile)))
			found = s.v[i];
	return found;
}

/* A timer's piece of work queues like any other; when the queue is full it comes again. */
void registration_timed(struct registration *g, struct timer *t, struct reg_work *w)
{
	if (g->current == w || !list_empty(&w->link))
		return;			/* it is on its way already */
	if (registration_do(g, w) < 0)
		timer_start(g->r->sw->w->wheel, t, TIMER_AGAIN_MS);
}

static void on_expiry(struct timer *t)
{
	struct registration *g = container_of(t, struct registration, expiry);

	if (g->foreign)
		share_ended(g);
	else
		registration_timed(g, t, &g->expiry_work);
}

static uint8_t free_set(const struct registration_sets *s)
{
	uint8_t set = 0;

	for (unsigned i = 0; i < s->n;) {
		if (s->v[i]->set != set) {
			i++;
			continue;
		}
		set++;
		i = 0;
	}
	return set;
}

static void free_registration(struct registration *g)
{
	auth_forget(g);
	thirdparty_forget(g);
	timer_stop(&g->expiry);
	binding_drop_all(g, REGINFO_NONE);
	registration_tell(g, NULL);
	obj_unref(g->profile);
	obj_unref(g->leaving);
	free(g->pcfa);
	free(g->asking.impu);
	roll_del(&g->r->all, &g->at);
	htab_del(&g->r->by_impi, &g->node);
	free(g);
}

/* Anybody can begin one without proving anything: the oldest of these makes room for who comes now. */
static bool drop_unproven(const struct registration_sets *s)
{
	struct registration *oldest = NULL;

	for (unsigned i = 0; i < s->n; i++)
		if (!s->v[i]->profile && !s->v[i]->current && (!oldest || s->v[i]->at.serial < oldest->at.serial))
			oldest = s->v[i];
	if (oldest)
		free_registration(oldest);
	return oldest != NULL;
}

struct registration *registration_get(struct registrar *r, struct str impi, struct str impu, bool emergency)
{
	uint32_t hash = (uint32_t)hash_str(impu);
	struct registration_sets s;
	struct registration *g;

	registration_sets(r, impi, &s);
	for (unsigned i = 0; i < s.n; i++) {
		g = s.v[i];
		if (g->emergency == emergency && (g->impu_hash == hash || (g->profile && profile_find(g->profile, impu))))
			return g;
	}
	if (s.n == REG_MAX_SETS && !drop_unproven(&s))
		return NULL;
	registration_sets(r, impi, &s);
	g = calloc(1, sizeof(*g) + impi.l + 1);
	if (!g)
		return NULL;
	memcpy(g->impi, impi.p, impi.l);
	g->r = r;
	g->id = rand_u64();
	g->impu_hash = hash;
	g->emergency = emergency;
	g->set = free_set(&s);
	list_init(&g->queue);
	list_init(&g->bindings);
	list_init(&g->expiry_work.link);
	g->expiry_work.run = release_expired;
	timer_init(&g->expiry, on_expiry);
	htab_add(&r->by_impi, &g->node, hash_str(impi));
	roll_add(&r->all, &g->at);
	return g;
}

/* ---- one piece of work at a time ---- */

int registration_do(struct registration *g, struct reg_work *w)
{
	if (g->current) {
		if (g->n_queued == REG_MAX_QUEUE)
			return -EBUSY;
		list_add_tail(&g->queue, &w->link);
		g->n_queued++;
		return 0;
	}
	g->current = w;
	w->run(g, w);
	return 0;
}

void registration_done(struct registration *g)
{
	struct reg_work *w;

	g->current = NULL;
	if (!list_empty(&g->queue)) {
		w = list_entry(g->queue.next, struct reg_work, link);
		list_del(&w->link);
		g->n_queued--;
		g->current = w;
		w->run(g, w);
		return;
	}
	if (!g->profile && g->n_bindings == 0 && !auth_pending(g))
		free_registration(g);
}

static bool overlap(const struct profile *a, const struct profile *b)
{
	for (unsigned i = 0; a && b && i < a->n_identities; i++)
		if (profile_find(b, str_from_c(a->identity[i].aor)))
			return true;
	return false;
}

void registration_supersede(struct registration *g)
{
	struct registration_sets s;

	registration_sets(g->r, str_from_c(g->impi), &s);
	for (unsigned i = 0; i < s.n; i++) {
		struct registration *o = s.v[i];

		/* One that is being worked on ends itself: the HSS gives it the same identities. */
		if (o == g || o->emergency != g->emergency || o->current || !overlap(o->profile, g->profile))
			continue;
		log_info(LOG_REG, "the implicit registration set has changed", LOG_C("impi", g->impi));
		registration_clear(o, REGINFO_DEACTIVATED);
		if (!auth_pending(o))
			free_registration(o);
	}
}

/* ---- publication ---- */

static void start_expiry(struct registration *g)
{
	uint64_t next = binding_next_ms(g), now = registration_now_ms(g);

	timer_stop(&g->expiry);
	if (next != UINT64_MAX && g->foreign)
		next += SHARE_TAKEOVER_MS + rand_below(SHARE_TAKEOVER_MS);
	if (next != UINT64_MAX)
		timer_start(g->r->sw->w->wheel, &g->expiry, next > now ? next - now : 0);
}

/* Which identity of the profile was registered. */
static uint8_t registered_impu(const struct registration *g, const struct binding *b)
{
	for (unsigned i = 0; i < g->profile->n_identities; i++)
		if ((uint32_t)hash_str(str_from_c(g->profile->identity[i].aor)) == b->impu_hash)
			return (uint8_t)i;
	return REG_IMPU_UNKNOWN;
}

/* Operators hear of it: GET /api/v1/events. */
static void tell_event(const struct registration *g, const char *type, const char *why)
{
	struct worker *w = g->r->sw->w;
	const struct profile_identity *id = g->profile ? profile_default(g->profile) : NULL;
	cJSON *o;

	if (g->r->restoring || !events_wanted(w))
		return;
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "impi", g->impi);
	if (id)
		cJSON_AddStringToObject(o, "impu", id->uri);
	cJSON_AddNumberToObject(o, "contacts", g->n_bindings);
	if (why)
		cJSON_AddStringToObject(o, "why", why);
	events_add(o, "icid", log_correlation_get());
	events_post(w, type, o);
}

/* The P-CSCF names the network that it stands in: TS 24.229 §5.2.2.1. */
bool registration_visits_home(const struct scscf *s, const struct sip_msg *m)
{
	struct str visited = sip_unquote(sip_msg_value(m, SIP_H_PVNI));

	return visited.l && stack_is_home_domain(s->stack, visited);
}

int registration_publish(struct registration *g)
{
	struct reg_contact_view contact[REG_MAX_CONTACTS];
	uint64_t now = registration_now_ms(g), wall = clock_wall_us();
	struct reg_view *v;
	struct list *pos;
	unsigned n = 0;
	int rc;

	list_for_each(pos, &g->bindings) {
		struct binding *b = list_entry(pos, struct binding, link);

		if (n < REG_MAX_CONTACTS)
			contact[n++] = (struct reg_contact_view){
				.uri = b->uri, .params = b->params, .n_path = b->n_path, .path = b->path, .q = b->q & 0x7fff, .home = b->home,
				.expires_wall_us = wall + (b->expires_ms > now ? b->expires_ms - now : 0) * 1000,
				.call_id = b->call_id, .display = binding_display(b), .cseq = b->cseq, .event = b->event,
				.impu = registered_impu(g, b), .reg_id = b->reg_id & INT32_MAX, .gruu = b->gruu, .holder = &b->o,
			};
	}
	v = reg_view_new(g->id, str_from_c(g->impi), g->profile, g->pcfa, n, contact);
	if (v)
		v->emergency = g->emergency;
	rc = v ? reg_directory_publish(registration_scscf(g)->dir, v) : -ENOMEM;
	obj_unref(v);
	if (rc < 0) {
		registration_tell(g, NULL);
		return rc;
	}
	if (n == 0) {			/* unregistered: registrar_adopt() */
		timer_start(g->r->sw->w->wheel, &g->expiry, (uint64_t)registration_scscf(g)->reg->unregistered_keep_s * 1000);
		registration_tell(g, g->profile);
		keep_registration(g);
		return 0;
	}
	tell_event(g, !g->registered_wall_us ? "registration.created" : g->r->only_refreshed ? "registration.refreshed" : "registration.changed", NULL);
	if (!g->registered_wall_us) {
		g->registered_wall_us = wall;
		metric_adjust(&m_now, NULL, NULL, 1);
	}
	start_expiry(g);
	if (!g->r->only_refreshed || registration_scscf(g)->reg->notify_refresh)
		registration_tell(g, g->profile);
	g->r->only_refreshed = false;
	keep_registration(g);
	return 0;
}

void registration_clear(struct registration *g, enum reginfo_event event)
{
	if (event != REGINFO_NONE && g->n_bindings)
		restoration_ended(g);
	thirdparty_ended(g, NULL);
	reg_directory_withdraw(registration_scscf(g)->dir, g->id);
	timer_stop(&g->expiry);
	if (g->profile)
		keep_forget(g);
	binding_drop_all(g, event);
	registration_tell(g, g->profile);
	if (g->registered_wall_us)
		tell_event(g, "registration.ended", reginfo_event_name(event));
	auth_forget_unused(g);
	obj_unref(g->profile);
	g->profile = NULL;
	free(g->pcfa);
	g->pcfa = NULL;
	if (g->registered_wall_us)
		metric_adjust(&m_now, NULL, NULL, -1);
	g->registered_wall_us = 0;
	g->id = rand_u64();		/* an old Service-Route must not lead to what comes next */
}

/* ---- a user who is not registered ---- */

struct adoption {
	struct reg_work work;		/* first */
	struct profile *profile;	/* a reference */
	char *impi;
	void (*done)(void *arg, int rc);
	void *arg;
};

static void adoption_end(struct adoption *a, int rc)
{
	a->done(a->arg, rc);
	obj_unref(a->profile);
	free(a->impi);
	free(a);
}

static void adopt_run(struct registration *g, struct reg_work *w)
{
	struct adoption *a = (struct adoption *)w;
	int rc = 0;

	if (!g->profile) {
		g->profile = obj_ref(a->profile);
		rc = registration_publish(g);
		if (rc < 0)
			registration_clear(g, REGINFO_NONE);
	}
	adoption_end(a, rc);
	registration_done(g);
}

static void adopt_drop(struct reg_work *w)	/* the daemon stops */
{
	adoption_end((struct adoption *)w, -ESHUTDOWN);
}

static void adopt_here(struct worker *owner, void *arg)
{
	struct adoption *a = arg;
	struct registration *g = registration_get(scscf_of(owner)->registrar, str_from_c(a->impi), str_from_c(a->profile->identity[0].aor), false);

	if (!g)
		adoption_end(a, -ENOMEM);
	else if (registration_do(g, &a->work) < 0)
		adoption_end(a, -EBUSY);
}

int registrar_adopt(struct scscf *s, struct str impi, struct profile *p, void (*done)(void *arg, int rc), void *arg)
{
	struct adoption *a = calloc(1, sizeof(*a));
	int rc = -ENOMEM;

	if (!a)
		return rc;
	*a = (struct adoption){ .profile = obj_ref(p), .impi = str_dup(impi), .done = done, .arg = arg };
	list_init(&a->work.link);
	a->work.run = adopt_run;
	a->work.drop = adopt_drop;
	if (a->impi)
		rc = worker_call(worker_current(), stack_owner(s->stack, impi), adopt_here, a);
	if (rc < 0) {
		obj_unref(a->profile);
		free(a->impi);
		free(a);
	}
	return rc;
}

/* ---- a REGISTER arrives ---- */

static const char *kind_of(const struct reg_job *job)
{
	if (job->plan.kind == BIND_FETCH)
		return "fetch";
	if (!binding_leaves_some(job->g, &job->plan))
		return "deregistration";
	return job->g->profile && job->g->n_bindings ? "refresh" : "initial";
}

static void run_job(struct registration *g, struct reg_work *w)
{
	struct reg_job *job = (struct reg_job *)w;

	job->g = g;
	job->kind = kind_of(job);
	job->hss = hss_named(job->m);
	log_correlation(job->correlation);
	auth_run(job);
	log_correlation(STR_NONE);
}

static void drop_job(struct reg_work *w)
{
	reg_job_free((struct reg_job *)w);
}

void registrar_job(struct worker *owner, void *arg)
{
	if (owner->store && store_is_shared(store_of(owner->store)))
		share_look(owner, arg);
	else
		registrar_job_here(owner, arg);
}

void registrar_job_here(struct worker *owner, void *arg)
{
	struct registrar *r = scscf_of(owner)->registrar;
	struct reg_job *job = arg;
	struct registration *g = registration_get(r, job->impi, job->impu, job->plan.emergency);

	job->owner = owner;
	job->work.run = run_job;
	job->work.drop = drop_job;
	list_init(&job->work.link);
	if (g && registration_do(g, &job->work) == 0)
		return;
	reg_job_answer_later(job, 503, "busy", g ? "too many requests of this user wait" : "too many registration sets, or out of memory");
	reg_job_free(job);
}

/* ---- life ---- */

size_t registrar_count(const struct registrar *r)
{
	return r->by_impi.n;
}

struct registrar *registrar_new(struct scscf_worker *sw)
{
	struct registrar *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->sw = sw;
	roll_init(&r->all);
	list_init(&r->reporting.link);
	list_init(&r->ended);
	list_init(&r->looks);
	if (htab_init(&r->by_impi, 64) < 0) {
		free(r);
		return NULL;
	}
	metrics_register(&m_outcomes);
	metrics_register(&m_now);
	metrics_register(&m_attempts);
	metrics_register(&m_success);
	metrics_register(&m_failures);
	return r;
}

static void drop_work(struct reg_work *w)
{
	list_del(&w->link);
	if (w->drop)
		w->drop(w);
}

void registrar_free(struct registrar *r)
{
	struct list *pos, *next;

	if (!r)
		return;
	share_stop(r);
	list_for_each_safe(pos, next, &r->all.all) {
		struct registration *g = list_entry(pos, struct registration, at.link);

		while (!list_empty(&g->queue))
			drop_work(list_entry(g->queue.next, struct reg_work, link));
		if (g->current)
			drop_work(g->current);
		free_registration(g);
	}
	htab_fini(&r->by_impi);
	free(r);
}
