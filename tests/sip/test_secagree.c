/* tests/sip/test_secagree.c - Security-Client and its kin: RFC 3329 §2.2, TS 33.203 annex H; rows X1, X2; S2. */
#include <errno.h>
#include <stdio.h>
#include "common/sip/secagree.h"
#include "tests/check.h"

#define REST ";spi-c=1000;spi-s=1001;port-c=5062;port-s=5064"

static const struct { const char *name, *in; int rc; enum sec_alg alg; enum sec_ealg ealg; unsigned q; } rows[] = {
	{ "all of it", "ipsec-3gpp;q=0.5;alg=hmac-sha-1-96;ealg=aes-cbc;prot=esp;mod=trans" REST, 0, SEC_ALG_HMAC_SHA1_96, SEC_EALG_AES_CBC, 500 },
	{ "ealg, prot, mod, q have defaults", "ipsec-3gpp;alg=hmac-md5-96" REST, 0, SEC_ALG_HMAC_MD5_96, SEC_EALG_NULL, 1000 },
	{ "handsets row 7: another order, capitals, blanks", " IPSEC-3GPP ; PORT-S=5064 ;port-c= 5062; spi-s=1001;spi-c=1000;mod=trans;prot=esp ;"
	  "ealg=DES-EDE3-CBC ; alg=hmac-sha-1-96", 0, SEC_ALG_HMAC_SHA1_96, SEC_EALG_DES_EDE3_CBC, 1000 },
	{ "quoted", "ipsec-3gpp;alg=\"hmac-sha-1-96\"" REST, 0, SEC_ALG_HMAC_SHA1_96, SEC_EALG_NULL, 1000 },
	{ "GCM has no alg", "ipsec-3gpp;alg=null;ealg=aes-gcm" REST, 0, SEC_ALG_NULL, SEC_EALG_AES_GCM, 1000 },
	{ "GMAC has no ealg", "ipsec-3gpp;alg=aes-gmac" REST, 0, SEC_ALG_AES_GMAC, SEC_EALG_NULL, 1000 },
	{ "unknown parameters pass", "ipsec-3gpp;alg=hmac-sha-1-96;new=1;flag" REST, 0, SEC_ALG_HMAC_SHA1_96, SEC_EALG_NULL, 1000 },
	{ "smallest q", "ipsec-3gpp;q=0.001;alg=aes-gmac" REST, 0, SEC_ALG_AES_GMAC, SEC_EALG_NULL, 1 },
	{ "another mechanism", "tls;q=0.2", -ENOTSUP, 0, 0, 0 },
	{ "unknown alg", "ipsec-3gpp;alg=hmac-sha-256-128" REST, -ENOTSUP, 0, 0, 0 },
	{ "unknown ealg", "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-ctr" REST, -ENOTSUP, 0, 0, 0 },
	{ "AH", "ipsec-3gpp;alg=hmac-sha-1-96;prot=ah" REST, -ENOTSUP, 0, 0, 0 },
	{ "behind a NAT", "ipsec-3gpp;alg=hmac-sha-1-96;mod=udp-ENC-tun" REST, 0, SEC_ALG_HMAC_SHA1_96, SEC_EALG_NULL, 1000 },
	{ "tunnel mode without UDP", "ipsec-3gpp;alg=hmac-sha-1-96;mod=tun" REST, -ENOTSUP, 0, 0, 0 },
	{ "neither integrity nor encryption", "ipsec-3gpp;alg=null;ealg=null" REST, -ENOTSUP, 0, 0, 0 },
	{ "encryption without integrity", "ipsec-3gpp;alg=null;ealg=aes-cbc" REST, -ENOTSUP, 0, 0, 0 },
	{ "GCM with another integrity", "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-gcm" REST, -ENOTSUP, 0, 0, 0 },
	{ "no alg", "ipsec-3gpp;ealg=aes-cbc" REST, -EBADMSG, 0, 0, 0 },
	{ "no port", "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1000;spi-s=1001;port-c=5062", -EBADMSG, 0, 0, 0 },
	{ "one SPI for both", "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1000;spi-s=1000;port-c=5062;port-s=5064", -EBADMSG, 0, 0, 0 },
	{ "reserved SPI", "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=255;spi-s=1000;port-c=5062;port-s=5064", -EBADMSG, 0, 0, 0 },
	{ "SPI over 32 bits", "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=4294967296;spi-s=1000;port-c=5062;port-s=5064", -EBADMSG, 0, 0, 0 },
	{ "port 0", "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1001;spi-s=1000;port-c=0;port-s=5064", -EBADMSG, 0, 0, 0 },
	{ "port over 65535", "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1001;spi-s=1000;port-c=65536;port-s=5064", -EBADMSG, 0, 0, 0 },
	{ "twice the same parameter", "ipsec-3gpp;alg=hmac-sha-1-96;alg=aes-gmac" REST, -EBADMSG, 0, 0, 0 },
	{ "q over 1", "ipsec-3gpp;q=1.1;alg=hmac-sha-1-96" REST, -EBADMSG, 0, 0, 0 },
	{ "empty", "", -ENOTSUP, 0, 0, 0 },
};

START_TEST(test_parse_row)
{
	struct sec_agree a;
	int rc = secagree_parse(str_from_c(rows[_i].in), &a);

	ck_assert_msg(rc == rows[_i].rc, "%s: %d", rows[_i].name, rc);
	if (rc < 0)
		return;
	ck_assert_msg(a.alg == rows[_i].alg && a.ealg == rows[_i].ealg && a.q == rows[_i].q, "%s: %d %d %u", rows[_i].name, a.alg, a.ealg, a.q);
	ck_assert_msg(a.spi_c == 1000 && a.spi_s == 1001 && a.port_c == 5062 && a.port_s == 5064, "%s: ports and SPIs", rows[_i].name);
}
END_TEST

/* What is written reads the same, q in every step of it. */
START_TEST(test_round_trip)
{
	struct sec_agree a = { .spi_c = 256, .spi_s = UINT32_MAX, .port_c = 1, .port_s = 65535 }, back;
	struct buf b;

	for (unsigned q = 0; q <= SECAGREE_Q_ONE; q++) {
		a.q = (uint16_t)q;
		a.alg = q % 2 ? SEC_ALG_HMAC_SHA1_96 : SEC_ALG_NULL;
		a.ealg = q % 2 ? SEC_EALG_AES_CBC : SEC_EALG_AES_GCM;
		buf_init(&b, 512);
		secagree_put(&b, &a, true);
		ck_assert_msg(secagree_parse(buf_str(&b), &back) == 0 && secagree_eq(&a, &back), "%.*s", STR_ARG(buf_str(&b)));
		buf_fini(&b);
	}
}
END_TEST

static struct sip_msg *message(const char *headers)
{
	struct sip_parse_error e;
	struct sip_msg *m = NULL;
	char text[4096];

	snprintf(text, sizeof(text), "REGISTER sip:home SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@home>;tag=1\r\n"
		 "To: <sip:a@home>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n%sContent-Length: 0\r\n\r\n", headers);
	ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), NULL, &m, &e), 0);
	return m;
}

/* Handsets rows 7, 16: many entries, in one line and in several; unsupported ones are skipped (row X2). */
START_TEST(test_list)
{
	struct sip_msg *m = message("Security-Client: ipsec-3gpp;alg=hmac-sha-1-96" REST ", tls ,ipsec-3gpp;alg=aes-gmac" REST "\r\n"
				    "Security-Client: digest;d-alg=md5\r\nsecurity-client: ipsec-3gpp;alg=hmac-md5-96;ealg=aes-cbc" REST "\r\n");
	struct sec_list l;

	secagree_read(m, SIP_H_SECURITY_CLIENT, &l);
	ck_assert_uint_eq(l.n, 3);
	ck_assert_uint_eq(l.others, 2);
	ck_assert(l.entry[0].alg == SEC_ALG_HMAC_SHA1_96 && l.entry[1].alg == SEC_ALG_AES_GMAC && l.entry[2].ealg == SEC_EALG_AES_CBC);
	ck_assert(secagree_same(&l, l.entry, 3, 2));
	ck_assert(!secagree_same(&l, l.entry, 3, 1) && !secagree_same(&l, l.entry, 2, 2));
	sip_msg_unref(m);
}
END_TEST

/* S2: each field alone makes the difference. */
START_TEST(test_fields)
{
	const struct sec_agree a = { SEC_ALG_HMAC_SHA1_96, SEC_EALG_AES_CBC, SEC_MOD_TRANS, 1, 2, 1000, 1001, 900 };
	struct sec_agree b[8] = { a, a, a, a, a, a, a, a };

	b[0].alg = SEC_ALG_HMAC_MD5_96;
	b[1].ealg = SEC_EALG_NULL;
	b[2].port_c++;
	b[3].port_s++;
	b[4].spi_c++;
	b[5].spi_s++;
	b[6].q--;
	b[7].mod = SEC_MOD_UDP_ENC_TUN;
	ck_assert(secagree_eq(&a, &a));
	for (int i = 0; i < 8; i++)
		ck_assert_msg(!secagree_eq(&a, &b[i]), "field %d", i);
}
END_TEST

/* A header as long as a message may be is read within bounds. */
START_TEST(test_bounded)
{
	struct buf b;
	struct sip_msg *m = NULL;
	struct sip_parse_error e;
	struct sec_list l;

	buf_init(&b, SIP_MSG_MAX_BYTES);
	buf_puts(&b, "REGISTER sip:home SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@home>;tag=1\r\nTo: <sip:a@home>\r\n"
		     "Call-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\nSecurity-Client: ipsec-3gpp;alg=aes-gmac" REST);
	for (int i = 0; i < 500; i++)
		buf_puts(&b, ",ipsec-3gpp;alg=aes-gmac" REST);
	buf_puts(&b, "\r\n\r\n");
	ck_assert_int_eq(sip_msg_parse_copy(buf_str(&b), NULL, &m, &e), 0);
	secagree_read(m, SIP_H_SECURITY_CLIENT, &l);
	ck_assert_uint_eq(l.n, SECAGREE_MAX);
	ck_assert_uint_eq(l.others, 501 - SECAGREE_MAX);
	sip_msg_unref(m);
	buf_fini(&b);
}
END_TEST

TEST_MAIN("secagree", TEST_ROWS(test_parse_row, rows), TEST_ONE(test_round_trip), TEST_ONE(test_list), TEST_ONE(test_fields),
	  TEST_ONE(test_bounded))
