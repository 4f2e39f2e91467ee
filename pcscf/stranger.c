/* pcscf/stranger.c - requests of senders that are neither registered nor core, before a transaction is made for them.
 * TS 24.229 §5.2.6.3; rows P9, X10; SEC-06, SEC-11.
 *
 * Over UDP their address may be forged, so what they hear is one datagram, not longer than theirs: no 100 Trying, no repeated
 * 403.  Served are REGISTER, emergency calls, and what shows a routing token of ours (a dialog that outlived our restart). */
#include <errno.h>
#include "common/log/log.h"
#include "pcscf/pcscf.h"

#define ROUTES_READ_MAX 8u

/* 1: a token that verifies; 0: none; -EPERM: forged. */
static int token_in(const struct pcscf *p, const struct sip_msg *m, const struct sip_uri *u)
{
	struct token t;

	if (!u->user.l || !stack_is_self(p->stack, u))
		return 0;
	return pcscf_token_read(p, m, u->user, &t) < 0 ? -EPERM : 1;
}

/* Among the leading Route values that are ours; a strict router wrote it into the Request-URI (RFC 3261 §16.4). */
static int token_of(const struct pcscf *p, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_ROUTE);
	int found = token_in(p, m, &m->ruri);
	struct sip_nameaddr na;
	struct str v;

	if (found > 0)
		return found;
	found = 0;
	for (unsigned i = 0; found == 0 && i < ROUTES_READ_MAX && sip_values_next(&it, &v); i++) {
		if (sip_nameaddr_parse(v, &na) < 0 || na.star || !stack_is_self(p->stack, &na.uri))
			break;
		found = token_in(p, m, &na.uri);
	}
	return found;
}

static bool asks_us(const struct pcscf *p, const struct sip_msg *m)
{
	return m->method == SIP_OPTIONS && m->ruri.user.l == 0 && stack_is_self(p->stack, &m->ruri);
}

bool pcscf_turn_away(struct worker *w, struct sip_msg *m, struct refusal *ret)
{
	struct pcscf_req r = { .pw = pcscf_of(w), .m = m };
	struct pcscf *p = r.pw->p;
	int token;

	if (m->method == SIP_REGISTER || (m->to_tag.l == 0 && pcscf_is_emergency(p, &m->ruri)))
		return false;
	token = token_of(p, m);
	if (token >= 0)
		r.b = pcscf_phone_of(&r);
	if (token > 0 || r.b) {
		obj_unref(r.b);
		ret->forgeable = false;
		return false;
	}
	if (token == 0 && asks_us(p, m)) {
		ret->status = 200;
		ret->extra = pcscf_capabilities;
		return true;
	}
	ret->status = token < 0 || !m->to_tag.l ? 403 : 481;
	ret->why = token < 0 ? "forged routing token" : m->to_tag.l ? "in a dialog that is not routed here" : "sender is not registered";
	return true;
}

enum standing pcscf_standing(struct worker *w, const struct sip_flow *from)
{
	struct pcscf *p = pcscf_of(w)->p;
	struct binding *b = phone_by_flow(p->phones, from);
	struct sa_set *s = p->sas && ports_protected(&p->cfg.security, &from->local) ? sa_of(p->sas, from) : NULL;
	bool secured = s && sa_state(s) != SA_PENDING;

	obj_unref(b);
	obj_unref(s);
	return b || secured ? STANDING_REGISTERED : pcscf_is_trusted(p, from) ? STANDING_TRUSTED : STANDING_UNKNOWN;
}
