/* tests/util/test_addr.c - socket addresses as text. */
#include <errno.h>
#include "common/util/addr.h"
#include "tests/check.h"

/* IPv6reference and port as in RFC 3261 §25.1. */
static const struct { const char *in; int rc; const char *out; } rows[] = {
	{ "10.0.0.1:5060", 0, "10.0.0.1:5060" },
	{ "10.0.0.1", 0, "10.0.0.1:9" },
	{ "[2001:db8::1]:5061", 0, "[2001:db8::1]:5061" },
	{ "[2001:DB8:0::1]", 0, "[2001:db8::1]:9" },
	{ "2001:db8::1", 0, "[2001:db8::1]:9" },
	{ "10.0.0.1:65535", 0, "10.0.0.1:65535" },
	{ "10.0.0.1:65536", -EBADMSG, NULL },
	{ "10.0.0.1:", -EBADMSG, NULL },
	{ "10.0.0.1:50x", -EBADMSG, NULL },
	{ "10.0.0.1:-1", -EBADMSG, NULL },
	{ "10.0.0.256", -EBADMSG, NULL },
	{ "10.0.0", -EBADMSG, NULL },
	{ "[10.0.0.1]", -EBADMSG, NULL },
	{ "[::1", -EBADMSG, NULL },
	{ "[::1]:", -EBADMSG, NULL },
	{ "[::1]x", -EBADMSG, NULL },
	{ "[]", -EBADMSG, NULL },
	{ "", -EBADMSG, NULL },
	{ ":5060", -EBADMSG, NULL },
	{ "ims.example", -EBADMSG, NULL },
	{ "fe80::1%nosuchif", -EBADMSG, NULL },
	{ "1:2:3:4:5:6:7:8:9", -EBADMSG, NULL },
	{ "0000000000000000000000000000000000000000000000000000000000000000000000000000001", -EBADMSG, NULL },
};

START_TEST(test_row)
{
	char text[ADDR_STRLEN];
	struct addr a = { 0 };
	int rc = addr_parse_hostport(str_from_c(rows[_i].in), 9, &a);

	ck_assert_msg(rc == rows[_i].rc, "%s: rc %d", rows[_i].in, rc);
	ck_assert_msg(addr_is_set(&a) == (rc == 0), "%s", rows[_i].in);
	if (rc == 0)
		ck_assert_str_eq(addr_fmt(&a, text), rows[_i].out);
}
END_TEST

START_TEST(test_compare)
{
	struct addr a, b, c, none = { 0 };
	char text[ADDR_STRLEN];

	ck_assert_int_eq(addr_parse(STR("10.0.0.1"), 5060, &a), 0);
	ck_assert_int_eq(addr_parse(STR("10.0.0.1"), 5061, &b), 0);
	ck_assert_int_eq(addr_parse(STR("[2001:db8::9]"), 5061, &c), 0);
	ck_assert(addr_host_eq(&a, &b) && !addr_eq(&a, &b) && !addr_host_eq(&a, &c));
	ck_assert(addr_hash(&a) != addr_hash(&b));
	addr_set_port(&b, 5060);
	ck_assert(addr_eq(&a, &b) && addr_hash(&a) == addr_hash(&b));
	addr_set_port(&c, 1);
	ck_assert_uint_eq(addr_port(&c), 1);
	ck_assert_str_eq(addr_host(&c, text), "[2001:db8::9]");
	ck_assert_uint_eq(addr_len(&c), sizeof(struct sockaddr_in6));
	ck_assert_str_eq(addr_fmt(&none, text), "-");
	ck_assert_int_eq(addr_parse(str_make("10.0.0.1\0", 9), 1, &a), -EBADMSG);
}
END_TEST

START_TEST(test_scope)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(STR("fe80::1%lo"), 1, &a), 0);
	ck_assert_uint_ne(a.in6.sin6_scope_id, 0);
}
END_TEST

TEST_MAIN("addr", TEST_ROWS(test_row, rows), TEST_ONE(test_compare), TEST_ONE(test_scope))
