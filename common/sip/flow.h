/* common/sip/flow.h - where a message came from or goes to.  A plain value, copied freely. */
#pragma once
#include "common/util/addr.h"

enum sip_proto { SIP_UDP, SIP_TCP, SIP_TLS, SIP_N_PROTOS };

struct sip_flow {
	struct addr remote;
	struct addr local;		/* unset: any of our listeners of that protocol and family */
	enum sip_proto proto;
	/* For TCP and TLS: the connection, by worker, slot and generation; conn == 0: none, connect. */
	uint32_t conn, conn_gen;
	uint16_t worker;
	uint32_t name;			/* TLS: the domain it is for (util/names.h), which the peer must prove; 0: none */
};

const char *sip_proto_name(enum sip_proto p);			/* "UDP", as in Via */
const char *sip_proto_param(enum sip_proto p);			/* "udp", as in ;transport= */
int sip_proto_from_name(struct str name, enum sip_proto *ret);	/* any case; -ENOTSUP (SCTP, WS...) */
static inline bool sip_proto_is_reliable(enum sip_proto p)
{
	return p != SIP_UDP;
}
/* Same protocol, remote and (for streams) same connection. */
bool sip_flow_eq(const struct sip_flow *a, const struct sip_flow *b);
/* "udp:10.0.0.1:5060"; dst has SIP_FLOW_STRLEN. */
#define SIP_FLOW_STRLEN (ADDR_STRLEN + 8)
const char *sip_flow_fmt(const struct sip_flow *f, char *dst);
