/* tests/util/test_str.c - views, numbers, hex and base64. */
#include <errno.h>
#include "common/util/clock.h"
#include "common/util/str.h"
#include "tests/check.h"

START_TEST(test_search)
{
	struct str s = STR("a;b;c"), h, t;

	ck_assert_int_eq(str_chr(s, ';'), 1);
	ck_assert_int_eq(str_rchr(s, ';'), 3);
	ck_assert_int_eq(str_chr(s, 'x'), -1);
	ck_assert_int_eq(str_rchr(STR_NONE, 'x'), -1);
	ck_assert_int_eq(str_find(s, STR("b;")), 2);
	ck_assert_int_eq(str_find(s, STR("bc")), -1);
	ck_assert_int_eq(str_find(s, STR_NONE), -1);
	ck_assert_int_eq(str_ifind(s, STR("B;")), 2);
	ck_assert_int_eq(str_ifind(s, STR("bC")), -1);
	ck_assert_int_eq(str_ifind(s, STR_NONE), -1);
	ck_assert_int_eq(str_ifind(STR("ab"), STR("abc")), -1);
	ck_assert(str_cut(s, ';', &h, &t) && str_eq_c(h, "a") && str_eq_c(t, "b;c"));
	ck_assert(!str_cut(s, '=', &h, &t) && str_eq(h, s) && t.l == 0);
	ck_assert(str_cut(STR("x="), '=', &h, &t) && str_eq_c(h, "x") && t.l == 0);
	ck_assert(str_eq_c(str_trim(STR(" \t\r\n x y \n")), "x y"));
	ck_assert_uint_eq(str_trim(STR(" \t ")).l, 0);
	ck_assert_uint_eq(str_trim(STR_NONE).l, 0);
}
END_TEST

static const struct { const char *name; struct str a, b; bool eq; } ieq_rows[] = {
	{ "same",                     { "Via", 3 },     { "vIA", 3 },     true },
	{ "other length",             { "Via", 3 },     { "Vi", 2 },      false },
	{ "empty and NULL",           { NULL, 0 },      { "", 0 },        true },
	{ "differs behind a NUL",     { "a\0b", 3 },    { "a\0c", 3 },    false },
	{ "same behind a NUL",        { "a\0b", 3 },    { "A\0B", 3 },    true },
	{ "0x20 apart, no letters",   { "@[", 2 },      { "`{", 2 },      false },
	{ "0x20 apart, digits",       { "1", 1 },       { "\x11", 1 },    false },
	{ "0x20 apart, above ASCII",  { "\xc1", 1 },    { "\xe1", 1 },    false },
	{ "z against Z",              { "z", 1 },       { "Z", 1 },       true },
};

START_TEST(test_ieq)
{
	ck_assert_msg(str_ieq(ieq_rows[_i].a, ieq_rows[_i].b) == ieq_rows[_i].eq, "%s", ieq_rows[_i].name);
	ck_assert_msg(str_ieq(ieq_rows[_i].b, ieq_rows[_i].a) == ieq_rows[_i].eq, "%s, turned", ieq_rows[_i].name);
}
END_TEST

static const struct { const char *in; int rc32, rc64; uint64_t v; } num_rows[] = {
	{ "0", 0, 0, 0 },
	{ "007", 0, 0, 7 },
	{ "4294967295", 0, 0, 4294967295u },
	{ "4294967296", -ERANGE, 0, 4294967296u },
	{ "18446744073709551615", -ERANGE, 0, UINT64_MAX },
	{ "18446744073709551616", -ERANGE, -ERANGE, 0 },
	{ "99999999999999999999999999", -ERANGE, -ERANGE, 0 },
	{ "99999999999999999999999999x", -EBADMSG, -EBADMSG, 0 },
	{ "", -EBADMSG, -EBADMSG, 0 },
	{ "-1", -EBADMSG, -EBADMSG, 0 },
	{ "+1", -EBADMSG, -EBADMSG, 0 },
	{ " 1", -EBADMSG, -EBADMSG, 0 },
	{ "1 ", -EBADMSG, -EBADMSG, 0 },
	{ "0x10", -EBADMSG, -EBADMSG, 0 },
};

START_TEST(test_num)
{
	struct str s = str_from_c(num_rows[_i].in);
	uint32_t u = 77;
	uint64_t v = 77;

	ck_assert_msg(str_to_u32(s, &u) == num_rows[_i].rc32, "%s", num_rows[_i].in);
	ck_assert_msg(u == (num_rows[_i].rc32 ? 77 : (uint32_t)num_rows[_i].v), "%s: %u", num_rows[_i].in, u);
	ck_assert_msg(str_to_u64(s, &v) == num_rows[_i].rc64, "%s", num_rows[_i].in);
	ck_assert_msg(v == (num_rows[_i].rc64 ? 77 : num_rows[_i].v), "%s", num_rows[_i].in);
}
END_TEST

START_TEST(test_copies)
{
	char dst[4] = "zzz", *d;

	ck_assert(str_copy(STR("abc"), dst, sizeof(dst)));
	ck_assert_str_eq(dst, "abc");
	ck_assert(!str_copy(STR("wxyz"), dst, sizeof(dst)));
	ck_assert_str_eq(dst, "wxy");
	ck_assert(str_copy(STR_NONE, dst, sizeof(dst)));
	ck_assert_str_eq(dst, "");
	dst[0] = 'q';
	ck_assert(!str_copy(STR("x"), dst, 0));
	ck_assert_int_eq(dst[0], 'q');
	d = str_dup(str_make("ab\0c", 4));
	ck_assert(d && memcmp(d, "ab\0c", 5) == 0);
	free(d);
	ck_assert(str_const_time_eq(STR("k1"), STR("k1")) && !str_const_time_eq(STR("k1"), STR("k2")));
	ck_assert(!str_const_time_eq(STR("k1"), STR("k")) && str_const_time_eq(STR_NONE, STR_NONE));
	ck_assert(str_starts(STR("sip:a"), STR("sip:")) && !str_starts(STR("si"), STR("sip:")));
	ck_assert(str_istarts(STR("SIP:a"), STR("sip:")) && str_ends(STR("a.b"), STR(".b")));
}
END_TEST

START_TEST(test_hex)
{
	static const uint8_t in[] = { 0x00, 0x9f, 0xff };
	char text[7];
	uint8_t out[3];
	size_t n = 9;

	hex_encode(in, 3, text);
	ck_assert_str_eq(text, "009fff");
	ck_assert_int_eq(hex_decode(STR("009FfF"), out, 3, &n), 0);
	ck_assert(n == 3 && memcmp(in, out, 3) == 0);
	ck_assert_int_eq(hex_decode(STR("009ff"), out, 3, &n), -EBADMSG);
	ck_assert_int_eq(hex_decode(STR("0g"), out, 3, &n), -EBADMSG);
	ck_assert_int_eq(hex_decode(STR("00112233"), out, 3, &n), -ENOSPC);
	ck_assert_int_eq(hex_decode(STR_NONE, out, 3, &n), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* The vectors of RFC 4648 §10. */
static const struct { const char *plain, *b64; } b64_rows[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
};

START_TEST(test_base64)
{
	const char *plain = b64_rows[_i].plain, *b64 = b64_rows[_i].b64;
	size_t pl = strlen(plain), bare = strcspn(b64, "="), n = 99;
	char text[16];
	uint8_t out[8];

	ck_assert_uint_eq(base64_encode((const uint8_t *)plain, pl, false, text), strlen(b64));
	ck_assert_str_eq(text, b64);
	ck_assert_uint_eq(base64_encode((const uint8_t *)plain, pl, true, text), bare);
	ck_assert_int_eq(base64_decode(str_from_c(b64), false, out, sizeof(out), &n), 0);
	ck_assert(n == pl && memcmp(out, plain, pl) == 0);
	ck_assert_int_eq(base64_decode(str_make(b64, bare), true, out, sizeof(out), &n), 0);
	ck_assert(n == pl && memcmp(out, plain, pl) == 0);
	if (pl)
		ck_assert_int_eq(base64_decode(str_from_c(b64), false, out, pl - 1, &n), -ENOSPC);
}
END_TEST

static const struct { const char *in; bool url; int rc; } bad64_rows[] = {
	{ "Z", false, -EBADMSG },	/* six bits are no octet */
	{ "Zh==", false, -EBADMSG },	/* left-over bits */
	{ "Zg=", false, 0 },		/* half the padding is tolerated: "f" */
	{ "Z*==", false, -EBADMSG },
	{ "====", false, -EBADMSG },
	{ "=", false, -EBADMSG },
	{ "==", false, -EBADMSG },
	{ "Zg==Zg==", false, -EBADMSG },
	{ "Zm9v=", false, -EBADMSG },
	{ "Zg=g", false, -EBADMSG },
	{ "Zm 9v", false, -EBADMSG },
	{ "-_-_", false, -EBADMSG },
	{ "+/+/", true, -EBADMSG },
	{ "-_-_", true, 0 },
	{ "+/+/", false, 0 },
};

START_TEST(test_base64_bad)
{
	uint8_t out[16];
	size_t n = 0;

	ck_assert_msg(base64_decode(str_from_c(bad64_rows[_i].in), bad64_rows[_i].url, out, sizeof(out), &n) ==
		      bad64_rows[_i].rc, "%s", bad64_rows[_i].in);
}
END_TEST

static const struct { const char *name; int64_t n; size_t size; const char *want; } numbers[] = {
	{ "nought", 0, 24, "n=0" }, { "one", 1, 24, "n=1" }, { "below", -17, 24, "n=-17" }, { "least", INT64_MIN, 24, "n=-9223372036854775808" },
	{ "most", INT64_MAX, 24, "n=9223372036854775807" }, { "cut", 123456, 6, "n=123" }, { "no room", 5, 3, "n=" }, { "nothing", 5, 1, "" },
};

START_TEST(test_put)
{
	char text[32];
	size_t l;

	memset(text, '#', sizeof(text));
	l = str_put(text, numbers[_i].size, 0, STR("n="));
	l = str_put_int(text, numbers[_i].size, l, numbers[_i].n);
	ck_assert_msg(strcmp(text, numbers[_i].want) == 0 && l == strlen(text), "%s: %s", numbers[_i].name, text);
	ck_assert_msg(text[numbers[_i].size] == '#', "%s: behind the end", numbers[_i].name);
}
END_TEST

static const struct { uint64_t wall_us; const char *want; } times[] = {
	{ 0, "1970-01-01T00:00:00.000000Z" }, { 1, "1970-01-01T00:00:00.000001Z" }, { 1769861045123456, "2026-01-31T12:04:05.123456Z" },
	{ 1769861045999999, "2026-01-31T12:04:05.999999Z" }, { 1769861046000000, "2026-01-31T12:04:06.000000Z" },
};

START_TEST(test_rfc3339)
{
	char text[40];

	for (unsigned again = 0; again < 2; again++)
		for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
			clock_rfc3339(times[i].wall_us, text);
			ck_assert_str_eq(text, times[i].want);
		}
}
END_TEST

TEST_MAIN("str", TEST_ROWS(test_put, numbers), TEST_ONE(test_rfc3339), TEST_ONE(test_search), TEST_ROWS(test_ieq, ieq_rows), TEST_ROWS(test_num, num_rows),
	  TEST_ONE(test_copies), TEST_ONE(test_hex), TEST_ROWS(test_base64, b64_rows),
	  TEST_ROWS(test_base64_bad, bad64_rows))
