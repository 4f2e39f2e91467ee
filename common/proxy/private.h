/* common/proxy/private.h - what the files of the proxy share: layer, response context (RFC 3261 §16.2), branch. */
#pragma once
#include <errno.h>
#include "common/log/log.h"
#include "common/proxy/proxy.h"
#include "common/util/arena.h"

#define PROXY_MAX_FORWARDS 70u			/* RFC 3261 §16.6 step 3 */
#define PROXY_TIMER_C_MS 181000u		/* RFC 3261 §16.6 step 11, when the environment names none */
#define PROXY_TARGET_HOLD_S 30u			/* a silent next hop is passed over for so long (row C12) */
#define PROXY_MAX_ROUTES 64u			/* Route values rewritten for strict routers; more: 500 */
#define PROXY_MAX_EARLY 8u			/* early dialogs of a branch that we end with a 199 of our own */
#define PROXY_MAX_EARLY_TAG 128u		/* octets of its To tag; longer: not ended by us */
#define PROXY_MAX_EARLY_KEPT 64u		/* that were ever kept of a branch: the caller's memory pays for them */
#define PROXY_BRANCH_STRLEN 48			/* magic cookie, random part, '.', loop hash and the NUL */

#define PROXY_MAX_PEERS 64u			/* next hops that asked for less at a time */
struct proxy_peer {				/* a next hop that asked for less: overload.c */
	struct addr a;
	unsigned percent;
	uint64_t seq, until_ms;
};

struct proxy_layer {
	struct proxy_env env;
	struct list proxies, acks, uacs;
	bool closing;
	struct proxy_stats stats;
	struct proxy_peer peer[PROXY_MAX_PEERS];
	unsigned n_peers;
};

enum branch_state {
	BRANCH_WAITING,				/* its q group has not begun */
	BRANCH_RESOLVING,
	BRANCH_CALLING,				/* sent, nothing heard from this address */
	BRANCH_PROCEEDING,			/* a provisional response came */
	BRANCH_HELD,				/* the user keeps its final response */
	BRANCH_ENDED,
};

struct proxy_branch {
	struct list link;
	struct proxy *p;
	enum branch_state state;
	bool urgent;				/* added by branch_failed: starts at once */
	bool cancelled;
	bool tcp_trial, tcp_refused;		/* §18.1.1 */
	unsigned status;			/* once ENDED */
	uint32_t breadth;			/* its share of Max-Breadth */
	unsigned next;				/* index into res->target of the address in use */
	/* the target */
	uint8_t n_routes, n_early, n_early_kept;
	uint8_t side;				/* enum tx_side */
	unsigned q;
	uint32_t wait_ms, progress_ms;
	struct str ruri, *route;		/* in the arena of the request, as is the flow */
	const struct sip_flow *flow;		/* NULL: by resolution */
	void *tag;
	/* on its way */
	struct sip_out plan;			/* all edits but Via and those of ops.branch */
	struct sip_msg *rewritten;		/* the request as rewritten for a strict router; plan.m then */
	struct sip_out *cur;			/* inside ops.branch */
	struct resolver_query *query;
	const struct resolver_result *res;	/* with as many targets as it says, in the arena of the request */
	struct tx_client *ct;
	struct timer timer_c, timer_wait, timer_answer;
	/* early dialogs on it that a 199 may end (RFC 6228 §6): To tags, in the arena of the request */
	struct str *early;			/* PROXY_MAX_EARLY of them; NULL: none yet */
	/* the final response, kept for the choice of the best one */
	struct sip_msg *resp;
	struct sip_out *resp_out;		/* in the arena of the request */
};

struct proxy {
	struct list link;
	struct proxy_layer *layer;
	struct tx_server *st;			/* NULL once gone */
	struct sip_msg *m;
	const struct proxy_ops *ops;
	void *user;
	struct sip_out out;
	struct list branches;
	unsigned n_branches;
	uint32_t breadth;			/* Max-Breadth of the request, RFC 5393 §5.3 */
	bool breadth_given;
	uint64_t loop_hash;
	unsigned holds;				/* the user waits for something before it adds targets */
	unsigned busy;				/* calls in progress: freed by the last one */
	bool dirty;				/* a branch ended or was added: schedule */
	bool dead;
	bool started;
	bool in_failed;				/* inside ops.branch_failed */
	bool no_more;				/* 2xx, 6xx, CANCEL or an answer of ours: nothing new is tried */
	bool cancelled;
	bool hides_via;				/* the next hop sees our Via alone */
	struct str top_via;			/* the one below ours then, with received and rport; empty: no response came yet */
	bool wants_199;				/* RFC 6228 §6: a 199 of our own may go to the caller */
	bool done;				/* a final response went upstream, or the user took that over */
	struct str cancel_reason;
	uint32_t session_s;			/* Session-Expires as forwarded; 0: none */
	bool session_uac;			/* the caller knows session timers */
	bool held;				/* a next hop had asked for less: never sent there */
	bool accepted;				/* a 2xx went upstream: an INVITE may have more to come */
	struct timer reap;			/* all is said: gone with the next tick, whatever the server transaction waits for */
};

/* proxy.c */
void proxy_enter(struct proxy *p);
void proxy_leave(struct proxy *p);
void proxy_cancel_pending(struct proxy *p, const struct proxy_branch *but, struct str reason);
struct str proxy_reason(struct proxy *p, unsigned status);	/* RFC 3326: value of Reason for what this node ends itself */
static inline bool proxy_is_invite(const struct proxy *p)
{
	return p->m->method == SIP_INVITE;
}
/* Is it this node that lacks something?  Then the next hop is not to blame. */
static inline bool proxy_own_fault(int err)
{
	return err == -ENOMEM || err == -ENOBUFS || err == -EMSGSIZE;
}
/* branch.c */
extern const struct resolver_result proxy_unresolved;	/* no targets */
void branch_start(struct proxy_branch *b);
void branch_end(struct proxy_branch *b, unsigned status, struct sip_msg *m, const struct sip_out *o);
void branch_cancel(struct proxy_branch *b, struct str reason);
void branch_release(struct proxy_branch *b);	/* timers, query, transaction, texts; the struct stays */
bool branch_failover(struct proxy_branch *b, int err);
void branch_timers_init(struct proxy_branch *b);
static inline bool branch_active(const struct proxy_branch *b)
{
	return b->state != BRANCH_WAITING && b->state != BRANCH_ENDED;
}
/* overload.c */
void proxy_oc_heard(struct proxy_layer *l, const struct sip_flow *from, const struct sip_via *via);
bool proxy_oc_holds(struct proxy_layer *l, const struct sip_flow *to, const struct sip_msg *m);
/* respond.c */
extern const struct tx_client_ops proxy_branch_ops;
unsigned proxy_status_rank(unsigned status);	/* lower is better, RFC 3261 §16.7 step 6 */
void proxy_finish(struct proxy *p);
void proxy_early_end(struct proxy_branch *b, unsigned status);	/* 199 for its early dialogs, when others go on */
/* session_timer.c */
bool proxy_session_request(struct proxy *p);		/* false: answered with 422 */
void proxy_session_response(struct proxy *p, const struct sip_msg *m, struct sip_out *o);
/* check.c */
uint64_t proxy_loop_hash(const struct sip_msg *m);
#define PROXY_LOOP_CHARS 16
void proxy_loop_text(uint64_t hash, char dst[PROXY_LOOP_CHARS + 1]);	/* as it stands at the end of our branches */
/* route.c */
/* The next hop of a plan: the topmost Route, else the Request-URI.  Rewrites the plan when that Route is a strict
 * router (§16.6 step 6): then *ret_msg holds the new message that `o` stands on.  0, -EBADMSG, -ENOMEM, -EMSGSIZE. */
int proxy_next_hop(struct sip_out *o, struct sip_uri *ret, struct sip_msg **ret_msg);
void proxy_set_max_forwards(struct sip_out *o);
/* Our Via on top of `o`; local is our address for `to`. */
void proxy_push_via(struct sip_out *o, const struct sip_flow *to, const struct addr *local, const char *branch,
		    const char *more);
/* ack.c */
void proxy_acks_free(struct proxy_layer *l);
/* uac.c */
void proxy_uacs_free(struct proxy_layer *l);
