/* common/sip/token.c - routing tokens: 12 octets of content, 12 of SipHash-2-4-128, in base64url. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log/log.h"
#include "common/sip/token.h"
#include "common/sip/uri.h"
#include "common/util/per_thread.h"
#include "common/util/rand.h"

#define CONTENT 12u
#define TAG 12u

int token_key_load(struct token_key *k, const char *path)
{
	struct stat st;
	ssize_t n;
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		rand_bytes(k->k, sizeof(k->k));
		if (write(fd, k->k, sizeof(k->k)) != (ssize_t)sizeof(k->k) || fsync(fd) < 0)
			rc = errno ? -errno : -EIO;
		close(fd);
		return rc;
	}
	if (fd < 0)
		return -errno;
	n = read(fd, k->k, sizeof(k->k));
	if (n != (ssize_t)sizeof(k->k))
		rc = n < 0 ? -errno : -EBADMSG;
	else if (fstat(fd, &st) == 0 && (st.st_mode & 077))
		log_warn(LOG_CORE, "the routing-token key can be read by others", LOG_C("file", path));
	close(fd);
	return rc;
}

static EVP_MAC_CTX *siphash_new(void)
{
	EVP_MAC *m = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *c = m ? EVP_MAC_CTX_new(m) : NULL;

	EVP_MAC_free(m);
	return c;
}

PER_THREAD(siphash, EVP_MAC_CTX, siphash_new, EVP_MAC_CTX_free)

struct dialog {				/* that a token is bound to; NULL: to none */
	struct str call_id, tag;
};

/* Neither text holds an octet 0. */
static bool add(EVP_MAC_CTX *c, struct str s)
{
	return EVP_MAC_update(c, (const uint8_t *)"", 1) == 1 && (s.l == 0 || EVP_MAC_update(c, (const uint8_t *)s.p, s.l) == 1);
}

static bool mac(const struct token_key *k, const uint8_t content[CONTENT], const struct dialog *d, uint8_t ret[16])
{
	EVP_MAC_CTX *c = siphash();
	size_t size = 16, n = 0;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end() };

	return c && EVP_MAC_init(c, k->k, sizeof(k->k), params) == 1 && EVP_MAC_update(c, content, CONTENT) == 1 &&
	       (!d || (add(c, d->call_id) && add(c, d->tag))) && EVP_MAC_final(c, ret, &n, 16) == 1 && n == 16;
}

static void make(const struct token_key *k, const struct token *t, const struct dialog *d, char dst[TOKEN_STRLEN])
{
	uint8_t all[CONTENT + 16] = { t->kind, t->flags, (uint8_t)(t->aux >> 8), (uint8_t)t->aux };

	for (int i = 0; i < 8; i++)
		all[4 + i] = (uint8_t)(t->id >> (56 - 8 * i));
	if (!mac(k, all, d, all + CONTENT))
		rand_bytes(all + CONTENT, 16);		/* never verifies: refused when it comes back */
	base64_encode(all, CONTENT + TAG, true, dst);
}

static int read_one(const struct token_key *k, struct str text, const struct dialog *d, struct token *ret)
{
	uint8_t all[CONTENT + TAG], want[16];
	char plain[TOKEN_STRLEN];
	size_t n;

	/* RFC 3261 §19.1.4: "%5a" is a Z.  Twinkle writes every Z of a Route so. */
	if (sip_unescape(text, plain, sizeof(plain), &text) < 0)
		return -EBADMSG;
	if (base64_decode(text, true, all, sizeof(all), &n) < 0 || n != sizeof(all))
		return -EBADMSG;
	if (!mac(k, all, d, want) ||
	    !str_const_time_eq(str_make((const char *)want, TAG), str_make((const char *)all + CONTENT, TAG)))
		return -EPERM;
	*ret = (struct token){ .kind = all[0], .flags = all[1], .aux = (uint16_t)(all[2] << 8 | all[3]) };
	for (int i = 0; i < 8; i++)
		ret->id = ret->id << 8 | all[4 + i];
	return 0;
}

void token_make(const struct token_key *k, const struct token *t, char dst[TOKEN_STRLEN])
{
	make(k, t, NULL, dst);
}

void token_make_for(const struct token_key *k, const struct token *t, struct str call_id, struct str tag, char dst[TOKEN_STRLEN])
{
	make(k, t, &(const struct dialog){ call_id, tag }, dst);
}

int token_read(const struct token_key *k, struct str text, struct token *ret)
{
	return read_one(k, text, NULL, ret);
}

int token_read_for(const struct token_key *k, struct str text, struct str call_id, struct str tag, struct token *ret)
{
	return read_one(k, text, &(const struct dialog){ call_id, tag }, ret);
}
