/* tests/sip/test_charging.c - P-Charging-Vector: RFC 7315 §4.6, TS 24.229 §4.5, §7.2A.5; row G1. */
#include <stdio.h>
#include "common/sip/charging.h"
#include "tests/check.h"

static struct sip_msg *message(const char *header)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	char text[1024];

	snprintf(text, sizeof(text), "OPTIONS sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
		 "Call-ID: c\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n%s%s%s\r\n", header ? "P-Charging-Vector: " : "",
		 header ? header : "", header ? "\r\n" : "");
	ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), NULL, &m, &err), 0);
	return m;
}

static const struct { const char *name, *in, *icid, *at, *orig, *term, *session, *access, *domain; } reads[] = {
	{ "nothing", NULL, "", "", "", "", "", "", "" },
	{ "all of a hop", "icid-value=\"a;b\";icid-generated-at=[2001:db8::1];orig-ioi=\"Type 1v.example\";term-ioi=h.example",
	  "\"a;b\"", "[2001:db8::1]", "\"Type 1v.example\"", "h.example", "", "", "" },
	{ "names are case-blind, order is free", "Orig-IOI=h ; ICID-value=1", "1", "", "h", "", "", "", "" },
	{ "the first of two", "icid-value=1;icid-value=2;orig-ioi=a;orig-ioi=b", "1", "", "a", "", "", "", "" },
	{ "SRVCC and loopback go along", "icid-value=1;related-icid=2;related-icid-generated-at=x;loopback", "1", "", "", "",
	  ";related-icid=2;related-icid-generated-at=x;loopback", "", "" },
	{ "access network, §7.2A.5.2", "icid-value=1;pdngw=10.0.0.1;eps-info=\"eps-item=1;eps-sig=no;ecid=0A;flow-id=({1,1},{1,2})\";new=1", "1",
	  "", "", "", "", ";pdngw=10.0.0.1;eps-info=\"eps-item=1;eps-sig=no;ecid=0A;flow-id=({1,1},{1,2})\";new=1", "" },
	{ "transit networks end here, §4.5.4A", "icid-value=1;transit-ioi=\"t.1, void, u.3\";orig-ioi=h", "1", "", "h", "", "", "", "" },
	{ "functions of the operator, §4.5.8", "icid-value=1;fe-identifier=\"<sip:p@v>\"", "1", "", "", "", "", "", ";fe-identifier=\"<sip:p@v>\"" },
	{ "no ICID", "orig-ioi=h", "", "", "h", "", "", "", "" },
};

START_TEST(test_read_row_G1)
{
	struct sip_msg *m = message(reads[_i].in);
	struct charging_vector v;

	charging_read(m->arena, m, &v);
	ck_assert_msg(str_eq_c(v.icid, reads[_i].icid) && str_eq_c(v.generated_at, reads[_i].at), "%s", reads[_i].name);
	ck_assert_msg(str_eq_c(v.orig_ioi, reads[_i].orig) && str_eq_c(v.term_ioi, reads[_i].term), "%s", reads[_i].name);
	ck_assert_msg(str_eq_c(v.session, reads[_i].session), "%s: %.*s", reads[_i].name, STR_ARG(v.session));
	ck_assert_msg(str_eq_c(v.access, reads[_i].access), "%s: %.*s", reads[_i].name, STR_ARG(v.access));
	ck_assert_msg(str_eq_c(v.domain, reads[_i].domain), "%s: %.*s", reads[_i].name, STR_ARG(v.domain));
	sip_msg_unref(m);
}
END_TEST

static const struct { const char *name; enum charging_ioi type; const char *network, *value; } iois[] = {
	{ "type 1", IOI_ACCESS, "v.example", "\"Type 1v.example\"" },
	{ "type 2 has no prefix", IOI_NETWORK, "h.example", "h.example" },
	{ "type 3", IOI_SERVICE, "h.example", "\"Type 3h.example\"" },
	{ "no token: quoted", IOI_NETWORK, "h example", "\"h example\"" },
	{ "a quotation mark", IOI_ACCESS, "h\"", "" },
	{ "a line end", IOI_NETWORK, "h\r\nX: 1", "" },
};

START_TEST(test_ioi_row_G1)		/* TS 24.229 table 7.2A.5A */
{
	struct sip_msg *m = message(NULL);
	struct str v = charging_ioi(m->arena, iois[_i].type, str_from_c(iois[_i].network));

	ck_assert(!v.l || charging_type(v) == iois[_i].type);
	ck_assert_msg(str_eq_c(v, iois[_i].value), "%s: %.*s", iois[_i].name, STR_ARG(v));
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_new_row_G1)		/* TS 24.229 §4.5.2; never the same twice: TS 32.260 §5.1.2.2 */
{
	static const char *const hosts[][2] = { { "p.example:5060", "p.example" }, { "10.0.0.1", "10.0.0.1" }, { "[2001:db8::1]:5060", "[2001:db8::1]" },
						{ "[2001:db8::1]", "[2001:db8::1]" } };
	struct sip_msg *m = message(NULL);
	struct charging_vector v, w;

	for (size_t i = 0; i < 4; i++) {
		charging_new(m->arena, str_from_c(hosts[i][0]), &v);
		charging_new(m->arena, str_from_c(hosts[i][0]), &w);
		ck_assert(str_eq_c(v.generated_at, hosts[i][1]) && v.icid.l == 34 && !str_eq(v.icid, w.icid));
	}
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_write_row_G1)		/* what was read is written, IOIs behind everything else */
{
	struct sip_msg *m = message("pdngw=1;icid-value=\"1\";term-ioi=t;orig-ioi=o;icid-generated-at=x;transit-ioi=\"a.1\";related-icid=2");
	struct charging_vector v, none = { .orig_ioi = STR("x") };

	charging_read(m->arena, m, &v);
	ck_assert(str_eq_c(charging_write(m->arena, &v), "icid-value=\"1\";icid-generated-at=x;related-icid=2;pdngw=1;orig-ioi=o;term-ioi=t"));
	ck_assert_ptr_null(charging_write(m->arena, &none).p);
	ck_assert(charging_is_of(&v, STR("O")) && !charging_is_of(&v, STR("p")));
	v.orig_ioi = STR("\"o\"");
	ck_assert(charging_is_of(&v, STR("o")));
	v.orig_ioi = STR_NONE;
	ck_assert(charging_is_of(&v, STR("o")));
	sip_msg_unref(m);
}
END_TEST

TEST_MAIN("charging", TEST_ROWS(test_read_row_G1, reads), TEST_ROWS(test_ioi_row_G1, iois), TEST_ONE(test_new_row_G1),
	  TEST_ONE(test_write_row_G1))
