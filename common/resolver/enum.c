/* common/resolver/enum.c - ENUM: RFC 6116, RFC 3402 §3.2, RFC 3764, RFC 4769. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/resolver/enum.h"
#include "common/resolver/private.h"

#define MATCH_LIMIT 20000u
#define DEPTH_LIMIT 1000u
#define HEAP_LIMIT_KIB 256u
#define MAX_GROUPS 10u			/* \0 to \9 */

bool enum_service(const char *service, bool *ret_pstn)
{
	struct str rest = str_from_c(service), one;

	if (!str_istarts(rest, STR("E2U+")))
		return false;
	rest = str_from(rest, 4);
	while (rest.l) {
		struct str type, subtype;

		str_cut(rest, '+', &one, &rest);
		str_cut(one, ':', &type, &subtype);
		*ret_pstn = str_ieq_c(type, "pstn");
		if (*ret_pstn || str_ieq_c(type, "sip"))
			return true;
	}
	return false;
}

/* ---- the expression ---- */

struct parts {
	char ere[DNS_NAME_MAX], text[DNS_NAME_MAX];	/* the delimiter's backslash is off */
	bool caseless;
};

/* Up to the next delimiter that has no backslash; *at behind it. */
static bool part(const char **at, char delimiter, char dst[DNS_NAME_MAX])
{
	size_t n = 0;

	for (const char *p = *at; *p; p++) {
		if (*p == delimiter) {
			dst[n] = '\0';
			*at = p + 1;
			return true;
		}
		if (p[0] == '\\' && p[1] && p[1] != delimiter)
			dst[n++] = *p++;
		else if (p[0] == '\\' && p[1])
			p++;
		dst[n++] = *p;
	}
	return false;
}

static int split(const char *s, struct parts *ret)
{
	char d = *s;

	if (!d || strlen(s++) >= DNS_NAME_MAX || d == '\\' || d == 'i' || isdigit((unsigned char)d))
		return -EBADMSG;
	if (!part(&s, d, ret->ere) || !part(&s, d, ret->text))
		return -EBADMSG;
	ret->caseless = *s == 'i';
	return ret->ere[0] ? 0 : -EBADMSG;
}

static pcre2_code *compile(const struct parts *x)
{
	uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY | (x->caseless ? PCRE2_CASELESS : 0);
	PCRE2_UCHAR *converted = NULL;
	PCRE2_SIZE l = 0, off;
	pcre2_code *code = NULL;
	int rc;

	if (pcre2_pattern_convert((PCRE2_SPTR)x->ere, strlen(x->ere), PCRE2_CONVERT_POSIX_EXTENDED, &converted, &l, NULL) == 0)
		code = pcre2_compile(converted, l, options, &rc, &off, NULL);
	pcre2_converted_pattern_free(converted);
	return code;
}

static bool put(char dst[ENUM_URI_MAX], size_t *n, const char *p, size_t l)
{
	if (*n + l >= ENUM_URI_MAX)
		return false;
	memcpy(dst + *n, p, l);
	*n += l;
	return true;
}

static int replace(const char *text, struct str number, const PCRE2_SIZE *at, unsigned groups, char ret[ENUM_URI_MAX])
{
	size_t n = 0;
	bool ok = true;

	for (; *text && ok; text++) {
		unsigned k;

		if (*text != '\\' || !text[1]) {
			ok = put(ret, &n, text, 1);
			continue;
		}
		text++;
		if (!isdigit((unsigned char)*text)) {
			ok = put(ret, &n, text, 1);
			continue;
		}
		k = (unsigned)(*text - '0');
		if (k < groups && at[2 * k] != PCRE2_UNSET)
			ok = put(ret, &n, number.p + at[2 * k], at[2 * k + 1] - at[2 * k]);
	}
	ret[n] = '\0';
	return ok ? 0 : -ENOSPC;
}

int enum_rewrite(const char *expression, struct str number, char ret[ENUM_URI_MAX])
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *d = pcre2_match_data_create(MAX_GROUPS, NULL);
	struct parts x = { "", "", false };
	pcre2_code *code = NULL;
	int rc = split(expression, &x);

	if (rc == 0 && limits && d && (code = compile(&x))) {
		pcre2_set_match_limit(limits, MATCH_LIMIT);
		pcre2_set_depth_limit(limits, DEPTH_LIMIT);
		pcre2_set_heap_limit(limits, HEAP_LIMIT_KIB);
		rc = pcre2_match(code, (PCRE2_SPTR)number.p, number.l, 0, 0, d, limits);
		rc = rc == 0 ? (int)MAX_GROUPS : rc;	/* more groups than are wanted */
		rc = rc < 0 ? -ENOENT : replace(x.text, number, pcre2_get_ovector_pointer(d), (unsigned)rc, ret);
	} else if (rc == 0) {
		rc = -EBADMSG;
	}
	pcre2_code_free(code);
	pcre2_match_data_free(d);
	pcre2_match_context_free(limits);
	return rc;
}

/* ---- records to URIs ---- */

static bool is_uri(const struct enum_uri *u)
{
	struct sip_uri parsed;

	if (sip_uri_parse(str_from_c(u->text), &parsed, NULL) < 0)
		return false;
	if (parsed.scheme == SIP_SCHEME_TEL)
		return u->pstn && parsed.user.l > 0;
	return parsed.scheme != SIP_SCHEME_OTHER && parsed.host.l > 0;
}

static int by_order(const void *x, const void *y)
{
	const struct rec *a = x, *b = y;

	return a->prio != b->prio ? a->prio - b->prio : a->weight - b->weight;
}

/* Points to other records: no flag, and a domain in place of an expression. */
static bool is_referral(const struct rec *rec)
{
	return !rec->flag && rec->name[0] && rec->name[strspn(rec->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

/* NULL, or why the record is passed over. */
static const char *read_record(const struct rec *rec, struct str number, struct enum_uri *u)
{
	if (is_referral(rec))
		return "points to other records";
	if ((rec->flag | 0x20) != 'u')
		return "no flag u";
	if (!enum_service(rec->service, &u->pstn))
		return "another service";
	if (enum_rewrite(rec->name, number, u->text) < 0)
		return "its expression does not fit, or is none";
	return is_uri(u) ? NULL : "what comes of it is no URI for this";
}

static void read_records(const struct resolver_query *q, const struct answer *a, struct enum_result *ret,
			 char next[DNS_NAME_MAX])
{
	struct str number = str_from_c(q->number);
	struct rec rec[DNS_MAX_RECS];

	memcpy(rec, a->rec, a->n * sizeof(rec[0]));
	qsort(rec, a->n, sizeof(rec[0]), by_order);
	for (unsigned i = 0; i < a->n && ret->n < ENUM_MAX_URIS; i++)
		if (!read_record(&rec[i], number, &ret->uri[ret->n]))
			ret->n++;
		else if (is_referral(&rec[i]) && !*next)
			snprintf(next, DNS_NAME_MAX, "%s", rec[i].name);
	step_dns(q, DNS_NAPTR, q->host, 0, a, rec, NULL);
}

const char *enum_record(const struct resolver_query *q, const struct rec *rec, char gives[ENUM_URI_MAX])
{
	struct enum_uri u = { false, "" };
	const char *unused = read_record(rec, str_from_c(q->number), &u);

	memcpy(gives, u.text, ENUM_URI_MAX);
	return unused;
}

void enum_finish(struct resolver_query *q, struct enum_result *res)
{
	list_del(&q->wait);
	list_del(&q->link);
	if (q->done)
		*q->done = true;
	q->enum_fn(q->arg, res);
	free(q);
}

void enum_step(struct resolver_query *q)
{
	struct enum_result *res = calloc(1, sizeof(*res)), none = { .err = -ENOMEM, .why = "out of memory" };
	struct answer *a = NULL;
	int rc = res ? cache_get(q, DNS_NAPTR, q->host, &a) : -ENOMEM;
	char next[DNS_NAME_MAX] = "";

	if (rc == 0 && a->n) {
		read_records(q, a, res, next);
		if (res->n == 0 && *next && q->referrals++ < ENUM_MAX_REFERRALS) {	/* a loop ends here, too */
			free(res);
			memcpy(q->host, next, sizeof(q->host));
			enum_step(q);
			return;
		}
	} else if (res && rc != -EINPROGRESS)
		step_dns(q, DNS_NAPTR, q->host, rc, a, NULL, NULL);
	if (rc == 0 && res->n == 0)
		rc = -ENOENT;
	if (rc != -EINPROGRESS) {
		if (res) {
			res->err = rc;
			res->why = rc == 0 ? NULL : rc == -ENOENT ? "the number has no usable NAPTR record" : "DNS does not answer";
		}
		enum_finish(q, res ? res : &none);
	}
	free(res);
}

/* ---- entry ---- */

/* RFC 6116 §3.2: "+4930" under "e164.arpa" is "0.3.9.4.e164.arpa". */
static bool domain_of(struct str number, struct str suffix, char dst[DNS_NAME_MAX])
{
	size_t n = 0;

	if (number.l < 2 || number.l > ENUM_MAX_DIGITS + 1 || number.p[0] != '+' || suffix.l == 0 ||
	    2 * number.l + suffix.l >= DNS_NAME_MAX)
		return false;
	for (size_t i = number.l - 1; i > 0; i--) {
		if (!isdigit((unsigned char)number.p[i]))
			return false;
		dst[n++] = number.p[i];
		dst[n++] = '.';
	}
	memcpy(dst + n, suffix.p, suffix.l);
	dst[n + suffix.l] = '\0';
	return true;
}

static void fail(enum_fn fn, void *arg, int err, const char *why)
{
	struct enum_result res = { .err = err, .why = why };

	fn(arg, &res);
}

struct resolver_query *enum_lookup(struct resolver *r, struct str number, struct str suffix, enum_fn fn, void *arg)
{
	return enum_lookup_watched(r, number, suffix, NULL, fn, arg);
}

struct resolver_query *enum_lookup_watched(struct resolver *r, struct str number, struct str suffix, const struct resolver_watch *w, enum_fn fn,
					   void *arg)
{
	struct resolver_query *q;
	char domain[DNS_NAME_MAX];
	bool done = false;

	if (!domain_of(number, suffix, domain)) {
		fail(fn, arg, -EINVAL, "not a global number");
		return NULL;
	}
	if (!r->has_channel) {
		fail(fn, arg, -ENOENT, "no DNS server");
		return NULL;
	}
	q = calloc(1, sizeof(*q));
	if (!q) {
		fail(fn, arg, -ENOMEM, "out of memory");
		return NULL;
	}
	*q = (struct resolver_query){ .r = r, .enum_fn = fn, .arg = arg, .watch = w, .started_ms = loop_now_ms(r->loop) };
	memcpy(q->host, domain, sizeof(q->host));
	str_copy(number, q->number, sizeof(q->number));
	list_init(&q->wait);
	list_add_tail(&r->queries, &q->link);
	q->done = &done;
	query_step(q);
	if (done)
		return NULL;
	q->done = NULL;
	return q;
}
