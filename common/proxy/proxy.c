/* common/proxy/proxy.c - response contexts: life, targets in order of q, CANCEL.  RFC 3261 §16.2, §16.6, §16.10. */
#include <errno.h>
#include <stdlib.h>
#include "common/proxy/private.h"

struct proxy_layer *proxy_layer_new(const struct proxy_env *env)
{
	struct proxy_layer *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->env = *env;
	if (!l->env.timer_c_ms)
		l->env.timer_c_ms = PROXY_TIMER_C_MS;
	if (!l->env.max_breadth)
		l->env.max_breadth = 60;
	if (!l->env.udp_max_bytes)
		l->env.udp_max_bytes = 1300;
	list_init(&l->proxies);
	list_init(&l->acks);
	list_init(&l->uacs);
	return l;
}

static void on_reap(struct timer *t);

/* Ends with the gone callback.  Transactions run out by themselves. */
static void proxy_free(struct proxy *p)
{
	struct list *i, *tmp;

	timer_stop(&p->reap);
	list_del(&p->link);
	p->layer->stats.now--;
	p->busy++;		/* what the user calls from gone finds a context that starts nothing */
	p->dead = p->no_more = p->done = true;
	list_for_each(i, &p->branches)
		branch_release(list_entry(i, struct proxy_branch, link));
	if (p->ops->gone)
		p->ops->gone(p->user, p);
	list_for_each_safe(i, tmp, &p->branches) {
		list_del(i);
		free(list_entry(i, struct proxy_branch, link));
	}
	sip_msg_unref(p->m);
	free(p);
}

void proxy_layer_free(struct proxy_layer *l)
{
	if (!l)
		return;
	while (!list_empty(&l->proxies)) {
		struct proxy *p = list_entry(l->proxies.next, struct proxy, link);

		if (p->st)
			tx_server_set_user(p->st, NULL, NULL);
		p->st = NULL;
		proxy_free(p);
	}
	proxy_acks_free(l);
	proxy_uacs_free(l);
	free(l);
}

void proxy_layer_stats(const struct proxy_layer *l, struct proxy_stats *ret)
{
	*ret = l->stats;
}

static void server_gone(void *user)
{
	struct proxy *p = user;

	p->st = NULL;
	p->dead = true;
	if (!p->busy)
		proxy_free(p);
}

static void breadth_read(struct proxy *p)
{
	uint32_t n;

	p->breadth = p->layer->env.max_breadth;
	p->breadth_given = sip_msg_u32(p->m, SIP_H_MAX_BREADTH, &n) == 0;
	if (p->breadth_given && n < p->breadth)
		p->breadth = n;
}

struct proxy *proxy_new(struct proxy_layer *l, struct tx_server *st, struct sip_msg *m, const struct proxy_ops *ops,
			void *user)
{
	struct proxy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->layer = l;
	p->st = st;
	p->m = sip_msg_ref(m);
	p->ops = ops;
	p->user = user;
	list_init(&p->branches);
	timer_init(&p->reap, on_reap);
	list_add_tail(&l->proxies, &p->link);
	sip_out_init(&p->out, m);
	p->loop_hash = proxy_loop_hash(m);
	breadth_read(p);
	p->wants_199 = m->method == SIP_INVITE && !m->to_tag.l && sip_msg_has_token(m, SIP_H_SUPPORTED, "199") &&
		       !sip_msg_has_token(m, SIP_H_REQUIRE, "100rel");
	l->stats.now++;
	tx_server_set_user(st, p, server_gone);
	return p;
}

struct sip_out *proxy_out(struct proxy *p)
{
	return &p->out;
}

struct sip_msg *proxy_request(struct proxy *p)
{
	return p->m;
}

struct tx_server *proxy_server(struct proxy *p)
{
	return p->st;
}

struct proxy *proxy_of(struct tx_server *st)
{
	return tx_server_user(st);
}

static bool text_keep(struct arena *a, struct str in, struct str *ret)
{
	*ret = in.l ? arena_dup(a, in) : STR_NONE;
	return !in.l || ret->p;
}

static bool flow_keep(struct arena *a, const struct sip_flow *in, const struct sip_flow **ret)
{
	struct sip_flow *f = in ? arena_alloc(a, sizeof(*f)) : NULL;

	if (f)
		*f = *in;
	*ret = f;
	return !in || f;
}

static bool routes_keep(struct proxy_branch *b, struct arena *a, const struct proxy_target *t)
{
	unsigned n = t->n_routes > 4 ? 4 : t->n_routes;

	if (!n)
		return true;
	b->route = arena_alloc(a, n * sizeof(b->route[0]));
	for (; b->route && b->n_routes < n; b->n_routes++)
		if (!text_keep(a, t->route[b->n_routes], &b->route[b->n_routes]))
			return false;
	return b->route;
}

int proxy_target_add(struct proxy *p, const struct proxy_target *t)
{
	struct proxy_branch *b;
	bool ok;

	if (p->no_more)
		return -ECANCELED;
	if (p->n_branches >= p->layer->env.max_breadth)
		return -ENOSPC;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	ok = text_keep(p->m->arena, t->ruri, &b->ruri) && flow_keep(p->m->arena, t->flow, &b->flow) && routes_keep(b, p->m->arena, t);
	if (!ok) {
		free(b);
		return -ENOMEM;
	}
	b->p = p;
	b->q = t->q;
	b->side = (uint8_t)t->side;
	b->tag = t->tag;
	b->wait_ms = t->wait_ms;
	b->progress_ms = t->progress_ms;
	b->urgent = p->in_failed;
	b->res = &proxy_unresolved;
	branch_timers_init(b);
	list_add_tail(&p->branches, &b->link);
	p->n_branches++;
	p->dirty = p->dirty || p->in_failed;
	return 0;
}

bool proxy_is_over(const struct proxy *p)
{
	return p->no_more || !p->st;
}

void proxy_branch_disregard(struct proxy_branch *b)
{
	b->status = 0;
}

void *proxy_branch_tag(const struct proxy_branch *b)
{
	return b->tag;
}

struct sip_out *proxy_branch_out(struct proxy_branch *b)
{
	return b->cur;
}

/* ---- order of branches ---- */

static bool any_active(const struct proxy *p)
{
	struct list *i;

	list_for_each(i, &p->branches)
		if (branch_active(list_entry(i, struct proxy_branch, link)))
			return true;
	return false;
}

static uint32_t breadth_free(const struct proxy *p)
{
	uint32_t used = 0;
	struct list *i;

	list_for_each(i, &p->branches) {
		const struct proxy_branch *b = list_entry(i, struct proxy_branch, link);

		if (branch_active(b))
			used += b->breadth;
	}
	return used < p->breadth ? p->breadth - used : 0;
}

static bool belongs(const struct proxy_branch *b, bool urgent, unsigned q)
{
	return b->state == BRANCH_WAITING && (urgent ? b->urgent : b->q == q);
}

/* Starts every waiting branch that is urgent, or of priority q.  RFC 5393 §5.3.3: what Max-Breadth leaves is split over
 * them; those it cannot serve wait for others to end.  Returns how many it began. */
static unsigned group_start(struct proxy *p, bool urgent, unsigned q)
{
	uint32_t left = breadth_free(p);
	unsigned n = 0, begun = 0;
	struct list *i;

	list_for_each(i, &p->branches)
		n += belongs(list_entry(i, struct proxy_branch, link), urgent, q);
	if (n > left)
		n = left;
	list_for_each(i, &p->branches) {
		struct proxy_branch *b = list_entry(i, struct proxy_branch, link);

		if (begun == n || p->no_more)
			break;
		if (!belongs(b, urgent, q))
			continue;
		b->breadth = left / (n - begun);
		left -= b->breadth;
		begun++;
		branch_start(b);
	}
	return begun;
}

static bool next_q(const struct proxy *p, unsigned *ret)
{
	bool found = false;
	struct list *i;

	list_for_each(i, &p->branches) {
		const struct proxy_branch *b = list_entry(i, struct proxy_branch, link);

		if (b->state != BRANCH_WAITING || (found && b->q <= *ret))
			continue;
		found = true;
		*ret = b->q;
	}
	return found;
}

static void schedule(struct proxy *p)
{
	unsigned q = 0;

	if (!p->started || p->done || !p->st)
		return;
	if (!p->no_more) {
		group_start(p, true, 0);
		if (any_active(p) || p->holds)
			return;
		if (next_q(p, &q)) {
			if (!group_start(p, false, q)) {	/* RFC 5393 §5.3.3.1 */
				log_debug(LOG_PROXY, "max-breadth exhausted", LOG_S("call_id", p->m->call_id));
				proxy_reject(p, &(const struct refusal){ .status = 440, .why = "more branches than allowed" });
			}
			return;		/* a branch that failed on the spot made us dirty again */
		}
	}
	if (!any_active(p) && (!p->holds || p->no_more))
		proxy_finish(p);
}

/* The final response is out and no branch can bring anything more.  The server transaction lives on for 64*T1 to absorb
 * retransmissions (two minutes toward a phone); request, responses and plans need not. */
static bool is_over(const struct proxy *p)
{
	return p->done && p->st && tx_server_final_sent(p->st) && !any_active(p) && !(proxy_is_invite(p) && p->accepted);
}

static void on_reap(struct timer *t)
{
	struct proxy *p = container_of(t, struct proxy, reap);

	if (p->busy || p->dead || !is_over(p))
		return;
	tx_server_set_user(p->st, NULL, NULL);
	p->st = NULL;
	proxy_free(p);
}

void proxy_enter(struct proxy *p)
{
	p->busy++;
}

void proxy_leave(struct proxy *p)
{
	if (p->busy > 1) {
		p->busy--;
		return;
	}
	while (p->dirty && !p->dead) {
		p->dirty = false;
		schedule(p);
	}
	p->busy--;
	if (p->dead)
		proxy_free(p);
	else if (is_over(p))
		timer_start(p->layer->env.wheel, &p->reap, 0);
}

void proxy_start(struct proxy *p)
{
	proxy_enter(p);
	if (!p->started && proxy_session_request(p))
		p->layer->stats.forwarded++;
	p->started = true;
	if (p->done && !p->no_more && p->st && !tx_server_final_sent(p->st))
		p->done = false;	/* the user took the final answer over and tries on after all */
	p->dirty = true;
	proxy_leave(p);
}

void proxy_hold(struct proxy *p)
{
	p->holds++;
}

void proxy_release(struct proxy *p, void (*fn)(void *arg), void *arg)
{
	proxy_enter(p);
	p->holds--;
	fn(arg);
	p->dirty = true;
	proxy_leave(p);
}

/* ---- CANCEL and refusal ---- */

/* Ends all but `but`: §16.7 step 10.  Those that wait are never begun. */
void proxy_cancel_pending(struct proxy *p, const struct proxy_branch *but, struct str reason)
{
	struct list *i;

	p->no_more = true;
	list_for_each(i, &p->branches) {
		struct proxy_branch *b = list_entry(i, struct proxy_branch, link);

		if (b != but)
			branch_cancel(b, reason);
	}
}

/* All Reason values on one line: RFC 3326 allows several protocols. */
static struct str reason_join(struct proxy *p, const struct sip_msg *cancel)
{
	struct arena_text all = arena_text(p->m->arena);
	struct sip_values it;
	struct str v;

	if (!cancel)
		return STR_NONE;
	it = sip_values(cancel, SIP_H_REASON);
	while (sip_values_next(&it, &v))
		arena_text_item(&all, v);
	return arena_text_str(&all);
}

void proxy_cancel(struct proxy *p, struct sip_msg *cancel)
{
	if (p->cancelled || !proxy_is_invite(p))
		return;
	proxy_enter(p);
	log_debug(LOG_PROXY, "cancelled by the caller", LOG_S("call_id", p->m->call_id));
	p->cancelled = true;
	p->cancel_reason = reason_join(p, cancel);
	proxy_cancel_pending(p, NULL, p->cancel_reason);
	p->started = true;		/* CANCEL before the user chose a target: 487 all the same */
	p->dirty = true;
	proxy_leave(p);
}

struct str proxy_reason(struct proxy *p, unsigned status)
{
	return arena_printf(p->m->arena, "SIP;cause=%u;text=\"%s\"", status, sip_reason_phrase(status));
}

void proxy_reject(struct proxy *p, const struct refusal *r)
{
	proxy_enter(p);
	if (!p->done) {
		p->done = true;
		if (p->st)
			tx_refuse(p->st, r);
	}
	proxy_cancel_pending(p, NULL, proxy_reason(p, r->status));
	proxy_leave(p);
}
