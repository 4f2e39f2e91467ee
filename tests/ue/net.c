/* tests/ue/net.c - sockets and transactions of the phone, and what every request of it carries.  TS 24.229 §5.1.2A.1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/transport/tls.h"
#include "common/util/names.h"
#include "common/util/rand.h"
#include "tests/ue/ue.h"

#define FIRST_PORT 50000u		/* where the kernel takes its own: no server waits there */
#define N_PORTS 10000u
#define TRIES 64

/* ---- transport -> transactions ---- */

static void on_message(void *arg, struct sip_msg *m)
{
	struct ue *u = arg;

	tx_input(u->tx, m);
}

static void on_bad(void *arg, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e)
{
	struct ue *u = arg;
	struct bytes *wire;
	struct sip_flow to;
	(void)from;
	(void)raw;

	event_error(u, "malformed message received: %s at octet %zu", e->why ? e->why : "?", e->off);
	if (!m || !m->request || m->method == SIP_ACK || !e->status)
		return;
	wire = sip_reply_make(m, e->status, NULL, STR("malformed"), STR_NONE, STR_NONE, STR_NONE);
	if (!wire)
		return;
	tx_response_flow(m, &to);
	(void)transport_send(u->transport, &to, wire, 0);
	bytes_unref(wire);
}

static void on_error(void *arg, uint64_t origin, int err)
{
	struct ue *u = arg;
	struct tx_handle h = { .slot = (uint32_t)(origin >> 32), .gen = (uint32_t)origin };

	tx_transport_error(u->tx, h, err);
}

static void on_closed(void *arg, const struct sip_flow *flow)
{
	(void)arg;
	(void)flow;		/* the next request connects again; the network reaches us by our listener */
}

static const struct transport_ops tp_ops = { on_message, on_bad, on_error, NULL, on_closed };

/* ---- transactions -> transport, phone ---- */

static int on_send(void *arg, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct ue *u = arg;

	return transport_send(u->transport, to, wire, (uint64_t)origin.slot << 32 | origin.gen);
}

static void on_request(void *arg, struct tx_server *st, struct sip_msg *m)
{
	incoming_request(arg, st, m);
}

static void on_ack(void *arg, struct sip_msg *m)
{
	incoming_ack(arg, m);
}

static void on_cancel(void *arg, struct tx_server *invite, struct sip_msg *m)
{
	incoming_cancel(arg, invite, m);
}

/* An answer to what `raw` sent, or one that came too late. */
static void on_stray(void *arg, struct sip_msg *m)
{
	cJSON *e = event_new("response");

	event_str(e, "method", m->method_name);
	event_num(e, "status", m->status);
	event_flag(e, "stray", true);
	event_put(arg, e, false);
}

/* The start line, and no more: what a trace shows holds no credentials. */
static void on_observe(void *arg, bool sent, const struct sip_flow *flow, struct str wire, const struct sip_msg *m)
{
	struct ue *u = arg;
	char peer[SIP_FLOW_STRLEN];
	struct str line, rest;
	cJSON *e;
	(void)m;

	if (!u->o.trace)
		return;
	str_cut(wire, '\n', &line, &rest);
	e = event_new("sip");
	event_str(e, "dir", sent ? STR("out") : STR("in"));
	event_str(e, "summary", str_trim(line));
	event_str(e, "peer", str_from_c(sip_flow_fmt(flow, peer)));
	event_str(e, "callId", sip_scan_call_id(wire));
	event_put(u, e, false);
}

static const struct tx_ops tx_ops = { on_send, on_request, on_ack, on_cancel, on_stray, on_observe, NULL };

static enum tx_side on_side(void *arg, const struct sip_flow *from)
{
	(void)arg;
	(void)from;
	return TX_UE;
}

/* ---- sockets ---- */

/* Own address when none was given: the one the kernel would take toward the P-CSCF. */
static int own_address(struct ue *u)
{
	socklen_t len = sizeof(u->local);
	int fd, rc = 0;

	u->local = u->o.bind;
	if (addr_is_set(&u->local))
		return u->local.sa.sa_family == u->o.pcscf.sa.sa_family ? 0 : -EAFNOSUPPORT;
	fd = socket(u->o.pcscf.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, &u->o.pcscf.sa, addr_len(&u->o.pcscf)) < 0 || getsockname(fd, &u->local.sa, &len) < 0)
		rc = -errno;
	close(fd);
	addr_set_port(&u->local, 0);
	return rc;
}

/* UDP and TCP on the same port: large requests come over TCP whatever we use, RFC 3261 §18.1.1. */
static int listen_both(struct ue *u)
{
	int rc;

	u->transport = transport_new(u->group, 0, u->loop, &transport_limits_default, &tp_ops, u);
	if (!u->transport)
		return -ENOMEM;
	rc = transport_listen(u->transport, SIP_UDP, &u->local);
	if (rc == 0)
		rc = transport_listen(u->transport, SIP_TCP, &u->local);
	if (rc < 0) {
		transport_free(u->transport);
		u->transport = NULL;
	}
	return rc;
}

/* The P-CSCF must prove its name, or its address: TS 33.203 §O.2.1, RFC 5922 §7.  We have no certificate (§O.1). */
static int trust(struct ue *u)
{
	struct tls_config c = { .ca_file = u->o.tls_ca[0] ? u->o.tls_ca : NULL, .verify_servers = true };
	char why[TLS_ERROR_BYTES];
	struct tls_context *t;

	if (u->o.proto != SIP_TLS)
		return 0;
	t = tls_context_new(&c, why);
	if (!t) {
		event_error(u, "TLS: %s", why);
		return -EINVAL;
	}
	transport_group_set_tls(u->group, t);
	tls_context_unref(t);
	return 0;
}

static int listen_somewhere(struct ue *u)
{
	bool any = addr_port(&u->local) == 0;
	int rc = -EADDRINUSE;

	for (int i = 0; i < (any ? TRIES : 1) && rc == -EADDRINUSE; i++) {
		transport_group_free(u->group);
		u->group = transport_group_new(1);
		if (!u->group)
			return -ENOMEM;
		if (any)
			addr_set_port(&u->local, (uint16_t)(FIRST_PORT + rand_below(N_PORTS)));
		rc = listen_both(u);
	}
	return rc < 0 ? rc : trust(u);
}

struct sip_flow net_flow(const struct ue *u)
{
	struct sip_flow f = { .proto = u->o.proto, .remote = u->o.pcscf, .local = u->local };

	if (f.proto == SIP_TLS)
		f.name = name_number(str_from_c(u->o.tls_name));
	return f;
}

const char *net_transport_param(const struct ue *u)
{
	return u->o.proto == SIP_TCP ? ";transport=tcp" : u->o.proto == SIP_TLS ? ";transport=tls" : "";
}

void net_disconnect(struct ue *u)
{
	transport_disconnect(u->transport);
}

int net_open(struct ue *u)
{
	struct tx_timers t = tx_timers_default[TX_UE];
	int rc;

	u->loop = loop_new();
	if (!u->loop)
		return -ENOMEM;
	rc = own_address(u);
	if (rc == 0)
		rc = listen_somewhere(u);
	if (rc < 0)
		return rc;
	u->tx = tx_layer_new(loop_wheel(u->loop), &tx_ops, u, 0);
	if (!u->tx)
		return -ENOMEM;
	tx_layer_set_side_fn(u->tx, on_side);
	tx_layer_set_response_flow_fn(u->tx, ipsec_response_flow);
	if (u->o.t1_ms) {
		t = (struct tx_timers){ u->o.t1_ms, 8 * u->o.t1_ms, 8 * u->o.t1_ms, 64 * u->o.t1_ms };
		tx_layer_set_timers(u->tx, TX_UE, &t);
	}
	u->flow = net_flow(u);
	addr_fmt(&u->local, u->local_text);
	return ipsec_open(u);
}

void net_close(struct ue *u)
{
	ipsec_close(u);
	tx_layer_free(u->tx);
	transport_free(u->transport);
	transport_group_free(u->group);
	ipsec_unguard(u);
	loop_free(u->loop);
}

/* ---- requests ---- */

void via_make(const struct ue *u, struct via *v)
{
	char at[ADDR_STRLEN];
	struct addr us = *ipsec_us(u);

	tx_branch_make(v->branch);
	if (ipsec_protected(u)) {	/* TS 24.229 §5.1.1.4.1: the protected server port, and no rport */
		addr_set_port(&us, u->sec.port_s);
		snprintf(v->text, sizeof(v->text), "SIP/2.0/%s %s;branch=%s", sip_proto_name(u->o.proto), addr_fmt(&us, at), v->branch);
		return;
	}
	snprintf(v->text, sizeof(v->text), "SIP/2.0/%s %s;branch=%s;rport", sip_proto_name(u->o.proto), u->local_text, v->branch);
}

/* What is too large for a datagram goes by TCP (RFC 3261 §18.1.1), MESSAGE as --message-proto says. */
static enum sip_proto proto_for(const struct ue *u, enum sip_method method, size_t bytes)
{
	enum sip_proto p = method == SIP_MESSAGE ? u->o.message_proto : u->o.proto;

	return p == SIP_UDP && u->o.udp_max_bytes && bytes > u->o.udp_max_bytes ? SIP_TCP : p;
}

/* The same request with another protocol in our Via.  Takes over wire. */
static struct bytes *wire_for(struct bytes *wire, enum sip_proto proto)
{
	static const char via[] = "\r\nVia: SIP/2.0/";
	struct bytes *copy = bytes_new(bytes_str(wire));
	ssize_t at = str_find(bytes_str(wire), STR(via));

	bytes_unref(wire);
	if (copy && at >= 0)
		memcpy(copy->p + at + sizeof(via) - 1, sip_proto_name(proto), 3);	/* nobody else has it yet */
	return copy;
}

struct tx_client *net_send(struct ue *u, enum sip_method method, const struct via *v, struct bytes *wire,
			   const struct tx_client_ops *ops, void *user)
{
	struct tx_client_new_args a = {
		.wire = wire, .method = method, .branch = str_from_c(v->branch), .to = ipsec_flow_for(u, method), .side = TX_UE, .ops = ops,
		.user = user,
	};
	struct tx_client *ct;

	if (wire)
		a.to.proto = proto_for(u, method, wire->l);
	if (wire && a.to.proto != u->o.proto)
		a.wire = wire = wire_for(wire, a.to.proto);
	ct = wire ? tx_client_new(u->tx, &a) : NULL;
	bytes_unref(wire);
	return ct;
}

void net_send_plain(struct ue *u, struct bytes *wire)
{
	if (wire && transport_send(u->transport, &u->flow, wire, 0) == 0)
		on_observe(u, true, &u->flow, bytes_str(wire), NULL);
}

void put_contact(const struct ue *u, struct buf *b)
{
	buf_printf(b, "Contact: <%s>;+sip.instance=\"<%s>\";+g.3gpp.icsi-ref=\"%s\";+g.3gpp.smsip\r\n", u->contact,
		   u->instance, UE_MMTEL);
}

/* The P-CSCF first, then the Service-Route: TS 24.229 §5.1.2A.1.1, RFC 3608 §6.1. */
static void put_route(const struct ue *u, struct buf *b)
{
	char pcscf[ADDR_STRLEN];

	buf_printf(b, "Route: <sip:%s%s;lr>", addr_fmt(&u->flow.remote, pcscf), net_transport_param(u));
	if (u->reg.service_route && u->reg.service_route[0])
		buf_printf(b, ",%s", u->reg.service_route);
	buf_puts(b, "\r\n");
}

struct bytes *request_make(struct ue *u, const struct via *v, const struct request *r)
{
	struct buf b;

	buf_init(&b, SIP_MSG_MAX_BYTES);
	buf_printf(&b, "%s %.*s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\n", r->method, STR_ARG(r->ruri), v->text);
	if (!r->is_register) {
		put_route(u, &b);
		buf_printf(&b, "P-Preferred-Identity: <%s>\r\n", u->identity);
	}
	buf_printf(&b, "From: <%s>;tag=%.*s\r\nTo: <%.*s>\r\nCall-ID: %.*s\r\nCSeq: %u %s\r\n",
		   r->is_register ? u->o.impu : u->identity, STR_ARG(r->tag), STR_ARG(r->to), STR_ARG(r->call_id), r->cseq,
		   r->method);
	buf_printf(&b, "P-Access-Network-Info: %s\r\nUser-Agent: %s\r\n", u->o.pani, u->o.user_agent);
	ipsec_put(u, &b, r->is_register);
	buf_put(&b, r->headers);
	if (r->body.l)
		buf_printf(&b, "Content-Type: %.*s\r\n", STR_ARG(r->content_type));
	buf_printf(&b, "Content-Length: %zu\r\n\r\n", r->body.l);
	buf_put(&b, r->body);
	return buf_take(&b);
}

/* A number as dialled: global as tel:+..., else a local one with the home network as its context (RFC 3966 §5.1.5,
 * TS 24.229 §5.1.2A.1.3). */
int target_make(const struct ue *u, struct str text, char dst[UE_TEXT])
{
	struct sip_uri uri;
	bool number = text.l > 0;
	int n;

	for (size_t i = 0; i < text.l && number; i++)
		number = (text.p[i] >= '0' && text.p[i] <= '9') || text.p[i] == '*' ||
			 text.p[i] == '#' || (i == 0 && text.p[i] == '+');
	if (number && text.p[0] == '+')
		n = snprintf(dst, UE_TEXT, "tel:%.*s", STR_ARG(text));
	else if (number)
		n = snprintf(dst, UE_TEXT, "tel:%.*s;phone-context=%s", STR_ARG(text), u->o.domain);
	else if (sip_uri_parse(text, &uri, NULL) == 0)
		n = snprintf(dst, UE_TEXT, "%.*s", STR_ARG(text));
	else
		return -EINVAL;
	return n < UE_TEXT ? 0 : -EINVAL;
}
