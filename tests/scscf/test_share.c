/* tests/scscf/test_share.c - a registration that another instance writes, too: rows H1, H6; reliability F15.  The other one is the test. */
#include "common/store/private.h"
#include "scscf/keep.h"
#include "tests/scscf/reg_rig.h"

static char dir[64];
static struct reg_rig r;
static struct rig_phone p;
static struct store *store;

/* ---- the shared store ---- */

static const struct store_shared_ops *role;
static char written[8192];		/* our last record */
static size_t written_l;
static unsigned n_written, n_fetched;
static uint64_t version;
static enum { FETCH_NOT_BEGUN, FETCH_AWAY, FETCH_NOTHING_NEWER, FETCH_REFRESHED } fetch;

bool __wrap_store_is_shared(const struct store *s);
void __wrap_store_share(struct store *s, const struct store_shared_ops *ops, void *u);
int __wrap_store_fetch(struct store *s, enum store_table table, struct str key, store_fetch_fn fn, void *arg);
int __real_store_put(struct store_port *port, enum store_table table, struct str key, struct str value, uint64_t expires_ms);
int __wrap_store_put(struct store_port *port, enum store_table table, struct str key, struct str value, uint64_t expires_ms);

bool __wrap_store_is_shared(const struct store *s)
{
	return s != NULL;
}

void __wrap_store_share(struct store *s, const struct store_shared_ops *ops, void *u)
{
	(void)s;
	(void)u;
	role = ops;
}

int __wrap_store_put(struct store_port *port, enum store_table table, struct str key, struct str value, uint64_t expires_ms)
{
	if (table == STORE_REGISTRATION && value.l <= sizeof(written)) {
		memcpy(written, value.p, value.l);
		written_l = value.l;
		n_written++;
	}
	return __real_store_put(port, table, key, value, expires_ms);
}

struct theirs {
	uint32_t expires_s, later;	/* later: how many REGISTERs after ours */
	bool conflict;
};

/* What we wrote last, as the other instance has it after a refresh. */
static void peer_writes(struct theirs t)
{
	struct store_remote out = { .table = STORE_REGISTRATION, .key = STR(RIG_IMPI), .their_now_ms = store_now_ms(store), .version = ++version,
				    .conflict = t.conflict };
	struct keep_record *k = malloc(sizeof(*k));
	struct buf b;

	ck_assert_int_eq(keep_record_read(str_make(written, written_l), k), 0);
	k->contact[0].cseq += t.later;
	out.expires_ms = k->contact[0].expires_ms = out.their_now_ms + (uint64_t)t.expires_s * 1000;
	buf_init(&b, KEEP_MAX_BYTES);
	keep_record_write(k, &b);
	out.value = buf_str(&b);
	store_flush(store);		/* all of ours is known to the writer */
	role->changed(r.s, &out);
	buf_fini(&b);
	free(k);
}

int __wrap_store_fetch(struct store *s, enum store_table table, struct str key, store_fetch_fn fn, void *arg)
{
	(void)s;
	if (fetch == FETCH_NOT_BEGUN)
		return -ENOMEM;
	ck_assert(table == STORE_REGISTRATION && str_eq(key, STR(RIG_IMPI)));
	n_fetched++;
	if (fetch == FETCH_REFRESHED)
		peer_writes((struct theirs){ .expires_s = 600, .later = 2 });
	fn(arg, fetch == FETCH_AWAY ? -ENOTCONN : 0);
	return 0;
}

/* ---- */

static void begin(void)
{
	const struct store_config c = { .dir = dir, .max_bytes = 64 << 20, .max_pending_bytes = 1 << 20, .journal_bytes = 65536, .commit_ms = 100 };

	fetch = FETCH_NOT_BEGUN;
	n_written = n_fetched = 0;
	version = 0;
	snprintf(dir, sizeof(dir), "/tmp/cscf-share-XXXXXX");
	ck_assert(mkdtemp(dir));
	rig_init(&r);
	ck_assert_int_eq(store_open(&store, &c, 1), 0);
	r.worker.w.store = store_port(store, 0);
	ck_assert_int_eq(keep_restore(r.s, &r.stack, store), 0);
	phone_init(&p);
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	r.cx[0] = '\0';
}

static void end(void)
{
	char command[128];

	rig_fini(&r);
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void peer_refreshes(void)
{
	peer_writes((struct theirs){ .expires_s = 600, .later = 2 });
	rig_serve(&r);
	ck_assert(rig_registration(&r)->foreign);
}

/* So long that each time it is tried again. */
static void takeovers(unsigned n)
{
	for (; n; n--) {
		rig_run(&r, 2 * SHARE_TAKEOVER_MS + 1000);
		rig_serve(&r);
	}
}

/* The owner may have refreshed it, and we not heard: it ends only when the store says that there is nothing newer. */
START_TEST(test_not_ended_unasked)
{
	begin();
	peer_refreshes();
	rig_run(&r, 600000);
	takeovers(3);
	ck_assert_str_eq(r.cx, "");		/* nobody could be asked */
	fetch = FETCH_AWAY;
	takeovers(3);
	ck_assert_str_eq(r.cx, "");
	ck_assert(rig_registration(&r) && n_fetched >= 2);
	fetch = FETCH_REFRESHED;
	takeovers(2);
	ck_assert_str_eq(r.cx, "");
	ck_assert(rig_registration(&r)->foreign);
	ck_assert_uint_gt(binding_next_ms(rig_registration(&r)), r.wheel.now_ms + 500000);
	fetch = FETCH_NOTHING_NEWER;
	rig_run(&r, 600000);
	ck_assert_str_eq(r.cx, "");
	takeovers(1);
	ck_assert_str_eq(r.cx, "SAR4 ");	/* TIMEOUT_DEREGISTRATION, TS 29.228 §6.1.2: its owner is gone */
	ck_assert(!rig_registration(&r));
	end();
}
END_TEST

TEST_MAIN("share", TEST_ONE(test_not_ended_unasked))
