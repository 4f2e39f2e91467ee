/* common/ipsec/xfrm.c - security associations and policies in the kernel, by netlink.  TS 33.203 §7.1; rows X3, F20.
 *
 * Each request asks for an acknowledgement and waits for it.  What is made bears a reqid of ours, and only that is ever
 * listed or deleted: others may use IPsec on the same machine. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <time.h>
#include "common/ipsec/private.h"

#define ANSWER_WAIT_S 5			/* the kernel loads modules on the first use of an algorithm */
#define SET_PRIORITY 1000u		/* of policies; lower goes first */
#define GUARD_PRIORITY 0x7ffffffu
#define REPLAY_WINDOW 64u
#define EVENT_MAPPING (1u << (XFRMNLGRP_MAPPING - 1))

void xfrm_halves(const struct ipsec_set *s, struct half h[4])
{
	const struct { bool in; bool our_server; uint32_t spi; } rows[4] = {
		{ true, true, s->mine.spi_s }, { false, true, s->theirs.spi_c },
		{ false, false, s->theirs.spi_s }, { true, false, s->mine.spi_c },
	};

	const struct addr *outer = addr_is_set(&s->outer) ? &s->outer : &s->us;

	for (int i = 0; i < 4; i++) {
		struct addr us = s->us, peer = s->peer;
		bool in = rows[i].in;

		addr_set_port(&us, rows[i].our_server ? s->mine.port_s : s->mine.port_c);
		addr_set_port(&peer, rows[i].our_server ? s->theirs.port_c : s->theirs.port_s);
		h[i] = (struct half){
			.src = in ? peer : us, .dst = in ? us : peer, .outer_src = in ? peer : *outer, .outer_dst = in ? *outer : peer,
			.encap_src = in ? s->encap_peer : s->encap_us, .encap_dst = in ? s->encap_us : s->encap_peer, .spi = rows[i].spi,
			.reqid = s->reqid + !rows[i].our_server, .in = in, .seq = in ? 0 : s->out_seq, .tunnel = s->encap_us != 0,
		};
	}
}

/* ---- netlink ---- */

static int open_socket(struct mnl_socket **ret, unsigned groups)
{
	struct timeval t = { .tv_sec = ANSWER_WAIT_S };
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0) {
		int rc = -errno;

		mnl_socket_close(nl);
		return rc;
	}
	*ret = nl;
	return 0;
}

int xfrm_open(struct xfrm **ret)
{
	struct xfrm *x = calloc(1, sizeof(*x));
	int rc = x ? open_socket(&x->nl, 0) : -ENOMEM;

	if (rc == 0)
		rc = open_socket(&x->events, XFRMGRP_EXPIRE | EVENT_MAPPING);
	if (rc < 0) {
		xfrm_close(x);
		return rc;
	}
	x->port = mnl_socket_get_portid(x->nl);
	x->seq = (unsigned)time(NULL);
	*ret = x;
	return 0;
}

void xfrm_close(struct xfrm *x)
{
	if (!x)
		return;
	if (x->nl)
		mnl_socket_close(x->nl);
	if (x->events)
		mnl_socket_close(x->events);
	free(x);
}

int xfrm_events_fd(struct xfrm *x)
{
	return mnl_socket_get_fd(x->events);
}

/* Sends and takes answers to it until the last one.  cb: of a dump's parts. */
int xfrm_ask(struct xfrm *x, struct nlmsghdr *n, mnl_cb_t cb, void *arg)
{
	char buf[16384];
	int rc = MNL_CB_OK;

	n->nlmsg_seq = ++x->seq;
	if (mnl_socket_sendto(x->nl, n, n->nlmsg_len) < 0)
		return -errno;
	while (rc > MNL_CB_STOP) {
		ssize_t l = mnl_socket_recvfrom(x->nl, buf, sizeof(buf));

		if (l < 0 && errno == EINTR)
			continue;
		if (l < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		rc = mnl_cb_run(buf, (size_t)l, n->nlmsg_seq, x->port, cb, arg);
		if (rc < 0 && errno == ESRCH && ((struct nlmsghdr *)(void *)buf)->nlmsg_seq != n->nlmsg_seq)
			rc = MNL_CB_OK;		/* the late answer to an earlier question */
	}
	return rc < 0 ? -errno : 0;
}

struct nlmsghdr *xfrm_begin(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *n = mnl_nlmsg_put_header(buf);

	n->nlmsg_type = type;
	n->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return n;
}

/* ---- pieces ---- */

uint16_t xfrm_family(const struct addr *a)
{
	return a->sa.sa_family;
}

void xfrm_put_address(const struct addr *a, xfrm_address_t *ret)
{
	if (xfrm_family(a) == AF_INET6)
		memcpy(ret->a6, &a->in6.sin6_addr, 16);
	else
		ret->a4 = a->in4.sin_addr.s_addr;
}

/* Every protocol on these ports: UDP and TCP may be mixed within one set. */
void xfrm_put_selector(const struct half *h, struct xfrm_selector *s)
{
	uint8_t bits = xfrm_family(&h->src) == AF_INET6 ? 128 : 32;

	s->family = xfrm_family(&h->src);
	xfrm_put_address(&h->src, &s->saddr);
	xfrm_put_address(&h->dst, &s->daddr);
	s->prefixlen_s = s->prefixlen_d = bits;
	s->sport = htons(addr_port(&h->src));
	s->dport = htons(addr_port(&h->dst));
	s->sport_mask = s->dport_mask = 0xffff;
}

static void no_limits(struct xfrm_lifetime_cfg *l)
{
	l->soft_byte_limit = l->hard_byte_limit = l->soft_packet_limit = l->hard_packet_limit = XFRM_INF;
}

static void put_algorithms(struct nlmsghdr *n, const struct ipsec_algorithm *a)
{
	union {
		struct xfrm_algo crypt;
		struct xfrm_algo_auth auth;
		struct xfrm_algo_aead aead;
		char room[128];
	} u;

	if (a->aead) {
		memset(&u, 0, sizeof(u));
		snprintf(u.aead.alg_name, sizeof(u.aead.alg_name), "%s", a->aead);
		u.aead.alg_key_len = a->aead_bits;
		u.aead.alg_icv_len = a->icv_bits;
		memcpy(u.room + sizeof(u.aead), a->aead_key, a->aead_bits / 8);
		mnl_attr_put(n, XFRMA_ALG_AEAD, sizeof(u.aead) + a->aead_bits / 8, &u);
	}
	if (a->auth) {
		memset(&u, 0, sizeof(u));
		snprintf(u.auth.alg_name, sizeof(u.auth.alg_name), "%s", a->auth);
		u.auth.alg_key_len = a->auth_bits;
		u.auth.alg_trunc_len = a->icv_bits;
		memcpy(u.room + sizeof(u.auth), a->auth_key, a->auth_bits / 8);
		mnl_attr_put(n, XFRMA_ALG_AUTH_TRUNC, sizeof(u.auth) + a->auth_bits / 8, &u);
	}
	if (a->crypt) {
		memset(&u, 0, sizeof(u));
		snprintf(u.crypt.alg_name, sizeof(u.crypt.alg_name), "%s", a->crypt);
		u.crypt.alg_key_len = a->crypt_bits;
		memcpy(u.room + sizeof(u.crypt), a->crypt_key, a->crypt_bits / 8);
		mnl_attr_put(n, XFRMA_ALG_CRYPT, sizeof(u.crypt) + a->crypt_bits / 8, &u);
	}
	ipsec_wipe(&u, sizeof(u));
}

/* ---- one association, one policy ---- */

static int sa_put(struct xfrm *x, uint16_t type, const struct half *h, const struct ipsec_algorithm *a, uint32_t lifetime_s)
{
	char buf[NL_BYTES];
	struct nlmsghdr *n = xfrm_begin(buf, type, NLM_F_ACK | (type == XFRM_MSG_NEWSA ? NLM_F_CREATE | NLM_F_EXCL : 0));
	struct xfrm_usersa_info *s = mnl_nlmsg_put_extra_header(n, sizeof(*s));
	struct xfrm_replay_state replay = { .oseq = h->seq };
	struct xfrm_encap_tmpl encap = { .encap_type = UDP_ENCAP_ESPINUDP, .encap_sport = htons(h->encap_src),
					 .encap_dport = htons(h->encap_dst) };
	int rc;

	xfrm_put_selector(h, &s->sel);
	xfrm_put_address(&h->outer_src, &s->saddr);
	xfrm_put_address(&h->outer_dst, &s->id.daddr);
	s->id.spi = htonl(h->spi);
	s->id.proto = IPPROTO_ESP;
	s->family = xfrm_family(&h->src);
	s->reqid = h->reqid;
	s->mode = h->tunnel ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	s->replay_window = h->in ? REPLAY_WINDOW : 0;
	no_limits(&s->lft);
	s->lft.hard_add_expires_seconds = lifetime_s;
	put_algorithms(n, a);
	if (h->seq)
		mnl_attr_put(n, XFRMA_REPLAY_VAL, sizeof(replay), &replay);
	if (h->tunnel)
		mnl_attr_put(n, XFRMA_ENCAP, sizeof(encap), &encap);
	rc = xfrm_ask(x, n, NULL, NULL);
	ipsec_wipe(buf, sizeof(buf));
	return rc;
}

int xfrm_sa_del(struct xfrm *x, const xfrm_address_t *dst, uint32_t spi_be, uint16_t fam)
{
	char buf[NL_BYTES];
	struct nlmsghdr *n = xfrm_begin(buf, XFRM_MSG_DELSA, NLM_F_ACK);
	struct xfrm_usersa_id *id = mnl_nlmsg_put_extra_header(n, sizeof(*id));

	id->daddr = *dst;
	id->spi = spi_be;
	id->family = fam;
	id->proto = IPPROTO_ESP;
	return xfrm_ask(x, n, NULL, NULL);
}

static int half_sa_del(struct xfrm *x, const struct half *h)
{
	xfrm_address_t dst = { .a4 = 0 };

	xfrm_put_address(&h->outer_dst, &dst);
	return xfrm_sa_del(x, &dst, htonl(h->spi), xfrm_family(&h->dst));
}

static int policy_put(struct xfrm *x, const struct half *h)
{
	char buf[NL_BYTES];
	struct nlmsghdr *n = xfrm_begin(buf, XFRM_MSG_NEWPOLICY, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct xfrm_userpolicy_info *p = mnl_nlmsg_put_extra_header(n, sizeof(*p));
	struct xfrm_user_tmpl t = {
		.id = { .proto = IPPROTO_ESP }, .family = xfrm_family(&h->src), .reqid = h->reqid,
		.mode = h->tunnel ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT, .aalgos = ~0u, .ealgos = ~0u, .calgos = ~0u,
	};

	if (h->tunnel) {
		xfrm_put_address(&h->outer_src, &t.saddr);
		xfrm_put_address(&h->outer_dst, &t.id.daddr);
	}
	xfrm_put_selector(h, &p->sel);
	no_limits(&p->lft);
	p->priority = SET_PRIORITY;
	p->dir = h->in ? XFRM_POLICY_IN : XFRM_POLICY_OUT;
	p->action = XFRM_POLICY_ALLOW;
	mnl_attr_put(n, XFRMA_TMPL, sizeof(t), &t);
	return xfrm_ask(x, n, NULL, NULL);
}

int xfrm_policy_del(struct xfrm *x, const struct xfrm_selector *sel, uint8_t dir)
{
	char buf[NL_BYTES];
	struct nlmsghdr *n = xfrm_begin(buf, XFRM_MSG_DELPOLICY, NLM_F_ACK);
	struct xfrm_userpolicy_id *id = mnl_nlmsg_put_extra_header(n, sizeof(*id));

	id->sel = *sel;
	id->dir = dir;
	return xfrm_ask(x, n, NULL, NULL);
}

static int half_policy_del(struct xfrm *x, const struct half *h)
{
	struct xfrm_selector sel = { .family = 0 };

	xfrm_put_selector(h, &sel);
	return xfrm_policy_del(x, &sel, h->in ? XFRM_POLICY_IN : XFRM_POLICY_OUT);
}

/* ---- a set ---- */

int xfrm_set_add(struct xfrm *x, const struct ipsec_set *s)
{
	struct ipsec_algorithm a;
	struct half h[4];
	int rc = ipsec_keys(s, &a), sas = 0, policies = 0;

	xfrm_halves(s, h);
	while (rc == 0 && sas < 4) {
		rc = sa_put(x, XFRM_MSG_NEWSA, &h[sas], &a, s->lifetime_s);
		sas += rc == 0;
	}
	/* Out before in: nothing that comes is taken before all associations are there. */
	while (rc == 0 && policies < 4) {
		rc = policy_put(x, &h[policies]);
		policies += rc == 0;
	}
	ipsec_wipe(&a, sizeof(a));
	if (rc == 0)
		return 0;
	while (policies)
		(void)half_policy_del(x, &h[--policies]);
	while (sas)
		(void)half_sa_del(x, &h[--sas]);
	return rc;
}

int xfrm_set_update(struct xfrm *x, const struct ipsec_set *s)
{
	struct ipsec_algorithm a;
	struct half h[4];
	int rc = ipsec_keys(s, &a);

	xfrm_halves(s, h);
	for (int i = 0; rc == 0 && i < 4; i++)
		rc = sa_put(x, XFRM_MSG_UPDSA, &h[i], &a, s->lifetime_s);
	ipsec_wipe(&a, sizeof(a));
	return rc;
}

int xfrm_set_del(struct xfrm *x, const struct ipsec_set *s)
{
	struct half h[4];
	int rc = 0, one;

	xfrm_halves(s, h);
	for (int i = 0; i < 4; i++) {
		one = half_policy_del(x, &h[i]);
		if (one < 0 && one != -ENOENT && rc == 0)
			rc = one;
	}
	for (int i = 0; i < 4; i++) {
		one = half_sa_del(x, &h[i]);
		if (one < 0 && one != -ESRCH && rc == 0)
			rc = one;
	}
	return rc;
}

/* ---- guards ---- */

static void guard_selector(const struct addr *us, bool in, struct xfrm_selector *s)
{
	uint8_t bits = xfrm_family(us) == AF_INET6 ? 128 : 32;

	memset(s, 0, sizeof(*s));
	s->family = xfrm_family(us);
	xfrm_put_address(us, in ? &s->daddr : &s->saddr);
	*(in ? &s->prefixlen_d : &s->prefixlen_s) = bits;
	*(in ? &s->dport : &s->sport) = htons(addr_port(us));
	*(in ? &s->dport_mask : &s->sport_mask) = 0xffff;
}

static int guard_put(struct xfrm *x, const struct addr *us, bool in)
{
	char buf[NL_BYTES];
	struct nlmsghdr *n = xfrm_begin(buf, XFRM_MSG_NEWPOLICY, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct xfrm_userpolicy_info *p = mnl_nlmsg_put_extra_header(n, sizeof(*p));
	int rc;

	guard_selector(us, in, &p->sel);
	no_limits(&p->lft);
	p->priority = GUARD_PRIORITY;
	p->dir = in ? XFRM_POLICY_IN : XFRM_POLICY_OUT;
	p->action = XFRM_POLICY_BLOCK;
	rc = xfrm_ask(x, n, NULL, NULL);
	return rc == -EEXIST ? 0 : rc;		/* of a process of ours that was killed */
}

int xfrm_guard_add(struct xfrm *x, const struct addr *us)
{
	int rc = guard_put(x, us, true);

	return rc < 0 ? rc : guard_put(x, us, false);
}

int xfrm_guard_del(struct xfrm *x, const struct addr *us)
{
	struct xfrm_selector sel;
	int rc, other;

	guard_selector(us, true, &sel);
	rc = xfrm_policy_del(x, &sel, XFRM_POLICY_IN);
	guard_selector(us, false, &sel);
	other = xfrm_policy_del(x, &sel, XFRM_POLICY_OUT);
	return rc < 0 ? rc : other;
}

/* ---- events ---- */

bool xfrm_same_address(const xfrm_address_t *a, const xfrm_address_t *b, uint16_t fam)
{
	return memcmp(a, b, fam == AF_INET6 ? 16 : 4) == 0;
}

/* false: not for us. */
static bool read_expire(const struct nlmsghdr *n, uint32_t *ret_reqid, struct ipsec_event *ret)
{
	const struct xfrm_user_expire *e = mnl_nlmsg_get_payload(n);

	if (mnl_nlmsg_get_payload_len(n) < sizeof(*e) || !e->hard)
		return false;
	*ret_reqid = e->state.reqid;
	*ret = (struct ipsec_event){ .spi = ntohl(e->state.id.spi) };
	return true;
}

/* Only a new port: who comes from another address has to register anew (TS 33.203 annex M). */
static bool read_mapping(const struct nlmsghdr *n, uint32_t *ret_reqid, struct ipsec_event *ret)
{
	const struct xfrm_user_mapping *m = mnl_nlmsg_get_payload(n);

	if (mnl_nlmsg_get_payload_len(n) < sizeof(*m) || !xfrm_same_address(&m->old_saddr, &m->new_saddr, m->id.family))
		return false;
	*ret_reqid = m->reqid;
	*ret = (struct ipsec_event){ .spi = ntohl(m->id.spi), .encap_peer = ntohs(m->new_sport) };
	return ret->encap_peer != 0;
}

int xfrm_event(struct xfrm *x, uint32_t first, uint32_t last, struct ipsec_event *ret)
{
	char buf[NL_BYTES];
	const struct nlmsghdr *n = (const struct nlmsghdr *)(const void *)buf;
	uint32_t reqid;
	ssize_t l;

	for (;;) {
		l = recv(mnl_socket_get_fd(x->events), buf, sizeof(buf), MSG_DONTWAIT);
		if (l < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;	/* ENOBUFS: some were lost, timers of ours still run */
		if (!mnl_nlmsg_ok(n, (int)l) ||
		    !(n->nlmsg_type == XFRM_MSG_EXPIRE ? read_expire(n, &reqid, ret) :
		      n->nlmsg_type == XFRM_MSG_MAPPING && read_mapping(n, &reqid, ret)))
			continue;
		if (reqid >= first && reqid <= last)
			return 1;
	}
}

/* ---- ESP within UDP ---- */

int xfrm_encap_socket(const struct addr *us)
{
	int type = UDP_ENCAP_ESPINUDP, small = 1, fd = socket(xfrm_family(us), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;

	if (fd < 0)
		return -errno;
	/* What is not ESP (IKE of somebody who is lost) stays in its buffer, which is as small as can be. */
	if (setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &type, sizeof(type)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) < 0 || bind(fd, &us->sa, addr_len(us)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}
