/* common/daemon/worker.c - one worker: the layers plugged together, and its thread. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/daemon/events.h"
#include "common/daemon/private.h"
#include "common/diameter/cx.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "common/util/rand.h"

#define DRAIN_RETRY_AFTER_S 4
#define MAX_DIALOGS 200000
#define MAX_DIALOG_AGE_S (24 * 3600)

static METRIC_DEF(m_requests, "cscf_sip_requests_total", METRIC_COUNTER, "SIP requests by method and direction.", "method",
		  "direction");
static METRIC_DEF(m_responses, "cscf_sip_responses_total", METRIC_COUNTER, "SIP responses by status class and direction.",
		  "class", "direction");
static METRIC_DEF(m_errors, "cscf_parse_errors_total", METRIC_COUNTER, "Messages refused by the parser, by reason.", "reason",
		  NULL);
static METRIC_DEF(m_refused, "cscf_refused_total", METRIC_COUNTER, "Error responses of this node's own, by status and reason.", "status",
		  "why");

static _Thread_local struct worker *current;

struct worker *worker_current(void)
{
	return current;
}

static const char *status_class(unsigned status)
{
	static const char *const names[] = { "0xx", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx" };

	return names[status / 100 < 7 ? status / 100 : 0];
}

static struct worker_full *full(struct worker *w)
{
	return container_of(w, struct worker_full, w);
}

/* ---- error responses of our own ---- */

static void on_judge(void *u, const struct sip_msg *m, struct refusal *r)
{
	struct worker *w = u;

	if (w->stack->ops->judge)
		w->stack->ops->judge(w, m, r);
}

static void on_refused(void *u, const struct sip_msg *m, const struct refusal *r)
{
	struct worker *w = u;
	char from[SIP_FLOW_STRLEN], status[12];

	snprintf(status, sizeof(status), "%u", r->status);
	metric_add(&m_refused, status, r->why, 1);
	trace_add(w->trace, TRACE_NOTE, m->call_id, log_correlation_get(), w->stack->daemon->name, "%s by us: %s", status, r->why);
	if (!r->quiet)
		log_info(LOG_SIP, "refused", LOG_C("why", r->why), LOG_U("status", r->status), LOG_S("method", m->method_name),
			 LOG_S("ruri", m->ruri_text), LOG_C("from", sip_flow_fmt(&m->flow, from)), LOG_S("call_id", m->call_id));
}

static void set_agent(struct worker *w)
{
	const struct tx_agent a = { .name = stack_sip_name(w->stack), .fe = w->stack->ops->fe, .judge = on_judge,
				    .refused = on_refused, .u = w };

	tx_layer_set_agent(w->tx, &a);
}

/* ---- every message ---- */

static void record(struct worker *w, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m)
{
	trace_sip(w->trace, sent, flow, wire, m);
	if (full(w)->look)
		traces_observe(w, full(w)->look, sent, flow, wire, m);
}

/* ---- transport -> transactions ---- */

static enum tx_side on_side(void *u, const struct sip_flow *from)
{
	struct worker *w = u;

	return w->stack->ops->side ? w->stack->ops->side(w, from) : TX_CORE;
}

static void on_message(void *u, struct sip_msg *m)
{
	struct worker *w = u;

	if (w->stack->ops->admit && !w->stack->ops->admit(w, m))
		return;
	guard_measure(full(w), m);
	/* An ICID that a phone wrote is made up: it may not know one (RFC 7315 §5.6). */
	correlation_begin(full(w)->correlation, m, sip_msg_hdr(m, SIP_H_PCV) && on_side(w, &m->flow) == TX_CORE);
	tx_input(w->tx, m);
	correlation_keep(full(w)->correlation, m);
	log_correlation(STR_NONE);
}

static void on_response_flow(void *u, const struct sip_msg *req, struct sip_flow *to)
{
	struct worker *w = u;

	if (w->stack->ops->response_flow)
		w->stack->ops->response_flow(w, req, to);
}

static void on_bad(void *u, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e)
{
	struct worker *w = u;
	char where[SIP_FLOW_STRLEN];
	struct sip_flow to;
	struct bytes *wire;
	size_t max;
	bool answer = guard_malformed(w, from, raw.l, &max);

	metric_add(&m_errors, e->why ? e->why : "unknown", NULL, 1);
	if (!answer)
		return;
	log_info(LOG_SIP, "malformed message", LOG_C("why", e->why), LOG_U("offset", e->off),
		 LOG_C("from", sip_flow_fmt(from, where)), LOG_U("bytes", raw.l), LOG_U("status", e->status));
	/* RFC 3261 §8.2, §16.3: an answer when one can be addressed; never to a response or an ACK. */
	if (!m || !m->request || m->method == SIP_ACK || e->status == 0)
		return;
	wire = tx_refusal_make(w->tx, m, &(const struct refusal){ .status = e->status, .why = e->why, .quiet = true,
								   .reason = e->status == 400 ? e->why : NULL, .max_bytes = max },
			       STR("malformed"));
	if (!wire)
		return;
	tx_response_flow(m, &to);
	on_response_flow(w, m, &to);
	transport_send(w->transport, &to, wire, 0);
	record(w, true, &to, bytes_str(wire), NULL);
	bytes_unref(wire);
}

static void on_error(void *u, uint64_t origin, int err)
{
	struct worker *w = u;
	struct tx_handle h = { .slot = (uint32_t)(origin >> 32), .gen = (uint32_t)origin, .worker = w->id };

	if (origin)
		tx_transport_error(w->tx, h, err);
}

static void on_unreachable(void *u, const struct addr *to, struct str quoted, int err)
{
	struct worker *w = u;

	(void)tx_unreachable(w->tx, to, quoted, err);
}

static void on_closed(void *u, const struct sip_flow *flow)
{
	struct worker *w = u;

	if (w->stack->ops->flow_closed)
		w->stack->ops->flow_closed(w, flow);
}

static const struct transport_ops tp_ops = { on_message, on_bad, on_error, on_unreachable, on_closed };

/* ---- Diameter -> trace ---- */

static void on_diameter(void *u, const char *name, const struct dia_result *r, struct str correlation)
{
	struct worker *w = u;
	const char *peer = w->stack->ops->uses_rx ? "pcrf" : "hss";

	if (!r)
		trace_put(w->trace, TRACE_DIA_OUT, correlation, correlation, peer, str_from_c(name));
	else if (r->err)
		trace_add(w->trace, TRACE_DIA_IN, correlation, correlation, peer, "%s: none, %s", name, strerror(-r->err));
	else
		trace_add(w->trace, TRACE_DIA_IN, correlation, correlation, peer, "%s %u %s", name, r->code,
			  cx_result_name(r->code, r->experimental));
}

/* ---- log -> trace: what the daemon decided ---- */

static void on_log(void *u, enum log_area a, const char *msg, const struct log_field *f, size_t n)
{
	struct str correlation = log_correlation_get();
	struct worker *w = u;
	char text[TRACE_TEXT];

	/* What a timer or a resolver brought has no correlation, but names its call. */
	for (size_t i = 0; i < n && correlation.l == 0; i++)
		if (strcmp(f[i].name, "call_id") == 0)
			correlation = f[i].s;
	/* on_refused() has noted it. */
	if (correlation.l == 0 || (a == LOG_SIP && strcmp(msg, "refused") == 0))
		return;
	log_text(msg, f, n, text, sizeof(text));
	trace_put(w->trace, TRACE_NOTE, correlation, correlation, w->stack->daemon->name, str_from_c(text));
}

/* ---- transactions -> transport, role ---- */

static int on_send(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct worker *w = u;

	return transport_send(w->transport, to, wire, (uint64_t)origin.slot << 32 | origin.gen);
}

static void on_request(void *u, struct tx_server *st, struct sip_msg *m)
{
	struct worker *w = u;

	/* New work while we drain: another instance may take it (RFC 3261 §21.5.4).  Retransmissions never come here. */
	if (atomic_load_explicit(&w->stack->draining, memory_order_relaxed) && m->to_tag.l == 0) {
		tx_refuse(st, &(const struct refusal){ .status = 503, .why = "stopping", .retry_after_s = DRAIN_RETRY_AFTER_S });
		return;
	}
	if (!w->stack->ops->off_route)
		dialog_table_request(w->dialogs, m, 0, log_correlation_get());
	w->stack->ops->request(w, st, m);
}

static void on_ack(void *u, struct sip_msg *m)
{
	struct worker *w = u;

	w->stack->ops->ack(w, m);
}

static void on_cancel(void *u, struct tx_server *invite, struct sip_msg *m)
{
	struct worker *w = u;
	struct proxy *p = proxy_of(invite);

	if (p)
		proxy_cancel(p, m);
	else if (w->stack->ops->cancel)
		w->stack->ops->cancel(w, invite, m);
	else
		tx_refuse(invite, &(const struct refusal){ .status = 487, .why = "cancelled", .quiet = true });
}

static void on_stray(void *u, struct sip_msg *m)
{
	(void)u;
	log_debug(LOG_TX, "response without a transaction", LOG_U("status", m->status), LOG_S("call_id", m->call_id));
}

static void on_observe(void *u, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m)
{
	struct worker *w = u;
	const char *dir = sent ? "out" : "in";

	if (m && m->request)
		metric_add(&m_requests, sip_method_name(m->method), dir, 1);
	else if (m)
		metric_add(&m_responses, status_class(m->status), dir, 1);
	else if (str_starts(wire, STR("SIP/2.0 ")) && wire.l > 12)
		metric_add(&m_responses, status_class((unsigned)(wire.p[8] - '0') * 100), dir, 1);
	else
		metric_add(&m_requests, sip_method_name(sip_method_from_str(str_head(wire, (size_t)(
						str_chr(wire, ' ') < 0 ? 0 : str_chr(wire, ' '))))), dir, 1);
	if (m && !m->request && !w->stack->ops->off_route)
		dialog_table_response(w->dialogs, m, 0);
	record(w, sent, flow, wire, m);
}

static void on_invite_final(void *u, const struct sip_msg *invite, unsigned status)
{
	struct worker *w = u;

	if (!w->stack->ops->off_route)
		dialog_table_final(w->dialogs, invite, status);
}

static const struct tx_ops tx_ops = { on_send, on_request, on_ack, on_cancel, on_stray, on_observe, on_invite_final };

/* ---- dialogs -> events ---- */

static void on_call(void *u, const char *what, unsigned status, const struct dialog_view *v)
{
	struct worker *w = u;
	char type[32];
	cJSON *o;

	if (!events_wanted(w))
		return;
	o = cJSON_CreateObject();
	events_add(o, "callId", v->call_id);
	events_add(o, "icid", v->icid);
	events_add(o, "from", v->from_uri);
	events_add(o, "to", v->to_uri);
	if (status)
		cJSON_AddNumberToObject(o, "status", status);
	snprintf(type, sizeof(type), "call.%s", what);
	events_post(w, type, o);
}

/* ---- proxy environment ---- */

static int env_local_for(void *u, const struct sip_flow *to, struct addr *ret)
{
	struct worker *w = u;

	int rc = transport_local_for(w->transport, to, ret);

	if (rc == 0 && w->stack->ops->sent_by)
		w->stack->ops->sent_by(w, to, ret);
	return rc;
}

static bool env_is_self(void *u, const struct sip_uri *uri)
{
	struct worker *w = u;

	return stack_is_self(w->stack, uri);
}

static void env_session(void *u, const struct sip_msg *m, uint32_t session_s, bool refresher_uas)
{
	struct worker *w = u;

	dialog_table_session(w->dialogs, m, session_s, refresher_uas);
}

static int env_send(void *u, const struct sip_flow *to, struct bytes *wire)
{
	struct worker *w = u;

	record(w, true, to, bytes_str(wire), NULL);
	metric_add(&m_requests, "ACK", "out", 1);
	return transport_send(w->transport, to, wire, 0);
}

static void register_metrics(void)
{
	struct metric *const all[] = { &m_requests, &m_responses, &m_errors, &m_refused };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		metrics_register(all[i]);
	figures_register();
}

/* ---- life ---- */

static void set_timers(struct tx_layer *tx, const struct cfg_node *r)
{
	struct tx_timers core = tx_timers_default[TX_CORE], ue = tx_timers_default[TX_UE];

	core.t1_ms = (uint32_t)cfg_int(r, "sip.timers.t1_ms");
	core.t2_ms = (uint32_t)cfg_int(r, "sip.timers.t2_ms");
	core.t4_ms = (uint32_t)cfg_int(r, "sip.timers.t4_ms");
	core.d_ms = (uint32_t)cfg_int(r, "sip.timers.d_ms");
	ue.t1_ms = (uint32_t)cfg_int(r, "sip.ue_timers.t1_ms");
	ue.t2_ms = (uint32_t)cfg_int(r, "sip.ue_timers.t2_ms");
	ue.t4_ms = (uint32_t)cfg_int(r, "sip.ue_timers.t4_ms");
	ue.d_ms = (uint32_t)cfg_int(r, "sip.ue_timers.d_ms");
	tx_layer_set_timers(tx, TX_CORE, &core);
	tx_layer_set_timers(tx, TX_UE, &ue);
}

static struct resolver *open_resolver(struct worker *w, const struct cfg_node *r)
{
	struct resolver_static st[64];
	struct addr servers[8];
	struct resolver_config c = {
		.servers = servers,
		.statics = st,
		.timeout_ms = (uint32_t)cfg_int(r, "dns.timeout_ms"),
		.tries = (uint32_t)cfg_int(r, "dns.tries"),
		.cache_max = (uint32_t)cfg_int(r, "dns.cache_max"),
		.stale_max_s = (uint32_t)cfg_int(r, "dns.stale_max_s"),
		.negative_ttl_s = 5,
	};
	size_t n = cfg_list_len(r, "dns.servers");

	for (size_t i = 0; i < n && i < 8; i++)
		if (addr_parse_hostport(cfg_strs_at(r, "dns.servers", i), 53, &servers[c.n_servers]) == 0)
			c.n_servers++;
	while (c.n_statics < 64 && cfg_map_at(r, "dns.next_hops", c.n_statics, &st[c.n_statics].name, &st[c.n_statics].target))
		c.n_statics++;
	return resolver_new(w->loop, &c);
}

int worker_open(struct stack *s, unsigned id)
{
	struct worker_full *f = &s->workers[id];
	struct worker *w = &f->w;
	const struct cfg_node *r = cfg_root(s->config);
	struct transport_limits lim = transport_limits_default;
	struct proxy_env env = { .local_for = env_local_for, .is_self = env_is_self, .send = env_send, .u = w };

	register_metrics();
	w->id = (uint16_t)id;
	w->stack = s;
	w->store = store_port(s->store, id);
	w->loop = loop_new();
	if (!w->loop)
		return -ENOMEM;
	w->wheel = loop_wheel(w->loop);
	lim.max_connections = (uint32_t)cfg_int(r, "sip.max_connections");
	lim.idle_timeout_s = (uint32_t)cfg_int(r, "sip.tcp_idle_s");
	lim.max_message_bytes = (uint32_t)cfg_int(r, "sip.max_message_bytes");
	w->transport = transport_new(s->group, w->id, w->loop, &lim, &tp_ops, w);
	w->tx = tx_layer_new(w->wheel, &tx_ops, w, w->id);
	w->resolver = open_resolver(w, r);
	w->dialogs = dialog_table_new(w->wheel, MAX_DIALOGS, MAX_DIALOG_AGE_S);
	w->trace = trace_new((size_t)cfg_int(r, "trace.memory_mb") * (1u << 20) / s->n_workers,
			     ((unsigned)cfg_int(r, "trace.flows") + s->n_workers - 1) / s->n_workers);
	f->correlation = correlation_new();
	if (!f->correlation || !w->transport || !w->tx || !w->resolver || !w->dialogs || !w->trace)
		return -ENOMEM;
	dialog_table_watch(w->dialogs, on_call, w);
	set_timers(w->tx, r);
	tx_layer_set_limits(w->tx, (uint32_t)cfg_int(r, "sip.max_transactions"));
	tx_layer_set_side_fn(w->tx, on_side);
	tx_layer_set_response_flow_fn(w->tx, on_response_flow);
	guard_open(f);
	set_agent(w);
	env.tx = w->tx;
	env.resolver = w->resolver;
	env.wheel = w->wheel;
	env.timer_c_ms = (uint32_t)cfg_int(r, "sip.timer_c_s") * 1000;
	env.udp_max_bytes = (uint32_t)cfg_int(r, "sip.udp_max_bytes");
	env.max_breadth = 60;
	env.may_hold = cfg_bool(r, "sip.overload.neighbours") ? guard_may_hold : NULL;
	env.response_wait_ms = (uint32_t)cfg_int(r, "sip.next_hop_wait_ms");
	if (!s->ops->off_route) {
		env.session_min_s = (uint32_t)cfg_int(r, "sip.session_timer.min_se_s");
		env.session_expires_s = (uint32_t)cfg_int(r, "sip.session_timer.expires_s");
		env.session = env_session;
	}
	w->proxy = proxy_layer_new(&env);
	if (!w->proxy)
		return -ENOMEM;
	if (s->diameter) {
		w->dia = dia_client_new(w->loop, (uint32_t)cfg_int(r, "diameter.request_timeout_ms"),
					(uint32_t)cfg_int(r, "diameter.max_outstanding"), (uint32_t)cfg_int(r, "diameter.max_waiting"));
		if (!w->dia)
			return -ENOMEM;
		if (dia_client_redirects(w->dia, (uint32_t)cfg_int(r, "diameter.max_redirects"), (uint32_t)cfg_int(r, "diameter.max_redirect_s")) < 0)
			return -ENOMEM;
		dia_client_watch(w->dia, on_diameter, w);
	}
	worker_returns_open(f);
	figures_open(f);
	return s->ops->worker_new ? s->ops->worker_new(s->u, w, &w->role) : 0;
}

static void *worker_main(void *arg)
{
	struct worker_full *f = arg;
	char name[16];

	current = &f->w;
	snprintf(name, sizeof(name), "worker-%u", f->w.id);
	pthread_setname_np(pthread_self(), name);
	log_tap(on_log, &f->w);
	loop_run(f->w.loop);
	log_tap(NULL, NULL);
	return NULL;
}

int worker_start(struct worker_full *f)
{
	int rc = pthread_create(&f->thread, NULL, worker_main, f);

	f->started = rc == 0;
	return -rc;
}

void worker_stop(struct worker_full *f)
{
	if (!f->started)
		return;
	loop_stop(f->w.loop, 0);
	pthread_join(f->thread, NULL);
	f->started = false;
}

void worker_close(struct worker_full *f)
{
	struct worker *w = &f->w;

	if (!w->loop)
		return;
	timer_stop(&f->stats_timer);
	timer_stop(&f->returns_timer);
	/* Proxies and transactions first: their `gone` callbacks still find the role and may end its Cx requests. */
	proxy_layer_free(w->proxy);
	tx_layer_free(w->tx);
	w->proxy = NULL;
	w->tx = NULL;
	if (w->stack->ops->worker_free && w->role)
		w->stack->ops->worker_free(w, w->role);
	dia_client_free(w->dia);
	resolver_free(w->resolver);
	transport_free(w->transport);
	dialog_table_free(w->dialogs);
	trace_free(w->trace);
	traces_close(f);
	correlation_free(f->correlation);
	loop_free(w->loop);
	w->loop = NULL;
}
