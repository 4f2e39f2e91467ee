/* tests/hss/uar.c - may this user register, and which S-CSCF serves it?  TS 29.228 §6.1.1.1. */
#include "tests/hss/hss.h"

/* Barred, and no identity of the set that is not. */
static bool all_barred(const struct sub *b, const struct sub_impu *id)
{
	if (!id->barred)
		return false;
	for (unsigned i = 0; i < b->n_impus; i++)
		if (!b->impu[i].barred)
			return false;
	return true;
}

static bool may_roam(const struct sub *b, struct str visited)
{
	if (b->n_visited == 0)
		return true;
	for (unsigned i = 0; i < b->n_visited; i++)
		if (str_ieq_c(visited, b->visited[i]))
			return true;
	return false;
}

static void answer_by_state(const struct hss *h, const struct sub *b, uint32_t type, struct cx_uaa *a)
{
	const char *name = hss_server_name(h, b);

	if (name) {
		/* Registered, unregistered, or a challenge is out: the S-CSCF is known. */
		a->server_name = str_from_c(name);
		if (type == CX_UAR_DE_REGISTRATION)
			a->result = b->d.state == SUB_NOT_REGISTERED ? res_exp(CX_IDENTITY_NOT_REGISTERED) : res_base(DIA_SUCCESS);
		else
			a->result = res_exp(CX_SUBSEQUENT_REGISTRATION);
		if (a->result.code == CX_IDENTITY_NOT_REGISTERED)
			a->server_name = STR_NONE;
	} else if (type == CX_UAR_DE_REGISTRATION) {
		a->result = res_exp(CX_IDENTITY_NOT_REGISTERED);
	} else {
		a->result = res_exp(CX_FIRST_REGISTRATION);
		a->server_name = str_from_c(b->server_name);	/* some HSSs name one at once: features.md A15 */
		hss_caps(b, &a->has_caps, &a->caps);
	}
}

void hss_uar(struct hss *h, const struct cx_uar *r, struct cx_uaa *a)
{
	bool emergency = r->flags & CX_UAR_FLAG_EMERGENCY;
	const struct sub_impu *id;
	struct sub *b;

	if (!hss_identify(h, r->impi, r->impu, &b, &id, &a->result))
		return;
	b->n.uar++;
	if (r->type > CX_UAR_REGISTRATION_AND_CAPABILITIES) {
		a->result = res_base(DIA_INVALID_AVP_VALUE);
	} else if (!emergency && all_barred(b, id)) {
		a->result = res_base(DIA_AUTHORIZATION_REJECTED);
	} else if (r->type != CX_UAR_DE_REGISTRATION && !emergency && !may_roam(b, r->visited_network)) {
		a->result = res_exp(CX_ROAMING_NOT_ALLOWED);
	} else if (r->type != CX_UAR_DE_REGISTRATION && !emergency && !b->may_register) {
		a->result = res_base(DIA_AUTHORIZATION_REJECTED);
	} else if (r->type == CX_UAR_REGISTRATION_AND_CAPABILITIES) {
		a->result = res_base(DIA_SUCCESS);
		hss_caps(b, &a->has_caps, &a->caps);
	} else {
		answer_by_state(h, b, r->type, a);
	}
}
