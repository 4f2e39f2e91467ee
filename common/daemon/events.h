/* common/daemon/events.h - what happens, as it happens: GET /api/v1/events.  Rows O1, O9.
 *
 * Workers say it only while somebody listens: events_wanted() is one relaxed load.  The ring is the main thread's. */
#pragma once
#include "common/daemon/stack.h"

/* Does anybody want to hear?  Any thread; w NULL (a test's): no. */
bool events_wanted(const struct worker *w);
/* type: "registration.created".  data: an object, taken over; `at` and `nf` are added.  The worker's thread. */
void events_post(struct worker *w, const char *type, cJSON *data);
/* The text as a member, when there is one. */
void events_add(cJSON *data, const char *name, struct str value);
