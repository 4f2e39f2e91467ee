/* scscf/keep.h - registrations and subscriptions as records of the store, and back at the next start: rows H1, S12; reliability F1, F14.
 *
 *	keep.c		when a record is written; everything back at the start, in order
 *	keep_record.c	a registration as fields: one table for each struct, a new member is one row
 *	keep_subs.c	subscriptions to registration state
 *	share.c		registrations that other instances of this S-CSCF wrote (state.backend redis)
 *
 * Challenges and vectors are not kept: a phone that was being challenged is challenged again. */
#pragma once
#include "scscf/registration.h"

#define KEEP_MAX_BYTES (512u * 1024)

/* ---- keep.c ---- */
void keep_registration(struct registration *g);		/* after each change that others are to know of */
void keep_forget(const struct registration *g);		/* it is none any more */
int keep_restore(void *u, struct stack *s, struct store *store);	/* role_ops.restore */

/* ---- keep_record.c ---- */
struct keep_contact {
	struct str uri, params, instance, call_id, display, impu;
	uint32_t cseq, reg_id;
	uint16_t q;
	uint8_t event, gruu, abroad;
	uint64_t expires_ms;		/* store time */
	unsigned n_path;
	struct str path[REG_MAX_PATH];
};
struct keep_identity {
	struct str uri, aor, display, alias_group;
	uint8_t barred, type, service;
};
struct keep_record {			/* texts are borrowed */
	uint64_t id, registered_wall_us;
	struct str pcfa, profile_impi, thirdparty_call_id;
	uint32_t thirdparty_cseq;
	uint8_t emergency;
	unsigned n_contacts, n_identities, n_services;
	struct keep_contact contact[REG_MAX_CONTACTS];
	struct keep_identity identity[PROFILE_MAX_IDENTITIES];
	struct str criteria[PROFILE_MAX_SERVICES];	/* digest of each service's criteria; empty: none */
};
void keep_record_write(const struct keep_record *k, struct buf *out);
int keep_record_read(struct str text, struct keep_record *ret);	/* 0, -EBADMSG */

#define KEEP_MAX_KEY 320u		/* a private identity has 256 octets at most, register.c */
struct str keep_key(const struct registration *g, char room[KEEP_MAX_KEY]);	/* the private identity, and behind a blank which of its sets, but for the first */
struct str keep_key_impi(struct str key, unsigned *ret_set);	/* of a record's key: the private identity, and which of its sets */
struct str keep_began_with(const struct keep_record *k);
bool keep_has_criteria(struct scscf *s, const struct keep_record *k, struct str *ret_missing);
int keep_replace(struct registration *g, const struct keep_record *k, uint64_t their_now_ms);	/* 0 or -errno: it is none then */

/* ---- share.c ---- */
#define SHARE_TAKEOVER_MS 10000u	/* when its owner has not ended a registration so long after its time, others do; up to twice that */
void share_begin(struct scscf *s, struct stack *stack, struct store *store);
void share_criteria(struct scscf *s, struct str digest, struct criteria *c);	/* they are here; nothing when nothing is shared */
/* The time of one that another instance wrote is over: it ends, or has been refreshed there, or the timer starts again as long as nobody knows. */
void share_ended(struct registration *g);
#define SHARE_LOOK_MS 2000u		/* so long it waits for the store; half of 4 s, when the P-CSCF's retransmissions are slowest (T2) */
void share_look(struct worker *owner, struct reg_job *job);	/* what others have of this user comes first; then registrar_job_here() */
void share_stop(struct registrar *r);	/* those that wait are dropped */

/* ---- keep_subs.c ---- */
struct subscription;
void keep_subscription(const struct subscription *s);
void keep_forget_subscription(const struct subscription *s);
void keep_restore_subscription(struct scscf *s, const struct store_record *r);

/* ---- sets_rest.c ---- */
void shared_sets_restore(struct scscf *s, const struct store_record *r);

/* ---- binding.c, subscription.c, thirdparty.c: one that was kept, put back ---- */
int binding_restore(struct registration *g, const struct keep_contact *c, uint64_t expires_ms);	/* 0, -ENOMEM */
void thirdparty_keep(const struct registration *g, struct keep_record *k);
void thirdparty_restore(struct registration *g, const struct keep_record *k);
