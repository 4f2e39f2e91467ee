/* icscf/ask.c - a request in progress: made with its proxy, freed when the transaction is gone. */
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/clock.h"
#include "icscf/icscf.h"

static METRIC_DEF(m_outcomes, "cscf_icscf_requests_total", METRIC_COUNTER,
		  "Requests by procedure and by where they went: how the S-CSCF was found, or the status of our refusal.",
		  "procedure", "outcome");

static METRIC_DEF(m_attempts, "cscf_icscf_scscf_attempts_total", METRIC_COUNTER,
		  "Requests sent to each S-CSCF by how it took them.", "scscf", "result");

void icscf_figures_register(void)
{
	metrics_register(&m_outcomes);
	metrics_register(&m_attempts);
}

static const char *const procedures[] = { "register", "originating", "terminating", "forward" };

/* ---- what one outside may not learn: SEC-06 ---- */

bool icscf_hides(const struct icscf_ask *a, unsigned status)
{
	return a->outside && a->iw->i->hide_users && a->proc == PROC_TERMINATING && a->m->to_tag.l == 0 &&
	       (status == 404 || status == 480 || status == 604);
}

static void on_held(struct timer *t)
{
	struct icscf_ask *a = container_of(t, struct icscf_ask, held);

	if (icscf_ask_open(a))
		tx_refuse(proxy_server(a->p), &(const struct refusal){ .status = 480, .why = "the callee is not available", .quiet = true,
								       .secret = true });
}

/* Timers fire at whole milliseconds, so medians differ by one at most. */
static void hold(struct icscf_ask *a)
{
	uint64_t due = a->came_ms + a->iw->i->refusal_ms, now = a->iw->w->wheel->now_ms;

	timer_start(a->iw->w->wheel, &a->held, due > now ? due - now : 0);
}

struct icscf_ask *icscf_ask_new(struct icscf_worker *iw, struct tx_server *st, struct sip_msg *m, enum icscf_procedure proc)
{
	struct icscf_ask *a = calloc(1, sizeof(*a));

	if (a)
		a->p = proxy_new(iw->w->proxy, st, m, &icscf_proxy_ops, a);
	if (!a || !a->p) {
		free(a);
		tx_refuse_why(st, 500, "out of memory");
		return NULL;
	}
	a->iw = iw;
	a->m = m;
	a->came_ms = iw->w->wheel->now_ms;
	timer_init(&a->held, on_held);
	a->proc = proc;
	a->sel = icscf_selection(iw->i);
	return a;
}

void icscf_ask_free(struct icscf_ask *a)
{
	if (a->cx)
		dia_client_cancel(a->iw->w->dia, a->cx);
	timer_stop(&a->held);
	sip_msg_unref(a->last);
	obj_unref(a->sel);
	free(a);
}

bool icscf_ask_open(const struct icscf_ask *a)
{
	struct tx_server *st = proxy_server(a->p);

	return st && !tx_server_final_sent(st);
}

void icscf_outcome(const struct icscf_ask *a, const char *outcome, struct str scscf)
{
	metric_add(&m_outcomes, procedures[a->proc], outcome, 1);
	log_info(a->proc == PROC_REGISTER ? LOG_REG : LOG_SESS, "sent on", LOG_C("procedure", procedures[a->proc]),
		 LOG_C("method", sip_method_name(a->m->method)), LOG_S("impi", a->impi), LOG_S("impu", a->impu),
		 LOG_C("how", outcome), LOG_S("to", scscf), LOG_U("cx_ms", a->asked_us ? (clock_mono_us() - a->asked_us) / 1000 : 0),
		 LOG_S("call_id", a->m->call_id));
}

void icscf_attempt(struct str scscf, const char *result)
{
	char text[128];

	str_copy(scscf, text, sizeof(text));
	metric_add(&m_attempts, text, result, 1);
}

void icscf_refuse(struct icscf_ask *a, unsigned status, bool retry, const char *why)
{
	struct refusal r = { .status = status, .why = why, .quiet = true, .secret = status / 100 != 5,
			     .side = a->proc == PROC_TERMINATING ? "term" : a->proc == PROC_FORWARD ? NULL : "orig" };
	char code[8];

	if (!icscf_ask_open(a))
		return;
	snprintf(code, sizeof(code), "%u", status);
	metric_add(&m_outcomes, procedures[a->proc], code, 1);
	log_info(a->proc == PROC_REGISTER ? LOG_REG : LOG_SESS, "refused", LOG_C("procedure", procedures[a->proc]),
		 LOG_C("method", sip_method_name(a->m->method)), LOG_U("status", status), LOG_C("why", why),
		 LOG_S("impi", a->impi), LOG_S("impu", a->impu), LOG_S("call_id", a->m->call_id));
	if (icscf_hides(a, status)) {
		hold(a);
		return;
	}
	if (retry && a->retry_after_s)		/* the S-CSCF's wish, as it is */
		r.extra = arena_printf(a->m->arena, "Retry-After: %u\r\n", a->retry_after_s);
	else if (retry)
		r.retry_after_s = a->sel->retry_after_s;
	tx_refuse(proxy_server(a->p), &r);
}

/* The answer lives until its callback returns, so all is copied; names in their canonical form. */
void icscf_caps_keep(struct icscf_ask *a, const struct cx_caps *caps)
{
	struct cx_caps *c = arena_zalloc(a->m->arena, sizeof(*c));
	char text[SCSCF_URI_MAX];
	struct str uri;

	if (!c)
		return;
	c->mandatory = caps->mandatory;
	c->optional = caps->optional;
	for (unsigned i = 0; i < caps->server_names.n; i++) {
		if (scscf_uri(caps->server_names.v[i], text, &uri) < 0)
			continue;
		uri = arena_dup(a->m->arena, uri);
		if (uri.p)
			c->server_names.v[c->server_names.n++] = uri;
	}
	a->caps = c;
}

void icscf_heard(struct icscf_ask *a, struct str hss)
{
	if (a->sel->tell_user_database && hss.l)
		sip_out_set(proxy_out(a->p), SIP_H_PUSER_DATABASE, arena_printf(a->m->arena, "<aaa://%.*s>", STR_ARG(hss)));
}
