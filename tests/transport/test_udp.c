/* tests/transport/test_udp.c - a UDP socket whose calls fail because of what ICMP said: RFC 3261 §18.4. */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>
#include <linux/errqueue.h>	/* wants struct timespec */
#include <linux/icmp.h>
#include "common/transport/private.h"
#include "tests/check.h"

/* What the kernel says, in order, before it does what it is asked to. */
static struct {
	int err[8];
	unsigned n, next, calls;
} script;

ssize_t __real_sendto(int fd, const void *p, size_t l, int flags, const struct sockaddr *to, socklen_t to_l);
ssize_t __wrap_sendto(int fd, const void *p, size_t l, int flags, const struct sockaddr *to, socklen_t to_l);
int __real_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *wait);
int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *wait);
ssize_t __real_recvmsg(int fd, struct msghdr *m, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);

static bool fails(void)
{
	script.calls++;
	if (script.next == script.n)
		return false;
	errno = script.err[script.next++];
	return true;
}

ssize_t __wrap_sendto(int fd, const void *p, size_t l, int flags, const struct sockaddr *to, socklen_t to_l)
{
	return fails() ? -1 : __real_sendto(fd, p, l, flags, to, to_l);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *wait)
{
	return fails() ? -1 : __real_recvmmsg(fd, m, n, flags, wait);
}

static struct {
	ssize_t (*instead)(struct msghdr *m);		/* NULL: the kernel */
	unsigned told, cut;				/* errors so far; with control data that found no room */
} queue;

ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t n = queue.instead ? queue.instead(m) : __real_recvmsg(fd, m, flags);

	if (n >= 0) {
		queue.told++;
		queue.cut += (m->msg_flags & MSG_CTRUNC) != 0;
	}
	return n;
}

static void script_set(const int *err, unsigned n)
{
	memset(&script, 0, sizeof(script));
	memcpy(script.err, err, n * sizeof(*err));
	script.n = n;
}

/* ---- one worker with one socket ---- */

static struct {
	struct loop *l;
	struct transport_group *g;
	struct transport *t;
	unsigned messages, unreachable;
} side;

static void on_message(void *u, struct sip_msg *m)
{
	(void)u, (void)m;
	side.messages++;
}
static void on_bad(void *u, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e)
{
	(void)u, (void)m, (void)from, (void)raw, (void)e;
}
static void on_error(void *u, uint64_t origin, int err)
{
	(void)u, (void)origin, (void)err;
}
static void on_unreachable(void *u, const struct addr *to, struct str quoted, int err)
{
	(void)u, (void)to, (void)quoted, (void)err;
	side.unreachable++;
}
static void on_closed(void *u, const struct sip_flow *flow)
{
	(void)u, (void)flow;
}
static const struct transport_ops ops = { on_message, on_bad, on_error, on_unreachable, on_closed };

static struct addr at(uint16_t port)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(STR("127.0.101.9"), port, &a), 0);
	return a;
}

static void side_open(void)
{
	struct addr a = at(25062);

	memset(&side, 0, sizeof(side));
	memset(&queue, 0, sizeof(queue));
	side.l = loop_new();
	side.g = transport_group_new(1);
	side.t = transport_new(side.g, 0, side.l, &transport_limits_default, &ops, NULL);
	ck_assert_ptr_nonnull(side.t);
	ck_assert_int_eq(transport_listen(side.t, SIP_UDP, &a), 0);
}

/* One turn in which that was ready. */
static void turn(uint32_t revents)
{
	struct listener *ls = side.t->listener[0];
	struct pollfd p = { .fd = ls->f.fd, .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ls->f.fn(&ls->f, revents);
}

static void side_close(void)
{
	transport_free(side.t);
	loop_free(side.l);
	transport_group_free(side.g);
}

#define HEAD "OPTIONS sip:a@127.0.101.9 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.101.8:5060;branch="
#define TAIL "\r\nFrom: <sip:x@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: id-1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
#define MESSAGE HEAD "z9hG4bK1" TAIL

/* ---- sending: what an ICMP error about somebody else left behind does not fail this next hop ---- */

static const struct {
	const char *name;
	int err[8];
	unsigned n, tries;
	int rc;
	bool refused;			/* lost, as datagrams are */
} send_rows[] = {
	{ "nothing wrong", { 0 }, 0, 1, 0, false },
	{ "one error before", { ECONNREFUSED }, 1, 2, 0, false },
	{ "two: the second came in between", { EHOSTUNREACH, EHOSTUNREACH }, 2, 3, 0, false },
	{ "four", { EHOSTUNREACH, EPROTO, ENETUNREACH, EHOSTUNREACH }, 4, 5, 0, false },
	{ "no end of them", { EHOSTUNREACH, EPROTO, ENETUNREACH, EHOSTUNREACH, EHOSTUNREACH }, 5, 5, 0, true },
	{ "nothing but refusals", { ECONNREFUSED, ECONNREFUSED, ECONNREFUSED, ECONNREFUSED, ECONNREFUSED }, 5, 5, 0, true },
	{ "nothing but EPROTO", { EPROTO, EPROTO, EPROTO, EPROTO, EPROTO }, 5, 5, 0, true },
	{ "no route: always the same", { ENETUNREACH, ENETUNREACH, ENETUNREACH, ENETUNREACH, ENETUNREACH }, 5, 5, -ENETUNREACH, false },
	{ "no neighbour", { EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH }, 5, 5, -EHOSTUNREACH, false },
	{ "no room", { EAGAIN }, 1, 1, 0, true },
	{ "no room, behind an error", { EHOSTUNREACH, ENOBUFS }, 2, 2, 0, true },
	{ "what no ICMP says", { EPERM, EPERM, EPERM, EPERM, EPERM }, 5, 5, -EPERM, false },
	{ "too large", { ECONNREFUSED, EMSGSIZE, EMSGSIZE, EMSGSIZE, EMSGSIZE }, 5, 5, -EMSGSIZE, false },
};

START_TEST(test_send_row)
{
	struct sip_flow to = { .proto = SIP_UDP, .remote = at(25063) };
	struct bytes *wire = bytes_new(STR(MESSAGE));

	side_open();
	script_set(send_rows[_i].err, send_rows[_i].n);
	ck_assert_msg(udp_send(side.t, &to, wire) == send_rows[_i].rc, "%s", send_rows[_i].name);
	ck_assert_msg(script.calls == send_rows[_i].tries, "%s: %u calls", send_rows[_i].name, script.calls);
	ck_assert_msg(side.t->stats.refused == send_rows[_i].refused, "%s", send_rows[_i].name);
	ck_assert_msg(side.t->stats.tx_messages == (!send_rows[_i].refused && !send_rows[_i].rc), "%s", send_rows[_i].name);
	bytes_unref(wire);
	side_close();
}
END_TEST

/* ---- reading: more errors than one turn reads, and SIP behind them ---- */

static const struct { const char *name; int err[8]; unsigned n, tries, messages; } read_rows[] = {
	{ "nothing wrong", { 0 }, 0, 1, 1 },
	{ "an error first", { ECONNREFUSED }, 1, 2, 1 },
	{ "two", { EHOSTUNREACH, EPROTO }, 2, 3, 1 },
	{ "no end of them: next turn", { EHOSTUNREACH, EPROTO, EPROTO, EPROTO }, 4, 3, 0 },
	{ "nothing there", { EAGAIN }, 1, 1, 0 },
	{ "a signal", { EINTR }, 1, 1, 0 },
};

START_TEST(test_read_row)
{
	struct addr a = at(25062);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	side_open();
	ck_assert_int_eq(connect(fd, &a.sa, addr_len(&a)), 0);
	ck_assert_int_eq(send(fd, MESSAGE, sizeof(MESSAGE) - 1, 0), sizeof(MESSAGE) - 1);
	script_set(read_rows[_i].err, read_rows[_i].n);
	turn(EPOLLIN);
	ck_assert_msg(script.calls == read_rows[_i].tries, "%s: %u calls", read_rows[_i].name, script.calls);
	ck_assert_msg(side.messages == read_rows[_i].messages, "%s", read_rows[_i].name);
	close(fd);
	side_close();
}
END_TEST

/* ---- what is quoted: without a whole branch it is nobody's, and no worker is asked ---- */

static const struct { const char *name, *text; unsigned told; } quote_rows[] = {
	{ "a request", MESSAGE, 1 },
	{ "cut behind the branch", HEAD "z9hG4bK1\r", 1 },
	{ "cut behind a parameter", HEAD "z9hG4bK1;x", 1 },
	{ "cut in the branch", HEAD "z9hG4bK1", 0 },
	{ "cut before it", "OPTIONS sip:a@127.0.101.9 SIP/2.0\r\nVia: SIP/2.0/UDP h;bra", 0 },
	{ "an empty branch", HEAD "z9hG4bK" TAIL, 0 },
	{ "RFC 2543", HEAD "1" TAIL, 0 },
	{ "anything", "x", 0 },
};

START_TEST(test_quote_row)
{
	struct sip_flow nobody = { .proto = SIP_UDP, .remote = at(9) };
	struct bytes *wire = bytes_new(str_from_c(quote_rows[_i].text));

	side_open();
	ck_assert_int_eq(udp_send(side.t, &nobody, wire), 0);
	turn(EPOLLERR);
	ck_assert_msg(side.unreachable == quote_rows[_i].told, "%s", quote_rows[_i].name);
	ck_assert_uint_eq(side.t->stats.unreachable, quote_rows[_i].told);
	bytes_unref(wire);
	side_close();
}
END_TEST

/* The kernel puts its stamp in front of the error. */
START_TEST(test_control_has_room)
{
	struct sip_flow nobody = { .proto = SIP_UDP, .remote = at(9) };
	struct bytes *wire = bytes_new(STR(MESSAGE));

	side_open();
	ck_assert_int_eq(udp_send(side.t, &nobody, wire), 0);
	turn(EPOLLERR);
	ck_assert_uint_eq(queue.told, 1);
	ck_assert_uint_eq(queue.cut, 0);
	bytes_unref(wire);
	side_close();
}
END_TEST

/* The error as far as it was told: `cut` octets of it are missing, and what is behind is of another one. */
static size_t cut;

static ssize_t cut_error(struct msghdr *m)
{
	struct sock_extended_err e = { .ee_errno = ECONNREFUSED, .ee_origin = SO_EE_ORIGIN_ICMP, .ee_type = ICMP_DEST_UNREACH,
				       .ee_code = ICMP_PORT_UNREACH };
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	if (queue.told) {
		errno = EAGAIN;
		return -1;
	}
	*c = (struct cmsghdr){ .cmsg_level = IPPROTO_IP, .cmsg_type = IP_RECVERR, .cmsg_len = CMSG_LEN(sizeof(e) - cut) };
	memcpy(CMSG_DATA(c), &e, sizeof(e));
	m->msg_controllen = CMSG_SPACE(sizeof(e));
	memcpy(m->msg_iov[0].iov_base, MESSAGE, sizeof(MESSAGE) - 1);
	return sizeof(MESSAGE) - 1;
}

START_TEST(test_cut_error)		/* says nothing */
{
	struct listener *ls;

	for (cut = 0; cut <= sizeof(struct sock_extended_err); cut++) {
		side_open();
		queue.instead = cut_error;
		ls = side.t->listener[0];
		ls->f.fn(&ls->f, EPOLLERR);
		ck_assert_msg(side.unreachable == (cut == 0), "%zu octets short", cut);
		side_close();
	}
}
END_TEST

TEST_MAIN("udp", TEST_ONE(test_control_has_room), TEST_ONE(test_cut_error), TEST_ROWS(test_read_row, read_rows), TEST_ROWS(test_quote_row, quote_rows), TEST_ROWS(test_send_row, send_rows))
