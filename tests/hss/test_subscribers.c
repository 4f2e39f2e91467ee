/* tests/hss/test_subscribers.c - the subscribers file: what is derived, and every mistake with its place. */
#include <errno.h>
#include <stdio.h>
#include "tests/hss/subscribers.h"
#include "tests/check.h"

#define K "465b5ce8b199b49faa5f0a2ee238a6bc"
#define OPC "cd63cb71954a9f4e48a5994e37a02baf"
#define KEYS "k: " K ", opc: " OPC
#define DOMAIN "ims.mnc001.mcc001.3gppnetwork.org"

static struct subs *read_good(const char *text)
{
	struct subs *s;
	struct buf e;

	ck_assert_int_eq(subs_new(&s, STR(DOMAIN)), 0);
	buf_init(&e, 65536);
	ck_assert_msg(subs_read_text(s, str_from_c(text), "f", &e) == 0, "%.*s", STR_ARG(buf_str(&e)));
	buf_fini(&e);
	return s;
}

START_TEST(test_identities_are_derived)
{
	struct subs *s = read_good("- {imsi: \"001010000000001\", msisdn: \"491510000001\", " KEYS "}\n");
	const struct sub_impu *id;
	struct sub *b = subs_by_impi(s, STR("001010000000001@" DOMAIN));

	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(b->n_impus, 3);
	ck_assert_str_eq(b->impu[0].uri, "sip:001010000000001@" DOMAIN);
	ck_assert_str_eq(b->impu[1].uri, "sip:+491510000001@" DOMAIN);
	ck_assert_str_eq(b->impu[2].uri, "tel:+491510000001");
	ck_assert(b->impu[0].alias_group == 0 && b->impu[1].alias_group == 1 && b->impu[2].alias_group == 1);
	ck_assert(b->aka && !b->password && b->amf[0] == 0x80 && b->amf[1] == 0 && b->may_register && !b->unregistered_services);
	/* any spelling of an identity finds it */
	ck_assert_ptr_eq(subs_by_impu(s, STR("sip:+491510000001@IMS.mnc001.mcc001.3gppnetwork.org;user=phone"), &id), b);
	ck_assert_ptr_eq(id, &b->impu[1]);
	ck_assert_ptr_eq(subs_by_impu(s, STR("tel:+49-151-0000001"), NULL), b);
	ck_assert_ptr_null(subs_by_impu(s, STR("tel:+4915100000019"), NULL));
	ck_assert_ptr_null(subs_by_impu(s, STR("nonsense"), NULL));
	subs_free(s);
}
END_TEST

START_TEST(test_everything_that_can_be_said)
{
	struct subs *s = read_good(
		"# a list\n- impi: alice@home.test\n  password: pw\n  digest_algorithm: SHA-256\n  realm: other.test\n  display_name: Alice <1>\n"
		"  impu: [sip:alice@home.test, tel:+4930]\n  barred: [tel:+49-30]\n  sqn: 00ff\n  k: " K "\n  op: cdc202d5123e20f62b6d676ac72cb318\n  amf: b9b9\n"
		"  visited_networks: [v1.test, v2.test]\n  mandatory_capabilities: [1, 2]\n  optional_capabilities: 7\n  server_names: [\"sip:a\"]\n"
		"  unregistered_services: yes\n  may_register: false\n  server_name: \"sip:s\"\n"
		"  ifc:\n  - |\n    <InitialFilterCriteria>\n      <Priority>1</Priority>\n    </InitialFilterCriteria>\n");
	struct sub *b = subs_by_impi(s, STR("alice@home.test"));
	uint8_t opc[16];
	size_t n;

	ck_assert_ptr_nonnull(b);
	hex_decode(STR(OPC), opc, 16, &n);
	ck_assert_msg(memcmp(b->opc, opc, 16) == 0, "OPc from OP: TS 35.208 set 1");
	ck_assert(b->aka && b->digest == AUTH_SHA256 && b->d.sqn == 0xff && b->amf[0] == 0xb9);
	ck_assert_str_eq(b->password, "pw");
	ck_assert_str_eq(b->digest_realm, "other.test");
	ck_assert_str_eq(b->display_name, "Alice <1>");
	ck_assert(b->n_impus == 2 && !b->impu[0].barred && b->impu[1].barred);
	ck_assert(b->n_visited == 2 && strcmp(b->visited[1], "v2.test") == 0);
	ck_assert(b->caps->n_mandatory == 2 && b->caps->mandatory[1] == 2 && b->caps->n_optional == 1 && b->caps->optional[0] == 7);
	ck_assert(b->caps->n_names == 1 && strcmp(b->caps->names[0], "sip:a") == 0);
	ck_assert(b->unregistered_services && !b->may_register && strcmp(b->server_name, "sip:s") == 0);
	ck_assert(str_starts(str_from_c(b->ifc), STR("<InitialFilterCriteria>\n")) && str_ends(str_from_c(b->ifc), STR("</InitialFilterCriteria>")));
	subs_free(s);
}
END_TEST

START_TEST(test_generate)
{
	struct subs *s = read_good("- generate: {count: 12, first_imsi: \"001010000000095\", first_msisdn: \"0491\", " KEYS "}\n"
				   "- {imsi: \"001010000009999\", password: x}\n");
	struct sub *b = subs_by_impi(s, STR("001010000000106@" DOMAIN));

	ck_assert_uint_eq(s->n, 13);
	ck_assert_ptr_nonnull(b);
	ck_assert_str_eq(b->impu[2].uri, "tel:+0502");
	ck_assert_ptr_null(subs_by_impi(s, STR("001010000000107@" DOMAIN)));
	/* ids rise: the cursor of REST */
	ck_assert_uint_eq(subs_after(s, 0), 0);
	ck_assert_uint_eq(subs_after(s, s->v[4]->id), 5);
	subs_del(s, s->v[4]);
	ck_assert_uint_eq(s->n, 12);
	ck_assert_uint_eq(subs_after(s, 5), 4);
	ck_assert_ptr_null(subs_by_impu(s, STR("tel:+0495"), NULL));
	ck_assert_ptr_nonnull(subs_by_impu(s, STR("tel:+0496"), NULL));
	subs_free(s);
}
END_TEST

START_TEST(test_wildcarded_identities)		/* TS 23.003 §13.4A, §13.5: an own identity comes first; its text finds it too */
{
	struct subs *s = read_good("- {imsi: \"1\", " KEYS ", impu: [\"sip:1@h\", \"sip:+4930555![0-9]{2}!@h\", \"tel:+4930555!.*!\"], barred: [\"tel:+4930555!.*!\"]}\n"
				   "- {impi: chat@h, psi: true, impu: [\"sip:chat-!.+!@h\"]}\n- {imsi: \"3\", " KEYS ", impu: [\"sip:+493055511@h\"]}\n");
	static const struct { const char *impu; int of, at; } rows[] = {
		{ "sip:+493055512@H;user=phone", 0, 1 }, { "sip:+493055511@h", 2, 0 }, { "sip:+4930555123@h", -1, 0 }, { "sip:+493055512@other", -1, 0 },
		{ "tel:+49-30-555-7", 0, 2 }, { "tel:+4930555", 0, 2 }, { "sip:chat-a.b@h", 1, 0 }, { "sip:chat-@h", -1, 0 },
		{ "sip:chat-!.+!@h", 1, 0 }, { "sip:chat-!.*!@h", 1, 0 }, { "tel:+4930556!.*!", -1, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct sub_impu *id = NULL;
		struct sub *b = subs_by_impu(s, str_from_c(rows[i].impu), &id);

		ck_assert_msg(b == (rows[i].of < 0 ? NULL : s->v[rows[i].of]) && (!b || id == &b->impu[rows[i].at]), "%s", rows[i].impu);
	}
	ck_assert(s->v[0]->impu[2].barred && !s->v[0]->impu[1].barred && !s->v[0]->psi);
	ck_assert(s->v[1]->psi && s->v[1]->unregistered_services && !s->v[1]->may_register);
	subs_del(s, s->v[0]);
	ck_assert_ptr_null(subs_by_impu(s, STR("tel:+49305557"), NULL));
	subs_free(s);
}
END_TEST

START_TEST(test_second_set)			/* TS 23.228 §4.3.3.4 */
{
	struct subs *s = read_good("- {imsi: \"1\", " KEYS "}\n- {imsi: \"1\", set: 2, impu: [\"sip:office@h\"], display_name: Office}\n");
	struct sub *a = s->v[0], *b = s->v[1];

	ck_assert(a->set == 1 && b->set == 2 && strcmp(a->impi, b->impi) == 0 && !b->aka);
	ck_assert(subs_set(s, a->impi, 1) == a && subs_set(s, a->impi, 2) == b && !subs_set(s, a->impi, 3));
	ck_assert(subs_by_impi(s, STR("1@" DOMAIN)) == a && subs_by_impi(s, STR("1@" DOMAIN "#2")) == b && subs_by_impu(s, STR("sip:office@h"), NULL) == b);
	subs_free(s);
}
END_TEST

START_TEST(test_an_empty_file_is_nobody)
{
	struct subs *s = read_good("# later\n");

	ck_assert_uint_eq(s->n, 0);
	subs_free(s);
}
END_TEST

static const struct { const char *text, *want; } bad[] = {
	{ "- {imsi: \"1\", " KEYS ", impu: [\"sip:!(!@h\"]}\n", "impu: \"sip:!(!@h\" is no sip or tel URI" },
	{ "- {imsi: \"1\", " KEYS ", impu: [\"sip:!.*!@h\", \"sip:!.*!@h\"]}\n", "stands twice" },
	{ "- {imsi: \"1\", " KEYS ", impu: [\"sip:!.*!@h\"]}\n- {impi: a@h, psi: true, impu: [\"sip:!.*!@h\"]}\n", "belongs to another" },
	{ "- {imsi: \"1\", set: 2, impu: [\"sip:a@h\"]}\n", "set: no first set of \"1@" },
	{ "- {imsi: \"1\", " KEYS "}\n- {imsi: \"1\", set: 2}\n", "set: impu is missing" },
	{ "- {imsi: \"1\", " KEYS ", set: 9}\n", "set: must be a number from 1 to 8" },
	{ "- {imsi: \"1\", " KEYS "}\n- {imsi: \"1\", set: 2, password: x, impu: [\"sip:a@h\"]}\n", "stand at the first set" },
	{ "- {imsi: \"1\", " KEYS "}\n- {imsi: \"1\", set: 2, impu: [\"sip:a@h\"]}\n- {imsi: \"1\", set: 2, impu: [\"sip:b@h\"]}\n", "is there already" },
	{ "imsi: 1\n", "f:1:1: the file must be a list" },
	{ "- nobody\n", "f:1:3: an entry must be a section" },
	{ "- {imsi: \"1\", " KEYS ", opk: x}\n", "unknown key \"opk\"; did you mean \"op" },
	{ "- {imsi: \"1\", " KEYS ", count: 3}\n", "unknown key \"count\"" },
	{ "- {imsi: \"1\", " KEYS ", [a, b]: 3}\n", "a key must be a single word" },
	{ "- ? {a: b}\n  : c\n", "a key must be a single word" },
	{ "- {imsi: 12x, " KEYS "}\n", "f:1:10: imsi: must be up to 15 digits" },
	{ "- {imsi: \"1\", k: 00, opc: " OPC "}\n", "f:1:18: k: must be 32 hexadecimal digits" },
	{ "- {imsi: \"1\", k: " K "}\n", "k and opc (or op) belong together" },
	{ "- {imsi: \"1\", giba_address: ue.test}\n", "f:1:29: giba_address: must be an IPv4 or IPv6 address" },
	{ "- {imsi: \"1\"}\n", "f:1:3: neither k and opc (AKA) nor password" },
	{ "- {imsi: \"1\", " KEYS ", op: " OPC "}\n", "either op or opc, not both" },
	{ "- {imsi: \"1\", " KEYS ", amf: 80}\n", "amf: must be 4 hexadecimal digits" },
	{ "- {imsi: \"1\", " KEYS ", sqn: \"0123456789abc\"}\n", "sqn: must be up to 12" },
	{ "- {imsi: \"1\", " KEYS ", sqn: -1}\n", "sqn: must be up to 12" },
	{ "- {" KEYS "}\n", "imsi is missing" },
	{ "- {impi: a, " KEYS "}\n", "impi: must be user@realm" },
	{ "- {imsi: \"1\", msisdn: \"+49\", " KEYS "}\n", "msisdn: must be up to 15 digits, without" },
	{ "- {imsi: \"1\", " KEYS ", impu: [http://x]}\n", "is no sip or tel URI" },
	{ "- {imsi: \"1\", " KEYS ", impu: [\"tel:+1\", \"tel:+1\"]}\n", "stands twice" },
	{ "- {imsi: \"1\", " KEYS ", barred: [\"tel:+1\"]}\n", "is none of the public identities" },
	{ "- {imsi: \"1\", " KEYS ", digest_algorithm: MD4}\n", "must be MD5 or SHA-256" },
	{ "- {imsi: \"1\", " KEYS ", may_register: maybe}\n", "must be true or false" },
	{ "- {imsi: \"1\", " KEYS ", mandatory_capabilities: [one]}\n", "\"one\" is not a number" },
	{ "- {imsi: \"1\", " KEYS ", ifc: [\"<InitialFilterCriteria>\"]}\n", "ifc: not well-formed XML" },
	{ "- {imsi: \"1\", " KEYS ", ifc: [\"<Other/>\"]}\n", "ifc: each entry must be one" },
	{ "- {imsi: [1], " KEYS "}\n", "f:1:10: must be a single value, not a list" },
	{ "- {imsi: \"1\", imsi: \"2\", " KEYS "}\n", "the key stands twice" },
	{ "- {imsi: \"1\", " KEYS "}\n- {imsi: \"1\", password: x}\n", "f:2:10: imsi: \"1@" DOMAIN "\" is there already" },
	{ "- {imsi: \"1\", msisdn: \"49\", " KEYS "}\n- {imsi: \"2\", msisdn: \"49\", password: x}\n", "f:2:23: msisdn: \"sip:+49@" DOMAIN "\" belongs to another subscriber" },
	{ "- generate: {count: 0, first_imsi: \"1\", " KEYS "}\n", "count must be a number from 1" },
	{ "- generate: {count: 2, first_imsi: x, " KEYS "}\n", "first_imsi must be up to 15 digits" },
	{ "- generate: {count: 2, first_imsi: \"1\", first_msisdn: \"+4\", " KEYS "}\n", "first_msisdn must be up to 15 digits" },
	{ "- generate: 3\n", "generate: must be a section" },
	{ "- generate: {count: 2, first_imsi: \"1\", impu: [x], " KEYS "}\n", "unknown key \"impu\"" },
	{ "- {imsi: \"1\n", "f:" },
	{ "- [[[[[[[[[[[[1]]]]]]]]]]]]\n", "f:1:10: sections and lists stand too deep in each other" },
};

START_TEST(test_mistake)
{
	struct subs *s;
	struct buf e;

	ck_assert_int_eq(subs_new(&s, STR(DOMAIN)), 0);
	buf_init(&e, 65536);
	ck_assert_int_eq(subs_read_text(s, str_from_c(bad[_i].text), "f", &e), -EINVAL);
	ck_assert_msg(str_find(buf_str(&e), str_from_c(bad[_i].want)) >= 0, "%s\nsaid: %.*s", bad[_i].text, STR_ARG(buf_str(&e)));
	ck_assert_msg(str_find(buf_str(&e), STR("465b5ce8")) < 0, "a key is shown");
	buf_fini(&e);
	subs_free(s);
}
END_TEST

START_TEST(test_all_mistakes_are_reported)
{
	struct subs *s;
	struct buf e;
	size_t lines = 0;

	subs_new(&s, STR(DOMAIN));
	buf_init(&e, 65536);
	subs_read_text(s, STR("- {imsi: x, k: 1, opc: 2, sqn: z}\n- {imsi: \"7\", password: p, what: 1}\n"), "f", &e);
	for (size_t i = 0; i < e.l; i++)
		lines += e.p[i] == '\n';
	ck_assert_msg(lines == 5, "%.*s", STR_ARG(buf_str(&e)));
	ck_assert_int_eq(subs_read_file(s, "no/such/file", &e), -EINVAL);
	ck_assert(str_find(buf_str(&e), STR("no/such/file:1:1: cannot be read")) >= 0);
	buf_fini(&e);
	subs_free(s);
}
END_TEST

START_TEST(test_what_came_by_rest_survives_the_file)
{
	struct subs *old = read_good("- {imsi: \"1\", password: x}\n- {imsi: \"2\", password: x}\n- {imsi: \"3\", password: x}\n");
	struct subs *fresh = read_good("- {imsi: \"2\", password: x}\n");
	struct sub *b = subs_by_impi(old, STR("1@" DOMAIN));

	b->by_rest = true;
	b->d.server_name = subs_intern(old, STR("sip:s"));
	subs_by_impi(old, STR("2@" DOMAIN))->by_rest = true;	/* the file has it now */
	subs_adopt(fresh, old);
	subs_free(old);
	ck_assert_uint_eq(fresh->n, 2);
	b = subs_by_impu(fresh, STR("sip:1@" DOMAIN), NULL);
	ck_assert_ptr_nonnull(b);
	ck_assert_str_eq(b->d.server_name, "sip:s");
	ck_assert_ptr_null(subs_by_impi(fresh, STR("3@" DOMAIN)));
	subs_free(fresh);
}
END_TEST

TEST_MAIN("subscribers", TEST_ONE(test_identities_are_derived), TEST_ONE(test_everything_that_can_be_said), TEST_ONE(test_generate),
	  TEST_ONE(test_wildcarded_identities), TEST_ONE(test_second_set),
	  TEST_ONE(test_an_empty_file_is_nobody), TEST_ROWS(test_mistake, bad), TEST_ONE(test_all_mistakes_are_reported),
	  TEST_ONE(test_what_came_by_rest_survives_the_file))
