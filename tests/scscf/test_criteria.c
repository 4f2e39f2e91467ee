/* tests/scscf/test_criteria.c - initial filter criteria: every kind of trigger, every combination (row T2), session cases (T3),
 * profile parts (T4), shared sets (T5), what cannot be used (D15), expressions with limits (SEC-14). */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "common/util/arena.h"
#include "scscf/criteria.h"
#include "scscf/pattern.h"
#include "tests/check.h"

static const char request[] =
	"INVITE sip:+49301@home.example;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK1\r\n"
	"From: <sip:a@home.example>;tag=A\r\nTo: <sip:b@home.example>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
	"Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\"\r\nSupported: 100rel\r\nSupported: timer\r\n"
	"X-Own: one\r\nx-own: two\r\nContent-Type: application/sdp\r\n\r\n"
	"v=0\r\no=- 1 1 IN IP4 10.1.1.1\r\ns=-\r\nc=IN IP4 10.1.1.1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 96\r\na=rtpmap:96 AMR-WB/16000\r\n"
	"m=video 0 RTP/AVP 97\r\n";

static const char mixed[] =
	"INVITE tel:+49301 SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK1\r\nFrom: <sip:a@home.example>;tag=A\r\n"
	"To: <sip:b@home.example>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nc: multipart/mixed;boundary=b\r\n\r\n"
	"--b\r\nContent-Type: text/plain\r\n\r\nm=none\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=text 1 RTP/AVP 0\r\n--b\r\n"
	"Content-Type: text/plain\r\n\r\nm=neither\r\n--b--\r\n";

static const char registers[] =
	"REGISTER sip:home.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK1\r\nFrom: <sip:a@home.example>;tag=A\r\n"
	"To: <sip:a@home.example>\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n\r\n";

static const char foo[] =
	"FOO sip:a@home.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK1\r\nFrom: <sip:a@home.example>;tag=A\r\n"
	"To: <sip:a@home.example>\r\nCall-ID: x\r\nCSeq: 1 FOO\r\n\r\n";

static struct sip_msg *parse(const char *text)
{
	struct sip_parse_error err;
	struct sip_msg *m;

	ck_assert_msg(sip_msg_parse_copy(str_from_c(text), NULL, &m, &err) == 0, "%s", err.why);
	return m;
}

#define AS "<ApplicationServer><ServerName>sip:as.example</ServerName></ApplicationServer>"
#define IFC(trigger) "<InitialFilterCriteria><Priority>1</Priority>" trigger AS "</InitialFilterCriteria>"
#define POINT(cnf, spts) IFC("<TriggerPoint><ConditionTypeCNF>" cnf "</ConditionTypeCNF>" spts "</TriggerPoint>")
#define SPT(group, what) "<SPT><ConditionNegated>0</ConditionNegated><Group>" group "</Group>" what "</SPT>"
#define NOT(group, what) "<SPT><ConditionNegated>1</ConditionNegated><Group>" group "</Group>" what "</SPT>"
#define ONE(what) POINT("1", SPT("0", what))
#define METHOD(m) "<Method>" m "</Method>"
#define URI(u) "<RequestURI>" u "</RequestURI>"
#define HEADER(h) "<SIPHeader><Header>" h "</Header></SIPHeader>"
#define CONTENT(h, c) "<SIPHeader><Header>" h "</Header><Content>" c "</Content></SIPHeader>"
#define CASE(n) "<SessionCase>" n "</SessionCase>"
#define SDP(l) "<SessionDescription><Line>" l "</Line></SessionDescription>"
#define SDPC(l, c) "<SessionDescription><Line>" l "</Line><Content>" c "</Content></SessionDescription>"
#define YES METHOD("INVITE")
#define NO METHOD("BYE")

static struct criteria *get(struct criteria_store *s, const char *xml)
{
	struct criteria *c = NULL;

	ck_assert_msg(criteria_get(s, str_from_c(xml), &c) == 0, "%s", xml);
	return c;
}

static bool fits(const char *xml, const char *text, enum session_case scase, bool registered, unsigned registration)
{
	struct criteria *c = get(NULL, xml);
	struct sip_msg *m = parse(text);
	struct criteria_query q = { .m = m, .ruri = m->ruri_text, .scase = scase, .registered = registered, .registration = registration };
	bool yes;

	ck_assert_msg(c->n_skipped == 0, "%s: %.*s", xml, STR_ARG(c->skipped));
	ck_assert_uint_eq(c->n, 1);
	yes = criteria_next(c, 0, &q) == 0;
	sip_msg_unref(m);
	obj_unref(c);
	return yes;
}

/* ---- TS 29.228 annex F: kinds of triggers ---- */

static const struct { const char *name, *xml, *text; bool want; } rows[] = {
	{ "no trigger point: everything, annex B", IFC(""), request, true },
	{ "method", ONE(METHOD("INVITE")), request, true },
	{ "another method", ONE(METHOD("MESSAGE")), request, false },
	{ "methods have a case", ONE(METHOD("invite")), request, false },
	{ "a method nobody knows", ONE(METHOD("FOO")), foo, true },
	{ "another method nobody knows", ONE(METHOD("BAR")), foo, false },
	{ "negated", POINT("1", NOT("0", METHOD("INVITE"))), request, false },
	{ "negated, another method", POINT("1", NOT("0", METHOD("BYE"))), request, true },
	{ "no ConditionNegated: PyHSS", POINT("1", "<SPT><Group>0</Group><Method>INVITE</Method><Extension></Extension></SPT>"), request, true },
	{ "no Group", POINT("1", "<SPT><Method>INVITE</Method></SPT>"), request, true },
	{ "request uri as an expression", ONE(URI("^sip:\\+49.*@home\\.example")), request, true },
	{ "request uri, part of it", ONE(URI("home.example")), request, true },
	{ "request uri as a uri", ONE(URI("sip:+49301@home.example;user=phone")), request, true },
	{ "another request uri", ONE(URI("sip:+49302@home.example")), request, false },
	{ "tel request uri", ONE(URI("tel:+49-301")), mixed, true },
	{ "header is there", ONE(HEADER("Supported")), request, true },
	{ "header in any case", ONE(HEADER("sUPPORTED")), request, true },
	{ "header by its compact form", ONE(HEADER("k")), request, true },
	{ "header is not there", ONE(HEADER("Server")), request, false },
	{ "header is there in its compact form", ONE(HEADER("Content-Type")), mixed, true },
	{ "header without an id", ONE(HEADER("X-Own")), request, true },
	{ "header without an id, not there", ONE(HEADER("X-Other")), request, false },
	{ "header name is an expression", ONE(HEADER("X-.*")), request, true },
	{ "header name expression is all of the name", ONE(HEADER("Own|-Ow.")), request, false },
	{ "content", ONE(CONTENT("Accept-Contact", "icsi\\.mmtel")), request, true },
	{ "content with quotes, as PyHSS writes them", ONE(CONTENT("Accept-Contact", "\"urn%3Aurn-7.*mmtel\"")), request, true },
	{ "content that is not", ONE(CONTENT("Accept-Contact", "g.3gpp.smsip")), request, false },
	{ "content in the second line", ONE(CONTENT("Supported", "^timer$")), request, true },
	{ "content of a header without an id", ONE(CONTENT("X-Own", "^two$")), request, true },
	{ "content of another header", ONE(CONTENT("X-Own", "timer")), request, false },
	{ "content with an alternative and a class", ONE(CONTENT("Supported", "^(foo|[[:digit:]]{3}rel)$")), request, true },
	{ "header not there, negated", POINT("1", NOT("0", HEADER("Server"))), request, true },
	{ "sdp line", ONE(SDP("m")), request, true },
	{ "sdp line that is not", ONE(SDP("k")), request, false },
	{ "sdp line is the whole name", ONE(SDP("rtpmap")), request, false },
	{ "sdp content", ONE(SDPC("m", "^audio")), request, true },
	{ "sdp content of the second line", ONE(SDPC("m", "video 0 ")), request, true },
	{ "sdp content of another line", ONE(SDPC("c", "audio")), request, false },
	{ "sdp attribute", ONE(SDPC("a", "AMR-WB/16000")), request, true },
	{ "no sdp", ONE(SDP("m")), foo, false },
	{ "sdp in a part", ONE(SDPC("m", "^text")), mixed, true },
	{ "what looks like sdp in another part", ONE(SDPC("m", "none")), mixed, false },
	{ "and behind it", ONE(SDPC("m", "neither")), mixed, false },
	/* ---- annex C: CNF is AND of ORs, DNF is OR of ANDs ---- */
	{ "CNF: yes or no", POINT("1", SPT("0", YES) SPT("0", NO)), request, true },
	{ "CNF: yes and no", POINT("1", SPT("0", YES) SPT("1", NO)), request, false },
	{ "CNF: (no or yes) and (yes or no)", POINT("1", SPT("0", NO) SPT("1", YES) SPT("0", YES) SPT("1", NO)), request, true },
	{ "CNF: (no or no) and yes", POINT("1", SPT("0", NO) SPT("0", NO) SPT("1", YES)), request, false },
	{ "DNF: yes and no", POINT("0", SPT("0", YES) SPT("0", NO)), request, false },
	{ "DNF: yes or no", POINT("0", SPT("0", YES) SPT("1", NO)), request, true },
	{ "DNF: (no and yes) or (yes and yes)", POINT("0", SPT("0", NO) SPT("1", YES) SPT("0", YES) SPT("1", YES)), request, true },
	{ "DNF: (yes and no) or (no and yes)", POINT("0", SPT("0", YES) SPT("1", NO) SPT("0", NO) SPT("1", YES)), request, false },
	{ "DNF: not no", POINT("0", SPT("0", NO) NOT("7", NO)), request, true },
	{ "in two groups", POINT("1", "<SPT><Group>1</Group><Group>2</Group>" YES "</SPT>" SPT("1", NO) SPT("2", NO)), request, true },
	{ "in two groups of a DNF", POINT("0", "<SPT><Group>1</Group><Group>2</Group>" YES "</SPT>" SPT("1", NO) SPT("2", YES)), request, true },
	/* ---- the form in which PyHSS and Open5GS write theirs ---- */
	{ "SMS over IP: method, no Server header, originating",
	  POINT("1", SPT("1", METHOD("INVITE")) NOT("2", HEADER("Server")) SPT("3", CASE("0"))), request, true },
	{ "namespace, blanks, comments",
	  "<InitialFilterCriteria>\n <Priority> 1 </Priority><!-- x --><TriggerPoint><ConditionTypeCNF>true</ConditionTypeCNF>"
	  "<SPT>\n<Group>0</Group><Method>\n INVITE </Method></SPT></TriggerPoint>" AS "<Extension><Other/></Extension></InitialFilterCriteria>",
	  request, true },
};

START_TEST(test_trigger)
{
	bool yes = fits(rows[_i].xml, rows[_i].text, CASE_ORIGINATING, true, 0);

	ck_assert_msg(yes == rows[_i].want, "%s", rows[_i].name);
}
END_TEST

/* ---- session cases (T3), parts of a profile (T4), types of a registration ---- */

START_TEST(test_session_cases)
{
	for (unsigned want = 0; want < N_SESSION_CASES; want++)
		for (unsigned is = 0; is < N_SESSION_CASES; is++) {
			char xml[512];

			snprintf(xml, sizeof(xml), POINT("1", "<SPT><Group>0</Group><SessionCase>%u</SessionCase></SPT>"), want);
			ck_assert_msg(fits(xml, request, is, true, 0) == (want == is), "%u %u", want, is);
		}
}
END_TEST

START_TEST(test_profile_part)
{
	static const char yes[] = "<InitialFilterCriteria><Priority>0</Priority>" AS "<ProfilePartIndicator>0</ProfilePartIndicator></InitialFilterCriteria>";
	static const char no[] = "<InitialFilterCriteria><Priority>0</Priority>" AS "<ProfilePartIndicator>1</ProfilePartIndicator></InitialFilterCriteria>";

	ck_assert(fits(yes, request, CASE_ORIGINATING, true, 0) && !fits(yes, request, CASE_ORIGINATING, false, 0));
	ck_assert(!fits(no, request, CASE_ORIGINATING, true, 0) && fits(no, request, CASE_ORIGINATING, false, 0));
	ck_assert(fits(IFC(""), request, CASE_ORIGINATING, false, 0));
}
END_TEST

START_TEST(test_registration_type)
{
	static const char first[] = ONE(METHOD("REGISTER") "<Extension><RegistrationType>0</RegistrationType></Extension>");
	static const char ends[] = ONE(METHOD("REGISTER") "<Extension><RegistrationType>1</RegistrationType>"
				      "<RegistrationType>2</RegistrationType></Extension>");

	ck_assert(fits(first, registers, CASE_ORIGINATING, true, REGISTRATION_INITIAL));
	ck_assert(!fits(first, registers, CASE_ORIGINATING, true, REGISTRATION_END));
	ck_assert(!fits(ends, registers, CASE_ORIGINATING, true, REGISTRATION_INITIAL));
	ck_assert(fits(ends, registers, CASE_ORIGINATING, true, REGISTRATION_AGAIN));
	ck_assert(fits(ends, registers, CASE_ORIGINATING, true, REGISTRATION_END));
	ck_assert(fits(ONE(METHOD("REGISTER")), registers, CASE_ORIGINATING, true, REGISTRATION_END));
}
END_TEST

/* ---- what cannot be used: row D15 ---- */

static const struct { const char *name, *xml, *why; } bad[] = {
	{ "broken expression", ONE(CONTENT("To", "(")), "(" },
	{ "expression too long", NULL, "too long" },
	{ "parentheses too deep", ONE(CONTENT("To", "((((((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))))))")), "nested" },
	{ "session case", ONE(CASE("5")), "SessionCase" },
	{ "registration type", ONE(METHOD("REGISTER") "<Extension><RegistrationType>3</RegistrationType></Extension>"), "RegistrationType" },
	{ "no condition known", ONE("<Weather>rain</Weather>"), "no condition" },
	{ "two conditions", ONE(METHOD("BYE") CASE("1")), "two conditions" },
	{ "group", POINT("1", "<SPT><Group>x</Group>" YES "</SPT>"), "Group" },
	{ "empty trigger point", POINT("1", ""), "without a trigger" },
	{ "header without a name", ONE("<SIPHeader><Content>x</Content></SIPHeader>"), "without Header" },
	{ "no priority", "<InitialFilterCriteria>" AS "</InitialFilterCriteria>", "no Priority" },
	{ "priority", "<InitialFilterCriteria><Priority>high</Priority>" AS "</InitialFilterCriteria>", "high" },
	{ "no server", "<InitialFilterCriteria><Priority>1</Priority></InitialFilterCriteria>", "no ServerName" },
	{ "server is a number", "<InitialFilterCriteria><Priority>1</Priority><ApplicationServer><ServerName>tel:+49</ServerName>"
	  "</ApplicationServer></InitialFilterCriteria>", "no SIP URI" },
	{ "part", "<InitialFilterCriteria><Priority>1</Priority>" AS "<ProfilePartIndicator>2</ProfilePartIndicator></InitialFilterCriteria>", "Part" },
	{ "one inside of another (found by fuzz_criteria: groups were counted twice)", "<InitialFilterCriteria>" ONE(CONTENT("To", "a"))
	  "<Priority>1</Priority>" AS "</InitialFilterCriteria>", "inside" },
	{ "a shared set that is not there", "<SharedIFCSetID>7</SharedIFCSetID>", "7" },
};

/* The bad one is left out with a reason, the good one behind it stands. */
START_TEST(test_skipped)
{
	static const char good[] = "<InitialFilterCriteria><Priority>2</Priority><ApplicationServer><ServerName>as.example</ServerName>"
				   "<DefaultHandling>1</DefaultHandling><ServiceInfo> a &lt;b&gt; </ServiceInfo></ApplicationServer></InitialFilterCriteria>";
	struct criteria *c;
	struct buf b;

	buf_init(&b, 1 << 16);
	if (bad[_i].xml) {
		buf_puts(&b, bad[_i].xml);
	} else {
		buf_puts(&b, "<InitialFilterCriteria><Priority>1</Priority><TriggerPoint><SPT><SIPHeader><Header>To</Header><Content>");
		for (unsigned i = 0; i <= PATTERN_MAX_BYTES; i++)
			buf_putc(&b, '.');
		buf_puts(&b, "</Content></SIPHeader></SPT></TriggerPoint>" AS "</InitialFilterCriteria>");
	}
	buf_puts(&b, good);
	buf_putc(&b, '\0');
	c = get(NULL, b.p);
	ck_assert_msg(c->n == 1 && c->n_skipped == 1, "%s: %u used", bad[_i].name, c->n);
	ck_assert_msg(str_find(c->skipped, str_from_c(bad[_i].why)) >= 0, "%s: %.*s", bad[_i].name, STR_ARG(c->skipped));
	ck_assert(str_eq(c->v[0].route, STR("<sip:as.example;lr>")) && c->v[0].terminate);
	ck_assert(str_eq(c->v[0].service_info, STR("a <b>")));
	obj_unref(c);
	buf_fini(&b);
}
END_TEST

START_TEST(test_order)
{
	struct criteria *c;
	struct sip_msg *m = parse(request);
	struct criteria_query q = { .m = m, .ruri = m->ruri_text, .scase = CASE_ORIGINATING, .registered = true };
	struct buf b;

	buf_init(&b, 1 << 18);
	for (unsigned i = 0; i < CRITERIA_MAX + 5; i++)
		buf_printf(&b, "<InitialFilterCriteria><Priority>%u</Priority><TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF><SPT><Group>1</Group>"
			   "<Method>%s</Method></SPT></TriggerPoint><ApplicationServer><ServerName>sip:as%u;lr</ServerName></ApplicationServer>"
			   "</InitialFilterCriteria>", 1000 - i, i % 2 ? "INVITE" : "BYE", i);
	buf_putc(&b, '\0');
	c = get(NULL, b.p);
	ck_assert_uint_eq(c->n, CRITERIA_MAX);
	ck_assert_uint_eq(c->n_skipped, 5);
	for (unsigned i = 1; i < c->n; i++)
		ck_assert_int_lt(c->v[i - 1].priority, c->v[i].priority);
	ck_assert_uint_eq(criteria_next(c, 0, &q), 0);
	ck_assert(str_eq(c->v[0].route, STR("<sip:as99;lr>")));
	ck_assert_uint_eq(criteria_next(c, 1, &q), 2);
	ck_assert_uint_eq(criteria_next(c, CRITERIA_MAX - 1, &q), CRITERIA_NONE);
	obj_unref(c);
	sip_msg_unref(m);
	buf_fini(&b);
}
END_TEST

/* ---- shared tables and shared sets ---- */

START_TEST(test_equal_ones_are_one)
{
	struct criteria_store *s = criteria_store_new();
	struct criteria *a = get(s, ONE(YES)), *b = get(s, ONE(YES)), *c = get(s, ONE(NO));

	ck_assert(a == b && a != c);
	ck_assert_uint_eq(criteria_store_count(s), 2);
	obj_unref(a);
	ck_assert_uint_eq(criteria_store_count(s), 2);
	obj_unref(b);
	obj_unref(c);
	ck_assert_uint_eq(criteria_store_count(s), 0);
	criteria_store_free(s);
}
END_TEST

struct walk {
	struct criteria_store *s;
	struct criteria *only;		/* given back from inside, the last reference of its table */
	unsigned n;
};

static void walked(void *arg, const struct criterion *k)
{
	struct walk *w = arg;

	w->n++;
	ck_assert_uint_ge(criteria_store_count(w->s), 1);	/* takes the lock, as workers do meanwhile */
	obj_unref(w->only);
	w->only = NULL;
	ck_assert(k->server.l > 0);
}

START_TEST(test_walk_holds_no_lock)
{
	struct criteria_store *s = criteria_store_new();
	struct walk w = { .s = s, .only = get(s, ONE(YES)) };
	struct criteria *b = get(s, ONE(NO));

	criteria_store_each(s, walked, &w);
	ck_assert_uint_eq(w.n, 2);
	ck_assert_uint_eq(criteria_store_count(s), 1);		/* nothing is kept by the walk */
	obj_unref(b);
	criteria_store_each(s, walked, &w);
	ck_assert_uint_eq(w.n, 2);
	criteria_store_free(s);
}
END_TEST

START_TEST(test_shared_sets)
{
	static const char file[] = "<?xml version=\"1.0\"?>\n<x:SharedIFCSets xmlns:x=\"urn:x\"><SharedIFCSet>\n<SetID> 3 </SetID>"
		"<InitialFilterCriteria><Priority>9</Priority>" AS "</InitialFilterCriteria><InitialFilterCriteria><Priority>0</Priority>" AS
		"</InitialFilterCriteria></SharedIFCSet></x:SharedIFCSets>";
	struct criteria_store *s = criteria_store_new();
	struct criteria *c;
	struct str text;
	char why[160];
	uint32_t id;

	ck_assert_msg(criteria_store_load_text(s, STR(file), why) == 0, "%s", why);
	ck_assert(criteria_store_at(s, 0, &id, &text) && id == 3 && str_eq(text, criteria_store_set(s, 3)));
	ck_assert(!criteria_store_at(s, 1, NULL, NULL));
	c = get(s, ONE(YES) "<SharedIFCSetID>3</SharedIFCSetID><SharedIFCSetID>4</SharedIFCSetID>");
	ck_assert(c->n == 3 && c->n_skipped == 1);
	ck_assert(c->v[0].priority == 0 && c->v[1].priority == 1 && c->v[2].priority == 9);
	obj_unref(c);
	ck_assert_int_eq(criteria_store_load_text(s, STR(file), why), -EEXIST);
	ck_assert_int_eq(criteria_store_load_text(s, STR("<a><SharedIFCSet><SetID>x</SetID></SharedIFCSet></a>"), why), -EBADMSG);
	ck_assert_int_eq(criteria_store_load_text(s, STR("<!DOCTYPE a><a/>"), why), -EBADMSG);
	ck_assert_int_eq(criteria_store_load_text(s, STR("<a>"), why), -EBADMSG);
	ck_assert_int_eq(criteria_store_load(s, "/nowhere/at/all", why), -ENOENT);
	criteria_store_free(s);
}
END_TEST

#define SHARED(priority) "<InitialFilterCriteria><Priority>" priority "</Priority>" AS "</InitialFilterCriteria>"

/* Row T5: tables of before a change are what they were for who reads them, and today's for who asks. */
START_TEST(test_shared_sets_change)
{
	struct criteria_store *s = criteria_store_new();
	struct criteria *plain = get(s, ONE(YES)), *user = get(s, "<SharedIFCSetID>3</SharedIFCSetID>" SHARED("5")), *now, *before;

	ck_assert(user->n == 1 && user->n_skipped == 1);
	ck_assert_int_eq(criteria_store_put(s, 3, STR_NONE), -ENOENT);
	ck_assert_int_eq(criteria_store_put(s, 3, STR(SHARED("1") SHARED("9"))), 0);
	ck_assert(user->n == 1);
	before = criteria_current(user);
	ck_assert(before->n == 3 && before->v[0].priority == 1 && before->v[1].priority == 5 && before->n_skipped == 0);
	now = criteria_current(plain);
	ck_assert(now == plain);
	obj_unref(now);
	now = get(s, "<SharedIFCSetID>3</SharedIFCSetID>" SHARED("5"));
	ck_assert_ptr_eq(now, user);				/* found, and then asked what it is by now */
	obj_unref(now);
	ck_assert_int_eq(criteria_store_put(s, 3, STR(SHARED("7"))), 0);
	now = criteria_current(user);
	ck_assert(now->n == 2 && now->v[1].priority == 7 && before->n == 3);
	obj_unref(now);
	obj_unref(before);
	ck_assert_int_eq(criteria_store_put(s, 4, STR(SHARED("2"))), 0);
	ck_assert(criteria_store_at(s, 1, NULL, NULL) && !criteria_store_at(s, 2, NULL, NULL));
	ck_assert_int_eq(criteria_store_put(s, 3, STR_NONE), 0);
	now = criteria_current(user);
	ck_assert(now->n == 1 && now->n_skipped == 1 && criteria_store_set(s, 4).l && !criteria_store_set(s, 3).l);
	obj_unref(now);
	obj_unref(user);
	obj_unref(plain);
	ck_assert_uint_eq(criteria_store_count(s), 0);
	ck_assert_ptr_null(criteria_current(NULL));
	for (uint32_t id = 10; id < 10 + CRITERIA_MAX_SETS - 1; id++)
		ck_assert_int_eq(criteria_store_put(s, id, STR(SHARED("2"))), 0);
	ck_assert_int_eq(criteria_store_put(s, 9, STR(SHARED("2"))), -EFBIG);
	criteria_store_free(s);
}
END_TEST

/* Workers look up, compile and let go while the main thread changes a set. */
static struct criteria_store *busy;
static atomic_bool enough;

static void *look(void *arg)
{
	(void)arg;
	while (!atomic_load(&enough)) {
		struct criteria *c = get(busy, "<SharedIFCSetID>3</SharedIFCSetID>"), *now = criteria_current(c);

		ck_assert(now->n <= 2);
		obj_unref(now);
		obj_unref(c);
	}
	return NULL;
}

START_TEST(test_shared_sets_change_under_readers)
{
	pthread_t t[3];

	busy = criteria_store_new();
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, look, NULL), 0);
	for (unsigned i = 0; i < 300; i++)
		ck_assert_int_eq(criteria_store_put(busy, 3, i % 3 == 0 ? STR(SHARED("1")) : i % 3 == 1 ? STR(SHARED("1") SHARED("2")) : STR_NONE), 0);
	atomic_store(&enough, true);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(criteria_store_count(busy), 0);
	criteria_store_free(busy);
}
END_TEST

/* ---- expressions that would take for ever: SEC-14 ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HOSTILE_MAX_MS 20.0
#else
#define HOSTILE_MAX_MS 2.0
#endif

static const struct { const char *name, *ere; } hostile[] = {
	{ "nested repetition", "^(a+)+$" }, { "of alternatives", "^(a|aa)+$" }, { "overlapping", "^(a|a)*b$" },
	{ "ten stars", ".*.*.*.*.*.*.*.*.*.*c$" }, { "counted", "^((a{1,60}){1,60}){1,60}$" }, { "deep", "^((((((((a*)*)*)*)*)*)*)*)*b$" },
};

START_TEST(test_hostile)
{
	struct timespec from, to;
	struct pattern *p = NULL;
	char text[4001];
	const char *why;
	double ms;

	memset(text, 'a', sizeof(text));
	text[4000] = '!';
	if (pattern_new(str_from_c(hostile[_i].ere), PATTERN_ANYWHERE, &p, &why) < 0)
		return;			/* refused: fine, too */
	(void)pattern_matches(p, STR("a"));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	ck_assert_msg(!pattern_matches(p, str_make(text, sizeof(text))), "%s", hostile[_i].name);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
	ck_assert_msg(ms < HOSTILE_MAX_MS, "%s: %.1f ms", hostile[_i].name, ms);
	pattern_free(p);
}
END_TEST

TEST_MAIN("criteria", TEST_ROWS(test_trigger, rows), TEST_ONE(test_session_cases), TEST_ONE(test_profile_part),
	  TEST_ONE(test_registration_type), TEST_ROWS(test_skipped, bad), TEST_ONE(test_order), TEST_ONE(test_equal_ones_are_one),
	  TEST_ONE(test_walk_holds_no_lock), TEST_ONE(test_shared_sets), TEST_ONE(test_shared_sets_change), TEST_ONE(test_shared_sets_change_under_readers),
	  TEST_ROWS(test_hostile, hostile))
