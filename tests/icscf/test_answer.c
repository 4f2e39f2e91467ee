/* tests/icscf/test_answer.c - Cx answers to SIP: TS 24.229 §5.3.1.2, §5.3.2.1; rows I1-I3, I6, R8, D10. */
#include <errno.h>
#include "icscf/answer.h"
#include "tests/check.h"

static const struct { const char *name; int err; uint32_t code; bool exp; const char *server; enum icscf_action act; unsigned status; bool retry; } uaa[] = {
	{ "first, neither name nor capabilities (Open5GS)", 0, 2001, true, "", ICSCF_SELECT, 0, false },
	{ "first with a name (PyHSS)", 0, 2001, true, "sip:s", ICSCF_TO_SERVER, 0, false },
	{ "subsequent with a name", 0, 2002, true, "sip:s", ICSCF_TO_SERVER, 0, false },
	{ "subsequent without", 0, 2002, true, "", ICSCF_SELECT, 0, false },
	{ "de-registration", 0, 2001, false, "sip:s", ICSCF_TO_SERVER, 0, false },
	{ "unknown", 0, 5001, true, "", ICSCF_REFUSE, 403, false },
	{ "identities do not match", 0, 5002, true, "", ICSCF_REFUSE, 403, false },
	{ "roaming", 0, 5004, true, "", ICSCF_REFUSE, 403, false },
	{ "rejected", 0, 5003, false, "", ICSCF_REFUSE, 403, false },
	{ "undeliverable", 0, 3002, false, "", ICSCF_REFUSE, 504, true },
	{ "too busy", 0, 3004, false, "", ICSCF_REFUSE, 503, true },
	{ "unable to comply", 0, 5012, false, "", ICSCF_REFUSE, 500, true },
	{ "nonsense", 0, 5999, false, "sip:s", ICSCF_REFUSE, 500, true },
	{ "silent", -ETIMEDOUT, 0, false, "", ICSCF_REFUSE, 504, true },
	{ "no peer", -ENOTCONN, 0, false, "", ICSCF_REFUSE, 504, true },
	{ "broken answer", -EBADMSG, 0, false, "", ICSCF_REFUSE, 500, true },
	{ "full", -EBUSY, 0, false, "", ICSCF_REFUSE, 503, true },
};

START_TEST(test_uaa_row)
{
	struct cx_uaa a = { .result = { uaa[_i].err, uaa[_i].code, uaa[_i].exp }, .server_name = str_from_c(uaa[_i].server) };
	struct icscf_verdict v = icscf_uaa_judge(&a);

	ck_assert_msg(v.action == uaa[_i].act && v.status == uaa[_i].status && v.retry_after == uaa[_i].retry,
		      "%s: %d %u %d (%s)", uaa[_i].name, v.action, v.status, v.retry_after, v.why);
	ck_assert_ptr_nonnull(v.why);
}
END_TEST

static const struct { const char *name; int err; uint32_t code; bool exp; const char *server; enum icscf_action act; unsigned status; } lia[] = {
	{ "located", 0, 2001, false, "sip:s", ICSCF_TO_SERVER, 0 },
	{ "capabilities only", 0, 2001, false, "", ICSCF_SELECT, 0 },
	{ "unregistered services", 0, 2003, true, "", ICSCF_UNREGISTERED, 0 },
	{ "unregistered services, S-CSCF kept", 0, 2003, true, "sip:s", ICSCF_TO_SERVER, 0 },
	{ "unknown", 0, 5001, true, "", ICSCF_REFUSE, 404 },
	{ "not registered", 0, 5003, true, "", ICSCF_REFUSE, 480 },
	{ "no name stored (Open5GS)", 0, 2004, true, "", ICSCF_REFUSE, 480 },
	{ "busy", 0, 3004, false, "", ICSCF_REFUSE, 503 },
	{ "silent", -ETIMEDOUT, 0, false, "", ICSCF_REFUSE, 504 },
	{ "reset", -ECONNRESET, 0, false, "", ICSCF_REFUSE, 504 },
};

START_TEST(test_lia_row)
{
	struct cx_lia a = { .result = { lia[_i].err, lia[_i].code, lia[_i].exp }, .server_name = str_from_c(lia[_i].server) };
	struct icscf_verdict v = icscf_lia_judge(&a);

	ck_assert_msg(v.action == lia[_i].act && v.status == lia[_i].status, "%s: %d %u (%s)", lia[_i].name, v.action, v.status, v.why);
}
END_TEST

TEST_MAIN("answer", TEST_ROWS(test_uaa_row, uaa), TEST_ROWS(test_lia_row, lia))
