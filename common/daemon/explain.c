/* common/daemon/explain.c - GET /api/v1/explain: the flow that is meant, its events from every worker, the words.
 *
 * Three rounds over the workers: which flows are his, what was recorded under the Call-ID of the one that is meant, and
 * under its ICIDs (the owner of a registration sits on another worker than the transaction).  Goal U4. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/trace/explain.h"
#include "common/util/clock.h"

#define MAX_FLOWS 64u			/* of one worker, the newest */
#define MAX_EVENTS 600u
#define MAX_ICIDS 8u

enum round { FLOWS, BY_CALL_ID, BY_ICID, N_ROUNDS };

struct question {
	struct worker_return back;
	struct stack *stack;
	struct http_req *req;
	enum round round;
	unsigned worker;
	char who[256];
	struct trace_flow *flow;		/* MAX_FLOWS per worker */
	size_t n_flows;
	struct trace_flow meant;
	struct found {
		struct trace_event e;		/* first */
		unsigned worker;
	} *found;
	size_t n_found;
	char icid[MAX_ICIDS][TRACE_ICID];
	unsigned n_icids;
};

static void question_free(struct question *q)
{
	free(q->flow);
	free(q->found);
	free(q);
}

/* ---- on the workers ---- */

static void add_events(struct question *q, struct worker *w, struct str key)
{
	struct trace_event *e = calloc(MAX_EVENTS, sizeof(*e));
	bool more;
	size_t n = e ? trace_events(w->trace, key, 0, e, MAX_EVENTS, &more) : 0;

	for (size_t i = 0; i < n && q->n_found < MAX_EVENTS; i++) {
		size_t k = 0;

		while (k < q->n_found && (q->found[k].worker != w->id || q->found[k].e.number != e[i].number))
			k++;
		if (k == q->n_found)
			q->found[q->n_found++] = (struct found){ e[i], w->id };
	}
	free(e);
}

static void question_next(void *arg);

static void question_run(struct worker *w, void *arg)
{
	struct question *q = arg;

	switch (q->round) {
	case FLOWS:
		q->n_flows += trace_flows(w->trace, str_from_c(q->who), 0, q->flow + q->n_flows, MAX_FLOWS);
		break;
	case BY_CALL_ID:
		add_events(q, w, str_from_c(q->meant.call_id));
		break;
	default:
		for (unsigned i = 0; i < q->n_icids; i++)
			add_events(q, w, str_from_c(q->icid[i]));
	}
	worker_return_main(worker_current(), q->stack, &q->back, question_next, q);
}

/* ---- on the main loop ---- */

static void question_post(struct question *q)
{
	if (worker_post(&q->stack->workers[q->worker].w, question_run, q) == 0)
		return;
	http_problem(q->req, 503, "BUSY", "worker %u takes no questions now", q->worker);
	question_free(q);
}

static int newest_first(const void *a, const void *b)
{
	const struct trace_flow *x = a, *y = b;

	return x->started_us > y->started_us ? -1 : x->started_us < y->started_us;
}

static int oldest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->e.wall_us < y->e.wall_us ? -1 : x->e.wall_us > y->e.wall_us;
}

static void note_icids(struct question *q)
{
	for (size_t i = 0; i < q->n_found && q->n_icids < MAX_ICIDS; i++) {
		const char *icid = q->found[i].e.icid;
		unsigned k = 0;

		while (k < q->n_icids && strcmp(q->icid[k], icid) != 0)
			k++;
		if (k == q->n_icids && *icid && strcmp(icid, q->meant.call_id) != 0)
			snprintf(q->icid[q->n_icids++], TRACE_ICID, "%s", icid);
	}
}

/* "hss.ims.example: closed, Connection refused; ..." */
static void describe_peers(const struct stack *s, struct buf *out)
{
	struct dia_peer_view v[16];
	size_t n = s->diameter ? dia_peers(v, 16) : 0;

	for (size_t i = 0; i < n; i++)
		if (!v[i].open)
			buf_printf(out, "%s%s is %s%s%s", out->l ? "; " : "", v[i].identity, v[i].state, v[i].reason[0] ? ", " : "", v[i].reason);
}

static void answer(struct question *q)
{
	struct trace_event *e = calloc(q->n_found ? q->n_found : 1, sizeof(*e));
	struct str home = stack_home_domain(q->stack);
	char domain[256], peers[512];
	struct explain_facts k = { .nf = q->stack->daemon->name, .now_us = clock_wall_us(), .peers = peers, .domain = domain };
	struct explanation x;
	struct buf b;

	if (!e) {
		http_problem(q->req, 500, "OUT_OF_MEMORY", "the question cannot be answered");
		return;
	}
	str_copy(home, domain, sizeof(domain));
	buf_init(&b, 4096);
	describe_peers(q->stack, &b);
	str_copy(buf_str(&b), peers, sizeof(peers));
	buf_fini(&b);
	qsort(q->found, q->n_found, sizeof(q->found[0]), oldest_first);
	for (size_t i = 0; i < q->n_found; i++)
		e[i] = q->found[i].e;
	explain(&k, &q->meant, e, q->n_found, &x);
	http_reply_json(q->req, 200, explain_json(&x, k.nf, &q->meant, q->who));
	free(e);
}

static void question_next(void *arg)
{
	struct question *q = arg;

	if (++q->worker < q->stack->n_workers) {
		question_post(q);
		return;
	}
	q->worker = 0;
	if (q->round == FLOWS && q->n_flows == 0) {
		http_problem(q->req, 404, "RESOURCE_NOT_FOUND", "nothing was recorded of that identity, Call-ID or ICID");
		question_free(q);
		return;
	}
	if (q->round == FLOWS) {
		qsort(q->flow, q->n_flows, sizeof(q->flow[0]), newest_first);
		q->meant = q->flow[explain_choose(q->flow, q->n_flows)];
	} else if (q->round == BY_CALL_ID) {
		note_icids(q);
	}
	if (++q->round == N_ROUNDS) {
		answer(q);
		question_free(q);
	} else {
		question_post(q);
	}
}

static void get_explain(void *u, struct http_req *r)
{
	static const char *const names[] = { "who", "impu", "impi", "call" };
	struct stack *s = u;
	struct question *q;
	struct str who = STR_NONE;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && who.l == 0; i++)
		who = http_query(r, names[i]);
	if (who.l == 0 || who.l >= sizeof(q->who)) {
		http_problem(r, 400, "INVALID_QUERY_PARAM", "who= must name an identity, an IMSI, a number, a Call-ID or an ICID");
		return;
	}
	q = calloc(1, sizeof(*q));
	if (q) {
		q->flow = calloc((size_t)MAX_FLOWS * s->n_workers, sizeof(*q->flow));
		q->found = calloc(MAX_EVENTS, sizeof(*q->found));
	}
	if (!q || !q->flow || !q->found) {
		if (q)
			question_free(q);
		http_problem(r, 500, "OUT_OF_MEMORY", "the question cannot be asked");
		return;
	}
	str_copy(who, q->who, sizeof(q->who));
	q->stack = s;
	q->req = r;
	http_suspend(r);
	question_post(q);
}

const struct http_route explain_routes[] = {
	{ "GET", "/api/v1/explain", HTTP_VIEW, get_explain,
	  "Why the last attempt failed, in words, with what to try: who= is an identity, an IMSI, a number, a Call-ID or an ICID." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
