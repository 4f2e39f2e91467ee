/* tests/scscf/test_preferences.c - which contacts, in which order: RFC 3840, RFC 3841 §7.2, §9.1, RFC 5626 §7;
 * TS 24.229 §5.4.3.3; rows T12, T17. */
#include "scscf/preferences.h"
#include "tests/scscf/rig.h"

#define USER "<PublicIdentity><Identity>sip:kim@home.example</Identity></PublicIdentity>"
#define MMTEL "+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\""
#define FLOW(n) "+sip.instance=\"<urn:uuid:1>\";reg-id=" n

/* One contact against the headers of one request.  score: -1: it is not for it. */
static const struct { const char *name, *headers, *contact; int score; } judge_rows[] = {
	{ "a contact that says nothing is not touched, §7.2.4", "Accept-Contact: *;video;require;explicit\n", "", 1000 },
	{ "neither is one that has only its instance", "Accept-Contact: *;video;require;explicit\n", "+sip.instance=\"<x>\"", 1000 },
	{ "no preference, RFC 3841 §7.2.2.1", "", "methods=\"INVITE,ACK\"", 1000 },
	{ "a method that the contact has not", "", "methods=\"MESSAGE\"", -1 },
	{ "methods by name", "Accept-Contact: *;methods=\"MESSAGE\"\n", "methods=\"MESSAGE\"", 1000 },
	{ "methods that are excluded", "", "methods=\"!INVITE\"", -1 },
	{ "one feature", "Accept-Contact: *;audio\n", "audio", 500 },	/* and the implicit methods, of which it says nothing */
	{ "one feature, methods too", "Accept-Contact: *;audio\n", "audio;methods=\"INVITE\"", 1000 },
	{ "not said", "Accept-Contact: *;video\n", "audio", 0 },
	{ "not said, explicit", "Accept-Contact: *;video;explicit\n", "audio", 0 },
	{ "not said, required", "Accept-Contact: *;video;require\n", "audio", 0 },
	{ "not said, required and explicit", "Accept-Contact: *;video;require;explicit\n", "audio", -1 },
	{ "no", "Accept-Contact: *;video\n", "video=\"FALSE\"", 0 },
	{ "no, required", "Accept-Contact: *;video;require\n", "video=\"FALSE\"", -1 },
	{ "half of it", "Accept-Contact: *;audio;video;methods=\"INVITE\"\n", "audio;methods=\"INVITE\"", 666 },
	{ "two headers", "Accept-Contact: *;audio;methods=\"INVITE\", *;video\n", "audio;methods=\"INVITE\"", 500 },
	{ "any of several values", "Accept-Contact: *;methods=\"BYE,INVITE\";language=\"en\"\n", "methods=\"INVITE\";language=\"de,en\"", 1000 },
	{ "compact form", "a: *;audio;methods=\"INVITE\"\n", "audio;methods=\"invite\"", 1000 },
	{ "text by its letters", "Accept-Contact: *;description=\"<Desk>\";require\n", "description=\"<desk>\"", -1 },
	{ "a token in any letters", "Accept-Contact: *;class=\"BUSINESS\";require;methods=\"INVITE\"\n", "class=\"business\"", 500 },
	{ "a number in a range", "Accept-Contact: *;priority=\"#>=5\";require;methods=\"INVITE\"\n", "priority=\"#1:7\"", 500 },
	{ "a number outside", "Accept-Contact: *;priority=\"#>=8\";require\n", "priority=\"#1:7\"", -1 },
	{ "an equal number", "Accept-Contact: *;priority=\"#=8.0\";require;methods=\"INVITE\"\n", "priority=\"#=8\"", 500 },
	{ "not that value", "Accept-Contact: *;class=\"!personal\";require\n", "class=\"personal\"", -1 },
	{ "another value", "Accept-Contact: *;class=\"!personal\";require;methods=\"INVITE\"\n", "class=\"business\"", 500 },
	{ "both exclude", "Accept-Contact: *;class=\"!a\";methods=\"INVITE\"\n", "class=\"!b\"", 500 },
	{ "the contact excludes it", "Accept-Contact: *;class=\"a\";require\n", "class=\"!a\"", -1 },
	{ "rejected", "Reject-Contact: *;automata\n", "automata", -1 },
	{ "rejected, by one of two headers", "Reject-Contact: *;video, *;automata\n", "automata", -1 },
	{ "reject wants all of its features", "Reject-Contact: *;automata;video\n", "automata", 0 },
	{ "reject what is said not to be", "Reject-Contact: *;automata\n", "automata=\"FALSE\"", 0 },
	{ "mmtel, RFC 3841 with TS 24.229 §7.2A.8", "Accept-Contact: *;" MMTEL ";require;explicit;methods=\"INVITE\"\n", MMTEL, -1 },
	{ "mmtel", "Accept-Contact: *;" MMTEL ";require;explicit\nAccept-Contact: *;methods=\"INVITE\"\n", MMTEL, 500 },
	{ "smsip, row T17", "Accept-Contact: *;+g.3gpp.smsip;require;explicit\nAccept-Contact: *;methods=\"X\"\n", MMTEL, -1 },
	{ "no star, no preference", "Accept-Contact: audio;require;explicit\n", "video;methods=\"INVITE\"", 1000 },
	{ "what is no feature does not count", "Accept-Contact: *;audio;x=y;methods=\"INVITE\"\n", "audio;methods=\"INVITE\";z", 1000 },
};

static struct sip_msg *message(const char *method, const char *headers)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	char text[4096];

	snprintf(text, sizeof(text), "%s sip:kim@home.example SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKx\nFrom: <sip:a@b>;tag=1\n"
		 "To: <sip:kim@home.example>\nCall-ID: c\nCSeq: 1 %s\nMax-Forwards: 70\n%sContent-Length: 0\n\n", method, method, headers);
	ck_assert_msg(sip_msg_parse_copy(str_from_c(text), NULL, &m, &err) == 0, "%s", err.why);
	return m;
}

START_TEST(test_judge_row)
{
	struct sip_msg *m = message("INVITE", judge_rows[_i].headers);
	struct preferences p;
	unsigned score = 7;
	bool ok;

	preferences_read(m, &p);
	ok = preferences_judge(&p, str_from_c(judge_rows[_i].contact), &score);
	ck_assert_msg(ok == (judge_rows[_i].score >= 0), "%s", judge_rows[_i].name);
	if (ok)
		ck_assert_msg((int)score == judge_rows[_i].score, "%s: %u", judge_rows[_i].name, score);
	sip_msg_unref(m);
}
END_TEST

/* The work is the product of both sides' lengths: 2048 octets of a contact are looked at, 256 of a value. */
START_TEST(test_long_row)
{
	static const struct { size_t filler; bool value, rejected; } long_rows[] = {
		{ 100, false, true }, { 2000, false, true }, { 2048, false, false }, { 100, true, true }, { 300, true, false },
	};
	struct sip_msg *m = message("INVITE", long_rows[_i].value ? "Reject-Contact: *;language=\"de\"\n" : "Reject-Contact: *;automata\n");
	struct preferences p;
	unsigned score;
	struct buf b;

	buf_init(&b, 8192);
	buf_puts(&b, long_rows[_i].value ? "language=\"" : "x=");
	for (size_t k = 0; k < long_rows[_i].filler; k += 2)
		buf_puts(&b, long_rows[_i].value ? "e," : "yy");
	buf_puts(&b, long_rows[_i].value ? "de\"" : ";automata");
	preferences_read(m, &p);
	ck_assert_int_eq(preferences_judge(&p, buf_str(&b), &score), !long_rows[_i].rejected);
	buf_fini(&b);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_events)			/* RFC 3841 §7.2.2.2 */
{
	struct sip_msg *m = message("SUBSCRIBE", "Event: presence;x=1\n");
	struct preferences p;
	unsigned score;

	preferences_read(m, &p);
	ck_assert(preferences_implicit_only(&p));
	ck_assert(preferences_judge(&p, STR("events=\"presence,dialog\""), &score));
	ck_assert(!preferences_judge(&p, STR("events=\"dialog\""), &score));
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_many)			/* what is behind the limit is not looked at */
{
	char headers[4096] = "";
	struct preferences p;
	struct sip_msg *m;

	for (unsigned i = 0; i < 40; i++)
		strcat(headers, "Accept-Contact: *;audio\nReject-Contact: *;video\n");
	m = message("SUBSCRIBE", headers);
	preferences_read(m, &p);
	ck_assert_uint_eq(p.n_reject, PREFERENCES_MAX);
	ck_assert_uint_eq(p.n_accept, PREFERENCES_MAX + 1);
	sip_msg_unref(m);
}
END_TEST

/* ---- the fork ---- */

/* Each one that is asked says 480; "|" parts what goes out together. */
static const struct { const char *name, *headers; struct rig_contact contact[4]; unsigned n; const char *asked; unsigned status; } fork_rows[] = {
	{ "equal ones in parallel", "", { { "", 500 }, { "", 500 } }, 2, "1 2", 480 },
	{ "by q", "", { { "", 100 }, { "", 900 }, { "", 100 } }, 3, "2|1 3", 480 },
	{ "by q, all at once", "Request-Disposition: parallel\n", { { "", 100 }, { "", 900 } }, 2, "1 2", 480 },
	{ "one after the other", "Request-Disposition: sequential\n", { { "", 500 }, { "", 500 }, { "", 900 } }, 3, "3|1|2", 480 },
	{ "no fork", "Request-Disposition: no-fork, queue\n", { { "", 100 }, { "", 900 } }, 2, "2", 480 },
	{ "who fits better first", "Accept-Contact: *;video\n", { { "audio", 500 }, { "audio;video", 500 } }, 2, "2|1", 480 },
	{ "q before what fits", "Accept-Contact: *;video\n", { { "audio", 900 }, { "audio;video", 500 } }, 2, "1|2", 480 },
	{ "only those that can", "Accept-Contact: *;video;require;explicit\n", { { "audio", 500 }, { "video", 500 } }, 2, "2", 480 },
	{ "nobody can", "Accept-Contact: *;video;require;explicit\n", { { "audio", 500 } }, 1, "", 480 },
	{ "nobody says the method: §7.2.4", "", { { "methods=\"MESSAGE\"", 500 } }, 1, "1", 480 },
	{ "a phone with two flows, RFC 5626 §7", "", { { FLOW("1"), 500 }, { FLOW("2"), 500 }, { "", 500 } }, 3, "2 3", 480 },
};

START_TEST(test_fork_row)
{
	char extra[512], asked[256] = "", addr[ADDR_STRLEN];
	unsigned n = 0, answered = 0;
	struct rig r;

	rig_init(&r, NULL);
	rig_user_contacts(&r, 0x77, USER, fork_rows[_i].n, fork_rows[_i].contact);
	snprintf(extra, sizeof(extra), "Route: <sip:scscf.home.example:6060;lr>\n%s", fork_rows[_i].headers);
	rig_request(&r, "INVITE", "sip:kim@home.example", NULL, extra);
	while (rig_req(&r, "INVITE", n)) {
		for (; rig_req(&r, "INVITE", n); n++)
			snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s%s", n == 0 ? "" : n == answered ? "|" : " ",
				 addr_host(&rig_req(&r, "INVITE", n)->to.remote, addr) + strlen("10.0.0."));
		for (; answered < n; answered++)
			rig_reply(&r, rig_req(&r, "INVITE", answered), 480, "");
	}
	ck_assert_msg(strcmp(asked, fork_rows[_i].asked) == 0, "%s: %s", fork_rows[_i].name, asked);
	ck_assert_msg(rig_status(&r) == fork_rows[_i].status, "%s: %u", fork_rows[_i].name, rig_status(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_flow_failed)		/* RFC 5626 §7: 430 is not for the caller while there is another flow */
{
	static const struct rig_contact two[] = { { FLOW("1"), 500 }, { FLOW("2"), 500 } };
	struct rig r;

	rig_init(&r, NULL);
	rig_user_contacts(&r, 0x77, USER, 2, two);
	rig_request(&r, "MESSAGE", "sip:kim@home.example", NULL, "Route: <sip:scscf.home.example:6060;lr>\n");
	ck_assert_str_eq(rig_down(&r), "MESSAGE@10.0.0.2");
	rig_reply(&r, rig_req(&r, "MESSAGE", 0), 430, "");
	ck_assert_str_eq(rig_down(&r), "MESSAGE@10.0.0.2 MESSAGE@10.0.0.1");
	rig_reply(&r, rig_req(&r, "MESSAGE", 1), 200, "");
	ck_assert_uint_eq(rig_status(&r), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_redirected)		/* TS 24.229 §5.4.3.3: what a phone says with 3xx is for who called it */
{
	struct rig r;

	rig_init(&r, NULL);
	rig_users(&r);
	rig_request(&r, "INVITE", "sip:alice@home.example", NULL, "Route: <sip:scscf.home.example:6060;lr>\n");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 302, "Contact: <sip:other@foreign.example>\r\n");
	ck_assert_uint_eq(rig_status(&r), 302);
	ck_assert_str_eq(rig_hdr(rig_up(&r), SIP_H_CONTACT), "<sip:other@foreign.example>");
	ck_assert_ptr_null(rig_req(&r, "INVITE", 1));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("preferences", TEST_ROWS(test_judge_row, judge_rows), { &(test_long_row), 5 }, TEST_ONE(test_events), TEST_ONE(test_many), TEST_ROWS(test_fork_row, fork_rows),
	  TEST_ONE(test_flow_failed), TEST_ONE(test_redirected))
