/* common/transport/tcp.c - TCP sockets: listening, accepting, connecting.  RFC 3261 §18.1.1, §18.2.1. */
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include "common/transport/private.h"

#define BACKLOG 1024

static ssize_t tcp_read(struct conn *c, char *dst, size_t n)
{
	ssize_t r = recv(c->f.fd, dst, n, MSG_DONTWAIT);

	return r < 0 ? -errno : r;
}

static ssize_t tcp_write(struct conn *c, const char *src, size_t n)
{
	ssize_t r = send(c->f.fd, src, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return r < 0 ? -errno : r;
}

const struct conn_io conn_io_tcp = { tcp_read, tcp_write, NULL, NULL, NULL };

static void no_delay(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static bool out_of_descriptors(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

static void take(struct listener *ls, int fd, const struct addr *from)
{
	struct transport *t = ls->t;
	struct sip_flow flow = { .remote = *from, .local = ls->a, .proto = ls->proto };
	socklen_t len = sizeof(flow.local);
	struct conn *c = NULL;

	(void)getsockname(fd, &flow.local.sa, &len);
	no_delay(fd);
	if (t->stats.connections >= t->lim.max_connections || (t->filter && !t->filter(t->u, &flow, STR_NONE)) ||
	    conn_new(t, fd, &flow, false, &c) < 0) {
		t->stats.refused++;
		close(fd);
		return;
	}
	t->stats.accepts++;
}

static void on_acceptable(struct loop_fd *f, uint32_t revents)
{
	struct listener *ls = container_of(f, struct listener, f);
	struct transport *t = ls->t;

	(void)revents;
	for (unsigned i = 0; i < TP_ACCEPTS_PER_TURN; i++) {
		struct addr from;
		socklen_t len = sizeof(from);
		int fd = accept4(f->fd, &from.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			take(ls, fd, &from);
		} else if (out_of_descriptors(errno)) {
			log_warn(LOG_TP, "accept refused", LOG_C("error", strerror(errno)));
			loop_fd_mod(t->loop, f, 0);
			timer_start(loop_wheel(t->loop), &t->accept_timer, TP_ACCEPT_PAUSE_MS);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

void tcp_accept_again(struct timer *tm)
{
	struct transport *t = container_of(tm, struct transport, accept_timer);

	for (unsigned i = 0; i < t->n_listeners; i++)
		if (t->listener[i]->proto != SIP_UDP && t->listener[i]->f.fd >= 0)
			loop_fd_mod(t->loop, &t->listener[i]->f, EPOLLIN);
}

int tcp_open(struct listener *ls)
{
	if (listen(ls->f.fd, BACKLOG) < 0)
		return -errno;
	ls->f.events = EPOLLIN;
	ls->f.fn = on_acceptable;
	return loop_fd_add(ls->t->loop, &ls->f);
}

void tcp_stop(struct listener *ls)
{
	if (ls->f.fd < 0)
		return;
	loop_fd_del(ls->t->loop, &ls->f);
	close(ls->f.fd);
	ls->f.fd = -1;
}

/* A source port serves many remotes (SO_REUSEADDR), and again at once after a close: no TIME_WAIT of ours stands in the way. */
static int bind_from(int fd, const struct listener *ls)
{
	const struct linger reset = { .l_onoff = 1 };
	struct addr from = ls->a;
	int one = 1;

	if (ls->source) {
		if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
			return -errno;
	} else {
		addr_set_port(&from, 0);	/* chosen at connect: one port serves many remotes */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	}
	return bind(fd, &from.sa, addr_len(&from)) < 0 ? -errno : 0;
}

int tcp_connect(struct transport *t, const struct sip_flow *to, struct conn **ret)
{
	struct listener *ls = listener_for(t, to->proto, &to->local, to->remote.sa.sa_family);
	struct sip_flow flow = { .remote = to->remote, .proto = to->proto, .name = to->name };
	socklen_t len = sizeof(flow.local);
	bool sourced = ls && ls->source;
	int fd, rc = 0;

	if (t->stats.connections >= t->lim.max_connections) {
		t->stats.refused++;
		return -ENOSPC;
	}
	fd = socket(to->remote.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	no_delay(fd);
	if (ls && !addr_is_any(&ls->a))
		rc = bind_from(fd, ls);
	if (rc == 0 && connect(fd, &to->remote.sa, addr_len(&to->remote)) < 0 && errno != EINPROGRESS)
		rc = -errno;
	if (rc == 0) {
		(void)getsockname(fd, &flow.local.sa, &len);
		rc = conn_new(t, fd, &flow, true, ret);
	}
	if (rc < 0) {
		close(fd);
	} else {
		(*ret)->sourced = sourced;
		t->stats.connects++;
	}
	return rc;
}
