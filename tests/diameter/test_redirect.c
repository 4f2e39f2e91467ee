/* tests/diameter/test_redirect.c - what is remembered of redirects: RFC 6733 §6.12 to §6.14; row I8. */
#include <stdio.h>
#include "common/diameter/redirect.h"
#include "tests/check.h"

static const struct { const char *uri, *host; } uris[] = {	/* RFC 6733 §4.3.1 */
	{ "aaa://hss.example", "hss.example" }, { "aaa://hss.example:3868", "hss.example" }, { "aaa://h:6666;transport=tcp;protocol=diameter", "h" },
	{ "AAA://hss.example;transport=sctp", "hss.example" }, { "aaa://", "" }, { "aaa://:3868", "" }, { "hss.example", "" }, { "", "" },
	{ "aaas://hss.example", "" },		/* we have no TLS towards peers */
};

START_TEST(test_uri)
{
	ck_assert_msg(str_eq_c(redirect_host(str_from_c(uris[_i].uri)), uris[_i].host), "%s", uris[_i].uri);
}
END_TEST

static const struct { const char *name; uint32_t usage, cache_s, max, max_s, until_s; } rows[] = {
	{ "DONT_CACHE", 0, 60, 9, 3600, 0 }, { "ALL_SESSION", 1, 60, 9, 3600, 0 }, { "ALL_REALM", 2, 60, 9, 3600, 60 },
	{ "ALL_USER", 6, 60, 9, 3600, 60 }, { "no time", 6, 0, 9, 3600, 0 }, { "longer than we do", 6, 7200, 9, 3600, 3600 },
	{ "for ever", 6, UINT32_MAX, 9, 3600, 3600 }, { "nothing is remembered", 6, 60, 0, 3600, 0 },
};

START_TEST(test_how_long_row)
{
	struct dia_redirect r = { .usage = rows[_i].usage, .cache_s = rows[_i].cache_s };
	struct redirect_cache c;
	uint64_t now = 5000;

	ck_assert_int_eq(redirect_cache_init(&c, rows[_i].max, rows[_i].max_s), 0);
	redirect_cache_put(&c, STR("sip:a"), STR("hss1"), &r, now);
	if (rows[_i].until_s)
		ck_assert_msg(str_eq_c(redirect_cache_find(&c, STR("sip:a"), now + rows[_i].until_s * 1000 - 1), "hss1"), "%s", rows[_i].name);
	ck_assert_msg(redirect_cache_find(&c, STR("sip:a"), now + rows[_i].until_s * 1000).l == 0, "%s", rows[_i].name);
	ck_assert_uint_eq(c.n, 0);
	redirect_cache_fini(&c);
}
END_TEST

START_TEST(test_bounded)		/* the oldest makes room; a user is there once, and DONT_CACHE takes back what was said before */
{
	struct dia_redirect r = { .usage = 6, .cache_s = 60 };
	struct redirect_cache c;
	char user[32];

	ck_assert_int_eq(redirect_cache_init(&c, 10, 60), 0);
	for (unsigned i = 0; i < 25; i++) {
		snprintf(user, sizeof(user), "sip:%u", i);
		redirect_cache_put(&c, str_from_c(user), STR("hss1"), &r, i);
		redirect_cache_put(&c, str_from_c(user), STR("hss2"), &r, i);
	}
	ck_assert_uint_eq(c.n, 10);
	ck_assert(redirect_cache_find(&c, STR("sip:14"), 30).l == 0 && str_eq_c(redirect_cache_find(&c, STR("sip:15"), 30), "hss2"));
	redirect_cache_forget(&c, hash_str(STR("sip:15")));
	redirect_cache_forget(&c, hash_str(STR("sip:15")));
	ck_assert(redirect_cache_find(&c, STR("sip:15"), 30).l == 0 && c.n == 9);
	r.usage = 0;
	redirect_cache_put(&c, STR("sip:20"), STR("hss1"), &r, 30);
	ck_assert(redirect_cache_find(&c, STR("sip:20"), 30).l == 0 && c.n == 8);
	redirect_cache_fini(&c);
}
END_TEST

TEST_MAIN("redirect", TEST_ROWS(test_uri, uris), TEST_ROWS(test_how_long_row, rows), TEST_ONE(test_bounded))
