/* tests/scscf/test_nexthop.c - where originating requests go, and numbers: TS 24.229 §5.4.3.2, TS 23.228 §5.3.2, RFC 3966;
 * rows C3, C12, R9, T14; RFC 6116, RFC 4694, RFC 4769; sessions.* of the configuration. */
#include "tests/scscf/rig.h"

#define GERMANY "{country_code: \"49\"}"
#define AMERICA "{country_code: \"1\", national_prefix: \"\", international_prefix: \"011\"}"
#define BREAKOUT "{country_code: \"49\", routes: [{prefix: \"+\", next_hop: \"sip:10.0.0.61\"}, " \
		 "{prefix: \"+44\", next_hop: \"sip:gw.example;transport=udp\"}]}"

#define TRUNKS "{country_code: \"49\", routes: [" \
	       "{prefix: \"+44\", next_hop: \"sip:10.0.0.61\", priority: 2}, " \
	       "{prefix: \"+44\", next_hop: \"sip:10.0.0.62\", priority: 1}, " \
	       "{prefix: \"+44\", next_hop: \"sip:10.0.0.63\", priority: 3}, " \
	       "{prefix: \"+4999\", next_hop: \"sip:10.0.0.64\"}, {prefix: \"+\", next_hop: \"sip:10.0.0.65\"}, " \
	       "{domain: trunk.example, next_hop: \"sip:10.0.0.66\"}], enum_suffix: e164.test}"

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
	{ "without the area code", "{country_code: \"49\", area_code: \"30\", short_number_digits: 4}",
	  "tel:22233;phone-context=home.example", { "sip:+493022233@home.example;user=phone", "sip:+22233@home.example;user=phone",
	  "sip:22233@home.example" }, "10.0.0.20 10.0.0.20 10.0.0.20", 404 },
	{ "short, with an area code", "{country_code: \"49\", area_code: \"30\", short_number_digits: 4}",
	  "tel:1001;phone-context=home.example", { "sip:+1001@home.example;user=phone", "sip:1001@home.example" },
	  "10.0.0.20 10.0.0.20", 404 },
	{ "with the national prefix, and an area code", "{country_code: \"49\", area_code: \"30\"}",
	  "tel:040222;phone-context=home.example", { "sip:+4940222@home.example;user=phone", "sip:040222@home.example" },
	  "10.0.0.20 10.0.0.20", 404 },
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

/* ---- ENUM and the table: RFC 6116, RFC 4769, RFC 4694, TS 24.229 §5.4.3.2, §5.6.2; row T14 ---- */

static const struct {
	const char *name, *ruri;
	struct rig_enum said;
	unsigned status[5];			/* of each try, 0: silence */
	const char *tries[5], *down;
	unsigned up;
} enum_rows[] = {
	{ "a home user", "tel:+49301", { "+49301", "sip:bob@home.example", NULL }, { 486 }, { "sip:bob@home.example" }, "10.0.0.20", 486 },
	{ "from a dialled number", "tel:0301;phone-context=home.example", { "+49301", "sip:x@foreign.example", NULL }, { 486 },
	  { "sip:x@foreign.example" }, "10.0.0.50", 486 },
	{ "a domain that the table has", "tel:+49301", { "+49301", "sip:x@trunk.example", NULL }, { 486 }, { "sip:x@trunk.example" },
	  "10.0.0.66", 486 },
	{ "unknown there: home, then out", "tel:+49301", { "+49301", "sip:x@foreign.example", NULL }, { 404, 404, 404 },
	  { "sip:x@foreign.example", "sip:+49301@home.example;user=phone", "sip:+49301@home.example;user=phone" },
	  "10.0.0.50 10.0.0.20 10.0.0.65", 404 },
	{ "nobody there", "tel:+49301", { "+49301", "sip:x@nx.example", NULL }, { 486 }, { "sip:+49301@home.example;user=phone" },
	  "10.0.0.20", 486 },
	{ "ENUM names ourselves", "tel:+49301", { "+49301", "sip:x@scscf.home.example:6060", NULL }, { 486 },
	  { "sip:+49301@home.example;user=phone" }, "10.0.0.20", 486 },
	{ "ported, RFC 4769", "tel:+49301", { "+49301", NULL, "tel:+49301;npdi;rn=+49997" }, { 404, 200 },
	  { "sip:+49301@home.example;user=phone", "sip:+49301;npdi;rn=+49997@home.example;user=phone" }, "10.0.0.20 10.0.0.64", 200 },
	{ "not ported", "tel:+49301", { "+49301", NULL, "tel:+49301;npdi" }, { 404, 200 },
	  { "sip:+49301@home.example;user=phone", "sip:+49301;npdi@home.example;user=phone" }, "10.0.0.20 10.0.0.65", 200 },
	{ "a carrier's sip URI", "tel:+49301", { "+49301", NULL, "sip:+49301;npdi@foreign.example;user=phone" }, { 404, 200 },
	  { "sip:+49301@home.example;user=phone", "sip:+49301;npdi@foreign.example;user=phone" }, "10.0.0.20 10.0.0.50", 200 },
	{ "a routing number that came along", "tel:+49301;npdi;rn=997;rn-context=+49", { "+49301", "sip:never@asked.example", NULL },
	  { 404, 200 }, { "sip:+49301@home.example;user=phone", "sip:+49301;npdi;rn=+49997@home.example;user=phone" },
	  "10.0.0.20 10.0.0.64", 200 },
	{ "a local routing number routes nothing", "tel:+44301;npdi;rn=997", { NULL, NULL, NULL }, { 404, 200 },
	  { "sip:+44301@home.example;user=phone", "sip:+44301;npdi@home.example;user=phone" }, "10.0.0.20 10.0.0.62", 200 },
	{ "trunks by priority", "tel:+44301", { NULL, NULL, NULL }, { 404, 503, 500, 480 },
	  { "sip:+44301@home.example;user=phone", "sip:+44301@home.example;user=phone", "sip:+44301@home.example;user=phone",
	    "sip:+44301@home.example;user=phone" }, "10.0.0.20 10.0.0.62 10.0.0.61 10.0.0.63", 480 },
	{ "a trunk that is silent", "tel:+44301", { NULL, NULL, NULL }, { 404, 0, 200 },
	  { "sip:+44301@home.example;user=phone", "sip:+44301@home.example;user=phone", "sip:+44301@home.example;user=phone" },
	  "10.0.0.20 10.0.0.62 10.0.0.61", 200 },
	{ "a number that the trunk does not know is unknown", "tel:+44301", { NULL, NULL, NULL }, { 404, 404 },
	  { "sip:+44301@home.example;user=phone", "sip:+44301@home.example;user=phone" }, "10.0.0.20 10.0.0.62", 404 },
	{ "busy is no failure of the trunk", "tel:+44301", { NULL, NULL, NULL }, { 404, 486 },
	  { "sip:+44301@home.example;user=phone", "sip:+44301@home.example;user=phone" }, "10.0.0.20 10.0.0.62", 486 },
};

START_TEST(test_enum_row)
{
	char extra[256], down[256] = "", addr[ADDR_STRLEN];
	unsigned n = 0;
	struct rig r;

	rig_init(&r, TRUNKS);
	rig_users(&r);
	r.enums[0] = enum_rows[_i].said;
	snprintf(extra, sizeof(extra), "Route: %s\n", rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
	rig_request(&r, "INVITE", enum_rows[_i].ruri, NULL, extra);
	for (struct rig_sent *s; (s = rig_req(&r, "INVITE", n)); n++) {
		ck_assert_msg(n < 5 && enum_rows[_i].tries[n], "%s: one more: %.*s", enum_rows[_i].name, STR_ARG(s->m->ruri_text));
		ck_assert_msg(str_eq_c(s->m->ruri_text, enum_rows[_i].tries[n]), "%s: %.*s", enum_rows[_i].name, STR_ARG(s->m->ruri_text));
		snprintf(down + strlen(down), sizeof(down) - strlen(down), "%s%s", n ? " " : "", addr_host(&s->to.remote, addr));
		if (enum_rows[_i].status[n])
			rig_reply(&r, s, enum_rows[_i].status[n], "");
		else
			rig_run(&r, SESSION_ROUTE_WAIT_MS + 100);
	}
	ck_assert_msg(!enum_rows[_i].tries[n], "%s: only %u", enum_rows[_i].name, n);
	ck_assert_msg(strcmp(down, enum_rows[_i].down) == 0, "%s: %s", enum_rows[_i].name, down);
	ck_assert_msg(rig_status(&r) == enum_rows[_i].up, "%s: %u", enum_rows[_i].name, rig_status(&r));
	rig_fini(&r);
}
END_TEST

static void enum_waits(struct rig *r)
{
	char extra[256];

	rig_init(r, TRUNKS);
	rig_users(r);
	r->enum_waits = true;
	snprintf(extra, sizeof(extra), "Route: %s\n", rig_route(r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
	rig_request(r, "INVITE", "tel:+49301", NULL, extra);
	ck_assert_uint_eq(r->enum_asked, 1);
	ck_assert_ptr_null(rig_req(r, "INVITE", 0));
	ck_assert_uint_eq(rig_status(r), 0);
}

START_TEST(test_enum_later)		/* the answer takes its time */
{
	struct rig r;

	enum_waits(&r);
	r.enums[0] = (struct rig_enum){ "+49301", "sip:x@foreign.example", NULL };
	rig_enum_answer(&r, 0);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.50");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "");
	ck_assert_uint_eq(rig_status(&r), 200);
	ck_assert_uint_eq(r.enum_asked, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_enum_cancel)		/* the caller does not wait for it */
{
	struct rig r;

	enum_waits(&r);
	rig_cancel(&r, "tel:+49301");
	ck_assert_uint_eq(rig_status(&r), 487);
	rig_run(&r, 40000);
	ck_assert_uint_eq(r.enum_cancelled, 1);
	ck_assert_str_eq(rig_down(&r), "");
	rig_fini(&r);
}
END_TEST

START_TEST(test_enum_shutdown)		/* the node stops meanwhile */
{
	struct rig r;

	enum_waits(&r);
	rig_fini(&r);
	ck_assert_uint_eq(r.enum_cancelled, 1);
}
END_TEST

START_TEST(test_trunk_held)		/* the next call asks one that failed last */
{
	char extra[256];
	struct rig r;

	rig_init(&r, TRUNKS);
	rig_users(&r);
	snprintf(extra, sizeof(extra), "Route: %s\n", rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
	rig_request(&r, "INVITE", "tel:+44301", NULL, extra);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 404, "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 503, "");
	rig_reply(&r, rig_req(&r, "INVITE", 2), 486, "");
	r.turn++;
	rig_request(&r, "INVITE", "tel:+44301", NULL, extra);
	rig_reply(&r, rig_req(&r, "INVITE", 3), 404, "");
	rig_reply(&r, rig_req(&r, "INVITE", 4), 486, "");
	ck_assert_str_eq(rig_hdr(rig_req(&r, "INVITE", 4)->m, SIP_H_ROUTE), "<sip:10.0.0.61;lr>");
	rig_run(&r, 11000);
	r.turn++;
	rig_request(&r, "INVITE", "tel:+44301", NULL, extra);
	rig_reply(&r, rig_req(&r, "INVITE", 5), 404, "");
	rig_reply(&r, rig_req(&r, "INVITE", 6), 486, "");
	ck_assert_str_eq(rig_hdr(rig_req(&r, "INVITE", 6)->m, SIP_H_ROUTE), "<sip:10.0.0.62;lr>");
	rig_fini(&r);
}
END_TEST

START_TEST(test_trunk_weights)		/* equal priorities share by weight; 0: only when nobody else is there */
{
	static const char *const sessions = "{routes: [{domain: trunk.example, next_hop: \"sip:10.0.0.61\", weight: 3}, "
		"{domain: trunk.example, next_hop: \"sip:10.0.0.62\"}, {domain: trunk.example, next_hop: \"sip:10.0.0.63\", weight: 0}]}";
	const struct session_route *row[ROUTE_MAX_TRIES];
	unsigned first[3] = { 0 };
	struct rig r;

	rig_init(&r, sessions);
	for (unsigned i = 0; i < 1000; i++) {
		ck_assert_uint_eq(breakout_domain(&r.sw, STR("trunk.example"), row), 3);
		first[row[0] - r.sessions->routes]++;
	}
	ck_assert_msg(first[0] > 650 && first[0] < 850 && first[2] == 0, "%u %u %u", first[0], first[1], first[2]);
	rig_fini(&r);
}
END_TEST

START_TEST(test_trunk_profile)		/* what leaves by a trunk: row T14 */
{
	static const char *const sessions = "{country_code: \"49\", routes: [{prefix: \"+\", next_hop: \"sip:10.0.0.61\", trusted: false, "
		"strip_headers: [Accept-Contact, X-Secret], add_headers: {X-Trunk: a1, Privacy: none}}]}";
	struct sip_msg *m;
	char extra[512];
	struct rig r;

	rig_init(&r, sessions);
	rig_users(&r);
	snprintf(extra, sizeof(extra), "Route: %s\na: *;audio\nX-Secret: 1\nx-secret: 2\nX-Other: 3\nPrivacy: header\n",
		 rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
	rig_request(&r, "INVITE", "tel:+44301", NULL, extra);
	ck_assert(rig_has(rig_req(&r, "INVITE", 0)->m, "X-Secret: 1"));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 404, "");
	m = rig_req(&r, "INVITE", 1)->m;
	ck_assert(!rig_has(m, "-ecret:") && !rig_has(m, "audio") && rig_has(m, "X-Other: 3"));
	ck_assert(!rig_has(m, "X-Secret") && !rig_has(m, "x-secret"));
	ck_assert(rig_has(m, "\r\nX-Trunk: a1\r\n"));
	ck_assert_str_eq(rig_hdr(m, SIP_H_PRIVACY), "none");
	ck_assert_str_eq(rig_hdr(m, SIP_H_PCV), "");		/* outside of the trust domain */
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
	{ "{routes: [{prefix: \"+\", next_hop: \"sip:a.b\", strip_headers: [via]}]}", "\"via\" is no header that may be taken out" },
	{ "{routes: [{prefix: \"+\", next_hop: \"sip:a.b\", strip_headers: [\"a b\"]}]}", "\"a b\" is no header that may be taken out" },
	{ "{routes: [{prefix: \"+\", next_hop: \"sip:a.b\", add_headers: {Route: x}}]}", "\"Route\" is no header that may be added" },
	{ "{as_budgets: [{server: \"as.home.example\", wait_ms: 500}]}", "must be a SIP URI, as in \"sip:as" },
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
	  TEST_ROWS(test_enum_row, enum_rows), TEST_ONE(test_enum_later), TEST_ONE(test_enum_cancel), TEST_ONE(test_enum_shutdown),
	  TEST_ONE(test_trunk_held), TEST_ONE(test_trunk_weights), TEST_ONE(test_trunk_profile),
	  TEST_ROWS(test_number_row, number_rows), TEST_ROWS(test_config_row, bad_rows))
