/* common/daemon/connections.c - /api/v1/sip/connections: open TCP and TLS connections of all workers, and their end. */
#include <stdio.h>
#include "common/daemon/private.h"
#include "common/log/log.h"

/* "worker-slot-generation": a connection that comes later to the same slot is another one. */
#define ID_STRLEN 40

static bool add_connection(void *arg, const struct transport_view *v)
{
	struct gather *g = arg;
	char id[ID_STRLEN], text[ADDR_STRLEN];
	cJSON *o;

	if (g->limit == 0) {
		g->more = true;
		return false;
	}
	o = cJSON_CreateObject();
	snprintf(id, sizeof(id), "%u-%u-%u", v->flow.worker, v->flow.conn, v->flow.conn_gen);
	cJSON_AddStringToObject(o, "id", id);
	cJSON_AddStringToObject(o, "transport", sip_proto_param(v->flow.proto));
	cJSON_AddStringToObject(o, "local", addr_is_set(&v->flow.local) ? addr_fmt(&v->flow.local, text) : "");
	cJSON_AddStringToObject(o, "remote", addr_fmt(&v->flow.remote, text));
	cJSON_AddBoolToObject(o, "accepted", v->accepted);
	cJSON_AddNumberToObject(o, "ageMs", (double)v->age_ms);
	cJSON_AddNumberToObject(o, "idleMs", (double)v->idle_ms);
	cJSON_AddNumberToObject(o, "queuedBytes", v->queued_bytes);
	cJSON_AddItemToArray(g->items, o);
	g->last = v->flow.conn;
	g->limit--;
	return true;
}

static void gather(struct worker *w, struct gather *g)
{
	transport_each(w->transport, (uint32_t)g->after, add_connection, g);
}

static void get_connections(void *u, struct http_req *r)
{
	stack_gather_page(u, r, gather, STR_NONE);
}

static bool id_of(struct str id, uint32_t ret[3])
{
	for (int i = 0; i < 3; i++) {
		struct str one;

		str_cut(id, '-', &one, &id);
		if (str_to_u32(one, &ret[i]) < 0)
			return false;
	}
	return id.l == 0;
}

static void close_here(struct worker *w, struct ask *a)
{
	uint32_t id[3];

	if (!id_of(str_from_c(a->key), id) || !transport_close(w->transport, id[1], id[2]))
		return;
	log_info(LOG_TP, "connection closed", LOG_C("id", a->key), LOG_C("by", "administration"));
	a->status = 204;
}

static void delete_connection(void *u, struct http_req *r)
{
	struct stack *s = u;
	uint32_t id[3];

	if (id_of(http_param(r, "connectionId"), id) && id[0] < s->n_workers)
		stack_ask(s, r, &s->workers[id[0]].w, http_param(r, "connectionId"), close_here);
	else
		http_problem(r, 404, "RESOURCE_NOT_FOUND", "there is no such connection");
}

const struct http_route connections_routes[] = {
	{ "GET", "/api/v1/sip/connections", HTTP_VIEW, get_connections, "Open TCP and TLS connections." },
	{ "DELETE", "/api/v1/sip/connections/{connectionId}", HTTP_OPERATE, delete_connection,
	  "Closes one.  A phone that was reached over it must connect again." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
