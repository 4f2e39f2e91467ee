/* pcscf/signalling_flows.c - which flows are SIP between a phone and us: with security associations all four protected ports, else where
 * the REGISTER came from.  TS 29.214 §4.4.5, annex B; TS 29.514 §4.2.2.16; row Q1. */
#include "common/log/log.h"
#include "pcscf/policy.h"

unsigned signalling_pairs(struct pcscf_worker *pw, const struct binding *b, struct signalling_pair ret[SIGNALLING_MAX_PAIRS])
{
	struct addr phone = b->flow.remote, us = b->flow.local;
	bool stream = sip_proto_is_reliable(b->flow.proto);

	if (!b->sa) {
		if (!addr_is_set(&us) && pw->local_for(pw->w, &b->flow, &us) < 0)
			return 0;
		ret[0] = (struct signalling_pair){ phone, us, !stream, stream };
		return 1;
	}
	phone = b->sa->k.peer;
	us = b->sa->k.us;
	addr_set_port(&phone, b->sa->k.theirs.port_c);
	addr_set_port(&us, b->sa->k.mine.port_s);
	ret[0] = (struct signalling_pair){ phone, us, true, true };
	addr_set_port(&phone, b->sa->k.theirs.port_s);
	addr_set_port(&us, b->sa->k.mine.port_c);
	ret[1] = (struct signalling_pair){ phone, us, true, true };
	return 2;
}

bool signalling_same_way(const struct binding *a, const struct binding *b)
{
	return a->sa == b->sa && sip_flow_eq(&a->flow, &b->flow);
}

void signalling_lost(struct pcscf_worker *pw, struct binding *b, const char *why)
{
	obj_ref(b);
	log_info(LOG_REG, "the bearer of the signalling is lost", LOG_C("why", why), LOG_S("impi", b->impi));
	if (!bindings_del(pw->bindings, b->key, "bearer lost"))
		policy_unregistered(pw, b);
	obj_unref(b);
}
