/* common/proxy/respond.c - responses: what goes upstream at once, and the choice of the best one.  RFC 3261 §16.7. */
#include <errno.h>
#include "common/proxy/private.h"

#define RETRY_MAX_S 3600u		/* of what a next hop says */
#define HELD_RETRY_S 4u				/* Retry-After, spread by tx_refuse() */

static void send_up(struct proxy *p, unsigned status, const struct sip_out *o)
{
	struct bytes *wire = NULL;
	int rc;

	if (!p->st)
		return;
	rc = sip_out_write(o, &wire);
	if (!rc) {
		tx_server_send(p->st, status, wire);
	} else if (status >= 200 && !tx_server_final_sent(p->st)) {
		log_warn(LOG_PROXY, "response cannot be written", LOG_I("errno", -rc), LOG_S("call_id", p->m->call_id));
		tx_refuse_why(p->st, 500, "the response cannot be written");
	}
	bytes_unref(wire);
}

/* ---- best response: §16.7 step 6 ---- */

/* Lower is better: a 6xx wins; else the lowest class; in 4xx those that let the caller change the request and try
 * again; in 5xx anything rather than 503. */
unsigned proxy_status_rank(unsigned status)
{
	static const unsigned retry[] = { 401, 407, 415, 420, 484 };
	unsigned rank = status >= 600 ? 0 : status / 100 * 100;

	if (rank == 400) {
		for (unsigned i = 0; i < sizeof(retry) / sizeof(retry[0]); i++)
			if (retry[i] == status)
				return rank + 1 + i;
		if (status == 408 || status == 487)	/* silence, and what our own CANCEL brought about: the least said */
			return rank + 50;
		return rank + 20;
	}
	return rank + (status == 503 ? 50 : 20);
}

/* Ranked, then what a peer said before what we made up, then the first that came (the list is in order of start). */
static bool better(const struct proxy_branch *a, const struct proxy_branch *b)
{
	unsigned ra = proxy_status_rank(a->status), rb = proxy_status_rank(b->status);

	return ra != rb ? ra < rb : a->resp && !b->resp;
}

static struct proxy_branch *best_branch(struct proxy *p)
{
	struct proxy_branch *best = NULL;
	struct list *i;

	list_for_each(i, &p->branches) {
		struct proxy_branch *b = list_entry(i, struct proxy_branch, link);

		if (b->state == BRANCH_ENDED && b->status && (!best || better(b, best)))
			best = b;
	}
	return best;
}

/* §16.7 step 7: the challenges of all branches go up in one response. */
static void challenges_collect(struct proxy *p, const struct proxy_branch *best, struct sip_out *o)
{
	static const enum sip_hdr_id ids[] = { SIP_H_WWW_AUTHENTICATE, SIP_H_PROXY_AUTHENTICATE };
	struct list *i;

	list_for_each(i, &p->branches) {
		const struct proxy_branch *b = list_entry(i, struct proxy_branch, link);

		if (b == best || !b->resp || (b->status != 401 && b->status != 407))
			continue;
		for (unsigned n = 0; n < sizeof(ids) / sizeof(ids[0]); n++)
			for (const struct sip_hdr *h = sip_msg_hdr(b->resp, ids[n]); h; h = sip_msg_hdr_next(b->resp, h))
				sip_out_add(o, ids[n], sip_msg_hdr_value(b->resp, h));
	}
}

static struct proxy_branch *branch_with(struct proxy *p, unsigned status)
{
	struct list *i;

	list_for_each(i, &p->branches) {
		struct proxy_branch *b = list_entry(i, struct proxy_branch, link);

		if (b->state == BRANCH_ENDED && b->status == status && b->resp)
			return b;
	}
	return NULL;
}

static const char *own_why(unsigned status)
{
	switch (status) {
	case 408:
		return "nobody answered";
	case 480:
		return "nobody to ask";
	case 487:
		return "cancelled";
	case 502:
		return "the answer had no way back";
	case 503:
		return "the next hop is not available";
	case 513:
		return "too large to be forwarded";
	default:
		return "the request cannot be forwarded";
	}
}

/* m: the response that it stands for, or NULL. */
static void answer_own(struct proxy *p, unsigned status, struct sip_msg *m)
{
	struct refusal r = { .status = status, .why = own_why(status), .quiet = status == 487 };
	uint32_t s;

	if (status == 503) {	/* §16.7 step 6, §16.9: the next hop is out of service, we are not */
		r.status = 500;
		r.reason = "Next Hop Unavailable";
		if (m && sip_msg_u32(m, SIP_H_RETRY_AFTER, &s) == 0)	/* when that one is back holds for our sender too, §21.5.1 */
			r.retry_after_s = s < RETRY_MAX_S ? s : RETRY_MAX_S;
	}
	tx_refuse(p->st, &r);
}

void proxy_finish(struct proxy *p)
{
	struct proxy_branch *best = p->cancelled ? branch_with(p, 487) : best_branch(p);
	unsigned status = p->cancelled ? 487 : best ? best->status : 480;
	struct sip_msg *m = best ? best->resp : NULL;

	if (p->done)
		return;
	p->done = true;		/* before the call: the user may start over from inside it */
	if (tx_server_final_sent(p->st)) {
		p->no_more = true;
		return;
	}
	/* What was never sent is no failure of anybody's that a role could mend: say when to come again. */
	if (p->held && !m && status == 503) {
		p->no_more = true;
		tx_refuse(p->st, &(const struct refusal){ .status = 503, .why = "the next hop is overloaded", .retry_after_s = HELD_RETRY_S,
							   .quiet = true });
		return;
	}
	if (p->ops->final && p->ops->final(p->user, p, status, m))
		return;
	p->no_more = true;
	if (!p->st)
		return;
	log_debug(LOG_PROXY, "final response", LOG_U("status", status), LOG_C("by", m ? "peer" : "us"),
		  LOG_S("call_id", p->m->call_id));
	if (!m || status == 503) {
		answer_own(p, status, m);
		return;
	}
	if (status == 401 || status == 407)
		challenges_collect(p, best, best->resp_out);
	send_up(p, status, best->resp_out);
}

/* ---- responses as they come ---- */

/* ---- 199 Early Dialog Terminated: RFC 6228 §6 ---- */

static bool early_keep(struct proxy_branch *b, struct str tag)
{
	struct arena *a = b->p->m->arena;

	if (tag.l > PROXY_MAX_EARLY_TAG || b->n_early == PROXY_MAX_EARLY || b->n_early_kept == PROXY_MAX_EARLY_KEPT)
		return false;
	if (!b->early)
		b->early = arena_alloc(a, PROXY_MAX_EARLY * sizeof(b->early[0]));
	if (!b->early || !(b->early[b->n_early] = arena_dup(a, tag)).p)
		return false;
	b->n_early_kept++;
	return true;
}

static void early_note(struct proxy_branch *b, const struct sip_msg *m)
{
	unsigned i = 0;

	if (!b->p->wants_199 || !m->to_tag.l)
		return;
	while (i < b->n_early && !str_eq(b->early[i], m->to_tag))
		i++;
	if (m->status == 199 && i < b->n_early)			/* told already */
		b->early[i] = b->early[--b->n_early];
	else if (m->status != 199 && i == b->n_early && early_keep(b, m->to_tag))
		b->n_early++;
}

static bool others_go_on(const struct proxy_branch *b)
{
	struct list *i;

	list_for_each(i, &b->p->branches) {
		const struct proxy_branch *o = list_entry(i, const struct proxy_branch, link);

		if (o != b && o->state != BRANCH_ENDED)
			return true;
	}
	return false;
}

void proxy_early_end(struct proxy_branch *b, unsigned status)
{
	struct proxy *p = b->p;
	struct bytes *wire;
	struct str extra;

	if (!b->n_early || p->done || p->cancelled || !p->st || !others_go_on(b))
		return;
	extra = arena_printf(p->m->arena, "Reason: %.*s\r\n", STR_ARG(proxy_reason(p, status)));
	while (b->n_early) {
		wire = sip_reply_make(p->m, 199, NULL, b->early[--b->n_early], extra, STR_NONE, STR_NONE);
		if (wire)
			tx_server_send(p->st, 199, wire);
		bytes_unref(wire);
	}
}

static void pass_provisional(struct proxy_branch *b, struct sip_msg *m, const struct sip_out *o)
{
	if (b->p->done)
		return;
	early_note(b, m);
	send_up(b->p, m->status, o);
}

/* §16.7 step 5: every 2xx at once, and nobody else rings any longer (step 10). */
static void pass_2xx(struct proxy_branch *b, struct sip_msg *m, const struct sip_out *o)
{
	struct proxy *p = b->p;
	bool first = b->state != BRANCH_ENDED;

	if (first || proxy_is_invite(p))
		send_up(p, m->status, o);
	if (!first)
		return;
	p->done = p->accepted = true;
	proxy_cancel_pending(p, b, STR("SIP;cause=200;text=\"Call completed elsewhere\""));
	branch_end(b, m->status, NULL, NULL);
}

static void pass(struct proxy_branch *b, struct sip_msg *m, const struct sip_out *o)
{
	if (m->status < 200)
		pass_provisional(b, m, o);
	else if (m->status < 300)
		pass_2xx(b, m, o);
	else
		branch_end(b, m->status, m, o);
}

static void heard_provisional(struct proxy_branch *b, unsigned status)
{
	struct proxy *p = b->p;

	if (status > 100 || b->state == BRANCH_CALLING)
		timer_stop(&b->timer_wait);
	if (status == 100 && b->state == BRANCH_CALLING && b->progress_ms && proxy_is_invite(p))
		timer_start(p->layer->env.wheel, &b->timer_wait, b->progress_ms);	/* it took the request: what does it do with it? */
	timer_stop(&b->timer_answer);
	if (b->state == BRANCH_CALLING)
		b->state = BRANCH_PROCEEDING;
	if (status > 100 && proxy_is_invite(p) && b->state == BRANCH_PROCEEDING && !b->cancelled)	/* §16.7 step 2 */
		timer_start(p->layer->env.wheel, &b->timer_c, p->layer->env.timer_c_ms);
}

void proxy_hide_via(struct proxy *p)
{
	p->hides_via = true;
}

/* Made once: it lives in the request's arena, and there is no end of provisional responses. */
static struct str top_via(struct proxy *p)
{
	struct sip_out first;

	if (p->top_via.l)
		return p->top_via;
	sip_out_init(&first, p->m);
	sip_out_fix_via(&first);
	if (sip_out_top(&first, SIP_H_VIA, &p->top_via) < 0)
		p->top_via = STR_NONE;
	return p->top_via;
}

/* RFC 3261 §16.7 step 3: our Via goes; those that the next hop was not shown come back.  false: none would be left. */
static bool take_via(struct proxy *p, const struct sip_msg *m, struct sip_out *o)
{
	struct str v, all[SIP_MSG_MAX_HDRS];
	struct sip_values it;
	unsigned n = 0;

	if (!p->hides_via) {
		sip_out_drop_first(o, SIP_H_VIA);
		return sip_values_count(m, SIP_H_VIA) >= 2;
	}
	it = sip_values(p->m, SIP_H_VIA);
	while (n < SIP_MSG_MAX_HDRS && sip_values_next(&it, &v))
		all[n++] = v;
	if (n && top_via(p).l)
		all[0] = p->top_via;
	sip_out_drop(o, SIP_H_VIA);
	while (n)
		sip_out_push(o, SIP_H_VIA, all[--n]);
	return true;
}

/* The request rests, and what goes up takes headers from it.  false: out of memory.  What the callee repeats is not heard
 * (RFC 3261 §13.3.1.1, §13.3.1.4); another final response ends the branch. */
static bool request_readable(struct proxy_branch *b, const struct sip_msg *m)
{
	struct proxy *p = b->p;

	if (sip_msg_wake(p->m))
		return true;
	log_warn(LOG_PROXY, "no memory for a response", LOG_U("status", m->status), LOG_S("call_id", p->m->call_id));
	if (m->status >= 300 || (m->status >= 200 && !proxy_is_invite(p)))
		branch_end(b, 500, NULL, NULL);
	return false;
}

/* What the user says to a response, and then its way. */
static void judge(struct proxy_branch *b, struct sip_msg *m)
{
	struct proxy *p = b->p;
	enum proxy_verdict v = PROXY_PASS;
	struct sip_out o;

	if (!request_readable(b, m))
		return;
	sip_out_init(&o, m);
	if (!take_via(p, m, &o)) {		/* not meant to go further */
		log_debug(LOG_PROXY, "response without a Via for the way back", LOG_S("call_id", p->m->call_id));
		if (m->status >= 200)
			branch_end(b, 502, NULL, NULL);
		return;
	}
	if (m->status >= 200) {
		timer_stop(&b->timer_c);
		timer_stop(&b->timer_wait);
		timer_stop(&b->timer_answer);
	}
	proxy_session_response(p, m, &o);
	if (p->ops->response)
		v = p->ops->response(p->user, p, b, m, &o);
	switch (v) {
	case PROXY_PASS:
		pass(b, m, &o);
		break;
	case PROXY_HOLD:
		if (m->status >= 200 && b->state != BRANCH_ENDED)
			b->state = BRANCH_HELD;
		break;
	case PROXY_DROP:
		if (m->status >= 200)
			branch_end(b, m->status, m, NULL);
		break;
	}
}

void proxy_resume(struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	struct sip_out plain;

	if (p->dead)
		return;
	proxy_enter(p);
	if (!o) {
		sip_out_init(&plain, m);
		(void)take_via(p, m, &plain);
		o = &plain;
	}
	pass(b, m, o);
	proxy_leave(p);
}

static void on_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct proxy_branch *b = user;
	struct proxy *p = b->p;

	if (ct != b->ct)
		return;
	proxy_enter(p);
	if (b->side == TX_CORE)
		proxy_oc_heard(p->layer, b->flow ? b->flow : &b->res->target[b->next], &m->via);
	if (m->status < 200)
		heard_provisional(b, m->status);
	if (m->status == 100)			/* §16.7 step 5 */
		goto out;
	if (b->state == BRANCH_HELD)		/* a retransmission; it comes again */
		goto out;
	/* Once a branch has ended only another 2xx matters: a fork further down. */
	if (b->state == BRANCH_ENDED && (m->status / 100 != 2 || !proxy_is_invite(p)))
		goto out;
	if (m->status == 503 && b->state == BRANCH_CALLING && branch_failover(b, -EBUSY))
		goto out;
	judge(b, m);
	if (m->status < 200 && b->state == BRANCH_PROCEEDING)	/* it may ring for minutes */
		sip_msg_rest(p->m);
out:
	proxy_leave(p);
}

static void on_failed(void *user, struct tx_client *ct, int err)
{
	struct proxy_branch *b = user;
	struct proxy *p = b->p;
	bool silent = b->state == BRANCH_CALLING;

	if (ct != b->ct || (!silent && b->state != BRANCH_PROCEEDING))
		return;
	proxy_enter(p);
	log_debug(LOG_PROXY, "branch got no answer", LOG_I("errno", -err), LOG_S("call_id", p->m->call_id));
	b->ct = NULL;
	tx_client_forget(ct);
	if (!silent || !branch_failover(b, err))
		branch_end(b, b->cancelled && p->no_more ? 487 : err == -ETIMEDOUT ? 408 : proxy_own_fault(err) ? 500 : 503, NULL, NULL);
	proxy_leave(p);
}

static void on_gone(void *user, struct tx_client *ct)
{
	struct proxy_branch *b = user;

	if (ct != b->ct)
		return;
	b->ct = NULL;
	if (b->state == BRANCH_CALLING || b->state == BRANCH_PROCEEDING)	/* the layer is being taken down */
		branch_end(b, b->cancelled ? 487 : 408, NULL, NULL);
}

const struct tx_client_ops proxy_branch_ops = { .response = on_response, .failed = on_failed, .gone = on_gone };
