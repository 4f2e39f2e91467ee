/* pcscf/ports.c - which of the four protected ports a message uses: all of it is here.  TS 33.203 §7.1; row P13.
 *
 *	port-uc -> port-ps	the phone's requests; its answers over UDP
 *	port-ps -> port-uc	our answers on the TCP connection that the phone opened
 *	port-pc -> port-us	our requests; our answers over UDP; connections that we open
 *	port-us -> port-pc	its answers on those
 *
 * Via and Record-Route of ours name port-ps, whatever port a message leaves from. */
#include "pcscf/security.h"

static bool within(uint16_t first, uint16_t n, uint16_t port)
{
	return port >= first && port < first + n;
}

bool ports_client(const struct security_config *c, const struct addr *local)
{
	return c->on && within(c->port_c, c->n_ports, addr_port(local));
}

bool ports_protected(const struct security_config *c, const struct addr *local)
{
	return ports_client(c, local) || (c->on && within(c->port_s, c->n_ports, addr_port(local)));
}

void ports_to_phone(const struct sa_set *s, enum sip_proto proto, struct sip_flow *ret)
{
	*ret = (struct sip_flow){ .remote = s->k.peer, .local = s->k.us, .proto = proto };
	addr_set_port(&ret->remote, s->k.theirs.port_s);
	addr_set_port(&ret->local, s->k.mine.port_c);
}

/* A stream: the connection it came on while that is there, else one that we open.  A datagram: back to the phone's client port
 * from our server port when it asked for that (rport), else to its server port from our client port. */
void ports_response(const struct sa_set *s, const struct sip_flow *came, struct sip_flow *to)
{
	if (to->proto == SIP_UDP && addr_port(&to->remote) == s->k.theirs.port_c && addr_port(&came->local) == s->k.mine.port_s)
		return;
	addr_set_port(&to->remote, s->k.theirs.port_s);
	addr_set_port(&to->local, s->k.mine.port_c);
}
