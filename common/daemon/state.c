/* common/daemon/state.c - state.*: where what outlives the process is kept, and whether other instances have it too. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/rand.h"

#define MAX_SERVERS 16

int stack_load_key(struct stack *s)
{
	const char *dir = cfg_cstr(cfg_root(s->config), "state.dir"), *file = cfg_cstr(cfg_root(s->config), "state.token_key_file");
	char path[4096];
	int rc;

	if (!file && (!dir || !*dir)) {
		rand_bytes(s->token_key.k, sizeof(s->token_key.k));
		return 0;
	}
	if (dir && *dir && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s%s", file ? file : dir, file ? "" : "/" TOKEN_KEY_FILE);
	rc = token_key_load(&s->token_key, path);
	if (rc < 0)
		log_error(LOG_CORE, "the routing-token key cannot be read or made", LOG_C("file", path),
			  LOG_C("error", strerror(-rc)));
	return rc;
}

/* ---- the store ---- */

struct redis_text {
	const char *server[MAX_SERVERS], *sentinel[MAX_SERVERS];
	char instance[80], space[400];
	struct store_redis_tls tls;
};

static unsigned read_list(const struct cfg_node *r, const char *path, const char *v[MAX_SERVERS])
{
	unsigned n = 0;

	for (; n < MAX_SERVERS && n < cfg_list_len(r, path); n++)
		v[n] = cfg_strs_at(r, path, n).p;
	return n;
}

static void read_redis(const struct stack *s, struct redis_text *t, struct store_redis_config *c)
{
	const struct cfg_node *r = cfg_root(s->config);
	const char *instance = cfg_cstr(r, "state.redis.instance");
	char address[ADDR_STRLEN];

	snprintf(t->instance, sizeof(t->instance), "%s", instance ? instance : addr_fmt(&s->listener[0].a, address));
	snprintf(t->space, sizeof(t->space), "%s:%.*s", s->daemon->name, STR_ARG(cfg_home_domain(s->config)));
	*c = (struct store_redis_config){
		.server = t->server, .n_servers = read_list(r, "state.redis.servers", t->server),
		.sentinel = t->sentinel, .n_sentinels = read_list(r, "state.redis.sentinels", t->sentinel),
		.master = cfg_cstr(r, "state.redis.master"), .username = cfg_cstr(r, "state.redis.username"),
		.password = cfg_cstr(r, "state.redis.password"), .database = (unsigned)cfg_int(r, "state.redis.database"),
		.cluster = cfg_bool(r, "state.redis.cluster"), .timeout_ms = (uint32_t)cfg_int(r, "state.redis.timeout_ms"),
		.instance = t->instance, .space = t->space,
	};
	t->tls = (struct store_redis_tls){ cfg_cstr(r, "state.redis.tls.ca_file"), cfg_cstr(r, "state.redis.tls.cert_file"),
					   cfg_cstr(r, "state.redis.tls.key_file"), cfg_cstr(r, "state.redis.tls.server_name") };
	if (t->tls.ca_file)
		c->tls = &t->tls;
}

int stack_open_store(struct stack *s)
{
	const struct cfg_node *r = cfg_root(s->config);
	struct store_config c = {
		.dir = cfg_cstr(r, "state.dir"),
		.max_bytes = (uint64_t)cfg_int(r, "state.max_bytes"),
		.max_pending_bytes = (uint64_t)cfg_int(r, "state.max_pending_bytes"),
		.journal_bytes = (uint32_t)cfg_int(r, "state.journal_bytes"),
		.commit_ms = (uint32_t)cfg_int(r, "state.commit_ms"),
	};
	struct store_redis_config redis;
	struct redis_text text;

	if (!s->ops->restore || !c.dir || !*c.dir || str_eq_c(cfg_str(r, "state.backend"), "none"))
		return 0;
	if (str_eq_c(cfg_str(r, "state.backend"), "redis")) {
		read_redis(s, &text, &redis);
		c.redis = &redis;
	}
	return store_open(&s->store, &c, s->n_workers);
}

void stack_check_state(const struct cfg *c, struct buf *errors)
{
	const struct cfg_node *r = cfg_root(c);
	bool shared = str_eq_c(cfg_str(r, "state.backend"), "redis");

	if (shared && cfg_list_len(r, "state.redis.servers") == 0 && cfg_list_len(r, "state.redis.sentinels") == 0)
		cfg_error(r, "state.backend", errors, "state.backend redis needs state.redis.servers or state.redis.sentinels");
	if (shared && (!cfg_cstr(r, "state.dir") || !*cfg_cstr(r, "state.dir")))
		cfg_error(r, "state.backend", errors, "state.backend redis needs state.dir: what this instance wrote is kept there, too");
	if (!cfg_cstr(r, "state.redis.tls.ca_file") && (cfg_cstr(r, "state.redis.tls.cert_file") || cfg_cstr(r, "state.redis.tls.server_name")))
		cfg_error(r, cfg_cstr(r, "state.redis.tls.cert_file") ? "state.redis.tls.cert_file" : "state.redis.tls.server_name", errors,
			  "there is no TLS without state.redis.tls.ca_file");
	if (!cfg_cstr(r, "state.redis.tls.cert_file") != !cfg_cstr(r, "state.redis.tls.key_file"))
		cfg_error(r, cfg_cstr(r, "state.redis.tls.cert_file") ? "state.redis.tls.cert_file" : "state.redis.tls.key_file", errors,
			  "a certificate and its key go together");
	if (cfg_bool(r, "state.redis.cluster") && cfg_int(r, "state.redis.database") != 0)
		cfg_error(r, "state.redis.database", errors, "a Redis Cluster has database 0 only");
}
