/* common/transaction/ict.c - INVITE client transaction: RFC 3261 figure 5, §17.1.1, with Accepted of RFC 6026 §7.2. */
#include <errno.h>
#include <stdlib.h>
#include "common/transaction/private.h"

#define SHRINK_BYTES 1024u			/* smaller ones stay as they are */

static void resend(void *ctx, void *arg)		/* timer A doubles without a bound, §17.1.1.2 */
{
	struct tx *t = ctx;

	(void)arg;
	tx_retry_start(t, 2 * t->retry_ms, ICT_EV_TIMER_A);
	tx_retransmit(t, t->wire);
}

/* §9.1: its own transaction with the INVITE's branch; what is answered to it interests nobody. */
static void send_cancel(struct tx_client *ct)
{
	struct tx *t = &ct->t;
	struct tx_client_new_args a = {
		.method = SIP_CANCEL, .branch = t->branch, .call_id = t->call_id, .to = t->flow, .side = t->side,
	};

	if (ct->cancel_sent || !t->wire)
		return;
	ct->cancel_sent = true;
	/* §9.1: an element may give up 64*T1 after its CANCEL. */
	tx_life_start(t, tx_64_t1(t), ICT_EV_CANCEL_TIMEOUT);
	a.wire = sip_cancel_make(bytes_str(t->wire), str_from_c(ct->cancel_reason));
	if (a.wire)
		(void)tx_client_make(t->l, &a);		/* out of memory: the timer above ends the matter */
	bytes_unref(a.wire);
}

/* It is not sent again: what ACK and CANCEL are made from is enough, while a call may ring for minutes. */
static void shrink(struct tx *t)
{
	struct bytes *less = t->wire && t->wire->l > SHRINK_BYTES ? sip_invite_shrink(bytes_str(t->wire)) : NULL;

	if (less)
		tx_keep_wire(t, less);
	bytes_unref(less);
}

static void first_provisional(void *ctx, void *arg)
{
	struct tx_client *ct = ctx;

	timer_stop(&ct->t.retry);
	timer_stop(&ct->t.life);
	shrink(&ct->t);
	if (ct->cancel_wanted)
		send_cancel(ct);
	else if (!ct->ops)
		ict_forgotten(ct);
	tx_client_up(ct, arg);
}

static void provisional(void *ctx, void *arg)
{
	tx_client_up(ctx, arg);
}

static void accept_2xx(void *ctx, void *arg)
{
	struct tx *t = ctx;

	timer_stop(&t->retry);
	tx_keep_wire(t, NULL);
	tx_life_start(t, tx_64_t1(t), ICT_EV_TIMER_M);
	tx_client_up(ctx, arg);
}

static void further_2xx(void *ctx, void *arg)
{
	tx_client_up(ctx, arg);
}

static void ack_and_report(void *ctx, void *arg)
{
	struct tx_client *ct = ctx;
	struct tx *t = ctx;

	timer_stop(&t->retry);
	tx_life_start(t, t->reliable ? 0 : tx_timers_of(t)->d_ms, ICT_EV_TIMER_D);
	ct->ack = sip_ack_make(bytes_str(t->wire), arg);	/* §17.1.1.3 */
	tx_keep_wire(t, NULL);
	if (ct->ack)
		tx_transmit(t, ct->ack);
	tx_client_up(ct, arg);
}

static void ack_again(void *ctx, void *arg)
{
	struct tx_client *ct = ctx;

	(void)arg;
	ct->t.l->st.retransmissions_absorbed++;
	tx_retransmit(&ct->t, ct->ack);
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

static void cancel_when_provisional(void *ctx, void *arg)	/* §9.1: not before a provisional */
{
	struct tx_client *ct = ctx;

	(void)arg;
	ct->cancel_wanted = true;
}

static void cancel_now(void *ctx, void *arg)
{
	(void)arg;
	send_cancel(ctx);
}

static const struct fsm_cell cells[ICT_N_STATES][ICT_N_EVENTS] = {
	[ICT_CALLING] = {
		[ICT_EV_1XX]     = { first_provisional, ICT_PROCEEDING },
		[ICT_EV_2XX]     = { accept_2xx,        ICT_ACCEPTED },		/* arms M: 64*T1 */
		[ICT_EV_NON2XX]  = { ack_and_report,    ICT_COMPLETED },	/* arms D: 32 s, or 0 if reliable */
		[ICT_EV_TIMER_A] = { resend,            ICT_CALLING },
		[ICT_EV_TIMER_B] = { timed_out,         ICT_TERMINATED },
		[ICT_EV_CANCEL]  = { cancel_when_provisional, ICT_CALLING },
		[ICT_EV_TP_ERROR] = { unreachable,      ICT_TERMINATED },
	},
	[ICT_PROCEEDING] = {
		[ICT_EV_1XX]     = { provisional,       ICT_PROCEEDING },
		[ICT_EV_2XX]     = { accept_2xx,        ICT_ACCEPTED },
		[ICT_EV_NON2XX]  = { ack_and_report,    ICT_COMPLETED },
		[ICT_EV_CANCEL]  = { cancel_now,        ICT_PROCEEDING },	/* arms 64*T1, §9.1 */
		[ICT_EV_CANCEL_TIMEOUT] = { timed_out,  ICT_TERMINATED },
		[ICT_EV_TP_ERROR] = { fsm_ignore,       ICT_PROCEEDING },	/* of a copy: one of them was answered */
	},
	[ICT_COMPLETED] = {
		[ICT_EV_NON2XX]  = { ack_again,         ICT_COMPLETED },
		[ICT_EV_TIMER_D] = { fsm_ignore,        ICT_TERMINATED },
		[ICT_EV_CANCEL]  = { fsm_ignore,        ICT_COMPLETED },
		[ICT_EV_TP_ERROR] = { fsm_ignore,       ICT_TERMINATED },	/* the user had its final response */
	},
	[ICT_ACCEPTED] = {
		[ICT_EV_2XX]     = { further_2xx,       ICT_ACCEPTED },
		[ICT_EV_TIMER_M] = { fsm_ignore,        ICT_TERMINATED },
		[ICT_EV_CANCEL]  = { fsm_ignore,        ICT_ACCEPTED },
		[ICT_EV_TP_ERROR] = { fsm_ignore,       ICT_ACCEPTED },
	},
};
static const char *const state_names[] = { "calling", "proceeding", "completed", "accepted", "terminated" };
static const char *const event_names[] = {
	"1xx", "2xx", "300-699", "timer A", "timer B", "timer D", "timer M", "cancel", "cancel timeout", "transport error",
};
const struct fsm ict_fsm = FSM_TABLE("ict", cells, state_names, event_names);

void ict_start(struct tx_client *ct)
{
	struct tx *t = &ct->t;

	t->error_event = ICT_EV_TP_ERROR;
	t->state = ICT_CALLING;
	if (!t->reliable)
		tx_retry_start(t, tx_timers_of(t)->t1_ms, ICT_EV_TIMER_A);
	tx_life_start(t, tx_64_t1(t), ICT_EV_TIMER_B);
	tx_transmit(t, t->wire);
}

/* Nobody waits for it any more: Proceeding, which the figure leaves unbounded, gets an end. */
void ict_forgotten(struct tx_client *ct)
{
	if (ct->t.state == ICT_PROCEEDING && !timer_pending(&ct->t.life))
		tx_life_start(&ct->t, tx_64_t1(&ct->t), ICT_EV_CANCEL_TIMEOUT);
}
