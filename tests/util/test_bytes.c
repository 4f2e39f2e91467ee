/* tests/util/test_bytes.c - shared octets and the bounded builder. */
#include <errno.h>
#include "common/util/bytes.h"
#include "tests/check.h"

START_TEST(test_shared)
{
	struct bytes *b = bytes_new(STR("abc")), *c = bytes_ref(b);

	bytes_unref(b);
	ck_assert(str_eq_c(bytes_str(c), "abc"));
	bytes_unref(c);
	bytes_unref(NULL);
	b = bytes_new(STR_NONE);
	ck_assert_uint_eq(b->l, 0);
	bytes_unref(b);
}
END_TEST

START_TEST(test_build)
{
	char big[1500];
	struct buf b;
	struct bytes *r;

	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	buf_init(&b, 4096);
	ck_assert_uint_eq(buf_str(&b).l, 0);
	buf_puts(&b, "n=");
	buf_putu(&b, 0);
	buf_putc(&b, ',');
	buf_putu(&b, UINT64_MAX);
	buf_printf(&b, ";%03d", 7);
	ck_assert(str_eq_c(buf_str(&b), "n=0,18446744073709551615;007"));
	buf_printf(&b, "%s", big);
	ck_assert_uint_eq(b.l, 28 + 1499);
	buf_reset(&b);
	buf_puts(&b, "again");
	r = buf_take(&b);
	ck_assert(r && str_eq_c(bytes_str(r), "again"));
	ck_assert_ptr_null(b.p);
	bytes_unref(r);
}
END_TEST

START_TEST(test_limit)
{
	struct buf b;

	buf_init(&b, 10);
	buf_puts(&b, "0123456789");
	ck_assert(!b.failed);
	ck_assert_int_eq(buf_error(&b), 0);
	buf_putc(&b, 'x');
	ck_assert(b.failed);
	ck_assert_int_eq(buf_error(&b), -EMSGSIZE);
	buf_reset(&b);
	ck_assert_int_eq(buf_error(&b), 0);
	buf_puts(&b, "01234567");
	buf_puts(&b, "too much");
	buf_putc(&b, '!');			/* would fit, but the text has a hole already */
	ck_assert(b.failed && str_eq_c(buf_str(&b), "01234567"));
	ck_assert_ptr_null(buf_take(&b));
	buf_putc(&b, 'x');			/* finished: takes nothing more */
	ck_assert(b.failed && !b.p);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)		/* their allocators end the program at such a size */
TEST_MAIN("bytes", TEST_ONE(test_shared), TEST_ONE(test_build), TEST_ONE(test_limit))
#else
START_TEST(test_no_memory)		/* is another mistake than too much */
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	buf_put(&b, str_make("", SIZE_MAX / 2 - 1));		/* nobody has so much: nothing is copied */
	ck_assert(b.failed);
	ck_assert_int_eq(buf_error(&b), -ENOMEM);
	buf_put(&b, str_make("", SIZE_MAX / 2 + 1));
	ck_assert_int_eq(buf_error(&b), -ENOMEM);		/* the first one counts */
	buf_fini(&b);
}
END_TEST

TEST_MAIN("bytes", TEST_ONE(test_no_memory), TEST_ONE(test_shared), TEST_ONE(test_build), TEST_ONE(test_limit))
#endif
