/* pcscf/topology.c - access.hide_topology: what the core looks like is not for phones.  SEC-05; TS 33.117 §4.2.3.
 *
 * Via and Record-Route of the core do not reach a phone.  The rest of a dialog's route set goes into our own Record-Route, sealed
 * (sip/seal.h): it comes back with each of the phone's requests and leads on, over a restart too, and the phone cannot change it.
 *
 * It is sealed beside the TOKEN, which is good for one dialog alone (path.c): a phone cannot take the route of one call into another.
 *
 *	to the phone	Record-Route: <sip:TOKEN@us;lr;rs=SEALED>
 *	from it		Route: <sip:TOKEN@us;lr;rs=SEALED>	->  Route: what was sealed */
#include <errno.h>
#include "common/sip/seal.h"
#include "pcscf/pcscf.h"

/* ours: "<sip:TOKEN@...;lr>". */
static struct str with_sealed(struct pcscf_worker *pw, struct arena *a, struct str ours, struct str rest)
{
	struct sip_nameaddr na;
	struct str sealed;

	if (sip_nameaddr_parse(ours, &na) < 0 || na.star)
		return STR_NONE;
	sealed = sip_seal(stack_token_key(pw->p->stack), na.uri.user, rest, a);
	if (!sealed.l)
		return STR_NONE;
	return arena_printf(a, "%.*s;rs=%.*s>", (int)(ours.l - 1), ours.p, STR_ARG(sealed));
}

static void only(struct sip_out *o, struct str value)
{
	if (!value.l)
		o->failed = true;
	sip_out_drop(o, SIP_H_RECORD_ROUTE);
	sip_out_push(o, SIP_H_RECORD_ROUTE, value);
}

void topology_hide_request(struct pcscf_worker *pw, struct sip_out *o, struct str ours)
{
	struct sip_values it = sip_values(o->m, SIP_H_RECORD_ROUTE);
	struct arena_text rest = arena_text(o->arena);
	struct str v;

	while (sip_values_next(&it, &v))		/* in the order of a callee's route set: RFC 3261 §12.1.1 */
		arena_text_item(&rest, v);
	only(o, with_sealed(pw, o->arena, ours, arena_text_str(&rest)));
}

void topology_hide_response(struct pcscf_worker *pw, struct sip_out *o, struct str first, struct str ours)
{
	struct sip_values it = sip_values(o->m, SIP_H_RECORD_ROUTE);
	struct arena_text rest = arena_text(o->arena);
	struct str v, hop[SIP_MSG_MAX_HDRS];
	unsigned n = 0;

	if (!sip_msg_hdr(o->m, SIP_H_RECORD_ROUTE))
		return;
	while (n < SIP_MSG_MAX_HDRS && sip_values_next(&it, &v) && !str_eq(v, first))
		hop[n++] = v;
	while (n)					/* a caller's is reversed: §12.1.2 */
		arena_text_item(&rest, hop[--n]);
	only(o, with_sealed(pw, o->arena, ours, arena_text_str(&rest)));
}

int topology_read(struct pcscf_req *r, const struct sip_uri *ours)
{
	struct str sealed;

	if (r->has_route || !sip_uri_param(ours, "rs", &sealed))
		return 0;
	if (sip_unseal(stack_token_key(r->pw->p->stack), ours->user, sealed, r->m->arena, &r->route) < 0)
		return -EPERM;
	r->has_route = true;
	return 0;
}

void topology_set_route(struct pcscf_req *r)
{
	struct str rest = r->route, v, hop[SIP_MSG_MAX_HDRS];
	unsigned n = 0;

	sip_out_drop(&r->out, SIP_H_ROUTE);
	while (n < SIP_MSG_MAX_HDRS && sip_list_next(&rest, &v))
		hop[n++] = v;
	while (n)
		sip_out_push(&r->out, SIP_H_ROUTE, hop[--n]);
}
