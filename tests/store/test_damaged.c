/* tests/store/test_damaged.c - a state file that was cut or overwritten: the store always starts and what it gives back is what was put.
 * Reliability F4. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "tests/store/records.h"

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

static struct str damaged_image(char path[160])
{
	struct store *s;

	new_dir();
	s = open_store();
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = round; i < 50 + 10 * round; i += 1 + round % 2)
			put(s, i);
		for (unsigned i = 20 + round; i < 50; i += 9)
			del(s, i);
		store_flush(s);
	}
	store_close(s);
	snprintf(path, 160, "%s/state.mdb", dir);
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

/* ---- cuts at every octet of the last 64 KiB ----
 *
 * What store_open() does with a file, without its fork for each of them: one process takes cut after cut, and when one crashes the look, that
 * cut counts as unreadable, as it does for the store, and another process goes on behind it. */

#define LAST_BYTES 65536u
#define PUT_ANEW 3000u

struct swept {				/* shared with the processes that do it */
	size_t at;			/* the cut being looked at */
	bool looking;			/* a crash now is the look's, which a child takes in the store */
	unsigned good, some, none, crashed;
	char why[128];			/* set: something is wrong */
};

static void read_back(struct backend *b, struct pending *p, struct seen *all)
{
	struct list *pos;

	*all = (struct seen){ 0 };
	b->scan(b, STORE_PHONE, on_stored_record, all);
	list_for_each(pos, &p->all) {
		const struct change *c = &list_entry(pos, struct pending_change, link)->c;

		if (c->r.table == STORE_PHONE)
			on_stored_record(all, &c->r);
	}
}

/* Opened, read, written to, read again. */
static void use(struct swept *w, enum lmdb_verdict v, unsigned most)
{
	struct backend *b;
	struct pending p;
	struct seen before, after;
	char room[4096];
	int rc = pending_init(&p, 8 << 20);

	if (rc == 0)
		rc = lmdb_open_as(dir, config.max_bytes, v, &p, &b);
	if (rc < 0) {
		snprintf(w->why, sizeof(w->why), "cut at %zu: it does not open: %d", w->at, rc);
		return;
	}
	read_back(b, &p, &before);
	pending_add(&p, &(const struct change){ JOURNAL_PUT, { STORE_PHONE, STR("user-3000@ims"), value_of(PUT_ANEW, room), PUT_ANEW + 1 } });
	rc = b->commit(b, &p);
	pending_clear(&p);
	read_back(b, &p, &after);
	b->close(b);
	pending_fini(&p);
	if (rc < 0 || before.wrong || after.wrong || before.n > most || after.n != before.n + 1 || !after.is[PUT_ANEW])
		snprintf(w->why, sizeof(w->why), "cut at %zu: commit %d, records %u then %u, wrong %u and %u", w->at, rc, before.n, after.n,
			 before.wrong, after.wrong);
}

static void sweep_process(struct swept *w, const char *path, struct str file, size_t step, unsigned most)
{
	for (; w->at < file.l && !w->why[0]; w->at += step) {
		enum lmdb_verdict v;

		each_file(remove_file);
		write_file(path, str_make(file.p, w->at));
		w->looking = true;
		v = lmdb_check(path, config.max_bytes);
		w->looking = false;
		w->good += v == LMDB_GOOD;
		w->some += v == LMDB_SOME;
		w->none += v == LMDB_NONE;
		use(w, v, most);
	}
	_exit(0);
}

static void sweep(struct swept *w, const char *path, struct str file, size_t step, unsigned most)
{
	int status;
	pid_t pid;

	while (w->at < file.l && !w->why[0]) {
		fflush(NULL);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			if (!freopen("/dev/null", "w", stderr))
				_exit(1);
			sweep_process(w, path, file, step, most);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		ck_assert_msg(w->looking, "cut at %zu: the store itself crashed", w->at);
		w->looking = false;
		w->crashed++;
		w->none++;
		use(w, LMDB_NONE, most);
		w->at += step;
	}
}

/* Every 1021st cut, or with CSCF_TEST_EVERY_BYTE=K/N each whose distance from the first leaves K by N: tests/integration/state_cut.sh. */
START_TEST(test_truncated)
{
	const char *every = getenv("CSCF_TEST_EVERY_BYTE");
	unsigned k = 0, n = 1021, most;
	struct swept *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char path[160];
	struct str file;

	ck_assert_ptr_ne(w, MAP_FAILED);
	ck_assert(!every || (sscanf(every, "%u/%u", &k, &n) == 2 && k < n));
	file = damaged_image(path);
	ck_assert_uint_gt(file.l, LAST_BYTES);
	most = start_with(path, file);
	w->at = file.l - LAST_BYTES + k;
	sweep(w, path, file, n, most);
	ck_assert_msg(!w->why[0], "%s", w->why);
	ck_assert_uint_gt(w->none + w->some, 0);		/* the cuts did reach it */
	printf("%u cuts in the last 64 KiB of %zu octets: used %u, in part %u, put aside %u (%u crashed the look)\n",
	       w->good + w->some + w->none, file.l, w->good, w->some, w->none, w->crashed);
	munmap(w, sizeof(*w));
	free((char *)(uintptr_t)file.p);
	remove_dir();
}
END_TEST

/* By the store as a whole, child and all. */
START_TEST(test_cut_short)
{
	char path[160];
	struct str file = damaged_image(path);
	unsigned all = start_with(path, file);

	for (size_t l = 17; l < file.l; l += 12289)
		ck_assert_uint_le(start_with(path, str_make(file.p, l)), all);
	ck_assert_uint_eq(start_with(path, str_make(file.p, 17)), 0);
	free((char *)(uintptr_t)file.p);
	remove_dir();
}
END_TEST

/* A page of nothing, of noise, or from elsewhere, at every place. */
START_TEST(test_damaged)
{
	char path[160];
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

static const int pages[] = { 0, 1, 2 };
TEST_MAIN("damaged", TEST_ONE(test_truncated), TEST_ONE(test_cut_short), TEST_ROWS(test_damaged, pages))
