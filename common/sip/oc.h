/* common/sip/oc.h - overload control between neighbours in the topmost Via: RFC 7339, loss-based (row C18).
 *
 * A client says in its Via that it can hold requests back (oc;oc-algo="loss"); the server's responses say how many percent of
 * them it should, and for how long. */
#pragma once
#include "common/sip/msg.h"
#include "common/util/bytes.h"

#define SIP_OC_ASK ";oc;oc-algo=\"loss\""
#define SIP_OC_VALIDITY_MS 500u		/* RFC 7339 §4.3: when none is given */
#define SIP_OC_VALIDITY_MAX_MS 60000u	/* a longer one is cut */

struct sip_oc {
	unsigned percent;		/* of the new requests that are not to be sent */
	uint32_t validity_ms;
	uint64_t seq;			/* oc-seq in thousandths; 0: none */
};

bool sip_oc_asked(const struct sip_via *v);	/* of a request: would its sender obey "loss"? */
int sip_oc_read(const struct sip_via *v, struct sip_oc *ret);	/* of a response.  0, -ENOENT (says nothing), -EBADMSG */
/* A copy of this response with that in its topmost Via, in place of what stands there.  NULL: out of memory, or no Via. */
struct bytes *sip_oc_stamp(struct str wire, const struct sip_oc *oc);
