/* common/sip/flow.c - transports and flows as text. */
#include <errno.h>
#include "common/sip/flow.h"

static const struct {
	const char *name, *param;
} protos[SIP_N_PROTOS] = { { "UDP", "udp" }, { "TCP", "tcp" }, { "TLS", "tls" } };

const char *sip_proto_name(enum sip_proto p)
{
	return protos[p].name;
}

const char *sip_proto_param(enum sip_proto p)
{
	return protos[p].param;
}

int sip_proto_from_name(struct str name, enum sip_proto *ret)
{
	for (int i = 0; i < SIP_N_PROTOS; i++) {
		if (str_eq_c(name, protos[i].name) || str_ieq_c(name, protos[i].param)) {
			*ret = (enum sip_proto)i;
			return 0;
		}
	}
	return -ENOTSUP;
}

bool sip_flow_eq(const struct sip_flow *a, const struct sip_flow *b)
{
	if (a->proto != b->proto || !addr_eq(&a->remote, &b->remote))
		return false;
	return !sip_proto_is_reliable(a->proto) ||
	       (a->conn == b->conn && a->conn_gen == b->conn_gen && a->worker == b->worker);
}

const char *sip_flow_fmt(const struct sip_flow *f, char *dst)
{
	char text[ADDR_STRLEN];

	size_t l = str_put(dst, SIP_FLOW_STRLEN, 0, str_from_c(protos[f->proto].param));

	l = str_put(dst, SIP_FLOW_STRLEN, l, STR(":"));
	str_put(dst, SIP_FLOW_STRLEN, l, str_from_c(addr_fmt(&f->remote, text)));
	return dst;
}
