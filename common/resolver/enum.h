/* common/resolver/enum.h - from a telephone number to URIs: ENUM, RFC 6116, with the services E2U+sip (RFC 3764) and E2U+pstn
 * (RFC 4769: number portability, the URI has the parameters of RFC 4694).
 *
 * Asks for NAPTR records of the number's digits under a suffix, through the resolver's cache.  Records that end the search (flag
 * "u") only.  Their expressions come from the network: PCRE2 runs them with limits, one that costs too much is passed over. */
#pragma once
#include "common/resolver/resolver.h"

#define ENUM_MAX_URIS 4u
#define ENUM_MAX_DIGITS 32u		/* E.164 has 15 */
#define ENUM_URI_MAX 256u
#define ENUM_MAX_REFERRALS 4u		/* records without flag that point to other records, one behind the other: RFC 6116 */

struct enum_result {
	int err;			/* 0; -ENOENT (no usable record), -ETIMEDOUT, -ECONNREFUSED, -EINVAL, -ENOMEM, -ECANCELED */
	const char *why;		/* for people; never NULL on error */
	unsigned n;			/* in the order to be tried */
	struct enum_uri {
		bool pstn;		/* E2U+pstn: sip or tel; else E2U+sip: sip or sips */
		char text[ENUM_URI_MAX];
	} uri[ENUM_MAX_URIS];
};
typedef void (*enum_fn)(void *arg, const struct enum_result *res);

/* number: "+4930222", visual separators off.  suffix: "e164.arpa".  Returns a handle for resolver_cancel(), or NULL when the callback
 * has run already. */
struct resolver_query *enum_lookup(struct resolver *r, struct str number, struct str suffix, enum_fn fn, void *arg);
struct resolver_query *enum_lookup_watched(struct resolver *r, struct str number, struct str suffix, const struct resolver_watch *w, enum_fn fn,
					   void *arg);

/* Is `service` of a NAPTR record one of ours?  *ret_pstn: which. */
bool enum_service(const char *service, bool *ret_pstn);
/* RFC 3402 §3.2: "!ERE!replacement!i" on the number.  0; -ENOENT (no match), -EBADMSG, -ENOSPC. */
int enum_rewrite(const char *expression, struct str number, char ret[ENUM_URI_MAX]);
