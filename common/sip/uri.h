/* common/sip/uri.h - SIP, SIPS and tel URIs.  Meaning: RFC 3261 §19.1, RFC 3966; grammar: RFC 3261 §25.1.
 *
 * Nothing here allocates: each slice of a struct sip_uri points into the text it was parsed from and
 * lives exactly as long as that text.  Slices keep their escapes. */
#pragma once
#include "common/sip/flow.h"
#include "common/util/bytes.h"
#include "common/util/str.h"

enum sip_scheme { SIP_SCHEME_SIP, SIP_SCHEME_SIPS, SIP_SCHEME_TEL, SIP_SCHEME_OTHER };	/* OTHER: urn:, im:, http:... */

struct sip_uri {
	enum sip_scheme scheme;
	uint16_t port;			/* 0 when none was given */
	struct str text;		/* the whole URI */
	struct str user;		/* sip: before ':' or '@'; tel: the number; OTHER: all behind the scheme */
	struct str password;
	struct str host;		/* with the brackets of an IPv6 reference; empty for tel */
	struct str params;		/* without the leading ';'; may be empty */
	struct str headers;		/* without the leading '?' */
};

/* Splits `in`, checking the characters of each part.
 * ret         written on success only
 * reterr_off  offset of the first wrong octet on -EBADMSG; may be NULL
 * Returns 0 or -EBADMSG.  A scheme other than sip, sips, tel is not an error: SIP_SCHEME_OTHER. */
int sip_uri_parse(struct str in, struct sip_uri *ret, size_t *reterr_off);

/* A parameter of "a;b=c;d" text, any case.  true when present; *ret is its value (empty when it has none;
 * quotes are kept). */
bool sip_param_get(struct str params, const char *name, struct str *ret);
static inline bool sip_uri_param(const struct sip_uri *u, const char *name, struct str *ret)
{
	return sip_param_get(u->params, name, ret);
}
bool sip_uri_has_lr(const struct sip_uri *u);
#define SIP_URI_MAX_COMPARED 64u	/* parameters; with more of them two URIs are equal only in the same order: the cost is a square */
/* RFC 3261 §19.1.4 (sip, sips) and RFC 3966 §4 (tel: visual separators ignored). */
bool sip_uri_equal(const struct sip_uri *a, const struct sip_uri *b);
/* Canonical address of record: scheme "sip:" + user, escaped only where it must be, + '@' + lower-case host, no port, no parameters;
 * tel: "tel:" + number without visual separators (";phone-context=..." kept for local numbers).
 * sip:+4930...;user=phone stays sip.  Written into dst.  Returns 0, -ENOTSUP (other scheme), -ENOSPC. */
int sip_uri_aor(const struct sip_uri *u, char *dst, size_t size, struct str *ret);
/* Percent-decoding into dst (length never grows).  -EBADMSG on bad escapes, -ENOSPC. */
int sip_unescape(struct str in, char *dst, size_t size, struct str *ret);
/* Host is one of ours or an address literal: literal -> 0 and *ret (port or default 5060/5061 set); name -> -ENOENT. */
int sip_uri_host_addr(const struct sip_uri *u, struct addr *ret);
