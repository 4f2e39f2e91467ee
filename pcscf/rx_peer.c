/* pcscf/rx_peer.c - what the PCRF asks of us: ASR and RAR.  TS 29.214 §4.4.6; TS 24.229 §5.2.8; rows Q5 Q6 Q9.
 *
 * Both come on the loop of the worker whose number ends the Session-Id. */
#include <stdio.h>
#include "common/log/log.h"
#include "pcscf/rx.h"

static METRIC_DEF(m_events, "cscf_pcscf_rx_events_total", METRIC_COUNTER, "What PCRFs told by themselves.", "event", NULL);

static struct loop *loop_of(void *u, struct str session_id)
{
	struct pcscf *p = u;
	unsigned worker;

	if (!p->cfg.policy.used[POLICY_RX] ||	/* a session of the process before this one */
	    !atomic_load(&p->rx_ready) || rx_session_tail(session_id, &worker) < 0 || worker >= stack_n_workers(p->stack))
		return NULL;
	return stack_worker(p->stack, worker)->loop;
}

static struct rx_session *session_of(struct pcscf *p, struct str id)
{
	unsigned worker;

	if (rx_session_tail(id, &worker) < 0)
		return NULL;
	return rx_find(pcscf_of(stack_worker(p->stack, worker))->rx, id);
}

static struct str reason_of(const char *text, char dst[128])
{
	return str_make(dst, (size_t)snprintf(dst, 128, "SIP;cause=503;text=\"%s\"", text));
}

/* §4.4.6.1: the session is over there; ASA, then STR, and the call that it was for. */
static void on_asr(void *u, struct dia_peer_request *q, const struct rx_asr *r)
{
	struct rx_session *s = session_of(u, r->session_id);
	struct rx_asa a = { .result = { 0, s ? DIA_SUCCESS : DIA_UNKNOWN_SESSION_ID, false } };
	const char *why = rx_abort_name(r->cause);
	struct call *c = s ? s->call : NULL;
	bool signalling = s && s->signalling;
	char text[128];

	metric_add(&m_events, "abort", NULL, 1);
	if (c)
		log_correlation(c->icid);
	log_info(LOG_SESS, "the PCRF aborts a session", LOG_C("why", why), LOG_S("session", r->session_id), LOG_C("known", s ? "yes" : "no"));
	rx_asa_send(q, &a);
	if (c)
		policy_lost(c, NULL, 0, true, why, reason_of(why, text));
	else if (signalling)
		rx_signalling_lost(s, why);
	log_correlation(STR_NONE);
}

/* The components whose flows are meant; none: the whole session. */
static unsigned components(const struct rx_rar *r, uint32_t ret[RX_MAX_REPORTS])
{
	for (unsigned i = 0; i < r->n_flows; i++)
		ret[i] = r->flow[i].media;
	return r->n_flows;
}

static void obey(struct rx_session *s, const struct rx_rar *r, uint32_t action)
{
	uint32_t number[RX_MAX_REPORTS];
	unsigned n = components(r, number);
	const char *why = rx_action_name(action);
	char text[128];

	metric_add(&m_events, why, NULL, 1);
	log_info(LOG_SESS, "the PCRF tells", LOG_C("what", why), LOG_U("components", n), LOG_C("session", s->id));
	switch (action) {
	case RX_LOSS_OF_BEARER:
	case RX_RELEASE_OF_BEARER:
	case RX_FAILED_ALLOCATION:
		if (s->call)
			policy_lost(s->call, number, n, false, why, reason_of(why, text));
		else if (s->signalling && action != RX_FAILED_ALLOCATION && s->pw->p->cfg.policy.release_on_loss)
			rx_signalling_lost(s, why);
		break;
	default:		/* recovery, access change, location: rx_take_access() has noted what came along */
		break;
	}
}

static void on_rar(void *u, struct dia_peer_request *q, const struct rx_rar *r)
{
	struct rx_session *s = session_of(u, r->session_id);
	struct rx_raa a = { .result = { 0, s ? DIA_SUCCESS : DIA_UNKNOWN_SESSION_ID, false } };
	struct str id = r->session_id;
	struct rx_rar copy = *r;		/* its texts go with the answer */
	char kept[RX_SESSION_ID_BYTES];

	str_copy(id, kept, sizeof(kept));
	if (s && s->call)
		log_correlation(s->call->icid);
	if (s)
		rx_take_access(s, &r->access);
	rx_raa_send(q, &a);
	/* The first may end the call, and the session with it. */
	for (unsigned i = 0; i < copy.actions.n; i++) {
		s = rx_find(pcscf_of(worker_current())->rx, str_from_c(kept));
		if (s)
			obey(s, &copy, copy.actions.v[i]);
	}
	log_correlation(STR_NONE);
}

void rx_start(struct pcscf *p)
{
	static const struct rx_server_ops ops = { .loop_of = loop_of, .asr = on_asr, .rar = on_rar };

	metrics_register(&m_events);
	rx_serve(&ops, p);
}
