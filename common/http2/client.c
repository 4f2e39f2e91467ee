/* common/http2/client.c - requests over connections that are opened when needed and kept: RFC 9113 §5, §6.8, §8.7, §9.1.
 *
 *   h2_send -> waiting (for the connection, or for a stream) -> active (a stream) -> done -> callback
 *
 * One connection for each peer takes new requests.  After GOAWAY it serves what it has, and the next request opens another.  A peer
 * that lets a deadline pass is pinged; one that does not answer that either is hung up on, so that nobody waits for it again. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/http2/private.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/hash.h"

#define PING_MS 2000u
#define AUTHORITY_BYTES 256u
#define CALL_ARENA_BYTES 1024u

static METRIC_DEF(m_requests, "cscf_http2_requests_total", METRIC_COUNTER, "HTTP/2 requests sent, by outcome.", "outcome", NULL);
static METRIC_DEF(m_connections, "cscf_http2_connections", METRIC_GAUGE, "HTTP/2 connections to peers.", NULL, NULL);

struct h2_client {
	struct loop *loop;
	struct h2_client_config cfg;
	struct list conns, done;
	struct htab calls;
	struct timer deliver;
	uint64_t last_id;
	uint32_t n_conns;
};
struct conn {
	struct h2_io io;
	struct list link;
	struct h2_client *c;
	struct addr to;
	bool tls, draining;
	char authority[AUTHORITY_BYTES];
	struct list waiting, active;
	uint32_t n_active;
	struct timer limit;		/* until it stands; then, while it is idle */
	struct timer ping;
};
struct call {
	struct h2_body body;		/* first: message.c */
	struct list link;		/* conn->waiting, conn->active or client->done */
	struct hnode node;
	struct h2_client *c;
	struct conn *conn;		/* NULL: done */
	uint64_t id;
	int32_t stream;
	struct timer deadline;
	h2_answer_fn fn;
	void *arg;
	struct arena *a;		/* the texts of req */
	struct h2_request req;
	struct h2_message in;
	bool whole, again;		/* the answer has ended; it was sent anew */
	int err;
};

/* ---- the end of a call ---- */

static const char *outcome(const struct call *k)
{
	static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };

	if (k->err == -ETIMEDOUT)
		return "timeout";
	return k->err || k->in.status < 100 || k->in.status > 599 ? "failed" : classes[k->in.status / 100 - 1];
}

static void call_free(struct call *k)
{
	timer_stop(&k->deadline);
	htab_del(&k->c->calls, &k->node);
	list_del(&k->link);
	h2_message_fini(&k->in);
	arena_unref(k->a);
	free(k);
}

static void call_done(struct call *k, int err)
{
	if (k->conn && k->stream > 0)
		k->conn->n_active--;
	k->conn = NULL;
	k->err = err;
	timer_stop(&k->deadline);
	list_del(&k->link);
	list_add_tail(&k->c->done, &k->link);
	if (!timer_pending(&k->c->deliver))
		timer_start(loop_wheel(k->c->loop), &k->c->deliver, 0);
}

static void deliver(struct h2_client *c)
{
	timer_stop(&c->deliver);
	while (!list_empty(&c->done)) {
		struct call *k = list_entry(c->done.next, struct call, link);
		struct h2_response r = { .err = k->err, .status = k->in.status, .header = k->in.h, .n_headers = k->in.n, .body = buf_str(&k->in.body) };

		metric_add(&m_requests, outcome(k), NULL, 1);
		htab_del(&c->calls, &k->node);		/* h2_cancel() finds it no more */
		k->fn(k->arg, &r);
		call_free(k);
	}
}

static void on_deliver(struct timer *t)
{
	deliver(container_of(t, struct h2_client, deliver));
}

/* ---- streams ---- */

static void place(struct call *k);

static bool is_served_by(const struct conn *n, const struct h2_request *r)
{
	return !n->draining && n->tls == r->tls && addr_eq(&n->to, &r->to) && (!r->tls || str_eq_c(r->authority, n->authority));
}

static int submit(struct conn *n, struct call *k)
{
	struct arena_mark mark = arena_mark(k->a);
	unsigned total = k->req.n_headers + 4;
	nghttp2_nv *nv = arena_alloc(k->a, total * sizeof(*nv));

	if (!nv)
		return -ENOMEM;
	k->body = (struct h2_body){ k->req.body, 0 };
	nv[0] = h2_nv(STR(":method"), str_from_c(k->req.method));
	nv[1] = h2_nv(STR(":scheme"), k->req.tls ? STR("https") : STR("http"));
	nv[2] = h2_nv(STR(":authority"), k->req.authority);
	nv[3] = h2_nv(STR(":path"), k->req.path);
	for (unsigned i = 0; i < k->req.n_headers; i++)
		nv[4 + i] = h2_nv(k->req.header[i].name, k->req.header[i].value);
	k->stream = nghttp2_submit_request(n->io.ng, NULL, nv, total, k->req.body.l ? &h2_provider : NULL, k);
	arena_rewind(k->a, mark);		/* nghttp2 has copied them */
	return k->stream < 0 ? -EPROTO : 0;
}

/* As many as may have a stream now. */
static void feed(struct conn *n)
{
	uint32_t most;

	if (n->io.state != H2_OPEN || n->draining)
		return;
	most = nghttp2_session_get_remote_settings(n->io.ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (most > n->c->cfg.max_streams)
		most = n->c->cfg.max_streams;
	while (n->n_active < most && !list_empty(&n->waiting)) {
		struct call *k = list_entry(n->waiting.next, struct call, link);

		if (submit(n, k) < 0) {
			k->stream = 0;
			call_done(k, -EPROTO);
			continue;
		}
		list_del(&k->link);
		list_add_tail(&n->active, &k->link);
		n->n_active++;
	}
	timer_stop(&n->limit);
	h2_io_kick(&n->io);
}

/* Nobody has looked at it: once more, on a connection that takes it. */
static void anew(struct call *k, int err)
{
	if (k->conn && k->stream > 0)
		k->conn->n_active--;
	k->stream = 0;
	k->conn = NULL;
	list_del(&k->link);
	list_init(&k->link);
	if (k->again) {
		call_done(k, err);
		return;
	}
	k->again = true;
	place(k);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name, size_t name_l, const uint8_t *value, size_t value_l,
		     uint8_t flags, void *u)
{
	struct call *k = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
	int rc;

	(void)flags;
	(void)u;
	if (!k || k->err)
		return 0;
	rc = h2_message_header(&k->in, str_make((const char *)name, name_l), str_make((const char *)value, value_l));
	if (rc < 0) {
		k->err = rc;
		nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_CANCEL);
	}
	return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream, const uint8_t *p, size_t l, void *u)
{
	struct call *k = nghttp2_session_get_stream_user_data(ng, stream);
	int rc;

	(void)flags;
	(void)u;
	if (!k || k->err)
		return 0;
	rc = h2_message_data(&k->in, str_make((const char *)p, l));
	if (rc < 0) {
		k->err = rc;
		nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
	}
	return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *u)
{
	struct conn *n = u;
	struct call *k;

	timer_stop(&n->ping);
	if (f->hd.type == NGHTTP2_GOAWAY)
		n->draining = true;
	if ((f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	k = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
	if (k)
		k->whole = true;
	return 0;
}

static int on_close(nghttp2_session *ng, int32_t stream, uint32_t code, void *u)
{
	struct call *k = nghttp2_session_get_stream_user_data(ng, stream);

	(void)u;
	if (!k)
		return 0;
	if (k->err)
		call_done(k, k->err);
	else if (k->whole && k->in.status)
		call_done(k, 0);
	else if (code == NGHTTP2_REFUSED_STREAM)
		anew(k, -ECONNREFUSED);
	else
		call_done(k, -ECONNRESET);
	return 0;
}

/* ---- connections ---- */

static void conn_free(struct conn *n)
{
	timer_stop(&n->limit);
	timer_stop(&n->ping);
	h2_io_stop(&n->io);
	list_del(&n->link);
	n->c->n_conns--;
	metric_adjust(&m_connections, NULL, NULL, -1);
	free(n);
}

/* Nobody can have seen what never left: never a timeout, nor a reset, after which the peer may have served it. */
static int unseen(int err)
{
	return err == -ECONNREFUSED || err == -EACCES || err == -ENOMEM ? err : -EHOSTUNREACH;
}

static void conn_over(struct conn *n, int err)
{
	bool stood = n->io.state == H2_OPEN;

	n->draining = true;		/* place() looks for another */
	while (!list_empty(&n->active))
		call_done(list_entry(n->active.next, struct call, link), err == -ETIMEDOUT ? err : -ECONNRESET);
	while (!list_empty(&n->waiting)) {
		struct call *k = list_entry(n->waiting.next, struct call, link);

		if (stood)
			anew(k, unseen(err));
		else
			call_done(k, unseen(err));
	}
	conn_free(n);
}

static void on_closed(struct h2_io *io, int err)
{
	conn_over(container_of(io, struct conn, io), err);
}

static void on_limit(struct timer *t)
{
	conn_over(container_of(t, struct conn, limit), -ETIMEDOUT);
}

static void on_ping(struct timer *t)
{
	struct conn *n = container_of(t, struct conn, ping);
	char text[ADDR_STRLEN];

	log_warn(LOG_TP, "an HTTP/2 peer is silent: hung up", LOG_C("peer", addr_fmt(&n->to, text)));
	conn_over(n, -ETIMEDOUT);
}

static void on_opened(struct h2_io *io)
{
	struct conn *n = container_of(io, struct conn, io);
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 }, { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_MAX_HEADER_BYTES },
	};

	nghttp2_submit_settings(io->ng, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));
	feed(n);
}

static void on_turn(struct h2_io *io)
{
	struct conn *n = container_of(io, struct conn, io);

	deliver(n->c);
	feed(n);
	if (n->draining)
		while (!list_empty(&n->waiting))
			anew(list_entry(n->waiting.next, struct call, link), -ECONNREFUSED);
	if (!list_empty(&n->active))
		return;
	if (n->draining)
		nghttp2_session_terminate_session(io->ng, NGHTTP2_NO_ERROR);
	else if (!timer_pending(&n->limit))
		timer_start(loop_wheel(n->c->loop), &n->limit, n->c->cfg.idle_ms);
}

static nghttp2_session *session_new(struct conn *n)
{
	nghttp2_session_callbacks *cb;
	nghttp2_session *ng = NULL;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	if (nghttp2_session_client_new(&ng, cb, n) != 0)
		ng = NULL;
	nghttp2_session_callbacks_del(cb);
	return ng;
}

/* A socket that connects: its descriptor, or -errno. */
static int dial(const struct addr *to)
{
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &to->sa, addr_len(to)) == 0 || errno == EINPROGRESS)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int tls_for(struct h2_client *c, const struct h2_request *r, SSL **ret)
{
	ssize_t colon = str_rchr(r->authority, ':');
	struct str host = colon > 0 && r->authority.p[r->authority.l - 1] != ']' ? str_head(r->authority, (size_t)colon) : r->authority;

	*ret = NULL;
	if (!r->tls)
		return 0;
	if (!c->cfg.tls)
		return -EACCES;
	*ret = h2_tls_connection(c->cfg.tls, false, host);
	return *ret ? 0 : -ENOMEM;
}

static int conn_new(struct h2_client *c, const struct h2_request *r, struct conn **ret)
{
	struct conn *n = calloc(1, sizeof(*n));
	SSL *ssl = NULL;
	int rc = n && str_copy(r->authority, n->authority, sizeof(n->authority)) ? tls_for(c, r, &ssl) : -ENOMEM, fd;

	if (rc == 0 && !(n->io.ng = session_new(n)))
		rc = -ENOMEM;
	fd = rc == 0 ? dial(&r->to) : rc;
	if (fd < 0) {
		SSL_free(ssl);
		if (n)
			nghttp2_session_del(n->io.ng);
		free(n);
		return fd;
	}
	n->c = c;
	n->to = r->to;
	n->tls = r->tls;
	list_init(&n->waiting);
	list_init(&n->active);
	timer_init(&n->limit, on_limit);
	timer_init(&n->ping, on_ping);
	n->io.opened = on_opened;
	n->io.turn = on_turn;
	n->io.closed = on_closed;
	rc = h2_io_start(&n->io, c->loop, fd, ssl);
	if (rc < 0) {
		free(n);
		return rc;
	}
	timer_start(loop_wheel(c->loop), &n->limit, c->cfg.connect_ms);
	list_add_tail(&c->conns, &n->link);
	c->n_conns++;
	metric_adjust(&m_connections, NULL, NULL, 1);
	*ret = n;
	return 0;
}

/* k is in no list. */
static void place(struct call *k)
{
	struct conn *n = NULL;
	struct list *i;
	int rc = 0;

	list_for_each(i, &k->c->conns) {
		n = list_entry(i, struct conn, link);
		if (is_served_by(n, &k->req))
			break;
		n = NULL;
	}
	if (!n)
		rc = conn_new(k->c, &k->req, &n);
	if (rc < 0) {
		list_init(&k->link);
		call_done(k, unseen(rc));
		return;
	}
	k->conn = n;
	list_add_tail(&n->waiting, &k->link);
	feed(n);
}

/* ---- calls ---- */

static void abandon(struct call *k)
{
	struct conn *n = k->conn;

	if (!n || k->stream <= 0)
		return;
	nghttp2_session_set_stream_user_data(n->io.ng, k->stream, NULL);
	nghttp2_submit_rst_stream(n->io.ng, NGHTTP2_FLAG_NONE, k->stream, NGHTTP2_CANCEL);
	h2_io_kick(&n->io);
}

static void on_deadline(struct timer *t)
{
	struct call *k = container_of(t, struct call, deadline);
	struct conn *n = k->conn;

	abandon(k);
	if (n && n->io.state == H2_OPEN && !timer_pending(&n->ping)) {
		nghttp2_submit_ping(n->io.ng, NGHTTP2_FLAG_NONE, NULL);
		timer_start(loop_wheel(n->c->loop), &n->ping, PING_MS);
	}
	call_done(k, -ETIMEDOUT);
}

static int copy_request(struct call *k, const struct h2_request *r)
{
	struct h2_header *h = arena_alloc(k->a, (r->n_headers + 1) * sizeof(*h));
	size_t texts = r->authority.l + r->path.l + r->body.l, copied;

	if (!h)
		return -ENOMEM;
	k->req = *r;
	k->req.header = h;
	k->req.authority = arena_dup(k->a, r->authority);
	k->req.path = arena_dup(k->a, r->path);
	k->req.body = arena_dup(k->a, r->body);
	copied = k->req.authority.l + k->req.path.l + k->req.body.l;
	for (unsigned i = 0; i < r->n_headers; i++) {
		h[i].name = arena_dup(k->a, r->header[i].name);
		h[i].value = arena_dup(k->a, r->header[i].value);
		texts += r->header[i].name.l + r->header[i].value.l;
		copied += h[i].name.l + h[i].value.l;
	}
	return copied == texts ? 0 : -ENOMEM;
}

uint64_t h2_send(struct h2_client *c, const struct h2_request *r, h2_answer_fn fn, void *arg)
{
	struct call *k = c->calls.n < c->cfg.max_requests ? calloc(1, sizeof(*k)) : NULL;

	if (!k)
		return 0;
	k->a = arena_new(CALL_ARENA_BYTES + r->body.l);
	if (h2_message_init(&k->in) < 0 || !k->a || r->authority.l >= AUTHORITY_BYTES || copy_request(k, r) < 0) {
		h2_message_fini(&k->in);
		arena_unref(k->a);
		free(k);
		return 0;
	}
	k->c = c;
	k->id = ++c->last_id;
	k->fn = fn;
	k->arg = arg;
	timer_init(&k->deadline, on_deadline);
	timer_start(loop_wheel(c->loop), &k->deadline, r->deadline_ms);
	htab_add(&c->calls, &k->node, hash_mix(k->id, 0));
	place(k);
	return k->id;
}

static bool is_id(const struct hnode *h, const void *key)
{
	return container_of(h, struct call, node)->id == *(const uint64_t *)key;
}

void h2_cancel(struct h2_client *c, uint64_t request)
{
	struct hnode *h = htab_find(&c->calls, hash_mix(request, 0), is_id, &request);
	struct call *k = h ? container_of(h, struct call, node) : NULL;

	if (!k)
		return;
	abandon(k);
	if (k->conn && k->stream > 0)
		k->conn->n_active--;
	call_free(k);
}

uint32_t h2_client_outstanding(const struct h2_client *c)
{
	return (uint32_t)c->calls.n;
}

uint32_t h2_client_connections(const struct h2_client *c)
{
	return c->n_conns;
}

struct str h2_response_header(const struct h2_response *r, const char *name)
{
	return h2_find(r->header, r->n_headers, name);
}

/* ---- life ---- */

struct h2_client *h2_client_new(struct loop *l, const struct h2_client_config *cfg)
{
	struct h2_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (htab_init(&c->calls, 64) < 0) {
		free(c);
		return NULL;
	}
	c->loop = l;
	c->cfg = *cfg;
	list_init(&c->conns);
	list_init(&c->done);
	timer_init(&c->deliver, on_deliver);
	metrics_register(&m_requests);
	metrics_register(&m_connections);
	return c;
}

static void forget(struct list *calls)
{
	while (!list_empty(calls))
		call_free(list_entry(calls->next, struct call, link));
}

void h2_client_free(struct h2_client *c)
{
	if (!c)
		return;
	timer_stop(&c->deliver);
	while (!list_empty(&c->conns)) {
		struct conn *n = list_entry(c->conns.next, struct conn, link);

		forget(&n->waiting);
		forget(&n->active);
		conn_free(n);
	}
	forget(&c->done);
	htab_fini(&c->calls);
	free(c);
}
