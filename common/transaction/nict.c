/* common/transaction/nict.c - non-INVITE client transaction: RFC 3261 figure 6, §17.1.2. */
#include <errno.h>
#include "common/transaction/private.h"

static void resend_doubled(void *ctx, void *arg)	/* MIN(2*E, T2), §17.1.2.2 */
{
	struct tx *t = ctx;
	uint32_t t2_ms = tx_timers_of(t)->t2_ms;

	(void)arg;
	tx_retry_start(t, 2 * t->retry_ms < t2_ms ? 2 * t->retry_ms : t2_ms, NICT_EV_TIMER_E);
	tx_retransmit(t, t->wire);
}

static void resend_slowly(void *ctx, void *arg)		/* every T2 once something was heard */
{
	struct tx *t = ctx;

	(void)arg;
	tx_retry_start(t, tx_timers_of(t)->t2_ms, NICT_EV_TIMER_E);
	tx_retransmit(t, t->wire);
}

static void provisional(void *ctx, void *arg)
{
	tx_client_up(ctx, arg);
}

static void final(void *ctx, void *arg)
{
	struct tx *t = ctx;

	timer_stop(&t->retry);
	tx_keep_wire(t, NULL);
	tx_life_start(t, t->reliable ? 0 : tx_timers_of(t)->t4_ms, NICT_EV_TIMER_K);
	tx_client_up(ctx, arg);
}

static void absorb(void *ctx, void *arg)
{
	struct tx *t = ctx;

	(void)arg;
	t->l->st.retransmissions_absorbed++;
}

static void timed_out(void *ctx, void *arg)
{
	(void)arg;
	tx_client_fail(ctx, -ETIMEDOUT);
}

static void unreachable(void *ctx, void *arg)
{
	struct tx_client *ct = ctx;

	(void)arg;
	tx_client_fail(ct, ct->t.err);
}

static const struct fsm_cell cells[NICT_N_STATES][NICT_N_EVENTS] = {
	[NICT_TRYING] = {
		[NICT_EV_1XX]     = { provisional,    NICT_PROCEEDING },
		[NICT_EV_FINAL]   = { final,          NICT_COMPLETED },		/* arms K: T4, or 0 if reliable */
		[NICT_EV_TIMER_E] = { resend_doubled, NICT_TRYING },
		[NICT_EV_TIMER_F] = { timed_out,      NICT_TERMINATED },
		[NICT_EV_TP_ERROR] = { unreachable,   NICT_TERMINATED },
	},
	[NICT_PROCEEDING] = {
		[NICT_EV_1XX]     = { provisional,    NICT_PROCEEDING },
		[NICT_EV_FINAL]   = { final,          NICT_COMPLETED },
		[NICT_EV_TIMER_E] = { resend_slowly,  NICT_PROCEEDING },
		[NICT_EV_TIMER_F] = { timed_out,      NICT_TERMINATED },
		[NICT_EV_TP_ERROR] = { unreachable,   NICT_TERMINATED },
	},
	[NICT_COMPLETED] = {
		[NICT_EV_1XX]     = { absorb,         NICT_COMPLETED },		/* overtaken on the way */
		[NICT_EV_FINAL]   = { absorb,         NICT_COMPLETED },
		[NICT_EV_TIMER_K] = { fsm_ignore,     NICT_TERMINATED },
		[NICT_EV_TP_ERROR] = { fsm_ignore,    NICT_COMPLETED },		/* of an earlier copy */
	},
};
static const char *const state_names[] = { "trying", "proceeding", "completed", "terminated" };
static const char *const event_names[] = { "1xx", "200-699", "timer E", "timer F", "timer K", "transport error" };
const struct fsm nict_fsm = FSM_TABLE("nict", cells, state_names, event_names);

void nict_start(struct tx_client *ct)
{
	struct tx *t = &ct->t;

	t->error_event = NICT_EV_TP_ERROR;
	t->state = NICT_TRYING;
	if (!t->reliable)
		tx_retry_start(t, tx_timers_of(t)->t1_ms, NICT_EV_TIMER_E);
	tx_life_start(t, tx_64_t1(t), NICT_EV_TIMER_F);
	tx_transmit(t, t->wire);
}
