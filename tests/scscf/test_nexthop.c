/* tests/scscf/test_nexthop.c - where originating requests go, and numbers: TS 24.229 §5.4.3.2, TS 23.228 §5.3.2, RFC 3966;
 * rows C3, C12, R9, T14; sessions.* of the configuration. */
#include "tests/scscf/rig.h"

#define GERMANY "{country_code: \"49\"}"
#define AMERICA "{country_code: \"1\", national_prefix: \"\", international_prefix: \"011\"}"
#define BREAKOUT "{country_code: \"49\", routes: [{prefix: \"+\", next_hop: \"sip:10.0.0.61\"}, " \
		 "{prefix: \"+44\", next_hop: \"sip:gw.example;transport=udp\"}]}"

/* Every next hop says 404 in turn; up: what the caller gets in the end. */
static const struct { const char *name, *sessions, *ruri; const char *tries[5]; const char *down; unsigned up; } rows[] = {
	{ "home user", NULL, "sip:bob@home.example", { "sip:bob@home.example" }, "10.0.0.20", 404 },
	{ "home user past the I-CSCF", NULL, "sip:bob@Home.example:5999;transport=tls", { "sip:bob@home.example" }, "10.0.0.20", 404 },
	{ "home user by an alias", NULL, "sip:bob@alias.example", { "sip:bob@home.example" }, "10.0.0.20", 404 },
	{ "sips stays sips", NULL, "sips:bob@alias.example", { "sips:bob@home.example" }, "10.0.0.20", 404 },
	{ "another domain", NULL, "sip:x@foreign.example", { "sip:x@foreign.example" }, "10.0.0.50", 404 },
	{ "an address", NULL, "sip:x@10.0.0.77:5070", { "sip:x@10.0.0.77:5070" }, "10.0.0.77", 404 },
	{ "user at this node", NULL, "sip:bob@scscf.home.example:6060", { NULL }, "", 404 },

	{ "global tel", NULL, "tel:+49-30-222", { "sip:+4930222@home.example;user=phone" }, "10.0.0.20", 404 },
	{ "global number as sip", NULL, "sip:+4930222@home.example", { "sip:+4930222@home.example;user=phone" }, "10.0.0.20", 404 },
	{ "with separators and user=phone", NULL, "sip:+49-30.222@home.example;user=phone",
	  { "sip:+4930222@home.example;user=phone" }, "10.0.0.20", 404 },
	{ "country code without the plus", NULL, "tel:4930222;phone-context=home.example",
	  { "sip:+4930222@home.example;user=phone", "sip:4930222@home.example" }, "10.0.0.20 10.0.0.20", 404 },
	{ "digits as a name first", NULL, "sip:4930222@home.example",
	  { "sip:4930222@home.example", "sip:+4930222@home.example;user=phone", "sip:4930222@home.example" },
	  "10.0.0.20 10.0.0.20 10.0.0.20", 404 },
	{ "national", GERMANY, "tel:030222;phone-context=home.example",
	  { "sip:+4930222@home.example;user=phone", "sip:030222@home.example" }, "10.0.0.20 10.0.0.20", 404 },
	{ "national as sip user=phone with context inside", GERMANY, "sip:030222;phone-context=home.example@home.example;user=phone",
	  { "sip:+4930222@home.example;user=phone", "sip:030222@home.example" }, "10.0.0.20 10.0.0.20", 404 },
	{ "international prefix", GERMANY, "tel:004930222;phone-context=home.example",
	  { "sip:+4930222@home.example;user=phone", "sip:004930222@home.example" }, "10.0.0.20 10.0.0.20", 404 },
	{ "a global context", NULL, "tel:30222;phone-context=+49",
	  { "sip:+4930222@home.example;user=phone", "sip:+30222@home.example;user=phone", "sip:30222@home.example" },
	  "10.0.0.20 10.0.0.20 10.0.0.20", 404 },
	{ "a global context with separators", NULL, "tel:30222;phone-context=+4-9",
	  { "sip:+4930222@home.example;user=phone", "sip:+30222@home.example;user=phone", "sip:30222@home.example" },
	  "10.0.0.20 10.0.0.20 10.0.0.20", 404 },
	{ "a context that only begins like a number", NULL, "tel:30222;phone-context=+4y%40x",
	  { "sip:+30222@home.example;user=phone", "sip:30222@home.example" }, "10.0.0.20 10.0.0.20", 404 },
	{ "no national prefix", AMERICA, "tel:9145551234;phone-context=home.example",
	  { "sip:+19145551234@home.example;user=phone", "sip:+9145551234@home.example;user=phone", "sip:9145551234@home.example" },
	  "10.0.0.20 10.0.0.20 10.0.0.20", 404 },
	{ "short number", AMERICA, "tel:1001;phone-context=home.example",
	  { "sip:+1001@home.example;user=phone", "sip:1001@home.example" }, "10.0.0.20 10.0.0.20", 404 },
	{ "a dial string, RFC 4967", GERMANY, "sip:030222;phone-context=home.example@home.example;user=dialstring",
	  { "sip:+4930222@home.example;user=phone", "sip:030222@home.example" }, "10.0.0.20 10.0.0.20", 404 },
	{ "service code", GERMANY, "tel:*21#;phone-context=home.example", { "sip:*21%23@home.example" }, "10.0.0.20", 404 },
	{ "not a number", NULL, "sip:bob@home.example;user=phone", { "sip:bob@home.example;user=phone" }, "10.0.0.20", 404 },

	{ "row R9: nobody has it, out by the longest prefix", BREAKOUT, "tel:+44123",
	  { "sip:+44123@home.example;user=phone", "sip:+44123@home.example;user=phone" }, "10.0.0.20 10.0.0.60", 404 },
	{ "out by the default", BREAKOUT, "tel:0301;phone-context=home.example",
	  { "sip:+49301@home.example;user=phone", "sip:0301@home.example", "sip:+49301@home.example;user=phone" },
	  "10.0.0.20 10.0.0.20 10.0.0.61", 404 },
	{ "a domain by the table", "{routes: [{domain: foreign.example, next_hop: \"sip:gw.example;lr\"}]}", "sip:x@FOREIGN.example",
	  { "sip:x@FOREIGN.example" }, "10.0.0.60", 404 },
	{ "even the home domain", "{routes: [{domain: home.example, next_hop: \"sip:10.0.0.21:4060\"}]}", "sip:bob@home.example",
	  { "sip:bob@home.example" }, "10.0.0.21", 404 },
};

START_TEST(test_row)
{
	char extra[256], down[256] = "", addr[ADDR_STRLEN];
	unsigned n = 0;
	struct rig r;

	rig_init(&r, rows[_i].sessions);
	rig_users(&r);
	snprintf(extra, sizeof(extra), "Route: %s\n", rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
	rig_request(&r, "INVITE", rows[_i].ruri, NULL, extra);
	for (struct rig_sent *s; (s = rig_req(&r, "INVITE", n)); n++) {
		ck_assert_msg(n < 5 && rows[_i].tries[n], "%s: one more: %.*s", rows[_i].name, STR_ARG(s->m->ruri_text));
		ck_assert_msg(str_eq_c(s->m->ruri_text, rows[_i].tries[n]), "%s: %.*s", rows[_i].name, STR_ARG(s->m->ruri_text));
		snprintf(down + strlen(down), sizeof(down) - strlen(down), "%s%s", n ? " " : "", addr_host(&s->to.remote, addr));
		rig_reply(&r, s, 404, "");
	}
	ck_assert_msg(!rows[_i].tries[n], "%s: only %u", rows[_i].name, n);
	ck_assert_msg(strcmp(down, rows[_i].down) == 0, "%s: %s", rows[_i].name, down);
	ck_assert_msg(rig_status(&r) == rows[_i].up, "%s: %u", rows[_i].name, rig_status(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_stops)			/* the first that knows the number is the last one asked */
{
	static const unsigned status[] = { 200, 480, 486, 500, 603 };
	char extra[256];
	struct rig r;

	rig_init(&r, GERMANY);
	rig_users(&r);
	snprintf(extra, sizeof(extra), "Route: %s\n", rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
	for (unsigned i = 0; i < 5; i++) {
		r.turn++;
		rig_request(&r, "INVITE", "tel:030222;phone-context=home.example", NULL, extra);
		rig_reply(&r, rig_req(&r, "INVITE", i), status[i], "");
		ck_assert_uint_eq(rig_status(&r), status[i]);
		ck_assert_ptr_null(rig_req(&r, "INVITE", i + 1));
	}
	rig_fini(&r);
}
END_TEST

START_TEST(test_open5gs)		/* its 480 may mean unknown: other readings, but not out of the IMS */
{
	static const enum hss_profile hss[] = { HSS_STANDARD, HSS_PYHSS, HSS_OPEN5GS };
	char extra[256];

	for (unsigned i = 0; i < 3; i++) {
		struct rig r;

		rig_init(&r, BREAKOUT);
		rig_users(&r);
		r.s.hss = hss[i];
		snprintf(extra, sizeof(extra), "Route: %s\n", rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
		rig_request(&r, "MESSAGE", "tel:0301;phone-context=home.example", NULL, extra);
		rig_reply(&r, rig_req(&r, "MESSAGE", 0), 480, "");
		if (hss[i] == HSS_OPEN5GS)
			rig_reply(&r, rig_req(&r, "MESSAGE", 1), 480, "");
		ck_assert_ptr_null(rig_req(&r, "MESSAGE", hss[i] == HSS_OPEN5GS ? 2 : 1));
		ck_assert_uint_eq(rig_status(&r), 480);
		rig_fini(&r);
	}
}
END_TEST

START_TEST(test_breakout_route)		/* the next hop of the table is a loose router, RFC 3261 §16.12 */
{
	char extra[256];
	struct rig r;

	rig_init(&r, BREAKOUT);
	rig_users(&r);
	snprintf(extra, sizeof(extra), "Route: %s\n", rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
	rig_request(&r, "INVITE", "tel:+44123", NULL, extra);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 404, "");
	ck_assert_str_eq(rig_hdr(rig_req(&r, "INVITE", 1)->m, SIP_H_ROUTE), "<sip:gw.example;transport=udp;lr>");
	rig_fini(&r);
}
END_TEST

/* ---- numbers by themselves ---- */

static const struct { const char *uri; int rc; const char *number, *context; } number_rows[] = {
	{ "tel:+49-30-(111).22", 0, "+493011122", "" },
	{ "tel:7042;phone-context=example.com", 0, "7042", "example.com" },
	{ "sip:+49301@x;user=phone", 0, "+49301", "" },
	{ "sip:%2B49301@x", 0, "+49301", "" },
	{ "sip:0301;phone-context=%2B49@x", 0, "0301", "+49" },
	{ "sip:*31%23@x", 0, "*31#", "" },
	{ "sip:bob@x", -ENOENT, NULL, NULL },
	{ "sip:12ab@x", -ENOENT, NULL, NULL },
	{ "sip:1+2@x", -ENOENT, NULL, NULL },
	{ "sip:+@x", -ENOENT, NULL, NULL },
	{ "sip:x", -ENOENT, NULL, NULL },
	{ "sip:11111111111111111111111111111111111111111111111111111111111111111111111111111111@x", -ENOSPC, NULL, NULL },
	{ "urn:service:sos", -ENOENT, NULL, NULL },
};

START_TEST(test_number_row)
{
	struct sip_uri u;
	struct number n;

	ck_assert_int_eq(sip_uri_parse(str_from_c(number_rows[_i].uri), &u, NULL), 0);
	ck_assert_msg(number_from_uri(&u, &n) == number_rows[_i].rc, "%s: %s", number_rows[_i].uri, n.text);
	if (number_rows[_i].rc)
		return;
	ck_assert_str_eq(n.text, number_rows[_i].number);
	ck_assert_str_eq(n.context, number_rows[_i].context);
}
END_TEST

/* ---- configuration ---- */

static const struct { const char *yaml, *mistake; } bad_rows[] = {
	{ "{routes: [{prefix: \"+\", domain: x.y, next_hop: \"sip:a\"}]}", "a route is for a prefix or for a domain" },
	{ "{routes: [{next_hop: \"sip:a.b\"}]}", "a route is for a prefix or for a domain" },
	{ "{routes: [{prefix: \"+\", next_hop: \"udp:1.2.3.4\"}]}", "must be a SIP URI" },
	{ "{routes: [{prefix: \"+\", next_hop: \"tel:+49\"}]}", "must be a SIP URI" },
};

START_TEST(test_config_row)
{
	static const struct cfg_row *const schemas[] = { scscf_session_schema, NULL };
	struct buf err;
	struct cfg *c;
	char text[512];

	buf_init(&err, 4096);
	snprintf(text, sizeof(text), "sessions: %s\n", bad_rows[_i].yaml);
	ck_assert_msg(cfg_load_text(str_from_c(text), "test", schemas, &c, &err) == 0, "%.*s", STR_ARG(buf_str(&err)));
	session_config_check(c, &err);
	ck_assert_msg(str_find(buf_str(&err), str_from_c(bad_rows[_i].mistake)) >= 0, "%.*s", STR_ARG(buf_str(&err)));
	ck_assert(str_starts(buf_str(&err), STR("test:1:")));
	buf_fini(&err);
	cfg_unref(c);
}
END_TEST

TEST_MAIN("nexthop", TEST_ROWS(test_row, rows), TEST_ONE(test_stops), TEST_ONE(test_open5gs), TEST_ONE(test_breakout_route),
	  TEST_ROWS(test_number_row, number_rows), TEST_ROWS(test_config_row, bad_rows))
