/* pcscf/records.h - call records: a line of JSON per call of a phone and per registration, with the ICID.  Row G4.
 *
 * Workers make the lines, the main thread writes them.  Without `records:` nothing is made. */
#pragma once
#include "pcscf/call.h"

#define RECORDS_MAX_WAITING 65536u		/* lines that the main thread has not come to; more are lost and counted */

struct call_records;
/* As records.* says; *ret is NULL without the section.  0 or -errno, logged. */
int call_records_open(struct call_records **ret, struct loop *main_loop, const struct cfg_node *r);
void call_records_close(struct call_records *cr);	/* no worker runs any more; writes what waits */

/* Each does nothing when cr is NULL.  why: how it ended, a fixed phrase. */
void record_call(struct call_records *cr, const struct call *c, const char *why);
void record_registration(struct call_records *cr, const struct binding *b, const char *event, struct str icid, uint32_t expires_s);
