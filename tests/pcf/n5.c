/* tests/pcf/n5.c - create, update and delete of application sessions, the misbehaviour that was ordered, answers out. */
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "tests/pcf/pcf.h"

#define SESSIONS "/npcf-policyauthorization/v1/app-sessions"

struct job {				/* an answer that a delay keeps back */
	struct list link;		/* pcf.held */
	struct timer timer;
	struct pcf *p;
	struct h2_req *r;
	unsigned session, status;
	char location[256], *body;
};

static void answer(struct job *j)
{
	struct h2_header h[2];
	unsigned n = 0;

	history_note(&j->p->history, j->session, false, "answer %u", j->status);
	if (j->location[0])
		h[n++] = (struct h2_header){ STR("location"), str_from_c(j->location) };
	if (j->body)
		h[n++] = (struct h2_header){ STR("content-type"), j->status >= 300 ? STR("application/problem+json") : STR("application/json") };
	h2_reply(j->r, j->status, h, n, str_from_c(j->body));
	cJSON_free(j->body);
}

static void on_delay(struct timer *t)
{
	struct job *j = container_of(t, struct job, timer);

	answer(j);
	list_del(&j->link);
	free(j);
}

struct pcf_rule *pcf_match(struct pcf *p, enum pcf_command cmd)
{
	for (unsigned i = 0; i < p->n_rules; i++) {
		struct pcf_rule *r = &p->rule[i];

		if (r->command != cmd || r->count == 0)
			continue;
		if (r->count != UINT32_MAX)
			r->count--;
		return r;
	}
	return NULL;
}

static bool plays_dead(struct pcf *p, struct h2_req *r, const struct pcf_rule *rule, unsigned session)
{
	static const char *const names[] = { "", "silent", "reset", "refused stream", "goaway", "hung up" };

	if (!rule || rule->how == PCF_WELL)
		return false;
	history_note(&p->history, session, false, "%s", names[rule->how]);
	if (rule->how == PCF_SILENT)
		h2_req_drop(r);
	else if (rule->how == PCF_RESET)
		h2_req_reset(r, 8);
	else if (rule->how == PCF_REFUSE_STREAM)
		h2_req_reset(r, 7);
	else if (rule->how == PCF_HANG_UP) {
		h2_req_drop(r);
		timer_start(loop_wheel(p->loop), &p->hang_up, 0);
	} else
		h2_server_goaway(p->server);
	return rule->how != PCF_GOAWAY;
}

static cJSON *problem(unsigned status, const char *cause)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "status", status);
	if (*cause)
		cJSON_AddStringToObject(o, "cause", cause);
	return o;
}

void pcf_answer(struct pcf *p, struct h2_req *r, const struct pcf_rule *rule, unsigned session, unsigned status, const char *location, cJSON *json)
{
	struct job now = { .p = p, .r = r, .session = session, .status = status }, *j;

	snprintf(now.location, sizeof(now.location), "%s", location);
	now.body = json ? cJSON_PrintUnformatted(json) : NULL;
	cJSON_Delete(json);
	j = rule && rule->delay_ms ? malloc(sizeof(*j)) : NULL;
	if (!j) {
		answer(&now);
		return;
	}
	*j = now;
	list_add_tail(&p->held, &j->link);
	timer_init(&j->timer, on_delay);
	timer_start(loop_wheel(p->loop), &j->timer, rule->delay_ms);
}

/* A rule's status instead of the right one.  true: answered. */
static bool is_refused(struct pcf *p, struct h2_req *r, const struct pcf_rule *rule, unsigned session)
{
	if (!rule || !rule->status)
		return false;
	pcf_answer(p, r, rule, session, rule->status, rule->location, problem(rule->status, rule->cause));
	return true;
}

/* ---- what is wrong ---- */

struct wrong {
	struct pcf *p;
	unsigned session;
};

static void on_wrong(void *arg, const char *what)
{
	struct wrong *w = arg;

	pcf_wrong(w->p, w->session, what);
}

static void check_type(struct pcf *p, struct h2_req *r, unsigned session, const char *type)
{
	if (!str_eq_c(h2_req_header(r, "content-type"), type))
		pcf_wrong(p, session, "the content type does not fit");
}

static void note_media(struct pcf *p, unsigned session, const char *verb, const cJSON *body)
{
	const cJSON *o = cJSON_GetObjectItemCaseSensitive(body, "ascReqData"), *m;
	char text[HISTORY_TEXT];
	int l = snprintf(text, sizeof(text), "%s", verb);

	cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(o, "medComponents"))
		if ((size_t)l < sizeof(text))
			l += snprintf(text + l, sizeof(text) - (size_t)l, " %s/%s/%s", m->string, pcf_text(m, "medType"), pcf_text(m, "fStatus"));
	if (strcmp(pcf_text(o, "sipForkInd"), "SEVERAL_DIALOGUES") == 0 && (size_t)l < sizeof(text))
		snprintf(text + l, sizeof(text) - (size_t)l, " several");
	history_note(&p->history, session, false, "%s", text);
}

/* ---- the three operations ---- */

cJSON *pcf_place(void)
{
	return cJSON_Parse("{\"nrLocation\":{\"tai\":{\"plmnId\":{\"mcc\":\"001\",\"mnc\":\"01\"},\"tac\":\"00000a\"},"
			   "\"ncgi\":{\"plmnId\":{\"mcc\":\"001\",\"mnc\":\"01\"},\"nrCellId\":\"000000abc\"}}}");
}

static cJSON *created_body(const struct pcf_session *s, const struct pcf_rule *rule)
{
	cJSON *doc = cJSON_CreateObject(), *n;

	cJSON_AddItemToObject(doc, "ascReqData", cJSON_Duplicate(s->req, true));
	if (rule && rule->place) {
		n = cJSON_AddObjectToObject(doc, "evsNotif");
		cJSON_AddStringToObject(n, "evSubsUri", "http://pcf/events");
		cJSON_AddItemToObject(n, "ueLoc", pcf_place());
	}
	return doc;
}

static void create(struct pcf *p, struct h2_req *r, const cJSON *body)
{
	const struct pcf_rule *rule = pcf_match(p, PCF_CREATE);
	struct wrong w = { p, p->last_number + 1 };
	struct pcf_session *s;
	char location[256];

	note_media(p, w.session, "create", body);
	check_type(p, r, w.session, "application/json");
	pcf_check_create(body, on_wrong, &w);
	if (rule && rule->how && rule->made)	/* it did what it was asked, and nobody hears of it */
		pcf_session_new(p, body);
	if (plays_dead(p, r, rule, w.session))
		return;
	if (is_refused(p, r, rule, w.session))
		return;
	s = pcf_session_new(p, body);
	if (!s) {
		pcf_answer(p, r, rule, w.session, 400, "", problem(400, "MANDATORY_IE_MISSING"));
		return;
	}
	snprintf(location, sizeof(location), "%s" SESSIONS "/%u", p->root, s->number);
	pcf_answer(p, r, rule, s->number, 201, location, created_body(s, rule));
}

static void update(struct pcf *p, struct h2_req *r, struct pcf_session *s, const cJSON *body)
{
	const struct pcf_rule *rule = pcf_match(p, PCF_UPDATE);
	struct wrong w = { p, s->number };
	cJSON *doc;

	note_media(p, s->number, "update", body);
	check_type(p, r, s->number, "application/merge-patch+json");
	pcf_check_update(s, body, on_wrong, &w);
	if (plays_dead(p, r, rule, s->number) || is_refused(p, r, rule, s->number))
		return;
	pcf_session_take(s, body);
	doc = cJSON_CreateObject();
	cJSON_AddItemToObject(doc, "ascReqData", cJSON_Duplicate(s->req, true));
	pcf_answer(p, r, rule, s->number, 200, "", doc);
}

static void end(struct pcf *p, struct h2_req *r, struct pcf_session *s)
{
	const struct pcf_rule *rule = pcf_match(p, PCF_DELETE);
	unsigned number = s->number;

	history_note(&p->history, number, false, "delete");
	if (plays_dead(p, r, rule, number) || is_refused(p, r, rule, number))
		return;
	pcf_session_free(s);
	p->ended++;
	pcf_answer(p, r, rule, number, 204, "", NULL);
}

/* ---- which ---- */

static void on_session(struct pcf *p, struct h2_req *r, struct str rest, const cJSON *body)
{
	struct str number, verb;
	struct pcf_session *s;
	uint32_t n;

	str_cut(rest, '/', &number, &verb);
	s = str_to_u32(number, &n) == 0 ? pcf_session_by_number(p, n) : NULL;
	if (!s) {
		history_note(&p->history, 0, false, "%.*s of an unknown session", STR_ARG(verb.l ? verb : STR("update")));
		pcf_answer(p, r, NULL, 0, 404, "", problem(404, "APPLICATION_SESSION_CONTEXT_NOT_FOUND"));
	} else if (str_eq(h2_req_method(r), STR("PATCH")) && !verb.l) {
		update(p, r, s, body);
	} else if (str_eq(h2_req_method(r), STR("POST")) && str_eq(verb, STR("delete"))) {
		end(p, r, s);
	} else {
		pcf_wrong(p, s->number, "§5.3.3: there is no such operation");
		pcf_answer(p, r, NULL, s->number, 405, "", NULL);
	}
}

void pcf_request(void *u, struct h2_req *r)
{
	struct pcf *p = u;
	struct str path = h2_req_path(r), rest;
	cJSON *body;
	int err;

	if (!str_starts(h2_req_header(r, "user-agent"), STR("AF")))
		pcf_wrong(p, 0, "TS 29.500 §5.2.2.2: User-Agent does not begin with the type of the function");
	if (pcf_core_request(p, r))
		return;
	if (!str_starts(path, STR(SESSIONS))) {
		pcf_wrong(p, 0, "no such resource");
		pcf_answer(p, r, NULL, 0, 404, "", NULL);
		return;
	}
	body = http_json_parse(h2_req_body(r), &err);
	rest = str_from(path, sizeof(SESSIONS) - 1);
	if (rest.l)
		on_session(p, r, str_from(rest, 1), body);
	else if (str_eq(h2_req_method(r), STR("POST")))
		create(p, r, body);
	else
		pcf_answer(p, r, NULL, 0, 405, "", NULL);
	cJSON_Delete(body);
}

void pcf_close(struct pcf *p)
{
	timer_stop(&p->hang_up);
	while (!list_empty(&p->held)) {
		struct job *j = list_entry(p->held.next, struct job, link);

		timer_stop(&j->timer);
		list_del(&j->link);
		cJSON_free(j->body);
		free(j);
	}
	while (!list_empty(&p->sessions))
		pcf_session_free(list_entry(p->sessions.next, struct pcf_session, link));
}
