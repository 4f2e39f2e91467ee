/* common/transport/transport.h - UDP, TCP and TLS listeners, connections, framing, keep-alives.  RFC 3261 §18, RFC 5626 §4.4.1.
 *
 * One struct transport per worker, joined in a group so that a message whose Call-ID another worker owns is handed over,
 * and so that a send on another worker's connection finds it.  UDP sockets: one per listener and worker (SO_REUSEPORT,
 * recvmmsg).  TCP: every worker accepts (SO_REUSEPORT); a connection lives and dies with its worker. */
#pragma once
#include "common/loop/loop.h"
#include "common/sip/msg.h"
#include "common/util/bytes.h"

struct transport;
struct transport_group;

struct transport_limits {
	uint32_t max_connections;		/* per worker */
	uint32_t idle_timeout_s;		/* TCP without traffic */
	uint32_t frame_timeout_s;		/* half a message for so long: closed (slowloris) */
	uint32_t connect_timeout_ms;		/* TCP; as much again for the TLS handshake, whoever began it */
	uint32_t max_queued_bytes;		/* unsent per connection; more: closed */
	uint32_t max_message_bytes;
};
extern const struct transport_limits transport_limits_default;

struct transport_ops {
	/* A complete, parsed message, on the worker that owns its Call-ID.  Borrowed: keep with sip_msg_ref(). */
	void (*message)(void *u, struct sip_msg *m);
	/* What could not be parsed; m may be NULL.  On the receiving worker's side of the hand-over as well. */
	void (*bad)(void *u, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e);
	/* A send did not arrive.  origin as given to transport_send. */
	void (*error)(void *u, uint64_t origin, int err);
	/* NULL: not asked for.  ICMP says that a datagram to `to` did not arrive; quoted: how it began, as far as one knows.  Anybody can send one.  Told to
	 * every worker that may have sent it. */
	void (*unreachable)(void *u, const struct addr *to, struct str quoted, int err);
	/* A connection of ours is gone (phones: the binding's flow). */
	void (*closed)(void *u, const struct sip_flow *flow);
};

struct transport_group *transport_group_new(unsigned n_workers);
/* Which worker owns which Call-ID hangs on it; 0 at first.  A secret, before any message: who knew it could aim at one worker. */
void transport_group_seed(struct transport_group *g, uint64_t seed);
void transport_group_free(struct transport_group *g);
/* For connections from now on; takes a reference of its own.  NULL: TLS is neither served nor dialled.  Any thread. */
struct tls_context;
void transport_group_set_tls(struct transport_group *g, struct tls_context *t);
struct transport *transport_new(struct transport_group *g, uint16_t worker, struct loop *l, const struct transport_limits *lim,
				const struct transport_ops *ops, void *u);
/* Asked about every message that arrives and every connection (raw empty), before anything is spent on it; false: dropped, and a
 * stream is closed. */
void transport_set_filter(struct transport *t, bool (*fn)(void *u, const struct sip_flow *from, struct str raw));
void transport_free(struct transport *t);
/* Opens the listener on every worker that calls it with the same address.  0 or -errno (-EADDRINUSE...). */
int transport_listen(struct transport *t, enum sip_proto proto, const struct addr *a);
/* TCP connections whose flow has exactly this local address leave from this very port (IPsec: TS 33.203 §7.1), all of those to
 * one remote from one worker.  Nothing is accepted on it. */
int transport_listen_source(struct transport *t, const struct addr *a);
/* Every connection of this worker is reset, as by a network that forgot it: what is unsent is told to ops.error, each to ops.closed. */
void transport_disconnect(struct transport *t);
void transport_stop_listening(struct transport *t);	/* drain: no new connections, UDP stays readable */

/* Sends (taking a reference of wire).  For streams: to->conn when set and alive, else an existing connection to that
 * remote, else a new one from our address of that family.  Any worker's connection; only call on one's own transport.
 * to->local set: that listener's address is the source.  0 or -errno at once; later failures through ops.error. */
int transport_send(struct transport *t, const struct sip_flow *to, struct bytes *wire, uint64_t origin);
/* Our address that a message to `to` would leave from: for Via and Record-Route.  0 or -EHOSTUNREACH. */
int transport_local_for(struct transport *t, const struct sip_flow *to, struct addr *ret);
/* Is this host and port one of our listeners? */
bool transport_is_local(const struct transport_group *g, enum sip_proto proto, const struct addr *a);
unsigned transport_worker_of(const struct transport_group *g, struct str call_id);	/* who owns it */

struct transport_stats {
	uint64_t rx_messages, tx_messages, rx_bytes, tx_bytes, parse_errors, handed_over, keepalives, connects, accepts, closes, refused, filtered,
		 unreachable;
	uint64_t kernel_drops;			/* datagrams that found no room in a socket's buffer (SO_RXQ_OVFL) */
	uint32_t connections;
};
uint64_t transport_kernel_drops(const struct transport *t);	/* alone: asked for every message */
void transport_stats(const struct transport *t, struct transport_stats *ret);
struct transport_view {
	struct sip_flow flow;
	bool accepted;
	uint64_t age_ms, idle_ms;
	uint32_t queued_bytes;
};
/* Open ones, in the order of flow.conn, from the one behind `after` on; fn returns false to have no more. */
void transport_each(struct transport *t, uint32_t after, bool (*fn)(void *arg, const struct transport_view *v), void *arg);
/* Closes one of ours; what waited to be sent is told as failed, and ops.closed is called, soon.  false: it is not there any more. */
bool transport_close(struct transport *t, uint32_t conn, uint32_t conn_gen);
