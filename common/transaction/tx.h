/* common/transaction/tx.h - the four transaction machines: RFC 3261 §17 with RFC 6026 (Accepted) and RFC 4320.
 *
 * One layer per worker, used by that worker only.  It knows no sockets: messages leave through tx_ops.send, and
 * time comes from the wheel, so unit tests need neither.  ict.c nict.c ist.c nist.c are figures 5 to 8.
 *
 * Ownership: tx_server and tx_client belong to the layer.  The user gets them in callbacks and may keep the pointer
 * until the `gone` callback; after that it must not be used. */
#pragma once
#include "common/loop/wheel.h"
#include "common/sip/out.h"

struct tx_layer;
struct tx_server;
struct tx_client;

/* One row per timer (name, default, unit, clause), overridable by configuration `sip.timers`. */
#define TX_TIMER_TABLE(X) \
	X(t1_ms, 500, "RFC 3261 §17.1.1.1") X(t2_ms, 4000, "RFC 3261 §17.1.2.2") X(t4_ms, 5000, "RFC 3261 §17.1.2.2") \
	X(d_ms, 32000, "RFC 3261 §17.1.1.2")
struct tx_timers {
#define X(name, def, clause) uint32_t name;
	TX_TIMER_TABLE(X)
#undef X
};
enum tx_side { TX_CORE, TX_UE, TX_N_SIDES };	/* TS 24.229 §7.7: toward the phone T1 2 s, T2 16 s, T4 17 s */
extern const struct tx_timers tx_timers_default[TX_N_SIDES];

/* Names a server transaction from another worker or after a wait; stale handles are recognised. */
struct tx_handle {
	uint32_t slot, gen;
	uint16_t worker;
};

struct tx_ops {
	/* Sends `wire`.  to->conn chooses the connection for streams; a closed one is opened again to `to->remote`.
	 * Returns 0 or -errno at once; later failures come by tx_transport_error().  origin is echoed there. */
	int (*send)(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin);
	/* A new request (retransmissions never come here).  INVITE: 100 Trying has been sent.  The callee takes a
	 * reference with sip_msg_ref() if it keeps m; the transaction keeps its own. */
	void (*request)(void *u, struct tx_server *st, struct sip_msg *m);
	/* An ACK that belongs to no transaction, or to an Accepted one: for a 2xx, to be forwarded. */
	void (*ack)(void *u, struct sip_msg *m);
	/* CANCEL for a pending INVITE `invite`; the CANCEL itself was answered 200 already.  A CANCEL that matches
	 * nothing was answered 481. */
	void (*cancel)(void *u, struct tx_server *invite, struct sip_msg *cancel);
	/* A response that matches no client transaction: dropped after this (counted), or a late 2xx (RFC 6026 drops it). */
	void (*stray)(void *u, struct sip_msg *m);
	/* Every message that passes, both ways, for traces.  sent: wire parsed lazily by the tracer.  May be NULL. */
	void (*observe)(void *u, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m);
	/* An INVITE has its first final response, or ended without one (status 0); once for each.  May be NULL. */
	void (*invite_final)(void *u, const struct sip_msg *invite, unsigned status);
};

struct tx_layer *tx_layer_new(struct wheel *w, const struct tx_ops *ops, void *u, uint16_t worker);
void tx_layer_free(struct tx_layer *l);			/* drops everything, `gone` callbacks run */
void tx_layer_set_timers(struct tx_layer *l, enum tx_side side, const struct tx_timers *t);
/* Where a response goes, after RFC 3261 §18.2.2 and RFC 3581 have had their say (protected ports of IPsec).  Default: there. */
void tx_layer_set_response_flow_fn(struct tx_layer *l, void (*fn)(void *u, const struct sip_msg *req, struct sip_flow *to));
void tx_layer_set_side_fn(struct tx_layer *l, enum tx_side (*fn)(void *u, const struct sip_flow *from));	/* server side; default TX_CORE */
/* Beyond: 503 with Retry-After, stateless.  Before that the oldest answered non-INVITE whose sender has been silent for longer than
 * 2*T2, and so has its answer, makes room.  Requests that are vital may go an eighth above, clients a quarter. */
void tx_layer_set_limits(struct tx_layer *l, uint32_t max_transactions);
void tx_layer_set_vital_fn(struct tx_layer *l, bool (*fn)(void *u, const struct sip_msg *m));	/* NULL: none is */

struct refusal;				/* refuse.h */
/* Asked before a transaction is made for a new request (not for ACK and CANCEL).  false: it is refused at no cost, without a
 * transaction, as *ret says, once; or with nothing at all when its status is 0.  true with ret->forgeable: let in, but nothing is
 * sent unasked. */
void tx_layer_set_admit_fn(struct tx_layer *l, bool (*fn)(void *u, struct sip_msg *m, struct refusal *ret));

/* RFC 7339 toward core peers that ask for it: how many percent of their requests should they hold back?  0: nothing is said. */
void tx_layer_set_overload_fn(struct tx_layer *l, unsigned (*fn)(void *u));

/* A parsed message from the transport. */
void tx_input(struct tx_layer *l, struct sip_msg *m);
/* The transport could not deliver what `origin` sent (connection refused...). */
void tx_transport_error(struct tx_layer *l, struct tx_handle origin, int err);
/* ICMP says that a datagram to `to` did not arrive and quotes how it began.  true: a transaction of this layer waited for its answer,
 * has another address, and fails by it; false: nothing happened. */
bool tx_unreachable(struct tx_layer *l, const struct addr *to, struct str quoted, int err);

/* Where a response to `req` goes: RFC 3261 §18.2.2, RFC 3581.  For answers outside of a transaction. */
void tx_response_flow(const struct sip_msg *req, struct sip_flow *ret);

struct tx_stats {
	uint64_t server_made, client_made, retransmissions_absorbed, retransmissions_sent, timeouts, strays, refused_full, refused, made_room;
	uint64_t responses_dropped;	/* of the user: the state or RFC 4320 does not allow them */
	uint32_t server_now, client_now;
};
void tx_layer_stats(const struct tx_layer *l, struct tx_stats *ret);
struct tx_view {				/* a transaction in progress, for REST */
	bool server;
	enum sip_method method;
	const char *state;
	struct str call_id;
	uint64_t age_ms;
};
void tx_layer_each(struct tx_layer *l, void (*fn)(void *arg, const struct tx_view *v), void *arg);

/* ---- server side ---- */
/* Borrowed.  INVITE: until `gone`.  Others: until the turn of the loop in which the final response was sent ends, then NULL. */
struct sip_msg *tx_server_request(struct tx_server *st);
struct tx_handle tx_server_handle(const struct tx_server *st);
struct tx_server *tx_server_find(struct tx_layer *l, struct tx_handle h);	/* NULL: gone */
/* Sends a response (status decides the transition).  wire is borrowed (a reference is taken).  Responses that the state
 * does not allow are dropped and counted.  NULL is a response that could not be made (too large, out of memory): a final one
 * ends the transaction as if it had been lost on its way; for an INVITE, which would be waited for, a 500 follows when there is memory. */
void tx_server_send(struct tx_server *st, unsigned status, struct bytes *wire);
/* Short form for our own responses: sip_reply_make + send, To tag made by the transaction (always the same for one
 * transaction).  extra: header lines with CRLF, or empty. */
void tx_server_reply(struct tx_server *st, unsigned status, const char *reason, struct str extra);
void tx_server_reply_body(struct tx_server *st, unsigned status, const char *reason, struct str extra,
			  struct str content_type, struct str body);
struct str tx_server_to_tag(struct tx_server *st);			/* the tag its own responses carry */
void tx_server_set_user(struct tx_server *st, void *user, void (*gone)(void *user));
void *tx_server_user(struct tx_server *st);
bool tx_server_final_sent(const struct tx_server *st);

/* ---- client side ---- */
struct tx_client_ops {
	/* Every provisional and final response once; for INVITE also each further 2xx (forks, retransmissions: RFC 6026). */
	void (*response)(void *user, struct tx_client *ct, struct sip_msg *m);
	void (*failed)(void *user, struct tx_client *ct, int err);	/* -ETIMEDOUT (timer B, F), or the transport's -errno; once, instead of a final */
	void (*gone)(void *user, struct tx_client *ct);			/* last callback */
};
struct tx_client_new_args {
	struct bytes *wire;		/* the request with our Via on top; a reference is taken */
	enum sip_method method;
	struct str branch;		/* of that Via; copied */
	struct str call_id;		/* copied; empty: looked for in wire */
	struct sip_flow to;
	enum tx_side side;
	bool has_other;			/* address to go to: then it fails as soon as this one is said to be unreachable */
	const struct tx_client_ops *ops;
	void *user;
};
/* Creates and sends.  NULL when full or out of memory.  An immediate send failure is reported by `failed` from the loop,
 * never from inside this call. */
struct tx_client *tx_client_new(struct tx_layer *l, const struct tx_client_new_args *a);
/* INVITE only: RFC 3261 §9.1.  Sent at once after a provisional, else when one comes; nothing after a final.
 * reason: Reason header value or empty.  64*T1 later without a final the transaction ends as timed out. */
void tx_client_cancel(struct tx_client *ct, struct str reason);
void tx_client_forget(struct tx_client *ct);		/* no callbacks any more, not even `gone`; the machine runs out by itself */
struct tx_handle tx_client_handle(const struct tx_client *ct);
void tx_branch_make(char dst[24]);			/* "z9hG4bK" + 15 random characters, NUL-terminated */
