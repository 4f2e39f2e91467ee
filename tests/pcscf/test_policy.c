/* tests/pcscf/test_policy.c - policy control of calls with a backend that the test plays: TS 24.229 §5.2.7, §5.2.8; TS 29.214 §4.4,
 * annex A, annex B; rows Q2 Q3 Q4 Q5 Q6 Q7 Q9 P18. */
#include <stdio.h>
#include <string.h>
#include "pcscf/policy.h"
#include "pcscf/session.h"
#include "tests/pcscf/rig.h"

#define RX(more) "  reg_event: false\npolicy: {mode: rx" more "}\ndiameter: {identity: pcscf.home}\n"
#define SDP(ip, media) "Content-Type: application/sdp\n", "v=0\no=- 1 1 IN IP4 " ip "\ns=-\nc=IN IP4 " ip "\nt=0 0\n" media
#define AUDIO(port) "m=audio " port " RTP/AVP 0\nb=AS:64\na=rtcp-mux\n"
#define VIDEO(port) "m=video " port " RTP/AVP 99\nb=AS:500\na=rtcp-mux\n"
#define OFFER SDP("10.9.0.1", AUDIO("5000"))
#define ANSWER SDP("10.46.0.9", AUDIO("4000"))
#define FLOW "1 AUDIO ENABLED permit out 17 from 10.46.0.9 4000 to 10.9.0.1 5000"

/* ---- the network that the test plays ---- */

static struct {
	struct call *call;
	unsigned asked, ended, opened;
	uint64_t number;		/* of the last question */
	struct policy_question q;
	char media[1024];		/* a line per component: number, type, way, first flow to the phone */
	size_t text_octets;		/* of the descriptions of all components */
} net;

static void *net_open(struct pcscf_worker *pw, struct call *c)
{
	(void)pw;
	net.call = c;
	net.opened++;
	return &net;
}

static bool net_ask(void *session, const struct policy_question *q)
{
	char rule[MEDIA_RULE_STRLEN];
	size_t l = 0;

	(void)session;
	net.asked++;
	net.q = *q;
	net.number = q->number;
	net.media[0] = '\0';
	net.text_octets = 0;
	for (unsigned i = 0; i < q->media->n; i++) {
		const struct media_component *c = &q->media->c[i];

		/* A backend reads the descriptions: they must still be there (a sanitizer sees to it). */
		for (size_t k = 0; k < c->ue_text.l; k++)
			net.text_octets += c->ue_text.p[k] != '\0';
		for (size_t k = 0; k < c->remote_text.l; k++)
			net.text_octets += c->remote_text.p[k] != '\0';
		l += (size_t)snprintf(net.media + l, sizeof(net.media) - l, "%s%u %s %s%s%s", i ? "\n" : "", c->number,
				      media_type_name(c->type), media_way_name(c->way), c->n_flows ? " " : "",
				      c->n_flows ? media_rule(&c->flow[0], true, rule) : "");
	}
	return true;
}

static void net_end(void *session)
{
	(void)session;
	net.ended++;
	net.call = NULL;
}

static const char *net_id(const void *session)
{
	(void)session;
	return "test";
}

static const struct policy_backend backend = { .name = "test", .open = net_open, .ask = net_ask, .end = net_end, .id = net_id };

static void says(enum policy_verdict v, bool media)
{
	const struct policy_answer a = { .verdict = v, .code = 5063, .media = media, .cause = "NOT_AUTHORIZED",
					 .reason = STR("DIAMETER;cause=5063;text=\"NOT_AUTHORIZED\"") };

	policy_answered(net.call, net.number, &a);
}

static void wants(unsigned asked, const char *media)
{
	ck_assert_msg(net.asked == asked, "asked %u times: %s", net.asked, net.media);
	if (media)
		ck_assert_str_eq(net.media, media);
}

/* ---- messages ---- */

static char path[256];
static struct rig_sent *invite;

static void request(struct rig *r, const char *from, const char *method, const char *ruri, const char *from_to, const char *extra,
		    const char *type, const char *body)
{
	rig_request_body(r, from, method, ruri, from_to, "c1", extra, type, body);
}

static void reply(struct rig *r, const struct rig_sent *to, unsigned status, const char *tag, const char *extra, const char *type,
		  const char *body)
{
	rig_reply_body(r, to, status, tag, extra, type, body);
}

#define A_TO_B "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n"

static const char *rr_back(const char *extra)		/* the Record-Route of the INVITE as it went, with the core's above it */
{
	static char text[1024];

	snprintf(text, sizeof(text), "Contact: <sip:bob@10.46.0.9>\nRecord-Route: <sip:s@10.0.0.30:6060;lr>, %s\n%s", rig_hdr(invite, "Record-Route"), extra);
	return text;
}

/* params: of the REGISTER's Contact, and lines behind it; or NULL. */
static void begin_as(struct rig *r, const char *config, const char *params)
{
	memset(&net, 0, sizeof(net));
	rig_init_policy(r, config, 1, &backend);
	rig_register(r, "alice", ALICE, NULL, params, path);
	request(r, ALICE, "INVITE", "sip:bob@home", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	invite = rig_expect(r, "INVITE", SCSCF);
	wants(0, NULL);
}

static void begin(struct rig *r, const char *config)
{
	begin_as(r, config, NULL);
}

static void answer(struct rig *r, unsigned status, const char *extra)
{
	reply(r, invite, status, "T", rr_back(extra), ANSWER);
}

static void confirmed(struct rig *r, const char *config)
{
	begin(r, config);
	answer(r, 183, "");
	says(POLICY_YES, false);
	rig_expect_status(r, 183, ALICE);
	answer(r, 200, "");
	rig_expect_status(r, 200, ALICE);
	wants(1, NULL);
}

/* Of the route set: what a phone puts into a request within the dialog. */
static void in_dialog(struct rig *r, const char *method, const char *type, const char *body)
{
	char extra[1024], rr[512];

	snprintf(rr, sizeof(rr), "%s", rig_hdr(invite, "Record-Route"));
	snprintf(extra, sizeof(extra), "Route: %s, <sip:s@10.0.0.30:6060;lr>\n%s", rr, strcmp(method, "INVITE") ? "" : "Contact: <sip:alice@10.9.0.1:5060>\n");
	request(r, ALICE, method, "sip:bob@10.46.0.9", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", extra, type, body);
}

/* BYE of the phone, and what the far end says to it. */
static void bye(struct rig *r, unsigned status)
{
	in_dialog(r, "BYE", "", "");
	rig_reply(r, rig_expect(r, "BYE", SCSCF), status, NULL);
	rig_expect_status(r, status, ALICE);
}

/* ---- the order of things: row P18 ---- */

START_TEST(test_timeline)
{
	struct rig r;

	begin(&r, RX(""));
	answer(&r, 183, "");
	rig_none(&r);
	wants(1, FLOW);
	ck_assert(net.q.first && !net.q.final && !net.q.several);
	answer(&r, 180, "");			/* may not overtake it */
	answer(&r, 183, "");			/* comes again */
	rig_none(&r);
	says(POLICY_YES, false);
	rig_expect_status(&r, 183, ALICE);
	rig_expect_status(&r, 180, ALICE);
	answer(&r, 200, "");			/* says the same: no question */
	rig_expect_status(&r, 200, ALICE);
	wants(1, NULL);
	ck_assert_uint_eq(net.ended, 0);
	bye(&r, 200);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
	ck_assert_uint_eq(net.ended, 1);
}
END_TEST

START_TEST(test_called)			/* the phone is the callee: its own answer */
{
	struct rig r;
	char extra[512];

	memset(&net, 0, sizeof(net));
	rig_init_policy(&r, RX(""), 1, &backend);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	snprintf(extra, sizeof(extra), "Route: %s\nContact: <sip:bob@10.46.0.9>\nRecord-Route: <sip:s@10.0.0.30:6060;lr>\n", path);
	request(&r, SCSCF, "INVITE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", extra, ANSWER);
	invite = rig_expect(&r, "INVITE", ALICE);
	reply(&r, invite, 200, "T", "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	rig_none(&r);
	wants(1, FLOW);
	ck_assert(net.q.final);
	policy_located(net.call, STR("3GPP-E-UTRAN;utran-cell-id-3gpp=001010001000000a;network-provided"));	/* row Q9 */
	says(POLICY_YES, false);
	ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 200, SCSCF), "P-Access-Network-Info"),
			 "3GPP-E-UTRAN;utran-cell-id-3gpp=001010001000000a;network-provided");
	rig_fini(&r);
}
END_TEST

START_TEST(test_fails_before)		/* busy, 580, nobody: what was not asked is not ended; what was, once */
{
	struct rig r;

	begin(&r, RX(""));
	answer(&r, 183, "");
	says(POLICY_YES, false);
	rig_expect_status(&r, 183, ALICE);
	reply(&r, invite, 580, "T", "", "", "");
	rig_expect(&r, "ACK", SCSCF);
	rig_expect_status(&r, 580, ALICE);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
	begin(&r, RX(""));
	reply(&r, invite, 486, "T", "", "", "");
	rig_expect(&r, "ACK", SCSCF);
	rig_expect_status(&r, 486, ALICE);
	ck_assert_uint_eq(net.opened, 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_cancel_while_asked)	/* §4.4.4: the session ends there too, the answer that comes late changes nothing */
{
	struct rig r;

	begin(&r, RX(""));
	answer(&r, 183, "");
	rig_none(&r);
	r.cseq--;
	rig_request_as(&r, ALICE, "CANCEL", "sip:bob@home", A_TO_B, "c1", "");
	rig_expect_status(&r, 200, ALICE);
	rig_expect(&r, "CANCEL", SCSCF);
	reply(&r, invite, 487, "T", "", "", "");
	rig_expect(&r, "ACK", SCSCF);
	rig_expect_status(&r, 487, ALICE);
	rig_none(&r);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

/* ---- no: row Q7 ---- */

static const struct { const char *name, *config; enum policy_verdict v; bool media; unsigned status; } nos[] = {
	{ "the media is not allowed", RX(""), POLICY_NO, true, 488 },
	{ "there is no session of the phone's", RX(""), POLICY_NO, false, 503 },
	{ "nobody answers", RX(", on_silence: refuse"), POLICY_SILENT, false, 503 },
	{ "a no does not count", RX(", on_refused: go_on"), POLICY_NO, true, 183 },
	{ "silence does not count", RX(""), POLICY_SILENT, false, 183 },
};

START_TEST(test_no)
{
	struct rig r;
	struct rig_sent *s;

	begin(&r, nos[_i].config);
	answer(&r, 183, "");
	says(nos[_i].v, nos[_i].media);
	if (nos[_i].status == 183) {
		rig_expect_status(&r, 183, ALICE);
		answer(&r, 200, "");		/* not asked again for the same */
		rig_expect_status(&r, 200, ALICE);
		wants(1, NULL);
	} else {
		s = rig_expect_status(&r, nos[_i].status, ALICE);
		ck_assert_str_eq(rig_hdr(s, "Reason"), "DIAMETER;cause=5063;text=\"NOT_AUTHORIZED\"");
		rig_expect(&r, "CANCEL", SCSCF);
		ck_assert_uint_eq(net.ended, 1);
	}
	rig_fini(&r);
}
END_TEST

START_TEST(test_late)			/* the time budget; what comes after it is noted and no more */
{
	struct rig r;

	begin(&r, RX(", wait_ms: 500"));
	answer(&r, 183, "");
	rig_run(&r, 400);
	rig_none(&r);
	rig_run(&r, 200);
	rig_expect_status(&r, 183, ALICE);
	says(POLICY_NO, true);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

static void dialog(struct rig *r, const char *from, const char *method, const char *from_to, const char *type, const char *body)
{
	char extra[1024];

	if (strcmp(from, ALICE) == 0)
		snprintf(extra, sizeof(extra), "Route: %s, <sip:s@10.0.0.30:6060;lr>\nContact: <sip:alice@10.9.0.1:5060>\n", rig_hdr(invite, "Record-Route"));
	else
		snprintf(extra, sizeof(extra), "Route: %s\nContact: <sip:bob@10.46.0.9>\n", rig_hdr(invite, "Record-Route"));
	request(r, from, method, strcmp(from, ALICE) ? "sip:alice@10.9.0.1:5060" : "sip:bob@10.46.0.9", from_to, extra, type, body);
}

START_TEST(test_late_yes)		/* the session stands there after all: changes belong to it, and its end is told */
{
	struct rig r;
	uint64_t first;

	begin(&r, RX(", wait_ms: 500"));
	answer(&r, 183, "");
	first = net.number;
	rig_run(&r, 600);
	rig_expect_status(&r, 183, ALICE);
	says(POLICY_YES, false);
	answer(&r, 200, "");			/* what it agreed to: no question */
	rig_expect_status(&r, 200, ALICE);
	wants(1, NULL);
	dialog(&r, ALICE, "INVITE", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", SDP("10.9.0.1", AUDIO("5000") VIDEO("6000")));
	reply(&r, rig_expect(&r, "INVITE", SCSCF), 200, "T", "Contact: <sip:bob@10.46.0.9>\n", SDP("10.46.0.9", AUDIO("4000") VIDEO("4100")));
	wants(2, "2 VIDEO ENABLED permit out 17 from 10.46.0.9 4100 to 10.9.0.1 6000");
	ck_assert(!net.q.first && net.number != first);
	says(POLICY_YES, false);
	rig_expect_status(&r, 200, ALICE);
	r.cseq--;
	dialog(&r, ALICE, "ACK", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "", "");
	rig_expect(&r, "ACK", SCSCF);
	bye(&r, 200);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_late_yes_of_a_retry)	/* the first answer comes while the second one is waited for */
{
	struct policy_answer yes = { .verdict = POLICY_YES };
	struct rig r;

	begin(&r, RX(", wait_ms: 500, on_silence: retry"));
	answer(&r, 183, "");
	rig_run(&r, 600);
	wants(2, FLOW);
	policy_answered(net.call, net.number - 1, &yes);
	rig_none(&r);
	says(POLICY_YES, false);
	rig_expect_status(&r, 183, ALICE);
	rig_fini(&r);
}
END_TEST

/* Row Q9: a place goes with what the phone says, whoever called (TS 24.229 §5.2.6.3.3, §5.2.6.4.4). */
START_TEST(test_place_by_direction)
{
	struct rig_sent *s;
	struct rig r;
	bool by_phone = _i;

	confirmed(&r, RX(""));			/* she calls */
	policy_located(net.call, STR("3GPP-E-UTRAN;utran-cell-id-3gpp=00101000100000" "0a;network-provided"));
	if (by_phone) {
		dialog(&r, SCSCF, "INVITE", "From: <sip:bob@home>;tag=T\nTo: <sip:alice@home>;tag=A\n", SDP("10.46.0.9", AUDIO("4000") VIDEO("4100")));
		s = rig_expect(&r, "INVITE", ALICE);
		reply(&r, s, 200, "A", "Contact: <sip:alice@10.9.0.1:5060>\n", SDP("10.9.0.1", AUDIO("5000") VIDEO("6000")));
	} else {
		dialog(&r, ALICE, "INVITE", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", SDP("10.9.0.1", AUDIO("5000") VIDEO("6000")));
		s = rig_expect(&r, "INVITE", SCSCF);
		reply(&r, s, 200, "T", "Contact: <sip:bob@10.46.0.9>\n", SDP("10.46.0.9", AUDIO("4000") VIDEO("4100")));
	}
	wants(2, NULL);
	says(POLICY_YES, false);
	s = rig_expect_status(&r, 200, by_phone ? SCSCF : ALICE);
	ck_assert_msg((rig_hdr(s, "P-Access-Network-Info")[0] != '\0') == by_phone, "%s", rig_hdr(s, "P-Access-Network-Info"));
	rig_fini(&r);
}
END_TEST

START_TEST(test_retry)			/* once more, and then it is a no */
{
	struct rig r;

	begin(&r, RX(", wait_ms: 500, on_silence: retry"));
	answer(&r, 183, "");
	rig_run(&r, 600);
	wants(2, FLOW);
	rig_none(&r);
	rig_run(&r, 600);
	rig_expect_status(&r, 503, ALICE);
	rig_expect(&r, "CANCEL", SCSCF);
	rig_fini(&r);
}
END_TEST

START_TEST(test_no_to_the_final)	/* answered already: 200, and BYE to both ends with the reason */
{
	struct rig r;
	struct rig_sent *s;

	begin(&r, RX(""));
	answer(&r, 200, "");
	rig_none(&r);
	says(POLICY_NO, true);
	rig_expect_status(&r, 200, ALICE);
	rig_expect(&r, "BYE", SCSCF);
	s = rig_expect(&r, "BYE", ALICE);
	ck_assert_str_eq(rig_hdr(s, "Reason"), "DIAMETER;cause=5063;text=\"NOT_AUTHORIZED\"");
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

/* ---- changes: row Q3 ---- */

static const struct { const char *name, *offer, *answer, *want; } changes[] = {
	{ "nothing", AUDIO("5000"), AUDIO("4000"), NULL },
	{ "video added", AUDIO("5000") VIDEO("6000"), AUDIO("4000") VIDEO("4100"),
	  "2 VIDEO ENABLED permit out 17 from 10.46.0.9 4100 to 10.9.0.1 6000" },
	{ "hold", AUDIO("5000") "a=sendonly\n", AUDIO("4000") "a=recvonly\n",
	  "1 AUDIO ENABLED-UPLINK permit out 17 from 10.46.0.9 4000 to 10.9.0.1 5000" },
};

START_TEST(test_change)
{
	char offer[512], back[512];
	struct rig_sent *s;
	struct rig r;

	confirmed(&r, RX(""));
	snprintf(offer, sizeof(offer), "v=0\no=- 1 2 IN IP4 10.9.0.1\ns=-\nc=IN IP4 10.9.0.1\nt=0 0\n%s", changes[_i].offer);
	snprintf(back, sizeof(back), "v=0\no=- 1 2 IN IP4 10.46.0.9\ns=-\nc=IN IP4 10.46.0.9\nt=0 0\n%s", changes[_i].answer);
	in_dialog(&r, "INVITE", "Content-Type: application/sdp\n", offer);
	s = rig_expect(&r, "INVITE", SCSCF);
	reply(&r, s, 200, "T", "Contact: <sip:bob@10.46.0.9>\n", "Content-Type: application/sdp\n", back);
	if (changes[_i].want) {
		rig_none(&r);
		wants(2, changes[_i].want);
		ck_assert(!net.q.first && net.q.final);
		says(POLICY_YES, false);
	}
	rig_expect_status(&r, 200, ALICE);
	wants(changes[_i].want ? 2 : 1, NULL);
	rig_fini(&r);
}
END_TEST

START_TEST(test_video_dropped)		/* and a change that is refused: the call goes on */
{
	struct rig_sent *s;
	struct rig r;

	confirmed(&r, RX(""));
	in_dialog(&r, "UPDATE", SDP("10.9.0.1", AUDIO("5000") VIDEO("6000")));
	s = rig_expect(&r, "UPDATE", SCSCF);
	reply(&r, s, 200, "T", "", SDP("10.46.0.9", AUDIO("4000") VIDEO("4100")));
	says(POLICY_YES, false);
	rig_expect_status(&r, 200, ALICE);
	in_dialog(&r, "UPDATE", SDP("10.9.0.1", AUDIO("5000") VIDEO("0")));
	s = rig_expect(&r, "UPDATE", SCSCF);
	reply(&r, s, 200, "T", "", SDP("10.46.0.9", AUDIO("4000") VIDEO("0")));
	wants(3, "2 VIDEO REMOVED");
	says(POLICY_NO, true);
	rig_expect_status(&r, 200, ALICE);
	ck_assert_uint_eq(net.ended, 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_fork)			/* TS 29.214 annex A.3: the second early dialog is told as such, the final answer settles it */
{
	struct rig r;

	begin(&r, RX(""));
	answer(&r, 183, "");
	says(POLICY_YES, false);
	rig_expect_status(&r, 183, ALICE);
	reply(&r, invite, 183, "U", rr_back(""), SDP("10.46.0.7", AUDIO("4400")));
	wants(2, "1 AUDIO ENABLED permit out 17 from 10.46.0.7 4400 to 10.9.0.1 5000");
	ck_assert(net.q.several && !net.q.final);
	says(POLICY_YES, false);
	rig_expect_status(&r, 183, ALICE);
	answer(&r, 200, "");
	wants(3, FLOW);
	ck_assert(net.q.final && !net.q.several);
	says(POLICY_YES, false);
	rig_expect_status(&r, 200, ALICE);
	rig_fini(&r);
}
END_TEST

START_TEST(test_late_offer)		/* RFC 3262 §5: offer in the 183, answer in the PRACK, which waits */
{
	struct rig r;

	memset(&net, 0, sizeof(net));
	rig_init_policy(&r, RX(""), 1, &backend);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	request(&r, ALICE, "INVITE", "sip:bob@home", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", "", "");
	invite = rig_expect(&r, "INVITE", SCSCF);
	reply(&r, invite, 183, "T", rr_back("Require: 100rel\nRSeq: 1\n"), ANSWER);
	rig_expect_status(&r, 183, ALICE);
	wants(0, NULL);
	in_dialog(&r, "PRACK", OFFER);
	rig_none(&r);
	wants(1, FLOW);
	says(POLICY_YES, false);
	rig_expect(&r, "PRACK", SCSCF);
	rig_fini(&r);
}
END_TEST

START_TEST(test_answer_in_ack)		/* it waits for nobody, the question is put all the same */
{
	struct rig r;

	memset(&net, 0, sizeof(net));
	rig_init_policy(&r, RX(""), 1, &backend);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	request(&r, ALICE, "INVITE", "sip:bob@home", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", "", "");
	invite = rig_expect(&r, "INVITE", SCSCF);
	reply(&r, invite, 200, "T", rr_back(""), ANSWER);
	rig_expect_status(&r, 200, ALICE);
	r.cseq--;
	in_dialog(&r, "ACK", OFFER);
	rig_expect(&r, "ACK", SCSCF);
	wants(1, FLOW);
	says(POLICY_YES, false);
	bye(&r, 200);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

/* ---- which messages end it: RFC 3261 §12.2.1.2, §15.1 ---- */

#define HERS "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n"
#define HIS(tag) "From: <sip:bob@home>;tag=" tag "\nTo: <sip:alice@home>;tag=A\n"

/* What she sends with tags of no dialog does not pass (test_indialog); the core is believed. */
static const struct { const char *name, *from, *method, *from_to; unsigned status, ended; } enders[] = {
	{ "BYE", ALICE, "BYE", HERS, 200, 1 },
	{ "BYE of the other end", SCSCF, "BYE", HIS("T"), 200, 1 },
	{ "BYE that finds nobody", ALICE, "BYE", HERS, 481, 1 },
	{ "BYE that is challenged", ALICE, "BYE", HERS, 407, 0 },
	{ "BYE with Max-Forwards 1", ALICE, "BYE", HERS, 483, 0 },		/* the other end has not heard of it */
	{ "BYE to whom is silent, says the node before him", ALICE, "BYE", HERS, 480, 1 },
	{ "BYE with an old CSeq", ALICE, "BYE", HERS, 500, 0 },
	{ "BYE of the other end that the phone refuses", SCSCF, "BYE", HIS("T"), 500, 1 },
	{ "BYE with an invented tag", SCSCF, "BYE", HIS("X"), 481, 0 },
	{ "UPDATE whose dialog is gone", ALICE, "UPDATE", HERS, 481, 1 },
	{ "UPDATE with an invented tag", SCSCF, "UPDATE", HIS("X"), 481, 0 },
	{ "re-INVITE with an invented tag", SCSCF, "INVITE", HIS("X"), 481, 0 },
};

START_TEST(test_ender)
{
	struct rig_sent *s;
	struct rig r;

	confirmed(&r, RX(""));
	dialog(&r, enders[_i].from, enders[_i].method, enders[_i].from_to, "", "");
	s = rig_expect(&r, enders[_i].method, strcmp(enders[_i].from, ALICE) ? ALICE : SCSCF);
	ck_assert_msg(net.ended == 0, "%s: before its answer", enders[_i].name);
	rig_reply(&r, s, enders[_i].status, NULL);
	ck_assert_msg(net.ended == enders[_i].ended, "%s: ended %u times", enders[_i].name, net.ended);
	rig_run(&r, 40000);
	ck_assert_msg(net.ended == enders[_i].ended, "%s: ended %u times", enders[_i].name, net.ended);
	if (strcmp(enders[_i].method, "BYE") == 0 && strcmp(enders[_i].from_to, HIS("X")) != 0)
		ck_assert_msg(sessions_count(pcscf_of(&r.workers[0].w)->sessions) == !enders[_i].ended, "%s", enders[_i].name);
	rig_fini(&r);
}
END_TEST

START_TEST(test_silent_bye)		/* nobody answers it: over all the same */
{
	struct rig r;

	confirmed(&r, RX(""));
	in_dialog(&r, "BYE", "", "");
	rig_expect(&r, "BYE", SCSCF);
	rig_run(&r, 40000);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_bye_behind_the_200)	/* it does not overtake the answer that waits */
{
	struct rig r;

	begin(&r, RX(""));
	answer(&r, 200, "");
	rig_none(&r);
	dialog(&r, SCSCF, "BYE", "From: <sip:bob@home>;tag=T\nTo: <sip:alice@home>;tag=A\n", "", "");
	rig_expect_status(&r, 200, ALICE);
	rig_reply(&r, rig_expect(&r, "BYE", ALICE), 200, NULL);
	rig_expect_status(&r, 200, SCSCF);
	rig_none(&r);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_bye_before_the_200)	/* on another transport it may come first: the answer is not asked about */
{
	struct rig r;

	begin(&r, RX(""));
	dialog(&r, SCSCF, "BYE", "From: <sip:bob@home>;tag=T\nTo: <sip:alice@home>;tag=A\n", "", "");
	rig_reply(&r, rig_expect(&r, "BYE", ALICE), 481, NULL);
	rig_expect_status(&r, 481, SCSCF);
	answer(&r, 200, "");
	rig_expect_status(&r, 200, ALICE);
	wants(0, NULL);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

START_TEST(test_early_bye)		/* RFC 3261 §15: it ends one early dialog; the INVITE goes on, and its end is the call's */
{
	struct rig r;

	begin(&r, RX(""));
	answer(&r, 183, "");
	says(POLICY_YES, false);
	rig_expect_status(&r, 183, ALICE);
	bye(&r, 200);
	ck_assert_uint_eq(net.ended, 0);
	reply(&r, invite, 487, "T", "", "", "");
	rig_expect(&r, "ACK", SCSCF);
	rig_expect_status(&r, 487, ALICE);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_two_answers)		/* RFC 3261 §13.2.2.4: the caller ends one of two; the other is the call */
{
	struct rig r;

	confirmed(&r, RX(""));
	reply(&r, invite, 200, "U", rr_back(""), ANSWER);
	rig_expect_status(&r, 200, ALICE);
	bye(&r, 200);
	ck_assert_uint_eq(net.ended, 0);
	dialog(&r, ALICE, "BYE", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=U\n", "", "");
	rig_reply(&r, rig_expect(&r, "BYE", SCSCF), 200, NULL);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

/* ---- the network speaks: rows Q5, Q6 ---- */

static const struct { const char *name, *config; uint32_t component[1]; unsigned n; bool fatal, released; } losses[] = {
	{ "of the whole", RX(""), { 0 }, 0, false, true }, { "of the sound", RX(""), { 1 }, 1, false, true },
	{ "of another component", RX(""), { 2 }, 1, false, false }, { "that does not count", RX(", on_loss: go_on"), { 1 }, 1, false, false },
	{ "ASR counts always", RX(", on_loss: go_on"), { 0 }, 0, true, true },
};

START_TEST(test_loss)
{
	struct rig r;

	confirmed(&r, losses[_i].config);
	policy_lost(net.call, losses[_i].component, losses[_i].n, losses[_i].fatal, "loss of bearer", STR("SIP;cause=503;text=\"loss of bearer\""));
	if (losses[_i].released) {
		ck_assert_str_eq(rig_hdr(rig_expect(&r, "BYE", SCSCF), "Reason"), "SIP;cause=503;text=\"loss of bearer\"");
		rig_expect(&r, "BYE", ALICE);
		ck_assert_uint_eq(net.ended, 1);
	} else {
		rig_none(&r);
	}
	rig_fini(&r);
}
END_TEST

START_TEST(test_loss_before_the_answer)	/* TS 24.229 §5.2.8.1.2: CANCEL, and 503 to the caller */
{
	struct rig r;

	begin(&r, RX(""));
	answer(&r, 183, "");
	says(POLICY_YES, false);
	rig_expect_status(&r, 183, ALICE);
	policy_lost(net.call, NULL, 0, false, "resources not allocated", STR("SIP;cause=503;text=\"x\""));
	ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 503, ALICE), "Reason"), "SIP;cause=503;text=\"x\"");
	rig_expect(&r, "CANCEL", SCSCF);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_phone_gone)		/* row Q4: the registration runs out in a call */
{
	struct rig r;

	confirmed(&r, RX(""));
	rig_run(&r, 601000);
	rig_expect(&r, "BYE", SCSCF);
	rig_expect(&r, "BYE", ALICE);
	ck_assert_uint_eq(net.ended, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_session_timer)		/* RFC 4028: nobody refreshes it */
{
	struct rig r;

	begin(&r, RX(""));
	answer(&r, 200, "Session-Expires: 90;refresher=uac\n");
	says(POLICY_YES, false);
	rig_expect_status(&r, 200, ALICE);
	rig_run(&r, 121000);
	ck_assert_uint_eq(net.ended, 0);
	rig_run(&r, 2000);
	ck_assert_uint_eq(net.ended, 1);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* ---- who is asked about: row Q12 ---- */

static const struct { const char *name, *config; unsigned asked; } modes[] = {
	{ "off", "  reg_event: false\n", 0 },
	{ "off for that network", RX(", access: [{network: 10.9.0.0/16, mode: \"off\"}]"), 0 },
	{ "on for that network only", "  reg_event: false\npolicy: {access: [{network: 10.9.0.0/16, mode: rx}]}\ndiameter: {identity: p}\n", 1 },
	{ "another network", RX(", access: [{network: 10.8.0.0/16, mode: \"off\"}]"), 1 },
	{ "another access", RX(", access: [{type: IEEE-802.11, mode: \"off\"}]"), 1 },
	{ "nothing but video is asked about", RX(", media: [video]"), 0 },
};

#define BSF(more) "policy: {mode: bsf, n5: {bsf: \"http://10.0.0.1\", listen: \"10.0.0.10:7777\"}" more "}\n"
static const struct { const char *name, *config, *error; } bsf_configs[] = {
	{ "complete", BSF("") "diameter: {identity: p}\n", "" },
	{ "rx without Diameter", BSF(""), "mode rx needs a diameter section" },
	{ "never rx", BSF(", bsf: {none: \"off\", silent: n5}"), "" },
	{ "rx in silence", BSF(", bsf: {none: \"off\"}"), "mode rx needs a diameter section" },
	{ "no BSF", "policy: {mode: bsf, bsf: {none: \"off\", silent: \"off\"}, n5: {pcf: \"http://10.0.0.1\", listen: \"10.0.0.10:7777\"}}\n", "needs policy.n5.bsf" },
	{ "for some phones", "policy: {access: [{type: 3GPP, mode: bsf}]}\ndiameter: {identity: p}\n", "needs policy.n5.bsf" },
	{ "bsf is no answer", BSF(", bsf: {none: bsf}"), "policy.bsf.none" },
};

START_TEST(test_bsf_config_row_Q12)
{
	static const struct cfg_row *const schemas[] = { cfg_common_schema, pcscf_schema, NULL };
	struct cfg *c = NULL;
	struct buf errors, text;

	buf_init(&errors, 4096);
	buf_init(&text, 4096);
	buf_printf(&text, "domain: home\nsip: {listen: [\"udp:10.0.0.10:5060\"]}\n%s", bsf_configs[_i].config);
	if (cfg_load_text(buf_str(&text), "t", schemas, &c, &errors) == 0)
		pcscf_config_check(c, &errors);
	if (bsf_configs[_i].error[0])
		ck_assert_msg(str_find(buf_str(&errors), str_from_c(bsf_configs[_i].error)) >= 0, "%s: %.*s", bsf_configs[_i].name, STR_ARG(buf_str(&errors)));
	else
		ck_assert_msg(errors.l == 0, "%s: %.*s", bsf_configs[_i].name, STR_ARG(buf_str(&errors)));
	cfg_unref(c);
	buf_fini(&errors);
	buf_fini(&text);
}
END_TEST

/* The backend finds out that another one is to be asked (policy_choose.c): at once, or when the message has had its time. */
static const struct policy_backend other = { .name = "other", .open = net_open, .ask = net_ask, .end = net_end, .id = net_id };
static const struct { const char *name; bool late; } choices[] = { { "in time", false }, { "too late", true } };

START_TEST(test_chosen_row_Q12)
{
	struct policy_question q;
	struct rig r;

	memset(&net, 0, sizeof(net));
	begin(&r, RX(", on_silence: go_on, wait_ms: 1000"));
	answer(&r, 183, "");
	wants(1, FLOW);
	q = net.q;
	if (choices[_i].late) {
		rig_run(&r, 1000);
		rig_expect_status(&r, 183, ALICE);
	}
	policy_chosen(net.call, &q, &other);
	ck_assert_uint_eq(net.asked, choices[_i].late ? 1 : 2);
	ck_assert_uint_eq(net.opened, choices[_i].late ? 1 : 2);
	if (!choices[_i].late) {
		ck_assert_uint_eq(net.number, q.number);	/* the same question */
		ck_assert_str_eq(net.media, FLOW);
		rig_none(&r);
		says(POLICY_YES, false);
		rig_expect_status(&r, 183, ALICE);
	}
	rig_fini(&r);
}
END_TEST

/* TS 24.229 §5.2.10: an emergency call is asked about, and goes on whatever the answer; a bearer that is lost ends it not. */
static const struct { const char *name; enum policy_verdict v; } emergencies[] = { { "no", POLICY_NO }, { "silence", POLICY_SILENT } };

START_TEST(test_emergency)
{
	struct rig_sent *s;
	char text[1024];
	struct rig r;

	memset(&net, 0, sizeof(net));
	rig_init_policy(&r, "  reg_event: false\n  emergency: {ecscf: \"sip:10.0.0.70\"}\npolicy: {mode: rx, on_refused: refuse, on_silence: refuse}\n"
			"diameter: {identity: pcscf.home}\n", 1, &backend);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	request(&r, ALICE, "INVITE", "urn:service:sos.fire", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	s = rig_expect(&r, "INVITE", "udp:10.0.0.70:5060");
	snprintf(text, sizeof(text), "Contact: <sip:psap@10.46.0.9>\nRecord-Route: %s\n", rig_hdr(s, "Record-Route"));
	reply(&r, s, 183, "T", text, ANSWER);
	wants(1, FLOW);
	ck_assert(net.call->emergency && str_eq_c(net.call->service, "sos.fire"));
	says(emergencies[_i].v, true);
	rig_expect_status(&r, 183, ALICE);
	policy_lost(net.call, NULL, 0, false, "loss of bearer", STR("SIP;cause=503;text=\"x\""));
	reply(&r, s, 200, "T", text, ANSWER);
	rig_expect_status(&r, 200, ALICE);
	calls_phone_gone(pcscf_of(&r.workers[0].w), net.call->b->id);
	rig_run(&r, 0);
	ck_assert_msg(net.ended == 0, "%s", emergencies[_i].name);
	rig_fini(&r);
	ck_assert_uint_eq(net.ended, 1);
}
END_TEST

START_TEST(test_mode)
{
	struct rig r;

	begin(&r, modes[_i].config);
	answer(&r, 183, "");
	ck_assert_msg(net.asked == modes[_i].asked, "%s", modes[_i].name);
	if (modes[_i].asked)
		says(POLICY_YES, false);
	rig_expect_status(&r, 183, ALICE);
	rig_fini(&r);
}
END_TEST

/* Handset 4: IMS over an ordinary bearer.  Where the phone says so when it registers, nobody is asked; and a no stops nothing where it may go on. */
static const struct { const char *name, *config, *pani; unsigned asked; enum policy_verdict says; } bearers[] = {
	{ "on WiFi", RX(", access: [{type: IEEE-802.11, mode: \"off\"}]"), "IEEE-802.11;i-wlan-node-id=00ff", 0, POLICY_NO },
	{ "on LTE", RX(", access: [{type: IEEE-802.11, mode: \"off\"}]"), "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=1", 1, POLICY_YES },
	{ "on WiFi, refused, goes on", RX(", on_refused: go_on"), "IEEE-802.11;i-wlan-node-id=00ff", 1, POLICY_NO },
};

START_TEST(test_row_4_bearer)
{
	char params[128];
	struct rig r;

	snprintf(params, sizeof(params), ";x\nP-Access-Network-Info: %s", bearers[_i].pani);
	begin_as(&r, bearers[_i].config, params);
	answer(&r, 183, "");
	ck_assert_msg(net.asked == bearers[_i].asked, "%s: asked %u times", bearers[_i].name, net.asked);
	if (net.asked)
		says(bearers[_i].says, false);
	rig_expect_status(&r, 183, ALICE);
	rig_fini(&r);
}
END_TEST

START_TEST(test_multipart)		/* emergency calls carry a location beside the description */
{
	struct rig r;

	memset(&net, 0, sizeof(net));
	rig_init_policy(&r, RX(""), 1, &backend);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	request(&r, ALICE, "INVITE", "sip:bob@home", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n",
		"Content-Type: multipart/mixed;boundary=\"b1\"\n",
		"--b1\nContent-Type: text/plain\n\nx\n--b1\nContent-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 1\ns=-\nc=IN IP4 10.9.0.1\nt=0 0\n"
		AUDIO("5000") "\n--b1--\n");
	invite = rig_expect(&r, "INVITE", SCSCF);
	answer(&r, 183, "");
	wants(1, FLOW);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name; struct str info; const char *want; } places[] = {	/* row Q9: TS 29.274 §8.21 */
	{ "TAI and ECGI, MNC of two digits", STR("\202\0\361\020\0\001\0\361\020\0\0\0\012"), "3GPP-E-UTRAN;utran-cell-id-3gpp=0010100010000" "00a;network-provided" },
	{ "ECGI, MNC of three digits", STR("\201\023\0\024\0\0\0\012"), "3GPP-E-UTRAN;utran-cell-id-3gpp=310410" "000000a;network-provided" },
	{ "CGI", STR("\0\0\361\020\0\001\0\002"), "3GPP-GERAN;cgi-3gpp=00101" "00010002;network-provided" },
	{ "too short", STR("\202\0\361"), "" }, { "nothing", STR_NONE, "" }, { "a kind that nobody knows", STR("\177\0\361\020\0\001\0\002"), "" },
};

START_TEST(test_place)
{
	char text[POLICY_LOCATION_BYTES];
	struct str got = rx_location(places[_i].info, text);

	ck_assert_msg(str_eq_c(got, places[_i].want), "%s: %.*s", places[_i].name, STR_ARG(got));
}
END_TEST

TEST_MAIN("policy", TEST_ONE(test_timeline), TEST_ONE(test_called), TEST_ONE(test_fails_before), TEST_ONE(test_cancel_while_asked),
	  TEST_ROWS(test_no, nos), TEST_ONE(test_late), TEST_ONE(test_late_yes), TEST_ONE(test_late_yes_of_a_retry),
	  { &(test_place_by_direction), 2 }, TEST_ONE(test_retry), TEST_ONE(test_no_to_the_final), TEST_ROWS(test_change, changes),
	  TEST_ONE(test_video_dropped), TEST_ONE(test_fork), TEST_ONE(test_late_offer), TEST_ONE(test_answer_in_ack),
	  TEST_ROWS(test_ender, enders), TEST_ONE(test_silent_bye), TEST_ONE(test_bye_behind_the_200), TEST_ONE(test_bye_before_the_200), TEST_ONE(test_early_bye), TEST_ONE(test_two_answers), TEST_ROWS(test_loss, losses),
	  TEST_ONE(test_loss_before_the_answer), TEST_ONE(test_phone_gone), TEST_ONE(test_session_timer), TEST_ROWS(test_mode, modes),
	  TEST_ROWS(test_bsf_config_row_Q12, bsf_configs), TEST_ROWS(test_chosen_row_Q12, choices), TEST_ROWS(test_row_4_bearer, bearers), TEST_ROWS(test_emergency, emergencies),
	  TEST_ONE(test_multipart), TEST_ROWS(test_place, places))
