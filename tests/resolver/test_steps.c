/* tests/resolver/test_steps.c - what a lookup goes by, step by step, for people: RFC 3263 §4, RFC 2782, RFC 6116; row T14. */
#include <errno.h>
#include "common/resolver/enum.h"
#include "tests/resolver/ask.h"
#include "tests/resolver/fake_dns.h"

#define A_TTL_S 3	/* so long a busy machine may take from a lookup to the next */

static const struct fake_dns_row rows[] = {
	{ "naptr.test", 35, 60, "20 1 s SIP+D2U _sip._udp.two.test" },
	{ "naptr.test", 35, 60, "10 1 s SIPS+D2T _sips._tcp.two.test" },
	{ "_sip._udp.two.test", 33, 60, "2 100 5070 a.test" },
	{ "_sip._udp.two.test", 33, 60, "1 0 5060 b.test" },
	{ "a.test", 1, A_TTL_S, "10.9.0.3" },
	{ "b.test", 1, 60, "10.9.0.4" },
	{ "1.9.4.e164.test", 35, 60, "20 1 u E2U+sip !^(.*)$!sip:\\1@x.test!" },
	{ "1.9.4.e164.test", 35, 60, "10 1 u E2U+h323 !^(.*)$!h323:\\1@x.test!" },
};
static const struct resolver_static hops[] = { { { "lab.test", 8 }, { "tcp:10.9.0.9:6060", 17 } } };

static struct fake_dns dns;
static char said[4096];

static void forget(void *arg)
{
	(void)arg;
	said[0] = '\0';
}

static void say(const char *text)
{
	strncat(said, text, sizeof(said) - strlen(said) - 1);
}

static void on_step(void *arg, const struct resolver_step *s)
{
	static const char *const sources[] = { [RESOLVER_ASKED] = " asked", [RESOLVER_CACHED] = " cached", [RESOLVER_STALE] = " stale" };

	(void)arg;
	say(s->type);
	say(" ");
	say(s->name);
	if (s->source != RESOLVER_CONFIGURED)
		say(s->err == -ETIMEDOUT ? " silent" : s->err ? " failed" : sources[s->source]);
	for (unsigned i = 0; i < s->n; i++) {
		say(" | ");
		say(s->record[i].text);
		if (s->record[i].gives[0]) {
			say(" = ");
			say(s->record[i].gives);
		}
		if (s->record[i].unused) {
			say(" - ");
			say(s->record[i].unused);
		}
	}
	say("\n");
}

static const struct resolver_watch watch = { .begin = forget, .step = on_step }, fresh = { .begin = forget, .step = on_step, .fresh = true };

static void begin(unsigned tries)		/* 1 where silence is tested */
{
	struct resolver_config c = { .servers = &dns.a, .n_servers = 1, .timeout_ms = 1000, .tries = tries, .cache_max = 100, .stale_max_s = 60,
				     .negative_ttl_s = 5, .statics = hops, .n_statics = 1 };

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

static void wait_for_it(void)
{
	for (unsigned i = 0; !calls && i < ASK_MAX_MS / 10; i++)
		loop_run_for(l, 10);
	ck_assert_uint_eq(calls, 1);
}

static void watched(const char *text, const struct resolver_watch *w)
{
	struct sip_uri u;

	ck_assert_int_eq(sip_uri_parse(str_from_c(text), &u, NULL), 0);
	calls = 0;
	said[0] = '\0';
	resolver_lookup_watched(r, &u, w, on_result, NULL);
	wait_for_it();
}

static const struct step_row { const char *uri, *steps; } step_rows[] = {
	{ "sip:lab.test", "next_hops lab.test | tcp:10.9.0.9:6060\n" },
	{ "sip:10.9.0.1", "next_hops 10.9.0.1\nliteral 10.9.0.1 | udp:10.9.0.1:5060\n" },
	{ "sip:b.test:5062", "A b.test asked | 10.9.0.4\nAAAA b.test asked\n" },
	{ "sip:b.test;transport=udp", "SRV _sip._udp.b.test asked\nA b.test asked | 10.9.0.4\nAAAA b.test asked\n" },
	{ "sip:naptr.test",
	  "NAPTR naptr.test asked | 10 1 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.two.test - only for sips URIs | 20 1 \"s\" \"SIP+D2U\" \"\" "
	  "_sip._udp.two.test\n"
	  "SRV _sip._udp.two.test asked | 1 0 5060 b.test | 2 100 5070 a.test\n"
	  "A b.test asked | 10.9.0.4\nAAAA b.test asked\nA a.test asked | 10.9.0.3\nAAAA a.test asked\n" },
	{ "sip:no.test", "NAPTR no.test asked\nSRV _sip._udp.no.test asked\nSRV _sip._tcp.no.test asked\nA no.test asked\nAAAA no.test asked\n" },
};

START_TEST(test_steps_row)
{
	begin(3);
	watched(step_rows[_i].uri, &watch);
	ck_assert_str_eq(said, step_rows[_i].steps);
	end();
}
END_TEST

START_TEST(test_source)			/* from the cache; anew when nothing old will do; stale while DNS is down */
{
	begin(1);
	watched("sip:a.test:5060", &watch);
	ck_assert_str_eq(said, "A a.test asked | 10.9.0.3\nAAAA a.test asked\n");
	loop_run_for(l, 20);
	watched("sip:a.test:5060", &watch);
	ck_assert_str_eq(said, "A a.test cached | 10.9.0.3\nAAAA a.test cached\n");
	watched("sip:a.test:5060", &fresh);
	ck_assert_str_eq(said, "A a.test asked | 10.9.0.3\nAAAA a.test asked\n");
	dns.mode = FAKE_DNS_SILENT;
	watched("sip:a.test:5060", &fresh);		/* within its TTL, but asked for in vain */
	ck_assert_str_eq(said, "A a.test stale | 10.9.0.3\nAAAA a.test stale\n");
	loop_run_for(l, A_TTL_S * 1000 + 100);
	watched("sip:a.test:5060", &watch);
	ck_assert_msg(strncmp(said, "A a.test stale | 10.9.0.3\n", 26) == 0, "%s", said);
	watched("sip:new.test:5060", &watch);
	ck_assert_str_eq(said, "A new.test silent\nAAAA new.test silent\n");
	ck_assert_int_eq(got.err, -ETIMEDOUT);
	end();
}
END_TEST

START_TEST(test_held)			/* row C12: who did not answer comes last, and is known to be such */
{
	begin(3);
	watched("sip:naptr.test", &watch);
	ck_assert_uint_eq(got.n, 2);
	ck_assert_uint_eq(got.n_held, 0);
	resolver_target_failed(r, &got.target[0], 30);
	watched("sip:naptr.test", &watch);
	ck_assert_uint_eq(got.n_held, 1);
	ck_assert_uint_eq(addr_port(&got.target[1].remote), 5060);
	end();
}
END_TEST

static void on_enum(void *arg, const struct enum_result *res)
{
	(void)arg;
	ck_assert_int_eq(res->err, 0);
	calls++;
}

START_TEST(test_enum)
{
	begin(3);
	calls = 0;
	enum_lookup_watched(r, STR("+491"), STR("e164.test"), &watch, on_enum, NULL);
	wait_for_it();
	ck_assert_str_eq(said, "ENUM 1.9.4.e164.test asked | 10 1 \"u\" \"E2U+h323\" \"!^(.*)$!h323:\\1@x.test!\" . - another service | "
			 "20 1 \"u\" \"E2U+sip\" \"!^(.*)$!sip:\\1@x.test!\" . = sip:+491@x.test\n");
	end();
}
END_TEST

TEST_MAIN("steps", TEST_ROWS(test_steps_row, step_rows), TEST_ONE(test_source), TEST_ONE(test_held), TEST_ONE(test_enum))
