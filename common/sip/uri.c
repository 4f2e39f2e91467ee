/* common/sip/uri.c - sip, sips and tel URIs: RFC 3261 §19.1, §25.1; RFC 3966. */
#include <ctype.h>
#include <errno.h>
#include "common/sip/scan.h"
#include "common/sip/uri.h"

/* Character classes of RFC 3261 §25.1, as bits.  '%' belongs to those that allow escapes. */
enum { C_USER = 1, C_PASS = 2, C_PARAM = 4, C_HDR = 8, C_HOST = 16, C_SCHEME = 32, C_TEL = 64 };
enum class { USER, PASS, PARAM, HDR, HOST, SCHEME, TEL, N_CLASSES };	/* as the bits */
static uint8_t cls[256], plain[256];	/* plain: without '%' */
static struct scan_set sets[N_CLASSES];

static void __attribute__((constructor)) build(void)
{
	for (int c = 0; c < 128; c++) {
		bool alnum = isalnum(c), mark = c && strchr("-_.!~*'()", c);

		if (alnum || mark || c == '%')
			cls[c] |= C_USER | C_PASS | C_PARAM | C_HDR;
		if (c && strchr("&=+$,;?/", c))
			cls[c] |= C_USER;
		if (c && strchr("&=+$,", c))
			cls[c] |= C_PASS;
		if (c && strchr("[]/:&+$=;\"<>@,", c) && !strchr("\"<>@,", c))
			cls[c] |= C_PARAM;
		if (c && strchr("[]/?:+$=&", c))
			cls[c] |= C_HDR;
		if (alnum || c == '-' || c == '.' || c == '_')
			cls[c] |= C_HOST;
		if (alnum || (c && strchr("+-.", c)))
			cls[c] |= C_SCHEME;
		if (isxdigit(c) || (c && strchr("+-.()*#", c)))
			cls[c] |= C_TEL;
	}
	cls['"'] |= C_PARAM;	/* quoted values appear in phones' contact parameters */
	memcpy(plain, cls, sizeof(plain));
	plain['%'] = 0;
	for (unsigned i = 0; i < N_CLASSES; i++)
		scan_set_init(&sets[i], plain, (uint8_t)(1u << i));
}

static bool all_escaped(struct str s, enum class class, size_t *bad)
{
	for (size_t i = 0; i < s.l; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!(cls[c] >> class & 1) || (c == '%' && (i + 2 >= s.l || !isxdigit((unsigned char)s.p[i + 1]) ||
							    !isxdigit((unsigned char)s.p[i + 2])))) {
			*bad = i;
			return false;
		}
	}
	return true;
}

static inline bool all(struct str s, enum class class, size_t *bad)
{
	return scan_all(&sets[class], s) || all_escaped(s, class, bad);
}

static int fail(struct str in, struct str part, size_t bad, size_t *reterr_off)
{
	if (reterr_off)
		*reterr_off = (size_t)(part.p - in.p) + bad;
	return -EBADMSG;
}

/* "[2001:db8::1]" or "[2001:db8::1]:5060": the end of the reference, behind its bracket; 0: it is none. */
static size_t reference_end(struct str hp)
{
	ssize_t i = str_chr(hp, ']');
	struct addr a;

	if (i < 0 || addr_parse(str_head(hp, (size_t)i + 1), 0, &a) < 0)
		return 0;
	return (size_t)i + 1;
}

static int parse_host(struct str in, struct str hp, struct sip_uri *u, size_t *reterr_off)
{
	struct str port;
	size_t bad = 0, end;
	uint32_t n;

	if (hp.l && hp.p[0] == '[') {
		end = reference_end(hp);
		if (end == 0)
			return fail(in, hp, 0, reterr_off);
		if (end < hp.l && hp.p[end] != ':')
			return fail(in, str_from(hp, end), 0, reterr_off);
	} else {
		end = scan_find3(hp, ':', ':', ':');
		if (end == 0 || !all(str_head(hp, end), HOST, &bad))
			return fail(in, hp, bad, reterr_off);
	}
	u->host = str_head(hp, end);
	if (end == hp.l)
		return 0;
	port = str_from(hp, end + 1);
	if (str_to_u32(port, &n) < 0 || n > 65535)
		return fail(in, port, 0, reterr_off);
	u->port = (uint16_t)n;
	return 0;
}

static int parse_user(struct str in, struct str userinfo, struct sip_uri *u, size_t *reterr_off)
{
	size_t bad;

	if (scan_all(&sets[USER], userinfo) && userinfo.l) {	/* ':' is none of its characters */
		u->user = userinfo;
		return 0;
	}
	str_cut(userinfo, ':', &u->user, &u->password);
	if (u->user.l == 0)
		return fail(in, userinfo, 0, reterr_off);
	if (!all(u->user, USER, &bad))
		return fail(in, u->user, bad, reterr_off);
	if (!all(u->password, PASS, &bad))
		return fail(in, u->password, bad, reterr_off);
	return 0;
}

/* What stands behind the host: ";params?headers". */
static int parse_tail(struct str in, struct str tail, struct sip_uri *u, size_t *reterr_off)
{
	bool params = tail.p[0] == ';';
	size_t bad;

	tail = str_from(tail, 1);
	if (params && scan_all(&sets[PARAM], tail)) {		/* '?' is none of their characters */
		u->params = tail;
		return 0;
	}
	if (params) {
		str_cut(tail, '?', &u->params, &tail);
		if (!all(u->params, PARAM, &bad))
			return fail(in, u->params, bad, reterr_off);
	}
	u->headers = tail;
	return all(tail, HDR, &bad) ? 0 : fail(in, tail, bad, reterr_off);
}

static int parse_sip(struct str in, struct str rest, struct sip_uri *u, size_t *reterr_off)
{
	/* userinfo may not hold an unescaped '@', so the first is the only one. */
	ssize_t at = str_chr(rest, '@');
	size_t end;
	int rc;

	if (at >= 0) {
		rc = parse_user(in, str_head(rest, (size_t)at), u, reterr_off);
		if (rc < 0)
			return rc;
		rest = str_from(rest, (size_t)at + 1);
	}
	end = scan_find3(rest, ';', '?', '?');
	rc = parse_host(in, str_head(rest, end), u, reterr_off);
	if (rc < 0 || end == rest.l)
		return rc;
	return parse_tail(in, str_from(rest, end), u, reterr_off);
}

static int parse_tel(struct str in, struct str rest, struct sip_uri *u, size_t *reterr_off)
{
	size_t bad;

	if (str_cut(rest, ';', &u->user, &u->params) && !all(u->params, PARAM, &bad))
		return fail(in, u->params, bad, reterr_off);
	if (u->user.l == 0)
		return fail(in, rest.l ? rest : in, 0, reterr_off);
	if (!all(u->user, TEL, &bad))
		return fail(in, u->user, bad, reterr_off);
	return 0;
}

int sip_uri_parse(struct str in, struct sip_uri *ret, size_t *reterr_off)
{
	struct sip_uri u = { .text = in };
	struct str scheme, rest;
	size_t bad = 0;
	ssize_t colon;
	int rc = 0;

	if (in.l > 4 && memcmp(in.p, "sip:", 4) == 0) {		/* nearly always */
		u.scheme = SIP_SCHEME_SIP;
		rc = parse_sip(in, str_from(in, 4), &u, reterr_off);
		if (rc == 0)
			*ret = u;
		return rc;
	}
	colon = str_chr(in, ':');
	if (colon <= 0 || !isalpha((unsigned char)in.p[0]) || !all(str_head(in, (size_t)colon), SCHEME, &bad)) {
		if (reterr_off)
			*reterr_off = bad;
		return -EBADMSG;
	}
	scheme = str_head(in, (size_t)colon);
	rest = str_from(in, (size_t)colon + 1);
	if (str_ieq(scheme, STR("sip")) || str_ieq(scheme, STR("sips"))) {
		u.scheme = scheme.l == 4 ? SIP_SCHEME_SIPS : SIP_SCHEME_SIP;
		rc = parse_sip(in, rest, &u, reterr_off);
	} else if (str_ieq(scheme, STR("tel"))) {
		u.scheme = SIP_SCHEME_TEL;
		rc = parse_tel(in, rest, &u, reterr_off);
	} else {
		u.scheme = SIP_SCHEME_OTHER;
		u.user = rest;
		for (size_t i = 0; i < rest.l; i++)
			if ((unsigned char)rest.p[i] <= ' ' || rest.p[i] == '<' || rest.p[i] == '>' || rest.p[i] == '"')
				return fail(in, rest, i, reterr_off);
	}
	if (rc == 0)
		*ret = u;
	return rc;
}

/* Index of the ';' that ends a parameter with quotes from `at` on, or params.l. */
static size_t behind_quotes(struct str params, size_t at)
{
	bool quoted = false;

	for (; at < params.l && (quoted || params.p[at] != ';'); at++) {
		if (params.p[at] == '"')
			quoted = !quoted;
		else if (quoted && params.p[at] == '\\')
			at++;
	}
	return at < params.l ? at : params.l;
}

bool sip_param_get(struct str params, const char *name, struct str *ret)
{
	size_t nl = strlen(name);

	while (params.l) {
		struct str one, k, v;
		size_t end;

		end = scan_find3(params, ';', '"', '"');
		if (end < params.l && params.p[end] == '"')
			end = behind_quotes(params, end);
		one = str_trim(str_head(params, end));
		params = end < params.l ? str_from(params, end + 1) : STR_NONE;
		str_cut(one, '=', &k, &v);
		k = str_trim(k);
		if (k.l == nl && mem_ieq(k.p, name, nl)) {
			*ret = str_trim(v);
			return true;
		}
	}
	return false;
}

bool sip_uri_has_lr(const struct sip_uri *u)
{
	struct str v;

	return sip_uri_param(u, "lr", &v);
}

int sip_unescape(struct str in, char *dst, size_t size, struct str *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < in.l; i++) {
		char c = in.p[i];

		if (c == '%') {
			uint8_t octet;
			size_t got;

			if (i + 2 >= in.l || hex_decode(str_make(in.p + i + 1, 2), &octet, 1, &got) < 0)
				return -EBADMSG;
			c = (char)octet;
			i += 2;
		}
		if (n == size)
			return -ENOSPC;
		dst[n++] = c;
	}
	*ret = str_make(dst, n);
	return 0;
}

/* The user part in its one canonical spelling: what may stand without an escape does, everything else keeps its own, in upper
 * case (RFC 3261 §19.1.4).  So %00 and %0d%0a stay what they are, and an identity is always a URI again. */
static int canonical_user(struct str in, char *dst, size_t size, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < in.l; i++) {
		char c = in.p[i];
		uint8_t octet;
		size_t got;

		if (c == '%') {
			if (i + 2 >= in.l || hex_decode(str_make(in.p + i + 1, 2), &octet, 1, &got) < 0)
				return -EBADMSG;
			i += 2;
			if (!(plain[octet] & C_USER)) {
				if (size - n < 3)
					return -ENOSPC;
				dst[n++] = '%';
				dst[n++] = (char)toupper((unsigned char)in.p[i - 1]);
				c = (char)toupper((unsigned char)in.p[i]);
			} else {
				c = (char)octet;
			}
		}
		if (n == size)
			return -ENOSPC;
		dst[n++] = c;
	}
	*ret_n = n;
	return 0;
}

static bool is_separator(char c)
{
	return c == '-' || c == '.' || c == '(' || c == ')';
}

static int tel_aor(const struct sip_uri *u, char *dst, size_t size, struct str *ret)
{
	struct str context;
	size_t n = 4;

	if (size < 5)
		return -ENOSPC;
	memcpy(dst, "tel:", 4);
	for (size_t i = 0; i < u->user.l; i++) {
		if (is_separator(u->user.p[i]))
			continue;
		if (n == size)
			return -ENOSPC;
		dst[n++] = (char)tolower((unsigned char)u->user.p[i]);
	}
	if (u->user.p[0] != '+' && sip_uri_param(u, "phone-context", &context)) {
		if (n + 15 + context.l > size)
			return -ENOSPC;
		memcpy(dst + n, ";phone-context=", 15);
		n += 15;
		for (size_t i = 0; i < context.l; i++)
			dst[n++] = (char)tolower((unsigned char)context.p[i]);
	}
	*ret = str_make(dst, n);
	return 0;
}

int sip_uri_aor(const struct sip_uri *u, char *dst, size_t size, struct str *ret)
{
	struct str user;
	size_t n = 4;

	if (u->scheme == SIP_SCHEME_TEL)
		return tel_aor(u, dst, size, ret);
	if (u->scheme == SIP_SCHEME_OTHER)
		return -ENOTSUP;
	if (size < 5)
		return -ENOSPC;
	memcpy(dst, "sip:", 4);
	if (u->user.l) {
		size_t l;

		if (canonical_user(u->user, dst + n, size - n, &l) < 0)
			return -ENOSPC;
		user = str_make(dst + n, l);
		/* ";ext" inside the user part belongs to telephone-subscriber forms, not to the identity (RFC 3261 §19.1.6). */
		if (user.l && user.p[0] == '+') {
			ssize_t semi = str_chr(user, ';');
			size_t o = 0;

			user = semi < 0 ? user : str_head(user, (size_t)semi);
			for (size_t i = 0; i < user.l; i++)
				if (!is_separator(user.p[i]))
					dst[n + o++] = user.p[i];
			user.l = o;
		}
		n += user.l;
		if (n == size)
			return -ENOSPC;
		dst[n++] = '@';
	}
	if (n + u->host.l > size)
		return -ENOSPC;
	for (size_t i = 0; i < u->host.l; i++)
		dst[n++] = (char)tolower((unsigned char)u->host.p[i]);
	*ret = str_make(dst, n);
	return 0;
}

static bool user_equal(struct str a, struct str b)
{
	char ta[512], tb[512];
	struct str ua, ub;

	if (str_eq(a, b))
		return true;
	return sip_unescape(a, ta, sizeof(ta), &ua) == 0 && sip_unescape(b, tb, sizeof(tb), &ub) == 0 && str_eq(ua, ub);
}

/* Every parameter of a that b has, too, has the same value there. */
static bool params_agree(const struct sip_uri *a, const struct sip_uri *b)
{
	struct str rest = a->params, one, k, v, w;

	while (rest.l) {
		char name[64];

		str_cut(rest, ';', &one, &rest);
		str_cut(one, '=', &k, &v);
		if (k.l == 0 || !str_copy(k, name, sizeof(name)))
			continue;
		if (sip_uri_param(b, name, &w) && !str_ieq(v, w))
			return false;
	}
	return true;
}

static unsigned param_count(struct str params)
{
	unsigned n = 1;

	for (size_t i = 0; i < params.l; i++)
		n += params.p[i] == ';';
	return n;
}

/* §19.1.4: these count even when only one side has them; others only when both have them. */
static bool params_equal(const struct sip_uri *a, const struct sip_uri *b)
{
	static const char *const must[] = { "user", "ttl", "method", "maddr", "transport" };
	struct str v, w;

	if (param_count(a->params) > SIP_URI_MAX_COMPARED || param_count(b->params) > SIP_URI_MAX_COMPARED)
		return str_ieq(a->params, b->params);
	for (size_t i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
		bool ia = sip_uri_param(a, must[i], &v), ib = sip_uri_param(b, must[i], &w);

		if (ia != ib || (ia && !str_ieq(v, w)))
			return false;
	}
	return params_agree(a, b) && params_agree(b, a);	/* a name that is there twice must not make it one-sided */
}

bool sip_uri_equal(const struct sip_uri *a, const struct sip_uri *b)
{
	char ta[512], tb[512];
	struct str aa, ab;

	if (a->scheme != b->scheme)
		return false;
	if (str_eq(a->text, b->text))
		return true;
	if (a->scheme == SIP_SCHEME_OTHER)
		return false;
	if (a->scheme == SIP_SCHEME_TEL)
		return tel_aor(a, ta, sizeof(ta), &aa) == 0 && tel_aor(b, tb, sizeof(tb), &ab) == 0 && str_eq(aa, ab);
	return user_equal(a->user, b->user) && user_equal(a->password, b->password) && str_ieq(a->host, b->host) &&
	       a->port == b->port && params_equal(a, b) && str_eq(a->headers, b->headers);
}

int sip_uri_host_addr(const struct sip_uri *u, struct addr *ret)
{
	uint16_t port = u->port ? u->port : u->scheme == SIP_SCHEME_SIPS ? 5061 : 5060;

	if (u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS)
		return -ENOENT;
	return addr_parse(u->host, port, ret) < 0 ? -ENOENT : 0;
}
