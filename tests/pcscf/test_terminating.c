/* tests/pcscf/test_terminating.c - requests to phones: TS 24.229 §5.2.6.4; rows P12 P13 C5 C8 M2 M8 R2 R14, SEC-05. */
#include <string.h>
#include "tests/pcscf/rig.h"

#define TO_BOB "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n"

static void to_bob(struct rig *r, const char *from, const char *method, const char *path, const char *ruri, const char *extra)
{
	char lines[4096];

	snprintf(lines, sizeof(lines), "Route: %s\n%s", path, extra ? extra : "");
	rig_request_as(r, from, method, ruri, TO_BOB, "mt", lines);
}

START_TEST(test_call)
{
	struct rig r;
	struct rig_sent *s, *inv;
	char path[256];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	to_bob(&r, SCSCF, "INVITE", path, "sip:bob@10.9.0.2:5060", "Record-Route: <sip:s@10.0.0.30:6060;lr>\nP-Called-Party-ID: <tel:+49307>\n"
	       "P-Asserted-Identity: <sip:alice@home>\nP-Charging-Vector: icid-value=abc;orig-ioi=home\nP-Served-User: <sip:bob@home>\n"
	       "P-Access-Network-Info: 3GPP-NR;utran-cell-id-3gpp=secret\nP-Charging-Function-Addresses: ccf=10.0.0.99\n");
	s = inv = rig_expect(&r, "INVITE", BOB);
	ck_assert_str_eq(rig_hdr(s, "Route"), "");
	ck_assert_str_eq(rig_hdr(s, "P-Asserted-Identity"), "<sip:alice@home>");
	ck_assert_str_eq(rig_hdr(s, "P-Called-Party-ID"), "<tel:+49307>");
	ck_assert(!rig_contains(s, "secret") && !rig_contains(s, "icid") && !rig_contains(s, "10.0.0.99") && !rig_contains(s, "Served"));
	ck_assert(strstr(rig_hdr(s, "Record-Route"), "@10.0.0.10:5060;lr>, <sip:s@10.0.0.30:6060;lr>") != NULL);
	rig_reply(&r, s, 183, "P-Asserted-Identity: <sip:alice@home>\nP-Charging-Vector: icid-value=forged\nServer: stays\nRSeq: 5\n");
	s = rig_expect_status(&r, 183, SCSCF);
	ck_assert_str_eq(rig_hdr(s, "P-Asserted-Identity"), "<tel:+49307>");		/* as it was called: §5.2.6.4.4 */
	ck_assert_str_eq(rig_hdr(s, "P-Charging-Vector"), "icid-value=abc;orig-ioi=home;term-ioi=\"Type 1home\"");
	ck_assert_str_eq(rig_hdr(s, "Server"), "stays");
	ck_assert_str_eq(rig_hdr(s, "RSeq"), "5");
	rig_reply(&r, inv, 486, "");
	rig_expect(&r, "ACK", BOB);
	rig_expect_status(&r, 486, SCSCF);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* P13, C8: the binding's flow, not the text of the Request-URI. */
static const struct { const char *name, *from, *contact, *ruri, *where; } ways[] = {
	{ "UDP", BOB, NULL, "sip:bob@10.9.0.2:5060", BOB },
	{ "contact on another port", "udp:10.9.0.2:40000", "sip:bob@10.9.0.2:5062", "sip:bob@10.9.0.2:5062", "udp:10.9.0.2:5062" },
	{ "behind a NAT", "udp:198.51.100.7:40000", "sip:bob@192.168.1.2:5060", "sip:bob@192.168.1.2:5060", "udp:198.51.100.7:40000" },
	{ "a contact without address", "udp:10.9.0.2:5066", "sip:bob@phone.invalid", "sip:bob@phone.invalid", "udp:10.9.0.2:5066" },
	{ "TCP: its connection, else its contact", "tcp:10.9.0.2:40000", "sip:bob@10.9.0.2:5062;transport=tcp",
	  "sip:bob@10.9.0.2:5062;transport=tcp", "tcp:10.9.0.2:5062" },
	{ "TCP, contact without transport", "tcp:10.9.0.2:40000", "sip:bob@10.9.0.2", "sip:bob@10.9.0.2", "tcp:10.9.0.2:5060" },
	{ "IPv6", "udp:[2001:db8::2]:5060", NULL, "sip:bob@[2001:db8::2]:5060", "udp:[2001:db8::2]:5060" },
};

START_TEST(test_way)
{
	struct rig r;
	struct rig_sent *s;
	char path[256];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", ways[_i].from, ways[_i].contact, NULL, path);
	to_bob(&r, SCSCF, "MESSAGE", path, ways[_i].ruri, NULL);
	s = rig_expect(&r, "MESSAGE", ways[_i].where);
	if (s->to.proto == SIP_TCP)
		ck_assert_uint_eq(s->to.conn, 40000);		/* the connection it opened is asked first */
	ck_assert_msg(str_eq_c(s->m->ruri_text, ways[_i].ruri), "%s", ways[_i].name);
	rig_reply(&r, s, 200, "");
	rig_expect_status(&r, 200, SCSCF);
	rig_fini(&r);
}
END_TEST

/* Row P20: the connection is gone, the registration is not; the contact says how to reach the phone until it comes back. */
static const struct { const char *name, *contact, *where; } closed[] = {
	{ "TCP contact", "sip:bob@10.9.0.2:5062;transport=tcp", "tcp:10.9.0.2:5062" },
	{ "a contact that means UDP", "sip:bob@10.9.0.2:5062", "udp:10.9.0.2:5062" },
	{ "behind a NAT: where it was", "sip:bob@192.168.1.2:5062;transport=tcp", "tcp:10.9.0.2:40000" },
};

START_TEST(test_closed)
{
	const char *from = "tcp:10.9.0.2:40000";
	struct sip_flow flow = { .proto = SIP_TCP, .conn = 40000, .conn_gen = 1 };
	char path[256];
	struct rig r;

	rig_init(&r, NULL, 2);
	addr_parse(STR("10.9.0.2"), 40000, &flow.remote);
	rig_register(&r, "bob", from, closed[_i].contact, NULL, path);
	pcscf_ops.flow_closed(&r.workers[0].w, &flow);
	rig_run(&r, 1);
	to_bob(&r, SCSCF, "MESSAGE", path, closed[_i].contact, NULL);
	rig_expect(&r, "MESSAGE", closed[_i].where);
	flow.conn_gen = 2;		/* a later connection of another phone behind the same port */
	pcscf_ops.flow_closed(&r.workers[0].w, &flow);
	rig_register(&r, "bob", from, closed[_i].contact, NULL, path);		/* back again */
	to_bob(&r, SCSCF, "INFO", path, closed[_i].contact, NULL);
	ck_assert_uint_eq(rig_next(&r)->to.conn, 40000);
	rig_fini(&r);
}
END_TEST

/* Row P27, RFC 5626 §5.1, §5.3.1, §5.4: a phone with two flows.  Each has a Path of its own with "ob"; one whose connection has gone is 430. */
START_TEST(test_outbound)
{
	static const char *const from[] = { "tcp:10.9.0.2:40000", "tcp:10.9.0.2:40001" };
	struct sip_flow flow = { .proto = SIP_TCP, .conn = 40000, .conn_gen = 1 };
	char path[2][256], extra[512], route[600];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, NULL, 1);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(extra, sizeof(extra), "Contact: <sip:bob@10.9.0.2:5062;transport=tcp>;+sip.instance=\"<urn:uuid:1>\";reg-id=%u\n"
			 "Supported: path, outbound\nExpires: 600\n", i + 1);
		rig_request_as(&r, from[i], "REGISTER", "sip:home", "From: <sip:bob@home>;tag=r\nTo: <sip:bob@home>\n", i ? "r2" : "r1", extra);
		s = rig_expect(&r, "REGISTER", DOOR);
		snprintf(path[i], sizeof(path[i]), "%s", rig_hdr(s, "Path"));
		ck_assert_msg(strstr(path[i], ";lr;ob>") != NULL, "%s", path[i]);
		rig_reply(&r, s, 200, "Contact: <sip:bob@10.9.0.2:5062;transport=tcp>;expires=600\nRequire: outbound\n"
			  "Service-Route: <sip:o@10.0.0.30:6060;lr>\nP-Associated-URI: <sip:bob@home>\n");
		ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 200, from[i]), "Flow-Timer"), "120");
	}
	ck_assert_str_ne(path[0], path[1]);
	addr_parse(STR("10.9.0.2"), 40000, &flow.remote);
	pcscf_ops.flow_closed(&r.workers[0].w, &flow);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(route, sizeof(route), "Route: %s\n", path[i]);
		rig_request_as(&r, SCSCF, "MESSAGE", "sip:bob@10.9.0.2:5062", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", i ? "m2" : "m1", route);
		if (i == 0)
			rig_expect_status(&r, 430, SCSCF);
		else
			ck_assert_uint_eq(rig_expect(&r, "MESSAGE", from[1])->to.conn, 40001);
	}
	rig_fini(&r);
}
END_TEST

/* Row R14: a phone that says nothing.  Timer B is 64*T1 = 128 s there (row C5); for others the core waits 32 s itself. */
static const struct { const char *method; unsigned status, after_s; } silent[] = { { "INVITE", 408, 128 }, { "MESSAGE", 480, 30 } };

START_TEST(test_silent_phone)
{
	struct rig r;
	char path[256];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	to_bob(&r, SCSCF, silent[_i].method, path, "sip:bob@10.9.0.2:5060", NULL);
	rig_expect(&r, silent[_i].method, BOB);
	rig_run(&r, silent[_i].after_s * 1000 - 500);
	rig_none(&r);
	rig_run(&r, 1000);
	rig_expect_status(&r, silent[_i].status, SCSCF);
	rig_fini(&r);
}
END_TEST

static const struct { const char *method; unsigned status, want; } said[] = {	/* by the phone, not by us */
	{ "INVITE", 503, 500 }, { "MESSAGE", 503, 500 }, { "INVITE", 408, 408 }, { "MESSAGE", 408, 480 }, { "INVITE", 480, 480 },
	{ "INVITE", 603, 603 },
};

START_TEST(test_said_by_phone)
{
	struct rig r;
	struct rig_sent *s;
	char path[256];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	to_bob(&r, SCSCF, said[_i].method, path, "sip:bob@10.9.0.2:5060", NULL);
	s = rig_expect(&r, said[_i].method, BOB);
	rig_reply(&r, s, said[_i].status, "");
	if (!strcmp(said[_i].method, "INVITE"))
		rig_expect(&r, "ACK", BOB);
	rig_expect_status(&r, said[_i].want, SCSCF);
	rig_fini(&r);
}
END_TEST

START_TEST(test_gone)		/* expired, de-registered, never there */
{
	struct rig r;
	struct rig_sent *s;
	char path[256], extra[512];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	rig_run(&r, 601000);
	to_bob(&r, SCSCF, "INVITE", path, "sip:bob@10.9.0.2:5060", NULL);
	s = rig_expect_status(&r, 480, SCSCF);
	/* Row R18: the core hears who says so and why. */
	ck_assert_str_eq(rig_hdr(s, "Response-Source"), "fe=<urn:3gpp:fe:p-cscf.term>");
	ck_assert_str_eq(rig_hdr(s, "Warning"), "399 pcscf.example:5060 \"no such binding\"");
	snprintf(extra, sizeof(extra), "Route: <sip:10.0.0.10;lr>\n");
	rig_request_as(&r, SCSCF, "INVITE", "sip:bob@10.9.0.2:5060", TO_BOB, "none", extra);		/* no token: nobody's */
	rig_expect_status(&r, 403, SCSCF);
	rig_fini(&r);
}
END_TEST

/* Who may use a Path token, and what it opens afterwards. */
static const struct { const char *name, *from; unsigned status; } users[] = {
	{ "an S-CSCF that we never heard of", "udp:10.0.0.31:6060", 0 },
	{ "by TCP", "tcp:10.0.0.31:33333", 0 },
	{ "a registered phone", BOB, 403 },
};

START_TEST(test_token)
{
	struct rig r;
	char path[256];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	to_bob(&r, users[_i].from, "MESSAGE", path, "sip:bob@10.9.0.2:5060", NULL);
	if (users[_i].status) {
		rig_expect_status(&r, users[_i].status, users[_i].from);
	} else {
		struct sip_flow udp = { .proto = SIP_UDP }, tcp = { .proto = SIP_TCP };

		rig_expect(&r, "MESSAGE", BOB);
		addr_parse(STR("10.0.0.31"), users[_i].from[0] == 't' ? 33333 : 6060, &udp.remote);
		addr_parse(STR("10.0.0.31"), 1, &tcp.remote);
		ck_assert(pcscf_is_trusted(&r.p, &udp) && pcscf_is_trusted(&r.p, &tcp));	/* learned */
	}
	rig_fini(&r);
}
END_TEST

START_TEST(test_record_route_kept)	/* §5.2.6.4.4: a phone that rewrites the route set does not get through with it */
{
	struct rig r;
	struct rig_sent *s;
	char path[256], want[512];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	to_bob(&r, SCSCF, "INVITE", path, "sip:bob@10.9.0.2:5060", "Record-Route: <sip:s@10.0.0.30:6060;lr>, <sip:t@10.0.0.31;lr>\n");
	s = rig_expect(&r, "INVITE", BOB);
	snprintf(want, sizeof(want), "%s", rig_hdr(s, "Record-Route"));
	rig_reply(&r, s, 180, "Record-Route: <sip:evil@10.9.0.2;lr>\n");
	ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 180, SCSCF), "Record-Route"), want);
	rig_reply(&r, s, 200, "");
	ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 200, SCSCF), "Record-Route"), want);
	rig_fini(&r);
}
END_TEST

START_TEST(test_privacy)
{
	struct rig r;
	char path[256];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	to_bob(&r, SCSCF, "MESSAGE", path, "sip:bob@10.9.0.2:5060", "P-Asserted-Identity: <sip:alice@home>\nPrivacy: id\n");
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "MESSAGE", BOB), "P-Asserted-Identity"), "");
	rig_fini(&r);
}
END_TEST

START_TEST(test_cancel)
{
	struct rig r;
	struct rig_sent *s;
	char path[256];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	to_bob(&r, SCSCF, "INVITE", path, "sip:bob@10.9.0.2:5060", NULL);
	s = rig_expect(&r, "INVITE", BOB);
	rig_reply(&r, s, 180, "");
	rig_expect_status(&r, 180, SCSCF);
	r.cseq--;
	to_bob(&r, SCSCF, "CANCEL", path, "sip:bob@10.9.0.2:5060", "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\n");
	rig_expect_status(&r, 200, SCSCF);
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "CANCEL", BOB), "Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
	rig_reply(&r, s, 487, "");
	rig_expect(&r, "ACK", BOB);
	rig_expect_status(&r, 487, SCSCF);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("terminating", TEST_ONE(test_outbound), TEST_ONE(test_call), TEST_ROWS(test_way, ways), TEST_ROWS(test_closed, closed), TEST_ROWS(test_silent_phone, silent), TEST_ROWS(test_said_by_phone, said), TEST_ONE(test_gone),
	  TEST_ROWS(test_token, users), TEST_ONE(test_record_route_kept), TEST_ONE(test_privacy), TEST_ONE(test_cancel))
