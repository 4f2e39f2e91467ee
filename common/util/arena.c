/* common/util/arena.c - chunked bump allocator; the first chunk shares one block with the header. */
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/arena.h"
#include "common/util/block.h"

#define ALIGN 16u
#define MIN_CHUNK 512u

/* AddressSanitizer sees only blocks of the heap: here it is told what of them was given out.  FENCE octets lie between two
 * allocations, so that writing past the first is seen. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_FENCED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(ARENA_FENCED)
#include <sanitizer/asan_interface.h>
#define FENCE 16u
#else
#define FENCE 0u
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

struct chunk {
	struct chunk *next;
	size_t size;
	alignas(ALIGN) char mem[];
};

struct arena {
	atomic_uint refs;
	size_t size, taken;		/* of this block; of all */
	char *pos, *end;
	struct chunk *more, *parts;
	bool failed;
	alignas(ALIGN) char first[];
};

struct arena *arena_new(size_t hint_bytes)
{
	size_t size = (hint_bytes < 256 ? 256 : hint_bytes) + ALIGN;
	struct arena *a;

	if (hint_bytes > ARENA_LIMIT_BYTES || sizeof(*a) + size > ARENA_LIMIT_BYTES)
		return NULL;
	a = block_get(sizeof(*a) + size, &size);
	if (!a)
		return NULL;
	atomic_init(&a->refs, 1);
	a->taken = a->size = size;
	size -= sizeof(*a);
	a->pos = a->first;
	a->end = a->first + size;
	a->more = a->parts = NULL;
	a->failed = false;
	ASAN_POISON_MEMORY_REGION(a->pos, size);
	return a;
}

struct arena *arena_ref(struct arena *a)
{
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	return a;
}

static void chunks_put(struct chunk *c)
{
	for (struct chunk *next; c; c = next) {
		next = c->next;
		block_put(c, c->size);
	}
}

void arena_unref(struct arena *a)
{
	if (!a || atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1)
		return;
	chunks_put(a->more);
	chunks_put(a->parts);
	block_put(a, a->size);
}

static bool grow(struct arena *a, size_t bytes)
{
	size_t size = a->taken / 8 > MIN_CHUNK ? a->taken / 8 : MIN_CHUNK;
	struct chunk *c;

	if (size < bytes)
		size = bytes;
	if (a->taken + block_bytes(sizeof(*c) + size) > ARENA_LIMIT_BYTES)
		size = bytes;
	if (a->taken + block_bytes(sizeof(*c) + size) > ARENA_LIMIT_BYTES)
		return false;
	c = block_get(sizeof(*c) + size, &size);
	if (!c)
		return false;
	c->next = a->more;
	c->size = size;
	a->more = c;
	a->taken += size;
	size -= sizeof(*c);
	a->pos = c->mem;
	a->end = c->mem + size;
	ASAN_POISON_MEMORY_REGION(a->pos, size);
	return true;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	size_t room;
	void *p;

	room = bytes > ARENA_LIMIT_BYTES ? SIZE_MAX : ((bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1)) + FENCE;
	if ((size_t)(a->end - a->pos) < room && (room == SIZE_MAX || !grow(a, room))) {
		a->failed = true;
		return NULL;
	}
	p = a->pos;
	a->pos += room;
	ASAN_UNPOISON_MEMORY_REGION(p, bytes);
	return p;
}

void *arena_part(struct arena *a, size_t bytes)
{
	size_t size = sizeof(struct chunk) + bytes;
	struct chunk *c = bytes < ARENA_LIMIT_BYTES && a->taken + block_bytes(size) <= ARENA_LIMIT_BYTES ? block_get(size, &size) : NULL;

	if (!c) {
		a->failed = true;
		return NULL;
	}
	c->next = a->parts;
	c->size = size;
	a->parts = c;
	a->taken += size;
	return c->mem;
}

void arena_part_free(struct arena *a, void *part)
{
	struct chunk **at = &a->parts, *c;

	if (!part)
		return;
	while ((*at)->mem != part)
		at = &(*at)->next;
	c = *at;
	*at = c->next;
	a->taken -= c->size;
	block_put(c, c->size);
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->pos, a->end, a->more };
}

void arena_rewind(struct arena *a, struct arena_mark m)
{
	while (a->more != m.more) {
		struct chunk *c = a->more;

		a->more = c->next;
		a->taken -= c->size;
		block_put(c, c->size);
	}
	a->pos = m.pos;
	a->end = m.end;
	ASAN_POISON_MEMORY_REGION(a->pos, (size_t)(a->end - a->pos));
}

void *arena_zalloc(struct arena *a, size_t bytes)
{
	void *p = arena_alloc(a, bytes);

	return p ? memset(p, 0, bytes) : NULL;
}

struct str arena_dup(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.l < ARENA_LIMIT_BYTES ? s.l + 1 : SIZE_MAX);

	if (!p)
		return STR_NONE;
	if (s.l)
		memcpy(p, s.p, s.l);
	p[s.l] = '\0';
	return str_make(p, s.l);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return STR_NONE;
	if ((size_t)n < sizeof(text))
		return arena_dup(a, str_make(text, (size_t)n));
	p = arena_alloc(a, (size_t)n + 1);
	if (!p)
		return STR_NONE;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return str_make(p, (size_t)n);
}

#define TEXT_FIRST_ROOM 128u

static bool text_grow(struct arena_text *t, size_t more)
{
	size_t room = t->room ? 2 * t->room : TEXT_FIRST_ROOM;
	char *p;

	if (room < t->l + more)
		room = t->l + more;
	p = arena_alloc(t->a, more > ARENA_LIMIT_BYTES ? SIZE_MAX : room);
	if (!p)
		return false;
	if (t->l)
		memcpy(p, t->p, t->l);
	t->p = p;
	t->room = room;
	return true;
}

void arena_text_put(struct arena_text *t, struct str s)
{
	if (t->failed || s.l == 0)
		return;
	if (s.l > t->room - t->l && !text_grow(t, s.l)) {
		t->failed = true;
		return;
	}
	memcpy(t->p + t->l, s.p, s.l);
	t->l += s.l;
}

void arena_text_item(struct arena_text *t, struct str s)
{
	size_t before = t->l;

	if (before)
		arena_text_put(t, STR(", "));
	arena_text_put(t, s);
	if (t->failed)
		t->l = before;			/* no half of an item */
}

size_t arena_bytes(const struct arena *a)
{
	return a->taken;
}

bool arena_failed(const struct arena *a)
{
	return a->failed;
}
