/* tests/trace/test_capture.c - what leaves a capture: no key, no digest; packets and HEP whose octets are right. */
#include <stdio.h>
#include "common/trace/capture.h"
#include "tests/check.h"

#define HEAD "REGISTER sip:h SIP/2.0\r\n"
static const struct { const char *name, *in, *out; } rows[] = {
	{ "a digest response", HEAD "Authorization: Digest username=\"u\",response=\"0123\", nonce=\"n\"\r\n\r\n",
	  HEAD "Authorization: Digest username=\"u\",response=\"****\", nonce=\"n\"\r\n\r\n" },
	{ "CK and IK: RFC 3310, TS 24.229 §5.4.1.2.1", HEAD "WWW-Authenticate: Digest realm=\"r\", ck=\"00ff\",ik=\"11ee\", nonce=\"x\"\r\n\r\n",
	  HEAD "WWW-Authenticate: Digest realm=\"r\", ck=\"****\",ik=\"****\", nonce=\"x\"\r\n\r\n" },
	{ "any case, blanks, a fold", HEAD "AUTHORIZATION : Digest\r\n Response =\r\n\t\"ab\" , cnonce=abc\r\n\r\n",
	  HEAD "AUTHORIZATION : Digest\r\n Response =\r\n\t\"**\" , cnonce=***\r\n\r\n" },
	{ "AUTS", HEAD "Authorization: Digest auts=\"ab==\",qop=auth\r\n\r\n", HEAD "Authorization: Digest auts=\"****\",qop=auth\r\n\r\n" },
	{ "rspauth", "SIP/2.0 200 OK\r\nAuthentication-Info: qop=auth, rspauth=\"dead\"\r\n\r\n",
	  "SIP/2.0 200 OK\r\nAuthentication-Info: qop=auth, rspauth=\"****\"\r\n\r\n" },
	{ "a name inside a quoted value is none", HEAD "Authorization: Digest realm=\"response=\\\"a\\\", x\", response=\"1\"\r\n\r\n",
	  HEAD "Authorization: Digest realm=\"response=\\\"a\\\", x\", response=\"*\"\r\n\r\n" },
	{ "a quote that never ends", HEAD "Authorization: Digest response=\"0123\r\n\r\n", HEAD "Authorization: Digest response=\"****\r\n\r\n" },
	{ "two of them", HEAD "Proxy-Authorization: Digest response=\"1\"\r\nProxy-Authorization: Digest response=\"2\"\r\n\r\n",
	  HEAD "Proxy-Authorization: Digest response=\"*\"\r\nProxy-Authorization: Digest response=\"*\"\r\n\r\n" },
	{ "the same word elsewhere stays", HEAD "Subject: response=\"1\", ck=2\r\n\r\nresponse=\"1\"\r\n", HEAD "Subject: response=\"1\", ck=2\r\n\r\nresponse=\"1\"\r\n" },
	{ "SDP keys: RFC 4568", HEAD "\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0Rm|2^20\r\na=sendrecv\r\n",
	  HEAD "\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:*********\r\na=sendrecv\r\n" },
	{ "SDP keys: k=, MIKEY", HEAD "\r\nk=clear:abc\r\na=key-mgmt:mikey AQ\r\n", HEAD "\r\nk=*********\r\na=key-mgmt:***** **\r\n" },
	{ "a message in the body: TS 24.229 §5.4.1.7A",
	  HEAD "Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: message/sip\r\n\r\n" HEAD
	  "authorization : Digest username=\"u\",\r\n response=\"0123\", cnonce=\"ab\"\r\nContact: <sip:u>\r\n\r\n--b\r\nContent-Type: message/sip\r\n\r\n"
	  "SIP/2.0 200 OK\nAuthentication-Info: rspauth=\"de\"\n\n--b--\r\n",
	  HEAD "Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: message/sip\r\n\r\n" HEAD
	  "authorization : Digest username=\"u\",\r\n response=\"****\", cnonce=\"**\"\r\nContact: <sip:u>\r\n\r\n--b\r\nContent-Type: message/sip\r\n\r\n"
	  "SIP/2.0 200 OK\nAuthentication-Info: rspauth=\"**\"\n\n--b--\r\n" },
	{ "a secret header ends where it ends", HEAD "\r\nAuthorization: Digest realm=\"never ends\r\nk=1\r\nresponse=\"1\"\r\n",
	  HEAD "\r\nAuthorization: Digest realm=\"never ends\r\nk=*\r\nresponse=\"1\"\r\n" },
	{ "no header is whole", "x", "x" },
	{ "nothing", "", "" },
};

START_TEST(test_redact_row)
{
	char text[1024];
	size_t l = strlen(rows[_i].in);

	memcpy(text, rows[_i].in, l + 1);
	capture_redact(text, l);
	ck_assert_msg(strcmp(text, rows[_i].out) == 0, "%s:\n%s", rows[_i].name, text);
}
END_TEST

/* Cut anywhere, nothing beyond the end is touched and no digit of the secret stays. */
START_TEST(test_redact_cut)
{
	static const char in[] = HEAD "WWW-Authenticate: Digest ck=\"777777\", ik=\"777777\"\r\n\r\na=crypto:1 X inline:777777\r\n"
				 "Authorization: Digest\r\n response=\"777777\"\r\n";
	char text[sizeof(in)];

	for (size_t l = 0; l < sizeof(in); l++) {
		memcpy(text, in, sizeof(in));
		capture_redact(text, l);
		ck_assert_mem_eq(text + l, in + l, sizeof(in) - l);
		ck_assert_msg(!memchr(text, '7', l), "cut at %zu: %.*s", l, (int)l, text);
	}
}
END_TEST

static uint32_t le(const char *p, unsigned octets)
{
	uint32_t n = 0;

	while (octets-- > 0)
		n = n << 8 | (uint8_t)p[octets];
	return n;
}

static uint32_t be(const char *p, unsigned octets)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < octets; i++)
		n = n << 8 | (uint8_t)p[i];
	return n;
}

static struct captured message(const char *src, const char *dst, enum sip_proto proto, struct str wire)
{
	struct captured c = { .wall_us = 1700000000123456u, .proto = proto, .sent = true, .icid = STR("icid-1"), .wire = wire };

	ck_assert_int_eq(addr_parse_hostport(str_from_c(src), 5060, &c.src), 0);
	ck_assert_int_eq(addr_parse_hostport(str_from_c(dst), 5060, &c.dst), 0);
	return c;
}

/* Ones' complement over all, the checksum field in it: zero when it is right (RFC 1071). */
static bool sums_up(const char *ip)
{
	bool six = (ip[0] & 0xf0) == 0x60;
	size_t ihl = six ? 40 : 20, total = six ? 40 + be(ip + 4, 2) : be(ip + 2, 2);
	uint32_t s = (uint8_t)ip[six ? 6 : 9] + (uint32_t)(total - ihl);

	for (size_t i = six ? 8 : 12; i < ihl; i += 2)
		s += be(ip + i, 2);
	for (size_t i = ihl; i < total; i++)
		s += (uint32_t)(uint8_t)ip[i] << ((i - ihl) % 2 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s == 0xffff;
}

/* Walks the blocks as a reader does: both lengths agree, the file ends where the last one does. */
START_TEST(test_pcapng)
{
	static char large[40001];
	const struct captured all[] = {
		message("10.0.0.1:5060", "10.0.0.2:5060", SIP_UDP, STR("OPTIONS")),
		message("[2001:db8::1]:5060", "[2001:db8::2]:4060", SIP_UDP, STR("OPTIONS")),
		message("10.0.0.1:5061", "10.0.0.2:40000", SIP_TLS, STR("one")),
		message("10.0.0.2:40000", "10.0.0.1:5061", SIP_TLS, STR("answer")),
		message("10.0.0.1:5061", "10.0.0.2:40000", SIP_TLS, str_make(large, sizeof(large))),
	};
	unsigned packets = 0;
	struct pcapng *p;
	struct buf out;
	size_t at = 0;
	uint32_t seq[5], n_seq = 0;

	memset(large, 'x', sizeof(large));
	buf_init(&out, 1u << 20);
	p = pcapng_new(&out, "pcscf");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		pcapng_add(p, &all[i]);
	pcapng_free(p);
	ck_assert(!out.failed);
	ck_assert_uint_eq(le(out.p, 4), 0x0a0d0d0a);
	while (at < out.l) {
		uint32_t l = le(out.p + at + 4, 4);

		ck_assert_uint_eq(l % 4, 0);
		ck_assert_uint_le(at + l, out.l);
		ck_assert_uint_eq(le(out.p + at + l - 4, 4), l);
		if (le(out.p + at, 4) == 6) {
			const char *ip = out.p + at + 28;

			ck_assert_uint_eq((uint64_t)le(out.p + at + 12, 4) << 32 | le(out.p + at + 16, 4), 1700000000123456u);
			ck_assert_msg(sums_up(ip), "packet %u", packets);
			if (ip[9] == 6 && be(ip + 20, 2) == 5061)
				seq[n_seq++] = be(ip + 24, 4);
			packets++;
		}
		at += l;
	}
	ck_assert_uint_eq(packets, 7);		/* the large one in three segments */
	ck_assert_uint_eq(n_seq, 4);
	ck_assert_uint_eq(seq[0], 1);
	ck_assert_uint_eq(seq[1], 4);
	ck_assert_uint_eq(seq[2], 4 + 16384);
	ck_assert_uint_eq(seq[3], 4 + 2 * 16384);
	buf_fini(&out);
}
END_TEST

/* Every chunk is there once, with its length, and nothing is left over. */
START_TEST(test_hep)
{
	const struct captured c = message("[2001:db8::1]:5060", "[2001:db8::2]:4060", SIP_TLS, STR("OPTIONS sip:x SIP/2.0\r\n\r\n"));
	unsigned seen = 0;
	struct buf out;

	buf_init(&out, HEP_MAX_BYTES);
	hep_write(&c, 2001, "pcscf", &out);
	ck_assert(!out.failed && str_starts(buf_str(&out), STR("HEP3")));
	ck_assert_uint_eq(be(out.p + 4, 2), out.l);
	for (size_t at = 6; at < out.l; at += be(out.p + at + 4, 2)) {
		const char *v = out.p + at + 6;
		unsigned type = be(out.p + at + 2, 2), l = be(out.p + at + 4, 2) - 6;

		ck_assert_uint_eq(be(out.p + at, 2), 0);
		ck_assert_uint_eq(seen & 1u << type, 0);
		seen |= 1u << type;
		ck_assert(type != 1 || v[0] == 10);
		ck_assert(type != 2 || v[0] == 6);
		ck_assert(type != 5 || (l == 16 && memcmp(v, &c.src.in6.sin6_addr, 16) == 0));
		ck_assert(type != 8 || be(v, 2) == 4060);
		ck_assert(type != 9 || be(v, 4) == 1700000000);
		ck_assert(type != 10 || be(v, 4) == 123456);
		ck_assert(type != 11 || v[0] == 1);
		ck_assert(type != 12 || be(v, 4) == 2001);
		ck_assert(type != 15 || str_eq(str_make(v, l), c.wire));
		ck_assert(type != 17 || str_eq(str_make(v, l), c.icid));
		ck_assert(type != 19 || str_eq(str_make(v, l), STR("pcscf")));
	}
	ck_assert_uint_eq(seen, 1u << 1 | 1u << 2 | 1u << 5 | 1u << 6 | 0x1f80u | 1u << 15 | 1u << 17 | 1u << 19);
	buf_fini(&out);
}
END_TEST

/* What no datagram can hold is not half sent. */
START_TEST(test_hep_too_large)
{
	static char large[65500];
	struct captured c = message("10.0.0.1:1", "10.0.0.2:2", SIP_TCP, str_make(large, sizeof(large)));
	struct buf out;

	buf_init(&out, HEP_MAX_BYTES);
	hep_write(&c, 1, "x", &out);
	ck_assert(out.failed);
	buf_fini(&out);
}
END_TEST

TEST_MAIN("capture", TEST_ROWS(test_redact_row, rows), TEST_ONE(test_redact_cut), TEST_ONE(test_pcapng), TEST_ONE(test_hep),
	  TEST_ONE(test_hep_too_large))
