/* common/diameter/redirect.h - who is redirected where: RFC 6733 §6.12 to §6.14, §6.1.8; TS 29.228 §5.2 (Dx: a SLF names the HSS of a user).
 *
 * A cache belongs to one client, and so to one worker.  It goes by user, whatever Redirect-Host-Usage allows on top of that: a SLF that
 * names the HSS of one user has said nothing about others. */
#pragma once
#include "common/diameter/tables.h"
#include "common/util/hash.h"
#include "common/util/list.h"

extern const struct dia_row dia_redirect_rows[];
/* The user that a request is about, borrowed from it; empty: not a request that is redirected. */
struct str redirect_identity(enum dia_command_id cmd, const void *req);
/* The host of "aaa://host:port;transport=tcp"; empty: it is none. */
struct str redirect_host(struct str uri);

struct redirect_cache {
	struct htab by_identity;
	struct list by_age;		/* oldest first */
	uint32_t n, max, max_s;
};
int redirect_cache_init(struct redirect_cache *c, uint32_t max, uint32_t max_s);	/* max 0: remembers nothing.  0, -ENOMEM */
void redirect_cache_fini(struct redirect_cache *c);
/* As r says, no longer than max_s; when it is full the oldest goes.  Out of memory: it is not remembered. */
void redirect_cache_put(struct redirect_cache *c, struct str identity, struct str host, const struct dia_redirect *r, uint64_t now_ms);
struct str redirect_cache_find(struct redirect_cache *c, struct str identity, uint64_t now_ms);	/* until the next call; empty: none */
void redirect_cache_forget(struct redirect_cache *c, uint64_t hash);		/* hash_str() of the identity */
