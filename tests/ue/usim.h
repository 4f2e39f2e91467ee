/* tests/ue/usim.h - the card in the phone: K, OPc and the sequence numbers it has seen.  TS 33.102 §6.3.3, annex C.2. */
#pragma once
#include "common/sip/auth.h"

#define USIM_INDICES 32			/* TS 33.102 §C.1.1.1: SQN = SEQ || IND, IND of five bits */

struct usim {
	uint8_t k[16], opc[16];
	uint64_t seen[USIM_INDICES];	/* highest SQN accepted per IND: vectors of one batch may come out of order */
	uint64_t highest;		/* SQN_MS of an AUTS */
};

void usim_init(struct usim *s, const uint8_t k[16], const uint8_t opc[16], uint64_t sqn);
/* RAND and AUTN out of an AKA nonce: RFC 3310 §3.2, server data behind them is ignored.  0 or -EBADMSG. */
int usim_nonce(struct str nonce, uint8_t ret_rand[16], uint8_t ret_autn[16]);
/* 0 and *ret; -EPERM: the network does not know K; -ESTALE: SQN is not fresh and ret_auts says where the card stands. */
int usim_challenge(struct usim *s, const uint8_t rand[16], const uint8_t autn[16], struct milenage_out *ret,
		   uint8_t ret_auts[14]);
