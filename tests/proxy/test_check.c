/* tests/proxy/test_check.c - RFC 3261 §16.3, loops and spirals of RFC 5393 §4. */
#include "tests/proxy/rig.h"

static const char *const known[] = { "sec-agree", "path", NULL };

static const struct {
	const char *name, *method, *ruri, *extra;	/* extra may override Max-Forwards by standing in its place */
	const char *max_forwards;
	unsigned status;				/* 0: forwarded */
	const char *header;				/* must be in the answer */
} rows[] = {
	{ "sip", "INVITE", "sip:bob@n1", "", "70", 0, NULL },
	{ "sips", "INVITE", "sips:bob@n1", "", "70", 0, NULL },
	{ "tel", "INVITE", "tel:+4930123", "", "70", 0, NULL },
	{ "urn §16.3 step 2", "INVITE", "urn:service:sos", "", "70", 416, NULL },
	{ "http §16.3 step 2", "OPTIONS", "http://n1/", "", "70", 416, NULL },
	{ "Max-Forwards 1", "INVITE", "sip:bob@n1", "", "1", 0, NULL },
	{ "Max-Forwards 0 §16.3 step 3", "INVITE", "sip:bob@n1", "", "0", 483, NULL },
	{ "Max-Forwards 0, OPTIONS", "OPTIONS", "sip:bob@n1", "", "0", 483, NULL },
	{ "Max-Forwards 0, MESSAGE", "MESSAGE", "sip:bob@n1", "", "0", 483, NULL },
	{ "Max-Forwards absent", "INVITE", "sip:bob@n1", "", NULL, 0, NULL },
	{ "option known §16.3 step 5", "INVITE", "sip:bob@n1", "Proxy-Require: path\n", "70", 0, NULL },
	{ "option known, any case", "INVITE", "sip:bob@n1", "Proxy-Require: Sec-Agree, PATH\n", "70", 0, NULL },
	{ "option unknown", "INVITE", "sip:bob@n1", "Proxy-Require: foo\n", "70", 420, "foo" },
	{ "one of two unknown", "INVITE", "sip:bob@n1", "Proxy-Require: path, foo\n", "70", 420, "foo" },
	{ "two unknown", "INVITE", "sip:bob@n1", "Proxy-Require: foo\nProxy-Require: bar\n", "70", 420, "foo, bar" },
	{ "scheme before hops", "INVITE", "urn:x:y", "", "0", 416, NULL },
	{ "hops before option", "INVITE", "sip:bob@n1", "Proxy-Require: foo\n", "0", 483, NULL },
	{ "Max-Breadth 0, RFC 5393 §5.3.3.1", "INVITE", "sip:bob@n1", "Max-Breadth: 0\n", "70", 440, NULL },
};

static void send_row(struct rig *r, int i)
{
	char text[1024], hops[40] = "";

	if (rows[i].max_forwards)
		snprintf(hops, sizeof(hops), "Max-Forwards: %s\n", rows[i].max_forwards);
	snprintf(text, sizeof(text), "%s %s SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKup\n%sFrom: <sip:a@a>;tag=A\n"
		 "To: <sip:b@b>\nCall-ID: call\nCSeq: 7 %s\n%s", rows[i].method, rows[i].ruri, hops, rows[i].method,
		 rows[i].extra);
	rig_in(r, text);
}

START_TEST(test_check_row)
{
	struct rig r;
	struct rig_sent *fwd;
	struct sip_msg *up;

	rig_init(&r);
	r.supported = known;
	r.route = "<sip:n1;lr>";
	send_row(&r, _i);
	fwd = rig_req(&r, rows[_i].method, 0);
	up = rig_last_up(&r);
	ck_assert_msg((fwd != NULL) == (rows[_i].status == 0), "%s: %s", rows[_i].name, rig_down(&r));
	if (rows[_i].status)
		ck_assert_msg(up && up->status == rows[_i].status, "%s: %s", rows[_i].name, rig_up(&r));
	if (rows[_i].header)
		ck_assert_msg(str_eq_c(sip_msg_value(up, SIP_H_UNSUPPORTED), rows[_i].header), "%s", rows[_i].name);
	if (fwd)	/* §16.6 step 3 */
		ck_assert_uint_eq(fwd->m->max_forwards, rows[_i].max_forwards ? strtoul(rows[_i].max_forwards, NULL, 10) - 1 : 70);
	rig_fini(&r);
}
END_TEST

/* What the next hop does with our request: sends it straight back to us, with some lines changed. */
static void send_back(struct rig *r, const struct rig_sent *fwd, const char *ruri, const char *extra)
{
	struct sip_values via = sip_values(fwd->m, SIP_H_VIA);
	char text[2048] = "";
	struct str v;
	int l;

	l = snprintf(text, sizeof(text), "INVITE %s SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKback\n", ruri);
	while (sip_values_next(&via, &v))
		l += snprintf(text + l, sizeof(text) - (size_t)l, "Via: %.*s\n", STR_ARG(v));
	snprintf(text + l, sizeof(text) - (size_t)l, "Max-Forwards: 60\nFrom: <sip:alice@a>;tag=A\nTo: <sip:bob@b>\n"
		 "Call-ID: call\nCSeq: 7 INVITE\n%s", extra);
	r->by_hand = true;
	rig_in(r, text);
}

static const struct {
	const char *name, *ruri, *extra;
	bool loop;
} loop_rows[] = {
	{ "loop", "sip:bob@n1", "", true },
	{ "loop, other headers changed", "sip:bob@n1", "Subject: x\n", true },
	{ "spiral: Request-URI", "sip:carol@n1", "", false },
	{ "spiral: Route", "sip:bob@n1", "Route: <sip:x@self;lr>\n", false },
	{ "spiral: Proxy-Require", "sip:bob@n1", "Proxy-Require: path\n", false },
	{ "spiral: credentials", "sip:bob@n1", "Proxy-Authorization: Digest realm=\"x\"\n", false },
};

START_TEST(test_loop_row)		/* RFC 3261 §16.3 step 4, RFC 5393 §4.2 */
{
	struct proxy_stats st;
	struct proxy *first;
	struct rig r;

	rig_init(&r);
	r.supported = known;
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	first = r.p;
	ck_assert_ptr_nonnull(first);
	send_back(&r, rig_req(&r, "INVITE", 0), loop_rows[_i].ruri, loop_rows[_i].extra);
	ck_assert_msg((r.p == first) == loop_rows[_i].loop, "%s", loop_rows[_i].name);
	ck_assert_msg((rig_last_up(&r)->status == 482) == loop_rows[_i].loop, "%s", loop_rows[_i].name);
	proxy_layer_stats(r.pl, &st);
	ck_assert_uint_eq(st.loops, loop_rows[_i].loop);
	if (r.p != first) {		/* the rig knows one context at a time */
		struct proxy *second = r.p;

		r.p = first;
		rig_reply(&r, rig_req(&r, "INVITE", 0), 486, "T", "");
		rig_run(&r, 1);
		ck_assert_ptr_null(r.p);
		r.p = second;
		tx_server_reply(r.st, 404, NULL, STR_NONE);
		rig_run(&r, 40000);
	}
	rig_fini(&r);
}
END_TEST

TEST_MAIN("proxy check", TEST_ROWS(test_check_row, rows), TEST_ROWS(test_loop_row, loop_rows))
