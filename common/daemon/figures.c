/* common/daemon/figures.c - what a worker's layers count, shown once a second. */
#include "common/daemon/private.h"
#include "common/util/block.h"
#include "common/util/clock.h"

#define STATS_EVERY_MS 1000

static METRIC_DEF(m_bytes, "cscf_sip_bytes_total", METRIC_COUNTER, "Octets of SIP over all transports.", "direction", NULL);
static METRIC_DEF(m_handed, "cscf_sip_handed_over_total", METRIC_COUNTER, "Messages that went to another worker.", NULL, NULL);
static METRIC_DEF(m_unreachable, "cscf_sip_unreachable_total", METRIC_COUNTER, "Requests over UDP that did not arrive, as ICMP says.",
		  NULL, NULL);
static METRIC_DEF(m_conns, "cscf_sip_connections", METRIC_GAUGE, "Open TCP and TLS connections.", NULL, NULL);
static METRIC_DEF(m_tx, "cscf_sip_transactions", METRIC_GAUGE, "Transactions in progress.", "side", NULL);
static METRIC_DEF(m_retrans, "cscf_sip_retransmissions_total", METRIC_COUNTER, "Retransmissions sent and absorbed.", "kind",
		  NULL);
static METRIC_DEF(m_timeouts, "cscf_sip_timeouts_total", METRIC_COUNTER, "Client transactions that nobody answered.", NULL, NULL);
static METRIC_DEF(m_room, "cscf_sip_made_room_total", METRIC_COUNTER,
		  "Answered requests forgotten before their time because sip.max_transactions was reached.", NULL, NULL);
static METRIC_DEF(m_dialogs, "cscf_dialogs", METRIC_GAUGE, "Dialogs on the route of this node.", NULL, NULL);
static METRIC_DEF(m_expired, "cscf_sessions_expired_total", METRIC_COUNTER, "Calls that nobody refreshed within their session interval.",
		  NULL, NULL);
static METRIC_DEF(m_lag, "cscf_loop_lag_seconds", METRIC_HISTOGRAM, "Longest turn of a worker's loop within a second.", NULL,
		  NULL);
static METRIC_DEF(m_blocks, "cscf_memory_blocks_kept", METRIC_GAUGE, "Free blocks of memory that the workers keep for the next messages.",
		  NULL, NULL);
static METRIC_DEF(m_kept, "cscf_memory_kept_bytes", METRIC_GAUGE, "Octets of the free blocks that the workers keep for the next messages.",
		  NULL, NULL);

static void blocks_show(struct worker_full *f)
{
	struct block_stats now;

	block_stats(&now);
	metric_adjust(&m_blocks, NULL, NULL, (int64_t)now.blocks - (int64_t)f->last_blocks.blocks);
	metric_adjust(&m_kept, NULL, NULL, (int64_t)now.bytes - (int64_t)f->last_blocks.bytes);
	f->last_blocks = now;
}

static void on_stats(struct timer *t)
{
	struct worker_full *f = container_of(t, struct worker_full, stats_timer);
	struct transport_stats tp;
	struct tx_stats tx;
	struct loop_stats ls;
	uint32_t dialogs = dialog_table_count(f->w.dialogs);
	uint64_t expired = dialog_table_expired(f->w.dialogs);

	transport_stats(f->w.transport, &tp);
	tx_layer_stats(f->w.tx, &tx);
	loop_stats(f->w.loop, &ls);
	metric_add(&m_bytes, "in", NULL, tp.rx_bytes - f->last_tp.rx_bytes);
	metric_add(&m_bytes, "out", NULL, tp.tx_bytes - f->last_tp.tx_bytes);
	metric_add(&m_handed, NULL, NULL, tp.handed_over - f->last_tp.handed_over);
	metric_add(&m_unreachable, NULL, NULL, tp.unreachable - f->last_tp.unreachable);
	metric_adjust(&m_conns, NULL, NULL, (int64_t)tp.connections - f->last_tp.connections);
	metric_adjust(&m_tx, "server", NULL, (int64_t)tx.server_now - f->last_tx.server_now);
	metric_adjust(&m_tx, "client", NULL, (int64_t)tx.client_now - f->last_tx.client_now);
	metric_add(&m_retrans, "sent", NULL, tx.retransmissions_sent - f->last_tx.retransmissions_sent);
	metric_add(&m_retrans, "absorbed", NULL, tx.retransmissions_absorbed - f->last_tx.retransmissions_absorbed);
	metric_add(&m_timeouts, NULL, NULL, tx.timeouts - f->last_tx.timeouts);
	metric_add(&m_room, NULL, NULL, tx.made_room - f->last_tx.made_room);
	metric_adjust(&m_dialogs, NULL, NULL, (int64_t)dialogs - f->last_dialogs);
	metric_observe_us(&m_lag, NULL, NULL, ls.lag_max_us);
	blocks_show(f);
	guard_stats(f, &tp);
	f->last_tp = tp;
	f->last_tx = tx;
	metric_add(&m_expired, NULL, NULL, expired - f->last_expired);
	f->last_dialogs = dialogs;
	f->last_expired = expired;
	atomic_store_explicit(&f->beat_ms, clock_mono_ms(), memory_order_relaxed);
	timer_start(f->w.wheel, t, STATS_EVERY_MS);
}

void figures_register(void)
{
	struct metric *const all[] = { &m_bytes, &m_handed, &m_unreachable, &m_conns, &m_tx, &m_retrans, &m_timeouts, &m_room,
				       &m_dialogs, &m_expired, &m_lag, &m_blocks, &m_kept };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		metrics_register(all[i]);
}

void figures_open(struct worker_full *f)
{
	timer_init(&f->stats_timer, on_stats);
	timer_start(f->w.wheel, &f->stats_timer, STATS_EVERY_MS);
	atomic_store_explicit(&f->beat_ms, clock_mono_ms(), memory_order_relaxed);
}
