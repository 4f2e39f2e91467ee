/* common/sip/hdr.c - header names to ids: a perfect hash over the octets at both ends, then one case-blind compare.
 *
 * The table is made from the list in hdr.h before main(), with the first multiplier that puts every name into a slot of its own. */
#include "common/sip/hdr_private.h"

static const struct {
	struct str name;
	char compact;
} table[SIP_N_HDRS] = {
	[SIP_H_OTHER] = { { NULL, 0 }, 0 },
#define X(id, nm, c) [id] = { { nm, sizeof(nm) - 1 }, c },
	SIP_HDR_TABLE(X)
#undef X
};

struct hdr_slot hdr_slots[1u << HDR_SLOT_BITS];
uint8_t hdr_compact[128];
uint64_t hdr_multiplier;

static bool fill(void)
{
	memset(hdr_slots, 0, sizeof(hdr_slots));
	for (unsigned i = 1; i < SIP_N_HDRS; i++) {
		struct str name = table[i].name;
		struct hdr_ends e = hdr_ends(name);
		struct hdr_slot *s = &hdr_slots[hdr_slot_of(e, name.l)];

		if (s->id)
			return false;
		*s = (struct hdr_slot){ .ends = e, .blind = { (e.a & HDR_LETTER) >> 1, (e.b & HDR_LETTER) >> 1 }, .name = name,
					.id = i };
	}
	return true;
}

static void __attribute__((constructor)) build(void)
{
	for (hdr_multiplier = UINT64_C(0x9e3779b97f4a7c15); !fill();)
		hdr_multiplier = hdr_multiplier * UINT64_C(6364136223846793005) + 1442695040888963407;
	for (unsigned i = 1; i < SIP_N_HDRS; i++)
		if (table[i].compact)
			hdr_compact[(unsigned char)table[i].compact] = (uint8_t)i;
}

enum sip_hdr_id sip_hdr_id_from_name(struct str name)
{
	return hdr_id(name);
}

struct str sip_hdr_name(enum sip_hdr_id id)
{
	return table[id].name;
}
