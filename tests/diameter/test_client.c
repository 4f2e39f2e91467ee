/* tests/diameter/test_client.c - one completion for each request, whenever and however often the answer comes: REG-05.
 *
 * The library and its threads are not there: what client.c asks of them is below, and time is the wheel's. */
#include <errno.h>
#include <string.h>
#include "common/diameter/cx.h"
#include "common/diameter/doic.h"
#include "common/diameter/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "tests/check.h"

#define T_MS 1000u

static struct {
	bool open;
	unsigned n_flights, n_freed;
	uint64_t id[8];
	char to[32];			/* Destination-Host of the last one */
	uint32_t timeout_ms;
} lib;
static struct {
	unsigned n;
	int err;
	uint32_t code;
} told;

/* ---- in place of flight.c, request.c, peers.c and node.c ---- */

const struct dia_node *dia_node(void)
{
	static const struct dia_node node = { .dest_realm = "test" };

	return &node;
}

size_t dia_peers(struct dia_peer_view *ret, size_t max)
{
	(void)max;
	*ret = (struct dia_peer_view){ .identity = "hss.test", .open = lib.open };
	return 1;
}

bool dia_any_open(void)
{
	return lib.open;
}

bool dia_is_open(struct str identity)
{
	return lib.open && identity.l;
}

bool peer_better_than(struct str identity)
{
	(void)identity;
	return false;
}

int request_make(enum dia_command_id cmd, const void *req, struct msg **ret)
{
	static char nothing;

	str_copy(dia_request_text(cmd, req, 293), lib.to, sizeof(lib.to));
	*ret = (struct msg *)(void *)&nothing;
	return 0;
}

int flight_start(struct mailbox *box, uint64_t id, enum dia_command_id cmd, struct msg *m, uint32_t timeout_ms)
{
	(void)box, (void)cmd, (void)m;
	lib.timeout_ms = timeout_ms;
	lib.id[lib.n_flights++ % 8] = id;
	return 0;
}

struct mailbox *mailbox_new(struct loop *l, struct dia_client *c)
{
	static char nothing;

	(void)l, (void)c;
	return (struct mailbox *)(void *)&nothing;
}

void mailbox_close(struct mailbox *b)
{
	(void)b;
}

int fd_msg_free(msg_or_avp *m)
{
	(void)m;
	lib.n_freed++;
	return 0;
}

/* ---- the test's side ---- */

static struct loop *loop;
static struct dia_client *client;

static void begin(uint32_t max_outstanding)
{
	memset(&lib, 0, sizeof(lib));
	memset(&told, 0, sizeof(told));
	lib.open = true;
	loop = loop_new();
	client = loop ? dia_client_new(loop, T_MS, max_outstanding, 4) : NULL;
	ck_assert_ptr_nonnull(client);
}

static void end(void)
{
	dia_client_free(client);
	loop_free(loop);
}

static void pass(uint64_t ms)
{
	struct wheel *w = loop_wheel(loop);

	wheel_advance(w, w->now_ms + ms);
}

static void on_answer(void *arg, const struct cx_uaa *a)
{
	(void)arg;
	told.n++;
	told.err = a->result.err;
	told.code = a->result.code;
}

static uint64_t ask(void)
{
	struct cx_uar r = { .impu = STR("sip:a@h") };

	return cx_uar_send(client, &r, on_answer, NULL);
}

static void answer(uint64_t id, uint32_t code)
{
	struct cx_uaa a = { .result = { .code = code } };

	client_delivered(client, id, CX_UA, &a);
}

static const struct { const char *name; uint64_t at_ms; unsigned times; int err; } rows[] = {
	{ "before the deadline", T_MS - 1, 1, 0 },
	{ "twice before it", T_MS - 1, 2, 0 },
	{ "at the deadline", T_MS, 1, -ETIMEDOUT },
	{ "behind it", T_MS + 1, 1, -ETIMEDOUT },
	{ "twice behind it", T_MS + 1, 2, -ETIMEDOUT },
	{ "never", T_MS + 1, 0, -ETIMEDOUT },
};

START_TEST(test_answer_reg_05)
{
	uint64_t id;

	begin(4);
	id = ask();
	pass(rows[_i].at_ms);
	for (unsigned i = 0; i < rows[_i].times; i++)
		answer(id, 2001 + i);
	pass(2 * T_MS);
	ck_assert_msg(told.n == 1 && told.err == rows[_i].err, "%s: %u times, %d", rows[_i].name, told.n, told.err);
	ck_assert_msg(told.err || told.code == 2001, "%s: %u", rows[_i].name, told.code);
	end();
}
END_TEST

/* What comes late for one is not taken for another that has its place now. */
START_TEST(test_late_for_another_reg_05)
{
	uint64_t id[80], again;

	begin(100);
	for (int i = 0; i < 64; i++)
		id[i] = ask();
	pass(T_MS + 1);
	ck_assert_uint_eq(told.n, 64);
	again = ask();
	for (int i = 0; i < 64; i++)
		answer(id[i], 5001);
	ck_assert_uint_eq(told.n, 64);
	answer(again, 2001);
	ck_assert(told.n == 65 && told.err == 0 && told.code == 2001);
	answer(again ^ 1ull << 40, 5001);
	answer(0, 5001);
	answer(UINT64_MAX, 5001);
	ck_assert_uint_eq(told.n, 65);
	end();
}
END_TEST

START_TEST(test_an_overloaded_hss_D12)	/* RFC 7683: what it does not want is not sent, and whoever asked hears so at once */
{
	const struct doic_answer all = { DOIC_LOSS, true, 1, 100, 1, 0 };

	begin(4);
	doic_report(STR("hss.test"), STR("test"), &all, clock_mono_ms());
	ask();
	ck_assert_uint_eq(lib.n_flights, 0);
	pass(0);
	ck_assert(told.n == 1 && told.err == -EBUSY);
	doic_reset();
	ask();
	ck_assert_uint_eq(lib.n_flights, 1);
	end();
}
END_TEST

START_TEST(test_peer_lost_reg_05)	/* the answer of a peer that went, after one was told that there is none */
{
	uint64_t id;

	begin(1);
	id = ask();
	ask();					/* waits its turn */
	lib.open = false;
	answer(id, 2001);
	ck_assert(told.n == 1 && told.code == 2001);
	pass(1);				/* there is no peer for the second one */
	ck_assert(told.n == 2 && told.err == -ENOTCONN);
	ck_assert_uint_eq(lib.n_freed, 1);
	answer(id, 2001);
	pass(2 * T_MS);
	ck_assert_uint_eq(told.n, 2);
	end();
}
END_TEST

START_TEST(test_forgotten_reg_05)	/* a client that is gone has told nobody, and frees what waited */
{
	begin(1);
	ask();
	ask();
	end();
	ck_assert_uint_eq(lib.n_freed, 1);
}
END_TEST

static bool redirect(uint64_t id)
{
	struct cx_uar copy = { .impu = STR("sip:a@h") };
	struct redirection r = { { .n = 1, .host = { STR("aaa://hss2") }, .usage = 6, .cache_s = 60 }, &copy };

	return client_redirected(client, id, CX_UA, &r);
}

static const struct { const char *name; int err; uint32_t code; bool stays; } after[] = {
	{ "an answer", 0, 2001, true }, { "a user it does not know", 0, 5001, true }, { "a protocol error", 0, 3002, false },
	{ "a peer that went", -ENOTCONN, 0, false },
};

START_TEST(test_remembered_until_it_fails_I8)	/* RFC 6733 §6.12: one deadline for all of it */
{
	struct cx_uaa a = { .result = { .err = after[_i].err, .code = after[_i].code } };
	uint64_t id;

	begin(4);
	ck_assert_int_eq(dia_client_redirects(client, 10, 3600), 0);
	id = ask();
	ck_assert_str_eq(lib.to, "");
	pass(400);
	ck_assert(redirect(id));
	ck_assert_str_eq(lib.to, "hss2");
	ck_assert(lib.n_flights == 2 && lib.timeout_ms == T_MS - 400 && dia_client_outstanding(client) == 1);
	answer(id, 2001);
	ck_assert(told.n == 1 && told.code == 2001 && dia_client_outstanding(client) == 0);
	ck_assert(!redirect(id));			/* too late */
	id = ask();
	ck_assert_str_eq(lib.to, "hss2");
	client_delivered(client, id, CX_UA, &a);
	ask();
	ck_assert_msg((strcmp(lib.to, "hss2") == 0) == after[_i].stays, "%s: to \"%s\"", after[_i].name, lib.to);
	pass(61000);
	ask();
	ck_assert_str_eq(lib.to, "");
	end();
}
END_TEST

START_TEST(test_redirected_too_often_I8)
{
	uint64_t id;

	begin(4);
	id = ask();
	for (unsigned i = 0; i < DIA_MAX_REDIRECTS; i++)
		ck_assert(redirect(id));
	ck_assert(!redirect(id));
	pass(T_MS + 1);
	ck_assert(told.n == 1 && told.err == -ETIMEDOUT);
	end();
}
END_TEST

TEST_MAIN("client", TEST_ROWS(test_remembered_until_it_fails_I8, after), TEST_ONE(test_redirected_too_often_I8), TEST_ROWS(test_answer_reg_05, rows), TEST_ONE(test_late_for_another_reg_05), TEST_ONE(test_an_overloaded_hss_D12), TEST_ONE(test_peer_lost_reg_05),
	  TEST_ONE(test_forgotten_reg_05))
