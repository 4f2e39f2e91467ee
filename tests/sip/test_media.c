/* tests/sip/test_media.c - from offer and answer to components: TS 29.213 §6.2, TS 29.214 annex A; rows Q2 Q3. */
#include <stdio.h>
#include "common/sip/media.h"
#include "tests/check.h"

#define HEAD "v=0\r\no=- 1 1 IN IP4 1\r\ns=-\r\n"
#define UE HEAD "c=IN IP4 10.45.0.2\r\nt=0 0\r\n"
#define FAR HEAD "c=IN IP4 10.46.0.9\r\nt=0 0\r\n"

/* One line per component: number, type, way, rates, and each flow as it goes to the phone. */
static void print(const struct media_set *s, char dst[2048])
{
	size_t l = 0;
	char rule[MEDIA_RULE_STRLEN];

	dst[0] = '\0';
	for (unsigned i = 0; i < s->n; i++) {
		const struct media_component *c = &s->c[i];

		l += (size_t)snprintf(dst + l, 2048 - l, "%u %s %s ul %d dl %d rs %d rr %d", c->number, media_type_name(c->type),
				      media_way_name(c->way), (int)c->ul_bps, (int)c->dl_bps, (int)c->rs_bps, (int)c->rr_bps);
		for (unsigned f = 0; f < c->n_flows; f++)
			l += (size_t)snprintf(dst + l, 2048 - l, "; %s%s", c->flow[f].rtcp ? "rtcp " : "",
					      media_rule(&c->flow[f], true, rule) + strlen("permit out "));
		l += (size_t)snprintf(dst + l, 2048 - l, "\n");
	}
}

static void derive(const char *ue, const char *remote, bool ue_offered, struct media_set *ret)
{
	struct sdp u, r;

	ck_assert_int_eq(sdp_parse(str_from_c(ue), &u, NULL), 0);
	ck_assert_int_eq(sdp_parse(str_from_c(remote), &r, NULL), 0);
	media_derive(&u, &r, ue_offered, ret);
}

static const struct { const char *name, *ue, *remote; bool ue_offered; const char *want; } rows[] = {
	{ "VoLTE, b= of both", UE "m=audio 5000 RTP/AVP 96\r\nb=AS:41\r\nb=RS:600\r\nb=RR:2000\r\na=rtpmap:96 AMR-WB/16000\r\n",
	  FAR "m=audio 4000 RTP/AVP 96\r\nb=AS:38\r\nb=RS:700\r\na=rtpmap:96 AMR-WB/16000\r\n", true,
	  "1 AUDIO ENABLED ul 38000 dl 41000 rs 700 rr 2000; 17 from 10.46.0.9 4000 to 10.45.0.2 5000; rtcp 17 from 10.46.0.9 4001 to 10.45.0.2 5001\n" },
	{ "no b=: the codecs of the answer", UE "m=audio 5000 RTP/AVP 8 96\r\na=rtpmap:96 AMR/8000\r\n",
	  FAR "m=audio 4000 RTP/AVP 96 101\r\na=rtpmap:96 AMR/8000\r\na=rtpmap:101 telephone-event/8000\r\n", true,
	  "1 AUDIO ENABLED ul 28800 dl 28800 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000; rtcp 17 from 10.46.0.9 4001 to 10.45.0.2 5001\n" },
	{ "a static payload type, the far end offered", UE "m=audio 5000 RTP/AVP 8\r\n", FAR "m=audio 4000 RTP/AVP 8 0\r\n", false,
	  "1 AUDIO ENABLED ul 80000 dl 80000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000; rtcp 17 from 10.46.0.9 4001 to 10.45.0.2 5001\n" },
	{ "a codec that nobody knows", UE "m=video 5000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n", FAR "m=video 4000 RTP/AVP 99\r\n", true,
	  "1 VIDEO ENABLED ul -1 dl -1 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000; rtcp 17 from 10.46.0.9 4001 to 10.45.0.2 5001\n" },
	{ "RFC 5761 both want rtcp-mux", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:1\r\na=rtcp-mux\r\n", FAR "m=audio 4000 RTP/AVP 0\r\nb=AS:2\r\na=rtcp-mux\r\n",
	  true, "1 AUDIO ENABLED ul 2000 dl 1000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n" },
	{ "RFC 3605 a=rtcp; mux refused", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:1\r\na=rtcp:5555\r\na=rtcp-mux\r\n", FAR "m=audio 4000 RTP/AVP 0\r\nb=AS:2\r\n",
	  true, "1 AUDIO ENABLED ul 2000 dl 1000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000; rtcp 17 from 10.46.0.9 4001 to 10.45.0.2 5555\n" },
	{ "RFC 3556 no RTCP", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:1\r\nb=RS:0\r\nb=RR:0\r\n", FAR "m=audio 4000 RTP/AVP 0\r\nb=AS:2\r\nb=RS:0\r\nb=RR:0\r\n",
	  true, "1 AUDIO ENABLED ul 2000 dl 1000 rs 0 rr 0; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n" },
	{ "the phone holds", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:1\r\na=rtcp-mux\r\na=sendonly\r\n", FAR "m=audio 4000 RTP/AVP 0\r\nb=AS:2\r\na=rtcp-mux\r\na=recvonly\r\n",
	  true, "1 AUDIO ENABLED-UPLINK ul 2000 dl 1000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n" },
	{ "it is held", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:1\r\na=rtcp-mux\r\na=recvonly\r\n", FAR "m=audio 4000 RTP/AVP 0\r\nb=AS:2\r\na=rtcp-mux\r\na=sendonly\r\n",
	  false, "1 AUDIO ENABLED-DOWNLINK ul 2000 dl 1000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n" },
	{ "both hold", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:1\r\na=rtcp-mux\r\na=inactive\r\n", FAR "m=audio 4000 RTP/AVP 0\r\nb=AS:2\r\na=rtcp-mux\r\na=inactive\r\n",
	  false, "1 AUDIO DISABLED ul 2000 dl 1000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n" },
	{ "held by 0.0.0.0", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:1\r\na=rtcp-mux\r\n", HEAD "c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\nb=AS:2\r\na=rtcp-mux\r\n",
	  true, "1 AUDIO ENABLED-DOWNLINK ul 2000 dl 1000 rs -1 rr -1; 17 from any to 10.45.0.2 5000\n" },
	{ "IPv6", HEAD "c=IN IP6 2001:db8::2\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\na=rtcp-mux\r\n", HEAD "c=IN IP6 2001:db8::9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtcp-mux\r\n",
	  true, "1 AUDIO ENABLED ul 88000 dl 88000 rs -1 rr -1; 17 from 2001:db8::9 4000 to 2001:db8::2 5000\n" },
	{ "video refused, a message line over TCP", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:1\r\na=rtcp-mux\r\nm=video 6000 RTP/AVP 99\r\nm=message 7000 TCP/MSRP *\r\n",
	  FAR "m=audio 4000 RTP/AVP 0\r\nb=AS:2\r\na=rtcp-mux\r\nm=video 0 RTP/AVP 99\r\nm=message 4100 TCP/MSRP *\r\n", true,
	  "1 AUDIO ENABLED ul 2000 dl 1000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n"
	  "3 MESSAGE ENABLED ul -1 dl -1 rs -1 rr -1; 6 from 10.46.0.9 4100 to 10.45.0.2 7000\n" },
	{ "T.38 is no type of the specification", UE "m=image 5000 udptl t38\r\n", FAR "m=image 4000 udptl t38\r\n", true,
	  "1 OTHER ENABLED ul -1 dl -1 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n" },
	{ "a host name", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:1\r\na=rtcp-mux\r\n", HEAD "c=IN IP4 media.far\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\nb=AS:2\r\na=rtcp-mux\r\n", true,
	  "1 AUDIO ENABLED ul 2000 dl 1000 rs -1 rr -1; 17 from any to 10.45.0.2 5000\n" },
	{ "absurd b=AS", UE "m=audio 5000 RTP/AVP 0\r\nb=AS:4294967295\r\na=rtcp-mux\r\n", FAR "m=audio 4000 RTP/AVP 0\r\nb=AS:4294967294\r\na=rtcp-mux\r\n", true,
	  "1 AUDIO ENABLED ul -2 dl 80000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n" },
	{ "an answer with fewer lines", UE "m=audio 5000 RTP/AVP 0\r\n", FAR, true, "" },
};

START_TEST(test_row)
{
	char got[2048];
	struct media_set s;

	derive(rows[_i].ue, rows[_i].remote, rows[_i].ue_offered, &s);
	print(&s, got);
	ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s:\n%swanted\n%s", rows[_i].name, got, rows[_i].want);
}
END_TEST

#define A(port, more) "m=audio " port " RTP/AVP 0\r\nb=AS:64\r\na=rtcp-mux\r\n" more
#define V(port) "m=video " port " RTP/AVP 99\r\nb=AS:500\r\na=rtcp-mux\r\n"

static const struct { const char *name, *ue, *remote, *ue2, *remote2, *want; } changes[] = {		/* row Q3: only what changed */
	{ "nothing", UE A("5000", ""), FAR A("4000", ""), UE A("5000", ""), FAR A("4000", ""), "" },
	{ "o= and attributes of no weight", UE A("5000", ""), FAR A("4000", ""), "v=0\r\no=- 1 2 IN IP4 1\r\ns=-\r\nc=IN IP4 10.45.0.2\r\nt=0 0\r\n" A("5000", "a=curr:qos local sendrecv\r\n"), FAR A("4000", ""), "" },
	{ "hold", UE A("5000", ""), FAR A("4000", ""), UE A("5000", "a=sendonly\r\n"), FAR A("4000", "a=recvonly\r\n"),
	  "1 AUDIO ENABLED-UPLINK ul 64000 dl 64000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n" },
	{ "video added", UE A("5000", ""), FAR A("4000", ""), UE A("5000", "") V("6000"), FAR A("4000", "") V("4100"),
	  "2 VIDEO ENABLED ul 500000 dl 500000 rs -1 rr -1; 17 from 10.46.0.9 4100 to 10.45.0.2 6000\n" },
	{ "video dropped", UE A("5000", "") V("6000"), FAR A("4000", "") V("4100"), UE A("5000", "") V("0"), FAR A("4000", "") V("0"),
	  "2 VIDEO REMOVED ul -1 dl -1 rs -1 rr -1\n" },
	{ "another port", UE A("5000", ""), FAR A("4000", ""), UE A("5000", ""), FAR A("4002", ""),
	  "1 AUDIO ENABLED ul 64000 dl 64000 rs -1 rr -1; 17 from 10.46.0.9 4002 to 10.45.0.2 5000\n" },
	{ "another codec", UE A("5000", ""), FAR A("4000", ""), UE A("5000", ""), FAR "m=audio 4000 RTP/AVP 8\r\nb=AS:64\r\na=rtcp-mux\r\n",
	  "1 AUDIO ENABLED ul 64000 dl 64000 rs -1 rr -1; 17 from 10.46.0.9 4000 to 10.45.0.2 5000\n" },
};

START_TEST(test_change)
{
	char got[2048];
	struct media_set had, now, diff;

	derive(changes[_i].ue, changes[_i].remote, true, &had);
	derive(changes[_i].ue2, changes[_i].remote2, true, &now);
	media_forget_texts(&had);
	media_diff(&had, &now, &diff);
	print(&diff, got);
	ck_assert_msg(strcmp(got, changes[_i].want) == 0, "%s:\n%swanted\n%s", changes[_i].name, got, changes[_i].want);
}
END_TEST

START_TEST(test_rules)		/* the two spellings that peers read: from the phone, to the phone */
{
	struct media_set s;
	char in[MEDIA_RULE_STRLEN], out[MEDIA_RULE_STRLEN];

	derive(UE A("5000", ""), FAR A("4000", ""), true, &s);
	ck_assert_str_eq(media_rule(&s.c[0].flow[0], false, in), "permit in 17 from 10.45.0.2 5000 to 10.46.0.9 4000");
	ck_assert_str_eq(media_rule(&s.c[0].flow[0], true, out), "permit out 17 from 10.46.0.9 4000 to 10.45.0.2 5000");
}
END_TEST

/* Each format costs a look through the block: the first 32 count for the rate, what stands behind them does not. */
START_TEST(test_many_formats)
{
	struct media_set set;
	char far[512];
	size_t l = (size_t)snprintf(far, sizeof(far), FAR "m=audio 4000 RTP/AVP");

	for (int i = 0; i < 31 + _i; i++)
		l += (size_t)snprintf(far + l, sizeof(far) - l, " 18");
	snprintf(far + l, sizeof(far) - l, " 0\r\n");
	derive(UE "m=audio 5000 RTP/AVP 18 0\r\n", far, true, &set);
	ck_assert_uint_eq(set.n, 1);
	ck_assert_uint_eq(set.c[0].ul_bps, _i ? 24000 : 80000);
}
END_TEST

TEST_MAIN("media", TEST_ROWS(test_row, rows), TEST_ROWS(test_change, changes), TEST_ONE(test_rules), { &(test_many_formats), 2 })
