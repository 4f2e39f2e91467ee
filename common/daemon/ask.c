/* common/daemon/ask.c - questions of REST to the workers, answered on the main loop. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"

/* ---- one question, one answer ---- */

struct ask_box {
	struct ask a;			/* first */
	void (*fn)(struct worker *w, struct ask *a);
	unsigned worker;		/* asked now */
	bool all;
	struct worker_return back;
	atomic_uint holds;		/* who still looks at it on the worker: box_run(), and who answers */
};

static void box_reply(void *arg)
{
	struct ask_box *b = arg;

	if (b->a.status >= 400 || (b->a.status == 0 && !b->a.json)) {
		cJSON_Delete(b->a.json);
		if (b->a.status == 0)
			http_problem(b->a.req, 404, "RESOURCE_NOT_FOUND", "no such entry");
		else
			http_problem(b->a.req, b->a.status, b->a.cause[0] ? b->a.cause : "FAILED", "%s", b->a.detail);
	} else if (b->a.json) {
		http_reply_json(b->a.req, b->a.status ? b->a.status : 200, b->a.json);
	} else {
		http_reply(b->a.req, b->a.status, NULL, STR_NONE);
	}
	free(b);
}

static void box_post(struct ask_box *b, unsigned worker);

static void box_next(void *arg)
{
	struct ask_box *b = arg;

	if (b->all && b->a.status == 0 && !b->a.json && b->worker + 1 < b->a.stack->n_workers)
		box_post(b, b->worker + 1);
	else
		box_reply(b);
}

/* The answer goes to the main loop, where the box ends, when nobody on the worker looks at it any more: fn may call ask_done()
 * before it returns. */
void ask_done(struct ask *a)
{
	struct ask_box *b = (struct ask_box *)a;

	if (atomic_fetch_sub(&b->holds, 1) == 1)	/* without a main loop the request is answered by its end */
		worker_return_main(worker_current(), a->stack, &b->back, box_next, b);
}

bool ask_may_change(struct ask *a, cJSON *now)
{
	char etag[HTTP_ETAG_STRLEN];
	bool same = !a->if_match[0] || !now || (http_etag_json(now, etag) && http_etag_listed(str_from_c(a->if_match), etag));

	cJSON_Delete(now);
	if (same)
		return true;
	a->status = 412;
	snprintf(a->cause, sizeof(a->cause), "%s", HTTP_CAUSE_CHANGED);
	snprintf(a->detail, sizeof(a->detail), "%s", HTTP_DETAIL_CHANGED);
	return false;
}

static void box_run(struct worker *w, void *arg)
{
	struct ask_box *b = arg;

	atomic_store(&b->holds, 2);
	b->fn(w, &b->a);
	if (!b->a.later)
		ask_done(&b->a);
	ask_done(&b->a);
}

static void box_post(struct ask_box *b, unsigned worker)
{
	b->worker = worker;
	if (worker_post(&b->a.stack->workers[worker].w, box_run, b) < 0) {
		b->a.status = 503;
		snprintf(b->a.cause, sizeof(b->a.cause), "BUSY");
		snprintf(b->a.detail, sizeof(b->a.detail), "worker %u takes no questions now", worker);
		box_reply(b);
	}
}

static void box_new(struct stack *s, struct http_req *r, unsigned worker, bool all, struct str key,
		    void (*fn)(struct worker *w, struct ask *a))
{
	struct ask_box *b = calloc(1, sizeof(*b));

	if (!b || !str_copy(key, b->a.key, sizeof(b->a.key)) ||
	    !str_copy(http_header(r, "If-Match"), b->a.if_match, sizeof(b->a.if_match))) {
		free(b);
		http_problem(r, b ? 400 : 500, b ? "KEY_TOO_LONG" : "OUT_OF_MEMORY", "the question cannot be asked");
		return;
	}
	b->a.req = r;
	b->a.stack = s;
	b->fn = fn;
	b->all = all;
	http_suspend(r);
	box_post(b, worker);
}

void stack_ask(struct stack *s, struct http_req *r, struct worker *w, struct str key, void (*fn)(struct worker *w, struct ask *a))
{
	box_new(s, r, w->id, false, key, fn);
}

void stack_ask_all(struct stack *s, struct http_req *r, struct str key, void (*fn)(struct worker *w, struct ask *a))
{
	box_new(s, r, 0, true, key, fn);
}

/* ---- a page over all workers ---- */

struct page_box {
	struct gather g;		/* first */
	struct worker_return back;
	struct stack *stack;
	struct http_req *req;
	void (*fn)(struct worker *w, struct gather *g);
	cJSON *(*show)(struct stack *s, const struct obj *o);	/* NULL: fn writes JSON */
	char filter[512];
};

void gather_hold(struct gather *g, struct obj *o)
{
	g->held[g->n_held++] = obj_ref(o);
	g->limit--;
}

static void show_held(struct page_box *b)
{
	for (unsigned i = 0; i < b->g.n_held; i++) {
		cJSON_AddItemToArray(b->g.items, b->show(b->stack, b->g.held[i]));
		obj_unref(b->g.held[i]);
	}
	b->g.n_held = 0;
}

static void page_free(struct page_box *b)
{
	free(b->g.held);
	free(b);
}

static void page_post(struct page_box *b);

static void page_next(void *arg)
{
	struct page_box *b = arg;
	char cursor[48];

	show_held(b);
	if (b->g.more || (b->g.limit == 0 && b->g.worker + 1 < b->stack->n_workers)) {
		snprintf(cursor, sizeof(cursor), "%u.%llu", b->g.more ? b->g.worker : b->g.worker + 1,
			 b->g.more ? (unsigned long long)b->g.last : 0ull);
		http_reply_page(b->req, b->g.items, cursor);
		page_free(b);
		return;
	}
	if (b->g.worker + 1 >= b->stack->n_workers) {
		http_reply_page(b->req, b->g.items, NULL);
		page_free(b);
		return;
	}
	b->g.worker++;
	b->g.after = 0;
	page_post(b);
}

static void page_run(struct worker *w, void *arg)
{
	struct page_box *b = arg;

	b->g.more = false;
	b->fn(w, &b->g);
	worker_return_main(worker_current(), b->stack, &b->back, page_next, b);
}

static void page_post(struct page_box *b)
{
	if (worker_post(&b->stack->workers[b->g.worker].w, page_run, b) == 0)
		return;
	cJSON_Delete(b->g.items);
	http_problem(b->req, 503, "BUSY", "worker %u takes no questions now", b->g.worker);
	page_free(b);
}

void stack_gather_page(struct stack *s, struct http_req *r, void (*fn)(struct worker *w, struct gather *g), struct str filter)
{
	stack_gather_held(s, r, fn, NULL, filter);
}

void stack_gather_held(struct stack *s, struct http_req *r, void (*fn)(struct worker *w, struct gather *g), cJSON *(*show)(struct stack *s, const struct obj *o),
		       struct str filter)
{
	struct page_box *b = calloc(1, sizeof(*b));
	struct str cursor, left, right;
	uint32_t worker = 0;
	unsigned limit;

	if (!b) {
		http_problem(r, 500, "OUT_OF_MEMORY", "the question cannot be asked");
		return;
	}
	if (!http_page(r, &limit, &cursor)) {
		free(b);
		return;
	}
	str_cut(cursor, '.', &left, &right);
	if (cursor.l && (str_to_u32(left, &worker) < 0 || str_to_u64(right, &b->g.after) < 0 || worker >= s->n_workers)) {
		free(b);
		http_problem(r, 400, "INVALID_QUERY_PARAM", "the cursor is not one of ours");
		return;
	}
	if (!str_copy(filter, b->filter, sizeof(b->filter))) {
		free(b);
		http_problem(r, 400, "INVALID_QUERY_PARAM", "the filter is too long");
		return;
	}
	b->stack = s;
	b->req = r;
	b->fn = fn;
	b->g.items = cJSON_CreateArray();
	b->g.limit = limit;
	b->show = show;
	if (show && !(b->g.held = calloc(limit, sizeof(*b->g.held)))) {
		cJSON_Delete(b->g.items);
		free(b);
		http_problem(r, 500, "OUT_OF_MEMORY", "the question cannot be asked");
		return;
	}
	b->g.worker = worker;
	b->g.filter = str_from_c(b->filter);
	http_suspend(r);
	page_post(b);
}
