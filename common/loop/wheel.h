/* common/loop/wheel.h - hierarchical timer wheel, 1 ms ticks.  Start and stop are O(1).
 *
 * Time comes in as a parameter: unit tests advance it by hand. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/util/list.h"

struct timer {
	struct list link;		/* empty when not pending */
	uint64_t at_ms;
	struct wheel *wheel;		/* set while pending */
	void (*fn)(struct timer *);	/* the timer is no longer pending when it is called; may restart or free it */
};

#define WHEEL_BITS 8
#define WHEEL_LEVELS 5
struct wheel {
	uint64_t now_ms;
	uint64_t n_pending;
	bool firing;			/* a zero delay started by a callback waits for the next tick */
	struct list slot[WHEEL_LEVELS][1 << WHEEL_BITS];
	uint64_t map[WHEEL_LEVELS][(1 << WHEEL_BITS) / 64];	/* which slots may be occupied */
};

void wheel_init(struct wheel *w, uint64_t now_ms);
void wheel_advance(struct wheel *w, uint64_t now_ms);	/* fires everything due, in order of time */
/* Milliseconds until something may be due, at most max_ms. */
uint64_t wheel_next_ms(const struct wheel *w, uint64_t max_ms);

void timer_init(struct timer *t, void (*fn)(struct timer *));
void timer_start(struct wheel *w, struct timer *t, uint64_t delay_ms);	/* restarts when pending */
void timer_stop(struct timer *t);					/* harmless when not pending */
static inline bool timer_pending(const struct timer *t)
{
	return t->wheel != NULL;
}
