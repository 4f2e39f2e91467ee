/* scscf/view.h - published registrations: what the call path reads.  Rows S8, S12, T13.
 *
 * The owner worker of a private identity builds a new immutable struct reg_view on every change and publishes it; all
 * workers look it up without asking the owner.  A public identity may be shared by several private identities (TS 23.228
 * §4.3.3.4), so an address of record maps to a set of views. */
#pragma once
#include "scscf/profile.h"

#define REG_MAX_CONTACTS 32u		/* upper limit of registrar.max_contacts */
#define REG_MAX_PATH 8u			/* Path values of one contact; more: 400 */
#define REG_MAX_SHARED 8u		/* private identities that share a public one */

#define REG_IMPU_UNKNOWN 0xffu

struct reg_contact_view {
	char *uri;			/* "sip:001010000000001@127.0.77.100:5066;transport=tcp": the new Request-URI */
	char *params;			/* header parameters as registered ("+sip.instance=...;+g.3gpp.smsip"); may be "" */
	unsigned n_path;
	uint32_t cseq;
	char **path;			/* Route values toward it, [0] topmost: "<sip:TOKEN@...;lr>" */
	uint16_t q : 15, home : 1;	/* 0..1000; its P-CSCF is of the home network */
	uint8_t event;			/* enum reginfo_event: what happened to it last; for subscribers, like what follows */
	uint8_t impu;			/* index of the identity that was registered, the others came along; REG_IMPU_UNKNOWN */
	uint32_t reg_id : 31, gruu : 1;	/* flow of the phone (RFC 5626), 0: none; it knows GRUUs */
	uint64_t expires_wall_us;
	const char *call_id, *display;	/* may be NULL */
	struct obj *holder;		/* of the texts above, a reference of the view; NULL: they are in the view's own block */
};
struct reg_view {
	struct obj o;
	uint64_t id;			/* random; the id in our Service-Route token; keeps over re-registrations */
	bool emergency;			/* for emergencies alone: TS 24.229 §5.4.8 */
	uint32_t pcfa_at;		/* in the same block: reg_view_pcfa() */
	char *impi;			/* the private identity as the phone gave it: whose worker owns the registration */
	struct profile *profile;	/* a reference */
	unsigned n_contacts;		/* none: unregistered, profile kept for services (TS 29.228 §6.1.2) */
	struct reg_contact_view *contacts;
};
/* All views of one address of record. */
struct aor_view {
	struct obj o;
	unsigned n;
	struct reg_view *v[];
};

/* One block that holds copies of the texts of every contact without a holder; takes references of p and the holders.  NULL when out
 * of memory. */
struct reg_view *reg_view_new(uint64_t id, struct str impi, struct profile *p, const char *pcfa, unsigned n,
			      const struct reg_contact_view *contacts);

/* P-Charging-Function-Addresses of the user, empty: none. */
static inline struct str reg_view_pcfa(const struct reg_view *v)
{
	return v->pcfa_at ? str_from_c((const char *)v + v->pcfa_at) : STR_NONE;
}

struct reg_directory;
struct reg_directory *reg_directory_new(void);
void reg_directory_free(struct reg_directory *d);
/* Replaces what id had published before under every identity of the old and the new profile (barred ones too: they must
 * be found to be refused).  Any worker's thread; publications are serialised.  Takes a reference.  0, -ENOMEM, -ENOSPC
 * (REG_MAX_SHARED); then what was published before still stands. */
int reg_directory_publish(struct reg_directory *d, struct reg_view *v);
void reg_directory_withdraw(struct reg_directory *d, uint64_t id);
struct aor_view *reg_directory_aor(struct reg_directory *d, struct str aor);	/* a reference, or NULL; aor from sip_uri_aor() */
struct reg_view *reg_directory_id(struct reg_directory *d, uint64_t id);	/* a reference, or NULL */
size_t reg_directory_count(const struct reg_directory *d);			/* registrations */
