/* tests/resolver/test_resolver.c - RFC 3263 §4.1, §4.2 without DNS: static hops, literals, cancelling. */
#include <errno.h>
#include "tests/resolver/ask.h"

static void open_with(const struct addr *server)
{
	static const struct resolver_static hops[] = {
		{ { "scscf.lab", 9 }, { "tcp:127.0.101.30:6060", 21 } },
		{ { "Plain.lab", 9 }, { "127.0.101.31:6061", 17 } },
	};
	struct resolver_config c = { .servers = server, .n_servers = server ? 1 : 0, .timeout_ms = 300, .tries = 2,
				     .cache_max = 100, .stale_max_s = 60, .negative_ttl_s = 5, .statics = hops, .n_statics = 2 };

	l = loop_new();
	r = resolver_new(l, &c);
	ck_assert_ptr_nonnull(r);
}

static void done(void)
{
	resolver_free(r);
	loop_free(l);
}

static const struct row plain[] = {
	{ "sip:scscf.lab", 0, "tcp:127.0.101.30:6060", true },
	{ "sip:a@plain.LAB;transport=tcp", 0, "tcp:127.0.101.31:6061", true },
	{ "sip:plain.lab", 0, "udp:127.0.101.31:6061", false },
	{ "sip:127.0.101.9", 0, "udp:127.0.101.9:5060", false },
	{ "sip:[::1]:5070;transport=tcp", 0, "tcp:[::1]:5070", true },
	{ "sip:nobody.lab", -ENOENT, NULL, false },
	{ "sip:127.0.0.1;transport=sctp", -EINVAL, NULL, false },
	{ "tel:+49301234", -EINVAL, NULL, false },
};

START_TEST(test_without_dns)
{
	open_with(NULL);
	check_row(&plain[_i]);
	done();
}
END_TEST

START_TEST(test_cancel)
{
	struct addr server;
	struct sip_uri u;
	struct resolver_query *q;

	ck_assert_int_eq(addr_parse(STR("127.0.101.54"), 15354, &server), 0);	/* nobody there */
	open_with(&server);
	ck_assert_int_eq(sip_uri_parse(STR("sip:a.test"), &u, NULL), 0);
	calls = 0;
	q = resolver_lookup(r, &u, on_result, NULL);
	if (q)
		resolver_cancel(q);
	loop_run_for(l, 50);
	ck_assert_uint_eq(calls, q ? 0 : 1);
	look("sip:b.test:5060");
	ck_assert_int_lt(got.err, 0);
	done();
}
END_TEST

TEST_MAIN("resolver", TEST_ROWS(test_without_dns, plain), TEST_ONE(test_cancel))
