/* pcscf/rx.c - the AF's side of Rx: one Diameter session per call and phone (and per registration: rx_signalling.c).  TS 29.214 §4.4.1, §4.4.2, §4.4.4; rows Q2 Q3 Q4 Q8 Q9.
 *
 *   (new) --AAR--> asking --AAA--> open --AAR, AAA...--> open --call over: STR--> ending --STA--> (gone)
 *
 * A session that may exist at the PCRF is ended there, whatever was answered: also when an AAA is late, or refused, or never
 * came.  STR waits for the AAAs that are still missing, so that it cannot overtake their AAR at the peer; one that gets no
 * answer is sent again, and for a while one that finds no session where an AAR is without its answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/diameter/rx.h"
#include "common/log/log.h"
#include "pcscf/rx.h"

#define STR_FIRST_RETRY_S 1u		/* doubled each time */
#define STR_MAX_RETRY_S 64u
#define STR_MAX_TRIES 12u		/* some ten minutes: then the PCRF has forgotten by itself */
#define STR_UNKNOWN_TRIES 6u		/* a minute: how late an AAR may bear fruit that got no answer */
enum { IP_CAN_GPRS = 0, IP_CAN_5GS = 8 };	/* TS 29.212 §5.3.27 */
#define LOGOUT 1u			/* Termination-Cause DIAMETER_LOGOUT */
#define CODEC_ARENA_BYTES 8192u

static METRIC_DEF(m_sessions, "cscf_pcscf_rx_sessions", METRIC_GAUGE, "Rx sessions that the PCRF may have.", NULL, NULL);
static METRIC_DEF(m_lost, "cscf_pcscf_rx_unended_total", METRIC_COUNTER, "Rx sessions whose end no PCRF has confirmed.", NULL, NULL);

struct rx_question {
	struct rx_session *s;
	uint64_t number;
};

static bool is_id(const struct hnode *n, const void *key)
{
	return str_eq_c(*(const struct str *)key, container_of(n, struct rx_session, node)->id);
}

struct rx_session *rx_find(struct rx_sessions *t, struct str id)
{
	struct hnode *n = htab_find(&t->by_id, hash_str(id), is_id, &id);

	return n ? container_of(n, struct rx_session, node) : NULL;
}

static void on_retry(struct timer *t);

struct rx_session *rx_session_new(struct pcscf_worker *pw, struct binding *b, struct str id)
{
	struct rx_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->pw = pw;
	s->b = obj_ref(b);
	if (id.l)
		str_copy(id, s->id, sizeof(s->id));
	else
		rx_session_id(s->id, pw->w->id);
	timer_init(&s->retry, on_retry);
	htab_add(&pw->rx->by_id, &s->node, hash_str(str_from_c(s->id)));
	list_add_tail(&pw->rx->all, &s->link);
	metric_adjust(&m_sessions, NULL, NULL, 1);
	return s;
}

static void *rx_open(struct pcscf_worker *pw, struct call *c)
{
	struct rx_session *s = rx_session_new(pw, c->b, STR_NONE);

	if (s)
		s->call = c;
	return s;
}

static void rx_session_drop(struct rx_session *s)
{
	timer_stop(&s->retry);
	if (s->signalling)
		htab_del(&s->pw->rx->by_phone, &s->by_phone);
	htab_del(&s->pw->rx->by_id, &s->node);
	list_del(&s->link);
	metric_adjust(&m_sessions, NULL, NULL, -1);
	obj_unref(s->b);
	free(s);
}

static void rx_session_free(struct rx_session *s)
{
	rx_session_forget(s);
	rx_session_drop(s);
}

/* ---- the end ---- */

static void send_str(struct rx_session *s);

static void on_retry(struct timer *t)
{
	send_str(container_of(t, struct rx_session, retry));
}

/* A PCRF that is slow with an AAR knows no session yet, and has one that nobody will end when it is done. */
static bool may_come_to_be(const struct rx_session *s, const struct dia_result *r)
{
	return r->code == DIA_UNKNOWN_SESSION_ID && s->unanswered && s->tries < STR_UNKNOWN_TRIES;
}

static void on_sta(void *arg, const struct rx_sta *a)
{
	struct rx_session *s = arg;
	const struct dia_result *r = &a->result;
	unsigned wait_s = STR_FIRST_RETRY_S << (s->tries < 6 ? s->tries : 6);

	s->outstanding--;
	if (r->err == 0 && r->code != DIA_TOO_BUSY && r->code != DIA_UNABLE_TO_DELIVER && !may_come_to_be(s, r)) {
		log_debug(LOG_SESS, "Rx session ended", LOG_C("session", s->id), LOG_C("result", rx_result_name(a->result.code, a->result.experimental)));
		rx_session_free(s);
		return;
	}
	if (++s->tries >= STR_MAX_TRIES) {
		log_warn(LOG_SESS, "the PCRF confirms no end of a session", LOG_C("session", s->id));
		metric_add(&m_lost, NULL, NULL, 1);
		rx_session_free(s);
		return;
	}
	timer_start(s->pw->w->wheel, &s->retry, (uint64_t)(wait_s < STR_MAX_RETRY_S ? wait_s : STR_MAX_RETRY_S) * 1000);
}

static void send_str(struct rx_session *s)
{
	struct rx_str r = { .session_id = str_from_c(s->id), .dest_realm = rx_realm(s), .dest_host = str_from_c(s->peer_host), .cause = LOGOUT };

	s->outstanding++;
	if (rx_str_send(s->pw->w->dia, &r, on_sta, s))
		return;
	s->outstanding--;
	timer_start(s->pw->w->wheel, &s->retry, STR_FIRST_RETRY_S * 1000);
}

void rx_session_end_later(struct rx_session *s, uint64_t ms)
{
	s->over = s->asked = true;
	timer_start(s->pw->w->wheel, &s->retry, ms);
}

void rx_session_end(struct rx_session *s)
{
	bool first = !s->over;

	s->over = true;
	s->call = NULL;
	if (s->signalling)
		htab_del(&s->pw->rx->by_phone, &s->by_phone);
	s->signalling = false;
	if (first && s->asked) {		/* as one of nobody: the next process ends it, should this one not come to it */
		s->kept = false;
		rx_session_keep(s);
	}
	if (s->outstanding)		/* rx_answered() goes on */
		return;
	if (s->asked)
		send_str(s);
	else
		rx_session_free(s);
}

static void rx_leave(void *session)
{
	((struct rx_session *)session)->call = NULL;
}

static void rx_end(void *session)
{
	rx_session_end(session);
}

/* ---- AAR ---- */

struct str rx_realm(const struct rx_session *s)
{
	return s->peer_realm[0] ? str_from_c(s->peer_realm) : s->pw->p->cfg.policy.realm;
}

/* Framed-IP-Address: four octets.  Framed-IPv6-Prefix: reserved, length 128, the address (RFC 3162 §2.3): peers bind by all 18. */
static void set_address(struct rx_aar *r, const struct addr *a, uint8_t octets[18])
{
	if (a->sa.sa_family == AF_INET6) {
		octets[0] = 0;
		octets[1] = 128;
		memcpy(octets + 2, &a->in6.sin6_addr, 16);
		r->framed_ip6 = str_make((char *)octets, 18);
	} else {
		memcpy(octets, &a->in4.sin_addr, 4);
		r->framed_ip = str_make((char *)octets, 4);
	}
}

/* The SIP URI first: there are PCRFs that read no other; then the number, and the IMSI of a private identity that begins with one. */
static void set_subscription(struct rx_aar *r, const struct binding *b)
{
	struct str imsi, rest;

	r->id[r->n_ids++] = (struct rx_id){ 2, b->identity[0].aor };
	for (unsigned i = 0; i < b->n_identities && r->n_ids < 2; i++)
		if (str_istarts(b->identity[i].aor, STR("tel:+")))
			r->id[r->n_ids++] = (struct rx_id){ 0, str_from(b->identity[i].aor, 5) };
	if (str_cut(b->impi, '@', &imsi, &rest) && imsi.l == 15)
		r->id[r->n_ids++] = (struct rx_id){ 1, imsi };
}

static void set_sub(struct rx_sub *out, const struct media_flow *f, unsigned number, struct arena *a)
{
	char rule[MEDIA_RULE_STRLEN];

	out->number = number;
	out->status = RX_ABSENT;
	out->usage = f->rtcp ? RX_RTCP : RX_ABSENT;
	out->protocol = 0;
	out->flow[0].v = arena_dup(a, str_from_c(media_rule(f, true, rule)));
	out->flow[1].v = arena_dup(a, str_from_c(media_rule(f, false, rule)));
	out->n_flows = 2;
}

/* Codec-Data, §5.3.7: direction, offer or answer, then the lines of the media. */
static void add_codec(struct rx_media *m, bool uplink, bool offer, struct str text, struct arena *a)
{
	if (text.l)
		m->codec[m->n_codecs++].v = arena_printf(a, "%s\n%s\n%.*s\n", uplink ? "uplink" : "downlink", offer ? "offer" : "answer",
							 STR_ARG(text));
}

static void set_media(struct rx_media *m, const struct media_component *c, struct arena *a)
{
	rx_media_init(m);
	m->number = c->number;
	m->type = c->type == MEDIA_OTHER ? RX_OTHER : (uint32_t)c->type;	/* always: without it some read AUDIO */
	m->status = (uint32_t)c->way;
	if (c->way == MEDIA_REMOVED)
		return;
	m->ul_bps = c->ul_bps;
	m->dl_bps = c->dl_bps;
	m->rs_bps = c->rs_bps;
	m->rr_bps = c->rr_bps;
	for (unsigned i = 0; i < c->n_flows; i++)
		set_sub(&m->sub[m->n_subs++], &c->flow[i], i + 1, a);
	add_codec(m, true, c->ue_offered, c->ue_text, a);
	add_codec(m, false, !c->ue_offered, c->remote_text, a);
}

static const uint32_t actions[] = { RX_LOSS_OF_BEARER, RX_RECOVERY_OF_BEARER, RX_RELEASE_OF_BEARER, RX_FAILED_ALLOCATION, RX_IP_CAN_CHANGE,
				    RX_CHARGING_CORRELATION };

static void set_first(struct rx_aar *r, const struct rx_session *s)
{
	const struct policy_config *cfg = &s->pw->p->cfg.policy;
	const struct call *c = s->call;

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		r->actions.v[r->actions.n++] = actions[i];
	if (cfg->location) {
		r->actions.v[r->actions.n++] = RX_ACCESS_NETWORK_INFO;
		r->required_access = (struct cx_u32s){ 2, { 0, 1 } };		/* USER_LOCATION, MS_TIME_ZONE */
	}
	r->af_charging = c->icid;
	if (c->emergency)
		r->service_urn = c->service.l ? c->service : STR("sos");
	if (c->priority.l)
		r->mps = cfg->mps;
}

static void rx_answered(void *arg, const struct rx_aaa *a);

bool rx_session_ask(struct rx_session *s, struct rx_aar *r, uint64_t number)
{
	struct rx_question *k = malloc(sizeof(*k));
	uint8_t octets[18];

	if (!k)
		return false;
	*k = (struct rx_question){ s, number };
	r->session_id = str_from_c(s->id);
	r->dest_realm = rx_realm(s);
	r->dest_host = s->peer_host[0] ? str_from_c(s->peer_host) : s->pw->p->cfg.policy.host;
	r->af_application = s->pw->p->cfg.policy.application;
	set_address(r, &s->b->flow.remote, octets);
	set_subscription(r, s->b);
	if (!rx_aar_send(s->pw->w->dia, r, rx_answered, k)) {
		free(k);
		return false;
	}
	s->outstanding++;
	s->asked = true;
	rx_session_keep(s);
	return true;
}

static bool rx_ask(void *session, const struct policy_question *q)
{
	struct rx_session *s = session;
	struct arena *a = arena_new(CODEC_ARENA_BYTES);
	struct rx_aar *r = a ? arena_alloc(a, sizeof(*r)) : NULL;
	bool sent = false;

	if (r) {
		rx_aar_init(r);
		r->service_info_status = q->final ? 0 : 1;
		r->request_type = q->first ? 0 : 1;
		if (q->several)
			r->forking = 1;
		if (q->first)
			set_first(r, s);
		for (unsigned i = 0; i < q->media->n; i++)
			set_media(&r->media[r->n_media++], &q->media->c[i], a);
		sent = rx_session_ask(s, r, q->number);
	}
	arena_unref(a);
	return sent;
}

/* ---- AAA ---- */

static bool is_yes(const struct dia_result *r)
{
	return r->err == 0 && r->code >= 2000 && r->code < 3000;
}

static void read_answer(const struct rx_aaa *a, struct policy_answer *ret, char reason[128])
{
	const struct dia_result *r = &a->result;

	if (r->err) {
		ret->verdict = POLICY_SILENT;
		snprintf(ret->cause, sizeof(ret->cause), "%s", r->err == -ETIMEDOUT ? "no answer" : r->err == -ENOTCONN ? "no peer"
			 : r->err == -EBUSY ? "too many questions" : "malformed answer");
	} else {
		ret->verdict = is_yes(r) ? POLICY_YES : r->code == DIA_UNABLE_TO_DELIVER || r->code == DIA_TOO_BUSY ? POLICY_SILENT : POLICY_NO;
		ret->code = r->code;
		ret->later = r->code >= 3000 && r->code < 5000;
		ret->media = r->code == RX_INVALID_SERVICE_INFORMATION || r->code == RX_FILTER_RESTRICTIONS || r->code == RX_NOT_AUTHORIZED ||
			     r->code == RX_TEMPORARILY_NOT_AUTHORIZED;
		snprintf(ret->cause, sizeof(ret->cause), "%s", rx_result_name(r->code, r->experimental));
		if (!is_yes(r))		/* TS 24.229 §7.2A.18.11 */
			ret->reason = str_make(reason, (size_t)snprintf(reason, 128, "DIAMETER;cause=%u;text=\"%s\"", r->code, ret->cause));
	}
	if (r->err)
		ret->reason = str_make(reason, (size_t)snprintf(reason, 128, "SIP;cause=503;text=\"Policy control: %s\"", ret->cause));
}

/* Access-Network-Charging-Address is an Address: RFC 6733 §4.3.1.  TS 29.214 §5.3.2, §5.3.4. */
static void take_charging(struct rx_session *s, struct str address)
{
	char *ip = s->charging_ip, text[CHARGING_ACCESS_BYTES];
	const uint8_t *p = (const uint8_t *)address.p;
	enum charging_access_kind kind = s->ip_can == IP_CAN_GPRS ? CHARGING_GPRS : s->ip_can == IP_CAN_5GS ? CHARGING_5GS : CHARGING_EPS;
	struct str said;

	if (address.l == 6 && p[0] == 0 && p[1] == 1) {
		inet_ntop(AF_INET, p + 2, ip, sizeof(s->charging_ip));
	} else if (address.l == 18 && p[0] == 0 && p[1] == 2) {
		inet_ntop(AF_INET6, p + 2, ip + 1, sizeof(s->charging_ip) - 2);
		ip[0] = '[';
		memcpy(ip + strlen(ip), "]", 2);
	}
	said = charging_access(kind, str_from_c(ip), str_from_c(s->charging_id), text);
	if (said.l && s->call)
		policy_charged(s->call, said);
}

void rx_take_access(struct rx_session *s, const struct rx_access *x)
{
	char text[POLICY_LOCATION_BYTES];
	struct str where = rx_location(x->user_location, text);

	if (where.l && s->call)
		policy_located(s->call, where);
	if (x->charging_id.l && x->charging_id.l * 2 < sizeof(s->charging_id))
		hex_encode((const uint8_t *)x->charging_id.p, x->charging_id.l, s->charging_id);
	if (x->ip_can != RX_ABSENT)
		s->ip_can = x->ip_can;
	if (x->rat != RX_ABSENT)
		s->rat = x->rat;
	take_charging(s, x->charging_address);
}

static void rx_answered(void *arg, const struct rx_aaa *a)
{
	struct rx_question *k = arg;
	struct rx_session *s = k->s;
	struct policy_answer answer = { .verdict = POLICY_NO };
	uint64_t number = k->number;
	char reason[128];

	free(k);
	s->outstanding--;
	s->unanswered = s->unanswered || a->result.err == -ETIMEDOUT;
	if (is_yes(&a->result)) {
		s->kept = s->kept && str_eq_c(a->origin_host, s->peer_host);
		str_copy(a->origin_host, s->peer_host, sizeof(s->peer_host));
		str_copy(a->origin_realm, s->peer_realm, sizeof(s->peer_realm));
		rx_take_access(s, &a->access);
		rx_session_keep(s);
	}
	if (s->over) {
		rx_session_end(s);
		return;
	}
	read_answer(a, &answer, reason);
	if (s->signalling) {
		s->agreed = answer.verdict == POLICY_YES;
		if (!s->agreed)
			log_info(LOG_REG, "no policy session for the signalling", LOG_C("cause", answer.cause), LOG_S("impi", s->b->impi));
		return;
	}
	policy_answered(s->call, number, &answer);
}

static const char *rx_id(const void *session)
{
	return ((const struct rx_session *)session)->id;
}

/* ---- life ---- */

static int rx_worker_start(struct pcscf_worker *pw)
{
	struct rx_sessions *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	if (htab_init(&t->by_id, 64) < 0 || htab_init(&t->by_phone, 64) < 0) {
		htab_fini(&t->by_id);
		free(t);
		return -ENOMEM;
	}
	list_init(&t->all);
	metrics_register(&m_sessions);
	metrics_register(&m_lost);
	pw->rx = t;
	return 0;
}

static void rx_worker_stop(struct pcscf_worker *pw)
{
	struct rx_sessions *t = pw->rx;

	if (!t)
		return;
	while (!list_empty(&t->all))		/* their records stay */
		rx_session_drop(list_entry(t->all.next, struct rx_session, link));
	htab_fini(&t->by_id);
	htab_fini(&t->by_phone);
	free(t);
	pw->rx = NULL;
}

const struct policy_backend rx_backend = {
	.name = "rx", .start = rx_worker_start, .stop = rx_worker_stop, .open = rx_open, .ask = rx_ask, .end = rx_end, .id = rx_id, .restore = rx_restore, .leave = rx_leave,
	.registered = rx_signalling_registered, .unregistered = rx_signalling_ended,
};
