/* tests/sip/test_auth.c - Milenage (TS 35.208 §4), AKA (TS 33.102 §6.3), Digest (RFC 2617, 7616, 3310), tokens; row S2. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/sip/auth.h"
#include "common/sip/token.h"
#include "tests/check.h"

static const struct { const char *k, *rand, *sqn, *amf, *op, *opc, *f1, *f1s, *f2, *f3, *f4, *f5, *f5s; } sets[] = {
	{ "465b5ce8b199b49faa5f0a2ee238a6bc", "23553cbe9637a89d218ae64dae47bf35", "ff9bb4d0b607", "b9b9", "cdc202d5123e20f62b6d676ac72cb318",
	  "cd63cb71954a9f4e48a5994e37a02baf", "4a9ffac354dfafb3", "01cfaf9ec4e871e9", "a54211d5e3ba50bf", "b40ba9a3c58b2a05bbf0d987b21bf8cb",
	  "f769bcd751044604127672711c6d3441", "aa689c648370", "451e8beca43b" },
	{ "fec86ba6eb707ed08905757b1bb44b8f", "9f7c8d021accf4db213ccff0c7f71a6a", "9d0277595ffc", "725c", "dbc59adcb6f9a0ef735477b7fadf8374",
	  "1006020f0a478bf6b699f15c062e42b3", "9cabc3e99baf7281", "95814ba2b3044324", "8011c48c0c214ed2", "5dbdbb2954e8f3cde665b046179a5098",
	  "59a92d3b476a0443487055cf88b2307b", "33484dc2136b", "deacdd848cc6" },
	{ "9e5944aea94b81165c82fbf9f32db751", "ce83dbc54ac0274a157c17f80d017bd6", "0b604a81eca8", "9e09", "223014c5806694c007ca1eeef57f004f",
	  "a64a507ae1a2a98bb88eb4210135dc87", "74a58220cba84c49", "ac2cc74a96871837", "f365cd683cd92e96", "e203edb3971574f5a94b0d61b816345d",
	  "0c4524adeac041c4dd830d20854fc46b", "f0b9c08ad02e", "6085a86c6f63" },
	{ "4ab1deb05ca6ceb051fc98e77d026a84", "74b0cd6031a1c8339b2b6ce2b8c4a186", "e880a1b580b6", "9f07", "2d16c5cd1fdf6b22383584e3bef2a8d8",
	  "dcf07cbd51855290b92a07a9891e523e", "49e785dd12626ef2", "9e85790336bb3fa2", "5860fc1bce351e7e", "7657766b373d1c2138f307e3de9242f9",
	  "1c42e960d89b8fa99f2744e0708ccb53", "31e11a609118", "fe2555e54aa9" },
	{ "6c38a116ac280c454f59332ee35c8c4f", "ee6466bc96202c5a557abbeff8babf63", "414b98222181", "4464", "1ba00a1a7c6700ac8c3ff3e96ad08725",
	  "3803ef5363b947c6aaa225e58fae3934", "078adfb488241a57", "80246b8d0186bcf1", "16c8233f05a0ac28", "3f8c7587fe8e4b233af676aede30ba3b",
	  "a7466cc1e6b2a1337d49d3b66e95d7b4", "45b0f69ab06c", "1f53cd2b1113" },
};

static void un(const char *text, uint8_t *dst, size_t size)
{
	size_t n;

	ck_assert_int_eq(hex_decode(str_from_c(text), dst, size, &n), 0);
	ck_assert_uint_eq(n, size);
}

static void same(const uint8_t *got, size_t n, const char *want, const char *what)
{
	char text[65];

	hex_encode(got, n, text);
	ck_assert_msg(strcmp(text, want) == 0, "%s: %s, not %s", what, text, want);
}

START_TEST(test_milenage_set)
{
	uint8_t k[16], op[16], opc[16], rand[16], sqn[6], amf[2];
	struct milenage_out m;

	un(sets[_i].k, k, 16);
	un(sets[_i].op, op, 16);
	un(sets[_i].rand, rand, 16);
	un(sets[_i].sqn, sqn, 6);
	un(sets[_i].amf, amf, 2);
	milenage_opc(k, op, opc);
	same(opc, 16, sets[_i].opc, "OPc");
	milenage(k, opc, rand, sqn, amf, &m);
	same(m.mac_a, 8, sets[_i].f1, "f1");
	same(m.mac_s, 8, sets[_i].f1s, "f1*");
	same(m.res, 8, sets[_i].f2, "f2");
	same(m.ck, 16, sets[_i].f3, "f3");
	same(m.ik, 16, sets[_i].f4, "f4");
	same(m.ak, 6, sets[_i].f5, "f5");
	same(m.ak_star, 6, sets[_i].f5s, "f5*");
}
END_TEST

START_TEST(test_aka_home_and_phone)
{
	uint8_t k[16], opc[16], rand[16], sqn[6] = { 0, 0, 0, 0, 0, 9 }, amf[2] = { 0x80, 0 }, auts[14], back[6];
	struct aka_vector v;
	struct milenage_out m;
	uint64_t ms = 8;

	un(sets[0].k, k, 16);
	un(sets[0].opc, opc, 16);
	un(sets[0].rand, rand, 16);
	aka_vector_make(k, opc, rand, sqn, amf, &v);
	ck_assert_int_eq(aka_usim(k, opc, v.rand, v.autn, &ms, &m, auts), 0);
	ck_assert_uint_eq(ms, 9);
	ck_assert(memcmp(m.res, v.xres, 8) == 0 && memcmp(m.ck, v.ck, 16) == 0 && memcmp(m.ik, v.ik, 16) == 0);
	/* the same again is stale: AUTS tells the home side where the phone is */
	ms = 0x010203040506;
	ck_assert_int_eq(aka_usim(k, opc, v.rand, v.autn, &ms, &m, auts), -ESTALE);
	ck_assert_int_eq(aka_auts_check(k, opc, rand, auts, back), 0);
	same(back, 6, "010203040506", "SQN_MS");
	auts[13] ^= 1;
	ck_assert_int_eq(aka_auts_check(k, opc, rand, auts, back), -EPERM);
	v.autn[15] ^= 1;
	ck_assert_int_eq(aka_usim(k, opc, v.rand, v.autn, &ms, &m, auts), -EPERM);
}
END_TEST

/* RFC 2617 §3.5, RFC 7616 §3.9.1, and the RFC 2069 form */
static const struct { const char *header, *password; } answers[] = {
	{ "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, "
	  "nc=00000001, cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"", "Circle Of Life" },
	{ "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=SHA-256, "
	  "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
	  "qop=auth, response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"", "Circle of Life" },
	{ "digest response = 670FD8C2DF070C60B045671B8B24FF02 ,uri=\"/dir/index.html\",username=\"Mufasa\",nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\","
	  "realm=\"testrealm@host.com\"", "Circle Of Life" },
};

START_TEST(test_digest_row)
{
	struct auth_params p;
	char ha1[AUTH_HEX_MAX];

	ck_assert_int_eq(auth_params_parse(str_from_c(answers[_i].header), &p), 0);
	auth_ha1(p.algorithm, p.username, p.realm, str_from_c(answers[_i].password), ha1);
	ck_assert(auth_response_matches(&p, str_from_c(ha1), STR("GET"), STR_NONE));
	ck_assert(!auth_response_matches(&p, str_from_c(ha1), STR("PUT"), STR_NONE));
	p.qop = STR("strange");
	ck_assert(!auth_response_matches(&p, str_from_c(ha1), STR("GET"), STR_NONE));
}
END_TEST

static const struct { const char *in; int rc; enum auth_algorithm alg; } heads[] = {
	{ "Digest username=\"a, b\",algorithm=AKAv1-MD5,\r\n\tnc=00000001", 0, AUTH_AKAV1_MD5 },
	{ "Digest username=\"a\",algorithm=\"MD5\"", 0, AUTH_MD5 },
	{ "Digest username=\"a\",algorithm=AKAv9-MD5", 0, AUTH_ALG_UNKNOWN },
	{ "Digest", 0, AUTH_MD5 }, { "Basic abc", -ENOTSUP, 0 }, { "", -EBADMSG, 0 },
	{ "Digest username=\"open", -EBADMSG, 0 }, { "Digest nonsense", -EBADMSG, 0 },
};

START_TEST(test_header_row)
{
	struct auth_params p;
	int rc = auth_params_parse(str_from_c(heads[_i].in), &p);

	ck_assert_msg(rc == heads[_i].rc, "%s: %d", heads[_i].in, rc);
	if (rc == 0)
		ck_assert_int_eq(p.algorithm, heads[_i].alg);
}
END_TEST

/* RFC 3310: RES is a binary password; a zero octet in it counts like any other (clients.md point 10). */
START_TEST(test_res_with_a_zero_octet)
{
	char a[AUTH_HEX_MAX], b[AUTH_HEX_MAX];

	auth_ha1(AUTH_AKAV1_MD5, STR("u"), STR("r"), str_make("\x01\x00\x02", 3), a);
	auth_ha1(AUTH_AKAV1_MD5, STR("u"), STR("r"), str_make("\x01\x00\x03", 3), b);
	ck_assert_str_ne(a, b);
}
END_TEST

/* clients.md point 2 */
START_TEST(test_two_authorizations)
{
	static const char text[] = "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n"
		"Authorization: Digest username=\"a\",realm=\"*\",response=\"\"\r\nAuthorization: Digest username=\"a\",realm=\"other\",response=\"x\"\r\n"
		"Authorization: Digest username=\"a\",realm=\"h\",response=\"y\"\r\n\r\n";
	struct sip_parse_error err;
	struct auth_params p;
	struct sip_msg *m;

	ck_assert_int_eq(sip_msg_parse_copy(STR(text), NULL, &m, &err), 0);
	ck_assert_int_eq(auth_find(m, SIP_H_AUTHORIZATION, STR("h"), &p), 0);
	ck_assert(str_eq_c(p.response, "y"));
	ck_assert_int_eq(auth_find(m, SIP_H_PROXY_AUTHORIZATION, STR("h"), &p), -ENOENT);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_token_round_trip_and_forgery)
{
	struct token_key k = { { 1, 2, 3 } }, other = { { 4 } };
	struct token t = { TOKEN_PATH, 7, 513, 0x1122334455667788ull }, r;
	char text[TOKEN_STRLEN];

	token_make(&k, &t, text);
	ck_assert_uint_eq(strlen(text), 32);
	ck_assert_int_eq(token_read(&k, str_from_c(text), &r), 0);
	ck_assert(r.kind == t.kind && r.flags == t.flags && r.aux == t.aux && r.id == t.id);
	ck_assert_int_eq(token_read(&other, str_from_c(text), &r), -EPERM);
	for (size_t i = 0; text[i]; i++) {
		char was = text[i];

		text[i] = was == 'A' ? 'B' : 'A';
		ck_assert_int_eq(token_read(&k, str_from_c(text), &r), -EPERM);
		text[i] = was;
	}
	ck_assert_int_eq(token_read(&k, STR("term"), &r), -EBADMSG);
	ck_assert_int_eq(token_read(&k, STR_NONE, &r), -EBADMSG);
}
END_TEST

START_TEST(test_token_key_file)
{
	struct token_key a, b;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "token-key-test.%d", (int)getpid());
	ck_assert_int_eq(token_key_load(&a, path), 0);
	ck_assert_int_eq(token_key_load(&b, path), 0);
	ck_assert(memcmp(&a, &b, sizeof(a)) == 0);
	ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	ck_assert_int_eq(truncate(path, 3), 0);
	ck_assert_int_eq(token_key_load(&b, path), -EBADMSG);
	unlink(path);
	ck_assert_int_eq(token_key_load(&b, "no/such/dir/key"), -ENOENT);
}
END_TEST

TEST_MAIN("auth", TEST_ROWS(test_milenage_set, sets), TEST_ONE(test_aka_home_and_phone), TEST_ROWS(test_digest_row, answers),
	  TEST_ROWS(test_header_row, heads), TEST_ONE(test_res_with_a_zero_octet), TEST_ONE(test_two_authorizations),
	  TEST_ONE(test_token_round_trip_and_forgery), TEST_ONE(test_token_key_file))
