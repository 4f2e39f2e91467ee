/* tests/util/test_fsm.c - tables as the figures draw them. */
#include <errno.h>
#include "common/util/fsm.h"
#include "tests/check.h"

enum { IDLE, BUSY, DONE, N_STATES };
enum { EV_GO, EV_STOP, EV_NOISE, N_EVENTS };

struct ctx {
	uint8_t state;
	int went;
	uint8_t seen_state;
};
static const struct fsm machine;

static void go(void *ctx, void *arg)
{
	struct ctx *c = ctx;

	c->went += *(int *)arg;
	c->seen_state = c->state;
	if (c->went >= 10)
		fsm_dispatch(&machine, &c->state, EV_STOP, c, NULL);	/* from within an action */
}

static const struct fsm_cell cells[N_STATES][N_EVENTS] = {
	[IDLE] = { [EV_GO] = { go, BUSY } },
	[BUSY] = { [EV_GO] = { go, BUSY }, [EV_STOP] = { fsm_ignore, DONE }, [EV_NOISE] = { fsm_ignore, BUSY } },
};
static const char *const states[] = { "idle", "busy", "done" };
static const char *const events[] = { "go", "stop", "noise" };
static const struct fsm machine = FSM_TABLE("machine", cells, states, events);

START_TEST(test_moves)
{
	struct ctx c = { 0 };
	uint64_t before = fsm_refused();
	int n = 3;

	ck_assert_uint_eq(machine.n_states, N_STATES);
	ck_assert_uint_eq(machine.n_events, N_EVENTS);
	ck_assert_int_eq(fsm_dispatch(&machine, &c.state, EV_STOP, &c, NULL), -EPROTO);
	ck_assert_uint_eq(c.state, IDLE);
	ck_assert_int_eq(fsm_dispatch(&machine, &c.state, EV_GO, &c, &n), 0);
	ck_assert(c.state == BUSY && c.went == 3 && c.seen_state == BUSY);
	ck_assert_int_eq(fsm_dispatch(&machine, &c.state, EV_NOISE, &c, NULL), 0);
	n = 7;
	ck_assert_int_eq(fsm_dispatch(&machine, &c.state, EV_GO, &c, &n), 0);
	ck_assert_uint_eq(c.state, DONE);
	for (unsigned e = 0; e < N_EVENTS + 2; e++)		/* also events that no figure has */
		ck_assert_int_eq(fsm_dispatch(&machine, &c.state, e, &c, NULL), -EPROTO);
	ck_assert_uint_eq(fsm_refused() - before, 1 + N_EVENTS + 2);
}
END_TEST

TEST_MAIN("fsm", TEST_ONE(test_moves))
