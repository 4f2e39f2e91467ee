/* tests/dialog/test_table.c - dialogs as a proxy sees them pass: RFC 3261 §12.1, §12.3, §13.2.2.4, §15. */
#include <errno.h>
#include <stdio.h>
#include "common/dialog/dialog.h"
#include "tests/check.h"

static struct wheel w;
static struct dialog_table *t;
static char seen[1024];

static void setup(uint32_t max, uint32_t max_age_s)
{
	wheel_init(&w, 1000);
	t = dialog_table_new(&w, max, max_age_s);
	ck_assert_ptr_nonnull(t);
}

/* One step: "INVITE A - 1", "180 INVITE A B 1", "BYE B A 5": [status] method from-tag to-tag cseq [branch]; '-' is no tag.
 * "=486 INVITE A - 1": that final has left upstream. */
static void pass_in(const char *call_id, const char *step)
{
	char method[16], from[16], to[16], branch[16] = "1", to_param[32] = "", text[512];
	unsigned status = 0, cseq;
	bool final = step[0] == '=';
	struct sip_parse_error err;
	struct sip_msg *m;
	int n;

	step += final;
	if (step[0] >= '0' && step[0] <= '9')
		n = sscanf(step, "%u %15s %15s %15s %u %15s", &status, method, from, to, &cseq, branch) - 1;
	else
		n = sscanf(step, "%15s %15s %15s %u", method, from, to, &cseq);
	ck_assert_int_ge(n, 4);
	if (strcmp(to, "-"))
		snprintf(to_param, sizeof(to_param), ";tag=%s", to);
	if (status && !final)
		snprintf(text, sizeof(text), "SIP/2.0 %u X\r\n", status);
	else
		snprintf(text, sizeof(text), "%s sip:b@b SIP/2.0\r\n", method);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "Via: SIP/2.0/UDP h;branch=z9hG4bK%s\r\n"
		 "From: <sip:%s@x>;tag=%s\r\nTo: <sip:to@x>%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nContent-Length: 0\r\n\r\n", branch, from,
		 from, to_param, call_id, cseq, method);
	ck_assert_msg(sip_msg_parse_copy(str_from_c(text), NULL, &m, &err) == 0, "%s: %s", step, err.why);
	if (final)
		dialog_table_final(t, m, status);
	else if (status)
		dialog_table_response(t, m, 0);
	else
		dialog_table_request(t, m, 1, STR("icid1"));
	sip_msg_unref(m);
}

static void view_note(void *arg, const struct dialog_view *v)
{
	size_t l = strlen(seen);
	(void)arg;

	snprintf(seen + l, sizeof(seen) - l, "%s%s/%.*s/%.*s", l ? " " : "", v->state, STR_ARG(v->from_tag), STR_ARG(v->to_tag));
	ck_assert_uint_eq(v->side, 1);
	ck_assert(str_eq_c(v->icid, "icid1"));
	ck_assert_uint_gt(v->started_wall_us, 0);
	ck_assert((v->answered_wall_us != 0) == !strcmp(v->state, "confirmed") || !strcmp(v->state, "terminated"));
}

static const char *all(void)
{
	seen[0] = 0;
	dialog_table_each(t, 0, 100, view_note, NULL);
	return seen;
}

static const struct {
	const char *name, *steps[9], *want;
} rows[] = {
	{ "attempt", { "INVITE A - 1" }, "early/A/" },
	{ "INVITE twice", { "INVITE A - 1", "INVITE A - 1" }, "early/A/" },
	{ "100", { "INVITE A - 1", "100 INVITE A - 1" }, "early/A/" },
	{ "early", { "INVITE A - 1", "180 INVITE A B 1" }, "early/A/B" },
	{ "early, again", { "INVITE A - 1", "180 INVITE A B 1", "183 INVITE A B 1" }, "early/A/B" },
	{ "fork", { "INVITE A - 1", "180 INVITE A B 1", "180 INVITE A C 1" }, "early/A/B early/A/C" },
	{ "confirmed", { "INVITE A - 1", "200 INVITE A B 1" }, "confirmed/A/B" },
	{ "confirmed early one", { "INVITE A - 1", "180 INVITE A B 1", "200 INVITE A B 1", "200 INVITE A B 1" }, "confirmed/A/B" },
	{ "fork, one answers", { "INVITE A - 1", "180 INVITE A B 1", "180 INVITE A C 1", "200 INVITE A C 1" },
	  "early/A/B confirmed/A/C" },
	{ "two answer, §13.2.2.4", { "INVITE A - 1", "200 INVITE A B 1", "200 INVITE A C 1" }, "confirmed/A/B confirmed/A/C" },
	{ "refused", { "INVITE A - 1", "404 INVITE A B 1", "=404 INVITE A - 1" }, "" },
	{ "refused by ourselves", { "INVITE A - 1", "=403 INVITE A - 1" }, "" },
	{ "refused after ringing", { "INVITE A - 1", "180 INVITE A B 1", "180 INVITE A C 1", "486 INVITE A B 1", "=486 INVITE A - 1" }, "" },
	{ "one branch refuses, §13.2.2.3", { "INVITE A - 1", "180 INVITE A B 1 1", "180 INVITE A D 1 1", "180 INVITE A C 1 2", "486 INVITE A B 1 1" },
	  "early/A/C" },
	{ "the only branch that rang refuses", { "INVITE A - 1", "180 INVITE A B 1 1", "486 INVITE A B 1 1", "200 INVITE A C 1 2" },
	  "confirmed/A/C" },
	{ "all silent, refused by ourselves", { "INVITE A - 1", "180 INVITE A B 1 1", "180 INVITE A C 1 2", "=408 INVITE A - 1" }, "" },
	{ "199 ends one, RFC 6228", { "INVITE A - 1", "183 INVITE A B 1", "183 INVITE A C 1", "199 INVITE A B 1" }, "early/A/C" },
	{ "199 of none", { "INVITE A - 1", "183 INVITE A B 1", "199 INVITE A X 1" }, "early/A/B" },
	{ "199, then another answers", { "INVITE A - 1", "183 INVITE A B 1", "199 INVITE A B 1", "200 INVITE A C 1", "=200 INVITE A - 1" },
	  "confirmed/A/C" },
	{ "twice through us: refused once, tried on", { "INVITE A - 1", "INVITE A - 1", "404 INVITE A B 1 1", "=404 INVITE A - 1",
	  "INVITE A - 1", "200 INVITE A C 1 3", "=200 INVITE A - 1", "=200 INVITE A - 1" }, "confirmed/A/C" },
	{ "late 2xx, RFC 6026 §7.2", { "INVITE A - 1", "200 INVITE A B 1", "=200 INVITE A - 1", "200 INVITE A C 1" },
	  "confirmed/A/B confirmed/A/C" },
	{ "answered and over", { "INVITE A - 1", "200 INVITE A B 1", "=200 INVITE A - 1", "BYE A B 2", "200 BYE A B 2" }, "" },
	{ "BYE by the caller", { "INVITE A - 1", "200 INVITE A B 1", "BYE A B 2" }, "terminated/A/B" },
	{ "BYE answered", { "INVITE A - 1", "200 INVITE A B 1", "BYE A B 2", "200 BYE A B 2" }, "" },
	{ "BYE by the callee", { "INVITE A - 1", "200 INVITE A B 1", "BYE B A 1", "200 BYE B A 1" }, "" },
	{ "BYE answered 481", { "INVITE A - 1", "200 INVITE A B 1", "BYE A B 2", "481 BYE A B 2" }, "" },
	{ "BYE challenged", { "INVITE A - 1", "200 INVITE A B 1", "BYE A B 2", "407 BYE A B 2" }, "confirmed/A/B" },
	{ "BYE of another dialog", { "INVITE A - 1", "200 INVITE A B 1", "BYE A X 2", "200 BYE A X 2" }, "confirmed/A/B" },
	{ "re-INVITE refused", { "INVITE A - 1", "200 INVITE A B 1", "INVITE A B 2", "488 INVITE A B 2" }, "confirmed/A/B" },
	{ "re-INVITE 481, §12.2.1.2", { "INVITE A - 1", "200 INVITE A B 1", "INVITE B A 2", "481 INVITE B A 2" }, "" },
	{ "INFO 481", { "INVITE A - 1", "200 INVITE A B 1", "INFO A B 2", "481 INFO A B 2" }, "" },
	{ "PRACK 481 of an early one", { "INVITE A - 1", "180 INVITE A B 1", "PRACK A B 2", "481 PRACK A B 2" }, "early/A/B" },
	{ "challenged, tried again", { "INVITE A - 1", "407 INVITE A B 1", "=407 INVITE A - 1", "INVITE A - 2", "200 INVITE A C 2" }, "confirmed/A/C" },
	{ "MESSAGE makes none", { "MESSAGE A - 1", "200 MESSAGE A B 1" }, "" },
	{ "response out of nothing", { "200 INVITE A B 1" }, "" },
};

START_TEST(test_row)
{
	setup(100, 3600);
	for (unsigned i = 0; i < 8 && rows[_i].steps[i]; i++)
		pass_in("call", rows[_i].steps[i]);
	ck_assert_msg(!strcmp(all(), rows[_i].want), "%s: %s", rows[_i].name, seen);
	dialog_table_free(t);
}
END_TEST

START_TEST(test_losers)			/* other forks are forgotten 64*T1 after the 2xx */
{
	setup(100, 3600);
	pass_in("call", "INVITE A - 1");
	pass_in("call", "180 INVITE A B 1");
	pass_in("call", "200 INVITE A C 1");
	wheel_advance(&w, w.now_ms + 31000);
	ck_assert_str_eq(all(), "early/A/B confirmed/A/C");
	wheel_advance(&w, w.now_ms + 2000);
	ck_assert_str_eq(all(), "confirmed/A/C");
	dialog_table_free(t);
}
END_TEST

START_TEST(test_bye_unanswered)		/* the peer never answers */
{
	setup(100, 3600);
	pass_in("call", "INVITE A - 1");
	pass_in("call", "200 INVITE A B 1");
	pass_in("call", "BYE A B 2");
	wheel_advance(&w, w.now_ms + 33000);
	ck_assert_uint_eq(dialog_table_count(t), 0);
	dialog_table_free(t);
}
END_TEST

START_TEST(test_max_age)		/* anything within keeps it alive */
{
	setup(100, 60);
	pass_in("call", "INVITE A - 1");
	pass_in("call", "200 INVITE A B 1");
	wheel_advance(&w, w.now_ms + 50000);
	pass_in("call", "UPDATE B A 9");
	wheel_advance(&w, w.now_ms + 50000);
	ck_assert_uint_eq(dialog_table_count(t), 1);
	wheel_advance(&w, w.now_ms + 11000);
	ck_assert_uint_eq(dialog_table_count(t), 0);
	dialog_table_free(t);
}
END_TEST

/* RFC 4028 §8.3: what is not refreshed within its interval is over, whatever else passes. */
START_TEST(test_session_timer)
{
	struct sip_parse_error err;
	struct sip_msg *m;

	ck_assert_int_eq(sip_msg_parse_copy(STR("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:A@x>;tag=B\r\n"
		"To: <sip:to@x>;tag=A\r\nCall-ID: call\r\nCSeq: 7 UPDATE\r\nContent-Length: 0\r\n\r\n"), NULL, &m, &err), 0);
	setup(100, 3600);
	pass_in("call", "INVITE A - 1");
	dialog_table_session(t, m, 90, true);			/* too early: nothing */
	pass_in("call", "200 INVITE A B 1");
	pass_in("call", "=200 INVITE A - 1");
	dialog_table_session(t, m, 90, true);
	wheel_advance(&w, w.now_ms + 80000);
	pass_in("call", "INFO A B 2");				/* no refresh */
	wheel_advance(&w, w.now_ms + 41000);
	ck_assert_uint_eq(dialog_table_count(t), 1);
	dialog_table_session(t, m, 90, false);			/* a refresh */
	wheel_advance(&w, w.now_ms + 121000);
	ck_assert_uint_eq(dialog_table_count(t), 1);
	ck_assert_uint_eq(dialog_table_expired(t), 0);
	wheel_advance(&w, w.now_ms + 2000);
	ck_assert_uint_eq(dialog_table_count(t), 0);
	ck_assert_uint_eq(dialog_table_expired(t), 1);
	pass_in("call", "INVITE A - 1");
	pass_in("call", "200 INVITE A B 1");
	pass_in("call", "=200 INVITE A - 1");
	dialog_table_session(t, m, 90, true);
	dialog_table_session(t, m, 0, false);			/* switched off by a refresh without: §8.2 */
	wheel_advance(&w, w.now_ms + 600000);
	ck_assert_uint_eq(dialog_table_count(t), 1);
	sip_msg_unref(m);
	dialog_table_free(t);
}
END_TEST

START_TEST(test_limits)
{
	char id[16], step[32];

	setup(10, 3600);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "c%u", i);
		pass_in(id, "INVITE A - 1");
	}
	ck_assert_uint_eq(dialog_table_count(t), 10);
	dialog_table_free(t);
	setup(1000, 3600);
	pass_in("call", "INVITE A - 1");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(step, sizeof(step), "180 INVITE A T%u 1", i);
		pass_in("call", step);
	}
	ck_assert_uint_eq(dialog_table_count(t), 63);		/* and the attempt */
	dialog_table_free(t);
}
END_TEST

static void id_note(void *arg, const struct dialog_view *v)
{
	uint64_t *last = arg;

	ck_assert_uint_gt(v->id, *last);
	*last = v->id;
}

START_TEST(test_pages)
{
	uint64_t last = 0, before = 0;
	unsigned pages = 0;
	char id[16];

	setup(100, 3600);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "c%u", i);
		pass_in(id, "INVITE A - 1");
	}
	do {
		before = last;
		dialog_table_each(t, last, 4, id_note, &last);
		pages += last != before;
	} while (last != before);
	ck_assert_uint_eq(pages, 3);
	dialog_table_free(t);
}
END_TEST

/* ---- ended by us: RFC 3261 §12.2.1.1, §15.1; TS 24.229 §5.4.5 ---- */

/* A message with more lines; LF becomes CRLF. */
static void pass_text(const char *start, const char *from, const char *to, unsigned cseq, const char *method, const char *more)
{
	char text[2048], crlf[4096], *at = crlf;
	struct sip_parse_error err;
	struct sip_msg *m;

	snprintf(text, sizeof(text), "%s\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: <sip:a@x>;tag=%s\nTo: <sip:b@x>%s%s\nCall-ID: c\nCSeq: %u %s\n"
		 "%sContent-Length: 0\n\n", start, from, *to ? ";tag=" : "", to, cseq, method, more);
	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			*at++ = '\r';
		*at++ = *p;
	}
	*at = '\0';
	ck_assert_msg(sip_msg_parse_copy(str_from_c(crlf), NULL, &m, &err) == 0, "%s: %s", start, err.why);
	if (m->request)
		dialog_table_request(t, m, 1, STR("icid1"));
	else
		dialog_table_response(t, m, 0);
	sip_msg_unref(m);
}

static void has(const struct bytes *b, const char *line)
{
	ck_assert_msg(b && str_find(bytes_str(b), str_from_c(line)) >= 0, "%s is not in %.*s", line, STR_ARG(bytes_str(b)));
}

static void call_begins(void)
{
	setup(10, 100000);
	dialog_table_keep_ends(t);
	pass_text("INVITE sip:b@x SIP/2.0", "A", "", 7, "INVITE", "Contact: <sip:a@10.0.0.1:5066>\nRecord-Route: <sip:p2;lr>, <sip:p1;lr>\n");
	pass_text("INVITE sip:b@x SIP/2.0", "A", "", 7, "INVITE",		/* the same on its way back through us */
		  "Contact: <sip:a@10.0.0.1:5066>\nRecord-Route: <sip:us;lr>\nRecord-Route: <sip:p2;lr>, <sip:p1;lr>\n");
	pass_text("SIP/2.0 180 X", "A", "B", 7, "INVITE", "Contact: <sip:early@10.0.0.2>\n");
	pass_text("SIP/2.0 200 X", "A", "B", 7, "INVITE", "Contact: \"x\" <sip:b@10.0.0.2:5066;transport=tcp>;q=1\n"
		  "Record-Route: <sip:p4;lr>\nRecord-Route: <sip:p3;lr>, <sip:us2;lr>, <sip:us;lr>, <sip:p2;lr>, <sip:p1;lr>\n");
}

START_TEST(test_release)		/* each end gets its BYE along the route set, as the other one would have sent it */
{
	struct bytes *bye[2];
	uint64_t id;

	call_begins();
	id = dialog_table_of_call(t, STR("c"), 0);
	ck_assert_uint_gt(id, 0);
	ck_assert_uint_eq(dialog_table_of_call(t, STR("c"), id), 0);
	ck_assert_uint_eq(dialog_table_of_call(t, STR("d"), 0), 0);
	ck_assert_int_eq(dialog_table_release(t, STR("d"), id, STR("x"), bye), -ENOENT);
	pass_text("INFO sip:b@x SIP/2.0", "A", "B", 9, "INFO", "");
	pass_text("UPDATE sip:a@x SIP/2.0", "B", "A", 101, "UPDATE", "Contact: <sip:b@10.0.0.3>\n");
	ck_assert_int_eq(dialog_table_release(t, STR("c"), id, STR("SIP;cause=480"), bye), 0);
	has(bye[0], "BYE sip:a@10.0.0.1:5066 SIP/2.0\r\n");
	has(bye[0], "\r\nRoute: <sip:p2;lr>, <sip:p1;lr>\r\n");
	has(bye[0], "\r\nFrom: <sip:b@x>;tag=B\r\nTo: <sip:a@x>;tag=A\r\nCall-ID: c\r\nCSeq: 102 BYE\r\nReason: SIP;cause=480\r\n");
	has(bye[1], "BYE sip:b@10.0.0.3 SIP/2.0\r\n");
	has(bye[1], "\r\nRoute: <sip:us2;lr>, <sip:p3;lr>, <sip:p4;lr>\r\n");
	has(bye[1], "\r\nFrom: <sip:a@x>;tag=A\r\nTo: <sip:b@x>;tag=B\r\nCall-ID: c\r\nCSeq: 10 BYE\r\n");
	bytes_unref(bye[0]);
	bytes_unref(bye[1]);
	ck_assert_int_eq(dialog_table_release(t, STR("c"), id, STR("x"), bye), -ENOENT);		/* over */
	ck_assert_uint_eq(dialog_table_of_call(t, STR("c"), 0), 0);
	dialog_table_free(t);
}
END_TEST

START_TEST(test_release_unknown_end)	/* an end that cannot be reached: the other one is */
{
	struct bytes *bye[2];

	setup(10, 100000);
	dialog_table_keep_ends(t);
	pass_text("INVITE sip:b@x SIP/2.0", "A", "", 7, "INVITE", "Contact: <sip:a@10.0.0.1>\n");
	pass_text("SIP/2.0 200 X", "A", "B", 7, "INVITE", "Contact: <sip:b@10.0.0.2>\n");	/* we are on no route */
	ck_assert_int_eq(dialog_table_release(t, STR("c"), dialog_table_of_call(t, STR("c"), 0), STR("x"), bye), 0);
	ck_assert(bye[0] && !bye[1]);
	ck_assert_int_lt(str_find(bytes_str(bye[0]), STR("Route:")), 0);
	bytes_unref(bye[0]);
	dialog_table_free(t);

	setup(10, 100000);			/* and where nothing is kept none can */
	pass_text("INVITE sip:b@x SIP/2.0", "A", "", 7, "INVITE", "Contact: <sip:a@10.0.0.1>\n");
	pass_text("SIP/2.0 200 X", "A", "B", 7, "INVITE", "Contact: <sip:b@10.0.0.2>\n");
	ck_assert_int_eq(dialog_table_release(t, STR("c"), dialog_table_of_call(t, STR("c"), 0), STR("x"), bye), -EPROTO);
	dialog_table_free(t);
}
END_TEST

static unsigned over;

static void on_limit(void *arg, struct str call_id, uint64_t id)
{
	struct bytes *bye[2];

	(void)arg;
	over++;
	ck_assert_int_eq(dialog_table_release(t, call_id, id, STR("x"), bye), 0);
	bytes_unref(bye[0]);
	bytes_unref(bye[1]);
}

START_TEST(test_limit)			/* the longest duration counts from the answer; one that ended before is left alone */
{
	over = 0;
	call_begins();
	dialog_table_free(t);
	setup(10, 100000);
	dialog_table_keep_ends(t);
	dialog_table_limit(t, 60, on_limit, NULL);
	pass_text("INVITE sip:b@x SIP/2.0", "A", "", 7, "INVITE", "Contact: <sip:a@10.0.0.1>\n");
	wheel_advance(&w, w.now_ms + 50000);
	pass_text("SIP/2.0 200 X", "A", "B", 7, "INVITE", "Contact: <sip:b@10.0.0.2>\nRecord-Route: <sip:us;lr>\n");
	wheel_advance(&w, w.now_ms + 59000);
	ck_assert_uint_eq(over, 0);
	wheel_advance(&w, w.now_ms + 2000);
	ck_assert_uint_eq(over, 1);
	wheel_advance(&w, w.now_ms + 120000);
	ck_assert_uint_eq(over, 1);
	dialog_table_free(t);
}
END_TEST

TEST_MAIN("dialog table", TEST_ROWS(test_row, rows), TEST_ONE(test_losers), TEST_ONE(test_bye_unanswered),
	  TEST_ONE(test_max_age), TEST_ONE(test_session_timer), TEST_ONE(test_limits), TEST_ONE(test_pages),
	  TEST_ONE(test_release), TEST_ONE(test_release_unknown_end), TEST_ONE(test_limit))
