/* icscf/charging.c - what the I-CSCF has to do with charging: TS 24.229 §4.5.2, §5.3.2.1; RFC 7315 §4.5, §4.6; row G1.
 *
 * It stands between two S-CSCFs, or a P-CSCF and one: vectors pass as they are.  It is the first node of a request that brings no
 * ICID, and it is where answers leave the home network: whose network the caller's is says orig-ioi. */
#include "common/sip/charging.h"
#include "icscf/icscf.h"

void icscf_charging_request(struct icscf_ask *a)
{
	struct arena *ar = a->m->arena;
	struct charging_vector v;

	charging_read(ar, a->m, &v);
	a->caller_abroad = a->outside || (charging_type(v.orig_ioi) == IOI_NETWORK && !charging_is_of(&v, a->iw->i->home_domain));
	if (a->m->to_tag.l || (v.icid.l && !a->outside))
		return;
	charging_new(ar, stack_sip_name(a->iw->i->stack), &v);
	sip_out_set(proxy_out(a->p), SIP_H_PCV, charging_write(ar, &v));
}

void icscf_charging_response(const struct icscf_ask *a, struct sip_out *o)
{
	if (a->caller_abroad)
		sip_out_drop(o, SIP_H_PCFA);
}
