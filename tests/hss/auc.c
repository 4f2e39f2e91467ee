/* tests/hss/auc.c - the authentication centre.  TS 33.102 §6.3, annex C. */
#include <errno.h>
#include "common/util/rand.h"
#include "tests/hss/auc.h"

#define IND_BITS 5u
#define IND_MASK ((1u << IND_BITS) - 1)
#define RAND_TRIES 64			/* 3.1 % of RES have a zero octet: this many in a row do not happen */

uint64_t auc_sqn_next(uint64_t last)
{
	uint64_t seq = (last >> IND_BITS) + 1, ind = (last + 1) & IND_MASK;

	return (seq << IND_BITS | ind) & AUC_SQN_MAX;
}

static void put_sqn(uint64_t n, uint8_t s[6])
{
	for (int i = 5; i >= 0; i--, n >>= 8)
		s[i] = (uint8_t)n;
}

static uint64_t get_sqn(const uint8_t s[6])
{
	uint64_t n = 0;

	for (int i = 0; i < 6; i++)
		n = n << 8 | s[i];
	return n;
}

void auc_vector(struct sub *b, bool zero_in_res, struct aka_vector *ret)
{
	uint8_t rand[16], sqn[6];
	int tries = 0;

	b->d.sqn = auc_sqn_next(b->d.sqn);
	put_sqn(b->d.sqn, sqn);
	do {
		rand_bytes(rand, sizeof(rand));
		aka_vector_make(b->k, b->opc, rand, sqn, b->amf, ret);
	} while (!zero_in_res && memchr(ret->xres, 0, ret->xres_len) && ++tries < RAND_TRIES);
}

int auc_resync(struct sub *b, struct str rand_auts)
{
	const uint8_t *p = (const uint8_t *)rand_auts.p;
	uint8_t sqn[6];
	uint64_t ms;

	if (rand_auts.l != AUC_RESYNC_BYTES)
		return -EBADMSG;
	if (aka_auts_check(b->k, b->opc, p, p + 16, sqn) < 0)
		return -EPERM;
	ms = get_sqn(sqn);
	/* An old AUTS that comes again must not take the counter back. */
	if (b->d.sqn >> IND_BITS <= ms >> IND_BITS)
		b->d.sqn = ms;
	return 0;
}
