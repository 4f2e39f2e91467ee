/* tests/ue/test_sdp.c - offers and answers.  RFC 3264 §6.1, §8.4; RFC 3312 §5; TS 24.229 §6.1. */
#include <errno.h>
#include <stdio.h>
#include "tests/check.h"
#include "tests/ue/sdp.h"

static struct session make(const char *host, uint16_t port, bool precond)
{
	struct session s;
	struct addr a;

	ck_assert_int_eq(addr_parse(str_from_c(host), port, &a), 0);
	session_init(&s, &a, precond);
	return s;
}

static struct buf text(void)
{
	struct buf b;

	buf_init(&b, SDP_MAX_BYTES);
	return b;
}

static bool has(const struct buf *b, const char *line)
{
	return str_find(buf_str(b), str_from_c(line)) >= 0;
}

/* a offers, b answers; both read each other's text. */
static void meet(struct session *a, struct session *b)
{
	struct buf offer = text(), answer = text();

	session_offer(a, &offer);
	ck_assert_int_eq(session_answer(b, buf_str(&offer), &answer), 0);
	ck_assert_int_eq(session_take_answer(a, buf_str(&answer)), 0);
	buf_fini(&offer);
	buf_fini(&answer);
}

#define HEAD "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n"

static const struct { const char *name, *offer; int rc; const char *codec; unsigned pt, dtmf; const char *line; } answers[] = {
	{ "first of theirs that we speak", HEAD "m=audio 4000 RTP/AVP 18 97 96\r\na=rtpmap:97 AMR/8000\r\na=rtpmap:96 AMR-WB/16000/1\r\n",
	  0, "AMR", 97, 0, "m=audio 40000 RTP/AVP 97\r\n" },
	{ "channels in the map", HEAD "m=audio 4000 RTP/AVP 110\r\na=rtpmap:110 amr-wb/16000/1\r\n", 0, "AMR-WB", 110, 0,
	  "a=rtpmap:110 AMR-WB/16000\r\n" },
	{ "static type without a map", HEAD "m=audio 4000 RTP/AVP 8\r\n", 0, "PCMA", 8, 0, "a=rtpmap:8 PCMA/8000" },
	{ "static type mapped to another", HEAD "m=audio 4000 RTP/AVP 8 0\r\na=rtpmap:8 opus/48000\r\n", 0, "PCMU", 0, 0, "AVP 0\r\n" },
	{ "events at the codec's clock", HEAD "m=audio 4000 RTP/AVP 96 100 101\r\na=rtpmap:96 AMR-WB/16000\r\n"
	  "a=rtpmap:100 telephone-event/8000\r\na=rtpmap:101 telephone-event/16000\r\n", 0, "AMR-WB", 96, 101,
	  "a=rtpmap:101 telephone-event/16000" },
	{ "video is refused in its place", HEAD "m=video 5000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\nm=audio 4000 RTP/AVP 0\r\n", 0,
	  "PCMU", 0, 0, "m=video 0 RTP/AVP 99\r\nm=audio 40000" },
	{ "no codec of ours", HEAD "m=audio 4000 RTP/AVP 18\r\n", -ENOTSUP, NULL, 0, 0, NULL },
	{ "no audio", HEAD "m=message 4000 TCP/MSRP *\r\n", -ENOTSUP, NULL, 0, 0, NULL },
	{ "audio switched off", HEAD "m=audio 0 RTP/AVP 0\r\n", -ENOTSUP, NULL, 0, 0, NULL },
	{ "no SDP", "hello", -EBADMSG, NULL, 0, 0, NULL },
};

START_TEST(test_answer_row)
{
	struct session s = make("10.0.0.1", 40000, true);
	struct buf b = text();
	int rc = session_answer(&s, str_from_c(answers[_i].offer), &b);

	ck_assert_msg(rc == answers[_i].rc, "%s: rc %d", answers[_i].name, rc);
	if (rc == 0) {
		ck_assert_msg(!strcmp(s.codec->name, answers[_i].codec) && s.pt == answers[_i].pt && s.dtmf_pt == answers[_i].dtmf,
			      "%s: %s %u %u", answers[_i].name, s.codec->name, s.pt, s.dtmf_pt);
		ck_assert_msg(has(&b, answers[_i].line), "%s:\n%.*s", answers[_i].name, STR_ARG(buf_str(&b)));
		ck_assert_msg(!s.precond && !has(&b, "a=curr"), "%s: preconditions that nobody offered", answers[_i].name);
	} else {
		ck_assert_msg(!s.agreed && !s.codec, "%s: a refused offer changes nothing", answers[_i].name);
	}
	buf_fini(&b);
}
END_TEST

/* What they declare, what we want, what it comes to: RFC 3264 §6.1; row "0.0.0.0": §8.4. */
static const struct { const char *theirs, *conn; enum sdp_dir want, dir; const char *line; bool sends; } dirs[] = {
	{ "sendrecv", "10.0.0.9", SDP_SENDRECV, SDP_SENDRECV, "a=sendrecv", true },
	{ "sendonly", "10.0.0.9", SDP_SENDRECV, SDP_RECVONLY, "a=recvonly", false },
	{ "recvonly", "10.0.0.9", SDP_SENDRECV, SDP_SENDONLY, "a=sendonly", true },
	{ "inactive", "10.0.0.9", SDP_SENDRECV, SDP_INACTIVE, "a=inactive", false },
	{ "sendrecv", "10.0.0.9", SDP_SENDONLY, SDP_SENDONLY, "a=sendonly", true },
	{ "sendonly", "10.0.0.9", SDP_SENDONLY, SDP_INACTIVE, "a=inactive", false },
	{ "sendrecv", "0.0.0.0",  SDP_SENDRECV, SDP_INACTIVE, "a=inactive", false },
};

START_TEST(test_dir_row)
{
	struct session s = make("10.0.0.1", 40000, false);
	char offer[512];
	struct buf b = text();

	s.want = dirs[_i].want;
	snprintf(offer, sizeof(offer), "v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=%s\r\n",
		 dirs[_i].conn, dirs[_i].theirs);
	ck_assert_int_eq(session_answer(&s, str_from_c(offer), &b), 0);
	ck_assert_msg(s.dir == dirs[_i].dir && has(&b, dirs[_i].line) && session_sends(&s) == dirs[_i].sends, "row %d:\n%.*s", _i,
		      STR_ARG(buf_str(&b)));
	buf_fini(&b);
}
END_TEST

/* The whole way of TS 24.229 §5.1.3.1 and §5.1.4.1 with both segments mandatory. */
START_TEST(test_preconditions)
{
	struct session a = make("10.0.0.1", 40000, true), b = make("10.0.0.2", 40000, true);
	struct buf offer = text(), answer = text();

	session_offer(&a, &offer);
	ck_assert(has(&offer, "a=curr:qos local none\r\na=curr:qos remote none\r\na=des:qos mandatory local sendrecv\r\n"
		      "a=des:qos optional remote sendrecv\r\n"));
	ck_assert(session_offers_precond(buf_str(&offer)));
	ck_assert_int_eq(session_answer(&b, buf_str(&offer), &answer), 0);
	ck_assert(has(&answer, "a=curr:qos local none\r\na=curr:qos remote none\r\n"));
	ck_assert(has(&answer, "a=conf:qos remote sendrecv"));
	ck_assert_int_eq(session_take_answer(&a, buf_str(&answer)), 0);
	ck_assert(!session_precond_met(&a) && !session_precond_met(&b));
	a.local_ready = b.local_ready = true;
	ck_assert(!session_precond_met(&b));
	meet(&a, &b);					/* the UPDATE */
	ck_assert(session_precond_met(&a) && session_precond_met(&b));
	buf_fini(&offer);
	buf_fini(&answer);
}
END_TEST

/* One side knows nothing of them: then nobody waits. */
static const struct { const char *name; bool a, b; } mixed[] = {
	{ "offerer only", true, false }, { "answerer only", false, true }, { "neither", false, false },
};

START_TEST(test_precond_mixed_row)
{
	struct session a = make("10.0.0.1", 40000, mixed[_i].a), b = make("10.0.0.2", 40000, mixed[_i].b);

	meet(&a, &b);
	ck_assert_msg(!a.precond && !b.precond && session_precond_met(&a) && session_precond_met(&b), "%s", mixed[_i].name);
}
END_TEST

START_TEST(test_hold_and_resume)
{
	struct session a = make("10.0.0.1", 40000, false), b = make("::1", 40002, false);

	meet(&a, &b);
	ck_assert(session_sends(&a) && session_sends(&b));
	ck_assert_uint_eq(addr_port(&a.remote), 40002);
	ck_assert_int_eq(a.remote.sa.sa_family, AF_INET6);
	a.want = SDP_SENDONLY;
	meet(&a, &b);
	ck_assert(a.dir == SDP_SENDONLY && b.dir == SDP_RECVONLY && !session_sends(&b));
	a.want = SDP_SENDRECV;
	meet(&a, &b);
	ck_assert(session_sends(&a) && session_sends(&b));
	ck_assert_uint_gt(a.version, 2);		/* RFC 3264 §8: it grows */
}
END_TEST

TEST_MAIN("ue_sdp", TEST_ROWS(test_answer_row, answers), TEST_ROWS(test_dir_row, dirs), TEST_ONE(test_preconditions),
	  TEST_ROWS(test_precond_mixed_row, mixed), TEST_ONE(test_hold_and_resume))
