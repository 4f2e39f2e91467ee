/* pcscf/credentials.c - Authorization and challenges as they cross the border: integrity-protected in, ck and ik out.
 * TS 24.229 §5.2.2.1 to §5.2.2.6; S4, rows P2, R7.
 *
 * Parameters are taken out by element of the comma list, whatever case, blanks, quotes or folds they are written with; the
 * rest stays as it came.  What still contains the name afterwards cannot be read safely and goes no further. */
#include <errno.h>
#include "common/log/log.h"
#include "common/sip/auth.h"
#include "pcscf/trust.h"

static struct str last_word(struct str s)
{
	size_t i = s.l;

	while (i && s.p[i - 1] != ' ' && s.p[i - 1] != '\t')
		i--;
	return str_from(s, i);
}

/* Copies `value` without the parameters called names[].  The scheme stands in front of the first parameter ("Digest a=b"),
 * and of a later one when challenges share a line: it stays. */
static struct str params_without(struct arena *a, struct str value, const char *const names[], unsigned *ret_hits)
{
	struct str rest = value, one, name, val, word;
	char *to = arena_alloc(a, 2 * value.l + 1);	/* "a,b" becomes "a, b" */
	size_t n = 0;
	bool scheme_open = false;	/* a scheme waits for its first parameter */

	*ret_hits = 0;
	if (!to)
		return STR_NONE;
	while (sip_list_next(&rest, &one)) {
		bool hit = false;

		str_cut(one, '=', &name, &val);
		name = str_trim(name);
		word = last_word(name);
		for (unsigned i = 0; names[i]; i++)
			hit = hit || str_ieq_c(word, names[i]);
		*ret_hits += hit;
		if (hit)
			one = str_trim(str_head(name, name.l - word.l));
		if (!one.l)
			continue;
		if (n) {
			if (!scheme_open)
				to[n++] = ',';
			to[n++] = ' ';
		}
		memcpy(to + n, one.p, one.l);
		n += one.l;
		scheme_open = hit;
	}
	return str_make(to, n);
}

/* ---- integrity-protected ---- */

static bool is_digest(struct str value)
{
	return str_istarts(value, STR("Digest")) && (value.l == 6 || value.p[6] == ' ' || value.p[6] == '\t');
}

static int rewrite(struct sip_out *o, const struct sip_hdr *h, const char *put)
{
	static const char *const names[] = { "integrity-protected", NULL };
	struct str was = sip_msg_hdr_value(o->m, h), v = was;
	struct auth_params p;
	unsigned hits;

	if (str_ifind(v, str_from_c(names[0])) >= 0) {
		v = params_without(o->arena, v, names, &hits);
		if (!v.p)
			o->failed = true;
		if (str_ifind(v, str_from_c(names[0])) >= 0)
			return -EBADMSG;
	}
	if (put && is_digest(v)) {
		if (!sip_quotes_closed(v))		/* ours would land inside of a string */
			return -EBADMSG;
		v = arena_printf(o->arena, "%.*s%s integrity-protected=\"%s\"", STR_ARG(v), v.l > 7 ? "," : "", put);
		if (auth_params_parse(v, &p) == 0 && !str_eq_c(p.integrity_protected, put))
			return -EBADMSG;	/* an open '<' swallows it */
	}
	if (v.p != was.p)
		sip_out_set_line(o, h, v);
	return 0;
}

int credentials_set_integrity(struct sip_out *o, const char *value)
{
	static const enum sip_hdr_id ids[] = { SIP_H_AUTHORIZATION, SIP_H_PROXY_AUTHORIZATION };
	int rc = 0;

	for (size_t i = 0; i < 2; i++)
		for (const struct sip_hdr *h = sip_msg_hdr(o->m, ids[i]); h && rc == 0; h = sip_msg_hdr_next(o->m, h))
			rc = rewrite(o, h, ids[i] == SIP_H_AUTHORIZATION ? value : NULL);
	return rc;
}

enum credentials credentials_kind(const struct sip_msg *m)
{
	struct auth_params p;

	if (auth_find(m, SIP_H_AUTHORIZATION, STR_NONE, &p) < 0)
		return CREDENTIALS_NONE;
	if (p.response.l == 0 && p.auts.l == 0)
		return CREDENTIALS_EMPTY;
	return p.algorithm == AUTH_AKAV1_MD5 || str_istarts(p.algorithm_text, STR("AKA")) ? CREDENTIALS_AKA : CREDENTIALS_DIGEST;
}

/* ---- ck, ik ---- */

static bool is_word_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '_' || c == '.';
}

/* Is `name` followed by '=' anywhere outside of quotes, whatever stands before it? */
static bool names_outside_quotes(struct str s, const char *name)
{
	size_t l = strlen(name), k;
	bool quoted = false;

	for (size_t i = 0; i < s.l; i++) {
		if (s.p[i] == '\\' && quoted)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && i + l <= s.l && mem_ieq(s.p + i, name, l) && (i == 0 || !is_word_char(s.p[i - 1]))) {
			for (k = i + l; k < s.l && (s.p[k] == ' ' || s.p[k] == '\t'); k++)
				;
			if (k < s.l && s.p[k] == '=')
				return true;
		}
	}
	return false;
}

void credentials_hide_keys(struct sip_out *o)
{
	static const enum sip_hdr_id ids[] = { SIP_H_WWW_AUTHENTICATE, SIP_H_PROXY_AUTHENTICATE, SIP_H_AUTHENTICATION_INFO };
	static const char *const names[] = { "ck", "ik", NULL };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		for (const struct sip_hdr *h = sip_msg_hdr(o->m, ids[i]); h; h = sip_msg_hdr_next(o->m, h)) {
			unsigned hits;
			struct str v = params_without(o->arena, sip_msg_hdr_value(o->m, h), names, &hits);

			if (!v.p || !sip_quotes_closed(v) || names_outside_quotes(v, "ck") || names_outside_quotes(v, "ik")) {
				log_warn(LOG_SEC, "a challenge that cannot be read is not passed on",
					 LOG_S("call_id", o->m->call_id));
				sip_out_drop_line(o, h);
			} else if (hits) {
				sip_out_set_line(o, h, v);
			}
		}
	}
}
