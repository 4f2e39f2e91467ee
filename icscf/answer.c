/* icscf/answer.c - Cx results to SIP: TS 24.229 §5.3.1.2, §5.3.2.1. */
#include <errno.h>
#include "icscf/answer.h"

struct row {
	uint32_t code;
	bool experimental;
	struct icscf_verdict v;
};

static const struct row uaa_rows[] = {
	{ CX_FIRST_REGISTRATION, true, { ICSCF_SELECT, 0, false, "first registration" } },
	{ CX_SUBSEQUENT_REGISTRATION, true, { ICSCF_SELECT, 0, false, "registered before" } },
	{ DIA_SUCCESS, false, { ICSCF_SELECT, 0, false, "authorised" } },
	{ CX_USER_UNKNOWN, true, { ICSCF_REFUSE, 403, false, "the HSS does not know this private identity" } },
	{ CX_IDENTITIES_DONT_MATCH, true,
	  { ICSCF_REFUSE, 403, false, "the public identity does not belong to the private identity" } },
	{ CX_IDENTITY_NOT_REGISTERED, true, { ICSCF_REFUSE, 403, false, "the identity may not register now" } },
	{ CX_ROAMING_NOT_ALLOWED, true, { ICSCF_REFUSE, 403, false, "roaming in the visited network is not allowed" } },
	{ DIA_AUTHORIZATION_REJECTED, false, { ICSCF_REFUSE, 403, false, "the HSS rejected the registration" } },
	{ CX_IDENTITY_ALREADY_REGISTERED, true, { ICSCF_REFUSE, 403, false, "the identity is registered by another private identity" } },
	{ DIA_UNABLE_TO_DELIVER, false, { ICSCF_REFUSE, 504, true, "no HSS could be reached" } },
	{ DIA_TOO_BUSY, false, { ICSCF_REFUSE, 503, true, "the HSS is too busy" } },
	{ DIA_UNABLE_TO_COMPLY, false, { ICSCF_REFUSE, 500, true, "the HSS could not comply" } },
};

static const struct row lia_rows[] = {
	{ DIA_SUCCESS, false, { ICSCF_SELECT, 0, false, "located" } },
	{ CX_UNREGISTERED_SERVICE, true, { ICSCF_UNREGISTERED, 0, false, "not registered, but has services for that" } },
	{ CX_USER_UNKNOWN, true, { ICSCF_REFUSE, 404, false, "the HSS does not know this public identity" } },
	{ CX_IDENTITY_NOT_REGISTERED, true, { ICSCF_REFUSE, 480, false, "the callee is not registered" } },
	/* What Open5GS says for unknown and for unregistered users alike. */
	{ CX_SERVER_NAME_NOT_STORED, true, { ICSCF_REFUSE, 480, false, "the HSS has no S-CSCF for the callee" } },
	{ DIA_AUTHORIZATION_REJECTED, false, { ICSCF_REFUSE, 403, false, "the HSS rejected the request" } },
	{ DIA_UNABLE_TO_DELIVER, false, { ICSCF_REFUSE, 504, true, "no HSS could be reached" } },
	{ DIA_TOO_BUSY, false, { ICSCF_REFUSE, 503, true, "the HSS is too busy" } },
	{ DIA_UNABLE_TO_COMPLY, false, { ICSCF_REFUSE, 500, true, "the HSS could not comply" } },
};

/* No answer at all. */
static struct icscf_verdict no_answer(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return (struct icscf_verdict){ ICSCF_REFUSE, 504, true, "the HSS did not answer in time" };
	case -ENOTCONN:
	case -ECONNRESET:
		return (struct icscf_verdict){ ICSCF_REFUSE, 504, true, "no Diameter peer is open" };
	case -EBUSY:
		return (struct icscf_verdict){ ICSCF_REFUSE, 503, true, "too many requests to the HSS are outstanding" };
	default:
		return (struct icscf_verdict){ ICSCF_REFUSE, 500, true, "the HSS's answer could not be read" };
	}
}

static struct icscf_verdict judge(const struct dia_result *r, struct str server_name, const struct row *rows, size_t n)
{
	struct icscf_verdict v = { ICSCF_REFUSE, 500, true, "the HSS answered with a result that has no meaning here" };

	if (r->err < 0)
		return no_answer(r->err);
	for (size_t i = 0; i < n; i++)
		if (rows[i].code == r->code && rows[i].experimental == r->experimental)
			v = rows[i].v;
	/* Open5GS puts base codes into Experimental-Result and answers 2001 there for success. */
	if (v.action == ICSCF_REFUSE && v.status == 500 && r->experimental && r->code == DIA_SUCCESS)
		v = rows[0].v;
	/* The name wins over capabilities when both came (TS 29.228 §6.1.1.1; row I3). */
	if (v.action == ICSCF_SELECT && server_name.l)
		v.action = ICSCF_TO_SERVER;
	return v;
}

struct icscf_verdict icscf_uaa_judge(const struct cx_uaa *a)
{
	return judge(&a->result, a->server_name, uaa_rows, sizeof(uaa_rows) / sizeof(uaa_rows[0]));
}

struct icscf_verdict icscf_lia_judge(const struct cx_lia *a)
{
	struct icscf_verdict v = judge(&a->result, a->server_name, lia_rows, sizeof(lia_rows) / sizeof(lia_rows[0]));

	if (v.action == ICSCF_UNREGISTERED && a->server_name.l)
		v.action = ICSCF_TO_SERVER;
	return v;
}
