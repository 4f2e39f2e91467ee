/* common/transaction/refuse.h - error responses of our own, made and stamped in one place: row R18.
 *
 * Whoever reads a trace must see who said no, and why.  Each of them says in Response-Source (TS 24.229 §7.2.17) which
 * function it comes from, in Warning 399 (RFC 3261 §20.43) the reason, where the receiver may know it, and with Retry-After when
 * to come again, spread so that not all do at once.  It is counted and logged under the same words.  Who was found to be wrong while
 * the request's memory was short is told 500: the check may have lacked what it looked for. */
#pragma once
#include "common/transaction/tx.h"

#define REFUSAL_RETRY_SPREAD(s) ((s) / 2 + 1)		/* at most so much later */

struct refusal {
	unsigned status;
	const char *why;		/* a fixed phrase: Warning, log line, label of the figure, note in the trace */
	const char *reason;		/* phrase of the status line; NULL: the standard one */
	uint32_t retry_after_s;		/* at least; 0: no Retry-After */
	const char *side;		/* "orig", "term": whose side of the call this node stands on; NULL: not known */
	bool secret;			/* `why` is not for the receiver */
	bool quiet;			/* the caller has a log line of its own */
	size_t max_bytes;		/* without a transaction, to a sender that may be forged: a longer response leaves out all
					 * that may be, and is not sent when that is still too long.  0: no limit */
	bool forgeable;			/* of one that is let in: no 100 Trying, no timer G */
	struct str extra;		/* complete header lines */
	struct str content_type, body;
};

/* How a node stamps; texts borrowed, as long as the layer lives. */
struct tx_agent {
	struct str name;		/* warn-agent: host:port.  Empty: no Warning */
	const char *fe;			/* "s-cscf"; NULL: no Response-Source */
	/* Last word of the role, by what the request tells: side, secret.  May be NULL. */
	void (*judge)(void *u, const struct sip_msg *m, struct refusal *r);
	/* Figure, log and trace.  May be NULL. */
	void (*refused)(void *u, const struct sip_msg *m, const struct refusal *r);
	void *u;
};
void tx_layer_set_agent(struct tx_layer *l, const struct tx_agent *a);

void tx_refuse(struct tx_server *st, const struct refusal *r);
/* The same for the plain case. */
void tx_refuse_why(struct tx_server *st, unsigned status, const char *why);
/* Without a transaction: the response to `m`, to be sent to tx_response_flow().  NULL: too long, or out of memory. */
struct bytes *tx_refusal_make(struct tx_layer *l, const struct sip_msg *m, const struct refusal *r, struct str to_tag);
