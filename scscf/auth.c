/* scscf/auth.c - who is it?  Judges a REGISTER and answers with a challenge, a refusal, or goes on: TS 24.229 §5.4.1.2.1
 * (unprotected REGISTER), §5.4.1.2.2 (protected), §5.4.1.2.1E (by address), §5.4.1.2.3 (abnormal cases); TS 33.203 §6.1; RFC 3310; RFC 4169; RFC 7616; rows S1 to S5.
 *
 * A challenge is found again by its nonce, not by the Call-ID of its 401 as §5.4.1.2.2 does: the nonce is random and says
 * the same, and a REGISTER that somebody else sends in the user's name cannot push the user's own challenge out.  For the
 * same reason, and so that a flood of REGISTERs costs the HSS one MAR and moves the SQN once (reliability row SEC-10), a challenge
 * that nobody answered yet is sent again for challenge_reuse_s.  §5.4.1.2.1 step 3 lets us select the vector.  A phone that had consumed
 * it already says AUTS, and gets a new one. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "scscf/challenge.h"

#define MAX_WRONG_ANSWERS 3u		/* then the challenge is void */
#define MAX_REFUSED_IN_CLEAR 3u		/* then whoever refuses it hears 403 */
#define AUTS_BYTES 14u

static METRIC_DEF(m_challenges, "cscf_auth_challenges_total", METRIC_COUNTER, "Challenges sent, by algorithm and reason.",
		  "algorithm", "reason");

/* ---- judging a REGISTER ---- */

enum step { PASS, CHALLENGE, RESYNC, BY_ADDRESS, REFUSE };
struct verdict {
	enum step step;
	bool stale;			/* CHALLENGE: there was an answer, to a nonce that does not serve any more */
	bool failed;			/* REFUSE: the HSS is told */
	const char *cause, *why;
	struct challenge *c;		/* RESYNC: what AUTS belongs to */
};

static bool is_protected(struct str integrity)
{
	return str_ieq(integrity, STR("yes"));
}

/* SIP Digest: the P-CSCF knows this phone by its address or its TLS session (TS 24.229 §5.2.2.4, §5.2.2.5). */
static bool is_associated(struct str integrity)
{
	return str_ieq(integrity, STR("ip-assoc-yes")) || str_ieq(integrity, STR("tls-yes"));
}

/* The same from somebody in clear: the phone before it has an association, or anybody who had the nonce of a 401.  So the challenge still
 * stands for the user's own answer, and the HSS does not hear of a failure.  It is asked once for each challenge, because a phone whose
 * USIM is ahead says so in clear (TS 33.203 §6.1.2.2). */
static struct verdict judge_rejected_in_clear(const struct registration *g, const struct auth_params *p, struct challenge *c)
{
	uint8_t auts[AUTS_BYTES];
	size_t n = 0;

	if (p->auts.l == 0)
		return (struct verdict){ REFUSE, false, false, "network_refused", "the phone did not trust our challenge (MAC failure)", NULL };
	if (base64_decode(p->auts, false, auts, sizeof(auts), &n) < 0 || n != sizeof(auts))
		return (struct verdict){ REFUSE, false, false, "bad_auts", "AUTS is not 14 octets in base64", NULL };
	if (!c->resynced) {
		if (g->auth->resyncs >= registration_scscf(g)->reg->max_resyncs)
			return (struct verdict){ REFUSE, false, false, "resync_loop", "the sequence numbers of phone and HSS do not come together", NULL };
		return (struct verdict){ .step = RESYNC, .cause = "resync", .c = c };
	}
	if (++c->refused >= MAX_REFUSED_IN_CLEAR)
		return (struct verdict){ REFUSE, false, false, "resync_loop", "the sequence numbers of phone and HSS do not come together", NULL };
	return (struct verdict){ .step = CHALLENGE, .cause = "refused_in_clear" };
}

/* The phone could not accept our challenge: §5.4.1.2.3. */
static struct verdict judge_rejected(const struct registration *g, const struct auth_params *p, struct challenge *c)
{
	uint8_t auts[AUTS_BYTES];
	size_t n = 0;

	if (!is_protected(p->integrity_protected))
		return judge_rejected_in_clear(g, p, c);
	if (p->auts.l == 0)
		return (struct verdict){ REFUSE, false, true, "network_refused", "the phone did not trust our challenge (MAC failure)", c };
	if (base64_decode(p->auts, false, auts, sizeof(auts), &n) < 0 || n != sizeof(auts))
		return (struct verdict){ REFUSE, false, true, "bad_auts", "AUTS is not 14 octets in base64", c };
	if (g->auth->resyncs >= registration_scscf(g)->reg->max_resyncs)
		return (struct verdict){ REFUSE, false, true, "resync_loop", "the sequence numbers of phone and HSS do not come together", c };
	return (struct verdict){ .step = RESYNC, .cause = "resync", .c = c };
}

/* H(A1) for an answer in this algorithm; false: it is none that was asked for. */
static bool ha1_of(const struct reg_job *job, const struct challenge *c, struct auth_params *p, char ha1[AUTH_HEX_MAX])
{
	const struct auth *a = job->g->auth;

	ha1[0] = '\0';
	if (p->algorithm_text.l == 0)
		p->algorithm = a->alg;
	if (a->alg != AUTH_AKAV1_MD5 && p->algorithm == a->alg && a->ha1)
		str_copy(str_from_c(a->ha1), ha1, AUTH_HEX_MAX);
	else if (a->alg == AUTH_AKAV1_MD5 && c->offered >> p->algorithm & 1)
		auth_aka_ha1(p->algorithm, p->username, p->realm, str_make((const char *)c->aka.xres, c->aka.xres_len), c->aka.ik, c->aka.ck, ha1);
	return ha1[0];
}

static bool right_answer(const struct reg_job *job, const struct challenge *c)
{
	struct auth_params p = job->auth;
	char ha1[AUTH_HEX_MAX];
	bool ok;

	ok = ha1_of(job, c, &p, ha1) && challenge_bears_qop(job->g, p.qop) &&
	     auth_response_matches(&p, str_from_c(ha1), STR("REGISTER"), job->m->body);
	OPENSSL_cleanse(ha1, sizeof(ha1));
	return ok;
}

/* RFC 7616 §3.4: a counter that does not grow is a replay.  Gaps are fine: requests get lost.  Without qop there is no counter, and
 * a nonce serves once. */
static bool replayed(struct challenge *c, const struct auth_params *p)
{
	uint8_t raw[4];
	size_t n = 0;
	uint32_t nc;

	if (p->qop.l == 0) {
		bool before = c->used_without_qop;

		c->used_without_qop = true;
		return before;
	}
	if (p->nc.l != 8 || hex_decode(p->nc, raw, sizeof(raw), &n) < 0)
		return true;
	nc = (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
	if (nc <= c->last_nc)
		return true;
	c->last_nc = nc;
	return false;
}

static struct verdict judge_answer(const struct reg_job *job, struct challenge *c)
{
	const struct reg_config *cfg = registration_scscf(job->g)->reg;

	if (job->g->auth->alg == AUTH_AKAV1_MD5 && !is_protected(job->auth.integrity_protected) && !cfg->allow_unprotected_aka)
		return (struct verdict){ REFUSE, false, false, "unprotected", "AKA without an IPsec association is not allowed here", NULL };
	if (!right_answer(job, c))
		return (struct verdict){ REFUSE, false, true, "wrong_answer", "the answer to the challenge is wrong", c };
	if (job->g->auth->alg != AUTH_AKAV1_MD5 && (replayed(c, &job->auth) || challenge_too_old(job->g, c)))
		return (struct verdict){ .step = CHALLENGE, .stale = true, .cause = "stale", .c = c };
	return (struct verdict){ .step = PASS, .c = c };
}

/* The operator wants a proof again, whatever protects the request: TS 24.229 §5.4.1.2.2, TS 33.203 §6.1.1. */
static bool proof_is_due(const struct registration *g)
{
	const struct reg_config *cfg = registration_scscf(g)->reg;

	return (cfg->challenge_every && g->unchallenged + 1 >= cfg->challenge_every) ||
	       (cfg->challenge_after_s && registration_now_ms(g) - g->proven_ms >= (uint64_t)cfg->challenge_after_s * 1000);
}

/* The HSS was asked for the phone's address a moment ago, and let nobody in: SEC-10. */
static bool address_asked_lately(const struct registration *g)
{
	return g->auth && registration_now_ms(g) < g->auth->giba_until_ms;
}

/* A phone that says nothing of credentials, from an address that a trusted node vouches for: the HSS may know it by that. */
static bool goes_by_address(struct reg_job *job)
{
	const struct reg_config *cfg = registration_scscf(job->g)->reg;
	int rc;

	if (!cfg->giba || job->giba == GIBA_REFUSED || sip_msg_hdr(job->m, SIP_H_AUTHORIZATION))
		return false;
	if (address_asked_lately(job->g) && !addr_is_set(&job->g->auth->giba_refused))
		return false;
	rc = giba_source(job->m, cfg->giba_trusted, &job->source);
	if (rc < 0)
		log_info(LOG_REG, "nobody vouches for the address of a phone without credentials", LOG_S("impi", job->impi),
			 LOG_C("why", rc == -EPERM ? "the request came from outside of registrar.giba_trusted" :
				      rc == -ENOENT ? "every Via is of registrar.giba_trusted" : "a Via says no address"));
	return rc == 0;
}

static struct verdict judge(const struct reg_job *job)
{
	const struct registration *g = job->g;
	const struct auth_params *p = &job->auth;
	struct challenge *c = challenge_find(g, p->nonce);
	bool registered = g->profile && g->n_bindings;

	if (c && g->auth->alg != AUTH_AKAV1_MD5 && !g->auth->ha1)
		c = NULL;		/* nothing to check it with: a new challenge */
	if (c && !c->answered && p->response.l == 0 && g->auth->alg == AUTH_AKAV1_MD5)
		return judge_rejected(g, p, c);
	if (c && p->auts.l && g->auth->alg == AUTH_AKAV1_MD5)
		return judge_rejected(g, p, c);
	if (c && p->response.l)
		return judge_answer(job, c);
	/* §5.4.1.2.2: it came through the association that an earlier authentication made, and nothing was asked of it. */
	if (registered && proof_is_due(g))
		return (struct verdict){ .step = CHALLENGE, .stale = p->response.l > 0, .cause = "due" };
	if (registered && is_protected(p->integrity_protected))
		return (struct verdict){ .step = PASS };
	if (registered && !registration_scscf(g)->reg->challenge_refresh && p->username.l &&
	    (is_associated(p->integrity_protected) || binding_known(g, &job->plan)))
		return (struct verdict){ .step = PASS };
	/* An answer to a nonce we do not know, perhaps of before a restart: "stale" keeps clients from taking it for a wrong password. */
	return (struct verdict){ .step = CHALLENGE, .stale = p->response.l > 0, .cause = p->response.l ? "unknown_nonce" : "first" };
}

static void finish(struct reg_job *job)
{
	struct registration *g = job->g;

	reg_job_free(job);
	registration_done(g);
}

static void refuse_broken(struct reg_job *job, unsigned status, const char *cause, const char *why)
{
	reg_job_answer_later(job, status, cause, why);
	finish(job);
}

/* AKAv2 needs the keys; with a phone that does not name it, AKAv1 is what all know. */
static enum auth_algorithm algorithm_for(const struct reg_job *job, const struct challenge *c)
{
	const struct registration *g = job->g;

	if (g->auth->alg == AUTH_AKAV1_MD5 && registration_scscf(g)->reg->akav2 && c->aka.keys && auth_is_aka(job->auth.algorithm))
		return job->auth.algorithm;
	return g->auth->alg;
}

static void send_challenge(struct reg_job *job, struct challenge *c, bool stale, const char *reason)
{
	struct registration *g = job->g;
	enum auth_algorithm alg = algorithm_for(job, c);
	struct buf out;

	buf_init(&out, 4096);
	c->offered |= (uint8_t)(1u << alg);
	challenge_write(g, c, alg, stale, &out);
	timer_start(g->r->sw->w->wheel, &g->auth->await, (uint64_t)registration_scscf(g)->reg->await_auth_s * 1000);
	metric_add(&m_challenges, auth_algorithm_name(alg), reason, 1);
	if (out.failed)
		reg_job_answer_later(job, 503, "failed", "out of memory");
	else
		reg_job_answer(job, 401, "challenged", NULL, buf_str(&out));
	buf_fini(&out);
	finish(job);
}

/* ---- asking the HSS: TS 29.228 §6.3 ---- */

static void ask_again(struct reg_job *job);
static void by_address(struct reg_job *job);
static void without_address(struct reg_job *job);
static void note_address(struct registration *g, const struct addr *refused);

static void on_maa(void *arg, const struct cx_maa *m)
{
	struct reg_job *job = arg;
	struct registration *g = job->g;
	struct cx_verdict v = cx_judge(&m->result, registration_scscf(g)->hss);
	struct challenge *c;

	if ((g->hss || job->hss.l) && hss_is_away(&m->result) && !job->resync) {
		g->hss = 0;
		job->hss = STR_NONE;
		ask_again(job);
		return;
	}
	if (m->result.err == 0)
		hss_learn(g, m->origin_host);
	if (v.status && strcmp(v.cause, "scheme") == 0 && job->giba == GIBA_ASKED) {
		without_address(job);
	} else if (v.status && strcmp(v.cause, "scheme") == 0 && job->auth.algorithm == AUTH_AKAV2_SHA256 && !job->scheme_refused) {
		job->scheme_refused = true;
		ask_again(job);
	} else if (v.status) {
		if (v.retry_after)
			reg_job_answer_later(job, v.status, v.cause, v.why);
		else
			reg_job_answer(job, v.status, v.cause, v.why, STR_NONE);
		finish(job);
	} else if (!auth_get(g)) {
		refuse_broken(job, 503, "failed", "out of memory");
	} else if (job->giba == GIBA_ASKED && m->n_items && giba_read(&m->item[0], &g->auth->giba)) {
		g->auth->asked = true;
		by_address(job);
	} else if (!auth_take(g, m)) {
		refuse_broken(job, 500, "hss_answer", "the HSS gave no vector that could be used");
	} else if (!(c = challenge_make(g))) {
		refuse_broken(job, 503, "failed", "out of memory");
	} else {
		if (job->giba == GIBA_ASKED)
			note_address(g, NULL);
		g->auth->asked = true;
		free(g->auth->impu);
		g->auth->impu = str_dup(job->impu);
		send_challenge(job, c, job->stale, job->reason);
	}
}

/* TS 29.228 annex, row "scheme": what the phone's Authorization says; the HSS decides when it says nothing. */
static struct str scheme_of(const struct reg_job *job)
{
	const struct auth_params *p = &job->auth;
	const struct scscf *s = registration_scscf(job->g);

	if (job->giba == GIBA_ASKED)
		return str_from_c(s->reg->giba);
	if (p->algorithm_text.l == 0 || p->algorithm == AUTH_ALG_UNKNOWN)
		return STR("Unknown");
	/* TS 29.229 §6.3.9.  A vector is the same for all of AKA: a HSS without that name gives as good ones by the other. */
	if (p->algorithm == AUTH_AKAV2_SHA256 && s->reg->akav2 && s->hss == HSS_STANDARD && !job->scheme_refused)
		return STR("Digest-AKAv2-SHA-256");
	return auth_is_aka(p->algorithm) ? STR("Digest-AKAv1-MD5") : STR("SIP Digest");
}

static void ask(struct reg_job *job, const struct verdict *v)
{
	struct scscf *s = registration_scscf(job->g);
	uint8_t rand_auts[16 + AUTS_BYTES];
	struct cx_mar mar = { .impi = job->impi, .impu = job->impu, .server_name = s->server_name, .n_items = job->giba == GIBA_ASKED ? 1 : s->reg->vectors,
			      .item = { .scheme = scheme_of(job) }, .dest_host = job->g->hss ? hss_host(job->g) : job->hss,
			      .vital = job->g->emergency };
	size_t n;

	if (v->step == RESYNC) {		/* TS 29.228 §6.3: RAND || AUTS */
		memcpy(rand_auts, v->c->aka.rand_autn, 16);
		base64_decode(job->auth.auts, false, rand_auts + 16, AUTS_BYTES, &n);
		mar.item.scheme = STR("Digest-AKAv1-MD5");
		mar.item.authorization = str_make((const char *)rand_auts, sizeof(rand_auts));
	}
	job->stale = v->stale;
	job->resync = v->step == RESYNC;
	job->reason = v->cause;
	if (s->cx->mar(job->g->r->sw->w->dia, &mar, on_maa, job) == 0)
		refuse_broken(job, 503, "failed", "out of memory");
}

static void ask_again(struct reg_job *job)
{
	struct verdict again = { .step = CHALLENGE, .stale = job->stale, .cause = job->reason };

	ask(job, &again);
}

/* ---- what follows from the verdict ---- */

static void challenge(struct reg_job *job, const struct verdict *v)
{
	struct registration *g = job->g;
	const struct reg_config *cfg = registration_scscf(g)->reg;
	struct challenge *c = challenge_outstanding(g);
	uint64_t now = registration_now_ms(g);

	if (c && now - c->sent_ms < (uint64_t)cfg->challenge_reuse_s * 1000) {
		send_challenge(job, c, v->stale, "reused");
		return;
	}
	/* A password that was changed at the HSS must be seen: H(A1) is not kept longer than a nonce. */
	if (g->auth && g->auth->alg != AUTH_AKAV1_MD5 && now - g->auth->ha1_ms >= (uint64_t)cfg->nonce_lifetime_s * 1000)
		auth_drop_vectors(g->auth);
	c = g->auth || (g->spare && auth_get(g)) ? challenge_make(g) : NULL;
	if (c)
		send_challenge(job, c, v->stale, v->cause);
	else
		ask(job, v);
}

static void resync(struct reg_job *job, const struct verdict *v)
{
	struct auth *a = job->g->auth;
	struct challenge gone = *v->c;
	struct verdict with = *v;

	log_info(LOG_REG, "resynchronisation", LOG_S("impi", job->impi), LOG_U("in_a_row", a->resyncs + 1));
	a->resyncs++;
	if (is_protected(job->auth.integrity_protected)) {
		auth_drop_vectors(a);		/* of the old sequence: all would fail */
		challenge_drop(a, v->c);
	} else {
		v->c->resynced = true;		/* nobody knows who says so: the HSS will */
	}
	with.c = &gone;
	ask(job, &with);
	OPENSSL_cleanse(&gone, sizeof(gone));
}

static void refuse(struct reg_job *job, const struct verdict *v)
{
	struct registration *g = job->g;
	struct auth *a = g->auth;
	bool report = v->failed && a && a->asked && !g->profile && assign_wanted(registration_scscf(g), CX_SAR_AUTHENTICATION_FAILURE);

	reg_job_answer(job, 403, v->cause, v->why, STR_NONE);
	/* Somebody else may have answered in the user's name: the user's own answer still counts, a few times. */
	if (v->c && (job->auth.response.l == 0 || ++v->c->wrong >= MAX_WRONG_ANSWERS))
		challenge_drop(a, v->c);
	if (a && a->alg != AUTH_AKAV1_MD5 && a->n_challenges == 0)
		auth_drop_vectors(a);		/* the password may have changed at the HSS */
	if (!report) {
		finish(job);
		return;
	}
	a->asked = false;
	assign_report(g, CX_SAR_AUTHENTICATION_FAILURE, job->impu);
	reg_job_free(job);
}

/* RFC 7616 §3.5: the server's own proof, and a fresh nonce when half the life of this one is over: no 401 next time. */
static char *auth_info(struct reg_job *job, const struct challenge *c)
{
	const struct reg_config *cfg = registration_scscf(job->g)->reg;
	struct auth_params p = job->auth;
	char ha1[AUTH_HEX_MAX], proof[AUTH_HEX_MAX], *ret = NULL;
	const struct challenge *next = NULL;
	struct buf b;

	if (p.qop.l == 0 || !auth_quotable(p.cnonce) || !ha1_of(job, c, &p, ha1) || auth_rspauth(&p, str_from_c(ha1), STR_NONE, proof) < 0)
		return NULL;
	if (job->g->auth->ha1 && registration_now_ms(job->g) - c->sent_ms >= (uint64_t)cfg->nonce_lifetime_s * 500)
		next = challenge_make_next(job->g);
	buf_init(&b, 1024);
	buf_printf(&b, "Authentication-Info: qop=%.*s, rspauth=\"%s\", cnonce=\"%.*s\", nc=%.*s", STR_ARG(p.qop), proof, STR_ARG(p.cnonce),
		   STR_ARG(p.nc));
	if (next)
		buf_printf(&b, ", nextnonce=\"%s\"", next->nonce);
	buf_puts(&b, "\r\n");
	if (!b.failed)
		ret = str_dup(buf_str(&b));
	buf_fini(&b);
	OPENSSL_cleanse(ha1, sizeof(ha1));
	return ret;
}

static void pass(struct reg_job *job, struct challenge *c)
{
	struct registration *g = job->g;
	struct auth *a = g->auth;

	if (c) {
		g->proven_ms = registration_now_ms(g);
		g->unchallenged = 0;
	} else {
		g->unchallenged++;
	}
	if (c && a->alg != AUTH_AKAV1_MD5) {	/* the last one used is the last one dropped: auth_info() may make another */
		c->answered = true;
		c->wrong = 0;
		list_del(&c->link);
		list_add_tail(&a->challenges, &c->link);
	}
	if (c)
		job->auth_info = auth_info(job, c);
	if (c && a->alg == AUTH_AKAV1_MD5)	/* RES serves once; whatever else was outstanding is void now */
		while (!list_empty(&a->challenges))
			challenge_drop(a, list_entry(a->challenges.next, struct challenge, link));
	if (c && g->auth) {
		g->auth->resyncs = 0;
		g->auth->asked = false;
		if (!challenge_outstanding(g))
			timer_stop(&g->auth->await);
		auth_rest(g);
	}
	accept_run(job);
}

/* ---- GIBA: TS 24.229 §5.4.1.2.1E ---- */

/* refused: where somebody was whom the HSS's address does not fit; NULL: it gave none.  Until challenge_reuse_s is over that is known. */
static void note_address(struct registration *g, const struct addr *refused)
{
	uint64_t ms = (uint64_t)registration_scscf(g)->reg->challenge_reuse_s * 1000;
	struct auth *a = auth_get(g);

	if (!a || ms == 0)
		return;
	a->giba_until_ms = registration_now_ms(g) + ms;
	a->giba_refused = refused ? *refused : (struct addr){ 0 };
	if (!timer_pending(&a->await))		/* it lasts as long, even when nobody is registered */
		timer_start(g->r->sw->w->wheel, &a->await, ms);
}

/* The address that is kept serves until the phone comes from another one: then the HSS is asked again. */
static void by_address(struct reg_job *job)
{
	static const struct verdict other = { REFUSE, false, true, "wrong_address", "the HSS has another address for this phone", NULL };
	static const struct verdict first = { .step = BY_ADDRESS, .cause = "address" };
	struct registration *g = job->g;

	if (g->auth && giba_is(&g->auth->giba, &job->source)) {
		g->proven_ms = registration_now_ms(g);
		g->unchallenged = 0;
		g->auth->asked = false;
		accept_run(job);
	} else if (job->giba == GIBA_ASKED) {
		note_address(g, &job->source);
		refuse(job, &other);
	} else if (address_asked_lately(g) && addr_host_eq(&g->auth->giba_refused, &job->source)) {
		refuse(job, &other);
	} else if (address_asked_lately(g)) {	/* perhaps the phone itself, with a new address */
		refuse_broken(job, 503, "wrong_address", "the HSS had another address for this phone a moment ago");
	} else {
		job->giba = GIBA_ASKED;
		ask(job, &first);
	}
}

/* Not one of those phones: challenged like any other. */
static void without_address(struct reg_job *job)
{
	job->giba = GIBA_REFUSED;
	note_address(job->g, NULL);
	if (job->g->auth)
		job->g->auth->giba = (struct giba_address){ 0 };
	auth_run(job);
}

static void repeat(struct reg_job *job)
{
	struct challenge *c = challenge_find(job->g, job->auth.nonce);

	if (c)
		job->auth_info = auth_info(job, c);
	accept_repeat(job);
}

void auth_run(struct reg_job *job)
{
	struct verdict v;

	if (accept_is_repeated(job)) {
		repeat(job);
		return;
	}
	v = goes_by_address(job) ? (struct verdict){ .step = BY_ADDRESS } : judge(job);

	switch (v.step) {
	case PASS: pass(job, v.c); break;
	case CHALLENGE: challenge(job, &v); break;
	case RESYNC: resync(job, &v); break;
	case BY_ADDRESS: by_address(job); break;
	case REFUSE: refuse(job, &v); break;
	}
}

/* reg-await-auth is over: §5.4.1.2.3.  A registration that stands already stays. */
void auth_await_run(struct registration *g, struct reg_work *w)
{
	struct auth *a = g->auth;
	bool report = a && a->asked && !g->profile && a->impu &&
		      assign_wanted(registration_scscf(g), CX_SAR_AUTHENTICATION_TIMEOUT);
	struct challenge *c;

	(void)w;
	if (a && !a->asked && !challenge_outstanding(g)) {	/* nobody was challenged: note_address() */
		a->resyncs = 0;
		registration_done(g);
		return;
	}
	while ((c = challenge_outstanding(g)))
		challenge_drop(a, c);
	if (a) {
		a->resyncs = 0;
		a->asked = false;
	}
	registration_outcome("initial", "no_answer");
	log_info(LOG_REG, "a challenge was not answered", LOG_C("impi", g->impi));
	if (report)
		assign_report(g, CX_SAR_AUTHENTICATION_TIMEOUT, str_from_c(a->impu));
	else
		registration_done(g);
}
