/* pcscf/session_private.h - what the files of session.h share: an answered call and the worker's table of them. */
#pragma once
#include "common/dialog/ends.h"
#include "common/util/hash.h"
#include "pcscf/session.h"

#define SESSION_AGE_S (24u * 3600)	/* nothing passed so long: forgotten.  As the dialog table */

enum { CALLER, CALLEE };
struct session {
	struct hnode by_call, by_phone;
	struct list link;
	struct timer age;
	struct sessions *ss;
	uint64_t key;			/* random: its record's */
	struct dialog_ends *ends;
	struct dialog_names names;	/* in `texts`, and so is icid */
	struct str icid;
	char *texts;
	uint64_t binding_id;
	uint32_t age_s;
	bool phone_called, of_phone;	/* of_phone: ends with the registration */
	bool lost;			/* its registration ended while the daemon was away: it is released at once */
	struct sip_flow flow;		/* of a caller without a registration */
};
struct sessions {
	struct pcscf_worker *pw;
	struct htab by_call, by_phone, ringing_by_call;
	struct list all, ringing;
	uint32_t n, max;
};

/* ---- session.c ---- */
struct call_key {
	struct str call_id, a, b;	/* tags, in whatever order; both empty: any */
	uint64_t binding_id;		/* 0: any */
};
struct session *session_find(const struct sessions *ss, const struct call_key *k);
struct session *session_of_phone(const struct sessions *ss, uint64_t binding_id);	/* one that ends with it, or NULL */
/* Copies the names and takes the ends over, also when it fails: NULL, something is missing or out of memory. */
struct session *session_new(const struct dialog_names *n, struct str icid, struct dialog_ends *ends);
void session_free(struct session *s);		/* one that is in no table */
bool session_insert(struct sessions *ss, struct session *s, uint64_t left_ms);	/* false: there are too many; s is gone */
void session_end(struct session *s);		/* its record too */
/* ---- session_release.c ---- */
void sessions_release_start(void);
void session_release(struct session *s, const struct binding *b, const char *why, struct str reason);
/* ---- session_stored.c ---- */
void session_keep(const struct session *s);
void session_forget(const struct session *s);
