/* tests/hss/sar.c - the S-CSCF takes, keeps or lets go of a user.  TS 29.228 §6.1.2.1, a row per Server-Assignment-Type. */
#include <stdlib.h>
#include "common/log/log.h"
#include "tests/hss/hss.h"

#define USER_DATA_MAX BEHAVE_MAX_USER_DATA

struct order {
	struct hss *h;
	const struct cx_sar *r;
	struct sub *b;
	struct cx_saa *a;
	const char *moved_from;
};

/* ---- restoration information: TS 29.228 §6.1.2.1, TS 23.380 ---- */

static const char *put(char **at, struct str s)
{
	char *to = *at;

	if (s.l)
		memcpy(to, s.p, s.l);
	to[s.l] = '\0';
	*at += s.l + 1;
	return to;
}

static void keep_restoration(struct sub *b, const struct cx_restoration *r)
{
	struct sub_restoration *k;
	size_t text = 0;
	char *at;

	for (unsigned i = 0; i < r->n; i++)
		text += r->v[i].path.l + r->v[i].contact.l + r->v[i].call_id.l + 3;
	k = calloc(1, sizeof(*k) + text);
	free(b->restoration);
	b->restoration = k;
	if (!k)
		return;
	at = (char *)(k + 1);
	for (; k->n < r->n && k->n < sizeof(k->v) / sizeof(k->v[0]); k->n++) {
		k->v[k->n].path = put(&at, r->v[k->n].path);
		k->v[k->n].contact = put(&at, r->v[k->n].contact);
		k->v[k->n].call_id = put(&at, r->v[k->n].call_id);
		k->v[k->n].cseq = r->v[k->n].cseq;
	}
}

static void forget_restoration(struct sub *b)
{
	free(b->restoration);
	b->restoration = NULL;
}

static bool give_restoration(const struct order *o)
{
	const struct sub_restoration *k = o->b->restoration;
	struct cx_restoration *to = &o->a->restoration[0];

	if (!o->h->set.restoration || !k || k->n == 0 || !(cx_features(o->r->n_features, o->r->features) & CX_FEATURE_RESTORATION))
		return false;
	o->a->n_restorations = 1;
	*to = (struct cx_restoration){ .impi = str_from_c(o->b->impi) };
	for (; to->n < k->n; to->n++)
		to->v[to->n] = (struct cx_restored){ str_from_c(k->v[to->n].path), str_from_c(k->v[to->n].contact), str_from_c(k->v[to->n].call_id),
						     k->v[to->n].cseq };
	return true;
}

/* ---- the types ---- */

static bool same_server(const struct order *o)
{
	return o->b->d.server_name && str_ieq_c(o->r->server_name, o->b->d.server_name);
}

static bool other_server(const struct order *o)
{
	return o->b->d.server_name && !same_server(o);
}

static void assign(struct order *o, enum sub_state st)
{
	struct sub_dyn *d = &o->b->d;
	const char *host = o->r->origin_host.l ? subs_intern(o->h->subs, o->r->origin_host) : NULL;
	const char *name = subs_intern(o->h->subs, o->r->server_name);

	if (!name) {
		o->a->result = res_base(DIA_UNABLE_TO_COMPLY);
		return;
	}
	if (d->state == SUB_REGISTERED && d->server_host && host && d->server_host != host)
		o->moved_from = d->server_host;
	d->server_name = name;
	d->server_host = host;
	d->state = st;
	o->a->result = res_base(DIA_SUCCESS);
}

static void let_go(struct order *o)
{
	o->b->d.server_name = o->b->d.server_host = NULL;
	o->b->d.state = SUB_NOT_REGISTERED;
	o->b->d.auth_pending = false;
	o->a->result = res_base(DIA_SUCCESS);
	forget_restoration(o->b);
}

/* 1, 2.  Whoever has asked for vectors last is the S-CSCF (mar.c): another one comes too late. */
static void registration(struct order *o)
{
	if (other_server(o)) {
		o->a->result = res_exp(CX_IDENTITY_ALREADY_REGISTERED);
		return;
	}
	assign(o, SUB_REGISTERED);
	o->b->d.auth_pending = false;
	if (o->h->set.restoration && o->r->n_restorations)
		keep_restoration(o->b, &o->r->restoration[0]);
}

/* Registered: its S-CSCF has forgotten it, and gets back what it had told (TS 23.380 §4.4). */
static void unregistered_user(struct order *o)
{
	if (other_server(o))
		o->a->result = res_exp(CX_IDENTITY_ALREADY_REGISTERED);
	else if (o->b->d.state == SUB_REGISTERED) {
		o->a->result = res_exp(CX_IN_ASSIGNMENT_TYPE);
		give_restoration(o);
	} else {
		assign(o, SUB_UNREGISTERED);
	}
}

static void no_assignment(struct order *o)
{
	o->a->result = same_server(o) ? res_base(DIA_SUCCESS) : res_base(DIA_UNABLE_TO_COMPLY);
	if (same_server(o) && o->b->d.state == SUB_REGISTERED)
		give_restoration(o);
}

static void only_ours(struct order *o)
{
	o->a->result = same_server(o) ? res_base(DIA_SUCCESS) : res_base(DIA_UNABLE_TO_COMPLY);
}

static void deregistration(struct order *o)
{
	only_ours(o);
	if (same_server(o))
		let_go(o);
}

static void deregistration_store(struct order *o)
{
	only_ours(o);
	if (!same_server(o))
		return;
	if (o->h->set.keep_server_name) {
		o->b->d.state = SUB_UNREGISTERED;
		o->b->d.auth_pending = false;
	} else {
		let_go(o);
		o->a->result = res_exp(CX_SERVER_NAME_NOT_STORED);
	}
}

/* What was registered stays so: one failed challenge must not take the service of the right phone away. */
static void authentication_failed(struct order *o)
{
	only_ours(o);
	if (!same_server(o))
		return;
	if (o->b->d.state == SUB_NOT_REGISTERED)
		let_go(o);
	o->b->d.auth_pending = false;
}

static const struct {
	void (*fn)(struct order *o);		/* NULL: not of an IMS (Cx) */
	bool profile, many;			/* User-Data in the answer; several public identities allowed, or none */
} types[] = {
	[CX_SAR_NO_ASSIGNMENT] = { no_assignment, true, false },
	[CX_SAR_REGISTRATION] = { registration, true, false },
	[CX_SAR_RE_REGISTRATION] = { registration, true, false },
	[CX_SAR_UNREGISTERED_USER] = { unregistered_user, true, false },
	[CX_SAR_TIMEOUT_DEREGISTRATION] = { deregistration, false, true },
	[CX_SAR_USER_DEREGISTRATION] = { deregistration, false, true },
	[CX_SAR_TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME] = { deregistration_store, false, true },
	[CX_SAR_USER_DEREGISTRATION_STORE_SERVER_NAME] = { deregistration_store, false, true },
	[CX_SAR_ADMINISTRATIVE_DEREGISTRATION] = { deregistration, false, true },
	[CX_SAR_AUTHENTICATION_FAILURE] = { authentication_failed, false, false },
	[CX_SAR_AUTHENTICATION_TIMEOUT] = { authentication_failed, false, false },
	[CX_SAR_DEREGISTRATION_TOO_MUCH_DATA] = { deregistration, false, true },
	[CX_SAR_AAA_USER_DATA_REQUEST] = { NULL, false, false },
	[CX_SAR_PGW_UPDATE] = { NULL, false, false },
	[CX_SAR_RESTORATION] = { NULL, false, false },
};

/* No public identity is named: the sets that this S-CSCF has, first the one that answers. */
static struct sub *served(struct hss *h, const struct cx_sar *r, struct sub *first)
{
	for (unsigned n = 1; n <= SUB_MAX_SETS; n++) {
		struct sub *b = subs_set(h->subs, first->impi, n);

		if (b && b->d.server_name && str_ieq_c(r->server_name, b->d.server_name))
			return b;
	}
	return first;
}

/* The other implicit registration sets that a de-registration is for. */
static void other_sets(const struct order *o)
{
	for (unsigned n = 1; types[o->r->type].many && n <= SUB_MAX_SETS; n++) {
		struct sub *b = subs_set(o->h->subs, o->b->impi, n);
		bool named = o->r->impus.n == 0;
		struct cx_saa ignored = { 0 };
		struct order other = { .h = o->h, .r = o->r, .b = b, .a = &ignored };

		for (unsigned i = 0; i < o->r->impus.n; i++)
			named = named || subs_by_impu(o->h->subs, o->r->impus.v[i], NULL) == b;
		if (!b || b == o->b || !named || !same_server(&other))
			continue;
		types[o->r->type].fn(&other);
		hss_store(o->h, b);
	}
}

/* Private identity, public ones, or both: all that are given must be of one subscriber. */
static bool identify(struct hss *h, const struct cx_sar *r, struct sub **ret, struct dia_result *res)
{
	bool many = types[r->type].many;
	struct sub *b = subs_by_impi(h->subs, r->impi);

	if (r->impus.n == 0 && (r->impi.l == 0 || !many))
		*res = res_base(DIA_MISSING_AVP);
	else if (r->impus.n > 1 && !many)
		*res = res_base(DIA_AVP_OCCURS_TOO_MANY_TIMES);
	else if (r->impi.l && !b)
		*res = res_exp(CX_USER_UNKNOWN);
	else {
		for (unsigned i = 0; i < r->impus.n; i++) {
			struct sub *other = subs_by_impu(h->subs, r->impus.v[i], NULL);

			if (!other || (b && strcmp(other->impi, b->impi) != 0)) {
				*res = res_exp(other ? CX_IDENTITIES_DONT_MATCH : CX_USER_UNKNOWN);
				return false;
			}
			if (!*ret)
				*ret = other;
			b = other;
		}
		if (!*ret)
			*ret = served(h, r, b);
		return true;
	}
	return false;
}

static bool put_profile(struct order *o, struct buf *xml)
{
	profile_xml(o->b, xml);
	if (xml->failed || xml->l > USER_DATA_MAX) {
		log_error(LOG_CORE, "the profile does not fit into a Diameter message", LOG_C("impi", o->b->impi));
		return false;
	}
	o->a->user_data = buf_str(xml);
	hss_charging(o->h, &o->a->primary_ccf, &o->a->secondary_ccf, &o->a->primary_ecf, &o->a->secondary_ecf);
	return true;
}

void hss_sar(struct hss *h, const struct cx_sar *r, struct cx_saa *a, struct buf *xml, const char **ret_moved_from)
{
	struct order o = { .h = h, .r = r, .a = a };
	struct sub_dyn before;

	*ret_moved_from = NULL;
	if (r->type >= sizeof(types) / sizeof(types[0])) {
		a->result = res_base(DIA_INVALID_AVP_VALUE);
		return;
	}
	if (!types[r->type].fn) {
		a->result = res_base(DIA_UNABLE_TO_COMPLY);
		return;
	}
	if (r->server_name.l == 0) {
		a->result = res_base(DIA_MISSING_AVP);
		return;
	}
	if (!identify(h, r, &o.b, &a->result))
		return;
	o.b->n.sar++;
	before = o.b->d;
	types[r->type].fn(&o);
	other_sets(&o);
	a->impi = str_from_c(o.b->impi);
	if (r->n_features && h->set.restoration)
		a->features[a->n_features++] = cx_features_make(CX_FEATURE_SIFC | CX_FEATURE_ALIAS | CX_FEATURE_RESTORATION);
	if (a->n_restorations && a->result.code == CX_IN_ASSIGNMENT_TYPE) {
		if (!put_profile(&o, xml))
			*a = (struct cx_saa){ .result = res_base(DIA_UNABLE_TO_COMPLY) };
		return;
	}
	if (a->result.experimental ? a->result.code != CX_SERVER_NAME_NOT_STORED : a->result.code != DIA_SUCCESS)
		return;
	if ((types[r->type].profile && !r->user_data_available && !put_profile(&o, xml)) || hss_store(h, o.b) < 0) {
		o.b->d = before;
		*a = (struct cx_saa){ .result = res_base(DIA_UNABLE_TO_COMPLY) };
		return;
	}
	*ret_moved_from = o.moved_from;
}
