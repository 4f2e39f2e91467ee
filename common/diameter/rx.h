/* common/diameter/rx.h - Rx: what a P-CSCF (the AF) and a PCRF say to each other, as plain structs.  TS 29.214 §5.
 *
 * Application 16777236.  Unlike Cx, Rx keeps sessions: the AF makes the Session-Id of the first AAR and every later AAR, STR, ASR
 * and RAR carries it.  Texts of requests are borrowed for the call; those of a delivered answer live until the callback
 * returns, those of a delivered request until it is answered. */
#pragma once
#include "common/diameter/cx.h"

enum rx_media_type {			/* §5.3.19 */
	RX_AUDIO, RX_VIDEO, RX_DATA, RX_APPLICATION, RX_CONTROL, RX_TEXT, RX_MESSAGE, RX_OTHER = 0xffffffff,
	RX_NO_TYPE = 0xfffffffe		/* absent */
};
enum rx_flow_status { RX_ENABLED_UPLINK, RX_ENABLED_DOWNLINK, RX_ENABLED, RX_DISABLED, RX_REMOVED };		/* §5.3.11 */
enum rx_flow_usage { RX_NO_INFORMATION, RX_RTCP, RX_AF_SIGNALLING };						/* §5.3.12 */
enum rx_action {			/* Specific-Action, §5.3.13 */
	RX_CHARGING_CORRELATION = 1, RX_LOSS_OF_BEARER = 2, RX_RECOVERY_OF_BEARER = 3, RX_RELEASE_OF_BEARER = 4, RX_IP_CAN_CHANGE = 6,
	RX_OUT_OF_CREDIT = 7, RX_ALLOCATED = 8, RX_FAILED_ALLOCATION = 9, RX_LIMITED_PCC = 10, RX_USAGE_REPORT = 11,
	RX_ACCESS_NETWORK_INFO = 12
};
enum rx_abort_cause {			/* §5.3.1 */
	RX_BEARER_RELEASED, RX_INSUFFICIENT_SERVER, RX_INSUFFICIENT_BEARER, RX_PS_TO_CS_HANDOVER, RX_SPONSORED_DISALLOWED
};
enum rx_result {			/* §5.5, experimental */
	RX_TEMPORARILY_NOT_AUTHORIZED = 4261, RX_INVALID_SERVICE_INFORMATION = 5061, RX_FILTER_RESTRICTIONS = 5062,
	RX_NOT_AUTHORIZED = 5063, RX_DUPLICATED_AF_SESSION = 5064, RX_IP_CAN_SESSION_NOT_AVAILABLE = 5065,
	RX_UNAUTHORIZED_NON_EMERGENCY = 5066, RX_UNAUTHORIZED_SPONSORED = 5067, RX_TEMPORARY_NETWORK_FAILURE = 5068
};
/* And of the base protocol: RFC 6733 §7.1. */
enum { DIA_UNKNOWN_SESSION_ID = 5002 };

const char *rx_result_name(uint32_t code, bool experimental);	/* never NULL; static storage per thread */
const char *rx_action_name(uint32_t action);			/* "loss of bearer" */
const char *rx_abort_name(uint32_t cause);			/* "bearer released" */

#define RX_ABSENT UINT32_MAX		/* of numbers where 0 means something */
#define RX_MAX_MEDIA 16
#define RX_MAX_SUBS 2
#define RX_MAX_FLOWS 4
#define RX_MAX_CODECS 2
#define RX_MAX_IDS 3
#define RX_MAX_REPORTS 16

struct rx_text {			/* an AVP of its own, several times */
	struct str v;
};
struct rx_sub {				/* Media-Sub-Component */
	uint32_t number;		/* Flow-Number, from 1 */
	unsigned n_flows;
	struct rx_text flow[RX_MAX_FLOWS];	/* Flow-Description, IPFilterRule */
	uint32_t status, usage;		/* RX_ABSENT: absent */
	uint32_t protocol;		/* AF-Signalling-Protocol, §5.3.26: 1 SIP; 0: absent */
};
struct rx_media {			/* Media-Component-Description */
	uint32_t number;		/* of the m= line, from 1; 0: AF signalling */
	uint32_t type;			/* RX_NO_TYPE: absent */
	uint32_t status;		/* RX_ABSENT: absent */
	uint32_t ul_bps, dl_bps, rs_bps, rr_bps;	/* RX_ABSENT: absent */
	uint32_t reservation_priority;	/* 0: absent */
	unsigned n_subs, n_codecs;
	struct rx_sub sub[RX_MAX_SUBS];
	struct rx_text codec[RX_MAX_CODECS];	/* Codec-Data, §5.3.7 */
};
struct rx_id {				/* Subscription-Id: RFC 8506 §8.46 */
	uint32_t type;			/* 0 E.164, 1 IMSI, 2 SIP URI */
	struct str data;
};
struct rx_aar {
	struct str session_id, dest_realm, dest_host;	/* dest_host empty: by realm */
	struct str origin_host, origin_realm;		/* when received */
	struct str framed_ip;		/* 4 octets */
	struct str framed_ip6;		/* Framed-IPv6-Prefix, RFC 3162 §2.3: 0, prefix length, address */
	struct str ip_domain;
	unsigned n_ids, n_media;
	struct rx_id id[RX_MAX_IDS];
	struct str af_application, af_charging, service_urn, mps;
	uint32_t reservation_priority;	/* 0: absent */
	uint32_t service_info_status, forking, request_type;	/* RX_ABSENT: absent */
	struct cx_u32s actions, required_access;
	struct rx_media media[RX_MAX_MEDIA];
};
struct rx_access {			/* what AAA and RAR tell of the access */
	uint32_t ip_can, rat;		/* RX_ABSENT: absent; TS 29.212 §5.3.27, §5.3.31 */
	struct str user_location, ms_time_zone, serving_plmn;	/* 3GPP-User-Location-Info... TS 29.061 §16.4.7 */
	struct str charging_address;	/* Access-Network-Charging-Address */
	struct str charging_id;		/* the first Access-Network-Charging-Identifier-Value */
};
struct rx_aaa {
	struct dia_result result;
	struct str origin_host, origin_realm;
	struct rx_access access;
};
struct rx_str {
	struct str session_id, dest_realm, dest_host, origin_host;
	uint32_t cause;			/* Termination-Cause, RFC 6733 §8.15: 1 logout, 4 administrative, 8 session timeout */
	struct cx_u32s required_access;
};
struct rx_sta {
	struct dia_result result;
	struct rx_access access;
};
struct rx_asr {
	struct str session_id, dest_realm, dest_host, origin_host;
	uint32_t cause;			/* Abort-Cause; RX_ABSENT: absent */
};
struct rx_asa {
	struct dia_result result;
};
struct rx_report {			/* Flows: which ones are meant; none: all */
	uint32_t media;			/* Media-Component-Number */
	struct cx_u32s flows;
};
struct rx_rar {
	struct str session_id, dest_realm, dest_host, origin_host;
	uint32_t type;			/* Re-Auth-Request-Type: 0 */
	struct cx_u32s actions;
	unsigned n_flows;
	struct rx_report flow[RX_MAX_REPORTS];
	uint32_t abort_cause;		/* RX_ABSENT: absent */
	struct rx_access access;
};
struct rx_raa {
	struct dia_result result;
};

/* As sent when nothing is said: every number absent. */
void rx_aar_init(struct rx_aar *a);
void rx_media_init(struct rx_media *m);

typedef void (*rx_aaa_fn)(void *arg, const struct rx_aaa *a);
typedef void (*rx_sta_fn)(void *arg, const struct rx_sta *a);
typedef void (*rx_asa_fn)(void *arg, const struct rx_asa *a);
typedef void (*rx_raa_fn)(void *arg, const struct rx_raa *a);
/* As for Cx: one callback on the client's loop, never from inside the call; 0: out of memory, no callback follows. */
uint64_t rx_aar_send(struct dia_client *c, const struct rx_aar *r, rx_aaa_fn fn, void *arg);
uint64_t rx_str_send(struct dia_client *c, const struct rx_str *r, rx_sta_fn fn, void *arg);
uint64_t rx_asr_send(struct dia_client *c, const struct rx_asr *r, rx_asa_fn fn, void *arg);	/* the PCRF's side */
uint64_t rx_rar_send(struct dia_client *c, const struct rx_rar *r, rx_raa_fn fn, void *arg);

/* A new Session-Id; `tail` (digits, a worker's number) ends it and comes back by rx_session_tail(). */
#define RX_SESSION_ID_BYTES 320
void rx_session_id(char dst[RX_SESSION_ID_BYTES], unsigned tail);
int rx_session_tail(struct str session_id, unsigned *ret);	/* -EBADMSG: not one of ours */

/* Server: delivered on the loop that loop_of names (any thread; by the Session-Id's tail).  NULL: it is answered
 * UNKNOWN_SESSION_ID.  Each must be answered once, on that loop. */
struct rx_server_ops {
	struct loop *(*loop_of)(void *u, struct str session_id);
	void (*aar)(void *u, struct dia_peer_request *q, const struct rx_aar *r);	/* the PCRF's side; NULL elsewhere */
	void (*str)(void *u, struct dia_peer_request *q, const struct rx_str *r);
	void (*asr)(void *u, struct dia_peer_request *q, const struct rx_asr *r);	/* the AF's */
	void (*rar)(void *u, struct dia_peer_request *q, const struct rx_rar *r);
};
void rx_serve(const struct rx_server_ops *ops, void *u);	/* before dia_start() */
void rx_serve_end(void);					/* nothing is delivered any more */
void rx_aaa_send(struct dia_peer_request *q, const struct rx_aaa *a);
void rx_sta_send(struct dia_peer_request *q, const struct rx_sta *a);
void rx_asa_send(struct dia_peer_request *q, const struct rx_asa *a);
void rx_raa_send(struct dia_peer_request *q, const struct rx_raa *a);
