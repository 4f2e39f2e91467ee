/* pcscf/shapes.c - what the P-CSCF's own operations answer and take; the notation is in common/http/shape.c. */
#include "common/http/http.h"
#include "pcscf/pcscf.h"

#define SECURITY "mechanism:(ipsec-3gpp) state:(making|pending|live|old|ending) alg:s ealg:s mode:s reqid:i spiC:i spiS:i portC:i portS:i phoneSpiC:i " \
		 "phoneSpiS:i phonePortC:i phonePortS:i"

const struct http_shape pcscf_shapes[] = {
	{ "Registration", "{id:s impu?:s impi?:s state:(registered) authentication:(none|digest|aka) irs:[{impu?:s default:b}] contacts:[Contact] "
			  "serviceRoute:[s] visitedNetwork?:s registeredAt:t}" },
	{ "Contact", "{uri?:s flow:s reachedAt:s security?:{" SECURITY "} userAgent?:s expiresAt:t}" },
	{ "GET /api/v1/registrations", "[Registration]" },
	{ "GET /api/v1/registrations/{impu}", "Registration" },
	{ "DELETE /api/v1/registrations/{impu}", "204" },
	{ "DELETE /api/v1/registrations", "202 Operation" },
	{ "DELETE /api/v1/dialogs/{callId}", "202 {dialogsReleased:i}" },
	{ "PolicySession", "{id:s interface:s kind:(media|emergency) state:s impu:s callId:s icid:s cause?:s questions:i held:i "
			   "flows:[{media:i description:s status:s mediaType:s maxBandwidthUl?:i maxBandwidthDl?:i}]}" },
	{ "GET /api/v1/policy-sessions", "[PolicySession]" },
	{ "GET /api/v1/policy-sessions/{policySessionId}", "PolicySession" },
	{ "RegSubscription", "{impu:s impi:s callId:s state:(active|pending|terminated) nextInS:i version?:i}" },
	{ "GET /api/v1/reg-subscriptions", "[RegSubscription]" },
	{ "SecurityAssociations", "{" SECURITY " id:s impi:s ueAddress:s}" },
	{ "GET /api/v1/security-associations", "[SecurityAssociations]" },
	{ "GET /api/v1/security-associations/{saSetId}", "SecurityAssociations" },
	{ "DELETE /api/v1/security-associations/{saSetId}", "204" },
	{ "GET /api/v1/algorithms", "{enabled:b policy:(off|prefer|require) offered:[{alg:s ealg:s preference:i}] nullEncryption:(allowed|refused)}" },
	{ "GET /api/v1/media", "{mode:s relays:[{address:s state:(up|down) weight:i sessions:i questions:i failures:i lastAnswerMs:n}]}" },
	{ "MediaSession", "{callId:s icid:s impu:s side:(orig|term) state:(asked|relayed|not relayed) relay?:s sessionId:s questions:i cause?:s held:i forks:i "
			  "lastSaid:{phone:(nothing|offer|answer) core:(nothing|offer|answer)}}" },
	{ "GET /api/v1/media-sessions", "[MediaSession]" },
	{ NULL, NULL },
};
