/* tests/log/test_records.c - a file of lines: appended, rotated, moved away by others.  Row G4. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/log/records.h"
#include "tests/check.h"

static char dir[64], path[80];

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/records-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/r", dir);
}

static void holds(const char *suffix, const char *want)
{
	char name[96], got[256] = "";
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	f = fopen(name, "r");
	if (!want) {
		ck_assert_msg(!f, "%s is there", name);
		return;
	}
	ck_assert_msg(f != NULL, "%s is not there", name);
	got[fread(got, 1, sizeof(got) - 1, f)] = '\0';
	fclose(f);
	ck_assert_str_eq(got, want);
}

static void remove_all(void)
{
	char cmd[96];

	snprintf(cmd, sizeof(cmd), "%s.1", path);
	unlink(cmd);
	snprintf(cmd, sizeof(cmd), "%s.2", path);
	unlink(cmd);
	snprintf(cmd, sizeof(cmd), "%s.old", path);
	unlink(cmd);
	unlink(path);
	rmdir(dir);
}

START_TEST(test_rotation)
{
	struct records *l;

	make_dir();
	ck_assert_int_eq(records_open(&l, path, 10, 2), 0);
	for (char c = 'a'; c <= 'h'; c++) {
		char text[] = { c, c, c, 0 };

		ck_assert_int_eq(records_put(l, str_from_c(text)), 0);
	}
	records_close(l);
	holds("", "ggg\nhhh\n");
	holds(".1", "eee\nfff\n");
	holds(".2", "ccc\nddd\n");
	holds(".3", NULL);
	ck_assert_int_eq(records_open(&l, path, 10, 2), 0);		/* goes on where it was */
	ck_assert_int_eq(records_put(l, STR("a line that is longer than the file may be")), 0);
	records_close(l);
	holds("", "a line that is longer than the file may be\n");
	holds(".1", "ggg\nhhh\n");
	remove_all();
}
END_TEST

START_TEST(test_none_kept)
{
	struct records *l;

	make_dir();
	ck_assert_int_eq(records_open(&l, path, 8, 0), 0);
	ck_assert_int_eq(records_put(l, STR("aaaa")), 0);
	ck_assert_int_eq(records_put(l, STR("bbbb")), 0);
	records_close(l);
	holds("", "bbbb\n");
	holds(".1", NULL);
	remove_all();
}
END_TEST

START_TEST(test_moved_away)
{
	char old[96];
	struct records *l;

	make_dir();
	snprintf(old, sizeof(old), "%s.old", path);
	ck_assert_int_eq(records_open(&l, path, 1000, 2), 0);
	ck_assert_int_eq(records_put(l, STR("one")), 0);
	ck_assert_int_eq(rename(path, old), 0);
	ck_assert_int_eq(records_put(l, STR("two")), 0);
	records_close(l);
	holds("", "two\n");
	holds(".old", "one\n");
	remove_all();
}
END_TEST

START_TEST(test_no_place)
{
	struct records *l;

	ck_assert_int_eq(records_open(&l, "/nowhere/at/all", 1000, 2), -ENOENT);
	ck_assert_ptr_null(l);
	ck_assert_int_eq(records_open(&l, "/dev/full", 1000, 2), 0);
	ck_assert_int_eq(records_put(l, STR("one")), -ENOSPC);
	records_close(l);
	records_close(NULL);
}
END_TEST

TEST_MAIN("records", TEST_ONE(test_rotation), TEST_ONE(test_none_kept), TEST_ONE(test_moved_away), TEST_ONE(test_no_place))
