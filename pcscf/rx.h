/* pcscf/rx.h - what rx.c and rx_peer.c share: the Rx sessions of a worker. */
#pragma once
#include "common/diameter/rx.h"
#include "pcscf/policy.h"

struct rx_session {
	struct hnode node;
	struct list link;
	struct pcscf_worker *pw;
	struct call *call;		/* NULL: it is over, the end is under way */
	struct binding *b;		/* a reference */
	char id[RX_SESSION_ID_BYTES];
	char peer_host[256], peer_realm[256];	/* of the PCRF that answered; empty: none yet */
	bool asked;			/* an AAR has left */
	unsigned outstanding;		/* requests without an answer */
	unsigned tries;			/* of STR */
	struct timer retry;
	uint32_t ip_can, rat;		/* TS 29.212 §5.3.27, §5.3.31 */
	char charging_id[64];		/* hexadecimal; empty: none */
};
struct rx_sessions {			/* of one worker */
	struct htab by_id;
	struct list all;
};
struct rx_sessions *rx_sessions_new(void);
void rx_sessions_free(struct rx_sessions *t);	/* no STR is sent */
struct rx_session *rx_find(struct rx_sessions *t, struct str id);
struct str rx_realm(const struct rx_session *s);
void rx_take_access(struct rx_session *s, const struct rx_access *x);
