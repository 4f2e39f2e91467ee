/* common/trace/explain.c - the heaviest rule, its words filled in, and what no single event says: silence. */
#include <stdio.h>
#include <stdlib.h>
#include "common/trace/explain_private.h"
#include "common/util/clock.h"

#define PATIENCE_US 2000000u		/* so long a phone may take to answer a challenge: its SIM is slow */

struct view {
	const struct explain_facts *k;
	const struct trace_flow *f;
	const struct trace_event *e;
	size_t n;
	const struct trace_event *at;		/* the event in hand; may be NULL */
};

static const char *nf_name(const char *nf)
{
	static const char *const names[][2] = { { "pcscf", "P-CSCF" }, { "icscf", "I-CSCF" }, { "scscf", "S-CSCF" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(nf, names[i][0]) == 0)
			return names[i][1];
	return nf;
}

/* ---- filling in ---- */

/* "... name=value ..." of the event: the value, up to the next blank. */
static struct str field(const struct view *v, struct str name)
{
	struct str text = str_from_c(v->at ? v->at->text : NULL), rest;

	for (size_t i = 1; i + name.l + 1 < text.l; i++) {
		if (text.p[i - 1] != ' ' || !str_starts(str_from(text, i), name) || text.p[i + name.l] != '=')
			continue;
		str_cut(str_from(text, i + name.l + 1), ' ', &text, &rest);
		return text;
	}
	return STR_NONE;
}

/* What stands behind the first ": ", up to the first name=value. */
static struct str why(const struct view *v)
{
	struct str text = str_from_c(v->at ? v->at->text : NULL), word, rest;
	ssize_t at = str_find(text, STR(": ")), eq;

	if (at < 0)
		return text;
	text = rest = str_from(text, (size_t)at + 2);
	while (rest.l) {
		str_cut(rest, ' ', &word, &rest);
		eq = str_chr(word, '=');
		if (eq > 0 && word.p > text.p)
			return str_make(text.p, (size_t)(word.p - text.p) - 1);
	}
	return text;
}

static struct str user(const struct view *v)
{
	struct str s = field(v, STR("impi"));

	if (s.l == 0)
		s = str_from_c(v->f->impi);
	if (s.l == 0 && v->f->method == SIP_REGISTER)
		s = str_from_c(v->f->to);
	return s.l ? s : str_from_c(v->f->from);
}

static struct str fill(const struct view *v, struct str name, char scratch[24])
{
	const struct { const char *name; struct str s; } own[] = {
		{ "nf", str_from_c(nf_name(v->k->nf)) }, { "domain", str_from_c(v->k->domain) },
		{ "peers", str_from_c(v->k->peers && *v->k->peers ? v->k->peers : "it was closed then and is open now") },
		{ "from", str_from_c(v->f->from) }, { "callee", str_from_c(v->f->to) }, { "user", user(v) }, { "why", why(v) },
		{ "text", str_from_c(v->at ? v->at->text : NULL) }, { "peer", str_from_c(v->at ? v->at->peer : NULL) },
		{ "method", str_from_c(sip_method_name((enum sip_method)v->f->method)) },
	};
	struct str s;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (str_eq_c(name, own[i].name))
			return own[i].s;
	s = field(v, name);
	if (s.l == 0 && str_eq(name, STR("status"))) {
		struct str rest;

		str_cut(str_from_c(v->at ? v->at->text : NULL), ' ', &s, &rest);
		if (s.l != 3 || s.p[0] < '1' || s.p[0] > '6') {
			snprintf(scratch, 24, "%u", v->f->status);
			s = str_from_c(scratch);
		}
	}
	return s.l ? s : STR("?");
}

static void put(char dst[EXPLAIN_TEXT], size_t *l, struct str s)
{
	size_t n = s.l < EXPLAIN_TEXT - 1 - *l ? s.l : EXPLAIN_TEXT - 1 - *l;

	if (n)
		memcpy(dst + *l, s.p, n);
	*l += n;
	dst[*l] = '\0';
}

static void write_text(const struct view *v, const char *template, char dst[EXPLAIN_TEXT])
{
	struct str rest = str_from_c(template), head, name;
	char scratch[24];
	size_t l = 0;

	dst[0] = '\0';
	while (rest.l) {
		bool more = str_cut(rest, '{', &head, &rest);

		put(dst, &l, head);
		if (!more)
			return;
		str_cut(rest, '}', &name, &rest);
		put(dst, &l, fill(v, name, scratch));
	}
}

/* ---- rules ---- */

static bool rule_fits(const struct explain_rule *r, const struct trace_event *e)
{
	struct str text = str_from_c(e->text);

	if (!(r->kinds >> e->kind & 1))
		return false;
	if (r->kinds == EXPLAIN_NOTES ? str_find(text, str_from_c(r->needle)) < 0 : !str_starts(text, str_from_c(r->needle)))
		return false;
	return !r->also || str_find(text, str_from_c(r->also)) >= 0;
}

static void take(struct explanation *x, const struct view *v, const struct explain_rule *r)
{
	x->cause = r->cause;
	x->weight = r->weight;
	x->reference = r->reference;
	write_text(v, r->summary, x->summary);
	for (size_t i = 0; i < EXPLAIN_TRIES; i++) {
		x->tries[i][0] = '\0';
		if (r->tries[i])
			write_text(v, r->tries[i], x->tries[i]);
	}
	x->has_evidence = v->at != NULL;
	if (v->at)
		x->evidence = *v->at;
}

/* The last of equals: a later attempt of the same flow counts. */
static void apply_rules(struct view *v, struct explanation *x)
{
	for (size_t i = 0; i < v->n; i++) {
		for (const struct explain_rule *r = explain_rules; r->cause; r++) {
			if (r->weight < x->weight || !rule_fits(r, &v->e[i]))
				continue;
			v->at = &v->e[i];
			take(x, v, r);
		}
	}
}

/* ---- what no event says ---- */

static bool is_challenge(const struct trace_event *e)
{
	return e->kind == TRACE_SIP_OUT && (str_starts(str_from_c(e->text), STR("401 ")) || str_starts(str_from_c(e->text), STR("407 ")));
}

/* How often the last challenge went out, and when first; *ret: its last time. */
static unsigned challenges(const struct view *v, const struct trace_event **ret, uint64_t *first_us)
{
	unsigned n = 0;

	*ret = NULL;
	for (size_t i = 0; i < v->n; i++) {
		if (!is_challenge(&v->e[i]))
			continue;
		if (n++ == 0)
			*first_us = v->e[i].wall_us;
		*ret = &v->e[i];
	}
	return n;
}

/* "udp:[2001:db8::1]:5060" -> 2001:db8::1 */
static struct str address(const char *peer)
{
	struct str proto, rest = STR_NONE;
	ssize_t colon;

	str_cut(str_from_c(peer), ':', &proto, &rest);
	colon = str_rchr(rest, ':');
	if (colon > 0)
		rest = str_head(rest, (size_t)colon);
	if (rest.l > 2 && rest.p[0] == '[')
		rest = str_make(rest.p + 1, rest.l - 2);
	return rest;
}

static void explain_challenge(struct view *v, struct explanation *x)
{
	bool to_phone = strcmp(v->k->nf, "pcscf") == 0;
	const struct trace_event *last;
	uint64_t first_us = 0, waited;
	unsigned n = challenges(v, &last, &first_us);
	struct str a;

	if (!last)
		return;
	waited = v->k->now_us > last->wall_us ? v->k->now_us - last->wall_us : 0;
	v->at = last;
	x->has_evidence = true;
	x->evidence = *last;
	x->reference = "TS 24.229 §5.1.1.5, §5.4.1.2.3, TS 33.203 §6.1";
	if (waited < PATIENCE_US) {
		x->cause = "challenged";
		x->outcome = "running";
		x->weight = to_phone ? 50 : 40;
		snprintf(x->summary, sizeof(x->summary), "The phone was challenged %llu ms ago and has not answered yet: a 401 is no error.",
			 (unsigned long long)(waited / 1000));
		return;
	}
	a = address(last->peer);
	x->cause = "challenge_unanswered";
	x->weight = to_phone ? 88 : 50;
	snprintf(x->summary, sizeof(x->summary),
		 "The phone did not answer the challenge: the 401 was sent %u time%s%s%.*s, the last %llu s ago, and no answer came.  "
		 "%s", n, n == 1 ? "" : "s", to_phone ? " to " : " toward ", STR_ARG(to_phone ? a : str_from_c(last->peer)),
		 (unsigned long long)(waited / 1000000),
		 n > 1 ? "It repeats its REGISTER, so most likely the 401 does not reach it." : "Either the 401 does not reach it, or its SIM refused in silence.");
	snprintf(x->tries[0], sizeof(x->tries[0]), "ip route get %.*s: the way back must lead to the UPF or P-GW of the phone; no NAT between.", STR_ARG(a));
	snprintf(x->tries[1], sizeof(x->tries[1]), "If the 401 does reach it: compare K and OPc with the HSS; the MAC check fails in silence on some phones.");
}

static void explain_status(struct view *v, struct explanation *x)
{
	static const struct explain_rule generic = { "status", 10, 0, NULL, NULL, "The {method} ended with {status}, which came from {peer}.",
						     { "" }, "" };

	for (size_t i = 0; i < v->n; i++) {
		char begin[8];

		snprintf(begin, sizeof(begin), "%u ", v->f->status);
		if (v->e[i].kind != TRACE_SIP_IN || !str_starts(str_from_c(v->e[i].text), str_from_c(begin)))
			continue;
		v->at = &v->e[i];
		take(x, v, &generic);
	}
}

/* 14: the I-CSCF went where the HSS said, and nobody is there. */
static void explain_named_server(struct view *v, struct explanation *x)
{
	static const struct explain_rule unknown = { "other_scscf", 93, 0, NULL, NULL,
		"The S-CSCF that the HSS names for this user, {to}, cannot be reached.",
		{ "Correct or clear the S-CSCF name of the subscriber in the HSS: it must be the URI of a running S-CSCF of this network.",
		  "cscfctl scscfs" }, "TS 29.228 §6.1.1.1, TS 24.229 §5.3.1.2" };
	const struct trace_event *named = NULL;

	for (size_t i = 0; i < v->n; i++) {
		struct str text = str_from_c(v->e[i].text);

		if (v->e[i].kind != TRACE_NOTE)
			continue;
		if (str_starts(text, STR("sent on")))
			named = str_find(text, STR("how=named by the HSS")) >= 0 ? &v->e[i] : NULL;
		else if (named && (str_starts(text, STR("next hop not resolved")) || str_starts(text, STR("next hop failed")))) {
			v->at = named;
			take(x, v, &unknown);
		}
	}
}

void explain(const struct explain_facts *k, const struct trace_flow *f, const struct trace_event *e, size_t n, struct explanation *ret)
{
	struct view v = { k, f, e, n, NULL };

	memset(ret, 0, sizeof(*ret));
	ret->outcome = trace_flow_outcome(f);
	ret->cause = ret->outcome;
	ret->reference = "";
	snprintf(ret->summary, sizeof(ret->summary), "The %s of %.*s %s.", sip_method_name((enum sip_method)f->method), STR_ARG(user(&v)),
		 f->status == 0 ? "is not answered yet" : f->status == 487 ? "was cancelled" : f->status / 100 == 2 ? "succeeded" : "failed");
	if (f->status / 100 != 2)
		explain_status(&v, ret);
	apply_rules(&v, ret);
	if (strcmp(k->nf, "icscf") == 0)
		explain_named_server(&v, ret);
	if (f->status == 401 || f->status == 407)
		explain_challenge(&v, ret);
}

/* ---- which flow ---- */

size_t explain_choose(const struct trace_flow *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool healed = false;

		if (f[i].status == 0 || f[i].status / 100 == 2)
			continue;
		for (size_t k = 0; k < i && !healed; k++)
			healed = f[k].method == f[i].method && f[k].status / 100 == 2;
		if (!healed)
			return i;
	}
	return 0;
}

/* ---- JSON ---- */

cJSON *explain_json(const struct explanation *x, const char *nf, const struct trace_flow *f, const char *subject)
{
	cJSON *o = cJSON_CreateObject(), *list, *one;

	cJSON_AddStringToObject(o, "subject", subject);
	cJSON_AddStringToObject(o, "outcome", x->outcome);
	cJSON_AddStringToObject(o, "cause", x->cause);
	cJSON_AddNumberToObject(o, "weight", x->weight);
	cJSON_AddStringToObject(o, "summary", x->summary);
	cJSON_AddStringToObject(o, "nf", nf);
	cJSON_AddStringToObject(o, "reference", x->reference);
	list = cJSON_AddArrayToObject(o, "suggestions");
	for (size_t i = 0; i < EXPLAIN_TRIES; i++)
		if (x->tries[i][0])
			cJSON_AddItemToArray(list, cJSON_CreateString(x->tries[i]));
	list = cJSON_AddArrayToObject(o, "evidence");
	if (x->has_evidence) {
		one = trace_event_json(&x->evidence);
		cJSON_AddStringToObject(one, "flowId", f->call_id);
		cJSON_AddItemToArray(list, one);
	}
	cJSON_AddItemToObject(o, "flow", trace_flow_json(f));
	return o;
}
