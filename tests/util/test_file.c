/* tests/util/test_file.c - files read and replaced as a whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/util/file.h"
#include "tests/check.h"

static char dir[64], path[96], other[96];

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/cscf-file-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a", dir);
	snprintf(other, sizeof(other), "%s/link", dir);
}

static void teardown(void)
{
	unlink(path);
	unlink(other);
	ck_assert_int_eq(rmdir(dir), 0);	/* nothing is left beside them */
}

static void says(const char *file, const char *wanted)
{
	struct buf b;

	buf_init(&b, 1024);
	ck_assert_int_eq(file_read(file, &b), 0);
	ck_assert_msg(str_eq_c(buf_str(&b), wanted), "%.*s", STR_ARG(buf_str(&b)));
	buf_fini(&b);
}

static mode_t mode_of(const char *file)
{
	struct stat st;

	ck_assert_int_eq(lstat(file, &st), 0);
	return st.st_mode & (S_IFMT | 0777);
}

START_TEST(test_replace)
{
	setup();
	ck_assert_int_eq(file_replace(path, STR("one"), 0600), 0);
	says(path, "one");
	ck_assert_uint_eq(mode_of(path), S_IFREG | 0600);
	chmod(path, 0644);
	ck_assert_int_eq(file_replace(path, STR("two"), 0600), 0);
	says(path, "two");
	ck_assert_uint_eq(mode_of(path), S_IFREG | 0644);	/* as it was */
	ck_assert_int_eq(symlink("a", other), 0);
	ck_assert_int_eq(file_replace(other, STR("three"), 0600), 0);
	says(path, "three");
	ck_assert_uint_eq(mode_of(other) & S_IFMT, S_IFLNK);
	teardown();
}
END_TEST

START_TEST(test_refused)
{
	struct buf b;

	setup();
	buf_init(&b, 4);
	ck_assert_int_eq(file_read(path, &b), -ENOENT);
	ck_assert_int_eq(file_replace(path, STR("too long"), 0600), 0);
	ck_assert_int_eq(file_read(path, &b), -EFBIG);
	buf_fini(&b);
	snprintf(other, sizeof(other), "%s/no/such/folder", dir);
	ck_assert_int_eq(file_replace(other, STR("x"), 0600), -ENOENT);
	teardown();
}
END_TEST

TEST_MAIN("file", TEST_ONE(test_replace), TEST_ONE(test_refused))
