/* common/store/redis.c - connections to Redis: Sentinel, Cluster, authentication, deadlines.  See redis.h; row H6, reliability F15. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/store/redis.h"
#include "common/store/redis_conn.h"
#include "common/transport/tls_files.h"
#include "common/util/rand.h"

#define AGAIN_MIN_MS 100u
#define AGAIN_MAX_MS 2000u
#define MAX_HOPS 5u			/* MOVED and ASK of one command */
#define N_SLOTS 16384u
#define MAX_ARGS 16

enum state { DOWN, ASKING_SENTINEL, CONNECTING, SUBSCRIBING, UP };

struct conn {
	struct redis *r;
	struct redis_conn *rc;
	struct list commands;		/* that wait for their answers, in order; the feed's others come unasked */
};
struct master {
	struct conn *c;
	char address[72];
};
struct redis {
	struct loop *loop;
	const struct redis_ops *ops;
	void *u;
	char **server, **sentinel, *name, *username, *password, *channel;
	unsigned n_servers, n_sentinels, next, database;
	bool has_tls;
	struct { char *ca_file, *cert_file, *key_file, *server_name; } tls;
	SSL_CTX *ctx;			/* of now */
	uint32_t timeout_ms, again_ms;
	bool cluster;
	enum state state;
	struct master master[REDIS_MAX_MASTERS];
	unsigned n_masters;
	struct conn *asked, *feed;	/* asked: a Sentinel */
	uint8_t of_slot[N_SLOTS];
	struct timer again, watch;
	unsigned waiting;		/* commands without an answer */
	uint64_t heard_ms, fed_ms;	/* when something was answered last; when our own beat came by the feed */
	char beat[40];
};

struct command {
	struct list link;
	struct redis *r;
	redis_fn fn;
	void *arg;
	char *text;			/* as it goes over the wire; NULL: one of the handshake's */
	size_t l;
	unsigned hops;
	unsigned slot;
};

static void go_down(struct redis *r, const char *why);

/* ---- connections ---- */

static void on_reply(struct command *k, const redisReply *reply);
static void on_feed(struct redis *r, const redisReply *m);
static void command_end(struct command *k, const redisReply *reply);

static void on_conn_reply(void *u, const redisReply *reply)
{
	struct conn *c = u;
	struct command *k = list_empty(&c->commands) ? NULL : list_entry(c->commands.next, struct command, link);

	if (k) {
		list_del(&k->link);
		on_reply(k, reply);		/* c may be gone after it */
	} else if (c == c->r->feed) {
		on_feed(c->r, reply);
	}
}

static void on_conn_broken(void *u, const char *why)
{
	go_down(((struct conn *)u)->r, why);
}

/* Who waits for an answer hears that there is none. */
static void conn_end(struct conn **pc)
{
	struct conn *c = *pc;

	*pc = NULL;
	if (!c)
		return;
	redis_conn_free(c->rc);
	while (!list_empty(&c->commands)) {
		struct command *k = list_entry(c->commands.next, struct command, link);

		list_del(&k->link);
		c->r->waiting--;
		command_end(k, NULL);
	}
	free(c);
}

static struct conn *conn_new(struct redis *r, const char *address)
{
	static const struct redis_conn_ops ops = { on_conn_reply, on_conn_broken };
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->r = r;
	list_init(&c->commands);
	c->rc = redis_conn_new(r->loop, address, r->ctx, r->tls.server_name, &ops, c);
	if (c->rc)
		return c;
	free(c);
	return NULL;
}

/* ---- commands ---- */

static void command_end(struct command *k, const redisReply *reply)
{
	redis_fn fn = k->fn;
	void *arg = k->arg;

	free(k->text);
	free(k);
	if (fn)
		fn(arg, reply);
}

static int put(struct conn *c, struct command *k)
{
	if (!c || redis_conn_write(c->rc, k->text, k->l) < 0)
		return -ENOTCONN;
	list_add_tail(&c->commands, &k->link);
	if (k->r->waiting++ == 0)
		k->r->heard_ms = loop_now_ms(k->r->loop);
	return 0;
}

static int command(struct redis *r, struct conn *c, unsigned slot, unsigned argc, const struct str *argv, redis_fn fn, void *arg)
{
	struct command *k = calloc(1, sizeof(*k));
	const char *text[MAX_ARGS];
	size_t length[MAX_ARGS];
	char *out = NULL;
	long long l;
	int rc = -ENOMEM;

	for (unsigned i = 0; i < argc && i < MAX_ARGS; i++) {
		text[i] = argv[i].l ? argv[i].p : "";
		length[i] = argv[i].l;
	}
	l = k ? redisFormatCommandArgv(&out, (int)argc, text, length) : -1;
	if (l > 0)
		k->text = malloc((size_t)l);
	if (l > 0 && k->text) {
		memcpy(k->text, out, (size_t)l);
		k->l = (size_t)l;
		k->r = r;
		k->fn = fn;
		k->arg = arg;
		k->slot = slot;
		rc = put(c, k);
	}
	redisFreeCommand(out);
	if (rc < 0 && k) {
		free(k->text);
		free(k);
	}
	return rc;
}

static struct master *master_at(struct redis *r, const char *address)
{
	for (unsigned i = 0; i < r->n_masters; i++)
		if (strcmp(r->master[i].address, address) == 0)
			return &r->master[i];
	if (r->n_masters == REDIS_MAX_MASTERS)
		return NULL;
	snprintf(r->master[r->n_masters].address, sizeof(r->master[0].address), "%s", address);
	return &r->master[r->n_masters++];
}

static bool login(struct redis *r, struct conn *c);

static struct conn *conn_of(struct redis *r, struct master *m)
{
	if (m && !m->c) {
		m->c = conn_new(r, m->address);
		if (m->c && !login(r, m->c))
			conn_end(&m->c);
	}
	return m ? m->c : NULL;
}

/* "MOVED 3999 127.0.0.1:6381": there from now on; "ASK ...": there this time.  false: it is no such answer. */
static bool go_on_elsewhere(struct command *k, const redisReply *reply)
{
	static const struct str asking = STR("ASKING");
	struct redis *r = k->r;
	char word[8], address[72];
	struct conn *c;
	unsigned slot;

	if (reply->type != REDIS_REPLY_ERROR || sscanf(reply->str, "%7s %u %71s", word, &slot, address) != 3 || slot >= N_SLOTS ||
	    k->hops++ == MAX_HOPS)
		return false;
	if (strcmp(word, "MOVED") != 0 && strcmp(word, "ASK") != 0)
		return false;
	c = conn_of(r, master_at(r, address));
	if (!c)
		return false;
	for (unsigned i = 0; word[0] == 'M' && i < r->n_masters; i++)
		if (r->master[i].c == c)
			r->of_slot[slot] = (uint8_t)i;
	if (word[0] == 'A' && command(r, c, 0, 1, &asking, NULL, NULL) < 0)
		return false;
	return put(c, k) == 0;
}

static void on_reply(struct command *k, const redisReply *reply)
{
	struct redis *r = k->r;

	r->waiting--;
	r->heard_ms = loop_now_ms(r->loop);
	if (!go_on_elsewhere(k, reply))
		command_end(k, reply);
}

/* CRC16 of XMODEM. */
static uint16_t crc16(struct str s)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < s.l; i++) {
		crc = (uint16_t)(crc ^ (uint16_t)((uint8_t)s.p[i] << 8));
		for (int b = 0; b < 8; b++)
			crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
	}
	return crc;
}

unsigned redis_slot(struct str key)
{
	ssize_t open = str_chr(key, '{');
	ssize_t close = open < 0 ? -1 : str_chr(str_from(key, (size_t)open), '}');

	return crc16(close > 1 ? str_make(key.p + open + 1, (size_t)close - 1) : key) % N_SLOTS;
}

int redis_send(struct redis *r, struct str key, unsigned argc, const struct str *argv, redis_fn fn, void *arg)
{
	unsigned slot = r->cluster ? redis_slot(key) : 0;

	if (r->state != UP)
		return -ENOTCONN;
	return command(r, conn_of(r, &r->master[r->of_slot[slot]]), slot, argc, argv, fn, arg);
}

unsigned redis_masters(const struct redis *r)
{
	return r->n_masters;
}

int redis_send_to(struct redis *r, unsigned master, unsigned argc, const struct str *argv, redis_fn fn, void *arg)
{
	if (r->state != UP || master >= r->n_masters)
		return -ENOTCONN;
	return command(r, conn_of(r, &r->master[master]), 0, argc, argv, fn, arg);
}

/* ---- being down ---- */

static void close_all(struct redis *r)
{
	r->state = DOWN;		/* first: whom the end is told to cannot send */
	conn_end(&r->asked);
	conn_end(&r->feed);
	for (unsigned i = 0; i < r->n_masters; i++)
		conn_end(&r->master[i].c);
	r->n_masters = 0;
	memset(r->of_slot, 0, sizeof(r->of_slot));
	timer_stop(&r->watch);
}

static void go_down(struct redis *r, const char *why)
{
	char text[160];

	snprintf(text, sizeof(text), "%s", why);		/* it may be a context's that goes now */
	close_all(r);
	r->next++;			/* the next server, the next Sentinel */
	timer_start(loop_wheel(r->loop), &r->again, r->again_ms + rand_below(r->again_ms));
	r->again_ms = r->again_ms * 2 < AGAIN_MAX_MS ? r->again_ms * 2 : AGAIN_MAX_MS;
	r->ops->down(r->u, text);
}

static void refused(struct redis *r, const char *what, const redisReply *reply)
{
	char why[160];

	if (!reply)
		return;			/* it goes down by itself */
	snprintf(why, sizeof(why), "%s: %s", what, reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is none");
	go_down(r, why);
}

void redis_failed(struct redis *r, const char *why)
{
	if (r->state != DOWN)
		go_down(r, why);
}

void redis_good(struct redis *r)
{
	r->again_ms = AGAIN_MIN_MS;
}

/* ---- getting up ---- */

static void on_login(void *arg, const redisReply *reply)
{
	struct redis *r = arg;

	if (reply && reply->type == REDIS_REPLY_ERROR)
		refused(r, "authentication", reply);
}

static bool login(struct redis *r, struct conn *c)
{
	const struct str auth[3] = { STR("AUTH"), str_from_c(r->username ? r->username : r->password), str_from_c(r->password) };
	char number[16];
	struct str db[2] = { STR("SELECT"), STR_NONE };

	if (r->password && command(r, c, 0, r->username ? 3 : 2, auth, on_login, r) < 0)
		return false;
	snprintf(number, sizeof(number), "%u", r->database);
	db[1] = str_from_c(number);
	return r->database == 0 || command(r, c, 0, 2, db, on_login, r) == 0;
}

static void on_feed(struct redis *r, const redisReply *m)
{
	if (m->type != REDIS_REPLY_ARRAY || m->elements != 3 || m->element[0]->type != REDIS_REPLY_STRING) {
		refused(r, "SUBSCRIBE", m);
		return;
	}
	if (strcmp(m->element[0]->str, "subscribe") == 0 && r->state == SUBSCRIBING) {
		r->state = UP;
		r->fed_ms = loop_now_ms(r->loop);
		r->ops->up(r->u);
	} else if (m->element[2]->type == REDIS_REPLY_STRING && strcmp(m->element[2]->str, r->beat) == 0) {
		r->fed_ms = loop_now_ms(r->loop);
	} else if (m->element[2]->type == REDIS_REPLY_STRING && strcmp(m->element[0]->str, "message") == 0 && r->state == UP) {
		r->ops->message(r->u, str_make(m->element[2]->str, (size_t)m->element[2]->len));
	}
}

static void subscribe(struct redis *r)
{
	char *text = NULL;
	int l = redisFormatCommand(&text, "SUBSCRIBE %s", r->channel);
	bool good;

	r->state = SUBSCRIBING;
	r->feed = conn_new(r, r->master[0].address);
	good = r->feed && login(r, r->feed) && l > 0 && redis_conn_write(r->feed->rc, text, (size_t)l) == 0;
	redisFreeCommand(text);
	if (!good)
		go_down(r, "no connection for the feed");
}

/* [first, last, [address, port, id, ...], replicas ...] ... */
static void on_slots(void *arg, const redisReply *reply)
{
	struct redis *r = arg;

	if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
		refused(r, "CLUSTER SLOTS", reply);
		return;
	}
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *e = reply->element[i], *at;
		struct master *m;
		char address[72];

		if (e->type != REDIS_REPLY_ARRAY || e->elements < 3 || e->element[2]->type != REDIS_REPLY_ARRAY || e->element[2]->elements < 2)
			continue;
		at = e->element[2];
		snprintf(address, sizeof(address), "%s:%lld", at->element[0]->str && *at->element[0]->str ? at->element[0]->str : "127.0.0.1",
			 at->element[1]->integer);
		m = master_at(r, address);
		for (long long s = e->element[0]->integer; m && s >= 0 && s <= e->element[1]->integer && s < N_SLOTS; s++)
			r->of_slot[s] = (uint8_t)(m - r->master);
	}
	subscribe(r);
}

/* A replica refuses writes: one that Sentinel has not yet made a master is none. */
static void on_role(void *arg, const redisReply *reply)
{
	static const struct str slots[] = { STR("CLUSTER"), STR("SLOTS") };
	struct redis *r = arg;

	if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 || !reply->element[0]->str) {
		refused(r, "ROLE", reply);
		return;
	}
	if (!r->cluster && strcmp(reply->element[0]->str, "master") != 0)
		go_down(r, "that server is a replica");
	else if (!r->cluster)
		subscribe(r);
	else if (command(r, r->master[0].c, 0, 2, slots, on_slots, r) < 0)
		go_down(r, "the connection was closed");
}

static void connect_to(struct redis *r, const char *address)
{
	static const struct str role[] = { STR("ROLE") };
	struct conn *c;

	r->state = CONNECTING;
	c = conn_of(r, master_at(r, address));
	if (!c || command(r, c, 0, 1, role, on_role, r) < 0)
		go_down(r, "no connection");
}

static void on_master(void *arg, const redisReply *reply)
{
	struct redis *r = arg;
	char address[72];

	if (!reply)
		return;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !reply->element[0]->str || !reply->element[1]->str) {
		refused(r, "Sentinel knows no such master", reply);
		return;
	}
	snprintf(address, sizeof(address), strchr(reply->element[0]->str, ':') ? "[%s]:%s" : "%s:%s", reply->element[0]->str,
		 reply->element[1]->str);
	conn_end(&r->asked);
	connect_to(r, address);
}

static void ask_sentinel(struct redis *r)
{
	const struct str ask[] = { STR("SENTINEL"), STR("get-master-addr-by-name"), str_from_c(r->name) };

	r->state = ASKING_SENTINEL;
	r->asked = conn_new(r, r->sentinel[r->next % r->n_sentinels]);
	if (!r->asked || command(r, r->asked, 0, 3, ask, on_master, r) < 0)
		go_down(r, "no connection to a Sentinel");
}

/* Anew each time: certificates run out, and others take their place under the same names. */
static bool read_certificates(struct redis *r)
{
	const struct tls_files files = { r->tls.cert_file, r->tls.key_file, r->tls.ca_file, true };
	char why[TLS_FILES_ERROR_BYTES];

	SSL_CTX_free(r->ctx);
	r->ctx = tls_files_context(&files, false, why);
	if (!r->ctx)
		go_down(r, why);
	return r->ctx != NULL;
}

static void begin(struct timer *t)
{
	struct redis *r = container_of(t, struct redis, again);

	r->heard_ms = r->fed_ms = loop_now_ms(r->loop);
	if (r->has_tls && !read_certificates(r))
		return;
	timer_start(loop_wheel(r->loop), &r->watch, r->timeout_ms / 2);
	if (r->n_sentinels)
		ask_sentinel(r);
	else
		connect_to(r, r->server[r->next % r->n_servers]);
}

/* Silence is an end, too.  A beat of our own over the feed shows that both of its ways are good; it is also what keeps an idle
 * connection looked at. */
static void on_watch(struct timer *t)
{
	struct redis *r = container_of(t, struct redis, watch);
	const struct str publish[] = { STR("PUBLISH"), str_from_c(r->channel), str_from_c(r->beat) };
	uint64_t now = loop_now_ms(r->loop), heard = r->state == UP && r->fed_ms < r->heard_ms ? r->fed_ms : r->heard_ms;

	if (now > heard + r->timeout_ms && (r->waiting || r->state != DOWN)) {
		go_down(r, "it does not answer");
		return;
	}
	timer_start(loop_wheel(r->loop), t, r->timeout_ms / 4);
	if (r->state == UP && command(r, r->master[0].c, 0, 3, publish, NULL, NULL) < 0)
		go_down(r, "the connection was closed");
}

void redis_start(struct redis *r)
{
	timer_start(loop_wheel(r->loop), &r->again, 0);
}

/* ---- life ---- */

static char *dup_text(const char *c, bool *failed)
{
	char *d = c && *c ? strdup(c) : NULL;

	*failed = *failed || (c && *c && !d);
	return d;
}

static char **dup_all(const char *const *v, unsigned n, bool *failed)
{
	char **d = n ? calloc(n, sizeof(*d)) : NULL;

	*failed = *failed || (n && !d);
	for (unsigned i = 0; d && i < n; i++)
		d[i] = dup_text(v[i], failed);
	return d;
}

int redis_new(struct redis **ret, struct loop *l, const struct store_redis_config *c, struct str channel, const struct redis_ops *ops, void *u)
{
	struct redis *r = calloc(1, sizeof(*r));
	bool failed = !r;

	if (!r)
		return -ENOMEM;
	r->loop = l;
	r->ops = ops;
	r->u = u;
	r->n_servers = c->n_servers;
	r->n_sentinels = c->n_sentinels;
	r->server = dup_all(c->server, c->n_servers, &failed);
	r->sentinel = dup_all(c->sentinel, c->n_sentinels, &failed);
	r->name = dup_text(c->master, &failed);
	r->username = dup_text(c->username, &failed);
	r->password = dup_text(c->password, &failed);
	r->has_tls = c->tls != NULL;
	if (c->tls) {
		r->tls.ca_file = dup_text(c->tls->ca_file, &failed);
		r->tls.cert_file = dup_text(c->tls->cert_file, &failed);
		r->tls.key_file = dup_text(c->tls->key_file, &failed);
		r->tls.server_name = dup_text(c->tls->server_name, &failed);
	}
	r->channel = str_dup(channel);
	r->database = c->database;
	r->cluster = c->cluster;
	r->timeout_ms = c->timeout_ms;
	r->again_ms = AGAIN_MIN_MS;
	snprintf(r->beat, sizeof(r->beat), "beat %016" PRIx64, rand_u64());
	timer_init(&r->again, begin);
	timer_init(&r->watch, on_watch);
	if (failed || !r->channel) {
		redis_free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

void redis_free(struct redis *r)
{
	if (!r)
		return;
	close_all(r);
	timer_stop(&r->again);
	for (unsigned i = 0; r->server && i < r->n_servers; i++)
		free(r->server[i]);
	for (unsigned i = 0; r->sentinel && i < r->n_sentinels; i++)
		free(r->sentinel[i]);
	if (r->password)
		explicit_bzero(r->password, strlen(r->password));
	free(r->server);
	free(r->sentinel);
	free(r->name);
	free(r->username);
	free(r->password);
	free(r->channel);
	free(r->tls.ca_file);
	free(r->tls.cert_file);
	free(r->tls.key_file);
	free(r->tls.server_name);
	SSL_CTX_free(r->ctx);
	free(r);
}
