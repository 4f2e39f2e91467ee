/* common/store/lmdb.c - the embedded backend: one LMDB file, state.mdb, whose commits are durable.  Rows H1; reliability F4, F13.
 *
 * LMDB maps its file and trusts it: one that was cut or damaged could end the process.  So a child looks at the whole of it first, and
 * ends in our place.  What passes is used as it is.  What can be walked but has records whose sum is wrong is put aside, and its good
 * records go into a new file.  Anything else is put aside and nothing of it is used. */
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/log/log.h"
#include "common/store/private.h"
#include "common/util/clock.h"

#define FILE_NAME "state.mdb"
#define CHECK_S 60u			/* the child ends itself after that long */

struct lmdb {
	struct backend b;
	MDB_env *env;
	MDB_dbi dbi;
	char path[4096];
	uint64_t max_bytes;
};

static int error_of(int rc)
{
	if (rc == MDB_SUCCESS)
		return 0;
	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL)
		return -ENOSPC;
	return rc > 0 ? -rc : -EIO;
}

/* ---- opening ---- */

static int env_open(const char *path, uint64_t max_bytes, unsigned flags, MDB_env **ret)
{
	MDB_env *env;
	int rc = mdb_env_create(&env);

	if (rc)
		return rc;
	rc = mdb_env_set_mapsize(env, max_bytes);
	if (!rc)
		rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | flags, 0600);	/* the directory's lock is ours */
	if (rc) {
		mdb_env_close(env);
		return rc;
	}
	*ret = env;
	return 0;
}

static int dbi_open(MDB_env *env, unsigned flags, MDB_dbi *ret)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(env, NULL, flags, &txn);

	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, ret);
	if (rc)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	return rc;
}

/* ---- the look beforehand ---- */

/* A page that was never written, because it was freed in the transaction that took it, may be missing at the end: it is not reachable.
 * One that is reachable reads as zeros then, and is found out. */
static int fill_up(MDB_env *env, const char *path)
{
	MDB_envinfo info;
	struct stat st;
	MDB_stat ms;
	off_t want;

	mdb_env_info(env, &info);
	mdb_env_stat(env, &ms);
	want = (off_t)((info.me_last_pgno + 1) * ms.ms_psize);
	if (stat(path, &st) < 0)
		return -errno;
	if ((uint64_t)want > info.me_mapsize)
		return -EBADMSG;
	return st.st_size < want && truncate(path, want) < 0 ? -errno : 0;
}

/* Every record, in order and as many as there should be: a page of another time or place is none of ours. */
static int check_records(MDB_txn *txn, MDB_dbi dbi, bool *some)
{
	MDB_val k, v, last = { 0, NULL };
	MDB_cursor *c;
	MDB_stat st;
	struct record r;
	size_t n = 0;
	int rc = mdb_cursor_open(txn, dbi, &c);

	if (rc == 0)
		rc = mdb_stat(txn, dbi, &st);
	while (rc == 0 && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		if (n++ && mdb_cmp(txn, dbi, &last, &k) >= 0)
			return MDB_CORRUPTED;
		last = k;
		if (record_read(str_make(k.mv_data, k.mv_size), str_make(v.mv_data, v.mv_size), &r) < 0)
			*some = true;
	}
	if (rc != MDB_NOTFOUND)
		return rc;
	return n == st.ms_entries ? 0 : MDB_CORRUPTED;
}

/* Each list of free pages, whose members must exist. */
static int check_free(MDB_env *env, MDB_txn *txn)
{
	MDB_envinfo info;
	MDB_val k, v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(txn, 0, &c);

	mdb_env_info(env, &info);
	while (rc == 0 && (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		size_t n = v.mv_size / sizeof(size_t), page, count;

		if (n == 0)
			return MDB_CORRUPTED;
		memcpy(&count, v.mv_data, sizeof(count));
		if (count >= n)
			return MDB_CORRUPTED;
		for (size_t i = 1; i <= count; i++) {
			memcpy(&page, (char *)v.mv_data + i * sizeof(page), sizeof(page));
			if (page < 2 || page > info.me_last_pgno)
				return MDB_CORRUPTED;
		}
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

enum lmdb_verdict lmdb_check(const char *path, uint64_t max_bytes)
{
	bool some = false;
	MDB_txn *txn = NULL;
	MDB_env *env;
	MDB_dbi dbi;
	int rc = env_open(path, max_bytes, MDB_RDONLY, &env);

	if (rc)
		return LMDB_NONE;
	rc = fill_up(env, path);
	if (rc == 0)
		rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (rc == 0)
		rc = mdb_dbi_open(txn, NULL, 0, &dbi);
	if (rc == 0)
		rc = check_records(txn, dbi, &some);
	if (rc == 0 && check_free(env, txn) != 0)
		some = true;		/* it can be read, but is not to be written to */
	if (txn)
		mdb_txn_abort(txn);
	mdb_env_close(env);
	return rc ? LMDB_NONE : some ? LMDB_SOME : LMDB_GOOD;
}

/* Its exit status is the verdict; any other: it has crashed.  0 or -errno. */
static int check_in_child(const char *path, uint64_t max_bytes, enum lmdb_verdict *ret)
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		alarm(CHECK_S);
		/* What it says of a crash would be about our own file: nobody's business. */
		if (!freopen("/dev/null", "w", stderr))
			_exit(LMDB_NONE);
		_exit((int)lmdb_check(path, max_bytes));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	*ret = WIFEXITED(status) && (WEXITSTATUS(status) == LMDB_GOOD || WEXITSTATUS(status) == LMDB_SOME) ? (enum lmdb_verdict)WEXITSTATUS(status)
													      : LMDB_NONE;
	return 0;
}

/* ---- reading ---- */

struct walk {
	unsigned table;
	void (*fn)(void *arg, const struct record *r);
	void *arg;
};

static int walk_all(MDB_env *env, MDB_dbi dbi, const struct walk *w)
{
	char first = (char)w->table;
	MDB_val k = { 1, &first }, v;
	MDB_cursor *c;
	MDB_txn *txn;
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return error_of(rc);
	rc = mdb_cursor_open(txn, dbi, &c);
	if (rc) {
		mdb_txn_abort(txn);
		return error_of(rc);
	}
	rc = mdb_cursor_get(c, &k, &v, w->table == STORE_N_TABLES ? MDB_FIRST : MDB_SET_RANGE);
	for (; rc == 0; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		struct str key = str_make(k.mv_data, k.mv_size);
		struct record r;

		if (w->table != STORE_N_TABLES && (key.l == 0 || key.p[0] != first))
			break;
		if (record_read(key, str_make(v.mv_data, v.mv_size), &r) == 0)
			w->fn(w->arg, &r);
		else
			metric_add(&store_m_bad, NULL, NULL, 1);
	}
	mdb_cursor_close(c);
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? 0 : error_of(rc);
}

static int lmdb_scan(struct backend *b, unsigned table, void (*fn)(void *arg, const struct record *r), void *arg)
{
	struct lmdb *l = container_of(b, struct lmdb, b);
	struct walk w = { table, fn, arg };

	return l->env ? walk_all(l->env, l->dbi, &w) : -EIO;
}

static void keep_one(void *arg, const struct record *r)
{
	struct change c = { JOURNAL_PUT, *r };

	if (pending_add(arg, &c) < 0)
		metric_add(&store_m_lost, NULL, NULL, 1);
}

static void salvage(const char *path, uint64_t max_bytes, struct pending *to)
{
	struct walk w = { STORE_N_TABLES, keep_one, to };
	MDB_env *env;
	MDB_dbi dbi;

	if (env_open(path, max_bytes, MDB_RDONLY, &env) != 0)
		return;
	if (dbi_open(env, MDB_RDONLY, &dbi) == 0)
		(void)walk_all(env, dbi, &w);
	mdb_env_close(env);
}

static int put_aside(const char *path, const char *why, size_t kept)
{
	char aside[4200];

	snprintf(aside, sizeof(aside), "%s.bad-%llu", path, (unsigned long long)(clock_wall_us() / 1000000));
	if (rename(path, aside) < 0)
		return -errno;
	metric_add(&store_m_aside, NULL, NULL, 1);
	log_error(LOG_CORE, "the state file is damaged and was put aside: registrations may be missing until phones register again",
		  LOG_C("file", aside), LOG_C("why", why), LOG_U("records_kept", kept));
	return 0;
}

/* ---- writing ---- */

static int put_change(MDB_txn *txn, MDB_dbi dbi, const struct change *c, struct buf *room)
{
	char text[RECORD_MAX_KEY];
	struct str key = record_key(c->r.table, c->r.key, text);
	MDB_val k = { key.l, (void *)(uintptr_t)key.p }, v;
	int rc;

	if (c->op == JOURNAL_DEL) {
		rc = mdb_del(txn, dbi, &k, NULL);
		return rc == MDB_NOTFOUND ? 0 : rc;
	}
	buf_reset(room);
	record_write(&c->r, room);
	if (room->failed)
		return ENOMEM;
	v = (MDB_val){ room->l, room->p };
	return mdb_put(txn, dbi, &k, &v, 0);
}

/* After an error at the wrong moment LMDB wants the file opened anew. */
static int reopen(struct lmdb *l)
{
	int rc;

	if (l->env)
		mdb_env_close(l->env);
	l->env = NULL;
	rc = env_open(l->path, l->max_bytes, 0, &l->env);
	if (rc == 0)
		rc = dbi_open(l->env, 0, &l->dbi);
	if (rc && l->env) {
		mdb_env_close(l->env);
		l->env = NULL;
	}
	return rc;
}

static int lmdb_commit(struct backend *b, const struct pending *p)
{
	struct lmdb *l = container_of(b, struct lmdb, b);
	struct list *pos;
	struct buf room;
	MDB_txn *txn;
	int rc = l->env ? 0 : reopen(l);

	if (rc == 0)
		rc = mdb_txn_begin(l->env, NULL, 0, &txn);
	if (rc) {
		if (rc == MDB_PANIC)
			(void)reopen(l);
		return error_of(rc);
	}
	buf_init(&room, RECORD_HEADER + STORE_MAX_KEY + STORE_MAX_VALUE);
	list_for_each(pos, &p->all)
		if (rc == 0)
			rc = put_change(txn, l->dbi, &list_entry(pos, struct pending_change, link)->c, &room);
	if (room.p)
		explicit_bzero(room.p, room.cap);
	buf_fini(&room);
	if (rc) {
		mdb_txn_abort(txn);
		return error_of(rc);
	}
	return error_of(mdb_txn_commit(txn));
}

/* ---- life ---- */

static void lmdb_close(struct backend *b)
{
	struct lmdb *l = container_of(b, struct lmdb, b);

	if (l->env)
		mdb_env_close(l->env);
	free(l);
}

int lmdb_open_as(const char *dir, uint64_t max_bytes, enum lmdb_verdict v, struct pending *salvaged, struct backend **ret)
{
	struct lmdb *l = calloc(1, sizeof(*l));
	int rc = 0;

	if (!l)
		return -ENOMEM;
	l->b = (struct backend){ lmdb_close, lmdb_commit, lmdb_scan };
	l->max_bytes = max_bytes;
	snprintf(l->path, sizeof(l->path), "%s/" FILE_NAME, dir);
	if (v == LMDB_SOME)
		salvage(l->path, max_bytes, salvaged);
	if (v != LMDB_GOOD)
		rc = put_aside(l->path, v == LMDB_SOME ? "records or free pages are wrong" : "it cannot be read", salvaged->by_key.n);
	if (rc == 0)
		rc = error_of(reopen(l));
	/* No room for even an empty file: it comes with the first commit that succeeds. */
	if (rc < 0 && rc != -ENOSPC) {
		lmdb_close(&l->b);
		return rc;
	}
	*ret = &l->b;
	return 0;
}

int lmdb_backend_open(const char *dir, uint64_t max_bytes, struct pending *salvaged, struct backend **ret)
{
	enum lmdb_verdict v = LMDB_GOOD;	/* none yet: fine */
	char path[4096];
	struct stat st;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
	if (stat(path, &st) == 0)
		rc = check_in_child(path, max_bytes, &v);
	else if (errno != ENOENT)
		rc = -errno;
	return rc < 0 ? rc : lmdb_open_as(dir, max_bytes, v, salvaged, ret);
}
