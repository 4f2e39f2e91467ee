/* tests/scscf/test_profile.c - Cx User-Data: TS 29.228 annexes B and E; rows S8, S10, D15, SEC-04, SEC-14, REG-04. */
#include <errno.h>
#include <stdio.h>
#include "scscf/profile.h"
#include "tests/check.h"

#define SUB(x) "<IMSSubscription><PrivateID>001@ims</PrivateID>" x "</IMSSubscription>"
#define ID(uri, more) "<PublicIdentity><Identity>" uri "</Identity>" more "</PublicIdentity>"

static const struct { const char *name, *xml; int rc; unsigned ids; const char *def, *associated; } rows[] = {
	{ "one identity", SUB("<ServiceProfile>" ID("sip:a@h", "") "</ServiceProfile>"), 0, 1, "sip:a@h", "<sip:a@h>" },
	{ "barred first", SUB("<ServiceProfile>" ID("sip:001@h", "<BarringIndication>1</BarringIndication>") ID("sip:+49@h", "") ID("tel:+49", "") "</ServiceProfile>"),
	  0, 3, "sip:+49@h", "<sip:+49@h>, <tel:+49>" },
	{ "blanks, comments, declaration", "\n<?xml version=\"1.0\"?>\n<!-- c -->" SUB("<!-- c --><ServiceProfile>\n " ID("\n  sip:a@h\t", "") "\n</ServiceProfile>\n") "\n", 0, 1, "sip:a@h", "<sip:a@h>" },
	{ "unknown extensions", SUB("<ServiceProfile><New/>" ID("sip:a@h", "<Extension><What><Ever>1</Ever></What></Extension>") "</ServiceProfile><Extension><X/></Extension>"), 0, 1, "sip:a@h", "<sip:a@h>" },
	{ "display name", SUB("<ServiceProfile>" ID("sip:a@h", "<Extension><IdentityType>0</IdentityType><Extension><DisplayName>Al \"x\"&#13;&#10;Evil: 1</DisplayName></Extension></Extension>") "</ServiceProfile>"),
	  0, 1, "sip:a@h", "\"Al \\\"x\\\"Evil: 1\" <sip:a@h>" },
	{ "a bad identity is left out", SUB("<ServiceProfile>" ID("nonsense", "") ID("", "") ID("sip:a@h", "") "</ServiceProfile>"), 0, 1, "sip:a@h", "<sip:a@h>" },
	{ "wildcarded PSI, TS 29.228 annex B", SUB("<ServiceProfile>" ID("sip:chat-1@h", "<Extension><IdentityType>2</IdentityType><Extension><Extension>"
	  "<WildcardedPSI>sip:chat-!.*!@h</WildcardedPSI></Extension></Extension></Extension>") "</ServiceProfile>"),
	  0, 1, "sip:chat-!.*!@h", "<sip:chat-!.*!@h>" },
	{ "a wildcard of no wildcarded one", SUB("<ServiceProfile>" ID("sip:a@h", "<Extension><IdentityType>0</IdentityType>"
	  "<WildcardedIMPU>sip:!.*!@h</WildcardedIMPU></Extension>") ID("sip:b@h", "") "</ServiceProfile>"), 0, 2, "sip:a@h", "<sip:a@h>, <sip:b@h>" },
	{ "twice the same", SUB("<ServiceProfile>" ID("sip:a@H", "") ID("sip:a@h", "") "</ServiceProfile>"), 0, 1, "sip:a@H", "<sip:a@H>" },
	{ "all barred", SUB("<ServiceProfile>" ID("sip:a@h", "<BarringIndication>true</BarringIndication>") "</ServiceProfile>"), 0, 1, NULL, "" },
	{ "namespace prefix", "<c:IMSSubscription xmlns:c='x'><c:PrivateID>1</c:PrivateID><c:ServiceProfile><c:PublicIdentity><c:Identity>sip:a@h</c:Identity></c:PublicIdentity></c:ServiceProfile></c:IMSSubscription>", 0, 1, "sip:a@h", "<sip:a@h>" },
	{ "none usable", SUB("<ServiceProfile>" ID("nonsense", "") "</ServiceProfile>"), -EBADMSG, 0, NULL, NULL },
	{ "empty", "", -EBADMSG, 0, NULL, NULL },
	{ "not XML", "hello", -EBADMSG, 0, NULL, NULL },
	{ "cut off", "<IMSSubscription><ServiceProfile>", -EBADMSG, 0, NULL, NULL },
	{ "another root", "<Other/>", -EBADMSG, 0, NULL, NULL },
	{ "SEC-14 DOCTYPE bomb", "<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>" SUB("<ServiceProfile>" ID("sip:&b;@h", "") "</ServiceProfile>"), -EBADMSG, 0, NULL, NULL },
};

START_TEST(test_profile_row)
{
	struct profile *p = NULL;
	char why[160];
	int rc = profile_parse(str_from_c(rows[_i].xml), NULL, &p, why);
	struct buf b;

	ck_assert_msg(rc == rows[_i].rc, "%s: %d %s", rows[_i].name, rc, why);
	if (rc < 0) {
		ck_assert_msg(why[0] != '\0', "%s: no reason", rows[_i].name);
		return;
	}
	ck_assert_msg(p->n_identities == rows[_i].ids, "%s: %u identities", rows[_i].name, p->n_identities);
	if (rows[_i].def)
		ck_assert_str_eq(profile_default(p)->uri, rows[_i].def);
	else
		ck_assert_ptr_null(profile_default(p));
	buf_init(&b, 4096);
	profile_associated_uri(p, &b);
	ck_assert_msg(str_eq_c(buf_str(&b), rows[_i].associated), "%s: %.*s", rows[_i].name, STR_ARG(buf_str(&b)));
	buf_fini(&b);
	obj_unref(p);
}
END_TEST

START_TEST(test_services_aliases_and_filter_criteria)
{
	static const char xml[] = SUB(
		"<ServiceProfile>" ID("sip:+491@h", "<Extension><Extension><AliasIdentityGroupID>1</AliasIdentityGroupID></Extension></Extension>")
		ID("tel:+492", "") ID("tel:+491", "<Extension><Extension><AliasIdentityGroupID>1</AliasIdentityGroupID></Extension></Extension>")
		"<InitialFilterCriteria><Priority>0</Priority></InitialFilterCriteria>\n<InitialFilterCriteria><Priority>1</Priority></InitialFilterCriteria>"
		"</ServiceProfile><ServiceProfile>" ID("sip:psi@h", "<Extension><IdentityType>1</IdentityType></Extension>") "</ServiceProfile>");
	struct profile *p;

	ck_assert_int_eq(profile_parse(STR(xml), NULL, &p, NULL), 0);
	ck_assert_str_eq(p->impi, "001@ims");
	ck_assert_uint_eq(p->n_services, 2);
	ck_assert_uint_eq(p->identity[3].service, 1);
	ck_assert_uint_eq(p->identity[3].type, PROFILE_DISTINCT_PSI);
	ck_assert_str_eq(profile_other_form(p, profile_find(p, STR("sip:+491@h")))->aor, "tel:+491");
	ck_assert_str_eq(profile_other_form(p, profile_find(p, STR("tel:+492")))->aor, "sip:+491@h");
	ck_assert_ptr_null(profile_other_form(p, profile_find(p, STR("sip:psi@h"))));
	ck_assert(str_starts(p->criteria[0]->text, STR("<InitialFilterCriteria><Priority>0")));
	ck_assert(str_ends(p->criteria[0]->text, STR("<Priority>1</Priority></InitialFilterCriteria>")));
	ck_assert_uint_eq((uintptr_t)p->criteria[1], 0);
	obj_unref(p);
}
END_TEST

/* Handset 14: what a phone can be dialled by. */
static const struct { const char *name, *xml; bool number; } numbers[] = {
	{ "a SIP URI alone", SUB("<ServiceProfile>" ID("sip:001@h", "") "</ServiceProfile>"), false },
	{ "a tel URI", SUB("<ServiceProfile>" ID("sip:001@h", "") ID("tel:+491", "") "</ServiceProfile>"), true },
	{ "a SIP URI with a number", SUB("<ServiceProfile>" ID("sip:001@h", "") ID("sip:+491@h;user=phone", "") "</ServiceProfile>"), true },
	{ "barred", SUB("<ServiceProfile>" ID("sip:001@h", "") ID("tel:+491", "<BarringIndication>1</BarringIndication>") "</ServiceProfile>"), false },
};

START_TEST(test_number_row)
{
	struct profile *p;

	ck_assert_int_eq(profile_parse(str_from_c(numbers[_i].xml), NULL, &p, NULL), 0);
	ck_assert_msg(profile_has_number(p) == numbers[_i].number, "%s", numbers[_i].name);
	obj_unref(p);
}
END_TEST

START_TEST(test_limits)
{
	struct profile *p;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_puts(&b, "<IMSSubscription>");
	for (int i = 0; i < 40; i++)
		buf_puts(&b, "<a>");
	ck_assert_int_eq(profile_parse(buf_str(&b), NULL, &p, NULL), -EFBIG);
	buf_reset(&b);
	buf_puts(&b, "<IMSSubscription><ServiceProfile>");
	for (int i = 0; i < 65; i++)
		buf_printf(&b, ID("sip:u%d@h", ""), i);
	buf_puts(&b, "</ServiceProfile></IMSSubscription>");
	ck_assert_int_eq(profile_parse(buf_str(&b), NULL, &p, NULL), -EFBIG);
	buf_reset(&b);
	while (!b.failed && b.l <= PROFILE_MAX_BYTES)
		buf_puts(&b, "<IMSSubscription>                                        ");
	ck_assert_int_eq(profile_parse(buf_str(&b), NULL, &p, NULL), -EFBIG);
	buf_fini(&b);
}
END_TEST

/* REG-04: cut at every octet, at the very end of a block of exactly that size. */
START_TEST(test_truncated_everywhere)
{
	static const char xml[] = SUB("<ServiceProfile>" ID("sip:a@h", "<BarringIndication>0</BarringIndication>") "<InitialFilterCriteria/></ServiceProfile>");

	for (size_t n = 0; n < sizeof(xml) - 1; n++) {
		struct profile *p = NULL;
		char *exact = malloc(n ? n : 1), why[160];

		memcpy(exact, xml, n);
		ck_assert_int_eq(profile_parse(str_make(exact, n), NULL, &p, why), -EBADMSG);
		free(exact);
	}
}
END_TEST

TEST_MAIN("profile", TEST_ROWS(test_profile_row, rows), TEST_ONE(test_services_aliases_and_filter_criteria),
	  TEST_ROWS(test_number_row, numbers), TEST_ONE(test_limits), TEST_ONE(test_truncated_everywhere))
