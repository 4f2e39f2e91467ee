/* icscf/identity.c - what the HSS is asked for: public identities and numbers.  TS 24.229 §5.3.2.1, TS 23.003 §13.4; row I9.
 *
 *   tel:+N                     as it is: a user with a number has the tel form (TS 23.228 §4.3.3.0)
 *   sip:+N@home;user=phone     the tel form, as §5.3.2.1 replaces it; then the sip form
 *   sip:+N@home                the sip form; then the tel form, for subscribers that have no other
 *   sip:N@home                 as it is; then tel:N;phone-context=home, a short number of ours (RFC 3966 §5.1.5); and the other way round
 *   sip:name@home              as it is
 *   an alias of the home domain, or this node's address, stands for the home domain
 *
 * Open5GS knows numbers without '+' only, and compares texts (integration.md §2): there the forms without it come first. */
#include "common/util/arena.h"
#include "icscf/icscf.h"

#define AOR_MAX 512

static bool is_global(struct str user)
{
	if (user.l < 2 || user.p[0] != '+')
		return false;
	for (size_t i = 1; i < user.l; i++)
		if (user.p[i] < '0' || user.p[i] > '9')
			return false;
	return true;
}

bool icscf_is_number(const struct sip_uri *u)
{
	struct str v;

	if (u->scheme == SIP_SCHEME_TEL)
		return true;
	return u->scheme != SIP_SCHEME_OTHER &&
	       ((sip_uri_param(u, "user", &v) && str_ieq_c(v, "phone")) || (u->user.l > 1 && u->user.p[0] == '+'));
}

/* "tel:+49..." or "sip:+49...@..." of a canonical identity: the number with its plus; empty: not a global number. */
static struct str number_of(struct str aor)
{
	struct str scheme, number, rest;

	str_cut(aor, ':', &scheme, &number);
	str_cut(number, '@', &number, &rest);
	return is_global(number) ? number : STR_NONE;
}

static unsigned add(struct str form[ASK_MAX_FORMS], unsigned n, struct str one)
{
	for (unsigned i = 0; i < n; i++)
		if (str_eq(form[i], one))
			return n;
	if (one.p && n < ASK_MAX_FORMS)
		form[n++] = one;
	return n;
}

static bool is_digits(struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.l > 0;
}

/* A number that is not global: it may be provisioned either way. */
static unsigned local_forms(const struct icscf *i, struct arena *ar, struct str aor, struct str form[ASK_MAX_FORMS])
{
	struct str scheme, number, rest, context, home = i->home_domain;
	unsigned n = add(form, 0, aor);

	str_cut(aor, ':', &scheme, &number);
	if (i->hss == HSS_OPEN5GS)
		return n;
	if (str_eq_c(scheme, "tel")) {
		str_cut(number, ';', &number, &rest);
		if (is_digits(number) && sip_param_get(rest, "phone-context", &context) && str_ieq(context, home))
			n = add(form, n, arena_printf(ar, "sip:%.*s@%.*s", STR_ARG(number), STR_ARG(home)));
	} else {
		str_cut(number, '@', &number, &rest);
		if (is_digits(number))
			n = add(form, n, arena_printf(ar, "tel:%.*s;phone-context=%.*s", STR_ARG(number), STR_ARG(home)));
	}
	return n;
}

unsigned icscf_identity_forms(const struct icscf *i, struct arena *ar, const struct sip_uri *u, struct str form[ASK_MAX_FORMS])
{
	bool phone, is_tel = u->scheme == SIP_SCHEME_TEL;
	struct str aor, number, tel, v;
	struct sip_uri at_home = *u;
	char text[AOR_MAX];
	unsigned n = 0;

	if (!is_tel && (stack_is_home_domain(i->stack, u->host) || stack_is_self(i->stack, u)))
		at_home.host = i->home_domain;
	if (sip_uri_aor(&at_home, text, sizeof(text), &aor) < 0)
		return 0;
	aor = arena_dup(ar, aor);
	if (!aor.p)
		return 0;
	number = number_of(aor);
	if (!number.l)
		return local_forms(i, ar, aor, form);
	if (i->hss == HSS_OPEN5GS) {
		struct str bare = str_from(number, 1);

		n = add(form, n, arena_printf(ar, "sip:%.*s@%.*s", STR_ARG(bare), STR_ARG(i->home_domain)));
		n = add(form, n, arena_printf(ar, "tel:%.*s", STR_ARG(bare)));
		return add(form, n, aor);
	}
	if (is_tel)
		return add(form, 0, aor);
	phone = sip_uri_param(u, "user", &v) && str_ieq_c(v, "phone");
	tel = arena_printf(ar, "tel:%.*s", STR_ARG(number));
	n = add(form, n, phone ? tel : aor);
	return add(form, n, phone ? aor : tel);
}
