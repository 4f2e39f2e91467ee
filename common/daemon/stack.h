/* common/daemon/stack.h - one daemon's SIP stack: N workers, each with transport, transactions, proxy, resolver, Diameter
 * client, dialogs and trace plugged together, and the role on top.
 *
 * Everything in a struct worker belongs to its thread.  The main thread and other workers talk to it by worker_post(). */
#pragma once
#include "common/config/config.h"
#include "common/daemon/daemon.h"
#include "common/daemon/sources.h"
#include "common/dialog/dialog.h"
#include "common/diameter/dia.h"
#include "common/http/http.h"
#include "common/proxy/proxy.h"
#include "common/sip/token.h"
#include "common/store/store.h"
#include "common/trace/trace.h"
#include "common/transport/transport.h"

struct stack;
struct worker {
	uint16_t id;
	struct stack *stack;
	struct loop *loop;
	struct wheel *wheel;
	struct transport *transport;
	struct tx_layer *tx;
	struct proxy_layer *proxy;
	struct resolver *resolver;
	struct dia_client *dia;			/* NULL in a daemon without Diameter */
	struct dialog_table *dialogs;
	struct trace *trace;
	struct store_port *store;		/* NULL: nothing is kept */
	void *role;				/* from role_ops.worker_new */
};

/* What a role knows of a sender. */
enum standing {
	STANDING_UNKNOWN,			/* may be anybody, from a forged address */
	STANDING_REGISTERED,			/* a phone that is registered on this flow */
	STANDING_TRUSTED,			/* a core node, a neighbour */
};

struct role_ops {
	int (*worker_new)(void *u, struct worker *w, void **ret_role);	/* on the main thread, before the threads start */
	void (*worker_free)(struct worker *w, void *role);
	void (*request)(struct worker *w, struct tx_server *st, struct sip_msg *m);
	void (*ack)(struct worker *w, struct sip_msg *m);
	/* CANCEL goes to proxy_cancel() by itself when the INVITE has a proxy; else here.  May be NULL. */
	void (*cancel)(struct worker *w, struct tx_server *invite, struct sip_msg *m);
	enum tx_side (*side)(struct worker *w, const struct sip_flow *from);	/* NULL: TX_CORE */
	void (*flow_closed)(struct worker *w, const struct sip_flow *flow);	/* NULL: nothing */
	enum standing (*standing)(struct worker *w, const struct sip_flow *from);	/* NULL: all are trusted */
	/* Error responses of our own (refuse.h): which function we are in Response-Source ("s-cscf"), and what a sender may know. */
	const char *fe;
	void (*judge)(struct worker *w, const struct sip_msg *m, struct refusal *r);	/* NULL: as the caller says */
	/* A request of a sender whose standing is unknown: true refuses it as *ret says, without a transaction.  ret->forgeable
	 * is set for datagrams; cleared for a sender that proves itself.  NULL: all are served. */
	bool (*turn_away)(struct worker *w, struct sip_msg *m, struct refusal *ret);
	/* Is this an emergency, which overload never refuses?  By its Request-URI; m: the request, NULL while it is not parsed.
	 * NULL: urn:service:sos alone. */
	bool (*urgent)(struct worker *w, struct str ruri, const struct sip_msg *m);
	/* Protected ports of the access side (TS 33.203 §7.1); each may be NULL.
	 * admit: false throws a message away before anybody sees it.  response_flow: where a response goes, as RFC 3261 has it in
	 * *to.  sent_by: what to put into Via instead of *a, the address that a message to `to` leaves from. */
	bool (*admit)(struct worker *w, const struct sip_msg *m);
	void (*response_flow)(struct worker *w, const struct sip_msg *req, struct sip_flow *to);
	void (*sent_by)(struct worker *w, const struct sip_flow *to, struct addr *a);
	/* On the main thread, once all workers are made and before their threads and any socket: what the store has becomes state of
	 * the workers again, each record of the one that owns it.  0 or -errno, logged.  NULL: nothing is kept. */
	int (*restore)(void *u, struct stack *s, struct store *store);
	/* The worker's listeners of sip.listen are open: the role opens its own.  0 or -errno, logged.  NULL: none. */
	int (*listen)(struct worker *w);
	bool uses_diameter;
	bool uses_rx;					/* its Diameter node speaks Rx, not Cx; it can do without a peer */
	bool off_route;					/* takes no part in dialogs (no Record-Route): none are watched */
	bool (*ready)(void *u, struct buf *why);	/* any thread: false and the reason for /readyz.  NULL: true */
	const char *trust_key;				/* the list of the configuration that names the trust domain; NULL: none */
	const char *registrations;			/* the figure that counts them; NULL: it has none */
	const struct http_shape *shapes;		/* what its operations answer and take */
	const struct http_route *routes;		/* the role's REST table; `u` below is its argument */
};

/* Builds everything from the configuration, opens the SIP listeners, starts Diameter and REST, starts the threads and
 * changes to the configured user.
 * 0 or -errno with the reason logged. */
int stack_start(struct stack **ret, struct daemon *d, const struct role_ops *ops, void *u);
void stack_drain(struct stack *s, void (*done)(void *), void *arg);	/* 503 to new work, then done on the main loop */
void stack_free(struct stack *s);

unsigned stack_n_workers(const struct stack *s);
struct worker *stack_worker(struct stack *s, unsigned i);
struct store *stack_store(struct stack *s);		/* NULL: nothing is kept */
const struct token_key *stack_token_key(const struct stack *s);
struct str stack_home_domain(const struct stack *s);
bool stack_is_home_domain(const struct stack *s, struct str host);	/* the domain or an alias, any case */
/* Our own URI host:port as others reach us: sip.name with the first listener's port ("scscf.ims.example:6060"), or that
 * listener ("127.0.77.30:6060"). */
struct str stack_sip_name(const struct stack *s);
bool stack_is_self(const struct stack *s, const struct sip_uri *uri);	/* host names a listener of ours, or sip.name */
const struct cfg *stack_config(const struct stack *s);
struct loop *stack_main_loop(struct stack *s);

/* A new Call-ID, hard to guess, that this worker owns: responses and the dialog's requests come to it (uac.h). */
#define STACK_CALL_ID_STRLEN 33
void stack_call_id(struct worker *w, char dst[STACK_CALL_ID_STRLEN]);
/* The worker that owns state of that key (private identity...). */
struct worker *stack_owner(struct stack *s, struct str key);
struct worker *stack_worker_of_call(struct stack *s, struct str call_id);	/* that owns its transactions and dialogs */
/* Has fn(w, arg) run on w's thread: at once when it is ours, else through its mailbox.  0 or -EAGAIN. */
int worker_call(struct worker *self, struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);
/* From the main thread. */
int worker_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);
/* The way back of what another worker was asked: never lost, since its memory is there before anybody asks.  `c` lives in what the
 * caller made for the question and lasts until fn is called; while w's mailbox is full it is tried again. */
#define WORKER_CORRELATION 64		/* goes along: the work belongs to the same request.  Longer ones are cut */
struct worker_return {
	struct list link;
	struct worker *to;			/* NULL: the main thread */
	struct loop *loop;
	void (*fn)(struct worker *w, void *arg);
	void (*main_fn)(void *arg);
	void *arg;
	char correlation[WORKER_CORRELATION];
};
void worker_return(struct worker *self, struct worker *w, struct worker_return *c, void (*fn)(struct worker *w, void *arg), void *arg);
/* The same to the main thread.  self: our own worker, or NULL, when nothing can be tried again.  0; -ESHUTDOWN, or -EAGAIN of nobody's
 * thread: fn is not called. */
int worker_return_main(struct worker *self, struct stack *s, struct worker_return *c, void (*fn)(void *arg), void *arg);
struct worker *worker_current(void);			/* the worker of this thread, or NULL */

/* What a sender did, for bans (row X10); nothing is held against trusted ones.  Own worker only. */
enum source_verdict stack_source_event(struct worker *w, const struct sip_flow *from, enum source_event e);

/* Collects JSON from all workers, one after the other, for a REST page: fn runs on each worker's thread and may append
 * to `items`; done runs on the main loop. */
struct gather {
	cJSON *items;
	unsigned limit;			/* how many may still be added */
	uint64_t after;			/* cursor inside the worker: ids above it */
	unsigned worker;		/* cursor: first worker */
	uint64_t last;			/* set by fn: id of the last one added */
	bool more;			/* set by fn: there are more in this worker */
	struct str filter;		/* the query as the route wants it */
	struct obj **held;		/* gather_hold() */
	unsigned n_held;
};
/* Pages over workers with a cursor "w.id"; answers the request by http_reply_page(). */
void stack_gather_page(struct stack *s, struct http_req *r, void (*fn)(struct worker *w, struct gather *g), struct str filter);
/* The same where what is listed is published and immutable: fn takes references by gather_hold(), and `show` makes JSON of each on the main
 * loop.  A worker that REST asks again and again goes on with its messages meanwhile. */
void stack_gather_held(struct stack *s, struct http_req *r, void (*fn)(struct worker *w, struct gather *g), cJSON *(*show)(struct stack *s, const struct obj *o),
		       struct str filter);
void gather_hold(struct gather *g, struct obj *o);	/* a reference of its own; takes one of limit */
/* One question to one worker: fn runs there and builds the answer; replied on the main loop. */
struct ask {
	struct http_req *req;
	unsigned status;		/* set by fn: 200, or an error */
	cJSON *json;			/* set by fn */
	char cause[64], detail[256];	/* for a problem */
	char key[512];			/* the question */
	char if_match[256];		/* the request's, for ask_may_change() */
	bool later;			/* fn set it: the worker will call ask_done() itself */
	struct stack *stack;
};
void stack_ask(struct stack *s, struct http_req *r, struct worker *w, struct str key, void (*fn)(struct worker *w, struct ask *a));
/* The same with a body for the question: fn parses a->key again, for JSON belongs to one thread.  It has to fit into it, else 400. */
static inline void stack_ask_json(struct stack *s, struct http_req *r, struct worker *w, const cJSON *question, void (*fn)(struct worker *w, struct ask *a))
{
	char *text = cJSON_PrintUnformatted(question);

	if (text)
		stack_ask(s, r, w, str_from_c(text), fn);
	else
		http_problem(r, 500, "OUT_OF_MEMORY", "the question cannot be asked");
	cJSON_free(text);
}
/* On the worker, before a change: is what it would change still as the request's If-Match says?  now: its JSON, as a GET shows it,
 * taken over; NULL when it is not there, which is no matter of If-Match (RFC 9110 §13.2.1).  False: the answer is set, 412. */
bool ask_may_change(struct ask *a, cJSON *now);
void ask_done(struct ask *a);		/* on any thread; a is gone after it */
/* The same question to every worker in turn until one sets status (a binding whose owner is not known). */
void stack_ask_all(struct stack *s, struct http_req *r, struct str key, void (*fn)(struct worker *w, struct ask *a));
