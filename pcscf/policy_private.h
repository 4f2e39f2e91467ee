/* pcscf/policy_private.h - what the files of policy control share: the session of one call. */
#pragma once
#include "pcscf/policy.h"
#include "pcscf/sdp_policy.h"

struct held {
	struct list link;
	struct proxy *p;		/* NULL: an ACK, which has gone; only its answer is here */
	struct proxy_branch *b;		/* NULL: a request that has not started */
	struct sip_msg *m;
	struct sip_out out;
	struct media_set *want;		/* NULL: nothing to ask about */
	char tag[64];			/* of the dialog that `want` belongs to */
	bool final;			/* of a 2xx, or in a confirmed call */
	bool initial;			/* of the INVITE that makes the call */
	bool by_phone;			/* ours sent it */
	bool asked;
	uint64_t since_us;
};
struct late_offer {
	char tag[64];
	char *sdp;
	size_t l;
};
struct policy_session {
	struct call *c;
	struct pcscf_worker *pw;
	const struct policy_backend *backend;
	void *peer;			/* the backend's */
	struct media_set have;		/* what the peer has agreed to */
	struct media_set without;	/* what goes on without it: not asked again */
	char without_tag[64];
	uint64_t without_number;	/* of the question that nobody has answered about it; 0: it was answered, or never asked */
	bool opened, agreed, several;	/* asked once; agreed to once; told that there are several early dialogs */
	bool ue_called;
	char have_tag[64];		/* the dialog that `have` is of */
	struct list held;
	unsigned n_held, tries;
	uint64_t waiting;		/* for the answer to that question; 0: for none */
	struct timer budget;
	struct media_set asked;
	struct late_offer late[POLICY_MAX_LATE_OFFERS];
	char cause[POLICY_CAUSE_BYTES];	/* of the last verdict */
	char location[POLICY_LOCATION_BYTES], charging[CHARGING_ACCESS_BYTES];
	uint64_t questions, refused;
	unsigned busy;			/* calls in progress: freed by the last one */
	bool dead;
};

/* ---- policy_offer.c: offers, answers, and what they mean ---- */
/* The components of an offer with its answer, those that somebody is asked about; NULL: it cannot be read, or out of memory. */
struct media_set *policy_agree(const struct policy_session *s, struct str offer, struct str answer, bool ue_offered);
/* The answer that this response brings to an offer in its request (both as the phone sees them: what is sent to it is in the plan); NULL:
 * none.  An offer in it is kept until its answer. */
struct media_set *policy_answer_in(struct policy_session *s, const struct sip_out *request, const struct sip_out *response, bool to_phone);
/* The answer that a PRACK or ACK brings to an offer in a response; tag: of the far end's dialog.  NULL: none. */
struct media_set *policy_late_answer(struct policy_session *s, struct sip_msg *m, const struct sip_out *o, struct str tag, bool to_phone);
void policy_forget_offers(struct policy_session *s);
/* ---- policy.c ---- */
struct policy_session *policy_session_new(struct pcscf_worker *pw, struct call *c);	/* c->policy; NULL: nobody is asked, or out of memory */
