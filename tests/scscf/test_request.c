/* tests/scscf/test_request.c - what a request is for: TS 24.229 §5.4.3.1, RFC 3261 §16.3, §16.4, §8.2.2.3; rows T1, M3, M6, M9, M15,
 * R15, SEC tokens. */
#include "tests/scscf/rig.h"

#define TO_US "sip:scscf.home.example:6060"
#define SERVER_NAME "Route: <sip:scscf.home.example:6060;lr>\n"

enum { NO, TOK };		/* token of the row's kind in a Route, or the extra lines alone */

static const struct {
	const char *name, *method, *ruri, *to_tag;
	int route;
	enum token_kind kind;
	uint8_t flags;
	uint64_t id;
	const char *extra;
	unsigned status;		/* what the sender gets; 0: nothing yet */
	const char *down;		/* what goes on */
	const char *has;		/* in the answer */
} rows[] = {
	{ "REGISTER, whatever its Route says", "REGISTER", "sip:home.example", NULL, TOK, TOKEN_SERVICE_ROUTE, 0, ID_ALICE, "", 200, "", "" },
	{ "Service-Route: originating", "INVITE", "sip:bob@home.example", NULL, TOK, TOKEN_SERVICE_ROUTE, 0, ID_ALICE, "", 0, "INVITE@10.0.0.20", "" },
	{ "Server-Name as Route: terminating", "INVITE", "sip:alice@home.example", NULL, NO, 0, 0, 0, SERVER_NAME, 0, "INVITE@10.0.0.1", "" },
	{ "no Route: terminating", "INVITE", "sip:alice@home.example", NULL, NO, 0, 0, 0, "", 0, "INVITE@10.0.0.1", "" },
	{ "Record-Route: in dialog", "BYE", "sip:x@10.0.0.9", "B", TOK, TOKEN_RECORD_ROUTE, SIDE_ORIGINATING, ID_ALICE, "", 0, "BYE@10.0.0.9", "" },
	{ "unknown method originating, row M15", "FROBNICATE", "sip:bob@home.example", NULL, TOK, TOKEN_SERVICE_ROUTE, 0, ID_ALICE, "", 0, "FROBNICATE@10.0.0.20", "" },
	{ "unknown method terminating", "FROBNICATE", "sip:alice@home.example", NULL, NO, 0, 0, 0, "", 0, "FROBNICATE@10.0.0.1", "" },

	{ "forged token", "INVITE", "sip:bob@home.example", NULL, NO, 0, 0, 0, "Route: <sip:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@" RIG_NAME ";lr>\n", 403, "", "token" },
	{ "no token at all", "INVITE", "sip:bob@home.example", NULL, NO, 0, 0, 0, "Route: <sip:orig@" RIG_NAME ";lr>\n", 403, "", "" },
	{ "P-CSCF's kind of token", "INVITE", "sip:bob@home.example", NULL, TOK, TOKEN_PATH, 0, ID_ALICE, "", 403, "", "" },
	{ "place in an AS chain: criteria go on, there are none", "INVITE", "sip:bob@home.example", NULL, TOK, TOKEN_ODI, 0, ID_ALICE, "", 0, "INVITE@10.0.0.20", "" },
	{ "Record-Route outside of a dialog", "INVITE", "sip:bob@foreign.example", NULL, TOK, TOKEN_RECORD_ROUTE, SIDE_ORIGINATING, ID_ALICE, "", 403, "", "" },
	{ "Record-Route of no side", "BYE", "sip:x@10.0.0.9", "B", TOK, TOKEN_RECORD_ROUTE, 9, ID_ALICE, "", 403, "", "" },
	{ "mixed tokens", "INVITE", "sip:x@10.0.0.9", "B", TOK, TOKEN_SERVICE_ROUTE, 0, ID_ALICE, "Route: <sip:orig@" RIG_NAME ";lr>\n", 403, "", "" },
	{ "in dialog without a Route", "BYE", "sip:alice@home.example", "B", NO, 0, 0, 0, "", 481, "", "" },
	{ "in dialog along the Service-Route", "BYE", "sip:x@10.0.0.9", "B", TOK, TOKEN_SERVICE_ROUTE, 0, ID_ALICE, "", 481, "", "" },
	{ "orig from anybody", "INVITE", "sip:bob@foreign.example", NULL, NO, 0, 0, 0, "Route: <sip:scscf.home.example:6060;lr;orig>\nP-Asserted-Identity: <sip:alice@home.example>\n", 403, "", "" },

	{ "OPTIONS to us", "OPTIONS", TO_US, NULL, NO, 0, 0, 0, "", 200, "", "Allow: REGISTER, OPTIONS" },
	{ "OPTIONS to us by address", "OPTIONS", "sip:10.9.9.9:6060", NULL, NO, 0, 0, 0, SERVER_NAME, 200, "", "Supported: path" },
	{ "OPTIONS to the home domain", "OPTIONS", "sip:home.example", NULL, TOK, TOKEN_SERVICE_ROUTE, 0, ID_ALICE, "", 200, "", "Accept:" },
	{ "OPTIONS with a Require that we have not", "OPTIONS", TO_US, NULL, NO, 0, 0, 0, "Require: path, 100rel\nRequire: zzz\n", 420, "", "Unsupported: 100rel, zzz" },
	{ "OPTIONS to a user", "OPTIONS", "sip:alice@home.example", NULL, NO, 0, 0, 0, "", 0, "OPTIONS@10.0.0.1", "" },
	{ "INVITE to us", "INVITE", TO_US, NULL, NO, 0, 0, 0, "", 405, "", "Allow: REGISTER, OPTIONS" },
	{ "unknown method to us", "FROBNICATE", TO_US, NULL, NO, 0, 0, 0, "", 405, "", "Allow: REGISTER, OPTIONS" },
	{ "SUBSCRIBE to us, row R15", "SUBSCRIBE", TO_US, NULL, NO, 0, 0, 0, "Event: winfo\n", 489, "", "" },
	{ "BYE to us", "BYE", TO_US, "B", NO, 0, 0, 0, "", 481, "", "" },
	{ "our URI further on along Routes", "OPTIONS", TO_US, NULL, TOK, TOKEN_SERVICE_ROUTE, 0, ID_ALICE, "Route: <sip:10.0.0.7;lr>\n", 0, "OPTIONS@10.0.0.7", "" },

	{ "Max-Forwards 0", "INVITE", "sip:alice@home.example", NULL, NO, 0, 0, 0, "Max-Forwards: 0\n", 483, "", "" },
	{ "Proxy-Require", "INVITE", "sip:alice@home.example", NULL, NO, 0, 0, 0, "Proxy-Require: path, zzz\n", 420, "", "Unsupported: zzz" },
	{ "Require is not for a proxy", "INVITE", "sip:alice@home.example", NULL, NO, 0, 0, 0, "Require: zzz\n", 0, "INVITE@10.0.0.1", "" },
	{ "a URN", "INVITE", "urn:service:sos", NULL, TOK, TOKEN_SERVICE_ROUTE, 0, ID_ALICE, "", 416, "", "" },
};

START_TEST(test_request_row)
{
	char extra[1024];
	struct rig r;

	rig_init(&r, NULL);
	rig_users(&r);
	snprintf(extra, sizeof(extra), "%s%s%s%s", rows[_i].route ? "Route: " : "",
		 rows[_i].route ? rig_route(&r, rows[_i].kind, rows[_i].flags, rows[_i].id) : "", rows[_i].route ? "\n" : "",
		 rows[_i].extra);
	rig_request(&r, rows[_i].method, rows[_i].ruri, rows[_i].to_tag, extra);
	ck_assert_msg(rig_status(&r) == rows[_i].status, "%s: %u", rows[_i].name, rig_status(&r));
	ck_assert_msg(strcmp(rig_down(&r), rows[_i].down) == 0, "%s: %s", rows[_i].name, rig_down(&r));
	if (rows[_i].status)
		ck_assert_msg(rig_has(rig_up(&r), rows[_i].has), "%s: %.*s", rows[_i].name, STR_ARG(rig_up(&r)->raw));
	else if (r.n && r.sent[r.n - 1].m->request && strcmp(rows[_i].method, "REGISTER"))
		ck_assert_msg(!rig_has(r.sent[r.n - 1].m, "Route: <sip:scscf"), "%s: our Route is still there", rows[_i].name);
	ck_assert_uint_eq(r.registers, strcmp(rows[_i].method, "REGISTER") == 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_loop)			/* it comes back as it left: 482, RFC 5393 §4.2 */
{
	char extra[1024];
	struct rig r;

	rig_init(&r, NULL);
	rig_users(&r);
	rig_request(&r, "OPTIONS", "sip:dave2@home.example", NULL, "");
	ck_assert_str_eq(rig_down(&r), "OPTIONS@10.0.0.4");
	snprintf(extra, sizeof(extra), "Via: %s\n", rig_hdr(rig_req(&r, "OPTIONS", 0)->m, SIP_H_VIA));
	r.turn++;
	rig_request(&r, "OPTIONS", "sip:dave2@home.example", NULL, extra);
	ck_assert_uint_eq(rig_status(&r), 482);
	rig_fini(&r);
}
END_TEST

START_TEST(test_ack)			/* RFC 3261 §13.2.2.4, row M3 */
{
	char extra[512];
	struct rig r;

	rig_init(&r, NULL);
	snprintf(extra, sizeof(extra), "Route: %s, <sip:PB@p2.home.example;lr>\n", rig_route(&r, TOKEN_RECORD_ROUTE, SIDE_TERMINATING, 7));
	rig_request(&r, "ACK", "sip:bob@10.8.0.2:5066", "B", extra);
	ck_assert_str_eq(rig_down(&r), "ACK@10.0.0.2");
	ck_assert_str_eq(rig_hdr(rig_req(&r, "ACK", 0)->m, SIP_H_ROUTE), "<sip:PB@p2.home.example;lr>");
	rig_fini(&r);
	rig_init(&r, NULL);
	rig_request(&r, "ACK", "sip:bob@10.8.0.2:5066", "B", "Route: <sip:forged@" RIG_NAME ";lr>\n");
	rig_request(&r, "ACK", "sip:bob@10.8.0.2:5066", "C", "");
	ck_assert_uint_eq(r.n, 0);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("request", TEST_ROWS(test_request_row, rows), TEST_ONE(test_loop), TEST_ONE(test_ack))
