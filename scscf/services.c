/* scscf/services.c - initial filter criteria at work: application servers one after the other.  TS 24.229 §5.4.3.2, §5.4.3.3;
 * TS 23.218 §5.2, §6; RFC 5502, RFC 8498; rows T1-T4, T6-T8, S19.
 *
 * Both sides of a call come by here after their checks.  To an application server goes the request as it is, with two Routes:
 * the server and ourselves, whose user part is the original dialog identifier.  It is a token that says all that is needed when the
 * request comes back, under whatever Call-ID and on whatever worker: whose services run, in which session case, how far they
 * got.  So nothing has to be kept for a server that answers the request itself, and a chain outlives a restart.
 *
 * Default handling needs one thing more: whether a server that fails has had its turn already.  While it has a request in hand, a
 * mark is kept under a random number that its Route carries, too; a request that comes back sets it. */
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/rand.h"
#include "scscf/session.h"

static METRIC_DEF(m_as, "cscf_scscf_as_requests_total", METRIC_COUNTER,
		  "Requests for application servers, by session case and what became of them.", "case", "outcome");

#define ODI_FALLBACK 0x80u	/* in the flags of an original dialog identifier, beside the session case: the place is in the fallback table */

struct as_mark {
	struct obj o;
	atomic_bool back;
};
struct as_call {			/* a request in an application server's hands; in the arena of the request */
	const struct criterion *k;	/* of session.criteria */
	unsigned at;			/* its index there */
	uint64_t key;			/* of the mark */
	struct as_mark *mark;		/* a reference; NULL once it does not matter any more */
	bool progressed;		/* more than 100 was heard */
};

static void count(const struct session *s, const char *outcome)
{
	metric_add(&m_as, session_case_name(s->scase), outcome, 1);
}

bool services_term(enum session_case c)
{
	return c == CASE_TERMINATING_REGISTERED || c == CASE_TERMINATING_UNREGISTERED;
}

static enum session_case odi_case(const struct token *odi)
{
	return odi->flags & ~ODI_FALLBACK;
}

bool services_odi_term(const struct token *odi)
{
	return services_term(odi_case(odi));
}

static void hold(struct scscf_worker *sw, const struct criterion *k)
{
	held_set(sw, k->route, sw->s->sessions ? sw->s->sessions->as_hold_s : SESSION_AS_HOLD_S);
}

/* ---- marks ---- */

static void mark_free(struct obj *o)
{
	free(o);
}

static struct str key_str(const uint64_t *key)
{
	return str_make((const char *)key, sizeof(*key));
}

static void mark_make(struct scscf *s, struct as_call *c)
{
	struct as_mark *m = malloc(sizeof(*m));

	if (!m)
		return;
	obj_init(&m->o, mark_free);
	atomic_init(&m->back, false);
	c->key = rand_u64();
	c->mark = m;
	cmap_put(s->as_calls, key_str(&c->key), m);
}

static void mark_drop(struct scscf *s, struct as_call *c)
{
	if (!c->mark)
		return;
	cmap_del(s->as_calls, key_str(&c->key));
	obj_unref(c->mark);
	c->mark = NULL;
}

static bool is_back(const struct as_call *c)
{
	return c->mark && atomic_load(&c->mark->back);
}

static void mark_set(struct scscf *s, const struct sip_uri *odi)
{
	struct str value;
	struct as_mark *m;
	uint64_t key = 0;
	uint8_t raw[8];
	size_t n;

	if (!sip_uri_param(odi, "call", &value) || hex_decode(value, raw, sizeof(raw), &n) < 0 || n != sizeof(raw))
		return;
	memcpy(&key, raw, sizeof(raw));
	m = cmap_get(s->as_calls, key_str(&key));
	if (m)
		atomic_store(&m->back, true);
	obj_unref(m);
}

/* ---- to an application server ---- */

static struct str odi_route(const struct session *s, const struct as_call *c, struct arena *a)
{
	const struct token t = { .kind = TOKEN_ODI, .flags = (uint8_t)(s->scase | (s->fallback ? ODI_FALLBACK : 0)), .aux = (uint16_t)(c->at << 8 | s->user_identity),
				 .id = s->user_id };
	char text[TOKEN_STRLEN], call[2 * sizeof(c->key) + 1];

	token_make(stack_token_key(s->sw->w->stack), &t, text);
	hex_encode((const uint8_t *)&c->key, sizeof(c->key), call);
	return arena_printf(a, "<sip:%s@%.*s;lr;call=%s>", text, STR_ARG(stack_sip_name(s->sw->w->stack)), call);
}

static struct session_target *server_target(struct session *s, struct session_in *in, unsigned at)
{
	struct session_target *t = session_target_new(in);
	struct as_call *c = arena_zalloc(in->m->arena, sizeof(*c));
	struct addr literal;
	struct sip_uri u;

	if (!t || !c)
		return NULL;
	c->at = at;
	c->k = &s->criteria->v[at];
	mark_make(s->sw->s, c);
	s->as = c;
	t->as = c;
	t->route[0] = c->k->route;
	t->route[1] = odi_route(s, c, in->m->arena);
	t->n_routes = 2;
	t->wait_ms = session_config_as_wait(s->sw->s->sessions, c->k->server);
	t->progress_ms = s->sw->s->sessions ? s->sw->s->sessions->as_progress_ms : SESSION_AS_PROGRESS_MS;
	t->id = s->user_id;
	t->trusted = true;			/* TS 24.229 §4.4: application servers of the network are inside */
	t->abroad = sip_uri_parse(c->k->server, &u, NULL) == 0 && sip_uri_host_addr(&u, &literal) < 0 &&
		    !nexthop_is_home(s->sw, u.host);
	return t;
}

static void go(struct session *s, struct session_in *in, struct session_target *t, enum session_mode mode)
{
	if (s->p)
		session_more(s, t, mode);
	else
		session_start(s, in, t, mode);
}

static void refuse(struct session *s, struct session_in *in, unsigned status, const char *why)
{
	services_gone(s);
	if (s->p)
		proxy_reject(s->p, &(const struct refusal){ .status = status, .why = why,
							    .side = services_term(s->scase) ? "term" : "orig" });
	else
		session_refuse(in, status, why, STR_NONE);
}

/* No more services: §5.4.3.2 step 8 and following, §5.4.3.3. */
static void onward(struct session *s, struct session_in *in)
{
	struct session_target *targets = NULL;
	const char *why = NULL;
	unsigned status;

	if (s->side != SIDE_TERMINATING && translate(s, in, onward))
		return;
	if (s->side == SIDE_TERMINATING)
		status = terminating_targets(s, in, &targets, &why);
	else
		status = nexthop_find(s->sw, in, s->found, &targets, &why);
	if (status) {
		refuse(s, in, status, why);
		return;
	}
	if (s->side == SIDE_TERMINATING) {
		s->at_phones = true;
		legs_add(s->sw, in->m, s->user_id, SIDE_TERMINATING);
	}
	for (struct session_target *t = s->side == SIDE_ORIGINATING ? targets : NULL; t; t = t->next) {
		if (!border_may_leave(t, in->m)) {
			refuse(s, in, 500, "the privacy that is critical cannot be given");
			return;
		}
		t->id = s->user_id;
	}
	go(s, in, targets, s->side == SIDE_TERMINATING ? SESSION_FORK : SESSION_IN_TURN);
}

static void log_server(const struct session *s, const struct session_in *in, const struct criterion *k, const char *what)
{
	log_info(LOG_SESS, what, LOG_S("as", k->server), LOG_I("priority", k->priority), LOG_C("case", session_case_name(s->scase)),
		 LOG_S("served", s->served), LOG_S("method", in->m->method_name), LOG_S("call_id", in->m->call_id));
}

static bool is_dummy(const struct session *s, const struct criterion *k)
{
	const struct session_config *c = s->sw->s->sessions;

	return c && c->dummy_server.l && str_ieq(c->dummy_server, k->server);
}

static void next(struct session *s, struct session_in *in, unsigned from);

/* Row T6: nothing of the user's own wants the request.  Not for who is diverted to: its services had their turn. */
static void without_service(struct session *s, struct session_in *in)
{
	const struct session_config *c = s->sw->s->sessions;

	if (s->scase != CASE_ORIGINATING_CDIV && !s->fallback && s->sw->s->fallback) {
		obj_unref(s->criteria);
		s->criteria = criteria_current(s->sw->s->fallback);
		s->fallback = true;
		next(s, in, 0);
	} else if (s->scase != CASE_ORIGINATING_CDIV && c && c->refuse_without_service) {
		count(s, "no_service");
		refuse(s, in, 403, "no filter criterion of this user wants such a request");
	} else {
		onward(s, in);
	}
}

static void next(struct session *s, struct session_in *in, unsigned from)
{
	const struct criteria_query q = { .m = in->m, .ruri = in->ruri.text, .service = in->service, .scase = s->scase,
					  .registered = s->user_registered };
	unsigned at = criteria_next(s->criteria, from, &q);
	const struct criterion *k;
	struct session_target *t;
	bool wanted = from > 0;

	for (; at != CRITERIA_NONE; at = criteria_next(s->criteria, at + 1, &q)) {
		k = &s->criteria->v[at];
		wanted = true;
		if (is_dummy(s, k))
			continue;
		if (!held_is(s->sw, k->route))
			break;
		count(s, "held");
		if (k->terminate) {
			log_server(s, in, k, "application server failed just now: the session ends");
			refuse(s, in, 504, "an application server does not answer");
			return;
		}
		log_server(s, in, k, "application server failed just now: passed over");
	}
	if (at == CRITERIA_NONE) {
		if (wanted)
			onward(s, in);
		else
			without_service(s, in);
		return;
	}
	t = server_target(s, in, at);
	if (!t) {
		refuse(s, in, 500, "out of memory");
		return;
	}
	count(s, "asked");
	log_server(s, in, &s->criteria->v[at], "to an application server");
	go(s, in, t, SESSION_FORK);
}

void services_run(struct session *s, struct session_in *in, const struct reg_view *v, const struct profile_identity *id,
		  enum session_case c, unsigned from)
{
	s->scase = c;
	s->user_id = v->id;
	s->user_identity = (uint8_t)(id - v->profile->identity);
	s->user_registered = v->n_contacts > 0;
	charging_user(s, in->m->arena, v);
	s->criteria = s->fallback ? criteria_current(s->sw->s->fallback) : profile_criteria(v->profile, id->service);
	if ((s->criteria || s->sw->s->fallback) && !(s->in = session_in_keep(in))) {
		refuse(s, in, 500, "out of memory");
		return;
	}
	next(s, in, from);
	if (!s->p && !s->query)	/* it was refused: nobody will tell us that it is gone */
		services_gone(s);
}

/* ---- back from an application server ---- */

/* The one of a wildcarded identity that calls; the wildcard when the server asserts another one. */
static struct str asserted_of(const struct sip_msg *m, const struct profile_identity *id)
{
	struct sip_values it = sip_values(m, SIP_H_PAI);
	struct sip_nameaddr n;
	struct str value, aor;
	char text[512];

	while (sip_values_next(&it, &value))
		if (sip_nameaddr_parse(value, &n) == 0 && sip_uri_aor(&n.uri, text, sizeof(text), &aor) == 0 &&
		    wildcard_fits(str_from_c(id->aor), aor))
			return arena_dup(m->arena, n.uri.text);
	return arena_dup(m->arena, str_from_c(id->aor));
}

void services_return(struct scscf_worker *sw, struct session_in *in)
{
	const struct token *t = in->token;
	const struct profile_identity *id, *named;
	unsigned identity = t->aux & 0xff, from = (t->aux >> 8) + 1u;
	struct reg_view *v = reg_directory_id(sw->s->dir, t->id);
	enum session_case c = odi_case(t);
	bool fallback = t->flags & ODI_FALLBACK;
	struct session *s = NULL;

	mark_set(sw->s, &in->own[t - in->own_token].uri);
	if (!v || identity >= v->profile->n_identities || c >= N_SESSION_CASES) {
		session_refuse(in, 480, "the served user is not registered any more", STR_NONE);
		obj_unref(v);
		return;
	}
	id = &v->profile->identity[identity];
	/* §5.4.3.3: another Request-URI than the served user's: the server retargeted.  What is left of the terminating services is not
	 * for the new target; the user who diverts it has originating ones of the case "CDIV". */
	if (services_term(c) && !terminating_names(sw, &in->ruri, v, &named)) {
		log_info(LOG_SESS, "retargeted by an application server", LOG_C("served", id->aor), LOG_S("ruri", in->ruri.text),
			 LOG_S("call_id", in->m->call_id));
		c = CASE_ORIGINATING_CDIV;
		from = 0;
		fallback = false;
	}
	s = session_new(sw, in, services_term(c) ? SIDE_TERMINATING : SIDE_ORIGINATING, str_from_c(id->aor));
	if (s && services_term(c) && wildcard_is(id))
		s->served_uri = s->called;
	if (s && !services_term(c) && wildcard_is(id))
		s->served_uri = asserted_of(in->m, id);
	if (s && services_term(c))
		sip_out_drop(&in->out, SIP_H_ROUTE);
	if (s) {
		s->fallback = fallback;
		services_run(s, in, v, id, c, from);
	}
	obj_unref(v);
}

/* ---- the request on its way to a server: what session.c tells ---- */

void services_branch(struct session *s, const struct as_call *c, struct sip_out *o)
{
	const char *term = services_term(s->scase) ? "term" : "orig";

	(void)c;
	if (s->scase == CASE_ORIGINATING_CDIV)
		sip_out_set(o, SIP_H_PSERVED_USER, arena_printf(o->arena, "<%.*s>;orig-cdiv", STR_ARG(s->served_uri)));
	else
		sip_out_set(o, SIP_H_PSERVED_USER, arena_printf(o->arena, "<%.*s>;sescase=%s;regstate=%s", STR_ARG(s->served_uri), term,
								s->user_registered ? "reg" : "unreg"));
}

void services_response(struct session *s, struct as_call *c, const struct sip_msg *m)
{
	if (m->status < 200) {
		c->progressed = true;
	} else if (m->status < 300) {
		count(s, "answered");
		mark_drop(s->sw->s, c);
	}
}

/* A request that is not an INVITE gets no 1xx: when it came back to us the server is well, and somebody else is slow.  So for an INVITE
 * behind its 100 (§5.4.3.2: a 1xx above 100 is what counts). */
bool services_waited(struct session *s, struct as_call *c)
{
	(void)s;
	return !is_back(c);
}

/* §5.4.3.2, §5.4.3.3: a 408, a 5xx or silence before any 1xx means that the server failed, unless it had passed the request on:
 * then it is what came of it. */
bool services_failed(struct session *s, struct as_call *c, unsigned status, const struct sip_msg *m)
{
	bool failed = (status == 408 || status / 100 == 5) && !c->progressed && !is_back(c);
	struct session_in *in = s->in;

	mark_drop(s->sw->s, c);
	if (!failed) {
		count(s, "rejected");
		return false;
	}
	if (!m && (status == 408 || status == 503))
		hold(s->sw, c->k);
	count(s, c->k->terminate ? "failed_terminated" : "failed_continued");
	log_server(s, in, c->k, c->k->terminate ? "application server failed: the session ends"
						: "application server failed: the session goes on without it");
	if (c->k->terminate || proxy_is_over(s->p))
		return false;
	next(s, in, c->at + 1);
	return true;
}

void services_gone(struct session *s)
{
	if (s->as)
		mark_drop(s->sw->s, s->as);
	obj_unref(s->criteria);
	s->criteria = NULL;
}
