/* common/proxy/proxy.h - the stateful proxy: RFC 3261 §16, RFC 6026, RFC 5393, RFC 3263 §4.3.
 *
 * The role handler decides (targets, headers); the proxy carries it out: Max-Forwards, our Via, Route handling, target
 * resolution and failover, UDP to TCP above the size limit (§18.1.1), forking, best response (§16.7), Timer C, CANCEL.
 * One context per forwarded request, owned by the worker of its transaction.
 *
 *   p = proxy_new(layer, st, &ops, user);       checks of §16.3 passed: see proxy_check()
 *   sip_out_...(proxy_out(p), ...);             edits all branches share
 *   proxy_target_add(p, &target);               one or more
 *   proxy_start(p);
 */
#pragma once
#include "common/resolver/resolver.h"
#include "common/transaction/refuse.h"

struct proxy_layer;
struct proxy;
struct proxy_branch;

struct proxy_env {			/* what the layer stands on; the transport is above it */
	struct tx_layer *tx;
	struct resolver *resolver;
	struct wheel *wheel;
	/* Our address (Via sent-by) for a message to `to`. */
	int (*local_for)(void *u, const struct sip_flow *to, struct addr *ret);
	/* Does this URI (host, port) name this node?  For Route and Request-URI processing. */
	bool (*is_self)(void *u, const struct sip_uri *uri);
	/* Sends without a transaction: an ACK for a 2xx. */
	int (*send)(void *u, const struct sip_flow *to, struct bytes *wire);
	/* Overload control toward next hops (RFC 7339): may this request be held back when one asks for less?  NULL: none is
	 * offered and nobody is obeyed. */
	bool (*may_hold)(void *u, const struct sip_msg *m);
	void *u;
	uint32_t timer_c_ms;		/* RFC 3261 §16.6 step 11: over 3 minutes */
	uint32_t udp_max_bytes;		/* 1300: above it TCP is tried, §18.1.1 */
	uint32_t max_breadth;		/* RFC 5393: 60 */
	/* Session timers, RFC 4028 §8, of a node that is on the route of its calls. */
	uint32_t session_min_s;		/* smaller intervals: 422; 0: this node has no part in session timers */
	uint32_t session_expires_s;	/* asked for where nobody does, and the largest that passes; 0: the ends decide */
	void (*session)(void *u, const struct sip_msg *m, uint32_t session_s, bool refresher_uas);	/* a 2xx agreed on it; may be NULL */
	uint32_t response_wait_ms;	/* final answer per next-hop address before the next one is tried; 0: timer B/F only */
};
struct proxy_layer *proxy_layer_new(const struct proxy_env *env);
void proxy_layer_free(struct proxy_layer *l);

/* RFC 3261 §16.3: Max-Forwards (483; OPTIONS and others alike), loop (482, by the branch we wrote), Proxy-Require against the
 * names in `supported` (NULL-ended; 420 with Unsupported), scheme (416).  Answers and returns false when a check fails. */
bool proxy_check(struct proxy_layer *l, struct tx_server *st, struct sip_msg *m, const char *const *supported);
/* The same for a request whose Request-URI the role routes by itself (urn:service:sos, RFC 5031). */
bool proxy_check_but_scheme(struct proxy_layer *l, struct tx_server *st, struct sip_msg *m, const char *const *supported);
/* §16.4: strict-router Request-URI fix-up and removal of topmost Route values that are ours.  Returns the values removed in
 * `own` (at most 2, first = topmost; tokens are in their user parts) and leaves the edits in `o`. */
unsigned proxy_pop_own_routes(struct proxy_layer *l, struct sip_msg *m, struct sip_out *o, struct sip_nameaddr own[2]);

enum proxy_verdict {
	PROXY_PASS,			/* goes on: upstream at once (1xx, 2xx), or into the response context */
	PROXY_HOLD,			/* the user keeps it (reference) and calls proxy_resume() later */
	PROXY_DROP,			/* never forwarded; a final one counts as if the branch had ended with it */
};
struct proxy_ops {
	/* A branch is about to be sent to `to`: last edits that depend on the way out (Record-Route...).  May be NULL. */
	void (*branch)(void *user, struct proxy *p, struct proxy_branch *b, const struct sip_flow *to, struct sip_out *o);
	/* A response (not 100) from a branch.  o: edits for its way upstream (our Via is dropped already).  May be NULL. */
	enum proxy_verdict (*response)(void *user, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o);
	/* A branch ended without 2xx; status 408 (timer), 503 (unreachable), else the response's.  New targets may be added
	 * here (next S-CSCF, default handling): they start at once.  m is NULL for our own.  May be NULL. */
	void (*branch_failed)(void *user, struct proxy *p, struct proxy_branch *b, unsigned status, struct sip_msg *m);
	/* proxy_target.wait_ms or progress_ms is over: false lets the branch go on without a limit of its own.  NULL: it fails with 408. */
	bool (*waited)(void *user, struct proxy *p, struct proxy_branch *b);
	/* No branch is left and none was added: the final response about to go upstream, m NULL when it is our own
	 * (status).  The user may answer by itself through tx_server_reply() and return true.  May be NULL. */
	bool (*final)(void *user, struct proxy *p, unsigned status, struct sip_msg *m);
	/* Last callback: once the final response is out and no branch can bring more (an INVITE that was answered with 2xx:
	 * with its server transaction), never from inside a call of the user's. */
	void (*gone)(void *user, struct proxy *p);
};

/* m: the request (reference taken).  st NULL is not allowed: ACK goes through proxy_forward_ack(). */
struct proxy *proxy_new(struct proxy_layer *l, struct tx_server *st, struct sip_msg *m, const struct proxy_ops *ops, void *user);
struct sip_out *proxy_out(struct proxy *p);
struct sip_msg *proxy_request(struct proxy *p);
struct tx_server *proxy_server(struct proxy *p);		/* NULL once the server transaction is gone */

/* The next hop sees our Via alone; the others are put back into its responses.  Before proxy_start(). */
void proxy_hide_via(struct proxy *p);

struct proxy_target {
	struct str ruri;		/* new Request-URI; empty: as in proxy_out */
	struct str route[4];		/* Route values ("<sip:...;lr>") pushed in this order, [0] topmost */
	unsigned n_routes;
	const struct sip_flow *flow;	/* set: send there, no resolution (copied) */
	unsigned q;			/* 0..1000; higher first; equal ones in parallel (RFC 3261 §16.6) */
	enum tx_side side;
	void *tag;			/* the user's own */
	uint32_t wait_ms;		/* no final or provisional so long: the branch fails with 408 (I5); 0: no limit of its own */
	uint32_t progress_ms;		/* INVITE: nothing but 100 so long behind the first one: CANCEL, and it fails with 408; 0: timer C only */
};
int proxy_target_add(struct proxy *p, const struct proxy_target *t);	/* texts copied; 0, -ENOMEM, -ENOSPC (max_breadth) */
void proxy_start(struct proxy *p);
/* Keeps the context from ending for want of a branch while the user waits for something; not when the caller cancels (487 at once).
 * Each hold is released once, unless gone comes first: fn(arg) may add targets or refuse; then p may be gone. */
void proxy_hold(struct proxy *p);
void proxy_release(struct proxy *p, void (*fn)(void *arg), void *arg);
/* In branch_failed, when others take its place: how this branch ended is no candidate for the final response. */
void proxy_branch_disregard(struct proxy_branch *b);
void *proxy_branch_tag(const struct proxy_branch *b);
struct sip_out *proxy_branch_out(struct proxy_branch *b);		/* in branch(): the same as o */

bool proxy_is_over(const struct proxy *p);		/* cancelled, answered or refused: new targets are not taken */

/* Continues with a response kept by PROXY_HOLD (its edits in `o`, taken over from the callback by sip_out_copy). */
void proxy_resume(struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o);
/* From tx_ops.cancel: cancels all branches (Reason passed on), the answer will be 487. */
void proxy_cancel(struct proxy *p, struct sip_msg *cancel);
/* Ends pending branches with CANCEL, whose Reason is the refusal's status, and answers upstream by ourselves. */
void proxy_reject(struct proxy *p, const struct refusal *r);
/* The proxy whose server transaction this is, or NULL (the layer sets tx_server_user). */
struct proxy *proxy_of(struct tx_server *st);

/* ACK for a 2xx: forwarded statelessly along Route / Request-URI or to `flow`.  o: edits (own Routes popped). */
void proxy_forward_ack(struct proxy_layer *l, struct sip_msg *ack, struct sip_out *o, const struct sip_flow *flow);

struct proxy_stats {
	uint64_t forwarded, branches, cancels, timer_c, failovers, loops, held;
	uint32_t now;
};
void proxy_layer_stats(const struct proxy_layer *l, struct proxy_stats *ret);
