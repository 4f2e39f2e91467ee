/* tests/ipsec/test_helper.c - the start of the privileged process when memory is out.  Row X12. */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "common/ipsec/ipsec.h"
#include "tests/check.h"

#define PAGE 4096u

static alignas(PAGE) bool lost[PAGE];

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off);

/* Nothing new is mapped: the linker puts this in the place of mmap() (--wrap). */
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off)
{
	(void)at;
	(void)prot;
	(void)fd;
	(void)off;
	ck_assert_uint_ge(bytes, PAGE);
	ck_assert(flags & MAP_SHARED);
	errno = ENOMEM;
	return MAP_FAILED;
}

/* No page to share with it: the start is refused, and what the caller has is still the caller's. */
START_TEST(test_no_memory)
{
	struct ipsec_left left = { .set = calloc(PAGE, sizeof(*left.set)), .n = PAGE, .lost = lost };
	struct ipsec_helper *h = NULL;

	ck_assert_ptr_nonnull(left.set);
	lost[PAGE - 1] = true;
	ck_assert_int_eq(ipsec_helper_start(&h, 1, 1, 2, &left), -ENOMEM);
	ck_assert(!h && !lost[0] && lost[PAGE - 1]);
	free((void *)(uintptr_t)left.set);
}
END_TEST

TEST_MAIN("helper", TEST_ONE(test_no_memory))
