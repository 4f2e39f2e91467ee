/* tests/pcscf/test_handsets.c - what real handsets do, row by row of the table of phone quirks (features.md part D), as far as it is the
 * P-CSCF's: TS 24.229 §5.2.  tests/integration/README.md says where every row is shown. */
#include <string.h>
#include "tests/pcscf/rig.h"

#define WHO "From: <sip:alice@home>;tag=r\nTo: <sip:alice@home>\n"
#define CONTACT "Contact: <sip:alice@10.9.0.1:5060>\n"

/* Row 5: E.164, local with a context, separators: the callee goes on as it was dialled; the S-CSCF makes one of them. */
static const char *const dialled[] = { "tel:+4930123", "tel:0123;phone-context=home", "sip:+4930123@home;user=phone",
				       "sip:0123;phone-context=ims.mnc001.mcc001.3gppnetwork.org@home;user=phone", "tel:+49-30.(123)" };

START_TEST(test_row_5_dialled)
{
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, "INVITE", dialled[_i], CONTACT);
	s = rig_expect(&r, "INVITE", SCSCF);
	ck_assert_msg(str_eq_c(s->m->ruri_text, dialled[_i]), "%.*s", STR_ARG(s->m->ruri_text));
	rig_fini(&r);
}
END_TEST

/* Row 6: mnc01 and mnc001 in one phone's REGISTERs. */
START_TEST(test_row_6_domains)
{
	static const char *const domains[] = { "home", "ims.mnc001.mcc001.3gppnetwork.org", "IMS.MNC01.mcc001.3gppnetwork.org" };
	char who[256], ruri[64];
	struct rig r;

	rig_init(&r, "  reg_event: false\ndomain_aliases: [ims.mnc001.mcc001.3gppnetwork.org, ims.mnc01.mcc001.3gppnetwork.org]\n", 1);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(ruri, sizeof(ruri), "sip:%s", domains[i]);
		snprintf(who, sizeof(who), "From: <sip:alice@%s>;tag=r\nTo: <sip:alice@%s>\n", domains[i], domains[i]);
		rig_request_as(&r, ALICE, "REGISTER", ruri, who, domains[i], CONTACT);
		if (i == 0)
			rig_expect(&r, "REGISTER", DOOR);
		else
			ck_assert_msg(!rig_next(&r)->m->status || r.sent[r.n - 1].m->status != 403, "%s is refused", domains[i]);
	}
	rig_fini(&r);
}
END_TEST

/* Row 8: a tel URI as From and as the preferred identity; what is asserted is of the registered set. */
static const struct { const char *from, *ppi, *want; } tels[] = {
	{ "<tel:+49510>", NULL, "<sip:alice@home>" }, { "<tel:+49510>", "<tel:+49510>", "<tel:+49510>" },
	{ "<tel:+49-510;phone-context=x>", "<tel:+49-5-10>", "<tel:+49510>" }, { "<tel:+49307>", "<tel:+49307>", "<sip:alice@home>" },
};

START_TEST(test_row_8_tel)
{
	char who[256], extra[256];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	snprintf(who, sizeof(who), "From: %s;tag=A\nTo: <tel:+49307>\n", tels[_i].from);
	snprintf(extra, sizeof(extra), CONTACT "%s%s%s", tels[_i].ppi ? "P-Preferred-Identity: " : "", tels[_i].ppi ? tels[_i].ppi : "",
		 tels[_i].ppi ? "\n" : "");
	rig_request_as(&r, ALICE, "INVITE", "tel:+49307", who, "c", extra);
	s = rig_expect(&r, "INVITE", SCSCF);
	ck_assert_str_eq(rig_hdr(s, "P-Asserted-Identity"), tels[_i].want);
	ck_assert(strstr(rig_hdr(s, "From"), tels[_i].from) != NULL);		/* From is the phone's: RFC 3325 §8 */
	rig_fini(&r);
}
END_TEST

#define SDP "v=0\no=- 1 1 IN IP4 10.9.0.1\ns=-\nc=IN IP4 10.9.0.1\nb=AS:49\nt=0 0\nm=audio 50010 RTP/AVP 104 110 102 108 105\n" \
	"a=rtpmap:104 AMR-WB/16000\na=fmtp:104 mode-change-capability=2;max-red=0\na=curr:qos local none\na=curr:qos remote none\n" \
	"a=des:qos mandatory local sendrecv\na=des:qos optional remote sendrecv\na=sendrecv\na=ptime:20\na=maxptime:240\n"

static unsigned crlf_length(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n' ? 2 : 1;
	return n;
}

/* Row 18: no attribute of ours gets into a session description, in either direction. */
START_TEST(test_row_18_sdp)
{
	static const char marker[] = "a=maxptime:240\r\n";
	char extra[2048], path[256];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	snprintf(extra, sizeof(extra), CONTACT "Content-Type: application/sdp\nContent-Length: %u\n\n" SDP, crlf_length(SDP));
	rig_request(&r, ALICE, "INVITE", "sip:bob@home", extra);
	s = rig_expect(&r, "INVITE", SCSCF);
	for (unsigned i = 0; i < 2; i++) {
		struct str body = s->m->body;

		ck_assert_uint_eq(body.l, crlf_length(SDP));
		ck_assert(str_starts(body, STR("v=0\r\no=- 1 1 IN IP4 10.9.0.1\r\n")) && str_ends(body, STR(marker)));
		if (i)
			break;
		snprintf(extra, sizeof(extra), "Route: %s\nContent-Type: application/sdp\nContent-Length: %u\n\n" SDP, path, crlf_length(SDP));
		rig_request_as(&r, SCSCF, "INVITE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", "mt", extra);
		s = rig_expect(&r, "INVITE", ALICE);
	}
	rig_fini(&r);
}
END_TEST

/* Row 19: keys never leave; what else the challenge says does, qop or none. */
START_TEST(test_row_19_challenge)
{
	static const char *const qops[] = { "", ",qop=\"auth\"", ",qop=\"auth,auth-int\"" };
	char text[512];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_request_as(&r, ALICE, "REGISTER", "sip:home", WHO, "reg", CONTACT);
	snprintf(text, sizeof(text), "WWW-Authenticate: Digest realm=\"home\",nonce=\"bm9uY2U=\",algorithm=AKAv1-MD5%s,"
		 "ik=\"0123456789abcdef0123456789abcdef\",ck=\"fedcba9876543210fedcba9876543210\"\n", qops[_i]);
	rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 401, text);
	s = rig_expect_status(&r, 401, ALICE);
	ck_assert(!rig_contains(s, "0123456789abcdef") && !rig_contains(s, "fedcba98") && !rig_contains(s, "ck=") && !rig_contains(s, "ik="));
	ck_assert(rig_contains(s, "algorithm=AKAv1-MD5") && rig_contains(s, "nonce=\"bm9uY2U=\"") && rig_contains(s, "realm=\"home\""));
	ck_assert(rig_contains(s, "qop=") == (*qops[_i] != 0) && (!*qops[_i] || rig_contains(s, qops[_i] + 1)));
	rig_fini(&r);
}
END_TEST

/* Row 22: preconditions are the phones' own business: what they ask for and what they know pass as they are. */
static const char *const wishes[] = { "Supported: 100rel, precondition, timer\n", "Require: precondition\nSupported: 100rel\n",
				      "Require: 100rel,precondition\nSupported: timer\n", "Supported: timer\n", "" };

static void expect_wishes(const struct rig_sent *s, const char *wish)
{
	ck_assert_msg(rig_contains(s, "precondition") == (strstr(wish, "precondition") != NULL), "%s: %.*s", wish, STR_ARG(bytes_str(s->wire)));
	ck_assert(rig_contains(s, "100rel") == (strstr(wish, "100rel") != NULL));
	ck_assert((*rig_hdr(s, "Require") != 0) == (strstr(wish, "Require") != NULL));
}

START_TEST(test_row_22_preconditions)
{
	char extra[1024], path[256];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	snprintf(extra, sizeof(extra), CONTACT "%s", wishes[_i]);
	rig_request(&r, ALICE, "INVITE", "sip:bob@home", extra);
	s = rig_expect(&r, "INVITE", SCSCF);
	expect_wishes(s, wishes[_i]);
	snprintf(extra, sizeof(extra), "RSeq: 1\nContact: <sip:bob@10.9.0.2>\n%s", wishes[_i]);
	rig_reply(&r, s, 183, extra);
	expect_wishes(rig_expect_status(&r, 183, ALICE), wishes[_i]);
	snprintf(extra, sizeof(extra), "Route: %s\nContact: <sip:bob@10.9.0.2>\n%s", path, wishes[_i]);
	rig_request_as(&r, SCSCF, "INVITE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", "mt", extra);
	s = rig_expect(&r, "INVITE", ALICE);
	expect_wishes(s, wishes[_i]);
	rig_reply(&r, s, 580, "Reason: SIP;cause=580\n");			/* and it is never answered in the phone's name */
	while (!rig_next(&r)->m->request)
		;
	rig_fini(&r);
}
END_TEST

/* Row 26: a baseband compares the NOTIFY with its SUBSCRIBE: From, To, Call-ID, CSeq, Event, Subscription-State come as they were sent. */
START_TEST(test_row_26_notify)
{
	char rr[512], extra[1024];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_as(&r, ALICE, "SUBSCRIBE", "sip:alice@home", "From: <sip:alice@home>;tag=A\nTo: <sip:alice@home>\n", "sub",
		       CONTACT "Event: reg\nExpires: 600000\nAccept: application/reginfo+xml\n");
	s = rig_expect(&r, "SUBSCRIBE", SCSCF);
	ck_assert(*rig_hdr(s, "Record-Route") && !strcmp(rig_hdr(s, "Event"), "reg") && !strcmp(rig_hdr(s, "Expires"), "600000"));
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(extra, sizeof(extra), "Contact: <sip:10.0.0.30:6060>\nExpires: 3600\nRecord-Route: %s\n", rr);
	rig_reply(&r, s, 200, extra);
	rig_expect_status(&r, 200, ALICE);
	r.cseq = 76;
	snprintf(extra, sizeof(extra), "Route: %s\nContact: <sip:10.0.0.30:6060>\nEvent: reg\nSubscription-State: active;expires=3599\n", rr);
	rig_request_as(&r, SCSCF, "NOTIFY", "sip:alice@10.9.0.1:5060", "From: <sip:alice@home>;tag=T\nTo: <sip:alice@home>;tag=A\n", "sub", extra);
	s = rig_expect(&r, "NOTIFY", ALICE);
	ck_assert_str_eq(rig_hdr(s, "From"), "<sip:alice@home>;tag=T");
	ck_assert_str_eq(rig_hdr(s, "To"), "<sip:alice@home>;tag=A");
	ck_assert_str_eq(rig_hdr(s, "Call-ID"), "sub");
	ck_assert_str_eq(rig_hdr(s, "CSeq"), "77 NOTIFY");
	ck_assert_str_eq(rig_hdr(s, "Subscription-State"), "active;expires=3599");
	rig_reply(&r, s, 200, NULL);
	rig_expect_status(&r, 200, SCSCF);
	rig_fini(&r);
}
END_TEST

/* Row 31: P-Associated-URI as one list or as lines, tel first or last: each is registered, and the phone gets them. */
static const char *const sets[] = { "P-Associated-URI: <sip:alice@home>, <tel:+491>\n", "P-Associated-URI: <sip:alice@home>\nP-Associated-URI: <tel:+491>\n",
				    "p-associated-uri: <tel:+491>,<sip:alice@home>\n" };

START_TEST(test_row_31_associated)
{
	struct rig_sent *s;
	struct binding *b;
	char extra[512];
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_request_as(&r, ALICE, "REGISTER", "sip:home", WHO, "reg", CONTACT);
	snprintf(extra, sizeof(extra), "Contact: <sip:alice@10.9.0.1:5060>;expires=600\nService-Route: <sip:orig@10.0.0.30:6060;lr>\n%s", sets[_i]);
	rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 200, extra);
	s = rig_expect_status(&r, 200, ALICE);
	ck_assert(strstr(rig_hdr(s, "P-Associated-URI"), "<tel:+491>") && strstr(rig_hdr(s, "P-Associated-URI"), "<sip:alice@home>"));
	b = phone_by_key(r.p.phones, STR("alice@home|alice@10.9.0.1:5060"));
	ck_assert(b && b->n_identities == 2);
	obj_unref(b);
	rig_request(&r, ALICE, "MESSAGE", "sip:bob@home", "P-Preferred-Identity: <tel:+491>\n");
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "MESSAGE", SCSCF), "P-Asserted-Identity"), "<tel:+491>");
	rig_fini(&r);
}
END_TEST

TEST_MAIN("handsets", TEST_ROWS(test_row_5_dialled, dialled), TEST_ONE(test_row_6_domains), TEST_ROWS(test_row_8_tel, tels),
	  TEST_ONE(test_row_18_sdp), { &(test_row_19_challenge), 3 }, TEST_ROWS(test_row_22_preconditions, wishes), TEST_ONE(test_row_26_notify),
	  TEST_ROWS(test_row_31_associated, sets))
