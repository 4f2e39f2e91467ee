/* scscf/assign.c - server assignment: SAR/SAA, and what Cx results mean for the phone.  TS 29.228 §6.1.2, TS 29.229 §6.2;
 * TS 24.229 §5.4.1.2; rows S7, D4, D10, D2.
 *
 * 403 is for policy.  A HSS that fails, is silent or away gives 5xx with Retry-After: phones give up on 403 (row R8). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "scscf/registration.h"

/* ---- results ---- */

static const struct {
	uint32_t code;
	bool experimental;
	struct cx_verdict v;
} rows[] = {
	{ DIA_SUCCESS, false, { 0, false, "ok", "done" } },
	{ DIA_SUCCESS, true, { 0, false, "ok", "done" } },	/* base code in Experimental-Result: Open5GS */
	{ CX_SUBSEQUENT_REGISTRATION, true, { 0, false, "ok", "done" } },
	{ CX_SERVER_NAME_NOT_STORED, true, { 0, false, "ok", "done" } },
	{ CX_USER_UNKNOWN, true, { 403, false, "unknown_user", "the HSS does not know this user" } },
	{ CX_IDENTITIES_DONT_MATCH, true, { 403, false, "identities", "the public identity does not belong to the private identity" } },
	{ CX_IDENTITY_NOT_REGISTERED, true, { 403, false, "not_allowed", "the HSS says that the identity may not register" } },
	{ CX_ROAMING_NOT_ALLOWED, true, { 403, false, "roaming", "roaming in the visited network is not allowed" } },
	{ CX_IDENTITY_ALREADY_REGISTERED, true, { 403, false, "elsewhere", "another S-CSCF serves this identity, or the HSS does not know it" } },
	{ CX_AUTH_SCHEME_NOT_SUPPORTED, true, { 403, false, "scheme", "the HSS has no such authentication for this user" } },
	{ DIA_AUTHORIZATION_REJECTED, false, { 403, false, "rejected", "the HSS rejected the registration" } },
	{ CX_IN_ASSIGNMENT_TYPE, true, { 500, true, "hss_answer", "the HSS does not allow this assignment in its state" } },
	{ CX_TOO_MUCH_DATA, true, { 500, true, "hss_answer", "the HSS has more data than it may send" } },
	{ DIA_UNABLE_TO_DELIVER, false, { 504, true, "hss_away", "no HSS could be reached" } },
	{ DIA_TOO_BUSY, false, { 503, true, "hss_busy", "the HSS is too busy" } },
	{ DIA_UNABLE_TO_COMPLY, false, { 500, true, "hss_failed", "the HSS could not comply" } },
};

static struct cx_verdict no_answer(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return (struct cx_verdict){ 504, true, "hss_silent", "the HSS did not answer in time" };
	case -ENOTCONN:
	case -ECONNRESET:
		return (struct cx_verdict){ 504, true, "hss_away", "no Diameter peer is open" };
	case -EBUSY:
		return (struct cx_verdict){ 503, true, "hss_busy", "too many requests to the HSS are outstanding" };
	case -ENOMEM:
		return (struct cx_verdict){ 503, true, "failed", "out of memory" };
	default:
		return (struct cx_verdict){ 500, true, "hss_answer", "the HSS's answer could not be read" };
	}
}

struct cx_verdict cx_judge(const struct dia_result *r, enum hss_profile hss)
{
	struct cx_verdict v = { 500, true, "hss_answer", "the HSS answered with a result that has no meaning here" };

	if (r->err < 0)
		return no_answer(r->err);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == r->code && rows[i].experimental == r->experimental)
			v = rows[i].v;
	/* Open5GS writes base codes there: 5004 is "invalid value", 5005 "missing AVP".  That is our fault or its, not the user's. */
	if (hss == HSS_OPEN5GS && r->experimental && (r->code == 5004 || r->code == 5005))
		v = (struct cx_verdict){ 500, true, "hss_answer", "the HSS found an AVP missing or wrong" };
	return v;
}

/* ---- which assignments which HSS bears ---- */

#define T(t) (1u << (t))
static const uint32_t borne[] = {
	[HSS_STANDARD] = UINT32_MAX,
	/* Everything but 1 and 2 clears the S-CSCF there, also of a user who is registered: 9 and 10 must not be sent. */
	[HSS_PYHSS] = T(CX_SAR_REGISTRATION) | T(CX_SAR_RE_REGISTRATION) | T(CX_SAR_TIMEOUT_DEREGISTRATION) |
		      T(CX_SAR_USER_DEREGISTRATION) | T(CX_SAR_ADMINISTRATIVE_DEREGISTRATION) |
		      T(CX_SAR_DEREGISTRATION_TOO_MUCH_DATA),
	[HSS_OPEN5GS] = T(CX_SAR_REGISTRATION) | T(CX_SAR_RE_REGISTRATION) | T(CX_SAR_UNREGISTERED_USER) |
			T(CX_SAR_TIMEOUT_DEREGISTRATION) | T(CX_SAR_USER_DEREGISTRATION) |
			T(CX_SAR_ADMINISTRATIVE_DEREGISTRATION) | T(CX_SAR_AUTHENTICATION_FAILURE) | T(CX_SAR_AUTHENTICATION_TIMEOUT),
};
#undef T

bool assign_wanted(const struct scscf *s, enum cx_sar_type t)
{
	return borne[s->hss] >> t & 1;
}

/* ---- which HSS: TS 29.228 §6.1, row D12 ---- */

struct str hss_host(const struct registration *g)
{
	return g->hss ? str_from_c(atomic_load(&registration_scscf(g)->hss_name[g->hss - 1])) : STR_NONE;
}

/* <aaa://HOST:PORT;transport=...>: RFC 4457 §6, RFC 6733 §4.3.1.  When it is none of ours, the realm is asked after its 3002. */
struct str hss_named(const struct sip_msg *m)
{
	struct str uri = sip_msg_value(m, SIP_H_PUSER_DATABASE), scheme, host, rest;

	if (!str_cut(uri, '<', &rest, &uri) || !str_cut(uri, '>', &uri, &rest) || !str_cut(uri, '/', &scheme, &host) ||
	    !str_starts(host, STR("/")) || (!str_ieq_c(scheme, "aaa:") && !str_ieq_c(scheme, "aaas:")))
		return STR_NONE;
	str_cut(str_from(host, 1), ';', &host, &rest);
	str_cut(host, ':', &host, &rest);
	return host;
}

/* A name once learned stays: all workers read it. */
void hss_learn(struct registration *g, struct str host)
{
	struct scscf *s = registration_scscf(g);

	g->hss = 0;
	for (unsigned i = 0; host.l && i < SCSCF_MAX_HSS; i++) {
		char *have = atomic_load(&s->hss_name[i]), *fresh;

		if (!have && (fresh = str_dup(host)) && !atomic_compare_exchange_strong(&s->hss_name[i], &have, fresh))
			free(fresh);		/* another worker was faster; have is its */
		have = atomic_load(&s->hss_name[i]);
		if (!have)
			return;
		if (!str_ieq_c(host, have))
			continue;
		g->hss = (uint8_t)(i + 1);
		return;
	}
}

/* ---- SAR ---- */

/* What could break the header is left out: Open5GS sends a bare word. */
char *charging_addresses(const struct str address[4])
{
	static const char *const name[] = { "ccf", "ccf", "ecf", "ecf" };
	char *ret = NULL;
	struct buf b;

	buf_init(&b, 4096);
	for (unsigned i = 0; i < 4; i++) {
		bool clean = address[i].l > 0;

		for (size_t k = 0; k < address[i].l; k++)
			clean = clean && (unsigned char)address[i].p[k] > ' ' && address[i].p[k] != '"' && address[i].p[k] != '\\';
		if (clean)
			buf_printf(&b, "%s%s=\"%.*s\"", b.l ? ";" : "", name[i], STR_ARG(address[i]));
	}
	if (b.l && !b.failed)
		ret = str_dup(buf_str(&b));
	buf_fini(&b);
	return ret;
}

/* What a SAA says beside its result.  User-Data of a de-registration is of no use (PyHSS sends it). */
static void read_profile(const struct registration *g, const struct cx_saa *a, struct assign_result *r)
{
	char why[160];
	int rc;

	if (a->user_data.l == 0 || (g->asking_type != CX_SAR_REGISTRATION && g->asking_type != CX_SAR_RE_REGISTRATION))
		return;
	rc = profile_parse(a->user_data, registration_scscf(g)->criteria, &r->profile, why);
	if (rc == 0)
		return;
	log_warn(LOG_REG, "User-Data of the HSS cannot be used", LOG_C("impi", g->impi), LOG_C("why", why));
	r->status = rc == -ENOMEM ? 503 : 500;
	r->retry_after = true;
	r->cause = rc == -EFBIG ? "too_much_data" : "profile";
	r->why = "the profile that the HSS sent cannot be used";
}

bool hss_is_away(const struct dia_result *r)
{
	return r->err == -ENOTCONN || (r->err == 0 && !r->experimental && (r->code == DIA_UNABLE_TO_DELIVER || r->code == DIA_TOO_BUSY));
}

/* true: another one is asked. */
static bool asked_by_realm(struct registration *g, const struct cx_saa *a)
{
	char *impu = g->asking.impu;
	bool away = impu && hss_is_away(&a->result);

	g->asking.impu = NULL;
	if (away) {
		g->hss = 0;
		if (g->asking.job)
			assign_register(g->asking.job, g->asking_type, g->asking.fn);
		else
			assign_send(g, g->asking_type, str_from_c(impu), g->asking.fn, g->asking.arg);
	}
	free(impu);
	return away;
}

static void on_saa(void *arg, const struct cx_saa *a)
{
	struct registration *g = arg;
	struct cx_verdict v = cx_judge(&a->result, registration_scscf(g)->hss);
	struct assign_result r = { v.status, v.retry_after, v.cause, v.why, NULL, NULL, a->result };
	const struct str charging[] = { a->primary_ccf, a->secondary_ccf, a->primary_ecf, a->secondary_ecf };
	char *pcfa = NULL;

	if (asked_by_realm(g, a))
		return;
	if (a->result.err == 0)
		hss_learn(g, a->origin_host);
	if (a->n_features)
		atomic_store_explicit(&registration_scscf(g)->hss_features, cx_features(a->n_features, a->features), memory_order_relaxed);
	if (r.status == 0) {
		read_profile(g, a, &r);
		pcfa = charging_addresses(charging);
		r.pcfa = pcfa;
	}
	g->asking.fn(g->asking.arg, &r);		/* g may be gone after it */
	obj_unref(r.profile);
	free(pcfa);
}

static void send_sar(struct registration *g, const struct cx_sar *sar, struct reg_job *job, assign_fn fn, void *arg)
{
	struct scscf *s = registration_scscf(g);

	g->asking_type = (uint8_t)sar->type;
	g->asking.fn = fn;
	g->asking.arg = arg;
	g->asking.job = job;
	g->asking.impu = sar->dest_host.l ? str_dup(sar->impus.v[0]) : NULL;
	if (s->cx->sar(g->r->sw->w->dia, sar, on_saa, g) == 0) {
		struct cx_verdict v = no_answer(-ENOMEM);
		struct assign_result r = { v.status, v.retry_after, v.cause, v.why, NULL, NULL, { -ENOMEM, 0, false } };

		free(g->asking.impu);
		g->asking.impu = NULL;
		fn(arg, &r);
	}
}

static struct cx_sar make(const struct registration *g, enum cx_sar_type t, struct str impu)
{
	const struct scscf *s = registration_scscf(g);

	return (struct cx_sar){ .impi = str_from_c(g->impi), .impus = { 1, { impu } }, .server_name = s->server_name, .type = t,
				.dest_host = hss_host(g), .vital = g->emergency,
				.user_data_available = t != CX_SAR_REGISTRATION && g->profile };
}

void assign_send(struct registration *g, enum cx_sar_type t, struct str impu, assign_fn fn, void *arg)
{
	struct cx_sar sar = make(g, t, impu);

	send_sar(g, &sar, NULL, fn, arg);
}

void assign_register(struct reg_job *job, enum cx_sar_type t, assign_fn fn)
{
	struct cx_sar sar = make(job->g, t, job->impu);
	struct arena *a = NULL;

	if (restoration_wanted(job->s)) {
		sar.features[sar.n_features++] = cx_features_make(CX_FEATURES_OURS);
		a = arena_new(1024);
	}
	if (a)
		restoration_make(job, a, &sar.restoration[sar.n_restorations++]);
	send_sar(job->g, &sar, job, fn, job);
	arena_unref(a);
}

static void reported(void *arg, const struct assign_result *r)
{
	struct registration *g = arg;

	if (r->status)
		log_info(LOG_REG, "the HSS did not take a report", LOG_C("impi", g->impi), LOG_C("why", r->why));
	registration_done(g);
}

void assign_report(struct registration *g, enum cx_sar_type t, struct str impu)
{
	g->current = &g->r->reporting;
	assign_send(g, t, impu, reported, g);
}
