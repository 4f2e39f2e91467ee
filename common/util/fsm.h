/* common/util/fsm.h - state machines as [state][event] tables laid out like the specification's figure.
 *
 * An empty cell is refused: fsm_dispatch() counts it, logs nothing by itself, and returns -EPROTO.
 * Actions cannot fail: failure comes back as another event. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef void (*fsm_action)(void *ctx, void *arg);

struct fsm_cell {
	fsm_action act;			/* NULL: the event is refused in this state */
	uint8_t next;
};

struct fsm {
	const char *name;		/* of the figure: "nist" */
	const struct fsm_cell *cells;	/* n_states rows of n_events */
	unsigned n_states, n_events;
	const char *const *state_names, *const *event_names;
};

#define FSM_TABLE(nm, tab, snames, enames) \
	{ (nm), &(tab)[0][0], sizeof(tab) / sizeof((tab)[0]), sizeof((tab)[0]) / sizeof((tab)[0][0]), (snames), (enames) }

void fsm_ignore(void *ctx, void *arg);	/* the action that does nothing: a cell the figure draws */
/* Moves *state, then runs the cell's action (which sees the new state and may dispatch again).
 * Returns 0, -EPROTO (empty cell; *state unchanged). */
int fsm_dispatch(const struct fsm *f, uint8_t *state, unsigned event, void *ctx, void *arg);
uint64_t fsm_refused(void);		/* process-wide count of refused events */
