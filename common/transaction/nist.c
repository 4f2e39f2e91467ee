/* common/transaction/nist.c - non-INVITE server transaction: RFC 3261 figure 8, §17.2.2, with RFC 4320. */
#include "common/transaction/private.h"

/* How long a client's timer E takes until it is set to T2: T1 + 2*T1 + 4*T1 ... (RFC 4320 §4.1). */
static uint32_t e_reaches_t2_ms(const struct tx *t)
{
	const struct tx_timers *tm = tx_timers_of(t);
	uint32_t sum = 0;

	for (uint32_t e = tm->t1_ms; e && e < tm->t2_ms; e *= 2)
		sum += e;
	return sum;
}

static void resend_last(void *ctx, void *arg)
{
	struct tx *t = ctx;

	(void)arg;
	t->l->st.retransmissions_absorbed++;
	tx_retransmit(t, t->wire);
}

static void resend_final(void *ctx, void *arg)
{
	struct tx_server *st = ctx;

	if (!st->t.reliable)
		tx_server_quiet(st);
	resend_last(ctx, arg);
}

static void absorb(void *ctx, void *arg)
{
	struct tx *t = ctx;

	(void)arg;
	t->l->st.retransmissions_absorbed++;
}

static void send_100(void *ctx, void *arg)
{
	struct tx_response *r = arg;
	struct tx *t = ctx;

	timer_stop(&t->retry);
	tx_keep_wire(t, r->wire);
	tx_transmit(t, r->wire);
}

/* RFC 4320 §4.1: whoever has not answered by now must say 100, so that the client slows down. */
static void send_own_100(void *ctx, void *arg)
{
	struct tx_server *st = ctx;
	struct bytes *wire = sip_reply_make(st->req, 100, NULL, STR_NONE, STR_NONE, STR_NONE, STR_NONE);
	struct tx_response r = { 100, wire };

	(void)arg;
	if (wire)
		send_100(ctx, &r);
	bytes_unref(wire);
}

static void done(struct tx_server *st)
{
	struct tx *t = &st->t;

	st->final_sent = true;
	timer_stop(&t->retry);
	tx_life_start(t, t->reliable ? 0 : tx_64_t1(t), NIST_EV_TIMER_J);
	if (!t->reliable)
		tx_server_quiet(st);
	t->returns = true;
	tx_later(t);					/* gives the request back */
}

static void send_final(void *ctx, void *arg)
{
	struct tx_response *r = arg;

	done(ctx);
	tx_keep_wire(ctx, r->wire);
	tx_transmit(ctx, r->wire);
}

static void swallow_final(void *ctx, void *arg)
{
	struct tx *t = ctx;

	(void)arg;
	t->l->st.responses_dropped++;
	tx_keep_wire(t, NULL);
	done(ctx);
}

static void too_late(void *ctx, void *arg)
{
	struct tx *t = ctx;

	(void)arg;
	t->l->st.timeouts++;
}

static const struct fsm_cell cells[NIST_N_STATES][NIST_N_EVENTS] = {
	[NIST_TRYING] = {
		[NIST_EV_REQUEST]    = { absorb,        NIST_TRYING },		/* nothing to resend yet */
		[NIST_EV_TU_100]     = { send_100,      NIST_PROCEEDING },
		/* other 1xx, and 100 too early: refused, RFC 4320 §4.1 */
		[NIST_EV_TU_FINAL]   = { send_final,    NIST_COMPLETED },	/* arms J: 64*T1, or 0 if reliable */
		[NIST_EV_TU_408]     = { swallow_final, NIST_COMPLETED },	/* never sent, RFC 4320 §4.2 */
		[NIST_EV_TIMER_100]  = { send_own_100,  NIST_PROCEEDING },
		[NIST_EV_TIMER_LATE] = { too_late,      NIST_TERMINATED },	/* the client gave up: RFC 4320 §4.2 */
	},
	[NIST_PROCEEDING] = {
		[NIST_EV_REQUEST]    = { resend_last,   NIST_PROCEEDING },
		[NIST_EV_TU_100]     = { send_100,      NIST_PROCEEDING },
		[NIST_EV_TU_FINAL]   = { send_final,    NIST_COMPLETED },
		[NIST_EV_TU_408]     = { swallow_final, NIST_COMPLETED },
		[NIST_EV_TIMER_LATE] = { too_late,      NIST_TERMINATED },
		[NIST_EV_TP_ERROR]   = { fsm_ignore,    NIST_TERMINATED },
	},
	[NIST_COMPLETED] = {
		[NIST_EV_REQUEST]    = { resend_final,  NIST_COMPLETED },
		[NIST_EV_TIMER_J]    = { fsm_ignore,    NIST_TERMINATED },
		[NIST_EV_TP_ERROR]   = { fsm_ignore,    NIST_TERMINATED },
	},
};
static const char *const state_names[] = { "trying", "proceeding", "completed", "terminated" };
static const char *const event_names[] = {
	"request", "TU 100", "TU 1xx", "TU 200-699", "TU 408", "timer 100", "timer J", "64*T1 over", "transport error",
};
const struct fsm nist_fsm = FSM_TABLE("nist", cells, state_names, event_names);

unsigned nist_event_of(const struct tx_server *st, unsigned status)
{
	const struct tx *t = &st->t;

	if (status == 100 && (t->reliable || t->l->wheel->now_ms - t->born_ms >= e_reaches_t2_ms(t)))
		return NIST_EV_TU_100;
	return status < 200 ? NIST_EV_TU_1XX : status == 408 ? NIST_EV_TU_408 : NIST_EV_TU_FINAL;
}

void nist_start(struct tx_server *st)
{
	struct tx *t = &st->t;

	t->error_event = NIST_EV_TP_ERROR;
	t->state = NIST_TRYING;
	tx_retry_start(t, e_reaches_t2_ms(t), NIST_EV_TIMER_100);
	tx_life_start(t, tx_64_t1(t), NIST_EV_TIMER_LATE);
}
