/* pcscf/rest.c - GET and DELETE /api/v1/registrations: phones registered through this P-CSCF.  No keys, no challenges. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/operations.h"
#include "common/util/clock.h"
#include "pcscf/agw.h"
#include "pcscf/policy.h"
#include "pcscf/reg_event.h"
#include "pcscf/session.h"

static void add(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	if (c && s.l)
		cJSON_AddStringToObject(o, name, c);
	free(c);
}

static void add_time(cJSON *o, const char *name, uint64_t wall_us)
{
	char when[40];

	clock_rfc3339(wall_us, when);
	cJSON_AddStringToObject(o, name, when);
}

static void id_text(uint64_t id, char dst[17])
{
	snprintf(dst, 17, "%016llx", (unsigned long long)id);
}

static cJSON *identities(const struct binding *b)
{
	cJSON *irs = cJSON_CreateArray();

	for (unsigned i = 0; i < b->n_identities; i++) {
		cJSON *o = cJSON_CreateObject();

		add(o, "impu", b->identity[i].aor);
		cJSON_AddBoolToObject(o, "default", i == 0);
		cJSON_AddItemToArray(irs, o);
	}
	return irs;
}

static cJSON *contacts(const struct binding *b)
{
	cJSON *all = cJSON_CreateArray(), *o = cJSON_CreateObject();
	char text[SIP_FLOW_STRLEN];
	struct sip_flow way;

	add(o, "uri", b->contact);
	cJSON_AddStringToObject(o, "flow", sip_flow_fmt(&b->flow, text));
	pcscf_access_path(b, &way);
	cJSON_AddStringToObject(o, "reachedAt", sip_flow_fmt(&way, text));
	if (b->sa)
		cJSON_AddItemToObject(o, "security", security_json(b->sa));
	add(o, "userAgent", b->user_agent);
	add_time(o, "expiresAt", b->expires_wall_us);
	cJSON_AddItemToArray(all, o);
	return all;
}

static cJSON *show(const struct pcscf *p, const struct binding *b)
{
	static const char *const auth[] = { "none", "digest", "aka" };
	cJSON *o = cJSON_CreateObject(), *routes = cJSON_CreateArray();
	char id[17];

	id_text(b->id, id);
	cJSON_AddStringToObject(o, "id", id);
	add(o, "impu", b->identity[0].aor);
	add(o, "impi", b->impi);
	cJSON_AddStringToObject(o, "state", "registered");
	cJSON_AddStringToObject(o, "authentication", auth[b->auth]);
	cJSON_AddItemToObject(o, "irs", identities(b));
	cJSON_AddItemToObject(o, "contacts", contacts(b));
	for (unsigned i = 0; i < b->n_routes; i++) {
		char *c = str_dup(b->route[i]);

		cJSON_AddItemToArray(routes, cJSON_CreateString(c ? c : ""));
		free(c);
	}
	cJSON_AddItemToObject(o, "serviceRoute", routes);
	add(o, "visitedNetwork", p->cfg.visited_network);
	add_time(o, "registeredAt", b->registered_wall_us);
	return o;
}

/* ---- which ones ---- */

static bool has_impu(const struct binding *b, struct str impu)
{
	struct sip_uri u;

	return sip_uri_parse(impu, &u, NULL) == 0 && binding_identity_find(b, &u);
}

/* A path key: the id, an identity, the private identity or the contact. */
static bool is_called(const struct binding *b, struct str key)
{
	char id[17];

	id_text(b->id, id);
	return str_eq_c(key, id) || str_eq(key, b->impi) || str_eq(key, b->contact) || has_impu(b, key);
}

/* "impu=...", "impi=...", "contact=..." or nothing. */
static bool matches(const struct binding *b, struct str filter)
{
	struct str what, value;

	if (!filter.l)
		return true;
	str_cut(filter, '=', &what, &value);
	if (str_eq(what, STR("impi")))
		return str_eq(value, b->impi);
	if (str_eq(what, STR("contact")))
		return str_find(b->contact, value) >= 0;
	return has_impu(b, value);
}

/* ---- GET /registrations ---- */

static bool list_one(void *arg, const struct binding *b)
{
	struct gather *g = arg;

	if (!matches(b, g->filter))
		return true;
	if (g->limit == 0) {
		g->more = true;
		return false;
	}
	gather_hold(g, (struct obj *)(uintptr_t)&b->o);
	return true;
}

static cJSON *show_held(struct stack *s, const struct obj *o)
{
	return show(pcscf_of(stack_worker(s, 0))->p, container_of(o, struct binding, o));
}

static void gather(struct worker *w, struct gather *g)
{
	g->last = g->after;
	bindings_each(pcscf_of(w)->bindings, &g->last, list_one, g);
}

static void get_all(void *u, struct http_req *r)
{
	static const char *const names[] = { "impu", "impi", "contact" };
	char filter[512] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct str v = http_query(r, names[i]);

		if (!v.l)
			continue;
		if (v.l + 16 > sizeof(filter)) {
			http_problem(r, 400, "INVALID_QUERY_PARAM", "%s is too long", names[i]);
			return;
		}
		snprintf(filter, sizeof(filter), "%s=%.*s", names[i], STR_ARG(v));
	}
	stack_gather_held(((struct pcscf *)u)->stack, r, gather, show_held, str_from_c(filter));
}

/* ---- one ---- */

struct lookup {
	struct str key;
	const struct binding *found;
};

static bool look(void *arg, const struct binding *b)
{
	struct lookup *l = arg;

	if (is_called(b, l->key))
		l->found = b;
	return !l->found;
}

static const struct binding *find(struct worker *w, const struct ask *a)
{
	struct lookup l = { str_from_c(a->key), NULL };
	uint64_t after = 0;

	bindings_each(pcscf_of(w)->bindings, &after, look, &l);
	return l.found;
}

static void ask_show(struct worker *w, struct ask *a)
{
	const struct binding *b = find(w, a);

	if (!b)
		return;
	a->status = 200;
	a->json = show(pcscf_of(w)->p, b);
}

/* Local release: the phone hears nothing, the S-CSCF neither; its next request is refused until it registers again. */
static void ask_delete(struct worker *w, struct ask *a)
{
	const struct binding *b = find(w, a);

	if (!b || !ask_may_change(a, a->if_match[0] ? show(pcscf_of(w)->p, b) : NULL))
		return;
	a->status = 204;
	bindings_del(pcscf_of(w)->bindings, b->key, "administration");
}

static void get_one(void *u, struct http_req *r)
{
	stack_ask_all(((struct pcscf *)u)->stack, r, http_param(r, "impu"), ask_show);
}

static void delete_one(void *u, struct http_req *r)
{
	stack_ask_all(((struct pcscf *)u)->stack, r, http_param(r, "impu"), ask_delete);
}

/* ---- all of them ---- */

struct some {
	struct op_piece *p;
	char *key[OPERATION_PIECE];
	unsigned n;
};

static bool note_key(void *arg, const struct binding *b)
{
	struct some *s = arg;

	if (s->n == OPERATION_PIECE) {
		s->p->more = true;
		return false;
	}
	s->key[s->n++] = str_dup(b->key);
	return true;
}

static bool count_one(void *arg, const struct binding *b)
{
	(void)b;
	++*(uint64_t *)arg;
	return true;
}

static uint64_t count_all(struct worker *w)
{
	uint64_t n = 0, after = 0;

	bindings_each(pcscf_of(w)->bindings, &after, count_one, &n);
	return n;
}

static void delete_some(struct worker *w, struct op_piece *p)
{
	struct some s = { .p = p };

	bindings_each(pcscf_of(w)->bindings, &p->after, note_key, &s);
	for (unsigned i = 0; i < s.n; i++) {
		op_piece_wait(p);
		op_piece_done(p, s.key[i] && bindings_del(pcscf_of(w)->bindings, str_from_c(s.key[i]), "administration"));
		free(s.key[i]);
	}
}

static const struct op_kind delete_all_kind = { "forget-all", count_all, delete_some };

static void delete_all(void *u, struct http_req *r)
{
	operation_walk(((struct pcscf *)u)->stack, r, &delete_all_kind);
}

/* ---- calls ---- */

static void ask_release(struct worker *w, struct ask *a)
{
	unsigned n = sessions_release_call(pcscf_of(w)->sessions, str_from_c(a->key), "administration");

	if (!n)
		return;
	a->status = 202;
	a->json = cJSON_CreateObject();
	cJSON_AddNumberToObject(a->json, "dialogsReleased", n);
}

static void release_dialogs(void *u, struct http_req *r)
{
	stack_ask_all(((struct pcscf *)u)->stack, r, http_param(r, "callId"), ask_release);
}

/* ---- policy control ---- */

static void list_call(void *arg, struct call *c)
{
	struct gather *g = arg;

	if (!c->policy || c->id <= g->after)
		return;
	if (g->limit == 0) {
		g->more = true;
		return;
	}
	cJSON_AddItemToArray(g->items, policy_to_json(c));
	g->last = c->id;
	g->limit--;
}

static void gather_policy(struct worker *w, struct gather *g)
{
	calls_each(pcscf_of(w)->calls, list_call, g);
}

static void get_policy(void *u, struct http_req *r)
{
	stack_gather_page(((struct pcscf *)u)->stack, r, gather_policy, STR_NONE);
}

/* key: the id of the session */
struct one_policy {
	const char *id;
	cJSON *found;
};

static void look_policy(void *arg, struct call *c)
{
	struct one_policy *o = arg;
	cJSON *json;

	if (!c->policy || o->found)
		return;
	json = policy_to_json(c);
	if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "id")), o->id) == 0)
		o->found = json;
	else
		cJSON_Delete(json);
}

static void ask_policy(struct worker *w, struct ask *a)
{
	struct one_policy o = { a->key, NULL };

	calls_each(pcscf_of(w)->calls, look_policy, &o);
	a->json = o.found;
	a->status = o.found ? 200 : 0;
}

static void get_one_policy(void *u, struct http_req *r)
{
	stack_ask_all(((struct pcscf *)u)->stack, r, http_param(r, "policySessionId"), ask_policy);
}

/* ---- our subscriptions ---- */

static void gather_subscriptions(struct worker *w, struct gather *g)
{
	if (pcscf_of(w)->reg_events)
		reg_events_list(pcscf_of(w)->reg_events, g);
}

static void get_subscriptions(void *u, struct http_req *r)
{
	stack_gather_page(((struct pcscf *)u)->stack, r, gather_subscriptions, STR_NONE);
}

/* ---- media relays ---- */

static void list_media(void *arg, struct call *c)
{
	struct gather *g = arg;

	if (!c->agw || c->id <= g->after)
		return;
	if (g->limit == 0) {
		g->more = true;
		return;
	}
	cJSON_AddItemToArray(g->items, agw_to_json(c));
	g->last = c->id;
	g->limit--;
}

static void gather_media(struct worker *w, struct gather *g)
{
	calls_each(pcscf_of(w)->calls, list_media, g);
}

static void get_media_sessions(void *u, struct http_req *r)
{
	stack_gather_page(((struct pcscf *)u)->stack, r, gather_media, STR_NONE);
}

static void get_media(void *u, struct http_req *r)
{
	const struct pcscf *p = u;
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "mode", agw_mode_name(p->cfg.agw.mode));
	cJSON_AddItemToObject(o, "relays", agw_relays_json(p));
	http_reply_json(r, 200, o);
}

const struct http_route pcscf_routes[] = {
	{ "DELETE", "/api/v1/dialogs/{callId}", HTTP_OPERATE, release_dialogs,
	  "Ends the calls of that Call-ID: BYE both ways, or CANCEL and 503 while nobody has answered." },
	{ "GET", "/api/v1/registrations", HTTP_VIEW, get_all, "Phones registered here; impu=, impi=, contact= select." },
	{ "GET", "/api/v1/registrations/{impu}", HTTP_VIEW, get_one, "One phone by identity, private identity, contact or id." },
	{ "DELETE", "/api/v1/registrations/{impu}", HTTP_OPERATE, delete_one,
	  "Forgets a phone locally and ends its calls; it must register again.  The S-CSCF is not told." },
	{ "DELETE", "/api/v1/registrations", HTTP_ADMIN, delete_all, "Forgets every phone, some at a time: 202 and an operation." },
	{ "GET", "/api/v1/policy-sessions", HTTP_VIEW, get_policy, "Calls that policy control is asked about, with their flows." },
	{ "GET", "/api/v1/policy-sessions/{policySessionId}", HTTP_VIEW, get_one_policy, "One of them." },
	{ "GET", "/api/v1/reg-subscriptions", HTTP_VIEW, get_subscriptions, "Our subscriptions to the registration state of the users here (reg event)." },
	{ "GET", "/api/v1/security-associations", HTTP_VIEW, security_list, "Sets of IPsec associations with phones; never their keys." },
	{ "GET", "/api/v1/security-associations/{saSetId}", HTTP_VIEW, security_show, "One of them." },
	{ "DELETE", "/api/v1/security-associations/{saSetId}", HTTP_OPERATE, security_delete,
	  "Ends it; a phone that is registered over it is forgotten locally, and must register again." },
	{ "GET", "/api/v1/algorithms", HTTP_VIEW, security_algorithms, "Security policy, and the algorithms that phones are offered, best first." },
	{ "GET", "/api/v1/media", HTTP_VIEW, get_media, "The media relays, whether they answer, and how many calls each has." },
	{ "GET", "/api/v1/media-sessions", HTTP_VIEW, get_media_sessions, "Calls whose media go through a relay." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
