/* tests/store/records.h - a store in a directory of its own, with records that tell by themselves whether they are right. */
#pragma once
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/store/private.h"
#include "tests/check.h"

static char dir[128];
static struct store_config config = { .dir = dir, .max_bytes = 64 << 20, .max_pending_bytes = 8 << 20, .journal_bytes = 65536,
				      .commit_ms = 10000 };

static inline void new_dir(void)
{
	const char *top = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/cscf-store-XXXXXX", top && *top ? top : "/tmp");
	ck_assert(mkdtemp(dir));
}

static inline void each_file(void (*fn)(const char *path))
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];

	ck_assert(d);
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			fn(path);
	}
	closedir(d);
}

static inline void remove_file(const char *path)
{
	unlink(path);
}

static inline void remove_dir(void)
{
	each_file(remove_file);
	ck_assert_int_eq(rmdir(dir), 0);
}

static inline struct store *open_store(void)
{
	struct store *s;

	ck_assert_int_eq(store_open(&s, &config, 2), 0);
	return s;
}

/* Value i of key i is as long as i says, and full of it. */
static inline struct str value_of(unsigned i, char *room)
{
	size_t l = 4 + i * 131 % 3000;

	memset(room, (int)('a' + i % 26), l);
	memcpy(room, &i, sizeof(i));
	return str_make(room, l);
}

static inline void put(struct store *s, unsigned i)
{
	char key[32], room[4096];

	snprintf(key, sizeof(key), "user-%u@ims", i);
	ck_assert_int_eq(store_put(store_port(s, i % 2), STORE_PHONE, str_from_c(key), value_of(i, room), i + 1), 0);
}

static inline void del(struct store *s, unsigned i)
{
	char key[32];

	snprintf(key, sizeof(key), "user-%u@ims", i);
	ck_assert_int_eq(store_del(store_port(s, i % 2), STORE_PHONE, str_from_c(key)), 0);
}

struct seen {
	unsigned n, wrong;
	bool is[4096];
};

static inline void on_record(void *arg, const struct store_record *r)
{
	struct seen *s = arg;
	char key[32], room[4096];
	unsigned i = 0;

	if (r->value.l >= sizeof(i))
		memcpy(&i, r->value.p, sizeof(i));
	snprintf(key, sizeof(key), "user-%u@ims", i);
	if (i >= 4096 || !str_eq_c(r->key, key) || !str_eq(r->value, value_of(i, room)) || r->expires_ms != i + 1 || s->is[i]) {
		s->wrong++;
		return;
	}
	s->is[i] = true;
	s->n++;
}

static inline void on_stored_record(void *arg, const struct record *r)
{
	const struct store_record out = { r->key, r->value, r->expires_ms };

	on_record(arg, &out);
}

static inline struct seen scan(struct store *s)
{
	struct seen all = { 0 };

	ck_assert_int_eq(store_scan(s, STORE_PHONE, on_record, &all), 0);
	ck_assert_uint_eq(all.wrong, 0);
	return all;
}
