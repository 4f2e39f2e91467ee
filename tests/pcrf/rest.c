/* tests/pcrf/rest.c - the control interface: sessions, history, misbehaviour; ASR and RAR to order. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/daemon.h"
#include "tests/pcrf/pcrf.h"

static void get_readyz(void *u, struct http_req *r)
{
	cJSON *doc = cJSON_CreateObject();

	(void)u;
	cJSON_AddBoolToObject(doc, "ready", true);
	http_reply_json(r, 200, doc);
}

/* ---- sessions and history ---- */

static void add_bps(cJSON *o, const char *name, uint32_t v)
{
	if (v != RX_ABSENT)
		cJSON_AddNumberToObject(o, name, v);
}

static cJSON *show(const struct pcrf_session *s)
{
	cJSON *o = cJSON_CreateObject(), *list;

	cJSON_AddNumberToObject(o, "number", s->number);
	cJSON_AddStringToObject(o, "id", s->id);
	cJSON_AddStringToObject(o, "host", s->host);
	cJSON_AddStringToObject(o, "address", s->address);
	cJSON_AddStringToObject(o, "subscription", s->subscription);
	cJSON_AddStringToObject(o, "icid", s->icid);
	cJSON_AddStringToObject(o, "application", s->application);
	if (s->service_urn[0])
		cJSON_AddStringToObject(o, "serviceUrn", s->service_urn);
	cJSON_AddNumberToObject(o, "aars", s->aars);
	list = cJSON_AddArrayToObject(o, "media");
	for (unsigned i = 0; i < s->n_media; i++) {
		const struct pcrf_media *m = &s->media[i];
		cJSON *c = cJSON_CreateObject(), *flows;

		cJSON_AddNumberToObject(c, "number", m->number);
		cJSON_AddNumberToObject(c, "type", m->type);
		cJSON_AddNumberToObject(c, "status", m->status);
		add_bps(c, "uplinkBps", m->ul_bps);
		add_bps(c, "downlinkBps", m->dl_bps);
		flows = cJSON_AddArrayToObject(c, "flows");
		for (unsigned f = 0; f < m->n_flows; f++)
			cJSON_AddItemToArray(flows, cJSON_CreateString(m->flow[f]));
		cJSON_AddItemToArray(list, c);
	}
	return o;
}

static void get_state(void *u, struct http_req *r)
{
	struct pcrf *p = u;
	cJSON *doc = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(doc, "sessions");
	struct list *i;

	cJSON_AddBoolToObject(doc, "connected", dia_any_open());
	list_for_each(i, &p->sessions)
		cJSON_AddItemToArray(list, show(list_entry(i, struct pcrf_session, link)));
	history_show(&p->history, doc);
	cJSON_AddNumberToObject(doc, "begun", p->last_number);
	cJSON_AddNumberToObject(doc, "ended", p->ended);
	http_reply_json(r, 200, doc);
}

static void delete_events(void *u, struct http_req *r)
{
	((struct pcrf *)u)->history.n = 0;
	http_reply(r, 204, NULL, STR_NONE);
}

/* ---- misbehaviour ---- */

static bool read_rule(const cJSON *o, struct pcrf_rule *ret)
{
	const cJSON *cmd = cJSON_GetObjectItemCaseSensitive(o, "command"), *v;

	*ret = (struct pcrf_rule){ .count = UINT32_MAX };
	if (!cJSON_IsString(cmd) || (strcmp(cmd->valuestring, "AAR") != 0 && strcmp(cmd->valuestring, "STR") != 0))
		return false;
	ret->command = cmd->valuestring[0] == 'A' ? PCRF_AAR : PCRF_STR;
	ret->silent = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "silent"));
	ret->slow = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "slow"));
	if (cJSON_IsNumber(v = cJSON_GetObjectItemCaseSensitive(o, "delayMs")))
		ret->delay_ms = (uint32_t)v->valuedouble;
	if (cJSON_IsNumber(v = cJSON_GetObjectItemCaseSensitive(o, "count")))
		ret->count = (uint32_t)v->valuedouble;
	if (cJSON_IsNumber(v = cJSON_GetObjectItemCaseSensitive(o, "resultCode")))
		ret->result.code = (uint32_t)v->valuedouble;
	if (cJSON_IsNumber(v = cJSON_GetObjectItemCaseSensitive(o, "experimentalCode")))
		ret->result = (struct dia_result){ 0, (uint32_t)v->valuedouble, true };
	if (cJSON_IsString(v = cJSON_GetObjectItemCaseSensitive(o, "userLocation")))
		snprintf(ret->user_location, sizeof(ret->user_location), "%s", v->valuestring);
	return true;
}

static void put_behaviour(void *u, struct http_req *r)
{
	struct pcrf_rule rule[PCRF_MAX_RULES];
	const cJSON *body = http_json(r);
	struct pcrf *p = u;
	unsigned n = 0;

	if (!body)
		return;
	for (const cJSON *o = cJSON_IsArray(body) ? body->child : NULL; o; o = o->next) {
		if (n == PCRF_MAX_RULES || !read_rule(o, &rule[n])) {
			http_problem(r, 400, "INVALID_BODY", "a list of {command: AAR or STR, silent, slow, delayMs, count, resultCode, experimentalCode, userLocation}");
			return;
		}
		n++;
	}
	memcpy(p->rule, rule, n * sizeof(rule[0]));
	p->n_rules = n;
	http_reply(r, 204, NULL, STR_NONE);
}

/* ---- ASR, RAR ---- */

struct pushed {
	struct pcrf *p;
	struct http_req *req;
	unsigned session;
	const char *name;
};

static void on_result(struct pushed *w, const struct dia_result *res)
{
	cJSON *doc = cJSON_CreateObject();

	history_note(&w->p->history, w->session, false, "%s %s", w->name, res->err ? "none" : rx_result_name(res->code, res->experimental));
	cJSON_AddNumberToObject(doc, "resultCode", res->err ? 0 : res->code);
	http_reply_json(w->req, res->err ? 504 : 200, doc);
	free(w);
}

static void on_asa(void *arg, const struct rx_asa *a)
{
	on_result(arg, &a->result);
}

static void on_raa(void *arg, const struct rx_raa *a)
{
	on_result(arg, &a->result);
}

static struct pcrf_session *named(struct pcrf *p, struct http_req *r)
{
	struct pcrf_session *s;
	uint32_t n;

	s = str_to_u32(http_param(r, "number"), &n) == 0 ? session_by_number(p, n) : NULL;
	if (!s)
		http_problem(r, 404, "SESSION_NOT_FOUND", "no such session");
	return s;
}

static struct pushed *push_new(struct pcrf *p, struct http_req *r, const struct pcrf_session *s, const char *name)
{
	struct pushed *w = malloc(sizeof(*w));

	if (!w) {
		http_problem(r, 500, "OUT_OF_MEMORY", "out of memory");
		return NULL;
	}
	*w = (struct pushed){ p, r, s->number, name };
	return w;
}

static void sent(struct pushed *w, uint64_t id)
{
	if (id) {
		http_suspend(w->req);
		return;
	}
	http_problem(w->req, 500, "OUT_OF_MEMORY", "out of memory");
	free(w);
}

static uint32_t number_of(const cJSON *o, const char *name, uint32_t otherwise)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(v) ? (uint32_t)v->valuedouble : otherwise;
}

static void post_abort(void *u, struct http_req *r)
{
	struct pcrf *p = u;
	const struct pcrf_session *s = named(p, r);
	const cJSON *body = s && http_body(r).l ? http_json(r) : NULL;
	struct rx_asr asr;
	struct pushed *w;

	if (!s || (http_body(r).l && !body))
		return;
	/* Destination-Realm as some PCRFs write it: their own. */
	asr = (struct rx_asr){ .session_id = str_from_c(s->id), .dest_host = str_from_c(s->host), .cause = number_of(body, "cause", 0) };
	w = push_new(p, r, s, "ASA");
	if (!w)
		return;
	history_note(&p->history, s->number, false, "ASR");
	sent(w, rx_asr_send(p->client, &asr, on_asa, w));
}

static void post_event(void *u, struct http_req *r)
{
	struct pcrf *p = u;
	const struct pcrf_session *s = named(p, r);
	const cJSON *body = s ? http_json(r) : NULL, *list;
	struct rx_rar rar;
	struct pushed *w;
	uint8_t where[32];
	size_t n;

	if (!body)
		return;
	rar = (struct rx_rar){ .session_id = str_from_c(s->id), .dest_host = str_from_c(s->host), .dest_realm = str_from_c(s->realm),
			       .abort_cause = RX_ABSENT, .access = { .ip_can = number_of(body, "ipCanType", RX_ABSENT),
								      .rat = number_of(body, "ratType", RX_ABSENT) } };
	list = cJSON_GetObjectItemCaseSensitive(body, "actions");
	for (const cJSON *v = list ? list->child : NULL; v && rar.actions.n < CX_MAX_LIST; v = v->next)
		rar.actions.v[rar.actions.n++] = (uint32_t)v->valuedouble;
	list = cJSON_GetObjectItemCaseSensitive(body, "media");
	for (const cJSON *v = list ? list->child : NULL; v && rar.n_flows < RX_MAX_REPORTS; v = v->next)
		rar.flow[rar.n_flows++].media = (uint32_t)v->valuedouble;
	list = cJSON_GetObjectItemCaseSensitive(body, "userLocation");
	if (cJSON_IsString(list) && hex_decode(str_from_c(list->valuestring), where, sizeof(where), &n) == 0)
		rar.access.user_location = str_make((char *)where, n);
	w = push_new(p, r, s, "RAA");
	if (!w)
		return;
	history_note(&p->history, s->number, false, "RAR");
	sent(w, rx_rar_send(p->client, &rar, on_raa, w));
}

const struct http_route pcrf_routes[] = {
	{ "GET", "/healthz", HTTP_OPEN, daemon_rest_healthz, "Is the process alive?" },
	{ "GET", "/readyz", HTTP_OPEN, get_readyz, "Can it serve?" },
	{ "GET", "/metrics", HTTP_OPEN, daemon_rest_metrics, "Prometheus text." },
	{ "GET", "/api/v1/state", HTTP_VIEW, get_state, "Sessions, history, what peers did wrong." },
	{ "DELETE", "/api/v1/events", HTTP_OPERATE, delete_events, "Forgets the history." },
	{ "PUT", "/api/v1/behaviour", HTTP_OPERATE, put_behaviour, "Replaces the misbehaviour; [] is good behaviour." },
	{ "POST", "/api/v1/sessions/{number}/abort", HTTP_OPERATE, post_abort, "Sends ASR; the answer is the ASA." },
	{ "POST", "/api/v1/sessions/{number}/event", HTTP_OPERATE, post_event, "Sends RAR; the answer is the RAA." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
