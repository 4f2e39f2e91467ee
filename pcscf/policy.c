/* pcscf/policy.c - see policy.h: offers and answers of a call, one question at a time, and the messages that wait for it.
 *
 *   held, oldest first:   [183 with the answer: asks]  [180]  [200 with another answer: asks next]
 *
 * The first one that needs a question is asked about; when the verdict is there it goes, and what is behind it up to the next
 * that needs one.  So nothing overtakes the message that carries an answer. */
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/clock.h"
#include "pcscf/policy_private.h"

static METRIC_DEF(m_asked, "cscf_pcscf_policy_total", METRIC_COUNTER, "Questions of policy control by verdict and cause.", "verdict", "cause");
static METRIC_DEF(m_seconds, "cscf_pcscf_policy_wait_seconds", METRIC_HISTOGRAM, "How long messages waited for policy control.", NULL, NULL);

static bool same_media(const struct media_set *a, const struct media_set *b)
{
	struct media_set diff;

	return media_diff(a, b, &diff) == 0;
}

/* ---- held messages ---- */

static void held_free(struct policy_session *s, struct held *h)
{
	list_del(&h->link);
	s->n_held--;
	metric_observe_us(&m_seconds, NULL, NULL, clock_mono_us() - h->since_us);
	sip_msg_unref(h->m);
	free(h->want);
	free(h);
}

static struct held *hold(struct policy_session *s, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, const struct sip_out *o,
			 bool by_phone, struct media_set *want)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h) {
		free(want);
		return NULL;
	}
	h->p = p;
	h->b = b;
	h->m = sip_msg_ref(m);
	if (o)
		sip_out_copy(&h->out, o);
	h->want = want;
	h->by_phone = by_phone;
	str_copy(m->to_tag, h->tag, sizeof(h->tag));
	h->initial = p && !proxy_request(p)->to_tag.l;
	h->final = s->c->state == CALL_CONFIRMED || (!m->request && m->status / 100 == 2 && m->method == SIP_INVITE);
	h->since_us = clock_mono_us();
	list_add_tail(&s->held, &h->link);
	s->n_held++;
	return h;
}

/* A message of the phone's: TS 24.229 §5.2.6.3.3, §5.2.6.4.4. */
static void add_location(const struct policy_session *s, struct sip_out *o, bool by_phone)
{
	if (by_phone && s->location[0])
		sip_out_add(o, SIP_H_PAANI, arena_dup(o->arena, str_from_c(s->location)));
}

static void let_go(struct policy_session *s, struct held *h)
{
	struct proxy *p = h->p;
	struct proxy_branch *b = h->b;
	struct sip_msg *m = sip_msg_ref(h->m);
	struct sip_out out = h->out;

	if (b)
		add_location(s, &out, h->by_phone);
	held_free(s, h);
	if (p && b)
		proxy_resume(p, b, m, &out);
	else if (p)
		proxy_start(p);
	sip_msg_unref(m);
}

/* What somebody else waits for; a 1xx says nothing any more. */
static void let_all_go(struct policy_session *s)
{
	while (!list_empty(&s->held)) {
		struct held *h = list_entry(s->held.next, struct held, link);

		if (h->p && (!h->b || h->m->status >= 200))
			let_go(s, h);
		else
			held_free(s, h);
	}
}

/* ---- asking ---- */

static void on_budget(struct timer *t);

static bool put_question(struct policy_session *s, struct held *h)
{
	struct policy_question q = { .media = &s->asked, .first = !s->agreed, .final = h->final };
	bool other = s->opened && s->have_tag[0] && strcmp(s->have_tag, h->tag) != 0;
	static const struct media_set none;

	if (!s->peer) {			/* what was agreed before a restart, the peer has no more */
		s->agreed = false;
		s->have = none;
	}
	/* Another early dialog: TS 29.214 annex A.3.  The peer keeps the most of both; the final answer says which one counts. */
	q.several = other && !h->final;
	media_diff(q.several || s->several ? &none : &s->have, h->want, &s->asked);
	if (q.several)
		s->several = true;
	else if (h->final)
		s->several = false;
	if (!s->peer)
		s->peer = s->backend->open(s->pw, s->c);
	q.number = ++s->questions;
	h->asked = true;
	s->waiting = q.number;
	s->opened = true;
	if (!s->peer || !s->backend->ask(s->peer, &q))
		return false;
	timer_start(s->pw->w->wheel, &s->budget, s->pw->p->cfg.policy.wait_ms);
	return true;
}

static bool needs_question(const struct policy_session *s, const struct held *h)
{
	bool settles = s->several && h->final;

	return h->want && !h->asked && (settles || !same_media(&s->have, h->want)) && !same_media(&s->without, h->want) &&
	       (s->opened || h->want->n);
}

static void session_free(struct policy_session *s)
{
	timer_stop(&s->budget);
	policy_forget_offers(s);
	free(s);
}

static void enter(struct policy_session *s)
{
	s->busy++;
}

static void leave(struct policy_session *s)
{
	if (--s->busy == 0 && s->dead)
		session_free(s);
}

/* Runs until a question is under way or nothing is held. */
static void advance(struct policy_session *s)
{
	static const struct policy_answer silent = { .verdict = POLICY_SILENT, .cause = "out of memory" };

	enter(s);
	while (!s->dead && !s->waiting && !list_empty(&s->held)) {
		struct held *h = list_entry(s->held.next, struct held, link);

		if (!needs_question(s, h))
			let_go(s, h);
		else if (!put_question(s, h))
			policy_answered(s->c, s->waiting, &silent);
	}
	leave(s);
}

static void agreed(struct policy_session *s, const struct media_set *want, const char *tag)
{
	s->agreed = true;
	s->tries = 0;
	s->without_number = 0;
	s->have = *want;
	media_forget_texts(&s->have);
	str_copy(str_from_c(tag), s->have_tag, sizeof(s->have_tag));
	call_keep(s->c);
}

/* number: of the question that may still be answered; 0: it has been. */
static void go_without(struct policy_session *s, const struct held *h, uint64_t number)
{
	s->without = *h->want;
	media_forget_texts(&s->without);
	s->without_number = number;
	str_copy(str_from_c(h->tag), s->without_tag, sizeof(s->without_tag));
}

/* The peer has what it says yes to, whatever has become of the message: what comes next is a change of that. */
static void agreed_late(struct policy_session *s, uint64_t number)
{
	s->agreed = true;
	if (number != s->without_number)
		return;
	agreed(s, &s->without, s->without_tag);
	s->without = (struct media_set){ 0 };
	s->without_number = 0;
}

static const char *verdict_name(enum policy_verdict v)
{
	static const char *const names[] = { "yes", "no", "silent" };

	return names[v];
}

/* The message that carried the answer is not let through, and what waits behind it neither. */
static void refuse(struct policy_session *s, struct held *h, const struct policy_answer *a)
{
	unsigned status = a->verdict == POLICY_NO && a->media ? 488 : 503;
	struct call *c = s->c;

	s->refused++;
	if (c->state == CALL_CONFIRMED && !h->initial) {	/* a change of a call that goes on: its bearers stay as they are */
		log_warn(LOG_SESS, "a change of the media got no bearer", LOG_C("cause", a->cause), LOG_S("call_id", c->call_id));
		go_without(s, h, 0);
		advance(s);
		return;
	}
	if (c->state == CALL_CONFIRMED)		/* the 2xx goes, so that the callee's end hears ACK and BYE */
		while (s->c && !list_empty(&s->held))
			let_go(s, list_entry(s->held.next, struct held, link));
	if (s->c)
		call_release(s->c, status, "policy control refuses the call", a->reason);
}

static void decide(struct policy_session *s, struct held *h, uint64_t number, const struct policy_answer *a)
{
	const struct policy_config *cfg = &s->pw->p->cfg.policy;
	enum policy_choice choice = s->c->emergency ? POLICY_GO_ON : a->verdict == POLICY_NO ? cfg->on_refused : cfg->on_silence;

	if (a->verdict == POLICY_YES) {
		agreed(s, h->want, h->tag);
		advance(s);
		return;
	}
	log_info(LOG_SESS, "policy control does not agree", LOG_C("verdict", verdict_name(a->verdict)), LOG_C("cause", a->cause),
		 LOG_U("code", a->code), LOG_S("call_id", s->c->call_id));
	if (choice == POLICY_RETRY && s->tries++ == 0 && (a->verdict == POLICY_SILENT || a->later)) {
		h->asked = false;
		advance(s);
	} else if (choice == POLICY_GO_ON) {
		go_without(s, h, a->verdict == POLICY_SILENT ? number : 0);
		advance(s);
	} else {
		refuse(s, h, a);
	}
}

void policy_answered(struct call *c, uint64_t number, const struct policy_answer *a)
{
	struct policy_session *s = c->policy;
	struct held *h;

	if (!s)
		return;
	metric_add(&m_asked, verdict_name(a->verdict), a->verdict == POLICY_YES ? NULL : a->cause, 1);
	str_copy(str_from_c(a->verdict == POLICY_YES ? "" : a->cause), s->cause, sizeof(s->cause));
	if (number != s->waiting) {
		log_info(LOG_SESS, "policy control answers late", LOG_C("verdict", verdict_name(a->verdict)), LOG_S("call_id", c->call_id));
		if (a->verdict == POLICY_YES)
			agreed_late(s, number);
		return;
	}
	timer_stop(&s->budget);
	s->waiting = 0;
	enter(s);
	h = list_empty(&s->held) ? NULL : list_entry(s->held.next, struct held, link);
	if (h && h->asked) {
		decide(s, h, number, a);
	} else {			/* its message has gone: the call was cancelled, its proxy ended, a BYE passed */
		if (a->verdict == POLICY_YES)
			agreed_late(s, number);
		advance(s);
	}
	leave(s);
}

void policy_chosen(struct call *c, const struct policy_question *q, const struct policy_backend *k)
{
	static const struct policy_answer silent = { .verdict = POLICY_SILENT, .cause = "out of memory" };
	struct policy_session *s = c->policy;

	s->backend = k;
	s->peer = NULL;
	if (q->number != s->waiting)		/* the next question opens it */
		return;
	s->peer = k->open(s->pw, c);
	if (!s->peer || !k->ask(s->peer, q))
		policy_answered(c, q->number, &silent);
}

/* The message has waited long enough.  The backend's answer may still come. */
static void on_budget(struct timer *t)
{
	static const struct policy_answer silent = { .verdict = POLICY_SILENT, .cause = "no answer in time",
						     .reason = { "SIP;cause=503;text=\"No answer of policy control\"", 48 } };
	struct policy_session *s = container_of(t, struct policy_session, budget);

	log_correlation(s->c->icid);
	policy_answered(s->c, s->waiting, &silent);
	log_correlation(STR_NONE);
}

/* ---- messages ---- */

/* A reliable provisional response comes again until its PRACK, which cannot come before it has gone. */
static bool is_held(const struct policy_session *s, const struct sip_msg *m)
{
	struct list *i;

	list_for_each(i, &s->held) {
		const struct held *h = list_entry(i, const struct held, link);

		if (h->m->request == m->request && h->m->status == m->status && str_eq(h->m->to_tag, m->to_tag) &&
		    str_eq(sip_msg_value(h->m, SIP_H_RSEQ), sip_msg_value(m, SIP_H_RSEQ)) && str_eq(h->m->via.branch, m->via.branch))
			return true;
	}
	return false;
}

/* A refusal needs no bearer; what was on its way before it says nothing any more. */
static void drop_provisional(struct policy_session *s, const struct proxy *p)
{
	struct list *i, *next;

	list_for_each_safe(i, next, &s->held) {
		struct held *h = list_entry(i, struct held, link);

		if (h->p == p && h->b && h->m->status < 200)
			held_free(s, h);
	}
}

enum proxy_verdict policy_response(struct call *c, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o, bool to_phone)
{
	struct policy_session *s = c->policy;
	struct media_set *want;

	if (!s)
		return PROXY_PASS;
	if (m->status >= 300) {
		drop_provisional(s, p);
		return PROXY_PASS;
	}
	if (is_held(s, m))
		return PROXY_DROP;
	want = policy_answer_in(s, proxy_out(p), o, to_phone);
	if (list_empty(&s->held)) {
		struct held probe = { .want = want, .final = c->state == CALL_CONFIRMED };

		if (!needs_question(s, &probe)) {
			free(want);
			add_location(s, o, to_phone);
			return PROXY_PASS;
		}
	}
	if (s->n_held >= POLICY_MAX_HELD && m->status < 200) {
		free(want);
		return PROXY_DROP;
	}
	if (!hold(s, p, b, m, o, to_phone, want))
		return PROXY_PASS;
	enter(s);
	if (s->n_held == 1 || !s->waiting)
		advance(s);
	leave(s);
	return PROXY_HOLD;
}

bool policy_request(struct call *c, struct proxy *p, struct sip_msg *m, const struct sip_out *o, bool to_phone)
{
	struct policy_session *s = c->policy;
	struct str tag = to_phone == c->ue_called ? m->to_tag : m->from_tag;
	struct media_set *want = s ? policy_late_answer(s, m, o, tag, to_phone) : NULL;
	struct held *h = want ? hold(s, p, NULL, m, NULL, !to_phone, want) : NULL;

	if (!h)
		return false;
	str_copy(tag, h->tag, sizeof(h->tag));
	enter(s);
	advance(s);
	leave(s);
	return p != NULL;
}

void policy_bye(struct call *c)
{
	struct policy_session *s = c->policy;

	if (!s)
		return;
	enter(s);
	let_all_go(s);
	leave(s);
}

void policy_proxy_gone(struct call *c, struct proxy *p)
{
	struct policy_session *s = c->policy;
	struct list *i, *next;

	if (!s)
		return;
	list_for_each_safe(i, next, &s->held) {
		struct held *h = list_entry(i, struct held, link);

		if (h->p == p)
			held_free(s, h);
	}
	if (!s->busy)
		advance(s);
}

/* ---- what the network says by itself ---- */

static const struct media_component *component(const struct media_set *set, uint32_t number)
{
	for (unsigned i = 0; i < set->n; i++)
		if (set->c[i].number == number)
			return &set->c[i];
	return NULL;
}

/* A call lives as long as something can be heard: a loss of video alone does not end it. */
static bool is_vital(const struct policy_session *s, const uint32_t *components, unsigned n)
{
	bool audio = false;

	for (unsigned i = 0; i < s->have.n; i++)
		audio = audio || s->have.c[i].type == MEDIA_AUDIO;
	for (unsigned i = 0; i < n; i++) {
		const struct media_component *c = component(&s->have, components[i]);

		if (c && (c->type == MEDIA_AUDIO || !audio))
			return true;
	}
	return n == 0;
}

void policy_lost(struct call *c, const uint32_t *components, unsigned n, bool fatal, const char *why, struct str reason)
{
	struct policy_session *s = c->policy;

	if (!s)
		return;
	str_copy(str_from_c(why), s->cause, sizeof(s->cause));
	if (!fatal && (c->emergency || !s->pw->p->cfg.policy.release_on_loss || !is_vital(s, components, n))) {
		log_warn(LOG_SESS, "a bearer is lost, the call goes on", LOG_C("why", why), LOG_S("call_id", c->call_id));
		return;
	}
	call_release(c, 503, why, reason);
}

void policy_located(struct call *c, struct str value)
{
	if (c->policy)
		str_copy(value, c->policy->location, sizeof(c->policy->location));
}

void policy_charged(struct call *c, struct str params)
{
	if (c->policy)
		str_copy(params, c->policy->charging, sizeof(c->policy->charging));
}

struct str policy_charging(const struct pcscf_worker *pw, struct str call_id, uint64_t binding_id)
{
	const struct call *c = pw->calls ? call_find(pw->calls, call_id, binding_id) : NULL;

	return c && c->policy ? str_from_c(c->policy->charging) : STR_NONE;
}

/* ---- life ---- */

struct policy_session *policy_session_new(struct pcscf_worker *pw, struct call *c)
{
	const struct policy_backend *backend = policy_backend_of(pw, c->b);
	struct policy_session *s = backend ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->c = c;
	s->pw = pw;
	s->backend = backend;
	s->ue_called = c->ue_called;
	list_init(&s->held);
	timer_init(&s->budget, on_budget);
	metrics_register(&m_asked);
	metrics_register(&m_seconds);
	c->policy = s;
	return s;
}

void policy_call_begins(struct pcscf_worker *pw, struct call *c)
{
	(void)policy_session_new(pw, c);
}

void policy_call_answered(struct call *c)
{
	struct policy_session *s = c->policy;

	if (s && s->peer && s->backend->answered)
		s->backend->answered(s->peer);
}

void policy_call_over(struct call *c, const char *why)
{
	struct policy_session *s = c->policy;

	(void)why;
	if (!s)
		return;
	c->policy = NULL;
	s->dead = true;
	timer_stop(&s->budget);
	enter(s);
	if (s->peer)
		s->backend->end(s->peer);
	let_all_go(s);
	s->c = NULL;
	leave(s);
}

bool policy_call_stays(struct call *c)
{
	struct policy_session *s = c->policy;

	if (s && s->peer && !s->backend->leave)
		return false;
	if (s && s->peer)
		s->backend->leave(s->peer);
	if (s)
		s->peer = NULL;
	policy_call_over(c, "the daemon stops");
	return true;
}
