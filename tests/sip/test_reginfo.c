/* tests/sip/test_reginfo.c - registration state documents: RFC 3680 §5, RFC 5628; row S14, reliability REG-01. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/sip/reginfo.h"
#include "common/sip/uri.h"
#include "tests/sip/reginfo_valid.h"

static void write_golden(struct buf *b)
{
	reginfo_begin(b, 0, true);
	reginfo_registration_begin(b, STR("sip:+491510000001@ims.example"), 10, REGINFO_ACTIVE);
	reginfo_contact(b, &(const struct reginfo_contact){
		.id = 1, .active = true, .event = REGINFO_REGISTERED, .has_expires = true, .expires_s = 3600, .has_q = true, .q = 500,
		.has_cseq = true, .cseq = 9, .uri = STR("sip:alice@10.0.0.1:5066;transport=tcp"), .call_id = STR("abc@10.0.0.1"),
		.display = STR("Alice \"A\" <b> & Co"),
		.params = STR("+sip.instance=\"<urn:gsma:imei:35622210-054678-0>\";+g.3gpp.smsip"),
		.pub_gruu = STR("sip:+491510000001@ims.example;gr=urn:uuid:0c67446e-f1a1-5111-9a4b-1ee4ad1a5bc2"),
		.temp_gruu = STR("sip:tgruu.x@ims.example;gr") });
	reginfo_contact(b, &(const struct reginfo_contact){
		.id = 2, .event = REGINFO_PROBATION, .has_expires = true, .has_retry_after = true, .retry_after_s = 30, .has_cseq = true,
		.cseq = 1, .uri = STR("sip:alice@10.0.0.2"), .call_id = STR("def") });
	reginfo_registration_end(b, STR_NONE);
	reginfo_registration_begin(b, STR("sip:list!.*!@ims.example"), 11, REGINFO_TERMINATED);
	reginfo_registration_end(b, STR("sip:list!.*!@ims.example"));
	reginfo_end(b);
	ck_assert(!b->failed);
}

START_TEST(test_golden)
{
	struct buf b;
	char want[8192];
	FILE *f = fopen(REGINFO_DIR "/full.xml", "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(want, 1, sizeof(want) - 1, f);
	want[n] = '\0';
	fclose(f);
	buf_init(&b, REGINFO_MAX_BYTES);
	write_golden(&b);
	ck_assert_msg(str_eq_c(buf_str(&b), want), "%.*s", STR_ARG(buf_str(&b)));
	buf_fini(&b);
}
END_TEST

START_TEST(test_schema)
{
	struct buf b;

	buf_init(&b, REGINFO_MAX_BYTES);
	write_golden(&b);
	reginfo_validate(buf_str(&b));
	buf_fini(&b);
}
END_TEST

/* The schema says no to what it should: a document that is valid by it means something. */
#define TEXT(attributes, inside) "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" xmlns:gr=\"urn:ietf:params:xml:ns:gruuinfo\" " \
	attributes ">" inside "</reginfo>"
#define V0 "version=\"0\" state=\"full\""
#define REG(inside) "<registration aor=\"sip:a@b\" id=\"r\" state=\"active\">" inside "</registration>"
#define BOUND(attributes, inside) "<contact id=\"c\" state=\"active\" " attributes "><uri>sip:a@h</uri>" inside "</contact>"
#define SINGLE(attributes, inside) TEXT(V0, REG(BOUND(attributes, inside)))
#define CREATED "event=\"created\""
static const struct { const char *name, *doc; bool valid; } schema[] = {
	{ "nothing inside", TEXT(V0, ""), true },
	{ "a contact", SINGLE(CREATED, ""), true },
	{ "no version", TEXT("state=\"full\"", ""), false },
	{ "an unknown state", TEXT("version=\"0\" state=\"half\"", ""), false },
	{ "an unknown event", SINGLE("event=\"left\"", ""), false },
	{ "no event", SINGLE("", ""), false },
	{ "a negative time", SINGLE(CREATED " expires=\"-1\"", ""), false },
	{ "the same contact twice", TEXT(V0, REG(BOUND(CREATED, "") BOUND(CREATED, ""))), false },
	{ "both GRUUs, RFC 5628", SINGLE(CREATED, "<gr:pub-gruu uri=\"sip:a@b;gr=x\"/><gr:temp-gruu uri=\"sip:t@b;gr\" first-cseq=\"1\"/>"), true },
	{ "a temporary GRUU without first-cseq", SINGLE(CREATED, "<gr:temp-gruu uri=\"sip:t@b;gr\"/>"), false },
	{ "a public GRUU without its URI", SINGLE(CREATED, "<gr:pub-gruu/>"), false },
	{ "a public GRUU as text", SINGLE(CREATED, "<gr:pub-gruu uri=\"sip:a@b;gr=x\">sip:a@b</gr:pub-gruu>"), false },
	{ "a GRUU before the contact's URI",
	  TEXT(V0, REG("<contact id=\"c\" state=\"active\" " CREATED "><gr:pub-gruu uri=\"sip:a@b;gr=x\"/><uri>sip:a@h</uri></contact>")), false },
};

START_TEST(test_schema_row)
{
	if (reginfo_can_validate())
		ck_assert_msg(reginfo_is_valid(str_from_c(schema[_i].doc)) == schema[_i].valid, "%s", schema[_i].name);
}
END_TEST

/* Well formed, whatever is inside: reliability row 13 of the list of rivals' faults. */
static const struct {
	const char *name;
	struct str in;
	const char *out;		/* as it is read back */
} texts[] = {
	{ "markup", STR("]]><!--&amp;'\"<x/>"), "]]><!--&amp;'\"<x/>" },
	{ "control characters", STR("a\x01" "b\x7f\x1b"), "a\xef\xbf\xbd" "b\x7f\xef\xbf\xbd" },
	{ "a NUL", STR("a\0b"), "a\xef\xbf\xbd" "b" },
	{ "UTF-8", STR("J\xc3\xbcrgen \xf0\x9f\x98\x80"), "J\xc3\xbcrgen \xf0\x9f\x98\x80" },
	{ "a broken sequence", STR("a\xc3(b\xe2\x82"), "a\xef\xbf\xbd(b\xef\xbf\xbd\xef\xbf\xbd" },
	{ "overlong", STR("\xc0\xaf\xe0\x80\xaf."), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd." },
	{ "a surrogate", STR("\xed\xa0\x80."), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd." },
	{ "U+FFFF and beyond the last", STR("\xef\xbf\xbf\xf4\x90\x80\x80."), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd." },
	{ "line ends", STR("a\r\nb\tc"), "a\r\nb\tc" },
};

START_TEST(test_text_row)
{
	struct arena *a = arena_new(4096);
	struct reginfo doc;
	struct buf b;
	int rc;

	buf_init(&b, REGINFO_MAX_BYTES);
	reginfo_begin(&b, 3, false);
	reginfo_registration_begin(&b, STR("sip:a@b"), 1, REGINFO_ACTIVE);
	reginfo_contact(&b, &(const struct reginfo_contact){ .active = true, .event = REGINFO_CREATED, .uri = STR("sip:a@b"),
							     .display = texts[_i].in, .call_id = texts[_i].in, .params = texts[_i].in });
	reginfo_registration_end(&b, texts[_i].in);
	reginfo_end(&b);
	rc = reginfo_read(buf_str(&b), a, &doc);
	ck_assert_msg(rc == 0, "%s: %d %.*s", texts[_i].name, rc, STR_ARG(buf_str(&b)));
	ck_assert(!doc.full && doc.version == 3);
	ck_assert_msg(str_eq_c(doc.registrations->contacts->call_id, texts[_i].out), "%s: %.*s", texts[_i].name,
		      STR_ARG(doc.registrations->contacts->call_id));
	ck_assert_msg(str_eq_c(doc.registrations->contacts->display, texts[_i].out), "%s: %.*s", texts[_i].name,
		      STR_ARG(doc.registrations->contacts->display));
	reginfo_validate(buf_str(&b));
	buf_fini(&b);
	arena_unref(a);
}
END_TEST

START_TEST(test_read)
{
	struct arena *a = arena_new(4096);
	const struct reginfo_registration *r;
	const struct reginfo_contact *c;
	struct reginfo doc;
	struct buf b;

	buf_init(&b, REGINFO_MAX_BYTES);
	write_golden(&b);
	ck_assert_int_eq(reginfo_read(buf_str(&b), a, &doc), 0);
	ck_assert(doc.full && doc.version == 0);
	r = doc.registrations;
	ck_assert(str_eq(r->aor, STR("sip:+491510000001@ims.example")) && r->state == REGINFO_ACTIVE);
	c = r->contacts;
	ck_assert(c->active && c->event == REGINFO_REGISTERED && c->has_expires && c->expires_s == 3600 && c->cseq == 9);
	ck_assert(str_eq(c->uri, STR("sip:alice@10.0.0.1:5066;transport=tcp")));
	c = c->next;
	ck_assert(!c->active && c->event == REGINFO_PROBATION && c->has_retry_after && c->retry_after_s == 30 && !c->next);
	r = r->next;
	ck_assert(r->state == REGINFO_TERMINATED && !r->contacts && !r->next);
	buf_fini(&b);
	arena_unref(a);
}
END_TEST

#define NS "xmlns='urn:ietf:params:xml:ns:reginfo'"
#define HEAD "<reginfo " NS " version='1' state='full'>"
#define CONTACT "<contact id='1' state='active' event='created'><uri>sip:a@b</uri></contact>"
static const struct {
	const char *name, *xml;
	int rc;
} docs[] = {
	{ "empty", "", -EBADMSG },
	{ "no XML", "v=0", -EBADMSG },
	{ "another document", "<presence xmlns='urn:ietf:params:xml:ns:pidf'/>", -EBADMSG },
	{ "no registrations", HEAD "</reginfo>", 0 },
	{ "cut off", HEAD "<registration aor='sip:a@b' id='1' state='active'>" CONTACT, -EBADMSG },
	{ "without a namespace", "<reginfo version='1' state='full'><registration aor='sip:a@b' id='1' state='active'>" CONTACT
	  "</registration></reginfo>", 0 },
	{ "with a prefix", "<r:reginfo xmlns:r='urn:ietf:params:xml:ns:reginfo' version='1' state='partial'/>", 0 },
	{ "extensions", HEAD "<x:y xmlns:x='urn:x'><contact/></x:y><registration aor='sip:a@b' id='1' state='init'><x:z xmlns:x='urn:x'>"
	  "<uri>q</uri></x:z></registration></reginfo>", 0 },
	{ "version missing", "<reginfo " NS " state='full'/>", -EBADMSG },
	{ "version no number", "<reginfo " NS " version='x' state='full'/>", -EBADMSG },
	{ "version longer than any", "<reginfo " NS " version='99999999999999999999' state='full'/>", 0 },
	{ "state unknown", "<reginfo " NS " version='1' state='half'/>", -EBADMSG },
	{ "aor missing", HEAD "<registration id='1' state='active'/></reginfo>", -EBADMSG },
	{ "registration state unknown", HEAD "<registration aor='sip:a@b' id='1' state='on'/></reginfo>", -EBADMSG },
	{ "event unknown", HEAD "<registration aor='sip:a@b' id='1' state='active'><contact id='1' state='active' event='none'><uri>sip:a"
	  "</uri></contact></registration></reginfo>", -EBADMSG },
	{ "uri missing", HEAD "<registration aor='sip:a@b' id='1' state='active'><contact id='1' state='active' event='created'/>"
	  "</registration></reginfo>", -EBADMSG },
	{ "DOCTYPE", "<!DOCTYPE reginfo [<!ENTITY a 'b'>]>" HEAD "</reginfo>", -EBADMSG },
	{ "external entity", "<!DOCTYPE r SYSTEM 'file:///etc/passwd'>" HEAD "</reginfo>", -EBADMSG },
	{ "a second root", HEAD "</reginfo>" HEAD "</reginfo>", -EBADMSG },
};

START_TEST(test_doc_row)
{
	struct arena *a = arena_new(4096);
	struct reginfo doc;
	int rc = reginfo_read(str_from_c(docs[_i].xml), a, &doc);

	ck_assert_msg(rc == docs[_i].rc, "%s: %d", docs[_i].name, rc);
	ck_assert(rc == 0 || !doc.registrations);
	arena_unref(a);
}
END_TEST

static int read_repeated(const char *before, const char *each, unsigned n, const char *after)
{
	struct arena *a = arena_new(4096);
	struct reginfo doc;
	struct buf b;
	int rc;

	buf_init(&b, 1u << 20);
	buf_puts(&b, before);
	for (unsigned i = 0; i < n; i++)
		buf_puts(&b, each);
	buf_puts(&b, after);
	ck_assert(!b.failed);
	rc = reginfo_read(buf_str(&b), a, &doc);
	buf_fini(&b);
	arena_unref(a);
	return rc;
}

START_TEST(test_bounds)
{
#define REGISTRATION HEAD "<registration aor='sip:a@b' id='1' state='active'>"
#define URI REGISTRATION "<contact id='1' state='active' event='created'><uri>"
	ck_assert_int_eq(read_repeated(REGISTRATION, CONTACT, REGINFO_MAX_CONTACTS - 1, "</registration></reginfo>"), 0);
	ck_assert_int_eq(read_repeated(REGISTRATION, CONTACT, REGINFO_MAX_CONTACTS, "</registration></reginfo>"), -EFBIG);
	ck_assert_int_eq(read_repeated(URI, "1", REGINFO_MAX_TEXT, "</uri></contact></registration></reginfo>"), 0);
	ck_assert_int_eq(read_repeated(URI, "1", REGINFO_MAX_TEXT + 1, "</uri></contact></registration></reginfo>"), -EFBIG);
	ck_assert_int_eq(read_repeated(URI, "9", 64 * 1024, "</uri></contact></registration></reginfo>"), -EFBIG);
	ck_assert_int_eq(read_repeated("", "<a>", REGINFO_MAX_DEPTH + 1, ""), -EFBIG);
}
END_TEST

/* REG-01: the port of a URI in it, of any length and value: read as text, and no URI for who parses it. */
START_TEST(test_ports_reg_01)
{
	static const char *const ports[] = { "0", "65535", "65536", "-1", "", "x", "5060x", "+5060", "99999999999999999999" };
	const struct reginfo_contact *c;
	struct reginfo doc;
	struct sip_uri u;
	struct arena *a;
	struct buf b;

	buf_init(&b, 1u << 20);
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		buf_reset(&b);
		buf_printf(&b, URI "sip:a@b:%s;alias=10.0.0.1~%s~1</uri></contact></registration></reginfo>", ports[i], ports[i]);
		a = arena_new(4096);
		ck_assert_int_eq(reginfo_read(buf_str(&b), a, &doc), 0);
		c = doc.registrations->contacts;
		ck_assert_msg(sip_uri_parse(c->uri, &u, NULL) == (i == 1 || i == 0 ? 0 : -EBADMSG), "%s", ports[i]);
		arena_unref(a);
	}
	for (size_t digits = 1; digits <= REGINFO_MAX_TEXT - 8; digits++) {
		buf_reset(&b);
		buf_puts(&b, URI "sip:a@b:");
		for (size_t i = 0; i < digits; i++)
			buf_putc(&b, '9');
		buf_puts(&b, "</uri></contact></registration></reginfo>");
		a = arena_new(4096);
		ck_assert_int_eq(reginfo_read(buf_str(&b), a, &doc), 0);
		ck_assert_int_eq(sip_uri_parse(doc.registrations->contacts->uri, &u, NULL), digits <= 4 ? 0 : -EBADMSG);
		arena_unref(a);
	}
	buf_fini(&b);
}
END_TEST

/* REG-13: texts of any length to the writer: the document is well formed and says them, or there is none. */
START_TEST(test_long_reg_13)
{
	static const size_t lengths[] = { 0, 1, 255, 256, 2040, 4096, 32768, 65535, 65536, 200000 };
	static const char fill[] = { 'a', '<', '&', '"', '\'', '\0', '\xff', '\r' };
	struct buf b;

	for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]) * sizeof(fill); k++) {
		size_t l = lengths[k / sizeof(fill)];
		char *p = malloc(l + 1);
		struct str text = { p, l };
		struct reginfo_contact c = { .active = true, .event = REGINFO_CREATED, .uri = text, .display = text, .call_id = text, .params = text,
					     .pub_gruu = text, .temp_gruu = text };
		struct arena *a = arena_new(4096);
		struct reginfo doc;

		memset(p, fill[k % sizeof(fill)], l);
		if (l)
			p[0] = 'a';
		buf_init(&b, REGINFO_MAX_BYTES);
		reginfo_begin(&b, UINT32_MAX, true);
		reginfo_registration_begin(&b, text, UINT64_MAX, REGINFO_ACTIVE);
		reginfo_contact(&b, &c);
		reginfo_registration_end(&b, text);
		reginfo_end(&b);
		ck_assert(b.failed || b.l <= REGINFO_MAX_BYTES);
		if (!b.failed)
			ck_assert_msg(reginfo_read(buf_str(&b), a, &doc) != -EBADMSG || l == 0, "%zu times %02x", l, fill[k % sizeof(fill)]);
		else
			ck_assert_uint_gt(l, 256);		/* eight texts of six octets each at most */
		buf_fini(&b);
		arena_unref(a);
		free(p);
	}
}
END_TEST

START_TEST(test_events)
{
	for (int e = REGINFO_REGISTERED; e <= REGINFO_REJECTED; e++)
		ck_assert_int_eq(reginfo_event_find(str_from_c(reginfo_event_name((enum reginfo_event)e))), e);
	ck_assert_int_eq(reginfo_event_find(STR("none")), REGINFO_NONE);
	ck_assert_int_eq(reginfo_event_find(STR("")), REGINFO_NONE);
}
END_TEST

TEST_MAIN("reginfo", TEST_ONE(test_golden), TEST_ONE(test_schema), TEST_ROWS(test_schema_row, schema), TEST_ROWS(test_text_row, texts), TEST_ONE(test_read),
	  TEST_ROWS(test_doc_row, docs), TEST_ONE(test_bounds), TEST_ONE(test_events),
	  TEST_ONE(test_ports_reg_01), TEST_ONE(test_long_reg_13))
