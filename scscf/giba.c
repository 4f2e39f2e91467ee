/* scscf/giba.c - see giba.h. */
#include <errno.h>
#include <string.h>
#include "scscf/giba.h"

/* RFC 3261 §18.2.1: whoever took it in has written received, unless sent-by is the address that he saw. */
static int seen_from(struct str value, struct addr *ret)
{
	struct sip_via v;

	if (sip_via_parse(value, &v) < 0)
		return -EBADMSG;
	return addr_parse(v.received.l ? v.received : v.host, 0, ret);
}

int giba_source(const struct sip_msg *m, const struct networks *trusted, struct addr *ret)
{
	struct sip_values it = sip_values(m, SIP_H_VIA);
	struct str v;

	if (!networks_have(trusted, &m->flow.remote))
		return -EPERM;
	sip_values_next(&it, &v);		/* our neighbour's own */
	while (sip_values_next(&it, &v)) {
		int rc = seen_from(v, ret);

		if (rc < 0 || !networks_have(trusted, ret))
			return rc;
	}
	return -ENOENT;
}

/* RFC 2865 §5.8: all ones and all ones but the last leave it to the access network, which has not said. */
static bool read_ip4(struct str s, struct addr *ret)
{
	static const uint8_t none[4], any[4] = { 255, 255, 255, 255 }, theirs[4] = { 255, 255, 255, 254 };

	if (s.l != 4 || memcmp(s.p, none, 4) == 0 || memcmp(s.p, any, 4) == 0 || memcmp(s.p, theirs, 4) == 0)
		return false;
	ret->in4.sin_family = AF_INET;
	memcpy(&ret->in4.sin_addr, s.p, 4);
	return true;
}

/* RFC 3162 §2.3.  Shorter than what a network gives to one phone (TS 23.060 §9.2.1.1: 64 bits) it would be everybody's. */
static bool read_ip6(const struct cx_auth_item *it, struct giba_address *ret)
{
	struct str s = it->framed_ip6;
	uint8_t *to = (uint8_t *)&ret->ip6.in6.sin6_addr;
	unsigned bits = s.l > 1 ? (uint8_t)s.p[1] : 0;

	if (bits < 64 || bits > 128 || s.l > 18 || (s.l - 2) * 8 < bits)
		return false;
	ret->ip6.in6.sin6_family = AF_INET6;
	memcpy(to, s.p + 2, s.l - 2);
	ret->ip6_bits = bits;
	if (it->framed_interface.l == 8 && bits == 64) {
		memcpy(to + 8, it->framed_interface.p, 8);
		ret->ip6_bits = 128;
	}
	return true;
}

bool giba_read(const struct cx_auth_item *it, struct giba_address *ret)
{
	bool ip4, ip6;

	*ret = (struct giba_address){ 0 };
	ip4 = read_ip4(it->framed_ip, &ret->ip4);
	ip6 = read_ip6(it, ret);
	return ip4 || ip6;
}

bool giba_is(const struct giba_address *known, const struct addr *source)
{
	return (addr_is_set(&known->ip4) && addr_in_prefix(source, &known->ip4, 32)) ||
	       (addr_is_set(&known->ip6) && addr_in_prefix(source, &known->ip6, known->ip6_bits));
}
