/* tests/check.h - the one place that knows the unit-test library (Check).
 *
 * A suite is one source file: START_TEST(x) ... END_TEST, then
 *   TEST_MAIN("uri", TEST_ROWS(test_uri_row, rows), TEST_ONE(test_uri_long))
 * TEST_ROWS runs the test once per row of a static array, with the row's number in _i. */
#pragma once
#include <check.h>
#include <stdlib.h>

struct test_entry {
	const TTest *const *t;
	int n;				/* rows; 0: not a loop */
};
#define TEST_ROWS(fn, rows) { &(fn), (int)(sizeof(rows) / sizeof((rows)[0])) }
#define TEST_ONE(fn) { &(fn), 0 }

#define TEST_MAIN(suite_name, ...) \
	int main(void) \
	{ \
		const struct test_entry e_[] = { __VA_ARGS__ }; \
		Suite *s_ = suite_create(suite_name); \
		TCase *c_ = tcase_create(suite_name); \
		SRunner *r_; \
		int failed_; \
		tcase_set_timeout(c_, 60); \
		for (size_t i_ = 0; i_ < sizeof(e_) / sizeof(e_[0]); i_++) { \
			if (e_[i_].n) \
				tcase_add_loop_test(c_, *e_[i_].t, 0, e_[i_].n); \
			else \
				tcase_add_test(c_, *e_[i_].t); \
		} \
		suite_add_tcase(s_, c_); \
		r_ = srunner_create(s_); \
		srunner_run_all(r_, CK_ENV); \
		failed_ = srunner_ntests_failed(r_); \
		srunner_free(r_); \
		return failed_ ? EXIT_FAILURE : EXIT_SUCCESS; \
	}
