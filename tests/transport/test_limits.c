/* tests/transport/test_limits.c - every limit of the transport, and its listeners on IPv6 and on every address.
 *
 * Rows C6, C7, F12, F17, SEC-15: a peer that is slow, silent, greedy or does not read costs its connection, nothing else. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "common/transport/transport.h"
#include "tests/check.h"

#define WAIT_MS 5000

static struct loop *l;
static struct transport_group *g;
static struct transport *t;
static struct addr me;			/* the listener */
static unsigned messages, bad, errors, closed, bad_status;
static int error;

static void on_message(void *u, struct sip_msg *m)
{
	(void)u, (void)m;
	messages++;
}
static void on_bad(void *u, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e)
{
	(void)u, (void)m, (void)from, (void)raw;
	bad++;
	bad_status = e->status;
}
static void on_error(void *u, uint64_t origin, int err)
{
	(void)u, (void)origin;
	errors++;
	error = err;
}
static void on_closed(void *u, const struct sip_flow *flow)
{
	(void)u, (void)flow;
	closed++;
}
static const struct transport_ops ops = { on_message, on_bad, on_error, NULL, on_closed };

static void begin(const struct transport_limits *lim, enum sip_proto proto, const char *host)
{
	struct sip_flow to = { .proto = proto };
	struct addr a;

	messages = bad = errors = closed = bad_status = 0;
	l = loop_new();
	g = transport_group_new(1);
	t = transport_new(g, 0, l, lim, &ops, NULL);
	ck_assert_int_eq(addr_parse(str_from_c(host), 0, &a), 0);
	ck_assert_int_eq(transport_listen(t, proto, &a), 0);
	ck_assert_int_eq(addr_parse(a.sa.sa_family == AF_INET6 ? STR("::1") : STR("127.0.0.1"), 9, &to.remote), 0);
	ck_assert_int_eq(transport_local_for(t, &to, &me), 0);
}

static void end(void)
{
	transport_free(t);
	transport_group_free(g);
	loop_free(l);
}

static void until(const unsigned *n, unsigned want)
{
	for (unsigned i = 0; *n < want && i < WAIT_MS / 5; i++)
		loop_run_for(l, 5);
	ck_assert_uint_ge(*n, want);
}

static int dial(int type)
{
	int fd = socket(me.sa.sa_family, type, 0);

	ck_assert_int_eq(connect(fd, &me.sa, addr_len(&me)), 0);
	return fd;
}

static uint32_t connections(void)
{
	struct transport_stats s;

	transport_stats(t, &s);
	return s.connections;
}

static void until_connections(uint32_t want)
{
	for (unsigned i = 0; connections() != want && i < WAIT_MS / 5; i++)
		loop_run_for(l, 5);
	ck_assert_uint_eq(connections(), want);
}

static const char options[] = "OPTIONS sip:a@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:x@h>;tag=1\r\n"
			      "To: <sip:a@h>\r\nCall-ID: one\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

/* Half a message, then one octet at a time: slowloris. */
START_TEST(test_half_a_message)
{
	struct transport_limits lim = transport_limits_default;
	int fd;

	lim.frame_timeout_s = 1;
	begin(&lim, SIP_TCP, "127.0.0.1");
	fd = dial(SOCK_STREAM);
	ck_assert_int_eq(send(fd, options, 40, 0), 40);
	until_connections(1);
	for (unsigned i = 40; !closed && i < sizeof(options) - 2; i++) {
		if (send(fd, options + i, 1, MSG_NOSIGNAL) < 0)
			break;
		loop_run_for(l, 50);
	}
	until(&closed, 1);
	ck_assert_uint_eq(messages, 0);
	close(fd);
	end();
}
END_TEST

START_TEST(test_idle)
{
	struct transport_limits lim = transport_limits_default;
	int fd;

	lim.idle_timeout_s = 1;
	begin(&lim, SIP_TCP, "127.0.0.1");
	fd = dial(SOCK_STREAM);
	until_connections(1);
	for (unsigned i = 0; i < 4; i++) {		/* traffic keeps it */
		loop_run_for(l, 400);
		ck_assert_int_eq(send(fd, options, sizeof(options) - 1, 0), (ssize_t)sizeof(options) - 1);
	}
	until(&messages, 4);
	ck_assert_uint_eq(closed, 0);
	until(&closed, 1);
	close(fd);
	end();
}
END_TEST

START_TEST(test_max_connections)
{
	struct transport_limits lim = transport_limits_default;
	struct sip_flow to = { .proto = SIP_TCP };
	struct transport_stats s;
	struct bytes *wire = bytes_new(STR("x"));
	char c;
	int fd[3];

	lim.max_connections = 2;
	begin(&lim, SIP_TCP, "127.0.0.1");
	for (unsigned i = 0; i < 2; i++)
		fd[i] = dial(SOCK_STREAM);
	until_connections(2);
	fd[2] = dial(SOCK_STREAM);
	do {
		loop_run_for(l, 5);
		transport_stats(t, &s);
	} while (!s.refused);
	ck_assert_int_le(recv(fd[2], &c, 1, 0), 0);		/* closed at once */
	ck_assert_int_eq(addr_parse(STR("127.0.0.1"), 9, &to.remote), 0);
	ck_assert_int_eq(transport_send(t, &to, wire, 1), -ENOSPC);
	ck_assert_int_eq(send(fd[0], options, sizeof(options) - 1, 0), (ssize_t)sizeof(options) - 1);
	until(&messages, 1);					/* the others go on */
	close(fd[0]);
	until_connections(1);
	close(fd[2]);
	fd[2] = dial(SOCK_STREAM);				/* and there is room again */
	until_connections(2);
	close(fd[1]);
	close(fd[2]);
	bytes_unref(wire);
	end();
}
END_TEST

START_TEST(test_too_large)
{
	struct transport_limits lim = transport_limits_default;
	char junk[4000];
	int fd;

	lim.max_message_bytes = 3000;
	begin(&lim, SIP_TCP, "127.0.0.1");
	memset(junk, 'x', sizeof(junk));
	memcpy(junk, options, 100);
	fd = dial(SOCK_STREAM);
	ck_assert_int_eq(send(fd, junk, sizeof(junk), 0), (ssize_t)sizeof(junk));
	until(&bad, 1);
	ck_assert_uint_eq(bad_status, 513);
	until(&closed, 1);
	close(fd);
	end();
}
END_TEST

START_TEST(test_peer_does_not_read)
{
	struct transport_limits lim = transport_limits_default;
	struct sip_flow to = { .proto = SIP_TCP };
	char big[60000];
	struct bytes *wire;
	socklen_t al = sizeof(to.remote);
	int fd, small = 4096, rc = 0;

	lim.max_queued_bytes = 300000;
	begin(&lim, SIP_TCP, "127.0.0.1");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	ck_assert_int_eq(connect(fd, &me.sa, addr_len(&me)), 0);
	ck_assert_int_eq(getsockname(fd, &to.remote.sa, &al), 0);
	until_connections(1);
	memset(big, 'y', sizeof(big));
	wire = bytes_new(str_make(big, sizeof(big)));
	for (unsigned i = 0; rc == 0 && i < 1000; i++) {
		rc = transport_send(t, &to, wire, 7);
		loop_run_for(l, 1);
	}
	bytes_unref(wire);
	ck_assert_int_eq(rc, -ENOBUFS);
	until(&closed, 1);
	ck_assert_uint_ge(errors, 1);			/* what still waited is reported */
	close(fd);
	end();
}
END_TEST

START_TEST(test_connect_times_out)
{
	struct transport_limits lim = transport_limits_default;
	struct sip_flow to = { .proto = SIP_TCP };
	struct bytes *wire = bytes_new(STR("x"));
	socklen_t al = sizeof(to.remote);
	int full = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), fill[8];

	lim.connect_timeout_ms = 200;
	begin(&lim, SIP_TCP, "127.0.0.1");
	ck_assert_int_eq(addr_parse(STR("127.0.0.1"), 0, &to.remote), 0);
	ck_assert_int_eq(bind(full, &to.remote.sa, al = addr_len(&to.remote)), 0);
	ck_assert_int_eq(getsockname(full, &to.remote.sa, &al), 0);
	ck_assert_int_eq(listen(full, 0), 0);
	for (unsigned i = 0; i < 8; i++) {		/* nobody accepts: the queue fills, further SYNs are dropped */
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fill[i], &to.remote.sa, addr_len(&to.remote));
	}
	ck_assert_int_eq(transport_send(t, &to, wire, 7), 0);
	until(&errors, 1);
	ck_assert_int_eq(error, -ETIMEDOUT);
	ck_assert_uint_eq(closed, 0);			/* it never was open */
	ck_assert_uint_eq(connections(), 0);
	for (unsigned i = 0; i < 8; i++)
		close(fill[i]);
	close(full);
	bytes_unref(wire);
	end();
}
END_TEST

static const struct listen_row { enum sip_proto proto; const char *listen, *seen; } listens[] = {
	{ SIP_UDP, "::1", "[::1]" }, { SIP_TCP, "::1", "[::1]" },
	{ SIP_UDP, "0.0.0.0", "127.0.0.1" }, { SIP_TCP, "0.0.0.0", "127.0.0.1" },
	{ SIP_UDP, "::", "[::1]" }, { SIP_TCP, "::", "[::1]" },
};

/* A message in, an answer out of the same listener; what goes into Via is an address, never "any". */
START_TEST(test_listener)
{
	const struct listen_row *w = &listens[_i];
	struct sip_flow to = { .proto = w->proto };
	struct bytes *wire = bytes_new(STR("SIP/2.0 200"));
	socklen_t al = sizeof(to.remote);
	char text[ADDR_STRLEN], back[32];
	int fd;

	begin(&transport_limits_default, w->proto, w->listen);
	ck_assert_str_eq(addr_host(&me, text), w->seen);
	ck_assert_uint_ne(addr_port(&me), 0);
	fd = dial(w->proto == SIP_UDP ? SOCK_DGRAM : SOCK_STREAM);
	ck_assert_int_eq(send(fd, options, sizeof(options) - 1, 0), (ssize_t)sizeof(options) - 1);
	until(&messages, 1);
	ck_assert_int_eq(getsockname(fd, &to.remote.sa, &al), 0);
	ck_assert_int_eq(transport_send(t, &to, wire, 7), 0);
	loop_run_for(l, 20);
	ck_assert_int_eq(recv(fd, back, sizeof(back), MSG_DONTWAIT), 11);
	bytes_unref(wire);
	close(fd);
	end();
}
END_TEST

TEST_MAIN("limits", TEST_ONE(test_half_a_message), TEST_ONE(test_idle), TEST_ONE(test_max_connections), TEST_ONE(test_too_large),
	  TEST_ONE(test_peer_does_not_read), TEST_ONE(test_connect_times_out), TEST_ROWS(test_listener, listens))
