/* scscf/sets_rest.c - GET /api/v1/shared-ifc-sets: the shared sets of sessions.shared_ifc_file as they are understood; row T5.
 *
 * The sets never change while the daemon runs, so the main thread reads them. */
#include <stdio.h>
#include <stdlib.h>
#include "common/http/http.h"
#include "scscf/criteria.h"
#include "scscf/session.h"

static void add(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

static cJSON *criterion_json(const struct criterion *k)
{
	static const char *const parts[] = { "any", "registered", "unregistered", "any" };
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "priority", k->priority);
	add(o, "applicationServer", k->server);
	cJSON_AddStringToObject(o, "defaultHandling", k->terminate ? "terminate" : "continue");
	cJSON_AddStringToObject(o, "profilePart", parts[k->part & 3]);
	cJSON_AddStringToObject(o, "conditionType", !k->has_trigger ? "none" : k->cnf ? "cnf" : "dnf");
	if (k->service_info.l)
		add(o, "serviceInformation", k->service_info);
	return o;
}

static cJSON *shared_set_json(const struct criteria_store *s, unsigned i)
{
	struct criteria *c = NULL;
	cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "filterCriteria");
	struct str text;
	uint32_t id;

	criteria_store_at(s, i, &id, &text);
	cJSON_AddNumberToObject(o, "id", id);
	add(o, "xml", text);
	if (criteria_get(NULL, text, &c) < 0)
		return o;
	for (unsigned k = 0; k < c->n; k++)
		cJSON_AddItemToArray(list, criterion_json(&c->v[k]));
	cJSON_AddNumberToObject(o, "skipped", c->n_skipped);
	if (c->n_skipped)
		add(o, "skippedWhy", c->skipped);
	obj_unref(c);
	return o;
}

void shared_sets_list(void *u, struct http_req *r)
{
	const struct scscf *s = u;
	char next[24] = "";
	struct str cursor;
	uint32_t from = 0, i;
	unsigned limit;
	cJSON *items;

	if (!http_page(r, &limit, &cursor))
		return;
	if (cursor.l && str_to_u32(cursor, &from) < 0) {
		http_problem(r, 400, "INVALID_QUERY_PARAM", "not a cursor of this list");
		return;
	}
	items = cJSON_CreateArray();
	for (i = from; criteria_store_at(s->criteria, i, NULL, NULL) && limit; i++, limit--)
		cJSON_AddItemToArray(items, shared_set_json(s->criteria, i));
	if (criteria_store_at(s->criteria, i, NULL, NULL))
		snprintf(next, sizeof(next), "%u", i);
	http_reply_page(r, items, next[0] ? next : NULL);
}

void shared_sets_show(void *u, struct http_req *r)
{
	const struct scscf *s = u;
	uint32_t want, id;

	if (str_to_u32(http_param(r, "setId"), &want) == 0)
		for (unsigned i = 0; criteria_store_at(s->criteria, i, &id, NULL); i++)
			if (id == want) {
				http_reply_json(r, 200, shared_set_json(s->criteria, i));
				return;
			}
	http_problem(r, 404, "RESOURCE_NOT_FOUND", "sessions.shared_ifc_file has no set of that number");
}
