/* scscf/preferences.h - which contact a caller wants: RFC 3841 §7, §9.1, feature tags of RFC 3840; TS 24.229 §5.4.3.3; row T12.
 *
 * A request is read once, then each contact is judged by its header parameters.  Everything borrows from the message. */
#pragma once
#include "common/sip/msg.h"

#define PREFERENCES_MAX 16u		/* values of Accept-Contact, and of Reject-Contact; more are not looked at */

struct preference {
	struct str params;		/* feature parameters and flags, as written */
	bool require, explicit;
	bool implicit;			/* nobody wrote it: §7.2.2 */
};
struct preferences {
	struct preference accept[PREFERENCES_MAX + 2], reject[PREFERENCES_MAX];
	unsigned n_accept, n_reject;
	bool no_fork, parallel, sequential;	/* Request-Disposition, §9.1 */
};

/* Reads Accept-Contact, Reject-Contact and Request-Disposition of a request. */
void preferences_read(struct sip_msg *m, struct preferences *ret);
/* params: of the contact.  ret_score: Qa of §7.2.4 in thousandths.  false: the contact is not for this request. */
bool preferences_judge(const struct preferences *p, struct str params, unsigned *ret_score);
/* Has the request none but those of §7.2.2?  Then a set of contacts that they leave empty is used as it was. */
bool preferences_implicit_only(const struct preferences *p);
