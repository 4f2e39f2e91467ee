/* tests/ipsec/test_helper.c - the start of the privileged process when memory is out.  Row X12. */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "common/ipsec/ipsec.h"
#include "tests/check.h"

#define PAGE 4096u

static alignas(PAGE) bool lost[PAGE];

/* No page to share with it: the start is refused, and what the caller has is still the caller's. */
START_TEST(test_no_memory)
{
	struct ipsec_left left = { .set = calloc(PAGE, sizeof(*left.set)), .n = PAGE, .lost = lost };
	struct ipsec_helper *h = NULL;
	struct rlimit before, none;
	int rc;

	ck_assert_ptr_nonnull(left.set);
	lost[PAGE - 1] = true;
	ck_assert_int_eq(ipsec_helper_start(&h, 0, 1, 2, NULL), -EINVAL);	/* what an allocator maps for it is there from now on */
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
	none = before;
	none.rlim_cur = 0;			/* nothing new is mapped */
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
	rc = ipsec_helper_start(&h, 1, 1, 2, &left);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
	ck_assert_int_eq(rc, -ENOMEM);
	ck_assert(!h && !lost[0] && lost[PAGE - 1]);
	free((void *)(uintptr_t)left.set);
}
END_TEST

TEST_MAIN("helper", TEST_ONE(test_no_memory))
