/* common/resolver/private.h - what resolver.c, cache.c and dns.c share. */
#pragma once
#include <ares.h>
#include "common/resolver/enum.h"
#include "common/util/hash.h"

#define DNS_MAX_RECS 16			/* of one answer; more are not looked at */
#define DNS_NAME_MAX 256
#define DNS_HELD_MAX 64

enum { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33, DNS_NAPTR = 35 };

struct rec {
	uint16_t prio, weight, port;	/* SRV; NAPTR: order, preference */
	char flag;
	char service[32];
	char name[DNS_NAME_MAX];	/* SRV target, NAPTR replacement; its expression when it has one */
	struct addr a;
};

struct answer {				/* one name and type; in the cache, or asked for */
	struct hnode node;
	struct list lru, waiters;	/* struct resolver_query.wait */
	struct resolver *r;
	uint16_t type;
	char name[DNS_NAME_MAX];	/* lower case */
	bool pending;
	int err;			/* 0 (also without records), or why DNS did not answer */
	uint64_t expires_ms, good_until_ms;
	uint64_t heard_ms;		/* when DNS answered last, or did not */
	bool failed;			/* it did not: what is here is older */
	unsigned n;
	struct rec *rec;
};

struct static_hop {
	char *name;
	enum sip_proto proto;
	bool has_proto;
	struct addr a;
};

struct resolver {
	struct loop *loop;
	struct resolver_config c;
	struct static_hop *hops;
	size_t n_hops;
	struct htab cache;
	struct list lru, queries, fds;
	ares_channel channel;
	bool has_channel, closing;
	bool unwatched;			/* a socket of c-ares is not in the loop: no memory */
	uint64_t down_until_ms;		/* no server answered lately: what is known serves without asking */
	struct timer timer;
	struct { enum sip_proto proto; struct addr a; uint64_t until_ms; } held[DNS_HELD_MAX];
	unsigned next_held;
};

struct resolver_query {
	struct list link, wait;
	struct resolver *r;
	resolver_fn fn;
	enum_fn enum_fn;		/* instead of fn: a question for a number, host is its domain */
	void *arg;
	const struct resolver_watch *watch;	/* NULL: nobody looks on */
	uint64_t started_ms;		/* what was learned since is good enough, however short its life */
	uint64_t seed;			/* keeps the weighted order over the rounds */
	unsigned rounds;
	uint8_t referrals;		/* enum_fn: records that pointed to other records */
	bool sips;
	bool *done;			/* of resolver_lookup() while it runs, else NULL */
	uint16_t port;
	int proto;			/* of ;transport=, or -1 */
	char host[DNS_NAME_MAX];
	char number[ENUM_MAX_DIGITS + 2];	/* enum_fn */
};

/* cache.c: 0 (*ret is valid until the next call), -EINPROGRESS (q waits for it), or why there is no answer. */
int cache_get(struct resolver_query *q, uint16_t type, const char *name, struct answer **ret);
void cache_done(struct answer *a, int err, const struct rec *rec, unsigned n, uint32_t ttl_s);
void cache_free(struct resolver *r);
/* steps.c: tell who watches q, if anybody does.  rec: those of `a`, in the order that counts; unused: why one is passed over, NULL: none is. */
typedef const char *(*unused_fn)(const struct resolver_query *q, const struct rec *rec);
void step_begin(const struct resolver_query *q);
void step_dns(const struct resolver_query *q, uint16_t type, const char *name, int rc, const struct answer *a, const struct rec *rec,
	      unused_fn unused);
void step_static(const struct resolver_watch *w, const char *type, struct str name, const struct resolver_result *res);
/* dns.c */
int dns_open(struct resolver *r);
void dns_close(struct resolver *r);
void dns_ask(struct answer *a);
/* Records of an answer as c-ares reads it; how many there are, 0 when it cannot be read. */
unsigned dns_read(uint16_t type, const uint8_t *p, int n, struct rec rec[DNS_MAX_RECS]);
/* Least TTL of the answer records; the text is untrusted.  0, -ENOENT (no record), -EBADMSG. */
int dns_min_ttl(const uint8_t *p, size_t n, uint32_t *ret);
/* enum.c */
void enum_step(struct resolver_query *q);
void enum_finish(struct resolver_query *q, struct enum_result *res);
/* The URI that a record gives for q's number; NULL, or why it is passed over. */
const char *enum_record(const struct resolver_query *q, const struct rec *rec, char gives[ENUM_URI_MAX]);
/* resolver.c */
void query_step(struct resolver_query *q);
