/* pcscf/agw_sdp.c - does a description need a media relay, and the body with another one in it: TS 24.229 §6.7.2; row P17.  Pure. */
#include "common/sip/body.h"
#include "common/sip/sdp.h"
#include "pcscf/agw.h"

#define SAME_PHONE_BITS 64u		/* an IPv6 phone has a /64: TS 23.401 §5.3.1.2.2 */

static bool same_host(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family == AF_INET6 && b->sa.sa_family == AF_INET6)
		return addr_in_prefix(a, b, SAME_PHONE_BITS);
	return addr_host_eq(a, b);
}

/* What it wrote is not where it is.  A name, or an address that holds the line, says nothing. */
static bool is_elsewhere(struct str host, const struct addr *from)
{
	struct addr a;

	return addr_parse(host, 0, &a) == 0 && !addr_is_any(&a) && a.sa.sa_family == from->sa.sa_family && !same_host(&a, from);
}

static const struct sdp_media *first_used(const struct sdp *s)
{
	for (unsigned i = 0; i < s->n_media; i++)
		if (s->media[i].port)
			return &s->media[i];
	return s->n_media ? &s->media[0] : NULL;
}

static int family_of(const struct sdp *s)
{
	const struct sdp_media *m = first_used(s);

	if (!m || !m->conn.l)
		return 0;
	return m->conn_ip6 ? AF_INET6 : AF_INET;
}

int agw_family(struct str text)
{
	struct sdp s;

	return sdp_parse(text, &s, NULL) < 0 ? 0 : family_of(&s);
}

static bool shows_nat(const struct sdp *s, const struct addr *from)
{
	for (unsigned i = 0; i < s->n_media; i++)
		if (s->media[i].port && is_elsewhere(s->media[i].conn, from))
			return true;
	return false;
}

/* Its contact does not say where its REGISTER came from. */
static bool registered_behind_nat(const struct binding *b)
{
	return addr_is_set(&b->contact_addr) && b->contact_addr.sa.sa_family == b->flow.remote.sa.sa_family &&
	       !same_host(&b->contact_addr, &b->flow.remote);
}

bool agw_wants(const struct agw_config *cfg, const struct binding *b, struct str text, bool from_phone, const struct addr *from, bool *ret_nat)
{
	struct sdp s;
	int family, other = from_phone ? cfg->core_family : b->flow.remote.sa.sa_family;
	bool nat;

	if (ret_nat)
		*ret_nat = false;
	if (cfg->mode == AGW_OFF || text.l > AGW_MAX_SDP_BYTES || sdp_parse(text, &s, NULL) < 0 || !s.n_media)
		return false;
	nat = from_phone ? shows_nat(&s, from) : registered_behind_nat(b);
	if (ret_nat)
		*ret_nat = nat && from_phone;
	family = family_of(&s);
	if (cfg->mode == AGW_ALWAYS || (family && other && family != other))
		return true;
	return cfg->mode == AGW_NAT && nat;
}

struct str agw_body(const struct sip_msg *m, struct str sdp)
{
	struct arena_text all;
	struct body_part part;
	size_t before;

	if (!m->body.l || !body_find(m, "application/sdp", &part))
		return STR_NONE;
	before = (size_t)(part.text.p - m->body.p);
	all = arena_text(m->arena);
	arena_text_put(&all, str_head(m->body, before));
	arena_text_put(&all, sdp);
	arena_text_put(&all, str_from(m->body, before + part.text.l));
	return all.failed ? STR_NONE : arena_text_str(&all);
}
