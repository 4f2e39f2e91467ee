/* common/util/roll.h - things in the order in which they came, each with a serial number, so that a list over REST goes on where its
 * last page ended: roll_after() finds the block by bisection and looks at one block of things, not at all that came before.
 *
 * A serial is never used again: who is gone leaves no gap that a page could stumble over.  One thread. */
#pragma once
#include <stdint.h>
#include "common/util/list.h"

#define ROLL_BLOCK 128u

struct roll_block;
struct roll {
	struct list all;		/* struct roll_entry.link; whoever likes walks it */
	struct roll_block *block;	/* freed with the last entry */
	unsigned n_blocks, room;
	uint64_t last;			/* serial given out last */
};
struct roll_entry {			/* in what is listed */
	struct list link;
	uint64_t serial;		/* from 1 */
};

void roll_init(struct roll *r);
void roll_add(struct roll *r, struct roll_entry *e);		/* never fails: without memory the walk is longer */
void roll_del(struct roll *r, struct roll_entry *e);
/* The first one whose serial is greater, or NULL. */
struct roll_entry *roll_after(const struct roll *r, uint64_t serial);
struct roll_entry *roll_next(const struct roll *r, const struct roll_entry *e);	/* or NULL */
