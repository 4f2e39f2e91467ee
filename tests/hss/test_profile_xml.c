/* tests/hss/test_profile_xml.c - User-Data as the S-CSCF reads it: TS 29.228 annex E; rows S8, S10. */
#include "scscf/profile.h"
#include "tests/hss/hss.h"
#include "tests/check.h"

static struct subs *people(const char *text)
{
	struct subs *s;
	struct buf e;

	buf_init(&e, 4096);
	ck_assert_int_eq(subs_new(&s, STR("home")), 0);
	ck_assert_msg(subs_read_text(s, str_from_c(text), "f", &e) == 0, "%.*s", STR_ARG(buf_str(&e)));
	buf_fini(&e);
	return s;
}

START_TEST(test_read_back)
{
	struct subs *s = people("- {imsi: \"1\", msisdn: \"491\", password: x, display_name: \"A <&> \\\"b\\\"\", barred: [\"sip:1@home\"],\n"
				"   ifc: [\"<InitialFilterCriteria><Priority>1</Priority></InitialFilterCriteria>\", \"<InitialFilterCriteria/>\"]}\n");
	struct profile *p;
	char why[160];
	struct buf b;

	buf_init(&b, 65536);
	profile_xml(s->v[0], &b);
	ck_assert_msg(profile_parse(buf_str(&b), NULL, &p, why) == 0, "%s: %.*s", why, STR_ARG(buf_str(&b)));
	ck_assert_str_eq(p->impi, "1@home");
	ck_assert_uint_eq(p->n_identities, 3);
	ck_assert(p->identity[0].barred && !p->identity[1].barred && p->identity[1].type == PROFILE_PUBLIC_USER_IDENTITY);
	ck_assert_str_eq(p->identity[0].display, "A <&> \"b\"");
	ck_assert_ptr_null(p->identity[0].alias_group);
	ck_assert_str_eq(p->identity[1].alias_group, p->identity[2].alias_group);
	ck_assert_str_eq(profile_default(p)->uri, "sip:+491@home");
	ck_assert_str_eq(profile_other_form(p, profile_default(p))->uri, "tel:+491");
	ck_assert(str_eq(p->criteria[0]->text, STR("<InitialFilterCriteria><Priority>1</Priority></InitialFilterCriteria><InitialFilterCriteria></InitialFilterCriteria>")));
	obj_unref(p);
	buf_fini(&b);
	subs_free(s);
}
END_TEST

START_TEST(test_wildcarded_read_back)		/* annex B: IdentityType 1, 2, 4; the S-CSCF knows them by their text */
{
	struct subs *s = people("- {imsi: \"1\", password: x, impu: [\"sip:1@home\", \"sip:+49!.*!@home\"]}\n"
				"- {impi: chat@home, psi: true, impu: [\"sip:chat-!.*!@home\", \"sip:lobby@home\"]}\n");
	static const struct { const char *uri; unsigned type; } want[2][2] = {
		{ { "sip:1@home", PROFILE_PUBLIC_USER_IDENTITY }, { "sip:+49!.*!@home", PROFILE_WILDCARDED_IMPU } },
		{ { "sip:chat-!.*!@home", PROFILE_WILDCARDED_PSI }, { "sip:lobby@home", 1 } } };

	for (unsigned i = 0; i < 2; i++) {
		struct profile *p;
		struct buf b;

		buf_init(&b, 65536);
		profile_xml(s->v[i], &b);
		ck_assert_int_eq(profile_parse(buf_str(&b), NULL, &p, NULL), 0);
		ck_assert_uint_eq(p->n_identities, 2);
		for (unsigned k = 0; k < 2; k++)
			ck_assert_msg(strcmp(p->identity[k].uri, want[i][k].uri) == 0 && p->identity[k].type == want[i][k].type, "%s", want[i][k].uri);
		obj_unref(p);
		buf_fini(&b);
	}
	subs_free(s);
}
END_TEST

START_TEST(test_the_least_there_can_be)
{
	struct subs *s = people("- {impi: a@home, password: x}\n");
	struct profile *p;
	struct buf b;

	buf_init(&b, 65536);
	profile_xml(s->v[0], &b);
	ck_assert_int_eq(profile_parse(buf_str(&b), NULL, &p, NULL), 0);
	ck_assert(p->n_identities == 1 && strcmp(p->identity[0].uri, "sip:a@home") == 0 && !p->criteria[0] && !p->identity[0].display);
	obj_unref(p);
	buf_fini(&b);
	subs_free(s);
}
END_TEST

TEST_MAIN("profile_xml", TEST_ONE(test_read_back), TEST_ONE(test_wildcarded_read_back), TEST_ONE(test_the_least_there_can_be))
