/* tests/scscf/test_giba.c - known by the address: TS 33.203 annex T, TS 24.229 §5.4.1.2.1E; RFC 3162 §2.3; row S5. */
#include <stdlib.h>
#include <string.h>
#include "scscf/giba.h"
#include "tests/scscf/reg_rig.h"

#define OCTETS(lit) { (lit), sizeof(lit) - 1 }
#define LEAST "plmn: {mcc: '001', mnc: '01'}\nsip: {listen: ['udp:127.0.31.30:6060']}\ndiameter: {identity: scscf.test}\n"
#define CORE LEAST "registrar: {giba: GIBA, giba_trusted: ['127.0.31.10', '127.0.31.20', '10.9.0.0/24', '2001:db8:c::/64']}\n"
#define PHONE "Via: SIP/2.0/UDP 10.1.2.3:5066;branch=z9hG4bKp\r\n"

static struct reg_rig r;
static struct rig_phone p;

static void begin(const char *address)
{
	rig_init(&r);
	phone_init(&p);
	r.cfg->giba = "GIBA";
	r.giba = address;
	p.no_authorization = true;
	p.extra = PHONE;
}

static void trust(const char *one)
{
	const struct cfg_row *const schemas[] = { cfg_common_schema, scscf_schema(), NULL };
	char text[256];
	struct cfg *c;
	struct buf e;

	snprintf(text, sizeof(text), LEAST "registrar: {giba_trusted: ['%s']}\n", one);
	buf_init(&e, 4096);
	ck_assert_int_eq(cfg_load_text(str_from_c(text), "t", schemas, &c, &e), 0);
	free(r.cfg->giba_trusted);
	r.cfg->giba_trusted = networks_new(cfg_root(c), "registrar.giba_trusted");
	cfg_unref(c);
	buf_fini(&e);
}

/* ---- where it came from ---- */

static const struct { const char *name, *neighbour, *vias; int rc; const char *source; } sources[] = {
	{ "the P-CSCF is our neighbour", "127.0.31.10", "127.0.31.10;branch=a|10.1.2.3:5060;branch=b", 0, "10.1.2.3" },
	{ "behind an I-CSCF", "127.0.31.20", "icscf.test;branch=a|pcscf.test;received=127.0.31.10|10.1.2.3", 0, "10.1.2.3" },
	{ "received counts, not sent-by", "127.0.31.10", "p.test|10.1.2.3;received=10.1.9.9", 0, "10.1.9.9" },
	{ "IPv6", "127.0.31.10", "p.test|ue.test;received=2001:db8::9", 0, "2001:db8::9" },
	{ "IPv6 as sent-by", "127.0.31.10", "p.test|[2001:db8::9]:5060;branch=z", 0, "2001:db8::9" },
	{ "a Via that the phone invented below its own", "127.0.31.10", "p.test|10.6.6.6;branch=b|10.1.2.3;branch=c", 0, "10.6.6.6" },
	{ "and one that names a node of ours", "127.0.31.10", "p.test|10.6.6.6|p.test;received=127.0.31.10|10.1.2.3", 0, "10.6.6.6" },
	{ "the phone itself", "10.1.2.3", "10.1.2.3|10.1.2.3", -EPERM, NULL },
	{ "a stranger that says what a P-CSCF would", "10.6.6.6", "p.test;received=127.0.31.10|10.1.2.3", -EPERM, NULL },
	{ "nobody below", "127.0.31.10", "127.0.31.10", -ENOENT, NULL },
	{ "nodes of ours only", "127.0.31.20", "i.test|p.test;received=10.9.0.7", -ENOENT, NULL },
	{ "a name without received", "127.0.31.10", "p.test|ue.test", -EBADMSG, NULL },
	{ "a name of a node without received", "127.0.31.20", "i.test|p.test|10.1.2.3", -EBADMSG, NULL },
	{ "no Via at all to read", "127.0.31.10", "p.test|;;", -EBADMSG, NULL },
};

START_TEST(test_source_row)
{
	const struct cfg_row *const schemas[] = { cfg_common_schema, scscf_schema(), NULL };
	struct str rest = str_from_c(sources[_i].vias), one;
	struct sip_flow flow = { .proto = SIP_UDP };
	struct sip_parse_error err;
	struct addr got = { 0 }, want;
	struct networks *trusted;
	struct sip_msg *m;
	struct cfg *c;
	struct buf b;
	int rc;

	buf_init(&b, 8192);
	ck_assert_msg(cfg_load_text(STR(CORE), "t", schemas, &c, &b) == 0, "%.*s", STR_ARG(buf_str(&b)));
	trusted = networks_new(cfg_root(c), "registrar.giba_trusted");
	ck_assert_int_eq(addr_parse(str_from_c(sources[_i].neighbour), 5060, &flow.remote), 0);
	buf_puts(&b, "REGISTER sip:h SIP/2.0\r\n");
	while (rest.l) {
		str_cut(rest, '|', &one, &rest);
		buf_printf(&b, "Via: SIP/2.0/UDP %.*s\r\n", STR_ARG(one));
	}
	buf_puts(&b, "From: <sip:a@h>;tag=f\r\nTo: <sip:a@h>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n");
	ck_assert_msg(sip_msg_parse_copy(buf_str(&b), &flow, &m, &err) == 0, "%s: %s", sources[_i].name, err.why);
	rc = giba_source(m, trusted, &got);
	ck_assert_msg(rc == sources[_i].rc, "%s: %d", sources[_i].name, rc);
	if (rc == 0) {
		ck_assert_int_eq(addr_parse(str_from_c(sources[_i].source), 0, &want), 0);
		ck_assert_msg(addr_host_eq(&got, &want), "%s", sources[_i].name);
	}
	sip_msg_unref(m);
	free(trusted);
	cfg_unref(c);
	buf_fini(&b);
}
END_TEST

/* ---- what the HSS says ---- */

#define P64 "\0\x40\x20\x01\x0d\xb8\0\x01\0\x02"
static const struct { const char *name; struct str ip4, ip6, interface; const char *phone; bool good, is; } addresses[] = {
	{ "IPv4", OCTETS("\x0a\x01\x02\x03"), { 0 }, { 0 }, "10.1.2.3", true, true },
	{ "another IPv4", OCTETS("\x0a\x01\x02\x03"), { 0 }, { 0 }, "10.1.2.4", true, false },
	{ "IPv6 of that prefix", { 0 }, OCTETS(P64), { 0 }, "2001:db8:1:2::77", true, true },
	{ "IPv6 of the next prefix", { 0 }, OCTETS(P64), { 0 }, "2001:db8:1:3::77", true, false },
	{ "with its interface identifier", { 0 }, OCTETS(P64), OCTETS("\0\0\0\0\0\0\0\x77"), "2001:db8:1:2::77", true, true },
	{ "another interface", { 0 }, OCTETS(P64), OCTETS("\0\0\0\0\0\0\0\x78"), "2001:db8:1:2::77", true, false },
	{ "both, by IPv4", OCTETS("\x0a\x01\x02\x03"), OCTETS(P64), { 0 }, "10.1.2.3", true, true },
	{ "both, by IPv6", OCTETS("\x0a\x01\x02\x03"), OCTETS(P64), { 0 }, "2001:db8:1:2::1", true, true },
	{ "nothing", { 0 }, { 0 }, { 0 }, NULL, false, false },
	{ "0.0.0.0", OCTETS("\0\0\0\0"), { 0 }, { 0 }, NULL, false, false },
	{ "to be chosen by the access", OCTETS("\xff\xff\xff\xfe"), { 0 }, { 0 }, NULL, false, false },
	{ "five octets", OCTETS("\x0a\x01\x02\x03\x04"), { 0 }, { 0 }, NULL, false, false },
	{ "a prefix of everybody", { 0 }, OCTETS("\0\0"), { 0 }, NULL, false, false },
	{ "a prefix that is cut", { 0 }, OCTETS("\0\x40\x20\x01\x0d\xb8\0\x01\0"), { 0 }, NULL, false, false },
	{ "a prefix of 129 bits", { 0 }, OCTETS("\0\x81" "0123456789abcdef0"), { 0 }, NULL, false, false },
	{ "one octet", { 0 }, OCTETS("\0"), { 0 }, NULL, false, false },
};

START_TEST(test_address_row)
{
	struct cx_auth_item it = { .framed_ip = addresses[_i].ip4, .framed_ip6 = addresses[_i].ip6, .framed_interface = addresses[_i].interface };
	struct giba_address known;
	struct addr phone;

	ck_assert_msg(giba_read(&it, &known) == addresses[_i].good, "%s", addresses[_i].name);
	if (!addresses[_i].phone)
		return;
	ck_assert_int_eq(addr_parse(str_from_c(addresses[_i].phone), 5060, &phone), 0);
	ck_assert_msg(giba_is(&known, &phone) == addresses[_i].is, "%s", addresses[_i].name);
}
END_TEST

/* ---- REGISTER ---- */

START_TEST(test_registers_by_its_address_S5)
{
	begin("10.1.2.3");
	trust("127.0.31.10");
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.scheme, "GIBA");
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	ck_assert(rig_has(&r, "Service-Route: ") && rig_has(&r, "P-Associated-URI: "));
	ck_assert_uint_eq(phone_send(&r, &p), 200);		/* the address is kept: no second MAR */
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	r.giba = "10.1.2.4";					/* a new bearer: the HSS is asked again */
	p.extra = "Via: SIP/2.0/UDP 10.1.2.4:5066;branch=z9hG4bKq\r\n";
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR SAR1 MAR ");
	p.expires = 0;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR SAR1 MAR SAR5 ");
	rig_fini(&r);
}
END_TEST

START_TEST(test_another_address_is_refused_S5)
{
	begin("10.1.2.3");
	trust("127.0.31.10");
	p.extra = "Via: SIP/2.0/UDP 10.1.2.3:5066;received=10.6.6.6;branch=z9hG4bKp\r\n";
	ck_assert_uint_eq(phone_send(&r, &p), 403);
	ck_assert_str_eq(r.cx, "MAR SAR9 ");			/* the HSS is told */
	p.extra = PHONE;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	p.extra = "Via: SIP/2.0/UDP 10.6.6.6:5066;branch=z9hG4bKp\r\n" PHONE;
	ck_assert_uint_eq(phone_send(&r, &p), 403);		/* the registration stands */
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	p.expires = 0;
	ck_assert_uint_eq(phone_send(&r, &p), 403);
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name; bool off; const char *hss, *trusted; bool credentials; const char *cx, *scheme; } challenged[] = {
	{ "switched off", true, "10.1.2.3", "127.0.31.10", false, "MAR ", "Unknown" },
	{ "the HSS has none", false, NULL, "127.0.31.10", false, "MAR MAR ", "Unknown" },
	{ "nobody vouches", false, "10.1.2.3", "127.0.31.99", false, "MAR ", "Unknown" },
	{ "every Via is a node's", false, "10.1.2.3", "0.0.0.0/0", false, "MAR ", "Unknown" },
	{ "it has credentials", false, "10.1.2.3", "127.0.31.10", true, "MAR ", "Unknown" },
};

START_TEST(test_challenged_row)
{
	begin(challenged[_i].hss);
	trust(challenged[_i].trusted);
	if (challenged[_i].off)
		r.cfg->giba = NULL;
	p.no_authorization = !challenged[_i].credentials;
	ck_assert_msg(phone_send(&r, &p) == 401, "%s: %u", challenged[_i].name, r.status);
	ck_assert_msg(strcmp(r.cx, challenged[_i].cx) == 0, "%s: %s", challenged[_i].name, r.cx);
	ck_assert_msg(strcmp(r.scheme, challenged[_i].scheme) == 0, "%s: %s", challenged[_i].name, r.scheme);
	p.no_authorization = false;
	ck_assert_int_eq(phone_solve(&r, &p), 0);
	ck_assert_msg(phone_send(&r, &p) == 200, "%s: %u", challenged[_i].name, r.status);
	rig_fini(&r);
}
END_TEST

/* A HSS that does not look at the scheme (PyHSS) gives vectors: the phone is challenged. */
START_TEST(test_hss_gives_vectors_all_the_same_S5)
{
	begin("10.1.2.3");
	trust("127.0.31.10");
	r.hold = true;
	phone_send(&r, &p);
	ck_assert_str_eq(r.scheme, "GIBA");
	snprintf(r.scheme, sizeof(r.scheme), "other");
	r.hold = false;
	rig_run(&r, 0);
	ck_assert_uint_eq(r.status, 401);
	ck_assert_str_eq(r.cx, "MAR ");
	rig_fini(&r);
}
END_TEST

static unsigned n_mars(void)
{
	unsigned n = 0;

	for (const char *s = r.cx; (s = strstr(s, "MAR")); s++)
		n++;
	return n;
}

/* SEC-10: a flood of REGISTERs costs the HSS one question, whatever it says. */
START_TEST(test_asked_once_no_address_S5)
{
	begin(NULL);
	trust("127.0.31.10");
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(phone_send(&r, &p), 401);
		ck_assert_str_eq(r.cx, "MAR MAR ");
	}
	rig_run(&r, r.cfg->challenge_reuse_s * 1000 + 1);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert_uint_gt(n_mars(), 2);
	rig_fini(&r);
}
END_TEST

START_TEST(test_asked_once_vectors_S5)
{
	begin("10.1.2.3");
	trust("127.0.31.10");
	r.hold = true;
	phone_send(&r, &p);
	snprintf(r.scheme, sizeof(r.scheme), "other");
	r.hold = false;
	rig_run(&r, 0);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(phone_send(&r, &p), 401);
		ck_assert_str_eq(r.cx, "MAR ");
	}
	rig_fini(&r);
}
END_TEST

START_TEST(test_asked_once_another_address_S5)
{
	begin("10.1.2.3");
	trust("127.0.31.10");
	p.extra = "Via: SIP/2.0/UDP 10.6.6.6:5066;branch=z9hG4bKp\r\n";
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(phone_send(&r, &p), 403);
		ck_assert_str_eq(r.cx, "MAR SAR9 ");
	}
	p.extra = "Via: SIP/2.0/UDP 10.7.7.7:5066;branch=z9hG4bKp\r\n";	/* it may be true a moment later */
	ck_assert_uint_eq(phone_send(&r, &p), 503);
	ck_assert(rig_has(&r, "Retry-After: "));
	ck_assert_str_eq(r.cx, "MAR SAR9 ");
	rig_run(&r, r.cfg->challenge_reuse_s * 1000 + 1);
	ck_assert(!rig_registration(&r));			/* nothing is kept longer */
	ck_assert_uint_eq(phone_send(&r, &p), 403);
	ck_assert_str_eq(r.cx, "MAR SAR9 MAR SAR9 ");
	p.extra = PHONE;
	ck_assert_uint_eq(phone_send(&r, &p), 200);		/* what the HSS said counts */
	ck_assert_str_eq(r.cx, "MAR SAR9 MAR SAR9 SAR1 ");
	rig_run(&r, r.cfg->challenge_reuse_s * 1000 + 1);
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_the_hss_is_silent_S5)
{
	begin("10.1.2.3");
	trust("127.0.31.10");
	r.maa = (struct dia_result){ .err = -ETIMEDOUT };
	ck_assert_uint_eq(phone_send(&r, &p), 504);
	ck_assert(!rig_registration(&r));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("giba", TEST_ROWS(test_source_row, sources), TEST_ROWS(test_address_row, addresses), TEST_ONE(test_registers_by_its_address_S5),
	  TEST_ONE(test_another_address_is_refused_S5), TEST_ROWS(test_challenged_row, challenged),
	  TEST_ONE(test_hss_gives_vectors_all_the_same_S5), TEST_ONE(test_the_hss_is_silent_S5),
	  TEST_ONE(test_asked_once_no_address_S5), TEST_ONE(test_asked_once_vectors_S5), TEST_ONE(test_asked_once_another_address_S5))
