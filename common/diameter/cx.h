/* common/diameter/cx.h - Cx/Dx: the six commands as plain structs.  TS 29.228 §6, TS 29.229 §6.
 *
 * Application 16777216, vendor 10415.  Both directions come from one table per command (cx_tables.c): the S-CSCF's
 * encoder is the lab HSS's decoder.  struct str members of requests are borrowed for the call; those of a delivered
 * answer live until the callback returns, those of a delivered request until it is answered: copy what is kept. */
#pragma once
#include "common/diameter/dia.h"

#define CX_MAX_LIST 32
struct cx_strs {
	unsigned n;
	struct str v[CX_MAX_LIST];
};
struct cx_u32s {
	unsigned n;
	uint32_t v[CX_MAX_LIST];
};

enum cx_uar_type { CX_UAR_REGISTRATION, CX_UAR_DE_REGISTRATION, CX_UAR_REGISTRATION_AND_CAPABILITIES };
enum cx_sar_type {			/* TS 29.229 §6.3.15 */
	CX_SAR_NO_ASSIGNMENT, CX_SAR_REGISTRATION, CX_SAR_RE_REGISTRATION, CX_SAR_UNREGISTERED_USER,
	CX_SAR_TIMEOUT_DEREGISTRATION, CX_SAR_USER_DEREGISTRATION, CX_SAR_TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME,
	CX_SAR_USER_DEREGISTRATION_STORE_SERVER_NAME, CX_SAR_ADMINISTRATIVE_DEREGISTRATION,
	CX_SAR_AUTHENTICATION_FAILURE, CX_SAR_AUTHENTICATION_TIMEOUT, CX_SAR_DEREGISTRATION_TOO_MUCH_DATA,
	CX_SAR_AAA_USER_DATA_REQUEST, CX_SAR_PGW_UPDATE, CX_SAR_RESTORATION
};
enum cx_result {			/* TS 29.229 §6.2 and RFC 6733 §7.1; experimental ones are marked E */
	DIA_SUCCESS = 2001, DIA_LIMITED_SUCCESS = 2002, DIA_UNABLE_TO_DELIVER = 3002, DIA_TOO_BUSY = 3004, DIA_REDIRECT_INDICATION = 3006,
	DIA_AUTHORIZATION_REJECTED = 5003, DIA_UNABLE_TO_COMPLY = 5012, DIA_MISSING_AVP = 5005,
	CX_FIRST_REGISTRATION = 2001 /* E */, CX_SUBSEQUENT_REGISTRATION = 2002, CX_UNREGISTERED_SERVICE = 2003,
	CX_SERVER_NAME_NOT_STORED = 2004, CX_USER_UNKNOWN = 5001, CX_IDENTITIES_DONT_MATCH = 5002,
	CX_IDENTITY_NOT_REGISTERED = 5003, CX_ROAMING_NOT_ALLOWED = 5004, CX_IDENTITY_ALREADY_REGISTERED = 5005,
	CX_AUTH_SCHEME_NOT_SUPPORTED = 5006, CX_IN_ASSIGNMENT_TYPE = 5007, CX_TOO_MUCH_DATA = 5008,
	CX_NOT_SUPPORTED_USER_DATA = 5009, CX_FEATURE_UNSUPPORTED = 5011
};
const char *cx_result_name(uint32_t code, bool experimental);	/* "USER_UNKNOWN"; "result 5999" never NULL (static storage per thread) */

#define CX_UAR_FLAG_EMERGENCY 1u			/* TS 29.229 §6.3.44, bit 0 */
struct cx_uar {
	struct str impi, impu, visited_network;
	uint32_t type;
	uint32_t flags;				/* UAR-Flags, CX_UAR_FLAG_...; 0: not sent */
	struct str dest_host;			/* empty: by realm */
	struct str origin_host;			/* when received */
};
struct cx_caps {
	struct cx_u32s mandatory, optional;
	struct cx_strs server_names;
};
struct cx_uaa {
	struct dia_result result;
	struct str server_name;			/* empty: none */
	bool has_caps;
	struct cx_caps caps;
	struct str origin_host;
};
struct cx_lir {
	struct str impu;
	bool originating;			/* Originating-Request */
	uint32_t session_priority;		/* UINT32_MAX: absent */
	struct str dest_host;
	struct str origin_host;			/* when received */
};
struct cx_lia {
	struct dia_result result;
	struct str server_name;
	bool has_caps;
	struct cx_caps caps;
	struct str wildcarded_impu, wildcarded_psi;
	struct str origin_host;
};

#define CX_MAX_VECTORS 5
struct cx_auth_item {			/* SIP-Auth-Data-Item */
	uint32_t number;			/* SIP-Item-Number; 0: absent */
	struct str scheme;			/* "Digest-AKAv1-MD5", "SIP Digest", "GIBA", "Unknown" */
	struct str authenticate;		/* RAND||AUTN; resync request: empty */
	struct str authorization;		/* XRES; resync request: RAND||AUTS */
	struct str ck, ik;
	struct str framed_ip, framed_ip6, framed_interface;	/* GIBA: 4 octets; as RFC 3162 §2.3 has a prefix; 8 octets */
	struct str digest_realm, digest_ha1, digest_qop, digest_algorithm;	/* SIP-Digest-Authenticate */
};
struct cx_mar {
	struct str impi, impu, server_name;
	uint32_t n_items;			/* SIP-Number-Auth-Items */
	struct cx_auth_item item;		/* scheme, and authorization for a resync */
	bool vital;				/* for an emergency: overload spares it; not sent */
	struct str dest_host;
	struct str origin_host;			/* when received */
};
struct cx_maa {
	struct dia_result result;
	struct str impi, impu;
	unsigned n_items;
	struct cx_auth_item item[CX_MAX_VECTORS];	/* by SIP-Item-Number */
	struct str origin_host;
};
/* Supported-Features, TS 29.229 §6.3.29, §7.2: what the sender can do. */
#define CX_MAX_FEATURES 2
#define CX_FEATURE_SIFC 1u		/* bits of list 1, §7.1.1: shared filter criteria */
#define CX_FEATURE_ALIAS 2u
#define CX_FEATURE_RESTORATION 4u	/* SCSCF-Restoration-Info is stored and given back: TS 23.380 */
#define CX_FEATURES_OURS (CX_FEATURE_SIFC | CX_FEATURE_ALIAS | CX_FEATURE_RESTORATION)
struct cx_features {
	bool mandatory;			/* M: who cannot do all of it refuses with 5011 */
	uint32_t vendor, list, bits;
};
static inline struct cx_features cx_features_make(uint32_t bits)
{
	return (struct cx_features){ false, 10415, 1, bits };
}
/* SCSCF-Restoration-Info, §6.3.46 to §6.3.52: what an S-CSCF needs to serve a user whom it has forgotten. */
#define CX_MAX_RESTORED 8
#define CX_MAX_RESTORATIONS 4
struct cx_restored {			/* Restoration-Info: one contact */
	struct str path;		/* values of Path, with commas */
	struct str contact;		/* value of Contact, with its expires */
	struct str call_id;
	uint32_t cseq;			/* 0: not told */
};
struct cx_restoration {			/* of one private identity */
	struct str impi;
	unsigned n;
	struct cx_restored v[CX_MAX_RESTORED];
};
struct cx_sar {
	struct str impi;			/* may be empty for UNREGISTERED_USER */
	struct cx_strs impus;
	struct str server_name;
	uint32_t type;
	bool user_data_available;		/* User-Data-Already-Available */
	bool vital;				/* as in a MAR */
	unsigned n_features, n_restorations;
	struct cx_features features[CX_MAX_FEATURES];
	struct cx_restoration restoration[1];
	struct str dest_host;
	struct str origin_host;			/* when received */
};
struct cx_saa {
	struct dia_result result;
	struct str impi;
	struct str user_data;			/* XML; empty: none */
	struct str primary_ccf, secondary_ccf, primary_ecf, secondary_ecf;	/* Charging-Information */
	struct cx_strs associated_impis;
	unsigned n_features, n_restorations;
	struct cx_features features[CX_MAX_FEATURES];
	struct cx_restoration restoration[CX_MAX_RESTORATIONS];
	struct str origin_host;
};
uint32_t cx_features(unsigned n, const struct cx_features *v);	/* bits of list 1 of 3GPP */
struct cx_rtr {
	struct str impi;
	struct cx_strs associated_impis, impus;
	uint32_t reason_code;			/* 0 permanent, 1 new server, 2 server change, 3 remove S-CSCF */
	struct str reason_info;
	unsigned n_features;
	struct cx_features features[CX_MAX_FEATURES];
	struct str dest_host;			/* when sending */
	struct str origin_host;			/* when received */
};
struct cx_pair {				/* Identity-with-Emergency-Registration, §6.3.57 */
	struct str impi, impu;
};
struct cx_rta {
	struct dia_result result;
	struct cx_strs associated_impis;
	unsigned n_emergency;
	struct cx_pair emergency[CX_MAX_LIST + 1];	/* what stays, since it is registered for emergencies */
	unsigned n_features;
	struct cx_features features[CX_MAX_FEATURES];
};
struct cx_ppr {
	struct str impi;
	struct str user_data;			/* empty: none */
	struct str primary_ccf, secondary_ccf, primary_ecf, secondary_ecf;
	unsigned n_features;
	struct cx_features features[CX_MAX_FEATURES];
	struct str dest_host, origin_host;
};
struct cx_ppa {
	struct dia_result result;
	unsigned n_features;
	struct cx_features features[CX_MAX_FEATURES];
};

/* Client: the callback runs once on the client's loop - never from inside the call.  Returns a request id for
 * dia_client_cancel(), or 0 when even that failed (out of memory: no callback follows). */
typedef void (*cx_uaa_fn)(void *arg, const struct cx_uaa *a);
typedef void (*cx_lia_fn)(void *arg, const struct cx_lia *a);
typedef void (*cx_maa_fn)(void *arg, const struct cx_maa *a);
typedef void (*cx_saa_fn)(void *arg, const struct cx_saa *a);
typedef void (*cx_rta_fn)(void *arg, const struct cx_rta *a);
typedef void (*cx_ppa_fn)(void *arg, const struct cx_ppa *a);
uint64_t cx_uar_send(struct dia_client *c, const struct cx_uar *r, cx_uaa_fn fn, void *arg);
uint64_t cx_lir_send(struct dia_client *c, const struct cx_lir *r, cx_lia_fn fn, void *arg);
uint64_t cx_mar_send(struct dia_client *c, const struct cx_mar *r, cx_maa_fn fn, void *arg);
uint64_t cx_sar_send(struct dia_client *c, const struct cx_sar *r, cx_saa_fn fn, void *arg);
uint64_t cx_rtr_send(struct dia_client *c, const struct cx_rtr *r, cx_rta_fn fn, void *arg);	/* lab HSS */
uint64_t cx_ppr_send(struct dia_client *c, const struct cx_ppr *r, cx_ppa_fn fn, void *arg);	/* lab HSS */
/* Where requests go: realm (dia_config.realm unless set) and host (none unless set). */
void cx_set_destination(const char *realm, const char *host);		/* before the first request */

/* Server: what a peer asks of us, delivered on `l`.  A RTR or PPR that demands features which an S-CSCF of ours has not is answered 5011 and
 * does not come (TS 29.229 §7.2).  Each request must be answered once, later if need be; an
 * unanswered one is answered UNABLE_TO_COMPLY after the request timeout. */
struct cx_server_ops {
	void (*rtr)(void *u, struct dia_peer_request *q, const struct cx_rtr *r);
	void (*ppr)(void *u, struct dia_peer_request *q, const struct cx_ppr *r);
	void (*uar)(void *u, struct dia_peer_request *q, const struct cx_uar *r);	/* lab HSS: NULL elsewhere */
	void (*lir)(void *u, struct dia_peer_request *q, const struct cx_lir *r);
	void (*mar)(void *u, struct dia_peer_request *q, const struct cx_mar *r);
	void (*sar)(void *u, struct dia_peer_request *q, const struct cx_sar *r);
};
void cx_serve(struct loop *l, const struct cx_server_ops *ops, void *u);	/* before dia_start */
void cx_rta_send(struct dia_peer_request *q, const struct cx_rta *a);
void cx_ppa_send(struct dia_peer_request *q, const struct cx_ppa *a);
void cx_uaa_send(struct dia_peer_request *q, const struct cx_uaa *a);
void cx_lia_send(struct dia_peer_request *q, const struct cx_lia *a);
void cx_maa_send(struct dia_peer_request *q, const struct cx_maa *a);
void cx_saa_send(struct dia_peer_request *q, const struct cx_saa *a);
