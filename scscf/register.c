/* scscf/register.c - a REGISTER on its transaction's worker: checks in the order of TS 24.229 §5.4.1.2 and RFC 3261 §10.3, the
 * private identity, the way to the worker that owns it (registrar.h), and the answer's way back; rows S1, S11, S12; clients.md 1-3, 9.
 *
 * Route headers of a REGISTER are not looked at: some phones put their Service-Route there (clients.md 9). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/sip/charging.h"
#include "common/util/clock.h"
#include "common/util/hash.h"
#include "common/util/rand.h"
#include "scscf/registration.h"

#define AOR_MAX 512u
#define IMPI_MAX 256u

static METRIC_DEF(m_seconds, "cscf_register_seconds", METRIC_HISTOGRAM, "Time until a REGISTER was answered, by kind.", "kind", NULL);

/* ---- the answer ---- */

struct reply {
	struct worker_return back;
	struct tx_handle h;
	unsigned status;
	const char *why;	/* NULL, or static */
	size_t l;
	char extra[];			/* header lines */
};

/* On the transaction's worker: the message's arena and the To tag are there. */
static void reply_here(struct worker *w, void *arg)
{
	struct reply *r = arg;
	struct tx_server *st = tx_server_find(w->tx, r->h);
	struct str extra = str_make(r->extra, r->l), charging;
	struct sip_msg *m = st ? tx_server_request(st) : NULL;

	if (m) {		/* TS 24.229 §5.4.1.2.2, table 4-2B */
		charging = charging_answer(m->arena, m, IOI_ACCESS, stack_home_domain(w->stack));
		if (charging.l)
			extra = arena_printf(m->arena, "%.*sP-Charging-Vector: %.*s\r\n", STR_ARG(extra), STR_ARG(charging));
	}
	if (st && r->status >= 400 && r->status != 401)
		tx_refuse(st, &(const struct refusal){ .status = r->status, .why = r->why, .extra = extra,
						       .side = "orig", .quiet = true });
	else if (st)
		tx_server_reply(st, r->status, NULL, extra);
	else
		log_info(LOG_REG, "the phone does not wait any more", LOG_U("status", r->status));
	free(r);
}

static const char *done_text(const char *kind)
{
	static const char *const text[][2] = { { "initial", "registered" }, { "refresh", "registration refreshed" },
					       { "deregistration", "de-registered" }, { "fetch", "bindings fetched" } };

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		if (strcmp(kind, text[i][0]) == 0)
			return text[i][1];
	return kind;
}

static void log_outcome(const struct reg_job *job, unsigned status, const char *cause, const char *why)
{
	const struct binding_plan *p = &job->plan;
	struct str contact = p->n ? p->change[0].uri : STR_NONE;
	const char *said = status == 200 ? done_text(job->kind) : "refused";

	if (status == 401)
		log_debug(LOG_REG, "challenged", LOG_S("impi", job->impi), LOG_S("impu", job->impu));
	else
		log_info(LOG_REG, said, LOG_S("impi", job->impi), LOG_S("impu", job->impu), LOG_S("contact", contact),
			 LOG_U("expires_s", p->n ? p->change[0].expires_s : 0), LOG_U("status", status), LOG_C("cause", cause),
			 LOG_C("why", why ? why : ""), LOG_U("ms", (clock_mono_us() - job->began_us) / 1000));
}

void reg_job_answer(struct reg_job *job, unsigned status, const char *cause, const char *why, struct str extra)
{
	struct reply *r;
	struct buf b;

	registration_outcome(job->kind, cause);
	metric_observe_us(&m_seconds, job->kind, NULL, clock_mono_us() - job->began_us);
	log_outcome(job, status, cause, why);
	buf_init(&b, SIP_MSG_MAX_BYTES);
	buf_put(&b, extra);
	r = b.failed ? NULL : malloc(sizeof(*r) + b.l);
	if (r) {
		*r = (struct reply){ .h = job->h, .status = status, .why = why ? why : cause, .l = b.l };
		if (b.l)
			memcpy(r->extra, b.p, b.l);
	}
	buf_fini(&b);
	if (r)
		worker_return(job->owner, job->from, &r->back, reply_here, r);
	else		/* the phone tries again */
		log_error(LOG_REG, "out of memory, an answer to REGISTER is lost", LOG_U("status", status));
}

void reg_job_answer_later(struct reg_job *job, unsigned status, const char *cause, const char *why)
{
	uint32_t base = job->s->reg->retry_after_s;
	char extra[48];

	snprintf(extra, sizeof(extra), "Retry-After: %u\r\n", base + rand_below(base / 2 + 1));	/* not all at once */
	reg_job_answer(job, status, cause, why, str_from_c(extra));
}

void reg_job_free(struct reg_job *job)
{
	sip_msg_unref(job->m);
	free(job->auth_info);
	free(job);
}

/* ---- checks ---- */

/* RFC 3261 §8.2.2.3. */
static struct str not_supported(const struct sip_msg *m, bool gruu)
{
	struct sip_values it = sip_values(m, SIP_H_REQUIRE);
	struct arena_text bad = arena_text(m->arena);
	struct str v;

	while (sip_values_next(&it, &v))
		if (!str_ieq_c(v, "path") && !str_ieq_c(v, "outbound") && !(str_ieq_c(v, "gruu") && gruu))
			arena_text_item(&bad, v);
	return arena_text_str(&bad);
}

/* §10.3 step 5: the identity that registers. */
static int read_impu(struct reg_job *job)
{
	struct str aor;
	char text[AOR_MAX];

	if (sip_uri_aor(&job->m->to.uri, text, sizeof(text), &aor) < 0)
		return -EBADMSG;
	job->impu = arena_dup(job->m->arena, aor);
	return job->impu.p ? 0 : -ENOMEM;
}

static bool plain(struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return s.l > 0 && s.l <= IMPI_MAX;
}

/* The private identity: user name of the Authorization; without one user and host of To (clients.md 1).  A name without a
 * realm is completed with the home domain (TS 23.003 §13.3): it must mean the same as the one derived from To. */
static int read_impi(struct reg_job *job)
{
	struct str home = stack_home_domain(job->s->stack), colon, rest;
	struct arena *a = job->m->arena;
	int rc = auth_find(job->m, SIP_H_AUTHORIZATION, home, &job->auth);

	if (rc == -ENOENT)		/* the HSS's digest realm may be another */
		rc = auth_find(job->m, SIP_H_AUTHORIZATION, STR_NONE, &job->auth);
	if (rc == 0 && job->auth.realm.l && !str_ieq(job->auth.realm, home))
		log_info(LOG_REG, "credentials for another realm", LOG_S("realm", job->auth.realm), LOG_S("home", home));
	if (rc < 0)
		job->auth = (struct auth_params){ .algorithm = AUTH_MD5 };
	if (rc == -EBADMSG)
		return rc;
	if (job->auth.username.l) {
		job->impi = str_chr(job->auth.username, '@') >= 0 ?
				    job->auth.username :
				    arena_printf(a, "%.*s@%.*s", STR_ARG(job->auth.username), STR_ARG(home));
	} else {
		str_cut(job->impu, ':', &colon, &rest);
		job->impi = str_chr(rest, '@') >= 0 ? rest : arena_printf(a, "%.*s@%.*s", STR_ARG(rest), STR_ARG(home));
	}
	if (!job->impi.p)
		return -ENOMEM;
	if (plain(job->impi))
		return 0;
	/* Derived from a To that is well formed, only too long for a private identity: nobody, not a mistake. */
	return job->auth.username.l ? -EBADMSG : -EPERM;
}

/* Two nodes at least stand between the phone and us: its first hop, whose branch nobody can foresee, and the one that may try again. */
static uint64_t fingerprint(const struct sip_msg *m)
{
	static const enum sip_hdr_id ids[] = { SIP_H_AUTHORIZATION, SIP_H_CONTACT, SIP_H_EXPIRES };
	struct sip_values it = sip_values(m, SIP_H_VIA);
	uint64_t f = hash_mix(hash_str(m->call_id), m->cseq);
	unsigned n = 0;
	struct str v;

	f = hash_mix(hash_mix(f, hash_str(m->from_tag)), hash_str(m->to.uri.text));
	for (sip_values_next(&it, &v); sip_values_next(&it, &v); n++)		/* but for our neighbour's own */
		f = hash_mix(f, hash_str(v));
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		for (const struct sip_hdr *h = sip_msg_hdr(m, ids[i]); h; h = sip_msg_hdr_next(m, h))
			f = hash_mix(f, hash_str(sip_msg_hdr_value(m, h)));
	return n < 2 ? 0 : f ? f : 1;
}

/* 0, or the status to refuse with. */
static unsigned check(struct reg_job *job, const char **why, struct str *extra)
{
	struct str bad = not_supported(job->m, job->s->reg->gruu);
	int rc;

	if (bad.l) {
		*why = "an extension is required that the registrar has not";
		*extra = arena_printf(job->m->arena, "Unsupported: %.*s\r\n", STR_ARG(bad));
		return 420;
	}
	*why = "To is no address of record";
	if ((rc = read_impu(job)) == 0) {
		rc = read_impi(job);
		*why = rc == -EPERM ? "nobody has such a name" : "Authorization is not understood";
	}
	if (rc == 0)
		rc = binding_plan_make(job->m, job->s->reg, &job->plan, why);
	job->plan.impu = job->impu;
	return rc == 0 ? 0 : rc == -ENOMEM ? 503 : rc == -EPERM ? 403 : rc == -ENOTSUP ? 439 : 400;
}

void scscf_register(struct scscf_worker *sw, struct tx_server *st, struct sip_msg *m)
{
	struct reg_job *job = calloc(1, sizeof(*job));
	struct str extra = STR_NONE;
	const char *why = NULL;
	struct worker *owner;
	unsigned status;

	if (!job) {
		tx_refuse(st, &(const struct refusal){ .status = 503, .why = "out of memory", .retry_after_s = sw->s->reg->retry_after_s });
		return;
	}
	job->s = sw->s;
	job->from = job->owner = sw->w;
	job->h = tx_server_handle(st);
	job->m = sip_msg_ref(m);
	job->kind = "unknown";
	job->fingerprint = fingerprint(m);
	job->began_us = clock_mono_us();
	job->correlation = arena_dup(m->arena, log_correlation_get());
	status = check(job, &why, &extra);
	if (status) {
		reg_job_answer(job, status, status == 439 ? "no_outbound" : "malformed", why, extra);
		reg_job_free(job);
		return;
	}
	owner = stack_owner(sw->s->stack, job->impi);
	if (worker_call(sw->w, owner, registrar_job, job) < 0) {
		reg_job_answer_later(job, 503, "busy", "the worker of this user takes no more");
		reg_job_free(job);
	}
}
