/* common/sip/hdr.c - header names to ids: a small open table keyed by length and three letters, built from the list
 * in hdr.h before main(), then one case-blind compare. */
#include "common/sip/hdr.h"

static const struct {
	struct str name;
	char compact;
} table[SIP_N_HDRS] = {
	[SIP_H_OTHER] = { { NULL, 0 }, 0 },
#define X(id, nm, c) [id] = { { nm, sizeof(nm) - 1 }, c },
	SIP_HDR_TABLE(X)
#undef X
};

#define SLOTS 1024u
static uint8_t slots[SLOTS];
static uint8_t compact[128];

static unsigned key(struct str n)
{
	unsigned a = (unsigned char)n.p[0] | 0x20, b = (unsigned char)n.p[n.l - 1] | 0x20,
		 c = (unsigned char)n.p[n.l / 2] | 0x20;

	return (unsigned)(n.l * 131 + a * 31 + b * 1009 + c * 7) % SLOTS;
}

static void __attribute__((constructor)) build(void)
{
	for (unsigned i = 1; i < SIP_N_HDRS; i++) {
		unsigned k = key(table[i].name);

		while (slots[k])
			k = (k + 1) % SLOTS;
		slots[k] = (uint8_t)i;
		if (table[i].compact)
			compact[(unsigned char)table[i].compact] = (uint8_t)i;
	}
}

/* Octets of `name` (ours: letters, digits, '-') and `s` may differ in bit 5 where ours has bit 6, a letter. */
static uint64_t differ(const char *name, const char *s)
{
	uint64_t a, b;

	memcpy(&a, name, sizeof(a));
	memcpy(&b, s, sizeof(b));
	return (a ^ b) & ~((a & UINT64_C(0x4040404040404040)) >> 1);
}

/* Eight octets at a time; the last step overlaps. */
static bool same(struct str name, struct str s)
{
	if (name.l != s.l)
		return false;
	if (s.l < sizeof(uint64_t))
		return str_ieq(name, s);
	for (size_t i = 0; i + sizeof(uint64_t) < s.l; i += sizeof(uint64_t))
		if (differ(name.p + i, s.p + i))
			return false;
	return differ(name.p + s.l - sizeof(uint64_t), s.p + s.l - sizeof(uint64_t)) == 0;
}

enum sip_hdr_id sip_hdr_id_from_name(struct str name)
{
	if (name.l == 0)
		return SIP_H_OTHER;
	if (name.l == 1) {
		unsigned char c = (unsigned char)name.p[0] | 0x20;

		return c < 128 ? (enum sip_hdr_id)compact[c] : SIP_H_OTHER;
	}
	for (unsigned k = key(name); slots[k]; k = (k + 1) % SLOTS)
		if (same(table[slots[k]].name, name))
			return (enum sip_hdr_id)slots[k];
	return SIP_H_OTHER;
}

struct str sip_hdr_name(enum sip_hdr_id id)
{
	return table[id].name;
}
