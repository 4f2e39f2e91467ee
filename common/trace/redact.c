/* common/trace/redact.c - keys and digests out of a message, in place. */
#include <string.h>
#include "common/sip/msg.h"
#include "common/trace/capture.h"

static const char *const secret_headers[] = {
	"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info", "proxy-authentication-info",
};
static const char *const secret_params[] = { "ck", "ik", "response", "rspauth", "auts", "cnonce" };

static bool in_list(struct str s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq_c(s, list[i]))
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool ends_token(char c)
{
	return is_blank(c) || c == ',' || c == ';' || c == '=' || c == '"';
}

static char *skip_blank(char *p, char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

/* A value from p on, quoted or not; secret: overwritten.  Returns what is behind it.  A quote that never ends hides all the rest. */
static char *value(char *p, char *end, bool secret)
{
	bool quoted = p < end && *p == '"';

	p += quoted;
	for (; p < end && (quoted ? *p != '"' : !ends_token(*p)); p++) {
		bool pair = quoted && *p == '\\' && p + 1 < end;

		if (secret && !is_blank(*p))
			*p = '*';
		if (!pair)
			continue;
		p++;
		if (secret && !is_blank(*p))
			*p = '*';
	}
	return quoted && p < end ? p + 1 : p;
}

/* name = value, ... whatever stands between. */
static void params(char *p, char *end)
{
	while (p < end) {
		char *name, *after;

		while (p < end && ends_token(*p) && *p != '"')
			p++;
		if (p < end && *p == '"') {
			p = value(p, end, false);
			continue;
		}
		for (name = p; p < end && !ends_token(*p); p++)
			;
		after = skip_blank(p, end);
		if (after == end || *after != '=')
			continue;
		p = value(skip_blank(after + 1, end), end,
			  in_list(str_make(name, (size_t)(p - name)), secret_params, sizeof(secret_params) / sizeof(secret_params[0])));
	}
}

/* The end of a header with its continuation lines (RFC 3261 §7.3.1). */
static char *header_end(char *p, char *end)
{
	while (p < end) {
		char *lf = memchr(p, '\n', (size_t)(end - p));

		if (!lf)
			return end;
		p = lf + 1;
		if (p == end || (*p != ' ' && *p != '\t'))
			return p;
	}
	return end;
}

/* Where the value of a header that holds a secret begins; NULL: [p, next) begins no such header. */
static char *secret_value(char *p, char *next)
{
	char *colon = memchr(p, ':', (size_t)(next - p));

	return colon && in_list(str_trim(str_make(p, (size_t)(colon - p))), secret_headers, sizeof(secret_headers) / sizeof(secret_headers[0]))
		       ? colon + 1 : NULL;
}

static char *head(char *p, char *end)
{
	while (p < end) {
		char *next = header_end(p, end), *secret = secret_value(p, next);

		if (next - p <= 2 && skip_blank(p, next) == next)
			return next;		/* the empty line */
		if (secret)
			params(secret, next);
		p = next;
	}
	return end;
}

/* In any body: one part of a multipart may be an SDP, or a SIP message with credentials (a third-party REGISTER's, TS 24.229
 * §5.4.1.7A).  MIKEY (a=key-mgmt, RFC 4567) holds keys too. */
static void body(char *p, char *end)
{
	static const struct { const char *line; size_t l; bool inlined; } rows[] = {
		{ "a=crypto:", 9, true }, { "a=key-mgmt:", 11, false }, { "k=", 2, false },
	};

	while (p < end) {
		char *lf = memchr(p, '\n', (size_t)(end - p)), *next = lf ? lf + 1 : end, *secret = secret_value(p, next);

		if (secret) {
			next = header_end(p, end);
			params(secret, next);
		}
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			ssize_t at = rows[i].inlined ? -1 : (ssize_t)rows[i].l;

			if ((size_t)(next - p) < rows[i].l || !str_ieq_c(str_make(p, rows[i].l), rows[i].line))
				continue;
			if (rows[i].inlined && (at = str_find(str_make(p, (size_t)(next - p)), STR("inline:"))) >= 0)
				at += 7;
			for (char *c = at < 0 ? p + rows[i].l : p + at; c < next; c++)
				if (!is_blank(*c))
					*c = '*';
		}
		p = next;
	}
}

void capture_redact(char *p, size_t l)
{
	char *end = p + l;

	body(head(p, end), end);
}
