/* tests/transaction/test_ict.c - RFC 3261 figure 5 with RFC 6026 §7.2: every cell, every timer, CANCEL. */
#include <stdio.h>
#include "tests/transaction/world.h"

static struct world w;

static void reach(enum sip_proto proto, enum tx_side side, uint8_t state)
{
	world_init(&w, proto, side);
	ck_assert_ptr_nonnull(world_client(&w, "INVITE"));
	ck_assert_uint_eq(w.n_sent, 1);
	if (state == ICT_PROCEEDING)
		world_response(&w, 180, "INVITE");
	else if (state == ICT_COMPLETED)
		world_response(&w, 486, "INVITE");
	else if (state == ICT_ACCEPTED)
		world_response(&w, 200, "INVITE");
}

#define NO WORLD_REFUSED
static const struct world_cell cells[] = {
	/* state, event, next, sent, up, failed */
	{ ICT_CALLING, ICT_EV_1XX,            ICT_PROCEEDING, 0, 1, 0 },
	{ ICT_CALLING, ICT_EV_2XX,            ICT_ACCEPTED,   0, 1, 0 },
	{ ICT_CALLING, ICT_EV_NON2XX,         ICT_COMPLETED,  1, 1, 0 },
	{ ICT_CALLING, ICT_EV_TIMER_A,        ICT_CALLING,    1, 0, 0 },
	{ ICT_CALLING, ICT_EV_TIMER_B,        ICT_TERMINATED, 0, 0, 1 },
	{ ICT_CALLING, ICT_EV_TIMER_D,        NO,             0, 0, 0 },
	{ ICT_CALLING, ICT_EV_TIMER_M,        NO,             0, 0, 0 },
	{ ICT_CALLING, ICT_EV_CANCEL,         ICT_CALLING,    0, 0, 0 },
	{ ICT_CALLING, ICT_EV_CANCEL_TIMEOUT, NO,             0, 0, 0 },
	{ ICT_CALLING, ICT_EV_TP_ERROR,       ICT_TERMINATED, 0, 0, 1 },
	{ ICT_PROCEEDING, ICT_EV_1XX,            ICT_PROCEEDING, 0, 1, 0 },
	{ ICT_PROCEEDING, ICT_EV_2XX,            ICT_ACCEPTED,   0, 1, 0 },
	{ ICT_PROCEEDING, ICT_EV_NON2XX,         ICT_COMPLETED,  1, 1, 0 },
	{ ICT_PROCEEDING, ICT_EV_TIMER_A,        NO,             0, 0, 0 },
	{ ICT_PROCEEDING, ICT_EV_TIMER_B,        NO,             0, 0, 0 },
	{ ICT_PROCEEDING, ICT_EV_TIMER_D,        NO,             0, 0, 0 },
	{ ICT_PROCEEDING, ICT_EV_TIMER_M,        NO,             0, 0, 0 },
	{ ICT_PROCEEDING, ICT_EV_CANCEL,         ICT_PROCEEDING, 1, 0, 0 },
	{ ICT_PROCEEDING, ICT_EV_CANCEL_TIMEOUT, ICT_TERMINATED, 0, 0, 1 },
	{ ICT_PROCEEDING, ICT_EV_TP_ERROR,       ICT_PROCEEDING, 0, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_1XX,            NO,             0, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_2XX,            NO,             0, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_NON2XX,         ICT_COMPLETED,  1, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_TIMER_A,        NO,             0, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_TIMER_B,        NO,             0, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_TIMER_D,        ICT_TERMINATED, 0, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_TIMER_M,        NO,             0, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_CANCEL,         ICT_COMPLETED,  0, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_CANCEL_TIMEOUT, NO,             0, 0, 0 },
	{ ICT_COMPLETED, ICT_EV_TP_ERROR,       ICT_TERMINATED, 0, 0, 0 },
	{ ICT_ACCEPTED, ICT_EV_1XX,            NO,             0, 0, 0 },
	{ ICT_ACCEPTED, ICT_EV_2XX,            ICT_ACCEPTED,   0, 1, 0 },
	{ ICT_ACCEPTED, ICT_EV_NON2XX,         NO,             0, 0, 0 },
	{ ICT_ACCEPTED, ICT_EV_TIMER_A,        NO,             0, 0, 0 },
	{ ICT_ACCEPTED, ICT_EV_TIMER_B,        NO,             0, 0, 0 },
	{ ICT_ACCEPTED, ICT_EV_TIMER_D,        NO,             0, 0, 0 },
	{ ICT_ACCEPTED, ICT_EV_TIMER_M,        ICT_TERMINATED, 0, 0, 0 },
	{ ICT_ACCEPTED, ICT_EV_CANCEL,         ICT_ACCEPTED,   0, 0, 0 },
	{ ICT_ACCEPTED, ICT_EV_CANCEL_TIMEOUT, NO,             0, 0, 0 },
	{ ICT_ACCEPTED, ICT_EV_TP_ERROR,       ICT_ACCEPTED,   0, 0, 0 },
};
_Static_assert(sizeof(cells) / sizeof(cells[0]) == (ICT_N_STATES - 1) * ICT_N_EVENTS, "a row per cell");

START_TEST(test_ict_cell)
{
	static const unsigned status[] = { [ICT_EV_1XX] = 183, [ICT_EV_2XX] = 200, [ICT_EV_NON2XX] = 503 };
	char text[400];
	struct sip_msg *m = NULL;

	reach(SIP_UDP, TX_CORE, cells[_i].state);
	if (cells[_i].event <= ICT_EV_NON2XX) {
		snprintf(text, sizeof(text), "SIP/2.0 %u X\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=" WORLD_BRANCH "\r\n"
			 "From: <sip:a@b>;tag=a1\r\nTo: <sip:b@b>;tag=b\r\nCall-ID: world@test\r\nCSeq: 1 INVITE\r\n"
			 "Content-Length: 0\r\n\r\n", status[cells[_i].event]);
		m = world_parse(&w, text);
	}
	world_check_cell(&w, &w.ct->t, &cells[_i], m);
	sip_msg_unref(m);
	world_fini(&w);
}
END_TEST

/* §17.1.1.2: the peer never answers.  A doubles without a bound, B ends it at 64*T1. */
static const struct { const char *name; enum sip_proto proto; enum tx_side side; uint64_t at[12]; uint64_t b_ms; } silence[] = {
	{ "core UDP", SIP_UDP, TX_CORE, { 0, 500, 1500, 3500, 7500, 15500, 31500, UINT64_MAX }, 32000 },
	{ "UE UDP",   SIP_UDP, TX_UE,   { 0, 2000, 6000, 14000, 30000, 62000, 126000, UINT64_MAX }, 128000 },
	{ "core TCP", SIP_TCP, TX_CORE, { 0, UINT64_MAX }, 32000 },
	{ "UE TCP",   SIP_TCP, TX_UE,   { 0, UINT64_MAX }, 128000 },
};

START_TEST(test_ict_silence)
{
	reach(silence[_i].proto, silence[_i].side, ICT_CALLING);
	world_advance(&w, 200000);
	world_expect_times(&w, "INVITE ", silence[_i].at);
	ck_assert_uint_eq(w.n_failed, 1);
	ck_assert_int_eq(w.last_err, -ETIMEDOUT);
	ck_assert_uint_eq(w.failed_at_ms, silence[_i].b_ms);
	ck_assert_uint_eq(w.n_gone, 1);
	world_fini(&w);
}
END_TEST

/* How long the absorbing states last: D (32 s, UE 128 s, reliable 0) and M (64*T1 everywhere, RFC 6026 §7.2). */
static const struct { const char *name; enum sip_proto proto; enum tx_side side; uint8_t state; uint64_t ms; } lives[] = {
	{ "D core UDP", SIP_UDP, TX_CORE, ICT_COMPLETED, 32000 },
	{ "D UE UDP",   SIP_UDP, TX_UE,   ICT_COMPLETED, 128000 },
	{ "D core TCP", SIP_TCP, TX_CORE, ICT_COMPLETED, 0 },
	{ "D UE TCP",   SIP_TCP, TX_UE,   ICT_COMPLETED, 0 },
	{ "M core UDP", SIP_UDP, TX_CORE, ICT_ACCEPTED,  32000 },
	{ "M UE UDP",   SIP_UDP, TX_UE,   ICT_ACCEPTED,  128000 },
	{ "M core TCP", SIP_TCP, TX_CORE, ICT_ACCEPTED,  32000 },
};

START_TEST(test_ict_life)
{
	struct tx *t;

	reach(lives[_i].proto, lives[_i].side, lives[_i].state);
	t = &w.ct->t;
	if (lives[_i].ms) {
		world_advance(&w, lives[_i].ms - 1);
		ck_assert_msg(t->state == lives[_i].state, "%s: ended early", lives[_i].name);
	}
	world_advance(&w, 3);
	ck_assert_msg(w.n_gone == 1, "%s: still there", lives[_i].name);
	ck_assert_uint_le(w.gone_at_ms, lives[_i].ms + 1);
	ck_assert_uint_eq(w.n_failed, 0);
	world_fini(&w);
}
END_TEST

START_TEST(test_ict_proceeding_lasts)	/* §17.1.1.2: no timer in Proceeding; that is timer C's, of the proxy */
{
	reach(SIP_UDP, TX_CORE, ICT_PROCEEDING);
	world_advance(&w, 600000);
	ck_assert_uint_eq(w.n_sent, 1);
	ck_assert_uint_eq(w.n_failed + w.n_gone, 0);
	world_fini(&w);
}
END_TEST

START_TEST(test_ict_ack_each_failure)	/* §17.1.1.3: an ACK per copy; the user hears once */
{
	reach(SIP_UDP, TX_CORE, ICT_COMPLETED);
	ck_assert_int_eq(strncmp(world_last(&w), "ACK sip:bob@ims.example SIP/2.0\r\n", 33), 0);
	ck_assert_ptr_nonnull(strstr(world_last(&w), "branch=" WORLD_BRANCH));
	ck_assert_ptr_nonnull(strstr(world_last(&w), "tag=b1"));
	world_response(&w, 486, "INVITE");
	world_response(&w, 486, "INVITE");
	ck_assert_uint_eq(world_count(&w, "ACK "), 3);
	ck_assert_uint_eq(w.n_response, 1);
	world_fini(&w);
}
END_TEST

START_TEST(test_ict_every_2xx)		/* RFC 6026 §7.2: forks and copies all reach the user while Accepted */
{
	reach(SIP_UDP, TX_CORE, ICT_ACCEPTED);
	world_response(&w, 200, "INVITE");
	world_advance(&w, 31000);
	world_response(&w, 200, "INVITE");
	ck_assert_uint_eq(w.n_response, 3);
	ck_assert_uint_eq(world_count(&w, "ACK "), 0);
	world_advance(&w, 1002);
	world_response(&w, 200, "INVITE");
	ck_assert_uint_eq(w.n_response, 3);
	ck_assert_uint_eq(w.n_stray, 1);
	world_fini(&w);
}
END_TEST

START_TEST(test_ict_cancel_waits)	/* §9.1: not before a provisional response */
{
	struct tx_stats s;

	reach(SIP_UDP, TX_CORE, ICT_CALLING);
	tx_client_cancel(w.ct, STR("SIP;cause=200;text=\"Call completed elsewhere\""));
	ck_assert_uint_eq(world_count(&w, "CANCEL "), 0);
	world_response(&w, 100, "INVITE");
	ck_assert_uint_eq(world_count(&w, "CANCEL "), 1);
	ck_assert_ptr_nonnull(strstr(world_last(&w), "branch=" WORLD_BRANCH));
	ck_assert_ptr_nonnull(strstr(world_last(&w), "CSeq: 1 CANCEL"));
	ck_assert_ptr_nonnull(strstr(world_last(&w), "cause=200"));
	tx_client_cancel(w.ct, STR_NONE);	/* twice is once */
	ck_assert_uint_eq(world_count(&w, "CANCEL "), 1);
	world_response(&w, 200, "CANCEL");	/* nobody's business */
	ck_assert_uint_eq(w.n_response, 1);
	world_response(&w, 487, "INVITE");
	ck_assert_uint_eq(w.last_status, 487);
	ck_assert_uint_eq(world_count(&w, "ACK "), 1);
	world_advance(&w, 40000);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.client_now, 0);
	ck_assert_uint_eq(w.n_failed, 0);
	world_fini(&w);
}
END_TEST

START_TEST(test_ict_cancel_unanswered)	/* §9.1: 64*T1 after the CANCEL nobody waits any more; CANCEL repeats by timer E */
{
	static const uint64_t at[] = { 1000, 1500, 2500, 4500, 8500, 12500, 16500, 20500, 24500, 28500, 32500, UINT64_MAX };

	reach(SIP_UDP, TX_CORE, ICT_PROCEEDING);
	world_advance(&w, 1000);
	tx_client_cancel(w.ct, STR_NONE);
	world_advance(&w, 100000);
	world_expect_times(&w, "CANCEL ", at);
	ck_assert_int_eq(w.last_err, -ETIMEDOUT);
	ck_assert_uint_eq(w.failed_at_ms, 33000);
	ck_assert_uint_eq(w.n_gone, 1);
	world_fini(&w);
}
END_TEST

START_TEST(test_ict_forgotten_ends)	/* a forgotten transaction calls nobody and does not stay */
{
	struct tx_stats s;

	reach(SIP_UDP, TX_CORE, ICT_PROCEEDING);
	tx_client_forget(w.ct);
	world_response(&w, 486, "INVITE");
	ck_assert_uint_eq(world_count(&w, "ACK "), 1);
	world_fini(&w);
	reach(SIP_UDP, TX_CORE, ICT_CALLING);
	tx_client_forget(w.ct);
	world_response(&w, 180, "INVITE");
	world_advance(&w, 32002);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.client_now, 0);
	ck_assert_uint_eq(w.n_response + w.n_failed + w.n_gone, 0);
	world_fini(&w);
}
END_TEST

TEST_MAIN("ict", TEST_ROWS(test_ict_cell, cells), TEST_ROWS(test_ict_silence, silence), TEST_ROWS(test_ict_life, lives),
	  TEST_ONE(test_ict_proceeding_lasts), TEST_ONE(test_ict_ack_each_failure), TEST_ONE(test_ict_every_2xx),
	  TEST_ONE(test_ict_cancel_waits), TEST_ONE(test_ict_cancel_unanswered), TEST_ONE(test_ict_forgotten_ends))
