/* common/sip/nameaddr.c - name-addr, addr-spec and lists of them: RFC 3261 §20, §25.1. */
#include <errno.h>
#include "common/sip/lines.h"
#include "common/sip/nameaddr.h"

/* Index behind a quoted string that starts at i, or s.l + 1 when it never ends. */
static size_t skip_quoted(struct str s, size_t i)
{
	for (i++; i < s.l; i += 2) {
		i += scan_find3(str_from(s, i), '"', '\\', '"');
		if (i < s.l && s.p[i] == '"')
			return i + 1;
	}
	return s.l + 1;
}

bool sip_quotes_closed(struct str s)
{
	for (size_t i = 0; i < s.l;) {
		const char *q = memchr(s.p + i, '"', s.l - i);

		if (!q)
			return true;
		i = skip_quoted(s, (size_t)(q - s.p));
		if (i > s.l)
			return false;
	}
	return true;
}

/* An unquoted display name is tokens and blanks. */
static bool is_display(struct str s)
{
	if (s.l == 0 || s.p[0] == '"')
		return true;
	for (size_t i = 0; i < s.l; i++)
		if (strchr("\",;<>@", s.p[i]) || s.p[i] == '\0')
			return false;
	return true;
}

/* Index of the '<' outside of quotes, or s.l; behind it when a quoted string never ends. */
static size_t angle(struct str s)
{
	size_t i = 0;

	for (;;) {
		i += scan_find3(str_from(s, i), '<', '"', '"');
		if (i == s.l || s.p[i] == '<')
			return i;
		i = skip_quoted(s, i);
		if (i > s.l)
			return i;
	}
}

int sip_nameaddr_parse(struct str in, struct sip_nameaddr *ret)
{
	struct str s = str_trim(in), display = STR_NONE, params = STR_NONE, uri;
	size_t lt = angle(s);

	if (lt > s.l)
		return -EBADMSG;
	if (lt < s.l) {
		struct str tail = str_from(s, lt + 1);
		ssize_t gt = str_chr(tail, '>');

		if (gt < 0)
			return -EBADMSG;
		display = str_trim(str_head(s, lt));
		uri = str_trim(str_head(tail, (size_t)gt));
		tail = str_trim(str_from(tail, (size_t)gt + 1));
		if ((tail.l && tail.p[0] != ';') || !is_display(display))
			return -EBADMSG;
		if (tail.l)
			params = str_trim(str_from(tail, 1));
	} else if (s.l == 1 && s.p[0] == '*') {
		*ret = (struct sip_nameaddr){ .text = s, .star = true };
		return 0;
	} else {
		/* §20.10: without brackets everything behind ';' belongs to the header, and ',' '?' may not appear. */
		str_cut(s, ';', &uri, &params);
		uri = str_trim(uri);
		if (str_chr(uri, '?') >= 0 || str_chr(uri, ' ') >= 0)
			return -EBADMSG;
	}
	if (!sip_quotes_closed(params) || sip_uri_parse(uri, &ret->uri, NULL) < 0)
		return -EBADMSG;
	ret->text = s;
	ret->display = display;
	ret->params = params;
	ret->bracketed = lt < s.l;
	ret->star = false;
	return 0;
}

/* Index of the comma behind the first element, or s.l: one inside of quotes or <> is none. */
static size_t element_end(struct str s)
{
	size_t i = 0;

	while (i < s.l) {
		i += scan_find3(str_from(s, i), ',', '"', '<');
		if (i == s.l || s.p[i] == ',')
			return i;
		if (s.p[i] == '"') {
			i = skip_quoted(s, i);
		} else {
			ssize_t gt = str_chr(str_from(s, i), '>');

			if (gt < 0)
				return s.l;
			i += (size_t)gt + 1;
		}
	}
	return s.l;
}

bool sip_list_cut(struct str *rest, struct str *ret)
{
	while (rest->l) {
		size_t i = scan_find3(*rest, ',', '"', '<');

		if (i < rest->l && rest->p[i] != ',')		/* one value is the common case */
			i = memchr(rest->p + i, ',', rest->l - i) ? element_end(*rest) : rest->l;
		*ret = str_trim(str_head(*rest, i));
		*rest = i < rest->l ? str_from(*rest, i + 1) : STR_NONE;
		if (ret->l)
			return true;
	}
	return false;
}

/* Index of the ';' behind the first parameter, or s.l. */
static size_t param_end(struct str s)
{
	size_t i = 0;

	while (i < s.l) {
		i += scan_find3(str_from(s, i), ';', '"', '"');
		if (i == s.l || s.p[i] == ';')
			return i;
		i = skip_quoted(s, i);
	}
	return s.l;
}

bool sip_param_cut(struct str *rest, struct str *name, struct str *value)
{
	while (rest->l) {
		size_t i = scan_find3(*rest, ';', '=', '"'), end = i;
		struct str one;

		if (i < rest->l && rest->p[i] == '=')		/* nearly always */
			end = i + 1 + param_end(str_from(*rest, i + 1));
		else if (i < rest->l && rest->p[i] == '"')
			end = param_end(*rest);
		one = str_head(*rest, end);
		*rest = end < rest->l ? str_from(*rest, end + 1) : STR_NONE;
		if (i < end && one.p[i] == '"') {		/* where a name belongs */
			ssize_t eq = str_chr(one, '=');

			i = eq < 0 ? end : (size_t)eq;
		}
		*name = str_trim(str_head(one, i));
		*value = i < end ? str_trim(str_from(one, i + 1)) : STR_NONE;
		if (name->l || i < end)
			return true;
	}
	return false;
}

struct str sip_unquote(struct str s)
{
	return s.l >= 2 && s.p[0] == '"' && s.p[s.l - 1] == '"' ? str_make(s.p + 1, s.l - 2) : s;
}
