/* pcscf/neighbour.c - which addresses are core nodes.  Everything else is the access side: unknown is untrusted.
 *
 * Known are: access.trusted; the targets of dns.next_hops; where a REGISTER or an initial request went (the home domain and
 * the Service-Route, never an address that a phone chose); and who sent a request with a Path token of ours.  That token is
 * told to the core only - it is taken out of the 200 to a phone - so who has it belongs to the core.
 * Learned entries are a UDP address with its port, or the address alone for streams, whose clients use any port.
 *
 * The same table knows the core's URIs by host and port, as they stand in Service-Route and in Record-Route values that came
 * from the core: where a phone may aim a request within a dialog. */
#include <stdio.h>
#include "common/log/log.h"
#include "pcscf/pcscf.h"

#define NEIGHBOURS_MAX 4096u

static struct str key_of(const struct sip_flow *f, char dst[SIP_FLOW_STRLEN])
{
	char host[ADDR_STRLEN];

	if (!sip_proto_is_reliable(f->proto))
		return str_from_c(sip_flow_fmt(f, dst));
	str_copy(str_from_c(addr_host(&f->remote, host)), dst, SIP_FLOW_STRLEN);
	return str_from_c(dst);
}

static bool known(const struct pcscf *p, struct str key)
{
	void *o = cmap_get(p->learned, key);

	obj_unref(o);
	return o != NULL;
}

bool pcscf_is_trusted(const struct pcscf *p, const struct sip_flow *from)
{
	char text[SIP_FLOW_STRLEN];

	for (unsigned i = 0; i < p->cfg.n_trusted; i++)
		if (addr_in_prefix(&from->remote, &p->cfg.trusted[i].a, p->cfg.trusted[i].bits))
			return true;
	return known(p, key_of(from, text));
}

static void nothing(struct obj *o)
{
	(void)o;
}

/* One for all entries: only the key counts. */
static struct obj present = { 1, nothing };

static void learn_one(struct pcscf *p, const struct sip_flow *f, const char *how)
{
	char text[SIP_FLOW_STRLEN];
	struct str key = key_of(f, text);

	if (known(p, key) || cmap_count(p->learned) >= NEIGHBOURS_MAX)
		return;
	if (cmap_put(p->learned, key, &present) == 0)
		log_info(LOG_SEC, "core neighbour", LOG_S("address", key), LOG_C("by", how));
}

/* A node that is reached by UDP may send by TCP as well: large requests do (RFC 3261 §18.1.1). */
static void learn_both(struct pcscf *p, const struct addr *a, const char *how)
{
	struct sip_flow f = { .remote = *a, .proto = SIP_UDP };

	learn_one(p, &f, how);
	f.proto = SIP_TCP;
	learn_one(p, &f, how);
}

void pcscf_learn(struct pcscf *p, const struct sip_flow *core)
{
	learn_both(p, &core->remote, "next hop");
}

void pcscf_learn_sender(struct pcscf *p, const struct sip_msg *m)
{
	struct addr a = m->flow.remote, listener;

	/* A stream's port says nothing; the Via tells the one it listens on. */
	if (sip_proto_is_reliable(m->flow.proto)) {
		addr_set_port(&a, 5060);
		if (addr_parse(m->via.host, m->via.port ? m->via.port : 5060, &listener) == 0 && addr_host_eq(&listener, &a))
			a = listener;
	}
	learn_both(p, &a, "path token");
}

/* ---- next hops as URIs ---- */

static struct str key_of_uri(const char *kind, const struct sip_uri *u, char *dst, size_t size)
{
	int n;

	if (u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS)
		return STR_NONE;
	n = snprintf(dst, size, "%s %.*s:%u", kind, STR_ARG(u->host), u->port);
	if (n < 0 || (size_t)n >= size)
		return STR_NONE;
	for (char *c = dst; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	return str_from_c(dst);
}

void pcscf_learn_hop_as(struct pcscf *p, const char *kind, struct str value)
{
	char text[300];
	struct sip_nameaddr na;
	struct str key;

	if (sip_nameaddr_parse(value, &na) < 0 || na.star)
		return;
	key = key_of_uri(kind, &na.uri, text, sizeof(text));
	if (key.l && !known(p, key) && cmap_count(p->learned) < NEIGHBOURS_MAX)
		cmap_put(p->learned, key, &present);
}

void pcscf_learn_hop(struct pcscf *p, struct str value)
{
	pcscf_learn_hop_as(p, "uri", value);
}

bool pcscf_knows_hop_as(const struct pcscf *p, const char *kind, const struct sip_uri *u)
{
	char text[300];
	struct str key = key_of_uri(kind, u, text, sizeof(text));

	return key.l && known(p, key);
}

bool pcscf_knows_hop(const struct pcscf *p, const struct sip_uri *u)
{
	struct sip_flow f = { .proto = SIP_UDP };

	if (u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS)
		return false;
	return pcscf_knows_hop_as(p, "uri", u) || (sip_uri_host_addr(u, &f.remote) == 0 && pcscf_is_trusted(p, &f));
}

void pcscf_learn_static(struct pcscf *p, const struct cfg *cfg)
{
	struct str name, target, proto, rest;

	for (size_t i = 0; cfg_map_at(cfg_root(cfg), "dns.next_hops", i, &name, &target); i++) {
		enum sip_proto ignored;
		struct addr a;

		if (str_cut(target, ':', &proto, &rest) && sip_proto_from_name(proto, &ignored) == 0)
			target = rest;
		if (addr_parse_hostport(target, 5060, &a) == 0)
			learn_both(p, &a, "dns.next_hops");
	}
}
