/* common/daemon/status.c - GET /api/v1/status: a screenful of counts and states, from what the workers show once a second. */
#include <stdio.h>
#include "common/daemon/private.h"
#include "common/util/clock.h"

static void add_ready(struct stack *s, cJSON *o)
{
	struct buf why;
	bool ok;

	buf_init(&why, 4096);
	ok = stack_ready(s, &why);
	buf_putc(&why, '\0');
	cJSON_AddBoolToObject(o, "ready", ok);
	if (!ok)
		cJSON_AddStringToObject(o, "reason", why.failed ? "" : why.p);
	buf_fini(&why);
}

static void add_peers(cJSON *o)
{
	cJSON *all = rest_peers(), *one;
	unsigned open = 0;

	cJSON_ArrayForEach(one, all)
		open += cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "open"));
	cJSON_AddNumberToObject(o, "diameterPeers", cJSON_GetArraySize(all));
	cJSON_AddNumberToObject(o, "diameterPeersOpen", open);
	cJSON_Delete(all);
}

cJSON *rest_status(struct stack *s)
{
	static const struct { const char *member, *family; } rows[] = {
		{ "dialogs", "cscf_dialogs" }, { "transactions", "cscf_sip_transactions" }, { "connections", "cscf_sip_connections" } };
	cJSON *o = cJSON_CreateObject(), *alarms = rest_alarms(s);
	unsigned admitted = stack_admitted_percent(s);

	cJSON_AddStringToObject(o, "nf", s->daemon->name);
	cJSON_AddNumberToObject(o, "uptimeS", (double)((clock_wall_us() - daemon_start_wall_us()) / 1000000));
	add_ready(s, o);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cJSON_AddNumberToObject(o, rows[i].member, (double)metrics_sum(rows[i].family));
	if (s->ops->registrations)
		cJSON_AddNumberToObject(o, "registrations", (double)metrics_sum(s->ops->registrations));
	add_peers(o);
	cJSON_AddNumberToObject(o, "alarmsRaised", cJSON_GetArraySize(alarms));
	cJSON_Delete(alarms);
	cJSON_AddStringToObject(o, "overloadLevel",
				atomic_load(&s->draining) ? "draining" : admitted == 0 ? "refusing" : admitted < 100 ? "shedding" : "none");
	cJSON_AddNumberToObject(o, "admittedPercent", admitted);
	return o;
}

static void get_status(void *u, struct http_req *r)
{
	http_reply_json(r, 200, rest_status(u));
}

const struct http_route status_routes[] = {
	{ "GET", "/api/v1/status", HTTP_VIEW, get_status, "Counts and states on one screen; cheap enough to ask every second." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
