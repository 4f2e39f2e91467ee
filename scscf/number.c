/* scscf/number.c - telephone numbers: RFC 3966, RFC 3261 §19.1.6, TS 23.228 §5.3.2 (non-international numbers); row C3. */
#include <errno.h>
#include <stdio.h>
#include "scscf/session.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_separator(char c)
{
	return c == '-' || c == '.' || c == '(' || c == ')' || c == ' ';
}

/* RFC 3966 §3: phonedigit-hex of local numbers has letters, too; service codes are '*' and '#'. */
static bool is_dialled(char c)
{
	return is_digit(c) || c == '*' || c == '#';
}

static int take(struct str text, struct number *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < text.l; i++) {
		char c = text.p[i];

		if (is_separator(c))
			continue;
		if (!is_dialled(c) && !(c == '+' && n == 0))
			return -ENOENT;
		if (n > NUMBER_MAX_DIGITS)
			return -ENOSPC;
		ret->text[n++] = c;
	}
	ret->text[n] = '\0';
	ret->s = str_make(ret->text, n);
	return n > (ret->text[0] == '+') ? 0 : -ENOENT;
}

static bool global_context(const char *context, struct number *ret);

/* RFC 4694 §4: npdi, and rn, which is global or made so by rn-context; another one routes nothing. */
static void take_portability(struct str params, struct number *ret)
{
	struct number rn = { 0 }, context = { 0 };
	char plain[sizeof(ret->context)];
	struct str value;

	ret->npdi = sip_param_get(params, "npdi", &value);
	if (!sip_param_get(params, "rn", &value) || take(value, &rn) < 0)
		return;
	if (rn.s.p[0] != '+' && sip_param_get(params, "rn-context", &value) &&
	    sip_unescape(value, plain, sizeof(plain), &value) == 0) {
		char text[sizeof(plain)];

		str_copy(value, text, sizeof(text));
		if (!global_context(text, &context))
			return;
	}
	if ((rn.s.p[0] == '+' || context.s.l) && context.s.l + rn.s.l < sizeof(ret->rn)) {
		memcpy(ret->rn, context.text, context.s.l);
		memcpy(ret->rn + context.s.l, rn.text, rn.s.l + 1);
	}
}

int number_from_uri(const struct sip_uri *u, struct number *ret)
{
	struct str text = u->user, params = u->params, context, user;
	char plain[NUMBER_MAX_DIGITS * 4], plain_context[sizeof(ret->context)];

	*ret = (struct number){ 0 };
	if (u->scheme == SIP_SCHEME_OTHER || text.l == 0)
		return -ENOENT;
	if (u->scheme != SIP_SCHEME_TEL) {	/* the telephone-subscriber with its parameters is the user part */
		str_cut(text, ';', &text, &params);
		if (sip_unescape(text, plain, sizeof(plain), &user) < 0)
			return -ENOENT;
		text = user;
	}
	if (sip_param_get(params, "phone-context", &context) &&
	    sip_unescape(context, plain_context, sizeof(plain_context), &context) == 0)
		str_copy(context, ret->context, sizeof(ret->context));
	take_portability(params, ret);
	return take(text, ret);
}

/* ---- readings ---- */

static void form_add(struct number *ret, unsigned *n, struct str a, struct str b, const char *reading)
{
	struct number f = { 0 };
	int l = snprintf(f.text, sizeof(f.text), "%.*s%.*s", STR_ARG(a), STR_ARG(b));

	if (*n == NUMBER_MAX_FORMS || l < 0 || (size_t)l >= sizeof(f.text))
		return;
	for (unsigned i = 0; i < *n; i++)
		if (strcmp(ret[i].text, f.text) == 0)
			return;
	ret[*n] = f;
	ret[*n].s = str_make(ret[*n].text, (size_t)l);
	ret[*n].reading = reading;
	(*n)++;
}

static struct str without(struct str s, struct str prefix)
{
	return prefix.l && str_starts(s, prefix) ? str_from(s, prefix.l) : s;
}

static bool only_digits(struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if (!is_digit(s.p[i]))
			return false;
	return true;
}

static void dial_plan(const struct session_config *c, struct str s, struct number *ret, unsigned *n)
{
	struct str national = without(s, c->national_prefix);
	char plus_cc[32];

	if (c->international_prefix.l && str_starts(s, c->international_prefix)) {
		form_add(ret, n, STR("+"), str_from(s, c->international_prefix.l), "behind the international prefix");
		return;
	}
	if (c->country_code.l == 0)
		return;
	snprintf(plus_cc, sizeof(plus_cc), "+%.*s", STR_ARG(c->country_code));
	if (c->national_prefix.l ? national.l < s.l : s.l > c->short_digits)
		form_add(ret, n, str_from_c(plus_cc), national, "national: with the country code");
	if (c->area_code.l && national.l == s.l && s.l > c->short_digits) {
		snprintf(plus_cc, sizeof(plus_cc), "+%.*s%.*s", STR_ARG(c->country_code), STR_ARG(c->area_code));
		form_add(ret, n, str_from_c(plus_cc), s, "local: with country and area code");
	}
}

/* RFC 3966 §3: a global context is '+' and digits, visual separators between them; anything else is a domain, or nonsense. */
static bool global_context(const char *context, struct number *ret)
{
	return context[0] == '+' && take(str_from_c(context), ret) == 0 && only_digits(str_from(ret->s, 1));
}

unsigned number_forms(const struct session_config *c, const struct number *num, struct number ret[NUMBER_MAX_FORMS])
{
	static const struct session_config none;
	struct number context;
	struct str s = num->s;
	unsigned n = 0;

	c = c ? c : &none;
	if (s.l && s.p[0] == '+') {
		form_add(ret, &n, s, STR_NONE, "global");
		return n;
	}
	if (only_digits(s)) {
		if (global_context(num->context, &context))	/* RFC 3966 §5.1.5: it says what to put in front */
			form_add(ret, &n, context.s, without(s, c->national_prefix), "behind its phone-context");
		dial_plan(c, s, ret, &n);
		if (s.p[0] != '0')		/* dialled with the country code, without the plus */
			form_add(ret, &n, STR("+"), s, "with the country code, without the plus");
	}
	form_add(ret, &n, s, STR_NONE, "as it was dialled");
	return n;
}

bool number_global(const struct session_config *c, const struct number *num, struct number *ret)
{
	struct number form[NUMBER_MAX_FORMS];
	unsigned k = number_forms(c, num, form);

	for (unsigned i = 0; i < k; i++) {
		if (form[i].s.p[0] != '+')
			continue;
		*ret = form[i];
		ret->s = str_from_c(ret->text);
		return true;
	}
	return false;
}
