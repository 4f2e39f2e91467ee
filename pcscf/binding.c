/* pcscf/binding.c - one phone's registration, and the table of those that a worker owns. */
#include <errno.h>
#include <stdlib.h>
#include "common/daemon/events.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/hash.h"
#include "common/util/roll.h"
#include "pcscf/stored.h"

static METRIC_DEF(m_bindings, "cscf_pcscf_bindings", METRIC_GAUGE, "Phones registered through this P-CSCF.", NULL, NULL);
static METRIC_DEF(m_ended, "cscf_pcscf_bindings_ended_total", METRIC_COUNTER, "Bindings that ended, by reason.", "reason", NULL);

struct subscriber {			/* a private identity with bindings */
	struct hnode node;
	struct list phones;		/* struct owned, oldest first */
	unsigned n;
	size_t l;
	char impi[];
};
struct owned {
	struct hnode node;
	struct roll_entry at;		/* its place in lists */
	struct list of_impi;
	struct timer expiry;
	struct bindings *bs;
	struct subscriber *s;
	struct binding *b;
};
struct bindings {
	struct wheel *wheel;
	struct phone_directory *dir;
	struct htab by_key, by_impi;
	struct roll all;
	void (*on_end)(void *arg, const struct binding *b, const char *why);
	void *on_end_arg;
	struct store_port *store;	/* NULL: nothing is kept */
};

/* ---- one binding ---- */

static void binding_free(struct obj *o)
{
	struct binding *b = container_of(o, struct binding, o);

	obj_unref(b->sa);
	obj_unref(b->load);
	arena_unref(b->arena);
	free(b);
}

static void load_free(struct obj *o)
{
	free(container_of(o, struct phone_load, o));
}

struct binding *binding_new(size_t hint_bytes)
{
	struct binding *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->arena = arena_new(hint_bytes);
	b->load = calloc(1, sizeof(*b->load));
	if (!b->arena || !b->load) {
		arena_unref(b->arena);
		free(b->load);
		free(b);
		return NULL;
	}
	obj_init(&b->load->o, load_free);
	obj_init(&b->o, binding_free);
	return b;
}

uint32_t binding_early(const struct binding *b)
{
	return atomic_load_explicit(&b->load->early, memory_order_relaxed);
}

void binding_early_add(struct binding *b)
{
	atomic_fetch_add_explicit(&b->load->early, 1, memory_order_relaxed);
}

void binding_early_give(struct binding *b)
{
	atomic_fetch_sub_explicit(&b->load->early, 1, memory_order_relaxed);
}

bool binding_is_emergency(const struct binding *b)
{
	return str_ends(b->key, STR(BINDING_KEY_SOS));
}

static int room_for_identity(struct binding *b)
{
	struct binding_identity *more;

	if (b->n_identities == BINDING_MAX_IDENTITIES)
		return -ENOSPC;
	if (b->n_identities & (b->n_identities - 1))	/* doubles at powers of two */
		return 0;
	more = arena_alloc(b->arena, (b->n_identities ? b->n_identities * 2 : 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	if (b->n_identities)
		memcpy(more, b->identity, b->n_identities * sizeof(*more));
	b->identity = more;
	return 0;
}

int binding_add_identity(struct binding *b, struct str value)
{
	struct binding_identity id;
	struct sip_nameaddr na;
	char text[512];
	struct str aor;
	int rc = sip_nameaddr_parse(value, &na);

	if (rc == 0 && na.star)
		rc = -EBADMSG;
	if (rc == 0)
		rc = sip_uri_aor(&na.uri, text, sizeof(text), &aor);
	if (rc < 0)
		return rc;
	rc = room_for_identity(b);
	if (rc < 0)
		return rc;
	id.aor = arena_dup(b->arena, aor);
	id.value = na.display.l ? arena_printf(b->arena, "%.*s <%.*s>", STR_ARG(na.display), STR_ARG(na.uri.text))
				: arena_printf(b->arena, "<%.*s>", STR_ARG(na.uri.text));
	if (!id.aor.p || !id.value.p)
		return -ENOMEM;
	b->identity[b->n_identities++] = id;
	return 0;
}

const struct binding_identity *binding_identity_find(const struct binding *b, const struct sip_uri *uri)
{
	char text[512];
	struct str aor;

	if (sip_uri_aor(uri, text, sizeof(text), &aor) < 0)
		return NULL;
	for (unsigned i = 0; i < b->n_identities; i++)
		if (str_eq(b->identity[i].aor, aor))
			return &b->identity[i];
	return NULL;
}

struct str binding_contact_aor(struct arena *a, const struct sip_uri *uri)
{
	unsigned port = uri->port ? uri->port : uri->scheme == SIP_SCHEME_SIPS ? 5061 : 5060;
	struct str s = arena_printf(a, "%.*s@%.*s:%u", STR_ARG(uri->user), STR_ARG(uri->host), port);
	char *c = (char *)s.p;

	for (size_t i = uri->user.l; i < s.l; i++)
		if (c[i] >= 'A' && c[i] <= 'Z')
			c[i] = (char)(c[i] | 0x20);
	return s;
}

/* ---- the owner's table ---- */

static bool has_key(const struct hnode *n, const void *key)
{
	return str_eq(container_of(n, struct owned, node)->b->key, *(const struct str *)key);
}

static struct owned *owned_find(struct bindings *bs, struct str key)
{
	struct hnode *n = htab_find(&bs->by_key, hash_str(key), has_key, &key);

	return n ? container_of(n, struct owned, node) : NULL;
}

static bool has_impi(const struct hnode *n, const void *key)
{
	const struct subscriber *s = container_of(n, struct subscriber, node);

	return str_eq(str_make(s->impi, s->l), *(const struct str *)key);
}

static struct subscriber *subscriber_find(struct bindings *bs, struct str impi)
{
	struct hnode *n = htab_find(&bs->by_impi, hash_str(impi), has_impi, &impi);

	return n ? container_of(n, struct subscriber, node) : NULL;
}

static struct subscriber *subscriber_get(struct bindings *bs, struct str impi)
{
	struct subscriber *s = subscriber_find(bs, impi);

	if (s)
		return s;
	s = calloc(1, sizeof(*s) + impi.l);
	if (!s)
		return NULL;
	list_init(&s->phones);
	s->l = impi.l;
	memcpy(s->impi, impi.p, impi.l);
	htab_add(&bs->by_impi, &s->node, hash_str(impi));
	return s;
}

static void subscriber_put(struct bindings *bs, struct subscriber *s)
{
	if (--s->n)
		return;
	htab_del(&bs->by_impi, &s->node);
	free(s);
}

static void owned_free(struct owned *o)
{

	timer_stop(&o->expiry);
	htab_del(&o->bs->by_key, &o->node);
	roll_del(&o->bs->all, &o->at);
	list_del(&o->of_impi);
	subscriber_put(o->bs, o->s);
	phone_directory_del(o->bs->dir, o->b);
	metric_adjust(&m_bindings, NULL, NULL, -1);
	obj_unref(o->b);
	free(o);
}

/* Operators hear of it: GET /api/v1/events. */
static void tell_event(const struct binding *b, const char *type, const char *why)
{
	struct worker *w = worker_current();
	char flow[SIP_FLOW_STRLEN];
	cJSON *o;

	if (!events_wanted(w))
		return;
	o = cJSON_CreateObject();
	events_add(o, "impi", b->impi);
	events_add(o, "impu", b->identity[0].aor);
	events_add(o, "contact", b->contact);
	cJSON_AddStringToObject(o, "flow", sip_flow_fmt(&b->flow, flow));
	if (why)
		cJSON_AddStringToObject(o, "why", why);
	events_add(o, "icid", log_correlation_get());
	events_post(w, type, o);
}

static void owned_end(struct owned *o, const char *why)
{
	tell_event(o->b, "registration.ended", why);
	log_info(LOG_REG, "binding ended", LOG_C("why", why), LOG_S("impi", o->b->impi), LOG_S("contact", o->b->contact));
	metric_add(&m_ended, why, NULL, 1);
	if (o->bs->on_end)
		o->bs->on_end(o->bs->on_end_arg, o->b, why);
	stored_forget_phone(o->bs->store, o->b);
	owned_free(o);
}

static void on_expiry(struct timer *t)
{
	owned_end(container_of(t, struct owned, expiry), "expired");
}

struct bindings *bindings_new(struct wheel *w, struct phone_directory *d)
{
	struct bindings *bs = calloc(1, sizeof(*bs));

	if (!bs)
		return NULL;
	bs->wheel = w;
	bs->dir = d;
	roll_init(&bs->all);
	if (htab_init(&bs->by_key, 64) < 0 || htab_init(&bs->by_impi, 64) < 0) {
		htab_fini(&bs->by_key);
		free(bs);
		return NULL;
	}
	metrics_register(&m_bindings);
	metrics_register(&m_ended);
	return bs;
}

void bindings_on_end(struct bindings *bs, void (*fn)(void *arg, const struct binding *b, const char *why), void *arg)
{
	bs->on_end = fn;
	bs->on_end_arg = arg;
}

void bindings_free(struct bindings *bs)
{
	if (!bs)
		return;
	while (!list_empty(&bs->all.all))
		owned_free(list_entry(bs->all.all.next, struct owned, at.link));
	htab_fini(&bs->by_key);
	htab_fini(&bs->by_impi);
	free(bs);
}

size_t bindings_count(const struct bindings *bs)
{
	return bs->by_key.n;
}

static struct owned *owned_new(struct bindings *bs, struct binding *b)
{
	struct owned *o = calloc(1, sizeof(*o));
	struct subscriber *s = o ? subscriber_get(bs, b->impi) : NULL;

	if (!s) {
		free(o);
		return NULL;
	}
	o->bs = bs;
	o->s = s;
	s->n++;
	list_add_tail(&s->phones, &o->of_impi);
	o->b = b;
	timer_init(&o->expiry, on_expiry);
	htab_add(&bs->by_key, &o->node, hash_str(b->key));
	roll_add(&bs->all, &o->at);
	metric_adjust(&m_bindings, NULL, NULL, 1);
	return o;
}

static int put(struct bindings *bs, struct binding *b, uint64_t left_ms)
{
	struct owned *o = owned_find(bs, b->key);
	struct binding *old = o ? o->b : NULL;
	int rc;

	if (old) {
		b->registered_wall_us = old->registered_wall_us;
		obj_unref(b->load);
		b->load = obj_ref(old->load);
	}
	rc = phone_directory_put(bs->dir, b, old);
	if (rc < 0) {
		obj_unref(b);
		return rc;
	}
	if (o) {
		o->b = b;
		obj_unref(old);
		list_del(&o->of_impi);
		list_add_tail(&o->s->phones, &o->of_impi);
	} else {
		o = owned_new(bs, b);
		if (!o) {
			phone_directory_del(bs->dir, b);
			obj_unref(b);
			return -ENOMEM;
		}
	}
	timer_start(bs->wheel, &o->expiry, left_ms);
	/* A phone that comes back from a new address again and again leaves its old ones behind. */
	if (o->s->n > BINDING_MAX_PER_IMPI)
		owned_end(list_entry(o->s->phones.next, struct owned, of_impi), "replaced");
	return 0;
}

int bindings_put(struct bindings *bs, struct binding *b, uint32_t expires_s)
{
	bool known = owned_find(bs, b->key);
	int rc = put(bs, b, (uint64_t)expires_s * 1000);

	if (rc == 0)
		tell_event(b, known ? "registration.refreshed" : "registration.created", NULL);
	if (rc == 0)
		stored_phone(bs->store, b, (uint64_t)expires_s * 1000);
	return rc;
}

int bindings_restore(struct bindings *bs, struct binding *b, uint64_t left_ms)
{
	return put(bs, b, left_ms);
}

void bindings_store(struct bindings *bs, struct store_port *port)
{
	bs->store = port;
}

/* The same binding once more, to be changed before it is published.  Its texts are shared. */
static struct binding *copy_of(const struct binding *of)
{
	struct binding *b = malloc(sizeof(*b));

	if (!b)
		return NULL;
	memcpy(b, of, sizeof(*b));
	obj_init(&b->o, binding_free);
	arena_ref(b->arena);
	obj_ref(b->sa);
	obj_ref(b->load);
	return b;
}

/* Takes b over. */
static int publish_anew(struct owned *o, struct binding *b)
{
	int rc = phone_directory_put(o->bs->dir, b, o->b);

	if (rc < 0) {
		obj_unref(b);
		return rc;
	}
	obj_unref(o->b);
	o->b = b;
	return 0;
}

void bindings_flow_closed(struct bindings *bs, struct str key, const struct sip_flow *flow)
{
	struct owned *o = owned_find(bs, key);
	struct binding *b;

	if (!o || o->b->flow_closed || !sip_flow_eq(&o->b->flow, flow))	/* it has registered again meanwhile */
		return;
	b = copy_of(o->b);
	if (!b)
		return;			/* a send finds out */
	b->flow_closed = true;
	(void)publish_anew(o, b);
}

/* With texts of its own and no identities: a subscriber's identities may change as often as they like. */
static struct binding *clone_of(const struct binding *of)
{
	struct binding *b = copy_of(of);
	struct str *texts[6];
	bool failed;

	if (!b)
		return NULL;
	memcpy(texts, (struct str *[]){ &b->key, &b->impi, &b->contact, &b->contact_aor, &b->user_agent, &b->access }, sizeof(texts));
	arena_unref(b->arena);
	b->arena = arena_new(1024);
	failed = !b->arena;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && !failed; i++) {
		*texts[i] = arena_dup(b->arena, *texts[i]);
		failed = !texts[i]->p;
	}
	for (unsigned i = 0; i < b->n_routes && !failed; i++) {
		b->route[i] = arena_dup(b->arena, b->route[i]);
		failed = !b->route[i].p;
	}
	b->identity = NULL;
	b->n_identities = 0;
	if (!failed)
		return b;
	obj_unref(b);
	return NULL;
}

int bindings_identities(struct bindings *bs, struct str key, const bool *keep, const struct str *more, unsigned n_more)
{
	struct owned *o = owned_find(bs, key);
	struct binding *b = o ? clone_of(o->b) : NULL;
	uint64_t now = bs->wheel->now_ms;
	int rc = 0;

	if (!b)
		return o ? -ENOMEM : -ENOENT;
	for (unsigned i = 0; rc == 0 && i < o->b->n_identities; i++)
		if (keep[i])
			rc = binding_add_identity(b, o->b->identity[i].value);
	for (unsigned i = 0; rc == 0 && i < n_more; i++) {
		struct str value = arena_printf(b->arena, "<%.*s>", STR_ARG(more[i]));

		rc = value.p ? binding_add_identity(b, value) : -ENOMEM;
		if (rc == -ENOTSUP || rc == -EBADMSG)		/* none that a phone could name */
			rc = 0;
	}
	if (rc < 0) {
		obj_unref(b);
		return rc;
	}
	rc = publish_anew(o, b);
	if (rc == 0)
		stored_phone(bs->store, b, o->expiry.at_ms > now ? o->expiry.at_ms - now : 0);
	return rc;
}

bool bindings_del(struct bindings *bs, struct str key, const char *why)
{
	struct owned *o = owned_find(bs, key);

	if (o)
		owned_end(o, why);
	return o != NULL;
}

unsigned bindings_of_impi(struct bindings *bs, struct str impi)
{
	struct subscriber *s = subscriber_find(bs, impi);

	return s ? s->n : 0;
}

void bindings_each_of_impi(struct bindings *bs, struct str impi, bool (*fn)(void *arg, const struct binding *b), void *arg)
{
	struct subscriber *s = subscriber_find(bs, impi);
	struct list *pos;

	if (!s)
		return;
	list_for_each(pos, &s->phones)
		if (!fn(arg, list_entry(pos, struct owned, of_impi)->b))
			return;
}

void bindings_shorten(struct bindings *bs, struct str key, uint32_t left_s)
{
	struct owned *o = owned_find(bs, key);

	if (!o)
		return;
	timer_start(bs->wheel, &o->expiry, (uint64_t)left_s * 1000);
	stored_phone(bs->store, o->b, (uint64_t)left_s * 1000);
}

unsigned bindings_del_impi(struct bindings *bs, struct str impi, const char *why)
{
	struct subscriber *s = subscriber_find(bs, impi);
	struct list *i, *tmp;
	unsigned n = 0;

	if (!s)
		return 0;
	s->n++;				/* stays while we walk */
	list_for_each_safe(i, tmp, &s->phones) {
		struct owned *o = list_entry(i, struct owned, of_impi);

		if (binding_is_emergency(o->b))
			continue;
		owned_end(o, why);
		n++;
	}
	subscriber_put(bs, s);
	return n;
}

void bindings_each(struct bindings *bs, uint64_t *after, bool (*fn)(void *arg, const struct binding *b), void *arg)
{
	for (struct roll_entry *e = roll_after(&bs->all, *after); e; e = roll_next(&bs->all, e)) {
		if (!fn(arg, list_entry(e, struct owned, at)->b))
			return;
		*after = e->serial;
	}
}
