/* scscf/accept.c - an authenticated REGISTER at its owner: server assignment, bindings, 200.  TS 24.229 §5.4.1.2.2, §5.4.1.4
 * (de-registration by the phone); RFC 3261 §10.3; RFC 3327, RFC 3608, RFC 7315; rows S7, S8, S10, S11, S12. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/hash.h"
#include "scscf/registration.h"

#define REPEAT_S 32u		/* Timer F of the P-CSCF: nobody waits for longer (RFC 3261 §17.1.2.2) */

static void finish(struct reg_job *job)
{
	struct registration *g = job->g;

	reg_job_free(job);
	registration_done(g);
}

/* ---- the 200 ---- */

/* RFC 3608: requests of this phone come back with it.  The token says "originating" by being a Service-Route's. */
static void write_service_route(const struct registration *g, struct buf *out)
{
	struct scscf *s = registration_scscf(g);
	struct token t = { .kind = TOKEN_SERVICE_ROUTE, .id = g->id };
	char text[TOKEN_STRLEN];

	token_make(stack_token_key(s->stack), &t, text);
	buf_printf(out, "Service-Route: <sip:%s@%.*s;lr>\r\n", text, STR_ARG(stack_sip_name(s->stack)));
}

static void write_associated(const struct registration *g, struct buf *out)
{
	struct buf v;

	buf_init(&v, 32 * 1024);
	profile_associated_uri(g->profile, &v);
	if (v.failed)
		out->failed = true;
	else if (v.l)
		buf_printf(out, "P-Associated-URI: %.*s\r\n", STR_ARG(buf_str(&v)));
	buf_fini(&v);
}

/* The one that registers, when others may see it and it is a SIP URI; else the first such one of its set. */
static const struct profile_identity *gruu_identity(const struct reg_job *job)
{
	const struct profile *p = job->g->profile;
	const struct profile_identity *id = p ? profile_find(p, job->impu) : NULL;

	if (id && !id->barred && strncmp(id->aor, "sip:", 4) == 0)
		return id;
	for (unsigned i = 0; p && i < p->n_identities; i++)
		if (!p->identity[i].barred && strncmp(p->identity[i].aor, "sip:", 4) == 0)
			return &p->identity[i];
	return NULL;
}

/* Part of what some phones want before they do anything: without a number they are registered and stay mute. */
static void warn_numberless(const struct reg_job *job)
{
	if (strcmp(job->kind, "initial") == 0 && job->g->n_bindings && job->g->profile && !profile_has_number(job->g->profile))
		log_warn(LOG_REG, "the implicit registration set has no number: some phones neither subscribe to their state nor call then",
			 LOG_S("impi", job->impi), LOG_S("impu", job->impu));
}

static void answer_200(struct reg_job *job, const char *cause, const char *why, bool again)
{
	struct registration *g = job->g;
	const struct sip_msg *m = job->m;
	struct buf out;

	buf_init(&out, SIP_MSG_MAX_BYTES / 2);
	if (g->n_bindings) {
		for (unsigned i = 0; i < job->plan.n_path; i++)			/* RFC 3327 §5.3: echoed */
			buf_printf(&out, "Path: %.*s\r\n", STR_ARG(job->plan.path[i]));
		if (job->plan.n_path)
			buf_puts(&out, "Supported: path\r\n");
		if (job->plan.outbound)
			buf_puts(&out, "Require: outbound\r\n");
		write_service_route(g, &out);
		write_associated(g, &out);
		if (job->s->reg->feature_caps && !g->emergency)		/* §5.4.1.2.2F */
			buf_printf(&out, "Feature-Caps: %s\r\n", job->s->reg->feature_caps);
		/* Only inside the home network: TS 24.229 §5.4.1.2.2. */
		if (g->pcfa && registration_visits_home(registration_scscf(g), m))
			buf_printf(&out, "P-Charging-Function-Addresses: %s\r\n", g->pcfa);
	}
	binding_write_contacts(g, gruu_identity(job), &out);
	if (job->auth_info)
		buf_puts(&out, job->auth_info);
	warn_numberless(job);
	if (out.failed)
		reg_job_answer_later(job, 500, "failed", "the answer does not fit");
	else
		reg_job_answer(job, 200, cause, why, buf_str(&out));
	if (!again && !out.failed) {
		g->accepted = job->fingerprint;
		g->accepted_s = (uint32_t)(registration_now_ms(g) / 1000);
	}
	if (!again && g->n_bindings && job->plan.kind != BIND_FETCH && !out.failed)
		thirdparty_registered(g, job, buf_str(&out));
	buf_fini(&out);
	finish(job);
}

static void answer_min_expires(struct reg_job *job)
{
	char extra[48];

	snprintf(extra, sizeof(extra), "Min-Expires: %u\r\n", job->s->reg->min_expires_s);
	reg_job_answer(job, 423, "too_brief", "the phone asked for too short a time", str_from_c(extra));
	finish(job);
}

/* ---- de-registration by the phone: TS 24.229 §5.4.1.4 ---- */

/* The phone leaves whatever the HSS says: its contact was gone before we asked.  It hears 200. */
static void on_left(void *arg, const struct assign_result *r)
{
	struct reg_job *job = arg;

	release_end(job->g, r);
	answer_200(job, "ok", r->status ? r->why : NULL, false);
}

static void leave(struct reg_job *job)
{
	if (job->g->emergency) {		/* TS 24.229 §5.4.8.4: it ends by its time alone */
		reg_job_answer(job, 501, "emergency", "a registration for emergencies ends by its time", STR_NONE);
		finish(job);
		return;
	}
	thirdparty_ended(job->g, job);
	if (release_others_stand(job->g, job->impu)) {
		registration_clear(job->g, REGINFO_UNREGISTERED);
		answer_200(job, "ok", NULL, false);
		return;
	}
	/* Also when nothing is known here: after a restart the HSS may still hold us for the user's S-CSCF. */
	assign_send(job->g, release_begin(job->g, CX_SAR_USER_DEREGISTRATION, REGINFO_UNREGISTERED), job->impu, on_left, job);
}

/* ---- registration and re-registration ---- */

static void undo(struct reg_job *job, enum cx_sar_type t)
{
	struct registration *g = job->g;

	registration_clear(g, REGINFO_REJECTED);
	if (assign_wanted(registration_scscf(g), t) && !release_others_stand(g, job->impu))
		assign_report(g, t, job->impu);
	else
		registration_done(g);
	reg_job_free(job);
}

static void bind_contacts(struct reg_job *job, const char *why)
{
	struct registration *g = job->g;
	bool was = g->registered_wall_us;
	int rc;

	job->plan.home = registration_visits_home(job->s, job->m);
	rc = binding_apply(g, &job->plan, job->m);

	if (rc == 0)
		rc = registration_publish(g);
	if (rc == 0) {
		answer_200(job, "ok", why, false);
		return;
	}
	reg_job_answer_later(job, 500, "failed", rc == -ENOSPC ? "too many private identities share a public one" : "out of memory");
	if (was)
		finish(job);		/* what the others see still stands */
	else
		undo(job, CX_SAR_ADMINISTRATIVE_DEREGISTRATION);
}

static void take_profile(struct registration *g, const struct assign_result *r)
{
	char *pcfa;

	if (r->profile) {
		obj_unref(g->profile);
		g->profile = obj_ref(r->profile);
	}
	if (r->pcfa && (pcfa = strdup(r->pcfa))) {
		free(g->pcfa);
		g->pcfa = pcfa;
	}
}

static void on_assigned(void *arg, const struct assign_result *r)
{
	struct reg_job *job = arg;
	struct registration *g = job->g;
	bool first = !g->profile;

	if (r->status) {
		if (r->retry_after)
			reg_job_answer_later(job, r->status, r->cause, r->why);
		else
			reg_job_answer(job, r->status, r->cause, r->why, STR_NONE);
		/* The HSS has us as the S-CSCF but we cannot serve what it sent: TS 29.228 §6.1.2. */
		if (r->dia.err == 0 && cx_judge(&r->dia, registration_scscf(g)->hss).status == 0 && first)
			undo(job, strcmp(r->cause, "too_much_data") == 0 ? CX_SAR_DEREGISTRATION_TOO_MUCH_DATA
									 : CX_SAR_ADMINISTRATIVE_DEREGISTRATION);
		else
			finish(job);		/* a registration that stands already stays */
		return;
	}
	if (first && !r->profile) {
		reg_job_answer_later(job, 500, "profile", "the HSS gave no profile");
		undo(job, CX_SAR_ADMINISTRATIVE_DEREGISTRATION);
		return;
	}
	take_profile(g, r);
	registration_supersede(g);
	/* One identity that is barred may register, and phones without an ISIM do (TS 23.003 §13.4B); when all are, nobody
	 * could call or be called. */
	if (!profile_default(g->profile) && !g->emergency) {
		reg_job_answer(job, 403, "barred", "all public identities are barred", STR_NONE);
		undo(job, CX_SAR_ADMINISTRATIVE_DEREGISTRATION);
		return;
	}
	if (!profile_find(g->profile, job->impu))
		log_warn(LOG_REG, "the profile of the HSS does not name the identity that registered", LOG_S("impu", job->impu));
	bind_contacts(job, NULL);
}

static void enter(struct reg_job *job)
{
	struct registration *g = job->g;
	bool initial = !g->profile || g->n_bindings == 0 || !profile_find(g->profile, job->impu);

	if (initial)
		assign_register(job, CX_SAR_REGISTRATION, on_assigned);
	else if (job->s->reg->sar_on_refresh || (restoration_is_kept(job->s) && !binding_unchanged(g, &job->plan)))
		assign_register(job, CX_SAR_RE_REGISTRATION, on_assigned);
	else
		bind_contacts(job, NULL);
}

void accept_run(struct reg_job *job)
{
	const struct binding_plan *p = &job->plan;

	if (p->kind == BIND_FETCH) {
		answer_200(job, "ok", NULL, false);
	} else if (!job->g->emergency && binding_too_brief(p, job->s->reg)) {
		answer_min_expires(job);
	} else if (binding_out_of_order(job->g, p, job->m)) {
		/* RFC 3261 §10.3 says no status; a 5xx would make the I-CSCF try another S-CSCF. */
		reg_job_answer(job, 400, "out_of_order", "an older request of the same Call-ID", STR_NONE);
		finish(job);
	} else if (!binding_leaves_some(job->g, p)) {
		leave(job);
	} else {
		enter(job);
	}
}

bool accept_is_repeated(const struct reg_job *job)
{
	const struct registration *g = job->g;

	return job->fingerprint && g->accepted == job->fingerprint && (uint32_t)(registration_now_ms(g) / 1000) - g->accepted_s < REPEAT_S;
}

void accept_repeat(struct reg_job *job)
{
	answer_200(job, "repeated", "answered before, but our neighbour did not wait", true);
}
