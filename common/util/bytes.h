/* common/util/bytes.h - refcounted octets (a message as it goes over the wire) and the bounded builder for them.
 *
 * struct bytes is immutable once built and may be shared between threads.
 * struct buf grows up to its limit; writing past it sets `failed` and writes nothing more, so a
 * writer checks once, at the end. */
#pragma once
#include <stdatomic.h>
#include "common/util/str.h"

struct bytes {
	atomic_uint refs;
	uint32_t size;			/* of the block it is */
	size_t l;
	char p[];
};

/* Room for `room` octets that the caller fills before anyone else sees them; one reference, l is `room`.  NULL when out of memory. */
struct bytes *bytes_alloc(size_t room);
struct bytes *bytes_new(struct str s);			/* copies; one reference; NULL when out of memory */
struct bytes *bytes_ref(struct bytes *b);
void bytes_unref(struct bytes *b);			/* NULL is fine */
static inline struct str bytes_str(const struct bytes *b)
{
	return (struct str){ b->p, b->l };
}

struct buf {
	char *p;			/* NULL until the first write */
	size_t l, cap, max;
	bool failed;			/* over max, or out of memory */
	bool over;			/* over max */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b);				/* empty again, keeps the memory */
void buf_put(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *c);
void buf_putc(struct buf *b, char c);
void buf_putu(struct buf *b, uint64_t n);		/* decimal */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str buf_str(const struct buf *b);
int buf_error(const struct buf *b);			/* 0, -EMSGSIZE (over max), -ENOMEM */
struct bytes *buf_take(struct buf *b);			/* a copy as struct bytes and buf_fini(); NULL when failed */
