/* pcscf/charging_access.c - access-network-charging-info of P-Charging-Vector: TS 24.229 §7.2A.5.2; row G1. */
#include <stdio.h>
#include "pcscf/policy.h"

/* Names of the parameters by the kind of access: the address of its gateway, the list, and what stands in front of its members. */
static const struct {
	const char *address, *list, *item, *id;
} words[] = {
	[CHARGING_GPRS] = { "ggsn", "pdp-info", "pdp", "gcid" },
	[CHARGING_EPS] = { "pdngw", "eps-info", "eps", "ecid" },
	[CHARGING_5GS] = { "smf", "5gs-info", "5gs", "5gscid" },
};

/* The gateway's name is needed: without one the numbers mean nothing. */
struct str charging_access(enum charging_access_kind kind, struct str address, struct str id_hex, char dst[CHARGING_ACCESS_BYTES])
{
	int l;

	if (!address.l)
		return STR_NONE;
	if (id_hex.l)
		l = snprintf(dst, CHARGING_ACCESS_BYTES, ";%s=%.*s;%s=\"%s-item=1;%s-sig=no;%s=%.*s\"", words[kind].address, STR_ARG(address),
			     words[kind].list, words[kind].item, words[kind].item, words[kind].id, STR_ARG(id_hex));
	else
		l = snprintf(dst, CHARGING_ACCESS_BYTES, ";%s=%.*s", words[kind].address, STR_ARG(address));
	return l > 0 && l < (int)CHARGING_ACCESS_BYTES ? str_make(dst, (size_t)l) : STR_NONE;
}
