/* tests/ue/incoming.c - requests that reach the phone: which procedure they are for.  RFC 3261 §8.2, §12.2.2. */
#include <errno.h>
#include <stdio.h>
#include "tests/ue/call.h"

/* RFC 3261 §8.2.2.3.  false: answered 420. */
static bool require_met(struct ue *u, struct tx_server *st, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_REQUIRE);
	struct str tag;
	char line[UE_TEXT];

	while (sip_values_next(&it, &tag)) {
		if (str_ieq_c(tag, "100rel") || (u->o.precond && str_ieq_c(tag, "precondition")))
			continue;
		snprintf(line, sizeof(line), "Unsupported: %.*s\r\n", STR_ARG(tag));
		tx_server_reply(st, 420, NULL, str_from_c(line));
		return false;
	}
	return true;
}

static bool body_is_sdp(const struct sip_msg *m)
{
	struct str type, rest;

	str_cut(sip_msg_value(m, SIP_H_CONTENT_TYPE), ';', &type, &rest);
	return !m->body.l || str_ieq_c(str_trim(type), "application/sdp");
}

static void bye_in(struct call *c, struct tx_server *st, struct sip_msg *m)
{
	tx_server_reply(st, 200, NULL, STR_NONE);
	if (c->ist && !tx_server_final_sent(c->ist))
		tx_server_reply(c->ist, 487, NULL, STR_NONE);		/* RFC 3261 §15.1.2 */
	call_over(c, "remote", 0, call_reason(m));
}

static void in_dialog(struct ue *u, struct tx_server *st, struct sip_msg *m)
{
	struct leg *l = NULL;
	struct call *c = call_find(u, m, &l);
	int rc = c ? dialog_request_in(l->d, m) : -ENOENT;

	if (rc == -ENOENT || (rc == 0 && c->state == CALL_OVER)) {
		tx_server_reply(st, 481, NULL, STR_NONE);
		return;
	}
	if (rc < 0) {
		tx_server_reply(st, rc == -EPROTO ? 500 : 400, NULL, STR_NONE);
		return;
	}
	if (!body_is_sdp(m) && (m->method == SIP_INVITE || m->method == SIP_UPDATE || m->method == SIP_PRACK)) {
		tx_server_reply(st, 415, NULL, STR("Accept: application/sdp\r\n"));
		return;
	}
	switch (m->method) {
	case SIP_INVITE:
		call_reinvite_in(c, st, m);
		break;
	case SIP_BYE:
		bye_in(c, st, m);
		break;
	case SIP_PRACK:
		call_prack_in(c, st, m);
		break;
	case SIP_UPDATE:
		call_update_in(c, st, m);
		break;
	case SIP_INFO:
	case SIP_OPTIONS:
		tx_server_reply(st, 200, NULL, STR("Allow: " UE_ALLOW "\r\n"));
		break;
	case SIP_MESSAGE:
		message_in(u, st, m);
		break;
	default:
		tx_server_reply(st, m->method == SIP_UNKNOWN_METHOD ? 501 : 405, NULL, STR("Allow: " UE_ALLOW "\r\n"));
	}
}

static void options_in(struct ue *u, struct tx_server *st)
{
	struct buf b;

	buf_init(&b, SIP_MSG_MAX_BYTES / 2);
	put_contact(u, &b);
	buf_printf(&b, "Allow: " UE_ALLOW "\r\nAccept: application/sdp, text/plain\r\nSupported: 100rel%s\r\n",
		   u->o.precond ? ",precondition" : "");
	tx_server_reply(st, call_active(u) ? 486 : 200, NULL, buf_str(&b));	/* RFC 3261 §11.2: as an INVITE would fare */
	buf_fini(&b);
}

static void out_of_dialog(struct ue *u, struct tx_server *st, struct sip_msg *m)
{
	switch (m->method) {
	case SIP_INVITE:
		if (!body_is_sdp(m))
			tx_server_reply(st, 415, NULL, STR("Accept: application/sdp\r\n"));
		else
			call_invite_in(u, st, m);
		break;
	case SIP_MESSAGE:
		message_in(u, st, m);
		break;
	case SIP_OPTIONS:
		options_in(u, st);
		break;
	case SIP_BYE:
	case SIP_PRACK:
	case SIP_UPDATE:
	case SIP_INFO:
	case SIP_NOTIFY:
		tx_server_reply(st, 481, NULL, STR_NONE);
		break;
	default:
		tx_server_reply(st, m->method == SIP_UNKNOWN_METHOD ? 501 : 405, NULL, STR("Allow: " UE_ALLOW "\r\n"));
	}
}

void incoming_request(struct ue *u, struct tx_server *st, struct sip_msg *m)
{
	if (!require_met(u, st, m))
		return;
	if (m->method == SIP_NOTIFY && notify_in(u, st, m))
		return;
	if (m->to_tag.l)
		in_dialog(u, st, m);
	else
		out_of_dialog(u, st, m);
}

void incoming_ack(struct ue *u, struct sip_msg *m)
{
	struct leg *l;
	struct call *c = call_find(u, m, &l);

	if (!c)
		return;
	(void)dialog_request_in(l->d, m);
	call_ack_in(c, m);
}

void incoming_cancel(struct ue *u, struct tx_server *invite, struct sip_msg *m)
{
	struct list *p;

	list_for_each(p, &u->calls) {
		struct call *c = list_entry(p, struct call, link);

		if (c->ist != invite)
			continue;
		call_cancel_in(c, m);
		return;
	}
	tx_server_reply(invite, 487, NULL, STR_NONE);
}
