/* tests/proxy/test_ack.c - the ACK for a 2xx passes without a transaction: RFC 3261 §16.11, §16.6. */
#include "tests/proxy/rig.h"

static void ack(struct rig *r, const char *ruri, const char *branch, const char *extra)
{
	char text[1024];

	snprintf(text, sizeof(text), "ACK %s SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1:5060;branch=%s\nFrom: <sip:alice@a>;tag=A\n"
		 "To: <sip:bob@b>;tag=B\nCall-ID: call\nCSeq: 7 ACK\n%s", ruri, branch, extra);
	rig_in(r, text);
}

static const struct {
	const char *name, *ruri, *extra;
	const char *down;		/* "": dropped */
	uint32_t max_forwards;
} rows[] = {
	{ "Request-URI", "sip:b@n1", "Max-Forwards: 70\n", "ACK@10.0.0.1", 69 },
	{ "Route", "sip:b@n1", "Max-Forwards: 5\nRoute: <sip:t@self;lr>, <sip:n2;lr>\n", "ACK@10.0.0.2", 4 },
	{ "strict router behind us", "sip:b@n1", "Max-Forwards: 5\nRoute: <sip:n2>\n", "ACK@10.0.0.2", 4 },
	{ "Max-Forwards absent", "sip:b@n1", "", "ACK@10.0.0.1", 70 },
	{ "Max-Forwards 0", "sip:b@n1", "Max-Forwards: 0\n", "", 0 },
	{ "unknown scheme", "urn:x:y", "", "", 0 },
	{ "no such name", "sip:b@nx", "", "", 0 },
};

START_TEST(test_ack_row)
{
	struct rig r;

	rig_init(&r);
	ack(&r, rows[_i].ruri, "z9hG4bKack", rows[_i].extra);
	ck_assert_msg(!strcmp(rig_down(&r), rows[_i].down), "%s: %s", rows[_i].name, rig_down(&r));
	ck_assert_str_eq(rig_up(&r), "");	/* an ACK is never answered, §17 */
	if (rig_req(&r, "ACK", 0)) {
		ck_assert_uint_eq(rig_req(&r, "ACK", 0)->m->max_forwards, rows[_i].max_forwards);
		ck_assert_uint_eq(sip_values_count(rig_req(&r, "ACK", 0)->m, SIP_H_VIA), 2);
	}
	rig_fini(&r);
}
END_TEST

START_TEST(test_branch)			/* §16.11: the same for a retransmission, another for another ACK */
{
	struct str first;
	struct rig r;

	rig_init(&r);
	ack(&r, "sip:b@n1", "z9hG4bKone", "");
	ack(&r, "sip:b@n1", "z9hG4bKone", "");
	ack(&r, "sip:b@n1", "z9hG4bKtwo", "");
	first = rig_req(&r, "ACK", 0)->m->via.branch;
	ck_assert(str_starts(first, STR("z9hG4bK")));
	ck_assert(str_eq(first, rig_req(&r, "ACK", 1)->m->via.branch));
	ck_assert(!str_eq(first, rig_req(&r, "ACK", 2)->m->via.branch));
	rig_fini(&r);
}
END_TEST

START_TEST(test_next_address)		/* the first refuses at once */
{
	struct rig r;

	rig_init(&r);
	r.tcp_err = -ECONNREFUSED;
	r.udp_err = -ENETUNREACH;
	ack(&r, "sip:b@n12", "z9hG4bKack", "");
	ck_assert_str_eq(rig_down(&r), "");
	r.udp_err = 0;
	ack(&r, "sip:b@n12", "z9hG4bKack", "");
	ck_assert_str_eq(rig_down(&r), "ACK@10.0.0.1");
	rig_fini(&r);
}
END_TEST

START_TEST(test_late_and_never)		/* waits for the resolver; a layer that goes away takes it along */
{
	struct rig r;

	rig_init(&r);
	ack(&r, "sip:b@wait1", "z9hG4bKack", "");
	ck_assert_str_eq(rig_down(&r), "");
	rig_resolve(&r);
	ck_assert_str_eq(rig_down(&r), "ACK@10.0.0.1");
	ack(&r, "sip:b@wait1", "z9hG4bKnever", "");
	rig_fini(&r);
}
END_TEST

START_TEST(test_flow)
{
	struct sip_flow flow = { .proto = SIP_TCP, .conn = 1 };
	struct rig r;

	ck_assert_int_eq(addr_parse(STR("10.7.7.7"), 5070, &flow.remote), 0);
	rig_init(&r);
	r.flow = &flow;
	ack(&r, "sip:b@nx", "z9hG4bKack", "");
	ck_assert_str_eq(rig_down(&r), "ACK@10.7.7.7/tcp");
	rig_fini(&r);
}
END_TEST

TEST_MAIN("proxy ack", TEST_ROWS(test_ack_row, rows), TEST_ONE(test_branch), TEST_ONE(test_next_address),
	  TEST_ONE(test_late_and_never), TEST_ONE(test_flow))
