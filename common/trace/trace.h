/* common/trace/trace.h - the flow recorder of one worker: what it saw and decided, for ladders and explanations.  Rows O7, U6.
 *
 * Always on, in bounded memory: a ring of events and a table of flows (a flow is a Call-ID), both overwritten from the
 * oldest; nothing is allocated before the first event.  Each worker writes its own; a reader gets copies through the worker
 * (post).  No keys, digests or bodies: start lines, addresses and short texts.  Events are found by Call-ID or ICID, flows by
 * these and by who takes part. */
#pragma once
#include <cjson/cJSON.h>
#include "common/sip/msg.h"

enum trace_kind { TRACE_SIP_IN, TRACE_SIP_OUT, TRACE_DIA_OUT, TRACE_DIA_IN, TRACE_NOTE };

#define TRACE_TEXT 240
#define TRACE_ID 64
#define TRACE_ICID 48
struct trace_event {
	uint64_t wall_us;
	uint64_t number;		/* grows; a cursor */
	uint8_t kind;
	char call_id[TRACE_ID], icid[TRACE_ICID];	/* truncated */
	char peer[SIP_FLOW_STRLEN];	/* "udp:127.0.0.1:5060"; Diameter and N5: "hss", "pcrf", "pcf"; a note: who says it */
	char text[TRACE_TEXT];		/* "INVITE sip:...", "180 Ringing (INVITE)", "UAR", "UAA 2001", a decision */
};

struct trace_flow {
	uint64_t serial;		/* grows; a cursor */
	uint64_t started_us, last_us;	/* wall clock */
	char call_id[TRACE_ID], icid[TRACE_ICID];
	char from[TRACE_ID], to[TRACE_ID], impi[TRACE_ID];	/* user@host, truncated; impi: of a REGISTER's Authorization */
	uint8_t method;			/* enum sip_method of its first request; no flow of its own without one */
	bool has_method;
	uint16_t status;		/* final response to that method: what we sent, else what we got; 0: none yet */
	uint32_t events;		/* ever; the oldest may be gone */
};
const char *trace_flow_outcome(const struct trace_flow *f);	/* "running", "success", "challenge", "cancelled", "failure" */
/* who: Call-ID, ICID, sip: or tel: URI, user@host, or a bare user (an IMSI, a number with or without +). */
bool trace_flow_is(const struct trace_flow *f, struct str who);

struct str trace_header(struct str wire, enum sip_hdr_id id);	/* first value of a header in text that was never parsed */

struct trace;
struct trace *trace_new(size_t ring_bytes, unsigned flows);	/* of this worker; 0 of either: off.  NULL: out of memory */
void trace_free(struct trace *t);
void trace_sip(struct trace *t, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m);
/* text: as it stands, where the other would print it. */
void trace_put(struct trace *t, enum trace_kind k, struct str call_id, struct str icid, const char *peer, struct str text);
void trace_add(struct trace *t, enum trace_kind k, struct str call_id, struct str icid, const char *peer, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* Copies events whose Call-ID or ICID is key (empty: all) with numbers above `after`, oldest first.  Returns how many;
 * *more: there are others. */
size_t trace_events(const struct trace *t, struct str key, uint64_t after, struct trace_event *ret, size_t max, bool *more);
bool trace_flow_of(const struct trace *t, struct str call_id, struct trace_flow *ret);	/* false: not recorded */
/* Copies flows for which `who` holds (empty: all) with serials below `before` (0: all), newest first. */
size_t trace_flows(const struct trace *t, struct str who, uint64_t before, struct trace_flow *ret, size_t max);

/* The same as JSON objects behind `array`.  *last: number or serial of the last one, else unchanged.  True when there are
 * more.  outcome: only those, or empty. */
bool trace_to_json(const struct trace *t, struct str key, uint64_t after, unsigned max, cJSON *array, uint64_t *last);
bool trace_flows_to_json(const struct trace *t, struct str who, struct str outcome, uint64_t before, unsigned max, cJSON *array,
			 uint64_t *last);
cJSON *trace_event_json(const struct trace_event *e);
cJSON *trace_flow_json(const struct trace_flow *f);
