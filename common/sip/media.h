/* common/sip/media.h - what an offer and its answer mean for a bearer: one component per media line with its IP flows, directions and
 * bit rates.  TS 29.213 §6.2, TS 29.214 annex A; RFC 3264, RFC 3605, RFC 3556, RFC 5761; rows Q2 Q3.
 *
 * Pure: descriptions in, components out.  Rx and N5 say the same thing of a component in their own words. */
#pragma once
#include "common/sip/sdp.h"
#include "common/util/addr.h"

#define MEDIA_ABSENT UINT32_MAX

enum media_type {		/* numbered as Media-Type, TS 29.214 §5.3.19 */
	MEDIA_AUDIO, MEDIA_VIDEO, MEDIA_DATA, MEDIA_APPLICATION, MEDIA_CONTROL, MEDIA_TEXT, MEDIA_MESSAGE, MEDIA_OTHER
};
enum media_way {		/* numbered as Flow-Status, TS 29.214 §5.3.11 */
	MEDIA_UPLINK, MEDIA_DOWNLINK, MEDIA_BOTH, MEDIA_NEITHER, MEDIA_REMOVED
};
struct media_flow {
	struct addr ue, remote;		/* unset: any (a host name, or an address that holds the line) */
	uint8_t protocol;		/* 17 UDP, 6 TCP */
	bool rtcp;			/* RTCP alone */
};
struct media_component {
	uint32_t number;		/* of the m= line, from 1 */
	enum media_type type;
	enum media_way way;
	uint32_t ul_bps, dl_bps;	/* MEDIA_ABSENT: nobody says, and the codec is not known */
	uint32_t rs_bps, rr_bps;	/* MEDIA_ABSENT: absent */
	unsigned n_flows;		/* flow i is Flow-Number i + 1 */
	struct media_flow flow[2];
	uint64_t texts;			/* stands for both media descriptions: codecs and their parameters */
	struct str ue_text, remote_text;	/* those, m= and below; borrowed from the bodies */
	bool ue_offered;
};
struct media_set {
	unsigned n;
	struct media_component c[SDP_MAX_MEDIA];
};

/* Lines that either side refused or switched off (port 0) are left out. */
void media_derive(const struct sdp *ue, const struct sdp *remote, bool ue_offered, struct media_set *ret);
/* What to tell somebody who knows `had` so that he knows `now`: components that are new or differ, and for those that went one with
 * way MEDIA_REMOVED.  Returns how many. */
unsigned media_diff(const struct media_set *had, const struct media_set *now, struct media_set *ret);
/* The bodies go: the borrowed texts with them. */
void media_forget_texts(struct media_set *s);
/* IPFilterRule of one direction: "permit out 17 from 10.0.0.9 4000 to 10.0.0.1 5000" is toward the phone (RFC 6733 §4.3.1). */
#define MEDIA_RULE_STRLEN 192
const char *media_rule(const struct media_flow *f, bool to_ue, char dst[MEDIA_RULE_STRLEN]);
const char *media_type_name(enum media_type t);		/* "AUDIO" */
const char *media_way_name(enum media_way w);		/* "ENABLED-UPLINK" */
