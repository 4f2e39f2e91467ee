/* scscf/nexthop.c - where an originating request goes: TS 24.229 §5.4.3.2; TS 23.228 §5.5; RFC 3263; rows C3, C12, R9, T14.
 *
 *   Routes left                    along them
 *   domain in sessions.routes      its next hops (breakout.c)
 *   a telephone number             where ENUM says (translate.c); the home I-CSCF, every reading of the number in turn; the next hops
 *                                  of its prefix, or of its routing number's
 *   a user of the home domain      the home I-CSCF
 *   another domain                 what DNS says (the proxy asks)
 */
#include <stdio.h>
#include "scscf/session.h"

static struct session_target *append(struct session_target **list, struct session_target *t)
{
	while (*list)
		list = &(*list)->next;
	*list = t;
	return t;
}

/* ---- the trust domain ---- */

/* Nodes of the home network have names in its domain. */
bool nexthop_is_home(const struct scscf_worker *sw, struct str host)
{
	struct str home = stack_home_domain(sw->w->stack), tail;

	if (stack_is_home_domain(sw->w->stack, host))
		return true;
	if (host.l <= home.l + 1)
		return false;
	tail = str_from(host, host.l - home.l - 1);
	return tail.p[0] == '.' && str_ieq(str_from(tail, 1), home);
}

static void set_border(struct scscf_worker *sw, struct session_target *t, struct str host)
{
	t->abroad = !nexthop_is_home(sw, host);
	t->trusted = !t->abroad || session_config_trusts_domain(sw->s->sessions, host);
}

/* ---- the table ---- */

static bool add_trunks(struct scscf_worker *sw, struct session_in *in, struct session_target **list,
		       const struct session_route *const *row, unsigned n, struct str ruri)
{
	for (unsigned i = 0; i < n; i++) {
		struct session_target *t = session_target_new(in);

		if (!t)
			return false;
		t->ruri = ruri;
		t->route[0] = row[i]->next_hop;
		t->n_routes = 1;
		t->trusted = row[i]->trusted;
		t->abroad = !row[i]->trusted;		/* a BGCF or a gateway of ours, unless it is said to be outside */
		t->trunk = row[i];
		if (i + 1 < n)
			t->wait_ms = sw->s->sessions->route_wait_ms;
		append(list, t);
	}
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

/* The same with what was found out about its portability: RFC 4694 §4. */
static struct str ported_uri(struct arena *a, const struct number *num, struct str home)
{
	return arena_printf(a, "sip:%s%s%s%s@%.*s%s", num->text, num->npdi ? ";npdi" : "", num->rn[0] ? ";rn=" : "", num->rn,
			    STR_ARG(home), num->text[0] == '+' ? ";user=phone" : "");
}

/* Out of the IMS: the first reading that a row of the table is for, or the routing number's row. */
static bool breakout(struct scscf_worker *sw, struct session_in *in, const struct number *num, struct session_target **list)
{
	const struct session_route *row[ROUTE_MAX_TRIES];
	struct str home = stack_home_domain(sw->w->stack), ruri = STR_NONE;
	struct number form[NUMBER_MAX_FORMS];
	unsigned n = 0, forms;

	if (num->npdi || num->rn[0]) {
		n = breakout_number(sw, num->rn[0] ? str_from_c(num->rn) : num->s, row);
		ruri = ported_uri(in->m->arena, num, home);
	}
	forms = n ? 0 : number_forms(sw->s->sessions, num, form);
	for (unsigned i = 0; i < forms && n == 0; i++) {
		n = breakout_number(sw, form[i].s, row);
		ruri = number_uri(in->m->arena, form[i].s, home);
	}
	return add_trunks(sw, in, list, row, n, ruri);
}

/* A SIP URI that ENUM gave: of ours to the I-CSCF, of others by the table or DNS. */
static bool add_found(struct scscf_worker *sw, struct session_in *in, struct str text, struct session_target **list)
{
	const struct session_route *row[ROUTE_MAX_TRIES];
	struct session_target *t, **from = list;
	struct sip_uri u;
	unsigned n;
	bool ok;

	if (sip_uri_parse(text, &u, NULL) < 0 || stack_is_self(sw->w->stack, &u))
		return true;		/* not usable: the other ways stand */
	n = breakout_domain(sw, u.host, row);
	if (n)
		return add_trunks(sw, in, list, row, n, text);
	while (*from)
		from = &(*from)->next;
	ok = add_home(in, list, text);
	t = *from;
	if (ok && t) {
		set_border(sw, t, u.host);
		t->found = true;
	}
	return ok;
}

/* What ENUM says of the PSTN (RFC 4769): a tel URI, or a sip URI of a carrier. */
static bool add_pstn(struct scscf_worker *sw, struct session_in *in, struct str text, struct session_target **list)
{
	struct number num;
	struct sip_uri u;

	if (sip_uri_parse(text, &u, NULL) < 0)
		return true;
	if (u.scheme != SIP_SCHEME_TEL)
		return add_found(sw, in, text, list);
	return number_from_uri(&u, &num) < 0 || breakout(sw, in, &num, list);
}

static bool number_targets(struct scscf_worker *sw, struct session_in *in, const struct number *num,
			   const struct translation *found, struct session_target **list)
{
	struct str home = stack_home_domain(sw->w->stack);
	struct number form[NUMBER_MAX_FORMS];
	unsigned n = number_forms(sw->s->sessions, num, form);
	bool ok = true;

	for (unsigned i = 0; found && i < found->n; i++)
		if (!found->uri[i].pstn)
			ok = add_found(sw, in, found->uri[i].text, list) && ok;
	for (unsigned i = 0; i < n; i++)
		ok = add_home(in, list, number_uri(in->m->arena, form[i].s, home)) && ok;
	for (unsigned i = 0; found && i < found->n; i++)
		if (found->uri[i].pstn)
			return add_pstn(sw, in, found->uri[i].text, list) && ok;
	return breakout(sw, in, num, list) && ok;
}

static bool is_dialled(const struct sip_uri *u)
{
	struct str value;

	return sip_uri_param(u, "user", &value) && (str_ieq_c(value, "phone") || str_ieq_c(value, "dialstring"));
}

bool nexthop_number(struct scscf_worker *sw, const struct session_in *in, struct number *ret)
{
	struct str route;

	if (sip_out_top(&in->out, SIP_H_ROUTE, &route) == 0)
		return false;
	if (in->ruri.scheme != SIP_SCHEME_TEL &&
	    (in->ruri.scheme != SIP_SCHEME_SIP || !stack_is_home_domain(sw->w->stack, in->ruri.host)))
		return false;
	return number_from_uri(&in->ruri, ret) == 0;
}

/* sip:...@home.  A user part that looks like a number is first the name it is, unless
 * user=phone, user=dialstring (RFC 4967) or a plus says that it is none. */
static bool home_targets(struct scscf_worker *sw, struct session_in *in, const struct translation *found,
			 struct session_target **list)
{
	struct number num;
	bool number = nexthop_number(sw, in, &num), ok = true;

	if (!number || (!is_dialled(&in->ruri) && num.s.p[0] != '+'))
		ok = add_home(in, list, home_uri(in, stack_home_domain(sw->w->stack)));
	if (number)
		ok = number_targets(sw, in, &num, found, list) && ok;
	return ok;
}

/* ---- all of it ---- */

static bool along_routes(struct scscf_worker *sw, struct session_in *in, struct str route, struct session_target **list)
{
	struct session_target *t = session_target_new(in);
	struct sip_nameaddr n;

	if (!t)
		return false;
	t->abroad = true;
	if (sip_nameaddr_parse(route, &n) == 0)
		set_border(sw, t, n.uri.host);
	append(list, t);
	return true;
}

static bool foreign(struct scscf_worker *sw, struct session_in *in, struct session_target **list)
{
	struct session_target *t = session_target_new(in);

	if (!t)
		return false;
	set_border(sw, t, in->ruri.host);
	append(list, t);
	return true;
}

unsigned nexthop_find(struct scscf_worker *sw, struct session_in *in, const struct translation *found, struct session_target **ret,
		      const char **why)
{
	const struct session_route *row[ROUTE_MAX_TRIES];
	struct number num;
	unsigned n;
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
		ok = number_targets(sw, in, &num, found, ret);
	} else if ((n = breakout_domain(sw, in->ruri.host, row)) > 0) {
		ok = add_trunks(sw, in, ret, row, n, STR_NONE);
	} else if (stack_is_home_domain(sw->w->stack, in->ruri.host)) {
		ok = home_targets(sw, in, found, ret);
	} else if (stack_is_self(sw->w->stack, &in->ruri)) {
		*why = "this node has no users, its domain has";
		return 404;
	} else {
		ok = foreign(sw, in, ret);
	}
	*why = "out of memory";
	return ok && *ret ? 0 : 500;
}
