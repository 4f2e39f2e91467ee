/* pcscf/forward.c - what every forwarded request has in common: Record-Route, the trust border for its responses, what a
 * phone hears when the core is silent and the core when a phone is.  TS 24.229 §5.2.6.3, §5.2.6.4; RFC 4320; rows P12, R10. */
#include <stdlib.h>
#include "common/log/log.h"
#include "pcscf/agw.h"
#include "pcscf/policy.h"
#include "pcscf/session.h"
#include "pcscf/trust.h"

#define GROWTH_BYTES 200u		/* our Via and Record-Route */

struct forward {			/* user of the proxy */
	struct pcscf_worker *pw;
	struct binding *b;		/* the phone; NULL: to a phone that we do not know (any more) */
	bool to_phone, dialog, learn, emergency;
	bool heard;			/* a provisional response came */
	struct str icid;		/* in the request's arena */
	struct str rr[2];		/* our Record-Route as it went out */
	unsigned n_rr;
	struct ringing ringing;		/* an INVITE that nobody has answered */
	bool refused;			/* a BYE that ends nothing: see ends_nothing() */
	uint64_t phone_id;		/* of the binding, also when that has ended; 0: nobody knows */
};

static uint64_t binding_id(const struct forward *f)
{
	return f->b ? f->b->id : 0;
}

static void correlate(const struct forward *f)
{
	if (f->icid.l)
		log_correlation(f->icid);
}

static void on_branch(void *user, struct proxy *p, struct proxy_branch *b, const struct sip_flow *to, struct sip_out *o)
{
	struct sip_values recorded = sip_values(proxy_request(p), SIP_H_RECORD_ROUTE);
	struct forward *f = user;
	struct str top;

	(void)b;
	if (f->dialog)
		f->n_rr = pcscf_record_route(f->pw, o, binding_id(f), f->emergency ? RECORD_ROUTE_SOS : 0,
					     &proxy_request(p)->flow, to, f->to_phone, f->rr);
	if (f->n_rr && f->to_phone && f->pw->p->cfg.hide_topology)
		topology_hide_request(f->pw, o, f->rr[0]);
	if (f->learn)
		pcscf_learn(f->pw->p, to);
	if (f->dialog && f->to_phone && sip_values_next(&recorded, &top))	/* where the callee's requests will go */
		pcscf_learn_hop(f->pw->p, top);
}

/* ---- responses ---- */

static bool record_route_is_ours(const struct forward *f, const struct sip_msg *req, const struct sip_msg *m)
{
	struct sip_values got = sip_values(m, SIP_H_RECORD_ROUTE), sent = sip_values(req, SIP_H_RECORD_ROUTE);
	struct str v, want;

	for (unsigned i = 0; i < f->n_rr; i++)
		if (!sip_values_next(&got, &v) || !str_eq(v, f->rr[i]))
			return false;
	while (sip_values_next(&sent, &want))
		if (!sip_values_next(&got, &v) || !str_eq(v, want))
			return false;
	return !sip_values_next(&got, &v);
}

/* §5.2.6.4.4: a phone must give the route set back as it was; what it wrote instead is not passed on. */
static void check_record_route(const struct forward *f, const struct sip_msg *req, struct sip_out *o)
{
	const struct sip_hdr *lines[SIP_MSG_MAX_HDRS], *h;
	unsigned n = 0;

	if (!f->n_rr || o->m->status >= 300 || !o->m->to_tag.l || record_route_is_ours(f, req, o->m))
		return;
	log_debug(LOG_SEC, "record-route of a phone replaced", LOG_S("call_id", req->call_id));
	for (h = sip_msg_hdr(req, SIP_H_RECORD_ROUTE); h; h = sip_msg_hdr_next(req, h))
		lines[n++] = h;
	sip_out_drop(o, SIP_H_RECORD_ROUTE);
	while (n)
		sip_out_push(o, SIP_H_RECORD_ROUTE, sip_msg_hdr_value(req, lines[--n]));
	for (unsigned i = f->n_rr; i-- > 0;)
		sip_out_push(o, SIP_H_RECORD_ROUTE, f->rr[i]);
}

/* The phone's requests within this dialog will go to the value above ours: it came from the core, so the phone may. */
static void learn_next_hop(const struct forward *f, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_RECORD_ROUTE);
	struct str v, above = STR_NONE;

	while (f->n_rr && sip_values_next(&it, &v)) {
		if (str_eq(v, f->rr[0]))
			break;
		above = v;
	}
	/* An emergency call that nobody put a node on: the PSAP's side answers by itself. */
	if (f->emergency && !above.l && m->to_tag.l) {
		it = sip_values(m, SIP_H_CONTACT);
		if (sip_values_next(&it, &v))
			above = v;
	}
	if (above.l)
		pcscf_learn_hop_as(f->pw->p, f->emergency ? "sos" : "uri", above);
}

static void response_from_phone(struct forward *f, const struct sip_msg *req, struct sip_out *o)
{
	trust_strip(&f->pw->p->cfg, o, TRUST_RESP_FROM_PHONE);
	if (f->b)
		pcscf_assert_callee(o, req, f->b);
	pcscf_charging_answer(f->pw, o, req, f->phone_id);
	check_record_route(f, req, o);
}

/* A final to a BYE that ends no dialog.  401, 407: its sender will try again.  A phone could have others of its own making (Max-Forwards 1,
 * an old CSeq), and the other end has not heard of it then: only what RFC 3261 §15.1.1 names, and silence, ends its call.  480 and 504 are
 * how a node before us tells of silence (own_status()). */
static bool ends_nothing(const struct forward *f, unsigned status)
{
	if (status == 401 || status == 407)
		return true;
	return !f->to_phone && status >= 300 && status != 481 && status != 408 && status != 480 && status != 504;
}

/* Row P19: what it takes to end the call by ourselves. */
static void note_answer(struct forward *f, const struct sip_msg *req, const struct sip_msg *m)
{
	struct sessions *ss = f->pw->sessions;

	if (m->status < 200)
		return;
	ringing_end(&f->ringing);
	f->refused = ends_nothing(f, m->status);
	if (m->status >= 300 || (req->method != SIP_INVITE && req->method != SIP_UPDATE))
		return;
	if (req->to_tag.l)
		session_refreshed(ss, req, m, binding_id(f));
	else if (f->n_rr)
		session_answered(ss, &(const struct session_answer){
			.invite = req, .answer = m, .binding_id = binding_id(f), .phone_called = f->to_phone,
			.icid = f->icid, .emergency = f->emergency, .n_record_routes = f->n_rr });
}

/* The call that this request belongs to, when calls are kept (policy control). */
static struct call *call_of(const struct forward *f, const struct sip_msg *req)
{
	return f->pw->calls ? call_find(f->pw->calls, req->call_id, f->phone_id) : NULL;
}

/* RFC 3261 §15.1.1: what was said to a BYE, or nothing, ends the dialog. */
static void bye_over(const struct forward *f, const struct sip_msg *req)
{
	struct call *c = req->method == SIP_BYE && !f->refused ? call_of(f, req) : NULL;

	if (c)
		call_dialog_over(c, req, "BYE");
}

/* What it says of the media is settled first: by the relay, then by policy control. */
static enum proxy_verdict ask_about_media(struct forward *f, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	const struct sip_msg *req = proxy_request(p);
	struct call *c = call_of(f, req);
	enum proxy_verdict v;

	if (!c)
		return PROXY_PASS;
	if ((m->status == 481 || m->status == 408) && (req->method == SIP_INVITE || req->method == SIP_UPDATE)) {
		call_dialog_over(c, req, "the dialog is gone");		/* RFC 3261 §12.2.1.2 */
		return PROXY_PASS;
	}
	if (m->status / 100 == 2 && (req->method == SIP_INVITE || req->method == SIP_UPDATE) &&
	    !call_answered(c, req, m))
		return PROXY_PASS;
	v = agw_response(c, p, b, m, o, f->to_phone);
	return v == PROXY_PASS ? policy_response(c, p, b, m, o, f->to_phone) : v;
}

static enum proxy_verdict on_response(void *user, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	struct forward *f = user;
	const struct sip_msg *req = proxy_request(p);

	(void)b;
	correlate(f);
	if (f->to_phone && f->b && f->b->sa && !ports_protected(&f->pw->p->cfg.security, &m->flow.local)) {
		log_warn(LOG_SEC, "an answer in clear of a phone that has security associations", LOG_S("impi", f->b->impi));
		return PROXY_DROP;
	}
	note_answer(f, req, m);
	if (m->status >= 200)
		bye_over(f, req);
	if (m->status / 100 == 2 && req->method == SIP_BYE)
		policy_left_gone(f->pw, req->call_id, f->phone_id);
	if (m->status < 200)
		f->heard = true;
	else if (req->method == SIP_INVITE)
		log_info(LOG_SESS, "INVITE answered", LOG_U("status", m->status), LOG_C("by", f->to_phone ? "phone" : "core"),
			 LOG_S("call_id", req->call_id));
	if (f->to_phone) {
		budget_of_response(&f->pw->p->cfg.budgets, m);
		response_from_phone(f, req, o);
	} else {
		learn_next_hop(f, m);
		if (f->n_rr && f->pw->p->cfg.hide_topology)
			topology_hide_response(f->pw, o, f->rr[0], f->rr[f->n_rr - 1]);
		trust_strip(&f->pw->p->cfg, o, TRUST_RESP_TO_PHONE);
	}
	return ask_about_media(f, p, b, m, o);
}

/* What we say when the next hop said nothing (rows R10, R14); what a peer said passes, but for a 503, which would be about us
 * (RFC 3261 §16.7), and a 408 to a non-INVITE, which nobody may send (RFC 4320). */
static unsigned own_status(const struct forward *f, const struct sip_msg *req, unsigned status, bool by_peer)
{
	if (status == 503)
		return f->to_phone && !by_peer ? 480 : 500;
	if (status != 408)
		return status;
	if (req->method != SIP_INVITE)
		return f->to_phone ? 480 : 504;
	return f->to_phone || by_peer || f->heard ? 408 : 504;
}

static bool on_final(void *user, struct proxy *p, unsigned status, struct sip_msg *m)
{
	struct forward *f = user;
	struct sip_msg *req = proxy_request(p);
	unsigned own = own_status(f, req, status, m != NULL);
	bool mute = f->to_phone && !m && !f->heard;		/* it may be out of reach: another thing than nobody lifting */
	struct call *c;

	correlate(f);
	bye_over(f, req);
	c = call_of(f, req);
	if (c && c->invite == p)
		call_invite_over(c, own);
	if (own == status && !(mute && status == 408))
		return false;
	tx_refuse(proxy_server(p), &(const struct refusal){
		.status = own, .why = f->to_phone ? "the phone does not answer" : m ? "the core is not available" : "the core does not answer",
		.retry_after_s = f->to_phone ? 0 : f->pw->p->cfg.retry_after_s });
	return true;
}

static void on_gone(void *user, struct proxy *p)
{
	struct forward *f = user;
	const struct sip_msg *req = proxy_request(p);
	struct call *c;

	correlate(f);
	ringing_end(&f->ringing);
	if (req->method == SIP_BYE && !f->refused)
		session_over(f->pw->sessions, req, binding_id(f));
	bye_over(f, req);
	c = call_of(f, req);
	if (c)
		agw_proxy_gone(c, p);
	c = call_of(f, req);			/* what was behind it may have been the end of the call */
	if (c)
		policy_proxy_gone(c, p);
	c = call_of(f, req);
	if (c && c->invite == p)
		call_invite_over(c, 0);
	obj_unref(f->b);
	free(f);
}

static const struct proxy_ops ops = { .branch = on_branch, .response = on_response, .final = on_final, .gone = on_gone };

/* ---- sending ---- */

static uint64_t phone_id(const struct pcscf_req *r)
{
	return r->b ? r->b->id : r->has_token ? r->token.id : 0;
}

/* What passes within a call, or begins one.  true: the request waits for a media relay or policy control, or is
 * answered. */
static bool watch_call(struct pcscf_req *r, struct forward *f, struct proxy *p)
{
	struct call *c;

	if (!r->pw->calls)
		return false;
	if (r->m->method == SIP_INVITE && !r->m->to_tag.l) {
		if (!call_begin(r, p, f->to_phone) && agw_turn_away(r, p, f->to_phone))
			return true;
		c = call_of(f, r->m);
		return c && c->invite == p && agw_request(c, p, r->m, NULL, f->to_phone, NULL);
	}
	c = call_of(f, r->m);
	if (c && r->m->method == SIP_BYE && call_bye(c, r->m)) {
		agw_bye(c);
		c = call_of(f, r->m);		/* what was held may have been the end of the call */
		if (c)
			policy_bye(c);
		c = call_of(f, r->m);
	}
	return c && (agw_request(c, p, r->m, NULL, f->to_phone, NULL) || policy_request(c, p, r->m, proxy_out(p), f->to_phone));
}

/* An ACK may carry the answer to an offer in the 2xx; of that only a media relay makes it wait. */
static void forward_ack(struct pcscf_req *r, bool to_phone, const struct sip_flow *flow)
{
	struct call *c = r->pw->calls ? call_find(r->pw->calls, r->m->call_id, phone_id(r)) : NULL;

	if (c && agw_request(c, NULL, r->m, &r->out, to_phone, flow))
		return;
	if (c)
		policy_request(c, NULL, r->m, &r->out, to_phone);
	proxy_forward_ack(r->pw->w->proxy, r->m, &r->out, flow);
}

/* Row P16: an offer that asks for what is not allowed hears what is.  false: answered. */
static bool media_allowed(struct pcscf_req *r)
{
	const struct sdp_policy *p = &r->pw->p->cfg.media;
	struct sdp_fault f;
	bool sos = r->has_token && r->token.kind == TOKEN_RECORD_ROUTE && (r->token.flags & RECORD_ROUTE_SOS);

	if (r->emergency || sos || sdp_policy_allows(p, sdp_of_message(r->m), &f))
		return true;
	tx_refuse(r->st, &(const struct refusal){
		.status = 488, .why = f.why, .content_type = STR("application/sdp"), .body = sdp_policy_body(p, r->m->arena),
		.extra = arena_printf(r->m->arena, "Warning: %u %.*s \"%s\"\r\n", f.warning, STR_ARG(r->pw->p->cfg.path_host), f.why) });
	return false;
}

static void forward(struct pcscf_req *r, const struct forward *what, const struct proxy_target *t)
{
	struct forward *f;
	struct proxy *p;

	if (!media_allowed(r))
		return;
	f = malloc(sizeof(*f));
	p = f ? proxy_new(r->pw->w->proxy, r->st, r->m, &ops, f) : NULL;
	if (!p) {
		free(f);
		pcscf_refuse(r, 500, "out of memory", STR_NONE);
		return;
	}
	*f = *what;
	f->b = obj_ref(r->b);
	f->phone_id = phone_id(r);
	sip_out_copy(proxy_out(p), &r->out);
	if (what->to_phone && r->pw->p->cfg.hide_topology)
		proxy_hide_via(p);
	if (r->m->to_tag.l)
		session_request(r->pw->sessions, r->m, r->b ? r->b->id : 0);
	if (r->m->method == SIP_INVITE && !r->m->to_tag.l &&
	    !ringing_begin(r->pw->sessions, &f->ringing, p, f->b, !what->to_phone, what->emergency, what->icid))
		proxy_reject(p, &(const struct refusal){ .status = 486, .why = "too many calls that nobody has answered" });
	else if (proxy_target_add(p, t) < 0)
		proxy_reject(p, &(const struct refusal){ .status = 500, .why = "out of memory" });
	else if (!watch_call(r, f, p))
		proxy_start(p);
}

void pcscf_forward_to_core(struct pcscf_req *r, bool dialog, bool learn)
{
	const struct forward what = { .pw = r->pw, .dialog = dialog, .learn = learn, .emergency = r->emergency, .icid = r->icid };
	const struct proxy_target t = { .side = TX_CORE };

	if (r->st)
		forward(r, &what, &t);
	else
		forward_ack(r, false, NULL);
}

void pcscf_forward_to_phone(struct pcscf_req *r, bool dialog)
{
	const struct forward what = { .pw = r->pw, .to_phone = true, .dialog = dialog, .icid = r->icid };
	struct proxy_target t = { .side = TX_UE };
	struct sip_flow flow;

	if (r->b) {
		pcscf_access_path(r->b, &flow);
		/* RFC 3261 §18.1.1: the same associations take TCP. */
		if (r->b->sa && flow.proto == SIP_UDP && r->m->raw.l + GROWTH_BYTES > r->pw->p->cfg.udp_max_bytes)
			flow.proto = SIP_TCP;
		t.flow = &flow;
	}
	if (!r->b && r->m->to_tag.l && session_caller_flow(r->pw->sessions, r->m, &flow))
		t.flow = &flow;
	/* Timer F toward a phone is 128 s, but the core waits 64*T1 of its own: it must hear of the silence before. */
	if (r->m->method != SIP_INVITE)
		t.wait_ms = r->pw->p->cfg.silence_ms;
	if (r->st) {
		forward(r, &what, &t);
		return;
	}
	if (r->pw->p->cfg.hide_topology)
		sip_out_drop(&r->out, SIP_H_VIA);
	forward_ack(r, true, t.flow);
}
