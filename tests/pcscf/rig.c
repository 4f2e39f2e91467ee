/* tests/pcscf/rig.c - see rig.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/pcscf/rig.h"
#include "common/metrics/metrics.h"
#include "common/util/bytes.h"

static struct rig *the_rig;
static struct store *the_store;

/* ---- wire ---- */

static int wire_out(struct worker *w, const struct sip_flow *to, struct bytes *wire)
{
	struct rig *r = the_rig;
	struct sip_parse_error err;
	struct rig_sent *s;

	for (unsigned n = 0; n < r->n; n++)
		if (r->sent[n].wire == wire)
			return 0;
	ck_assert_uint_lt(r->n, RIG_MAX_SENT);
	s = &r->sent[r->n++];
	s->wire = bytes_ref(wire);
	s->to = *to;
	s->worker = w->id;
	sip_flow_fmt(to, s->where);
	ck_assert_msg(sip_msg_parse_copy(bytes_str(wire), NULL, &s->m, &err) == 0, "what we sent: %s\n%.*s", err.why,
		      STR_ARG(bytes_str(wire)));
	return 0;
}

static int on_send(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	(void)origin;
	return wire_out(u, to, wire);
}

static int on_raw_send(void *u, const struct sip_flow *to, struct bytes *wire)
{
	return wire_out(u, to, wire);
}

static void on_request(void *u, struct tx_server *st, struct sip_msg *m)
{
	pcscf_ops.request(u, st, m);
}

static void on_ack(void *u, struct sip_msg *m)
{
	pcscf_ops.ack(u, m);
}

static void on_cancel(void *u, struct tx_server *invite, struct sip_msg *m)
{
	(void)u;
	if (proxy_of(invite))
		proxy_cancel(proxy_of(invite), m);
	else
		tx_server_reply(invite, 487, NULL, STR_NONE);
}

static void on_judge(void *u, const struct sip_msg *m, struct refusal *r)
{
	pcscf_ops.judge(u, m, r);
}

static const struct tx_ops tx_ops = { .send = on_send, .request = on_request, .ack = on_ack, .cancel = on_cancel };

static enum tx_side on_side(void *u, const struct sip_flow *from)
{
	return pcscf_ops.side(u, from);
}

/* Phones of 10.8.x.x sit behind another address of ours. */
static int local_for(struct worker *w, const struct sip_flow *to, struct addr *ret)
{
	char host[ADDR_STRLEN];

	(void)w;
	if (addr_is_set(&to->local)) {
		*ret = to->local;
		return 0;
	}
	addr_host(&to->remote, host);
	return addr_parse(strncmp(host, "10.8.", 5) ? STR("10.0.0.10") : STR("10.1.0.10"), 5060, ret);
}

/* As the stack does: what leaves from a protected port says so in Via. */
static int env_local_for(void *u, const struct sip_flow *to, struct addr *ret)
{
	int rc = local_for(u, to, ret);

	if (rc == 0)
		pcscf_ops.sent_by(u, to, ret);
	return rc;
}

static void on_response_flow(void *u, const struct sip_msg *req, struct sip_flow *to)
{
	pcscf_ops.response_flow(u, req, to);
}

static bool env_is_self(void *u, const struct sip_uri *uri)
{
	struct worker *w = u;

	return stack_is_self(w->stack, uri);
}

/* ---- life ---- */

static void worker_make(struct rig *r, unsigned id)
{
	struct worker *w = &r->workers[id].w;
	struct proxy_env env = { .local_for = env_local_for, .is_self = env_is_self, .send = on_raw_send, .u = w,
				 .timer_c_ms = 185000, .wheel = &r->wheel };
	const struct resolver_static hops[] = { { STR("home"), STR("udp:10.0.0.20:4060") },
						{ STR("visitors"), STR("udp:10.0.0.21:4060") } };
	const struct resolver_config rc = { .statics = hops, .n_statics = 2, .cache_max = 10 };

	w->id = (uint16_t)id;
	w->stack = &r->stack;
	w->store = store_port(the_store, id);
	w->wheel = &r->wheel;
	worker_returns_open(&r->workers[id]);
	w->loop = loop_new();
	w->resolver = resolver_new(w->loop, &rc);
	w->tx = tx_layer_new(&r->wheel, &tx_ops, w, w->id);
	ck_assert(w->loop && w->resolver && w->tx);
	tx_layer_set_side_fn(w->tx, on_side);
	tx_layer_set_response_flow_fn(w->tx, on_response_flow);
	tx_layer_set_agent(w->tx, &(const struct tx_agent){ .name = STR("pcscf.example:5060"), .fe = pcscf_ops.fe, .judge = on_judge, .u = w });
	env.tx = w->tx;
	env.resolver = w->resolver;
	w->proxy = proxy_layer_new(&env);
	ck_assert_ptr_nonnull(w->proxy);
	ck_assert_int_eq(pcscf_ops.worker_new(&r->p, w, &w->role), 0);
	pcscf_of(w)->local_for = local_for;
}

static void config_make(struct rig *r, const char *access)
{
	static const struct cfg_row *const schemas[] = { cfg_common_schema, pcscf_schema, NULL };
	static const char *const at[] = { "10.0.0.10", "10.0.0.10", "10.1.0.10", "10.1.0.10" };
	struct buf errors, text;

	buf_init(&errors, 4096);
	buf_init(&text, 4096);
	buf_puts(&text, "domain: home\nsip: {listen: [\"udp:10.0.0.10:5060\", \"tcp:10.0.0.10:5060\"], name: pcscf.home}\n");
	buf_puts(&text, "dns: {next_hops: {home: \"" DOOR "\"}}\n");
	/* Our own SUBSCRIBE only where a test asks for it. */
	buf_printf(&text, "access:\n%s%s", access ? access : "", access && strstr(access, "reg_event") ? "" : "  reg_event: false\n");
	ck_assert_msg(cfg_load_text(buf_str(&text), "rig", schemas, &r->cfg, &errors) == 0, "%.*s", STR_ARG(buf_str(&errors)));
	pcscf_config_check(r->cfg, &errors);
	ck_assert_msg(errors.l == 0, "%.*s", STR_ARG(buf_str(&errors)));
	buf_fini(&errors);
	buf_fini(&text);
	r->stack.config = r->cfg;
	r->stack.name = (char *)"pcscf.home:5060";
	for (unsigned i = 0; i < 4; i++) {
		r->stack.listener[i].proto = i & 1 ? SIP_TCP : SIP_UDP;
		ck_assert_int_eq(addr_parse(str_from_c(at[i]), 5060, &r->stack.listener[i].a), 0);
	}
	r->stack.n_listeners = 4;
	for (uint16_t port = 5100; port < 5104; port++) {	/* protected server ports: they are us too */
		r->stack.listener[r->stack.n_listeners] = r->stack.listener[0];
		addr_set_port(&r->stack.listener[r->stack.n_listeners++].a, port);
	}
	memset(r->stack.token_key.k, 7, sizeof(r->stack.token_key.k));
}

static void (*the_media_send)(void *u, unsigned relay, struct str octets);

void rig_use_media(void (*send)(void *u, unsigned relay, struct str octets))
{
	the_media_send = send;
}

void rig_use_store(struct store *s)
{
	the_store = s;
}

static int kernel_submit(struct ipsec_port *p, enum ipsec_op op, const struct ipsec_set *s, struct ipsec_req *req);

static void rig_make(struct rig *r, const char *access, unsigned n_workers, bool ipsec, const struct policy_backend *policy)
{
	memset(r, 0, sizeof(*r));
	r->kernel.port.submit = kernel_submit;
	the_rig = r;
	wheel_init(&r->wheel, 1000);
	config_make(r, access);
	r->stack.workers = r->workers;
	r->stack.main_loop = loop_new();
	r->stack.store = the_store;
	r->stack.n_workers = n_workers;
	ck_assert_int_eq(pcscf_init(&r->p), 0);
	if (ipsec)
		r->p.test_port = &r->kernel.port;
	r->p.test_policy = policy;
	r->p.test_media_send = the_media_send;
	for (unsigned i = 0; i < n_workers; i++)
		worker_make(r, i);
}

/* ---- a kernel ---- */

static unsigned kernel_find(const struct rig_kernel *k, const struct ipsec_set *s)
{
	unsigned i = 0;

	while (i < k->n && k->set[i].reqid != s->reqid)
		i++;
	return i;
}

static int kernel_submit(struct ipsec_port *p, enum ipsec_op op, const struct ipsec_set *s, struct ipsec_req *req)
{
	struct rig_kernel *k = container_of(p, struct rig_kernel, port);
	unsigned i = kernel_find(k, s);

	switch (op) {
	case IPSEC_ADD:
		ck_assert_msg(i == k->n, "a reqid that is in use");
		ck_assert(k->n < RIG_MAX_SETS && k->n_asked < 8 && req);
		if (k->says == 0)
			k->set[k->n++] = *s;
		k->added += k->says == 0;
		k->asked[k->n_asked++] = req;
		break;
	case IPSEC_UPDATE:
		ck_assert_msg(i < k->n, "the lifetime of what is not there");
		k->set[i].lifetime_s = s->lifetime_s;
		k->updated++;
		break;
	case IPSEC_DEL:
		ck_assert_msg(i < k->n, "deleted, and not there");
		k->set[i] = k->set[--k->n];
		k->deleted++;
		break;
	case IPSEC_GUARD:
	case IPSEC_UNGUARD:
		k->guards++;
	}
	return 0;
}

static void kernel_answer(struct rig *r)
{
	struct rig_kernel *k = &r->kernel;

	while (k->n_asked) {
		struct ipsec_req *req = k->asked[--k->n_asked];

		req->done(req, k->says);
	}
}

void rig_init_ipsec(struct rig *r, const char *ipsec, const char *access)
{
	char text[4096];

	snprintf(text, sizeof(text), "  ipsec: %s\n%s", ipsec, access ? access : "");
	rig_make(r, text, 1, true, NULL);
}

void rig_init(struct rig *r, const char *access, unsigned n_workers)
{
	rig_make(r, access, n_workers, false, NULL);
}

void rig_init_policy(struct rig *r, const char *access, unsigned n_workers, const struct policy_backend *policy)
{
	rig_make(r, access, n_workers, false, policy);
}

void rig_fini(struct rig *r)
{
	for (unsigned i = 0; i < r->stack.n_workers; i++) {
		struct worker *w = &r->workers[i].w;

		proxy_layer_free(w->proxy);
		tx_layer_free(w->tx);
		pcscf_ops.worker_free(w, w->role);
		resolver_free(w->resolver);
		loop_free(w->loop);
	}
	pcscf_fini(&r->p);
	loop_free(r->stack.main_loop);
	for (unsigned i = 0; i < r->n; i++) {
		sip_msg_unref(r->sent[i].m);
		bytes_unref(r->sent[i].wire);
	}
	cfg_unref(r->cfg);
}

/* What one worker told another. */
static void kernel_answer(struct rig *r);

static void deliver(struct rig *r)
{
	kernel_answer(r);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < r->stack.n_workers && r->stack.n_workers > 1; i++)
			loop_run_for(r->workers[i].w.loop, 1);
}

void rig_run(struct rig *r, uint64_t ms)
{
	wheel_advance(&r->wheel, r->wheel.now_ms + ms);
	deliver(r);
}

/* ---- in ---- */

static struct sip_flow flow_of(const char *text)
{
	struct sip_flow f = { .proto = SIP_UDP };
	struct str proto, rest, local;

	ck_assert(str_cut(str_from_c(text), ':', &proto, &rest));
	if (str_cut(rest, '>', &rest, &local))
		ck_assert_msg(addr_parse_hostport(local, 5060, &f.local) == 0, "%s", text);
	ck_assert_int_eq(sip_proto_from_name(proto, &f.proto), 0);
	ck_assert_msg(addr_parse_hostport(rest, 5060, &f.remote) == 0, "%s", text);
	if (f.proto == SIP_TCP) {
		f.conn = addr_port(&f.remote);
		f.conn_gen = 1;
	}
	return f;
}

static void input(struct rig *r, struct str raw, const char *from)
{
	struct sip_flow flow = flow_of(from);
	struct sip_parse_error err;
	struct sip_msg *m;

	ck_assert_msg(sip_msg_parse_copy(raw, &flow, &m, &err) == 0, "test message: %s\n%.*s", err.why, STR_ARG(raw));
	if (pcscf_ops.admit(&r->workers[0].w, m))
		tx_input(r->workers[0].w.tx, m);
	sip_msg_unref(m);
	deliver(r);
}

void rig_in(struct rig *r, const char *from, const char *text)
{
	struct buf b;

	buf_init(&b, 65000);
	for (; *text; text++) {
		if (*text == '\n')
			buf_putc(&b, '\r');
		buf_putc(&b, *text);
	}
	buf_puts(&b, "Content-Length: 0\r\n\r\n");
	ck_assert(!b.failed);
	input(r, buf_str(&b), from);
	buf_fini(&b);
}

void rig_request_as(struct rig *r, const char *from, const char *method, const char *ruri, const char *from_to, const char *call_id,
		    const char *extra)
{
	struct sip_flow f = flow_of(from);
	char text[16384], at[ADDR_STRLEN];

	r->cseq++;
	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\nVia: SIP/2.0/%s %s;branch=z9hG4bK%u\nMax-Forwards: 70\n%sCall-ID: %s\nCSeq: %u %s\n%s", method, ruri,
		 sip_proto_name(f.proto), addr_fmt(&f.remote, at), r->cseq, from_to, call_id, r->cseq, method, extra ? extra : "");
	rig_in(r, from, text);
}

void rig_request(struct rig *r, const char *from, const char *method, const char *ruri, const char *extra)
{
	rig_request_as(r, from, method, ruri, "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "call", extra);
}

void rig_reply(struct rig *r, const struct rig_sent *to, unsigned status, const char *extra)
{
	struct bytes *wire;
	char crlf[8192];
	size_t n = 0;

	for (const char *c = extra ? extra : ""; *c && n + 2 < sizeof(crlf); c++) {
		if (*c == '\n')
			crlf[n++] = '\r';
		crlf[n++] = *c;
	}
	wire = sip_reply_make(to->m, status, NULL, STR("T"), str_make(crlf, n), STR_NONE, STR_NONE);
	ck_assert_ptr_nonnull(wire);
	input(r, bytes_str(wire), to->where);
	bytes_unref(wire);
}

static void put_lines(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_putc(b, '\r');
		buf_putc(b, *text);
	}
}

void rig_request_body(struct rig *r, const char *from, const char *method, const char *ruri, const char *from_to, const char *call_id,
		      const char *extra, const char *type, const char *body)
{
	struct sip_flow f = flow_of(from);
	char at[ADDR_STRLEN];
	struct buf b, inner;

	r->cseq++;
	buf_init(&b, 65000);
	buf_init(&inner, 32000);
	put_lines(&inner, body);
	buf_printf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n", method, ruri, sip_proto_name(f.proto),
		   addr_fmt(&f.remote, at), r->cseq);
	put_lines(&b, from_to);
	buf_printf(&b, "Call-ID: %s\r\nCSeq: %u %s\r\n", call_id, r->cseq, method);
	put_lines(&b, extra);
	put_lines(&b, type);
	buf_printf(&b, "Content-Length: %zu\r\n\r\n", inner.l);
	buf_put(&b, buf_str(&inner));
	ck_assert(!b.failed && !inner.failed);
	input(r, buf_str(&b), from);
	buf_fini(&b);
	buf_fini(&inner);
}

void rig_reply_body(struct rig *r, const struct rig_sent *to, unsigned status, const char *tag, const char *extra, const char *type,
		    const char *body)
{
	struct bytes *wire;
	struct buf head, inner;
	struct str kind, rest;

	buf_init(&head, 32000);
	buf_init(&inner, 32000);
	put_lines(&head, extra);
	put_lines(&inner, body);
	str_cut(str_from_c(type), '\n', &kind, &rest);
	if (kind.l)
		kind = str_from(kind, strlen("Content-Type: "));
	wire = sip_reply_make(to->m, status, NULL, str_from_c(tag), buf_str(&head), kind, buf_str(&inner));
	ck_assert_ptr_nonnull(wire);
	input(r, bytes_str(wire), to->where);
	bytes_unref(wire);
	buf_fini(&head);
	buf_fini(&inner);
}

/* ---- out ---- */

static struct rig_sent *peek(struct rig *r)
{
	while (r->seen < r->n && !r->sent[r->seen].m->request && r->sent[r->seen].m->status == 100)
		r->seen++;
	return r->seen < r->n ? &r->sent[r->seen] : NULL;
}

struct rig_sent *rig_next(struct rig *r)
{
	struct rig_sent *s = peek(r);

	ck_assert_msg(s != NULL, "nothing was sent");
	r->seen++;
	return s;
}

long rig_metric(const char *name)
{
	char line[192];
	struct buf b;
	const char *at;
	long n = 0;

	snprintf(line, sizeof(line), "\n%s ", name);
	buf_init(&b, 1 << 20);
	metrics_write(&b);
	buf_putc(&b, 0);
	ck_assert(!b.failed);
	at = strstr(b.p, line);
	if (at)
		n = strtol(at + strlen(line), NULL, 10);
	buf_fini(&b);
	return n;
}

void rig_none(struct rig *r)
{
	struct rig_sent *s = peek(r);

	ck_assert_msg(s == NULL, "to %s:\n%.*s", s->where, STR_ARG(bytes_str(s->wire)));
}

struct rig_sent *rig_expect(struct rig *r, const char *method, const char *where)
{
	struct rig_sent *s = rig_next(r);

	ck_assert_msg(s->m->request && str_eq_c(s->m->method_name, method) && strcmp(s->where, where) == 0,
		      "%s to %s expected, to %s:\n%.*s", method, where, s->where, STR_ARG(bytes_str(s->wire)));
	return s;
}

struct rig_sent *rig_expect_status(struct rig *r, unsigned status, const char *where)
{
	struct rig_sent *s = rig_next(r);

	ck_assert_msg(!s->m->request && s->m->status == status && strcmp(s->where, where) == 0,
		      "%u to %s expected, to %s:\n%.*s", status, where, s->where, STR_ARG(bytes_str(s->wire)));
	return s;
}

const char *rig_hdr(const struct rig_sent *s, const char *name)
{
	static char text[8][4096];
	static unsigned turn;
	char *to = text[turn++ % 8];
	size_t n = 0;
	enum sip_hdr_id id = sip_hdr_id_from_name(str_from_c(name));

	to[0] = '\0';
	for (unsigned i = 0; i < s->m->n_hdrs; i++) {
		const struct sip_hdr *h = &s->m->hdrs[i];

		if (id ? h->id != id : !str_ieq_c(sip_msg_hdr_name(s->m, h), name))
			continue;
		n += (size_t)snprintf(to + n, 4096 - n, "%s%.*s", n ? ", " : "", STR_ARG(sip_msg_hdr_value(s->m, h)));
	}
	return to;
}

bool rig_contains(const struct rig_sent *s, const char *text)
{
	size_t l = strlen(text);

	for (size_t i = 0; i + l <= s->wire->l; i++)
		if (mem_ieq(s->wire->p + i, text, l))
			return true;
	return false;
}

/* ---- the usual ---- */

void rig_contact(const char *user, const char *from, char dst[128])
{
	struct sip_flow f = flow_of(from);
	char at[ADDR_STRLEN];

	snprintf(dst, 128, "sip:%s@%s%s", user, addr_fmt(&f.remote, at), f.proto == SIP_TCP ? ";transport=tcp" : "");
}

void rig_register(struct rig *r, const char *user, const char *from, const char *contact, const char *params, char path[256])
{
	char from_to[256], extra[512], own[128];
	unsigned number = 0;
	struct rig_sent *s;

	for (const char *c = user; *c; c++)
		number += (unsigned char)*c;

	if (!contact) {
		rig_contact(user, from, own);
		contact = own;
	}
	snprintf(from_to, sizeof(from_to), "From: <sip:%s@home>;tag=r\nTo: <sip:%s@home>\n", user, user);
	snprintf(extra, sizeof(extra), "Contact: <%s>%s\nExpires: 600\n", contact, params ? params : "");
	rig_request_as(r, from, "REGISTER", "sip:home", from_to, user, extra);
	s = rig_expect(r, "REGISTER", DOOR);
	if (path)
		snprintf(path, 256, "%s", rig_hdr(s, "Path"));
	snprintf(extra, sizeof(extra), "Contact: <%s>;expires=600\nService-Route: <sip:orig-%s@10.0.0.30:6060;lr>\n"
		 "P-Associated-URI: <sip:%s@home>, <tel:+49%u>\n", contact, user, user, number);
	rig_reply(r, s, 200, extra);
	rig_expect_status(r, 200, from);
}
