/* common/transaction/machine.c - what the four figures of RFC 3261 §17 have in common: timers, sending, ending. */
#include <errno.h>
#include "common/transaction/private.h"

/* T1, T2, T4, D.  Toward the phone: TS 24.229 §7.7 table 7.7.1. */
const struct tx_timers tx_timers_default[TX_N_SIDES] = {
#define X(name, def, clause) .name = def,
	[TX_CORE] = { TX_TIMER_TABLE(X) },
#undef X
	[TX_UE] = { .t1_ms = 2000, .t2_ms = 16000, .t4_ms = 17000, .d_ms = 128000 },
};

static void end(struct tx *t)
{
	t->dead = true;
	timer_stop(&t->retry);
	timer_stop(&t->life);
	tx_unlink(t);
	tx_later(t);
}

int tx_event(struct tx *t, unsigned event, void *arg)
{
	int rc;

	if (t->dead)
		return -EPROTO;
	rc = fsm_dispatch(t->fsm, &t->state, event, t, arg);
	if (!t->dead && t->state == t->fsm->n_states - 1)
		end(t);
	return rc;
}

static void on_retry(struct timer *timer)
{
	struct tx *t = container_of(timer, struct tx, retry);

	(void)tx_event(t, t->retry_event, NULL);
}

static void on_life(struct timer *timer)
{
	struct tx *t = container_of(timer, struct tx, life);

	(void)tx_event(t, t->life_event, NULL);
}

void tx_timers_init(struct tx *t)
{
	timer_init(&t->retry, on_retry);
	timer_init(&t->life, on_life);
}

void tx_life_start(struct tx *t, uint32_t ms, uint8_t event)
{
	t->life_event = event;
	timer_start(t->l->wheel, &t->life, ms);
}

void tx_retry_start(struct tx *t, uint32_t ms, uint8_t event)
{
	t->retry_ms = ms;
	t->retry_event = event;
	timer_start(t->l->wheel, &t->retry, ms);
}

void tx_keep_wire(struct tx *t, struct bytes *wire)
{
	if (wire)
		bytes_ref(wire);
	bytes_unref(t->wire);
	t->wire = wire;
}

void tx_transmit(struct tx *t, struct bytes *wire)
{
	bool oc = t->server && container_of(t, struct tx_server, t)->wants_oc;
	int rc = !wire ? 0 : (oc ? tx_send_oc : tx_send)(t->l, &t->flow, wire, tx_handle_of(t));

	if (rc == 0)
		return;
	t->err = rc;
	t->fault = true;
	tx_later(t);
}

void tx_retransmit(struct tx *t, struct bytes *wire)
{
	if (!wire)
		return;
	t->l->st.retransmissions_sent++;
	tx_transmit(t, wire);
}

void tx_client_up(struct tx_client *ct, struct sip_msg *m)
{
	if (ct->ops && ct->ops->response)
		ct->ops->response(ct->user, ct, m);
}

void tx_client_fail(struct tx_client *ct, int err)
{
	if (err == -ETIMEDOUT)
		ct->t.l->st.timeouts++;
	if (ct->ops && ct->ops->failed)
		ct->ops->failed(ct->user, ct, err);
}
