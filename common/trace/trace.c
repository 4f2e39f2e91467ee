/* common/trace/trace.c - the ring of recent events of one worker. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/trace/trace.h"
#include "common/util/clock.h"

struct trace {
	unsigned size;			/* slots */
	uint64_t n;			/* events ever written */
	struct trace_event *ev;		/* allocated at the first event: an idle worker costs nothing */
};

struct trace *trace_new(unsigned events)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (t)
		t->size = events;
	return t;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	free(t->ev);
	free(t);
}

static struct trace_event *next_slot(struct trace *t)
{
	struct trace_event *e;

	if (!t || t->size == 0)
		return NULL;
	if (!t->ev) {
		t->ev = calloc(t->size, sizeof(*t->ev));
		if (!t->ev)
			return NULL;
	}
	e = &t->ev[t->n++ % t->size];
	e->wall_us = clock_wall_us();
	return e;
}

/* Value of a header in text that was never parsed (what we send): the first line of that name.  What is forwarded keeps
 * the spelling it came with: compact forms too. */
static struct str scan_header(struct str wire, enum sip_hdr_id id)
{
	struct str rest = wire, line, name, value;

	str_cut(rest, '\n', &line, &rest);	/* the start line */
	while (rest.l) {
		str_cut(rest, '\n', &line, &rest);
		if (str_trim(line).l == 0)
			break;
		if (str_cut(line, ':', &name, &value) && sip_hdr_id_from_name(str_trim(name)) == id)
			return str_trim(value);
	}
	return STR_NONE;
}

static struct str icid_of(struct str pcv)
{
	struct str v;

	return pcv.l && sip_param_get(pcv, "icid-value", &v) ? sip_unquote(v) : STR_NONE;
}

static void describe(struct trace_event *e, struct str wire, struct str cseq)
{
	struct str line, rest;
	ssize_t sp;

	str_cut(wire, '\n', &line, &rest);
	line = str_trim(line);
	if (!str_starts(line, STR("SIP/2.0 "))) {
		sp = str_rchr(line, ' ');
		str_copy(sp > 0 ? str_head(line, (size_t)sp) : line, e->text, sizeof(e->text));
		return;
	}
	sp = str_rchr(cseq, ' ');
	snprintf(e->text, sizeof(e->text), "%.*s (%.*s)", (int)(line.l - 8 > 80 ? 80 : line.l - 8), line.p + 8,
		 (int)(sp < 0 ? 0 : cseq.l - (size_t)sp - 1), sp < 0 ? "" : cseq.p + sp + 1);
}

void trace_sip(struct trace *t, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m)
{
	struct trace_event *e = next_slot(t);
	struct str icid;

	if (!e)
		return;
	e->kind = sent ? TRACE_SIP_OUT : TRACE_SIP_IN;
	str_copy(m ? m->call_id : scan_header(wire, SIP_H_CALL_ID), e->call_id, sizeof(e->call_id));
	icid = icid_of(m ? sip_msg_value(m, SIP_H_PCV) : scan_header(wire, SIP_H_PCV));
	str_copy(icid.l ? icid : log_correlation_get(), e->icid, sizeof(e->icid));
	sip_flow_fmt(flow, e->peer);
	describe(e, wire, m ? sip_msg_value(m, SIP_H_CSEQ) : scan_header(wire, SIP_H_CSEQ));
}

void trace_add(struct trace *t, enum trace_kind k, struct str call_id, struct str icid, const char *peer, const char *fmt, ...)
{
	struct trace_event *e = next_slot(t);
	va_list ap;

	if (!e)
		return;
	e->kind = (uint8_t)k;
	str_copy(call_id, e->call_id, sizeof(e->call_id));
	str_copy(icid, e->icid, sizeof(e->icid));
	str_copy(str_from_c(peer), e->peer, sizeof(e->peer));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
}

static const char *const kind_names[] = { "sipIn", "sipOut", "diameterOut", "diameterIn", "note" };

static bool matches(const struct trace_event *e, struct str key)
{
	struct str id = str_from_c(e->call_id), cut = key;

	if (key.l == 0)
		return true;
	if (cut.l >= sizeof(e->call_id))	/* stored truncated: compare what is stored */
		cut.l = sizeof(e->call_id) - 1;
	return str_eq(id, cut) || str_eq_c(key, e->icid);
}

bool trace_to_json(const struct trace *t, struct str key, uint64_t after, unsigned max, cJSON *array, uint64_t *last)
{
	uint64_t first = t && t->n > t->size ? t->n - t->size : 0;
	char when[40], number[24];

	if (!t || !t->ev)
		return false;
	for (uint64_t i = first > after ? first : after; i < t->n; i++) {
		const struct trace_event *e = &t->ev[i % t->size];
		cJSON *o;

		if (!matches(e, key))
			continue;
		if (max == 0)
			return true;
		o = cJSON_CreateObject();
		clock_rfc3339(e->wall_us, when);
		cJSON_AddStringToObject(o, "ts", when);
		snprintf(number, sizeof(number), "%llu", (unsigned long long)e->wall_us);
		cJSON_AddRawToObject(o, "wallUs", number);	/* as a double it may come out with an exponent */
		cJSON_AddStringToObject(o, "kind", kind_names[e->kind]);
		cJSON_AddStringToObject(o, "callId", e->call_id);
		cJSON_AddStringToObject(o, "icid", e->icid);
		cJSON_AddStringToObject(o, "peer", e->peer);
		cJSON_AddStringToObject(o, "text", e->text);
		cJSON_AddItemToArray(array, o);
		*last = i + 1;		/* events count from 1: `after` 0 is all of them */
		max--;
	}
	return false;
}
