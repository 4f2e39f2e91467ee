/* tests/ue/call.c - what both directions of a call share: its life, its dialogs, requests within, the end.
 * RFC 3261 §12, §13.2.2.4, §15. */
#include <stdio.h>
#include <stdlib.h>
#include "tests/ue/call.h"

uint32_t call_t1(const struct ue *u)
{
	return u->o.t1_ms ? u->o.t1_ms : tx_timers_default[TX_UE].t1_ms;
}

struct buf call_sdp_buf(void)
{
	struct buf b;

	buf_init(&b, SDP_MAX_BYTES);
	return b;
}

/* ---- life ---- */

struct call *call_new(struct ue *u, bool out, struct str call_id)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->u = u;
	c->out = out;
	c->refs = 1;
	c->state = out ? CALL_CALLING : CALL_INCOMING;
	c->begun_ms = loop_now_ms(u->loop);
	c->id = str_dup(call_id);
	if (!c->id || media_open(&c->media, u->loop, &u->local) < 0) {
		free(c->id);
		free(c);
		return NULL;
	}
	session_init(&c->session, &c->media.local, u->o.precond);
	timer_init(&c->glare, call_glare);
	list_add_tail(&u->calls, &c->link);
	return c;
}

struct call *call_ref(struct call *c)
{
	c->refs++;
	return c;
}

void call_unref(struct call *c)
{
	if (--c->refs)
		return;
	list_del(&c->link);
	media_close(&c->media);
	for (unsigned i = 0; i < c->n_legs; i++)
		dialog_free(c->leg[i].d);
	bytes_unref(c->ack);
	bytes_unref(c->again);
	sip_msg_unref(c->invite);
	free(c->id);
	free(c);
}

struct call *call_active(struct ue *u)
{
	struct list *p;

	list_for_each(p, &u->calls)
		if (list_entry(p, struct call, link)->state != CALL_OVER)
			return list_entry(p, struct call, link);
	return NULL;
}

struct call *call_find(struct ue *u, const struct sip_msg *m, struct leg **ret_leg)
{
	struct list *p;

	list_for_each(p, &u->calls) {
		struct call *c = list_entry(p, struct call, link);

		for (unsigned i = 0; i < c->n_legs; i++)
			if (dialog_matches(c->leg[i].d, m)) {
				*ret_leg = &c->leg[i];
				return c;
			}
	}
	return NULL;
}

/* Each To tag is a dialog of its own: RFC 3261 §12.1, §13.2.2.4. */
struct leg *call_leg(struct call *c, const struct sip_msg *m)
{
	struct leg *l;

	for (unsigned i = 0; i < c->n_legs; i++)
		if (dialog_matches(c->leg[i].d, m)) {
			dialog_response_in(c->leg[i].d, m);
			return &c->leg[i];
		}
	if (c->n_legs == CALL_MAX_LEGS)
		return NULL;
	l = &c->leg[c->n_legs];
	*l = (struct leg){ 0 };
	if (dialog_new_uac(c->invite, m, &l->d) < 0)
		return NULL;
	c->n_legs++;
	return l;
}

/* ---- the end ---- */

static void timers_stop(struct call *c)
{
	timer_stop(&c->no_answer);
	timer_stop(&c->again_timer);
	timer_stop(&c->again_end);
	timer_stop(&c->ring);
	timer_stop(&c->reserve);
	timer_stop(&c->glare);
}

void call_dead(struct call *c)
{
	if (c->state == CALL_OVER)
		return;
	c->state = CALL_OVER;
	timers_stop(c);
	media_close(&c->media);
	call_unref(c);
}

void call_over(struct call *c, const char *by, unsigned status, struct str reason)
{
	cJSON *e;

	if (c->state == CALL_OVER)
		return;
	e = call_event(c, "ended");
	event_str(e, "by", str_from_c(by));
	if (status)
		event_num(e, "status", status);
	if (reason.l)
		event_str(e, "reason", reason);
	event_num(e, "rtpSent", (double)c->media.sent);
	event_num(e, "rtpReceived", (double)c->media.received);
	event_put(c->u, e, false);
	call_dead(c);
}

cJSON *call_event(const struct call *c, const char *name)
{
	cJSON *e = event_new(name);

	event_str(e, "callId", str_from_c(c->id));
	return e;
}

struct str call_reason(const struct sip_msg *m)
{
	struct str r = sip_msg_value(m, SIP_H_REASON);

	return r.l ? r : m->request ? STR_NONE : m->reason;
}

void call_media_start(struct call *c)
{
	if (c->u->o.rtp)
		media_start(&c->media, &c->session);
}

/* ---- requests within ---- */

void call_gone(void *user, struct tx_client *ct)
{
	struct call *c = user;

	if (c->ict == ct)
		c->ict = NULL;
	if (c->update == ct)
		c->update = NULL;
	call_unref(c);
}

struct tx_client *call_send(struct call *c, struct leg *l, const char *method, struct str headers, struct str sdp,
			    const struct tx_client_ops *ops)
{
	struct str name = str_from_c(method);
	struct tx_client *ct;
	struct bytes *wire;
	struct buf h;
	struct via via;

	via_make(c->u, &via);
	buf_init(&h, SIP_MSG_MAX_BYTES / 2);
	buf_printf(&h, "P-Access-Network-Info: %s\r\nUser-Agent: %s\r\n", c->u->o.pani, c->u->o.user_agent);
	buf_put(&h, headers);
	wire = h.failed ? NULL : dialog_request_make(l->d, name, 0, str_from_c(via.text), buf_str(&h),
						     sdp.l ? STR("application/sdp") : STR_NONE, sdp);
	buf_fini(&h);
	ct = net_send(c->u, sip_method_from_str(name), &via, wire, ops, c);
	if (ct)
		call_ref(c);
	return ct;
}

static void bye_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct call *c = user;
	(void)ct;

	if (m->status >= 200)
		call_over(c, "local", 0, STR_NONE);
}

static void bye_failed(void *user, struct tx_client *ct, int err)
{
	(void)ct;
	call_over(user, "local", 0, str_from_c(strerror(-err)));
}

static const struct tx_client_ops bye_ops = { bye_response, bye_failed, call_gone };

static void ignore_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	(void)user;
	(void)ct;
	(void)m;
}

static void ignore_failed(void *user, struct tx_client *ct, int err)
{
	(void)user;
	(void)ct;
	(void)err;
}

static const struct tx_client_ops bye_of_fork_ops = { ignore_response, ignore_failed, call_gone };

void call_bye(struct call *c, struct leg *l, struct str reason)
{
	char line[UE_TEXT];
	int n = reason.l ? snprintf(line, sizeof(line), "Reason: %.*s\r\n", STR_ARG(reason)) : 0;

	if (!call_send(c, l, "BYE", str_make(line, (size_t)n), STR_NONE, l == c->at ? &bye_ops : &bye_of_fork_ops) && l == c->at)
		call_over(c, "local", 0, STR("no room for a request"));
}

/* A transaction of its own, sent again for each copy of the 2xx: RFC 3261 §13.2.2.4. */
void call_ack_2xx(struct call *c, struct leg *l, struct str sdp)
{
	struct via via;
	struct bytes *wire;

	via_make(c->u, &via);
	wire = dialog_request_make(l->d, STR("ACK"), 0, str_from_c(via.text), STR_NONE,
				   sdp.l ? STR("application/sdp") : STR_NONE, sdp);
	net_send_plain(c->u, wire);
	if (l == c->at) {
		bytes_unref(c->ack);
		c->ack = wire;
	} else {
		bytes_unref(wire);
	}
}
