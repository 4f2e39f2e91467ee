/* common/diameter/rx_tables.c - the commands of TS 29.214 §5.6 as rows, and what their codes are called. */
#include <stdio.h>
#include "common/diameter/tables.h"

static const struct dia_row sub_rows[] = {
	DIA_ROW(509, 3GPP, U32, rx_sub, number),
	DIA_ROW_ITEMS(507, 3GPP, rx_sub, flow, n_flows, NULL),
	DIA_ROW(511, 3GPP, U32_OR_MAX, rx_sub, status),
	DIA_ROW(512, 3GPP, U32_OR_MAX, rx_sub, usage),
	DIA_ROW(529, 3GPP, U32_OPT, rx_sub, protocol),
	{ 0 },
};
static const struct dia_row media_rows[] = {
	DIA_ROW(518, 3GPP, U32, rx_media, number),
	DIA_ROW_ITEMS(519, 3GPP, rx_media, sub, n_subs, sub_rows),
	DIA_ROW(520, 3GPP, U32_OR_NONE, rx_media, type),
	DIA_ROW(516, 3GPP, U32_OR_MAX, rx_media, ul_bps),
	DIA_ROW(515, 3GPP, U32_OR_MAX, rx_media, dl_bps),
	DIA_ROW(511, 3GPP, U32_OR_MAX, rx_media, status),
	DIA_ROW(458, ETSI, U32_OPT, rx_media, reservation_priority),
	DIA_ROW(522, 3GPP, U32_OR_MAX, rx_media, rs_bps),
	DIA_ROW(521, 3GPP, U32_OR_MAX, rx_media, rr_bps),
	DIA_ROW_ITEMS(524, 3GPP, rx_media, codec, n_codecs, NULL),
	{ 0 },
};
static const struct dia_row id_rows[] = {
	DIA_ROW(450, BASE, U32, rx_id, type),
	DIA_ROW(444, BASE, STR, rx_id, data),
	{ 0 },
};
const struct dia_row rx_aar_rows[] = {
	DIA_ROW(263, BASE, STR, rx_aar, session_id),
	DIA_ROW(264, BASE, STR, rx_aar, origin_host),
	DIA_ROW(296, BASE, STR, rx_aar, origin_realm),
	DIA_ROW(283, BASE, STR, rx_aar, dest_realm),
	DIA_ROW(293, BASE, STR, rx_aar, dest_host),
	DIA_ROW(537, 3GPP, STR, rx_aar, ip_domain),
	DIA_ROW(504, 3GPP, STR, rx_aar, af_application),
	DIA_ROW_ITEMS(517, 3GPP, rx_aar, media, n_media, media_rows),
	DIA_ROW(527, 3GPP, U32_OR_MAX, rx_aar, service_info_status),
	DIA_ROW(505, 3GPP, STR, rx_aar, af_charging),
	DIA_ROW(523, 3GPP, U32_OR_MAX, rx_aar, forking),
	DIA_ROW(513, 3GPP, U32S, rx_aar, actions),
	DIA_ROW_ITEMS(443, BASE, rx_aar, id, n_ids, id_rows),
	DIA_ROW(458, ETSI, U32_OPT, rx_aar, reservation_priority),
	DIA_ROW(8, BASE, STR, rx_aar, framed_ip),
	DIA_ROW(97, BASE, STR, rx_aar, framed_ip6),
	DIA_ROW(525, 3GPP, STR, rx_aar, service_urn),
	DIA_ROW(528, 3GPP, STR, rx_aar, mps),
	DIA_ROW(533, 3GPP, U32_OR_MAX, rx_aar, request_type),
	DIA_ROW(536, 3GPP, U32S, rx_aar, required_access),
	{ 0 },
};

#define ACCESS(T) \
	DIA_ROW(1027, 3GPP, U32_OR_MAX, T, access.ip_can), DIA_ROW(1032, 3GPP, U32_OR_MAX, T, access.rat), \
	DIA_ROW(22, 3GPP, STR, T, access.user_location), DIA_ROW(23, 3GPP, STR, T, access.ms_time_zone), \
	DIA_ROW(18, 3GPP, STR, T, access.serving_plmn)
#define CHARGING(T) \
	DIA_ROW(501, 3GPP, STR, T, access.charging_address), DIA_ROW_GROUP(502, 3GPP, T##_charging)
static const struct dia_row rx_aaa_charging[] = { DIA_ROW(503, 3GPP, STR, rx_aaa, access.charging_id), { 0 } };
static const struct dia_row rx_rar_charging[] = { DIA_ROW(503, 3GPP, STR, rx_rar, access.charging_id), { 0 } };
const struct dia_row rx_aaa_rows[] = {
	DIA_ROW(264, BASE, STR, rx_aaa, origin_host),
	DIA_ROW(296, BASE, STR, rx_aaa, origin_realm),
	CHARGING(rx_aaa),
	ACCESS(rx_aaa),
	{ 0 },
};
const struct dia_row rx_str_rows[] = {
	DIA_ROW(263, BASE, STR, rx_str, session_id),
	DIA_ROW(264, BASE, STR, rx_str, origin_host),
	DIA_ROW(283, BASE, STR, rx_str, dest_realm),
	DIA_ROW(293, BASE, STR, rx_str, dest_host),
	DIA_ROW(295, BASE, U32, rx_str, cause),
	DIA_ROW(536, 3GPP, U32S, rx_str, required_access),
	{ 0 },
};
const struct dia_row rx_sta_rows[] = { ACCESS(rx_sta), { 0 } };
const struct dia_row rx_asr_rows[] = {
	DIA_ROW(263, BASE, STR, rx_asr, session_id),
	DIA_ROW(264, BASE, STR, rx_asr, origin_host),
	DIA_ROW(283, BASE, STR, rx_asr, dest_realm),
	DIA_ROW(293, BASE, STR, rx_asr, dest_host),
	DIA_ROW(500, 3GPP, U32_OR_MAX, rx_asr, cause),
	{ 0 },
};
const struct dia_row rx_asa_rows[] = { { 0 } };
static const struct dia_row report_rows[] = {
	DIA_ROW(518, 3GPP, U32, rx_report, media),
	DIA_ROW(509, 3GPP, U32S, rx_report, flows),
	{ 0 },
};
const struct dia_row rx_rar_rows[] = {
	DIA_ROW(263, BASE, STR, rx_rar, session_id),
	DIA_ROW(264, BASE, STR, rx_rar, origin_host),
	DIA_ROW(283, BASE, STR, rx_rar, dest_realm),
	DIA_ROW(293, BASE, STR, rx_rar, dest_host),
	DIA_ROW(285, BASE, U32, rx_rar, type),
	DIA_ROW(513, 3GPP, U32S, rx_rar, actions),
	CHARGING(rx_rar),
	DIA_ROW_ITEMS(510, 3GPP, rx_rar, flow, n_flows, report_rows),
	DIA_ROW(500, 3GPP, U32_OR_MAX, rx_rar, abort_cause),
	ACCESS(rx_rar),
	{ 0 },
};
const struct dia_row rx_raa_rows[] = { { 0 } };

const struct dia_avp_def rx_avps[] = {	/* TS 29.214 tables 5.3.1, 5.4.1 */
	{ 18, "3GPP-SGSN-MCC-MNC", DIA_AVP_OCTETS, false }, { 22, "3GPP-User-Location-Info", DIA_AVP_OCTETS, false },
	{ 23, "3GPP-MS-TimeZone", DIA_AVP_OCTETS, false }, { 500, "Abort-Cause", DIA_AVP_U32, true },
	{ 501, "Access-Network-Charging-Address", DIA_AVP_OCTETS, true },
	{ 502, "Access-Network-Charging-Identifier", DIA_AVP_GROUP, true },
	{ 503, "Access-Network-Charging-Identifier-Value", DIA_AVP_OCTETS, true },
	{ 504, "AF-Application-Identifier", DIA_AVP_OCTETS, true }, { 505, "AF-Charging-Identifier", DIA_AVP_OCTETS, true },
	{ 507, "Flow-Description", DIA_AVP_OCTETS, true }, { 509, "Flow-Number", DIA_AVP_U32, true },
	{ 510, "Flows", DIA_AVP_GROUP, true }, { 511, "Flow-Status", DIA_AVP_U32, true }, { 512, "Flow-Usage", DIA_AVP_U32, true },
	{ 513, "Specific-Action", DIA_AVP_U32, true }, { 515, "Max-Requested-Bandwidth-DL", DIA_AVP_U32, true },
	{ 516, "Max-Requested-Bandwidth-UL", DIA_AVP_U32, true }, { 517, "Media-Component-Description", DIA_AVP_GROUP, true },
	{ 518, "Media-Component-Number", DIA_AVP_U32, true }, { 519, "Media-Sub-Component", DIA_AVP_GROUP, true },
	{ 520, "Media-Type", DIA_AVP_U32, true }, { 521, "RR-Bandwidth", DIA_AVP_U32, true },
	{ 522, "RS-Bandwidth", DIA_AVP_U32, true }, { 523, "SIP-Forking-Indication", DIA_AVP_U32, true },
	{ 524, "Codec-Data", DIA_AVP_OCTETS, true }, { 525, "Service-URN", DIA_AVP_OCTETS, true },
	{ 526, "Acceptable-Service-Info", DIA_AVP_GROUP, true }, { 527, "Service-Info-Status", DIA_AVP_U32, true },
	{ 528, "MPS-Identifier", DIA_AVP_OCTETS, true }, { 529, "AF-Signalling-Protocol", DIA_AVP_U32, false },
	{ 533, "Rx-Request-Type", DIA_AVP_U32, false }, { 536, "Required-Access-Info", DIA_AVP_U32, false },
	{ 537, "IP-Domain-Id", DIA_AVP_OCTETS, false }, { 1027, "IP-CAN-Type", DIA_AVP_U32, true },
	{ 1032, "RAT-Type", DIA_AVP_U32, false }, { 0 },
};
const struct dia_avp_def rx_base_avps[] = {	/* RFC 4005, RFC 8506 */
	{ 8, "Framed-IP-Address", DIA_AVP_OCTETS, true }, { 96, "Framed-Interface-Id", DIA_AVP_OCTETS, true }, { 97, "Framed-IPv6-Prefix", DIA_AVP_OCTETS, true },
	{ 443, "Subscription-Id", DIA_AVP_GROUP, true }, { 444, "Subscription-Id-Data", DIA_AVP_OCTETS, true },
	{ 450, "Subscription-Id-Type", DIA_AVP_U32, true }, { 0 },
};
const struct dia_avp_def rx_etsi_avps[] = {	/* TS 183 017 §7.3 */
	{ 458, "Reservation-Priority", DIA_AVP_U32, false }, { 0 },
};

struct code_name {
	uint32_t code;
	const char *name;
};

static const char *find(const struct code_name *names, uint32_t code)
{
	static _Thread_local char other[32];

	for (; names->name; names++)
		if (names->code == code)
			return names->name;
	snprintf(other, sizeof(other), "code %u", code);
	return other;
}

const char *rx_result_name(uint32_t code, bool experimental)
{
	static const struct code_name names[] = {
		{ RX_TEMPORARILY_NOT_AUTHORIZED, "REQUESTED_SERVICE_TEMPORARILY_NOT_AUTHORIZED" },
		{ RX_INVALID_SERVICE_INFORMATION, "INVALID_SERVICE_INFORMATION" }, { RX_FILTER_RESTRICTIONS, "FILTER_RESTRICTIONS" },
		{ RX_NOT_AUTHORIZED, "REQUESTED_SERVICE_NOT_AUTHORIZED" }, { RX_DUPLICATED_AF_SESSION, "DUPLICATED_AF_SESSION" },
		{ RX_IP_CAN_SESSION_NOT_AVAILABLE, "IP-CAN_SESSION_NOT_AVAILABLE" },
		{ RX_UNAUTHORIZED_NON_EMERGENCY, "UNAUTHORIZED_NON_EMERGENCY_SESSION" },
		{ RX_UNAUTHORIZED_SPONSORED, "UNAUTHORIZED_SPONSORED_DATA_CONNECTIVITY" },
		{ RX_TEMPORARY_NETWORK_FAILURE, "TEMPORARY_NETWORK_FAILURE" }, { 0, NULL },
	};

	if (experimental)
		return find(names, code);
	return code == DIA_UNKNOWN_SESSION_ID ? "UNKNOWN_SESSION_ID" : cx_result_name(code, false);
}

const char *rx_action_name(uint32_t action)
{
	static const struct code_name names[] = {
		{ RX_CHARGING_CORRELATION, "charging correlation" }, { RX_LOSS_OF_BEARER, "loss of bearer" },
		{ RX_RECOVERY_OF_BEARER, "recovery of bearer" }, { RX_RELEASE_OF_BEARER, "release of bearer" },
		{ RX_IP_CAN_CHANGE, "access change" }, { RX_OUT_OF_CREDIT, "out of credit" }, { RX_ALLOCATED, "resources allocated" },
		{ RX_FAILED_ALLOCATION, "resources not allocated" }, { RX_LIMITED_PCC, "limited policy control" },
		{ RX_USAGE_REPORT, "usage report" }, { RX_ACCESS_NETWORK_INFO, "access network information" }, { 0, NULL },
	};

	return find(names, action);
}

const char *rx_abort_name(uint32_t cause)
{
	static const struct code_name names[] = {
		{ RX_BEARER_RELEASED, "bearer released" }, { RX_INSUFFICIENT_SERVER, "insufficient server resources" },
		{ RX_INSUFFICIENT_BEARER, "insufficient bearer resources" }, { RX_PS_TO_CS_HANDOVER, "handover to circuit switched" },
		{ RX_SPONSORED_DISALLOWED, "sponsored connectivity disallowed" }, { RX_ABSENT, "no cause" }, { 0, NULL },
	};

	return find(names, cause);
}

void rx_media_init(struct rx_media *m)
{
	*m = (struct rx_media){ .type = RX_NO_TYPE, .status = RX_ABSENT, .ul_bps = RX_ABSENT, .dl_bps = RX_ABSENT,
				.rs_bps = RX_ABSENT, .rr_bps = RX_ABSENT };
}

void rx_aar_init(struct rx_aar *a)
{
	memset(a, 0, sizeof(*a));
	a->service_info_status = a->forking = a->request_type = RX_ABSENT;
}
