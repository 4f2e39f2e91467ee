/* tests/ue/nat.c - the phone behind a NAT: ESP within UDP, in tunnel mode.  TS 33.203 annex M, TS 24.229 §F.2.1; RFC 3948.
 *
 * Inside the tunnel the phone has the NAT's public address, which `received` of the 401 tells.  It is put on the loopback, so that the kernel
 * takes what comes for it and lets sockets have it; outside it is our own address and port 4500. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <unistd.h>
#include "tests/ue/ue.h"

#define NAT_PORT 4500u			/* RFC 3948 §2.1 */
#define KEEP_MS 20000u			/* RFC 3948 §4: default of the keep-alive interval */

static void on_keep(struct timer *t)
{
	struct ue *u = container_of(t, struct ue, sec.keep);
	struct addr to = u->o.pcscf;
	static const uint8_t alive = 0xff;	/* RFC 3948 §2.3 */

	addr_set_port(&to, NAT_PORT);
	(void)sendto(u->sec.encap, &alive, 1, MSG_DONTWAIT | MSG_NOSIGNAL, &to.sa, addr_len(&to));
	timer_start(loop_wheel(u->loop), t, KEEP_MS);
}

void nat_init(struct ue *u)
{
	u->sec.encap = -1;
	timer_init(&u->sec.keep, on_keep);
}

/* On the loopback, with a host's mask. */
static int address(const struct addr *a, uint16_t type)
{
	char buf[512];
	struct nlmsghdr *n = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *i = mnl_nlmsg_put_extra_header(n, sizeof(*i));
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	const void *ip = a->sa.sa_family == AF_INET6 ? (const void *)&a->in6.sin6_addr : &a->in4.sin_addr;
	size_t l = a->sa.sa_family == AF_INET6 ? 16 : 4;
	ssize_t got;
	int rc = 0;

	if (!nl)
		return -errno;
	n->nlmsg_type = type;
	n->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	i->ifa_family = (uint8_t)a->sa.sa_family;
	i->ifa_prefixlen = (uint8_t)(l * 8);
	i->ifa_flags = IFA_F_PERMANENT;
	i->ifa_index = if_nametoindex("lo");
	mnl_attr_put(n, IFA_LOCAL, l, ip);
	mnl_attr_put(n, IFA_ADDRESS, l, ip);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, n, n->nlmsg_len) < 0)
		rc = -errno;
	got = rc == 0 ? mnl_socket_recvfrom(nl, buf, sizeof(buf)) : 0;
	if (rc == 0 && (got < 0 || mnl_cb_run(buf, (size_t)got, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0))
		rc = -errno;
	mnl_socket_close(nl);
	return rc;
}

int nat_learn(struct ue *u, const struct sip_msg *m)
{
	struct ue_ipsec *s = &u->sec;
	struct addr at = u->local;
	int rc;

	if (addr_is_set(&s->public))		/* an address that has become another means a registration anew: restart us */
		return 0;
	rc = addr_parse(m->via.received, 0, &s->public);
	if (rc == 0)
		rc = address(&s->public, RTM_NEWADDR);
	if (rc < 0) {
		s->public = (struct addr){ .sa = { .sa_family = AF_UNSPEC } };
		return rc;
	}
	addr_set_port(&at, NAT_PORT);
	s->encap = xfrm_encap_socket(&at);
	rc = s->encap < 0 ? s->encap : ipsec_listen(u, &s->public);
	if (rc == 0) {
		contact_make(u);		/* TS 24.229 §F.2.1.2.2: the public address once it is protected */
		on_keep(&s->keep);
	}
	return rc;
}

void nat_fill(const struct ue *u, struct ipsec_set *s)
{
	s->us = u->sec.public;
	s->outer = u->local;
	s->encap_us = s->encap_peer = NAT_PORT;
}

void nat_close(struct ue *u)
{
	timer_stop(&u->sec.keep);
	if (addr_is_set(&u->sec.public))
		(void)address(&u->sec.public, RTM_DELADDR);
	if (u->sec.encap >= 0)
		close(u->sec.encap);
	u->sec.encap = -1;
}
