/* common/daemon/between.c - what one worker has another one do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/daemon/private.h"
#include "common/log/log.h"

#define RETURN_RETRY_MS 1

static void fill(struct worker_return *c, struct worker *to, void (*fn)(struct worker *w, void *arg), void *arg)
{
	c->to = to;
	c->loop = to ? to->loop : NULL;
	c->fn = fn;
	c->main_fn = NULL;
	c->arg = arg;
	list_init(&c->link);
	str_copy(log_correlation_get(), c->correlation, sizeof(c->correlation));
}

/* The call may be gone once fn has been called. */
static void run(struct worker_return *c)
{
	log_correlation(str_from_c(c->correlation));
	if (c->main_fn)
		c->main_fn(c->arg);
	else
		c->fn(c->to, c->arg);
	log_correlation(STR_NONE);
}

static void run_returned(void *arg)
{
	run(arg);
}

static void run_posted(void *arg)
{
	struct worker_return c = *(struct worker_return *)arg;

	free(arg);
	run(&c);
}

int worker_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct worker_return *c = malloc(sizeof(*c));

	if (!c)
		return -EAGAIN;
	fill(c, w, fn, arg);
	if (loop_post(w->loop, run_posted, c) == 0)
		return 0;
	free(c);
	return -EAGAIN;
}

int worker_call(struct worker *self, struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	if (self == w) {
		fn(w, arg);
		return 0;
	}
	return worker_post(w, fn, arg);
}

/* ---- the way back ---- */

/* false: the other's mailbox is full. */
static bool posted(struct worker_return *c)
{
	int rc = loop_post(c->loop, run_returned, c);

	if (rc == -ESHUTDOWN)		/* everything goes */
		log_debug(LOG_CORE, "a thread that has stopped gets no answer any more");
	return rc != -EAGAIN;
}

/* false: some are left. */
static bool all_posted(struct list *waiting)
{
	while (!list_empty(waiting)) {
		struct worker_return *c = list_entry(waiting->next, struct worker_return, link);

		list_del(&c->link);		/* before: it may be gone as soon as it is posted */
		if (posted(c))
			continue;
		list_add_head(waiting, &c->link);
		return false;
	}
	return true;
}

static void retry(struct timer *t)
{
	struct worker_full *f = container_of(t, struct worker_full, returns_timer);
	bool workers = all_posted(&f->returns), main = all_posted(&f->main_returns);

	if (!workers || !main)
		timer_start(f->w.wheel, t, RETURN_RETRY_MS);
}

static void put_off(struct worker_full *f, struct list *waiting, struct worker_return *c)
{
	list_add_tail(waiting, &c->link);
	if (!timer_pending(&f->returns_timer))
		timer_start(f->w.wheel, &f->returns_timer, RETURN_RETRY_MS);
}

void worker_returns_open(struct worker_full *f)
{
	list_init(&f->returns);
	list_init(&f->main_returns);
	timer_init(&f->returns_timer, retry);
}

void worker_return(struct worker *self, struct worker *w, struct worker_return *c, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct worker_full *f = container_of(self, struct worker_full, w);

	if (self == w) {
		fn(w, arg);
		return;
	}
	fill(c, w, fn, arg);
	if (!list_empty(&f->returns) || !posted(c))	/* in the order in which they came */
		put_off(f, &f->returns, c);
}

int worker_return_main(struct worker *self, struct stack *s, struct worker_return *c, void (*fn)(void *arg), void *arg)
{
	struct worker_full *f = self ? container_of(self, struct worker_full, w) : NULL;
	int rc = -EAGAIN;

	fill(c, NULL, NULL, arg);
	c->loop = s->main_loop;
	c->main_fn = fn;
	if (!f || list_empty(&f->main_returns))
		rc = loop_post(c->loop, run_returned, c);
	if (rc != -EAGAIN || !f)
		return rc;
	put_off(f, &f->main_returns, c);
	return 0;
}
