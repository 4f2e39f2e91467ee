/* pcscf/nat.c - phones behind a NAT: ESP within UDP.  TS 33.203 annex M, TS 24.229 §F.1, §F.2; RFC 3948; row P23.
 *
 * A phone that offers mod=UDP-enc-tun, and whose REGISTER in clear came from another address than its Via says, gets tunnel mode: inside go the
 * phone's public address and the protected ports, outside our UDP port and whatever port the NAT has made of the phone's.  So above the
 * kernel it is a phone like others at its public address. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "common/log/log.h"
#include "pcscf/pcscf.h"
#include "pcscf/registration.h"

/* TS 24.229 §F.1: a name as sent-by, or no address yet, says nothing. */
bool nat_between(const struct sip_msg *m)
{
	struct addr said;

	return addr_parse(m->via.host, 0, &said) == 0 && !addr_is_any(&said) && !addr_host_eq(&said, &m->flow.remote);
}

enum sec_mod nat_mod(const struct security_config *c, const struct sip_msg *m, const struct sa_set *via)
{
	bool nat = via ? via->k.encap_us != 0 : c->nat_port && nat_between(m);

	return nat ? SEC_MOD_UDP_ENC_TUN : SEC_MOD_TRANS;
}

/* Behind a NAT the Contact of the first REGISTER has the private address, of the protected one the public address (TS 24.229 §F.2.1.2.2);
 * other phones come back with another port.  Who has no instance keeps the key that the set was made under: it is the same phone, which
 * has one live set and at most one old one (TS 33.203 §7.4). */
void nat_keep_key(const struct sa_set *via, struct registration *what)
{
	struct str sos = STR(BINDING_KEY_SOS), instance;

	if (!via || !what->key.l || str_eq(via->key, what->key) || sip_nameaddr_param(&what->contact, "+sip.instance", &instance) ||
	    str_ends(via->key, sos) != str_ends(what->key, sos))
		return;
	what->key = via->key;
}

/* Without it phones behind a NAT are not offered it; that is no reason not to serve the others. */
int nat_open(struct pcscf *p, const struct addr *host)
{
	struct addr at = *host;
	char text[ADDR_STRLEN];
	int fd;

	if (!p->cfg.security.nat_port)
		return 0;
	addr_set_port(&at, p->cfg.security.nat_port);
	fd = p->n_nat_fds < STACK_HOSTS_MAX ? xfrm_encap_socket(&at) : -ENOSPC;
	if (fd < 0) {
		log_error(LOG_SEC, "access.ipsec.nat_port cannot be opened: no IPsec for phones behind a NAT", LOG_C("address", addr_fmt(&at, text)),
			  LOG_C("error", strerror(-fd)));
		p->cfg.security.nat_port = 0;
		return fd;
	}
	p->nat_fd[p->n_nat_fds++] = fd;
	return 0;
}

void nat_close(struct pcscf *p)
{
	while (p->n_nat_fds)
		close(p->nat_fd[--p->n_nat_fds]);
}
