/* tests/fuzz/fuzz_uri.c - URIs and telephone numbers, two a time (one a line): RFC 3261 §19.1, RFC 3966; S-CSCF's number.c.
 *
 * Slices stay inside; what is equal is so both ways; a canonical identity is a fixed point and a URI again. */
#include <errno.h>
#include <string.h>
#include "scscf/session.h"
#include "tests/fuzz/fuzz.h"

static bool inside(struct str in, struct str s)
{
	return s.l == 0 || (s.p >= in.p && s.p + s.l <= in.p + in.l);
}

static void slices(struct str in, const struct sip_uri *u)
{
	struct str k, v, rest = u->params;

	MUST(inside(in, u->text) && inside(in, u->user) && inside(in, u->password) && inside(in, u->host));
	MUST(inside(in, u->params) && inside(in, u->headers));
	while (sip_param_next(&rest, &k, &v))
		MUST(inside(in, k) && inside(in, v));
	MUST(u->scheme != SIP_SCHEME_SIP || u->host.l > 0);
	for (size_t i = 0; i < u->host.l; i++)
		MUST((unsigned char)u->host.p[i] > ' ' && u->host.p[i] != '>' && u->host.p[i] != '"');
}

static void canonical(const struct sip_uri *u)
{
	char first[1024], second[1024];
	struct sip_uri again;
	struct str a, b;
	int rc = sip_uri_aor(u, first, sizeof(first), &a);

	MUST(rc == 0 || rc == -ENOTSUP || rc == -ENOSPC || rc == -EBADMSG);
	if (rc < 0)
		return;
	for (size_t i = 0; i < a.l; i++)
		MUST(a.p[i] != '\r' && a.p[i] != '\n' && a.p[i] != '\0');
	if (sip_uri_parse(a, &again, NULL) < 0)		/* an identity that no URI can be: unescaped '@' and such */
		return;
	MUST(sip_uri_aor(&again, second, sizeof(second), &b) == 0);
}

static void unescape(struct str s)
{
	char dst[512];
	struct str out;
	int rc = sip_unescape(s, dst, sizeof(dst), &out);

	MUST(rc == 0 ? out.l <= s.l && out.l <= sizeof(dst) : rc == -EBADMSG || rc == -ENOSPC);
}

static void numbers(const struct sip_uri *u)
{
	static const struct session_config plan = { .country_code = { "49", 2 }, .national_prefix = { "0", 1 },
						    .international_prefix = { "00", 2 } };
	struct number n, forms[NUMBER_MAX_FORMS];
	unsigned k;

	if (number_from_uri(u, &n) < 0)
		return;
	MUST(n.s.l > 0 && n.s.l <= NUMBER_MAX_DIGITS + 1 && strlen(n.text) == n.s.l);
	k = number_forms(&plan, &n, forms);
	MUST(k > 0 && k <= NUMBER_MAX_FORMS && number_forms(NULL, &n, forms) > 0);
	for (unsigned i = 0; i < k; i++)
		MUST(forms[i].s.l > 0 && strspn(forms[i].text, "+0123456789*#") == strlen(forms[i].text));
}

static bool look(struct str in, struct sip_uri *u)
{
	struct addr a;
	size_t off = SIZE_MAX;
	int rc = sip_uri_parse(in, u, &off);

	unescape(in);
	MUST(rc == 0 || (rc == -EBADMSG && off <= in.l));
	if (rc < 0)
		return false;
	slices(in, u);
	canonical(u);
	numbers(u);
	sip_uri_host_addr(u, &a);
	sip_uri_has_lr(u);
	MUST(sip_uri_equal(u, u));
	return true;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str one, two;
	struct sip_uri a, b;
	bool first, second;

	str_cut(str_make((const char *)data, size), '\n', &one, &two);
	first = look(one, &a);
	second = look(two, &b);
	if (first && second)
		MUST(sip_uri_equal(&a, &b) == sip_uri_equal(&b, &a));
}
