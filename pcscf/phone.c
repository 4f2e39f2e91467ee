/* pcscf/phone.c - which registered phone sent a message.  TS 24.229 §5.2.6.3.2A; TS 33.203 §7.1; rows P6, P9, SEC-09.
 *
 * What came on protected ports is told by its security association.  Else by the flow: protocol, address, port and connection that the REGISTER
 * came on.  Softphones that send from other ports are found by address together with contact or identity, unless
 * access.match_by_address is off. */
#include "common/log/log.h"
#include "pcscf/pcscf.h"

static bool from_aor(const struct sip_msg *m, char *dst, size_t size, struct str *ret)
{
	return sip_uri_aor(&m->from.uri, dst, size, ret) == 0;
}

static struct binding *by_contact(struct pcscf_req *r)
{
	struct sip_nameaddr na;
	struct str v, aor;
	struct sip_values it = sip_values(r->m, SIP_H_CONTACT);

	if (!sip_values_next(&it, &v) || sip_nameaddr_parse(v, &na) < 0 || na.star ||
	    (na.uri.scheme != SIP_SCHEME_SIP && na.uri.scheme != SIP_SCHEME_SIPS))
		return NULL;
	aor = binding_contact_aor(r->m->arena, &na.uri);
	return aor.l ? phone_by_host_contact(r->pw->p->phones, &r->m->flow, aor) : NULL;
}

/* By the association, and by nothing else: whatever port or connection of it a message came on. */
static struct binding *by_association(struct pcscf_req *r)
{
	struct sa_set *s = sa_of(r->pw->p->sas, &r->m->flow);
	struct binding *b = s ? phone_by_key(r->pw->p->phones, s->key) : NULL;

	obj_unref(s);
	return b;
}

/* S5: a phone that has associations speaks through them. */
static struct binding *not_in_clear(struct pcscf_req *r, struct binding *b)
{
	if (!b || !b->sa)
		return b;
	log_info(LOG_SEC, "in clear from a phone that has security associations", LOG_S("impi", b->impi),
		 LOG_S("method", r->m->method_name), LOG_S("call_id", r->m->call_id));
	obj_unref(b);
	return NULL;
}

static bool came_protected(const struct pcscf_req *r)
{
	return r->pw->p->sas && ports_protected(&r->pw->p->cfg.security, &r->m->flow.local);
}

static struct binding *by_flow_or_address(struct pcscf_req *r);

struct binding *pcscf_phone_of(struct pcscf_req *r)
{
	return came_protected(r) ? by_association(r) : not_in_clear(r, by_flow_or_address(r));
}

static struct binding *by_flow_or_address(struct pcscf_req *r)
{
	struct phone_directory *d = r->pw->p->phones;
	const struct sip_flow *f = &r->m->flow;
	struct binding *b = phone_by_flow(d, f), *other;
	char text[512];
	struct str aor;
	bool has_aor = from_aor(r->m, text, sizeof(text), &aor);

	if (b) {
		if (!has_aor || binding_identity_find(b, &r->m->from.uri))
			return b;
		other = phone_by_flow_aor(d, f, aor);	/* several users on one socket */
		if (!other)
			return b;			/* From says anything; the flow decides */
		obj_unref(b);
		return other;
	}
	if (!r->pw->p->cfg.match_by_address)
		return NULL;
	b = by_contact(r);
	return b || !has_aor ? b : phone_by_host_aor(d, f, aor);
}

bool pcscf_phone_sent(struct pcscf_req *r, const struct binding *b)
{
	struct binding *there;
	bool ok;

	if (b->sa || came_protected(r)) {
		there = came_protected(r) ? by_association(r) : NULL;
		ok = there && str_eq(there->key, b->key);
		obj_unref(there);
		return ok;
	}
	if (sip_flow_eq(&b->flow, &r->m->flow))
		return true;
	there = phone_by_flow(r->pw->p->phones, &r->m->flow);
	if (there)
		ok = str_eq(there->impi, b->impi);	/* it has registered again from here */
	else
		ok = r->pw->p->cfg.match_by_address && addr_host_eq(&b->flow.remote, &r->m->flow.remote);
	obj_unref(there);
	return ok;
}
