/* pcscf/reg_event.h - our own subscription to the registration state of each user that is registered through us: TS 24.229
 * §5.2.3, §5.2.5; RFC 3680; row P8.
 *
 * One for each private identity, on the worker that owns its bindings; the Call-ID is made so that this worker gets the
 * NOTIFYs.  It begins with the first binding and ends with the last one, or 64*T1 later when its last NOTIFY does not come. */
#pragma once
#include "pcscf/pcscf.h"

#define REG_EVENT_EXPIRES_S 600000u		/* asked for: longer than any registration; the notifier may shorten it */
#define REG_EVENT_RETRY_S 60u			/* the notifier is away: doubled up to... */
#define REG_EVENT_RETRY_MAX_S 3600u
/* A binding that the network has ended lives on so long: the phone's own NOTIFY has to reach it (TS 24.229 §5.2.5.2). */
#define REG_EVENT_GRACE_S 5u

struct store_record;
struct reginfo;
struct reg_events;
struct reg_events *reg_events_new(struct pcscf_worker *pw);
void reg_events_free(struct reg_events *es);
/* On the owner of b->impi, after its binding was published; when the last one of that private identity goes. */
void reg_event_registered(struct reg_events *es, const struct binding *b);
void reg_event_left(struct reg_events *es, struct str impi);
/* After a restart: one that was kept, and then each binding that is back.  A binding without one gets one within REG_EVENT_RESTORE_S. */
#define REG_EVENT_RESTORE_S 30u
void reg_event_restore(struct reg_events *es, const struct store_record *rec, uint64_t now_ms);
void reg_event_restored(struct reg_events *es, const struct binding *b);
void reg_events_list(struct reg_events *es, struct gather *g);	/* for REST; what comes or goes between two pages may be missed */
unsigned reg_events_count(const struct reg_events *es);		/* subscriptions that are kept, refused ones too */
/* A NOTIFY whose Request-URI is ourselves: answered here, before any parsing when it is not of a subscription of ours (REG-01). */
void reg_event_notify(struct pcscf_req *r);

/* ---- reg_identities.c ---- */
/* What a document says of the identities that b may use.  Returns how many were given or taken away. */
unsigned reg_identities_apply(struct bindings *bs, const struct binding *b, const struct reginfo *doc);
