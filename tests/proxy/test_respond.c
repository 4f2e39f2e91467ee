/* tests/proxy/test_respond.c - the choice of the best response: RFC 3261 §16.7 step 6 and 7. */
#include "tests/proxy/rig.h"
#include "common/proxy/private.h"

#define SILENT 1			/* never answers: 408 of ours */
#define NOWHERE 2			/* does not resolve: 503 of ours */

static const struct {
	const char *name;
	unsigned got[3];		/* per branch, in the order in which they answer */
	unsigned want;
} rows[] = {
	{ "300", { 300 }, 300 }, { "302", { 302 }, 302 }, { "400", { 400 }, 400 }, { "401", { 401 }, 401 },
	{ "403", { 403 }, 403 }, { "404", { 404 }, 404 }, { "407", { 407 }, 407 }, { "408", { 408 }, 408 },
	{ "415", { 415 }, 415 }, { "420", { 420 }, 420 }, { "480", { 480 }, 480 }, { "484", { 484 }, 484 },
	{ "486", { 486 }, 486 }, { "487", { 487 }, 487 }, { "488", { 488 }, 488 }, { "500", { 500 }, 500 },
	{ "502", { 502 }, 502 }, { "503 is ours to explain, step 6", { 503 }, 500 }, { "504", { 504 }, 504 },
	{ "600", { 600 }, 600 }, { "603", { 603 }, 603 }, { "606", { 606 }, 606 },
	{ "class 3 before 4", { 404, 302 }, 302 }, { "class 3 before 5", { 500, 302 }, 302 },
	{ "class 4 before 5", { 500, 404 }, 404 }, { "class 4 before 5, other order", { 404, 500 }, 404 },
	{ "6xx before all", { 302, 404, 603 }, 603 }, { "6xx before 3xx", { 302, 600 }, 600 },
	{ "401 before 404", { 404, 401 }, 401 }, { "407 before 404", { 404, 407 }, 407 },
	{ "415 before 486", { 486, 415 }, 415 }, { "420 before 480", { 480, 420 }, 420 },
	{ "484 before 404", { 404, 484 }, 484 }, { "401 before 407", { 407, 401 }, 401 },
	{ "401 before 500 and 486", { 500, 486, 401 }, 401 },
	{ "500 before 503", { 503, 500 }, 500 }, { "504 before 503", { 503, 504 }, 504 },
	{ "404 before 503", { 503, 404 }, 404 }, { "two 503", { 503, 503 }, 500 },
	{ "486 before 408", { 408, 486 }, 486 }, { "486 before 487", { 487, 486 }, 486 },
	{ "408 before 500", { 500, 408 }, 408 }, { "first of equals", { 486, 480 }, 486 },
	{ "three classes", { 500, 302, 404 }, 302 },
	{ "silence alone", { SILENT }, 408 }, { "silence and 486", { SILENT, 486 }, 486 },
	{ "silence and 503", { SILENT, 503 }, 408 }, { "silence and 302", { SILENT, 302 }, 302 },
	{ "no such name, §16.9", { NOWHERE }, 500 }, { "no such name and 404", { NOWHERE, 404 }, 404 },
	{ "no such name and 504", { NOWHERE, 504 }, 504 }, { "nothing works", { NOWHERE, NOWHERE, NOWHERE }, 500 },
	{ "no such name, silence", { NOWHERE, SILENT }, 408 },
};

static unsigned branches_add(struct rig *r, const unsigned *got)
{
	static const char *const hosts[] = { "sip:x@n1", "sip:x@n2", "sip:x@n3" };
	unsigned n = 0;

	for (; n < 3 && got[n]; n++)
		r->targets[n] = got[n] == NOWHERE ? "sip:x@nx" : hosts[n];
	return r->n_targets = n;
}

/* Answers of all branches that are there to answer. */
static void answer_all(struct rig *r, const char *method, const unsigned *got, unsigned n)
{
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++) {
		if (got[i] == NOWHERE)
			continue;
		if (got[i] != SILENT)
			rig_reply(r, rig_req(r, method, sent), got[i], "B", "");
		sent++;
	}
}

START_TEST(test_best_invite)
{
	struct rig r;
	unsigned n;

	rig_init(&r);
	n = branches_add(&r, rows[_i].got);
	rig_request(&r, "INVITE", "sip:bob@b", "");
	if (rows[_i].got[0] == SILENT || rows[_i].got[1] == SILENT) {
		answer_all(&r, "INVITE", rows[_i].got, n);
		ck_assert_msg(rig_last_up(&r)->status == 100, "%s: %s", rows[_i].name, rig_up(&r));
		rig_run(&r, 33000);		/* timer B */
	} else {
		answer_all(&r, "INVITE", rows[_i].got, n);
	}
	ck_assert_msg(rig_last_up(&r)->status == rows[_i].want, "%s: %s", rows[_i].name, rig_up(&r));
	ck_assert_ptr_nonnull(strstr(r.log, "final:"));
	rig_run(&r, 80000);
	ck_assert_ptr_null(r.p);		/* nobody ACKs: timer H ends it */
	rig_fini(&r);
}
END_TEST

START_TEST(test_best_message)		/* the same without INVITE; 408 never goes up: RFC 4320 §4.2 */
{
	struct rig r;
	unsigned n;

	rig_init(&r);
	n = branches_add(&r, rows[_i].got);
	rig_request(&r, "MESSAGE", "sip:bob@b", "");
	answer_all(&r, "MESSAGE", rows[_i].got, n);
	rig_run(&r, 33000);
	if (rows[_i].want == 408)
		ck_assert_msg(!rig_last_up(&r) || rig_last_up(&r)->status != 408, "%s: %s", rows[_i].name, rig_up(&r));
	else if (rows[_i].got[0] != SILENT)
		ck_assert_msg(rig_last_up(&r) && rig_last_up(&r)->status == rows[_i].want, "%s: %s", rows[_i].name, rig_up(&r));
	rig_run(&r, 80000);
	ck_assert_ptr_null(r.p);
	rig_fini(&r);
}
END_TEST

/* §16.7 step 7: all challenges in one response. */
START_TEST(test_challenges)
{
	const struct sip_msg *up;
	struct rig r;

	rig_init(&r);
	r.targets[0] = "sip:x@n1";
	r.targets[1] = "sip:x@n2";
	r.targets[2] = "sip:x@n3";
	r.n_targets = 3;
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 407, "B1", "Proxy-Authenticate: Digest realm=\"one\"\r\n");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 401, "B2", "WWW-Authenticate: Digest realm=\"two\"\r\n");
	rig_reply(&r, rig_req(&r, "INVITE", 2), 407, "B3", "Proxy-Authenticate: Digest realm=\"three\"\r\n");
	up = rig_last_up(&r);
	ck_assert_uint_eq(up->status, 401);
	ck_assert_uint_eq(sip_values_count(up, SIP_H_WWW_AUTHENTICATE), 1);
	ck_assert(str_eq_c(sip_msg_value(up, SIP_H_PROXY_AUTHENTICATE), "Digest realm=\"one\""));
	ck_assert_ptr_nonnull(sip_msg_hdr_next(up, sip_msg_hdr(up, SIP_H_PROXY_AUTHENTICATE)));
	rig_fini(&r);
}
END_TEST

/* A 6xx ends the others, and goes up only when they have ended: §16.7 step 5. */
START_TEST(test_6xx_cancels)
{
	struct rig r;

	rig_init(&r);
	r.targets[0] = "sip:x@n1";
	r.targets[1] = "sip:x@n2";
	r.targets[2] = "sip:x@n3";
	r.q[0] = r.q[1] = 1000;
	r.q[2] = 500;
	r.n_targets = 3;
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 180, "B2", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 603, "B1", "");
	ck_assert_str_eq(rig_up(&r), "100 180");
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 0));
	rig_reply(&r, rig_req(&r, "INVITE", 1), 487, "B2", "");
	ck_assert_str_eq(rig_up(&r), "100 180 603");
	ck_assert_ptr_null(rig_req(&r, "INVITE", 2));	/* the next group is not tried */
	rig_fini(&r);
}
END_TEST

/* What goes up: our Via gone, theirs as it was, edits of the role applied. */
START_TEST(test_way_up)
{
	const struct sip_msg *up;
	struct rig r;

	rig_init(&r);
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 100, "", "");
	ck_assert_str_eq(rig_up(&r), "100");		/* §16.7 step 5: a 100 stays here */
	rig_reply(&r, rig_req(&r, "INVITE", 0), 183, "B", "X-Odd: kept\r\n");
	up = rig_last_up(&r);
	ck_assert_uint_eq(up->status, 183);
	ck_assert_uint_eq(sip_values_count(up, SIP_H_VIA), 1);
	ck_assert(str_eq_c(up->via.branch, "z9hG4bKup"));
	ck_assert(str_eq_c(sip_msg_hdr_value(up, sip_msg_hdr_by_name(up, "X-Odd")), "kept"));
	ck_assert(str_eq_c(sip_msg_hdr_value(up, sip_msg_hdr_by_name(up, "X-Seen")), "yes"));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 199, "B9", "");	/* RFC 6228 */
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "B", "");
	ck_assert_str_eq(rig_up(&r), "100 183 199 200");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "B", "");	/* retransmitted: RFC 6026 §8.4 */
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B", "");	/* too late */
	ck_assert_str_eq(rig_up(&r), "100 183 199 200 200");
	rig_run(&r, 40000);
	ck_assert_ptr_null(r.p);
	rig_fini(&r);
}
END_TEST

/* RFC 6228 §6: a fork that gives up while others go on ends its early dialogs with a 199 of ours, if the caller can read it. */
static const struct {
	const char *name, *extra, *own;		/* a 199 that the branch sent itself, or "" */
	unsigned final;
	const char *up;
	const char *ended;			/* To tags of the 199s of ours */
} early_rows[] = {
	{ "caller knows 199", "Supported: 100rel, 199\n", "", 486, "100 180 183 180 199 199", "B1 B2" },
	{ "caller does not", "Supported: 100rel\n", "", 486, "100 180 183 180", "" },
	{ "caller insists on 100rel", "Supported: 199\nRequire: 100rel\n", "", 486, "100 180 183 180", "" },
	{ "the branch said so itself for one", "Supported: 199\n", "B2", 486, "100 180 183 180 199 199", "B1" },
	{ "6xx: the others are only cancelled", "Supported: 199\n", "", 603, "100 180 183 180 199 199", "B1 B2" },
};

START_TEST(test_early_end)
{
	char ended[64] = "";
	struct rig r;

	rig_init(&r);
	r.targets[0] = "sip:x@n1";
	r.targets[1] = "sip:x@n2";
	r.n_targets = 2;
	rig_request(&r, "INVITE", "sip:bob@n1", early_rows[_i].extra);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 183, "B2", "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 180, "C1", "");
	if (early_rows[_i].own[0])
		rig_reply(&r, rig_req(&r, "INVITE", 0), 199, early_rows[_i].own, "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), early_rows[_i].final, "B1", "");
	ck_assert_msg(!strcmp(rig_up(&r), early_rows[_i].up), "%s: %s", early_rows[_i].name, rig_up(&r));
	for (unsigned i = r.n; i-- > 0;) {
		const struct sip_msg *m = r.sent[i].m;
		char reason[64];

		if (m->request || m->status != 199 || !sip_msg_hdr(m, SIP_H_REASON))
			continue;
		snprintf(reason, sizeof(reason), "SIP;cause=%u;text=\"%s\"", early_rows[_i].final, sip_reason_phrase(early_rows[_i].final));
		ck_assert(str_eq_c(sip_msg_value(m, SIP_H_REASON), reason));
		ck_assert(!sip_msg_hdr(m, SIP_H_REQUIRE) && !sip_msg_hdr(m, SIP_H_RSEQ));
		snprintf(ended + strlen(ended), sizeof(ended) - strlen(ended), "%s%.*s", ended[0] ? " " : "", STR_ARG(m->to_tag));
	}
	ck_assert_msg(!strcmp(ended, early_rows[_i].ended), "%s: %s", early_rows[_i].name, ended);
	rig_fini(&r);
}
END_TEST

START_TEST(test_early_last)		/* nobody is left: the final response says it all */
{
	struct rig r;

	rig_init(&r);
	rig_request(&r, "INVITE", "sip:bob@n1", "Supported: 199\n");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 486, "B1", "");
	ck_assert_str_eq(rig_up(&r), "100 180 486");
	rig_fini(&r);
}
END_TEST

/* A callee may begin and end early dialogs without end, by tags as long as it likes: what is kept of them is not the caller's loss. */
START_TEST(test_early_limits)
{
	char tag[PROXY_MAX_EARLY_TAG + 2] = "";
	size_t before, after;
	unsigned ours = 0;
	struct rig r;

	rig_init(&r);
	r.targets[0] = "sip:x@n1";
	r.targets[1] = "sip:x@n2";
	r.n_targets = 2;
	rig_request(&r, "INVITE", "sip:bob@n1", "Supported: 199\n");
	memset(tag, 'l', PROXY_MAX_EARLY_TAG);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, tag, "");
	tag[PROXY_MAX_EARLY_TAG] = 'l';			/* one octet too long */
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, tag, "");
	for (unsigned i = 1; i < PROXY_MAX_EARLY_KEPT; i++) {
		snprintf(tag, sizeof(tag), "B%u", i);
		rig_reply(&r, rig_req(&r, "INVITE", 0), 180, tag, "");
		rig_reply(&r, rig_req(&r, "INVITE", 0), 199, tag, "");
	}
	before = arena_bytes(proxy_request(r.p)->arena);
	memset(tag, 'm', PROXY_MAX_EARLY_TAG);
	tag[PROXY_MAX_EARLY_TAG] = '\0';
	for (unsigned i = 0; i < 26; i++) {
		tag[0] = (char)('a' + i);
		rig_reply(&r, rig_req(&r, "INVITE", 0), 180, tag, "");
		rig_reply(&r, rig_req(&r, "INVITE", 0), 199, tag, "");
	}
	after = arena_bytes(proxy_request(r.p)->arena);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "late", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 486, "B", "");
	for (unsigned i = 0; i < r.n; i++) {
		const struct sip_msg *m = r.sent[i].m;

		if (m->request || m->status != 199 || !sip_msg_hdr(m, SIP_H_REASON))
			continue;
		ours++;
		ck_assert_uint_eq(m->to_tag.l, PROXY_MAX_EARLY_TAG);
		ck_assert_int_eq(m->to_tag.p[0], 'l');
	}
	ck_assert_uint_eq(ours, 1);
	ck_assert_msg(after == before, "%zu octets, %zu before", after, before);
	rig_fini(&r);
}
END_TEST

/* What is between the ends passes as it came, both ways: a proxy has no business in it (RFC 3261 §16.6, §16.7). */
static const struct { const char *name, *method; unsigned status; const char *lines, *body; } through_rows[] = {
	{ "RFC 3262 RSeq", "INVITE", 183, "Require: 100rel\r\nRSeq: 988789\r\n", "" },
	{ "RFC 3262 RAck", "PRACK", 200, "RAck: 776656 1 INVITE\r\n", "" },
	{ "RFC 3891 Replaces", "INVITE", 200, "Replaces: 98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff\r\nRequire: replaces\r\n", "" },
	{ "RFC 3892 Referred-By", "REFER", 202, "Refer-To: <sip:carol@x?Replaces=a%40b%3Bto-tag%3D1>\r\nReferred-By: <sip:r@x>;cid=\"20@x\"\r\n", "" },
	{ "RFC 3840, RFC 3841 preferences", "INVITE", 200, "Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\";explicit;require\r\n"
	  "Reject-Contact: *;actor=\"msg-taker\"\r\nRequest-Disposition: no-fork\r\n", "" },
	{ "RFC 6442 Geolocation", "INVITE", 200, "Geolocation: <cid:target123@a.example>, <https://ls.example/loc>\r\nGeolocation-Routing: yes\r\n", "" },
	{ "RFC 6050 service", "INVITE", 200, "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mmtel\r\n", "" },
	{ "RFC 4412 priority", "INVITE", 200, "Resource-Priority: ets.0, wps.1\r\n", "" },
	{ "RFC 6809 Feature-Caps", "INVITE", 183, "Feature-Caps: *;+g.3gpp.srvcc\r\n", "" },
	{ "RFC 7044 History-Info", "INVITE", 181, "History-Info: <sip:b@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:c@x>;index=1.1;mp=1\r\n", "" },
	{ "RFC 6086 Info-Package", "INFO", 200, "Info-Package: foo\r\nRecv-Info: \r\n", "" },
	{ "RFC 3903 entity-tag", "PUBLISH", 200, "SIP-If-Match: dx200xyz\r\nSIP-ETag: dx200xyz\r\nEvent: presence\r\n", "" },
	{ "RFC 6665 subscription", "NOTIFY", 200, "Event: reg;id=1\r\nSubscription-State: active;expires=599999\r\n", "" },
	{ "RFC 5009 P-Early-Media", "INVITE", 183, "P-Early-Media: supported, sendrecv\r\n", "" },
	{ "RFC 5621 bodies", "INVITE", 200, "MIME-Version: 1.0\r\nContent-Disposition: render;handling=optional\r\n"
	  "Content-Type: multipart/mixed;boundary=\"b 1\"\r\n", "--b 1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b 1\r\n"
	  "Content-Disposition: by-reference\r\n\r\n\001\002\377\r\n--b 1--\r\n" },
	{ "unheard of", "INVITE", 200, "X-Odd : 1\r\nFoo:bar,,baz\r\n", "" },
};

static void holds(const struct sip_msg *m, unsigned row, const char *way)
{
	const char *lines = through_rows[row].lines, *body = through_rows[row].body;

	ck_assert_msg(memmem(m->raw.p, m->raw.l, lines, strlen(lines)), "%s %s:\n%.*s", through_rows[row].name, way, STR_ARG(m->raw));
	ck_assert_msg(str_eq_c(m->body, body), "%s %s: another body", through_rows[row].name, way);
}

START_TEST(test_through)
{
	char text[2048];
	struct rig r;

	rig_init(&r);
	snprintf(text, sizeof(text), "%s sip:bob@n1 SIP/2.0\r\nVia: SIP/2.0/UDP up:5060;branch=z9hG4bKup\r\nMax-Forwards: 70\r\n"
		 "From: <sip:a@up>;tag=A\r\nTo: <sip:b@x>\r\nCall-ID: through\r\nCSeq: 1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
		 through_rows[_i].method, through_rows[_i].method, through_rows[_i].lines, strlen(through_rows[_i].body),
		 through_rows[_i].body);
	rig_raw(&r, text);
	holds(rig_req(&r, through_rows[_i].method, 0)->m, (unsigned)_i, "down");
	rig_reply_body(&r, rig_req(&r, through_rows[_i].method, 0), through_rows[_i].status, "B", through_rows[_i].lines,
		       through_rows[_i].body);
	ck_assert_uint_eq(rig_last_up(&r)->status, through_rows[_i].status);
	holds(rig_last_up(&r), (unsigned)_i, "up");
	rig_fini(&r);
}
END_TEST

START_TEST(test_hold)			/* the user keeps a 2xx and lets it go later */
{
	struct rig r;

	rig_init(&r);
	r.verdict = PROXY_HOLD;
	rig_request(&r, "REGISTER", "sip:n1", "");
	rig_reply(&r, rig_req(&r, "REGISTER", 0), 200, "B", "");
	ck_assert_ptr_null(rig_last_up(&r));
	ck_assert_ptr_nonnull(r.held);
	proxy_resume(r.p, r.held_b, r.held, &r.held_o);
	ck_assert_str_eq(rig_up(&r), "200");
	ck_assert(str_eq_c(sip_msg_hdr_value(rig_last_up(&r), sip_msg_hdr_by_name(rig_last_up(&r), "X-Seen")), "yes"));
	rig_fini(&r);
}
END_TEST

START_TEST(test_hold_failure)
{
	struct rig r;

	rig_init(&r);
	r.verdict = PROXY_HOLD;
	rig_request(&r, "REGISTER", "sip:n1", "");
	rig_reply(&r, rig_req(&r, "REGISTER", 0), 403, "B", "");
	ck_assert_str_eq(r.log, "branch response:403 ");
	proxy_resume(r.p, r.held_b, r.held, NULL);
	ck_assert_str_eq(r.log, "branch response:403 failed:403 final:403 ");
	ck_assert_str_eq(rig_up(&r), "403");
	rig_fini(&r);
}
END_TEST

START_TEST(test_hold_cancelled)		/* CANCEL while a 2xx is kept: the 2xx wins */
{
	struct rig r;

	rig_init(&r);
	r.verdict = PROXY_HOLD;
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "B", "");
	rig_cancel(&r, "");
	ck_assert_str_eq(rig_up(&r), "100");
	proxy_resume(r.p, r.held_b, r.held, &r.held_o);
	ck_assert_str_eq(rig_up(&r), "100 200");
	rig_fini(&r);
}
END_TEST

START_TEST(test_hold_forever)		/* never resumed: the server transaction's end is the end */
{
	struct rig r;

	rig_init(&r);
	r.verdict = PROXY_HOLD;
	rig_request(&r, "REGISTER", "sip:n1", "");
	rig_reply(&r, rig_req(&r, "REGISTER", 0), 200, "B", "");
	rig_run(&r, 40000);
	ck_assert_ptr_null(r.p);
	ck_assert_ptr_nonnull(strstr(r.log, "gone"));
	rig_fini(&r);
}
END_TEST

START_TEST(test_drop)			/* a final that is kept from the caller counts, and is answered by us */
{
	struct rig r;

	rig_init(&r);
	r.verdict = PROXY_DROP;
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 404, "theirs", "X-Odd: theirs\r\n");
	ck_assert_str_eq(rig_up(&r), "100 404");
	ck_assert_ptr_null(sip_msg_hdr_by_name(rig_last_up(&r), "X-Odd"));
	rig_fini(&r);
}
END_TEST

static const struct {
	const char *name, *said;
	uint32_t least, most;		/* 0: no Retry-After */
} retries[] = {
	{ "said by the next hop", "Retry-After: 20\r\n", 20, 30 }, { "with a comment", "Retry-After: 20 (later);duration=9\r\n", 20, 30 },
	{ "absurd", "Retry-After: 4294967295\r\n", 3600, 5400 }, { "not said", "", 0, 0 }, { "no number", "Retry-After: soon\r\n", 0, 0 },
};

START_TEST(test_retry_after_of_a_503)		/* RFC 3261 §16.7 step 6, §21.5.1 */
{
	uint32_t s = 0;
	struct rig r;

	rig_init(&r);
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 503, "B", retries[_i].said);
	ck_assert_str_eq(rig_up(&r), "100 500");
	ck_assert_msg((sip_msg_u32(rig_last_up(&r), SIP_H_RETRY_AFTER, &s) == 0) == (retries[_i].most > 0), "%s", retries[_i].name);
	ck_assert_msg(s >= retries[_i].least && s <= retries[_i].most, "%s: %u", retries[_i].name, s);
	rig_fini(&r);
}
END_TEST

START_TEST(test_final_taken)
{
	struct rig r;

	rig_init(&r);
	r.final_taken = true;
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 503, "B", "");
	ck_assert_str_eq(r.log, "branch response:503 failed:503 final:503 ");
	ck_assert_str_eq(rig_up(&r), "100 480");
	rig_fini(&r);
}
END_TEST

START_TEST(test_no_way_back)		/* §16.7 step 3: a response with our Via only was for us */
{
	struct rig_sent *fwd;
	struct bytes *wire;
	struct sip_out o;
	struct rig r;

	rig_init(&r);
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	fwd = rig_req(&r, "INVITE", 0);
	sip_out_init(&o, fwd->m);
	sip_out_drop_line(&o, sip_msg_hdr_next(fwd->m, sip_msg_hdr(fwd->m, SIP_H_VIA)));
	ck_assert_int_eq(sip_out_write(&o, &wire), 0);
	sip_msg_unref(fwd->m);
	ck_assert_int_eq(sip_msg_parse_copy(bytes_str(wire), NULL, &fwd->m, NULL), 0);
	bytes_unref(wire);
	rig_reply(&r, fwd, 180, "B", "");
	ck_assert_str_eq(rig_up(&r), "100");
	rig_reply(&r, fwd, 404, "B", "");
	ck_assert_str_eq(rig_up(&r), "100 502");
	rig_fini(&r);
}
END_TEST

/* A phone may say 183 without end: what its request holds does not grow with it. */
START_TEST(test_hidden_vias_are_made_once)
{
	struct rig r;
	size_t bytes;

	rig_init(&r);
	r.targets[0] = "sip:x@n1";
	r.n_targets = 1;
	rig_request(&r, "INVITE", "sip:bob@b", "Via: SIP/2.0/UDP core.example:5060;branch=z9hG4bKfar\n");
	proxy_hide_via(r.p);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 183, "B", "");
	bytes = arena_bytes(proxy_request(r.p)->arena);
	for (unsigned i = 0; i < 200; i++)
		rig_reply(&r, rig_req(&r, "INVITE", 0), 183, "B", "");
	ck_assert_uint_eq(sip_values_count(rig_last_up(&r), SIP_H_VIA), 2);
	ck_assert_msg(arena_bytes(proxy_request(r.p)->arena) == bytes, "%zu octets, %zu before", arena_bytes(proxy_request(r.p)->arena), bytes);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 486, "B", "");
	rig_run(&r, 80000);
	rig_fini(&r);
}
END_TEST

/* No memory to read the request with, which rests: no response is written without what it takes from there.  What is repeated waits. */
static const struct { const char *name, *method; bool hides; unsigned status; bool repeated; } asleep_rows[] = {
	{ "it rings", "INVITE", true, 183, true },
	{ "it answers", "INVITE", true, 200, true },
	{ "it answers, and the role reads the request", "INVITE", false, 200, true },
	{ "it is busy", "INVITE", true, 486, false },
	{ "another method", "MESSAGE", true, 200, false },
};

START_TEST(test_request_cannot_be_read)
{
	const char *method = asleep_rows[_i].method;
	struct arena_mark mark;
	struct rig_sent *fwd;
	struct arena *a;
	struct rig r;
	char *log;

	rig_init(&r);
	rig_request(&r, method, "sip:bob@n1", "Via: SIP/2.0/UDP core.example:5060;branch=z9hG4bKfar\n");
	if (asleep_rows[_i].hides)
		proxy_hide_via(r.p);
	fwd = rig_req(&r, method, 0);
	rig_reply(&r, fwd, 180, "B", "");
	a = proxy_request(r.p)->arena;
	mark = arena_mark(a);
	while (arena_alloc(a, 16))
		;
	log = r.log + strlen(r.log);
	rig_reply(&r, fwd, asleep_rows[_i].status, "B", "");
	ck_assert_msg(!rig_last_up(&r) || rig_last_up(&r)->status == 180, "%s: %s", asleep_rows[_i].name, rig_up(&r));
	ck_assert_msg(!strcmp(log, asleep_rows[_i].repeated ? "" : "own-failed:500 final:500 "), "%s: %s", asleep_rows[_i].name, log);
	arena_rewind(a, mark);
	if (asleep_rows[_i].repeated) {
		rig_reply(&r, fwd, asleep_rows[_i].status, "B", "");
		ck_assert_msg(rig_last_up(&r)->status == asleep_rows[_i].status, "%s: %s", asleep_rows[_i].name, rig_up(&r));
		ck_assert_uint_eq(sip_values_count(rig_last_up(&r), SIP_H_VIA), 2);
	}
	rig_run(&r, 400000);
	ck_assert_ptr_null(r.p);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("proxy respond", TEST_ROWS(test_request_cannot_be_read, asleep_rows), TEST_ONE(test_hidden_vias_are_made_once), TEST_ROWS(test_best_invite, rows), TEST_ROWS(test_best_message, rows), TEST_ONE(test_challenges),
	  TEST_ONE(test_6xx_cancels), TEST_ONE(test_way_up), TEST_ONE(test_hold), TEST_ONE(test_hold_failure),
	  TEST_ONE(test_hold_cancelled), TEST_ONE(test_hold_forever), TEST_ONE(test_drop), TEST_ONE(test_final_taken),
	  TEST_ROWS(test_retry_after_of_a_503, retries),
	  TEST_ONE(test_no_way_back), TEST_ROWS(test_early_end, early_rows), TEST_ONE(test_early_last), TEST_ONE(test_early_limits),
	  TEST_ROWS(test_through, through_rows))
