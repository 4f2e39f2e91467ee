/* common/trace/pcapng.c - messages as raw IP packets in a pcapng section. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/trace/capture.h"

#define LINKTYPE_RAW 101u		/* the packet begins with its IP header */
#define SEGMENT_BYTES 16384u		/* of a stream in one packet */
#define DATAGRAM_BYTES 65507u
#define MAX_STREAMS 256u		/* connections whose sequence numbers are known; then they begin anew */

struct stream {
	struct addr src, dst;
	uint32_t next;			/* sequence number of src's next octet */
};

struct pcapng {
	struct buf *out;
	char nf[16];
	struct stream stream[MAX_STREAMS];
	unsigned n_streams;
};

/* ---- numbers: blocks in the writer's order (little-endian here), packets in the network's ---- */

static void le16(struct buf *b, uint16_t n)
{
	buf_putc(b, (char)(n & 0xff));
	buf_putc(b, (char)(n >> 8));
}

static void le32(struct buf *b, uint32_t n)
{
	le16(b, (uint16_t)(n & 0xffff));
	le16(b, (uint16_t)(n >> 16));
}

static void be16(uint8_t *p, unsigned n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
}

static void be32(uint8_t *p, uint32_t n)
{
	be16(p, n >> 16);
	be16(p + 2, n & 0xffff);
}

static void pad(struct buf *b, size_t l)
{
	for (; l % 4; l++)
		buf_putc(b, '\0');
}

static void option(struct buf *b, uint16_t code, struct str value)
{
	le16(b, code);
	le16(b, (uint16_t)value.l);
	buf_put(b, value);
	pad(b, value.l);
}

/* ---- packets ---- */

static uint32_t sum(uint32_t s, const void *data, size_t l)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < l; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	if (l % 2)
		s += (uint32_t)p[l - 1] << 8;
	return s;
}

static uint16_t folded(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static size_t ip_of(const struct addr *a, const uint8_t **ret)
{
	*ret = a->sa.sa_family == AF_INET6 ? a->in6.sin6_addr.s6_addr : (const uint8_t *)&a->in4.sin_addr;
	return a->sa.sa_family == AF_INET6 ? 16 : 4;
}

/* Of the transport header and payload with the pseudo header (RFC 768, RFC 8200 §8.1). */
static uint16_t checksum(const struct captured *c, uint8_t proto, const uint8_t *h, size_t hl, struct str payload)
{
	const uint8_t *src, *dst;
	size_t l = ip_of(&c->src, &src);
	uint32_t s;

	ip_of(&c->dst, &dst);
	s = sum(sum(0, src, l), dst, l) + proto + (uint32_t)(hl + payload.l);
	return folded(sum(sum(s, h, hl), payload.p, payload.l));
}

static size_t ip_header(const struct captured *c, uint8_t proto, size_t payload, uint8_t h[40])
{
	const uint8_t *src, *dst;
	size_t l = ip_of(&c->src, &src);

	ip_of(&c->dst, &dst);
	memset(h, 0, 40);
	if (l == 16) {
		h[0] = 0x60;
		be16(h + 4, (unsigned)payload);
		h[6] = proto;
		h[7] = 64;
		memcpy(h + 8, src, 16);
		memcpy(h + 24, dst, 16);
		return 40;
	}
	h[0] = 0x45;
	be16(h + 2, (unsigned)payload + 20);
	h[6] = 0x40;				/* do not fragment */
	h[8] = 64;
	h[9] = proto;
	memcpy(h + 12, src, 4);
	memcpy(h + 16, dst, 4);
	be16(h + 10, folded(sum(0, h, 20)));
	return 20;
}

static void packet(struct pcapng *p, const struct captured *c, uint8_t proto, const uint8_t *th, size_t tl, struct str payload)
{
	static const char *const ways[] = { [SIP_UDP] = "UDP", [SIP_TCP] = "TCP", [SIP_TLS] = "TLS, taken out of it" };
	uint8_t ih[40];
	size_t il = ip_header(c, proto, tl + payload.l, ih), l = il + tl + payload.l, comment, block;
	char text[96];

	snprintf(text, sizeof(text), "%s by %s over %s", c->sent ? "sent" : "received", p->nf, ways[c->proto]);
	comment = strlen(text);
	block = 32 + ((l + 3) & ~(size_t)3) + 4 + ((comment + 3) & ~(size_t)3) + 4;
	le32(p->out, 6);			/* enhanced packet block */
	le32(p->out, (uint32_t)block);
	le32(p->out, 0);			/* the interface */
	le32(p->out, (uint32_t)(c->wall_us >> 32));
	le32(p->out, (uint32_t)c->wall_us);
	le32(p->out, (uint32_t)l);
	le32(p->out, (uint32_t)l);
	buf_put(p->out, str_make((const char *)ih, il));
	buf_put(p->out, str_make((const char *)th, tl));
	buf_put(p->out, payload);
	pad(p->out, l);
	option(p->out, 1, str_from_c(text));	/* opt_comment */
	le32(p->out, 0);			/* opt_endofopt */
	le32(p->out, (uint32_t)block);
}

static void datagram(struct pcapng *p, const struct captured *c)
{
	struct str payload = str_head(c->wire, c->wire.l < DATAGRAM_BYTES ? c->wire.l : DATAGRAM_BYTES);
	uint16_t s;
	uint8_t h[8] = { 0 };

	be16(h, addr_port(&c->src));
	be16(h + 2, addr_port(&c->dst));
	be16(h + 4, (unsigned)payload.l + 8);
	s = checksum(c, 17, h, sizeof(h), payload);
	be16(h + 6, s ? s : 0xffff);
	packet(p, c, 17, h, sizeof(h), payload);
}

static struct stream *stream_of(struct pcapng *p, const struct addr *src, const struct addr *dst)
{
	struct stream *s;

	for (unsigned i = 0; i < p->n_streams; i++)
		if (addr_eq(&p->stream[i].src, src) && addr_eq(&p->stream[i].dst, dst))
			return &p->stream[i];
	if (p->n_streams == MAX_STREAMS)
		p->n_streams = 0;
	s = &p->stream[p->n_streams++];
	*s = (struct stream){ *src, *dst, 1 };
	return s;
}

static void segments(struct pcapng *p, const struct captured *c)
{
	struct str rest = c->wire;

	while (rest.l) {
		struct str one = str_head(rest, rest.l < SEGMENT_BYTES ? rest.l : SEGMENT_BYTES);
		uint32_t ack = stream_of(p, &c->dst, &c->src)->next;
		struct stream *s = stream_of(p, &c->src, &c->dst);
		uint8_t h[20] = { 0 };

		be16(h, addr_port(&c->src));
		be16(h + 2, addr_port(&c->dst));
		be32(h + 4, s->next);
		be32(h + 8, ack);
		h[12] = 5 << 4;
		h[13] = 0x18;			/* PSH, ACK */
		be16(h + 14, 65535);
		be16(h + 16, checksum(c, 6, h, sizeof(h), one));
		packet(p, c, 6, h, sizeof(h), one);
		s->next += (uint32_t)one.l;
		rest = str_from(rest, one.l);
	}
}

void pcapng_add(struct pcapng *p, const struct captured *c)
{
	if (c->src.sa.sa_family != c->dst.sa.sa_family || !addr_is_set(&c->src))
		return;				/* cannot be shown as a packet */
	if (c->proto == SIP_UDP)
		datagram(p, c);
	else
		segments(p, c);
}

struct pcapng *pcapng_new(struct buf *out, const char *nf)
{
	struct pcapng *p = calloc(1, sizeof(*p));
	struct str name = str_from_c(nf);
	size_t l = 20 + 4 + ((name.l + 3) & ~(size_t)3) + 4 + 4 + 4;

	if (!p)
		return NULL;
	p->out = out;
	snprintf(p->nf, sizeof(p->nf), "%s", nf);
	le32(out, 0x0a0d0d0a);			/* section header block */
	le32(out, 28);
	le32(out, 0x1a2b3c4d);
	le16(out, 1);
	le16(out, 0);
	le32(out, UINT32_MAX);			/* its length is not known */
	le32(out, UINT32_MAX);
	le32(out, 28);
	le32(out, 1);				/* interface description block */
	le32(out, (uint32_t)l);
	le16(out, LINKTYPE_RAW);
	le16(out, 0);
	le32(out, 0);
	option(out, 2, name);			/* if_name */
	option(out, 9, STR("\x06"));		/* if_tsresol: microseconds */
	le32(out, 0);
	le32(out, (uint32_t)l);
	return p;
}

void pcapng_free(struct pcapng *p)
{
	free(p);
}
