/* tests/pcf/session.c - application sessions as told. */
#include <stdlib.h>
#include "tests/pcf/pcf.h"

struct pcf_session *pcf_session_by_number(struct pcf *p, unsigned number)
{
	struct list *i;

	list_for_each(i, &p->sessions)
		if (list_entry(i, struct pcf_session, link)->number == number)
			return list_entry(i, struct pcf_session, link);
	return NULL;
}

struct pcf_session *pcf_session_new(struct pcf *p, const cJSON *body)
{
	struct pcf_session *s = calloc(1, sizeof(*s));

	if (!s || !(s->req = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(body, "ascReqData"), true))) {
		free(s);
		return NULL;
	}
	s->number = ++p->last_number;
	s->requests = 1;
	list_add_tail(&p->sessions, &s->link);
	return s;
}

/* RFC 7396 §2, of two objects. */
static void merge(cJSON *target, const cJSON *patch)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, patch) {
		cJSON *before = cJSON_GetObjectItemCaseSensitive(target, m->string);

		if (cJSON_IsObject(m) && cJSON_IsObject(before)) {
			merge(before, m);
			continue;
		}
		cJSON_DeleteItemFromObjectCaseSensitive(target, m->string);
		if (!cJSON_IsNull(m))
			cJSON_AddItemToObject(target, m->string, cJSON_Duplicate(m, true));
	}
}

/* The patch replaces a component's flows one by one (RFC 7396); one that is REMOVED goes. */
void pcf_session_take(struct pcf_session *s, const cJSON *body)
{
	const cJSON *patch = cJSON_GetObjectItemCaseSensitive(body, "ascReqData"), *m;
	cJSON *map;

	s->requests++;
	s->several = strcmp(pcf_text(patch, "sipForkInd"), "SEVERAL_DIALOGUES") == 0;
	merge(s->req, patch);
	map = cJSON_GetObjectItemCaseSensitive(s->req, "medComponents");
	cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(patch, "medComponents"))
		if (strcmp(pcf_text(m, "fStatus"), "REMOVED") == 0)
			cJSON_DeleteItemFromObjectCaseSensitive(map, m->string);
}

void pcf_session_free(struct pcf_session *s)
{
	list_del(&s->link);
	cJSON_Delete(s->req);
	free(s);
}

/* ---- as REST shows it: one shape for Rx and N5 ---- */

static void add_rate(cJSON *o, const char *name, const char *text)
{
	static const struct { const char *unit; double factor; } units[] = { { "bps", 1 }, { "Kbps", 1e3 }, { "Mbps", 1e6 } };
	char *end;
	double n = strtod(text, &end);

	for (size_t i = 0; *end == ' ' && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end + 1, units[i].unit) == 0)
			cJSON_AddNumberToObject(o, name, n * units[i].factor);
}

static cJSON *show_media(const cJSON *m)
{
	cJSON *o = cJSON_CreateObject(), *flows;
	const cJSON *sub, *rule;

	cJSON_AddNumberToObject(o, "number", atof(m->string));
	cJSON_AddStringToObject(o, "type", pcf_text(m, "medType"));
	cJSON_AddStringToObject(o, "status", pcf_text(m, "fStatus"));
	add_rate(o, "uplinkBps", pcf_text(m, "marBwUl"));
	add_rate(o, "downlinkBps", pcf_text(m, "marBwDl"));
	flows = cJSON_AddArrayToObject(o, "flows");
	cJSON_ArrayForEach(sub, cJSON_GetObjectItemCaseSensitive(m, "medSubComps"))
		cJSON_ArrayForEach(rule, cJSON_GetObjectItemCaseSensitive(sub, "fDescs"))
			cJSON_AddItemToArray(flows, cJSON_Duplicate(rule, true));
	return o;
}

cJSON *pcf_session_show(const struct pcf_session *s)
{
	cJSON *o = cJSON_CreateObject(), *list;
	const cJSON *m;

	cJSON_AddNumberToObject(o, "number", s->number);
	cJSON_AddStringToObject(o, "address", *pcf_text(s->req, "ueIpv4") ? pcf_text(s->req, "ueIpv4") : pcf_text(s->req, "ueIpv6"));
	cJSON_AddStringToObject(o, "subscription", pcf_text(s->req, "supi"));
	cJSON_AddStringToObject(o, "icid", pcf_text(s->req, "afChargId"));
	cJSON_AddStringToObject(o, "application", pcf_text(s->req, "afAppId"));
	if (*pcf_text(s->req, "servUrn"))
		cJSON_AddStringToObject(o, "serviceUrn", pcf_text(s->req, "servUrn"));
	cJSON_AddStringToObject(o, "notifUri", pcf_text(s->req, "notifUri"));
	cJSON_AddNumberToObject(o, "requests", s->requests);
	list = cJSON_AddArrayToObject(o, "media");
	cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(s->req, "medComponents"))
		cJSON_AddItemToArray(list, show_media(m));
	return o;
}
