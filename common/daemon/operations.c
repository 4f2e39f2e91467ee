/* common/daemon/operations.c - long actions as resources: begun, looked at, cancelled, remembered for a while. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/operations.h"
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"

#define MAX_OPERATIONS 64u		/* finished ones make room */

enum op_state { OP_RUNNING, OP_SUCCEEDED, OP_FAILED, OP_CANCELLED };
static const char *const state_names[] = { "running", "succeeded", "failed", "cancelled" };

struct operation {
	struct stack *s;
	uint64_t number;		/* 0: free */
	const char *kind;
	char by[64], why[160];
	enum op_state state;
	bool cancelling;
	unsigned percent;
	uint64_t started_us, finished_us;
	cJSON *result;
	void (*cancel)(void *u);
	void *u;
};

struct operations {
	struct operation v[MAX_OPERATIONS];
	uint64_t last;
};

/* ---- one ---- */

static cJSON *operation_json(const struct operation *o)
{
	cJSON *j = cJSON_CreateObject();
	char text[40];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)o->number);
	cJSON_AddStringToObject(j, "id", text);
	cJSON_AddStringToObject(j, "kind", o->kind);
	cJSON_AddStringToObject(j, "state", state_names[o->state]);
	cJSON_AddStringToObject(j, "by", o->by);
	cJSON_AddNumberToObject(j, "progress", o->percent);
	clock_rfc3339(o->started_us, text);
	cJSON_AddStringToObject(j, "startedAt", text);
	if (o->finished_us) {
		clock_rfc3339(o->finished_us, text);
		cJSON_AddStringToObject(j, "finishedAt", text);
	}
	if (o->result)
		cJSON_AddItemToObject(j, "result", cJSON_Duplicate(o->result, true));
	if (o->why[0]) {
		cJSON *p = cJSON_AddObjectToObject(j, "problem");

		cJSON_AddStringToObject(p, "title", "the operation failed");
		cJSON_AddNumberToObject(p, "status", 500);
		cJSON_AddStringToObject(p, "cause", "OPERATION_FAILED");
		cJSON_AddStringToObject(p, "detail", o->why);
	}
	return j;
}

static void tell(const struct operation *o)
{
	stack_event(o->s, o->state == OP_RUNNING ? "operation.started" : "operation.finished", operation_json(o));
}

/* A free place, or that of the oldest finished one.  NULL: all run, or one of this kind does. */
static struct operation *place_for(struct operations *all, const char *kind, const char **ret_why)
{
	struct operation *best = NULL;

	*ret_why = "too many operations run already";
	for (unsigned i = 0; i < MAX_OPERATIONS; i++) {
		struct operation *o = &all->v[i];

		if (o->number && o->state == OP_RUNNING && strcmp(o->kind, kind) == 0) {
			*ret_why = "one of its kind runs already";
			return NULL;
		}
		if ((!o->number || o->state != OP_RUNNING) && (!best || o->number < best->number))
			best = o;
	}
	return best;
}

struct operation *operation_begin(struct stack *s, struct http_req *r, const char *kind, void (*cancel)(void *u), void *u)
{
	const char *why;
	struct operation *o = place_for(s->operations, kind, &why);
	char location[64];

	if (!o) {
		http_problem(r, 409, "OPERATION_RUNS", "%s", why);
		return NULL;
	}
	cJSON_Delete(o->result);
	*o = (struct operation){ .s = s, .number = ++s->operations->last, .kind = kind, .started_us = clock_wall_us(), .cancel = cancel, .u = u };
	snprintf(o->by, sizeof(o->by), "%s", http_who(r));
	snprintf(location, sizeof(location), "/api/v1/operations/%llu", (unsigned long long)o->number);
	http_set_header(r, "Location", location);
	http_reply_json(r, 202, operation_json(o));
	log_info(LOG_REST, "operation begins", LOG_C("kind", kind), LOG_U("number", o->number), LOG_C("by", o->by));
	tell(o);
	return o;
}

void operation_progress(struct operation *o, uint64_t done, uint64_t total)
{
	o->percent = total == 0 || done >= total ? 100 : (unsigned)(done * 100 / total);
}

void operation_end(struct operation *o, cJSON *result, const char *why)
{
	o->result = result;
	o->finished_us = clock_wall_us();
	o->state = o->cancelling ? OP_CANCELLED : why ? OP_FAILED : OP_SUCCEEDED;
	if (why && !o->cancelling)
		snprintf(o->why, sizeof(o->why), "%s", why);
	if (o->state == OP_SUCCEEDED)
		o->percent = 100;
	o->cancel = NULL;
	log_info(LOG_REST, "operation ends", LOG_C("kind", o->kind), LOG_U("number", o->number), LOG_C("state", state_names[o->state]));
	tell(o);
}

void operation_cancel(struct operation *o)
{
	o->cancelling = true;
	if (o->cancel)
		o->cancel(o->u);
}

/* ---- over all workers ---- */

struct op_walk {
	struct op_piece p;
	struct stack *s;
	const struct op_kind *kind;
	struct operation *o;
	unsigned worker;
	bool counting, cancelled;
	struct worker_return back;
	uint64_t done, failed, total;
};

static void walk_post(struct op_walk *k);

static void walk_cancel(void *u)
{
	((struct op_walk *)u)->cancelled = true;
}

static void walk_end(struct op_walk *k, const char *why)
{
	cJSON *result = cJSON_CreateObject();

	cJSON_AddNumberToObject(result, "done", (double)k->done);
	cJSON_AddNumberToObject(result, "failed", (double)k->failed);
	operation_end(k->o, result, why);
	free(k);
}

/* On the main thread: a worker has counted, or a piece is done. */
static void walk_next(void *arg)
{
	struct op_walk *k = arg;

	k->done += k->p.done;
	k->failed += k->p.failed;
	k->total += k->p.total;
	if (!k->counting)
		operation_progress(k->o, k->done + k->failed, k->total);
	if (k->cancelled) {
		walk_end(k, NULL);
		return;
	}
	if (k->counting || !k->p.more) {
		k->worker++;
		k->p.after = 0;
	}
	if (k->worker == k->s->n_workers && k->counting) {
		k->counting = false;
		k->worker = 0;
	}
	if (k->worker == k->s->n_workers)
		walk_end(k, k->failed ? "some could not be done; result says how many" : NULL);
	else
		walk_post(k);
}

static void walk_back(struct op_walk *k)
{
	worker_return_main(worker_current(), k->s, &k->back, walk_next, k);
}

void op_piece_wait(struct op_piece *p)
{
	p->waits++;
}

void op_piece_done(struct op_piece *p, bool good)
{
	if (good)
		p->done++;
	else
		p->failed++;
	if (--p->waits == 0)
		walk_back(p->walk);
}

static void walk_run(struct worker *w, void *arg)
{
	struct op_walk *k = arg;

	k->p.done = k->p.failed = 0;
	k->p.total = 0;
	k->p.more = false;
	if (k->counting) {
		k->p.total = k->kind->count(w);
		walk_back(k);
		return;
	}
	k->p.waits = 1;			/* this function itself */
	k->kind->piece(w, &k->p);
	if (--k->p.waits == 0)
		walk_back(k);
}

static void walk_post(struct op_walk *k)
{
	if (worker_post(&k->s->workers[k->worker].w, walk_run, k) < 0)
		walk_end(k, "a worker takes no work now");
}

void operation_walk(struct stack *s, struct http_req *r, const struct op_kind *kind)
{
	struct op_walk *k = calloc(1, sizeof(*k));

	if (!k) {
		http_problem(r, 500, "OUT_OF_MEMORY", "the operation cannot be begun");
		return;
	}
	k->s = s;
	k->kind = kind;
	k->counting = true;
	k->p.walk = k;
	k->o = operation_begin(s, r, kind->name, walk_cancel, k);
	if (k->o)
		walk_post(k);
	else
		free(k);
}

/* ---- routes ---- */

static void get_operations(void *u, struct http_req *r)
{
	const struct operations *all = ((struct stack *)u)->operations;
	cJSON *items = cJSON_CreateArray();

	for (uint64_t n = all->last; n > 0 && n + MAX_OPERATIONS * 4 > all->last; n--)
		for (unsigned i = 0; i < MAX_OPERATIONS; i++)
			if (all->v[i].number == n)
				cJSON_AddItemToArray(items, operation_json(&all->v[i]));
	http_reply_page(r, items, NULL);
}

static struct operation *operation_of(struct stack *s, struct http_req *r)
{
	uint64_t n;

	if (str_to_u64(http_param(r, "operationId"), &n) == 0 && n)
		for (unsigned i = 0; i < MAX_OPERATIONS; i++)
			if (s->operations->v[i].number == n)
				return &s->operations->v[i];
	http_problem(r, 404, "RESOURCE_NOT_FOUND", "there is no such operation, or it is forgotten");
	return NULL;
}

static void get_operation(void *u, struct http_req *r)
{
	const struct operation *o = operation_of(u, r);

	if (o)
		http_reply_json(r, 200, operation_json(o));
}

/* What is done stays done; what has begun ends. */
static void delete_operation(void *u, struct http_req *r)
{
	struct operation *o = operation_of(u, r);

	if (!o)
		return;
	if (o->state != OP_RUNNING) {
		http_problem(r, 409, "OPERATION_OVER", "it is over: %s", state_names[o->state]);
		return;
	}
	operation_cancel(o);
	http_reply_json(r, 202, operation_json(o));
}

int operations_init(struct stack *s)
{
	s->operations = calloc(1, sizeof(*s->operations));
	return s->operations ? 0 : -ENOMEM;
}

void operations_fini(struct stack *s)
{
	for (unsigned i = 0; s->operations && i < MAX_OPERATIONS; i++)
		cJSON_Delete(s->operations->v[i].result);
	free(s->operations);
	s->operations = NULL;
}

const struct http_route operations_routes[] = {
	{ "GET", "/api/v1/operations", HTTP_VIEW, get_operations, "Long actions, the newest first." },
	{ "GET", "/api/v1/operations/{operationId}", HTTP_VIEW, get_operation, "Progress and result of one." },
	{ "DELETE", "/api/v1/operations/{operationId}", HTTP_OPERATE, delete_operation, "Cancels one: what has begun ends, nothing more begins." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
