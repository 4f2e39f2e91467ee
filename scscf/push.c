/* scscf/push.c - what the HSS pushes: RTR (TS 29.228 §6.1.3) and PPR (§6.2); rows S16, S17, D7, D8.
 *
 * Both come on the main thread, go to the owners of the private identities they name, and are answered from the main thread
 * when all owners are through. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "scscf/keep.h"
#include "scscf/registration.h"

/* ---- RTR ---- */

struct rtr {				/* one per request; owners count down */
	struct scscf *s;
	struct dia_peer_request *q;
	struct worker_return back;
	atomic_uint left;
	atomic_uint found, failed;
	unsigned n;
	struct rtr_part {
		struct rtr *r;
		struct str impi;	/* lives as long as the request */
		atomic_bool found;
		char *emergency;	/* identity that stays; written before the count goes down */
	} part[CX_MAX_LIST + 1];
};

static const enum reg_dereg_cause rtr_causes[] = {	/* Reason-Code, TS 29.229 §6.3.17 */
	REG_DEREG_RTR_PERMANENT, REG_DEREG_RTR_NEW_SERVER, REG_DEREG_RTR_SERVER_CHANGE, REG_DEREG_RTR_REMOVE
};

static void rtr_free(struct rtr *r)
{
	for (unsigned i = 0; i < r->n; i++)
		free(r->part[i].emergency);
	free(r);
}

/* Main thread. */
static void rtr_answer(void *arg)
{
	struct rtr *r = arg;
	struct cx_rta a = { .result = { 0, DIA_SUCCESS, false } };

	/* TS 29.228 §6.1.3.1: who is registered for emergencies stays so, and the HSS is told. */
	for (unsigned i = 0; i < r->n; i++)
		if (r->part[i].emergency)
			a.emergency[a.n_emergency++] = (struct cx_pair){ r->part[i].impi, str_from_c(r->part[i].emergency) };
	if (atomic_load(&r->failed))
		a.result = (struct dia_result){ 0, DIA_UNABLE_TO_COMPLY, false };
	else if (a.n_emergency)
		a.result = (struct dia_result){ 0, DIA_LIMITED_SUCCESS, false };
	else if (atomic_load(&r->found) == 0)
		a.result = (struct dia_result){ 0, CX_USER_UNKNOWN, true };
	/* TS 29.228 §6.1.3: the private identities that went along, beside the one that was asked about. */
	for (unsigned i = 1; i < r->n && a.associated_impis.n < CX_MAX_LIST; i++)
		if (atomic_load(&r->part[i].found))
			a.associated_impis.v[a.associated_impis.n++] = r->part[i].impi;
	cx_rta_send(r->q, &a);
	rtr_free(r);
}

static void rtr_count_down(struct rtr *r)
{
	if (atomic_fetch_sub(&r->left, 1) == 1 && worker_return_main(worker_current(), r->s->stack, &r->back, rtr_answer, r) < 0)
		rtr_free(r);		/* the daemon stops */
}

static void rtr_done(void *arg, const struct reg_dereg_result *res)
{
	struct rtr_part *p = arg;

	if (res->emergency)
		p->emergency = strdup(res->emergency);
	if (res->found && res->hss.err == 0) {
		atomic_store(&p->found, true);
		atomic_fetch_add(&p->r->found, 1);
	} else if (res->hss.err) {
		atomic_fetch_add(&p->r->failed, 1);
	}
	rtr_count_down(p->r);
}

static void on_rtr(void *u, struct dia_peer_request *q, const struct cx_rtr *m)
{
	struct scscf *s = u;
	struct rtr *r = calloc(1, sizeof(*r));
	struct cx_rta bad = { .result = { 0, DIA_UNABLE_TO_COMPLY, false } };

	log_info(LOG_DIA, "RTR", LOG_S("impi", m->impi), LOG_U("impus", m->impus.n), LOG_U("reason_code", m->reason_code),
		 LOG_S("reason", m->reason_info), LOG_S("from", m->origin_host));
	if (!r || m->impi.l == 0 || m->reason_code >= sizeof(rtr_causes) / sizeof(rtr_causes[0])) {
		if (r && m->impi.l == 0)
			bad.result.code = DIA_MISSING_AVP;
		free(r);
		cx_rta_send(q, &bad);
		return;
	}
	r->s = s;
	r->q = q;
	r->part[r->n++].impi = m->impi;
	for (unsigned i = 0; i < m->associated_impis.n; i++)
		if (!str_eq(m->associated_impis.v[i], m->impi))
			r->part[r->n++].impi = m->associated_impis.v[i];
	atomic_store(&r->left, r->n + 1);		/* one for us, until all are asked */
	for (unsigned i = 0; i < r->n; i++) {
		r->part[i].r = r;
		if (registrar_deregister(s, r->part[i].impi, &m->impus, rtr_causes[m->reason_code], rtr_done, &r->part[i]) < 0) {
			atomic_fetch_add(&r->failed, 1);
			rtr_count_down(r);
		}
	}
	rtr_count_down(r);
}

/* ---- PPR at the owner ---- */

struct push {
	struct reg_work work;		/* first */
	char *impi, *xml, *pcfa;
	size_t xml_l;
	struct profile *fresh;		/* a reference; of xml */
	void (*done)(void *arg, int rc);
	void *arg;
};

static void push_free(struct push *p)
{
	obj_unref(p->fresh);
	free(p->impi);
	free(p->xml);
	free(p->pcfa);
	free(p);
}

static void push_end(struct push *p, int rc)
{
	p->done(p->arg, rc);
	push_free(p);
}

static void push_drop(struct reg_work *w)	/* the daemon stops */
{
	push_end((struct push *)w, -ESHUTDOWN);
}

static int replace_profile(struct registration *g, struct profile *fresh)
{
	struct profile *old = g->profile;
	int rc;

	g->profile = obj_ref(fresh);
	rc = registration_publish(g);
	if (rc < 0) {
		obj_unref(fresh);
		g->profile = old;
		return rc;
	}
	registration_tell(g, old);		/* those who watch what is no more */
	obj_unref(old);
	log_info(LOG_REG, "profile replaced", LOG_C("impi", g->impi), LOG_U("identities", fresh->n_identities));
	return 0;
}

static void push_run(struct registration *g, struct reg_work *w)
{
	struct push *p = (struct push *)w;
	int rc = g->profile ? 0 : -ENOENT;

	if (rc == 0 && p->fresh)
		rc = replace_profile(g, p->fresh);
	push_end(p, rc);
	registration_done(g);
}

/* Charging addresses are of the user, not of a set; nothing waits for them. */
static void push_charging(const struct registration_sets *s, struct push *p)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct registration *g = s->v[i];
		char *copy = g->profile ? strdup(p->pcfa) : NULL;

		if (!copy)
			continue;
		free(g->pcfa);
		g->pcfa = copy;
		keep_registration(g);
	}
}

/* The set that the profile is for: the one that has most of its identities.  NULL: none has any, or nothing is registered. */
static struct registration *set_of(const struct registration_sets *s, const struct profile *fresh)
{
	struct registration *best = NULL;
	unsigned most = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct profile *have = s->v[i]->profile;
		unsigned same = 0;

		for (unsigned k = 0; have && k < fresh->n_identities; k++)
			same += profile_find(have, str_from_c(fresh->identity[k].aor)) != NULL;
		if (have && !s->v[i]->emergency && (same > most || !best)) {
			best = s->v[i];
			most = same;
		}
	}
	return best;
}

static void push_here(struct worker *owner, void *arg)
{
	struct push *p = arg;
	struct registration_sets s;
	struct registration *g;
	char why[160];
	int rc = 0;

	registration_sets(scscf_of(owner)->registrar, str_from_c(p->impi), &s);
	g = registration_find(scscf_of(owner)->registrar, str_from_c(p->impi));
	if (!g) {
		push_end(p, -ENOENT);
		return;
	}
	if (p->xml_l)
		rc = profile_parse(str_make(p->xml, p->xml_l), scscf_of(owner)->s->criteria, &p->fresh, why);
	if (rc < 0) {
		log_warn(LOG_REG, "a pushed profile cannot be used", LOG_C("impi", g->impi), LOG_C("why", why));
		push_end(p, rc);
		return;
	}
	if (p->pcfa)
		push_charging(&s, p);
	if (p->fresh && set_of(&s, p->fresh))
		g = set_of(&s, p->fresh);
	if (registration_do(g, &p->work) < 0)
		push_end(p, -EBUSY);
}

int registrar_push_profile(struct scscf *s, struct str impi, struct str xml, struct str pcfa, void (*done)(void *arg, int rc),
			   void *arg)
{
	struct push *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (!p)
		return rc;
	*p = (struct push){ .impi = str_dup(impi), .xml = str_dup(xml), .pcfa = pcfa.l ? str_dup(pcfa) : NULL, .xml_l = xml.l,
			    .done = done, .arg = arg };
	list_init(&p->work.link);
	p->work.run = push_run;
	p->work.drop = push_drop;
	if (p->impi && p->xml && (p->pcfa || !pcfa.l))
		rc = worker_call(worker_current(), stack_owner(s->stack, impi), push_here, p);
	if (rc < 0)
		push_free(p);
	return rc;
}

/* ---- PPR ---- */

struct ppr {
	struct scscf *s;
	struct dia_peer_request *q;
	struct worker_return back;
	int rc;
};

/* TS 29.228 §6.2.2: what the HSS hears. */
static struct dia_result ppr_result(int rc)
{
	switch (rc) {
	case 0: return (struct dia_result){ 0, DIA_SUCCESS, false };
	case -ENOENT: return (struct dia_result){ 0, CX_USER_UNKNOWN, true };
	case -EBADMSG: return (struct dia_result){ 0, CX_NOT_SUPPORTED_USER_DATA, true };
	case -EFBIG: return (struct dia_result){ 0, CX_TOO_MUCH_DATA, true };
	default: return (struct dia_result){ 0, DIA_UNABLE_TO_COMPLY, false };
	}
}

static void ppr_answer(void *arg)
{
	struct ppr *p = arg;
	struct cx_ppa a = { .result = ppr_result(p->rc) };

	cx_ppa_send(p->q, &a);
	free(p);
}

static void ppr_done(void *arg, int rc)
{
	struct ppr *p = arg;

	p->rc = rc;
	if (worker_return_main(worker_current(), p->s->stack, &p->back, ppr_answer, p) < 0)
		free(p);
}

static void on_ppr(void *u, struct dia_peer_request *q, const struct cx_ppr *m)
{
	struct scscf *s = u;
	struct ppr *p = calloc(1, sizeof(*p));
	const struct str charging[] = { m->primary_ccf, m->secondary_ccf, m->primary_ecf, m->secondary_ecf };
	char *pcfa = charging_addresses(charging);
	int rc = p ? 0 : -ENOMEM;

	log_info(LOG_DIA, "PPR", LOG_S("impi", m->impi), LOG_U("user_data_bytes", m->user_data.l), LOG_S("from", m->origin_host));
	if (p) {
		*p = (struct ppr){ .s = s, .q = q };
		rc = registrar_push_profile(s, m->impi, m->user_data, str_from_c(pcfa), ppr_done, p);
	}
	if (rc < 0) {
		struct cx_ppa a = { .result = ppr_result(rc) };

		cx_ppa_send(q, &a);
		free(p);
	}
	free(pcfa);
}

const struct cx_server_ops scscf_push_ops = { .rtr = on_rtr, .ppr = on_ppr };
