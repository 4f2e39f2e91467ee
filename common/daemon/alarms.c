/* common/daemon/alarms.c - what is wrong now, since when, and what to do: GET /api/v1/alarms.  Looked at once a second; an alarm is
 * there as long as its condition holds, and keeps who has acknowledged it for so long.  Members are named as in TS 28.532. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"

#define LOOK_EVERY_MS 1000u
#define MAX_ALARMS 32u
#define MAX_PEERS 16u

struct alarm {
	char id[300], problem[512];
	const char *severity, *cause, *remedy;
	uint64_t since_us;
	bool seen;			/* in this look */
	char acked_by[64];		/* "": nobody has */
	uint64_t acked_us;
};

struct alarms {
	struct stack *s;
	struct timer look;
	struct alarm *v;		/* MAX_ALARMS */
	unsigned n;
	bool open[MAX_PEERS];		/* peers at the last look */
	uint64_t since_ms[MAX_PEERS];
	size_t n_peers;
};

/* ---- one alarm ---- */

static cJSON *alarm_json(const struct stack *s, const struct alarm *a)
{
	cJSON *o = cJSON_CreateObject();
	char when[40];

	cJSON_AddStringToObject(o, "alarmId", a->id);
	cJSON_AddStringToObject(o, "objectInstance", s->daemon->name);
	cJSON_AddStringToObject(o, "perceivedSeverity", a->severity);
	cJSON_AddStringToObject(o, "probableCause", a->cause);
	cJSON_AddStringToObject(o, "specificProblem", a->problem);
	cJSON_AddStringToObject(o, "proposedRepairActions", a->remedy);
	clock_rfc3339(a->since_us, when);
	cJSON_AddStringToObject(o, "alarmRaisedTime", when);
	cJSON_AddStringToObject(o, "ackState", a->acked_by[0] ? "acknowledged" : "unacknowledged");
	if (a->acked_by[0]) {
		cJSON_AddStringToObject(o, "ackUserId", a->acked_by);
		clock_rfc3339(a->acked_us, when);
		cJSON_AddStringToObject(o, "ackTime", when);
	}
	return o;
}

static struct alarm *alarm_find(struct alarms *as, const char *id)
{
	for (unsigned i = 0; i < as->n; i++)
		if (strcmp(as->v[i].id, id) == 0)
			return &as->v[i];
	return NULL;
}

struct condition {
	const char *id, *severity, *cause, *problem, *remedy;
	uint64_t since_us;		/* 0: now */
};

/* It holds: new, or still. */
static void holds(struct alarms *as, const struct condition *c)
{
	struct alarm *a = alarm_find(as, c->id);
	bool raised = !a;

	if (!a) {
		if (as->n == MAX_ALARMS)
			return;
		a = &as->v[as->n++];
		*a = (struct alarm){ .since_us = c->since_us ? c->since_us : clock_wall_us() };
		snprintf(a->id, sizeof(a->id), "%s", c->id);
	}
	a->severity = c->severity;
	a->cause = c->cause;
	a->remedy = c->remedy;
	snprintf(a->problem, sizeof(a->problem), "%s", c->problem);
	a->seen = true;
	if (!raised)
		return;
	log_warn(LOG_CORE, "alarm raised", LOG_C("alarm", a->id), LOG_C("severity", a->severity), LOG_C("problem", a->problem));
	stack_event(as->s, "alarm.raised", alarm_json(as->s, a));
}

/* ---- the conditions ---- */

static void tell_peer(const struct alarms *as, const struct dia_peer_view *v)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "identity", v->identity);
	cJSON_AddStringToObject(o, "state", v->state);
	if (v->reason[0])
		cJSON_AddStringToObject(o, "reason", v->reason);
	stack_event(as->s, v->open ? "peer.up" : "peer.down", o);
}

static void look_at_peers(struct alarms *as)
{
	struct stack *s = as->s;
	struct dia_peer_view v[MAX_PEERS];
	size_t n = s->diameter ? dia_peers(v, MAX_PEERS) : 0;
	bool any = s->diameter && dia_any_open();
	char id[300], problem[512];

	for (size_t i = 0; i < n; i++) {
		if (i >= as->n_peers || as->open[i] != v[i].open || (v[i].open && as->since_ms[i] != v[i].since_ms))
			tell_peer(as, &v[i]);
		as->open[i] = v[i].open;
		as->since_ms[i] = v[i].since_ms;
		if (v[i].open)
			continue;
		snprintf(id, sizeof(id), "diameter-peer:%s", v[i].identity);
		snprintf(problem, sizeof(problem), "%s is %s%s%s", v[i].identity, v[i].state, v[i].reason[0] ? ": " : "", v[i].reason);
		holds(as, &(struct condition){ id, any ? "minor" : "critical", "CONNECTION_ESTABLISHMENT_ERROR", problem,
					       "Is the peer running at diameter.peers[].address and port, and does it take our identity, realm and application?",
					       v[i].since_ms ? clock_wall_us_of(v[i].since_ms) : 0 });
	}
	as->n_peers = n;
}

static void look_at_overload(struct alarms *as)
{
	unsigned admitted = stack_admitted_percent(as->s);
	char problem[96];

	if (admitted == 100)
		return;
	snprintf(problem, sizeof(problem), "only %u %% of new requests are let in", admitted);
	holds(as, &(struct condition){ "overload", admitted < 50 ? "major" : "minor", "CONGESTION", problem,
				       "More workers or a larger machine; cscfctl metrics overload says how much is refused.", 0 });
}

static void look_at_store(struct alarms *as)
{
	struct buf why;

	buf_init(&why, 1024);
	if (store_trouble(as->s->store, &why)) {
		buf_putc(&why, '\0');
		holds(as, &(struct condition){ "state", "major", "STORAGE_CAPACITY_PROBLEM", why.p ? why.p : "",
					       "Is there room in state.dir, and does the server of state.redis answer?  Nothing is lost while this process runs.", 0 });
	}
	buf_fini(&why);
}

static void look_at_role(struct alarms *as)
{
	struct stack *s = as->s;
	struct buf why;

	buf_init(&why, 1024);
	if (s->ops->ready && !s->ops->ready(s->u, &why)) {
		buf_putc(&why, '\0');
		holds(as, &(struct condition){ "not-ready", "critical", "SOFTWARE_ERROR", why.p ? why.p : "", "See /readyz and the log.", 0 });
	}
	buf_fini(&why);
}

/* What was not seen is over. */
static void clear_unseen(struct alarms *as)
{
	for (unsigned i = 0; i < as->n; ) {
		struct alarm *a = &as->v[i];

		if (a->seen) {
			i++;
			continue;
		}
		log_info(LOG_CORE, "alarm cleared", LOG_C("alarm", a->id));
		stack_event(as->s, "alarm.cleared", alarm_json(as->s, a));
		*a = as->v[--as->n];
	}
}

static void look(struct alarms *as)
{
	struct stack *s = as->s;

	for (unsigned i = 0; i < as->n; i++)
		as->v[i].seen = false;
	look_at_peers(as);
	look_at_overload(as);
	look_at_store(as);
	if (atomic_load(&s->draining))
		holds(as, &(struct condition){ "draining", "warning", "OUT_OF_SERVICE", "new work is refused: the daemon is being drained", "cscfctl drain stop, unless it is about to stop.", 0 });
	if (s->open_to_all)
		holds(as, &(struct condition){ "token-file", "warning", "UNAUTHORIZED_ACCESS", "everybody on this machine can read rest.token_file",
					       "chmod o-r", 0 });
	look_at_role(as);
	clear_unseen(as);
}

static void on_look(struct timer *t)
{
	struct alarms *as = container_of(t, struct alarms, look);

	look(as);
	timer_start(loop_wheel(as->s->main_loop), t, LOOK_EVERY_MS);
}

/* ---- routes ---- */

cJSON *rest_alarms(struct stack *s)
{
	cJSON *items = cJSON_CreateArray();

	look(s->alarms);
	for (unsigned i = 0; i < s->alarms->n; i++)
		cJSON_AddItemToArray(items, alarm_json(s, &s->alarms->v[i]));
	return items;
}

static void get_alarms(void *u, struct http_req *r)
{
	http_reply_page(r, rest_alarms(u), NULL);
}

static struct alarm *alarm_of(struct stack *s, struct http_req *r)
{
	char id[300];
	struct alarm *a;

	look(s->alarms);
	a = str_copy(http_param(r, "alarmId"), id, sizeof(id)) ? alarm_find(s->alarms, id) : NULL;
	if (!a)
		http_problem(r, 404, "RESOURCE_NOT_FOUND", "there is no such alarm now");
	return a;
}

static void get_alarm(void *u, struct http_req *r)
{
	struct alarm *a = alarm_of(u, r);

	if (a)
		http_reply_json(r, 200, alarm_json(u, a));
}

/* {"ackState": "acknowledged"} */
static void patch_alarm(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct alarm *a = alarm_of(s, r);
	const cJSON *doc = a ? http_json(r) : NULL;
	const char *state = doc ? cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc, "ackState")) : NULL;

	if (!doc)
		return;
	if (!state || (strcmp(state, "acknowledged") != 0 && strcmp(state, "unacknowledged") != 0)) {
		http_problem(r, 422, "INVALID_ACK_STATE", "ackState is acknowledged or unacknowledged");
		return;
	}
	snprintf(a->acked_by, sizeof(a->acked_by), "%s", state[0] == 'a' ? http_who(r) : "");
	a->acked_us = clock_wall_us();
	stack_event(s, "alarm.changed", alarm_json(s, a));
	http_reply_json(r, 200, alarm_json(s, a));
}

int alarms_init(struct stack *s)
{
	struct alarms *as = calloc(1, sizeof(*as));

	if (as)
		as->v = calloc(MAX_ALARMS, sizeof(*as->v));
	if (!as || !as->v) {
		free(as);
		return -ENOMEM;
	}
	as->s = s;
	s->alarms = as;
	timer_init(&as->look, on_look);
	timer_start(loop_wheel(s->main_loop), &as->look, LOOK_EVERY_MS);
	return 0;
}

void alarms_fini(struct stack *s)
{
	if (!s->alarms)
		return;
	timer_stop(&s->alarms->look);
	free(s->alarms->v);
	free(s->alarms);
	s->alarms = NULL;
}

const struct http_route alarms_routes[] = {
	{ "GET", "/api/v1/alarms", HTTP_VIEW, get_alarms, "What is wrong now, since when, and what to do." },
	{ "GET", "/api/v1/alarms/{alarmId}", HTTP_VIEW, get_alarm, "One of them." },
	{ "PATCH", "/api/v1/alarms/{alarmId}", HTTP_OPERATE, patch_alarm, "Acknowledges it, for as long as it is there; or takes that back." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
