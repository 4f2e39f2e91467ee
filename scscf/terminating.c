/* scscf/terminating.c - requests to a user of ours: TS 24.229 §5.4.3.3; RFC 3261 §16.5 to §16.7; rows C14, T13, T16, R14, R15. */
#include <stdio.h>
#include "common/log/log.h"
#include "common/util/clock.h"
#include "scscf/session.h"

struct callee {
	struct aor_view *set;
	char aor[512];			/* under which it was found */
};

/* ---- whom the Request-URI names ---- */

static bool look_up(struct scscf_worker *sw, struct callee *c, struct str aor)
{
	c->set = reg_directory_aor(sw->s->dir, aor);
	if (!c->set)
		return false;
	str_copy(aor, c->aor, sizeof(c->aor));
	return true;
}

/* A number may be provisioned as tel or as sip, with the plus or (sloppy HSS data) without. */
static bool look_up_number(struct scscf_worker *sw, struct callee *c, const struct number *n)
{
	struct str digits = n->s.p[0] == '+' ? str_from(n->s, 1) : n->s, home = stack_home_domain(sw->w->stack);
	char text[512];

	for (unsigned i = 0; i < 4; i++) {
		const char *plus = (n->s.p[0] == '+') == (i < 2) ? "+" : "";

		if (i % 2)
			snprintf(text, sizeof(text), "sip:%s%.*s@%.*s", plus, STR_ARG(digits), STR_ARG(home));
		else
			snprintf(text, sizeof(text), "tel:%s%.*s", plus, STR_ARG(digits));
		if (look_up(sw, c, str_from_c(text)))
			return true;
	}
	return false;
}

static bool callee_find(struct scscf_worker *sw, const struct session_in *in, struct callee *c)
{
	struct sip_uri u = in->ruri;
	struct number num;
	char text[512];
	struct str aor;

	if (u.scheme != SIP_SCHEME_TEL)		/* an alias of the domain is the domain */
		u.host = stack_home_domain(sw->w->stack);
	if (sip_uri_aor(&u, text, sizeof(text), &aor) == 0 && look_up(sw, c, aor))
		return true;
	return number_from_uri(&u, &num) == 0 && look_up_number(sw, c, &num);
}

/* ---- contacts ---- */

/* RFC 3261 §19.1.1: a Request-URI has no headers. */
static struct str without_headers(const char *uri)
{
	struct str s = str_from_c(uri), tail;

	str_cut(s, '?', &s, &tail);
	return s;
}

/* Path as Route: a target has four lines; what is more shares the last one (RFC 3327 §5.3). */
static void path_copy(struct arena *a, struct session_target *t, const struct reg_contact_view *c)
{
	for (unsigned i = 0; i < c->n_path; i++) {
		if (t->n_routes < 4)
			t->route[t->n_routes++] = arena_dup(a, str_from_c(c->path[i]));
		else
			t->route[3] = arena_printf(a, "%.*s, %s", STR_ARG(t->route[3]), c->path[i]);
	}
}

static bool add_contacts(struct session_in *in, struct session_target ***tail, const struct reg_view *v)
{
	uint64_t now = clock_wall_us();

	for (unsigned i = 0; i < v->n_contacts; i++) {
		const struct reg_contact_view *c = &v->contacts[i];
		struct session_target *t;

		if (c->expires_wall_us <= now)	/* its owner has not come to it yet */
			continue;
		t = session_target_new(in);
		if (!t)
			return false;
		t->ruri = arena_dup(in->m->arena, without_headers(c->uri));
		t->q = c->q;
		t->id = v->id;
		t->trusted = true;		/* the P-CSCF is the border toward the phone */
		path_copy(in->m->arena, t, c);
		**tail = t;
		*tail = &t->next;
	}
	return true;
}

/* ---- the procedure ---- */

/* All views in which the identity is not barred.  false: out of memory.  *ret_id: one of them, NULL: barred everywhere. */
static bool targets_find(struct session_in *in, const struct callee *c, struct session_target **ret,
			 const struct profile **ret_profile, const struct profile_identity **ret_id)
{
	struct session_target **tail = ret;

	*ret = NULL;
	*ret_id = NULL;
	for (unsigned i = 0; i < c->set->n; i++) {
		const struct reg_view *v = c->set->v[i];
		const struct profile_identity *id = profile_find(v->profile, str_from_c(c->aor));

		if (!id || id->barred)
			continue;
		*ret_profile = v->profile;
		*ret_id = id;
		if (!add_contacts(in, &tail, v))
			return false;
	}
	return true;
}

/* §5.4.3.3: who is called goes along, because the Request-URI becomes the contact (RFC 7315 §4.2). */
static void edit(struct session_in *in)
{
	sip_out_set(&in->out, SIP_H_PCALLED_PARTY_ID, arena_printf(in->m->arena, "<%.*s>", STR_ARG(in->ruri.text)));
	sip_out_drop(&in->out, SIP_H_ROUTE);		/* from here on the contact's Path is the way */
	sip_out_drop(&in->out, SIP_H_PSERVED_USER);
	sip_out_drop(&in->out, SIP_H_PAANI);	/* the caller's location is not for the callee: RFC 7315 §5.4 */
}

static void proceed(struct scscf_worker *sw, struct session_in *in, const struct callee *c)
{
	const struct profile_identity *id;
	const struct profile *profile = NULL;
	struct session_target *targets;
	struct session *s;

	if (!targets_find(in, c, &targets, &profile, &id)) {
		session_refuse(in, 500, "out of memory", STR_NONE);
		return;
	}
	if (!id) {				/* §5.4.3.3: as if it did not exist */
		session_refuse(in, 404, "no such user", STR_NONE);
		return;
	}
	s = session_new(sw, in, SIDE_TERMINATING, str_from_c(id->aor));
	if (!s || services_apply(s, in, profile, id, targets ? CASE_TERMINATING_REGISTERED : CASE_TERMINATING_UNREGISTERED))
		return;
	if (!targets) {
		session_refuse(in, 480, "the user is not registered", STR_NONE);
		return;
	}
	edit(in);
	session_start(s, in, targets, SESSION_FORK);
}

/* §5.4.2.1.1: the S-CSCF itself is the notifier of the reg event package.  It is not there yet, and a phone must not be asked
 * about another one's registration: RFC 6665 §8.3.2. */
static bool is_for_notifier(const struct session_in *in)
{
	struct str package, params, value = sip_msg_value(in->m, SIP_H_EVENT);

	str_cut(value, ';', &package, &params);
	return in->m->method == SIP_SUBSCRIBE && str_ieq_c(str_trim(package), "reg");
}

/* By the I-CSCF's Route the HSS says that the user exists and is ours: not registered, as long as nobody tells more (Open5GS
 * keeps the S-CSCF's name for ever; PyHSS is often provisioned with one).  Without it the sender may be wrong. */
static void refuse_unknown(struct session_in *in)
{
	if (in->n_own)
		session_refuse(in, 480, "the user is not registered here", STR_NONE);
	else
		session_refuse(in, 404, "no such user here", STR_NONE);
}

void scscf_terminating(struct scscf_worker *sw, struct session_in *in)
{
	struct callee c = { 0 };

	if (in->ruri.scheme != SIP_SCHEME_TEL && !stack_is_home_domain(sw->w->stack, in->ruri.host)) {
		bool self = stack_is_self(sw->w->stack, &in->ruri);

		/* Without a token nobody is served here: an open relay otherwise (RFC 3261 §26.3.2.4). */
		session_refuse(in, self ? 404 : 403, self ? "this node has no users, its domain has" :
			       "not a user of this network, and no user of ours asks", STR_NONE);
		return;
	}
	if (!callee_find(sw, in, &c)) {
		refuse_unknown(in);
		return;
	}
	if (is_for_notifier(in))
		session_refuse(in, 489, "the reg event package is not served", STR_NONE);
	else
		proceed(sw, in, &c);
	obj_unref(c.set);
}
