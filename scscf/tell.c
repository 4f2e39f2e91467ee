/* scscf/tell.c - the owner of a registration tells those who watch it: TS 24.229 §5.4.2.1.2.  watch.c knows who they are. */
#include <stdlib.h>
#include "common/log/log.h"
#include "scscf/registration.h"
#include "scscf/session.h"
#include "scscf/subscription.h"

static struct str copy(struct arena *a, const char *text)
{
	return text && *text ? arena_dup(a, str_from_c(text)) : STR_NONE;
}

static void put_ended(struct reg_change *c, const struct registration *g)
{
	struct list *pos;

	list_for_each(pos, &g->r->ended) {
		const struct binding *b = list_entry(pos, struct binding, link);

		c->ended[c->n_ended++] = (struct reg_ended){
			.uri = copy(c->arena, b->uri), .params = copy(c->arena, b->params), .display = copy(c->arena, binding_display(b)),
			.call_id = copy(c->arena, b->call_id), .cseq = b->cseq, .event = b->event,
		};
	}
}

static struct reg_change *change_new(const struct registration *g, const struct profile *p)
{
	struct arena *a = arena_new(1024);
	struct reg_change *c = a ? arena_zalloc(a, sizeof(*c)) : NULL;
	unsigned n_ended = 0;
	struct list *pos;

	list_for_each(pos, &g->r->ended)
		n_ended++;
	if (c) {
		c->aor = arena_alloc(a, (p->n_identities + 1) * sizeof(c->aor[0]));
		c->ended = arena_alloc(a, (n_ended + 1) * sizeof(c->ended[0]));
	}
	if (!c || !c->aor || !c->ended) {
		arena_unref(a);
		return NULL;
	}
	c->arena = a;
	c->impi = copy(a, g->impi);
	for (unsigned i = 0; i < p->n_identities; i++)
		if (!p->identity[i].barred)
			c->aor[c->n_aors++] = copy(a, p->identity[i].aor);
	put_ended(c, g);
	return c;
}

static void ended_free(struct registration *g)
{
	while (!list_empty(&g->r->ended)) {
		struct binding *b = list_entry(g->r->ended.next, struct binding, link);

		list_del(&b->link);
		obj_unref(b);
	}
}

/* ---- their sessions: legs.c ---- */

static void end_sessions(struct registration *g)
{
	struct stack *stack = registration_scscf(g)->stack;
	struct legs_gone *c;
	bool some = false;

	for (unsigned i = 0; i < stack_n_workers(stack); i++)
		some = some || (scscf_of(stack_worker(stack, i)) && legs_maybe(scscf_of(stack_worker(stack, i)), g->id));
	if (!some || g->emergency || list_empty(&g->r->ended) || !legs_wanted(registration_scscf(g)))
		return;
	c = legs_gone_new(g);
	for (unsigned i = 0; c && c->n && i < stack_n_workers(stack); i++) {
		if (!scscf_of(stack_worker(stack, i)) || !legs_maybe(scscf_of(stack_worker(stack, i)), g->id))
			continue;
		arena_ref(c->arena);
		if (worker_post(stack_worker(stack, i), legs_gone_here, c) < 0) {	/* by post: the answer to the REGISTER goes first */
			log_warn(LOG_SESS, "a worker takes nothing: its sessions of contacts that ended go on", LOG_C("impi", g->impi), LOG_U("worker", i));
			arena_unref(c->arena);
		}
	}
	if (c)
		arena_unref(c->arena);
	else
		log_warn(LOG_SESS, "out of memory: sessions of contacts that ended go on", LOG_C("impi", g->impi));
}

void registration_tell(struct registration *g, const struct profile *p)
{
	struct stack *stack = registration_scscf(g)->stack;
	uint64_t workers = g->emergency ? 0 : watch_index_who(registration_scscf(g)->watch, p);
	struct reg_change *c = workers ? change_new(g, p) : NULL;

	end_sessions(g);
	ended_free(g);
	if (workers && !c)
		log_error(LOG_REG, "out of memory: subscribers are not told", LOG_C("impi", g->impi));
	if (!c)
		return;
	for (unsigned i = 0; i < stack_n_workers(stack); i++) {
		if (!(workers & UINT64_C(1) << i))
			continue;
		arena_ref(c->arena);
		/* Also to ourselves by post: the answer to the REGISTER goes first. */
		if (worker_post(stack_worker(stack, i), subscriptions_changed, c) < 0) {
			log_error(LOG_REG, "a worker takes nothing: its subscribers are not told", LOG_C("impi", g->impi));
			arena_unref(c->arena);
		}
	}
	arena_unref(c->arena);
}
