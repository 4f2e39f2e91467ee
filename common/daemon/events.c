/* common/daemon/events.c - GET /api/v1/events: server-sent events (HTML Living Standard §9.2) from a ring.
 *
 *     worker: events_post -> lock-free list -> main thread: ring -> each reader at its own pace
 *
 * The ring fills while somebody listens and for LINGER_MS after the last one went, so that one that comes back with Last-Event-ID
 * misses nothing.  A reader that is so slow that the ring overtakes it is dropped: it must not believe that it has heard all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/events.h"
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/clock.h"

#define RING_EVENTS 10000u
#define RING_BYTES (8u << 20)
#define MAX_QUEUED 16384u		/* from workers, not taken up yet */
#define MAX_READERS 32u
#define LINGER_MS 60000u
#define HEARTBEAT_MS 15000u
#define AT_ONCE_BYTES (16u * 1024)	/* to a reader in one piece */
#define RETRY "retry: 2000\n\n"

static METRIC_DEF(m_readers, "cscf_event_readers", METRIC_GAUGE, "Who listens to the stream of events.", NULL, NULL);
static METRIC_DEF(m_dropped, "cscf_event_readers_dropped_total", METRIC_COUNTER, "Readers of the stream that were too slow for it.", NULL, NULL);
static METRIC_DEF(m_events, "cscf_events_total", METRIC_COUNTER, "Events that were recorded for the stream.", NULL, NULL);
static METRIC_DEF(m_lost, "cscf_events_lost_total", METRIC_COUNTER, "Events that found no room on the way to the main thread.", NULL, NULL);

struct event {
	struct event *next;		/* on the way from a worker */
	char type[32];
	size_t l;
	char data[];			/* JSON, one line */
};

struct reader {
	struct list link;
	struct events *e;
	struct http_stream *st;
	uint64_t next;			/* id of the next event it hears */
	bool follow, greeted, beat;
	char types[256];		/* prefixes, with commas between them; "": all */
	char who[256];			/* as a JSON string, in quotes; "": everybody */
};

struct events {
	struct stack *s;
	atomic_bool on;			/* somebody listens, or did lately */
	_Atomic(struct event *) queue;	/* newest first */
	atomic_uint queued;
	struct event **ring;		/* id i at i % RING_EVENTS */
	uint64_t first, next;		/* ids: the oldest that is kept, the next to be given */
	size_t bytes;
	struct list readers;
	unsigned n_readers;
	struct timer linger, heartbeat;
};

/* ---- saying ---- */

bool events_wanted(const struct worker *w)
{
	return w && w->stack->events && atomic_load_explicit(&w->stack->events->on, memory_order_relaxed);
}

void events_add(cJSON *data, const char *name, struct str value)
{
	char *c = value.l ? str_dup(value) : NULL;

	if (c)
		cJSON_AddStringToObject(data, name, c);
	free(c);
}

static struct event *event_new(const struct stack *s, const char *type, cJSON *data)
{
	char when[40], *text;
	struct event *ev;

	clock_rfc3339(clock_wall_us(), when);
	cJSON_AddStringToObject(data, "at", when);
	cJSON_AddStringToObject(data, "nf", s->daemon->name);
	text = cJSON_PrintUnformatted(data);
	cJSON_Delete(data);
	ev = text ? malloc(sizeof(*ev) + strlen(text) + 1) : NULL;
	if (ev) {
		*ev = (struct event){ .l = strlen(text) };
		snprintf(ev->type, sizeof(ev->type), "%s", type);
		memcpy(ev->data, text, ev->l + 1);
	}
	cJSON_free(text);
	return ev;
}

static void take_up(void *arg);

void events_post(struct worker *w, const char *type, cJSON *data)
{
	struct events *e = w->stack->events;
	struct event *ev = atomic_load(&e->queued) < MAX_QUEUED ? event_new(w->stack, type, data) : NULL, *head;

	if (!ev) {
		if (atomic_load(&e->queued) >= MAX_QUEUED)
			cJSON_Delete(data);
		metric_add(&m_lost, NULL, NULL, 1);
		return;
	}
	atomic_fetch_add(&e->queued, 1);
	head = atomic_load_explicit(&e->queue, memory_order_relaxed);
	do
		ev->next = head;
	while (!atomic_compare_exchange_weak_explicit(&e->queue, &head, ev, memory_order_release, memory_order_relaxed));
	/* Who finds the list empty wakes the main thread.  When its mailbox is full, the next heartbeat takes up what waits. */
	if (!head)
		loop_post(w->stack->main_loop, take_up, e);
}

/* ---- the ring ---- */

static void forget_oldest(struct events *e)
{
	struct event **at = &e->ring[e->first++ % RING_EVENTS];

	e->bytes -= (*at)->l;
	free(*at);
	*at = NULL;
}

static void record(struct events *e, struct event *ev)
{
	while (e->next - e->first >= RING_EVENTS || (e->next > e->first && e->bytes + ev->l > RING_BYTES))
		forget_oldest(e);
	e->ring[e->next++ % RING_EVENTS] = ev;
	e->bytes += ev->l;
	metric_add(&m_events, NULL, NULL, 1);
}

static void wake_all(struct events *e)
{
	struct list *pos;

	list_for_each(pos, &e->readers)
		http_stream_wake(list_entry(pos, struct reader, link)->st);
}

static void take_up(void *arg)
{
	struct events *e = arg;
	struct event *newest = atomic_exchange_explicit(&e->queue, NULL, memory_order_acquire), *oldest = NULL, *next;
	unsigned n = 0;

	for (; newest; newest = next, n++) {
		next = newest->next;
		newest->next = oldest;
		oldest = newest;
	}
	atomic_fetch_sub(&e->queued, n);
	for (; oldest; oldest = next) {
		next = oldest->next;
		if (atomic_load(&e->on))
			record(e, oldest);
		else
			free(oldest);
	}
	wake_all(e);
}

void stack_event(struct stack *s, const char *type, cJSON *data)
{
	struct events *e = s->events;
	struct event *ev = e && atomic_load(&e->on) ? event_new(s, type, data) : NULL;

	if (!ev) {
		if (!e || !atomic_load(&e->on))
			cJSON_Delete(data);
		return;
	}
	record(e, ev);
	wake_all(e);
}

/* ---- a reader ---- */

static bool type_fits(const struct reader *r, const char *type)
{
	struct str rest = str_from_c(r->types), one;

	if (rest.l == 0)
		return true;
	while (rest.l) {
		str_cut(rest, ',', &one, &rest);
		if (str_starts(str_from_c(type), str_trim(one)))
			return true;
	}
	return false;
}

static bool fits(const struct reader *r, const struct event *ev)
{
	return type_fits(r, ev->type) && (!r->who[0] || str_find(str_make(ev->data, ev->l), str_from_c(r->who)) >= 0);
}

static bool more(void *u, struct buf *out)
{
	struct reader *r = u;
	struct events *e = r->e;

	if (r->next < e->first) {
		log_warn(LOG_REST, "a reader of events was too slow and is dropped", LOG_U("missed", e->first - r->next));
		metric_add(&m_dropped, NULL, NULL, 1);
		return false;
	}
	if (!r->greeted)
		buf_puts(out, RETRY);
	r->greeted = true;
	for (; r->next < e->next && out->l < AT_ONCE_BYTES; r->next++) {
		const struct event *ev = e->ring[r->next % RING_EVENTS];

		if (fits(r, ev))
			buf_printf(out, "id: %llu\nevent: %s\ndata: %s\n\n", (unsigned long long)r->next, ev->type, ev->data);
	}
	if (r->beat && out->l == 0)
		buf_puts(out, ":\n\n");
	r->beat = false;
	return !out->failed && (r->follow || r->next < e->next);
}

static void closed(void *u)
{
	struct reader *r = u;
	struct events *e = r->e;

	list_del(&r->link);
	free(r);
	metric_adjust(&m_readers, NULL, NULL, -1);
	if (--e->n_readers == 0)
		timer_start(loop_wheel(e->s->main_loop), &e->linger, LINGER_MS);
}

static const struct http_stream_ops stream_ops = { more, closed };

static void on_linger(struct timer *t)
{
	struct events *e = container_of(t, struct events, linger);

	atomic_store(&e->on, false);
	while (e->first < e->next)
		forget_oldest(e);
	e->first = ++e->next;		/* whoever comes back now has missed something */
}

static void on_heartbeat(struct timer *t)
{
	struct events *e = container_of(t, struct events, heartbeat);
	struct list *pos;

	list_for_each(pos, &e->readers)
		list_entry(pos, struct reader, link)->beat = true;
	take_up(e);			/* wakes all */
	timer_start(loop_wheel(e->s->main_loop), t, HEARTBEAT_MS);
}

/* Where it begins: behind Last-Event-ID, with all that is kept, or now.  False after an answer. */
static bool begin(struct events *e, struct http_req *r, uint64_t *ret)
{
	struct str last = http_header(r, "Last-Event-ID");
	uint64_t id;

	*ret = e->next;
	if (!last.l)
		last = http_query(r, "lastEventId");
	if (!last.l) {
		if (str_eq(http_query(r, "replay"), STR("all")))
			*ret = e->first;
		return true;
	}
	if (str_to_u64(last, &id) < 0) {
		http_problem(r, 400, "INVALID_EVENT_ID", "Last-Event-ID is not one of ours");
		return false;
	}
	if (id >= e->next) {
		http_reply(r, 204, NULL, STR_NONE);
		return false;
	}
	if (id + 1 < e->first) {
		http_problem(r, 410, "EVENTS_GONE", "events behind that one are not kept any more: read the state anew");
		return false;
	}
	*ret = id + 1;
	return true;
}

/* who= as the JSON has it. */
static bool set_who(struct reader *n, struct str who)
{
	cJSON *text;
	char *c = str_dup(who), *json;
	bool good;

	text = cJSON_CreateString(c ? c : "");
	json = cJSON_PrintUnformatted(text);
	good = json && str_copy(str_from_c(json), n->who, sizeof(n->who));
	cJSON_free(json);
	cJSON_Delete(text);
	free(c);
	return good;
}

static void get_events(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct events *e = s->events;
	struct str types = http_query(r, "types"), who = http_query(r, "who"), follow = http_query(r, "follow");
	struct reader *n;
	uint64_t first;

	if (!begin(e, r, &first))
		return;
	if (e->n_readers == MAX_READERS) {
		http_problem(r, 503, "TOO_MANY_READERS", "%u listen already", MAX_READERS);
		return;
	}
	n = calloc(1, sizeof(*n));
	if (!n || !str_copy(types, n->types, sizeof(n->types)) || (who.l && !set_who(n, who))) {
		free(n);
		http_problem(r, 400, "INVALID_QUERY_PARAM", "types or who is too long");
		return;
	}
	n->e = e;
	n->next = first;
	n->follow = !str_eq(follow, STR("false"));
	list_add_tail(&e->readers, &n->link);
	e->n_readers++;
	metric_adjust(&m_readers, NULL, NULL, 1);
	timer_stop(&e->linger);
	atomic_store(&e->on, true);
	n->st = http_stream(r, "text/event-stream", &stream_ops, n);
	if (!n->st)
		closed(n);
}

/* ---- life ---- */

int events_init(struct stack *s)
{
	struct events *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->ring = calloc(RING_EVENTS, sizeof(*e->ring));
	if (!e->ring) {
		free(e);
		return -ENOMEM;
	}
	e->s = s;
	/* Greater than any of an earlier process: an old Last-Event-ID is told that it is gone. */
	e->first = e->next = clock_wall_us();
	list_init(&e->readers);
	timer_init(&e->linger, on_linger);
	timer_init(&e->heartbeat, on_heartbeat);
	timer_start(loop_wheel(s->main_loop), &e->heartbeat, HEARTBEAT_MS);
	metrics_register(&m_readers);
	metrics_register(&m_dropped);
	metrics_register(&m_events);
	metrics_register(&m_lost);
	s->events = e;
	return 0;
}

/* When the workers have stopped and REST has ended. */
void events_fini(struct stack *s)
{
	struct events *e = s->events;

	if (!e)
		return;
	atomic_store(&e->on, false);
	take_up(e);
	while (e->first < e->next)
		forget_oldest(e);
	timer_stop(&e->linger);
	timer_stop(&e->heartbeat);
	s->events = NULL;
	free(e->ring);
	free(e);
}

const struct http_route events_routes[] = {
	{ "GET", "/api/v1/events", HTTP_VIEW, get_events,
	  "What happens, as server-sent events: types= are prefixes (registration.,call.,alarm.,ban.,peer.,config.), who= a text that must be a value "
	  "of it; Last-Event-ID or replay=all begins with what is kept; follow=false ends when that was said." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
