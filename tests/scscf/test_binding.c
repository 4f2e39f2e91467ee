/* tests/scscf/test_binding.c - contacts: RFC 3261 §10.3, RFC 3327, RFC 5626 §6; TS 24.229 §5.4.1.2.2, §5.4.1.4; rows S11, S12. */
#include <string.h>
#include "common/util/rand.h"
#include "tests/scscf/reg_rig.h"

static struct reg_rig r;
static struct rig_phone p;

/* Registered once, with the usual contact; then protected, so that each REGISTER counts at once. */
static void begin(void)
{
	rig_init(&r);
	phone_init(&p);
	p.integrity = "yes";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	phone_begin(&p);
}

#define USUAL "<sip:001010000000001@127.0.31.101:5066>"
#define ONE "sip:001010000000001@127.0.31.101:5066"

/* One REGISTER of another Call-ID after the first.  contacts: "URI;params" of the answer, joined by blanks; NULL: not looked at. */
static const struct { const char *name, *contact; int expires; unsigned status; const char *contacts; } rows[] = {
	{ "refresh", USUAL, 300, 200, "<" ONE ">;expires=300" },
	{ "the parameter counts before the header", USUAL ";expires=100", 300, 200, "<" ONE ">;expires=100" },
	{ "no time at all: the default", USUAL, -1, 200, "<" ONE ">;expires=3600" },
	{ "no number: the header's", USUAL ";expires=soon", 300, 200, "<" ONE ">;expires=300" },
	{ "longer than we grant", USUAL, 600000, 200, "<" ONE ">;expires=7200" },
	{ "more than 32 bits", USUAL ";expires=99999999999999999999", 300, 200, "<" ONE ">;expires=7200" },
	{ "at least", USUAL, 60, 200, "<" ONE ">;expires=60" },
	{ "423", USUAL, 59, 423, NULL },
	{ "423 of one contact", USUAL ";expires=5", 600, 423, NULL },
	{ "another contact joins", "<sip:b@10.0.0.2>", 300, 200, "<" ONE ">;+g.3gpp.smsip;q=0.500;expires=600 <sip:b@10.0.0.2>;expires=300" },
	{ "two at once", USUAL ", <sip:b@10.0.0.2>", 300, 200, "<" ONE ">;expires=300 <sip:b@10.0.0.2>;expires=300" },
	{ "one joins, one goes", USUAL ";expires=0, <sip:b@10.0.0.2>", 300, 200, "<sip:b@10.0.0.2>;expires=300" },
	{ "equal URI in another spelling", "<sip:001010000000001@127.0.31.101:5066;unknown=1>", 300, 200, "<" ONE ";unknown=1>;expires=300" },
	{ "without brackets", "sip:b@10.0.0.2;q=0.7;+sip.instance=\"<urn:x>\"", 300, 200, NULL },
	{ "parameters are kept", USUAL ";+sip.instance=\"<urn:gsma:imei:1>\";audio;q=0.25", 300, 200,
	  "<" ONE ">;+sip.instance=\"<urn:gsma:imei:1>\";audio;q=0.250;expires=300" },
	{ "q of 1.0", USUAL ";q=1.0", 300, 200, "<" ONE ">;expires=300" },
	{ "q of 1", USUAL ";q=1", 300, 200, "<" ONE ">;expires=300" },
	{ "q is nonsense", USUAL ";q=2.5", 300, 200, "<" ONE ">;expires=300" },
	{ "q of 0", USUAL ";q=0", 300, 200, "<" ONE ">;q=0.000;expires=300" },
	{ "one goes that is not there", "<sip:c@10.0.0.3>", 0, 200, "<" ONE ">;+g.3gpp.smsip;q=0.500;expires=600" },
	{ "the only one goes", USUAL, 0, 200, "" },
	{ "all go", "*", 0, 200, "" },
	{ "* without Expires: 0", "*", 600, 400, NULL },
	{ "* without Expires", "*", -1, 400, NULL },
	{ "* and another", "*, <sip:b@10.0.0.2>", 0, 400, NULL },
	{ "no Contact: what is there", "", 300, 200, "<" ONE ">;+g.3gpp.smsip;q=0.500;expires=600" },
	{ "tel", "<tel:+49>", 300, 400, NULL },
	{ "another scheme", "<http://x>", 300, 400, NULL },
	{ "nonsense", "<<>", 300, 400, NULL },
};

/* RFC 5626 §6. */
#define FLOW "<sip:001010000000001@127.0.31.101:5066>;+sip.instance=\"<urn:1>\";reg-id=1"
static const struct {
	const char *name, *contact, *path, *extra;
	bool lenient;
	unsigned status;
	bool told;			/* Require: outbound */
	uint32_t reg_id;
} flow_rows[] = {
	{ "a first hop that keeps flows", FLOW, ";lr;ob", "Supported: outbound\r\n", false, 200, true, 1 },
	{ "required by the phone", FLOW, ";lr;ob", "Require: outbound\r\n", false, 200, true, 1 },
	{ "one that does not", FLOW, ";lr", "Supported: outbound\r\n", false, 439, false, 0 },
	{ "and we let it pass", FLOW, ";lr", "Supported: outbound\r\n", true, 200, false, 0 },
	{ "beside another first hop", FLOW, ";lr", "Path: <sip:edge.example;ob;lr>\r\nSupported: outbound\r\n", false, 200, true, 1 },
	{ "a phone that does not ask", FLOW, ";lr", "", false, 200, false, 1 },
	{ "no reg-id", "<sip:001010000000001@127.0.31.101:5066>;+sip.instance=\"<urn:1>\"", ";lr", "Supported: outbound\r\n", false, 200, false, 0 },
	{ "no instance", "<sip:001010000000001@127.0.31.101:5066>;reg-id=1", ";lr", "Supported: outbound\r\n", false, 200, false, 1 },
	{ "a phone that leaves", FLOW ";expires=0", ";lr", "Supported: outbound\r\n", false, 200, false, 0 },
	{ "an emergency is not refused", "<sip:001010000000001@127.0.31.101:5066;sos>;+sip.instance=\"<urn:1>\";reg-id=1", ";lr",
	  "Supported: outbound\r\n", false, 200, false, 0 },
};

START_TEST(test_outbound_row)
{
	struct list *pos;
	uint32_t reg_id = 0;
	char extra[256];

	rig_init(&r);
	r.cfg->outbound_required = !flow_rows[_i].lenient;
	phone_init(&p);
	p.integrity = "yes";
	p.contact = flow_rows[_i].contact;
	p.path_params = flow_rows[_i].path;
	/* It comes through an edge proxy: two Vias. */
	snprintf(extra, sizeof(extra), "Via: SIP/2.0/UDP 10.9.0.1;branch=z9hG4bKphone\r\n%s", flow_rows[_i].extra);
	p.extra = extra;
	ck_assert_msg(phone_register(&r, &p) == flow_rows[_i].status, "%s: %u", flow_rows[_i].name, r.status);
	ck_assert_msg(sip_msg_has_token(r.m, SIP_H_REQUIRE, "outbound") == flow_rows[_i].told, "%s", flow_rows[_i].name);
	if (rig_registration(&r))
		list_for_each(pos, &rig_registration(&r)->bindings)
			reg_id = list_entry(pos, struct binding, link)->reg_id;
	ck_assert_msg(reg_id == flow_rows[_i].reg_id, "%s: reg-id %u", flow_rows[_i].name, reg_id);
	rig_fini(&r);
}
END_TEST

static void check_contacts(const char *name, const char *want)
{
	struct sip_values v = sip_values(r.m, SIP_H_CONTACT);
	struct buf b;
	struct str one;

	buf_init(&b, 8192);
	while (sip_values_next(&v, &one))
		buf_printf(&b, "%s%.*s", b.l ? " " : "", STR_ARG(one));
	ck_assert_msg(str_eq_c(buf_str(&b), want), "%s: %.*s", name, STR_ARG(buf_str(&b)));
	buf_fini(&b);
}

START_TEST(test_binding_row_S11_S12)
{
	bool gone;

	begin();
	rand_token(p.call_id, 16);
	p.contact = rows[_i].contact;
	p.expires = rows[_i].expires;
	ck_assert_msg(phone_send(&r, &p) == rows[_i].status, "%s: %u", rows[_i].name, r.status);
	if (rows[_i].contacts)
		check_contacts(rows[_i].name, rows[_i].contacts);
	if (r.status == 423)
		ck_assert(rig_has(&r, "Min-Expires: 60\r\n"));
	gone = rows[_i].contacts && !*rows[_i].contacts;
	ck_assert_msg(strcmp(r.cx, gone ? "MAR SAR1 SAR5 " : "MAR SAR1 ") == 0, "%s: %s", rows[_i].name, r.cx);
	ck_assert_msg(gone == !rig_registration(&r), "%s: registration", rows[_i].name);
	rig_fini(&r);
}
END_TEST

/* RFC 3261 §10.3 steps 6, 7: an older request of the same Call-ID changes nothing, as a whole. */
START_TEST(test_order_of_requests)
{
	begin();
	p.contact = "<sip:b@10.0.0.2>, " USUAL;
	p.cseq = 1;				/* the next one is 2, as the one that registered */
	ck_assert_uint_eq(phone_send(&r, &p), 400);
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	p.contact = "*";
	p.expires = 0;
	p.cseq = 1;
	ck_assert_uint_eq(phone_send(&r, &p), 400);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	rig_fini(&r);
}
END_TEST

/* RFC 5626 §6; reliability row F24: the same phone at a new address. */
static const struct { const char *name, *first, *second; unsigned left; } instances[] = {
	{ "same instance", "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\"", "<sip:a@10.0.0.9>;+sip.instance=\"<urn:1>\"", 2 },
	{ "other instance", "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\"", "<sip:a@10.0.0.9>;+sip.instance=\"<urn:2>\"", 3 },
	{ "same instance, other flow", "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\";reg-id=1",
	  "<sip:a@10.0.0.9>;+sip.instance=\"<urn:1>\";reg-id=2", 3 },
	{ "same instance, same flow", "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\";reg-id=1",
	  "<sip:a@10.0.0.9>;+sip.instance=\"<urn:1>\";reg-id=1", 2 },
	{ "same instance, no flow any more", "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\";reg-id=1",
	  "<sip:a@10.0.0.9>;+sip.instance=\"<urn:1>\"", 2 },
	{ "other flow, same URI", "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\";reg-id=1",
	  "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\";reg-id=2", 3 },
	{ "same flow, same URI", "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\";reg-id=1",
	  "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\";reg-id=1", 2 },
	{ "same URI, no flow any more", "<sip:a@10.0.0.1>;+sip.instance=\"<urn:1>\";reg-id=1", "<sip:a@10.0.0.1>", 2 },
	{ "no instance", "<sip:a@10.0.0.1>", "<sip:a@10.0.0.9>", 3 },
};

START_TEST(test_instance_row_S12)
{
	begin();
	p.contact = instances[_i].first;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	p.contact = instances[_i].second;
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_msg(rig_registration(&r)->n_bindings == instances[_i].left, "%s: %u", instances[_i].name,
		      rig_registration(&r)->n_bindings);
	rig_fini(&r);
}
END_TEST

START_TEST(test_the_oldest_makes_room_S12)
{
	char contact[64];

	begin();
	r.cfg->max_contacts = 3;
	p.contact = contact;
	for (int i = 0; i < 5; i++) {
		snprintf(contact, sizeof(contact), "<sip:x%d@10.0.0.1>", i);
		ck_assert_uint_eq(phone_send(&r, &p), 200);
	}
	check_contacts("full", "<sip:x2@10.0.0.1>;expires=600 <sip:x3@10.0.0.1>;expires=600 <sip:x4@10.0.0.1>;expires=600");
	rig_fini(&r);
}
END_TEST

START_TEST(test_path_is_kept_with_its_contact)
{
	struct aor_view *v;

	begin();
	p.extra = "Path: <sip:EDGE@[2001:db8::1]:5060;lr>\r\n";	/* above the usual one */
	p.contact = "<sip:b@10.0.0.2>";
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	v = reg_directory_aor(r.s->dir, STR(RIG_TEL));
	ck_assert(v && v->n == 1 && v->v[0]->n_contacts == 2);
	ck_assert_uint_eq(v->v[0]->contacts[0].n_path, 1);
	ck_assert_str_eq(v->v[0]->contacts[0].path[0], "<sip:TOKEN@127.0.31.10:5060;lr>");
	ck_assert_uint_eq(v->v[0]->contacts[1].n_path, 2);
	ck_assert_str_eq(v->v[0]->contacts[1].uri, "sip:b@10.0.0.2");
	ck_assert_str_eq(v->v[0]->contacts[1].params, "");
	ck_assert_uint_eq(v->v[0]->contacts[0].q, 500);
	ck_assert_str_eq(v->v[0]->impi, RIG_IMPI);
	obj_unref(v);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *extra; unsigned status; } headers[] = {
	{ "an extension that we have not", "Require: x-far-out\r\n", 420 },
	{ "nine Paths", "Path: <sip:1@h>,<sip:2@h>,<sip:3@h>,<sip:4@h>,<sip:5@h>,<sip:6@h>,<sip:7@h>,<sip:8@h>\r\n", 400 },
	{ "Path is nonsense", "Path: <nonsense\r\n", 400 },
	{ "Path is no SIP URI", "Path: <tel:+49>\r\n", 400 },
	{ "Route is not looked at (clients.md 9)", "Route: <sip:orig@127.0.31.30:6060;lr>\r\n", 200 },
};

START_TEST(test_header_row)
{
	begin();
	p.extra = headers[_i].extra;
	ck_assert_msg(phone_send(&r, &p) == headers[_i].status, "%s: %u", headers[_i].name, r.status);
	if (r.status == 420)
		ck_assert(rig_has(&r, "Unsupported: x-far-out\r\n"));
	rig_fini(&r);
}
END_TEST

#define LONG "0123456789012345678901234567890123456789012345678901234567890123"

static const struct { const char *name, *impu, *auth; unsigned status; } identities[] = {
	{ "tel registers", "tel:+491510000001", NULL, 401 },
	{ "no address of record", "urn:x", NULL, 400 },
	{ "broken Authorization", RIG_IMPU, "Digest username=\"x", 400 },
	{ "blank in the private identity", RIG_IMPU, "Digest username=\"a b\", realm=\"" RIG_DOMAIN "\", nonce=\"\", response=\"\"", 400 },
	{ "an escaped NUL in To is well formed: the HSS is asked (RFC 4475 §3.1.1.4)", "sip:null-%00-null@" RIG_DOMAIN, "Basic Zm9v", 401 },
	{ "longer than a private identity may be", "sip:" LONG LONG LONG LONG LONG "@" RIG_DOMAIN, "Basic Zm9v", 403 },
	{ "another scheme: as if there were none", RIG_IMPU, "Basic Zm9v", 401 },
};

START_TEST(test_identity_row)
{
	rig_init(&r);
	phone_init(&p);
	p.impu = identities[_i].impu;
	if (identities[_i].auth)
		snprintf(p.auth, sizeof(p.auth), "%s", identities[_i].auth);
	ck_assert_msg(phone_send(&r, &p) == identities[_i].status, "%s: %u", identities[_i].name, r.status);
	rig_fini(&r);
}
END_TEST

/* RFC 5627 §5.3: who says that it knows them, and has an instance.  The barred identity that registers is not shown. */
static const struct { const char *name, *extra, *contact; bool on, given; } gruus[] = {
	{ "supported", "Supported: gruu\r\n", USUAL ";+sip.instance=\"<urn:uuid:1>\"", true, true },
	{ "required", "Require: gruu\r\n", USUAL ";+sip.instance=\"<urn:uuid:1>\"", true, true },
	{ "no instance", "Supported: gruu\r\n", USUAL, true, false },
	{ "not supported by the phone", "", USUAL ";+sip.instance=\"<urn:uuid:1>\"", true, false },
	{ "off", "Supported: gruu\r\n", USUAL ";+sip.instance=\"<urn:uuid:1>\"", false, false },
};

START_TEST(test_gruu_row_S13)
{
	rig_init(&r);
	r.cfg->gruu = gruus[_i].on;
	phone_init(&p);
	p.integrity = "yes";
	p.extra = gruus[_i].extra;
	p.contact = gruus[_i].contact;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_msg(rig_has(&r, ";pub-gruu=\"sip:+491510000001@" RIG_DOMAIN ";gr=urn:uuid:1\";temp-gruu=\"sip:tgruu.") == gruus[_i].given, "%s: %.*s",
		      gruus[_i].name, STR_ARG(r.m->raw));
	ck_assert(rig_has(&r, "temp-gruu=") == gruus[_i].given);
	rig_fini(&r);
}
END_TEST

/* S21: downwards, by chance, never below the least time. */
static const struct { const char *name; uint32_t percent, asked, least; bool sos; } spreads[] = {
	{ "S21 exact", 0, 600, 600, false }, { "S21 a tenth", 10, 600, 540, false }, { "S21 not below the least", 50, 80, 60, false },
	{ "S21 the least itself", 50, 60, 60, false }, { "S21 not for emergencies", 50, 600, 600, true },
};

static uint32_t granted(void)		/* expires of the Contact in the 200 */
{
	struct str v = sip_msg_value(r.m, SIP_H_CONTACT);
	struct sip_nameaddr n;
	uint32_t s = 0;

	ck_assert_int_eq(sip_nameaddr_parse(v, &n), 0);
	ck_assert(sip_nameaddr_param(&n, "expires", &v) && str_to_u32(v, &s) == 0);
	return s;
}

START_TEST(test_spread_row)
{
	uint32_t low = UINT32_MAX, high = 0;

	for (unsigned n = 0; n < 60; n++) {
		uint32_t s;

		rig_init(&r);
		r.cfg->min_expires_s = 60;
		r.cfg->expires_spread_percent = spreads[_i].percent;
		phone_init(&p);
		p.integrity = "yes";
		p.expires = (int)spreads[_i].asked;
		p.contact = spreads[_i].sos ? "<sip:a@10.0.0.1;sos>" : NULL;
		ck_assert_msg(phone_register(&r, &p) == 200, "%s: %u", spreads[_i].name, r.status);
		s = granted();
		low = s < low ? s : low;
		high = s > high ? s : high;
		rig_fini(&r);
	}
	ck_assert_msg(low >= spreads[_i].least && high <= spreads[_i].asked, "%s: %u to %u", spreads[_i].name, low, high);
	ck_assert_msg((low == high) == (spreads[_i].least == spreads[_i].asked), "%s: %u to %u", spreads[_i].name, low, high);
}
END_TEST

TEST_MAIN("binding", TEST_ROWS(test_spread_row, spreads), TEST_ROWS(test_outbound_row, flow_rows), TEST_ROWS(test_gruu_row_S13, gruus), TEST_ROWS(test_binding_row_S11_S12, rows), TEST_ONE(test_order_of_requests), TEST_ROWS(test_instance_row_S12, instances),
	  TEST_ONE(test_the_oldest_makes_room_S12), TEST_ONE(test_path_is_kept_with_its_contact), TEST_ROWS(test_header_row, headers),
	  TEST_ROWS(test_identity_row, identities))
