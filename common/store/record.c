/* common/store/record.c - a record as the backend keeps it: a sum over all of it and its key, version, expiry, key, value.
 *
 *	octets 0..7	XXH3 of what follows and of the key it is stored under, little endian
 *	8		version of this layout
 *	9		table
 *	10..11		length of the key
 *	12..15		0
 *	16..23		expiry, store time in ms, little endian
 *	24..		the key, the value
 *
 * The sum is there against files that were cut or damaged, not against people: who can write the file is us. */
#define XXH_INLINE_ALL
#include <errno.h>
#include <openssl/evp.h>
#include <xxhash.h>
#include "common/store/private.h"

struct str record_key(unsigned table, struct str key, char dst[RECORD_MAX_KEY])
{
	unsigned char digest[32];
	unsigned n = sizeof(digest);

	dst[0] = (char)table;
	if (key.l + 2 <= RECORD_MAX_KEY) {
		dst[1] = 'k';
		if (key.l)
			memcpy(dst + 2, key.p, key.l);
		return str_make(dst, key.l + 2);
	}
	dst[1] = 'd';
	if (EVP_Digest(key.p, key.l, digest, &n, EVP_sha256(), NULL) != 1)
		memset(digest, 0, sizeof(digest));
	memcpy(dst + 2, digest, sizeof(digest));
	return str_make(dst, 2 + sizeof(digest));
}

static uint64_t sum(struct str stored_key, const uint8_t *rest, size_t l)
{
	return XXH3_64bits_withSeed(rest, l, XXH3_64bits(stored_key.p, stored_key.l));
}

void record_write(const struct record *r, struct buf *out)
{
	uint8_t head[RECORD_HEADER] = { 0 };
	char key[RECORD_MAX_KEY];
	size_t at = out->l;

	head[8] = RECORD_VERSION;
	head[9] = r->table;
	le_put(head + 10, r->key.l, 2);
	le_put(head + 16, r->expires_ms, 8);
	buf_put(out, str_make((const char *)head, sizeof(head)));
	buf_put(out, r->key);
	buf_put(out, r->value);
	if (out->failed)
		return;
	le_put((uint8_t *)out->p + at, sum(record_key(r->table, r->key, key), (const uint8_t *)out->p + at + 8, out->l - at - 8), 8);
}

int record_read(struct str stored_key, struct str stored, struct record *ret)
{
	const uint8_t *p = (const uint8_t *)stored.p;
	char key[RECORD_MAX_KEY];
	size_t key_l;

	if (stored.l < RECORD_HEADER || stored.l > RECORD_HEADER + STORE_MAX_KEY + STORE_MAX_VALUE || le_get(p, 8) != sum(stored_key, p + 8, stored.l - 8))
		return -EBADMSG;
	if (p[8] > RECORD_VERSION)
		return -ENOTSUP;
	key_l = (size_t)le_get(p + 10, 2);
	if (p[8] == 0 || key_l > stored.l - RECORD_HEADER)
		return -EBADMSG;
	*ret = (struct record){ .table = p[9], .expires_ms = le_get(p + 16, 8), .key = str_make(stored.p + RECORD_HEADER, key_l),
				.value = str_make(stored.p + RECORD_HEADER + key_l, stored.l - RECORD_HEADER - key_l) };
	return str_eq(stored_key, record_key(ret->table, ret->key, key)) ? 0 : -EBADMSG;
}
