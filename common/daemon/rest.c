/* common/daemon/rest.c - the resources every daemon has: probes, metrics, info, transactions, dialogs, flows. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"

bool stack_ready(struct stack *s, struct buf *why)
{
	bool ok = true;

	if (atomic_load(&s->draining)) {
		buf_puts(why, "draining");
		ok = false;
	}
	if (s->diameter && !s->ops->uses_rx && !dia_any_open()) {
		struct dia_peer_view v[16];
		size_t n = dia_peers(v, 16);

		if (why->l)
			buf_puts(why, "; ");
		buf_puts(why, "no Diameter peer is open");
		for (size_t i = 0; i < n; i++)
			buf_printf(why, "%s%s %s%s%s", i ? ", " : ": ", v[i].identity, v[i].state,
				   v[i].reason[0] ? ", " : "", v[i].reason);
		ok = false;
	}
	if (!store_shared_seen(s->store)) {
		buf_puts(why, why->l ? "; what other instances have is being read" : "what other instances have is being read");
		ok = false;
	}
	if (s->ops->ready) {
		struct buf own;

		buf_init(&own, 1024);
		if (!s->ops->ready(s->u, &own)) {
			if (why->l)
				buf_puts(why, "; ");
			buf_put(why, buf_str(&own));
			ok = false;
		}
		buf_fini(&own);
	}
	return ok;
}

void daemon_rest_healthz(void *u, struct http_req *r)
{
	(void)u;
	http_reply(r, 200, "text/plain", STR("ok\n"));
}

static void get_readyz(void *u, struct http_req *r)
{
	struct buf why;
	cJSON *doc = cJSON_CreateObject();
	bool ok;

	buf_init(&why, 4096);
	ok = stack_ready(u, &why);
	buf_putc(&why, '\0');
	cJSON_AddBoolToObject(doc, "ready", ok);
	if (!ok)
		cJSON_AddStringToObject(doc, "reason", why.p);
	buf_fini(&why);
	http_reply_json(r, ok ? 200 : 503, doc);
}

void daemon_rest_metrics(void *u, struct http_req *r)
{
	struct buf out;

	(void)u;
	buf_init(&out, 4u << 20);
	metrics_write(&out);
	if (out.failed)
		http_problem(r, 500, "OUT_OF_MEMORY", "the figures do not fit");
	else
		http_reply(r, 200, "text/plain; version=0.0.4", buf_str(&out));
	buf_fini(&out);
}

static METRIC_DEF(m_build, "cscf_build_info", METRIC_GAUGE, "1; the labels say which daemon of which version this is.", "nf", "version");
static METRIC_DEF(m_peer, "cscf_diameter_peer_up", METRIC_GAUGE, "Is the connection to this Diameter peer open?", "peer", NULL);
static METRIC_DEF(m_overload, "cscf_overload_level", METRIC_GAUGE, "Percent of new requests that are refused now, of the busiest worker.", NULL,
		  NULL);

unsigned stack_admitted_percent(struct stack *s)
{
	unsigned least = 100;

	for (unsigned i = 0; i < s->n_workers; i++) {
		unsigned now = atomic_load_explicit(&s->workers[i].shown_percent, memory_order_relaxed);

		least = now < least ? now : least;
	}
	return least;
}

/* What is known when somebody asks only. */
static void get_metrics(void *u, struct http_req *r)
{
	struct dia_peer_view v[16];
	struct stack *s = u;
	size_t n = s->diameter ? dia_peers(v, 16) : 0;

	metric_set(&m_build, s->daemon->name, daemon_version(), 1);
	for (size_t i = 0; i < n; i++)
		metric_set(&m_peer, v[i].identity, NULL, v[i].open);
	metric_set(&m_overload, NULL, NULL, 100 - (int64_t)stack_admitted_percent(s));
	daemon_rest_metrics(u, r);
}

static void get_openapi(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct buf out;

	buf_init(&out, 1u << 20);
	http_server_openapi(s->http, &out);
	http_reply(r, 200, "application/json", buf_str(&out));
	buf_fini(&out);
}

static void get_docs(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct buf out;

	buf_init(&out, 1u << 20);
	http_server_docs(s->http, &out);
	http_set_header(r, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
	http_reply(r, 200, "text/html; charset=utf-8", buf_str(&out));
	buf_fini(&out);
}

cJSON *rest_info(struct stack *s)
{
	cJSON *doc = cJSON_CreateObject(), *listen, *neighbours;
	char text[SIP_FLOW_STRLEN], when[40], url[260];
	struct str domain = stack_home_domain(s);

	cJSON_AddStringToObject(doc, "nf", s->daemon->name);
	cJSON_AddStringToObject(doc, "version", daemon_version());
	cJSON_AddNumberToObject(doc, "pid", getpid());
	clock_rfc3339(daemon_start_wall_us(), when);
	cJSON_AddStringToObject(doc, "startedAt", when);
	cJSON_AddNumberToObject(doc, "workers", s->n_workers);
	snprintf(text, sizeof(text), "%.*s", STR_ARG(domain));
	cJSON_AddStringToObject(doc, "homeDomain", text);
	cJSON_AddStringToObject(doc, "sipName", s->name);
	listen = cJSON_AddArrayToObject(doc, "sipListen");
	for (unsigned i = 0; i < s->n_listeners; i++) {
		struct sip_flow f = { .proto = s->listener[i].proto, .remote = s->listener[i].a };

		cJSON_AddItemToArray(listen, cJSON_CreateString(sip_flow_fmt(&f, text)));
	}
	neighbours = cJSON_AddArrayToObject(doc, "neighbours");
	for (size_t i = 0; i < cfg_list_len(cfg_root(s->config), "rest.neighbours"); i++) {
		str_copy(cfg_strs_at(cfg_root(s->config), "rest.neighbours", i), url, sizeof(url));
		cJSON_AddItemToArray(neighbours, cJSON_CreateString(url));
	}
	cJSON_AddStringToObject(doc, "configFile", s->daemon->config_file);
	return doc;
}

static void get_info(void *u, struct http_req *r)
{
	http_reply_json(r, 200, rest_info(u));
}

static void add_text(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

/* ---- dialogs ---- */

static void add_dialog(void *arg, const struct dialog_view *v)
{
	struct gather *g = arg;
	cJSON *o = cJSON_CreateObject();
	char when[40];

	cJSON_AddNumberToObject(o, "id", (double)v->id);
	cJSON_AddStringToObject(o, "state", v->state);
	add_text(o, "callId", v->call_id);
	add_text(o, "fromTag", v->from_tag);
	add_text(o, "toTag", v->to_tag);
	add_text(o, "from", v->from_uri);
	add_text(o, "to", v->to_uri);
	add_text(o, "icid", v->icid);
	clock_rfc3339(v->started_wall_us, when);
	cJSON_AddStringToObject(o, "startedAt", when);
	if (v->answered_wall_us) {
		clock_rfc3339(v->answered_wall_us, when);
		cJSON_AddStringToObject(o, "answeredAt", when);
	}
	if (v->session_s) {
		cJSON_AddNumberToObject(o, "sessionExpiresS", v->session_s);
		cJSON_AddNumberToObject(o, "sessionLeftS", v->session_left_s);
		cJSON_AddStringToObject(o, "refresher", v->refresher);
	}
	cJSON_AddItemToArray(g->items, o);
	g->last = v->id;
	g->limit--;
}

static void gather_dialogs(struct worker *w, struct gather *g)
{
	unsigned want = g->limit;

	dialog_table_each(w->dialogs, g->after, want, add_dialog, g);
	g->more = g->limit == 0 && want > 0;
}

static void get_dialogs(void *u, struct http_req *r)
{
	stack_gather_page(u, r, gather_dialogs, STR_NONE);
}

static void show_call(struct worker *w, struct ask *a)
{
	struct gather g = { .limit = UINT32_MAX };
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "callId", a->key);
	g.items = cJSON_AddArrayToObject(o, "dialogs");
	dialog_table_each_of(w->dialogs, str_from_c(a->key), add_dialog, &g);
	if (cJSON_GetArraySize(g.items)) {
		a->status = 200;
		a->json = o;
	} else {
		cJSON_Delete(o);
	}
}

static void get_dialogs_of(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct str call_id = http_param(r, "callId");

	stack_ask(s, r, stack_worker_of_call(s, call_id), call_id, show_call);
}

/* ---- transactions in progress ---- */

struct tx_list {
	struct gather *g;
	uint64_t n;
};

static void add_transaction(void *arg, const struct tx_view *v)
{
	struct tx_list *l = arg;
	cJSON *o;

	if (++l->n <= l->g->after)
		return;
	if (l->g->limit == 0) {
		l->g->more = true;
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "side", v->server ? "server" : "client");
	cJSON_AddStringToObject(o, "method", sip_method_name(v->method));
	cJSON_AddStringToObject(o, "state", v->state);
	add_text(o, "callId", v->call_id);
	cJSON_AddNumberToObject(o, "ageMs", (double)v->age_ms);
	cJSON_AddItemToArray(l->g->items, o);
	l->g->last = l->n;
	l->g->limit--;
}

static void gather_transactions(struct worker *w, struct gather *g)
{
	struct tx_list l = { g, 0 };

	tx_layer_each(w->tx, add_transaction, &l);
}

static void get_transactions(void *u, struct http_req *r)
{
	stack_gather_page(u, r, gather_transactions, STR_NONE);
}

/* ---- flows: a list, and the events of one Call-ID or ICID ---- */

static void gather_events(struct worker *w, struct gather *g)
{
	int before = cJSON_GetArraySize(g->items);

	g->more = trace_to_json(w->trace, g->filter, g->after, g->limit, g->items, &g->last);
	g->limit -= (unsigned)(cJSON_GetArraySize(g->items) - before);
}

static void get_flow(void *u, struct http_req *r)
{
	stack_gather_page(u, r, gather_events, http_param(r, "key"));
}

/* filter: OUTCOME LF WHO */
static void gather_flows(struct worker *w, struct gather *g)
{
	int before = cJSON_GetArraySize(g->items);
	struct str outcome, who;

	str_cut(g->filter, '\n', &outcome, &who);
	g->more = trace_flows_to_json(w->trace, who, outcome, g->after, g->limit, g->items, &g->last);
	g->limit -= (unsigned)(cJSON_GetArraySize(g->items) - before);
}

static bool outcome_known(struct str outcome)
{
	static const char *const all[] = { "running", "success", "challenge", "cancelled", "failure" };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (str_eq_c(outcome, all[i]))
			return true;
	return outcome.l == 0;
}

static void get_flows(void *u, struct http_req *r)
{
	struct str outcome = http_query(r, "outcome"), who = http_query(r, "who");
	char filter[320];

	if (!outcome_known(outcome)) {
		http_problem(r, 400, "INVALID_QUERY_PARAM", "outcome is running, success, challenge, cancelled or failure");
		return;
	}
	if (who.l > 256) {
		http_problem(r, 400, "INVALID_QUERY_PARAM", "who is too long");
		return;
	}
	snprintf(filter, sizeof(filter), "%.*s\n%.*s", STR_ARG(outcome), STR_ARG(who));
	stack_gather_page(u, r, gather_flows, str_from_c(filter));
}

const struct http_route stack_routes[] = {
	{ "GET", "/healthz", HTTP_OPEN, daemon_rest_healthz, "Is the process alive?" },
	{ "GET", "/readyz", HTTP_OPEN, get_readyz, "Can it serve?  With the reason when not." },
	{ "GET", "/metrics", HTTP_OPEN, get_metrics, "Prometheus text." },
	{ "GET", "/api/v1/openapi.json", HTTP_OPEN, get_openapi, "This document." },
	{ "GET", "/api/v1/docs", HTTP_OPEN, get_docs, "The same for people, a page without a script." },
	{ "GET", "/api/v1/info", HTTP_VIEW, get_info, "Name, version, listeners." },
	{ "GET", "/api/v1/dialogs", HTTP_VIEW, get_dialogs, "Dialogs on the route of this node." },
	{ "GET", "/api/v1/dialogs/{callId}", HTTP_VIEW, get_dialogs_of, "The dialogs of one Call-ID." },
	{ "GET", "/api/v1/transactions", HTTP_VIEW, get_transactions, "SIP transactions in progress." },
	{ "GET", "/api/v1/flows", HTTP_VIEW, get_flows,
	  "Recent flows of each worker, newest first; who= selects an identity, Call-ID or ICID, outcome= how it ended." },
	{ "GET", "/api/v1/flows/{key}", HTTP_VIEW, get_flow, "Events of one Call-ID or ICID, oldest first." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
