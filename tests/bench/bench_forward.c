/* tests/bench/bench_forward.c - processor time of a proxy for a request and its response, beside that of a bare echo of the same octets.
 *
 *   bench_forward FILE N          over UDP on 127.0.73.1 to .3; JSON to standard output
 *   bench_forward --path FILE N   without sockets, for callgrind: see path.py
 *
 * The request is the one in FILE as a NOTIFY.  The measured process is a child with a core of its own where there are two: a loop,
 * UDP with recvmmsg, transactions, a proxy.  The parent is client and far end, with a window of datagrams on their way. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/transport/transport.h"
#include "tests/bench/node.h"

#define WINDOW 64u
#define STALL_MS 200			/* nothing comes any more: what is on its way is lost */
#define STALLS 10u
#define PORT 5060

static void quit(const char *what)
{
	perror(what);
	exit(1);
}

static struct addr at(unsigned host)
{
	char text[16];
	struct addr a;

	snprintf(text, sizeof(text), "127.0.73.%u", host);
	if (addr_parse(str_from_c(text), PORT, &a) < 0)
		quit("address");
	return a;
}

static int udp_socket(unsigned host)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = 4 << 20;
	struct addr a = at(host);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (fd < 0 || bind(fd, &a.sa, addr_len(&a)) < 0)
		quit("bind");
	return fd;
}

/* ---- the child: echo ---- */

static void echo(void)
{
	static char data[SIP_MSG_MAX_BYTES];
	int fd = udp_socket(2), ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		quit("epoll");
	for (;;) {
		struct addr from;
		socklen_t l = sizeof(from);
		ssize_t n;

		(void)epoll_wait(ep, &ev, 1, -1);
		while ((n = recvfrom(fd, data, sizeof(data), 0, &from.sa, &l)) >= 0) {
			(void)sendto(fd, data, (size_t)n, 0, &from.sa, l);
			l = sizeof(from);
		}
	}
}

/* ---- the child: a proxy ---- */

static struct transport *transport;

static int send_udp(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	(void)u, (void)origin;
	return transport_send(transport, to, wire, 0);
}

static void on_message(void *u, struct sip_msg *m)
{
	struct node *n = u;

	tx_input(n->tx, m);
}

static void on_bad(void *u, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e)
{
	(void)u, (void)m, (void)from, (void)raw;
	fprintf(stderr, "not parsed: %s\n", e->why);
}

static void on_error(void *u, uint64_t origin, int err)
{
	(void)u, (void)origin, (void)err;
}

static void on_unreachable(void *u, const struct addr *to, struct str quoted, int err)
{
	(void)u, (void)to, (void)quoted, (void)err;
}

static void on_closed(void *u, const struct sip_flow *flow)
{
	(void)u, (void)flow;
}

static void forward(void)
{
	static const struct transport_ops ops = { on_message, on_bad, on_error, on_unreachable, on_closed };
	struct node node = { .send = send_udp, .next = { .proto = SIP_UDP, .remote = at(3) }, .own = at(2) };
	struct transport_group *g = transport_group_new(1);
	struct loop *l = loop_new();

	if (!g || !l || node_init(&node, loop_wheel(l)) < 0)
		quit("node");
	transport = transport_new(g, 0, l, &transport_limits_default, &ops, &node);
	if (!transport || transport_listen(transport, SIP_UDP, &node.own) < 0)
		quit("listen");
	loop_run(l);
}

/* ---- the parent ---- */

struct ends {
	int client, far;
	char *text;			/* of the request */
	size_t l;
	unsigned next, on_the_way, done, lost;
};

static void answer(struct ends *e)
{
	static char data[SIP_MSG_MAX_BYTES];
	struct sip_parse_error err;
	struct addr to = at(2);
	ssize_t n;

	while ((n = recv(e->far, data, sizeof(data), 0)) >= 0) {
		struct sip_msg *m = NULL;
		struct bytes *r;

		if (sip_msg_parse_copy(str_make(data, (size_t)n), NULL, &m, &err) < 0)
			quit(err.why);
		r = sip_reply_make(m, 200, NULL, STR("far"), STR_NONE, STR_NONE, STR_NONE);
		if (!r || sendto(e->far, r->p, r->l, 0, &to.sa, addr_len(&to)) < 0)
			quit("answer");
		bytes_unref(r);
		sip_msg_unref(m);
	}
}

/* Until n more are done. */
static void drive(struct ends *e, unsigned n)
{
	struct pollfd p[2] = { { .fd = e->client, .events = POLLIN }, { .fd = e->far, .events = POLLIN } };
	unsigned goal = e->done + n, stalls = 0;
	static char data[SIP_MSG_MAX_BYTES];
	struct addr to = at(2);

	while (e->done < goal && stalls < STALLS) {
		for (; e->on_the_way < WINDOW; e->on_the_way++) {
			node_number(e->text, ++e->next);
			if (sendto(e->client, e->text, e->l, 0, &to.sa, addr_len(&to)) < 0)
				break;
		}
		if (poll(p, 2, STALL_MS) == 0) {
			e->lost += e->on_the_way;
			e->on_the_way = 0;
			stalls++;
		}
		answer(e);
		while (recv(e->client, data, sizeof(data), 0) >= 0) {
			e->on_the_way -= e->on_the_way > 0;
			e->done++;
		}
	}
	if (stalls == STALLS)
		quit("nothing comes back");
}

static double cpu_us(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		quit("clock of the child");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* What a child that is gone left in the sockets would go round and round between the next one and its far end. */
static void forget(struct ends *e)
{
	static char data[SIP_MSG_MAX_BYTES];
	const int fds[] = { e->client, e->far };

	for (int i = 0; i < 2; i++) {
		while (recv(fds[i], data, sizeof(data), 0) >= 0)
			;
	}
	e->on_the_way = 0;
}

/* Microseconds of the child's processor time for each of n. */
static double measure(void (*child)(void), struct ends *e, unsigned n)
{
	clockid_t clock;
	double before;
	pid_t pid = fork();

	if (pid < 0)
		quit("fork");
	if (pid == 0) {
		close(e->client);
		close(e->far);
		child();
		_exit(0);
	}
	if (clock_getcpuclockid(pid, &clock) != 0)
		quit("clock of the child");
	drive(e, n / 4);
	before = cpu_us(clock);
	drive(e, n);
	before = (cpu_us(clock) - before) / n;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	forget(e);
	return before;
}

/* The response as the far end makes it, with all Vias: what comes back through the proxy. */
static size_t response_like(const char *text, size_t l, char *dst)
{
	struct sip_parse_error err;
	struct sip_msg *m = NULL;
	struct bytes *r;
	size_t n;

	if (sip_msg_parse_copy(str_make(text, l), NULL, &m, &err) < 0)
		quit(err.why);
	r = sip_reply_make(m, 200, NULL, STR("far"), STR_NONE, STR_NONE, STR_NONE);
	if (!r)
		quit("response");
	n = r->l;
	memcpy(dst, r->p, n);
	bytes_unref(r);
	sip_msg_unref(m);
	return n;
}

static void over_udp(char *text, size_t l, unsigned n)
{
	static char small[SIP_MSG_MAX_BYTES];
	double request = 1e18, response = 1e18, both = 1e18, us;
	struct ends e = { .client = udp_socket(1), .far = udp_socket(3), .text = text, .l = l };
	size_t small_l = response_like(text, l, small);

	for (int round = 0; round < 3; round++) {
		e.text = text;
		e.l = l;
		us = measure(echo, &e, n);
		request = us < request ? us : request;
		us = measure(forward, &e, n);
		both = us < both ? us : both;
		e.text = small;
		e.l = small_l;
		us = measure(echo, &e, n);
		response = us < response ? us : response;
	}
	printf("{\"request_bytes\": %zu, \"response_bytes\": %zu, \"echo_request_us\": %.2f, \"echo_response_us\": %.2f, "
	       "\"forward_us\": %.2f, \"ratio\": %.2f, \"lost\": %u}\n",
	       l, small_l, request, response, both, both / (request + response), e.lost);
}

/* ---- without sockets ---- */

static struct bytes *sent;
static struct addr client;

static int keep(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	(void)u, (void)to, (void)origin;
	bytes_unref(sent);
	sent = bytes_ref(wire);
	return 0;
}

/* Global: --toggle-collect finds them by name. */
int bench_request_parse(struct str raw, struct sip_msg **ret);
int bench_response_parse(struct str raw, struct sip_msg **ret);
void bench_request_input(struct node *n, struct sip_msg *m);
void bench_response_input(struct node *n, struct sip_msg *m);

/* As the transport does with a datagram. */
static inline __attribute__((always_inline)) int parse(struct str raw, struct sip_msg **ret)
{
	struct sip_flow flow = { .proto = SIP_UDP };
	struct arena *a = arena_new(SIP_ARENA_BYTES(raw.l));
	struct sip_parse_error err;

	flow.remote = client;
	return a ? sip_msg_parse(a, arena_dup(a, raw), &flow, false, ret, &err) : -ENOMEM;
}

__attribute__((noinline)) int bench_request_parse(struct str raw, struct sip_msg **ret)
{
	return parse(raw, ret);
}

__attribute__((noinline)) int bench_response_parse(struct str raw, struct sip_msg **ret)
{
	return parse(raw, ret);
}

__attribute__((noinline)) void bench_request_input(struct node *n, struct sip_msg *m)
{
	tx_input(n->tx, m);
	sip_msg_unref(m);
}

__attribute__((noinline)) void bench_response_input(struct node *n, struct sip_msg *m)
{
	tx_input(n->tx, m);
	sip_msg_unref(m);
}

static void path(char *text, size_t l, unsigned n)
{
	static char small[SIP_MSG_MAX_BYTES];
	struct node node = { .send = keep, .next = { .proto = SIP_UDP, .remote = at(3) }, .own = at(2) };
	static struct wheel w;

	client = at(1);
	wheel_init(&w, 1000);
	if (node_init(&node, &w) < 0)
		quit("node");
	for (unsigned i = 0; i < n; i++) {
		struct sip_msg *m;
		size_t small_l;

		node_number(text, i);
		if (bench_request_parse(str_make(text, l), &m) < 0)
			quit("request");
		bench_request_input(&node, m);
		if (!sent)
			quit("nothing was sent");
		small_l = response_like(sent->p, sent->l, small);
		if (bench_response_parse(str_make(small, small_l), &m) < 0)
			quit("response");
		bench_response_input(&node, m);
		wheel_advance(&w, w.now_ms + 1);
	}
	bytes_unref(sent);
	node_fini(&node);
}

int main(int argc, char **argv)
{
	static char text[SIP_MSG_MAX_BYTES];
	bool sockets = argc == 3;
	unsigned n = argc > 2 ? (unsigned)strtoul(argv[argc - 1], NULL, 10) : 0;
	size_t l = n ? node_read(argv[argc - 2], text, sizeof(text)) : 0;
	char *cseq = l ? strstr(text, "\r\nCSeq: 1 INVITE\r\n") : NULL;

	if (!cseq || memcmp(text, "INVITE ", 7) != 0) {
		fprintf(stderr, "usage: bench_forward [--path] FILE N: an INVITE with CSeq 1\n");
		return 2;
	}
	memcpy(text, "NOTIFY", 6);
	memcpy(cseq + 10, "NOTIFY", 6);
	if (sockets)
		over_udp(text, l, n);
	else
		path(text, l, n);
	return 0;
}
