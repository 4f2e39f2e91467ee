/* common/util/arena.h - memory of one message: allocate freely, free nothing, drop all at once.
 *
 * Reference counts are atomic: a message may be handed to another thread, but only one thread
 * allocates from an arena at a time. */
#pragma once
#include "common/util/str.h"

struct arena;

struct arena *arena_new(size_t hint_bytes);		/* one reference; NULL when out of memory */
struct arena *arena_ref(struct arena *a);
void arena_unref(struct arena *a);			/* NULL is fine */
void *arena_alloc(struct arena *a, size_t bytes);	/* 16-byte aligned, not cleared; NULL when out of memory or over the limit */
void *arena_zalloc(struct arena *a, size_t bytes);
struct str arena_dup(struct arena *a, struct str s);	/* copy, NUL-terminated behind; empty p == NULL when out of memory */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What was allocated since the mark is given back: for scratch of a function that keeps none of it. */
struct arena_mark {
	char *pos, *end;
	void *more;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark m);
/* A piece that may be given back while the rest stays: a block of its own. */
void *arena_part(struct arena *a, size_t bytes);
void arena_part_free(struct arena *a, void *part);	/* NULL is fine */
size_t arena_bytes(const struct arena *a);		/* taken from the heap so far */
/* Was anything asked of it ever not there?  Then what was made in it since may lack a part: for who checks once, at the end. */
bool arena_failed(const struct arena *a);
#define ARENA_LIMIT_BYTES (1u << 20)			/* one message never costs more */

/* Text put together piece by piece, in time and memory that grow with its length.  When the arena is full the text ends where it
 * was and `failed` is set. */
struct arena_text {
	struct arena *a;
	char *p;
	size_t l, room;
	bool failed;
};
static inline struct arena_text arena_text(struct arena *a)
{
	return (struct arena_text){ .a = a };
}
void arena_text_put(struct arena_text *t, struct str s);
void arena_text_item(struct arena_text *t, struct str s);	/* with ", " in front unless it is the first */
static inline struct str arena_text_str(const struct arena_text *t)
{
	return (struct str){ t->p, t->l };
}
