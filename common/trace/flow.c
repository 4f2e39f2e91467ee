/* common/trace/flow.c - the table of flows: by Call-ID, by ICID, who takes part, how it ended. */
#include "common/sip/auth.h"
#include "common/sip/nameaddr.h"
#include "common/trace/private.h"
#include "common/util/clock.h"
#include "common/util/hash.h"

/* ---- finding ---- */

struct flow *flow_by_serial(const struct trace *t, uint64_t serial)
{
	struct flow *w = serial ? &t->flow[(serial - 1) % t->max_flows] : NULL;

	return w && w->f.serial == serial ? w : NULL;
}

struct flow *flow_by_call(const struct trace *t, struct str call_id)
{
	struct str key = trace_cut(call_id, TRACE_ID);
	uint64_t h = hash_str(key);

	for (uint32_t i = t->by_call[h & t->mask]; i != NO_SLOT; i = t->flow[i].next)
		if (t->flow[i].hash == h && str_eq_c(key, t->flow[i].f.call_id))
			return &t->flow[i];
	return NULL;
}

/* The newest reference is the first in its bucket. */
struct flow *flow_by_icid(const struct trace *t, struct str icid, uint64_t *at)
{
	uint64_t h = hash_str(trace_cut(icid, TRACE_ICID));
	uint32_t i = *at ? t->ref[*at - 1].next : t->by_icid[h & t->mask];

	for (; i != NO_SLOT; i = t->ref[i].next) {
		struct flow *w = t->ref[i].hash == h ? flow_by_serial(t, t->ref[i].serial) : NULL;

		*at = i + 1;
		if (w)
			return w;
	}
	return NULL;
}

/* ---- making ---- */

static void call_unlink(struct trace *t, uint32_t slot)
{
	uint32_t *at = &t->by_call[t->flow[slot].hash & t->mask];

	while (*at != slot)
		at = &t->flow[*at].next;
	*at = t->flow[slot].next;
}

static struct flow *flow_new(struct trace *t, struct str call_id)
{
	struct str key = trace_cut(call_id, TRACE_ID);
	uint32_t slot = (uint32_t)(t->n_flows++ % t->max_flows);
	struct flow *w = &t->flow[slot];

	if (w->f.serial)
		call_unlink(t, slot);
	memset(w, 0, sizeof(*w));
	w->f.serial = t->n_flows;
	w->f.started_us = clock_wall_us();
	w->hash = hash_str(key);
	str_copy(key, w->f.call_id, sizeof(w->f.call_id));
	w->next = t->by_call[w->hash & t->mask];
	t->by_call[w->hash & t->mask] = slot;
	return w;
}

static void ref_add(struct trace *t, struct flow *w, struct str icid)
{
	uint32_t slot = (uint32_t)(t->n_refs++ % t->max_refs), *at;
	struct icid_ref *r = &t->ref[slot];

	if (r->serial) {
		at = &t->by_icid[r->hash & t->mask];
		while (*at != slot)
			at = &t->ref[*at].next;
		*at = r->next;
	}
	r->hash = hash_str(trace_cut(icid, TRACE_ICID));
	r->serial = w->f.serial;
	r->next = t->by_icid[r->hash & t->mask];
	t->by_icid[r->hash & t->mask] = slot;
}

/* A flow goes back to ICIDs it had: the references of one must not pile up. */
static bool has_ref(const struct trace *t, const struct flow *w, struct str icid)
{
	const struct flow *one;
	uint64_t at = 0;

	while ((one = flow_by_icid(t, icid, &at)))
		if (one == w)
			return true;
	return false;
}

struct flow *flow_for(struct trace *t, struct str call_id, struct str icid)
{
	struct flow *w = flow_by_call(t, call_id);
	uint64_t at = 0;

	/* Diameter and decisions give their correlation for both, which is an ICID once there is one. */
	if (!w && (icid.l == 0 || str_eq(call_id, icid)))
		w = flow_by_icid(t, call_id, &at);
	if (!w)
		w = flow_new(t, call_id);
	icid = trace_cut(icid, TRACE_ICID);
	if (icid.l && !str_eq_c(icid, w->f.icid) && !str_eq(icid, trace_cut(call_id, TRACE_ICID))) {
		str_copy(icid, w->f.icid, sizeof(w->f.icid));
		if (!has_ref(t, w, icid))
			ref_add(t, w, icid);
	}
	return w;
}

/* ---- what messages tell ---- */

static void set_aor(char dst[TRACE_ID], struct str header)
{
	struct sip_nameaddr na;
	struct str rest, aor;

	if (sip_nameaddr_parse(header, &na) < 0)
		return;
	str_cut(na.uri.text, ':', &rest, &aor);
	str_cut(aor, ';', &aor, &rest);
	str_copy(aor, dst, TRACE_ID);
}

static struct str header_of(const struct sip_msg *m, struct str wire, enum sip_hdr_id id)
{
	return m ? sip_msg_value(m, id) : trace_header(wire, id);
}

static void learn_request(struct flow *w, const struct sip_msg *m, struct str wire, enum sip_method method)
{
	struct auth_params p;

	if (!w->f.has_method) {
		w->f.method = (uint8_t)method;
		w->f.has_method = true;
		set_aor(w->f.from, header_of(m, wire, SIP_H_FROM));
		set_aor(w->f.to, header_of(m, wire, SIP_H_TO));
	}
	if (method == SIP_REGISTER && w->f.method == SIP_REGISTER) {
		w->status_in = w->status_out = w->f.status = 0;		/* the answer to the newest one counts */
		if (!w->f.impi[0] && auth_params_parse(header_of(m, wire, SIP_H_AUTHORIZATION), &p) == 0)
			str_copy(p.username, w->f.impi, sizeof(w->f.impi));
	}
}

void flow_learn(struct flow *w, const struct sip_msg *m, struct str wire, bool sent, unsigned status, enum sip_method method)
{
	if (status == 0) {
		learn_request(w, m, wire, method);
		return;
	}
	if (status < 200 || !w->f.has_method || method != w->f.method)
		return;
	/* A call that was answered is a success, whatever became of later requests in it. */
	if (method != SIP_REGISTER && w->f.status / 100 == 2)
		return;
	if (sent)
		w->status_out = (uint16_t)status;
	else
		w->status_in = (uint16_t)status;
	w->f.status = w->status_out ? w->status_out : w->status_in;
}

/* ---- judging ---- */

const char *trace_flow_outcome(const struct trace_flow *f)
{
	switch (f->status) {
	case 0: return "running";
	case 401:
	case 407: return "challenge";
	case 487: return "cancelled";
	default: return f->status / 100 == 2 ? "success" : "failure";
	}
}

static bool user_is(const char *aor, struct str user)
{
	struct str own, host;

	str_cut(str_from_c(aor), '@', &own, &host);
	if (own.l == 0)
		return false;
	if (own.p[0] == '+' && user.l && user.p[0] != '+')
		own = str_from(own, 1);
	return str_ieq(own, user);
}

bool trace_flow_is(const struct trace_flow *f, struct str who)
{
	static const struct str schemes[] = { { "sip:", 4 }, { "sips:", 5 }, { "tel:", 4 } };
	const char *const all[] = { f->from, f->to, f->impi };
	struct str rest;

	if (str_eq_c(trace_cut(who, TRACE_ID), f->call_id) || (f->icid[0] && str_eq_c(trace_cut(who, TRACE_ICID), f->icid)))
		return true;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (str_istarts(who, schemes[i]))
			who = str_from(who, schemes[i].l);
	str_cut(who, ';', &who, &rest);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (str_chr(who, '@') < 0 ? user_is(all[i], who) : all[i][0] && str_ieq_c(trace_cut(who, TRACE_ID), all[i]))
			return true;
	}
	return false;
}
