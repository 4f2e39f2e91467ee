/* tests/icscf/test_session.c - other requests through the I-CSCF: TS 24.229 §5.3.2.1; TS 29.228 §6.1.4;
 * rows I3, I6, I7, I9, I10, R9, R16, D10, D11. */
#include "tests/icscf/fixture.h"

#define DEFAULT "selection: {default_server: \"sip:s1:6060\"}\n"
#define SERVERS "trust: {application_servers: [\"10.1.1.0/24\"]}\n"
#define TABLE "selection: {servers: [{name: \"sip:s1\", capabilities: [1]}, {name: \"sip:s2\", capabilities: [1], priority: 1}]}\n"

static const struct cx_lia located = { .result = { 0, 2001, false }, .server_name = { "sip:s2:6060", 11 } };
static const struct cx_lia unknown = { .result = { 0, 5001, true } };
static const struct cx_lia not_stored = { .result = { 0, 2004, true } };

static const char *route_of(struct rig_sent *s)
{
	static char text[512];
	struct str v = sip_msg_value(s->m, SIP_H_ROUTE);

	snprintf(text, sizeof(text), "%.*s", STR_ARG(v));
	return text;
}

/* ---- what the HSS is asked for, and where the request goes when it knows (rows I6, I9) ---- */

static const struct { const char *name, *ruri, *extra, *hss, *impu; bool orig; const char *route, *out_ruri; } lir_rows[] = {
	{ "a home user", "sip:bob@home", "", "standard", "sip:bob@home", false, "<sip:s2:6060;lr>", "sip:bob@home" },
	{ "parameters and case are not part of the identity", "sip:bob@HOME:5060;transport=tcp", "", "standard", "sip:bob@home", false,
	  "<sip:s2:6060;lr>", "sip:bob@HOME:5060;transport=tcp" },
	{ "a number", "tel:+49-30-1234", "", "standard", "tel:+49301234", false, "<sip:s2:6060;lr>", "tel:+49-30-1234" },
	{ "a number as SIP URI with user=phone becomes tel", "sip:+4930@home;user=phone", "", "standard", "tel:+4930", false,
	  "<sip:s2:6060;lr>", "tel:+4930" },
	{ "a number as identity", "sip:+4930@home", "", "standard", "sip:+4930@home", false, "<sip:s2:6060;lr>", "sip:+4930@home" },
	{ "Open5GS has no plus", "tel:+4930", "", "open5gs", "sip:4930@home", false, "<sip:s2:6060;lr>", "sip:4930@home" },
	{ "Open5GS, SIP URI", "sip:+4930@home", "", "open5gs", "sip:4930@home", false, "<sip:s2:6060;lr>", "sip:4930@home" },
	{ "an alias of the domain", "sip:bob@alias", "", "standard", "sip:bob@home", false, "<sip:s2:6060;lr>", "sip:bob@home" },
	{ "our own address", "sip:bob@self:4060", "", "standard", "sip:bob@home", false, "<sip:s2:6060;lr>", "sip:bob@home" },
	{ "our Route comes off", "sip:bob@home", "Route: <sip:self;lr>\n", "standard", "sip:bob@home", false, "<sip:s2:6060;lr>",
	  "sip:bob@home" },
	{ "for a served user", "sip:bob@far", "Route: <sip:self;lr;orig>\nP-Served-User: <sip:alice@home>;sescase=orig\n"
	  "P-Asserted-Identity: <sip:carol@home>\n", "standard", "sip:alice@home", true, "<sip:s2:6060;lr;orig>", "sip:bob@far" },
	{ "for the asserted identity", "sip:bob@far", "Route: <sip:self;lr;orig>\nP-Asserted-Identity: <sip:carol@home>, <tel:+1>\n",
	  "standard", "sip:carol@home", true, "<sip:s2:6060;lr;orig>", "sip:bob@far" },
	{ "originating, the rest of the route stays below", "sip:bob@far", "Route: <sip:self;lr;orig>, <sip:odi@s9;lr>\n"
	  "P-Served-User: <sip:alice@home>\n", "standard", "sip:alice@home", true, "<sip:s2:6060;lr;orig>", "sip:bob@far" },
};

START_TEST(test_lir_row)
{
	const char *name = lir_rows[_i].name;
	struct hss_request *q;
	struct rig_sent *s;
	struct fixture f;
	char yaml[256];

	snprintf(yaml, sizeof(yaml), "diameter: {identity: i.home, hss_profile: %s}\n%s", lir_rows[_i].hss, DEFAULT SERVERS);
	fixture_init(&f, yaml);
	rig_request(&f.r, "INVITE", lir_rows[_i].ruri, lir_rows[_i].extra);
	q = fixture_asked(&f, 0);
	ck_assert_msg(q->lir && !strcmp(q->impu, lir_rows[_i].impu) && q->originating == lir_rows[_i].orig, "%s: %s", name, q->impu);
	fixture_lia(&f, 0, &located);
	s = rig_req(&f.r, "INVITE", 0);
	ck_assert_msg(s != NULL, "%s: %s", name, rig_up(&f.r));
	ck_assert_msg(!strcmp(route_of(s), lir_rows[_i].route), "%s: %s", name, route_of(s));
	ck_assert_msg(str_eq_c(s->m->ruri_text, lir_rows[_i].out_ruri), "%s: %.*s", name, STR_ARG(s->m->ruri_text));
	ck_assert_ptr_null(sip_msg_hdr(s->m, SIP_H_RECORD_ROUTE));
	ck_assert_uint_eq(addr_port(&s->to.remote), 6060);
	rig_reply(&f.r, s, 200, "B", "");
	ck_assert_str_eq(rig_up(&f.r), "100 200");
	fixture_fini(&f);
}
END_TEST

static const struct { const char *header; uint32_t priority; } priority_rows[] = {
	{ "", UINT32_MAX }, { "Resource-Priority: ets.3\n", 3 }, { "Resource-Priority: wps.0\n", 0 },
	{ "Resource-Priority: dsn.flash, wps.4, ets.2\n", 2 }, { "Resource-Priority: wps.5\n", UINT32_MAX },
	{ "Resource-Priority: esnet.1\n", UINT32_MAX },
};

START_TEST(test_priority_row)		/* Session-Priority: TS 29.228 §6.1.4.1, RFC 4412 */
{
	struct fixture f;

	fixture_init(&f, DEFAULT);
	rig_request(&f.r, "INVITE", "sip:bob@home", priority_rows[_i].header);
	ck_assert_msg(fixture_asked(&f, 0)->priority == priority_rows[_i].priority, "%s", priority_rows[_i].header);
	fixture_fini(&f);
}
END_TEST

/* ---- what each answer leads to (rows I6, D10) ---- */

static const struct { const char *name, *yaml; struct cx_lia a; const char *route, *up; bool retry; } lia_rows[] = {
	{ "located", DEFAULT, { .result = { 0, 2001, false }, .server_name = { "sip:s2", 6 } }, "<sip:s2;lr>", "100", false },
	{ "capabilities only", TABLE, { .result = { 0, 2001, false }, .has_caps = true, .caps = { .mandatory = { 1, { 1 } } } },
	  "<sip:s1;lr>", "100", false },
	{ "unregistered, services kept somewhere", DEFAULT, { .result = { 0, 2003, true }, .server_name = { "s2", 2 } },
	  "<sip:s2;lr>", "100", false },
	{ "unregistered: one is chosen", DEFAULT, { .result = { 0, 2003, true } }, "<sip:s1:6060;lr>", "100", false },
	{ "unregistered and nobody to choose", "", { .result = { 0, 2003, true } }, NULL, "100 500", true },
	{ "capabilities nobody has", TABLE, { .result = { 0, 2003, true }, .has_caps = true, .caps = { .mandatory = { 1, { 5 } } } },
	  NULL, "100 600", false },
	{ "unknown", DEFAULT, { .result = { 0, 5001, true } }, NULL, "100 404", false },
	{ "not registered", DEFAULT, { .result = { 0, 5003, true } }, NULL, "100 480", false },
	{ "no name stored", DEFAULT, { .result = { 0, 2004, true } }, NULL, "100 480", false },
	{ "rejected", DEFAULT, { .result = { 0, 5003, false } }, NULL, "100 403", false },
	{ "too busy", DEFAULT, { .result = { 0, 3004, false } }, NULL, "100 503", true },
	{ "undeliverable", DEFAULT, { .result = { 0, 3002, false } }, NULL, "100 504", true },
	{ "unable to comply", DEFAULT, { .result = { 0, 5012, false } }, NULL, "100 500", true },
	{ "silent", DEFAULT, { .result = { -ETIMEDOUT, 0, false } }, NULL, "100 504", true },
	{ "no peer", DEFAULT, { .result = { -ENOTCONN, 0, false } }, NULL, "100 504", true },
	{ "Server-Name that is this node", DEFAULT, { .result = { 0, 2001, false }, .server_name = { "self", 4 } }, NULL, "100 500", true },
};

START_TEST(test_lia_row)
{
	struct rig_sent *s;
	struct fixture f;

	fixture_init(&f, lia_rows[_i].yaml);
	rig_request(&f.r, "INVITE", "sip:bob@home", "");
	fixture_lia(&f, 0, &lia_rows[_i].a);
	s = rig_req(&f.r, "INVITE", 0);
	ck_assert_msg(!strcmp(rig_up(&f.r), lia_rows[_i].up), "%s: %s", lia_rows[_i].name, rig_up(&f.r));
	ck_assert_msg(!s == !lia_rows[_i].route, "%s: %s", lia_rows[_i].name, rig_down(&f.r));
	if (s)
		ck_assert_msg(!strcmp(route_of(s), lia_rows[_i].route), "%s: %s", lia_rows[_i].name, route_of(s));
	else
		ck_assert_msg((fixture_up_header(&f, SIP_H_RETRY_AFTER).l > 0) == lia_rows[_i].retry, "%s", lia_rows[_i].name);
	ck_assert_uint_eq(f.n_hss, 1);
	fixture_fini(&f);
}
END_TEST

/* ---- unknown in one form: the next one; then where numbers go (rows I9, R9) ---- */

static const struct {
	const char *name, *ruri, *yaml, *hss;
	unsigned n_unknown;
	bool found;
	const char *asked, *out_ruri, *route, *up;
} form_rows[] = {
	{ "tel only", "tel:+4930", DEFAULT, "standard", 1, false, "tel:+4930", NULL, NULL, "404" },
	{ "user=phone: known as sip", "sip:+4930@home;user=phone", DEFAULT, "standard", 1, true, "tel:+4930 sip:+4930@home",
	  "sip:+4930@home;user=phone", "<sip:s2:6060;lr>", "" },
	{ "sip number: known as tel", "sip:+4930@home", DEFAULT, "standard", 1, true, "sip:+4930@home tel:+4930", "tel:+4930",
	  "<sip:s2:6060;lr>", "" },
	{ "Open5GS: known as tel without plus", "sip:+4930@home", DEFAULT, "open5gs", 1, true, "sip:4930@home tel:4930", "tel:4930",
	  "<sip:s2:6060;lr>", "" },
	{ "Open5GS: unknown in all forms", "tel:+4930", DEFAULT, "open5gs", 3, false, "sip:4930@home tel:4930 tel:+4930", NULL, NULL, "480" },
	{ "a name is no number", "sip:bob@home", DEFAULT "numbers: {next_hop: \"sip:gw1\"}\n", "standard", 1, false, "sip:bob@home", NULL,
	  NULL, "404" },
	{ "a foreign number has a next hop", "tel:+4930", DEFAULT "numbers: {next_hop: \"sip:gw1\"}\n", "standard", 1, false, "tel:+4930",
	  "tel:+4930", "<sip:gw1;lr>", "" },
	{ "a local number too", "tel:112233;phone-context=home", DEFAULT "numbers: {next_hop: \"gw1\"}\n", "standard", 2, false,
	  "tel:112233;phone-context=home sip:112233@home", "tel:112233;phone-context=home", "<sip:gw1;lr>", "" },
	{ "a short number, known as sip, RFC 3966 §5.1.5", "tel:1001;phone-context=home", DEFAULT, "standard", 1, true,
	  "tel:1001;phone-context=home sip:1001@home", "sip:1001@home", "<sip:s2:6060;lr>", "" },
	{ "a short number, known as tel", "sip:1001@home", DEFAULT, "standard", 1, true, "sip:1001@home tel:1001;phone-context=home",
	  "tel:1001;phone-context=home", "<sip:s2:6060;lr>", "" },
	{ "another network's short number", "tel:1001;phone-context=far", DEFAULT, "standard", 1, false, "tel:1001;phone-context=far", NULL,
	  NULL, "404" },
};

START_TEST(test_form_row)
{
	char yaml[512], asked[512] = "";
	struct rig_sent *s;
	struct fixture f;
	unsigned n;

	snprintf(yaml, sizeof(yaml), "diameter: {identity: i.home, hss_profile: %s}\n%s", form_rows[_i].hss, form_rows[_i].yaml);
	fixture_init(&f, yaml);
	rig_request(&f.r, "MESSAGE", form_rows[_i].ruri, "");
	for (n = 0; n < form_rows[_i].n_unknown; n++)
		fixture_lia(&f, n, strcmp(form_rows[_i].hss, "open5gs") ? &unknown : &not_stored);
	if (form_rows[_i].found)
		fixture_lia(&f, n, &located);
	for (n = 0; n < f.n_hss; n++)
		snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s%s", n ? " " : "", f.hss[n].impu);
	ck_assert_msg(!strcmp(asked, form_rows[_i].asked), "%s: %s", form_rows[_i].name, asked);
	ck_assert_msg(!strcmp(rig_up(&f.r), form_rows[_i].up), "%s: %s", form_rows[_i].name, rig_up(&f.r));
	s = rig_req(&f.r, "MESSAGE", 0);
	ck_assert_msg(!s == !form_rows[_i].route, "%s: %s", form_rows[_i].name, rig_down(&f.r));
	if (s) {
		ck_assert_msg(!strcmp(route_of(s), form_rows[_i].route), "%s: %s", form_rows[_i].name, route_of(s));
		ck_assert_msg(str_eq_c(s->m->ruri_text, form_rows[_i].out_ruri), "%s: %.*s", form_rows[_i].name,
			      STR_ARG(s->m->ruri_text));
	}
	fixture_fini(&f);
}
END_TEST

/* ---- requests that are not asked about ---- */

static const struct { const char *name, *method, *ruri, *extra, *up, *down, *ruri_out; } plain_rows[] = {
	{ "OPTIONS to ourselves", "OPTIONS", "sip:self", "", "200", "", NULL },
	{ "OPTIONS to the home domain", "OPTIONS", "sip:home", "", "200", "", NULL },
	{ "MESSAGE to ourselves", "MESSAGE", "sip:self", "", "405", "", NULL },
	{ "an unknown method to ourselves", "FOO", "sip:10.9.9.9:4060", "", "405", "", NULL },
	{ "a foreign domain", "INVITE", "sip:bob@far1", "", "100 404", "", NULL },
	{ "urn", "INVITE", "urn:service:sos", "", "100 416", "", NULL },
	{ "too many hops", "OPTIONS", "sip:self", "Max-Forwards: 0\n", "483", "", NULL },
	{ "an option we do not know", "MESSAGE", "sip:bob@home", "Proxy-Require: foo\n", "420", "", NULL },
	{ "orig without a user", "INVITE", "sip:bob@far1", "Route: <sip:self;lr;orig>\n", "100 403", "", NULL },
	{ "along a route (old peers)", "BYE", "sip:bob@far1", "Route: <sip:self;lr>, <sip:s3;lr>\n", "", "BYE@10.0.0.3", "sip:bob@far1" },
};

START_TEST(test_plain_row)
{
	struct fixture f;
	char text[1024];

	fixture_init(&f, DEFAULT);
	if (strstr(plain_rows[_i].extra, "Max-Forwards"))
		snprintf(text, sizeof(text), "OPTIONS sip:self SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bKup\nFrom: <sip:a@a>;tag=A\n"
			 "To: <sip:self>\nCall-ID: call\nCSeq: 7 OPTIONS\n%s", plain_rows[_i].extra);
	if (strstr(plain_rows[_i].extra, "Max-Forwards"))
		rig_in(&f.r, text);
	else
		rig_request(&f.r, plain_rows[_i].method, plain_rows[_i].ruri, plain_rows[_i].extra);
	ck_assert_msg(!strcmp(rig_up(&f.r), plain_rows[_i].up), "%s: %s", plain_rows[_i].name, rig_up(&f.r));
	ck_assert_msg(!strcmp(rig_down(&f.r), plain_rows[_i].down), "%s: %s", plain_rows[_i].name, rig_down(&f.r));
	if (plain_rows[_i].ruri_out)
		ck_assert(str_eq_c(rig_req(&f.r, plain_rows[_i].method, 0)->m->ruri_text, plain_rows[_i].ruri_out));
	if (!strcmp(plain_rows[_i].up, "405") || !strcmp(plain_rows[_i].up, "200"))
		ck_assert(str_eq_c(fixture_up_header(&f, SIP_H_ALLOW), "OPTIONS"));
	ck_assert_uint_eq(f.n_hss, 0);
	fixture_fini(&f);
}
END_TEST

static void in_dialog(struct fixture *f, const char *method, const char *ruri, const char *extra)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s %s SIP/2.0\nVia: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bKd\nMax-Forwards: 70\n"
		 "From: <sip:a@a>;tag=A\nTo: <sip:b@b>;tag=B\nCall-ID: call\nCSeq: 8 %s\n%s", method, ruri, method, extra);
	rig_in(&f->r, text);
}

START_TEST(test_in_dialog)
{
	struct fixture f;

	fixture_init(&f, DEFAULT);
	in_dialog(&f, "BYE", "sip:bob@u5", "Route: <sip:self;lr>\n");
	in_dialog(&f, "ACK", "sip:bob@u5", "Route: <sip:self;lr>, <sip:s6;lr>\n");
	in_dialog(&f, "ACK", "sip:bob@home", "Route: <sip:self;lr>\n");
	ck_assert_str_eq(rig_down(&f.r), "BYE@10.0.0.5 ACK@10.0.0.6");
	ck_assert_uint_eq(f.n_hss, 0);
	fixture_fini(&f);
}
END_TEST

/* ---- CANCEL (row D11) ---- */

START_TEST(test_cancel_before_the_hss_answers)
{
	struct fixture f;

	fixture_init(&f, DEFAULT);
	rig_request(&f.r, "INVITE", "sip:bob@home", "");
	rig_cancel(&f.r, "");
	ck_assert_str_eq(rig_up(&f.r), "100 487");
	ck_assert(!f.hss[0].open);		/* a late answer finds nobody */
	rig_run(&f.r, 40000);
	ck_assert_str_eq(rig_down(&f.r), "");
	fixture_fini(&f);
}
END_TEST

START_TEST(test_cancel_after_it)
{
	struct rig_sent *s;
	struct fixture f;

	fixture_init(&f, DEFAULT);
	rig_request(&f.r, "INVITE", "sip:bob@home", "");
	fixture_lia(&f, 0, &located);
	s = rig_req(&f.r, "INVITE", 0);
	rig_reply(&f.r, s, 180, "B", "");
	rig_cancel(&f.r, "");
	ck_assert_ptr_nonnull(rig_req(&f.r, "CANCEL", 0));
	rig_reply(&f.r, s, 487, "B", "");
	ck_assert_str_eq(rig_up(&f.r), "100 180 487");
	fixture_fini(&f);
}
END_TEST

/* ---- the S-CSCF fails ---- */

static const struct {
	const char *name, *method;
	bool chosen;
	unsigned says;
	uint64_t wait_ms;
	const char *down, *up;
	bool retry;
} fail_rows[] = {
	{ "named and silent", "INVITE", false, 0, 6100, "INVITE@10.0.0.2", "100 504", true },
	{ "named and silent, MESSAGE waits for the phone", "MESSAGE", false, 0, 6100, "MESSAGE@10.0.0.2", "100", false },
	{ "named and silent, MESSAGE, before Timer F", "MESSAGE", false, 0, 30100, "MESSAGE@10.0.0.2", "100 504", true },
	{ "chosen and silent: the next", "INVITE", true, 0, 6100, "INVITE@10.0.0.1 INVITE@10.0.0.2", "100", false },
	{ "chosen, 503: the next", "INVITE", true, 503, 0, "INVITE@10.0.0.1 ACK@10.0.0.1 INVITE@10.0.0.2", "100", false },
	{ "chosen, 480 is an answer", "INVITE", true, 480, 0, "INVITE@10.0.0.1 ACK@10.0.0.1", "100 480", false },
	{ "chosen, 404 is an answer", "INVITE", true, 404, 0, "INVITE@10.0.0.1 ACK@10.0.0.1", "100 404", false },
	{ "named, 503 is not ours", "INVITE", false, 503, 0, "INVITE@10.0.0.2 ACK@10.0.0.2", "100 500", true },
	{ "named, 302 passes", "INVITE", false, 302, 0, "INVITE@10.0.0.2 ACK@10.0.0.2", "100 302", false },
	{ "named, 486 passes", "INVITE", false, 486, 0, "INVITE@10.0.0.2 ACK@10.0.0.2", "100 486", false },
	{ "named, 603 passes", "INVITE", false, 603, 0, "INVITE@10.0.0.2 ACK@10.0.0.2", "100 603", false },
	{ "named, 408 to a MESSAGE", "MESSAGE", false, 408, 0, "MESSAGE@10.0.0.2", "504", true },
	{ "named, 408 to an INVITE", "INVITE", false, 408, 0, "INVITE@10.0.0.2 ACK@10.0.0.2", "100 408", false },
};

START_TEST(test_fail_row)
{
	static const struct cx_lia unregistered = { .result = { 0, 2003, true } };
	struct fixture f;

	fixture_init(&f, TABLE);
	rig_request(&f.r, fail_rows[_i].method, "sip:bob@home", "");
	fixture_lia(&f, 0, fail_rows[_i].chosen ? &unregistered : &located);
	if (fail_rows[_i].says)
		rig_reply(&f.r, rig_req(&f.r, fail_rows[_i].method, 0), fail_rows[_i].says, "B", "");
	rig_run(&f.r, fail_rows[_i].wait_ms);
	ck_assert_msg(!strcmp(rig_down(&f.r), fail_rows[_i].down), "%s: %s", fail_rows[_i].name, rig_down(&f.r));
	ck_assert_msg(!strcmp(rig_up(&f.r), fail_rows[_i].up), "%s: %s", fail_rows[_i].name, rig_up(&f.r));
	ck_assert_msg((fixture_up_header(&f, SIP_H_RETRY_AFTER).l > 0) == fail_rows[_i].retry, "%s", fail_rows[_i].name);
	ck_assert_uint_eq(f.n_hss, 1);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_ringing_stays)		/* once the caller heard of a phone, nobody else is tried */
{
	static const struct cx_lia unregistered = { .result = { 0, 2003, true } };
	struct fixture f;

	fixture_init(&f, TABLE);
	rig_request(&f.r, "INVITE", "sip:bob@home", "");
	fixture_lia(&f, 0, &unregistered);
	rig_reply(&f.r, rig_req(&f.r, "INVITE", 0), 180, "B", "");
	rig_reply(&f.r, rig_req(&f.r, "INVITE", 0), 503, "B", "Retry-After: 5;duration=60\r\n");
	ck_assert_str_eq(rig_down(&f.r), "INVITE@10.0.0.1 ACK@10.0.0.1");
	ck_assert_str_eq(rig_up(&f.r), "100 180 500");
	ck_assert(str_eq_c(fixture_up_header(&f, SIP_H_RETRY_AFTER), "5"));
	fixture_fini(&f);
}
END_TEST

START_TEST(test_user_database_I8)	/* RFC 4457: which HSS answered, when the S-CSCF is to know */
{
	static const struct cx_lia known = { .result = { 0, 2001, false }, .server_name = { "sip:s2", 6 }, .origin_host = { "hss2.home", 9 } };
	struct fixture f;

	for (int tell = 0; tell < 2; tell++) {
		fixture_init(&f, tell ? "selection: {default_server: \"sip:s1:6060\", tell_user_database: true}\n" : DEFAULT);
		rig_request(&f.r, "INVITE", "sip:bob@home", "");
		fixture_lia(&f, 0, &known);
		ck_assert(str_eq_c(sip_msg_value(rig_req(&f.r, "INVITE", 0)->m, SIP_H_PUSER_DATABASE), tell ? "<aaa://hss2.home>" : ""));
		fixture_fini(&f);
	}
}
END_TEST

START_TEST(test_profile_key)		/* RFC 5002: ours to say, not the caller's */
{
	static const struct cx_lia wild = { .result = { 0, 2001, false }, .server_name = { "sip:s2", 6 },
					    .wildcarded_psi = { "sip:chat-!.*!@home", 18 } };
	struct rig_sent *s;
	struct fixture f;

	fixture_init(&f, DEFAULT);
	rig_request(&f.r, "INVITE", "sip:chat-1@home", "P-Profile-Key: <sip:forged@home>\n");
	fixture_lia(&f, 0, &wild);
	s = rig_req(&f.r, "INVITE", 0);
	ck_assert(str_eq_c(sip_msg_value(s->m, SIP_H_PPROFILE_KEY), "<sip:chat-!.*!@home>"));
	ck_assert_uint_eq(sip_values_count(s->m, SIP_H_PPROFILE_KEY), 1);
	fixture_fini(&f);
}
END_TEST

/* ---- the trust domain: TS 24.229 §4.4, §5.3.2.1; row I10 ---- */

#define ASSERTED "P-Asserted-Identity: <sip:a@far>\nP-Charging-Vector: icid-value=1\nP-Access-Network-Info: 3GPP-NR\nP-Served-User: <sip:a@home>\n" \
		 "P-Charging-Function-Addresses: ccf=x\nP-Asserted-Service: urn:x\nP-User-Database: <aaa://x>\nX-Other: 1\n"

static const struct { const char *name, *pcv; bool made, pcfa; } vectors[] = {
	{ "none: one is made", NULL, true, true }, { "no ICID: one is made", "orig-ioi=home", true, true },
	{ "a caller of ours", "icid-value=1;orig-ioi=HOME", false, true },
	{ "another network's hears no charging functions", "icid-value=1;orig-ioi=far;transit-ioi=\"t.1\"", false, false },
	{ "an application server", "icid-value=1;orig-ioi=\"Type 3as\"", false, true },
	{ "a P-CSCF", "icid-value=1;orig-ioi=\"Type 1v\"", false, true },
};

START_TEST(test_charging_row_G1)	/* TS 24.229 §4.5.2, RFC 7315 §4.5 */
{
	char extra[256] = "", got[256];
	struct rig_sent *s;
	struct fixture f;

	fixture_init(&f, DEFAULT);
	if (vectors[_i].pcv)
		snprintf(extra, sizeof(extra), "P-Charging-Vector: %s\n", vectors[_i].pcv);
	rig_request(&f.r, "INVITE", "sip:bob@home", extra);
	fixture_lia(&f, 0, &located);
	s = rig_req(&f.r, "INVITE", 0);
	str_copy(sip_msg_value(s->m, SIP_H_PCV), got, sizeof(got));
	if (vectors[_i].made)
		ck_assert_msg(strlen(got) > 40 && strncmp(got, "icid-value=\"", 12) == 0 && strstr(got, "\";icid-generated-at="), "%s: %s", vectors[_i].name, got);
	else
		ck_assert_msg(strcmp(got, vectors[_i].pcv) == 0, "%s: %s", vectors[_i].name, got);
	ck_assert_uint_eq(sip_values_count(s->m, SIP_H_PCV), 1);
	rig_reply(&f.r, s, 200, "B", "P-Charging-Vector: icid-value=1\r\nP-Charging-Function-Addresses: ccf=x\r\n");
	ck_assert(fixture_up_header(&f, SIP_H_PCV).l);
	ck_assert_msg((fixture_up_header(&f, SIP_H_PCFA).l > 0) == vectors[_i].pcfa, "%s", vectors[_i].name);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_trust)
{
	static const enum sip_hdr_id ids[] = { SIP_H_PAI, SIP_H_PCV, SIP_H_PAANI, SIP_H_PCFA, SIP_H_PASSERTED_SERVICE, SIP_H_PUSER_DATABASE };
	static const char *const networks[] = { "", "trust: {networks: [\"10.0.0.0/8\"]}\n", "trust: {networks: [\"192.0.2.0/24\"]}\n" };
	struct rig_sent *s;
	struct fixture f;
	char yaml[256];

	for (unsigned i = 0; i < 3; i++) {
		snprintf(yaml, sizeof(yaml), "%s%s", DEFAULT, networks[i]);
		fixture_init(&f, yaml);
		rig_request(&f.r, "INVITE", "sip:bob@home", ASSERTED);
		fixture_lia(&f, 0, &located);
		s = rig_req(&f.r, "INVITE", 0);
		for (unsigned k = 0; k < sizeof(ids) / sizeof(ids[0]); k++)
			ck_assert_msg((sip_msg_hdr(s->m, ids[k]) != NULL) == (i < 2 || ids[k] == SIP_H_PCV), "%s: header %u", networks[i], k);
		ck_assert(str_eq_c(sip_msg_value(s->m, SIP_H_PCV), "icid-value=1") == (i < 2));		/* one of ours */
		ck_assert(str_find(s->m->raw, STR("X-Other: 1")) >= 0);
		rig_reply(&f.r, s, 200, "B", "P-Charging-Vector: icid-value=1\r\nP-Asserted-Identity: <sip:b@home>\r\nPrivacy: id\r\n");
		ck_assert_uint_eq(fixture_up_header(&f, SIP_H_PCV).l > 0, i < 2);
		ck_assert_uint_eq(fixture_up_header(&f, SIP_H_PAI).l > 0, i < 2);
		fixture_fini(&f);
	}
}
END_TEST

/* What passes at once and what is kept until all attempts are over: neither tells one outside more than it may hear. */
static const struct { const char *name; unsigned status; } told_rows[] = {
	{ "I10 180", 180 }, { "I10 200", 200 }, { "I10 302", 302 }, { "I10 486", 486 }, { "I10 603", 603 },
};

START_TEST(test_trust_response_row)
{
	static const enum sip_hdr_id ids[] = { SIP_H_PCFA, SIP_H_PCV, SIP_H_PAANI, SIP_H_PAI };
	static const char *const networks[] = { "trust: {networks: [\"10.0.0.0/8\"]}\n", "trust: {networks: [\"192.0.2.0/24\"]}\n" };
	struct fixture f;
	char yaml[256];

	for (unsigned outside = 0; outside < 2; outside++) {
		snprintf(yaml, sizeof(yaml), "%s%s", DEFAULT, networks[outside]);
		fixture_init(&f, yaml);
		rig_request(&f.r, "INVITE", "sip:bob@home", "");
		fixture_lia(&f, 0, &located);
		rig_reply(&f.r, rig_req(&f.r, "INVITE", 0), told_rows[_i].status, "B",
			  "P-Charging-Function-Addresses: ccf=ccf.home\r\nP-Charging-Vector: icid-value=1\r\n"
			  "P-Access-Network-Info: 3GPP-E-UTRAN-FDD\r\nP-Asserted-Identity: <sip:b@home>\r\n"
			  "Privacy: id\r\nRelayed-Charge: 1\r\nX-Other: 1\r\n");
		for (unsigned k = 0; k < sizeof(ids) / sizeof(ids[0]); k++)
			ck_assert_msg((fixture_up_header(&f, ids[k]).l > 0) == !outside, "%s: outside %u, header %u", told_rows[_i].name, outside, k);
		ck_assert_msg((str_find(rig_last_up(&f.r)->raw, STR("Relayed-Charge")) >= 0) == !outside, "%s", told_rows[_i].name);
		ck_assert_msg(str_find(rig_last_up(&f.r)->raw, STR("X-Other: 1")) >= 0, "%s", told_rows[_i].name);
		fixture_fini(&f);
	}
}
END_TEST

/* Rows I6, T9: whom an application server speaks for nobody else may; and the S-CSCF takes our word for it, so no `orig` passes by us. */
static const struct { const char *name, *yaml, *method, *ruri, *extra, *up; unsigned asked; } orig_rows[] = {
	{ "I6 an application server", SERVERS, "INVITE", "sip:bob@far", "Route: <sip:self;lr;orig>\nP-Served-User: <sip:alice@home>\n", "100", 1 },
	{ "I6 one outside of the networks", "trust: {networks: [\"192.0.2.0/24\"], application_servers: [\"10.1.1.1\"]}\n", "INVITE", "sip:bob@far",
	  "Route: <sip:self;lr;orig>\nP-Served-User: <sip:alice@home>\n", "100", 1 },
	{ "I6 none is configured", "", "INVITE", "sip:bob@far", "Route: <sip:self;lr;orig>\nP-Served-User: <sip:alice@home>\n", "100 403", 0 },
	{ "I6 another one is", "trust: {application_servers: [\"10.1.1.2\"]}\n", "INVITE", "sip:bob@far",
	  "Route: <sip:self;lr;orig>\nP-Served-User: <sip:alice@home>\n", "100 403", 0 },
	{ "I6 one inside of the networks is none", "trust: {networks: [\"10.0.0.0/8\"]}\n", "MESSAGE", "sip:bob@far",
	  "Route: <sip:self;lr;orig>\nP-Served-User: <sip:alice@home>\n", "403", 0 },
	{ "T9 orig for the node behind us", "", "INVITE", "sip:bob@far", "Route: <sip:self;lr>, <sip:s2:6060;lr;orig>\nP-Served-User: <sip:alice@home>\n", "100 403", 0 },
	{ "T9 without one for us", "", "MESSAGE", "sip:bob@far", "Route: <sip:s2:6060;lr;ORIG=1>\nP-Served-User: <sip:alice@home>\n", "403", 0 },
	{ "T9 as a Request-URI", "", "MESSAGE", "sip:s2.home:6060;lr;orig", "Route: <sip:self;lr>\nP-Served-User: <sip:alice@home>\n", "404", 0 },
};

START_TEST(test_orig_row)
{
	struct fixture f;
	char yaml[256];

	snprintf(yaml, sizeof(yaml), "%s%s", DEFAULT, orig_rows[_i].yaml);
	fixture_init(&f, yaml);
	rig_request(&f.r, orig_rows[_i].method, orig_rows[_i].ruri, orig_rows[_i].extra);
	ck_assert_msg(f.n_hss == orig_rows[_i].asked, "%s: %u", orig_rows[_i].name, f.n_hss);
	if (f.n_hss) {
		fixture_lia(&f, 0, &located);
		ck_assert_str_eq(route_of(rig_req(&f.r, orig_rows[_i].method, 0)), "<sip:s2:6060;lr;orig>");
		ck_assert(sip_msg_hdr(rig_req(&f.r, orig_rows[_i].method, 0)->m, SIP_H_PSERVED_USER));
		rig_reply(&f.r, rig_req(&f.r, orig_rows[_i].method, 0), 200, "B", "");
	} else {
		ck_assert_msg(!strcmp(rig_up(&f.r), orig_rows[_i].up), "%s: %s", orig_rows[_i].name, rig_up(&f.r));
		ck_assert_str_eq(rig_down(&f.r), "");
	}
	fixture_fini(&f);
}
END_TEST

/* SEC-06: nobody outside learns who is a subscriber, who is barred and who is registered: one status, at one time. */
static const struct { const char *name, *yaml; uint32_t code; unsigned scscf; const char *now, *later; } hidden_rows[] = {
	{ "unknown", "trust: {networks: [\"192.0.2.0/24\"]}\n", CX_USER_UNKNOWN, 0, "100", "100 480" },
	{ "not registered", "trust: {networks: [\"192.0.2.0/24\"]}\n", CX_IDENTITY_NOT_REGISTERED, 0, "100", "100 480" },
	{ "barred: the S-CSCF says so", "trust: {networks: [\"192.0.2.0/24\"]}\n", 0, 404, "100", "100 480" },
	{ "nothing for the unregistered", "trust: {networks: [\"192.0.2.0/24\"]}\n", 0, 480, "100", "100 480" },
	{ "busy is none of these", "trust: {networks: [\"192.0.2.0/24\"]}\n", 0, 486, "100 486", "100 486" },
	{ "not wanted", "trust: {networks: [\"192.0.2.0/24\"], hide_users: false}\n", CX_USER_UNKNOWN, 0, "100 404", "100 404" },
	{ "at once", "trust: {networks: [\"192.0.2.0/24\"], refusal_ms: 0}\n", CX_USER_UNKNOWN, 0, "100", "100 480" },
	{ "one inside", "trust: {networks: [\"10.0.0.0/8\"]}\n", CX_USER_UNKNOWN, 0, "100 404", "100 404" },
};

START_TEST(test_hidden_row)
{
	struct cx_lia no = { .result = { .experimental = true, .code = hidden_rows[_i].code } };
	struct fixture f;
	char yaml[256];

	snprintf(yaml, sizeof(yaml), "%s%s", DEFAULT, hidden_rows[_i].yaml);
	fixture_init(&f, yaml);
	rig_request(&f.r, "INVITE", "sip:bob@home", "");
	fixture_lia(&f, 0, hidden_rows[_i].code ? &no : &located);
	for (unsigned i = 1; hidden_rows[_i].code && i < f.n_hss; i++)
		fixture_lia(&f, i, &no);
	if (hidden_rows[_i].scscf)
		rig_reply(&f.r, rig_req(&f.r, "INVITE", 0), hidden_rows[_i].scscf, "B", "X-Why: barred\n");
	ck_assert_msg(!strcmp(rig_up(&f.r), hidden_rows[_i].now), "%s at once: %s", hidden_rows[_i].name, rig_up(&f.r));
	rig_run(&f.r, 499);
	if (strcmp(hidden_rows[_i].name, "at once") != 0)
		ck_assert_msg(!strcmp(rig_up(&f.r), hidden_rows[_i].now), "%s: %s", hidden_rows[_i].name, rig_up(&f.r));
	rig_run(&f.r, 2);
	ck_assert_msg(!strcmp(rig_up(&f.r), hidden_rows[_i].later), "%s later: %s", hidden_rows[_i].name, rig_up(&f.r));
	fixture_fini(&f);
}
END_TEST

START_TEST(test_hidden_and_cancelled)		/* 487, and nothing after it */
{
	struct cx_lia no = { .result = { .experimental = true, .code = CX_IDENTITY_NOT_REGISTERED } };
	struct fixture f;

	fixture_init(&f, DEFAULT "trust: {networks: [\"192.0.2.0/24\"]}\n");
	rig_request(&f.r, "INVITE", "sip:bob@home", "");
	fixture_lia(&f, 0, &no);
	rig_cancel(&f.r, "");
	rig_run(&f.r, 600);
	ck_assert_str_eq(rig_up(&f.r), "100 487");
	fixture_fini(&f);
}
END_TEST

START_TEST(test_trust_refused)		/* from outside nobody registers, nor originates for a user */
{
	struct fixture f;

	fixture_init(&f, DEFAULT "trust: {networks: [\"192.0.2.0/24\"]}\n");
	rig_request(&f.r, "INVITE", "sip:bob@far", "Route: <sip:self;lr;orig>\nP-Served-User: <sip:alice@home>\n");
	ck_assert_str_eq(rig_up(&f.r), "100 403");
	fixture_fini(&f);
	fixture_init(&f, DEFAULT "trust: {networks: [\"192.0.2.0/24\"]}\n");
	fixture_register(&f, "");
	ck_assert_str_eq(rig_up(&f.r), "403");
	ck_assert_uint_eq(f.n_hss, 0);
	fixture_fini(&f);
}
END_TEST

START_TEST(test_psi_server)		/* TS 23.228 §5.7: the HSS names an application server, row I7 */
{
	static const struct cx_lia as = { .result = { 0, 2001, false }, .server_name = { "sip:conf@as1:5060;transport=udp", 31 } };
	struct rig_sent *s;
	struct fixture f;

	fixture_init(&f, DEFAULT);
	rig_request(&f.r, "INVITE", "sip:conf-7@home", "");
	fixture_lia(&f, 0, &as);
	s = rig_req(&f.r, "INVITE", 0);
	ck_assert_msg(s != NULL, "%s", rig_up(&f.r));
	ck_assert_str_eq(route_of(s), "<sip:conf@as1:5060;transport=udp;lr>");
	ck_assert(str_eq_c(s->m->ruri_text, "sip:conf-7@home"));
	fixture_fini(&f);
}
END_TEST

TEST_MAIN("session", TEST_ROWS(test_lir_row, lir_rows), TEST_ROWS(test_priority_row, priority_rows),
	  TEST_ROWS(test_lia_row, lia_rows), TEST_ROWS(test_form_row, form_rows),
	  TEST_ROWS(test_plain_row, plain_rows), TEST_ONE(test_in_dialog), TEST_ONE(test_cancel_before_the_hss_answers),
	  TEST_ONE(test_cancel_after_it), TEST_ROWS(test_fail_row, fail_rows), TEST_ONE(test_ringing_stays),
	  TEST_ONE(test_user_database_I8), TEST_ONE(test_profile_key), TEST_ROWS(test_charging_row_G1, vectors), TEST_ONE(test_trust), TEST_ROWS(test_trust_response_row, told_rows), TEST_ROWS(test_hidden_row, hidden_rows), TEST_ONE(test_hidden_and_cancelled), TEST_ONE(test_trust_refused), TEST_ROWS(test_orig_row, orig_rows), TEST_ONE(test_psi_server))
