/* tests/store/test_store.c - the store over kills, full disks and clocks that are set; rows H1, H6; reliability F1, F13, F14.
 * Damaged files are test_damaged.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/metrics/metrics.h"
#include "common/store/private.h"
#include "tests/store/records.h"

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

static int open_in_child(void)
{
	struct store *other;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int rc = store_open(&other, &config, 1);

		if (rc == 0)
			store_close(other);
		_exit(-rc);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EFAULT;
}

START_TEST(test_one_process)
{
	struct store *s;

	new_dir();
	s = open_store();
	ck_assert_int_eq(open_in_child(), -EBUSY);
	store_close(s);
	ck_assert_int_eq(open_in_child(), 0);
	remove_dir();
}
END_TEST

/* F2: the P-CSCF's helper of before may still be there for a moment. */
START_TEST(test_child_outlives)
{
	int hold[2], told[2];
	pid_t parent, child;
	struct store *s;

	new_dir();
	ck_assert(pipe(hold) == 0 && pipe(told) == 0);
	parent = fork();
	if (parent == 0) {
		s = open_store();
		child = fork();
		if (child == 0) {
			char c;

			close(hold[1]);
			_exit((int)read(hold[0], &c, 1));	/* until the test lets go */
		}
		put(s, 1);
		if (write(told[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	close(told[1]);
	ck_assert_int_eq(read(told[0], &(char){ 0 }, 1), 1);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	s = open_store();
	ck_assert_uint_eq(scan(s).n, 1);
	store_close(s);
	close(hold[1]);
	close(hold[0]);
	close(told[0]);
	remove_dir();
}
END_TEST

/* Who was killed is not gone at once: the next start waits a moment for the lock.  F2. */
START_TEST(test_dying_owner)
{
	int told[2];
	pid_t owner;
	struct store *s;

	new_dir();
	ck_assert_int_eq(pipe(told), 0);
	owner = fork();
	if (owner == 0) {
		put(open_store(), 1);
		if (write(told[1], "x", 1) == 1)
			poll(NULL, 0, 300);
		_exit(0);
	}
	ck_assert_int_eq(read(told[0], &(char){ 0 }, 1), 1);
	s = open_store();
	ck_assert_uint_eq(scan(s).n, 1);
	store_close(s);
	waitpid(owner, NULL, 0);
	close(told[0]);
	close(told[1]);
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

TEST_MAIN("store", TEST_ONE(test_stop_and_start), TEST_ONE(test_killed), TEST_ONE(test_one_process), TEST_ONE(test_child_outlives), TEST_ONE(test_dying_owner),
	  TEST_ONE(test_burst), TEST_ONE(test_disk_full),
	  TEST_ONE(test_file_full), TEST_ROWS(test_clock, clocks))
