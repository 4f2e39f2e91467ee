/* icscf/icscf.h - what the I-CSCF's files share: one struct for the daemon, one per worker, one per request in progress.
 *
 * struct icscf is read-only once the workers run, but for the selection, which a reload replaces under its lock.  struct
 * icscf_worker and struct icscf_ask belong to their thread. */
#pragma once
#include "common/config/networks.h"
#include "common/daemon/stack.h"
#include "common/diameter/cx.h"
#include "icscf/answer.h"
#include "icscf/select.h"

enum hss_profile { HSS_STANDARD, HSS_PYHSS, HSS_OPEN5GS };

struct icscf {
	struct stack *stack;
	struct str home_domain;
	enum hss_profile hss;			/* diameter.hss_profile: which HSS it is, where it differs */
	struct networks *trust;			/* trust.networks */
	struct networks *servers;		/* trust.application_servers */
	bool hide_users;			/* trust.hide_users */
	uint32_t refusal_ms;			/* trust.refusal_ms */
	struct str numbers_next_hop;		/* numbers.next_hop: where foreign numbers go; empty: 404 */
	uint32_t message_wait_ms;		/* for a request that a phone answers: just below Timer F */
	pthread_mutex_t lock;			/* the pointer below */
	struct selection *selection;
};

struct icscf_worker {				/* worker.role */
	struct icscf *i;
	struct worker *w;
};
static inline struct icscf_worker *icscf_of(struct worker *w)
{
	return w->role;
}

/* ---- icscf.c: life ---- */
int icscf_new(struct icscf **ret, const struct cfg *c);
void icscf_free(struct icscf *i);
void icscf_reload(struct icscf *i, const struct cfg *c);	/* selection.* */
struct selection *icscf_selection(struct icscf *i);		/* a reference */
extern const struct role_ops icscf_ops;

struct http_req;
void dryrun_select(void *u, struct http_req *r);		/* dryrun.c: POST /api/v1/scscf-selection/dry-run */

/* ---- config.c ---- */
extern const struct cfg_row icscf_schema[];
void icscf_config_check(const struct cfg *c, struct buf *errors);

/* ---- a request in progress: the proxy's user.  ask.c ---- */
enum icscf_procedure { PROC_REGISTER, PROC_ORIGINATING, PROC_TERMINATING, PROC_FORWARD };

#define ASK_MAX_FORMS 3
struct icscf_ask {
	struct icscf_worker *iw;
	struct proxy *p;
	struct sip_msg *m;			/* the proxy's */
	enum icscf_procedure proc;
	bool outside;				/* the sender is outside of the trust domain */
	uint64_t came_ms;
	struct timer held;			/* a refusal that waits for trust.refusal_ms */
	bool caller_abroad;			/* the caller is of another network, trusted or not: charging.c */
	uint64_t cx;				/* the Cx request that is out; 0: none */
	uint64_t asked_us;
	struct str impi, impu;
	/* REGISTER */
	struct str visited;
	bool deregister, emergency;
	bool asked_caps;			/* REGISTRATION_AND_CAPABILITIES went out already */
	/* others: the forms of the identity that the HSS is asked for, in turn (identity.c) */
	struct str form[ASK_MAX_FORMS];
	unsigned n_forms, at_form;
	/* the choice of the S-CSCF */
	struct selection *sel;			/* a reference */
	struct scscf_tried tried;
	bool may_choose;			/* the HSS left the choice to us, or told capabilities: another one may be tried */
	struct cx_caps *caps;			/* NULL: none came */
	/* how the last one failed */
	unsigned last_status;			/* 408 silent, 503 not reached, or what it said */
	struct sip_msg *last;			/* a reference; NULL: it said nothing */
	bool rings;				/* a 1xx went to the caller: nobody else is tried */
	uint32_t retry_after_s;			/* as the S-CSCF wishes; 0: selection.retry_after_s */
};

/* The proxy of a request, not started.  NULL after an answer. */
struct icscf_ask *icscf_ask_new(struct icscf_worker *iw, struct tx_server *st, struct sip_msg *m, enum icscf_procedure proc);
void icscf_ask_free(struct icscf_ask *a);		/* from proxy_ops.gone */
/* Is the transaction still waiting for us?  A CANCEL may have answered it while the HSS was thinking (row D11). */
bool icscf_ask_open(const struct icscf_ask *a);
/* An answer of ours.  retry: with Retry-After.  why is for the log, and goes into Warning when the fault is the network's:
 * what the HSS knows of an identity is nobody's business (403, 404, 480). */
void icscf_refuse(struct icscf_ask *a, unsigned status, bool retry, const char *why);
/* Would this answer tell one outside who is a subscriber and who is registered (SEC-06)? */
bool icscf_hides(const struct icscf_ask *a, unsigned status);
void icscf_outcome(const struct icscf_ask *a, const char *outcome, struct str scscf);	/* log and figure */
void icscf_attempt(struct str scscf, const char *result);
void icscf_figures_register(void);
void icscf_heard(struct icscf_ask *a, struct str hss);	/* Origin-Host of an answer that leads on: the S-CSCF may be told, RFC 4457 */
void icscf_caps_keep(struct icscf_ask *a, const struct cx_caps *caps);

/* ---- forward.c: on to an S-CSCF, and to the next one when it fails (row I5) ---- */
void icscf_to_named(struct icscf_ask *a, struct str server_name);
void icscf_to_chosen(struct icscf_ask *a);		/* the first one by a->caps */
bool icscf_to_next(struct icscf_ask *a);		/* another one; false: none is left */
void icscf_to_route(struct icscf_ask *a, struct str uri);	/* Route <uri;lr> on top; empty: along Route and Request-URI */
void icscf_answer_last(struct icscf_ask *a);		/* what the last S-CSCF said, or 504 */
extern const struct proxy_ops icscf_proxy_ops;

/* ---- the procedures ---- */
void icscf_request(struct worker *w, struct tx_server *st, struct sip_msg *m);		/* request.c */
void icscf_ack(struct worker *w, struct sip_msg *m);
void icscf_register(struct icscf_worker *iw, struct tx_server *st, struct sip_msg *m);	/* register.c, TS 24.229 §5.3.1 */
/* REGISTRATION_AND_CAPABILITIES; false: it cannot be sent. */
bool icscf_register_ask_capabilities(struct icscf_ask *a);
void icscf_session(struct icscf_worker *iw, struct tx_server *st, struct sip_msg *m);	/* session.c, TS 24.229 §5.3.2 */

/* identity.c: what to ask the HSS for, most likely first; texts in `ar`.  Returns how many, 0: no identity a HSS knows. */
unsigned icscf_identity_forms(const struct icscf *i, struct arena *ar, const struct sip_uri *u, struct str form[ASK_MAX_FORMS]);
bool icscf_is_number(const struct sip_uri *u);		/* tel, or sip with user=phone or a "+..." user */

/* trust.c: TS 24.229 §4.4 */
bool icscf_trusts(const struct icscf *i, const struct sip_flow *from);
bool icscf_is_server(const struct icscf *i, const struct sip_flow *from);	/* may originate for users (row T9) */
void icscf_trust_request(struct sip_out *o);				/* takes out what one from outside may not say */
void icscf_trust_response(const struct sip_msg *m, struct sip_out *o);	/* and what one outside may not hear */

/* charging.c */
void icscf_charging_request(struct icscf_ask *a);	/* an initial request without an ICID gets one */
void icscf_charging_response(const struct icscf_ask *a, struct sip_out *o);

extern const struct http_shape icscf_shapes[];		/* shapes.c */
extern const struct http_route icscf_routes[];		/* rest.c; u is struct icscf */
