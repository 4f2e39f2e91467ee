/* scscf/nexthop.c - where an originating request goes: TS 24.229 §5.4.3.2; TS 23.228 §5.5; RFC 3263; rows C3, C12, R9, T14.
 *
 *   Routes left                    along them
 *   domain in sessions.routes      its next hop
 *   a telephone number             the home I-CSCF, every reading of the number in turn, then the next hop of its prefix
 *   a user of the home domain      the home I-CSCF
 *   another domain                 what DNS says (the proxy asks)
 *
 * ENUM and the choice of a BGCF belong between the I-CSCF and the prefix table (number_targets). */
#include <stdio.h>
#include "scscf/session.h"

static struct session_target *append(struct session_target **list, struct session_target *t)
{
	while (*list)
		list = &(*list)->next;
	*list = t;
	return t;
}

/* ---- the static table ---- */

static const struct session_route *route_for_domain(const struct session_config *c, struct str host)
{
	for (size_t i = 0; c && i < c->n_routes; i++)
		if (c->routes[i].domain.l && str_ieq(c->routes[i].domain, host))
			return &c->routes[i];
	return NULL;
}

/* The longest prefix. */
static const struct session_route *route_for_number(const struct session_config *c, struct str number)
{
	const struct session_route *best = NULL;

	for (size_t i = 0; c && i < c->n_routes; i++) {
		const struct session_route *r = &c->routes[i];

		if (r->prefix.l && str_starts(number, r->prefix) && (!best || r->prefix.l > best->prefix.l))
			best = r;
	}
	return best;
}

static bool add_static(struct session_in *in, struct session_target **list, const struct session_route *r, struct str ruri)
{
	struct session_target *t = session_target_new(in);

	if (!t)
		return false;
	t->ruri = ruri;
	t->route[0] = r->next_hop;
	t->n_routes = 1;
	t->trusted = r->trusted;
	append(list, t);
	return true;
}

/* ---- home users and numbers ---- */

/* The home domain resolves to the I-CSCF: no Route is needed. */
static bool add_home(struct session_in *in, struct session_target **list, struct str ruri)
{
	struct session_target *t = session_target_new(in);

	if (!t)
		return false;
	t->ruri = ruri;
	t->trusted = true;
	append(list, t);
	return true;
}

/* An alias, a port or a transport that the phone wrote would lead past the I-CSCF.  Empty: it may stay as it is. */
static struct str home_uri(const struct session_in *in, struct str home)
{
	const struct sip_uri *u = &in->ruri;
	struct str value;

	if (str_ieq(u->host, home) && u->port == 0 && !sip_uri_param(u, "transport", &value) && !sip_uri_param(u, "maddr", &value))
		return STR_NONE;
	return arena_printf(in->m->arena, "%s:%.*s@%.*s", u->scheme == SIP_SCHEME_SIPS ? "sips" : "sip", STR_ARG(u->user),
			    STR_ARG(home));
}

/* RFC 3261 §19.1.6: a global number as sip URI; one that stays local is a user name like another.  '#' must be escaped. */
static struct str number_uri(struct arena *a, struct str number, struct str home)
{
	char text[NUMBER_MAX_DIGITS * 3 + 4];
	size_t n = 0;

	for (size_t i = 0; i < number.l; i++) {
		if (number.p[i] == '#') {
			memcpy(text + n, "%23", 3);
			n += 3;
		} else {
			text[n++] = number.p[i];
		}
	}
	return arena_printf(a, "sip:%.*s@%.*s%s", (int)n, text, STR_ARG(home), number.p[0] == '+' ? ";user=phone" : "");
}

static bool number_targets(struct scscf_worker *sw, struct session_in *in, const struct number *num,
			   struct session_target **list)
{
	const struct session_config *c = sw->s->sessions;
	struct str home = stack_home_domain(sw->w->stack);
	struct number form[NUMBER_MAX_FORMS];
	const struct session_route *r = NULL;
	unsigned n = number_forms(c, num, form), best = 0;
	bool ok = true;

	for (unsigned i = 0; i < n; i++)
		ok = add_home(in, list, number_uri(in->m->arena, form[i].s, home)) && ok;
	for (unsigned i = 0; i < n && !r; i++) {
		r = route_for_number(c, form[i].s);
		best = i;
	}
	if (r)
		ok = add_static(in, list, r, number_uri(in->m->arena, form[best].s, home)) && ok;
	return ok;
}

/* sip:...@home.  A user part that looks like a number is first the name it is, unless
 * user=phone, user=dialstring (RFC 4967) or a plus says that it is none. */
static bool home_targets(struct scscf_worker *sw, struct session_in *in, struct session_target **list)
{
	struct str home = stack_home_domain(sw->w->stack), value;
	bool phone = sip_uri_param(&in->ruri, "user", &value) && (str_ieq_c(value, "phone") || str_ieq_c(value, "dialstring"));
	bool number, global, ok = true;
	struct number num;

	number = in->ruri.scheme == SIP_SCHEME_SIP && number_from_uri(&in->ruri, &num) == 0;
	global = number && num.s.p[0] == '+';
	if (!number || (!phone && !global))
		ok = add_home(in, list, home_uri(in, home));
	if (number)
		ok = number_targets(sw, in, &num, list) && ok;
	return ok;
}

/* ---- all of it ---- */

/* Nodes of the home network have names in its domain. */
static bool is_trusted(struct scscf_worker *sw, struct str host)
{
	struct str home = stack_home_domain(sw->w->stack), tail;

	if (stack_is_home_domain(sw->w->stack, host) || session_config_trusts_domain(sw->s->sessions, host))
		return true;
	if (host.l <= home.l + 1)
		return false;
	tail = str_from(host, host.l - home.l - 1);
	return tail.p[0] == '.' && str_ieq(str_from(tail, 1), home);
}

static bool along_routes(struct scscf_worker *sw, struct session_in *in, struct str route, struct session_target **list)
{
	struct session_target *t = session_target_new(in);
	struct sip_nameaddr n;

	if (!t)
		return false;
	t->trusted = sip_nameaddr_parse(route, &n) == 0 && is_trusted(sw, n.uri.host);
	append(list, t);
	return true;
}

static bool foreign(struct scscf_worker *sw, struct session_in *in, struct session_target **list)
{
	struct session_target *t = session_target_new(in);

	if (!t)
		return false;
	t->trusted = is_trusted(sw, in->ruri.host);
	append(list, t);
	return true;
}

unsigned nexthop_find(struct scscf_worker *sw, struct session_in *in, struct session_target **ret, const char **why)
{
	const struct session_route *r;
	struct number num;
	struct str route;
	bool ok;

	*ret = NULL;
	if (sip_out_top(&in->out, SIP_H_ROUTE, &route) == 0) {
		ok = along_routes(sw, in, route, ret);
	} else if (in->ruri.scheme == SIP_SCHEME_TEL) {
		if (number_from_uri(&in->ruri, &num) < 0) {
			*why = "that is no complete number";
			return 484;
		}
		ok = number_targets(sw, in, &num, ret);
	} else if ((r = route_for_domain(sw->s->sessions, in->ruri.host))) {
		ok = add_static(in, ret, r, STR_NONE);
	} else if (stack_is_home_domain(sw->w->stack, in->ruri.host)) {
		ok = home_targets(sw, in, ret);
	} else if (stack_is_self(sw->w->stack, &in->ruri)) {
		*why = "this node has no users, its domain has";
		return 404;
	} else {
		ok = foreign(sw, in, ret);
	}
	*why = "out of memory";
	return ok && *ret ? 0 : 500;
}
