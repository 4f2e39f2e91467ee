/* pcscf/indialog.c - requests within a dialog: our Record-Route token says whose.  TS 24.229 §5.2.6.3.7, §5.2.6.4.5, §5.2.7;
 * rows C8, P14, SEC-09.
 *
 * The token names the binding, and is good for the Call-ID and the tag of the dialog's beginner alone (path.c).  A phone that has registered again from another port is reached where it is now.  After a
 * restart the binding is unknown: toward the phone the Request-URI leads when its host is a literal; from a phone a verified
 * token is enough once it has registered again. */
#include "pcscf/pcscf.h"
#include "pcscf/session.h"
#include "pcscf/trust.h"

static void to_phone(struct pcscf_req *r)
{
	struct addr a;

	if (!r->b && sip_uri_host_addr(&r->m->ruri, &a) < 0) {
		pcscf_refuse(r, 481, "dialog of a phone that is not known", STR_NONE);
		return;
	}
	trust_strip(&r->pw->p->cfg, &r->out, TRUST_REQ_TO_PHONE);
	pcscf_forward_to_phone(r, false);
}

static bool is_hop(const struct pcscf_req *r, const struct sip_uri *u)
{
	const struct pcscf *p = r->pw->p;

	/* SEC-19: without a registration there is nothing but the emergency call. */
	return ((r->token.flags & RECORD_ROUTE_SOS) && pcscf_knows_sos_hop(p, u)) || (r->b && pcscf_knows_hop(p, u));
}

/* §5.2.6.3.7: the rest of the route set is the core's, not the phone's own idea.  Without keeping every dialog: the next hop
 * must be one that the core itself named in a Record-Route or Service-Route. */
static bool leads_to_core(struct pcscf_req *r)
{
	bool sos = r->token.flags & RECORD_ROUTE_SOS;
	struct sip_nameaddr na;
	struct str top;

	if (r->has_route) {		/* it is what we sealed */
		topology_set_route(r);
		return true;
	}
	/* No Route is left when the far end is a core node itself, as the notifier of a subscription is: RFC 3261 §16.12. */
	if (sip_out_top(&r->out, SIP_H_ROUTE, &top) < 0)
		return r->out.ruri.l == 0 && (sos || r->m->ruri.user.l == 0) && is_hop(r, &r->m->ruri);
	return sip_nameaddr_parse(top, &na) == 0 && !na.star && is_hop(r, &na.uri);
}

static void from_phone(struct pcscf_req *r)
{
	if (r->b && !pcscf_phone_sent(r, r->b)) {
		pcscf_refuse(r, 403, "dialog of another phone", STR_NONE);
		return;
	}
	if (!r->b)
		r->b = pcscf_phone_of(r);
	if (!r->b && !(r->token.flags & RECORD_ROUTE_SOS)) {	/* clients.md point 8: a phone may end its subscription after it has de-registered: no attack */
		pcscf_refuse(r, 481, "dialog of a phone that is not registered", STR_NONE);
		return;
	}
	if (r->b && session_is_foreign(r->pw->sessions, r->m, r->b->id)) {
		pcscf_refuse(r, 481, "tags of no dialog", STR_NONE);
		return;
	}
	if (!leads_to_core(r)) {
		pcscf_refuse(r, 403, "route set does not lead to the core", STR_NONE);
		return;
	}
	if (credentials_set_integrity(&r->out, NULL) < 0) {
		pcscf_refuse(r, 400, "authorization cannot be read", STR_NONE);
		return;
	}
	trust_strip(&r->pw->p->cfg, &r->out, TRUST_REQ_FROM_PHONE);
	r->icid = pcscf_charging_in_dialog(r->pw, &r->out, r->b ? r->b->id : r->token.id);	/* §5.2.6.3.7 */
	pcscf_forward_to_core(r, false, false);
}

void pcscf_in_dialog(struct pcscf_req *r)
{
	r->b = phone_by_id(r->pw->p->phones, r->token.id);
	if (r->core)
		to_phone(r);
	else
		from_phone(r);
}
