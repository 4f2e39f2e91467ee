/* tests/hss/subscribers.h - who the lab HSS knows: a table by private and by public identity, read from YAML or REST.
 *
 * A subscriber is one private identity with one implicit registration set: registration state, S-CSCF name and SQN belong to
 * all of its public identities together.  Another set of the same private identity (TS 23.228 §4.3.3.4) is a struct sub of
 * its own with `set` 2 and more: own identities, services and state; keys and SQN are the first one's.  A public identity
 * belongs to one subscriber; a wildcarded one stands for all that fit and are nobody's own.  One heap block per subscriber,
 * so that 100,000 of them are cheap. */
#pragma once
#include "common/sip/auth.h"
#include "common/util/addr.h"
#include "common/util/bytes.h"
#include "common/util/hash.h"

#define SUB_MAX_IMPUS 32u
#define SUB_MAX_LIST 32u		/* entries of any other list */
#define SUBS_MAX 1000000u
#define SUB_MAX_SETS 8u

enum sub_state { SUB_NOT_REGISTERED, SUB_REGISTERED, SUB_UNREGISTERED };	/* TS 29.228 §6.1; TS 23.228 §4.3 */

struct sub;
struct sub_impu {
	struct hnode node;		/* subs.by_impu, or subs.wild */
	struct sub *sub;
	const char *uri, *aor;		/* as provisioned; canonical (sip_uri_aor) */
	uint8_t alias_group;		/* 0: alone */
	bool barred, wild;		/* wild: uri is a wildcarded identity, aor the same text */
};

struct sub_caps {			/* Server-Capabilities for the I-CSCF's choice */
	uint32_t mandatory[SUB_MAX_LIST], optional[SUB_MAX_LIST];
	unsigned n_mandatory, n_optional, n_names;
	const char *names[SUB_MAX_LIST];
};

/* What changes while the HSS runs and survives it (state.h). */
struct sub_dyn {
	uint64_t sqn;			/* the last one used, 48 bits */
	enum sub_state state;
	bool auth_pending;		/* a challenge is out: the S-CSCF name is known, the state not yet changed */
	const char *server_name;	/* interned; NULL: none assigned */
	const char *server_host;	/* its Diameter identity, learned from Origin-Host; interned; NULL */
};

/* SCSCF-Restoration-Info of the S-CSCF, as it came; not kept over a restart of the HSS.  One block. */
struct sub_restoration {
	unsigned n;
	struct { const char *path, *contact, *call_id; uint32_t cseq; } v[8];
};

struct sub_counters {
	uint32_t uar, lir, mar, sar, vectors, resyncs;
};

struct sub {
	struct hnode node;		/* subs.by_impi */
	uint64_t id;			/* rises; the cursor of REST */
	struct sub_dyn d;
	struct sub_counters n;
	struct sub_restoration *restoration;	/* malloc'd; NULL: none */
	const char *name;		/* in subs.by_impi and in the store: impi, of another set with "#2" and so on */
	const char *impi, *display_name, *password, *digest_realm, *ifc, *server_name;	/* all but impi may be NULL */
	const char **visited;		/* networks that it may roam to; NULL: any */
	struct sub_caps *caps;		/* NULL: none */
	struct sub_impu *impu;
	unsigned n_impus, n_visited;
	uint8_t k[16], opc[16], amf[2];
	enum auth_algorithm digest;
	bool aka;			/* has K and OPc */
	bool unregistered_services;	/* calls to it are served while it is not registered */
	bool may_register;
	bool psi;			/* its identities are public service identities: TS 23.003 §13.5 */
	struct addr giba;		/* where its phone may register from without a secret; not set: nowhere */
	uint8_t set;			/* 1: the first, with the keys */
	bool by_rest;			/* stays when the file is read again */
};

struct subs {
	struct htab by_impi, by_impu, wild, names;
	struct sub **v;			/* by id */
	size_t n, cap;
	uint64_t last_id;
	char domain[256];
};

int subs_new(struct subs **ret, struct str domain);		/* 0 or -ENOMEM */
void subs_free(struct subs *s);
struct sub *subs_by_impi(const struct subs *s, struct str impi);		/* sub.name */
struct sub *subs_set(const struct subs *s, const char *impi, unsigned set);	/* from 1; NULL: there is none */
/* Any spelling; one that is nobody's own by the wildcarded identity that it fits; a wildcarded one by its text. */
struct sub *subs_by_impu(const struct subs *s, struct str impu, const struct sub_impu **ret_impu);
/* First index of v[] whose id is above `id`. */
size_t subs_after(const struct subs *s, uint64_t id);
void subs_del(struct subs *s, struct sub *b);
/* The file is read again: what came by REST moves from `old` to the fresh table, but for what the file has now too. */
void subs_adopt(struct subs *s, struct subs *old);
const char *subs_intern(struct subs *s, struct str text);	/* NULL when out of memory */

/* ---- making them ---- */

enum sub_field {
	F_IMSI, F_MSISDN, F_IMPI, F_K, F_OPC, F_OP, F_AMF, F_SQN, F_PASSWORD, F_DIGEST_ALGORITHM, F_REALM, F_DISPLAY_NAME,
	F_IMPU, F_BARRED, F_IFC, F_VISITED, F_SERVER_NAME, F_SERVER_NAMES, F_MANDATORY, F_OPTIONAL, F_UNREGISTERED, F_MAY_REGISTER,
	F_PSI, F_SET, F_GIBA_ADDRESS,
	F_COUNT, F_FIRST_IMSI, F_FIRST_MSISDN,
	N_SUB_FIELDS
};
struct sub_field_def {
	const char *yaml, *json;
	bool list, template_only, not_template;		/* template: `generate` */
};
extern const struct sub_field_def sub_fields[N_SUB_FIELDS];

struct sub_value {
	unsigned n;			/* 0: not given */
	struct str v[SUB_MAX_LIST];	/* borrowed */
	unsigned line, col;		/* from 1, where it stands in a file */
};
struct sub_spec {
	struct sub_value f[N_SUB_FIELDS];
	unsigned line, col;
};
/* Says what is wrong: field N_SUB_FIELDS is the whole entry. */
typedef void (*sub_mistake_fn)(void *arg, const struct sub_spec *s, enum sub_field f, const char *text);

/* 0 and *ret (in the table); -EINVAL with every mistake told; -EEXIST told as well; -ENOSPC, -ENOMEM. */
int subs_add(struct subs *s, const struct sub_spec *spec, sub_mistake_fn fn, void *arg, struct sub **ret);
/* spec of a `generate` entry: makes all of them. */
int subs_generate(struct subs *s, struct sub_spec *spec, sub_mistake_fn fn, void *arg);
/* Reads a YAML file; one "file:line:column: message" per mistake into errors.  0, -EINVAL. */
int subs_read_file(struct subs *s, const char *file, struct buf *errors);
int subs_read_text(struct subs *s, struct str text, const char *name, struct buf *errors);

/* ---- wildcard.c: wildcarded identities, "sip:+4930555!.*!@home": TS 23.003 §13.4A, §13.5 ---- */

bool sub_wild_is(struct str uri);				/* two exclamation marks */
bool sub_wild_can(struct str wild);				/* its expression (POSIX ERE) compiles, its scheme is sip or tel */
bool sub_wild_fits(struct str wild, struct str aor);		/* aor: canonical */
