/* tests/hss/mar.c - authentication vectors for the S-CSCF.  TS 29.228 §6.3.1; SIP Digest: TS 33.203 annex N; GIBA: annex T. */
#include <errno.h>
#include <stdio.h>
#include "common/log/log.h"
#include "tests/hss/auc.h"
#include "tests/hss/hss.h"

enum scheme { SCHEME_NONE, SCHEME_AKA, SCHEME_DIGEST, SCHEME_GIBA };

static enum scheme choose(const struct sub *b, struct str asked)
{
	if (asked.l == 0 || str_ieq(asked, STR("Unknown")))
		return b->aka ? SCHEME_AKA : b->password ? SCHEME_DIGEST : SCHEME_GIBA;
	if ((str_ieq(asked, STR("GIBA")) || str_ieq(asked, STR("Early-IMS-Security"))) && addr_is_set(&b->giba))
		return SCHEME_GIBA;
	if ((str_ieq(asked, STR("Digest-AKAv1-MD5")) || str_ieq(asked, STR("Digest-AKAv2-SHA-256"))) && b->aka)
		return SCHEME_AKA;
	if (str_ieq(asked, STR("SIP Digest")) && b->password)
		return SCHEME_DIGEST;
	return SCHEME_NONE;
}

static unsigned wanted(const struct hss *h, const struct cx_mar *r)
{
	unsigned n = r->n_items ? r->n_items : 1, max = h->set.max_vectors;

	if (max == 0 || max > CX_MAX_VECTORS)
		max = CX_MAX_VECTORS;
	return n < max ? n : max;
}

static void put_vectors(const struct hss *h, struct sub *b, struct str scheme, unsigned n, struct cx_maa *a, struct mar_work *w)
{
	for (unsigned i = 0; i < n; i++) {
		struct aka_vector *v = &w->v[i];

		auc_vector(b, h->set.zero_in_res, v);
		memcpy(w->rand_autn[i], v->rand, 16);
		memcpy(w->rand_autn[i] + 16, v->autn, 16);
		a->item[i] = (struct cx_auth_item){ .number = i + 1, .scheme = scheme,
						    .authenticate = str_make(w->rand_autn[i], 32),
						    .authorization = str_make((const char *)v->xres, v->xres_len),
						    .ck = str_make((const char *)v->ck, 16), .ik = str_make((const char *)v->ik, 16) };
	}
	a->n_items = n;
	b->n.vectors += n;
}

static void put_digest(const struct hss *h, const struct sub *b, struct cx_maa *a, struct mar_work *w)
{
	struct str realm = str_from_c(b->digest_realm ? b->digest_realm : h->subs->domain);

	auth_ha1(b->digest, str_from_c(b->impi), realm, str_from_c(b->password), w->ha1);
	a->item[0] = (struct cx_auth_item){ .number = 1, .scheme = STR("SIP Digest"), .digest_realm = realm,
					    .digest_ha1 = str_from_c(w->ha1), .digest_qop = STR("auth"),
					    .digest_algorithm = str_from_c(auth_algorithm_name(b->digest)) };
	a->n_items = 1;
}

/* The address that the bearer of this IMSI has.  Of IPv6 the prefix, which is the phone's own (TS 29.061 §11.2.1.3); with the interface
 * identifier, when the subscribers file names one. */
static void put_address(const struct sub *b, struct str scheme, struct cx_maa *a, struct mar_work *w)
{
	struct cx_auth_item *it = &a->item[0];

	*it = (struct cx_auth_item){ .number = 1, .scheme = scheme };
	a->n_items = 1;
	if (b->giba.sa.sa_family == AF_INET) {
		memcpy(w->framed, &b->giba.in4.sin_addr, 4);
		it->framed_ip = str_make(w->framed, 4);
		return;
	}
	w->framed[0] = 0;			/* RFC 3162 §2.3: reserved, length in bits, prefix */
	w->framed[1] = 64;
	memcpy(w->framed + 2, &b->giba.in6.sin6_addr, 8);
	it->framed_ip6 = str_make(w->framed, 10);
	if (memcmp((const uint8_t *)&b->giba.in6.sin6_addr + 8, (const uint8_t[8]){ 0 }, 8) != 0)
		it->framed_interface = str_make((const char *)&b->giba.in6.sin6_addr + 8, 8);
}

/* Steps of a synchronisation failure: only the S-CSCF that has the challenge may ask (§6.3.1). */
static bool resync(const struct sub *b, struct sub *keys, const struct cx_mar *r, struct dia_result *ret)
{
	int rc;

	if (!b->d.server_name || !str_ieq_c(r->server_name, b->d.server_name)) {
		*ret = res_base(DIA_UNABLE_TO_COMPLY);
		return false;
	}
	rc = auc_resync(keys, r->item.authorization);
	if (rc < 0) {
		log_warn(LOG_SEC, "resynchronisation refused", LOG_C("impi", b->impi),
			 LOG_C("why", rc == -EBADMSG ? "length of RAND and AUTS" : "MAC-S is wrong"));
		*ret = res_base(rc == -EBADMSG ? DIA_INVALID_AVP_VALUE : DIA_UNABLE_TO_COMPLY);
		return false;
	}
	keys->n.resyncs++;
	return true;
}

/* The S-CSCF that asks has the challenge out: it is remembered, and the next UAR leads to it. */
static bool remember(struct hss *h, struct sub *b, const struct cx_mar *r)
{
	const char *name = subs_intern(h->subs, r->server_name), *host = NULL;

	if (r->origin_host.l)
		host = subs_intern(h->subs, r->origin_host);
	if (!name || (r->origin_host.l && !host))
		return false;
	/* A registered user keeps the host that holds its registration until a SAR says otherwise: it will be told to let go. */
	if (b->d.state != SUB_REGISTERED || !b->d.server_host)
		b->d.server_host = host;
	b->d.server_name = name;
	b->d.auth_pending = true;
	return true;
}

void hss_mar(struct hss *h, const struct cx_mar *r, struct cx_maa *a, struct mar_work *w)
{
	const struct sub_impu *id;
	struct sub_dyn before, keys_before;
	struct sub *b, *keys;
	enum scheme s;

	if (!hss_identify(h, r->impi, r->impu, &b, &id, &a->result))
		return;
	keys = subs_set(h->subs, b->impi, 1);
	if (!keys) {
		a->result = res_exp(CX_USER_UNKNOWN);
		return;
	}
	b->n.mar++;
	before = b->d;
	keys_before = keys->d;
	s = choose(keys, r->item.scheme);
	if (s == SCHEME_NONE) {
		a->result = res_exp(CX_AUTH_SCHEME_NOT_SUPPORTED);
		return;
	}
	if (r->server_name.l == 0) {
		a->result = res_base(DIA_MISSING_AVP);
		return;
	}
	if (s == SCHEME_AKA && r->item.authorization.l && !resync(b, keys, r, &a->result))
		return;
	if (s == SCHEME_AKA)
		put_vectors(h, keys, str_ieq(r->item.scheme, STR("Digest-AKAv2-SHA-256")) ? STR("Digest-AKAv2-SHA-256") : STR("Digest-AKAv1-MD5"),
			    wanted(h, r), a, w);
	else if (s == SCHEME_DIGEST)
		put_digest(h, keys, a, w);
	else
		put_address(keys, str_ieq(r->item.scheme, STR("Early-IMS-Security")) ? r->item.scheme : STR("GIBA"), a, w);
	a->impi = r->impi;
	a->impu = r->impu;
	a->result = res_base(DIA_SUCCESS);
	if (!remember(h, b, r) || hss_store(h, b) < 0 || (keys != b && hss_store(h, keys) < 0)) {
		keys->d = keys_before;
		b->d = before;
		*a = (struct cx_maa){ .result = res_base(DIA_UNABLE_TO_COMPLY) };
	}
}
