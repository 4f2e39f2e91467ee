/* scscf/profiles_rest.c - /api/v1/profiles: what is known of a public identity, its filter criteria, and the profile overlay: User-Data
 * that an operator puts in place of what the HSS said, for HSSs that cannot push (PPR, TS 29.228 §6.2; rows S17, D15).  And filter
 * criteria that are looked at before they go into a HSS; the application servers that those in memory name.
 *
 * An overlay works as a PPR of the HSS would: at once, for all who share the set, until the HSS sends User-Data again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "scscf/dryrun.h"
#include "scscf/registrar.h"
#include "scscf/session.h"

#define MAX_SERVERS 256u

static void add(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

static void add_criteria(cJSON *o, const struct criteria *c)
{
	cJSON *list = cJSON_AddArrayToObject(o, "filterCriteria");

	for (unsigned i = 0; c && i < c->n; i++)
		cJSON_AddItemToArray(list, dryrun_criterion_json(&c->v[i]));
	cJSON_AddNumberToObject(o, "skipped", c ? c->n_skipped : 0);
	if (c && c->n_skipped)
		add(o, "skippedWhy", c->skipped);
}

/* ---- whose ---- */

struct who {
	struct aor_view *set;		/* a reference */
	const struct reg_view *v;	/* the one with contacts, else the first */
	const struct profile_identity *id;
	char aor[512];
};

/* False after a 404. */
static bool find(struct scscf *s, struct http_req *r, struct who *w)
{
	struct sip_uri uri;
	struct str aor;

	*w = (struct who){ 0 };
	if (sip_uri_parse(http_param(r, "impu"), &uri, NULL) == 0 && sip_uri_aor(&uri, w->aor, sizeof(w->aor), &aor) == 0)
		w->set = reg_directory_aor(s->dir, aor);
	for (unsigned i = 0; w->set && i < w->set->n; i++) {
		const struct reg_view *v = w->set->v[i];

		if (w->v && (w->v->n_contacts || !v->n_contacts))
			continue;
		w->v = v;
		w->id = profile_find(v->profile, aor);
	}
	if (w->v && w->id)
		return true;
	obj_unref(w->set);
	http_problem(r, 404, "RESOURCE_NOT_FOUND", "nobody with that public identity has a profile here");
	return false;
}

static cJSON *profile_json(const struct who *w)
{
	const struct profile *p = w->v->profile;
	const struct profile_identity *def = profile_default(p);
	cJSON *o = cJSON_CreateObject(), *irs, *list;
	struct criteria *c;

	cJSON_AddStringToObject(o, "impu", w->id->uri);
	cJSON_AddStringToObject(o, "impi", w->v->impi);
	cJSON_AddStringToObject(o, "state", w->v->n_contacts ? "registered" : "unregistered");
	cJSON_AddBoolToObject(o, "barred", w->id->barred);
	if (w->id->display)
		cJSON_AddStringToObject(o, "displayName", w->id->display);
	irs = cJSON_AddArrayToObject(o, "irs");
	for (unsigned i = 0; i < p->n_identities; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "impu", p->identity[i].uri);
		cJSON_AddBoolToObject(one, "barred", p->identity[i].barred);
		cJSON_AddBoolToObject(one, "default", &p->identity[i] == def);
		cJSON_AddItemToArray(irs, one);
	}
	list = cJSON_AddArrayToObject(o, "sharedWith");
	for (unsigned i = 0; i < w->set->n; i++)
		if (w->set->v[i] != w->v)
			cJSON_AddItemToArray(list, cJSON_CreateString(w->set->v[i]->impi));
	c = profile_criteria(p, w->id->service);
	add_criteria(o, c);
	obj_unref(c);
	return o;
}

void profiles_show(void *u, struct http_req *r)
{
	struct who w;

	if (!find(u, r, &w))
		return;
	http_reply_json(r, 200, profile_json(&w));
	obj_unref(w.set);
}

void profiles_ifc(void *u, struct http_req *r)
{
	cJSON *items = cJSON_CreateArray();
	struct criteria *c;
	struct who w;

	if (!find(u, r, &w)) {
		cJSON_Delete(items);
		return;
	}
	c = profile_criteria(w.v->profile, w.id->service);
	for (unsigned i = 0; c && i < c->n; i++)
		cJSON_AddItemToArray(items, dryrun_criterion_json(&c->v[i]));
	obj_unref(c);
	obj_unref(w.set);
	http_reply_page(r, items, NULL);
}

/* ---- an overlay ---- */

struct overlay {
	struct scscf *s;
	struct http_req *req;
	struct worker_return back;
	int rc;
};

static void overlay_answer(void *arg)
{
	struct overlay *o = arg;

	if (o->rc == 0)
		http_reply(o->req, 204, NULL, STR_NONE);
	else if (o->rc == -ENOENT)
		http_problem(o->req, 404, "RESOURCE_NOT_FOUND", "nobody with that public identity has a profile here");
	else
		http_problem(o->req, 503, "BUSY", "too much waits for this registration, or there is no memory");
	free(o);
}

static void overlay_done(void *arg, int rc)
{
	struct overlay *o = arg;

	o->rc = rc;
	if (worker_return_main(worker_current(), o->s->stack, &o->back, overlay_answer, o) < 0)
		free(o);			/* the daemon stops */
}

/* The text of {"xml": ...}; empty after a problem. */
static struct str xml_of(struct http_req *r)
{
	const cJSON *body = http_json(r);
	const char *xml = body ? cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "xml")) : NULL;

	if (body && (!xml || !*xml))
		http_problem(r, 422, "INVALID_PROFILE", "xml must be the text of the User-Data");
	return str_from_c(xml);
}

/* User-Data that lacks the identity it is put for would take the profile away from it. */
static bool usable(struct http_req *r, const struct who *w, struct str xml)
{
	struct profile *fresh = NULL;
	char why[160] = "";
	int rc = profile_parse(xml, NULL, &fresh, why);
	bool has = rc == 0 && profile_find(fresh, str_from_c(w->id->aor));

	obj_unref(fresh);
	if (rc < 0)
		http_problem(r, 422, "INVALID_PROFILE", "%s", why[0] ? why : "the User-Data cannot be read");
	else if (!has)
		http_problem(r, 422, "IDENTITY_MISSING", "the User-Data does not name %s", w->id->aor);
	return has;
}

void profiles_put(void *u, struct http_req *r)
{
	struct str xml = xml_of(r);
	struct overlay *o;
	struct who w;

	if (!xml.l || !find(u, r, &w))
		return;
	if (!http_may_change_json(r, profile_json(&w), false) || !usable(r, &w, xml)) {
		obj_unref(w.set);
		return;
	}
	o = calloc(1, sizeof(*o));
	if (o) {
		*o = (struct overlay){ .s = u, .req = r };
		log_info(LOG_REG, "profile overlay", LOG_C("impi", w.v->impi), LOG_C("impu", w.id->aor), LOG_C("by", http_who(r)));
		http_suspend(r);
	}
	if (!o || registrar_push_profile(u, str_from_c(w.v->impi), xml, STR_NONE, overlay_done, o) < 0) {
		free(o);
		http_problem(r, 503, "BUSY", "the owner of the registration takes no work now, or there is no memory");
	}
	obj_unref(w.set);
}

/* ---- criteria that are looked at ---- */

void ifc_check(void *u, struct http_req *r)
{
	struct str xml = xml_of(r);
	struct profile *p = NULL;
	cJSON *o, *list;
	char why[160] = "";
	int rc;

	(void)u;
	if (!xml.l)
		return;
	rc = profile_parse(xml, NULL, &p, why);
	o = cJSON_CreateObject();
	cJSON_AddBoolToObject(o, "valid", rc == 0);
	if (rc < 0)
		cJSON_AddStringToObject(o, "why", why[0] ? why : strerror(-rc));
	list = cJSON_AddArrayToObject(o, "services");
	for (unsigned i = 0; p && i < p->n_services; i++) {
		cJSON *one = cJSON_CreateObject(), *who = cJSON_AddArrayToObject(one, "identities");
		struct criteria *c = profile_criteria(p, i);

		for (unsigned k = 0; k < p->n_identities; k++)
			if (p->identity[k].service == i)
				cJSON_AddItemToArray(who, cJSON_CreateString(p->identity[k].uri));
		add_criteria(one, c);
		obj_unref(c);
		cJSON_AddItemToArray(list, one);
	}
	obj_unref(p);
	http_reply_json(r, 200, o);
}

/* ---- application servers ---- */

struct servers {
	struct str v[MAX_SERVERS], route[MAX_SERVERS];	/* copies */
	unsigned tables[MAX_SERVERS], n;
};

static void note_server(void *arg, const struct criterion *k)
{
	struct servers *all = arg;
	char *copy, *route;

	for (unsigned i = 0; i < all->n; i++) {
		if (!str_eq(all->v[i], k->server))
			continue;
		all->tables[i]++;
		return;
	}
	if (all->n == MAX_SERVERS)
		return;
	copy = str_dup(k->server);
	route = str_dup(k->route);
	if (!copy || !route) {
		free(copy);
		free(route);
		return;
	}
	all->tables[all->n] = 1;
	all->route[all->n] = str_from_c(route);
	all->v[all->n++] = str_from_c(copy);
}

void application_servers(void *u, struct http_req *r)
{
	struct servers *all = calloc(1, sizeof(*all));
	cJSON *items = cJSON_CreateArray();
	struct scscf *s = u;
	struct worker here = { .wheel = loop_wheel(stack_main_loop(s->stack)) };
	struct scscf_worker any = { .s = s, .w = &here };

	if (all && s->criteria)
		criteria_store_each(s->criteria, note_server, all);
	for (unsigned i = 0; all && i < all->n; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "uri", all->v[i].p);
		cJSON_AddStringToObject(o, "health", held_is(&any, all->route[i]) ? "suspect" : "unknown");
		cJSON_AddNumberToObject(o, "waitMs", session_config_as_wait(s->sessions, all->v[i]));
		cJSON_AddNumberToObject(o, "criteria", all->tables[i]);
		cJSON_AddItemToArray(items, o);
		free((char *)(uintptr_t)all->v[i].p);
		free((char *)(uintptr_t)all->route[i].p);
	}
	free(all);
	http_reply_page(r, items, NULL);
}
