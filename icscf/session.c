/* icscf/session.c - initial requests for our users and on their behalf: TS 24.229 §5.3.2.1; LIR: TS 29.228 §6.1.4;
 * rows I6, I9. */
#include "common/log/log.h"
#include "common/util/clock.h"
#include "icscf/icscf.h"

#define SESSION_PRIORITIES 5

static void ask(struct icscf_ask *a);

/* The identity is unknown to the HSS in every form.  The place where ENUM and the choice of a BGCF belong (§5.3.2.1, §5.3.2.2):
 * today a number goes to the configured next hop. */
static void unknown_identity(struct icscf_ask *a, const struct icscf_verdict *v)
{
	const struct sip_uri *u = &a->m->ruri;

	if (a->proc == PROC_TERMINATING && icscf_is_number(u) && a->iw->i->numbers_next_hop.l)
		icscf_to_route(a, a->iw->i->numbers_next_hop);
	else
		icscf_refuse(a, v->status, v->retry_after, v->why);
}

/* The HSS does not know this form: there may be another one.  Open5GS says the same of unknown and unregistered users. */
static bool is_unknown(const struct icscf_ask *a, const struct dia_result *r)
{
	return r->err == 0 && r->experimental &&
	       (r->code == CX_USER_UNKNOWN || (a->iw->i->hss == HSS_OPEN5GS && r->code == CX_SERVER_NAME_NOT_STORED));
}

/* The S-CSCF must find the identity in its profile, so the Request-URI takes the form that the HSS knew.  Parameters of the
 * number stay with it as long as it is the form that came in. */
static void set_request_uri(struct icscf_ask *a)
{
	struct sip_out *o = proxy_out(a->p);
	struct str came = o->ruri.l ? o->ruri : a->m->ruri_text, known = a->form[a->at_form];
	char text[512];
	struct sip_uri u;
	struct str aor;

	if (a->proc != PROC_TERMINATING || sip_uri_parse(came, &u, NULL) < 0)
		return;
	if (sip_uri_aor(&u, text, sizeof(text), &aor) == 0 && str_eq(aor, known))
		return;
	sip_out_set_ruri(o, known);
}

static void set_profile_key(struct icscf_ask *a, const struct cx_lia *r)	/* RFC 5002, TS 24.229 §5.3.2.1 */
{
	struct str key = r->wildcarded_impu.l ? r->wildcarded_impu : r->wildcarded_psi;

	if (key.l)
		sip_out_set(proxy_out(a->p), SIP_H_PPROFILE_KEY, arena_printf(a->m->arena, "<%.*s>", STR_ARG(key)));
}

static void on_lia(void *arg, const struct cx_lia *r)
{
	struct icscf_verdict v = icscf_lia_judge(r);
	struct icscf_ask *a = arg;

	a->cx = 0;
	if (!icscf_ask_open(a))
		return;
	if (is_unknown(a, &r->result)) {
		if (++a->at_form < a->n_forms)
			ask(a);
		else
			unknown_identity(a, &v);
		return;
	}
	if (v.action != ICSCF_REFUSE) {
		set_request_uri(a);
		set_profile_key(a, r);
		icscf_heard(a, r->origin_host);
	}
	switch (v.action) {
	case ICSCF_REFUSE:
		icscf_refuse(a, v.status, v.retry_after, v.why);
		break;
	case ICSCF_TO_SERVER:
		icscf_to_named(a, r->server_name);
		break;
	case ICSCF_SELECT:
	case ICSCF_UNREGISTERED:		/* services for the unregistered user: §5.3.2.1 */
		if (r->has_caps)
			icscf_caps_keep(a, &r->caps);
		icscf_to_chosen(a);
		break;
	}
}

/* Session-Priority, TS 29.229 §6.3.56: the five levels of the namespaces ets and wps (RFC 4412 §10.5, §10.6), 0 the highest in
 * both.  UINT32_MAX: none. */
static uint32_t session_priority(const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_RESOURCE_PRIORITY);
	struct str value, space, level;
	uint32_t n, best = UINT32_MAX;

	while (sip_values_next(&it, &value)) {
		str_cut(value, '.', &space, &level);
		if ((str_ieq_c(space, "ets") || str_ieq_c(space, "wps")) && str_to_u32(level, &n) == 0 && n < SESSION_PRIORITIES &&
		    n < best)
			best = n;
	}
	return best;
}

static void ask(struct icscf_ask *a)
{
	struct cx_lir r = { .impu = a->form[a->at_form], .originating = a->proc == PROC_ORIGINATING,
			    .session_priority = session_priority(a->m) };

	a->impu = r.impu;
	if (!a->asked_us)
		a->asked_us = clock_mono_us();
	a->cx = cx_lir_send(a->iw->w->dia, &r, on_lia, a);
	if (!a->cx)
		icscf_refuse(a, 503, true, "out of memory");
}

static void ask_for(struct icscf_ask *a, enum icscf_procedure proc, const struct sip_uri *u)
{
	a->proc = proc;
	a->n_forms = icscf_identity_forms(a->iw->i, a->m->arena, u, a->form);
	if (a->n_forms)
		ask(a);
	else
		icscf_refuse(a, 404, false, "this is no public identity");
}

/* An application server on behalf of a user: P-Served-User, else the identity that the network asserts (§5.3.2.1). */
static bool served_user(const struct sip_msg *m, struct sip_nameaddr *ret)
{
	struct sip_values it = sip_values(m, SIP_H_PSERVED_USER);
	struct str value;

	if (!sip_values_next(&it, &value)) {
		it = sip_values(m, SIP_H_PAI);
		if (!sip_values_next(&it, &value))
			return false;
	}
	return sip_nameaddr_parse(value, ret) == 0 && !ret->star;
}

static bool wants_originating(const struct sip_nameaddr *own, unsigned n)
{
	struct str v;

	for (unsigned i = 0; i < n; i++)
		if (sip_uri_param(&own[i].uri, "orig", &v))
			return true;
	return false;
}

/* `orig` for whoever comes next.  Only an application server may say it: an S-CSCF that trusts us would believe anybody. */
static bool smuggles_orig(const struct icscf *i, const struct sip_msg *m, struct str top)
{
	struct sip_nameaddr n;
	struct str v;

	return m->to_tag.l == 0 && !icscf_is_server(i, &m->flow) && (sip_nameaddr_parse(top, &n) < 0 || sip_uri_param(&n.uri, "orig", &v));
}

static bool is_ours(const struct icscf *i, const struct sip_uri *u)
{
	return u->scheme == SIP_SCHEME_TEL || stack_is_home_domain(i->stack, u->host) || stack_is_self(i->stack, u);
}

static void along_the_route(struct icscf_ask *a, const struct sip_uri *u, bool routed)
{
	if (!routed && (u->scheme == SIP_SCHEME_TEL || stack_is_self(a->iw->i->stack, u)))
		icscf_refuse(a, 404, false, "the request leads nowhere");
	else
		icscf_to_route(a, STR_NONE);
}

void icscf_session(struct icscf_worker *iw, struct tx_server *st, struct sip_msg *m)
{
	struct icscf_ask *a = icscf_ask_new(iw, st, m, PROC_TERMINATING);
	struct sip_nameaddr own[2], user;
	struct sip_uri ruri = m->ruri;
	struct sip_out *o;
	struct str top;
	unsigned n_own;
	bool routed;

	if (!a)
		return;
	o = proxy_out(a->p);
	n_own = proxy_pop_own_routes(iw->w->proxy, m, o, own);
	if (o->ruri.l && sip_uri_parse(o->ruri, &ruri, NULL) < 0) {
		icscf_refuse(a, 400, false, "the Request-URI cannot be read");
		return;
	}
	routed = sip_out_top(o, SIP_H_ROUTE, &top) == 0;
	sip_out_drop(o, SIP_H_PPROFILE_KEY);		/* ours to say */
	a->outside = !icscf_trusts(iw->i, &m->flow);
	if (a->outside)
		icscf_trust_request(o);
	icscf_charging_request(a);
	if (m->to_tag.l == 0 && wants_originating(own, n_own)) {
		a->proc = PROC_ORIGINATING;
		if (!icscf_is_server(iw->i, &m->flow))
			icscf_refuse(a, 403, false, "the sender is none of trust.application_servers");
		else if (served_user(m, &user))
			ask_for(a, PROC_ORIGINATING, &user.uri);
		else
			icscf_refuse(a, 403, false, "orig without P-Served-User or P-Asserted-Identity");
	} else if (routed && smuggles_orig(iw->i, m, top)) {
		icscf_refuse(a, 403, false, "orig for another node, and the sender is none of trust.application_servers");
	} else if (routed || (m->to_tag.l && !is_ours(iw->i, &ruri))) {
		along_the_route(a, &ruri, routed);
	} else if (is_ours(iw->i, &ruri)) {
		ask_for(a, PROC_TERMINATING, &ruri);
	} else {
		icscf_refuse(a, 404, false, "not a domain of this network");	/* RFC 3261 §21.4.5 */
	}
}
