/* common/daemon/dns_rest.c - /api/v1/dns/cache: what the workers know of DNS, and to forget it. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/log/log.h"

struct listing {
	struct gather *g;
	uint64_t n;
};

static bool add_answer(void *arg, const struct resolver_cached *c)
{
	struct listing *l = arg;
	cJSON *o;

	if (l->g->filter.l && !str_ieq_c(l->g->filter, c->name))
		return true;
	if (++l->n <= l->g->after)
		return true;
	if (l->g->limit == 0) {
		l->g->more = true;
		return false;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "name", c->name);
	cJSON_AddStringToObject(o, "type", c->type);
	cJSON_AddStringToObject(o, "state", c->pending ? "asked" : c->err ? "failed" : c->stale ? "stale" : c->left_ms ? "fresh" : "old");
	cJSON_AddNumberToObject(o, "leftMs", (double)c->left_ms);
	cJSON_AddNumberToObject(o, "records", c->n);
	cJSON_AddStringToObject(o, "answer", c->text);
	if (c->err)
		cJSON_AddStringToObject(o, "error", strerror(-c->err));
	cJSON_AddNumberToObject(o, "worker", l->g->worker);
	cJSON_AddItemToArray(l->g->items, o);
	l->g->last = l->n;
	l->g->limit--;
	return true;
}

static void gather(struct worker *w, struct gather *g)
{
	struct listing l = { g, 0 };

	resolver_cache_each(w->resolver, add_answer, &l);
}

/* The least recently used first; what is asked for between two pages may be missed, or come twice. */
static void get_cache(void *u, struct http_req *r)
{
	stack_gather_page(u, r, gather, http_query(r, "name"));
}

/* ---- to forget ---- */

struct flush {
	struct stack *s;
	struct http_req *req;
	char name[256];
	unsigned worker, n;
	struct worker_return back;
};

static void flush_next(void *arg);

static void flush_here(struct worker *w, void *arg)
{
	struct flush *f = arg;

	f->n += resolver_cache_flush(w->resolver, str_from_c(f->name));
	worker_return_main(worker_current(), f->s, &f->back, flush_next, f);
}

/* Main loop: the worker behind the last one, or the answer. */
static void flush_next(void *arg)
{
	struct flush *f = arg;
	cJSON *o;

	if (f->worker < f->s->n_workers) {
		if (worker_post(&f->s->workers[f->worker++].w, flush_here, f) == 0)
			return;
		http_problem(f->req, 503, "BUSY", "a worker takes no questions now");
	} else {
		o = cJSON_CreateObject();
		cJSON_AddNumberToObject(o, "forgotten", f->n);
		http_reply_json(f->req, 200, o);
	}
	free(f);
}

static void delete_cache(void *u, struct http_req *r)
{
	struct flush *f = calloc(1, sizeof(*f));

	if (!f || !str_copy(http_query(r, "name"), f->name, sizeof(f->name))) {
		http_problem(r, f ? 400 : 500, f ? "INVALID_QUERY_PARAM" : "OUT_OF_MEMORY", "name= is no name of DNS");
		free(f);
		return;
	}
	f->s = u;
	f->req = r;
	log_info(LOG_DNS, "cache is forgotten", LOG_C("name", f->name), LOG_C("by", http_who(r)));
	http_suspend(r);
	flush_next(f);
}

const struct http_route dns_routes[] = {
	{ "GET", "/api/v1/dns/cache", HTTP_VIEW, get_cache, "Answers of DNS that the workers keep, each its own; name= selects." },
	{ "DELETE", "/api/v1/dns/cache", HTTP_OPERATE, delete_cache, "Forgets them, or only those of name=: the next request asks anew." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
