/* scscf/challenge.c - vectors and challenges: taken from a MAA, used one by one, found by nonce, written into a 401.
 * TS 33.203 §6.1; RFC 3310; RFC 7616; TS 29.228 §6.3; rows S2, S4. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "scscf/challenge.h"

#define NONCE_BYTES 16u

/* ---- state ---- */

void challenge_drop(struct auth *a, struct challenge *c)
{
	list_del(&c->link);
	a->n_challenges--;
	OPENSSL_cleanse(c, sizeof(*c));
	free(c);
}

void auth_drop_vectors(struct auth *a)
{
	if (a->vector)
		OPENSSL_cleanse(a->vector, a->n_vectors * sizeof(*a->vector));
	free(a->vector);
	a->vector = NULL;
	a->next = a->n_vectors = 0;
	if (a->ha1)
		OPENSSL_cleanse(a->ha1, strlen(a->ha1));
	free(a->ha1);
	free(a->realm);
	free(a->qop);
	a->ha1 = a->realm = a->qop = NULL;
}

static void spare_forget(struct registration *g)
{
	if (g->spare)
		OPENSSL_cleanse(g->spare, g->n_spare * sizeof(*g->spare));
	free(g->spare);
	g->spare = NULL;
	g->n_spare = 0;
}

static void auth_free(struct registration *g)
{
	struct auth *a = g->auth;

	timer_stop(&a->await);
	while (!list_empty(&a->challenges))
		challenge_drop(a, list_entry(a->challenges.next, struct challenge, link));
	auth_drop_vectors(a);
	free(a->impu);
	free(a);
	g->auth = NULL;
}

/* Its timer has run out, and the work waits for its turn or is being done. */
static bool is_awaited(const struct registration *g)
{
	return g->auth && (!list_empty(&g->auth->await_work.link) || g->current == &g->auth->await_work);
}

void auth_rest(struct registration *g)
{
	struct auth *a = g->auth;
	unsigned left = a->n_vectors - a->next;

	if (a->alg != AUTH_AKAV1_MD5 || a->n_challenges || is_awaited(g))
		return;
	spare_forget(g);
	g->spare = left ? malloc(left * sizeof(*g->spare)) : NULL;
	if (g->spare) {
		memcpy(g->spare, a->vector + a->next, left * sizeof(*g->spare));
		g->n_spare = (uint8_t)left;
	}
	auth_free(g);
}

void auth_forget(struct registration *g)
{
	spare_forget(g);
	if (g->auth)
		auth_free(g);
}

bool auth_pending(const struct registration *g)
{
	return g->auth && timer_pending(&g->auth->await);
}

void auth_forget_unused(struct registration *g)
{
	if (!auth_pending(g) && !is_awaited(g))
		auth_forget(g);
}

static void on_await(struct timer *t)
{
	struct auth *a = container_of(t, struct auth, await);

	registration_timed(a->g, t, &a->await_work);
}

struct auth *auth_get(struct registration *g)
{
	struct auth *a = g->auth ? NULL : calloc(1, sizeof(*a));

	if (!a)
		return g->auth;
	a->g = g;
	a->alg = g->spare ? AUTH_AKAV1_MD5 : AUTH_ALG_UNKNOWN;
	a->vector = g->spare;
	a->n_vectors = g->n_spare;
	g->spare = NULL;
	g->n_spare = 0;
	list_init(&a->challenges);
	list_init(&a->await_work.link);
	a->await_work.run = auth_await_run;
	timer_init(&a->await, on_await);
	g->auth = a;
	return a;
}

bool challenge_too_old(const struct registration *g, const struct challenge *c)
{
	const struct reg_config *cfg = registration_scscf(g)->reg;

	return registration_now_ms(g) - c->sent_ms >= (uint64_t)(c->answered ? cfg->nonce_lifetime_s : cfg->await_auth_s) * 1000;
}

struct challenge *challenge_find(const struct registration *g, struct str nonce)
{
	struct list *pos;

	if (!g->auth || nonce.l == 0)
		return NULL;
	list_for_each(pos, &g->auth->challenges) {
		struct challenge *c = list_entry(pos, struct challenge, link);

		if (str_eq_c(nonce, c->nonce) && (c->answered || !challenge_too_old(g, c)))
			return c;
	}
	return NULL;
}

struct challenge *challenge_outstanding(const struct registration *g)	/* the youngest without an answer */
{
	struct list *pos;

	if (g->auth)
		for (pos = g->auth->challenges.prev; pos != &g->auth->challenges; pos = pos->prev)
			if (!list_entry(pos, struct challenge, link)->answered)
				return list_entry(pos, struct challenge, link);
	return NULL;
}
/* ---- what the HSS gave: TS 29.228 §6.3 ---- */

bool auth_quotable(struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if (s.p[i] == '"' || s.p[i] == '\\' || (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool take_aka(struct auth *a, const struct cx_maa *m)
{
	struct aka *v = calloc(m->n_items, sizeof(*v));
	unsigned n = 0;

	for (unsigned i = 0; v && i < m->n_items; i++) {
		const struct cx_auth_item *it = &m->item[i];

		if (it->authenticate.l != sizeof(v->rand_autn) || it->authorization.l < 4 || it->authorization.l > sizeof(v->xres))
			continue;
		memcpy(v[n].rand_autn, it->authenticate.p, sizeof(v->rand_autn));
		memcpy(v[n].xres, it->authorization.p, it->authorization.l);
		v[n].xres_len = (uint8_t)it->authorization.l;
		v[n].keys = it->ck.l == sizeof(v->ck) && it->ik.l == sizeof(v->ik);
		if (v[n].keys) {
			memcpy(v[n].ck, it->ck.p, sizeof(v->ck));
			memcpy(v[n].ik, it->ik.p, sizeof(v->ik));
		}
		n++;
	}
	if (n == 0) {
		free(v);
		return false;
	}
	auth_drop_vectors(a);
	a->alg = AUTH_AKAV1_MD5;
	a->vector = v;
	a->n_vectors = n;
	return true;
}

static bool take_digest(struct registration *g, const struct cx_auth_item *it)
{
	struct auth *a = g->auth;
	bool sha = str_ieq(it->digest_algorithm, STR("SHA-256"));

	if (it->digest_ha1.l != (sha ? 64u : 32u) || (it->digest_algorithm.l && !sha && !str_ieq(it->digest_algorithm, STR("MD5"))) ||
	    !auth_quotable(it->digest_realm) || !auth_quotable(it->digest_qop))
		return false;
	auth_drop_vectors(a);
	a->alg = sha ? AUTH_SHA256 : AUTH_MD5;
	a->ha1 = str_dup(it->digest_ha1);
	if (!a->ha1)
		return false;
	for (char *c = a->ha1; *c; c++)
		if (*c >= 'A' && *c <= 'F')
			*c = (char)(*c | 0x20);
	a->realm = it->digest_realm.l ? str_dup(it->digest_realm) : NULL;
	a->qop = it->digest_qop.l ? str_dup(it->digest_qop) : NULL;
	a->ha1_ms = registration_now_ms(g);
	return true;
}

bool auth_take(struct registration *g, const struct cx_maa *m)
{
	if (m->n_items == 0)
		return false;
	if (m->item[0].digest_ha1.l)
		return take_digest(g, &m->item[0]);
	return take_aka(g->auth, m);
}

static void keep(struct auth *a, struct challenge *c)
{
	if (a->n_challenges == AUTH_MAX_CHALLENGES)
		challenge_drop(a, list_entry(a->challenges.next, struct challenge, link));
	list_add_tail(&a->challenges, &c->link);
	a->n_challenges++;
}

struct challenge *challenge_make(struct registration *g)
{
	struct auth *a = g->auth;
	uint8_t nonce[NONCE_BYTES];
	struct challenge *c;

	if (a->alg == AUTH_AKAV1_MD5 ? a->next == a->n_vectors : !a->ha1)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->sent_ms = registration_now_ms(g);
	if (a->alg == AUTH_AKAV1_MD5) {
		c->aka = a->vector[a->next];
		OPENSSL_cleanse(&a->vector[a->next++], sizeof(c->aka));
		base64_encode(c->aka.rand_autn, sizeof(c->aka.rand_autn), false, c->nonce);
	} else {
		rand_bytes(nonce, sizeof(nonce));
		hex_encode(nonce, sizeof(nonce), c->nonce);
	}
	keep(a, c);
	return c;
}

struct challenge *challenge_make_next(struct registration *g)
{
	struct challenge *c = g->auth->ha1 ? challenge_make(g) : NULL;

	if (c)
		c->answered = true;	/* its phone has just proven itself: it serves until nonce_lifetime_s */
	return c;
}

/* ---- the 401 ---- */

static const char *qop_of(const struct registration *g)
{
	static const char *const names[] = { [REG_QOP_NONE] = NULL, [REG_QOP_AUTH] = "auth", [REG_QOP_AUTH_INT] = "auth-int",
					     [REG_QOP_BOTH] = "auth,auth-int" };

	return g->auth->qop ? g->auth->qop : names[registration_scscf(g)->reg->qop];
}

/* Clients of RFC 2069 know none: they are borne where "auth" would do (RFC 7616 §3.4), not where the body is to be protected. */
bool challenge_bears_qop(const struct registration *g, struct str qop)
{
	const char *ours = qop_of(g);
	struct str rest = str_from_c(ours), one;

	if (!ours || qop.l == 0)
		return qop.l == 0 && (!ours || strcmp(ours, "auth-int") != 0);
	while (sip_list_next(&rest, &one))
		if (str_ieq(one, qop))
			return true;
	return false;
}

/* TS 24.229 §5.4.1.2.1: realm, nonce = RAND||AUTN in base64 (RFC 3310 §3.2), algorithm; ck and ik for the P-CSCF, which takes them out. */
void challenge_write(const struct registration *g, const struct challenge *c, enum auth_algorithm alg, bool stale, struct buf *out)
{
	const struct auth *a = g->auth;
	struct str home = stack_home_domain(registration_scscf(g)->stack);
	const char *qop = qop_of(g);
	char hex[33];

	buf_puts(out, "WWW-Authenticate: Digest realm=\"");
	buf_put(out, a->realm ? str_from_c(a->realm) : home);
	buf_printf(out, "\", nonce=\"%s\", algorithm=%s", c->nonce, auth_algorithm_name(alg));
	if (auth_is_aka(alg) && c->aka.keys) {
		hex_encode(c->aka.ck, sizeof(c->aka.ck), hex);
		buf_printf(out, ", ck=\"%s\"", hex);
		hex_encode(c->aka.ik, sizeof(c->aka.ik), hex);
		buf_printf(out, ", ik=\"%s\"", hex);
		OPENSSL_cleanse(hex, sizeof(hex));
	}
	if (qop)
		buf_printf(out, ", qop=\"%s\"", qop);
	if (stale)
		buf_puts(out, ", stale=true");
	buf_puts(out, "\r\n");
}
