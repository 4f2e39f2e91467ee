/* tests/util/test_bencode.c - bencode as rtpengine writes and reads it. */
#include <errno.h>
#include "common/util/bencode.h"
#include "tests/check.h"

#define DEEP8 "llllllll"
#define END8 "eeeeeeee"
static const struct { const char *name, *in; int rc; size_t rest; } rows[] = {
	{ "string", "4:spam", 0, 0 },
	{ "empty string", "0:", 0, 0 },
	{ "a string with brackets in it", "3:dle", 0, 0 },
	{ "string with more behind it", "1:ab", 0, 1 },
	{ "string that is cut", "5:spam", -EBADMSG, 0 },
	{ "length with a leading zero", "04:spam", -EBADMSG, 0 },
	{ "length without a colon", "4spam", -EBADMSG, 0 },
	{ "length alone", "4", -EBADMSG, 0 },
	{ "length beyond all datagrams", "99999999999999999999:x", -EBADMSG, 0 },
	{ "integer", "i42e", 0, 0 },
	{ "negative integer", "i-42e", 0, 0 },
	{ "zero", "i0e", 0, 0 },
	{ "minus zero", "i-0e", -EBADMSG, 0 },
	{ "integer with a leading zero", "i042e", -EBADMSG, 0 },
	{ "integer without digits", "ie", -EBADMSG, 0 },
	{ "integer of a sign alone", "i-e", -EBADMSG, 0 },
	{ "integer without its end", "i42", -EBADMSG, 0 },
	{ "integer of 20 digits", "i12345678901234567890e", -EBADMSG, 0 },
	{ "list", "l4:spami1ee", 0, 0 },
	{ "empty list", "le", 0, 0 },
	{ "list without its end", "l4:spam", -EBADMSG, 0 },
	{ "dictionary", "d1:ai1e1:bl1:xee", 0, 0 },
	{ "empty dictionary", "de", 0, 0 },
	{ "keys in no order", "d1:b1:x1:a1:ye", 0, 0 },
	{ "key without a value", "d1:ae", -EBADMSG, 0 },
	{ "key that is no string", "di1e1:ae", -EBADMSG, 0 },
	{ "key that is a list", "dle1:ae", -EBADMSG, 0 },
	{ "end without a beginning", "e", -EBADMSG, 0 },
	{ "nothing", "", -EBADMSG, 0 },
	{ "another letter", "x", -EBADMSG, 0 },
	{ "BENCODE_MAX_DEPTH levels", DEEP8 DEEP8 END8 END8, 0, 0 },
	{ "one level more", DEEP8 DEEP8 "l" "e" END8 END8, -EBADMSG, 0 },
};

START_TEST(test_value)
{
	struct str in = str_from_c(rows[_i].in), got = STR_NONE, rest = STR_NONE;
	int rc = bencode_value(in, &got, &rest);

	ck_assert_msg(rc == rows[_i].rc, "%s: %d", rows[_i].name, rc);
	if (rc == 0)
		ck_assert_msg(rest.l == rows[_i].rest && got.l == in.l - rest.l && got.p == in.p, "%s: %zu octets", rows[_i].name, got.l);
}
END_TEST

static const struct { const char *in; bool good; int64_t n; } numbers[] = {
	{ "i0e", true, 0 }, { "i-7e", true, -7 }, { "i9223372036854775807e", true, INT64_MAX }, { "i9223372036854775808e", false, 0 },
	{ "1:7", false, 0 }, { "le", false, 0 },
};

START_TEST(test_int)
{
	int64_t n = 0;

	ck_assert_msg(bencode_int(str_from_c(numbers[_i].in), &n) == numbers[_i].good && n == numbers[_i].n, "%s", numbers[_i].in);
}
END_TEST

START_TEST(test_find)
{
	struct str all = STR("d6:result2:ok5:totald3:RTPi5ee4:tagsl1:a1:bee"), v, key, tags = STR_NONE;
	struct bencode_walk w;
	unsigned n = 0;
	int64_t rtp;

	ck_assert(str_eq_c(bencode_find_str(all, "result"), "ok"));
	ck_assert_uint_eq(bencode_find_str(all, "total").l, 0);		/* no string */
	ck_assert_uint_eq(bencode_find_str(all, "RTP").l, 0);		/* not on this level */
	ck_assert(bencode_find(all, "total", &v) && bencode_find(v, "RTP", &v) && bencode_int(v, &rtp) && rtp == 5);
	ck_assert(!bencode_find(all, "none", &v));
	ck_assert(bencode_find(all, "tags", &tags) && bencode_walk(tags, &w));
	for (; bencode_next(&w, &key, &v); n++)
		ck_assert(key.l == 0 && v.l == 3);
	ck_assert_uint_eq(n, 2);
	ck_assert(!bencode_find(tags, "a", &v));
	ck_assert(!bencode_walk(STR("i1e"), &w));
}
END_TEST

START_TEST(test_write)
{
	struct str v;
	struct buf b;

	buf_init(&b, 64);
	buf_putc(&b, 'd');
	bencode_put_pair(&b, "command", STR("ping"));
	bencode_put_str(&b, STR("n"));
	bencode_put_int(&b, -3);
	buf_putc(&b, 'e');
	ck_assert(!b.failed && str_eq_c(buf_str(&b), "d7:command4:ping1:ni-3ee"));
	ck_assert_int_eq(bencode_value(buf_str(&b), &v, NULL), 0);
	buf_fini(&b);
}
END_TEST

TEST_MAIN("bencode", TEST_ROWS(test_value, rows), TEST_ROWS(test_int, numbers), TEST_ONE(test_find), TEST_ONE(test_write))
