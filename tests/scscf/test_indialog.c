/* tests/scscf/test_indialog.c - requests within dialogs: TS 24.229 §5.4.3.2, §5.4.3.3; RFC 3261 §12.2, §16.4; rows M3, M5, M7,
 * M11, M12, M14.  No user is published: the token alone is enough, also after a restart. */
#include "tests/scscf/rig.h"

static const struct { const char *method; bool again; } methods[] = {
	{ "BYE", false }, { "INFO", false }, { "PRACK", false }, { "MESSAGE", false }, { "FROBNICATE", false }, { "OPTIONS", false },
	{ "INVITE", true }, { "UPDATE", true }, { "SUBSCRIBE", true }, { "NOTIFY", true }, { "REFER", true },
};

START_TEST(test_from_caller)		/* A -> P -> [S(orig), S(term)] -> P2: both our places are taken off at once */
{
	char extra[1024], orig[128], term[128], want[320];
	struct sip_msg *m;
	struct rig r;

	rig_init(&r, NULL);
	strcpy(orig, rig_route(&r, TOKEN_RECORD_ROUTE, SIDE_ORIGINATING, ID_ALICE));
	strcpy(term, rig_route(&r, TOKEN_RECORD_ROUTE, SIDE_TERMINATING, ID_BOB));
	snprintf(extra, sizeof(extra), "Route: %s,\t%s\nRoute: <sip:PB@p2.home.example;lr>\n", orig, term);
	rig_request(&r, methods[_i].method, "sip:bob@10.8.0.2:5066", "B", extra);
	m = rig_req(&r, methods[_i].method, 0)->m;
	ck_assert(strstr(rig_down(&r), "@10.0.0.2"));
	ck_assert(str_eq_c(m->ruri_text, "sip:bob@10.8.0.2:5066"));
	ck_assert_str_eq(rig_hdr(m, SIP_H_ROUTE), "<sip:PB@p2.home.example;lr>");
	snprintf(want, sizeof(want), "%s, %s", term, orig);		/* the one visited last on top */
	ck_assert_str_eq(rig_hdr(m, SIP_H_RECORD_ROUTE), methods[_i].again ? want : "");
	ck_assert_ptr_null(sip_msg_hdr(m, SIP_H_PCV));
	rig_reply(&r, rig_req(&r, methods[_i].method, 0), 200, "");
	ck_assert_uint_eq(rig_status(&r), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_from_callee)		/* the other way, one S-CSCF of two: its neighbour is another one's */
{
	char extra[512];
	struct rig r;

	rig_init(&r, NULL);
	snprintf(extra, sizeof(extra), "Route: %s, <sip:T@10.3.3.3:6060;lr>, <sip:PA@p1.home.example;lr>\n",
		 rig_route(&r, TOKEN_RECORD_ROUTE, SIDE_TERMINATING, ID_BOB));
	rig_request(&r, methods[_i].method, "sip:alice@10.8.0.1:5066", "A2", extra);
	ck_assert(strstr(rig_down(&r), "@10.3.3.3"));
	ck_assert_str_eq(rig_hdr(rig_req(&r, methods[_i].method, 0)->m, SIP_H_ROUTE),
			 "<sip:T@10.3.3.3:6060;lr>, <sip:PA@p1.home.example;lr>");
	rig_fini(&r);
}
END_TEST

START_TEST(test_last_hop)		/* no Route left: the remote target */
{
	char extra[256];
	struct rig r;

	rig_init(&r, NULL);
	snprintf(extra, sizeof(extra), "Route: %s\n", rig_route(&r, TOKEN_RECORD_ROUTE, SIDE_ORIGINATING, ID_ALICE));
	rig_request(&r, "BYE", "sip:far@foreign.example", "B", extra);
	ck_assert_str_eq(rig_down(&r), "BYE@10.0.0.50");
	r.turn++;
	rig_request(&r, "INFO", "tel:+4930", "B", extra);
	ck_assert_uint_eq(rig_status(&r), 404);
	rig_fini(&r);
}
END_TEST

START_TEST(test_strict_router)		/* RFC 3261 §16.4: it put our URI into the Request-URI */
{
	char ruri[128];
	struct rig r;

	rig_init(&r, NULL);
	strcpy(ruri, rig_route(&r, TOKEN_RECORD_ROUTE, SIDE_ORIGINATING, ID_ALICE) + 1);
	*strchr(ruri, '>') = '\0';
	rig_request(&r, "BYE", ruri, "B", "Route: <sip:PB@p2.home.example;lr>, <sip:bob@10.8.0.2:5066>\n");
	ck_assert_str_eq(rig_down(&r), "BYE@10.0.0.2");
	ck_assert(str_eq_c(rig_req(&r, "BYE", 0)->m->ruri_text, "sip:bob@10.8.0.2:5066"));
	ck_assert_str_eq(rig_hdr(rig_req(&r, "BYE", 0)->m, SIP_H_ROUTE), "<sip:PB@p2.home.example;lr>");
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *method; unsigned status, up; } final_rows[] = {
	{ "481", "BYE", 481, 481 }, { "491", "INVITE", 491, 491 }, { "503", "UPDATE", 503, 500 }, { "580", "UPDATE", 580, 580 },
	{ "silence, RFC 4320 §4.2", "BYE", 0, 504 }, { "a 408", "INFO", 408, 504 },
};

START_TEST(test_final_row)
{
	char extra[256];
	struct rig r;

	rig_init(&r, NULL);
	snprintf(extra, sizeof(extra), "Route: %s\n", rig_route(&r, TOKEN_RECORD_ROUTE, SIDE_TERMINATING, ID_BOB));
	rig_request(&r, final_rows[_i].method, "sip:bob@10.8.0.2:5066", "B", extra);
	if (final_rows[_i].status)
		rig_reply(&r, rig_req(&r, final_rows[_i].method, 0), final_rows[_i].status, "");
	else
		rig_run(&r, 30100);
	ck_assert_msg(rig_status(&r) == final_rows[_i].up, "%s: %u", final_rows[_i].name, rig_status(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_remote_target_is_a_gruu_S13)	/* TS 24.229 §5.4.7A: the phone gets it at its contact; its ACK too */
{
	char extra[256], none[] = "", uri[] = "sip:h@10.9.0.1", params[] = "+sip.instance=\"<urn:x>\"", *path[] = { none };
	struct reg_contact_view c = { .uri = uri, .params = params, .path = path, .call_id = "c", .expires_wall_us = UINT64_MAX };
	struct rig r;

	rig_init(&r, NULL);
	rig_phones(&r, 0x41, "<PublicIdentity><Identity>sip:h@home.example</Identity></PublicIdentity>", 1, &c);
	snprintf(extra, sizeof(extra), "Route: %s, <sip:PB@p2.home.example;lr>\n", rig_route(&r, TOKEN_RECORD_ROUTE, SIDE_TERMINATING, 0x41));
	rig_request(&r, "BYE", "sip:h@home.example;gr=urn:x", "B", extra);
	ck_assert_str_eq(rig_down(&r), "BYE@10.0.0.2");
	ck_assert(str_eq_c(rig_req(&r, "BYE", 0)->m->ruri_text, uri));
	r.turn++;
	rig_request(&r, "ACK", "sip:h@home.example;gr=urn:x", "B", extra);
	ck_assert(str_eq_c(rig_req(&r, "ACK", 0)->m->ruri_text, uri));
	r.turn++;
	rig_request(&r, "INFO", "sip:h@home.example;gr=urn:gone", "B", extra);	/* whatever it is: the route set leads on */
	ck_assert(str_eq_c(rig_req(&r, "INFO", 0)->m->ruri_text, "sip:h@home.example;gr=urn:gone"));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("indialog", TEST_ONE(test_remote_target_is_a_gruu_S13), TEST_ROWS(test_from_caller, methods), TEST_ROWS(test_from_callee, methods), TEST_ONE(test_last_hop),
	  TEST_ONE(test_strict_router), TEST_ROWS(test_final_row, final_rows))
