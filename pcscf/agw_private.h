/* pcscf/agw_private.h - what the files of agw.h share: a session at a relay, and those that are to end. */
#pragma once
#include "common/metrics/metrics.h"
#include "pcscf/agw.h"

enum agw_op { AGW_NOTHING, AGW_OFFER, AGW_ANSWER };

struct agw_held {
	struct list link;
	struct proxy *p;		/* NULL: an ACK */
	struct proxy_branch *b;		/* NULL: a request that has not started */
	struct sip_msg *m;
	struct sip_out out;		/* of a response or an ACK */
	struct sip_flow flow;		/* of an ACK */
	bool has_flow;
	bool to_phone;			/* the way of the request */
	bool from_phone;		/* the way of this message */
	bool initial;			/* the INVITE that begins the call, or a response to it */
	bool asked, done;
	bool began;			/* the session began with it, at the relay that it is asked about */
	bool replay;			/* sdp is what that fork said before: the message has none */
	enum agw_op op;
	struct str sdp;			/* in the message, or in its arena */
	char tag[64];			/* of the fork: the callee's; empty: not known yet */
	uint32_t tried;			/* relays that failed for it, a bit each */
	uint64_t since_us;
};
struct agw_fork {
	char tag[64];
	bool late;			/* the last thing in it was an offer of the callee's in a response */
	char *sdp;			/* what the callee said last; NULL: nothing */
	size_t l;
};
/* The last thing that one side said and the relay heard: the same again is not asked about. */
struct agw_said {
	enum agw_op op;
	char tag[64];
	char *in, *out;
	size_t in_l, out_l;
};
struct agw_session {
	struct call *c;
	struct pcscf_worker *pw;
	char id[AGW_ID_BYTES];		/* at the relay that has it, or at the next one: each opening has its own */
	uint32_t n_left;		/* openings before this one */
	bool opened;			/* the relay may know it */
	bool kept;
	unsigned relay;
	int core_family;		/* of what the core said; 0: nothing yet */
	char final_tag[64];		/* of the dialog that counts */
	struct agw_said said[2];	/* by the core, by the phone */
	struct agw_fork fork[AGW_MAX_FORKS];
	unsigned n_forks;
	struct list held;
	unsigned n_held;
	struct ng_query *query;
	uint64_t questions, refused;
	char cause[NG_WHY_BYTES];	/* of the last failure */
	unsigned busy;			/* calls in progress: freed by the last one */
	bool dead;
};

/* A session that is over here and not yet at its relay. */
struct agw_end {
	struct list link;
	struct agw_worker *aw;
	char id[AGW_ID_BYTES];
	unsigned relay, tries;
	bool kept;			/* it has a record */
	struct timer timer;
	struct ng_query *query;
};
struct agw_worker {
	struct pcscf_worker *pw;
	struct ng_sockets *sockets;	/* NULL: a test's send */
	struct ng *ng;
	struct list ends;
	unsigned n_ends;
};

/* ---- agw.c ---- */
/* c->agw; NULL: out of memory.  id: of one that is restored, which had so many openings before; NULL: a new one. */
struct agw_session *agw_session_new(struct pcscf_worker *pw, struct call *c, const char *id, uint32_t n_left);
void agw_opened(struct agw_session *s, unsigned relay);		/* that relay has it from now on */
/* ---- agw_end.c ---- */
#define AGW_MAX_ENDS 20000u		/* of one worker; what is beyond ends by the relay's own timers */
/* Told to end it after so long, again and again until it has; out of memory: its own timers do. */
void agw_end_at(struct agw_worker *aw, unsigned relay, const char *id, bool kept, uint32_t after_ms);
void agw_ends_free(struct agw_worker *aw);			/* their records stay */
/* ---- agw_stored.c ---- */
void agw_keep(struct agw_session *s);
void agw_keep_left(struct agw_session *s);	/* the call is about to leave it for another one: after a restart it is only ended */
void agw_forget(struct pcscf_worker *pw, const char *id);
