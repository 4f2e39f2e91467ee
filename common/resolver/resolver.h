/* common/resolver/resolver.h - from a URI to addresses: RFC 3263, with static next hops and a TTL cache.
 *
 * Order: static next_hops entry for the host (no DNS at all) -> address literal -> NAPTR, SRV, A/AAAA by c-ares.
 * Missing NAPTR or SRV records are normal (thin lab DNS): the next step of RFC 3263 §4.1 is taken.
 * One resolver per worker; the callback runs on its loop, possibly before resolver_lookup() returns. */
#pragma once
#include "common/loop/loop.h"
#include "common/sip/uri.h"

#define RESOLVER_MAX_TARGETS 8

struct resolver;
struct resolver_config {
	const struct addr *servers;	/* none: static next hops and literals only */
	size_t n_servers;
	uint32_t timeout_ms, tries;
	uint32_t cache_max;		/* entries */
	uint32_t stale_max_s;		/* how long an expired answer may serve while DNS is down */
	uint32_t negative_ttl_s;
	/* "host or domain" -> "udp:127.0.77.20:4060" (or without protocol); names compare case-blind. */
	const struct resolver_static {
		struct str name, target;
	} *statics;
	size_t n_statics;
};

struct resolver *resolver_new(struct loop *l, const struct resolver_config *c);
void resolver_free(struct resolver *r);			/* pending lookups get -ECANCELED */

struct resolver_result {
	int err;			/* 0; -ENOENT (no such name), -ETIMEDOUT, -ECONNREFUSED (DNS down), -EINVAL, -ECANCELED */
	const char *why;		/* for people: "no A or AAAA record for pcscf.ims..."; never NULL on error */
	bool explicit_proto;		/* the URI or NAPTR/static entry fixed the transport: no switch to TCP by size */
	unsigned n;			/* in the order to be tried: RFC 3263 §4.3 */
	unsigned n_held;		/* the last ones of them did not answer lately */
	struct sip_flow target[RESOLVER_MAX_TARGETS];
};
typedef void (*resolver_fn)(void *arg, const struct resolver_result *res);

/* For people: what a lookup goes by, a step for each thing that is looked at, in the order in which it counts. */
#define RESOLVER_STEP_RECORDS 16u
#define RESOLVER_RECORD_MAX 640u
enum resolver_source { RESOLVER_ASKED, RESOLVER_CACHED, RESOLVER_STALE, RESOLVER_CONFIGURED };	/* the last: no matter of DNS */
struct resolver_step {			/* borrowed, for the call */
	const char *type;		/* "next_hops", "literal", "NAPTR", "SRV", "A", "AAAA", "ENUM" */
	const char *name;
	int err;			/* 0, also without records; -ETIMEDOUT, -ECONNREFUSED ... */
	enum resolver_source source;
	uint32_t ttl_s;			/* so long the answer is still good; 0: no longer, or no answer of DNS */
	unsigned n;
	struct resolver_record {	/* SRV: after priorities and weights */
		char text[RESOLVER_RECORD_MAX];		/* as in a zone's file, without name, TTL, class and type */
		const char *unused;			/* why it is passed over; NULL: it is not */
		char gives[256];	/* ENUM: the URI that comes of it; else empty */
	} record[RESOLVER_STEP_RECORDS];
};
struct resolver_watch {
	void (*begin)(void *arg);	/* once an answer is there that was waited for all begins anew: forget the steps */
	void (*step)(void *arg, const struct resolver_step *s);
	void *arg;
	bool fresh;			/* no answer from before is good enough */
};

struct resolver_query;
/* uri: the next hop (topmost Route or Request-URI).  Returns a handle to cancel with, or NULL when the callback has
 * run already. */
struct resolver_query *resolver_lookup(struct resolver *r, const struct sip_uri *uri, resolver_fn fn, void *arg);
/* The same with a watch, which must live until the callback or resolver_cancel(). */
struct resolver_query *resolver_lookup_watched(struct resolver *r, const struct sip_uri *uri, const struct resolver_watch *w, resolver_fn fn,
					       void *arg);
/* What the cache holds; the texts are valid during the call.  fn returns false to have no more. */
struct resolver_cached {
	const char *name, *type;	/* "NAPTR", "SRV", "A", "AAAA" */
	unsigned n;			/* records; none: there are none of that type */
	int err;			/* why DNS gave no answer; 0: it did */
	bool pending, stale;		/* asked for now; over its time, and may serve while DNS is down */
	uint64_t left_ms;		/* of its time to live */
	const char *text;		/* the records, for people: "10 20 5060 pcscf.example", one after the other with ", " between */
};
void resolver_cache_each(struct resolver *r, bool (*fn)(void *arg, const struct resolver_cached *c), void *arg);
/* Forgets what is known of `name` (empty: of every name); what is being asked for stays.  How many answers. */
unsigned resolver_cache_flush(struct resolver *r, struct str name);
void resolver_cancel(struct resolver_query *q);		/* no callback follows */
/* A target that did not answer is passed over for `hold_s` (row C12). */
void resolver_target_failed(struct resolver *r, const struct sip_flow *t, uint32_t hold_s);
