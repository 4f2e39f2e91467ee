/* pcscf/sdp_policy.h - which media may pass: TS 24.229 §6.2; RFC 3261 §20.43; row P16. */
#pragma once
#include "common/config/config.h"
#include "common/sip/out.h"

#define SDP_POLICY_MAX_CODECS 32u
#define SDP_POLICY_MAX_FORMATS 64u	/* of one media line; each costs a look through its block, so more are refused */
struct sdp_policy {			/* access.media */
	unsigned types;			/* bits by enum media_type; 0: every one */
	struct str codec[SDP_POLICY_MAX_CODECS];	/* "AMR-WB/16000"; none: every one */
	unsigned n_codecs;
	uint32_t max_kbps;		/* of a media line's b=AS; 0: no limit */
};
void sdp_policy_read(struct sdp_policy *p, const struct cfg_node *r);
void sdp_policy_check_config(const struct cfg_node *r, struct buf *errors);
struct sdp_fault {
	unsigned warning;		/* 304, 305, 370 or 399, RFC 3261 §20.43 */
	const char *why;		/* a fixed phrase */
};
/* true: it may pass.  What cannot be judged (it cannot be read, it has too many formats) may not. */
bool sdp_policy_allows(const struct sdp_policy *p, struct str sdp, struct sdp_fault *reterr);
/* What would be allowed, as the body of the 488. */
struct str sdp_policy_body(const struct sdp_policy *p, struct arena *a);
/* The session description of a message, also from a multipart body; empty: none. */
struct str sdp_of_message(const struct sip_msg *m);
/* The same of what a plan makes of it. */
struct str sdp_of_plan(const struct sip_out *o);
