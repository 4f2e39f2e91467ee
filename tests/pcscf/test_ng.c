/* tests/pcscf/test_ng.c - questions to media relays: cookie, retransmission, deadline, which relay, health.  Row P17. */
#include <stdio.h>
#include "common/util/bencode.h"
#include "pcscf/ng.h"
#include "tests/check.h"

#define PING "d7:command4:pinge"

static struct {
	struct wheel wheel;
	struct ng_relay relay[3];
	struct ng *g;
	unsigned sent, to[3];
	char last[3][128];
	unsigned answers;
	enum ng_outcome outcome;
	char why[NG_WHY_BYTES], sdp[32];
} t;

static void on_send(void *u, unsigned relay, struct str octets)
{
	(void)u;
	t.sent++;
	t.to[relay]++;
	str_copy(octets, t.last[relay], sizeof(t.last[relay]));
}

static void on_answer(void *arg, const struct ng_answer *a)
{
	ck_assert_ptr_eq(arg, &t);
	t.answers++;
	t.outcome = a->outcome;
	memcpy(t.why, a->why, sizeof(t.why));
	str_copy(a->sdp, t.sdp, sizeof(t.sdp));
}

static void begin(unsigned n)
{
	memset(&t, 0, sizeof(t));
	wheel_init(&t.wheel, 1000);
	for (unsigned i = 0; i < n; i++) {
		snprintf(t.relay[i].name, sizeof(t.relay[i].name), "relay %u", i);
		t.relay[i].weight = 1;
		atomic_store(&t.relay[i].up, true);
	}
	t.g = ng_new(&(const struct ng_env){ .wheel = &t.wheel, .relay = t.relay, .n_relays = n, .timeout_ms = 2000, .send = on_send });
	ck_assert_ptr_nonnull(t.g);
}

static void run(uint64_t ms)
{
	wheel_advance(&t.wheel, t.wheel.now_ms + ms);
}

static void reply(unsigned relay, const char *dict)
{
	char text[256];

	snprintf(text, sizeof(text), "%.16s %s", t.last[relay], dict);
	ng_input(t.g, relay, str_from_c(text));
}

static const struct { const char *name, *dict; enum ng_outcome outcome; const char *why, *sdp; } replies[] = {
	{ "a description", "d6:result2:ok3:sdp5:v=0\r\ne", NG_OK, "", "v=0\r\n" },
	{ "no description", "d6:result2:oke", NG_OK, "", "" },
	{ "an error with a reason", "d6:result5:error12:error-reason15:Unknown call-ide", NG_ERROR, "Unknown call-id", "" },
	{ "a reason with quotes and control characters", "d6:result5:error12:error-reason5:a\"\n\\be", NG_ERROR, "a...b", "" },
	{ "a result of another kind", "d6:result10:load limite", NG_ERROR, "load limit", "" },
	{ "no dictionary", "l2:oke", NG_ERROR, "an answer that cannot be read", "" },
	{ "cut", "d6:result2:o", NG_ERROR, "an answer that cannot be read", "" },
	{ "nothing", "", NG_ERROR, "an answer that cannot be read", "" },
};

START_TEST(test_reply)
{
	begin(1);
	ck_assert_ptr_nonnull(ng_ask(t.g, 0, STR(PING), on_answer, &t));
	ck_assert_str_eq(t.last[0] + 17, PING);
	reply(0, replies[_i].dict);
	ck_assert_msg(t.answers == 1 && t.outcome == replies[_i].outcome, "%s: %d", replies[_i].name, t.outcome);
	ck_assert_str_eq(t.why, replies[_i].why);
	ck_assert_str_eq(t.sdp, replies[_i].sdp);
	reply(0, replies[_i].dict);		/* it comes twice */
	run(10000);
	ck_assert_uint_eq(t.answers, 1);
	ck_assert_uint_eq(ng_outstanding(t.g), 0);
	ng_free(t.g);
}
END_TEST

START_TEST(test_resent)		/* the same cookie, until the deadline; then the relay is down */
{
	char first[128];

	begin(1);
	ng_ask(t.g, 0, STR(PING), on_answer, &t);
	memcpy(first, t.last[0], sizeof(first));
	run(199);
	ck_assert_uint_eq(t.sent, 1);
	run(1);
	ck_assert_uint_eq(t.sent, 2);
	ck_assert_str_eq(t.last[0], first);
	for (int i = 0; i < 30; i++)
		run(50);
	ck_assert_uint_eq(t.sent, 4);
	ck_assert_uint_eq(t.answers, 0);
	run(400);
	ck_assert_uint_eq(t.answers, 1);
	ck_assert_int_eq(t.outcome, NG_SILENT);
	ck_assert(!atomic_load(&t.relay[0].up));
	ck_assert_int_eq(ng_choose(t.g, 0), -1);
	reply(0, "d6:result2:oke");			/* too late */
	ck_assert_uint_eq(t.answers, 1);
	ck_assert(!atomic_load(&t.relay[0].up));
	ng_free(t.g);
}
END_TEST

START_TEST(test_nonsense)	/* from the network: other cookies, other relays, no cookie */
{
	static const char *const bad[] = { "", " ", "x", "0123456789abcdef d6:result2:oke", "0123456789abcdeg d", "d6:result2:oke" };

	begin(2);
	ng_ask(t.g, 0, STR(PING), on_answer, &t);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ng_input(t.g, 0, str_from_c(bad[i]));
	memcpy(t.last[1], t.last[0], sizeof(t.last[0]));
	reply(1, "d6:result2:oke");			/* the right cookie, another sender */
	ck_assert_uint_eq(t.answers, 0);
	reply(0, "d6:result2:oke");
	ck_assert_uint_eq(t.answers, 1);
	ng_free(t.g);
}
END_TEST

static void ask_again(void *arg, const struct ng_answer *a)
{
	on_answer(arg, a);
	ck_assert_ptr_nonnull(ng_ask(t.g, 0, STR(PING), on_answer, &t));
}

START_TEST(test_refused)	/* nobody listens: all that are out, and not what is asked meanwhile */
{
	begin(2);
	ng_ask(t.g, 0, STR(PING), ask_again, &t);
	ng_ask(t.g, 0, STR(PING), on_answer, &t);
	ng_ask(t.g, 1, STR(PING), on_answer, &t);
	ng_refused(t.g, 0);
	ck_assert_uint_eq(t.answers, 2);
	ck_assert_int_eq(t.outcome, NG_SILENT);
	ck_assert_uint_eq(ng_outstanding(t.g), 2);
	ck_assert_int_eq(ng_choose(t.g, 0), 1);
	ng_free(t.g);
}
END_TEST

START_TEST(test_cancel)
{
	struct ng_query *q;

	begin(1);
	q = ng_ask(t.g, 0, STR(PING), on_answer, &t);
	ng_cancel(q);
	reply(0, "d6:result2:oke");
	run(5000);
	ck_assert_uint_eq(t.answers, 0);
	ng_free(t.g);
}
END_TEST

START_TEST(test_limit)		/* NG_MAX_OUTSTANDING, NG_MAX_BYTES */
{
	static char large[NG_MAX_BYTES];

	begin(1);
	memset(large, 'x', sizeof(large));
	ck_assert_ptr_null(ng_ask(t.g, 0, str_make(large, sizeof(large)), on_answer, &t));
	for (unsigned i = 0; i < NG_MAX_OUTSTANDING; i++)
		ck_assert_ptr_nonnull(ng_ask(t.g, 0, STR(PING), on_answer, &t));
	ck_assert_ptr_null(ng_ask(t.g, 0, STR(PING), on_answer, &t));
	ng_free(t.g);
	ck_assert_uint_eq(t.answers, 0);
}
END_TEST

static const struct { const char *name; uint32_t weight[3]; bool up[3]; uint32_t but; int only; unsigned may; } choices[] = {
	{ "one of all", { 1, 1, 1 }, { true, true, true }, 0, -2, 7 },
	{ "one is down", { 1, 1, 1 }, { true, false, true }, 0, -2, 5 },
	{ "one was tried", { 1, 1, 1 }, { true, true, true }, 1, -2, 6 },
	{ "weight 0 takes nothing", { 0, 5, 0 }, { true, true, true }, 0, 1, 2 },
	{ "weight 0 when there is no other", { 0, 5, 0 }, { true, false, true }, 0, -2, 5 },
	{ "none is up", { 1, 1, 1 }, { false, false, false }, 0, -1, 0 },
	{ "all were tried", { 1, 1, 1 }, { true, true, true }, 7, -1, 0 },
};

START_TEST(test_choose)
{
	unsigned seen = 0;

	begin(3);
	for (unsigned i = 0; i < 3; i++) {
		t.relay[i].weight = choices[_i].weight[i];
		atomic_store(&t.relay[i].up, choices[_i].up[i]);
	}
	for (int i = 0; i < 300; i++) {
		int n = ng_choose(t.g, choices[_i].but);

		ck_assert_msg(choices[_i].only == -2 || n == choices[_i].only, "%s: %d", choices[_i].name, n);
		seen |= n < 0 ? 0 : 1u << n;
	}
	ck_assert_msg(seen == choices[_i].may, "%s: seen %x", choices[_i].name, seen);
	ng_free(t.g);
}
END_TEST

START_TEST(test_weights)	/* 9 to 1 */
{
	unsigned n[2] = { 0 };

	begin(2);
	t.relay[0].weight = 9;
	for (int i = 0; i < 2000; i++)
		n[ng_choose(t.g, 0)]++;
	ck_assert_msg(n[1] > 100 && n[1] < 320, "%u of 2000", n[1]);
	ng_free(t.g);
}
END_TEST

START_TEST(test_health)		/* pings: down when unanswered, up again with an answer */
{
	begin(2);
	ng_watch(t.g, 5000);
	run(1);
	ck_assert(t.to[0] == 1 && t.to[1] == 1);
	ck_assert_str_eq(t.last[1] + 17, PING);
	reply(0, "d6:result4:ponge");
	run(2001);
	ck_assert(atomic_load(&t.relay[0].up) && !atomic_load(&t.relay[1].up));
	run(3000);
	ck_assert_uint_eq(t.to[0], 2);
	reply(1, "d6:result4:ponge");
	ck_assert(atomic_load(&t.relay[1].up));
	ng_free(t.g);
}
END_TEST

START_TEST(test_slow_pong)	/* pinged more often than it must answer: it has the time of every other question, and one ping at a time */
{
	char first[17];

	begin(1);
	ng_watch(t.g, 300);
	run(1);
	str_copy(str_make(t.last[0], 16), first, sizeof(first));
	for (int i = 0; i < 19; i++)
		run(100);
	ck_assert(atomic_load(&t.relay[0].up));
	ck_assert_uint_eq(ng_outstanding(t.g), 1);
	ck_assert(strncmp(t.last[0], first, 16) == 0);
	reply(0, "d6:result4:ponge");
	run(300);
	ck_assert(strncmp(t.last[0], first, 16) != 0);		/* the next one */
	ck_assert_uint_eq(ng_outstanding(t.g), 1);
	for (int i = 0; i < 21; i++)
		run(100);
	ck_assert(!atomic_load(&t.relay[0].up));
	run(300);
	ck_assert_uint_eq(ng_outstanding(t.g), 1);
	reply(0, "d6:result4:ponge");
	ck_assert(atomic_load(&t.relay[0].up));
	ng_free(t.g);
}
END_TEST

TEST_MAIN("ng", TEST_ROWS(test_reply, replies), TEST_ONE(test_resent), TEST_ONE(test_nonsense), TEST_ONE(test_refused), TEST_ONE(test_cancel),
	  TEST_ONE(test_limit), TEST_ROWS(test_choose, choices), TEST_ONE(test_weights), TEST_ONE(test_health), TEST_ONE(test_slow_pong))
