/* tests/ue/usim.c - the card in the phone.  TS 33.102 §6.3.3, §C.2. */
#include <errno.h>
#include "tests/ue/usim.h"

#define NONCE_MAX_BYTES 256

void usim_init(struct usim *s, const uint8_t k[16], const uint8_t opc[16], uint64_t sqn)
{
	memcpy(s->k, k, 16);
	memcpy(s->opc, opc, 16);
	s->highest = sqn;
	for (int i = 0; i < USIM_INDICES; i++)
		s->seen[i] = sqn;
}

int usim_nonce(struct str nonce, uint8_t ret_rand[16], uint8_t ret_autn[16])
{
	uint8_t raw[NONCE_MAX_BYTES];
	size_t n;

	if (base64_decode(nonce, false, raw, sizeof(raw), &n) < 0 || n < 32)
		return -EBADMSG;
	memcpy(ret_rand, raw, 16);
	memcpy(ret_autn, raw + 16, 16);
	return 0;
}

int usim_challenge(struct usim *s, const uint8_t rand[16], const uint8_t autn[16], struct milenage_out *ret, uint8_t ret_auts[14])
{
	uint64_t sqn = 0, mark;
	int rc = aka_usim(s->k, s->opc, rand, autn, &sqn, ret, ret_auts);	/* zero: only the MAC decides, or SQN is 0 */

	if (rc == -EPERM)
		return rc;
	if (rc == 0 && sqn > s->seen[sqn % USIM_INDICES]) {			/* §C.2.2 */
		s->seen[sqn % USIM_INDICES] = sqn;
		if (sqn > s->highest)
			s->highest = sqn;
		return 0;
	}
	mark = s->highest;			/* not below any of seen[]: stale for certain, and SQN_MS of the AUTS */
	return aka_usim(s->k, s->opc, rand, autn, &mark, ret, ret_auts);
}
