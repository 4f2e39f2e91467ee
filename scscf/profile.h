/* scscf/profile.h - the service profile of a subscription, from Cx User-Data.  TS 29.228 annexes B, E; rows S8, D15.
 *
 * Immutable once parsed and shared by reference.  The reader is tolerant of what real HSSs send (comments, blanks,
 * no namespace, extensions nobody knows, a barred first identity) and strict about what could hurt: DOCTYPE is
 * refused, depth, size and counts are bounded.  Initial filter criteria become tables (criteria.h). */
#pragma once
#include "common/sip/uri.h"
#include "common/util/bytes.h"
#include "common/util/obj.h"
#include "scscf/criteria.h"

#define PROFILE_MAX_BYTES (256u * 1024)
#define PROFILE_MAX_DEPTH 32u
#define PROFILE_MAX_IDENTITIES 64u
#define PROFILE_MAX_SERVICES 16u	/* ServiceProfile elements */

enum profile_identity_type {		/* IdentityType, TS 29.228 annex E */
	PROFILE_PUBLIC_USER_IDENTITY = 0, PROFILE_DISTINCT_PSI = 1, PROFILE_WILDCARDED_PSI = 2,
	PROFILE_NON_DISTINCT_IMPU = 3, PROFILE_WILDCARDED_IMPU = 4
};

struct profile_identity {
	char *uri;			/* as the HSS wrote it */
	char *aor;			/* canonical (sip_uri_aor): the key it is found by; may be the same text as uri */
	char *display;			/* NULL: none */
	char *alias_group;		/* AliasIdentityGroupID; NULL: none */
	bool barred;
	uint8_t type;			/* enum profile_identity_type */
	uint8_t service;		/* which ServiceProfile it belongs to */
};

struct profile {
	struct obj o;
	char *impi;			/* PrivateID */
	unsigned n_identities;
	struct profile_identity *identity;	/* as many as there are: a user costs what the HSS said about it */
	unsigned n_services;
	struct criteria **criteria;	/* of each service; NULL: it has none.  References */
	bool packed;			/* identities with their texts, and impi, are one block */
};

/* A reference to the criteria of a service as they are now: shared sets may change.  NULL: it has none. */
struct criteria *profile_criteria(const struct profile *p, unsigned service);
/* xml: SIP User-Data as received.
 * store    where equal filter criteria are shared, and the shared sets are; NULL: each profile has its own
 * ret      one reference, on success
 * reterr   a sentence for people on -EBADMSG ("line 3: mismatched tag"); at most 160 octets; may be NULL
 * Returns 0; -EBADMSG (not well-formed, DOCTYPE, no usable identity); -EFBIG (size, depth, counts); -ENOMEM. */
int profile_parse(struct str xml, struct criteria_store *store, struct profile **ret, char reterr[160]);
/* One to be filled in by the caller, who had kept it (keep.c): so many identities and services, all empty.  NULL: out of memory. */
struct profile *profile_new(struct str impi, unsigned n_identities, unsigned n_services);
/* What lives as long as the registration, in one block; without memory for it things stay as they are.  Once, when all texts are there. */
void profile_pack(struct profile *p);
/* The default public identity: the first one that is not barred (TS 23.228 §5.2.1a); NULL when all are. */
const struct profile_identity *profile_default(const struct profile *p);
/* By canonical AOR; NULL when it is not in the set. */
const struct profile_identity *profile_find(const struct profile *p, struct str aor);
/* A tel (or sip) identity in the same alias group, else of the same service, not barred: the second value of
 * P-Asserted-Identity (TS 24.229 §5.4.3.2).  NULL when there is none. */
const struct profile_identity *profile_other_form(const struct profile *p, const struct profile_identity *id);
/* An identity that others may dial: a tel URI or sip:+..., not barred.  Handsets that find none keep silent. */
bool profile_has_number(const struct profile *p);
/* Value of P-Associated-URI: every identity that is not barred, the default first (RFC 7315 §4.1, row S10). */
void profile_associated_uri(const struct profile *p, struct buf *out);
