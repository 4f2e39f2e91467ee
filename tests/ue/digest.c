/* tests/ue/digest.c - the answer to a challenge: Digest, and AKA with RES as the password.
 * RFC 7616, RFC 3310 §3.3, §3.4; TS 24.229 §5.1.1.5. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "tests/ue/ue.h"

void digest_forget(struct reg *r)
{
	free(r->realm);
	free(r->nonce);
	free(r->opaque);
	r->realm = r->nonce = r->opaque = NULL;
	memset(r->secret, 0, sizeof(r->secret));
	r->secret_len = 0;
	r->auts[0] = '\0';
	r->empty_response = false;
}

static int keep(struct reg *r, const struct auth_params *p)
{
	digest_forget(r);
	r->realm = str_dup(p->realm);
	r->nonce = str_dup(p->nonce);
	r->opaque = p->opaque.l ? str_dup(p->opaque) : NULL;
	r->algorithm = p->algorithm;
	r->nc = 0;
	return r->realm && r->nonce ? 0 : -ENOMEM;
}

/* qop="auth,auth-int": we take auth. */
static bool offers_qop_auth(struct str list)
{
	struct str one;

	while (sip_list_next(&list, &one))
		if (str_ieq(one, STR("auth")))
			return true;
	return false;
}

static int take_aka(struct ue *u, const struct auth_params *p)
{
	struct reg *r = &u->reg;
	uint8_t rand[16], autn[16], auts[14];
	struct milenage_out out;
	int rc = usim_nonce(p->nonce, rand, autn);

	if (rc < 0) {
		event_error(u, "the nonce of the challenge holds no RAND and AUTN");
		return rc;
	}
	rc = usim_challenge(&u->usim, rand, autn, &out, auts);
	if (rc == -EPERM) {			/* TS 24.229 §5.1.1.5.3 1) */
		event_error(u, "AUTN does not fit our key: the network is not ours, or K and OPc differ from the HSS's");
		r->empty_response = true;
		return ++r->invalid < 2 ? 0 : -EPERM;
	}
	if (rc == -ESTALE) {			/* TS 24.229 §5.1.1.5.3 2): the password is empty, RFC 3310 §3.4 */
		base64_encode(auts, sizeof(auts), false, r->auts);
		r->resyncs++;
		event_put(u, event_new("resync"), false);
		return r->resyncs <= 2 ? 0 : -ESTALE;
	}
	r->secret_len = sizeof(out.res);
	memcpy(r->secret, out.res, sizeof(out.res));
	memcpy(u->sec.ck, out.ck, sizeof(out.ck));
	memcpy(u->sec.ik, out.ik, sizeof(out.ik));
	memset(&out, 0, sizeof(out));
	return rc;
}

static bool can_answer(const struct ue *u, const struct auth_params *p)
{
	return auth_is_aka(p->algorithm) ? u->o.has_k : p->algorithm != AUTH_ALG_UNKNOWN && u->o.password[0];
}

static void tell_challenge(struct ue *u, const struct auth_params *p)
{
	cJSON *e = event_new("challenged");

	event_str(e, "algorithm", str_from_c(auth_algorithm_name(p->algorithm)));
	event_str(e, "realm", p->realm);
	event_str(e, "nonce", p->nonce);
	event_flag(e, "keysInChallenge", p->ck.l || p->ik.l);	/* they must not leave the P-CSCF: TS 24.229 §5.2.2.1 */
	event_put(u, e, false);
}

int digest_challenge(struct ue *u, const struct sip_msg *m)
{
	struct auth_params p = { 0 }, one;
	struct reg *r = &u->reg;
	bool found = false;
	int rc;

	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_H_WWW_AUTHENTICATE); h && !found; h = sip_msg_hdr_next(m, h)) {
		if (auth_params_parse(sip_msg_hdr_value(m, h), &one) < 0 || !can_answer(u, &one))
			continue;
		p = one;
		found = true;
	}
	if (!found) {
		event_error(u, "401 without a challenge that we can answer");
		return -ENOTSUP;
	}
	tell_challenge(u, &p);
	rc = keep(r, &p);
	if (rc < 0)
		return rc;
	r->with_qop = offers_qop_auth(p.qop);
	if (auth_is_aka(p.algorithm))
		return take_aka(u, &p);
	r->secret_len = strlen(u->o.password);
	memcpy(r->secret, u->o.password, r->secret_len);
	return 0;
}

/* Before any challenge: TS 24.229 §5.1.1.2.2, empty nonce and response. */
static void put_empty(const struct ue *u, struct buf *b, struct str uri)
{
	buf_printf(b, "Authorization: Digest username=\"%s\",realm=\"%s\",nonce=\"\",uri=\"%.*s\",response=\"\"\r\n", u->o.impi,
		   u->o.domain, STR_ARG(uri));
}

static void put_answer(struct ue *u, struct buf *b, struct str uri)
{
	struct reg *r = &u->reg;
	char ha1[AUTH_HEX_MAX], response[AUTH_HEX_MAX] = "", nc[9], cnonce[17];
	struct auth_params p = {
		.nonce = str_from_c(r->nonce), .uri = uri, .algorithm = r->algorithm, .realm = str_from_c(r->realm),
	};

	if (r->with_qop) {
		snprintf(nc, sizeof(nc), "%08x", ++r->nc);
		rand_token(cnonce, 16);
		p.qop = STR("auth");
		p.nc = str_from_c(nc);
		p.cnonce = str_from_c(cnonce);
	}
	if (auth_is_aka(r->algorithm))
		auth_aka_ha1(r->algorithm, str_from_c(u->o.impi), p.realm, str_make((const char *)r->secret, r->secret_len), u->sec.ik, u->sec.ck, ha1);
	else
		auth_ha1(r->algorithm, str_from_c(u->o.impi), p.realm, str_make((const char *)r->secret, r->secret_len), ha1);
	if (!r->empty_response)
		(void)auth_response(&p, str_from_c(ha1), STR("REGISTER"), STR_NONE, response);
	buf_printf(b, "Authorization: Digest username=\"%s\",realm=\"%s\",nonce=\"%s\",uri=\"%.*s\",response=\"%s\",algorithm=%s",
		   u->o.impi, r->realm, r->nonce, STR_ARG(uri), response, auth_algorithm_name(r->algorithm));
	if (r->with_qop)
		buf_printf(b, ",qop=auth,nc=%s,cnonce=\"%s\"", nc, cnonce);
	if (r->opaque)
		buf_printf(b, ",opaque=\"%s\"", r->opaque);
	if (r->auts[0])
		buf_printf(b, ",auts=\"%s\"", r->auts);
	buf_puts(b, "\r\n");
	r->auts[0] = '\0';
	r->empty_response = false;
}

void digest_put(struct ue *u, struct buf *b, struct str uri)
{
	if (u->reg.nonce)
		put_answer(u, b, uri);
	else if (!u->o.no_authorization)
		put_empty(u, b, uri);
}
