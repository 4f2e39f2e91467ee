/* tests/daemon/test_correlation.c - one correlation id for all lines about a call: row O5, G1; RFC 7315 §4.6. */
#include <stdio.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "tests/check.h"

static struct correlation *c;

static struct sip_msg *message(const char *start, const char *call_id, const char *extra)
{
	struct sip_parse_error e;
	struct sip_msg *m;
	char text[1024];

	snprintf(text, sizeof(text), "%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
		 "Call-ID: %s\r\nCSeq: 1 %.*s\r\n%s\r\n", start, call_id,
		 *start == 'S' ? 6 : (int)strcspn(start, " "), *start == 'S' ? "INVITE" : start, extra);
	ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), NULL, &m, &e), 0);
	return m;
}

/* What the log says while such a message is handled; set: what the role makes it meanwhile, or NULL. */
static void expect(const char *start, const char *call_id, const char *extra, const char *set, const char *want)
{
	struct sip_msg *m = message(start, call_id, extra);

	correlation_begin(c, m, true);
	ck_assert_msg(str_eq_c(log_correlation_get(), want), "%.*s", STR_ARG(log_correlation_get()));
	if (set)
		log_correlation(str_from_c(set));
	correlation_keep(c, m);
	log_correlation(STR_NONE);
	sip_msg_unref(m);
}

#define FORGED "P-Charging-Vector: icid-value=forged\r\n"

/* What a phone writes does not count: it hides neither its own call's ICID nor shows somebody else's. */
START_TEST(test_not_believed)
{
	struct sip_msg *m = message("BYE sip:b@h SIP/2.0", "c1", FORGED);

	c = correlation_new();
	correlation_begin(c, m, false);
	ck_assert(str_eq_c(log_correlation_get(), "c1"));
	log_correlation(STR("icid-1"));			/* the P-CSCF's own */
	correlation_keep(c, m);
	correlation_begin(c, m, false);
	ck_assert(str_eq_c(log_correlation_get(), "icid-1"));
	log_correlation(STR_NONE);
	sip_msg_unref(m);
	correlation_free(c);
}
END_TEST

#define INVITE "INVITE sip:b@h SIP/2.0"
#define RINGING "SIP/2.0 180 Ringing"

START_TEST(test_a_call)
{
	c = correlation_new();
	expect(INVITE, "c1", "", "icid-1", "c1");		/* the P-CSCF makes the ICID */
	expect(RINGING, "c1", "", NULL, "icid-1");		/* the phone knows nothing of it */
	expect("BYE sip:b@h SIP/2.0", "c1", "", NULL, "icid-1");
	expect(RINGING, "c2", "", NULL, "c2");
	expect(RINGING, "c2", "P-Charging-Vector: icid-value=\"x;y\";orig-ioi=z\r\n", NULL, "x;y");
	expect(RINGING, "c2", "", NULL, "x;y");
	expect("REGISTER sip:h SIP/2.0", "c1", "", "icid-2", "icid-1");	/* the newest counts */
	expect(RINGING, "c1", "", NULL, "icid-2");
	correlation_free(c);
}
END_TEST

/* More Call-IDs than there is room for: some fall back to their Call-ID, none gets another one's ICID. */
START_TEST(test_never_mixed_up)
{
	char call_id[32], icid[32];
	unsigned kept = 0;

	c = correlation_new();
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(call_id, sizeof(call_id), "c%u", i);
		snprintf(icid, sizeof(icid), "i%u", i);
		expect(INVITE, call_id, "", icid, call_id);
	}
	for (unsigned i = 0; i < 10000; i++) {
		struct sip_msg *m;

		snprintf(call_id, sizeof(call_id), "c%u", i);
		snprintf(icid, sizeof(icid), "i%u", i);
		m = message(RINGING, call_id, "");
		correlation_begin(c, m, true);
		ck_assert(str_eq_c(log_correlation_get(), icid) || str_eq_c(log_correlation_get(), call_id));
		kept += str_eq_c(log_correlation_get(), icid);
		sip_msg_unref(m);
	}
	ck_assert_uint_gt(kept, 2000);
	log_correlation(STR_NONE);
	correlation_free(c);
}
END_TEST

TEST_MAIN("correlation", TEST_ONE(test_a_call), TEST_ONE(test_not_believed), TEST_ONE(test_never_mixed_up))
