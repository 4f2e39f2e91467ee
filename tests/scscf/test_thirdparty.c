/* tests/scscf/test_thirdparty.c - third-party registration: TS 24.229 §5.4.1.7, §5.4.1.7A; row S19. */
#include <stdlib.h>
#include "common/proxy/uac.h"
#include "tests/scscf/reg_rig.h"

#define AS(n, more) "<ApplicationServer><ServerName>sip:10.0.0.6" n "</ServerName>" more "</ApplicationServer>"
#define IFC(priority, trigger, as) "<InitialFilterCriteria><Priority>" priority "</Priority>" trigger as "</InitialFilterCriteria>"
#define ON(type) "<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>REGISTER</Method>" type "</SPT></TriggerPoint>"
#define TYPE(n) "<Extension><RegistrationType>" n "</RegistrationType></Extension>"
#define IDS "<PublicIdentity><BarringIndication>1</BarringIndication><Identity>" RIG_IMPU "</Identity></PublicIdentity>" \
	"<PublicIdentity><Identity>" RIG_TEL "</Identity></PublicIdentity>"
#define XML(ifc) "<IMSSubscription><PrivateID>" RIG_IMPI "</PrivateID><ServiceProfile>" IDS ifc "</ServiceProfile></IMSSubscription>"

/* ---- what goes to application servers ---- */

static struct sent {
	struct sip_msg *m;
	uac_fn fn;
	void *arg;
	uint32_t wait_ms;
} sent[16];
static unsigned n_sent;
static bool stopping;

struct uac *__wrap_uac_send(struct proxy_layer *l, struct str text, enum tx_side side, uint32_t wait_ms, uac_fn fn, void *arg);
bool __wrap_uac_stopping(const struct proxy_layer *l);

struct uac *__wrap_uac_send(struct proxy_layer *l, struct str text, enum tx_side side, uint32_t wait_ms, uac_fn fn, void *arg)
{
	static char handle;
	struct sip_parse_error err;
	ssize_t line = str_find(text, STR("\r\n"));
	struct sent *s = &sent[n_sent++];
	struct buf b;
	(void)l;

	ck_assert_uint_le(n_sent, 16);
	ck_assert_int_eq(side, TX_CORE);
	buf_init(&b, 65000);
	buf_put(&b, str_head(text, (size_t)line + 2));
	buf_puts(&b, "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK\r\n");
	buf_put(&b, str_from(text, (size_t)line + 2));
	ck_assert_msg(sip_msg_parse_copy(buf_str(&b), NULL, &s->m, &err) == 0, "%s\n%.*s", err.why, STR_ARG(buf_str(&b)));
	buf_fini(&b);
	s->fn = fn;
	s->arg = arg;
	s->wait_ms = wait_ms;
	return (struct uac *)&handle;
}

bool __wrap_uac_stopping(const struct proxy_layer *l)
{
	(void)l;
	return stopping;
}

static void begin(struct reg_rig *r, struct rig_phone *p, const char *xml)
{
	n_sent = 0;
	stopping = false;
	rig_init(r);
	r->xml = xml;
	phone_init(p);
}

static void answer(unsigned i, unsigned status)
{
	uac_fn fn = sent[i].fn;

	sent[i].fn = NULL;
	fn(sent[i].arg, status, NULL);
}

static void end(struct reg_rig *r)
{
	for (unsigned i = 0; i < n_sent; i++) {
		if (sent[i].fn)
			answer(i, 200);
		sip_msg_unref(sent[i].m);
	}
	rig_fini(r);
}

static bool has(unsigned i, const char *text)
{
	return str_find(sent[i].m->raw, str_from_c(text)) >= 0;
}

static uint32_t expires(unsigned i)
{
	uint32_t n = 9999;

	(void)sip_msg_u32(sent[i].m, SIP_H_EXPIRES, &n);
	return n;
}

/* ---- every change ---- */

START_TEST(test_register_refresh_leave)
{
	struct rig_phone p;
	struct reg_rig r;

	begin(&r, &p, XML(IFC("1", ON(""), AS("1", ""))));
	p.extra = "P-Access-Network-Info: 3GPP-E-UTRAN-FDD\r\nP-Charging-Vector: icid-value=abc;orig-ioi=\"Type 1x\"\r\n";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_sent, 1);
	ck_assert(sent[0].m->method == SIP_REGISTER && str_eq(sent[0].m->ruri_text, STR("sip:10.0.0.61")));
	ck_assert(str_eq(sent[0].m->to.uri.text, STR(RIG_TEL)));		/* the other one is barred */
	ck_assert(str_eq(sent[0].m->from.uri.text, STR("sip:127.0.31.30:6060")));
	ck_assert(has(0, "Contact: <sip:127.0.31.30:6060>\r\n") && has(0, "P-Access-Network-Info: 3GPP-E-UTRAN-FDD\r\n"));
	ck_assert(has(0, "P-Visited-Network-ID: " RIG_DOMAIN "\r\n") && has(0, "P-Charging-Vector: icid-value=abc;orig-ioi=\"Type 3" RIG_DOMAIN "\"\r\n"));
	ck_assert_uint_eq(expires(0), 600);
	ck_assert_uint_eq(sent[0].m->body.l, 0);
	p.integrity = "yes";
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_sent, 2);
	ck_assert(str_eq(sent[0].m->call_id, sent[1].m->call_id) && sent[1].m->cseq > sent[0].m->cseq);
	p.expires = 0;
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_sent, 3);
	ck_assert(expires(2) == 0 && sent[2].m->cseq > sent[1].m->cseq && str_eq(sent[0].m->call_id, sent[2].m->call_id));
	end(&r);
}
END_TEST

START_TEST(test_expiry)
{
	struct rig_phone p;
	struct reg_rig r;

	begin(&r, &p, XML(IFC("1", ON(""), AS("1", ""))));
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	rig_run(&r, 601000);
	ck_assert_uint_eq(n_sent, 2);
	ck_assert(expires(1) == 0 && str_eq(sent[1].m->to.uri.text, STR(RIG_TEL)));
	ck_assert(strstr(r.cx, "SAR4"));
	end(&r);
}
END_TEST

START_TEST(test_ended_by_the_network)
{
	struct rig_phone p;
	struct reg_rig r;

	begin(&r, &p, XML(IFC("1", ON(""), AS("1", ""))));
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_int_eq(registrar_deregister(r.s, STR(RIG_IMPI), NULL, REG_DEREG_RTR_PERMANENT, NULL, NULL), 0);
	rig_serve(&r);
	ck_assert_uint_eq(n_sent, 2);
	ck_assert_uint_eq(expires(1), 0);
	end(&r);
}
END_TEST

/* RegistrationType of the trigger. */
START_TEST(test_types)
{
	struct rig_phone p;
	struct reg_rig r;

	begin(&r, &p, XML(IFC("1", ON(TYPE("0")), AS("1", "")) IFC("2", ON(TYPE("1")), AS("2", "")) IFC("3", ON(TYPE("2")), AS("3", ""))));
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	p.expires = 0;
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_sent, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_msg(sent[i].m->ruri_text.p[sent[i].m->ruri_text.l - 1] == '1' + (char)i, "%u", i);
	end(&r);
}
END_TEST

START_TEST(test_nobody_wants_it)
{
	struct rig_phone p;
	struct reg_rig r;

	begin(&r, &p, XML(IFC("1", "<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>INVITE</Method></SPT>"
			      "</TriggerPoint>", AS("1", ""))));
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	rig_run(&r, 601000);
	ck_assert_uint_eq(n_sent, 0);
	end(&r);
}
END_TEST

/* ---- bodies: §5.4.1.7A ---- */

#define INFO "<ServiceInfo>a &lt;b&gt; &amp; c</ServiceInfo>"
#define REQUEST "<Extension><IncludeRegisterRequest/></Extension>"
#define RESPONSE "<Extension><IncludeRegisterRequest/><IncludeRegisterResponse/></Extension>"
#define XML_TYPE "Content-Type: application/3gpp-ims+xml\r\n"

static const struct { const char *xml, *type; const char *inside[4]; } bodies[] = {
	{ XML(IFC("1", ON(""), AS("1", INFO))), "application/3gpp-ims+xml",
	  { "<ims-3gpp version=\"1\"><service-info>a &lt;b&gt; &amp; c</service-info></ims-3gpp>" } },
	{ XML(IFC("1", ON(""), AS("1", REQUEST))), "message/sip", { "REGISTER sip:127.0.31.30:6060 SIP/2.0\r\nVia: ", "\r\n\r\n" } },
	{ XML(IFC("1", ON(""), AS("1", RESPONSE))), "multipart/mixed;boundary=",
	  { "Content-Type: message/sip\r\n\r\nREGISTER sip:", "Content-Type: message/sip\r\n\r\nSIP/2.0 200 OK\r\n", "Service-Route: <sip:", "--\r\n" } },
	{ XML(IFC("1", ON(""), AS("1", INFO RESPONSE))), "multipart/mixed;boundary=",
	  { XML_TYPE "\r\n<?xml", "message/sip\r\n\r\nREGISTER sip:", "message/sip\r\n\r\nSIP/2.0 200 OK\r\n", "--\r\n" } },
};

START_TEST(test_bodies)
{
	struct rig_phone p;
	struct reg_rig r;
	struct str type;

	begin(&r, &p, bodies[_i].xml);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_sent, 1);
	type = sip_msg_value(sent[0].m, SIP_H_CONTENT_TYPE);
	ck_assert_msg(str_starts(type, str_from_c(bodies[_i].type)), "%.*s", STR_ARG(type));
	for (unsigned i = 0; i < 4 && bodies[_i].inside[i]; i++)
		ck_assert_msg(str_find(sent[0].m->body, str_from_c(bodies[_i].inside[i])) >= 0, "%s not in\n%.*s", bodies[_i].inside[i],
			      STR_ARG(sent[0].m->body));
	end(&r);
}
END_TEST

/* ---- default handling ---- */

static const struct { const char *xml; unsigned status; bool stop, ends; } failures[] = {
	{ XML(IFC("1", ON(""), AS("1", ""))), 408, false, false },
	{ XML(IFC("1", ON(""), AS("1", ""))), 500, false, false },
	{ XML(IFC("1", ON(""), AS("1", "<DefaultHandling>1</DefaultHandling>"))), 408, false, true },
	{ XML(IFC("1", ON(""), AS("1", "<DefaultHandling>1</DefaultHandling>"))), 503, false, true },
	{ XML(IFC("1", ON(""), AS("1", "<DefaultHandling>1</DefaultHandling>"))), 503, true, false },	/* we stop: nothing failed */
	{ XML(IFC("1", ON(""), AS("1", "<DefaultHandling>1</DefaultHandling>"))), 403, false, false },
	{ XML(IFC("1", ON(""), AS("1", "<DefaultHandling>1</DefaultHandling>"))), 200, false, false },
};

START_TEST(test_default_handling)
{
	struct rig_phone p;
	struct reg_rig r;

	begin(&r, &p, failures[_i].xml);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	stopping = failures[_i].stop;
	sent[0].fn(sent[0].arg, failures[_i].status, NULL);
	sent[0].fn = NULL;
	rig_serve(&r);
	ck_assert_msg((strstr(r.cx, "SAR8") != NULL) == failures[_i].ends, "row %d: %s", _i, r.cx);
	ck_assert_msg((n_sent == 2) == failures[_i].ends, "row %d: %u", _i, n_sent);	/* the servers hear of the end */
	ck_assert_msg((rig_registration(&r) == NULL || !rig_registration(&r)->profile) == failures[_i].ends, "row %d", _i);
	end(&r);
}
END_TEST

/* The phone that left and came back meanwhile is another registration. */
START_TEST(test_late_failure)
{
	struct rig_phone p;
	struct reg_rig r;

	begin(&r, &p, XML(IFC("1", ON(TYPE("0")), AS("1", "<DefaultHandling>1</DefaultHandling>"))));
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	p.expires = 0;
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	p.expires = 600;
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_sent, 2);
	ck_assert(!str_eq(sent[0].m->call_id, sent[1].m->call_id));
	answer(0, 408);
	rig_serve(&r);
	ck_assert(rig_registration(&r) && rig_registration(&r)->profile);
	end(&r);
}
END_TEST

/* ---- a server that takes it for less time: RFC 3261 §10.3, §10.2.4 ---- */

static void grant(unsigned i, const char *headers)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	char text[512];
	uac_fn fn = sent[i].fn;

	snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\n"
		 "Call-ID: c\r\nCSeq: 1 REGISTER\r\n%s\r\n", headers);
	ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), NULL, &m, &err), 0);
	sent[i].fn = NULL;
	fn(sent[i].arg, 200, m);
	sip_msg_unref(m);
}

#define US "<sip:127.0.31.30:6060>"
static const struct { const char *name, *headers; unsigned again_s; } grants[] = {	/* 600 s are offered; 0: not told again before that */
	{ "as much as the phone has", "Expires: 600\r\n", 0 }, { "more", "Expires: 7200\r\n", 0 }, { "nothing said", "", 0 },
	{ "Expires", "Expires: 200\r\n", 100 }, { "our Contact", "Contact: " US ";expires=100\r\n", 50 },
	{ "our Contact before Expires", "Contact: <sip:x@h>;expires=80, " US ";expires=300\r\nExpires: 120\r\n", 150 },
	{ "another's Contact", "Contact: <sip:x@h>;expires=80\r\n", 0 }, { "our Contact without a time", "Contact: " US "\r\nExpires: 80\r\n", 40 },
	{ "very short", "Expires: 2\r\n", 30 }, { "not at all", "Expires: 0\r\n", 0 }, { "no number", "Expires: soon\r\n", 0 },
};

START_TEST(test_granted_less_S19)
{
	struct rig_phone p;
	struct reg_rig r;
	unsigned at = grants[_i].again_s;

	begin(&r, &p, XML(IFC("1", ON(TYPE("0")), AS("1", "<ServiceInfo>x</ServiceInfo>" REQUEST))));
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	grant(0, grants[_i].headers);
	rig_run(&r, (at ? at : 590) * 1000 - 1000);
	ck_assert_msg(n_sent == 1, "%s: too early", grants[_i].name);
	rig_run(&r, 1100);
	ck_assert_msg(n_sent == (at ? 2 : 1), "%s: %u", grants[_i].name, n_sent);
	if (at) {
		ck_assert_msg(expires(1) == 600 - at, "%s: %u", grants[_i].name, expires(1));	/* what the phone has left */
		ck_assert(str_eq(sent[0].m->call_id, sent[1].m->call_id) && sent[1].m->cseq > sent[0].m->cseq);
		ck_assert(str_eq(sent[0].m->to.uri.text, sent[1].m->to.uri.text) && has(1, "<service-info>x<") && !has(1, "message/sip"));
	}
	end(&r);
}
END_TEST

START_TEST(test_each_server_its_time_S19)	/* one of two; the phone's own re-registration begins anew; the end ends it */
{
	struct rig_phone p;
	struct reg_rig r;

	begin(&r, &p, XML(IFC("1", ON(""), AS("1", "")) IFC("2", ON(""), AS("2", ""))));
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	grant(0, "");
	grant(1, "Expires: 200\r\n");
	rig_run(&r, 101000);
	ck_assert_uint_eq(n_sent, 3);
	ck_assert(str_eq(sent[2].m->ruri_text, STR("sip:10.0.0.62")));
	grant(2, "Expires: 200\r\n");
	rig_run(&r, 50000);
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_sent, 5);			/* both */
	rig_run(&r, 60000);
	ck_assert_uint_eq(n_sent, 5);			/* its answer is not there: its old time means nothing */
	grant(4, "Expires: 200\r\n");
	rig_run(&r, 99000);
	ck_assert_uint_eq(n_sent, 5);
	rig_run(&r, 1100);
	ck_assert_uint_eq(n_sent, 6);
	answer(5, 403);					/* it does not want it any more: not told again but with the phone's next */
	rig_run(&r, 200000);
	ck_assert_uint_eq(n_sent, 6);
	p.expires = 0;
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_sent, 8);
	rig_run(&r, 300000);
	ck_assert_uint_eq(n_sent, 8);
	end(&r);
}
END_TEST

START_TEST(test_granted_less_and_lost_S19)	/* an answer that comes when the registration has gone; and one that fails when told again */
{
	struct rig_phone p;
	struct reg_rig r;

	begin(&r, &p, XML(IFC("1", ON(""), AS("1", "<DefaultHandling>1</DefaultHandling>"))));
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	p.expires = 0;
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_uint_eq(n_sent, 2);
	grant(0, "Expires: 60\r\n");
	rig_run(&r, 61000);
	ck_assert_uint_eq(n_sent, 2);
	p.expires = 600;
	phone_begin(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	grant(2, "Expires: 60\r\n");
	rig_run(&r, 30100);
	ck_assert_uint_eq(n_sent, 4);
	answer(3, 503);
	rig_serve(&r);
	ck_assert(strstr(r.cx, "SAR8"));		/* its criterion says SESSION_TERMINATED */
	end(&r);
}
END_TEST

/* REG-20: whatever a server says, without any header that one might expect in it. */
START_TEST(test_every_status_reg_20)
{
	struct sip_parse_error err;
	struct sip_msg *m;
	char text[256];
	struct rig_phone p;
	struct reg_rig r;

	for (unsigned status = 200; status < 700; status++) {
		begin(&r, &p, XML(IFC("1", ON(""), AS("1", ""))));
		ck_assert_uint_eq(phone_register(&r, &p), 200);
		snprintf(text, sizeof(text), "SIP/2.0 %u x\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\n"
			 "Call-ID: c\r\nCSeq: 1 REGISTER\r\n\r\n", status);
		ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), NULL, &m, &err), 0);
		sent[0].fn(sent[0].arg, status, m);
		sent[0].fn = NULL;
		sip_msg_unref(m);
		rig_serve(&r);
		ck_assert_msg(rig_registration(&r) && rig_registration(&r)->profile, "%u", status);
		end(&r);
	}
}
END_TEST

TEST_MAIN("thirdparty", TEST_ONE(test_register_refresh_leave), TEST_ONE(test_expiry), TEST_ONE(test_ended_by_the_network),
	  TEST_ONE(test_types), TEST_ONE(test_nobody_wants_it), TEST_ROWS(test_bodies, bodies), TEST_ROWS(test_default_handling, failures),
	  TEST_ONE(test_late_failure), TEST_ROWS(test_granted_less_S19, grants), TEST_ONE(test_each_server_its_time_S19),
	  TEST_ONE(test_granted_less_and_lost_S19), TEST_ONE(test_every_status_reg_20))
