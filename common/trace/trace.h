/* common/trace/trace.h - what this daemon saw, the last N events per worker: the stuff of ladders.
 *
 * Each worker appends to its own ring; a reader gets copies through the worker (post).  No keys, digests or bodies:
 * start lines, addresses and short texts.  Events are found by Call-ID or ICID. */
#pragma once
#include <cjson/cJSON.h>
#include "common/sip/msg.h"

enum trace_kind { TRACE_SIP_IN, TRACE_SIP_OUT, TRACE_DIA_OUT, TRACE_DIA_IN, TRACE_NOTE };

#define TRACE_TEXT 112
struct trace_event {
	uint64_t wall_us;
	uint8_t kind;
	char call_id[64], icid[48];	/* truncated */
	char peer[SIP_FLOW_STRLEN];	/* "udp:127.0.0.1:5060"; Diameter: peer or "hss" */
	char text[TRACE_TEXT];		/* "INVITE sip:...", "180 Ringing (INVITE)", "UAR", "UAA 2001", a decision */
};

struct trace;
struct trace *trace_new(unsigned events);		/* ring size per worker; 0: off */
void trace_free(struct trace *t);
void trace_sip(struct trace *t, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m);
void trace_add(struct trace *t, enum trace_kind k, struct str call_id, struct str icid, const char *peer, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* Appends matching events (Call-ID or ICID equal to key; empty: all) with numbers above `after` as JSON objects to `array`,
 * oldest first, at most max.  *last: number of the last one appended, else unchanged.  True when more would match. */
bool trace_to_json(const struct trace *t, struct str key, uint64_t after, unsigned max, cJSON *array, uint64_t *last);
