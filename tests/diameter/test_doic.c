/* tests/diameter/test_doic.c - overload reports of the HSS and what is not sent then: RFC 7683 §5.2.1, §6, §7; row D12. */
#include <stdio.h>
#include "common/diameter/cx.h"
#include "common/diameter/doic.h"
#include "common/log/log.h"
#include "tests/check.h"

/* ---- the loss algorithm ---- */

static const struct {
	const char *name;
	unsigned come[DOIC_N_CLASSES];	/* in a second */
	uint32_t percent;
	unsigned least[DOIC_N_CLASSES], most[DOIC_N_CLASSES];	/* not sent, of those of a second */
} loads[] = {
	{ "nothing is wanted less", { 200, 200, 10 }, 0, { 0, 0, 0 }, { 0, 0, 0 } },
	{ "all from what is new", { 200, 200, 10 }, 20, { 80, 0, 0 }, { 84, 0, 0 } },
	{ "more than what is new", { 100, 300, 0 }, 50, { 99, 98, 0 }, { 100, 102, 0 } },
	{ "only what is usual", { 0, 400, 0 }, 25, { 0, 98, 0 }, { 0, 102, 0 } },
	{ "emergencies last", { 50, 40, 10 }, 90, { 49, 39, 0 }, { 50, 40, 1 } },
	{ "everything", { 20, 20, 20 }, 100, { 20, 20, 20 }, { 20, 20, 20 } },
};

START_TEST(test_load_row)
{
	struct doic_shed s = { 0 };
	unsigned shed[DOIC_N_CLASSES] = { 0 };

	for (uint64_t ms = 0; ms < 5000; ms++)		/* evenly; the first seconds are for it to see what comes */
		for (int c = 0; c < DOIC_N_CLASSES; c++)
			for (unsigned n = 0; n < loads[_i].come[c]; n++)
				if ((n * 1000 + 500) / loads[_i].come[c] == ms % 1000)
					shed[c] += doic_sheds(&s, (enum doic_class)c, loads[_i].percent, 100000 + ms) && ms >= 4000;
	for (int c = 0; c < DOIC_N_CLASSES; c++)
		ck_assert_msg(shed[c] >= loads[_i].least[c] && shed[c] <= loads[_i].most[c], "%s: class %d: %u", loads[_i].name, c, shed[c]);
}
END_TEST

/* A thread whose clock is a millisecond behind does not have what came before forgotten. */
START_TEST(test_behind)
{
	struct doic_shed s = { 0 };

	for (unsigned i = 0; i < 100; i++)
		doic_sheds(&s, DOIC_NEW, 50, 100000);
	doic_sheds(&s, DOIC_NEW, 50, 99999);
	ck_assert_uint_eq(s.now[DOIC_NEW], 101);
	ck_assert_uint_eq(s.window_ms, 100000);
}
END_TEST

static const struct { const char *name; enum dia_command_id cmd; struct cx_uar uar; struct cx_lir lir; enum doic_class want; bool vital; } classes[] = {
	{ "a registration", CX_UA, { .type = CX_UAR_REGISTRATION }, { .session_priority = 0 }, DOIC_NEW, false },
	{ "a de-registration", CX_UA, { .type = CX_UAR_DE_REGISTRATION }, { .session_priority = 0 }, DOIC_USUAL, false },
	{ "for an emergency", CX_UA, { .type = CX_UAR_REGISTRATION, .flags = CX_UAR_FLAG_EMERGENCY }, { .session_priority = 0 }, DOIC_VITAL, false },
	{ "a challenge", CX_MA, { .type = 0 }, { .session_priority = 0 }, DOIC_NEW, false },
	{ "an assignment", CX_SA, { .type = 0 }, { .session_priority = 0 }, DOIC_USUAL, false },
	{ "a challenge for an emergency", CX_MA, { .type = 0 }, { .session_priority = 0 }, DOIC_VITAL, true },
	{ "an assignment for an emergency", CX_SA, { .type = 0 }, { .session_priority = 0 }, DOIC_VITAL, true },
	{ "a call", CX_LI, { .type = 0 }, { .session_priority = UINT32_MAX }, DOIC_USUAL, false },
	{ "a call of priority", CX_LI, { .type = 0 }, { .session_priority = 0 }, DOIC_VITAL, false },
};

START_TEST(test_class_row)
{
	const struct cx_sar assign = { .vital = classes[_i].vital };
	const struct cx_mar ask = { .vital = classes[_i].vital };
	const void *const req[] = { [CX_UA] = &classes[_i].uar, [CX_LI] = &classes[_i].lir, [CX_MA] = &ask, [CX_SA] = &assign };

	ck_assert_msg(doic_class_of(classes[_i].cmd, req[classes[_i].cmd]) == classes[_i].want, "%s", classes[_i].name);
}
END_TEST

/* ---- reports ---- */

static const struct cx_sar sar;
static const struct dia_peer_view two[] = { { .identity = "h1.test", .open = true }, { .identity = "h2.test", .open = true } };

/* How many of 100 requests go out. */
static unsigned admitted(const char *host, size_t n_peers, uint64_t now)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 100; i++)
		n += doic_admits(CX_SA, &sar, str_from_c(host), STR("test"), two, n_peers, now);
	return n;
}

static void says(const char *host, uint64_t sequence, uint32_t reduction, uint32_t validity_s, uint32_t type, uint64_t now)
{
	const struct doic_answer a = { DOIC_LOSS, true, sequence, reduction, validity_s, type };

	doic_report(str_from_c(host), STR("test"), &a, now);
}

static void begin(void)
{
	log_open("test", LOG_TEXT, LOG_ERROR);
	doic_reset();
}

START_TEST(test_a_report_of_a_host)
{
	begin();
	ck_assert(doic_is_calm());
	says("h1.test", 5, 100, 10, 0, 1000);
	ck_assert(!doic_is_calm());
	ck_assert_uint_eq(admitted("h1.test", 0, 1000), 0);
	ck_assert_uint_eq(admitted("H1.TEST", 0, 1000), 0);
	ck_assert_uint_eq(admitted("h2.test", 0, 1000), 100);
	ck_assert_uint_eq(admitted("", 2, 1000), 100);	/* h2 has room */
	ck_assert_uint_eq(admitted("", 1, 1000), 0);	/* it can only be h1 */
	says("h2.test", 1, 50, 10, 0, 1000);
	ck_assert_uint_eq(admitted("", 2, 1000), 50);	/* the least of both */
	says("h1.test", 4, 0, 10, 0, 1000);		/* older: §5.2.1.3 */
	says("h1.test", 5, 0, 10, 0, 1000);
	ck_assert_uint_eq(admitted("h1.test", 0, 10999), 0);
	ck_assert_uint_eq(admitted("h1.test", 0, 11000), 100);
	ck_assert(doic_is_calm());
	says("h1.test", 1, 100, 10, 0, 12000);		/* what was before is forgotten: a HSS that started again */
	ck_assert_uint_eq(admitted("h1.test", 0, 12000), 0);
	says("h1.test", 2, 100, 0, 0, 12000);		/* validity 0: it is over */
	ck_assert_uint_eq(admitted("h1.test", 0, 12000), 100);
}
END_TEST

START_TEST(test_a_report_of_a_realm)
{
	begin();
	says("h1.test", 5, 100, 10, 1, 1000);
	ck_assert_uint_eq(admitted("", 2, 1000), 0);
	ck_assert_uint_eq(admitted("h1.test", 2, 1000), 100);
}
END_TEST

static const struct { const char *name; struct doic_answer a; uint64_t until_ms; } odd[] = {
	{ "no time said: 30 s", { DOIC_LOSS, true, 1, 100, UINT32_MAX, 0 }, 30000 },
	{ "more than a day: 30 s", { DOIC_LOSS, true, 1, 100, 86401, 0 }, 30000 },
	{ "a day", { DOIC_LOSS, true, 1, 100, 86400, 0 }, 86400000 },
	{ "over all", { DOIC_LOSS, true, 1, 101, 10, 0 }, 0 }, { "a type that nobody knows", { DOIC_LOSS, true, 1, 100, 10, 2 }, 0 },
	{ "another algorithm", { 2, true, 1, 100, 10, 0 }, 0 }, { "no report", { DOIC_LOSS, false, 1, 100, 10, 0 }, 0 },
	{ "validity 0 of what was not said", { DOIC_LOSS, true, 1, 100, 0, 0 }, 0 },
};

START_TEST(test_odd_row)
{
	begin();
	doic_report(STR("h1.test"), STR("test"), &odd[_i].a, 1000);
	ck_assert_msg(admitted("h1.test", 0, 1000) == (odd[_i].until_ms ? 0 : 100), "%s", odd[_i].name);
	if (odd[_i].until_ms)
		ck_assert_msg(admitted("h1.test", 0, 999 + odd[_i].until_ms) == 0 && admitted("h1.test", 0, 1000 + odd[_i].until_ms) == 100, "%s",
			      odd[_i].name);
}
END_TEST

START_TEST(test_the_table_is_bounded)
{
	char host[32];

	begin();
	for (unsigned i = 0; i < DOIC_MAX_NODES + 5; i++) {
		snprintf(host, sizeof(host), "h%u.test", i);
		says(host, 1, 100, 10, 0, 1000);
		ck_assert_uint_eq(admitted(host, 0, 1000), i < DOIC_MAX_NODES ? 0 : 100);
	}
}
END_TEST

TEST_MAIN("doic", TEST_ROWS(test_load_row, loads), TEST_ONE(test_behind), TEST_ROWS(test_class_row, classes), TEST_ONE(test_a_report_of_a_host),
	  TEST_ONE(test_a_report_of_a_realm), TEST_ROWS(test_odd_row, odd), TEST_ONE(test_the_table_is_bounded))
