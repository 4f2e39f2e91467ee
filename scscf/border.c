/* scscf/border.c - what leaves the trust domain and what is believed from outside; privacy: TS 24.229 §4.4; RFC 3323, RFC 3325 §5, §7;
 * RFC 6050 §4; RFC 7315 §5.4, §5.6; rows T11, T15, T19.
 *
 * Inside of the domain identities and Privacy go on together.  Where it ends, the S-CSCF is the privacy service of a proxy: `id` and
 * `user` are done there; `header` and `session` would need a B2BUA, so a request that calls them critical does not leave. */
#include "scscf/session.h"

enum { PRIVACY_ID = 1, PRIVACY_USER = 2, PRIVACY_HEADER = 4, PRIVACY_SESSION = 8, PRIVACY_CRITICAL = 16, PRIVACY_NONE = 32 };

/* The priv-values, which semicolons part (RFC 3323 §4.2); a comma is taken for one. */
static unsigned privacy_read(const struct sip_msg *m)
{
	static const struct { const char *name; unsigned bit; } rows[] = {
		{ "id", PRIVACY_ID }, { "user", PRIVACY_USER }, { "header", PRIVACY_HEADER }, { "session", PRIVACY_SESSION },
		{ "critical", PRIVACY_CRITICAL }, { "none", PRIVACY_NONE },
	};
	struct sip_values it = sip_values(m, SIP_H_PRIVACY);
	struct str v, one;
	unsigned bits = 0;

	while (sip_values_next(&it, &v)) {
		while (v.l) {
			str_cut(v, ';', &one, &v);
			for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
				if (str_ieq_c(str_trim(one), rows[i].name))
					bits |= rows[i].bit;
		}
	}
	return bits & PRIVACY_NONE ? 0 : bits;		/* RFC 3323 §4.2: it stands alone */
}

/* RFC 3323 §5.3: what a user's agent tells about him without need. */
static void drop_user(struct sip_out *o)
{
	static const char *const names[] = { "Subject", "Call-Info", "Organization", "User-Agent", "Reply-To", "In-Reply-To", NULL };

	for (const char *const *n = names; *n; n++)
		sip_out_drop_name(o, *n);
}

static void drop_inside(struct sip_out *o)
{
	static const enum sip_hdr_id inside[] = { SIP_H_PAANI, SIP_H_PCFA, SIP_H_PCV, SIP_H_PASSERTED_SERVICE, SIP_H_PPREFERRED_SERVICE,
						  SIP_H_PPROFILE_KEY, SIP_H_PUSER_DATABASE, SIP_H_PSERVED_USER };

	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		sip_out_drop(o, inside[i]);
	sip_out_drop_name(o, "Relayed-Charge");		/* TS 24.229 §4.4.13 */
}

void border_request(const struct session_target *t, struct sip_out *o)
{
	unsigned privacy;

	if (t->abroad)			/* RFC 7315 §5.6: charging functions are of one network, trusted or not */
		sip_out_drop(o, SIP_H_PCFA);
	if (t->trusted)
		return;
	privacy = privacy_read(o->m);
	drop_inside(o);
	if (privacy & (PRIVACY_ID | PRIVACY_USER))
		sip_out_drop(o, SIP_H_PAI);
	if (privacy & PRIVACY_USER)
		drop_user(o);
}

void border_response(const struct session_target *t, struct sip_out *o)
{
	if (t->abroad)
		sip_out_drop(o, SIP_H_PCFA);
	if (t->trusted)
		return;
	drop_inside(o);
	sip_out_drop(o, SIP_H_PAI);	/* nobody there may assert one */
}

bool border_may_leave(const struct session_target *t, const struct sip_msg *m)
{
	unsigned privacy = t->trusted ? 0 : privacy_read(m);

	return !(privacy & PRIVACY_CRITICAL) || !(privacy & (PRIVACY_HEADER | PRIVACY_SESSION));
}

/* RFC 6050 §4.1, §4.2; TS 24.229 §5.4.3.2: what a phone prefers the network asserts, when it knows it.  One value, as §7.2A has it. */
void border_service(struct scscf_worker *sw, struct session_in *in)
{
	struct sip_values it = sip_values(in->m, SIP_H_PPREFERRED_SERVICE);
	struct str v;

	if (in->token)			/* from a phone: it may prefer, not assert */
		sip_out_drop(&in->out, SIP_H_PASSERTED_SERVICE);
	else
		in->service = sip_msg_value(in->m, SIP_H_PASSERTED_SERVICE);
	while (in->service.l == 0 && sip_values_next(&it, &v)) {
		v = str_trim(v);
		if (session_config_has_service(sw->s->sessions, v))
			in->service = v;
	}
	sip_out_drop(&in->out, SIP_H_PPREFERRED_SERVICE);
	if (in->service.l)
		sip_out_set(&in->out, SIP_H_PASSERTED_SERVICE, in->service);
}
