/* scscf/gruu.h - globally routable user agent URIs: RFC 5627, TS 24.229 §5.4.7A; row S13.
 *
 * The public one is the identity with the phone's instance as `gr`; of an IMEI, a UUID made of it with a secret of state.dir: who hears it
 * learns no IMEI, and cannot try which one it is.  The temporary one says nothing to anybody but us: one block, enciphered
 * with a key of state.dir, holds the registration, the identity, the instance with its Call-ID, and the CSeq of the REGISTER.  So nothing is
 * kept for it, each REGISTER brings another one, all of them serve while the phone stays registered in that Call-ID (§3.1.2.2), and it
 * can be written again for a NOTIFY.  Its host is this node: the HSS knows no such user, and need not. */
#pragma once
#include "common/sip/token.h"
#include "scscf/view.h"

#define GRUU_MAX 512u			/* octets of one */

static inline bool gruu_is(const struct sip_uri *u)		/* of either kind, whosoever */
{
	struct str v;

	return sip_uri_param(u, "gr", &v);
}
bool gruu_is_temporary(const struct sip_uri *u);		/* by its form */
/* identity: a SIP URI without parameters.  instance: value of +sip.instance without quotes; empty: nothing is written. */
void gruu_public(struct buf *out, const struct token_key *k, const char *identity, struct str instance);
/* host: our own, with its port. */
void gruu_temporary(struct buf *out, const struct token_key *k, struct str host, uint64_t registration, const char *identity,
		    struct str instance, struct str call_id, uint32_t cseq);
/* Whose temporary one it is: a reference, and the identity in its profile.  NULL: not ours, forged, or the registration has ended. */
struct reg_view *gruu_owner(struct reg_directory *d, const struct token_key *k, const struct sip_uri *u, const struct profile_identity **ret);
/* Does it mean this contact? */
bool gruu_means(const struct token_key *k, const struct sip_uri *u, const struct reg_contact_view *c);
/* The instance of a contact, without quotes; empty: none. */
struct str gruu_instance(const struct reg_contact_view *c);
