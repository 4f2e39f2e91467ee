/* tests/scscf/test_push.c - RTR and PPR as the HSS sees them: TS 29.228 §6.1.3, §6.2.2; rows S16, S17.  The linker puts the
 * answers' senders here (--wrap). */
#include <string.h>
#include "tests/scscf/reg_rig.h"

static struct reg_rig r;
static struct rig_phone p;
static unsigned n_answers;
static struct dia_result result;
static unsigned n_associated;
static char associated[256], emergency[256];
static unsigned n_emergency;

void __wrap_cx_rta_send(struct dia_peer_request *q, const struct cx_rta *a);
void __wrap_cx_ppa_send(struct dia_peer_request *q, const struct cx_ppa *a);

void __wrap_cx_rta_send(struct dia_peer_request *q, const struct cx_rta *a)
{
	ck_assert_ptr_eq(q, (struct dia_peer_request *)&r);
	n_answers++;
	result = a->result;
	n_emergency = a->n_emergency;
	if (n_emergency) {
		ck_assert(str_eq_c(a->emergency[0].impi, RIG_IMPI));
		str_copy(a->emergency[0].impu, emergency, sizeof(emergency));
	}
	n_associated = a->associated_impis.n;
	if (n_associated)
		str_copy(a->associated_impis.v[0], associated, sizeof(associated));
}

void __wrap_cx_ppa_send(struct dia_peer_request *q, const struct cx_ppa *a)
{
	ck_assert_ptr_eq(q, (struct dia_peer_request *)&r);
	n_answers++;
	result = a->result;
}

static void begin(void)
{
	rig_init(&r);
	phone_init(&p);
	p.integrity = "yes";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	phone_begin(&p);
}

static const struct { const char *name, *impi, *other, *impu; uint32_t reason, code; bool exp, gone; unsigned associated; } rtrs[] = {
	{ "by private identity", RIG_IMPI, NULL, NULL, 0, DIA_SUCCESS, false, true, 0 },
	{ "by public identity", RIG_IMPI, NULL, RIG_TEL, 0, DIA_SUCCESS, false, true, 0 },
	{ "new server", RIG_IMPI, NULL, NULL, 1, DIA_SUCCESS, false, true, 0 },
	{ "server change", RIG_IMPI, NULL, NULL, 2, DIA_SUCCESS, false, true, 0 },
	{ "remove S-CSCF", RIG_IMPI, NULL, NULL, 3, DIA_SUCCESS, false, true, 0 },
	{ "a reason nobody knows", RIG_IMPI, NULL, NULL, 4, DIA_UNABLE_TO_COMPLY, false, false, 0 },
	{ "nobody", "nobody@h", NULL, NULL, 0, CX_USER_UNKNOWN, true, false, 0 },
	{ "a public identity of nobody", RIG_IMPI, NULL, "sip:nobody@h", 0, CX_USER_UNKNOWN, true, false, 0 },
	{ "associated", "nobody@h", RIG_IMPI, NULL, 0, DIA_SUCCESS, false, true, 1 },
	{ "the same twice", RIG_IMPI, RIG_IMPI, NULL, 0, DIA_SUCCESS, false, true, 0 },
	{ "no private identity", "", NULL, RIG_TEL, 0, DIA_MISSING_AVP, false, false, 0 },
};

START_TEST(test_rtr_row_S16)
{
	struct cx_rtr m = { .impi = str_from_c(rtrs[_i].impi), .reason_code = rtrs[_i].reason,
			    .impus = { rtrs[_i].impu ? 1 : 0, { str_from_c(rtrs[_i].impu) } },
			    .associated_impis = { rtrs[_i].other ? 1 : 0, { str_from_c(rtrs[_i].other) } } };

	begin();
	scscf_push_ops.rtr(r.s, (struct dia_peer_request *)&r, &m);
	rig_serve(&r);
	ck_assert_msg(n_answers == 1 && result.code == rtrs[_i].code && result.experimental == rtrs[_i].exp, "%s: %u answers, %u",
		      rtrs[_i].name, n_answers, result.code);
	ck_assert_msg(!rig_registration(&r) == rtrs[_i].gone, "%s", rtrs[_i].name);
	ck_assert_msg(n_associated == rtrs[_i].associated, "%s: %u associated", rtrs[_i].name, n_associated);
	if (n_associated)
		ck_assert_str_eq(associated, RIG_IMPI);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");			/* the HSS knows already: no SAR */
	rig_fini(&r);
}
END_TEST

/* TS 29.228 §6.1.3.1, TS 24.229 §5.4.8.5: what is registered for emergencies stays, and the HSS is told. */
START_TEST(test_rtr_leaves_emergencies_S20)
{
	struct cx_rtr m = { .impi = STR(RIG_IMPI) };
	struct rig_phone q;

	begin();
	phone_init(&q);
	q.integrity = "yes";
	q.contact = "<sip:a@10.0.0.1;sos>";
	ck_assert_uint_eq(phone_register(&r, &q), 200);
	for (int i = 0; i < 2; i++) {			/* the second time there is nothing else any more */
		scscf_push_ops.rtr(r.s, (struct dia_peer_request *)&r, &m);
		rig_serve(&r);
		ck_assert(n_answers == (unsigned)i + 1 && result.code == DIA_LIMITED_SUCCESS && !result.experimental);
		ck_assert_uint_eq(n_emergency, 1);
		ck_assert_str_eq(emergency, "sip:+491510000001@" RIG_DOMAIN);
		ck_assert(!rig_registration(&r));
	}
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *impi, *xml, *ccf; uint32_t code; bool exp; const char *pcfa; } pprs[] = {
	{ "profile", RIG_IMPI, RIG_XML, "", DIA_SUCCESS, false, "" },
	{ "charging", RIG_IMPI, "", "aaa://c", DIA_SUCCESS, false, "ccf=\"aaa://c\"" },
	{ "both", RIG_IMPI, RIG_XML, "aaa://c", DIA_SUCCESS, false, "ccf=\"aaa://c\"" },
	{ "nobody", "nobody@h", RIG_XML, "", CX_USER_UNKNOWN, true, "" },
	{ "not understood", RIG_IMPI, "<x/>", "aaa://c", CX_NOT_SUPPORTED_USER_DATA, true, "" },
	{ "all of it barred or bad", RIG_IMPI, "<IMSSubscription><ServiceProfile/></IMSSubscription>", "", CX_NOT_SUPPORTED_USER_DATA, true, "" },
};

START_TEST(test_ppr_row_S17)
{
	struct cx_ppr m = { .impi = str_from_c(pprs[_i].impi), .user_data = str_from_c(pprs[_i].xml), .primary_ccf = str_from_c(pprs[_i].ccf) };

	begin();
	scscf_push_ops.ppr(r.s, (struct dia_peer_request *)&r, &m);
	rig_serve(&r);
	ck_assert_msg(n_answers == 1 && result.code == pprs[_i].code && result.experimental == pprs[_i].exp, "%s: %u answers, %u",
		      pprs[_i].name, n_answers, result.code);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_msg(str_eq_c(sip_msg_value(r.m, SIP_H_PCFA), pprs[_i].pcfa), "%s", pprs[_i].name);
	rig_fini(&r);
}
END_TEST

START_TEST(test_ppr_with_too_much_S17)
{
	char *xml = malloc(PROFILE_MAX_BYTES + 1);
	struct cx_ppr m = { .impi = STR(RIG_IMPI), .user_data = str_make(xml, PROFILE_MAX_BYTES + 1) };

	begin();
	memset(xml, ' ', PROFILE_MAX_BYTES + 1);
	scscf_push_ops.ppr(r.s, (struct dia_peer_request *)&r, &m);
	free(xml);
	rig_serve(&r);
	ck_assert(n_answers == 1 && result.code == CX_TOO_MUCH_DATA && result.experimental);
	rig_fini(&r);
}
END_TEST

/* An RTR that comes while a REGISTER waits for the HSS is answered when that is through. */
START_TEST(test_rtr_during_a_register)
{
	struct cx_rtr m = { .impi = STR(RIG_IMPI) };

	begin();
	r.cfg->sar_on_refresh = true;
	r.hold = true;
	phone_send(&r, &p);
	scscf_push_ops.rtr(r.s, (struct dia_peer_request *)&r, &m);
	rig_serve(&r);
	ck_assert_uint_eq(n_answers, 0);
	r.hold = false;
	rig_serve(&r);
	ck_assert(n_answers == 1 && result.code == DIA_SUCCESS);
	ck_assert_uint_eq(r.status, 200);
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("push", TEST_ROWS(test_rtr_row_S16, rtrs), TEST_ONE(test_rtr_leaves_emergencies_S20), TEST_ROWS(test_ppr_row_S17, pprs), TEST_ONE(test_ppr_with_too_much_S17),
	  TEST_ONE(test_rtr_during_a_register))
