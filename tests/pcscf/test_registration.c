/* tests/pcscf/test_registration.c - what a REGISTER and its 200 say: TS 24.229 §5.2.2.3, RFC 3261 §10; row P7, clients.md 1. */
#include <errno.h>
#include "pcscf/registration.h"
#include "tests/check.h"

static struct sip_msg *message(const char *start, const char *lines)
{
	struct sip_flow flow = { .proto = SIP_UDP };
	struct sip_parse_error err;
	struct sip_msg *m;
	struct buf b;

	addr_parse(STR("10.9.0.1"), 5060, &flow.remote);
	buf_init(&b, 60000);
	buf_printf(&b, "%s\r\nVia: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@home>;tag=1\r\nTo: \"A\" <sip:a@HOME:5060;x=y>\r\n"
		   "Call-ID: c\r\nCSeq: 1 REGISTER\r\n%sContent-Length: 0\r\n\r\n", start, lines);
	ck_assert_msg(sip_msg_parse_copy(buf_str(&b), &flow, &m, &err) == 0, "%s\n%s", err.why, lines);
	buf_fini(&b);
	return m;
}

#define REQ "REGISTER sip:home SIP/2.0"
#define RESP "SIP/2.0 200 OK"
static const struct { const char *name, *lines; int rc; const char *impi, *key; bool star, zero; } reads[] = {
	{ "contact", "Contact: <sip:a@10.9.0.1>\r\n", 0, "a@home", "a@home|a@10.9.0.1:5060", false, false },
	{ "contact with a port, case", "Contact: <sip:a@HOST.X:5066;ob>;q=1\r\n", 0, "a@home", "a@home|a@host.x:5066", false, false },
	{ "sips", "Contact: <sips:a@host>\r\n", 0, "a@home", "a@home|a@host:5061", false, false },
	{ "instance", "Contact: <sip:a@h>;+sip.instance=\"<urn:gsma:imei:1>\";reg-id=2\r\n", 0, "a@home", "a@home|<urn:gsma:imei:1>|2", false, false },
	{ "instance without reg-id", "Contact: <sip:a@h>;+sip.instance=\"<urn:x>\"\r\n", 0, "a@home", "a@home|<urn:x>|", false, false },
	{ "Authorization", "Contact: <sip:a@h>\r\nAuthorization: Digest username=\"imsi@priv\",response=\"\"\r\n", 0, "imsi@priv",
	  "imsi@priv|a@h:5060", false, false },
	{ "Authorization without a user", "Contact: <sip:a@h>\r\nAuthorization: Digest realm=\"home\"\r\n", 0, "a@home", "a@home|a@h:5060", false, false },
	{ "expires=0", "Contact: <sip:a@h>;expires=0\r\nExpires: 60\r\n", 0, "a@home", "a@home|a@h:5060", false, true },
	{ "Expires: 0", "Contact: <sip:a@h>\r\nExpires: 0\r\n", 0, "a@home", "a@home|a@h:5060", false, true },
	{ "parameter wins", "Contact: <sip:a@h>;expires=60\r\nExpires: 0\r\n", 0, "a@home", "a@home|a@h:5060", false, false },
	{ "star", "Contact: *\r\nExpires: 0\r\n", 0, "a@home", "", true, false },
	{ "query", "", 0, "a@home", "", false, false },
	{ "tel contact", "Contact: <tel:+49>\r\n", 0, "a@home", "", false, false },
	{ "compact", "m: <sip:a@h>\r\n", 0, "a@home", "a@home|a@h:5060", false, false },
	{ "star and more", "Contact: *\r\nContact: <sip:a@h>\r\n", -EBADMSG, NULL, NULL, false, false },
	{ "no URI", "Contact: <a>\r\n", -EBADMSG, NULL, NULL, false, false },
};

START_TEST(test_read)
{
	struct sip_msg *m = message(REQ, reads[_i].lines);
	struct registration reg;

	ck_assert_msg(registration_read(m, &reg) == reads[_i].rc, "%s", reads[_i].name);
	if (reads[_i].rc == 0)
		ck_assert_msg(str_eq_c(reg.impi, reads[_i].impi) && str_eq_c(reg.key, reads[_i].key) && reg.star == reads[_i].star &&
			      reg.zero == reads[_i].zero, "%s: %.*s, %.*s", reads[_i].name, STR_ARG(reg.impi), STR_ARG(reg.key));
	sip_msg_unref(m);
}
END_TEST

static const struct { const char *name, *request, *answer; uint32_t want; } grants[] = {
	{ "parameter", "", "Contact: <sip:a@h>;expires=120\r\nExpires: 60\r\n", 120 },
	{ "header", "", "Contact: <sip:a@h>\r\nExpires: 60\r\n", 60 },
	{ "neither", "", "Contact: <sip:a@h>\r\n", 3600 },
	{ "among others", "", "Contact: <sip:b@h>;expires=1, <sip:a@h>;expires=2\r\nContact: <sip:c@h>;expires=3\r\n", 2 },
	{ "equal, not the same text", "", "Contact: \"A\" <sip:a@H>;expires=5\r\n", 5 },
	{ "zero", "", "Contact: <sip:a@h>;expires=0\r\n", 0 },
	{ "only others", "", "Contact: <sip:b@h>;expires=9\r\nExpires: 60\r\n", 0 },
	{ "nothing, asked for zero", "Expires: 0\r\n", "Expires: 60\r\n", 0 },
	{ "nothing at all", "", "", 0 },
	{ "nothing listed, but Expires", "", "Expires: 60\r\n", 60 },
	{ "too large", "", "Contact: <sip:a@h>;expires=99999999999\r\n", UINT32_MAX },
	{ "not a number", "", "Contact: <sip:a@h>;expires=soon\r\n", 3600 },
};

START_TEST(test_granted)
{
	char lines[512];
	struct sip_msg *m, *a = message(RESP, grants[_i].answer);
	struct registration reg;

	snprintf(lines, sizeof(lines), "Contact: <sip:a@h>\r\n%s", grants[_i].request);
	m = message(REQ, lines);
	ck_assert_int_eq(registration_read(m, &reg), 0);
	ck_assert_msg(registration_granted(&reg, a) == grants[_i].want, "%s: %u", grants[_i].name, registration_granted(&reg, a));
	sip_msg_unref(m);
	sip_msg_unref(a);
}
END_TEST

static const struct { const char *name, *answer; int rc; unsigned routes, identities; const char *first; } bindings[] = {
	{ "usual", "Service-Route: <sip:s@x;lr>\r\nP-Associated-URI: <sip:a@home>, <tel:+491>\r\n", 0, 1, 2, "<sip:a@home>" },
	{ "two routes", "Service-Route: <sip:s@x;lr>, <sip:t@y;lr>\r\nP-Associated-URI: <sip:a@home>\r\n", 0, 2, 1, "<sip:a@home>" },
	{ "none of both", "", 0, 0, 1, "<sip:a@HOME:5060;x=y>" },
	{ "display name", "P-Associated-URI: \"A, B\" <sip:a@home>;p=q\r\n", 0, 0, 1, "\"A, B\" <sip:a@home>" },
	{ "one that cannot be used", "P-Associated-URI: <urn:x>, rubbish, <tel:+491>\r\n", 0, 0, 1, "<tel:+491>" },
	{ "route without lr", "Service-Route: <sip:s@x>\r\n", -EBADMSG, 0, 0, NULL },
	{ "route is no URI", "Service-Route: s\r\n", -EBADMSG, 0, 0, NULL },
	{ "nine routes", "Service-Route: <sip:1;lr>,<sip:2;lr>,<sip:3;lr>,<sip:4;lr>,<sip:5;lr>,<sip:6;lr>,<sip:7;lr>,<sip:8;lr>,<sip:9;lr>\r\n",
	  -EBADMSG, 0, 0, NULL },
};

START_TEST(test_binding)
{
	struct sip_msg *m = message(REQ, "Contact: <sip:a@10.9.0.1:5070>\r\nUser-Agent: phone\r\n"), *a = message(RESP, bindings[_i].answer);
	struct registration reg;
	struct binding *b = NULL;
	int rc;

	ck_assert_int_eq(registration_read(m, &reg), 0);
	rc = registration_binding(&reg, m, a, 42, BINDING_AUTH_DIGEST, 60, &b);
	sip_msg_unref(a);
	ck_assert_msg(rc == bindings[_i].rc, "%s: %d", bindings[_i].name, rc);
	if (rc == 0) {
		ck_assert(str_eq_c(b->contact, "sip:a@10.9.0.1:5070") && b->id == 42 && b->auth == BINDING_AUTH_DIGEST);
		ck_assert(str_eq_c(b->user_agent, "phone") && addr_port(&b->contact_addr) == 5070 && sip_flow_eq(&b->flow, &m->flow));
		ck_assert_msg(b->n_routes == bindings[_i].routes && b->n_identities == bindings[_i].identities &&
			      str_eq_c(b->identity[0].value, bindings[_i].first), "%s: %.*s", bindings[_i].name,
			      STR_ARG(b->identity[0].value));
	}
	obj_unref(b);
	sip_msg_unref(m);
}
END_TEST

TEST_MAIN("registration", TEST_ROWS(test_read, reads), TEST_ROWS(test_granted, grants), TEST_ROWS(test_binding, bindings))
