/* common/sip/reginfo.h - registration state documents (application/reginfo+xml): RFC 3680 §5, RFC 5628 (GRUU), TS 24.229
 * §5.4.2.1.2.  Written by the notifier, read by its subscribers.
 *
 * What is written is well formed whatever is inside: characters that XML has not, and octets that are no UTF-8, become U+FFFD.
 * The reader refuses DOCTYPE, and bounds size, depth and counts; nothing of a document counts before all of it was read. */
#pragma once
#include "common/util/arena.h"
#include "common/util/bytes.h"

#define REGINFO_TYPE "application/reginfo+xml"
#define REGINFO_MAX_BYTES (64u * 1024)
#define REGINFO_MAX_DEPTH 16u
#define REGINFO_MAX_CONTACTS 256u	/* of a document that is read; registrations count as well */
#define REGINFO_MAX_TEXT 2048u		/* of one element that is read */

enum reginfo_state { REGINFO_INIT, REGINFO_ACTIVE, REGINFO_TERMINATED };
/* Why a contact is where it is: RFC 3680 §5.2.  NONE is not in documents. */
enum reginfo_event {
	REGINFO_NONE, REGINFO_REGISTERED, REGINFO_CREATED, REGINFO_REFRESHED, REGINFO_SHORTENED, REGINFO_EXPIRED,
	REGINFO_DEACTIVATED, REGINFO_PROBATION, REGINFO_UNREGISTERED, REGINFO_REJECTED
};
const char *reginfo_event_name(enum reginfo_event e);
enum reginfo_event reginfo_event_find(struct str name);		/* REGINFO_NONE: no such event */

struct reginfo_contact {
	struct reginfo_contact *next;	/* when read */
	uint64_t id;			/* when written */
	bool active;			/* else terminated */
	enum reginfo_event event;
	bool has_expires, has_retry_after, has_q, has_cseq;
	uint32_t expires_s, retry_after_s, cseq;
	uint16_t q;			/* thousandths */
	struct str uri, display, call_id;
	struct str params;		/* ";"-separated, as in a Contact: an unknown-param each.  Not read */
	struct str pub_gruu, temp_gruu;	/* RFC 5628; empty: none.  Not read */
};
struct reginfo_registration {		/* when read */
	struct reginfo_registration *next;
	struct str aor;
	enum reginfo_state state;
	struct reginfo_contact *contacts;
};
struct reginfo {			/* when read */
	uint32_t version;
	bool full;
	struct reginfo_registration *registrations;
};

/* ---- writing, in this order ---- */
void reginfo_begin(struct buf *b, uint32_t version, bool full);
void reginfo_registration_begin(struct buf *b, struct str aor, uint64_t id, enum reginfo_state state);
void reginfo_contact(struct buf *b, const struct reginfo_contact *c);
/* wildcard: empty, or the wildcarded identity that the aor is (TS 24.229 §5.4.2.1.2). */
void reginfo_registration_end(struct buf *b, struct str wildcard);
void reginfo_end(struct buf *b);

/* ---- reading ---- */
/* All texts in `a`.  0; -EBADMSG (not well formed, DOCTYPE, not this kind of document), -EFBIG, -ENOMEM. */
int reginfo_read(struct str xml, struct arena *a, struct reginfo *ret);
