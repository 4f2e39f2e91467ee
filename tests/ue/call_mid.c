/* tests/ue/call_mid.c - within a call: UPDATE (RFC 3311), hold and resume by re-INVITE (RFC 3261 §14, RFC 3264 §8.4), INFO. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "tests/ue/call.h"

/* RFC 3261 §14.1: who made the Call-ID waits longer. */
static void glare_wait(struct call *c)
{
	timer_start(loop_wheel(c->u->loop), &c->glare, c->out ? 2100 + 10 * rand_below(191) : 10 * rand_below(201));
}

void call_glare(struct timer *t)
{
	struct call *c = container_of(t, struct call, glare);

	if (c->state == CALL_UP)
		(void)call_hold(c, c->hold_wanted);
	else if (c->at)
		call_update(c, c->at);
}

/* ---- UPDATE ---- */

static void update_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct call *c = user;
	struct leg *l;
	cJSON *e;
	(void)ct;

	if (m->status < 200 || c->state == CALL_OVER || !call_find(c->u, m, &l))
		return;
	c->update = NULL;
	if (m->status == 491 || (m->status == 500 && sip_msg_hdr(m, SIP_H_RETRY_AFTER))) {
		glare_wait(c);
		return;
	}
	dialog_response_in(l->d, m);
	if (m->status < 300 && m->body.l && session_take_answer(&c->session, m->body) < 0)
		event_error(c->u, "the SDP answer to UPDATE is of no use");
	e = call_event(c, "update");
	event_str(e, "dir", STR("out"));
	event_num(e, "status", m->status);
	event_flag(e, "preconditionsMet", session_precond_met(&c->session));
	event_put(c->u, e, m->status >= 300);
}

static void update_failed(void *user, struct tx_client *ct, int err)
{
	struct call *c = user;
	(void)ct;

	c->update = NULL;
	event_error(c->u, "UPDATE not answered: %s", strerror(-err));
}

static const struct tx_client_ops update_ops = { update_response, update_failed, call_gone };

void call_update(struct call *c, struct leg *l)
{
	struct buf sdp = call_sdp_buf(), h;

	session_offer(&c->session, &sdp);
	buf_init(&h, SIP_MSG_MAX_BYTES / 2);
	put_contact(c->u, &h);
	buf_printf(&h, "Allow: " UE_ALLOW "\r\nSupported: 100rel%s\r\n", c->session.precond ? ",precondition" : "");
	c->update = call_send(c, l, "UPDATE", buf_str(&h), buf_str(&sdp), &update_ops);
	if (!c->update)
		event_error(c->u, "UPDATE: no room for a request");
	buf_fini(&h);
	buf_fini(&sdp);
}

/* An offer of ours waits for its answer, or one of theirs for ours: RFC 3311 §5.2. */
static unsigned update_refusal(const struct call *c)
{
	if (c->update || (c->ict && c->state == CALL_UP) || (c->ict && !(c->at && c->at->took_sdp)))
		return 491;
	if (c->ist && !tx_server_final_sent(c->ist) && !c->sdp_sent)
		return 500;
	return 0;
}

void call_update_in(struct call *c, struct tx_server *st, struct sip_msg *m)
{
	unsigned refusal = m->body.l ? update_refusal(c) : 0;
	struct buf sdp = call_sdp_buf(), extra;
	int rc = 0;
	cJSON *e;

	if (refusal) {
		tx_server_reply(st, refusal, NULL, refusal == 500 ? STR("Retry-After: 2\r\n") : STR_NONE);
		return;
	}
	if (m->body.l)
		rc = session_answer(&c->session, m->body, &sdp);
	if (rc < 0) {
		buf_fini(&sdp);
		tx_server_reply(st, rc == -EBADMSG ? 400 : 488, NULL, STR_NONE);
		return;
	}
	buf_init(&extra, SIP_MSG_MAX_BYTES / 2);
	put_contact(c->u, &extra);
	tx_server_reply_body(st, 200, NULL, buf_str(&extra), sdp.l ? STR("application/sdp") : STR_NONE, buf_str(&sdp));
	buf_fini(&extra);
	buf_fini(&sdp);
	e = call_event(c, "update");
	event_str(e, "dir", STR("in"));
	event_num(e, "status", 200);
	event_flag(e, "preconditionsMet", session_precond_met(&c->session));
	event_put(c->u, e, false);
	call_held_by_remote(c);
	call_ready(c);
}

/* ---- hold and resume ---- */

void call_held_by_remote(struct call *c)
{
	bool held = c->session.dir == SDP_RECVONLY || c->session.dir == SDP_INACTIVE;
	cJSON *e;

	if (c->state != CALL_UP || c->session.want != SDP_SENDRECV || held == c->held_by_remote)
		return;
	c->held_by_remote = held;
	e = call_event(c, held ? "held" : "resumed");
	event_str(e, "by", STR("remote"));
	event_str(e, "direction", str_from_c(session_dir_name(c->session.dir)));
	event_put(c->u, e, false);
}

static void hold_refused(struct call *c, unsigned status, struct str reason)
{
	c->session.want = c->before;
	event_error(c->u, "re-INVITE refused: %u %.*s", status, STR_ARG(reason));
	if (status == 481 || status == 408)			/* RFC 3261 §12.2.1.2: the dialog is gone */
		call_bye(c, c->at, STR_NONE);
}

static void hold_done(struct call *c, struct sip_msg *m)
{
	cJSON *e;

	dialog_response_in(c->at->d, m);
	call_ack_2xx(c, c->at, STR_NONE);
	if (session_take_answer(&c->session, m->body) < 0)
		event_error(c->u, "the SDP answer to the re-INVITE is of no use");
	e = call_event(c, c->hold_wanted ? "held" : "resumed");
	event_str(e, "by", STR("local"));
	event_str(e, "direction", str_from_c(session_dir_name(c->session.dir)));
	event_put(c->u, e, false);
}

static void hold_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct call *c = user;

	if (m->status < 200)
		return;
	if (c->ict != ct) {					/* a copy of the 2xx: our ACK was lost */
		if (m->status < 300 && c->ack)
			net_send_plain(c->u, c->ack);
		return;
	}
	c->ict = NULL;
	if (c->state != CALL_UP)
		return;
	if (m->status < 300) {
		hold_done(c, m);
	} else if (m->status == 491) {
		c->session.want = c->before;
		glare_wait(c);
	} else {
		hold_refused(c, m->status, m->reason);
	}
}

static void hold_failed(void *user, struct tx_client *ct, int err)
{
	struct call *c = user;
	(void)ct;

	c->ict = NULL;
	if (c->state == CALL_UP)
		hold_refused(c, err == -ETIMEDOUT ? 408 : 503, str_from_c(strerror(-err)));
}

static const struct tx_client_ops hold_ops = { hold_response, hold_failed, call_gone };

int call_hold(struct call *c, bool hold)
{
	struct buf sdp, h;

	if (c->state != CALL_UP)
		return -EPROTO;
	if (c->ict || c->again || c->update)
		return -EBUSY;
	c->hold_wanted = hold;
	c->before = c->session.want;
	c->session.want = hold ? (c->held_by_remote ? SDP_INACTIVE : SDP_SENDONLY) : SDP_SENDRECV;
	sdp = call_sdp_buf();
	session_offer(&c->session, &sdp);
	buf_init(&h, SIP_MSG_MAX_BYTES / 2);
	put_contact(c->u, &h);
	buf_printf(&h, "Allow: " UE_ALLOW "\r\nSupported: 100rel%s\r\n", c->session.precond ? ",precondition" : "");
	c->ict = call_send(c, c->at, "INVITE", buf_str(&h), buf_str(&sdp), &hold_ops);
	buf_fini(&h);
	buf_fini(&sdp);
	return c->ict ? 0 : -ENOBUFS;
}

/* ---- INFO ---- */

static void info_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct call *c = user;
	cJSON *e;
	(void)ct;

	if (m->status < 200)
		return;
	e = event_new("response");
	event_str(e, "method", STR("INFO"));
	event_num(e, "status", m->status);
	event_put(c->u, e, m->status >= 300);
}

static void info_failed(void *user, struct tx_client *ct, int err)
{
	struct call *c = user;
	(void)ct;

	event_error(c->u, "INFO not answered: %s", strerror(-err));
}

static const struct tx_client_ops info_ops = { info_response, info_failed, call_gone };

int call_info(struct call *c)
{
	if (c->state != CALL_UP)
		return -EPROTO;
	return call_send(c, c->at, "INFO", STR_NONE, STR_NONE, &info_ops) ? 0 : -ENOBUFS;
}
