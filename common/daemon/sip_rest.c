/* common/daemon/sip_rest.c - GET /api/v1/sip/listeners and /api/v1/sip/resolve: where SIP comes in, and where a URI leads (RFC 3263).  Row O1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"

static void get_listeners(void *u, struct http_req *r)
{
	struct stack *s = u;
	cJSON *items = cJSON_CreateArray();
	char text[ADDR_STRLEN];

	for (unsigned i = 0; i < s->n_listeners; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "transport", sip_proto_param(s->listener[i].proto));
		cJSON_AddStringToObject(o, "address", addr_fmt(&s->listener[i].a, text));
		cJSON_AddItemToArray(items, o);
	}
	http_reply_page(r, items, NULL);
}

/* ---- where does a URI lead? ---- */

static const char *cause_of(int err)
{
	return err == -ENOENT ? "NO_SUCH_NAME" : err == -ETIMEDOUT ? "DNS_SILENT" : err == -EINVAL ? "INVALID_URI" : "DNS_FAILED";
}

static void on_resolved(void *arg, const struct resolver_result *res)
{
	struct ask *a = arg;
	char text[SIP_FLOW_STRLEN];
	cJSON *list;

	if (res->err || res->n == 0) {
		a->status = res->err == -ETIMEDOUT ? 504 : 502;
		snprintf(a->cause, sizeof(a->cause), "%s", cause_of(res->err));
		snprintf(a->detail, sizeof(a->detail), "%s", res->why ? res->why : "no address");
		ask_done(a);
		return;
	}
	a->status = 200;
	a->json = cJSON_CreateObject();
	cJSON_AddStringToObject(a->json, "uri", a->key);
	cJSON_AddBoolToObject(a->json, "transportFixed", res->explicit_proto);
	list = cJSON_AddArrayToObject(a->json, "targets");
	for (unsigned i = 0; i < res->n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(sip_flow_fmt(&res->target[i], text)));
	ask_done(a);
}

/* The answer may come before resolver_lookup() returns: `later` first. */
static void resolve_here(struct worker *w, struct ask *a)
{
	struct sip_uri uri;

	if (sip_uri_parse(str_from_c(a->key), &uri, NULL) < 0) {
		a->status = 400;
		snprintf(a->cause, sizeof(a->cause), "INVALID_URI");
		snprintf(a->detail, sizeof(a->detail), "uri= is no SIP URI");
		return;
	}
	a->later = true;
	resolver_lookup(w->resolver, &uri, on_resolved, a);
}

static void get_resolve(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct str uri = http_query(r, "uri");

	if (uri.l)
		stack_ask(s, r, &s->workers[0].w, uri, resolve_here);
	else
		http_problem(r, 400, "INVALID_QUERY_PARAM", "uri= must name a SIP URI");
}

const struct http_route sip_rest_routes[] = {
	{ "GET", "/api/v1/sip/listeners", HTTP_VIEW, get_listeners, "Where this node takes SIP." },
	{ "GET", "/api/v1/sip/resolve", HTTP_VIEW, get_resolve, "Where uri= leads from here by RFC 3263 or next hops, in the order to be tried." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
