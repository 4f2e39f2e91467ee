/* scscf/gruu.c - GRUUs made and read: RFC 5627 §3.1, §5.4, §7; row S13. */
#include <openssl/evp.h>
#include <stdio.h>
#include "scscf/gruu.h"

#define PREFIX "tgruu."
#define BLOCK 16u
#define INSTANCE_MAX 256u
#define IMEI_URN "urn:gsma:imei:"	/* RFC 7254 */
#define IMEI_DIGITS 14u
#define UUID_URN_MAX 48u

struct block {				/* what a temporary one says */
	uint64_t registration;
	uint32_t contact;		/* digest of instance and Call-ID */
	uint16_t identity, cseq;	/* digest; low bits */
};

/* ---- the public one ---- */

static bool plain_in_param(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-_.!~*'()[]/:&+$", c));
}

/* "<urn:uuid:...>" as it stands in a Contact, or the same without brackets. */
static struct str bare(struct str instance)
{
	if (instance.l > 2 && instance.p[0] == '<' && instance.p[instance.l - 1] == '>')
		return str_make(instance.p + 1, instance.l - 2);
	return instance;
}

/* A key of its own for each purpose, from that of the routing tokens. */
static bool cipher(const uint8_t key[BLOCK], const uint8_t in[BLOCK], uint8_t out[BLOCK], bool encipher)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0;
	bool good = c && EVP_CipherInit_ex(c, EVP_aes_128_ecb(), NULL, key, NULL, encipher) == 1 && EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
		    EVP_CipherUpdate(c, out, &n, in, BLOCK) == 1 && n == BLOCK;

	EVP_CIPHER_CTX_free(c);
	return good;
}

/* TAC and serial number: the first 14 digits.  The spare one and `svn` name no other phone (RFC 7254 §4). */
static struct str imei_digits(struct str imei, char digits[IMEI_DIGITS])
{
	size_t n = 0;

	for (size_t i = 0; i < imei.l && imei.p[i] != ';' && n < IMEI_DIGITS; i++)
		if (imei.p[i] >= '0' && imei.p[i] <= '9')
			digits[n++] = imei.p[i];
	return str_make(digits, n);
}

/* RFC 4122 §4.3, version 5: SHA-1 of a name space and a name.  The name space is secret: there are few enough IMEIs to try them all. */
static bool uuid_of(const struct token_key *k, struct str name, char text[UUID_URN_MAX])
{
	static const uint8_t purpose[BLOCK] = { 'i', 'm', 'e', 'i', '-', 'u', 'u', 'i', 'd' };
	uint8_t space[BLOCK], md[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good = c && cipher(k->k, purpose, space, true) && EVP_DigestInit_ex(c, EVP_sha1(), NULL) == 1 &&
		    EVP_DigestUpdate(c, space, sizeof(space)) == 1 && EVP_DigestUpdate(c, name.p, name.l) == 1 &&
		    EVP_DigestFinal_ex(c, md, NULL) == 1;
	size_t n;

	EVP_MD_CTX_free(c);
	if (!good)
		return false;
	md[6] = (uint8_t)((md[6] & 0x0f) | 0x50);
	md[8] = (uint8_t)((md[8] & 0x3f) | 0x80);
	n = (size_t)snprintf(text, UUID_URN_MAX, "urn:uuid:");
	for (unsigned i = 0; i < BLOCK; i++)
		n += (size_t)snprintf(text + n, UUID_URN_MAX - n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", md[i]);
	return true;
}

/* What `gr` says of an instance: itself, but for an IMEI, which is nobody's business (TS 24.229 §5.4.7A.2).  Empty: nothing can be said. */
static struct str gr_of(const struct token_key *k, struct str instance, char text[UUID_URN_MAX])
{
	struct str urn = bare(instance), rest;
	char digits[IMEI_DIGITS];

	if (!str_istarts(urn, STR(IMEI_URN)))
		return urn.l > INSTANCE_MAX ? STR_NONE : urn;
	rest = str_from(urn, strlen(IMEI_URN));
	rest = imei_digits(rest, digits).l ? imei_digits(rest, digits) : rest;
	return uuid_of(k, rest, text) ? str_from_c(text) : STR_NONE;
}

void gruu_public(struct buf *out, const struct token_key *k, const char *identity, struct str instance)
{
	char uuid[UUID_URN_MAX];
	struct str urn = gr_of(k, instance, uuid);

	if (urn.l == 0)
		return;
	buf_printf(out, "%s;gr=", identity);
	for (size_t i = 0; i < urn.l; i++) {
		if (plain_in_param((unsigned char)urn.p[i]))
			buf_putc(out, urn.p[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)urn.p[i]);
	}
}

/* ---- the temporary one ---- */

static uint32_t digest(struct str a, struct str b)
{
	uint8_t md[EVP_MAX_MD_SIZE] = { 0 };
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1) {
		EVP_DigestUpdate(c, a.p ? a.p : "", a.l);
		EVP_DigestUpdate(c, "\0", 1);
		EVP_DigestUpdate(c, b.p ? b.p : "", b.l);
		EVP_DigestFinal_ex(c, md, NULL);
	}
	EVP_MD_CTX_free(c);
	return (uint32_t)md[0] << 24 | (uint32_t)md[1] << 16 | (uint32_t)md[2] << 8 | md[3];
}

static bool cipher_for(const struct token_key *k, const uint8_t in[BLOCK], uint8_t out[BLOCK], bool encipher)
{
	static const uint8_t purpose[BLOCK] = { 't', 'e', 'm', 'p', '-', 'g', 'r', 'u', 'u' };
	uint8_t key[BLOCK];

	return cipher(k->k, purpose, key, true) && cipher(key, in, out, encipher);
}

static void block_write(const struct block *b, uint8_t to[BLOCK])
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(b->registration >> (56 - 8 * i));
	for (int i = 0; i < 4; i++)
		to[8 + i] = (uint8_t)(b->contact >> (24 - 8 * i));
	to[12] = (uint8_t)(b->identity >> 8);
	to[13] = (uint8_t)b->identity;
	to[14] = (uint8_t)(b->cseq >> 8);
	to[15] = (uint8_t)b->cseq;
}

static uint16_t identity_digest(const char *aor)
{
	return (uint16_t)digest(str_from_c(aor), STR_NONE);
}

void gruu_temporary(struct buf *out, const struct token_key *k, struct str host, uint64_t registration, const char *identity,
		    struct str instance, struct str call_id, uint32_t cseq)
{
	struct block b = { registration, digest(bare(instance), call_id), identity_digest(identity), (uint16_t)cseq };
	uint8_t plain[BLOCK], all[BLOCK];
	char hex[2 * BLOCK + 1];

	block_write(&b, plain);
	if (instance.l == 0 || !cipher_for(k, plain, all, true))
		return;
	hex_encode(all, sizeof(all), hex);
	buf_printf(out, "sip:" PREFIX "%s@%.*s;gr", hex, STR_ARG(host));
}

bool gruu_is_temporary(const struct sip_uri *u)
{
	struct str v;

	return sip_uri_param(u, "gr", &v) && v.l == 0 && str_istarts(u->user, STR(PREFIX)) && u->user.l == strlen(PREFIX) + 2 * BLOCK;
}

/* A block that nobody of us made reads as noise: no registration has that number. */
static bool block_read(const struct token_key *k, const struct sip_uri *u, struct block *ret)
{
	uint8_t all[BLOCK], plain[BLOCK];
	size_t n;

	if (!gruu_is_temporary(u) || hex_decode(str_from(u->user, strlen(PREFIX)), all, sizeof(all), &n) < 0 || n != BLOCK ||
	    !cipher_for(k, all, plain, false))
		return false;
	*ret = (struct block){ .identity = (uint16_t)(plain[12] << 8 | plain[13]), .cseq = (uint16_t)(plain[14] << 8 | plain[15]) };
	for (int i = 0; i < 8; i++)
		ret->registration = ret->registration << 8 | plain[i];
	for (int i = 8; i < 12; i++)
		ret->contact = ret->contact << 8 | plain[i];
	return true;
}

struct reg_view *gruu_owner(struct reg_directory *d, const struct token_key *k, const struct sip_uri *u, const struct profile_identity **ret)
{
	struct reg_view *v;
	struct block b;

	if (!block_read(k, u, &b))
		return NULL;
	v = reg_directory_id(d, b.registration);
	for (unsigned i = 0; v && i < v->profile->n_identities; i++) {
		if (v->profile->identity[i].barred || identity_digest(v->profile->identity[i].aor) != b.identity)
			continue;
		*ret = &v->profile->identity[i];
		return v;
	}
	obj_unref(v);
	return NULL;
}

/* ---- contacts ---- */

struct str gruu_instance(const struct reg_contact_view *c)
{
	struct str v = STR_NONE;

	return sip_param_get(str_from_c(c->params), "+sip.instance", &v) ? sip_unquote(v) : STR_NONE;
}

bool gruu_means(const struct token_key *k, const struct sip_uri *u, const struct reg_contact_view *c)
{
	struct str instance = bare(gruu_instance(c)), gr, plain;
	char text[INSTANCE_MAX], uuid[UUID_URN_MAX];
	struct block b;

	if (instance.l == 0)
		return false;
	if (gruu_is_temporary(u))
		return block_read(k, u, &b) && b.contact == digest(instance, str_from_c(c->call_id));
	if (!sip_uri_param(u, "gr", &gr) || sip_unescape(gr, text, sizeof(text), &plain) < 0 || !plain.l)
		return false;
	/* GRUUs given out before had the IMEI itself, and others still hold them: the instance as it stands serves as well. */
	return str_ieq(plain, gr_of(k, instance, uuid)) || str_ieq(plain, instance);
}
