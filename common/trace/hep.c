/* common/trace/hep.c - HEP version 3: "HEP3", the length of all, then chunks of vendor, type, length and value in network order. */
#include "common/trace/capture.h"

#define CHUNK_HEAD 6u

enum chunk {				/* of the generic vendor, 0 */
	IP_FAMILY = 1, IP_PROTO, SRC4, DST4, SRC6, DST6, SRC_PORT, DST_PORT, TIME_S, TIME_US, PROTOCOL, AGENT_ID,
	PAYLOAD = 15, CORRELATION = 17, NODE_NAME = 19,
};
#define FAMILY_IP4 2u
#define FAMILY_IP6 10u
#define PROTOCOL_SIP 1u

static void be(struct buf *b, uint32_t n, unsigned octets)
{
	while (octets-- > 0)
		buf_putc(b, (char)(n >> (8 * octets) & 0xff));
}

static void chunk(struct buf *b, enum chunk type, struct str value)
{
	be(b, 0, 2);
	be(b, type, 2);
	be(b, (uint32_t)(CHUNK_HEAD + value.l), 2);
	buf_put(b, value);
}

static void number(struct buf *b, enum chunk type, uint32_t n, unsigned octets)
{
	be(b, 0, 2);
	be(b, type, 2);
	be(b, CHUNK_HEAD + octets, 2);
	be(b, n, octets);
}

static struct str ip_of(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 ? str_make((const char *)&a->in6.sin6_addr, 16) : str_make((const char *)&a->in4.sin_addr, 4);
}

void hep_write(const struct captured *c, uint32_t agent_id, const char *nf, struct buf *out)
{
	bool six = c->src.sa.sa_family == AF_INET6;
	size_t start = out->l;

	if (c->wire.l > HEP_MAX_BYTES - 512) {
		out->failed = true;
		return;
	}
	buf_puts(out, "HEP3");
	be(out, 0, 2);
	number(out, IP_FAMILY, six ? FAMILY_IP6 : FAMILY_IP4, 1);
	number(out, IP_PROTO, c->proto == SIP_UDP ? 17 : 6, 1);
	chunk(out, six ? SRC6 : SRC4, ip_of(&c->src));
	chunk(out, six ? DST6 : DST4, ip_of(&c->dst));
	number(out, SRC_PORT, addr_port(&c->src), 2);
	number(out, DST_PORT, addr_port(&c->dst), 2);
	number(out, TIME_S, (uint32_t)(c->wall_us / 1000000), 4);
	number(out, TIME_US, (uint32_t)(c->wall_us % 1000000), 4);
	number(out, PROTOCOL, PROTOCOL_SIP, 1);
	number(out, AGENT_ID, agent_id, 4);
	chunk(out, NODE_NAME, str_from_c(nf));
	if (c->icid.l && c->icid.l < 256)
		chunk(out, CORRELATION, c->icid);
	chunk(out, PAYLOAD, c->wire);
	if (out->failed)
		return;
	out->p[start + 4] = (char)((out->l - start) >> 8);
	out->p[start + 5] = (char)((out->l - start) & 0xff);
}
