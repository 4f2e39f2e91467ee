/* scscf/release.c - the network ends a registration: expiry, REST, RTR.  TS 24.229 §5.4.1.5; TS 29.228 §6.1.2, §6.1.3; rows S7, S16. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "scscf/registration.h"

/* Which SAR type ends it, and whether one is sent at all: the HSS that sent an RTR knows already. */
static const struct {
	const char *text;
	bool sar;
	enum reginfo_event event;	/* TS 24.229 §5.4.1.5: "deactivated" when the phone shall register anew, else "rejected" */
} causes[] = {
	[REG_DEREG_ADMIN] = { "administrative", true, REGINFO_DEACTIVATED },
	[REG_DEREG_RTR_PERMANENT] = { "rtr_permanent_termination", false, REGINFO_REJECTED },
	[REG_DEREG_RTR_NEW_SERVER] = { "rtr_new_server_assigned", false, REGINFO_NONE },	/* it is registered elsewhere already */
	[REG_DEREG_RTR_SERVER_CHANGE] = { "rtr_server_change", false, REGINFO_DEACTIVATED },
	[REG_DEREG_RTR_REMOVE] = { "rtr_remove_scscf", false, REGINFO_NONE },
};

static void log_end(const struct registration *g, const char *impu, const char *cause)
{
	registration_outcome("network", cause);
	log_info(LOG_REG, "ended by the network", LOG_C("impi", g->impi), LOG_C("impu", impu), LOG_U("contacts", g->n_bindings),
		 LOG_C("cause", cause));
}

/* The identity that the HSS is told about: any one stands for its implicit set (TS 29.228 §6.1.2). */
static const char *default_impu(const struct registration *g)
{
	const struct profile_identity *id = g->profile ? profile_default(g->profile) : NULL;

	return id ? id->aor : g->profile && g->profile->n_identities ? g->profile->identity[0].aor : "";
}

bool release_others_stand(const struct registration *g, struct str impu)
{
	struct registration_sets s;

	registration_sets(g->r, str_from_c(g->impi), &s);
	for (unsigned i = 0; i < s.n; i++)
		if (s.v[i] != g && s.v[i]->profile && profile_find(s.v[i]->profile, impu))
			return true;
	return false;
}

/* ---- the S-CSCF's name stays with the HSS: TS 29.228 §6.1.2.1, TS 24.229 §5.4.1.4 ---- */

enum cx_sar_type release_begin(struct registration *g, enum cx_sar_type plain, enum reginfo_event event)
{
	const struct scscf *s = registration_scscf(g);
	enum cx_sar_type store = plain == CX_SAR_USER_DEREGISTRATION ? CX_SAR_USER_DEREGISTRATION_STORE_SERVER_NAME
								      : CX_SAR_TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME;
	bool keep = s->reg->keep_server_name && g->profile && !g->emergency && assign_wanted(s, store);

	if (keep)
		g->leaving = obj_ref(g->profile);
	registration_clear(g, event);
	return keep ? store : plain;
}

/* Success: the user is "unregistered" there, and ours.  Else (SUCCESS_SERVER_NAME_NOT_STORED, or no answer) nobody's. */
void release_end(struct registration *g, const struct assign_result *r)
{
	struct profile *p = g->leaving;

	g->leaving = NULL;
	if (p && r->status == 0 && r->dia.code == DIA_SUCCESS) {
		g->profile = obj_ref(p);
		if (registration_publish(g) < 0) {
			log_warn(LOG_REG, "the profile of a user who left could not be kept", LOG_C("impi", g->impi));
			registration_clear(g, REGINFO_NONE);
		}
	}
	obj_unref(p);
}

/* ---- expiry ---- */

static void on_expired_told(void *arg, const struct assign_result *r)
{
	struct registration *g = arg;

	if (r->status)
		log_info(LOG_REG, "the HSS did not take a report", LOG_C("impi", g->impi), LOG_C("why", r->why));
	release_end(g, r);
	registration_done(g);
}

void release_expired(struct registration *g, struct reg_work *w)
{
	char *impu;

	bool unregistered = g->profile && g->n_bindings == 0;	/* kept for its services, long enough */

	(void)w;
	if (!unregistered && (binding_expire(g, registration_now_ms(g)) == 0 || g->n_bindings)) {
		if (g->profile && registration_publish(g) < 0)
			log_error(LOG_REG, "out of memory: an expired contact is still shown", LOG_C("impi", g->impi));
		registration_done(g);
		return;
	}
	impu = strdup(default_impu(g));
	log_end(g, impu ? impu : "", unregistered ? "not used any more" : "expired");
	if (!impu || release_others_stand(g, str_from_c(impu))) {
		registration_clear(g, REGINFO_EXPIRED);
		registration_done(g);
	} else if (unregistered) {
		registration_clear(g, REGINFO_EXPIRED);
		assign_report(g, CX_SAR_TIMEOUT_DEREGISTRATION, str_from_c(impu));
	} else {
		assign_send(g, release_begin(g, CX_SAR_TIMEOUT_DEREGISTRATION, REGINFO_EXPIRED), str_from_c(impu), on_expired_told, g);
	}
	free(impu);
}

/* ---- REST, RTR ---- */

struct dereg {
	struct scscf *s;
	enum reg_dereg_cause cause;
	void (*done)(void *arg, const struct reg_dereg_result *r);
	void *arg;
	char *impi;
	unsigned n_impus, left;		/* left: parts, and one for us until all are begun */
	struct reg_dereg_result result;
	struct dereg_part {		/* one for each set of the private identity */
		struct reg_work work;	/* first */
		struct dereg *d;
		struct registration *g;
	} part[REG_MAX_SETS];
	char *impu[CX_MAX_LIST];
};

static void dereg_free(struct dereg *d)
{
	free((char *)(uintptr_t)d->result.emergency);
	for (unsigned i = 0; i < d->n_impus; i++)
		free(d->impu[i]);
	free(d->impi);
	free(d);
}

static void count_down(struct dereg *d)
{
	if (--d->left)
		return;
	if (d->done)
		d->done(d->arg, &d->result);
	dereg_free(d);
}

/* hss NULL: it was not asked.  The worst that it said is what counts. */
static void part_end(struct dereg_part *p, bool found, const struct dia_result *hss)
{
	struct registration *g = p->g;
	struct reg_dereg_result *r = &p->d->result;

	r->found = r->found || found;
	if (hss && (r->hss.code == 0 || hss->err || hss->code != DIA_SUCCESS) && r->hss.err == 0)
		r->hss = *hss;
	count_down(p->d);
	if (g)
		registration_done(g);
}

static void on_told(void *arg, const struct assign_result *r)
{
	part_end(arg, true, &r->dia);
}

static void dereg_drop(struct reg_work *w)	/* the daemon stops */
{
	struct dereg_part *p = (struct dereg_part *)w;
	struct dia_result stopped = { -ESHUTDOWN, 0, false };

	p->g = NULL;
	part_end(p, true, &stopped);
}

/* An identity of an implicit set takes its whole set along (TS 24.229 §5.4.1.5). */
static bool concerns(const struct dereg *d, const struct registration *g)
{
	char text[512];
	struct sip_uri u;
	struct str aor;

	for (unsigned i = 0; i < d->n_impus; i++)
		if (sip_uri_parse(str_from_c(d->impu[i]), &u, NULL) == 0 &&
		    sip_uri_aor(&u, text, sizeof(text), &aor) == 0 && profile_find(g->profile, aor))
			return true;
	return d->n_impus == 0;
}

static void dereg_run(struct registration *g, struct reg_work *w)
{
	struct dereg_part *p = (struct dereg_part *)w;
	const struct dereg *d = p->d;
	static const struct dia_result untold = { 0, DIA_SUCCESS, false };	/* as it should be: that for emergencies stands */
	char *impu;

	p->g = g;
	if (!g->profile || !concerns(d, g)) {
		part_end(p, false, NULL);
		return;
	}
	impu = strdup(default_impu(g));
	log_end(g, impu ? impu : "", causes[d->cause].text);
	registration_clear(g, causes[d->cause].event);
	if (causes[d->cause].sar && impu && !release_others_stand(g, str_from_c(impu)))
		assign_send(g, CX_SAR_ADMINISTRATIVE_DEREGISTRATION, str_from_c(impu), on_told, p);
	else
		part_end(p, true, causes[d->cause].sar && impu ? &untold : NULL);
	free(impu);
}

static void dereg_here(struct worker *owner, void *arg)
{
	struct dereg *d = arg;
	struct registration_sets s;

	d->left = 1;
	registration_sets(scscf_of(owner)->registrar, str_from_c(d->impi), &s);
	for (unsigned i = 0; i < s.n; i++) {
		struct dereg_part *p = &d->part[i];

		if (s.v[i]->emergency) {	/* TS 24.229 §5.4.8.5: it is let run out */
			if (s.v[i]->profile && s.v[i]->n_bindings && !d->result.emergency)
				d->result.emergency = strdup(default_impu(s.v[i]));
			continue;
		}
		p->d = d;
		list_init(&p->work.link);
		p->work.run = dereg_run;
		p->work.drop = dereg_drop;
		d->left++;
		if (registration_do(s.v[i], &p->work) < 0) {
			struct dia_result busy = { -EBUSY, 0, false };

			log_warn(LOG_REG, "too much waits for this registration: it is not ended", LOG_C("impi", d->impi));
			part_end(p, true, &busy);
		}
	}
	count_down(d);
}

int registrar_deregister(struct scscf *s, struct str impi, const struct cx_strs *impus, enum reg_dereg_cause cause,
			 void (*done)(void *arg, const struct reg_dereg_result *r), void *arg)
{
	struct dereg *d = calloc(1, sizeof(*d));
	int rc = d ? 0 : -ENOMEM;

	if (!d)
		return rc;
	*d = (struct dereg){ .s = s, .cause = cause, .done = done, .arg = arg, .impi = str_dup(impi) };
	for (; impus && d->n_impus < impus->n && rc == 0; d->n_impus++)
		if (!(d->impu[d->n_impus] = str_dup(impus->v[d->n_impus])))
			rc = -ENOMEM;
	if (rc == 0 && !d->impi)
		rc = -ENOMEM;
	if (rc == 0)
		rc = worker_call(worker_current(), stack_owner(s->stack, impi), dereg_here, d);
	if (rc < 0)
		dereg_free(d);
	return rc;
}
