/* tests/scscf/test_charging.c - what each neighbour of the call path hears of charging: TS 24.229 §4.5, §5.4.3.2, §5.4.3.3, §7.2.12; RFC 7315
 * §4.5, §4.6, §5.5, §5.6; TS 32.260 §5.1.2; row G1.  The table that this proves is in common/README.md. */
#include "tests/scscf/rig.h"

enum { ID_IVAN = 0x71 };

#define IFC(priority, case, as) "<InitialFilterCriteria><Priority>" priority "</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>" \
	"<SPT><Group>0</Group><SessionCase>" case "</SessionCase></SPT></TriggerPoint><ApplicationServer><ServerName>sip:" as \
	"</ServerName></ApplicationServer></InitialFilterCriteria>"
#define IVAN "<PublicIdentity><Identity>sip:ivan@home.example</Identity></PublicIdentity>"
#define CONTACT "sip:ivan@10.8.0.9:5066"
#define FROM_ICSCF "Route: <sip:scscf.home.example:6060;lr>\n"
#define ACCESS ";pdngw=10.7.0.1;eps-info=\"eps-item=1;eps-sig=no;ecid=0A\""
#define BY_PCSCF "P-Charging-Vector: icid-value=\"i\";icid-generated-at=p1;orig-ioi=\"Type 1v.example\"" ACCESS "\n"
#define OURS "ccf=\"aaa://ours\""
#define SENT(r, method, i) (rig_req(r, method, i)->m)
#define PCV(m) rig_hdr(m, SIP_H_PCV)
#define PCFA(m) rig_hdr(m, SIP_H_PCFA)

static void begin(struct rig *r, const char *ifc, const char *sessions, bool roaming)
{
	char service[4096];

	rig_init(r, sessions);
	r->pcfa = OURS;
	r->roaming = roaming;
	rig_users(r);
	snprintf(service, sizeof(service), IVAN "%s", ifc);
	rig_user(r, ID_IVAN, service, CONTACT);
}

static void originate(struct rig *r, const char *ruri, const char *extra)
{
	char text[2048];

	snprintf(text, sizeof(text), "Route: %s\nP-Asserted-Identity: <sip:ivan@home.example>\n%s",
		 rig_route(r, TOKEN_SERVICE_ROUTE, 0, ID_IVAN), extra);
	rig_request(r, "INVITE", ruri, NULL, text);
}

/* ---- the first hop: no services ---- */

#define OUT "icid-value=\"i\";icid-generated-at=p1;orig-ioi=home.example"
#define BACK "icid-value=\"i\";icid-generated-at=p1;orig-ioi=\"Type 1v.example\";term-ioi=\"Type 1home.example\""

static const struct {
	const char *name, *ruri, *sessions, *extra;
	bool roaming;
	const char *pcv, *pcfa;		/* of the request */
	const char *up_pcfa;		/* of the response */
} firsts[] = {
	{ "a home user: type 2, and our functions", "sip:bob@home.example", NULL, "", false, OUT, OURS, OURS },
	{ "those that came from the home P-CSCF stay", "sip:bob@home.example", NULL, "P-Charging-Function-Addresses: ccf=p\n", false, OUT, "ccf=p", OURS },
	{ "a visited P-CSCF hears nothing of them, and says nothing", "sip:bob@home.example", NULL, "P-Charging-Function-Addresses: ccf=p\n", true,
	  OUT, OURS, "" },
	{ "a trusted network: no functions", "sip:bob@foreign.example", "{trusted_domains: [foreign.example]}",
	  "P-Charging-Function-Addresses: ccf=p\n", false, OUT, "", OURS },
	{ "one that is not trusted: nothing", "sip:bob@foreign.example", NULL, "P-Charging-Function-Addresses: ccf=p\n", false, "", "", OURS },
};

START_TEST(test_first_hop_row_G1)
{
	char extra[1024];
	struct sip_msg *m;
	struct rig r;

	begin(&r, "", firsts[_i].sessions, firsts[_i].roaming);
	snprintf(extra, sizeof(extra), BY_PCSCF "Relayed-Charge: transit-ioi;icid-value=x\n%s", firsts[_i].extra);
	originate(&r, firsts[_i].ruri, extra);
	ck_assert_ptr_nonnull(rig_req(&r, "INVITE", 0));
	m = SENT(&r, "INVITE", 0);
	ck_assert_msg(strcmp(PCV(m), firsts[_i].pcv) == 0, "%s: %s", firsts[_i].name, PCV(m));
	ck_assert_msg(strcmp(PCFA(m), firsts[_i].pcfa) == 0, "%s: %s", firsts[_i].name, PCFA(m));
	ck_assert_msg(!rig_has(m, "Relayed-Charge"), "%s", firsts[_i].name);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned status[] = { 183, 180, 486 };

		rig_reply(&r, rig_req(&r, "INVITE", 0), status[i], "P-Charging-Vector: icid-value=other;orig-ioi=home.example;term-ioi=far.example;"
			  "transit-ioi=\"t.1\"" ACCESS "\r\nRelayed-Charge: x\r\n");
		m = rig_up(&r);
		ck_assert_uint_eq(m->status, status[i]);
		ck_assert_msg(strcmp(PCV(m), BACK) == 0, "%s: %u %s", firsts[_i].name, status[i], PCV(m));
		ck_assert_msg(strcmp(PCFA(m), firsts[_i].up_pcfa) == 0, "%s: %u %s", firsts[_i].name, status[i], PCFA(m));
		ck_assert(!rig_has(m, "Relayed-Charge"));
	}
	rig_fini(&r);
}
END_TEST

/* ---- an application server between ---- */

static const struct { const char *name, *server; bool home; } servers[] = {
	{ "by address: of the home network", "10.0.0.61", true }, { "a name of the home network", "p1.home.example", true },
	{ "of another network", "foreign.example", false },
};

START_TEST(test_server_row_G1)		/* type 3 toward it, with what the access network said; type 2 and nothing of that beyond it */
{
	struct sip_msg *m;
	char ifc[1024];
	struct rig r;

	snprintf(ifc, sizeof(ifc), IFC("1", "0", "%s"), servers[_i].server);
	begin(&r, ifc, NULL, false);
	originate(&r, "sip:bob@home.example", BY_PCSCF);
	m = SENT(&r, "INVITE", 0);
	ck_assert_str_eq(PCV(m), "icid-value=\"i\";icid-generated-at=p1" ACCESS ";orig-ioi=\"Type 3home.example\"");
	ck_assert_msg(strcmp(PCFA(m), servers[_i].home ? OURS : "") == 0, "%s", servers[_i].name);
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, NULL);
	m = SENT(&r, "INVITE", 1);
	ck_assert_str_eq(rig_down(&r) + strlen(rig_down(&r)) - 9, "10.0.0.20");
	ck_assert_str_eq(PCV(m), OUT);
	ck_assert_str_eq(PCFA(m), OURS);
	rig_reply(&r, rig_req(&r, "INVITE", 1), 180, "P-Charging-Vector: icid-value=\"i\";term-ioi=far.example\r\n");
	ck_assert_str_eq(PCV(rig_up(&r)), "icid-value=\"i\";icid-generated-at=p1;orig-ioi=\"Type 3home.example\";term-ioi=\"Type 3home.example\"");
	ck_assert_str_eq(PCFA(rig_up(&r)), OURS);
	rig_fini(&r);
}
END_TEST

/* ---- a user who is called ---- */

static const struct {
	const char *name, *pcv;
	bool roaming;
	const char *up_pcv, *up_pcfa;
} calleds[] = {
	{ "from another network: it hears no functions", "icid-value=i;orig-ioi=far.example;transit-ioi=\"t.1, void\"", false,
	  "icid-value=i;orig-ioi=far.example;term-ioi=home.example", "" },
	{ "from a user of ours", "icid-value=i;orig-ioi=Home.example", false, "icid-value=i;orig-ioi=Home.example;term-ioi=home.example", OURS },
	{ "nobody says from where", "icid-value=i", false, "icid-value=i;term-ioi=home.example", OURS },
	{ "to a phone abroad", "icid-value=i;orig-ioi=far.example", true, "icid-value=i;orig-ioi=far.example;term-ioi=home.example", "" },
};

START_TEST(test_called_row_G1)
{
	struct sip_msg *m;
	char extra[512];
	struct rig r;

	begin(&r, IFC("1", "1", "10.0.0.61"), NULL, calleds[_i].roaming);
	snprintf(extra, sizeof(extra), FROM_ICSCF "P-Charging-Vector: %s\n", calleds[_i].pcv);
	rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, extra);
	m = SENT(&r, "INVITE", 0);
	ck_assert_msg(strcmp(PCV(m), "icid-value=i;orig-ioi=\"Type 3home.example\"") == 0, "%s: %s", calleds[_i].name, PCV(m));
	ck_assert_str_eq(PCFA(m), OURS);
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, NULL);
	m = SENT(&r, "INVITE", 1);
	ck_assert(str_eq_c(m->ruri_text, CONTACT));
	ck_assert_msg(strcmp(PCV(m), "icid-value=i;orig-ioi=\"Type 1home.example\"") == 0, "%s: %s", calleds[_i].name, PCV(m));
	ck_assert_str_eq(PCFA(m), calleds[_i].roaming ? "" : OURS);
	rig_reply(&r, rig_req(&r, "INVITE", 1), 180, "P-Charging-Vector: icid-value=i;orig-ioi=\"Type 1home.example\";term-ioi=\"Type 1v.example\"" ACCESS "\r\n");
	ck_assert_str_eq(PCV(rig_up(&r)), "icid-value=i" ACCESS ";orig-ioi=\"Type 3home.example\";term-ioi=\"Type 3home.example\"");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "P-Charging-Vector: icid-value=i;term-ioi=\"Type 3home.example\"" ACCESS "\r\n");
	ck_assert_msg(strcmp(PCV(rig_up(&r)), calleds[_i].up_pcv) == 0, "%s: %s", calleds[_i].name, PCV(rig_up(&r)));
	ck_assert_msg(strcmp(PCFA(rig_up(&r)), calleds[_i].up_pcfa) == 0, "%s: %s", calleds[_i].name, PCFA(rig_up(&r)));
	rig_fini(&r);
}
END_TEST

/* ---- within the dialog: the Record-Route says who is where ---- */

static const char *recorded(struct rig *r, unsigned i)
{
	static char text[256];
	struct sip_values it = sip_values(SENT(r, "INVITE", i), SIP_H_RECORD_ROUTE);
	struct str v;

	ck_assert(sip_values_next(&it, &v));
	snprintf(text, sizeof(text), "%.*s", STR_ARG(v));
	return text;
}

/* A request of one end through the place with that Record-Route; its vector as it goes on, and the one of its 200. */
static void within(struct rig *r, const char *route, bool from_caller, const char *pcv, const char *want, const char *answer, const char *back)
{
	static unsigned cseq = 10;
	char text[1024], from[64];
	struct rig_sent *s;

	snprintf(from, sizeof(from), "%.*s", STR_ARG(SENT(r, "INVITE", 0)->from_tag));
	snprintf(text, sizeof(text), "UPDATE sip:x@10.8.0.77:5066 SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKw%u\nMax-Forwards: 70\n"
		 "From: <sip:a@h>;tag=%s\nTo: <sip:b@h>;tag=%s\nCall-ID: %.*s\nCSeq: %u UPDATE\nRoute: %s\n%s%s%s", cseq,
		 from_caller ? from : "callee", from_caller ? "callee" : from, STR_ARG(SENT(r, "INVITE", 0)->call_id), cseq, route,
		 pcv ? "P-Charging-Vector: " : "", pcv ? pcv : "", pcv ? "\n" : "");
	rig_raw(r, text);
	for (unsigned i = 0; (s = rig_req(r, "UPDATE", i)) && s->m->cseq != cseq;)
		i++;
	ck_assert_ptr_nonnull(s);
	ck_assert_str_eq(PCV(s->m), want);
	rig_reply(r, s, 200, answer);
	ck_assert_str_eq(PCV(rig_up(r)), back);
	cseq++;
}

START_TEST(test_in_dialog_originating_G1)
{
	struct rig r;

	begin(&r, "", NULL, false);
	originate(&r, "sip:bob@home.example", BY_PCSCF);
	within(&r, recorded(&r, 0), true, "icid-value=i;orig-ioi=\"Type 1v.example\"" ACCESS, "icid-value=i;orig-ioi=home.example",
	       "P-Charging-Vector: icid-value=i;term-ioi=far.example\r\n", "icid-value=i;orig-ioi=\"Type 1v.example\";term-ioi=\"Type 1home.example\"");
	within(&r, recorded(&r, 0), false, "icid-value=i;orig-ioi=far.example", "icid-value=i;orig-ioi=\"Type 1home.example\"",
	       "P-Charging-Vector: icid-value=i;term-ioi=\"Type 1v.example\"" ACCESS "\r\n", "icid-value=i;orig-ioi=far.example;term-ioi=home.example");
	within(&r, recorded(&r, 0), true, NULL, "", "", "");	/* nobody began one */
	rig_fini(&r);
}
END_TEST

START_TEST(test_in_dialog_server_G1)	/* two places with a server between them */
{
	char first[256], second[256];
	struct rig r;

	begin(&r, IFC("1", "0", "10.0.0.61"), NULL, false);
	originate(&r, "sip:bob@home.example", BY_PCSCF);
	strcpy(first, recorded(&r, 0));
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, "another-call");
	strcpy(second, recorded(&r, 1));
	within(&r, first, true, "icid-value=i;orig-ioi=\"Type 1v.example\"" ACCESS, "icid-value=i" ACCESS ";orig-ioi=\"Type 3home.example\"",
	       "P-Charging-Vector: icid-value=i;term-ioi=\"Type 3as\"" ACCESS "\r\n", "icid-value=i;orig-ioi=\"Type 1v.example\";term-ioi=\"Type 1home.example\"");
	within(&r, first, false, "icid-value=i;orig-ioi=\"Type 3as\"" ACCESS, "icid-value=i;orig-ioi=\"Type 1home.example\"",
	       "", "icid-value=i;orig-ioi=\"Type 3as\";term-ioi=\"Type 3home.example\"");
	rig_fini(&r);
}
END_TEST

START_TEST(test_in_dialog_server_gone_G1)	/* a proxy that does not stay on the route: the one place has the network beyond it */
{
	struct rig r;

	begin(&r, IFC("1", "0", "10.0.0.61"), NULL, false);
	originate(&r, "sip:bob@home.example", BY_PCSCF);
	rig_return(&r, rig_req(&r, "INVITE", 0), NULL, NULL);
	ck_assert_uint_eq(sip_values_count(SENT(&r, "INVITE", 1), SIP_H_RECORD_ROUTE), sip_values_count(SENT(&r, "INVITE", 0), SIP_H_RECORD_ROUTE));
	within(&r, recorded(&r, 1), true, "icid-value=i;orig-ioi=\"Type 1v.example\"" ACCESS, "icid-value=i;orig-ioi=home.example", "",
	       "icid-value=i;orig-ioi=\"Type 1v.example\";term-ioi=\"Type 1home.example\"");
	rig_fini(&r);
}
END_TEST

START_TEST(test_in_dialog_called_G1)
{
	struct rig r;

	begin(&r, "", NULL, false);
	rig_request(&r, "INVITE", "sip:ivan@home.example", NULL, FROM_ICSCF "P-Charging-Vector: icid-value=i;orig-ioi=far.example\n");
	within(&r, recorded(&r, 0), false, "icid-value=i;orig-ioi=\"Type 1v.example\"" ACCESS, "icid-value=i;orig-ioi=home.example", "",
	       "icid-value=i;orig-ioi=\"Type 1v.example\";term-ioi=\"Type 1home.example\"");
	within(&r, recorded(&r, 0), true, "icid-value=i;orig-ioi=far.example", "icid-value=i;orig-ioi=\"Type 1home.example\"", "",
	       "icid-value=i;orig-ioi=far.example;term-ioi=home.example");
	rig_fini(&r);
}
END_TEST

TEST_MAIN("charging", TEST_ROWS(test_first_hop_row_G1, firsts), TEST_ROWS(test_server_row_G1, servers), TEST_ROWS(test_called_row_G1, calleds),
	  TEST_ONE(test_in_dialog_originating_G1), TEST_ONE(test_in_dialog_server_G1), TEST_ONE(test_in_dialog_server_gone_G1),
	  TEST_ONE(test_in_dialog_called_G1))
