/* pcscf/originating.c - requests from a phone outside of a dialog.  TS 24.229 §5.2.6.3.2A, §5.2.6.3.3; rows P9 to P12. */
#include "common/log/log.h"
#include "pcscf/pcscf.h"
#include "pcscf/trust.h"

static bool makes_dialog(enum sip_method method)
{
	return method == SIP_INVITE || method == SIP_SUBSCRIBE || method == SIP_REFER;
}

/* What the phone wrote does not count: phones that send everything to the proxy, or invent a route, go the same way
 * (row P11: replaced, not refused).  Without a Service-Route the home domain's door is the way. */
static void set_route(struct pcscf_req *r)
{
	const struct binding *b = r->b;

	sip_out_drop(&r->out, SIP_H_ROUTE);
	for (unsigned i = b->n_routes; i-- > 0;)
		sip_out_push(&r->out, SIP_H_ROUTE, arena_dup(r->m->arena, b->route[i]));
	if (!b->n_routes)
		sip_out_push(&r->out, SIP_H_ROUTE, arena_printf(r->m->arena, "<sip:%.*s;lr>",
								STR_ARG(stack_home_domain(r->pw->p->stack))));
}

/* TS 24.229 §5.2.10: an emergency registration is for emergency calls; in clear the normal one may use the same flow. */
static bool not_for_emergencies_alone(struct pcscf_req *r)
{
	struct binding *b = r->b, *normal;

	if (!binding_is_emergency(b))
		return true;
	normal = b->sa ? NULL : phone_by_key(r->pw->p->phones, str_head(b->key, b->key.l - strlen(BINDING_KEY_SOS)));
	if (!normal || !sip_flow_eq(&normal->flow, &b->flow)) {
		obj_unref(normal);
		return false;
	}
	r->b = normal;
	obj_unref(b);
	return true;
}

void pcscf_originating(struct pcscf_req *r)
{
	r->b = pcscf_phone_of(r);
	if (!r->b) {
		pcscf_refuse(r, 403, "sender is not registered", STR_NONE);
		return;
	}
	if (!not_for_emergencies_alone(r)) {
		pcscf_refuse(r, 403, "an emergency registration is for emergency calls", STR_NONE);
		return;
	}
	if (credentials_set_integrity(&r->out, NULL) < 0) {
		pcscf_refuse(r, 400, "authorization cannot be read", STR_NONE);
		return;
	}
	trust_strip(&r->pw->p->cfg, &r->out, TRUST_REQ_FROM_PHONE);
	pcscf_assert_sender(&r->out, r->b);
	r->icid = pcscf_charging_new(r->pw, &r->out);
	set_route(r);
	pcscf_forward_to_core(r, makes_dialog(r->m->method), true);
}
