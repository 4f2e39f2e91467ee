/* common/sip/hdr.h - header names: ids, canonical spelling, compact forms. */
#pragma once
#include "common/util/str.h"

/* id, canonical name, compact form or 0 */
#define SIP_HDR_TABLE(X) \
	X(SIP_H_ACCEPT, "Accept", 0) X(SIP_H_ACCEPT_CONTACT, "Accept-Contact", 'a') \
	X(SIP_H_ALLOW, "Allow", 0) X(SIP_H_ALLOW_EVENTS, "Allow-Events", 'u') \
	X(SIP_H_AUTHENTICATION_INFO, "Authentication-Info", 0) X(SIP_H_AUTHORIZATION, "Authorization", 0) \
	X(SIP_H_CALL_ID, "Call-ID", 'i') X(SIP_H_CONTACT, "Contact", 'm') \
	X(SIP_H_CONTENT_DISPOSITION, "Content-Disposition", 0) X(SIP_H_CONTENT_ENCODING, "Content-Encoding", 'e') \
	X(SIP_H_CONTENT_LENGTH, "Content-Length", 'l') X(SIP_H_CONTENT_TYPE, "Content-Type", 'c') \
	X(SIP_H_CSEQ, "CSeq", 0) X(SIP_H_DATE, "Date", 0) X(SIP_H_ERROR_INFO, "Error-Info", 0) \
	X(SIP_H_EVENT, "Event", 'o') X(SIP_H_EXPIRES, "Expires", 0) X(SIP_H_FEATURE_CAPS, "Feature-Caps", 0) \
	X(SIP_H_FLOW_TIMER, "Flow-Timer", 0) X(SIP_H_FROM, "From", 'f') X(SIP_H_GEOLOCATION, "Geolocation", 0) \
	X(SIP_H_HISTORY_INFO, "History-Info", 0) \
	X(SIP_H_IDENTITY, "Identity", 'y') X(SIP_H_IDENTITY_INFO, "Identity-Info", 'n') X(SIP_H_MAX_BREADTH, "Max-Breadth", 0) \
	X(SIP_H_MAX_FORWARDS, "Max-Forwards", 0) X(SIP_H_MIN_EXPIRES, "Min-Expires", 0) X(SIP_H_MIN_SE, "Min-SE", 0) \
	X(SIP_H_ORGANIZATION, "Organization", 0) X(SIP_H_PATH, "Path", 0) X(SIP_H_PRIORITY, "Priority", 0) \
	X(SIP_H_PRIVACY, "Privacy", 0) X(SIP_H_PROXY_AUTHENTICATE, "Proxy-Authenticate", 0) \
	X(SIP_H_PROXY_AUTHORIZATION, "Proxy-Authorization", 0) X(SIP_H_PROXY_REQUIRE, "Proxy-Require", 0) \
	X(SIP_H_PAANI, "P-Access-Network-Info", 0) X(SIP_H_PAI, "P-Asserted-Identity", 0) \
	X(SIP_H_PASSERTED_SERVICE, "P-Asserted-Service", 0) X(SIP_H_PASSOCIATED_URI, "P-Associated-URI", 0) \
	X(SIP_H_PCALLED_PARTY_ID, "P-Called-Party-ID", 0) \
	X(SIP_H_PCFA, "P-Charging-Function-Addresses", 0) X(SIP_H_PCV, "P-Charging-Vector", 0) \
	X(SIP_H_PEARLY_MEDIA, "P-Early-Media", 0) X(SIP_H_PPI, "P-Preferred-Identity", 0) \
	X(SIP_H_PPREFERRED_SERVICE, "P-Preferred-Service", 0) X(SIP_H_PPROFILE_KEY, "P-Profile-Key", 0) \
	X(SIP_H_PSERVED_USER, "P-Served-User", 0) X(SIP_H_PUSER_DATABASE, "P-User-Database", 0) \
	X(SIP_H_PVNI, "P-Visited-Network-ID", 0) X(SIP_H_RACK, "RAck", 0) X(SIP_H_REASON, "Reason", 0) \
	X(SIP_H_RECORD_ROUTE, "Record-Route", 0) X(SIP_H_REFER_TO, "Refer-To", 'r') \
	X(SIP_H_REFERRED_BY, "Referred-By", 'b') X(SIP_H_REJECT_CONTACT, "Reject-Contact", 'j') \
	X(SIP_H_REMOTE_PARTY_ID, "Remote-Party-ID", 0) X(SIP_H_REPLACES, "Replaces", 0) \
	X(SIP_H_REQUEST_DISPOSITION, "Request-Disposition", 'd') X(SIP_H_REQUIRE, "Require", 0) \
	X(SIP_H_RESOURCE_PRIORITY, "Resource-Priority", 0) X(SIP_H_RETRY_AFTER, "Retry-After", 0) \
	X(SIP_H_ROUTE, "Route", 0) X(SIP_H_RSEQ, "RSeq", 0) \
	X(SIP_H_SECURITY_CLIENT, "Security-Client", 0) X(SIP_H_SECURITY_SERVER, "Security-Server", 0) \
	X(SIP_H_SECURITY_VERIFY, "Security-Verify", 0) X(SIP_H_SERVER, "Server", 0) \
	X(SIP_H_SERVICE_ROUTE, "Service-Route", 0) X(SIP_H_SESSION_EXPIRES, "Session-Expires", 'x') \
	X(SIP_H_SIP_ETAG, "SIP-ETag", 0) X(SIP_H_SIP_IF_MATCH, "SIP-If-Match", 0) X(SIP_H_SUBJECT, "Subject", 's') \
	X(SIP_H_SUBSCRIPTION_STATE, "Subscription-State", 0) X(SIP_H_SUPPORTED, "Supported", 'k') \
	X(SIP_H_TIMESTAMP, "Timestamp", 0) X(SIP_H_TO, "To", 't') X(SIP_H_UNSUPPORTED, "Unsupported", 0) \
	X(SIP_H_USER_AGENT, "User-Agent", 0) X(SIP_H_VIA, "Via", 'v') X(SIP_H_WARNING, "Warning", 0) \
	X(SIP_H_WWW_AUTHENTICATE, "WWW-Authenticate", 0)

enum sip_hdr_id {
	SIP_H_OTHER,			/* a name that is not in the table: kept and forwarded as it came */
#define X(id, name, compact) id,
	SIP_HDR_TABLE(X)
#undef X
	SIP_N_HDRS
};

enum sip_hdr_id sip_hdr_id_from_name(struct str name);	/* any case, compact forms too */
struct str sip_hdr_name(enum sip_hdr_id id);		/* canonical spelling; empty for SIP_H_OTHER */
