/* pcscf/binding.h - phones that are registered through us: TS 24.229 §5.2.2, rows P7, P13.
 *
 * The worker of a private identity owns its bindings: only it writes (200 to REGISTER, expiry, REST).  What others read is a
 * struct binding: immutable, counted, found in the directory by flow, address, identity or the id in our tokens. */
#pragma once
#include "common/daemon/stack.h"
#include "common/util/arena.h"
#include "common/util/obj.h"

#define BINDING_MAX_IDENTITIES 64u	/* of P-Associated-URI; more are not taken */
#define BINDING_MAX_PER_IMPI 16u	/* phones of one private identity; the one longest without a REGISTER goes */
#define BINDING_MAX_ROUTES 8u		/* of Service-Route; more: the 200 is not believed */

struct binding_identity {
	struct str value;		/* "\"Alice\" <sip:alice@ims...>": into P-Asserted-Identity as it stands */
	struct str aor;			/* canonical (sip_uri_aor) */
};

enum binding_auth { BINDING_AUTH_NONE, BINDING_AUTH_DIGEST, BINDING_AUTH_AKA };

/* What a phone has going on, whatever registers it anew: shared by its bindings. */
struct phone_load {
	struct obj o;
	_Atomic(uint32_t) early;	/* calls it has begun and nobody has answered for a while */
};

struct sa_set;
struct binding {
	struct obj o;
	struct arena *arena;		/* all texts */
	uint64_t id;			/* random, in our tokens; keeps over re-registrations */
	struct str key;			/* private identity and instance or contact: what one phone is told from another by */
	struct str impi;
	struct str contact;		/* URI */
	struct str contact_aor;		/* "user@host:port" of it, to find the sender of other requests */
	struct addr contact_addr;	/* when its host is a literal; else unset */
	struct str user_agent;
	struct str access;		/* P-Access-Network-Info of the REGISTER; empty: none */
	struct sip_flow flow;		/* what the REGISTER came on */
	bool flow_closed;		/* it was a connection, which is gone */
	bool outbound;			/* RFC 5626: reached by this flow or not at all */
	enum sip_proto contact_proto;	/* what the contact asks for: ;transport=, else UDP */
	struct sa_set *sa;		/* the associations it came on: a reference; NULL: in clear */
	enum binding_auth auth;		/* how that REGISTER was authenticated */
	unsigned n_identities;
	struct binding_identity *identity;	/* [0] is the default one */
	unsigned n_routes;
	struct str route[BINDING_MAX_ROUTES];	/* Service-Route */
	uint64_t registered_wall_us, expires_wall_us;
	struct phone_load *load;	/* a reference */
};

#define BINDING_KEY_SOS "|sos"		/* how the key of an emergency registration ends */
bool binding_is_emergency(const struct binding *b);
struct binding *binding_new(size_t hint_bytes);			/* one reference; NULL when out of memory */
/* Calls of its own that hang unanswered; any thread. */
uint32_t binding_early(const struct binding *b);
void binding_early_add(struct binding *b);
void binding_early_give(struct binding *b);
/* -ENOSPC, -ENOMEM, -ENOTSUP (no address of record).  value: as in P-Associated-URI. */
int binding_add_identity(struct binding *b, struct str value);
const struct binding_identity *binding_identity_find(const struct binding *b, const struct sip_uri *uri);	/* or NULL */
/* "user@host:port" of a contact URI, lower-case host; the port is always there. */
struct str binding_contact_aor(struct arena *a, const struct sip_uri *uri);

/* ---- directory.c: published bindings, any thread ---- */
struct phone_directory;
struct phone_directory *phone_directory_new(void);
void phone_directory_free(struct phone_directory *d);
int phone_directory_put(struct phone_directory *d, struct binding *b, struct binding *old);	/* old: what it replaces, or NULL */
void phone_directory_del(struct phone_directory *d, struct binding *b);
/* A reference, or NULL. */
struct binding *phone_by_id(struct phone_directory *d, uint64_t id);
struct binding *phone_by_key(struct phone_directory *d, struct str key);
struct binding *phone_by_flow(struct phone_directory *d, const struct sip_flow *f);	/* the last one registered on it */
struct binding *phone_by_flow_aor(struct phone_directory *d, const struct sip_flow *f, struct str aor);
struct binding *phone_by_host_aor(struct phone_directory *d, const struct sip_flow *f, struct str aor);
struct binding *phone_by_host_contact(struct phone_directory *d, const struct sip_flow *f, struct str contact_aor);

/* ---- binding.c: what a worker owns ---- */
struct bindings;
struct bindings *bindings_new(struct wheel *w, struct phone_directory *d);
/* Called with each binding that ends: expired, de-registered, replaced by others. */
void bindings_on_end(struct bindings *bs, void (*fn)(void *arg, const struct binding *b, const char *why), void *arg);
void bindings_free(struct bindings *bs);
size_t bindings_count(const struct bindings *bs);
/* Takes b over and publishes it until expires_s have gone.  0 or -ENOMEM. */
int bindings_put(struct bindings *bs, struct binding *b, uint32_t expires_s);
/* What they are from now on is kept in the store.  NULL: it is not. */
void bindings_store(struct bindings *bs, struct store_port *port);
/* Takes over one that was kept, which ends in left_ms.  0 or -ENOMEM. */
int bindings_restore(struct bindings *bs, struct binding *b, uint64_t left_ms);
/* The connection `flow` of the binding with that key is gone: published anew without it. */
void bindings_flow_closed(struct bindings *bs, struct str key, const struct sip_flow *flow);
/* The binding with that key keeps those of its identities for which keep[i] holds, and gets `more` (URIs); published anew.  Other copies of
 * it stay as they are; one of `more` that has no address of record is passed over.  0; -ENOENT; -ENOMEM: nothing is changed. */
int bindings_identities(struct bindings *bs, struct str key, const bool *keep, const struct str *more, unsigned n_more);
bool bindings_del(struct bindings *bs, struct str key, const char *why);		/* false: there was none */
unsigned bindings_of_impi(struct bindings *bs, struct str impi);	/* how many phones */
/* Every phone of that private identity; fn returns false to stop. */
void bindings_each_of_impi(struct bindings *bs, struct str impi, bool (*fn)(void *arg, const struct binding *b), void *arg);
/* It ends in left_s, unless it registers again. */
void bindings_shorten(struct bindings *bs, struct str key, uint32_t left_s);
/* Contact: *.  An emergency registration stands until it expires (TS 24.229 §5.1.6.6). */
unsigned bindings_del_impi(struct bindings *bs, struct str impi, const char *why);
/* In order of age, those above *after; fn returns false to stop.  *after is moved on. */
void bindings_each(struct bindings *bs, uint64_t *after, bool (*fn)(void *arg, const struct binding *b), void *arg);
