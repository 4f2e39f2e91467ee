/* tests/icscf/test_register.c - REGISTER through the I-CSCF: TS 24.229 §5.3.1.2, §5.3.1.3; TS 29.228 §6.1.1;
 * rows I1, I2, I3, I5, R8, R16, D11; clients.md points 1 and 9. */
#include "tests/icscf/fixture.h"

#define DEFAULT "selection: {default_server: \"sip:s1:6060\"}\n"
#define TABLE "selection: {servers: [{name: \"sip:s1\", capabilities: [1, 2]}, {name: \"sip:s2\", capabilities: [1, 2]}, " \
	      "{name: \"sip:s3\", capabilities: [9], priority: 1}]}\n"

/* ---- what the HSS is asked (row I1) ---- */

static const struct { const char *name, *extra, *hss, *impi, *visited; uint32_t type, flags; } uar_rows[] = {
	{ "without Authorization: from To (clients.md 1)", "Contact: <sip:a@1.2.3.4>\n", "standard", "alice@home", "home",
	  CX_UAR_REGISTRATION, 0 },
	{ "username of the Authorization", "Contact: <sip:a@1.2.3.4>\nAuthorization: Digest username=\"001@home\", realm=\"home\", "
	  "nonce=\"\", uri=\"sip:home\", response=\"\"\n", "standard", "001@home", "home", CX_UAR_REGISTRATION, 0 },
	{ "two Authorizations: the answered one", "Authorization: Digest username=\"x\", realm=\"*\", nonce=\"\", response=\"\"\n"
	  "Authorization: Digest username=\"001@home\", realm=\"home\", nonce=\"n\", response=\"aa\"\nContact: <sip:a@1.2.3.4>\n",
	  "standard", "001@home", "home", CX_UAR_REGISTRATION, 0 },
	{ "a name without realm", "Contact: <sip:a@1.2.3.4>\nAuthorization: Digest username=\"001\", realm=\"home\", nonce=\"\", "
	  "response=\"\"\n", "standard", "001@home", "home", CX_UAR_REGISTRATION, 0 },
	{ "another realm", "Contact: <sip:a@1.2.3.4>\nAuthorization: Digest username=\"001@home\", realm=\"far\", nonce=\"\", "
	  "response=\"\"\n", "standard", "001@home", "home", CX_UAR_REGISTRATION, 0 },
	{ "broken Authorization: from To", "Authorization: Digest username\nContact: <sip:a@1.2.3.4>\n", "standard", "alice@home",
	  "home", CX_UAR_REGISTRATION, 0 },
	{ "Expires 0", "Contact: <sip:a@1.2.3.4>\nExpires: 0\n", "standard", "alice@home", "home", CX_UAR_DE_REGISTRATION, 0 },
	{ "all contacts expire", "Contact: <sip:a@1.2.3.4>;expires=0, <sip:a@1.2.3.5>;expires=0\nExpires: 600\n", "standard",
	  "alice@home", "home", CX_UAR_DE_REGISTRATION, 0 },
	{ "one stays", "Contact: <sip:a@1.2.3.4>;expires=0, <sip:a@1.2.3.5>\n", "standard", "alice@home", "home",
	  CX_UAR_REGISTRATION, 0 },
	{ "star", "Contact: *\nExpires: 0\n", "standard", "alice@home", "home", CX_UAR_DE_REGISTRATION, 0 },
	{ "query without contact", "Expires: 0\n", "standard", "alice@home", "home", CX_UAR_REGISTRATION, 0 },
	{ "expires that is no number counts as 3600", "Contact: <sip:a@1.2.3.4>;expires=x\n", "standard", "alice@home", "home",
	  CX_UAR_REGISTRATION, 0 },
	{ "PyHSS forgets on DE_REGISTRATION", "Contact: <sip:a@1.2.3.4>\nExpires: 0\n", "pyhss", "alice@home", "home",
	  CX_UAR_REGISTRATION, 0 },
	{ "emergency", "Contact: <sip:a@1.2.3.4;sos>\n", "standard", "alice@home", "home", CX_UAR_REGISTRATION, 1 },
	{ "visited network, quoted", "Contact: <sip:a@1.2.3.4>\nP-Visited-Network-ID: \"visited.net\";x=y\n", "standard",
	  "alice@home", "visited.net", CX_UAR_REGISTRATION, 0 },
	{ "visited network, two values", "Contact: <sip:a@1.2.3.4>\nP-Visited-Network-ID: one.net;p=1, two.net\n", "standard",
	  "alice@home", "one.net", CX_UAR_REGISTRATION, 0 },
};

START_TEST(test_uar_row)
{
	struct fixture f;
	struct hss_request *q;
	char yaml[256];

	snprintf(yaml, sizeof(yaml), "diameter: {identity: i.home, hss_profile: %s}\n%s", uar_rows[_i].hss, DEFAULT);
	fixture_init(&f, yaml);
	fixture_register(&f, uar_rows[_i].extra);
	q = fixture_asked(&f, 0);
	ck_assert_msg(!q->lir && !strcmp(q->impu, "sip:alice@home") && !strcmp(q->impi, uar_rows[_i].impi), "%s: %s %s",
		      uar_rows[_i].name, q->impi, q->impu);
	ck_assert_msg(!strcmp(q->visited, uar_rows[_i].visited) && q->type == uar_rows[_i].type && q->flags == uar_rows[_i].flags,
		      "%s: %s %u %u", uar_rows[_i].name, q->visited, q->type, q->flags);
	ck_assert_str_eq(rig_down(&f.r), "");
	fixture_fini(&f);
}
END_TEST

/* ---- what each answer leads to (rows I2, I3, D10) ---- */

#define CAP(n) { .result = E2001, .has_caps = true, .caps = { .mandatory = { 1, { n } } } }
#define E2001 { 0, 2001, true }
static const struct { const char *name, *yaml; struct cx_uaa a; const char *ruri, *up; bool retry; } uaa_rows[] = {
	{ "named", DEFAULT, { .result = E2001, .server_name = { "sip:s2:6060", 11 } }, "sip:s2:6060", "", false },
	{ "named without scheme (PyHSS)", DEFAULT,
	  { .result = { 0, 2002, true }, .server_name = { "s2:6060", 7 } }, "sip:s2:6060", "", false },
	{ "named with lr", DEFAULT, { .result = E2001, .server_name = { "<sip:s2:6060;lr;transport=udp>", 30 } },
	  "sip:s2:6060;transport=udp", "", false },
	{ "neither (Open5GS): the default", DEFAULT, { .result = E2001 }, "sip:s1:6060", "", false },
	{ "neither and nothing configured", "", { .result = E2001 }, NULL, "500", true },
	{ "capabilities", TABLE, CAP(9), "sip:s3", "", false },
	{ "capabilities nobody has", TABLE, CAP(7), NULL, "600", false },
	{ "name and capabilities: the name", TABLE, { .result = E2001, .server_name = { "sip:s2", 6 }, .has_caps = true,
	  .caps = { .mandatory = { 1, { 9 } } } }, "sip:s2", "", false },
	{ "names among the capabilities", TABLE, { .result = E2001, .has_caps = true, .caps = { .server_names = { 1, { { "s7", 2 } } } } },
	  "sip:s7", "", false },
	{ "Server-Name that is this node", DEFAULT, { .result = E2001, .server_name = { "sip:self", 8 } }, NULL, "500", true },
	{ "Server-Name that is no URI", DEFAULT, { .result = E2001, .server_name = { "sip:a b", 7 } }, NULL, "500", true },
	{ "unknown", DEFAULT, { .result = { 0, 5001, true } }, NULL, "403", false },
	{ "identities do not match", DEFAULT, { .result = { 0, 5002, true } }, NULL, "403", false },
	{ "not registered", DEFAULT, { .result = { 0, 5003, true } }, NULL, "403", false },
	{ "roaming", DEFAULT, { .result = { 0, 5004, true } }, NULL, "403", false },
	{ "too busy", DEFAULT, { .result = { 0, 3004, false } }, NULL, "503", true },
	{ "unable to comply", DEFAULT, { .result = { 0, 5012, false } }, NULL, "500", true },
	{ "result of no meaning", DEFAULT, { .result = { 0, 5999, false } }, NULL, "500", true },
	{ "silent (row R8)", DEFAULT, { .result = { -ETIMEDOUT, 0, false } }, NULL, "504", true },
	{ "no peer", DEFAULT, { .result = { -ENOTCONN, 0, false } }, NULL, "504", true },
	{ "too many outstanding", DEFAULT, { .result = { -EBUSY, 0, false } }, NULL, "503", true },
	{ "malformed", DEFAULT, { .result = { -EBADMSG, 0, false } }, NULL, "500", true },
};

START_TEST(test_uaa_row)
{
	struct rig_sent *s;
	struct fixture f;

	fixture_init(&f, uaa_rows[_i].yaml);
	/* Route below our own on a REGISTER leads nowhere: clients.md point 9 */
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\nRoute: <sip:self;lr>, <sip:orig@s9;lr>\nP-Unknown: stays\n");
	fixture_uaa(&f, 0, &uaa_rows[_i].a);
	s = rig_req(&f.r, "REGISTER", 0);
	ck_assert_msg(!strcmp(rig_up(&f.r), uaa_rows[_i].up), "%s: %s", uaa_rows[_i].name, rig_up(&f.r));
	ck_assert_msg(!s == !uaa_rows[_i].ruri, "%s: %s", uaa_rows[_i].name, rig_down(&f.r));
	if (s) {
		ck_assert_msg(str_eq_c(s->m->ruri_text, uaa_rows[_i].ruri), "%s: %.*s", uaa_rows[_i].name, STR_ARG(s->m->ruri_text));
		ck_assert_msg(!sip_msg_hdr(s->m, SIP_H_ROUTE) && !sip_msg_hdr(s->m, SIP_H_RECORD_ROUTE), "%s", uaa_rows[_i].name);
		ck_assert_ptr_nonnull(sip_msg_hdr_by_name(s->m, "P-Unknown"));
	} else {
		ck_assert_msg((fixture_up_header(&f, SIP_H_RETRY_AFTER).l > 0) == uaa_rows[_i].retry, "%s", uaa_rows[_i].name);
		ck_assert_msg((fixture_up_header(&f, SIP_H_WARNING).l > 0) == uaa_rows[_i].retry, "%s: %.*s", uaa_rows[_i].name,
			      STR_ARG(fixture_up_header(&f, SIP_H_WARNING)));
	}
	fixture_fini(&f);
}
END_TEST

/* ---- what the S-CSCF says comes back ---- */

static const unsigned passed[] = { 200, 401, 403, 404, 423, 494 };

START_TEST(test_passed_row)
{
	static const struct cx_uaa a = { .result = E2001, .server_name = { "sip:s2", 6 } };
	struct fixture f;
	char want[8];

	fixture_init(&f, DEFAULT);
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\n");
	fixture_uaa(&f, 0, &a);
	rig_reply(&f.r, rig_req(&f.r, "REGISTER", 0), passed[_i], "S", "WWW-Authenticate: Digest realm=\"home\", ck=\"00\"\r\n");
	snprintf(want, sizeof(want), "%u", passed[_i]);
	ck_assert_str_eq(rig_up(&f.r), want);
	ck_assert_uint_eq(sip_values_count(rig_last_up(&f.r), SIP_H_VIA), 1);
	ck_assert(fixture_up_header(&f, SIP_H_WWW_AUTHENTICATE).l > 0);
	ck_assert_uint_eq(f.n_hss, 1);
	fixture_fini(&f);
}
END_TEST

/* ---- the next S-CSCF (row I5) ---- */


enum { SILENT = 1 };			/* says nothing; "nx" is unreachable */
static const struct {
	const char *name, *first;
	unsigned says;
	const char *expires;
	struct cx_uaa second;
	bool asks;
	const char *next, *up;
} next_rows[] = {
	{ "silent, capabilities tell another", "sip:s1", SILENT, "600",
	  { .result = E2001, .server_name = { "sip:s1", 6 }, .has_caps = true, .caps = { .mandatory = { 1, { 1 } } } }, true, "sip:s2", "100 200" },
	{ "unreachable", "sip:nx", 0, "600", CAP(9), true, "sip:s3", "200" },
	{ "480", "sip:s1", 480, "600", CAP(2), true, "sip:s2", "200" },
	{ "302", "sip:s1", 302, "600", CAP(2), true, "sip:s2", "200" },
	{ "500", "sip:s1", 500, "600", CAP(2), true, "sip:s2", "200" },
	{ "503", "sip:s1", 503, "600", CAP(2), true, "sip:s2", "200" },
	{ "another name without capabilities (pool)", "sip:s1", 500, "600",
	  { .result = E2001, .server_name = { "s4", 2 } }, true, "sip:s4", "200" },
	{ "the same name and nothing else: from the table", "sip:s1", 480, "600", { .result = E2001, .server_name = { "sip:s1", 6 } }, true,
	  "sip:s2", "200" },
	{ "nobody else has it: what the S-CSCF said", "sip:s3", 480, "600",
	  CAP(9), true, NULL, "480" },
	{ "nobody else, 302 is not for the phone", "sip:s3", 302, "600",
	  CAP(9), true, NULL, "504" },
	{ "nobody else, 503 is not ours", "sip:s3", 503, "600",
	  CAP(9), true, NULL, "500" },
	{ "silent, and so is the HSS now", "sip:s1", SILENT, "600", { .result = { -ETIMEDOUT, 0, false } }, true, NULL, "100 504" },
	{ "480, and the HSS refuses now", "sip:s1", 480, "600", { .result = { 0, 5012, false } }, true, NULL, "480" },
	{ "de-registration stays with its S-CSCF", "sip:s1", SILENT, "0", { .result = E2001 }, false, NULL, "100 504" },
	{ "504: the HSS is silent, to others too", "sip:s1", 504, "600", { .result = E2001 }, false, NULL, "504" },
	{ "403 is final", "sip:s1", 403, "600", { .result = E2001 }, false, NULL, "403" },
	{ "600 is final", "sip:s1", 600, "600", { .result = E2001 }, false, NULL, "600" },
};

START_TEST(test_next_row)
{
	struct cx_uaa first = { .result = E2001, .server_name = str_from_c(next_rows[_i].first) };
	const char *name = next_rows[_i].name;
	char contact[64];
	struct fixture f;
	struct rig_sent *s;

	fixture_init(&f, TABLE);
	snprintf(contact, sizeof(contact), "Contact: <sip:a@1.2.3.4>\nExpires: %s\n", next_rows[_i].expires);
	fixture_register(&f, contact);
	fixture_uaa(&f, 0, &first);
	if (next_rows[_i].says == SILENT)
		rig_run(&f.r, 6100);		/* selection.server_wait_ms, not Timer F */
	else if (next_rows[_i].says)
		rig_reply(&f.r, rig_req(&f.r, "REGISTER", 0), next_rows[_i].says, "S1", "");
	ck_assert_msg(f.n_hss == (next_rows[_i].asks ? 2 : 1), "%s: asked %u times", name, f.n_hss);
	if (next_rows[_i].asks) {
		ck_assert_uint_eq(f.hss[1].type, CX_UAR_REGISTRATION_AND_CAPABILITIES);
		fixture_uaa(&f, 1, &next_rows[_i].second);
	}
	if (next_rows[_i].next) {
		s = rig_req(&f.r, "REGISTER", strcmp(next_rows[_i].first, "sip:nx") ? 1 : 0);
		ck_assert_msg(s && str_eq_c(s->m->ruri_text, next_rows[_i].next), "%s: %s", name, rig_down(&f.r));
		rig_reply(&f.r, s, 200, "S2", "");
	}
	ck_assert_msg(!strcmp(rig_up(&f.r), next_rows[_i].up), "%s: up %s", name, rig_up(&f.r));
	if (next_rows[_i].says != 504 && rig_last_up(&f.r)->status / 100 == 5)
		ck_assert_msg(fixture_up_header(&f, SIP_H_RETRY_AFTER).l > 0, "%s", name);
	ck_assert_uint_eq(f.n_hss, next_rows[_i].asks ? 2 : 1);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_attempts_bounded)	/* I5: selection.max_attempts, no second UAR when the choice was ours */
{
	static const struct cx_uaa a = { .result = E2001 };
	struct fixture f;

	fixture_init(&f, "selection: {max_attempts: 2, server_wait_ms: 1000, servers: [{name: \"sip:s1\"}, {name: \"sip:s2\", "
			 "priority: 1}, {name: \"sip:s3\", priority: 2}]}\n");
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\n");
	fixture_uaa(&f, 0, &a);
	rig_run(&f.r, 1100);
	rig_run(&f.r, 1100);
	ck_assert_str_eq(rig_down(&f.r), "REGISTER@10.0.0.1 REGISTER@10.0.0.2");
	ck_assert_str_eq(rig_up(&f.r), "504");
	ck_assert_uint_eq(f.n_hss, 1);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_user_database_I8)	/* RFC 4457: the HSS that answered last, of two; one that the request brought is not believed */
{
	static const struct cx_uaa first = { .result = { 0, 2002, true }, .server_name = { "sip:s9", 6 }, .origin_host = { "hss1.home", 9 } };
	static const struct cx_uaa second = { .result = { 0, 2001, false }, .origin_host = { "hss2.home", 9 } };
	struct fixture f;

	fixture_init(&f, "selection: {default_server: \"sip:s1\", server_wait_ms: 1000, tell_user_database: true}\n");
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\nP-User-Database: <aaa://forged>\n");
	fixture_uaa(&f, 0, &first);
	ck_assert(str_eq_c(sip_msg_value(rig_req(&f.r, "REGISTER", 0)->m, SIP_H_PUSER_DATABASE), "<aaa://hss1.home>"));
	rig_run(&f.r, 1100);
	fixture_uaa(&f, 1, &second);
	ck_assert(str_eq_c(sip_msg_value(rig_req(&f.r, "REGISTER", 1)->m, SIP_H_PUSER_DATABASE), "<aaa://hss2.home>"));
	ck_assert_uint_eq(sip_values_count(rig_req(&f.r, "REGISTER", 1)->m, SIP_H_PUSER_DATABASE), 1);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_last_answer_counts)	/* 480 from the first, 403 from the second: 403 goes up */
{
	static const struct cx_uaa a = { .result = E2001 };
	struct fixture f;

	fixture_init(&f, "selection: {servers: [{name: \"sip:s1\"}, {name: \"sip:s2\", priority: 1}]}\n");
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\n");
	fixture_uaa(&f, 0, &a);
	rig_reply(&f.r, rig_req(&f.r, "REGISTER", 0), 480, "S1", "");
	rig_reply(&f.r, rig_req(&f.r, "REGISTER", 1), 403, "S2", "");
	ck_assert_str_eq(rig_up(&f.r), "403");
	fixture_fini(&f);
}
END_TEST

START_TEST(test_retry_after_of_the_scscf)	/* row R16 */
{
	static const struct cx_uaa a = { .result = E2001 };
	struct fixture f;

	fixture_init(&f, DEFAULT);
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\n");
	fixture_uaa(&f, 0, &a);
	rig_reply(&f.r, rig_req(&f.r, "REGISTER", 0), 503, "S1", "Retry-After: 77\r\n");
	ck_assert_str_eq(rig_up(&f.r), "500");
	ck_assert(str_eq_c(fixture_up_header(&f, SIP_H_RETRY_AFTER), "77"));
	fixture_fini(&f);
}
END_TEST

START_TEST(test_no_identity)
{
	struct fixture f;

	fixture_init(&f, DEFAULT);
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\nAuthorization: Digest username=\"a b\", realm=\"home\", nonce=\"\"\n");
	ck_assert_str_eq(rig_up(&f.r), "400");
	ck_assert_uint_eq(f.n_hss, 0);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_escaped_nul_in_to)	/* RFC 4475 §3.1.1.4: well formed; the escape stays one, and the HSS knows nobody of that name */
{
	struct cx_uaa unknown = { .result = { 0, CX_USER_UNKNOWN, true } };
	struct fixture f;

	fixture_init(&f, DEFAULT);
	rig_in(&f.r, "REGISTER sip:home SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bKup\nMax-Forwards: 70\n"
		     "From: <sip:null-%00-null@home>;tag=A\nTo: <sip:null-%00-null@home>\nCall-ID: call\nCSeq: 7 REGISTER\n");
	ck_assert_str_eq(fixture_asked(&f, 0)->impi, "null-%00-null@home");
	fixture_uaa(&f, 0, &unknown);
	ck_assert_str_eq(rig_up(&f.r), "403");
	fixture_fini(&f);
}
END_TEST

START_TEST(test_no_memory_for_cx)
{
	struct fixture f;

	fixture_init(&f, DEFAULT);
	f.hss_full = true;
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\n");
	ck_assert_str_eq(rig_up(&f.r), "503");
	fixture_fini(&f);
}
END_TEST

START_TEST(test_retransmission_asks_once)	/* row D11 */
{
	static const struct cx_uaa a = { .result = E2001 };
	struct fixture f;

	fixture_init(&f, DEFAULT);
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\n");
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\n");
	ck_assert_uint_eq(f.n_hss, 1);
	fixture_uaa(&f, 0, &a);
	fixture_register(&f, "Contact: <sip:a@1.2.3.4>\n");
	ck_assert_str_eq(rig_down(&f.r), "REGISTER@10.0.0.1");
	fixture_fini(&f);
}
END_TEST

TEST_MAIN("register", TEST_ROWS(test_uar_row, uar_rows), TEST_ROWS(test_uaa_row, uaa_rows), TEST_ROWS(test_passed_row, passed),
	  TEST_ROWS(test_next_row, next_rows), TEST_ONE(test_attempts_bounded), TEST_ONE(test_user_database_I8), TEST_ONE(test_last_answer_counts),
	  TEST_ONE(test_retry_after_of_the_scscf), TEST_ONE(test_no_identity), TEST_ONE(test_escaped_nul_in_to),
	  TEST_ONE(test_no_memory_for_cx),
	  TEST_ONE(test_retransmission_asks_once))
