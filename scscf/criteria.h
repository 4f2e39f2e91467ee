/* scscf/criteria.h - initial filter criteria as tables: TS 29.228 annexes B, C, E, F; TS 23.218 §5.2; rows T2-T5, D15.
 *
 * The criteria of a service profile are compiled once, sorted by priority, and never change.  Users with equal ones share
 * a table.  A criterion that cannot be used is left out and said so (log, counter, REST); the others stand. */
#pragma once
#include <limits.h>
#include "common/sip/msg.h"
#include "common/util/bytes.h"
#include "common/util/obj.h"

#define CRITERIA_MAX 100u		/* of one service profile */
#define CRITERIA_MAX_BYTES (256u * 1024)
#define CRITERION_MAX_TRIGGERS 64u	/* service point triggers */
#define CRITERION_MAX_MEMBERS 255u	/* triggers counted once for each of their groups */
#define CRITERIA_NONE UINT_MAX
#define CRITERIA_MAX_SETS 256u		/* shared sets in the file */

enum session_case {			/* SessionCase, TS 29.228 annex F */
	CASE_ORIGINATING, CASE_TERMINATING_REGISTERED, CASE_TERMINATING_UNREGISTERED, CASE_ORIGINATING_UNREGISTERED,
	CASE_ORIGINATING_CDIV, N_SESSION_CASES
};
const char *session_case_name(enum session_case c);

enum registration_type { REGISTRATION_INITIAL = 1, REGISTRATION_AGAIN = 2, REGISTRATION_END = 4 };	/* RegistrationType, as bits */

enum trigger_kind { TRIGGER_URI, TRIGGER_METHOD, TRIGGER_HEADER, TRIGGER_CASE, TRIGGER_SDP };
struct pattern;
struct trigger {			/* SPT, TS 29.228 annex F */
	enum trigger_kind kind;
	bool negated;
	uint8_t number;			/* SessionCase; RegistrationType as bits, 0: every one */
	uint16_t id;			/* enum sip_method, enum sip_hdr_id; SIP_H_OTHER: by name */
	struct str text;		/* method, name of a header, RequestURI */
	struct pattern *name, *content;	/* NULL: any; name NULL for a header: by id or text */
};
struct criterion {
	int32_t priority;
	struct str server;		/* ServerName as the HSS wrote it */
	struct str route;		/* "<sip:as.example;lr>" */
	struct str service_info;	/* empty: none */
	bool terminate;			/* DefaultHandling SESSION_TERMINATED */
	bool include_request, include_response;		/* bodies of the third-party REGISTER, TS 24.229 §5.4.1.7 */
	uint8_t part;			/* ProfilePartIndicator, as bits: 1 registered, 2 unregistered, 3 both */
	bool has_trigger, cnf;
	uint8_t n_triggers, n_groups;
	struct trigger *trigger;
	uint8_t *member, *group_end;	/* indices of triggers, group by group; where each group ends */
};
struct criteria {
	struct obj o;
	unsigned n;
	struct criterion *v;		/* highest priority first */
	struct str text;		/* what it was compiled from: canonical XML without namespaces */
	unsigned n_skipped;
	struct str skipped;		/* why, for people */
	struct arena *arena;		/* all of it but the patterns */
	bool uses_sets;			/* it refers to shared sets, which may change: criteria_current() */
	uint8_t digest[16];		/* of text: what the store knows it by (keep.c) */
	_Atomic(bool) kept;		/* the store has it */
};

/* What a request is matched against. */
struct criteria_query {
	const struct sip_msg *m;
	struct str ruri;		/* as it stands now */
	struct str service;		/* P-Asserted-Service when it is ours to say; empty: as in m */
	enum session_case scase;
	bool registered;		/* the served user */
	unsigned registration;		/* REGISTER: one of enum registration_type; else 0 */
};

/* Where equal tables are found, and the shared sets (SharedIFCSetID).  It must outlive its tables; any thread. */
struct criteria_store;
struct criteria_store *criteria_store_new(void);
void criteria_store_free(struct criteria_store *s);
size_t criteria_store_count(struct criteria_store *s);
/* Every criterion of every table as it is today; without the store's lock, which workers take. */
void criteria_store_each(struct criteria_store *s, void (*fn)(void *arg, const struct criterion *k), void *arg);
/* criteria_sets.c: reads "<SharedIFCSets><SharedIFCSet><SetID>1</SetID><InitialFilterCriteria>..." into the store, before its first table.
 * 0; -EBADMSG, -EFBIG, -ENOMEM, or -errno of the file, with a sentence for people. */
int criteria_store_load(struct criteria_store *s, const char *file, char reterr[160]);
int criteria_store_load_text(struct criteria_store *s, struct str xml, char reterr[160]);

/* The sets as they are at one time; they never change. */
struct criteria_sets;
struct str criteria_sets_find(const struct criteria_sets *sets, uint32_t id);	/* elements of one; empty: there is none of that id */

/* From here to criteria_store_at(): one thread, the main one. */
int criteria_store_add(struct criteria_store *s, uint32_t id, struct str elements);	/* 0, -EEXIST, -EFBIG, -ENOMEM */
/* Adds or replaces one, empty: takes it away; tables that refer to sets are compiled anew.  0, -ENOENT, -EFBIG, -ENOMEM. */
int criteria_store_put(struct criteria_store *s, uint32_t id, struct str elements);
/* The i-th of them; false: there are not so many.  ret_... may be NULL. */
bool criteria_store_at(const struct criteria_store *s, unsigned i, uint32_t *ret_id, struct str *ret_elements);
struct str criteria_store_set(const struct criteria_store *s, uint32_t id);

/* criteria_read.c: fills c, whose arena, o and text are set.  sets NULL: none.  0, -EBADMSG, -ENOMEM. */
int criteria_compile(const struct criteria_sets *sets, struct criteria *c);
/* text: InitialFilterCriteria and SharedIFCSetID elements one after the other (criteria_xml_... below).  s NULL: shared with
 * nobody, and not logged.  *ret one reference.  0; -EBADMSG (not well-formed), -ENOMEM, -EFBIG. */
int criteria_get(struct criteria_store *s, struct str text, struct criteria **ret);
/* A reference to what c is by now: with the shared sets as they are today.  c NULL: NULL.  Any thread. */
struct criteria *criteria_current(struct criteria *c);
/* The first criterion at or behind `from` that wants the request; CRITERIA_NONE. */
bool criteria_trigger_fits(const struct trigger *t, const struct criteria_query *q);	/* one by itself: dryrun.c */
unsigned criteria_next(const struct criteria *c, unsigned from, const struct criteria_query *q);

/* Canonical XML, as elements come from a reader: no attributes, no blanks around texts, no comments, no prefixes. */
void criteria_xml_start(struct buf *b, const char *name);
void criteria_xml_text(struct buf *b, const char *s, size_t l);
void criteria_xml_end(struct buf *b, const char *name);
