/* tests/scscf/test_services.c - application servers in a call: TS 24.229 §5.4.3.2, §5.4.3.3; RFC 5502, RFC 8498; 
 * rows I7, T1, T3, T7, T8, T10, T11, T17. */
#include "tests/scscf/rig.h"

enum { ID_IVAN = 0x71, ID_JUDY = 0x72 };

#define AS(n, more) "<ApplicationServer><ServerName>sip:10.0.0.6" n "</ServerName>" more "</ApplicationServer>"
#define END_IT "<DefaultHandling>1</DefaultHandling>"
#define CASE(c) "<SPT><Group>1</Group><SessionCase>" c "</SessionCase></SPT>"
#define METHOD(m) "<SPT><Group>0</Group><Method>" m "</Method></SPT>"
#define IFC(priority, spts, as) "<InitialFilterCriteria><Priority>" priority "</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>" \
	spts "</TriggerPoint>" as "</InitialFilterCriteria>"
#define IVAN "<PublicIdentity><Identity>sip:ivan@home.example</Identity></PublicIdentity>" \
	     "<PublicIdentity><Identity>tel:+4930777</Identity></PublicIdentity>"
#define CONTACT "sip:ivan@10.8.0.9:5066"
#define SENT(r, method, i) (rig_req(r, method, i)->m)

/* With ivan registered, or not when contact is NULL, and his criteria. */
static void begin(struct rig *r, const char *ifc, const char *contact)
{
	char service[8192];

	rig_init(r, "{as_wait_ms: 1000, as_hold_s: 5}");
	rig_users(r);
	snprintf(service, sizeof(service), IVAN "%s", ifc);
	rig_user(r, ID_IVAN, service, contact);
}

static void originate(struct rig *r, const char *method, const char *ruri, const char *extra)
{
	char text[2048];

	snprintf(text, sizeof(text), "Route: %s\nP-Asserted-Identity: <sip:ivan@home.example>\n%s",
		 rig_route(r, TOKEN_SERVICE_ROUTE, 0, ID_IVAN), extra);
	rig_request(r, method, ruri, NULL, text);
}

START_TEST(test_asserted_service)	/* RFC 6050, row T11: criteria see the service that the network asserts */
{
	static const char *const mmtel = "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mmtel\n";
	struct rig r;

	for (unsigned preferred = 0; preferred < 2; preferred++) {
		begin(&r, IFC("1", "<SPT><Group>0</Group><SIPHeader><Header>P-Asserted-Service</Header><Content>icsi.mmtel</Content></SIPHeader></SPT>",
			      AS("1", "")), CONTACT);
		originate(&r, "INVITE", "sip:bob@home.example", preferred ? mmtel : "");
		ck_assert_str_eq(rig_down(&r), preferred ? "INVITE@10.0.0.61" : "INVITE@10.0.0.20");
		ck_assert_str_eq(rig_hdr(SENT(&r, "INVITE", 0), SIP_H_PASSERTED_SERVICE), preferred ? "urn:urn-7:3gpp-service.ims.icsi.mmtel" : "");
		rig_fini(&r);
	}
}
END_TEST

/* ---- row T6: what becomes of a request that no criterion of the user's own wants ---- */

#define MESSAGES(n) IFC("1", METHOD("MESSAGE"), AS(n, ""))
#define DUMMY IFC("1", METHOD("INVITE"), "<ApplicationServer><ServerName>sip:dummy.home</ServerName></ApplicationServer>")
static const struct { const char *name, *own, *set; bool refuse, terminating; const char *down; unsigned status; } withouts[] = {
	{ "as ever: it goes on", MESSAGES("1"), NULL, false, false, "INVITE@10.0.0.20", 0 },
	{ "the fallback set wants it", MESSAGES("1"), IFC("1", METHOD("INVITE"), AS("9", "")), false, false, "INVITE@10.0.0.69", 0 },
	{ "no criteria at all: the fallback set", "", IFC("1", METHOD("INVITE"), AS("9", "")), true, false, "INVITE@10.0.0.69", 0 },
	{ "the fallback set does not want it either", MESSAGES("1"), MESSAGES("9"), false, false, "INVITE@10.0.0.20", 0 },
	{ "refused", MESSAGES("1"), NULL, true, false, "", 403 },
	{ "refused, with a set that does not fit", MESSAGES("1"), MESSAGES("9"), true, false, "", 403 },
	{ "one's own comes first", IFC("1", METHOD("INVITE"), AS("1", "")), IFC("1", METHOD("INVITE"), AS("9", "")), true, false, "INVITE@10.0.0.61", 0 },
	{ "a dummy counts", DUMMY, IFC("1", METHOD("INVITE"), AS("9", "")), true, false, "INVITE@10.0.0.20", 0 },
	{ "a dummy before a server", DUMMY IFC("2", METHOD("INVITE"), AS("1", "")), NULL, true, false, "INVITE@10.0.0.61", 0 },
	{ "terminating", MESSAGES("1"), IFC("1", CASE("1"), AS("9", "")), true, true, "INVITE@10.0.0.69", 0 },
	{ "terminating, refused", MESSAGES("1"), NULL, true, true, "", 403 },
};

static void begin_without(struct rig *r, const char *own, const char *set, bool refuse)
{
	char service[4096];

	rig_init(r, refuse ? "{dummy_server: \"sip:dummy.home\", refuse_without_service: true}" : "{dummy_server: \"sip:dummy.home\"}");
	rig_users(r);
	if (set) {
		ck_assert_int_eq(criteria_store_add(r->s.criteria, 7, str_from_c(set)), 0);
		ck_assert_int_eq(criteria_get(r->s.criteria, STR("<SharedIFCSetID>7</SharedIFCSetID>"), &r->s.fallback), 0);
	}
	snprintf(service, sizeof(service), IVAN "%s", own);
	rig_user(r, ID_IVAN, service, CONTACT);
}

static void end_without(struct rig *r)
{
	obj_unref(r->s.fallback);
	rig_fini(r);
}

START_TEST(test_without_service_row_T6)
{
	struct rig r;

	begin_without(&r, withouts[_i].own, withouts[_i].set, withouts[_i].refuse);
	if (withouts[_i].terminating)
		rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, "Route: <sip:scscf.home.example:6060;lr>\n");
	else
		originate(&r, "INVITE", "sip:bob@home.example", "");
	ck_assert_msg(strcmp(rig_down(&r), withouts[_i].down) == 0, "%s: %s", withouts[_i].name, rig_down(&r));
	ck_assert_msg(rig_status(&r) == withouts[_i].status, "%s: %u", withouts[_i].name, rig_status(&r));
	end_without(&r);
}
END_TEST

/* Whose side a request that comes back is of: beside the session case stands where the place is. */
static const struct { const char *name; unsigned flags; bool term; } odis[] = {
	{ "originating", CASE_ORIGINATING, false }, { "terminating", CASE_TERMINATING_REGISTERED, true },
	{ "originating, fallback set", CASE_ORIGINATING | 0x80, false }, { "terminating, fallback set", CASE_TERMINATING_REGISTERED | 0x80, true },
	{ "unregistered, fallback set", CASE_TERMINATING_UNREGISTERED | 0x80, true },
};

START_TEST(test_odi_row_T6)
{
	ck_assert_msg(services_odi_term(&(struct token){ .flags = (uint8_t)odis[_i].flags }) == odis[_i].term, "%s", odis[_i].name);
}
END_TEST

/* The place in the fallback set travels in the original dialog identifier: its second server follows, then the callee. */
START_TEST(test_fallback_chain_T6)
{
	struct rig r;

	begin_without(&r, MESSAGES("1"), IFC("1", METHOD("INVITE"), AS("8", "")) IFC("2", METHOD("INVITE"), AS("9", "")), true);
	originate(&r, "INVITE", "sip:bob@home.example", "");
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, NULL);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.68 INVITE@10.0.0.69");
	rig_return(&r, rig_req(&r, "INVITE", 1), NULL, "another@b2bua");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.68 INVITE@10.0.0.69 INVITE@10.0.0.20");
	end_without(&r);
}
END_TEST

/* ---- public service identities: TS 23.228 §5.7, RFC 5002; rows I7, T10 ---- */

#define PSI(type, uri, more) "<PublicIdentity><Identity>" uri "</Identity><Extension><IdentityType>" type "</IdentityType>" more \
	"</Extension></PublicIdentity>"
#define WILDCARD "<Extension><Extension><WildcardedPSI>sip:chat-![a-z]+[0-9]*!@home.example</WildcardedPSI></Extension></Extension>"
#define FROM_ICSCF "Route: <sip:scscf.home.example:6060;lr>\n"
#define KEY "P-Profile-Key: <sip:chat-![a-z]+[0-9]*!@home.example>\n"

static const struct { const char *wildcard, *aor; bool fits; } wildcard_rows[] = {
	{ "sip:chat-!.*!@h", "sip:chat-1@h", true }, { "sip:chat-!.*!@h", "sip:chat-@h", true }, { "sip:chat-!.+!@h", "sip:chat-@h", false },
	{ "sip:chat-![0-9]+!@h", "sip:chat-1a@h", false }, { "sip:chat-!a|b!@h", "sip:chat-ab@h", false }, { "sip:chat-!a|b!@h", "sip:chat-b@h", true },
	{ "sip:chat-!.*!@h", "sip:cha@h", false }, { "sip:chat-!.*!@h", "sip:chat-1@x", false }, { "tel:+4930!.*!", "tel:+49301", true },
	{ "sip:chat@h", "sip:chat@h", false }, { "sip:a!b@h", "sip:ab@h", false }, { "sip:!(!@h", "sip:x@h", false }, { "", "", false },
};

START_TEST(test_wildcard_row)
{
	ck_assert_msg(wildcard_fits(str_from_c(wildcard_rows[_i].wildcard), str_from_c(wildcard_rows[_i].aor)) == wildcard_rows[_i].fits, "%s %s",
		      wildcard_rows[_i].wildcard, wildcard_rows[_i].aor);
}
END_TEST

START_TEST(test_distinct_psi)		/* a service that nobody registers: its server answers */
{
	struct rig r;

	rig_init(&r, NULL);
	rig_user(&r, 0x81, PSI("1", "sip:conf@home.example", "") IFC("1", CASE("2"), AS("1", "")), NULL);
	rig_request(&r, "INVITE", "sip:conf@home.example", NULL, FROM_ICSCF);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61");
	ck_assert_str_eq(rig_hdr(SENT(&r, "INVITE", 0), SIP_H_PSERVED_USER), "<sip:conf@home.example>;sescase=term;regstate=unreg");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "");
	ck_assert_uint_eq(rig_status(&r), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_wildcarded_psi)		/* found by the I-CSCF's P-Profile-Key; two servers, each told the identity that is meant */
{
	struct rig r;

	rig_init(&r, NULL);
	rig_user(&r, 0x81, PSI("2", "sip:chat-any@home.example", WILDCARD) IFC("1", CASE("2"), AS("1", "")) IFC("2", CASE("2"), AS("2", "")), NULL);
	rig_request(&r, "INVITE", "sip:chat-room7@home.example", NULL, FROM_ICSCF KEY);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61");
	ck_assert(str_eq_c(SENT(&r, "INVITE", 0)->ruri_text, "sip:chat-room7@home.example"));
	ck_assert_str_eq(rig_hdr(SENT(&r, "INVITE", 0), SIP_H_PSERVED_USER), "<sip:chat-room7@home.example>;sescase=term;regstate=unreg");
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, NULL);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 INVITE@10.0.0.62");	/* no retargeting: it is one of them */
	ck_assert_str_eq(rig_hdr(SENT(&r, "INVITE", 1), SIP_H_PSERVED_USER), "<sip:chat-room7@home.example>;sescase=term;regstate=unreg");
	rig_fini(&r);
}
END_TEST

/* S9, TS 23.003 §13.4A: numbers of a PBX.  The one that calls is asserted, and what the server hears of. */
static const struct { const char *name, *asserted, *pai, *served; } pbx[] = {
	{ "S9 one of them", "\"Desk\" <sip:desk12@home.example>", "\"Desk\" <sip:desk12@home.example>", "<sip:desk12@home.example>;sescase=orig;regstate=reg" },
	{ "S9 none of them", "<sip:deskX@home.example>", "<sip:pbx@home.example>", "<sip:pbx@home.example>;sescase=orig;regstate=reg" },
	{ "S9 an identity of its own", "<sip:pbx@home.example>", "<sip:pbx@home.example>", "<sip:pbx@home.example>;sescase=orig;regstate=reg" },
};

START_TEST(test_wildcarded_caller_row)
{
	char extra[512];
	struct rig r;

	rig_init(&r, NULL);
	rig_user(&r, 0x81, "<PublicIdentity><Identity>sip:pbx@home.example</Identity></PublicIdentity>"
		 PSI("4", "sip:desk1@home.example", "<Extension><Extension><Extension><WildcardedIMPU>sip:desk![0-9]+!@home.example</WildcardedIMPU>"
		     "</Extension></Extension></Extension>") IFC("1", CASE("0"), AS("1", "")) IFC("2", CASE("0"), AS("2", "")), CONTACT);
	snprintf(extra, sizeof(extra), "Route: %s\nP-Asserted-Identity: %s\n", rig_route(&r, TOKEN_SERVICE_ROUTE, 0, 0x81), pbx[_i].asserted);
	rig_request(&r, "INVITE", "sip:bob@home.example", NULL, extra);
	ck_assert_msg(rig_req(&r, "INVITE", 0) != NULL, "%s: %u", pbx[_i].name, rig_status(&r));
	ck_assert_msg(strcmp(rig_hdr(SENT(&r, "INVITE", 0), SIP_H_PAI), pbx[_i].pai) == 0, "%s: %s", pbx[_i].name,
		      rig_hdr(SENT(&r, "INVITE", 0), SIP_H_PAI));
	ck_assert_msg(strcmp(rig_hdr(SENT(&r, "INVITE", 0), SIP_H_PSERVED_USER), pbx[_i].served) == 0, "%s: %s", pbx[_i].name,
		      rig_hdr(SENT(&r, "INVITE", 0), SIP_H_PSERVED_USER));
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, NULL);			/* and the next one */
	ck_assert_ptr_nonnull(rig_req(&r, "INVITE", 1));
	ck_assert_msg(strcmp(rig_hdr(SENT(&r, "INVITE", 1), SIP_H_PSERVED_USER), pbx[_i].served) == 0, "%s: %s", pbx[_i].name,
		      rig_hdr(SENT(&r, "INVITE", 1), SIP_H_PSERVED_USER));
	rig_fini(&r);
}
END_TEST

START_TEST(test_wildcard_retargeted)	/* another identity than one of the wildcard's */
{
	struct rig r;

	rig_init(&r, NULL);
	rig_user(&r, 0x81, PSI("2", "sip:chat-any@home.example", WILDCARD) IFC("1", CASE("2"), AS("1", "")) IFC("2", CASE("2"), AS("2", "")), NULL);
	rig_request(&r, "INVITE", "sip:chat-room7@home.example", NULL, FROM_ICSCF KEY);
	rig_return(&r, rig_req(&r, "INVITE", 0), "sip:bob@home.example", NULL);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 INVITE@10.0.0.20");
	rig_fini(&r);
}
END_TEST

START_TEST(test_profile_key_of_others)	/* without the I-CSCF's Route it opens nothing */
{
	struct rig r;

	rig_init(&r, NULL);
	rig_user(&r, 0x81, PSI("2", "sip:chat-any@home.example", WILDCARD) IFC("1", CASE("2"), AS("1", "")), NULL);
	rig_request(&r, "INVITE", "sip:chat-room7@home.example", NULL, KEY);
	ck_assert_uint_eq(rig_status(&r), 404);
	ck_assert_str_eq(rig_down(&r), "");
	rig_fini(&r);
}
END_TEST

/* ---- the chain ---- */

/* Row T7: two servers by priority, each with the identifier to come back with, then the way on. */
START_TEST(test_originating_chain)
{
	struct rig r;
	struct rig_sent *q;

	begin(&r, IFC("7", METHOD("INVITE") CASE("0"), AS("2", "")) IFC("3", CASE("0"), AS("1", "")) IFC("5", CASE("1"), AS("3", "")), CONTACT);
	originate(&r, "INVITE", "sip:bob@home.example", "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61");
	q = rig_req(&r, "INVITE", 0);
	ck_assert(str_eq(q->m->ruri_text, STR("sip:bob@home.example")));
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PSERVED_USER), "<sip:ivan@home.example>;sescase=orig;regstate=reg");
	ck_assert(strncmp(rig_hdr(q->m, SIP_H_ROUTE), "<sip:10.0.0.61;lr>, <sip:", 25) == 0);
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PAI), "<sip:ivan@home.example>, <tel:+4930777>");
	rig_return(&r, q, NULL, NULL);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 INVITE@10.0.0.62");
	q = rig_req(&r, "INVITE", 1);
	ck_assert_uint_eq(sip_values_count(q->m, SIP_H_ROUTE), 2);
	ck_assert_uint_eq(sip_values_count(q->m, SIP_H_RECORD_ROUTE), 1);	/* the server did not stay on the route: once is enough */
	rig_return(&r, q, NULL, NULL);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 INVITE@10.0.0.62 INVITE@10.0.0.20");
	q = rig_req(&r, "INVITE", 2);
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PSERVED_USER), "");
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_ROUTE), "");
	rig_reply(&r, q, 200, "Contact: <sip:bob@10.8.0.2>\n");
	ck_assert_str_eq(rig_hdr(SENT(&r, "INVITE", 2), SIP_H_PAI), "<sip:ivan@home.example>, <tel:+4930777>");
	rig_fini(&r);
}
END_TEST

START_TEST(test_terminating_chain)
{
	struct rig r;
	struct rig_sent *q;

	begin(&r, IFC("1", CASE("1"), AS("1", "")) IFC("2", CASE("0"), AS("2", "")) IFC("3", CASE("1"), AS("3", "")), CONTACT);
	rig_request(&r, "INVITE", "tel:+4930777", NULL, "Route: <sip:scscf.home.example:6060;lr>\nP-Access-Network-Info: 3GPP\n");
	q = rig_req(&r, "INVITE", 0);
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PSERVED_USER), "<tel:+4930777>;sescase=term;regstate=reg");
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PCALLED_PARTY_ID), "");
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PAANI), "3GPP");
	rig_return(&r, q, NULL, NULL);
	rig_return(&r, rig_req(&r, "INVITE", 1), "sip:ivan@home.example", NULL);	/* an alias of his: still him */
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 INVITE@10.0.0.63 INVITE@10.0.0.9");
	q = rig_req(&r, "INVITE", 2);
	ck_assert(str_eq(q->m->ruri_text, STR(CONTACT)));
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PCALLED_PARTY_ID), "<sip:ivan@home.example>");
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PSERVED_USER), "");
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PAANI), "");
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_ROUTE), "<sip:PX@p9.home.example;lr>");
	rig_fini(&r);
}
END_TEST

/* A B2BUA comes back with a call of its own: the identifier says what it belongs to, and we record-route there, too. */
START_TEST(test_b2bua)
{
	struct rig r;
	struct rig_sent *q;

	begin(&r, IFC("1", CASE("0"), AS("1", "")) IFC("2", CASE("0"), AS("2", "")), CONTACT);
	originate(&r, "INVITE", "sip:bob@home.example", "");
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, "other-call");
	q = rig_req(&r, "INVITE", 1);
	ck_assert(q && str_eq(q->m->call_id, STR("other-call")));
	ck_assert_uint_eq(sip_values_count(q->m, SIP_H_RECORD_ROUTE), 1);
	rig_return(&r, q, NULL, "third-call");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 INVITE@10.0.0.62 INVITE@10.0.0.20");
	rig_fini(&r);
}
END_TEST

/* A server that forks: each of its branches comes back with the same identifier and goes on. */
START_TEST(test_forking_server)
{
	struct rig r;

	begin(&r, IFC("1", CASE("1"), AS("1", "")), CONTACT);
	rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, "");
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, NULL);
	rig_return(&r, rig_req(&r, "INVITE", 0), "sip:bob@home.example", NULL);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 INVITE@10.0.0.9 INVITE@10.0.0.20");
	rig_fini(&r);
}
END_TEST

/* TS 24.229 §5.4.3.3: another target: the rest of the terminating services is not run, the diverting user's CDIV ones are. */
START_TEST(test_retargeted)
{
	struct rig r;
	struct rig_sent *q;

	begin(&r, IFC("1", CASE("1"), AS("1", "")) IFC("2", CASE("1"), AS("2", "")) IFC("3", CASE("4"), AS("3", "")), CONTACT);
	rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, "");
	rig_return(&r, rig_req(&r, "INVITE", 0), "sip:bob@home.example", NULL);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 INVITE@10.0.0.63");
	q = rig_req(&r, "INVITE", 1);
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PSERVED_USER), "<sip:ivan@home.example>;orig-cdiv");
	rig_return(&r, q, NULL, NULL);
	q = rig_req(&r, "INVITE", 2);
	ck_assert(str_eq(q->m->ruri_text, STR("sip:bob@home.example")));
	ck_assert_str_eq(rig_hdr(q->m, SIP_H_PCALLED_PARTY_ID), "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 INVITE@10.0.0.63 INVITE@10.0.0.20");
	rig_fini(&r);
}
END_TEST

/* The server is the end of it. */
START_TEST(test_answers_itself)
{
	struct rig r;

	begin(&r, IFC("1", METHOD("MESSAGE"), AS("1", "")), CONTACT);
	originate(&r, "MESSAGE", "tel:+491770610000", "");
	rig_reply(&r, rig_req(&r, "MESSAGE", 0), 202, "");
	ck_assert_uint_eq(rig_status(&r), 202);
	ck_assert_str_eq(rig_down(&r), "MESSAGE@10.0.0.61");
	rig_fini(&r);
}
END_TEST

/* ---- tokens ---- */

START_TEST(test_identifiers)
{
	char route[512];
	struct rig r;

	begin(&r, IFC("1", CASE("0"), AS("1", "")), CONTACT);
	/* of a registration that is gone */
	snprintf(route, sizeof(route), "Route: %s\n", rig_route(&r, TOKEN_ODI, 0, 0x999));
	rig_request(&r, "INVITE", "sip:bob@home.example", NULL, route);
	ck_assert_uint_eq(rig_status(&r), 480);
	/* forged */
	r.turn++;
	rig_request(&r, "INVITE", "sip:bob@home.example", NULL, "Route: <sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@scscf.home.example:6060;lr>\n");
	ck_assert_uint_eq(rig_status(&r), 403);
	ck_assert_str_eq(rig_down(&r), "");
	/* no Service-Route or Record-Route may stand for one inside of a dialog, nor the other way round */
	r.turn++;
	snprintf(route, sizeof(route), "Route: %s\n", rig_route(&r, TOKEN_ODI, 0, ID_IVAN));
	rig_request(&r, "BYE", "sip:bob@home.example", "B", route);
	ck_assert_uint_eq(rig_status(&r), 481);
	rig_fini(&r);
}
END_TEST

/* ---- default handling: row T8 ---- */

static const struct { const char *name, *sessions; uint32_t ms; } budget_rows[] = {
	{ "its own time", "{as_wait_ms: 3000, as_budgets: [{server: \"sip:x.example\", wait_ms: 200}, {server: \"sip:10.0.0.61\", wait_ms: 1000}]}", 1000 },
	{ "another spelling, RFC 3261 §19.1.4", "{as_budgets: [{server: \"SIP:10.0.0.61;lr\", wait_ms: 700}]}", 700 },
	{ "a longer one", "{as_wait_ms: 500, as_budgets: [{server: \"sip:10.0.0.61\", wait_ms: 2000}]}", 2000 },
	{ "another server's", "{as_wait_ms: 900, as_budgets: [{server: \"sip:10.0.0.61:5070\", wait_ms: 100}, {server: \"sip:u@10.0.0.61\", wait_ms: 100}]}", 900 },
};

START_TEST(test_budget_row)		/* TS 24.229 §5.4.3.2: default handling when the time of this server is over, not before */
{
	struct rig r;

	rig_init(&r, budget_rows[_i].sessions);
	rig_users(&r);
	rig_user(&r, ID_IVAN, IVAN IFC("1", CASE("0"), AS("1", "")), CONTACT);
	originate(&r, "INVITE", "sip:bob@home.example", "");
	rig_run(&r, budget_rows[_i].ms - 50);
	ck_assert_msg(strcmp(rig_down(&r), "INVITE@10.0.0.61") == 0, "%s: %s", budget_rows[_i].name, rig_down(&r));
	rig_run(&r, 200);
	ck_assert_msg(rig_has(SENT(&r, "INVITE", 1), "sip:bob@home.example"), "%s", budget_rows[_i].name);
	rig_fini(&r);
}
END_TEST

/* §5.4.3.2: 100 says nothing of what the server does. */
static const struct { const char *name, *sessions, *as; unsigned then; bool back; uint32_t ms; bool fails; unsigned up; } hangs[] = {
	{ "T8 nothing behind 100", "{as_progress_ms: 3000}", AS("1", ""), 0, false, 3000, true, 0 },
	{ "T8 by default", NULL, AS("1", ""), 0, false, 20000, true, 0 },
	{ "T8 nothing behind 100, terminated", "{as_progress_ms: 3000}", AS("1", END_IT), 0, false, 3000, true, 408 },
	{ "T8 another 100 does not prolong it", "{as_progress_ms: 3000}", AS("1", ""), 100, false, 3000, true, 0 },
	{ "T8 a 183 is progress", "{as_progress_ms: 3000}", AS("1", ""), 183, false, 3000, false, 0 },
	{ "T8 it sent the request back", "{as_progress_ms: 3000}", AS("1", ""), 0, true, 3000, false, 0 },
	{ "T8 no limit", "{as_progress_ms: 0}", AS("1", ""), 0, false, 60000, false, 0 },
};

START_TEST(test_hangs_row)
{
	char service[2048];
	struct rig r;
	unsigned n;

	rig_init(&r, hangs[_i].sessions);
	rig_users(&r);
	snprintf(service, sizeof(service), IVAN IFC("1", CASE("0"), "%s"), hangs[_i].as);
	rig_user(&r, ID_IVAN, service, CONTACT);
	originate(&r, "INVITE", "sip:bob@home.example", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 100, "");
	rig_run(&r, 1000);
	if (hangs[_i].then)
		rig_reply(&r, rig_req(&r, "INVITE", 0), hangs[_i].then, "");
	if (hangs[_i].back)
		rig_return(&r, rig_req(&r, "INVITE", 0), NULL, NULL);
	n = 1 + hangs[_i].back;
	rig_run(&r, hangs[_i].ms - 1100);
	ck_assert_msg(!rig_req(&r, "CANCEL", 0) && !rig_req(&r, "INVITE", n), "%s: too early: %s", hangs[_i].name, rig_down(&r));
	rig_run(&r, 300);
	ck_assert_msg((rig_req(&r, "CANCEL", 0) != NULL) == hangs[_i].fails, "%s: %s", hangs[_i].name, rig_down(&r));
	ck_assert_msg((rig_req(&r, "INVITE", n) != NULL) == (hangs[_i].fails && !hangs[_i].up), "%s: %s", hangs[_i].name, rig_down(&r));
	ck_assert_msg(!hangs[_i].up || rig_status(&r) == hangs[_i].up, "%s: %u", hangs[_i].name, rig_status(&r));
	rig_fini(&r);
}
END_TEST

enum how { STATUS, SILENT, NOWHERE, PROGRESS, PASSED_ON };
static const struct { const char *name, *method; const char *as; enum how how; unsigned status; bool goes_on; unsigned up; } failures[] = {
	{ "500, continued", "INVITE", AS("1", ""), STATUS, 500, true, 0 },
	{ "503, continued", "INVITE", AS("1", ""), STATUS, 503, true, 0 },
	{ "408, continued", "INVITE", AS("1", ""), STATUS, 408, true, 0 },
	{ "408 of a MESSAGE, continued", "MESSAGE", AS("1", ""), STATUS, 408, true, 0 },
	{ "500, terminated", "INVITE", AS("1", END_IT), STATUS, 500, false, 500 },
	{ "408, terminated", "INVITE", AS("1", END_IT), STATUS, 408, false, 408 },
	{ "403 is its decision", "INVITE", AS("1", ""), STATUS, 403, false, 403 },
	{ "486 is its decision", "INVITE", AS("1", ""), STATUS, 486, false, 486 },
	{ "603 is its decision", "INVITE", AS("1", ""), STATUS, 603, false, 603 },
	{ "302 is its decision", "INVITE", AS("1", ""), STATUS, 302, false, 302 },
	{ "silence, continued", "INVITE", AS("1", ""), SILENT, 0, true, 0 },
	{ "silence to a MESSAGE, continued", "MESSAGE", AS("1", ""), SILENT, 0, true, 0 },
	{ "silence, terminated", "INVITE", AS("1", END_IT), SILENT, 0, false, 408 },
	{ "silence to a MESSAGE, terminated", "MESSAGE", AS("1", END_IT), SILENT, 0, false, 504 },
	{ "no such name, continued", "INVITE", "<ApplicationServer><ServerName>sip:nx.example</ServerName></ApplicationServer>", NOWHERE, 0, true, 0 },
	{ "no such name, terminated", "INVITE", "<ApplicationServer><ServerName>sip:nx.example</ServerName>" END_IT "</ApplicationServer>", NOWHERE, 0, false, 500 },
	{ "500 after 183", "INVITE", AS("1", ""), PROGRESS, 500, false, 500 },
	{ "500 of the callee through it", "INVITE", AS("1", ""), PASSED_ON, 500, false, 500 },
};

START_TEST(test_default_handling)
{
	struct rig_sent *q;
	struct rig r;
	char ifc[1024];
	unsigned next;

	snprintf(ifc, sizeof(ifc), IFC("1", CASE("0"), "%s"), failures[_i].as);
	begin(&r, ifc, CONTACT);
	originate(&r, failures[_i].method, "sip:bob@home.example", "");
	q = rig_req(&r, failures[_i].method, 0);
	next = failures[_i].how == NOWHERE ? 0 : 1;
	if (failures[_i].how == PROGRESS)
		rig_reply(&r, q, 183, "");
	if (failures[_i].how == PASSED_ON) {
		rig_return(&r, q, NULL, NULL);
		next++;
	}
	if (failures[_i].how == SILENT)
		rig_run(&r, 1100);
	else if (failures[_i].how != NOWHERE)
		rig_reply(&r, q, failures[_i].status, "");
	if (failures[_i].goes_on) {
		q = rig_req(&r, failures[_i].method, next);
		ck_assert_msg(q && strstr(rig_down(&r), "10.0.0.20"), "%s: %s", failures[_i].name, rig_down(&r));
		ck_assert_str_eq(rig_hdr(q->m, SIP_H_PSERVED_USER), "");
		ck_assert_str_eq(rig_hdr(q->m, SIP_H_ROUTE), "");
		ck_assert_uint_eq(rig_status(&r), 0);
		rig_reply(&r, q, 486, "");
		ck_assert_msg(rig_status(&r) == 486, "%s: %u", failures[_i].name, rig_status(&r));
	} else {
		ck_assert_msg(!rig_req(&r, failures[_i].method, next), "%s: %s", failures[_i].name, rig_down(&r));
		ck_assert_msg(rig_status(&r) == failures[_i].up, "%s: %u", failures[_i].name, rig_status(&r));
	}
	rig_fini(&r);
}
END_TEST

/* The next server, and the contacts behind it: the terminating side goes on in the same way. */
START_TEST(test_goes_on_to_the_next_server)
{
	struct rig r;

	begin(&r, IFC("1", CASE("1"), AS("1", "")) IFC("2", CASE("1"), AS("2", "")), CONTACT);
	rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 500, "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61 ACK@10.0.0.61 INVITE@10.0.0.62");
	rig_run(&r, 1100);
	ck_assert(strstr(rig_down(&r), "INVITE@10.0.0.9"));
	ck_assert_str_eq(rig_hdr(SENT(&r, "INVITE", 2), SIP_H_PCALLED_PARTY_ID), "<sip:ivan@home.example>");
	rig_fini(&r);
}
END_TEST

/* A dead one is asked once; for as_hold_s others do without it at once, then it is tried again. */
START_TEST(test_dead_server_is_remembered)
{
	struct rig r;

	begin(&r, IFC("1", CASE("1"), AS("1", "")), CONTACT);
	rig_request(&r, "MESSAGE", "sip:ivan@home.example", NULL, "");
	rig_run(&r, 1100);
	ck_assert_str_eq(rig_down(&r), "MESSAGE@10.0.0.61 MESSAGE@10.0.0.9");
	r.turn++;
	rig_request(&r, "MESSAGE", "sip:ivan@home.example", NULL, "");
	ck_assert_str_eq(rig_down(&r), "MESSAGE@10.0.0.61 MESSAGE@10.0.0.9 MESSAGE@10.0.0.9");
	rig_run(&r, 5000);
	r.turn++;
	rig_request(&r, "MESSAGE", "sip:ivan@home.example", NULL, "");
	ck_assert_str_eq(rig_down(&r), "MESSAGE@10.0.0.61 MESSAGE@10.0.0.9 MESSAGE@10.0.0.9 MESSAGE@10.0.0.61");
	rig_fini(&r);
}
END_TEST

START_TEST(test_dead_server_that_ends_sessions)
{
	struct rig r;

	begin(&r, IFC("1", CASE("1"), AS("1", END_IT)), CONTACT);
	rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, "");
	rig_run(&r, 1100);
	ck_assert_uint_eq(rig_status(&r), 408);
	r.turn++;
	rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, "");
	ck_assert_uint_eq(rig_status(&r), 504);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.61");
	rig_fini(&r);
}
END_TEST

/* A MESSAGE that a server passed on may take its time: no 1xx tells (RFC 4320). */
START_TEST(test_slow_callee_is_not_the_servers_fault)
{
	struct rig r;

	begin(&r, IFC("1", CASE("1"), AS("1", "")), CONTACT);
	rig_request(&r, "MESSAGE", "sip:ivan@home.example", NULL, "");
	rig_return(&r, rig_req(&r, "MESSAGE", 0), NULL, NULL);
	rig_run(&r, 3000);
	ck_assert_str_eq(rig_down(&r), "MESSAGE@10.0.0.61 MESSAGE@10.0.0.9");
	ck_assert_uint_eq(rig_status(&r), 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_cancelled_while_a_server_has_it)
{
	struct rig r;

	begin(&r, IFC("1", CASE("1"), AS("1", "")), CONTACT);
	rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 100, "");
	rig_cancel(&r, "sip:ivan@home.example");
	ck_assert(rig_req(&r, "CANCEL", 0));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 500, "");	/* not 487, as it should: nobody else is called all the same */
	ck_assert_uint_eq(rig_status(&r), 487);
	ck_assert_ptr_null(rig_req(&r, "INVITE", 1));
	rig_fini(&r);
}
END_TEST

/* ---- a terminating user who is not registered, profile in hand ---- */

START_TEST(test_unregistered)
{
	struct rig r;

	begin(&r, IFC("1", CASE("1"), AS("1", "")) IFC("2", CASE("2"), AS("2", "")), NULL);
	rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.62");
	ck_assert_str_eq(rig_hdr(SENT(&r, "INVITE", 0), SIP_H_PSERVED_USER), "<sip:ivan@home.example>;sescase=term;regstate=unreg");
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, NULL);
	ck_assert_uint_eq(SENT(&r, "INVITE", 0)->n_hdrs > 0, true);
	ck_assert_uint_eq(rig_status(&r), 480);
	rig_fini(&r);
}
END_TEST

/* Nobody here knows the user, but the HSS named us (the I-CSCF's Route): the profile is fetched, the request waits. */
START_TEST(test_unknown_users)
{
	char extra[256];
	unsigned before;
	struct rig r;

	begin(&r, "", CONTACT);
	rig_request(&r, "INVITE", "sip:nobody@alias.example;user=phone", NULL, "");
	ck_assert_uint_eq(r.fetches, 0);		/* anybody could ask that */
	ck_assert_uint_eq(rig_status(&r), 404);
	r.turn++;
	rig_request(&r, "INVITE", "sip:nobody@alias.example;user=phone", NULL, "Route: <sip:scscf.home.example:6060;lr>\n");
	ck_assert_uint_eq(r.fetches, 1);
	ck_assert_str_eq(r.fetched, "sip:nobody@home.example");
	ck_assert_uint_eq(rig_status(&r), 480);
	r.turn++;
	r.fetch_waits = true;
	before = r.n;
	rig_request(&r, "MESSAGE", "tel:+49-30-99", NULL, "Route: <sip:scscf.home.example:6060;lr>\n");
	ck_assert_str_eq(r.fetched, "tel:+493099");
	ck_assert_uint_eq(r.n, before);
	snprintf(extra, sizeof(extra), "Route: <sip:scscf.home.example:6060;lr;orig>\nP-Served-User: <sip:away@home.example>\n");
	r.turn++;
	rig_request(&r, "INVITE", "sip:bob@home.example", NULL, extra);
	ck_assert_uint_eq(r.fetches, 2);		/* not one of sessions.application_servers */
	ck_assert_uint_eq(rig_status(&r), 403);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("services", TEST_ONE(test_asserted_service), TEST_ROWS(test_without_service_row_T6, withouts), TEST_ONE(test_fallback_chain_T6), TEST_ROWS(test_odi_row_T6, odis), TEST_ROWS(test_hangs_row, hangs), TEST_ROWS(test_budget_row, budget_rows), TEST_ROWS(test_wildcard_row, wildcard_rows), TEST_ONE(test_distinct_psi),
	  TEST_ONE(test_wildcarded_psi), TEST_ROWS(test_wildcarded_caller_row, pbx), TEST_ONE(test_wildcard_retargeted), TEST_ONE(test_profile_key_of_others), TEST_ONE(test_originating_chain), TEST_ONE(test_terminating_chain), TEST_ONE(test_b2bua), TEST_ONE(test_forking_server),
	  TEST_ONE(test_retargeted), TEST_ONE(test_answers_itself), TEST_ONE(test_identifiers), TEST_ROWS(test_default_handling, failures),
	  TEST_ONE(test_goes_on_to_the_next_server), TEST_ONE(test_dead_server_is_remembered), TEST_ONE(test_dead_server_that_ends_sessions),
	  TEST_ONE(test_slow_callee_is_not_the_servers_fault), TEST_ONE(test_cancelled_while_a_server_has_it), TEST_ONE(test_unregistered), TEST_ONE(test_unknown_users))
