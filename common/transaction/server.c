/* common/transaction/server.c - server transactions: which one a request belongs to (RFC 3261 §17.2.3), CANCEL (§9.2),
 * where responses go (§18.2.2, RFC 3581), and what the user sends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/sip/oc.h"
#include "common/transaction/private.h"
#include "common/util/rand.h"

#define DEFAULT_PORT 5060
#define DEFAULT_PORT_TLS 5061
#define STATELESS_TAG_CHARS 16

/* ---- matching ---- */

/* Without the magic cookie the branch says nothing: §17.2.3 then compares what RFC 2543 did.  No token holds a blank, so
 * such a key cannot equal a branch.  The To tag is compared apart, because the ACK's is that of the response. */
static struct tx_key key_of(struct sip_msg *m)
{
	struct tx_key k = {
		.branch = m->via.branch, .host = m->via.host, .port = m->via.port, .method = m->method,
		.method_name = m->method == SIP_UNKNOWN_METHOD ? m->method_name : STR_NONE,
	};

	if (str_istarts(k.branch, STR("z9hG4bK")) && k.branch.l > 7)
		return k;
	k.legacy = true;
	k.to_tag = m->to_tag;
	k.branch = arena_printf(m->arena, "%.*s %.*s %.*s %u %.*s", STR_ARG(m->ruri_text), STR_ARG(m->from_tag),
				STR_ARG(m->call_id), (unsigned)m->cseq, STR_ARG(m->via.params));
	return k;
}

struct server_want {
	const struct tx_key *k;
	enum sip_method method;		/* of the transaction looked for */
	bool ack;
};

/* Does the response bear this tag? */
static bool wire_has_tag(struct str wire, struct str tag)
{
	ssize_t i;

	while ((i = str_find(wire, tag)) >= 0) {
		size_t at = (size_t)i, end = at + tag.l;

		if (at >= 4 && str_ieq(str_make(wire.p + at - 4, 4), STR("tag=")) &&
		    (end == wire.l || strchr(";,\r\n \t", wire.p[end])))
			return true;
		wire = str_from(wire, at + 1);
	}
	return false;
}

static bool to_tag_fits(const struct tx *t, const struct server_want *w)
{
	const struct tx_server *st = container_of(t, const struct tx_server, t);

	if (!w->k->legacy || str_eq(st->key_to_tag, w->k->to_tag))
		return true;
	/* An ACK bears the tag of the response: ours, or one the user sent. */
	return w->ack && w->k->to_tag.l &&
	       (str_eq_c(w->k->to_tag, st->to_tag) || (t->wire && wire_has_tag(bytes_str(t->wire), w->k->to_tag)));
}

static bool server_eq(const struct hnode *n, const void *key)
{
	const struct tx *t = container_of(n, const struct tx, node);
	const struct tx_server *st = container_of(t, const struct tx_server, t);
	const struct server_want *w = key;

	return t->method == w->method && st->port == w->k->port && str_eq(t->branch, w->k->branch) && str_ieq(st->host, w->k->host) &&
	       (w->method != SIP_UNKNOWN_METHOD || str_eq(st->method_name, w->k->method_name)) && to_tag_fits(t, w);
}

static struct tx_server *server_find(struct tx_layer *l, const struct tx_key *k, enum sip_method method)
{
	struct server_want w = { k, method, k->method == SIP_ACK };
	uint64_t h = hash_mix(hash_str(k->branch), hash_istr(k->host) ^ k->port);
	struct hnode *n = htab_find(&l->servers, h, server_eq, &w);

	return n ? container_of(n, struct tx_server, t.node) : NULL;
}

/* ---- where responses go ---- */

/* (The writer of responses, sip_reply_make(), puts received and rport into the topmost Via.)
 * maddr is not obeyed, on purpose: it would let anyone aim our responses at a third party.  For the same reason the
 * address is always the source's, never what a `received` written by the sender says. */
void tx_response_flow(const struct sip_msg *req, struct sip_flow *ret)
{
	uint16_t port = req->via.port;

	*ret = req->flow;
	if (req->flow.proto == SIP_UDP && req->via.has_rport)
		return;				/* RFC 3581 §4: back to the source port */
	if (!port)
		port = req->flow.proto == SIP_TLS ? DEFAULT_PORT_TLS : DEFAULT_PORT;
	/* Streams: the connection comes first, this address is where it is opened again (RFC 3261 §18.2.2). */
	addr_set_port(&ret->remote, port);
}

static void response_flow(struct tx_layer *l, const struct sip_msg *req, struct sip_flow *ret)
{
	tx_response_flow(req, ret);
	if (l->response_flow_fn)
		l->response_flow_fn(l->u, req, ret);
}

/* The tag of an answer without a transaction comes from the request alone: a retransmission hears the same one, and the ACK,
 * which has the branch of its INVITE, is known by it (§8.2.7, §17.1.1.3). */
static struct str stateless_tag(const struct sip_msg *m, char dst[STATELESS_TAG_CHARS + 1])
{
	uint64_t h = hash_mix(hash_str(m->call_id), hash_mix(hash_str(m->via.branch), hash_str(m->from_tag)));

	snprintf(dst, STATELESS_TAG_CHARS + 1, "%016llx", (unsigned long long)h);
	return str_make(dst, STATELESS_TAG_CHARS);
}

/* Phones are told nothing: they have Retry-After. */
static bool asks_oc(const struct tx_layer *l, const struct sip_msg *m)
{
	return l->overload_fn && sip_oc_asked(&m->via) && (!l->side_fn || l->side_fn(l->u, &m->flow) == TX_CORE);
}

static void send_stateless(struct tx_layer *l, const struct sip_msg *m, const struct refusal *r)
{
	char tag[STATELESS_TAG_CHARS + 1];
	struct bytes *wire = tx_refusal_make(l, m, r, stateless_tag(m, tag));
	struct sip_flow to;

	response_flow(l, m, &to);
	if (wire)
		(void)(asks_oc(l, m) ? tx_send_oc : tx_send)(l, &to, wire, (struct tx_handle){ 0, 0, l->worker });
	bytes_unref(wire);
}

static void refuse_full(struct tx_layer *l, const struct sip_msg *m)
{
	l->st.refused_full++;
	send_stateless(l, m, &(const struct refusal){ .status = 503, .why = "too many transactions", .retry_after_s = TX_RETRY_AFTER_S });
}

static bool admitted(struct tx_layer *l, struct sip_msg *m, bool *ret_forgeable)
{
	struct refusal r = { 0 };
	bool in = !l->admit_fn || l->admit_fn(l->u, m, &r);

	*ret_forgeable = r.forgeable;
	if (in)
		return true;
	l->st.refused++;
	if (r.status)
		send_stateless(l, m, &r);
	return false;
}

/* ---- requests ---- */

static struct tx_server *server_new(struct tx_layer *l, struct sip_msg *m, const struct tx_key *k, bool forgeable)
{
	struct tx_server *st = calloc(1, sizeof(*st));
	struct tx *t;

	if (!st)
		return NULL;
	t = &st->t;
	t->server = true;
	list_init(&st->answered);
	st->forgeable = forgeable;
	st->wants_oc = asks_oc(l, m);
	t->fsm = m->method == SIP_INVITE ? &ist_fsm : &nist_fsm;
	t->side = l->side_fn ? l->side_fn(l->u, &m->flow) : TX_CORE;
	t->reliable = sip_proto_is_reliable(m->flow.proto);
	response_flow(l, m, &t->flow);
	rand_token(st->to_tag, TX_TAG_CHARS);
	if (tx_add(l, t, k, m->call_id, m->method == SIP_INVITE) < 0) {
		free(st);
		return NULL;
	}
	st->req = sip_msg_ref(m);
	if (m->method == SIP_INVITE)
		ist_start(st);
	else
		nist_start(st);
	return st;
}

void tx_server_quiet(struct tx_server *st)
{
	struct tx_layer *l = st->t.l;

	list_del(&st->answered);
	st->quiet_since_ms = l->wheel->now_ms;
	list_add_tail(&l->answered[st->t.side], &st->answered);
}

/* Ends the oldest answered non-INVITE that nobody needs any more: while its client has no final response it sends the request again
 * every T2 at least (§17.1.2.2), so one that has been silent for twice as long has it, should one of these have been lost. */
static bool make_room(struct tx_layer *l)
{
	for (unsigned side = 0; side < TX_N_SIDES; side++) {
		struct tx_server *st = list_entry(l->answered[side].next, struct tx_server, answered);

		if (list_empty(&l->answered[side]) || l->wheel->now_ms - st->quiet_since_ms <= 2 * (uint64_t)l->timers[side].t2_ms)
			continue;
		timer_stop(&st->t.life);
		(void)tx_event(&st->t, NIST_EV_TIMER_J, NULL);
		l->st.made_room++;
		return true;
	}
	return false;
}

static bool full(struct tx_layer *l, const struct sip_msg *m)
{
	uint64_t now = (uint64_t)l->st.server_now + l->st.client_now;

	if (now < l->max || make_room(l))
		return false;
	return now >= (uint64_t)l->max + l->max / 8 || !l->vital_fn || !l->vital_fn(l->u, m);
}

/* §9.2.  The CANCEL's own transaction absorbs its retransmissions; its 200 has the To tag of the INVITE's responses. */
static void input_cancel(struct tx_layer *l, struct sip_msg *m, const struct tx_key *k)
{
	struct tx_server *invite = server_find(l, k, SIP_INVITE), *st;
	bool pending = invite && invite->t.state == IST_PROCEEDING;

	if (!invite && full(l, m)) {
		refuse_full(l, m);
		return;
	}
	st = server_new(l, m, k, false);
	if (!st)
		return;
	if (invite)
		memcpy(st->to_tag, invite->to_tag, sizeof(st->to_tag));
	if (invite)
		tx_server_reply(st, 200, NULL, STR_NONE);
	else
		tx_refuse_why(st, 481, "nothing to cancel");
	if (pending && l->ops->cancel)
		l->ops->cancel(l->u, invite, m);
}

static void input_ack(struct tx_layer *l, struct sip_msg *m, const struct tx_key *k)
{
	struct tx_server *st = server_find(l, k, SIP_INVITE);

	char tag[STATELESS_TAG_CHARS + 1];

	if (st)
		(void)tx_event(&st->t, IST_EV_ACK, m);
	else if (m->to_tag.l == STATELESS_TAG_CHARS && str_eq(m->to_tag, stateless_tag(m, tag)))
		l->st.retransmissions_absorbed++;		/* of a refusal without a transaction */
	else if (l->ops->ack)
		l->ops->ack(l->u, m);
}

void tx_server_input(struct tx_layer *l, struct sip_msg *m)
{
	struct tx_key k = key_of(m);
	struct tx_server *st;
	bool forgeable;

	if (k.legacy && !k.branch.p)		/* out of memory: any other would be taken for it */
		return;
	if (m->method == SIP_ACK) {
		input_ack(l, m, &k);
		return;
	}
	st = server_find(l, &k, m->method);
	if (st) {
		(void)tx_event(&st->t, m->method == SIP_INVITE ? (unsigned)IST_EV_INVITE : (unsigned)NIST_EV_REQUEST, m);
		return;
	}
	if (m->method == SIP_CANCEL) {
		input_cancel(l, m, &k);
		return;
	}
	if (!admitted(l, m, &forgeable))
		return;
	if (full(l, m)) {
		refuse_full(l, m);
		return;
	}
	st = server_new(l, m, &k, forgeable);
	if (st)
		l->ops->request(l->u, st, m);
}

/* ---- the user's side ---- */

struct sip_msg *tx_server_request(struct tx_server *st)
{
	return st->req;
}

struct tx_handle tx_server_handle(const struct tx_server *st)
{
	return tx_handle_of(&st->t);
}

void tx_server_invite_final(struct tx_server *st, unsigned status)
{
	const struct tx_ops *ops = st->t.l->ops;

	if (st->told || st->t.fsm != &ist_fsm || !ops->invite_final || !st->req)
		return;
	st->told = true;
	ops->invite_final(st->t.l->u, st->req, status);
}

void tx_server_send(struct tx_server *st, unsigned status, struct bytes *wire)
{
	struct tx_response r = { status, wire };
	unsigned ev;

	if (!wire)				/* could not be made: too large, or out of memory */
		st->t.l->st.responses_dropped++;
	if (!wire && status < 200)
		return;
	if (!wire && status < 300 && st->t.fsm == &ist_fsm)
		status = 500;
	ev = st->t.fsm == &ist_fsm ? ist_event_of(status) : nist_event_of(st, status);
	if (tx_event(&st->t, ev, &r) < 0)
		st->t.l->st.responses_dropped++;
	else if (st->final_sent)
		tx_server_invite_final(st, status);
}

struct bytes *tx_bare_reply(struct tx_server *st, unsigned status)
{
	return sip_reply_make(st->req, status, NULL, str_from_c(st->to_tag), STR_NONE, STR_NONE, STR_NONE);
}

void tx_server_reply_body(struct tx_server *st, unsigned status, const char *reason, struct str extra,
			  struct str content_type, struct str body)
{
	struct bytes *wire;

	if (!st->req) {			/* answered and given back */
		st->t.l->st.responses_dropped++;
		return;
	}
	wire = sip_reply_make(st->req, status, reason, str_from_c(st->to_tag), extra, content_type, body);
	if (!wire)
		wire = tx_bare_reply(st, status);
	tx_server_send(st, status, wire);
	bytes_unref(wire);
}

void tx_server_reply(struct tx_server *st, unsigned status, const char *reason, struct str extra)
{
	tx_server_reply_body(st, status, reason, extra, STR_NONE, STR_NONE);
}

struct str tx_server_to_tag(struct tx_server *st)
{
	return str_from_c(st->to_tag);
}

void tx_server_set_user(struct tx_server *st, void *user, void (*gone)(void *user))
{
	st->user = user;
	st->gone = gone;
}

void *tx_server_user(struct tx_server *st)
{
	return st->user;
}

bool tx_server_final_sent(const struct tx_server *st)
{
	return st->final_sent;
}
