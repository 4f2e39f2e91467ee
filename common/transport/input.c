/* common/transport/input.c - from octets to a parsed message on the worker that owns its Call-ID. */
#include <errno.h>
#include "common/transport/private.h"
#include "common/util/clock.h"

static struct arena *arena_with(struct str raw, struct str *ret)
{
	struct arena *a = arena_new(SIP_ARENA_BYTES(raw.l));

	if (!a)
		return NULL;
	*ret = arena_dup(a, raw);
	if (!ret->p) {
		arena_unref(a);
		return NULL;
	}
	return a;
}

static void tell(struct transport *t, const struct sip_flow *from, struct arena *a, struct str raw,
		 uint64_t recv_us, const struct sip_parse_error *force)
{
	struct sip_parse_error e = { 0 };
	struct sip_msg *m = NULL;
	int rc = sip_msg_parse(a, raw, from, sip_proto_is_reliable(from->proto), &m, &e);

	if (m)
		m->recv_us = recv_us;
	if (rc == -ENOMEM) {
		t->stats.refused++;
	} else if (rc < 0 || force) {
		if (force && m && m->request && m->method == SIP_ACK)
			m = NULL;
		if (force)
			e = *force;
		t->stats.parse_errors++;
		t->ops->bad(t->u, m, from, raw, &e);
	} else {
		t->ops->message(t->u, m);
	}
}

void input_parse(struct transport *t, const struct sip_flow *from, struct arena *a, struct str raw, uint64_t recv_us)
{
	struct sip_flow flow = *from;	/* from may live in the arena */

	tell(t, &flow, a, raw, recv_us, NULL);
	arena_unref(a);
}

static bool hand_over(struct transport *t, const struct sip_flow *from, struct arena *a, struct str raw, uint64_t recv_us)
{
	struct str call_id = sip_scan_call_id(raw);
	unsigned owner = call_id.l ? transport_worker_of(t->group, call_id) : t->worker;
	struct job *j;

	if (owner == t->worker)
		return false;
	j = arena_zalloc(a, sizeof(*j));
	if (!j) {
		t->stats.refused++;
		arena_unref(a);
		return true;
	}
	*j = (struct job){ .kind = JOB_INPUT, .flow = *from, .arena = a, .raw = raw, .recv_us = recv_us };
	if (box_post(t->group, (uint16_t)owner, j) < 0) {
		t->stats.refused++;
		arena_unref(a);
	} else {
		t->stats.handed_over++;
	}
	return true;
}

static bool filtered(struct transport *t, const struct sip_flow *from, struct str raw)
{
	if (!t->filter || t->filter(t->u, from, raw))
		return false;
	t->stats.filtered++;
	return true;
}

int input_message(struct transport *t, const struct sip_flow *from, struct str raw, uint64_t recv_us)
{
	struct arena *a;

	t->stats.rx_messages++;
	if (filtered(t, from, raw))
		return -EACCES;
	a = arena_with(raw, &raw);
	if (!a)
		t->stats.refused++;
	else if (t->group->n_workers == 1 || !hand_over(t, from, a, raw, recv_us))
		input_parse(t, from, a, raw, recv_us);
	return 0;
}

int input_bad(struct transport *t, const struct sip_flow *from, struct str raw, unsigned status, const char *why)
{
	const struct sip_parse_error e = { .status = status, .why = why };
	struct arena *a;

	if (raw.l > SIP_MSG_MAX_BYTES)
		raw.l = SIP_MSG_MAX_BYTES;
	t->stats.rx_messages++;
	if (filtered(t, from, raw))
		return -EACCES;
	a = arena_with(raw, &raw);
	if (!a) {
		t->stats.refused++;
		return 0;
	}
	tell(t, from, a, raw, clock_mono_us(), &e);
	arena_unref(a);
	return 0;
}
