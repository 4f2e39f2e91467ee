/* tests/ue/ipsec.c - security agreement and associations, the phone's end, with ways to get it wrong.
 * RFC 3329 §2; TS 33.203 §7; TS 24.229 §5.1.1.2, §5.1.1.4, §5.1.1.5.1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/util/rand.h"
#include "tests/ue/ue.h"

#define FIRST_PORT 40000u
#define N_PORTS 9000u
#define OLD_MS 10000u			/* what the network still sends the old way */

static const char *const attacks[ATTACK_N] = {
	[ATTACK_NONE] = "none", [ATTACK_VERIFY_ALG] = "verify-alg", [ATTACK_VERIFY_EALG] = "verify-ealg",
	[ATTACK_VERIFY_SPI_C] = "verify-spi-c", [ATTACK_VERIFY_SPI_S] = "verify-spi-s", [ATTACK_VERIFY_PORT_C] = "verify-port-c",
	[ATTACK_VERIFY_PORT_S] = "verify-port-s", [ATTACK_VERIFY_Q] = "verify-q", [ATTACK_VERIFY_SHORT] = "verify-short",
	[ATTACK_VERIFY_MISSING] = "verify-missing", [ATTACK_CLIENT_SPI] = "client-spi", [ATTACK_CLIENT_PORT] = "client-port",
	[ATTACK_CLIENT_SHORT] = "client-short", [ATTACK_CLEAR_ANSWER] = "clear-answer", [ATTACK_CLEAR_REQUESTS] = "clear-requests",
	[ATTACK_CLEAR_PRACK] = "clear-prack", [ATTACK_WRONG_SPI] = "wrong-spi",
};

int attack_from_name(const char *name, enum ue_attack *ret)
{
	for (int i = 0; i < ATTACK_N; i++)
		if (!strcmp(name, attacks[i])) {
			*ret = (enum ue_attack)i;
			return 0;
		}
	return -EINVAL;
}

static bool is_set(const struct ipsec_set *s)
{
	return addr_is_set(&s->peer);
}

static void drop(struct ue *u, struct ipsec_set *s)
{
	if (is_set(s) && xfrm_set_del(u->sec.x, s) < 0)
		event_error(u, "the kernel keeps security associations");
	ipsec_wipe(s, sizeof(*s));
}

static void on_forget(struct timer *t)
{
	struct ue *u = container_of(t, struct ue, sec.forget);

	drop(u, &u->sec.old);
}

/* ---- sockets ---- */

const struct addr *ipsec_us(const struct ue *u)
{
	return addr_is_set(&u->sec.public) ? &u->sec.public : &u->local;
}

static int listen_on(struct ue *u, const struct addr *host, uint16_t port, bool server)
{
	struct addr a = *host;
	int rc;

	addr_set_port(&a, port);
	rc = transport_listen(u->transport, SIP_UDP, &a);
	if (rc == 0)
		rc = xfrm_guard_add(u->sec.x, &a);
	if (rc == 0)
		rc = server ? transport_listen(u->transport, SIP_TCP, &a) : transport_listen_source(u->transport, &a);
	return rc;
}

int ipsec_listen(struct ue *u, const struct addr *host)
{
	int rc = listen_on(u, host, u->sec.port_s, true);

	for (unsigned i = 0; rc == 0 && i < UE_PORTS; i++)
		rc = listen_on(u, host, u->sec.port_c[i], false);
	return rc;
}

static uint16_t some_port(void)
{
	return (uint16_t)(FIRST_PORT + rand_below(N_PORTS));
}

int ipsec_open(struct ue *u)
{
	struct ue_ipsec *s = &u->sec;
	int rc = -EADDRINUSE;

	timer_init(&s->forget, on_forget);
	nat_init(u);
	if (!u->o.ipsec)
		return 0;
	rc = xfrm_open(&s->x);
	if (rc < 0)
		return rc;
	do {
		s->port_s = some_port();
		rc = listen_on(u, &u->local, s->port_s, true);
	} while (rc == -EADDRINUSE);
	for (unsigned i = 0; rc == 0 && i < UE_PORTS; i++)
		do {
			s->port_c[i] = some_port();
			rc = listen_on(u, &u->local, s->port_c[i], false);
		} while (rc == -EADDRINUSE);
	return rc;
}

void ipsec_close(struct ue *u)
{
	if (!u->sec.x)
		return;
	timer_stop(&u->sec.forget);
	drop(u, &u->sec.pending);
	drop(u, &u->sec.live);
	drop(u, &u->sec.old);
	free(u->sec.verify);
	u->sec.verify = NULL;
}

static void unguard(struct ue *u, const struct addr *host)
{
	struct addr a = *host;

	for (unsigned i = 0; i <= UE_PORTS; i++) {
		addr_set_port(&a, i < UE_PORTS ? u->sec.port_c[i] : u->sec.port_s);
		(void)xfrm_guard_del(u->sec.x, &a);
	}
}

void ipsec_unguard(struct ue *u)
{
	if (!u->sec.x)
		return;
	unguard(u, &u->local);
	if (addr_is_set(&u->sec.public))
		unguard(u, &u->sec.public);
	nat_close(u);
	xfrm_close(u->sec.x);
	u->sec.x = NULL;
}

/* ---- the way out: TS 33.203 §7.1 ---- */

static const struct ipsec_set *in_use(const struct ue *u)
{
	return is_set(&u->sec.pending) ? &u->sec.pending : is_set(&u->sec.live) ? &u->sec.live : NULL;
}

/* Requests leave by the newest associations, or in clear when there are none. */
static void set_flow(struct ue *u)
{
	const struct ipsec_set *s = in_use(u);

	u->flow = net_flow(u);
	if (!s)
		return;
	addr_set_port(&u->flow.remote, s->theirs.port_s);
	u->flow.local = s->us;
	addr_set_port(&u->flow.local, s->mine.port_c);
}

bool ipsec_protected(const struct ue *u)
{
	return in_use(u) && addr_port(&u->flow.local) != addr_port(&u->local);
}

static const struct ipsec_set *set_of(const struct ue *u, const struct sip_flow *f)
{
	const struct ipsec_set *all[] = { &u->sec.pending, &u->sec.live, &u->sec.old };

	for (size_t i = 0; i < 3; i++)
		if (is_set(all[i]) && addr_port(&f->remote) == all[i]->theirs.port_c)
			return all[i];
	return NULL;
}

/* Answers over UDP: from our client port to the network's server port. */
void ipsec_response_flow(void *arg, const struct sip_msg *req, struct sip_flow *to)
{
	const struct ue *u = arg;
	const struct ipsec_set *s = u->sec.x && req->flow.proto == SIP_UDP ? set_of(u, &req->flow) : NULL;

	if (!s || addr_port(&req->flow.local) != u->sec.port_s)
		return;
	addr_set_port(&to->remote, s->theirs.port_s);
	addr_set_port(&to->local, s->mine.port_c);
}

/* --attack clear-requests: what is not REGISTER leaves the unprotected way; clear-prack: PRACK alone. */
struct sip_flow ipsec_flow_for(const struct ue *u, enum sip_method method)
{
	struct sip_flow f = u->flow;

	if ((u->o.attack == ATTACK_CLEAR_REQUESTS && method != SIP_REGISTER) || (u->o.attack == ATTACK_CLEAR_PRACK && method == SIP_PRACK)) {
		f.remote = u->o.pcscf;
		f.local = u->local;
	}
	return f;
}

/* ---- agreement ---- */

static void new_offer(struct ue *u)
{
	struct ue_ipsec *s = &u->sec;
	uint32_t spi = 0x10000 + rand_below(0x7fff0000) * 2;
	uint16_t port_c = s->port_c[s->turn++ % UE_PORTS];

	s->n_offer = u->o.n_pairs * (u->o.nat ? 2 : 1);
	for (unsigned i = 0; i < s->n_offer; i++)
		s->offer[i] = (struct sec_agree){ .alg = u->o.pair[i % u->o.n_pairs].alg, .ealg = u->o.pair[i % u->o.n_pairs].ealg,
						  .mod = i < u->o.n_pairs ? SEC_MOD_TRANS : SEC_MOD_UDP_ENC_TUN, .spi_c = spi, .spi_s = spi + 1,
						  .port_c = port_c, .port_s = s->port_s, .q = SECAGREE_Q_ONE };
	s->offered = true;
}

static void put_client(struct ue *u, struct buf *b)
{
	bool second = u->reg.challenges > 0;
	unsigned n = u->sec.n_offer;

	if (second && u->o.attack == ATTACK_CLIENT_SHORT && n > 1)
		n--;
	buf_puts(b, "Security-Client: ");
	for (unsigned i = 0; i < n; i++) {
		struct sec_agree one = u->sec.offer[i];

		one.spi_c += second && u->o.attack == ATTACK_CLIENT_SPI ? 2 : 0;
		one.port_c = (uint16_t)(one.port_c + (second && u->o.attack == ATTACK_CLIENT_PORT));
		buf_puts(b, i ? ", " : "");
		secagree_put(b, &one, false);
	}
	buf_puts(b, "\r\n");
}

static void spoil(enum ue_attack a, struct sec_agree *e)
{
	e->alg = a == ATTACK_VERIFY_ALG ? SEC_ALG_HMAC_MD5_96 : e->alg;
	e->ealg = a == ATTACK_VERIFY_EALG ? SEC_EALG_NULL : e->ealg;
	e->spi_c += a == ATTACK_VERIFY_SPI_C ? 2 : 0;
	e->spi_s += a == ATTACK_VERIFY_SPI_S ? 2 : 0;
	e->port_c = (uint16_t)(e->port_c + (a == ATTACK_VERIFY_PORT_C));
	e->port_s = (uint16_t)(e->port_s + (a == ATTACK_VERIFY_PORT_S));
	e->q = (uint16_t)(e->q - (a == ATTACK_VERIFY_Q ? 50 : 0));
}

static void put_verify(struct ue *u, struct buf *b)
{
	enum ue_attack a = u->o.attack;

	if (a == ATTACK_VERIFY_MISSING)
		return;
	if (a < ATTACK_VERIFY_ALG || a > ATTACK_VERIFY_SHORT) {
		buf_printf(b, "Security-Verify: %s\r\n", u->sec.verify);
		return;
	}
	buf_puts(b, "Security-Verify: ");
	for (unsigned i = 0; i < u->sec.server.n - (a == ATTACK_VERIFY_SHORT); i++) {
		struct sec_agree one = u->sec.server.entry[i];

		spoil(a, &one);
		buf_puts(b, i ? ", " : "");
		secagree_put(b, &one, true);
	}
	buf_puts(b, "\r\n");
}

void ipsec_put(struct ue *u, struct buf *b, bool is_register)
{
	if (!u->sec.x)
		return;
	if (is_register && !u->sec.offered)
		new_offer(u);
	if (is_register)
		put_client(u, b);
	if (in_use(u) && u->sec.verify)
		put_verify(u, b);
	buf_puts(b, "Require: sec-agree\r\nProxy-Require: sec-agree\r\n");
}

/* RFC 3329 §2.3.1: the highest q among what we offered. */
static const struct sec_agree *choose(const struct ue_ipsec *s, const struct sec_agree **ret_mine)
{
	const struct sec_agree *best = NULL;

	for (unsigned i = 0; i < s->server.n; i++)
		for (unsigned k = 0; k < s->n_offer; k++)
			if (s->server.entry[i].alg == s->offer[k].alg && s->server.entry[i].ealg == s->offer[k].ealg &&
			    s->server.entry[i].mod == s->offer[k].mod &&
			    (!best || s->server.entry[i].q > best->q)) {
				best = &s->server.entry[i];
				*ret_mine = &s->offer[k];
			}
	return best;
}

static int take_server(struct ue_ipsec *s, const struct sip_msg *m)
{
	struct sip_values it = sip_values(m, SIP_H_SECURITY_SERVER);
	struct str v;
	struct buf b;

	secagree_read(m, SIP_H_SECURITY_SERVER, &s->server);
	buf_init(&b, 8192);
	while (sip_values_next(&it, &v)) {
		buf_puts(&b, b.l ? ", " : "");
		buf_put(&b, v);
	}
	free(s->verify);
	s->verify = b.failed ? NULL : str_dup(buf_str(&b));
	buf_fini(&b);
	return s->verify ? 0 : -ENOMEM;
}

static void tell(struct ue *u, const struct ipsec_set *s)
{
	cJSON *e = event_new("secured");

	event_str(e, "alg", str_from_c(sec_alg_name(s->alg)));
	event_str(e, "ealg", str_from_c(sec_ealg_name(s->ealg)));
	event_str(e, "mode", str_from_c(sec_mod_name(s->encap_us ? SEC_MOD_UDP_ENC_TUN : SEC_MOD_TRANS)));
	event_num(e, "portC", s->mine.port_c);
	event_num(e, "portS", s->mine.port_s);
	event_num(e, "networkPortC", s->theirs.port_c);
	event_num(e, "networkPortS", s->theirs.port_s);
	event_put(u, e, false);
}

int ipsec_challenge(struct ue *u, const struct sip_msg *m)
{
	struct ue_ipsec *s = &u->sec;
	const struct sec_agree *mine = NULL, *theirs;
	struct ipsec_set k = { .us = u->local, .peer = u->o.pcscf };
	int rc;

	if (!s->x || !sip_msg_hdr(m, SIP_H_SECURITY_SERVER))
		return 0;
	rc = take_server(s, m);
	theirs = rc == 0 ? choose(s, &mine) : NULL;
	if (!theirs)
		return -ENOTSUP;
	if (theirs->mod == SEC_MOD_UDP_ENC_TUN) {
		rc = nat_learn(u, m);
		if (rc < 0)
			return rc;
		nat_fill(u, &k);
	}
	k.alg = theirs->alg;
	k.ealg = theirs->ealg;
	k.mine = (struct ipsec_end){ mine->spi_c, mine->spi_s, mine->port_c, mine->port_s };
	k.theirs = (struct ipsec_end){ theirs->spi_c, theirs->spi_s, theirs->port_c, theirs->port_s };
	if (u->o.attack == ATTACK_WRONG_SPI)
		k.theirs.spi_s += 4;
	k.reqid = mine->spi_c;
	memcpy(k.ck, s->ck, 16);
	memcpy(k.ik, s->ik, 16);
	drop(u, &s->pending);
	drop(u, &s->old);		/* the network may have given its ports to the new one */
	rc = xfrm_set_add(s->x, &k);
	if (rc < 0) {
		event_error(u, "the kernel takes no security associations: %s", strerror(-rc));
	} else {
		tell(u, &k);
		if (u->o.attack != ATTACK_CLEAR_ANSWER)
			s->pending = k;
		else
			(void)xfrm_set_del(s->x, &k);
	}
	ipsec_wipe(&k, sizeof(k));
	set_flow(u);
	return rc;
}

/* ---- outcomes ---- */

void ipsec_registered(struct ue *u)
{
	struct ue_ipsec *s = &u->sec;

	if (!s->x)
		return;
	s->offered = false;
	if (is_set(&s->pending)) {
		drop(u, &s->old);
		s->old = s->live;
		s->live = s->pending;
		ipsec_wipe(&s->pending, sizeof(s->pending));
		timer_start(loop_wheel(u->loop), &s->forget, OLD_MS);
	}
	set_flow(u);
}

/* over: no binding is left. */
void ipsec_failed(struct ue *u, bool over)
{
	struct ue_ipsec *s = &u->sec;

	if (!s->x)
		return;
	s->offered = false;
	drop(u, &s->pending);
	if (over) {
		drop(u, &s->live);
		drop(u, &s->old);
	}
	set_flow(u);
}
