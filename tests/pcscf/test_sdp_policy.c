/* tests/pcscf/test_sdp_policy.c - which media may pass: TS 24.229 §6.2; row P16. */
#include <stdio.h>
#include "tests/pcscf/rig.h"

#define HEAD "v=0\r\no=- 1 1 IN IP4 1\r\ns=-\r\nc=IN IP4 10.9.0.1\r\nt=0 0\r\n"

static const struct sdp_policy all, strict = { .types = 1, .codec = { STR("AMR-WB/16000"), STR("PCMA/8000") }, .n_codecs = 2, .max_kbps = 64 };

static const struct { const char *name; const struct sdp_policy *p; const char *sdp; unsigned warning; } rows[] = {
	{ "nothing is said", &all, HEAD "m=video 1 RTP/AVP 99\r\n", 0 },
	{ "allowed", &strict, HEAD "m=audio 1 RTP/AVP 8 96 97\r\nb=AS:64\r\na=rtpmap:96 AMR-WB/16000/1\r\na=rtpmap:97 telephone-event/16000\r\n", 0 },
	{ "another type", &strict, HEAD "m=audio 1 RTP/AVP 8\r\nm=video 1 RTP/AVP 99\r\n", 304 },
	{ "a type of nobody's", &strict, HEAD "m=image 1 udptl t38\r\n", 304 },
	{ "switched off", &strict, HEAD "m=audio 1 RTP/AVP 8\r\nm=video 0 RTP/AVP 99\r\n", 0 },
	{ "another codec beside", &strict, HEAD "m=audio 1 RTP/AVP 8 0\r\n", 305 },
	{ "another clock", &strict, HEAD "m=audio 1 RTP/AVP 96\r\na=rtpmap:96 AMR-WB/8000\r\n", 305 },
	{ "a payload type that nobody explains", &strict, HEAD "m=audio 1 RTP/AVP 96\r\n", 305 },
	{ "too much", &strict, HEAD "m=audio 1 RTP/AVP 8\r\nb=AS:65\r\n", 370 },
	{ "what cannot be read", &strict, "nonsense", 399 }, { "none", &strict, "", 0 },
};

START_TEST(test_row)
{
	struct sdp_fault f = { 0 };
	bool good = sdp_policy_allows(rows[_i].p, str_from_c(rows[_i].sdp), &f);

	ck_assert_msg(good == (rows[_i].warning == 0) && f.warning == rows[_i].warning, "%s: %u", rows[_i].name, f.warning);
}
END_TEST

START_TEST(test_many_formats)		/* a bound refuses, it does not leave out what is behind it */
{
	struct sdp_fault f = { 0 };
	struct buf b;

	buf_init(&b, 65536);
	buf_puts(&b, HEAD "m=audio 1 RTP/AVP");
	for (unsigned i = 0; i < SDP_POLICY_MAX_FORMATS + (unsigned)_i; i++)
		buf_puts(&b, "  8");
	buf_puts(&b, "\r\n");
	ck_assert(sdp_policy_allows(&strict, buf_str(&b), &f) == (_i == 0));
	ck_assert_uint_eq(f.warning, _i ? 399 : 0);
	ck_assert(sdp_policy_allows(&all, buf_str(&b), &f));
	buf_fini(&b);
}
END_TEST

START_TEST(test_refused)		/* 488 with Warning, and what would pass; the same offer from the core */
{
	static const char *const from_to = "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", *const sdp = "Content-Type: application/sdp\n";
	static const char *const offer = "v=0\no=- 1 1 IN IP4 1\ns=-\nc=IN IP4 10.9.0.1\nt=0 0\nm=audio 5000 RTP/AVP 0\n";
	char path[256], extra[512];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, "  media: {types: [audio], codecs: [\"AMR-WB/16000\"]}\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	rig_request_body(&r, ALICE, "INVITE", "sip:bob@home", from_to, "c1", "Contact: <sip:alice@10.9.0.1:5060>\n", sdp, offer);
	s = rig_expect_status(&r, 488, ALICE);
	ck_assert_msg(rig_contains(s, "Warning: 305 "), "%s", rig_hdr(s, "Warning"));
	ck_assert_str_eq(rig_hdr(s, "Content-Type"), "application/sdp");
	ck_assert(rig_contains(s, "a=rtpmap:96 AMR-WB/16000\r\n") && !rig_contains(s, "m=video"));
	snprintf(extra, sizeof(extra), "Route: %s\n", path);
	rig_request_body(&r, SCSCF, "INVITE", "sip:alice@10.9.0.1:5060", from_to, "c2", extra, sdp, offer);
	rig_expect_status(&r, 488, SCSCF);
	rig_request_body(&r, ALICE, "MESSAGE", "sip:bob@home", from_to, "c3", "", "Content-Type: text/plain\n", "hello\n");
	rig_expect(&r, "MESSAGE", SCSCF);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("sdp_policy", TEST_ROWS(test_row, rows), { &(test_many_formats), 2 }, TEST_ONE(test_refused))
