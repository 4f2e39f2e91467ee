/* common/trace/explain.h - why did it fail?  From the events of a flow to a cause in words, what to try and the clause.
 *
 * Pure: facts in, words out.  A table of rules (explain_rules.c) looks for what the daemon decided, what the HSS said and what
 * peers answered; the rule that weighs most wins.  What a daemon cannot know it does not claim: its weight is low then, and who
 * asks several daemons takes the heaviest.  Goal U4. */
#pragma once
#include "common/trace/trace.h"

#define EXPLAIN_TRIES 3
#define EXPLAIN_TEXT 400

struct explain_facts {
	const char *nf;			/* "pcscf" */
	uint64_t now_us;		/* wall clock */
	const char *peers;		/* Diameter peers that are not open, in words; empty: all are */
	const char *domain;		/* home domain */
};

struct explanation {
	const char *cause;		/* a fixed word: "unknown_user" */
	unsigned weight;		/* 0..100 */
	const char *outcome;		/* as trace_flow_outcome() */
	char summary[EXPLAIN_TEXT];	/* its first sentence names the cause */
	char tries[EXPLAIN_TRIES][EXPLAIN_TEXT];	/* empty: none */
	const char *reference;		/* clauses; may be empty */
	bool has_evidence;
	struct trace_event evidence;	/* the event that decided */
};

/* e: the flow's events, oldest first. */
void explain(const struct explain_facts *k, const struct trace_flow *f, const struct trace_event *e, size_t n, struct explanation *ret);
/* Which of these flows (newest first) somebody means who asks why it failed: the newest that failed, unless its like has
 * succeeded since; else the newest.  n > 0. */
size_t explain_choose(const struct trace_flow *f, size_t n);
cJSON *explain_json(const struct explanation *x, const char *nf, const struct trace_flow *f, const char *subject);
