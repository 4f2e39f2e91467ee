/* common/store/store.h - what outlives the process: records under keys, in tables, each with an expiry.  Rows H1, H6; reliability
 * F1, F2, F4, F13, F14.
 *
 * A worker puts and deletes by its port and never waits: the change goes into the port's journal, a ring in a mapped file, and is
 * safe from `kill -9` from then on.  A writer thread takes the journals once in commit_ms and commits what they hold to the backend, durably
 * and as a whole; a power cut costs what was not committed yet.  Of several changes of one key only the last is written.
 * When the disk refuses, changes wait in memory and go out when it takes them again.
 *
 * Expiry is in store time: milliseconds that run like a clock on the wall but are not moved by setting one, over restarts
 * too.  store_now_ms() reads it, on any thread. */
#pragma once
#include "common/util/bytes.h"

#define STORE_MAX_KEY 4096u
#define STORE_MAX_VALUE (512u * 1024)

enum store_table {			/* numbers are on disk: new ones go to the end */
	STORE_META,			/* the store's own */
	STORE_REGISTRATION,		/* S-CSCF: private identity */
	STORE_CRITERIA,			/* S-CSCF: filter criteria that registrations refer to */
	STORE_SUBSCRIPTION,		/* S-CSCF: subscriptions to registration state */
	STORE_PHONE,			/* P-CSCF: bindings */
	STORE_SECURITY,			/* P-CSCF: sets of security associations */
	STORE_WATCH,			/* P-CSCF: its own subscriptions */
	STORE_SHARED_SET,		/* S-CSCF: shared sets of filter criteria that came by REST */
	STORE_POLICY,			/* P-CSCF: sessions at a PCF */
	STORE_SESSION,			/* P-CSCF: answered calls, to end them */
	STORE_CALL,			/* P-CSCF: answered calls, for policy control and records */
	STORE_RX,			/* P-CSCF: sessions that a PCRF may have */
	STORE_MEDIA,			/* P-CSCF: sessions that a media relay may have */
	STORE_N_TABLES
};
const char *store_table_name(unsigned table);

struct store_redis_config {		/* state.redis.*: several instances share what they keep */
	const char *const *server;	/* ADDRESS:PORT; of a Cluster some of its nodes */
	const char *const *sentinel;	/* or these, and the master's name there */
	unsigned n_servers, n_sentinels;
	const char *master, *username, *password;
	unsigned database;
	bool cluster;
	uint32_t timeout_ms;
	const struct store_redis_tls {	/* NULL: in clear */
		const char *ca_file;	/* PEM: who vouches for the servers; NULL: the system's */
		const char *cert_file, *key_file;	/* NULL: we show none */
		const char *server_name;	/* in the certificate of each; NULL: the address that it has here */
	} *tls;
	const char *instance;		/* one word, another one in each instance */
	const char *space;		/* what they share: daemon and domain */
};

struct store_config {			/* state.*; names as in the configuration */
	const char *dir;
	uint64_t max_bytes;		/* of the data file */
	uint64_t max_pending_bytes;	/* what waits in memory while the disk refuses; more is lost and counted */
	uint32_t journal_bytes;		/* of each port */
	uint32_t commit_ms;
	const struct store_redis_config *redis;		/* NULL: nothing is shared */
};

struct store;
struct store_port;			/* one producer's way in: one thread at a time uses it */

/* Opens dir and reads what a process that was killed left in its journals.  Before any thread runs: a damaged file is looked at by a forked
 * child first.  A file that cannot be used is put aside under another name, with an error in the log, and what could be read of it is kept.
 * 0; -EBUSY: another process has it; -errno. */
int store_open(struct store **ret, const struct store_config *c, unsigned n_ports);
int store_start(struct store *s);	/* the writer's thread: 0 or -errno */
void store_close(struct store *s);	/* commits what there is; NULL is fine */

uint64_t store_now_ms(const struct store *s);
struct store_port *store_port(struct store *s, unsigned i);	/* i below n_ports; s NULL: NULL */
struct store *store_of(struct store_port *p);

/* Both copy.  p NULL: nothing is kept, 0.  expires_ms: store time; 0: never.  0; -EMSGSIZE; -ENOSPC: lost, counted and logged. */
int store_put(struct store_port *p, enum store_table table, struct str key, struct str value, uint64_t expires_ms);
int store_del(struct store_port *p, enum store_table table, struct str key);

struct store_record {
	struct str key, value;		/* borrowed, until fn returns */
	uint64_t expires_ms;		/* may be over: whose record it is knows what that means */
};
/* Every record of a table, in no order that means anything.  Before store_start().  fn may put and delete.  0 or -errno. */
int store_scan(struct store *s, enum store_table table, void (*fn)(void *arg, const struct store_record *r), void *arg);

/* ---- records that several instances share (state.backend redis) ----
 *
 * Each instance keeps in its own file what it wrote last, and hears of what others wrote; which of them reached Redis first is settled
 * there.  A role that says nothing here shares nothing. */
struct store_remote {			/* a record as another instance wrote it; texts are borrowed until changed() returns */
	enum store_table table;
	struct str key, value;
	uint64_t expires_ms, their_now_ms;	/* in the other's store time; it is their_now_ms there now */
	uint64_t version;
	bool gone;			/* deleted */
	bool conflict;			/* instead of a change of ours, which is void: the role may put another one, which counts then */
};
struct store_shared_ops {		/* called on the writer's thread */
	uint32_t tables;		/* 1 << STORE_...; criteria come before what refers to them */
	void (*changed)(void *u, const struct store_remote *r);
	void (*looked)(void *u);	/* everything there is was seen; NULL: nobody asks */
};
bool store_is_shared(const struct store *s);			/* s NULL: false */
void store_share(struct store *s, const struct store_shared_ops *ops, void *u);	/* before store_start() */
/* Has changed() called when there is something newer than what was seen of this record, and then fn, on the writer's thread; rc 0, or
 * -ENOTCONN: Redis is away, which shows within state.redis.timeout_ms; -ESHUTDOWN: we stop, nobody is there to be told.  Any thread.
 * 0 or -errno: not begun. */
typedef void (*store_fetch_fn)(void *arg, int rc);
int store_fetch(struct store *s, enum store_table table, struct str key, store_fetch_fn fn, void *arg);
/* The owner knows this version now: changes that it puts from here on are made from it.  Those before meet a conflict.  Any thread. */
int store_took(struct store *s, enum store_table table, struct str key, uint64_t version);
/* How many changes were put by this port, on its own thread; and how many of them had come to the writer, in changed(): what was put
 * later meets a conflict, of which there will be news. */
uint64_t store_sequence(const struct store_port *p);
uint64_t store_taken(const struct store *s, unsigned port);
/* false: what others have is still being read for the first time. */
bool store_shared_seen(const struct store *s);
void store_unshare(struct store *s);	/* before the role's threads stop: what waits goes out if it can */

/* Text for people of what is wrong now, appended; false: nothing is.  Any thread. */
bool store_trouble(struct store *s, struct buf *why);
void store_flush(struct store *s);	/* tests: all that was put is committed, or was refused, when it returns */
