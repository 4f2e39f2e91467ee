/* pcscf/emergency.c - emergency calls: TS 24.229 §5.2.10, RFC 5031.  Routing to an E-CSCF comes with row P21; until then the
 * phone is told to use the circuit-switched domain, which it does at once on a 380 with this body. */
#include <stdio.h>
#include "pcscf/pcscf.h"

static const char body[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
	"<ims-3gpp version=\"1\"><alternative-service><type>emergency</type>"
	"<reason>emergency calls are not served here</reason></alternative-service></ims-3gpp>\r\n";

bool pcscf_is_emergency(const struct sip_uri *ruri)
{
	static const char sos[] = "urn:service:sos";
	struct str tail;

	if (ruri->scheme != SIP_SCHEME_OTHER || !str_istarts(ruri->text, STR(sos)))
		return false;
	tail = str_from(ruri->text, sizeof(sos) - 1);
	return tail.l == 0 || tail.p[0] == '.' || tail.p[0] == ';';
}

void pcscf_emergency(struct pcscf_req *r)
{
	/* §5.2.10.2: the identity shows the phone that its own P-CSCF says so. */
	struct str extra = arena_printf(r->m->arena, "P-Asserted-Identity: <sip:%.*s>\r\n", STR_ARG(r->pw->p->cfg.path_host));

	if (r->st)
		tx_server_reply_body(r->st, 380, NULL, extra, STR("application/3gpp-ims+xml"), STR(body));
}
