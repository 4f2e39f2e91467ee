/* pcscf/register.c - REGISTER from a phone to the home network and back.  TS 24.229 §5.2.2; rows M1, P1, P2, P7, R3, R7.
 *
 * The 200 waits until the owner of the private identity has published the binding: the phone's next request may come to any
 * worker, and must find it. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/sip/auth.h"
#include "common/util/rand.h"
#include "pcscf/pcscf.h"
#include "pcscf/policy.h"
#include "pcscf/records.h"
#include "pcscf/reg_event.h"
#include "pcscf/registration.h"
#include "pcscf/trust.h"

METRIC_DEF(pcscf_registrations, "cscf_pcscf_registrations_total", METRIC_COUNTER, "REGISTERs by outcome.", "outcome", NULL);

struct reg {				/* user of the proxy */
	struct pcscf_worker *pw;
	struct registration what;
	uint64_t id;			/* in the Path; the binding's */
	enum binding_auth auth;
	struct reg_security sec;
	struct str icid;		/* in the request's arena */
	unsigned refs;			/* the proxy, and a job on its way */
	/* a 200 that waits for its owner */
	struct proxy *p;		/* NULL: gone meanwhile */
	struct proxy_branch *branch;
	struct sip_msg *answer;
	struct sip_out out;
};

static void reg_unref(struct reg *g)
{
	if (--g->refs)
		return;
	sip_msg_unref(g->answer);
	obj_unref(g->sec.via);
	free(g);
}

/* ---- publishing, on the owner's worker ---- */

struct publish {
	struct reg *g;			/* not looked into here */
	struct worker *from;
	enum { PUBLISH_PUT, PUBLISH_DEL, PUBLISH_DEL_ALL } what;
	struct binding *b;		/* PUT: the new one; else its key and impi tell which */
	uint32_t expires_s;
	int rc;
	bool by_instance;
	bool away;			/* the owner is another worker */
	struct worker_return back;
};

static void publish_finish(struct publish *j);

static void publish_back(struct worker *w, void *arg)
{
	(void)w;
	publish_finish(arg);
}

/* A refresh that came by the old set: the phone is still reached by the live one (TS 33.203 §7.4). */
static void use_current_set(struct pcscf_worker *pw, struct binding *b)
{
	struct sa_set *s = sa_current(pw->sets, b->sa);
	struct binding *before = s != b->sa ? phone_by_key(pw->p->phones, b->key) : NULL;

	if (before && before->sa == s)
		b->flow = before->flow;
	obj_unref(before);
	obj_unref(b->sa);
	b->sa = s;
}

/* An earlier contact of a phone without an instance that has come back over its associations with another one: that one stays. */
static bool is_another_contact(struct pcscf_worker *pw, const struct binding *gone)
{
	struct binding *b = phone_by_key(pw->p->phones, gone->key);
	bool other = b && !str_eq(b->contact_aor, gone->contact_aor);

	obj_unref(b);
	return other;
}

static void publish_run(struct worker *owner, void *arg)
{
	struct bindings *bs = pcscf_of(owner)->bindings;
	struct publish *j = arg;

	switch (j->what) {
	case PUBLISH_PUT:
		if (j->b->sa)
			use_current_set(pcscf_of(owner), j->b);
		if (j->b->sa)
			sa_confirm(pcscf_of(owner)->sets, j->b->sa, j->expires_s);
		else if (pcscf_of(owner)->sets)
			sa_retire(pcscf_of(owner)->sets, j->b->key, SA_LEFT);	/* it has come back in clear */
		j->rc = bindings_put(bs, obj_ref(j->b), j->expires_s);
		if (j->rc == 0)
			reg_event_registered(pcscf_of(owner)->reg_events, j->b);
		if (j->rc == 0)
			policy_registered(pcscf_of(owner), j->b);
		break;
	case PUBLISH_DEL:
		if (!j->by_instance && is_another_contact(pcscf_of(owner), j->b))
			break;
		bindings_del(bs, j->b->key, "de-registered");
		if (pcscf_of(owner)->sets)		/* a pending one too */
			sa_retire(pcscf_of(owner)->sets, j->b->key, SA_LEFT);
		break;
	case PUBLISH_DEL_ALL:
		bindings_del_impi(bs, j->b->impi, "de-registered");
		break;
	}
	if (j->away)
		worker_return(owner, j->from, &j->back, publish_back, j);
}

/* Back on the transaction's worker: the 200 goes on. */
static void publish_finish(struct publish *j)
{
	struct reg *g = j->g;

	if (g->p) {
		if (j->rc < 0)
			proxy_reject(g->p, &(const struct refusal){ .status = 500, .why = "the binding cannot be kept",
								    .retry_after_s = g->pw->p->cfg.retry_after_s });
		else
			proxy_resume(g->p, g->branch, g->answer, &g->out);
	}
	obj_unref(j->b);
	free(j);
	reg_unref(g);
}

/* 0: done; 1: under way, the answer is to be held; -errno. */
static int publish(struct reg *g, struct binding *b, int what, uint32_t expires_s)
{
	struct worker *self = g->pw->w, *owner = stack_owner(g->pw->p->stack, b->impi);
	struct publish *j = calloc(1, sizeof(*j));
	int rc;

	if (!j) {
		obj_unref(b);
		return -ENOMEM;
	}
	*j = (struct publish){ .g = g, .from = self, .what = what, .b = b, .expires_s = expires_s, .by_instance = g->what.by_instance, .away = owner != self };
	if (j->away && worker_post(owner, publish_run, j) == 0) {
		g->refs++;
		return 1;
	}
	rc = -EAGAIN;
	if (!j->away) {
		publish_run(owner, j);
		rc = j->rc;
	}
	obj_unref(b);
	free(j);
	return rc;
}

/* ---- responses ---- */

static int accepted(struct reg *g, const struct sip_msg *req, struct sip_msg *m)
{
	uint32_t granted = g->what.star || !g->what.key.l ? 0 : registration_granted(&g->what, m);
	char from[SIP_FLOW_STRLEN];
	struct binding *b;
	int rc;

	if (!g->what.star && !g->what.key.l) {
		metric_add(&pcscf_registrations, "query", NULL, 1);
		return 0;
	}
	rc = registration_binding(&g->what, req, m, g->id, g->auth, granted, &b);
	if (rc < 0) {
		log_warn(LOG_REG, "the 200 cannot be used", LOG_I("errno", -rc), LOG_S("impi", g->what.impi));
		return rc;
	}
	b->sa = obj_ref(g->sec.via);
	if (granted)
		security_count(b);
	metric_add(&pcscf_registrations, granted ? "registered" : "deregistered", NULL, 1);
	if (granted && b->n_routes)
		pcscf_learn_hop(g->pw->p, b->route[0]);
	if (granted)
		log_info(LOG_REG, "registered", LOG_S("impi", b->impi), LOG_S("impu", b->identity[0].aor),
			 LOG_S("contact", b->contact), LOG_C("flow", sip_flow_fmt(&b->flow, from)), LOG_U("expires_s", granted));
	if (granted)
		record_registration(g->pw->p->records, b, "registered", g->icid, granted);
	return publish(g, b, g->what.star ? PUBLISH_DEL_ALL : granted ? PUBLISH_PUT : PUBLISH_DEL, granted);
}

/* An earlier binding stays as it is: §5.2.2. */
static void not_accepted(const struct reg *g, const struct sip_msg *m)
{
	bool challenge = m->status == 401 || m->status == 407;

	if (m->status < 200)
		return;
	if (!challenge && g->sec.via && sa_state(g->sec.via) == SA_PENDING)
		security_refuse(g->pw, g->sec.via);
	metric_add(&pcscf_registrations, challenge ? "challenged" : "refused", NULL, 1);
	if (!challenge)
		log_info(LOG_REG, "registration refused by the home network", LOG_U("status", m->status), LOG_S("reason", m->reason),
			 LOG_S("impi", g->what.impi), LOG_S("contact", g->what.contact.uri.text));
}

/* Row X10: who guesses passwords or looks for users.  A challenge is none of that, nor a stale nonce, nor a USIM that asks for
 * resynchronisation. */
static void note_failure(struct worker *w, const struct sip_msg *req, const struct sip_msg *m)
{
	enum credentials k = credentials_kind(req);
	bool tried = k == CREDENTIALS_AKA || k == CREDENTIALS_DIGEST;
	struct auth_params p, challenge;

	if (m->status == 403 || m->status == 404)
		stack_source_event(w, &req->flow, tried ? SOURCE_AUTH_FAILED : SOURCE_REFUSED);
	if (m->status != 401 || !tried || auth_params_parse(sip_msg_value(req, SIP_H_AUTHORIZATION), &p) < 0 || p.auts.l)
		return;
	if (auth_params_parse(sip_msg_value(m, SIP_H_WWW_AUTHENTICATE), &challenge) == 0 && str_ieq(challenge.stale, STR("true")))
		return;
	stack_source_event(w, &req->flow, SOURCE_AUTH_FAILED);
}

/* ---- the challenge waits for the associations that its keys are for ---- */

static void on_made(void *arg, struct sa_set *s, int rc)
{
	struct reg *g = arg;
	struct str v;

	if (g->p && rc == 0) {
		v = security_server_value(s->server, s->n_server, g->answer->arena);
		sip_out_set(&g->out, SIP_H_SECURITY_SERVER, v);
		proxy_resume(g->p, g->branch, g->answer, &g->out);
	} else if (g->p) {
		/* Never a set in half, and never a challenge whose answer would come in clear (F20, F21). */
		proxy_reject(g->p, &(const struct refusal){
			.status = rc == -ENOSPC || rc == -EDQUOT || rc == -ETIMEDOUT ? 503 : rc == -EEXIST ? 400 : 500,
			.why = rc == -EEXIST ? "SPI or port of another phone" : "security associations cannot be made",
			.retry_after_s = rc == -EEXIST ? 0 : g->pw->p->cfg.retry_after_s });
	}
	reg_unref(g);
}

static enum proxy_verdict hold(struct reg *g, struct proxy_branch *b, struct sip_msg *m, const struct sip_out *o)
{
	g->answer = sip_msg_ref(m);
	g->branch = b;
	sip_out_copy(&g->out, o);
	return PROXY_HOLD;
}

static enum proxy_verdict challenge(struct reg *g, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	int rc;

	hold(g, b, m, o);
	g->refs++;
	rc = security_make(g->pw, proxy_request(p), &g->what, &g->sec, m, on_made, g);
	if (rc == 0)
		return PROXY_HOLD;
	g->refs--;
	log_error(LOG_SEC, "a challenge without keys for security associations", LOG_I("errno", -rc), LOG_S("impi", g->what.impi));
	proxy_reject(p, &(const struct refusal){ .status = 500, .why = "challenge without keys",
						 .retry_after_s = g->pw->p->cfg.retry_after_s });
	return PROXY_DROP;
}

static enum proxy_verdict on_response(void *user, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	struct reg *g = user;
	int rc;

	log_correlation(g->icid);
	trust_strip(&g->pw->p->cfg, o, TRUST_RESP_TO_PHONE);
	if (m->status / 100 != 2) {
		note_failure(g->pw->w, proxy_request(p), m);
		not_accepted(g, m);
		if (m->status == 401 && g->sec.chosen >= 0 && !g->answer)
			return challenge(g, p, b, m, o);
		return PROXY_PASS;
	}
	pcscf_keep(&g->pw->p->cfg, proxy_request(p), o);
	if (g->what.outbound)
		pcscf_flow_timer(&g->pw->p->cfg, proxy_request(p), o);
	if (g->pw->p->cfg.hide_topology && sip_msg_hdr(m, SIP_H_SERVICE_ROUTE))	/* what is stored counts, not what the phone sends */
		sip_out_set(o, SIP_H_SERVICE_ROUTE, arena_printf(o->arena, "<sip:%.*s;lr>", STR_ARG(g->pw->p->cfg.path_host)));
	rc = accepted(g, proxy_request(p), m);
	if (rc == 0)
		return PROXY_PASS;
	if (rc < 0) {
		proxy_reject(p, &(const struct refusal){ .status = 500, .why = "the binding cannot be kept",
							 .retry_after_s = g->pw->p->cfg.retry_after_s });
		return PROXY_DROP;
	}
	return hold(g, b, m, o);
}

/* The home network is silent (504, RFC 4320 leaves no 408) or cannot be reached: try again later. */
static bool on_final(void *user, struct proxy *p, unsigned status, struct sip_msg *m)
{
	struct reg *g = user;

	if (status != 408 && status != 503)
		return false;
	metric_add(&pcscf_registrations, m ? "refused" : "unanswered", NULL, 1);
	log_info(LOG_REG, "the home network does not answer a REGISTER", LOG_U("status", status), LOG_C("by", m ? "peer" : "us"),
		 LOG_S("impi", g->what.impi));
	tx_refuse(proxy_server(p), &(const struct refusal){
		.status = status == 408 ? 504 : 500, .why = "the home network does not answer", .quiet = true,
		.retry_after_s = g->pw->p->cfg.retry_after_s });
	return true;
}

static void on_branch(void *user, struct proxy *p, struct proxy_branch *b, const struct sip_flow *to, struct sip_out *o)
{
	struct reg *g = user;

	(void)p;
	(void)b;
	(void)o;
	pcscf_learn(g->pw->p, to);
}

static void on_gone(void *user, struct proxy *p)
{
	struct reg *g = user;

	(void)p;
	g->p = NULL;
	reg_unref(g);
}

static const struct proxy_ops ops = { .branch = on_branch, .response = on_response, .final = on_final, .gone = on_gone };

/* ---- the request ---- */

/* The home domain, one that may roam here, or our own address when To names one of those (an agent that was told nothing
 * but our address).  false: not served here. */
static bool set_home(struct pcscf_req *r)
{
	struct stack *s = r->pw->p->stack;
	const struct cfg_node *c = cfg_root(stack_config(s));
	const struct sip_uri *u = &r->m->ruri;
	bool ours = stack_is_self(s, u);
	struct str domain = ours ? r->m->to.uri.host : u->host;
	bool known = stack_is_home_domain(s, domain);

	if (u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS)
		return false;
	for (size_t i = 0; !known && i < cfg_list_len(c, "access.roaming_domains"); i++)
		known = str_ieq(domain, cfg_strs_at(c, "access.roaming_domains", i));
	if (known && ours)
		sip_out_set_ruri(&r->out, arena_printf(r->m->arena, "sip:%.*s", STR_ARG(domain)));
	return known;
}

/* Row P2: from facts.  "yes" is for what came through a security association of that private identity (S3), and for nothing
 * else: AKA in clear is "no"; Digest has an association once that phone has registered from this very flow (§5.2.2.3 with TLS, §5.2.2.4 without). */
static const char *integrity(const struct pcscf_req *r, const struct reg *g, const struct binding *before)
{
	bool tls = r->m->flow.proto == SIP_TLS;

	if (g->sec.via)
		return "yes";
	switch (credentials_kind(r->m)) {
	case CREDENTIALS_DIGEST:
		if (before && before->auth == BINDING_AUTH_DIGEST && sip_flow_eq(&before->flow, &r->m->flow))
			return tls ? "tls-yes" : "ip-assoc-yes";
		return tls ? "tls-pending" : "ip-assoc-pending";
	case CREDENTIALS_EMPTY:
	case CREDENTIALS_AKA:
		return "no";
	case CREDENTIALS_NONE:
		break;
	}
	return NULL;
}

static enum binding_auth auth_of(const struct sip_msg *m)
{
	enum credentials k = credentials_kind(m);

	return k == CREDENTIALS_DIGEST ? BINDING_AUTH_DIGEST : k == CREDENTIALS_AKA ? BINDING_AUTH_AKA : BINDING_AUTH_NONE;
}

/* RFC 7315 §5.5: a token as it stands, else quoted. */
static struct str visited_network(const struct pcscf_req *r)
{
	struct str name = r->pw->p->cfg.visited_network;

	for (size_t i = 0; i < name.l; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~", name.p[i]))
			return arena_printf(r->m->arena, "\"%.*s\"", STR_ARG(name));
	return name;
}

/* §5.2.2.1: what the home network gets. */
static int edit(struct pcscf_req *r, struct reg *g, const struct binding *before)
{
	struct sip_out *o = &r->out;
	struct arena *a = r->m->arena;

	if (credentials_set_integrity(o, integrity(r, g, before)) < 0)
		return -EBADMSG;
	trust_strip(&r->pw->p->cfg, o, TRUST_REQ_FROM_PHONE);
	if (credentials_kind(r->m) == CREDENTIALS_NONE)
		sip_out_vouch(o);		/* §5.2.2.6 (GIBA): the S-CSCF may go by the address that we saw */
	sip_out_drop(o, SIP_H_ROUTE);		/* clients.md point 9: a Service-Route here would lead past the I-CSCF */
	sip_out_set(o, SIP_H_PATH, pcscf_path_value(r->pw, a, g->id, g->what.outbound));
	sip_out_add_token(o, SIP_H_REQUIRE, "path");
	sip_out_add_token(o, SIP_H_SUPPORTED, "path");
	sip_out_set(o, SIP_H_PVNI, visited_network(r));
	g->icid = pcscf_charging_new(r->pw, o);
	return 0;
}

static void forward(struct pcscf_req *r, struct reg *g)
{
	struct proxy_target t = { .side = TX_CORE };
	struct proxy *p = proxy_new(r->pw->w->proxy, r->st, r->m, &ops, g);

	if (!p) {
		obj_unref(g->sec.via);
		free(g);
		pcscf_refuse(r, 500, "out of memory", STR_NONE);
		return;
	}
	g->p = p;
	g->refs = 1;
	sip_out_copy(proxy_out(p), &r->out);
	if (r->pw->p->cfg.icscf.l)
		t.route[t.n_routes++] = r->pw->p->cfg.icscf;
	if (proxy_target_add(p, &t) < 0)
		proxy_reject(p, &(const struct refusal){ .status = 500, .why = "out of memory" });
	else
		proxy_start(p);
}

void pcscf_register(struct pcscf_req *r)
{
	struct reg *g = calloc(1, sizeof(*g));
	struct binding *before;
	int rc;

	if (!g) {
		pcscf_refuse(r, 500, "out of memory", STR_NONE);
		return;
	}
	g->pw = r->pw;
	rc = registration_read(r->m, &g->what);
	if (rc < 0 || g->what.n_contacts > r->pw->p->cfg.max_contacts) {
		pcscf_refuse(r, rc == -ENOMEM ? 500 : 400, "contact cannot be read", STR_NONE);
		free(g);
		return;
	}
	if (!set_home(r)) {
		pcscf_refuse(r, 403, "foreign domain", STR_NONE);
		free(g);
		return;
	}
	before = g->what.key.l ? phone_by_key(r->pw->p->phones, g->what.key) : NULL;
	if (!security_check(r, &g->what, before, &g->sec)) {
		obj_unref(before);
		obj_unref(g->sec.via);
		free(g);
		return;
	}
	if (g->sec.via && (!before || !str_eq(before->key, g->what.key))) {		/* the set knows it by another key: nat.c */
		obj_unref(before);
		before = g->what.key.l ? phone_by_key(r->pw->p->phones, g->what.key) : NULL;
	}
	g->id = before ? before->id : rand_u64();
	g->auth = auth_of(r->m);
	rc = edit(r, g, before);
	obj_unref(before);
	if (rc < 0) {
		pcscf_refuse(r, 400, "authorization cannot be read", STR_NONE);
		obj_unref(g->sec.via);
		free(g);
		return;
	}
	forward(r, g);
}
