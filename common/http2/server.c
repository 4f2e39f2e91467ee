/* common/http2/server.c - requests of peers: RFC 9113 §5, §6.8; TS 29.500 §5.2.
 *
 *   stream -> whole -> ready -> cfg.request() -> h2_reply(), now or later -> closed
 *
 * A request whose sender has gone stays until its handler answers it: into nothing. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "common/http2/private.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"

#define ACCEPTS_PER_TURN 16u
#define ACCEPT_PAUSE_MS 100u		/* without descriptors */
#define MAX_WAITING 1024u		/* requests that handlers have not answered; more get 503 */
#define BACKLOG 128

static METRIC_DEF(m_served, "cscf_http2_served_total", METRIC_COUNTER, "HTTP/2 requests of peers, by outcome.", "outcome", NULL);

struct h2_server {
	struct loop *loop;
	struct h2_server_config cfg;
	struct loop_fd fd;
	struct timer again;
	struct list conns, orphans;
	uint32_t n_conns, n_waiting;
	size_t unfinished_bytes;
};
struct sconn {
	struct h2_io io;
	struct list link;
	struct h2_server *s;
	struct addr from;
	struct list open, ready, reqs;	/* not whole yet, oldest first; whole; all others */
	struct timer idle, slow;	/* slow: the oldest of `open` has had its time */
	size_t unfinished_bytes;
	unsigned strikes;		/* streams that took too much of something */
};
struct h2_req {
	struct h2_body body;		/* first: message.c */
	struct list link;		/* conn->open, ready, reqs, server->orphans */
	struct h2_server *s;
	struct sconn *conn;		/* NULL: gone */
	struct addr from;
	int32_t stream;
	struct h2_message in;
	bool bad, handed, answered, headers_done;
	uint64_t began_ms;
	size_t unfinished_bytes;	/* counted for the connection and the server; 0 once it is whole, or bad */
};

/* ---- what is not whole yet: h2_server_config.stream_ms and the like ---- */

static void give_back(struct h2_req *r)
{
	if (r->conn)
		r->conn->unfinished_bytes -= r->unfinished_bytes;
	r->s->unfinished_bytes -= r->unfinished_bytes;
	r->unfinished_bytes = 0;
}

/* It waits for its stream's end, which nghttp2 tells once the frame is written. */
static void reset(struct h2_req *r, const char *why, uint32_t code)
{
	r->bad = true;
	give_back(r);
	list_del(&r->link);
	list_add_tail(&r->conn->reqs, &r->link);
	metric_add(&m_served, why, NULL, 1);
	nghttp2_submit_rst_stream(r->conn->io.ng, NGHTTP2_FLAG_NONE, r->stream, code);
}

/* By its sender's doing. */
static void spoil(struct h2_req *r, const char *why, uint32_t code)
{
	r->conn->strikes++;
	reset(r, why, code);
}

/* Beyond what the connection may have it is spoilt; without room beside what others sent it is only turned away. */
static void charge(struct h2_req *r, size_t octets)
{
	const struct h2_server_config *c = &r->s->cfg;

	r->unfinished_bytes += octets;
	r->conn->unfinished_bytes += octets;
	r->s->unfinished_bytes += octets;
	if (r->conn->unfinished_bytes > c->max_connection_bytes)
		spoil(r, "over budget", NGHTTP2_ENHANCE_YOUR_CALM);
	else if (r->s->unfinished_bytes > c->max_unfinished_bytes)
		reset(r, "over budget", NGHTTP2_ENHANCE_YOUR_CALM);
}

/* ---- streams ---- */

static void req_free(struct h2_req *r)
{
	give_back(r);
	if (r->handed && !r->answered)
		r->s->n_waiting--;
	list_del(&r->link);
	h2_message_fini(&r->in);
	free(r);
}

static void req_gone(struct h2_req *r)
{
	if (!r->handed || r->answered) {
		req_free(r);
		return;
	}
	give_back(r);
	r->conn = NULL;
	list_del(&r->link);
	list_add_tail(&r->s->orphans, &r->link);
}

static int on_begin(nghttp2_session *ng, const nghttp2_frame *f, void *u)
{
	struct sconn *n = u;
	struct h2_req *r;

	if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r || h2_message_init(&r->in) < 0) {
		free(r);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	r->s = n->s;
	r->conn = n;
	r->from = n->from;
	r->stream = f->hd.stream_id;
	r->began_ms = loop_now_ms(n->s->loop);
	if (list_empty(&n->open))
		timer_start(loop_wheel(n->s->loop), &n->slow, n->s->cfg.stream_ms);
	list_add_tail(&n->open, &r->link);
	nghttp2_session_set_stream_user_data(ng, r->stream, r);
	charge(r, sizeof(*r));
	return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name, size_t name_l, const uint8_t *value, size_t value_l,
		     uint8_t flags, void *u)
{
	struct h2_req *r = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);

	(void)flags;
	(void)u;
	if (!r || r->bad || r->handed)
		return 0;
	if (h2_message_header(&r->in, str_make((const char *)name, name_l), str_make((const char *)value, value_l)) < 0)
		spoil(r, "too large", NGHTTP2_ENHANCE_YOUR_CALM);
	else
		charge(r, name_l + value_l);
	return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream, const uint8_t *p, size_t l, void *u)
{
	struct h2_req *r = nghttp2_session_get_stream_user_data(ng, stream);

	(void)flags;
	(void)u;
	if (!r || r->bad || r->handed)
		return 0;
	if (h2_message_data(&r->in, str_make((const char *)p, l)) < 0)
		spoil(r, "too large", NGHTTP2_ENHANCE_YOUR_CALM);
	else
		charge(r, l);
	return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *u)
{
	struct sconn *n = u;
	struct h2_req *r;

	timer_start(loop_wheel(n->s->loop), &n->idle, n->s->cfg.idle_ms);
	if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA)
		return 0;
	r = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
	if (!r || r->bad || r->handed)
		return 0;
	r->headers_done = true;
	if (!(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	give_back(r);
	list_del(&r->link);
	list_add_tail(&n->ready, &r->link);
	return 0;
}

static int on_close(nghttp2_session *ng, int32_t stream, uint32_t code, void *u)
{
	struct h2_req *r = nghttp2_session_get_stream_user_data(ng, stream);

	(void)code;
	(void)u;
	if (r)
		req_gone(r);
	return 0;
}

/* ---- connections ---- */

static void sconn_free(struct sconn *n)
{
	timer_stop(&n->idle);
	timer_stop(&n->slow);
	h2_io_stop(&n->io);
	while (!list_empty(&n->open))
		req_gone(list_entry(n->open.next, struct h2_req, link));
	while (!list_empty(&n->ready))
		req_gone(list_entry(n->ready.next, struct h2_req, link));
	while (!list_empty(&n->reqs))
		req_gone(list_entry(n->reqs.next, struct h2_req, link));
	list_del(&n->link);
	n->s->n_conns--;
	free(n);
}

static void on_closed(struct h2_io *io, int err)
{
	(void)err;
	sconn_free(container_of(io, struct sconn, io));
}

static void on_idle(struct timer *t)
{
	sconn_free(container_of(t, struct sconn, idle));
}

static void on_slow(struct timer *t)
{
	struct sconn *n = container_of(t, struct sconn, slow);
	uint64_t now = loop_now_ms(n->s->loop);

	while (!list_empty(&n->open)) {
		struct h2_req *r = list_entry(n->open.next, struct h2_req, link);

		if (r->began_ms + n->s->cfg.stream_ms > now) {
			timer_start(loop_wheel(n->s->loop), &n->slow, r->began_ms + n->s->cfg.stream_ms - now);
			break;
		}
		if (!r->headers_done) {		/* nothing else can be said on the connection */
			metric_add(&m_served, "unfinished", NULL, 1);
			sconn_free(n);
			return;
		}
		spoil(r, "unfinished", NGHTTP2_CANCEL);
	}
	if (n->strikes >= H2_MAX_STRIKES)
		sconn_free(n);
	else
		h2_io_kick(&n->io);
}

static void on_opened(struct h2_io *io)
{
	struct sconn *n = container_of(io, struct sconn, io);
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, n->s->cfg.max_streams }, { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_MAX_HEADER_BYTES },
	};

	nghttp2_submit_settings(io->ng, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));
}

static void hand_over(struct h2_server *s, struct h2_req *r)
{
	list_del(&r->link);
	list_add_tail(&r->conn->reqs, &r->link);
	r->handed = true;
	if (s->n_waiting++ >= MAX_WAITING)
		h2_reply(r, 503, NULL, 0, STR_NONE);
	else
		s->cfg.request(s->cfg.u, r);
}

static void on_turn(struct h2_io *io)
{
	struct sconn *n = container_of(io, struct sconn, io);

	while (!list_empty(&n->ready))
		hand_over(n->s, list_entry(n->ready.next, struct h2_req, link));
	if (n->strikes >= H2_MAX_STRIKES)
		timer_start(loop_wheel(n->s->loop), &n->slow, 0);	/* not from inside */
}

static nghttp2_session *session_new(struct sconn *n)
{
	nghttp2_session_callbacks *cb;
	nghttp2_session *ng = NULL;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	if (nghttp2_session_server_new(&ng, cb, n) != 0)
		ng = NULL;
	nghttp2_session_callbacks_del(cb);
	return ng;
}

static void take(struct h2_server *s, int fd, const struct addr *from)
{
	struct sconn *n = s->n_conns < s->cfg.max_connections ? calloc(1, sizeof(*n)) : NULL;
	SSL *ssl = n && s->cfg.tls ? h2_tls_connection(s->cfg.tls, true, STR_NONE) : NULL;
	int on = 1;

	if (n)
		n->io.ng = session_new(n);
	if (!n || !n->io.ng || (s->cfg.tls && !ssl)) {
		metric_add(&m_served, "no connection", NULL, 1);
		SSL_free(ssl);
		if (n)
			nghttp2_session_del(n->io.ng);
		free(n);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	n->s = s;
	n->from = *from;
	list_init(&n->open);
	list_init(&n->reqs);
	list_init(&n->ready);
	timer_init(&n->idle, on_idle);
	timer_init(&n->slow, on_slow);
	n->io.opened = on_opened;
	n->io.turn = on_turn;
	n->io.closed = on_closed;
	if (h2_io_start(&n->io, s->loop, fd, ssl) < 0) {
		free(n);
		return;
	}
	list_add_tail(&s->conns, &n->link);
	s->n_conns++;
	timer_start(loop_wheel(s->loop), &n->idle, s->cfg.idle_ms < H2_PREFACE_MS ? s->cfg.idle_ms : H2_PREFACE_MS);
}

static void on_accept(struct loop_fd *f, uint32_t events)
{
	struct h2_server *s = container_of(f, struct h2_server, fd);

	(void)events;
	for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct addr from = { 0 };
		socklen_t l = sizeof(from);
		int fd = accept4(f->fd, &from.sa, &l, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take(s, fd, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			loop_fd_mod(s->loop, f, 0);
			timer_start(loop_wheel(s->loop), &s->again, ACCEPT_PAUSE_MS);
		}
		return;
	}
}

static void on_again(struct timer *t)
{
	struct h2_server *s = container_of(t, struct h2_server, again);

	loop_fd_mod(s->loop, &s->fd, EPOLLIN);
}

/* ---- requests ---- */

struct str h2_req_method(const struct h2_req *r)
{
	return r->in.method;
}

struct str h2_req_path(const struct h2_req *r)
{
	return r->in.path;
}

struct str h2_req_header(const struct h2_req *r, const char *name)
{
	return h2_find(r->in.h, r->in.n, name);
}

struct str h2_req_body(const struct h2_req *r)
{
	return buf_str(&r->in.body);
}

struct addr h2_req_from(const struct h2_req *r)
{
	return r->from;
}

/* The handler is done with it.  false: its sender is gone, and it too. */
static bool settle(struct h2_req *r)
{
	r->answered = true;
	r->s->n_waiting--;
	if (r->conn)
		return true;
	req_free(r);
	return false;
}

void h2_reply(struct h2_req *r, unsigned status, const struct h2_header *h, unsigned n, struct str body)
{
	static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
	char text[4] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10), '\0' };
	nghttp2_nv *nv;

	metric_add(&m_served, status >= 100 && status < 600 ? classes[status / 100 - 1] : "other", NULL, 1);
	if (!settle(r))
		return;
	nv = arena_alloc(r->in.a, (n + 1) * sizeof(*nv));
	r->body = (struct h2_body){ arena_dup(r->in.a, body), 0 };
	if (!nv || r->body.s.l != body.l) {
		nghttp2_submit_rst_stream(r->conn->io.ng, NGHTTP2_FLAG_NONE, r->stream, NGHTTP2_INTERNAL_ERROR);
	} else {
		nv[0] = h2_nv(STR(":status"), str_from_c(text));
		for (unsigned i = 0; i < n; i++)
			nv[i + 1] = h2_nv(h[i].name, h[i].value);
		nghttp2_submit_response(r->conn->io.ng, r->stream, nv, n + 1, body.l ? &h2_provider : NULL);
	}
	h2_io_kick(&r->conn->io);
}

void h2_req_reset(struct h2_req *r, uint32_t error_code)
{
	if (!settle(r))
		return;
	nghttp2_submit_rst_stream(r->conn->io.ng, NGHTTP2_FLAG_NONE, r->stream, error_code);
	h2_io_kick(&r->conn->io);
}

void h2_req_drop(struct h2_req *r)
{
	settle(r);
}

/* ---- life ---- */

static int open_socket(const struct addr *at)
{
	int fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &at->sa, addr_len(at)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int h2_server_new(struct h2_server **ret, struct loop *l, const struct h2_server_config *c)
{
	struct h2_server *s = calloc(1, sizeof(*s));
	int fd = s ? open_socket(&c->listen) : -ENOMEM, rc;

	if (fd < 0) {
		free(s);
		return fd;
	}
	s->loop = l;
	s->cfg = *c;
	s->cfg.stream_ms = c->stream_ms ? c->stream_ms : H2_STREAM_MS;
	s->cfg.max_connection_bytes = c->max_connection_bytes ? c->max_connection_bytes : H2_CONNECTION_BYTES;
	s->cfg.max_unfinished_bytes = c->max_unfinished_bytes ? c->max_unfinished_bytes : H2_UNFINISHED_BYTES;
	s->fd = (struct loop_fd){ .fd = fd, .events = EPOLLIN, .fn = on_accept };
	list_init(&s->conns);
	list_init(&s->orphans);
	timer_init(&s->again, on_again);
	metrics_register(&m_served);
	rc = loop_fd_add(l, &s->fd);
	if (rc < 0) {
		close(fd);
		free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void h2_server_free(struct h2_server *s)
{
	if (!s)
		return;
	timer_stop(&s->again);
	loop_fd_del(s->loop, &s->fd);
	close(s->fd.fd);
	h2_server_hang_up(s);
	while (!list_empty(&s->orphans))
		req_free(list_entry(s->orphans.next, struct h2_req, link));
	free(s);
}

uint16_t h2_server_port(const struct h2_server *s)
{
	struct addr a = { 0 };
	socklen_t l = sizeof(a);

	return getsockname(s->fd.fd, &a.sa, &l) == 0 ? addr_port(&a) : 0;
}

/* RFC 9113 §6.8: what came up to now is served, and nothing more on these connections. */
void h2_server_goaway(struct h2_server *s)
{
	struct list *i;

	list_for_each(i, &s->conns) {
		struct sconn *n = list_entry(i, struct sconn, link);

		if (n->io.state != H2_OPEN)
			continue;
		nghttp2_submit_goaway(n->io.ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(n->io.ng), NGHTTP2_NO_ERROR, NULL, 0);
		h2_io_kick(&n->io);
	}
}

void h2_server_hang_up(struct h2_server *s)
{
	while (!list_empty(&s->conns))
		sconn_free(list_entry(s->conns.next, struct sconn, link));
}
