/* scscf/registrar.h - the registrations that one worker owns: TS 24.229 §5.4.1, §5.4.1.2.
 *
 * One struct registration per private identity: authentication (auth.c), server assignment (assign.c), bindings
 * (binding.c), timers.  Requests for it come by worker_call() from the worker of the REGISTER's transaction; the answer
 * goes back the same way and is written there.  Cx answers come back here, so everything below runs on one thread. */
#pragma once
#include <stdatomic.h>
#include "scscf/scscf.h"

enum reg_qop { REG_QOP_NONE, REG_QOP_AUTH, REG_QOP_AUTH_INT, REG_QOP_BOTH };
struct reg_config {			/* registrar.*; names as in the configuration */
	uint32_t default_expires_s, min_expires_s, max_expires_s;
	uint32_t emergency_max_expires_s;	/* of a registration for emergencies */
	uint32_t expires_spread_percent;	/* taken off at random */
	uint32_t max_contacts;		/* per registration */
	uint32_t await_auth_s;		/* reg-await-auth, TS 24.229 §7.8: 240 */
	uint32_t vectors;		/* asked for in one MAR: 1..CX_MAX_VECTORS */
	uint32_t max_resyncs;		/* AUTS answers in a row before 403 */
	uint32_t challenge_reuse_s;	/* an unanswered challenge is sent again that long instead of a new one */
	uint32_t nonce_lifetime_s;	/* SIP Digest */
	enum reg_qop qop;
	bool sar_on_refresh;		/* SAR RE_REGISTRATION when nothing changed */
	bool challenge_refresh;		/* challenge re-registrations that are not integrity protected */
	uint32_t challenge_after_s;	/* protected re-registrations: challenged when the last proof is older; 0: never for that */
	uint32_t challenge_every;	/* and each so many-th; 0: never for that */
	bool restoration;		/* the HSS is to keep what a restart forgets */
	bool gruu;			/* phones that know them get GRUUs */
	bool outbound_required;		/* 439, where the first hop has no flows */
	char *feature_caps;		/* value of Feature-Caps in the 200, RFC 6809; NULL: none */
	bool akav2;			/* with phones that ask for it */
	const char *giba;		/* scheme to ask the HSS by; NULL: off */
	struct networks *giba_trusted;	/* P-CSCFs and I-CSCFs */
	bool allow_unprotected_aka;	/* AKA without an IPsec association: lab */
	bool keep_server_name;		/* who leaves stays ours for the services of unregistered users, when the HSS agrees */
	uint32_t unregistered_keep_s;	/* the profile of a user who is not registered */
	uint32_t restart_grace_s;	/* what ended while we were away ends so long after the start */
	uint32_t retry_after_s;		/* with 503/504 when the HSS is silent */
	uint32_t subscription_min_s, subscription_max_s;	/* to registration state */
	uint32_t reauth_expires_s;	/* network-initiated re-authentication leaves contacts so long */
	uint32_t third_party_min_s;	/* between two REGISTERs to an application server that takes it for less time */
	bool notify_refresh;		/* a NOTIFY for a re-registration that changed nothing */
	bool notify_partial;		/* only what changed, once the whole state was told */
	const struct cfg_node *root;	/* registrar.reg_event_subscribers; NULL: none */
	struct cfg *keeps;		/* what root is of: a reference */
	atomic_uint readers;		/* workers that may still read it once there is a newer one */
};

struct registrar *registrar_new(struct scscf_worker *sw);
void registrar_free(struct registrar *r);
size_t registrar_count(const struct registrar *r);

void registrar_job_here(struct worker *owner, void *job);	/* once it is known what other instances have */
void registrar_job(struct worker *owner, void *job);		/* fn of worker_call(): struct reg_job of registration.h */

/* REST and RTR: de-registration by the network (§5.4.1.5).  `impus` empty: the whole registration.  done runs on the owner. */
enum reg_dereg_cause { REG_DEREG_ADMIN, REG_DEREG_RTR_PERMANENT, REG_DEREG_RTR_NEW_SERVER, REG_DEREG_RTR_SERVER_CHANGE,
		       REG_DEREG_RTR_REMOVE };
struct reg_dereg_result {
	bool found;			/* there was such a registration */
	struct dia_result hss;		/* REG_DEREG_ADMIN: what the HSS said */
	const char *emergency;		/* identity of the registration for emergencies that stays; until done returns; NULL: none */
};
/* Has the owner of `impi` de-register; on any thread of ours.  SAR is sent for REG_DEREG_ADMIN only (the HSS knows of the
 * others already).  The registration is gone before the HSS answers.  done may be NULL; it runs on the owner's worker.
 * 0; -EAGAIN, -ENOMEM: done is not called. */
int registrar_deregister(struct scscf *s, struct str impi, const struct cx_strs *impus, enum reg_dereg_cause cause,
			 void (*done)(void *arg, const struct reg_dereg_result *r), void *arg);
/* The profile of a user who is not registered (SAR UNREGISTERED_USER): shown to all without a contact, for unregistered_keep_s; one
 * that is there already stays.  done on the owner's worker: 0, -ENOMEM, -ENOSPC, -EBUSY.  0; -EAGAIN, -ENOMEM: done is not called. */
int registrar_adopt(struct scscf *s, struct str impi, struct profile *p, void (*done)(void *arg, int rc), void *arg);
/* What the HSS kept of a registration (restoration.c): its contacts and the profile are taken up, unless the user has registered again.
 * impu: canonical.  id: that it had; 0: any.  done and result like the above. */
int registrar_restore(struct scscf *s, const struct cx_restoration *what, struct str impu, struct profile *p, uint64_t id,
		      void (*done)(void *arg, int rc), void *arg);
/* PPR: a new profile, new charging addresses, or both for a registered user (TS 29.228 §6.2.2).  Texts are copied; xml, pcfa
 * may be empty.  done on the owner's worker: 0, -ENOENT, -EBADMSG, -EFBIG, -ENOMEM, -ENOSPC.  Returns like the above. */
int registrar_push_profile(struct scscf *s, struct str impi, struct str xml, struct str pcfa, void (*done)(void *arg, int rc),
			   void *arg);
/* One page for REST, on the owner's thread (stack_gather_page); and one registration as JSON, NULL when unknown here. */
void registrar_list(struct worker *w, struct gather *g);
cJSON *registrar_show(struct registrar *r, struct str key);		/* key: private identity, or any identity of the set */
