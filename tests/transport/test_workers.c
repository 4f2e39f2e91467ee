/* tests/transport/test_workers.c - four workers on four threads: each Call-ID meets its owner (for ThreadSanitizer too). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "common/transport/transport.h"
#include "common/util/clock.h"
#include "tests/check.h"

#define N_WORKERS 4
#define N_CALLS 200
#define WAIT_MS 20000

static struct transport_group *g;
static struct side {
	unsigned id;
	struct loop *l;
	struct transport *t;
	pthread_t thread;
} side[N_WORKERS];
static atomic_uint answered, strays;

/* Answers over the flow it came from: for a stream that is often another worker's connection. */
static void on_message(void *u, struct sip_msg *m)
{
	struct side *s = u;
	struct bytes *b = bytes_new(STR("x"));

	if (transport_worker_of(g, m->call_id) != s->id)
		atomic_fetch_add(&strays, 1);
	if (b && transport_send(s->t, &m->flow, b, 1) == 0)
		atomic_fetch_add(&answered, 1);
	bytes_unref(b);
}
static void on_bad(void *u, struct sip_msg *m, const struct sip_flow *f, struct str raw, const struct sip_parse_error *e)
{
	(void)u, (void)m, (void)f, (void)raw, (void)e;
	atomic_fetch_add(&strays, 1);
}
static void on_error(void *u, uint64_t origin, int err)
{
	(void)u, (void)origin, (void)err;
}
static void on_closed(void *u, const struct sip_flow *f)
{
	(void)u, (void)f;
}
static const struct transport_ops ops = { on_message, on_bad, on_error, NULL, on_closed };

static void *run(void *arg)
{
	loop_run(((struct side *)arg)->l);
	return NULL;
}

static const int types[] = { SOCK_DGRAM, SOCK_STREAM };

START_TEST(test_workers)
{
	struct timeval tv = { WAIT_MS / 1000, 0 };
	char text[600], back;
	struct addr a;
	int fd;

	ck_assert_int_eq(addr_parse(STR("127.0.101.9"), 25080, &a), 0);
	atomic_store(&answered, 0);
	g = transport_group_new(N_WORKERS);
	for (unsigned i = 0; i < N_WORKERS; i++) {
		side[i] = (struct side){ .id = i, .l = loop_new() };
		side[i].t = transport_new(g, (uint16_t)i, side[i].l, &transport_limits_default, &ops, &side[i]);
		ck_assert_int_eq(transport_listen(side[i].t, SIP_UDP, &a), 0);
		ck_assert_int_eq(transport_listen(side[i].t, SIP_TCP, &a), 0);
	}
	for (unsigned i = 0; i < N_WORKERS; i++)
		ck_assert_int_eq(pthread_create(&side[i].thread, NULL, run, &side[i]), 0);
	fd = socket(AF_INET, types[_i], 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	ck_assert_int_eq(connect(fd, &a.sa, addr_len(&a)), 0);
	for (unsigned i = 0; i < N_CALLS; i++) {
		int n = snprintf(text, sizeof(text),
				 "OPTIONS sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.101.8:5060;branch=z9hG4bK%u\r\n"
				 "From: <sip:x@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: id-%u\r\nCSeq: 1 OPTIONS\r\n"
				 "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n", i, i);

		ck_assert_int_eq(send(fd, text, (size_t)n, 0), n);
		ck_assert_int_eq(recv(fd, &back, 1, 0), 1);
	}
	for (unsigned i = 0; i < N_WORKERS; i++)
		loop_stop(side[i].l, 0);
	for (unsigned i = 0; i < N_WORKERS; i++)
		pthread_join(side[i].thread, NULL);
	ck_assert_uint_eq(atomic_load(&strays), 0);
	ck_assert_uint_eq(atomic_load(&answered), N_CALLS);
	close(fd);
	for (unsigned i = 0; i < N_WORKERS; i++) {
		transport_free(side[i].t);
		loop_free(side[i].l);
	}
	transport_group_free(g);
}
END_TEST

TEST_MAIN("workers", TEST_ROWS(test_workers, types))
