/* common/http2/io.c - one connection: a socket, TLS or not, and nghttp2 between input and output.
 *
 * nghttp2 calls back in the middle of its work.  Owners only note things there; turn() is when nghttp2 is left and anything may be
 * done.  What is submitted outside of a turn leaves by a timer, so that nobody is called back from inside his own call. */
#include <errno.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "common/http2/private.h"

#define READ_BYTES 16384u
#define READS_PER_TURN 16u		/* then others have their turn */
#define OUT_BYTES 32768u		/* is asked of nghttp2 at a time */

static int tls_error(SSL *ssl, int rc)
{
	int e = SSL_get_error(ssl, rc);

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	ERR_clear_error();
	return e == SSL_ERROR_SSL ? -EACCES : -ECONNRESET;
}

/* > 0: octets; 0: the end; -EAGAIN... */
static ssize_t io_read(struct h2_io *io, char *dst, size_t room)
{
	ssize_t n;

	if (io->ssl) {
		ERR_clear_error();
		n = SSL_read(io->ssl, dst, (int)room);
		return n > 0 ? n : SSL_get_error(io->ssl, (int)n) == SSL_ERROR_ZERO_RETURN ? 0 : tls_error(io->ssl, (int)n);
	}
	n = recv(io->fd.fd, dst, room, 0);
	return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t io_write(struct h2_io *io, struct str s)
{
	ssize_t n;

	if (io->ssl) {
		ERR_clear_error();
		n = SSL_write(io->ssl, s.p, (int)s.l);
		return n > 0 ? n : tls_error(io->ssl, (int)n);
	}
	n = send(io->fd.fd, s.p, s.l, MSG_NOSIGNAL);
	return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

static int connected(struct h2_io *io)
{
	int err = 0;
	socklen_t l = sizeof(err);

	if (getsockopt(io->fd.fd, SOL_SOCKET, SO_ERROR, &err, &l) < 0)
		return -errno;
	if (err)
		return -err;
	io->state = io->ssl ? H2_HANDSHAKE : H2_OPEN;
	return 0;
}

static int handshake(struct h2_io *io)
{
	const unsigned char *alpn;
	unsigned l = 0;
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(io->ssl);
	if (rc != 1)
		return tls_error(io->ssl, rc);
	SSL_get0_alpn_selected(io->ssl, &alpn, &l);
	if (l != 2 || memcmp(alpn, "h2", 2) != 0)	/* RFC 9113 §3.2 */
		return -EPROTO;
	io->state = H2_OPEN;
	return 0;
}

/* Fills `out` from nghttp2. */
static int gather(struct h2_io *io)
{
	const uint8_t *p;
	ssize_t n;

	buf_reset(&io->out);
	io->out_off = 0;
	while (io->out.l < OUT_BYTES) {
		n = nghttp2_session_mem_send(io->ng, &p);
		if (n < 0)
			return n == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO;
		if (n == 0)
			break;
		buf_put(&io->out, str_make((const char *)p, (size_t)n));
		if (io->out.failed)
			return -ENOMEM;
	}
	return 0;
}

static int write_all(struct h2_io *io)
{
	ssize_t n;
	int rc;

	for (;;) {
		if (io->out_off == io->out.l) {
			rc = gather(io);
			if (rc < 0 || io->out.l == 0)
				return rc;
		}
		n = io_write(io, str_from(buf_str(&io->out), io->out_off));
		if (n < 0)
			return (int)n;
		io->out_off += (size_t)n;
	}
}

static int read_all(struct h2_io *io)
{
	char block[READ_BYTES];
	ssize_t n;

	for (unsigned i = 0; i < READS_PER_TURN || (io->ssl && SSL_pending(io->ssl)); i++) {
		n = io_read(io, block, sizeof(block));
		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return (int)n;
		n = nghttp2_session_mem_recv(io->ng, (const uint8_t *)block, (size_t)n);
		if (n < 0)
			return n == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO;
	}
	return 0;
}

/* TLS may wait for the other direction; then both are watched. */
static void watch(struct h2_io *io)
{
	bool out = io->state == H2_CONNECTING || io->out_off < io->out.l || (io->state == H2_HANDSHAKE && SSL_want_write(io->ssl));
	uint32_t events = (io->state == H2_CONNECTING ? 0 : EPOLLIN) | (out ? EPOLLOUT : 0);

	if (events != io->fd.events)
		loop_fd_mod(io->loop, &io->fd, events);
}

static int hard(int rc)
{
	return rc == -EAGAIN ? 0 : rc;
}

static int open_up(struct h2_io *io)
{
	int rc = 0;

	if (io->state == H2_CONNECTING)
		rc = connected(io);
	if (rc == 0 && io->state == H2_HANDSHAKE)
		rc = handshake(io);
	if (rc == 0 && io->state == H2_OPEN)
		io->opened(io);
	return rc;
}

/* What is read before an error still counts: an answer and the end of the connection may come together. */
static void run(struct h2_io *io, bool input)
{
	int rc = 0;

	io->busy = true;
	timer_stop(&io->flush);
	if (io->state != H2_OPEN)
		rc = hard(open_up(io));
	if (rc == 0 && io->state == H2_OPEN && input)
		rc = hard(read_all(io));
	if (rc == 0 && io->state == H2_OPEN)
		rc = hard(write_all(io));
	if (io->state == H2_OPEN)
		io->turn(io);
	if (rc == 0 && io->state == H2_OPEN)		/* what the turn brought about */
		rc = hard(write_all(io));
	if (rc == 0 && io->state == H2_OPEN && io->out_off == io->out.l && !nghttp2_session_want_read(io->ng) && !nghttp2_session_want_write(io->ng))
		rc = -ESHUTDOWN;
	io->busy = false;
	if (rc < 0)
		io->closed(io, rc);
	else if (io->state != H2_CLOSED)
		watch(io);
}

static void on_fd(struct loop_fd *f, uint32_t events)
{
	(void)events;
	run(container_of(f, struct h2_io, fd), true);
}

static void on_flush(struct timer *t)
{
	run(container_of(t, struct h2_io, flush), false);
}

int h2_io_start(struct h2_io *io, struct loop *l, int fd, SSL *ssl)
{
	int rc;

	io->loop = l;
	io->ssl = ssl;
	io->state = H2_CONNECTING;		/* an accepted one is connected at once */
	io->fd = (struct loop_fd){ .fd = fd, .events = EPOLLOUT, .fn = on_fd };
	buf_init(&io->out, OUT_BYTES * 2);
	timer_init(&io->flush, on_flush);
	rc = ssl && SSL_set_fd(ssl, fd) != 1 ? -ENOMEM : loop_fd_add(l, &io->fd);
	if (rc < 0)
		h2_io_stop(io);
	return rc;
}

void h2_io_kick(struct h2_io *io)
{
	if (!io->busy && io->state == H2_OPEN && !timer_pending(&io->flush))
		timer_start(loop_wheel(io->loop), &io->flush, 0);
}

void h2_io_stop(struct h2_io *io)
{
	if (io->state == H2_CLOSED)
		return;
	io->state = H2_CLOSED;
	timer_stop(&io->flush);
	loop_fd_del(io->loop, &io->fd);
	if (io->ssl) {
		ERR_clear_error();
		SSL_shutdown(io->ssl);
		ERR_clear_error();
		SSL_free(io->ssl);
	}
	close(io->fd.fd);
	nghttp2_session_del(io->ng);
	io->ng = NULL;
	buf_fini(&io->out);
}
