/* pcscf/keep.c - keep-alives that a phone behind a NAT offers: RFC 6223 §4.3, §4.4; RFC 5626 §4.4; TS 24.229 §5.2.2; row P23.
 *
 * A phone puts "keep" into the Via of its REGISTER; our value in the 200 says that its CRLFs are welcome, and how often.  Only where a NAT
 * shows (its Via is not where it sent from): elsewhere they cost a battery and keep nothing open. */
#include "pcscf/pcscf.h"

#define STREAM_TIMES 4u		/* a NAT keeps a connection longer than a datagram's port */

static bool offers(const struct sip_msg *req)
{
	struct str v;

	return sip_param_get(req->via.params, "keep", &v) && v.l == 0;
}

static bool behind_nat(const struct sip_msg *req)
{
	struct addr said;

	return addr_parse(req->via.host, 5060, &said) < 0 || !addr_host_eq(&said, &req->flow.remote);
}

/* "keep" as it stands gets the value: a parameter name, so in front of it is ';' and blanks. */
static struct str with_value(struct arena *a, struct str via, uint32_t keep_s)
{
	for (size_t i = 0; i + 4 <= via.l; i++) {
		size_t before = i, after = i + 4;

		if (!str_istarts(str_from(via, i), STR("keep")))
			continue;
		while (before && (via.p[before - 1] == ' ' || via.p[before - 1] == '\t'))
			before--;
		while (after < via.l && (via.p[after] == ' ' || via.p[after] == '\t'))
			after++;
		if (!before || via.p[before - 1] != ';' || (after < via.l && via.p[after] != ';'))
			continue;
		return arena_printf(a, "%.*s=%u%.*s", (int)(i + 4), via.p, keep_s, STR_ARG(str_from(via, i + 4)));
	}
	return via;
}

void pcscf_keep(const struct pcscf_config *c, const struct sip_msg *req, struct sip_out *o)
{
	struct sip_values it = sip_values(o->m, SIP_H_VIA);
	struct str v, all[SIP_MSG_MAX_HDRS];
	unsigned n = 0;

	if (!c->keep_s || !offers(req) || !behind_nat(req))
		return;
	if (!sip_values_next(&it, &v))		/* ours, which goes */
		return;
	while (n < SIP_MSG_MAX_HDRS && sip_values_next(&it, &v))
		all[n++] = v;
	if (!n)
		return;
	sip_out_drop(o, SIP_H_VIA);
	while (n-- > 1)
		sip_out_push(o, SIP_H_VIA, all[n]);
	sip_out_push(o, SIP_H_VIA, with_value(o->arena, all[0], c->keep_s));
}

void pcscf_flow_timer(const struct pcscf_config *c, const struct sip_msg *req, struct sip_out *o)
{
	uint32_t s = sip_proto_is_reliable(req->flow.proto) ? STREAM_TIMES * c->keep_s : c->keep_s;

	if (s && sip_msg_has_token(o->m, SIP_H_REQUIRE, "outbound"))
		sip_out_set(o, SIP_H_FLOW_TIMER, arena_printf(o->arena, "%u", s));
}
