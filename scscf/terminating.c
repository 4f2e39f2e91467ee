/* scscf/terminating.c - requests to a user of ours: TS 24.229 §5.4.3.3; RFC 3261 §16.5 to §16.7; RFC 3841;
 * rows C14, T12, T13, T16, R14, R15. */
#include <stdio.h>
#include "common/log/log.h"
#include "common/util/clock.h"
#include "scscf/gruu.h"
#include "scscf/preferences.h"
#include "scscf/session.h"
#include "scscf/subscription.h"

struct callee {
	struct aor_view *set;
	char aor[512];			/* under which it was found */
};

/* ---- whom the Request-URI names ---- */

/* Calls fn with every address of record that the URI can mean, until it says true. */
typedef bool (*spelling_fn)(void *arg, struct str aor);

/* A number may be provisioned as tel or as sip, with the plus or (sloppy HSS data) without. */
static bool each_number(struct str home, const struct number *n, spelling_fn fn, void *arg)
{
	struct str digits = n->s.p[0] == '+' ? str_from(n->s, 1) : n->s;
	char text[512];

	for (unsigned i = 0; i < 4; i++) {
		const char *plus = (n->s.p[0] == '+') == (i < 2) ? "+" : "";

		if (i % 2)
			snprintf(text, sizeof(text), "sip:%s%.*s@%.*s", plus, STR_ARG(digits), STR_ARG(home));
		else
			snprintf(text, sizeof(text), "tel:%s%.*s", plus, STR_ARG(digits));
		if (fn(arg, str_from_c(text)))
			return true;
	}
	if (n->s.p[0] == '+')
		return false;
	/* RFC 3966 §5.1.5: a short number of the home network as a tel URI. */
	snprintf(text, sizeof(text), "tel:%.*s;phone-context=%.*s", STR_ARG(digits), STR_ARG(home));
	return fn(arg, str_from_c(text));
}

static bool spell_temporary(struct scscf_worker *sw, const struct sip_uri *uri, spelling_fn fn, void *arg)
{
	const struct profile_identity *id;
	struct reg_view *v = gruu_owner(sw->s->dir, stack_token_key(sw->w->stack), uri, &id);
	bool yes = v && fn(arg, str_from_c(id->aor));

	obj_unref(v);
	return yes;
}

static bool each_spelling(struct scscf_worker *sw, const struct sip_uri *uri, spelling_fn fn, void *arg)
{
	struct str home = stack_home_domain(sw->w->stack), aor;
	struct sip_uri u = *uri;
	struct number num;
	char text[512];

	if (gruu_is_temporary(uri))
		return spell_temporary(sw, uri, fn, arg);
	if (u.scheme != SIP_SCHEME_TEL)		/* an alias of the domain is the domain */
		u.host = home;
	if (sip_uri_aor(&u, text, sizeof(text), &aor) == 0 && fn(arg, aor))
		return true;
	return number_from_uri(&u, &num) == 0 && each_number(home, &num, fn, arg);
}

struct search {
	struct reg_directory *dir;
	struct callee *c;
};

static bool look_up(void *arg, struct str aor)
{
	struct search *f = arg;

	f->c->set = reg_directory_aor(f->dir, aor);
	if (f->c->set)
		str_copy(aor, f->c->aor, sizeof(f->c->aor));
	return f->c->set != NULL;
}

/* RFC 5002: the I-CSCF tells the wildcarded identity that the HSS found for the Request-URI.  From others it is no key. */
static bool find_by_key(const struct session_in *in, struct search *f)
{
	struct str v = str_trim(sip_msg_value(in->m, SIP_H_PPROFILE_KEY));

	/* By its text: the expression in it may be no URI. */
	return in->n_own && v.l > 2 && v.p[0] == '<' && v.p[v.l - 1] == '>' && look_up(f, str_make(v.p + 1, v.l - 2));
}

static bool callee_find(struct scscf_worker *sw, const struct session_in *in, struct callee *c)
{
	struct search f = { sw->s->dir, c };

	return each_spelling(sw, &in->ruri, look_up, &f) || find_by_key(in, &f);
}

struct naming {
	const struct profile *p;
	const struct profile_identity *id;
};

static bool is_named(void *arg, struct str aor)
{
	struct naming *n = arg;

	n->id = profile_find(n->p, aor);
	if (!n->id)
		n->id = wildcard_find(n->p, aor);
	return n->id != NULL;
}

bool terminating_names(struct scscf_worker *sw, const struct sip_uri *u, const struct reg_view *v, const struct profile_identity **ret)
{
	struct naming n = { v->profile, NULL };
	bool home = u->scheme == SIP_SCHEME_TEL || stack_is_home_domain(sw->w->stack, u->host);

	if (home || gruu_is_temporary(u))
		each_spelling(sw, u, is_named, &n);
	*ret = n.id;
	return n.id != NULL;
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

/* TS 24.229 §5.4.3.3: a contact for emergencies is for those who call back from there (RFC 7090). */
static bool serves(const struct reg_view *v, const struct sip_msg *m)
{
	return !v->emergency || str_ieq(sip_msg_value(m, SIP_H_PRIORITY), STR("psap-callback"));
}

/* What is common to the contacts of one request. */
struct choice {
	const struct token_key *key;
	const struct sip_uri *gruu;	/* only the contact that it means; NULL: all */
	struct preferences p;
	bool all;			/* preferences that nobody wrote left none: without them, RFC 3841 §7.2.4 */
	unsigned seen;			/* contacts that are there */
};

/* RFC 3841 §7.2.4: by q, and among equals by how well they fit. */
static unsigned rank(const struct choice *k, const struct reg_contact_view *c, unsigned score)
{
	return k->p.parallel ? 0 : c->q * 1001u + score;
}

static bool is_chosen(struct choice *k, const struct reg_contact_view *c, unsigned *ret_score)
{
	if (k->gruu && !gruu_means(k->key, k->gruu, c))
		return false;
	k->seen++;
	return preferences_judge(&k->p, str_from_c(c->params), ret_score) || k->all || k->gruu;
}

/* The flow to the same phone that is tried before this one: the youngest is the likeliest to live, and contacts stand in the
 * order of their last refresh.  A phone is not rung over two flows at once (RFC 5626 §7). */
static struct session_target *first_flow(struct session_target **made, const struct reg_view *v, unsigned i)
{
	const struct reg_contact_view *c = &v->contacts[i];
	struct str instance = gruu_instance(c);

	for (unsigned k = v->n_contacts - 1; c->reg_id && instance.l && k > i; k--)
		if (made[k] && v->contacts[k].reg_id && str_eq(gruu_instance(&v->contacts[k]), instance))
			return made[k];
	return NULL;
}

static bool add_contacts(struct session_in *in, struct session_target ***tail, const struct reg_view *v, struct choice *which)
{
	struct session_target *made[REG_MAX_CONTACTS] = { NULL }, *flow;
	uint64_t now = clock_wall_us();
	unsigned score;

	for (unsigned i = v->n_contacts; i-- > 0;) {		/* youngest first */
		const struct reg_contact_view *c = &v->contacts[i];
		struct session_target *t;

		if (c->expires_wall_us <= now)	/* its owner has not come to it yet */
			continue;
		if (!is_chosen(which, c, &score))
			continue;
		t = session_target_new(in);
		if (!t)
			return false;
		t->ruri = arena_dup(in->m->arena, without_headers(c->uri));
		t->q = rank(which, c, score);
		t->id = v->id;
		t->trusted = true;		/* the P-CSCF is the border toward the phone */
		t->abroad = !c->home;
		path_copy(in->m->arena, t, c);
		made[i] = t;
	}
	for (unsigned i = 0; i < v->n_contacts; i++) {		/* RFC 5627 §6.1: the order is the registrar's */
		if (!made[i] || first_flow(made, v, i))
			continue;
		**tail = made[i];
		*tail = &made[i]->next;
	}
	for (unsigned i = v->n_contacts; i-- > 0;) {
		flow = made[i] ? first_flow(made, v, i) : NULL;
		while (flow && flow->other_flow)
			flow = flow->other_flow;
		if (flow)
			flow->other_flow = made[i];
	}
	return true;
}

/* Request-Disposition, RFC 3841 §9.1.  sequential: one after the other; no-fork: the best one only. */
static struct session_target *disposed(struct session_target *first, const struct preferences *p)
{
	struct session_target *best = first;
	unsigned n = 0;

	for (struct session_target *t = first; t; t = t->next) {
		if (t->q > best->q)
			best = t;
		n++;
	}
	if (p->no_fork && best) {
		best->next = NULL;
		return best;
	}
	for (struct session_target *t = p->sequential && !p->parallel ? first : NULL; t; t = t->next)
		t->q = t->q * SESSION_MAX_CONTACTS + n--;
	return first;
}

static unsigned find_contacts(const struct session *s, struct session_in *in, const struct aor_view *set, struct choice *k,
			      struct session_target **ret)
{
	struct session_target **tail = ret;

	*ret = NULL;
	for (unsigned i = 0; set && i < set->n; i++) {
		const struct profile_identity *id = profile_find(set->v[i]->profile, s->served);

		if (id && !id->barred && serves(set->v[i], in->m) && !add_contacts(in, &tail, set->v[i], k))
			return 500;
	}
	return 0;
}

static const char *why_none(const struct choice *k)
{
	if (k->seen)
		return "no contact is what the caller asks for";
	return k->gruu ? "that phone of the user is not registered" : "the user is not registered";
}

/* The contacts of the views in which the identity is not barred, as the caller prefers them. */
unsigned terminating_targets(struct session *s, struct session_in *in, struct session_target **ret, const char **why)
{
	struct aor_view *set = reg_directory_aor(s->sw->s->dir, s->served);
	struct choice *k = arena_zalloc(in->m->arena, sizeof(*k));
	unsigned status = 500;

	*ret = NULL;
	if (k) {
		k->key = stack_token_key(s->sw->w->stack);
		k->gruu = gruu_is(&in->ruri) ? &in->ruri : NULL;
		preferences_read(in->m, &k->p);
		status = find_contacts(s, in, set, k, ret);
		if (status == 0 && !*ret && k->seen && preferences_implicit_only(&k->p)) {
			k->all = true;
			status = find_contacts(s, in, set, k, ret);
		}
		*ret = disposed(*ret, &k->p);
	}
	*why = status ? "out of memory" : why_none(k);
	obj_unref(set);
	return status || *ret ? status : 480;
}

struct str terminating_gruu(struct scscf_worker *sw, struct session_in *in)
{
	const struct token_key *key = stack_token_key(sw->w->stack);
	struct callee c = { 0 };
	struct str uri = STR_NONE;

	if (!gruu_is(&in->ruri) || (!gruu_is_temporary(&in->ruri) && !stack_is_home_domain(sw->w->stack, in->ruri.host)) || !callee_find(sw, in, &c))
		return uri;
	for (unsigned i = 0; i < c.set->n; i++)
		for (unsigned k = c.set->v[i]->n_contacts; k-- > 0 && uri.l == 0;)
			if (gruu_means(key, &in->ruri, &c.set->v[i]->contacts[k]))
				uri = arena_dup(in->m->arena, without_headers(c.set->v[i]->contacts[k].uri));
	obj_unref(c.set);
	return uri;
}

/* ---- the procedure ---- */

static bool has_contact(const struct reg_view *v)
{
	uint64_t now = clock_wall_us();

	for (unsigned i = 0; i < v->n_contacts; i++)
		if (v->contacts[i].expires_wall_us > now)
			return true;
	return false;
}

/* Whose services run when private identities share the public one: a view in which it is not barred, a registered one first. */
static const struct reg_view *served_view(const struct callee *c, const struct sip_msg *m, const struct profile_identity **ret)
{
	const struct reg_view *v = NULL;

	*ret = NULL;
	for (unsigned i = 0; i < c->set->n; i++) {
		const struct profile_identity *id = profile_find(c->set->v[i]->profile, str_from_c(c->aor));

		if (!id || id->barred || !serves(c->set->v[i], m) || (v && (has_contact(v) || !has_contact(c->set->v[i]))))
			continue;
		v = c->set->v[i];
		*ret = id;
	}
	return v;
}

static bool for_emergencies_only(const struct callee *c)
{
	bool some = false;

	for (unsigned i = 0; i < c->set->n; i++) {
		const struct profile_identity *id = profile_find(c->set->v[i]->profile, str_from_c(c->aor));

		if (id && !id->barred && !c->set->v[i]->emergency)
			return false;
		some = some || (id && !id->barred);
	}
	return some;
}

static void proceed(struct scscf_worker *sw, struct session_in *in, const struct callee *c)
{
	const struct profile_identity *id;
	const struct reg_view *v = served_view(c, in->m, &id);
	struct session *s;

	if (!v && for_emergencies_only(c)) {
		session_refuse(in, 480, "the user is registered for emergencies only", STR_NONE);
		return;
	}
	if (!v) {				/* §5.4.3.3: as if it did not exist */
		session_refuse(in, 404, "no such user", STR_NONE);
		return;
	}
	if (!limits_take(sw, in, v->id, SIDE_TERMINATING))
		return;
	s = session_new(sw, in, SIDE_TERMINATING, str_from_c(id->aor));
	if (!s)
		return;
	if (wildcard_is(id))
		s->served_uri = s->called;
	sip_out_drop(&in->out, SIP_H_ROUTE);	/* from here on the services and the contact's Path are the way */
	services_run(s, in, v, id, has_contact(v) ? CASE_TERMINATING_REGISTERED : CASE_TERMINATING_UNREGISTERED, 0);
}

/* By the I-CSCF's Route the HSS says that the user exists and is ours: not registered, as long as nobody tells more (Open5GS
 * keeps the S-CSCF's name for ever; PyHSS is often provisioned with one).  Without it the sender may be wrong. */
static void unknown(struct scscf_worker *sw, struct session_in *in)
{
	struct sip_uri u = in->ruri;
	char text[512];
	struct str aor;

	if (u.scheme != SIP_SCHEME_TEL)
		u.host = stack_home_domain(sw->w->stack);
	if (gruu_is_temporary(&in->ruri)) {	/* RFC 5627 §6.1: it was never ours, or serves no more */
		session_refuse(in, 404, "a temporary GRUU that serves no more", STR_NONE);
		return;
	}
	/* §5.4.3.3: there may be services for who is not registered.  Only when the I-CSCF sent it. */
	if (in->n_own && sip_uri_aor(&u, text, sizeof(text), &aor) == 0 && unregistered_fetch(sw, in, aor))
		return;
	if (in->n_own)
		session_refuse(in, 480, "the user is not registered here", STR_NONE);
	else
		session_refuse(in, 404, "no such user here", STR_NONE);
}

void scscf_terminating(struct scscf_worker *sw, struct session_in *in)
{
	struct callee c = { 0 };

	if (in->ruri.scheme != SIP_SCHEME_TEL && !gruu_is_temporary(&in->ruri) && !stack_is_home_domain(sw->w->stack, in->ruri.host)) {
		bool self = stack_is_self(sw->w->stack, &in->ruri);

		/* Without a token nobody is served here: an open relay otherwise (RFC 3261 §26.3.2.4). */
		session_refuse(in, self ? 404 : 403, self ? "this node has no users, its domain has" :
			       "not a user of this network, and no user of ours asks", STR_NONE);
		return;
	}
	if (!callee_find(sw, in, &c)) {
		unknown(sw, in);
		return;
	}
	if (subscription_is_for_reg(in->m))		/* TS 24.229 §5.4.2.1.1: the S-CSCF itself is the notifier */
		subscription_request(sw, in, c.set, str_from_c(c.aor), 0);
	else
		proceed(sw, in, &c);
	obj_unref(c.set);
}
