/* pcscf/sa_make.c - from a challenge to associations in the kernel.  TS 33.203 §7.2; rows P5, X3, F20. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/util/clock.h"
#include "common/util/hash.h"
#include "pcscf/sa_private.h"

static METRIC_DEF(m_failed, "cscf_pcscf_sa_setup_failed_total", METRIC_COUNTER, "Sets that could not be made, by reason.", "reason",
		  NULL);

void sa_make_metrics(void)
{
	metrics_register(&m_failed);
}

/* ---- a set ---- */

static void set_free(struct obj *o)
{
	struct sa_set *s = container_of(o, struct sa_set, o);

	ipsec_wipe(&s->k, sizeof(s->k));
	free(s->client);
	free((char *)s->texts.p);
	free(s);
}

struct sa_set *sa_set_new(const struct sa_wish *w)
{
	struct sa_set *s = calloc(1, sizeof(*s));
	const struct sec_agree *one = &w->client->entry[w->chosen];
	char *texts = malloc(w->impi.l + w->key.l + 1);

	if (s)
		s->client = malloc((w->client->n ? w->client->n : 1) * sizeof(*s->client));
	if (!s || !s->client || !texts) {
		if (s)
			free(s->client);
		free(s);
		free(texts);
		return NULL;
	}
	obj_init(&s->o, set_free);
	s->texts = str_make(texts, w->impi.l + w->key.l);
	memcpy(texts, w->impi.p, w->impi.l);
	memcpy(texts + w->impi.l, w->key.p, w->key.l);
	s->impi = str_head(s->texts, w->impi.l);
	s->key = str_from(s->texts, w->impi.l);
	s->n_client = w->client->n;
	s->client_others = w->client->others;
	s->by_phone = w->via && sa_state(w->via) != SA_PENDING;
	memcpy(s->client, w->client->entry, w->client->n * sizeof(*s->client));
	s->k = (struct ipsec_set){
		.us = w->us, .peer = w->phone, .alg = one->alg, .ealg = one->ealg,
		.encap_us = w->encap_us, .theirs = { .spi_c = one->spi_c, .spi_s = one->spi_s, .port_c = one->port_c, .port_s = one->port_s },
		.mine = { .port_s = w->via && addr_host_eq(&w->via->k.us, &w->us) ? w->via->k.mine.port_s : 0 },
	};
	memcpy(s->k.ck, w->ck, sizeof(s->k.ck));
	memcpy(s->k.ik, w->ik, sizeof(s->k.ik));
	return s;
}

/* ---- one that an owner has ---- */

static struct sa_phone *phone_get(struct sa_owner *o, struct str key)
{
	struct sa_phone *ph = sa_phone_find(o, key);

	if (ph)
		return ph;
	ph = calloc(1, sizeof(*ph) + key.l);
	if (!ph)
		return NULL;
	list_init(&ph->sets);
	ph->l = key.l;
	memcpy(ph->key, key.p, key.l);
	htab_add(&o->by_key, &ph->node, hash_str(key));
	return ph;
}

/* The phone tries again from the same place: what it left unanswered before goes, once the answer has left by it. */
static void end_other_pending(struct sa_owner *o, const struct sa_owned *but, bool same_spis_only)
{
	struct list *i, *tmp;

	list_for_each_safe(i, tmp, &but->phone->sets) {
		struct sa_owned *w = list_entry(i, struct sa_owned, of_phone);
		const struct ipsec_end *a = &w->set->k.theirs, *b = &but->set->k.theirs;
		bool same = a->spi_c == b->spi_c || a->spi_s == b->spi_s || a->spi_c == b->spi_s || a->spi_s == b->spi_c;

		if (w == but || w->asked || !addr_host_eq(&w->set->k.peer, &but->set->k.peer) ||
		    (sa_state(w->set) != SA_PENDING && sa_state(w->set) != SA_ENDING))
			continue;
		if (same_spis_only && same)
			sa_owned_end(w, "tried again");
		else if (!same_spis_only && sa_state(w->set) == SA_PENDING)
			sa_owned_leave(w, SA_ENDING, SA_ANSWER_MS);
	}
	(void)o;
}

static const char *failure(int rc)
{
	return rc == -ENOSPC ? "no port or SPI left" : rc == -EDQUOT ? "too many that nobody has answered for" : rc == -EEXIST ? "SPI or port of another" : rc == -ETIMEDOUT ? "helper silent" :
	       rc == -EPIPE ? "helper gone" : rc == -ECANCELED ? "tried again" : "kernel";
}

static void finish(void (*done)(void *arg, int rc), void *arg, const struct sa_set *s, int rc)
{
	if (rc < 0) {
		metric_add(&m_failed, failure(rc), NULL, 1);
		log_error(LOG_SEC, "security associations cannot be made", LOG_C("why", failure(rc)), LOG_I("errno", -rc),
			  LOG_S("impi", s->impi));
	}
	done(arg, rc);
}

static void on_made(struct ipsec_req *r, int rc)
{
	struct sa_owned *w = container_of(r, struct sa_owned, req);
	struct sa_owner *o = w->owner;
	struct sa_set *s = w->set;
	void (*done)(void *arg, int rc) = w->done;
	void *arg = w->arg;

	w->asked = false;
	if (rc == 0 && w->over)
		rc = -ECANCELED;
	if (rc == 0) {
		end_other_pending(o, w, false);
		sa_owned_state(w, SA_PENDING);
		sa_pool_phone(o->pool, s);
		timer_start(o->wheel, &w->timer, (uint64_t)o->cfg->await_auth_s * 1000);
		sa_owned_keep(w);
		log_info(LOG_SEC, "security associations made", LOG_S("impi", s->impi), LOG_C("alg", sec_alg_name(s->k.alg)),
			 LOG_C("ealg", sec_ealg_name(s->k.ealg)), LOG_U("spi_s", s->k.mine.spi_s), LOG_U("port_s", s->k.mine.port_s));
		finish(done, arg, s, 0);
		return;
	}
	obj_ref(s);
	if (rc == -ECANCELED) {
		sa_owned_end(w, "tried again");
	} else {
		sa_pool_give(o->pool, s);
		sa_owned_free(w);
	}
	finish(done, arg, s, rc);
	obj_unref(s);
}

/* Anybody can send REGISTERs with a phone's identity: what has come in clear goes, the oldest first, and the phone is served (SEC-10). */
static bool make_room(struct sa_phone *ph)
{
	struct list *i;

	if (ph->n < SECURITY_MAX_SETS)
		return true;
	list_for_each(i, &ph->sets) {
		struct sa_owned *w = list_entry(i, struct sa_owned, of_phone);

		if (w->asked || w->set->by_phone || (sa_state(w->set) != SA_PENDING && sa_state(w->set) != SA_ENDING))
			continue;
		sa_owned_end(w, "too many for one phone");
		return true;
	}
	return false;
}

struct sa_owned *sa_owned_new(struct sa_owner *o, struct sa_set *s)
{
	struct sa_phone *ph = phone_get(o, s->key);
	struct sa_owned *w = ph && make_room(ph) ? calloc(1, sizeof(*w)) : NULL;

	if (!w) {
		if (ph && !ph->n) {
			htab_del(&o->by_key, &ph->node);
			free(ph);
		}
		return NULL;
	}
	w->owner = o;
	w->phone = ph;
	w->set = obj_ref(s);
	timer_init(&w->timer, sa_owned_timer);
	list_add_tail(&o->all, &w->link);
	list_add_tail(&ph->sets, &w->of_phone);
	ph->n++;
	o->n++;
	sa_owned_born(w);
	return w;
}

/* The NAT's port for that phone is the same for all its sets. */
static uint16_t known_mapping(const struct sa_owned *of)
{
	uint16_t port = 0;
	struct list *i;

	list_for_each(i, &of->phone->sets) {
		const struct ipsec_set *k = &list_entry(i, struct sa_owned, of_phone)->set->k;

		if (k->encap_us && addr_host_eq(&k->peer, &of->set->k.peer) && k->encap_peer)
			port = k->encap_peer;
	}
	return port;
}

void sa_setup(struct sa_owner *o, struct sa_set *s, void (*done)(void *arg, int rc), void *arg)
{
	struct sa_owned *w = sa_owned_new(o, s);
	uint16_t preferred = s->k.mine.port_s;
	int rc;

	if (!w) {
		finish(done, arg, s, -ENOSPC);
		return;
	}
	w->done = done;
	w->arg = arg;
	end_other_pending(o, w, true);
	s->k.mine.port_s = 0;
	rc = sa_pool_take(o->pool, s, preferred);
	if (rc < 0) {
		sa_owned_free(w);
		finish(done, arg, s, rc);
		return;
	}
	sa_owned_index(w);
	s->n_server = security_server_list(o->cfg, sa_mod(s), &s->k.mine, s->server);
	if (s->k.encap_us)
		s->k.encap_peer = known_mapping(w);
	s->made_ms = clock_mono_us() / 1000;
	s->k.lifetime_s = o->cfg->await_auth_s + SA_KERNEL_GRACE_S;
	w->req.done = on_made;
	w->asked = true;
	rc = o->port->submit(o->port, IPSEC_ADD, &s->k, &w->req);
	if (rc < 0)
		on_made(&w->req, rc);
}
