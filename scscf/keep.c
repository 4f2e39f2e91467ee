/* scscf/keep.c - when a registration's record is written, and all of them back at the next start.  See keep.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "scscf/keep.h"
#include "scscf/subscription.h"

static METRIC_DEF(m_restored, "cscf_scscf_restored_total", METRIC_COUNTER, "Records taken up again at the start, and those that could not be.",
		  "table", "outcome");

/* ---- writing ---- */

static struct str registered_aor(const struct profile *p, uint32_t hash)
{
	for (unsigned i = 0; i < p->n_identities; i++)
		if ((uint32_t)hash_str(str_from_c(p->identity[i].aor)) == hash)
			return str_from_c(p->identity[i].aor);
	return STR_NONE;
}

static void put_contacts(const struct registration *g, struct keep_record *k, uint64_t now_ms, uint64_t store_ms, uint64_t *last)
{
	struct list *pos;

	list_for_each(pos, &g->bindings) {
		const struct binding *b = list_entry(pos, struct binding, link);
		struct keep_contact *c = &k->contact[k->n_contacts];

		if (k->n_contacts == REG_MAX_CONTACTS)
			break;
		k->n_contacts++;
		*c = (struct keep_contact){
			.uri = str_from_c(b->uri), .params = str_from_c(b->params), .instance = str_from_c(b->instance),
			.call_id = str_from_c(b->call_id), .display = str_from_c(binding_display(b)),
			.impu = registered_aor(g->profile, b->impu_hash), .cseq = b->cseq, .reg_id = b->reg_id, .q = b->q,
			.event = b->event, .gruu = b->gruu, .abroad = !b->home, .expires_ms = store_ms + (b->expires_ms > now_ms ? b->expires_ms - now_ms : 0),
		};
		for (; c->n_path < b->n_path && c->n_path < REG_MAX_PATH; c->n_path++)
			c->path[c->n_path] = str_from_c(b->path[c->n_path]);
		*last = c->expires_ms > *last ? c->expires_ms : *last;
	}
}

static void put_profile(const struct registration *g, struct store_port *port, struct keep_record *k)
{
	const struct profile *p = g->profile;

	k->profile_impi = str_from_c(p->impi);
	for (; k->n_identities < p->n_identities && k->n_identities < PROFILE_MAX_IDENTITIES; k->n_identities++) {
		const struct profile_identity *id = &p->identity[k->n_identities];

		k->identity[k->n_identities] = (struct keep_identity){
			.uri = str_from_c(id->uri), .aor = id->aor == id->uri ? STR_NONE : str_from_c(id->aor),
			.display = str_from_c(id->display), .alias_group = str_from_c(id->alias_group),
			.barred = id->barred, .type = id->type, .service = id->service,
		};
	}
	for (; k->n_services < p->n_services && k->n_services < PROFILE_MAX_SERVICES; k->n_services++) {
		struct criteria *c = p->criteria[k->n_services];

		k->criteria[k->n_services] = c ? str_make((const char *)c->digest, sizeof(c->digest)) : STR_NONE;
		/* Once for all users that share it.  Before the registration, so that a kill in between leaves no loose end. */
		if (c && !atomic_load(&c->kept) && store_put(port, STORE_CRITERIA, k->criteria[k->n_services], c->text, 0) == 0) {
			atomic_store(&c->kept, true);
			share_criteria(registration_scscf(g), k->criteria[k->n_services], c);
		}
	}
}

struct str keep_key(const struct registration *g, char room[KEEP_MAX_KEY])
{
	int n = snprintf(room, KEEP_MAX_KEY, g->set ? "%s %u" : "%s", g->impi, g->set);

	return str_make(room, n > 0 && (unsigned)n < KEEP_MAX_KEY ? (size_t)n : 0);
}

struct str keep_key_impi(struct str key, unsigned *ret_set)
{
	struct str impi, set;
	uint32_t n = 0;

	if (!str_cut(key, ' ', &impi, &set) || str_to_u32(set, &n) < 0 || n >= REG_MAX_SETS)
		n = 0;
	*ret_set = n;
	return impi;
}

void keep_registration(struct registration *g)
{
	struct store_port *port = g->r->sw->w->store;
	struct keep_record *k;
	char key[KEEP_MAX_KEY];
	uint64_t last = 0;
	struct buf b;

	if (!port || !g->profile || g->r->restoring)
		return;
	k = malloc(sizeof(*k));
	if (!k) {
		log_error(LOG_REG, "out of memory: a registration is not kept", LOG_C("impi", g->impi));
		return;
	}
	k->id = g->id;
	k->emergency = g->emergency;
	k->registered_wall_us = g->registered_wall_us;
	k->pcfa = str_from_c(g->pcfa);
	k->thirdparty_call_id = STR_NONE;
	k->thirdparty_cseq = 0;
	k->n_contacts = k->n_identities = k->n_services = 0;
	thirdparty_keep(g, k);
	put_contacts(g, k, registration_now_ms(g), store_now_ms(store_of(port)), &last);
	put_profile(g, port, k);
	buf_init(&b, KEEP_MAX_BYTES);
	keep_record_write(k, &b);
	if (b.failed || store_put(port, STORE_REGISTRATION, keep_key(g, key), buf_str(&b), last) < 0)
		log_error(LOG_REG, "a registration could not be kept", LOG_C("impi", g->impi));
	g->foreign = false;
	g->kept_sequence = (uint32_t)store_sequence(port);
	buf_fini(&b);
	free(k);
}

void keep_forget(const struct registration *g)
{
	char key[KEEP_MAX_KEY];

	if (!g->r->restoring)
		store_del(g->r->sw->w->store, STORE_REGISTRATION, keep_key(g, key));
}

/* ---- filter criteria that were kept ---- */

struct kept_criteria {
	struct hnode node;
	struct criteria *c;		/* a reference */
	uint8_t digest[16];
};
struct restoring {
	struct scscf *s;
	struct stack *stack;
	struct store *store;
	struct htab criteria;
	struct keep_record *k;
	uint64_t now_ms;		/* store time; the workers' wheels stand still meanwhile */
	unsigned n, bad;
};

static bool has_digest(const struct hnode *n, const void *key)
{
	return memcmp(container_of(n, struct kept_criteria, node)->digest, key, 16) == 0;
}

static struct kept_criteria *criteria_find(const struct restoring *r, struct str digest)
{
	struct hnode *n = digest.l == 16 ? htab_find(&r->criteria, hash_str(digest), has_digest, digest.p) : NULL;

	return n ? container_of(n, struct kept_criteria, node) : NULL;
}

/* A new reference; NULL: not here. */
static struct criteria *criteria_take(const struct restoring *r, struct str digest)
{
	struct kept_criteria *kc = r->criteria.slot ? criteria_find(r, digest) : NULL;

	return kc ? obj_ref(kc->c) : r->s->shared_criteria ? cmap_get(r->s->shared_criteria, digest) : NULL;
}

static void on_criteria(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;
	struct kept_criteria *kc = rec->key.l == 16 ? calloc(1, sizeof(*kc)) : NULL;

	if (!kc || criteria_get(r->s->criteria, rec->value, &kc->c) < 0) {
		free(kc);
		metric_add(&m_restored, "criteria", "failed", 1);
		return;
	}
	memcpy(kc->digest, rec->key.p, 16);
	atomic_store(&kc->c->kept, true);
	share_criteria(r->s, rec->key, kc->c);
	htab_add(&r->criteria, &kc->node, hash_str(rec->key));
}

/* What no registration refers to any more goes, unless one could not be read. */
static void criteria_done(struct hnode *n, void *arg)
{
	struct kept_criteria *kc = container_of(n, struct kept_criteria, node);
	struct restoring *r = arg;

	if (atomic_load(&kc->c->o.refs) == 1 && !r->bad)
		store_del(store_port(r->store, 0), STORE_CRITERIA, str_make((const char *)kc->digest, 16));
	obj_unref(kc->c);
	htab_del(&r->criteria, n);
	free(kc);
}

/* ---- registrations ---- */

static char *dup_or_null(struct str s, bool *failed)
{
	char *c = s.l ? str_dup(s) : NULL;

	*failed = *failed || (s.l && !c);
	return c;
}

/* 0; -ENOMEM; -ENOENT: filter criteria that it refers to are not here. */
static int make_profile(const struct restoring *r, const struct keep_record *k, struct profile **ret)
{
	struct profile *p = profile_new(k->profile_impi, k->n_identities, k->n_services);
	bool failed = !p;
	int rc = -ENOMEM;

	for (unsigned i = 0; !failed && i < k->n_identities; i++) {
		const struct keep_identity *from = &k->identity[i];
		struct profile_identity *id = &p->identity[i];

		id->uri = dup_or_null(from->uri, &failed);
		id->aor = str_eq(from->aor, from->uri) ? id->uri : dup_or_null(from->aor, &failed);
		id->display = dup_or_null(from->display, &failed);
		id->alias_group = dup_or_null(from->alias_group, &failed);
		id->barred = from->barred;
		id->type = from->type;
		id->service = from->service;
	}
	for (unsigned i = 0; !failed && i < k->n_services; i++) {
		p->criteria[i] = k->criteria[i].l ? criteria_take(r, k->criteria[i]) : NULL;
		failed = k->criteria[i].l && !p->criteria[i];
		rc = failed ? -ENOENT : rc;
	}
	if (!failed) {
		profile_pack(p);
		*ret = p;
		return 0;
	}
	obj_unref(p);
	return rc;
}

/* Store time as the wheel's.  What ended while we were away ends in restart_grace_s, like any other: the HSS has to be reached, and a
 * phone that tried meanwhile tries again. */
static uint64_t on_wheel(const struct restoring *r, const struct registration *g, uint64_t expires_ms)
{
	uint64_t grace = (uint64_t)r->s->reg->restart_grace_s * 1000, left = expires_ms > r->now_ms ? expires_ms - r->now_ms : 0;

	return registration_now_ms(g) + (left > grace ? left : grace);
}

static int fill(const struct restoring *r, struct registration *g, const struct keep_record *k)
{
	bool failed = false;
	int rc = make_profile(r, k, &g->profile);

	if (rc < 0)
		return rc;
	g->pcfa = dup_or_null(k->pcfa, &failed);
	if (failed)
		return -ENOMEM;
	g->id = k->id;
	for (unsigned i = 0; rc == 0 && i < k->n_contacts; i++)
		rc = binding_restore(g, &k->contact[i], on_wheel(r, g, k->contact[i].expires_ms));
	if (rc == 0)
		rc = registration_publish(g);
	if (rc < 0)
		return rc;
	if (g->registered_wall_us && k->registered_wall_us)
		g->registered_wall_us = k->registered_wall_us;
	thirdparty_restore(g, k);
	return 0;
}

bool keep_has_criteria(struct scscf *s, const struct keep_record *k, struct str *ret_missing)
{
	const struct restoring r = { .s = s };

	for (unsigned i = 0; i < k->n_services; i++) {
		struct criteria *c = k->criteria[i].l ? criteria_take(&r, k->criteria[i]) : NULL;

		*ret_missing = k->criteria[i];
		if (k->criteria[i].l && !c)
			return false;
		obj_unref(c);
	}
	return true;
}

/* As another instance knows it now, in place of what we know. */
int keep_replace(struct registration *g, const struct keep_record *k, uint64_t their_now_ms)
{
	const struct restoring r = { .s = registration_scscf(g), .now_ms = their_now_ms };
	int rc;

	g->r->restoring = true;
	if (g->profile && g->id != k->id)
		reg_directory_withdraw(registration_scscf(g)->dir, g->id);
	binding_drop_all(g, REGINFO_NONE);
	obj_unref(g->profile);
	free(g->pcfa);
	g->profile = NULL;
	g->pcfa = NULL;
	g->foreign = true;
	rc = fill(&r, g, k);
	if (rc < 0)
		registration_clear(g, REGINFO_NONE);
	g->r->restoring = false;
	return rc;
}

/* The identity by which the set is found again. */
struct str keep_began_with(const struct keep_record *k)
{
	return k->n_contacts && k->contact[0].impu.l ? k->contact[0].impu : k->identity[0].aor;
}

static void on_registration(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;
	unsigned set;
	struct str impi = keep_key_impi(rec->key, &set);
	struct scscf_worker *sw = scscf_of(stack_owner(r->stack, impi));
	struct registration *g = NULL;
	int rc = keep_record_read(rec->value, r->k);

	if (rc == 0)
		g = registration_get(sw->registrar, impi, keep_began_with(r->k), r->k->emergency);
	if (rc == 0 && !g)
		rc = -ENOMEM;
	if (rc == 0) {
		g->set = (uint8_t)set;
		sw->registrar->restoring = true;
		rc = fill(r, g, r->k);
		if (rc < 0)
			registration_clear(g, REGINFO_NONE);
		registration_done(g);
		sw->registrar->restoring = false;
	}
	metric_add(&m_restored, "registration", rc == 0 ? "ok" : "failed", 1);
	r->n += rc == 0;
	r->bad += rc < 0;
	if (rc < 0) {
		log_warn(LOG_REG, "a kept registration cannot be used", LOG_S("impi", rec->key), LOG_C("error", strerror(-rc)));
		/* What was missing may be there at another start; and other instances have it. */
		if (rc != -ENOENT && rc != -ENOMEM)
			store_del(sw->w->store, STORE_REGISTRATION, rec->key);
	}
}

static void on_subscription(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;

	keep_restore_subscription(r->s, rec);
}

static void on_shared_set(void *arg, const struct store_record *rec)
{
	struct restoring *r = arg;

	shared_sets_restore(r->s, rec);
}

int keep_restore(void *u, struct stack *stack, struct store *store)
{
	struct restoring r = { .s = u, .stack = stack, .store = store, .now_ms = store_now_ms(store), .k = malloc(sizeof(*r.k)) };
	int rc = r.k ? htab_init(&r.criteria, 16) : -ENOMEM;

	metrics_register(&m_restored);
	if (rc == 0 && store_is_shared(store) && !(r.s->shared_criteria = cmap_new()))
		rc = -ENOMEM;
	if (rc < 0) {
		free(r.k);
		return rc;
	}
	rc = store_scan(store, STORE_SHARED_SET, on_shared_set, &r);
	if (rc == 0)
		rc = store_scan(store, STORE_CRITERIA, on_criteria, &r);
	if (rc == 0)
		rc = store_scan(store, STORE_REGISTRATION, on_registration, &r);
	if (rc == 0)
		rc = store_scan(store, STORE_SUBSCRIPTION, on_subscription, &r);
	if (store_is_shared(store))
		share_begin(r.s, stack, store);
	htab_each(&r.criteria, criteria_done, &r);
	htab_fini(&r.criteria);
	free(r.k);
	if (rc == 0 && (r.n || r.bad))
		log_info(LOG_REG, "registrations are back", LOG_U("registrations", r.n), LOG_U("unusable", r.bad));
	return rc;
}
