/* common/trace/read.c - copies and JSON of what was recorded. */
#include <stdio.h>
#include <stdlib.h>
#include "common/trace/private.h"
#include "common/util/clock.h"

#define MAX_OF_KEY 4096u		/* events of one Call-ID or ICID that are looked at: the newest */

static const struct record *record_at(const struct trace *t, uint64_t offset)
{
	return (const struct record *)(t->ring + offset % t->size);
}

static struct str slice(const char *p, size_t l)
{
	return str_make(p, l);
}

static struct str icid_at(const struct record *r)
{
	return slice(r->data + r->peer_l, r->icid_l);
}

static void copy_event(const struct trace *t, uint64_t offset, struct trace_event *e)
{
	const struct record *r = record_at(t, offset);
	const struct flow *w = flow_by_serial(t, r->serial);

	e->wall_us = r->wall_us;
	e->number = offset + r->bytes;
	e->kind = r->kind;
	str_copy(str_from_c(w ? w->f.call_id : NULL), e->call_id, sizeof(e->call_id));
	str_copy(icid_at(r), e->icid, sizeof(e->icid));
	str_copy(slice(r->data, r->peer_l), e->peer, sizeof(e->peer));
	str_copy(slice(r->data + r->peer_l + r->icid_l, r->text_l), e->text, sizeof(e->text));
}

/* ---- everything, in the order of the ring ---- */

static size_t all_events(const struct trace *t, uint64_t after, struct trace_event *ret, size_t max, bool *more)
{
	uint64_t o = t->tail;
	size_t n = 0;

	while (o < t->head) {
		size_t rest = t->size - (size_t)(o % t->size);
		const struct record *r = record_at(t, o);

		if (rest < sizeof(*r) || r->bytes == 0) {
			o += rest;
			continue;
		}
		if (o + r->bytes > after) {
			if (n == max) {
				*more = true;
				return n;
			}
			copy_event(t, o, &ret[n++]);
		}
		o += r->bytes;
	}
	return n;
}

/* ---- one key: along the chains of its flows ---- */

struct found {
	uint64_t *v;
	size_t n;
};

/* icid empty: every event of the flow. */
static void collect(const struct trace *t, const struct flow *w, struct str icid, struct found *f)
{
	for (uint64_t o = w->last; o && o - 1 >= t->tail && f->n < MAX_OF_KEY; ) {
		const struct record *r = record_at(t, o - 1);

		if (icid.l == 0 || str_eq(icid_at(r), icid))
			f->v[f->n++] = o - 1;
		o = r->prev;
	}
}

static int by_offset(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static size_t key_events(const struct trace *t, struct str key, uint64_t after, struct trace_event *ret, size_t max, bool *more)
{
	struct found f = { malloc(MAX_OF_KEY * sizeof(uint64_t)), 0 };
	const struct flow *direct = flow_by_call(t, key), *w;
	struct str icid = trace_cut(key, TRACE_ICID);
	uint64_t cursor = 0;
	size_t n = 0;

	if (!f.v)
		return 0;
	if (direct)
		collect(t, direct, STR_NONE, &f);
	while ((w = flow_by_icid(t, key, &cursor)))
		if (w != direct)
			collect(t, w, icid, &f);
	qsort(f.v, f.n, sizeof(f.v[0]), by_offset);
	for (size_t i = 0; i < f.n; i++) {
		if (f.v[i] + record_at(t, f.v[i])->bytes <= after || (i && f.v[i] == f.v[i - 1]))
			continue;
		if (n == max) {
			*more = true;
			break;
		}
		copy_event(t, f.v[i], &ret[n++]);
	}
	free(f.v);
	return n;
}

size_t trace_events(const struct trace *t, struct str key, uint64_t after, struct trace_event *ret, size_t max, bool *more)
{
	*more = false;
	if (!t || !t->ring)
		return 0;
	return key.l ? key_events(t, key, after, ret, max, more) : all_events(t, after, ret, max, more);
}

/* ---- flows ---- */

static size_t flows_where(const struct trace *t, struct str who, struct str outcome, uint64_t before, struct trace_flow *ret, size_t max)
{
	uint64_t s = before && before <= t->n_flows ? before - 1 : t->n_flows;
	const struct flow *w;
	size_t n = 0;

	for (; s && n < max && (w = flow_by_serial(t, s)); s--) {
		if (!w->f.has_method || (who.l && !trace_flow_is(&w->f, who)) ||
		    (outcome.l && !str_eq_c(outcome, trace_flow_outcome(&w->f))))
			continue;
		ret[n++] = w->f;
	}
	return n;
}

size_t trace_flows(const struct trace *t, struct str who, uint64_t before, struct trace_flow *ret, size_t max)
{
	return t && t->ring ? flows_where(t, who, STR_NONE, before, ret, max) : 0;
}

bool trace_flow_of(const struct trace *t, struct str call_id, struct trace_flow *ret)
{
	const struct flow *w = t && t->ring ? flow_by_call(t, call_id) : NULL;

	if (w)
		*ret = w->f;
	return w;
}

/* ---- JSON ---- */

static const char *const kind_names[] = { "sipIn", "sipOut", "diameterOut", "diameterIn", "note" };

static void add_time(cJSON *o, const char *name, uint64_t wall_us)
{
	char when[40];

	clock_rfc3339(wall_us, when);
	cJSON_AddStringToObject(o, name, when);
}

cJSON *trace_event_json(const struct trace_event *e)
{
	cJSON *o = cJSON_CreateObject();
	char number[24];

	add_time(o, "ts", e->wall_us);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)e->wall_us);
	cJSON_AddRawToObject(o, "wallUs", number);	/* as a double it may come out with an exponent */
	cJSON_AddStringToObject(o, "kind", kind_names[e->kind]);
	cJSON_AddStringToObject(o, "callId", e->call_id);
	cJSON_AddStringToObject(o, "icid", e->icid);
	cJSON_AddStringToObject(o, "peer", e->peer);
	cJSON_AddStringToObject(o, "text", e->text);
	return o;
}

cJSON *trace_flow_json(const struct trace_flow *f)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "id", f->call_id);
	cJSON_AddStringToObject(o, "callId", f->call_id);
	cJSON_AddStringToObject(o, "icid", f->icid);
	cJSON_AddStringToObject(o, "method", sip_method_name((enum sip_method)f->method));
	cJSON_AddStringToObject(o, "from", f->from);
	cJSON_AddStringToObject(o, "to", f->to);
	if (f->impi[0])
		cJSON_AddStringToObject(o, "impi", f->impi);
	add_time(o, "startedAt", f->started_us);
	cJSON_AddNumberToObject(o, "durationMs", (double)((f->last_us - f->started_us) / 1000));
	cJSON_AddStringToObject(o, "outcome", trace_flow_outcome(f));
	if (f->status)
		cJSON_AddNumberToObject(o, "finalStatus", f->status);
	cJSON_AddNumberToObject(o, "events", f->events);
	return o;
}

bool trace_to_json(const struct trace *t, struct str key, uint64_t after, unsigned max, cJSON *array, uint64_t *last)
{
	struct trace_event *e = calloc(max ? max : 1, sizeof(*e));
	bool more = false;
	size_t n = e ? trace_events(t, key, after, e, max, &more) : 0;

	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(array, trace_event_json(&e[i]));
	if (n)
		*last = e[n - 1].number;
	free(e);
	return more;
}

bool trace_flows_to_json(const struct trace *t, struct str who, struct str outcome, uint64_t before, unsigned max, cJSON *array,
			 uint64_t *last)
{
	struct trace_flow *f = calloc((size_t)max + 1, sizeof(*f));
	size_t n = f && t && t->ring ? flows_where(t, who, outcome, before, f, (size_t)max + 1) : 0;

	for (size_t i = 0; i < n && i < max; i++)
		cJSON_AddItemToArray(array, trace_flow_json(&f[i]));
	if (n && max)
		*last = f[(n < max ? n : max) - 1].serial;
	free(f);
	return n > max;
}
