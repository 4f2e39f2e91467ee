/* pcscf/directory.c - published bindings, for every worker: one map, keys of several kinds.
 *
 *	i ID			the id in our Path and Record-Route tokens
 *	k KEY			private identity and instance: a re-registration finds its predecessor
 *	f FLOW			who sends from here: the last one registered on it
 *	g FLOW|AOR		several users on one socket (gateways, test tools)
 *	h HOST|AOR		a phone that sends from another port than it registered from
 *	c HOST|CONTACT		the same, by its contact
 *
 * A key that a later phone took over stays with that one when the earlier one goes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/cmap.h"
#include "pcscf/binding.h"

#define KEY_MAX 1024

struct phone_directory {
	struct cmap *map;
};

struct phone_directory *phone_directory_new(void)
{
	struct phone_directory *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->map = cmap_new();
	if (!d->map) {
		free(d);
		return NULL;
	}
	return d;
}

void phone_directory_free(struct phone_directory *d)
{
	if (!d)
		return;
	cmap_free(d->map);
	free(d);
}

/* ---- keys ---- */

struct key {
	char text[KEY_MAX];
	struct str s;			/* empty: too long, found by nobody */
};

static struct str key_make(struct key *k, char kind, struct str a, struct str b)
{
	size_t n = 0;

	k->s = STR_NONE;
	if (a.l + b.l + 2 > sizeof(k->text))
		return k->s;
	k->text[n++] = kind;
	if (a.l)
		memcpy(k->text + n, a.p, a.l);
	n += a.l;
	k->text[n++] = '|';
	if (b.l)
		memcpy(k->text + n, b.p, b.l);
	n += b.l;
	k->s = str_make(k->text, n);
	return k->s;
}

static struct str key_id(struct key *k, const uint64_t *id)
{
	return key_make(k, 'i', str_make((const char *)id, sizeof(*id)), STR_NONE);
}

static struct str key_flow(struct key *k, char kind, const struct sip_flow *f, struct str aor)
{
	char text[SIP_FLOW_STRLEN];

	return key_make(k, kind, str_from_c(sip_flow_fmt(f, text)), aor);
}

static struct str key_host(struct key *k, char kind, const struct sip_flow *f, struct str what)
{
	char text[ADDR_STRLEN];

	return key_make(k, kind, str_from_c(addr_host(&f->remote, text)), what);
}

/* Calls fn with every key of b; stops when it fails. */
static int each_key(const struct binding *b, int (*fn)(struct phone_directory *d, struct str key, struct binding *b),
		    struct phone_directory *d, struct binding *arg)
{
	struct key k;
	int rc = fn(d, key_id(&k, &b->id), arg);

	if (rc == 0)
		rc = fn(d, key_make(&k, 'k', b->key, STR_NONE), arg);
	if (rc == 0)
		rc = fn(d, key_flow(&k, 'f', &b->flow, STR_NONE), arg);
	if (rc == 0)
		rc = fn(d, key_host(&k, 'c', &b->flow, b->contact_aor), arg);
	for (unsigned i = 0; rc == 0 && i < b->n_identities; i++) {
		rc = fn(d, key_flow(&k, 'g', &b->flow, b->identity[i].aor), arg);
		if (rc == 0)
			rc = fn(d, key_host(&k, 'h', &b->flow, b->identity[i].aor), arg);
	}
	return rc;
}

static int put_one(struct phone_directory *d, struct str key, struct binding *b)
{
	return key.l ? cmap_put(d->map, key, b) : 0;
}

static int del_one(struct phone_directory *d, struct str key, struct binding *b)
{
	if (key.l)
		cmap_del_if(d->map, key, b);
	return 0;
}

int phone_directory_put(struct phone_directory *d, struct binding *b, struct binding *old)
{
	int rc = each_key(b, put_one, d, b);

	if (rc < 0) {
		phone_directory_del(d, b);
		if (old)
			each_key(old, put_one, d, old);		/* as it was, as far as memory goes */
		return rc;
	}
	if (old)
		phone_directory_del(d, old);
	return 0;
}

void phone_directory_del(struct phone_directory *d, struct binding *b)
{
	each_key(b, del_one, d, b);
}

/* ---- looking up ---- */

struct binding *phone_by_id(struct phone_directory *d, uint64_t id)
{
	struct key k;

	return cmap_get(d->map, key_id(&k, &id));
}

struct binding *phone_by_key(struct phone_directory *d, struct str key)
{
	struct key k;

	key_make(&k, 'k', key, STR_NONE);
	return k.s.l ? cmap_get(d->map, k.s) : NULL;
}

/* A stream's port may have gone to somebody else meanwhile: the connection decides. */
static struct binding *same_flow(struct binding *b, const struct sip_flow *f)
{
	if (b && sip_proto_is_reliable(f->proto) && !sip_flow_eq(&b->flow, f)) {
		obj_unref(b);
		return NULL;
	}
	return b;
}

struct binding *phone_by_flow(struct phone_directory *d, const struct sip_flow *f)
{
	struct key k;

	return same_flow(cmap_get(d->map, key_flow(&k, 'f', f, STR_NONE)), f);
}

struct binding *phone_by_flow_aor(struct phone_directory *d, const struct sip_flow *f, struct str aor)
{
	struct key k;

	key_flow(&k, 'g', f, aor);
	return k.s.l ? same_flow(cmap_get(d->map, k.s), f) : NULL;
}

struct binding *phone_by_host_aor(struct phone_directory *d, const struct sip_flow *f, struct str aor)
{
	struct key k;

	key_host(&k, 'h', f, aor);
	return k.s.l ? cmap_get(d->map, k.s) : NULL;
}

struct binding *phone_by_host_contact(struct phone_directory *d, const struct sip_flow *f, struct str contact_aor)
{
	struct key k;

	key_host(&k, 'c', f, contact_aor);
	return k.s.l ? cmap_get(d->map, k.s) : NULL;
}
