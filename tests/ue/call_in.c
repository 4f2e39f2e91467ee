/* tests/ue/call_in.c - a call that comes in.  TS 24.229 §5.1.4.1; RFC 3261 §13.3; RFC 3262 §3; RFC 3312 §5.2.
 *
 * With preconditions: 183 with the answer, reliable -> PRACK -> UPDATE -> 180 -> 200.  Without: 180 -> 200. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "tests/ue/call.h"

#define PRECOND_WAIT_T1 15u		/* their bearer does not come, 30 s: 580, RFC 3312 §8 */

static void ring(struct call *c);

/* ---- responses ---- */

/* Record-Route goes back as it came (RFC 3261 §12.1.1), behind it what every response of ours to an INVITE has. */
static void put_extra(const struct call *c, const struct sip_msg *m, bool reliable, struct buf *b)
{
	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_H_RECORD_ROUTE); h; h = sip_msg_hdr_next(m, h))
		buf_printf(b, "Record-Route: %.*s\r\n", STR_ARG(sip_msg_hdr_value(m, h)));
	put_contact(c->u, b);
	buf_printf(b, "Allow: " UE_ALLOW "\r\nP-Access-Network-Info: %s\r\nServer: %s\r\n", c->u->o.pani, c->u->o.user_agent);
	if (reliable)
		buf_printf(b, "Require: 100rel%s\r\nRSeq: %u\r\n", c->session.precond ? ",precondition" : "", c->rseq);
	else
		buf_printf(b, "Supported: 100rel%s\r\n", c->u->o.precond ? ",precondition" : "");
}

static struct bytes *respond(struct call *c, unsigned status, bool reliable, struct str sdp)
{
	struct sip_msg *m = tx_server_request(c->ist);
	struct bytes *wire;
	struct buf extra;

	buf_init(&extra, SIP_MSG_MAX_BYTES / 2);
	put_extra(c, m, reliable, &extra);
	wire = extra.failed ? NULL : sip_reply_make(m, status, NULL, tx_server_to_tag(c->ist), buf_str(&extra),
						    sdp.l ? STR("application/sdp") : STR_NONE, sdp);
	buf_fini(&extra);
	if (wire)
		tx_server_send(c->ist, status, wire);
	return wire;
}

static void again_stop(struct call *c)
{
	timer_stop(&c->again_timer);
	timer_stop(&c->again_end);
	bytes_unref(c->again);
	c->again = NULL;
	c->rel_pending = false;
}

/* A reliable provisional doubles without a bound (RFC 3262 §3), a 2xx up to T2 (RFC 3261 §13.3.1.4). */
static void on_again(struct timer *t)
{
	struct call *c = container_of(t, struct call, again_timer);
	uint32_t t2_ms = 8 * call_t1(c->u);

	if (!c->ist || !c->again)
		return;
	tx_server_send(c->ist, c->rel_status, c->again);
	c->again_ms *= 2;
	if (!c->rel_pending && c->again_ms > t2_ms)
		c->again_ms = t2_ms;
	timer_start(loop_wheel(c->u->loop), t, c->again_ms);
}

static void on_again_end(struct timer *t)
{
	struct call *c = container_of(t, struct call, again_end);
	bool provisional = c->rel_pending;

	again_stop(c);
	if (provisional) {			/* RFC 3262 §3 */
		event_error(c->u, "no PRACK came");
		call_reject(c, 504);
		return;
	}
	event_error(c->u, "no ACK came");	/* RFC 3261 §13.3.1.4 */
	call_bye(c, c->at, STR("SIP;cause=408;text=\"no ACK\""));
}

/* Sends wire (taken over) until it is acknowledged, 64*T1 at most. */
static void again_start(struct call *c, unsigned status, struct bytes *wire)
{
	again_stop(c);
	if (!wire)
		return;
	c->again = wire;
	c->rel_status = status;
	c->rel_pending = status < 200;
	c->again_ms = call_t1(c->u);
	timer_init(&c->again_timer, on_again);
	timer_init(&c->again_end, on_again_end);
	timer_start(loop_wheel(c->u->loop), &c->again_timer, c->again_ms);
	timer_start(loop_wheel(c->u->loop), &c->again_end, 64ull * call_t1(c->u));
}

/* Our answer to the offer in hand, or our offer when there was none.  false: rejected. */
static bool sdp_make(struct call *c, struct buf *b)
{
	const struct sip_msg *m = tx_server_request(c->ist);
	int rc = 0;

	*b = call_sdp_buf();
	c->offer_ours = m->body.l == 0;
	if (c->offer_ours)
		session_offer(&c->session, b);
	else
		rc = session_answer(&c->session, m->body, b);
	if (rc == 0 && !b->failed)
		return true;
	buf_fini(b);
	call_reject(c, rc == -EBADMSG ? 400 : 488);
	return false;
}

static void provisional_reliable(struct call *c, unsigned status)
{
	struct buf sdp;

	if (!sdp_make(c, &sdp))
		return;
	c->rseq = c->rseq ? c->rseq + 1 : 1 + rand_below(1u << 30);	/* RFC 3262 §3 */
	c->sdp_sent = true;
	again_start(c, status, respond(c, status, true, buf_str(&sdp)));
	buf_fini(&sdp);
}

/* ---- ringing and answering ---- */

static void on_ring(struct timer *t)
{
	struct call *c = container_of(t, struct call, ring);

	if (c->u->o.answer == ANSWER_AUTO)
		(void)call_answer(c);
	else
		call_reject(c, 480);
}

static void ring(struct call *c)
{
	struct ue *u = c->u;
	cJSON *e;

	timer_stop(&c->reserve);
	c->state = CALL_RINGING;
	if (c->rel_required && !c->sdp_sent)
		provisional_reliable(c, 180);
	else
		bytes_unref(respond(c, 180, false, STR_NONE));
	if (c->state != CALL_RINGING)
		return;
	e = call_event(c, "ringing");
	event_num(e, "status", 180);
	event_flag(e, "sdp", false);
	event_put(u, e, false);
	timer_init(&c->ring, on_ring);
	timer_start(loop_wheel(u->loop), &c->ring, u->o.answer == ANSWER_AUTO ? u->o.ring_ms : 1000ull * u->o.max_ring_s);
}

static void on_precond_late(struct timer *t)
{
	struct call *c = container_of(t, struct call, reserve);

	event_error(c->u, "the far end's resources did not come");
	call_reject(c, 580);
}

/* TS 24.229 §5.1.4.1: the user is alerted when both ends have their resources. */
void call_ready(struct call *c)
{
	if (c->state == CALL_INCOMING && !c->rel_pending && session_precond_met(&c->session))
		ring(c);
}

int call_answer(struct call *c)
{
	struct buf sdp;

	if (c->state != CALL_RINGING && c->state != CALL_INCOMING)
		return -EPROTO;
	if (c->rel_pending || c->state == CALL_INCOMING) {	/* not before its PRACK: RFC 3262 §3 */
		c->answer_wanted = true;
		return 0;
	}
	timer_stop(&c->ring);
	if (c->sdp_sent)
		sdp = call_sdp_buf();
	else if (!sdp_make(c, &sdp))
		return 0;
	c->state = CALL_ANSWERED;
	again_start(c, 200, respond(c, 200, false, buf_str(&sdp)));
	buf_fini(&sdp);
	return 0;
}

void call_reject(struct call *c, unsigned status)
{
	again_stop(c);
	if (c->ist && !tx_server_final_sent(c->ist))
		tx_server_reply(c->ist, status, NULL, STR_NONE);
	call_over(c, "local", status, str_from_c(sip_reason_phrase(status)));
}

/* ---- what comes in for it ---- */

/* "RSeq CSeq method" of what we sent: RFC 3262 §7.2. */
static bool rack_fits(const struct call *c, struct str rack)
{
	struct str rseq, cseq, method;
	uint32_t n, number;

	str_cut(rack, ' ', &rseq, &cseq);
	return str_to_u32(rseq, &n) == 0 && n == c->rseq && sip_cseq_parse(str_trim(cseq), &number, &method) == 0 &&
	       number == c->invite->cseq && str_eq_c(method, "INVITE");
}

void call_prack_in(struct call *c, struct tx_server *st, struct sip_msg *m)
{
	struct buf sdp = call_sdp_buf();
	cJSON *e;

	if (!c->rel_pending || !rack_fits(c, sip_msg_value(m, SIP_H_RACK))) {
		tx_server_reply(st, 481, NULL, STR_NONE);	/* RFC 3262 §3 */
		return;
	}
	again_stop(c);
	if (c->offer_ours && m->body.l)				/* our offer was in the provisional */
		(void)session_take_answer(&c->session, m->body);
	else if (m->body.l)
		(void)session_answer(&c->session, m->body, &sdp);
	tx_server_reply_body(st, 200, NULL, STR_NONE, sdp.l ? STR("application/sdp") : STR_NONE, buf_str(&sdp));
	buf_fini(&sdp);
	e = call_event(c, "prack");
	event_str(e, "dir", STR("in"));
	event_num(e, "rseq", c->rseq);
	event_put(c->u, e, false);
	c->session.local_ready = true;		/* the reservation is simulated: at once */
	call_ready(c);
	if (c->state == CALL_INCOMING)		/* their UPDATE is still to come */
		timer_start(loop_wheel(c->u->loop), &c->reserve, PRECOND_WAIT_T1 * call_t1(c->u));
	if (c->answer_wanted && c->state == CALL_RINGING)
		(void)call_answer(c);
}

static void up(struct call *c)
{
	cJSON *e = call_event(c, "answered");

	c->state = CALL_UP;
	event_num(e, "ms", (double)(loop_now_ms(c->u->loop) - c->begun_ms));
	event_str(e, "codec", str_from_c(c->session.codec ? c->session.codec->name : "none"));
	event_put(c->u, e, false);
	call_media_start(c);
}

void call_ack_in(struct call *c, struct sip_msg *m)
{
	if (!c->again || c->rel_pending)
		return;				/* a copy */
	again_stop(c);
	if (c->offer_ours && !c->sdp_sent && session_take_answer(&c->session, m->body) < 0) {
		event_error(c->u, "the ACK brings no answer of use to our offer");
		call_bye(c, c->at, STR("SIP;cause=488;text=\"no SDP answer of use\""));
		return;
	}
	c->offer_ours = false;
	if (c->state == CALL_ANSWERED)
		up(c);
}

void call_cancel_in(struct call *c, struct sip_msg *m)
{
	again_stop(c);
	tx_server_reply(c->ist, 487, NULL, STR_NONE);
	call_over(c, "remote", 487, call_reason(m));
}

/* ---- the INVITE ---- */

static void ist_gone(void *user)
{
	struct call *c = user;

	c->ist = NULL;
	call_unref(c);
}

static void tell_incoming(struct call *c, const struct sip_msg *m)
{
	cJSON *e = call_event(c, "incoming");

	event_caller(e, m);
	event_str(e, "calledParty", sip_msg_value(m, SIP_H_PCALLED_PARTY_ID));
	event_str(e, "ruri", m->ruri_text);
	event_flag(e, "precondition", c->session.precond);
	event_put(c->u, e, false);
}

static bool supports(const struct sip_msg *m, const char *tag)
{
	return sip_msg_has_token(m, SIP_H_SUPPORTED, tag) || sip_msg_has_token(m, SIP_H_REQUIRE, tag);
}

static struct call *call_from(struct ue *u, struct tx_server *st, struct sip_msg *m)
{
	struct call *c = call_new(u, false, m->call_id);

	if (!c)
		return NULL;
	if (dialog_new_uas(m, tx_server_to_tag(st), &c->leg[0].d) < 0) {
		call_dead(c);
		return NULL;
	}
	c->n_legs = 1;
	c->at = &c->leg[0];
	c->invite = sip_msg_ref(m);
	c->ist = st;
	c->rel_required = sip_msg_has_token(m, SIP_H_REQUIRE, "100rel");
	c->rel_ok = supports(m, "100rel");
	c->session.precond = u->o.precond && c->rel_ok && supports(m, "precondition") && session_offers_precond(m->body);
	timer_init(&c->reserve, on_precond_late);
	tx_server_set_user(st, call_ref(c), ist_gone);
	return c;
}

void call_invite_in(struct ue *u, struct tx_server *st, struct sip_msg *m)
{
	struct call *c;

	if (call_active(u)) {
		tx_server_reply(st, 486, NULL, STR_NONE);
		return;
	}
	c = call_from(u, st, m);
	if (!c) {
		tx_server_reply(st, 400, "Contact", STR_NONE);
		return;
	}
	tell_incoming(c, m);
	if (u->o.answer == ANSWER_REJECT) {
		call_reject(c, u->o.reject_code);
	} else if (c->session.precond) {
		provisional_reliable(c, 183);
	} else {
		ring(c);
	}
}

/* A re-INVITE: answered at once, its 2xx is sent until the ACK comes. */
void call_reinvite_in(struct call *c, struct tx_server *st, struct sip_msg *m)
{
	struct buf sdp;

	if (c->ict) {
		tx_server_reply(st, 491, NULL, STR_NONE);		/* RFC 3261 §14.2 */
		return;
	}
	if (c->state != CALL_UP || c->again) {
		tx_server_reply(st, 500, NULL, STR("Retry-After: 2\r\n"));
		return;
	}
	c->ist = st;
	c->sdp_sent = false;
	c->offer_ours = m->body.l == 0;
	tx_server_set_user(st, call_ref(c), ist_gone);
	sdp = call_sdp_buf();
	if (c->offer_ours)
		session_offer(&c->session, &sdp);
	else if (session_answer(&c->session, m->body, &sdp) < 0) {
		buf_fini(&sdp);
		tx_server_reply(st, 488, NULL, STR_NONE);		/* the session stays as it was */
		return;
	}
	again_start(c, 200, respond(c, 200, false, buf_str(&sdp)));
	buf_fini(&sdp);
	call_held_by_remote(c);
}
