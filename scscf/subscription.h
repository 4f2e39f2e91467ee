/* scscf/subscription.h - the notifier of the reg event package: RFC 3680, RFC 6665; TS 24.229 §5.4.2.1; rows S14, S15.
 *
 * A subscription belongs to the worker of its dialog's Call-ID: SUBSCRIBEs come there, and so do the answers to NOTIFYs.  What
 * it tells it reads from published views (view.h), whoever owns the registrations.  An owner that has published something new
 * asks the watch index, which all workers share, who wants to hear of these identities, and posts what changed to
 * those workers (registration_tell): which identities, and which contacts ended and why, for a view does not show those any more. */
#pragma once
#include "common/proxy/uac.h"
#include "common/sip/reginfo.h"
#include "scscf/session.h"

#define SUBSCRIPTIONS_PER_IDENTITY 32u	/* of one worker; one more: the oldest makes room */
#define SUBSCRIPTION_MAX_NEWS 16u	/* changes that wait while a NOTIFY is out; more: the oldest is forgotten */
#define SUBSCRIPTION_DEFAULT_S 3761u	/* RFC 3680 §4.4 */
#define SUBSCRIPTION_RETRY_MAX_S 300u	/* a longer Retry-After ends the subscription */

/* ---- watch.c: which workers have subscriptions to an identity.  Any thread ---- */
struct watch_index;
struct watch_index *watch_index_new(void);
void watch_index_free(struct watch_index *x);
int watch_index_set(struct watch_index *x, struct str aor, unsigned worker);	/* 0 or -ENOMEM */
void watch_index_clear(struct watch_index *x, struct str aor, unsigned worker);
uint64_t watch_index_who(struct watch_index *x, const struct profile *p);	/* a bit for each worker; x and p may be NULL */

struct reg_ended {			/* a contact that is no more */
	struct str uri, params, display, call_id;
	uint32_t cseq, retry_after_s;
	enum reginfo_event event;
};
struct reg_change {			/* immutable; lives in its arena, whose references are its own */
	struct arena *arena;
	struct str impi;
	unsigned n_aors, n_ended;
	struct str *aor;		/* every identity that is not barred */
	struct reg_ended *ended;
};

/* ---- subscription.c: their life ---- */
struct subscriptions;			/* those of a worker */
struct subscriptions *subscriptions_new(struct scscf_worker *sw);
void subscriptions_free(struct subscriptions *ss);
void subscriptions_list(struct subscriptions *ss, struct gather *g);	/* for REST; what comes or goes between two pages may be missed */
void subscriptions_changed(struct worker *w, void *change);	/* fn of worker_post(): struct reg_change, a reference */

/* ---- subscribe.c: SUBSCRIBE ---- */
bool subscription_is_for_reg(const struct sip_msg *m);		/* with Event: reg */
/* A SUBSCRIBE outside of a dialog to the identity `aor`, whose views are `set`.  by: the registration that asks by its
 * Service-Route; 0: whoever P-Asserted-Identity says. */
void subscription_request(struct scscf_worker *sw, struct session_in *in, const struct aor_view *set, struct str aor, uint64_t by);
void subscription_in_dialog(struct scscf_worker *sw, struct session_in *in);
void subscribe_register_metrics(void);

struct news {
	struct list link;
	struct reg_change *c;
};
struct watched;				/* an identity that this worker has subscriptions to */
struct subscription {
	struct hnode node;
	struct list of_identity;
	struct subscriptions *ss;
	struct watched *watched;
	struct dialog *d;
	char *event;			/* value of Event, with its id parameter */
	char *subscriber;		/* for the log */
	struct timer expiry, retry;
	uint64_t expires_ms;
	bool service;			/* an application server watches */
	uint32_t version;		/* of the next document */
	const char *ended;		/* the next NOTIFY is the last one: reason of Subscription-State */
	bool dirty, full;		/* there is something to tell; and it is to be the whole state */
	struct uac *notify;		/* on its way: one at a time (RFC 6665 §4.2.2: answered before the next) */
	struct aor_view *told;		/* what the last NOTIFY spoke of; NULL: none */
	struct list news;
	unsigned n_news;
};
/* What subscribe.c does with one: that of a request's dialog, NULL: none; a new one by its SUBSCRIBE, NULL with -ENOMEM or -EBADMSG (no usable
 * Contact or Record-Route). */
struct subscription *subscription_find(const struct subscriptions *ss, const struct sip_msg *m);
struct subscription *subscription_new(struct subscriptions *ss, struct session_in *in, struct str aor, int *reterr);
void subscriptions_make_room(struct watched *x);	/* a phone that loses its memory again and again leaves them behind */
void subscription_extend(struct subscription *s, uint32_t expires_s);
/* Sends what there is to tell, unless a NOTIFY is out or the subscriber asked for a pause.  s may be gone after it. */
void subscription_tell(struct subscription *s);
void subscription_end(struct subscription *s, const char *reason);	/* with a last NOTIFY; s may be gone after it */

struct str subscription_aor(const struct subscription *s);
struct stack *subscription_stack(const struct subscription *s);
struct worker *subscription_worker(const struct subscription *s);
/* One that was kept (keep_subs.c), which ends in left_ms; after the registrations are back.  Takes d over on success.  NULL: it cannot be. */
struct subscription *subscription_restore(struct subscriptions *ss, struct dialog *d, struct str aor, struct str event,
					  struct str subscriber, uint32_t version, uint64_t left_ms);

/* ---- notify.c: the document, TS 24.229 §5.4.2.1.2 ---- */
/* How much of it: less when a message cannot hold it all. */
enum notify_detail { NOTIFY_ALL, NOTIFY_WITHOUT_PARAMS, NOTIFY_ONE_IDENTITY, NOTIFY_N_DETAILS };
/* Appends the document about `now` (NULL: nothing is registered).  false: partial, and nothing changed; what was written is
 * no document then. */
bool notify_write(const struct subscription *s, const struct aor_view *now, bool full, enum notify_detail detail, struct buf *out);
