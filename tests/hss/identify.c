/* tests/hss/identify.c - what every procedure begins with: who is meant.  TS 29.228 §6.1.1.1 steps 1 and 2. */
#include <errno.h>
#include "common/log/log.h"
#include "tests/hss/hss.h"
#include "tests/hss/state.h"

bool hss_identify(struct hss *h, struct str impi, struct str impu, struct sub **ret, const struct sub_impu **ret_impu,
		  struct dia_result *ret_result)
{
	const struct sub_impu *id = NULL;
	struct sub *by_impu = subs_by_impu(h->subs, impu, &id), *by_impi = subs_by_impi(h->subs, impi);

	if (impi.l == 0 || impu.l == 0)
		*ret_result = res_base(DIA_MISSING_AVP);
	else if (!by_impi || !by_impu)
		*ret_result = res_exp(CX_USER_UNKNOWN);
	else if (strcmp(by_impi->impi, by_impu->impi) != 0)
		*ret_result = res_exp(CX_IDENTITIES_DONT_MATCH);
	else {
		*ret = by_impu;
		*ret_impu = id;
		return true;
	}
	return false;
}

const char *hss_server_name(const struct hss *h, const struct sub *b)
{
	for (unsigned n = 1; !b->d.server_name && n <= SUB_MAX_SETS; n++) {
		const struct sub *other = subs_set(h->subs, b->impi, n);

		if (other && other->d.server_name)
			return other->d.server_name;
	}
	return b->d.server_name;
}

void hss_caps(const struct sub *b, bool *has, struct cx_caps *ret)
{
	*has = b->caps != NULL;
	if (!b->caps)
		return;
	ret->mandatory.n = b->caps->n_mandatory;
	memcpy(ret->mandatory.v, b->caps->mandatory, b->caps->n_mandatory * sizeof(uint32_t));
	ret->optional.n = b->caps->n_optional;
	memcpy(ret->optional.v, b->caps->optional, b->caps->n_optional * sizeof(uint32_t));
	ret->server_names.n = b->caps->n_names;
	for (unsigned i = 0; i < b->caps->n_names; i++)
		ret->server_names.v[i] = str_from_c(b->caps->names[i]);
}

void hss_charging(const struct hss *h, struct str *pccf, struct str *sccf, struct str *pecf, struct str *secf)
{
	*pccf = str_from_c(h->set.primary_ccf);
	*sccf = str_from_c(h->set.secondary_ccf);
	*pecf = str_from_c(h->set.primary_ecf);
	*secf = str_from_c(h->set.secondary_ecf);
}

int hss_store(struct hss *h, struct sub *b)
{
	int rc = h->state ? state_put(h->state, b->name, &b->d) : 0;

	if (rc < 0)
		log_error(LOG_CORE, "the state cannot be stored", LOG_C("impi", b->impi), LOG_C("error", state_error(rc)));
	return rc;
}

void hss_refresh(struct hss *h, struct sub *b)
{
	if (b && h->state && h->set.shared_state && state_get(h->state, h->subs, b) == -EBADMSG)
		log_warn(LOG_CORE, "stored state is not understood", LOG_C("impi", b->impi));
}

void hss_totals(const struct hss *h, struct hss_totals *ret)
{
	*ret = (struct hss_totals){ 0 };
	for (size_t i = 0; i < h->subs->n; i++) {
		ret->registered += h->subs->v[i]->d.state == SUB_REGISTERED;
		ret->unregistered += h->subs->v[i]->d.state == SUB_UNREGISTERED;
		ret->auth_pending += h->subs->v[i]->d.auth_pending;
	}
}
