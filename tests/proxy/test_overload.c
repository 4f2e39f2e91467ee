/* tests/proxy/test_overload.c - next hops that asked for less: RFC 7339 §5.5 to §5.10; row C18. */
#include <stdio.h>
#include "common/proxy/private.h"
#include "tests/proxy/rig.h"

static struct rig r;

static bool may_hold(void *u, const struct sip_msg *m)
{
	(void)u;
	return m->to_tag.l == 0;
}

static void begin(const char *target)
{
	rig_init(&r);
	r.pl->env.may_hold = may_hold;
	r.targets[0] = target;
	r.n_targets = 1;
}

static void said(const char *host, const char *params)
{
	struct sip_flow f = { .proto = SIP_UDP };
	struct sip_via v;
	char text[256];

	snprintf(text, sizeof(text), "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKo%s", params);
	ck_assert_int_eq(sip_via_parse(str_from_c(text), &v), 0);
	ck_assert_int_eq(addr_parse(str_from_c(host), 5060, &f.remote), 0);
	proxy_oc_heard(r.pl, &f, &v);
}

static unsigned held_of(unsigned n, const char *host)
{
	struct sip_flow f = { .proto = SIP_UDP };
	struct sip_msg m = { .request = true, .method = SIP_MESSAGE };
	unsigned held = 0;

	ck_assert_int_eq(addr_parse(str_from_c(host), 5060, &f.remote), 0);
	while (n--)
		held += proxy_oc_holds(r.pl, &f, &m);
	return held;
}

START_TEST(test_offer)		/* §5.1: in every Via toward the core */
{
	struct str value;

	begin("sip:x@n1");
	rig_request(&r, "MESSAGE", "sip:bob@b", "");
	ck_assert(sip_param_get(rig_req(&r, "MESSAGE", 0)->m->via.params, "oc", &value) && value.l == 0);
	ck_assert(sip_param_get(rig_req(&r, "MESSAGE", 0)->m->via.params, "oc-algo", &value));
	ck_assert(str_eq_c(value, "\"loss\""));
	rig_fini(&r);
}
END_TEST

START_TEST(test_held)		/* and it is told when to come again, which an unreachable next hop would not say */
{
	begin("sip:x@n1");
	said("10.0.0.1", ";oc=100;oc-algo=\"loss\"");
	rig_request(&r, "MESSAGE", "sip:bob@b", "");
	ck_assert_str_eq(rig_down(&r), "");
	ck_assert_str_eq(rig_up(&r), "503");
	ck_assert_uint_gt(sip_msg_value(rig_last_up(&r), SIP_H_RETRY_AFTER).l, 0);
	ck_assert_str_eq(r.resolver_failed, "");	/* it is not held unavailable */
	rig_fini(&r);
}
END_TEST

START_TEST(test_other_address)
{
	begin("sip:x@n12");
	said("10.0.0.1", ";oc=100;oc-algo=\"loss\"");
	rig_request(&r, "MESSAGE", "sip:bob@b", "");
	ck_assert_str_eq(rig_down(&r), "MESSAGE@10.0.0.2");
	ck_assert_str_eq(r.resolver_failed, "");
	rig_fini(&r);
}
END_TEST

START_TEST(test_what_goes)	/* what may not be held goes */
{
	begin("sip:x@n1");
	said("10.0.0.1", ";oc=100;oc-algo=\"loss\"");
	rig_in(&r, "BYE sip:bob@b SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.99;branch=z9hG4bKbye\nMax-Forwards: 70\nFrom: <sip:a@a>;tag=1\n"
		   "To: <sip:b@b>;tag=2\nCall-ID: bye\nCSeq: 2 BYE\n");
	ck_assert_str_eq(rig_down(&r), "BYE@10.0.0.1");
	rig_fini(&r);
}
END_TEST

START_TEST(test_loss)		/* about so many; only there; only as long as it is valid; the latest word counts */
{
	unsigned n;

	begin("sip:x@n1");
	said("10.0.0.1", ";oc=30;oc-algo=\"loss\";oc-validity=1000;oc-seq=10.0");
	n = held_of(10000, "10.0.0.1");
	ck_assert_uint_ge(n, 2700);
	ck_assert_uint_le(n, 3300);
	ck_assert_uint_eq(held_of(1000, "10.0.0.2"), 0);
	said("10.0.0.1", ";oc=100;oc-algo=\"loss\";oc-seq=9.9");		/* overtaken */
	ck_assert_uint_lt(held_of(1000, "10.0.0.1"), 500);
	said("10.0.0.1", ";oc;oc-algo=\"loss\"");				/* says nothing: as before */
	ck_assert_uint_gt(held_of(1000, "10.0.0.1"), 0);
	rig_run(&r, 1000);
	ck_assert_uint_eq(held_of(1000, "10.0.0.1"), 0);
	said("10.0.0.1", ";oc=50;oc-algo=\"loss\";oc-seq=11.0");
	ck_assert_uint_gt(held_of(1000, "10.0.0.1"), 0);
	said("10.0.0.1", ";oc=0;oc-algo=\"loss\";oc-seq=12.0");
	ck_assert_uint_eq(held_of(1000, "10.0.0.1"), 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_bound)
{
	char host[32];

	begin("sip:x@n1");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "10.1.%u.%u", i / 250, i % 250);
		said(host, ";oc=100;oc-algo=\"loss\"");
		ck_assert_uint_eq(held_of(1, host), 1);
	}
	ck_assert_uint_eq(r.pl->n_peers, PROXY_MAX_PEERS);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("proxy overload", TEST_ONE(test_offer), TEST_ONE(test_held), TEST_ONE(test_other_address), TEST_ONE(test_what_goes),
	  TEST_ONE(test_loss), TEST_ONE(test_bound))
