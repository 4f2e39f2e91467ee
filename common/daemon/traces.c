/* common/daemon/traces.c - /api/v1/traces: whole messages of one subscriber, call or peer, as pcapng and to a Homer collector.
 *
 * The main thread has the traces; each worker has a copy of what they look for, or NULL and then nothing to do.  A worker copies a message
 * that fits, without its keys and digests, and posts it; what finds no room there is counted as dropped. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/trace/capture.h"
#include "common/util/clock.h"

#define MAX_TRACES 8u
#define MAX_BYTES (32u << 20)		/* of one trace */
#define DEFAULT_BYTES (10u << 20)
#define MAX_S 86400u
#define DEFAULT_S 900u
#define MAX_WAITING 4096u		/* messages on the way to the main thread */

static METRIC_DEF(m_hep, "cscf_hep_packets_total", METRIC_COUNTER, "Messages to the HEP collector: sent or failed.", "outcome", NULL);

struct match {
	char who[2][256];		/* impu, impi; "": any */
	char call_id[TRACE_ID], icid[TRACE_ICID], method[16];
	struct addr address;		/* unset: any */
};

struct filters {			/* immutable; shared by the workers */
	struct obj o;
	unsigned n;
	struct { unsigned slot; struct match m; } v[MAX_TRACES];
};

struct shot {				/* a message on its way, and in a trace */
	struct stack *s;
	struct captured c;
	unsigned slots;			/* a bit for each trace */
	char icid[TRACE_ICID];
	char data[];
};

enum state { RUNNING, FULL, FINISHED };
static const char *const state_names[] = { "running", "full", "finished" };

struct one_trace {
	uint64_t number;		/* 0: free */
	struct traces *t;
	char name[64], by[64];
	struct match m;
	enum state state;
	uint32_t max_s;
	size_t max_bytes, bytes, n, cap, dropped;
	bool hep;
	uint64_t started_us;
	struct shot **shot;
	struct timer end;
};

struct traces {
	struct stack *s;
	struct one_trace v[MAX_TRACES];
	bool sending[MAX_TRACES];	/* its capture goes to somebody, who may outlast it */
	uint64_t last;
	atomic_uint waiting, dropped;
	int hep_fd;
};

/* ---- on a worker ---- */

static bool fits(struct worker *w, const struct match *m, const struct sip_flow *flow, const struct trace_flow *f, struct str cseq)
{
	struct str number, method;

	for (unsigned i = 0; i < 2; i++)
		if (m->who[i][0] && !trace_flow_is(f, str_from_c(m->who[i])))
			return false;
	(void)w;
	str_cut(cseq, ' ', &number, &method);
	return (!m->call_id[0] || strcmp(m->call_id, f->call_id) == 0) && (!m->icid[0] || strcmp(m->icid, f->icid) == 0) &&
	       (!m->method[0] || str_eq_c(str_trim(method), m->method)) && (!addr_is_set(&m->address) || addr_host_eq(&m->address, &flow->remote));
}

static void on_shot(void *arg);

static void shoot(struct worker *w, bool sent, const struct sip_flow *flow, struct str wire, const char *icid, unsigned slots)
{
	struct traces *t = w->stack->traces;
	struct addr local = flow->local;
	struct shot *s = atomic_load(&t->waiting) < MAX_WAITING ? malloc(sizeof(*s) + wire.l) : NULL;

	if (!s) {
		atomic_fetch_add(&t->dropped, 1);
		return;
	}
	if (!addr_is_set(&local) || addr_is_any(&local))
		transport_local_for(w->transport, flow, &local);
	memcpy(s->data, wire.p, wire.l);
	capture_redact(s->data, wire.l);
	s->s = w->stack;
	s->slots = slots;
	s->c = (struct captured){ .wall_us = clock_wall_us(), .src = sent ? local : flow->remote, .dst = sent ? flow->remote : local,
				  .proto = flow->proto, .sent = sent, .wire = str_make(s->data, wire.l) };
	snprintf(s->icid, sizeof(s->icid), "%s", icid);
	s->c.icid = str_from_c(s->icid);
	atomic_fetch_add(&t->waiting, 1);
	if (loop_post(w->stack->main_loop, on_shot, s) == 0)
		return;
	atomic_fetch_sub(&t->waiting, 1);
	atomic_fetch_add(&t->dropped, 1);
	free(s);
}

void traces_observe(struct worker *w, const struct filters *look, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m)
{
	struct str cseq = m ? sip_msg_value(m, SIP_H_CSEQ) : trace_header(wire, SIP_H_CSEQ);
	struct trace_flow f = { 0 };
	unsigned slots = 0;

	trace_flow_of(w->trace, m ? m->call_id : trace_header(wire, SIP_H_CALL_ID), &f);
	for (unsigned i = 0; i < look->n; i++)
		if (fits(w, &look->v[i].m, flow, &f, cseq))
			slots |= 1u << look->v[i].slot;
	if (slots)
		shoot(w, sent, flow, wire, f.icid, slots);
}

static void take_filters(struct worker *w, void *arg)
{
	struct worker_full *f = container_of(w, struct worker_full, w);

	traces_close(f);
	f->look = arg;
}

void traces_close(struct worker_full *f)
{
	if (f->look)
		obj_unref(&f->look->o);
	f->look = NULL;
}

/* ---- on the main thread ---- */

static void filters_free(struct obj *o)
{
	free(container_of(o, struct filters, o));
}

/* What runs, to every worker.  One that takes no message now goes on with the old (a trace that is gone drops what comes): false. */
static bool publish(struct traces *t)
{
	struct filters *f = calloc(1, sizeof(*f));
	bool all = true;

	if (!f)
		return false;
	obj_init(&f->o, filters_free);
	for (unsigned i = 0; i < MAX_TRACES; i++) {
		if (!t->v[i].number || t->v[i].state != RUNNING)
			continue;
		f->v[f->n].slot = i;
		f->v[f->n++].m = t->v[i].m;
	}
	for (unsigned i = 0; i < t->s->n_workers; i++) {
		struct filters *mine = f->n ? obj_ref(f) : NULL;

		if (worker_post(&t->s->workers[i].w, take_filters, mine) == 0)
			continue;
		all = false;
		if (mine)
			obj_unref(&mine->o);
	}
	obj_unref(&f->o);
	return all;
}

static void stop(struct one_trace *o, enum state how)
{
	if (o->state != RUNNING)
		return;
	o->state = how;
	timer_stop(&o->end);
	log_info(LOG_REST, "trace ends", LOG_U("trace", o->number), LOG_C("state", state_names[how]), LOG_U("messages", o->n));
	publish(o->t);
}

static void on_end(struct timer *tm)
{
	stop(container_of(tm, struct one_trace, end), FINISHED);
}

static bool keep(struct one_trace *o, const struct shot *s)
{
	size_t l = sizeof(*s) + s->c.wire.l;
	struct shot *copy;

	if (o->bytes + l > o->max_bytes) {
		stop(o, FULL);
		return false;
	}
	if (o->n == o->cap) {
		struct shot **more = realloc(o->shot, (o->cap * 2 + 64) * sizeof(struct shot *));

		if (!more)
			return false;
		o->shot = more;
		o->cap = o->cap * 2 + 64;
	}
	copy = malloc(l);
	if (!copy)
		return false;
	memcpy(copy, s, l);
	copy->c.wire.p = copy->data;
	copy->c.icid.p = copy->icid;
	o->shot[o->n++] = copy;
	o->bytes += l;
	return true;
}

static void hep_send(struct traces *t, const struct captured *c)
{
	const struct cfg_node *r = cfg_root(t->s->daemon->config);
	struct addr to;
	struct buf b;
	bool good = false;

	if (!cfg_has(r, "trace.hep_collector") || addr_parse_hostport(cfg_str(r, "trace.hep_collector"), 9060, &to) < 0)
		return;
	buf_init(&b, HEP_MAX_BYTES);
	hep_write(c, (uint32_t)cfg_int(r, "trace.hep_agent_id"), t->s->daemon->name, &b);
	if (t->hep_fd < 0)
		t->hep_fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (!b.failed && t->hep_fd >= 0)
		good = sendto(t->hep_fd, b.p, b.l, MSG_NOSIGNAL, &to.sa, addr_len(&to)) == (ssize_t)b.l;
	if (!good && errno == EAFNOSUPPORT && t->hep_fd >= 0) {		/* the collector's family was changed */
		close(t->hep_fd);
		t->hep_fd = -1;
	}
	metric_add(&m_hep, good ? "sent" : "failed", NULL, 1);
	buf_fini(&b);
}

static void on_shot(void *arg)
{
	struct shot *s = arg;
	struct traces *t = s->s->traces;
	bool hep = false;

	atomic_fetch_sub(&t->waiting, 1);
	for (unsigned i = 0; i < MAX_TRACES; i++) {
		struct one_trace *o = &t->v[i];

		if (!(s->slots & 1u << i) || !o->number || o->state != RUNNING || s->c.wall_us < o->started_us)
			continue;
		o->dropped += !keep(o, s);
		hep |= o->hep && o->state == RUNNING;
	}
	if (hep)
		hep_send(t, &s->c);
	free(s);
}

/* ---- JSON ---- */

static void add(cJSON *o, const char *name, const char *value)
{
	if (value[0])
		cJSON_AddStringToObject(o, name, value);
}

static cJSON *trace_json(const struct one_trace *t)
{
	cJSON *o = cJSON_CreateObject(), *m;
	char text[ADDR_STRLEN];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)t->number);
	cJSON_AddStringToObject(o, "id", text);
	add(o, "name", t->name);
	m = cJSON_AddObjectToObject(o, "match");
	add(m, "impu", t->m.who[0]);
	add(m, "impi", t->m.who[1]);
	add(m, "callId", t->m.call_id);
	add(m, "icid", t->m.icid);
	add(m, "method", t->m.method);
	if (addr_is_set(&t->m.address))
		cJSON_AddStringToObject(m, "address", addr_host(&t->m.address, text));
	cJSON_AddStringToObject(o, "state", state_names[t->state]);
	cJSON_AddStringToObject(o, "by", t->by);
	clock_rfc3339(t->started_us, text);
	cJSON_AddStringToObject(o, "startedAt", text);
	cJSON_AddNumberToObject(o, "maxDurationS", t->max_s);
	cJSON_AddNumberToObject(o, "maxBytes", (double)t->max_bytes);
	cJSON_AddNumberToObject(o, "messages", (double)t->n);
	cJSON_AddNumberToObject(o, "bytes", (double)t->bytes);
	cJSON_AddNumberToObject(o, "dropped", (double)t->dropped);
	cJSON_AddBoolToObject(o, "hep", t->hep);
	return o;
}

/* NULL, or what is wrong. */
static const char *read_text(const cJSON *o, const char *name, char *dst, size_t size)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (v && (!cJSON_IsString(v) || !str_copy(str_from_c(v->valuestring), dst, size)))
		return name;
	return NULL;
}

static const char *read_number(const cJSON *o, const char *name, double least, double most, double otherwise, double *ret)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	*ret = v ? v->valuedouble : otherwise;
	return (v && !cJSON_IsNumber(v)) || *ret < least || *ret > most ? name : NULL;
}

/* A condition that nobody knows would be none: everything would be captured. */
static const char *read_match(const cJSON *m, struct match *ret)
{
	static const char *const known[] = { "impu", "impi", "callId", "icid", "method", "address" };
	char address[64] = "";
	const char *why;
	const cJSON *v;

	if (!cJSON_IsObject(m))
		return "match";
	cJSON_ArrayForEach(v, m) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], v->string) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			return "match";
	}
	if ((why = read_text(m, "impu", ret->who[0], sizeof(ret->who[0]))) || (why = read_text(m, "impi", ret->who[1], sizeof(ret->who[1]))) ||
	    (why = read_text(m, "callId", ret->call_id, sizeof(ret->call_id))) || (why = read_text(m, "icid", ret->icid, sizeof(ret->icid))) ||
	    (why = read_text(m, "method", ret->method, sizeof(ret->method))) || (why = read_text(m, "address", address, sizeof(address))))
		return why;
	return address[0] && addr_parse(str_from_c(address), 0, &ret->address) < 0 ? "address" : NULL;
}

static const char *read_trace(const cJSON *doc, struct one_trace *t)
{
	const cJSON *hep = cJSON_GetObjectItemCaseSensitive(doc, "hep");
	const char *why;
	double s, bytes;

	if ((why = read_match(cJSON_GetObjectItemCaseSensitive(doc, "match"), &t->m)) || (why = read_text(doc, "name", t->name, sizeof(t->name))) ||
	    (why = read_number(doc, "maxDurationS", 1, MAX_S, DEFAULT_S, &s)) ||
	    (why = read_number(doc, "maxBytes", 4096, MAX_BYTES, DEFAULT_BYTES, &bytes)))
		return why;
	if (hep && !cJSON_IsBool(hep))
		return "hep";
	t->hep = cJSON_IsTrue(hep);
	t->max_s = (uint32_t)s;
	t->max_bytes = (size_t)bytes;
	return NULL;
}

/* ---- routes ---- */

static void get_traces(void *u, struct http_req *r)
{
	struct traces *t = ((struct stack *)u)->traces;
	cJSON *items = cJSON_CreateArray();

	for (unsigned i = 0; i < MAX_TRACES; i++)
		if (t->v[i].number)
			cJSON_AddItemToArray(items, trace_json(&t->v[i]));
	http_reply_page(r, items, NULL);
}

static struct one_trace *trace_of(void *u, struct http_req *r)
{
	struct traces *t = ((struct stack *)u)->traces;
	uint64_t n;

	if (str_to_u64(http_param(r, "traceId"), &n) == 0 && n)
		for (unsigned i = 0; i < MAX_TRACES; i++)
			if (t->v[i].number == n)
				return &t->v[i];
	http_problem(r, 404, "RESOURCE_NOT_FOUND", "there is no such trace");
	return NULL;
}

static void get_trace(void *u, struct http_req *r)
{
	const struct one_trace *o = trace_of(u, r);

	if (o)
		http_reply_json(r, 200, trace_json(o));
}

static void trace_clear(struct one_trace *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->shot[i]);
	free(o->shot);
	timer_stop(&o->end);
	*o = (struct one_trace){ 0 };
}

/* 201 is said when every worker looks: what is sent after it is in the trace. */
struct begun {
	struct traces *t;
	struct http_req *r;
	uint64_t number;
	atomic_uint left;		/* workers that have not said that they do */
};

static void begun_everywhere(void *arg)
{
	struct begun *b = arg;
	const struct one_trace *o = NULL;

	for (unsigned i = 0; i < MAX_TRACES; i++)
		if (b->t->v[i].number == b->number)
			o = &b->t->v[i];
	if (o)
		http_reply_json(b->r, 201, trace_json(o));
	else
		http_problem(b->r, 404, "RESOURCE_NOT_FOUND", "the trace was deleted before it began");
	free(b);
}

static void begun_here(struct worker *w, void *arg)
{
	struct begun *b = arg;

	if (atomic_fetch_sub(&b->left, 1) == 1)
		loop_post(w->stack->main_loop, begun_everywhere, b);
}

/* Behind take_filters() in each mailbox. */
static void wait_for_workers(struct traces *t, uint64_t number, struct http_req *r)
{
	struct begun *b = calloc(1, sizeof(*b));
	unsigned missed = 0;

	if (!b) {
		http_problem(r, 503, "BUSY", "out of memory");
		return;
	}
	*b = (struct begun){ .t = t, .r = r, .number = number };
	atomic_init(&b->left, t->s->n_workers + 1);
	http_suspend(r);
	for (unsigned i = 0; i < t->s->n_workers; i++)
		missed += worker_post(&t->s->workers[i].w, begun_here, b) < 0;
	if (atomic_fetch_sub(&b->left, missed + 1) == missed + 1)
		loop_post(t->s->main_loop, begun_everywhere, b);	/* not from here: the request has only just been suspended */
}

static void begin(struct traces *t, struct one_trace *o, const struct one_trace *asked, struct http_req *r)
{
	char location[64];

	*o = *asked;
	o->t = t;
	o->number = ++t->last;
	o->started_us = clock_wall_us();
	snprintf(o->by, sizeof(o->by), "%s", http_who(r));
	timer_init(&o->end, on_end);
	timer_start(loop_wheel(t->s->main_loop), &o->end, (uint64_t)o->max_s * 1000);
	if (!publish(t)) {
		trace_clear(o);
		publish(t);
		http_problem(r, 503, "BUSY", "a worker takes no questions now");
		return;
	}
	log_info(LOG_REST, "trace begins", LOG_U("trace", o->number), LOG_C("by", o->by));
	snprintf(location, sizeof(location), "/api/v1/traces/%llu", (unsigned long long)o->number);
	http_set_header(r, "Location", location);
	wait_for_workers(t, o->number, r);
}

static void post_trace(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct one_trace asked = { .state = RUNNING };
	const cJSON *doc = http_json(r);
	const char *why = doc ? read_trace(doc, &asked) : NULL;

	if (!doc)
		return;
	if (why) {
		http_problem(r, 422, "INVALID_TRACE", "%s is missing, unknown, too long or out of its range", why);
		return;
	}
	if (asked.hep && !cfg_has(cfg_root(s->daemon->config), "trace.hep_collector")) {
		http_problem(r, 409, "NO_COLLECTOR", "trace.hep_collector names none");
		return;
	}
	for (unsigned i = 0; i < MAX_TRACES; i++) {
		if (s->traces->v[i].number)
			continue;
		begin(s->traces, &s->traces->v[i], &asked, r);
		return;
	}
	http_problem(r, 409, "TOO_MANY_TRACES", "there are %u already: delete one", MAX_TRACES);
}

static void delete_trace(void *u, struct http_req *r)
{
	struct one_trace *o = trace_of(u, r);

	if (!o)
		return;
	stop(o, FINISHED);
	trace_clear(o);
	http_reply(r, 204, NULL, STR_NONE);
}

static void on_sent(void *u)
{
	*(bool *)u = false;
}

/* The whole answer is in memory until it is sent: one at a time of each trace. */
static void get_pcap(void *u, struct http_req *r)
{
	struct stack *s = u;
	const struct one_trace *o = trace_of(u, r);
	struct pcapng *p;
	struct buf out;
	bool *sending;

	if (!o)
		return;
	sending = &s->traces->sending[o - s->traces->v];
	if (*sending) {
		http_problem(r, 409, "DOWNLOAD_RUNS", "somebody is fetching it: try again when that is over");
		return;
	}
	*sending = true;
	http_on_end(r, on_sent, sending);
	buf_init(&out, 2 * MAX_BYTES);
	p = pcapng_new(&out, s->daemon->name);
	for (size_t i = 0; p && i < o->n; i++)
		pcapng_add(p, &o->shot[i]->c);
	if (!p || out.failed)
		http_problem(r, 500, "OUT_OF_MEMORY", "the capture cannot be written");
	else
		http_reply(r, 200, "application/x-pcapng", buf_str(&out));
	pcapng_free(p);
	buf_fini(&out);
}

/* ---- life ---- */

int traces_init(struct stack *s)
{
	s->traces = calloc(1, sizeof(*s->traces));
	if (!s->traces)
		return -ENOMEM;
	s->traces->s = s;
	s->traces->hep_fd = -1;
	metrics_register(&m_hep);
	return 0;
}

void traces_fini(struct stack *s)
{
	if (!s->traces)
		return;
	for (unsigned i = 0; i < MAX_TRACES; i++)
		if (s->traces->v[i].number)
			trace_clear(&s->traces->v[i]);
	if (s->traces->hep_fd >= 0)
		close(s->traces->hep_fd);
	free(s->traces);
	s->traces = NULL;
}

const struct http_route traces_routes[] = {
	{ "GET", "/api/v1/traces", HTTP_VIEW, get_traces, "Traces that run and that are over." },
	{ "POST", "/api/v1/traces", HTTP_OPERATE, post_trace,
	  "Captures whole messages, taken out of ESP and TLS, without keys and digests: match is impu, impi, callId, icid, method, address (all that "
	  "are given; none: everything); maxDurationS, maxBytes; hep: true sends them to trace.hep_collector too." },
	{ "GET", "/api/v1/traces/{traceId}", HTTP_VIEW, get_trace, "One of them." },
	{ "DELETE", "/api/v1/traces/{traceId}", HTTP_OPERATE, delete_trace, "Ends it and forgets what it captured." },
	{ "GET", "/api/v1/traces/{traceId}/pcap", HTTP_OPERATE, get_pcap, "What it captured, as pcapng, in clear." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
