/* tests/scscf/test_originating.c - requests from users of ours: TS 24.229 §5.4.3.2; rows T1, T9, T16, T19, R8, R10, R16, R18. */
#include "tests/scscf/rig.h"

static void start(struct rig *r, const char *sessions, const char *method, const char *ruri, uint64_t id, const char *extra)
{
	char text[2048];

	rig_init(r, sessions);
	rig_users(r);
	snprintf(text, sizeof(text), "Route: %s\n%s", rig_route(r, TOKEN_SERVICE_ROUTE, 0, id), extra);
	rig_request(r, method, ruri, NULL, text);
}

#define ALICE_SIP "\"Alice \\\"A\\\"\" <sip:alice@home.example>"

static const struct {
	const char *name;
	uint64_t id;
	const char *pai;		/* header lines of the P-CSCF */
	const char *asserted;		/* what goes on; NULL: refused */
	unsigned status;
	const char *has;		/* in the refusal */
} identity_rows[] = {
	{ "sip gets the tel of its service", ID_ALICE, "P-Asserted-Identity: <sip:alice@home.example>\n",
	  ALICE_SIP ", <tel:+4930111>", 0, "" },
	{ "alias group: tel gets its sip", ID_ALICE, "P-Asserted-Identity: <tel:+49-30-111>\n",
	  "<tel:+4930111>, <sip:+4930111@home.example>", 0, "" },
	{ "alias group: sip gets its tel", ID_ALICE, "P-Asserted-Identity: <sip:+4930111@HOME.example;user=phone>\n",
	  "<sip:+4930111@home.example>, <tel:+4930111>", 0, "" },
	{ "two values asserted", ID_ALICE, "P-Asserted-Identity: <sip:alice@home.example>, <tel:+4930111>\n",
	  ALICE_SIP ", <tel:+4930111>", 0, "" },
	{ "display name of the P-CSCF", ID_BOB, "P-Asserted-Identity: \"Bob\" <sip:bob@home.example>\n",
	  "\"Bob\" <sip:bob@home.example>, \"Bob\" <tel:+4930222>", 0, "" },
	{ "somebody else's: the default one", ID_ALICE, "P-Asserted-Identity: <sip:bob@home.example>\n",
	  ALICE_SIP ", <tel:+4930111>", 0, "" },
	{ "a stranger's before the user's", ID_ALICE, "P-Asserted-Identity: <sip:x@y>, <tel:+4930111>\n",
	  "<tel:+4930111>, <sip:+4930111@home.example>", 0, "" },
	{ "none: the default one, never From", ID_ALICE, "", ALICE_SIP ", <tel:+4930111>", 0, "" },
	{ "unreadable: the default one", ID_ALICE, "P-Asserted-Identity: <sip:@>\n", ALICE_SIP ", <tel:+4930111>", 0, "" },
	{ "preferred identity does not count and goes", ID_ALICE, "P-Preferred-Identity: <sip:bob@home.example>\n",
	  ALICE_SIP ", <tel:+4930111>", 0, "" },
	{ "no other form", ID_DAVE, "", "<sip:dave2@home.example>", 0, "" },
	{ "barred, row T16", ID_ALICE, "P-Asserted-Identity: <sip:alice-imsi@home.example>\n", NULL, 403, "barred" },
	{ "only barred ones", ID_FRED, "", NULL, 403, "barred" },
	{ "not registered", ID_CAROL, "", NULL, 403, "not registered" },
	{ "registration lost, row R10", 0x77, "", NULL, 504, "<action>initial-registration</action>" },
};

/* REG-20: every provisional response, without any header that one might expect in it; 100 goes no further (RFC 3261 §16.7). */
START_TEST(test_every_provisional_reg_20)
{
	struct rig r;

	start(&r, NULL, "INVITE", "sip:bob@home.example", ID_ALICE, "");
	for (unsigned status = 100; status < 200; status++) {
		rig_reply(&r, rig_req(&r, "INVITE", 0), status, "");
		ck_assert_uint_eq(rig_status(&r), status == 100 ? 0 : status);
	}
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "Contact: <sip:bob@10.8.0.2>\r\n");
	ck_assert_uint_eq(rig_status(&r), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_identity_row)
{
	struct rig r;
	struct sip_msg *m;

	start(&r, NULL, "INVITE", "sip:bob@home.example", identity_rows[_i].id, identity_rows[_i].pai);
	ck_assert_msg(rig_status(&r) == identity_rows[_i].status, "%s: %u", identity_rows[_i].name, rig_status(&r));
	if (identity_rows[_i].asserted) {
		ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.20");
		m = rig_req(&r, "INVITE", 0)->m;
		ck_assert_msg(strcmp(rig_hdr(m, SIP_H_PAI), identity_rows[_i].asserted) == 0, "%s: %s", identity_rows[_i].name,
			      rig_hdr(m, SIP_H_PAI));
		ck_assert_ptr_null(sip_msg_hdr(m, SIP_H_PPI));
		ck_assert_ptr_null(sip_msg_hdr(m, SIP_H_ROUTE));
	} else {
		ck_assert_str_eq(rig_down(&r), "");
		ck_assert_msg(rig_has(rig_up(&r), identity_rows[_i].has), "%.*s", STR_ARG(rig_up(&r)->raw));
		ck_assert(rig_has(rig_up(&r), "Warning: 399 " RIG_NAME " \""));
	}
	rig_fini(&r);
}
END_TEST

START_TEST(test_restoration)		/* the phone knows the sender by its Service-Route: TS 24.229 §5.4.3.2 */
{
	char want[160];
	const char *route;
	struct rig r;

	start(&r, NULL, "MESSAGE", "sip:bob@home.example", 0x77, "");
	route = rig_route(&r, TOKEN_SERVICE_ROUTE, 0, 0x77);
	snprintf(want, sizeof(want), "P-Asserted-Identity: %s\r\n", route);
	ck_assert_uint_eq(rig_status(&r), 504);
	ck_assert(rig_has(rig_up(&r), want));
	ck_assert(str_eq_c(sip_msg_value(rig_up(&r), SIP_H_CONTENT_TYPE), "application/3gpp-ims+xml;sv=\"1,1\""));
	rig_fini(&r);
}
END_TEST

/* TS 23.380 §4.3: the HSS is asked for the registration of the token first, in the name of whom the P-CSCF asserts. */
START_TEST(test_forgotten_registration_is_asked_for)
{
	char extra[512];
	struct rig r;

	rig_init(&r, NULL);
	rig_users(&r);
	r.fetch_waits = true;
	snprintf(extra, sizeof(extra), "Route: %s\nP-Asserted-Identity: <sip:gone@home.example>\n", rig_route(&r, TOKEN_SERVICE_ROUTE, 0, 0x77));
	rig_request(&r, "MESSAGE", "sip:bob@home.example", NULL, extra);
	ck_assert_uint_eq(rig_status(&r), 0);
	ck_assert(r.restores == 1 && r.restored_id == 0x77);
	ck_assert_str_eq(r.fetched, "sip:gone@home.example");
	rig_fini(&r);
}
END_TEST

/* ---- the request as it goes on ---- */

static const struct { const char *method; bool record; } record_rows[] = {
	{ "INVITE", true }, { "SUBSCRIBE", true }, { "REFER", true }, { "FROBNICATE", true },
	{ "MESSAGE", false }, { "OPTIONS", false }, { "PUBLISH", false }, { "INFO", false }, { "NOTIFY", false },
};

START_TEST(test_record_route_row)	/* on the route of what makes a dialog */
{
	struct sip_nameaddr n;
	struct rig r;
	struct token t;
	struct str rr;

	start(&r, NULL, record_rows[_i].method, "sip:bob@home.example", ID_ALICE, "Record-Route: <sip:PA@p1.home.example;lr>\n");
	rr = sip_msg_value(rig_req(&r, record_rows[_i].method, 0)->m, SIP_H_RECORD_ROUTE);
	ck_assert_int_eq(sip_nameaddr_parse(rr, &n), 0);
	if (record_rows[_i].record) {
		ck_assert_int_eq(token_read(stack_token_key(NULL), n.uri.user, &t), 0);
		ck_assert_uint_eq(t.kind, TOKEN_RECORD_ROUTE);
		ck_assert_uint_eq(t.flags, SIDE_ORIGINATING);
		ck_assert_uint_eq(t.id, ID_ALICE);
		ck_assert(sip_uri_has_lr(&n.uri) && str_eq_c(n.uri.host, "scscf.home.example") && n.uri.port == 6060);
		ck_assert_uint_eq(sip_values_count(rig_req(&r, record_rows[_i].method, 0)->m, SIP_H_RECORD_ROUTE), 2);
	} else {
		ck_assert(str_eq_c(n.uri.user, "PA"));
	}
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *ruri, *extra, *sessions; bool inside; const char *pai, *pcv; bool pcfa; } border_rows[] = {
	{ "home", "sip:bob@home.example", "Privacy: id\n", NULL, true, ALICE_SIP ", <tel:+4930111>",
	  "icid-value=\"i 1\";icid-generated-at=10.1.1.1;orig-ioi=home.example", true },
	{ "a node of ours", "sip:conf@p9.home.EXAMPLE", "Privacy: id\n", NULL, true, ALICE_SIP ", <tel:+4930111>",
	  "icid-value=\"i 1\";icid-generated-at=10.1.1.1;orig-ioi=home.example", true },
	{ "foreign", "sip:bob@foreign.example", "", NULL, false, ALICE_SIP ", <tel:+4930111>", "", false },
	{ "foreign, anonymous", "sip:bob@foreign.example", "Privacy: header; id\n", NULL, false, "", "", false },
	{ "foreign, anonymous and critical", "sip:bob@foreign.example", "Privacy: id;critical\n", NULL, false, "", "", false },
	{ "foreign, other privacy", "sip:bob@foreign.example", "Privacy: header\n", NULL, false, ALICE_SIP ", <tel:+4930111>", "", false },
	{ "foreign, user privacy", "sip:bob@foreign.example", "Privacy: header;user\n", NULL, false, "", "", false },
	{ "foreign, no privacy wanted", "sip:bob@foreign.example", "Privacy: none;id\n", NULL, false, ALICE_SIP ", <tel:+4930111>", "", false },
	{ "a trusted domain", "sip:bob@foreign.example", "Privacy: id\n", "{trusted_domains: [foreign.example]}", true,
	  ALICE_SIP ", <tel:+4930111>", "icid-value=\"i 1\";icid-generated-at=10.1.1.1;orig-ioi=home.example", false },
	{ "a trusted route", "sip:bob@foreign.example", "Privacy: id\n", "{routes: [{domain: Foreign.example, next_hop: \"sip:gw.example\"}]}",
	  true, ALICE_SIP ", <tel:+4930111>", "icid-value=\"i 1\";icid-generated-at=10.1.1.1;orig-ioi=home.example", true },
	{ "a route outside", "sip:bob@foreign.example", "Privacy: id\n",
	  "{routes: [{domain: foreign.example, next_hop: \"sip:gw.example\", trusted: false}]}", false, "", "", false },
};

START_TEST(test_border_row)		/* TS 24.229 §4.4; RFC 3325 §5; RFC 7315 §5.4; rows T15, T19 */
{
	char extra[1024];
	struct sip_msg *m;
	struct rig r;

	snprintf(extra, sizeof(extra), "P-Access-Network-Info: 3GPP-NR;utran-cell-id-3gpp=1\nP-Charging-Function-Addresses: ccf=x\n"
		 "P-Charging-Vector: icid-value=\"i 1\";orig-ioi=\"Type 1visited.example\";icid-generated-at=10.1.1.1\n"
		 "P-Asserted-Identity: <sip:alice@home.example>\nP-Served-User: <sip:x@y>\n%s", border_rows[_i].extra);
	start(&r, border_rows[_i].sessions, "INVITE", border_rows[_i].ruri, ID_ALICE, extra);
	ck_assert_ptr_nonnull(rig_req(&r, "INVITE", 0));
	m = rig_req(&r, "INVITE", 0)->m;
	ck_assert_msg((sip_msg_hdr(m, SIP_H_PAANI) != NULL) == border_rows[_i].inside, "%s", border_rows[_i].name);
	ck_assert_msg((sip_msg_hdr(m, SIP_H_PCFA) != NULL) == border_rows[_i].pcfa, "%s", border_rows[_i].name);
	ck_assert_str_eq(rig_hdr(m, SIP_H_PCV), border_rows[_i].pcv);
	ck_assert_str_eq(rig_hdr(m, SIP_H_PAI), border_rows[_i].pai);
	ck_assert_ptr_null(sip_msg_hdr(m, SIP_H_PSERVED_USER));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "P-Asserted-Identity: <sip:b@y>\r\nP-Charging-Function-Addresses: ccf=y\r\n"
		  "P-Charging-Vector: icid-value=evil\r\n");	/* and back */
	m = rig_up(&r);
	ck_assert_str_eq(rig_hdr(m, SIP_H_PAI), border_rows[_i].inside ? "<sip:b@y>" : "");
	ck_assert_msg((sip_msg_hdr(m, SIP_H_PCFA) != NULL) == border_rows[_i].pcfa, "%s", border_rows[_i].name);
	ck_assert_str_eq(rig_hdr(m, SIP_H_PCV), "icid-value=\"i 1\";icid-generated-at=10.1.1.1;orig-ioi=\"Type 1visited.example\";term-ioi=\"Type 1home.example\"");
	rig_fini(&r);
}
END_TEST

/* RFC 3323 §5: status: of ours, 0: it went on. */
static const struct { const char *name, *ruri, *privacy, *sessions; unsigned status; bool told; } privacy_rows[] = {
	{ "nothing asked", "sip:bob@foreign.example", "", NULL, 0, true },
	{ "user: what tells of the user goes, §5.3", "sip:bob@foreign.example", "Privacy: user\n", NULL, 0, false },
	{ "inside it stays for the one who is the border", "sip:bob@home.example", "Privacy: user;header;session;critical\n", NULL, 0, true },
	{ "none", "sip:bob@foreign.example", "Privacy: none\n", NULL, 0, true },
	{ "header cannot be had, and is critical", "sip:bob@foreign.example", "Privacy: header;critical\n", NULL, 500, true },
	{ "session cannot be had, and is critical", "sip:bob@foreign.example", "Privacy: session;id;critical\n", NULL, 500, true },
	{ "user and critical", "sip:bob@foreign.example", "Privacy: user;critical\n", NULL, 0, false },
	{ "to a trusted network", "sip:bob@foreign.example", "Privacy: header;critical\n", "{trusted_domains: [foreign.example]}", 0, true },
};

START_TEST(test_privacy_row)		/* row T15 */
{
	static const char *const user[] = { "Subject:", "s:", "Call-Info:", "Organization:", "User-Agent:", "Reply-To:", "In-Reply-To:" };
	char extra[1024];
	struct sip_msg *m;
	struct rig r;

	snprintf(extra, sizeof(extra), "P-Asserted-Identity: <sip:alice@home.example>\nUser-Agent: x\nOrganization: x\ns: hello\n"
		 "Call-Info: <http://x>\nReply-To: <sip:x@y>\nIn-Reply-To: x\nX-Other: x\n%s", privacy_rows[_i].privacy);
	start(&r, privacy_rows[_i].sessions, "INVITE", privacy_rows[_i].ruri, ID_ALICE, extra);
	ck_assert_msg(rig_status(&r) == privacy_rows[_i].status, "%s: %u", privacy_rows[_i].name, rig_status(&r));
	if (privacy_rows[_i].status == 0) {
		m = rig_req(&r, "INVITE", 0)->m;
		ck_assert(rig_has(m, "X-Other: x"));
		for (size_t i = 0; i < sizeof(user) / sizeof(user[0]); i++) {
			char line[32];

			snprintf(line, sizeof(line), "\r\n%s", user[i]);
			if (i > 0)		/* Subject came in its compact form */
				ck_assert_msg(rig_has(m, line) == privacy_rows[_i].told, "%s: %s", privacy_rows[_i].name, user[i]);
		}
	} else {
		ck_assert_ptr_null(rig_req(&r, "INVITE", 0));
	}
	rig_fini(&r);
}
END_TEST

/* RFC 6050 §4.1, §4.2; TS 24.229 §5.4.3.2; row T11.  out: P-Asserted-Service of what goes on. */
static const struct { const char *name, *sessions, *headers, *out; } service_rows[] = {
	{ "none", NULL, "", "" },
	{ "preferred", NULL, "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mmtel\n", "urn:urn-7:3gpp-service.ims.icsi.mmtel" },
	{ "a phone does not assert", NULL, "P-Asserted-Service: urn:urn-7:a\n", "" },
	{ "not by both", NULL, "P-Asserted-Service: urn:urn-7:a\nP-Preferred-Service: urn:urn-7:b\n", "urn:urn-7:b" },
	{ "one that users have", "{services: [\"urn:urn-7:b\"]}", "P-Preferred-Service: urn:urn-7:a, URN:urn-7:b\n", "URN:urn-7:b" },
	{ "one that users have not", "{services: [\"urn:urn-7:b\"]}", "P-Preferred-Service: urn:urn-7:a\n", "" },
	{ "no URN", NULL, "P-Preferred-Service: x\n", "" },
};

START_TEST(test_service_row)
{
	struct sip_msg *m;
	struct rig r;

	start(&r, service_rows[_i].sessions, "INVITE", "sip:bob@home.example", ID_ALICE, service_rows[_i].headers);
	m = rig_req(&r, "INVITE", 0)->m;
	ck_assert_msg(strcmp(rig_hdr(m, SIP_H_PASSERTED_SERVICE), service_rows[_i].out) == 0, "%s: %s", service_rows[_i].name,
		      rig_hdr(m, SIP_H_PASSERTED_SERVICE));
	ck_assert_str_eq(rig_hdr(m, SIP_H_PPREFERRED_SERVICE), "");
	rig_fini(&r);
}
END_TEST

START_TEST(test_session_limit)		/* row T18: as many as allowed, and a place for the next one once one has ended */
{
	char extra[512];
	struct rig r;

	rig_init(&r, "{max_per_user: 2}");
	rig_users(&r);
	snprintf(extra, sizeof(extra), "Route: %s\nP-Asserted-Identity: <sip:alice@home.example>\n", rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE));
	for (unsigned i = 0; i < 2; i++) {
		r.turn++;
		r.cseq++;
		rig_request(&r, "INVITE", "sip:bob@home.example", NULL, extra);
		ck_assert_ptr_nonnull(rig_req(&r, "INVITE", i));
	}
	r.turn++;
	r.cseq++;
	rig_request(&r, "INVITE", "sip:bob@home.example", NULL, extra);
	ck_assert_uint_eq(rig_status(&r), 403);
	ck_assert_ptr_null(rig_req(&r, "INVITE", 2));
	r.turn++;
	rig_request(&r, "MESSAGE", "sip:bob@home.example", NULL, extra);	/* is no session */
	ck_assert_ptr_nonnull(rig_req(&r, "MESSAGE", 0));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 486, "");
	r.turn++;
	r.cseq++;
	rig_request(&r, "INVITE", "sip:bob@home.example", NULL, extra);
	ck_assert_ptr_nonnull(rig_req(&r, "INVITE", 2));
	rig_fini(&r);
}
END_TEST

START_TEST(test_border_in_dialog)	/* the token of our Record-Route remembers that the far end is outside */
{
	char route[256], extra[1024];
	struct rig r;

	for (unsigned outside = 0; outside < 2; outside++) {
		start(&r, NULL, "INVITE", outside ? "sip:bob@foreign.example" : "sip:bob@home.example", ID_ALICE, "");
		snprintf(route, sizeof(route), "%s", rig_hdr(rig_req(&r, "INVITE", 0)->m, SIP_H_RECORD_ROUTE));
		r.turn++;
		snprintf(extra, sizeof(extra), "Route: %s\nP-Access-Network-Info: 3GPP-NR\nPrivacy: id\n"
			 "P-Asserted-Identity: <sip:alice@home.example>\n", route);
		rig_request(&r, "UPDATE", "sip:bob@foreign.example", "B", extra);
		ck_assert_uint_eq(sip_msg_hdr(rig_req(&r, "UPDATE", 0)->m, SIP_H_PAANI) == NULL, outside);
		ck_assert_uint_eq(sip_msg_hdr(rig_req(&r, "UPDATE", 0)->m, SIP_H_PAI) == NULL, outside);
		rig_fini(&r);
	}
}
END_TEST

START_TEST(test_untouched)		/* what is not ours to change goes on as it came */
{
	struct rig r;

	start(&r, NULL, "INVITE", "sip:bob@home.example", ID_ALICE, "X-Odd :  kept   as it is\nServer: phone/1\nSession-Expires: 1800\n");
	ck_assert(rig_has(rig_req(&r, "INVITE", 0)->m, "\r\nX-Odd :  kept   as it is\r\nServer: phone/1\r\nSession-Expires: 1800\r\n"));
	ck_assert(rig_has(rig_req(&r, "INVITE", 0)->m, "\r\nFrom: <sip:somebody@else.example>;tag=A\r\n"));
	ck_assert(str_eq_c(sip_msg_value(rig_req(&r, "INVITE", 0)->m, SIP_H_MAX_FORWARDS), "69"));
	rig_fini(&r);
}
END_TEST

/* ---- responses ---- */

START_TEST(test_charging_response)	/* type 1 back to the P-CSCF: TS 24.229 §5.4.3.2 */
{
	struct rig r;

	start(&r, NULL, "INVITE", "sip:bob@home.example", ID_ALICE, "P-Charging-Vector: icid-value=i1;orig-ioi=\"Type 1visited.example\"\n");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "P-Charging-Vector: icid-value=i1;orig-ioi=home.example;term-ioi=far.example\r\n");
	ck_assert_uint_eq(rig_status(&r), 180);
	ck_assert_str_eq(rig_hdr(rig_up(&r), SIP_H_PCV), "icid-value=i1;orig-ioi=\"Type 1visited.example\";term-ioi=\"Type 1home.example\"");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "");
	ck_assert_str_eq(rig_hdr(rig_up(&r), SIP_H_PCV), "icid-value=i1;orig-ioi=\"Type 1visited.example\";term-ioi=\"Type 1home.example\"");
	rig_fini(&r);
}
END_TEST

START_TEST(test_icid_made)		/* TS 24.229 §4.5.2: none came, one is made and is the same in both directions */
{
	char icid[64];
	struct rig r;
	const char *v;

	start(&r, NULL, "MESSAGE", "sip:bob@home.example", ID_ALICE, "");
	v = rig_hdr(rig_req(&r, "MESSAGE", 0)->m, SIP_H_PCV);
	ck_assert_int_eq(sscanf(v, "icid-value=\"%32[0-9a-f]\";icid-generated-at=scscf.home.example;orig-ioi=home.example", icid), 1);
	ck_assert_uint_eq(strlen(icid), 32);
	rig_reply(&r, rig_req(&r, "MESSAGE", 0), 200, "");
	ck_assert(rig_has(rig_up(&r), icid));
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *method; unsigned status, up; } final_rows[] = {	/* rows R1-R17 */
	{ "202", "SUBSCRIBE", 202, 202 }, { "302", "INVITE", 302, 302 }, { "404", "INVITE", 404, 404 }, { "407", "INVITE", 407, 407 },
	{ "480", "MESSAGE", 480, 480 }, { "486", "INVITE", 486, 486 }, { "488", "INVITE", 488, 488 }, { "500", "MESSAGE", 500, 500 },
	{ "503 is 500 upstream, row R16", "INVITE", 503, 500 }, { "504", "MESSAGE", 504, 504 }, { "580", "INVITE", 580, 580 },
	{ "603", "INVITE", 603, 603 }, { "699", "FROBNICATE", 699, 699 },
	{ "a 408 to a MESSAGE, RFC 4320", "MESSAGE", 408, 504 }, { "a 408 to an INVITE", "INVITE", 408, 408 },
	{ "no answer to a MESSAGE", "MESSAGE", 0, 504 }, { "no answer to an INVITE", "INVITE", 0, 408 },
};

START_TEST(test_final_row)
{
	struct rig r;

	start(&r, NULL, final_rows[_i].method, "sip:bob@home.example", ID_ALICE, "");
	if (final_rows[_i].status)
		rig_reply(&r, rig_req(&r, final_rows[_i].method, 0), final_rows[_i].status, "");
	else	/* below the 32 s after which the P-CSCF would not hear it */
		rig_run(&r, strcmp(final_rows[_i].method, "INVITE") ? 30100 : 32100);
	ck_assert_msg(rig_status(&r) == final_rows[_i].up, "%s: %u", final_rows[_i].name, rig_status(&r));
	rig_run(&r, 70000);
	rig_fini(&r);
}
END_TEST

START_TEST(test_next_hop_unknown)	/* nothing is where the request should go: ours is 500, not 503 */
{
	struct rig r;

	start(&r, NULL, "INVITE", "sip:bob@nx.example", ID_ALICE, "");
	ck_assert_uint_eq(rig_status(&r), 500);
	rig_fini(&r);
}
END_TEST

START_TEST(test_cancel)			/* row M4 */
{
	struct rig r;

	start(&r, NULL, "INVITE", "sip:bob@home.example", ID_ALICE, "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "");
	rig_cancel(&r, "sip:bob@home.example");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.20 CANCEL@10.0.0.20");
	ck_assert(rig_has(rig_req(&r, "CANCEL", 0)->m, "cause=26"));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 487, "");
	ck_assert_uint_eq(rig_status(&r), 487);
	rig_fini(&r);
}
END_TEST

/* ---- application servers ---- */

static const struct { const char *name, *ip, *extra; unsigned status; const char *pai; } as_rows[] = {
	{ "served user named", "10.2.2.2", "P-Served-User: <sip:bob@home.example>\nP-Asserted-Identity: <sip:alice@home.example>\n", 0,
	  "<sip:bob@home.example>, <tel:+4930222>" },
	{ "by asserted identity", "10.2.2.2", "P-Asserted-Identity: <tel:+4930222>\n", 0, "<tel:+4930222>, <sip:bob@home.example>" },
	{ "nobody named", "10.2.2.2", "", 403, "" },
	{ "nobody we know", "10.2.2.2", "P-Served-User: <sip:zoe@home.example>\n", 403, "" },
	{ "barred", "10.2.2.2", "P-Served-User: <sip:dave@home.example>\n", 403, "" },
	{ "unregistered with a profile", "10.2.2.2", "P-Served-User: <sip:carol@home.example>\n", 0, "<sip:carol@home.example>" },
	{ "by way of the I-CSCF, which knows its servers", "10.2.2.20", "P-Served-User: <sip:bob@home.example>\n", 0, "<sip:bob@home.example>, <tel:+4930222>" },
	{ "by way of another I-CSCF", "10.2.2.21", "P-Served-User: <sip:bob@home.example>\n", 403, "" },
	{ "not one of ours", "10.2.2.3", "P-Served-User: <sip:bob@home.example>\n", 403, "" },
};

START_TEST(test_as_row)			/* row T9 */
{
	char extra[512];
	struct rig r;

	rig_init(&r, "{application_servers: [10.2.2.2], interrogating: [10.2.2.20]}");
	rig_users(&r);
	r.from_ip = as_rows[_i].ip;
	snprintf(extra, sizeof(extra), "Route: <sip:scscf.home.example:6060;lr;orig>\n%s", as_rows[_i].extra);
	rig_request(&r, "INVITE", "sip:erin@home.example", NULL, extra);
	ck_assert_msg(rig_status(&r) == as_rows[_i].status, "%s: %u", as_rows[_i].name, rig_status(&r));
	if (!as_rows[_i].status)
		ck_assert_str_eq(rig_hdr(rig_req(&r, "INVITE", 0)->m, SIP_H_PAI), as_rows[_i].pai);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("originating", TEST_ROWS(test_identity_row, identity_rows), TEST_ONE(test_every_provisional_reg_20), TEST_ONE(test_restoration), TEST_ONE(test_forgotten_registration_is_asked_for),
	  TEST_ROWS(test_record_route_row, record_rows), TEST_ROWS(test_border_row, border_rows), TEST_ROWS(test_privacy_row, privacy_rows),
	  TEST_ROWS(test_service_row, service_rows), TEST_ONE(test_session_limit), TEST_ONE(test_border_in_dialog), TEST_ONE(test_untouched),
	  TEST_ONE(test_charging_response), TEST_ONE(test_icid_made), TEST_ROWS(test_final_row, final_rows),
	  TEST_ONE(test_next_hop_unknown), TEST_ONE(test_cancel), TEST_ROWS(test_as_row, as_rows))
