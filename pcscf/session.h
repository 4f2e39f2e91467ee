/* pcscf/session.h - calls that pass, as far as it takes to end them by ourselves: TS 24.229 §5.2.8; row P19, SEC-07.
 *
 * A session belongs to the worker of its Call-ID.  It keeps who is at both ends, the way to them and the CSeq there: what a BYE of
 * ours needs (common/dialog/ends.h).  A call that is not answered yet is a struct ringing, within who forwards its INVITE.
 *
 *	session.c		which there are, what passes in them
 *	session_release.c	ended by us
 *	session_stored.c	over a restart
 *	ringing.c		those that nobody has answered */
#pragma once
#include "common/util/hash.h"
#include "pcscf/pcscf.h"

struct sessions;
struct sessions *sessions_new(struct pcscf_worker *pw);
void sessions_free(struct sessions *ss);		/* their records stay */

struct session_answer {			/* a 2xx to an initial INVITE */
	const struct sip_msg *invite, *answer;	/* as they came */
	struct str icid;			/* of the INVITE; may be empty */
	uint64_t binding_id;			/* of the phone's side; 0: a phone that we do not know */
	bool phone_called;			/* the phone is the one that is called */
	bool emergency;				/* outlives the registration */
	unsigned n_record_routes;		/* our values in it */
};
void session_answered(struct sessions *ss, const struct session_answer *a);	/* again for a retransmission: no matter */
/* binding_id: whose leg it is, for a call between two phones of ours passes twice with the same tags; 0: not known. */
void session_request(struct sessions *ss, const struct sip_msg *m, uint64_t binding_id);	/* within a dialog, whoever sent it */
/* A 2xx to INVITE or UPDATE. */
void session_refreshed(struct sessions *ss, const struct sip_msg *req, const struct sip_msg *answer, uint64_t binding_id);
void session_over(struct sessions *ss, const struct sip_msg *bye, uint64_t binding_id);	/* it has passed, or was never answered */
/* That call of the phone is answered and nothing of it rings any more, and these tags are of no dialog of it. */
bool session_is_foreign(const struct sessions *ss, const struct sip_msg *m, uint64_t binding_id);
/* Where the phone of that dialog called from, when it has no registration (an emergency call).  false: not known. */
bool session_caller_flow(struct sessions *ss, const struct sip_msg *m, struct sip_flow *ret);
/* That leg is answered and is not about to be released. */
bool session_goes_on(const struct sessions *ss, struct str call_id, uint64_t binding_id);
/* The ICID of the call that this request is within, answered or not, at that phone (0: any).  Borrowed; empty: none of ours. */
struct str session_icid(const struct sessions *ss, const struct sip_msg *m, uint64_t binding_id);
size_t sessions_count(const struct sessions *ss);

struct ringing {
	struct list link;
	struct hnode by_call;
	struct timer timer;
	struct str icid;		/* borrowed, as b */
	struct sessions *ss;
	struct proxy *p;		/* NULL: over */
	struct binding *b;		/* borrowed from who embeds this; NULL: unknown phone, nothing ends with it */
	bool emergency, limited;	/* limited: it counts for its originator once it has hung for a while */
	bool hangs, counted;
};
/* An initial INVITE goes out.  false: its originator has too many that hang unanswered (access.max_early_calls). */
bool ringing_begin(struct sessions *ss, struct ringing *g, struct proxy *p, struct binding *b, bool from_phone, bool emergency,
		   struct str icid);
void ringing_end(struct ringing *g);			/* answered, or gone; harmless again */

/* The calls of a phone whose registration, or whose way to it, has ended: on every worker.  BYE both ways or, where nobody has
 * answered, CANCEL and 503.  why: a fixed phrase, into Reason.  Emergency calls stay. */
void pcscf_release_phone(struct pcscf_worker *pw, struct binding *b, const char *why);
/* All dialogs of a Call-ID of this worker, each leg by itself.  How many; 0: there are none. */
unsigned sessions_release_call(struct sessions *ss, struct str call_id, const char *why);
/* The same for those that are answered: who still rings hears BYE behind the 200.  binding_id: the leg of one phone, 0: all.
 * reason: a value of Reason, empty: made of why. */
unsigned sessions_release_answered(struct sessions *ss, struct str call_id, uint64_t binding_id, const char *why, struct str reason);
