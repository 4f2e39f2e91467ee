/* tests/daemon/test_revisions.c - what the configuration file said: kept over restarts, within its limit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/daemon/revisions.h"
#include "tests/check.h"

static char dir[64];

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/cscf-rev-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void path_of(unsigned number, char dst[128])
{
	snprintf(dst, 128, "%s/config-%08u.yaml", dir, number);
}

static void teardown(unsigned last)
{
	char path[128];

	for (unsigned i = 0; i <= last; i++) {
		path_of(i, path);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

static void says(struct revisions *r, unsigned number, const char *wanted)
{
	struct buf b;

	buf_init(&b, 1024);
	ck_assert_int_eq(revisions_read(r, number, &b), 0);
	ck_assert_msg(str_eq_c(buf_str(&b), wanted), "%u: %.*s", number, STR_ARG(buf_str(&b)));
	buf_fini(&b);
}

START_TEST(test_kept)
{
	struct revision v[8];
	struct revisions *r;
	char path[128];
	struct stat st;

	setup();
	r = revisions_open(dir, 5);
	ck_assert_uint_eq(revisions_newest(r), 0);
	revisions_add(r, STR("one\n"), "file", "");
	revisions_add(r, STR("one\n"), "api", "olga");		/* nothing changed */
	revisions_add(r, STR("two\n"), "api", "olga op\nx");
	revisions_free(r);
	path_of(2, path);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	r = revisions_open(dir, 5);
	ck_assert_uint_eq(revisions_newest(r), 2);
	ck_assert(str_eq(revisions_text(r), STR("two\n")));
	revisions_add(r, STR("two\n"), "file", "");		/* the start finds the file as it was */
	ck_assert_uint_eq(revisions_list(r, 0, v, 8), 2);
	ck_assert_uint_eq(v[0].number, 2);
	ck_assert_str_eq(v[0].by, "olga op?x");
	ck_assert_str_eq(v[0].origin, "api");
	ck_assert_str_eq(v[1].by, "");
	ck_assert_uint_eq(revisions_list(r, 2, v, 8), 1);
	says(r, 1, "one\n");
	revisions_free(r);
	teardown(2);
}
END_TEST

START_TEST(test_limit)
{
	struct revision v[8];
	struct revisions *r;
	struct buf b;
	char text[16];

	setup();
	r = revisions_open(dir, 3);
	for (int i = 1; i <= 7; i++) {
		snprintf(text, sizeof(text), "%d", i);
		revisions_add(r, str_from_c(text), "file", "");
	}
	ck_assert_uint_eq(revisions_list(r, 0, v, 8), 3);
	ck_assert_uint_eq(v[2].number, 5);
	buf_init(&b, 64);
	ck_assert_int_eq(revisions_read(r, 4, &b), -ENOENT);
	buf_fini(&b);
	revisions_free(r);
	r = revisions_open(dir, 2);				/* the limit was lowered */
	ck_assert_uint_eq(revisions_list(r, 0, v, 8), 2);
	ck_assert_uint_eq(v[1].number, 6);
	says(r, 7, "7");
	revisions_free(r);
	teardown(7);
}
END_TEST

/* What is no revision, or a damaged one, is passed over; its number is not used again. */
START_TEST(test_damaged)
{
	struct revision v[8];
	struct revisions *r;
	char path[128];
	FILE *f;

	setup();
	r = revisions_open(dir, 5);
	revisions_add(r, STR("a"), "file", "");
	revisions_add(r, STR("b"), "file", "");
	revisions_free(r);
	path_of(2, path);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("# revision 7 x", f);
	fclose(f);
	r = revisions_open(dir, 5);
	ck_assert_uint_eq(revisions_list(r, 0, v, 8), 1);
	ck_assert_uint_eq(revisions_newest(r), 2);
	revisions_add(r, STR("b"), "file", "");
	ck_assert_uint_eq(revisions_newest(r), 3);
	revisions_free(r);
	teardown(3);
}
END_TEST

START_TEST(test_nowhere)
{
	struct revision v[2];
	struct revisions *r = revisions_open(NULL, 5);

	revisions_add(r, STR("a"), "file", "");
	revisions_add(r, STR("b"), "file", "");
	ck_assert_uint_eq(revisions_newest(r), 2);
	ck_assert_uint_eq(revisions_list(r, 0, v, 2), 0);
	ck_assert(str_eq(revisions_text(r), STR("b")));
	revisions_free(r);
	revisions_free(NULL);
}
END_TEST

TEST_MAIN("revisions", TEST_ONE(test_kept), TEST_ONE(test_limit), TEST_ONE(test_damaged), TEST_ONE(test_nowhere))
