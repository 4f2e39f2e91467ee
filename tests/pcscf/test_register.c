/* tests/pcscf/test_register.c - REGISTER through the P-CSCF: TS 24.229 §5.2.2; rows M1 P1 P2 P7 R3 R7, clients.md 1 2 4 5 9. */
#include <string.h>
#include "tests/pcscf/rig.h"

#define AKA "Authorization: Digest username=\"alice@home\",realm=\"home\",nonce=\"n\",uri=\"sip:home\",algorithm=AKAv1-MD5,response=\"abc\""
#define MD5 "Authorization: Digest username=\"alice@home\",realm=\"home\",nonce=\"n\",uri=\"sip:home\",response=\"abc\""
#define FIRST "Authorization: Digest username=\"alice@home\",realm=\"home\",nonce=\"\",uri=\"sip:home\",response=\"\""
#define CONTACT "Contact: <sip:alice@10.9.0.1:5060>\n"
#define ACCEPTED "Contact: <sip:alice@10.9.0.1:5060>;expires=600\nService-Route: <sip:orig@10.0.0.30:6060;lr>\n" \
	"P-Associated-URI: <sip:alice@home>\n"
#define WHO "From: <sip:alice@home>;tag=r\nTo: <sip:alice@home>\n"

static void send_register(struct rig *r, const char *extra)
{
	rig_request_as(r, ALICE, "REGISTER", "sip:home", WHO, "reg", extra);
}

static struct rig_sent *registered(struct rig *r, const char *extra)
{
	struct rig_sent *s;

	send_register(r, extra);
	s = rig_expect(r, "REGISTER", DOOR);
	rig_reply(r, s, 200, ACCEPTED);
	return rig_expect_status(r, 200, ALICE);
}

static struct binding *alice(struct rig *r)
{
	return phone_by_key(r->p.phones, STR("alice@home|alice@10.9.0.1:5060"));
}

START_TEST(test_to_the_core)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	send_register(&r, CONTACT FIRST "\nPath: <sip:evil@x;lr>\nSupported: path\nP-Visited-Network-ID: mars\n"
		      "P-Charging-Vector: icid-value=mine\nRequire: sec-agree\nProxy-Require: sec-agree\n"
		      "Security-Client: ipsec-3gpp;alg=hmac-sha-1-96\nSecurity-Verify: x\nRoute: <sip:orig@10.0.0.30:6060;lr>\n");
	s = rig_expect(&r, "REGISTER", DOOR);
	ck_assert(strncmp(rig_hdr(s, "Path"), "<sip:", 5) == 0 && strstr(rig_hdr(s, "Path"), "@pcscf.home:5060;lr>"));
	ck_assert(!rig_contains(s, "evil") && !rig_contains(s, "icid-value=mine"));
	ck_assert_str_eq(rig_hdr(s, "Require"), "path");
	ck_assert_str_eq(rig_hdr(s, "Supported"), "path");
	ck_assert_str_eq(rig_hdr(s, "P-Visited-Network-ID"), "home");
	ck_assert(strstr(rig_hdr(s, "P-Charging-Vector"), "icid-value=\"") && strstr(rig_hdr(s, "P-Charging-Vector"), ";icid-generated-at=pcscf.home;orig-ioi=\"Type 1home\""));
	ck_assert_str_eq(rig_hdr(s, "Proxy-Require"), "");		/* clients.md 5 */
	ck_assert(!rig_contains(s, "Security-") && !rig_contains(s, "sec-agree"));
	ck_assert_str_eq(rig_hdr(s, "Route"), "");			/* clients.md 9 */
	ck_assert(str_eq_c(s->m->ruri_text, "sip:home"));
	rig_fini(&r);
}
END_TEST

/* TS 24.229 §5.2.2.6, TS 33.203 annex T; row S5: without credentials our word for the address always stands there, and only ours. */
static const struct { const char *name, *via, *auth, *want; } vouched[] = {
	{ "sent-by says the same", "10.9.0.1:5060;branch=z9hG4bKv", "", "SIP/2.0/UDP 10.9.0.1:5060;branch=z9hG4bKv;received=10.9.0.1" },
	{ "sent-by lies", "10.7.7.7;branch=z9hG4bKv", "", "SIP/2.0/UDP 10.7.7.7;branch=z9hG4bKv;received=10.9.0.1" },
	{ "received lies", "10.9.0.1:5060;received=10.7.7.7;branch=z9hG4bKv", "", "SIP/2.0/UDP 10.9.0.1:5060;branch=z9hG4bKv;received=10.9.0.1" },
	{ "received lies twice", "10.7.7.7;received=10.7.7.7;branch=z9hG4bKv;Received=10.8.8.8", "", "SIP/2.0/UDP 10.7.7.7;branch=z9hG4bKv;received=10.9.0.1" },
	{ "credentials: no more than RFC 3261 §18.2.1", "10.9.0.1:5060;branch=z9hG4bKv", AKA "\n", "SIP/2.0/UDP 10.9.0.1:5060;branch=z9hG4bKv" },
};

START_TEST(test_vouches_for_the_address_S5)
{
	char text[1024];
	struct sip_values it;
	struct rig_sent *s;
	struct str own, phones;
	struct rig r;

	rig_init(&r, NULL, 1);
	snprintf(text, sizeof(text), "REGISTER sip:home SIP/2.0\nVia: SIP/2.0/UDP %s\nMax-Forwards: 70\n" WHO "Call-ID: v\nCSeq: 1 REGISTER\n" CONTACT "%s\n",
		 vouched[_i].via, vouched[_i].auth);
	rig_in(&r, ALICE, text);
	s = rig_expect(&r, "REGISTER", DOOR);
	it = sip_values(s->m, SIP_H_VIA);
	ck_assert(sip_values_next(&it, &own) && sip_values_next(&it, &phones));
	ck_assert_msg(str_eq_c(phones, vouched[_i].want), "%s: %.*s", vouched[_i].name, STR_ARG(phones));
	rig_fini(&r);
}
END_TEST

static const struct { const char *access, *want; } visited[] = {
	{ "  visited_network: visited.net-1\n", "visited.net-1" }, { "  visited_network: \"Visited Network 1\"\n", "\"Visited Network 1\"" },
};

START_TEST(test_visited)
{
	struct rig r;

	rig_init(&r, visited[_i].access, 1);
	send_register(&r, CONTACT);
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "REGISTER", DOOR), "P-Visited-Network-ID"), visited[_i].want);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *auth, *want; } integrity[] = {
	{ "none: clients.md 1", "", NULL },
	{ "first, empty", FIRST, "no" },
	{ "AKA, unprotected", AKA, "no" },
	{ "Digest, first answer", MD5, "ip-assoc-pending" },
	{ "forged yes", AKA ",integrity-protected=yes", "no" },
	{ "two headers, clients.md 2", FIRST "\n" MD5, "ip-assoc-pending" },
};

START_TEST(test_integrity)
{
	char extra[1024], want[64];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, NULL, 1);
	snprintf(extra, sizeof(extra), CONTACT "%s%s", integrity[_i].auth, *integrity[_i].auth ? "\n" : "");
	send_register(&r, extra);
	s = rig_expect(&r, "REGISTER", DOOR);
	snprintf(want, sizeof(want), "integrity-protected=\"%s\"", integrity[_i].want ? integrity[_i].want : "");
	ck_assert_msg(integrity[_i].want ? strstr(rig_hdr(s, "Authorization"), want) != NULL : !rig_contains(s, "integrity"), "%s: %s",
		      integrity[_i].name, rig_hdr(s, "Authorization"));
	ck_assert_msg(!rig_contains(s, "integrity-protected=yes"), "%s", integrity[_i].name);
	rig_fini(&r);
}
END_TEST

/* RFC 6223 §4.4, row P23: only who offers and is behind a NAT is told how often. */
static const struct { const char *name, *access, *via, *want; } keeps[] = {
	{ "behind a NAT", NULL, "192.168.1.7:5060;branch=z9hG4bKk;rport;keep", "keep=30" },
	{ "in front", NULL, "192.168.1.7:5060;keep;branch=z9hG4bKk", "keep=30" },
	{ "blanks", NULL, "192.168.1.7:5060;branch=z9hG4bKkeep;rport; Keep ;x=y", "Keep=30" },
	{ "a name", NULL, "phone.invalid;branch=z9hG4bKk;keep", "keep=30" },
	{ "as the operator says", "  keep_s: 20\n", "192.168.1.7:5060;branch=z9hG4bKk;keep", "keep=20" },
	{ "no NAT", NULL, "10.9.0.1:5060;branch=z9hG4bKk;keep", "keep" },
	{ "not wanted", "  keep_s: 0\n", "192.168.1.7:5060;branch=z9hG4bKk;keep", "keep" },
	{ "not offered", NULL, "192.168.1.7:5060;branch=z9hG4bKkeep", NULL },
	{ "a value of the phone's own", NULL, "192.168.1.7:5060;branch=z9hG4bKk;keep=5", "keep=5" },
};

START_TEST(test_keep)
{
	struct str v, keep;
	struct sip_via via;
	char text[1024];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, keeps[_i].access, 1);
	snprintf(text, sizeof(text), "REGISTER sip:home SIP/2.0\nVia: SIP/2.0/UDP %s\nMax-Forwards: 70\n" WHO "Call-ID: k\nCSeq: 1 REGISTER\n"
		 CONTACT, keeps[_i].via);
	rig_in(&r, ALICE, text);
	s = rig_expect(&r, "REGISTER", DOOR);
	ck_assert(sip_values_count(s->m, SIP_H_VIA) == 2);
	rig_reply(&r, s, 200, ACCEPTED);
	s = rig_next(&r);
	ck_assert_uint_eq(s->m->status, 200);
	v = sip_msg_value(s->m, SIP_H_VIA);
	ck_assert_uint_eq(sip_values_count(s->m, SIP_H_VIA), 1);
	ck_assert_int_eq(sip_via_parse(v, &via), 0);
	ck_assert_msg(sip_param_get(via.params, "keep", &keep) == (keeps[_i].want != NULL), "%s: %.*s", keeps[_i].name, STR_ARG(v));
	if (keeps[_i].want)
		ck_assert_msg(str_eq_c(keep, strchr(keeps[_i].want, '=') ? strchr(keeps[_i].want, '=') + 1 : ""), "%s: %.*s", keeps[_i].name,
			      STR_ARG(v));
	ck_assert(str_starts(via.branch, STR("z9hG4bKk")));
	rig_fini(&r);
}
END_TEST

/* TS 33.203 annex O: over TLS; annex N: without.  The association is the connection that it has registered on. */
START_TEST(test_digest_over_tls)
{
	static const char *const from[] = { "tls:10.9.0.1:5061", "tcp:10.9.0.1:5060" };
	static const char *const want[][2] = { { "tls-pending", "tls-yes" }, { "ip-assoc-pending", "ip-assoc-yes" } };
	struct rig r;

	rig_init(&r, NULL, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct rig_sent *s;
		char text[64];

		rig_request_as(&r, from[_i], "REGISTER", "sip:home", WHO, "reg", CONTACT MD5 "\n");
		s = rig_expect(&r, "REGISTER", DOOR);
		snprintf(text, sizeof(text), "integrity-protected=\"%s\"", want[_i][i]);
		ck_assert_msg(rig_contains(s, text), "%s", rig_hdr(s, "Authorization"));
		rig_reply(&r, s, 200, ACCEPTED);
		ck_assert_uint_eq(rig_next(&r)->m->status, 200);
	}
	rig_fini(&r);
}
END_TEST

/* A known association: Digest, same flow (row P2); from another port it is none. */
START_TEST(test_association)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	registered(&r, CONTACT MD5 "\n");
	send_register(&r, CONTACT MD5 "\n");
	s = rig_expect(&r, "REGISTER", DOOR);
	ck_assert(rig_contains(s, "integrity-protected=\"ip-assoc-yes\""));
	rig_request_as(&r, "udp:10.9.0.1:6000", "REGISTER", "sip:home", WHO, "reg2", CONTACT MD5 "\n");
	s = rig_expect(&r, "REGISTER", DOOR);
	ck_assert(rig_contains(s, "integrity-protected=\"ip-assoc-pending\""));
	rig_fini(&r);
}
END_TEST

START_TEST(test_challenge)	/* row R7; clients.md 4: a retransmission gets the same 401 */
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	send_register(&r, CONTACT FIRST "\n");
	s = rig_expect(&r, "REGISTER", DOOR);
	rig_reply(&r, s, 401, "WWW-Authenticate: Digest realm=\"home\",nonce=\"bm9uY2U=\",algorithm=AKAv1-MD5,ck=\"00112233\", ik=\"44556677\"\n"
		  "P-Charging-Function-Addresses: ccf=10.0.0.99\n");
	s = rig_expect_status(&r, 401, ALICE);
	ck_assert(!rig_contains(s, "00112233") && !rig_contains(s, "44556677") && !rig_contains(s, "10.0.0.99"));
	ck_assert(strstr(rig_hdr(s, "WWW-Authenticate"), "nonce=\"bm9uY2U=\"") != NULL);
	ck_assert_ptr_null(alice(&r));
	r.cseq--;		/* the very same request again */
	send_register(&r, CONTACT FIRST "\n");
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

START_TEST(test_200)
{
	struct rig r;
	struct rig_sent *s;
	struct binding *b;

	rig_init(&r, NULL, 1);
	send_register(&r, CONTACT AKA "\nExpires: 3600\n");
	s = rig_expect(&r, "REGISTER", DOOR);
	rig_reply(&r, s, 200, "Contact: <sip:x@10.9.9.9>;expires=1, <sip:alice@10.9.0.1:5060>;expires=600\nPath: <sip:secret@pcscf.home;lr>\n"
		  "Service-Route: <sip:orig@10.0.0.30:6060;lr>, <sip:second@10.0.0.31;lr>\n"
		  "P-Associated-URI: \"Alice\" <sip:alice@home>, <tel:+49-1>\nP-Charging-Vector: icid-value=x\n");
	s = rig_expect_status(&r, 200, ALICE);
	ck_assert_str_eq(rig_hdr(s, "Path"), "");
	ck_assert_str_eq(rig_hdr(s, "P-Charging-Vector"), "");
	ck_assert_str_eq(rig_hdr(s, "Service-Route"), "<sip:orig@10.0.0.30:6060;lr>, <sip:second@10.0.0.31;lr>");
	ck_assert_str_ne(rig_hdr(s, "P-Associated-URI"), "");
	b = alice(&r);
	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(b->n_routes, 2);
	ck_assert_uint_eq(b->n_identities, 2);
	ck_assert(str_eq_c(b->identity[0].value, "\"Alice\" <sip:alice@home>"));
	ck_assert(str_eq_c(b->identity[1].aor, "tel:+491"));
	ck_assert_int_eq(b->auth, BINDING_AUTH_AKA);
	obj_unref(b);
	rig_run(&r, 599000);
	b = alice(&r);
	ck_assert_ptr_nonnull(b);
	obj_unref(b);
	rig_run(&r, 2000);					/* what was granted, not what was asked for */
	ck_assert_ptr_null(alice(&r));
	rig_fini(&r);
}
END_TEST

static const struct { const char *name; unsigned status; const char *register_extra, *answer; bool stays; } later[] = {
	{ "refresh", 200, CONTACT, ACCEPTED, true },
	{ "401", 401, CONTACT, "WWW-Authenticate: Digest realm=\"home\",nonce=\"n\"\n", true },
	{ "403", 403, CONTACT, "", true },
	{ "423", 423, CONTACT, "Min-Expires: 60\n", true },
	{ "500", 500, CONTACT, "", true },
	{ "Expires 0", 200, CONTACT "Expires: 0\n", "", false },
	{ "expires=0", 200, "Contact: <sip:alice@10.9.0.1:5060>;expires=0\n", "Contact: <sip:b@10.9.0.2>;expires=60\n", false },
	{ "not listed", 200, CONTACT, "Contact: <sip:b@10.9.0.2>;expires=60\n", false },
	{ "star", 200, "Contact: *\nExpires: 0\n", "", false },
	{ "query", 200, "", "Contact: <sip:alice@10.9.0.1:5060>;expires=60\n", true },
	{ "silence", 0, CONTACT, NULL, true },
};

/* REG-03: a challenge that comes again, or after the REGISTER has ended in any way, says nothing to anybody. */
static const struct late_row { const char *name; unsigned status; const char *headers; uint64_t wait_ms; } late[] = {
	{ "after a 401", 401, "WWW-Authenticate: Digest realm=\"home\",nonce=\"n\",algorithm=AKAv1-MD5,ck=\"00\",ik=\"11\"\n", 0 },
	{ "after a 200", 200, ACCEPTED, 0 },
	{ "after a 408", 408, "", 0 },
	{ "after a 500", 500, "", 0 },
	{ "after silence", 0, NULL, 300000 },
	{ "long after a 401", 401, "WWW-Authenticate: Digest realm=\"home\",nonce=\"n\"\n", 300000 },
	{ "long after a 200", 200, ACCEPTED, 300000 },
};

START_TEST(test_late_challenge_reg_03)
{
	static const char challenge[] = "WWW-Authenticate: Digest realm=\"home\",nonce=\"late\",algorithm=AKAv1-MD5,ck=\"00\",ik=\"11\"\n";
	const struct late_row *l = &late[_i];
	struct rig_sent *up;
	struct binding *b;
	struct rig r;

	rig_init(&r, NULL, 1);
	send_register(&r, CONTACT FIRST "\n");
	up = rig_expect(&r, "REGISTER", DOOR);
	if (l->headers)
		rig_reply(&r, up, l->status, l->headers);
	rig_run(&r, l->wait_ms);
	r.seen = r.n;
	for (unsigned i = 0; i < 3; i++)
		rig_reply(&r, up, 401, challenge);
	rig_run(&r, 1000);
	rig_none(&r);
	b = alice(&r);
	ck_assert_msg((b != NULL) == (l->status == 200), "%s: the binding", l->name);
	obj_unref(b);
	rig_fini(&r);
}
END_TEST

START_TEST(test_later)
{
	struct rig r;
	struct rig_sent *s;
	struct binding *b;

	rig_init(&r, NULL, 1);
	registered(&r, CONTACT);
	send_register(&r, later[_i].register_extra);
	s = rig_expect(&r, "REGISTER", DOOR);
	if (later[_i].status) {
		rig_reply(&r, s, later[_i].status, later[_i].answer);
		rig_expect_status(&r, later[_i].status, ALICE);
	} else {
		rig_run(&r, 40000);
		s = rig_expect_status(&r, 504, ALICE);		/* RFC 4320: no 408 */
		ck_assert_str_ne(rig_hdr(s, "Retry-After"), "");
	}
	b = alice(&r);
	ck_assert_msg((b != NULL) == later[_i].stays, "%s", later[_i].name);
	obj_unref(b);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *ruri, *to, *access; unsigned status; const char *where, *out; } domains[] = {
	{ "home", "sip:home", "alice@home", NULL, 0, DOOR, "sip:home" },
	{ "our address", "sip:10.0.0.10", "alice@home", NULL, 0, DOOR, "sip:home" },
	{ "foreign", "sip:elsewhere", "alice@elsewhere", NULL, 403, NULL, NULL },
	{ "our address, foreign user", "sip:10.0.0.10", "alice@elsewhere", NULL, 403, NULL, NULL },
	{ "roaming", "sip:visitors", "alice@visitors", "  roaming_domains: [visitors]\n", 0, "udp:10.0.0.21:4060", "sip:visitors" },
	{ "static", "sip:home", "alice@home", "  icscf: \"sip:10.0.0.77:4060\"\n", 0, "udp:10.0.0.77:4060", "sip:home" },
	{ "tel", "tel:+49", "alice@home", NULL, 403, NULL, NULL },
};

START_TEST(test_domain)
{
	struct rig r;
	struct rig_sent *s;
	char who[128];

	rig_init(&r, domains[_i].access, 1);
	snprintf(who, sizeof(who), "From: <sip:%s>;tag=r\nTo: <sip:%s>\n", domains[_i].to, domains[_i].to);
	rig_request_as(&r, ALICE, "REGISTER", domains[_i].ruri, who, "reg", CONTACT);
	if (domains[_i].status) {
		rig_expect_status(&r, domains[_i].status, ALICE);
	} else {
		s = rig_expect(&r, "REGISTER", domains[_i].where);
		ck_assert_msg(str_eq_c(s->m->ruri_text, domains[_i].out), "%s", domains[_i].name);
	}
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *extra; unsigned status; } refused[] = {
	{ "contact is no URI", "Contact: <alice>\n", 400 },
	{ "star with another", "Contact: *, <sip:a@10.9.0.1>\n", 400 },
	{ "more than four", "Contact: <sip:a@h>, <sip:b@h>, <sip:c@h>, <sip:d@h>, <sip:e@h>\n", 400 },
	{ "unreadable forgery", CONTACT "Authorization: Digest username=\"x, integrity-protected=\"yes\"\n", 400 },
	{ "unknown option, row R11", CONTACT "Proxy-Require: telepathy\n", 420 },
	{ "Max-Forwards", NULL, 483 },
};

START_TEST(test_refused)
{
	struct rig r;

	rig_init(&r, NULL, 1);
	if (refused[_i].extra)
		send_register(&r, refused[_i].extra);
	else
		rig_in(&r, ALICE, "REGISTER sip:home SIP/2.0\nVia: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bKx\nMax-Forwards: 0\n" WHO
		       "Call-ID: c\nCSeq: 1 REGISTER\n");
	rig_expect_status(&r, refused[_i].status, ALICE);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* The binding is out before the 200, whichever worker owns it; the id in the Path keeps. */
START_TEST(test_owner)
{
	const unsigned n_users = 40;		/* that all have one owner happens once in 2^39 runs */
	char first[256], again[256], contact[128], key[256];
	unsigned owners = 0;
	struct rig r;

	rig_init(&r, NULL, 2);
	for (unsigned i = 0; i < n_users; i++) {
		char from[64], impi[64], user[16];

		snprintf(user, sizeof(user), "u%u", i);
		snprintf(from, sizeof(from), "udp:10.9.1.%u:5060", i);
		snprintf(impi, sizeof(impi), "%s@home", user);
		owners |= 1u << stack_owner(&r.stack, str_from_c(impi))->id;
		rig_register(&r, user, from, NULL, NULL, first);
		rig_register(&r, user, from, NULL, NULL, again);
		ck_assert_str_eq(first, again);
		rig_contact(user, from, contact);
		snprintf(key, sizeof(key), "%s|%s", impi, contact + 4);
		obj_unref(phone_by_key(r.p.phones, str_from_c(key)));
	}
	ck_assert_uint_eq(owners, 3);		/* both were tried */
	ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings) + bindings_count(pcscf_of(&r.workers[1].w)->bindings), n_users);
	rig_fini(&r);
}
END_TEST

/* TS 24.229 §5.1.6.6: an emergency registration cannot be ended by the phone, nor by the way. */
START_TEST(test_star_leaves_emergency)
{
	struct binding *b;
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_register(&r, "alice", "udp:10.9.0.1:5070", "sip:alice@10.9.0.1:5070;sos", NULL, NULL);
	rig_request_as(&r, ALICE, "REGISTER", "sip:home", "From: <sip:alice@home>;tag=r\nTo: <sip:alice@home>\n", "alice", "Contact: *\nExpires: 0\n");
	rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 200, "");
	ck_assert_uint_eq(rig_next(&r)->m->status, 200);
	ck_assert_uint_eq(bindings_count(pcscf_of(&r.workers[0].w)->bindings), 1);
	b = phone_by_key(r.p.phones, STR("alice@home|alice@10.9.0.1:5070" BINDING_KEY_SOS));
	ck_assert(b != NULL);
	obj_unref(b);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("register", TEST_ONE(test_star_leaves_emergency), TEST_ROWS(test_keep, keeps), { &(test_digest_over_tls), 2 }, TEST_ONE(test_to_the_core), TEST_ROWS(test_vouches_for_the_address_S5, vouched), TEST_ROWS(test_visited, visited), TEST_ROWS(test_integrity, integrity), TEST_ONE(test_association),
	  TEST_ONE(test_challenge), TEST_ROWS(test_late_challenge_reg_03, late), TEST_ONE(test_200), TEST_ROWS(test_later, later), TEST_ROWS(test_domain, domains),
	  TEST_ROWS(test_refused, refused), TEST_ONE(test_owner))
