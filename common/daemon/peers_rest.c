/* common/daemon/peers_rest.c - /api/v1/diameter: peers with their figures, set aside and taken again; requests that wait for an answer.
 *
 * Peers come and go by the configuration: the library gives no way to close one, or to take one out, while it runs. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"

#define MAX_PEERS 64u			/* that are shown: a lab HSS has many */

static cJSON *peer_json(const struct dia_peer_view *v)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "identity", v->identity);
	cJSON_AddStringToObject(o, "realm", v->realm);
	cJSON_AddStringToObject(o, "state", v->state);
	cJSON_AddBoolToObject(o, "open", v->open);
	cJSON_AddStringToObject(o, "adminState", v->aside ? "draining" : "enabled");
	cJSON_AddNumberToObject(o, "inStateMs", (double)(clock_mono_ms() - v->since_ms));
	if (v->reason[0])
		cJSON_AddStringToObject(o, "reason", v->reason);
	cJSON_AddNumberToObject(o, "answers", (double)v->answers);
	cJSON_AddNumberToObject(o, "errors", (double)v->errors);
	cJSON_AddNumberToObject(o, "timeouts", (double)v->timeouts);
	cJSON_AddNumberToObject(o, "meanMs", v->mean_us / 1000.0);
	cJSON_AddNumberToObject(o, "longestMs", v->longest_us / 1000.0);
	return o;
}

cJSON *rest_peers(void)
{
	struct dia_peer_view v[MAX_PEERS];
	size_t n = dia_peers(v, MAX_PEERS);
	cJSON *items = cJSON_CreateArray();

	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(items, peer_json(&v[i]));
	return items;
}

void daemon_rest_peers(void *u, struct http_req *r)
{
	(void)u;
	http_reply_page(r, rest_peers(), NULL);
}

static bool find(struct http_req *r, struct dia_peer_view *ret)
{
	struct dia_peer_view v[MAX_PEERS];
	size_t n = dia_peers(v, MAX_PEERS);

	for (size_t i = 0; i < n; i++) {
		if (!str_ieq_c(http_param(r, "identity"), v[i].identity))
			continue;
		*ret = v[i];
		return true;
	}
	http_problem(r, 404, "RESOURCE_NOT_FOUND", "there is no such peer");
	return false;
}

static void get_peer(void *u, struct http_req *r)
{
	struct dia_peer_view v;

	(void)u;
	if (find(r, &v))
		http_reply_json(r, 200, peer_json(&v));
}

static void patch_peer(void *u, struct http_req *r)
{
	const cJSON *doc = http_json(r), *state = doc ? cJSON_GetObjectItemCaseSensitive(doc, "adminState") : NULL;
	bool aside = state && cJSON_IsString(state) && strcmp(state->valuestring, "draining") == 0;
	struct dia_peer_view v;

	(void)u;
	if (!doc || !find(r, &v))
		return;
	if (!aside && !(state && cJSON_IsString(state) && strcmp(state->valuestring, "enabled") == 0)) {
		http_problem(r, 422, "INVALID_PEER", "only adminState, enabled or draining, can be changed here; peers are configuration");
		return;
	}
	dia_peer_set_aside(str_from_c(v.identity), aside);
	log_info(LOG_DIA, aside ? "peer is set aside" : "peer is used again", LOG_C("peer", v.identity), LOG_C("by", http_who(r)));
	if (find(r, &v))
		http_reply_json(r, 200, peer_json(&v));
}

/* ---- requests without an answer ---- */

static void add_request(void *arg, const struct dia_request_view *v)
{
	struct gather *g = arg;
	cJSON *o;
	char *text;

	if (v->id <= g->after)
		return;
	if (g->limit == 0) {
		g->more = true;
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "command", v->command);
	cJSON_AddStringToObject(o, "state", v->waits ? "waiting" : "sent");
	cJSON_AddNumberToObject(o, "ageMs", (double)v->age_ms);
	text = str_dup(v->correlation);
	cJSON_AddStringToObject(o, "icid", text ? text : "");
	free(text);
	cJSON_AddItemToArray(g->items, o);
	g->last = v->id;
	g->limit--;
}

static void gather_requests(struct worker *w, struct gather *g)
{
	if (w->dia)
		dia_client_each(w->dia, add_request, g);
}

static void get_requests(void *u, struct http_req *r)
{
	stack_gather_page(u, r, gather_requests, STR_NONE);
}

const struct http_route peers_routes[] = {
	{ "GET", "/api/v1/diameter/peers", HTTP_VIEW, daemon_rest_peers, "Diameter peers with their states and how they answer." },
	{ "GET", "/api/v1/diameter/peers/{identity}", HTTP_VIEW, get_peer, "One of them." },
	{ "PATCH", "/api/v1/diameter/peers/{identity}", HTTP_OPERATE, patch_peer,
	  "adminState: draining has other open peers asked instead, as long as there are any; enabled takes that back." },
	{ "GET", "/api/v1/diameter/requests", HTTP_VIEW, get_requests, "Diameter requests that have no answer yet, or wait for their turn." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
