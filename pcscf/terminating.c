/* pcscf/terminating.c - requests to a phone: the topmost Route was its Path.  TS 24.229 §5.2.6.4.3; row P13. */
#include "pcscf/pcscf.h"
#include "pcscf/trust.h"

void pcscf_terminating(struct pcscf_req *r)
{
	r->b = phone_by_id(r->pw->p->phones, r->token.id);
	if (!r->b) {
		pcscf_refuse(r, 480, "no such binding", STR_NONE);
		return;
	}
	if (r->b->outbound && r->b->flow_closed && !r->b->sa) {		/* RFC 5626 §5.3.1: the S-CSCF has another flow, or waits for one */
		pcscf_refuse(r, 430, "the flow has failed", STR_NONE);
		return;
	}
	r->icid = pcscf_charging_icid(r->m);
	trust_strip(&r->pw->p->cfg, &r->out, TRUST_REQ_TO_PHONE);
	pcscf_forward_to_phone(r, r->m->method == SIP_INVITE || r->m->method == SIP_SUBSCRIBE || r->m->method == SIP_REFER);
}
