/* tests/proxy/rig.c - see rig.h. */
#include <stdlib.h>
#include <string.h>
#include "tests/proxy/rig.h"
#include "common/util/bytes.h"

/* ---- resolver by name ---- */

struct resolver_query {
	resolver_fn fn;
	void *arg;
	struct resolver_result res;
};
static struct resolver_query *waiting;
static struct rig *the_rig;

static void result_make(const struct sip_uri *uri, struct resolver_result *res)
{
	struct str value, host = uri->host;
	size_t i = 0;

	*res = (struct resolver_result){ .err = -ENOENT, .why = "no such name" };
	while (i < host.l && (host.p[i] < '0' || host.p[i] > '9'))
		i++;
	res->explicit_proto = sip_uri_param(uri, "transport", &value) || str_starts(host, STR("tcp")) || str_starts(host, STR("tls"));
	for (; i < host.l && host.p[i] >= '0' && host.p[i] <= '9' && res->n < RESOLVER_MAX_TARGETS; i++) {
		struct sip_flow *f = &res->target[res->n++];
		char text[16];

		snprintf(text, sizeof(text), "10.0.0.%c", host.p[i]);
		ck_assert_int_eq(addr_parse(str_from_c(text), uri->port ? uri->port : 5060, &f->remote), 0);
		f->proto = str_starts(host, STR("tcp")) ? SIP_TCP : str_starts(host, STR("tls")) ? SIP_TLS : SIP_UDP;
		res->err = 0;
		res->why = NULL;
	}
}

struct resolver_query *resolver_lookup(struct resolver *rs, const struct sip_uri *uri, resolver_fn fn, void *arg)
{
	struct resolver_result res;
	(void)rs;

	result_make(uri, &res);
	if (!str_starts(uri->host, STR("wait"))) {
		fn(arg, &res);
		return NULL;
	}
	waiting = malloc(sizeof(*waiting));
	ck_assert_ptr_nonnull(waiting);
	*waiting = (struct resolver_query){ fn, arg, res };
	return waiting;
}

void resolver_cancel(struct resolver_query *q)
{
	ck_assert_ptr_eq(q, waiting);
	free(q);
	waiting = NULL;
}

void resolver_target_failed(struct resolver *rs, const struct sip_flow *t, uint32_t hold_s)
{
	char host[ADDR_STRLEN];
	size_t l = strlen(the_rig->resolver_failed);
	(void)rs;

	ck_assert_uint_gt(hold_s, 0);
	snprintf(the_rig->resolver_failed + l, sizeof(the_rig->resolver_failed) - l, "%s ", addr_host(&t->remote, host));
}

void rig_resolve(struct rig *r)
{
	struct resolver_query *q = waiting;
	(void)r;

	ck_assert_ptr_nonnull(q);
	waiting = NULL;
	q->fn(q->arg, &q->res);
	free(q);
}

/* ---- wire ---- */

static int wire_out(struct rig *r, const struct sip_flow *to, struct bytes *wire)
{
	struct sip_parse_error err;

	if (to->proto == SIP_TCP && r->tcp_err)
		return r->tcp_err;
	if (to->proto == SIP_UDP && r->udp_err && memcmp(wire->p, "SIP/", 4))
		return r->udp_err;
	for (unsigned n = 0; n < r->n; n++)
		if (r->sent[n].wire == wire)
			return 0;
	ck_assert_uint_lt(r->n, RIG_MAX_SENT);
	r->sent[r->n].wire = bytes_ref(wire);
	r->sent[r->n].to = *to;
	r->sent[r->n].m = NULL;
	ck_assert_msg(r->unread || sip_msg_parse_copy(bytes_str(wire), NULL, &r->sent[r->n].m, &err) == 0,
		      "what we sent: %s\n%.*s", err.why, STR_ARG(bytes_str(wire)));
	r->n++;
	return 0;
}

static int tx_send_fn(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	(void)origin;
	return wire_out(u, to, wire);
}

static int raw_send(void *u, const struct sip_flow *to, struct bytes *wire)
{
	return wire_out(u, to, wire);
}

static int local_for(void *u, const struct sip_flow *to, struct addr *ret)
{
	(void)u;
	(void)to;
	return addr_parse(STR("10.9.9.9"), 5060, ret);
}

static bool is_self(void *u, const struct sip_uri *uri)
{
	(void)u;
	return str_ieq_c(uri->host, "self") || str_eq_c(uri->host, "10.9.9.9");
}

/* ---- role ---- */

static void note(struct rig *r, const char *what, unsigned n)
{
	size_t l = strlen(r->log);

	if (n)
		snprintf(r->log + l, sizeof(r->log) - l, "%s:%u ", what, n);
	else
		snprintf(r->log + l, sizeof(r->log) - l, "%s ", what);
}

static void target_add(struct rig *r, const char *ruri, unsigned q)
{
	struct proxy_target t = { .ruri = str_from_c(ruri), .q = q, .flow = r->flow, .wait_ms = r->wait_ms };

	if (r->route) {
		t.route[0] = str_from_c(r->route);
		t.n_routes = 1;
	}
	(void)proxy_target_add(r->p, &t);
}

static void op_branch(void *user, struct proxy *p, struct proxy_branch *b, const struct sip_flow *to, struct sip_out *o)
{
	struct rig *r = user;

	ck_assert_ptr_eq(proxy_branch_out(b), o);
	ck_assert(addr_is_set(&to->remote));
	note(r, "branch", 0);
	sip_out_push(o, SIP_H_RECORD_ROUTE, STR("<sip:token@self;lr>"));
	if (r->starved)
		ck_assert_ptr_null(arena_alloc(o->arena, ARENA_LIMIT_BYTES));
	if (r->reject_in_branch)
		proxy_reject(p, &(const struct refusal){ .status = 403, .why = "changed its mind" });
}

static enum proxy_verdict op_response(void *user, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	struct rig *r = user;
	(void)p;

	note(r, "response", m->status);
	sip_out_add_name(o, "X-Seen", STR("yes"));
	if (m->status < 200 || r->verdict == PROXY_PASS)
		return PROXY_PASS;
	if (r->verdict == PROXY_HOLD) {
		ck_assert_ptr_null(r->held);
		r->held = sip_msg_ref(m);
		r->held_b = b;
		sip_out_copy(&r->held_o, o);
	}
	return r->verdict;
}

static void op_failed(void *user, struct proxy *p, struct proxy_branch *b, unsigned status, struct sip_msg *m)
{
	struct rig *r = user;
	const char *next = r->add_in_failed;
	(void)p;

	note(r, m ? "failed" : "own-failed", status);
	r->add_in_failed = NULL;
	if (next) {
		target_add(r, next, 0);
		if (r->disregard)
			proxy_branch_disregard(b);
	}
}

static bool op_waited(void *user, struct proxy *p, struct proxy_branch *b)
{
	struct rig *r = user;
	(void)p;
	(void)b;

	note(r, "waited", 0);
	return !r->waits_on;
}

static bool op_final(void *user, struct proxy *p, unsigned status, struct sip_msg *m)
{
	struct rig *r = user;
	(void)m;

	note(r, "final", status);
	if (r->final_taken)
		tx_server_reply(proxy_server(p), 480, NULL, STR_NONE);
	return r->final_taken;
}

static void op_gone(void *user, struct proxy *p)
{
	struct rig *r = user;

	ck_assert_ptr_eq(p, r->p);
	note(r, "gone", 0);
	r->p = NULL;
}

static const struct proxy_ops role_ops = {
	.branch = op_branch, .response = op_response, .branch_failed = op_failed, .waited = op_waited, .final = op_final, .gone = op_gone,
};

static void on_request(void *u, struct tx_server *st, struct sip_msg *m)
{
	struct rig *r = u;

	r->st = st;
	if (r->request) {
		r->request(r, st, m);
		return;
	}
	if (!proxy_check(r->pl, st, m, r->supported))
		return;
	r->p = proxy_new(r->pl, st, m, &role_ops, r);
	ck_assert_ptr_nonnull(r->p);
	ck_assert_ptr_eq(proxy_of(st), r->p);
	r->n_own = proxy_pop_own_routes(r->pl, m, proxy_out(r->p), r->own);
	if (r->by_hand)
		return;
	for (unsigned i = 0; i < r->n_targets; i++)
		target_add(r, r->targets[i], r->q[i]);
	if (!r->n_targets)
		target_add(r, NULL, 0);
	proxy_start(r->p);
}

static void on_ack(void *u, struct sip_msg *m)
{
	struct rig *r = u;
	struct sip_out o;

	if (r->ack) {
		r->ack(r, m);
		return;
	}
	sip_out_init(&o, m);
	r->n_own = proxy_pop_own_routes(r->pl, m, &o, r->own);
	proxy_forward_ack(r->pl, m, &o, r->flow);
}

static void on_cancel(void *u, struct tx_server *invite, struct sip_msg *cancel)
{
	(void)u;
	if (proxy_of(invite))
		proxy_cancel(proxy_of(invite), cancel);
}

static const struct tx_ops transaction_ops = {
	.send = tx_send_fn, .request = on_request, .ack = on_ack, .cancel = on_cancel,
};

/* ---- the test's side ---- */

void rig_init(struct rig *r)
{
	*r = (struct rig){ .env = { .local_for = local_for, .is_self = is_self, .send = raw_send } };
	the_rig = r;
	wheel_init(&r->w, 1000);
	r->tx = tx_layer_new(&r->w, &transaction_ops, r, 0);
	ck_assert_ptr_nonnull(r->tx);
	r->env.tx = r->tx;
	r->env.wheel = &r->w;
	r->env.u = r;
	r->env.timer_c_ms = 185000;
	r->pl = proxy_layer_new(&r->env);
	ck_assert_ptr_nonnull(r->pl);
}

void rig_sent_free(struct rig *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		sip_msg_unref(r->sent[i].m);
		bytes_unref(r->sent[i].wire);
	}
	r->n = 0;
}

void rig_fini(struct rig *r)
{
	sip_msg_unref(r->held);
	proxy_layer_free(r->pl);
	tx_layer_free(r->tx);
	rig_sent_free(r);
	ck_assert_ptr_null(waiting);
	ck_assert_ptr_null(r->p);
}

void rig_run(struct rig *r, uint64_t ms)
{
	wheel_advance(&r->w, r->w.now_ms + ms);
}

static void input(struct rig *r, struct str raw, const char *from)
{
	struct sip_flow flow = { .proto = SIP_UDP };
	struct sip_parse_error err;
	struct sip_msg *m;

	ck_assert_int_eq(addr_parse(str_from_c(from), 5060, &flow.remote), 0);
	ck_assert_msg(sip_msg_parse_copy(raw, &flow, &m, &err) == 0, "test message: %s\n%.*s", err.why, STR_ARG(raw));
	tx_input(r->tx, m);
	sip_msg_unref(m);
}

void rig_in(struct rig *r, const char *text)
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
	input(r, buf_str(&b), "10.1.1.1");
	buf_fini(&b);
}

static char upstream_via[] = "Via: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bKup\n";

void rig_request(struct rig *r, const char *method, const char *ruri, const char *extra)
{
	static char text[8192];

	snprintf(text, sizeof(text), "%s %s SIP/2.0\n%sMax-Forwards: 70\nFrom: <sip:alice@a>;tag=A\nTo: <sip:bob@b>\n"
		 "Call-ID: call\nCSeq: 7 %s\n%s", method, ruri, upstream_via, method, extra ? extra : "");
	rig_in(r, text);
}

void rig_cancel(struct rig *r, const char *extra)
{
	char text[1024];

	snprintf(text, sizeof(text), "CANCEL sip:bob@n1 SIP/2.0\n%sMax-Forwards: 70\nFrom: <sip:alice@a>;tag=A\n"
		 "To: <sip:bob@b>\nCall-ID: call\nCSeq: 7 CANCEL\n%s", upstream_via, extra ? extra : "");
	rig_in(r, text);
}

struct rig_sent *rig_req(struct rig *r, const char *method, unsigned i)
{
	for (unsigned n = 0; n < r->n; n++)
		if (r->sent[n].m->request && str_eq_c(r->sent[n].m->method_name, method) && !i--)
			return &r->sent[n];
	return NULL;
}

void rig_raw(struct rig *r, const char *text)
{
	input(r, str_from_c(text), "10.1.1.1");
}

void rig_reply(struct rig *r, struct rig_sent *to, unsigned status, const char *to_tag, const char *extra)
{
	rig_reply_body(r, to, status, to_tag, extra, "");
}

void rig_reply_body(struct rig *r, struct rig_sent *to, unsigned status, const char *to_tag, const char *extra, const char *body)
{
	struct bytes *wire;
	char host[ADDR_STRLEN];

	ck_assert_ptr_nonnull(to);
	wire = sip_reply_make(to->m, status, NULL, str_from_c(to_tag), str_from_c(extra), STR_NONE, str_from_c(body));
	ck_assert_ptr_nonnull(wire);
	input(r, bytes_str(wire), addr_host(&to->to.remote, host));
	bytes_unref(wire);
}

struct sip_msg *rig_last_up(struct rig *r)
{
	for (unsigned n = r->n; n-- > 0;)
		if (!r->sent[n].m->request && r->sent[n].m->method != SIP_CANCEL)
			return r->sent[n].m;
	return NULL;
}

static void join(char *dst, size_t size, const char *word)
{
	size_t l = strlen(dst);

	snprintf(dst + l, size - l, "%s%s", l ? " " : "", word);
}

const char *rig_up(struct rig *r)
{
	static char text[1024];
	char word[8];

	text[0] = 0;
	for (unsigned n = 0; n < r->n; n++) {
		const struct sip_msg *m = r->sent[n].m;

		if (m->request || m->method == SIP_CANCEL)
			continue;
		snprintf(word, sizeof(word), "%u", m->status);
		join(text, sizeof(text), word);
	}
	return text;
}

const char *rig_down(struct rig *r)
{
	static char text[4096];
	char word[128], addr[ADDR_STRLEN];

	text[0] = 0;
	for (unsigned n = 0; n < r->n; n++) {
		const struct sip_msg *m = r->sent[n].m;

		if (!m->request)
			continue;
		snprintf(word, sizeof(word), "%.*s@%s%s", STR_ARG(m->method_name), addr_host(&r->sent[n].to.remote, addr),
			 r->sent[n].to.proto == SIP_TCP ? "/tcp" : "");
		join(text, sizeof(text), word);
	}
	return text;
}
