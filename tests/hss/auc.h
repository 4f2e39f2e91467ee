/* tests/hss/auc.h - the authentication centre: fresh vectors, resynchronisation, SIP Digest.  TS 33.102 §6.3, annex C. */
#pragma once
#include "tests/hss/subscribers.h"

#define AUC_SQN_MAX 0xffffffffffffull		/* 48 bits */
#define AUC_RESYNC_BYTES 30u			/* RAND || AUTS */

/* The SQN after `last`: SEQ and IND both step (TS 33.102 §C.1.2, IND of 5 bits, §C.3.4). */
uint64_t auc_sqn_next(uint64_t last);
/* One vector with a fresh SQN, which moves in `b`.  zero_in_res: a RES with a zero octet may come (clients.md 10: some
 * agents take RES for a C string; without it such a RAND is not used). */
void auc_vector(struct sub *b, bool zero_in_res, struct aka_vector *ret);
/* SIP-Authorization of a MAR, RAND || AUTS: checks MAC-S and moves the SQN to where the USIM is, unless ours is ahead of it
 * (TS 33.102 §6.3.5).  0, -EBADMSG (length), -EPERM (MAC-S; nothing moves). */
int auc_resync(struct sub *b, struct str rand_auts);
