/* common/transport/udp.c - datagrams: recvmmsg in, sendto out.  RFC 3261 §18.1.1, §18.2.1. */
#include <errno.h>
#include <stdlib.h>
#include "common/transport/private.h"

#define SOCKET_BUFFER_BYTES (4 << 20)	/* a burst while the worker is busy; the kernel caps it */

struct udp_batch {
	struct mmsghdr msg[TP_UDP_BATCH];
	struct iovec iov[TP_UDP_BATCH];
	struct addr from[TP_UDP_BATCH];
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

static void on_datagram(struct listener *ls, const struct addr *from, struct str d)
{
	struct transport *t = ls->t;
	struct sip_flow flow = { .remote = *from, .local = ls->a, .proto = SIP_UDP, .worker = t->worker };

	t->stats.rx_bytes += d.l;
	if (is_keepalive(d))
		t->stats.keepalives++;
	else if (d.l > t->lim.max_message_bytes)
		input_bad(t, &flow, d, 513, "message too large");
	else
		input_message(t, &flow, d);
}

static void on_readable(struct loop_fd *f, uint32_t revents)
{
	struct listener *ls = container_of(f, struct listener, f);
	struct udp_batch *b = ls->t->batch;
	int n;

	(void)revents;
	for (unsigned i = 0; i < TP_UDP_BATCH; i++) {
		b->iov[i] = (struct iovec){ b->data[i], TP_DGRAM_BYTES };
		b->msg[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i], .msg_namelen = sizeof(b->from[i]),
						     .msg_iov = &b->iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(f->fd, b->msg, TP_UDP_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		on_datagram(ls, &b->from[i], str_make(b->data[i], b->msg[i].msg_len));
}

int udp_open(struct listener *ls)
{
	int size = SOCKET_BUFFER_BYTES;

	if (!ls->t->batch)
		ls->t->batch = calloc(1, sizeof(*ls->t->batch));
	if (!ls->t->batch)
		return -ENOMEM;
	/* The defaults serve too when the kernel refuses. */
	(void)setsockopt(ls->f.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(ls->f.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ls->f.events = EPOLLIN;
	ls->f.fn = on_readable;
	return loop_fd_add(ls->t->loop, &ls->f);
}

int udp_send(struct transport *t, const struct sip_flow *to, struct bytes *wire)
{
	struct listener *ls = listener_for(t, SIP_UDP, &to->local, to->remote.sa.sa_family);

	if (!ls)
		return -EHOSTUNREACH;
	if (sendto(ls->f.fd, wire->p, wire->l, MSG_DONTWAIT | MSG_NOSIGNAL, &to->remote.sa, addr_len(&to->remote)) < 0) {
		if (errno != EAGAIN && errno != ENOBUFS)
			return -errno;
		t->stats.refused++;		/* lost, as datagrams are: the transaction sends again */
		return 0;
	}
	t->stats.tx_messages++;
	t->stats.tx_bytes += wire->l;
	return 0;
}
