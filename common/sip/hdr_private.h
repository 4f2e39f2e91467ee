/* common/sip/hdr_private.h - the look-up of a header's name, for those who do it for every line.  Private to common/sip. */
#pragma once
#include "common/sip/hdr.h"

#define HDR_SLOT_BITS 10u
#define HDR_CASE UINT64_C(0x2020202020202020)	/* bit 5 tells letters of one case from those of the other */
#define HDR_LETTER UINT64_C(0x4040404040404040)	/* bit 6 tells our letters from digits and '-' */

struct hdr_ends {			/* the first and the last octets of a name; they overlap in a short one */
	uint64_t a, b;
};
struct hdr_slot {
	struct hdr_ends ends, blind;	/* blind: the bits that make no difference */
	struct str name;		/* empty: nobody's slot */
	uint64_t id;
	uint64_t fill;			/* a power of two: cheap to find */
};
/* Constant since before main(). */
extern struct hdr_slot hdr_slots[1u << HDR_SLOT_BITS];
extern uint8_t hdr_compact[128];
extern uint64_t hdr_multiplier;

/* Two octets or more. */
static inline struct hdr_ends hdr_ends(struct str n)
{
	struct hdr_ends e = { 0 };

	if (n.l >= 8) {
		memcpy(&e.a, n.p, 8);
		memcpy(&e.b, n.p + n.l - 8, 8);
	} else if (n.l >= 4) {
		memcpy(&e.a, n.p, 4);
		memcpy(&e.b, n.p + n.l - 4, 4);
	} else {
		memcpy(&e.a, n.p, 2);
		memcpy(&e.b, n.p + n.l - 2, 2);
	}
	return e;
}

static inline size_t hdr_slot_of(struct hdr_ends e, size_t length)
{
	uint64_t h = ((e.a << 8 | e.a >> 56) ^ e.b) | HDR_CASE;

	return (h + length) * hdr_multiplier >> (64 - HDR_SLOT_BITS);
}

/* What lies between the ends of a long name: `name` is ours. */
static inline bool hdr_same_middle(struct str name, struct str s)
{
	for (size_t i = 8; i + 8 < s.l; i += 8) {
		uint64_t a, b;

		memcpy(&a, name.p + i, 8);
		memcpy(&b, s.p + i, 8);
		if ((a ^ b) & ~((a & HDR_LETTER) >> 1))
			return false;
	}
	return true;
}

static inline enum sip_hdr_id hdr_id(struct str name)
{
	const struct hdr_slot *s;
	struct hdr_ends e;

	if (name.l < 2) {
		unsigned char c = name.l ? (unsigned char)name.p[0] | 0x20 : 0;

		return c < 128 ? (enum sip_hdr_id)hdr_compact[c] : SIP_H_OTHER;
	}
	e = hdr_ends(name);
	s = &hdr_slots[hdr_slot_of(e, name.l)];
	if (s->name.l != name.l || ((e.a ^ s->ends.a) & ~s->blind.a) || ((e.b ^ s->ends.b) & ~s->blind.b))
		return SIP_H_OTHER;
	if (name.l > 16 && !hdr_same_middle(s->name, name))
		return SIP_H_OTHER;
	return (enum sip_hdr_id)s->id;
}
