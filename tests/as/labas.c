/* tests/as/labas.c - the least of an application server, for tests of the S-CSCF's ISC side: TS 24.229 §5.7, TS 23.218 §9.
 *
 *   labas PROTO:ADDR:PORT [host NAME=PROTO:ADDR:PORT]... MODE [VALUE] [record]
 *
 *   proxy             on along the Routes it came with
 *   retarget URI      the same with another Request-URI
 *   fork URI          both: as it came, and with that Request-URI
 *   loop URI          not along its Routes but there, to the I-CSCF: round again and again
 *   b2bua             ends the dialog and makes another one: Call-ID, tags, Contact and route set are its own
 *   answer STATUS     says so
 *   redirect URI      302
 *   silent            nothing at all
 *   sms               an IP-SM-GW: 202 to a MESSAGE, then one of its own: to the URI that follows "for " in the body, else to the
 *                     sender (TS 24.341 §5.3.3); its answer is a line {"report":STATUS}
 *
 * REGISTER gets 200 in all modes but answer and silent.  `record`: it stays on the route.  `host` is DNS for those who have none.
 * Each request is a line of JSON on stdout: {"method":...,"ruri":...,"served":...,"expires":...,"route":...,"callId":...,"body":...}. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/proxy/uac.h"
#include "common/transport/transport.h"
#include "common/util/rand.h"

#define MAX_HOSTS 8

enum mode { PROXY, RETARGET, FORK, LOOP, B2BUA, ANSWER, REDIRECT, SILENT, SMS, N_MODES };
static const struct { const char *name; bool value; } modes[N_MODES] = {
	[PROXY] = { "proxy", false }, [RETARGET] = { "retarget", true }, [FORK] = { "fork", true }, [LOOP] = { "loop", true },
	[B2BUA] = { "b2bua", false },
	[ANSWER] = { "answer", true }, [REDIRECT] = { "redirect", true }, [SILENT] = { "silent", false }, [SMS] = { "sms", false },
};

struct as {
	struct loop *loop;
	struct transport *transport;
	struct tx_layer *tx;
	struct resolver *resolver;
	struct proxy_layer *proxy;
	struct addr self;
	char name[ADDR_STRLEN];
	enum mode mode;
	bool record;
	const char *value;
	unsigned status;
	struct resolver_static hosts[MAX_HOSTS];
	size_t n_hosts;
};

/* ---- what it saw ---- */

static void add(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	cJSON_AddStringToObject(o, name, c ? c : "");
	free(c);
}

static struct str all_routes(struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_ROUTE);
	struct str v, all = STR_NONE;

	while (sip_values_next(&it, &v))
		all = arena_printf(m->arena, "%.*s%s%.*s", STR_ARG(all), all.l ? ", " : "", STR_ARG(v));
	return all;
}

static void tell(struct sip_msg *m)
{
	cJSON *o = cJSON_CreateObject();
	char *text;

	add(o, "method", m->method_name);
	add(o, "ruri", m->ruri_text);
	add(o, "to", m->to.uri.text);
	add(o, "served", sip_msg_value(m, SIP_H_PSERVED_USER));
	add(o, "asserted", sip_msg_value(m, SIP_H_PAI));
	add(o, "expires", sip_msg_value(m, SIP_H_EXPIRES));
	add(o, "route", all_routes(m));
	add(o, "callId", m->call_id);
	add(o, "type", sip_msg_value(m, SIP_H_CONTENT_TYPE));
	add(o, "body", m->body);
	text = cJSON_PrintUnformatted(o);
	puts(text ? text : "{}");
	fflush(stdout);
	free(text);
	cJSON_Delete(o);
}

/* ---- what it does with a request ---- */

static void on_branch(void *user, struct proxy *p, struct proxy_branch *b, const struct sip_flow *to, struct sip_out *o)
{
	struct as *a = user;
	(void)p, (void)b, (void)to;

	if (a->record)
		sip_out_push(o, SIP_H_RECORD_ROUTE, arena_printf(o->arena, "<sip:%s;lr>", a->name));
}

static void on_gone(void *user, struct proxy *p)
{
	(void)user, (void)p;
}

static const struct proxy_ops proxy_ops = { .branch = on_branch, .gone = on_gone };

/* ---- B2BUA ----
 *
 * It keeps nothing: the second dialog's Call-ID and the caller's tag in it are the first one's with a prefix, and where requests of a
 * dialog go stands in our own Contact.  Via is left alone, for responses. */

#define PREFIX "b2b-"
#define MAX_PLACE 2000

static struct str with_prefix(struct arena *a, struct str s, bool add)
{
	if (add)
		return arena_printf(a, PREFIX "%.*s", STR_ARG(s));
	return str_starts(s, STR(PREFIX)) ? str_from(s, sizeof(PREFIX) - 1) : s;
}

/* From or To with another tag. */
static struct str retag(struct arena *a, const struct sip_nameaddr *n, struct str tag, bool add)
{
	if (tag.l == 0)
		return n->text;
	tag = with_prefix(a, tag, add);
	return arena_printf(a, "<%.*s>;tag=%.*s", STR_ARG(n->uri.text), STR_ARG(tag));
}

/* Where the sender of m is reached within the dialog: Contact and, in the order in which to go, Record-Route. */
static void put_place(struct as *a, struct sip_out *o, const struct sip_msg *m)
{
	struct str contact = sip_msg_value(m, SIP_H_CONTACT), v, routes = STR_NONE;
	struct sip_values it = sip_values(m, SIP_H_RECORD_ROUTE);
	char hex[2 * MAX_PLACE + 1];
	struct sip_nameaddr n;
	struct str place;

	sip_out_drop(o, SIP_H_RECORD_ROUTE);
	if (contact.l == 0 || sip_nameaddr_parse(contact, &n) < 0 || n.star)
		return;
	while (sip_values_next(&it, &v))
		routes = m->request ? arena_printf(o->arena, "%.*s%s%.*s", STR_ARG(routes), routes.l ? ", " : "", STR_ARG(v))
				    : arena_printf(o->arena, "%.*s%s%.*s", STR_ARG(v), routes.l ? ", " : "", STR_ARG(routes));
	place = arena_printf(o->arena, "%.*s %.*s", STR_ARG(n.uri.text), STR_ARG(routes));
	if (place.l > MAX_PLACE)
		return;
	hex_encode((const uint8_t *)place.p, place.l, hex);
	sip_out_set(o, SIP_H_CONTACT, arena_printf(o->arena, "<sip:%s;place=%s>", a->name, hex));
}

/* A request within one dialog goes where the other one's Contact was. */
static void take_place(struct sip_out *o, const struct sip_msg *m)
{
	struct str hex, target, routes;
	uint8_t *place;
	size_t n;

	if (!sip_uri_param(&m->ruri, "place", &hex))
		return;
	place = arena_alloc(o->arena, hex.l / 2 + 1);
	if (!place || hex_decode(hex, place, hex.l / 2, &n) < 0)
		return;
	str_cut(str_make((const char *)place, n), ' ', &target, &routes);
	sip_out_set_ruri(o, target);
	sip_out_drop(o, SIP_H_ROUTE);
	if (routes.l)
		sip_out_push(o, SIP_H_ROUTE, routes);
}

static bool from_the_second(const struct sip_msg *request)
{
	return str_starts(request->call_id, STR(PREFIX));
}

static void edit_request(struct as *a, struct sip_out *o, const struct sip_msg *m)
{
	bool back = from_the_second(m);

	sip_out_set(o, SIP_H_CALL_ID, with_prefix(o->arena, m->call_id, !back));
	if (back)
		sip_out_set(o, SIP_H_TO, retag(o->arena, &m->to, m->to_tag, false));
	else
		sip_out_set(o, SIP_H_FROM, retag(o->arena, &m->from, m->from_tag, true));
	put_place(a, o, m);
	take_place(o, m);
}

static enum proxy_verdict b2b_response(void *user, struct proxy *p, struct proxy_branch *b, struct sip_msg *m, struct sip_out *o)
{
	const struct sip_msg *request = proxy_request(p);
	struct as *a = user;
	(void)b;

	put_place(a, o, m);
	for (const struct sip_hdr *h = sip_msg_hdr(request, SIP_H_RECORD_ROUTE); h; h = sip_msg_hdr_next(request, h))
		sip_out_add(o, SIP_H_RECORD_ROUTE, sip_msg_hdr_value(request, h));
	sip_out_set(o, SIP_H_CALL_ID, request->call_id);
	if (from_the_second(request))
		sip_out_set(o, SIP_H_TO, retag(o->arena, &m->to, m->to_tag, true));
	else
		sip_out_set(o, SIP_H_FROM, request->from.text);
	return PROXY_PASS;
}

static const struct proxy_ops b2b_ops = { .response = b2b_response, .gone = on_gone };

static void forward(struct as *a, struct tx_server *st, struct sip_msg *m)
{
	struct proxy *p = proxy_new(a->proxy, st, m, a->mode == B2BUA ? &b2b_ops : &proxy_ops, a);
	struct proxy_target as_it_came = { .side = TX_CORE }, other = { .side = TX_CORE, .ruri = str_from_c(a->value) };
	struct sip_nameaddr own[2];

	if (!p) {
		tx_server_reply(st, 500, NULL, STR_NONE);
		return;
	}
	proxy_pop_own_routes(a->proxy, m, proxy_out(p), own);
	if (a->mode == B2BUA)
		edit_request(a, proxy_out(p), m);
	if (a->mode == LOOP && m->to_tag.l == 0) {
		sip_out_drop(proxy_out(p), SIP_H_ROUTE);
		sip_out_push(proxy_out(p), SIP_H_ROUTE, arena_printf(m->arena, "<%s;lr>", a->value));
	}
	if (a->mode != RETARGET || m->to_tag.l)
		proxy_target_add(p, &as_it_came);
	if ((a->mode == RETARGET || a->mode == FORK) && m->to_tag.l == 0)
		proxy_target_add(p, &other);
	proxy_start(p);
}

static void on_report(void *arg, unsigned status, const struct sip_msg *m)
{
	(void)arg, (void)m;
	printf("{\"report\":%u}\n", status);
	fflush(stdout);
}

/* Whom the short message is for. */
static bool recipient(const struct sip_msg *m, struct str *ret)
{
	struct sip_values it = sip_values(m, SIP_H_PAI);
	struct sip_nameaddr from;
	struct str value;

	if (str_starts(m->body, STR("for "))) {
		*ret = str_from(m->body, 4);
		return true;
	}
	if (!sip_values_next(&it, &value) || sip_nameaddr_parse(value, &from) < 0)
		return false;
	*ret = from.uri.text;
	return true;
}

/* A MESSAGE to who sent one, by its asserted identity and the I-CSCF, or to another user; Server keeps it out of our own filter criterion. */
static void report(struct as *a, const struct sip_msg *m)
{
	char tag[11], call_id[21];
	struct str to;
	struct buf b;

	if (!recipient(m, &to))
		return;
	rand_token(tag, 10);
	rand_token(call_id, 20);
	buf_init(&b, 8192);
	buf_printf(&b, "MESSAGE %.*s SIP/2.0\r\nMax-Forwards: 70\r\nFrom: <sip:%s>;tag=%s\r\nTo: <%.*s>\r\nCall-ID: %s\r\nCSeq: 1 MESSAGE\r\n"
		   "P-Asserted-Identity: <sip:%s>\r\nIn-Reply-To: %.*s\r\nRequest-Disposition: no-fork\r\nServer: labas\r\n"
		   "Content-Type: application/vnd.3gpp.sms\r\nContent-Length: 6\r\n\r\nreport", STR_ARG(to), a->name, tag,
		   STR_ARG(to), call_id, a->name, STR_ARG(m->call_id));
	if (b.failed || !uac_send(a->proxy, buf_str(&b), TX_CORE, 0, on_report, a))
		puts("{\"report\":0}");
	buf_fini(&b);
}

static void on_request(void *arg, struct tx_server *st, struct sip_msg *m)
{
	struct as *a = arg;

	tell(m);
	if (a->mode == SILENT)
		return;
	if (a->mode == ANSWER)
		tx_server_reply(st, a->status, NULL, STR_NONE);
	else if (m->method == SIP_REGISTER)
		tx_server_reply(st, 200, NULL, STR_NONE);
	else if (a->mode == REDIRECT && m->to_tag.l == 0)
		tx_server_reply(st, 302, NULL, arena_printf(m->arena, "Contact: <%s>\r\n", a->value));
	else if (a->mode == SMS && m->method == SIP_MESSAGE) {
		tx_server_reply(st, 202, NULL, STR_NONE);
		report(a, m);
	} else if (proxy_check(a->proxy, st, m, NULL))
		forward(a, st, m);
}

static void on_ack(void *arg, struct sip_msg *m)
{
	struct as *a = arg;
	struct sip_nameaddr own[2];
	struct sip_out o;

	sip_out_init(&o, m);
	if (a->mode == B2BUA)
		edit_request(a, &o, m);
	if (proxy_pop_own_routes(a->proxy, m, &o, own) || a->mode == B2BUA)
		proxy_forward_ack(a->proxy, m, &o, NULL);
}

static void on_cancel(void *arg, struct tx_server *invite, struct sip_msg *m)
{
	(void)arg;
	if (proxy_of(invite))
		proxy_cancel(proxy_of(invite), m);
}

/* ---- the layers ---- */

static int on_send(void *arg, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct as *a = arg;

	return transport_send(a->transport, to, wire, (uint64_t)origin.slot << 32 | origin.gen);
}

static void on_message(void *arg, struct sip_msg *m)
{
	struct as *a = arg;

	if (a->mode != SILENT || !m->request)
		tx_input(a->tx, m);
	else
		tell(m);		/* not even a 100 */
}

static void on_bad(void *arg, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e)
{
	(void)arg, (void)m, (void)from, (void)raw;
	fprintf(stderr, "labas: malformed: %s\n", e->why);
}

static void on_error(void *arg, uint64_t origin, int err)
{
	struct tx_handle h = { .slot = (uint32_t)(origin >> 32), .gen = (uint32_t)origin };
	struct as *a = arg;

	tx_transport_error(a->tx, h, err);
}

static void on_closed(void *arg, const struct sip_flow *flow)
{
	(void)arg, (void)flow;
}

static int env_local_for(void *arg, const struct sip_flow *to, struct addr *ret)
{
	struct as *a = arg;

	return transport_local_for(a->transport, to, ret);
}

static bool env_is_self(void *arg, const struct sip_uri *u)
{
	struct as *a = arg;
	struct addr x;

	return sip_uri_host_addr(u, &x) == 0 && addr_eq(&x, &a->self);
}

static int env_send(void *arg, const struct sip_flow *to, struct bytes *wire)
{
	struct as *a = arg;

	return transport_send(a->transport, to, wire, 0);
}

static const struct tx_ops tx_ops = { .send = on_send, .request = on_request, .ack = on_ack, .cancel = on_cancel };
static const struct transport_ops tp_ops = { on_message, on_bad, on_error, NULL, on_closed };

static bool start(struct as *a, enum sip_proto proto)
{
	struct transport_group *g = transport_group_new(1);
	struct proxy_env env = { .local_for = env_local_for, .is_self = env_is_self, .send = env_send, .u = a, .timer_c_ms = 185000 };
	struct resolver_config rc = { .statics = a->hosts, .n_statics = a->n_hosts, .timeout_ms = 1000, .tries = 1, .cache_max = 16 };

	a->loop = loop_new();
	a->transport = g && a->loop ? transport_new(g, 0, a->loop, &transport_limits_default, &tp_ops, a) : NULL;
	a->tx = a->transport ? tx_layer_new(loop_wheel(a->loop), &tx_ops, a, 0) : NULL;
	a->resolver = a->loop ? resolver_new(a->loop, &rc) : NULL;
	if (!a->tx || !a->resolver || transport_listen(a->transport, proto, &a->self) < 0)
		return false;
	env.tx = a->tx;
	env.resolver = a->resolver;
	env.wheel = loop_wheel(a->loop);
	a->proxy = proxy_layer_new(&env);
	return a->proxy != NULL;
}

/* ---- command line ---- */

static int usage(void)
{
	fputs("usage: labas PROTO:ADDR:PORT [host NAME=PROTO:ADDR:PORT]... MODE [VALUE] [record]\nmodes:", stderr);
	for (int i = 0; i < N_MODES; i++)
		fprintf(stderr, " %s%s", modes[i].name, modes[i].value ? " VALUE" : "");
	fputs("\n", stderr);
	return 64;
}

static bool read_host(struct as *a, const char *text)
{
	struct resolver_static *h = &a->hosts[a->n_hosts];

	return a->n_hosts < MAX_HOSTS && str_cut(str_from_c(text), '=', &h->name, &h->target) && ++a->n_hosts;
}

static bool read_mode(struct as *a, char **v, int n, int *used)
{
	for (int i = 0; i < N_MODES; i++) {
		if (strcmp(v[0], modes[i].name))
			continue;
		a->mode = (enum mode)i;
		*used = 1 + modes[i].value;
		a->value = modes[i].value && n > 1 ? v[1] : NULL;
		a->status = a->value ? (unsigned)atoi(a->value) : 0;
		return (!modes[i].value || n > 1) && (i != ANSWER || (a->status >= 200 && a->status < 700));
	}
	return false;
}

int main(int argc, char **argv)
{
	struct as a = { .mode = N_MODES };
	struct str proto_name, where;
	enum sip_proto proto;
	int i = 2, used;

	if (argc < 3 || !str_cut(str_from_c(argv[1]), ':', &proto_name, &where) || sip_proto_from_name(proto_name, &proto) < 0 ||
	    addr_parse_hostport(where, 5060, &a.self) < 0)
		return usage();
	addr_fmt(&a.self, a.name);
	for (; i + 1 < argc && !strcmp(argv[i], "host"); i += 2)
		if (!read_host(&a, argv[i + 1]))
			return usage();
	if (i >= argc || !read_mode(&a, argv + i, argc - i, &used))
		return usage();
	i += used;
	a.record = i < argc && !strcmp(argv[i], "record");
	if (i + a.record != argc)
		return usage();
	if (!start(&a, proto)) {
		fputs("labas: cannot listen\n", stderr);
		return 1;
	}
	puts("{\"ready\":true}");
	fflush(stdout);
	return loop_run(a.loop);
}
