/* scscf/restoration.c - what the HSS keeps so that a user whom this node has forgotten can be served: TS 23.380 §4.2 to §4.4, TS 29.228
 * §6.1.2; row D9.
 *
 * With the SAR of a registration go the contacts that will stand when it is through, and again whenever they change.  After a restart the SAA
 * of a call to (UNREGISTERED_USER) or from (NO_ASSIGNMENT) such a user brings them back: unregistered.c asks, the owner takes them up here. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/hash.h"
#include "scscf/registration.h"

#define RESTORED_MAX_BYTES (32u * 1024)
/* What the HSS says was asked before it heard of an end: longer than a question to it takes. */
#define REST_MS 10000u

/* ---- to the HSS ---- */

static bool is_replaced(const struct binding *b, const struct binding_plan *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (binding_is_same(b, &p->change[i]))
			return true;
	return false;
}

static struct str join(struct arena *a, char *const *path, unsigned n)
{
	struct arena_text t = arena_text(a);

	for (unsigned i = 0; i < n; i++)
		arena_text_item(&t, str_from_c(path[i]));
	return arena_text_str(&t);
}

static struct str contact_text(struct arena *a, struct str uri, struct str params, uint16_t q, uint64_t expires_s)
{
	return arena_printf(a, "<%.*s>%s%.*s;q=%u.%03u;expires=%llu", STR_ARG(uri), params.l ? ";" : "", STR_ARG(params), q / 1000u, q % 1000u,
			    (unsigned long long)expires_s);
}

static void add(struct cx_restoration *to, struct str path, struct str contact, struct str call_id, uint32_t cseq)
{
	if (to->n < CX_MAX_RESTORED && contact.l)
		to->v[to->n++] = (struct cx_restored){ path, contact, call_id, cseq };
}

void restoration_make(const struct reg_job *job, struct arena *a, struct cx_restoration *ret)
{
	const struct registration *g = job->g;
	const struct binding_plan *p = &job->plan;
	uint64_t now = registration_now_ms(g);
	struct arena_text path = arena_text(a);
	struct list *pos;

	*ret = (struct cx_restoration){ .impi = str_from_c(g->impi) };
	for (unsigned i = 0; i < p->n_path; i++)
		arena_text_item(&path, p->path[i]);
	for (unsigned i = 0; i < p->n; i++)
		if (p->change[i].expires_s)
			add(ret, arena_text_str(&path), contact_text(a, p->change[i].uri, p->change[i].params, p->change[i].q, p->change[i].expires_s),
			    job->m->call_id, job->m->cseq);
	list_for_each(pos, &g->bindings) {
		const struct binding *b = list_entry(pos, struct binding, link);

		if (b->expires_ms > now && !is_replaced(b, p))
			add(ret, join(a, b->path, b->n_path),
			    contact_text(a, str_from_c(b->uri), str_from_c(b->params), b->q, (b->expires_ms - now) / 1000), str_from_c(b->call_id), b->cseq);
	}
}

bool restoration_wanted(const struct scscf *s)
{
	return s->reg->restoration && s->hss == HSS_STANDARD;
}

bool restoration_is_kept(struct scscf *s)
{
	return restoration_wanted(s) && (atomic_load_explicit(&s->hss_features, memory_order_relaxed) & CX_FEATURE_RESTORATION);
}

/* ---- from the HSS ---- */

static uint64_t *ended_of(const struct registration *g)
{
	return &g->r->ended_ms[hash_str(str_from_c(g->impi)) % REG_ENDED_PLACES];
}

void restoration_ended(const struct registration *g)
{
	*ended_of(g) = registration_now_ms(g);
}

static bool ended_lately(const struct registration *g)
{
	uint64_t at = *ended_of(g);

	return at && registration_now_ms(g) - at < REST_MS;
}

struct restoration {
	struct reg_work work;		/* first */
	struct arena *a;
	struct profile *profile;	/* a reference */
	struct str impi, impu;
	uint64_t id;			/* that the registration had; 0: not known */
	struct cx_restoration what;
	void (*done)(void *arg, int rc);
	void *arg;
};

static void end(struct restoration *r, int rc)
{
	r->done(r->arg, rc);
	obj_unref(r->profile);
	arena_unref(r->a);
	free(r);
}

static int take_up(struct registration *g, struct restoration *r)
{
	int rc = 0;

	if (g->n_bindings)		/* it has registered again meanwhile */
		return 0;
	if (ended_lately(g))		/* a request for it crossed its end */
		return -ESTALE;
	for (unsigned i = 0; i < r->what.n && rc != -ENOMEM; i++)
		rc = binding_take_up(g, r->impu, &r->what.v[i], r->a);
	if (g->n_bindings == 0)
		return rc < 0 ? rc : -EBADMSG;
	obj_unref(g->profile);
	g->profile = obj_ref(r->profile);
	if (r->id && r->id != g->id) {
		reg_directory_withdraw(registration_scscf(g)->dir, g->id);	/* it may have been kept for services of an unregistered user */
		g->id = r->id;
	}
	rc = registration_publish(g);
	if (rc < 0)
		registration_clear(g, REGINFO_NONE);
	else
		log_info(LOG_REG, "registration restored from the HSS", LOG_C("impi", g->impi), LOG_U("contacts", g->n_bindings));
	return rc;
}

static void restore_run(struct registration *g, struct reg_work *w)
{
	struct restoration *r = (struct restoration *)w;
	int rc = take_up(g, r);

	registration_outcome("restored", rc == 0 ? "ok" : "failed");
	end(r, rc);
	registration_done(g);
}

static void restore_drop(struct reg_work *w)	/* the daemon stops */
{
	end((struct restoration *)w, -ESHUTDOWN);
}

static void restore_here(struct worker *owner, void *arg)
{
	struct restoration *r = arg;
	struct registration *g = registration_get(scscf_of(owner)->registrar, r->impi, r->impu, false);

	if (!g)
		end(r, -ENOMEM);
	else if (registration_do(g, &r->work) < 0)
		end(r, -EBUSY);
}

static bool copy(struct restoration *r, const struct cx_restoration *what)
{
	bool good = true;

	r->what.n = what->n;
	for (unsigned i = 0; i < what->n && good; i++) {
		const struct cx_restored *from = &what->v[i];
		struct cx_restored *to = &r->what.v[i];

		*to = (struct cx_restored){ arena_dup(r->a, from->path), arena_dup(r->a, from->contact), arena_dup(r->a, from->call_id), from->cseq };
		good = to->path.p && to->contact.p && to->call_id.p && to->path.l + to->contact.l + to->call_id.l <= RESTORED_MAX_BYTES;
	}
	return good;
}

int registrar_restore(struct scscf *s, const struct cx_restoration *what, struct str impu, struct profile *p, uint64_t id,
		      void (*done)(void *arg, int rc), void *arg)
{
	struct restoration *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (!r)
		return rc;
	*r = (struct restoration){ .a = arena_new(1024), .profile = obj_ref(p), .id = id, .done = done, .arg = arg };
	list_init(&r->work.link);
	r->work.run = restore_run;
	r->work.drop = restore_drop;
	if (r->a) {
		r->impi = arena_dup(r->a, what->impi);
		r->impu = arena_dup(r->a, impu);
		if (r->impi.p && r->impu.p && copy(r, what))
			rc = worker_call(worker_current(), stack_owner(s->stack, r->impi), restore_here, r);
	}
	if (rc < 0) {
		obj_unref(r->profile);
		arena_unref(r->a);
		free(r);
	}
	return rc;
}
