/* pcscf/session.c - see session.h: the answered calls of a worker, and what passes in them. */
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/rand.h"
#include "pcscf/policy.h"
#include "pcscf/session_private.h"

#define SESSION_GRACE_S 32u		/* after a session timer (RFC 4028 §8.3) */

static METRIC_DEF(m_sessions, "cscf_pcscf_sessions", METRIC_GAUGE, "Answered calls.", NULL, NULL);
static METRIC_DEF(m_unwatched, "cscf_pcscf_sessions_unwatched_total", METRIC_COUNTER,
		  "Answered calls beyond access.max_sessions, which cannot be released.", NULL, NULL);

/* ---- finding ---- */

static bool is_call(const struct hnode *n, const void *key)
{
	const struct session *s = container_of(n, struct session, by_call);
	const struct str *tag = s->names.tag;
	const struct call_key *k = key;

	if (!str_eq(k->call_id, s->names.call_id) || (k->binding_id && k->binding_id != s->binding_id))
		return false;
	if (!k->a.l && !k->b.l)
		return true;
	return (str_eq(k->a, tag[CALLER]) && str_eq(k->b, tag[CALLEE])) || (str_eq(k->b, tag[CALLER]) && str_eq(k->a, tag[CALLEE]));
}

struct session *session_find(const struct sessions *ss, const struct call_key *k)
{
	struct hnode *n = ss->n ? htab_find(&ss->by_call, hash_str(k->call_id), is_call, k) : NULL;

	return n ? container_of(n, struct session, by_call) : NULL;
}

static struct session *find_dialog(const struct sessions *ss, const struct sip_msg *m, uint64_t binding_id)
{
	const struct call_key k = { m->call_id, m->from_tag, m->to_tag, binding_id };

	return m->to_tag.l ? session_find(ss, &k) : NULL;
}

static bool is_of_phone(const struct hnode *n, const void *key)
{
	return container_of(n, struct session, by_phone)->binding_id == *(const uint64_t *)key;
}

struct session *session_of_phone(const struct sessions *ss, uint64_t binding_id)
{
	struct hnode *n = htab_find(&ss->by_phone, binding_id, is_of_phone, &binding_id);

	return n ? container_of(n, struct session, by_phone) : NULL;
}

/* ---- life ---- */

void session_free(struct session *s)
{
	dialog_ends_free(s->ends);
	free(s->texts);
	free(s);
}

static void take_out(struct session *s)
{
	struct sessions *ss = s->ss;

	timer_stop(&s->age);
	htab_del(&ss->by_call, &s->by_call);
	if (s->of_phone)
		htab_del(&ss->by_phone, &s->by_phone);
	list_del(&s->link);
	ss->n--;
	metric_adjust(&m_sessions, NULL, NULL, -1);
	session_free(s);
}

void session_end(struct session *s)
{
	session_forget(s);
	take_out(s);
}

static void on_age(struct timer *t)
{
	struct session *s = container_of(t, struct session, age);

	if (s->lost) {
		session_release(s, NULL, "the registration has ended", STR_NONE);
		return;
	}
	log_debug(LOG_SESS, "session forgotten", LOG_S("call_id", s->names.call_id));
	policy_left_gone(s->ss->pw, s->names.call_id, s->binding_id);
	session_end(s);
}

struct sessions *sessions_new(struct pcscf_worker *pw)
{
	struct sessions *ss = calloc(1, sizeof(*ss));

	if (!ss)
		return NULL;
	ss->pw = pw;
	ss->max = pw->p->cfg.max_sessions / stack_n_workers(pw->p->stack) + 1;
	list_init(&ss->all);
	list_init(&ss->ringing);
	if (htab_init(&ss->by_call, 64) < 0 || htab_init(&ss->by_phone, 64) < 0 || htab_init(&ss->ringing_by_call, 64) < 0) {
		htab_fini(&ss->by_call);
		htab_fini(&ss->by_phone);
		free(ss);
		return NULL;
	}
	metrics_register(&m_sessions);
	metrics_register(&m_unwatched);
	sessions_release_start();
	return ss;
}

/* The records stay: calls go on over a restart. */
void sessions_free(struct sessions *ss)
{
	if (!ss)
		return;
	while (!list_empty(&ss->ringing))
		ringing_end(list_entry(ss->ringing.next, struct ringing, link));
	while (!list_empty(&ss->all))
		take_out(list_entry(ss->all.next, struct session, link));
	htab_fini(&ss->by_call);
	htab_fini(&ss->by_phone);
	htab_fini(&ss->ringing_by_call);
	free(ss);
}

bool session_goes_on(const struct sessions *ss, struct str call_id, uint64_t binding_id)
{
	const struct call_key k = { .call_id = call_id, .binding_id = binding_id };
	const struct session *s = session_find(ss, &k);

	return s && !s->lost;
}

size_t sessions_count(const struct sessions *ss)
{
	return ss->n;
}

static struct str put(char **at, struct str from)
{
	char *p = *at;

	if (from.l)
		memcpy(p, from.p, from.l);
	*at += from.l;
	return str_make(p, from.l);
}

struct session *session_new(const struct dialog_names *n, struct str icid, struct dialog_ends *ends)
{
	struct session *s = calloc(1, sizeof(*s));
	char *at = malloc(n->call_id.l + n->uri[0].l + n->uri[1].l + n->tag[0].l + n->tag[1].l + icid.l + 1);

	if (!s || !at || !ends || !n->call_id.l || !n->uri[CALLER].l || !n->uri[CALLEE].l || !n->tag[CALLEE].l || !ends->contact[CALLER] ||
	    !ends->contact[CALLEE]) {
		dialog_ends_free(ends);
		free(at);
		free(s);
		return NULL;
	}
	s->texts = at;
	s->ends = ends;
	s->key = rand_u64();
	s->names.call_id = put(&at, n->call_id);
	s->icid = put(&at, icid);
	for (int i = CALLER; i <= CALLEE; i++) {
		s->names.uri[i] = put(&at, n->uri[i]);
		s->names.tag[i] = put(&at, n->tag[i]);
	}
	return s;
}

bool session_insert(struct sessions *ss, struct session *s, uint64_t left_ms)
{
	if (ss->n >= ss->max) {
		metric_add(&m_unwatched, NULL, NULL, 1);
		session_free(s);
		return false;
	}
	s->ss = ss;
	timer_init(&s->age, on_age);
	htab_add(&ss->by_call, &s->by_call, hash_str(s->names.call_id));
	if (s->of_phone)
		htab_add(&ss->by_phone, &s->by_phone, s->binding_id);
	list_add_tail(&ss->all, &s->link);
	ss->n++;
	metric_adjust(&m_sessions, NULL, NULL, 1);
	timer_start(ss->pw->w->wheel, &s->age, left_ms);
	return true;
}

/* ---- what passes ---- */

static uint32_t age_of(const struct sip_msg *answer)
{
	struct str v = sip_msg_value(answer, SIP_H_SESSION_EXPIRES), seconds, params;
	uint32_t n;

	str_cut(v, ';', &seconds, &params);
	return str_to_u32(str_trim(seconds), &n) == 0 && n < SESSION_AGE_S ? n + SESSION_GRACE_S : SESSION_AGE_S;
}

/* The phone's side is where its registration is; the other one by the route set. */
static struct dialog_ends *ends_of(const struct session_answer *a)
{
	struct dialog_ends *e = dialog_ends_new(a->invite);

	if (!e)
		return NULL;
	if (!a->phone_called)
		dialog_ends_by_flow(e, CALLER, a->invite);
	dialog_ends_answered(e, a->answer, a->n_record_routes);
	if (a->phone_called)
		dialog_ends_by_flow(e, CALLEE, a->answer);
	return e;
}

void session_answered(struct sessions *ss, const struct session_answer *a)
{
	const struct sip_msg *m = a->answer;
	const struct dialog_names n = { m->call_id, { m->from.uri.text, m->to.uri.text }, { m->from_tag, m->to_tag } };
	struct session *s = find_dialog(ss, m, a->binding_id);

	if (s || !m->to_tag.l)
		return;
	s = session_new(&n, a->icid, ends_of(a));
	if (!s) {
		metric_add(&m_unwatched, NULL, NULL, 1);
		return;
	}
	s->binding_id = a->binding_id;
	s->phone_called = a->phone_called;
	s->of_phone = a->binding_id && !a->emergency;
	s->flow = a->invite->flow;
	s->age_s = age_of(m);
	if (session_insert(ss, s, (uint64_t)s->age_s * 1000))
		session_keep(s);
}

static unsigned sender(const struct session *s, const struct sip_msg *m)
{
	return str_eq(m->from_tag, s->names.tag[CALLER]) ? CALLER : CALLEE;
}

void session_request(struct sessions *ss, const struct sip_msg *m, uint64_t binding_id)
{
	struct session *s = find_dialog(ss, m, binding_id);

	if (!s || m->cseq <= s->ends->cseq[sender(s, m)])
		return;
	s->ends->cseq[sender(s, m)] = m->cseq;
	session_keep(s);
}

void session_refreshed(struct sessions *ss, const struct sip_msg *req, const struct sip_msg *answer, uint64_t binding_id)
{
	struct session *s = find_dialog(ss, req, binding_id);

	if (!s)
		return;
	dialog_ends_request(s->ends, sender(s, req), req);
	dialog_ends_response(s->ends, !sender(s, req), answer);
	s->age_s = age_of(answer);
	timer_start(ss->pw->w->wheel, &s->age, (uint64_t)s->age_s * 1000);
	session_keep(s);
}

void session_over(struct sessions *ss, const struct sip_msg *bye, uint64_t binding_id)
{
	struct session *s = find_dialog(ss, bye, binding_id);

	if (s)
		session_end(s);
}

static bool is_ringing(const struct hnode *n, const void *key)
{
	const struct ringing *g = container_of(n, struct ringing, by_call);
	const struct call_key *k = key;

	return str_eq(proxy_request(g->p)->call_id, k->call_id) && (!k->binding_id || (g->b && g->b->id == k->binding_id));
}

static struct ringing *find_ringing(const struct sessions *ss, struct str call_id, uint64_t binding_id)
{
	const struct call_key k = { .call_id = call_id, .binding_id = binding_id };
	struct hnode *n = htab_find(&ss->ringing_by_call, hash_str(call_id), is_ringing, &k);

	return n ? container_of(n, struct ringing, by_call) : NULL;
}

struct str session_icid(const struct sessions *ss, const struct sip_msg *m, uint64_t binding_id)
{
	const struct session *s = find_dialog(ss, m, binding_id);
	const struct ringing *g = s ? NULL : find_ringing(ss, m->call_id, binding_id);

	return s ? s->icid : g ? g->icid : STR_NONE;
}

bool session_is_foreign(const struct sessions *ss, const struct sip_msg *m, uint64_t binding_id)
{
	const struct call_key any = { .call_id = m->call_id, .binding_id = binding_id };

	return session_find(ss, &any) && !find_dialog(ss, m, binding_id) && !find_ringing(ss, m->call_id, 0);
}

bool session_caller_flow(struct sessions *ss, const struct sip_msg *m, struct sip_flow *ret)
{
	struct session *s = find_dialog(ss, m, 0);

	if (!s || s->binding_id || s->phone_called)
		return false;
	*ret = s->flow;
	return true;
}
