/* common/store/shared_none.c - shared.c for a build without hiredis: state.backend redis is refused. */
#include <errno.h>
#include "common/log/log.h"
#include "common/store/private.h"

int shared_new(struct shared **ret, struct store *s, const struct store_redis_config *c, uint64_t max_pending_bytes)
{
	(void)ret;
	(void)s;
	(void)c;
	(void)max_pending_bytes;
	log_error(LOG_CONF, "state.backend redis: this build is without hiredis (configure --with-redis)");
	return -ENOTSUP;
}

void shared_start(struct shared *sh, const struct store_shared_ops *ops, void *u)
{
	(void)sh;
	(void)ops;
	(void)u;
}

void shared_change(struct shared *sh, const struct change *c)
{
	(void)sh;
	(void)c;
}

void shared_took(struct shared *sh, unsigned table, struct str key, uint64_t version)
{
	(void)sh;
	(void)table;
	(void)key;
	(void)version;
}

void shared_stop(struct shared *sh)
{
	(void)sh;
}

void shared_free(struct shared *sh)
{
	(void)sh;
}

int shared_fetch(struct shared *sh, unsigned table, struct str key, store_fetch_fn fn, void *arg)
{
	(void)sh;
	(void)table;
	(void)key;
	(void)fn;
	(void)arg;
	return -ENOTSUP;
}

bool shared_is_up(const struct shared *sh)
{
	(void)sh;
	return false;
}

bool shared_looked(const struct shared *sh)
{
	(void)sh;
	return true;
}

unsigned shared_waiting(const struct shared *sh)
{
	(void)sh;
	return 0;
}

void shared_why(struct shared *sh, struct buf *out)
{
	(void)sh;
	(void)out;
}
