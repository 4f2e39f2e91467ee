/* common/daemon/alarms.c - GET /api/v1/alarms: what is wrong now, since when, and what to do.  Nothing is stored: an alarm is there as
 * long as its condition holds.  Members are named as in TS 28.532. */
#include <stdio.h>
#include "common/daemon/private.h"
#include "common/util/clock.h"

struct alarm {
	const char *id, *severity, *cause;
	const char *problem, *remedy;
	uint64_t since_us;		/* 0: not known */
};

static void add(cJSON *items, const struct stack *s, const struct alarm *a)
{
	cJSON *o = cJSON_CreateObject();
	char when[40];

	cJSON_AddStringToObject(o, "alarmId", a->id);
	cJSON_AddStringToObject(o, "objectInstance", s->daemon->name);
	cJSON_AddStringToObject(o, "perceivedSeverity", a->severity);
	cJSON_AddStringToObject(o, "probableCause", a->cause);
	cJSON_AddStringToObject(o, "specificProblem", a->problem);
	cJSON_AddStringToObject(o, "proposedRepairActions", a->remedy);
	clock_rfc3339(a->since_us ? a->since_us : clock_wall_us(), when);
	cJSON_AddStringToObject(o, "alarmRaisedTime", when);
	cJSON_AddItemToArray(items, o);
}

static void add_peers(cJSON *items, const struct stack *s)
{
	struct dia_peer_view v[16];
	size_t n = s->diameter ? dia_peers(v, 16) : 0;
	bool any = s->diameter && dia_any_open();
	char id[300], problem[512];

	for (size_t i = 0; i < n; i++) {
		if (v[i].open)
			continue;
		snprintf(id, sizeof(id), "diameter-peer:%s", v[i].identity);
		snprintf(problem, sizeof(problem), "%s is %s%s%s", v[i].identity, v[i].state, v[i].reason[0] ? ": " : "", v[i].reason);
		add(items, s, &(struct alarm){ id, any ? "minor" : "critical", "CONNECTION_ESTABLISHMENT_ERROR", problem,
					       "Is the peer running at diameter.peers[].address and port, and does it take our identity, realm and application?",
					       clock_wall_us() - (clock_mono_ms() - v[i].since_ms) * 1000 });
	}
}

static void add_overload(cJSON *items, struct stack *s)
{
	unsigned admitted = stack_admitted_percent(s);
	char problem[96];

	if (admitted == 100)
		return;
	snprintf(problem, sizeof(problem), "only %u %% of new requests are let in", admitted);
	add(items, s, &(struct alarm){ "overload", admitted < 50 ? "major" : "minor", "CONGESTION", problem,
				       "More workers or a larger machine; cscfctl metrics overload says how much is refused.", 0 });
}

static void get_alarms(void *u, struct http_req *r)
{
	struct stack *s = u;
	cJSON *items = cJSON_CreateArray();
	struct buf why;

	add_peers(items, s);
	add_overload(items, s);
	if (atomic_load(&s->draining))
		add(items, s, &(struct alarm){ "draining", "warning", "OUT_OF_SERVICE", "new work is refused: the daemon stops", "", 0 });
	if (s->open_to_all)
		add(items, s, &(struct alarm){ "token-file", "warning", "UNAUTHORIZED_ACCESS", "everybody on this machine can read rest.token_file",
					       "chmod o-r", 0 });
	buf_init(&why, 1024);
	if (s->ops->ready && !s->ops->ready(s->u, &why)) {
		buf_putc(&why, '\0');
		add(items, s, &(struct alarm){ "not-ready", "critical", "SOFTWARE_ERROR", why.p, "See /readyz and the log.", 0 });
	}
	buf_fini(&why);
	http_reply_page(r, items, NULL);
}

const struct http_route alarms_routes[] = {
	{ "GET", "/api/v1/alarms", HTTP_VIEW, get_alarms, "What is wrong now, since when, and what to do." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
