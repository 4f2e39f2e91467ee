/* common/sip/nameaddr.c - name-addr, addr-spec and lists of them: RFC 3261 §20, §25.1. */
#include <errno.h>
#include "common/sip/lines.h"
#include "common/sip/nameaddr.h"

/* Index behind a quoted string that starts at i, or s.l + 1 when it never ends. */
static size_t skip_quoted(struct str s, size_t i)
{
	for (i++; i < s.l; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
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

int sip_nameaddr_parse(struct str in, struct sip_nameaddr *ret)
{
	struct sip_nameaddr n = { .text = str_trim(in) };
	struct str s = n.text, uri;
	ssize_t lt = -1, gt;
	size_t i = 0;

	if (str_eq(s, STR("*"))) {
		n.star = true;
		*ret = n;
		return 0;
	}
	while (i < s.l && s.p[i] != '<') {
		if (s.p[i] == '"') {
			i = skip_quoted(s, i);
			if (i > s.l)
				return -EBADMSG;
		} else {
			i++;
		}
	}
	if (i < s.l)
		lt = (ssize_t)i;
	if (lt >= 0) {
		struct str tail = str_from(s, (size_t)lt + 1);

		gt = str_chr(tail, '>');
		if (gt < 0)
			return -EBADMSG;
		n.bracketed = true;
		n.display = str_trim(str_head(s, (size_t)lt));
		uri = str_trim(str_head(tail, (size_t)gt));
		tail = str_trim(str_from(tail, (size_t)gt + 1));
		if (tail.l && tail.p[0] != ';')
			return -EBADMSG;
		n.params = tail.l ? str_trim(str_from(tail, 1)) : STR_NONE;
		/* An unquoted display name is tokens and blanks. */
		if (n.display.l && n.display.p[0] != '"')
			for (size_t k = 0; k < n.display.l; k++)
				if (strchr("\",;<>@", n.display.p[k]) || n.display.p[k] == '\0')
					return -EBADMSG;
	} else {
		/* §20.10: without brackets everything behind ';' belongs to the header, and ',' '?' may not appear. */
		str_cut(s, ';', &uri, &n.params);
		uri = str_trim(uri);
		if (str_chr(uri, '?') >= 0 || str_chr(uri, ' ') >= 0)
			return -EBADMSG;
	}
	if (!sip_quotes_closed(n.params) || sip_uri_parse(uri, &n.uri, NULL) < 0)
		return -EBADMSG;
	*ret = n;
	return 0;
}

bool sip_list_next(struct str *rest, struct str *ret)
{
	/* One value is the common case. */
	if (rest->l && !memchr(rest->p, ',', rest->l)) {
		*ret = str_trim(*rest);
		*rest = STR_NONE;
		return ret->l > 0;
	}
	while (rest->l) {
		size_t i = 0;
		bool angle = false;

		while (i < rest->l && (angle || rest->p[i] != ',')) {
			if (rest->p[i] == '"' && !angle) {
				i = skip_quoted(*rest, i);
				continue;
			}
			if (rest->p[i] == '<')
				angle = true;
			else if (rest->p[i] == '>')
				angle = false;
			i++;
		}
		if (i > rest->l)
			i = rest->l;
		*ret = str_trim(str_head(*rest, i));
		*rest = i < rest->l ? str_from(*rest, i + 1) : STR_NONE;
		if (ret->l)
			return true;
	}
	return false;
}

bool sip_param_next(struct str *rest, struct str *name, struct str *value)
{
	while (rest->l) {
		size_t i = 0;
		struct str one;

		while (i < rest->l && rest->p[i] != ';') {
			if (rest->p[i] == '"')
				i = skip_quoted(*rest, i);
			else
				i++;
		}
		if (i > rest->l)
			i = rest->l;
		one = str_trim(str_head(*rest, i));
		*rest = i < rest->l ? str_from(*rest, i + 1) : STR_NONE;
		if (one.l == 0)
			continue;
		str_cut(one, '=', name, value);
		*name = str_trim(*name);
		*value = str_trim(*value);
		return true;
	}
	return false;
}

struct str sip_unquote(struct str s)
{
	return s.l >= 2 && s.p[0] == '"' && s.p[s.l - 1] == '"' ? str_make(s.p + 1, s.l - 2) : s;
}
