/* tests/hss/wildcard.c - wildcarded identities: TS 23.003 §13.4A, §13.5; rows S9, T10.
 *
 * Few subscribers have one and the file's author wrote the expression, so it is compiled when it is asked. */
#include <regex.h>
#include <stdio.h>
#include "tests/hss/subscribers.h"

#define WHOLE_MAX 600u

struct parts {
	struct str before, ere, behind;
};

static bool cut(struct str wild, struct parts *ret)
{
	struct str rest;
	int end;

	if (!str_cut(wild, '!', &ret->before, &rest))
		return false;
	end = (int)str_rchr(rest, '!');
	if (end < 0)
		return false;
	ret->ere = str_head(rest, (size_t)end);
	ret->behind = str_from(rest, (size_t)end + 1);
	return true;
}

bool sub_wild_is(struct str uri)
{
	struct parts p;

	return cut(uri, &p);
}

static bool compile(const struct parts *p, regex_t *ret)
{
	char whole[WHOLE_MAX];
	int n = snprintf(whole, sizeof(whole), "^(%.*s)$", STR_ARG(p->ere));

	return p->ere.l && n > 0 && (size_t)n < sizeof(whole) && regcomp(ret, whole, REG_EXTENDED | REG_NOSUB) == 0;
}

bool sub_wild_can(struct str wild)
{
	struct parts p;
	regex_t re;

	if (!cut(wild, &p) || !compile(&p, &re))
		return false;
	regfree(&re);
	return str_istarts(p.before, STR("sip:")) || str_istarts(p.before, STR("sips:")) || str_istarts(p.before, STR("tel:"));
}

bool sub_wild_fits(struct str wild, struct str aor)
{
	char text[WHOLE_MAX];
	struct parts p;
	regex_t re;
	bool fits;

	if (!cut(wild, &p) || aor.l < p.before.l + p.behind.l || !str_istarts(aor, p.before) ||
	    !str_ieq(str_from(aor, aor.l - p.behind.l), p.behind) || aor.l >= sizeof(text) || !compile(&p, &re))
		return false;
	str_copy(str_make(aor.p + p.before.l, aor.l - p.before.l - p.behind.l), text, sizeof(text));
	fits = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return fits;
}
