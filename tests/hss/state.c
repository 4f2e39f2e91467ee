/* tests/hss/state.c - SQN, registration state and S-CSCF assignment in LMDB.
 *
 * Key: the private identity.  Value, readable: "1 SQN STATE PENDING SERVER-NAME HOST", "-" for none. */
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "tests/hss/state.h"

#define MAP_BYTES (1u << 30)		/* address space, not disk: a million subscribers fit */
#define RECORD_MAX 1200

struct state {
	MDB_env *env;
	MDB_dbi dbi;
};

static int code(int rc)
{
	return rc > 0 ? -rc : rc;	/* LMDB: errno values are positive, its own negative */
}

const char *state_error(int rc)
{
	return mdb_strerror(rc < 0 && rc > -4096 ? -rc : rc);
}

int state_open(struct state **ret, const char *dir)
{
	struct state *s = calloc(1, sizeof(*s));
	MDB_txn *t = NULL;
	int rc;

	if (!s)
		return -ENOMEM;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		rc = errno;
		free(s);
		return -rc;
	}
	rc = mdb_env_create(&s->env);
	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, MAP_BYTES);
	if (rc == 0)
		rc = mdb_env_open(s->env, dir, MDB_NOSYNC | MDB_NOTLS, 0600);
	if (rc == 0)
		rc = mdb_txn_begin(s->env, NULL, 0, &t);
	if (rc == 0)
		rc = mdb_dbi_open(t, NULL, MDB_CREATE, &s->dbi);
	if (rc == 0)
		rc = mdb_txn_commit(t);
	else if (t)
		mdb_txn_abort(t);
	if (rc != 0) {
		state_close(s);
		return code(rc);
	}
	*ret = s;
	return 0;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	if (s->env)
		mdb_env_close(s->env);
	free(s);
}

static int write_one(struct state *s, const char *impi, struct str value)
{
	MDB_val k = { strlen(impi), (void *)(uintptr_t)impi }, v = { value.l, (void *)(uintptr_t)value.p };
	MDB_txn *t;
	int rc = mdb_txn_begin(s->env, NULL, 0, &t);

	if (rc != 0)
		return code(rc);
	rc = value.p ? mdb_put(t, s->dbi, &k, &v, 0) : mdb_del(t, s->dbi, &k, NULL);
	if (rc == 0)
		return code(mdb_txn_commit(t));
	mdb_txn_abort(t);
	return rc == MDB_NOTFOUND ? 0 : code(rc);
}

int state_put(struct state *s, const char *impi, const struct sub_dyn *d)
{
	char text[RECORD_MAX];
	int n = snprintf(text, sizeof(text), "1 %llx %d %d %s %s", (unsigned long long)d->sqn, (int)d->state, d->auth_pending,
			 d->server_name ? d->server_name : "-", d->server_host ? d->server_host : "-");

	if (n < 0 || (size_t)n >= sizeof(text))
		return -ENOSPC;
	return write_one(s, impi, str_make(text, (size_t)n));
}

int state_del(struct state *s, const char *impi)
{
	return write_one(s, impi, STR_NONE);
}

static bool word(struct str *rest, char *dst, size_t size)
{
	struct str w;

	str_cut(*rest, ' ', &w, rest);
	return w.l && str_copy(w, dst, size);
}

static const char *name_of(struct subs *subs, const char *text)
{
	return strcmp(text, "-") == 0 ? NULL : subs_intern(subs, str_from_c(text));
}

int state_read_record(struct str in, struct subs *subs, struct sub_dyn *ret)
{
	char version[4], sqn[20], st[4], pending[4], name[600], host[300];
	struct sub_dyn d = { 0 };
	char *end;

	if (!word(&in, version, sizeof(version)) || strcmp(version, "1") != 0 || !word(&in, sqn, sizeof(sqn)) ||
	    !word(&in, st, sizeof(st)) || !word(&in, pending, sizeof(pending)) || !word(&in, name, sizeof(name)) ||
	    !word(&in, host, sizeof(host)) || st[0] < '0' || st[0] > '2')
		return -EBADMSG;
	d.sqn = strtoull(sqn, &end, 16);
	if (*end || d.sqn >> 48)
		return -EBADMSG;
	d.state = (enum sub_state)(st[0] - '0');
	d.auth_pending = pending[0] == '1';
	d.server_name = name_of(subs, name);
	d.server_host = name_of(subs, host);
	*ret = d;
	return 0;
}

int state_get(struct state *s, struct subs *subs, struct sub *b)
{
	MDB_val k = { strlen(b->impi), (void *)(uintptr_t)b->impi }, v;
	MDB_txn *t;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t);

	if (rc != 0)
		return code(rc);
	rc = mdb_get(t, s->dbi, &k, &v);
	if (rc == 0)
		rc = state_read_record(str_make(v.mv_data, v.mv_size), subs, &b->d);
	mdb_txn_abort(t);
	return rc == MDB_NOTFOUND ? -ENOENT : code(rc);
}
