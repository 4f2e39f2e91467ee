/* tests/ue/call_out.c - a call that we make.  TS 24.229 §5.1.3.1; RFC 3261 §13.2; RFC 3262 §4; RFC 3312 §5.2.
 *
 *	INVITE (curr none) -> 183 with an answer, reliable -> PRACK -> UPDATE (curr local sendrecv) -> 180 -> 200 -> ACK */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "tests/ue/call.h"

#define NO_ANSWER_MS 180000u		/* as RFC 3261 §16.8 timer C: nobody rings for ever */

/* ---- failure ---- */

static void call_failed(struct call *c, unsigned status, struct str reason, const struct sip_msg *m)
{
	cJSON *e;

	if (c->state == CALL_OVER)
		return;
	e = call_event(c, "call-failed");
	event_num(e, "status", status);
	event_str(e, "reason", reason);
	if (m && sip_msg_hdr(m, SIP_H_WARNING))
		event_str(e, "warning", sip_msg_value(m, SIP_H_WARNING));
	if (m && sip_msg_hdr(m, SIP_H_RETRY_AFTER))
		event_str(e, "retryAfter", sip_msg_value(m, SIP_H_RETRY_AFTER));
	event_put(c->u, e, !c->cancelled);
	call_dead(c);
}

static void on_no_answer(struct timer *t)
{
	call_cancel_now(container_of(t, struct call, no_answer));
}

void call_cancel_now(struct call *c)
{
	if (!c->ict || c->cancelled)
		return;
	c->cancelled = true;
	tx_client_cancel(c->ict, STR_NONE);
}

/* ---- reliable provisionals ---- */

static void prack_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct call *c = user;
	struct leg *l;
	(void)ct;

	if (m->status < 200 || c->state == CALL_OVER || !call_find(c->u, m, &l))
		return;
	if (m->status >= 300) {
		event_error(c->u, "PRACK answered %u", m->status);
		return;
	}
	/* Our bearer stands as soon as the answer is known: the reservation is simulated. */
	if (c->state != CALL_UP && c->session.precond && l->took_sdp && !l->updated) {
		l->updated = true;
		c->session.local_ready = true;
		call_update(c, l);
	}
}

static void prack_failed(void *user, struct tx_client *ct, int err)
{
	struct call *c = user;
	(void)ct;

	event_error(c->u, "PRACK not answered: %s", strerror(-err));
}

static const struct tx_client_ops prack_ops = { prack_response, prack_failed, call_gone };

/* false: a copy, or out of order: RFC 3262 §4. */
static bool reliable_is_next(struct leg *l, uint32_t rseq)
{
	if (l->rseq && rseq != l->rseq + 1)
		return false;
	l->rseq = rseq;
	return true;
}

static void prack(struct call *c, struct leg *l, const struct sip_msg *m)
{
	char line[80];
	int n = snprintf(line, sizeof(line), "RAck: %u %u INVITE\r\n", l->rseq, m->cseq);
	cJSON *e = call_event(c, "prack");

	event_str(e, "dir", STR("out"));
	event_num(e, "rseq", l->rseq);
	event_put(c->u, e, false);
	if (!call_send(c, l, "PRACK", str_make(line, (size_t)n), STR_NONE, &prack_ops))
		event_error(c->u, "PRACK: no room for a request");
}

/* The first description of a leg is the answer: RFC 3261 §13.2.1. */
static void take_sdp(struct call *c, struct leg *l, const struct sip_msg *m)
{
	int rc;

	if (!m->body.l || l->took_sdp)
		return;
	rc = session_take_answer(&c->session, m->body);
	if (rc < 0)
		event_error(c->u, "the SDP answer is of no use: %s", rc == -EBADMSG ? "malformed" : "no codec of ours");
	else
		l->took_sdp = true;
}

static void provisional(struct call *c, struct sip_msg *m)
{
	bool reliable = sip_msg_has_token(m, SIP_H_REQUIRE, "100rel");
	struct leg *l = call_leg(c, m);
	uint32_t rseq = 0;
	cJSON *e;

	if (reliable && (sip_msg_u32(m, SIP_H_RSEQ, &rseq) < 0 || !l || !reliable_is_next(l, rseq)))
		return;
	c->state = CALL_EARLY;
	if (l) {
		c->at = l;
		take_sdp(c, l, m);
	}
	e = call_event(c, m->status == 180 ? "ringing" : "progress");
	event_num(e, "status", m->status);
	event_flag(e, "sdp", m->body.l > 0);
	if (rseq)
		event_num(e, "rseq", rseq);
	event_put(c->u, e, false);
	if (reliable && c->state != CALL_OVER)
		prack(c, l, m);
}

/* ---- finals ---- */

static void answered(struct call *c, struct leg *l, struct sip_msg *m)
{
	cJSON *e;

	timer_stop(&c->no_answer);
	c->ict = NULL;
	c->at = l;
	take_sdp(c, l, m);
	call_ack_2xx(c, l, STR_NONE);
	if (c->cancelled) {			/* the CANCEL came too late: RFC 3261 §15 */
		call_bye(c, l, STR_NONE);
		return;
	}
	c->state = CALL_UP;
	e = call_event(c, "answered");
	event_num(e, "ms", (double)(loop_now_ms(c->u->loop) - c->begun_ms));
	event_str(e, "codec", str_from_c(c->session.codec ? c->session.codec->name : "none"));
	event_uris(e, "assertedIdentity", m, SIP_H_PAI);
	event_put(c->u, e, false);
	if (c->session.agreed)
		call_media_start(c);
	else
		call_bye(c, l, STR("SIP;cause=488;text=\"no SDP answer of use\""));
}

static void accepted(struct call *c, struct sip_msg *m)
{
	struct leg *l = call_leg(c, m);

	if (!l)
		return;
	if (c->state == CALL_CALLING || c->state == CALL_EARLY) {
		answered(c, l, m);
	} else if (l == c->at && c->ack) {
		net_send_plain(c->u, c->ack);	/* our ACK was lost */
	} else if (l != c->at) {		/* another fork answered too: RFC 3261 §13.2.2.4 */
		call_ack_2xx(c, l, STR_NONE);
		if (!l->updated)		/* once */
			call_bye(c, l, STR_NONE);
		l->updated = true;
	}
}

static void on_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct call *c = user;
	(void)ct;

	if (m->status == 100) {
		cJSON *e = call_event(c, "trying");

		event_num(e, "status", 100);
		event_put(c->u, e, false);
	} else if (m->status < 200) {
		if (c->state <= CALL_EARLY)
			provisional(c, m);
	} else if (m->status < 300) {
		accepted(c, m);
	} else {
		c->ict = NULL;
		call_failed(c, m->status, m->reason, m);
	}
}

static void on_failed(void *user, struct tx_client *ct, int err)
{
	struct call *c = user;
	(void)ct;

	c->ict = NULL;
	if (err == -ETIMEDOUT)
		call_failed(c, c->cancelled ? 487 : 408, STR("no answer"), NULL);
	else
		call_failed(c, 503, str_from_c(strerror(-err)), NULL);
}

static const struct tx_client_ops ops = { on_response, on_failed, call_gone };

/* ---- the INVITE ---- */

static struct bytes *invite_make(struct call *c, const struct via *via, struct str target, struct str sdp)
{
	struct request q = {
		.method = "INVITE", .ruri = target, .to = target, .call_id = str_from_c(c->id), .cseq = 1 + rand_below(1000),
		.content_type = STR("application/sdp"), .body = sdp,
	};
	struct bytes *wire;
	char tag[11];
	struct buf h;

	rand_token(tag, 10);
	q.tag = str_from_c(tag);
	buf_init(&h, SIP_MSG_MAX_BYTES / 2);
	put_contact(c->u, &h);
	buf_puts(&h, "Accept-Contact: *;+g.3gpp.icsi-ref=\"" UE_MMTEL "\"\r\n"
		 "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mmtel\r\n"
		 "P-Early-Media: supported\r\nAllow: " UE_ALLOW "\r\nAccept: application/sdp\r\n");
	buf_puts(&h, c->u->o.precond ? "Supported: 100rel,precondition\r\n" : "Supported: 100rel\r\n");
	q.headers = buf_str(&h);
	wire = h.failed ? NULL : request_make(c->u, via, &q);
	buf_fini(&h);
	return wire;
}

static int invite_send(struct call *c, struct str target)
{
	struct buf sdp = call_sdp_buf();
	struct sip_parse_error err;
	struct bytes *wire;
	struct via via;
	int rc = -ENOMEM;

	via_make(c->u, &via);
	session_offer(&c->session, &sdp);
	wire = sdp.failed ? NULL : invite_make(c, &via, target, buf_str(&sdp));
	buf_fini(&sdp);
	if (wire)
		rc = sip_msg_parse_copy(bytes_str(wire), NULL, &c->invite, &err);
	if (rc < 0) {
		bytes_unref(wire);
		return rc;
	}
	c->ict = net_send(c->u, SIP_INVITE, &via, wire, &ops, call_ref(c));
	if (c->ict)
		return 0;
	call_unref(c);
	return -ENOBUFS;
}

int call_start(struct ue *u, struct str target)
{
	char call_id[25];
	struct call *c;
	cJSON *e;
	int rc;

	rand_token(call_id, 24);
	c = call_new(u, true, str_from_c(call_id));
	if (!c)
		return -ENOMEM;
	timer_init(&c->no_answer, on_no_answer);
	timer_start(loop_wheel(u->loop), &c->no_answer, NO_ANSWER_MS);
	e = call_event(c, "calling");
	event_str(e, "to", target);
	event_put(u, e, false);
	rc = invite_send(c, target);
	if (rc < 0)
		call_dead(c);
	return rc;
}
