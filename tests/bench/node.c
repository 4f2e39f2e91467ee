/* tests/bench/node.c - see node.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/bench/node.h"

static int on_send(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct node *n = u;

	return n->send(n->u, to, wire, origin);
}

static int raw_send(void *u, const struct sip_flow *to, struct bytes *wire)
{
	struct node *n = u;

	return n->send(n->u, to, wire, (struct tx_handle){ 0 });
}

static int local_for(void *u, const struct sip_flow *to, struct addr *ret)
{
	struct node *n = u;
	(void)to;

	*ret = n->own;
	return 0;
}

/* The topmost Route of the corpus names it. */
static bool is_self(void *u, const struct sip_uri *uri)
{
	(void)u;
	return str_starts(uri->host, STR("scscf01.")) || str_starts(uri->host, STR("127.0."));
}

static void on_branch(void *user, struct proxy *p, struct proxy_branch *b, const struct sip_flow *to, struct sip_out *o)
{
	(void)user, (void)p, (void)b, (void)to;
	sip_out_push(o, SIP_H_RECORD_ROUTE, STR("<sip:AQIDBAUGBwgJCgsMDQ4PEBES@127.0.0.1:5060;lr>"));
}

static const struct proxy_ops ops = { .branch = on_branch };

static void on_request(void *u, struct tx_server *st, struct sip_msg *m)
{
	struct node *n = u;
	struct proxy_target t = { .flow = &n->next };
	struct sip_nameaddr own[2];
	struct proxy *p;

	if (!proxy_check(n->proxy, st, m, NULL))
		return;
	p = proxy_new(n->proxy, st, m, &ops, n);
	if (!p)
		return;
	proxy_pop_own_routes(n->proxy, m, proxy_out(p), own);
	proxy_target_add(p, &t);
	proxy_start(p);
}

static void on_ack(void *u, struct sip_msg *m)
{
	struct node *n = u;
	struct sip_nameaddr own[2];
	struct sip_out o;

	sip_out_init(&o, m);
	proxy_pop_own_routes(n->proxy, m, &o, own);
	proxy_forward_ack(n->proxy, m, &o, &n->next);
}

static void on_cancel(void *u, struct tx_server *invite, struct sip_msg *cancel)
{
	(void)u;
	if (proxy_of(invite))
		proxy_cancel(proxy_of(invite), cancel);
}

static const struct tx_ops tx_ops = { .send = on_send, .request = on_request, .ack = on_ack, .cancel = on_cancel };

int node_init(struct node *n, struct wheel *w)
{
	struct proxy_env env = { .wheel = w, .local_for = local_for, .is_self = is_self, .send = raw_send, .u = n };

	n->tx = tx_layer_new(w, &tx_ops, n, 0);
	if (!n->tx)
		return -ENOMEM;
	env.tx = n->tx;
	n->proxy = proxy_layer_new(&env);
	return n->proxy ? 0 : -ENOMEM;
}

void node_fini(struct node *n)
{
	bytes_unref(n->last);
	proxy_layer_free(n->proxy);
	tx_layer_free(n->tx);
}

size_t node_read(const char *path, char *dst, size_t size)
{
	FILE *f = fopen(path, "rb");
	size_t l;

	if (!f)
		return 0;
	l = fread(dst, 1, size - 1, f);
	fclose(f);
	dst[l] = '\0';
	return l;
}

static void stamp(char *text, const char *behind, unsigned i)
{
	char *at = strstr(text, behind), digits[9];

	if (!at)
		return;
	snprintf(digits, sizeof(digits), "%08x", i);
	memcpy(at + strlen(behind), digits, 8);
}

void node_number(char *text, unsigned i)
{
	stamp(text, "branch=z9hG4bK", i);
	stamp(text, "Call-ID: ", i);
}

static int keep_last(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct node *n = u;

	(void)to, (void)origin;
	if (str_starts(bytes_str(wire), STR("INVITE "))) {
		bytes_unref(n->last);
		n->last = bytes_ref(wire);
	}
	return 0;
}

int node_ringing_init(struct node *n, struct wheel *w)
{
	*n = (struct node){ .send = keep_last, .next = { .proto = SIP_UDP }, .u = n };
	addr_parse(STR("10.0.0.1"), 5060, &n->next.remote);
	addr_parse(STR("10.9.9.9"), 5060, &n->own);
	return node_init(n, w);
}

struct sip_msg *node_parsed(struct str raw)
{
	struct sip_flow flow = { .proto = SIP_UDP };
	struct sip_parse_error err;
	struct arena *a = arena_new(SIP_ARENA_BYTES(raw.l));
	struct sip_msg *m = NULL;

	addr_parse(STR("10.4.128.21"), 5060, &flow.remote);
	if (!a || sip_msg_parse(a, arena_dup(a, raw), &flow, false, &m, &err) < 0)
		exit(1);
	return m;
}

void node_input(struct node *n, struct str raw)
{
	struct sip_msg *m = node_parsed(raw);

	tx_input(n->tx, m);
	sip_msg_unref(m);
}

void node_ring(struct node *n)
{
	struct sip_msg *m = node_parsed(bytes_str(n->last));
	struct bytes *r = sip_reply_make(m, 180, NULL, STR("far"), STR("Contact: <sip:far@10.0.0.1>\r\n"), STR_NONE, STR_NONE);

	if (!r)
		exit(1);
	node_input(n, bytes_str(r));
	bytes_unref(r);
	sip_msg_unref(m);
}
