/* scscf/registration.h - one private identity at its owner: what registrar.c, auth.c, assign.c, binding.c, accept.c,
 * release.c and push.c share.  Nobody else includes it (rest.c shows it).
 *
 * Work on a registration is done one piece at a time: a piece that waits for the HSS keeps the registration, later ones
 * queue (reliability row REG-03: a REGISTER, a de-registration, an expiry and an RTR that cross never see half of each other). */
#pragma once
#include "common/daemon/stack.h"
#include "common/sip/auth.h"
#include "common/sip/reginfo.h"
#include "common/util/hash.h"
#include "common/util/roll.h"
#include "scscf/registrar.h"

#define REG_MAX_SETS 5u			/* implicit registration sets of one private identity, with the one for emergencies */
#define REG_MAX_QUEUE 16u		/* pieces of work that may wait for one registration; more: 503 */

struct registration;
struct thirdparty;			/* thirdparty.c */
struct auth;				/* auth.c: vectors, challenges */
struct aka;

struct reg_work {
	struct list link;
	void (*run)(struct registration *g, struct reg_work *w);	/* ends in registration_done() */
	void (*drop)(struct reg_work *w);				/* the daemon stops; NULL: nothing to free */
};

struct binding {			/* its texts never change, and views share them */
	struct obj o;
	struct list link;		/* in registration.bindings, least recently refreshed first */
	char *uri, *params;		/* as in struct reg_contact_view */
	char *instance;			/* value of +sip.instance, or "" */
	char *call_id;			/* the display name of the Contact stands behind it: binding_display() */
	char **path;
	unsigned n_path;
	uint32_t cseq, reg_id;		/* reg_id 0: none (RFC 5626 counts from 1) */
	uint16_t q;
	uint8_t event;			/* enum reginfo_event: what happened to it last */
	bool gruu : 1;			/* its REGISTER said that the phone knows them */
	bool home : 1;			/* it came by a P-CSCF of the home network: P-Visited-Network-ID */
	bool moved : 1;			/* it went because its phone registered another address: its sessions go on */
	uint32_t impu_hash;		/* of the identity that was registered, canonical */
	uint64_t expires_ms;		/* on the wheel: a wall clock that is set cannot expire it (reliability row F14) */
};

static inline const char *binding_display(const struct binding *b)	/* or "" */
{
	return b->call_id + strlen(b->call_id) + 1;
}

#define REG_ENDED_PLACES 256u
struct registrar {
	struct scscf_worker *sw;
	struct htab by_impi;
	struct roll all;		/* as they came */
	struct reg_work reporting;	/* the current work of those of whom the HSS is told while nobody waits for it */
	struct list looks;		/* share.c: REGISTERs that wait for the shared store */
	/* Between a change of one registration and its publication, which tells subscribers: */
	struct list ended;		/* bindings that went */
	bool restoring;			/* what is put back needs not be kept anew: keep.c */
	bool only_refreshed;		/* a re-registration that changed nothing else */
	uint64_t ended_ms[REG_ENDED_PLACES];	/* restoration.c: when one ended here, by the hash of its private identity; several may share a place */
};

struct assign_result {
	unsigned status;		/* 0: done; else what the phone should hear */
	bool retry_after;
	const char *cause, *why;
	struct profile *profile;	/* borrowed: of User-Data; NULL: none came */
	const char *pcfa;		/* borrowed; NULL: none came */
	struct dia_result dia;
};
typedef void (*assign_fn)(void *arg, const struct assign_result *r);

struct registration {
	struct hnode node;
	struct roll_entry at;		/* in registrar.all: order for REST pages */
	struct registrar *r;
	uint64_t id;			/* random; in our Service-Route token */
	uint32_t impu_hash;		/* of the identity that it began with, canonical */
	uint8_t n_spare;
	uint8_t hss;			/* which HSS answered for this user: index into scscf.hss_name from 1; 0: not known */
	uint8_t set;			/* which of its private identity's: the lowest number that was free */
	bool emergency : 1;		/* TS 24.229 §5.4.8: a registration of its own, beside the others */
	bool foreign : 1;		/* another instance wrote it last: it ends it, too */
	struct reg_work *current;
	struct list queue;
	uint8_t n_queued;
	uint8_t asking_type;		/* enum cx_sar_type of the SAR that is out */
	uint16_t n_bindings;
	uint32_t kept_sequence;		/* store_sequence() of its last record */
	struct auth *auth;		/* while something is asked or must be remembered; else NULL */
	struct aka *spare;		/* vectors that were not used yet, n_spare of them */
	struct {			/* the SAR that is out: at most one, the current work's */
		assign_fn fn;
		void *arg;
		struct reg_job *job;	/* of assign_register(); else NULL */
		char *impu;		/* sent to the HSS by its name, so that it can be asked by realm; else NULL */
	} asking;
	struct profile *profile;	/* NULL: not registered */
	struct profile *leaving;	/* over, but may be kept for the services of a user who is not registered: release_begin() */
	struct list bindings;
	struct timer expiry;		/* of the binding that ends first */
	struct reg_work expiry_work;
	uint64_t registered_wall_us;
	uint64_t proven_ms;		/* when the phone last answered a challenge; on the wheel */
	uint32_t unchallenged;		/* re-registrations since then */
	uint32_t accepted_s;		/* when the last REGISTER got a 200; on the wheel */
	uint64_t accepted;		/* and its fingerprint */
	struct thirdparty *thirdparty;	/* NULL: no application server was told of it */
	char *pcfa;			/* value of P-Charging-Function-Addresses from the SAA; NULL: none */
	char impi[];
};

/* ---- registrar.c ---- */
/* A private identity may have several implicit registration sets (TS 23.228 §5.2.1a): a registration each, of one owner. */
struct registration_sets {
	struct str impi;
	unsigned n;
	struct registration *v[REG_MAX_SETS];
};
void registration_sets(struct registrar *r, struct str impi, struct registration_sets *ret);
struct registration *registration_find(struct registrar *r, struct str impi);		/* any of them, not that for emergencies; NULL: none */
/* The set that the identity is in, or that it began; made when there is none.  NULL: out of memory, or too many sets. */
struct registration *registration_get(struct registrar *r, struct str impi, struct str impu, bool emergency);
/* The HSS says that these identities are g's: another set of the same private identity that has one of them is over. */
void registration_supersede(struct registration *g);
/* Runs w now, or when what is before it is done.  0, -EBUSY (REG_MAX_QUEUE). */
int registration_do(struct registration *g, struct reg_work *w);
/* The current piece is done: the next one runs; a registration that is nothing any more goes.  g may be gone after it. */
void registration_done(struct registration *g);
/* A timer has run out: its work is done now or in its turn; when too much waits, the timer starts again. */
void registration_timed(struct registration *g, struct timer *t, struct reg_work *w);
/* Shows the others what it is now, and sets the timer of the next expiry.  0, -ENOMEM, -ENOSPC. */
int registration_publish(struct registration *g);
/* Not registered any more: bindings, profile and unused vectors go, nobody finds it.  event: what subscribers hear about its
 * contacts. */
void registration_clear(struct registration *g, enum reginfo_event event);
/* Tells those who watch the identities of p what is published now, and which bindings ended: tell.c. */
void registration_tell(struct registration *g, const struct profile *p);
static inline uint64_t registration_now_ms(const struct registration *g)
{
	return g->r->sw->w->wheel->now_ms;
}
static inline struct scscf *registration_scscf(const struct registration *g)
{
	return g->r->sw->s;
}
bool registration_visits_home(const struct scscf *s, const struct sip_msg *m);	/* by a REGISTER's P-Visited-Network-ID */
void registration_outcome(const char *kind, const char *cause);			/* counts one */

/* ---- a REGISTER: register.c makes it on the transaction's worker and takes the answer back ---- */
struct binding_change {
	struct str uri, params, instance, display;
	struct sip_uri parsed;
	uint32_t expires_s, reg_id;
	uint16_t q;
};
struct binding_plan {			/* what the Contacts of a REGISTER ask for: RFC 3261 §10.3 */
	enum { BIND_FETCH, BIND_UPDATE, BIND_REMOVE_ALL } kind;
	unsigned n, n_path;
	bool gruu;			/* Supported: gruu */
	bool outbound;			/* its reg-id counts: RFC 5626 §6 */
	bool home;			/* P-Visited-Network-ID names the home network */
	bool emergency;			/* the contact is for emergencies: URI parameter sos (TS 24.229 §5.1.6) */
	struct binding_change *change;
	struct str impu;		/* the identity that registers, canonical */
	struct str path[REG_MAX_PATH];
};
struct reg_job {
	struct reg_work work;		/* first */
	struct scscf *s;
	struct worker *from, *owner;	/* the transaction's worker; the registration's */
	struct tx_handle h;
	struct sip_msg *m;		/* a reference; read only: the transaction's worker may write into its arena */
	struct str impi, impu;		/* impu canonical; both in m's arena */
	struct str correlation;
	struct auth_params auth;	/* empty when there is none */
	struct binding_plan plan;
	struct registration *g;		/* on the owner */
	uint64_t fingerprint;		/* 0: none */
	const char *kind;		/* "initial", "refresh", "deregistration", "fetch" */
	uint64_t began_us;
	bool stale;			/* auth.c: the challenge that the HSS's vector is for */
	bool resync;			/* auth.c: the HSS was asked with AUTS */
	bool scheme_refused;		/* auth.c: the HSS does not know AKAv2 by name */
	enum { GIBA_NOT, GIBA_ASKED, GIBA_REFUSED } giba;	/* auth.c: the HSS was asked for the phone's address; it has none */
	struct str hss;			/* which HSS is to be asked while none has answered for the user; in m */
	struct addr source;		/* auth.c: where it came from, when a trusted node says so; else not set */
	char *auth_info;		/* line of the 200: what the server proves; NULL: none */
	const char *reason;
};
/* Answers, logs the outcome in words, counts it.  cause: short and fixed; why: a sentence, or NULL.  extra: header
 * lines, or empty.  The job stays the caller's. */
void reg_job_answer(struct reg_job *job, unsigned status, const char *cause, const char *why, struct str extra);
/* The same with Retry-After: somebody behind us failed (row D2). */
void reg_job_answer_later(struct reg_job *job, unsigned status, const char *cause, const char *why);
void reg_job_free(struct reg_job *job);

/* ---- binding.c ---- */
int binding_plan_make(struct sip_msg *m, const struct reg_config *c, struct binding_plan *ret, const char **reterr);	/* 0, -EBADMSG, -ENOMEM, -ENOTSUP (439) */
bool binding_too_brief(const struct binding_plan *p, const struct reg_config *c);	/* 423 */
bool binding_out_of_order(const struct registration *g, const struct binding_plan *p, const struct sip_msg *m);
bool binding_known(const struct registration *g, const struct binding_plan *p);	/* all contacts are bound already */
bool binding_leaves_some(const struct registration *g, const struct binding_plan *p);
int binding_apply(struct registration *g, const struct binding_plan *p, const struct sip_msg *m);	/* 0, -ENOMEM: nothing changed */
bool binding_is_same(const struct binding *b, const struct binding_change *c);	/* of the same phone, or the same address */
/* Both name an instance and a flow of it (RFC 5626): these alone are compared. */
bool binding_has_flow(const struct binding *b, struct str instance, uint32_t reg_id);
/* The same contacts with the same Path as there are: nothing to be told to the HSS. */
bool binding_unchanged(const struct registration *g, const struct binding_plan *p);
/* One contact as the HSS kept it.  0, -EBADMSG, -ENOMEM. */
int binding_take_up(struct registration *g, struct str impu, const struct cx_restored *c, struct arena *a);
unsigned binding_expire(struct registration *g, uint64_t now_ms);		/* how many went */
void binding_drop(struct registration *g, struct binding *b, enum reginfo_event event);	/* REGINFO_NONE: nobody is told */
void binding_drop_all(struct registration *g, enum reginfo_event event);
uint64_t binding_next_ms(const struct registration *g);				/* UINT64_MAX: none */
/* Contact lines of the 200; GRUUs are those of the identity `as`, NULL: none. */
void binding_write_contacts(const struct registration *g, const struct profile_identity *as, struct buf *out);

/* ---- auth.c ---- */
void auth_run(struct reg_job *job);			/* challenges, refuses, or goes on with accept_run() */
void auth_forget(struct registration *g);		/* vectors and challenges */
void auth_forget_unused(struct registration *g);	/* what no phone is answering now */
bool auth_pending(const struct registration *g);	/* a challenge waits for its answer */

/* ---- assign.c ---- */
bool assign_wanted(const struct scscf *s, enum cx_sar_type t);		/* does this HSS bear it? */
/* One completion, perhaps at once when nothing could be sent. */
void assign_send(struct registration *g, enum cx_sar_type t, struct str impu, assign_fn fn, void *arg);
/* Destination-Host, TS 29.228 §6.1: who answered for the user before is asked again; empty: the realm is.  hss_learn: what an answer said. */
struct str hss_host(const struct registration *g);
void hss_learn(struct registration *g, struct str host);
/* The HSS that was asked by its name is away, or has too much to do (RFC 6733 §7.1.3): any other one of the realm may. */
bool hss_is_away(const struct dia_result *r);
/* What an I-CSCF says of it: P-User-Database, RFC 4457.  Anybody can: it serves for that one REGISTER, and is not learned. */
struct str hss_named(const struct sip_msg *m);
/* The SAR of a REGISTER that is about to bind its contacts. */
void assign_register(struct reg_job *job, enum cx_sar_type t, assign_fn fn);
/* Value of P-Charging-Function-Addresses (RFC 7315 §4.5) from primary and secondary CCF, ECF.  malloc'd; NULL: none. */
char *charging_addresses(const struct str address[4]);
/* A Cx result as a SIP status; 0: good.  Also for MAA. */
struct cx_verdict {
	unsigned status;
	bool retry_after;
	const char *cause, *why;
};
struct cx_verdict cx_judge(const struct dia_result *r, enum hss_profile hss);
/* Reports to the HSS and then ends the current work of g, whatever the HSS says. */
void assign_report(struct registration *g, enum cx_sar_type t, struct str impu);

/* ---- accept.c ---- */
void accept_run(struct reg_job *job);			/* the phone is who it says */
/* It came before, and was accepted: our neighbour sends it again because we were slow (RFC 3261 §16.7, TS 24.229 §5.3.1.3).  The same
 * fingerprint means: the same request by the same way up to our neighbour, whose own branch differs.  So a replay is none: it comes through
 * a transaction of its own at the P-CSCF. */
bool accept_is_repeated(const struct reg_job *job);
void accept_repeat(struct reg_job *job);		/* the same 200 as things stand; nothing changes */

/* ---- thirdparty.c: application servers are told, TS 24.229 §5.4.1.7 ---- */
/* The phone has its 200, of which `answer` are the header lines. */
void thirdparty_registered(struct registration *g, const struct reg_job *job, struct str answer);
/* The registration is about to end: before its profile goes.  job: the phone's own de-registration, or NULL. */
void thirdparty_ended(struct registration *g, const struct reg_job *job);
void thirdparty_forget(struct registration *g);

/* ---- restoration.c: TS 23.380 ---- */
bool restoration_wanted(const struct scscf *s);
bool restoration_is_kept(struct scscf *s);		/* and the HSS has said that it does */
void restoration_ended(const struct registration *g);	/* its contacts are about to go: what the HSS says of them for a while is old */
void restoration_make(const struct reg_job *job, struct arena *a, struct cx_restoration *ret);	/* texts in `a` */

/* ---- release.c ---- */
/* The HSS knows of one registration for each implicit set.  A normal one and one for emergencies are both it (TS 24.229 §5.4.8): while either
 * stands the HSS must lead calls here, the PSAP's too, and is told nothing.  impu: any identity of g's set. */
bool release_others_stand(const struct registration *g, struct str impu);
/* The last contact goes: cleared, and how the HSS is told.  With registrar.keep_server_name it is asked to let the user stay with us. */
enum cx_sar_type release_begin(struct registration *g, enum cx_sar_type plain, enum reginfo_event event);
void release_end(struct registration *g, const struct assign_result *r);	/* what it said: back as an unregistered one, or gone */
void release_expired(struct registration *g, struct reg_work *w);	/* run of expiry_work */
