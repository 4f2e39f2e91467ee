/* tests/util/test_str.c - str, hex, base64, addresses, arena, buf. */
#include <errno.h>
#include "common/util/addr.h"
#include "common/util/arena.h"
#include "common/util/bytes.h"
#include "tests/check.h"

static const struct { const char *in; int rc; uint32_t n; } numbers[] = {
	{ "0", 0, 0 }, { "4294967295", 0, UINT32_MAX }, { "4294967296", -ERANGE, 0 }, { "18446744073709551616", -ERANGE, 0 },
	{ "", -EBADMSG, 0 }, { "-1", -EBADMSG, 0 }, { "+5", -EBADMSG, 0 }, { "1 ", -EBADMSG, 0 }, { "00012", 0, 12 },
};

START_TEST(test_number_row)
{
	uint32_t n = 77;
	int rc = str_to_u32(str_from_c(numbers[_i].in), &n);

	ck_assert_msg(rc == numbers[_i].rc, "'%s': rc %d", numbers[_i].in, rc);
	if (rc == 0)
		ck_assert_uint_eq(n, numbers[_i].n);
}
END_TEST

/* RFC 4648 §10 */
static const struct { const char *plain, *coded; } b64[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "foobar", "Zm9vYmFy" },
};

START_TEST(test_base64_row)
{
	char text[32];
	uint8_t back[32];
	size_t n = base64_encode((const uint8_t *)b64[_i].plain, strlen(b64[_i].plain), false, text);

	ck_assert_str_eq(text, b64[_i].coded);
	ck_assert_uint_eq(n, strlen(text));
	ck_assert_int_eq(base64_decode(str_from_c(text), false, back, sizeof(back), &n), 0);
	ck_assert(str_eq_c(str_make((char *)back, n), b64[_i].plain));
}
END_TEST

static const char *const b64_bad[] = { "Z", "Zg=", "Zg=a", "Zh==", "Z*==", "====" };

START_TEST(test_base64_bad)
{
	uint8_t back[8];
	size_t n;
	int rc = base64_decode(str_from_c(b64_bad[_i]), false, back, sizeof(back), &n);

	/* one missing '=' is tolerated: "Zg=" reads as "f" */
	ck_assert_msg(rc == (_i == 1 ? 0 : -EBADMSG), "%s: %d", b64_bad[_i], rc);
}
END_TEST

static const struct { const char *in; int rc; const char *out; } addrs[] = {
	{ "10.0.0.1:5060", 0, "10.0.0.1:5060" }, { "10.0.0.1", 0, "10.0.0.1:99" }, { "[::1]:5061", 0, "[::1]:5061" },
	{ "::1", 0, "[::1]:99" }, { "[2001:db8::9]", 0, "[2001:db8::9]:99" }, { "10.0.0.1:", -EBADMSG, NULL },
	{ "10.0.0.1:70000", -EBADMSG, NULL }, { "host:1", -EBADMSG, NULL }, { "[::1", -EBADMSG, NULL },
	{ "[::1]x", -EBADMSG, NULL }, { "", -EBADMSG, NULL }, { "10.0.0.1:-1", -EBADMSG, NULL },
};

START_TEST(test_addr_row)
{
	struct addr a;
	char text[ADDR_STRLEN];
	int rc = addr_parse_hostport(str_from_c(addrs[_i].in), 99, &a);

	ck_assert_msg(rc == addrs[_i].rc, "%s: %d", addrs[_i].in, rc);
	if (rc == 0)
		ck_assert_str_eq(addr_fmt(&a, text), addrs[_i].out);
}
END_TEST

START_TEST(test_const_time_eq)
{
	ck_assert(str_const_time_eq(STR("abc"), STR("abc")));
	ck_assert(!str_const_time_eq(STR("abc"), STR("abd")));
	ck_assert(!str_const_time_eq(STR("abc"), STR("abcd")));
	ck_assert(str_const_time_eq(STR_NONE, STR_NONE));
}
END_TEST

START_TEST(test_arena_limit)
{
	struct arena *a = arena_new(100);
	size_t total = 0;

	for (int i = 0; i < 100000; i++) {
		char *p = arena_alloc(a, 100);

		if (!p)
			break;
		memset(p, i, 100);
		total += 100;
	}
	ck_assert_uint_lt(total, ARENA_LIMIT_BYTES);
	ck_assert_uint_gt(total, ARENA_LIMIT_BYTES / 2);
	ck_assert_uint_le(arena_bytes(a), ARENA_LIMIT_BYTES);
	arena_unref(a);
	ck_assert_ptr_null(arena_new(ARENA_LIMIT_BYTES + 1));
}
END_TEST

START_TEST(test_buf_limit)
{
	struct buf b;

	buf_init(&b, 10);
	buf_puts(&b, "12345");
	buf_putu(&b, 67890);
	ck_assert(!b.failed);
	buf_putc(&b, 'x');
	ck_assert(b.failed);
	ck_assert(str_eq_c(buf_str(&b), "1234567890"));
	ck_assert_ptr_null(buf_take(&b));
}
END_TEST

TEST_MAIN("str", TEST_ROWS(test_number_row, numbers), TEST_ROWS(test_base64_row, b64), TEST_ROWS(test_base64_bad, b64_bad),
	  TEST_ROWS(test_addr_row, addrs), TEST_ONE(test_const_time_eq), TEST_ONE(test_arena_limit), TEST_ONE(test_buf_limit))
