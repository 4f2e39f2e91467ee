/* common/transaction/private.h - what layer.c shares with the four machines.  Not for users of the layer.
 *
 * Rules that keep callbacks safe: an object in state TERMINATED is unlinked from the keys at once and freed from a
 * zero-delay timer; a failed send comes back as an event from such a timer, never inside the call that sent. */
#pragma once
#include "common/transaction/refuse.h"
#include "common/util/fsm.h"
#include "common/util/hash.h"

#define TX_TAG_CHARS 12
#define TX_RETRY_AFTER_S 10		/* ..15 */
#define TX_DEFAULT_MAX 200000u

struct tx_key {				/* RFC 3261 §17.2.3, §17.1.3; slices */
	struct str branch;		/* without the magic cookie: the fields RFC 2543 compares, put together */
	struct str host, method_name, to_tag;
	uint16_t port;
	enum sip_method method;
	bool legacy;			/* RFC 2543 */
};

struct tx {
	struct tx_layer *l;
	struct hnode node;
	struct list all;
	struct list later;		/* on tx_layer.later: to be freed, to give back its request, or to hear that a send failed */
	uint32_t slot, gen;
	const struct fsm *fsm;		/* TERMINATED is the last state of each */
	uint8_t state, life_event, retry_event, error_event;
	bool server, dead, reliable;
	bool fault, returns;		/* what it is on tx_layer.later for, unless it is dead */
	enum tx_side side;
	struct sip_flow flow;		/* where our messages go */
	struct timer retry;		/* A, E, G; RFC 4320's 100 */
	struct timer life;		/* B, D, F, H, I, J, K, L, M */
	uint32_t retry_ms;		/* present interval */
	int err;
	uint64_t born_ms;
	struct bytes *wire;		/* client: the request; server: the last response */
	enum sip_method method;
	struct str branch, call_id;	/* slices of text, or of the request of an INVITE's server transaction, which keeps it */
	char *text;
};

struct tx_server {
	struct tx t;
	struct str host, method_name, key_to_tag;	/* with branch and method the key (struct tx_key); slices as well */
	struct sip_msg *req;
	struct list answered;		/* on tx_layer.answered: a non-INVITE over UDP that has its final response */
	uint64_t quiet_since_ms;	/* since that response, or the last retransmission after it */
	char to_tag[TX_TAG_CHARS + 1];
	bool legacy;
	uint16_t port;
	bool final_sent, told;			/* told: tx_ops.invite_final */
	uint16_t owed;				/* INVITE: the final response that could not be made yet; 0: none */
	bool wants_oc;			/* RFC 7339: its Via asked */
	bool forgeable;			/* a sender that may be forged: one message out for one in */
	void *user;
	void (*gone)(void *user);
};

struct tx_client {
	struct tx t;
	const struct tx_client_ops *ops;	/* NULL: forgotten, or our own CANCEL */
	void *user;
	struct bytes *ack;
	char *cancel_reason;
	bool cancel_wanted, cancel_sent;
	bool has_other;
};

struct tx_slot {
	struct tx *tx;
	uint32_t gen, next_free;
};

struct tx_layer {
	struct wheel *wheel;
	const struct tx_ops *ops;
	void *u;
	uint16_t worker;
	bool closing;
	uint32_t max;
	void (*response_flow_fn)(void *u, const struct sip_msg *req, struct sip_flow *to);
	enum tx_side (*side_fn)(void *u, const struct sip_flow *from);
	unsigned (*overload_fn)(void *u);
	bool (*admit_fn)(void *u, struct sip_msg *m, struct refusal *ret);
	bool (*vital_fn)(void *u, const struct sip_msg *m);
	struct list answered[TX_N_SIDES];	/* in order of quiet_since_ms */
	struct tx_agent agent;
	struct tx_timers timers[TX_N_SIDES];
	struct htab servers, clients;
	struct list all;
	struct list later;
	struct timer later_timer;
	struct tx_slot *slots;
	uint32_t n_slots, free_slot;	/* UINT32_MAX: none */
	struct tx_stats st;
};

struct tx_response {			/* argument of the TU events of ist and nist */
	unsigned status;
	struct bytes *wire;
};

static inline const struct tx_timers *tx_timers_of(const struct tx *t)
{
	return &t->l->timers[t->side];
}
static inline uint32_t tx_64_t1(const struct tx *t)
{
	return 64 * tx_timers_of(t)->t1_ms;
}

/* machine.c: what the figures have in common */
int tx_event(struct tx *t, unsigned event, void *arg);	/* 0, -EPROTO (the state refuses it, or the object is dead) */
void tx_transmit(struct tx *t, struct bytes *wire);
void tx_retransmit(struct tx *t, struct bytes *wire);	/* the same, counted; wire may be NULL */
void tx_life_start(struct tx *t, uint32_t ms, uint8_t event);
void tx_retry_start(struct tx *t, uint32_t ms, uint8_t event);
void tx_keep_wire(struct tx *t, struct bytes *wire);	/* replaces t->wire; NULL drops it */
void tx_timers_init(struct tx *t);
void tx_client_up(struct tx_client *ct, struct sip_msg *m);
void tx_client_fail(struct tx_client *ct, int err);

/* layer.c */
int tx_send(struct tx_layer *l, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin);
int tx_send_oc(struct tx_layer *l, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin);	/* a response to who asked */
void tx_later(struct tx *t);
void tx_unlink(struct tx *t);				/* out of the keys: nothing matches it any more */
struct tx_handle tx_handle_of(const struct tx *t);
/* client.c, server.c */
/* lasts: the texts live as long as t, else they are copied. */
int tx_add(struct tx_layer *l, struct tx *t, const struct tx_key *k, struct str call_id, bool lasts);
struct tx_client *tx_client_find(struct tx_layer *l, struct str branch, enum sip_method method);	/* of a response */
struct tx_client *tx_client_make(struct tx_layer *l, const struct tx_client_new_args *a);
void tx_client_input(struct tx_layer *l, struct sip_msg *m);
void tx_server_input(struct tx_layer *l, struct sip_msg *m);
void tx_client_destroy(struct tx_client *ct);
void tx_server_destroy(struct tx_server *st);
void tx_server_quiet(struct tx_server *st);		/* it has its final response, or its request came again after that */
struct bytes *tx_bare_reply(struct tx_server *st, unsigned status);	/* with nothing that could be left out; NULL: not even that */
void tx_server_invite_final(struct tx_server *st, unsigned status);

/* The four figures. */
extern const struct fsm ict_fsm, nict_fsm, ist_fsm, nist_fsm;
enum { ICT_CALLING, ICT_PROCEEDING, ICT_COMPLETED, ICT_ACCEPTED, ICT_TERMINATED, ICT_N_STATES };
enum { ICT_EV_1XX, ICT_EV_2XX, ICT_EV_NON2XX, ICT_EV_TIMER_A, ICT_EV_TIMER_B, ICT_EV_TIMER_D, ICT_EV_TIMER_M,
       ICT_EV_CANCEL, ICT_EV_CANCEL_TIMEOUT, ICT_EV_TP_ERROR, ICT_N_EVENTS };
enum { NICT_TRYING, NICT_PROCEEDING, NICT_COMPLETED, NICT_TERMINATED, NICT_N_STATES };
enum { NICT_EV_1XX, NICT_EV_FINAL, NICT_EV_TIMER_E, NICT_EV_TIMER_F, NICT_EV_TIMER_K, NICT_EV_TP_ERROR, NICT_N_EVENTS };
enum { IST_PROCEEDING, IST_COMPLETED, IST_CONFIRMED, IST_ACCEPTED, IST_TERMINATED, IST_N_STATES };
enum { IST_EV_INVITE, IST_EV_ACK, IST_EV_TU_1XX, IST_EV_TU_2XX, IST_EV_TU_NON2XX, IST_EV_TIMER_G, IST_EV_TIMER_H,
       IST_EV_TIMER_I, IST_EV_TIMER_L, IST_EV_TP_ERROR, IST_N_EVENTS };
enum { NIST_TRYING, NIST_PROCEEDING, NIST_COMPLETED, NIST_TERMINATED, NIST_N_STATES };
enum { NIST_EV_REQUEST, NIST_EV_TU_100, NIST_EV_TU_1XX, NIST_EV_TU_FINAL, NIST_EV_TU_408, NIST_EV_TIMER_100,
       NIST_EV_TIMER_J, NIST_EV_TIMER_LATE, NIST_EV_TP_ERROR, NIST_N_EVENTS };

void ict_start(struct tx_client *ct);
void nict_start(struct tx_client *ct);
void ict_forgotten(struct tx_client *ct);
void ist_start(struct tx_server *st);
void nist_start(struct tx_server *st);
unsigned ist_event_of(unsigned status);
unsigned nist_event_of(const struct tx_server *st, unsigned status);
