/* common/daemon/sip_rest.c - /api/v1/sip/listeners and /api/v1/sip/resolve: where SIP comes in, and where a URI leads (RFC 3263).  Row O1. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/daemon/steps.h"

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

struct lookup {
	struct ask *a;
	struct steps steps;
	cJSON *question;
};

static void lookup_free(struct lookup *l)
{
	steps_fini(&l->steps);
	cJSON_Delete(l->question);
	free(l);
}

/* The answer may come before resolver_lookup() returns. */
static void on_resolved(void *arg, const struct resolver_result *res)
{
	struct lookup *l = arg;
	struct ask *a = l->a;

	a->status = 200;
	a->json = cJSON_CreateObject();
	cJSON_AddStringToObject(a->json, "uri", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(l->question, "uri")));
	steps_result(a->json, res);
	steps_take(&l->steps, a->json);
	lookup_free(l);
	ask_done(a);
}

static void resolve_here(struct worker *w, struct ask *a)
{
	struct lookup *l = calloc(1, sizeof(*l));
	struct sip_uri uri;

	if (!l || !(l->question = cJSON_Parse(a->key))) {
		free(l);
		a->status = 503;
		snprintf(a->cause, sizeof(a->cause), "BUSY");
		snprintf(a->detail, sizeof(a->detail), "out of memory");
		return;
	}
	l->a = a;
	steps_init(&l->steps, cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(l->question, "bypassCache")));
	a->later = true;
	sip_uri_parse(str_from_c(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(l->question, "uri"))), &uri, NULL);
	resolver_lookup_watched(w->resolver, &uri, &l->steps.watch, on_resolved, l);
}

static void post_resolve(void *u, struct http_req *r)
{
	struct stack *s = u;
	const cJSON *doc = http_json(r);
	struct str text = str_from_c(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(doc, "uri")));
	struct sip_uri uri;

	if (!doc)
		return;
	if (text.l == 0 || sip_uri_parse(text, &uri, NULL) < 0 || !uri.host.l) {
		http_problem(r, 422, "INVALID_URI", "uri must be a SIP URI");
		return;
	}
	stack_ask_json(s, r, &s->workers[0].w, doc, resolve_here);
}

/* ---- whom we trust ---- */

static void get_trusted(void *u, struct http_req *r)
{
	struct stack *s = u;
	const struct cfg_node *root = cfg_root(s->config);
	const char *key = s->ops->trust_key;
	cJSON *items = cJSON_CreateArray();
	size_t n = key ? cfg_list_len(root, key) : 0;

	for (size_t i = 0; i < n; i++) {
		struct str one = cfg_strs_at(root, key, i);
		cJSON *o = cJSON_CreateObject();
		char text[256];
		struct addr a;
		unsigned bits;

		str_copy(one, text, sizeof(text));
		cJSON_AddStringToObject(o, addr_prefix_parse(one, &a, &bits) == 0 ? "network" : "domain", text);
		cJSON_AddStringToObject(o, "key", key);
		cJSON_AddItemToArray(items, o);
	}
	http_reply_page(r, items, NULL);
}

const struct http_route sip_rest_routes[] = {
	{ "GET", "/api/v1/sip/listeners", HTTP_VIEW, get_listeners, "Where this node takes SIP." },
	{ "POST", "/api/v1/sip/resolve", HTTP_OPERATE, post_resolve,
	  "Where a uri leads from here: next hops of the configuration or RFC 3263, each step with what DNS said and how old that is, and the targets "
	  "in the order to be tried; with bypassCache true DNS is asked anew.  Nothing is sent there." },
	{ "GET", "/api/v1/trusted-domains", HTTP_VIEW, get_trusted,
	  "Networks or domains inside the trust domain (TS 24.229 §4.4), as this node runs; key is where the configuration has them." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
