/* tests/store/test_shared.c - two stores that share records by a real redis-server: row H6, reliability F15. */
#include <errno.h>
#include <pthread.h>
#include "common/store/redis.h"
#include "common/util/clock.h"
#include "tests/store/redis_server.h"

#define WAIT_MS 10000u

/* ---- the server ---- */

static struct server server;

static void start_server(void)
{
	server_start(&server, "redis-server", "save \"\"\nrequirepass secret\n");
}

static void kill_server(void)
{
	server_kill(&server);
}

/* ---- an instance: a store, and a role that keeps what it is told ---- */

struct instance {
	struct store *s;
	char dir[128], name[16];
	pthread_mutex_t lock;
	unsigned n, n_conflicts, n_gone, n_looks;
	unsigned n_own_criteria;	/* in its own file when it was opened */
	char key[64], value[64];	/* told last */
	uint64_t left_ms, version;
	int fetched;			/* result of the last fetch; 1: none yet */
};

static void on_changed(void *u, const struct store_remote *r)
{
	struct instance *in = u;

	pthread_mutex_lock(&in->lock);
	in->n += !r->gone && !r->conflict;
	in->n_gone += r->gone;
	in->n_conflicts += r->conflict;
	str_copy(r->key, in->key, sizeof(in->key));
	str_copy(r->value, in->value, sizeof(in->value));
	in->left_ms = r->expires_ms - r->their_now_ms;
	in->version = r->version;
	pthread_mutex_unlock(&in->lock);
	store_took(in->s, r->table, r->key, r->version);
}

static void on_looked(void *u)
{
	struct instance *in = u;

	pthread_mutex_lock(&in->lock);
	in->n_looks++;
	pthread_mutex_unlock(&in->lock);
}

static void on_own_criteria(void *arg, const struct store_record *r)
{
	struct instance *in = arg;

	(void)r;
	in->n_own_criteria++;
}

static void open_instance(struct instance *in, const char *name)
{
	static const struct store_shared_ops ops = { 1u << STORE_REGISTRATION | 1u << STORE_CRITERIA, on_changed, on_looked };
	const char *const servers[] = { server.address };
	const struct store_redis_config redis = { .server = servers, .n_servers = 1, .password = "secret", .timeout_ms = 500, .instance = name,
						  .space = "test:ims.example" };
	struct store_config c = config;

	if (!*in->dir) {
		new_dir();
		snprintf(in->dir, sizeof(in->dir), "%s", dir);
		pthread_mutex_init(&in->lock, NULL);
	}
	snprintf(in->name, sizeof(in->name), "%s", name);
	c.dir = in->dir;
	c.commit_ms = 50;
	c.redis = &redis;
	ck_assert_int_eq(store_open(&in->s, &c, 1), 0);
	in->n_own_criteria = 0;
	ck_assert_int_eq(store_scan(in->s, STORE_CRITERIA, on_own_criteria, in), 0);
	store_share(in->s, &ops, in);
	ck_assert_int_eq(store_start(in->s), 0);
}

static void close_instance(struct instance *in)
{
	store_unshare(in->s);
	store_close(in->s);
}

static void set(struct instance *in, const char *key, const char *value)
{
	ck_assert_int_eq(store_put(store_port(in->s, 0), STORE_REGISTRATION, str_from_c(key), str_from_c(value), store_now_ms(in->s) + 60000), 0);
}

static void unset(struct instance *in, const char *key)
{
	ck_assert_int_eq(store_del(store_port(in->s, 0), STORE_REGISTRATION, str_from_c(key)), 0);
}

static unsigned get(struct instance *in, const unsigned *what)
{
	unsigned n;

	pthread_mutex_lock(&in->lock);
	n = *what;
	pthread_mutex_unlock(&in->lock);
	return n;
}

static void until(struct instance *in, const unsigned *what, unsigned n, const char *text)
{
	for (unsigned ms = 0; ms < WAIT_MS && get(in, what) < n; ms += 2)
		usleep(2000);
	ck_assert_msg(get(in, what) >= n, "%s: %s: %u, wanted %u", in->name, text, get(in, what), n);
}

static void until_told(struct instance *in, const char *key, const char *value)
{
	bool yes = false;

	for (unsigned ms = 0; ms < WAIT_MS && !yes; ms += 2) {
		pthread_mutex_lock(&in->lock);
		yes = strcmp(in->key, key) == 0 && strcmp(in->value, value) == 0;
		pthread_mutex_unlock(&in->lock);
		usleep(2000);
	}
	ck_assert_msg(yes, "%s was not told %s = \"%s\", but %s = \"%s\"", in->name, key, value, in->key, in->value);
}

static void until_up(struct instance *in)
{
	for (unsigned ms = 0; ms < WAIT_MS && !shared_is_up(in->s->shared); ms += 2)
		usleep(2000);
	ck_assert(shared_is_up(in->s->shared));
}

static void until_down(struct instance *in)
{
	for (unsigned ms = 0; ms < WAIT_MS && shared_is_up(in->s->shared); ms += 2)
		usleep(2000);
	ck_assert(!shared_is_up(in->s->shared));
}

static void until_nothing_waits(struct instance *in)
{
	store_flush(in->s);
	for (unsigned ms = 0; ms < WAIT_MS && shared_waiting(in->s->shared); ms += 2)
		usleep(2000);
	ck_assert_uint_eq(shared_waiting(in->s->shared), 0);
	usleep(20000);			/* what is under way counts as sent */
}

static struct instance a, b;

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	a = b = (struct instance){ .n = 0 };
	server = (struct server){ 0 };
	start_server();
	open_instance(&a, "a");
	open_instance(&b, "b");
	until(&a, &a.n_looks, 1, "looks");
	until(&b, &b.n_looks, 1, "looks");
}

static void remove_instance(struct instance *in)
{
	snprintf(dir, sizeof(dir), "%s", in->dir);
	remove_dir();
}

static void teardown(void)
{
	close_instance(&a);
	close_instance(&b);
	server_stop(&server);
	remove_instance(&a);
	remove_instance(&b);
}

/* ---- cases ---- */

START_TEST(test_told)
{
	setup();
	set(&a, "alice@ims 1", "one");
	until_told(&b, "alice@ims 1", "one");
	ck_assert(b.left_ms > 50000 && b.left_ms <= 60000);
	set(&b, "alice@ims 1", "two");
	until_told(&a, "alice@ims 1", "two");
	ck_assert_uint_eq(a.version, 2);
	unset(&a, "alice@ims 1");
	until(&b, &b.n_gone, 1, "deletions");
	set(&b, "alice@ims 1", "again");
	until_told(&a, "alice@ims 1", "again");
	ck_assert_uint_eq(get(&a, &a.n_conflicts) + get(&b, &b.n_conflicts), 0);
	teardown();
}
END_TEST

/* What each of them wrote last is in its own file, and nowhere else's. */
START_TEST(test_restart)
{
	setup();
	set(&a, "alice", "one");
	until_told(&b, "alice", "one");
	set(&a, "bob", "one");
	until_told(&b, "bob", "one");
	set(&b, "alice", "two");
	until_told(&a, "alice", "two");
	close_instance(&a);
	unset(&b, "bob");
	set(&b, "carol", "one");
	until_nothing_waits(&b);
	open_instance(&a, "a");
	until(&a, &a.n_looks, 2, "looks");
	ck_assert_uint_eq(a.n_gone, 1);		/* bob does not come back */
	ck_assert_uint_eq(get(&b, &b.n_conflicts), 0);
	teardown();
}
END_TEST

static void set_criteria(struct instance *in)
{
	ck_assert_int_eq(store_put(store_port(in->s, 0), STORE_CRITERIA, STR("0123456789abcdef"), STR("<xml/>"), 0), 0);
	until_nothing_waits(in);
}

/* Filter criteria that both need stay in both files, whoever wrote them to the server: a registration cannot come back without them. */
START_TEST(test_criteria_stay)
{
	setup();
	set_criteria(&b);
	set_criteria(&a);
	for (unsigned looks = 2; looks < 4; looks++) {
		close_instance(&a);
		close_instance(&b);
		open_instance(&a, "a");
		open_instance(&b, "b");
		ck_assert_uint_eq(a.n_own_criteria, 1);
		ck_assert_uint_eq(b.n_own_criteria, 1);
		until(&a, &a.n_looks, looks, "looks");
		until(&b, &b.n_looks, looks, "looks");
	}
	teardown();
}
END_TEST

/* Both change it before either has heard of the other: one counts, the other is told so, and what it puts then counts. */
START_TEST(test_conflict)
{
	setup();
	set(&a, "alice", "one");
	until_told(&b, "alice", "one");
	kill(server.pid, SIGSTOP);
	set(&a, "alice", "of a");
	set(&b, "alice", "of b");
	store_flush(a.s);
	store_flush(b.s);
	if (_i) {			/* and both have given the server up meanwhile, which does what it was told all the same */
		until_down(&a);
		until_down(&b);
	}
	kill(server.pid, SIGCONT);
	for (unsigned ms = 0; ms < WAIT_MS && get(&a, &a.n_conflicts) + get(&b, &b.n_conflicts) == 0; ms += 2)
		usleep(2000);
	ck_assert_uint_eq(get(&a, &a.n_conflicts) + get(&b, &b.n_conflicts), 1);
	if (get(&a, &a.n_conflicts)) {
		ck_assert_str_eq(a.value, "of b");
		set(&a, "alice", "both");
		until_told(&b, "alice", "both");
	} else {
		ck_assert_str_eq(b.value, "of a");
		set(&b, "alice", "both");
		until_told(&a, "alice", "both");
	}
	teardown();
}
END_TEST

/* F15: the server is away, and comes back with nothing: what each has is written again, what was changed meanwhile too. */
START_TEST(test_wiped)
{
	struct buf why;

	setup();
	buf_init(&why, 512);
	set(&a, "alice", "one");
	until_told(&b, "alice", "one");
	ck_assert(!store_trouble(a.s, &why));
	kill_server();
	until_down(&a);
	until_down(&b);
	set(&a, "bob", "one");
	set(&a, "bob", "two");
	set(&a, "gone", "one");
	unset(&a, "gone");
	store_flush(a.s);
	ck_assert(store_trouble(a.s, &why));
	ck_assert(str_find(buf_str(&why), STR("the shared store does not answer")) >= 0);
	start_server();
	until_up(&a);
	until_up(&b);
	until(&b, &b.n, 2, "records");
	close_instance(&b);
	remove_instance(&b);
	b.dir[0] = '\0';			/* a new one, with nothing of its own */
	b.n = 0;
	b.n_looks = 0;
	open_instance(&b, "b");
	until(&b, &b.n_looks, 1, "looks");
	until(&b, &b.n, 2, "records");		/* alice was written again */
	buf_fini(&why);
	teardown();
}
END_TEST

static void tell_server(const char *what)
{
	char command[160];

	snprintf(command, sizeof(command), "redis-cli -h 127.0.0.1 -p %u -a secret --no-auth-warning %s >/dev/null", server.port, what);
	ck_assert_int_eq(system(command), 0);
}

/* What was wiped, or deleted long ago, begins again at version 1. */
START_TEST(test_versions_begin_again)
{
	setup();
	set(&a, "alice", "one");
	until_told(&b, "alice", "one");
	set(&a, "alice", "two");
	until_told(&b, "alice", "two");
	set(&a, "alice", "three");
	until_told(&b, "alice", "three");
	tell_server("flushall");
	set(&a, "alice", "four");
	until_told(&b, "alice", "four");
	ck_assert_uint_eq(b.version, 1);
	teardown();
}
END_TEST

/* The same version as before, but of another record: the look in between has shown that the old one is gone. */
START_TEST(test_same_version_again)
{
	setup();
	set(&a, "alice", "one");
	until_told(&b, "alice", "one");
	close_instance(&a);
	remove_instance(&a);
	tell_server("flushall");
	kill(server.pid, SIGSTOP);
	until_down(&b);
	kill(server.pid, SIGCONT);
	until(&b, &b.n_looks, 2, "looks");
	a.dir[0] = '\0';
	a.n_looks = 0;
	open_instance(&a, "c");
	until(&a, &a.n_looks, 1, "looks");
	set(&a, "alice", "other");
	until_told(&b, "alice", "other");
	ck_assert_uint_eq(b.version, 1);
	teardown();
}
END_TEST

/* A server that refuses each write is asked less and less often, though every look at it ends well. */
START_TEST(test_refuses_writes)
{
	uint64_t began;
	unsigned n;

	setup();
	tell_server("config set maxmemory 1");
	began = clock_mono_us();
	n = get(&a, &a.n_looks);
	set(&a, "alice", "one");
	until(&a, &a.n_looks, n + 4, "looks");
	ck_assert_msg(clock_mono_us() - began > 1400000, "four looks in %llu ms", (unsigned long long)(clock_mono_us() - began) / 1000);
	tell_server("config set maxmemory 0");
	until_told(&b, "alice", "one");
	teardown();
}
END_TEST

static void on_fetched(void *arg, int rc)
{
	struct instance *in = arg;

	pthread_mutex_lock(&in->lock);
	in->fetched = rc;
	pthread_mutex_unlock(&in->lock);
}

static int fetch(struct instance *in, const char *key)
{
	int rc = 1;

	in->fetched = 1;
	ck_assert_int_eq(store_fetch(in->s, STORE_REGISTRATION, str_from_c(key), on_fetched, in), 0);
	for (unsigned ms = 0; ms < WAIT_MS && rc == 1; ms += 2) {
		usleep(2000);
		pthread_mutex_lock(&in->lock);
		rc = in->fetched;
		pthread_mutex_unlock(&in->lock);
	}
	return rc;
}

START_TEST(test_fetch)
{
	setup();
	ck_assert_int_eq(fetch(&b, "nobody"), 0);
	ck_assert_uint_eq(b.n, 0);
	set(&a, "alice", "one");
	until_nothing_waits(&a);
	ck_assert_int_eq(fetch(&b, "alice"), 0);
	ck_assert_str_eq(b.value, "one");		/* told before the fetch ended */
	kill(server.pid, SIGSTOP);
	ck_assert_int_eq(fetch(&b, "alice"), -ENOTCONN);
	kill(server.pid, SIGCONT);
	for (unsigned i = 0; i < 20 && fetch(&b, "alice") != 0; i++)	/* a slow build may find it away once more */
		until_up(&b);
	ck_assert_int_eq(b.fetched, 0);
	teardown();
}
END_TEST

/* Our own file is lost, Redis has what we wrote: it is ours to serve, as another one's would be. */
START_TEST(test_own_file_lost)
{
	setup();
	set(&a, "alice", "one");
	set(&a, "bob", "two");
	unset(&a, "bob");
	until_nothing_waits(&a);
	until(&b, &b.n_gone, 1, "deletions");
	close_instance(&a);
	remove_instance(&a);
	a = (struct instance){ .n = 0 };
	open_instance(&a, "a");
	until(&a, &a.n_looks, 1, "looks");
	until_told(&a, "alice", "one");
	ck_assert_uint_eq(a.n, 1);
	ck_assert_uint_eq(a.n_gone, 0);
	set(&a, "alice", "again");		/* and goes on from there */
	until_told(&b, "alice", "again");
	teardown();
}
END_TEST

/* Whoever asks for users that are not there, or registers and goes, makes nothing grow for ever. */
START_TEST(test_keys_bounded)
{
	char key[32];

	setup();
	set(&a, "alice", "one");
	until_nothing_waits(&a);
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "nobody%u", i);
		ck_assert_int_eq(fetch(&a, key), 0);
	}
	ck_assert_uint_le(shared_keys(a.s->shared), 1025);
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "guest%u", i);
		set(&a, key, "here");
		unset(&a, key);
		if (i % 100 == 0)
			until_nothing_waits(&a);
	}
	until_nothing_waits(&a);
	ck_assert_uint_le(shared_keys(a.s->shared), 1025 + 200);
	set(&a, "guest7", "again");		/* deleted, and forgotten */
	until_told(&b, "guest7", "again");
	set(&a, "alice", "two");		/* not forgotten */
	until_told(&b, "alice", "two");
	teardown();
}
END_TEST

START_TEST(test_password)
{
	struct buf why;

	setup();
	kill_server();
	until_down(&a);
	server_start(&server, "redis-server", "save \"\"\nrequirepass another\n");
	buf_init(&why, 512);
	for (unsigned ms = 0; ms < WAIT_MS && str_find(buf_str(&why), STR("WRONGPASS")) < 0; ms += 10) {
		usleep(10000);
		buf_reset(&why);
		store_trouble(a.s, &why);
	}
	ck_assert_msg(str_find(buf_str(&why), STR("WRONGPASS")) >= 0, "%.*s", STR_ARG(buf_str(&why)));
	buf_fini(&why);
	teardown();
}
END_TEST

/* A thousand records at once, by both: each of them is known to both in the end. */
START_TEST(test_many)
{
	char key[32];

	setup();
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "user%u", i);
		set(i % 2 ? &a : &b, key, "x");
	}
	until(&a, &a.n, 500, "records");
	until(&b, &b.n, 500, "records");
	teardown();
}
END_TEST

static const bool given_up[] = { false, true };
static const struct { const char *key; unsigned slot; } slots[] = {
	{ "123456789", 12739 },			/* Cluster specification, "Keys distribution model": CRC16 is 0x31C3 */
	{ "{user1000}.following", 3443 }, { "{user1000}.followers", 3443 },
	{ "foo{}{bar}", 8363 },			/* the first pair is empty: the whole key counts */
};

START_TEST(test_slot)
{
	ck_assert_msg(redis_slot(str_from_c(slots[_i].key)) == slots[_i].slot, "%s: %u", slots[_i].key, redis_slot(str_from_c(slots[_i].key)));
}
END_TEST

TEST_MAIN_NEEDS("shared", SERVER, "package redis-tools", TEST_ONE(test_told), TEST_ONE(test_restart), TEST_ONE(test_criteria_stay), TEST_ROWS(test_conflict, given_up),
		TEST_ONE(test_wiped), TEST_ONE(test_versions_begin_again), TEST_ONE(test_same_version_again),
		TEST_ONE(test_refuses_writes), TEST_ONE(test_fetch), TEST_ONE(test_own_file_lost), TEST_ONE(test_keys_bounded), TEST_ONE(test_password), TEST_ONE(test_many), TEST_ROWS(test_slot, slots))
