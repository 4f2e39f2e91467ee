/* pcscf/session_release.c - calls ended by this node: TS 24.229 §5.2.8.1; row P19; see session.h. */
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/proxy/uac.h"
#include "common/sip/charging.h"
#include "pcscf/call.h"
#include "pcscf/policy.h"
#include "pcscf/session_private.h"

#define BYE_REASON_BYTES 160u

static METRIC_DEF(m_released, "cscf_pcscf_sessions_released_total", METRIC_COUNTER, "Calls that this node ended by itself, by reason.",
		  "reason", NULL);

void sessions_release_start(void)
{
	metrics_register(&m_released);
}

static void on_bye(void *arg, unsigned status, const struct sip_msg *m)
{
	(void)arg;
	(void)m;
	log_debug(LOG_SESS, "BYE of our own answered", LOG_U("status", status));
}

/* TS 24.229 §5.2.8.1: as if the other end had said it. */
static void bye(struct session *s, unsigned to, const struct sip_flow *flow, struct str reason)
{
	struct proxy_layer *l = s->ss->pw->w->proxy;
	bool core = to == (s->phone_called ? CALLER : CALLEE);
	struct arena *a = core && s->icid.l ? arena_new(CHARGING_BYTES) : NULL;
	struct str vector = a ? pcscf_charging_known(s->ss->pw, a, s->icid, STR_NONE) : STR_NONE;
	struct str extra = vector.l ? arena_printf(a, "P-Charging-Vector: %.*s\r\n", STR_ARG(vector)) : STR_NONE;
	struct bytes *text = dialog_ends_bye(s->ends, to, &s->names, reason, extra);

	if (!text || !uac_send_to(l, bytes_str(text), flow, flow ? TX_UE : TX_CORE, 0, on_bye, NULL))
		log_warn(LOG_SESS, "a call cannot be ended", LOG_S("call_id", s->names.call_id), LOG_C("to", to == CALLER ? "caller" : "callee"));
	bytes_unref(text);
	arena_unref(a);
}

void session_release(struct session *s, const struct binding *b, const char *why, struct str reason)
{
	char text[BYE_REASON_BYTES];
	struct sip_flow flow;
	unsigned phone = s->phone_called ? CALLEE : CALLER;

	log_info(LOG_SESS, "call released", LOG_C("why", why), LOG_S("call_id", s->names.call_id));
	metric_add(&m_released, why, NULL, 1);
	if (b)
		pcscf_access_path(b, &flow);
	else
		flow = s->flow;
	if (!reason.l)
		reason = str_make(text, (size_t)snprintf(text, sizeof(text), "SIP;cause=503;text=\"%s\"", why));
	bye(s, !phone, NULL, reason);
	bye(s, phone, b || (!s->binding_id && !s->phone_called) ? &flow : NULL, reason);
	calls_over(s->ss->pw->calls, s->names.call_id, s->binding_id, why);
	policy_left_gone(s->ss->pw, s->names.call_id, s->binding_id);
	session_end(s);
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
	struct session *s;

	while ((s = session_of_phone(ss, j->b->id)))
		session_release(s, j->b, j->why, STR_NONE);
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

	for (; (s = session_find(ss, &these)); n++) {
		struct binding *b = phone_by_id(ss->pw->p->phones, s->binding_id);

		session_release(s, b, why, reason);
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
