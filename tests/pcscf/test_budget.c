/* tests/pcscf/test_budget.c - what a phone may fill of a message: SEC-08; RFC 3261 §21.4.11, §21.5.7. */
#include <stdlib.h>
#include <string.h>
#include "common/metrics/metrics.h"
#include "pcscf/budget.h"
#include "tests/pcscf/rig.h"

static long counted(const char *method, const char *part)
{
	char name[128];

	snprintf(name, sizeof(name), "cscf_pcscf_over_budget_total{method=\"%s\",part=\"%s\"}", method, part);
	return rig_metric(name);
}

#define SMALL "  budgets: [{method: MESSAGE, body_bytes: 100}, {method: INVITE, header_bytes: 1024}, {method: \"*\", body_bytes: 10}]\n"
static const struct { const char *name, *access, *method, *ruri; unsigned body, header, status; const char *part, *counted; } rows[] = {
	{ "as much as may be", SMALL, "MESSAGE", "sip:bob@home", 100, 0, 0, NULL, NULL },
	{ "one octet more", SMALL, "MESSAGE", "sip:bob@home", 101, 0, 413, "body", "MESSAGE" },
	{ "a long head", SMALL, "INVITE", "sip:bob@home", 0, 1024, 513, "header", "INVITE" },
	{ "a head of another method", SMALL, "MESSAGE", "sip:bob@home", 0, 1024, 0, NULL, NULL },
	{ "a method nobody knows", SMALL, "TUNNEL", "sip:bob@home", 11, 0, 413, "body", "UNKNOWN" },
	{ "a method without a row keeps its default", SMALL, "SUBSCRIBE", "sip:bob@home", 16384, 0, 0, NULL, NULL },
	{ "and that is a limit too", SMALL, "SUBSCRIBE", "sip:bob@home", 16385, 0, 413, "body", "SUBSCRIBE" },
	{ "the default of MESSAGE", NULL, "MESSAGE", "sip:bob@home", 16385, 0, 413, "body", "MESSAGE" },
	{ "REGISTER", NULL, "REGISTER", "sip:home", 4097, 0, 413, "body", "REGISTER" },
	{ "headers by default", NULL, "OPTIONS", "sip:bob@home", 0, 16384, 513, "header", "OPTIONS" },
	{ "an emergency call has no budget", "  budgets: [{method: INVITE, body_bytes: 10}]\n  emergency: {ecscf: \"sip:10.0.0.70\"}\n", "INVITE",
	  "urn:service:sos", 5000, 0, 0, NULL, NULL },
};

START_TEST(test_budget_row)
{
	long before = rows[_i].part ? counted(rows[_i].counted, rows[_i].part) : 0;
	char *body = calloc(1, rows[_i].body + 1), *extra = calloc(1, rows[_i].header + 128);
	struct rig_sent *s;
	struct rig r;

	ck_assert(body && extra);
	memset(body, 'x', rows[_i].body);
	strcpy(extra, "Contact: <sip:alice@10.9.0.1:5060>\n");
	if (rows[_i].header) {
		strcat(extra, "Subject: ");
		memset(extra + strlen(extra), 'y', rows[_i].header);
		strcat(extra, "\n");
	}
	rig_init(&r, rows[_i].access, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_body(&r, ALICE, rows[_i].method, rows[_i].ruri, "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "c", extra,
			 rows[_i].body ? "Content-Type: text/plain\n" : "", body);
	s = rig_next(&r);
	if (rows[_i].status)
		ck_assert_msg(!s->m->request && s->m->status == rows[_i].status, "%s: %.*s", rows[_i].name, 80, s->wire->p);
	else
		ck_assert_msg(s->m->request, "%s: %.*s", rows[_i].name, 80, s->wire->p);
	if (rows[_i].part)
		ck_assert_msg(counted(rows[_i].counted, rows[_i].part) == before + 1, "%s: not counted", rows[_i].name);
	rig_fini(&r);
	free(body);
	free(extra);
}
END_TEST

/* A call: an ACK that is too large is dropped, an answer that is too large is counted and passes, and the core may send what it likes. */
START_TEST(test_budget_of_a_call)
{
	long acks = counted("ACK", "body"), answers = counted("INVITE", "response body");
	static char big[501];
	struct rig_sent *s;
	char path[256], route[1024], answer[1024];
	struct rig r;

	memset(big, 'x', sizeof(big) - 1);
	rig_init(&r, "  budgets: [{method: ACK, body_bytes: 400}, {method: INVITE, body_bytes: 400}]\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	snprintf(route, sizeof(route), "Route: %s\n", path);
	rig_request_body(&r, SCSCF, "INVITE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", "mt", route,
			 "Content-Type: text/plain\n", big);
	s = rig_expect(&r, "INVITE", ALICE);
	rig_reply_body(&r, s, 200, "T", "Contact: <sip:alice@10.9.0.1:5060>\n", "Content-Type: text/plain\n", big);
	rig_expect_status(&r, 200, SCSCF);
	ck_assert_int_eq(counted("INVITE", "response body"), answers + 1);
	rig_request_as(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "c", "Contact: <sip:alice@10.9.0.1:5060>\n");
	s = rig_expect(&r, "INVITE", SCSCF);
	snprintf(route, sizeof(route), "Route: %s, <sip:s@10.0.0.30:6060;lr>\n", rig_hdr(s, "Record-Route"));
	snprintf(answer, sizeof(answer), "Contact: <sip:bob@10.9.0.2>\nRecord-Route: <sip:s@10.0.0.30:6060;lr>, %s\n", rig_hdr(s, "Record-Route"));
	rig_reply(&r, s, 200, answer);
	rig_expect_status(&r, 200, ALICE);
	for (unsigned i = 0; i < 2; i++) {
		big[i ? 400 : 500] = '\0';
		rig_request_body(&r, ALICE, "ACK", "sip:bob@10.9.0.2", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "c", route,
				 "Content-Type: text/plain\n", big);
		if (i == 0)
			rig_none(&r);
		ck_assert_int_eq(counted("ACK", "body"), acks + 1);
	}
	rig_expect(&r, "ACK", SCSCF);
	rig_fini(&r);
}
END_TEST

/* What the core tells us ourselves has no token; a phone that sends the like has a budget. */
static const struct { const char *name, *from; unsigned status; } to_us[] = { { "the core", SCSCF, 481 }, { "a phone", ALICE, 413 } };

START_TEST(test_to_ourselves)
{
	static char big[501];
	struct rig r;

	memset(big, 'x', sizeof(big) - 1);
	rig_init(&r, "  budgets: [{method: NOTIFY, body_bytes: 400}]\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_body(&r, to_us[_i].from, "NOTIFY", "sip:pcscf.home", "From: <sip:alice@home>;tag=T\nTo: <sip:pcscf.home>;tag=N\n", "n", "Event: reg\n",
			 "Content-Type: text/plain\n", big);
	{
		struct rig_sent *s = rig_next(&r);

		ck_assert_msg(s->m->status == to_us[_i].status, "%s: %.*s", to_us[_i].name, 60, s->wire->p);
	}
	rig_fini(&r);
}
END_TEST

/* An emergency call has none, to its end. */
START_TEST(test_within_an_emergency_call)
{
	char route[1024], answer[1024];
	static char big[501];
	struct rig_sent *s;
	struct rig r;

	memset(big, 'x', sizeof(big) - 1);
	rig_init(&r, "  budgets: [{method: INFO, body_bytes: 10}]\n  emergency: {ecscf: \"sip:10.0.0.70\"}\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_as(&r, ALICE, "INVITE", "urn:service:sos", "From: <sip:alice@home>;tag=A\nTo: <urn:service:sos>\n", "c", "Contact: <sip:alice@10.9.0.1:5060>\n");
	s = rig_next(&r);
	ck_assert(s->m->request);
	snprintf(route, sizeof(route), "Route: %s\n", rig_hdr(s, "Record-Route"));
	snprintf(answer, sizeof(answer), "Contact: <sip:psap@10.0.0.70>\nRecord-Route: %s\n", rig_hdr(s, "Record-Route"));
	rig_reply(&r, s, 200, answer);
	ck_assert_uint_eq(rig_next(&r)->m->status, 200);
	rig_request_body(&r, ALICE, "INFO", "sip:psap@10.0.0.70", "From: <sip:alice@home>;tag=A\nTo: <urn:service:sos>;tag=T\n", "c", route,
			 "Content-Type: text/plain\n", big);
	s = rig_next(&r);
	ck_assert_msg(s->m->request && s->m->method == SIP_INFO, "%.*s", 60, s->wire->p);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("budget", TEST_ROWS(test_budget_row, rows), TEST_ONE(test_budget_of_a_call), TEST_ROWS(test_to_ourselves, to_us), TEST_ONE(test_within_an_emergency_call))
