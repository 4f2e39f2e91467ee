/* tests/pcscf/test_indialog.c - requests within a dialog: TS 24.229 §5.2.6.3.7, §5.2.7; rows M3 M5 M7 M11 M12 C8 P14, SEC-09. */
#include <string.h>
#include "common/log/log.h"
#include "tests/pcscf/rig.h"

#define IN_CALL "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n"
#define BACK "From: <sip:bob@home>;tag=T\nTo: <sip:alice@home>;tag=A\n"
#define S_RR "<sip:s@10.0.0.33:6061;lr>"	/* another port than the Service-Route's: learned from the answer */
#define DIALOG_HOP "udp:10.0.0.33:6061"
#define TARGET "sip:bob@10.9.0.2:5060"

/* Alice calls through us; rr: our values as the core saw them. */
static void call(struct rig *r, const char *from, const char *params, char rr[512])
{
	struct rig_sent *s;
	char answer[1024];

	rig_register(r, "alice", from, NULL, params, NULL);
	rig_request(r, from, "INVITE", "sip:bob@home", "Contact: <sip:alice@10.9.0.1:5060>\n");
	s = rig_expect(r, "INVITE", SCSCF);
	snprintf(rr, 512, "%s", rig_hdr(s, "Record-Route"));
	snprintf(answer, sizeof(answer), "Contact: <" TARGET ">\nRecord-Route: <sip:p@10.0.0.11;lr>, " S_RR ", %s\n", rr);
	rig_reply(r, s, 200, answer);
	rig_expect_status(r, 200, from);
}

/* The route set of the caller: ours (reversed when there are two), then the S-CSCF's. */
static void route_of_caller(const char *rr, char dst[1024])
{
	struct str rest = str_from_c(rr), first, second;

	sip_list_next(&rest, &first);
	if (sip_list_next(&rest, &second))
		snprintf(dst, 1024, "Route: %.*s\nRoute: %.*s, " S_RR "\n", STR_ARG(second), STR_ARG(first));
	else
		snprintf(dst, 1024, "Route: %.*s, " S_RR "\n", STR_ARG(first));
}

/* A Record-Route of before tokens were bound to their dialog (README, "Differences"): refused, whoever shows it and in whichever dialog. */
START_TEST(test_unbound_token)
{
	char rr[512], route[1024], token[TOKEN_STRLEN];
	struct token t;
	struct rig r;

	rig_init(&r, NULL, 1);
	call(&r, ALICE, NULL, rr);
	ck_assert_int_eq(token_read_for(stack_token_key(r.p.stack), str_make(strchr(rr, ':') + 1, (size_t)(strchr(rr, '@') - strchr(rr, ':') - 1)),
					STR("call"), STR("A"), &t), 0);
	token_make(stack_token_key(r.p.stack), &t, token);
	snprintf(route, sizeof(route), "Route: <sip:%s@10.0.0.10:5060;lr>, " S_RR "\n", token);
	rig_request_as(&r, ALICE, "BYE", TARGET, IN_CALL, "call", route);
	rig_expect_status(&r, 403, ALICE);
	rig_request_as(&r, SCSCF, "BYE", "sip:alice@10.9.0.1:5060", BACK, "call", route);
	rig_expect_status(&r, 403, SCSCF);
	rig_fini(&r);
}
END_TEST

static const char *const methods[] = { "BYE", "INVITE", "UPDATE", "PRACK", "INFO", "MESSAGE", "REFER", "NOTIFY", "SUBSCRIBE", "OPTIONS", "ODD" };

START_TEST(test_from_phone)
{
	struct rig r;
	struct rig_sent *s;
	char rr[512], route[1024];

	rig_init(&r, NULL, 1);
	call(&r, ALICE, NULL, rr);
	route_of_caller(rr, route);
	strcat(route, "P-Asserted-Identity: <sip:bob@home>\nP-Charging-Vector: icid-value=forged\nRAck: 1 2 INVITE\n");
	log_correlation(STR("icid-of-the-call"));	/* as the stack does: row O5 */
	rig_request_as(&r, ALICE, methods[_i], TARGET, IN_CALL, "call", route);
	ck_assert(str_eq_c(log_correlation_get(), "icid-of-the-call"));
	s = rig_expect(&r, methods[_i], DIALOG_HOP);
	ck_assert_str_eq(rig_hdr(s, "Route"), S_RR);
	ck_assert(str_eq_c(s->m->ruri_text, TARGET));
	ck_assert(!rig_contains(s, "P-Asserted-Identity") && !rig_contains(s, "forged"));
	ck_assert_str_eq(rig_hdr(s, "RAck"), "1 2 INVITE");
	rig_reply(&r, s, 200, "P-Charging-Vector: icid-value=x\n");
	ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 200, ALICE), "P-Charging-Vector"), "");
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* SEC-09, SEC-19: the route of a dialog does not serve a request outside of it, which would go past Service-Route and identity. */
START_TEST(test_outside_of_the_dialog)
{
	struct rig r;
	char rr[512], route[1024];

	rig_init(&r, NULL, 1);
	call(&r, ALICE, NULL, rr);
	route_of_caller(rr, route);
	rig_request_as(&r, ALICE, "MESSAGE", TARGET, "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "other", route);
	rig_expect_status(&r, 403, ALICE);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* Nor does it serve another dialog, whatever To tag is invented for it. */
static const struct { const char *name, *from_to, *call_id; unsigned status; } foreign[] = {
	{ "as it is", IN_CALL, "call", 0 },
	{ "another Call-ID", IN_CALL, "other", 403 },
	{ "an invented To tag", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=X\n", "call", 481 },
	{ "an invented From tag", "From: <sip:alice@home>;tag=X\nTo: <sip:bob@home>;tag=T\n", "call", 403 },
	{ "both invented", "From: <sip:alice@home>;tag=X\nTo: <sip:bob@home>;tag=Y\n", "call", 403 },
};

START_TEST(test_foreign)
{
	struct rig r;
	char rr[512], route[1024];

	rig_init(&r, NULL, 1);
	call(&r, ALICE, NULL, rr);
	route_of_caller(rr, route);
	rig_request_as(&r, ALICE, "MESSAGE", TARGET, foreign[_i].from_to, foreign[_i].call_id, route);
	if (foreign[_i].status)
		rig_expect_status(&r, foreign[_i].status, ALICE);
	else
		rig_expect(&r, "MESSAGE", DIALOG_HOP);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* Dialogs that nobody has answered, and those of subscriptions, are known by the token alone. */
START_TEST(test_unanswered_dialogs)
{
	struct rig r;
	struct rig_sent *s;
	char rr[512], route[1024], text[1024];

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, _i ? "SUBSCRIBE" : "INVITE", "sip:bob@home", "Contact: <sip:alice@10.9.0.1:5060>\n");
	s = rig_next(&r);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(text, sizeof(text), "Contact: <" TARGET ">\nRecord-Route: " S_RR ", %s\n", rr);
	rig_reply(&r, s, _i ? 200 : 183, text);
	rig_expect_status(&r, _i ? 200 : 183, ALICE);
	route_of_caller(rr, route);
	rig_request_as(&r, ALICE, _i ? "SUBSCRIBE" : "PRACK", TARGET, IN_CALL, "call", route);
	rig_expect(&r, _i ? "SUBSCRIBE" : "PRACK", DIALOG_HOP);
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	rig_request_as(&r, SCSCF, _i ? "NOTIFY" : "UPDATE", "sip:alice@10.9.0.1:5060", BACK, "call", route);
	rig_expect(&r, _i ? "NOTIFY" : "UPDATE", ALICE);
	rig_fini(&r);
}
END_TEST

START_TEST(test_to_phone)
{
	struct rig r;
	struct rig_sent *s;
	char rr[512], route[1024];

	rig_init(&r, NULL, 1);
	call(&r, ALICE, NULL, rr);
	snprintf(route, sizeof(route), "Route: %s\nP-Charging-Vector: icid-value=x\n", rr);
	rig_request_as(&r, SCSCF, methods[_i], "sip:alice@10.9.0.1:5060", BACK, "call", route);
	s = rig_expect(&r, methods[_i], ALICE);
	ck_assert_str_eq(rig_hdr(s, "Route"), "");
	ck_assert_str_eq(rig_hdr(s, "P-Charging-Vector"), "");
	rig_reply(&r, s, 200, "");
	rig_expect_status(&r, 200, SCSCF);
	rig_fini(&r);
}
END_TEST

START_TEST(test_ack)		/* row M3: the ACK of a 2xx goes both ways without an answer */
{
	struct rig r;
	char rr[512], route[1024];

	rig_init(&r, NULL, 1);
	call(&r, ALICE, NULL, rr);
	route_of_caller(rr, route);
	rig_request_as(&r, ALICE, "ACK", TARGET, IN_CALL, "call", route);
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "ACK", DIALOG_HOP), "Route"), S_RR);
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	rig_request_as(&r, SCSCF, "ACK", "sip:alice@10.9.0.1:5060", BACK, "call", route);
	rig_expect(&r, "ACK", ALICE);
	rig_request_as(&r, BOB, "ACK", TARGET, IN_CALL, "call", route);		/* somebody else's: nothing at all */
	rig_request_as(&r, BOB, "ACK", TARGET, IN_CALL, "call", NULL);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* SEC-09: Alice's token, another sender. */
static const struct { const char *name, *access, *from; bool bob_registered; unsigned status; } forgers[] = {
	{ "another registered phone", NULL, BOB, true, 403 },
	{ "somebody unregistered", NULL, BOB, false, 403 },
	{ "her address, another port", NULL, "udp:10.9.0.1:40000", false, 0 },
	{ "her address, another port, strict", "  match_by_address: false\n", "udp:10.9.0.1:40000", false, 403 },
	{ "the core's address, another port", NULL, "udp:10.0.0.30:5999", false, 403 },
};

START_TEST(test_forger)
{
	struct rig r;
	char rr[512], route[1024];

	rig_init(&r, forgers[_i].access, 1);
	call(&r, ALICE, NULL, rr);
	if (forgers[_i].bob_registered)
		rig_register(&r, "bob", BOB, NULL, NULL, NULL);
	route_of_caller(rr, route);
	rig_request_as(&r, forgers[_i].from, "BYE", TARGET, IN_CALL, "call", route);
	if (forgers[_i].status)
		rig_expect_status(&r, forgers[_i].status, forgers[_i].from);
	else
		rig_expect(&r, "BYE", DIALOG_HOP);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* A phone on the same address that registered as somebody else. */
START_TEST(test_neighbour_phone)
{
	struct rig r;
	char rr[512], route[1024];

	rig_init(&r, NULL, 1);
	call(&r, ALICE, NULL, rr);
	rig_register(&r, "carol", "udp:10.9.0.1:6000", NULL, NULL, NULL);
	route_of_caller(rr, route);
	rig_request_as(&r, "udp:10.9.0.1:6000", "BYE", TARGET, IN_CALL, "call", route);
	rig_expect_status(&r, 403, "udp:10.9.0.1:6000");
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* What the phone writes behind our value: only where the core said. */
static const struct { const char *name, *rest; bool goes; } aims[] = {
	{ "as recorded", ", " S_RR, true },
	{ "to its Service-Route", ", <sip:orig-alice@10.0.0.30:6060;lr>", true },
	{ "to a node inside", ", <sip:x@10.0.0.40:8080;lr>", false },
	{ "to another phone", ", <sip:bob@10.9.0.2:5060;lr>", false },
	{ "the right host, another port", ", <sip:s@10.0.0.33:22;lr>", false },
	{ "straight to the Request-URI", "", false },
	{ "no URI", ", x", false },
};

START_TEST(test_aim)
{
	struct rig r;
	char rr[512], route[1024];

	rig_init(&r, NULL, 1);
	call(&r, ALICE, NULL, rr);
	snprintf(route, sizeof(route), "Route: %s%s\n", rr, aims[_i].rest);
	rig_request_as(&r, ALICE, "INFO", TARGET, IN_CALL, "call", route);
	if (aims[_i].goes)
		ck_assert_msg(str_eq_c(rig_next(&r)->m->method_name, "INFO"), "%s", aims[_i].name);
	else
		rig_expect_status(&r, 403, ALICE);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* clients.md 7: two values; a phone with an outbound proxy setting puts a third before them. */
START_TEST(test_double)
{
	struct rig r;
	struct rig_sent *s;
	char rr[512], route[1024], more[2048];

	rig_init(&r, NULL, 1);
	call(&r, "tcp:10.9.0.1:40000", NULL, rr);
	route_of_caller(rr, route);
	rig_request_as(&r, "tcp:10.9.0.1:40000", "UPDATE", TARGET, IN_CALL, "call", route);
	s = rig_expect(&r, "UPDATE", DIALOG_HOP);
	ck_assert_str_eq(rig_hdr(s, "Route"), S_RR);
	snprintf(more, sizeof(more), "Route: <sip:pcscf.home;transport=tcp;lr>\n%s", route);
	rig_request_as(&r, "tcp:10.9.0.1:40000", "INFO", TARGET, IN_CALL, "call", more);
	s = rig_expect(&r, "INFO", DIALOG_HOP);
	ck_assert_str_eq(rig_hdr(s, "Route"), S_RR);
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	rig_request_as(&r, SCSCF, "BYE", "sip:alice@10.9.0.1:5060", BACK, "call", route);
	s = rig_expect(&r, "BYE", "tcp:10.9.0.1:40000");
	ck_assert_uint_eq(s->to.conn, 40000);
	rig_fini(&r);
}
END_TEST

/* P14: the dialog outlives a re-registration from another port. */
START_TEST(test_moved)
{
	struct rig r;
	char rr[512], route[1024];

	rig_init(&r, NULL, 1);
	call(&r, ALICE, ";+sip.instance=\"<urn:uuid:1>\"", rr);
	rig_register(&r, "alice", "udp:10.9.0.1:7000", NULL, ";+sip.instance=\"<urn:uuid:1>\"", NULL);
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	rig_request_as(&r, SCSCF, "BYE", "sip:alice@10.9.0.1:5060", BACK, "call", route);
	rig_expect(&r, "BYE", "udp:10.9.0.1:7000");
	route_of_caller(rr, route);
	rig_request_as(&r, "udp:10.9.0.1:7000", "BYE", TARGET, IN_CALL, "call", route);
	rig_expect(&r, "BYE", DIALOG_HOP);
	rig_fini(&r);
}
END_TEST

/* After a restart, or after the phone has de-registered. */
START_TEST(test_binding_gone)
{
	struct rig r;
	char rr[512], route[1024];

	rig_init(&r, NULL, 1);
	call(&r, ALICE, NULL, rr);
	ck_assert(bindings_del(pcscf_of(&r.workers[0].w)->bindings, STR("alice@home|alice@10.9.0.1:5060"), "de-registered"));
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	rig_request_as(&r, SCSCF, "BYE", "sip:alice@10.9.0.1:5060", BACK, "call", route);
	rig_expect(&r, "BYE", ALICE);
	rig_request_as(&r, SCSCF, "INFO", "sip:alice@phone.invalid", BACK, "call", route);
	rig_expect_status(&r, 481, SCSCF);
	route_of_caller(rr, route);
	rig_request_as(&r, ALICE, "SUBSCRIBE", TARGET, IN_CALL, "call", route);		/* clients.md 8 */
	rig_expect_status(&r, 481, ALICE);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_as(&r, ALICE, "BYE", TARGET, IN_CALL, "call", route);
	rig_expect(&r, "BYE", DIALOG_HOP);
	rig_fini(&r);
}
END_TEST

/* The callee's side: the dialog came by a Path. */
START_TEST(test_callee)
{
	struct rig r;
	struct rig_sent *s;
	char path[256], rr[512], route[1024];

	rig_init(&r, NULL, 1);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	snprintf(route, sizeof(route), "Route: %s\nRecord-Route: " S_RR ", <sip:i@10.0.0.44;lr>\n", path);
	rig_request_as(&r, SCSCF, "INVITE", TARGET, "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "mt", route);
	s = rig_expect(&r, "INVITE", BOB);
	snprintf(rr, sizeof(rr), "Route: %s\n", rig_hdr(s, "Record-Route"));	/* a callee takes it as it stands */
	rig_reply(&r, s, 200, "Contact: <" TARGET ">\n");
	rig_expect_status(&r, 200, SCSCF);
	rig_request_as(&r, BOB, "BYE", "sip:alice@10.9.0.1:5060", BACK, "mt", rr);
	s = rig_expect(&r, "BYE", DIALOG_HOP);
	ck_assert_str_eq(rig_hdr(s, "Route"), S_RR ", <sip:i@10.0.0.44;lr>");
	rig_fini(&r);
}
END_TEST

TEST_MAIN("indialog", TEST_ONE(test_unbound_token), TEST_ONE(test_outside_of_the_dialog), TEST_ROWS(test_foreign, foreign), { &(test_unanswered_dialogs), 2 }, TEST_ROWS(test_from_phone, methods), TEST_ROWS(test_to_phone, methods), TEST_ONE(test_ack),
	  TEST_ROWS(test_forger, forgers), TEST_ROWS(test_aim, aims), TEST_ONE(test_neighbour_phone), TEST_ONE(test_double), TEST_ONE(test_moved),
	  TEST_ONE(test_binding_gone), TEST_ONE(test_callee))
