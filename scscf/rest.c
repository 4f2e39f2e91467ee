/* scscf/rest.c - registrations over REST: list, one, and their end by an operator (row S16; TS 24.229 §5.4.1.5).
 *
 * Handlers run on the main thread; what they show is built on the owner's worker. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/operations.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "scscf/dryrun.h"
#include "scscf/registration.h"
#include "scscf/session.h"
#include "scscf/subscription.h"

/* ---- JSON, on the owner ---- */

static const char *state_of(const struct registration *g)
{
	if (!g->profile)
		return "pending";
	return g->n_bindings ? "registered" : "unregistered";
}

static void add_time(cJSON *o, const char *name, uint64_t wall_us)
{
	char text[40];

	clock_rfc3339(wall_us, text);
	cJSON_AddStringToObject(o, name, text);
}

static void add_features(cJSON *o, const char *params)
{
	struct str rest = str_from_c(params), name, value;
	cJSON *f = cJSON_AddObjectToObject(o, "features");

	while (sip_param_next(&rest, &name, &value)) {
		char *n = str_dup(name), *v = str_dup(sip_unquote(value));

		if (n && v)
			cJSON_AddStringToObject(f, n, v);
		free(n);
		free(v);
	}
}

/* For a while only: another one after a restart. */
#define CONTACT_ID_STRLEN 17
static void contact_id(const struct binding *b, char dst[CONTACT_ID_STRLEN])
{
	snprintf(dst, CONTACT_ID_STRLEN, "%016llx", (unsigned long long)hash_mix(hash_str(str_from_c(b->uri)), b->reg_id));
}

static cJSON *contact_json(const struct binding *b)
{
	cJSON *o = cJSON_CreateObject(), *path;
	char id[CONTACT_ID_STRLEN];

	contact_id(b, id);
	cJSON_AddStringToObject(o, "id", id);
	cJSON_AddStringToObject(o, "uri", b->uri);
	if (*b->instance)
		cJSON_AddStringToObject(o, "instance", b->instance);
	if (b->reg_id)
		cJSON_AddNumberToObject(o, "regId", b->reg_id);
	cJSON_AddNumberToObject(o, "q", b->q / 1000.0);
	add_time(o, "expiresAt", clock_wall_us_of(b->expires_ms));
	path = cJSON_AddArrayToObject(o, "path");
	for (unsigned i = 0; i < b->n_path; i++)
		cJSON_AddItemToArray(path, cJSON_CreateString(b->path[i]));
	add_features(o, b->params);
	return o;
}

static void add_identities(cJSON *o, const struct profile *p)
{
	const struct profile_identity *def = profile_default(p);
	cJSON *irs = cJSON_AddArrayToObject(o, "irs");

	cJSON_AddStringToObject(o, "impu", def ? def->uri : p->n_identities ? p->identity[0].uri : "");
	for (unsigned i = 0; i < p->n_identities; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "impu", p->identity[i].uri);
		cJSON_AddBoolToObject(one, "barred", p->identity[i].barred);
		cJSON_AddBoolToObject(one, "default", &p->identity[i] == def);
		if (p->identity[i].display)
			cJSON_AddStringToObject(one, "displayName", p->identity[i].display);
		cJSON_AddItemToArray(irs, one);
	}
}

static void add_str(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

static void add_criteria(cJSON *o, const struct criteria *c, const struct profile *p, unsigned service)
{
	cJSON *one = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(one, "criteria"), *who = cJSON_AddArrayToObject(one, "identities");

	for (unsigned i = 0; i < p->n_identities; i++)
		if (p->identity[i].service == service)
			cJSON_AddItemToArray(who, cJSON_CreateString(p->identity[i].uri));
	for (unsigned i = 0; i < c->n; i++) {
		cJSON *k = cJSON_CreateObject();

		cJSON_AddNumberToObject(k, "priority", c->v[i].priority);
		add_str(k, "applicationServer", c->v[i].server);
		cJSON_AddStringToObject(k, "defaultHandling", c->v[i].terminate ? "SESSION_TERMINATED" : "SESSION_CONTINUED");
		cJSON_AddNumberToObject(k, "triggers", c->v[i].n_triggers);
		cJSON_AddItemToArray(list, k);
	}
	cJSON_AddNumberToObject(one, "skipped", c->n_skipped);
	if (c->n_skipped)
		add_str(one, "skippedWhy", c->skipped);
	cJSON_AddItemToArray(o, one);
}

/* What the S-CSCF made of the filter criteria that the HSS sent: row D15. */
static void add_services(cJSON *o, const struct profile *p)
{
	cJSON *list = cJSON_AddArrayToObject(o, "services");

	for (unsigned i = 0; i < p->n_services; i++) {
		struct criteria *c = profile_criteria(p, i);

		if (c)
			add_criteria(list, c, p, i);
		obj_unref(c);
	}
}

static cJSON *registration_json(const struct registration *g)
{
	struct scscf *s = registration_scscf(g);
	cJSON *o = cJSON_CreateObject(), *contacts;
	char *server = str_dup(s->server_name);
	struct list *pos;

	cJSON_AddStringToObject(o, "impi", g->impi);
	if (g->profile)
		add_identities(o, g->profile);
	else
		cJSON_AddStringToObject(o, "impu", "");
	cJSON_AddStringToObject(o, "state", state_of(g));
	if (g->emergency)
		cJSON_AddBoolToObject(o, "emergency", true);
	contacts = cJSON_AddArrayToObject(o, "contacts");
	list_for_each(pos, &g->bindings)
		cJSON_AddItemToArray(contacts, contact_json(list_entry(pos, struct binding, link)));
	cJSON_AddStringToObject(o, "scscf", server ? server : "");
	free(server);
	if (g->registered_wall_us)
		add_time(o, "registeredAt", g->registered_wall_us);
	return o;
}

/* Without a filter what is only half way through its first authentication is left out. */
static bool shown(const struct registration *g, struct str filter)
{
	return filter.l ? str_eq_c(filter, state_of(g)) : g->profile != NULL;
}

void registrar_list(struct worker *w, struct gather *g)
{
	struct registrar *r = scscf_of(w)->registrar;

	for (struct roll_entry *e = roll_after(&r->all, g->after); e; e = roll_next(&r->all, e)) {
		const struct registration *one = list_entry(e, struct registration, at);

		if (!shown(one, g->filter))
			continue;
		if (g->limit == 0) {
			g->more = true;
			return;
		}
		cJSON_AddItemToArray(g->items, registration_json(one));
		g->last = e->serial;
		g->limit--;
	}
}

cJSON *registrar_show(struct registrar *r, struct str impi)
{
	const struct registration *g = registration_find(r, impi);
	struct registration_sets s;
	cJSON *o, *others = NULL;

	registration_sets(r, impi, &s);
	if (!g && s.n)
		g = s.v[0];
	o = g ? registration_json(g) : NULL;
	if (o && g->profile)
		add_services(o, g->profile);
	for (unsigned i = 0; o && i < s.n; i++) {
		if (s.v[i] == g)
			continue;
		others = others ? others : cJSON_AddArrayToObject(o, "otherSets");
		cJSON_AddItemToArray(others, registration_json(s.v[i]));
	}
	return o;
}

/* ---- routes, on the main thread ---- */

/* The private identity that a key means: itself, or that of the first registration of a public identity. */
static struct str impi_of(struct scscf *s, struct str key, char *text, size_t size)
{
	struct sip_uri u;
	struct aor_view *v;
	struct str aor;

	if (sip_uri_parse(key, &u, NULL) < 0 || sip_uri_aor(&u, text, size, &aor) < 0)
		return key;
	v = reg_directory_aor(s->dir, aor);
	if (v)
		str_copy(str_from_c(v->v[0]->impi), text, size);
	obj_unref(v);
	return v ? str_from_c(text) : key;
}

static void list(void *u, struct http_req *r)
{
	struct scscf *s = u;
	struct str state = http_query(r, "state");

	if (state.l && !str_eq(state, STR("registered")) && !str_eq(state, STR("unregistered")) && !str_eq(state, STR("pending")))
		http_problem(r, 400, "INVALID_QUERY_PARAM", "state is registered, unregistered or pending");
	else
		stack_gather_page(s->stack, r, registrar_list, state);
}

static void show_here(struct worker *w, struct ask *a)
{
	a->json = registrar_show(scscf_of(w)->registrar, str_from_c(a->key));
	if (a->json)
		a->status = 200;
}

static void show(void *u, struct http_req *r)
{
	struct scscf *s = u;
	char text[512];
	struct str impi = impi_of(s, http_param(r, "id"), text, sizeof(text));

	stack_ask(s->stack, r, stack_owner(s->stack, impi), impi, show_here);
}

static void problem(struct ask *a, unsigned status, const char *cause, const char *detail)
{
	a->status = status;
	snprintf(a->cause, sizeof(a->cause), "%s", cause);
	snprintf(a->detail, sizeof(a->detail), "%s", detail);
}

static void ended(void *arg, const struct reg_dereg_result *r)
{
	struct ask *a = arg;

	a->status = 204;
	if (!r->found)
		problem(a, 404, "RESOURCE_NOT_FOUND", "no such registration");
	else if (r->hss.err == -EBUSY)
		problem(a, 503, "BUSY", "too much waits for this registration or for the HSS; it may still stand");
	else if (r->hss.err)
		problem(a, 504, "HSS_SILENT", "the registration is gone here, but the HSS did not answer");
	else if (r->hss.code != DIA_SUCCESS)
		problem(a, 502, "HSS_REFUSED", "the registration is gone here, but the HSS did not agree");
	ask_done(a);
}

static void end_here(struct worker *w, struct ask *a)
{
	if (a->if_match[0] && !ask_may_change(a, registrar_show(scscf_of(w)->registrar, str_from_c(a->key))))
		return;
	a->later = true;
	if (registrar_deregister(scscf_of(w)->s, str_from_c(a->key), NULL, REG_DEREG_ADMIN, ended, a) < 0) {
		a->later = false;
		problem(a, 503, "BUSY", "out of memory");
	}
}

static void end(void *u, struct http_req *r)
{
	struct scscf *s = u;
	char text[512];
	struct str impi = impi_of(s, http_param(r, "id"), text, sizeof(text));

	stack_ask(s->stack, r, stack_owner(s->stack, impi), impi, end_here);
}

/* ---- all of them ---- */

static uint64_t count_all(struct worker *w)
{
	uint64_t n = 0;
	struct list *pos;

	list_for_each(pos, &scscf_of(w)->registrar->all.all)
		n += list_entry(pos, struct registration, at.link)->profile != NULL;
	return n;
}

static void one_ended(void *arg, const struct reg_dereg_result *r)
{
	op_piece_done(arg, r->hss.err == 0 && (!r->found || r->hss.code == DIA_SUCCESS));
}

/* The names first: what ends at once leaves the list. */
static void end_some(struct worker *w, struct op_piece *p)
{
	char *impi[OPERATION_PIECE];
	unsigned n = 0;
	const struct roll *all = &scscf_of(w)->registrar->all;

	for (struct roll_entry *e = roll_after(all, p->after); e; e = roll_next(all, e)) {
		const struct registration *g = list_entry(e, struct registration, at);

		if (!g->profile)
			continue;
		if (n == OPERATION_PIECE) {
			p->more = true;
			break;
		}
		impi[n++] = strdup(g->impi);
		p->after = e->serial;
	}
	for (unsigned i = 0; i < n; i++) {
		op_piece_wait(p);
		if (!impi[i] || registrar_deregister(scscf_of(w)->s, str_from_c(impi[i]), NULL, REG_DEREG_ADMIN, one_ended, p) < 0)
			op_piece_done(p, false);
		free(impi[i]);
	}
}

static const struct op_kind end_all_kind = { "deregister-all", count_all, end_some };

static void end_all(void *u, struct http_req *r)
{
	operation_walk(((struct scscf *)u)->stack, r, &end_all_kind);
}

/* Network-initiated re-authentication: TS 24.229 §5.4.1.6.  The phone hears "shortened" and registers again in time, which is
 * challenged. */
static int shorten(struct registration *g)
{
	uint64_t until = registration_now_ms(g) + (uint64_t)registration_scscf(g)->reg->reauth_expires_s * 1000;
	struct list *pos;

	list_for_each(pos, &g->bindings) {
		struct binding *b = list_entry(pos, struct binding, link);

		if (b->expires_ms > until) {
			b->expires_ms = until;
			b->event = REGINFO_SHORTENED;
		}
	}
	return registration_publish(g);
}

static void reauthenticate_here(struct worker *w, struct ask *a)
{
	struct registration_sets s;
	unsigned n = 0;

	registration_sets(scscf_of(w)->registrar, str_from_c(a->key), &s);
	for (unsigned i = 0; i < s.n; i++) {
		struct registration *g = s.v[i];

		if (!g->profile || g->n_bindings == 0 || g->emergency)
			continue;
		n++;
		if (g->current)
			problem(a, 503, "BUSY", "a request of this user is in progress; try again");
		else if (shorten(g) < 0)
			problem(a, 503, "BUSY", "out of memory");
		else if (a->status != 503)
			a->status = 204;
	}
	if (n == 0)
		problem(a, 404, "RESOURCE_NOT_FOUND", "no such registration");
}

static void reauthenticate(void *u, struct http_req *r)
{
	struct scscf *s = u;
	char text[512];
	struct str impi = impi_of(s, http_param(r, "id"), text, sizeof(text));

	stack_ask(s->stack, r, stack_owner(s->stack, impi), impi, reauthenticate_here);
}

/* ---- one contact ---- */

static struct binding *contact_of(struct registration *g, struct str id)
{
	struct list *pos;
	char text[CONTACT_ID_STRLEN];

	list_for_each(pos, &g->bindings) {
		struct binding *b = list_entry(pos, struct binding, link);

		contact_id(b, text);
		if (str_eq_c(id, text))
			return b;
	}
	return NULL;
}

/* key: "CONTACT IMPI".  The phone hears "deactivated"; the HSS keeps the registration, which others stand for. */
static void end_contact_here(struct worker *w, struct ask *a)
{
	struct registration_sets s;
	struct str id, impi;

	str_cut(str_from_c(a->key), ' ', &id, &impi);
	registration_sets(scscf_of(w)->registrar, impi, &s);
	for (unsigned i = 0; i < s.n; i++) {
		struct registration *g = s.v[i];
		struct binding *b = g->profile ? contact_of(g, id) : NULL;

		if (!b)
			continue;
		if (g->current) {
			problem(a, 503, "BUSY", "a request of this user is in progress; try again");
		} else if (g->n_bindings == 1) {
			problem(a, 409, "ONLY_CONTACT", "it is the only contact: de-register the user");
		} else {
			log_info(LOG_REG, "contact ended by the network", LOG_C("impi", g->impi), LOG_C("contact", b->uri));
			binding_drop(g, b, REGINFO_DEACTIVATED);
			if (registration_publish(g) < 0)
				problem(a, 503, "BUSY", "out of memory: it is shown until something changes");
			else
				a->status = 204;
		}
		return;
	}
	problem(a, 404, "RESOURCE_NOT_FOUND", "no such contact");
}

static void end_contact(void *u, struct http_req *r)
{
	struct scscf *s = u;
	char text[512], key[560];
	struct str impi = impi_of(s, http_param(r, "id"), text, sizeof(text)), id = http_param(r, "contactId");

	if (id.l >= CONTACT_ID_STRLEN || impi.l >= sizeof(text)) {
		http_problem(r, 404, "RESOURCE_NOT_FOUND", "no such contact");
		return;
	}
	snprintf(key, sizeof(key), "%.*s %.*s", STR_ARG(id), STR_ARG(impi));
	stack_ask(s->stack, r, stack_owner(s->stack, impi), str_from_c(key), end_contact_here);
}

/* ---- subscriptions to registration state ---- */

static void gather_subscriptions(struct worker *w, struct gather *g)
{
	subscriptions_list(scscf_of(w)->subscriptions, g);
}

static void list_subscriptions(void *u, struct http_req *r)
{
	stack_gather_page(((struct scscf *)u)->stack, r, gather_subscriptions, STR_NONE);
}

const struct http_route scscf_routes[] = {
	{ "GET", "/api/v1/registrations", HTTP_VIEW, list, "Registrations; state= registered, unregistered or pending." },
	{ "GET", "/api/v1/registrations/{id}", HTTP_VIEW, show, "One registration, by its private or any public identity." },
	{ "DELETE", "/api/v1/registrations/{id}", HTTP_OPERATE, end,
	  "De-registration by the network: the HSS is told (SAR ADMINISTRATIVE_DEREGISTRATION)." },
	{ "DELETE", "/api/v1/registrations/{id}/contacts/{contactId}", HTTP_OPERATE, end_contact,
	  "Ends one of several contacts; the others stand, and the HSS is not told." },
	{ "GET", "/api/v1/reg-subscriptions", HTTP_VIEW, list_subscriptions, "Subscriptions to registration state (reg event) that are served here." },
	{ "DELETE", "/api/v1/registrations", HTTP_ADMIN, end_all,
	  "De-registers everybody, some at a time, the HSS told of each: 202 and an operation." },
	{ "POST", "/api/v1/registrations/{id}/reauthenticate", HTTP_OPERATE, reauthenticate,
	  "Network-initiated re-authentication: the contacts are shortened to registrar.reauth_expires_s." },
	{ "DELETE", "/api/v1/dialogs/{callId}", HTTP_OPERATE, ending_route,
	  "Ends the confirmed sessions of a Call-ID: BYE to both ends; cause= of the SIP Reason, 480 when absent." },
	{ "GET", "/api/v1/profiles/{impu}", HTTP_VIEW, profiles_show, "What is known of a public identity: its set, and its filter criteria." },
	{ "PUT", "/api/v1/profiles/{impu}", HTTP_ADMIN, profiles_put,
	  "Profile overlay, for HSSs that cannot push: {\"xml\": User-Data} takes the place of what the HSS said, until it says something again." },
	{ "GET", "/api/v1/profiles/{impu}/ifc", HTTP_VIEW, profiles_ifc, "Its initial filter criteria by priority." },
	{ "POST", "/api/v1/ifc/check", HTTP_VIEW, ifc_check,
	  "Reads {\"xml\": User-Data} as the S-CSCF would, before it goes into the HSS; nothing is kept." },
	{ "GET", "/api/v1/application-servers", HTTP_VIEW, application_servers,
	  "Application servers that the filter criteria in memory name; suspect: it failed just now and is passed over." },
	{ "POST", "/api/v1/profiles/{impu}/ifc/dry-run", HTTP_VIEW, dryrun_route,
	  "What the filter criteria of a user would do with a request, trigger by trigger; nothing is sent." },
	{ "POST", "/api/v1/routing/dry-run", HTTP_OPERATE, dryrun_number,
	  "Where a number or a requestUri that a user of ours (originating: his public identity, may be absent) dials would go: readings by the dial "
	  "plan, ENUM, portability, rows of sessions.routes with their header profiles, next hops and where these lead by RFC 3263 "
	  "(bypassCache: true asks DNS anew); targets are tried in turn while nobody knows the user.  Nothing is sent there." },
	{ "POST", "/api/v1/cx/explain", HTTP_OPERATE, dryrun_cx,
	  "What the HSS answers this node about impu and impi, in words and without keys: ask sar (NO_ASSIGNMENT: changes nothing, gives the profile "
	  "of a user that is served here), or mar, which moves the user's SQN on and so needs useVector: true (scheme may be said).  UAR and LIR: "
	  "the I-CSCF's scscf-selection/dry-run." },
	{ "GET", "/api/v1/shared-ifc-sets", HTTP_VIEW, shared_sets_list,
	  "The shared sets of filter criteria of sessions.shared_ifc_file, as they are understood." },
	{ "GET", "/api/v1/shared-ifc-sets/{setId}", HTTP_VIEW, shared_sets_show, "One of them, by its SharedIFCSetID." },
	{ "PUT", "/api/v1/shared-ifc-sets/{setId}", HTTP_ADMIN, shared_sets_put,
	  "Adds or replaces one: {\"xml\": \"<InitialFilterCriteria>...\"}; for everybody, at once, and kept." },
	{ "DELETE", "/api/v1/shared-ifc-sets/{setId}", HTTP_ADMIN, shared_sets_delete, "Takes one away, also one of the file." },
	{ "GET", "/api/v1/routing/routes", HTTP_VIEW, breakout_list, "The rows of sessions.routes, as they stand in the configuration." },
	{ "GET", "/api/v1/routing/enum", HTTP_VIEW, routing_enum, "What ENUM is set to." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
