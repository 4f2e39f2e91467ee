/* tests/trace/test_trace.c - the ring of recent events: what is kept of a message, how it is found, paged and overwritten. */
#include <stdio.h>
#include "common/log/log.h"
#include "common/trace/trace.h"
#include "common/util/bytes.h"
#include "tests/check.h"

#define RING 8

static const char invite[] = "INVITE sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
			     "From: <sip:a@ims.example>;tag=1\r\nTo: <sip:bob@ims.example>\r\nCall-ID: call-1\r\nCSeq: 7 INVITE\r\n"
			     "P-Charging-Vector: icid-value=\"ic-1\";orig-ioi=x\r\nContent-Length: 0\r\n\r\n";
static const char ringing[] = "SIP/2.0 180 Ringing\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@ims.example>;tag=1\r\n"
			      "t: <sip:bob@ims.example>;tag=2\r\ni: call-1\r\nCSeq: 7 INVITE\r\nl: 0\r\n\r\n";

static struct trace *t;
static struct sip_flow flow;

static void begin(void)
{
	t = trace_new(RING);
	flow = (struct sip_flow){ .proto = SIP_TCP };
	ck_assert_int_eq(addr_parse(STR("192.0.2.1"), 5060, &flow.remote), 0);
}

/* Events of `key` behind `after`: "text|text|", and what trace_to_json() says of more. */
static bool list(const char *key, uint64_t after, unsigned max, char dst[1024], uint64_t *last)
{
	cJSON *a = cJSON_CreateArray(), *o;
	bool more = trace_to_json(t, str_from_c(key), after, max, a, last);
	size_t l = 0;

	dst[0] = '\0';
	cJSON_ArrayForEach(o, a)
		l += (size_t)snprintf(dst + l, 1024 - l, "%s|", cJSON_GetObjectItem(o, "text")->valuestring);
	cJSON_Delete(a);
	return more;
}

START_TEST(test_what_is_kept)
{
	cJSON *a = cJSON_CreateArray(), *o;
	struct sip_parse_error e;
	struct sip_msg *m;
	uint64_t last = 0;

	begin();
	ck_assert_int_eq(sip_msg_parse_copy(str_from_c(invite), &flow, &m, &e), 0);
	trace_sip(t, false, &flow, str_from_c(invite), m);
	sip_msg_unref(m);
	trace_sip(t, true, &flow, str_from_c(ringing), NULL);	/* as sent: never parsed, compact names */
	ck_assert(!trace_to_json(t, STR("call-1"), 0, 100, a, &last));
	ck_assert_int_eq(cJSON_GetArraySize(a), 2);
	o = cJSON_GetArrayItem(a, 0);
	ck_assert_str_eq(cJSON_GetObjectItem(o, "kind")->valuestring, "sipIn");
	ck_assert_str_eq(cJSON_GetObjectItem(o, "text")->valuestring, "INVITE sip:bob@ims.example");
	ck_assert_str_eq(cJSON_GetObjectItem(o, "icid")->valuestring, "ic-1");
	ck_assert_str_eq(cJSON_GetObjectItem(o, "peer")->valuestring, "tcp:192.0.2.1:5060");
	ck_assert_uint_ge(strlen(cJSON_GetObjectItem(o, "wallUs")->valuestring), 16);	/* microseconds, whole */
	o = cJSON_GetArrayItem(a, 1);
	ck_assert_str_eq(cJSON_GetObjectItem(o, "kind")->valuestring, "sipOut");
	ck_assert_str_eq(cJSON_GetObjectItem(o, "text")->valuestring, "180 Ringing (INVITE)");
	ck_assert_str_eq(cJSON_GetObjectItem(o, "callId")->valuestring, "call-1");
	cJSON_Delete(a);
	trace_free(t);
}
END_TEST

START_TEST(test_found_by)
{
	char text[1024], longid[200];
	uint64_t last = 0;

	begin();
	memset(longid, 'x', sizeof(longid) - 1);
	longid[sizeof(longid) - 1] = '\0';
	trace_add(t, TRACE_DIA_OUT, STR("c1"), STR("i1"), "hss", "UAR %s", "a");
	trace_add(t, TRACE_DIA_IN, STR("c2"), STR("i1"), "hss", "UAA %d", 2001);
	trace_add(t, TRACE_NOTE, str_from_c(longid), STR_NONE, "", "long");
	list("c1", 0, 10, text, &last);
	ck_assert_str_eq(text, "UAR a|");
	list("i1", 0, 10, text, &last);
	ck_assert_str_eq(text, "UAR a|UAA 2001|");
	list(longid, 0, 10, text, &last);		/* stored truncated, found all the same */
	ck_assert_str_eq(text, "long|");
	list("nobody", 0, 10, text, &last);
	ck_assert_str_eq(text, "");
	list("", 0, 10, text, &last);
	ck_assert_str_eq(text, "UAR a|UAA 2001|long|");
	trace_free(t);
}
END_TEST

START_TEST(test_pages_and_wrap)
{
	char text[1024];
	uint64_t last = 0;

	begin();
	for (int i = 1; i <= RING + 3; i++)
		trace_add(t, TRACE_NOTE, STR("c"), STR_NONE, "", "%d", i);
	ck_assert(list("c", 0, 3, text, &last));		/* the oldest three have gone */
	ck_assert_str_eq(text, "4|5|6|");
	ck_assert(list("c", last, 3, text, &last));
	ck_assert_str_eq(text, "7|8|9|");
	ck_assert(!list("c", last, 3, text, &last));
	ck_assert_str_eq(text, "10|11|");
	ck_assert(!list("c", last, 3, text, &last));
	ck_assert_str_eq(text, "");
	trace_free(t);
}
END_TEST

START_TEST(test_off)
{
	char text[1024];
	uint64_t last = 0;

	t = trace_new(0);
	trace_add(t, TRACE_NOTE, STR("c"), STR_NONE, "", "x");
	ck_assert(!list("", 0, 10, text, &last));
	ck_assert_str_eq(text, "");
	trace_free(t);
	trace_free(NULL);
}
END_TEST

/* Odd text must not run over: the start line of what was never parsed comes from a peer. */
static const char *const odd[] = { "", "\r\n", "SIP/2.0 ", "SIP/2.0 200\r\n\r\n", "X", "INVITE", ":\r\n:\r\n\r\n" };

START_TEST(test_odd_text)
{
	char text[1024];
	uint64_t last = 0;

	begin();
	trace_sip(t, true, &flow, str_from_c(odd[_i]), NULL);
	list("", 0, 10, text, &last);
	ck_assert_uint_ge(strlen(text), 1);
	ck_assert_uint_eq(last, 1);
	trace_free(t);
}
END_TEST

TEST_MAIN("trace", TEST_ONE(test_what_is_kept), TEST_ONE(test_found_by), TEST_ONE(test_pages_and_wrap), TEST_ONE(test_off),
	  TEST_ROWS(test_odd_text, odd))
