/* scscf/session.c - a request of the call path on its way through the proxy: Record-Route, border, best response, log.
 * TS 24.229 §5.4.3.2, §5.4.3.3, §4.4; RFC 3261 §16.6, §16.7; RFC 4320 §4.2; rows M1-M15, C14, R8, R9, R10, R18. */
#include <errno.h>
#include <stdio.h>
#include "common/log/log.h"
#include "scscf/session.h"

static METRIC_DEF(m_requests, "cscf_scscf_requests_total", METRIC_COUNTER,
		  "Requests of the call path by side and outcome: forwarded, or the status refused with.", "side", "outcome");
static METRIC_DEF(m_finals, "cscf_scscf_finals_total", METRIC_COUNTER,
		  "Final responses to initial requests that were forwarded, by side and status.", "side", "status");

static const char *side_name(enum session_side side)
{
	switch (side) {
	case SIDE_ORIGINATING:
		return "originating";
	case SIDE_TERMINATING:
		return "terminating";
	default:
		return "in-dialog";
	}
}

static void count_final(const struct session *s, unsigned status)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", status);
	if (s->side != SIDE_DIALOG)
		metric_add(&m_finals, side_name(s->side), text, 1);
}

/* ---- refusals ---- */

void session_refuse_as(struct session_in *in, const struct refusal *given)
{
	bool orig = in->token && (in->token->kind == TOKEN_SERVICE_ROUTE || (in->token->kind == TOKEN_ODI && !services_odi_term(in->token)));
	struct refusal r = *given;
	char text[12];

	snprintf(text, sizeof(text), "%u", r.status);
	metric_add(&m_requests, in->m->to_tag.l ? "in-dialog" : in->token ? "originating" : "terminating", text, 1);
	if (!in->m->to_tag.l)
		r.side = orig ? "orig" : "term";
	tx_refuse(in->st, &r);
}

void session_refuse(struct session_in *in, unsigned status, const char *why, struct str extra)
{
	session_refuse_as(in, &(const struct refusal){ .status = status, .why = why, .extra = extra });
}

/* ---- what the proxy asks ---- */

/* Our Record-Route value. */
static struct str record_route(const struct session *s, struct arena *a, const struct sip_msg *m, const struct session_target *to)
{
	const struct token t = { .kind = TOKEN_RECORD_ROUTE, .flags = (uint8_t)s->side, .id = to->id,
				 .aux = charging_aux(s, to, m->from_tag) | (to->trusted ? 0 : TOKEN_AUX_OUTSIDE) };
	char text[TOKEN_STRLEN];

	token_make(stack_token_key(s->sw->w->stack), &t, text);
	return arena_printf(a, "<sip:%s@%.*s;lr>", text, STR_ARG(stack_sip_name(s->sw->w->stack)));
}

/* Is the topmost Record-Route ours already?  It comes back from an application server that does not stay on the route: once is
 * enough then. */
static bool is_recorded(const struct session *s, const struct sip_out *o, const struct session_target *to)
{
	struct sip_values it = sip_values(o->m, SIP_H_RECORD_ROUTE);
	struct sip_nameaddr n;
	struct token t;
	struct str v;

	return sip_values_next(&it, &v) && sip_nameaddr_parse(v, &n) == 0 && stack_is_self(s->sw->w->stack, &n.uri) &&
	       token_read(stack_token_key(s->sw->w->stack), n.uri.user, &t) == 0 && t.kind == TOKEN_RECORD_ROUTE &&
	       t.flags == s->side && t.id == to->id && (t.aux & TOKEN_AUX_OUTSIDE) == (to->trusted ? 0 : TOKEN_AUX_OUTSIDE);
}

/* The value of before was for the application server, which does not stay: what is beyond it is beside us now. */
static void record_over(const struct session *s, struct sip_out *o, const struct session_target *to)
{
	const struct sip_hdr *h = sip_msg_hdr(o->m, SIP_H_RECORD_ROUTE);
	struct sip_nameaddr n;
	struct session was = *s;
	struct str rest = sip_msg_hdr_value(o->m, h), top;
	struct token t;

	if (!sip_list_next(&rest, &top) || sip_nameaddr_parse(top, &n) < 0 ||
	    token_read(stack_token_key(s->sw->w->stack), n.uri.user, &t) < 0)
		return;
	was.upstream = t.aux & TOKEN_AUX_FROM_AS ? IOI_SERVICE : IOI_NETWORK;
	was.upstream_home = s->upstream_home && !(t.aux & TOKEN_AUX_ABROAD);
	top = record_route(&was, o->arena, o->m, to);
	sip_out_set_line(o, h, rest.l ? arena_printf(o->arena, "%.*s, %.*s", STR_ARG(top), STR_ARG(rest)) : top);
}

static void record(const struct session *s, struct sip_out *o, const struct session_target *to)
{
	if (is_recorded(s, o, to))
		record_over(s, o, to);
	else
		sip_out_push(o, SIP_H_RECORD_ROUTE, record_route(s, o->arena, o->m, to));
}

/* §5.4.3.3: toward the phone who is called goes along, because the Request-URI becomes the contact (RFC 7315 §4.2). */
static void edit_last(const struct session *s, struct sip_out *o)
{
	sip_out_drop(o, SIP_H_PSERVED_USER);	/* between S-CSCF and application servers only, RFC 5502 §3 */
	if (s->side != SIDE_TERMINATING)
		return;
	sip_out_set(o, SIP_H_PCALLED_PARTY_ID, arena_printf(o->arena, "<%.*s>", STR_ARG(s->called)));
	sip_out_drop(o, SIP_H_PAANI);	/* the caller's location is not for the callee: RFC 7315 §5.4 */
}

static void on_branch(void *user, struct proxy *p, struct proxy_branch *b, const struct sip_flow *to, struct sip_out *o)
{
	struct session *s = user;
	const struct session_target *t = proxy_branch_tag(b);

	(void)p, (void)to;
	if (s->record)
		record(s, o, t);
	if (t->as)
		services_branch(s, t->as, o);
	else if (s->side != SIDE_DIALOG)
		edit_last(s, o);
	charging_request(s, t, o);
	border_request(t, o);
	if (t->trunk)
		breakout_branch(t->trunk, o);
}

static void log_final(struct session *s, unsigned status, bool ours)
{
	const struct sip_msg *m = proxy_request(s->p);

	timer_stop(&s->deadline);
	count_final(s, status);
	if (s->side == SIDE_DIALOG)
		return;
	log_info(LOG_SESS, status < 300 ? "answered" : "failed", LOG_S("method", m->method_name), LOG_U("status", status),
		 LOG_C("side", side_name(s->side)), LOG_S("served", s->served), LOG_S("ruri", m->ruri_text),
		 LOG_C("by", ours ? "us" : "peer"), LOG_S("call_id", m->call_id));
}

static enum proxy_verdict on_response(void *user, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	struct session *s = user;
	const struct session_target *t = proxy_branch_tag(b);

	(void)p;
	if (t->as)
		services_response(s, t->as, m);
	border_response(t, o);
	charging_response(s, t, o);
	if (m->status >= 200 && m->status < 300 && !s->answered) {
		s->answered = true;
		log_final(s, m->status, false);
	}
	return PROXY_PASS;
}

static int target_add(struct session *s, struct session_target *t)
{
	struct proxy_target pt = { .ruri = t->ruri, .n_routes = t->n_routes, .q = t->q, .side = TX_CORE, .tag = t,
				   .wait_ms = t->wait_ms, .progress_ms = t->progress_ms };

	for (unsigned i = 0; i < t->n_routes; i++)
		pt.route[i] = t->route[i];
	return proxy_target_add(s->p, &pt);
}

/* Does this answer mean that nobody has the number?  Open5GS cannot tell that from not registered (row D10): the next reading
 * may be asked, but the number may be a home user's all the same and must not leave the IMS. */
static bool means_unknown(const struct session *s, unsigned status, const struct session_target *next)
{
	if (status == 404 || status == 484)
		return true;
	return status == 480 && s->sw->s->hss == HSS_OPEN5GS && !next->trunk;
}

/* May the next target have it?  A trunk makes way for another one when it failed; where ENUM sent us, when nobody is there. */
static bool goes_on(struct session *s, const struct session_target *failed, unsigned status, const struct sip_msg *m)
{
	if (failed->trunk)
		return breakout_failed(s->sw, failed->trunk, status, m) && s->next && s->next->trunk;
	if (!s->next)
		return false;
	return means_unknown(s, status, s->next) || (failed->found && (status == 503 || (status == 408 && !m)));
}

/* RFC 5626 §7: the edge says that the flow is gone, or nobody answers there. */
static bool flow_is_broken(unsigned status)
{
	return status == 430 || status == 408 || status == 503;
}

/* The next reading of the number, and behind them the way out of the IMS (TS 23.228 §5.19, row R9). */
static void on_branch_failed(void *user, struct proxy *p, struct proxy_branch *b, unsigned status, struct sip_msg *m)
{
	struct session_target *t, *failed = proxy_branch_tag(b);
	struct session *s = user;

	(void)p;
	if (failed->as && services_failed(s, failed->as, status, m)) {
		proxy_branch_disregard(b);
		return;
	}
	if (failed->other_flow && flow_is_broken(status) && target_add(s, failed->other_flow) == 0) {
		log_info(LOG_SESS, "a flow is broken, the phone's next one", LOG_U("status", status), LOG_S("ruri", failed->other_flow->ruri));
		proxy_branch_disregard(b);
		return;
	}
	if (failed->as || s->side == SIDE_DIALOG || !goes_on(s, failed, status, m))
		return;
	t = s->next;
	s->next = t->next;
	proxy_branch_disregard(b);
	if (target_add(s, t) == 0)
		log_debug(LOG_SESS, "not there, the next target", LOG_S("ruri", t->ruri));
}

static bool on_waited(void *user, struct proxy *p, struct proxy_branch *b)
{
	const struct session_target *t = proxy_branch_tag(b);

	(void)p;
	return !t->as || services_waited(user, t->as);
}

/* RFC 4320 §4.2: no 408 to a non-INVITE.  The callee's silence is 480, a server's 504. */
static unsigned silence(const struct session *s)
{
	return s->side == SIDE_TERMINATING ? 480 : 504;
}

static const char *fe_side(const struct session *s)
{
	return s->side == SIDE_ORIGINATING ? "orig" : s->side == SIDE_TERMINATING ? "term" : NULL;
}

static bool on_final(void *user, struct proxy *p, unsigned status, struct sip_msg *m)
{
	struct session *s = user;
	bool silent = status == 408 && s->method != SIP_INVITE, broken = status == 430 && s->side == SIDE_TERMINATING;

	if (broken)		/* RFC 5626 §7: between us and the edge; for the caller it is a phone that cannot be reached */
		status = 480;
	if (silent)
		status = silence(s);
	log_final(s, status, !m);
	if (silent && proxy_server(p))
		tx_refuse(proxy_server(p), &(const struct refusal){ .status = status, .why = "nobody answered", .quiet = true,
								    .side = fe_side(s) });
	if (broken && proxy_server(p))
		tx_refuse(proxy_server(p), &(const struct refusal){ .status = status, .why = "no flow to the phone is left", .quiet = true,
								    .side = fe_side(s) });
	return silent || broken;
}

/* An INVITE rings until timer C.  Anything else has to end before whoever asked us gives up, which is when our own timer F
 * runs out, and whether or not a 100 came. */
static void on_deadline(struct timer *t)
{
	struct session *s = container_of(t, struct session, deadline);

	log_correlation(sip_unquote(s->charging.icid));
	log_final(s, silence(s), true);
	proxy_reject(s->p, &(const struct refusal){ .status = silence(s), .why = "nobody answered in time", .quiet = true,
						    .side = fe_side(s) });
	log_correlation(STR_NONE);
}

void session_give_up(struct session *s, unsigned status, const char *why)
{
	s->given_up = true;
	log_correlation(sip_unquote(s->charging.icid));
	log_final(s, status, true);
	proxy_reject(s->p, &(const struct refusal){ .status = status, .why = why, .quiet = true, .side = fe_side(s) });
	log_correlation(STR_NONE);
}

static void deadline_start(struct session *s)
{
	const struct session_config *c = s->sw->s->sessions;
	uint32_t wait = c ? c->non_invite_wait_ms : SESSION_NON_INVITE_WAIT_MS;

	if (s->method != SIP_INVITE)
		timer_start(s->sw->w->wheel, &s->deadline, s->side == SIDE_TERMINATING ? wait : wait + SESSION_OUTER_WAIT_MS);
}

static void on_gone(void *user, struct proxy *p)
{
	struct session *s = user;

	(void)p;
	timer_stop(&s->deadline);
	list_del(&s->invite);
	translate_gone(s);
	services_gone(s);
}

static const struct proxy_ops session_ops = {
	.branch = on_branch, .response = on_response, .branch_failed = on_branch_failed, .waited = on_waited,
	.final = on_final, .gone = on_gone,
};

/* ---- life ---- */

struct session_target *session_target_new(struct session_in *in)
{
	return arena_zalloc(in->m->arena, sizeof(struct session_target));
}

/* A proxy has to be on the route of what makes a dialog: TS 24.229 §5.4.3.2, §5.4.3.3.  A method nobody knows may make one. */
static bool makes_dialog(const struct sip_msg *m)
{
	switch (m->method) {
	case SIP_INVITE:
	case SIP_SUBSCRIBE:
	case SIP_REFER:
	case SIP_UNKNOWN_METHOD:
		return true;
	default:
		return false;
	}
}

struct session *session_new(struct scscf_worker *sw, struct session_in *in, enum session_side side, struct str served)
{
	struct session *s = arena_zalloc(in->m->arena, sizeof(*s));

	if (!s) {
		session_refuse(in, 500, "out of memory", STR_NONE);
		return NULL;
	}
	s->sw = sw;
	s->side = side;
	s->method = in->m->method;
	s->served = arena_dup(in->m->arena, served);
	s->served_uri = s->served;
	s->called = arena_dup(in->m->arena, in->ruri.text);
	timer_init(&s->deadline, on_deadline);
	list_init(&s->invite);
	if (side != SIDE_DIALOG)
		s->record = makes_dialog(in->m);
	charging_begin(s, in);
	return s;
}

static void targets_add(struct session *s, struct session_target *first, enum session_mode mode)
{
	struct session_target *t = first;
	int rc = target_add(s, t);

	for (t = t->next; t && mode == SESSION_FORK; t = t->next)
		if (target_add(s, t) < 0)
			rc = -ENOSPC;
	if (rc < 0)
		log_warn(LOG_SESS, "not every target was taken", LOG_I("errno", -rc), LOG_S("call_id", proxy_request(s->p)->call_id));
	s->next = mode == SESSION_IN_TURN ? first->next : NULL;
}

static bool open_proxy(struct session *s, struct session_in *in)
{
	s->p = proxy_new(s->sw->w->proxy, in->st, in->m, &session_ops, s);
	if (!s->p) {
		session_refuse(in, 500, "out of memory", STR_NONE);
		return false;
	}
	metric_add(&m_requests, side_name(s->side), "forwarded", 1);
	sip_out_copy(proxy_out(s->p), &in->out);
	if (s->method == SIP_INVITE && s->side != SIDE_DIALOG)
		list_add_tail(&s->sw->invites, &s->invite);
	return true;
}

void session_start(struct session *s, struct session_in *in, struct session_target *first, enum session_mode mode)
{
	if (!open_proxy(s, in))
		return;
	targets_add(s, first, mode);
	deadline_start(s);
	proxy_start(s->p);
}

bool session_hold(struct session *s, struct session_in *in)
{
	bool fresh = !s->p;

	if (fresh && !open_proxy(s, in))
		return false;
	proxy_hold(s->p);
	if (fresh) {
		deadline_start(s);
		proxy_start(s->p);
	}
	return true;
}

struct session_in *session_in_keep(const struct session_in *in)
{
	struct session_in *kept = arena_alloc(in->m->arena, sizeof(*kept));

	if (!kept)
		return NULL;
	*kept = *in;
	sip_out_copy(&kept->out, &in->out);
	if (in->token)
		kept->token = &kept->own_token[in->token - in->own_token];
	return kept;
}

void session_more(struct session *s, struct session_target *first, enum session_mode mode)
{
	targets_add(s, first, mode);
}
