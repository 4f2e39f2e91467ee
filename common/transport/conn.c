/* common/transport/conn.c - a stream connection: table, reading, writing, timeouts.
 *
 * Nothing is freed while a caller may look at it: a failure during a send only marks the connection, its timer (due at
 * once) reports and frees it. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/transport/private.h"

static void on_event(struct loop_fd *f, uint32_t revents);
static void on_timer(struct timer *tm);

/* ---- table ---- */

static int table_add(struct transport *t, struct conn *c)
{
	uint32_t i;

	if (t->n_free == 0) {
		uint32_t n = t->n_slots ? t->n_slots * 2 : 16;
		struct conn_slot *s = realloc(t->slot, n * sizeof(*s));
		uint32_t *fr;

		if (!s)
			return -ENOMEM;
		t->slot = s;
		fr = realloc(t->free_slot, n * sizeof(*fr));
		if (!fr)
			return -ENOMEM;
		t->free_slot = fr;
		for (i = n; i-- > t->n_slots;) {
			t->slot[i] = (struct conn_slot){ NULL, 1 };
			t->free_slot[t->n_free++] = i;
		}
		t->n_slots = n;
	}
	i = t->free_slot[--t->n_free];
	t->slot[i].c = c;
	c->flow.conn = i + 1;
	c->flow.conn_gen = t->slot[i].gen;
	c->flow.worker = t->worker;
	return 0;
}

static void table_del(struct transport *t, struct conn *c)
{
	uint32_t i = c->flow.conn - 1;

	t->slot[i].c = NULL;
	t->slot[i].gen++;
	t->free_slot[t->n_free++] = i;
}

struct conn *conn_find(struct transport *t, uint32_t id, uint32_t gen)
{
	struct conn *c;

	if (id == 0 || id > t->n_slots || t->slot[id - 1].gen != gen)
		return NULL;
	c = t->slot[id - 1].c;
	return c && !c->failed && !c->closing ? c : NULL;
}

static bool same_way(const struct hnode *n, const void *key)
{
	const struct conn *c = container_of(n, struct conn, by_remote);
	const struct sip_flow *to = key;

	if (c->sourced && !addr_eq(&c->flow.local, &to->local))
		return false;
	return c->flow.proto == to->proto && addr_eq(&c->flow.remote, &to->remote) &&
	       (!addr_is_set(&to->local) || addr_is_any(&to->local) || addr_host_eq(&c->flow.local, &to->local)) &&
	       (!to->name || c->flow.proto != SIP_TLS || tls_peer_is(c, to->name));	/* RFC 5923 §9.2 */
}

/* A connection to that remote serves whoever opened it: RFC 5923, RFC 3261 §18.1.1. */
struct conn *conn_to(struct transport *t, const struct sip_flow *to)
{
	struct hnode *n = htab_find(&t->by_remote, addr_hash(&to->remote), same_way, to);

	return n ? container_of(n, struct conn, by_remote) : alias_to(t, to);
}

static void unlist(struct conn *c)
{
	alias_forget(c);
	if (c->in_by_remote)
		htab_del(&c->t->by_remote, &c->by_remote);
	c->in_by_remote = false;
}

/* ---- life ---- */

static uint64_t now_ms(const struct conn *c)
{
	return loop_now_ms(c->t->loop);
}

/* Has on_timer() run in `delay_ms`, or earlier when it was due earlier. */
static void due_in(struct conn *c, uint64_t delay_ms)
{
	if (!timer_pending(&c->timer) || c->timer.at_ms > now_ms(c) + delay_ms)
		timer_start(loop_wheel(c->t->loop), &c->timer, delay_ms);
}

void conn_fail(struct conn *c, int err)
{
	if (c->failed)
		return;
	c->failed = err;
	unlist(c);
	loop_fd_del(c->t->loop, &c->f);
	timer_start(loop_wheel(c->t->loop), &c->timer, 0);
}

int conn_new(struct transport *t, int fd, const struct sip_flow *flow, bool connecting, struct conn **ret)
{
	struct conn *c = calloc(1, sizeof(*c));
	int rc = -ENOMEM;

	if (!c)
		return rc;
	c->t = t;
	c->io = flow->proto == SIP_TLS ? &conn_io_tls : &conn_io_tcp;
	c->flow = *flow;
	c->connecting = connecting;
	c->accepted = !connecting;
	c->handshaking = c->io->handshake != NULL;
	c->alias_asked = connecting || flow->proto != SIP_TLS;
	c->f = (struct loop_fd){ .fd = fd, .events = connecting ? EPOLLOUT : EPOLLIN, .fn = on_event };
	c->out_last = &c->out_first;
	timer_init(&c->timer, on_timer);
	stream_init(&c->in, t->lim.max_message_bytes);
	if (c->io->open && (rc = c->io->open(c)) < 0)
		goto fail;
	if ((rc = table_add(t, c)) < 0)
		goto fail;
	if ((rc = loop_fd_add(t->loop, &c->f)) < 0) {
		table_del(t, c);
		goto fail;
	}
	c->born_ms = c->active_ms = now_ms(c);
	htab_add(&t->by_remote, &c->by_remote, addr_hash(&c->flow.remote));
	c->in_by_remote = true;
	t->stats.connections++;
	due_in(c, connecting || c->handshaking ? t->lim.connect_timeout_ms : (uint64_t)t->lim.idle_timeout_s * 1000);
	*ret = c;
	return 0;
fail:
	if (c->io->close)
		c->io->close(c);
	free(c);
	return rc;
}

static void drop_queue(struct conn *c, int err, bool tell)
{
	struct out *o = c->out_first;

	c->out_first = NULL;
	c->out_last = &c->out_first;
	c->queued_bytes = 0;
	while (o) {
		struct out *next = o->next;

		if (tell)
			tell_error(c->t, o->asker, o->origin, err);
		bytes_unref(o->wire);
		free(o);
		o = next;
	}
}

void conn_free(struct conn *c, int err, bool tell)
{
	struct transport *t = c->t;
	bool was_up = !c->connecting && !c->handshaking;

	unlist(c);
	loop_fd_del(t->loop, &c->f);
	if (c->io->close)
		c->io->close(c);
	close(c->f.fd);
	timer_stop(&c->timer);
	table_del(t, c);
	t->stats.connections--;
	t->stats.closes++;
	/* The callbacks below may send, even to the same remote: this connection is in no table any more. */
	drop_queue(c, err ? err : -ECONNRESET, tell);
	stream_fini(&c->in);
	if (tell && was_up)
		t->ops->closed(t->u, &c->flow);
	free(c);
}

static void on_timer(struct timer *tm)
{
	struct conn *c = container_of(tm, struct conn, timer);
	const struct transport_limits *lim = &c->t->lim;
	uint64_t now = now_ms(c), idle_at = c->active_ms + (uint64_t)lim->idle_timeout_s * 1000;
	uint64_t frame_at = c->partial_ms ? c->partial_ms + (uint64_t)lim->frame_timeout_s * 1000 : UINT64_MAX;
	uint64_t next;

	if (c->failed || c->closing) {
		conn_free(c, c->failed, true);
	} else if (c->connecting || c->handshaking) {
		conn_free(c, -ETIMEDOUT, true);
	} else if (now >= idle_at || now >= frame_at) {
		conn_free(c, -ETIMEDOUT, true);
	} else {
		next = idle_at < frame_at ? idle_at : frame_at;
		due_in(c, next - now);
	}
}

/* ---- out ---- */

static void want(struct conn *c)
{
	bool out = c->ssl_wants_write || (c->out_first && !c->handshaking);

	loop_fd_mod(c->t->loop, &c->f, (c->closing ? 0 : EPOLLIN) | (out ? EPOLLOUT : 0));
}

static void flush(struct conn *c)
{
	while (c->out_first && !c->failed) {
		struct out *o = c->out_first;
		ssize_t n = c->io->write(c, o->wire->p + o->sent, o->wire->l - o->sent);

		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n < 0) {
			conn_fail(c, (int)n);
			return;
		}
		c->active_ms = now_ms(c);
		o->sent += (size_t)n;
		c->queued_bytes -= (uint32_t)n;
		c->t->stats.tx_bytes += (uint64_t)n;
		if (o->sent < o->wire->l)
			continue;
		c->out_first = o->next;
		if (!o->next)
			c->out_last = &c->out_first;
		bytes_unref(o->wire);
		free(o);
	}
	if (c->closing && !c->out_first)
		conn_fail(c, -ECONNRESET);
	else
		want(c);
}

static int queue(struct conn *c, struct bytes *wire, uint64_t origin, uint16_t asker)
{
	struct out *o;

	if (wire->l > c->t->lim.max_queued_bytes - c->queued_bytes) {
		conn_fail(c, -ENOBUFS);		/* a peer that does not read: its messages would only grow old */
		return -ENOBUFS;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	*o = (struct out){ .wire = bytes_ref(wire), .origin = origin, .asker = asker };
	*c->out_last = o;
	c->out_last = &o->next;
	c->queued_bytes += (uint32_t)wire->l;
	return 0;
}

int conn_send(struct conn *c, struct bytes *wire, uint64_t origin, uint16_t asker)
{
	bool was_empty = !c->out_first;
	int rc = queue(c, wire, origin, asker);

	if (rc < 0)
		return rc;
	c->t->stats.tx_messages++;
	if (was_empty && !c->connecting && !c->handshaking)
		flush(c);
	return 0;
}

int stream_send(struct transport *t, const struct sip_flow *to, struct bytes *wire, uint64_t origin, uint16_t asker)
{
	struct conn *c = to->worker == t->worker ? conn_find(t, to->conn, to->conn_gen) : NULL;
	int rc;

	if (!c)
		c = conn_to(t, to);
	if (!c) {
		rc = tcp_connect(t, to, &c);
		if (rc < 0)
			return rc;
	}
	return conn_send(c, wire, origin, asker);
}

/* ---- in ---- */

static void lost(struct conn *c, enum stream_event ev, struct str raw)
{
	if (ev == STREAM_BAD)
		input_bad(c->t, &c->flow, raw, 400, "bad Content-Length");
	else
		input_bad(c->t, &c->flow, raw, 513, "message too large");
	/* Where the next message would start is not known: RFC 3261 §18.3.  The answer still goes out. */
	c->closing = true;
	unlist(c);
	if (c->failed)
		return;
	timer_start(loop_wheel(c->t->loop), &c->timer, TP_LINGER_MS);
	flush(c);
}

static void pong(struct conn *c)
{
	struct bytes *b = bytes_new(STR("\r\n"));

	c->t->stats.keepalives++;
	if (!b)
		return;
	if (queue(c, b, 0, c->t->worker) == 0)
		flush(c);
	bytes_unref(b);
}

static void serve(struct conn *c)
{
	while (!c->failed && !c->closing) {
		struct str raw;
		enum stream_event ev = stream_next(&c->in, &raw);

		if (ev == STREAM_MORE)
			break;
		if (ev == STREAM_PING) {
			pong(c);
		} else if (ev == STREAM_MESSAGE) {
			c->partial_ms = 0;	/* the next half has its own time */
			if (!c->alias_asked)
				alias_learn(c, raw);
			if (input_message(c->t, &c->flow, raw, c->waiting_us) < 0)
				conn_fail(c, -EACCES);
		} else if (ev != STREAM_PONG) {
			lost(c, ev, raw);
		}
	}
}

/* One read and what came of it.  false: nothing more to read now. */
static bool read_once(struct conn *c)
{
	size_t room;
	char *p = stream_room(&c->in, &room);
	ssize_t n = p ? c->io->read(c, p, room) : -ENOMEM;

	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n <= 0) {
		conn_fail(c, n ? (int)n : -ECONNRESET);
		return false;
	}
	c->active_ms = now_ms(c);
	c->t->stats.rx_bytes += (uint64_t)n;
	stream_filled(&c->in, (size_t)n);
	serve(c);
	return (size_t)n == room;
}

static void on_input(struct conn *c)
{
	bool drained = false;

	/* Octets waited since the loop saw them, or, on a connection that is never read empty, since it was so last. */
	if (!c->behind)
		c->waiting_us = loop_turn_us(c->t->loop);
	for (unsigned i = 0; i < TP_READS_PER_TURN && !drained && !c->failed && !c->closing; i++)
		drained = !read_once(c);
	c->behind = !drained;
	if (!stream_partial(&c->in)) {
		c->partial_ms = 0;
	} else if (!c->partial_ms) {
		c->partial_ms = now_ms(c);
		if (!c->failed && !c->closing)
			due_in(c, (uint64_t)c->t->lim.frame_timeout_s * 1000);
	}
	stream_trim(&c->in);
}

/* Octets may pass now. */
static void up(struct conn *c)
{
	c->active_ms = now_ms(c);
	timer_start(loop_wheel(c->t->loop), &c->timer, (uint64_t)c->t->lim.idle_timeout_s * 1000);
	flush(c);
}

static void on_handshake(struct conn *c)
{
	int rc = c->io->handshake(c);

	if (rc == -EAGAIN) {
		want(c);
		return;
	}
	if (rc < 0) {
		conn_fail(c, rc);
		return;
	}
	c->handshaking = false;
	up(c);
}

static void on_connected(struct conn *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(c->f.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err) {
		conn_fail(c, -err);
		return;
	}
	c->connecting = false;
	if (c->handshaking) {
		timer_start(loop_wheel(c->t->loop), &c->timer, c->t->lim.connect_timeout_ms);
		on_handshake(c);
	} else {
		up(c);
	}
}

static void on_event(struct loop_fd *f, uint32_t revents)
{
	struct conn *c = container_of(f, struct conn, f);

	if (c->connecting) {
		on_connected(c);
		return;
	}
	if (c->handshaking) {
		on_handshake(c);
		return;
	}
	if (revents & EPOLLOUT)
		flush(c);
	if (!c->failed && !c->closing && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		on_input(c);
	else if (!c->failed && c->closing && (revents & (EPOLLHUP | EPOLLERR)))
		conn_fail(c, -ECONNRESET);
}
