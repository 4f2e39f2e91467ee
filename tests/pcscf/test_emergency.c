/* tests/pcscf/test_emergency.c - emergency calls: TS 24.229 §5.2.10, §7.6; RFC 5031; row P21, SEC-19. */
#include <string.h>
#include "tests/pcscf/rig.h"

#define ECSCF "udp:10.0.0.70:7060"
#define ACCESS "  emergency:\n    ecscf: sip:10.0.0.70:7060\n    numbers: [\"112\", \"110=sos.police\", \"*99=sos.fire\"]\n"
#define OPEN ACCESS "    allow_anonymous: true\n"
#define WHO "From: <sip:anonymous@anonymous.invalid>;tag=A\nTo: <urn:service:sos>\n"
#define E_RR "<sip:mo@10.0.0.70:7060;lr>"
#define CONTACT "Contact: <sip:alice@10.9.0.1:5060>\n"

static const struct { const char *name, *ruri, *urn; } targets[] = {
	{ "RFC 5031", "urn:service:sos", "urn:service:sos" },
	{ "RFC 5031, a service", "urn:service:sos.ambulance", "urn:service:sos.ambulance" },
	{ "upper case", "URN:service:SOS.police", "URN:service:SOS.police" },
	{ "tel", "tel:112", "urn:service:sos" },
	{ "tel, separators RFC 3966 §5.1.1", "tel:1-1.2;phone-context=home", "urn:service:sos" },
	{ "tel, its service", "tel:110;phone-context=ims.home", "urn:service:sos.police" },
	{ "sip, home", "sip:112@home", "urn:service:sos" },
	{ "sip, home, upper case", "sip:112@HOME;user=phone", "urn:service:sos" },
	{ "sip, context in the user part", "sip:112;phone-context=+49@home;user=phone", "urn:service:sos" },
	{ "sip, escaped", "sip:%31%31%32@home", "urn:service:sos" },
	{ "sip, our address", "sip:112@10.0.0.10", "urn:service:sos" },
	{ "sip, a number anywhere", "sip:112@elsewhere;user=phone", "urn:service:sos" },
	{ "sip, dialstring RFC 4967", "sip:112@elsewhere;user=dialstring", "urn:service:sos" },
	{ "star", "sip:*99@home", "urn:service:sos.fire" },
	{ "somebody elsewhere", "sip:112@elsewhere", NULL },
	{ "longer", "tel:+491120", NULL },
	{ "prefix", "tel:1125", NULL },
	{ "international", "tel:+112", NULL },
	{ "a name", "sip:bob@home", NULL },
};

/* A registered phone: §5.2.10.3. */
START_TEST(test_target)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, ACCESS, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, "INVITE", targets[_i].ruri, CONTACT "Route: <sip:10.0.0.10;lr>, <sip:orig-alice@10.0.0.30:6060;lr>\n"
		    "P-Access-Network-Info: 3GPP-NR;utran-cell-id-3gpp=0010\n");
	s = rig_next(&r);
	ck_assert_msg(strcmp(s->where, targets[_i].urn ? ECSCF : SCSCF) == 0, "%s: %s", targets[_i].name, s->where);
	if (targets[_i].urn) {
		ck_assert_msg(str_eq_c(s->m->ruri_text, targets[_i].urn), "%s: %.*s", targets[_i].name, STR_ARG(s->m->ruri_text));
		ck_assert_str_eq(rig_hdr(s, "Route"), "<sip:10.0.0.70:7060;lr>");
		/* for the call back: RFC 3325 §9.1 */
		ck_assert_str_eq(rig_hdr(s, "P-Asserted-Identity"), "<sip:alice@home>, <tel:+49510>");
		ck_assert(strstr(rig_hdr(s, "P-Charging-Vector"), ";icid-generated-at=pcscf.home;orig-ioi=\"Type 1home\"") != NULL);
		ck_assert(strstr(rig_hdr(s, "P-Access-Network-Info"), "0010") != NULL);
		ck_assert_str_ne(rig_hdr(s, "Record-Route"), "");
	}
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *access, *who, *ruri; const char *action, *contact; } refused[] = {
	{ "no E-CSCF", "  emergency: {numbers: [\"112\"]}\n", "alice", "tel:112", NULL, "<urn:service:sos>" },
	{ "no E-CSCF, not registered", NULL, NULL, "urn:service:sos.fire", NULL, "<urn:service:sos.fire>" },
	{ "anonymous, not allowed", ACCESS, NULL, "urn:service:sos", "emergency-registration", "<urn:service:sos>" },
	{ "normal registration does not do", ACCESS "    need_registration: true\n", "alice", "tel:110", "emergency-registration",
	  "<urn:service:sos.police>" },
};

/* §7.6: the body that phones act on. */
START_TEST(test_alternative_service)
{
	char action[64];
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, refused[_i].access, 1);
	if (refused[_i].who)
		rig_register(&r, refused[_i].who, ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, "INVITE", refused[_i].ruri, CONTACT);
	s = rig_expect_status(&r, 380, ALICE);
	ck_assert_str_eq(rig_hdr(s, "Content-Type"), "application/3gpp-ims+xml");
	ck_assert_str_eq(rig_hdr(s, "P-Asserted-Identity"), "<sip:pcscf.home:5060>");
	ck_assert_str_eq(rig_hdr(s, "Contact"), refused[_i].contact);
	ck_assert(rig_contains(s, "<ims-3gpp version=\"1\"><alternative-service><type>emergency</type><reason>"));
	snprintf(action, sizeof(action), "<action>%s</action>", refused[_i].action ? refused[_i].action : "");
	ck_assert_msg(rig_contains(s, refused[_i].action ? action : "</reason></alternative-service>"), "%s", refused[_i].name);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

static void last_line(const char *rr, char dst[1024])
{
	snprintf(dst, 1024, "Route: %s, " E_RR "\n", rr);
}

/* §5.2.10.2: nobody's identity, and the whole call. */
START_TEST(test_anonymous)
{
	struct rig r;
	struct rig_sent *s, *inv;
	char rr[512], route[1024];

	rig_init(&r, OPEN, 1);
	rig_request_as(&r, ALICE, "INVITE", "urn:service:sos", WHO, "sos", CONTACT
		       "P-Preferred-Identity: <sip:bob@home>\nP-Asserted-Identity: <sip:bob@home>\nRoute: <sip:x@10.0.0.30:6060;lr>\n");
	s = inv = rig_expect(&r, "INVITE", ECSCF);
	ck_assert_str_eq(rig_hdr(s, "P-Asserted-Identity"), "");
	ck_assert_str_eq(rig_hdr(s, "P-Preferred-Identity"), "");
	ck_assert_str_eq(rig_hdr(s, "Route"), "<sip:10.0.0.70:7060;lr>");
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(route, sizeof(route), "Contact: <sip:psap@10.0.0.80>\nRecord-Route: " E_RR ", %s\n", rr);
	rig_reply(&r, inv, 200, route);
	rig_expect_status(&r, 200, ALICE);
	last_line(rr, route);
	rig_request_as(&r, ALICE, "ACK", "sip:psap@10.0.0.80", "From: <sip:anonymous@anonymous.invalid>;tag=A\nTo: <urn:service:sos>;tag=T\n",
		       "sos", route);
	rig_expect(&r, "ACK", ECSCF);
	rig_request_as(&r, ALICE, "UPDATE", "sip:psap@10.0.0.80", "From: <sip:anonymous@anonymous.invalid>;tag=A\nTo: <urn:service:sos>;tag=T\n",
		       "sos", route);
	s = rig_expect(&r, "UPDATE", ECSCF);
	rig_reply(&r, s, 200, NULL);
	rig_expect_status(&r, 200, ALICE);
	/* the PSAP ends it */
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	rig_request_as(&r, ECSCF, "BYE", "sip:alice@10.9.0.1:5060", "From: <urn:service:sos>;tag=T\nTo: <sip:anonymous@anonymous.invalid>;tag=A\n",
		       "sos", route);
	rig_expect(&r, "BYE", ALICE);
	rig_fini(&r);
}
END_TEST

/* Behind a NAT: what the PSAP sends finds the caller where it called from, until the call is over. */
START_TEST(test_anonymous_behind_nat)
{
	const char *from = "udp:10.9.0.77:4711";
	char rr[512], route[1024];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, OPEN, 1);
	rig_request_as(&r, from, "INVITE", "urn:service:sos", WHO, "sos", "Contact: <sip:me@192.168.1.7:5060>\n");
	s = rig_expect(&r, "INVITE", ECSCF);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(route, sizeof(route), "Contact: <sip:psap@10.0.0.80>\nRecord-Route: " E_RR ", %s\n", rr);
	rig_reply(&r, s, 200, route);
	rig_expect_status(&r, 200, from);
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	for (unsigned i = 0; i < 2; i++) {
		rig_request_as(&r, ECSCF, i ? "BYE" : "INFO", "sip:me@192.168.1.7:5060",
			       "From: <urn:service:sos>;tag=T\nTo: <sip:anonymous@anonymous.invalid>;tag=A\n", "sos", route);
		s = rig_expect(&r, i ? "BYE" : "INFO", from);
		rig_reply(&r, s, 200, NULL);
		rig_expect_status(&r, 200, ECSCF);
	}
	rig_fini(&r);
}
END_TEST

/* SEC-19: the token of an emergency call opens nothing else. */
static const struct { const char *name, *route_tail, *ruri; } misuse[] = {
	{ "to an S-CSCF", ", <sip:orig@10.0.0.30:6060;lr>", "sip:bob@home" },
	{ "to the home domain", ", <sip:home;lr>", "sip:bob@home" },
	{ "by the Request-URI", "", "sip:bob@home" },
	{ "by the Request-URI, an address", "", "sip:bob@10.0.0.20:4060" },
	{ "to somebody", ", <sip:evil@10.9.0.66;lr>", "sip:bob@home" },
};

START_TEST(test_misuse)
{
	struct rig r;
	struct rig_sent *inv;
	char rr[512], route[1024];

	rig_init(&r, OPEN "  trusted: [\"10.0.0.30\"]\n", 1);
	rig_register(&r, "carol", "udp:10.9.0.3:5060", NULL, NULL, NULL);	/* the S-CSCF is known from her */
	rig_request_as(&r, ALICE, "INVITE", "urn:service:sos", WHO, "sos", CONTACT);
	inv = rig_expect(&r, "INVITE", ECSCF);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(inv, "Record-Route"));
	snprintf(route, sizeof(route), "Contact: <sip:psap@10.0.0.80>\nRecord-Route: " E_RR ", %s\n", rr);
	rig_reply(&r, inv, 200, route);
	rig_expect_status(&r, 200, ALICE);
	snprintf(route, sizeof(route), "Route: %s%s\n", rr, misuse[_i].route_tail);
	rig_request_as(&r, ALICE, "INVITE", misuse[_i].ruri, "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "sos", route);
	rig_expect_status(&r, 403, ALICE);
	rig_request_as(&r, ALICE, "INVITE", misuse[_i].ruri, "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "sos2", route);
	ck_assert_uint_ge(rig_next(&r)->m->status, 400);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* TS 24.229 §5.1.6.2, §5.2.10: beside the normal registration, for emergency calls alone, no reg event. */
START_TEST(test_registration)
{
	struct rig r;
	struct rig_sent *s;
	struct binding *b;

	rig_init(&r, ACCESS "    need_registration: true\n", 1);
	rig_register(&r, "alice", ALICE, NULL, ";+sip.instance=\"<urn:gsma:imei:1>\"", NULL);
	rig_register(&r, "alice", "udp:10.9.0.1:5070", "sip:alice@10.9.0.1:5070;sos", ";+sip.instance=\"<urn:gsma:imei:1>\"", NULL);
	b = phone_by_key(r.p.phones, STR("alice@home|<urn:gsma:imei:1>|"));
	ck_assert_msg(b && !binding_is_emergency(b), "the normal registration is gone");
	obj_unref(b);
	b = phone_by_key(r.p.phones, STR("alice@home|<urn:gsma:imei:1>|" BINDING_KEY_SOS));
	ck_assert(b && binding_is_emergency(b));
	obj_unref(b);
	rig_request_as(&r, "udp:10.9.0.1:5070", "INVITE", "urn:service:sos", "From: <sip:alice@home>;tag=A\nTo: <urn:service:sos>\n", "1", CONTACT);
	rig_expect(&r, "INVITE", ECSCF);
	rig_request_as(&r, "udp:10.9.0.1:5070", "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "2", CONTACT);
	s = rig_next(&r);
	ck_assert_uint_eq(s->m->status, 403);
	rig_request_as(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "3", CONTACT);
	rig_expect(&r, "INVITE", SCSCF);
	rig_fini(&r);
}
END_TEST

/* One flow for both: normal calls stay possible. */
START_TEST(test_registration_on_the_same_flow)
{
	struct rig r;

	rig_init(&r, ACCESS, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_register(&r, "alice", ALICE, "sip:alice@10.9.0.1:5060;sos", NULL, NULL);
	rig_request(&r, ALICE, "INVITE", "sip:bob@home", CONTACT);
	rig_expect(&r, "INVITE", SCSCF);
	rig_request_as(&r, ALICE, "INVITE", "tel:112", "From: <sip:alice@home>;tag=A\nTo: <tel:112>\n", "2", CONTACT);
	rig_expect(&r, "INVITE", ECSCF);
	rig_fini(&r);
}
END_TEST

/* Whatever a phone does wrong with Route: §5.2.10 "independent of values of possible entries in the received Route". */
START_TEST(test_forged_route)
{
	struct rig r;

	rig_init(&r, ACCESS, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, "INVITE", "urn:service:sos", CONTACT "Route: <sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@10.0.0.10;lr>\n");
	rig_expect(&r, "INVITE", ECSCF);
	rig_request_as(&r, ALICE, "INVITE", "urn:service:sos", WHO, "n", CONTACT "Proxy-Require: magic\n");
	rig_expect_status(&r, 420, ALICE);
	rig_fini(&r);
}
END_TEST

/* Never refused in overload. */
static const struct { const char *name, *start; bool urgent; } urgent[] = {
	{ "urn", "INVITE urn:service:sos SIP/2.0", true }, { "number", "INVITE tel:112 SIP/2.0", true },
	{ "sip", "INVITE sip:110@home SIP/2.0", true }, { "somebody", "INVITE sip:bob@home SIP/2.0", false },
	{ "emergency registration", "REGISTER sip:home SIP/2.0\nContact: <sip:a@b;sos>", true },
	{ "registration", "REGISTER sip:home SIP/2.0\nContact: <sip:a@b>;sos", false },
};

START_TEST(test_urgent)
{
	struct rig r;
	struct sip_parse_error e;
	struct sip_msg *m;
	char text[512], ruri[64];
	const char *rest = strchr(urgent[_i].start, '\n');

	rig_init(&r, ACCESS, 1);
	sscanf(urgent[_i].start, "%*s %63s", ruri);
	snprintf(text, sizeof(text), "%.*s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\n"
		 "CSeq: 1 %.*s\r\n%s\r\n\r\n", rest ? (int)(rest - urgent[_i].start) : 200, urgent[_i].start,
		 (int)strcspn(urgent[_i].start, " "), urgent[_i].start, rest ? rest + 1 : "X: y");
	ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), NULL, &m, &e), 0);
	ck_assert_msg(pcscf_ops.urgent(&r.workers[0].w, str_from_c(ruri), m) == urgent[_i].urgent, "%s", urgent[_i].name);
	if (m->method == SIP_INVITE)		/* while it is not parsed */
		ck_assert(pcscf_ops.urgent(&r.workers[0].w, str_from_c(ruri), NULL) == urgent[_i].urgent);
	sip_msg_unref(m);
	rig_fini(&r);
}
END_TEST

static const struct { const char *text, *why; } mistakes[] = {
	{ "access: {emergency: {ecscf: \"tel:1\"}}", "not a SIP URI" },
	{ "access: {emergency: {numbers: [\"1x2\"]}}", "neither NUMBER nor" },
	{ "access: {emergency: {numbers: [\"112=police\"]}}", "neither NUMBER nor" },
	{ "access: {emergency: {numbers: [\"112=sos.\"]}}", "neither NUMBER nor" },
	{ "access: {emergency: {numbers: [\"112=sos.a>b\"]}}", "neither NUMBER nor" },
	{ "access: {emergency: {allow_anonymous: true}}", "there is no ecscf" },
};

START_TEST(test_mistakes)
{
	static const struct cfg_row *const schemas[] = { cfg_common_schema, pcscf_schema, NULL };
	struct buf errors;
	char text[512];
	struct cfg *c;

	buf_init(&errors, 4096);
	snprintf(text, sizeof(text), "domain: home\nsip: {listen: [\"udp:10.0.0.10:5060\"]}\n%s\n", mistakes[_i].text);
	ck_assert_int_eq(cfg_load_text(str_from_c(text), "t", schemas, &c, &errors), 0);
	pcscf_config_check(c, &errors);
	buf_putc(&errors, '\0');
	ck_assert_msg(strstr(errors.p, mistakes[_i].why) != NULL, "%s: %s", mistakes[_i].text, errors.p);
	cfg_unref(c);
	buf_fini(&errors);
}
END_TEST

TEST_MAIN("emergency", TEST_ROWS(test_target, targets), TEST_ROWS(test_alternative_service, refused), TEST_ONE(test_anonymous), TEST_ONE(test_anonymous_behind_nat),
	  TEST_ROWS(test_misuse, misuse), TEST_ONE(test_registration), TEST_ONE(test_registration_on_the_same_flow), TEST_ONE(test_forged_route),
	  TEST_ROWS(test_urgent, urgent), TEST_ROWS(test_mistakes, mistakes))
