/* tests/store/test_redis.c - the way to Redis against real servers: Sentinel and its failover, Cluster with MOVED and ASK; row H6, F15. */
#include <errno.h>
#include <stdarg.h>
#include "common/store/redis.h"
#include "tests/store/redis_server.h"
#include "tests/transport/certs.h"

#define WAIT_MS 30000u
#define N_KEYS 100u

/* ---- servers ---- */

static redisContext *connected(const struct server *s)
{
	redisContext *c = NULL;

	for (unsigned i = 0; i < 1000; i++) {
		c = redisConnect("127.0.0.1", (int)s->port);
		if (c && !c->err)
			return c;
		if (c)
			redisFree(c);
		usleep(10000);
	}
	ck_abort_msg("no server at port %u", s->port);
	return NULL;
}

/* The text of an answer, or its number; static. */
static const char *tell(const struct server *s, const char *fmt, ...)
{
	static char text[4096];
	redisContext *c = connected(s);
	redisReply *r;
	va_list ap;

	va_start(ap, fmt);
	r = redisvCommand(c, fmt, ap);
	va_end(ap);
	ck_assert_ptr_nonnull(r);
	if (r->type == REDIS_REPLY_INTEGER)
		snprintf(text, sizeof(text), "%lld", r->integer);
	else
		snprintf(text, sizeof(text), "%s", r->str ? r->str : "");
	freeReplyObject(r);
	redisFree(c);
	return text;
}

/* ---- who uses it ---- */

struct user {
	struct loop *l;
	struct redis *r;
	unsigned ups, downs, answers, good, messages;
	char last[160], why[160];
};

static void on_up(void *u)
{
	((struct user *)u)->ups++;
}

static void on_down(void *u, const char *why)
{
	struct user *me = u;

	me->downs++;
	snprintf(me->why, sizeof(me->why), "%s", why);
}

static void on_message(void *u, struct str text)
{
	struct user *me = u;

	me->messages += str_eq(text, STR("hello"));
}

static void on_answer(void *arg, const redisReply *reply)
{
	struct user *me = arg;

	me->answers++;
	me->good += reply && reply->type != REDIS_REPLY_ERROR;
	snprintf(me->last, sizeof(me->last), "%s", reply && reply->str ? reply->str : "");
}

static void until(struct user *me, const unsigned *what, unsigned n, const char *text)
{
	for (unsigned ms = 0; ms < WAIT_MS && *what < n; ms += 10)
		loop_run_for(me->l, 10);
	ck_assert_msg(*what >= n, "%s: %u, wanted %u; %s", text, *what, n, me->why);
}

static void begin(struct user *me, const struct store_redis_config *c)
{
	static const struct redis_ops ops = { on_up, on_down, on_message };

	signal(SIGPIPE, SIG_IGN);
	*me = (struct user){ .l = loop_new() };
	ck_assert_int_eq(redis_new(&me->r, me->l, c, STR("feed"), &ops, me), 0);
	redis_start(me->r);
	until(me, &me->ups, 1, "up");
}

static void end(struct user *me)
{
	redis_free(me->r);
	loop_free(me->l);
}

static void ask(struct user *me, const char *what, const char *key, const char *value)
{
	const struct str argv[3] = { str_from_c(what), str_from_c(key), str_from_c(value) };
	unsigned before = me->answers;

	ck_assert_int_eq(redis_send(me->r, argv[1], value ? 3 : 2, argv, on_answer, me), 0);
	until(me, &me->answers, before + 1, "answers");
}

/* ---- cases ---- */

START_TEST(test_sentinel)
{
	struct server master = { .port = free_port() }, replica = { .port = free_port() }, sentinel = { .port = free_port() };
	const char *sentinels[] = { "127.0.0.1:1", sentinel.address };	/* nobody listens at the first */
	struct store_redis_config c = { .sentinel = sentinels, .n_sentinels = 2, .master = "mymaster", .timeout_ms = 1000 };
	struct user me;
	char conf[512];
	unsigned ups;

	server_start(&master, "redis-server", "save \"\"\n");
	snprintf(conf, sizeof(conf), "save \"\"\nreplicaof 127.0.0.1 %u\n", master.port);
	server_start(&replica, "redis-server", conf);
	for (unsigned i = 0; i < 1000 && !strstr(tell(&replica, "INFO replication"), "master_link_status:up"); i++)
		usleep(10000);
	snprintf(conf, sizeof(conf), "sentinel monitor mymaster 127.0.0.1 %u 1\nsentinel down-after-milliseconds mymaster 500\n"
				     "sentinel failover-timeout mymaster 3000\n", master.port);
	server_start(&sentinel, "redis-sentinel", conf);
	for (unsigned i = 0; i < 2000 && !strstr(tell(&sentinel, "INFO sentinel"), "slaves=1"); i++)
		usleep(10000);
	begin(&me, &c);
	ask(&me, "SET", "key", "value");
	ask(&me, "PUBLISH", "feed", "hello");
	until(&me, &me.messages, 1, "messages");
	ck_assert_str_eq(tell(&master, "GET key"), "value");
	for (unsigned i = 0; i < 1000 && strcmp(tell(&replica, "GET key"), "value") != 0; i++)
		usleep(10000);
	ups = me.ups;
	kill(master.pid, SIGKILL);
	until(&me, &me.ups, ups + 1, "up after the failover");
	ask(&me, "GET", "key", NULL);
	ck_assert_str_eq(me.last, "value");
	ask(&me, "SET", "key", "other");
	ck_assert_str_eq(tell(&replica, "GET key"), "other");
	end(&me);
	server_stop(&sentinel);
	server_stop(&replica);
	server_stop(&master);
}
END_TEST

START_TEST(test_no_such_master)
{
	struct server sentinel = { .port = free_port() };
	const char *sentinels[] = { sentinel.address };
	struct store_redis_config c = { .sentinel = sentinels, .n_sentinels = 1, .master = "nobody", .timeout_ms = 1000 };
	static const struct redis_ops ops = { on_up, on_down, on_message };
	struct user me = { .l = loop_new() };

	server_start(&sentinel, "redis-sentinel", "");
	ck_assert_int_eq(redis_new(&me.r, me.l, &c, STR("feed"), &ops, &me), 0);
	redis_start(me.r);
	until(&me, &me.downs, 2, "down");
	ck_assert_str_eq(me.why, "Sentinel knows no such master: an answer that is none");
	ck_assert_uint_eq(me.ups, 0);
	end(&me);
	server_stop(&sentinel);
}
END_TEST

static void form_cluster(struct server n[2])
{
	static const char conf[] = "save \"\"\ncluster-enabled yes\ncluster-config-file nodes\ncluster-node-timeout 5000\n";

	for (unsigned i = 0; i < 2; i++) {
		n[i] = (struct server){ .port = free_port() };
		server_start(&n[i], "redis-server", conf);
		ck_assert_str_eq(tell(&n[i], "CLUSTER ADDSLOTSRANGE %u %u", i * 8192, i * 8192 + 8191), "OK");
	}
	ck_assert_str_eq(tell(&n[0], "CLUSTER MEET 127.0.0.1 %u", n[1].port), "OK");
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < 2000 && !(strstr(tell(&n[k], "CLUSTER INFO"), "cluster_state:ok") && strstr(tell(&n[k], "CLUSTER INFO"), "cluster_known_nodes:2")); i++)
			usleep(10000);
}

START_TEST(test_cluster)
{
	struct server n[2];
	const char *servers[1];
	struct store_redis_config c = { .server = servers, .n_servers = 1, .cluster = true, .timeout_ms = 2000 };
	char key[32], id[2][64], slot_text[16];
	struct user me;
	unsigned slot;

	form_cluster(n);
	servers[0] = n[0].address;
	begin(&me, &c);
	ck_assert_uint_eq(redis_masters(me.r), 2);
	for (unsigned i = 0; i < N_KEYS; i++) {
		snprintf(key, sizeof(key), "registration:{user%u}", i);
		ask(&me, "SET", key, "v");
	}
	ck_assert_uint_eq(me.good, N_KEYS);
	ck_assert_int_gt(atoi(tell(&n[0], "DBSIZE")), 20);
	ck_assert_int_eq(atoi(tell(&n[0], "DBSIZE")) + atoi(tell(&n[1], "DBSIZE")), (int)N_KEYS);
	/* MOVED: the slot of a key that is not there yet goes to the other node. */
	for (unsigned i = 0; i < 2; i++)
		snprintf(id[i], sizeof(id[i]), "%s", tell(&n[i], "CLUSTER MYID"));
	slot = redis_slot(STR("foo"));			/* 12182: the second node's */
	ck_assert_uint_ge(slot, 8192);
	snprintf(slot_text, sizeof(slot_text), "%u", slot);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_str_eq(tell(&n[i], "CLUSTER SETSLOT %s NODE %s", slot_text, id[0]), "OK");
	ask(&me, "SET", "foo", "moved");
	ck_assert_str_eq(tell(&n[0], "GET foo"), "moved");
	/* ASK: a slot that is on its way. */
	slot = redis_slot(STR("bar"));			/* 5061: the first node's */
	ck_assert_uint_lt(slot, 8192);
	snprintf(slot_text, sizeof(slot_text), "%u", slot);
	ck_assert_str_eq(tell(&n[1], "CLUSTER SETSLOT %s IMPORTING %s", slot_text, id[0]), "OK");
	ck_assert_str_eq(tell(&n[0], "CLUSTER SETSLOT %s MIGRATING %s", slot_text, id[1]), "OK");
	ask(&me, "SET", "bar", "asked");
	ask(&me, "GET", "bar", NULL);
	ck_assert_str_eq(me.last, "asked");
	ck_assert_uint_eq(me.good, N_KEYS + 3);
	/* The feed of one node has what is said at any. */
	ask(&me, "PUBLISH", "feed", "hello");
	until(&me, &me.messages, 1, "messages");
	end(&me);
	server_stop(&n[0]);
	server_stop(&n[1]);
}
END_TEST

/* A server that takes the connection and says nothing is one that is away. */
START_TEST(test_silent)
{
	struct server s = { .port = free_port() };
	const char *servers[] = { s.address };
	struct store_redis_config c = { .server = servers, .n_servers = 1, .timeout_ms = 300 };
	unsigned answers, ups;
	struct user me;

	server_start(&s, "redis-server", "save \"\"\n");
	begin(&me, &c);
	ups = me.ups;
	kill(s.pid, SIGSTOP);
	answers = me.answers;
	ck_assert_int_eq(redis_send(me.r, STR("k"), 2, (const struct str[]){ STR("GET"), STR("k") }, on_answer, &me), 0);
	until(&me, &me.downs, 1, "down");
	ck_assert_uint_eq(me.answers, answers + 1);		/* who waited was told */
	ck_assert_int_eq(redis_send(me.r, STR("k"), 2, (const struct str[]){ STR("GET"), STR("k") }, on_answer, &me), -ENOTCONN);
	kill(s.pid, SIGCONT);
	until(&me, &me.ups, ups + 1, "up");
	end(&me);
	server_stop(&s);
}
END_TEST

/* ---- TLS ---- */

static struct cert_files ca, other_ca, server_cert, client_cert;
static char certs[64];

static void make_certs(void)
{
	snprintf(certs, sizeof(certs), "/tmp/cscf-redis-XXXXXX");
	certs_dir(certs);
	certs_authority(certs, "ca", &ca);
	certs_authority(certs, "other", &other_ca);
	certs_make(certs, "server", "ca", NULL, "DNS:redis.example,IP:127.0.0.1", -1, 1, &server_cert);
	certs_make(certs, "client", "ca", "client", NULL, -1, 1, &client_cert);
}

static void start_tls(struct server *s, bool ask_clients)
{
	char conf[1024];

	s->port = free_port();
	snprintf(conf, sizeof(conf), "save \"\"\ntls-port %u\ntls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s\ntls-auth-clients %s\n", s->port,
		 server_cert.cert, server_cert.key, ca.cert, ask_clients ? "yes" : "no");
	server_start(s, "redis-server", conf);
}

static const struct tls_row {
	const char *name;
	struct cert_files *ca;		/* NULL: a file that is not there */
	const char *server_name;
	bool ask_clients, show;		/* the server wants a certificate; we show one */
	const char *why;		/* NULL: it works */
} tls_rows[] = {
	{ "by its address", &ca, NULL, false, false, NULL },
	{ "by its name", &ca, "redis.example", false, false, NULL },
	{ "with a certificate of ours", &ca, NULL, true, true, NULL },
	{ "of another authority", &other_ca, NULL, false, false, "certificate" },
	{ "of another name", &ca, "other.example", false, false, "mismatch" },
	{ "no certificate of ours", &ca, NULL, true, false, "" },	/* TLS 1.3: it may be gone before its alert is read */
	{ "no file", NULL, NULL, false, false, "/nowhere" },
};

START_TEST(test_tls)
{
	const struct tls_row *w = &tls_rows[_i];
	static const struct redis_ops ops = { on_up, on_down, on_message };
	struct server s = { 0 };
	const char *servers[] = { s.address };
	struct user me = { .l = loop_new() };
	struct store_redis_tls tls;
	struct store_redis_config c = { .server = servers, .n_servers = 1, .timeout_ms = 10000, .tls = &tls };

	make_certs();
	tls = (struct store_redis_tls){ w->ca ? w->ca->cert : "/nowhere/ca.pem", w->show ? client_cert.cert : NULL,
					w->show ? client_cert.key : NULL, w->server_name };
	start_tls(&s, w->ask_clients);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(redis_new(&me.r, me.l, &c, STR("feed"), &ops, &me), 0);
	redis_start(me.r);
	until(&me, w->why ? &me.downs : &me.ups, 1, w->name);
	if (w->why) {
		ck_assert_msg(strstr(me.why, w->why) != NULL, "%s: %s", w->name, me.why);
		ck_assert_msg(me.ups == 0, "%s: up", w->name);
	} else {
		ask(&me, "SET", "key", "value");
		ask(&me, "GET", "key", NULL);
		ck_assert_msg(strcmp(me.last, "value") == 0, "%s: %s", w->name, me.last);
		ask(&me, "PUBLISH", "feed", "hello");
		until(&me, &me.messages, 1, "messages");
	}
	end(&me);
	server_stop(&s);
	certs_remove(certs);
}
END_TEST

/* More than one record of TLS, and more than the socket takes at once. */
START_TEST(test_tls_large)
{
	enum { N = 4 << 20 };
	struct server s = { 0 };
	const char *servers[] = { s.address };
	struct store_redis_tls tls;
	struct store_redis_config c = { .server = servers, .n_servers = 1, .timeout_ms = 10000, .tls = &tls };
	char *large = malloc(N);
	struct user me;

	ck_assert_ptr_nonnull(large);
	memset(large, 'x', N);
	make_certs();
	tls = (struct store_redis_tls){ ca.cert, NULL, NULL, NULL };
	start_tls(&s, false);
	begin(&me, &c);
	for (unsigned i = 0; i < 4; i++) {
		const struct str argv[3] = { STR("SET"), STR("key"), str_make(large, N) };

		ck_assert_int_eq(redis_send(me.r, argv[1], 3, argv, on_answer, &me), 0);
	}
	until(&me, &me.good, 4, "answers");
	ask(&me, "STRLEN", "key", NULL);
	ck_assert_uint_eq(me.good, 5);
	ck_assert_uint_eq(me.downs, 0);
	free(large);
	end(&me);
	server_stop(&s);
	certs_remove(certs);
}
END_TEST

/* A server that speaks no TLS is none. */
START_TEST(test_tls_clear_server)
{
	static const struct redis_ops ops = { on_up, on_down, on_message };
	struct server s = { 0 };
	const char *servers[] = { s.address };
	struct store_redis_tls tls;
	struct store_redis_config c = { .server = servers, .n_servers = 1, .timeout_ms = 1000, .tls = &tls };
	struct user me = { .l = loop_new() };

	make_certs();
	tls = (struct store_redis_tls){ ca.cert, NULL, NULL, NULL };
	server_start(&s, "redis-server", "save \"\"\n");
	ck_assert_int_eq(redis_new(&me.r, me.l, &c, STR("feed"), &ops, &me), 0);
	redis_start(me.r);
	until(&me, &me.downs, 2, "down");
	ck_assert_uint_eq(me.ups, 0);
	end(&me);
	server_stop(&s);
	certs_remove(certs);
}
END_TEST

TEST_MAIN_NEEDS("redis", SERVER, "package redis-tools", TEST_ROWS(test_tls, tls_rows), TEST_ONE(test_tls_large), TEST_ONE(test_tls_clear_server), TEST_ONE(test_sentinel), TEST_ONE(test_no_such_master), TEST_ONE(test_cluster), TEST_ONE(test_silent))
