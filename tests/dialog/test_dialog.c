/* tests/dialog/test_dialog.c - one end of a dialog: RFC 3261 §12. */
#include <errno.h>
#include <stdio.h>
#include "common/dialog/dialog.h"
#include "tests/check.h"

static struct sip_msg *parse(const char *text)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	struct buf b;

	buf_init(&b, 65000);
	for (; *text; text++) {
		if (*text == '\n')
			buf_putc(&b, '\r');
		buf_putc(&b, *text);
	}
	buf_puts(&b, "Content-Length: 0\r\n\r\n");
	ck_assert_msg(sip_msg_parse_copy(buf_str(&b), NULL, &m, &err) == 0, "%s", err.why);
	buf_fini(&b);
	return m;
}

static struct sip_msg *request(const char *method, unsigned cseq, const char *from_tag, const char *to_tag, const char *extra)
{
	char text[2048], to[64] = "";

	if (to_tag[0])
		snprintf(to, sizeof(to), ";tag=%s", to_tag);
	snprintf(text, sizeof(text), "%s sip:bob@n1 SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK1\n"
		 "From: \"Alice\" <sip:alice@a>;tag=%s\nTo: <sip:bob@b>%s\nCall-ID: c1\nCSeq: %u %s\n%s", method, from_tag, to,
		 cseq, method, extra);
	return parse(text);
}

static struct sip_msg *response(unsigned status, const char *method, unsigned cseq, const char *to_tag, const char *extra)
{
	char text[2048], to[64] = "";

	if (to_tag[0])
		snprintf(to, sizeof(to), ";tag=%s", to_tag);
	snprintf(text, sizeof(text), "SIP/2.0 %u X\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK1\n"
		 "From: \"Alice\" <sip:alice@a>;tag=A\nTo: <sip:bob@b>%s\nCall-ID: c1\nCSeq: %u %s\n%s", status, to, cseq,
		 method, extra);
	return parse(text);
}

static struct dialog *uac(unsigned status, const char *extra)
{
	struct sip_msg *req = request("INVITE", 7, "A", "", "Contact: <sip:alice@10.1.1.1>\n");
	struct sip_msg *res = response(status, "INVITE", 7, "B", extra);
	struct dialog *d;

	ck_assert_int_eq(dialog_new_uac(req, res, &d), 0);
	sip_msg_unref(req);
	sip_msg_unref(res);
	return d;
}

static struct sip_msg *make(struct dialog *d, const char *method)
{
	struct bytes *wire = dialog_request_make(d, str_from_c(method), 0, STR("SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK9"),
						 STR("X-Mine: yes\r\n"), STR_NONE, STR_NONE);
	struct sip_parse_error err;
	struct sip_msg *m;

	ck_assert_ptr_nonnull(wire);
	ck_assert_msg(sip_msg_parse_copy(bytes_str(wire), NULL, &m, &err) == 0, "%s", err.why);
	bytes_unref(wire);
	return m;
}

/* ---- §12.1: what makes a dialog ---- */

static const struct {
	const char *name;
	unsigned status;
	const char *to_tag, *extra;
	int rc;
	bool confirmed;
} uac_rows[] = {
	{ "200", 200, "B", "Contact: <sip:bob@10.2.2.2>\n", 0, true },
	{ "180", 180, "B", "Contact: <sip:bob@10.2.2.2>\n", 0, false },
	{ "180 without Contact", 180, "B", "", 0, false },
	{ "100", 100, "B", "", -EPROTO, false },
	{ "180 without tag", 180, "", "", -EPROTO, false },
	{ "404", 404, "B", "", -EPROTO, false },
	{ "200 without Contact", 200, "B", "", -EBADMSG, false },
	{ "200 with a broken Contact", 200, "B", "Contact: <sip:\n", -EBADMSG, false },
	{ "200 with Contact *", 200, "B", "Contact: *\n", -EBADMSG, false },
};

START_TEST(test_uac_row)
{
	struct sip_msg *req = request("INVITE", 7, "A", "", ""), *res;
	struct dialog *d;

	res = response(uac_rows[_i].status, "INVITE", 7, uac_rows[_i].to_tag, uac_rows[_i].extra);
	ck_assert_msg(dialog_new_uac(req, res, &d) == uac_rows[_i].rc, "%s", uac_rows[_i].name);
	ck_assert((d != NULL) == (uac_rows[_i].rc == 0));
	if (d)
		ck_assert_msg(dialog_confirmed(d) == uac_rows[_i].confirmed, "%s", uac_rows[_i].name);
	dialog_free(d);
	sip_msg_unref(req);
	sip_msg_unref(res);
}
END_TEST

/* ---- §12.2.1.1: requests within ---- */

static const struct {
	const char *name, *record_routes;	/* of the response: the last is nearest to us */
	const char *ruri, *route[3], *next_hop;
} route_rows[] = {
	{ "no route", "", "sip:bob@10.2.2.2", { NULL }, "sip:bob@10.2.2.2" },
	{ "loose, in reverse", "Record-Route: <sip:p2;lr>, <sip:p1;lr>\n", "sip:bob@10.2.2.2", { "<sip:p1;lr>", "<sip:p2;lr>" },
	  "sip:p1;lr" },
	{ "strict first", "Record-Route: <sip:p2;lr>\nRecord-Route: <sip:p1>\n", "sip:p1",
	  { "<sip:p2;lr>", "<sip:bob@10.2.2.2>" }, "sip:p1" },
	{ "strict alone", "Record-Route: <sip:p1>\n", "sip:p1", { "<sip:bob@10.2.2.2>" }, "sip:p1" },
};

START_TEST(test_route_row)
{
	char extra[256];
	struct sip_values it;
	struct sip_msg *m;
	struct dialog *d;
	struct str v;

	snprintf(extra, sizeof(extra), "Contact: <sip:bob@10.2.2.2>\n%s", route_rows[_i].record_routes);
	d = uac(200, extra);
	m = make(d, "BYE");
	ck_assert_msg(str_eq_c(m->ruri_text, route_rows[_i].ruri), "%s", route_rows[_i].name);
	it = sip_values(m, SIP_H_ROUTE);
	for (unsigned i = 0; i < 3 && route_rows[_i].route[i]; i++)
		ck_assert_msg(sip_values_next(&it, &v) && str_eq_c(v, route_rows[_i].route[i]), "%s", route_rows[_i].name);
	ck_assert(!sip_values_next(&it, &v));
	ck_assert(str_eq_c(dialog_next_hop(d), route_rows[_i].next_hop));
	ck_assert_uint_eq(m->cseq, 8);
	ck_assert(str_eq_c(m->from_tag, "A") && str_eq_c(m->to_tag, "B") && str_eq_c(m->call_id, "c1"));
	ck_assert(str_eq_c(m->from.display, "\"Alice\""));
	ck_assert(str_eq_c(sip_msg_hdr_value(m, sip_msg_hdr_by_name(m, "X-Mine")), "yes"));
	sip_msg_unref(m);
	dialog_free(d);
}
END_TEST

START_TEST(test_cseq)			/* ACK and CANCEL bear the INVITE's number, others the next one */
{
	static const struct { const char *method; uint32_t cseq; } steps[] = {
		{ "ACK", 7 }, { "PRACK", 8 }, { "ACK", 7 }, { "INVITE", 9 }, { "CANCEL", 9 }, { "ACK", 9 }, { "BYE", 10 },
	};
	struct dialog *d = uac(200, "Contact: <sip:bob@10.2.2.2>\n");

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct sip_msg *m = make(d, steps[i].method);

		ck_assert_msg(m->cseq == steps[i].cseq, "step %u: %u", i, m->cseq);
		sip_msg_unref(m);
	}
	ck_assert_uint_eq(dialog_local_cseq(d), 10);
	dialog_free(d);
}
END_TEST

START_TEST(test_early_to_confirmed)	/* §13.2.2.4: the 2xx settles route set and target */
{
	struct dialog *d = uac(183, "Contact: <sip:bob@10.2.2.2>\nRecord-Route: <sip:p1;lr>\n");
	struct sip_msg *ok = response(200, "INVITE", 7, "B", "Contact: <sip:bob@10.3.3.3>\nRecord-Route: <sip:p2;lr>\n");
	struct sip_msg *other = response(200, "INVITE", 7, "C", "Contact: <sip:eve@10.4.4.4>\n");

	ck_assert(!dialog_matches(d, other));		/* another fork */
	dialog_response_in(d, other);
	ck_assert(!dialog_confirmed(d));
	ck_assert(dialog_matches(d, ok));
	dialog_response_in(d, ok);
	ck_assert(dialog_confirmed(d));
	ck_assert(str_eq_c(dialog_next_hop(d), "sip:p2;lr"));
	dialog_free(d);
	sip_msg_unref(ok);
	sip_msg_unref(other);
}
END_TEST

/* ---- UAS ---- */

static struct dialog *uas(const char *method, const char *extra)
{
	struct sip_msg *req = request(method, 7, "A", "", extra);
	struct dialog *d;

	ck_assert_int_eq(dialog_new_uas(req, STR("mine"), &d), 0);
	sip_msg_unref(req);
	return d;
}

START_TEST(test_uas)
{
	struct dialog *d = uas("INVITE", "Contact: <sip:alice@10.1.1.1>\nRecord-Route: <sip:p1;lr>, <sip:p2;lr>\n");
	struct sip_msg *m, *ack = request("ACK", 7, "A", "mine", "");

	ck_assert(!dialog_confirmed(d));
	ck_assert_int_eq(dialog_request_in(d, ack), 0);
	ck_assert(dialog_confirmed(d));
	ck_assert(str_eq_c(dialog_next_hop(d), "sip:p1;lr"));	/* §12.1.1: in the order of the request */
	m = make(d, "BYE");
	ck_assert(str_eq_c(m->ruri_text, "sip:alice@10.1.1.1"));
	ck_assert(str_eq_c(m->from_tag, "mine") && str_eq_c(m->to_tag, "A"));
	ck_assert(str_eq_c(m->from.uri.text, "sip:bob@b"));
	sip_msg_unref(m);
	sip_msg_unref(ack);
	dialog_free(d);
}
END_TEST

static const struct {
	const char *name, *method;
	unsigned cseq;
	const char *from_tag, *extra;
	int rc;
	const char *target;		/* afterwards */
} in_rows[] = {
	{ "next", "INFO", 8, "A", "", 0, "sip:alice@10.1.1.1" },
	{ "gap", "INFO", 99, "A", "", 0, "sip:alice@10.1.1.1" },
	{ "lower, §12.2.2", "INFO", 6, "A", "", -EPROTO, "sip:alice@10.1.1.1" },
	{ "ACK", "ACK", 7, "A", "", 0, "sip:alice@10.1.1.1" },
	{ "another dialog", "INFO", 8, "X", "", -ENOENT, "sip:alice@10.1.1.1" },
	{ "re-INVITE refreshes", "INVITE", 8, "A", "Contact: <sip:alice@10.5.5.5>\n", 0, "sip:alice@10.5.5.5" },
	{ "UPDATE refreshes", "UPDATE", 8, "A", "Contact: <sip:alice@10.5.5.5>\n", 0, "sip:alice@10.5.5.5" },
	{ "SUBSCRIBE refreshes", "SUBSCRIBE", 8, "A", "Contact: <sip:alice@10.5.5.5>\n", 0, "sip:alice@10.5.5.5" },
	{ "INFO does not", "INFO", 8, "A", "Contact: <sip:alice@10.5.5.5>\n", 0, "sip:alice@10.1.1.1" },
	{ "lower one does not", "INVITE", 6, "A", "Contact: <sip:alice@10.5.5.5>\n", -EPROTO, "sip:alice@10.1.1.1" },
	{ "broken Contact", "INVITE", 8, "A", "Contact: <sip:\n", -EBADMSG, "sip:alice@10.1.1.1" },
};

START_TEST(test_in_row)
{
	struct dialog *d = uas("INVITE", "Contact: <sip:alice@10.1.1.1>\n");
	struct sip_msg *m = request(in_rows[_i].method, in_rows[_i].cseq, in_rows[_i].from_tag, "mine", in_rows[_i].extra);

	ck_assert_msg(dialog_request_in(d, m) == in_rows[_i].rc, "%s", in_rows[_i].name);
	ck_assert_msg(str_eq_c(dialog_next_hop(d), in_rows[_i].target), "%s", in_rows[_i].name);
	sip_msg_unref(m);
	dialog_free(d);
}
END_TEST

START_TEST(test_uas_without_contact)	/* §12.1.1: no target, no dialog */
{
	struct sip_msg *m = request("INVITE", 7, "A", "", "");
	struct dialog *d;

	ck_assert_int_eq(dialog_new_uas(m, STR("mine"), &d), -EBADMSG);
	ck_assert_ptr_null(d);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_too_many_routes)
{
	struct sip_msg *req = request("INVITE", 7, "A", "", ""), *res;
	char extra[2000] = "Contact: <sip:bob@10.2.2.2>\nRecord-Route: <sip:p;lr>";
	struct dialog *d;

	for (unsigned i = 0; i < 40; i++)
		strncat(extra, ", <sip:p;lr>", sizeof(extra) - strlen(extra) - 1);
	strncat(extra, "\n", sizeof(extra) - strlen(extra) - 1);
	res = response(200, "INVITE", 7, "B", extra);
	ck_assert_int_eq(dialog_new_uac(req, res, &d), -EBADMSG);
	sip_msg_unref(req);
	sip_msg_unref(res);
}
END_TEST

TEST_MAIN("dialog", TEST_ROWS(test_uac_row, uac_rows), TEST_ROWS(test_route_row, route_rows), TEST_ONE(test_cseq),
	  TEST_ONE(test_early_to_confirmed), TEST_ONE(test_uas), TEST_ROWS(test_in_row, in_rows),
	  TEST_ONE(test_uas_without_contact), TEST_ONE(test_too_many_routes))
