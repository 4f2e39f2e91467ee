/* common/store/redis_conn.c - see redis_conn.h: row H6. */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/store/redis_conn.h"
#include "common/transport/tls_files.h"
#include "common/util/addr.h"
#include "common/util/bytes.h"

#define DEFAULT_PORT 6379u
#define READ_BYTES 16384

struct redis_conn {
	struct loop_fd f;
	struct loop *l;
	SSL *ssl;			/* NULL: in clear */
	redisReader *reader;
	const struct redis_conn_ops *ops;
	void *u;
	struct buf out;
	size_t at;			/* of out: so much has gone */
	bool connected, ready;		/* ready: the TLS handshake is over, too */
	bool wants_out;			/* TLS waits until it may write */
	bool busy, dead;		/* dead: freed as soon as it is not busy */
};

/* ---- ends ---- */

static void destroy(struct redis_conn *c)
{
	loop_fd_del(c->l, &c->f);
	if (c->ssl && c->ready)
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	close(c->f.fd);
	redisReaderFree(c->reader);
	buf_fini(&c->out);
	free(c);
}

void redis_conn_free(struct redis_conn *c)
{
	if (!c)
		return;
	if (c->busy)
		c->dead = true;
	else
		destroy(c);
}

static void fail(struct redis_conn *c, const char *why)
{
	if (c->dead)
		return;
	c->dead = true;			/* whatever the other does: nothing more is said, and it goes when on_event() returns */
	c->ops->broken(c->u, why);
}

/* ---- octets ---- */

static const char *tls_why(const struct redis_conn *c)
{
	long verified = SSL_get_verify_result(c->ssl);
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	return why ? why : "the connection was closed";
}

/* What SSL_read(), SSL_write() or SSL_do_handshake() said: true, it goes on later. */
static bool later(struct redis_conn *c, int rc)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return true;
	case SSL_ERROR_WANT_WRITE:
		c->wants_out = true;
		return true;
	default:
		fail(c, tls_why(c));
		return false;
	}
}

/* How many were read; 0: none now, or it failed. */
static size_t read_some(struct redis_conn *c, char *p, size_t size)
{
	ssize_t n;

	if (c->ssl) {
		int k = SSL_read(c->ssl, p, (int)size);

		if (k > 0)
			return (size_t)k;
		later(c, k);
		return 0;
	}
	n = recv(c->f.fd, p, size, 0);
	if (n > 0)
		return (size_t)n;
	if (n == 0)
		fail(c, "the connection was closed");
	else if (errno != EAGAIN && errno != EINTR)
		fail(c, strerror(errno));
	return 0;
}

static size_t write_some(struct redis_conn *c, const char *p, size_t l)
{
	ssize_t n;

	if (c->ssl) {
		int k = SSL_write(c->ssl, p, l > INT32_MAX ? INT32_MAX : (int)l);

		if (k > 0)
			return (size_t)k;
		later(c, k);
		return 0;
	}
	n = send(c->f.fd, p, l, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		fail(c, strerror(errno));
	return n > 0 ? (size_t)n : 0;
}

static void flush(struct redis_conn *c)
{
	size_t n = 1;

	while (!c->dead && c->at < c->out.l && n) {
		n = write_some(c, c->out.p + c->at, c->out.l - c->at);
		c->at += n;
	}
	if (c->at == c->out.l) {
		buf_reset(&c->out);
		c->at = 0;
	}
}

static void read_all(struct redis_conn *c)
{
	char room[READ_BYTES];
	size_t n;

	while (!c->dead && (n = read_some(c, room, sizeof(room))) > 0) {
		void *reply = NULL;
		int rc = redisReaderFeed(c->reader, room, n);

		while (rc == REDIS_OK && !c->dead && (rc = redisReaderGetReply(c->reader, &reply)) == REDIS_OK && reply) {
			c->ops->reply(c->u, reply);
			freeReplyObject(reply);
			reply = NULL;
		}
		if (rc != REDIS_OK)
			fail(c, c->reader->errstr);
	}
}

/* ---- events ---- */

static bool finish_connect(struct redis_conn *c)
{
	socklen_t l = sizeof(int);
	int err = 0;

	if (getsockopt(c->f.fd, SOL_SOCKET, SO_ERROR, &err, &l) < 0)
		err = errno;
	if (err)
		fail(c, strerror(err));
	c->connected = err == 0;
	return c->connected;
}

static bool finish_handshake(struct redis_conn *c)
{
	int rc = c->ssl ? SSL_do_handshake(c->ssl) : 1;

	if (rc == 1)
		c->ready = true;
	else
		later(c, rc);
	return c->ready;
}

static void on_event(struct loop_fd *f, uint32_t revents)
{
	struct redis_conn *c = container_of(f, struct redis_conn, f);
	uint32_t events = EPOLLIN;

	c->busy = true;
	c->wants_out = false;
	ERR_clear_error();
	if (!c->connected && !(revents & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		goto out;
	if ((c->connected || finish_connect(c)) && (c->ready || finish_handshake(c))) {
		flush(c);
		read_all(c);
		flush(c);		/* what the answers brought about */
	}
out:
	c->busy = false;
	if (c->dead) {
		destroy(c);
		return;
	}
	if (!c->connected || c->wants_out || (c->ready && c->at < c->out.l))
		events |= EPOLLOUT;
	loop_fd_mod(c->l, &c->f, events);
}

int redis_conn_write(struct redis_conn *c, const char *p, size_t l)
{
	if (c->dead)
		return -ENOTCONN;
	if (c->at && c->out.l + l > c->out.cap) {	/* what has gone makes room */
		memmove(c->out.p, c->out.p + c->at, c->out.l - c->at);
		c->out.l -= c->at;
		c->at = 0;
	}
	buf_put(&c->out, str_make(p, l));
	if (c->out.failed)
		return -ENOMEM;
	if (c->ready && !c->busy)
		loop_fd_mod(c->l, &c->f, EPOLLIN | EPOLLOUT);
	return 0;
}

/* ---- begins ---- */

/* An address at once; a name by the system's resolver, which may take its time: this is the store's thread, nobody else waits.  host: what
 * the certificate is held against. */
static bool find_address(const char *text, struct addr *ret, char host[256])
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	struct str all = str_from_c(text), name = all, port = STR_NONE;
	ssize_t colon = str_rchr(all, ':');
	uint32_t n = DEFAULT_PORT;

	if (addr_parse_hostport(all, DEFAULT_PORT, ret) == 0) {
		addr_host(ret, host);
		return true;
	}
	if (colon > 0) {
		name = str_head(all, (size_t)colon);
		port = str_from(all, (size_t)colon + 1);
	}
	if ((port.l && (str_to_u32(port, &n) < 0 || n > UINT16_MAX)) || !str_copy(name, host, 256) || getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	*ret = (struct addr){ .sa = { .sa_family = AF_UNSPEC } };
	memcpy(&ret->sa, found->ai_addr, found->ai_addrlen < sizeof(*ret) ? found->ai_addrlen : sizeof(*ret));
	addr_set_port(ret, (uint16_t)n);
	freeaddrinfo(found);
	return true;
}

static bool begin_tls(struct redis_conn *c, SSL_CTX *ctx, const char *name)
{
	c->ssl = SSL_new(ctx);
	if (!c->ssl || SSL_set_fd(c->ssl, c->f.fd) != 1)
		return false;
	SSL_set_connect_state(c->ssl);
	return tls_expect_name(c->ssl, str_from_c(name));
}

struct redis_conn *redis_conn_new(struct loop *l, const char *address, SSL_CTX *ctx, const char *name, const struct redis_conn_ops *ops, void *u)
{
	struct redis_conn *c = calloc(1, sizeof(*c));
	char host[256];
	struct addr a;
	int one = 1;

	if (!c || !find_address(address, &a, host))
		goto fail;
	c->l = l;
	c->ops = ops;
	c->u = u;
	buf_init(&c->out, REDIS_CONN_MAX_BYTES);
	c->reader = redisReaderCreate();
	c->f = (struct loop_fd){ .fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .events = EPOLLIN | EPOLLOUT, .fn = on_event };
	if (c->f.fd < 0 || !c->reader)
		goto fail_open;
	setsockopt(c->f.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->f.fd, &a.sa, addr_len(&a)) < 0 && errno != EINPROGRESS)
		goto fail_open;
	if ((ctx && !begin_tls(c, ctx, name ? name : host)) || loop_fd_add(l, &c->f) < 0)
		goto fail_open;
	return c;
fail_open:
	SSL_free(c->ssl);
	if (c->f.fd >= 0)
		close(c->f.fd);
	if (c->reader)
		redisReaderFree(c->reader);
	buf_fini(&c->out);
fail:
	free(c);
	return NULL;
}
