/* common/util/bytes.c - shared octets and the bounded builder. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/block.h"
#include "common/util/bytes.h"

struct bytes *bytes_alloc(size_t room)
{
	size_t size = sizeof(struct bytes) + room;
	struct bytes *b = room < UINT32_MAX / 2 ? block_get(size, &size) : NULL;

	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->size = (uint32_t)size;
	b->l = room;
	return b;
}

struct bytes *bytes_new(struct str s)
{
	struct bytes *b = s.l < SIZE_MAX ? bytes_alloc(s.l + 1) : NULL;

	if (!b)
		return NULL;
	b->l = s.l;
	if (s.l)
		memcpy(b->p, s.p, s.l);
	b->p[s.l] = '\0';
	return b;
}

struct bytes *bytes_ref(struct bytes *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void bytes_unref(struct bytes *b)
{
	if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		block_put(b, b->size);
}

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){ .max = max_bytes };
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void buf_reset(struct buf *b)
{
	b->l = 0;
	b->failed = b->over = false;
}

static bool reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	char *p;

	if (b->failed || n > b->max - b->l) {
		b->over |= !b->failed;
		b->failed = true;
		return false;
	}
	if (b->l + n <= b->cap)
		return true;
	while (cap < b->l + n)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void buf_put(struct buf *b, struct str s)
{
	if (s.l == 0 || !reserve(b, s.l))
		return;
	memcpy(b->p + b->l, s.p, s.l);
	b->l += s.l;
}

void buf_puts(struct buf *b, const char *c)
{
	buf_put(b, str_from_c(c));
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, str_make(&c, 1));
}

void buf_putu(struct buf *b, uint64_t n)
{
	char text[20];
	size_t i = sizeof(text);

	do {
		text[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	buf_put(b, str_make(text + i, sizeof(text) - i));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char text[512], *big;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if ((size_t)n < sizeof(text)) {
		buf_put(b, str_make(text, (size_t)n));
		return;
	}
	big = malloc((size_t)n + 1);
	if (!big) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(big, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_put(b, str_make(big, (size_t)n));
	free(big);
}

struct str buf_str(const struct buf *b)
{
	return str_make(b->p, b->l);
}

int buf_error(const struct buf *b)
{
	return !b->failed ? 0 : b->over ? -EMSGSIZE : -ENOMEM;
}

struct bytes *buf_take(struct buf *b)
{
	struct bytes *r = b->failed ? NULL : bytes_new(buf_str(b));

	buf_fini(b);
	return r;
}
