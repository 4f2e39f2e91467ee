/* pcscf/n5_body.h - the bodies of Npcf_PolicyAuthorization: what policy control asks, in the words of TS 29.514 §5.6, and what comes back.
 *
 * Pure: structs in, JSON out, and the other way round. */
#pragma once
#include <cjson/cJSON.h>
#include "pcscf/n5_config.h"
#include "pcscf/policy.h"

/* medComponents: TS 29.514 §5.6.2.7, §5.6.2.8.  NULL: out of memory. */
cJSON *n5_media(const struct media_set *media);
/* Components of an earlier question that nobody has been asked yet: the later ones win.  `into` grows, `from` is taken over. */
void n5_media_merge(cJSON *into, cJSON *from);
cJSON *n5_signalling(const struct media_flow *flow, unsigned n);	/* component 0, §4.2.2.16: pairs of ports of SIP */

struct n5_subject {			/* whose session; call NULL: of a registration's signalling */
	const struct n5_config *cfg;
	const struct binding *b;
	const struct call *call;
	const char *notify_uri;
	bool location;
};
/* AppSessionContext with ascReqData: §5.6.2.3.  media is taken over.  NULL: out of memory. */
cJSON *n5_create_body(const struct n5_subject *s, cJSON *media, bool final);
/* AppSessionContextUpdateDataPatch: §5.6.2.5, RFC 7396. */
cJSON *n5_update_body(cJSON *media, bool final, bool several, bool told_several);

/* ProblemDetails of a refusal (TS 29.571 §5.2.4.1, TS 29.514 §5.7): fills *ret but for its reason.  body may be anything. */
void n5_read_problem(unsigned status, struct str body, struct policy_answer *ret);
/* UserLocation (TS 29.571 §5.4.4.7) as a value of P-Access-Network-Info (TS 24.229 §7.2A.4).  Empty: not told. */
struct str n5_charging(const cJSON *notification, char dst[CHARGING_ACCESS_BYTES]);	/* TS 29.514 §5.6.2.9, as access-network-charging-info; empty: none */
struct str n5_location(const cJSON *ue_loc, char dst[POLICY_LOCATION_BYTES]);
