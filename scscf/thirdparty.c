/* scscf/thirdparty.c - application servers hear who is registered: third-party REGISTER, TS 24.229 §5.4.1.7, §5.4.1.7A; rows S19, T2.
 *
 * On every registration, re-registration and end of one, whoever ends it, the filter criteria of each service profile are matched
 * against the REGISTER, and where there is none (expiry, network) against one as the phone would have sent it.  Each server that wants
 * it gets one of ours: From and Contact are this node, To is an identity of that profile, the time is what the phone has.  A server
 * that does not answer matters only when its criterion says SESSION_TERMINATED: then the registration is ended by the network.
 *
 * A server may take it for less time than it was offered (RFC 3261 §10.3, §10.2.4): it alone is told again before that time is over, with
 * what the phone has left, until it says no or fails. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/proxy/uac.h"
#include "common/util/rand.h"
#include "scscf/keep.h"
#include "scscf/registration.h"
#include "scscf/session.h"

#define MESSAGE_MAX_BYTES (60u * 1024)
#define TAG_CHARS 10
#define MAX_SHORT 16u			/* servers of a registration that took it for less; more: told with the phone's next REGISTER */

static METRIC_DEF(m_sent, "cscf_scscf_third_party_registers_total", METRIC_COUNTER,
		  "REGISTER requests to application servers, by kind and by what came of them.", "kind", "outcome");

struct thirdparty {			/* of a registration, from the first REGISTER to a server to its end */
	char call_id[STACK_CALL_ID_STRLEN];
	uint32_t cseq;
	unsigned n_short;
	struct list shorter;
};
struct shorter {			/* a server that took it for less time */
	struct list link;
	struct timer timer;		/* it is told again */
	struct registration *g;
	unsigned service;
	int32_t priority;		/* of its criterion in that service profile */
	char server[];
};
struct told {				/* a REGISTER that is out */
	struct scscf *s;
	struct registrar *r;		/* of this worker */
	struct proxy_layer *l;
	uint64_t registration;		/* its id: another one is none of our business */
	const char *kind;
	bool terminate;
	unsigned service;
	int32_t priority;
	uint32_t expires_s;		/* that it was offered */
	char *server, *impi;
};
struct occasion {
	struct registration *g;
	const struct sip_msg *m;	/* the phone's REGISTER, or ours in its place */
	const struct reg_job *job;	/* NULL: m is ours */
	struct str answer;		/* header lines of its 200 */
	enum registration_type type;
	uint32_t expires_s;
	unsigned n;			/* sent */
};

static const char *kind_of(enum registration_type t)
{
	return t == REGISTRATION_INITIAL ? "initial" : t == REGISTRATION_AGAIN ? "refresh" : "deregistration";
}

/* ---- the answer ---- */

static void told_free(struct told *t)
{
	free(t->server);
	free(t->impi);
	free(t);
}

/* The registration that it was about; NULL: it has gone. */
static struct registration *registration_of(const struct told *t)
{
	struct registration_sets s;

	registration_sets(t->r, str_from_c(t->impi), &s);
	for (unsigned i = 0; i < s.n; i++)
		if (s.v[i]->id == t->registration && s.v[i]->profile)
			return s.v[i];
	return NULL;
}

/* §5.4.1.7: no answer, 408 or 5xx, and the criterion says SESSION_TERMINATED. */
static void end_registration(const struct told *t)
{
	const struct registration *g = registration_of(t);
	const struct profile_identity *id = g ? profile_default(g->profile) : NULL;
	struct cx_strs impu = { 0 };

	if (!id)
		return;
	impu.v[impu.n++] = str_from_c(id->aor);
	log_info(LOG_REG, "application server failed: the registration ends", LOG_C("as", t->server), LOG_C("impi", t->impi));
	if (registrar_deregister(t->s, str_from_c(t->impi), &impu, REG_DEREG_ADMIN, NULL, NULL) < 0)
		log_error(LOG_REG, "out of memory: a registration stands that should end", LOG_C("impi", t->impi));
}

/* ---- a server that took it for less time ---- */

static void shorter_free(struct shorter *x)
{
	timer_stop(&x->timer);
	list_del(&x->link);
	free(x);
}

static struct shorter *shorter_find(const struct thirdparty *tp, struct str server, unsigned service, int32_t priority)
{
	struct list *pos;

	list_for_each(pos, &tp->shorter) {
		struct shorter *x = list_entry(pos, struct shorter, link);

		if (x->service == service && x->priority == priority && str_eq_c(server, x->server))
			return x;
	}
	return NULL;
}

static void on_shorter(struct timer *t);

static struct shorter *shorter_get(struct registration *g, const struct told *t)
{
	struct shorter *x = shorter_find(g->thirdparty, str_from_c(t->server), t->service, t->priority);
	size_t l = strlen(t->server) + 1;

	if (x || g->thirdparty->n_short == MAX_SHORT)
		return x;
	x = calloc(1, sizeof(*x) + l);
	if (!x)
		return NULL;
	x->g = g;
	x->service = t->service;
	x->priority = t->priority;
	memcpy(x->server, t->server, l);
	timer_init(&x->timer, on_shorter);
	list_add_tail(&g->thirdparty->shorter, &x->link);
	g->thirdparty->n_short++;
	return x;
}

/* What a 2xx grants: our Contact's own time, else Expires; 0: it says nothing (RFC 3261 §10.2.4). */
static uint32_t granted_s(const struct told *t, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_CONTACT);
	struct str us = stack_sip_name(t->s->stack), v, text;
	struct sip_nameaddr na;
	struct sip_uri own;
	char uri[300];
	uint32_t n;

	snprintf(uri, sizeof(uri), "sip:%.*s", STR_ARG(us));
	while (sip_uri_parse(str_from_c(uri), &own, NULL) == 0 && sip_values_next(&it, &v))
		if (sip_nameaddr_parse(v, &na) == 0 && !na.star && sip_uri_equal(&na.uri, &own) &&
		    sip_nameaddr_param(&na, "expires", &text) && str_to_u32(text, &n) == 0)
			return n;
	return sip_msg_u32(m, SIP_H_EXPIRES, &n) == 0 ? n : 0;
}

/* As a phone does: TS 24.229 §5.1.1.4.1. */
static uint32_t again_in_s(uint32_t granted, uint32_t least)
{
	uint32_t s = granted > 1200 ? granted - 600 : granted / 2;

	return s > least ? s : least;
}

static void note_granted(const struct told *t, const struct sip_msg *m)
{
	struct registration *g = registration_of(t);
	uint32_t granted = m ? granted_s(t, m) : 0;
	struct shorter *x;

	if (!g || !g->thirdparty || g->foreign || !granted || granted >= t->expires_s)
		return;
	x = shorter_get(g, t);
	if (x)
		timer_start(g->r->sw->w->wheel, &x->timer, (uint64_t)again_in_s(granted, t->s->reg->third_party_min_s) * 1000);
}

static void on_answer(void *arg, unsigned status, const struct sip_msg *m)
{
	struct told *t = arg;
	bool failed = status == 408 || status / 100 == 5;

	if (!uac_stopping(t->l)) {
		metric_add(&m_sent, t->kind, failed ? "failed" : status < 300 ? "accepted" : "rejected", 1);
		if (status >= 300)
			log_info(LOG_REG, "application server did not take a third-party registration", LOG_C("as", t->server),
				 LOG_C("kind", t->kind), LOG_U("status", status), LOG_C("impi", t->impi));
		if (status < 300)
			note_granted(t, m);
		if (failed && t->terminate)
			end_registration(t);
	}
	told_free(t);
}

/* ---- the request ---- */

static bool is_home(struct scscf_worker *sw, const struct criterion *k)
{
	struct addr literal;
	struct sip_uri u;

	return sip_uri_parse(k->server, &u, NULL) == 0 && (sip_uri_host_addr(&u, &literal) == 0 || nexthop_is_home(sw, u.host));
}

/* TS 24.229 §5.4.1.7: the ICID of the REGISTER that this is about, or one of our own, and us as orig-ioi of type 3. */
static void put_charging(struct buf *b, const struct occasion *o, const struct criterion *k)
{
	struct stack *stack = registration_scscf(o->g)->stack;
	struct arena *a = arena_new(CHARGING_BYTES);
	struct charging_vector v;
	struct str value = STR_NONE;
	bool home = is_home(o->g->r->sw, k);

	if (a) {
		charging_read(a, o->m, &v);
		if (v.icid.l == 0)
			charging_new(a, stack_sip_name(stack), &v);
		v.term_ioi = STR_NONE;
		v.orig_ioi = charging_ioi(a, IOI_SERVICE, stack_home_domain(stack));
		if (!home)
			v.access = v.domain = STR_NONE;
		value = charging_write(a, &v);
	}
	if (value.l)
		buf_printf(b, "P-Charging-Vector: %.*s\r\n", STR_ARG(value));
	if (o->g->pcfa && home)
		buf_printf(b, "P-Charging-Function-Addresses: %s\r\n", o->g->pcfa);
	arena_unref(a);
}

/* What the P-CSCF said about where the phone is. */
static void put_access(struct buf *b, const struct occasion *o)
{
	static const enum sip_hdr_id ids[] = { SIP_H_PAANI, SIP_H_PVNI };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		for (const struct sip_hdr *h = sip_msg_hdr(o->m, ids[i]); h; h = sip_msg_hdr_next(o->m, h))
			buf_printf(b, "%.*s: %.*s\r\n", STR_ARG(sip_hdr_name(ids[i])), STR_ARG(sip_msg_hdr_value(o->m, h)));
}

static void put_escaped(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.l; i++) {
		if (s.p[i] == '<')
			buf_puts(b, "&lt;");
		else if (s.p[i] == '&')
			buf_puts(b, "&amp;");
		else if (s.p[i] == '>')
			buf_puts(b, "&gt;");
		else
			buf_putc(b, s.p[i]);
	}
}

/* TS 24.229 §7.6.1. */
static void put_service_info(struct buf *b, struct str info)
{
	buf_puts(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<ims-3gpp version=\"1\"><service-info>");
	put_escaped(b, info);
	buf_puts(b, "</service-info></ims-3gpp>\r\n");
}

static void put_answer(struct buf *b, const struct occasion *o)
{
	struct bytes *answer;
	char tag[TAG_CHARS + 1];

	rand_token(tag, TAG_CHARS);		/* that of the phone's 200 is known to its transaction only */
	answer = sip_reply_make(o->m, 200, NULL, str_make(tag, TAG_CHARS), o->answer, STR_NONE, STR_NONE);
	if (answer)
		buf_put(b, bytes_str(answer));
	else
		b->failed = true;
	bytes_unref(answer);
}

static void part_begin(struct buf *b, const char *boundary, const char *type, bool many)
{
	if (many)
		buf_printf(b, "--%s\r\nContent-Type: %s\r\n\r\n", boundary, type);
}

/* §5.4.1.7A: what the criterion asks for, each a body; more than one in multipart/mixed. */
static void put_bodies(struct buf *b, const struct occasion *o, const struct criterion *k, char boundary[17], const char **ret_type)
{
	bool request = k->include_request && o->job, response = k->include_response && o->job;
	bool many = (k->service_info.l > 0) + request + response > 1;

	rand_token(boundary, 16);
	*ret_type = many ? "multipart/mixed" : k->service_info.l ? "application/3gpp-ims+xml" : "message/sip";
	if (k->service_info.l) {
		part_begin(b, boundary, "application/3gpp-ims+xml", many);
		put_service_info(b, k->service_info);
	}
	if (request) {
		part_begin(b, boundary, "message/sip", many);
		buf_put(b, o->m->raw);
		buf_puts(b, many ? "\r\n" : "");
	}
	if (response) {
		part_begin(b, boundary, "message/sip", many);
		put_answer(b, o);
		buf_puts(b, many ? "\r\n" : "");
	}
	if (many)
		buf_printf(b, "--%s--\r\n", boundary);
}

static void put_request(struct buf *b, struct occasion *o, const struct criterion *k, const struct profile_identity *to)
{
	struct str us = stack_sip_name(registration_scscf(o->g)->stack);
	struct thirdparty *tp = o->g->thirdparty;
	char tag[TAG_CHARS + 1], boundary[17];
	const char *type;
	struct buf body;

	rand_token(tag, TAG_CHARS);
	buf_init(&body, MESSAGE_MAX_BYTES);
	put_bodies(&body, o, k, boundary, &type);
	buf_printf(b, "REGISTER %.*s SIP/2.0\r\nMax-Forwards: 70\r\nFrom: <sip:%.*s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %u REGISTER\r\n"
		   "Contact: <sip:%.*s>\r\nExpires: %u\r\n", STR_ARG(k->server), STR_ARG(us), tag, to->uri, tp->call_id, ++tp->cseq,
		   STR_ARG(us), o->expires_s);
	put_access(b, o);
	put_charging(b, o, k);
	if (body.l)
		buf_printf(b, "Content-Type: %s%s%s\r\n", type, strcmp(type, "multipart/mixed") == 0 ? ";boundary=" : "",
			   strcmp(type, "multipart/mixed") == 0 ? boundary : "");
	buf_printf(b, "Content-Length: %zu\r\n\r\n", body.l);
	buf_put(b, buf_str(&body));
	b->failed = b->failed || body.failed;
	buf_fini(&body);
}

static bool state_make(struct registration *g)
{
	if (g->thirdparty)
		return true;
	g->thirdparty = calloc(1, sizeof(*g->thirdparty));
	if (!g->thirdparty)
		return false;
	list_init(&g->thirdparty->shorter);
	stack_call_id(g->r->sw->w, g->thirdparty->call_id);
	return true;
}

static struct told *told_new(const struct occasion *o, const struct criterion *k, unsigned service)
{
	struct told *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct told){ .s = registration_scscf(o->g), .r = o->g->r, .l = o->g->r->sw->w->proxy, .registration = o->g->id, .kind = kind_of(o->type),
			    .terminate = k->terminate && o->type != REGISTRATION_END, .service = service, .priority = k->priority,
			    .expires_s = o->expires_s, .server = str_dup(k->server), .impi = strdup(o->g->impi) };
	if (t->server && t->impi)
		return t;
	told_free(t);
	return NULL;
}

static void tell(struct occasion *o, const struct criterion *k, const struct profile_identity *to)
{
	const struct session_config *c = registration_scscf(o->g)->sessions;
	struct told *t = state_make(o->g) ? told_new(o, k, to->service) : NULL;
	struct shorter *x = t ? shorter_find(o->g->thirdparty, k->server, to->service, k->priority) : NULL;
	struct uac *u = NULL;
	struct buf b;

	if (x)
		timer_stop(&x->timer);		/* the answer says when again */
	buf_init(&b, MESSAGE_MAX_BYTES);
	if (t) {
		put_request(&b, o, k, to);
		if (!b.failed)
			u = uac_send(t->l, buf_str(&b), TX_CORE, session_config_as_wait(c, k->server), on_answer, t);
	}
	buf_fini(&b);
	if (u) {
		o->n++;
		return;
	}
	log_warn(LOG_REG, "a third-party registration could not be sent", LOG_S("as", k->server), LOG_C("impi", o->g->impi));
	if (t)
		told_free(t);
}

/* ---- whom to tell ---- */

/* An identity of that service profile: the one that registers, when it may be shown, else the first that may. */
static const struct profile_identity *identity_for(const struct occasion *o, unsigned service)
{
	const struct profile *p = o->g->profile;
	const struct profile_identity *id = o->job ? profile_find(p, o->job->impu) : NULL;

	if (id && id->service == service && !id->barred)
		return id;
	for (unsigned i = 0; i < p->n_identities; i++)
		if (p->identity[i].service == service && !p->identity[i].barred)
			return &p->identity[i];
	return NULL;
}

static void tell_all(struct occasion *o)
{
	struct criteria_query q = { .m = o->m, .ruri = o->m->ruri_text, .scase = CASE_ORIGINATING, .registered = true,
				    .registration = o->type };
	const struct profile *p = o->g->profile;

	for (unsigned service = 0; service < p->n_services; service++) {
		const struct profile_identity *to = identity_for(o, service);
		struct criteria *c = profile_criteria(p, service);
		unsigned at = 0;

		while (c && to && (at = criteria_next(c, at, &q)) != CRITERIA_NONE)
			tell(o, &c->v[at++], to);
		obj_unref(c);
	}
}

static bool has_criteria(const struct profile *p)
{
	for (unsigned i = 0; p && i < p->n_services; i++)
		if (p->criteria[i])
			return true;
	return false;
}

/* What the phone has: its contact that stays longest. */
static uint32_t left_s(const struct registration *g)
{
	uint64_t now = registration_now_ms(g), last = now;
	struct list *pos;

	list_for_each(pos, &g->bindings) {
		const struct binding *b = list_entry(pos, struct binding, link);

		last = b->expires_ms > last ? b->expires_ms : last;
	}
	return (uint32_t)((last - now + 999) / 1000);
}

void thirdparty_registered(struct registration *g, const struct reg_job *job, struct str answer)
{
	struct occasion o = { .g = g, .m = job->m, .job = job, .answer = answer };

	if (!has_criteria(g->profile) || g->emergency)		/* TS 24.229 §5.4.8.2: nobody is told of it */
		return;
	o.type = strcmp(job->kind, "initial") == 0 ? REGISTRATION_INITIAL : REGISTRATION_AGAIN;
	o.expires_s = left_s(g);
	tell_all(&o);
	if (o.n)
		keep_registration(g);		/* the next one counts on, after a restart too */
}

void thirdparty_keep(const struct registration *g, struct keep_record *k)
{
	if (!g->thirdparty)
		return;
	k->thirdparty_call_id = str_from_c(g->thirdparty->call_id);
	k->thirdparty_cseq = g->thirdparty->cseq;
}

static void stop_shorter(struct thirdparty *tp)
{
	struct list *pos, *next;

	list_for_each_safe(pos, next, &tp->shorter)
		shorter_free(list_entry(pos, struct shorter, link));
	tp->n_short = 0;
}

/* Of one Call-ID the CSeq rises, whichever instance told last: RFC 3261 §10.2. */
static void go_on_from(struct thirdparty *tp, struct str call_id, uint32_t cseq)
{
	if (!str_eq_c(call_id, tp->call_id)) {
		str_copy(call_id, tp->call_id, sizeof(tp->call_id));
		tp->cseq = cseq;
	}
	tp->cseq = cseq > tp->cseq ? cseq : tp->cseq;
}

void thirdparty_restore(struct registration *g, const struct keep_record *k)
{
	bool had = g->thirdparty != NULL;

	if (had && g->foreign)			/* its owner tells the servers again */
		stop_shorter(g->thirdparty);
	if (!k->thirdparty_call_id.l || !state_make(g))
		return;
	/* Responses come to the worker of the Call-ID, which may have changed: then it is one of our own. */
	if (stack_worker_of_call(registration_scscf(g)->stack, k->thirdparty_call_id) == g->r->sw->w)
		go_on_from(g->thirdparty, k->thirdparty_call_id, k->thirdparty_cseq);
	else if (!had)
		g->thirdparty->cseq = k->thirdparty_cseq;
}

/* The REGISTER that the phone would have sent. */
static struct sip_msg *make_register(const struct registration *g)
{
	const struct profile_identity *id = profile_default(g->profile);
	struct sip_parse_error err;
	struct sip_msg *m = NULL;
	struct buf b;

	if (!id)
		return NULL;
	buf_init(&b, 2048);
	buf_printf(&b, "REGISTER sip:%.*s SIP/2.0\r\nVia: SIP/2.0/UDP 0.0.0.0;branch=z9hG4bK\r\nFrom: <%s>;tag=x\r\nTo: <%s>\r\nCall-ID: x\r\n"
		   "CSeq: 1 REGISTER\r\nContact: *\r\nExpires: 0\r\n\r\n", STR_ARG(stack_home_domain(registration_scscf(g)->stack)), id->uri, id->uri);
	if (b.failed || sip_msg_parse_copy(buf_str(&b), NULL, &m, &err) < 0) {
		sip_msg_unref(m);
		m = NULL;
	}
	buf_fini(&b);
	return m;
}

void thirdparty_ended(struct registration *g, const struct reg_job *job)
{
	struct occasion o = { .g = g, .job = job, .type = REGISTRATION_END };
	struct sip_msg *made = NULL;

	if (!g->thirdparty)		/* nobody was told that it began */
		return;
	if (!job)
		made = make_register(g);
	o.m = job ? job->m : made;
	if (o.m && g->profile)
		tell_all(&o);
	sip_msg_unref(made);
	thirdparty_forget(g);
}

/* Its time runs out: the criterion that named it, when the profile still has it, and that server alone. */
static void on_shorter(struct timer *t)
{
	struct shorter *x = container_of(t, struct shorter, timer);
	struct occasion o = { .g = x->g, .type = REGISTRATION_AGAIN, .expires_s = left_s(x->g) };
	const struct profile *p = x->g->profile;
	struct criteria *c = profile_criteria(p, x->service);
	const struct profile_identity *to = c ? identity_for(&o, x->service) : NULL;
	struct sip_msg *m = to && o.expires_s ? make_register(x->g) : NULL;

	o.m = m;
	for (unsigned i = 0; m && !o.n && i < c->n; i++)
		if (c->v[i].priority == x->priority && str_eq_c(c->v[i].server, x->server))
			tell(&o, &c->v[i], to);
	obj_unref(c);
	sip_msg_unref(m);
	if (o.n)
		keep_registration(x->g);
}

void thirdparty_forget(struct registration *g)
{
	if (!g->thirdparty)
		return;
	stop_shorter(g->thirdparty);
	free(g->thirdparty);
	g->thirdparty = NULL;
}
