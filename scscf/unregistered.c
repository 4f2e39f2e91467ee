/* scscf/unregistered.c - users whom nobody here knows: TS 24.229 §5.4.3.2, §5.4.3.3; TS 29.228 §6.1.2; TS 23.380 §4.4; rows T3, T9, S7.
 *
 * A request for (or from, by an application server) a user whom nobody here knows, sent to us because the HSS named us: the profile is
 * fetched with SAR UNREGISTERED_USER, given to the worker that owns the private identity (registrar_adopt), and the request is looked at
 * again.  Meanwhile it waits: its transaction is found again by its handle.  The profile stays for registrar.unregistered_keep_s.
 *
 * When the HSS says that the user is registered and what it had kept of that, the registration is taken up again: restoration.c. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "scscf/registration.h"
#include "scscf/session.h"

static METRIC_DEF(m_fetched, "cscf_scscf_unregistered_fetches_total", METRIC_COUNTER,
		  "Profiles of users who are not registered that the HSS was asked for, by outcome.", "outcome", NULL);

struct fetch {
	struct list link;		/* scscf_worker.fetches */
	struct scscf_worker *sw;
	struct tx_handle h;
	struct sip_msg *m;		/* a reference */
	struct str correlation;		/* in its arena */
	struct profile *profile;	/* a reference; NULL: none yet */
	struct str aor;			/* in the arena */
	enum cx_sar_type type;
	uint64_t id;			/* NO_ASSIGNMENT: that the registration had */
	atomic_uint left;		/* private identities that are being restored */
	struct worker_return back;
};

static void fetch_free(struct fetch *f)
{
	list_del(&f->link);
	obj_unref(f->profile);
	sip_msg_unref(f->m);
	free(f);
}

void unregistered_free(struct scscf_worker *sw)
{
	while (!list_empty(&sw->fetches))
		fetch_free(list_entry(sw->fetches.next, struct fetch, link));
}

/* The transaction, unless it is gone or was cancelled meanwhile. */
static struct tx_server *waiting(const struct fetch *f)
{
	struct tx_server *st = tx_server_find(f->sw->w->tx, f->h);

	return st && !tx_server_final_sent(st) ? st : NULL;
}

static void refuse(struct fetch *f, unsigned status, const char *why, uint32_t retry_after_s)
{
	struct tx_server *st = waiting(f);

	log_correlation(f->correlation);
	if (st)
		tx_refuse(st, &(const struct refusal){ .status = status, .why = why, .retry_after_s = retry_after_s, .side = "term" });
	log_correlation(STR_NONE);
	fetch_free(f);
}

static void again(struct worker *w, void *arg)
{
	struct fetch *f = arg;
	struct tx_server *st = waiting(f);

	log_correlation(f->correlation);
	if (st)
		scscf_request_again(w, st, f->m);
	log_correlation(STR_NONE);
	fetch_free(f);
}

/* On the owner's worker. */
static void on_adopted(void *arg, int rc)
{
	struct fetch *f = arg;

	if (rc == -ESHUTDOWN)		/* everything goes, f too, or has gone */
		return;
	if (rc < 0)
		log_warn(LOG_REG, "the profile of an unregistered user could not be kept", LOG_I("errno", -rc));
	worker_return(worker_current(), f->sw->w, &f->back, again, f);
}

/* On an owner's worker; the last one lets the request go on, whatever became of it. */
static void on_restored(void *arg, int rc)
{
	struct fetch *f = arg;

	if (rc == -ESHUTDOWN)			/* f may be gone already */
		return;
	if (atomic_fetch_sub(&f->left, 1) == 1)
		on_adopted(f, 0);
}

/* true: the user is registered after all, and is taken up again. */
static bool restore(struct fetch *f, const struct cx_saa *a)
{
	struct scscf *s = f->sw->s;
	unsigned n = f->profile ? a->n_restorations : 0;

	if (n == 0)
		return false;
	atomic_store(&f->left, n + 1);
	for (unsigned i = 0; i < n; i++) {
		const struct cx_restoration *r = &a->restoration[i];

		if (r->impi.l == 0 || registrar_restore(s, r, f->aor, f->profile, n == 1 ? f->id : 0, on_restored, f) < 0)
			atomic_fetch_sub(&f->left, 1);
	}
	on_restored(f, 0);
	return true;
}

static void on_saa(void *arg, const struct cx_saa *a)
{
	struct fetch *f = arg;
	struct scscf *s = f->sw->s;
	struct cx_verdict v = cx_judge(&a->result, s->hss);
	char why[160] = "";

	bool told = v.status == 0 || a->n_restorations;		/* IN_ASSIGNMENT_TYPE: it is registered, here is what we knew */

	if (a->n_features)
		atomic_store_explicit(&s->hss_features, cx_features(a->n_features, a->features), memory_order_relaxed);
	if (told && a->user_data.l && profile_parse(a->user_data, s->criteria, &f->profile, why) < 0)
		log_warn(LOG_REG, "User-Data of the HSS cannot be used", LOG_S("impi", a->impi), LOG_C("why", why));
	if (restore(f, a)) {
		metric_add(&m_fetched, "restored", NULL, 1);
		return;
	}
	metric_add(&m_fetched, v.status ? v.cause : f->profile ? "ok" : "no_profile", NULL, 1);
	if (f->type == CX_SAR_NO_ASSIGNMENT) {		/* the registration is lost: the phone is told so */
		on_adopted(f, 0);
		return;
	}
	if (v.status && v.status != 403) {
		refuse(f, v.status, v.why, v.retry_after ? s->reg->retry_after_s : 0);
		return;
	}
	/* The HSS says no, or says nothing of services: then the user is just not registered. */
	if (!f->profile || !f->profile->impi) {
		refuse(f, 480, "the user is not registered", 0);
		return;
	}
	if (registrar_adopt(s, str_from_c(f->profile->impi), f->profile, on_adopted, f) < 0)
		refuse(f, 503, "out of memory", s->reg->retry_after_s);
}

static bool ask(struct scscf_worker *sw, struct session_in *in, struct str aor, enum cx_sar_type type, uint64_t id)
{
	struct cx_sar sar = { .impus = { 1, { aor } }, .server_name = sw->s->server_name, .type = type };
	struct fetch *f;

	if (in->again || !assign_wanted(sw->s, type))
		return false;
	if (restoration_wanted(sw->s))
		sar.features[sar.n_features++] = cx_features_make(CX_FEATURE_SIFC | CX_FEATURE_ALIAS | CX_FEATURE_RESTORATION);
	f = calloc(1, sizeof(*f));
	if (!f)
		return false;
	*f = (struct fetch){ .sw = sw, .h = tx_server_handle(in->st), .m = sip_msg_ref(in->m), .type = type, .id = id,
			     .aor = arena_dup(in->m->arena, aor),
			     .correlation = arena_dup(in->m->arena, log_correlation_get()) };
	list_add_tail(&sw->fetches, &f->link);
	if (sw->s->cx->sar(sw->w->dia, &sar, on_saa, f) == 0) {
		fetch_free(f);
		return false;
	}
	return true;
}

bool unregistered_fetch(struct scscf_worker *sw, struct session_in *in, struct str aor)
{
	return ask(sw, in, aor, CX_SAR_UNREGISTERED_USER, 0);
}

bool unregistered_restore(struct scscf_worker *sw, struct session_in *in, struct str aor, uint64_t id)
{
	return restoration_wanted(sw->s) && ask(sw, in, aor, CX_SAR_NO_ASSIGNMENT, id);
}
