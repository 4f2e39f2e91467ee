/* tests/transaction/test_nict.c - RFC 3261 figure 6: every cell, every timer. */
#include <stdio.h>
#include "tests/transaction/world.h"

static struct world w;

static void reach(enum sip_proto proto, enum tx_side side, uint8_t state)
{
	world_init(&w, proto, side);
	ck_assert_ptr_nonnull(world_client(&w, "MESSAGE"));
	ck_assert_uint_eq(w.n_sent, 1);
	if (state == NICT_PROCEEDING)
		world_response(&w, 100, "MESSAGE");
	else if (state == NICT_COMPLETED)
		world_response(&w, 202, "MESSAGE");
}

#define NO WORLD_REFUSED
static const struct world_cell cells[] = {
	/* state, event, next, sent, up, failed */
	{ NICT_TRYING, NICT_EV_1XX,      NICT_PROCEEDING, 0, 1, 0 },
	{ NICT_TRYING, NICT_EV_FINAL,    NICT_COMPLETED,  0, 1, 0 },
	{ NICT_TRYING, NICT_EV_TIMER_E,  NICT_TRYING,     1, 0, 0 },
	{ NICT_TRYING, NICT_EV_TIMER_F,  NICT_TERMINATED, 0, 0, 1 },
	{ NICT_TRYING, NICT_EV_TIMER_K,  NO,              0, 0, 0 },
	{ NICT_TRYING, NICT_EV_TP_ERROR, NICT_TERMINATED, 0, 0, 1 },
	{ NICT_PROCEEDING, NICT_EV_1XX,      NICT_PROCEEDING, 0, 1, 0 },
	{ NICT_PROCEEDING, NICT_EV_FINAL,    NICT_COMPLETED,  0, 1, 0 },
	{ NICT_PROCEEDING, NICT_EV_TIMER_E,  NICT_PROCEEDING, 1, 0, 0 },
	{ NICT_PROCEEDING, NICT_EV_TIMER_F,  NICT_TERMINATED, 0, 0, 1 },
	{ NICT_PROCEEDING, NICT_EV_TIMER_K,  NO,              0, 0, 0 },
	{ NICT_PROCEEDING, NICT_EV_TP_ERROR, NICT_TERMINATED, 0, 0, 1 },
	{ NICT_COMPLETED, NICT_EV_1XX,      NICT_COMPLETED,  0, 0, 0 },
	{ NICT_COMPLETED, NICT_EV_FINAL,    NICT_COMPLETED,  0, 0, 0 },
	{ NICT_COMPLETED, NICT_EV_TIMER_E,  NO,              0, 0, 0 },
	{ NICT_COMPLETED, NICT_EV_TIMER_F,  NO,              0, 0, 0 },
	{ NICT_COMPLETED, NICT_EV_TIMER_K,  NICT_TERMINATED, 0, 0, 0 },
	{ NICT_COMPLETED, NICT_EV_TP_ERROR, NICT_COMPLETED,  0, 0, 0 },
};
_Static_assert(sizeof(cells) / sizeof(cells[0]) == (NICT_N_STATES - 1) * NICT_N_EVENTS, "a row per cell");

START_TEST(test_nict_cell)
{
	char text[400];
	struct sip_msg *m = NULL;

	reach(SIP_UDP, TX_CORE, cells[_i].state);
	if (cells[_i].event <= NICT_EV_FINAL) {
		snprintf(text, sizeof(text), "SIP/2.0 %u X\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=" WORLD_BRANCH "\r\n"
			 "From: <sip:a@b>;tag=a1\r\nTo: <sip:b@b>;tag=b\r\nCall-ID: world@test\r\nCSeq: 1 MESSAGE\r\n"
			 "Content-Length: 0\r\n\r\n", cells[_i].event == NICT_EV_1XX ? 100u : 480u);
		m = world_parse(&w, text);
	}
	world_check_cell(&w, &w.ct->t, &cells[_i], m);
	sip_msg_unref(m);
	world_fini(&w);
}
END_TEST

/* §17.1.2.2: E doubles up to T2; once a provisional came it is T2 from the next firing on; F ends it at 64*T1. */
static const struct { const char *name; enum sip_proto proto; enum tx_side side; uint8_t state; uint64_t at[20]; uint64_t f_ms; } silence[] = {
	{ "core UDP", SIP_UDP, TX_CORE, NICT_TRYING,
	  { 0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, UINT64_MAX }, 32000 },
	{ "UE UDP",   SIP_UDP, TX_UE, NICT_TRYING,
	  { 0, 2000, 6000, 14000, 30000, 46000, 62000, 78000, 94000, 110000, 126000, UINT64_MAX }, 128000 },
	{ "core UDP after 100", SIP_UDP, TX_CORE, NICT_PROCEEDING,
	  { 0, 500, 4500, 8500, 12500, 16500, 20500, 24500, 28500, UINT64_MAX }, 32000 },
	{ "UE UDP after 100", SIP_UDP, TX_UE, NICT_PROCEEDING,
	  { 0, 2000, 18000, 34000, 50000, 66000, 82000, 98000, 114000, UINT64_MAX }, 128000 },
	{ "core TCP", SIP_TCP, TX_CORE, NICT_TRYING, { 0, UINT64_MAX }, 32000 },
	{ "UE TLS after 100", SIP_TLS, TX_UE, NICT_PROCEEDING, { 0, UINT64_MAX }, 128000 },
};

START_TEST(test_nict_silence)
{
	reach(silence[_i].proto, silence[_i].side, silence[_i].state);
	world_advance(&w, 200000);
	world_expect_times(&w, "MESSAGE ", silence[_i].at);
	ck_assert_uint_eq(w.n_failed, 1);
	ck_assert_int_eq(w.last_err, -ETIMEDOUT);
	ck_assert_uint_eq(w.failed_at_ms, silence[_i].f_ms);
	ck_assert_uint_eq(w.n_gone, 1);
	world_fini(&w);
}
END_TEST

static const struct { const char *name; enum sip_proto proto; enum tx_side side; uint64_t ms; } lives[] = {
	{ "K core UDP", SIP_UDP, TX_CORE, 5000 }, { "K UE UDP", SIP_UDP, TX_UE, 17000 },
	{ "K core TCP", SIP_TCP, TX_CORE, 0 },    { "K UE TCP", SIP_TCP, TX_UE, 0 },
};

START_TEST(test_nict_life)
{
	reach(lives[_i].proto, lives[_i].side, NICT_COMPLETED);
	if (lives[_i].ms) {
		world_advance(&w, lives[_i].ms - 1);
		world_response(&w, 202, "MESSAGE");		/* a copy: absorbed */
		ck_assert_msg(w.n_gone == 0 && w.n_response == 1 && w.n_stray == 0, "%s", lives[_i].name);
	}
	world_advance(&w, 3);
	ck_assert_msg(w.n_gone == 1, "%s: still there", lives[_i].name);
	ck_assert_uint_le(w.gone_at_ms, lives[_i].ms + 1);
	world_response(&w, 202, "MESSAGE");
	ck_assert_uint_eq(w.n_stray, 1);
	world_fini(&w);
}
END_TEST

START_TEST(test_nict_send_fails)	/* told from the loop, never inside tx_client_new() */
{
	world_init(&w, SIP_TCP, TX_CORE);
	w.send_rc = -ECONNREFUSED;
	ck_assert_ptr_nonnull(world_client(&w, "OPTIONS"));
	ck_assert_uint_eq(w.n_failed, 0);
	world_advance(&w, 1);
	ck_assert_uint_eq(w.n_failed, 1);
	ck_assert_int_eq(w.last_err, -ECONNREFUSED);
	world_advance(&w, 2);
	ck_assert_uint_eq(w.n_gone, 1);
	world_fini(&w);
}
END_TEST

START_TEST(test_nict_transport_error)	/* the transport's later word, by handle; a stale handle does nothing */
{
	struct tx_handle h;

	reach(SIP_UDP, TX_CORE, NICT_TRYING);
	h = w.sent[0].origin;
	ck_assert_uint_eq(h.gen, tx_client_handle(w.ct).gen);
	tx_transport_error(w.l, h, -EHOSTUNREACH);
	ck_assert_uint_eq(w.n_failed, 1);
	ck_assert_int_eq(w.last_err, -EHOSTUNREACH);
	tx_transport_error(w.l, h, -EHOSTUNREACH);
	world_advance(&w, 2);
	tx_transport_error(w.l, h, -EHOSTUNREACH);
	world_client(&w, "MESSAGE");		/* takes the same slot */
	tx_transport_error(w.l, h, -EHOSTUNREACH);
	tx_transport_error(w.l, (struct tx_handle){ 4000000, 1, 3 }, -EIO);
	ck_assert_uint_eq(w.n_failed, 1);
	world_fini(&w);
}
END_TEST

TEST_MAIN("nict", TEST_ROWS(test_nict_cell, cells), TEST_ROWS(test_nict_silence, silence), TEST_ROWS(test_nict_life, lives),
	  TEST_ONE(test_nict_send_fails), TEST_ONE(test_nict_transport_error))
