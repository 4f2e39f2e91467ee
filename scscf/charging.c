/* scscf/charging.c - the charging headers of the call path: RFC 7315 §4.5, §4.6, §5.5, §5.6; TS 24.229 §4.5, §5.4.3.2, §5.4.3.3; TS 32.260
 * §5.1.2; rows T19, R4, G1.  Which message has what, clause by clause and with its tests: common/README.md, "Charging headers".
 *
 * The icid stays what the first node made it.  Toward whom a request goes decides the type of its orig-ioi, which is always us; from
 * whom it came decides the type of term-ioi in the answers, and orig-ioi goes back there as it came.  What the access network said is for
 * application servers and for nobody else; P-Charging-Function-Addresses is for the home network. */
#include "scscf/session.h"

static struct str home(const struct session *s)
{
	return stack_home_domain(s->sw->w->stack);
}

/* ---- who are the neighbours? ---- */

/* Within a dialog the end that began it is known by its tag; eight bits of it are in the token. */
uint8_t charging_tag(struct str tag)
{
	uint32_t h = 2166136261u;		/* FNV-1a: the same after a restart */

	for (size_t i = 0; i < tag.l; i++)
		h = (h ^ (unsigned char)tag.p[i]) * 16777619u;
	return (uint8_t)(h ^ h >> 8 ^ h >> 16 ^ h >> 24);
}

uint16_t charging_aux(const struct session *s, const struct session_target *to, struct str caller_tag)
{
	unsigned aux = (unsigned)charging_tag(caller_tag) << 8;

	aux |= s->upstream == IOI_SERVICE ? TOKEN_AUX_FROM_AS : 0;
	aux |= to->as ? TOKEN_AUX_TO_AS : 0;
	aux |= to->abroad || !s->upstream_home ? TOKEN_AUX_ABROAD : 0;
	return (uint16_t)aux;
}

static enum charging_ioi beyond(const struct token *t, bool toward_callee)
{
	bool as = t->aux & (toward_callee ? TOKEN_AUX_TO_AS : TOKEN_AUX_FROM_AS);

	if (as)
		return IOI_SERVICE;
	return (t->flags == SIDE_ORIGINATING) == toward_callee ? IOI_NETWORK : IOI_ACCESS;
}

/* Both ways of our places on the route: behind us and before us, as this request goes. */
static void dialog_sides(struct session *s, const struct session_in *in)
{
	const struct token *first = NULL, *last = NULL;
	bool from_caller;

	for (unsigned i = 0; i < in->n_own; i++) {
		if (!in->own_token[i].kind)
			continue;
		first = first ? first : &in->own_token[i];
		last = &in->own_token[i];
		s->upstream_home = s->upstream_home && !(last->aux & TOKEN_AUX_ABROAD);
	}
	if (!first)
		return;
	from_caller = first->aux >> 8 == charging_tag(in->m->from_tag);
	s->upstream = beyond(first, !from_caller);
	s->downstream = beyond(last, from_caller);
}

void charging_begin(struct session *s, const struct session_in *in)
{
	struct arena *a = in->m->arena;
	struct charging_vector made;

	charging_read(a, in->m, &s->charging);
	s->upstream_home = true;
	if (s->side == SIDE_DIALOG) {
		dialog_sides(s, in);
		return;
	}
	if (s->charging.icid.l == 0) {		/* TS 24.229 §4.5.2: whoever finds none makes one */
		charging_new(a, stack_sip_name(s->sw->w->stack), &made);
		s->charging.icid = made.icid;
		s->charging.generated_at = made.generated_at;
	}
	s->downstream = s->side == SIDE_ORIGINATING ? IOI_NETWORK : IOI_ACCESS;
	if (in->token && in->token->kind == TOKEN_SERVICE_ROUTE)
		s->upstream = IOI_ACCESS;
	else
		s->upstream = in->token || s->side == SIDE_ORIGINATING ? IOI_SERVICE : IOI_NETWORK;
	if (s->upstream == IOI_NETWORK)		/* the caller's network is who it says; nobody said: it was one of ours */
		s->upstream_home = charging_is_of(&s->charging, home(s));
}

void charging_user(struct session *s, struct arena *a, const struct reg_view *v)
{
	s->pcfa = arena_dup(a, reg_view_pcfa(v));
	for (unsigned i = 0; i < v->n_contacts && s->upstream == IOI_ACCESS; i++)
		s->upstream_home = s->upstream_home && v->contacts[i].home;
}

/* ---- P-Charging-Function-Addresses ---- */

/* One that is there stays, when it came from within the home network and stays there (RFC 7315 §4.5.2.2). */
static void put_addresses(const struct session *s, struct sip_out *o, bool from_home, bool to_home)
{
	bool there = sip_msg_hdr(o->m, SIP_H_PCFA);

	if (there && from_home && to_home)
		return;
	if (there)
		sip_out_drop(o, SIP_H_PCFA);
	if (to_home && s->pcfa.l)
		sip_out_set(o, SIP_H_PCFA, s->pcfa);
}

/* ---- both ways ---- */

void charging_request(struct session *s, const struct session_target *t, struct sip_out *o)
{
	enum charging_ioi type = t->as ? IOI_SERVICE : s->downstream;
	struct charging_vector v = s->charging;

	if (type != IOI_SERVICE) {
		v.access = STR_NONE;
		sip_out_drop_name(o, "Relayed-Charge");		/* between us and application servers: TS 24.229 §7.2.12 */
	}
	if (t->abroad)
		v.domain = STR_NONE;
	v.term_ioi = STR_NONE;
	v.orig_ioi = charging_ioi(o->arena, type, home(s));
	if (v.icid.l)
		sip_out_set(o, SIP_H_PCV, charging_write(o->arena, &v));
	else
		sip_out_drop(o, SIP_H_PCV);
	put_addresses(s, o, s->upstream_home, !t->abroad && t->trusted);
}

void charging_response(const struct session *s, const struct session_target *t, struct sip_out *o)
{
	struct charging_vector v = { .icid = STR_NONE };

	if (t->trusted)
		charging_read(o->arena, o->m, &v);
	if (s->charging.icid.l) {
		v.icid = s->charging.icid;
		v.generated_at = s->charging.generated_at;
	}
	if (s->upstream != IOI_SERVICE) {
		v.access = STR_NONE;
		sip_out_drop_name(o, "Relayed-Charge");
	}
	if (!s->upstream_home)
		v.domain = STR_NONE;
	v.orig_ioi = s->charging.orig_ioi;
	v.term_ioi = charging_ioi(o->arena, s->upstream, home(s));
	if (v.icid.l)
		sip_out_set(o, SIP_H_PCV, charging_write(o->arena, &v));
	else
		sip_out_drop(o, SIP_H_PCV);
	put_addresses(s, o, t->trusted && !t->abroad, s->upstream_home);
}
