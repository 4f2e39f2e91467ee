/* pcscf/call.h - a phone's part in a call, as policy control and call records need it: TS 24.229 §5.2.7, TS 29.214 §4.4.
 *
 * A call belongs to the worker of its Call-ID, one for each phone of ours in it: it is found by Call-ID and binding.  It stands from
 * the INVITE until BYE, failure, expiry or release.  Kept only for policy control, media relays and call records (pcscf_worker.calls):
 * without, nothing is stored.  What it takes to end a call is in session.h. */
#pragma once
#include "pcscf/pcscf.h"

#define CALL_MAX_DIALOGS 4u		/* answers of a forked INVITE; a BYE of one more ends nothing */

enum call_state { CALL_EARLY, CALL_CONFIRMED };
struct policy_session;
struct agw_session;
struct call_dialog {
	struct str callee_tag;
	bool over;
};
struct call {
	struct hnode by_call, by_phone;
	struct list link;		/* calls.all */
	struct calls *cs;
	struct binding *b;		/* the phone, as it was at the INVITE: a reference */
	bool ue_called;			/* the phone is the callee */
	enum call_state state;
	struct proxy *invite;		/* the INVITE that makes it, while that is open */
	struct arena *a;		/* the texts below */
	uint64_t key;			/* random: its record's */
	uint64_t ends_ms;		/* of the wheel: when its life is over */
	struct str call_id, icid;
	struct timer life;
	uint64_t id;			/* in order of age */
	uint64_t started_wall_us, answered_wall_us;
	unsigned status;		/* the final one; 0: none yet */
	struct str from, to;		/* URIs of the INVITE */
	struct str caller_tag;
	struct call_dialog dialog[CALL_MAX_DIALOGS];
	unsigned n_dialogs;
	char bye_tag[64];		/* of the callee whose BYE has overtaken its 2xx; empty: none */
	bool emergency;
	struct str service;		/* of an emergency call: "sos.fire" */
	struct str priority;		/* Resource-Priority of the INVITE; empty: none */
	struct policy_session *policy;	/* policy.c; NULL: nobody is asked for this call */
	struct agw_session *agw;	/* agw.c; NULL: its media go as they are */
};
struct calls;
struct calls *calls_new(struct pcscf_worker *pw, uint32_t max, uint32_t max_age_s);
void calls_free(struct calls *cs);		/* what can be taken up again stays in the store */
/* Each of them, in order of age; fn may end the one it is given. */
void calls_each(struct calls *cs, void (*fn)(void *arg, struct call *c), void *arg);
struct worker *call_worker(const struct call *c);
void call_keep(const struct call *c);		/* call_stored.c: it, or what policy control has of it, has changed */

/* From forward.c.  An INVITE that begins a call of r->b is about to go.  false: it ought to be kept, but the table is full or there is no
 * memory; counted and logged. */
bool call_begin(struct pcscf_req *r, struct proxy *p, bool to_phone);
struct call *call_find(struct calls *cs, struct str call_id, uint64_t binding_id);	/* or NULL */
/* A 2xx to INVITE or UPDATE passes.  false: its BYE has been here before it, the call is over and c gone. */
bool call_answered(struct call *c, const struct sip_msg *req, const struct sip_msg *m);
/* A BYE passes.  true: of a dialog that is answered, by its tags. */
bool call_bye(struct call *c, const struct sip_msg *m);
/* The answered dialog that this request is in is over; the last one ends the call, and c is gone.  Tags of no dialog: nothing. */
void call_dialog_over(struct call *c, const struct sip_msg *req, const char *why);
/* The INVITE is over; status: its final response, 0 when that is known already or there is none. */
void call_invite_over(struct call *c, unsigned status);
/* It ends, for the reason given (a fixed phrase): policy is told; c is gone. */
void call_end(struct call *c, const char *why);
/* Ends it for both ends: BYE, or a final response with `status` and CANCEL while nobody has answered.  reason: a value of Reason
 * (RFC 3326).  c is gone. */
void call_release(struct call *c, unsigned status, const char *why, struct str reason);

/* session.c releases that call of a phone (0: of every phone on this worker).  cs NULL: nothing is kept. */
void calls_over(struct calls *cs, struct str call_id, uint64_t binding_id, const char *why);
/* The registration has ended, and with it the way to its calls; on every worker.  Emergency calls stay. */
void calls_phone_gone(struct pcscf_worker *pw, uint64_t binding_id);
