/* tests/pcscf/test_stranger.c - senders that are neither registered nor core: rows P9, X10; SEC-06, SEC-11. */
#include "tests/pcscf/rig.h"

#define NOBODY "udp:10.66.0.6:5060"

static struct rig rig;
static struct sip_msg *m;

static void parse(const char *from, const char *method, const char *ruri, const char *to, const char *extra)
{
	struct sip_flow flow = { .proto = SIP_UDP };
	struct sip_parse_error err;
	char text[2048];

	ck_assert_int_eq(addr_parse_hostport(str_from_c(from + 4), 5060, &flow.remote), 0);
	snprintf(text, sizeof(text), "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKs\r\nFrom: <sip:x@home>;tag=f\r\nTo: %s\r\n"
		 "Call-ID: stranger\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n%sContent-Length: 0\r\n\r\n", method, ruri, from + 4, to, method,
		 extra);
	ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), &flow, &m, &err), 0);
}

static const struct { const char *name, *from, *method, *ruri, *to, *extra; unsigned status; } rows[] = {
	{ "a call (P9)", NOBODY, "INVITE", "sip:bob@home", "<sip:bob@home>", "", 403 },
	{ "a text to nobody: the same answer (SEC-06)", NOBODY, "MESSAGE", "sip:nobody@home", "<sip:nobody@home>", "", 403 },
	{ "a subscription to reg (SEC-17)", NOBODY, "SUBSCRIBE", "sip:bob@home", "<sip:bob@home>", "Event: reg\r\n", 403 },
	{ "a subscription to dialogs (SEC-17)", NOBODY, "SUBSCRIBE", "sip:nobody@home", "<sip:nobody@home>", "Event: dialog\r\n", 403 },
	{ "a publication (SEC-17)", NOBODY, "PUBLISH", "sip:bob@home", "<sip:bob@home>", "Event: presence\r\n", 403 },
	{ "a publication in the name of a phone (SEC-17)", NOBODY, "PUBLISH", "sip:alice@home", "<sip:alice@home>",
	  "P-Asserted-Identity: <sip:alice@home>\r\nContact: <sip:alice@10.9.0.1:5060>\r\n", 403 },
	{ "a method nobody knows (SEC-06)", NOBODY, "FOO", "sip:nobody@home", "<sip:nobody@home>", "", 403 },
	{ "in a dialog of nobody", NOBODY, "BYE", "sip:bob@home", "<sip:bob@home>;tag=1", "", 481 },
	{ "forged token", NOBODY, "INVITE", "sip:bob@home", "<sip:bob@home>", "Route: <sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@pcscf.home;lr>\r\n", 403 },
	{ "OPTIONS to us (M6)", NOBODY, "OPTIONS", "sip:pcscf.home", "<sip:pcscf.home>", "", 200 },
	{ "OPTIONS to somebody", NOBODY, "OPTIONS", "sip:bob@home", "<sip:bob@home>", "", 403 },
	{ "REGISTER is served", NOBODY, "REGISTER", "sip:home", "<sip:x@home>", "", 0 },
	{ "an emergency is served", NOBODY, "INVITE", "urn:service:sos", "<urn:service:sos>", "", 0 },
	{ "a registered phone is served", ALICE, "INVITE", "sip:bob@home", "<sip:bob@home>", "", 0 },
};

START_TEST(test_turn_away)
{
	struct refusal r = { .forgeable = true, .max_bytes = 1 };
	char path[256];
	bool away;

	rig_init(&rig, NULL, 1);
	rig_register(&rig, "alice", ALICE, "sip:alice@10.9.0.1:5060", NULL, path);
	parse(rows[_i].from, rows[_i].method, rows[_i].ruri, rows[_i].to, rows[_i].extra);
	away = pcscf_turn_away(&rig.workers[0].w, m, &r);
	ck_assert_msg(away == (rows[_i].status != 0) && r.status == rows[_i].status, "%s: %u", rows[_i].name, r.status);
	sip_msg_unref(m);
	rig_fini(&rig);
}
END_TEST

/* A dialog that outlived our restart: the token is proof, and the sender gets all of a transaction. */
START_TEST(test_token)
{
	struct refusal r = { .forgeable = true };
	struct token t = { .kind = TOKEN_RECORD_ROUTE, .id = 77 };
	char user[TOKEN_STRLEN], route[256];

	rig_init(&rig, NULL, 1);
	token_make_for(stack_token_key(&rig.stack), &t, STR("stranger"), STR("f"), user);
	snprintf(route, sizeof(route), "Route: <sip:%s@pcscf.home;lr>, <sip:10.0.0.30:6060;lr>\r\n", user);
	parse(NOBODY, "BYE", "sip:bob@home", "<sip:bob@home>;tag=1", route);
	ck_assert(!pcscf_turn_away(&rig.workers[0].w, m, &r));
	ck_assert(!r.forgeable);
	sip_msg_unref(m);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_standing)
{
	struct sip_flow f = { .proto = SIP_UDP };
	char path[256];

	rig_init(&rig, "  trusted: [10.0.0.0/24]\n", 1);
	rig_register(&rig, "alice", ALICE, "sip:alice@10.9.0.1:5060", NULL, path);
	ck_assert_int_eq(addr_parse_hostport(STR("10.9.0.1:5060"), 0, &f.remote), 0);
	ck_assert_int_eq(pcscf_standing(&rig.workers[0].w, &f), STANDING_REGISTERED);
	addr_set_port(&f.remote, 5061);
	ck_assert_int_eq(pcscf_standing(&rig.workers[0].w, &f), STANDING_UNKNOWN);
	ck_assert_int_eq(addr_parse_hostport(STR("10.0.0.99:5060"), 0, &f.remote), 0);
	ck_assert_int_eq(pcscf_standing(&rig.workers[0].w, &f), STANDING_TRUSTED);
	rig_fini(&rig);
}
END_TEST

TEST_MAIN("stranger", TEST_ROWS(test_turn_away, rows), TEST_ONE(test_token), TEST_ONE(test_standing))
