/* pcscf/security.c - what a message must show by the way it came: RFC 3329 §2.3, TS 33.203 §7.2 to §7.4, TS 24.229 §5.2.2;
 * rows P3, P4, P6; S2, S3, S5, S6, SEC-01. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/sip/auth.h"
#include "pcscf/pcscf.h"
#include "pcscf/registration.h"
#include "pcscf/stored.h"
#include "pcscf/trust.h"

static METRIC_DEF(m_unprotected, "cscf_pcscf_weak_registrations_total", METRIC_COUNTER,
		  "Registrations that anybody on the way can read or change.  An alarm where phones have IPsec.", "kind", NULL);
static METRIC_DEF(m_dropped, "cscf_pcscf_unprotected_dropped_total", METRIC_COUNTER,
		  "Messages to protected ports from where no security association is.", NULL, NULL);

/* ---- any message ---- */

bool security_admit(struct worker *w, const struct sip_msg *m)
{
	struct pcscf *p = pcscf_of(w)->p;
	struct sa_set *s;
	bool ok;

	if (!p->sas || !ports_protected(&p->cfg.security, &m->flow.local))
		return true;
	s = sa_of(p->sas, &m->flow);
	/* A pending set carries the answer to its challenge and nothing else (TS 33.203 §7.3.1.1). */
	ok = s && (sa_state(s) != SA_PENDING || (m->request && m->method == SIP_REGISTER));
	if (!ok) {
		char from[SIP_FLOW_STRLEN];

		metric_add(&m_dropped, NULL, NULL, 1);
		log_info(LOG_SEC, "dropped: no security association is there", LOG_C("from", sip_flow_fmt(&m->flow, from)),
			 LOG_S("method", m->method_name), LOG_S("call_id", m->call_id));
	}
	obj_unref(s);
	return ok;
}

void security_response_flow(struct worker *w, const struct sip_msg *req, struct sip_flow *to)
{
	struct pcscf *p = pcscf_of(w)->p;
	struct sa_set *s;

	if (!p->sas || !ports_protected(&p->cfg.security, &req->flow.local))
		return;
	s = sa_find(p->sas, &req->flow);
	if (s)
		ports_response(s, &req->flow, to);
	obj_unref(s);			/* gone: the guard policies let nothing out in clear */
}

void security_sent_by(struct worker *w, const struct sip_flow *to, struct addr *a)
{
	struct pcscf *p = pcscf_of(w)->p;
	struct sa_set *s = p->sas && ports_client(&p->cfg.security, a) ? sa_find(p->sas, to) : NULL;

	if (s)
		addr_set_port(a, s->k.mine.port_s);
	obj_unref(s);
}

/* ---- REGISTER ---- */

static bool same_client(const struct sec_list *got, const struct sa_set *s)
{
	return secagree_same(got, s->client, s->n_client, s->client_others);
}

/* S2: what we sent must come back, and what it sent first must come again. */
static const char *mismatch(const struct sip_msg *m, const struct reg_security *g)
{
	struct sec_list verify;

	secagree_read(m, SIP_H_SECURITY_VERIFY, &verify);
	if (!secagree_same(&verify, g->via->server, g->via->n_server, 0))
		return verify.n + verify.others ? "Security-Verify differs from what was sent" : "Security-Verify is missing";
	if (sa_state(g->via) == SA_PENDING && !same_client(&g->client, g->via))
		return "Security-Client differs from the first";
	return NULL;
}

static bool check_protected(struct pcscf_req *r, const struct registration *what, struct reg_security *g)
{
	const char *why = NULL;

	g->via = sa_of(r->pw->p->sas, &r->m->flow);
	if (!g->via)
		why = "association is gone";
	else if (!str_eq(g->via->impi, what->impi))
		why = "association of another private identity";	/* S3, S6 */
	else if (sa_state(g->via) == SA_PENDING || sip_msg_hdr(r->m, SIP_H_SECURITY_VERIFY))
		why = mismatch(r->m, g);
	if (!why)
		return true;
	if (g->via && sa_state(g->via) == SA_PENDING && str_eq(g->via->impi, what->impi))
		security_refuse(r->pw, g->via);
	pcscf_refuse(r, 403, why, STR_NONE);
	return false;
}

/* An answer to a challenge; an AUTS is none: it comes in clear (TS 33.203 §6.1.3). */
static bool answers(const struct sip_msg *m)
{
	struct auth_params p;

	return credentials_kind(m) == CREDENTIALS_AKA && auth_find(m, SIP_H_AUTHORIZATION, STR_NONE, &p) == 0 && !p.auts.l;
}

static bool asks_for_agreement(const struct sip_msg *m)
{
	return sip_msg_has_token(m, SIP_H_REQUIRE, "sec-agree") || sip_msg_has_token(m, SIP_H_PROXY_REQUIRE, "sec-agree");
}

enum has { HAS_NONE, HAS_PENDING, HAS_LIVE };

static enum has has_sets(struct pcscf_req *r, const struct registration *what, const struct binding *before)
{
	struct sa_set *s = what->key.l ? sa_of_phone(r->pw->p->sas, what->key) : NULL;
	enum has h = (before && before->sa) || (s && sa_state(s) != SA_PENDING) ? HAS_LIVE : s ? HAS_PENDING : HAS_NONE;

	obj_unref(s);
	return h;
}

/* S3; handsets row 23.  Where IPsec is only preferred, a phone that has never been protected may go on in clear: it could have
 * come without an agreement at once.  One that is protected may not. */
static bool may_answer_in_clear(struct pcscf_req *r, const struct registration *what, const struct binding *before,
				enum security_policy policy)
{
	enum has h = has_sets(r, what, before);

	if (policy == SECURITY_REQUIRE || h == HAS_LIVE)
		return false;
	if (h == HAS_PENDING)
		log_warn(LOG_SEC, "a challenge is answered in clear in spite of an agreement", LOG_S("impi", what->impi),
			 LOG_S("user_agent", sip_msg_value(r->m, SIP_H_USER_AGENT)), LOG_S("call_id", r->m->call_id));
	return true;
}

/* RFC 3329 §2.3.1: 494 for who speaks it, 421 for who does not (RFC 3261 §21.4.16). */
static bool refuse_unagreed(struct pcscf_req *r, enum sec_mod mod, bool speaks)
{
	struct str server = security_server_line(&r->pw->p->cfg.security, mod, r->m->arena);

	if (speaks)
		pcscf_refuse(r, 494, "no security mechanism in common", server);
	else
		pcscf_refuse(r, 421, "security agreement required",
			     arena_printf(r->m->arena, "Require: sec-agree\r\n%.*s", STR_ARG(server)));
	return false;
}

static bool check_clear(struct pcscf_req *r, const struct registration *what, const struct binding *before, struct reg_security *g)
{
	enum security_policy policy = security_policy_at(&r->pw->p->cfg.security, &r->m->flow);
	bool offers = g->client.n + g->client.others > 0;

	if (answers(r->m) && !may_answer_in_clear(r, what, before, policy)) {
		pcscf_refuse(r, 403, "challenge answered in clear", STR_NONE);
		return false;
	}
	if (policy == SECURITY_OFF)
		g->chosen = -1;
	if (policy == SECURITY_OFF || g->chosen >= 0)
		return true;
	if (policy == SECURITY_REQUIRE)
		return refuse_unagreed(r, g->mod, offers || asks_for_agreement(r->m) || sip_msg_has_token(r->m, SIP_H_SUPPORTED, "sec-agree"));
	return asks_for_agreement(r->m) ? refuse_unagreed(r, g->mod, true) : true;
}

bool security_check(struct pcscf_req *r, struct registration *what, const struct binding *before, struct reg_security *g)
{
	struct pcscf *p = r->pw->p;
	unsigned pair;

	g->via = NULL;
	g->chosen = -1;
	if (!p->sas)
		return true;
	secagree_read(r->m, SIP_H_SECURITY_CLIENT, &g->client);
	if (ports_protected(&p->cfg.security, &r->m->flow.local)) {
		if (!check_protected(r, what, g))
			return false;
		nat_keep_key(g->via, what);
	}
	g->mod = nat_mod(&p->cfg.security, r->m, g->via);
	if (what->key.l)
		g->chosen = security_choose(&p->cfg.security, &g->client, g->mod, &pair);
	return g->via || check_clear(r, what, before, g);
}

/* Facts for the operator: who can be read or changed on the way (SEC-01). */
void security_count(const struct binding *b)
{
	const char *kind = !b->sa ? "clear" : ipsec_pair_is_null(b->sa->k.alg, b->sa->k.ealg) ? "null" : NULL;

	if (kind && b->flow.proto != SIP_TLS)
		metric_add(&m_unprotected, kind, NULL, 1);
}

/* ---- to the owner ---- */

static void do_refuse(struct worker *w, void *arg)
{
	struct sa_set *s = arg;

	sa_refuse(pcscf_of(w)->sets, s);
	obj_unref(s);
}

void security_refuse(struct pcscf_worker *pw, struct sa_set *s)
{
	if (worker_call(pw->w, stack_owner(pw->p->stack, s->impi), do_refuse, obj_ref(s)) < 0)
		obj_unref(s);		/* reg-await-auth ends it */
}

struct making {
	struct sa_set *set;
	struct worker *from;
	void (*done)(void *arg, struct sa_set *s, int rc);
	void *arg;
	int rc;
	struct worker_return back;
};

static void making_back(struct worker *w, void *arg)
{
	struct making *j = arg;

	(void)w;
	j->done(j->arg, j->set, j->rc);
	obj_unref(j->set);
	free(j);
}

static void making_made(void *arg, int rc)
{
	struct making *j = arg;
	struct worker *self = worker_current();

	j->rc = rc;
	if (!self || self == j->from)
		making_back(j->from, j);
	else
		worker_return(self, j->from, &j->back, making_back, j);
}

static void making_start(struct worker *owner, void *arg)
{
	struct making *j = arg;

	sa_setup(pcscf_of(owner)->sets, j->set, making_made, j);
}

static int take_key(struct str hex, uint8_t dst[16])
{
	size_t n;

	return hex_decode(hex, dst, 16, &n) == 0 && n == 16 ? 0 : -ENOKEY;
}

int security_make(struct pcscf_worker *pw, const struct sip_msg *req, const struct registration *what, const struct reg_security *g,
		  const struct sip_msg *challenge, void (*done)(void *arg, struct sa_set *s, int rc), void *arg)
{
	struct sa_wish w = { .impi = what->impi, .key = what->key, .phone = req->flow.remote, .us = req->flow.local,
			     .client = &g->client, .chosen = (unsigned)g->chosen, .via = g->via,
			     .encap_us = g->mod == SEC_MOD_UDP_ENC_TUN ? pw->p->cfg.security.nat_port : 0 };
	struct making *j = calloc(1, sizeof(*j));
	struct auth_params p;
	int rc = j ? 0 : -ENOMEM;

	if (rc == 0)
		rc = auth_params_parse(sip_msg_value(challenge, SIP_H_WWW_AUTHENTICATE), &p);
	if (rc == 0 && (take_key(p.ck, w.ck) < 0 || take_key(p.ik, w.ik) < 0))
		rc = -ENOKEY;
	if (rc == 0) {
		*j = (struct making){ .set = sa_set_new(&w), .from = pw->w, .done = done, .arg = arg };
		rc = j->set ? worker_call(pw->w, stack_owner(pw->p->stack, what->impi), making_start, j) : -ENOMEM;
	}
	ipsec_wipe(&w, sizeof(w));
	if (rc < 0) {
		if (j)
			obj_unref(j->set);
		free(j);
	}
	return rc;
}

/* ---- start ---- */

/* What an earlier process has left in the kernel is sorted out by the helper before it says that it is there. */
static int start_helper(struct pcscf *p)
{
	const struct security_config *c = &p->cfg.security;
	struct ipsec_set *sets = stored_sets_kernel(p);
	struct ipsec_left left = { .n = p->stored.n, .set = sets };
	int rc;

	left.lost = calloc(left.n + 1, sizeof(*left.lost));
	if (!sets || !left.lost) {
		free(sets);
		free(left.lost);
		return -ENOMEM;
	}
	rc = ipsec_helper_start(&p->helper, stack_n_workers(p->stack), c->reqid_first, c->reqid_first + c->n_spis - 1, &left);
	if (rc == 0 && (left.n || left.taken_away))
		log_info(LOG_SEC, "associations in the kernel", LOG_U("taken_up", left.whole), LOG_U("made_anew", left.made),
			 LOG_U("failed", left.failed), LOG_U("taken_away", left.taken_away));
	if (rc == 0)
		stored_sets_lost(p, left.lost);
	ipsec_wipe(sets, left.n * sizeof(*sets));
	free(sets);
	free(left.lost);
	return rc;
}

int security_start(struct pcscf *p)
{
	struct security_config *c = &p->cfg.security;
	int rc;

	metrics_register(&m_unprotected);
	metrics_register(&m_dropped);
	if (!c->on) {
		log_warn(LOG_SEC, "phones come in clear: there is no access.ipsec");
		return 0;
	}
	for (unsigned i = 0; i < c->n_pairs; i++)
		if (ipsec_pair_is_null(c->pair[i].alg, c->pair[i].ealg))
			log_warn(LOG_SEC, "access.ipsec offers a pair that encrypts nothing", LOG_C("alg", sec_alg_name(c->pair[i].alg)));
	p->sas = sa_pool_new(c);
	if (!p->sas)
		return -ENOMEM;
	rc = stack_store(p->stack) ? stored_sets_read(p, stack_store(p->stack)) : 0;
	if (rc < 0 || p->test_port)
		return rc;
	rc = start_helper(p);
	if (rc < 0)
		log_error(LOG_SEC, "access.ipsec: the kernel's associations cannot be changed (CAP_NET_ADMIN, a kernel with XFRM and ESP)",
			  LOG_C("error", strerror(-rc)));
	return rc;
}

/* Row P19: the phone cannot be reached, nor be heard, until it registers again. */
static void on_dead(void *arg, const struct sa_set *s)
{
	struct pcscf_worker *pw = arg;
	struct binding *b = phone_by_key(pw->p->phones, s->key);

	if (b && b->sa == s)
		bindings_del(pw->bindings, b->key, "security associations expired");
	obj_unref(b);
}

int security_worker_start(struct pcscf_worker *pw)
{
	struct pcscf *p = pw->p;
	int rc = 0;

	if (!p->sas)
		return 0;
	pw->port = p->test_port;
	if (!pw->port)
		rc = ipsec_helper_open(p->helper, pw->w->id, pw->w->loop, &pw->port);
	if (rc == 0) {
		pw->sets = sa_owner_new(p->sas, &p->cfg.security, pw->w->wheel, pw->port);
		rc = pw->sets ? 0 : -ENOMEM;
		if (pw->sets) {
			sa_owner_on_dead(pw->sets, on_dead, pw);
			sa_owner_store(pw->sets, pw->w->store);
		}
	}
	return rc;
}

void security_worker_stop(struct pcscf_worker *pw)
{
	sa_owner_free(pw->sets);
	if (pw->port != pw->p->test_port)
		ipsec_helper_close(pw->port);
}

static int open_pair(struct pcscf_worker *pw, const struct addr *host, unsigned i)
{
	const struct security_config *c = &pw->p->cfg.security;
	struct transport *t = pw->w->transport;
	struct ipsec_set guard = { .us = *host };
	struct addr s = *host, cl = *host;
	int rc;

	addr_set_port(&s, (uint16_t)(c->port_s + i));
	addr_set_port(&cl, (uint16_t)(c->port_c + i));
	rc = transport_listen(t, SIP_UDP, &s);
	if (rc == 0)
		rc = transport_listen(t, SIP_TCP, &s);
	if (rc == 0)
		rc = transport_listen(t, SIP_UDP, &cl);
	if (rc == 0)
		rc = transport_listen_source(t, &cl);
	if (rc == 0 && pw->w->id == 0) {
		guard.us = s;
		rc = pw->port->submit(pw->port, IPSEC_GUARD, &guard, NULL);
		guard.us = cl;
		if (rc == 0)
			rc = pw->port->submit(pw->port, IPSEC_GUARD, &guard, NULL);
	}
	return rc;
}

int security_listen(struct worker *w)
{
	struct pcscf_worker *pw = pcscf_of(w);
	const struct cfg_node *r = cfg_root(stack_config(w->stack));
	struct addr host[STACK_HOSTS_MAX];
	unsigned n = 0;
	int rc = 0;

	if (!pw->p->sas)
		return 0;
	for (size_t i = 0; i < cfg_list_len(r, "sip.listen") && n < STACK_HOSTS_MAX; i++) {
		struct str proto, rest;
		bool known = false;

		str_cut(cfg_strs_at(r, "sip.listen", i), ':', &proto, &rest);
		if (addr_parse_hostport(rest, 5060, &host[n]) < 0)
			continue;
		for (unsigned k = 0; k < n; k++)
			known = known || addr_host_eq(&host[k], &host[n]);
		n += !known;
	}
	for (unsigned k = 0; w->id == 0 && k < n; k++)
		(void)nat_open(pw->p, &host[k]);
	for (unsigned k = 0; rc == 0 && k < n; k++)
		for (unsigned i = 0; rc == 0 && i < pw->p->cfg.security.n_ports; i++)
			rc = open_pair(pw, &host[k], i);
	if (rc < 0)
		log_error(LOG_TP, "a protected port cannot be opened", LOG_C("error", strerror(-rc)));
	return rc;
}
