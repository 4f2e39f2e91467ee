/* common/util/fsm.c - table-driven state machines. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "common/util/fsm.h"

static atomic_uint_fast64_t refused;

void fsm_ignore(void *ctx, void *arg)
{
	(void)ctx, (void)arg;
}

int fsm_dispatch(const struct fsm *f, uint8_t *state, unsigned event, void *ctx, void *arg)
{
	bool inside = *state < f->n_states && event < f->n_events;
	const struct fsm_cell *c = inside ? &f->cells[*state * f->n_events + event] : NULL;

	if (!c || !c->act) {
		atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
		return -EPROTO;
	}
	*state = c->next;
	c->act(ctx, arg);
	return 0;
}

uint64_t fsm_refused(void)
{
	return atomic_load_explicit(&refused, memory_order_relaxed);
}
