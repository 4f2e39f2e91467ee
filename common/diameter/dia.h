/* common/diameter/dia.h - the Diameter node of a daemon: start, peers, outstanding requests.  RFC 6733.
 *
 * Nothing of freeDiameter shows here.  Its threads copy values into plain structs and post them to the loop that
 * asked; every request has one completion, in the asker's own time (dia_config.request_timeout_ms), also when the
 * library loses the answer (integration.md: answers that fail parsing vanish).  One node per process. */
#pragma once
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "common/util/addr.h"

struct dia_peer_config {
	const char *identity, *realm, *address;	/* realm, address may be NULL */
	uint16_t port;
};
struct dia_config {
	const char *identity, *realm;
	struct addr listen;			/* port 0: client only; an unspecified address: every one of this machine */
	const struct dia_peer_config *peers;
	size_t n_peers;
	uint32_t request_timeout_ms;
	uint32_t max_outstanding;		/* per client; more wait their turn, see dia_client_new() */
	uint32_t watchdog_s;			/* Tw, RFC 3539; 6 at least */
	bool rx;				/* speaks Rx; else Cx */
	bool doic;				/* knows overload reports (RFC 7683), and says so */
	bool any_peer;				/* whoever connects is taken: the lab's HSS and PCRF */
};
int dia_start(const struct dia_config *c);	/* 0 or -errno; logs the reason */
void dia_stop(void);				/* may take a second */

struct dia_peer_view {
	char identity[256], realm[256], state[24];	/* state: "open", "closed", "connecting"... */
	bool open;
	bool aside;				/* dia_peer_set_aside() */
	uint64_t since_ms;			/* in that state, clock_mono_ms() */
	char reason[128];			/* why not open; may be empty */
	uint64_t answers, errors;		/* of our requests: all it answered; protocol errors among them (3xxx, RFC 6733 §7.1.3) */
	uint64_t timeouts;			/* it never answered */
	uint32_t mean_us, longest_us;		/* until the answer: lately (each new one counts an eighth), and ever */
};
size_t dia_peers(struct dia_peer_view *ret, size_t max);	/* any thread */
/* Requests that another open peer can answer go there from now on; those on their way come back, and its own requests are answered as before.
 * 0, -ENOENT; any thread. */
int dia_peer_set_aside(struct str identity, bool aside);
bool dia_any_open(void);					/* any thread */
bool dia_is_open(struct str identity);				/* any thread */

/* Per worker: the client that requests leave through. */
struct dia_client;
/* max_outstanding: with the library at a time; max_waiting: for their turn, within the same deadline.  More: -EBUSY at once. */
struct dia_client *dia_client_new(struct loop *l, uint32_t request_timeout_ms, uint32_t max_outstanding, uint32_t max_waiting);
void dia_client_free(struct dia_client *c);			/* outstanding requests: no callbacks follow */
void dia_client_cancel(struct dia_client *c, uint64_t request);	/* no callback follows */
/* The requests without an answer yet. */
struct dia_request_view {
	uint64_t id;
	const char *command;		/* "UAR" */
	bool waits;			/* for others to be answered: it is not sent yet */
	uint64_t age_ms;
	struct str correlation;		/* of the request that it belongs to */
};
void dia_client_each(struct dia_client *c, void (*fn)(void *arg, const struct dia_request_view *v), void *arg);
uint32_t dia_client_outstanding(const struct dia_client *c);

struct dia_peer_request;		/* an open request of a peer: ends with the answer, cx.h, rx.h */
bool dia_request_retransmitted(const struct dia_peer_request *q);	/* T flag: it may have been asked before, RFC 6733 §3 */
void dia_request_drop(struct dia_peer_request *q);	/* plays dead: nothing is answered, ever */

/* TS 29.229 §6.2, TS 29.214 §5.5: Result-Code or Experimental-Result-Code with vendor 10415. */
struct dia_result {
	int err;			/* 0: an answer came; -ETIMEDOUT, -ENOTCONN (no peer), -EBUSY, -EBADMSG, -ECONNRESET */
	uint32_t code;
	bool experimental;
};

/* DIAMETER_REDIRECT_INDICATION, RFC 6733 §6.12 to §6.14: on Cx, a SLF names the HSS of a user (Dx, TS 29.228 §5.2).  A client follows it
 * to the first host that is an open peer, within the request's deadline; else its caller hears 3006. */
#define DIA_MAX_REDIRECT_HOSTS 8
#define DIA_MAX_REDIRECTS 3		/* of one request */
struct dia_redirect {
	unsigned n;
	struct str host[DIA_MAX_REDIRECT_HOSTS];	/* URIs: "aaa://hss1.example:3868" */
	uint32_t usage;				/* Redirect-Host-Usage; 0 DONT_CACHE, 1 ALL_SESSION, others are remembered by user */
	uint32_t cache_s;			/* Redirect-Max-Cache-Time */
};
/* How many users' hosts a client remembers and for how long at most; before its first request.  0, -ENOMEM: none. */
int dia_client_redirects(struct dia_client *c, uint32_t max, uint32_t max_s);
void dia_request_redirect(struct dia_peer_request *q, const struct dia_redirect *r);	/* ends q: the lab's HSS */

/* An overload report in the answer to q, when q's sender knows them (RFC 7683): the lab's HSS.  reduction in hundredths. */
void dia_request_overload(struct dia_peer_request *q, uint64_t sequence, uint32_t reduction, uint32_t validity_s, bool of_realm);

/* Sees requests leave (r NULL) and end (r), for ladders.  correlation: log_correlation() of the time when the request left;
 * it is set again while the answer is handled, so that what the answer brings about can be found by the same key. */
typedef void (*dia_watch_fn)(void *u, const char *name, const struct dia_result *r, struct str correlation);
void dia_client_watch(struct dia_client *c, dia_watch_fn fn, void *u);
