/* common/daemon/drain.c - GET and PATCH /api/v1/overload: how much is let in, and drain: new work goes elsewhere while calls go on.
 * The daemon stays; SIGTERM's own drain (stack.c) is another matter. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/operations.h"
#include "common/daemon/private.h"

#define LOOK_MS 200u

struct drain {
	struct stack *s;
	struct operation *o;
	struct timer timer;
	atomic_uint asked;		/* workers that have not said yet */
	atomic_uint_least64_t calls, transactions;
	uint64_t most;			/* calls when it began */
	bool cancelled;
};

static cJSON *overload_json(struct stack *s)
{
	unsigned admitted = stack_admitted_percent(s);
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "level", atomic_load(&s->draining) ? "draining" : admitted == 0 ? "refusing" : admitted < 100 ? "shedding" : "none");
	cJSON_AddNumberToObject(o, "admittedPercent", admitted);
	cJSON_AddNumberToObject(o, "targetLatencyMs", (double)cfg_int(cfg_root(s->config), "sip.overload.target_delay_ms"));
	cJSON_AddBoolToObject(o, "draining", atomic_load(&s->draining));
	return o;
}

static void get_overload(void *u, struct http_req *r)
{
	http_reply_json(r, 200, overload_json(u));
}

/* ---- the drain ---- */

static void count_open(void *arg, const struct tx_view *v)
{
	uint64_t *n = arg;

	if (v->server && (strcmp(v->state, "trying") == 0 || strcmp(v->state, "proceeding") == 0))
		++*n;
}

static void count_calls(void *arg, const struct dialog_view *v)
{
	uint64_t *n = arg;

	if (strcmp(v->state, "terminated") != 0)
		++*n;
}

static void count(struct worker *w, void *arg)
{
	struct drain *d = arg;
	uint64_t calls = 0, open = 0;

	tx_layer_each(w->tx, count_open, &open);
	dialog_table_each(w->dialogs, 0, UINT32_MAX, count_calls, &calls);
	atomic_fetch_add(&d->calls, calls);
	atomic_fetch_add(&d->transactions, open);
	atomic_fetch_sub(&d->asked, 1);
}

static void ask_workers(struct drain *d)
{
	atomic_store(&d->calls, 0);
	atomic_store(&d->transactions, 0);
	atomic_store(&d->asked, d->s->n_workers);
	for (unsigned i = 0; i < d->s->n_workers; i++)
		if (worker_post(&d->s->workers[i].w, count, d) < 0)
			atomic_fetch_sub(&d->asked, 1), atomic_fetch_add(&d->transactions, 1);
}

static void drain_over(struct drain *d, const char *why)
{
	cJSON *result = cJSON_CreateObject();

	cJSON_AddNumberToObject(result, "callsLeft", (double)atomic_load(&d->calls));
	operation_end(d->o, result, why);
	timer_stop(&d->timer);
	d->s->drain = NULL;
	free(d);
}

static void on_look(struct timer *t)
{
	struct drain *d = container_of(t, struct drain, timer);
	uint64_t calls = atomic_load(&d->calls);

	timer_start(loop_wheel(d->s->main_loop), t, LOOK_MS);
	if (atomic_load(&d->asked))
		return;
	d->most = calls > d->most ? calls : d->most;
	if (d->cancelled || (calls == 0 && atomic_load(&d->transactions) == 0)) {
		drain_over(d, NULL);
		return;
	}
	operation_progress(d->o, d->most - calls, d->most + 1);
	ask_workers(d);
}

/* A worker may still hold it: it ends at the next look. */
static void cancel(void *u)
{
	struct drain *d = u;

	d->cancelled = true;
	if (!d->s->drain_done)		/* SIGTERM's goes on */
		atomic_store(&d->s->draining, false);
}

static void drain_begin(struct stack *s, struct http_req *r)
{
	struct drain *d = calloc(1, sizeof(*d));

	if (!d) {
		http_problem(r, 500, "OUT_OF_MEMORY", "the drain cannot be begun");
		return;
	}
	d->s = s;
	d->o = operation_begin(s, r, "drain", cancel, d);
	if (!d->o) {
		free(d);
		return;
	}
	s->drain = d;
	atomic_store(&s->draining, true);
	timer_init(&d->timer, on_look);
	ask_workers(d);
	timer_start(loop_wheel(s->main_loop), &d->timer, LOOK_MS);
}

void drain_fini(struct stack *s)
{
	if (!s->drain)
		return;
	timer_stop(&s->drain->timer);
	free(s->drain);
	s->drain = NULL;
}

/* {"draining": true}: 202 and the operation that ends when no call is left; false: all is taken again. */
static void patch_overload(void *u, struct http_req *r)
{
	struct stack *s = u;
	const cJSON *doc = http_json(r), *on = doc ? cJSON_GetObjectItemCaseSensitive(doc, "draining") : NULL;

	if (!doc || !http_may_change_json(r, overload_json(s), false))
		return;
	if (!cJSON_IsBool(on) || on->next || on->prev != on) {
		http_problem(r, 422, "INVALID_OVERLOAD", "only draining, true or false, can be changed here; limits are configuration");
	} else if (s->drain_done) {
		http_problem(r, 409, "STOPPING", "the daemon stops");
	} else if (cJSON_IsTrue(on)) {
		drain_begin(s, r);
	} else {
		if (s->drain)
			operation_cancel(s->drain->o);
		atomic_store(&s->draining, false);
		http_reply_json(r, 200, overload_json(s));
	}
}

const struct http_route drain_routes[] = {
	{ "GET", "/api/v1/overload", HTTP_VIEW, get_overload, "How much new work is let in." },
	{ "PATCH", "/api/v1/overload", HTTP_OPERATE, patch_overload,
	  "draining: true sends new work elsewhere (503) while calls go on: 202 and an operation that ends when none is left; false takes it back." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
