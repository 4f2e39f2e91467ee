/* common/sip/seal.c - see seal.h. */
#include <errno.h>
#include <openssl/evp.h>
#include "common/sip/seal.h"
#include "common/util/per_thread.h"
#include "common/util/rand.h"

#define NONCE 12u
#define TAG 16u

PER_THREAD(cipher, EVP_CIPHER_CTX, EVP_CIPHER_CTX_new, EVP_CIPHER_CTX_free)
PER_THREAD(digest, EVP_MD_CTX, EVP_MD_CTX_new, EVP_MD_CTX_free)

/* A key of its own: the token key signs. */
static bool key_of(const struct token_key *k, uint8_t ret[32])
{
	static const char label[] = "seal";
	EVP_MD_CTX *c = digest();

	return c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(c, label, sizeof(label)) == 1 &&
	       EVP_DigestUpdate(c, k->k, sizeof(k->k)) == 1 && EVP_DigestFinal_ex(c, ret, NULL) == 1;
}

struct str sip_seal(const struct token_key *k, struct str with, struct str plain, struct arena *a)
{
	EVP_CIPHER_CTX *c = cipher();
	size_t all = NONCE + plain.l + TAG;
	uint8_t *raw, key[32];
	char *text;
	int n;

	if (!c || plain.l > SEAL_MAX_BYTES || !key_of(k, key))
		return STR_NONE;
	raw = arena_alloc(a, all);
	text = arena_alloc(a, 4 * ((all + 2) / 3) + 1);
	if (!raw || !text)
		return STR_NONE;
	rand_bytes(raw, NONCE);
	if (EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, raw) != 1 ||
	    EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)with.p, (int)with.l) != 1 ||
	    EVP_EncryptUpdate(c, raw + NONCE, &n, (const uint8_t *)plain.p, (int)plain.l) != 1 ||
	    EVP_EncryptFinal_ex(c, raw + NONCE + n, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, raw + NONCE + plain.l) != 1)
		return STR_NONE;
	base64_encode(raw, all, true, text);
	return str_from_c(text);
}

int sip_unseal(const struct token_key *k, struct str with, struct str text, struct arena *a, struct str *ret)
{
	EVP_CIPHER_CTX *c = cipher();
	uint8_t *raw, *plain, key[32];
	size_t all, l;
	int n;

	if (text.l > 4 * ((NONCE + SEAL_MAX_BYTES + TAG + 2) / 3))
		return -EBADMSG;
	raw = arena_alloc(a, text.l + 1);
	plain = arena_alloc(a, text.l + 1);
	if (!c || !raw || !plain)
		return -ENOMEM;
	if (base64_decode(text, true, raw, text.l + 1, &all) < 0 || all < NONCE + TAG)
		return -EBADMSG;
	l = all - NONCE - TAG;
	if (!key_of(k, key) || EVP_DecryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, raw) != 1 ||
	    EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)with.p, (int)with.l) != 1 ||
	    EVP_DecryptUpdate(c, plain, &n, raw + NONCE, (int)l) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, raw + NONCE + l) != 1 || EVP_DecryptFinal_ex(c, plain + n, &n) != 1)
		return -EPERM;
	*ret = str_make((const char *)plain, l);
	return 0;
}
