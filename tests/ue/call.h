/* tests/ue/call.h - calls: call.c is what both directions share, call_out.c and call_in.c the two ways into one,
 * call_mid.c what happens within.  TS 24.229 §5.1.3, §5.1.4; RFC 3261 §13 to §15; RFC 3262, RFC 3311, RFC 3312. */
#pragma once
#include "tests/ue/ue.h"

#define CALL_MAX_LEGS 8			/* early dialogs of one INVITE */

enum call_state {
	CALL_CALLING,			/* out: INVITE sent */
	CALL_EARLY,			/* out: somebody answered provisionally */
	CALL_INCOMING,			/* in: not ringing yet, preconditions are open */
	CALL_RINGING,			/* in: 180 sent */
	CALL_ANSWERED,			/* in: 200 sent, ACK awaited */
	CALL_UP,
	CALL_OVER,
};

struct leg {				/* one dialog that an INVITE made */
	struct dialog *d;
	uint32_t rseq;			/* last reliable provisional, RFC 3262 §4; 0: none */
	bool took_sdp, updated;
};

struct call {
	struct list link;
	struct ue *u;
	unsigned refs;			/* the list until over, and each transaction */
	bool out;
	enum call_state state;
	uint64_t begun_ms;
	char *id;			/* Call-ID */
	struct sip_msg *invite;		/* as sent or received, the first one */
	struct leg leg[CALL_MAX_LEGS];
	unsigned n_legs;
	struct leg *at;			/* the leg that counts: answered, or the last that spoke */
	struct media media;
	struct session session;

	/* out */
	struct tx_client *ict;		/* an INVITE of ours is pending, re-INVITE too */
	bool cancelled;			/* locally, before the final */
	struct bytes *ack;		/* of the last 2xx, again for each copy */
	struct timer no_answer;

	/* in */
	struct tx_server *ist;		/* an INVITE of theirs is pending */
	bool rel_required, rel_ok;	/* 100rel: demanded, supported */
	bool sdp_sent;			/* our answer has gone in a reliable response */
	bool offer_ours;		/* their INVITE had no offer: ours is in the 2xx */
	bool answer_wanted;		/* as soon as the provisional is acknowledged */
	bool rel_pending;
	unsigned rel_status;
	uint32_t rseq;
	struct bytes *again;		/* reliable provisional, or 2xx: sent until acknowledged */
	uint32_t again_ms;
	struct timer again_timer, again_end, ring, reserve;

	/* within */
	struct tx_client *update;	/* an UPDATE of ours is pending */
	enum sdp_dir before;		/* a hold that is refused goes back to it */
	bool hold_wanted;
	struct timer glare;		/* 491: later again */
	bool held_by_remote;
};

/* call.c */
struct call *call_new(struct ue *u, bool out, struct str call_id);
struct call *call_ref(struct call *c);
void call_unref(struct call *c);
struct call *call_active(struct ue *u);			/* the one that is not over, or NULL */
struct call *call_find(struct ue *u, const struct sip_msg *m, struct leg **ret_leg);
struct leg *call_leg(struct call *c, const struct sip_msg *response);	/* found or made; NULL: not a dialog */
void call_over(struct call *c, const char *by, unsigned status, struct str reason);	/* event `ended` */
void call_dead(struct call *c);				/* without an event: it has been told */
cJSON *call_event(const struct call *c, const char *name);
uint32_t call_t1(const struct ue *u);
struct buf call_sdp_buf(void);
/* A request within the leg's dialog.  headers and body may be empty. */
struct tx_client *call_send(struct call *c, struct leg *l, const char *method, struct str headers, struct str sdp,
			    const struct tx_client_ops *ops);
void call_bye(struct call *c, struct leg *l, struct str reason);
void call_gone(void *user, struct tx_client *ct);	/* tx_client_ops.gone: drops the reference */
void call_ack_2xx(struct call *c, struct leg *l, struct str sdp);
void call_media_start(struct call *c);
struct str call_reason(const struct sip_msg *m);	/* Reason header, else the phrase */

/* call_out.c */
int call_start(struct ue *u, struct str target);
void call_cancel_now(struct call *c);

/* call_in.c */
void call_invite_in(struct ue *u, struct tx_server *st, struct sip_msg *m);
void call_reinvite_in(struct call *c, struct tx_server *st, struct sip_msg *m);
void call_prack_in(struct call *c, struct tx_server *st, struct sip_msg *m);
void call_ack_in(struct call *c, struct sip_msg *m);
void call_cancel_in(struct call *c, struct sip_msg *m);
void call_ready(struct call *c);			/* preconditions may be met now */
int call_answer(struct call *c);
void call_reject(struct call *c, unsigned status);

/* call_mid.c */
void call_update(struct call *c, struct leg *l);	/* our resources are there: RFC 3311, RFC 3312 §6 */
void call_update_in(struct call *c, struct tx_server *st, struct sip_msg *m);
int call_hold(struct call *c, bool hold);
int call_info(struct call *c);
void call_glare(struct timer *t);
void call_held_by_remote(struct call *c);		/* events held and resumed after an offer of theirs */
