/* tests/daemon/test_events.c - the ring of events, its readers, and events from workers' threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/events.h"
#include "common/daemon/private.h"
#include "common/metrics/metrics.h"
#include "tests/check.h"

/* In place of the HTTP server: one request at a time, streams that are read when the test says so. */
static struct {
	const char *types, *who, *follow, *last, *replay;
	unsigned status;		/* of an answer that is no stream */
	const struct http_stream_ops *ops;
	void *u;
	unsigned wakes;
} web;

struct str __wrap_http_header(const struct http_req *r, const char *name);
struct str __wrap_http_header(const struct http_req *r, const char *name)
{
	(void)r;
	return str_from_c(strcmp(name, "Last-Event-ID") == 0 ? web.last : NULL);
}

struct str __wrap_http_query(struct http_req *r, const char *name);
struct str __wrap_http_query(struct http_req *r, const char *name)
{
	const struct { const char *name, *value; } all[] = { { "types", web.types }, { "who", web.who }, { "follow", web.follow },
							     { "replay", web.replay } };

	(void)r;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0)
			return str_from_c(all[i].value);
	return STR_NONE;
}

void __wrap_http_problem(struct http_req *r, unsigned status, const char *cause, const char *fmt, ...);
void __wrap_http_problem(struct http_req *r, unsigned status, const char *cause, const char *fmt, ...)
{
	(void)r, (void)cause, (void)fmt;
	web.status = status;
}

void __wrap_http_reply(struct http_req *r, unsigned status, const char *type, struct str body);
void __wrap_http_reply(struct http_req *r, unsigned status, const char *type, struct str body)
{
	(void)r, (void)type, (void)body;
	web.status = status;
}

struct http_stream *__wrap_http_stream(struct http_req *r, const char *type, const struct http_stream_ops *ops, void *u);
struct http_stream *__wrap_http_stream(struct http_req *r, const char *type, const struct http_stream_ops *ops, void *u)
{
	(void)r, (void)type;
	web.status = 200;
	web.ops = ops;
	web.u = u;
	return (struct http_stream *)&web;
}

void __wrap_http_stream_wake(struct http_stream *st);
void __wrap_http_stream_wake(struct http_stream *st)
{
	(void)st;
	web.wakes++;
}

static struct daemon d = { .name = "test" };
static struct stack s;
static struct worker_full wf;

static void setup(void)
{
	memset(&web, 0, sizeof(web));
	memset(&s, 0, sizeof(s));
	s.daemon = &d;
	s.main_loop = loop_new();
	s.workers = &wf;
	s.n_workers = 1;
	wf.w.stack = &s;
	ck_assert_int_eq(events_init(&s), 0);
}

static void teardown(void)
{
	events_fini(&s);
	loop_free(s.main_loop);
}

static void ask(void)
{
	web.status = 0;
	events_routes[0].fn(&s, NULL);
}

static void open_stream(void)
{
	ask();
	ck_assert_uint_eq(web.status, 200);
}

/* What the reader hears now; false: its stream ended. */
static bool hear(char *dst, size_t size)
{
	struct buf out;
	bool go;

	buf_init(&out, 1u << 20);
	go = web.ops->more(web.u, &out);
	str_copy(buf_str(&out), dst, size);
	buf_fini(&out);
	return go;
}

static cJSON *data(const char *impu)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "impu", impu);
	return o;
}

START_TEST(test_nobody_listens)
{
	setup();
	ck_assert(!events_wanted(&wf.w) && !events_wanted(NULL));
	stack_event(&s, "a.b", data("x"));
	open_stream();
	ck_assert(events_wanted(&wf.w));
	web.ops->closed(web.u);
	ck_assert(events_wanted(&wf.w));		/* it may come back */
	teardown();
}
END_TEST

START_TEST(test_format_and_filters)
{
	char text[4096];

	setup();
	web.types = "registration.,call.failed";
	web.who = "sip:a\"b@h";
	open_stream();
	hear(text, sizeof(text));
	ck_assert_str_eq(text, "retry: 2000\n\n");
	stack_event(&s, "registration.created", data("sip:a\"b@h"));
	stack_event(&s, "registration.created", data("sip:c@h"));
	stack_event(&s, "call.started", data("sip:a\"b@h"));
	stack_event(&s, "call.failed", data("sip:a\"b@h"));
	ck_assert(hear(text, sizeof(text)));
	ck_assert_msg(str_starts(str_from_c(text), STR("id: ")) && strstr(text, "\nevent: registration.created\ndata: {\"impu\":\"sip:a\\\"b@h\",\"at\":\""),
		      "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "\nevent: call.failed\n"));
	ck_assert_ptr_nonnull(strstr(text, "\"nf\":\"test\"}\n\n"));
	ck_assert(!strstr(text, "sip:c@h") && !strstr(text, "call.started"));
	ck_assert_uint_gt(web.wakes, 3);
	ck_assert(hear(text, sizeof(text)) && !text[0]);
	web.ops->closed(web.u);
	teardown();
}
END_TEST

static uint64_t last_id(const char *text)
{
	uint64_t id = 0;
	const char *p = text;

	while ((p = strstr(p, "id: ")))
		id = strtoull(p += 4, NULL, 10);
	return id;
}

START_TEST(test_replay)
{
	char text[4096], id[32];
	uint64_t last;

	setup();
	open_stream();
	stack_event(&s, "a.one", data("x"));
	hear(text, sizeof(text));
	last = last_id(text);
	web.ops->closed(web.u);
	stack_event(&s, "a.two", data("x"));		/* while it is away */
	snprintf(id, sizeof(id), "%llu", (unsigned long long)last);
	web.last = id;
	web.follow = "false";
	open_stream();
	ck_assert(!hear(text, sizeof(text)));		/* and that was all */
	ck_assert(strstr(text, "a.two") && !strstr(text, "a.one"));
	web.ops->closed(web.u);
	web.last = NULL;
	web.replay = "all";
	open_stream();
	hear(text, sizeof(text));
	ck_assert(strstr(text, "a.two") && strstr(text, "a.one"));
	web.ops->closed(web.u);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)last + 2);
	web.last = id;
	ask();
	ck_assert_uint_eq(web.status, 204);		/* not there yet */
	web.last = "7";					/* of a process before us */
	ask();
	ck_assert_uint_eq(web.status, 410);
	web.last = "x";
	ask();
	ck_assert_uint_eq(web.status, 400);
	teardown();
}
END_TEST

static long dropped(void)
{
	const char *at;
	struct buf b;
	long n;

	buf_init(&b, 1u << 20);
	metrics_write(&b);
	buf_putc(&b, '\0');
	at = strstr(b.p, "\ncscf_event_readers_dropped_total ");
	n = at ? strtol(strchr(at, ' '), NULL, 10) : -1;
	buf_fini(&b);
	return n;
}

/* The ring is bounded; whom it overtakes is dropped and counted, and hears nothing half. */
START_TEST(test_slow_reader)
{
	long before;
	char text[64];

	setup();
	open_stream();
	for (int i = 0; i < 10000; i++)
		stack_event(&s, "a.b", data("x"));
	ck_assert(hear(text, sizeof(text)));		/* just in time */
	for (int i = 0; i < 20000; i++)
		stack_event(&s, "a.b", data("x"));
	before = dropped();
	ck_assert(!hear(text, sizeof(text)));
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(dropped(), before + 1);
	web.ops->closed(web.u);
	teardown();
}
END_TEST

START_TEST(test_too_many_readers)
{
	struct { void *u; } all[32];

	setup();
	for (int i = 0; i < 32; i++) {
		open_stream();
		all[i].u = web.u;
	}
	ask();
	ck_assert_uint_eq(web.status, 503);
	for (int i = 0; i < 32; i++)
		web.ops->closed(all[i].u);
	teardown();
}
END_TEST

#define PER_THREAD 5000
static void *worker_main(void *arg)
{
	char who[32];

	for (int i = 0; i < PER_THREAD; i++) {
		snprintf(who, sizeof(who), "%s-%d", (const char *)arg, i);
		if (events_wanted(&wf.w))
			events_post(&wf.w, "a.b", data(who));
	}
	return NULL;
}

/* Of each thread all, in its order. */
START_TEST(test_workers)
{
	static char text[1u << 20];
	pthread_t a, b;
	int next[2] = { 0, 0 }, heard = 0;

	setup();
	open_stream();
	pthread_create(&a, NULL, worker_main, (void *)"A");
	pthread_create(&b, NULL, worker_main, (void *)"B");
	for (int turns = 0; turns < 2000 && heard < 2 * PER_THREAD; turns++) {
		const char *p = text;
		char who;
		int n;

		loop_run_for(s.main_loop, 10);
		ck_assert(hear(text, sizeof(text)));
		while ((p = strstr(p, "\"impu\":\""))) {
			ck_assert_int_eq(sscanf(p += 8, "%c-%d", &who, &n), 2);
			ck_assert_int_eq(n, next[who - 'A']++);
			heard++;
		}
	}
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	ck_assert_int_eq(heard, 2 * PER_THREAD);
	web.ops->closed(web.u);
	teardown();
}
END_TEST

TEST_MAIN("events", TEST_ONE(test_nobody_listens), TEST_ONE(test_format_and_filters), TEST_ONE(test_replay), TEST_ONE(test_slow_reader),
	  TEST_ONE(test_too_many_readers), TEST_ONE(test_workers))
