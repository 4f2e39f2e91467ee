/* tests/scscf/test_assign.c - what the HSS says and what the phone hears: TS 29.228 §6.1.2, §6.3; TS 29.229 §6.2; rows S7, S8,
 * D2, D10, D11; reliability row REG-05. */
#include <string.h>
#include "tests/scscf/reg_rig.h"

static struct reg_rig r;
static struct rig_phone p;

static void begin(void)
{
	rig_init(&r);
	phone_init(&p);
}

static const struct row { const char *name; int err; uint32_t code; bool exp; enum hss_profile hss; unsigned status; bool later; } rows[] = {
	{ "user unknown", 0, 5001, true, HSS_STANDARD, 403, false },
	{ "identities do not match", 0, 5002, true, HSS_STANDARD, 403, false },
	{ "not registered", 0, 5003, true, HSS_STANDARD, 403, false },
	{ "roaming", 0, 5004, true, HSS_STANDARD, 403, false },
	{ "elsewhere", 0, 5005, true, HSS_STANDARD, 403, false },
	{ "PyHSS: 5005 for unknown", 0, 5005, true, HSS_PYHSS, 403, false },
	{ "Open5GS: 5004 is an invalid value", 0, 5004, true, HSS_OPEN5GS, 500, true },
	{ "Open5GS: 5005 is a missing AVP", 0, 5005, true, HSS_OPEN5GS, 500, true },
	{ "scheme", 0, 5006, true, HSS_STANDARD, 403, false },
	{ "assignment type", 0, 5007, true, HSS_STANDARD, 500, true },
	{ "too much data", 0, 5008, true, HSS_STANDARD, 500, true },
	{ "rejected", 0, 5003, false, HSS_STANDARD, 403, false },
	{ "undeliverable", 0, 3002, false, HSS_STANDARD, 504, true },
	{ "too busy", 0, 3004, false, HSS_STANDARD, 503, true },
	{ "unable to comply", 0, 5012, false, HSS_STANDARD, 500, true },
	{ "nonsense", 0, 5999, true, HSS_STANDARD, 500, true },
	{ "silent", -ETIMEDOUT, 0, false, HSS_STANDARD, 504, true },
	{ "no peer", -ENOTCONN, 0, false, HSS_STANDARD, 504, true },
	{ "connection lost", -ECONNRESET, 0, false, HSS_STANDARD, 504, true },
	{ "too many outstanding", -EBUSY, 0, false, HSS_STANDARD, 503, true },
	{ "unreadable", -EBADMSG, 0, false, HSS_STANDARD, 500, true },
};

static void check_answer(const struct row *row, const char *command)
{
	ck_assert_msg(r.status == row->status, "%s to %s: %u", row->name, command, r.status);
	ck_assert_msg(rig_has(&r, "Retry-After: ") == row->later, "%s to %s: Retry-After", row->name, command);
	ck_assert_msg(rig_has(&r, "Warning: 399 127.0.31.30:6060 \""), "%s to %s: no reason", row->name, command);
	ck_assert_msg(!rig_registration(&r), "%s to %s: state is left", row->name, command);
	ck_assert_uint_eq(reg_directory_count(r.s->dir), 0);
}

START_TEST(test_maa_row)
{
	begin();
	r.s->hss = rows[_i].hss;
	r.maa = (struct dia_result){ rows[_i].err, rows[_i].code, rows[_i].exp };
	phone_send(&r, &p);
	check_answer(&rows[_i], "MAR");
	rig_fini(&r);
}
END_TEST

START_TEST(test_saa_row)
{
	begin();
	r.s->hss = rows[_i].hss;
	r.saa = (struct dia_result){ rows[_i].err, rows[_i].code, rows[_i].exp };
	r.max_vectors = 1;
	phone_register(&r, &p);
	check_answer(&rows[_i], "SAR");
	/* The next try is a new one, and works. */
	r.saa = (struct dia_result){ 0, DIA_SUCCESS, false };
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	rig_fini(&r);
}
END_TEST

/* A re-registration that the HSS cannot hear of now changes nothing about the registration that stands. */
START_TEST(test_saa_row_of_a_refresh)
{
	begin();
	r.cfg->sar_on_refresh = true;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	r.s->hss = rows[_i].hss;
	r.saa = (struct dia_result){ rows[_i].err, rows[_i].code, rows[_i].exp };
	ck_assert_uint_eq(phone_register(&r, &p), rows[_i].status);
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR2 ");
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	ck_assert_uint_eq(reg_directory_count(r.s->dir), 1);
	rig_fini(&r);
}
END_TEST

/* ---- profiles ---- */

#define SUB(x) "<IMSSubscription><PrivateID>" RIG_IMPI "</PrivateID><ServiceProfile>" x "</ServiceProfile></IMSSubscription>"
#define ID(uri, barred) "<PublicIdentity><Identity>" uri "</Identity><BarringIndication>" barred "</BarringIndication></PublicIdentity>"

static const struct { const char *name, *xml; unsigned status; const char *cx, *associated; } profiles[] = {
	{ "barred identity registers, the set does not suffer", RIG_XML, 200, "MAR SAR1 ", "<sip:+491510000001@" RIG_DOMAIN ">, <tel:+491510000001>" },
	{ "all barred", SUB(ID(RIG_IMPU, "1") ID(RIG_TEL, "1")), 403, "MAR SAR1 SAR8 ", NULL },
	{ "none at all", NULL, 500, "MAR SAR1 SAR8 ", NULL },
	{ "no XML", "hello", 500, "MAR SAR1 SAR8 ", NULL },
	{ "the identity is not in its own set", SUB(ID("sip:other@h", "0")), 200, "MAR SAR1 ", "<sip:other@h>" },
	{ "display name", SUB("<PublicIdentity><Identity>" RIG_IMPU "</Identity><Extension><Extension><DisplayName>Al</DisplayName></Extension></Extension></PublicIdentity>"),
	  200, "MAR SAR1 ", "\"Al\" <" RIG_IMPU ">" },
};

START_TEST(test_profile_row_S8_S10)
{
	begin();
	r.xml = profiles[_i].xml;
	ck_assert_msg(phone_register(&r, &p) == profiles[_i].status, "%s: %u", profiles[_i].name, r.status);
	ck_assert_msg(strcmp(r.cx, profiles[_i].cx) == 0, "%s: %s", profiles[_i].name, r.cx);
	if (profiles[_i].associated)
		ck_assert_msg(str_eq_c(sip_msg_value(r.m, SIP_H_PASSOCIATED_URI), profiles[_i].associated), "%s: %.*s",
			      profiles[_i].name, STR_ARG(sip_msg_value(r.m, SIP_H_PASSOCIATED_URI)));
	else
		ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_too_much_data_S7)
{
	char *xml = malloc(PROFILE_MAX_BYTES + 2);

	begin();
	memset(xml, ' ', PROFILE_MAX_BYTES + 1);
	xml[PROFILE_MAX_BYTES + 1] = '\0';
	r.xml = xml;
	ck_assert_uint_eq(phone_register(&r, &p), 500);
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR11 ");
	rig_fini(&r);
	free(xml);
}
END_TEST

/* Charging addresses go to a P-CSCF of the home network, and only what cannot break the header. */
static const struct { const char *ccf, *value; } charging[] = {
	{ "aaa://ccf1.example:3868", "ccf=\"aaa://ccf1.example:3868\"" }, { "pcrf", "ccf=\"pcrf\"" },
	{ "a\r\nEvil: 1", NULL }, { "a\"b", NULL },
};

START_TEST(test_charging_row_S10)
{
	begin();
	r.ccf = charging[_i].ccf;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert(str_eq_c(sip_msg_value(r.m, SIP_H_PCFA), charging[_i].value));
	rig_fini(&r);
}
END_TEST

#define BACK "icid-value=\"i\";icid-generated-at=p;orig-ioi=\"Type 1v.example\";term-ioi=\"Type 1" RIG_DOMAIN "\""

START_TEST(test_charging_vector_G1)	/* every answer to the P-CSCF: TS 24.229 §5.4.1.2.2, table 4-2B.  None came: none goes */
{
	begin();
	p.extra = "P-Charging-Vector: icid-value=\"i\";icid-generated-at=p;orig-ioi=\"Type 1v.example\";pdngw=10.0.0.1\r\n";
	phone_begin(&p);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert(str_eq_c(sip_msg_value(r.m, SIP_H_PCV), BACK));
	ck_assert_int_eq(phone_solve(&r, &p), 0);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert(str_eq_c(sip_msg_value(r.m, SIP_H_PCV), BACK));
	p.extra = "";
	phone_begin(&p);
	phone_send(&r, &p);
	ck_assert_ptr_null(sip_msg_hdr(r.m, SIP_H_PCV));
	rig_fini(&r);
}
END_TEST

/* ---- which types when ---- */

static const struct { enum hss_profile hss; const char *borne; } bear[] = {
	{ HSS_STANDARD, "0 1 2 3 4 5 6 7 8 9 10 11 14 " }, { HSS_PYHSS, "1 2 4 5 8 11 " }, { HSS_OPEN5GS, "1 2 3 4 5 8 9 10 " },
};

START_TEST(test_types_row_S7)
{
	struct scscf s = { .hss = bear[_i].hss };
	char text[128] = "";

	for (unsigned t = 0; t <= CX_SAR_RESTORATION; t++)
		if (assign_wanted(&s, (enum cx_sar_type)t) && t != CX_SAR_AAA_USER_DATA_REQUEST && t != CX_SAR_PGW_UPDATE)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u ", t);
	ck_assert_str_eq(text, bear[_i].borne);
}
END_TEST

START_TEST(test_refresh_without_change_costs_nothing)
{
	begin();
	p.integrity = "yes";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	phone_begin(&p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	r.cfg->sar_on_refresh = true;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR2 ");
	rig_fini(&r);
}
END_TEST

/* REG-05, D11: the transaction is gone when the HSS answers; what it says still counts, and nobody is answered twice. */
START_TEST(test_answer_after_the_phone_gave_up)
{
	unsigned before;

	begin();
	phone_send(&r, &p);
	phone_solve(&r, &p);
	r.hold = true;
	ck_assert_uint_eq(phone_send(&r, &p), 0);
	before = r.n_responses;
	rig_run(&r, 70000);
	r.hold = false;
	rig_run(&r, 0);
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	ck_assert_uint_le(r.n_responses, before + 1);
	rig_fini(&r);
}
END_TEST

/* The daemon stops while the HSS is thinking: everything is given back (sanitizer build). */
START_TEST(test_stop_while_waiting)
{
	begin();
	r.hold = true;
	phone_send(&r, &p);
	phone_send(&r, &p);
	rig_fini(&r);
	begin();
	phone_send(&r, &p);
	phone_solve(&r, &p);
	r.hold = true;
	phone_send(&r, &p);
	rig_fini(&r);
	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	r.hold = true;
	rig_run(&r, 601000);		/* SAR TIMEOUT_DEREGISTRATION is out */
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR4 ");
	rig_fini(&r);
	/* What the callbacks would have freed. */
}
END_TEST

/* I8, RFC 4457: the first MAR goes to the HSS that the I-CSCF names; the one that answers counts then. */
static const struct { const char *value, *hosts; } databases[] = {
	{ "<aaa://hss1.test>", "hss1.test hss2.test " }, { "<aaa://hss1.test:3868;transport=tcp>;x=y", "hss1.test hss2.test " },
	{ "<AAAS://hss1.test>", "hss1.test hss2.test " }, { "aaa://hss1.test", "- hss2.test " }, { "<sip:hss1.test>", "- hss2.test " },
	{ "<aaa:hss1.test>", "- hss2.test " }, { "<aaa://>", "- hss2.test " }, { "<aaa://hss1.test", "- hss2.test " },
};

START_TEST(test_user_database_row_I8)
{
	struct reg_rig hss;
	struct rig_phone phone;
	char extra[128];

	rig_init(&hss);
	phone_init(&phone);
	hss.hss = "hss2.test";
	snprintf(extra, sizeof(extra), "P-User-Database: %s\r\n", databases[_i].value);
	phone.extra = extra;
	ck_assert_uint_eq(phone_register(&hss, &phone), 200);
	ck_assert_msg(strcmp(hss.hosts, databases[_i].hosts) == 0, "%s: %s", databases[_i].value, hss.hosts);
	rig_fini(&hss);
}
END_TEST

/* Whoever can send a REGISTER can say any name: it takes no place from a HSS that answers. */
START_TEST(test_user_database_is_not_learned_I8)
{
	struct reg_rig hss;
	struct rig_phone phone;
	char extra[128];

	rig_init(&hss);
	phone_init(&phone);
	hss.maa = (struct dia_result){ 0, CX_USER_UNKNOWN, true };
	for (unsigned i = 0; i < 2 * SCSCF_MAX_HSS; i++) {
		snprintf(extra, sizeof(extra), "P-User-Database: <aaa://x%u.test>\r\n", i);
		phone.extra = extra;
		hss.hosts[0] = '\0';
		ck_assert_uint_eq(phone_send(&hss, &phone), 403);
		snprintf(extra, sizeof(extra), "x%u.test ", i);
		ck_assert_str_eq(hss.hosts, extra);
	}
	ck_assert_ptr_null(atomic_load(&hss.s->hss_name[0]));
	hss.maa = (struct dia_result){ 0, DIA_SUCCESS, false };
	hss.hss = "hss2.test";
	phone.extra = "";
	hss.hosts[0] = '\0';
	ck_assert_uint_eq(phone_register(&hss, &phone), 200);
	ck_assert_str_eq(hss.hosts, "- hss2.test ");
	rig_fini(&hss);
}
END_TEST

/* D12, TS 29.228 §6.1: who answered is asked again, by its name; when it is away, the realm is. */
static const char *const aways[] = { "away", "busy" };

START_TEST(test_destination_host_is_learned_D12)
{
	struct reg_rig hss;
	struct rig_phone phone;

	rig_init(&hss);
	phone_init(&phone);
	hss.hss = "hss1.test";
	hss.max_vectors = 1;
	phone.integrity = "yes";
	hss.cfg->challenge_every = 1;
	hss.cfg->sar_on_refresh = true;
	ck_assert_uint_eq(phone_register(&hss, &phone), 200);
	ck_assert_str_eq(hss.hosts, "- hss1.test ");
	hss.hss = "hss2.test";					/* a front end of the same realm */
	ck_assert_uint_eq(phone_register(&hss, &phone), 200);
	ck_assert_str_eq(hss.hosts, "- hss1.test hss1.test hss2.test ");
	hss.hosts[0] = '\0';
	hss.hold = true;
	phone.expires = 0;
	phone_begin(&phone);
	phone_send(&hss, &phone);
	hss.maa = _i ? (struct dia_result){ 0, DIA_TOO_BUSY, false } : (struct dia_result){ -ENOTCONN, 0, false };
	rig_answer(&hss);					/* away, or busy (RFC 6733 §7.1.3): by realm */
	hss.maa = (struct dia_result){ 0, DIA_SUCCESS, false };
	rig_answer(&hss);
	ck_assert_uint_eq(hss.status, 401);
	ck_assert_str_eq(hss.hosts, "hss2.test - ");
	ck_assert_int_eq(phone_solve(&hss, &phone), 0);
	phone_send(&hss, &phone);
	hss.saa = (struct dia_result){ 0, _i ? DIA_TOO_BUSY : DIA_UNABLE_TO_DELIVER, false };
	rig_answer(&hss);
	hss.saa = (struct dia_result){ 0, DIA_SUCCESS, false };
	rig_answer(&hss);
	ck_assert_uint_eq(hss.status, 200);
	ck_assert_str_eq(hss.hosts, "hss2.test - hss2.test - ");
	ck_assert_uint_eq(hss.n_pending, 0);
	rig_fini(&hss);
	rig_init(&hss);						/* all are away: asked once, and once by realm */
	phone_init(&phone);
	hss.hss = "hss1.test";
	phone_send(&hss, &phone);
	hss.saa = _i ? (struct dia_result){ 0, DIA_TOO_BUSY, false } : (struct dia_result){ -ENOTCONN, 0, false };
	ck_assert_int_eq(phone_solve(&hss, &phone), 0);
	ck_assert_uint_eq(phone_send(&hss, &phone), _i ? 503 : 504);
	ck_assert_str_eq(hss.hosts, "- hss1.test - ");
	rig_fini(&hss);
}
END_TEST

TEST_MAIN("assign", TEST_ROWS(test_user_database_row_I8, databases), TEST_ONE(test_user_database_is_not_learned_I8), TEST_ROWS(test_destination_host_is_learned_D12, aways), TEST_ROWS(test_maa_row, rows), TEST_ROWS(test_saa_row, rows), TEST_ROWS(test_saa_row_of_a_refresh, rows),
	  TEST_ROWS(test_profile_row_S8_S10, profiles), TEST_ONE(test_too_much_data_S7), TEST_ROWS(test_charging_row_S10, charging), TEST_ONE(test_charging_vector_G1),
	  TEST_ROWS(test_types_row_S7, bear), TEST_ONE(test_refresh_without_change_costs_nothing),
	  TEST_ONE(test_answer_after_the_phone_gave_up), TEST_ONE(test_stop_while_waiting))
