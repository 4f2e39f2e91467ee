/* tests/store/test_store.c - the store over kills, full disks, damaged files and clocks that are set; rows H1, H6; reliability F1, F4, F13, F14. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/metrics/metrics.h"
#include "common/store/private.h"
#include "tests/check.h"

static char dir[64];
static struct store_config config = { .dir = dir, .max_bytes = 64 << 20, .max_pending_bytes = 8 << 20, .journal_bytes = 65536,
				      .commit_ms = 10000 };

static void new_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/cscf-store-XXXXXX");
	ck_assert(mkdtemp(dir));
}

static void each_file(void (*fn)(const char *path))
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

static void remove_file(const char *path)
{
	unlink(path);
}

static void remove_dir(void)
{
	each_file(remove_file);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct store *open_store(void)
{
	struct store *s;

	ck_assert_int_eq(store_open(&s, &config, 2), 0);
	return s;
}

/* Value i of key i is as long as i says, and full of it. */
static struct str value_of(unsigned i, char *room)
{
	size_t l = 4 + i * 131 % 3000;

	memset(room, (int)('a' + i % 26), l);
	memcpy(room, &i, sizeof(i));
	return str_make(room, l);
}

static void put(struct store *s, unsigned i)
{
	char key[32], room[4096];

	snprintf(key, sizeof(key), "user-%u@ims", i);
	ck_assert_int_eq(store_put(store_port(s, i % 2), STORE_PHONE, str_from_c(key), value_of(i, room), i + 1), 0);
}

static void del(struct store *s, unsigned i)
{
	char key[32];

	snprintf(key, sizeof(key), "user-%u@ims", i);
	ck_assert_int_eq(store_del(store_port(s, i % 2), STORE_PHONE, str_from_c(key)), 0);
}

struct seen {
	unsigned n, wrong;
	bool is[4096];
};

static void on_record(void *arg, const struct store_record *r)
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

static struct seen scan(struct store *s)
{
	struct seen all = { 0 };

	ck_assert_int_eq(store_scan(s, STORE_PHONE, on_record, &all), 0);
	ck_assert_uint_eq(all.wrong, 0);
	return all;
}

static void check_mode(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_msg((st.st_mode & 0777) == 0600, "%s: %o", path, st.st_mode);
}

START_TEST(test_stop_and_start)
{
	struct store *s;
	struct seen all;

	new_dir();
	s = open_store();
	for (unsigned i = 0; i < 300; i++)
		put(s, i);
	put(s, 7);
	del(s, 8);
	ck_assert_int_eq(store_start(s), 0);
	store_flush(s);
	del(s, 9);
	each_file(check_mode);
	store_close(s);
	s = open_store();
	all = scan(s);
	ck_assert_uint_eq(all.n, 298);
	ck_assert(all.is[7] && !all.is[8] && !all.is[9]);
	store_close(s);
	remove_dir();
}
END_TEST

/* F1: what was put is there, however the process ended and wherever the writer was. */
START_TEST(test_killed)
{
	struct store *s;
	struct seen all;
	int status, tell[2];
	pid_t pid;
	char c;

	new_dir();
	ck_assert_int_eq(pipe(tell), 0);
	for (int round = 0; round < 3; round++) {
		pid = fork();
		if (pid == 0) {
			s = open_store();
			if (round)
				store_start(s);
			for (unsigned i = 0; i < 40; i++)
				put(s, (unsigned)round * 100 + i);
			if (round == 2)
				store_flush(s);
			del(s, (unsigned)round * 100 + 1);
			ck_assert_int_eq(write(tell[1], "x", 1), 1);
			pause();
		}
		ck_assert_int_eq(read(tell[0], &c, 1), 1);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	s = open_store();
	all = scan(s);
	ck_assert_uint_eq(all.n, 3 * 39);
	ck_assert(!all.is[1] && !all.is[101] && !all.is[201] && all.is[239]);
	/* Also when it is killed again before it has written what it found. */
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, &status, 0);
	store_close(s);
	s = open_store();
	ck_assert_uint_eq(scan(s).n, 3 * 39);
	store_close(s);
	close(tell[0]);
	close(tell[1]);
	remove_dir();
}
END_TEST

START_TEST(test_one_process)
{
	struct store *s, *other;

	new_dir();
	s = open_store();
	ck_assert_int_eq(store_open(&other, &config, 1), -EBUSY);
	store_close(s);
	remove_dir();
}
END_TEST

/* A ring that is full while the writer sleeps: nothing is lost and the last change of a key wins. */
START_TEST(test_burst)
{
	struct store *s;

	new_dir();
	s = open_store();
	ck_assert_int_eq(store_start(s), 0);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 1500; i++)
			put(s, i);
	for (unsigned i = 0; i < 1500; i += 2)
		del(s, i);
	store_close(s);
	s = open_store();
	ck_assert_uint_eq(scan(s).n, 750);
	store_close(s);
	remove_dir();
}
END_TEST

static void set_file_limit(rlim_t bytes)
{
	struct rlimit r;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* The limit holds for Check's own file as well: nothing is asserted meanwhile. */
static void flush_to_full_disk(struct store *s)
{
	set_file_limit(4096);
	store_flush(s);
	set_file_limit(RLIM_INFINITY);
}

/* F13: the disk takes nothing more; later it does. */
START_TEST(test_disk_full)
{
	struct store *s;
	struct buf why;

	new_dir();
	buf_init(&why, 1024);
	signal(SIGXFSZ, SIG_IGN);
	config.journal_bytes = 4 << 20;
	s = open_store();
	ck_assert_int_eq(store_start(s), 0);
	put(s, 0);
	store_flush(s);
	ck_assert(!store_trouble(s, &why));
	for (unsigned i = 1; i < 1000; i++)
		put(s, i);
	flush_to_full_disk(s);
	ck_assert(store_trouble(s, &why));
	ck_assert(str_find(buf_str(&why), STR("kept in memory")) >= 0);
	ck_assert_int_eq(metric_get(&store_m_failing, NULL, NULL), 1);
	del(s, 5);
	flush_to_full_disk(s);
	ck_assert(store_trouble(s, &why));
	put(s, 1000);
	store_flush(s);
	ck_assert(!store_trouble(s, &why));
	ck_assert_int_eq(metric_get(&store_m_failing, NULL, NULL), 0);
	ck_assert_int_eq(metric_get(&store_m_lost, NULL, NULL), 0);
	store_close(s);
	s = open_store();
	ck_assert_uint_eq(scan(s).n, 1000);
	store_close(s);
	buf_fini(&why);
	remove_dir();
}
END_TEST

/* The file has grown to max_bytes: the same, and what does not fit into memory either is counted. */
START_TEST(test_file_full)
{
	struct store_config before = config;
	int64_t lost = metric_get(&store_m_lost, NULL, NULL);
	struct store *s;

	new_dir();
	config.max_bytes = 1 << 20;
	config.max_pending_bytes = 65536;
	s = open_store();
	for (unsigned i = 0; i < 2000; i++) {
		put(s, i);
		if (i % 10 == 9)
			store_flush(s);
	}
	ck_assert_int_gt(metric_get(&store_m_lost, NULL, NULL), lost);
	for (unsigned i = 0; i < 2000; i++)
		del(s, i);
	store_flush(s);
	store_close(s);
	config = before;
	s = open_store();
	ck_assert_uint_eq(scan(s).wrong, 0);
	store_close(s);
	remove_dir();
}
END_TEST

/* ---- F4 ---- */

static struct str whole_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *p;

	ck_assert(fd >= 0 && fstat(fd, &st) == 0);
	p = malloc((size_t)st.st_size);
	ck_assert(p && read(fd, p, (size_t)st.st_size) == st.st_size);
	close(fd);
	return str_make(p, (size_t)st.st_size);
}

static void write_file(const char *path, struct str text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert(fd >= 0 && write(fd, text.p, text.l) == (ssize_t)text.l);
	close(fd);
}

static struct str damaged_image(char path[128])
{
	struct store *s;

	new_dir();
	s = open_store();
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = round; i < 200; i += 1 + round)
			put(s, i);
		for (unsigned i = 50 + round; i < 200; i += 9)
			del(s, i);
		store_flush(s);
	}
	store_close(s);
	snprintf(path, 128, "%s/state.mdb", dir);
	return whole_file(path);
}

/* Starts with that file, says nothing wrong, takes changes, and has them at the next start. */
static unsigned start_with(const char *path, struct str file)
{
	struct store *s;
	struct seen all;
	unsigned n;

	each_file(remove_file);
	write_file(path, file);
	s = open_store();
	all = scan(s);
	n = all.n;
	put(s, 3000);
	store_flush(s);
	ck_assert_int_eq(atomic_load(&s->failing), 0);
	store_close(s);
	s = open_store();
	all = scan(s);
	ck_assert_uint_eq(all.n, n + 1);
	store_close(s);
	return n;
}

/* At every octet of the last 64 KiB with CSCF_TEST_EVERY_BYTE, else at some. */
START_TEST(test_truncated)
{
	char path[128];
	struct str file = damaged_image(path);
	unsigned all = start_with(path, file), worst = all;
	size_t step = getenv("CSCF_TEST_EVERY_BYTE") ? 1 : 1021, l = file.l > 65536 ? file.l - 65536 : 0;

	ck_assert_uint_gt(all, 0);
	for (; l < file.l; l += step) {
		unsigned n = start_with(path, str_make(file.p, l));

		ck_assert_uint_le(n, all);
		worst = n < worst ? n : worst;
	}
	ck_assert_uint_lt(worst, all);		/* the cuts did reach it */
	for (l = 0; l < 3; l++)
		(void)start_with(path, str_make(file.p, l * 4096 + 17));
	free((char *)(uintptr_t)file.p);
	remove_dir();
}
END_TEST

/* A page of nothing, of noise, or from elsewhere, at every place. */
START_TEST(test_damaged)
{
	char path[128];
	struct str file = damaged_image(path);
	char *copy = malloc(file.l);
	unsigned seed = 1;

	for (size_t page = 0; page < file.l / 4096; page += 1 + (size_t)_i) {
		memcpy(copy, file.p, file.l);
		for (size_t k = 0; k < 4096; k++)
			copy[page * 4096 + k] = _i == 0 ? 0 : _i == 1 ? (char)rand_r(&seed) : file.p[(file.l - 4096 - page * 4096 + k) % file.l];
		(void)start_with(path, str_make(copy, file.l));
	}
	free(copy);
	free((char *)(uintptr_t)file.p);
	remove_dir();
}
END_TEST

/* ---- F14 ---- */

static uint64_t restarted_with(int64_t boot_back_ms, int64_t wall_forth_ms, bool other_boot)
{
	struct store *s = open_store();
	uint64_t then = store_now_ms(s), now;
	struct change meta;
	char text[64];
	struct {
		char boot[40];
		int64_t boot_ms, wall_ms;
	} m;

	store_meta(s, &meta, text);
	memcpy(&m, text, sizeof(m));
	m.boot_ms -= boot_back_ms;
	m.wall_ms -= wall_forth_ms;
	if (other_boot)
		m.boot[0] = '?';
	memcpy(text, &m, sizeof(m));
	ck_assert_int_eq(pending_add(&s->pending, &meta), 0);
	ck_assert_int_eq(s->backend->commit(s->backend, &s->pending), 0);
	pending_clear(&s->pending);
	s->backend->close(s->backend);		/* as a kill would leave it */
	s->backend = NULL;
	for (unsigned i = 0; i < s->n_ports; i++)
		journal_free(s->port[i].j, true);
	store_close(s);
	s = open_store();
	now = store_now_ms(s);
	store_close(s);
	return now - then;
}

static const struct { const char *name; int64_t boot_ms, wall_ms; bool other_boot; uint64_t least, most; } clocks[] = {
	{ "a minute away", 60000, 60000, false, 60000, 70000 },
	{ "the clock was set an hour ahead", 60000, 3660000, false, 60000, 70000 },
	{ "ten years back", 60000, -315360000000, false, 60000, 70000 },
	{ "a boot of two minutes", 0, 120000, true, 120000, 130000 },
	{ "a boot into the past", 0, -120000, true, 0, 10000 },
};

START_TEST(test_clock)
{
	uint64_t gone;

	new_dir();
	gone = restarted_with(clocks[_i].boot_ms, clocks[_i].wall_ms, clocks[_i].other_boot);
	ck_assert_msg(gone >= clocks[_i].least && gone <= clocks[_i].most, "%s: %llu", clocks[_i].name, (unsigned long long)gone);
	remove_dir();
}
END_TEST

static const int pages[] = { 0, 1, 2 };
TEST_MAIN("store", TEST_ONE(test_stop_and_start), TEST_ONE(test_killed), TEST_ONE(test_one_process), TEST_ONE(test_burst), TEST_ONE(test_disk_full),
	  TEST_ONE(test_file_full), TEST_ONE(test_truncated), TEST_ROWS(test_damaged, pages), TEST_ROWS(test_clock, clocks))
