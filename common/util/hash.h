/* common/util/hash.h - seeded hashing and the chained, intrusive hash table.
 *
 * Keys come from the network, so every hash is XXH3 with a seed drawn at process start: nobody
 * outside can aim at one bucket.  The table belongs to one thread. */
#pragma once
#include "common/util/str.h"

uint64_t hash_str(struct str s);			/* same value everywhere in this process, never across processes */
uint64_t hash_seeded(struct str s, uint64_t seed);	/* with a seed of the caller's: the same in another process that has it */
uint64_t hash_istr(struct str s);			/* ASCII case folded */
uint64_t hash_mix(uint64_t a, uint64_t b);

struct hnode {
	struct hnode *next;
	uint64_t h;
};

struct htab {
	struct hnode **slot;
	size_t n_slots, n;				/* n_slots is a power of two; it doubles and halves with n */
	size_t min_slots;				/* what it was made with: it never shrinks below */
	bool walking;					/* inside htab_each */
};

int htab_init(struct htab *t, size_t expected);		/* 0 or -ENOMEM */
void htab_fini(struct htab *t);				/* the entries are the caller's */
void htab_add(struct htab *t, struct hnode *n, uint64_t h);
bool htab_del(struct htab *t, struct hnode *n);		/* false when it was not in */
/* First entry of hash h for which eq(node, key) holds; NULL when none. */
struct hnode *htab_find(const struct htab *t, uint64_t h, bool (*eq)(const struct hnode *, const void *), const void *key);
/* Calls fn for every entry; fn may delete the entry it was given, nothing else. */
void htab_each(struct htab *t, void (*fn)(struct hnode *, void *), void *arg);
