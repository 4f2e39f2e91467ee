/* common/transaction/ist.c - INVITE server transaction: RFC 3261 figure 7, §17.2.1, with Accepted of RFC 6026 §7.1. */
#include "common/transaction/private.h"

static void send_provisional(void *ctx, void *arg)
{
	struct tx_response *r = arg;

	tx_keep_wire(ctx, r->wire);
	tx_transmit(ctx, r->wire);
}

static void send_2xx(void *ctx, void *arg)
{
	struct tx_response *r = arg;
	struct tx_server *st = ctx;

	st->final_sent = true;
	tx_keep_wire(&st->t, NULL);			/* the user repeats it, not we: RFC 6026 §7.1 */
	tx_life_start(&st->t, tx_64_t1(&st->t), IST_EV_TIMER_L);
	tx_transmit(&st->t, r->wire);
}

static void repeat_2xx(void *ctx, void *arg)
{
	struct tx_response *r = arg;

	tx_transmit(ctx, r->wire);
}

/* What is sent once may be lost. */
static bool repeats(const struct tx_server *st)
{
	return !st->t.reliable && !st->forgeable;
}

static void send_failure(void *ctx, void *arg)
{
	struct tx_response *r = arg;
	struct tx_server *st = ctx;
	struct tx *t = ctx;

	st->final_sent = true;
	tx_keep_wire(t, r->wire);
	st->owed = r->wire ? 0 : r->status == 487 ? 487 : 500;
	if (repeats(st) || st->owed)
		tx_retry_start(t, tx_timers_of(t)->t1_ms, IST_EV_TIMER_G);
	tx_life_start(t, tx_64_t1(t), IST_EV_TIMER_H);
	tx_transmit(t, r->wire);
}

static void resend_last(void *ctx, void *arg)
{
	struct tx *t = ctx;

	(void)arg;
	t->l->st.retransmissions_absorbed++;
	tx_retransmit(t, t->wire);
}

static void absorb(void *ctx, void *arg)
{
	struct tx *t = ctx;

	(void)arg;
	t->l->st.retransmissions_absorbed++;
}

/* The final response that could not be made then. */
static void pay(struct tx_server *st)
{
	struct bytes *wire = tx_bare_reply(st, st->owed);

	if (!wire)
		return;
	st->owed = 0;
	tx_keep_wire(&st->t, wire);
	tx_transmit(&st->t, wire);
	bytes_unref(wire);
	if (!repeats(st))
		timer_stop(&st->t.retry);
}

static void resend_doubled(void *ctx, void *arg)		/* MIN(2*G, T2) */
{
	struct tx_server *st = ctx;
	struct tx *t = ctx;
	uint32_t t2_ms = tx_timers_of(t)->t2_ms;

	(void)arg;
	tx_retry_start(t, 2 * t->retry_ms < t2_ms ? 2 * t->retry_ms : t2_ms, IST_EV_TIMER_G);
	if (st->owed)
		pay(st);
	else
		tx_retransmit(t, t->wire);
}

static void confirm(void *ctx, void *arg)
{
	struct tx_server *st = ctx;
	struct tx *t = ctx;

	(void)arg;
	timer_stop(&t->retry);
	if (!st->legacy)				/* a copy of an RFC 2543 ACK is known by the response's tag */
		tx_keep_wire(t, NULL);
	tx_life_start(t, t->reliable ? 0 : tx_timers_of(t)->t4_ms, IST_EV_TIMER_I);
}

static void pass_ack(void *ctx, void *arg)
{
	struct tx *t = ctx;

	if (t->l->ops->ack)
		t->l->ops->ack(t->l->u, arg);
}

static void never_acked(void *ctx, void *arg)
{
	struct tx *t = ctx;

	(void)arg;
	t->l->st.timeouts++;
}

/* A failed send in Proceeding or Accepted does not end the transaction: RFC 6026 §7.1 keeps it, so that a
 * retransmitted INVITE still finds it. */
static const struct fsm_cell cells[IST_N_STATES][IST_N_EVENTS] = {
	[IST_PROCEEDING] = {
		[IST_EV_INVITE]    = { resend_last,      IST_PROCEEDING },
		[IST_EV_TU_1XX]    = { send_provisional, IST_PROCEEDING },
		[IST_EV_TU_2XX]    = { send_2xx,         IST_ACCEPTED },	/* arms L: 64*T1 */
		[IST_EV_TU_NON2XX] = { send_failure,     IST_COMPLETED },	/* arms H: 64*T1; G: T1 if unreliable, or still to be made */
		[IST_EV_TP_ERROR]  = { fsm_ignore,       IST_PROCEEDING },
	},
	[IST_COMPLETED] = {
		[IST_EV_INVITE]    = { resend_last,      IST_COMPLETED },
		[IST_EV_ACK]       = { confirm,          IST_CONFIRMED },	/* arms I: T4, or 0 if reliable */
		[IST_EV_TIMER_G]   = { resend_doubled,   IST_COMPLETED },
		[IST_EV_TIMER_H]   = { never_acked,      IST_TERMINATED },
		[IST_EV_TP_ERROR]  = { never_acked,      IST_TERMINATED },
	},
	[IST_CONFIRMED] = {
		[IST_EV_INVITE]    = { absorb,           IST_CONFIRMED },
		[IST_EV_ACK]       = { absorb,           IST_CONFIRMED },
		[IST_EV_TIMER_I]   = { fsm_ignore,       IST_TERMINATED },
		[IST_EV_TP_ERROR]  = { fsm_ignore,       IST_CONFIRMED },	/* of an earlier copy */
	},
	[IST_ACCEPTED] = {
		[IST_EV_INVITE]    = { absorb,           IST_ACCEPTED },
		[IST_EV_ACK]       = { pass_ack,         IST_ACCEPTED },
		[IST_EV_TU_2XX]    = { repeat_2xx,       IST_ACCEPTED },
		[IST_EV_TIMER_L]   = { fsm_ignore,       IST_TERMINATED },
		[IST_EV_TP_ERROR]  = { fsm_ignore,       IST_ACCEPTED },
	},
};
static const char *const state_names[] = { "proceeding", "completed", "confirmed", "accepted", "terminated" };
static const char *const event_names[] = {
	"INVITE", "ACK", "TU 1xx", "TU 2xx", "TU 300-699", "timer G", "timer H", "timer I", "timer L", "transport error",
};
const struct fsm ist_fsm = FSM_TABLE("ist", cells, state_names, event_names);

unsigned ist_event_of(unsigned status)
{
	return status < 200 ? IST_EV_TU_1XX : status < 300 ? IST_EV_TU_2XX : IST_EV_TU_NON2XX;
}

void ist_start(struct tx_server *st)
{
	st->t.error_event = IST_EV_TP_ERROR;
	st->t.state = IST_PROCEEDING;
	/* §17.2.1 lets 200 ms pass first; we may have to ask Diameter, so the caller hears at once. */
	if (!st->forgeable)
		tx_server_reply(st, 100, NULL, STR_NONE);
}
