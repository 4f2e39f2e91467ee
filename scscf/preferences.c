/* scscf/preferences.c - see preferences.h: RFC 3841 §7.2, §8, RFC 3840 §9. */
#include <stdlib.h>
#include "scscf/preferences.h"

/* ---- feature tags ---- */

/* RFC 3840 §10: these stand for themselves; every other tag has a plus before it. */
static bool is_feature(struct str name)
{
	static const char *const base[] = { "audio", "automata", "class", "duplex", "data", "control", "mobility", "description", "events",
					    "priority", "methods", "extensions", "schemes", "application", "video", "language", "type",
					    "isfocus", "actor", "text", NULL };

	if (name.l > 1 && name.p[0] == '+')
		return !str_ieq_c(name, "+sip.instance");	/* RFC 5626 §4.1 is about something else */
	for (const char *const *b = base; *b; b++)
		if (str_ieq_c(name, *b))
			return true;
	return false;
}

static bool has_feature(struct str params)
{
	struct str name, value;

	while (sip_param_next(&params, &name, &value))
		if (is_feature(name))
			return true;
	return false;
}

static bool find(struct str params, struct str wanted, struct str *ret)
{
	struct str name;

	while (sip_param_next(&params, &name, ret))
		if (str_ieq(name, wanted))
			return true;
	return false;
}

/* ---- values: RFC 3840 §9 ---- */

struct number_range {
	double low, high;
};

/* "#=5", "#>=5", "#<=5", "#1:5" */
static bool read_range(struct str s, struct number_range *ret)
{
	char text[64], *end;
	const char *at = text + 1;

	if (s.l < 2 || s.p[0] != '#' || !str_copy(s, text, sizeof(text)))
		return false;
	*ret = (struct number_range){ -1e300, 1e300 };
	if (*at == '=') {
		ret->low = ret->high = strtod(at + 1, &end);
	} else if (at[0] == '>' && at[1] == '=') {
		ret->low = strtod(at + 2, &end);
	} else if (at[0] == '<' && at[1] == '=') {
		ret->high = strtod(at + 2, &end);
	} else {
		ret->low = strtod(at, &end);
		if (*end++ != ':')
			return false;
		ret->high = strtod(end, &end);
	}
	return *end == '\0';
}

static bool same(struct str a, struct str b)
{
	struct number_range x, y;

	if (read_range(a, &x) && read_range(b, &y))
		return x.low <= y.high && y.low <= x.high;
	if (a.l && a.p[0] == '<')
		return str_eq(a, b);
	return str_ieq(a, b);
}

/* Is the list ("a,b,!c") one that forbids `item`? */
static bool forbids(struct str list, struct str item)
{
	struct str one;

	while (list.l) {
		str_cut(list, ',', &one, &list);
		one = str_trim(one);
		if (one.l > 1 && one.p[0] == '!' && same(str_from(one, 1), item))
			return true;
	}
	return false;
}

static bool next_positive(struct str *list, struct str *ret)
{
	while (list->l) {
		str_cut(*list, ',', ret, list);
		*ret = str_trim(*ret);
		if (ret->l && ret->p[0] != '!')
			return true;
	}
	return false;
}

/* Is there a value that both allow? */
static bool lists_meet(struct str a, struct str b)
{
	struct str rest = a, x, y;
	bool a_positive = false, b_positive = false;

	while (next_positive(&rest, &x)) {
		struct str other = b;

		a_positive = true;
		b_positive = false;
		while (next_positive(&other, &y)) {
			b_positive = true;
			if (same(x, y) && !forbids(a, x) && !forbids(b, x))
				return true;
		}
		if (!b_positive && !forbids(b, x) && !forbids(a, x))
			return true;
	}
	if (a_positive)
		return false;
	rest = b;
	while (next_positive(&rest, &y)) {
		b_positive = true;
		if (!forbids(a, y) && !forbids(b, y))
			return true;
	}
	return !b_positive;
}

/* What is looked at: the work is the product of both sides' lengths, and both are the sender's to choose. */
#define MAX_PARAMS_BYTES 2048u
#define MAX_VALUES_BYTES 256u

static struct str at_most(struct str s, size_t bytes)
{
	return str_head(s, s.l < bytes ? s.l : bytes);
}

/* A tag without a value says TRUE. */
static struct str value_list(struct str value)
{
	return value.l ? at_most(sip_unquote(value), MAX_VALUES_BYTES) : STR("TRUE");
}

/* ---- a preference against a contact: §7.2.4 ---- */

struct match {
	unsigned features, common;	/* of the preference; of these, what the contact says something about */
	bool meets;			/* no feature is in the way */
};

static struct match match(struct str wanted, struct str contact)
{
	struct match r = { .meets = true };
	struct str name, value, other;

	wanted = at_most(wanted, MAX_PARAMS_BYTES);
	contact = at_most(contact, MAX_PARAMS_BYTES);
	while (sip_param_next(&wanted, &name, &value)) {
		if (!is_feature(name))
			continue;
		r.features++;
		if (!find(contact, name, &other))
			continue;
		r.common++;
		r.meets = r.meets && lists_meet(value_list(value), value_list(other));
	}
	return r;
}

static bool accepts(const struct preference *p, struct str contact, unsigned *ret_score)
{
	struct match r = match(p->params, contact);
	bool all = r.meets && r.common == r.features;

	*ret_score = r.meets && r.features ? 1000 * r.common / r.features : r.meets ? 1000 : 0;
	if (p->explicit && !all)
		*ret_score = 0;
	return !p->require || (p->explicit ? all : r.meets);
}

bool preferences_judge(const struct preferences *p, struct str params, unsigned *ret_score)
{
	unsigned sum = 0, score;

	*ret_score = 1000;
	if (!has_feature(params))		/* it said nothing: not touched by preferences */
		return true;
	for (unsigned i = 0; i < p->n_reject; i++) {
		struct match r = match(p->reject[i].params, params);

		if (r.features && r.meets && r.common == r.features)
			return false;
	}
	for (unsigned i = 0; i < p->n_accept; i++) {
		if (!accepts(&p->accept[i], params, &score))
			return false;
		sum += score;
	}
	if (p->n_accept)
		*ret_score = sum / p->n_accept;
	return true;
}

bool preferences_implicit_only(const struct preferences *p)
{
	for (unsigned i = 0; i < p->n_accept; i++)
		if (!p->accept[i].implicit)
			return false;
	return p->n_reject == 0;
}

/* ---- reading ---- */

static unsigned read_values(struct sip_msg *m, enum sip_hdr_id id, struct preference ret[PREFERENCES_MAX])
{
	struct sip_values it = sip_values(m, id);
	struct str v, star, ignored;
	unsigned n = 0;

	while (n < PREFERENCES_MAX && sip_values_next(&it, &v)) {
		struct preference *p = &ret[n];

		str_cut(v, ';', &star, &p->params);
		if (!str_eq_c(str_trim(star), "*"))
			continue;
		p->require = sip_param_get(p->params, "require", &ignored);
		p->explicit = sip_param_get(p->params, "explicit", &ignored);
		p->implicit = false;
		n++;
	}
	return n;
}

static bool names(const struct preferences *p, const char *tag)
{
	struct str value;

	for (unsigned i = 0; i < p->n_accept; i++)
		if (sip_param_get(p->accept[i].params, tag, &value))
			return true;
	for (unsigned i = 0; i < p->n_reject; i++)
		if (sip_param_get(p->reject[i].params, tag, &value))
			return true;
	return false;
}

/* §7.2.2: a contact that says which methods and events it knows is not for others. */
static void add_implicit(struct sip_msg *m, struct preferences *p)
{
	struct str event, params;

	if (!names(p, "methods"))
		p->accept[p->n_accept++] = (struct preference){
			.params = arena_printf(m->arena, "methods=\"%.*s\"", STR_ARG(m->method_name)), .require = true, .implicit = true };
	if (m->method != SIP_SUBSCRIBE && m->method != SIP_PUBLISH)
		return;
	str_cut(sip_msg_value(m, SIP_H_EVENT), ';', &event, &params);
	event = str_trim(event);
	if (event.l && !names(p, "events"))
		p->accept[p->n_accept++] = (struct preference){
			.params = arena_printf(m->arena, "events=\"%.*s\"", STR_ARG(event)), .require = true, .implicit = true };
}

void preferences_read(struct sip_msg *m, struct preferences *ret)
{
	struct sip_values it = sip_values(m, SIP_H_REQUEST_DISPOSITION);
	struct str v;

	ret->n_accept = read_values(m, SIP_H_ACCEPT_CONTACT, ret->accept);
	ret->n_reject = read_values(m, SIP_H_REJECT_CONTACT, ret->reject);
	ret->no_fork = ret->parallel = ret->sequential = false;
	add_implicit(m, ret);
	while (sip_values_next(&it, &v)) {
		ret->no_fork |= str_ieq_c(v, "no-fork");
		ret->parallel |= str_ieq_c(v, "parallel");
		ret->sequential |= str_ieq_c(v, "sequential");
	}
}
