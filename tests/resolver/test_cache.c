/* tests/resolver/test_cache.c - TTLs, stale answers, failing servers, SRV weights: RFC 2782, RFC 3263 §4.2, §4.3; rows C12, F10. */
#include <errno.h>
#include "tests/resolver/ask.h"
#include "tests/resolver/fake_dns.h"

static const struct fake_dns_row rows[] = {
	{ "short.test", 1, 1, "10.9.0.1" },
	{ "long.test", 1, 3600, "10.9.0.2" },
	{ "a.test", 1, 60, "10.9.0.3" },
	{ "b.test", 1, 60, "10.9.0.4" },
	{ "_sip._udp.weight.test", 33, 60, "1 90 5060 a.test" },
	{ "_sip._udp.weight.test", 33, 60, "1 10 5060 b.test" },
	{ "_sip._udp.prio.test", 33, 60, "2 100 5060 a.test" },
	{ "_sip._udp.prio.test", 33, 60, "1 0 5060 b.test" },
	{ "naptr.test", 35, 60, "20 1 s SIP+D2U _sip._udp.prio.test" },
	{ "naptr.test", 35, 60, "10 1 s SIPS+D2T _sips._tcp.prio.test" },
	{ "chain.test", 35, 1, "10 1 s SIP+D2U _sip._udp.chain.test" },
	{ "_sip._udp.chain.test", 33, 1, "1 0 5060 short.test" },
	{ "_sip._udp.none.test", 33, 60, "1 0 5060 ." },
};

static struct fake_dns dns;

static void first_is(const char *host)
{
	char text[ADDR_STRLEN];

	ck_assert_int_eq(got.err, 0);
	ck_assert_str_eq(addr_host(&got.target[0].remote, text), host);
}

static void begin(uint32_t stale_max_s)
{
	struct resolver_config c = { .servers = &dns.a, .n_servers = 1, .timeout_ms = 50, .tries = 2, .cache_max = 100,
				     .stale_max_s = stale_max_s, .negative_ttl_s = 5 };

	l = loop_new();
	fake_dns_open(&dns, l, rows, sizeof(rows) / sizeof(rows[0]));
	r = resolver_new(l, &c);
	ck_assert_ptr_nonnull(r);
}

static void end(void)
{
	resolver_free(r);
	fake_dns_close(&dns);
	loop_free(l);
}

START_TEST(test_ttl)
{
	unsigned asked;

	begin(0);
	look("sip:short.test:5060");
	first_is("10.9.0.1");
	look("sip:long.test:5060");
	asked = dns.asked;
	look("sip:short.test:5060");
	look("sip:long.test:5060");
	ck_assert_msg(dns.asked == asked, "within the TTL nobody asks");
	loop_run_for(l, 1100);
	look("sip:short.test:5060");
	ck_assert_msg(dns.asked > asked, "after the TTL one asks again");
	asked = dns.asked;
	look("sip:long.test:5060");
	ck_assert_msg(dns.asked == asked, "3600 s are not over");
	end();
}
END_TEST

static const struct down_row { const char *name; int mode; uint32_t stale_s; int err; } downs[] = {
	{ "stale answer while the server is silent (row C12)", FAKE_DNS_SILENT, 60, 0 },
	{ "stale answer while the server fails", FAKE_DNS_SERVFAIL, 60, 0 },
	{ "too old to serve, silent", FAKE_DNS_SILENT, 0, -ETIMEDOUT },
	{ "too old to serve, failing", FAKE_DNS_SERVFAIL, 0, -ECONNREFUSED },
};

START_TEST(test_server_goes_down)
{
	const struct down_row *w = &downs[_i];

	begin(w->stale_s);
	look("sip:short.test:5060");
	first_is("10.9.0.1");
	dns.mode = w->mode;
	loop_run_for(l, 1100);
	look("sip:short.test:5060");
	ck_assert_msg(got.err == w->err, "%s: err %d", w->name, got.err);
	if (w->err)
		ck_assert_ptr_nonnull(got.why);
	dns.mode = FAKE_DNS_SERVES;		/* and it comes back by itself */
	if (w->err) {
		loop_run_for(l, 1100);
		look("sip:short.test:5060");
		first_is("10.9.0.1");
	}
	end();
}
END_TEST

/* A way of several names while no server answers: one question finds that out, the rest is served from what is known (F10). */
START_TEST(test_chain_while_down)
{
	unsigned asked;

	begin(60);
	look("sip:chain.test");
	first_is("10.9.0.1");
	dns.mode = FAKE_DNS_SILENT;
	loop_run_for(l, 1100);
	asked = dns.asked;
	look("sip:chain.test");
	first_is("10.9.0.1");
	ck_assert_msg(dns.asked - asked <= 2, "%u questions to a silent server", dns.asked - asked);
	asked = dns.asked;
	look("sip:chain.test");
	first_is("10.9.0.1");
	ck_assert_msg(dns.asked == asked, "%u more, seconds later", dns.asked - asked);
	end();
}
END_TEST

static const struct first_row { const char *name; int mode; int err; } firsts[] = {
	{ "silent from the start", FAKE_DNS_SILENT, -ETIMEDOUT },
	{ "failing from the start", FAKE_DNS_SERVFAIL, -ECONNREFUSED },
	{ "answers cut short", FAKE_DNS_GARBAGE, -ENOENT },
};

START_TEST(test_server_never_up)
{
	begin(60);
	dns.mode = firsts[_i].mode;
	look("sip:long.test:5060");
	ck_assert_msg(got.err == firsts[_i].err, "%s: err %d", firsts[_i].name, got.err);
	end();
}
END_TEST

/* RFC 2782: chance in proportion to the weight.  400 draws of 90:10; the bounds are over 6 sigma away. */
START_TEST(test_srv_weights)
{
	unsigned heavy = 0;
	char text[ADDR_STRLEN];

	begin(60);
	for (unsigned i = 0; i < 400; i++) {
		look("sip:weight.test");
		ck_assert_uint_eq(got.n, 2);
		heavy += strcmp(addr_host(&got.target[0].remote, text), "10.9.0.3") == 0;
	}
	ck_assert_msg(heavy > 320 && heavy < 396, "%u of 400", heavy);
	end();
}
END_TEST

START_TEST(test_order)
{
	begin(60);
	look("sip:prio.test");			/* lowest priority first, whatever the weights */
	first_is("10.9.0.4");
	look("sip:naptr.test");			/* SIPS+D2T is preferred but not for a sip URI */
	first_is("10.9.0.4");
	ck_assert_int_eq(got.target[0].proto, SIP_UDP);
	ck_assert(got.explicit_proto);
	look("sip:none.test");			/* target ".": the service is not there, RFC 2782 */
	ck_assert_int_eq(got.err, -ENOENT);
	end();
}
END_TEST

static char shown[512];

static bool note_shown(void *arg, const struct resolver_cached *c)
{
	size_t at = strlen(shown);

	snprintf(shown + at, sizeof(shown) - at, "%s%s %s %s%s", at ? "; " : "", c->name, c->type, c->text, c->stale ? " stale" : c->left_ms ? "" : " old");
	return *(unsigned *)arg == 0 || --*(unsigned *)arg > 0;
}

static const char *show_cache(unsigned max)
{
	shown[0] = '\0';
	resolver_cache_each(r, note_shown, &max);
	return shown;
}

START_TEST(test_shown_and_forgotten)
{
	unsigned asked;

	begin(3600);
	look("sip:prio.test");
	ck_assert_ptr_nonnull(strstr(show_cache(0), "_sip._udp.prio.test SRV 2 100 5060 a.test, 1 0 5060 b.test"));
	ck_assert_ptr_nonnull(strstr(shown, "b.test A 10.9.0.4"));
	ck_assert(strchr(show_cache(2), ';') && strchr(shown, ';') == strrchr(shown, ';'));
	look("sip:naptr.test");
	ck_assert_ptr_nonnull(strstr(show_cache(0), "naptr.test NAPTR 20 1 s SIP+D2U _sip._udp.prio.test, 10 1 s SIPS+D2T _sips._tcp.prio.test"));
	ck_assert_uint_eq(resolver_cache_flush(r, STR("B.test")), 2);
	ck_assert_ptr_null(strstr(show_cache(0), "b.test A "));
	asked = dns.asked;
	look("sip:b.test:5060");
	ck_assert_uint_gt(dns.asked, asked);
	ck_assert_uint_gt(resolver_cache_flush(r, STR_NONE), 3);
	ck_assert_str_eq(show_cache(0), "");
	look("sip:short.test:5060");
	loop_run_for(l, 1100);
	ck_assert_ptr_nonnull(strstr(show_cache(0), "short.test A 10.9.0.1 stale"));
	end();
}
END_TEST

TEST_MAIN("cache", TEST_ONE(test_shown_and_forgotten), TEST_ONE(test_ttl), TEST_ROWS(test_server_goes_down, downs), TEST_ONE(test_chain_while_down),
	  TEST_ROWS(test_server_never_up, firsts), TEST_ONE(test_srv_weights), TEST_ONE(test_order))
