/* icscf/trust.c - where the trust domain ends: TS 24.229 §4.4, §5.3.2.1; TS 33.210; RFC 3325 §5; row I10.
 *
 * Without trust.networks every sender is inside, as where an IBCF or a firewall is the border.  With it, others are served, but nothing
 * that only a trusted node may say is believed, and nothing of ours is told to them.  Who may originate for a user (`orig`, row T9) is said
 * by trust.application_servers alone: S-CSCFs take our word for it. */
#include "icscf/icscf.h"

bool icscf_trusts(const struct icscf *i, const struct sip_flow *from)
{
	return !i->trust || networks_none(i->trust) || networks_have(i->trust, &from->remote) || icscf_is_server(i, from);
}

bool icscf_is_server(const struct icscf *i, const struct sip_flow *from)
{
	return i->servers && networks_have(i->servers, &from->remote);
}

void icscf_trust_request(struct sip_out *o)
{
	static const enum sip_hdr_id ids[] = { SIP_H_PAI, SIP_H_PAANI, SIP_H_PCV, SIP_H_PCFA, SIP_H_PASSERTED_SERVICE, SIP_H_PSERVED_USER,
					       SIP_H_PPROFILE_KEY, SIP_H_PUSER_DATABASE, SIP_H_PCALLED_PARTY_ID };

	for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++)
		sip_out_drop(o, ids[k]);
	sip_out_drop_name(o, "Relayed-Charge");		/* TS 24.229 §4.4.13 */
}

static bool wants_id_privacy(const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_PRIVACY);
	struct str v, one;

	while (sip_values_next(&it, &v)) {
		while (v.l) {
			str_cut(v, ';', &one, &v);
			if (str_ieq_c(str_trim(one), "id") || str_ieq_c(str_trim(one), "user"))
				return true;
		}
	}
	return false;
}

void icscf_trust_response(const struct sip_msg *m, struct sip_out *o)
{
	static const enum sip_hdr_id ids[] = { SIP_H_PAANI, SIP_H_PCV, SIP_H_PCFA, SIP_H_PASSERTED_SERVICE };

	for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++)
		sip_out_drop(o, ids[k]);
	sip_out_drop_name(o, "Relayed-Charge");
	if (wants_id_privacy(m))
		sip_out_drop(o, SIP_H_PAI);
}
