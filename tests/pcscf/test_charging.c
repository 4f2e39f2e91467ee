/* tests/pcscf/test_charging.c - P-Charging-Vector at the border to the phones: TS 24.229 §5.2.6.3, §5.2.6.4, §5.2.7.2, §5.2.7.3, §5.2.8.1,
 * §7.2A.5.2; RFC 7315 §4.6, §5.6; row G1.  The table that this proves is in common/README.md. */
#include <string.h>
#include "pcscf/policy_private.h"
#include "pcscf/rx.h"
#include "pcscf/session.h"
#include "tests/pcscf/rig.h"

#define IN_CALL "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n"
#define S_RR "<sip:s@10.0.0.30:6060;lr>"
#define TARGET "sip:bob@10.9.0.2:5060"
#define PCV(s) rig_hdr(s, "P-Charging-Vector")
#define TYPE_1 ";orig-ioi=\"Type 1home\""
#define ACCESS ";pdngw=10.7.0.1;eps-info=\"eps-item=1;eps-sig=no;ecid=0a\""

/* ---- what the access network says ---- */

static const struct { const char *name; enum charging_access_kind kind; const char *address, *id, *said; } accesses[] = {
	{ "EPS", CHARGING_EPS, "10.7.0.1", "0a", ACCESS },
	{ "EPS, no number", CHARGING_EPS, "10.7.0.1", "", ";pdngw=10.7.0.1" },
	{ "GPRS", CHARGING_GPRS, "[2001:db8::1]", "ff", ";ggsn=[2001:db8::1];pdp-info=\"pdp-item=1;pdp-sig=no;gcid=ff\"" },
	{ "5GS", CHARGING_5GS, "10.7.0.1", "01", ";smf=10.7.0.1;5gs-info=\"5gs-item=1;5gs-sig=no;5gscid=01\"" },
	{ "no gateway", CHARGING_EPS, "", "0a", "" },
};

START_TEST(test_access_row_G1)
{
	char text[CHARGING_ACCESS_BYTES];
	struct str v = charging_access(accesses[_i].kind, str_from_c(accesses[_i].address), str_from_c(accesses[_i].id), text);

	ck_assert_msg(str_eq_c(v, accesses[_i].said), "%s: %.*s", accesses[_i].name, STR_ARG(v));
}
END_TEST

static const struct { const char *name; uint32_t ip_can; struct str address, id; const char *said; } rx_accesses[] = {	/* TS 29.214 §5.3.2, §5.3.4 */
	{ "EPS", 5, STR("\0\1\x0a\x07\0\1"), STR("\x0a"), ACCESS },
	{ "GPRS, IPv6", 0, STR("\0\2\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), STR("\xff"),
	  ";ggsn=[2001:db8::1];pdp-info=\"pdp-item=1;pdp-sig=no;gcid=ff\"" },
	{ "5GS", 8, STR("\0\1\x0a\x07\0\1"), STR_NONE, ";smf=10.7.0.1" },
	{ "not said what", RX_ABSENT, STR("\0\1\x0a\x07\0\1"), STR("\x0a"), ACCESS },
	{ "an address that is none", 5, STR("\0\1\x0a"), STR("\x0a"), "" },
	{ "nothing", RX_ABSENT, STR_NONE, STR_NONE, "" },
};

START_TEST(test_rx_access_row_G1)
{
	struct policy_session p = { .dead = false };
	struct call c = { .policy = &p };
	struct rx_session s = { .call = &c, .ip_can = RX_ABSENT };
	struct rx_access a = { .ip_can = rx_accesses[_i].ip_can, .rat = RX_ABSENT, .charging_address = rx_accesses[_i].address,
			       .charging_id = rx_accesses[_i].id };

	rx_take_access(&s, &a);
	ck_assert_msg(strcmp(p.charging, rx_accesses[_i].said) == 0, "%s: %s", rx_accesses[_i].name, p.charging);
}
END_TEST

START_TEST(test_rx_access_in_parts_row_G1)		/* an AAA has the one, a RAR the other, in either order */
{
	struct policy_session p = { .dead = false };
	struct call c = { .policy = &p };
	struct rx_session s = { .call = &c, .ip_can = RX_ABSENT };
	struct rx_access part[2] = { { .ip_can = 5, .rat = RX_ABSENT, .charging_address = STR("\0\1\x0a\x07\0\1") },
				     { .ip_can = RX_ABSENT, .rat = RX_ABSENT, .charging_id = STR("\x0a") } };

	rx_take_access(&s, &part[_i]);
	rx_take_access(&s, &part[!_i]);
	ck_assert_str_eq(p.charging, ACCESS);
}
END_TEST

/* These calls have no media, so nobody is asked; what the network says, the test does. */
static const struct policy_backend backend = { .name = "test" };

static void charge(void *arg, struct call *c)
{
	(void)arg;
	policy_charged(c, STR(ACCESS));
}

static void open_rig(struct rig *r, bool policy)
{
	if (policy)
		rig_init_policy(r, "  reg_event: false\npolicy: {mode: rx, on_silence: go_on}\ndiameter: {identity: pcscf.home}\n", 1, &backend);
	else
		rig_init(r, NULL, 1);
}

/* ---- a call that a phone makes ---- */

static void icid_of(const char *vector, char dst[64])
{
	ck_assert_msg(sscanf(vector, "icid-value=\"%32[0-9a-f]\"", dst) == 1 && strlen(dst) == 32, "%s", vector);
}

static void within(struct rig *r, const char *from, const char *method, const char *names, const char *call_id, const char *route, const char *where,
		   const char *want)
{
	struct rig_sent *s;

	rig_request_as(r, from, method, TARGET, names, call_id, route);
	s = rig_expect(r, method, where);
	ck_assert_msg(strcmp(PCV(s), want) == 0, "%s: %s, not %s", method, PCV(s), want);
	if (strcmp(method, "ACK") == 0)
		return;
	rig_reply(r, s, 200, "P-Charging-Vector: icid-value=x\n");
	ck_assert_str_eq(PCV(rig_expect_status(r, 200, from)), "");
}

START_TEST(test_caller_G1)		/* one ICID from the INVITE to the BYE; another call, another transaction: another one */
{
	char icid[64], next[64], want[256], rr[256], answer[512], route[512];
	struct rig_sent *s;
	struct rig r;

	open_rig(&r, false);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_as(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "c1",
		       "Contact: <sip:alice@10.9.0.1:5060>\nP-Charging-Vector: icid-value=forged;orig-ioi=evil\n");
	s = rig_expect(&r, "INVITE", SCSCF);
	icid_of(PCV(s), icid);
	snprintf(want, sizeof(want), "icid-value=\"%s\";icid-generated-at=pcscf.home" TYPE_1, icid);
	ck_assert_str_eq(PCV(s), want);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(answer, sizeof(answer), "Contact: <" TARGET ">\nRecord-Route: " S_RR ", %s\n", rr);
	snprintf(route, sizeof(route), "Route: %s, " S_RR "\nRAck: 1 1 INVITE\n", rr);
	rig_reply(&r, s, 183, answer);
	rig_expect_status(&r, 183, ALICE);
	snprintf(want, sizeof(want), "icid-value=\"%s\"" TYPE_1, icid);
	within(&r, ALICE, "PRACK", IN_CALL, "c1", route, SCSCF, want);		/* nobody has answered yet */
	rig_reply(&r, s, 200, answer);
	rig_expect_status(&r, 200, ALICE);
	within(&r, ALICE, "ACK", IN_CALL, "c1", route, SCSCF, want);
	within(&r, ALICE, "UPDATE", IN_CALL, "c1", route, SCSCF, want);
	within(&r, ALICE, "BYE", IN_CALL, "c1", route, SCSCF, want);
	for (unsigned i = 0; i < 2; i++) {
		rig_request_as(&r, ALICE, "MESSAGE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "c1", "");
		s = rig_expect(&r, "MESSAGE", SCSCF);
		icid_of(PCV(s), next);
		ck_assert_str_ne(icid, next);
		strcpy(icid, next);
		rig_reply(&r, s, 200, "");
		rig_expect_status(&r, 200, ALICE);
	}
	rig_fini(&r);
}
END_TEST

START_TEST(test_no_call_G1)		/* a dialog that is no call: each request is for itself, §5.2.6.3.9 */
{
	char first[64], next[64], rr[256], answer[512], route[512];
	struct rig_sent *s;
	struct rig r;

	open_rig(&r, false);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_as(&r, ALICE, "SUBSCRIBE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "c1",
		       "Contact: <sip:alice@10.9.0.1:5060>\nEvent: presence\n");
	s = rig_expect(&r, "SUBSCRIBE", SCSCF);
	icid_of(PCV(s), first);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(answer, sizeof(answer), "Contact: <" TARGET ">\nRecord-Route: " S_RR ", %s\n", rr);
	rig_reply(&r, s, 200, answer);
	rig_expect_status(&r, 200, ALICE);
	snprintf(route, sizeof(route), "Route: %s, " S_RR "\nEvent: presence\n", rr);
	rig_request_as(&r, ALICE, "SUBSCRIBE", TARGET, IN_CALL, "c1", route);
	icid_of(PCV(rig_expect(&r, "SUBSCRIBE", SCSCF)), next);
	ck_assert_str_ne(first, next);
	rig_fini(&r);
}
END_TEST

/* ---- a call to a phone, and its end by us ---- */

static const struct { const char *name; bool policy, released; } calleds[] = {
	{ "the phone hangs up", false, false }, { "with policy control", true, false }, { "we hang up", false, true },
};

START_TEST(test_called_row_G1)
{
	const char *told = calleds[_i].policy ? ACCESS : "";
	char path[256], lines[1024], want[512], rr[256];
	struct rig_sent *s, *inv;
	struct rig r;

	open_rig(&r, calleds[_i].policy);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	snprintf(lines, sizeof(lines), "Route: %s\nContact: <sip:alice@10.9.0.1:5060>\nRecord-Route: " S_RR "\n"
		 "P-Charging-Vector: icid-value=\"abc\";icid-generated-at=p;orig-ioi=\"Type 1far\"\n", path);
	rig_request_as(&r, SCSCF, "INVITE", TARGET, "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "c1", lines);
	s = inv = rig_expect(&r, "INVITE", BOB);
	ck_assert_str_eq(PCV(s), "");
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	rig_reply(&r, inv, 183, "Contact: <" TARGET ">\nP-Charging-Vector: icid-value=forged\n");
	ck_assert_str_eq(PCV(rig_expect_status(&r, 183, SCSCF)), "icid-value=\"abc\";icid-generated-at=p;orig-ioi=\"Type 1far\";term-ioi=\"Type 1home\"");
	if (calleds[_i].policy)
		calls_each(pcscf_of(stack_worker(&r.stack, 0))->calls, charge, NULL);	/* the bearer is there: §5.2.7.3 */
	snprintf(lines, sizeof(lines), "Contact: <" TARGET ">\nRecord-Route: %s\n", rr);
	rig_reply(&r, inv, 200, lines);
	snprintf(want, sizeof(want), "icid-value=\"abc\";icid-generated-at=p%s;orig-ioi=\"Type 1far\";term-ioi=\"Type 1home\"", told);
	ck_assert_str_eq(PCV(rig_expect_status(&r, 200, SCSCF)), want);
	snprintf(want, sizeof(want), "icid-value=\"abc\"%s" TYPE_1, told);
	if (calleds[_i].released) {
		ck_assert_uint_eq(sessions_release_call(pcscf_of(stack_worker(&r.stack, 0))->sessions, STR("c1"), "test"), 1);
		ck_assert_str_eq(PCV(rig_expect(&r, "BYE", SCSCF)), want);
		ck_assert_str_eq(PCV(rig_expect(&r, "BYE", BOB)), "");
	} else {
		snprintf(lines, sizeof(lines), "Route: %s\n", rr);
		within(&r, BOB, "BYE", "From: <sip:bob@home>;tag=T\nTo: <sip:alice@home>;tag=A\n", "c1", lines, SCSCF, want);
	}
	rig_fini(&r);
}
END_TEST

TEST_MAIN("charging", TEST_ROWS(test_access_row_G1, accesses), TEST_ROWS(test_rx_access_row_G1, rx_accesses), { &(test_rx_access_in_parts_row_G1), 2 }, TEST_ONE(test_caller_G1), TEST_ONE(test_no_call_G1),
	  TEST_ROWS(test_called_row_G1, calleds))
