/* tests/hss/lir.c - where is this user?  TS 29.228 §6.1.4.1. */
#include "tests/hss/hss.h"

void hss_lir(struct hss *h, const struct cx_lir *r, struct cx_lia *a)
{
	const struct sub_impu *id = NULL;
	struct sub *b = subs_by_impu(h->subs, r->impu, &id);
	const char *name = b ? hss_server_name(h, b) : NULL;

	if (r->impu.l == 0) {
		a->result = res_base(DIA_MISSING_AVP);
		return;
	}
	if (!b) {
		a->result = res_exp(CX_USER_UNKNOWN);
		return;
	}
	b->n.lir++;
	if (id->wild)				/* §6.1.4.1: the I-CSCF tells the S-CSCF which one it was */
		*(b->psi ? &a->wildcarded_psi : &a->wildcarded_impu) = str_from_c(id->uri);
	if (b->d.state != SUB_NOT_REGISTERED && b->d.server_name) {
		a->result = res_base(DIA_SUCCESS);
		a->server_name = str_from_c(b->d.server_name);
	} else if (!b->unregistered_services && !r->originating) {
		a->result = res_exp(CX_IDENTITY_NOT_REGISTERED);
	} else if (name) {			/* known from a challenge, or by another set: the same one serves it */
		a->result = res_base(DIA_SUCCESS);
		a->server_name = str_from_c(name);
	} else {
		a->result = res_exp(CX_UNREGISTERED_SERVICE);
		hss_caps(b, &a->has_caps, &a->caps);
	}
}
