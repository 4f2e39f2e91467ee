/* tests/ue/fake_core.c - the least of a core that a phone can register with: challenges, checks the answer, grants.
 *
 *   fake_core PROTO:ADDR:PORT aka K OPC SQN          a vector with SQN+32 each time; an AUTS moves SQN
 *   fake_core PROTO:ADDR:PORT digest ALGORITHM PASSWORD
 *   ... [grant SECONDS] [min SECONDS] [wrong-mac] [stale-once] [deaf]
 *
 * Prints one line per decision.  It routes nothing: every other request gets 404. */
#include <stdio.h>
#include <stdlib.h>
#include "common/loop/loop.h"
#include "common/sip/auth.h"
#include "common/transaction/tx.h"
#include "common/transport/transport.h"
#include "common/util/rand.h"

struct core {
	struct loop *loop;
	struct transport *transport;
	struct tx_layer *tx;
	enum auth_algorithm algorithm;
	uint8_t k[16], opc[16];
	uint64_t sqn;
	const char *password;
	uint32_t grant_s, min_s;
	bool wrong_mac, stale_once, deaf;
	/* the outstanding challenge */
	char nonce[64];
	struct aka_vector v;
	bool challenged;
};

static void say(const char *what)
{
	puts(what);
	fflush(stdout);
}

static void nonce_make(struct core *c)
{
	uint8_t raw[32], sqn[6];
	static const uint8_t amf[2] = { 0x80, 0 };

	if (c->algorithm != AUTH_AKAV1_MD5) {
		rand_token(c->nonce, 24);
		return;
	}
	c->sqn += 32;
	for (int i = 0; i < 6; i++)
		sqn[i] = (uint8_t)(c->sqn >> (40 - 8 * i));
	rand_bytes(raw, 16);
	aka_vector_make(c->k, c->opc, raw, sqn, amf, &c->v);
	memcpy(raw + 16, c->v.autn, 16);
	if (c->wrong_mac)
		raw[31] ^= 1;
	base64_encode(raw, sizeof(raw), false, c->nonce);
}

static void challenge(struct core *c, struct tx_server *st, bool stale)
{
	char line[512];

	nonce_make(c);
	c->challenged = true;
	snprintf(line, sizeof(line), 
		 "WWW-Authenticate: Digest realm=\"fake.example\",nonce=\"%s\",algorithm=%s,qop=\"auth\",opaque=\"x\"%s\r\n",
		 c->nonce, auth_algorithm_name(c->algorithm), stale ? ",stale=true" : "");
	tx_server_reply(st, 401, NULL, str_from_c(line));
}

static bool answer_right(struct core *c, const struct auth_params *p)
{
	struct str secret = c->algorithm == AUTH_AKAV1_MD5 ? str_make((const char *)c->v.xres, c->v.xres_len)
							   : str_from_c(c->password);
	char ha1[AUTH_HEX_MAX];

	auth_ha1(c->algorithm, p->username, p->realm, secret, ha1);
	return c->challenged && str_eq_c(p->nonce, c->nonce) &&
	       auth_response_matches(p, str_from_c(ha1), STR("REGISTER"), STR_NONE);
}

/* true: it was one, and the next challenge fits it. */
static bool resync(struct core *c, const struct auth_params *p)
{
	uint8_t auts[14], sqn_ms[6];
	size_t n;

	if (!p->auts.l || base64_decode(p->auts, false, auts, sizeof(auts), &n) < 0 || n != sizeof(auts) ||
	    aka_auts_check(c->k, c->opc, c->v.rand, auts, sqn_ms) < 0)
		return false;
	c->sqn = 0;
	for (int i = 0; i < 6; i++)
		c->sqn = c->sqn << 8 | sqn_ms[i];
	return true;
}

static void grant(struct core *c, struct tx_server *st, struct sip_msg *m)
{
	struct str contact = sip_msg_value(m, SIP_H_CONTACT);
	uint32_t expires_s = 3600;
	char line[2048];

	(void)sip_msg_u32(m, SIP_H_EXPIRES, &expires_s);
	if (expires_s && expires_s < c->min_s) {
		say("too brief");
		snprintf(line, sizeof(line), "Min-Expires: %u\r\n", c->min_s);
		tx_server_reply(st, 423, NULL, str_from_c(line));
		return;
	}
	if (c->grant_s && expires_s > c->grant_s)
		expires_s = c->grant_s;
	say(expires_s ? "registered" : "deregistered");
	if (!expires_s) {
		tx_server_reply(st, 200, NULL, STR_NONE);
		return;
	}
	snprintf(line, sizeof(line),
		 "Contact: <sip:other@192.0.2.1>;expires=99\r\nContact: %.*s;expires=%u\r\n"
		 "Service-Route: <sip:orig@one.example;lr>, <sip:two.example;lr>\r\n"
		 "P-Associated-URI: <sip:1@fake.example>, <sip:+49151@fake.example>, <tel:+49151>\r\n",
		 STR_ARG(contact), expires_s);
	tx_server_reply(st, 200, NULL, str_from_c(line));
}

static void on_register(struct core *c, struct tx_server *st, struct sip_msg *m)
{
	struct auth_params p = { 0 };
	int rc = auth_find(m, SIP_H_AUTHORIZATION, STR_NONE, &p);

	if (rc < 0 || !p.nonce.l) {
		say(rc < 0 ? "challenge without authorization" : "challenge");
		challenge(c, st, false);
	} else if (p.auts.l) {
		say(resync(c, &p) ? "resync" : "resync wrong");
		challenge(c, st, false);
	} else if (!p.response.l) {
		say("empty response");
		tx_server_reply(st, 403, NULL, STR_NONE);
	} else if (!answer_right(c, &p)) {
		say("wrong answer");
		tx_server_reply(st, 403, NULL, STR_NONE);
	} else if (c->stale_once) {
		c->stale_once = false;
		say("stale");
		challenge(c, st, true);
	} else {
		grant(c, st, m);
	}
}

static void on_request(void *arg, struct tx_server *st, struct sip_msg *m)
{
	struct core *c = arg;

	if (c->deaf)
		return;
	if (m->method == SIP_REGISTER)
		on_register(c, st, m);
	else
		tx_server_reply(st, 404, NULL, STR_NONE);
}

static void on_ack(void *arg, struct sip_msg *m)
{
	(void)arg;
	(void)m;
}

static int on_send(void *arg, const struct sip_flow *to, struct bytes *wire, struct tx_handle origin)
{
	struct core *c = arg;
	(void)origin;

	return transport_send(c->transport, to, wire, 0);
}

static void on_message(void *arg, struct sip_msg *m)
{
	struct core *c = arg;

	tx_input(c->tx, m);
}

static void on_bad(void *arg, struct sip_msg *m, const struct sip_flow *from, struct str raw, const struct sip_parse_error *e)
{
	(void)arg;
	(void)m;
	(void)from;
	(void)raw;
	printf("malformed: %s\n", e->why);
}

static void on_error(void *arg, uint64_t origin, int err)
{
	(void)arg;
	(void)origin;
	(void)err;
}

static void on_closed(void *arg, const struct sip_flow *flow)
{
	(void)arg;
	(void)flow;
}

static const struct tx_ops tx_ops = { .send = on_send, .request = on_request, .ack = on_ack };
static const struct transport_ops tp_ops = { on_message, on_bad, on_error, NULL, on_closed };

static int usage(void)
{
	fputs("usage: fake_core PROTO:ADDR:PORT aka K OPC SQN | digest ALGORITHM PASSWORD\n"
	      "       [grant S] [min S] [wrong-mac] [stale-once] [deaf]\n",
	      stderr);
	return 64;
}

static int read_aka(struct core *c, char **v)
{
	size_t n;

	c->algorithm = AUTH_AKAV1_MD5;
	return hex_decode(str_from_c(v[0]), c->k, 16, &n) < 0 || hex_decode(str_from_c(v[1]), c->opc, 16, &n) < 0 ||
	       str_to_u64(str_from_c(v[2]), &c->sqn) < 0 ? -1 : 3;
}

static int read_digest(struct core *c, char **v)
{
	c->algorithm = !strcmp(v[0], "SHA-256") ? AUTH_SHA256 : AUTH_MD5;
	c->password = v[1];
	return 2;
}

int main(int argc, char **argv)
{
	struct core c = { .algorithm = AUTH_ALG_UNKNOWN };
	struct transport_group *g = transport_group_new(1);
	struct str proto_name, where;
	enum sip_proto proto;
	struct addr a;
	int i = 2, n = 0;

	if (argc < 5 || !str_cut(str_from_c(argv[1]), ':', &proto_name, &where) || sip_proto_from_name(proto_name, &proto) < 0 ||
	    addr_parse_hostport(where, 5060, &a) < 0)
		return usage();
	for (; i < argc && n >= 0; i += n + 1) {
		const char *word = argv[i];

		n = 0;
		if (!strcmp(word, "aka") && i + 3 < argc)
			n = read_aka(&c, argv + i + 1);
		else if (!strcmp(word, "digest") && i + 2 < argc)
			n = read_digest(&c, argv + i + 1);
		else if (!strcmp(word, "grant") && i + 1 < argc)
			n = str_to_u32(str_from_c(argv[i + 1]), &c.grant_s) < 0 ? -1 : 1;
		else if (!strcmp(word, "min") && i + 1 < argc)
			n = str_to_u32(str_from_c(argv[i + 1]), &c.min_s) < 0 ? -1 : 1;
		else if (!strcmp(word, "wrong-mac"))
			c.wrong_mac = true;
		else if (!strcmp(word, "stale-once"))
			c.stale_once = true;
		else if (!strcmp(word, "deaf"))
			c.deaf = true;
		else
			n = -1;
	}
	if (n < 0 || c.algorithm == AUTH_ALG_UNKNOWN)
		return usage();
	c.loop = loop_new();
	c.transport = g && c.loop ? transport_new(g, 0, c.loop, &transport_limits_default, &tp_ops, &c) : NULL;
	c.tx = c.transport ? tx_layer_new(loop_wheel(c.loop), &tx_ops, &c, 0) : NULL;
	if (!c.tx || transport_listen(c.transport, proto, &a) < 0) {
		fputs("fake_core: cannot listen\n", stderr);
		return 1;
	}
	say("ready");
	return loop_run(c.loop);
}
