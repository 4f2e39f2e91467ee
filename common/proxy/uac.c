/* common/proxy/uac.c - see uac.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/proxy/private.h"
#include "common/proxy/uac.h"

/* The parser wants a Via; it is replaced by the real one when the way out is known. */
#define VIA_TO_COME "Via: SIP/2.0/UDP 0.0.0.0;branch=z9hG4bK\r\n"

struct uac {
	struct list link;
	struct proxy_layer *layer;
	struct sip_msg *m;
	enum tx_side side;
	uint32_t wait_ms;
	uac_fn fn;
	void *arg;
	struct resolver_query *query;
	struct resolver_result res;
	unsigned next;				/* index into res.target of the address in use */
	bool tcp_trial, tcp_refused;		/* §18.1.1 */
	struct tx_client *ct;
	struct timer wait, later;
	bool starting;				/* inside uac_send() */
	bool fixed;				/* the caller said where to: there is no other address */
	unsigned failed;			/* 503 found out there: told from `later` */
};

static void release(struct uac *u)
{
	timer_stop(&u->wait);
	timer_stop(&u->later);
	if (u->query)
		resolver_cancel(u->query);
	if (u->ct)
		tx_client_forget(u->ct);
	list_del(&u->link);
	sip_msg_unref(u->m);
	free(u);
}

static void finish(struct uac *u, unsigned status, const struct sip_msg *m)
{
	uac_fn fn = u->fn;
	void *arg = u->arg;

	if (u->starting) {
		u->failed = status;
		timer_start(u->layer->env.wheel, &u->later, 0);
		return;
	}
	release(u);
	fn(arg, status, m);
}

static void on_later(struct timer *t)
{
	struct uac *u = container_of(t, struct uac, later);

	finish(u, u->failed, NULL);
}

static void drop_transaction(struct uac *u)
{
	if (u->ct)
		tx_client_forget(u->ct);
	u->ct = NULL;
}

static void on_wait(struct timer *t)
{
	struct uac *u = container_of(t, struct uac, wait);

	drop_transaction(u);
	finish(u, 408, NULL);
}

/* ---- one address after the other ---- */

static int wire_make(struct uac *u, const struct sip_flow *to, const char *branch, struct bytes **ret)
{
	char sent_by[ADDR_STRLEN];
	struct sip_out o;
	struct addr local;
	int rc = u->layer->env.local_for(u->layer->env.u, to, &local);

	if (rc < 0)
		return rc;
	addr_fmt(&local, sent_by);
	sip_out_init(&o, u->m);
	sip_out_set_line(&o, sip_msg_hdr(u->m, SIP_H_VIA),
			 arena_printf(u->m->arena, "SIP/2.0/%s %s%s;branch=%s%s", sip_proto_name(to->proto), sent_by,
				      to->proto == SIP_UDP ? ";rport" : "", branch,
				      u->side == TX_CORE && to->proto == SIP_TLS ? ";alias" : ""));
	return sip_out_write(&o, ret);
}

static int wire_for(struct uac *u, struct sip_flow *to, const char *branch, struct bytes **ret)
{
	int rc = wire_make(u, to, branch, ret);

	u->tcp_trial = false;
	if (rc < 0 || to->proto != SIP_UDP || u->res.explicit_proto || u->tcp_refused ||
	    (*ret)->l <= u->layer->env.udp_max_bytes)
		return rc;
	bytes_unref(*ret);
	*ret = NULL;
	to->proto = SIP_TCP;
	u->tcp_trial = true;
	rc = wire_make(u, to, branch, ret);
	if (rc < 0) {		/* no way out by TCP at all */
		u->tcp_trial = false;
		u->tcp_refused = true;
		to->proto = SIP_UDP;
		rc = wire_make(u, to, branch, ret);
	}
	return rc;
}

static const struct tx_client_ops uac_ops;

/* 0 or -errno: it was not sent. */
static int attempt(struct uac *u)
{
	struct sip_flow to = u->res.target[u->next];
	struct tx_client_new_args a = { .method = u->m->method, .side = u->side, .ops = &uac_ops, .user = u };
	char branch[24], text[SIP_FLOW_STRLEN];
	struct bytes *wire = NULL;
	int rc;

	tx_branch_make(branch);
	rc = wire_for(u, &to, branch, &wire);
	if (rc < 0)
		return rc;
	a.wire = wire;
	a.branch = str_from_c(branch);
	a.to = to;
	a.has_other = !u->fixed && u->next + 1 < u->res.n;
	u->ct = tx_client_new(u->layer->env.tx, &a);
	bytes_unref(wire);
	log_debug(LOG_PROXY, "request of our own", LOG_S("method", u->m->method_name), LOG_C("to", sip_flow_fmt(&to, text)),
		  LOG_S("call_id", u->m->call_id));
	return u->ct ? 0 : -ENOBUFS;
}

/* RFC 3263 §4.3.  err: -errno of the transport, -ETIMEDOUT, or -EBUSY for a 503.  false: there is no other address. */
static bool next_address(struct uac *u, int err)
{
	drop_transaction(u);
	do {
		if (proxy_own_fault(err) || u->fixed)	/* the next hop is not to blame */
			return false;
		if (u->tcp_trial && err != -ETIMEDOUT && err != -EBUSY) {	/* §18.1.1: back to UDP */
			u->tcp_refused = true;
		} else {
			resolver_target_failed(u->layer->env.resolver, &u->res.target[u->next], PROXY_TARGET_HOLD_S);
			if (u->next + 1 >= u->res.n)
				return false;
			u->next++;
			u->tcp_refused = false;
		}
		err = attempt(u);
	} while (err < 0);
	return true;
}

static void on_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct uac *u = user;
	(void)ct;

	if (m->status < 200)
		return;
	if (m->status == 503 && u->next + 1 < u->res.n) {
		u->ct = NULL;
		tx_client_forget(ct);
		if (next_address(u, -EBUSY))
			return;
	}
	finish(u, m->status, m);
}

static void on_failed(void *user, struct tx_client *ct, int err)
{
	struct uac *u = user;
	(void)ct;

	if (!next_address(u, err))
		finish(u, err == -ETIMEDOUT ? 408 : 503, NULL);
}

static void on_gone(void *user, struct tx_client *ct)
{
	struct uac *u = user;

	if (u->ct == ct)
		u->ct = NULL;
}

static const struct tx_client_ops uac_ops = { on_response, on_failed, on_gone };

static void on_resolved(void *arg, const struct resolver_result *res)
{
	struct uac *u = arg;
	int rc;

	u->query = NULL;
	u->res = *res;
	u->next = 0;
	if (res->err || !res->n) {
		log_debug(LOG_PROXY, "next hop not resolved", LOG_C("why", res->why ? res->why : "no address"),
			  LOG_S("call_id", u->m->call_id));
		finish(u, 503, NULL);
		return;
	}
	rc = attempt(u);
	if (rc < 0 && !next_address(u, rc))
		finish(u, 503, NULL);
}

/* ---- life ---- */

static int parse(struct str text, struct sip_msg **ret)
{
	ssize_t line = str_find(text, STR("\r\n"));
	struct sip_parse_error err;
	struct buf b;
	int rc;

	if (line < 0)
		return -EBADMSG;
	buf_init(&b, SIP_MSG_MAX_BYTES);
	buf_put(&b, str_head(text, (size_t)line + 2));
	buf_puts(&b, VIA_TO_COME);
	buf_put(&b, str_from(text, (size_t)line + 2));
	rc = buf_error(&b);
	if (!rc)
		rc = sip_msg_parse_copy(buf_str(&b), NULL, ret, &err);
	buf_fini(&b);
	return rc;
}

/* A loose router on top, else the Request-URI: a dialog's strict router stands there already. */
static void next_hop(const struct sip_msg *m, struct sip_uri *ret)
{
	struct sip_values it = sip_values(m, SIP_H_ROUTE);
	struct sip_nameaddr na;
	struct str v;

	*ret = m->ruri;
	if (sip_values_next(&it, &v) && sip_nameaddr_parse(v, &na) == 0 && !na.star && sip_uri_has_lr(&na.uri))
		*ret = na.uri;
}

static void begin_fixed(struct uac *u, const struct sip_flow *flow)
{
	u->fixed = true;
	u->res.n = 1;
	u->res.target[0] = *flow;
	u->res.explicit_proto = true;
	if (attempt(u) < 0)
		finish(u, 503, NULL);
}

struct uac *uac_send(struct proxy_layer *l, struct str text, enum tx_side side, uint32_t wait_ms, uac_fn fn, void *arg)
{
	return uac_send_to(l, text, NULL, side, wait_ms, fn, arg);
}

struct uac *uac_send_to(struct proxy_layer *l, struct str text, const struct sip_flow *flow, enum tx_side side, uint32_t wait_ms,
			uac_fn fn, void *arg)
{
	struct resolver_query *q;
	struct sip_msg *m = NULL;
	struct sip_uri hop;
	struct uac *u;
	int rc = l && !l->closing ? parse(text, &m) : -ESHUTDOWN;

	if (rc < 0 || !m->request || m->method == SIP_INVITE || m->method == SIP_ACK || m->method == SIP_CANCEL) {
		if (rc != -ESHUTDOWN)
			log_error(LOG_PROXY, rc == -ENOMEM ? "no memory for a request of our own" : "a request of our own is malformed",
				  LOG_I("errno", -rc));
		sip_msg_unref(m);
		return NULL;
	}
	u = calloc(1, sizeof(*u));
	if (!u) {
		sip_msg_unref(m);
		return NULL;
	}
	*u = (struct uac){ .layer = l, .m = m, .side = side, .wait_ms = wait_ms, .fn = fn, .arg = arg, .starting = true };
	timer_init(&u->wait, on_wait);
	timer_init(&u->later, on_later);
	list_add_tail(&l->uacs, &u->link);
	if (wait_ms)
		timer_start(l->env.wheel, &u->wait, wait_ms);
	if (flow) {
		begin_fixed(u, flow);
		u->starting = false;
		return u;
	}
	next_hop(m, &hop);
	q = resolver_lookup(l->env.resolver, &hop, on_resolved, u);
	if (q)
		u->query = q;
	u->starting = false;
	return u;
}

bool uac_stopping(const struct proxy_layer *l)
{
	return l->closing;
}

void uac_forget(struct uac *u)
{
	if (u)
		release(u);
}

void proxy_uacs_free(struct proxy_layer *l)
{
	l->closing = true;
	while (!list_empty(&l->uacs)) {
		struct uac *u = list_entry(l->uacs.next, struct uac, link);

		drop_transaction(u);
		finish(u, 503, NULL);
	}
}
