/* common/util/rand.c - getrandom, a page at a time per thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "common/util/rand.h"

static _Thread_local struct {
	uint8_t mem[1024];
	size_t left;
} pool;

static void fill(void *dst, size_t n)
{
	uint8_t *p = dst;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno != EINTR)
			abort();	/* a kernel without randomness: nothing we do would be safe */
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

void rand_bytes(void *dst, size_t n)
{
	uint8_t *p = dst;

	if (n > sizeof(pool.mem)) {
		fill(dst, n);
		return;
	}
	if (pool.left < n) {
		fill(pool.mem, sizeof(pool.mem));
		pool.left = sizeof(pool.mem);
	}
	pool.left -= n;
	memcpy(p, pool.mem + pool.left, n);
	memset(pool.mem + pool.left, 0, n);
}

uint32_t rand_u32(void)
{
	uint32_t v;

	rand_bytes(&v, sizeof(v));
	return v;
}

uint64_t rand_u64(void)
{
	uint64_t v;

	rand_bytes(&v, sizeof(v));
	return v;
}

uint32_t rand_below(uint32_t n)
{
	uint32_t limit = UINT32_MAX - UINT32_MAX % n, v;

	do {
		v = rand_u32();
	} while (v >= limit);
	return v % n;
}

void rand_token(char *dst, size_t n)
{
	static const char a[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint8_t some[16];
	size_t i = 0, left = 0;

	while (i < n) {
		uint8_t v;

		if (left == 0) {
			left = n - i < sizeof(some) ? n - i : sizeof(some);
			rand_bytes(some, left);
		}
		v = some[--left];
		if (v < 248)		/* 4 * 62: no bias */
			dst[i++] = a[v % 62];
	}
	dst[n] = '\0';
}
