/* tests/util/test_rand.c - random values and the clocks' text. */
#include <ctype.h>
#include <string.h>
#include "common/util/clock.h"
#include "common/util/rand.h"
#include "tests/check.h"

START_TEST(test_below)
{
	unsigned seen[7] = { 0 };

	for (int i = 0; i < 7000; i++) {
		uint32_t v = rand_below(7);

		ck_assert_uint_lt(v, 7);
		seen[v]++;
	}
	for (int i = 0; i < 7; i++)
		ck_assert_msg(seen[i] > 700 && seen[i] < 1300, "%d came %u times in 7000", i, seen[i]);
	ck_assert_uint_eq(rand_below(1), 0);
	ck_assert_uint_lt(rand_below(UINT32_MAX), UINT32_MAX);
}
END_TEST

START_TEST(test_bytes)
{
	static const size_t sizes[] = { 0, 1, 16, 1023, 1024, 1025, 5000 };
	static uint8_t a[5001], b[5001];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i];

		memset(a, 0, sizeof(a));
		memset(b, 0, sizeof(b));
		rand_bytes(a, n);
		rand_bytes(b, n);
		ck_assert_msg(n < 16 || memcmp(a, b, n) != 0, "%zu octets twice the same", n);
		ck_assert_msg(a[n] == 0 && b[n] == 0, "%zu octets: one too many", n);
	}
	ck_assert(rand_u64() != rand_u64());
}
END_TEST

START_TEST(test_token)
{
	char a[33], b[33];

	rand_token(a, 32);
	rand_token(b, 32);
	ck_assert_uint_eq(strlen(a), 32);
	ck_assert_str_ne(a, b);
	for (int i = 0; i < 32; i++)
		ck_assert(isalnum((unsigned char)a[i]));
	rand_token(a, 0);
	ck_assert_str_eq(a, "");
}
END_TEST

static const struct { uint64_t us; const char *text; } time_rows[] = {
	{ 0, "1970-01-01T00:00:00.000000Z" },
	{ 951782400000001, "2000-02-29T00:00:00.000001Z" },
	{ 1769861045123456, "2026-01-31T12:04:05.123456Z" },
};

START_TEST(test_time)
{
	char text[40];

	clock_rfc3339(time_rows[_i].us, text);
	ck_assert_str_eq(text, time_rows[_i].text);
}
END_TEST

START_TEST(test_clocks)
{
	uint64_t us = clock_mono_us(), ms = clock_mono_ms();

	ck_assert_uint_ge(ms, us / 1000);
	ck_assert_uint_ge(clock_mono_us(), us);
	ck_assert_uint_gt(clock_wall_us(), 1700000000000000u);
}
END_TEST

TEST_MAIN("rand", TEST_ONE(test_below), TEST_ONE(test_bytes), TEST_ONE(test_token), TEST_ROWS(test_time, time_rows),
	  TEST_ONE(test_clocks))
