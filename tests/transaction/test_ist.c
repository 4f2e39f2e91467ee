/* tests/transaction/test_ist.c - RFC 3261 figure 7 with RFC 6026 §7.1: every cell, every timer. */
#include "tests/transaction/world.h"

static struct world w;

static void reach(enum sip_proto proto, enum tx_side side, uint8_t state)
{
	world_init(&w, proto, side);
	world_request(&w, "INVITE");
	ck_assert_uint_eq(w.n_request, 1);
	ck_assert_uint_eq(w.n_sent, 1);			/* 100 at once */
	if (state == IST_COMPLETED || state == IST_CONFIRMED)
		world_answer(&w, 486);
	if (state == IST_CONFIRMED)
		world_request(&w, "ACK");
	if (state == IST_ACCEPTED)
		world_answer(&w, 200);
}

#define NO WORLD_REFUSED
static const struct world_cell cells[] = {
	/* state, event, next, sent, up, failed */
	{ IST_PROCEEDING, IST_EV_INVITE,    IST_PROCEEDING, 1, 0, 0 },
	{ IST_PROCEEDING, IST_EV_ACK,       NO,             0, 0, 0 },
	{ IST_PROCEEDING, IST_EV_TU_1XX,    IST_PROCEEDING, 1, 0, 0 },
	{ IST_PROCEEDING, IST_EV_TU_2XX,    IST_ACCEPTED,   1, 0, 0 },
	{ IST_PROCEEDING, IST_EV_TU_NON2XX, IST_COMPLETED,  1, 0, 0 },
	{ IST_PROCEEDING, IST_EV_TIMER_G,   NO,             0, 0, 0 },
	{ IST_PROCEEDING, IST_EV_TIMER_H,   NO,             0, 0, 0 },
	{ IST_PROCEEDING, IST_EV_TIMER_I,   NO,             0, 0, 0 },
	{ IST_PROCEEDING, IST_EV_TIMER_L,   NO,             0, 0, 0 },
	{ IST_PROCEEDING, IST_EV_TP_ERROR,  IST_PROCEEDING, 0, 0, 0 },
	{ IST_COMPLETED, IST_EV_INVITE,    IST_COMPLETED,  1, 0, 0 },
	{ IST_COMPLETED, IST_EV_ACK,       IST_CONFIRMED,  0, 0, 0 },
	{ IST_COMPLETED, IST_EV_TU_1XX,    NO,             0, 0, 0 },
	{ IST_COMPLETED, IST_EV_TU_2XX,    NO,             0, 0, 0 },
	{ IST_COMPLETED, IST_EV_TU_NON2XX, NO,             0, 0, 0 },
	{ IST_COMPLETED, IST_EV_TIMER_G,   IST_COMPLETED,  1, 0, 0 },
	{ IST_COMPLETED, IST_EV_TIMER_H,   IST_TERMINATED, 0, 0, 0 },
	{ IST_COMPLETED, IST_EV_TIMER_I,   NO,             0, 0, 0 },
	{ IST_COMPLETED, IST_EV_TIMER_L,   NO,             0, 0, 0 },
	{ IST_COMPLETED, IST_EV_TP_ERROR,  IST_TERMINATED, 0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_INVITE,    IST_CONFIRMED,  0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_ACK,       IST_CONFIRMED,  0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_TU_1XX,    NO,             0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_TU_2XX,    NO,             0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_TU_NON2XX, NO,             0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_TIMER_G,   NO,             0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_TIMER_H,   NO,             0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_TIMER_I,   IST_TERMINATED, 0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_TIMER_L,   NO,             0, 0, 0 },
	{ IST_CONFIRMED, IST_EV_TP_ERROR,  IST_CONFIRMED,  0, 0, 0 },
	{ IST_ACCEPTED, IST_EV_INVITE,    IST_ACCEPTED,   0, 0, 0 },
	{ IST_ACCEPTED, IST_EV_ACK,       IST_ACCEPTED,   0, 1, 0 },
	{ IST_ACCEPTED, IST_EV_TU_1XX,    NO,             0, 0, 0 },
	{ IST_ACCEPTED, IST_EV_TU_2XX,    IST_ACCEPTED,   1, 0, 0 },
	{ IST_ACCEPTED, IST_EV_TU_NON2XX, NO,             0, 0, 0 },
	{ IST_ACCEPTED, IST_EV_TIMER_G,   NO,             0, 0, 0 },
	{ IST_ACCEPTED, IST_EV_TIMER_H,   NO,             0, 0, 0 },
	{ IST_ACCEPTED, IST_EV_TIMER_I,   NO,             0, 0, 0 },
	{ IST_ACCEPTED, IST_EV_TIMER_L,   IST_TERMINATED, 0, 0, 0 },
	{ IST_ACCEPTED, IST_EV_TP_ERROR,  IST_ACCEPTED,   0, 0, 0 },
};
_Static_assert(sizeof(cells) / sizeof(cells[0]) == (IST_N_STATES - 1) * IST_N_EVENTS, "a row per cell");

START_TEST(test_ist_cell)
{
	const struct world_cell *c = &cells[_i];
	struct tx_response r = { c->event == IST_EV_TU_1XX ? 180 : c->event == IST_EV_TU_2XX ? 200 : 404,
				 bytes_new(STR("SIP/2.0 of the user")) };
	struct sip_msg *ack = world_parse(&w,
		"ACK sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9;branch=" WORLD_BRANCH "\r\nFrom: <sip:a@b>;tag=a1\r\n"
		"To: <sip:b@b>;tag=b\r\nCall-ID: world@test\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n");

	reach(SIP_UDP, TX_CORE, c->state);
	world_check_cell(&w, &w.st->t, c, c->event == IST_EV_ACK ? (void *)ack : (void *)&r);
	world_fini(&w);
	sip_msg_unref(ack);
	bytes_unref(r.wire);
}
END_TEST

START_TEST(test_ist_trying_first)	/* R1: 100 goes out before the user sees the request; it has no To tag */
{
	reach(SIP_UDP, TX_CORE, IST_PROCEEDING);
	ck_assert_int_eq(strncmp(w.sent[0].text, "SIP/2.0 100 ", 12), 0);
	ck_assert_ptr_null(strstr(strstr(w.sent[0].text, "To:"), "sip:bob@ims.example>;tag"));
	ck_assert_uint_eq(w.sent[0].at_ms, 0);
	world_fini(&w);
}
END_TEST

START_TEST(test_ist_retransmission)	/* §17.2.1: the last provisional again; the user sees the INVITE once */
{
	struct tx_stats s;

	reach(SIP_UDP, TX_CORE, IST_PROCEEDING);
	world_answer(&w, 183);
	world_request(&w, "INVITE");
	ck_assert_uint_eq(w.n_request, 1);
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 183 "), 2);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.retransmissions_absorbed, 1);
	ck_assert_uint_eq(s.retransmissions_sent, 1);
	world_fini(&w);
}
END_TEST

/* §17.2.1: no ACK ever comes.  G doubles up to T2, H ends it at 64*T1. */
static const struct { const char *name; enum sip_proto proto; enum tx_side side; uint64_t at[20]; uint64_t h_ms; } silence[] = {
	{ "core UDP", SIP_UDP, TX_CORE,
	  { 0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, UINT64_MAX }, 32000 },
	{ "UE UDP", SIP_UDP, TX_UE,
	  { 0, 2000, 6000, 14000, 30000, 46000, 62000, 78000, 94000, 110000, 126000, UINT64_MAX }, 128000 },
	{ "core TCP", SIP_TCP, TX_CORE, { 0, UINT64_MAX }, 32000 },
	{ "UE TCP",   SIP_TCP, TX_UE,   { 0, UINT64_MAX }, 128000 },
};

START_TEST(test_ist_no_ack)
{
	struct tx_stats s;

	reach(silence[_i].proto, silence[_i].side, IST_COMPLETED);
	world_advance(&w, silence[_i].h_ms - 1);
	ck_assert_uint_eq(w.n_gone, 0);
	world_advance(&w, 3);
	world_expect_times(&w, "SIP/2.0 486 ", silence[_i].at);
	ck_assert_uint_eq(w.n_gone, 1);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.timeouts, 1);
	world_fini(&w);
}
END_TEST

static const struct { const char *name; enum sip_proto proto; enum tx_side side; uint8_t state; uint64_t ms; } lives[] = {
	{ "I core UDP", SIP_UDP, TX_CORE, IST_CONFIRMED, 5000 },
	{ "I UE UDP",   SIP_UDP, TX_UE,   IST_CONFIRMED, 17000 },
	{ "I core TCP", SIP_TCP, TX_CORE, IST_CONFIRMED, 0 },
	{ "I UE TCP",   SIP_TCP, TX_UE,   IST_CONFIRMED, 0 },
	{ "L core UDP", SIP_UDP, TX_CORE, IST_ACCEPTED,  32000 },
	{ "L UE UDP",   SIP_UDP, TX_UE,   IST_ACCEPTED,  128000 },
	{ "L core TCP", SIP_TCP, TX_CORE, IST_ACCEPTED,  32000 },
};

START_TEST(test_ist_life)
{
	unsigned sent;

	reach(lives[_i].proto, lives[_i].side, lives[_i].state);
	sent = w.n_sent;
	if (lives[_i].ms) {
		world_advance(&w, lives[_i].ms - 1);
		world_request(&w, "INVITE");			/* a late copy: absorbed in silence */
		ck_assert_msg(w.n_gone == 0 && w.n_request == 1 && w.n_sent == sent, "%s", lives[_i].name);
	}
	world_advance(&w, 3);
	ck_assert_msg(w.n_gone == 1, "%s: still there", lives[_i].name);
	ck_assert_uint_le(w.gone_at_ms, lives[_i].ms + 1);
	ck_assert_uint_eq(w.n_sent, sent);
	world_fini(&w);
}
END_TEST

START_TEST(test_ist_2xx_is_the_users)	/* RFC 6026 §7.1: further 2xx go through, their ACK goes up, other responses do not */
{
	struct tx_stats s;

	reach(SIP_UDP, TX_CORE, IST_ACCEPTED);
	world_answer(&w, 200);
	world_answer(&w, 486);
	world_answer(&w, 180);
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 200 "), 2);
	ck_assert_uint_eq(w.n_sent, 3);
	world_request(&w, "ACK");
	ck_assert_uint_eq(w.n_ack, 1);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.responses_dropped, 2);
	ck_assert(tx_server_final_sent(w.st));
	world_fini(&w);
}
END_TEST

START_TEST(test_ist_ack_stops_g)	/* the ACK of a failure belongs to the transaction: nobody else sees it */
{
	reach(SIP_UDP, TX_CORE, IST_COMPLETED);
	world_advance(&w, 600);
	world_request(&w, "ACK");
	world_advance(&w, 20000);
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 486 "), 2);
	ck_assert_uint_eq(w.n_ack, 0);
	ck_assert_uint_eq(w.n_gone, 1);
	world_fini(&w);
}
END_TEST

START_TEST(test_ist_send_fails)	/* Proceeding survives, Completed does not (figure 7); told from the loop */
{
	world_init(&w, SIP_TCP, TX_CORE);
	w.send_rc = -EPIPE;
	world_request(&w, "INVITE");
	world_advance(&w, 2);
	ck_assert_uint_eq(w.n_gone, 0);
	world_answer(&w, 500);
	ck_assert_uint_eq(w.n_gone, 0);
	world_advance(&w, 3);
	ck_assert_uint_eq(w.n_gone, 1);
	world_fini(&w);
}
END_TEST

/* A final response that could not be made (out of memory) is owed: the caller, who had its 100, would wait until timer C of whoever
 * forwarded it.  It is told 500 as soon as there is memory, with timer G's pace, on streams too. */
static const struct { const char *name; enum sip_proto proto; unsigned status; const char *told; unsigned n; } owed_rows[] = {
	{ "udp", SIP_UDP, 486, "SIP/2.0 500 ", 2 }, { "tcp: once", SIP_TCP, 486, "SIP/2.0 500 ", 1 }, { "2xx", SIP_UDP, 200, "SIP/2.0 500 ", 2 },
	{ "the caller cancelled", SIP_TCP, 487, "SIP/2.0 487 ", 1 },
};

START_TEST(test_ist_owed_row)
{
	reach(owed_rows[_i].proto, TX_CORE, IST_PROCEEDING);
	tx_server_send(w.st, owed_rows[_i].status, NULL);
	ck_assert_uint_eq(w.n_sent, 1);
	ck_assert_int_eq(w.st->t.state, IST_COMPLETED);
	world_advance(&w, 520);
	ck_assert_msg(world_count(&w, owed_rows[_i].told) == 1, "%s: %s", owed_rows[_i].name, world_last(&w));
	world_advance(&w, 1020);
	ck_assert_msg(world_count(&w, owed_rows[_i].told) == owed_rows[_i].n, "%s: %u times", owed_rows[_i].name, w.n_sent - 1);
	world_request(&w, "ACK");
	ck_assert_int_eq(w.st->t.state, IST_CONFIRMED);
	world_fini(&w);
}
END_TEST

START_TEST(test_ist_owed_in_vain)	/* still no memory: it ends with timer H like any that nobody acknowledges */
{
	world_init(&w, SIP_TCP, TX_CORE);
	world_request_full(&w, "INVITE", WORLD_BRANCH, NULL, ";rport");
	while (arena_alloc(w.st->req->arena, 16))		/* the Via cannot be written */
		;
	tx_server_send(w.st, 486, NULL);
	world_advance(&w, 31000);
	ck_assert_uint_eq(w.n_sent, 1);
	ck_assert_uint_eq(w.n_gone, 0);
	world_advance(&w, 1100);
	ck_assert_uint_eq(w.n_gone, 1);
	world_fini(&w);
}
END_TEST

TEST_MAIN("ist", TEST_ROWS(test_ist_owed_row, owed_rows), TEST_ONE(test_ist_owed_in_vain), TEST_ROWS(test_ist_cell, cells), TEST_ONE(test_ist_trying_first), TEST_ONE(test_ist_retransmission),
	  TEST_ROWS(test_ist_no_ack, silence), TEST_ROWS(test_ist_life, lives), TEST_ONE(test_ist_2xx_is_the_users),
	  TEST_ONE(test_ist_ack_stops_g), TEST_ONE(test_ist_send_fails))
