/* common/store/private.h - the inside of the store: store.c, journal.c, record.c, lmdb.c and writer.c only. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "common/store/store.h"
#include "common/util/hash.h"

/* Numbers of n octets, little endian: the layout of everything that is stored. */
static inline void le_put(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}
static inline uint64_t le_get(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* ---- record.c: a record as the backend keeps it ---- */
#define RECORD_VERSION 1u
#define RECORD_HEADER 24u		/* sum, version, table, nothing, expiry */
#define RECORD_MAX_KEY 64u		/* a longer key is replaced by its digest; the whole one stands in the record */
struct record {
	uint8_t table;
	struct str key, value;
	uint64_t expires_ms;
};
struct str record_key(unsigned table, struct str key, char dst[RECORD_MAX_KEY]);
void record_write(const struct record *r, struct buf *out);
/* 0; -EBADMSG: not what was written under that key; -ENOTSUP: of a later version. */
int record_read(struct str stored_key, struct str stored, struct record *ret);

/* ---- journal.c: a ring of changes in a mapped file; one producer, one consumer ---- */
#define JOURNAL_PUT 1u
#define JOURNAL_DEL 2u
struct change {
	uint8_t op;
	struct record r;
};
struct journal;
/* A new file of mode 0600.  When the disk has no room for it the ring is in memory only: *ret_safe false. */
int journal_new(const char *path, uint32_t bytes, struct journal **ret, bool *ret_safe);
void journal_free(struct journal *j, bool unlink_file);
size_t journal_need(const struct change *c);
int journal_write(struct journal *j, const struct change *c);	/* producer: 0, -ENOSPC */
bool journal_half_full(const struct journal *j);
/* Consumer: the next change not taken yet, its texts in `room` of JOURNAL_ROOM octets.  false: there is none. */
#define JOURNAL_ROOM (STORE_MAX_KEY + STORE_MAX_VALUE)
bool journal_take(struct journal *j, char *room, struct change *ret);
void journal_release(struct journal *j);			/* what was taken is safe elsewhere */
/* Calls fn with every whole change that is left in the file of a process that has gone.  0 or -errno. */
int journal_replay(const char *path, void (*fn)(void *arg, const struct change *c), void *arg);
int journal_replay_text(struct str file, void (*fn)(void *arg, const struct change *c), void *arg);

/* ---- pending.c: changes on their way to the backend, the last one of each key ---- */
struct pending_change {
	struct hnode node;
	struct list link;
	struct change c;		/* texts behind it */
	char text[];
};
struct pending {
	struct htab by_key;
	struct list all;		/* oldest first */
	uint64_t bytes, max_bytes;
};
int pending_init(struct pending *p, uint64_t max_bytes);
void pending_fini(struct pending *p);
int pending_add(struct pending *p, const struct change *c);	/* 0, -ENOSPC, -ENOMEM */
const struct change *pending_find(const struct pending *p, unsigned table, struct str key);	/* NULL: none */
void pending_drop(struct pending *p, unsigned table, struct str key);
void pending_clear(struct pending *p);

/* ---- the backend ---- */
struct backend {
	void (*close)(struct backend *b);
	/* All of it or nothing, durable when it returns 0.  Blocks. */
	int (*commit)(struct backend *b, const struct pending *p);
	int (*scan)(struct backend *b, unsigned table, void (*fn)(void *arg, const struct record *r), void *arg);
};
/* lmdb.c.  salvaged: what could be read of a file that was put aside is added to it.  0 or -errno. */
int lmdb_backend_open(const char *dir, uint64_t max_bytes, struct pending *salvaged, struct backend **ret);
/* Its two halves: the look, which a damaged file may crash and which a child takes therefore; and what follows from it. */
enum lmdb_verdict { LMDB_GOOD = 40, LMDB_SOME, LMDB_NONE };
enum lmdb_verdict lmdb_check(const char *path, uint64_t max_bytes);
int lmdb_open_as(const char *dir, uint64_t max_bytes, enum lmdb_verdict v, struct pending *salvaged, struct backend **ret);

/* ---- shared.c: on the writer's thread once that runs, but for what says otherwise.  shared_none.c: built without hiredis ---- */
struct shared;
int shared_new(struct shared **ret, struct store *s, const struct store_redis_config *c, uint64_t max_pending_bytes);	/* 0, -ENOMEM, -ENOTSUP */
void shared_start(struct shared *sh, const struct store_shared_ops *ops, void *u);
void shared_change(struct shared *sh, const struct change *c);
void shared_took(struct shared *sh, unsigned table, struct str key, uint64_t version);
void shared_stop(struct shared *sh);
void shared_free(struct shared *sh);
int shared_fetch(struct shared *sh, unsigned table, struct str key, store_fetch_fn fn, void *arg);	/* any thread */
bool shared_is_up(const struct shared *sh);			/* any thread, the next ones too */
bool shared_looked(const struct shared *sh);
unsigned shared_waiting(const struct shared *sh);
unsigned shared_keys(const struct shared *sh);		/* of which it knows: those that are there, and those of our own */
void shared_why(struct shared *sh, struct buf *out);

/* ---- store.c, writer.c ---- */
struct store_port {
	struct store *s;
	struct journal *j;
	atomic_uint overflow;		/* changes that went by the mailbox because the ring was full */
	atomic_bool woken, nudged;
	uint64_t sequence;		/* changes so far: the producer's */
	uint64_t taken;			/* of these: the writer's */
};
struct store {
	char *dir;
	uint32_t commit_ms;
	uint64_t journal_generation;
	int lock_fd;
	int64_t offset_ms;		/* store time less the kernel's boot time */
	struct backend *backend;
	struct shared *shared;		/* NULL: nothing is shared */
	struct pending pending;
	unsigned n_ports;
	struct store_port *port;
	struct loop *loop;		/* of the writer */
	pthread_t thread;
	bool started, old_journals;
	struct timer timer;
	char *room;			/* JOURNAL_ROOM */
	uint64_t committed_ms;
	_Atomic(int) failing;		/* errno of the last commit; 0: fine */
	atomic_bool unsafe;		/* a journal is in memory only */
};
void writer_wake(struct store_port *p);
void writer_nudge(struct store_port *p);			/* others are to hear of it, without a commit */
int writer_mail(struct store_port *p, const struct change *c);	/* the ring is full: 0 or -ENOSPC */
void writer_take(struct store *s);				/* what the journals have */
void writer_run(struct store *s);				/* takes the journals and commits; writer's thread, or none runs */
void writer_tick(struct timer *t);
void store_remove_old_journals(struct store *s);
int store_meta(const struct store *s, struct change *ret, char text[64]);

extern struct metric store_m_changes, store_m_commits, store_m_commit_seconds, store_m_pending, store_m_failing, store_m_lost,
	store_m_bad, store_m_aside;
