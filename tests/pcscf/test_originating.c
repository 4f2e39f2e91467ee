/* tests/pcscf/test_originating.c - requests from phones: TS 24.229 §5.2.6.3; rows M2 M3 M4 M6 M8 M15 P9 P10 P11 P12 C5 G1 R1 R6 R7 R10. */
#include <string.h>
#include "tests/pcscf/rig.h"

#define CALL "sip:bob@home"

/* Alice's INVITE as the S-CSCF gets it. */
static struct rig_sent *invite(struct rig *r, const char *extra)
{
	rig_request(r, ALICE, "INVITE", CALL, extra);
	return rig_expect(r, "INVITE", SCSCF);
}

START_TEST(test_call)
{
	struct rig r;
	struct rig_sent *s, *inv;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, "INVITE", CALL, "Contact: <sip:alice@10.9.0.1:5060>\nRecord-Route: <sip:evil@x;lr>\nP-Served-User: <sip:bob@home>\n");
	ck_assert_uint_eq(r.sent[r.n - 2].m->status + r.sent[r.n - 1].m->status, 100);	/* row R1 */
	s = inv = rig_expect(&r, "INVITE", SCSCF);
	ck_assert_str_eq(rig_hdr(s, "Route"), "<sip:orig-alice@10.0.0.30:6060;lr>");
	ck_assert_str_eq(rig_hdr(s, "P-Asserted-Identity"), "<sip:alice@home>");
	ck_assert(strstr(rig_hdr(s, "P-Charging-Vector"), "icid-value=\"") != NULL);
	ck_assert(strstr(rig_hdr(s, "Record-Route"), "@10.0.0.10:5060;lr>") && !strstr(rig_hdr(s, "Record-Route"), "evil"));
	ck_assert_str_eq(rig_hdr(s, "P-Served-User"), "");
	rig_reply(&r, s, 180, "P-Charging-Vector: icid-value=x;orig-ioi=y\nP-Access-Network-Info: 3GPP-NR;utran-cell-id-3gpp=secret\nRSeq: 1\n"
		  "P-Early-Media: sendonly\n");
	s = rig_expect_status(&r, 180, ALICE);
	ck_assert(!rig_contains(s, "icid") && !rig_contains(s, "secret"));	/* P12, SEC-05 */
	ck_assert_str_eq(rig_hdr(s, "RSeq"), "1");
	ck_assert_str_eq(rig_hdr(s, "P-Early-Media"), "sendonly");
	rig_reply(&r, inv, 200, "Contact: <sip:bob@10.9.0.2>\nP-Asserted-Identity: <sip:bob@home>\n");
	ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 200, ALICE), "P-Asserted-Identity"), "<sip:bob@home>");
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* REG-20: every provisional response, without any header that one might expect in it, on its way to a phone; 100 is ours alone (RFC 3261 §16.7). */
START_TEST(test_every_provisional_reg_20)
{
	struct rig r;
	struct rig_sent *inv;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	inv = invite(&r, "Contact: <sip:alice@10.9.0.1:5060>\n");
	r.seen = r.n;
	rig_reply(&r, inv, 100, NULL);
	rig_none(&r);
	for (unsigned status = 101; status < 200; status++) {
		rig_reply(&r, inv, status, NULL);
		rig_expect_status(&r, status, ALICE);
	}
	rig_reply(&r, inv, 200, "Contact: <sip:bob@10.9.0.2>\n");
	rig_expect_status(&r, 200, ALICE);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* Row P11 and clients.md: whatever the phone writes as Route, the stored Service-Route is the way. */
static const struct { const char *name, *route; unsigned status; } routes[] = {
	{ "none: all to the proxy", "", 0 },
	{ "outbound proxy", "Route: <sip:10.0.0.10;lr>\n", 0 },
	{ "as TS 24.229 asks", "Route: <sip:10.0.0.10;lr>, <sip:orig-alice@10.0.0.30:6060;lr>\n", 0 },
	{ "Service-Route alone", "Route: <sip:orig-alice@10.0.0.30:6060;lr>\n", 0 },
	{ "somebody else's", "Route: <sip:10.0.0.10;lr>, <sip:orig-bob@10.0.0.30:6060;lr>\n", 0 },
	{ "past the S-CSCF", "Route: <sip:10.0.0.10;lr>, <sip:as@10.0.0.60;lr>\nRoute: <sip:x@y;lr>\n", 0 },
	{ "strict", "Route: <sip:10.0.0.60>\n", 0 },
	{ "a forged token", "Route: <sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@10.0.0.10;lr>\n", 403 },
	{ "any user", "Route: <sip:me@pcscf.home;lr>\n", 403 },
};

START_TEST(test_route)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, "MESSAGE", CALL, routes[_i].route);
	if (routes[_i].status) {
		rig_expect_status(&r, routes[_i].status, ALICE);
	} else {
		s = rig_expect(&r, "MESSAGE", SCSCF);
		ck_assert_msg(strcmp(rig_hdr(s, "Route"), "<sip:orig-alice@10.0.0.30:6060;lr>") == 0, "%s: %s", routes[_i].name,
			      rig_hdr(s, "Route"));
		ck_assert(str_eq_c(s->m->ruri_text, CALL));
	}
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *access, *from, *who, *contact; const char *asserted; unsigned status; } senders[] = {
	{ "its flow", NULL, ALICE, "<sip:alice@home>", "sip:alice@10.9.0.1:5060", "<sip:alice@home>", 0 },
	{ "its flow, any From (SEC-02)", NULL, ALICE, "<sip:bob@home>", "sip:bob@10.9.0.2:5060", "<sip:alice@home>", 0 },
	{ "another port, its From", NULL, "udp:10.9.0.1:40000", "<sip:alice@home>", "sip:x@10.9.0.1:40000", "<sip:alice@home>", 0 },
	{ "another port, its tel From", NULL, "udp:10.9.0.1:40000", "<tel:+495-10>", "sip:x@10.9.0.1", "<sip:alice@home>", 0 },
	{ "another port, its Contact", NULL, "udp:10.9.0.1:40000", "<sip:anonymous@anonymous.invalid>", "sip:alice@10.9.0.1:5060",
	  "<sip:alice@home>", 0 },
	{ "another port, none of its", NULL, "udp:10.9.0.1:40000", "<sip:bob@home>", "sip:bob@10.9.0.1:40000", NULL, 403 },
	{ "another port by TCP", NULL, "tcp:10.9.0.1:40000", "<sip:alice@home>", "sip:alice@10.9.0.1:5060;transport=tcp", "<sip:alice@home>", 0 },
	{ "another port, not allowed", "  match_by_address: false\n", "udp:10.9.0.1:40000", "<sip:alice@home>", "sip:alice@10.9.0.1:5060", NULL, 403 },
	{ "another address (P9)", NULL, BOB, "<sip:alice@home>", "sip:alice@10.9.0.1:5060", NULL, 403 },
	{ "the core's address without a token", NULL, SCSCF, "<sip:alice@home>", "sip:alice@10.0.0.30:6060", NULL, 403 },
};

START_TEST(test_sender)
{
	struct rig r;
	struct rig_sent *s;
	char who[256], extra[256];

	rig_init(&r, senders[_i].access, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	snprintf(who, sizeof(who), "From: %s;tag=A\nTo: <sip:bob@home>\n", senders[_i].who);
	snprintf(extra, sizeof(extra), "Contact: <%s>\n", senders[_i].contact);
	rig_request_as(&r, senders[_i].from, "INVITE", CALL, who, "c", extra);
	if (senders[_i].status) {
		rig_expect_status(&r, senders[_i].status, senders[_i].from);
	} else {
		s = rig_expect(&r, "INVITE", SCSCF);
		ck_assert_msg(strcmp(rig_hdr(s, "P-Asserted-Identity"), senders[_i].asserted) == 0, "%s: %s", senders[_i].name,
			      rig_hdr(s, "P-Asserted-Identity"));
	}
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* Gateways and test tools: several users on one socket, told apart by From. */
START_TEST(test_shared_socket)
{
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, "sip:alice@10.9.0.1:5060", NULL, NULL);
	rig_register(&r, "carol", ALICE, "sip:carol@10.9.0.1:5060", NULL, NULL);
	rig_request_as(&r, ALICE, "MESSAGE", CALL, "From: <sip:alice@home>;tag=1\nTo: <sip:bob@home>\n", "1", NULL);
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "MESSAGE", SCSCF), "P-Asserted-Identity"), "<sip:alice@home>");
	rig_request_as(&r, ALICE, "MESSAGE", CALL, "From: <sip:carol@home>;tag=1\nTo: <sip:bob@home>\n", "2", NULL);
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "MESSAGE", SCSCF), "P-Asserted-Identity"), "<sip:carol@home>");
	rig_fini(&r);
}
END_TEST

static const char *const methods[] = { "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "INFO", "UPDATE", "NOTIFY", "PRACK",
				       "BYE", "WHATEVER" };

START_TEST(test_method)		/* rows M1-M15: what can be routed is routed; only those that make dialogs are record-routed */
{
	static const unsigned answers[] = { 200, 202, 302, 404, 486, 500, 603 };
	bool dialog = !strcmp(methods[_i], "INVITE") || !strcmp(methods[_i], "SUBSCRIBE") || !strcmp(methods[_i], "REFER");
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct rig_sent *s;

		rig_request(&r, ALICE, methods[_i], "tel:+492", "X-Custom: y\nFunny: stays\n");
		s = rig_expect(&r, methods[_i], SCSCF);
		ck_assert_msg((*rig_hdr(s, "Record-Route") != 0) == dialog, "%s", methods[_i]);
		ck_assert_str_eq(rig_hdr(s, "Funny"), "stays");
		rig_reply(&r, s, answers[i], "Contact: <sip:else@where>\n");
		if (answers[i] >= 300 && !strcmp(methods[_i], "INVITE"))
			rig_expect(&r, "ACK", SCSCF);
		rig_expect_status(&r, answers[i], ALICE);
	}
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

START_TEST(test_cancel)		/* row M4 */
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	s = invite(&r, NULL);
	rig_reply(&r, s, 180, "");
	rig_expect_status(&r, 180, ALICE);
	r.cseq--;
	rig_request(&r, ALICE, "CANCEL", CALL, "Reason: SIP;cause=200\n");
	rig_expect_status(&r, 200, ALICE);
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "CANCEL", SCSCF), "Reason"), "SIP;cause=200");
	rig_reply(&r, s, 487, "");
	rig_expect(&r, "ACK", SCSCF);
	rig_expect_status(&r, 487, ALICE);
	rig_fini(&r);
}
END_TEST

static const struct { const char *method; bool rings; unsigned status; } silent[] = {	/* row R10; RFC 4320 */
	{ "INVITE", false, 504 }, { "MESSAGE", false, 504 }, { "INVITE", true, 487 },
};

START_TEST(test_silent_core)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, silent[_i].method, CALL, NULL);
	s = rig_expect(&r, silent[_i].method, SCSCF);
	if (silent[_i].rings) {		/* timer C: cancelled, and still nothing */
		rig_reply(&r, s, 180, "");
		rig_expect_status(&r, 180, ALICE);
		rig_run(&r, 186000);
		rig_expect(&r, "CANCEL", SCSCF);
		rig_reply(&r, s, 487, "");
		rig_expect(&r, "ACK", SCSCF);
	} else {
		rig_run(&r, 33000);
	}
	s = rig_expect_status(&r, silent[_i].status, ALICE);
	ck_assert_int_eq(*rig_hdr(s, "Retry-After") != 0, silent[_i].status == 504);
	rig_fini(&r);
}
END_TEST

static const struct { const char *method; unsigned status, want; } said[] = {	/* by the core, not by us */
	{ "INVITE", 408, 408 }, { "MESSAGE", 408, 504 }, { "INVITE", 503, 500 }, { "MESSAGE", 503, 500 }, { "INVITE", 504, 504 },
	{ "INVITE", 480, 480 }, { "INVITE", 500, 500 },
};

START_TEST(test_said_by_core)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, said[_i].method, CALL, NULL);
	s = rig_expect(&r, said[_i].method, SCSCF);
	rig_reply(&r, s, said[_i].status, "");
	if (!strcmp(said[_i].method, "INVITE"))
		rig_expect(&r, "ACK", SCSCF);
	rig_expect_status(&r, said[_i].want, ALICE);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

#define PASSING "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, MESSAGE, SUBSCRIBE, NOTIFY, UPDATE, PRACK, PUBLISH, REFER"
static const struct { const char *name, *method, *ruri, *extra; unsigned status; const char *header, *want; } ourselves[] = {
	{ "OPTIONS (M6)", "OPTIONS", "sip:10.0.0.10", NULL, 200, "Allow", PASSING },
	{ "OPTIONS by name", "OPTIONS", "sip:pcscf.home:5060", "Route: <sip:10.0.0.10;lr>\n", 200, "Allow", PASSING },
	{ "something else (M15)", "PUBLISH", "sip:10.0.0.10", NULL, 405, "Allow", "OPTIONS, REGISTER" },
	{ "unregistered", "MESSAGE", CALL, NULL, 403, "Allow", "" },
	{ "unregistered OPTIONS to a user", "OPTIONS", CALL, NULL, 403, "Allow", "" },
	{ "unknown scheme", "MESSAGE", "im:bob@home", NULL, 416, "Allow", "" },
	{ "emergency without an E-CSCF (P21)", "INVITE", "urn:service:sos", NULL, 380, "Content-Type", "application/3gpp-ims+xml" },
	{ "emergency, police", "INVITE", "urn:service:sos.police", NULL, 380, "Content-Type", "application/3gpp-ims+xml" },
	{ "another urn", "INVITE", "urn:service:sosnot", NULL, 416, "Content-Type", "" },
	{ "unknown option (R11)", "INVITE", CALL, "Proxy-Require: sec-agree, magic\n", 420, "Unsupported", "magic" },
	{ "in an unknown dialog", "BYE", CALL, NULL, 481, "Allow", "" },
};

START_TEST(test_ourselves)
{
	struct rig r;
	struct rig_sent *s;
	bool bye = strcmp(ourselves[_i].method, "BYE") == 0;

	rig_init(&r, NULL, 1);
	rig_request_as(&r, BOB, ourselves[_i].method, ourselves[_i].ruri,
		       bye ? "From: <sip:bob@home>;tag=1\nTo: <sip:x@home>;tag=2\n" : "From: <sip:bob@home>;tag=1\nTo: <sip:x@home>\n", "c",
		       ourselves[_i].extra);
	s = rig_expect_status(&r, ourselves[_i].status, BOB);
	ck_assert_msg(strcmp(rig_hdr(s, ourselves[_i].header), ourselves[_i].want) == 0, "%s: %s", ourselves[_i].name,
		      rig_hdr(s, ourselves[_i].header));
	/* Row R18: a phone hears who refuses, and not why. */
	ck_assert_str_eq(rig_hdr(s, "Response-Source"), ourselves[_i].status >= 400 ? "fe=<urn:3gpp:fe:p-cscf.orig>" : "");
	ck_assert_str_eq(rig_hdr(s, "Warning"), "");
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* clients.md point 7: a TCP phone gets its own value with transport=tcp on its side; so does one behind another address. */
static const struct { const char *name, *from, *own; } record_routes[] = {
	{ "TCP", "tcp:10.9.0.1:40000", "@10.0.0.10:5060;transport=tcp;lr>" },
	{ "other address of ours", "udp:10.8.0.1:5060", "@10.1.0.10:5060;lr>" },
};

START_TEST(test_record_route)
{
	struct rig r;
	struct rig_sent *s;
	struct str rest, first, second, third;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", record_routes[_i].from, NULL, NULL, NULL);
	rig_request(&r, record_routes[_i].from, "INVITE", CALL, NULL);
	s = rig_expect(&r, "INVITE", SCSCF);
	rest = str_from_c(rig_hdr(s, "Record-Route"));
	ck_assert(sip_list_next(&rest, &first) && sip_list_next(&rest, &second) && !sip_list_next(&rest, &third));
	ck_assert_msg(str_ends(first, STR("@10.0.0.10:5060;lr>")), "%.*s", STR_ARG(first));
	ck_assert_msg(str_ends(second, str_from_c(record_routes[_i].own)), "%.*s", STR_ARG(second));
	rig_fini(&r);
}
END_TEST

START_TEST(test_timers)		/* row C5: T1 is 2 s toward the phone, 500 ms in the core */
{
	struct rig r;
	struct sip_flow phone = { .proto = SIP_UDP }, core = { .proto = SIP_UDP };

	rig_init(&r, NULL, 1);
	addr_parse(STR("10.9.0.1"), 5060, &phone.remote);
	addr_parse(STR("10.0.0.20"), 4060, &core.remote);
	ck_assert_int_eq(pcscf_ops.side(&r.workers[0].w, &phone), TX_UE);
	ck_assert_int_eq(pcscf_ops.side(&r.workers[0].w, &core), TX_CORE);
	rig_fini(&r);
}
END_TEST

/* C9: what comes back over TLS has to find a certificate, which stands for a name (RFC 5922 §7.2); the phone's side is an address. */
START_TEST(test_record_route_tls)
{
	struct sip_flow phone = { .proto = SIP_UDP }, core = { .proto = SIP_TLS };
	struct rig_sent *s;
	struct str rr[2];
	struct sip_out o;
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_request(&r, ALICE, "OPTIONS", "sip:pcscf.home", NULL);
	s = rig_next(&r);
	ck_assert_int_eq(addr_parse(STR("10.9.0.1"), 5060, &phone.remote), 0);
	ck_assert_int_eq(addr_parse(STR("10.0.0.20"), 4061, &core.remote), 0);
	sip_out_init(&o, s->m);
	ck_assert_uint_eq(pcscf_record_route(pcscf_of(&r.workers[0].w), &o, 1, 0, &phone, &core, false, rr), 2);
	ck_assert_msg(str_find(rr[0], STR("@pcscf.home:5060;transport=tls;lr>")) > 0, "%.*s", STR_ARG(rr[0]));
	ck_assert_msg(str_find(rr[1], STR("@10.0.0.10:5060;lr>")) > 0, "%.*s", STR_ARG(rr[1]));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("originating", TEST_ONE(test_call), TEST_ONE(test_every_provisional_reg_20), TEST_ROWS(test_route, routes), TEST_ROWS(test_sender, senders), TEST_ONE(test_shared_socket),
	  TEST_ROWS(test_method, methods), TEST_ONE(test_cancel), TEST_ROWS(test_silent_core, silent), TEST_ROWS(test_said_by_core, said), TEST_ROWS(test_ourselves, ourselves),
	  TEST_ROWS(test_record_route, record_routes), TEST_ONE(test_timers), TEST_ONE(test_record_route_tls))
