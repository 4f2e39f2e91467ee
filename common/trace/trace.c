/* common/trace/trace.c - writing events into the ring. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/trace/private.h"
#include "common/util/clock.h"

#define MIN_RING_BYTES 4096u

struct trace *trace_new(size_t ring_bytes, unsigned flows)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t || !ring_bytes || !flows)
		return t;
	t->size = (ring_bytes < MIN_RING_BYTES ? MIN_RING_BYTES : ring_bytes) & ~(size_t)7;
	t->max_flows = flows;
	t->max_refs = flows * 2;
	for (t->mask = 1; t->mask < flows; t->mask *= 2)
		;
	t->mask--;
	return t;
}

static void tables_free(struct trace *t)
{
	free(t->ring);
	free(t->flow);
	free(t->ref);
	free(t->by_call);
	free(t->by_icid);
	t->ring = NULL;
	t->flow = NULL;
	t->ref = NULL;
	t->by_call = t->by_icid = NULL;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	tables_free(t);
	free(t);
}

/* At the first event: an idle worker costs nothing.  Pages that were never written cost nothing either. */
static bool is_open(struct trace *t)
{
	size_t buckets = (size_t)t->mask + 1;

	if (t->ring)
		return true;
	t->ring = calloc(1, t->size);
	t->flow = calloc(t->max_flows, sizeof(*t->flow));
	t->ref = calloc(t->max_refs, sizeof(*t->ref));
	t->by_call = malloc(buckets * sizeof(*t->by_call));
	t->by_icid = malloc(buckets * sizeof(*t->by_icid));
	if (!t->ring || !t->flow || !t->ref || !t->by_call || !t->by_icid) {
		tables_free(t);
		return false;
	}
	memset(t->by_call, 0xff, buckets * sizeof(*t->by_call));
	memset(t->by_icid, 0xff, buckets * sizeof(*t->by_icid));
	return true;
}

/* ---- the ring ---- */

static struct record *at(const struct trace *t, uint64_t offset)
{
	return (struct record *)(t->ring + offset % t->size);
}

/* Octets from offset to the end of the buffer. */
static size_t to_end(const struct trace *t, uint64_t offset)
{
	return t->size - (size_t)(offset % t->size);
}

/* A place of that many octets in one piece; what stood there is forgotten.  A rest that is too short for it is passed over. */
static struct record *reserve(struct trace *t, size_t bytes)
{
	size_t left = to_end(t, t->head), pad = left < bytes ? left : 0;

	while (t->head + pad + bytes > t->tail + t->size) {
		size_t rest = to_end(t, t->tail);
		const struct record *r = at(t, t->tail);

		t->tail += rest < sizeof(*r) || r->bytes == 0 ? rest : r->bytes;
	}
	if (pad >= sizeof(struct record))
		at(t, t->head)->bytes = 0;		/* nothing more before the end */
	t->head += pad;
	return at(t, t->head);
}

static char *put(char *p, struct str s)
{
	if (s.l)
		memcpy(p, s.p, s.l);
	return p + s.l;
}

static struct str cut(struct str s, size_t max)
{
	return s.l > max ? str_head(s, max) : s;
}

static void append(struct trace *t, struct flow *w, enum trace_kind k, struct str icid, struct str peer, struct str text)
{
	struct record *r;
	size_t bytes;
	char *p;

	icid = cut(icid, TRACE_ICID - 1);
	peer = cut(peer, SIP_FLOW_STRLEN - 1);
	text = cut(text, TRACE_TEXT - 1);
	bytes = (sizeof(*r) + icid.l + peer.l + text.l + 7) & ~(size_t)7;
	r = reserve(t, bytes);
	*r = (struct record){ .prev = w->last, .wall_us = clock_wall_us(), .serial = w->f.serial, .bytes = (uint16_t)bytes, .kind = (uint8_t)k,
			      .peer_l = (uint8_t)peer.l, .icid_l = (uint8_t)icid.l, .text_l = (uint8_t)text.l };
	p = put(r->data, peer);
	p = put(p, icid);
	put(p, text);
	w->last = t->head + 1;
	w->f.last_us = r->wall_us;
	w->f.events++;
	t->head += bytes;
}

/* ---- SIP ---- */

/* What is forwarded keeps the spelling it came with: compact forms too. */
struct str trace_header(struct str wire, enum sip_hdr_id id)
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

/* What an event is about.  Of a message that was not parsed, in one walk over its lines. */
struct about {
	struct str call_id, cseq, pcv;
};

static struct about about_of(struct str wire, const struct sip_msg *m)
{
	struct about b = { STR_NONE, STR_NONE, STR_NONE };
	struct str rest = wire, line, name, value;

	if (m)
		return (struct about){ m->call_id, sip_msg_value(m, SIP_H_CSEQ), sip_msg_value(m, SIP_H_PCV) };
	str_cut(rest, '\n', &line, &rest);	/* the start line */
	while (rest.l && str_cut(rest, '\n', &line, &rest) && line.l > 1) {
		char first = (char)(line.p[0] | 0x20);

		if ((first != 'c' && first != 'i' && first != 'p') || !str_cut(line, ':', &name, &value))
			continue;
		switch (sip_hdr_id_from_name(str_trim(name))) {
		case SIP_H_CALL_ID: b.call_id = b.call_id.l ? b.call_id : str_trim(value); break;
		case SIP_H_CSEQ: b.cseq = b.cseq.l ? b.cseq : str_trim(value); break;
		case SIP_H_PCV: b.pcv = b.pcv.l ? b.pcv : str_trim(value); break;
		default: break;
		}
	}
	return b;
}

static struct str icid_of(struct str pcv)
{
	struct str v;

	return pcv.l && sip_param_get(pcv, "icid-value", &v) ? sip_unquote(v) : STR_NONE;
}

/* The text of an event; the method in *ret_method.  Returns the status, 0 for a request. */
static unsigned describe(struct str wire, struct str cseq, char dst[TRACE_TEXT], enum sip_method *ret_method)
{
	struct str line, rest, method;
	uint32_t status = 0;
	ssize_t sp;
	size_t l;

	str_cut(wire, '\n', &line, &rest);
	line = str_trim(line);
	if (!str_starts(line, STR("SIP/2.0 "))) {
		sp = str_rchr(line, ' ');
		str_copy(cut(sp > 0 ? str_head(line, (size_t)sp) : line, TRACE_TEXT / 2), dst, TRACE_TEXT);
		str_cut(line, ' ', &method, &rest);
		*ret_method = sip_method_from_str(method);
		return 0;
	}
	sp = str_rchr(cseq, ' ');
	method = sp < 0 ? STR_NONE : cut(str_from(cseq, (size_t)sp + 1), 32);
	*ret_method = sip_method_from_str(method);
	line = cut(str_from(line, 8), 80);
	l = str_put(dst, TRACE_TEXT, str_put(dst, TRACE_TEXT, 0, line), STR(" ("));
	str_put(dst, TRACE_TEXT, str_put(dst, TRACE_TEXT, l, method), STR(")"));
	str_cut(line, ' ', &line, &rest);
	return str_to_u32(line, &status) < 0 || status < 100 ? 100 : status;
}

void trace_sip(struct trace *t, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m)
{
	char peer[SIP_FLOW_STRLEN], text[TRACE_TEXT];
	enum sip_method method;
	unsigned status;
	struct about b;
	struct str icid;
	struct flow *w;

	if (!t || !t->size || !is_open(t))
		return;
	b = about_of(wire, m);
	icid = icid_of(b.pcv);
	w = flow_for(t, b.call_id, icid.l ? icid : log_correlation_get());
	status = describe(wire, b.cseq, text, &method);
	flow_learn(w, m, wire, sent, status, method);
	sip_flow_fmt(flow, peer);
	append(t, w, sent ? TRACE_SIP_OUT : TRACE_SIP_IN, icid.l ? icid : log_correlation_get(), str_from_c(peer), str_from_c(text));
}

void trace_add(struct trace *t, enum trace_kind k, struct str call_id, struct str icid, const char *peer, const char *fmt, ...)
{
	char text[TRACE_TEXT];
	va_list ap;

	if (!t || !t->size || !is_open(t))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(t, flow_for(t, call_id, icid), k, icid, str_from_c(peer), str_from_c(text));
}

void trace_put(struct trace *t, enum trace_kind k, struct str call_id, struct str icid, const char *peer, struct str text)
{
	if (t && t->size && is_open(t))
		append(t, flow_for(t, call_id, icid), k, icid, str_from_c(peer), text);
}
