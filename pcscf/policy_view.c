/* pcscf/policy_view.c - what policy control shows of a call: REST, call records. */
#include <stdlib.h>
#include "pcscf/policy_private.h"

static void add_flows(cJSON *list, const struct media_component *m)
{
	char rule[MEDIA_RULE_STRLEN];

	for (unsigned f = 0; f < m->n_flows; f++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddNumberToObject(o, "media", m->number);
		cJSON_AddStringToObject(o, "description", media_rule(&m->flow[f], true, rule));
		cJSON_AddStringToObject(o, "status", media_way_name(m->way));
		cJSON_AddStringToObject(o, "mediaType", media_type_name(m->type));
		if (m->ul_bps != MEDIA_ABSENT)
			cJSON_AddNumberToObject(o, "maxBandwidthUl", m->ul_bps);
		if (m->dl_bps != MEDIA_ABSENT)
			cJSON_AddNumberToObject(o, "maxBandwidthDl", m->dl_bps);
		cJSON_AddItemToArray(list, o);
	}
}

static const char *state_of(const struct policy_session *s)
{
	return s->waiting ? "asked" : s->agreed ? "agreed" : s->opened ? "not agreed" : "not asked";
}

static void add_text(cJSON *o, const char *name, struct str v)
{
	char *c = str_dup(v);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

cJSON *policy_to_json(const struct call *c)
{
	const struct policy_session *s = c->policy;
	cJSON *o = cJSON_CreateObject(), *flows;

	cJSON_AddStringToObject(o, "id", s->peer ? s->backend->id(s->peer) : "");
	cJSON_AddStringToObject(o, "interface", s->backend->name);
	cJSON_AddStringToObject(o, "kind", c->emergency ? "emergency" : "media");
	cJSON_AddStringToObject(o, "state", state_of(s));
	add_text(o, "impu", c->b->identity[0].aor);
	add_text(o, "callId", c->call_id);
	add_text(o, "icid", c->icid);
	if (s->cause[0])
		cJSON_AddStringToObject(o, "cause", s->cause);
	cJSON_AddNumberToObject(o, "questions", (double)s->questions);
	cJSON_AddNumberToObject(o, "held", s->n_held);
	flows = cJSON_AddArrayToObject(o, "flows");
	for (unsigned i = 0; i < s->have.n; i++)
		add_flows(flows, &s->have.c[i]);
	return o;
}

cJSON *policy_summary(const struct call *c)
{
	const struct policy_session *s = c->policy;
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "interface", s->backend->name);
	cJSON_AddStringToObject(o, "state", state_of(s));
	cJSON_AddNumberToObject(o, "questions", (double)s->questions);
	if (s->peer)
		cJSON_AddStringToObject(o, "sessionId", s->backend->id(s->peer));
	if (s->cause[0])
		cJSON_AddStringToObject(o, "cause", s->cause);
	return o;
}
