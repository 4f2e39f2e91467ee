/* common/daemon/guard.c - what stands before the transactions of a worker: sources within their limits, strangers turned away,
 * new work admitted by the measured delay.  Rows C18, X10; SEC-10, SEC-11; RFC 6357; RFC 3261 §21.5.4. */
#include <errno.h>
#include <stdio.h>
#include "common/daemon/events.h"
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/sip/auth.h"
#include "common/util/clock.h"
#include "common/util/rand.h"

static METRIC_DEF(m_admitted, "cscf_admitted_total", METRIC_COUNTER, "New requests that were let in.", NULL, NULL);
static METRIC_DEF(m_refused, "cscf_overload_refused_total", METRIC_COUNTER, "New requests refused because messages wait too long.",
		  "method", NULL);
static METRIC_DEF(m_shed, "cscf_overload_shed_total", METRIC_COUNTER,
		  "New requests dropped unparsed and unanswered: even refusing them would have taken too long.", NULL, NULL);
static METRIC_DEF(m_held, "cscf_overload_held_total", METRIC_COUNTER,
		  "New requests not sent because the next hop asked for less (RFC 7339).", NULL, NULL);
static METRIC_DEF(m_percent, "cscf_admission_percent", METRIC_GAUGE, "Part of the new requests that is let in.", "worker", NULL);
static METRIC_DEF(m_wait, "cscf_queue_delay_seconds", METRIC_HISTOGRAM, "How long new requests waited before they were taken up.",
		  NULL, NULL);
static METRIC_DEF(m_drops, "cscf_kernel_drops_total", METRIC_COUNTER, "Datagrams that found no room in a socket's buffer.", NULL,
		  NULL);

static METRIC_DEF(m_dropped, "cscf_source_dropped_total", METRIC_COUNTER, "Messages and connections of sources that sent too much.",
		  "reason", NULL);
static METRIC_DEF(m_bans, "cscf_source_bans_total", METRIC_COUNTER, "Bans of sources.", "reason", NULL);
static METRIC_DEF(m_strangers, "cscf_strangers_refused_total", METRIC_COUNTER, "Requests of unknown senders that were turned away.",
		  "status", NULL);

static enum standing standing_of(struct worker *w, const struct sip_flow *from)
{
	return w->stack->ops->standing ? w->stack->ops->standing(w, from) : STANDING_TRUSTED;
}

/* An address may be forged, so nothing longer than what came goes there (SEC-11). */
static bool is_forgeable(enum standing who, const struct sip_flow *from)
{
	return who == STANDING_UNKNOWN && from->proto == SIP_UDP;
}

/* ---- emergencies ---- */

static bool is_urgent(struct worker *w, const struct sip_msg *m)
{
	return w->stack->ops->urgent && m->request && w->stack->ops->urgent(w, m->ruri_text, m);
}

static bool is_urgent_raw(struct worker *w, struct str raw)
{
	struct str method, rest, ruri;

	if (!w->stack->ops->urgent)
		return false;
	str_cut(raw, ' ', &method, &rest);
	return str_cut(rest, ' ', &ruri, &rest) && w->stack->ops->urgent(w, ruri, NULL);
}

/* ---- sources: before anything is parsed ---- */

static bool on_filter(void *u, const struct sip_flow *from, struct str raw)
{
	struct worker *w = u;
	struct admission *a = &container_of(w, struct worker_full, w)->admission;
	uint64_t now = loop_now_ms(w->loop);
	enum source_verdict v = w->stack->sources ? sources_take(w->stack->sources, &from->remote, now) : SOURCE_PASS;
	enum standing who;

	if (v == SOURCE_PASS) {
		if (from->proto != SIP_UDP || !admission_sifts(a, raw) || !admission_sheds(a, rand_u32()) ||
		    is_urgent_raw(w, raw))
			return true;
		metric_add(&m_shed, NULL, NULL, 1);
		return false;
	}
	who = standing_of(w, from);
	/* A registered phone does not suffer for others behind the same address, unless that is banned by hand; it has a limit of its own. */
	if (who == STANDING_TRUSTED ||
	    (who == STANDING_REGISTERED && v != SOURCE_BARRED && sources_take_flow(w->stack->sources, &from->remote, now) == SOURCE_PASS))
		return true;
	metric_add(&m_dropped, v == SOURCE_LIMITED ? "limit" : "banned", NULL, 1);
	return false;
}

static void tell_ban(struct worker *w, const char *source, const char *reason)
{
	cJSON *o;

	if (!events_wanted(w))
		return;
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "source", source);
	cJSON_AddStringToObject(o, "reason", reason);
	events_post(w, "ban.added", o);
}

enum source_verdict stack_source_event(struct worker *w, const struct sip_flow *from, enum source_event e)
{
	enum source_verdict v;
	char text[SOURCE_STRLEN];

	if (!w->stack->sources || standing_of(w, from) == STANDING_TRUSTED)
		return SOURCE_PASS;
	v = sources_event(w->stack->sources, &from->remote, e, loop_now_ms(w->loop));
	if (v == SOURCE_BANNED) {
		metric_add(&m_bans, source_event_name(e), NULL, 1);
		tell_ban(w, source_fmt(&from->remote, text), source_event_name(e));
		log_info(LOG_SEC, "source banned", LOG_C("source", text),
			 LOG_C("reason", source_event_name(e)),
			 LOG_U("seconds", cfg_int(cfg_root(w->stack->config), "sip.sources.ban_s")));
	}
	return v;
}

bool guard_malformed(struct worker *w, const struct sip_flow *from, size_t bytes, size_t *ret_max)
{
	*ret_max = is_forgeable(standing_of(w, from), from) ? bytes : 0;
	return stack_source_event(w, from, SOURCE_MALFORMED) == SOURCE_PASS;
}

/* ---- new requests: before a transaction is made ---- */

/* The P-CSCF says so in the Authorization (TS 24.229 §5.2.2), or the role knows the flow. */
static bool is_known(enum standing who, const struct sip_msg *m)
{
	struct str value = sip_msg_value(m, SIP_H_AUTHORIZATION);
	struct auth_params p;

	if (who == STANDING_REGISTERED)
		return true;
	if (!value.l || auth_params_parse(value, &p) < 0)
		return false;
	return str_ieq(p.integrity_protected, STR("yes")) || str_ieq(p.integrity_protected, STR("ip-assoc-yes")) ||
	       str_ieq(p.integrity_protected, STR("tls-yes"));
}

/* false: refused as *ret says. */
static bool is_welcome(struct worker *w, struct sip_msg *m, struct refusal *ret)
{
	const struct role_ops *ops = w->stack->ops;
	char status[8];

	ret->forgeable = ret->max_bytes > 0;
	if (!ops->turn_away || !ops->turn_away(w, m, ret))
		return true;
	snprintf(status, sizeof(status), "%u", ret->status);
	metric_add(&m_strangers, status, NULL, 1);
	if (ret->status >= 300)		/* a line of the log for each of the first ones only */
		ret->quiet = stack_source_event(w, &m->flow, SOURCE_REFUSED) != SOURCE_PASS;
	return false;
}

static bool on_admit(void *u, struct sip_msg *m, struct refusal *ret)
{
	struct worker *w = u;
	struct worker_full *f = container_of(w, struct worker_full, w);
	struct admission *a = &f->admission;
	enum standing who = standing_of(w, &m->flow);
	uint64_t now = clock_mono_us();
	enum admission_class c;

	ret->max_bytes = is_forgeable(who, &m->flow) ? m->raw.l : 0;
	if (who == STANDING_UNKNOWN && !is_welcome(w, m, ret))
		return false;
	c = admission_class_of(a, m, a->fraction < ADMISSION_ONE && m->method == SIP_REGISTER && is_known(who, m));
	if (c != ADMISSION_ALWAYS && a->fraction < ADMISSION_ONE && is_urgent(w, m))
		c = ADMISSION_ALWAYS;
	if (c != ADMISSION_ALWAYS && m->recv_us)
		metric_observe_us(&m_wait, NULL, NULL, now > m->recv_us ? now - m->recv_us : 0);
	if (admission_decide(a, c, m->flow.proto == SIP_UDP && admission_sifts(a, m->raw), now, rand_u32())) {
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

/* ---- neighbours: RFC 7339 ---- */

static unsigned on_overload(void *u)
{
	struct worker *w = u;

	return admission_loss_percent(&container_of(w, struct worker_full, w)->admission, clock_mono_us());
}

bool guard_may_hold(void *u, const struct sip_msg *m)
{
	struct worker *w = u;

	return admission_class_of(&container_of(w, struct worker_full, w)->admission, m, false) == ADMISSION_NEW && !is_urgent(w, m);
}

/* What has to get through when the table of transactions is full. */
static bool is_vital(void *u, const struct sip_msg *m)
{
	struct worker *w = u;

	return admission_class_of(&container_of(w, struct worker_full, w)->admission, m, false) == ADMISSION_ALWAYS || is_urgent(w, m);
}

/* ---- figures ---- */

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
	struct proxy_stats px;
	char worker[8];

	metric_add(&m_admitted, NULL, NULL, f->admitted - f->last_admitted);
	metric_add(&m_drops, NULL, NULL, lost);
	proxy_layer_stats(f->w.proxy, &px);
	metric_add(&m_held, NULL, NULL, px.held - f->last_px.held);
	f->last_px = px;
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
	atomic_store_explicit(&f->shown_percent, percent, memory_order_relaxed);
}

/* ---- configuration ---- */

static void read_admission(const struct cfg_node *r, struct admission_config *ret)
{
	ret->enabled = cfg_bool(r, "sip.overload.enabled");
	ret->target_us = (uint64_t)cfg_int(r, "sip.overload.target_delay_ms") * 1000;
	for (size_t i = 0; i < cfg_list_len(r, "sip.overload.never_refuse") && ret->n_never_refuse < ADMISSION_MAX_NAMES; i++)
		ret->never_refuse[ret->n_never_refuse++] = cfg_strs_at(r, "sip.overload.never_refuse", i);
}

static void read_sources(const struct cfg_node *r, struct sources_config *c)
{
	c->per_s = (uint32_t)cfg_int(r, "sip.sources.messages_per_s");
	c->burst = (uint32_t)cfg_int(r, "sip.sources.burst");
	c->answers_per_s = (uint32_t)cfg_int(r, "sip.sources.malformed_answers_per_s");
	c->ban_after[SOURCE_MALFORMED] = (uint32_t)cfg_int(r, "sip.sources.ban_after_malformed");
	c->ban_after[SOURCE_REFUSED] = (uint32_t)cfg_int(r, "sip.sources.ban_after_refused");
	c->ban_after[SOURCE_AUTH_FAILED] = (uint32_t)cfg_int(r, "sip.sources.ban_after_auth_failed");
	c->window_s = (uint32_t)cfg_int(r, "sip.sources.window_s");
	c->ban_s = (uint32_t)cfg_int(r, "sip.sources.ban_s");
	c->max_sources = (uint32_t)cfg_int(r, "sip.sources.max");
	c->exempt_loopback = cfg_bool(r, "sip.sources.exempt_loopback");
	for (size_t i = 0; i < cfg_list_len(r, "sip.sources.exempt") && c->n_exempt < SOURCES_MAX_EXEMPT; i++)
		if (addr_prefix_parse(cfg_strs_at(r, "sip.sources.exempt", i), &c->exempt[c->n_exempt].a,
				      &c->exempt[c->n_exempt].bits) == 0)
			c->n_exempt++;
}

void guard_check_config(const struct cfg *cfg, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(cfg);
	size_t n = cfg_list_len(r, "sip.sources.exempt");
	struct addr a;
	unsigned bits;

	for (size_t i = 0; i < n; i++) {
		struct str one = cfg_strs_at(r, "sip.sources.exempt", i);

		if (addr_prefix_parse(one, &a, &bits) < 0)
			cfg_error(r, "sip.sources.exempt", errors, "sip.sources.exempt: %.*s is neither ADDRESS nor ADDRESS/BITS",
				  STR_ARG(one));
	}
	if (n > SOURCES_MAX_EXEMPT)
		cfg_error(r, "sip.sources.exempt", errors, "sip.sources.exempt: more than %u entries", SOURCES_MAX_EXEMPT);
}

int guard_init(struct stack *s)
{
	const struct cfg_node *r = cfg_root(s->config);
	struct sources_config c = { 0 };

	if (!s->ops->standing || !cfg_bool(r, "sip.sources.enabled"))
		return 0;
	read_sources(r, &c);
	s->sources = sources_new(&c);
	return s->sources ? 0 : -ENOMEM;
}

void guard_open(struct worker_full *f)
{
	struct metric *const all[] = { &m_admitted, &m_refused, &m_shed, &m_held, &m_percent, &m_wait, &m_drops, &m_dropped, &m_bans,
				       &m_strangers };
	struct admission_config c = { 0 };
	char worker[8];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		metrics_register(all[i]);
	read_admission(cfg_root(f->w.stack->config), &c);
	admission_init(&f->admission, &c, clock_mono_us());
	f->last_percent = 100;
	atomic_store_explicit(&f->shown_percent, 100, memory_order_relaxed);
	snprintf(worker, sizeof(worker), "%u", f->w.id);
	metric_set(&m_percent, worker, NULL, 100);
	tx_layer_set_admit_fn(f->w.tx, on_admit);
	tx_layer_set_vital_fn(f->w.tx, is_vital);
	transport_set_filter(f->w.transport, on_filter);
	if (cfg_bool(cfg_root(f->w.stack->config), "sip.overload.neighbours"))
		tx_layer_set_overload_fn(f->w.tx, on_overload);
}
