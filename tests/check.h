/* tests/check.h - the one place that knows the unit-test library (Check).
 *
 * A suite is one source file: START_TEST(x) ... END_TEST, then
 *   TEST_MAIN("uri", TEST_ROWS(test_uri_row, rows), TEST_ONE(test_uri_long))
 * TEST_ROWS runs the test once per row of a static array, with the row's number in _i.
 * TEST_MAIN_NEEDS("dnsmasq", "/usr/sbin/dnsmasq", "package dnsmasq-base", ...) skips, saying so, where that program is missing;
 * TEST_MAIN_AS_ROOT where we are not root. */
#pragma once
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEST_SKIP 77			/* automake's */

struct test_entry {
	const TTest *const *t;
	int n;				/* rows; 0: not a loop */
};
#define TEST_ROWS(fn, rows) { &(fn), (int)(sizeof(rows) / sizeof((rows)[0])) }
#define TEST_ONE(fn) { &(fn), 0 }

static inline int test_run(const char *name, const struct test_entry *e, size_t n)
{
	Suite *s = suite_create(name);
	TCase *c = tcase_create(name);
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 60);
	for (size_t i = 0; i < n; i++) {
		if (e[i].n)
			tcase_add_loop_test(c, *e[i].t, 0, e[i].n);
		else
			tcase_add_test(c, *e[i].t);
	}
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define TEST_MAIN(suite_name, ...) \
	int main(void) \
	{ \
		const struct test_entry e_[] = { __VA_ARGS__ }; \
		return test_run(suite_name, e_, sizeof(e_) / sizeof(e_[0])); \
	}
#define TEST_MAIN_AS_ROOT(suite_name, ...) \
	int main(void) \
	{ \
		const struct test_entry e_[] = { __VA_ARGS__ }; \
		if (geteuid() != 0) { \
			printf("SKIP: only root can test this\n"); \
			return TEST_SKIP; \
		} \
		return test_run(suite_name, e_, sizeof(e_) / sizeof(e_[0])); \
	}
#define TEST_MAIN_NEEDS(suite_name, program, where, ...) \
	int main(void) \
	{ \
		const struct test_entry e_[] = { __VA_ARGS__ }; \
		if (access(program, X_OK) < 0) { \
			printf("SKIP: %s is not installed (%s)\n", program, where); \
			return TEST_SKIP; \
		} \
		return test_run(suite_name, e_, sizeof(e_) / sizeof(e_[0])); \
	}
