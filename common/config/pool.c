/* common/config/pool.c - memory of one configuration, and how mistakes are written. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/config/private.h"

#define BLOCK_BYTES 4000u

struct cfg_block {
	struct cfg_block *next;
	size_t used, size;
	_Alignas(void *) char mem[];
};

static struct cfg_block *new_block(struct cfg_pool *p, size_t bytes)
{
	struct cfg_block *b = calloc(1, sizeof(*b) + bytes);

	if (!b) {
		p->failed = true;
		return NULL;
	}
	b->size = bytes;
	b->next = p->blocks;
	p->blocks = b;
	return b;
}

/* Most are a few octets of a tree: they share a block.  Zeroed. */
static void *carve(struct cfg_pool *p, size_t bytes, size_t align)
{
	struct cfg_block *b = p->blocks;
	size_t at = b ? (b->used + align - 1) & ~(align - 1) : 0;

	if (!b || bytes > b->size - b->used || at > b->size - bytes) {
		b = new_block(p, bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES);
		at = 0;
	}
	if (!b)
		return NULL;
	b->used = at + bytes;
	return b->mem + at;
}

void *cfg_pool_alloc(struct cfg_pool *p, size_t bytes)
{
	return carve(p, bytes, _Alignof(void *));
}

char *cfg_pool_dup(struct cfg_pool *p, struct str s)
{
	char *c = carve(p, s.l + 1, 1);

	if (c && s.l)
		memcpy(c, s.p, s.l);
	return c;
}

void cfg_pool_fini(struct cfg_pool *p)
{
	for (struct cfg_block *b = p->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	p->blocks = NULL;
}

void cfg_mistake(struct cfg_load *l, const char *file, unsigned line, unsigned col, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (++l->n_mistakes > CFG_MAX_MISTAKES) {
		if (l->n_mistakes == CFG_MAX_MISTAKES + 1)
			buf_printf(l->errors, "%s:%u:%u: more mistakes follow, they are not shown\n", file, line, col);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(l->errors, "%s:%u:%u: %s\n", file, line, col, text);
}

const char *cfg_show(struct str s, struct cfg_shown *ret)
{
	size_t i, o = 0, chars = 0;

	ret->text[o++] = '"';
	for (i = 0; i < s.l && o < sizeof(ret->text) - 8; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c & 0xc0) != 0x80 && ++chars > CFG_SHOWN_CHARS)	/* a new character, not the rest of one */
			break;
		ret->text[o++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	if (i < s.l) {
		memcpy(ret->text + o, "...", 3);
		o += 3;
	}
	ret->text[o++] = '"';
	ret->text[o] = '\0';
	return ret->text;
}
