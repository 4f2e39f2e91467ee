/* tests/transport/test_transport.c - datagrams and streams over real loopback sockets: RFC 3261 §18, RFC 5626 §4.4.1. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include "common/transport/transport.h"
#include "tests/check.h"

#define WAIT_MS 5000

struct side {
	struct loop *l;
	struct transport *t;
	unsigned messages, bad, errors, closed, bad_status, unreachable;
	int err;
	struct sip_flow from;
	struct str last_body;
};

static struct transport_group *g;
static struct side side[2];

static void stop_all(void)
{
	loop_stop(side[0].l, 0);
}

static void on_message(void *u, struct sip_msg *m)
{
	struct side *s = u;

	s->messages++;
	s->from = m->flow;
	ck_assert_uint_eq(transport_worker_of(g, m->call_id), (unsigned)(s - side));
}
static void on_bad(void *u, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e)
{
	struct side *s = u;

	(void)m, (void)from, (void)raw;
	s->bad++;
	s->bad_status = e->status;
}
static void on_error(void *u, uint64_t origin, int err)
{
	struct side *s = u;

	ck_assert_uint_eq(origin, 77);
	s->errors++;
	s->err = err;
}
static void on_unreachable(void *u, const struct addr *to, struct str quoted, int err)
{
	struct side *s = u;

	ck_assert_int_eq(err, -ECONNREFUSED);
	ck_assert_uint_eq(addr_port(to), 9);
	ck_assert(str_starts(quoted, STR("OPTIONS sip:a@127.0.101.7 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.101.8:5060;branch=z9hG4bK")));
	if (str_find(quoted, STR("\r\nCall-ID: ")) >= 0)
		ck_assert_uint_eq(transport_worker_of(g, sip_scan_call_id(quoted)), (unsigned)(s - side));
	s->unreachable++;
	s->err = err;
}
static void on_closed(void *u, const struct sip_flow *flow)
{
	struct side *s = u;

	(void)flow;
	s->closed++;
}
static const struct transport_ops ops = { on_message, on_bad, on_error, on_unreachable, on_closed };

static void turns_until(const unsigned *n, unsigned want)
{
	for (unsigned i = 0; *n < want && i < WAIT_MS / 2; i++) {
		loop_run_for(side[0].l, 1);
		loop_run_for(side[1].l, 1);
	}
	ck_assert_uint_ge(*n, want);
}

static struct addr at(uint16_t port)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(STR("127.0.101.7"), port, &a), 0);
	return a;
}

static void open_both(void)
{
	struct addr a = at(25060);

	g = transport_group_new(2);
	for (unsigned i = 0; i < 2; i++) {
		side[i] = (struct side){ .l = loop_new() };
		side[i].t = transport_new(g, (uint16_t)i, side[i].l, &transport_limits_default, &ops, &side[i]);
		ck_assert_ptr_nonnull(side[i].t);
		ck_assert_int_eq(transport_listen(side[i].t, SIP_UDP, &a), 0);
		ck_assert_int_eq(transport_listen(side[i].t, SIP_TCP, &a), 0);
	}
}

static void close_both(void)
{
	stop_all();
	for (unsigned i = 0; i < 2; i++) {
		transport_free(side[i].t);
		loop_free(side[i].l);
	}
	transport_group_free(g);
}

static struct str make(char *dst, size_t size, unsigned id)
{
	int n = snprintf(dst, size,
			 "OPTIONS sip:a@127.0.101.7 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.101.8:5060;branch=z9hG4bK%u\r\n"
			 "From: <sip:x@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: id-%u\r\nCSeq: 1 OPTIONS\r\n"
			 "Max-Forwards: 70\r\nContent-Length: 2\r\n\r\nok", id, id);

	return str_make(dst, (size_t)n);
}

static int peer(int type)
{
	struct addr a = at(25060);
	int fd = socket(AF_INET, type, 0);

	ck_assert_int_eq(connect(fd, &a.sa, addr_len(&a)), 0);
	return fd;
}

/* RFC 3261 §18.4: nobody listens there, and the worker whose Call-ID it is hears so; with the Call-ID behind what is quoted, both do.
 * The socket sends on. */
START_TEST(test_unreachable)
{
	struct sip_flow nobody = { .proto = SIP_UDP, .remote = at(9) }, ourselves = { .proto = SIP_UDP, .remote = at(25060) };
	char text[2048], *call_id;
	struct bytes *wire;
	unsigned owner, one = 0;
	struct str m;

	open_both();
	m = make(text, sizeof(text), 1);
	owner = transport_worker_of(g, STR("id-1"));
	wire = bytes_new(m);
	ck_assert_int_eq(transport_send(side[0].t, &nobody, wire, 0), 0);
	turns_until(&side[owner].unreachable, 1);
	ck_assert_uint_eq(side[!owner].unreachable, 0);
	ck_assert_int_eq(transport_send(side[1].t, &nobody, wire, 0), 0);
	ck_assert_int_eq(transport_send(side[1].t, &ourselves, wire, 0), 0);
	turns_until(&side[owner].messages, 1);
	turns_until(&side[owner].unreachable, 2);
	bytes_unref(wire);

	call_id = strstr(text, "Call-ID");			/* in a place that no ICMP error quotes */
	memmove(call_id + 1200, call_id, strlen(call_id) + 1);
	memset(call_id, 'x', 1200);
	memcpy(call_id, "X: ", 3);
	memcpy(call_id + 1198, "\r\n", 2);
	wire = bytes_new(str_from_c(text));
	ck_assert_int_eq(transport_send(side[0].t, &nobody, wire, 0), 0);
	turns_until(&side[!owner].unreachable, 1);
	turns_until(&side[owner].unreachable, 3);
	bytes_unref(wire);

	/* An answer that does not arrive is nobody's business. */
	wire = bytes_new(STR("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCall-ID: id-1\r\n\r\n"));
	ck_assert_int_eq(transport_send(side[0].t, &nobody, wire, 0), 0);
	bytes_unref(wire);
	wire = bytes_new(make(text, sizeof(text), 2));
	ck_assert_int_eq(transport_send(side[0].t, &nobody, wire, 0), 0);
	owner = transport_worker_of(g, STR("id-2"));
	one = side[owner].unreachable;
	turns_until(&side[owner].unreachable, one + 1);
	bytes_unref(wire);
	ck_assert_uint_eq(side[0].unreachable + side[1].unreachable, 5);
	close_both();
}
END_TEST

START_TEST(test_unreachable_ipv6)
{
	struct sip_flow nobody = { .proto = SIP_UDP };
	struct bytes *wire;
	struct addr a;
	char text[512];

	ck_assert_int_eq(addr_parse(STR("::1"), 25061, &a), 0);
	ck_assert_int_eq(addr_parse(STR("::1"), 9, &nobody.remote), 0);
	open_both();
	if (transport_listen(side[0].t, SIP_UDP, &a) == 0) {		/* a host without IPv6 has nothing to show */
		wire = bytes_new(make(text, sizeof(text), 1));
		ck_assert_int_eq(transport_send(side[0].t, &nobody, wire, 0), 0);
		turns_until(&side[transport_worker_of(g, STR("id-1"))].unreachable, 1);
		bytes_unref(wire);
	}
	close_both();
}
END_TEST

START_TEST(test_udp_hand_over)
{
	char text[600];
	unsigned total = 0;
	int fd;

	open_both();
	fd = peer(SOCK_DGRAM);
	ck_assert_int_eq(send(fd, "\r\n\r\n", 4, 0), 4);
	for (unsigned i = 0; i < 20; i++) {
		struct str m = make(text, sizeof(text), i);

		ck_assert_int_eq(send(fd, m.p, m.l, 0), (ssize_t)m.l);
	}
	for (unsigned i = 0; total < 20 && i < WAIT_MS; i++) {
		loop_run_for(side[0].l, 1);
		loop_run_for(side[1].l, 1);
		total = side[0].messages + side[1].messages;
	}
	ck_assert_uint_eq(total, 20);
	ck_assert_uint_gt(side[0].messages, 0);
	ck_assert_uint_gt(side[1].messages, 0);
	close(fd);
	close_both();
}
END_TEST

START_TEST(test_tcp_stream)
{
	char text[600], back[8];
	struct bytes *wire;
	unsigned w;
	struct str m = make(text, sizeof(text), 5);
	int fd;

	open_both();
	w = transport_worker_of(g, STR("id-5"));
	fd = peer(SOCK_STREAM);
	for (size_t i = 0; i < m.l; i += 100)	/* in pieces: RFC 3261 §18.3 */
		ck_assert_int_gt(send(fd, m.p + i, m.l - i < 100 ? m.l - i : 100, 0), 0);
	turns_until(&side[w].messages, 1);
	/* The worker of the Call-ID answers over the connection, whoever has accepted it. */
	wire = bytes_new(STR("SIP/2.0"));
	ck_assert_int_eq(transport_send(side[w].t, &side[w].from, wire, 77), 0);
	bytes_unref(wire);
	loop_run_for(side[0].l, 20);
	loop_run_for(side[1].l, 20);
	ck_assert_int_eq(recv(fd, back, 7, MSG_WAITALL | MSG_DONTWAIT), 7);
	ck_assert_int_eq(send(fd, "\r\n\r\n", 4, 0), 4);	/* RFC 5626 §4.4.1 */
	loop_run_for(side[0].l, 20);
	loop_run_for(side[1].l, 20);
	ck_assert_int_eq(recv(fd, back, sizeof(back), MSG_DONTWAIT), 2);
	close(fd);
	for (unsigned i = 0; side[0].closed + side[1].closed == 0 && i < WAIT_MS; i++) {
		loop_run_for(side[0].l, 1);
		loop_run_for(side[1].l, 1);
	}
	ck_assert_uint_eq(side[0].closed + side[1].closed, 1);
	close_both();
}
END_TEST

/* A phone that loses its connections: the other side sees them reset, we hear of each once, and the next message opens another. */
START_TEST(test_disconnect)
{
	struct sip_flow to = { .proto = SIP_TCP };
	struct bytes *wire;
	char text[600], c;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	struct addr a = at(25062);

	open_both();
	ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
	ck_assert_int_eq(bind(listener, &a.sa, addr_len(&a)), 0);
	ck_assert_int_eq(listen(listener, 4), 0);
	to.remote = a;
	wire = bytes_new(make(text, sizeof(text), 6));
	for (unsigned round = 1; round <= 2; round++) {
		struct transport_stats s;

		ck_assert_int_eq(transport_send(side[0].t, &to, wire, 77), 0);
		fd = accept(listener, NULL, NULL);
		ck_assert_int_ge(fd, 0);
		for (unsigned i = 0; i < WAIT_MS && recv(fd, text, sizeof(text), MSG_DONTWAIT) <= 0; i++)
			loop_run_for(side[0].l, 1);
		transport_disconnect(side[0].t);
		ck_assert_uint_eq(side[0].closed, round);
		transport_stats(side[0].t, &s);
		ck_assert_uint_eq(s.connections, 0);
		ck_assert(recv(fd, &c, 1, 0) < 0 && errno == ECONNRESET);
		close(fd);
	}
	bytes_unref(wire);
	close(listener);
	close_both();
}
END_TEST

START_TEST(test_tcp_bad_length)
{
	static const char bad[] = "OPTIONS sip:a@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nContent-Length: x\r\n\r\n";
	int fd;

	open_both();
	fd = peer(SOCK_STREAM);
	ck_assert_int_gt(send(fd, bad, sizeof(bad) - 1, 0), 0);
	for (unsigned i = 0; side[0].closed + side[1].closed == 0 && i < WAIT_MS; i++) {
		loop_run_for(side[0].l, 1);
		loop_run_for(side[1].l, 1);
	}
	ck_assert_uint_eq(side[0].bad + side[1].bad, 1);
	ck_assert_uint_eq(side[0].bad_status + side[1].bad_status, 400);
	close(fd);
	close_both();
}
END_TEST

START_TEST(test_connect_refused)
{
	struct sip_flow to = { .proto = SIP_TCP };
	struct bytes *wire = bytes_new(STR("x"));

	open_both();
	to.remote = at(1);
	if (transport_send(side[0].t, &to, wire, 77) == 0) {
		turns_until(&side[0].errors, 1);
		ck_assert_int_eq(side[0].err, -ECONNREFUSED);
	}
	bytes_unref(wire);
	ck_assert_uint_eq(side[0].closed, 0);
	close_both();
}
END_TEST

START_TEST(test_address_in_use)
{
	struct addr a = at(25061);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	ck_assert_int_eq(bind(fd, &a.sa, addr_len(&a)), 0);
	open_both();
	ck_assert_int_eq(transport_listen(side[0].t, SIP_UDP, &a), -EADDRINUSE);
	ck_assert_int_eq(transport_listen(side[0].t, SIP_TLS, &a), -ENOTSUP);
	a = at(25060);
	ck_assert(transport_is_local(g, SIP_UDP, &a));
	close(fd);
	close_both();
}
END_TEST

/* Runs both loops until `fd` has something to accept or to read. */
static void turns_until_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (unsigned i = 0; poll(&p, 1, 0) == 0 && i < WAIT_MS / 2; i++) {
		loop_run_for(side[0].l, 1);
		loop_run_for(side[1].l, 1);
	}
	ck_assert_int_eq(poll(&p, 1, 0), 1);
}

static int accept_from(int server, uint16_t *ret_port)
{
	struct addr from;
	socklen_t len = sizeof(from);
	int fd;

	turns_until_readable(server);
	fd = accept(server, &from.sa, &len);
	ck_assert_int_ge(fd, 0);
	*ret_port = addr_port(&from);
	return fd;
}

/* TS 33.203 §7.1: a connection from our protected client port; one for all workers, again at once, and for nobody else. */
START_TEST(test_source_port)
{
	struct addr source = at(25062), there = at(25063);
	struct sip_flow to = { .proto = SIP_TCP, .remote = there, .local = source };
	struct bytes *wire = bytes_new(STR("x"));
	int server = socket(AF_INET, SOCK_STREAM, 0), one = 1, fd;
	char got[8];
	uint16_t port;

	ck_assert_int_eq(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	ck_assert(bind(server, &there.sa, addr_len(&there)) == 0 && listen(server, 5) == 0);
	open_both();
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(transport_listen_source(side[i].t, &source), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 2; i++)
			ck_assert_int_eq(transport_send(side[i].t, &to, wire, 77), 0);
		fd = accept_from(server, &port);
		ck_assert_uint_eq(port, 25062);
		for (unsigned n = 0; n < 2;) {		/* both, on this one */
			ssize_t l;

			turns_until_readable(fd);
			l = recv(fd, got, sizeof(got), 0);
			ck_assert_int_gt(l, 0);
			n += (unsigned)l;
		}
		close(fd);
		for (unsigned i = 0; side[0].closed + side[1].closed <= round && i < WAIT_MS / 2; i++) {
			loop_run_for(side[0].l, 1);
			loop_run_for(side[1].l, 1);
		}
	}
	ck_assert_uint_eq(side[0].errors + side[1].errors, 0);
	ck_assert_int_eq(transport_send(side[0].t, &to, wire, 77), 0);
	close(accept_from(server, &port));
	to.local = (struct addr){ 0 };
	ck_assert_int_eq(transport_send(side[0].t, &to, wire, 77), 0);
	close(accept_from(server, &port));
	ck_assert_uint_ne(port, 25062);
	source = at(0);
	ck_assert_int_eq(transport_listen_source(side[0].t, &source), -EINVAL);
	bytes_unref(wire);
	close(server);
	close_both();
}
END_TEST

static struct transport_view listed;

static bool note_listed(void *arg, const struct transport_view *v)
{
	listed = *v;
	++*(unsigned *)arg;
	return true;
}

/* Listed, closed by hand: ops.closed is called, the peer sees the end, and what was its name means nobody any more. */
START_TEST(test_close)
{
	char text[600], back[8];
	unsigned w, n = 0;
	struct str m = make(text, sizeof(text), 5);
	int fd;

	open_both();
	w = transport_worker_of(g, STR("id-5"));
	fd = peer(SOCK_STREAM);
	ck_assert_int_eq(send(fd, m.p, m.l, 0), (ssize_t)m.l);
	turns_until(&side[w].messages, 1);
	transport_each(side[0].t, 0, note_listed, &n);
	transport_each(side[1].t, 0, note_listed, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert(listed.accepted && listed.flow.proto == SIP_TCP);
	transport_each(side[listed.flow.worker].t, listed.flow.conn, note_listed, &n);
	ck_assert_msg(n == 1, "behind it there is none");
	ck_assert(!transport_close(side[listed.flow.worker].t, listed.flow.conn, listed.flow.conn_gen + 1));
	ck_assert(transport_close(side[listed.flow.worker].t, listed.flow.conn, listed.flow.conn_gen));
	ck_assert(!transport_close(side[listed.flow.worker].t, listed.flow.conn, listed.flow.conn_gen));
	loop_run_for(side[0].l, 20);
	loop_run_for(side[1].l, 20);
	ck_assert_uint_eq(side[0].closed + side[1].closed, 1);
	ck_assert_int_eq(recv(fd, back, sizeof(back), 0), 0);
	close(fd);
	close_both();
}
END_TEST

TEST_MAIN("transport", TEST_ONE(test_close), TEST_ONE(test_unreachable), TEST_ONE(test_unreachable_ipv6), TEST_ONE(test_udp_hand_over), TEST_ONE(test_tcp_stream), TEST_ONE(test_disconnect), TEST_ONE(test_tcp_bad_length),
	  TEST_ONE(test_connect_refused), TEST_ONE(test_address_in_use),
	  TEST_ONE(test_source_port))
