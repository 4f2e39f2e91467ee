/* scscf/session.h - what the files of the call path share: TS 24.229 §5.4.3.
 *
 * A request comes in as struct session_in (scscf.h); the procedure edits in->out, finds targets and calls session_start().
 * Then struct session goes along with the proxy until the request's transaction ends.  It and all its texts live in the
 * arena of the request, which the proxy keeps: nothing here is freed on its own, and no view is held. */
#pragma once
#include "common/sip/charging.h"
#include "scscf/criteria.h"
#include "scscf/scscf.h"

/* Flags of our Record-Route tokens: whose side of the call this node stood on (TS 24.229 §5.4.3.2, §5.4.3.3). */
enum session_side { SIDE_DIALOG = 0, SIDE_ORIGINATING = 1, SIDE_TERMINATING = 2 };

/* Their aux; the upper octet is the caller's tag, see charging_tag(). */
#define TOKEN_AUX_OUTSIDE 1u	/* the other side is outside of the trust domain (TS 24.229 §4.4) */
#define TOKEN_AUX_ABROAD 2u	/* a side is not of the home network */
#define TOKEN_AUX_FROM_AS 4u	/* beside us toward the caller is an application server */
#define TOKEN_AUX_TO_AS 8u	/* toward the callee */

#define SESSION_MAX_ROUTES 256u		/* rows of sessions.routes */
#define SESSION_MAX_BUDGETS 64u		/* rows of sessions.as_budgets */
#define SESSION_NON_INVITE_WAIT_MS 28000u	/* below 64*T1, so that an answer of ours is heard: RFC 4320 §4.2 */
#define SESSION_OUTER_WAIT_MS 2000u	/* so much longer waits the side that is nearer to the caller */
#define SESSION_AS_WAIT_MS 5000u	/* sessions.as_wait_ms, as_hold_s when there is no configuration */
#define SESSION_AS_PROGRESS_MS 20000u	/* sessions.as_progress_ms likewise */
#define SESSION_AS_HOLD_S 10u
#define SESSION_MAX_CONTACTS (REG_MAX_CONTACTS * REG_MAX_SHARED)	/* of one address of record */
#define NUMBER_MAX_DIGITS 64u		/* E.164 has 15; local numbers may be longer; more: 484 */
#define NUMBER_MAX_FORMS 5u		/* readings of one dialled number */
#define SESSION_ROUTE_WAIT_MS 4000u	/* sessions.route_wait_ms when there is no configuration */
#define ROUTE_MAX_TRIES 8u		/* rows of sessions.routes tried for one request */
#define ROUTE_MAX_HEADERS 32u		/* of a row's header profile */

struct session_route {			/* sessions.routes[]: a row of the BGCF's table, TS 24.229 §5.6.2 */
	struct str prefix;		/* of a number, "+44"; "+": every global one.  Empty: the row is for a domain */
	struct str domain;		/* host of the Request-URI */
	struct str next_hop;		/* "<sip:...;lr>" */
	bool trusted;
	uint32_t priority, weight;	/* among rows for the same: the least priority first, equal ones by chance */
	const struct cfg_node *node;	/* its header profile: strip_headers, add_headers */
};
struct session_budget {			/* sessions.as_budgets[] */
	struct sip_uri server;
	uint32_t wait_ms;
};
struct session_config {			/* sessions.*; texts borrowed from the configuration */
	struct str country_code, area_code, national_prefix, international_prefix;
	struct str enum_suffix;		/* empty: ENUM is not asked */
	uint32_t short_digits;		/* so long a number is short, and not completed */
	uint32_t route_wait_ms;
	const struct cfg_node *root;
	struct session_route *routes;
	size_t n_routes;
	uint32_t non_invite_wait_ms;
	uint32_t as_wait_ms, as_progress_ms, as_hold_s, max_session_s, max_per_user;
	bool end_with_contact;
	struct str dummy_server;	/* criteria that name it want no server, but count; empty: none */
	bool refuse_without_service;	/* 403 when no criterion wants a request */
	struct session_budget *budgets;
	size_t n_budgets;
};
struct http_req;
extern const struct cfg_row scscf_session_schema[];
/* Checks what rows cannot; appends mistakes. */
void session_config_check(const struct cfg *c, struct buf *errors);
/* c must live as long.  0 or -ENOMEM; *ret is to be freed in both cases. */
int session_config_new(const struct cfg *c, struct session_config **ret);
void session_config_free(struct session_config *c);
/* How long that application server (ServerName) may say nothing; c may be NULL.  Row T8. */
uint32_t session_config_as_wait(const struct session_config *c, struct str server);
bool session_config_trusts_domain(const struct session_config *c, struct str host);
bool session_config_has_service(const struct session_config *c, struct str urn);	/* may our users have that service? (row T11) */
bool session_config_is_as(const struct session_config *c, const struct sip_flow *from);
bool session_config_may_originate(const struct session_config *c, const struct sip_flow *from);	/* may send `orig` (row T9): one of them, or its I-CSCF */

struct session_target {
	struct str ruri;		/* empty: stays */
	struct str route[4];		/* pushed, [0] topmost */
	unsigned n_routes, q;
	uint32_t wait_ms;		/* for any answer at all; 0: no limit */
	uint32_t progress_ms;		/* INVITE: for more than 100; 0: no limit */
	bool trusted;			/* inside the trust domain (TS 24.229 §4.4) */
	bool abroad;			/* not of the home network */
	uint64_t id;			/* registration whose side our Record-Route stands for */
	const struct session_route *trunk;	/* a row of sessions.routes; NULL: none */
	bool found;			/* by ENUM */
	struct as_call *as;		/* services.c: an application server; NULL: the way on */
	struct session_target *other_flow;	/* another way to the same phone, when this one is broken (RFC 5626 §7) */
	struct session_target *next;
};
enum session_mode {
	SESSION_FORK,			/* all targets, by q */
	SESSION_IN_TURN,		/* the next one when the one before does not know the user */
};

struct session {
	struct scscf_worker *sw;
	enum session_side side;
	enum sip_method method;
	struct str served;		/* public identity */
	struct str called;		/* the Request-URI as it came */
	struct str served_uri;		/* what application servers hear of the served user: of a wildcarded identity the one that is meant */
	struct charging_vector charging;	/* of the request, as it came; its icid is there but within a dialog */
	enum charging_ioi upstream, downstream;	/* of what kind the neighbours are; an application server that is asked: its target says */
	bool upstream_home;		/* the request came from within the home network */
	struct str pcfa;		/* the served user's charging functions; empty: none are known */
	bool record;			/* we stay on the route */
	bool answered;
	bool from_phone, at_phones;	/* it comes from a phone of ours; it went to the contacts of one */
	bool given_up;			/* session_give_up() */
	struct list invite;		/* INVITE: in scscf_worker.invites */
	struct session_target *next;	/* SESSION_IN_TURN: what is left */
	struct timer deadline;		/* non-INVITE: sessions.non_invite_wait_ms */
	struct proxy *p;
	/* translate.c */
	struct resolver_query *query;	/* ENUM was asked and has not answered */
	struct translation *found;	/* what it said; NULL: not asked yet */
	/* services.c */
	struct session_in *in;		/* what the services began with; NULL: there are none to run */
	struct criteria *criteria;	/* a reference, until gone; NULL: none */
	struct as_call *as;		/* the application server that was asked last; NULL: none */
	uint64_t user_id;		/* registration of the served user */
	uint8_t user_identity;		/* index in its profile */
	bool user_registered;
	bool fallback;			/* criteria is that of scscf.fallback */
	enum session_case scase;
};

/* ---- session.c ---- */
/* NULL when out of memory: 500 was answered. */
struct session *session_new(struct scscf_worker *sw, struct session_in *in, enum session_side side, struct str served);
void session_start(struct session *s, struct session_in *in, struct session_target *first, enum session_mode mode);
/* Answers by ourselves (refuse.h), and counts it for this path.  extra: header lines. */
void session_refuse(struct session_in *in, unsigned status, const char *why, struct str extra);
void session_refuse_as(struct session_in *in, const struct refusal *r);
struct session_target *session_target_new(struct session_in *in);	/* zeroed; NULL when out of memory */
/* Starts it without a target, which session_more() brings; until proxy_release() nothing ends it but the caller.  false: refused. */
bool session_hold(struct session *s, struct session_in *in);
/* A copy of `in` in the request's arena.  NULL when out of memory. */
struct session_in *session_in_keep(const struct session_in *in);
/* From branch_failed, or held: more targets for a session that was started. */
void session_more(struct session *s, struct session_target *first, enum session_mode mode);

/* An INVITE that nobody has answered ends: CANCEL goes on, the status back. */
void session_give_up(struct session *s, unsigned status, const char *why);

/* ---- charging.c: P-Charging-Vector, P-Charging-Function-Addresses, Relayed-Charge ---- */
void charging_begin(struct session *s, const struct session_in *in);
void charging_user(struct session *s, struct arena *a, const struct reg_view *v);	/* what the served user's registration says */
void charging_request(struct session *s, const struct session_target *t, struct sip_out *o);	/* about to be sent, before the border */
void charging_response(const struct session *s, const struct session_target *t, struct sip_out *o);	/* behind the border */
uint8_t charging_tag(struct str tag);
uint16_t charging_aux(const struct session *s, const struct session_target *to, struct str caller_tag);	/* TOKEN_AUX_..., but for OUTSIDE */

/* ---- number.c: RFC 3966, TS 23.228 §5.3.2 ---- */
struct number {
	char text[NUMBER_MAX_DIGITS + 2];	/* no visual separators; global ones begin with '+' */
	struct str s;
	char context[256];			/* phone-context, or "" */
	bool npdi;				/* portability was looked up already: RFC 4694 §5 */
	char rn[NUMBER_MAX_DIGITS + 2];		/* routing number as a global one, or "" */
	const char *reading;			/* of number_forms(): why it may mean that, for people */
};
/* The telephone number that a tel URI, or a sip URI with user=phone or with nothing but a number in its user part, names.
 * 0; -ENOENT (none), -ENOSPC (too long). */
int number_from_uri(const struct sip_uri *u, struct number *ret);
/* What a dialled number can mean, likeliest first: global numbers ("+49..."), last the digits as they are.  Returns how many. */
unsigned number_forms(const struct session_config *c, const struct number *n, struct number ret[NUMBER_MAX_FORMS]);
/* The first global reading: ENUM knows no others.  false: there is none. */
bool number_global(const struct session_config *c, const struct number *n, struct number *ret);

/* ---- translate.c: ENUM, RFC 6116 ---- */
struct translation {
	unsigned n;
	struct {
		struct str text;	/* sip or sips; pstn: tel, too */
		bool pstn;
	} uri[4];
};
/* Asks ENUM for a number in in->ruri.  true: onward(s, in) is called once the answer is there (s->found); false: there is nothing to
 * ask or to wait for. */
bool translate(struct session *s, struct session_in *in, void (*onward)(struct session *s, struct session_in *in));
void translate_gone(struct session *s);

/* ---- nexthop.c ---- */
bool nexthop_is_home(const struct scscf_worker *sw, struct str host);	/* a name in the home domain, or an alias of it */
/* Where in->ruri leads; a list of targets to be tried in turn.  found: what ENUM said, or NULL.  0, or the status to refuse with and
 * *why. */
unsigned nexthop_find(struct scscf_worker *sw, struct session_in *in, const struct translation *found, struct session_target **ret,
		      const char **why);
/* The number that in->ruri stands for when it may have to be translated: no Routes left, tel or of the home domain. */
bool nexthop_number(struct scscf_worker *sw, const struct session_in *in, struct number *ret);

/* ---- breakout.c: the table of a BGCF, TS 24.229 §5.6.2 ---- */
/* Rows for a number (longest prefix), or for a domain, in the order to be tried.  Returns how many. */
unsigned breakout_number(const struct scscf_worker *sw, struct str number, const struct session_route *ret[ROUTE_MAX_TRIES]);
unsigned breakout_domain(const struct scscf_worker *sw, struct str host, const struct session_route *ret[ROUTE_MAX_TRIES]);
void breakout_branch(const struct session_route *r, struct sip_out *o);	/* its header profile */
/* Did the trunk fail, so that another one may do better?  It is held for sessions.as_hold_s then. */
bool breakout_failed(struct scscf_worker *sw, const struct session_route *r, unsigned status, const struct sip_msg *m);
void shared_sets_list(void *u, struct http_req *r);			/* sets_rest.c: GET /api/v1/shared-ifc-sets */
void shared_sets_show(void *u, struct http_req *r);			/* the same, /{setId} */
void shared_sets_put(void *u, struct http_req *r);
void shared_sets_delete(void *u, struct http_req *r);
void profiles_show(void *u, struct http_req *r);			/* profiles_rest.c: GET /api/v1/profiles/{impu} */
void profiles_put(void *u, struct http_req *r);
void profiles_ifc(void *u, struct http_req *r);
void ifc_check(void *u, struct http_req *r);				/* POST /api/v1/ifc/check */
void application_servers(void *u, struct http_req *r);
void routing_enum(void *u, struct http_req *r);				/* breakout.c: GET /api/v1/routing/enum */
void breakout_list(void *u, struct http_req *r);				/* GET /api/v1/routing/routes */

/* ---- border.c: the trust domain and privacy ---- */
void border_request(const struct session_target *t, struct sip_out *o);
void border_response(const struct session_target *t, struct sip_out *o);
/* RFC 3323 §5: false: the privacy that the request calls critical cannot be given on the way to that target. */
bool border_may_leave(const struct session_target *t, const struct sip_msg *m);
/* P-Preferred-Service to P-Asserted-Service, RFC 6050. */
void border_service(struct scscf_worker *sw, struct session_in *in);

/* ---- wildcard.c: wildcarded identities, TS 23.003 §13.4A, §13.5 ---- */
bool wildcard_is(const struct profile_identity *id);
bool wildcard_fits(struct str wildcard, struct str aor);		/* "sip:chat-!.*!@home": is aor one of them? */
const struct profile_identity *wildcard_find(const struct profile *p, struct str aor);

/* ---- ending.c: sessions ended by the network, TS 24.229 §5.4.5 ---- */
void ending_watch(struct scscf_worker *sw);			/* keeps what it takes; sessions.max_session_s */
/* Ends every session of a Call-ID: a confirmed one by BYEs with that value of Reason (RFC 3326), one that rings by CANCEL and that status.
 * Returns how many. */
unsigned ending_call(struct scscf_worker *sw, struct str call_id, struct str reason, unsigned status);
bool ending_dialog(struct scscf_worker *sw, struct str call_id, uint64_t id, struct str reason, const char *by);
void ending_route(void *u, struct http_req *r);			/* ending_rest.c: DELETE /api/v1/dialogs/{callId} */

/* ---- legs.c: sessions end with the contact that they are of, TS 24.229 §5.4.1.4.1, §5.4.1.5, §5.4.5.1 ---- */
/* This INVITE comes from, or goes to, phones of that registration. */
void legs_add(struct scscf_worker *sw, const struct sip_msg *invite, uint64_t id, enum session_side side);
int legs_new(struct scscf_worker *sw);
void legs_free(struct scscf_worker *sw);
bool legs_maybe(const struct scscf_worker *sw, uint64_t id);	/* from any thread: may that worker have some? */
struct legs_gone {			/* contacts of a registration that ended; a reference of the arena for each worker that hears of it */
	struct arena *arena;
	const struct token_key *key;
	uint64_t id;
	unsigned n;
	struct reg_contact_view *contact;	/* uri, params, call_id */
};
void legs_gone_here(struct worker *w, void *gone);	/* on each worker */
struct registration;
/* What has ended of g now, but for phones that are still here; on its owner.  A reference of its arena; NULL: out of memory. */
struct legs_gone *legs_gone_new(const struct registration *g);
static inline bool legs_wanted(const struct scscf *s)	/* sessions.end_with_contact */
{
	return !s->sessions || s->sessions->end_with_contact;
}

/* ---- limits.c: sessions.max_per_user ---- */
/* A place for an INVITE of that registration.  false: there is none left, it was refused. */
bool limits_take(struct scscf_worker *sw, struct session_in *in, uint64_t id, enum session_side side);

/* ---- held.c: servers that failed just now, for all workers ---- */
void held_set(struct scscf_worker *sw, struct str server, uint32_t hold_s);
bool held_is(const struct scscf_worker *sw, struct str server);

/* ---- services.c: initial filter criteria and application servers ---- */
/* Runs the services of a user from criterion `from` on: the request goes to the next application server that wants it, or, when
 * there is none, on its way. */
void services_run(struct session *s, struct session_in *in, const struct reg_view *v, const struct profile_identity *id,
		  enum session_case c, unsigned from);
void services_return(struct scscf_worker *sw, struct session_in *in);	/* in->token is an original dialog identifier */
/* What session.c tells of a branch to an application server. */
void services_branch(struct session *s, const struct as_call *c, struct sip_out *o);	/* about to be sent */
void services_response(struct session *s, struct as_call *c, const struct sip_msg *m);
bool services_waited(struct session *s, struct as_call *c);		/* its time without an answer: is it to be given up? */
bool services_failed(struct session *s, struct as_call *c, unsigned status, const struct sip_msg *m);	/* true: others are tried */
void services_gone(struct session *s);
bool services_odi_term(const struct token *odi);			/* is an original dialog identifier of a terminating case? */
bool services_term(enum session_case c);				/* one of the terminating cases */

/* ---- terminating.c ---- */
/* The contacts of a user of ours.  0, or the status to refuse with and *why. */
unsigned terminating_targets(struct session *s, struct session_in *in, struct session_target **ret, const char **why);
/* A request within a dialog to a GRUU of a phone of ours: the URI of its contact (TS 24.229 §5.4.7A), in the message's arena; empty: none. */
struct str terminating_gruu(struct scscf_worker *sw, struct session_in *in);
/* Is `u` a name of this user (another form or alias of it)?  TS 24.229 §5.4.3.3: else somebody retargeted. */
bool terminating_names(struct scscf_worker *sw, const struct sip_uri *u, const struct reg_view *v, const struct profile_identity **ret);
