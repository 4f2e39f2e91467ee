/* tests/transaction/fuzz_tx.c - drives a transaction layer with a script of octets: requests and responses of both
 * sides, answers, cancels, lost connections, time.  What must hold at the end of every script: each object made has
 * said `gone` exactly once (a forgotten one never), nothing is pending on the wheel, and no event was lost to a crash.
 *
 * Two octets a step: what, and with which parameters. */
#include <errno.h>
#include "common/transaction/private.h"
#include "tests/fuzz/fuzz.h"

#define MAX_STEPS 400
#define MAX_OBJECTS 64
#define FUZZ_LIMIT 24

struct play {
	struct wheel wheel;
	struct tx_layer *l;
	struct tx_server *servers[MAX_OBJECTS];
	struct tx_client *clients[MAX_OBJECTS];
	unsigned made, gone, forgotten;
	struct tx_handle last;
	int send_rc;
	uint8_t mood;			/* what callbacks do */
};

struct server_user {
	struct play *p;
	unsigned slot;
};

static const char *const methods[] = { "INVITE", "ACK", "CANCEL", "MESSAGE", "OPTIONS", "FOO", "BYE", "PRACK" };
static const char *const branches[] = { "z9hG4bKa", "z9hG4bKb", "z9hG4bK", "1" };
static const unsigned statuses[] = { 100, 180, 200, 202, 302, 408, 486, 699 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int play_send(void *u, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct play *p = u;

	(void)to;
	must(wire->l > 0);
	p->last = origin;
	return p->send_rc;
}

static void server_gone(void *user)
{
	struct server_user *su = user;

	su->p->servers[su->slot] = NULL;
	su->p->gone++;
	free(su);
}

static void play_request(void *u, struct tx_server *st, struct sip_msg *m)
{
	struct play *p = u;
	struct server_user *su;
	unsigned i = 0;

	must(tx_server_request(st) == m);
	while (i < MAX_OBJECTS && p->servers[i])
		i++;
	if (i == MAX_OBJECTS)
		return;
	su = malloc(sizeof(*su));
	if (!su)
		return;
	*su = (struct server_user){ p, i };
	p->servers[i] = st;
	p->made++;
	tx_server_set_user(st, su, server_gone);
	if (p->mood & 1)
		tx_server_reply(st, statuses[p->mood >> 5], NULL, STR_NONE);
}

static void play_ack(void *u, struct sip_msg *m)
{
	(void)u;
	must(m->method == SIP_ACK);
}

static void play_cancel(void *u, struct tx_server *invite, struct sip_msg *cancel)
{
	struct play *p = u;

	(void)cancel;
	must(!tx_server_final_sent(invite));
	if (p->mood & 2)
		tx_server_reply(invite, 487, NULL, STR_NONE);
}

static const struct tx_ops layer_ops = { .send = play_send, .request = play_request, .ack = play_ack, .cancel = play_cancel };

static void client_drop(struct play *p, const struct tx_client *ct)
{
	for (unsigned i = 0; i < MAX_OBJECTS; i++)
		if (p->clients[i] == ct)
			p->clients[i] = NULL;
}

static void forget(struct play *p, struct tx_client *ct)
{
	tx_client_forget(ct);
	client_drop(p, ct);
	p->forgotten++;
}

static void play_response(void *user, struct tx_client *ct, struct sip_msg *m)
{
	struct play *p = user;

	must(!m->request);
	if (p->mood & 4)
		tx_client_cancel(ct, STR("SIP;cause=487"));
	if (p->mood & 8)
		forget(p, ct);
}

static void play_failed(void *user, struct tx_client *ct, int err)
{
	struct play *p = user;

	must(err < 0);
	if (p->mood & 16)
		forget(p, ct);
}

static void play_client_gone(void *user, struct tx_client *ct)
{
	struct play *p = user;

	client_drop(p, ct);
	p->gone++;
}

static const struct tx_client_ops client_ops = { play_response, play_failed, play_client_gone };

static void input(struct play *p, const char *text, bool tcp)
{
	struct sip_flow f = { .proto = tcp ? SIP_TCP : SIP_UDP, .conn = tcp, .conn_gen = tcp };
	struct sip_parse_error e;
	struct sip_msg *m = NULL;

	must(addr_parse(STR("127.0.0.9"), 5080, &f.remote) == 0);
	must(sip_msg_parse_copy(str_from_c(text), &f, &m, &e) == 0);
	tx_input(p->l, m);
	sip_msg_unref(m);
}

static int make_text(char *text, size_t size, const char *head, uint8_t arg)
{
	const char *method = methods[arg & 7];

	return snprintf(text, size, "%s\r\nVia: SIP/2.0/UDP 127.0.0.9:5080;branch=%s\r\nFrom: <sip:a@b>;tag=a\r\n"
			"To: <sip:b@b>%s\r\nCall-ID: fuzz\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			head, branches[arg >> 3 & 3], arg & 64 ? ";tag=t" : "", method);
}

static void request(struct play *p, uint8_t arg)
{
	char head[64], text[400];

	snprintf(head, sizeof(head), "%s sip:b@b SIP/2.0", methods[arg & 7]);
	make_text(text, sizeof(text), head, arg);
	input(p, text, arg & 32);
}

static void response(struct play *p, uint8_t arg, uint8_t status)
{
	char head[64], text[400];

	snprintf(head, sizeof(head), "SIP/2.0 %u X", statuses[status & 7]);
	make_text(text, sizeof(text), head, arg);
	input(p, text, false);
}

static void client(struct play *p, uint8_t arg)
{
	struct tx_client_new_args a = {
		.branch = str_from_c(branches[arg >> 3 & 3]), .method = sip_method_from_str(str_from_c(methods[arg & 7])),
		.side = arg & 64 ? TX_UE : TX_CORE, .ops = &client_ops, .user = p, .to.proto = arg & 32 ? SIP_TCP : SIP_UDP,
	};
	char head[64], text[400];
	unsigned i = 0;

	if (a.method == SIP_ACK || a.method == SIP_CANCEL)	/* ACK has no transaction, CANCEL is made inside */
		return;
	while (i < MAX_OBJECTS && p->clients[i])
		i++;
	if (i == MAX_OBJECTS)
		return;
	snprintf(head, sizeof(head), "%s sip:b@b SIP/2.0", methods[arg & 7]);
	make_text(text, sizeof(text), head, arg);
	a.wire = bytes_new(str_from_c(text));
	p->clients[i] = tx_client_new(p->l, &a);
	p->made += p->clients[i] != NULL;
	bytes_unref(a.wire);
}

static void step(struct play *p, uint8_t what, uint8_t arg)
{
	struct tx_server *st = p->servers[arg % 8];
	struct tx_client *ct = p->clients[arg % 8];

	switch (what % 10) {
	case 0: request(p, arg); break;
	case 1: response(p, arg, what / 10); break;
	case 2: client(p, arg); break;
	case 3: if (st) tx_server_reply(st, statuses[arg >> 5], NULL, STR_NONE); break;
	case 4: if (ct) tx_client_cancel(ct, arg & 8 ? STR("SIP;cause=200") : STR_NONE); break;
	case 5: if (ct) forget(p, ct); break;
	case 6: wheel_advance(&p->wheel, p->wheel.now_ms + (uint64_t)arg * arg); break;
	case 7: tx_transport_error(p->l, p->last, -ECONNRESET); break;
	case 8: p->send_rc = arg & 1 ? -EPIPE : 0; break;
	case 9: p->mood = arg; break;
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct play p;
	struct tx_stats s;

	memset(&p, 0, sizeof(p));
	wheel_init(&p.wheel, 1);
	p.l = tx_layer_new(&p.wheel, &layer_ops, &p, 0);
	if (!p.l)
		return;
	tx_layer_set_limits(p.l, FUZZ_LIMIT);
	for (size_t i = 0; i + 1 < size && i < 2 * MAX_STEPS; i += 2)
		step(&p, data[i], data[i + 1]);
	for (unsigned i = 0; i < MAX_OBJECTS; i++) {		/* everybody answers, nobody waits: all must run out */
		if (p.servers[i])
			tx_server_reply(p.servers[i], 500, NULL, STR_NONE);
		if (p.clients[i])
			forget(&p, p.clients[i]);
	}
	p.mood = 0;
	wheel_advance(&p.wheel, p.wheel.now_ms + 600000);
	tx_layer_stats(p.l, &s);
	must(s.server_now == 0 && s.client_now == 0 && p.wheel.n_pending == 0);
	must(p.made == p.gone + p.forgotten);
	tx_layer_free(p.l);
}
