/* pcscf/sa.c - the life of sets of security associations, once they are made until the last answer has left by them.  TS 33.203 §7.3, §7.4;
 * TS 24.229 §5.2.2; rows P3, P5, X3, S8, F21.  README.md has it as a diagram; sa_make.c is how they come about, sa_pool.c what they share.
 *
 * The owner (one worker) moves sets from state to state and tells the kernel. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/clock.h"
#include "common/util/hash.h"
#include "pcscf/sa_private.h"

#define MAPPING_REST_MS 1000u		/* a set's NAT may have another port so often */
#define LINGER_MS 5000u			/* after a de-registration: its 200 may have to be sent again */

static METRIC_DEF(m_sets, "cscf_pcscf_sa_sets", METRIC_GAUGE, "Sets of security associations, by state.", "state", NULL);
static METRIC_DEF(m_ended, "cscf_pcscf_sa_sets_ended_total", METRIC_COUNTER, "Sets of security associations that ended, by reason.",
		  "reason", NULL);

const char *sa_state_name(enum sa_state s)
{
	static const char *const names[] = { "making", "pending", "live", "old", "ending" };

	return names[s];
}

static bool is_phone(const struct hnode *n, const void *key)
{
	const struct sa_phone *ph = container_of(n, struct sa_phone, node);

	return str_eq(str_make(ph->key, ph->l), *(const struct str *)key);
}

struct sa_phone *sa_phone_find(struct sa_owner *o, struct str key)
{
	struct hnode *n = htab_find(&o->by_key, hash_str(key), is_phone, &key);

	return n ? container_of(n, struct sa_phone, node) : NULL;
}

static struct sa_owned *owned_find(struct sa_owner *o, const struct sa_set *s)
{
	struct sa_phone *ph = sa_phone_find(o, s->key);
	struct list *i;

	if (ph)
		list_for_each(i, &ph->sets)
			if (list_entry(i, struct sa_owned, of_phone)->set == s)
				return list_entry(i, struct sa_owned, of_phone);
	return NULL;
}

void sa_owned_state(struct sa_owned *w, enum sa_state to)
{
	metric_adjust(&m_sets, sa_state_name(sa_state(w->set)), NULL, -1);
	metric_adjust(&m_sets, sa_state_name(to), NULL, 1);
	atomic_store_explicit(&w->set->state, to, memory_order_release);
}

void sa_owned_born(const struct sa_owned *w)
{
	metric_adjust(&m_sets, sa_state_name(sa_state(w->set)), NULL, 1);
}

/* The next process takes it up as it is now. */
void sa_owned_keep(const struct sa_owned *w)
{
	uint64_t now = w->owner->wheel->now_ms;

	if (sa_state(w->set) != SA_MAKING && sa_state(w->set) != SA_ENDING)
		stored_set(w->owner->store, w->set, sa_state(w->set), w->timer.at_ms > now ? w->timer.at_ms - now : 0);
}

static bool is_spi(const struct hnode *n, const void *key)
{
	return container_of(n, struct sa_spi, node)->spi == *(const uint32_t *)key;
}

void sa_owned_index(struct sa_owned *w)
{
	const uint32_t ours[] = { w->set->k.mine.spi_c, w->set->k.mine.spi_s };

	for (unsigned i = 0; i < 2; i++) {
		w->spi[i].spi = ours[i];
		w->spi[i].owned = w;
		htab_add(&w->owner->by_spi, &w->spi[i].node, hash_mix(ours[i], 0));
	}
}

static void unindex(struct sa_owned *w)
{
	for (unsigned i = 0; i < 2; i++)
		if (w->spi[i].owned)
			htab_del(&w->owner->by_spi, &w->spi[i].node);
}

void sa_owned_free(struct sa_owned *w)
{
	struct sa_owner *o = w->owner;
	struct sa_phone *ph = w->phone;

	timer_stop(&w->timer);
	unindex(w);
	metric_adjust(&m_sets, sa_state_name(sa_state(w->set)), NULL, -1);
	atomic_store_explicit(&w->set->state, SA_ENDING, memory_order_release);
	list_del(&w->link);
	list_del(&w->of_phone);
	o->n--;
	if (--ph->n == 0) {
		htab_del(&o->by_key, &ph->node);
		free(ph);
	}
	obj_unref(w->set);
	free(w);
}

/* Nobody finds it any more, then the kernel forgets it. */
void sa_owned_end(struct sa_owned *w, const char *why)
{
	struct sa_owner *o = w->owner;
	int rc;

	if (w->asked) {			/* the helper's answer ends it */
		w->over = true;
		sa_owned_state(w, SA_ENDING);
		return;
	}
	log_info(LOG_SEC, "security associations end", LOG_C("why", why), LOG_S("impi", w->set->impi), LOG_U("spi_s", w->set->k.mine.spi_s));
	metric_add(&m_ended, why, NULL, 1);
	sa_pool_give(o->pool, w->set);
	stored_forget_set(o->store, w->set);
	rc = o->port->submit(o->port, IPSEC_DEL, &w->set->k, NULL);
	if (rc < 0)
		log_error(LOG_SEC, "the kernel keeps associations until they expire", LOG_I("errno", -rc), LOG_S("impi", w->set->impi));
	sa_owned_free(w);
}

static const char *end_reason(enum sa_state s)
{
	switch (s) {
	case SA_PENDING: return "unanswered challenge";
	case SA_LIVE: return "expired";
	case SA_OLD: return "replaced";
	default: return "refused";
	}
}

void sa_owned_timer(struct timer *t)
{
	struct sa_owned *w = container_of(t, struct sa_owned, timer);

	sa_owned_end(w, end_reason(sa_state(w->set)));
}

void sa_owned_leave(struct sa_owned *w, enum sa_state to, uint32_t ms)
{
	sa_owned_state(w, to);
	timer_start(w->owner->wheel, &w->timer, ms);
	if (to == SA_ENDING)
		stored_forget_set(w->owner->store, w->set);
	else
		sa_owned_keep(w);
}

static struct sa_owned *owned_by_spi(struct sa_owner *o, uint32_t spi)
{
	struct hnode *n = htab_find(&o->by_spi, hash_mix(spi, 0), is_spi, &spi);

	return n ? container_of(n, struct sa_spi, node)->owned : NULL;
}

/* TS 33.203 annex M: what the NAT has made of the phone's port is known from what comes, and may change.  A change costs a record and
 * the helper's time, and a phone can make one of each packet: what comes too soon is told again by its next packet. */
static void on_mapping(struct sa_owned *w, uint16_t port)
{
	struct sa_owner *o = w->owner;
	struct sa_set *s = w->set;
	int rc;

	if (!s->k.encap_us || s->k.encap_peer == port || o->wheel->now_ms < w->mapping_from_ms)
		return;
	w->mapping_from_ms = o->wheel->now_ms + MAPPING_REST_MS;
	log_info(LOG_SEC, "a NAT sends from another port", LOG_S("impi", s->impi), LOG_U("port", port), LOG_U("before", s->k.encap_peer));
	s->k.encap_peer = port;
	sa_owned_keep(w);
	rc = o->port->submit(o->port, IPSEC_UPDATE, &s->k, NULL);
	if (rc < 0)
		log_error(LOG_SEC, "a phone behind a NAT cannot be reached", LOG_I("errno", -rc), LOG_S("impi", s->impi));
}

static void on_event(void *u, const struct ipsec_event *e)
{
	struct sa_owner *o = u;
	struct sa_owned *w = owned_by_spi(o, e->spi);
	struct sa_set *s;
	enum sa_state before;

	if (!w || w->asked)
		return;
	if (e->encap_peer) {
		on_mapping(w, e->encap_peer);
		return;
	}
	s = w->set;
	before = sa_state(s);
	obj_ref(s);
	sa_owned_end(w, "expired in the kernel");
	if (before == SA_LIVE && o->on_dead)
		o->on_dead(o->on_dead_arg, s);
	obj_unref(s);
}

void sa_owner_on_dead(struct sa_owner *o, void (*fn)(void *arg, const struct sa_set *s), void *arg)
{
	o->on_dead = fn;
	o->on_dead_arg = arg;
}

struct sa_owner *sa_owner_new(struct sa_pool *p, const struct security_config *c, struct wheel *w, struct ipsec_port *port)
{
	struct sa_owner *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	metrics_register(&m_sets);
	metrics_register(&m_ended);
	sa_make_metrics();
	*o = (struct sa_owner){ .pool = p, .cfg = c, .wheel = w, .port = port };
	list_init(&o->all);
	if (htab_init(&o->by_key, 64) < 0 || htab_init(&o->by_spi, 64) < 0) {
		htab_fini(&o->by_key);
		free(o);
		return NULL;
	}
	port->event = on_event;
	port->u = o;
	return o;
}

void sa_owner_free(struct sa_owner *o)
{
	if (!o)
		return;
	while (!list_empty(&o->all)) {
		struct sa_owned *w = list_entry(o->all.next, struct sa_owned, link);

		sa_pool_give(o->pool, w->set);
		sa_owned_free(w);
	}
	htab_fini(&o->by_key);
	htab_fini(&o->by_spi);
	free(o);
}

size_t sa_count(const struct sa_owner *o)
{
	return o->n;
}

/* ---- afterwards ---- */

/* One live and at most one old set: §7.4. */
static void make_old(struct sa_owner *o, struct sa_phone *ph, const struct sa_owned *but)
{
	struct list *i, *tmp;

	list_for_each_safe(i, tmp, &ph->sets) {
		struct sa_owned *w = list_entry(i, struct sa_owned, of_phone);

		if (w == but)
			continue;
		if (sa_state(w->set) == SA_OLD)
			sa_owned_end(w, "replaced");
		else if (sa_state(w->set) == SA_LIVE)
			sa_owned_leave(w, SA_OLD, o->cfg->old_ms);
	}
}

void sa_confirm(struct sa_owner *o, struct sa_set *s, uint32_t granted_s)
{
	struct sa_owned *w = owned_find(o, s);
	uint64_t age_s;
	int rc;

	if (!w || sa_state(s) == SA_ENDING || sa_state(s) == SA_MAKING)
		return;
	if (sa_state(s) == SA_PENDING) {
		struct sa_phone *ph = w->phone;

		make_old(o, ph, w);
		sa_owned_state(w, SA_LIVE);
		sa_pool_proven(o->pool, s);
	}
	if (sa_state(s) == SA_OLD)
		return;			/* a late answer on what is replaced already */
	age_s = clock_mono_us() / 1000000 - s->made_ms / 1000;
	s->k.lifetime_s = (uint32_t)age_s + granted_s + o->cfg->margin_s + SA_KERNEL_GRACE_S;
	timer_start(o->wheel, &w->timer, ((uint64_t)granted_s + o->cfg->margin_s) * 1000);
	sa_owned_keep(w);
	rc = o->port->submit(o->port, IPSEC_UPDATE, &s->k, NULL);
	if (rc < 0)
		log_error(LOG_SEC, "the lifetime of associations stays short", LOG_I("errno", -rc), LOG_S("impi", s->impi));
}

struct sa_set *sa_current(struct sa_owner *o, struct sa_set *s)
{
	struct sa_phone *ph = sa_state(s) == SA_OLD ? sa_phone_find(o, s->key) : NULL;
	struct list *i;

	if (ph)
		list_for_each(i, &ph->sets)
			if (sa_state(list_entry(i, struct sa_owned, of_phone)->set) == SA_LIVE)
				return obj_ref(list_entry(i, struct sa_owned, of_phone)->set);
	return obj_ref(s);
}

void sa_refuse(struct sa_owner *o, struct sa_set *s)
{
	struct sa_owned *w = owned_find(o, s);

	if (w && sa_state(s) == SA_PENDING)
		sa_owned_leave(w, SA_ENDING, SA_ANSWER_MS);
}

void sa_retire(struct sa_owner *o, struct str key, enum sa_retire why)
{
	struct sa_phone *ph = sa_phone_find(o, key);
	struct list *i, *tmp;

	if (!ph)
		return;
	ph->n++;			/* stays while we walk */
	list_for_each_safe(i, tmp, &ph->sets) {
		struct sa_owned *w = list_entry(i, struct sa_owned, of_phone);

		if (why != SA_LEFT && (w->asked || sa_state(w->set) == SA_PENDING))
			continue;
		if (why != SA_EXPIRED && !w->asked && sa_state(w->set) != SA_ENDING)
			sa_owned_leave(w, SA_OLD, LINGER_MS);
		else
			sa_owned_end(w, why == SA_EXPIRED ? "expired" : "de-registered");
	}
	if (--ph->n == 0) {
		htab_del(&o->by_key, &ph->node);
		free(ph);
	}
}

void sa_each(const struct sa_owner *o, uint64_t skip, bool (*fn)(void *arg, const struct sa_set *s), void *arg)
{
	struct list *i;

	list_for_each(i, &o->all)
		if (skip ? (skip--, false) : !fn(arg, list_entry(i, struct sa_owned, link)->set))
			return;
}

/* ---- after a restart ---- */

void sa_owner_store(struct sa_owner *o, struct store_port *port)
{
	o->store = port;
}

int sa_restore(struct sa_owner *o, struct sa_set *s, enum sa_state state, uint64_t left_ms)
{
	struct sa_owned *w = sa_owned_new(o, s);
	int rc = w ? sa_pool_take_again(o->pool, s) : -ENOSPC;

	if (rc < 0) {
		if (w)
			sa_owned_free(w);
		return rc;
	}
	sa_owned_index(w);
	sa_owned_state(w, state);
	if (state != SA_OLD)
		sa_pool_phone(o->pool, s);
	timer_start(o->wheel, &w->timer, left_ms);
	return 0;
}
