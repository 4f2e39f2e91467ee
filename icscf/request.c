/* icscf/request.c - every new request comes in here: which procedure it is for, and what is for the I-CSCF itself. */
#include "common/log/log.h"
#include "icscf/icscf.h"

#define OUR_METHODS "Allow: OPTIONS\r\n"

/* Addressed to this node, or an OPTIONS to the home domain as such, which we stand for (RFC 3261 §11). */
static bool for_ourselves(const struct icscf *i, const struct sip_msg *m)
{
	if (m->ruri.user.l || m->ruri.scheme == SIP_SCHEME_TEL)
		return false;
	return stack_is_self(i->stack, &m->ruri) ? !sip_uri_has_lr(&m->ruri) || !sip_msg_hdr(m, SIP_H_ROUTE) :
	       m->method == SIP_OPTIONS && stack_is_home_domain(i->stack, m->ruri.host);
}

void icscf_request(struct worker *w, struct tx_server *st, struct sip_msg *m)
{
	static const char *const supported[] = { NULL };
	struct icscf_worker *iw = icscf_of(w);

	if (!proxy_check(w->proxy, st, m, supported))		/* RFC 3261 §16.3 */
		return;
	if (m->method == SIP_REGISTER)
		icscf_register(iw, st, m);
	else if (!for_ourselves(iw->i, m))
		icscf_session(iw, st, m);
	else if (m->method == SIP_OPTIONS)
		tx_server_reply(st, 200, NULL, STR(OUR_METHODS));
	else
		tx_refuse(st, &(const struct refusal){ .status = 405, .why = "not a method for this node itself", .extra = STR(OUR_METHODS) });
}

/* We are in no route set of our own making; older peers may have us in theirs. */
void icscf_ack(struct worker *w, struct sip_msg *m)
{
	struct icscf *i = icscf_of(w)->i;
	struct sip_nameaddr own[2];
	struct sip_uri ruri = m->ruri;
	struct sip_out o;
	struct str top;

	sip_out_init(&o, m);
	proxy_pop_own_routes(w->proxy, m, &o, own);
	if (o.ruri.l && sip_uri_parse(o.ruri, &ruri, NULL) < 0)
		return;
	if (sip_out_top(&o, SIP_H_ROUTE, &top) < 0 && (ruri.scheme == SIP_SCHEME_TEL || stack_is_self(i->stack, &ruri) ||
						       stack_is_home_domain(i->stack, ruri.host))) {
		log_debug(LOG_SESS, "ACK leads nowhere", LOG_S("call_id", m->call_id));
		return;
	}
	proxy_forward_ack(w->proxy, m, &o, NULL);
}
