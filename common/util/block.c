/* common/util/block.c - one list of free blocks per size and thread. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "common/util/block.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NOTHING_KEPT 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define NOTHING_KEPT 1
#endif
#ifndef NOTHING_KEPT
#define NOTHING_KEPT 0
#endif

#define SMALL (BLOCK_SMALL_BYTES / 16)
#define SIZES (SMALL + (BLOCK_MAX_BYTES - BLOCK_SMALL_BYTES) / 64 + 1)

struct block {
	struct block *next;
};
struct cache {
	struct block *free[SIZES];
	size_t kept, n;
	enum { NEW, IN_USE, CLOSED } state;
};

static _Thread_local struct cache cache;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void thread_ends(void *p)
{
	struct cache *c = p;

	c->state = CLOSED;		/* what other destructors put back is freed at once */
	for (size_t i = 0; i < SIZES; i++) {
		for (struct block *b = c->free[i], *next; b; b = next) {
			next = b->next;
			free(b);
		}
		c->free[i] = NULL;
	}
	c->kept = c->n = 0;
}

static void begin(void)
{
	(void)pthread_key_create(&key, thread_ends);
}

static bool usable(struct cache *c)
{
	if (c->state == NEW) {
		pthread_once(&once, begin);
		c->state = pthread_setspecific(key, c) == 0 ? IN_USE : CLOSED;
	}
	return c->state == IN_USE;
}

static inline struct block **list_of(struct cache *c, size_t bytes)
{
	return &c->free[bytes <= BLOCK_SMALL_BYTES ? bytes / 16 : SMALL + (bytes - BLOCK_SMALL_BYTES) / 64];
}

void *block_get(size_t bytes, size_t *ret_bytes)
{
	struct block *b, **list;

	bytes = block_bytes(bytes);
	*ret_bytes = bytes;
	if (NOTHING_KEPT || bytes > BLOCK_MAX_BYTES)
		return malloc(bytes);
	list = list_of(&cache, bytes);
	b = *list;
	if (!b)
		return malloc(bytes);
	*list = b->next;
	cache.kept -= bytes;
	cache.n--;
	return b;
}

void block_put(void *p, size_t bytes)
{
	struct cache *c = &cache;
	struct block *b = p, **list;

	if (NOTHING_KEPT || !p || bytes > BLOCK_MAX_BYTES || c->kept + bytes > BLOCK_KEEP_BYTES || !usable(c)) {
		free(p);
		return;
	}
	list = list_of(c, bytes);
	b->next = *list;
	*list = b;
	c->kept += bytes;
	c->n++;
}

void block_stats(struct block_stats *ret)
{
	*ret = (struct block_stats){ cache.n, cache.kept };
}
