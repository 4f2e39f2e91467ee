/* common/daemon/guard.c - what stands before the transactions of a worker: new work is admitted by the measured delay, and
 * refused at no cost.  Rows C18, X10; RFC 6357; RFC 3261 §21.5.4. */
#include <stdio.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/sip/auth.h"
#include "common/util/clock.h"
#include "common/util/rand.h"

static METRIC_DEF(m_admitted, "cscf_admitted_total", METRIC_COUNTER, "New requests that were let in.", NULL, NULL);
static METRIC_DEF(m_refused, "cscf_overload_refused_total", METRIC_COUNTER, "New requests refused because messages wait too long.",
		  "method", NULL);
static METRIC_DEF(m_percent, "cscf_admission_percent", METRIC_GAUGE, "Part of the new requests that is let in.", "worker", NULL);
static METRIC_DEF(m_wait, "cscf_queue_delay_seconds", METRIC_HISTOGRAM, "How long new requests waited before they were taken up.",
		  NULL, NULL);
static METRIC_DEF(m_drops, "cscf_kernel_drops_total", METRIC_COUNTER, "Datagrams that found no room in a socket's buffer.", NULL,
		  NULL);

/* The P-CSCF says so in the Authorization (TS 24.229 §5.2.2), or the role knows the flow. */
static bool is_known(struct worker *w, const struct sip_msg *m)
{
	struct str value = sip_msg_value(m, SIP_H_AUTHORIZATION);
	struct auth_params p;

	if (w->stack->ops->standing && w->stack->ops->standing(w, &m->flow) == STANDING_REGISTERED)
		return true;
	if (!value.l || auth_params_parse(value, &p) < 0)
		return false;
	return str_ieq(p.integrity_protected, STR("yes")) || str_ieq(p.integrity_protected, STR("ip-assoc-yes")) ||
	       str_ieq(p.integrity_protected, STR("tls-yes"));
}

static bool on_admit(void *u, struct sip_msg *m, struct refusal *ret)
{
	struct worker *w = u;
	struct worker_full *f = container_of(w, struct worker_full, w);
	struct admission *a = &f->admission;
	uint64_t now = clock_mono_us();
	bool known = a->fraction < ADMISSION_ONE && m->method == SIP_REGISTER && is_known(w, m);
	enum admission_class c = admission_class_of(a, m, known);

	if (c != ADMISSION_ALWAYS && m->recv_us)
		metric_observe_us(&m_wait, NULL, NULL, now > m->recv_us ? now - m->recv_us : 0);
	if (admission_decide(a, c, now, rand_u32())) {
		f->admitted++;
		return true;
	}
	metric_add(&m_refused, sip_method_name(m->method), NULL, 1);
	ret->status = 503;
	ret->why = "messages wait too long";
	ret->quiet = true;
	ret->extra = arena_printf(m->arena, "Retry-After: %u\r\n", admission_retry_after_s(a, rand_u32()));
	return false;
}

void guard_measure(struct worker_full *f, const struct sip_msg *m)
{
	uint64_t now = clock_mono_us(), drops = transport_kernel_drops(f->w.transport);

	if (drops != f->last_drops)
		admission_lost(&f->admission, drops - f->last_drops);
	f->last_drops = drops;
	admission_measure(&f->admission, now, now > m->recv_us ? now - m->recv_us : 0);
}

void guard_stats(struct worker_full *f, const struct transport_stats *tp)
{
	uint64_t lost = tp->kernel_drops - f->last_tp.kernel_drops;
	unsigned percent = 100 - admission_loss_percent(&f->admission, clock_mono_us());
	char worker[8];

	metric_add(&m_admitted, NULL, NULL, f->admitted - f->last_admitted);
	metric_add(&m_drops, NULL, NULL, lost);
	f->last_admitted = f->admitted;
	if (percent == f->last_percent)
		return;
	snprintf(worker, sizeof(worker), "%u", f->w.id);
	metric_set(&m_percent, worker, NULL, percent);
	if ((percent < 100) != (f->last_percent < 100))
		log_warn(LOG_CORE, percent < 100 ? "overload: new requests are refused" : "overload is over",
			 LOG_U("admitted_percent", percent), LOG_U("waited_ms", f->admission.worst_us / 1000));
	f->admission.worst_us = 0;
	f->last_percent = percent;
}

void guard_read_config(const struct cfg_node *r, struct admission_config *ret)
{
	ret->enabled = cfg_bool(r, "sip.overload.enabled");
	ret->target_us = (uint64_t)cfg_int(r, "sip.overload.target_delay_ms") * 1000;
	for (size_t i = 0; i < cfg_list_len(r, "sip.overload.never_refuse") && ret->n_never_refuse < ADMISSION_MAX_NAMES; i++)
		ret->never_refuse[ret->n_never_refuse++] = cfg_strs_at(r, "sip.overload.never_refuse", i);
}

void guard_open(struct worker_full *f)
{
	struct metric *const all[] = { &m_admitted, &m_refused, &m_percent, &m_wait, &m_drops };
	struct admission_config c = { 0 };
	char worker[8];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		metrics_register(all[i]);
	guard_read_config(cfg_root(f->w.stack->config), &c);
	admission_init(&f->admission, &c, clock_mono_us());
	f->last_percent = 100;
	snprintf(worker, sizeof(worker), "%u", f->w.id);
	metric_set(&m_percent, worker, NULL, 100);
	tx_layer_set_admit_fn(f->w.tx, on_admit);
}
