/* pcscf/path.c - our Path and Record-Route URIs, and the way to a phone.  RFC 3327, RFC 3261 §16.6 step 4, RFC 5658;
 * TS 24.229 §5.2.2.1, §5.2.6.3.3, §5.2.6.4.3, §5.2.7; rows P1, P13, C8. */
#include <errno.h>
#include "pcscf/pcscf.h"

int pcscf_token_read(const struct pcscf *p, const struct sip_msg *m, struct str text, struct token *ret)
{
	const struct token_key *k = stack_token_key(p->stack);
	int rc = token_read(k, text, ret);

	if (rc == 0)
		return ret->kind == TOKEN_RECORD_ROUTE ? -EPERM : 0;
	if (rc == -EPERM)
		rc = token_read_for(k, text, m->call_id, m->from_tag, ret);
	if (rc == -EPERM)
		rc = token_read_for(k, text, m->call_id, m->to_tag, ret);
	return rc;
}

/* RFC 5626 §5.1: "ob" says that requests come by the flow of the REGISTER. */
struct str pcscf_path_value(struct pcscf_worker *pw, struct arena *a, uint64_t id, bool outbound)
{
	const struct token t = { .kind = TOKEN_PATH, .id = id };
	char token[TOKEN_STRLEN];

	token_make(stack_token_key(pw->p->stack), &t, token);
	return arena_printf(a, "<sip:%s@%.*s;lr%s>", token, STR_ARG(pw->p->cfg.path_host), outbound ? ";ob" : "");
}

static struct str record_route_value(struct sip_out *o, const char *token, const struct addr *at, const char *transport)
{
	char hostport[ADDR_STRLEN];

	return arena_printf(o->m->arena, "<sip:%s@%s%s%s;lr>", token, addr_fmt(at, hostport), transport ? ";transport=" : "",
			    transport ? transport : "");
}

/* Toward a core that is reached over TLS: a certificate stands for a name, not for an address (RFC 5922 §7.2). */
static struct str record_route_name(struct pcscf_worker *pw, struct sip_out *o, const char *token, const struct addr *at)
{
	struct str host = pw->p->cfg.path_host;
	ssize_t colon = str_rchr(host, ':');

	if (colon > str_rchr(host, ']'))
		host = str_head(host, (size_t)colon);
	return arena_printf(o->m->arena, "<sip:%s@%.*s:%u;transport=tls;lr>", token, STR_ARG(host), addr_port(at));
}

/* Literal addresses: a phone needs no DNS for them, and the dialog belongs to this node.  Each side finds the value that
 * it can use first: the one for where the request goes is on top (RFC 5658 §3.3). */
unsigned pcscf_record_route(struct pcscf_worker *pw, struct sip_out *o, uint64_t id, uint8_t flags,
			    const struct sip_flow *from, const struct sip_flow *to, bool to_phone, struct str ret[2])
{
	const struct sip_flow *phone = to_phone ? to : from, *core = to_phone ? from : to;
	const char *transport = sip_proto_is_reliable(phone->proto) ? sip_proto_param(phone->proto) : NULL;
	const struct token t = { .kind = TOKEN_RECORD_ROUTE, .flags = flags, .id = id };
	struct addr at_phone, at_core;
	struct str phone_value, core_value;
	char token[TOKEN_STRLEN];

	if (pw->local_for(pw->w, phone, &at_phone) < 0 || pw->local_for(pw->w, core, &at_core) < 0) {
		o->failed = true;
		return 0;
	}
	security_sent_by(pw->w, phone, &at_phone);
	token_make_for(stack_token_key(pw->p->stack), &t, o->m->call_id, o->m->from_tag, token);
	phone_value = record_route_value(o, token, &at_phone, transport);
	if (!transport && core->proto != SIP_TLS && addr_eq(&at_phone, &at_core)) {
		sip_out_push(o, SIP_H_RECORD_ROUTE, phone_value);
		ret[0] = phone_value;
		return 1;
	}
	core_value = core->proto == SIP_TLS ? record_route_name(pw, o, token, &at_core) : record_route_value(o, token, &at_core, NULL);
	ret[0] = to_phone ? phone_value : core_value;
	ret[1] = to_phone ? core_value : phone_value;
	sip_out_push(o, SIP_H_RECORD_ROUTE, ret[1]);
	sip_out_push(o, SIP_H_RECORD_ROUTE, ret[0]);
	return 2;
}

/* Security associations: their ports, whatever the contact says, by the transport that it asks for.
 * UDP: to the port of the contact when it is on the address that the phone sent from, else back to where it sent from (a NAT
 * is between).  A stream: the connection the phone opened; once that is gone the contact, as its URI says. */
void pcscf_access_path(const struct binding *b, struct sip_flow *ret)
{
	if (b->sa) {
		bool tcp = sip_proto_is_reliable(b->contact_proto);

		ports_to_phone(b->sa, tcp ? SIP_TCP : SIP_UDP, ret);
		return;
	}
	*ret = b->flow;
	if (b->outbound)
		return;
	if (!addr_is_set(&b->contact_addr) || !addr_host_eq(&b->contact_addr, &b->flow.remote))
		return;
	ret->remote = b->contact_addr;
	if (!b->flow_closed)
		return;
	ret->proto = b->contact_proto;
	ret->local = (struct addr){ 0 };
	ret->conn = 0;
}
