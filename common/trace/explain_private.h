/* common/trace/explain_private.h - the shape of a rule: explain.c and explain_rules.c only. */
#pragma once
#include "common/trace/explain.h"

#define EXPLAIN_NOTES (1u << TRACE_NOTE)
#define EXPLAIN_DIAMETER (1u << TRACE_DIA_IN)
#define EXPLAIN_SIP_IN (1u << TRACE_SIP_IN)

struct explain_rule {
	const char *cause;		/* NULL: the end */
	unsigned weight;
	unsigned kinds;			/* bits of enum trace_kind */
	const char *needle, *also;	/* both stand in the event's text; for SIP the needle begins it.  also: may be NULL */
	const char *summary;
	const char *tries[EXPLAIN_TRIES];
	const char *reference;
};
extern const struct explain_rule explain_rules[];
