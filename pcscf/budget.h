/* pcscf/budget.h - how much of a message a phone may fill: SEC-08.
 *
 * Signalling is carried on a bearer of its own that is often not charged; a phone that puts data of another kind into headers or bodies has a channel
 * for nothing.  What a phone sends is held against a budget per method: 413 for its body (RFC 3261 §21.4.11), 513 for its head (§21.5.7); an ACK
 * is dropped.  Emergency calls have none.  A response that is too large passes and is counted. */
#pragma once
#include "common/config/config.h"
#include "common/sip/msg.h"

struct budgets {
	uint32_t header_bytes[SIP_N_METHODS];		/* start line and headers */
	uint32_t body_bytes[SIP_N_METHODS];
};

void budget_read(struct budgets *b, const struct cfg_node *r);	/* access.budgets over the defaults */
void budget_check_config(const struct cfg_node *r, struct buf *errors);
void budget_init(void);						/* its metric */
/* 0, or the status that a request deserves; counted. */
unsigned budget_of_request(const struct budgets *b, const struct sip_msg *m);
void budget_of_response(const struct budgets *b, const struct sip_msg *m);	/* counted, no more */
