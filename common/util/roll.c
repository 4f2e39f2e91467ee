/* common/util/roll.c - see roll.h.  An entry is of the last block whose serial is not greater than its own.  No block is empty, and two
 * neighbours that would fit into half a block are one, so that a table which thins out has no more blocks than it needs. */
#include <stdlib.h>
#include <string.h>
#include "common/util/roll.h"

struct roll_block {
	struct roll_entry *first;
	uint64_t serial;
	unsigned n, came;		/* that are in it, and that were put there */
};

void roll_init(struct roll *r)
{
	*r = (struct roll){ .last = 0 };
	list_init(&r->all);
}

struct roll_entry *roll_next(const struct roll *r, const struct roll_entry *e)
{
	return e->link.next == &r->all ? NULL : list_entry(e->link.next, struct roll_entry, link);
}

/* The block of a serial, or NULL: all blocks are later. */
static struct roll_block *find(const struct roll *r, uint64_t serial)
{
	unsigned lo = 0, hi = r->n_blocks;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (r->block[mid].serial <= serial)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &r->block[lo - 1] : NULL;
}

static bool begin_block(struct roll *r, struct roll_entry *e)
{
	if (r->n_blocks == r->room) {
		unsigned room = r->room ? 2 * r->room : 4;
		struct roll_block *v = realloc(r->block, room * sizeof(*v));

		if (!v)
			return false;
		r->block = v;
		r->room = room;
	}
	r->block[r->n_blocks++] = (struct roll_block){ e, e->serial, 1, 1 };
	return true;
}

void roll_add(struct roll *r, struct roll_entry *e)
{
	struct roll_block *b = r->n_blocks ? &r->block[r->n_blocks - 1] : NULL;

	e->serial = ++r->last;
	list_add_tail(&r->all, &e->link);
	if (b && b->came < ROLL_BLOCK) {
		b->n++;
		b->came++;
	} else if (!begin_block(r, e) && b) {
		b->n++;
	}
}

static void remove_block(struct roll *r, struct roll_block *b)
{
	r->n_blocks--;
	memmove(b, b + 1, (size_t)(r->block + r->n_blocks - b) * sizeof(*b));
	if (r->n_blocks)
		return;
	free(r->block);
	r->block = NULL;
	r->room = 0;
}

/* What is in the block behind b is in b from now on. */
static void merge(struct roll *r, struct roll_block *b)
{
	b->n += b[1].n;
	b->came = b[1].came > b->n ? b[1].came : b->n;
	remove_block(r, b + 1);
}

void roll_del(struct roll *r, struct roll_entry *e)
{
	struct roll_block *b = find(r, e->serial);

	if (b && b->first == e)
		b->first = roll_next(r, e);
	list_del(&e->link);
	if (!b)
		return;
	if (--b->n == 0)
		remove_block(r, b);
	else if (b > r->block && b[-1].n + b->n <= ROLL_BLOCK / 2)
		merge(r, b - 1);
	else if (b + 1 < r->block + r->n_blocks && b->n + b[1].n <= ROLL_BLOCK / 2)
		merge(r, b);
}

struct roll_entry *roll_after(const struct roll *r, uint64_t serial)
{
	const struct roll_block *b = find(r, serial);
	struct roll_entry *e = b ? b->first : list_empty(&r->all) ? NULL : list_entry(r->all.next, struct roll_entry, link);

	while (e && e->serial <= serial)
		e = roll_next(r, e);
	return e;
}
