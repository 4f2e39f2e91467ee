/* common/trace/private.h - the inside of struct trace: trace.c, flow.c and read.c only. */
#pragma once
#include "common/trace/trace.h"

#define NO_SLOT UINT32_MAX

/* One event in the ring: this, then peer, icid and text without NULs; `bytes` is a multiple of 8. */
struct record {
	uint64_t prev;				/* offset + 1 of the flow's event before; 0: none */
	uint64_t wall_us;
	uint64_t serial;			/* of its flow */
	uint16_t bytes;
	uint8_t kind, peer_l, icid_l, text_l;
	uint8_t unused[2];
	char data[];
};

struct flow {
	struct trace_flow f;			/* serial 0: free */
	uint64_t hash;				/* of the Call-ID */
	uint64_t last;				/* offset + 1 of its newest event */
	uint16_t status_in, status_out;
	uint32_t next;				/* in its bucket */
};

struct icid_ref {				/* a flow has as many ICIDs as it has requests that start something */
	uint64_t hash, serial;			/* serial 0: free */
	uint32_t next;
};

struct trace {
	size_t size;				/* of the ring */
	uint8_t *ring;				/* allocated at the first event, as the tables are */
	uint64_t head, tail;			/* offsets that only grow; the place is modulo size */
	unsigned max_flows, max_refs;
	uint64_t n_flows, n_refs;		/* ever */
	struct flow *flow;			/* serial s is in slot (s - 1) % max_flows */
	struct icid_ref *ref;
	uint32_t *by_call, *by_icid;		/* buckets: slots */
	uint32_t mask;
};

/* flow.c */
struct flow *flow_for(struct trace *t, struct str call_id, struct str icid);	/* found, or made in place of the oldest */
struct flow *flow_by_serial(const struct trace *t, uint64_t serial);		/* NULL: overwritten */
struct flow *flow_by_call(const struct trace *t, struct str call_id);
/* The next flow with that ICID; *at begins with 0. */
struct flow *flow_by_icid(const struct trace *t, struct str icid, uint64_t *at);
/* What a message says of its flow. */
void flow_learn(struct flow *w, const struct sip_msg *m, struct str wire, bool sent, unsigned status, enum sip_method method);

static inline struct str trace_cut(struct str s, size_t size)	/* as an array of that size holds it */
{
	return s.l >= size ? str_head(s, size - 1) : s;
}
