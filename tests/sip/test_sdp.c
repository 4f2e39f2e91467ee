/* tests/sip/test_sdp.c - session descriptions: RFC 4566 §5, RFC 3312; REG-12. */
#include <errno.h>
#include <stdlib.h>
#include "common/sip/sdp.h"
#include "tests/check.h"

#define OFFER "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nb=AS:90\r\nt=0 0\r\na=recvonly\r\n" \
	"m=audio 50010 RTP/AVP 116 107\r\nb=AS:49\r\nb=RS:600\r\nb=RR:2000\r\na=rtpmap:116 EVS/16000/1\r\na=fmtp:116 br=5.9-24.4\r\n" \
	"a=curr:qos local none\r\na=curr:qos remote none\r\na=des:qos mandatory local sendrecv\r\na=des:qos optional remote sendrecv\r\n" \
	"a=sendrecv\r\na=rtcp:53020\r\n" \
	"m=video 0 RTP/AVP 99\r\nc=IN IP6 2001:db8::1\r\na=rtcp-mux\r\n"

START_TEST(test_volte_offer)
{
	struct sdp s;
	struct str v;
	size_t pos = 0;

	ck_assert_int_eq(sdp_parse(STR(OFFER), &s, NULL), 0);
	ck_assert_uint_eq(s.n_media, 2);
	ck_assert_uint_eq(s.as_kbps, 90);
	ck_assert(str_eq_c(s.media[0].type, "audio") && s.media[0].port == 50010 && s.media[0].rtcp_port == 53020);
	ck_assert(s.media[0].dir == SDP_SENDRECV && s.media[0].as_kbps == 49 && s.media[0].rs_bps == 600 && s.media[0].rr_bps == 2000);
	ck_assert(str_eq_c(s.media[0].conn, "10.0.0.1") && !s.media[0].conn_ip6);
	ck_assert(str_eq_c(s.media[0].curr_local, "none") && str_eq_c(s.media[0].des_local, "mandatory local sendrecv"));
	ck_assert(str_eq_c(s.media[0].des_remote, "optional remote sendrecv"));
	ck_assert(s.media[1].port == 0 && s.media[1].dir == SDP_RECVONLY && s.media[1].conn_ip6 && s.media[1].rtcp_mux);
	ck_assert(sdp_attr_next(s.media[0].text, "rtpmap", &pos, &v) && str_eq_c(v, "116 EVS/16000/1"));
	ck_assert(!sdp_attr_next(s.media[0].text, "rtpmap", &pos, &v));
	pos = 0;
	ck_assert(!sdp_attr_next(s.media[1].text, "rtpmap", &pos, &v));
}
END_TEST

static const struct { const char *in; int rc; size_t off; } bad[] = {
	{ "v=0\no=x\n", 0, 0 }, { "v=0\r\n\r\nm=a 1 x 1\r\n", -EBADMSG, 0 }, { "", -EBADMSG, 0 }, { "s=-\r\n", -EBADMSG, 0 },
	{ "v=1\r\n", -EBADMSG, 0 }, { "v=0\r\nb=AS\r\n", -EBADMSG, 5 }, { "v=0\r\nb=AS:x\r\n", -EBADMSG, 5 },
	{ "v=0\r\nm=audio 70000 RTP/AVP 0\r\n", -EBADMSG, 5 }, { "v=0\r\nm=audio 1 RTP/AVP\r\n", -EBADMSG, 5 },
	{ "v=0\r\nm=audio 1/0 RTP/AVP 0\r\n", -EBADMSG, 5 }, { "v=0\r\nc=IN IP5 1\r\n", -EBADMSG, 5 }, { "v=0\r\nc=IN IP4\r\n", -EBADMSG, 5 },
	{ "v=0\r\nnonsense\r\n", -EBADMSG, 5 }, { "v=0\r\na=\r\n", 0, 0 }, { "v=0\r\nm=a 1 x 1\r\na=rtcp:z\r\n", -EBADMSG, 16 },
};

START_TEST(test_bad_row)
{
	struct sdp s;
	size_t off = 99;
	int rc = sdp_parse(str_from_c(bad[_i].in), &s, &off);

	ck_assert_msg(rc == bad[_i].rc, "row %d: %d", _i, rc);
	if (rc == -EBADMSG && bad[_i].off)
		ck_assert_uint_eq(off, bad[_i].off);
}
END_TEST

START_TEST(test_reg_12_truncated_everywhere)
{
	static const char text[] = OFFER;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		char *exact = malloc(n ? n : 1);
		struct sdp s;
		int rc;

		memcpy(exact, text, n);
		rc = sdp_parse(str_make(exact, n), &s, NULL);
		ck_assert(rc == 0 || rc == -EBADMSG);
		for (unsigned i = 0; i < s.n_media; i++) {
			struct str v;
			size_t pos = 0;

			while (sdp_attr_next(s.media[i].text, "rtpmap", &pos, &v))
				ck_assert(v.l == 0 || (v.p >= exact && v.p + v.l <= exact + n));
		}
		free(exact);
	}
}
END_TEST

START_TEST(test_too_many_media)
{
	char text[1024] = "v=0\n";
	struct sdp s;

	for (int i = 0; i < SDP_MAX_MEDIA; i++)
		strncat(text, "m=a 1 x 1\n", sizeof(text) - strlen(text) - 1);
	ck_assert_int_eq(sdp_parse(str_from_c(text), &s, NULL), 0);
	strncat(text, "m=a 1 x 1\n", sizeof(text) - strlen(text) - 1);
	ck_assert_int_eq(sdp_parse(str_from_c(text), &s, NULL), -ENOSPC);
}
END_TEST

TEST_MAIN("sdp", TEST_ONE(test_volte_offer), TEST_ROWS(test_bad_row, bad), TEST_ONE(test_reg_12_truncated_everywhere),
	  TEST_ONE(test_too_many_media))
