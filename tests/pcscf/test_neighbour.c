/* tests/pcscf/test_neighbour.c - who is core: access.trusted, dns.next_hops, what was learned; and configuration mistakes. */
#include "tests/pcscf/rig.h"

static const struct { const char *name, *access, *from; bool trusted; } rows[] = {
	{ "nobody said so", NULL, "udp:10.0.0.30:6060", false },
	{ "next hop", NULL, "udp:10.0.0.20:4060", true },
	{ "next hop, another port", NULL, "udp:10.0.0.20:4061", false },
	{ "next hop by TCP, any port", NULL, "tcp:10.0.0.20:33333", true },
	{ "address", "  trusted: [10.0.0.30]\n", "udp:10.0.0.30:1", true },
	{ "another address", "  trusted: [10.0.0.30]\n", "udp:10.0.0.31:1", false },
	{ "/24", "  trusted: [10.0.0.0/24]\n", "tcp:10.0.0.255:1", true },
	{ "/24, outside", "  trusted: [10.0.0.0/24]\n", "udp:10.0.1.0:1", false },
	{ "/23", "  trusted: [10.0.0.0/23]\n", "udp:10.0.1.255:1", true },
	{ "/23, outside", "  trusted: [10.0.0.0/23]\n", "udp:10.0.2.0:1", false },
	{ "/0", "  trusted: [0.0.0.0/0]\n", "udp:192.0.2.1:1", true },
	{ "/0 is IPv4 only", "  trusted: [0.0.0.0/0]\n", "udp:[2001:db8::1]:1", false },
	{ "IPv6", "  trusted: [\"2001:db8::1\"]\n", "udp:[2001:db8::1]:1", true },
	{ "IPv6 /33", "  trusted: [\"2001:db8:8000::/33\"]\n", "udp:[2001:db8:ffff::1]:1", true },
	{ "IPv6 /33, outside", "  trusted: [\"2001:db8:8000::/33\"]\n", "udp:[2001:db8:7fff::1]:1", false },
};

static struct sip_flow flow_of(const char *text)
{
	struct sip_flow f = { 0 };
	struct str proto, rest;

	str_cut(str_from_c(text), ':', &proto, &rest);
	ck_assert_int_eq(sip_proto_from_name(proto, &f.proto), 0);
	ck_assert_int_eq(addr_parse_hostport(rest, 5060, &f.remote), 0);
	return f;
}

START_TEST(test_trusted)
{
	struct sip_flow f = flow_of(rows[_i].from);
	struct rig r;

	rig_init(&r, rows[_i].access, 1);
	ck_assert_msg(pcscf_is_trusted(&r.p, &f) == rows[_i].trusted, "%s", rows[_i].name);
	rig_fini(&r);
}
END_TEST

static const struct { const char *learn, *ask; bool known; } hops[] = {
	{ "<sip:tok@scscf.home:6060;lr>", "sip:other@SCSCF.home:6060;lr", true },
	{ "<sip:tok@scscf.home:6060;lr>", "sip:scscf.home", false },
	{ "<sip:tok@scscf.home:6060;lr>", "tel:+49", false },
	{ "<sip:scscf.home;lr>", "sip:x@scscf.home", true },
	{ "rubbish", "sip:rubbish", false },
	{ "*", "sip:rubbish", false },
	{ "<sip:a@b>", "sip:10.0.0.20:4060", true },		/* a next hop of the configuration */
	{ "<sip:a@b>", "sip:10.0.0.20", false },
};

START_TEST(test_hop)
{
	struct sip_uri u;
	struct rig r;

	rig_init(&r, NULL, 1);
	pcscf_learn_hop(&r.p, str_from_c(hops[_i].learn));
	ck_assert_int_eq(sip_uri_parse(str_from_c(hops[_i].ask), &u, NULL), 0);
	ck_assert_msg(pcscf_knows_hop(&r.p, &u) == hops[_i].known, "%s after %s", hops[_i].ask, hops[_i].learn);
	rig_fini(&r);
}
END_TEST

/* A phone on a core address, or one that the operator trusts too widely, is a phone all the same. */
START_TEST(test_phone_among_trusted)
{
	struct rig r;

	rig_init(&r, "  trusted: [0.0.0.0/0]\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, "MESSAGE", "sip:bob@home", "P-Asserted-Identity: <sip:bob@home>\n");
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "MESSAGE", SCSCF), "P-Asserted-Identity"), "<sip:alice@home>");
	rig_request_as(&r, BOB, "MESSAGE", "sip:alice@home", "From: <sip:bob@home>;tag=1\nTo: <sip:alice@home>\n", "x", NULL);
	rig_expect_status(&r, 403, BOB);		/* trusted, but with no token of ours */
	rig_fini(&r);
}
END_TEST

static const struct { const char *access, *says; } mistakes[] = {
	{ "  trusted: [pcscf.home]\n", "access.trusted" }, { "  trusted: [10.0.0.0/33]\n", "access.trusted" },
	{ "  trusted: [10.0.0.0/x]\n", "access.trusted" }, { "  icscf: \"tel:+49\"\n", "access.icscf" },
	{ "  icscf: \"icscf.home\"\n", "access.icscf" }, { "  max_contacts: 0\n", "max_contacts" }, { "  trustet: [10.0.0.1]\n", "trusted" },
	{ "  roaming_domains: [\"a b\"]\n", "roaming_domains" },
};

START_TEST(test_mistake)
{
	static const struct cfg_row *const schemas[] = { cfg_common_schema, pcscf_schema, NULL };
	struct cfg *cfg = NULL;
	struct buf errors, text;

	buf_init(&errors, 4096);
	buf_init(&text, 4096);
	buf_printf(&text, "domain: home\nsip: {listen: [\"udp:10.0.0.10:5060\"]}\naccess:\n%s", mistakes[_i].access);
	if (cfg_load_text(buf_str(&text), "file", schemas, &cfg, &errors) == 0)
		pcscf_config_check(cfg, &errors);
	ck_assert_msg(str_find(buf_str(&errors), str_from_c(mistakes[_i].says)) >= 0 && str_starts(buf_str(&errors), STR("file:")), "%s: %.*s",
		      mistakes[_i].access, STR_ARG(buf_str(&errors)));
	cfg_unref(cfg);
	buf_fini(&errors);
	buf_fini(&text);
}
END_TEST

TEST_MAIN("neighbour", TEST_ROWS(test_trusted, rows), TEST_ROWS(test_hop, hops), TEST_ONE(test_phone_among_trusted),
	  TEST_ROWS(test_mistake, mistakes))
