/* tests/scscf/test_gruu.c - GRUUs made and read: RFC 5627 §3.1, §5.4; row S13. */
#include <string.h>
#include "scscf/gruu.h"
#include "tests/check.h"

#define ID 0x1122334455667788ull
#define HOST "scscf.home.example:6060"
#define XML "<IMSSubscription><PrivateID>a@h</PrivateID><ServiceProfile>" \
	"<PublicIdentity><BarringIndication>1</BarringIndication><Identity>sip:imsi@h</Identity></PublicIdentity>" \
	"<PublicIdentity><Identity>sip:a@h</Identity></PublicIdentity></ServiceProfile></IMSSubscription>"

static const struct token_key key = { { 1, 2, 3 } }, other_key = { { 1, 2, 4 } };

static struct sip_uri parsed(const char *text)
{
	struct sip_uri u;

	ck_assert_msg(sip_uri_parse(str_from_c(text), &u, NULL) == 0, "%s", text);
	return u;
}

static struct reg_contact_view contact(const char *params, const char *call_id)
{
	static char uri[] = "sip:a@10.0.0.1";

	return (struct reg_contact_view){ .uri = uri, .params = (char *)(uintptr_t)params, .call_id = call_id };
}

static const struct { const char *instance, *gruu; } publics[] = {
	{ "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>", "sip:a@h;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6" },
	{ "<URN:UUID:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6>", "sip:a@h;gr=URN:UUID:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6" },
	{ "urn:x", "sip:a@h;gr=urn:x" },
	{ "<urn:x;y=z>", "sip:a@h;gr=urn:x%3By%3Dz" },
	{ "<a\"b>", "sip:a@h;gr=a%22b" },
	{ "", "" },
};

START_TEST(test_public_row_S13)
{
	char params[128];
	struct reg_contact_view c, other = contact("+sip.instance=\"<urn:other>\"", "c");
	struct sip_uri u;
	struct buf b;

	buf_init(&b, GRUU_MAX);
	gruu_public(&b, &key, "sip:a@h", str_from_c(publics[_i].instance));
	ck_assert_msg(str_eq_c(buf_str(&b), publics[_i].gruu), "%.*s", STR_ARG(buf_str(&b)));
	if (b.l && !strchr(publics[_i].instance, '"')) {
		snprintf(params, sizeof(params), "audio;+sip.instance=\"%s\"", publics[_i].instance);
		c = contact(params, "c");
		u = parsed(publics[_i].gruu);
		ck_assert(gruu_is(&u) && !gruu_is_temporary(&u) && gruu_means(&key, &u, &c) && !gruu_means(&key, &u, &other));
	}
	buf_fini(&b);
}
END_TEST

/* TS 24.229 §5.4.7A.2, SEC-05: the gr of an IMEI is a UUID made of it (RFC 4122 §4.3, version 5), which says nothing. */
static const struct { const char *instance, *same_as; } imeis[] = {
	{ "<urn:gsma:imei:90420156-025763-0>", NULL },
	{ "<URN:GSMA:IMEI:90420156-025763-0>", "<urn:gsma:imei:90420156-025763-0>" },
	{ "<urn:gsma:imei:90420156-025763-0;svn=42>", "<urn:gsma:imei:90420156-025763-0>" },
	{ "<urn:gsma:imei:90420156-025763>", "<urn:gsma:imei:90420156-025763-0>" },	/* the spare digit says nothing */
	{ "<urn:gsma:imei:>", NULL }, { "<urn:gsma:imei:x>", NULL },
};

static void write_public(const struct token_key *k, const char *instance, char text[GRUU_MAX])
{
	struct buf b;

	buf_init(&b, GRUU_MAX);
	gruu_public(&b, k, "sip:a@h", str_from_c(instance));
	ck_assert(str_copy(buf_str(&b), text, GRUU_MAX));
	buf_fini(&b);
}

START_TEST(test_imei_S13_SEC05)
{
	char text[GRUU_MAX], other[GRUU_MAX], params[128];
	struct reg_contact_view c, another = contact("+sip.instance=\"<urn:gsma:imei:90420156-025764-0>\"", "c");
	struct str uuid;
	struct sip_uri u;

	write_public(&key, imeis[_i].instance, text);
	u = parsed(text);
	ck_assert_msg(strncmp(text, "sip:a@h;gr=urn:uuid:", 20) == 0 && strlen(text) == 56, "%s", text);
	ck_assert_msg(!strstr(text, "imei") && !strstr(text, "025763"), "%s", text);
	ck_assert(sip_uri_param(&u, "gr", &uuid));
	uuid = str_from(uuid, 9);
	ck_assert_msg(uuid.p[14] == '5' && strchr("89ab", uuid.p[19]), "version and variant of %.*s", STR_ARG(uuid));
	snprintf(params, sizeof(params), "+sip.instance=\"%s\"", imeis[_i].instance);
	c = contact(params, "c");
	ck_assert(gruu_means(&key, &u, &c) && !gruu_means(&key, &u, &another) && !gruu_means(&other_key, &u, &c));
	/* One that was given out when it had the IMEI itself still leads to the phone, with the whole of it only. */
	snprintf(other, sizeof(other), "sip:a@h;gr=%.*s", (int)strcspn(imeis[_i].instance + 1, ";>"), imeis[_i].instance + 1);
	u = parsed(other);
	ck_assert(gruu_means(&key, &u, &c) == !strchr(imeis[_i].instance, ';') && !gruu_means(&key, &u, &another));
	u = parsed("sip:a@h;gr=urn:gsma:imei:90420156-025763-1");
	ck_assert(!gruu_means(&key, &u, &c));
	write_public(&other_key, imeis[_i].instance, other);
	ck_assert_str_ne(text, other);			/* whoever tries all IMEIs lacks the key */
	write_public(&key, imeis[_i].same_as ? imeis[_i].same_as : imeis[_i].instance, other);
	ck_assert_str_eq(text, other);
}
END_TEST

static const char *temporary(const struct token_key *k, uint64_t id, const char *identity, const char *call_id, uint32_t cseq)
{
	static char text[4][GRUU_MAX];
	static unsigned n;
	struct buf b;

	buf_init(&b, GRUU_MAX);
	gruu_temporary(&b, k, STR(HOST), id, identity, STR("<urn:x>"), str_from_c(call_id), cseq);
	n = (n + 1) % 4;
	ck_assert(str_copy(buf_str(&b), text[n], sizeof(text[n])));
	buf_fini(&b);
	return text[n];
}

static struct reg_directory *directory(void)
{
	struct reg_directory *d = reg_directory_new();
	struct reg_contact_view c = contact("+sip.instance=\"<urn:x>\"", "c");
	struct profile *p;
	struct reg_view *v;

	ck_assert_int_eq(profile_parse(STR(XML), NULL, &p, NULL), 0);
	v = reg_view_new(ID, STR("a@h"), p, NULL, 1, &c);
	ck_assert_int_eq(reg_directory_publish(d, v), 0);
	obj_unref(v);
	obj_unref(p);
	return d;
}

START_TEST(test_temporary_S13)
{
	struct reg_directory *d = directory();
	const char *text = temporary(&key, ID, "sip:a@h", "c", 7);
	struct reg_contact_view c = contact("+sip.instance=\"<urn:x>\"", "c"), moved = contact("+sip.instance=\"<urn:x>\"", "d");
	struct reg_contact_view another = contact("+sip.instance=\"<urn:y>\"", "c");
	const struct profile_identity *id;
	struct sip_uri u = parsed(text);
	struct reg_view *v;

	ck_assert(gruu_is_temporary(&u) && str_eq_c(u.host, "scscf.home.example") && u.port == 6060);
	ck_assert_ptr_null(strstr(text, "urn"));				/* says nothing */
	ck_assert_str_ne(text, temporary(&key, ID, "sip:a@h", "c", 8));		/* each REGISTER another one: §3.1.2.2 */
	ck_assert_str_eq(text, temporary(&key, ID, "sip:a@h", "c", 7));
	v = gruu_owner(d, &key, &u, &id);
	ck_assert(v && v->id == ID && strcmp(id->aor, "sip:a@h") == 0);
	obj_unref(v);
	ck_assert(gruu_means(&key, &u, &c));
	ck_assert(!gruu_means(&key, &u, &moved) && !gruu_means(&key, &u, &another) && !gruu_means(&other_key, &u, &c));
	reg_directory_withdraw(d, ID);
	ck_assert_ptr_null(gruu_owner(d, &key, &u, &id));
	reg_directory_free(d);
}
END_TEST

START_TEST(test_temporary_forged_S13)
{
	struct reg_directory *d = directory();
	const struct profile_identity *id;
	char text[GRUU_MAX];
	struct sip_uri u;

	u = parsed(temporary(&other_key, ID, "sip:a@h", "c", 7));
	ck_assert_ptr_null(gruu_owner(d, &key, &u, &id));
	u = parsed(temporary(&key, ID, "sip:imsi@h", "c", 7));			/* barred since */
	ck_assert_ptr_null(gruu_owner(d, &key, &u, &id));
	u = parsed(temporary(&key, ID + 1, "sip:a@h", "c", 7));
	ck_assert_ptr_null(gruu_owner(d, &key, &u, &id));
	for (size_t i = 10; i < 42; i++) {					/* each digit of it counts */
		ck_assert(str_copy(str_from_c(temporary(&key, ID, "sip:a@h", "c", 7)), text, sizeof(text)));
		text[i] = text[i] == '0' ? '1' : '0';
		u = parsed(text);
		ck_assert_ptr_null(gruu_owner(d, &key, &u, &id));
	}
	u = parsed("sip:tgruu.00@h;gr");
	ck_assert(!gruu_is_temporary(&u) && !gruu_owner(d, &key, &u, &id));
	u = parsed("sip:tgruu.zz112233445566778899aabbccddeeff@h;gr");
	ck_assert_ptr_null(gruu_owner(d, &key, &u, &id));
	u = parsed("sip:a@h");
	ck_assert(!gruu_is(&u));
	reg_directory_free(d);
}
END_TEST

TEST_MAIN("gruu", TEST_ROWS(test_public_row_S13, publics), TEST_ROWS(test_imei_S13_SEC05, imeis), TEST_ONE(test_temporary_S13), TEST_ONE(test_temporary_forged_S13))
