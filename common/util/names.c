/* common/util/names.c - the names used last, by slot and generation. */
#include <ctype.h>
#include <pthread.h>
#include "common/util/hash.h"
#include "common/util/list.h"
#include "common/util/names.h"

#define SLOT_BITS 12u			/* NAMES_MAX is 1 << SLOT_BITS */
#define GEN_MAX ((1u << (32 - SLOT_BITS)) - 1)

struct entry {
	struct hnode node;
	struct list lru;
	uint32_t gen;			/* 0: never used */
	char text[NAME_BYTES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;		/* made with the first name, kept for the life of the process */
static struct htab by_text;
static struct list lru;

static bool is_text(const struct hnode *n, const void *key)
{
	return strcmp(container_of(n, struct entry, node)->text, key) == 0;
}

static bool table_ready(void)
{
	static struct entry table[NAMES_MAX];

	if (entries)
		return true;
	if (htab_init(&by_text, 64) < 0)
		return false;
	list_init(&lru);
	for (unsigned i = 0; i < NAMES_MAX; i++)
		list_add_tail(&lru, &table[i].lru);
	entries = table;
	return true;
}

static struct entry *take_oldest(const char *text, uint64_t h)
{
	struct entry *e = container_of(lru.next, struct entry, lru);

	if (e->gen)
		htab_del(&by_text, &e->node);
	e->gen = e->gen == GEN_MAX ? 1 : e->gen + 1;
	str_copy(str_from_c(text), e->text, sizeof(e->text));
	htab_add(&by_text, &e->node, h);
	return e;
}

uint32_t name_number(struct str name)
{
	char text[NAME_BYTES];
	struct hnode *n;
	struct entry *e;
	uint32_t number = 0;
	uint64_t h;

	if (name.l == 0 || name.l >= sizeof(text))
		return 0;
	for (size_t i = 0; i < name.l; i++)
		text[i] = (char)tolower((unsigned char)name.p[i]);
	text[name.l] = '\0';
	h = hash_str(str_make(text, name.l));
	pthread_mutex_lock(&lock);
	if (table_ready()) {
		n = htab_find(&by_text, h, is_text, text);
		e = n ? container_of(n, struct entry, node) : take_oldest(text, h);
		list_del(&e->lru);
		list_add_tail(&lru, &e->lru);
		number = e->gen << SLOT_BITS | (uint32_t)(e - entries);
	}
	pthread_mutex_unlock(&lock);
	return number;
}

bool name_text(uint32_t number, char dst[NAME_BYTES])
{
	bool found = false;
	struct entry *e;

	if (number == 0)
		return false;
	pthread_mutex_lock(&lock);
	if (entries) {
		e = &entries[number & (NAMES_MAX - 1)];
		found = e->gen == number >> SLOT_BITS && str_copy(str_from_c(e->text), dst, NAME_BYTES);
	}
	pthread_mutex_unlock(&lock);
	return found;
}
