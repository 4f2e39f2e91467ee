/* common/util/hash.c - seeded XXH3 and the chained table. */
#define XXH_INLINE_ALL
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <xxhash.h>
#include "common/util/hash.h"
#include "common/util/rand.h"

static uint64_t seed;
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
	seed = rand_u64();
}

uint64_t hash_str(struct str s)
{
	pthread_once(&seeded, make_seed);
	return XXH3_64bits_withSeed(s.l ? s.p : "", s.l, seed);
}

uint64_t hash_seeded(struct str s, uint64_t of_caller)
{
	return XXH3_64bits_withSeed(s.l ? s.p : "", s.l, of_caller);
}

uint64_t hash_istr(struct str s)
{
	char small[256];
	uint64_t h = 0;
	size_t at = 0, n;

	/* A piece at a time, so that nothing is allocated: each piece's hash goes into the next. */
	do {
		n = s.l - at < sizeof(small) ? s.l - at : sizeof(small);
		for (size_t i = 0; i < n; i++) {
			char c = s.p[at + i];

			small[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		}
		h = at ? hash_mix(h, hash_str(str_make(small, n))) : hash_str(str_make(small, n));
		at += n;
	} while (at < s.l);
	return h;
}

uint64_t hash_mix(uint64_t a, uint64_t b)
{
	uint64_t both[2] = { a, b };

	return hash_str(str_make((const char *)both, sizeof(both)));
}

#define MIN_SLOTS 16u

int htab_init(struct htab *t, size_t expected)
{
	size_t n = MIN_SLOTS;

	while (n < expected && n < SIZE_MAX / 2 / sizeof(struct hnode *))
		n *= 2;
	*t = (struct htab){ .slot = calloc(n, sizeof(struct hnode *)), .n_slots = n, .min_slots = n };
	return t->slot ? 0 : -ENOMEM;
}

void htab_fini(struct htab *t)
{
	free(t->slot);
	*t = (struct htab){ 0 };
}

static void resize(struct htab *t, size_t n_slots)
{
	struct hnode **fresh = calloc(n_slots, sizeof(struct hnode *));

	if (!fresh)
		return;			/* longer chains, nothing worse */
	for (size_t i = 0; i < t->n_slots; i++) {
		for (struct hnode *n = t->slot[i], *next; n; n = next) {
			next = n->next;
			n->next = fresh[n->h & (n_slots - 1)];
			fresh[n->h & (n_slots - 1)] = n;
		}
	}
	free(t->slot);
	t->slot = fresh;
	t->n_slots = n_slots;
}

void htab_add(struct htab *t, struct hnode *n, uint64_t h)
{
	if (t->n >= t->n_slots)
		resize(t, t->n_slots * 2);
	n->h = h;
	n->next = t->slot[h & (t->n_slots - 1)];
	t->slot[h & (t->n_slots - 1)] = n;
	t->n++;
}

bool htab_del(struct htab *t, struct hnode *n)
{
	for (struct hnode **p = &t->slot[n->h & (t->n_slots - 1)]; *p; p = &(*p)->next) {
		if (*p != n)
			continue;
		*p = n->next;
		n->next = NULL;
		t->n--;
		if (!t->walking && t->n_slots > t->min_slots && t->n < t->n_slots / 8)
			resize(t, t->n_slots / 2);
		return true;
	}
	return false;
}

struct hnode *htab_find(const struct htab *t, uint64_t h, bool (*eq)(const struct hnode *, const void *), const void *key)
{
	for (struct hnode *n = t->slot[h & (t->n_slots - 1)]; n; n = n->next)
		if (n->h == h && eq(n, key))
			return n;
	return NULL;
}

void htab_each(struct htab *t, void (*fn)(struct hnode *, void *), void *arg)
{
	t->walking = true;		/* a deletion must not move the slots under us */
	for (size_t i = 0; i < t->n_slots; i++) {
		for (struct hnode *n = t->slot[i], *next; n; n = next) {
			next = n->next;
			fn(n, arg);
		}
	}
	t->walking = false;
}
