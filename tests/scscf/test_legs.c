/* tests/scscf/test_legs.c - sessions that end with a contact: TS 24.229 §5.4.1.4.1, §5.4.1.5, §5.4.5.1; row T18. */
#include <stdio.h>
#include "common/dialog/dialog.h"
#include "scscf/registration.h"
#include "tests/scscf/rig.h"

#define CALLER "sip:alice@10.1.1.1:5060"	/* the contact that alice has, rig.c */

static struct rig r;

/* What the owner of the registration tells when that contact has ended. */
static void contact_ends(uint64_t id, const char *uri, const char *params)
{
	struct arena *a = arena_new(512);
	struct legs_gone *g = arena_zalloc(a, sizeof(*g));

	g->contact = arena_zalloc(a, sizeof(*g->contact));
	*g = (struct legs_gone){ .arena = a, .id = id, .n = 1, .contact = g->contact, .key = stack_token_key(NULL) };
	g->contact[0] = (struct reg_contact_view){ .uri = (char *)(uintptr_t)uri, .params = (char *)(uintptr_t)params, .call_id = "c" };
	legs_gone_here(&r.w, g);
}

static void call(const char *sessions, const char *contact)
{
	char extra[512];

	rig_init(&r, sessions);
	ending_watch(&r.sw);
	rig_users(&r);
	snprintf(extra, sizeof(extra), "Route: %s\nP-Asserted-Identity: <sip:alice@home.example>\nContact: <%s>\n",
		 rig_route(&r, TOKEN_SERVICE_ROUTE, 0, ID_ALICE), contact);
	rig_request(&r, "INVITE", "sip:bob@home.example", NULL, extra);
	ck_assert_ptr_nonnull(rig_req(&r, "INVITE", 0));
}

static void called(void)		/* erin, by p5 first */
{
	rig_init(&r, NULL);
	ending_watch(&r.sw);
	rig_users(&r);
	rig_request(&r, "INVITE", "sip:1001@home.example", NULL, "Route: <sip:scscf.home.example:6060;lr>\nContact: <sip:far@10.8.8.8>\n");
	ck_assert_ptr_nonnull(rig_req(&r, "INVITE", 0));
}

static void answer(const char *contact)
{
	char extra[512];

	snprintf(extra, sizeof(extra), "Record-Route: %s\r\nContact: <%s>\r\n", rig_hdr(rig_req(&r, "INVITE", 0)->m, SIP_H_RECORD_ROUTE), contact);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, extra);
	ck_assert_uint_eq(rig_status(&r), 200);
}

static const struct { const char *name, *sessions, *contact, *uri, *params; bool ends; } callers[] = {
	{ "T18 the caller's contact", NULL, CALLER, CALLER, "", true },
	{ "T18 with other parameters", NULL, CALLER ";transport=udp;ob", CALLER ";transport=tcp", "", true },
	{ "T18 its GRUU", NULL, "sip:alice@home.example;gr=urn:uuid:7", CALLER, "+sip.instance=\"<urn:uuid:7>\"", true },
	{ "T18 another phone's GRUU", NULL, "sip:alice@home.example;gr=urn:uuid:8", CALLER, "+sip.instance=\"<urn:uuid:7>\"", false },
	{ "T18 another phone of the user", NULL, "sip:alice@10.1.1.1:5062", CALLER, "", false },
	{ "T18 not wanted", "{end_with_contact: false}", CALLER, CALLER, "", false },
};

START_TEST(test_answered_row)
{
	call(callers[_i].sessions, callers[_i].contact);
	answer("sip:bob@10.0.0.2");
	contact_ends(ID_ALICE + 77, callers[_i].uri, callers[_i].params);	/* somebody else */
	ck_assert_ptr_null(rig_req(&r, "BYE", 0));
	contact_ends(ID_ALICE, callers[_i].uri, callers[_i].params);
	ck_assert_msg((rig_req(&r, "BYE", 0) != NULL) == callers[_i].ends, "%s", callers[_i].name);
	ck_assert_msg((rig_req(&r, "BYE", 1) != NULL) == callers[_i].ends, "%s: the other end", callers[_i].name);
	ck_assert_uint_eq(dialog_table_of_call(r.w.dialogs, rig_req(&r, "INVITE", 0)->m->call_id, 0) == 0, callers[_i].ends);
	contact_ends(ID_ALICE, callers[_i].uri, callers[_i].params);		/* once */
	ck_assert_ptr_null(rig_req(&r, "BYE", 2));
	rig_fini(&r);
}
END_TEST

START_TEST(test_ringing_row)
{
	call(callers[_i].sessions, callers[_i].contact);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "");
	contact_ends(ID_ALICE, callers[_i].uri, callers[_i].params);
	if (callers[_i].ends) {
		ck_assert_msg(rig_status(&r) == 480, "%s: %u", callers[_i].name, rig_status(&r));
		ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 0));
	} else {
		ck_assert_msg(rig_status(&r) == 180, "%s: %u", callers[_i].name, rig_status(&r));
	}
	rig_fini(&r);
}
END_TEST

/* A contact ends while others of the registration are left. */
static const struct { const char *name, *instance, *left_uri, *left_instance; bool ends; } flows[] = {
	{ "T18 another phone is left", "<urn:1>", "sip:alice@10.1.1.1:5062", "<urn:2>", true },
	{ "T18 one flow of two, RFC 5626 §3.2", "<urn:1>", "sip:alice@10.1.1.1:5062", "<urn:1>", false },
	{ "T18 one flow of two with one address", "<urn:1>", CALLER ";ob", "<urn:1>", false },
	{ "T18 the same address without instance", "", CALLER, "", false },
	{ "T18 neither has an instance", "", "sip:alice@10.1.1.1:5062", "", true },
};

START_TEST(test_flow_row)
{
	char ended_uri[] = CALLER, none[] = "", call_id[] = "c", ended_instance[32], left_uri[64], left_instance[32];
	struct registrar all = { .sw = &r.sw };
	struct registration g = { .r = &all, .id = ID_ALICE };
	struct binding ended = { .uri = ended_uri, .params = none, .instance = ended_instance, .call_id = call_id };
	struct binding left = { .uri = left_uri, .params = none, .instance = left_instance, .call_id = call_id };
	struct legs_gone *gone;

	strcpy(ended_instance, flows[_i].instance);
	strcpy(left_uri, flows[_i].left_uri);
	strcpy(left_instance, flows[_i].left_instance);
	list_init(&all.ended);
	list_init(&g.bindings);
	list_add_tail(&all.ended, &ended.link);
	list_add_tail(&g.bindings, &left.link);
	call(NULL, CALLER);
	answer("sip:bob@10.0.0.2");
	gone = legs_gone_new(&g);
	ck_assert_ptr_nonnull(gone);
	legs_gone_here(&r.w, gone);
	ck_assert_msg((rig_req(&r, "BYE", 0) != NULL) == flows[_i].ends, "%s", flows[_i].name);
	list_del(&left.link);
	gone = legs_gone_new(&g);		/* and when nothing is left */
	ck_assert_ptr_nonnull(gone);
	legs_gone_here(&r.w, gone);
	ck_assert_msg(rig_req(&r, "BYE", 0) != NULL, "%s: the last one", flows[_i].name);
	rig_fini(&r);
}
END_TEST

START_TEST(test_callee_T18)
{
	called();
	answer("sip:elsewhere@10.7.7.7");
	contact_ends(ID_ERIN, "sip:erin@10.7.7.8", "");
	ck_assert_ptr_null(rig_req(&r, "BYE", 0));
	contact_ends(ID_ERIN, "sip:elsewhere@10.7.7.7", "");
	ck_assert_ptr_nonnull(rig_req(&r, "BYE", 1));
	rig_fini(&r);
}
END_TEST

START_TEST(test_callee_rings_T18)	/* while another contact is left it rings there */
{
	called();
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "");
	contact_ends(ID_ERIN, "sip:erin@10.7.7.7", "");
	ck_assert_uint_eq(rig_status(&r), 180);
	reg_directory_withdraw(r.s.dir, ID_ERIN);
	contact_ends(ID_ERIN, "sip:erin@10.7.7.7", "");
	ck_assert_uint_eq(rig_status(&r), 480);
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 0));
	rig_fini(&r);
}
END_TEST

START_TEST(test_operator_T18)		/* REST ends a call that rings, with its status */
{
	struct str call_id;

	call(NULL, CALLER);
	call_id = rig_req(&r, "INVITE", 0)->m->call_id;
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "");
	ck_assert_uint_eq(ending_call(&r.sw, STR("another"), STR("SIP;cause=503"), 503), 0);
	ck_assert_uint_eq(ending_call(&r.sw, call_id, STR("SIP;cause=503"), 503), 1);
	ck_assert_uint_eq(rig_status(&r), 503);
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 0));
	ck_assert_uint_eq(ending_call(&r.sw, call_id, STR("SIP;cause=503"), 503), 0);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("legs", TEST_ROWS(test_answered_row, callers), TEST_ROWS(test_ringing_row, callers), TEST_ROWS(test_flow_row, flows), TEST_ONE(test_callee_T18), TEST_ONE(test_callee_rings_T18),
	  TEST_ONE(test_operator_T18))
