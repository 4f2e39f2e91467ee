/* pcscf/charging.c - P-Charging-Vector.  RFC 7315 §4.6, TS 24.229 §5.2.2.1, §5.2.6.3.3, §5.2.6.4.4, TS 32.260; row G1. */
#include "common/log/log.h"
#include "common/util/rand.h"
#include "pcscf/pcscf.h"

#define ICID_OCTETS 16u

struct str pcscf_charging_new(struct pcscf_worker *pw, struct sip_out *o)
{
	struct str host = pw->p->cfg.path_host;
	uint8_t random[ICID_OCTETS];
	char icid[2 * ICID_OCTETS + 1];
	ssize_t colon = str_rchr(host, ':');

	rand_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), icid);
	if (colon > 0)
		host = str_head(host, (size_t)colon);
	sip_out_set(o, SIP_H_PCV, arena_printf(o->arena, "icid-value=\"%s\";icid-generated-at=%.*s", icid, STR_ARG(host)));
	log_correlation(str_from_c(icid));
	return arena_dup(o->arena, str_from_c(icid));
}

struct str pcscf_charging_icid(const struct sip_msg *m)
{
	struct str icid, params = sip_msg_value(m, SIP_H_PCV);

	return params.l && sip_param_get(params, "icid-value", &icid) ? sip_unquote(icid) : STR_NONE;
}
