/* tests/ipsec/test_keys.c - ESP keys from IK and CK: TS 33.203 annex I; row X1.  The salts were computed by another HMAC (Python's). */
#include <errno.h>
#include "common/ipsec/ipsec.h"
#include "tests/check.h"

static const struct {
	enum sec_alg alg;
	enum sec_ealg ealg;
	int rc;
	const char *auth, *crypt, *aead, *auth_key, *crypt_key, *aead_key;
} rows[] = {
	{ SEC_ALG_HMAC_MD5_96, SEC_EALG_NULL, 0, "hmac(md5)", "ecb(cipher_null)", NULL, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", "", NULL },
	{ SEC_ALG_HMAC_SHA1_96, SEC_EALG_NULL, 0, "hmac(sha1)", "ecb(cipher_null)", NULL, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf00000000", "", NULL },
	{ SEC_ALG_HMAC_SHA1_96, SEC_EALG_AES_CBC, 0, "hmac(sha1)", "cbc(aes)", NULL, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf00000000",
	  "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", NULL },
	{ SEC_ALG_HMAC_MD5_96, SEC_EALG_DES_EDE3_CBC, 0, "hmac(md5)", "cbc(des3_ede)", NULL, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	  "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfc0c1c2c3c4c5c6c7", NULL },
	{ SEC_ALG_NULL, SEC_EALG_AES_GCM, 0, NULL, NULL, "rfc4106(gcm(aes))", NULL, NULL, "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf787a6661" },
	{ SEC_ALG_AES_GMAC, SEC_EALG_NULL, 0, NULL, NULL, "rfc4543(gcm(aes))", NULL, NULL, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf449aae28" },
	{ SEC_ALG_NULL, SEC_EALG_NULL, -ENOTSUP, NULL, NULL, NULL, NULL, NULL, NULL },
	{ SEC_ALG_NULL, SEC_EALG_AES_CBC, -ENOTSUP, NULL, NULL, NULL, NULL, NULL, NULL },
	{ SEC_ALG_HMAC_SHA1_96, SEC_EALG_AES_GCM, -ENOTSUP, NULL, NULL, NULL, NULL, NULL, NULL },
	{ SEC_ALG_AES_GMAC, SEC_EALG_AES_CBC, -ENOTSUP, NULL, NULL, NULL, NULL, NULL, NULL },
};

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

START_TEST(test_row)
{
	struct ipsec_set s = { .alg = rows[_i].alg, .ealg = rows[_i].ealg };
	struct ipsec_algorithm a;
	char hex[2 * IPSEC_MAX_KEY + 1];
	int rc;

	for (int i = 0; i < 16; i++) {
		s.ik[i] = (uint8_t)(0xa0 + i);
		s.ck[i] = (uint8_t)(0xc0 + i);
	}
	rc = ipsec_keys(&s, &a);
	ck_assert_int_eq(rc, rows[_i].rc);
	if (rc < 0)
		return;
	ck_assert(same(a.auth, rows[_i].auth) && same(a.crypt, rows[_i].crypt) && same(a.aead, rows[_i].aead));
	if (a.auth) {
		ck_assert_uint_eq(a.icv_bits, 96);
		hex_encode(a.auth_key, a.auth_bits / 8, hex);
		ck_assert_str_eq(hex, rows[_i].auth_key);
		hex_encode(a.crypt_key, a.crypt_bits / 8, hex);
		ck_assert_str_eq(hex, rows[_i].crypt_key);
	} else {
		ck_assert(a.aead_bits == 160 && a.icv_bits == 128);
		hex_encode(a.aead_key, a.aead_bits / 8, hex);
		ck_assert_str_eq(hex, rows[_i].aead_key);
	}
}
END_TEST

TEST_MAIN("keys", TEST_ROWS(test_row, rows))
