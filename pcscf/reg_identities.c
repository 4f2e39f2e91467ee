/* pcscf/reg_identities.c - which identities a phone may use from now on, as its registration state says: TS 24.229 §5.2.3, row P8.
 *
 * A Push-Profile gives a subscriber another identity, or takes one away, long before the phone's next REGISTER. */
#include <string.h>
#include "common/log/log.h"
#include "common/sip/reginfo.h"
#include "pcscf/reg_event.h"

static bool same_identity(const struct reginfo_registration *r, struct str aor)
{
	char text[512];
	struct sip_uri u;
	struct str canonical;

	return sip_uri_parse(r->aor, &u, NULL) == 0 && sip_uri_aor(&u, text, sizeof(text), &canonical) == 0 && str_eq(canonical, aor);
}

/* 1: active there, -1: no longer, 0: nothing is said of it. */
static int contact_state(const struct reginfo_registration *r, const struct sip_uri *contact)
{
	int state = 0;

	for (const struct reginfo_contact *c = r->contacts; c; c = c->next) {
		struct sip_uri u;

		if (sip_uri_parse(c->uri, &u, NULL) < 0 || !sip_uri_equal(&u, contact))
			continue;
		if (c->active)
			return 1;
		state = -1;
	}
	return state;
}

static bool is_taken_away(const struct reginfo *doc, const struct sip_uri *contact, struct str aor)
{
	for (const struct reginfo_registration *r = doc->registrations; r; r = r->next)
		if (same_identity(r, aor) && (r->state == REGINFO_TERMINATED || contact_state(r, contact) < 0))
			return true;
	return false;
}

static bool is_known(const struct binding *b, const struct reginfo_registration *r)
{
	for (unsigned i = 0; i < b->n_identities; i++)
		if (same_identity(r, b->identity[i].aor))
			return true;
	return false;
}

/* A wildcarded identity stands for many and is none that a phone may name as it stands. */
static bool is_given(const struct binding *b, const struct reginfo_registration *r, const struct sip_uri *contact)
{
	return r->state == REGINFO_ACTIVE && !memchr(r->aor.p, '!', r->aor.l) && contact_state(r, contact) > 0 && !is_known(b, r);
}

unsigned reg_identities_apply(struct bindings *bs, const struct binding *b, const struct reginfo *doc)
{
	bool keep[BINDING_MAX_IDENTITIES];
	struct str more[BINDING_MAX_IDENTITIES];
	struct sip_uri contact;
	unsigned n_more = 0, gone = 0;
	int rc;

	if (sip_uri_parse(b->contact, &contact, NULL) < 0)
		return 0;
	for (unsigned i = 0; i < b->n_identities; i++) {
		keep[i] = !is_taken_away(doc, &contact, b->identity[i].aor);
		gone += !keep[i];
	}
	for (const struct reginfo_registration *r = doc->registrations; r; r = r->next)
		if (n_more + b->n_identities - gone < BINDING_MAX_IDENTITIES && is_given(b, r, &contact))
			more[n_more++] = r->aor;
	if (gone + n_more == 0 || (gone == b->n_identities && n_more == 0))	/* the binding itself ends: not for here */
		return 0;
	rc = bindings_identities(bs, b->key, keep, more, n_more);
	if (rc < 0)
		log_warn(LOG_REG, "identities that the home network gave or took are not taken over", LOG_I("errno", -rc), LOG_S("impi", b->impi));
	return rc == 0 ? gone + n_more : 0;
}
