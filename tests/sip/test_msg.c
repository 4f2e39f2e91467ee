/* tests/sip/test_msg.c - what the parser takes and what it refuses: RFC 3261 §7, §8.2, §16.3, §18.3, §20. */
#include <errno.h>
#include <stdio.h>
#include "common/sip/msg.h"
#include "tests/check.h"

#define VIA "Via: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa1;rport\r\n"
#define MF "Max-Forwards: 70\r\n"
#define FROM "From: \"A, B\" <sip:alice@home.example>;tag=f1\r\n"
#define TO "To: <sip:bob@home.example>\r\n"
#define CALLID "Call-ID: c1@10.0.0.1\r\n"
#define CSEQ "CSeq: 7 INVITE\r\n"
#define START "INVITE sip:bob@home.example SIP/2.0\r\n"
#define ALL VIA MF FROM TO CALLID CSEQ
#define END "\r\n"

static const struct {
	const char *name, *text;
	bool stream;
	unsigned status;		/* of the error; 1000: parses */
	const char *why;
} rows[] = {
#define OK 1000, NULL
	{ "plain", START ALL "Content-Length: 0\r\n" END, true, OK },
	{ "no Content-Length over UDP §18.3", START ALL END "body", false, OK },
	{ "no Content-Length on a stream §18.3", START ALL END, true, 400, "no Content-Length" },
	{ "leading CRLFs §7.5", "\r\n\r\n" START ALL END, false, OK },
	{ "LF line ends", "INVITE sip:b@h SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: <sip:a@h>;tag=1\nTo: <sip:b@h>\n"
	  "Call-ID: x\nCSeq: 1 INVITE\n\n", false, OK },
	{ "compact forms §7.3.3", "INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: x\r\n"
	  "CSeq: 1 INVITE\r\nl: 0\r\n" END, true, OK },
	{ "folded To §7.3.1", START VIA MF FROM "To:\r\n <sip:bob@home.example>\r\n\t;tag=9\r\n" CALLID CSEQ END, false, OK },
	{ "blank before the colon", START VIA MF FROM "To \t: <sip:bob@home.example>\r\n" CALLID CSEQ END, false, OK },
	{ "any case", START "VIA: SIP/2.0/UDP h\r\n" MF "fROM: sip:a@h;tag=1\r\n" TO "cALL-iD: c\r\n" "cseq: 7 INVITE\r\n" END, false, OK },
	{ "surplus octets over UDP are dropped", START ALL "Content-Length: 2\r\n" END "abcdef", false, OK },
	{ "unknown header passes", START ALL "X-New: ;;,,\r\nContent-Foo: bar\r\n" END, false, OK },
	{ "unknown method passes", "FROB sip:b@h SIP/2.0\r\n" VIA MF FROM TO CALLID "CSeq: 7 FROB\r\n" END, false, OK },
	{ "tel Request-URI", "INVITE tel:+49-30-1 SIP/2.0\r\n" ALL END, false, OK },
	{ "urn Request-URI", "INVITE urn:service:sos SIP/2.0\r\n" ALL END, false, OK },
	{ "lower-case version §7.1", "INVITE sip:b@h sip/2.0\r\n" ALL END, false, OK },
	{ "same Content-Length twice", START ALL "Content-Length: 0\r\nl: 0\r\n" END, true, OK },
	{ "empty Subject", START ALL "Subject:\r\n" END, false, OK },
	{ "Max-Forwards 0", START VIA "Max-Forwards: 0\r\n" FROM TO CALLID CSEQ END, false, OK },
	{ "Max-Forwards 255 §20.22", START VIA "Max-Forwards: 255\r\n" FROM TO CALLID CSEQ END, false, OK },
	{ "CSeq 2^31-1 §8.1.1.5", START VIA MF FROM TO CALLID "CSeq: 2147483647 INVITE\r\n" END, false, OK },
	{ "no Max-Forwards (RFC 2543)", START VIA FROM TO CALLID CSEQ END, false, OK },
	{ "Via with blanks §25.1", START "Via: SIP / 2.0 / UDP  h : 5060 ; branch = z9hG4bK1\r\n" FROM TO CALLID CSEQ END, false, OK },
	{ "body starts with SP", START ALL END " x", false, OK },

	{ "nothing", "", false, 0, "no start line" },
	{ "CRLF only", "\r\n\r\n", false, 0, "no start line" },
	{ "no line end", "INVITE sip:b@h SIP/2.0", false, 0, "no start line" },
	{ "no empty line", START ALL, false, 400, "no empty line behind the headers" },
	{ "two SP in the request line §7.1", "INVITE  sip:b@h SIP/2.0\r\n" ALL END, false, 400, "blank in the request line" },
	{ "two SP before the version", "INVITE sip:b@h  SIP/2.0\r\n" ALL END, false, 400, "blank in the request line" },
	{ "SP behind the version", "INVITE sip:b@h SIP/2.0 \r\n" ALL END, false, 400, "bad request line" },
	{ "SP in the Request-URI", "INVITE sip:b@h; lr SIP/2.0\r\n" ALL END, false, 400, "blank in the request line" },
	{ "HTAB in the Request-URI", "INVITE sip:b@h;\tlr SIP/2.0\r\n" ALL END, false, 400, "bad Request-URI" },
	{ "no Request-URI", "INVITE SIP/2.0\r\n" ALL END, false, 400, "bad request line" },
	{ "method only", "INVITE\r\n" ALL END, false, 400, "bad request line" },
	{ "Request-URI in <>", "INVITE <sip:b@h> SIP/2.0\r\n" ALL END, false, 400, "bad Request-URI" },
	{ "header part in the Request-URI §19.1.5", "INVITE sip:b@h?Route=x SIP/2.0\r\n" ALL END, false, 400,
	  "header part in the Request-URI" },
	{ "IPv6 without brackets", "INVITE sip:2001:db8::1 SIP/2.0\r\n" ALL END, false, 400, "bad Request-URI" },
	{ "SIP/3.0 §21.5.6", "INVITE sip:b@h SIP/3.0\r\n" ALL END, false, 505, "version not supported" },
	{ "no version number", "INVITE sip:b@h SIP/x\r\n" ALL END, false, 400, "bad request line" },
	{ "HTTP", "GET / HTTP/1.1\r\n" ALL END, false, 400, "bad request line" },
	{ "bad method octet", "INV(ITE sip:b@h SIP/2.0\r\n" ALL END, false, 400, "bad method" },
	{ "folded start line", "INVITE sip:b@h SIP/2.0\r\n " ALL END, false, 400, NULL },
	{ "no To", START VIA MF FROM CALLID CSEQ END, false, 400, "no To" },
	{ "no From", START VIA MF TO CALLID CSEQ END, false, 400, "no From" },
	{ "no Call-ID", START VIA MF FROM TO CSEQ END, false, 400, "no Call-ID" },
	{ "no CSeq", START VIA MF FROM TO CALLID END, false, 400, "no CSeq" },
	{ "no Via", START MF FROM TO CALLID CSEQ END, false, 400, "no Via" },
	{ "two To", START ALL "t: <sip:x@h>\r\n" END, false, 400, "two To headers" },
	{ "two From", START ALL "From: <sip:x@h>;tag=2\r\n" END, false, 400, "two From headers" },
	{ "two Call-ID", START ALL "i: z\r\n" END, false, 400, "two Call-ID headers" },
	{ "two CSeq", START ALL CSEQ END, false, 400, "two CSeq headers" },
	{ "two Max-Forwards", START ALL "max-forwards: 1\r\n" END, false, 400, "two Max-Forwards headers" },
	{ "comma-joined From", START VIA MF "From: <sip:a@h>;tag=1, <sip:b@h>\r\n" TO CALLID CSEQ END, false, 400, "bad From" },
	{ "comma inside a quoted parameter", START VIA MF "From: <sip:a@h>;x=\"a,b\";tag=1\r\n" TO CALLID CSEQ END, false, OK },
	{ "tag is no token", START VIA MF "From: <sip:a@h>;tag=a/b\r\n" TO CALLID CSEQ END, false, 400, "bad From" },
	{ "empty tag", START VIA MF "From: <sip:a@h>;tag=\r\n" TO CALLID CSEQ END, false, 400, "bad From" },
	{ "comma behind the From URI", START VIA MF "From: <sip:a@h>, <sip:b@h>\r\n" TO CALLID CSEQ END, false, 400, "bad From" },
	{ "comma-joined Call-ID", START VIA MF FROM TO "Call-ID: a,b\r\n" CSEQ END, false, 400, "bad Call-ID" },
	{ "empty Call-ID", START VIA MF FROM TO "Call-ID: \r\n" CSEQ END, false, 400, "bad Call-ID" },
	{ "CSeq method differs §8.1.1.5", START VIA MF FROM TO CALLID "CSeq: 7 BYE\r\n" END, false, 400, "CSeq method does not match" },
	{ "CSeq method case differs", START VIA MF FROM TO CALLID "CSeq: 7 invite\r\n" END, false, 400, "CSeq method does not match" },
	{ "CSeq 2^31", START VIA MF FROM TO CALLID "CSeq: 2147483648 INVITE\r\n" END, false, 400, "bad CSeq" },
	{ "CSeq over 64 bits", START VIA MF FROM TO CALLID "CSeq: 36893488147419103232 INVITE\r\n" END, false, 400, "bad CSeq" },
	{ "CSeq without a method", START VIA MF FROM TO CALLID "CSeq: 7\r\n" END, false, 400, "bad CSeq" },
	{ "CSeq without a number", START VIA MF FROM TO CALLID "CSeq: INVITE\r\n" END, false, 400, "bad CSeq" },
	{ "CSeq negative", START VIA MF FROM TO CALLID "CSeq: -1 INVITE\r\n" END, false, 400, "bad CSeq" },
	{ "Max-Forwards 256", START VIA "Max-Forwards: 256\r\n" FROM TO CALLID CSEQ END, false, 400, "bad Max-Forwards" },
	{ "Max-Forwards a word", START VIA "Max-Forwards: many\r\n" FROM TO CALLID CSEQ END, false, 400, "bad Max-Forwards" },
	{ "Content-Length differs", START ALL "Content-Length: 0\r\nl: 1\r\n" END "x", false, 400, "two different Content-Length headers" },
	{ "Content-Length negative", START ALL "Content-Length: -1\r\n" END, false, 400, "bad Content-Length" },
	{ "Content-Length with sign", START ALL "Content-Length: +0\r\n" END, false, 400, "bad Content-Length" },
	{ "Content-Length with junk", START ALL "Content-Length: 0x0\r\n" END, false, 400, "bad Content-Length" },
	{ "Content-Length list", START ALL "Content-Length: 0, 0\r\n" END, false, 400, "bad Content-Length" },
	{ "Content-Length overflow", START ALL "Content-Length: 4294967296\r\n" END, false, 400, "bad Content-Length" },
	{ "Content-Length empty", START ALL "Content-Length:\r\n" END, false, 400, "bad Content-Length" },
	{ "body shorter than Content-Length", START ALL "Content-Length: 3\r\n" END "ab", false, 400, "body shorter than Content-Length" },
	{ "line without a colon", START ALL "Subject hello\r\n" END, false, 400, "bad header line" },
	{ "empty name", START ALL ": x\r\n" END, false, 400, "bad header line" },
	{ "name with a blank inside", START ALL "Content Length: 5\r\n" END, false, 400, "bad header line" },
	{ "CR inside a value", START ALL "Subject: a\rContent-Length: 5\r\n" END, false, 400, "CR inside a header" },
	{ "Via without sent-by", START "Via: SIP/2.0/UDP\r\n" FROM TO CALLID CSEQ END, false, 400, "bad Via" },
	{ "Via port 0", START "Via: SIP/2.0/UDP h:0\r\n" FROM TO CALLID CSEQ END, false, 400, "bad Via" },
	{ "Via port too large", START "Via: SIP/2.0/UDP h:65536\r\n" FROM TO CALLID CSEQ END, false, 400, "bad Via" },
	{ "Via of another protocol", START "Via: HTTP/1.1/TCP h\r\n" FROM TO CALLID CSEQ END, false, 400, "bad Via" },
	{ "Via with stray ;", START "Via: SIP/2.0/UDP h;;branch=z9hG4bK1\r\n" FROM TO CALLID CSEQ END, false, 400, "bad Via parameter" },
	{ "Via rport not a number", START "Via: SIP/2.0/UDP h;rport=x\r\n" FROM TO CALLID CSEQ END, false, 400, "bad Via parameter" },
	{ "open quote in From", START VIA "From: \"A <sip:a@h>;tag=1\r\n" TO CALLID CSEQ END, false, 400, "bad From" },
	{ "open quote in a To parameter", START VIA FROM "To: <sip:b@h>;x=\"y\r\n" CALLID CSEQ END, false, 400, "bad To" },
	{ "Via branch is no token", START "Via: SIP/2.0/UDP h;branch=a\"b\r\n" FROM TO CALLID CSEQ END, false, 400,
	  "bad Via parameter" },
	{ "open quote in a Via parameter", START "Via: SIP/2.0/UDP h;x=\"y\r\n" FROM TO CALLID CSEQ END, false, 400,
	  "bad Via parameter" },
	{ "From *", START VIA "From: *\r\n" TO CALLID CSEQ END, false, 400, "bad From" },
	{ "ACK is never answered", "ACK sip:b@h SIP/2.0\r\n" VIA FROM TO CALLID "CSeq: 7 INVITE\r\n" END, false, 0,
	  "CSeq method does not match" },

	{ "response", "SIP/2.0 200 OK\r\n" VIA FROM TO CALLID CSEQ END, false, OK },
	{ "response without a reason §7.2", "SIP/2.0 100 \r\n" VIA FROM TO CALLID CSEQ END, false, OK },
	{ "response, reason with UTF-8", "SIP/2.0 404 \xd0\x9d\xd0\xb5\xd1\x82\r\n" VIA FROM TO CALLID CSEQ END, false, OK },
	{ "response code of four digits", "SIP/2.0 2000 OK\r\n" VIA FROM TO CALLID CSEQ END, false, 0, "bad status code" },
	{ "response code beyond 32 bits", "SIP/2.0 4294967496 OK\r\n" VIA FROM TO CALLID CSEQ END, false, 0, "bad status code" },
	{ "response code 099", "SIP/2.0 099 x\r\n" VIA FROM TO CALLID CSEQ END, false, 0, "bad status code" },
	{ "response code 700", "SIP/2.0 700 x\r\n" VIA FROM TO CALLID CSEQ END, false, 0, "bad status code" },
	{ "response of another version", "SIP/7.0 200 OK\r\n" VIA FROM TO CALLID CSEQ END, false, 0, "bad version in the status line" },
	{ "response without Via", "SIP/2.0 200 OK\r\n" FROM TO CALLID CSEQ END, false, 0, "no Via" },
	{ "response with bad CSeq", "SIP/2.0 200 OK\r\n" VIA FROM TO CALLID "CSeq: 9999999999 INVITE\r\n" END, false, 0, "bad CSeq" },
};

static int parse_as(const char *text, bool stream, struct sip_msg **m, struct sip_parse_error *e)
{
	struct arena *a = arena_new(8192);
	int rc = sip_msg_parse(a, arena_dup(a, str_from_c(text)), NULL, stream, m, e);

	if (!*m)
		arena_unref(a);
	return rc;
}

START_TEST(test_msg_row)
{
	struct sip_msg *m;
	struct sip_parse_error e = { 0 };
	int rc = parse_as(rows[_i].text, rows[_i].stream, &m, &e);

	if (rows[_i].status == 1000) {
		ck_assert_msg(rc == 0 && m, "%s: rc %d %s", rows[_i].name, rc, e.why ? e.why : "");
	} else {
		ck_assert_msg(rc == -EBADMSG, "%s: rc %d", rows[_i].name, rc);
		ck_assert_msg(e.status == rows[_i].status, "%s: status %u %s", rows[_i].name, e.status, e.why);
		ck_assert_msg(!rows[_i].why || strcmp(e.why, rows[_i].why) == 0, "%s: why %s", rows[_i].name, e.why);
		ck_assert_msg(!m || m->via.host.l, "%s: answerable without a Via", rows[_i].name);
	}
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_msg_fields)
{
	struct sip_msg *m;
	struct sip_parse_error e;
	struct str v;

	ck_assert_int_eq(parse_as(START ALL "Route: <sip:a;lr>, <sip:b;lr>\r\nSupported: path, 100rel\r\n"
				  "Route: <sip:c;lr>\r\nX-Odd: 1\r\nExpires: 600;x\r\nContent-Length: 2\r\n" END "ab",
				  true, &m, &e), 0);
	ck_assert(m->request && m->method == SIP_INVITE && str_eq_c(m->ruri.host, "home.example"));
	ck_assert(str_eq_c(m->via.host, "10.0.0.1") && m->via.port == 5070 && m->via.proto_ok && m->via.proto == SIP_UDP);
	ck_assert(str_eq_c(m->via.branch, "z9hG4bKa1") && m->via.has_rport && m->via.rport == 0);
	ck_assert(str_eq_c(m->call_id, "c1@10.0.0.1") && m->cseq == 7 && m->max_forwards == 70);
	ck_assert(str_eq_c(m->from.display, "\"A, B\"") && str_eq_c(m->from_tag, "f1") && m->to_tag.l == 0);
	ck_assert(str_eq_c(m->body, "ab"));
	ck_assert_uint_eq(sip_values_count(m, SIP_H_ROUTE), 3);
	ck_assert(sip_msg_has_token(m, SIP_H_SUPPORTED, "100REL") && !sip_msg_has_token(m, SIP_H_SUPPORTED, "gruu"));
	ck_assert(str_eq_c(sip_msg_hdr_value(m, sip_msg_hdr_by_name(m, "x-odd")), "1") && !sip_msg_hdr_by_name(m, "x-none"));
	struct sip_values it = sip_values(m, SIP_H_ROUTE);
	const char *want[] = { "<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>" };

	for (unsigned i = 0; i < 3; i++)
		ck_assert(sip_values_next(&it, &v) && str_eq_c(v, want[i]));
	ck_assert(!sip_values_next(&it, &v));
	uint32_t n;

	ck_assert(sip_msg_u32(m, SIP_H_EXPIRES, &n) == 0 && n == 600);
	ck_assert_int_eq(sip_msg_u32(m, SIP_H_MIN_SE, &n), -ENOENT);
	sip_msg_unref(m);
}
END_TEST

static const struct { const char *value; int rc; uint32_t n; } u32_rows[] = {
	{ "0", 0, 0 }, { "3600", 0, 3600 }, { "90;refresher=uac", 0, 90 }, { "120 (busy)", 0, 120 }, { "18000 ;duration=1", 0, 18000 },
	{ "4294967295", 0, UINT32_MAX }, { "4294967296", -EBADMSG, 0 }, { "", -EBADMSG, 0 }, { "x", -EBADMSG, 0 },
	{ "-1", -EBADMSG, 0 }, { "1 2", -EBADMSG, 0 }, { ";x=1", -EBADMSG, 0 },
};

START_TEST(test_msg_u32)
{
	char text[1024];
	struct sip_msg *m;
	struct sip_parse_error e;
	uint32_t n = 0;

	snprintf(text, sizeof(text), "%sExpires: %s\r\n\r\n", START ALL, u32_rows[_i].value);
	ck_assert_int_eq(parse_as(text, false, &m, &e), 0);
	ck_assert_int_eq(sip_msg_u32(m, SIP_H_EXPIRES, &n), u32_rows[_i].rc);
	ck_assert_uint_eq(n, u32_rows[_i].n);
	sip_msg_unref(m);
}
END_TEST

static const struct { const char *text; int rc; } frame_rows[] = {
	{ "A b c\r\nContent-Length: 3\r\n\r\nabcd", 0 },
	{ "\r\n\r\nA b c\r\nl:0\r\n\r\n", 0 },
	{ "A b c\r\nContent-Length:\r\n  2\r\n\r\nab", 0 },
	{ "A b c\r\nContent-Length: 3\r\n", -EAGAIN },
	{ "", -EAGAIN },
	{ "\r\n", -EAGAIN },
	{ "A b c\r\nTo: x\r\n\r\n", -EBADMSG },
	{ "A b c\r\nl: 1\r\nContent-Length: 2\r\n\r\n", -EBADMSG },
	{ "A b c\r\nl: 2\r\nContent-Length: 2\r\n\r\n", 0 },
	{ "A b c\r\nl: x\r\n\r\n", -EBADMSG },
	{ "A b c\r\nl: 70000\r\n\r\n", -EMSGSIZE },
	{ "A b c\r\nl: 99999999999\r\n\r\n", -EBADMSG },
};

START_TEST(test_frame_row)
{
	struct str s = str_from_c(frame_rows[_i].text);
	size_t len = 0;

	ck_assert_int_eq(sip_frame(s, &len), frame_rows[_i].rc);
	if (frame_rows[_i].rc == 0) {
		const char *end = strstr(s.p + 4, "\r\n\r\n") + 4;
		uint32_t body = strstr(s.p, "l: 2") || strstr(s.p, "  2") ? 2 : strstr(s.p, ": 3") ? 3 : 0;

		ck_assert_uint_eq(len, (size_t)(end - s.p) + body);
	}
}
END_TEST

START_TEST(test_frame_long_head)
{
	size_t n = 70000, len;
	char *text = malloc(n);

	memset(text, 'x', n);
	ck_assert_int_eq(sip_frame(str_make(text, n), &len), -EMSGSIZE);
	free(text);
}
END_TEST

static const struct { const char *text, *want; } scan_rows[] = {
	{ START ALL END, "c1@10.0.0.1" }, { "OPTIONS x\r\ni:abc\r\n\r\n", "abc" }, { "OPTIONS x\r\nCALL-id \t:  abc \r\n\r\n", "abc" },
	{ "OPTIONS x\r\n\r\nCall-ID: body\r\n", "" }, { "OPTIONS x\r\nCall-ID:\r\n abc\r\n\r\n", "abc" }, { "", "" },
	{ "OPTIONS x\r\nSubject: a\r\n Call-ID: no\r\nCall-ID: yes\r\n\r\n", "yes" },
};

START_TEST(test_scan_call_id)
{
	ck_assert(str_eq_c(sip_scan_call_id(str_from_c(scan_rows[_i].text)), scan_rows[_i].want));
}
END_TEST

START_TEST(test_too_many_headers)
{
	struct sip_msg *m;
	struct sip_parse_error e;
	size_t n = 0;
	char *text = malloc(65536);

	n += (size_t)sprintf(text, "%s", START ALL);
	for (unsigned i = 0; i < SIP_MSG_MAX_HDRS; i++)
		n += (size_t)sprintf(text + n, "X-%u: y\r\n", i);
	sprintf(text + n, "\r\n");
	ck_assert_int_eq(parse_as(text, false, &m, &e), -EBADMSG);
	ck_assert_uint_eq(e.status, 400);
	ck_assert_str_eq(e.why, "too many headers");
	sip_msg_unref(m);
	free(text);
}
END_TEST

TEST_MAIN("msg", TEST_ROWS(test_msg_row, rows), TEST_ONE(test_msg_fields), TEST_ROWS(test_msg_u32, u32_rows),
	  TEST_ROWS(test_frame_row, frame_rows), TEST_ONE(test_frame_long_head), TEST_ROWS(test_scan_call_id, scan_rows),
	  TEST_ONE(test_too_many_headers))
