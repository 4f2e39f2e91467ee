/* common/diameter/cx_tables.c - the six commands of TS 29.229 §6.1 as rows. */
#include <stdio.h>
#include "common/diameter/cx_tables.h"

#define S(T, m) offsetof(struct T, m)

static const struct cx_row caps_rows_uaa[] = {
	{ 604, false, CX_K_U32S, S(cx_uaa, caps.mandatory), NULL, 0 },
	{ 605, false, CX_K_U32S, S(cx_uaa, caps.optional), NULL, 0 },
	{ 602, false, CX_K_STRS, S(cx_uaa, caps.server_names), NULL, 0 },
	{ 0 },
};
static const struct cx_row caps_rows_lia[] = {
	{ 604, false, CX_K_U32S, S(cx_lia, caps.mandatory), NULL, 0 },
	{ 605, false, CX_K_U32S, S(cx_lia, caps.optional), NULL, 0 },
	{ 602, false, CX_K_STRS, S(cx_lia, caps.server_names), NULL, 0 },
	{ 0 },
};
static const struct cx_row uar_rows[] = {
	{ 264, true, CX_K_STR, S(cx_uar, origin_host), NULL, 0 },
	{ 1, true, CX_K_STR, S(cx_uar, impi), NULL, 0 },
	{ 293, true, CX_K_STR, S(cx_uar, dest_host), NULL, 0 },
	{ 601, false, CX_K_STR, S(cx_uar, impu), NULL, 0 },
	{ 600, false, CX_K_STR, S(cx_uar, visited_network), NULL, 0 },
	{ 623, false, CX_K_U32, S(cx_uar, type), NULL, 0 },
	{ 637, false, CX_K_U32_OPT, S(cx_uar, flags), NULL, 0 },
	{ 0 },
};
static const struct cx_row uaa_rows[] = {
	{ 264, true, CX_K_STR, S(cx_uaa, origin_host), NULL, 0 },
	{ 602, false, CX_K_STR, S(cx_uaa, server_name), NULL, 0 },
	{ 603, false, CX_K_GROUP, 0, caps_rows_uaa, S(cx_uaa, has_caps) },
	{ 0 },
};
static const struct cx_row lir_rows[] = {
	{ 264, true, CX_K_STR, S(cx_lir, origin_host), NULL, 0 },
	{ 293, true, CX_K_STR, S(cx_lir, dest_host), NULL, 0 },
	{ 601, false, CX_K_STR, S(cx_lir, impu), NULL, 0 },
	{ 633, false, CX_K_PRESENT, S(cx_lir, originating), NULL, 0 },
	{ 650, false, CX_K_U32_OR_MAX, S(cx_lir, session_priority), NULL, 0 },
	{ 0 },
};
static const struct cx_row lia_rows[] = {
	{ 264, true, CX_K_STR, S(cx_lia, origin_host), NULL, 0 },
	{ 602, false, CX_K_STR, S(cx_lia, server_name), NULL, 0 },
	{ 603, false, CX_K_GROUP, 0, caps_rows_lia, S(cx_lia, has_caps) },
	{ 636, false, CX_K_STR, S(cx_lia, wildcarded_impu), NULL, 0 },
	{ 634, false, CX_K_STR, S(cx_lia, wildcarded_psi), NULL, 0 },
	{ 0 },
};
static const struct cx_row digest_rows[] = {
	{ 104, true, CX_K_STR, S(cx_auth_item, digest_realm), NULL, 0 },
	{ 111, true, CX_K_STR, S(cx_auth_item, digest_algorithm), NULL, 0 },
	{ 110, true, CX_K_STR, S(cx_auth_item, digest_qop), NULL, 0 },
	{ 121, true, CX_K_STR, S(cx_auth_item, digest_ha1), NULL, 0 },
	{ 0 },
};
static const struct cx_row item_rows[] = {
	{ 613, false, CX_K_U32_OPT, S(cx_auth_item, number), NULL, 0 },
	{ 608, false, CX_K_STR, S(cx_auth_item, scheme), NULL, 0 },
	{ 609, false, CX_K_STR, S(cx_auth_item, authenticate), NULL, 0 },
	{ 610, false, CX_K_STR, S(cx_auth_item, authorization), NULL, 0 },
	{ 625, false, CX_K_STR, S(cx_auth_item, ck), NULL, 0 },
	{ 626, false, CX_K_STR, S(cx_auth_item, ik), NULL, 0 },
	{ 635, false, CX_K_GROUP, 0, digest_rows, 0 },
	{ 0 },
};
static const struct cx_row mar_rows[] = {
	{ 264, true, CX_K_STR, S(cx_mar, origin_host), NULL, 0 },
	{ 1, true, CX_K_STR, S(cx_mar, impi), NULL, 0 },
	{ 293, true, CX_K_STR, S(cx_mar, dest_host), NULL, 0 },
	{ 601, false, CX_K_STR, S(cx_mar, impu), NULL, 0 },
	{ 602, false, CX_K_STR, S(cx_mar, server_name), NULL, 0 },
	{ 607, false, CX_K_U32, S(cx_mar, n_items), NULL, 0 },
	{ 612, false, CX_K_GROUP, S(cx_mar, item), item_rows, 0 },
	{ 0 },
};
static const struct cx_row maa_rows[] = {
	{ 264, true, CX_K_STR, S(cx_maa, origin_host), NULL, 0 },
	{ 1, true, CX_K_STR, S(cx_maa, impi), NULL, 0 },
	{ 601, false, CX_K_STR, S(cx_maa, impu), NULL, 0 },
	{ 612, false, CX_K_ITEMS, S(cx_maa, item), item_rows, S(cx_maa, n_items) },
	{ 0 },
};
static const struct cx_row sar_rows[] = {
	{ 264, true, CX_K_STR, S(cx_sar, origin_host), NULL, 0 },
	{ 1, true, CX_K_STR, S(cx_sar, impi), NULL, 0 },
	{ 293, true, CX_K_STR, S(cx_sar, dest_host), NULL, 0 },
	{ 601, false, CX_K_STRS, S(cx_sar, impus), NULL, 0 },
	{ 602, false, CX_K_STR, S(cx_sar, server_name), NULL, 0 },
	{ 614, false, CX_K_U32, S(cx_sar, type), NULL, 0 },
	{ 624, false, CX_K_BOOL, S(cx_sar, user_data_available), NULL, 0 },
	{ 0 },
};
#define CHARGING(T) \
	{ 621, false, CX_K_STR, S(T, primary_ccf), NULL, 0 }, { 622, false, CX_K_STR, S(T, secondary_ccf), NULL, 0 }, \
	{ 619, false, CX_K_STR, S(T, primary_ecf), NULL, 0 }, { 620, false, CX_K_STR, S(T, secondary_ecf), NULL, 0 }, { 0 }
static const struct cx_row saa_charging[] = { CHARGING(cx_saa) };
static const struct cx_row ppr_charging[] = { CHARGING(cx_ppr) };
static const struct cx_row saa_impis[] = { { 1, true, CX_K_STRS, S(cx_saa, associated_impis), NULL, 0 }, { 0 } };
static const struct cx_row rtr_impis[] = { { 1, true, CX_K_STRS, S(cx_rtr, associated_impis), NULL, 0 }, { 0 } };
static const struct cx_row rta_impis[] = { { 1, true, CX_K_STRS, S(cx_rta, associated_impis), NULL, 0 }, { 0 } };
static const struct cx_row saa_rows[] = {
	{ 264, true, CX_K_STR, S(cx_saa, origin_host), NULL, 0 },
	{ 1, true, CX_K_STR, S(cx_saa, impi), NULL, 0 },
	{ 606, false, CX_K_STR, S(cx_saa, user_data), NULL, 0 },
	{ 618, false, CX_K_GROUP, 0, saa_charging, 0 },
	{ 632, false, CX_K_GROUP, 0, saa_impis, 0 },
	{ 0 },
};
static const struct cx_row reason_rows[] = {
	{ 616, false, CX_K_U32, S(cx_rtr, reason_code), NULL, 0 },
	{ 617, false, CX_K_STR, S(cx_rtr, reason_info), NULL, 0 },
	{ 0 },
};
static const struct cx_row rtr_rows[] = {
	{ 264, true, CX_K_STR, S(cx_rtr, origin_host), NULL, 0 },
	{ 293, true, CX_K_STR, S(cx_rtr, dest_host), NULL, 0 },
	{ 1, true, CX_K_STR, S(cx_rtr, impi), NULL, 0 },
	{ 601, false, CX_K_STRS, S(cx_rtr, impus), NULL, 0 },
	{ 632, false, CX_K_GROUP, 0, rtr_impis, 0 },
	{ 615, false, CX_K_GROUP, 0, reason_rows, 0 },
	{ 0 },
};
static const struct cx_row rta_rows[] = { { 632, false, CX_K_GROUP, 0, rta_impis, 0 }, { 0 } };
static const struct cx_row ppr_rows[] = {
	{ 264, true, CX_K_STR, S(cx_ppr, origin_host), NULL, 0 },
	{ 293, true, CX_K_STR, S(cx_ppr, dest_host), NULL, 0 },
	{ 1, true, CX_K_STR, S(cx_ppr, impi), NULL, 0 },
	{ 606, false, CX_K_STR, S(cx_ppr, user_data), NULL, 0 },
	{ 618, false, CX_K_GROUP, 0, ppr_charging, 0 },
	{ 0 },
};
static const struct cx_row ppa_rows[] = { { 0 } };

const struct cx_command cx_commands[CX_N_COMMANDS] = {
	[CX_UA] = { 300, "UAR", "UAA", uar_rows, uaa_rows, sizeof(struct cx_uar), sizeof(struct cx_uaa) },
	[CX_SA] = { 301, "SAR", "SAA", sar_rows, saa_rows, sizeof(struct cx_sar), sizeof(struct cx_saa) },
	[CX_LI] = { 302, "LIR", "LIA", lir_rows, lia_rows, sizeof(struct cx_lir), sizeof(struct cx_lia) },
	[CX_MA] = { 303, "MAR", "MAA", mar_rows, maa_rows, sizeof(struct cx_mar), sizeof(struct cx_maa) },
	[CX_RT] = { 304, "RTR", "RTA", rtr_rows, rta_rows, sizeof(struct cx_rtr), sizeof(struct cx_rta) },
	[CX_PP] = { 305, "PPR", "PPA", ppr_rows, ppa_rows, sizeof(struct cx_ppr), sizeof(struct cx_ppa) },
};

const struct cx_avp_def cx_avps[] = {	/* TS 29.229 table 6.3.1 */
	{ 600, "Visited-Network-Identifier", CX_AVP_OCTETS, true }, { 601, "Public-Identity", CX_AVP_OCTETS, true },
	{ 602, "Server-Name", CX_AVP_OCTETS, true }, { 603, "Server-Capabilities", CX_AVP_GROUP, true },
	{ 604, "Mandatory-Capability", CX_AVP_U32, true }, { 605, "Optional-Capability", CX_AVP_U32, true },
	{ 606, "User-Data", CX_AVP_OCTETS, true }, { 607, "SIP-Number-Auth-Items", CX_AVP_U32, true },
	{ 608, "SIP-Authentication-Scheme", CX_AVP_OCTETS, true }, { 609, "SIP-Authenticate", CX_AVP_OCTETS, true },
	{ 610, "SIP-Authorization", CX_AVP_OCTETS, true }, { 611, "SIP-Authentication-Context", CX_AVP_OCTETS, true },
	{ 612, "SIP-Auth-Data-Item", CX_AVP_GROUP, true }, { 613, "SIP-Item-Number", CX_AVP_U32, true },
	{ 614, "Server-Assignment-Type", CX_AVP_U32, true }, { 615, "Deregistration-Reason", CX_AVP_GROUP, true },
	{ 616, "Reason-Code", CX_AVP_U32, true }, { 617, "Reason-Info", CX_AVP_OCTETS, true },
	{ 618, "Charging-Information", CX_AVP_GROUP, true }, { 619, "Primary-Event-Charging-Function-Name", CX_AVP_OCTETS, true },
	{ 620, "Secondary-Event-Charging-Function-Name", CX_AVP_OCTETS, true },
	{ 621, "Primary-Charging-Collection-Function-Name", CX_AVP_OCTETS, true },
	{ 622, "Secondary-Charging-Collection-Function-Name", CX_AVP_OCTETS, true },
	{ 623, "User-Authorization-Type", CX_AVP_U32, true }, { 624, "User-Data-Already-Available", CX_AVP_U32, true },
	{ 625, "Confidentiality-Key", CX_AVP_OCTETS, true }, { 626, "Integrity-Key", CX_AVP_OCTETS, true },
	{ 628, "Supported-Features", CX_AVP_GROUP, false }, { 629, "Feature-List-ID", CX_AVP_U32, false },
	{ 630, "Feature-List", CX_AVP_U32, false }, { 632, "Associated-Identities", CX_AVP_GROUP, false },
	{ 633, "Originating-Request", CX_AVP_U32, true }, { 634, "Wildcarded-Public-Identity", CX_AVP_OCTETS, false },
	{ 635, "SIP-Digest-Authenticate", CX_AVP_GROUP, false }, { 636, "Wildcarded-IMPU", CX_AVP_OCTETS, false },
	{ 637, "UAR-Flags", CX_AVP_U32, false }, { 650, "Session-Priority", CX_AVP_U32, false }, { 0 },
};

const char *cx_result_name(uint32_t code, bool experimental)
{
	static const struct {
		uint32_t code;
		bool experimental;
		const char *name;
	} names[] = {
		{ 2001, false, "SUCCESS" }, { 3002, false, "UNABLE_TO_DELIVER" }, { 3004, false, "TOO_BUSY" },
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
