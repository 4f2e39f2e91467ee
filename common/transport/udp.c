/* common/transport/udp.c - datagrams: recvmmsg in, sendto out.  RFC 3261 §18.1.1, §18.2.1. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include "common/transport/private.h"
#include "common/util/clock.h"

#define MAX_WAIT_US 60000000u		/* a stamp older than that: the clock was set */
#define SEND_TRIES 5u			/* per datagram, while the socket tells of others */
#define READ_TRIES 3u			/* per turn, likewise */
#define SOCKET_BUFFER_BYTES (4 << 20)	/* a burst while the worker is busy; the kernel caps it */

/* What the kernel tells of each datagram: when it came, and how many found no room so far. */
union udp_control {
	char data[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(uint32_t))];
	struct cmsghdr align;
};

struct udp_batch {
	struct mmsghdr msg[TP_UDP_BATCH];
	struct iovec iov[TP_UDP_BATCH];
	struct addr from[TP_UDP_BATCH];
	union udp_control control[TP_UDP_BATCH];
	char data[TP_UDP_BATCH][TP_DGRAM_BYTES];
};

/* CRLFs or a zero octet keep a NAT binding open and want no answer: RFC 3261 §7.5 and common practice. */
static bool is_keepalive(struct str d)
{
	for (size_t i = 0; i < d.l; i++)
		if (d.p[i] != '\r' && d.p[i] != '\n' && d.p[i] != '\0' && d.p[i] != ' ')
			return false;
	return true;
}

static void on_datagram(struct listener *ls, const struct addr *from, struct str d, uint64_t recv_us)
{
	struct transport *t = ls->t;
	struct sip_flow flow = { .remote = *from, .local = ls->a, .proto = SIP_UDP, .worker = t->worker };

	t->stats.rx_bytes += d.l;
	if (is_keepalive(d))
		t->stats.keepalives++;
	else if (d.l > t->lim.max_message_bytes)
		input_bad(t, &flow, d, 513, "message too large");
	else
		input_message(t, &flow, d, recv_us);
}

/* The kernel stamps by the wall clock, which may be set: what cannot be is no wait at all. */
static uint64_t waited_us(const struct timespec *stamp, uint64_t wall_us)
{
	uint64_t then = (uint64_t)stamp->tv_sec * 1000000 + (uint64_t)stamp->tv_nsec / 1000;

	return then < wall_us && wall_us - then < MAX_WAIT_US ? wall_us - then : 0;
}

/* Returns how long it waited in the socket. */
static uint64_t read_control(struct listener *ls, struct msghdr *h, uint64_t wall_us)
{
	uint64_t waited = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		struct timespec stamp;
		uint32_t n;

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
			waited = waited_us(&stamp, wall_us);
		} else if (c->cmsg_type == SO_RXQ_OVFL) {
			memcpy(&n, CMSG_DATA(c), sizeof(n));
			ls->t->stats.kernel_drops += n - ls->overflows;	/* modulo 2**32, as the kernel counts */
			ls->overflows = n;
		}
	}
	return waited;
}

/* Errors beyond what a turn reads are told to this call as well, which reads nothing then: SIP does not wait behind them. */
static int read_some(int fd, struct udp_batch *b)
{
	int n = -1;

	for (unsigned i = 0; i < READ_TRIES && n < 0; i++) {
		n = recvmmsg(fd, b->msg, TP_UDP_BATCH, MSG_DONTWAIT, NULL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
	}
	return n;
}

static void on_readable(struct loop_fd *f, uint32_t revents)
{
	struct listener *ls = container_of(f, struct listener, f);
	struct udp_batch *b = ls->t->batch;
	uint64_t wall_us, mono_us;
	int n;

	if (revents & EPOLLERR)
		unreachable_read(ls);
	for (unsigned i = 0; i < TP_UDP_BATCH; i++) {
		b->iov[i] = (struct iovec){ b->data[i], TP_DGRAM_BYTES };
		b->msg[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i], .msg_namelen = sizeof(b->from[i]),
						     .msg_iov = &b->iov[i], .msg_iovlen = 1, .msg_control = &b->control[i],
						     .msg_controllen = sizeof(b->control[i]) };
	}
	n = read_some(f->fd, b);
	wall_us = clock_wall_us();
	mono_us = clock_mono_us();
	for (int i = 0; i < n; i++)
		on_datagram(ls, &b->from[i], str_make(b->data[i], b->msg[i].msg_len),
			    mono_us - read_control(ls, &b->msg[i].msg_hdr, wall_us));
}

int udp_open(struct listener *ls)
{
	int size = SOCKET_BUFFER_BYTES, one = 1;

	if (!ls->t->batch)
		ls->t->batch = calloc(1, sizeof(*ls->t->batch));
	if (!ls->t->batch)
		return -ENOMEM;
	/* The defaults serve too when the kernel refuses. */
	(void)setsockopt(ls->f.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(ls->f.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(ls->f.fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	(void)setsockopt(ls->f.fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
	if (ls->t->ops->unreachable)
		unreachable_ask(ls->f.fd);
	ls->f.events = EPOLLIN;
	ls->f.fn = on_readable;
	return loop_fd_add(ls->t->loop, &ls->f);
}

static bool is_no_route(int err)
{
	return err == ENETUNREACH || err == EHOSTUNREACH || err == EACCES;
}

static bool is_made_by_icmp(int err)
{
	return is_no_route(err) || err == ECONNREFUSED || err == EPROTO || err == ENOPROTOOPT || err == EHOSTDOWN || err == ENONET ||
	       err == EOPNOTSUPP;
}

/* What ICMP said of an earlier datagram is told to the next call as well, which does nothing then: once more.  What is said in between
 * is no fault of this next hop either; only a route that is not there says the same each time.
 * Returns 0, -EAGAIN (lost), or another -errno. */
static int send_one(int fd, const struct sip_flow *to, const struct bytes *wire)
{
	int err = 0, first = 0;
	bool same = true;

	for (unsigned i = 0; i < SEND_TRIES; i++) {
		if (sendto(fd, wire->p, wire->l, MSG_DONTWAIT | MSG_NOSIGNAL, &to->remote.sa, addr_len(&to->remote)) >= 0)
			return 0;
		err = errno;
		if (err == EAGAIN || err == ENOBUFS)
			return -EAGAIN;
		if (i == 0)
			first = err;
		same = same && err == first;
	}
	return is_made_by_icmp(err) && !(same && is_no_route(err)) ? -EAGAIN : -err;
}

int udp_send(struct transport *t, const struct sip_flow *to, struct bytes *wire)
{
	struct listener *ls = listener_for(t, SIP_UDP, &to->local, to->remote.sa.sa_family);
	int rc;

	if (!ls)
		return -EHOSTUNREACH;
	rc = send_one(ls->f.fd, to, wire);
	if (rc == -EAGAIN) {
		t->stats.refused++;		/* lost, as datagrams are: the transaction sends again */
		return 0;
	}
	if (rc < 0)
		return rc;
	t->stats.tx_messages++;
	t->stats.tx_bytes += wire->l;
	return 0;
}
