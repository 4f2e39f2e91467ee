/* tests/pcscf/test_trust.c - the trust border by header and spelling: rows P1, P12; SEC-03, SEC-05, REG-08; RFC 3325 §5. */
#include <string.h>
#include "pcscf/pcscf.h"
#include "pcscf/trust.h"
#include "tests/check.h"

enum { RQI = TRUST_REQ_FROM_PHONE, RSI = TRUST_RESP_FROM_PHONE, RQO = TRUST_REQ_TO_PHONE, RSO = TRUST_RESP_TO_PHONE };
#define IN (RQI | RSI)
#define OUT (RQO | RSO)
#define ALL (IN | OUT)

/* The message as it leaves on that way. */
static struct bytes *crossed(enum trust_way way, const char *method, unsigned status, const char *lines, const struct pcscf_config *c)
{
	struct pcscf_config none = { 0 };
	struct sip_parse_error err;
	struct bytes *wire = NULL;
	struct sip_out o;
	struct sip_msg *m;
	struct buf b;

	buf_init(&b, 60000);
	if (way & (RQI | RQO))
		buf_printf(&b, "%s sip:b@home SIP/2.0\r\n", method);
	else
		buf_printf(&b, "SIP/2.0 %u x\r\n", status);
	buf_printf(&b, "Via: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@home>;tag=1\r\nTo: <sip:b@home>\r\nCall-ID: c\r\n"
		   "CSeq: 1 %s\r\n%sSubject: stays\r\nContent-Length: 0\r\n\r\n", method, lines);
	ck_assert_msg(sip_msg_parse_copy(buf_str(&b), NULL, &m, &err) == 0, "%s\n%s", err.why, lines);
	buf_fini(&b);
	sip_out_init(&o, m);
	trust_strip(c ? c : &none, &o, way);
	ck_assert_int_eq(sip_out_write(&o, &wire), 0);
	sip_msg_unref(m);
	return wire;
}

static bool has(const struct bytes *b, const char *text)
{
	size_t l = strlen(text);

	for (size_t i = 0; i + l <= b->l; i++)
		if (mem_ieq(b->p + i, text, l))
			return true;
	return false;
}

static const struct { const char *name; unsigned goes; } headers[] = {	/* on the other ways it stays */
	{ "P-Asserted-Identity", IN }, { "P-Preferred-Identity", ALL }, { "Remote-Party-ID", ALL }, { "P-Called-Party-ID", IN },
	{ "P-Associated-URI", ALL }, { "P-Asserted-Service", IN }, { "P-Preferred-Service", RSI | OUT },
	{ "P-Charging-Vector", ALL }, { "P-Charging-Function-Addresses", ALL }, { "P-Served-User", ALL }, { "P-Profile-Key", ALL },
	{ "P-User-Database", ALL }, { "P-Visited-Network-ID", ALL }, { "P-Access-Network-Info", OUT }, { "Path", ALL },
	{ "Service-Route", ALL }, { "Record-Route", RQI }, { "Feature-Caps", IN }, { "Resource-Priority", IN }, { "History-Info", IN },
	{ "Security-Client", ALL }, { "Security-Server", ALL }, { "Security-Verify", ALL }, { "Cellular-Network-Info", OUT },
	{ "Diversion", IN }, { "Attestation-Info", IN }, { "Origination-Id", IN }, { "Identity", IN }, { "Restoration-Info", ALL },
	{ "Relayed-Charge", ALL }, { "P-Private-Network-Indication", ALL }, { "P-DCS-LAES", ALL }, { "P-DCS-Billing-Info", ALL },
	{ "P-Media-Authorization", IN }, { "P-Whatever", IN }, { "X-Whatever", IN }, { "Response-Source", IN },
	{ "P-Early-Media", IN }, { "P-Answer-State", 0 }, { "Geolocation", 0 }, { "User-Agent", 0 }, { "Session-Expires", 0 },
	{ "Replaces", 0 }, { "Referred-By", 0 }, { "Refer-To", 0 }, { "RSeq", 0 }, { "RAck", 0 }, { "Geolocation-Routing", 0 },
	{ "Info-Package", 0 }, { "SIP-ETag", 0 }, { "Reject-Contact", 0 }, { "Min-SE", 0 }, { "Content-Disposition", 0 },
	{ "Recv-Info", 0 }, { "Unheard-Of", 0 }, { "Accept-Contact", 0 }, { "Privacy", 0 }, { "Reason", 0 }, { "Warning", 0 },
};

START_TEST(test_header)
{
	static const unsigned ways[] = { RQI, RSI, RQO, RSO };
	char line[128];

	snprintf(line, sizeof(line), "%s: <sip:secret@10.0.0.99>\r\n", headers[_i].name);
	for (unsigned i = 0; i < 4; i++) {
		struct bytes *b = crossed((enum trust_way)ways[i], "INVITE", 200, line, NULL);

		ck_assert_msg(has(b, "10.0.0.99") == !(headers[_i].goes & ways[i]), "%s, way %u:\n%.*s", headers[_i].name, ways[i],
			      STR_ARG(bytes_str(b)));
		ck_assert(has(b, "Subject: stays"));
		bytes_unref(b);
	}
}
END_TEST

/* Every header that a phone may not send, in every spelling that a parser lets pass (SEC-03, REG-08). */
static const struct { const char *name, *fmt; } spellings[] = {	/* %s: the name, as `to` writes it */
	{ "plain", "%s: secret\r\n" }, { "no blank", "%s:secret\r\n" }, { "blank before the colon", "%s : secret\r\n" },
	{ "tab before the colon", "%s\t: secret\r\n" }, { "folded", "%s:\r\n secret\r\n" }, { "folded twice", "%s:\r\n\t \r\n secret\r\n" },
	{ "twice", "%1$s: secret\r\n%1$s: secret2\r\n" }, { "list", "%s: a,secret , b\r\n" }, { "quoted", "%s: \"secret\" <sip:a@b>\r\n" },
	{ "line feeds", "%s: secret\n" }, { "apart", "%1$s: secret\r\nSubject: x\r\n%1$s: secret\r\n" }, { "parameters", "%s: secret;a=b;c=\"d\"\r\n" },
};

START_TEST(test_spelling)
{
	for (size_t h = 0; h < sizeof(headers) / sizeof(headers[0]); h++) {
		for (int c = 0; c < 3; c++) {
			char name[64], line[512];
			struct bytes *b;

			if (!(headers[h].goes & RQI))
				continue;
			str_copy(str_from_c(headers[h].name), name, sizeof(name));
			for (char *p = name; *p; p++)
				if (c && ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'))
					*p = (char)(c == 1 ? *p | 0x20 : *p & ~0x20);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(line, sizeof(line), spellings[_i].fmt, name);
#pragma GCC diagnostic pop
			b = crossed(TRUST_REQ_FROM_PHONE, "INVITE", 0, line, NULL);
			ck_assert_msg(!has(b, "secret"), "%s, %s:\n%.*s", spellings[_i].name, name, STR_ARG(bytes_str(b)));
			bytes_unref(b);
		}
	}
}
END_TEST

static const struct { const char *name, *lines; unsigned way; const char *method; unsigned status; const char *gone, *stays; } others[] = {
	{ "PANI of the phone", "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=1\r\n", RQI, "INVITE", 0, NULL, "utran-cell" },
	{ "PANI np", "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=1;network-provided\r\n", RQI, "INVITE", 0, "E-UTRAN", NULL },
	{ "PANI np in a list", "P-Access-Network-Info: IEEE-802.11, 3GPP-E-UTRAN-FDD;Network-Provided, X;np\r\n", RQI, "INVITE", 0,
	  "E-UTRAN", "IEEE-802.11, X;np" },
	{ "PANI np, blanks", "P-Access-Network-Info: 3GPP-NR ; NETWORK-PROVIDED\r\n", RQI, "REGISTER", 0, "3GPP-NR", NULL },
	{ "PANI np, second line", "P-Access-Network-Info: IEEE-802.11\r\nP-Access-Network-Info: EVIL;network-provided=1\r\n", RQI, "INVITE",
	  0, "EVIL", "IEEE-802.11" },
	{ "PANI np in a response", "P-Access-Network-Info: EVIL;network-provided\r\n", RSI, "INVITE", 200, "EVIL", NULL },
	{ "PAI to a phone", "P-Asserted-Identity: <sip:a@home>\r\n", RQO, "INVITE", 0, NULL, "P-Asserted-Identity" },
	{ "PAI, privacy id", "P-Asserted-Identity: <sip:a@home>\r\nPrivacy: id\r\n", RQO, "INVITE", 0, "P-Asserted-Identity", "Privacy: id" },
	{ "PAI, privacy list", "P-Asserted-Identity: <sip:a@home>\r\nPrivacy: header;ID;critical\r\n", RQO, "INVITE", 0,
	  "P-Asserted-Identity", "Privacy" },
	{ "PAI, privacy with blanks", "P-Asserted-Identity: <sip:a@home>\r\nPrivacy: header ; id ; user\r\n", RQO, "MESSAGE", 0,
	  "P-Asserted-Identity", NULL },
	{ "PAI, privacy none", "P-Asserted-Identity: <sip:a@home>\r\nPrivacy: none\r\n", RQO, "INVITE", 0, NULL, "P-Asserted-Identity" },
	{ "PAI, privacy in a response", "P-Asserted-Identity: <sip:a@home>\r\nPrivacy: id\r\n", RSO, "INVITE", 200, "P-Asserted-Identity", NULL },
	{ "sec-agree alone", "Require: sec-agree\r\nProxy-Require: sec-agree\r\nSupported: sec-agree\r\n", RQI, "INVITE", 0, "Require:", NULL },
	{ "sec-agree in a list", "Require: 100rel, Sec-Agree, precondition\r\n", RQI, "INVITE", 0, "sec-agree", "100rel,precondition" },
	{ "sec-agree, compact Supported", "k: path,sec-agree\r\n", RQI, "REGISTER", 0, "sec-agree", "path" },
	{ "sec-agree to a phone", "Require: sec-agree\r\n", RQO, "INVITE", 0, "sec-agree", NULL },
	{ "IMEI in Contact", "Contact: \"A\" <sip:a@10.9.0.1>;+sip.instance=\"<urn:gsma:imei:35-1>\";+g.3gpp.smsip;q=1\r\n", RQI, "INVITE", 0,
	  "imei", "<sip:a@10.9.0.1>;+g.3gpp.smsip;q=1" },
	{ "IMEI in a response", "Contact: <sip:a@10.9.0.1>;+SIP.Instance=\"<URN:gsma:IMEI:35-1>\"\r\n", RSI, "INVITE", 200, "imei", "<sip:a@10.9.0.1>" },
	{ "IMEI of the far end", "Contact: <sip:a@10.9.0.1>;+sip.instance=\"<urn:gsma:imei:35-1>\"\r\n", RSO, "INVITE", 200, "imei", "<sip:a@10.9.0.1>" },
	{ "IMEI of the far end, request", "Contact: <sip:a@10.9.0.1>;+sip.instance=\"<urn:gsma:imei:35-1>\"\r\n", RQO, "INVITE", 0, "imei", "sip:a@" },
	{ "its own, back from the registrar", "Contact: <sip:a@10.9.0.1>;+sip.instance=\"<urn:gsma:imei:35-1>\"\r\n", RSO, "REGISTER", 200, NULL, "imei" },
	{ "IMEI to the registrar", "Contact: <sip:a@10.9.0.1>;+sip.instance=\"<urn:gsma:imei:35-1>\"\r\n", RQI, "REGISTER", 0, NULL, "imei" },
	{ "IMEI in a GRUU", "Contact: \"A\" <sip:a@home;transport=udp;gr=urn:gsma:imei:35-1;ob>;q=1\r\n", RQI, "INVITE", 0, "imei", "<sip:a@home;transport=udp;ob>;q=1" },
	{ "IMEI in a GRUU of the far end", "Contact: <sip:a@home;GR=URN:gsma%3aIMEI:35-1?Subject=x>\r\n", RSO, "INVITE", 200, "IMEI", "<sip:a@home?Subject=x>" },
	{ "IMEI in a GRUU, no brackets", "Contact: sip:a@home;gr=urn:gsma:imei:35-1;q=1\r\n", RQO, "INVITE", 0, "imei", "<sip:a@home>;q=1" },
	{ "GRUU of another instance", "Contact: <sip:a@home;gr=urn:uuid:1>;+sip.instance=\"<urn:gsma:imei:35-1>\"\r\n", RQI, "INVITE", 0, "imei",
	  "<sip:a@home;gr=urn:uuid:1>" },
	{ "another instance", "Contact: <sip:a@10.9.0.1>;+sip.instance=\"<urn:uuid:1>\"\r\n", RQI, "INVITE", 0, NULL, "uuid" },
	{ "compact Identity (RFC 8224 §4)", "y: NOBODY;info=<x>\r\nY : NOBODY\r\nn: <NOBODY>\r\n", RQI, "INVITE", 0, "NOBODY", NULL },
	/* P15 */
	{ "early media: supported", "P-Early-Media: supported\r\n", RQI, "INVITE", 0, NULL, "P-Early-Media: supported" },
	{ "early media: supported and more", "P-Early-Media: Supported , sendrecv\r\n", RQI, "UPDATE", 0, "sendrecv", "P-Early-Media: supported" },
	{ "early media: of a phone", "P-Early-Media: sendonly, sendrecv, gated\r\n", RSI, "INVITE", 183, "P-Early-Media", NULL },
	{ "early media: supported in a response", "P-Early-Media: supported\r\n", RSI, "INVITE", 183, "P-Early-Media", NULL },
	{ "early media: of the core", "P-Early-Media: sendrecv\r\n", RSO, "INVITE", 183, NULL, "sendrecv" },
	{ "early media: of the core, request", "P-Early-Media: inactive\r\n", RQO, "UPDATE", 0, NULL, "inactive" },
	{ "keys in a request", "WWW-Authenticate: Digest realm=\"home\", ck=\"KEY1\"\r\n", RQO, "INVITE", 0, "KEY1", "realm" },
	{ "keys in a response", "WWW-Authenticate: Digest realm=\"home\", ik=\"KEY2\"\r\n", RSO, "REGISTER", 401, "KEY2", "realm" },
	{ "Service-Route of a 200", "Service-Route: <sip:x>\r\nP-Associated-URI: <sip:y>\r\nPath: <sip:z>\r\n", RSO, "REGISTER", 200, "sip:z",
	  "sip:x" },
	{ "P-Associated-URI of a 200", "P-Associated-URI: <sip:y>\r\n", RSO, "REGISTER", 200, NULL, "sip:y" },
	{ "Service-Route of a 403", "Service-Route: <sip:x>\r\n", RSO, "REGISTER", 403, "sip:x", NULL },
};

START_TEST(test_other)
{
	struct bytes *b = crossed((enum trust_way)others[_i].way, others[_i].method, others[_i].status, others[_i].lines, NULL);

	if (others[_i].gone)
		ck_assert_msg(!has(b, others[_i].gone), "%s:\n%.*s", others[_i].name, STR_ARG(bytes_str(b)));
	if (others[_i].stays)
		ck_assert_msg(has(b, others[_i].stays), "%s:\n%.*s", others[_i].name, STR_ARG(bytes_str(b)));
	bytes_unref(b);
}
END_TEST

/* Lists of thousands: nothing is lost, and it costs no square (found by fuzz_trust: 1 MiB for 36 KiB). */
static const struct { const char *head, *piece, *evil, *lost, *stays; unsigned way; } lists[] = {
	{ "P-Access-Network-Info: A1", ",A1", ",EVIL;network-provided", "EVIL", "A1", RQI },
	{ "Contact: <sip:A1@b>", ",<sip:A1@b>", ",<sip:A1@b>;+sip.instance=\"<urn:gsma:imei:1>\"", "imei", "A1", RQI },
	{ "Contact: <sip:b>", ";A1=x", ";+sip.instance=\"<urn:gsma:imei:1>\"", "imei", "A1", RSI },
};

START_TEST(test_long_list)
{
	static const struct pcscf_config none;
	unsigned n = 3000, got = 0;
	struct sip_parse_error err;
	struct sip_msg *m;
	struct sip_out o;
	struct bytes *b;
	struct buf t;

	buf_init(&t, 65535);
	buf_puts(&t, lists[_i].way == RQI ? "INVITE sip:b@h SIP/2.0\r\n" : "SIP/2.0 200 x\r\n");
	buf_printf(&t, "v: SIP/2.0/UDP h;branch=z9hG4bKx\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>;tag=2\r\ni: c\r\nCSeq: 1 INVITE\r\n%s",
		   lists[_i].head);
	for (unsigned i = 0; i < n; i++)
		buf_puts(&t, i == n / 2 ? lists[_i].evil : lists[_i].piece);
	buf_puts(&t, "\r\nl: 0\r\n\r\n");
	ck_assert(!t.failed);
	ck_assert_int_eq(sip_msg_parse_copy(buf_str(&t), NULL, &m, &err), 0);
	sip_out_init(&o, m);
	trust_strip(&none, &o, (enum trust_way)lists[_i].way);
	ck_assert_uint_lt(arena_bytes(m->arena), 12 * t.l);
	ck_assert_int_eq(sip_out_write(&o, &b), 0);
	ck_assert(!has(b, lists[_i].lost));
	for (size_t i = 0; i + 2 <= b->l; i++)
		got += memcmp(b->p + i, lists[_i].stays, 2) == 0;
	ck_assert_uint_eq(got, _i == 1 ? n + 1 : _i ? n - 1 : n);
	bytes_unref(b);
	sip_msg_unref(m);
	buf_fini(&t);
}
END_TEST

START_TEST(test_early_media_authorised)	/* P15: access.early_media */
{
	struct pcscf_config c = { .early_media = true };
	struct bytes *b = crossed(TRUST_RESP_FROM_PHONE, "INVITE", 183, "P-Early-Media: sendrecv\r\n", &c);

	ck_assert(has(b, "P-Early-Media: sendrecv"));
	bytes_unref(b);
}
END_TEST

START_TEST(test_pass_headers)	/* access.pass_headers: what an operator lists crosses */
{
	struct pcscf_config c = { .pass_headers = { "X-Custom", "History-Info" }, .n_pass = 2 };
	struct bytes *b = crossed(TRUST_REQ_FROM_PHONE, "INVITE", 0, "x-custom: one\r\nX-Other: two\r\nHistory-Info: <sip:three>\r\n", &c);

	ck_assert(has(b, "one") && !has(b, "two") && has(b, "three"));
	bytes_unref(b);
}
END_TEST

TEST_MAIN("trust", TEST_ROWS(test_header, headers), TEST_ROWS(test_spelling, spellings), TEST_ROWS(test_other, others),
	  TEST_ROWS(test_long_list, lists), TEST_ONE(test_early_media_authorised), TEST_ONE(test_pass_headers))
