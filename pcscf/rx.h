/* pcscf/rx.h - what rx.c and rx_peer.c share: the Rx sessions of a worker. */
#pragma once
#include <arpa/inet.h>
#include "common/diameter/rx.h"
#include "pcscf/policy.h"

struct rx_session {
	struct hnode node;
	struct list link;
	struct pcscf_worker *pw;
	bool over;			/* the end is under way */
	struct call *call;		/* that it is for; NULL: the signalling of a registration, or it is over */
	struct hnode by_phone;		/* rx_sessions.by_phone, of a registration's */
	bool signalling, agreed;
	struct binding *b;		/* a reference */
	char id[RX_SESSION_ID_BYTES];
	char peer_host[256], peer_realm[256];	/* of the PCRF that answered; empty: none yet */
	bool asked;			/* an AAR has left */
	bool unanswered;		/* nobody knows what became of one */
	unsigned outstanding;		/* requests without an answer */
	unsigned tries;			/* of STR */
	bool kept;			/* as it is now, in the store */
	struct timer retry;
	uint32_t ip_can, rat;		/* TS 29.212 §5.3.27, §5.3.31 */
	char charging_id[64];		/* hexadecimal; empty: none */
	char charging_ip[INET6_ADDRSTRLEN + 2];	/* IPv6 in brackets; empty: not told yet.  Either may come without the other */
};
struct rx_sessions {			/* of one worker */
	struct htab by_id, by_phone;
	struct list all;
};
struct rx_session *rx_find(struct rx_sessions *t, struct str id);
struct str rx_realm(const struct rx_session *s);
/* rx_signalling.c: the session of a registration, TS 29.214 §4.4.5.  At the worker of the private identity. */
void rx_signalling_registered(struct pcscf_worker *pw, struct binding *b);
void rx_signalling_ended(struct pcscf_worker *pw, const struct binding *b);
void rx_signalling_lost(struct rx_session *s, const char *why);

/* rx.c, for it */
struct rx_session *rx_session_new(struct pcscf_worker *pw, struct binding *b, struct str id);	/* id empty: a new one */
void rx_signalling_begin(struct rx_session *s);
/* rx_stored.c: what the PCRF may have, over a restart. */
void rx_session_keep(struct rx_session *s);
void rx_session_forget(const struct rx_session *s);
int rx_restore(struct pcscf *p, struct store *store);
bool rx_session_ask(struct rx_session *s, struct rx_aar *r, uint64_t number);	/* fills in what every AAR has */
void rx_session_end(struct rx_session *s);
void rx_session_end_later(struct rx_session *s, uint64_t ms);	/* one that the PCRF may have: STR after that time */
void rx_take_access(struct rx_session *s, const struct rx_access *x);
