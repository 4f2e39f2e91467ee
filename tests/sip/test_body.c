/* tests/sip/test_body.c - multipart bodies: RFC 2046 §5.1, RFC 5621 §3; reliability REG-04, REG-16. */
#include <errno.h>
#include <stdio.h>
#include "common/sip/body.h"
#include "tests/guard.h"

static struct sip_msg *message(const char *type, struct str body)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	struct buf b;

	buf_init(&b, 1u << 20);
	buf_puts(&b, "MESSAGE sip:b@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\n"
		     "CSeq: 1 MESSAGE\r\n");
	if (type)
		buf_printf(&b, "Content-Type: %s\r\n", type);
	buf_printf(&b, "Content-Length: %zu\r\n\r\n", body.l);
	buf_put(&b, body);
	ck_assert_msg(!b.failed && sip_msg_parse_copy(buf_str(&b), NULL, &m, &err) == 0, "%s: %s", type, err.why);
	buf_fini(&b);
	return m;
}

#define MIXED "multipart/mixed;boundary=b1"
#define PART(type, text) "--b1\r\nContent-Type: " type "\r\n\r\n" text "\r\n"
#define SDP "v=0\r\ns=-"

static const struct { const char *name, *type, *body, *want; } rows[] = {		/* want: the SDP; NULL: none is found */
	{ "no multipart", "application/sdp", SDP, SDP },
	{ "in another case, with a parameter", "Application/SDP; charset=x", SDP, SDP },
	{ "another type", "text/plain", SDP, NULL },
	{ "no type", NULL, "", NULL },
	{ "one part", MIXED, PART("application/sdp", SDP) "--b1--\r\n", SDP },
	{ "the second part", MIXED, PART("application/3gpp-ims+xml", "<x/>") PART("application/sdp", SDP) "--b1--", SDP },
	{ "the first of two", MIXED, PART("application/sdp", SDP) PART("application/sdp", "v=1") "--b1--", SDP },
	{ "preamble and epilogue", MIXED, "v=9\r\n" PART("application/sdp", SDP) "--b1--\r\nmore\r\n" PART("application/sdp", "v=1"), SDP },
	{ "behind the end", MIXED, "--b1--\r\n" PART("application/sdp", SDP), NULL },
	{ "line feeds alone", MIXED, "--b1\nContent-Type: application/sdp\n\nv=0\n--b1--\n", "v=0" },
	{ "blanks behind the delimiter, RFC 2046 §5.1.1", MIXED, "--b1 \t\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b1--  \r\n", "v=0" },
	{ "compact form, folded, odd case", MIXED, "--b1\r\nX: y\r\nC :\r\n  application/sdp;\r\n\tx=y\r\n\r\nv=0\r\n--b1--", "v=0" },
	{ "no end", MIXED, "--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n", "v=0\r\n" },
	{ "an empty part", MIXED, PART("application/sdp", "") "--b1--", "" },
	{ "a part without a type is text/plain", MIXED, "--b1\r\n\r\nv=0\r\n--b1--", NULL },
	{ "a part of nothing", MIXED, "--b1\r\n--b1--", NULL },
	{ "text that begins like the delimiter", MIXED, PART("application/sdp", "v=0\r\n--b12\r\n--b1x") "--b1--", "v=0\r\n--b12\r\n--b1x" },
	{ "the delimiter within a line is text", MIXED, PART("application/sdp", "v=0 --b1") "--b1--", "v=0 --b1" },
	{ "quoted boundary with a blank", "multipart/related; type=x;boundary=\"a b;c\"", "", NULL },
	{ "quoted boundary", "multipart/related;start=\"<1>;\" ; boundary=\"b 1\"", "--b 1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b 1--", "v=0" },
	{ "no boundary", "multipart/mixed", PART("application/sdp", SDP) "--b1--", NULL },
	{ "boundary without a value", "multipart/mixed;boundary", PART("application/sdp", SDP) "--b1--", NULL },
	{ "empty boundary", "multipart/mixed;boundary=\"\"", "--\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n----\r\n", NULL },
	{ "boundary ends in a blank", "multipart/mixed;boundary=\"b1 \"", "--b1 \r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b1 --", NULL },
	{ "boundary of 71 octets", "multipart/mixed;boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
	  "--01234567890123456789012345678901234567890123456789012345678901234567890\r\nContent-Type: application/sdp\r\n\r\nv=0", NULL },
	{ "one quote alone", "multipart/mixed;boundary=\"b1", PART("application/sdp", SDP) "--b1--", NULL },
	{ "only the boundary", MIXED, "--b1", NULL },
	{ "the boundary at the end", MIXED, "text\r\n--b1\r\n", NULL },
	{ "nested", MIXED, "--b1\r\nContent-Type: multipart/alternative;boundary=b2\r\n\r\n--b2\r\n\r\ntext\r\n--b2\r\nContent-Type: application/sdp\r\n\r\n"
	  "v=0\r\n--b2--\r\n--b1\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--b1--", "v=0" },
	{ "nested, not in the inner one", MIXED, "--b1\r\nContent-Type: multipart/alternative;boundary=b2\r\n\r\n--b2\r\n\r\ntext\r\n--b2--\r\n"
	  "--b1\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--b1--", "v=1" },
	{ "the inner one has no end", MIXED, "--b1\r\nContent-Type: multipart/mixed;boundary=b2\r\n\r\n--b2\r\nContent-Type: application/sdp\r\n\r\n"
	  "v=0\r\n--b1\r\n\r\n--b1--", "v=0" },
	{ "the same boundary inside", MIXED, "--b1\r\nContent-Type: multipart/mixed;boundary=b1\r\n\r\n" PART("application/sdp", SDP) "--b1--", SDP },
};

START_TEST(test_find_reg_16)
{
	struct sip_msg *m = message(rows[_i].type, str_from_c(rows[_i].body));
	struct body_part p;
	bool found = body_find(m, "application/sdp", &p);

	ck_assert_msg(found == (rows[_i].want != NULL), "%s", rows[_i].name);
	ck_assert_msg(!found || str_eq_c(p.text, rows[_i].want), "%s: \"%.*s\"", rows[_i].name, STR_ARG(p.text));
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_parts)		/* what is said of each */
{
	struct sip_msg *m = message(MIXED, STR("--b1\r\nContent-Disposition: session ; handling=optional\r\nContent-Type: application/sdp;a=b; c\r\n\r\n1"
					       "\r\n--b1\r\nContent-ID: <x>\r\n\r\n2\r\n\r\n--b1--\r\n"));
	struct body_part all, p;
	struct body_walk w;

	body_of(m, &all);
	ck_assert(body_is(&all, "multipart/MIXED") && str_eq_c(all.params, "boundary=b1"));
	ck_assert_int_eq(body_parts(&all, &w), 0);
	ck_assert(body_next(&w, &p) && body_is(&p, "application/sdp") && str_eq_c(p.params, "a=b; c") &&
		  str_eq_c(p.disposition, "session ; handling=optional") && str_eq_c(p.text, "1"));
	ck_assert_int_eq(body_parts(&p, &w), -ENOENT);
	ck_assert(body_next(&w, &p) && body_is(&p, "text/plain") && p.disposition.l == 0 && str_eq_c(p.text, "2\r\n"));
	ck_assert(!body_next(&w, &p) && !body_next(&w, &p));
	sip_msg_unref(m);
}
END_TEST

/* REG-16: ten thousand parts, a thousand levels: bounded. */
START_TEST(test_bounded_reg_16)
{
	struct body_part p, all;
	struct body_walk w;
	struct sip_msg *m;
	unsigned n = 0;
	struct buf b;

	buf_init(&b, 1u << 20);
	for (int i = 0; i < 10000 && b.l < 60000; i++)
		buf_puts(&b, "--b1\r\n\r\n\r\n");
	buf_puts(&b, PART("application/sdp", SDP));
	m = message(MIXED, buf_str(&b));
	body_of(m, &all);
	ck_assert_int_eq(body_parts(&all, &w), 0);
	while (body_next(&w, &p))
		n++;
	ck_assert_uint_eq(n, BODY_MAX_PARTS);
	ck_assert(!body_find(m, "application/sdp", &p));
	sip_msg_unref(m);
	buf_reset(&b);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "--%d\r\nContent-Type: multipart/mixed;boundary=%d\r\n\r\n", i, i + 1);
	buf_puts(&b, "--1000\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n");
	m = message("multipart/mixed;boundary=0", buf_str(&b));
	ck_assert(!body_find(m, "application/sdp", &p));
	sip_msg_unref(m);
	buf_fini(&b);
}
END_TEST

START_TEST(test_truncated_reg_04)	/* cut at every octet, at the very end of a page */
{
	struct sip_msg *m = message(MIXED, STR(""));
	struct body_part p;
	struct guard g;
	struct str text;

	guard_init(&g, 4096);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t l = 0; l <= strlen(rows[i].body); l++) {
			text = guard_put(&g, str_make(rows[i].body, l));
			m->body = text;
			if (body_find(m, "application/sdp", &p))
				ck_assert(p.text.l == 0 || (p.text.p >= text.p && p.text.p + p.text.l <= text.p + text.l));
		}
	guard_fini(&g);
	m->body = STR_NONE;
	sip_msg_unref(m);
}
END_TEST

TEST_MAIN("body", TEST_ROWS(test_find_reg_16, rows), TEST_ONE(test_parts), TEST_ONE(test_bounded_reg_16), TEST_ONE(test_truncated_reg_04))
