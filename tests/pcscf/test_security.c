/* tests/pcscf/test_security.c - the security agreement from the first REGISTER to the last answer, message by message, with a kernel
 * whose table is held against a model: TS 33.203 §7; RFC 3329; TS 24.229 §5.2.2; rows P3 to P6, P13, P14, X2, X3, X5; S2 S3 S5 S6 S7 S8
 * S9; features.md part D rows 2 7 10 13 16 20 21 23 24 25 27 28 29. */
#include <errno.h>
#include <string.h>
#include "common/metrics/metrics.h"
#include "tests/pcscf/rig.h"

#define WHO "From: <sip:alice@home>;tag=r\nTo: <sip:alice@home>\n"
#define CLEAR "udp:10.9.0.1:5060>10.0.0.10:5060"
#define AKA "Authorization: Digest username=\"alice@home\",realm=\"home\",nonce=\"n\",uri=\"sip:home\",algorithm=AKAv1-MD5,response=\"abc\"\n"
#define EMPTY "Authorization: Digest username=\"alice@home\",realm=\"home\",nonce=\"\",uri=\"sip:home\",response=\"\"\n"
#define CHALLENGE "WWW-Authenticate: Digest realm=\"home\",nonce=\"n\",algorithm=AKAv1-MD5," \
	"ck=\"00112233445566778899aabbccddeeff\",ik=\"ffeeddccbbaa99887766554433221100\"\n"
#define OFFER(c, s, pc, ps) "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;spi-c=" c ";spi-s=" s ";port-c=" pc ";port-s=" ps

struct phone {				/* as far as it has agreed */
	struct rig *r;
	unsigned n;			/* of its agreements: other SPIs and another client port each */
	char client[512], verify[2048];
	char flow[80], at[40];		/* its client port to our server port; and how an answer finds it */
	unsigned us_s, us_c;		/* our ports */
};

static unsigned port_in(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	ck_assert_msg(at != NULL, "%s in %s", name, text);
	return (unsigned)strtoul(at + strlen(name), NULL, 10);
}

static void next_offer(struct phone *p)
{
	unsigned n = p->n++;

	snprintf(p->client, sizeof(p->client), "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;spi-c=%u;spi-s=%u;port-c=%u;port-s=6001",
		 1000 + 2 * n, 1001 + 2 * n, 6010 + n);
}

static void contact(char dst[128], unsigned expires)
{
	snprintf(dst, 128, "Contact: <sip:alice@10.9.0.1:6001>;expires=%u\n", expires);
}

static void send_register(struct phone *p, const char *from, const char *auth, const char *client, const char *verify, unsigned expires)
{
	char extra[8192], c[128];

	contact(c, expires);
	snprintf(extra, sizeof(extra), "%s%sRequire: sec-agree\nProxy-Require: sec-agree\n%s%s%s%s%s%s", c, auth, client ? "Security-Client: " : "",
		 client ? client : "", client ? "\n" : "", verify ? "Security-Verify: " : "", verify ? verify : "", verify ? "\n" : "");
	rig_request_as(p->r, from, "REGISTER", "sip:home", WHO, "reg", extra);
}

/* The core's challenge, and what the phone learns from it. */
static void challenged(struct phone *p, const char *where)
{
	struct rig_sent *s = rig_expect(p->r, "REGISTER", DOOR);

	rig_reply(p->r, s, 401, CHALLENGE);
	rig_run(p->r, 0);
	s = rig_expect_status(p->r, 401, where);
	ck_assert(!rig_contains(s, "00112233") && !rig_contains(s, "ffeeddcc"));	/* R7 */
	snprintf(p->verify, sizeof(p->verify), "%s", rig_hdr(s, "Security-Server"));
	p->us_s = port_in(p->verify, "port-s=");
	p->us_c = port_in(p->verify, "port-c=");
	snprintf(p->flow, sizeof(p->flow), "udp:10.9.0.1:%u>10.0.0.10:%u", port_in(p->client, "port-c="), p->us_s);
	snprintf(p->at, sizeof(p->at), "udp:10.9.0.1:%u", port_in(p->client, "port-c="));
}

static void accept_with(struct phone *p, struct rig_sent *s, unsigned expires, const char *where)
{
	char extra[512], c[128];

	contact(c, expires);
	snprintf(extra, sizeof(extra), "%sService-Route: <sip:orig@10.0.0.30:6060;lr>\nP-Associated-URI: <sip:alice@home>\n", c);
	rig_reply(p->r, s, 200, extra);
	rig_expect_status(p->r, 200, where);
}

/* The first registration of a phone.  Its Via names its client port, so answers go back there from our server port. */
static void registered(struct phone *p, struct rig *r, unsigned expires)
{
	*p = (struct phone){ .r = r };
	next_offer(p);
	send_register(p, CLEAR, EMPTY, p->client, NULL, expires);
	challenged(p, "udp:10.9.0.1:5060");
	send_register(p, p->flow, AKA, p->client, p->verify, expires);
	accept_with(p, rig_expect(r, "REGISTER", DOOR), expires, p->at);
}

/* With a challenge: new associations. */
static void reregistered(struct phone *p, unsigned expires)
{
	char old_flow[80], old_verify[2048], old_at[40];

	snprintf(old_at, sizeof(old_at), "%s", p->at);
	snprintf(old_flow, sizeof(old_flow), "%s", p->flow);
	snprintf(old_verify, sizeof(old_verify), "%s", p->verify);
	next_offer(p);
	send_register(p, old_flow, EMPTY, p->client, old_verify, expires);
	challenged(p, old_at);
	send_register(p, p->flow, AKA, p->client, p->verify, expires);
	accept_with(p, rig_expect(p->r, "REGISTER", DOOR), expires, p->at);
}

/* ---- S2 ---- */

static const struct { const char *name; char header; const char *find, *put; } altered[] = {
	{ "unaltered", 'V', NULL, NULL },
	{ "verify: alg", 'V', "alg=hmac-sha-1-96", "alg=hmac-md5-96" }, { "verify: ealg", 'V', "ealg=aes-cbc", "ealg=null" },
	{ "verify: ealg left out", 'V', ";ealg=aes-cbc", "" }, { "verify: spi-c", 'V', "spi-c=", "spi-c=1" },
	{ "verify: spi-s", 'V', "spi-s=", "spi-s=1" }, { "verify: port-c", 'V', "port-c=51", "port-c=52" },
	{ "verify: port-s", 'V', "port-s=51", "port-s=52" }, { "verify: q", 'V', "q=0.9", "q=0.7" },
	{ "verify: mechanism", 'V', "ipsec-3gpp", "tls" }, { "verify: mode", 'V', ";alg", ";mod=UDP-enc-tun;alg" },
	{ "verify: protocol", 'V', ";alg", ";prot=ah;alg" }, { "verify: the better one is gone", 'V', "ipsec-3gpp;q=0.9", "x;q=0.9" },
	{ "verify: one more", 'V', "ipsec-3gpp", "ipsec-3gpp;alg=null;ealg=aes-gcm;spi-c=300;spi-s=301;port-c=1;port-s=2, ipsec-3gpp" },
	{ "verify: none", 'v', NULL, NULL },
	{ "client: alg", 'C', "alg=hmac-sha-1-96", "alg=hmac-md5-96" }, { "client: ealg", 'C', "ealg=aes-cbc", "ealg=null" },
	{ "client: spi-c", 'C', "spi-c=", "spi-c=1" }, { "client: spi-s", 'C', "spi-s=", "spi-s=1" },
	{ "client: port-c", 'C', "port-c=60", "port-c=61" }, { "client: port-s", 'C', "port-s=60", "port-s=61" },
	{ "client: one more", 'C', "ipsec-3gpp", "ipsec-3gpp;alg=null;ealg=aes-gcm;spi-c=300;spi-s=301;port-c=1;port-s=2, ipsec-3gpp" },
	{ "client: one unknown more", 'C', "ipsec-3gpp", "tls, ipsec-3gpp" }, { "client: none", 'c', NULL, NULL },
};

static void alter(const char *in, const char *find, const char *put, char dst[4096])
{
	const char *at = strstr(in, find);

	ck_assert_msg(at != NULL, "%s in %s", find, in);
	snprintf(dst, 4096, "%.*s%s%s", (int)(at - in), in, put, at + strlen(find));
}

/* TR 33.926 annex O.2: each field alone ends the registration, and what was made for it is gone a second later. */
START_TEST(test_altered)
{
	char text[4096], header = altered[_i].header;
	struct phone p = { 0 };
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	p.r = &r;
	next_offer(&p);
	send_register(&p, CLEAR, EMPTY, p.client, NULL, 600);
	challenged(&p, "udp:10.9.0.1:5060");
	ck_assert_uint_eq(r.kernel.n, 1);
	if (altered[_i].find)
		alter(header == 'V' ? p.verify : p.client, altered[_i].find, altered[_i].put, text);
	send_register(&p, p.flow, AKA, header == 'c' ? NULL : header == 'C' ? text : p.client,
		      header == 'v' ? NULL : header == 'V' && altered[_i].find ? text : p.verify, 600);
	if (!altered[_i].find && header == 'V') {
		struct rig_sent *s = rig_expect(&r, "REGISTER", DOOR);

		ck_assert(rig_contains(s, "integrity-protected=\"yes\""));	/* P2 */
		accept_with(&p, s, 600, p.at);
		rig_run(&r, 1000);
		ck_assert_uint_eq(r.kernel.n, 1);
	} else {
		struct rig_sent *s = rig_next(&r);

		ck_assert_msg(!s->m->request && s->m->status == 403, "%s: %.*s", altered[_i].name, STR_ARG(bytes_str(s->wire)));
		ck_assert(addr_port(&s->to.local) == p.us_s && addr_port(&s->to.remote) == 6010);	/* still protected */
		rig_none(&r);
		rig_run(&r, 1000);
		ck_assert_msg(r.kernel.n == 0, "%s: the set is left", altered[_i].name);
		send_register(&p, p.flow, AKA, p.client, p.verify, 600);	/* the right one comes too late */
		rig_none(&r);
	}
	rig_fini(&r);
}
END_TEST

/* ---- policy ---- */

#define PAIR OFFER("1000", "1001", "6010", "6001")
#define LISTENERS "{policy: require, listeners: {\"tcp:10.0.0.10:5060\": prefer}}"
#define OPEN "{policy: require, listeners: {\"udp:10.0.0.10:5060\": \"off\"}}"
static const struct { const char *name, *ipsec, *from, *auth, *client, *agree; unsigned status; const char *hdr, *want; } policies[] = {
	{ "require: an offer", "{policy: require}", CLEAR, EMPTY, PAIR, "Require", 0, NULL, NULL },
	{ "require: nothing (row 21)", "{policy: require}", CLEAR, EMPTY, NULL, NULL, 421, "Require", "sec-agree" },
	{ "require: an offer that is none", "{policy: require}", CLEAR, EMPTY, "tls", "Require", 494, "Security-Server", "ipsec-3gpp" },
	{ "require: only old algorithms", "{policy: require}", CLEAR, EMPTY,
	  "ipsec-3gpp;alg=hmac-md5-96;ealg=des-ede3-cbc;spi-c=1000;spi-s=1001;port-c=1;port-s=2", "Require", 494, "Security-Server", "aes-cbc" },
	{ "require: Supported alone", "{policy: require}", CLEAR, EMPTY, NULL, "Supported", 494, "Security-Server", "q=0.9" },
	{ "require: answered in clear (row 23)", "{policy: require}", CLEAR, AKA, PAIR, "Require", 403, NULL, NULL },
	{ "prefer: nothing (row 21)", "{policy: prefer}", CLEAR, EMPTY, NULL, NULL, 0, NULL, NULL },
	{ "prefer: answered in clear", "{policy: prefer}", CLEAR, AKA, NULL, NULL, 0, NULL, NULL },
	{ "prefer: asks and offers nothing of use", "{policy: prefer}", CLEAR, EMPTY, "tls", "Require", 494, "Security-Server", "ipsec-3gpp" },
	{ "another listener: prefer", LISTENERS, "tcp:10.9.0.1:5060>10.0.0.10:5060", EMPTY, NULL, NULL, 0, NULL, NULL },
	{ "another listener: off", OPEN, CLEAR, EMPTY, PAIR, "Require", 0, NULL, NULL },
	{ "the rest: require", LISTENERS, CLEAR, EMPTY, NULL, NULL, 421, "Security-Server", "ipsec-3gpp" },
	{ "TLS needs none", "{policy: require}", "tls:10.9.0.1:5061>10.0.0.10:5061", EMPTY, NULL, NULL, 0, NULL, NULL },
	{ "an option nobody knows (R11)", "{policy: require}", CLEAR, EMPTY, PAIR, "Proxy-Require: magic\nRequire", 420, "Unsupported", "magic" },
};

START_TEST(test_policy_row)
{
	char extra[2048], c[128];
	struct rig_sent *s;
	struct rig r;

	rig_init_ipsec(&r, policies[_i].ipsec, NULL);
	contact(c, 600);
	snprintf(extra, sizeof(extra), "%s%s%s%s%s%s%s%s", c, policies[_i].auth, policies[_i].agree ? policies[_i].agree : "",
		 policies[_i].agree ? ": sec-agree\n" : "", policies[_i].client ? "Security-Client: " : "",
		 policies[_i].client ? policies[_i].client : "", policies[_i].client ? "\n" : "", "X: y\n");
	rig_request_as(&r, policies[_i].from, "REGISTER", "sip:home", WHO, "reg", extra);
	s = rig_next(&r);
	if (!policies[_i].status) {
		ck_assert_msg(s->m->request && !strcmp(s->where, DOOR), "%s: %.*s", policies[_i].name, STR_ARG(bytes_str(s->wire)));
		ck_assert(!rig_contains(s, "sec-agree") && !rig_contains(s, "Security-"));
		ck_assert(!rig_contains(s, "integrity-protected=\"yes\""));		/* S3 */
	} else {
		ck_assert_msg(!s->m->request && s->m->status == policies[_i].status, "%s: %.*s", policies[_i].name, STR_ARG(bytes_str(s->wire)));
		if (policies[_i].hdr)
			ck_assert_msg(strstr(rig_hdr(s, policies[_i].hdr), policies[_i].want) != NULL, "%s: %s", policies[_i].name,
				      rig_hdr(s, policies[_i].hdr));
	}
	ck_assert_uint_eq(r.kernel.n, 0);
	rig_fini(&r);
}
END_TEST

/* Row 23 of part D: it agrees, and answers in clear on 5060 all the same.  prefer: it may, and the set goes; require: 403. */
START_TEST(test_clear_retry_row_23)
{
	struct phone p = { 0 };
	struct rig_sent *s;
	struct rig r;

	rig_init_ipsec(&r, _i ? "{policy: require}" : "{policy: prefer}", NULL);
	p.r = &r;
	next_offer(&p);
	send_register(&p, CLEAR, EMPTY, p.client, NULL, 600);
	challenged(&p, "udp:10.9.0.1:5060");
	send_register(&p, CLEAR, AKA, p.client, p.verify, 600);
	if (_i) {
		rig_expect_status(&r, 403, "udp:10.9.0.1:5060");
		rig_run(&r, 240000);			/* the set waits for who it was made for */
	} else {
		s = rig_expect(&r, "REGISTER", DOOR);
		ck_assert(!rig_contains(s, "integrity-protected=\"yes\""));
		accept_with(&p, s, 600, "udp:10.9.0.1:5060");
		rig_run(&r, 5000);
	}
	ck_assert_uint_eq(r.kernel.n, 0);
	/* one that is protected may not */
	if (!_i) {
		registered(&p, &r, 600);
		send_register(&p, CLEAR, AKA, p.client, p.verify, 600);
		rig_expect_status(&r, 403, "udp:10.9.0.1:5060");
		ck_assert_uint_eq(r.kernel.n, 1);
	}
	rig_fini(&r);
}
END_TEST

/* ---- SEC-01: what anybody on the way can read or change is refused unless asked for, and counted ---- */

static long weak(const char *kind)
{
	char name[128];

	snprintf(name, sizeof(name), "cscf_pcscf_weak_registrations_total{kind=\"%s\"}", kind);
	return rig_metric(name);
}

/* Without a word about policy or algorithms: nobody in clear, nobody whose packets are not encrypted. */
START_TEST(test_weak_is_refused)
{
	struct phone p = { 0 };
	struct rig r;

	rig_init_ipsec(&r, "{spis: 1024}", NULL);
	p.r = &r;
	rig_request_as(&r, CLEAR, "REGISTER", "sip:home", WHO, "reg", "Contact: <sip:alice@10.9.0.1:6001>\n");
	rig_expect_status(&r, 421, "udp:10.9.0.1:5060");
	send_register(&p, CLEAR, EMPTY, "ipsec-3gpp;alg=hmac-sha-1-96;ealg=null;spi-c=1000;spi-s=1001;port-c=6010;port-s=6001", NULL, 600);
	rig_expect_status(&r, 494, "udp:10.9.0.1:5060");
	ck_assert_uint_eq(r.kernel.n, 0);
	rig_fini(&r);
}
END_TEST

/* Where the operator wants them: each is counted, for an alarm. */
START_TEST(test_weak_is_counted)
{
	long clear = weak("clear"), null = weak("null");
	struct phone p = { 0 };
	struct rig r;
	char path[256];

	rig_init_ipsec(&r, "{policy: prefer, allow_null: true, algorithms: [hmac-sha-1-96/null]}", NULL);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	ck_assert_int_eq(weak("clear"), clear + 1);
	ck_assert_int_eq(weak("null"), null);
	p.r = &r;
	snprintf(p.client, sizeof(p.client), "ipsec-3gpp;alg=hmac-sha-1-96;ealg=null;spi-c=1000;spi-s=1001;port-c=6010;port-s=6001");
	send_register(&p, CLEAR, EMPTY, p.client, NULL, 600);
	challenged(&p, "udp:10.9.0.1:5060");
	send_register(&p, p.flow, AKA, p.client, p.verify, 600);
	accept_with(&p, rig_expect(&r, "REGISTER", DOOR), 600, p.at);
	ck_assert_int_eq(weak("null"), null + 1);
	ck_assert_int_eq(weak("clear"), clear + 1);
	rig_fini(&r);
	rig_init(&r, NULL, 1);			/* no access.ipsec at all */
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	ck_assert_int_eq(weak("clear"), clear + 2);
	rig_fini(&r);
}
END_TEST

/* ---- a NAT between: TS 33.203 annex M, TS 24.229 §F.2; row P23 ---- */

/* A REGISTER whose Via says another address than its source. */
static void register_from(struct phone *p, const char *from, const char *via_host, const char *contact_host, const char *auth, const char *verify)
{
	static unsigned n;
	char text[8192];

	snprintf(text, sizeof(text), "REGISTER sip:home SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKnat%u;rport\nMax-Forwards: 70\n" WHO
		 "Call-ID: nat\nCSeq: %u REGISTER\nContact: <sip:alice@%s:6001>;expires=600\n%sRequire: sec-agree\nProxy-Require: sec-agree\n"
		 "Security-Client: %s\n%s%s%s", via_host, n, n + 1, contact_host, auth, p->client, verify ? "Security-Verify: " : "",
		 verify ? verify : "", verify ? "\n" : "");
	n++;
	rig_in(p->r, from, text);
}

static const struct { const char *name, *via, *ipsec, *offer; unsigned status; const char *mode; uint16_t udp; } nats[] = {
	{ "no NAT: trans, though both are offered", "10.9.0.1:5060", "{policy: require}", "both", 401, "mod=trans", 0 },
	{ "a NAT, and both are offered", "192.168.7.2:5060", "{policy: require}", "both", 401, "mod=UDP-enc-tun", 4500 },
	{ "another port of ours", "192.168.7.2:5060", "{policy: require, nat_port: 4501}", "both", 401, "mod=UDP-enc-tun", 4501 },
	{ "a NAT, and the phone does not know how", "192.168.7.2:5060", "{policy: require}", "trans", 494, "mod=UDP-enc-tun", 0 },
	{ "the same where it is only preferred", "192.168.7.2:5060", "{policy: prefer}", "trans", 494, "mod=UDP-enc-tun", 0 },
	{ "no NAT, and it offers that alone", "10.9.0.1:5060", "{policy: require}", "udp", 494, "mod=trans", 0 },
	{ "switched off", "192.168.7.2:5060", "{policy: require, nat_port: 0}", "both", 401, "mod=trans", 0 },
	{ "a name says nothing", "phone.example", "{policy: require}", "both", 401, "mod=trans", 0 },
	{ "nor does no address", "0.0.0.0", "{policy: require}", "both", 401, "mod=trans", 0 },
};

START_TEST(test_nat_row)
{
	struct phone p = { 0 };
	struct rig_sent *s;
	struct rig r;
	bool trans = strcmp(nats[_i].offer, "udp") != 0, udp = strcmp(nats[_i].offer, "trans") != 0;

	rig_init_ipsec(&r, nats[_i].ipsec, NULL);
	p.r = &r;
	snprintf(p.client, sizeof(p.client), "%s%s%s", trans ? OFFER("1000", "1001", "6010", "6001") ";mod=trans" : "", trans && udp ? ", " : "",
		 udp ? OFFER("1000", "1001", "6010", "6001") ";mod=UDP-enc-tun" : "");
	register_from(&p, CLEAR, nats[_i].via, "192.168.7.2", EMPTY, NULL);
	if (nats[_i].status == 401) {
		rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 401, CHALLENGE);
		rig_run(&r, 0);
	}
	s = rig_expect_status(&r, nats[_i].status, "udp:10.9.0.1:5060");
	ck_assert_msg(strstr(rig_hdr(s, "Security-Server"), nats[_i].mode) != NULL, "%s: %s", nats[_i].name, rig_hdr(s, "Security-Server"));
	ck_assert_msg(r.kernel.n == (nats[_i].status == 401) && (!r.kernel.n || r.kernel.set[0].encap_us == nats[_i].udp), "%s", nats[_i].name);
	rig_fini(&r);
}
END_TEST

/* The Contact's address changes from the private to the public one with the protection; without an instance it is one phone all the same. */
START_TEST(test_nat_contact)
{
	struct phone p = { 0 };
	struct rig_sent *s;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	p.r = &r;
	snprintf(p.client, sizeof(p.client), "%s", OFFER("1000", "1001", "6010", "6001") ";mod=UDP-enc-tun");
	register_from(&p, CLEAR, "192.168.7.2:5060", "192.168.7.2", EMPTY, NULL);
	challenged(&p, "udp:10.9.0.1:5060");
	for (int again = 0; again < 2; again++) {
		register_from(&p, p.flow, "10.9.0.1:6010", "10.9.0.1", AKA, p.verify);
		s = rig_expect(&r, "REGISTER", DOOR);
		ck_assert(rig_contains(s, "integrity-protected=\"yes\""));
		rig_reply(&r, s, 200, "Contact: <sip:alice@10.9.0.1:6001>;expires=600\nService-Route: <sip:orig@10.0.0.30:6060;lr>\n"
			  "P-Associated-URI: <sip:alice@home>\n");
		rig_expect_status(&r, 200, p.at);
		ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 1);
	}
	rig_request(&r, p.flow, "MESSAGE", "sip:carol@home", "");
	s = rig_expect(&r, "MESSAGE", SCSCF);
	ck_assert(strstr(rig_hdr(s, "P-Asserted-Identity"), "sip:alice@home") != NULL);
	rig_fini(&r);
}
END_TEST

/* ---- S8: the kernel's table at each instant ---- */

struct instant { unsigned at_s; unsigned sets; };

static void expect_sets(struct rig *r, unsigned *now_s, unsigned at_s, unsigned n)
{
	if (at_s > *now_s)
		rig_run(r, (uint64_t)(at_s - *now_s) * 1000);
	*now_s = at_s;
	ck_assert_msg(r->kernel.n == n, "at %u s: %u sets, not %u", at_s, r->kernel.n, n);
}

START_TEST(test_life)
{
	struct phone p = { 0 };
	unsigned t = 0;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", "  reg_event: false\n");
	p.r = &r;
	next_offer(&p);
	send_register(&p, CLEAR, EMPTY, p.client, NULL, 600);
	expect_sets(&r, &t, 0, 0);					/* 1: nothing before the challenge */
	challenged(&p, "udp:10.9.0.1:5060");
	expect_sets(&r, &t, 0, 1);					/* 2: pending */
	ck_assert_uint_eq(r.kernel.set[0].lifetime_s, 250);
	expect_sets(&r, &t, 239, 1);					/* 3: reg-await-auth runs */
	expect_sets(&r, &t, 240, 0);					/* 4: and is over */
	registered(&p, &r, 600);
	expect_sets(&r, &t, 240, 1);					/* 5: live */
	ck_assert(r.kernel.set[0].lifetime_s >= 640 && r.kernel.set[0].lifetime_s <= 642);	/* granted, margin, grace */
	expect_sets(&r, &t, 500, 1);					/* 6 */
	reregistered(&p, 600);
	expect_sets(&r, &t, 500, 2);					/* 7: live and old */
	expect_sets(&r, &t, 627, 2);					/* 8: 64*T1 */
	expect_sets(&r, &t, 628, 1);					/* 9 */
	/* a refresh without a challenge: row 28 */
	send_register(&p, p.flow, AKA, p.client, p.verify, 600);
	accept_with(&p, rig_expect(&r, "REGISTER", DOOR), 600, p.at);
	expect_sets(&r, &t, 628, 1);					/* 10: the same set, longer */
	expect_sets(&r, &t, 1200, 1);					/* 11: past the end of the first grant */
	/* a failed re-authentication: S7, the old set stays */
	{
		struct phone q = p;

		next_offer(&q);
		send_register(&q, p.flow, EMPTY, q.client, p.verify, 600);
		challenged(&q, p.at);
		expect_sets(&r, &t, 1200, 2);				/* 12: pending beside live */
		send_register(&q, q.flow, AKA, q.client, q.verify, 600);
		rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 403, NULL);
		rig_expect_status(&r, 403, q.at);
		expect_sets(&r, &t, 1200, 2);				/* 13: its 403 leaves by it */
		expect_sets(&r, &t, 1201, 1);				/* 14: gone, the old one is there */
	}
	rig_request_as(&r, p.flow, "MESSAGE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "m", NULL);
	rig_expect(&r, "MESSAGE", SCSCF);
	expect_sets(&r, &t, 1227, 1);					/* 15: registration until 1228 */
	expect_sets(&r, &t, 1229, 0);					/* 16: the registration has expired: nothing may come any more */
	rig_request_as(&r, p.flow, "MESSAGE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "m2", NULL);
	rig_none(&r);
	registered(&p, &r, 600);
	expect_sets(&r, &t, 1229, 1);					/* 17 */
	send_register(&p, p.flow, AKA, p.client, p.verify, 0);
	accept_with(&p, rig_expect(&r, "REGISTER", DOOR), 0, p.at);
	expect_sets(&r, &t, 1229, 1);					/* 18: the 200 may be lost */
	expect_sets(&r, &t, 1233, 1);					/* 19 */
	expect_sets(&r, &t, 1234, 0);					/* 20 */
	ck_assert_uint_eq(r.kernel.added, r.kernel.deleted);
	rig_fini(&r);
}
END_TEST

/* ---- who may send, and what ---- */

#define BOBS "From: <sip:bob@home>;tag=r\nTo: <sip:bob@home>\n"

/* S3, S6: through the associations of another. */
START_TEST(test_another_ones)
{
	struct phone p;
	struct rig_sent *s;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	registered(&p, &r, 600);
	rig_request_as(&r, p.flow, "REGISTER", "sip:home", BOBS, "b", "Contact: <sip:bob@10.9.0.1:6001>\n"
		       "Authorization: Digest username=\"bob@home\",realm=\"home\",nonce=\"n\",uri=\"sip:home\",algorithm=AKAv1-MD5,response=\"abc\"\n");
	rig_expect_status(&r, 403, p.at);
	rig_request_as(&r, p.flow, "MESSAGE", "sip:carol@home", "From: <sip:bob@home>;tag=A\nTo: <sip:carol@home>\n", "m",
		       "P-Preferred-Identity: <sip:bob@home>\nP-Asserted-Identity: <sip:bob@home>\n");
	s = rig_expect(&r, "MESSAGE", SCSCF);
	ck_assert_str_eq(rig_hdr(s, "P-Asserted-Identity"), "<sip:alice@home>");
	ck_assert_uint_eq(r.kernel.n, 1);
	rig_fini(&r);
}
END_TEST

/* S5: in clear from a phone that has associations; and to a protected port without one. */
static const struct { const char *name, *from, *method; unsigned status; } in_clear[] = {
	{ "its address, our clear port", CLEAR, "MESSAGE", 403 }, { "its server port", "udp:10.9.0.1:6001>10.0.0.10:5060", "INVITE", 403 },
	{ "PRACK outside of ESP (row 24)", CLEAR, "PRACK", 403 },
	{ "to a protected port, from another port", "udp:10.9.0.1:7000>10.0.0.10:5100", "MESSAGE", 0 },
	{ "to a protected port, from elsewhere", "udp:10.9.0.9:6010>10.0.0.10:5100", "REGISTER", 0 },
	{ "by TCP to the client port", "tcp:10.9.0.1:6010>10.0.0.10:5120", "MESSAGE", 0 },
};

START_TEST(test_in_clear)
{
	struct phone p;
	struct rig_sent *s;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	registered(&p, &r, 600);
	rig_request_as(&r, in_clear[_i].from, in_clear[_i].method, "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "m",
		       "Contact: <sip:alice@10.9.0.1:6001>\n");
	if (in_clear[_i].status) {
		s = rig_next(&r);
		ck_assert_msg(!s->m->request && s->m->status == in_clear[_i].status, "%s", in_clear[_i].name);
	}
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* A pending set carries the answer to its challenge and nothing else. */
START_TEST(test_pending)
{
	struct phone p = { 0 };
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	p.r = &r;
	next_offer(&p);
	send_register(&p, CLEAR, EMPTY, p.client, NULL, 600);
	challenged(&p, "udp:10.9.0.1:5060");
	rig_request_as(&r, p.flow, "MESSAGE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "m", NULL);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* S7: what comes in clear while a set is pending.  AUTS: in clear, before any keys (TS 33.203 §6.1.3): a new vector, a new set. */
START_TEST(test_sync_failure)
{
	struct phone p = { 0 };
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	p.r = &r;
	next_offer(&p);
	send_register(&p, CLEAR, EMPTY, p.client, NULL, 600);
	challenged(&p, "udp:10.9.0.1:5060");
	send_register(&p, CLEAR, "Authorization: Digest username=\"alice@home\",realm=\"home\",nonce=\"n\",uri=\"sip:home\","
		      "algorithm=AKAv1-MD5,response=\"\",auts=\"AAAAAAAAAAAAAAAAAAA=\"\n", p.client, NULL, 600);
	challenged(&p, "udp:10.9.0.1:5060");
	rig_run(&r, 1000);
	ck_assert_uint_eq(r.kernel.n, 1);
	send_register(&p, p.flow, AKA, p.client, p.verify, 600);
	accept_with(&p, rig_expect(&r, "REGISTER", DOOR), 600, p.at);
	rig_fini(&r);
}
END_TEST

/* S9: a de-registration in clear, of a phone that is protected; of others' contacts. */
START_TEST(test_deregistration)
{
	struct phone p;
	struct rig r;

	rig_init_ipsec(&r, "{policy: prefer}", NULL);
	registered(&p, &r, 600);
	send_register(&p, CLEAR, AKA, NULL, NULL, 0);
	rig_expect_status(&r, 403, "udp:10.9.0.1:5060");
	/* without an answer the home network challenges; the victim stays */
	rig_request_as(&r, "udp:10.9.0.9:5060>10.0.0.10:5060", "REGISTER", "sip:home", WHO, "evil", "Contact: *\nExpires: 0\n" EMPTY);
	rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 401, "WWW-Authenticate: Digest realm=\"home\",nonce=\"n\",algorithm=AKAv1-MD5\n");
	rig_expect_status(&r, 401, "udp:10.9.0.9:5060");
	rig_run(&r, 10000);
	ck_assert_uint_eq(r.kernel.n, 1);
	ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 1);
	rig_fini(&r);
}
END_TEST

/* ---- port roles ---- */

/* P13, rows 1 2 25 29: to the phone from our client port to its server port, whatever the contact and the transport; Via and
 * Record-Route name our server port. */
START_TEST(test_to_the_phone)
{
	static const char *const hosts[] = { "sip:alice@10.9.0.1:6001", "sip:alice@10.9.0.1:5060", "sip:alice@192.168.1.1:4711" };
	char route[512], path[256];
	struct phone p = { 0 };
	struct rig_sent *s;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	p.r = &r;
	next_offer(&p);
	send_register(&p, CLEAR, EMPTY, p.client, NULL, 600);
	challenged(&p, "udp:10.9.0.1:5060");
	send_register(&p, p.flow, AKA, p.client, p.verify, 600);
	s = rig_expect(&r, "REGISTER", DOOR);
	snprintf(path, sizeof(path), "%s", rig_hdr(s, "Path"));
	accept_with(&p, s, 600, p.at);
	snprintf(route, sizeof(route), "Route: %s\n", path);
	rig_request_as(&r, SCSCF, "INVITE", hosts[_i], "From: <sip:bob@home>;tag=A\nTo: <sip:alice@home>\n", "mt", route);
	s = rig_expect(&r, "INVITE", "udp:10.9.0.1:6001");
	ck_assert_uint_eq(addr_port(&s->to.local), p.us_c);
	ck_assert_msg(port_in(rig_hdr(s, "Via"), "10.0.0.10:") == p.us_s, "%s", rig_hdr(s, "Via"));
	ck_assert_msg(port_in(rig_hdr(s, "Record-Route"), "10.0.0.10:") == p.us_s, "%s", rig_hdr(s, "Record-Route"));
	rig_fini(&r);
}
END_TEST

/* P14, row 10: a call, a re-registration in the middle of it, and the old associations gone: both ways still. */
START_TEST(test_call_outlives_the_set)
{
	char rr[512], route[1024], answer[1024], old_flow[80];
	struct phone p;
	struct rig_sent *s;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	registered(&p, &r, 3600);
	rig_request_as(&r, p.flow, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "call",
		       "Contact: <sip:alice@10.9.0.1:6001>\n");
	s = rig_expect(&r, "INVITE", SCSCF);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(answer, sizeof(answer), "Contact: <sip:bob@10.9.0.2:6001>\nRecord-Route: <sip:s@10.0.0.30:6060;lr>, %s\n", rr);
	rig_reply(&r, s, 200, answer);
	rig_expect_status(&r, 200, p.at);
	snprintf(old_flow, sizeof(old_flow), "%s", p.flow);
	reregistered(&p, 3600);
	/* while both are there the old one still carries what was on its way */
	snprintf(route, sizeof(route), "Route: %s, <sip:s@10.0.0.30:6060;lr>\n", rr);
	{
		struct str rest = str_from_c(rr), one, two;

		sip_list_next(&rest, &one);
		if (sip_list_next(&rest, &two))
			snprintf(route, sizeof(route), "Route: %.*s, %.*s, <sip:s@10.0.0.30:6060;lr>\n", STR_ARG(two), STR_ARG(one));
	}
	rig_request_as(&r, old_flow, "INFO", "sip:bob@10.9.0.2:6001", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "call", route);
	s = rig_expect(&r, "INFO", SCSCF);
	rig_reply(&r, s, 200, NULL);
	rig_expect_status(&r, 200, "udp:10.9.0.1:6010");
	rig_run(&r, 128000);
	ck_assert_uint_eq(r.kernel.n, 1);
	rig_request_as(&r, p.flow, "UPDATE", "sip:bob@10.9.0.2:6001", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "call", route);
	s = rig_expect(&r, "UPDATE", SCSCF);
	rig_reply(&r, s, 200, NULL);
	rig_expect_status(&r, 200, p.at);
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	rig_request_as(&r, SCSCF, "BYE", "sip:alice@10.9.0.1:6001", "From: <sip:bob@home>;tag=T\nTo: <sip:alice@home>;tag=A\n", "call", route);
	s = rig_expect(&r, "BYE", "udp:10.9.0.1:6001");
	ck_assert_uint_eq(addr_port(&s->to.local), p.us_c);
	rig_fini(&r);
}
END_TEST

/* Row 27: a new client port each time, whatever is asked for: sets are replaced, ports of ours go round, nothing piles up. */
START_TEST(test_again_and_again)
{
	struct phone p;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	registered(&p, &r, 7200);
	for (unsigned i = 0; i < 20; i++) {
		reregistered(&p, 7200);
		ck_assert_uint_le(r.kernel.n, 2);
		ck_assert_uint_ge(r.kernel.n, 1);
		rig_run(&r, 6480000 - 7 * 60000);
		ck_assert_uint_eq(r.kernel.n, 1);
	}
	rig_fini(&r);
}
END_TEST

/* ---- offers as phones write them (part D) ---- */

#define P "spi-c=1000;spi-s=1001;port-c=6010;port-s=6001"
static const struct { const char *name, *offer, *more; const char *alg, *ealg; } offers[] = {
	{ "row 7: many entries, one header, MD5 with them",
	  "ipsec-3gpp;prot=esp;mod=trans;" P ";alg=hmac-md5-96;ealg=des-ede3-cbc, ipsec-3gpp;prot=esp;mod=trans;" P ";alg=hmac-md5-96;ealg=aes-cbc, "
	  "ipsec-3gpp;prot=esp;mod=trans;" P ";alg=hmac-md5-96;ealg=null, ipsec-3gpp;prot=esp;mod=trans;" P ";alg=hmac-sha-1-96;ealg=des-ede3-cbc, "
	  "ipsec-3gpp;prot=esp;mod=trans;" P ";alg=hmac-sha-1-96;ealg=aes-cbc, ipsec-3gpp;prot=esp;mod=trans;" P ";alg=hmac-sha-1-96;ealg=null", NULL,
	  "hmac-sha-1-96", "aes-cbc" },
	{ "row 16: md5 first, any order of parameters", "ipsec-3gpp; ealg=aes-cbc; port-s=6001; alg=hmac-md5-96; spi-s=1001; spi-c=1000; port-c=6010",
	  "ipsec-3gpp; ealg=aes-cbc; port-s=6001; alg=hmac-sha-1-96; spi-s=1001; spi-c=1000; port-c=6010", "hmac-sha-1-96", "aes-cbc" },
	{ "row 20: sha1 first, then md5", "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;" P ", ipsec-3gpp;alg=hmac-md5-96;ealg=aes-cbc;" P, NULL,
	  "hmac-sha-1-96", "aes-cbc" },
	{ "D2: prot and mod are left out", "ipsec-3gpp;alg=null;ealg=aes-gcm;" P, NULL, "null", "aes-gcm" },
	{ "quotes, upper case and q", "IPSEC-3GPP;q=0.1;Alg=HMAC-SHA-1-96;EALG=AES-CBC;" P, NULL, "hmac-sha-1-96", "aes-cbc" },
	{ "what nobody knows yet", "ipsec-ike, tls;q=0.2, ipsec-3gpp;alg=hmac-sha-9-512;ealg=x;" P, "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;" P,
	  "hmac-sha-1-96", "aes-cbc" },
};

START_TEST(test_offer_row)
{
	char extra[8192], verify[2048], flow[80];
	struct rig_sent *s;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	for (unsigned round = 0; round < 2; round++) {
		/* row 13: a line break within Authorization */
		snprintf(extra, sizeof(extra), "Contact: <sip:alice@10.9.0.1:6001>;expires=600\n%sSecurity-Client: %s\n%s%s%s%s%s",
			 round ? "Authorization: Digest username=\"alice@home\",realm=\"home\",nonce=\"n\",uri=\"sip:home\",\n"
				 "  algorithm=AKAv1-MD5,response=\"abc\",qop=auth,\n\tnc=00000001,cnonce=\"x\"\n" : EMPTY,
			 offers[_i].offer, offers[_i].more ? "Security-Client: " : "", offers[_i].more ? offers[_i].more : "",
			 offers[_i].more ? "\n" : "", round ? "Security-Verify: " : "", round ? verify : "X: y");
		strcat(extra, "\n");
		rig_request_as(&r, round ? flow : CLEAR, "REGISTER", "sip:home", WHO, "reg", extra);
		s = rig_next(&r);
		ck_assert_msg(s->m->request, "%s: %.*s", offers[_i].name, STR_ARG(bytes_str(s->wire)));
		if (round) {
			ck_assert(rig_contains(s, "integrity-protected=\"yes\""));
			break;
		}
		rig_reply(&r, s, 401, CHALLENGE);
		rig_run(&r, 0);
		s = rig_expect_status(&r, 401, "udp:10.9.0.1:5060");
		snprintf(verify, sizeof(verify), "%s", rig_hdr(s, "Security-Server"));
		snprintf(flow, sizeof(flow), "udp:10.9.0.1:6010>10.0.0.10:%u", port_in(verify, "port-s="));
		ck_assert_uint_eq(r.kernel.n, 1);
		ck_assert_str_eq(sec_alg_name(r.kernel.set[0].alg), offers[_i].alg);
		ck_assert_str_eq(sec_ealg_name(r.kernel.set[0].ealg), offers[_i].ealg);
	}
	rig_fini(&r);
}
END_TEST

/* Handset 9: the HSS gives another vector than the card is for: a challenge without CK and IK never leaves, the log says so. */
static const char *const keyless[] = {
	"WWW-Authenticate: Digest realm=\"home\",nonce=\"n\",algorithm=MD5,qop=\"auth\"\n",
	"WWW-Authenticate: Digest realm=\"home\",nonce=\"n\",algorithm=AKAv1-MD5\n",
	"WWW-Authenticate: Digest realm=\"home\",nonce=\"n\",algorithm=AKAv1-MD5,ck=\"00112233445566778899aabbccddeeff\"\n",
	"WWW-Authenticate: Digest realm=\"home\",nonce=\"n\",algorithm=AKAv1-MD5,ck=\"0011\",ik=\"ffeeddccbbaa99887766554433221100\"\n",
};

START_TEST(test_row_9_no_keys)
{
	struct phone p = { 0 };
	struct rig_sent *s;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	p.r = &r;
	next_offer(&p);
	send_register(&p, CLEAR, EMPTY, p.client, NULL, 600);
	rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 401, keyless[_i]);
	rig_run(&r, 0);
	s = rig_expect_status(&r, 500, "udp:10.9.0.1:5060");
	ck_assert(!rig_contains(s, "00112233") && !rig_contains(s, "ffeeddcc"));
	ck_assert_uint_eq(r.kernel.n, 0);
	registered(&p, &r, 600);
	rig_fini(&r);
}
END_TEST

/* F20: the kernel says no: 5xx, or 400 when it is another's; no 401 goes out without a set. */
static const struct { int says; unsigned status; } kernels[] = { { -EPERM, 500 }, { -EEXIST, 400 }, { -ETIMEDOUT, 503 }, { -ENOSPC, 503 }, { -EDQUOT, 503 } };

START_TEST(test_kernel_refuses)
{
	struct phone p = { 0 };
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	p.r = &r;
	r.kernel.says = kernels[_i].says;
	next_offer(&p);
	send_register(&p, CLEAR, EMPTY, p.client, NULL, 600);
	rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 401, CHALLENGE);
	rig_run(&r, 0);
	rig_expect_status(&r, kernels[_i].status, "udp:10.9.0.1:5060");
	ck_assert_uint_eq(r.kernel.n, 0);
	r.kernel.says = 0;
	registered(&p, &r, 600);
	rig_fini(&r);
}
END_TEST

/* A refresh that the phone sends by the old set within 64*T1 (§7.4) prolongs the registration; calls still go by the new one. */
START_TEST(test_refresh_by_the_old_set)
{
	char old_flow[80], text[1024], path[256], c[128];
	struct binding *b;
	struct rig_sent *s;
	struct phone p;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	registered(&p, &r, 600);
	snprintf(old_flow, sizeof(old_flow), "%s", p.flow);
	reregistered(&p, 600);
	contact(c, 900);
	snprintf(text, sizeof(text), "%s" EMPTY, c);
	rig_request_as(&r, old_flow, "REGISTER", "sip:home", WHO, "reg", text);
	s = rig_expect(&r, "REGISTER", DOOR);
	snprintf(path, sizeof(path), "%s", rig_hdr(s, "Path"));
	snprintf(text, sizeof(text), "%sService-Route: <sip:orig@10.0.0.30:6060;lr>\nP-Associated-URI: <sip:alice@home>\n", c);
	rig_reply(&r, s, 200, text);
	ck_assert_uint_eq(rig_next(&r)->m->status, 200);
	rig_run(&r, 700000);			/* the old set is gone, the new one has the time of the refresh */
	ck_assert_uint_eq(r.kernel.n, 1);
	b = phone_by_key(r.p.phones, STR("alice@home|alice@10.9.0.1:6001"));
	ck_assert(b != NULL);
	ck_assert_uint_eq(b->sa->k.mine.port_s, p.us_s);
	obj_unref(b);
	snprintf(text, sizeof(text), "Route: %s\n", path);
	rig_request_as(&r, SCSCF, "MESSAGE", "sip:alice@10.9.0.1:6001", "From: <sip:bob@home>;tag=b\nTo: <sip:alice@home>\n", "mt", text);
	s = rig_next(&r);
	ck_assert_uint_eq(addr_port(&s->to.local), p.us_c);
	rig_request_as(&r, p.flow, "MESSAGE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "mo", "");
	ck_assert_str_eq(rig_hdr(rig_next(&r), "P-Asserted-Identity"), "<sip:alice@home>");
	rig_fini(&r);
}
END_TEST

/* X5, SEC-10: whoever sends REGISTERs with her identity from elsewhere keeps nobody from registering again, nor for the first time. */
START_TEST(test_crowd_with_her_name)
{
	char from[80], text[2048], c[128];
	struct phone p;
	struct rig r;

	for (unsigned registered_before = 0; registered_before < 2; registered_before++) {
		rig_init_ipsec(&r, "{policy: require}", NULL);
		if (registered_before)
			registered(&p, &r, 600);
		contact(c, 600);
		for (unsigned i = 0; i < 3 * SECURITY_MAX_SETS; i++) {
			snprintf(from, sizeof(from), "udp:10.9.7.%u:5060>10.0.0.10:5060", 10 + i);
			snprintf(text, sizeof(text), "%s" EMPTY "Require: sec-agree\nProxy-Require: sec-agree\nSecurity-Client: ipsec-3gpp;"
				 "alg=hmac-sha-1-96;ealg=aes-cbc;spi-c=%u;spi-s=%u;port-c=6010;port-s=6001\n", c, 2000 + 2 * i, 2001 + 2 * i);
			rig_request_as(&r, from, "REGISTER", "sip:home", WHO, from, text);
			rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 401, CHALLENGE);
			rig_run(&r, 0);
			ck_assert_uint_eq(rig_next(&r)->m->status, 401);
			ck_assert_uint_le(r.kernel.n, SECURITY_MAX_SETS);
		}
		if (registered_before)
			reregistered(&p, 600);
		else
			registered(&p, &r, 600);
		rig_fini(&r);
	}
}
END_TEST

/* TS 33.203 §7.4: a phone without an instance that comes back over its set with another Contact is the same phone. */
START_TEST(test_another_contact)
{
	char old_flow[80], old_verify[2048], text[4096];
	struct rig_sent *s;
	struct phone p;
	struct rig r;

	rig_init_ipsec(&r, "{policy: require}", NULL);
	registered(&p, &r, 600);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(old_flow, sizeof(old_flow), "%s", p.flow);
		snprintf(old_verify, sizeof(old_verify), "%s", p.verify);
		snprintf(p.client, sizeof(p.client), "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;spi-c=%u;spi-s=%u;port-c=%u;port-s=%u", 3000 + 2 * i,
			 3001 + 2 * i, 7010 + i, 7101 + i);
		for (unsigned answer = 0; answer < 2; answer++) {
			snprintf(text, sizeof(text), "Contact: <sip:alice@10.9.0.1:%u>;expires=600\n%sRequire: sec-agree\nProxy-Require: sec-agree\n"
				 "Security-Client: %s\nSecurity-Verify: %s\n", 7101 + i, answer ? AKA : EMPTY, p.client, answer ? p.verify : old_verify);
			rig_request_as(&r, answer ? p.flow : old_flow, "REGISTER", "sip:home", WHO, "reg", text);
			s = rig_expect(&r, "REGISTER", DOOR);
			if (answer)
				break;
			rig_reply(&r, s, 401, CHALLENGE);
			rig_run(&r, 0);
			s = rig_next(&r);
			snprintf(p.verify, sizeof(p.verify), "%s", rig_hdr(s, "Security-Server"));
			snprintf(p.flow, sizeof(p.flow), "udp:10.9.0.1:%u>10.0.0.10:%u", port_in(p.client, "port-c="), port_in(p.verify, "port-s="));
		}
		snprintf(text, sizeof(text), "Contact: <sip:alice@10.9.0.1:%u>;expires=600\nService-Route: <sip:orig@10.0.0.30:6060;lr>\n"
			 "P-Associated-URI: <sip:alice@home>\n", 7101 + i);
		rig_reply(&r, s, 200, text);
		ck_assert_uint_eq(rig_next(&r)->m->status, 200);
		ck_assert_uint_le(r.kernel.n, 2);
		ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 1);
	}
	/* It leaves an earlier Contact, the first one too: what it has now stays. */
	for (unsigned i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "Contact: <sip:alice@10.9.0.1:%u>;expires=0\n" EMPTY, i ? 6001u : 7101u);
		rig_request_as(&r, p.flow, "REGISTER", "sip:home", WHO, i ? "reg1" : "reg0", text);
		rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 200, "Contact: <sip:alice@10.9.0.1:7104>;expires=600\n"
			  "Service-Route: <sip:orig@10.0.0.30:6060;lr>\nP-Associated-URI: <sip:alice@home>\n");
		ck_assert_uint_eq(rig_next(&r)->m->status, 200);
		ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 1);
	}
	rig_run(&r, 200000);
	ck_assert_uint_eq(r.kernel.n, 1);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("security", TEST_ONE(test_refresh_by_the_old_set), TEST_ONE(test_crowd_with_her_name), TEST_ONE(test_another_contact), TEST_ROWS(test_altered, altered), TEST_ROWS(test_policy_row, policies),
	  { &(test_clear_retry_row_23), 2 }, TEST_ONE(test_weak_is_refused), TEST_ONE(test_weak_is_counted), TEST_ROWS(test_nat_row, nats), TEST_ONE(test_nat_contact), TEST_ONE(test_life), TEST_ONE(test_another_ones), TEST_ROWS(test_in_clear, in_clear),
	  TEST_ONE(test_pending), TEST_ONE(test_sync_failure), TEST_ONE(test_deregistration), { &(test_to_the_phone), 3 },
	  TEST_ONE(test_call_outlives_the_set), TEST_ONE(test_again_and_again), TEST_ROWS(test_offer_row, offers), TEST_ROWS(test_row_9_no_keys, keyless),
	  TEST_ROWS(test_kernel_refuses, kernels))
