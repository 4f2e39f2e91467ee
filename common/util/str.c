/* common/util/str.c - borrowed text: search, numbers, hex, base64. */
#include <errno.h>
#include <stdlib.h>
#include "common/util/str.h"

static bool octet_ieq(unsigned char a, unsigned char b)
{
	unsigned char x = a ^ b, small = a | 0x20;

	return x == 0 || (x == 0x20 && small >= 'a' && small <= 'z');
}

bool mem_ieq(const char *a, const char *b, size_t n)
{
	size_t i = 0;

	/* Eight octets that are equal need no closer look. */
	for (; i < n; i++) {
		uint64_t x, y;

		for (; n - i >= sizeof(x); i += sizeof(x)) {
			memcpy(&x, a + i, sizeof(x));
			memcpy(&y, b + i, sizeof(y));
			if (x != y)
				break;
		}
		if (i < n && !octet_ieq((unsigned char)a[i], (unsigned char)b[i]))
			return false;
	}
	return true;
}

ssize_t str_rchr(struct str s, char c)
{
	const char *p = s.l ? memrchr(s.p, c, s.l) : NULL;

	return p ? p - s.p : -1;
}

ssize_t str_find(struct str s, struct str needle)
{
	const char *p = s.l && needle.l ? memmem(s.p, s.l, needle.p, needle.l) : NULL;

	return p ? p - s.p : -1;
}

ssize_t str_ifind(struct str s, struct str needle)
{
	for (size_t i = 0; needle.l && i + needle.l <= s.l; i++)
		if (mem_ieq(s.p + i, needle.p, needle.l))
			return (ssize_t)i;
	return -1;
}

#define SURE_DIGITS 19u			/* as many always fit into 64 bits */

int str_to_u64(struct str s, uint64_t *ret)
{
	bool over = false;
	uint64_t n = 0;

	if (s.l == 0)
		return -EBADMSG;
	for (size_t i = 0; i < s.l; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';

		if (d > 9)
			return -EBADMSG;
		over |= i >= SURE_DIGITS && n > (UINT64_MAX - d) / 10;
		n = n * 10 + d;
	}
	if (over)
		return -ERANGE;
	*ret = n;
	return 0;
}

int str_to_u32(struct str s, uint32_t *ret)
{
	uint32_t few = 0;
	uint64_t n;
	int rc;

	if (s.l == 0 || s.l > 9) {			/* nine digits always fit */
		rc = str_to_u64(s, &n);
		if (rc < 0)
			return rc;
		if (n > UINT32_MAX)
			return -ERANGE;
		*ret = (uint32_t)n;
		return 0;
	}
	for (size_t i = 0; i < s.l; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';

		if (d > 9)
			return -EBADMSG;
		few = few * 10 + d;
	}
	*ret = few;
	return 0;
}

char *str_dup(struct str s)
{
	char *c = malloc(s.l + 1);

	if (!c)
		return NULL;
	if (s.l)
		memcpy(c, s.p, s.l);
	c[s.l] = '\0';
	return c;
}

size_t str_put(char *dst, size_t size, size_t l, struct str s)
{
	size_t room = size - 1 - l, n = s.l < room ? s.l : room;

	if (n)
		memcpy(dst + l, s.p, n);
	dst[l + n] = '\0';
	return l + n;
}

size_t str_put_int(char *dst, size_t size, size_t l, int64_t n)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint64_t v = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	if (n < 0)
		digits[--at] = '-';
	return str_put(dst, size, l, str_make(digits + at, sizeof(digits) - at));
}

bool str_copy(struct str s, char *dst, size_t size)
{
	bool fits = s.l < size;
	size_t n = fits ? s.l : size - 1;

	if (size == 0)
		return false;
	if (n)
		memcpy(dst, s.p, n);
	dst[n] = '\0';
	return fits;
}

bool str_const_time_eq(struct str a, struct str b)
{
	volatile uint8_t diff = a.l != b.l;
	size_t n = a.l < b.l ? a.l : b.l;

	for (size_t i = 0; i < n; i++)
		diff |= (uint8_t)(a.p[i] ^ b.p[i]);
	return diff == 0;
}

void hex_encode(const uint8_t *in, size_t n, char *dst)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = digits[in[i] >> 4];
		dst[2 * i + 1] = digits[in[i] & 15];
	}
	dst[2 * n] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(struct str in, uint8_t *dst, size_t size, size_t *ret_n)
{
	if (in.l % 2)
		return -EBADMSG;
	if (in.l / 2 > size)
		return -ENOSPC;
	for (size_t i = 0; i < in.l / 2; i++) {
		int hi = hex_value(in.p[2 * i]), lo = hex_value(in.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EBADMSG;
		dst[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret_n = in.l / 2;
	return 0;
}

static const char b64_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_encode(const uint8_t *in, size_t n, bool url, char *dst)
{
	const char *a = url ? b64_url : b64_std;
	size_t o = 0;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);

		dst[o++] = a[v >> 18];
		dst[o++] = a[v >> 12 & 63];
		if (left > 1)
			dst[o++] = a[v >> 6 & 63];
		else if (!url)
			dst[o++] = '=';
		if (left > 2)
			dst[o++] = a[v & 63];
		else if (!url)
			dst[o++] = '=';
	}
	dst[o] = '\0';
	return o;
}

static int b64_value(char c, bool url)
{
	const char *a = url ? b64_url : b64_std;
	const char *p = c ? strchr(a, c) : NULL;

	return p ? (int)(p - a) : -1;
}

int base64_decode(struct str in, bool url, uint8_t *dst, size_t size, size_t *ret_n)
{
	size_t n = 0;
	uint32_t acc = 0;
	unsigned bits = 0, pad = 0;

	for (size_t i = 0; i < in.l; i++) {
		int v;

		if (in.p[i] == '=') {
			if (++pad > 2 || i + 2 < in.l)
				return -EBADMSG;
			continue;
		}
		v = b64_value(in.p[i], url);
		if (v < 0 || pad)
			return -EBADMSG;
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			if (n == size)
				return -ENOSPC;
			dst[n++] = (uint8_t)(acc >> bits);
		}
	}
	/* Left-over bits are zero; padding may be short, but there is no more of it than the last group wants. */
	if (bits >= 6 || (acc & ((1u << bits) - 1)) || pad > (4 - (in.l - pad) % 4) % 4)
		return -EBADMSG;
	*ret_n = n;
	return 0;
}
