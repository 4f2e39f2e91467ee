/* tests/trace/test_trace.c - the flow recorder: what is kept of a message, how it is found, paged and overwritten.  Rows O7, U6. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/trace/trace.h"
#include "common/util/bytes.h"
#include "tests/check.h"

#define RING 4096
#define FLOWS 8

static const char invite[] = "INVITE sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
			     "From: <sip:a@ims.example>;tag=1\r\nTo: <sip:bob@ims.example>\r\nCall-ID: call-1\r\nCSeq: 7 INVITE\r\n"
			     "P-Charging-Vector: icid-value=\"ic-1\";orig-ioi=x\r\nContent-Length: 0\r\n\r\n";
static const char ringing[] = "SIP/2.0 180 Ringing\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@ims.example>;tag=1\r\n"
			      "t: <sip:bob@ims.example>;tag=2\r\ni: call-1\r\nCSeq: 7 INVITE\r\nl: 0\r\n\r\n";

static struct trace *t;
static struct sip_flow flow;

static void begin(void)
{
	t = trace_new(RING, FLOWS);
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
	char text[1024], padding[200];
	uint64_t last = 0;
	int first, n = 0;

	begin();
	memset(padding, 'x', sizeof(padding) - 1);
	padding[sizeof(padding) - 1] = '\0';
	for (int i = 1; i <= 100; i++)
		trace_add(t, TRACE_NOTE, STR("c"), STR_NONE, "", "%d%.*s", i, i <= 90 ? 100 + i : 0, padding);
	ck_assert(list("c", 0, 1, text, &last));		/* the oldest have gone */
	first = atoi(text);
	ck_assert_int_gt(first, 60);
	ck_assert_int_lt(first, 90);
	for (n = 1; list("c", last, 1, text, &last); n++)
		ck_assert_int_eq(atoi(text), first + n);
	ck_assert_str_eq(text, "100|");
	ck_assert_int_eq(first + n, 100);
	ck_assert(!list("c", last, 3, text, &last));
	ck_assert_str_eq(text, "");
	trace_free(t);
}
END_TEST

/* Events of any length, often round the ring: each list is the newest events whole, in order. */
START_TEST(test_many_lengths)
{
	static struct trace_event e[256];
	bool more;
	size_t n;

	begin();
	for (int i = 0; i < 3000; i++) {
		char call[16];

		snprintf(call, sizeof(call), "c%d", i % 11);
		trace_add(t, TRACE_NOTE, str_from_c(call), STR("icid"), "peer", "%d %.*s", i, i * 7 % 230,
			  "-------------------------------------------------------------------------------------------------------------------"
			  "-------------------------------------------------------------------------------------------------------------------");
		n = trace_events(t, STR_NONE, 0, e, 256, &more);
		ck_assert_uint_gt(n, 0);
		ck_assert(!more);
		for (size_t k = 0; k < n; k++)
			ck_assert_int_eq(atoi(e[k].text), i - (int)(n - 1 - k));
		ck_assert_str_eq(e[n - 1].call_id, call);
		n = trace_events(t, str_from_c(call), 0, e, 256, &more);
		ck_assert_uint_gt(n, 0);
		for (size_t k = 0; k < n; k++)
			ck_assert_str_eq(e[k].call_id, call);
	}
	n = trace_events(t, STR("icid"), 0, e, 256, &more);
	ck_assert_uint_gt(n, 5);
	trace_free(t);
}
END_TEST

/* ---- flows ---- */

static void message(bool sent, const char *fmt, ...)
{
	char wire[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(wire, sizeof(wire), fmt, ap);
	va_end(ap);
	trace_sip(t, sent, &flow, str_from_c(wire), NULL);
}

#define REQUEST "%s sip:b@x SIP/2.0\r\nFrom: \"A\" <sip:+49123@ims.example;user=phone>;tag=1\r\nTo: <sip:bob@ims.example>\r\nCall-ID: %s\r\n" \
		"CSeq: 1 %s\r\n%s\r\n"
#define ANSWER "SIP/2.0 %d x\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n\r\n"
#define CREDENTIALS "Authorization: Digest username=\"00101@ims.example\", realm=\"ims.example\", nonce=\"n\", uri=\"sip:x\", response=\"SECRET\"\r\n"

static const struct {
	const char *method;
	int in, out;
	const char *outcome;
} ends[] = {
	{ "INVITE", 0, 0, "running" },
	{ "INVITE", 180, 180, "running" },
	{ "INVITE", 200, 200, "success" },
	{ "INVITE", 486, 486, "failure" },
	{ "INVITE", 486, 200, "success" },		/* another branch answered */
	{ "INVITE", 408, 480, "failure" },
	{ "INVITE", 487, 487, "cancelled" },
	{ "INVITE", 302, 302, "failure" },
	{ "REGISTER", 401, 401, "challenge" },
	{ "NOTIFY", 200, 0, "success" },		/* one of our own: nothing goes upstream */
	{ "MESSAGE", 0, 403, "failure" },
};

START_TEST(test_outcome)
{
	struct trace_flow f;

	begin();
	message(true, REQUEST, ends[_i].method, "c", ends[_i].method, "");
	if (ends[_i].in)
		message(false, ANSWER, ends[_i].in, "c", ends[_i].method);
	if (ends[_i].out)
		message(true, ANSWER, ends[_i].out, "c", ends[_i].method);
	ck_assert_uint_eq(trace_flows(t, STR_NONE, 0, &f, 1), 1);
	ck_assert_str_eq(trace_flow_outcome(&f), ends[_i].outcome);
	ck_assert_str_eq(f.from, "+49123@ims.example");
	ck_assert_str_eq(f.to, "bob@ims.example");
	trace_free(t);
}
END_TEST

START_TEST(test_later_requests)
{
	struct trace_flow f;

	begin();
	message(false, REQUEST, "REGISTER", "r", "REGISTER", "");
	message(true, ANSWER, 401, "r", "REGISTER");
	message(false, REQUEST, "REGISTER", "r", "REGISTER", CREDENTIALS);
	ck_assert_uint_eq(trace_flows(t, STR("00101"), 0, &f, 1), 1);
	ck_assert_str_eq(trace_flow_outcome(&f), "running");
	message(true, ANSWER, 200, "r", "REGISTER");
	message(false, REQUEST, "INVITE", "i", "INVITE", "");
	message(true, ANSWER, 200, "i", "INVITE");
	message(true, ANSWER, 491, "i", "INVITE");		/* a re-INVITE */
	message(false, REQUEST, "BYE", "i", "BYE", "");
	message(true, ANSWER, 481, "i", "BYE");
	ck_assert_uint_eq(trace_flows(t, STR("00101"), 0, &f, 1), 1);
	ck_assert_str_eq(trace_flow_outcome(&f), "success");
	ck_assert_uint_eq(trace_flows(t, STR("i"), 0, &f, 1), 1);
	ck_assert_str_eq(trace_flow_outcome(&f), "success");
	trace_free(t);
}
END_TEST

static const struct {
	const char *who;
	bool is;
} who[] = {
	{ "c", true }, { "sip:bob@ims.example", true }, { "SIP:Bob@IMS.example;user=phone", true }, { "bob@ims.example", true },
	{ "bob", true }, { "+49123", true }, { "49123", true }, { "tel:+49123", true }, { "00101", true }, { "00101@ims.example", true },
	{ "icid-1", true }, { "bo", false }, { "bob@other.example", false }, { "tel:49124", false }, { "cc", false }, { "@", false },
	{ "sip:", false },
};

START_TEST(test_who)
{
	struct trace_flow f;

	begin();
	message(false, REQUEST, "REGISTER", "c", "REGISTER", CREDENTIALS "P-Charging-Vector: icid-value=icid-1\r\n");
	ck_assert_msg(trace_flows(t, str_from_c(who[_i].who), 0, &f, 1) == who[_i].is, "%s", who[_i].who);
	trace_free(t);
}
END_TEST

START_TEST(test_flows_come_and_go)
{
	struct trace_flow f[FLOWS * 2];
	cJSON *a = cJSON_CreateArray();
	uint64_t last = 0;
	char id[16];

	begin();
	for (int i = 0; i < FLOWS * 5; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		message(false, REQUEST, "MESSAGE", id, "MESSAGE", "P-Charging-Vector: icid-value=same\r\n");
		trace_add(t, TRACE_NOTE, str_from_c(id), STR_NONE, "", "x");
	}
	trace_add(t, TRACE_DIA_OUT, STR("no SIP"), STR_NONE, "hss", "UAR");	/* another worker's flow: not in the list */
	ck_assert_uint_eq(trace_flows(t, STR_NONE, 0, f, FLOWS * 2), FLOWS - 1);
	ck_assert_str_eq(f[0].call_id, "c39");
	ck_assert_str_eq(f[FLOWS - 2].call_id, "c33");
	ck_assert_uint_eq(trace_flows(t, STR("same"), 0, f, FLOWS * 2), FLOWS - 1);
	ck_assert(trace_flows_to_json(t, STR_NONE, STR_NONE, 0, 5, a, &last));
	ck_assert_int_eq(cJSON_GetArraySize(a), 5);
	ck_assert(!trace_flows_to_json(t, STR_NONE, STR_NONE, last, 5, a, &last));
	ck_assert_int_eq(cJSON_GetArraySize(a), FLOWS - 1);
	ck_assert(!trace_flows_to_json(t, STR_NONE, STR("failure"), 0, 5, a, &last));
	ck_assert_int_eq(cJSON_GetArraySize(a), FLOWS - 1);
	cJSON_Delete(a);
	trace_free(t);
}
END_TEST

/* Diameter and decisions know the ICID only: they belong to the flow that has it, on this worker. */
START_TEST(test_icid_leads_to_its_flow)
{
	char text[1024];
	uint64_t last = 0;

	begin();
	message(false, REQUEST, "REGISTER", "c", "REGISTER", "P-Charging-Vector: icid-value=one\r\n");
	trace_add(t, TRACE_DIA_OUT, STR("one"), STR("one"), "hss", "MAR");
	message(false, REQUEST, "REGISTER", "c", "REGISTER", "P-Charging-Vector: icid-value=two\r\n");
	trace_add(t, TRACE_DIA_OUT, STR("two"), STR("two"), "hss", "SAR");
	list("c", 0, 10, text, &last);
	ck_assert_str_eq(text, "REGISTER sip:b@x|MAR|REGISTER sip:b@x|SAR|");
	list("one", 0, 10, text, &last);
	ck_assert_str_eq(text, "REGISTER sip:b@x|MAR|");
	list("two", 0, 10, text, &last);
	ck_assert_str_eq(text, "REGISTER sip:b@x|SAR|");
	trace_free(t);
}
END_TEST

/* Nothing of credentials, challenges or keys is kept: the whole of its memory is searched through what it gives away. */
START_TEST(test_no_secrets)
{
	static const char *const secret[] = { "SECRET", "NONCE64", "0123456789abcdef", "AUTS64" };
	cJSON *a = cJSON_CreateArray();
	uint64_t last = 0;
	char *all;

	begin();
	message(false, REQUEST, "REGISTER", "c", "REGISTER", CREDENTIALS);
	message(true, "SIP/2.0 401 Unauthorized\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"NONCE64\", "
		      "ck=\"0123456789abcdef\", ik=\"0123456789abcdef\"\r\n\r\n");
	message(false, REQUEST, "REGISTER", "c", "REGISTER", "Authorization: Digest username=\"u\", auts=\"AUTS64\", response=\"SECRET\"\r\n");
	trace_to_json(t, STR_NONE, 0, 100, a, &last);
	trace_flows_to_json(t, STR_NONE, STR_NONE, 0, 100, a, &last);
	ck_assert_int_eq(cJSON_GetArraySize(a), 4);
	all = cJSON_Print(a);
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		ck_assert_msg(!strstr(all, secret[i]), "%s", secret[i]);
	cJSON_free(all);
	cJSON_Delete(a);
	trace_free(t);
}
END_TEST

START_TEST(test_off)
{
	char text[1024];
	uint64_t last = 0;

	t = trace_new(RING, 0);
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
	ck_assert_uint_ge(last, 1);
	trace_free(t);
}
END_TEST

TEST_MAIN("trace", TEST_ONE(test_what_is_kept), TEST_ONE(test_found_by), TEST_ONE(test_pages_and_wrap), TEST_ONE(test_off),
	  TEST_ROWS(test_odd_text, odd), TEST_ONE(test_many_lengths), TEST_ROWS(test_outcome, ends), TEST_ONE(test_later_requests),
	  TEST_ROWS(test_who, who), TEST_ONE(test_flows_come_and_go), TEST_ONE(test_icid_leads_to_its_flow), TEST_ONE(test_no_secrets))
