/* common/store/shared.c - records that several instances of a daemon share by way of Redis: rows H1, H6; reliability F15.
 *
 * Each instance has what it wrote last in its own file as ever, and a copy of what others wrote in its memory (the role's).  Redis has one
 * hash for each record:
 *
 *	v	version, one more with each change	o	the instance that wrote it
 *	d	the record as in record.c; absent: deleted	n, t	the writer's store time, and Redis' time, when it wrote
 *
 * A change names the version that it is made from; another one in between makes it a conflict, and the role is shown what is there.  What is
 * deleted leaves its version behind for TOMBSTONE_MS, so that who was away does not bring it back.  Each change is told over the feed.
 *
 * Redis down: changes wait, the last of each key; so do those of a daemon that is killed meanwhile, for they are in its file.  After each
 * way up all records are looked at: what is newer there is taken, what is newer or alone here is written. */
#define XXH_INLINE_ALL
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>
#include "common/log/log.h"
#include "common/store/private.h"
#include "common/store/redis.h"

#define TOMBSTONE_MS "800000000"	/* nine days: no registration lasts longer */
#define KEEP_BEHIND_MS 86400000u	/* a record whose owner is gone goes a day after its end */
#define SCAN_COUNT "500"
#define KEY_TEXT 1024u
#define SWEEP_MIN 1024u

METRIC_DEF(store_m_shared_up, "cscf_store_shared_up", METRIC_GAUGE, "1 while the shared store (Redis) answers.  An alarm when it does not.", NULL, NULL);
METRIC_DEF(store_m_shared_waiting, "cscf_store_shared_waiting", METRIC_GAUGE, "Changes that wait for the shared store.", NULL, NULL);
METRIC_DEF(store_m_shared, "cscf_store_shared_total", METRIC_COUNTER, "Changes written to the shared store, conflicts, and changes of others taken.",
	   "what", "table");

/* KEYS[1]; version that the change is made from, owner, writer's time, life in ms (0: for ever), record ("": deleted), channel, name. */
static const char WRITE[] =
	"local v = tonumber(redis.call('HGET', KEYS[1], 'v') or '0') "
	"local t = redis.call('TIME') local ms = t[1] * 1000 + math.floor(t[2] / 1000) "
	"if v ~= tonumber(ARGV[1]) then local r = redis.call('HMGET', KEYS[1], 'o', 'd', 'n', 't') return {0, v, r[1], r[2], r[3], r[4], ms} end "
	"redis.call('HSET', KEYS[1], 'v', v + 1, 'o', ARGV[2], 'n', ARGV[3], 't', ms) "
	"if ARGV[5] == '' then redis.call('HDEL', KEYS[1], 'd') else redis.call('HSET', KEYS[1], 'd', ARGV[5]) end "
	"if ARGV[4] == '0' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[4]) end "
	"redis.call('PUBLISH', ARGV[6], (v + 1) .. ' ' .. ARGV[2] .. ' ' .. ARGV[7]) "
	"return {1, v + 1}";
static const char READ[] =
	"local t = redis.call('TIME') local r = redis.call('HMGET', KEYS[1], 'v', 'o', 'd', 'n', 't') "
	"return {2, tonumber(r[1] or '0'), r[2], r[3], r[4], r[5], t[1] * 1000 + math.floor(t[2] / 1000)}";

struct shared_key {
	struct hnode node;
	uint64_t version;		/* that our next change is made from: the role knows it; 0: not there, or not seen yet */
	uint64_t offered;		/* the last one that the role was shown: store_took() */
	uint64_t local_sum;		/* of the record in our own file at the start; 0: none */
	unsigned seen;			/* the look in which it was there */
	uint8_t table;
	unsigned reads;			/* under way, which look at it when they end */
	bool mine, writing, dirty;	/* dirty: ours is to be written at the end of the look */
	bool forget;			/* we have deleted it before a restart */
	bool gone;			/* as far as is known it was deleted */
	size_t l;
	char key[];
};

struct shared {
	struct store *s;
	struct redis *redis;
	const struct store_shared_ops *ops;
	void *u;
	char *space, *instance, *channel;
	struct htab keys;
	size_t sweep_at;		/* so many keys: those that nothing hangs on go */
	struct pending waiting;
	bool up, seen;			/* seen: since then all of it was looked at */
	unsigned writing;		/* changes under way */
	unsigned look, reads;		/* number of this look; READs of it under way */
	unsigned table, master;		/* where it is */
	char cursor[24];
	atomic_bool is_up, looked;	/* for other threads */
	atomic_uint n_waiting, n_keys;
	char why[160];
	pthread_mutex_t lock;		/* of why */
};

/* ---- names ---- */

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(".@:_+-", c));
}

static void escape(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if (plain(s.p[i]))
			buf_putc(b, s.p[i]);
		else
			buf_printf(b, "%%%02x", (unsigned char)s.p[i]);
}

/* "registration:{impi}%20set": what stands in the braces decides the slot, so that all sets of a private identity have one. */
static void put_name(struct buf *b, unsigned table, struct str key)
{
	ssize_t blank = str_chr(key, ' ');
	size_t tag = blank < 0 ? key.l : (size_t)blank;

	buf_puts(b, store_table_name(table));
	buf_puts(b, ":{");
	escape(b, str_head(key, tag));
	buf_putc(b, '}');
	escape(b, str_from(key, tag));
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_name(struct str name, unsigned *ret_table, char *dst, size_t *ret_l)
{
	struct str word, rest;
	size_t n = 0;

	if (!str_cut(name, ':', &word, &rest) || rest.l > KEY_TEXT)
		return false;
	for (*ret_table = 0; *ret_table < STORE_N_TABLES && !str_eq_c(word, store_table_name(*ret_table)); )
		++*ret_table;
	for (size_t i = 0; i < rest.l; i++) {
		if (rest.p[i] == '{' || rest.p[i] == '}')
			continue;
		if (rest.p[i] != '%') {
			dst[n++] = rest.p[i];
		} else if (i + 2 < rest.l && hex(rest.p[i + 1]) >= 0 && hex(rest.p[i + 2]) >= 0) {
			dst[n++] = (char)(hex(rest.p[i + 1]) * 16 + hex(rest.p[i + 2]));
			i += 2;
		} else {
			return false;
		}
	}
	*ret_l = n;
	return *ret_table < STORE_N_TABLES && n > 0;
}

/* ---- what is known of each key ---- */

struct which {
	unsigned table;
	struct str key;
};

static bool is_key(const struct hnode *n, const void *arg)
{
	const struct shared_key *k = container_of(n, struct shared_key, node);
	const struct which *w = arg;

	return k->table == w->table && str_eq(str_make(k->key, k->l), w->key);
}

static struct shared_key *key_find(struct shared *sh, unsigned table, struct str key)
{
	const struct which w = { table, key };
	struct hnode *n = htab_find(&sh->keys, hash_mix(hash_str(key), table), is_key, &w);

	return n ? container_of(n, struct shared_key, node) : NULL;
}

static struct str key_text(const struct shared_key *k)
{
	return str_make(k->key, k->l);
}

static void sweep_one(struct hnode *n, void *arg)
{
	struct shared_key *k = container_of(n, struct shared_key, node);
	struct shared *sh = arg;
	bool known = (k->version || k->offered) && !k->gone;

	if (known || k->mine || k->writing || k->forget || k->reads || pending_find(&sh->waiting, k->table, key_text(k)))
		return;
	htab_del(&sh->keys, n);
	free(k);
}

/* Nobody makes the table grow by asking for what is not there, nor by coming and going: there are at most twice as many keys as records that
 * are there, or SWEEP_MIN.  Whose deletion is forgotten costs a conflict when it is put again. */
static void sweep(struct shared *sh)
{
	htab_each(&sh->keys, sweep_one, sh);
	sh->sweep_at = sh->keys.n * 2 > SWEEP_MIN ? sh->keys.n * 2 : SWEEP_MIN;
}

static struct shared_key *key_get(struct shared *sh, unsigned table, struct str key)
{
	struct shared_key *k = key_find(sh, table, key);

	if (k)
		return k;
	if (sh->keys.n >= sh->sweep_at)
		sweep(sh);
	k = calloc(1, sizeof(*k) + key.l);
	if (!k)
		return NULL;
	k->table = (uint8_t)table;
	k->l = key.l;
	memcpy(k->key, key.p, key.l);
	htab_add(&sh->keys, &k->node, hash_mix(hash_str(key), table));
	atomic_store(&sh->n_keys, (unsigned)sh->keys.n);
	return k;
}

static bool is_shared(const struct shared *sh, unsigned table)
{
	return sh->ops && table < STORE_N_TABLES && (sh->ops->tables & (1u << table));
}

/* ---- what others wrote ---- */

struct remote {
	uint64_t version, their_now_ms;
	const char *owner;
	struct str data;
};

static uint64_t number(const redisReply *r)
{
	return r->type == REDIS_REPLY_INTEGER ? (uint64_t)r->integer : r->str ? strtoull(r->str, NULL, 10) : 0;
}

/* The answer of either script behind its first element. */
static bool read_remote(const redisReply *reply, struct remote *ret)
{
	redisReply *const *e = reply->element;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 7)
		return false;
	*ret = (struct remote){ .version = number(e[1]), .owner = e[2]->str ? e[2]->str : "" };
	if (e[3]->str)
		ret->data = str_make(e[3]->str, (size_t)e[3]->len);
	ret->their_now_ms = number(e[4]) + (number(e[6]) - number(e[5]));
	return true;
}

static void deliver(struct shared *sh, struct shared_key *k, const struct remote *m, bool conflict)
{
	struct store_remote out = { .table = (enum store_table)k->table, .key = key_text(k), .gone = m->data.l == 0, .conflict = conflict,
				    .their_now_ms = m->their_now_ms };
	const struct change forget = { JOURNAL_DEL, { .table = k->table, .key = key_text(k) } };
	char stored[RECORD_MAX_KEY];
	struct record r;

	if (!out.gone) {
		if (record_read(record_key(k->table, key_text(k), stored), m->data, &r) < 0) {
			metric_add(&store_m_bad, NULL, NULL, 1);
			return;
		}
		out.value = r.value;
		out.expires_ms = r.expires_ms;
	}
	out.version = k->offered = m->version;
	k->gone = out.gone;
	k->dirty = false;
	if (k->table == STORE_CRITERIA) {	/* never anybody's alone: our registrations need them still */
		k->version = m->version;
	} else if (k->mine) {		/* not ours any more: our file forgets it */
		(void)pending_add(&sh->s->pending, &forget);
		k->mine = false;
	}
	metric_add(&store_m_shared, conflict ? "conflict" : "taken", store_table_name(k->table), 1);
	sh->ops->changed(sh->u, &out);
}

/* ---- writing ---- */

struct flight {
	struct shared *sh;
	struct shared_key *k;
	struct pending one;		/* the change that is under way */
};

static void pump(struct shared *sh, struct shared_key *k);

static void count_waiting(struct shared *sh)
{
	atomic_store(&sh->n_waiting, (unsigned)sh->waiting.by_key.n);
	metric_set(&store_m_shared_waiting, NULL, NULL, (int64_t)sh->waiting.by_key.n);
}

static const struct change *in_flight(const struct flight *f)
{
	return &list_entry(f->one.all.next, struct pending_change, link)->c;
}

/* It did not get there: it waits, unless there is something newer. */
static void put_back(struct flight *f)
{
	if (!pending_find(&f->sh->waiting, f->k->table, key_text(f->k)) && pending_add(&f->sh->waiting, in_flight(f)) < 0)
		metric_add(&store_m_lost, NULL, NULL, 1);
}

/* Is what is there what we wanted to write?  life_too: and for as long. */
static bool is_same(const struct flight *f, const struct remote *m, bool life_too)
{
	const struct change *c = in_flight(f);
	char stored[RECORD_MAX_KEY];
	struct record r;

	if (c->op == JOURNAL_DEL || m->data.l == 0)
		return c->op == JOURNAL_DEL && m->data.l == 0;
	return record_read(record_key(f->k->table, key_text(f->k), stored), m->data, &r) == 0 && str_eq(r.value, c->r.value) &&
	       (!life_too || r.expires_ms == c->r.expires_ms);
}

static void note_written(struct flight *f, uint64_t version)
{
	f->k->version = version;
	f->k->mine = in_flight(f)->op == JOURNAL_PUT;
	f->k->gone = !f->k->mine;
}

static void on_conflict(struct flight *f, const struct remote *m)
{
	bool ours = m->version && strcmp(m->owner, f->sh->instance) == 0;
	struct shared_key *k = f->k;

	if (ours && is_same(f, m, true)) {	/* it got there, and its answer did not reach us: again, it would be newer than what others do now */
		note_written(f, m->version);
	} else if (ours || m->version == 0) {	/* an earlier one of ours, of which we did not hear; or wiped: what we have is newer */
		k->version = m->version;
		put_back(f);
	} else if (is_same(f, m, false)) {
		k->version = m->version;
	} else {
		deliver(f->sh, k, m, true);
	}
}

static void on_written(void *arg, const redisReply *reply)
{
	struct flight *f = arg;
	struct shared *sh = f->sh;
	struct shared_key *k = f->k;
	struct remote m;

	k->writing = false;
	sh->writing--;
	if (!reply || reply->type == REDIS_REPLY_ERROR) {
		put_back(f);
		if (reply)
			redis_failed(sh->redis, reply->str);
	} else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && number(reply->element[0]) == 1) {
		if (sh->seen)
			redis_good(sh->redis);
		note_written(f, number(reply->element[1]));
		metric_add(&store_m_shared, "written", store_table_name(k->table), 1);
	} else if (read_remote(reply, &m)) {
		on_conflict(f, &m);
	}
	pending_fini(&f->one);
	free(f);
	pump(sh, k);
	count_waiting(sh);
}

static int send_change(struct shared *sh, struct shared_key *k, struct flight *f)
{
	const struct change *c = in_flight(f);
	uint64_t now = store_now_ms(sh->s), left = c->r.expires_ms > now ? c->r.expires_ms - now : 0;
	char base[24], time[24], life[24];
	struct buf key, name, data;
	struct str argv[11];
	int rc;

	buf_init(&key, 2 * STORE_MAX_KEY * 3);
	buf_init(&name, STORE_MAX_KEY * 3);
	buf_init(&data, RECORD_HEADER + STORE_MAX_KEY + STORE_MAX_VALUE);
	put_name(&name, k->table, key_text(k));
	buf_puts(&key, sh->space);
	buf_put(&key, buf_str(&name));
	if (c->op == JOURNAL_PUT)
		record_write(&c->r, &data);
	snprintf(base, sizeof(base), "%" PRIu64, k->version);
	snprintf(time, sizeof(time), "%" PRIu64, now);
	snprintf(life, sizeof(life), "%" PRIu64, c->r.expires_ms ? left + KEEP_BEHIND_MS : 0);
	argv[0] = STR("EVAL");
	argv[1] = str_from_c(WRITE);
	argv[2] = STR("1");
	argv[3] = buf_str(&key);
	argv[4] = str_from_c(base);
	argv[5] = str_from_c(sh->instance);
	argv[6] = str_from_c(time);
	argv[7] = c->op == JOURNAL_PUT ? str_from_c(life) : STR(TOMBSTONE_MS);
	argv[8] = buf_str(&data);
	argv[9] = str_from_c(sh->channel);
	argv[10] = buf_str(&name);
	rc = key.failed || name.failed || data.failed ? -ENOMEM : redis_send(sh->redis, argv[3], 11, argv, on_written, f);
	buf_fini(&key);
	buf_fini(&name);
	buf_fini(&data);
	return rc;
}

/* What waits for this key goes out, one at a time. */
static void pump(struct shared *sh, struct shared_key *k)
{
	const struct change *c = sh->up && !k->writing ? pending_find(&sh->waiting, k->table, key_text(k)) : NULL;
	struct flight *f = c ? calloc(1, sizeof(*f)) : NULL;

	if (!f)
		return;
	f->sh = sh;
	f->k = k;
	if (pending_init(&f->one, UINT64_MAX) == 0 && pending_add(&f->one, c) == 0 && send_change(sh, k, f) == 0) {
		k->writing = true;
		sh->writing++;
		pending_drop(&sh->waiting, k->table, key_text(k));
		return;
	}
	pending_fini(&f->one);
	free(f);
}

void shared_change(struct shared *sh, const struct change *c)
{
	struct shared_key *k = is_shared(sh, c->r.table) ? key_get(sh, c->r.table, c->r.key) : NULL;

	/* Filter criteria are named by what they are: others may need them still. */
	if (!k || (c->op == JOURNAL_DEL && c->r.table == STORE_CRITERIA))
		return;
	if (pending_add(&sh->waiting, c) < 0)
		metric_add(&store_m_lost, NULL, NULL, 1);
	pump(sh, k);
	count_waiting(sh);
}

/* ---- reading ---- */

struct fetch {
	struct shared *sh;
	store_fetch_fn fn;
	void *arg;
	uint8_t table;
	size_t l;
	char key[];
};
struct read {
	struct shared *sh;
	struct shared_key *k;
	struct fetch *fetch;		/* who waits for it; NULL: nobody */
	bool of_look;
};

static void look_on(struct shared *sh);

static void take(struct shared *sh, struct shared_key *k, const struct remote *m)
{
	bool waits = k->writing || pending_find(&sh->waiting, k->table, key_text(k)), ours = strcmp(m->owner, sh->instance) == 0;

	if (m->version == 0)
		return;
	k->seen = sh->look;
	if (k->forget && !waits && ours && m->data.l) {
		k->forget = false;
		k->version = m->version;
		shared_change(sh, &(const struct change){ JOURNAL_DEL, { .table = k->table, .key = key_text(k) } });
		return;
	}
	if (waits || m->version == k->version || m->version == k->offered)	/* what waits meets it by itself */
		return;
	if (k->mine && ours) {
		/* Ours as it was before a restart, or before a master was lost. */
		char stored[RECORD_MAX_KEY];
		struct record r;

		k->version = m->version;
		k->dirty = m->data.l == 0 || record_read(record_key(k->table, key_text(k), stored), m->data, &r) < 0 ||
			   XXH3_64bits(r.value.p, r.value.l) != k->local_sum;
		return;
	}
	if (!ours || m->data.l)		/* ours, and not in our file, which was lost: as if somebody else had written it */
		deliver(sh, k, m, false);
}

static void fetch_end(struct fetch *f, int rc)
{
	f->fn(f->arg, rc);
	free(f);
}

static void on_read(void *arg, const redisReply *reply)
{
	struct read *r = arg;
	struct shared *sh = r->sh;
	struct remote m;

	if (reply && reply->type == REDIS_REPLY_ERROR)
		redis_failed(sh->redis, reply->str);
	else if (reply && read_remote(reply, &m))
		take(sh, r->k, &m);
	r->k->reads--;
	if (r->fetch)
		fetch_end(r->fetch, reply && reply->type != REDIS_REPLY_ERROR ? 0 : -ENOTCONN);
	if (r->of_look && --sh->reads == 0 && reply)
		look_on(sh);
	free(r);
}

static struct read *read_key(struct shared *sh, unsigned table, struct str key, struct fetch *fetch, bool of_look)
{
	struct read *r = calloc(1, sizeof(*r));
	struct str argv[4] = { STR("EVAL"), str_from_c(READ), STR("1"), STR_NONE };
	struct buf b;
	int rc = -ENOMEM;

	buf_init(&b, 2 * STORE_MAX_KEY * 3);
	buf_puts(&b, sh->space);
	put_name(&b, table, key);
	argv[3] = buf_str(&b);
	if (r) {
		*r = (struct read){ sh, key_get(sh, table, key), fetch, of_look };
		rc = !r->k || b.failed ? -ENOMEM : redis_send(sh->redis, argv[3], 4, argv, on_read, r);
	}
	buf_fini(&b);
	if (rc == 0) {
		r->k->reads++;
		return r;
	}
	free(r);
	return NULL;
}

static void begin_fetch(void *arg)
{
	struct fetch *f = arg;

	if (!f->sh->up || !read_key(f->sh, f->table, str_make(f->key, f->l), f, false))
		fetch_end(f, f->sh->redis ? -ENOTCONN : -ESHUTDOWN);
}

/* ---- the look at all of it ---- */

static void on_scanned(void *arg, const redisReply *reply)
{
	struct shared *sh = arg;
	char key[KEY_TEXT];
	unsigned table;
	size_t l;

	if (!reply)
		return;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[1]->type != REDIS_REPLY_ARRAY) {
		redis_failed(sh->redis, reply->type == REDIS_REPLY_ERROR ? reply->str : "SCAN");
		return;
	}
	snprintf(sh->cursor, sizeof(sh->cursor), "%s", reply->element[0]->str);
	sh->reads = 1;			/* this page's own */
	for (size_t i = 0; i < reply->element[1]->elements && sh->up; i++) {
		struct str name = str_make(reply->element[1]->element[i]->str, (size_t)reply->element[1]->element[i]->len);

		if (str_starts(name, str_from_c(sh->space)) && read_name(str_from(name, strlen(sh->space)), &table, key, &l) && is_shared(sh, table) &&
		    read_key(sh, table, str_make(key, l), NULL, true))
			sh->reads++;
	}
	if (--sh->reads == 0 && sh->up)
		look_on(sh);
}

static void on_own(void *arg, const struct record *r)
{
	struct shared *sh = arg;
	struct shared_key *k = key_find(sh, r->table, r->key);

	if (!k || !k->mine || k->writing || pending_find(&sh->waiting, r->table, r->key))
		return;
	if (k->seen != sh->look)
		k->version = 0;
	else if (!k->dirty)
		return;
	k->dirty = false;
	if (pending_add(&sh->waiting, &(const struct change){ JOURNAL_PUT, *r }) == 0)
		pump(sh, k);
}

static void on_own_stored(void *arg, const struct record *r)
{
	const struct shared *sh = arg;

	if (!pending_find(&sh->s->pending, r->table, r->key))		/* else there is something newer */
		on_own(arg, r);
}

/* Not there any more: what comes under its name is new, whatever its version. */
static void on_unseen(struct hnode *n, void *arg)
{
	struct shared_key *k = container_of(n, struct shared_key, node);
	const struct shared *sh = arg;

	if (!k->mine && !k->writing && k->seen != sh->look)
		k->version = k->offered = 0;
}

static void look_done(struct shared *sh)
{
	struct list *pos, *next;

	for (unsigned t = 0; t < STORE_N_TABLES; t++)
		if (is_shared(sh, t))
			(void)sh->s->backend->scan(sh->s->backend, t, on_own_stored, sh);
	list_for_each(pos, &sh->s->pending.all) {
		const struct change *c = &list_entry(pos, struct pending_change, link)->c;

		if (c->op == JOURNAL_PUT)
			on_own(sh, &c->r);
	}
	htab_each(&sh->keys, on_unseen, sh);
	list_for_each_safe(pos, next, &sh->waiting.all) {
		const struct change *c = &list_entry(pos, struct pending_change, link)->c;
		struct shared_key *k = key_get(sh, c->r.table, c->r.key);

		if (k)
			pump(sh, k);
	}
	count_waiting(sh);
	sh->seen = true;
	if (!sh->writing && !sh->waiting.by_key.n)	/* else it is good when it has taken a change */
		redis_good(sh->redis);
	if (!atomic_exchange(&sh->looked, true))
		log_info(LOG_CORE, "the shared state was read", LOG_U("records", sh->keys.n));
	if (sh->ops->looked)
		sh->ops->looked(sh->u);
}

static void scan_page(struct shared *sh)
{
	struct buf match;
	struct str argv[6] = { STR("SCAN"), str_from_c(sh->cursor), STR("MATCH"), STR_NONE, STR("COUNT"), STR(SCAN_COUNT) };

	buf_init(&match, 1024);
	for (const char *c = sh->space; *c; c++) {
		if (strchr("*?[]\\", *c))
			buf_putc(&match, '\\');
		buf_putc(&match, *c);
	}
	buf_puts(&match, store_table_name(sh->table));
	buf_puts(&match, ":*");
	argv[3] = buf_str(&match);
	(void)redis_send_to(sh->redis, sh->master, 6, argv, on_scanned, sh);
	buf_fini(&match);
}

/* The next page; else the next master; else the next table, criteria before registrations; else it is over. */
static void look_on(struct shared *sh)
{
	if (strcmp(sh->cursor, "0") == 0) {
		if (++sh->master >= redis_masters(sh->redis)) {
			sh->master = 0;
			sh->table = sh->table == STORE_CRITERIA ? STORE_META : sh->table + 1;
			while (sh->table < STORE_N_TABLES && (sh->table == STORE_CRITERIA || !is_shared(sh, sh->table)))
				sh->table++;
		}
	}
	if (sh->table < STORE_N_TABLES)
		scan_page(sh);
	else
		look_done(sh);
}

/* ---- up, down, the feed ---- */

static void on_up(void *u)
{
	struct shared *sh = u;

	sh->up = true;
	sh->seen = false;
	atomic_store(&sh->is_up, true);
	metric_set(&store_m_shared_up, NULL, NULL, 1);
	log_info(LOG_CORE, "the shared store answers", LOG_U("waiting", sh->waiting.by_key.n));
	sh->look++;
	sh->table = STORE_CRITERIA;
	sh->master = 0;
	snprintf(sh->cursor, sizeof(sh->cursor), "0");
	scan_page(sh);
}

static void on_down(void *u, const char *why)
{
	struct shared *sh = u;

	pthread_mutex_lock(&sh->lock);
	snprintf(sh->why, sizeof(sh->why), "%s", why);
	pthread_mutex_unlock(&sh->lock);
	if (sh->up || !atomic_exchange(&sh->looked, true))		/* once, and at the start */
		log_warn(LOG_CORE, "the shared store is away: its changes wait, ours are kept here", LOG_C("why", why));
	sh->up = false;
	atomic_store(&sh->is_up, false);
	metric_set(&store_m_shared_up, NULL, NULL, 0);
}

static void on_message(void *u, struct str text)
{
	struct shared *sh = u;
	struct str version, owner, rest, name;
	struct shared_key *k;
	char key[KEY_TEXT];
	unsigned table;
	uint64_t v;
	size_t l;

	if (!str_cut(text, ' ', &version, &rest) || !str_cut(rest, ' ', &owner, &name) || str_to_u64(version, &v) < 0 ||
	    str_eq_c(owner, sh->instance) || !read_name(name, &table, key, &l) || !is_shared(sh, table))
		return;
	k = key_find(sh, table, str_make(key, l));
	if (!k || (k->version != v && k->offered != v))		/* they begin again at 1: wiped, or deleted long ago */
		(void)read_key(sh, table, str_make(key, l), NULL, false);
}

/* ---- for the store ---- */

static void note_own(void *arg, const struct record *r)
{
	struct shared_key *k = key_get(arg, r->table, r->key);

	if (!k)
		return;
	k->mine = true;
	k->local_sum = XXH3_64bits(r->value.p, r->value.l);
}

void shared_start(struct shared *sh, const struct store_shared_ops *ops, void *u)
{
	struct list *pos;

	sh->ops = ops;
	sh->u = u;
	for (unsigned t = 0; t < STORE_N_TABLES; t++)
		if (is_shared(sh, t))
			(void)sh->s->backend->scan(sh->s->backend, t, note_own, sh);
	list_for_each(pos, &sh->s->pending.all) {		/* of the journals of one that was killed */
		const struct change *c = &list_entry(pos, struct pending_change, link)->c;
		struct shared_key *k = is_shared(sh, c->r.table) ? key_get(sh, c->r.table, c->r.key) : NULL;

		if (k && c->op == JOURNAL_PUT)
			note_own(sh, &c->r);
		else if (k)
			k->forget = true;
	}
	redis_start(sh->redis);
}

/* The role has seen this version, and what it put before is here. */
void shared_took(struct shared *sh, unsigned table, struct str key, uint64_t version)
{
	struct shared_key *k = key_find(sh, table, key);

	if (k && k->offered == version)
		k->version = version;
}

bool shared_is_up(const struct shared *sh)
{
	return atomic_load(&sh->is_up);
}

bool shared_looked(const struct shared *sh)
{
	return atomic_load(&sh->looked);
}

unsigned shared_keys(const struct shared *sh)
{
	return atomic_load(&sh->n_keys);
}

unsigned shared_waiting(const struct shared *sh)
{
	return atomic_load(&sh->n_waiting);
}

void shared_why(struct shared *sh, struct buf *out)
{
	pthread_mutex_lock(&sh->lock);
	buf_puts(out, sh->why);
	pthread_mutex_unlock(&sh->lock);
}

int shared_fetch(struct shared *sh, unsigned table, struct str key, store_fetch_fn fn, void *arg)
{
	struct fetch *f = calloc(1, sizeof(*f) + key.l);
	int rc;

	if (!f)
		return -ENOMEM;
	f->sh = sh;
	f->fn = fn;
	f->arg = arg;
	f->table = (uint8_t)table;
	f->l = key.l;
	memcpy(f->key, key.p, key.l);
	rc = loop_post(sh->s->loop, begin_fetch, f);
	if (rc < 0)
		free(f);
	return rc;
}

static void free_key(struct hnode *n, void *arg)
{
	htab_del(arg, n);
	free(container_of(n, struct shared_key, node));
}

/* What waits is in our own file, too, but for what was deleted: a daemon that stops waits for it a moment. */
void shared_stop(struct shared *sh)
{
	redis_free(sh->redis);
	sh->redis = NULL;
	sh->up = false;
	if (sh->waiting.by_key.n)
		log_warn(LOG_CORE, "changes did not reach the shared store", LOG_U("waiting", sh->waiting.by_key.n));
}

void shared_free(struct shared *sh)
{
	if (!sh)
		return;
	redis_free(sh->redis);
	pending_fini(&sh->waiting);
	if (sh->keys.slot) {
		htab_each(&sh->keys, free_key, &sh->keys);
		htab_fini(&sh->keys);
	}
	pthread_mutex_destroy(&sh->lock);
	free(sh->space);
	free(sh->instance);
	free(sh->channel);
	free(sh);
}

int shared_new(struct shared **ret, struct store *s, const struct store_redis_config *c, uint64_t max_pending_bytes)
{
	static const struct redis_ops ops = { on_up, on_down, on_message };
	struct shared *sh = calloc(1, sizeof(*sh));
	struct buf b;
	int rc = -ENOMEM;

	if (!sh)
		return rc;
	metrics_register(&store_m_shared_up);
	metrics_register(&store_m_shared_waiting);
	metrics_register(&store_m_shared);
	pthread_mutex_init(&sh->lock, NULL);
	sh->s = s;
	sh->sweep_at = SWEEP_MIN;
	snprintf(sh->why, sizeof(sh->why), "not connected yet");
	buf_init(&b, 1024);
	buf_printf(&b, "cscf:%s:", c->space);
	sh->space = b.failed ? NULL : str_dup(buf_str(&b));
	buf_puts(&b, "feed");
	sh->channel = b.failed ? NULL : str_dup(buf_str(&b));
	buf_fini(&b);
	sh->instance = strdup(c->instance);
	if (sh->space && sh->channel && sh->instance && pending_init(&sh->waiting, max_pending_bytes) == 0 && htab_init(&sh->keys, 256) == 0)
		rc = redis_new(&sh->redis, s->loop, c, str_from_c(sh->channel), &ops, sh);
	if (rc < 0)
		shared_free(sh);
	else
		*ret = sh;
	return rc;
}
