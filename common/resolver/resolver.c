/* common/resolver/resolver.c - the steps of RFC 3263 §4.1 and §4.2.
 *
 * A query runs all steps from the start against the cache; at the first answer that is missing it waits for it and then
 * starts over.  So there is no state to keep between answers, and cancelling is unlinking. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/resolver/private.h"
#include "common/util/names.h"
#include "common/util/rand.h"

#define MAX_ROUNDS 64u

static int add_hop(struct resolver *r, const struct resolver_static *s)
{
	struct static_hop *h = &r->hops[r->n_hops];
	struct str proto, rest, target = s->target;

	if (str_cut(s->target, ':', &proto, &rest) && sip_proto_from_name(proto, &h->proto) == 0) {
		h->has_proto = true;
		target = rest;
	}
	if (addr_parse_hostport(target, 5060, &h->a) < 0)
		return -EINVAL;
	h->name = str_dup(s->name);
	if (!h->name)
		return -ENOMEM;
	r->n_hops++;
	return 0;
}

struct resolver *resolver_new(struct loop *l, const struct resolver_config *c)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->loop = l;
	r->c = *c;
	list_init(&r->lru);
	list_init(&r->queries);
	list_init(&r->fds);
	r->hops = calloc(c->n_statics + 1, sizeof(*r->hops));
	if (!r->hops || htab_init(&r->cache, 64) < 0 || dns_open(r) < 0)
		goto fail;
	for (size_t i = 0; i < c->n_statics; i++)
		if (add_hop(r, &c->statics[i]) < 0)
			goto fail;
	r->c.servers = NULL;			/* the caller's */
	r->c.statics = NULL;
	return r;
fail:
	resolver_free(r);
	return NULL;
}

static void finish(struct resolver_query *q, struct resolver_result *res)
{
	list_del(&q->wait);
	list_del(&q->link);
	if (q->done)
		*q->done = true;
	q->fn(q->arg, res);
	free(q);
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	r->closing = true;
	while (!list_empty(&r->queries)) {
		struct resolver_query *q = list_entry(r->queries.next, struct resolver_query, link);

		if (q->enum_fn)
			enum_finish(q, &(struct enum_result){ .err = -ECANCELED, .why = "resolver closed" });
		else
			finish(q, &(struct resolver_result){ .err = -ECANCELED, .why = "resolver closed" });
	}
	dns_close(r);
	cache_free(r);
	for (size_t i = 0; i < r->n_hops; i++)
		free(r->hops[i].name);
	free(r->hops);
	free(r);
}

void resolver_cancel(struct resolver_query *q)
{
	list_del(&q->wait);
	list_del(&q->link);
	free(q);
}

/* ---- targets that did not answer ---- */

void resolver_target_failed(struct resolver *r, const struct sip_flow *t, uint32_t hold_s)
{
	unsigned i = r->next_held++ % DNS_HELD_MAX;

	r->held[i].proto = t->proto;
	r->held[i].a = t->remote;
	r->held[i].until_ms = loop_now_ms(r->loop) + (uint64_t)hold_s * 1000;
}

static bool is_held(const struct resolver *r, const struct sip_flow *t)
{
	for (unsigned i = 0; i < DNS_HELD_MAX; i++)
		if (r->held[i].until_ms > loop_now_ms(r->loop) && r->held[i].proto == t->proto &&
		    addr_eq(&r->held[i].a, &t->remote))
			return true;
	return false;
}

/* The held ones go behind the others: the last resort when all are held. */
static void order(const struct resolver *r, struct resolver_result *res)
{
	struct sip_flow back[RESOLVER_MAX_TARGETS];
	unsigned n = 0, k = 0;

	for (unsigned i = 0; i < res->n; i++) {
		if (is_held(r, &res->target[i]))
			back[k++] = res->target[i];
		else
			res->target[n++] = res->target[i];
	}
	memcpy(res->target + n, back, k * sizeof(back[0]));
	res->n_held = k;
}

/* ---- steps: 0, or -EINPROGRESS, or an error ---- */

/* host: of the URI, which a TLS peer must prove to be (RFC 5922 §7.2), whatever SRV made of it. */
static void put(struct resolver_result *res, struct str host, const struct addr *a, uint16_t port, enum sip_proto proto)
{
	struct sip_flow *f;

	if (res->n == RESOLVER_MAX_TARGETS)
		return;
	f = &res->target[res->n++];
	*f = (struct sip_flow){ .remote = *a, .proto = proto, .name = proto == SIP_TLS ? name_number(host) : 0 };
	addr_set_port(&f->remote, port);
}

static int hosts(struct resolver_query *q, const char *name, uint16_t port, enum sip_proto proto, struct resolver_result *res)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA };
	int err = 0;

	for (unsigned t = 0; t < 2; t++) {
		struct answer *a = NULL;
		int rc = cache_get(q, types[t], name, &a);

		if (rc == -EINPROGRESS)
			return rc;
		step_dns(q, types[t], name, rc, a, rc ? NULL : a->rec, NULL);
		if (rc < 0)
			err = rc;
		for (unsigned i = 0; rc == 0 && i < a->n; i++)
			put(res, str_from_c(q->host), &a->rec[i].a, port, proto);
	}
	return res->n ? 0 : err;
}

/* RFC 2782: lowest priority first; among equals by chance in proportion to the weight. */
static void srv_order(struct rec *rec, unsigned n, uint64_t seed)
{
	for (unsigned i = 0; i + 1 < n; i++) {
		unsigned pick = i;
		uint64_t sum = 0, at;

		for (unsigned k = i + 1; k < n; k++)
			if (rec[k].prio < rec[pick].prio)
				pick = k;
		for (unsigned k = i; k < n; k++)
			sum += rec[k].prio == rec[pick].prio ? rec[k].weight : 0;
		at = hash_mix(seed, i) % (sum + 1);
		for (unsigned k = i, prio = rec[pick].prio; k < n; k++) {
			if (rec[k].prio != prio)
				continue;
			pick = k;
			if (at <= rec[k].weight)
				break;
			at -= rec[k].weight;
		}
		struct rec r = rec[pick];

		rec[pick] = rec[i];
		rec[i] = r;
	}
}

static int srv(struct resolver_query *q, const char *name, enum sip_proto proto, struct resolver_result *res)
{
	struct rec rec[DNS_MAX_RECS];
	struct answer *a;
	unsigned n;
	int rc = cache_get(q, DNS_SRV, name, &a);

	if (rc < 0) {
		step_dns(q, DNS_SRV, name, rc, NULL, NULL, NULL);
		return rc;
	}
	n = a->n;
	if (n)
		memcpy(rec, a->rec, n * sizeof(rec[0]));
	srv_order(rec, n, q->seed);
	step_dns(q, DNS_SRV, name, 0, a, rec, NULL);
	for (unsigned i = 0; i < n && res->n < RESOLVER_MAX_TARGETS; i++)
		if ((rc = hosts(q, rec[i].name, rec[i].port, proto, res)) == -EINPROGRESS)
			return rc;
	return 0;
}

static int srv_of(struct resolver_query *q, enum sip_proto proto, struct resolver_result *res)
{
	static const char *const prefix[] = { "_sip._udp", "_sip._tcp", "_sips._tcp" };
	char name[DNS_NAME_MAX + 16];

	if (snprintf(name, sizeof(name), "%s.%s", prefix[proto], q->host) >= DNS_NAME_MAX)
		return 0;
	return srv(q, name, proto, res);
}

static bool naptr_proto(const struct rec *n, bool sips, enum sip_proto *ret)
{
	static const struct { const char *service; enum sip_proto proto; } rows[] = {
		{ "SIP+D2U", SIP_UDP }, { "SIP+D2T", SIP_TCP }, { "SIPS+D2T", SIP_TLS },
	};

	for (unsigned i = 0; i < 3; i++) {
		if (strcasecmp(n->service, rows[i].service) == 0 && (rows[i].proto == SIP_TLS) == sips) {
			*ret = rows[i].proto;
			return (n->flag | 0x20) == 's';
		}
	}
	return false;
}

static const char *naptr_unused(const struct resolver_query *q, const struct rec *n)
{
	enum sip_proto proto;

	if (naptr_proto(n, q->sips, &proto))
		return NULL;
	return naptr_proto(n, !q->sips, &proto) ? q->sips ? "a sips URI needs SIPS+D2T" : "only for sips URIs" : "another service, or no flag s";
}

static int by_preference(const void *x, const void *y)
{
	const struct rec *a = x, *b = y;

	return a->prio != b->prio ? a->prio - b->prio : a->weight - b->weight;
}

static int naptr(struct resolver_query *q, struct resolver_result *res)
{
	struct rec rec[DNS_MAX_RECS];
	struct answer *a;
	enum sip_proto proto;
	unsigned n;
	int rc = cache_get(q, DNS_NAPTR, q->host, &a);

	if (rc < 0) {
		step_dns(q, DNS_NAPTR, q->host, rc, NULL, NULL, NULL);
		return rc;
	}
	n = a->n;
	if (n) {
		memcpy(rec, a->rec, n * sizeof(rec[0]));
		qsort(rec, n, sizeof(rec[0]), by_preference);
	}
	step_dns(q, DNS_NAPTR, q->host, 0, a, rec, naptr_unused);
	for (unsigned i = 0; i < n && res->n < RESOLVER_MAX_TARGETS; i++) {
		if (!naptr_proto(&rec[i], q->sips, &proto))
			continue;
		if ((rc = srv(q, rec[i].name, proto, res)) == -EINPROGRESS)
			return rc;
		res->explicit_proto = res->n > 0;
	}
	return 0;
}

static bool is_down(int rc)
{
	return rc == -EINPROGRESS || rc == -ETIMEDOUT;
}

static int steps(struct resolver_query *q, struct resolver_result *res)
{
	enum sip_proto proto = q->proto >= 0 ? (enum sip_proto)q->proto : q->sips ? SIP_TLS : SIP_UDP;
	int rc;

	if (q->port)
		return hosts(q, q->host, q->port, proto, res);
	if (q->proto >= 0 || q->sips) {
		rc = srv_of(q, proto, res);
	} else {
		rc = naptr(q, res);
		for (int p = SIP_UDP; !is_down(rc) && !res->n && p <= SIP_TCP; p++)
			rc = srv_of(q, (enum sip_proto)p, res);
	}
	if (is_down(rc) || res->n)
		return res->n && rc != -EINPROGRESS ? 0 : rc;
	return hosts(q, q->host, proto == SIP_TLS ? 5061 : 5060, proto, res);
}

void query_step(struct resolver_query *q)
{
	struct resolver_result res = { .explicit_proto = q->proto >= 0 || q->sips };
	char why[DNS_NAME_MAX + 64];

	step_begin(q);
	if (q->enum_fn) {
		enum_step(q);
		return;
	}
	res.err = ++q->rounds > MAX_ROUNDS ? -ETIMEDOUT : steps(q, &res);
	if (res.err == -EINPROGRESS)
		return;
	if (res.err == 0 && res.n == 0)
		res.err = -ENOENT;
	if (res.err == -ENOENT)
		snprintf(why, sizeof(why), "no A or AAAA record for %s", q->host);
	else
		snprintf(why, sizeof(why), "DNS %s for %s", res.err == -ETIMEDOUT ? "timed out" : "is down", q->host);
	if (res.err)
		res.why = why;
	order(q->r, &res);
	finish(q, &res);
}

/* ---- entry ---- */

static void fail(resolver_fn fn, void *arg, int err, const char *why)
{
	struct resolver_result res = { .err = err, .why = why };

	fn(arg, &res);
}

struct resolver_query *resolver_lookup(struct resolver *r, const struct sip_uri *uri, resolver_fn fn, void *arg)
{
	return resolver_lookup_watched(r, uri, NULL, fn, arg);
}

struct resolver_query *resolver_lookup_watched(struct resolver *r, const struct sip_uri *uri, const struct resolver_watch *w, resolver_fn fn,
					       void *arg)
{
	struct resolver_result res = { 0 };
	enum sip_proto proto = SIP_UDP;
	struct resolver_query *q;
	bool sips = uri->scheme == SIP_SCHEME_SIPS, has_proto = false, done = false;
	struct str value;
	struct addr a;

	if ((uri->scheme != SIP_SCHEME_SIP && !sips) || !uri->host.l || uri->host.l >= DNS_NAME_MAX) {
		fail(fn, arg, -EINVAL, "not a SIP URI with a host");
		return NULL;
	}
	if (sip_uri_param(uri, "transport", &value)) {
		if (sip_proto_from_name(value, &proto) < 0) {
			fail(fn, arg, -EINVAL, "transport not supported");
			return NULL;
		}
		has_proto = true;
	}
	if (sips)
		proto = SIP_TLS;
	res.explicit_proto = has_proto || sips;
	for (size_t i = 0; i < r->n_hops; i++) {
		if (!str_ieq_c(uri->host, r->hops[i].name))
			continue;
		res.explicit_proto |= r->hops[i].has_proto;
		put(&res, uri->host, &r->hops[i].a, addr_port(&r->hops[i].a), r->hops[i].has_proto ? r->hops[i].proto : proto);
	}
	step_static(w, "next_hops", uri->host, &res);
	if (!res.n && sip_uri_host_addr(uri, &a) == 0) {
		put(&res, uri->host, &a, uri->port ? uri->port : proto == SIP_TLS ? 5061 : 5060, proto);
		step_static(w, "literal", uri->host, &res);
	}
	if (res.n) {
		order(r, &res);
		fn(arg, &res);
		return NULL;
	}
	if (!r->has_channel) {
		fail(fn, arg, -ENOENT, "no next_hops entry for this host, and no DNS server");
		return NULL;
	}
	q = calloc(1, sizeof(*q));
	if (!q) {
		fail(fn, arg, -ENOMEM, "out of memory");
		return NULL;
	}
	*q = (struct resolver_query){ .r = r, .fn = fn, .arg = arg, .watch = w, .started_ms = loop_now_ms(r->loop), .seed = rand_u64(),
				      .sips = sips, .port = uri->port, .proto = has_proto ? (int)proto : -1 };
	str_copy(uri->host, q->host, sizeof(q->host));
	list_init(&q->wait);
	list_add_tail(&r->queries, &q->link);
	q->done = &done;
	query_step(q);
	if (done)
		return NULL;			/* q has gone */
	q->done = NULL;
	return q;
}
