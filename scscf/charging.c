/* scscf/charging.c - P-Charging-Vector: RFC 7315 §4.6, TS 24.229 §5.4.3.2, §5.4.3.3; rows T19, R4.
 *
 * The icid stays what the P-CSCF made it.  The operator identifiers are per hop: toward the other side's network orig-ioi is
 * us (type 2); what the side we serve sent as orig-ioi goes back to it in the responses, with term-ioi for us. */
#include "common/util/rand.h"
#include "scscf/session.h"

#define ICID_CHARS 32

/* The parameters of a vector without those of the operators, ";"-separated. */
static struct str without_ioi(struct arena *a, struct str value, struct str *ret_icid, struct str *ret_orig)
{
	struct arena_text out = arena_text(a);
	struct str rest = value, name, v;

	while (sip_param_next(&rest, &name, &v)) {
		if (str_ieq_c(name, "orig-ioi")) {
			*ret_orig = v;
			continue;
		}
		if (str_ieq_c(name, "term-ioi"))
			continue;
		if (str_ieq_c(name, "icid-value"))
			*ret_icid = v;
		arena_text_put(&out, out.l ? STR(";") : STR_NONE);
		arena_text_put(&out, name);
		arena_text_put(&out, v.l ? STR("=") : STR_NONE);
		arena_text_put(&out, v);
	}
	return arena_text_str(&out);
}

void charging_request(struct session *s, struct sip_out *o, struct str home)
{
	struct arena *a = o->arena;
	struct str params = without_ioi(a, sip_msg_value(o->m, SIP_H_PCV), &s->icid, &s->orig_ioi);
	char random[ICID_CHARS + 1];

	if (s->icid.l == 0) {		/* TS 24.229 §4.5.2: whoever finds none makes one */
		rand_token(random, ICID_CHARS);
		s->icid = arena_dup(a, str_make(random, ICID_CHARS));
		params = arena_printf(a, "icid-value=%.*s%s%.*s", STR_ARG(s->icid), params.l ? ";" : "", STR_ARG(params));
	}
	/* Terminating: the caller's network is who it says; nobody said: it was one of ours. */
	if (s->side == SIDE_TERMINATING && s->orig_ioi.l)
		params = arena_printf(a, "%.*s;orig-ioi=%.*s", STR_ARG(params), STR_ARG(s->orig_ioi));
	else
		params = arena_printf(a, "%.*s;orig-ioi=%.*s", STR_ARG(params), STR_ARG(home));
	sip_out_set(o, SIP_H_PCV, params);
}

void charging_response(const struct session *s, struct sip_out *o, struct str home, bool trusted)
{
	struct arena *a = o->arena;
	struct str icid = STR_NONE, orig = STR_NONE;
	struct str params = without_ioi(a, trusted ? sip_msg_value(o->m, SIP_H_PCV) : STR_NONE, &icid, &orig);

	if (icid.l == 0)
		params = arena_printf(a, "icid-value=%.*s%s%.*s", STR_ARG(s->icid), params.l ? ";" : "", STR_ARG(params));
	if (s->orig_ioi.l)
		params = arena_printf(a, "%.*s;orig-ioi=%.*s", STR_ARG(params), STR_ARG(s->orig_ioi));
	sip_out_set(o, SIP_H_PCV, arena_printf(a, "%.*s;term-ioi=%.*s", STR_ARG(params), STR_ARG(home)));
}
