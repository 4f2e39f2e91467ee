/* pcscf/charging.c - P-Charging-Vector at the border to the phones: none crosses it, each request and response of a phone gets one.
 * RFC 7315 §4.6, §5.6; TS 24.229 §4.5, §5.2.2.1, §5.2.6.3, §5.2.6.4, §5.2.7.2, §5.2.7.3, §7.2A.5; TS 32.260; row G1.
 *
 * orig-ioi and term-ioi are of type 1: between the network where we stand and the home network of the user. */
#include "common/log/log.h"
#include "common/sip/charging.h"
#include "pcscf/pcscf.h"
#include "pcscf/policy.h"
#include "pcscf/session.h"

static struct str own_ioi(const struct pcscf_worker *pw, struct arena *a)
{
	return charging_ioi(a, IOI_ACCESS, pw->p->cfg.visited_network);
}

struct str pcscf_charging_value(const struct pcscf_worker *pw, struct arena *a, struct str *ret_icid)
{
	struct charging_vector v;

	charging_new(a, pw->p->cfg.path_host, &v);
	v.orig_ioi = own_ioi(pw, a);
	*ret_icid = sip_unquote(v.icid);
	return charging_write(a, &v);
}

struct str pcscf_charging_new(struct pcscf_worker *pw, struct sip_out *o)
{
	struct str icid;

	sip_out_set(o, SIP_H_PCV, pcscf_charging_value(pw, o->arena, &icid));
	log_correlation(icid);
	return icid;
}

struct str pcscf_charging_icid(const struct sip_msg *m)
{
	struct str icid, params = sip_msg_value(m, SIP_H_PCV);

	return params.l && sip_param_get(params, "icid-value", &icid) ? sip_unquote(icid) : STR_NONE;
}

struct str pcscf_charging_known(const struct pcscf_worker *pw, struct arena *a, struct str icid, struct str access)
{
	struct charging_vector v = { .access = access };

	v.icid = arena_printf(a, "\"%.*s\"", STR_ARG(icid));
	v.orig_ioi = own_ioi(pw, a);
	return charging_write(a, &v);
}

struct str pcscf_charging_in_dialog(struct pcscf_worker *pw, struct sip_out *o, uint64_t binding_id)
{
	struct str icid = session_icid(pw->sessions, o->m, binding_id);

	if (!icid.l)
		return pcscf_charging_new(pw, o);
	icid = arena_dup(o->arena, icid);
	sip_out_set(o, SIP_H_PCV, pcscf_charging_known(pw, o->arena, icid, policy_charging(pw, o->m->call_id, binding_id)));
	return icid;
}

void pcscf_charging_answer(struct pcscf_worker *pw, struct sip_out *o, const struct sip_msg *req, uint64_t binding_id)
{
	struct charging_vector v;

	charging_read(o->arena, req, &v);
	if (!v.icid.l)
		return;
	v.domain = STR_NONE;
	v.access = policy_charging(pw, req->call_id, binding_id);
	v.term_ioi = own_ioi(pw, o->arena);
	sip_out_set(o, SIP_H_PCV, charging_write(o->arena, &v));
}
