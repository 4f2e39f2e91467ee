/* pcscf/agw.c - see agw.h: the descriptions of a call, one question to its relay at a time, and the messages that wait for it.
 *
 *   held, oldest first:   [INVITE with an offer: asks]   |   [183 with the answer: asks]  [180]  [200 with the same answer]
 *
 * The head is looked at when everything before it has gone, for what a description is (offer or answer) depends on that.  The two sides of a
 * session at the relay are "phone" and "core", whatever the forks: they all got the same offer, with one address of the relay, so they are
 * one side of it.  The fork that speaks last is whom it sends to; the one whose 2xx came is made the last. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/bencode.h"
#include "common/util/clock.h"
#include "pcscf/agw_private.h"
#include "pcscf/policy.h"

static METRIC_DEF(m_asked, "cscf_pcscf_media_total", METRIC_COUNTER, "Questions to media relays by command and outcome.", "command", "outcome");
static METRIC_DEF(m_refused, "cscf_pcscf_media_failed_total", METRIC_COUNTER, "Messages whose media no relay took.", "became", NULL);
static METRIC_DEF(m_seconds, "cscf_pcscf_media_wait_seconds", METRIC_HISTOGRAM, "How long messages waited for a media relay.", NULL, NULL);
static METRIC_DEF(m_sessions, "cscf_pcscf_media_sessions", METRIC_GAUGE, "Calls whose media go through a relay.", NULL, NULL);

static const char *const command[] = { "nothing", "offer", "answer" };
static const char *const side[] = { "core", "phone" };

static const struct agw_config *config_of(const struct agw_session *s)
{
	return &s->pw->p->cfg.agw;
}

static struct ng_relay *relay_of(const struct agw_session *s)
{
	return &s->pw->p->relay[s->relay];
}

/* ---- what was said ---- */

static void said_forget(struct agw_said *d)
{
	free(d->in);
	free(d->out);
	*d = (struct agw_said){ .op = AGW_NOTHING };
}

static void said_put(struct agw_said *d, const struct agw_held *h, struct str out)
{
	said_forget(d);
	d->in = str_dup(h->sdp);
	d->out = str_dup(out);
	if (!d->in || !d->out) {		/* asked again, then */
		said_forget(d);
		return;
	}
	d->op = h->op;
	d->in_l = h->sdp.l;
	d->out_l = out.l;
	memcpy(d->tag, h->tag, sizeof(d->tag));
}

static struct agw_fork *fork_of(struct agw_session *s, const char *tag, bool make)
{
	for (unsigned i = 0; i < s->n_forks; i++)
		if (strcmp(s->fork[i].tag, tag) == 0)
			return &s->fork[i];
	if (!make || !tag[0] || s->n_forks == AGW_MAX_FORKS)
		return NULL;
	memcpy(s->fork[s->n_forks].tag, tag, sizeof(s->fork[0].tag));
	return &s->fork[s->n_forks++];
}

static void fork_put(struct agw_fork *f, struct str sdp)
{
	free(f->sdp);
	f->sdp = str_dup(sdp);
	f->l = f->sdp ? sdp.l : 0;
}

static void forks_forget(struct agw_session *s)
{
	for (unsigned i = 0; i < s->n_forks; i++) {
		free(s->fork[i].sdp);
		s->fork[i].sdp = NULL;
	}
}

/* ---- offer or answer: RFC 3264, RFC 3261 §13.2.1, RFC 3262 §5 ---- */

static bool by_callee(const struct agw_session *s, const struct agw_held *h)
{
	return h->from_phone == s->c->ue_called;
}

/* What the caller says it says to every fork. */
static bool was_said(const struct agw_session *s, const struct agw_held *h)
{
	const struct agw_said *d = &s->said[!!h->from_phone];

	return d->op == h->op && (!by_callee(s, h) || strcmp(d->tag, h->tag) == 0) && str_eq(str_make(d->in, d->in_l), h->sdp);
}

static enum agw_op op_of_request(struct agw_session *s, const struct agw_held *h)
{
	const struct agw_fork *f = fork_of(s, h->tag, false);

	switch (h->m->method) {
	case SIP_INVITE:
	case SIP_UPDATE:
		return AGW_OFFER;
	case SIP_PRACK:
		return f && f->late ? AGW_ANSWER : AGW_OFFER;
	case SIP_ACK:
		return f && f->late ? AGW_ANSWER : AGW_NOTHING;
	default:
		return AGW_NOTHING;
	}
}

static enum agw_op op_of_response(const struct agw_held *h)
{
	const struct sip_msg *req = proxy_request(h->p);

	switch (req->method) {
	case SIP_INVITE:
		return sdp_of_message(req).l ? AGW_ANSWER : AGW_OFFER;
	case SIP_UPDATE:
	case SIP_PRACK:
		return AGW_ANSWER;
	default:
		return AGW_NOTHING;
	}
}

static bool is_other_fork(const struct agw_session *s, const struct agw_held *h)
{
	return s->final_tag[0] && h->tag[0] && strcmp(s->final_tag, h->tag) != 0;
}

/* A 2xx that says nothing makes its fork the one that counts: the relay is told again what that fork had said. */
static void replay(struct agw_session *s, struct agw_held *h)
{
	struct agw_fork *f = fork_of(s, h->tag, false);
	const struct agw_said *last = &s->said[!!h->from_phone];

	if (!h->initial || h->m->request || h->m->status / 100 != 2 || !f || !f->sdp || last->op == AGW_NOTHING || strcmp(last->tag, h->tag) == 0)
		return;
	h->sdp = arena_dup(h->m->arena, str_make(f->sdp, f->l));	/* the fork's goes when all is said */
	h->replay = h->sdp.l > 0;
	h->op = h->replay ? AGW_ANSWER : AGW_NOTHING;
}

static void put_body(struct agw_held *h, struct str sdp)
{
	struct sip_out *o = h->p && !h->b ? proxy_out(h->p) : &h->out;
	struct str body = agw_body(h->m, sdp);

	if (body.l)
		sip_out_set_body(o, sip_msg_value(h->m, SIP_H_CONTENT_TYPE), body);
	else
		o->failed = true;		/* not with the address that it must not have */
}

static void put_last(struct agw_held *h, const struct agw_said *d)
{
	if (!h->replay && d->out)
		put_body(h, str_make(d->out, d->out_l));
}

/* What the head is; true: the relay is to be asked. */
static bool examine(struct agw_session *s, struct agw_held *h)
{
	struct agw_said *last = &s->said[!!h->from_phone];
	bool nat;

	h->sdp = sdp_of_message(h->m);
	if (is_other_fork(s, h)) {		/* a second answer, which its caller will end */
		if (h->sdp.l)
			put_last(h, last);
		return false;
	}
	if (h->sdp.l)
		h->op = h->m->request ? op_of_request(s, h) : op_of_response(h);
	else
		replay(s, h);
	if (h->initial && !h->m->request && h->m->status / 100 == 2) {
		memcpy(s->final_tag, h->tag, sizeof(s->final_tag));
		if (s->opened)
			agw_keep(s);
	}
	if (h->op == AGW_NOTHING || h->sdp.l > AGW_MAX_SDP_BYTES)
		return false;
	if (!s->opened && (h->op == AGW_ANSWER || !agw_wants(config_of(s), s->c->b, h->sdp, h->from_phone, &h->m->flow.remote, &nat)))
		return false;
	if (!was_said(s, h))
		return true;
	put_last(h, last);
	return false;
}

/* ---- held messages ---- */

static void held_free(struct agw_session *s, struct agw_held *h)
{
	list_del(&h->link);
	s->n_held--;
	metric_observe_us(&m_seconds, NULL, NULL, clock_mono_us() - h->since_us);
	sip_msg_unref(h->m);
	free(h);
}

/* To policy control, and on. */
static void let_go(struct agw_session *s, struct agw_held *h)
{
	struct agw_held go = *h;
	struct call *c = s->c;

	sip_msg_ref(go.m);
	held_free(s, h);
	if (!go.p) {
		policy_request(c, NULL, go.m, &go.out, go.to_phone);
		proxy_forward_ack(s->pw->w->proxy, go.m, &go.out, go.has_flow ? &go.flow : NULL);
	} else if (!go.b) {
		if (!policy_request(c, go.p, go.m, proxy_out(go.p), go.to_phone))
			proxy_start(go.p);
	} else if (policy_response(c, go.p, go.b, go.m, &go.out, go.to_phone) == PROXY_PASS) {
		proxy_resume(go.p, go.b, go.m, &go.out);
	}
	sip_msg_unref(go.m);
}

/* What somebody else waits for, as it came; a 1xx says nothing any more, and an INVITE that was never sent never is. */
static void let_all_go(struct agw_session *s)
{
	while (!list_empty(&s->held)) {
		struct agw_held *h = list_entry(s->held.next, struct agw_held, link);

		if (h->b ? h->m->status >= 200 : !(h->initial && h->p))
			let_go(s, h);
		else
			held_free(s, h);
	}
}

static void session_free(struct agw_session *s)
{
	if (s->query)
		ng_cancel(s->query);
	forks_forget(s);
	said_forget(&s->said[0]);
	said_forget(&s->said[1]);
	free(s);
}

static void enter(struct agw_session *s)
{
	s->busy++;
}

static void leave(struct agw_session *s)
{
	if (--s->busy == 0 && s->dead)
		session_free(s);
}

/* ---- asking ---- */

static void put_flags(const struct agw_session *s, const struct agw_held *h, struct buf *b)
{
	char host[ADDR_STRLEN];
	bool ip6 = h->m->flow.remote.sa.sa_family == AF_INET6, nat = false;
	struct str address;

	(void)agw_wants(config_of(s), s->c->b, h->sdp, h->from_phone, &h->m->flow.remote, &nat);
	if (!nat || h->replay)
		return;
	/* The phone does not know its address: until its first packet comes, where its SIP comes from is the best guess. */
	address = str_from_c(addr_host(&h->m->flow.remote, host));
	if (address.l && address.p[0] == '[')
		address = str_make(address.p + 1, address.l - 2);
	bencode_put_str(b, STR("flags"));
	buf_putc(b, 'l');
	bencode_put_str(b, STR("SIP-source-address"));
	buf_putc(b, 'e');
	bencode_put_str(b, STR("received-from"));
	buf_putc(b, 'l');
	bencode_put_str(b, ip6 ? STR("IP6") : STR("IP4"));
	bencode_put_str(b, address);
	buf_putc(b, 'e');
}

/* Toward the phone: its own family.  Toward the core: as configured, else what the core has shown, else what stands in the offer. */
static int family_toward(const struct agw_session *s, const struct agw_held *h)
{
	const struct agw_config *c = config_of(s);

	if (!h->from_phone)
		return s->c->b->flow.remote.sa.sa_family;
	return c->core_family ? c->core_family : s->core_family;
}

static void put_offer(const struct agw_session *s, const struct agw_held *h, struct buf *b)
{
	const struct agw_config *c = config_of(s);
	int family = family_toward(s, h);

	if (family)
		bencode_put_pair(b, "address-family", family == AF_INET6 ? STR("IP6") : STR("IP4"));
	if (!c->access_interface.l)
		return;
	bencode_put_str(b, STR("direction"));
	buf_putc(b, 'l');
	bencode_put_str(b, h->from_phone ? c->access_interface : c->core_interface);
	bencode_put_str(b, h->from_phone ? c->core_interface : c->access_interface);
	buf_putc(b, 'e');
}

static void on_answer(void *arg, const struct ng_answer *a);

static bool put_question(struct agw_session *s, struct agw_held *h)
{
	bool offerer = h->op == AGW_OFFER ? h->from_phone : !h->from_phone;
	struct buf b;

	buf_init(&b, NG_MAX_BYTES);
	buf_putc(&b, 'd');
	bencode_put_pair(&b, "command", str_from_c(command[h->op]));
	bencode_put_pair(&b, "call-id", str_from_c(s->id));
	bencode_put_pair(&b, "from-tag", str_from_c(side[offerer]));
	bencode_put_pair(&b, "to-tag", str_from_c(side[!offerer]));
	bencode_put_pair(&b, "label", str_from_c(h->tag[0] && by_callee(s, h) ? h->tag : side[!!h->from_phone]));
	if (h->op == AGW_OFFER)
		put_offer(s, h, &b);
	put_flags(s, h, &b);
	bencode_put_str(&b, STR("replace"));
	buf_puts(&b, "l6:origin18:session-connectione");
	if (!config_of(s)->keep_ice)
		bencode_put_pair(&b, "ICE", STR("remove"));
	bencode_put_pair(&b, "sdp", h->sdp);
	buf_putc(&b, 'e');
	s->query = b.failed ? NULL : ng_ask(s->pw->agw->ng, s->relay, buf_str(&b), on_answer, s);
	buf_fini(&b);
	h->asked = s->query != NULL;
	s->questions += h->asked;
	return h->asked;
}

/* Two phones of ours have the same Call-ID; and what a relay hears late of a session that was left is about no other one. */
static void put_id(struct agw_session *s)
{
	struct str call_id = s->c->call_id;

	if (call_id.l > AGW_ID_BYTES - 32)
		call_id.l = AGW_ID_BYTES - 32;
	snprintf(s->id, sizeof(s->id), "%.*s/%016llx/%u", STR_ARG(call_id), (unsigned long long)s->c->key, s->n_left);
}

/* The session is with no relay any more; the one that had it may still. */
static void leave_relay(struct agw_session *s)
{
	if (!s->opened)
		return;
	s->opened = false;
	metric_adjust(&m_sessions, NULL, NULL, -1);
	atomic_fetch_sub_explicit(&relay_of(s)->sessions, 1, memory_order_relaxed);
	agw_end_at(s->pw->agw, s->relay, s->id, s->kept, 0);
	s->kept = false;
	s->n_left++;
	put_id(s);
	said_forget(&s->said[0]);
	said_forget(&s->said[1]);
}

void agw_opened(struct agw_session *s, unsigned relay)
{
	s->relay = relay;
	s->opened = true;
	metric_adjust(&m_sessions, NULL, NULL, 1);
	atomic_fetch_add_explicit(&relay_of(s)->sessions, 1, memory_order_relaxed);
}

static bool goes_on(const struct agw_session *s)
{
	return s->c->emergency || config_of(s)->go_on;
}

/* An offer may begin the session anew, at another relay.  Without one a session that stood before the offer stays, for media may pass in it
 * still; unless the offer goes on without a relay, and with it the media. */
static const char *ask_head(struct agw_session *s, struct agw_held *h)
{
	bool offer = h->op == AGW_OFFER;
	int i;

	if (!s->opened || (offer && (h->tried & 1u << s->relay || !atomic_load_explicit(&relay_of(s)->up, memory_order_relaxed)))) {
		i = offer ? ng_choose(s->pw->agw->ng, h->tried | (s->opened ? 1u << s->relay : 0)) : -1;
		if (s->opened && (i >= 0 || h->began || goes_on(s))) {
			agw_keep_left(s);
			leave_relay(s);
		}
		if (i < 0)
			return s->cause[0] && h->tried ? s->cause : "no media relay is available";
		agw_opened(s, (unsigned)i);
		h->began = true;
		agw_keep(s);
	}
	return put_question(s, h) ? NULL : "out of memory";
}

static void advance(struct agw_session *s);

/* Nobody relays its media.  s may be over afterwards. */
static void failed(struct agw_session *s, struct agw_held *h, const char *why)
{
	const struct pcscf_config *cfg = &s->pw->p->cfg;
	bool go_on = goes_on(s), response = h->b || !h->p, first = h->initial;
	struct proxy *p = h->p;
	struct refusal r = { .status = 503, .why = "no media relay takes the call", .retry_after_s = cfg->retry_after_s };
	char cause[NG_WHY_BYTES], reason[NG_WHY_BYTES + 64];
	struct str text;

	str_copy(str_from_c(why), cause, sizeof(cause));
	memcpy(s->cause, cause, sizeof(cause));
	text = str_make(reason, (size_t)snprintf(reason, sizeof(reason), "SIP;cause=503;text=\"Media relay: %s\"", cause));
	metric_add(&m_refused, go_on ? "passed" : "refused", NULL, 1);
	log_warn(LOG_SESS, go_on ? "media relay does not take it, the message goes on" : "media relay does not take it", LOG_C("cause", cause),
		 LOG_C("message", h->m->request ? "request" : "response"), LOG_S("call_id", s->c->call_id));
	s->refused += !go_on;
	h->done = true;
	if (go_on)
		return;
	if (!response && !first) {		/* a change of a call that goes on */
		r.extra = arena_printf(h->m->arena, "Reason: %.*s\r\n", STR_ARG(text));
		held_free(s, h);
		proxy_reject(p, &r);
		return;
	}
	if (!(first && s->c->state == CALL_EARLY))	/* the 2xx or ACK goes, so that both ends hear ACK and BYE */
		while (!s->dead && !list_empty(&s->held))
			let_go(s, list_entry(s->held.next, struct agw_held, link));
	if (!s->dead)
		call_release(s->c, 503, r.why, text);
}

/* Runs until a question is under way or nothing is held. */
static void advance(struct agw_session *s)
{
	const char *why;

	enter(s);
	while (!s->dead && !s->query && !list_empty(&s->held)) {
		struct agw_held *h = list_entry(s->held.next, struct agw_held, link);

		if (h->done || (!h->asked && !examine(s, h)))
			let_go(s, h);
		else if ((why = ask_head(s, h)))
			failed(s, h, why);
	}
	leave(s);
}

/* ---- the relay says ---- */

static void note(struct agw_session *s, struct agw_held *h, struct str out)
{
	struct agw_fork *f = fork_of(s, h->tag, true);

	if (h->op == AGW_OFFER)			/* an answer that was given before answers something else */
		said_forget(&s->said[!h->from_phone]);
	said_put(&s->said[!!h->from_phone], h, out);
	if (f && !h->replay) {
		if (h->m->method != SIP_ACK || !h->m->request)		/* that comes again with each 2xx, and is the answer each time */
			f->late = h->op == AGW_OFFER && !h->m->request;
		if (by_callee(s, h) && s->c->state == CALL_EARLY && !s->final_tag[0])
			fork_put(f, h->sdp);
	}
	if (s->final_tag[0])
		forks_forget(s);
	if (!h->from_phone && agw_family(h->sdp) && agw_family(h->sdp) != s->core_family) {
		s->core_family = agw_family(h->sdp);
		agw_keep(s);
	}
}

static void on_answer(void *arg, const struct ng_answer *a)
{
	struct agw_session *s = arg;
	struct agw_held *h = list_empty(&s->held) ? NULL : list_entry(s->held.next, struct agw_held, link);
	struct call *c = s->c;
	struct str out;

	s->query = NULL;
	log_correlation(c->icid);
	enter(s);
	metric_add(&m_asked, h && h->asked ? command[h->op] : "other", a->outcome == NG_OK ? "ok" : a->outcome == NG_ERROR ? "error" : "silent", 1);
	if (a->outcome != NG_OK)
		memcpy(s->cause, a->why, sizeof(s->cause));
	if (h && h->asked && a->outcome == NG_OK && a->sdp.l) {
		out = arena_dup(h->m->arena, a->sdp);
		if (!h->replay)
			put_body(h, out);
		note(s, h, out);
		h->done = true;
	} else if (h && h->asked && h->op == AGW_OFFER && (h->began || a->outcome == NG_SILENT)) {
		h->tried |= 1u << s->relay;		/* another one may; media that flow through this one stay when it says no to a change */
	} else if (h && h->asked) {
		failed(s, h, a->outcome == NG_OK ? "an answer without a description" : a->why);
	}
	if (!s->dead)
		advance(s);
	leave(s);
	log_correlation(STR_NONE);
}

/* ---- messages ---- */

struct agw_session *agw_session_new(struct pcscf_worker *pw, struct call *c, const char *id, uint32_t n_left)
{
	struct agw_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->c = c;
	s->pw = pw;
	s->n_left = n_left;
	if (id)
		str_copy(str_from_c(id), s->id, sizeof(s->id));
	else
		put_id(s);
	list_init(&s->held);
	metrics_register(&m_asked);
	metrics_register(&m_refused);
	metrics_register(&m_seconds);
	metrics_register(&m_sessions);
	c->agw = s;
	return s;
}

/* A call gets a session with the first offer that needs one. */
static struct agw_session *session_for(struct call *c, const struct sip_msg *m, bool offer, bool from_phone)
{
	struct pcscf_worker *pw = pcscf_of(call_worker(c));
	struct str sdp;

	if (c->agw || !pw->agw || !offer)
		return c->agw;
	sdp = sdp_of_message(m);
	if (!sdp.l || !agw_wants(&pw->p->cfg.agw, c->b, sdp, from_phone, &m->flow.remote, NULL))
		return NULL;
	return agw_session_new(pw, c, NULL, 0);
}

static void note_tag(const struct call *c, struct agw_held *h)
{
	str_copy(str_eq(h->m->from_tag, c->caller_tag) ? h->m->to_tag : h->m->from_tag, h->tag, sizeof(h->tag));
}

/* Nothing is before it, and it needs no question: what is to be put into its plan is there.  false: it is to be held. */
static bool passes(struct agw_session *s, struct agw_held *h)
{
	return list_empty(&s->held) && !examine(s, h);
}

static struct agw_held *hold(struct agw_session *s, const struct agw_held *what)
{
	struct agw_held *h = malloc(sizeof(*h));

	if (!h)
		return NULL;
	*h = *what;
	sip_msg_ref(h->m);
	h->since_us = clock_mono_us();
	list_add_tail(&s->held, &h->link);
	s->n_held++;
	return h;
}

/* It waits, or has gone already. */
static void take(struct agw_session *s)
{
	enter(s);
	if (s->n_held == 1 || !s->query)
		advance(s);
	leave(s);
}

static bool may_offer(const struct sip_msg *m)
{
	return m->method == SIP_INVITE || m->method == SIP_UPDATE;
}

/* A reliable provisional response comes again until its PRACK. */
static bool is_held(const struct agw_session *s, const struct sip_msg *m)
{
	struct list *i;

	list_for_each(i, &s->held) {
		const struct sip_msg *x = list_entry(i, const struct agw_held, link)->m;

		if (x->request == m->request && x->status == m->status && str_eq(x->to_tag, m->to_tag) && str_eq(x->via.branch, m->via.branch) &&
		    str_eq(sip_msg_value(x, SIP_H_RSEQ), sip_msg_value(m, SIP_H_RSEQ)))
			return true;
	}
	return false;
}

bool agw_request(struct call *c, struct proxy *p, struct sip_msg *m, struct sip_out *o, bool to_phone, const struct sip_flow *flow)
{
	struct agw_session *s = session_for(c, m, p && may_offer(m), !to_phone);
	struct agw_held h = { .p = p, .m = m, .to_phone = to_phone, .from_phone = !to_phone, .initial = p && m->method == SIP_INVITE && !m->to_tag.l };

	if (!s || (list_empty(&s->held) && !m->body.l))
		return false;
	if (!p)
		sip_out_copy(&h.out, o);
	if (flow) {
		h.flow = *flow;
		h.has_flow = true;
	}
	note_tag(c, &h);
	if (passes(s, &h)) {
		if (!p)
			sip_out_copy(o, &h.out);
		return false;
	}
	if (!p && is_held(s, m))		/* as it comes again, so it goes again */
		return true;
	if (!hold(s, &h))
		return false;
	take(s);
	return true;
}

/* One without an offer may get one that needs a relay. */
bool agw_turn_away(const struct pcscf_req *r, struct proxy *p, bool to_phone)
{
	const struct pcscf_config *cfg = &r->pw->p->cfg;
	bool go_on = r->emergency || cfg->agw.go_on;
	struct str sdp = sdp_of_message(r->m);

	if (!r->pw->agw || (sdp.l && !agw_wants(&cfg->agw, r->b, sdp, !to_phone, &r->m->flow.remote, NULL)))
		return false;
	metric_add(&m_refused, go_on ? "passed" : "refused", NULL, 1);
	if (go_on)
		return false;
	proxy_reject(p, &(const struct refusal){ .status = 503, .why = "no media relay takes the call", .retry_after_s = cfg->retry_after_s,
						 .extra = STR("Reason: SIP;cause=503;text=\"Media relay: too many calls\"\r\n") });
	return true;
}

static void drop_provisional(struct agw_session *s, const struct proxy *p)
{
	struct list *i, *next;

	list_for_each_safe(i, next, &s->held) {
		struct agw_held *h = list_entry(i, struct agw_held, link);

		if (h->p == p && h->b && h->m->status < 200)
			held_free(s, h);
	}
}

enum proxy_verdict agw_response(struct call *c, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o, bool to_phone)
{
	const struct sip_msg *req = proxy_request(p);
	struct agw_session *s = session_for(c, m, req->method == SIP_INVITE && m->status < 300 && !sdp_of_message(req).l, to_phone);
	struct agw_held h = { .p = p, .b = b, .m = m, .to_phone = to_phone, .from_phone = to_phone, .initial = req->method == SIP_INVITE && !req->to_tag.l };

	if (!s)
		return PROXY_PASS;
	if (m->status >= 300) {
		drop_provisional(s, p);
		return PROXY_PASS;
	}
	if (list_empty(&s->held) && !m->body.l && !(h.initial && m->status >= 200))
		return PROXY_PASS;
	if (is_held(s, m) || (s->n_held >= AGW_MAX_HELD && m->status < 200))
		return PROXY_DROP;
	sip_out_copy(&h.out, o);
	note_tag(c, &h);
	if (passes(s, &h)) {
		sip_out_copy(o, &h.out);
		return PROXY_PASS;
	}
	if (!hold(s, &h))
		return PROXY_PASS;
	take(s);
	return PROXY_HOLD;
}

void agw_bye(struct call *c)
{
	struct agw_session *s = c->agw;

	if (!s)
		return;
	enter(s);
	let_all_go(s);
	leave(s);
}

void agw_proxy_gone(struct call *c, struct proxy *p)
{
	struct agw_session *s = c->agw;
	struct list *i, *next;

	if (!s)
		return;
	list_for_each_safe(i, next, &s->held) {
		struct agw_held *h = list_entry(i, struct agw_held, link);

		if (h->p == p)
			held_free(s, h);
	}
	if (!s->busy)
		advance(s);
}

/* ---- life ---- */

static void over(struct agw_session *s)
{
	struct call *c = s->c;

	c->agw = NULL;
	s->dead = true;
	enter(s);
	if (s->query)
		ng_cancel(s->query);
	s->query = NULL;
	let_all_go(s);
	leave(s);
}

void agw_call_over(struct call *c)
{
	struct agw_session *s = c->agw;

	if (!s)
		return;
	leave_relay(s);
	over(s);
}

void agw_call_stays(struct call *c)
{
	struct agw_session *s = c->agw;

	if (!s)
		return;
	if (s->opened) {
		metric_adjust(&m_sessions, NULL, NULL, -1);
		atomic_fetch_sub_explicit(&relay_of(s)->sessions, 1, memory_order_relaxed);
	}
	over(s);
}

static void worker_free_parts(struct agw_worker *aw)
{
	agw_ends_free(aw);
	ng_free(aw->ng);
	ng_sockets_free(aw->sockets);
	free(aw);
}

static void make_relays(struct pcscf *p)
{
	const struct agw_config *c = &p->cfg.agw;

	for (unsigned i = 0; i < c->n_relays; i++) {
		struct ng_relay *r = &p->relay[i];

		r->address = c->relay[i].address;
		r->weight = c->relay[i].weight;
		addr_fmt(&r->address, r->name);
		atomic_store(&r->up, true);		/* until a ping says otherwise */
	}
}

int agw_start(struct pcscf_worker *pw)
{
	const struct agw_config *c = &pw->p->cfg.agw;
	struct ng_env env = { .wheel = pw->w->wheel, .relay = pw->p->relay, .n_relays = c->n_relays, .timeout_ms = c->timeout_ms };
	struct agw_worker *aw;

	if (c->mode == AGW_OFF)
		return 0;
	if (pw->w->id == 0)
		make_relays(pw->p);
	aw = calloc(1, sizeof(*aw));
	if (!aw)
		return -ENOMEM;
	aw->pw = pw;
	list_init(&aw->ends);
	env.send = pw->p->test_media_send ? pw->p->test_media_send : ng_sockets_send;
	if (!pw->p->test_media_send)
		env.u = aw->sockets = ng_sockets_new(pw->w->loop, pw->p->relay, c->n_relays);
	else
		env.u = pw->p;
	aw->ng = env.u ? ng_new(&env) : NULL;
	if (!aw->ng) {
		worker_free_parts(aw);
		return -ENOMEM;
	}
	if (aw->sockets)
		ng_sockets_serve(aw->sockets, aw->ng);
	pw->agw = aw;
	if (pw->w->id == 0)
		ng_watch(aw->ng, c->ping_ms);
	return 0;
}

void agw_stop(struct pcscf_worker *pw)
{
	if (pw->agw)
		worker_free_parts(pw->agw);
	pw->agw = NULL;
}
