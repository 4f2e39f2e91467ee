/* common/transport/unreachable.c - what ICMP says of datagrams that we sent: RFC 3261 §18.4.
 *
 * The kernel keeps it in a queue of the socket (IP_RECVERR): our datagram's address and how it began, as far as it was quoted.  Which of
 * the sockets that share a port gets it is the kernel's choice, and so every worker is asked whether it was its own. */
#include <time.h>
#include <linux/errqueue.h>	/* wants struct timespec */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include "common/transport/private.h"

#define ERRORS_PER_TURN 16		/* the others wait: whoever floods us with them does not stop SIP */
#define QUOTE_BYTES 1280u

/* What udp_open() asked for of each datagram comes in front of the error. */
union error_control {
	char data[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(uint32_t)) +
		  CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6))];
	struct cmsghdr align;
};

void unreachable_ask(int fd)
{
	int one = 1;

	/* One of them is of another family; a kernel that has none leaves it to the timers. */
	(void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
}

/* RFC 3261 §18.4: unreachable, or a parameter problem; what is too large for the way is cut up by the kernel. */
static bool counts(const struct sock_extended_err *e)
{
	if (e->ee_origin == SO_EE_ORIGIN_ICMP)
		return (e->ee_type == ICMP_DEST_UNREACH && e->ee_code != ICMP_FRAG_NEEDED) || e->ee_type == ICMP_PARAMETERPROB;
	return e->ee_origin == SO_EE_ORIGIN_ICMP6 && (e->ee_type == ICMPV6_DEST_UNREACH || e->ee_type == ICMPV6_PARAMPROB);
}

/* 0: none that counts. */
static int error_of(struct msghdr *h)
{
	struct sock_extended_err e;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		if (c->cmsg_len < CMSG_LEN(sizeof(e)))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		if (counts(&e))
			return (int)e.ee_errno;
	}
	return 0;
}

static void post(struct transport *t, uint16_t worker, const struct addr *to, struct str quoted, int err)
{
	struct arena *a = arena_new(sizeof(struct job) + quoted.l + 64);
	struct job *j = a ? arena_zalloc(a, sizeof(*j)) : NULL;

	if (!j) {
		arena_unref(a);
		return;				/* the transaction's own timer tells it */
	}
	*j = (struct job){ .kind = JOB_UNREACHABLE, .flow = { .remote = *to, .proto = SIP_UDP }, .arena = a, .raw = arena_dup(a, quoted),
			   .err = err };
	if (!j->raw.p || box_post(t->group, worker, j) < 0)
		arena_unref(a);
}

/* Our Via is all that a transaction can be known by: what is quoted without it is nobody's, and no worker is bothered. */
static bool has_branch(struct str quoted)
{
	static const struct str cookie = { ";branch=z9hG4bK", 15 };
	ssize_t at = str_find(quoted, cookie);
	size_t first = (size_t)at + cookie.l;

	if (at < 0)
		return false;
	for (size_t i = first; i < quoted.l; i++)
		if (quoted.p[i] == ';' || quoted.p[i] == ',' || quoted.p[i] == '\r' || quoted.p[i] == '\n')
			return i > first;
	return false;
}

static void tell(struct transport *t, const struct addr *to, struct str quoted, int err)
{
	struct str call_id = sip_scan_call_id(quoted);

	/* What answers were sent is not waited for: RFC 3261 §17.2.4 has nothing to do about it over UDP. */
	if (str_starts(quoted, STR("SIP/")) || !has_branch(quoted))
		return;
	t->stats.unreachable++;
	for (uint16_t w = 0; w < t->group->n_workers; w++) {
		if (call_id.l && transport_worker_of(t->group, call_id) != w)
			continue;
		if (w == t->worker)
			t->ops->unreachable(t->u, to, quoted, err);
		else
			post(t, w, to, quoted, err);
	}
}

void unreachable_read(struct listener *ls)
{
	static __thread char data[QUOTE_BYTES];

	for (unsigned i = 0; i < ERRORS_PER_TURN; i++) {
		struct addr to = { 0 };
		struct iovec iov = { data, sizeof(data) };
		union error_control control;
		struct msghdr h = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(ls->f.fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT);
		int err;

		if (n < 0)
			return;
		err = error_of(&h);
		if (n > 0 && err)
			tell(ls->t, &to, str_make(data, (size_t)n), -err);
	}
}
