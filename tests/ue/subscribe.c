/* tests/ue/subscribe.c - the phone's subscription to its own registration.  TS 24.229 §5.1.1.3; RFC 3680, RFC 6665 §4.1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "tests/ue/ue.h"

#define EARLY_S 600u		/* TS 24.229 §5.1.1.3: as registrations, 600 s ahead or half way */

/* ---- outcomes ---- */

static void over(struct ue *u)
{
	struct subscription *s = &u->sub;

	timer_stop(&s->refresh);
	dialog_free(s->d);
	sip_msg_unref(s->request);
	s->d = NULL;
	s->request = NULL;
	s->call_id[0] = '\0';
}

static void failed(struct ue *u, unsigned status, struct str reason)
{
	cJSON *e = event_new("subscription-failed");

	event_num(e, "status", status);
	event_str(e, "reason", reason);
	over(u);
	event_put(u, e, true);
}

static void accepted(struct ue *u, struct sip_msg *m)
{
	struct subscription *s = &u->sub;
	uint32_t expires_s = s->removing ? 0 : u->o.expires_s;
	cJSON *e = event_new("subscribed");

	/* The last NOTIFY may overtake the answer: the subscription is over then, whatever this grants. */
	if (!s->d && !s->request) {
		event_num(e, "expires", 0);
		event_put(u, e, false);
		return;
	}
	(void)sip_msg_u32(m, SIP_H_EXPIRES, &expires_s);
	event_num(e, "expires", expires_s);
	if (s->d)
		dialog_response_in(s->d, m);
	else
		(void)dialog_new_uac(s->request, m, &s->d);
	if (!s->d) {
		cJSON_Delete(e);
		failed(u, m->status, STR("the answer makes no dialog"));
		return;
	}
	if (expires_s)
		timer_start(loop_wheel(u->loop), &s->refresh,
			    1000ull * (expires_s > 2 * EARLY_S ? expires_s - EARLY_S : expires_s / 2 ? expires_s / 2 : 1));
	event_put(u, e, false);
}

static void on_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct ue *u = user;
	(void)ct;

	if (m->status < 200)
		return;
	u->sub.ct = NULL;
	if (m->status < 300)
		accepted(u, m);
	else
		failed(u, m->status, m->reason);
}

static void on_failed(void *user, struct tx_client *ct, int err)
{
	struct ue *u = user;
	(void)ct;

	u->sub.ct = NULL;
	failed(u, err == -ETIMEDOUT ? 408 : 503, err == -ETIMEDOUT ? STR("no answer") : str_from_c(strerror(-err)));
}

static void on_gone(void *user, struct tx_client *ct)
{
	(void)user;
	(void)ct;
}

static const struct tx_client_ops ops = { on_response, on_failed, on_gone };

/* ---- requests ---- */

static struct bytes *first_request(struct ue *u, const struct via *via, struct str headers)
{
	struct subscription *s = &u->sub;
	struct request q = {
		.method = "SUBSCRIBE", .ruri = str_from_c(u->identity), .to = str_from_c(u->identity),
		.cseq = 1 + rand_below(1000), .headers = headers,
	};
	struct sip_parse_error err;
	struct bytes *wire;

	rand_token(s->call_id, 24);
	rand_token(s->tag, 10);
	q.call_id = str_from_c(s->call_id);
	q.tag = str_from_c(s->tag);
	wire = request_make(u, via, &q);
	if (wire && sip_msg_parse_copy(bytes_str(wire), NULL, &s->request, &err) == 0)
		return wire;
	bytes_unref(wire);
	return NULL;
}

int subscribe_send(struct ue *u, bool remove)
{
	struct subscription *s = &u->sub;
	struct bytes *wire;
	struct via via;
	struct buf h;

	if (s->ct)
		return -EBUSY;
	if (remove && !s->d)
		return -EPROTO;
	s->removing = remove;
	timer_stop(&s->refresh);
	via_make(u, &via);
	buf_init(&h, SIP_MSG_MAX_BYTES / 2);
	put_contact(u, &h);
	buf_printf(&h, "Event: reg\r\nAccept: application/reginfo+xml\r\nExpires: %u\r\n", remove ? 0 : u->o.expires_s);
	wire = s->d ? dialog_request_make(s->d, STR("SUBSCRIBE"), 0, str_from_c(via.text), buf_str(&h), STR_NONE, STR_NONE)
		    : first_request(u, &via, buf_str(&h));
	buf_fini(&h);
	s->ct = net_send(u, SIP_SUBSCRIBE, &via, wire, &ops, u);
	if (!s->ct && !s->d)
		over(u);
	return s->ct ? 0 : -ENOBUFS;
}

void subscribe_timer(struct timer *t)
{
	(void)subscribe_send(container_of(t, struct ue, sub.refresh), false);
}

void subscribe_close(struct ue *u)
{
	over(u);
}

/* ---- NOTIFY ---- */

/* What the document says of our own contact; the last identity that knows it decides, for they agree. */
static void obey(struct ue *u, const struct sip_msg *m)
{
	struct arena *a = arena_new(4096);
	const struct reginfo_contact *ours = NULL;
	struct sip_uri contact, other;
	struct reginfo doc;

	if (a && reginfo_read(m->body, a, &doc) == 0 && sip_uri_parse(str_from_c(u->contact), &contact, NULL) == 0)
		for (const struct reginfo_registration *r = doc.registrations; r; r = r->next)
			for (const struct reginfo_contact *c = r->contacts; c; c = c->next)
				if (sip_uri_parse(c->uri, &other, NULL) == 0 && sip_uri_equal(&contact, &other))
					ours = c;
	if (ours && !ours->active)
		register_ended(u, ours->event, ours->retry_after_s);
	else if (ours && ours->event == REGINFO_SHORTENED && ours->has_expires)
		register_shortened(u, ours->expires_s);
	arena_unref(a);
}

/* It may come before the answer to the SUBSCRIBE: Call-ID and our tag say that it is ours.  RFC 6665 §4.1.2.4. */
bool notify_in(struct ue *u, struct tx_server *st, struct sip_msg *m)
{
	struct subscription *s = &u->sub;
	struct str state = sip_msg_value(m, SIP_H_SUBSCRIPTION_STATE), word, rest;
	cJSON *e;

	if (!s->call_id[0] || !str_eq_c(m->call_id, s->call_id) || !str_eq_c(m->to_tag, s->tag))
		return false;
	if (s->d && dialog_request_in(s->d, m) == -EPROTO) {
		tx_server_reply(st, 500, NULL, STR_NONE);
		return true;
	}
	tx_server_reply(st, 200, NULL, STR_NONE);
	e = event_new("notify");
	event_str(e, "state", state);
	event_str(e, "contentType", sip_msg_value(m, SIP_H_CONTENT_TYPE));
	event_str(e, "body", m->body);
	str_cut(state, ';', &word, &rest);
	if (str_ieq_c(str_trim(word), "terminated"))
		over(u);
	event_put(u, e, false);
	if (m->body.l)
		obey(u, m);
	return true;
}
