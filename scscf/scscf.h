/* scscf/scscf.h - what the S-CSCF's files share: one struct for the daemon, one per worker.
 *
 * struct scscf is read-only once the workers run (its cmaps lock for themselves, as_held is atomic); struct scscf_worker belongs to its thread. */
#pragma once
#include <stdatomic.h>
#include "common/daemon/stack.h"
#include "common/diameter/cx.h"
#include "common/util/cmap.h"
#include "scscf/view.h"

struct subscriptions;			/* subscriptions whose dialogs this worker owns: subscription.h */
struct watch_index;
struct registrar;			/* registrations that this worker owns: registrar.h */
struct reg_config;
struct session_config;			/* sessions.*: session.h */

enum hss_profile { HSS_STANDARD, HSS_PYHSS, HSS_OPEN5GS };

struct scscf_cx {			/* the way to the HSS; tests put their own in its place */
	uint64_t (*mar)(struct dia_client *c, const struct cx_mar *r, cx_maa_fn fn, void *arg);
	uint64_t (*sar)(struct dia_client *c, const struct cx_sar *r, cx_saa_fn fn, void *arg);
};
#define SCSCF_MAX_HSS 15u		/* whose names are learned; users of others are asked for by realm */
#define AS_MAX_HELD 64u			/* application servers that failed just now */
struct scscf {
	const struct scscf_cx *cx;
	struct stack *stack;
	struct reg_directory *dir;	/* published registrations, all workers */
	struct criteria_store *criteria;	/* filter criteria that users share; NULL: nobody shares */
	struct criteria *fallback;	/* sessions.fallback_ifc_set: for who has none that fits; NULL: none */
	struct cmap *shared_criteria;	/* share.c: by digest, all workers; NULL: nothing is shared */
	struct store *shared;		/* NULL: nothing is shared */
	struct cmap *as_calls;		/* services.c: what application servers have in hand, all workers */
	struct cmap *session_counts;	/* limits.c: sessions of each user, all workers */
	struct as_held {		/* services.c: not asked until then, by any worker */
		_Atomic uint64_t server, until_ms;
	} as_held[AS_MAX_HELD];
	struct watch_index *watch;	/* who has subscriptions to the registrations: subscription.h */
	const struct reg_config *_Atomic reg;	/* registrar.* of the configuration; another one on SIGHUP: never kept from one event to the next */
	const struct session_config *sessions;	/* sessions.*; NULL: as if none was written */
	struct str server_name;		/* our SIP URI as the HSS stores it: "sip:127.0.77.30:6060" */
	_Atomic(char *) hss_name[SCSCF_MAX_HSS];	/* Diameter identities that answered us, as they came: assign.c */
	_Atomic uint32_t hss_features;	/* CX_FEATURE_...: what the HSS said last */
	enum hss_profile hss;		/* diameter.hss_profile: which HSS it is, where it differs (assign.c) */
};

struct scscf_worker {			/* worker.role */
	struct scscf *s;
	struct worker *w;
	struct registrar *registrar;
	struct list fetches;		/* unregistered.c: requests that wait for the HSS */
	struct list invites;		/* session.c: those in progress */
	struct legs *legs;		/* legs.c: sessions of our users' phones */
	struct subscriptions *subscriptions;
};
static inline struct scscf_worker *scscf_of(struct worker *w)
{
	return w->role;
}

/* ---- request.c: every request that is not a retransmission comes in here ---- */
void scscf_request(struct worker *w, struct tx_server *st, struct sip_msg *m);
void scscf_ack(struct worker *w, struct sip_msg *m);

/* ---- the procedures ---- */
void scscf_register(struct scscf_worker *sw, struct tx_server *st, struct sip_msg *m);		/* register.c, TS 24.229 §5.4.1 */
/* A request of the call path as request.c hands it on.  originating.c, §5.4.3.2: `token` is the verified Service-Route token of
 * the topmost Route, NULL when the request came with an `orig` parameter instead (an application server on behalf of a user). */
struct session_in {
	struct tx_server *st;
	struct sip_msg *m;
	struct sip_out out;			/* own Routes popped already */
	struct sip_uri ruri;			/* as it stands in out */
	struct sip_nameaddr own[2];		/* the Routes popped, [0] was topmost */
	struct token own_token[2];		/* verified; kind 0: the Route had none */
	unsigned n_own;
	const struct token *token;		/* the first of own_token that there is; NULL: none */
	bool again;				/* it waited for the HSS already */
	struct str service;			/* that the network asserts: RFC 6050; empty: none */
};
void scscf_request_again(struct worker *w, struct tx_server *st, struct sip_msg *m);		/* request.c: once it has waited */
void unregistered_free(struct scscf_worker *sw);
/* unregistered.c: asks the HSS for the profile of a user whom nobody here knows.  true: the request waits. */
bool unregistered_fetch(struct scscf_worker *sw, struct session_in *in, struct str aor);
/* The same for a user of whose registration `id` only the token is left: SAR NO_ASSIGNMENT, when the HSS keeps restoration information. */
bool unregistered_restore(struct scscf_worker *sw, struct session_in *in, struct str aor, uint64_t id);
void scscf_originating(struct scscf_worker *sw, struct session_in *in);
void scscf_terminating(struct scscf_worker *sw, struct session_in *in);				/* terminating.c, §5.4.3.3 */
void scscf_in_dialog(struct scscf_worker *sw, struct session_in *in);				/* indialog.c, §5.4.3.2, .3 */

/* ---- Cx pushes: push.c.  Called on the main thread by cx_serve() ---- */
extern const struct cx_server_ops scscf_push_ops;

extern const struct http_shape scscf_shapes[];		/* shapes.c */
extern const struct http_route scscf_routes[];		/* rest.c; u is struct scscf */
/* ---- config.c ---- */
const struct cfg_row *scscf_schema(void);			/* registrar.* and sessions.* */
void scscf_check(const struct cfg *c, struct buf *errors);
struct reg_config *reg_config_new(const struct cfg *c);		/* NULL when out of memory */
void reg_config_free(const struct reg_config *c);
void scscf_reload(struct scscf *s, const struct cfg *c);	/* on the main thread: registrar.* from now on */

/* ---- scscf.c: the daemon's struct, and one for each worker ---- */
int scscf_new(struct scscf **ret, const struct cfg *c);		/* stack is set by the caller */
void scscf_free(struct scscf *s);
int scscf_worker_new(void *u, struct worker *w, void **ret_role);
void scscf_worker_free(struct worker *w, void *role);
