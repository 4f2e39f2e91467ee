/* pcscf/request.c - every request that is not a retransmission: which side, which procedure.  TS 24.229 §5.2. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/diameter/rx.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "pcscf/agw.h"
#include "pcscf/pcscf.h"
#include "pcscf/n5.h"
#include "pcscf/policy.h"
#include "pcscf/records.h"
#include "pcscf/reg_event.h"
#include "pcscf/session.h"
#include "pcscf/stored.h"
#include "pcscf/trust.h"

#define OWN_ROUTES_MAX 8u			/* leading Route values that are ours; more: 400 */

/* Options of Proxy-Require that end here (RFC 3329); what else is asked for gets 420 (row R11). */
static const char *const supported[] = { "sec-agree", NULL };

void pcscf_refuse(struct pcscf_req *r, unsigned status, const char *why, struct str extra)
{
	if (r->st)
		tx_refuse(r->st, &(const struct refusal){ .status = status, .why = why, .extra = extra });
}

/* Row R18: a phone hears who refused, not why; the core may know. */
static void judge(struct worker *w, const struct sip_msg *m, struct refusal *r)
{
	bool core = pcscf_is_trusted(pcscf_of(w)->p, &m->flow);

	r->side = core ? "term" : "orig";
	r->secret = r->secret || !core;
}

/* ---- Route values that are ours ---- */

/* A user part is a token: the first one counts.  0, or -EPERM: forged. */
static int take_token(struct pcscf_req *r, const struct sip_uri *own)
{
	struct token t;

	if (!own->user.l)
		return 0;			/* an outbound proxy setting: "<sip:pcscf;lr>" */
	if (pcscf_token_read(r->pw->p, r->m, own->user, &t) < 0 || topology_read(r, own) < 0)
		return -EPERM;
	if (!r->has_token)
		r->token = t;
	r->has_token = true;
	return 0;
}

/* The proxy takes two; a phone with an outbound proxy setting puts that before a double Record-Route. */
static int pop_routes(struct pcscf_req *r)
{
	struct sip_nameaddr own[2];
	unsigned n = proxy_pop_own_routes(r->pw->w->proxy, r->m, &r->out, own);
	struct str top;

	for (unsigned i = 0; i < n; i++)
		if (take_token(r, &own[i].uri) < 0)
			return -EPERM;
	while (n >= 2 && sip_out_top(&r->out, SIP_H_ROUTE, &top) == 0 && sip_nameaddr_parse(top, &own[0]) == 0 &&
	       stack_is_self(r->pw->p->stack, &own[0].uri)) {
		if (++n > OWN_ROUTES_MAX || take_token(r, &own[0].uri) < 0)
			return -EPERM;
		sip_out_drop_first(&r->out, SIP_H_ROUTE);
	}
	return 0;
}

/* ---- which side ---- */

/* A Path token is never told to a phone, so it is as good as an address; a Record-Route token both sides know. */
static bool is_from_core(struct pcscf_req *r)
{
	struct pcscf *p = r->pw->p;
	struct binding *sender;

	if (p->sas && ports_protected(&p->cfg.security, &r->m->flow.local))
		return false;
	if (!r->has_token || (r->token.kind != TOKEN_PATH && !pcscf_is_trusted(p, &r->m->flow)))
		return false;
	sender = phone_by_flow(p->phones, &r->m->flow);
	obj_unref(sender);
	if (sender)
		return false;
	if (r->token.kind == TOKEN_PATH)
		pcscf_learn_sender(p, r->m);
	return true;
}

/* ---- to ourselves ---- */

static bool is_for_us(struct pcscf_req *r)
{
	struct str route;

	return r->st && r->m->ruri.user.l == 0 && !r->has_token && stack_is_self(r->pw->p->stack, &r->m->ruri) &&
	       sip_out_top(&r->out, SIP_H_ROUTE, &route) == -ENOENT;
}

/* What a phone sends, but for emergency calls (budget.h).  A NOTIFY of the core to us has no token to show; reg_event.c knows whose it is. */
static bool has_budget(struct pcscf_req *r)
{
	struct binding *sender;

	if (r->core || (r->has_token && r->token.kind == TOKEN_RECORD_ROUTE && (r->token.flags & RECORD_ROUTE_SOS)))
		return false;
	if (r->m->method != SIP_NOTIFY || !is_for_us(r))
		return true;
	sender = phone_by_flow(r->pw->p->phones, &r->m->flow);
	obj_unref(sender);
	return sender != NULL;
}

const struct str pcscf_capabilities = {
#define TEXT "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, MESSAGE, SUBSCRIBE, NOTIFY, UPDATE, PRACK, PUBLISH, REFER\r\n" \
	     "Accept: application/sdp\r\nSupported: path\r\n"
	TEXT, sizeof(TEXT) - 1
#undef TEXT
};

/* Row M6: who asks us hears that we live.  Row M15: anything else is not for a P-CSCF. */
static void answer_ourselves(struct pcscf_req *r)
{
	if (r->m->method == SIP_OPTIONS)
		tx_server_reply(r->st, 200, NULL, pcscf_capabilities);
	else if (r->m->method == SIP_NOTIFY)
		reg_event_notify(r);
	else
		pcscf_refuse(r, 405, "not a method for the P-CSCF itself", STR("Allow: OPTIONS, REGISTER\r\n"));
}

/* ---- in ---- */

static void dispatch(struct pcscf_req *r)
{
	bool forged = pop_routes(r) < 0;
	unsigned status;

	r->core = !forged && is_from_core(r);
	/* TS 24.229 §5.2.10: whatever stands in Route. */
	if (!r->core && r->m->to_tag.l == 0 && r->m->method != SIP_REGISTER && pcscf_is_emergency(r->pw->p, &r->m->ruri)) {
		pcscf_emergency(r);
		return;
	}
	if (forged) {
		pcscf_refuse(r, 403, "forged routing token", STR_NONE);
		return;
	}
	status = has_budget(r) ? budget_of_request(&r->pw->p->cfg.budgets, r->m) : 0;
	if (status) {
		pcscf_refuse(r, status, status == 413 ? "the body is larger than a phone's may be" : "the headers are larger than a phone's may be",
			     STR_NONE);
		return;
	}
	if (r->core && pcscf_charging_icid(r->m).l)	/* the stack believes known neighbours only: a Path token makes one */
		log_correlation(pcscf_charging_icid(r->m));
	if (r->m->method == SIP_REGISTER && r->st) {
		pcscf_register(r);
		return;
	}
	if (is_for_us(r))
		answer_ourselves(r);
	else if (r->has_token && r->token.kind == TOKEN_RECORD_ROUTE && !r->core && !r->m->to_tag.l)
		pcscf_refuse(r, 403, "a dialog's route outside of one", STR_NONE);	/* past Service-Route and identity: SEC-09, SEC-19 */
	else if (r->has_token && r->token.kind == TOKEN_RECORD_ROUTE)
		pcscf_in_dialog(r);
	else if (r->has_token && (!r->core || r->token.kind != TOKEN_PATH))
		pcscf_refuse(r, 403, "routing token of the other side", STR_NONE);
	else if (r->core)
		pcscf_terminating(r);
	else if (r->m->to_tag.l)
		pcscf_refuse(r, 481, "in a dialog that is not routed here", STR_NONE);
	else
		pcscf_originating(r);
}

void pcscf_request(struct worker *w, struct tx_server *st, struct sip_msg *m)
{
	struct pcscf_req r = { .pw = pcscf_of(w), .st = st, .m = m };
	bool urn = m->ruri.scheme == SIP_SCHEME_OTHER && pcscf_is_emergency(r.pw->p, &m->ruri);

	sip_out_init(&r.out, m);
	if (urn ? proxy_check_but_scheme(w->proxy, st, m, supported) : proxy_check(w->proxy, st, m, supported))
		dispatch(&r);
	obj_unref(r.b);
}

void pcscf_ack(struct worker *w, struct sip_msg *m)
{
	struct pcscf_req r = { .pw = pcscf_of(w), .m = m };

	sip_out_init(&r.out, m);
	dispatch(&r);
	obj_unref(r.b);
}

/* ---- role ---- */

static enum tx_side side(struct worker *w, const struct sip_flow *from)
{
	return pcscf_is_trusted(pcscf_of(w)->p, from) ? TX_CORE : TX_UE;	/* row C5 */
}

static int transport_local(struct worker *w, const struct sip_flow *to, struct addr *ret)
{
	return transport_local_for(w->transport, to, ret);
}

/* Row P20: a closed connection is no de-registration.  The owner of the binding notes it, and the phone is reached at its
 * contact until it registers again. */
struct closed {
	struct sip_flow flow;
	size_t l;
	char key[];
};

static void tell_owner(struct worker *owner, void *arg)
{
	struct closed *c = arg;

	bindings_flow_closed(pcscf_of(owner)->bindings, str_make(c->key, c->l), &c->flow);
	free(c);
}

static void flow_closed(struct worker *w, const struct sip_flow *flow)
{
	struct binding *b = phone_by_flow(pcscf_of(w)->p->phones, flow);
	struct closed *c = b ? malloc(sizeof(*c) + b->key.l) : NULL;

	if (c) {
		c->flow = *flow;
		c->l = b->key.l;
		memcpy(c->key, b->key.p, b->key.l);
		if (worker_call(w, stack_owner(w->stack, b->impi), tell_owner, c) < 0)
			free(c);		/* a send finds out */
	}
	obj_unref(b);
}

/* Its associations go with a registration; the last answer to a de-registration leaves by them. */
static void binding_ended(void *arg, const struct binding *b, const char *why)
{
	struct pcscf_worker *pw = arg;

	/* Row P19.  A phone that leaves by itself has ended its calls, or has come back under another contact. */
	if (strcmp(why, "de-registered") != 0)
		pcscf_release_phone(pw, (struct binding *)b, why);
	if (pw->sets && b->sa)
		sa_retire(pw->sets, b->key, strcmp(why, "expired") == 0 ? SA_EXPIRED : strcmp(why, "de-registered") == 0 ? SA_LEFT : SA_RELEASED);
	record_registration(pw->p->records, b, why, STR_NONE, 0);
	calls_phone_gone(pw, b->id);
	policy_unregistered(pw, b);
	if (bindings_of_impi(pw->bindings, b->impi) <= 1)	/* this is the last one */
		reg_event_left(pw->reg_events, b->impi);
}

static int worker_new(void *u, struct worker *w, void **ret_role)
{
	struct pcscf *p = u;
	struct pcscf_worker *pw = calloc(1, sizeof(*pw));
	int rc;

	if (!pw)
		return -ENOMEM;
	*ret_role = pw;
	pw->p = p;
	pw->w = w;
	pw->local_for = transport_local;
	if (w->id == 0) {		/* the stack is complete enough now, and no thread runs yet */
		p->stack = w->stack;
		rc = pcscf_config_read(&p->cfg, stack_config(w->stack), stack_sip_name(w->stack));
		if (rc < 0)
			return rc;
		pcscf_learn_static(p, stack_config(w->stack));
		rc = call_records_open(&p->records, stack_main_loop(w->stack), cfg_root(stack_config(w->stack)));
		if (rc < 0)
			return rc;
		rc = security_start(p);
		if (rc < 0)
			return rc;
		metrics_register(&trust_metric_stripped);
		metrics_register(&pcscf_registrations);
		emergency_init();
		budget_init();
	}
	pw->bindings = bindings_new(w->wheel, p->phones);
	pw->reg_events = reg_events_new(pw);
	pw->sessions = sessions_new(pw);
	if (!pw->bindings || !pw->reg_events || !pw->sessions)
		return -ENOMEM;
	bindings_on_end(pw->bindings, binding_ended, pw);
	bindings_store(pw->bindings, w->store);
	if (policy_is_used(&p->cfg.policy) || p->test_policy || p->records || p->cfg.agw.mode != AGW_OFF) {
		pw->calls = calls_new(pw, p->cfg.policy.max_calls, p->cfg.policy.max_call_s);
		if (!pw->calls)
			return -ENOMEM;
	}
	rc = policy_start(pw);
	if (rc == 0)
		rc = agw_start(pw);
	if (rc < 0)
		return rc;
	rc = security_worker_start(pw);
	if (rc == 0 && w->id + 1u == stack_n_workers(w->stack))
		atomic_store(&p->rx_ready, true);
	return rc;
}

static void worker_free(struct worker *w, void *role)
{
	struct pcscf_worker *pw = role;

	(void)w;
	rx_serve_end();
	calls_free(pw->calls);
	policy_stop(pw);
	agw_stop(pw);
	pw->calls = NULL;
	reg_events_free(pw->reg_events);
	pw->reg_events = NULL;
	bindings_free(pw->bindings);
	sessions_free(pw->sessions);
	security_worker_stop(pw);
	free(pw);
}

static bool ready(void *u, struct buf *why)
{
	struct pcscf *p = u;

	if (p->helper && !ipsec_helper_alive(p->helper)) {
		buf_puts(why, "the ipsec helper has ended: no phone can register with IPsec");
		return false;
	}
	if (p->cfg.policy.used[POLICY_RX] && p->cfg.policy.on_silence == POLICY_REFUSE && !dia_any_open()) {
		buf_puts(why, "no PCRF is connected: calls are refused (policy.on_silence)");
		return false;
	}
	return true;
}

const struct role_ops pcscf_ops = {
	.ready = ready, .uses_diameter = true, .uses_rx = true,
	.restore = stored_restore,
	.worker_new = worker_new, .worker_free = worker_free, .request = pcscf_request, .ack = pcscf_ack, .side = side,
	.standing = pcscf_standing, .turn_away = pcscf_turn_away, .flow_closed = flow_closed, .fe = "p-cscf", .judge = judge,
	.routes = pcscf_routes, .shapes = pcscf_shapes, .trust_key = "access.trusted", .registrations = "cscf_pcscf_bindings", .urgent = pcscf_urgent,
	.admit = security_admit, .response_flow = security_response_flow, .sent_by = security_sent_by, .listen = security_listen,
};

int pcscf_init(struct pcscf *p)
{
	p->phones = phone_directory_new();
	p->learned = cmap_new();
	return p->phones && p->learned ? 0 : -ENOMEM;
}

void pcscf_fini(struct pcscf *p)
{
	phone_directory_free(p->phones);
	cmap_free(p->learned);
	stored_sets_free(p);
	sa_pool_free(p->sas);
	ipsec_helper_stop(p->helper);
	nat_close(p);
	call_records_close(p->records);
	n5_peer_close(p->n5);
	pcscf_config_fini(&p->cfg);
}
