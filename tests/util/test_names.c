/* tests/util/test_names.c - numbers of host names: stable, without case, forgotten in the order of use. */
#include <stdio.h>
#include "common/util/names.h"
#include "tests/check.h"

START_TEST(test_numbers)
{
	char text[NAME_BYTES], longest[NAME_BYTES + 1];
	uint32_t a = name_number(STR("scscf.ims.example")), b = name_number(STR("SCSCF.IMS.Example"));

	ck_assert_uint_ne(a, 0);
	ck_assert_uint_eq(a, b);
	ck_assert_uint_ne(name_number(STR("icscf.ims.example")), a);
	ck_assert(name_text(a, text));
	ck_assert_str_eq(text, "scscf.ims.example");
	memset(longest, 'a', sizeof(longest));
	ck_assert_uint_ne(name_number(str_make(longest, NAME_BYTES - 1)), 0);
	ck_assert_uint_eq(name_number(str_make(longest, NAME_BYTES)), 0);
	ck_assert_uint_eq(name_number(STR_NONE), 0);
	ck_assert(!name_text(0, text));
}
END_TEST

START_TEST(test_forgotten)
{
	char text[NAME_BYTES];
	uint32_t kept = name_number(STR("kept.example")), lost = name_number(STR("lost.example")), again;

	for (unsigned i = 0; i < NAMES_MAX - 1; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		ck_assert_uint_ne(name_number(str_from_c(text)), 0);
		ck_assert_uint_eq(name_number(STR("kept.example")), kept);
	}
	ck_assert(name_text(kept, text));
	ck_assert(!name_text(lost, text));
	again = name_number(STR("lost.example"));
	ck_assert_uint_ne(again, lost);			/* the old number does not come to mean something else */
	ck_assert(!name_text(lost, text));
	ck_assert(name_text(again, text));
}
END_TEST

TEST_MAIN("names", TEST_ONE(test_numbers), TEST_ONE(test_forgotten))
