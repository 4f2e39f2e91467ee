/* scscf/wildcard.c - wildcarded identities: TS 23.003 §13.5, §13.4A; RFC 5002; rows S9, T10.
 *
 * "sip:chat-!.*!@home.example": between the exclamation marks stands a regular expression.  It is rarely asked, so it is compiled when
 * it is. */
#include <stdio.h>
#include "scscf/pattern.h"
#include "scscf/session.h"

bool wildcard_is(const struct profile_identity *id)
{
	return id->type == PROFILE_WILDCARDED_PSI || id->type == PROFILE_WILDCARDED_IMPU;
}

static bool all_fits(struct str ere, struct str text)
{
	char whole[PATTERN_MAX_BYTES];
	struct pattern *p = NULL;
	const char *why;
	bool fits;
	int n = snprintf(whole, sizeof(whole), "^(%.*s)$", STR_ARG(ere));

	if (n < 0 || (size_t)n >= sizeof(whole) || pattern_new(str_from_c(whole), PATTERN_ANYWHERE, &p, &why) < 0)
		return false;
	fits = pattern_matches(p, text);
	pattern_free(p);
	return fits;
}

bool wildcard_fits(struct str wildcard, struct str aor)
{
	struct str before, rest, ere, behind;

	if (!str_cut(wildcard, '!', &before, &rest) || str_rchr(rest, '!') < 0)
		return false;
	ere = str_head(rest, (size_t)str_rchr(rest, '!'));
	behind = str_from(rest, ere.l + 1);
	if (aor.l < before.l + behind.l || !str_istarts(aor, before) ||
	    !str_ieq(str_from(aor, aor.l - behind.l), behind))
		return false;
	return all_fits(ere, str_make(aor.p + before.l, aor.l - before.l - behind.l));
}

const struct profile_identity *wildcard_find(const struct profile *p, struct str aor)
{
	for (unsigned i = 0; i < p->n_identities; i++)
		if (wildcard_is(&p->identity[i]) && wildcard_fits(str_from_c(p->identity[i].aor), aor))
			return &p->identity[i];
	return NULL;
}
