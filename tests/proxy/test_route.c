/* tests/proxy/test_route.c - Route, strict routers on both sides, our Via.  RFC 3261 §16.4, §16.6 steps 6 to 8, §18.2.1. */
#include "tests/proxy/rig.h"

static const struct {
	const char *name, *ruri, *routes;	/* as received */
	const char *target_route;		/* pushed by the role */
	unsigned own;				/* values that were ours */
	const char *own0;			/* URI of the first */
	const char *want_ruri, *want_route[3], *want_host;
} rows[] = {
	{ "none: the Request-URI", "sip:b@n1", "", NULL, 0, NULL, "sip:b@n1", { NULL }, "10.0.0.1" },
	{ "ours alone", "sip:b@n1", "Route: <sip:t@self;lr>\n", NULL, 1, "sip:t@self;lr", "sip:b@n1", { NULL }, "10.0.0.1" },
	{ "ours and another", "sip:b@n1", "Route: <sip:t@self;lr>, <sip:n2;lr>\n", NULL, 1, "sip:t@self;lr", "sip:b@n1",
	  { "<sip:n2;lr>" }, "10.0.0.2" },
	{ "ours twice (two transports)", "sip:b@n1", "Route: <sip:t@self;lr>\nRoute: <sip:u@self;lr>\nRoute: <sip:n3;lr>\n",
	  NULL, 2, "sip:t@self;lr", "sip:b@n1", { "<sip:n3;lr>" }, "10.0.0.3" },
	{ "not ours", "sip:b@n1", "Route: <sip:n2;lr>\n", NULL, 0, NULL, "sip:b@n1", { "<sip:n2;lr>" }, "10.0.0.2" },
	{ "ours behind another stays", "sip:b@n1", "Route: <sip:n2;lr>, <sip:t@self;lr>\n", NULL, 0, NULL, "sip:b@n1",
	  { "<sip:n2;lr>", "<sip:t@self;lr>" }, "10.0.0.2" },
	{ "the role's goes on top", "sip:b@n1", "Route: <sip:n2;lr>\n", "<sip:n3;lr>", 0, NULL, "sip:b@n1",
	  { "<sip:n3;lr>", "<sip:n2;lr>" }, "10.0.0.3" },
	{ "strict router before us, §16.4", "sip:t@self;lr", "Route: <sip:n2;lr>, <sip:b@n1>\n", NULL, 1, "sip:t@self;lr",
	  "sip:b@n1", { "<sip:n2;lr>" }, "10.0.0.2" },
	{ "strict router before us, last hop", "sip:t@self;lr", "Route: <sip:b@n1>\n", NULL, 1, "sip:t@self;lr", "sip:b@n1",
	  { NULL }, "10.0.0.1" },
	{ "strict router before us, ours twice", "sip:t@self;lr", "Route: <sip:u@self;lr>\nRoute: <sip:b@n1>\n", NULL, 2,
	  "sip:t@self;lr", "sip:b@n1", { NULL }, "10.0.0.1" },
	{ "our URI without Route is a plain Request-URI", "sip:t@self;lr", "", "<sip:n2;lr>", 0, NULL, "sip:t@self;lr",
	  { "<sip:n2;lr>" }, "10.0.0.2" },
	{ "strict router behind us, §16.6 step 6", "sip:b@n1", "Route: <sip:n2>\n", NULL, 0, NULL, "sip:n2", { "<sip:b@n1>" },
	  "10.0.0.2" },
	{ "strict, and more behind", "sip:b@n1", "Route: <sip:t@self;lr>, <sip:n2>, <sip:n3;lr>\n", NULL, 1, "sip:t@self;lr",
	  "sip:n2", { "<sip:n3;lr>", "<sip:b@n1>" }, "10.0.0.2" },
	{ "strict one pushed by the role", "sip:b@n1", "Route: <sip:n3;lr>\n", "<sip:n2>", 0, NULL, "sip:n2",
	  { "<sip:n3;lr>", "<sip:b@n1>" }, "10.0.0.2" },
	{ "strict on both sides", "sip:t@self;lr", "Route: <sip:n2>, <sip:b@n1>\n", NULL, 1, "sip:t@self;lr", "sip:n2",
	  { "<sip:b@n1>" }, "10.0.0.2" },
};

START_TEST(test_route_row)
{
	char host[ADDR_STRLEN];
	struct sip_values it;
	struct rig_sent *s;
	struct str v;
	struct rig r;

	rig_init(&r);
	r.route = rows[_i].target_route;
	rig_request(&r, "INVITE", rows[_i].ruri, rows[_i].routes);
	s = rig_req(&r, "INVITE", 0);
	ck_assert_msg(s != NULL, "%s: %s", rows[_i].name, rig_up(&r));
	ck_assert_msg(r.n_own == rows[_i].own, "%s: own %u", rows[_i].name, r.n_own);
	if (rows[_i].own)
		ck_assert_msg(str_eq_c(r.own[0].uri.text, rows[_i].own0), "%s", rows[_i].name);
	ck_assert_msg(str_eq_c(s->m->ruri_text, rows[_i].want_ruri), "%s: %.*s", rows[_i].name, STR_ARG(s->m->ruri_text));
	ck_assert_msg(!strcmp(addr_host(&s->to.remote, host), rows[_i].want_host), "%s: %s", rows[_i].name, host);
	it = sip_values(s->m, SIP_H_ROUTE);
	for (unsigned i = 0; i < 3 && rows[_i].want_route[i]; i++)
		ck_assert_msg(sip_values_next(&it, &v) && str_eq_c(v, rows[_i].want_route[i]), "%s: %u\n%.*s", rows[_i].name, i,
			      STR_ARG(s->m->raw));
	ck_assert_msg(!sip_values_next(&it, &v), "%s: one Route too many", rows[_i].name);
	rig_fini(&r);
}
END_TEST

START_TEST(test_via)
{
	struct sip_values it;
	struct sip_via via;
	struct rig_sent *s;
	struct rig r;
	struct str v;

	rig_init(&r);
	rig_in(&r, "OPTIONS sip:b@n1 SIP/2.0\nVia: SIP/2.0/UDP phone.example:5062;rport;branch=z9hG4bKup\nFrom: <sip:a@a>;tag=A\n"
	       "To: <sip:b@b>\nCall-ID: call\nCSeq: 7 OPTIONS\n");
	s = rig_req(&r, "OPTIONS", 0);
	ck_assert_ptr_nonnull(s);
	ck_assert(str_eq_c(s->m->via.host, "10.9.9.9"));
	ck_assert_uint_eq(s->m->via.port, 5060);
	ck_assert(s->m->via.has_rport);
	ck_assert(str_starts(s->m->via.branch, STR("z9hG4bK")));
	it = sip_values(s->m, SIP_H_VIA);
	ck_assert(sip_values_next(&it, &v) && sip_values_next(&it, &v) && !sip_via_parse(v, &via));
	ck_assert(str_eq_c(via.received, "10.1.1.1"));		/* §18.2.1 */
	ck_assert_uint_eq(via.rport, 5060);			/* RFC 3581 §4 */
	ck_assert(str_eq_c(sip_msg_value(s->m, SIP_H_RECORD_ROUTE), "<sip:token@self;lr>"));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("proxy route", TEST_ROWS(test_route_row, rows), TEST_ONE(test_via))
