/* scscf/indialog.c - requests inside a dialog whose route we are on: TS 24.229 §5.4.3.2, §5.4.3.3; RFC 3261 §12.2, §16.12;
 * rows M3, M5, M7, M11, M12, M14, R14.
 *
 * The token of our Record-Route is all that is needed: after a restart calls go on, also of registrations that are gone. */
#include "common/log/log.h"
#include "scscf/session.h"

/* Ours have one side; anything else was not written by this program. */
static bool sides_are_known(const struct session_in *in)
{
	for (unsigned i = 0; i < in->n_own; i++)
		if (in->own_token[i].kind &&
		    in->own_token[i].flags != SIDE_ORIGINATING && in->own_token[i].flags != SIDE_TERMINATING)
			return false;
	return true;
}

/* The dialog has one side outside of the trust domain: then nothing crosses in either direction. */
static bool inside(const struct session_in *in)
{
	for (unsigned i = 0; i < in->n_own; i++)
		if (in->own_token[i].aux & TOKEN_AUX_OUTSIDE)
			return false;
	return true;
}

static bool abroad(const struct session_in *in)
{
	for (unsigned i = 0; i < in->n_own; i++)
		if (in->own_token[i].aux & TOKEN_AUX_ABROAD)
			return true;
	return false;
}

/* Target refresh requests (RFC 3261 §6, RFC 3311 §5.2, RFC 6665 §4.1.3). */
static bool refreshes_target(enum sip_method m)
{
	return m == SIP_INVITE || m == SIP_UPDATE || m == SIP_SUBSCRIBE || m == SIP_NOTIFY || m == SIP_REFER;
}

/* §5.4.3.2: a target refresh is record-routed again, so that an end that lost its route set has it.  Both our places when we
 * stand on the route twice. */
static void record_again(struct session_in *in)
{
	for (unsigned i = 0; i < in->n_own; i++)
		if (in->own_token[i].kind)
			sip_out_push(&in->out, SIP_H_RECORD_ROUTE,
				     arena_printf(in->m->arena, "<%.*s>", STR_ARG(in->own[i].uri.text)));
}

void scscf_in_dialog(struct scscf_worker *sw, struct session_in *in)
{
	struct session_target *t;
	struct session *s;
	struct str route;

	if (!sides_are_known(in)) {
		session_refuse(in, 403, "a Route that is for no side of a call", STR_NONE);
		return;
	}
	if (in->ruri.scheme == SIP_SCHEME_TEL && sip_out_top(&in->out, SIP_H_ROUTE, &route) < 0) {
		session_refuse(in, 404, "a number is no target within a dialog", STR_NONE);
		return;
	}
	s = session_new(sw, in, SIDE_DIALOG, STR_NONE);
	t = s ? session_target_new(in) : NULL;
	if (!s)
		return;
	if (!t) {
		session_refuse(in, 500, "out of memory", STR_NONE);
		return;
	}
	t->ruri = terminating_gruu(sw, in);
	t->trusted = inside(in);
	t->abroad = abroad(in);
	if (refreshes_target(in->m->method))
		record_again(in);
	session_start(s, in, t, SESSION_FORK);
}

/* The ACK of a 2xx (RFC 3261 §13.2.2.4): along its route set, never answered.  Without a Route of ours it is none of our
 * business, and forwarding it would make us anybody's relay. */
void scscf_ack(struct worker *w, struct sip_msg *m)
{
	struct session_in in = { .m = m };
	struct str contact;
	struct token t;

	sip_out_init(&in.out, m);
	in.n_own = proxy_pop_own_routes(w->proxy, m, &in.out, in.own);
	in.ruri = m->ruri;
	for (unsigned i = 0; i < in.n_own; i++) {
		if (token_read(stack_token_key(w->stack), in.own[i].uri.user, &t) == 0 && t.kind == TOKEN_RECORD_ROUTE)
			continue;
		in.n_own = 0;
	}
	contact = in.n_own ? terminating_gruu(scscf_of(w), &in) : STR_NONE;
	if (contact.l)
		sip_out_set_ruri(&in.out, contact);
	if (in.n_own)
		proxy_forward_ack(w->proxy, m, &in.out, NULL);
	else
		log_debug(LOG_SESS, "ACK dropped: no Route of ours", LOG_S("call_id", m->call_id));
}
