/* pcscf/identity.c - who a request or a response is from, as the network says it.
 * TS 24.229 §5.2.6.3.3, §5.2.6.4.4; RFC 3325 §5, §6, §9.1, §9.2; rows P10, S6, SEC-02.
 *
 * Nothing of what a phone writes gets into P-Asserted-Identity: it may only choose among its registered identities. */
#include "pcscf/pcscf.h"

/* The registered identities that P-Preferred-Identity names: one sip and one tel at most (RFC 3325 §9.2). */
static struct str preferred(const struct sip_out *o, const struct binding *b)
{
	struct sip_values it = sip_values(o->m, SIP_H_PPI);
	const struct binding_identity *sip = NULL, *tel = NULL;
	struct str v;

	while (sip_values_next(&it, &v)) {
		const struct binding_identity *id;
		struct sip_nameaddr na;

		if (sip_nameaddr_parse(v, &na) < 0 || na.star)
			continue;
		id = binding_identity_find(b, &na.uri);
		if (id && na.uri.scheme == SIP_SCHEME_TEL && !tel)
			tel = id;
		else if (id && na.uri.scheme != SIP_SCHEME_TEL && !sip)
			sip = id;
	}
	if (sip && tel)
		return arena_printf(o->arena, "%.*s, %.*s", STR_ARG(sip->value), STR_ARG(tel->value));
	return sip ? sip->value : tel ? tel->value : STR_NONE;
}

static void set(struct sip_out *o, const struct binding *b, struct str value)
{
	if (!value.l && b->n_identities)
		value = b->identity[0].value;
	if (value.l)		/* the binding may go before the plan is written */
		sip_out_set(o, SIP_H_PAI, arena_dup(o->arena, value));
}

void pcscf_assert_sender(struct sip_out *o, const struct binding *b)
{
	set(o, b, preferred(o, b));
}

void pcscf_assert_callee(struct sip_out *o, const struct sip_msg *req, const struct binding *b)
{
	struct str value = preferred(o, b), called = sip_msg_value(req, SIP_H_PCALLED_PARTY_ID);
	const struct binding_identity *id;
	struct sip_nameaddr na;

	if (!value.l && called.l && sip_nameaddr_parse(called, &na) == 0 && !na.star) {
		id = binding_identity_find(b, &na.uri);
		if (id)
			value = id->value;
	}
	set(o, b, value);
}
