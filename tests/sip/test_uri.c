/* tests/sip/test_uri.c - URIs, name-addr, header and method names: RFC 3261 §19.1, §20.10, §25.1; RFC 3966. */
#include <errno.h>
#include "common/sip/hdr.h"
#include "common/sip/method.h"
#include "common/sip/nameaddr.h"
#include "tests/check.h"

static const struct { const char *in; int rc; const char *user, *host; unsigned port; const char *params, *headers; } rows[] = {
	{ "sip:ims.example", 0, "", "ims.example", 0, "", "" },
	{ "SIPS:alice:pw@ims.example:5061", 0, "alice", "ims.example", 5061, "", "" },
	{ "sip:a;b?c@h;lr?x=y", 0, "a;b?c", "h", 0, "lr", "x=y" },
	{ "sip:user;par=u%40x@h", 0, "user;par=u%40x", "h", 0, "", "" },
	{ "sip:[2001:db8::9]:5061;transport=tcp", 0, "", "[2001:db8::9]", 5061, "transport=tcp", "" },
	{ "sip:+49301;phone-context=x@h;user=phone", 0, "+49301;phone-context=x", "h", 0, "user=phone", "" },
	{ "tel:+1-201-555", 0, "+1-201-555", "", 0, "", "" },
	{ "tel:911;phone-context=+1", 0, "911", "", 0, "phone-context=+1", "" },
	{ "urn:service:sos", 0, "service:sos", "", 0, "", "" },
	{ "sip:", -EBADMSG, 0, 0, 0, 0, 0 }, { "", -EBADMSG, 0, 0, 0, 0, 0 }, { "sip", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "sip:@h", -EBADMSG, 0, 0, 0, 0, 0 }, { "sip:a@", -EBADMSG, 0, 0, 0, 0, 0 }, { "sip:a@h:", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "sip:a@h:65536", -EBADMSG, 0, 0, 0, 0, 0 }, { "sip:a@h:5x", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "sip:a b@h", -EBADMSG, 0, 0, 0, 0, 0 }, { "sip:a%4@h", -EBADMSG, 0, 0, 0, 0, 0 }, { "sip:a%zz@h", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "sip:a@[::1", -EBADMSG, 0, 0, 0, 0, 0 }, { "sip:a@[::g]", -EBADMSG, 0, 0, 0, 0, 0 }, { "sip:a@::1", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "sip:a@h\r\nX: y", -EBADMSG, 0, 0, 0, 0, 0 }, { "<sip:a@h>", -EBADMSG, 0, 0, 0, 0, 0 }, { "tel:", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "sip:a@h;x=<", -EBADMSG, 0, 0, 0, 0, 0 }, { "sip:a@b@c", -EBADMSG, 0, 0, 0, 0, 0 },
};

START_TEST(test_uri_row)
{
	struct sip_uri u;
	int rc = sip_uri_parse(str_from_c(rows[_i].in), &u, NULL);

	ck_assert_msg(rc == rows[_i].rc, "%s: rc %d", rows[_i].in, rc);
	if (rc == 0)
		ck_assert_msg(str_eq_c(u.user, rows[_i].user) && str_eq_c(u.host, rows[_i].host) && u.port == rows[_i].port &&
			      str_eq_c(u.params, rows[_i].params) && str_eq_c(u.headers, rows[_i].headers), "%s", rows[_i].in);
}
END_TEST

/* RFC 3261 §19.1.4, with its own kinds of examples; RFC 3966 §4. */
static const struct { const char *a, *b; bool equal; } equal_rows[] = {
	{ "sip:%61lice@h.example;transport=TCP", "sip:alice@H.EXAMPLE;Transport=tcp", true },
	{ "sip:carol@h", "sip:carol@h;newparam=5", true }, { "sip:carol@h;security=on", "sip:carol@h;newparam=5", true },
	{ "sip:carol@h;security=on", "sip:carol@h;security=off", false },
	{ "SIP:ALICE@h;Transport=udp", "sip:alice@h;Transport=UDP", false }, { "sip:bob@h", "sip:bob@h:5060", false },
	{ "sip:bob@h", "sip:bob@h;transport=udp", false }, { "sip:bob@h", "sips:bob@h", false },
	{ "sip:bob@h;user=phone", "sip:bob@h", false }, { "sip:bob:x@h", "sip:bob@h", false },
	{ "sip:a@h;x=1", "sip:a@h;x=1;x=2", false }, { "sip:a@h;ttl=1;x", "sip:a@h;ttl=1;x;ttl=2", false },
	{ "tel:+1-201", "tel:+1(201)", true }, { "tel:+1201", "tel:+1202", false }, { "urn:a:b", "urn:a:b", true },
};

START_TEST(test_uri_equal)
{
	struct sip_uri a, b;

	ck_assert_int_eq(sip_uri_parse(str_from_c(equal_rows[_i].a), &a, NULL), 0);
	ck_assert_int_eq(sip_uri_parse(str_from_c(equal_rows[_i].b), &b, NULL), 0);
	ck_assert_msg(sip_uri_equal(&a, &b) == equal_rows[_i].equal, "%s %s", equal_rows[_i].a, equal_rows[_i].b);
	ck_assert_msg(sip_uri_equal(&b, &a) == equal_rows[_i].equal, "%s %s", equal_rows[_i].b, equal_rows[_i].a);
}
END_TEST

static const struct { const char *in, *aor; int rc; } aor_rows[] = {
	{ "sip:Alice@Home.Example:5060;lr", "sip:Alice@home.example", 0 }, { "sips:a%6Cice@h", "sip:alice@h", 0 },
	{ "sip:+49-30-1@h;user=phone", "sip:+49301@h", 0 }, { "sip:h", "sip:h", 0 }, { "tel:+1-(201)-5", "tel:+12015", 0 },
	{ "sip:a%00%0d%0AX%3a%40b@h", "sip:a%00%0D%0AX%3A%40b@h", 0 }, { "sip:a%25%2fb@h", "sip:a%25/b@h", 0 },
	{ "tel:911;phone-context=Home.example", "tel:911;phone-context=home.example", 0 }, { "urn:service:sos", NULL, -ENOTSUP },
};

START_TEST(test_uri_aor)
{
	char dst[64];
	struct sip_uri u;
	struct str aor;

	ck_assert_int_eq(sip_uri_parse(str_from_c(aor_rows[_i].in), &u, NULL), 0);
	ck_assert_int_eq(sip_uri_aor(&u, dst, sizeof(dst), &aor), aor_rows[_i].rc);
	if (aor_rows[_i].rc)
		return;
	ck_assert_msg(str_eq_c(aor, aor_rows[_i].aor), "%s: %.*s", aor_rows[_i].in, STR_ARG(aor));
	for (size_t n = 0; n < aor.l; n++)
		ck_assert_int_eq(sip_uri_aor(&u, (char[64]){ 0 }, n, &aor), -ENOSPC);
}
END_TEST

static const struct { const char *in; int rc; const char *display, *uri, *params; } na_rows[] = {
	{ "<sip:a@h>;tag=1", 0, "", "sip:a@h", "tag=1" }, { "sip:a@h;tag=1", 0, "", "sip:a@h", "tag=1" },
	{ "\"A \\\" <x>\" < sip:a@h;lr > ; tag = 1", 0, "\"A \\\" <x>\"", "sip:a@h;lr", "tag = 1" },
	{ "Bob Miller <tel:+1>", 0, "Bob Miller", "tel:+1", "" }, { "x<sip:a@h>", 0, "x", "sip:a@h", "" },
	{ "\"A <sip:a@h>", -EBADMSG, 0, 0, 0 }, { "<sip:a@h", -EBADMSG, 0, 0, 0 }, { "Bell, A <sip:a@h>", -EBADMSG, 0, 0, 0 },
	{ "sip:a@h?x=y", -EBADMSG, 0, 0, 0 }, { "<sip:a@h> x", -EBADMSG, 0, 0, 0 }, { "", -EBADMSG, 0, 0, 0 },
	{ "<>", -EBADMSG, 0, 0, 0 }, { "a@h", -EBADMSG, 0, 0, 0 },
};

START_TEST(test_nameaddr_row)
{
	struct sip_nameaddr n;
	int rc = sip_nameaddr_parse(str_from_c(na_rows[_i].in), &n);

	ck_assert_msg(rc == na_rows[_i].rc, "%s: %d", na_rows[_i].in, rc);
	if (rc == 0)
		ck_assert_msg(str_eq_c(n.display, na_rows[_i].display) && str_eq_c(n.uri.text, na_rows[_i].uri) &&
			      str_eq_c(n.params, na_rows[_i].params), "%s", na_rows[_i].in);
}
END_TEST

static const struct { const char *in; unsigned n; } list_rows[] = {
	{ "", 0 }, { ",, ,", 0 }, { "a", 1 }, { "a, b", 2 }, { "\"a,b\" <sip:c,d@h>,e", 2 }, { "\"a\\\",b\" <sip:c>", 1 },
	{ "<sip:a>,<sip:b>,", 2 }, { "\"open, quote", 1 },
};

START_TEST(test_list_row)
{
	struct str rest = str_from_c(list_rows[_i].in), one;
	unsigned n = 0;

	while (sip_list_next(&rest, &one))
		n++;
	ck_assert_msg(n == list_rows[_i].n, "%s: %u", list_rows[_i].in, n);
}
END_TEST

START_TEST(test_header_names)
{
	char name[64];

	for (unsigned id = 1; id < SIP_N_HDRS; id++) {
		struct str s = sip_hdr_name(id);

		for (unsigned k = 0; k < 3; k++) {	/* as written, upper, lower */
			for (size_t i = 0; i < s.l; i++) {
				char c = s.p[i];

				if (k == 1 && c >= 'a' && c <= 'z')
					c = (char)(c - 32);
				else if (k == 2 && c >= 'A' && c <= 'Z')
					c = (char)(c + 32);
				name[i] = c;
			}
			ck_assert_uint_eq(sip_hdr_id_from_name(str_make(name, s.l)), id);
			if (s.l > 2)		/* "T" is To */
				ck_assert_uint_ne(sip_hdr_id_from_name(str_make(name, s.l - 1)), id);
			name[s.l] = 'x';
			ck_assert_uint_eq(sip_hdr_id_from_name(str_make(name, s.l + 1)), SIP_H_OTHER);
			name[s.l / 2] = '~';
			ck_assert_uint_ne(sip_hdr_id_from_name(str_make(name, s.l)), id);
		}
	}
#define X(id, nm, c) if (c) { const char two[2] = { c, (c) & ~0x20 }; \
	ck_assert_uint_eq(sip_hdr_id_from_name(str_make(two, 1)), id); \
	ck_assert_uint_eq(sip_hdr_id_from_name(str_make(two + 1, 1)), id); }
	SIP_HDR_TABLE(X)
#undef X
	ck_assert_uint_eq(sip_hdr_id_from_name(STR("z")), SIP_H_OTHER);
	ck_assert_uint_eq(sip_hdr_id_from_name(STR("\xed")), SIP_H_OTHER);
}
END_TEST

START_TEST(test_methods)
{
	for (unsigned m = 1; m < SIP_N_METHODS; m++)
		ck_assert_uint_eq(sip_method_from_str(str_from_c(sip_method_name(m))), m);
	ck_assert_uint_eq(sip_method_from_str(STR("invite")), SIP_UNKNOWN_METHOD);
	ck_assert_uint_eq(sip_method_from_str(STR("INVITEX")), SIP_UNKNOWN_METHOD);
	for (unsigned s = 0; s < 1000; s++)
		ck_assert(sip_reason_phrase(s) && sip_reason_phrase(s)[0]);
}
END_TEST

TEST_MAIN("uri", TEST_ROWS(test_uri_row, rows), TEST_ROWS(test_uri_equal, equal_rows), TEST_ROWS(test_uri_aor, aor_rows),
	  TEST_ROWS(test_nameaddr_row, na_rows), TEST_ROWS(test_list_row, list_rows), TEST_ONE(test_header_names),
	  TEST_ONE(test_methods))
