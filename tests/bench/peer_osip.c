/* tests/bench/peer_osip.c - libosip2: package libosip2-dev. */
#include <sys/time.h>
#include <osipparser2/osip_parser.h>
#include "tests/bench/peer.h"

int peer_init(void)
{
	return parser_init() == 0 ? 0 : -1;
}

__attribute__((noinline)) int peer_parse(const char *text, size_t l)
{
	osip_message_t *m;
	int rc;

	if (osip_message_init(&m) != 0)
		return -1;
	rc = osip_message_parse(m, text, l);
	osip_message_free(m);
	return rc == 0 ? 0 : -1;
}
