/* tests/pcrf/history.h - what a lab policy server was told and what its peers did wrong; the PCRF's and the PCF's. */
#pragma once
#include <cjson/cJSON.h>
#include <stdarg.h>
#include "common/util/str.h"

#define HISTORY_MAX_EVENTS 2000u	/* the oldest go */
#define HISTORY_TEXT 400

struct history {
	struct {
		uint64_t at_us;
		unsigned session;
		char text[HISTORY_TEXT];
	} event[HISTORY_MAX_EVENTS];
	unsigned n, violations;
};

/* A line; violation: what the peer did wrong. */
void history_note(struct history *h, unsigned session, bool violation, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void history_show(const struct history *h, cJSON *doc);		/* adds "events" and "violations" */
