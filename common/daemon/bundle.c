/* common/daemon/bundle.c - POST /api/v1/diagnostic-bundles: what a report about a fault needs, in one document: info, status, configuration
 * with secrets as ***, alarms, peers, the newest log lines and flows, figures.
 *
 * It names subscribers, as log and flows do: hence not for `view`. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"

#define FLOWS_OF_WORKER 200u
#define METRICS_BYTES (4u << 20)

struct bundle {
	struct stack *s;
	struct http_req *req;
	cJSON *doc, *flows;
	unsigned worker;
	struct worker_return back;
};

static void bundle_next(void *arg);

static void gather_flows(struct worker *w, void *arg)
{
	struct bundle *b = arg;
	uint64_t last;

	trace_flows_to_json(w->trace, STR_NONE, STR_NONE, 0, FLOWS_OF_WORKER, b->flows, &last);
	worker_return_main(worker_current(), b->s, &b->back, bundle_next, b);
}

/* Main loop: the next worker, or the answer. */
static void bundle_next(void *arg)
{
	struct bundle *b = arg;

	if (b->worker < b->s->n_workers) {
		if (worker_post(&b->s->workers[b->worker++].w, gather_flows, b) == 0)
			return;
		cJSON_Delete(b->doc);
		http_problem(b->req, 503, "BUSY", "a worker takes no questions now");
	} else {
		http_reply_json(b->req, 200, b->doc);
	}
	free(b);
}

static void add_line(void *u, struct str line)
{
	char *text = str_dup(line);

	if (text)
		cJSON_AddItemToArray(u, cJSON_CreateString(text));
	free(text);
}

static void add_metrics(cJSON *o)
{
	struct buf text;

	buf_init(&text, METRICS_BYTES);
	metrics_write(&text);
	buf_putc(&text, '\0');
	cJSON_AddStringToObject(o, "metrics", text.failed ? "" : text.p);
	buf_fini(&text);
}

static void post_bundle(void *u, struct http_req *r)
{
	struct bundle *b = calloc(1, sizeof(*b));
	char when[40];

	if (!b) {
		http_problem(r, 500, "OUT_OF_MEMORY", "no memory for it");
		return;
	}
	*b = (struct bundle){ .s = u, .req = r, .doc = cJSON_CreateObject() };
	clock_rfc3339(clock_wall_us(), when);
	cJSON_AddStringToObject(b->doc, "at", when);
	cJSON_AddItemToObject(b->doc, "info", rest_info(b->s));
	cJSON_AddItemToObject(b->doc, "status", rest_status(b->s));
	cJSON_AddItemToObject(b->doc, "config", config_json(b->s));
	cJSON_AddItemToObject(b->doc, "alarms", rest_alarms(b->s));
	cJSON_AddItemToObject(b->doc, "diameterPeers", rest_peers());
	log_tail(add_line, cJSON_AddArrayToObject(b->doc, "log"));
	b->flows = cJSON_AddArrayToObject(b->doc, "flows");
	add_metrics(b->doc);
	http_suspend(r);
	bundle_next(b);
}

const struct http_route bundle_routes[] = {
	{ "POST", "/api/v1/diagnostic-bundles", HTTP_OPERATE, post_bundle,
	  "What a report about a fault needs, in one document: status, configuration without secrets, alarms, peers, newest log lines and flows, "
	  "figures.  It names subscribers." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
