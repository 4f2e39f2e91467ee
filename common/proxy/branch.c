/* common/proxy/branch.c - one branch: resolution, sending, failover, UDP to TCP, its timers.
 * RFC 3261 §16.6 to §16.8, §18.1.1; RFC 3263 §4.3. */
#include <errno.h>
#include <stdio.h>
#include "common/proxy/private.h"
#include "common/sip/oc.h"

#define SCRATCH_BYTES 2000u			/* what a message is written with */

const struct resolver_result proxy_unresolved;

static void on_timer_c(struct timer *t);
static void on_timer_wait(struct timer *t);
static void on_timer_answer(struct timer *t);
static void attempt(struct proxy_branch *b);

void branch_timers_init(struct proxy_branch *b)
{
	timer_init(&b->timer_c, on_timer_c);
	timer_init(&b->timer_wait, on_timer_wait);
	timer_init(&b->timer_answer, on_timer_answer);
}

static void timers_stop(struct proxy_branch *b)
{
	timer_stop(&b->timer_c);
	timer_stop(&b->timer_wait);
	timer_stop(&b->timer_answer);
}

/* Leaves the transaction to itself.  A call that may still be set up is cancelled first. */
static void transaction_drop(struct proxy_branch *b)
{
	struct tx_client *ct = b->ct;

	if (!ct)
		return;
	b->ct = NULL;
	if (proxy_is_invite(b->p) && (b->state == BRANCH_CALLING || b->state == BRANCH_PROCEEDING) && !b->cancelled) {
		b->p->layer->stats.cancels++;
		tx_client_cancel(ct, STR_NONE);
	}
	tx_client_forget(ct);
}

static void query_stop(struct proxy_branch *b)
{
	if (b->query)
		resolver_cancel(b->query);
	b->query = NULL;
}

void branch_release(struct proxy_branch *b)
{
	timers_stop(b);
	query_stop(b);
	transaction_drop(b);
	b->state = BRANCH_ENDED;
	sip_msg_unref(b->resp);
	b->resp = NULL;
	sip_msg_unref(b->rewritten);
	b->rewritten = NULL;
}

/* Takes references of m; o is its way upstream.  m NULL: the status is ours. */
void branch_end(struct proxy_branch *b, unsigned status, struct sip_msg *m, const struct sip_out *o)
{
	struct proxy *p = b->p;

	if (b->state == BRANCH_ENDED)
		return;
	proxy_enter(p);
	timers_stop(b);
	query_stop(b);
	b->state = BRANCH_ENDED;
	b->status = status;
	b->resp_out = m && o ? arena_alloc(p->m->arena, sizeof(*b->resp_out)) : NULL;
	if (b->resp_out) {			/* else out of memory: as if we had made the status up */
		b->resp = sip_msg_ref(m);
		sip_out_copy(b->resp_out, o);
	}
	log_debug(LOG_PROXY, "branch ended", LOG_U("status", status), LOG_C("by", m ? "peer" : "us"),
		  LOG_S("call_id", p->m->call_id));
	if (status >= 600)		/* RFC 3261 §16.7 step 5: nobody else is to be asked */
		proxy_cancel_pending(p, b, proxy_reason(p, status));
	if (status >= 300 && p->ops->branch_failed) {
		bool outer = p->in_failed;

		p->in_failed = true;
		p->ops->branch_failed(p->user, p, b, status, m);
		p->in_failed = outer;
	}
	if (status >= 300)
		proxy_early_end(b, status);
	p->dirty = true;
	proxy_leave(p);
}

/* ---- sending ---- */

static void branch_param(const struct proxy *p, char dst[PROXY_BRANCH_STRLEN])
{
	size_t n;

	tx_branch_make(dst);
	n = strlen(dst);
	dst[n] = '.';
	proxy_loop_text(p->loop_hash, dst + n + 1);
}

/* Toward neighbours: that we hold back when asked to (RFC 7339), and over TLS that the connection serves both ways (RFC 5923). */
static const char *via_more(const struct proxy_branch *b, const struct sip_flow *to)
{
	bool oc = b->p->layer->env.may_hold != NULL;

	if (b->side != TX_CORE)
		return "";
	if (to->proto == SIP_TLS)
		return oc ? SIP_OC_ASK ";alias" : ";alias";
	return oc ? SIP_OC_ASK : "";
}

/* The request as it goes to `to`.  What is only needed for that goes at once: the call may ring for minutes. */
static int wire_make(struct proxy_branch *b, const struct sip_flow *to, const char *branch, struct bytes **ret)
{
	struct proxy *p = b->p;
	struct sip_out o;
	struct addr local;
	int rc = p->layer->env.local_for(p->layer->env.u, to, &local);

	if (rc)
		return rc;
	sip_out_copy(&o, &b->plan);
	o.arena = arena_new(SCRATCH_BYTES);
	if (!o.arena)
		return -ENOMEM;
	b->cur = &o;
	if (p->ops->branch)
		p->ops->branch(p->user, p, b, to, &o);
	b->cur = NULL;
	if (p->hides_via)
		sip_out_drop(&o, SIP_H_VIA);
	proxy_push_via(&o, to, &local, branch, via_more(b, to));
	rc = sip_out_write(&o, ret);
	arena_unref(o.arena);
	return rc;
}

/* §18.1.1: too large for a datagram, and nobody fixed the transport. */
static bool wants_tcp(const struct proxy_branch *b, const struct sip_flow *to, const struct bytes *wire)
{
	return to->proto == SIP_UDP && !b->flow && !b->res->explicit_proto && !b->tcp_refused &&
	       wire->l > b->p->layer->env.udp_max_bytes;
}

static int wire_for(struct proxy_branch *b, struct sip_flow *to, const char *branch, struct bytes **ret)
{
	int rc = wire_make(b, to, branch, ret);

	b->tcp_trial = false;
	if (rc || !wants_tcp(b, to, *ret))
		return rc;
	bytes_unref(*ret);
	*ret = NULL;
	to->proto = SIP_TCP;
	to->conn = 0;
	to->local = (struct addr){ 0 };
	b->tcp_trial = true;
	log_debug(LOG_PROXY, "too large for udp, tcp is tried", LOG_S("call_id", b->p->m->call_id));
	rc = wire_make(b, to, branch, ret);
	if (rc) {		/* no way out by TCP at all */
		b->tcp_trial = false;
		b->tcp_refused = true;
		to->proto = SIP_UDP;
		rc = wire_make(b, to, branch, ret);
	}
	return rc;
}

static void timers_start(struct proxy_branch *b)
{
	const struct proxy_env *env = &b->p->layer->env;

	if (proxy_is_invite(b->p))
		timer_start(env->wheel, &b->timer_c, env->timer_c_ms);
	if (b->wait_ms && !timer_pending(&b->timer_wait))
		timer_start(env->wheel, &b->timer_wait, b->wait_ms);
	if (env->response_wait_ms && !b->flow && b->next + 1 < b->res->n)
		timer_start(env->wheel, &b->timer_answer, env->response_wait_ms);
}

static int transaction_make(struct proxy_branch *b, struct bytes *wire, const char *branch, const struct sip_flow *to)
{
	const struct tx_client_new_args a = {
		.wire = wire, .method = b->p->m->method, .branch = str_from_c(branch), .call_id = b->p->m->call_id, .to = *to,
		.side = b->side, .has_other = !b->flow && b->next + 1 < b->res->n, .ops = &proxy_branch_ops, .user = b,
	};

	b->ct = tx_client_new(b->p->layer->env.tx, &a);
	return b->ct ? 0 : -ENOMEM;
}

/* RFC 7339 §5.10: the next hop asked for less.  Another address of the same target may take it; nobody is held unavailable. */
static void held_back(struct proxy_branch *b, const struct sip_flow *to)
{
	char text[SIP_FLOW_STRLEN];

	log_debug(LOG_PROXY, "held back for a next hop that is overloaded", LOG_C("to", sip_flow_fmt(to, text)),
		  LOG_S("call_id", b->p->m->call_id));
	b->p->held = true;
	if (!b->flow && b->next + 1 < b->res->n) {
		b->next++;
		attempt(b);
	} else {
		branch_end(b, 503, NULL, NULL);
	}
}

/* Sends to the address in turn. */
static void attempt(struct proxy_branch *b)
{
	struct sip_flow to = b->flow ? *b->flow : b->res->target[b->next];
	char branch[PROXY_BRANCH_STRLEN], text[SIP_FLOW_STRLEN];
	struct bytes *wire = NULL;
	int rc;

	if (b->side == TX_CORE && proxy_oc_holds(b->p->layer, &to, b->p->m)) {
		held_back(b, &to);
		return;
	}
	branch_param(b->p, branch);
	rc = wire_for(b, &to, branch, &wire);
	if (!rc && (!b->p->st || b->state == BRANCH_ENDED))	/* the user changed its mind in ops.branch */
		goto out;
	if (!rc && transaction_make(b, wire, branch, &to)) {	/* we are full, the next hop is not to blame */
		branch_end(b, 503, NULL, NULL);
		goto out;
	}
	if (rc) {
		log_debug(LOG_PROXY, "cannot send", LOG_C("to", sip_flow_fmt(&to, text)), LOG_I("errno", -rc),
			  LOG_S("call_id", b->p->m->call_id));
		if (rc == -ENOMEM || rc == -EMSGSIZE)		/* no other address would change that */
			branch_end(b, rc == -EMSGSIZE ? 513 : 500, NULL, NULL);
		else if (!branch_failover(b, rc))
			branch_end(b, 503, NULL, NULL);
		goto out;
	}
	b->state = BRANCH_CALLING;
	b->p->layer->stats.branches++;
	log_debug(LOG_PROXY, "forwarded", LOG_C("to", sip_flow_fmt(&to, text)), LOG_C("branch", branch),
		  LOG_S("call_id", b->p->m->call_id));
	timers_start(b);
out:
	bytes_unref(wire);
}

/* An address that failed is passed over for a while, by this request and by others (row C12).  A TCP that was only tried for the size
 * says nothing about its UDP. */
static void target_blame(struct proxy_branch *b, int err)
{
	bool trial = b->tcp_trial && err != -ETIMEDOUT && err != -EBUSY;
	char to[SIP_FLOW_STRLEN];

	if (proxy_own_fault(err))
		return;
	if (!trial && b->next < b->res->n)
		log_info(LOG_PROXY, "next hop failed", LOG_C("why", err == -ETIMEDOUT ? "no answer" : err == -EBUSY ? "503" : strerror(-err)),
			 LOG_C("to", sip_flow_fmt(&b->res->target[b->next], to)), LOG_S("call_id", b->p->m->call_id));
	if (!b->flow && !trial && b->next < b->res->n)
		resolver_target_failed(b->p->layer->env.resolver, &b->res->target[b->next], PROXY_TARGET_HOLD_S);
}

/* Takes the next address of the same target, if there is one: RFC 3263 §4.3.  err: -errno of the transport,
 * -ETIMEDOUT, or -EBUSY for a 503. */
bool branch_failover(struct proxy_branch *b, int err)
{
	struct proxy_layer *l = b->p->layer;

	target_blame(b, err);
	if (b->flow || b->cancelled || b->p->no_more || !b->p->st || b->next >= b->res->n)
		return false;
	timer_stop(&b->timer_c);
	timer_stop(&b->timer_answer);
	if (b->tcp_trial && err != -ETIMEDOUT && err != -EBUSY) {	/* §18.1.1: back to UDP */
		b->tcp_refused = true;
	} else {
		if (b->next + 1 >= b->res->n)
			return false;
		b->next++;
		b->tcp_refused = false;
	}
	if (err == -EBUSY && b->ct) {			/* has its final response: nothing to cancel */
		tx_client_forget(b->ct);
		b->ct = NULL;
	}
	l->stats.failovers++;
	log_debug(LOG_PROXY, "next address", LOG_I("errno", -err), LOG_S("call_id", b->p->m->call_id));
	transaction_drop(b);
	b->state = BRANCH_RESOLVING;
	attempt(b);
	return true;
}

/* No more of it than there is: a branch lives as long as its call rings. */
static bool targets_keep(struct proxy_branch *b, const struct resolver_result *res)
{
	size_t bytes = offsetof(struct resolver_result, target) + res->n * sizeof(res->target[0]);
	struct resolver_result *keep = arena_alloc(b->p->m->arena, bytes);

	if (keep)
		memcpy(keep, res, bytes);
	b->res = keep ? keep : &proxy_unresolved;
	return keep != NULL;
}

static void on_resolved(void *arg, const struct resolver_result *res)
{
	struct proxy_branch *b = arg;
	struct proxy *p = b->p;

	b->query = NULL;
	if (b->state != BRANCH_RESOLVING)
		return;
	proxy_enter(p);
	b->next = 0;
	if (res->err || !res->n) {
		log_info(LOG_PROXY, "next hop not resolved", LOG_C("why", res->why ? res->why : "no address"),
			 LOG_S("call_id", p->m->call_id));
		branch_end(b, 503, NULL, NULL);
	} else if (!targets_keep(b, res)) {
		branch_end(b, 500, NULL, NULL);
	} else {
		attempt(b);
	}
	proxy_leave(p);
}

/* All edits of this branch that do not hang on the address: §16.6 steps 2 to 6. */
static int plan_make(struct proxy_branch *b, struct sip_uri *ret_next)
{
	struct proxy *p = b->p;

	sip_out_copy(&b->plan, &p->out);
	sip_out_fix_via(&b->plan);
	if (b->ruri.l)
		sip_out_set_ruri(&b->plan, b->ruri);
	for (unsigned i = b->n_routes; i-- > 0;)
		sip_out_push(&b->plan, SIP_H_ROUTE, b->route[i]);
	proxy_set_max_forwards(&b->plan);
	/* RFC 5393 §5.3.3: alone and not told a limit, saying nothing means the same as the default. */
	if (p->breadth_given || b->breadth != p->breadth)
		sip_out_set(&b->plan, SIP_H_MAX_BREADTH, arena_printf(p->m->arena, "%u", b->breadth));
	return proxy_next_hop(&b->plan, ret_next, &b->rewritten);
}

void branch_start(struct proxy_branch *b)
{
	struct proxy *p = b->p;
	struct resolver_query *q;
	struct sip_uri next;
	int rc;

	proxy_enter(p);
	b->state = BRANCH_RESOLVING;
	rc = plan_make(b, &next);
	if (rc) {
		log_debug(LOG_PROXY, "request cannot be written", LOG_I("errno", -rc), LOG_S("call_id", p->m->call_id));
		branch_end(b, rc == -EMSGSIZE ? 513 : 500, NULL, NULL);
	} else if (b->flow) {
		attempt(b);
	} else {
		q = resolver_lookup(p->layer->env.resolver, &next, on_resolved, b);
		if (q)
			b->query = q;
	}
	proxy_leave(p);
}

/* ---- giving up ---- */

void branch_cancel(struct proxy_branch *b, struct str reason)
{
	switch (b->state) {
	case BRANCH_WAITING:
		b->state = BRANCH_ENDED;	/* never begun: nobody hears of it */
		b->status = 487;
		break;
	case BRANCH_RESOLVING:
		branch_end(b, 487, NULL, NULL);
		break;
	case BRANCH_CALLING:
	case BRANCH_PROCEEDING:
		if (b->cancelled || !b->ct || !proxy_is_invite(b->p))
			break;
		b->cancelled = true;
		timers_stop(b);			/* 64*T1 after the CANCEL the transaction ends by itself, §9.1 */
		b->p->layer->stats.cancels++;
		tx_client_cancel(b->ct, reason);
		break;
	case BRANCH_HELD:
	case BRANCH_ENDED:
		break;
	}
}

/* §16.8: a provisional was heard: CANCEL and wait; none: as if a 408 had come. */
static void on_timer_c(struct timer *t)
{
	struct proxy_branch *b = container_of(t, struct proxy_branch, timer_c);
	struct proxy *p = b->p;

	proxy_enter(p);
	p->layer->stats.timer_c++;
	log_debug(LOG_PROXY, "timer C", LOG_S("call_id", p->m->call_id));
	if (b->state == BRANCH_PROCEEDING) {
		branch_cancel(b, proxy_reason(p, 408));
	} else if (b->state == BRANCH_CALLING) {
		transaction_drop(b);
		branch_end(b, 408, NULL, NULL);
	}
	proxy_leave(p);
}

/* The user's own limit for any answer at all (proxy_target.wait_ms), and behind a 100 for more than that (progress_ms). */
static void on_timer_wait(struct timer *t)
{
	struct proxy_branch *b = container_of(t, struct proxy_branch, timer_wait);
	struct proxy *p = b->p;

	if (b->state != BRANCH_CALLING && b->state != BRANCH_RESOLVING && !(b->state == BRANCH_PROCEEDING && b->progress_ms))
		return;
	if (p->ops->waited && !p->ops->waited(p->user, p, b))
		return;
	proxy_enter(p);
	target_blame(b, -ETIMEDOUT);
	transaction_drop(b);
	branch_end(b, 408, NULL, NULL);
	proxy_leave(p);
}

/* This address says nothing: the next one. */
static void on_timer_answer(struct timer *t)
{
	struct proxy_branch *b = container_of(t, struct proxy_branch, timer_answer);
	struct proxy *p = b->p;

	if (b->state != BRANCH_CALLING)
		return;
	proxy_enter(p);
	branch_failover(b, -ETIMEDOUT);
	proxy_leave(p);
}
