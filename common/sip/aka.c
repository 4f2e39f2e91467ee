/* common/sip/aka.c - Milenage (TS 35.206) and AKA at both ends (TS 33.102 §6.3). */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include "common/sip/auth.h"
#include "common/util/per_thread.h"

PER_THREAD(cipher, EVP_CIPHER_CTX, EVP_CIPHER_CTX_new, EVP_CIPHER_CTX_free)

/* One AES-128 block.  The contexts are per thread and keep the cipher fetched. */
static void aes_block(const uint8_t k[16], const uint8_t in[16], uint8_t out[16])
{
	EVP_CIPHER_CTX *c = cipher();
	int n = 0;

	if (!c || EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, k, NULL) != 1 || EVP_CIPHER_CTX_set_padding(c, 0) != 1 ||
	    EVP_EncryptUpdate(c, out, &n, in, 16) != 1 || n != 16)
		abort();	/* a libcrypto without AES: no vector of ours would be right */
}

static void xor16(const uint8_t *a, const uint8_t *b, uint8_t *ret)
{
	for (int i = 0; i < 16; i++)
		ret[i] = a[i] ^ b[i];
}

void milenage_opc(const uint8_t k[16], const uint8_t op[16], uint8_t ret_opc[16])
{
	uint8_t e[16];

	aes_block(k, op, e);
	xor16(e, op, ret_opc);
}

/* OUTn = E(rot(x, r bits) ^ extra ^ cn) ^ OPc; TS 35.206 §4.1. */
static void out_n(const uint8_t k[16], const uint8_t opc[16], const uint8_t x[16], const uint8_t *extra, unsigned r, uint8_t c,
		  uint8_t ret[16])
{
	uint8_t in[16];

	for (unsigned i = 0; i < 16; i++)
		in[i] = x[(i + r / 8) % 16] ^ (extra ? extra[i] : 0);
	in[15] ^= c;
	aes_block(k, in, ret);
	xor16(ret, opc, ret);
}

void milenage(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t sqn[6], const uint8_t amf[2],
	      struct milenage_out *ret)
{
	uint8_t temp[16], in1[16], x[16], out[16];

	xor16(rand, opc, x);
	aes_block(k, x, temp);
	memcpy(in1, sqn, 6);
	memcpy(in1 + 6, amf, 2);
	memcpy(in1 + 8, in1, 8);
	xor16(in1, opc, x);
	out_n(k, opc, x, temp, 64, 0, out);
	memcpy(ret->mac_a, out, 8);
	memcpy(ret->mac_s, out + 8, 8);
	xor16(temp, opc, x);
	out_n(k, opc, x, NULL, 0, 1, out);
	memcpy(ret->ak, out, 6);
	memcpy(ret->res, out + 8, 8);
	out_n(k, opc, x, NULL, 32, 2, ret->ck);
	out_n(k, opc, x, NULL, 64, 4, ret->ik);
	out_n(k, opc, x, NULL, 96, 8, out);
	memcpy(ret->ak_star, out, 6);
}

void aka_vector_make(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t sqn[6],
		     const uint8_t amf[2], struct aka_vector *ret)
{
	struct milenage_out m;

	milenage(k, opc, rand, sqn, amf, &m);
	memcpy(ret->rand, rand, 16);
	for (int i = 0; i < 6; i++)
		ret->autn[i] = sqn[i] ^ m.ak[i];
	memcpy(ret->autn + 6, amf, 2);
	memcpy(ret->autn + 8, m.mac_a, 8);
	memset(ret->xres, 0, sizeof(ret->xres));
	memcpy(ret->xres, m.res, 8);
	ret->xres_len = 8;
	memcpy(ret->ck, m.ck, 16);
	memcpy(ret->ik, m.ik, 16);
}

static const uint8_t amf_resync[2] = { 0, 0 };	/* AMF* of MAC-S: TS 33.102 §6.3.3 */

int aka_auts_check(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t auts[14],
		   uint8_t ret_sqn_ms[6])
{
	static const uint8_t no_sqn[6];
	struct milenage_out m;
	uint8_t sqn[6];

	milenage(k, opc, rand, no_sqn, amf_resync, &m);		/* AK* needs neither SQN nor AMF */
	for (int i = 0; i < 6; i++)
		sqn[i] = auts[i] ^ m.ak_star[i];
	milenage(k, opc, rand, sqn, amf_resync, &m);
	if (!str_const_time_eq(str_make((const char *)m.mac_s, 8), str_make((const char *)auts + 6, 8)))
		return -EPERM;
	memcpy(ret_sqn_ms, sqn, 6);
	return 0;
}

static uint64_t sqn_get(const uint8_t s[6])
{
	uint64_t n = 0;

	for (int i = 0; i < 6; i++)
		n = n << 8 | s[i];
	return n;
}

static void sqn_put(uint64_t n, uint8_t s[6])
{
	for (int i = 5; i >= 0; i--, n >>= 8)
		s[i] = (uint8_t)n;
}

int aka_usim(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t autn[16], uint64_t *sqn_ms,
	     struct milenage_out *ret, uint8_t ret_auts[14])
{
	static const uint8_t no_sqn[6];
	struct milenage_out resync;
	uint8_t sqn[6];

	milenage(k, opc, rand, no_sqn, autn + 6, ret);		/* AK first */
	for (int i = 0; i < 6; i++)
		sqn[i] = autn[i] ^ ret->ak[i];
	milenage(k, opc, rand, sqn, autn + 6, ret);
	if (!str_const_time_eq(str_make((const char *)ret->mac_a, 8), str_make((const char *)autn + 8, 8)))
		return -EPERM;
	if (sqn_get(sqn) <= *sqn_ms) {
		sqn_put(*sqn_ms, sqn);
		milenage(k, opc, rand, sqn, amf_resync, &resync);
		for (int i = 0; i < 6; i++)
			ret_auts[i] = sqn[i] ^ resync.ak_star[i];
		memcpy(ret_auts + 6, resync.mac_s, 8);
		return -ESTALE;
	}
	*sqn_ms = sqn_get(sqn);
	return 0;
}
