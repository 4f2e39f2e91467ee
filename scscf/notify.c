/* scscf/notify.c - what a NOTIFY of the reg event package says: TS 24.229 §5.4.2.1.2; RFC 3680 §4.6, §5; rows S14, S16.
 *
 * Every identity of the implicit registration set that is not barred is a registration of its own, each with all contacts.
 * What is there now comes from the views; what was there from the views of the last NOTIFY; why a contact went from the news. */
#include "common/util/clock.h"
#include "scscf/gruu.h"
#include "scscf/subscription.h"

struct writer {
	const struct subscription *s;
	const struct aor_view *now;
	struct buf *out;
	uint64_t wall_us;
	bool full;
	enum notify_detail detail;
	bool any;			/* something was written */
};

static const struct profile_identity *listed(const struct reg_view *v, struct str aor)
{
	const struct profile_identity *id = v->emergency ? NULL : profile_find(v->profile, aor);	/* TS 24.229 §5.4.8 */

	return id && !id->barred ? id : NULL;
}

static struct str text(const char *c)
{
	return c ? str_from_c(c) : STR_NONE;
}

/* The same contact of the same phone: what an id stands for. */
static uint64_t contact_id(struct str aor, struct str impi, struct str uri)
{
	return hash_mix(hash_mix(hash_str(aor), hash_str(impi)), hash_str(uri));
}

static const struct reg_contact_view *contact_find(const struct aor_view *set, struct str aor, struct str impi, struct str uri)
{
	for (unsigned i = 0; set && i < set->n; i++) {
		const struct reg_view *v = set->v[i];

		if (!str_eq_c(impi, v->impi) || !listed(v, aor))
			continue;
		for (unsigned k = 0; k < v->n_contacts; k++)
			if (str_eq_c(uri, v->contacts[k].uri))
				return &v->contacts[k];
	}
	return NULL;
}

/* ---- one contact ---- */

/* TS 24.229 §5.4.2.1.2: the identity that was registered is "registered", those that came along with it "created". */
static enum reginfo_event event_of(const struct writer *w, struct str aor, const struct reg_view *v, const struct reg_contact_view *c)
{
	enum reginfo_event e = (enum reginfo_event)c->event;
	bool came_along = c->impu < v->profile->n_identities && !str_eq_c(aor, v->profile->identity[c->impu].aor);

	if (e == REGINFO_NONE)
		e = REGINFO_REGISTERED;
	if (came_along && (e == REGINFO_REGISTERED ||
			   (w->s->told && !contact_find(w->s->told, aor, str_from_c(v->impi), str_from_c(c->uri)))))
		return REGINFO_CREATED;
	return e;
}

static bool same(const struct reg_contact_view *a, const struct reg_contact_view *b)
{
	return a == b || (a->cseq == b->cseq && a->event == b->event && a->expires_wall_us == b->expires_wall_us && a->q == b->q &&
			  str_eq(text(a->call_id), text(b->call_id)) && str_eq(text(a->params), text(b->params)));
}

static void put_active(struct writer *w, struct str aor, const struct reg_view *v, const struct reg_contact_view *c)
{
	uint64_t left_s = (c->expires_wall_us - w->wall_us + 999999) / 1000000;
	struct stack *stack = subscription_stack(w->s);
	struct buf pub, temp;

	buf_init(&pub, GRUU_MAX);
	buf_init(&temp, GRUU_MAX);
	if (c->gruu && str_istarts(aor, STR("sip:")) && w->detail == NOTIFY_ALL) {	/* RFC 5628 */
		const struct profile_identity *id = listed(v, aor);

		gruu_public(&pub, stack_token_key(stack), id->aor, gruu_instance(c));
		gruu_temporary(&temp, stack_token_key(stack), stack_sip_name(stack), v->id, id->aor, gruu_instance(c), text(c->call_id), c->cseq);
	}
	reginfo_contact(w->out, &(const struct reginfo_contact){
		.id = contact_id(aor, str_from_c(v->impi), str_from_c(c->uri)), .active = true, .event = event_of(w, aor, v, c),
		.has_expires = true, .expires_s = left_s > UINT32_MAX ? UINT32_MAX : (uint32_t)left_s, .has_q = true, .q = c->q,
		.has_cseq = c->call_id != NULL, .cseq = c->cseq, .call_id = text(c->call_id), .uri = text(c->uri),
		.display = text(c->display), .params = w->detail == NOTIFY_ALL ? text(c->params) : STR_NONE,
		.pub_gruu = pub.failed ? STR_NONE : buf_str(&pub), .temp_gruu = temp.failed ? STR_NONE : buf_str(&temp) });
	buf_fini(&pub);
	buf_fini(&temp);
}

static void put_ended(struct writer *w, struct str aor, struct str impi, const struct reg_ended *e)
{
	reginfo_contact(w->out, &(const struct reginfo_contact){
		.id = contact_id(aor, impi, e->uri), .event = e->event, .has_expires = true,
		.has_retry_after = e->event == REGINFO_PROBATION && e->retry_after_s, .retry_after_s = e->retry_after_s,
		.has_cseq = e->call_id.l > 0, .cseq = e->cseq, .call_id = e->call_id, .uri = e->uri, .display = e->display,
		.params = w->detail == NOTIFY_ALL ? e->params : STR_NONE });
}

/* ---- one identity ---- */

static unsigned active_contacts(struct writer *w, struct str aor, bool write)
{
	unsigned n = 0;

	for (unsigned i = 0; w->now && i < w->now->n; i++) {
		const struct reg_view *v = w->now->v[i];

		for (unsigned k = 0; listed(v, aor) && k < v->n_contacts; k++) {
			const struct reg_contact_view *c = &v->contacts[k], *old;

			if (c->expires_wall_us <= w->wall_us)	/* its owner is about to say so */
				continue;
			n++;
			old = w->full ? NULL : contact_find(w->s->told, aor, str_from_c(v->impi), text(c->uri));
			if (write && (!old || !same(old, c)))
				put_active(w, aor, v, c);
		}
	}
	return n;
}

static bool is_about(const struct reg_change *c, struct str aor)
{
	for (unsigned i = 0; i < c->n_aors; i++)
		if (str_eq(c->aor[i], aor))
			return true;
	return false;
}

static unsigned ended_contacts(struct writer *w, struct str aor, bool write)
{
	unsigned n = 0;
	struct list *pos;

	list_for_each(pos, &w->s->news) {
		const struct reg_change *c = list_entry(pos, struct news, link)->c;

		for (unsigned i = 0; is_about(c, aor) && i < c->n_ended; i++) {
			if (contact_find(w->now, aor, c->impi, c->ended[i].uri))
				continue;		/* it is back */
			n++;
			if (write)
				put_ended(w, aor, c->impi, &c->ended[i]);
		}
	}
	return n;
}

/* An identity that the profile has lost while its contacts live on under others: PPR (TS 24.229 §5.4.2.1.2). */
static unsigned lost_contacts(struct writer *w, struct str aor, bool write)
{
	unsigned n = 0;

	for (unsigned i = 0; w->s->told && i < w->s->told->n; i++) {
		const struct reg_view *v = w->s->told->v[i];

		for (unsigned k = 0; listed(v, aor) && k < v->n_contacts; k++) {
			const struct reg_contact_view *c = &v->contacts[k];
			bool elsewhere = false;

			for (unsigned m = 0; w->now && m < w->now->n; m++) {
				const struct reg_view *u = w->now->v[m];

				for (unsigned q = 0; str_eq_c(text(v->impi), u->impi) && !listed(u, aor) && q < u->n_contacts; q++)
					elsewhere = elsewhere || str_eq_c(text(c->uri), u->contacts[q].uri);
			}
			if (!elsewhere)
				continue;
			n++;
			if (write)
				put_ended(w, aor, str_from_c(v->impi), &(const struct reg_ended){
					.uri = text(c->uri), .params = text(c->params), .display = text(c->display),
					.call_id = text(c->call_id), .cseq = c->cseq, .event = REGINFO_DEACTIVATED });
		}
	}
	return n;
}

/* Would a partial document say anything about it? */
static bool changed(struct writer *w, struct str aor)
{
	struct buf probe, *out = w->out;
	bool any;

	if (ended_contacts(w, aor, false) || lost_contacts(w, aor, false))
		return true;
	buf_init(&probe, SIP_MSG_MAX_BYTES);
	w->out = &probe;
	active_contacts(w, aor, true);
	w->out = out;
	any = probe.l > 0 || probe.failed;
	buf_fini(&probe);
	return any;
}

static bool had_contacts(const struct aor_view *told, struct str aor)
{
	for (unsigned i = 0; told && i < told->n; i++)
		if (told->v[i]->n_contacts && listed(told->v[i], aor))
			return true;
	return false;
}

static void put_identity(struct writer *w, const struct profile_identity *id)
{
	struct str aor = str_from_c(id->aor);
	bool was = ended_contacts(w, aor, false) || had_contacts(w->s->told, aor);

	if (!w->full && !changed(w, aor))
		return;
	w->any = true;
	reginfo_registration_begin(w->out, str_from_c(id->uri), hash_str(aor),
				   active_contacts(w, aor, false) ? REGINFO_ACTIVE : was ? REGINFO_TERMINATED : REGINFO_INIT);
	active_contacts(w, aor, true);
	ended_contacts(w, aor, true);
	lost_contacts(w, aor, true);
	reginfo_registration_end(w->out, id->type == PROFILE_WILDCARDED_IMPU ? str_from_c(id->uri) : STR_NONE);
}

/* ---- all of them ---- */

static bool listed_before(const struct aor_view *set, unsigned until, struct str aor)
{
	for (unsigned i = 0; set && i < until && i < set->n; i++)
		if (listed(set->v[i], aor))
			return true;
	return false;
}

/* Identities of `set` that were not written yet: of an earlier view, or of all of `done`. */
static void put_set(struct writer *w, const struct aor_view *set, const struct aor_view *done)
{
	struct str only = subscription_aor(w->s);

	for (unsigned i = 0; set && i < set->n; i++) {
		const struct profile *p = set->v[i]->profile;

		if (set->v[i]->emergency)
			continue;

		for (unsigned k = 0; k < p->n_identities; k++) {
			struct str aor = str_from_c(p->identity[k].aor);

			if (p->identity[k].barred || (w->detail == NOTIFY_ONE_IDENTITY && !str_eq(aor, only)))
				continue;
			if (!listed_before(set, i, aor) && !listed_before(done, UINT32_MAX, aor))
				put_identity(w, &p->identity[k]);
		}
	}
}

bool notify_write(const struct subscription *s, const struct aor_view *now, bool full, enum notify_detail detail, struct buf *out)
{
	struct writer w = { .s = s, .now = now, .out = out, .wall_us = clock_wall_us(), .full = full, .detail = detail };

	reginfo_begin(out, s->version, full);
	put_set(&w, now, NULL);
	put_set(&w, s->told, now);
	reginfo_end(out);
	return full || w.any;
}
