/* tests/pcrf/history.c - the history of all that was said. */
#include <stdio.h>
#include <string.h>
#include "common/util/clock.h"
#include "tests/pcrf/history.h"

void history_note(struct history *h, unsigned session, bool violation, const char *fmt, ...)
{
	va_list ap;

	if (h->n == HISTORY_MAX_EVENTS)
		memmove(&h->event[0], &h->event[1], --h->n * sizeof(h->event[0]));
	h->event[h->n].at_us = clock_wall_us();
	h->event[h->n].session = session;
	va_start(ap, fmt);
	vsnprintf(h->event[h->n++].text, HISTORY_TEXT, fmt, ap);
	va_end(ap);
	h->violations += violation;
}

void history_show(const struct history *h, cJSON *doc)
{
	cJSON *list = cJSON_AddArrayToObject(doc, "events");

	for (unsigned n = 0; n < h->n; n++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddNumberToObject(o, "atUs", (double)h->event[n].at_us);
		cJSON_AddNumberToObject(o, "session", h->event[n].session);
		cJSON_AddStringToObject(o, "what", h->event[n].text);
		cJSON_AddItemToArray(list, o);
	}
	cJSON_AddNumberToObject(doc, "violations", h->violations);
}
