/* tests/scscf/test_terminating.c - requests to users of ours: TS 24.229 §5.4.3.3; rows C14, T13, T16, R14, R15, M4, M8. */
#include "scscf/gruu.h"
#include "tests/scscf/rig.h"

static void start(struct rig *r, const char *method, const char *ruri, const char *extra)
{
	char text[2048];

	rig_init(r, NULL);
	rig_users(r);
	snprintf(text, sizeof(text), "Route: <sip:scscf.home.example:6060;lr>\n%s", extra);
	rig_request(r, method, ruri, NULL, text);
}

static const struct { const char *name, *method, *ruri, *extra; unsigned status; const char *down; } rows[] = {
	{ "a user", "INVITE", "sip:alice@home.example", "", 0, "INVITE@10.0.0.1" },
	{ "in other letters, with port and parameters", "INVITE", "sip:%61lice@HOME.example:5060;transport=tcp", "", 0, "INVITE@10.0.0.1" },
	{ "sips", "INVITE", "sips:alice@home.example", "", 0, "INVITE@10.0.0.1" },
	{ "alias of the domain", "INVITE", "sip:alice@alias.example", "", 0, "INVITE@10.0.0.1" },
	{ "two contacts", "INVITE", "sip:bob@home.example", "", 0, "INVITE@10.0.0.2 INVITE@10.0.0.3" },
	{ "tel", "INVITE", "tel:+49-30-222", "", 0, "INVITE@10.0.0.2 INVITE@10.0.0.3" },
	{ "tel of a user who has it as sip too", "INVITE", "tel:+4930111", "", 0, "INVITE@10.0.0.1" },
	{ "sip form of a number", "INVITE", "sip:+4930222@home.example;user=phone", "", 0, "INVITE@10.0.0.2 INVITE@10.0.0.3" },
	{ "number without the plus", "INVITE", "sip:4930222@home.example", "", 0, "INVITE@10.0.0.2 INVITE@10.0.0.3" },
	{ "number stored without the plus", "INVITE", "sip:+1001@home.example;user=phone", "", 0, "INVITE@10.0.0.5" },
	{ "short number", "INVITE", "tel:1001;phone-context=home.example", "", 0, "INVITE@10.0.0.5" },
	{ "barred, row T16", "INVITE", "sip:dave@home.example", "", 404, "" },
	{ "the user's other identity", "INVITE", "sip:dave2@home.example", "", 0, "INVITE@10.0.0.4" },
	{ "only barred ones", "MESSAGE", "sip:fred@home.example", "", 404, "" },
	{ "not registered, row R14", "INVITE", "sip:carol@home.example", "", 480, "" },
	{ "contact has expired", "INVITE", "sip:gina@home.example", "", 480, "" },
	{ "never seen, but the HSS names us", "INVITE", "sip:nobody@home.example", "", 480, "" },
	{ "a number never seen", "INVITE", "tel:+4999", "", 480, "" },
	{ "foreign without a token: no relay", "INVITE", "sip:x@foreign.example", "", 403, "" },
	{ "this node has no users", "INVITE", "sip:alice@scscf.home.example:6060", "", 404, "" },
	{ "MESSAGE, row M8", "MESSAGE", "sip:alice@home.example", "", 0, "MESSAGE@10.0.0.1" },
	{ "SUBSCRIBE to the phone", "SUBSCRIBE", "sip:alice@home.example", "Event: dialog\n", 0, "SUBSCRIBE@10.0.0.1" },
	{ "SUBSCRIBE reg by nobody who may, row S15", "SUBSCRIBE", "sip:alice@home.example", "Event: reg;x=y\n", 403, "" },
	{ "SUBSCRIBE reg of nobody", "SUBSCRIBE", "sip:nobody@home.example", "Event: reg\n", 480, "" },
	{ "PUBLISH", "PUBLISH", "sip:alice@home.example", "Event: presence\n", 0, "PUBLISH@10.0.0.1" },
	{ "REFER", "REFER", "sip:alice@home.example", "Refer-To: <sip:x@y>\n", 0, "REFER@10.0.0.1" },
};

START_TEST(test_row)
{
	struct rig r;

	start(&r, rows[_i].method, rows[_i].ruri, rows[_i].extra);
	ck_assert_msg(rig_status(&r) == rows[_i].status, "%s: %u", rows[_i].name, rig_status(&r));
	ck_assert_msg(strcmp(rig_down(&r), rows[_i].down) == 0, "%s: %s", rows[_i].name, rig_down(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_short_number)		/* row C3: provisioned as a tel URI of the home network, however it is written */
{
	static const char *const spellings[] = { "tel:10-02;phone-context=home.example", "sip:1002@home.example", "sip:1002@home.example;user=phone",
						 "sip:1002;phone-context=home.example@home.example;user=phone" };
	struct rig r;

	for (unsigned i = 0; i < 4; i++) {
		rig_init(&r, NULL);
		rig_user(&r, 0x88, "<PublicIdentity><Identity>tel:1002;phone-context=home.example</Identity></PublicIdentity>", "sip:x@10.8.0.9");
		rig_request(&r, "INVITE", spellings[i], NULL, "Route: <sip:scscf.home.example:6060;lr>\n");
		ck_assert_msg(strcmp(rig_down(&r), "INVITE@10.0.0.9") == 0, "%s: %s %u", spellings[i], rig_down(&r), rig_status(&r));
		rig_fini(&r);
	}
}
END_TEST

START_TEST(test_unknown)		/* nobody sent it here: 404 */
{
	struct rig r;

	rig_init(&r, NULL);
	rig_users(&r);
	rig_request(&r, "INVITE", "sip:nobody@home.example", NULL, "");
	ck_assert_uint_eq(rig_status(&r), 404);
	rig_fini(&r);
}
END_TEST

START_TEST(test_request_out)		/* row T13: contact, Path, called party, our Record-Route */
{
	struct sip_nameaddr n;
	struct sip_msg *m;
	struct token t;
	struct rig r;

	start(&r, "INVITE", "sip:+4930222@home.example;user=phone",
	      "Route: <sip:left@over.example;lr>\nP-Called-Party-ID: <sip:old@x>\nP-Served-User: <sip:x@y>\n"
	      "P-Access-Network-Info: 3GPP-NR\nP-Asserted-Identity: <sip:alice@home.example>\nPrivacy: id\n"
	      "P-Charging-Vector: icid-value=i2;orig-ioi=far.example\n");
	m = rig_req(&r, "INVITE", 0)->m;
	ck_assert(str_eq_c(m->ruri_text, "sip:bob@10.8.0.2:5066"));	/* its headers left out, RFC 3261 §19.1.1 */
	ck_assert_str_eq(rig_hdr(m, SIP_H_ROUTE), "<sip:PB@p2.home.example;lr>");
	ck_assert_str_eq(rig_hdr(m, SIP_H_PCALLED_PARTY_ID), "<sip:+4930222@home.example;user=phone>");
	ck_assert_str_eq(rig_hdr(m, SIP_H_PAI), "<sip:alice@home.example>");
	ck_assert_str_eq(rig_hdr(m, SIP_H_PCV), "icid-value=i2;orig-ioi=\"Type 1home.example\"");
	ck_assert_ptr_null(sip_msg_hdr(m, SIP_H_PSERVED_USER));
	ck_assert_ptr_null(sip_msg_hdr(m, SIP_H_PAANI));
	ck_assert_int_eq(sip_nameaddr_parse(sip_msg_value(m, SIP_H_RECORD_ROUTE), &n), 0);
	ck_assert_int_eq(token_read(stack_token_key(NULL), n.uri.user, &t), 0);
	ck_assert(t.kind == TOKEN_RECORD_ROUTE && t.flags == SIDE_TERMINATING && t.id == ID_BOB);
	m = rig_req(&r, "INVITE", 1)->m;
	ck_assert(str_eq_c(m->ruri_text, "sip:bob@10.8.0.3:5066;transport=tcp"));
	ck_assert_str_eq(rig_hdr(m, SIP_H_ROUTE), "<sip:PC@p3.home.example;lr>, <sip:edge@10.8.1.1;lr>");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 183, "");
	ck_assert_str_eq(rig_hdr(rig_up(&r), SIP_H_PCV), "icid-value=i2;orig-ioi=far.example;term-ioi=home.example");
	rig_fini(&r);
}
END_TEST

START_TEST(test_long_path)		/* more Path values than a target has lines: all are there, in order */
{
	char path[6][64], *p[6], uri[] = "sip:zoe@10.8.0.9", none[] = "";
	struct reg_contact_view c = { .uri = uri, .params = none, .n_path = 6, .path = p, .expires_wall_us = UINT64_MAX };
	struct profile *profile;
	struct reg_view *v;
	struct rig r;

	for (unsigned i = 0; i < 6; i++) {
		snprintf(path[i], sizeof(path[i]), "<sip:%u@p%u.home.example;lr>", i, i + 1);
		p[i] = path[i];
	}
	rig_init(&r, NULL);
	ck_assert_int_eq(profile_parse(STR("<IMSSubscription><PrivateID>z@h</PrivateID><ServiceProfile><PublicIdentity>"
					   "<Identity>sip:zoe@home.example</Identity></PublicIdentity></ServiceProfile>"
					   "</IMSSubscription>"), NULL, &profile, NULL), 0);
	v = reg_view_new(0x99, STR("z@h"), profile, NULL, 1, &c);
	ck_assert_int_eq(reg_directory_publish(r.s.dir, v), 0);
	rig_request(&r, "MESSAGE", "sip:zoe@home.example", NULL, "");
	ck_assert_str_eq(rig_down(&r), "MESSAGE@10.0.0.1");
	ck_assert_str_eq(rig_hdr(rig_req(&r, "MESSAGE", 0)->m, SIP_H_ROUTE),
			 "<sip:0@p1.home.example;lr>, <sip:1@p2.home.example;lr>, <sip:2@p3.home.example;lr>, "
			 "<sip:3@p4.home.example;lr>, <sip:4@p5.home.example;lr>, <sip:5@p6.home.example;lr>");
	rig_fini(&r);
	obj_unref(v);
	obj_unref(profile);
}
END_TEST

START_TEST(test_shared)			/* TS 23.228 §4.3.3.4: two subscriptions share an identity, barred in one of them */
{
	static char uri[2][32] = { "sip:s0@10.8.0.1", "sip:s1@10.8.0.2" }, path[2][48] = { "<sip:p1.home.example;lr>", "<sip:p2.home.example;lr>" };
	char none[] = "", xml[512];
	struct rig r;

	rig_init(&r, NULL);
	for (unsigned i = 0; i < 3; i++) {
		char *p = path[i % 2];
		struct reg_contact_view c = { .uri = uri[i % 2], .params = none, .n_path = 1, .path = &p, .expires_wall_us = UINT64_MAX };
		struct profile *profile;
		struct reg_view *v;

		snprintf(xml, sizeof(xml), "<IMSSubscription><PrivateID>s%u@h</PrivateID><ServiceProfile><PublicIdentity>"
			 "<BarringIndication>%d</BarringIndication><Identity>sip:shared@home.example</Identity></PublicIdentity>"
			 "</ServiceProfile></IMSSubscription>", i, i == 2);
		ck_assert_int_eq(profile_parse(str_from_c(xml), NULL, &profile, NULL), 0);
		v = reg_view_new(0x100 + i, STR("s@h"), profile, NULL, 1, &c);
		ck_assert_int_eq(reg_directory_publish(r.s.dir, v), 0);
		obj_unref(v);
		obj_unref(profile);
	}
	rig_request(&r, "INVITE", "sip:shared@home.example", NULL, "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.1 INVITE@10.0.0.2");
	rig_fini(&r);
}
END_TEST

/* ---- forks ---- */

START_TEST(test_fork_answered)		/* both ring, one answers: the other one is cancelled */
{
	struct rig r;

	start(&r, "INVITE", "sip:bob@home.example", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 180, "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 200, "");
	ck_assert_uint_eq(rig_status(&r), 200);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.2 INVITE@10.0.0.3 CANCEL@10.0.0.2");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 487, "");
	ck_assert_uint_eq(rig_status(&r), 200);
	rig_run(&r, 70000);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *method; unsigned a, b, up; } fork_rows[] = {
	{ "busy and not there", "INVITE", 486, 480, 486 }, { "busy and broken", "INVITE", 500, 486, 486 },
	{ "declined: nobody else", "INVITE", 603, 0, 603 }, { "busy and silent", "INVITE", 486, 408, 486 },
	{ "both cannot", "MESSAGE", 404, 488, 404 }, { "one takes it", "MESSAGE", 480, 200, 200 },
	{ "one takes it first", "MESSAGE", 200, 0, 200 }, { "both silent, RFC 4320", "MESSAGE", 0, 0, 480 },
	{ "out of service everywhere, row R16", "MESSAGE", 503, 503, 500 },
};

START_TEST(test_fork_row)
{
	struct rig r;

	start(&r, fork_rows[_i].method, "sip:bob@home.example", "");
	if (fork_rows[_i].a)
		rig_reply(&r, rig_req(&r, fork_rows[_i].method, 0), fork_rows[_i].a, "");
	if (fork_rows[_i].b)
		rig_reply(&r, rig_req(&r, fork_rows[_i].method, 1), fork_rows[_i].b, "");
	if (!fork_rows[_i].a || fork_rows[_i].a == 603)
		rig_run(&r, fork_rows[_i].a ? 33000 : 28100);
	ck_assert_msg(rig_status(&r) == fork_rows[_i].up, "%s: %u", fork_rows[_i].name, rig_status(&r));
	rig_run(&r, 70000);
	rig_fini(&r);
}
END_TEST

START_TEST(test_silence_after_100)	/* a P-CSCF says 100 (RFC 4320 §4.1) and nothing more: 480 before the sender gives up */
{
	struct rig r;

	start(&r, "MESSAGE", "sip:alice@home.example", "");
	rig_reply(&r, rig_req(&r, "MESSAGE", 0), 100, "");
	rig_run(&r, 27900);
	ck_assert_uint_eq(rig_status(&r), 0);
	rig_run(&r, 200);
	ck_assert_uint_eq(rig_status(&r), 480);
	rig_reply(&r, rig_req(&r, "MESSAGE", 0), 200, "");
	ck_assert_uint_eq(rig_status(&r), 480);
	rig_run(&r, 70000);
	rig_fini(&r);
}
END_TEST

START_TEST(test_q_order)		/* RFC 3261 §16.6: the next q when the first said no */
{
	struct rig r;

	start(&r, "INVITE", "tel:1001", "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.5");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 486, "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.5 ACK@10.0.0.5 INVITE@10.0.0.6");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 200, "");
	ck_assert_uint_eq(rig_status(&r), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_cancel)			/* row M4 */
{
	struct rig r;

	start(&r, "INVITE", "sip:bob@home.example", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 180, "");
	rig_cancel(&r, "sip:bob@home.example");
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 1));
	ck_assert(rig_has(rig_req(&r, "CANCEL", 1)->m, "cause=26"));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 487, "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 487, "");
	ck_assert_uint_eq(rig_status(&r), 487);
	rig_fini(&r);
}
END_TEST

START_TEST(test_timer_c)		/* rings for ever: RFC 3261 §16.8 */
{
	struct rig r;

	start(&r, "INVITE", "sip:alice@home.example", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "");
	rig_run(&r, 184000);
	ck_assert_ptr_null(rig_req(&r, "CANCEL", 0));
	rig_run(&r, 2000);
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 0));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 487, "");
	ck_assert_uint_eq(rig_status(&r), 487);
	rig_fini(&r);
}
END_TEST

/* ---- several phones, several flows: RFC 5627 §6, RFC 5626 §7 ---- */

#define HANNA "<PublicIdentity><Identity>sip:hanna@home.example</Identity></PublicIdentity>"
#define ID_HANNA 0x41

static void hanna(struct rig *r)
{
	static char uri[4][32], params[4][64], path[4][64];
	static char *paths[4][1];
	static const char *const instance[] = { "one", "one", "two", "one" };
	struct reg_contact_view c[4];

	for (unsigned i = 0; i < 4; i++) {
		snprintf(uri[i], sizeof(uri[i]), "sip:hanna@10.9.0.%u", i + 1);
		snprintf(params[i], sizeof(params[i]), "+sip.instance=\"<urn:uuid:%s>\";reg-id=%u", instance[i], i + 1);
		snprintf(path[i], sizeof(path[i]), "<sip:P%u@p%u.home.example;lr;ob>", i + 1, i + 1);
		paths[i][0] = path[i];
		c[i] = (struct reg_contact_view){ .uri = uri[i], .params = params[i], .path = paths[i], .n_path = 1, .q = 1000, .reg_id = (i + 1) & 7,
						  .gruu = 1, .call_id = "call", .expires_wall_us = UINT64_MAX };
	}
	rig_phones(r, ID_HANNA, HANNA, 4, c);
}

static void to_hanna(struct rig *r, const char *ruri)
{
	rig_init(r, NULL);
	hanna(r);
	rig_request(r, "INVITE", ruri, NULL, "Route: <sip:scscf.home.example:6060;lr>\n");
}

/* One phone rings once, over its youngest flow; 430 (or silence) leads to the next one, another answer does not. */
START_TEST(test_flows_of_a_phone_S12_RFC_5626)
{
	struct rig r;

	to_hanna(&r, "sip:hanna@home.example");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.3 INVITE@10.0.0.4");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 430, "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.3 INVITE@10.0.0.4 ACK@10.0.0.4 INVITE@10.0.0.2");
	ck_assert(str_eq_c(rig_req(&r, "INVITE", 2)->m->ruri_text, "sip:hanna@10.9.0.2"));
	ck_assert_uint_eq(rig_status(&r), 0);
	rig_reply(&r, rig_req(&r, "INVITE", 2), 408, "");
	ck_assert(str_eq_c(rig_req(&r, "INVITE", 3)->m->ruri_text, "sip:hanna@10.9.0.1"));
	rig_reply(&r, rig_req(&r, "INVITE", 3), 486, "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 486, "");
	ck_assert_uint_eq(rig_status(&r), 486);
	rig_fini(&r);
	to_hanna(&r, "sip:hanna@home.example");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 486, "");
	ck_assert_ptr_null(rig_req(&r, "INVITE", 2));
	rig_fini(&r);
	to_hanna(&r, "sip:hanna@home.example;gr=urn:uuid:two");	/* its only flow: what the caller hears is 480 */
	rig_reply(&r, rig_req(&r, "INVITE", 0), 430, "");
	ck_assert_uint_eq(rig_status(&r), 480);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *ruri; unsigned status; const char *down; } gruu_rows[] = {
	{ "public", "sip:hanna@home.example;gr=urn:uuid:two", 0, "INVITE@10.0.0.3" },
	{ "public, in other letters", "sip:hanna@HOME.example;gr=urn:uuid:TWO", 0, "INVITE@10.0.0.3" },
	{ "public, youngest flow", "sip:hanna@home.example;gr=urn:uuid:one", 0, "INVITE@10.0.0.4" },
	{ "a phone that is not registered", "sip:hanna@home.example;gr=urn:uuid:three", 480, "" },
	{ "a user that is not", "sip:nobody@home.example;gr=urn:uuid:two", 480, "" },
	{ "temporary, forged", "sip:tgruu.00112233445566778899aabbccddeeff@scscf.home.example:6060;gr", 404, "" },
};

START_TEST(test_gruu_row_S13)
{
	struct rig r;

	to_hanna(&r, gruu_rows[_i].ruri);
	ck_assert_msg(rig_status(&r) == gruu_rows[_i].status, "%s: %u", gruu_rows[_i].name, rig_status(&r));
	ck_assert_msg(strcmp(rig_down(&r), gruu_rows[_i].down) == 0, "%s: %s", gruu_rows[_i].name, rig_down(&r));
	if (_i == 0)
		ck_assert_str_eq(rig_hdr(rig_req(&r, "INVITE", 0)->m, SIP_H_PCALLED_PARTY_ID), "<sip:hanna@home.example;gr=urn:uuid:two>");
	rig_fini(&r);
}
END_TEST

START_TEST(test_temporary_gruu_S13)
{
	struct rig r;
	struct buf b;
	char ruri[GRUU_MAX];

	rig_init(&r, NULL);
	hanna(&r);
	buf_init(&b, GRUU_MAX);
	gruu_temporary(&b, stack_token_key(r.w.stack), STR(RIG_NAME), ID_HANNA, "sip:hanna@home.example", STR("<urn:uuid:two>"), STR("call"), 1);
	ck_assert(str_copy(buf_str(&b), ruri, sizeof(ruri)));
	buf_fini(&b);
	rig_request(&r, "INVITE", ruri, NULL, "");		/* nobody's Route: its host leads here */
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.3");
	ck_assert(str_eq_c(rig_req(&r, "INVITE", 0)->m->ruri_text, "sip:hanna@10.9.0.3"));
	rig_fini(&r);
}
END_TEST

/* TS 24.229 §5.4.3.3, §5.4.8: who calls back after an emergency call reaches the phone there, nobody else does. */
static const struct { const char *name; bool normal; const char *extra; unsigned status; const char *down; } sos_rows[] = {
	{ "a call", true, "", 0, "INVITE@10.0.0.3 INVITE@10.0.0.4" },
	{ "nothing but emergencies", false, "", 480, "" },
	{ "a call back", false, "Priority: psap-callback\n", 0, "INVITE@10.0.0.9" },
	{ "another priority", false, "Priority: emergency\n", 480, "" },
};

START_TEST(test_emergency_row_S20)
{
	char extra[128];
	struct rig r;

	rig_init(&r, NULL);
	if (sos_rows[_i].normal)
		hanna(&r);
	r.emergency = true;
	rig_user(&r, 0x42, HANNA, "sip:hanna@10.9.0.9;sos");
	snprintf(extra, sizeof(extra), "Route: <sip:scscf.home.example:6060;lr>\n%s", sos_rows[_i].extra);
	rig_request(&r, "INVITE", "sip:hanna@home.example", NULL, extra);
	ck_assert_msg(rig_status(&r) == sos_rows[_i].status, "%s: %u", sos_rows[_i].name, rig_status(&r));
	ck_assert_msg(strcmp(rig_down(&r), sos_rows[_i].down) == 0, "%s: %s", sos_rows[_i].name, rig_down(&r));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("terminating", TEST_ROWS(test_emergency_row_S20, sos_rows), TEST_ONE(test_flows_of_a_phone_S12_RFC_5626), TEST_ROWS(test_gruu_row_S13, gruu_rows), TEST_ONE(test_temporary_gruu_S13),
	  TEST_ROWS(test_row, rows), TEST_ONE(test_short_number), TEST_ONE(test_unknown), TEST_ONE(test_request_out), TEST_ONE(test_long_path), TEST_ONE(test_shared),
	  TEST_ONE(test_fork_answered), TEST_ROWS(test_fork_row, fork_rows), TEST_ONE(test_silence_after_100), TEST_ONE(test_q_order), TEST_ONE(test_cancel),
	  TEST_ONE(test_timer_c))
