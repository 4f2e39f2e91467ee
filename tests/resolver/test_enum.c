/* tests/resolver/test_enum.c - numbers to URIs: RFC 6116, RFC 3402 §3.2, RFC 3764, RFC 4769, RFC 4694; row T14. */
#include <errno.h>
#include "common/resolver/enum.h"
#include "tests/check.h"
#include "tests/resolver/fake_dns.h"

#define ASK_MAX_MS 4000u
#define NUMBER "+4930222"

/* ---- RFC 3402 §3.2: the expression by itself ---- */

static const struct { const char *expression; int rc; const char *uri; } rewrite_rows[] = {
	{ "!^.*$!sip:bob@home.example!", 0, "sip:bob@home.example" },
	{ "!^\\+49(.*)$!sip:\\1@de.example!", 0, "sip:30222@de.example" },
	{ "!^(\\+49)(30)(.*)$!tel:\\1\\2\\3;npdi;rn=+4999!", 0, "tel:+4930222;npdi;rn=+4999" },
	{ "/^.*$/sip:a\\/b@x/", 0, "sip:a/b@x" },
	{ "!^.*$!sip:\\0@x!", 0, "sip:+4930222@x" },
	{ "!^.*$!sip:a\\9b@x!", 0, "sip:ab@x" },
	{ "!^\\+1.*$!sip:x@y!", -ENOENT, NULL },
	{ "!^A*\\+49.*$!sip:x@y!i", 0, "sip:x@y" },
	{ "!((((((((((((.*))))))))))))!sip:\\9@x!", 0, "sip:+4930222@x" },
	{ "!^(.*!sip:x@y!", -EBADMSG, NULL },
	{ "!!sip:x@y!", -EBADMSG, NULL },
	{ "!^.*$!sip:x@y", -EBADMSG, NULL },
	{ "!^.*$", -EBADMSG, NULL },
	{ "!", -EBADMSG, NULL },
	{ "", -EBADMSG, NULL },
	{ "1^.*$1sip:x@y1", -EBADMSG, NULL },
	{ "!^(\\+?[0-9]+)*(\\+?[0-9]+)*(\\+?[0-9]+)*(\\+?[0-9]+)*x$!sip:x@y!", -ENOENT, NULL },	/* stopped at a limit */
};

START_TEST(test_rewrite_row)
{
	char uri[ENUM_URI_MAX] = "";

	ck_assert_msg(enum_rewrite(rewrite_rows[_i].expression, str_from_c(NUMBER), uri) == rewrite_rows[_i].rc, "%s: %s",
		      rewrite_rows[_i].expression, uri);
	if (rewrite_rows[_i].uri)
		ck_assert_str_eq(uri, rewrite_rows[_i].uri);
}
END_TEST

START_TEST(test_rewrite_long)		/* what does not fit is no URI */
{
	char expression[256] = "!^.*$!sip:", uri[ENUM_URI_MAX];

	for (unsigned i = 0; i < 60; i++)
		strcat(expression, "\\0");
	strcat(expression, "@x!");
	ck_assert_int_eq(enum_rewrite(expression, str_from_c(NUMBER), uri), -ENOSPC);
}
END_TEST

static const struct { const char *service; bool ours, pstn; } service_rows[] = {
	{ "E2U+sip", true, false }, { "e2u+SIP", true, false }, { "E2U+pstn:tel", true, true }, { "E2U+pstn:sip", true, true },
	{ "E2U+email:mailto+sip", true, false }, { "E2U+web:http", false, false }, { "E2U", false, false }, { "E2U+", false, false },
	{ "SIP+D2U", false, false }, { "E2U+sipx", false, false },
};

START_TEST(test_service_row)
{
	bool pstn = false;

	ck_assert_msg(enum_service(service_rows[_i].service, &pstn) == service_rows[_i].ours, "%s", service_rows[_i].service);
	if (service_rows[_i].ours)
		ck_assert_msg(pstn == service_rows[_i].pstn, "%s", service_rows[_i].service);
}
END_TEST

/* ---- the question ---- */

static const struct fake_dns_row rows[] = {
	{ "1.9.4.e164.test", 35, 60, "100 10 u E2U+sip !^.*$!sip:low@x.example!" },
	{ "1.9.4.e164.test", 35, 60, "50 20 u E2U+pstn:tel !^(.*)$!tel:\\1;npdi!" },
	{ "1.9.4.e164.test", 35, 60, "50 10 u E2U+sip !^.*$!sip:high@x.example!" },
	{ "1.9.4.e164.test", 35, 60, "10 10 u E2U+web:http !^.*$!http://x.example!" },
	{ "2.9.4.e164.test", 35, 60, "10 10 u E2U+sip !^.*$!mailto:x@x.example!" },
	{ "3.9.4.e164.test", 35, 60, "10 10 u E2U+sip !^.*$!tel:+493!" },
	{ "5.9.4.e164.test", 35, 60, "20 10 - E2U+sip second.test" },
	{ "5.9.4.e164.test", 35, 60, "10 10 - - first.test" },
	{ "first.test", 35, 60, "10 10 - - third.test" },
	{ "third.test", 35, 60, "10 10 u E2U+sip !^(.*)$!sip:\\1@third.example!" },
	{ "6.9.4.e164.test", 35, 60, "10 10 - - first.test" },
	{ "6.9.4.e164.test", 35, 60, "50 10 u E2U+sip !^.*$!sip:here@x.example!" },
	{ "7.9.4.e164.test", 35, 60, "10 10 - - loop.test" },
	{ "loop.test", 35, 60, "10 10 - - loop.test" },
	{ "9.9.4.e164.test", 35, 60, "10 10 - - nothing.test" },
	{ "4.9.4.e164.test", 35, 60, "10 10 s E2U+sip _sip._udp.x.example" },
};

static struct fake_dns dns;
static struct loop *l;
static struct resolver *r;
static struct enum_result got;
static unsigned calls;

static void on_result(void *arg, const struct enum_result *res)
{
	(void)arg;
	got = *res;
	calls++;
}

static void begin(void)
{
	struct resolver_config c = { .servers = &dns.a, .n_servers = 1, .timeout_ms = 50, .tries = 2, .cache_max = 100,
				     .stale_max_s = 60, .negative_ttl_s = 5 };

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

static void look(const char *number, int err, unsigned n)
{
	calls = 0;
	enum_lookup(r, str_from_c(number), STR("e164.test"), on_result, NULL);
	for (unsigned i = 0; !calls && i < ASK_MAX_MS / 10; i++)
		loop_run_for(l, 10);
	ck_assert_uint_eq(calls, 1);
	ck_assert_msg(got.err == err, "%s: %d (%s)", number, got.err, got.err ? got.why : "");
	ck_assert_uint_eq(got.n, n);
}

START_TEST(test_order)			/* by order and preference; services that are none of ours do not count */
{
	begin();
	look("+491", 0, 3);
	ck_assert_str_eq(got.uri[0].text, "sip:high@x.example");
	ck_assert(!got.uri[0].pstn);
	ck_assert_str_eq(got.uri[1].text, "tel:+491;npdi");
	ck_assert(got.uri[1].pstn);
	ck_assert_str_eq(got.uri[2].text, "sip:low@x.example");
	end();
}
END_TEST

START_TEST(test_cached)
{
	unsigned asked;

	begin();
	look("+491", 0, 3);
	asked = dns.asked;
	look("+491", 0, 3);
	ck_assert_uint_eq(dns.asked, asked);
	look("+498", -ENOENT, 0);
	asked = dns.asked;
	look("+498", -ENOENT, 0);		/* that there is nothing is known, too */
	ck_assert_uint_eq(dns.asked, asked);
	end();
}
END_TEST

/* RFC 6116, RFC 3402 §3: records without a flag point to others, in turn; who has a URI of his own needs them not.  A loop ends. */
START_TEST(test_referrals_T14)
{
	begin();
	look("+495", 0, 1);
	ck_assert_str_eq(got.uri[0].text, "sip:+495@third.example");
	look("+496", 0, 1);
	ck_assert_str_eq(got.uri[0].text, "sip:here@x.example");
	look("+497", -ENOENT, 0);
	look("+499", -ENOENT, 0);
	end();
}
END_TEST

START_TEST(test_unusable)		/* other schemes, tel where only sip may be, records that go on elsewhere */
{
	static const char *const numbers[] = { "+492", "+493", "+494" };

	begin();
	for (unsigned i = 0; i < 3; i++)
		look(numbers[i], -ENOENT, 0);
	end();
}
END_TEST

START_TEST(test_no_number)
{
	static const char *const numbers[] = { "491", "+", "", "+49a", "+4912345678901234567890123456789012" };

	begin();
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		look(numbers[i], -EINVAL, 0);
	ck_assert_uint_eq(dns.asked, 0);
	end();
}
END_TEST

START_TEST(test_down)			/* row C12: DNS that is silent costs its time-out, then what was known serves */
{
	begin();
	dns.mode = FAKE_DNS_SILENT;
	look("+491", -ETIMEDOUT, 0);
	dns.mode = FAKE_DNS_SERVFAIL;
	look("+492", -ECONNREFUSED, 0);
	dns.mode = FAKE_DNS_GARBAGE;
	look("+493", -ENOENT, 0);
	end();
}
END_TEST

START_TEST(test_cancel)
{
	struct resolver_query *q;

	begin();
	dns.mode = FAKE_DNS_SILENT;
	calls = 0;
	q = enum_lookup(r, STR("+491"), STR("e164.test"), on_result, NULL);
	ck_assert_ptr_nonnull(q);
	resolver_cancel(q);
	loop_run_for(l, 300);
	ck_assert_uint_eq(calls, 0);
	enum_lookup(r, STR("+492"), STR("e164.test"), on_result, NULL);
	end();					/* one that is still out */
	ck_assert_uint_eq(calls, 1);
	ck_assert_int_eq(got.err, -ECANCELED);
}
END_TEST

TEST_MAIN("enum", TEST_ROWS(test_rewrite_row, rewrite_rows), TEST_ONE(test_rewrite_long), TEST_ROWS(test_service_row, service_rows),
	  TEST_ONE(test_order), TEST_ONE(test_cached), TEST_ONE(test_referrals_T14), TEST_ONE(test_unusable), TEST_ONE(test_no_number), TEST_ONE(test_down),
	  TEST_ONE(test_cancel))
