/* common/ipsec/keys.c - from IK and CK to the keys of ESP, and the kernel's names of the algorithms.  TS 33.203 annex I; row X1. */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "common/ipsec/ipsec.h"

#define SALT_BYTES 4u
#define FC_GMAC 0x58			/* TS 33.220 §B.2: the number of each use, from TS 33.203 annex I */
#define FC_GCM 0x59

void ipsec_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

bool ipsec_pair_is_null(enum sec_alg a, enum sec_ealg e)
{
	(void)a;
	return e == SEC_EALG_NULL;
}

/* The salt of GCM and GMAC: the last octets of KDF(CK || IK, FC || name || length), TS 33.203 annex I, TS 33.220 §B.2.  The kernel wants it
 * behind the key (RFC 4106 §8.1, RFC 4543 §3.2). */
static void put_salt(const struct ipsec_set *set, uint8_t fc, const char *name, uint8_t dst[SALT_BYTES])
{
	uint8_t key[32], s[64], out[EVP_MAX_MD_SIZE];
	size_t l = strlen(name);
	unsigned n = 0;

	memcpy(key, set->ck, 16);
	memcpy(key + 16, set->ik, 16);
	s[0] = fc;
	memcpy(s + 1, name, l);
	s[1 + l] = 0;
	s[2 + l] = (uint8_t)l;
	HMAC(EVP_sha256(), key, sizeof(key), s, l + 3, out, &n);
	memcpy(dst, out + 32 - SALT_BYTES, SALT_BYTES);
	ipsec_wipe(key, sizeof(key));
	ipsec_wipe(out, sizeof(out));
}

static void put_aead(struct ipsec_algorithm *a, const char *name, const uint8_t key[16])
{
	a->aead = name;
	a->aead_bits = 160;
	a->icv_bits = 128;
	memcpy(a->aead_key, key, 16);
}

static void put_crypt(struct ipsec_algorithm *a, const struct ipsec_set *s)
{
	switch (s->ealg) {
	case SEC_EALG_AES_CBC:
		a->crypt = "cbc(aes)";
		a->crypt_bits = 128;
		memcpy(a->crypt_key, s->ck, 16);
		break;
	case SEC_EALG_DES_EDE3_CBC:	/* CK1 || CK2 || CK1.  Parity bits count for nothing, the kernel does not look at them */
		a->crypt = "cbc(des3_ede)";
		a->crypt_bits = 192;
		memcpy(a->crypt_key, s->ck, 16);
		memcpy(a->crypt_key + 16, s->ck, 8);
		break;
	default:
		a->crypt = "ecb(cipher_null)";
		break;
	}
}

int ipsec_keys(const struct ipsec_set *s, struct ipsec_algorithm *ret)
{
	struct ipsec_algorithm *a = ret;

	memset(a, 0, sizeof(*a));
	if (s->ealg == SEC_EALG_AES_GCM && s->alg == SEC_ALG_NULL) {
		put_aead(a, "rfc4106(gcm(aes))", s->ck);
		put_salt(s, FC_GCM, "AES_GCM_SALT", a->aead_key + 16);
		return 0;
	}
	if (s->ealg == SEC_EALG_AES_GCM)
		return -ENOTSUP;
	switch (s->alg) {
	case SEC_ALG_AES_GMAC:
		if (s->ealg != SEC_EALG_NULL)
			return -ENOTSUP;
		put_aead(a, "rfc4543(gcm(aes))", s->ik);
		put_salt(s, FC_GMAC, "AES_GMAC_SALT", a->aead_key + 16);
		return 0;
	case SEC_ALG_HMAC_MD5_96:
		a->auth = "hmac(md5)";
		a->auth_bits = 128;
		break;
	case SEC_ALG_HMAC_SHA1_96:	/* 32 zero bits behind IK */
		a->auth = "hmac(sha1)";
		a->auth_bits = 160;
		break;
	default:
		return -ENOTSUP;
	}
	a->icv_bits = 96;
	memcpy(a->auth_key, s->ik, 16);
	put_crypt(a, s);
	return 0;
}
