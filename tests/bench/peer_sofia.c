/* tests/bench/peer_sofia.c - Sofia-SIP: package libsofia-sip-ua-dev.  With the class that knows the extensions too. */
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_extra.h>
#include <sofia-sip/sip_parser.h>
#include "tests/bench/peer.h"

static const msg_mclass_t *class;

int peer_init(void)
{
	class = sip_extend_mclass(NULL);
	return class ? 0 : -1;
}

__attribute__((noinline)) int peer_parse(const char *text, size_t l)
{
	msg_t *m = msg_make(class, 0, text, (ssize_t)l);
	sip_t *sip = m ? sip_object(m) : NULL;
	int rc = sip && (sip->sip_request || sip->sip_status) && sip->sip_via && sip->sip_cseq ? 0 : -1;

	msg_destroy(m);
	return rc;
}
