/* pcscf/ng.c - see ng.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/bencode.h"
#include "common/util/clock.h"
#include "common/util/hash.h"
#include "common/util/list.h"
#include "common/util/rand.h"
#include "pcscf/ng.h"

#define FIRST_RESEND_MS 200u		/* then twice as long each time */
#define MAX_RESEND_MS 1600u
#define COOKIE_CHARS 16

static METRIC_DEF(m_late, "cscf_pcscf_media_late_total", METRIC_COUNTER, "Answers of media relays that nobody waits for any more.", NULL, NULL);
static METRIC_DEF(m_up, "cscf_pcscf_media_relay_up", METRIC_GAUGE, "Media relays that answer.", "relay", NULL);

struct ng_query {
	struct hnode by_cookie;
	struct list link;
	struct ng *g;
	unsigned relay;
	uint64_t cookie, since_us, ends_ms;
	uint32_t wait_ms;
	struct timer timer;
	struct bytes *wire;
	void (*fn)(void *arg, const struct ng_answer *a);
	void *arg;
};
struct ng {
	struct ng_env env;
	struct htab by_cookie;
	struct list all;
	unsigned n;
	uint64_t last_cookie;		/* begins anywhere: a relay remembers those of all its clients */
	uint32_t ping_ms;
	struct timer ping;
	bool pinged[NG_MAX_RELAYS];	/* and it has not answered yet */
};

static void set_up(struct ng_relay *r, bool up)
{
	if (atomic_exchange_explicit(&r->up, up, memory_order_relaxed) == up)
		return;
	metric_set(&m_up, r->name, NULL, up);
	if (up)
		log_info(LOG_SESS, "media relay answers again", LOG_C("relay", r->name));
	else
		log_warn(LOG_SESS, "media relay does not answer", LOG_C("relay", r->name));
}

/* ---- questions ---- */

static void query_free(struct ng_query *q)
{
	timer_stop(&q->timer);
	htab_del(&q->g->by_cookie, &q->by_cookie);
	list_del(&q->link);
	q->g->n--;
	bytes_unref(q->wire);
	free(q);
}

static void done(struct ng_query *q, const struct ng_answer *a)
{
	void (*fn)(void *, const struct ng_answer *) = q->fn;
	struct ng_relay *r = &q->g->env.relay[q->relay];
	void *arg = q->arg;

	if (a->outcome == NG_SILENT)
		set_up(r, false);
	if (a->outcome != NG_OK)
		atomic_fetch_add_explicit(&r->failed, 1, memory_order_relaxed);
	query_free(q);
	fn(arg, a);
}

static void silent(struct ng_query *q, const char *why)
{
	struct ng_answer a = { .outcome = NG_SILENT };

	str_copy(str_from_c(why), a.why, sizeof(a.why));
	done(q, &a);
}

static void on_timer(struct timer *t)
{
	struct ng_query *q = container_of(t, struct ng_query, timer);
	struct ng_env *e = &q->g->env;
	uint64_t now = e->wheel->now_ms;

	if (now >= q->ends_ms) {
		silent(q, "no answer in time");
		return;
	}
	e->send(e->u, q->relay, bytes_str(q->wire));
	q->wait_ms = q->wait_ms * 2 < MAX_RESEND_MS ? q->wait_ms * 2 : MAX_RESEND_MS;
	timer_start(e->wheel, &q->timer, now + q->wait_ms < q->ends_ms ? q->wait_ms : q->ends_ms - now);
}

static struct bytes *wire_of(uint64_t cookie, struct str dict)
{
	struct buf b;

	buf_init(&b, NG_MAX_BYTES);
	buf_printf(&b, "%016" PRIx64 " ", cookie);
	buf_put(&b, dict);
	return buf_take(&b);
}

struct ng_query *ng_ask(struct ng *g, unsigned relay, struct str dict, void (*fn)(void *arg, const struct ng_answer *a), void *arg)
{
	uint32_t timeout_ms = g->env.timeout_ms;
	struct ng_query *q = g->n < NG_MAX_OUTSTANDING ? calloc(1, sizeof(*q)) : NULL;

	if (!q)
		return NULL;
	q->cookie = ++g->last_cookie;
	q->wire = wire_of(q->cookie, dict);
	if (!q->wire) {
		free(q);
		return NULL;
	}
	q->g = g;
	q->relay = relay;
	q->fn = fn;
	q->arg = arg;
	q->since_us = clock_mono_us();
	q->ends_ms = g->env.wheel->now_ms + timeout_ms;
	q->wait_ms = FIRST_RESEND_MS;
	timer_init(&q->timer, on_timer);
	htab_add(&g->by_cookie, &q->by_cookie, q->cookie);
	list_add_tail(&g->all, &q->link);
	g->n++;
	atomic_fetch_add_explicit(&g->env.relay[relay].asked, 1, memory_order_relaxed);
	timer_start(g->env.wheel, &q->timer, timeout_ms < FIRST_RESEND_MS ? timeout_ms : FIRST_RESEND_MS);
	g->env.send(g->env.u, relay, bytes_str(q->wire));
	return q;
}

void ng_cancel(struct ng_query *q)
{
	query_free(q);
}

unsigned ng_outstanding(const struct ng *g)
{
	return g->n;
}

/* ---- answers ---- */

static bool is_cookie(const struct hnode *n, const void *key)
{
	return container_of(n, const struct ng_query, by_cookie)->cookie == *(const uint64_t *)key;
}

static struct ng_query *query_of(struct ng *g, unsigned relay, struct str text)
{
	struct ng_query *q;
	uint64_t cookie = 0;
	uint8_t octets[8];
	struct hnode *n;
	size_t l;

	if (text.l != COOKIE_CHARS || hex_decode(text, octets, sizeof(octets), &l) < 0)
		return NULL;
	for (size_t i = 0; i < l; i++)
		cookie = cookie << 8 | octets[i];
	n = htab_find(&g->by_cookie, cookie, is_cookie, &cookie);
	q = n ? container_of(n, struct ng_query, by_cookie) : NULL;
	return q && q->relay == relay ? q : NULL;
}

/* Goes into Reason and the log: printable, and nothing that ends a quoted string. */
static void put_why(struct ng_answer *a, struct str why)
{
	size_t n = why.l < sizeof(a->why) ? why.l : sizeof(a->why) - 1;

	for (size_t i = 0; i < n; i++)
		a->why[i] = why.p[i] < ' ' || why.p[i] > '~' || why.p[i] == '"' || why.p[i] == '\\' ? '.' : why.p[i];
	a->why[n] = '\0';
}

void ng_input(struct ng *g, unsigned relay, struct str octets)
{
	struct ng_answer a = { .outcome = NG_OK };
	struct str cookie, rest, result;
	struct ng_query *q;

	str_cut(octets, ' ', &cookie, &rest);
	q = query_of(g, relay, cookie);
	if (!q) {
		metric_add(&m_late, NULL, NULL, 1);
		return;
	}
	set_up(&g->env.relay[relay], true);
	atomic_store_explicit(&g->env.relay[relay].rtt_us, (uint32_t)(clock_mono_us() - q->since_us), memory_order_relaxed);
	if (bencode_value(rest, &a.all, NULL) < 0)
		a.all = STR_NONE;
	result = bencode_find_str(a.all, "result");
	a.sdp = bencode_find_str(a.all, "sdp");
	if (!str_eq_c(result, "ok") && !str_eq_c(result, "pong")) {
		struct str why = bencode_find_str(a.all, "error-reason");

		a.outcome = NG_ERROR;
		put_why(&a, why.l ? why : result.l ? result : STR("an answer that cannot be read"));
	}
	done(q, &a);
}

/* fn may ask again: only those that are there now. */
void ng_refused(struct ng *g, unsigned relay)
{
	uint64_t last = g->last_cookie;
	bool found = true;
	struct list *i;

	while (found) {
		found = false;
		list_for_each(i, &g->all) {
			struct ng_query *q = list_entry(i, struct ng_query, link);

			if (q->relay != relay || q->cookie > last)
				continue;
			found = true;
			silent(q, "nobody listens there");
			break;
		}
	}
}

/* ---- which ---- */

int ng_choose(const struct ng *g, uint32_t but)
{
	uint32_t sum = 0, at;
	int last = -1;

	for (unsigned pass = 0; pass < 2; pass++) {		/* then those of weight 0 */
		for (unsigned i = 0; i < g->env.n_relays; i++)
			if (!(but & 1u << i) && atomic_load_explicit(&g->env.relay[i].up, memory_order_relaxed))
				sum += pass ? 1 : g->env.relay[i].weight;
		if (!sum)
			continue;
		at = rand_below(sum);
		for (unsigned i = 0; i < g->env.n_relays; i++) {
			uint32_t w = pass ? 1 : g->env.relay[i].weight;

			if (!w || (but & 1u << i) || !atomic_load_explicit(&g->env.relay[i].up, memory_order_relaxed))
				continue;
			last = (int)i;
			if (at < w)
				break;
			at -= w;
		}
		break;
	}
	return last;
}

static void on_pong(void *arg, const struct ng_answer *a)
{
	bool *pinged = arg;

	(void)a;
	*pinged = false;
}

static void on_ping(struct timer *t)
{
	struct ng *g = container_of(t, struct ng, ping);

	for (unsigned i = 0; i < g->env.n_relays; i++)
		if (!g->pinged[i])
			g->pinged[i] = ng_ask(g, i, STR("d7:command4:pinge"), on_pong, &g->pinged[i]) != NULL;
	timer_start(g->env.wheel, &g->ping, g->ping_ms);
}

void ng_watch(struct ng *g, uint32_t ping_ms)
{
	g->ping_ms = ping_ms;
	timer_start(g->env.wheel, &g->ping, 0);
}

/* ---- life ---- */

struct ng *ng_new(const struct ng_env *env)
{
	struct ng *g = calloc(1, sizeof(*g));

	if (!g || htab_init(&g->by_cookie, 16) < 0) {
		free(g);
		return NULL;
	}
	g->env = *env;
	g->last_cookie = rand_u64() >> 1;		/* it does not come around */
	list_init(&g->all);
	timer_init(&g->ping, on_ping);
	metrics_register(&m_late);
	for (unsigned i = 0; i < env->n_relays; i++)
		metric_set(&m_up, env->relay[i].name, NULL, atomic_load_explicit(&env->relay[i].up, memory_order_relaxed));
	return g;
}

void ng_free(struct ng *g)
{
	if (!g)
		return;
	timer_stop(&g->ping);
	while (!list_empty(&g->all))
		query_free(list_entry(g->all.next, struct ng_query, link));
	htab_fini(&g->by_cookie);
	free(g);
}
