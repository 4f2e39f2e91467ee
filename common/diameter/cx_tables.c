/* common/diameter/cx_tables.c - the six commands of TS 29.229 §6.1 as rows, and what their results are called. */
#include <stdio.h>
#include "common/diameter/tables.h"

static const struct dia_row caps_rows_uaa[] = {
	DIA_ROW(604, 3GPP, U32S, cx_uaa, caps.mandatory),
	DIA_ROW(605, 3GPP, U32S, cx_uaa, caps.optional),
	DIA_ROW(602, 3GPP, STRS, cx_uaa, caps.server_names),
	{ 0 },
};
static const struct dia_row caps_rows_lia[] = {
	DIA_ROW(604, 3GPP, U32S, cx_lia, caps.mandatory),
	DIA_ROW(605, 3GPP, U32S, cx_lia, caps.optional),
	DIA_ROW(602, 3GPP, STRS, cx_lia, caps.server_names),
	{ 0 },
};
const struct dia_row cx_uar_rows[] = {
	DIA_ROW(264, BASE, STR, cx_uar, origin_host),
	DIA_ROW(1, BASE, STR, cx_uar, impi),
	DIA_ROW(293, BASE, STR, cx_uar, dest_host),
	DIA_ROW(601, 3GPP, STR, cx_uar, impu),
	DIA_ROW(600, 3GPP, STR, cx_uar, visited_network),
	DIA_ROW(623, 3GPP, U32, cx_uar, type),
	DIA_ROW(637, 3GPP, U32_OPT, cx_uar, flags),
	{ 0 },
};
const struct dia_row cx_uaa_rows[] = {
	DIA_ROW(264, BASE, STR, cx_uaa, origin_host),
	DIA_ROW(602, 3GPP, STR, cx_uaa, server_name),
	{ 603, DIA_3GPP, DIA_K_GROUP, 0, caps_rows_uaa, offsetof(struct cx_uaa, has_caps), 0, 0 },
	{ 0 },
};
const struct dia_row cx_lir_rows[] = {
	DIA_ROW(264, BASE, STR, cx_lir, origin_host),
	DIA_ROW(293, BASE, STR, cx_lir, dest_host),
	DIA_ROW(601, 3GPP, STR, cx_lir, impu),
	DIA_ROW(633, 3GPP, PRESENT, cx_lir, originating),
	DIA_ROW(650, 3GPP, U32_OR_MAX, cx_lir, session_priority),
	{ 0 },
};
const struct dia_row cx_lia_rows[] = {
	DIA_ROW(264, BASE, STR, cx_lia, origin_host),
	DIA_ROW(602, 3GPP, STR, cx_lia, server_name),
	{ 603, DIA_3GPP, DIA_K_GROUP, 0, caps_rows_lia, offsetof(struct cx_lia, has_caps), 0, 0 },
	DIA_ROW(636, 3GPP, STR, cx_lia, wildcarded_impu),
	DIA_ROW(634, 3GPP, STR, cx_lia, wildcarded_psi),
	{ 0 },
};
static const struct dia_row digest_rows[] = {
	DIA_ROW(104, BASE, STR, cx_auth_item, digest_realm),
	DIA_ROW(111, BASE, STR, cx_auth_item, digest_algorithm),
	DIA_ROW(110, BASE, STR, cx_auth_item, digest_qop),
	DIA_ROW(121, BASE, STR, cx_auth_item, digest_ha1),
	{ 0 },
};
static const struct dia_row item_rows[] = {
	DIA_ROW(613, 3GPP, U32_OPT, cx_auth_item, number),
	DIA_ROW(608, 3GPP, STR, cx_auth_item, scheme),
	DIA_ROW(609, 3GPP, STR, cx_auth_item, authenticate),
	DIA_ROW(610, 3GPP, STR, cx_auth_item, authorization),
	DIA_ROW(625, 3GPP, STR, cx_auth_item, ck),
	DIA_ROW(626, 3GPP, STR, cx_auth_item, ik),
	DIA_ROW(8, BASE, STR, cx_auth_item, framed_ip),
	DIA_ROW(97, BASE, STR, cx_auth_item, framed_ip6),
	DIA_ROW(96, BASE, STR, cx_auth_item, framed_interface),
	{ 635, DIA_3GPP, DIA_K_GROUP, 0, digest_rows, 0, 0, 0 },
	{ 0 },
};
const struct dia_row cx_mar_rows[] = {
	DIA_ROW(264, BASE, STR, cx_mar, origin_host),
	DIA_ROW(1, BASE, STR, cx_mar, impi),
	DIA_ROW(293, BASE, STR, cx_mar, dest_host),
	DIA_ROW(601, 3GPP, STR, cx_mar, impu),
	DIA_ROW(602, 3GPP, STR, cx_mar, server_name),
	DIA_ROW(607, 3GPP, U32, cx_mar, n_items),
	{ 612, DIA_3GPP, DIA_K_GROUP, offsetof(struct cx_mar, item), item_rows, 0, 0, 0 },
	{ 0 },
};
const struct dia_row cx_maa_rows[] = {
	DIA_ROW(264, BASE, STR, cx_maa, origin_host),
	DIA_ROW(1, BASE, STR, cx_maa, impi),
	DIA_ROW(601, 3GPP, STR, cx_maa, impu),
	DIA_ROW_ITEMS(612, 3GPP, cx_maa, item, n_items, item_rows),
	{ 0 },
};
static const struct dia_row features_rows[] = {
	DIA_ROW(266, BASE, U32, cx_features, vendor),
	DIA_ROW(629, 3GPP, U32, cx_features, list),
	DIA_ROW(630, 3GPP, U32, cx_features, bits),
	{ 0 },
};
static const struct dia_row restored_rows[] = {
	DIA_ROW(640, 3GPP, STR, cx_restored, path),
	DIA_ROW(641, 3GPP, STR, cx_restored, contact),
	DIA_ROW(654, 3GPP, U32_OPT, cx_restored, cseq),
	DIA_ROW(643, 3GPP, STR, cx_restored, call_id),
	{ 0 },
};
static const struct dia_row restoration_rows[] = {
	DIA_ROW(1, BASE, STR, cx_restoration, impi),
	DIA_ROW_ITEMS(649, 3GPP, cx_restoration, v, n, restored_rows),
	{ 0 },
};
const struct dia_row cx_sar_rows[] = {
	DIA_ROW(264, BASE, STR, cx_sar, origin_host),
	DIA_ROW(1, BASE, STR, cx_sar, impi),
	DIA_ROW(293, BASE, STR, cx_sar, dest_host),
	DIA_ROW(601, 3GPP, STRS, cx_sar, impus),
	DIA_ROW(602, 3GPP, STR, cx_sar, server_name),
	DIA_ROW(614, 3GPP, U32, cx_sar, type),
	DIA_ROW(624, 3GPP, BOOL, cx_sar, user_data_available),
	DIA_ROW_ITEMS_M(628, 3GPP, cx_sar, features, n_features, features_rows),
	DIA_ROW_ITEMS(639, 3GPP, cx_sar, restoration, n_restorations, restoration_rows),
	{ 0 },
};
#define CHARGING(T) \
	DIA_ROW(621, 3GPP, STR, T, primary_ccf), DIA_ROW(622, 3GPP, STR, T, secondary_ccf), \
	DIA_ROW(619, 3GPP, STR, T, primary_ecf), DIA_ROW(620, 3GPP, STR, T, secondary_ecf), { 0 }
static const struct dia_row saa_charging[] = { CHARGING(cx_saa) };
static const struct dia_row ppr_charging[] = { CHARGING(cx_ppr) };
static const struct dia_row saa_impis[] = { DIA_ROW(1, BASE, STRS, cx_saa, associated_impis), { 0 } };
static const struct dia_row rtr_impis[] = { DIA_ROW(1, BASE, STRS, cx_rtr, associated_impis), { 0 } };
static const struct dia_row rta_impis[] = { DIA_ROW(1, BASE, STRS, cx_rta, associated_impis), { 0 } };
const struct dia_row cx_saa_rows[] = {
	DIA_ROW(264, BASE, STR, cx_saa, origin_host),
	DIA_ROW(1, BASE, STR, cx_saa, impi),
	DIA_ROW(606, 3GPP, STR, cx_saa, user_data),
	{ 618, DIA_3GPP, DIA_K_GROUP, 0, saa_charging, 0, 0, 0 },
	{ 632, DIA_3GPP, DIA_K_GROUP, 0, saa_impis, 0, 0, 0 },
	DIA_ROW_ITEMS_M(628, 3GPP, cx_saa, features, n_features, features_rows),
	DIA_ROW_ITEMS(639, 3GPP, cx_saa, restoration, n_restorations, restoration_rows),
	{ 0 },
};
static const struct dia_row reason_rows[] = {
	DIA_ROW(616, 3GPP, U32, cx_rtr, reason_code),
	DIA_ROW(617, 3GPP, STR, cx_rtr, reason_info),
	{ 0 },
};
const struct dia_row cx_rtr_rows[] = {
	DIA_ROW_ITEMS_M(628, 3GPP, cx_rtr, features, n_features, features_rows),
	DIA_ROW(264, BASE, STR, cx_rtr, origin_host),
	DIA_ROW(293, BASE, STR, cx_rtr, dest_host),
	DIA_ROW(1, BASE, STR, cx_rtr, impi),
	DIA_ROW(601, 3GPP, STRS, cx_rtr, impus),
	{ 632, DIA_3GPP, DIA_K_GROUP, 0, rtr_impis, 0, 0, 0 },
	{ 615, DIA_3GPP, DIA_K_GROUP, 0, reason_rows, 0, 0, 0 },
	{ 0 },
};
static const struct dia_row pair_rows[] = { DIA_ROW(1, BASE, STR, cx_pair, impi), DIA_ROW(601, 3GPP, STR, cx_pair, impu), { 0 } };
const struct dia_row cx_rta_rows[] = {
	{ 632, DIA_3GPP, DIA_K_GROUP, 0, rta_impis, 0, 0, 0 },
	DIA_ROW_ITEMS_M(628, 3GPP, cx_rta, features, n_features, features_rows),
	DIA_ROW_ITEMS(651, 3GPP, cx_rta, emergency, n_emergency, pair_rows),
	{ 0 },
};
const struct dia_row cx_ppr_rows[] = {
	DIA_ROW_ITEMS_M(628, 3GPP, cx_ppr, features, n_features, features_rows),
	DIA_ROW(264, BASE, STR, cx_ppr, origin_host),
	DIA_ROW(293, BASE, STR, cx_ppr, dest_host),
	DIA_ROW(1, BASE, STR, cx_ppr, impi),
	DIA_ROW(606, 3GPP, STR, cx_ppr, user_data),
	{ 618, DIA_3GPP, DIA_K_GROUP, 0, ppr_charging, 0, 0, 0 },
	{ 0 },
};
const struct dia_row cx_ppa_rows[] = { DIA_ROW_ITEMS_M(628, 3GPP, cx_ppa, features, n_features, features_rows), { 0 } };

const struct dia_avp_def cx_avps[] = {	/* TS 29.229 table 6.3.1 */
	{ 600, "Visited-Network-Identifier", DIA_AVP_OCTETS, true }, { 601, "Public-Identity", DIA_AVP_OCTETS, true },
	{ 602, "Server-Name", DIA_AVP_OCTETS, true }, { 603, "Server-Capabilities", DIA_AVP_GROUP, true },
	{ 604, "Mandatory-Capability", DIA_AVP_U32, true }, { 605, "Optional-Capability", DIA_AVP_U32, true },
	{ 606, "User-Data", DIA_AVP_OCTETS, true }, { 607, "SIP-Number-Auth-Items", DIA_AVP_U32, true },
	{ 608, "SIP-Authentication-Scheme", DIA_AVP_OCTETS, true }, { 609, "SIP-Authenticate", DIA_AVP_OCTETS, true },
	{ 610, "SIP-Authorization", DIA_AVP_OCTETS, true }, { 611, "SIP-Authentication-Context", DIA_AVP_OCTETS, true },
	{ 612, "SIP-Auth-Data-Item", DIA_AVP_GROUP, true }, { 613, "SIP-Item-Number", DIA_AVP_U32, true },
	{ 614, "Server-Assignment-Type", DIA_AVP_U32, true }, { 615, "Deregistration-Reason", DIA_AVP_GROUP, true },
	{ 616, "Reason-Code", DIA_AVP_U32, true }, { 617, "Reason-Info", DIA_AVP_OCTETS, true },
	{ 618, "Charging-Information", DIA_AVP_GROUP, true }, { 619, "Primary-Event-Charging-Function-Name", DIA_AVP_OCTETS, true },
	{ 620, "Secondary-Event-Charging-Function-Name", DIA_AVP_OCTETS, true },
	{ 621, "Primary-Charging-Collection-Function-Name", DIA_AVP_OCTETS, true },
	{ 622, "Secondary-Charging-Collection-Function-Name", DIA_AVP_OCTETS, true },
	{ 623, "User-Authorization-Type", DIA_AVP_U32, true }, { 624, "User-Data-Already-Available", DIA_AVP_U32, true },
	{ 625, "Confidentiality-Key", DIA_AVP_OCTETS, true }, { 626, "Integrity-Key", DIA_AVP_OCTETS, true },
	{ 628, "Supported-Features", DIA_AVP_GROUP, false }, { 629, "Feature-List-ID", DIA_AVP_U32, false },
	{ 630, "Feature-List", DIA_AVP_U32, false }, { 632, "Associated-Identities", DIA_AVP_GROUP, false },
	{ 633, "Originating-Request", DIA_AVP_U32, true }, { 634, "Wildcarded-Public-Identity", DIA_AVP_OCTETS, false },
	{ 635, "SIP-Digest-Authenticate", DIA_AVP_GROUP, false }, { 636, "Wildcarded-IMPU", DIA_AVP_OCTETS, false },
	{ 637, "UAR-Flags", DIA_AVP_U32, false }, { 639, "SCSCF-Restoration-Info", DIA_AVP_GROUP, false },
	{ 640, "Path", DIA_AVP_OCTETS, false }, { 641, "Contact", DIA_AVP_OCTETS, false },
	{ 643, "Call-ID-SIP-Header", DIA_AVP_OCTETS, false }, { 649, "Restoration-Info", DIA_AVP_GROUP, false }, { 650, "Session-Priority", DIA_AVP_U32, false },
	{ 651, "Identity-with-Emergency-Registration", DIA_AVP_GROUP, false },
	{ 654, "Initial-CSeq-Sequence-Number", DIA_AVP_U32, false }, { 0 },
};

uint32_t cx_features(unsigned n, const struct cx_features *v)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].vendor == 10415 && v[i].list == 1)
			return v[i].bits;
	return 0;
}

const char *cx_result_name(uint32_t code, bool experimental)
{
	static const struct {
		uint32_t code;
		bool experimental;
		const char *name;
	} names[] = {
		{ 2001, false, "SUCCESS" }, { 2002, false, "LIMITED_SUCCESS" }, { 3002, false, "UNABLE_TO_DELIVER" }, { 3004, false, "TOO_BUSY" },
		{ 3006, false, "REDIRECT_INDICATION" }, { 5003, false, "AUTHORIZATION_REJECTED" },
		{ 5005, false, "MISSING_AVP" }, { 5012, false, "UNABLE_TO_COMPLY" }, { 2001, true, "FIRST_REGISTRATION" },
		{ 2002, true, "SUBSEQUENT_REGISTRATION" }, { 2003, true, "UNREGISTERED_SERVICE" },
		{ 2004, true, "SUCCESS_SERVER_NAME_NOT_STORED" }, { 5001, true, "USER_UNKNOWN" },
		{ 5002, true, "IDENTITIES_DONT_MATCH" }, { 5003, true, "IDENTITY_NOT_REGISTERED" },
		{ 5004, true, "ROAMING_NOT_ALLOWED" }, { 5005, true, "IDENTITY_ALREADY_REGISTERED" },
		{ 5006, true, "AUTH_SCHEME_NOT_SUPPORTED" }, { 5007, true, "IN_ASSIGNMENT_TYPE" },
		{ 5008, true, "TOO_MUCH_DATA" }, { 5009, true, "NOT_SUPPORTED_USER_DATA" }, { 5011, true, "FEATURE_UNSUPPORTED" },
	};
	static _Thread_local char other[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code && names[i].experimental == experimental)
			return names[i].name;
	snprintf(other, sizeof(other), "result %u", code);
	return other;
}
