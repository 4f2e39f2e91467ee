/* tests/hss/subscribers.c - the table of subscribers, and one made from what a file or a REST body says. */
#include <errno.h>
#include <expat.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/hss/subscribers.h"
#include "common/util/list.h"

#define DEFAULT_AMF "8000"		/* separation bit set: TS 33.102 annex H */
#define IMSI_MAX 15u
#define URI_MAX 512u

const struct sub_field_def sub_fields[N_SUB_FIELDS] = {
	[F_IMSI] = { "imsi", "imsi", false, false, true },
	[F_MSISDN] = { "msisdn", "msisdn", false, false, true },
	[F_IMPI] = { "impi", "impi", false, false, true },
	[F_K] = { "k", "k", false, false, false },
	[F_OPC] = { "opc", "opc", false, false, false },
	[F_OP] = { "op", "op", false, false, false },
	[F_AMF] = { "amf", "amf", false, false, false },
	[F_SQN] = { "sqn", "sqn", false, false, false },
	[F_PASSWORD] = { "password", "password", false, false, false },
	[F_DIGEST_ALGORITHM] = { "digest_algorithm", "digestAlgorithm", false, false, false },
	[F_REALM] = { "realm", "realm", false, false, false },
	[F_DISPLAY_NAME] = { "display_name", "displayName", false, false, false },
	[F_IMPU] = { "impu", "impu", true, false, true },
	[F_BARRED] = { "barred", "barred", true, false, true },
	[F_IFC] = { "ifc", "ifc", true, false, false },
	[F_VISITED] = { "visited_networks", "visitedNetworks", true, false, false },
	[F_SERVER_NAME] = { "server_name", "serverName", false, false, false },
	[F_SERVER_NAMES] = { "server_names", "serverNames", true, false, false },
	[F_MANDATORY] = { "mandatory_capabilities", "mandatoryCapabilities", true, false, false },
	[F_OPTIONAL] = { "optional_capabilities", "optionalCapabilities", true, false, false },
	[F_UNREGISTERED] = { "unregistered_services", "unregisteredServices", false, false, false },
	[F_MAY_REGISTER] = { "may_register", "mayRegister", false, false, false },
	[F_PSI] = { "psi", "psi", false, false, true },
	[F_SET] = { "set", "set", false, false, true },
	[F_GIBA_ADDRESS] = { "giba_address", "gibaAddress", false, false, true },
	[F_COUNT] = { "count", "count", false, true, false },
	[F_FIRST_IMSI] = { "first_imsi", "firstImsi", false, true, false },
	[F_FIRST_MSISDN] = { "first_msisdn", "firstMsisdn", false, true, false },
};

/* ---- the table ---- */

struct name {
	struct hnode node;
	char text[];
};

int subs_new(struct subs **ret, struct str domain)
{
	struct subs *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	str_copy(domain, s->domain, sizeof(s->domain));
	if (htab_init(&s->by_impi, 1024) < 0 || htab_init(&s->by_impu, 1024) < 0 || htab_init(&s->wild, 16) < 0 ||
	    htab_init(&s->names, 16) < 0) {
		subs_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

static void free_name(struct hnode *n, void *arg)
{
	htab_del(arg, n);
	free(container_of(n, struct name, node));
}

void subs_free(struct subs *s)
{
	if (!s)
		return;
	if (s->names.slot)
		htab_each(&s->names, free_name, &s->names);
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i]->restoration);
		free(s->v[i]);
	}
	free(s->v);
	htab_fini(&s->names);
	htab_fini(&s->by_impi);
	htab_fini(&s->by_impu);
	htab_fini(&s->wild);
	free(s);
}

static bool name_is(const struct hnode *n, const void *key)
{
	return str_eq_c(*(const struct str *)key, container_of(n, struct name, node)->text);
}

const char *subs_intern(struct subs *s, struct str text)
{
	uint64_t h = hash_str(text);
	struct hnode *n = htab_find(&s->names, h, name_is, &text);
	struct name *fresh;

	if (n)
		return container_of(n, struct name, node)->text;
	fresh = malloc(sizeof(*fresh) + text.l + 1);
	if (!fresh)
		return NULL;
	str_copy(text, fresh->text, text.l + 1);
	htab_add(&s->names, &fresh->node, h);
	return fresh->text;
}

static bool impi_is(const struct hnode *n, const void *key)
{
	return str_ieq_c(*(const struct str *)key, container_of(n, struct sub, node)->name);
}

static bool impu_is(const struct hnode *n, const void *key)
{
	return str_eq_c(*(const struct str *)key, container_of(n, struct sub_impu, node)->aor);
}

struct sub *subs_by_impi(const struct subs *s, struct str impi)
{
	struct hnode *n = htab_find(&s->by_impi, hash_istr(impi), impi_is, &impi);

	return n ? container_of(n, struct sub, node) : NULL;
}

static const char *set_name(const char *impi, unsigned set, char text[URI_MAX + 16])
{
	snprintf(text, URI_MAX + 16, set > 1 ? "%s#%u" : "%s", impi, set);
	return text;
}

struct sub *subs_set(const struct subs *s, const char *impi, unsigned set)
{
	char text[URI_MAX + 16];

	return subs_by_impi(s, str_from_c(set_name(impi, set, text)));
}

static int canonical(struct str uri, char *dst, size_t size, struct str *ret)
{
	struct sip_uri u;

	if (sip_uri_parse(uri, &u, NULL) < 0)
		return -EBADMSG;
	return sip_uri_aor(&u, dst, size, ret);
}

/* The few wildcarded identities are all of one hash: each is asked. */
#define WILD_HASH 0u

static bool wild_fits(const struct hnode *n, const void *key)
{
	return sub_wild_fits(str_from_c(container_of(n, struct sub_impu, node)->aor), *(const struct str *)key);
}

/* By that very text, whatever wildcarded identity it fits. */
static struct hnode *own(const struct subs *s, struct str aor)
{
	if (sub_wild_is(aor))
		return htab_find(&s->wild, WILD_HASH, impu_is, &aor);
	return htab_find(&s->by_impu, hash_str(aor), impu_is, &aor);
}

struct sub *subs_by_impu(const struct subs *s, struct str impu, const struct sub_impu **ret_impu)
{
	char text[URI_MAX];
	struct str aor;
	struct hnode *n = NULL;

	if (sub_wild_is(impu))
		n = own(s, impu);
	if (!n && canonical(impu, text, sizeof(text), &aor) == 0) {
		n = own(s, aor);
		if (!n)
			n = htab_find(&s->wild, WILD_HASH, wild_fits, &aor);
	}
	if (n && ret_impu)
		*ret_impu = container_of(n, struct sub_impu, node);
	return n ? container_of(n, struct sub_impu, node)->sub : NULL;
}

size_t subs_after(const struct subs *s, uint64_t id)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[mid]->id > id)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static void take_out(struct subs *s, struct sub *b)
{
	size_t i = subs_after(s, b->id - 1);

	memmove(&s->v[i], &s->v[i + 1], (s->n - i - 1) * sizeof(*s->v));
	s->n--;
	htab_del(&s->by_impi, &b->node);
	for (unsigned k = 0; k < b->n_impus; k++)
		htab_del(b->impu[k].wild ? &s->wild : &s->by_impu, &b->impu[k].node);
}

void subs_del(struct subs *s, struct sub *b)
{
	take_out(s, b);
	free(b->restoration);
	free(b);
}

static int put_in(struct subs *s, struct sub *b)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		struct sub **v = realloc(s->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->cap = cap;
	}
	b->id = ++s->last_id;
	s->v[s->n++] = b;
	htab_add(&s->by_impi, &b->node, hash_istr(str_from_c(b->name)));
	for (unsigned i = 0; i < b->n_impus; i++) {
		if (b->impu[i].wild)
			htab_add(&s->wild, &b->impu[i].node, WILD_HASH);
		else
			htab_add(&s->by_impu, &b->impu[i].node, hash_str(str_from_c(b->impu[i].aor)));
	}
	return 0;
}

static bool is_free(const struct subs *s, const struct sub *b)
{
	if (subs_by_impi(s, str_from_c(b->name)) || !subs_set(s, b->impi, 1) != (b->set == 1))
		return false;
	for (unsigned i = 0; i < b->n_impus; i++)
		if (own(s, str_from_c(b->impu[i].aor)))
			return false;
	return true;
}

void subs_adopt(struct subs *s, struct subs *old)
{
	for (size_t i = 0; i < old->n;) {		/* the first set before the others */
		struct sub *b = old->v[i];

		if (!b->by_rest || !is_free(s, b)) {
			i++;
			continue;
		}
		take_out(old, b);
		b->d.server_name = b->d.server_name ? subs_intern(s, str_from_c(b->d.server_name)) : NULL;
		b->d.server_host = b->d.server_host ? subs_intern(s, str_from_c(b->d.server_host)) : NULL;
		if (put_in(s, b) < 0) {
			free(b->restoration);
			free(b);
		}
	}
}

/* ---- what an entry says, checked ---- */

struct maker {
	struct subs *s;
	const struct sub_spec *spec;
	sub_mistake_fn fn;
	void *arg;
	bool bad;
	struct sub b;				/* without the strings */
	struct sub_caps caps;
	struct str impi, name, uri[SUB_MAX_IMPUS], aor[SUB_MAX_IMPUS];
	bool barred[SUB_MAX_IMPUS];
	uint8_t group[SUB_MAX_IMPUS];
	char impi_text[URI_MAX], name_text[2 * URI_MAX], uri_text[3][URI_MAX], aor_text[SUB_MAX_IMPUS][URI_MAX];
	struct buf ifc;
};

__attribute__((format(printf, 3, 4))) static void mistake(struct maker *m, enum sub_field f, const char *fmt, ...)
{
	char text[512], line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (f < N_SUB_FIELDS)
		snprintf(line, sizeof(line), "%s: %s", sub_fields[f].yaml, text);
	m->bad = true;
	m->fn(m->arg, m->spec, f, f < N_SUB_FIELDS ? line : text);
}

static const struct sub_value *value(const struct maker *m, enum sub_field f)
{
	return &m->spec->f[f];
}

static bool given(const struct maker *m, enum sub_field f)
{
	return m->spec->f[f].n > 0;
}

static struct str one(const struct maker *m, enum sub_field f)
{
	return m->spec->f[f].n ? m->spec->f[f].v[0] : STR_NONE;
}

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.l > 0;
}

/* The value itself is not shown: it may be a key. */
static bool take_hex(struct maker *m, enum sub_field f, uint8_t *dst, size_t size)
{
	size_t n = 0;

	if (!given(m, f))
		return false;
	if (one(m, f).l == 2 * size && hex_decode(one(m, f), dst, size, &n) == 0 && n == size)
		return true;
	mistake(m, f, "must be %zu hexadecimal digits", 2 * size);
	return false;
}

static void take_sqn(struct maker *m)
{
	struct str t = one(m, F_SQN);
	char text[13];

	if (!given(m, F_SQN))
		return;
	if (t.l == 0 || !str_copy(t, text, sizeof(text)) || strspn(text, "0123456789abcdefABCDEF") != t.l)
		mistake(m, F_SQN, "must be up to 12 hexadecimal digits");
	else
		m->b.d.sqn = strtoull(text, NULL, 16);
}

static void take_keys(struct maker *m)
{
	uint8_t op[16];
	bool k = take_hex(m, F_K, m->b.k, 16), opc = take_hex(m, F_OPC, m->b.opc, 16);

	hex_decode(STR(DEFAULT_AMF), m->b.amf, 2, &(size_t){ 0 });
	take_hex(m, F_AMF, m->b.amf, 2);
	if (given(m, F_OPC) && given(m, F_OP))
		mistake(m, F_OP, "either op or opc, not both");
	else if (k && take_hex(m, F_OP, op, 16)) {
		milenage_opc(m->b.k, op, m->b.opc);
		opc = true;
	}
	m->b.aka = k && opc;
	if (m->b.set > 1 && (given(m, F_K) || given(m, F_OPC) || given(m, F_OP) || given(m, F_PASSWORD) || given(m, F_GIBA_ADDRESS)))
		mistake(m, F_SET, "the keys and the password stand at the first set");
	if (given(m, F_K) != (given(m, F_OPC) || given(m, F_OP)))
		mistake(m, given(m, F_K) ? F_K : F_OPC, "k and opc (or op) belong together");
	else if (!given(m, F_K) && !given(m, F_PASSWORD) && !given(m, F_GIBA_ADDRESS) && !m->b.psi && m->b.set == 1)
		mistake(m, N_SUB_FIELDS, "neither k and opc (AKA) nor password (SIP Digest)");
	if (given(m, F_GIBA_ADDRESS) && addr_parse(one(m, F_GIBA_ADDRESS), 0, &m->b.giba) < 0)
		mistake(m, F_GIBA_ADDRESS, "must be an IPv4 or IPv6 address");
	m->b.digest = AUTH_MD5;
	if (str_eq(one(m, F_DIGEST_ALGORITHM), STR("SHA-256")))
		m->b.digest = AUTH_SHA256;
	else if (given(m, F_DIGEST_ALGORITHM) && !str_eq(one(m, F_DIGEST_ALGORITHM), STR("MD5")))
		mistake(m, F_DIGEST_ALGORITHM, "must be MD5 or SHA-256");
}

static bool take_bool(struct maker *m, enum sub_field f, bool def)
{
	struct str t = one(m, f);

	if (!given(m, f))
		return def;
	if (str_ieq(t, STR("true")) || str_ieq(t, STR("yes")) || str_ieq(t, STR("on")))
		return true;
	if (!str_ieq(t, STR("false")) && !str_ieq(t, STR("no")) && !str_ieq(t, STR("off")))
		mistake(m, f, "must be true or false");
	return false;
}

static unsigned take_numbers(struct maker *m, enum sub_field f, uint32_t *dst)
{
	unsigned n = value(m, f)->n;

	for (unsigned i = 0; i < n; i++)
		if (str_to_u32(value(m, f)->v[i], &dst[i]) < 0)
			mistake(m, f, "\"%.*s\" is not a number", STR_ARG(value(m, f)->v[i]));
	return n;
}

/* Another implicit registration set: what its identities are must be said, and the first one stands before it. */
static void take_set(struct maker *m)
{
	uint32_t n = 1;

	if (given(m, F_SET) && (str_to_u32(one(m, F_SET), &n) < 0 || n == 0 || n > SUB_MAX_SETS)) {
		mistake(m, F_SET, "must be a number from 1 to %u", SUB_MAX_SETS);
		n = 1;
	}
	m->b.set = (uint8_t)n;
	if (n > 1 && !given(m, F_IMPU))
		mistake(m, F_SET, "impu is missing");
}

static void take_name(struct maker *m)
{
	m->name = m->impi;
	if (m->b.set == 1 || !m->impi.l)
		return;
	if (!subs_by_impi(m->s, m->impi))
		mistake(m, F_SET, "no first set of \"%.*s\" stands before", STR_ARG(m->impi));
	snprintf(m->name_text, sizeof(m->name_text), "%.*s#%u", STR_ARG(m->impi), m->b.set);
	m->name = str_from_c(m->name_text);
}

/* NAI of TS 23.003 §13.3. */
static void take_impi(struct maker *m)
{
	struct str imsi = one(m, F_IMSI), impi = one(m, F_IMPI);

	if (given(m, F_IMSI) && (!all_digits(imsi) || imsi.l > IMSI_MAX))
		mistake(m, F_IMSI, "must be up to %u digits", IMSI_MAX);
	if (given(m, F_IMPI)) {
		if (str_chr(impi, '@') <= 0 || impi.l >= URI_MAX)
			mistake(m, F_IMPI, "must be user@realm");
		m->impi = impi;
	} else if (given(m, F_IMSI)) {
		snprintf(m->impi_text, sizeof(m->impi_text), "%.*s@%s", STR_ARG(imsi), m->s->domain);
		m->impi = str_from_c(m->impi_text);
	} else {
		mistake(m, N_SUB_FIELDS, "imsi is missing (or impi)");
	}
}

/* As it is: its expression may be no URI. */
static int take_wild(struct maker *m, unsigned i, struct str uri)
{
	if (!sub_wild_can(uri) || uri.l >= URI_MAX)
		return -EBADMSG;
	m->aor[i] = uri;
	return 0;
}

static void add_impu(struct maker *m, enum sub_field f, struct str uri)
{
	unsigned i = m->b.n_impus;
	int rc;

	if (i == SUB_MAX_IMPUS) {
		mistake(m, f, "more than %u public identities", SUB_MAX_IMPUS);
		return;
	}
	rc = sub_wild_is(uri) ? take_wild(m, i, uri) : canonical(uri, m->aor_text[i], URI_MAX, &m->aor[i]);
	if (rc < 0) {
		mistake(m, f, "\"%.*s\" is no sip or tel URI", STR_ARG(uri));
		return;
	}
	str_copy(m->aor[i], m->aor_text[i], URI_MAX);
	m->aor[i] = str_from_c(m->aor_text[i]);
	for (unsigned k = 0; k < i; k++)
		if (str_eq(m->aor[k], m->aor[i])) {
			mistake(m, f, "\"%.*s\" stands twice", STR_ARG(uri));
			return;
		}
	if (own(m->s, m->aor[i])) {
		mistake(m, f, "\"%.*s\" belongs to another subscriber", STR_ARG(uri));
		return;
	}
	m->uri[i] = uri;
	m->b.n_impus++;
}

/* The IMSI's temporary identity of TS 23.003 §13.4B, then the telephone number in both forms. */
static void derive_impus(struct maker *m)
{
	struct str imsi = one(m, F_IMSI), number = one(m, F_MSISDN);

	if (!given(m, F_IMSI)) {			/* impi only: the same name as public identity */
		snprintf(m->uri_text[0], URI_MAX, "sip:%.*s", STR_ARG(m->impi));
		add_impu(m, F_IMPI, str_from_c(m->uri_text[0]));
	} else if (all_digits(imsi)) {
		snprintf(m->uri_text[0], URI_MAX, "sip:%.*s@%s", STR_ARG(imsi), m->s->domain);
		add_impu(m, F_IMSI, str_from_c(m->uri_text[0]));
	}
	if (!given(m, F_MSISDN) || !all_digits(number))
		return;
	snprintf(m->uri_text[1], URI_MAX, "sip:+%.*s@%s", STR_ARG(number), m->s->domain);
	add_impu(m, F_MSISDN, str_from_c(m->uri_text[1]));
	snprintf(m->uri_text[2], URI_MAX, "tel:+%.*s", STR_ARG(number));
	add_impu(m, F_MSISDN, str_from_c(m->uri_text[2]));
}

/* A tel identity and the sip one with the same number are aliases: TS 29.228 annex B.2.1, TS 23.228 §4.3.3.2a. */
static void group_aliases(struct maker *m)
{
	uint8_t n = 0;

	for (unsigned i = 0; i < m->b.n_impus; i++) {
		struct str number, user, rest;

		if (!str_starts(m->aor[i], STR("tel:")))
			continue;
		number = str_from(m->aor[i], 4);
		for (unsigned k = 0; k < m->b.n_impus; k++) {
			str_cut(str_from(m->aor[k], 4), '@', &user, &rest);
			if (k == i || !rest.l || !str_eq(user, number))
				continue;
			if (!m->group[i])
				m->group[i] = ++n;
			m->group[k] = m->group[i];
		}
	}
}

static void take_impus(struct maker *m)
{
	const struct sub_value *v = value(m, F_IMPU), *barred = value(m, F_BARRED);
	char text[URI_MAX];
	struct str aor;

	if (given(m, F_MSISDN) && (!all_digits(one(m, F_MSISDN)) || one(m, F_MSISDN).l > IMSI_MAX))
		mistake(m, F_MSISDN, "must be up to %u digits, without \"+\"", IMSI_MAX);
	if (!v->n)
		derive_impus(m);
	for (unsigned i = 0; i < v->n; i++)
		add_impu(m, F_IMPU, v->v[i]);
	for (unsigned i = 0; i < barred->n; i++) {
		bool found = false;

		aor = barred->v[i];
		if (sub_wild_is(aor) || canonical(barred->v[i], text, sizeof(text), &aor) == 0)
			for (unsigned k = 0; k < m->b.n_impus; k++)
				if (str_eq(m->aor[k], aor))
					found = m->barred[k] = true;
		if (!found)
			mistake(m, F_BARRED, "\"%.*s\" is none of the public identities", STR_ARG(barred->v[i]));
	}
	group_aliases(m);
}

/* An element that is not well-formed would spoil the whole profile. */
static bool is_xml(struct str s, char why[128])
{
	XML_Parser x = XML_ParserCreate("UTF-8");
	bool ok = x && XML_Parse(x, s.p, (int)s.l, 1) == XML_STATUS_OK;

	if (!ok)
		snprintf(why, 128, "line %lu of it: %s", x ? (unsigned long)XML_GetCurrentLineNumber(x) : 0ul,
			 x ? XML_ErrorString(XML_GetErrorCode(x)) : "out of memory");
	if (x)
		XML_ParserFree(x);
	return ok;
}

static void take_ifc(struct maker *m)
{
	const struct sub_value *v = value(m, F_IFC);

	buf_init(&m->ifc, 256 * 1024);
	for (unsigned i = 0; i < v->n; i++) {
		struct str t = str_trim(v->v[i]);
		char why[128];

		if (!str_starts(t, STR("<InitialFilterCriteria")))
			mistake(m, F_IFC, "each entry must be one <InitialFilterCriteria> element");
		else if (!is_xml(t, why))
			mistake(m, F_IFC, "not well-formed XML: %s", why);
		else
			buf_put(&m->ifc, t);
	}
}

/* ---- one block for everything ---- */

struct block {
	char *p;			/* NULL: only the size is counted */
	size_t l;
};

static void *take(struct block *b, size_t n, size_t align)
{
	void *p;

	b->l = (b->l + align - 1) & ~(align - 1);
	p = b->p ? b->p + b->l : NULL;
	b->l += n;
	return p;
}

static const char *take_str(struct block *b, struct str s)
{
	char *p;

	if (!s.p)
		return NULL;
	p = take(b, s.l + 1, 1);
	if (p)
		str_copy(s, p, s.l + 1);
	return p;
}

static struct str optional(const struct maker *m, enum sub_field f)
{
	return given(m, f) ? one(m, f) : STR_NONE;
}

/* Run twice: to know the size, and to fill. */
static void lay_out(struct maker *m, struct block *k)
{
	struct sub *b = take(k, sizeof(*b), 16), dummy;
	const struct sub_value *visited = value(m, F_VISITED), *names = value(m, F_SERVER_NAMES);
	struct sub_impu *impu = take(k, m->b.n_impus * sizeof(*impu), 16);
	const char **net = visited->n ? take(k, visited->n * sizeof(*net), 16) : NULL;
	struct sub_caps *caps = m->caps.n_mandatory + m->caps.n_optional + names->n ? take(k, sizeof(*caps), 16) : NULL;
	const char *text;

	if (!b)
		b = &dummy;
	*b = m->b;
	b->impi = take_str(k, m->impi);
	b->name = m->b.set == 1 ? b->impi : take_str(k, m->name);
	b->display_name = take_str(k, optional(m, F_DISPLAY_NAME));
	b->password = take_str(k, optional(m, F_PASSWORD));
	b->digest_realm = take_str(k, optional(m, F_REALM));
	b->server_name = take_str(k, optional(m, F_SERVER_NAME));
	b->ifc = take_str(k, m->ifc.l ? buf_str(&m->ifc) : STR_NONE);
	b->impu = impu;
	b->visited = net;
	b->n_visited = visited->n;
	b->caps = caps;
	for (unsigned i = 0; i < m->b.n_impus; i++) {
		const char *uri = take_str(k, m->uri[i]), *aor = str_eq(m->uri[i], m->aor[i]) ? uri : take_str(k, m->aor[i]);

		if (impu)
			impu[i] = (struct sub_impu){ .sub = b, .uri = uri, .aor = aor, .barred = m->barred[i],
						     .wild = sub_wild_is(m->uri[i]), .alias_group = m->group[i] };
	}
	for (unsigned i = 0; i < visited->n; i++) {
		text = take_str(k, visited->v[i]);
		if (net)
			net[i] = text;
	}
	if (caps)
		*caps = m->caps;
	for (unsigned i = 0; i < names->n; i++) {
		text = take_str(k, names->v[i]);
		if (caps)
			caps->names[i] = text;
	}
	if (caps)
		caps->n_names = names->n;
}

int subs_add(struct subs *s, const struct sub_spec *spec, sub_mistake_fn fn, void *arg, struct sub **ret)
{
	struct maker m = { .s = s, .spec = spec, .fn = fn, .arg = arg };
	struct block k = { 0 };
	int rc = -EINVAL;

	if (s->n >= SUBS_MAX) {
		mistake(&m, N_SUB_FIELDS, "more than %u subscribers", SUBS_MAX);
		return -ENOSPC;
	}
	m.b.psi = take_bool(&m, F_PSI, false);
	take_set(&m);
	take_impi(&m);
	take_name(&m);
	take_keys(&m);
	take_sqn(&m);
	take_impus(&m);
	take_ifc(&m);
	m.b.unregistered_services = take_bool(&m, F_UNREGISTERED, m.b.psi);
	m.b.may_register = take_bool(&m, F_MAY_REGISTER, !m.b.psi);
	m.caps.n_mandatory = take_numbers(&m, F_MANDATORY, m.caps.mandatory);
	m.caps.n_optional = take_numbers(&m, F_OPTIONAL, m.caps.optional);
	if (m.impi.l && subs_by_impi(s, m.name)) {
		mistake(&m, given(&m, F_IMPI) ? F_IMPI : F_IMSI, "\"%.*s\" is there already", STR_ARG(m.name));
		rc = -EEXIST;
	}
	if (!m.bad) {
		lay_out(&m, &k);
		k.p = malloc(k.l);
		k.l = 0;
		if (k.p)
			lay_out(&m, &k);
		rc = k.p ? put_in(s, (struct sub *)k.p) : -ENOMEM;
		if (rc < 0)
			free(k.p);
		else if (ret)
			*ret = (struct sub *)k.p;
	}
	buf_fini(&m.ifc);
	return rc;
}

/* ---- many from one entry ---- */

static void mistake_in(struct sub_spec *spec, sub_mistake_fn fn, void *arg, enum sub_field f, const char *text)
{
	fn(arg, spec, f, text);
}

int subs_generate(struct subs *s, struct sub_spec *spec, sub_mistake_fn fn, void *arg)
{
	struct str first = spec->f[F_FIRST_IMSI].n ? spec->f[F_FIRST_IMSI].v[0] : STR_NONE;
	struct str number = spec->f[F_FIRST_MSISDN].n ? spec->f[F_FIRST_MSISDN].v[0] : STR_NONE;
	uint64_t imsi, msisdn = 0;
	uint32_t count;
	char t1[32], t2[32];
	int rc = 0;

	if (!spec->f[F_COUNT].n || str_to_u32(spec->f[F_COUNT].v[0], &count) < 0 || count == 0 || count > SUBS_MAX) {
		mistake_in(spec, fn, arg, F_COUNT, "generate: count must be a number from 1 to 1000000");
		return -EINVAL;
	}
	if (first.l > IMSI_MAX || str_to_u64(first, &imsi) < 0) {
		mistake_in(spec, fn, arg, F_FIRST_IMSI, "generate: first_imsi must be up to 15 digits");
		return -EINVAL;
	}
	if (number.l && (number.l > IMSI_MAX || str_to_u64(number, &msisdn) < 0)) {
		mistake_in(spec, fn, arg, F_FIRST_MSISDN, "generate: first_msisdn must be up to 15 digits");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		snprintf(t1, sizeof(t1), "%0*llu", (int)first.l, (unsigned long long)(imsi + i));
		spec->f[F_IMSI].n = 1;
		spec->f[F_IMSI].v[0] = str_from_c(t1);
		if (number.l) {
			snprintf(t2, sizeof(t2), "%0*llu", (int)number.l, (unsigned long long)(msisdn + i));
			spec->f[F_MSISDN].n = 1;
			spec->f[F_MSISDN].v[0] = str_from_c(t2);
		}
		rc = subs_add(s, spec, fn, arg, NULL);	/* the first that is wrong says it for all */
	}
	return rc;
}
