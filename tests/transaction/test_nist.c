/* tests/transaction/test_nist.c - RFC 3261 figure 8 with RFC 4320: every cell, every timer. */
#include "tests/transaction/world.h"

static struct world w;

static void reach(enum sip_proto proto, enum tx_side side, uint8_t state)
{
	world_init(&w, proto, side);
	world_request(&w, "MESSAGE");
	ck_assert_uint_eq(w.n_request, 1);
	ck_assert_uint_eq(w.n_sent, 0);
	if (state == NIST_PROCEEDING)
		world_advance(&w, side == TX_UE ? 14000 : 3500);
	if (state == NIST_COMPLETED)
		world_answer(&w, 202);
}

#define NO WORLD_REFUSED
static const struct world_cell cells[] = {
	/* state, event, next, sent, up, failed */
	{ NIST_TRYING, NIST_EV_REQUEST,    NIST_TRYING,     0, 0, 0 },
	{ NIST_TRYING, NIST_EV_TU_100,     NIST_PROCEEDING, 1, 0, 0 },
	{ NIST_TRYING, NIST_EV_TU_1XX,     NO,              0, 0, 0 },
	{ NIST_TRYING, NIST_EV_TU_FINAL,   NIST_COMPLETED,  1, 0, 0 },
	{ NIST_TRYING, NIST_EV_TU_408,     NIST_COMPLETED,  0, 0, 0 },
	{ NIST_TRYING, NIST_EV_TIMER_100,  NIST_PROCEEDING, 1, 0, 0 },
	{ NIST_TRYING, NIST_EV_TIMER_J,    NO,              0, 0, 0 },
	{ NIST_TRYING, NIST_EV_TIMER_LATE, NIST_TERMINATED, 0, 0, 0 },
	{ NIST_TRYING, NIST_EV_TP_ERROR,   NO,              0, 0, 0 },
	{ NIST_PROCEEDING, NIST_EV_REQUEST,    NIST_PROCEEDING, 1, 0, 0 },
	{ NIST_PROCEEDING, NIST_EV_TU_100,     NIST_PROCEEDING, 1, 0, 0 },
	{ NIST_PROCEEDING, NIST_EV_TU_1XX,     NO,              0, 0, 0 },
	{ NIST_PROCEEDING, NIST_EV_TU_FINAL,   NIST_COMPLETED,  1, 0, 0 },
	{ NIST_PROCEEDING, NIST_EV_TU_408,     NIST_COMPLETED,  0, 0, 0 },
	{ NIST_PROCEEDING, NIST_EV_TIMER_100,  NO,              0, 0, 0 },
	{ NIST_PROCEEDING, NIST_EV_TIMER_J,    NO,              0, 0, 0 },
	{ NIST_PROCEEDING, NIST_EV_TIMER_LATE, NIST_TERMINATED, 0, 0, 0 },
	{ NIST_PROCEEDING, NIST_EV_TP_ERROR,   NIST_TERMINATED, 0, 0, 0 },
	{ NIST_COMPLETED, NIST_EV_REQUEST,    NIST_COMPLETED,  1, 0, 0 },
	{ NIST_COMPLETED, NIST_EV_TU_100,     NO,              0, 0, 0 },
	{ NIST_COMPLETED, NIST_EV_TU_1XX,     NO,              0, 0, 0 },
	{ NIST_COMPLETED, NIST_EV_TU_FINAL,   NO,              0, 0, 0 },
	{ NIST_COMPLETED, NIST_EV_TU_408,     NO,              0, 0, 0 },
	{ NIST_COMPLETED, NIST_EV_TIMER_100,  NO,              0, 0, 0 },
	{ NIST_COMPLETED, NIST_EV_TIMER_J,    NIST_TERMINATED, 0, 0, 0 },
	{ NIST_COMPLETED, NIST_EV_TIMER_LATE, NO,              0, 0, 0 },
	{ NIST_COMPLETED, NIST_EV_TP_ERROR,   NIST_TERMINATED, 0, 0, 0 },
};
_Static_assert(sizeof(cells) / sizeof(cells[0]) == (NIST_N_STATES - 1) * NIST_N_EVENTS, "a row per cell");

START_TEST(test_nist_cell)
{
	struct tx_response r = { 200, bytes_new(STR("SIP/2.0 of the user")) };

	reach(SIP_UDP, TX_CORE, cells[_i].state);
	world_check_cell(&w, &w.st->t, &cells[_i], &r);
	world_fini(&w);
	bytes_unref(r.wire);
}
END_TEST

/* RFC 4320 §4.1: over UDP no 100 before a client's timer E reaches T2, at that time one by itself; over streams the user's
 * own 100 may go at once; no other 1xx ever. */
static const struct { const char *name; enum sip_proto proto; enum tx_side side; unsigned status; uint64_t at_ms, user_100, own_100; } early[] = {
	{ "100 at once, UDP",      SIP_UDP, TX_CORE, 100, 0,     UINT64_MAX, 3500 },
	{ "100 at 3499, UDP",      SIP_UDP, TX_CORE, 100, 3499,  UINT64_MAX, 3500 },
	{ "100 at 13999, UE UDP",  SIP_UDP, TX_UE,   100, 13999, UINT64_MAX, 14000 },
	{ "100 at once, TCP",      SIP_TCP, TX_CORE, 100, 0,     0,          UINT64_MAX },
	{ "180 at once, UDP",      SIP_UDP, TX_CORE, 180, 0,     UINT64_MAX, 3500 },
	{ "183 at once, TCP",      SIP_TCP, TX_CORE, 183, 0,     UINT64_MAX, 3500 },
};

START_TEST(test_nist_provisional)
{
	uint64_t want[3] = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	struct tx_stats s;

	want[0] = early[_i].user_100 != UINT64_MAX ? early[_i].user_100 : early[_i].own_100;
	reach(early[_i].proto, early[_i].side, NIST_TRYING);
	world_advance(&w, early[_i].at_ms);
	world_answer(&w, early[_i].status);
	tx_layer_stats(w.l, &s);
	ck_assert_msg(s.responses_dropped == (early[_i].user_100 == UINT64_MAX), "%s", early[_i].name);
	world_advance(&w, 20000);
	world_expect_times(&w, "SIP/2.0 100 ", want);
	ck_assert_uint_eq(w.n_sent, 1);
	world_answer(&w, 200);
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 200 "), 1);
	world_fini(&w);
}
END_TEST

START_TEST(test_nist_no_408)		/* RFC 4320 §4.2: the client times out by itself; copies stay absorbed */
{
	struct tx_stats s;

	reach(SIP_UDP, TX_CORE, NIST_TRYING);
	world_answer(&w, 408);
	ck_assert(tx_server_final_sent(w.st));
	world_request(&w, "MESSAGE");
	world_advance(&w, 10000);
	world_request(&w, "MESSAGE");
	ck_assert_uint_eq(w.n_sent, 0);
	ck_assert_uint_eq(w.n_request, 1);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.responses_dropped, 1);
	world_fini(&w);
}
END_TEST

static const struct { const char *name; enum sip_proto proto; enum tx_side side; uint64_t ms; } late[] = {
	{ "core UDP", SIP_UDP, TX_CORE, 32000 }, { "core TCP", SIP_TCP, TX_CORE, 32000 }, { "UE UDP", SIP_UDP, TX_UE, 128000 },
};

START_TEST(test_nist_user_never_answers)	/* RFC 4320 §4.2: after 64*T1 a final response helps nobody */
{
	struct tx_handle h;

	reach(late[_i].proto, late[_i].side, NIST_TRYING);
	h = tx_server_handle(w.st);
	world_advance(&w, late[_i].ms - 1);
	ck_assert_ptr_eq(tx_server_find(w.l, h), w.st);
	ck_assert_uint_eq(w.n_gone, 0);
	world_advance(&w, 3);
	ck_assert_uint_eq(w.n_gone, 1);
	ck_assert_ptr_null(tx_server_find(w.l, h));
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 100 "), w.n_sent);
	world_fini(&w);
}
END_TEST

static const struct { const char *name; enum sip_proto proto; enum tx_side side; uint64_t ms; } lives[] = {
	{ "J core UDP", SIP_UDP, TX_CORE, 32000 }, { "J UE UDP", SIP_UDP, TX_UE, 128000 },
	{ "J core TCP", SIP_TCP, TX_CORE, 0 },     { "J UE TCP", SIP_TCP, TX_UE, 0 },
};

START_TEST(test_nist_life)
{
	reach(lives[_i].proto, lives[_i].side, NIST_COMPLETED);
	if (lives[_i].ms) {
		world_advance(&w, lives[_i].ms - 1);
		world_request(&w, "MESSAGE");
		ck_assert_msg(w.n_gone == 0 && w.n_request == 1 && w.n_sent == 2, "%s", lives[_i].name);
	}
	world_advance(&w, 3);
	ck_assert_msg(w.n_gone == 1, "%s: still there", lives[_i].name);
	ck_assert_uint_le(w.gone_at_ms, lives[_i].ms + 1);
	world_fini(&w);
}
END_TEST

START_TEST(test_nist_request_given_back)	/* the request's memory is not kept for the 32 s of timer J */
{
	reach(SIP_UDP, TX_CORE, NIST_TRYING);
	ck_assert_ptr_nonnull(tx_server_request(w.st));
	world_answer(&w, 202);
	ck_assert_ptr_nonnull(tx_server_request(w.st));		/* still valid inside the handler */
	world_advance(&w, 1);
	ck_assert_ptr_null(tx_server_request(w.st));
	world_answer(&w, 500);
	world_request(&w, "MESSAGE");
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 202 "), 2);
	ck_assert_uint_eq(w.n_sent, 2);
	world_fini(&w);
}
END_TEST

TEST_MAIN("nist", TEST_ROWS(test_nist_cell, cells), TEST_ROWS(test_nist_provisional, early), TEST_ONE(test_nist_no_408),
	  TEST_ROWS(test_nist_user_never_answers, late), TEST_ROWS(test_nist_life, lives),
	  TEST_ONE(test_nist_request_given_back))
