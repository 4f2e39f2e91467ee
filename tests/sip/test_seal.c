/* tests/sip/test_seal.c - sealed texts: nobody reads, nobody changes them.  SEC-05. */
#include <errno.h>
#include <string.h>
#include "common/sip/seal.h"
#include "tests/check.h"

#define WITH STR("token")
static const struct token_key key = { { 1, 2, 3 } }, other = { { 9 } };
static const char *const texts[] = { "", "<x>", "<sip:s@10.0.0.30:6060;lr>, <sip:as@10.0.0.60;lr>" };

START_TEST(test_back_and_forth)
{
	struct arena *a = arena_new(1024);
	struct str sealed = sip_seal(&key, WITH, str_from_c(texts[_i]), a), again = sip_seal(&key, WITH, str_from_c(texts[_i]), a), got;

	ck_assert(sealed.l > 0 && !str_eq(sealed, again));			/* cannot be linked */
	ck_assert(!*texts[_i] || str_find(sealed, str_from_c(texts[_i])) < 0);
	for (size_t i = 0; i < sealed.l; i++)
		ck_assert(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", sealed.p[i]) != NULL);
	ck_assert_int_eq(sip_unseal(&key, WITH, sealed, a, &got), 0);
	ck_assert(str_eq_c(got, texts[_i]));
	ck_assert_int_eq(sip_unseal(&other, WITH, sealed, a, &got), -EPERM);
	ck_assert_int_eq(sip_unseal(&key, STR("tokeN"), sealed, a, &got), -EPERM);	/* beside another token */
	ck_assert_int_eq(sip_unseal(&key, STR_NONE, sealed, a, &got), -EPERM);
	arena_unref(a);
}
END_TEST

START_TEST(test_forged)
{
	struct arena *a = arena_new(4096);
	struct str sealed = sip_seal(&key, WITH, STR("<sip:s@10.0.0.30:6060;lr>"), a), got;

	for (size_t i = 0; i + 1 < sealed.l; i++) {		/* the last one has bits that say nothing */
		char *copy = (char *)arena_dup(a, sealed).p;

		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		ck_assert_int_lt(sip_unseal(&key, WITH, str_make(copy, sealed.l), a, &got), 0);
	}
	for (size_t l = 0; l < sealed.l; l++)
		ck_assert_int_lt(sip_unseal(&key, WITH, str_head(sealed, l), a, &got), 0);
	ck_assert_int_lt(sip_unseal(&key, WITH, STR("%%%"), a, &got), 0);
	arena_unref(a);
}
END_TEST

START_TEST(test_too_long)
{
	static char text[SEAL_MAX_BYTES + 1], letters[3 * SEAL_MAX_BYTES];
	struct arena *a = arena_new(1024);
	struct str got;

	memset(text, 'x', sizeof(text));
	memset(letters, 'A', sizeof(letters));
	ck_assert_uint_eq(sip_seal(&key, WITH, str_make(text, sizeof(text)), a).l, 0);
	ck_assert_uint_gt(sip_seal(&key, WITH, str_make(text, sizeof(text) - 1), a).l, 0);
	ck_assert_int_eq(sip_unseal(&key, WITH, str_make(letters, sizeof(letters)), a, &got), -EBADMSG);
	arena_unref(a);
}
END_TEST

TEST_MAIN("seal", TEST_ROWS(test_back_and_forth, texts), TEST_ONE(test_forged), TEST_ONE(test_too_long))
