/* tests/pcf/rest.c - the control interface: sessions, history, misbehaviour; notifications to order. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/daemon.h"
#include "tests/pcf/pcf.h"

#define PUSH_MS 5000u

static void get_readyz(void *u, struct http_req *r)
{
	cJSON *doc = cJSON_CreateObject();

	(void)u;
	cJSON_AddBoolToObject(doc, "ready", true);
	http_reply_json(r, 200, doc);
}

/* ---- sessions and history ---- */

static void get_state(void *u, struct http_req *r)
{
	struct pcf *p = u;
	cJSON *doc = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(doc, "sessions");
	struct list *i;

	list_for_each(i, &p->sessions)
		cJSON_AddItemToArray(list, pcf_session_show(list_entry(i, struct pcf_session, link)));
	history_show(&p->history, doc);
	cJSON_AddNumberToObject(doc, "begun", p->last_number);
	cJSON_AddNumberToObject(doc, "ended", p->ended);
	http_reply_json(r, 200, doc);
}

static void delete_events(void *u, struct http_req *r)
{
	((struct pcf *)u)->history.n = 0;
	http_reply(r, 204, NULL, STR_NONE);
}

/* ---- misbehaviour ---- */

static int index_of(const char *text, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return -1;
}

static uint32_t number_at(const cJSON *o, const char *name, uint32_t otherwise)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(v) ? (uint32_t)v->valuedouble : otherwise;
}

static bool read_rule(const cJSON *o, struct pcf_rule *ret)
{
	static const char *const commands[] = { "create", "update", "delete", "discovery", "binding", "token" };
	static const char *const hows[] = { "", "silent", "reset", "refuse_stream", "goaway", "hang_up" };
	int cmd = index_of(pcf_text(o, "command"), commands, PCF_N_COMMANDS), how = index_of(pcf_text(o, "how"), hows, 6);

	if (cmd < 0 || how < 0)
		return false;
	*ret = (struct pcf_rule){ .command = (enum pcf_command)cmd, .delay_ms = number_at(o, "delayMs", 0), .count = number_at(o, "count", UINT32_MAX),
				  .status = number_at(o, "status", 0), .place = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "place")),
				  .made = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "made")) };
	ret->how = how;
	snprintf(ret->cause, sizeof(ret->cause), "%s", pcf_text(o, "cause"));
	snprintf(ret->location, sizeof(ret->location), "%s", pcf_text(o, "location"));
	return true;
}

static void put_behaviour(void *u, struct http_req *r)
{
	struct pcf_rule rule[PCF_MAX_RULES];
	const cJSON *body = http_json(r);
	struct pcf *p = u;
	unsigned n = 0;

	if (!body)
		return;
	for (const cJSON *o = cJSON_IsArray(body) ? body->child : NULL; o; o = o->next) {
		if (n == PCF_MAX_RULES || !read_rule(o, &rule[n])) {
			http_problem(r, 400, "INVALID_BODY", "a list of {command, how, delayMs, count, status, cause, location, place, made}");
			return;
		}
		n++;
	}
	memcpy(p->rule, rule, n * sizeof(rule[0]));
	p->n_rules = n;
	http_reply(r, 204, NULL, STR_NONE);
}

/* What the core is: {"oauth2": true, "scp": true}. */
static void put_core(void *u, struct http_req *r)
{
	const cJSON *body = http_json(r);
	struct pcf *p = u;

	if (!body)
		return;
	p->oauth2 = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "oauth2"));
	p->scp = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "scp"));
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "revokeTokens")))
		p->revoked = p->tokens;
	http_reply(r, 204, NULL, STR_NONE);
}

/* ---- notifications ---- */

struct pushed {
	struct pcf *p;
	struct http_req *req;
	unsigned session;
};

static void on_answer(void *arg, const struct h2_response *a)
{
	struct pushed *w = arg;
	cJSON *doc = cJSON_CreateObject();

	history_note(&w->p->history, w->session, false, "notified %u", a->err ? 0 : a->status);
	cJSON_AddNumberToObject(doc, "status", a->err ? 0 : a->status);
	http_reply_json(w->req, a->err ? 504 : 200, doc);
	free(w);
}

/* body is taken over. */
static void push(struct pcf *p, struct http_req *r, unsigned session, const char *uri, const char *suffix, cJSON *body)
{
	const struct h2_header h[] = { { STR("content-type"), STR("application/json") } };
	struct str rest = str_from_c(uri), authority;
	struct h2_request q = { .method = "POST", .header = h, .n_headers = 1, .deadline_ms = PUSH_MS };
	struct pushed *w = malloc(sizeof(*w));
	char *text = cJSON_PrintUnformatted(body), path[512];
	ssize_t slash;

	cJSON_Delete(body);
	q.tls = str_starts(rest, STR("https://"));
	rest = str_from(rest, q.tls ? 8 : str_starts(rest, STR("http://")) ? 7 : 0);
	slash = str_chr(rest, '/');
	authority = str_head(rest, slash < 0 ? rest.l : (size_t)slash);
	q.authority = authority;
	q.path = str_make(path, (size_t)snprintf(path, sizeof(path), "%.*s/%s", STR_ARG(str_from(rest, authority.l)), suffix));
	q.body = str_from_c(text);
	*w = (struct pushed){ p, r, session };
	history_note(&p->history, session, false, "%s", suffix);
	if (addr_parse_hostport(authority, q.tls ? 443 : 80, &q.to) == 0 && h2_send(p->client, &q, on_answer, w)) {
		http_suspend(r);
	} else {
		http_problem(r, 500, "NOT_SENT", "the notification cannot be sent");
		free(w);
	}
	cJSON_free(text);
}

static struct pcf_session *named(struct pcf *p, struct http_req *r)
{
	struct pcf_session *s;
	uint32_t n;

	s = str_to_u32(http_param(r, "number"), &n) == 0 ? pcf_session_by_number(p, n) : NULL;
	if (!s)
		http_problem(r, 404, "SESSION_NOT_FOUND", "no such session");
	return s;
}

static void add_resource(const struct pcf *p, cJSON *o, const char *name, const struct pcf_session *s, const char *suffix)
{
	char uri[256];

	snprintf(uri, sizeof(uri), "%s/npcf-policyauthorization/v1/app-sessions/%u%s", p->root, s->number, suffix);
	cJSON_AddStringToObject(o, name, uri);
}

/* TerminationInfo: §5.6.2.11. */
static void post_terminate(void *u, struct http_req *r)
{
	struct pcf *p = u;
	struct pcf_session *s = named(p, r);
	cJSON *doc;

	if (!s)
		return;
	doc = cJSON_CreateObject();
	cJSON_AddStringToObject(doc, "termCause", "PDU_SESSION_TERMINATION");
	add_resource(p, doc, "resUri", s, "");
	push(p, r, s->number, pcf_text(s->req, "notifUri"), "terminate", doc);
}

/* EventsNotification: §5.6.2.9.  {"event": "...", "media": [1], "place": true} */
static void post_event(void *u, struct http_req *r)
{
	struct pcf *p = u;
	struct pcf_session *s = named(p, r);
	const cJSON *body = s ? http_json(r) : NULL, *v;
	cJSON *doc, *event, *flows, *flow;

	if (!body)
		return;
	doc = cJSON_CreateObject();
	add_resource(p, doc, "evSubsUri", s, "/events-subscription");
	event = cJSON_CreateObject();
	cJSON_AddItemToArray(cJSON_AddArrayToObject(doc, "evNotifs"), event);
	cJSON_AddStringToObject(event, "event", pcf_text(body, "event"));
	if ((v = cJSON_GetObjectItemCaseSensitive(body, "media"))) {
		flows = cJSON_AddArrayToObject(event, "flows");
		for (v = v->child; v; v = v->next) {
			flow = cJSON_CreateObject();
			cJSON_AddNumberToObject(flow, "medCompN", v->valuedouble);
			cJSON_AddItemToArray(flows, flow);
		}
	}
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "place")))
		cJSON_AddItemToObject(doc, "ueLoc", pcf_place());
	push(p, r, s->number, pcf_text(cJSON_GetObjectItemCaseSensitive(s->req, "evSubsc"), "notifUri"), "notify", doc);
}

const struct http_route pcf_routes[] = {
	{ "GET", "/healthz", HTTP_OPEN, daemon_rest_healthz, "Is the process alive?" },
	{ "GET", "/readyz", HTTP_OPEN, get_readyz, "Can it serve?" },
	{ "GET", "/metrics", HTTP_OPEN, daemon_rest_metrics, "Prometheus text." },
	{ "GET", "/api/v1/state", HTTP_VIEW, get_state, "Sessions, history, what peers did wrong." },
	{ "DELETE", "/api/v1/events", HTTP_OPERATE, delete_events, "Forgets the history." },
	{ "PUT", "/api/v1/behaviour", HTTP_OPERATE, put_behaviour, "Replaces the misbehaviour; [] is good behaviour." },
	{ "PUT", "/api/v1/core", HTTP_OPERATE, put_core, "Says what the core is: with tokens, behind an SCP." },
	{ "POST", "/api/v1/sessions/{number}/terminate", HTTP_OPERATE, post_terminate, "Notifies the end of a session; the answer is the P-CSCF's." },
	{ "POST", "/api/v1/sessions/{number}/event", HTTP_OPERATE, post_event, "Notifies an event; the answer is the P-CSCF's." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
