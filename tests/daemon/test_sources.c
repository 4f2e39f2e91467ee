/* tests/daemon/test_sources.c - buckets, bans and the bound of common/daemon/sources.c, with fake time.  Rows X10, SEC-10, SEC-11. */
#include <errno.h>
#include "common/daemon/sources.h"
#include "tests/check.h"

static struct sources *s;
static uint64_t now = 1000000;

static struct addr at(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_hostport(str_from_c(text), 5060, &a), 0);
	return a;
}

static const struct sources_config base = {
	.per_s = 10, .burst = 20, .answers_per_s = 5, .ban_after = { 8, 6, 4 }, .window_s = 60, .ban_s = 300, .max_sources = 160,
};

static void begin(const struct sources_config *c)
{
	s = sources_new(c);
	ck_assert_ptr_nonnull(s);
}

static unsigned takes(const char *from, unsigned n)
{
	struct addr a = at(from);
	unsigned ok = 0;

	while (n--)
		ok += sources_take(s, &a, now) == SOURCE_PASS;
	return ok;
}

START_TEST(test_bucket)
{
	begin(&base);
	ck_assert_uint_eq(takes("192.0.2.1", 100), 20);		/* the burst */
	now += 1000;
	ck_assert_uint_eq(takes("192.0.2.1", 100), 10);		/* the rate */
	ck_assert_uint_eq(takes("192.0.2.2", 5), 5);		/* others are served */
	now += 3600000;
	ck_assert_uint_eq(takes("192.0.2.1", 100), 20);		/* saved up to the burst, no more */
	for (unsigned i = 0; i < 1000; i++) {			/* exactly at the rate: nothing is lost to rounding */
		now += 100;
		ck_assert_uint_eq(takes("192.0.2.1", 1), 1);
	}
	sources_free(s);
}
END_TEST

static const struct { const char *name, *a, *b; bool same; } keys[] = {
	{ "ports of one address", "192.0.2.1:1000", "192.0.2.1:2000", true },
	{ "neighbours", "192.0.2.1", "192.0.2.2", false },
	{ "IPv6: one /64", "[2001:db8::1]", "[2001:db8::ffff:1]", true },
	{ "IPv6: two of them", "[2001:db8::1]", "[2001:db8:0:1::1]", false },
};

START_TEST(test_key)
{
	struct addr a, b;

	begin(&base);
	a = at(keys[_i].a);
	b = at(keys[_i].b);
	takes(keys[_i].a, 20);
	ck_assert_msg((takes(keys[_i].b, 1) == 0) == keys[_i].same, "%s", keys[_i].name);
	/* A flow of its own counts alone. */
	ck_assert_int_eq(sources_take_flow(s, &a, now), SOURCE_PASS);
	ck_assert_int_eq(sources_take_flow(s, &b, now), SOURCE_PASS);
	sources_free(s);
}
END_TEST

static const struct { const char *name; enum source_event what; unsigned after; } bans[] = {
	{ "malformed", SOURCE_MALFORMED, 8 }, { "refused", SOURCE_REFUSED, 6 }, { "authentication", SOURCE_AUTH_FAILED, 4 },
};

START_TEST(test_ban)
{
	struct addr a = at("192.0.2.9"), other = at("192.0.2.10");
	struct source_view v[4];

	begin(&base);
	for (unsigned i = 1; i < bans[_i].after; i++)
		ck_assert_int_ne(sources_event(s, &a, bans[_i].what, now), SOURCE_BANNED);
	now += 60000;						/* another window: from the beginning */
	for (unsigned i = 1; i < bans[_i].after; i++)
		ck_assert_int_ne(sources_event(s, &a, bans[_i].what, now), SOURCE_BANNED);
	ck_assert_uint_eq(sources_bans(s, now, 0, v, 4), 0);
	ck_assert_int_eq(sources_event(s, &a, bans[_i].what, now), SOURCE_BANNED);
	ck_assert_int_ne(sources_event(s, &a, bans[_i].what, now), SOURCE_BANNED);	/* told once */
	ck_assert_int_eq(sources_take(s, &a, now), SOURCE_BANNED);
	ck_assert_int_eq(sources_take(s, &other, now), SOURCE_PASS);
	ck_assert_uint_eq(sources_bans(s, now, 0, v, 4), 1);
	ck_assert_str_eq(v[0].source, "192.0.2.9");
	ck_assert_str_eq(v[0].reason, bans[_i].name);
	ck_assert_uint_eq(v[0].dropped, 1);
	ck_assert_uint_eq(v[0].until_ms - v[0].since_ms, 300000);
	ck_assert_uint_eq(sources_bans(s, now, 1, v, 4), 0);
	now += 299999;
	ck_assert_int_eq(sources_take(s, &a, now), SOURCE_BANNED);
	now++;
	ck_assert_int_eq(sources_take(s, &a, now), SOURCE_PASS);
	ck_assert_uint_eq(sources_bans(s, now, 0, v, 4), 0);
	sources_free(s);
}
END_TEST

START_TEST(test_unban)
{
	struct addr a = at("[2001:db8:1::7]"), same = at("[2001:db8:1::]"), nobody = at("192.0.2.77");
	struct source_view v[1];

	begin(&base);
	for (unsigned i = 0; i < 4; i++)
		sources_event(s, &a, SOURCE_AUTH_FAILED, now);
	ck_assert_uint_eq(sources_bans(s, now, 0, v, 1), 1);
	ck_assert_str_eq(v[0].source, "2001:db8:1::/64");
	ck_assert(!sources_unban(s, &nobody, now));
	ck_assert(sources_unban(s, &same, now));
	ck_assert(!sources_unban(s, &same, now));
	ck_assert_int_eq(sources_take(s, &a, now), SOURCE_PASS);
	sources_free(s);
}
END_TEST

/* SEC-11: malformed messages are answered at a low rate only. */
START_TEST(test_answers)
{
	struct sources_config c = base;
	struct addr a = at("192.0.2.3");
	unsigned answered = 0;

	c.ban_after[SOURCE_MALFORMED] = 0;			/* 0: never */
	begin(&c);
	for (unsigned i = 0; i < 1000; i++)
		answered += sources_event(s, &a, SOURCE_MALFORMED, now) == SOURCE_PASS;
	ck_assert_uint_eq(answered, 5);
	now += 1000;
	ck_assert_int_eq(sources_event(s, &a, SOURCE_MALFORMED, now), SOURCE_PASS);
	sources_free(s);
}
END_TEST

/* A flood from forged addresses fills the table, not the memory, and washes out no ban. */
START_TEST(test_bound)
{
	struct addr bad = at("198.51.100.1");
	char text[32];

	begin(&base);
	for (unsigned i = 0; i < 6; i++)
		sources_event(s, &bad, SOURCE_REFUSED, now);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		ck_assert_uint_eq(takes(text, 1), 1);
	}
	ck_assert_uint_le(sources_count(s), 160);
	ck_assert_int_eq(sources_take(s, &bad, now), SOURCE_BANNED);
	sources_free(s);
}
END_TEST

START_TEST(test_exempt)
{
	struct sources_config c = base;
	struct addr in = at("10.1.2.3"), out = at("10.2.2.3"), lo = at("127.0.0.9"), lo6 = at("[::1]");

	ck_assert_int_eq(addr_prefix_parse(STR("10.1.0.0/16"), &c.exempt[0].a, &c.exempt[0].bits), 0);
	ck_assert_int_lt(addr_prefix_parse(STR("10.1.0.0/33"), &c.exempt[1].a, &c.exempt[1].bits), 0);
	c.n_exempt = 1;
	c.exempt_loopback = true;
	begin(&c);
	ck_assert_uint_eq(takes("10.1.2.3", 100), 100);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(sources_event(s, &in, SOURCE_REFUSED, now), SOURCE_PASS);
	ck_assert(!sources_is_exempt(s, &out));
	ck_assert(sources_is_exempt(s, &lo) && sources_is_exempt(s, &lo6));
	ck_assert_uint_eq(sources_count(s), 0);
	sources_free(s);
}
END_TEST

START_TEST(test_by_hand)
{
	struct sources_config c = base;
	struct addr a = at("192.0.2.1"), lo = at("127.0.0.1");
	struct source_view v[2];

	c.exempt_loopback = true;
	begin(&c);
	ck_assert_int_eq(sources_ban(s, &a, "administration", 30, now, v), 0);
	ck_assert_int_eq(sources_ban(s, &a, "administration", 30, now, v), -EEXIST);
	ck_assert_int_eq(sources_ban(s, &a, "administration", 60, now, v), 0);		/* longer */
	ck_assert_uint_eq(v[0].until_ms, now + 60000);
	ck_assert_int_eq(sources_ban(s, &lo, "administration", 60, now, v), -EPERM);
	ck_assert_int_eq(sources_take(s, &a, now), SOURCE_BARRED);
	ck_assert_uint_eq(takes("192.0.2.1", 4), 0);
	ck_assert_uint_eq(sources_bans(s, now, 0, v, 2), 1);
	ck_assert(strcmp(v[0].source, "192.0.2.1") == 0 && strcmp(v[0].reason, "administration") == 0 && v[0].dropped == 5);
	now += 59999;
	ck_assert_uint_eq(takes("192.0.2.1", 1), 0);
	now += 1;
	ck_assert_uint_eq(takes("192.0.2.1", 1), 1);
	ck_assert_int_eq(sources_ban(s, &a, "administration", 60, now, v), 0);
	ck_assert(sources_unban(s, &a, now));
	ck_assert_uint_eq(takes("192.0.2.1", 1), 1);
	sources_free(s);
}
END_TEST

START_TEST(test_by_hand_over_another)		/* one that came by itself becomes one by hand, and no shorter; afterwards the next is by itself again */
{
	struct addr a = at("192.0.2.1");
	struct source_view v;

	begin(&base);
	for (unsigned i = 0; i < 8; i++)
		sources_event(s, &a, SOURCE_MALFORMED, now);
	ck_assert_int_eq(sources_take(s, &a, now), SOURCE_BANNED);
	ck_assert_int_eq(sources_ban(s, &a, "administration", 60, now, &v), 0);
	ck_assert(strcmp(v.source, "192.0.2.1") == 0 && strcmp(v.reason, "administration") == 0 && v.since_ms == now && v.until_ms == now + 300000);
	ck_assert_int_eq(sources_take(s, &a, now), SOURCE_BARRED);
	now += 300000;
	ck_assert_int_eq(sources_take(s, &a, now), SOURCE_PASS);
	for (unsigned i = 0; i < 8; i++)
		sources_event(s, &a, SOURCE_MALFORMED, now);
	ck_assert_int_eq(sources_take(s, &a, now), SOURCE_BANNED);
	sources_free(s);
}
END_TEST

TEST_MAIN("sources", TEST_ONE(test_by_hand), TEST_ONE(test_by_hand_over_another), TEST_ONE(test_bucket), TEST_ROWS(test_key, keys), TEST_ROWS(test_ban, bans), TEST_ONE(test_unban),
	  TEST_ONE(test_answers), TEST_ONE(test_bound), TEST_ONE(test_exempt))
