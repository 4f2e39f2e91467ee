/* common/sip/nameaddr.h - values of From, To, Contact, Route, Path, P-Asserted-Identity...: RFC 3261 §20.10, §25.1. */
#pragma once
#include "common/sip/uri.h"

struct sip_nameaddr {
	struct str text;		/* the whole value */
	struct str display;		/* as written, quotes included; may be empty */
	struct sip_uri uri;
	struct str params;		/* header parameters, without the leading ';' */
	bool bracketed;			/* <...>: without them parameters belong to the header, §20.10 */
	bool star;			/* Contact: * (then only text is set) */
};

/* One value (no comma list).  0 or -EBADMSG. */
int sip_nameaddr_parse(struct str in, struct sip_nameaddr *ret);
static inline bool sip_nameaddr_param(const struct sip_nameaddr *n, const char *name, struct str *ret)
{
	return sip_param_get(n->params, name, ret);
}
/* Cuts the next element of a comma-separated list off *rest, respecting quotes and <>; trimmed.
 * false at the end.  Empty elements are skipped. */
bool sip_list_cut(struct str *rest, struct str *ret);
static inline bool sip_list_next(struct str *rest, struct str *ret)
{
	return rest->l && sip_list_cut(rest, ret);
}
/* Walks "a=b;c;d=\"e\"": cuts the next parameter off *rest.  false at the end. */
bool sip_param_cut(struct str *rest, struct str *name, struct str *value);
static inline bool sip_param_next(struct str *rest, struct str *name, struct str *value)
{
	return rest->l && sip_param_cut(rest, name, value);
}
/* Every quoted string ends: else what we put behind would land inside. */
bool sip_quotes_closed(struct str s);
struct str sip_unquote(struct str s);	/* without surrounding quotes; inner escapes stay */
