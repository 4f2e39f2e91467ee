/* pcscf/session.c - see session.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/proxy/uac.h"
#include "common/util/hash.h"
#include "pcscf/call.h"
#include "pcscf/session.h"

#define SESSION_AGE_S (24u * 3600)	/* nothing passed so long: forgotten.  As the dialog table */
#define SESSION_GRACE_S 32u		/* after a session timer (RFC 4028 §8.3) */
#define BYE_MAX_BYTES 8192u
#define BYE_REASON_BYTES 160u

static METRIC_DEF(m_sessions, "cscf_pcscf_sessions", METRIC_GAUGE, "Answered calls.", NULL, NULL);
static METRIC_DEF(m_released, "cscf_pcscf_sessions_released_total", METRIC_COUNTER, "Calls that this node ended by itself, by reason.",
		  "reason", NULL);
static METRIC_DEF(m_unwatched, "cscf_pcscf_sessions_unwatched_total", METRIC_COUNTER,
		  "Answered calls beyond access.max_sessions, which cannot be released.", NULL, NULL);

enum { CALLER, CALLEE };
struct end {
	char *who;			/* its name-addr with the tag, as in From or To */
	char *tag;
	char *target;			/* URI of its Contact */
	char *route;			/* "Route: ...\r\n", or empty: how we reach it */
	uint32_t cseq;			/* of the last request it sent */
};
struct session {
	struct hnode by_call, by_phone;
	struct list link;
	struct timer age;
	struct sessions *ss;
	char *call_id;
	uint64_t binding_id;
	uint32_t age_s;
	bool phone_called, of_phone;	/* of_phone: ends with the registration */
	struct end end[2];
	struct sip_flow flow;		/* of a caller without a registration */
};
struct sessions {
	struct pcscf_worker *pw;
	struct htab by_call, by_phone;
	struct list all, ringing;
	uint32_t n, max;
};

/* ---- finding ---- */

struct call_key {
	struct str call_id, a, b;	/* tags, in whatever order; both empty: any */
	uint64_t binding_id;		/* 0: any */
};

static bool is_call(const struct hnode *n, const void *key)
{
	const struct session *s = container_of(n, struct session, by_call);
	const struct call_key *k = key;

	if (!str_eq_c(k->call_id, s->call_id) || (k->binding_id && k->binding_id != s->binding_id))
		return false;
	if (!k->a.l && !k->b.l)
		return true;
	return (str_eq_c(k->a, s->end[CALLER].tag) && str_eq_c(k->b, s->end[CALLEE].tag)) ||
	       (str_eq_c(k->b, s->end[CALLER].tag) && str_eq_c(k->a, s->end[CALLEE].tag));
}

static struct session *find(const struct sessions *ss, const struct call_key *k)
{
	struct hnode *n = ss->n ? htab_find(&ss->by_call, hash_str(k->call_id), is_call, k) : NULL;

	return n ? container_of(n, struct session, by_call) : NULL;
}

static struct session *find_dialog(const struct sessions *ss, const struct sip_msg *m, uint64_t binding_id)
{
	const struct call_key k = { m->call_id, m->from_tag, m->to_tag, binding_id };

	return m->to_tag.l ? find(ss, &k) : NULL;
}

static bool is_of_phone(const struct hnode *n, const void *key)
{
	return container_of(n, struct session, by_phone)->binding_id == *(const uint64_t *)key;
}

/* ---- life ---- */

static void end_free(struct end *e)
{
	free(e->who);
	free(e->tag);
	free(e->target);
	free(e->route);
}

static void session_free(struct session *s)
{
	struct sessions *ss = s->ss;

	timer_stop(&s->age);
	htab_del(&ss->by_call, &s->by_call);
	if (s->of_phone)
		htab_del(&ss->by_phone, &s->by_phone);
	list_del(&s->link);
	ss->n--;
	metric_adjust(&m_sessions, NULL, NULL, -1);
	end_free(&s->end[CALLER]);
	end_free(&s->end[CALLEE]);
	free(s->call_id);
	free(s);
}

static void on_age(struct timer *t)
{
	struct session *s = container_of(t, struct session, age);

	log_debug(LOG_SESS, "session forgotten", LOG_C("call_id", s->call_id));
	session_free(s);
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
	if (htab_init(&ss->by_call, 64) < 0 || htab_init(&ss->by_phone, 64) < 0) {
		htab_fini(&ss->by_call);
		free(ss);
		return NULL;
	}
	metrics_register(&m_sessions);
	metrics_register(&m_released);
	metrics_register(&m_unwatched);
	return ss;
}

void sessions_free(struct sessions *ss)
{
	if (!ss)
		return;
	while (!list_empty(&ss->ringing))
		ringing_end(list_entry(ss->ringing.next, struct ringing, link));
	while (!list_empty(&ss->all))
		session_free(list_entry(ss->all.next, struct session, link));
	htab_fini(&ss->by_call);
	htab_fini(&ss->by_phone);
	free(ss);
}

size_t sessions_count(const struct sessions *ss)
{
	return ss->n;
}

/* ---- what passes ---- */

static struct str contact_of(const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_CONTACT);
	struct sip_nameaddr na;
	struct str v;

	return sip_values_next(&it, &v) && sip_nameaddr_parse(v, &na) == 0 && !na.star ? na.uri.text : STR_NONE;
}

static void take_target(struct end *e, const struct sip_msg *m)
{
	struct str uri = contact_of(m);
	char *copy = uri.l ? str_dup(uri) : NULL;

	if (!copy)
		return;
	free(e->target);
	e->target = copy;
}

/* RFC 3261 §12.1: the values until `stop`, reversed for who sent the request, in their order for who got it. */
static char *route_of(const struct sip_msg *m, struct str stop, bool reverse)
{
	struct sip_values it = sip_values(m, SIP_H_RECORD_ROUTE);
	struct str v, hop[SIP_MSG_MAX_HDRS];
	unsigned n = 0;
	struct buf b;
	char *text;

	while (n < SIP_MSG_MAX_HDRS && sip_values_next(&it, &v) && !(stop.l && str_eq(v, stop)))
		hop[n++] = v;
	buf_init(&b, BYE_MAX_BYTES);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, "Route: %.*s\r\n", STR_ARG(hop[reverse ? n - 1 - i : i]));
	text = b.failed ? NULL : str_dup(buf_str(&b));
	buf_fini(&b);
	return text;
}

static bool complete(const struct session *s)
{
	for (int i = 0; i < 2; i++)
		if (!s->end[i].who || !s->end[i].tag || !s->end[i].target || !s->end[i].route)
			return false;
	return s->call_id;
}

static uint32_t age_of(const struct sip_msg *answer)
{
	struct str v = sip_msg_value(answer, SIP_H_SESSION_EXPIRES), seconds, params;
	uint32_t n;

	str_cut(v, ';', &seconds, &params);
	return str_to_u32(str_trim(seconds), &n) == 0 && n < SESSION_AGE_S ? n + SESSION_GRACE_S : SESSION_AGE_S;
}

static void touch(struct session *s)
{
	timer_start(s->ss->pw->w->wheel, &s->age, (uint64_t)s->age_s * 1000);
}

static struct session *session_make(const struct session_answer *a)
{
	struct end caller = { str_dup(sip_msg_value(a->answer, SIP_H_FROM)), str_dup(a->answer->from_tag), NULL, NULL, a->invite->cseq };
	struct end callee = { str_dup(sip_msg_value(a->answer, SIP_H_TO)), str_dup(a->answer->to_tag), NULL, NULL, 0 };
	struct session *s = calloc(1, sizeof(*s));

	if (!s) {
		end_free(&caller);
		end_free(&callee);
		return NULL;
	}
	take_target(&caller, a->invite);
	take_target(&callee, a->answer);
	/* The phone's side is where its registration is; the other one by the route set. */
	caller.route = a->phone_called ? route_of(a->invite, STR_NONE, false) : str_dup(STR_NONE);
	callee.route = a->phone_called ? str_dup(STR_NONE) : route_of(a->answer, a->record_route, true);
	*s = (struct session){ .call_id = str_dup(a->invite->call_id), .binding_id = a->binding_id, .phone_called = a->phone_called,
			       .of_phone = a->binding_id && !a->emergency, .age_s = age_of(a->answer), .end = { caller, callee }, .flow = a->invite->flow };
	if (complete(s))
		return s;
	end_free(&s->end[CALLER]);
	end_free(&s->end[CALLEE]);
	free(s->call_id);
	free(s);
	return NULL;
}

void session_answered(struct sessions *ss, const struct session_answer *a)
{
	struct session *s = find_dialog(ss, a->answer, a->binding_id);

	if (s || !a->answer->to_tag.l)
		return;
	s = ss->n < ss->max ? session_make(a) : NULL;
	if (!s) {
		metric_add(&m_unwatched, NULL, NULL, 1);
		return;
	}
	s->ss = ss;
	timer_init(&s->age, on_age);
	htab_add(&ss->by_call, &s->by_call, hash_str(a->invite->call_id));
	if (s->of_phone)
		htab_add(&ss->by_phone, &s->by_phone, s->binding_id);
	list_add_tail(&ss->all, &s->link);
	ss->n++;
	metric_adjust(&m_sessions, NULL, NULL, 1);
	touch(s);
}

static struct end *sender(struct session *s, const struct sip_msg *m)
{
	return &s->end[str_eq_c(m->from_tag, s->end[CALLER].tag) ? CALLER : CALLEE];
}

void session_request(struct sessions *ss, const struct sip_msg *m, uint64_t binding_id)
{
	struct session *s = find_dialog(ss, m, binding_id);

	if (s && m->cseq > sender(s, m)->cseq)
		sender(s, m)->cseq = m->cseq;
}

void session_refreshed(struct sessions *ss, const struct sip_msg *req, const struct sip_msg *answer, uint64_t binding_id)
{
	struct session *s = find_dialog(ss, req, binding_id);
	struct end *e;

	if (!s)
		return;
	e = sender(s, req);
	take_target(e, req);
	take_target(&s->end[e == &s->end[CALLER] ? CALLEE : CALLER], answer);
	s->age_s = age_of(answer);
	touch(s);
}

void session_over(struct sessions *ss, const struct sip_msg *bye, uint64_t binding_id)
{
	struct session *s = find_dialog(ss, bye, binding_id);

	if (s)
		session_free(s);
}

bool session_caller_flow(struct sessions *ss, const struct sip_msg *m, struct sip_flow *ret)
{
	struct session *s = find_dialog(ss, m, 0);

	if (!s || s->binding_id || s->phone_called)
		return false;
	*ret = s->flow;
	return true;
}

/* ---- calls that nobody has answered ---- */

static uint32_t ringing_left_s(const struct pcscf_config *c)
{
	return c->max_ringing_s > c->early_grace_s ? c->max_ringing_s - c->early_grace_s : 1;
}

/* Who lets a phone ring has few calls; who begins many that are answered at once (a gateway, a load test) is no attacker. */
static void hangs(struct ringing *g)
{
	g->hangs = true;
	if (!g->limited)
		return;
	binding_early_add(g->b);
	g->counted = true;
}

static void on_ringing(struct timer *t)
{
	struct ringing *g = container_of(t, struct ringing, timer);

	if (g->hangs) {
		proxy_reject(g->p, &(const struct refusal){ .status = 408, .why = "nobody answers the call" });
		return;
	}
	hangs(g);
	timer_start(g->ss->pw->w->wheel, &g->timer, (uint64_t)ringing_left_s(&g->ss->pw->p->cfg) * 1000);
}

bool ringing_begin(struct sessions *ss, struct ringing *g, struct proxy *p, struct binding *b, bool from_phone, bool emergency)
{
	const struct pcscf_config *c = &ss->pw->p->cfg;

	*g = (struct ringing){ .ss = ss, .p = p, .b = b, .emergency = emergency, .limited = from_phone && b && !emergency };
	if (g->limited && binding_early(b) >= c->max_early_calls) {
		g->p = NULL;
		return false;
	}
	timer_init(&g->timer, on_ringing);
	list_add_tail(&ss->ringing, &g->link);
	if (!c->early_grace_s)
		hangs(g);
	timer_start(ss->pw->w->wheel, &g->timer, (uint64_t)(g->hangs ? c->max_ringing_s : c->early_grace_s) * 1000);
	return true;
}

void ringing_end(struct ringing *g)
{
	if (!g->p)
		return;
	timer_stop(&g->timer);
	list_del(&g->link);
	if (g->counted)
		binding_early_give(g->b);
	g->p = NULL;
}

/* ---- release ---- */

static void on_bye(void *arg, unsigned status, const struct sip_msg *m)
{
	(void)arg;
	(void)m;
	log_debug(LOG_SESS, "BYE of our own answered", LOG_U("status", status));
}

/* TS 24.229 §5.2.8.1: as if the other end had said it. */
static void bye(struct session *s, int to, const struct sip_flow *flow, struct str reason)
{
	const struct end *e = &s->end[to], *from = &s->end[!to];
	struct proxy_layer *l = s->ss->pw->w->proxy;
	struct buf b;

	buf_init(&b, BYE_MAX_BYTES);
	buf_printf(&b, "BYE %s SIP/2.0\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u BYE\r\nMax-Forwards: 70\r\n%s"
		   "Reason: %.*s\r\nContent-Length: 0\r\n\r\n", e->target, from->who, e->who, s->call_id,
		   from->cseq + 1, e->route, STR_ARG(reason));
	if (b.failed || !uac_send_to(l, buf_str(&b), flow, flow ? TX_UE : TX_CORE, 0, on_bye, NULL))
		log_warn(LOG_SESS, "a call cannot be ended", LOG_C("call_id", s->call_id), LOG_C("to", to == CALLER ? "caller" : "callee"));
	buf_fini(&b);
}

static void release(struct session *s, const struct binding *b, const char *why, struct str reason)
{
	char text[BYE_REASON_BYTES];
	struct sip_flow flow;
	int phone = s->phone_called ? CALLEE : CALLER;

	log_info(LOG_SESS, "call released", LOG_C("why", why), LOG_C("call_id", s->call_id));
	metric_add(&m_released, why, NULL, 1);
	if (b)
		pcscf_access_path(b, &flow);
	else
		flow = s->flow;
	if (!reason.l)
		reason = str_make(text, (size_t)snprintf(text, sizeof(text), "SIP;cause=503;text=\"%s\"", why));
	bye(s, !phone, NULL, reason);
	bye(s, phone, b || (!s->binding_id && !s->phone_called) ? &flow : NULL, reason);
	calls_over(s->ss->pw->calls, str_from_c(s->call_id), s->binding_id, why);
	session_free(s);
}

static void release_ringing(struct ringing *g, const char *why)
{
	struct proxy *p = g->p;

	metric_add(&m_released, why, NULL, 1);
	log_info(LOG_SESS, "call released before it was answered", LOG_C("why", why), LOG_S("call_id", proxy_request(p)->call_id));
	ringing_end(g);
	proxy_reject(p, &(const struct refusal){ .status = 503, .why = why });
}

struct job {
	struct binding *b;		/* a reference */
	const char *why;
};

static void release_phone(struct worker *w, void *arg)
{
	struct sessions *ss = pcscf_of(w)->sessions;
	struct job *j = arg;
	struct list *i, *tmp;
	struct hnode *n;

	while ((n = htab_find(&ss->by_phone, j->b->id, is_of_phone, &j->b->id)))
		release(container_of(n, struct session, by_phone), j->b, j->why, STR_NONE);
	list_for_each_safe(i, tmp, &ss->ringing) {
		struct ringing *g = list_entry(i, struct ringing, link);

		if (g->b && g->b->id == j->b->id && !g->emergency)
			release_ringing(g, j->why);
	}
	obj_unref(j->b);
	free(j);
}

void pcscf_release_phone(struct pcscf_worker *pw, struct binding *b, const char *why)
{
	struct stack *s = pw->p->stack;

	for (unsigned i = 0; i < stack_n_workers(s); i++) {
		struct job *j = malloc(sizeof(*j));

		if (!j)
			return;
		*j = (struct job){ obj_ref(b), why };
		if (worker_call(pw->w, stack_worker(s, i), release_phone, j) < 0) {
			log_error(LOG_SESS, "a worker takes nothing: calls of a phone that has gone go on", LOG_S("impi", b->impi));
			obj_unref(b);
			free(j);
		}
	}
}

unsigned sessions_release_answered(struct sessions *ss, struct str call_id, uint64_t binding_id, const char *why, struct str reason)
{
	const struct call_key these = { .call_id = call_id, .binding_id = binding_id };
	struct session *s;
	unsigned n = 0;

	for (; (s = find(ss, &these)); n++) {
		struct binding *b = phone_by_id(ss->pw->p->phones, s->binding_id);

		release(s, b, why, reason);
		obj_unref(b);
	}
	return n;
}

unsigned sessions_release_call(struct sessions *ss, struct str call_id, const char *why)
{
	unsigned n = sessions_release_answered(ss, call_id, 0, why, STR_NONE);
	struct list *i, *tmp;

	list_for_each_safe(i, tmp, &ss->ringing) {
		struct ringing *g = list_entry(i, struct ringing, link);

		if (!str_eq(proxy_request(g->p)->call_id, call_id))
			continue;
		release_ringing(g, why);
		n++;
	}
	return n;
}
