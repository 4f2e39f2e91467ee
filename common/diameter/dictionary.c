/* common/diameter/dictionary.c - Cx and Rx in freeDiameter's dictionary, from the rows of cx_tables.c and rx_tables.c. */
#include <errno.h>
#include "common/diameter/doic.h"
#include "common/diameter/private.h"
#include "common/log/log.h"

#define MAX_CODE 2048		/* of the AVPs in use */

static struct {
	struct dictionary *d;
	struct dict_object *vendor[DIA_N_VENDORS], *application[DIA_N_APPLICATIONS];
	struct dict_object *command[DIA_N_COMMANDS][2];
	struct dict_object *avp[DIA_N_VENDORS][MAX_CODE];
} own;

/* RFC 4740 §9.5, as SIP-Digest-Authenticate uses them (TS 29.229 §6.3.36): vendor 0. */
static const struct dia_avp_def digest_avps[] = {
	{ 104, "Digest-Realm", DIA_AVP_OCTETS, true }, { 110, "Digest-QoP", DIA_AVP_OCTETS, true },
	{ 111, "Digest-Algorithm", DIA_AVP_OCTETS, true }, { 121, "Digest-HA1", DIA_AVP_OCTETS, true }, { 0 },
};
/* Of the base protocol that libfdcore defines itself. */
static const uint32_t base_avps[] = { 1, 258, 260, 261, 262, 263, 264, 266, 268, 277, 283, 285, 292, 293, 295, 296, 297, 298 };

static const uint32_t vendor_ids[DIA_N_VENDORS] = { [DIA_3GPP] = VENDOR_3GPP, [DIA_ETSI] = VENDOR_ETSI };
static const uint32_t application_ids[DIA_N_APPLICATIONS] = { [DIA_CX] = CX_APPLICATION, [DIA_RX] = RX_APPLICATION_ID };

static int find_vendor(enum dia_vendor v)
{
	static char names[DIA_N_VENDORS][8] = { [DIA_3GPP] = "3GPP", [DIA_ETSI] = "ETSI" };
	vendor_id_t id = vendor_ids[v];
	struct dict_vendor_data data = { vendor_ids[v], names[v] };
	int rc = fd_dict_search(own.d, DICT_VENDOR, VENDOR_BY_ID, &id, &own.vendor[v], ENOENT);

	return rc == ENOENT ? fd_dict_new(own.d, DICT_VENDOR, &data, NULL, &own.vendor[v]) : rc;
}

static int define_applications(void)
{
	static char names[DIA_N_APPLICATIONS][8] = { [DIA_CX] = "Cx", [DIA_RX] = "Rx" };
	int rc = 0;

	for (int i = 0; i < DIA_N_APPLICATIONS && rc == 0; i++) {
		struct dict_application_data app = { application_ids[i], names[i] };

		rc = fd_dict_new(own.d, DICT_APPLICATION, &app, own.vendor[DIA_3GPP], &own.application[i]);
	}
	return rc;
}

static int define_avps(const struct dia_avp_def *defs, enum dia_vendor vendor)
{
	static const enum dict_avp_basetype types[] = { [DIA_AVP_OCTETS] = AVP_TYPE_OCTETSTRING, [DIA_AVP_U32] = AVP_TYPE_UNSIGNED32,
							[DIA_AVP_U64] = AVP_TYPE_UNSIGNED64,
							[DIA_AVP_GROUP] = AVP_TYPE_GROUPED };
	int rc = 0;

	for (; rc == 0 && defs->code; defs++) {
		struct dict_avp_data data = {
			.avp_code = defs->code,
			.avp_vendor = vendor_ids[vendor],
			.avp_name = (char *)(uintptr_t)defs->name,
			.avp_flag_mask = AVP_FLAG_VENDOR | AVP_FLAG_MANDATORY,
			.avp_flag_val = (uint8_t)((vendor_ids[vendor] ? AVP_FLAG_VENDOR : 0) |
						  (defs->mandatory ? AVP_FLAG_MANDATORY : 0)),
			.avp_basetype = types[defs->type],
		};

		if (defs->code < MAX_CODE)
			rc = fd_dict_new(own.d, DICT_AVP, &data, NULL, &own.avp[vendor][defs->code]);
	}
	return rc;
}

static int find_base_avps(void)
{
	for (size_t i = 0; i < sizeof(base_avps) / sizeof(base_avps[0]); i++) {
		struct dict_avp_request what = { .avp_vendor = 0, .avp_code = base_avps[i] };
		int rc = fd_dict_search(own.d, DICT_AVP, AVP_BY_CODE_AND_VENDOR, &what, &own.avp[DIA_BASE][base_avps[i]], ENOENT);

		if (rc)
			return rc;
	}
	return 0;
}

/* ASR, RAR and STR are of the base protocol: the library has them (RFC 6733 §8), for every application. */
static int define_command(const struct dia_command *c, bool request, struct dict_object **ret)
{
	struct dict_cmd_data data = { c->code, (char *)(uintptr_t)(request ? c->request_name : c->answer_name),
				      (uint8_t)(CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE | (request ? CMD_FLAG_ERROR : 0)),
				      (uint8_t)((request ? CMD_FLAG_REQUEST : 0) | CMD_FLAG_PROXIABLE) };
	command_code_t code = c->code;
	int rc = fd_dict_search(own.d, DICT_COMMAND, request ? CMD_BY_CODE_R : CMD_BY_CODE_A, &code, ret, ENOENT);

	return rc == ENOENT ? fd_dict_new(own.d, DICT_COMMAND, &data, own.application[c->application], ret) : rc;
}

static int define_commands(void)
{
	int rc = 0;

	for (int i = 0; i < DIA_N_COMMANDS && rc == 0; i++) {
		rc = define_command(&dia_commands[i], true, &own.command[i][1]);
		if (rc == 0)
			rc = define_command(&dia_commands[i], false, &own.command[i][0]);
	}
	return rc;
}

static int define_all_avps(void)
{
	static const struct {
		const struct dia_avp_def *defs;
		enum dia_vendor vendor;
	} all[] = { { cx_avps, DIA_3GPP }, { digest_avps, DIA_BASE }, { doic_avps, DIA_BASE }, { rx_avps, DIA_3GPP }, { rx_base_avps, DIA_BASE },
		    { rx_etsi_avps, DIA_ETSI } };
	int rc = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && rc == 0; i++)
		rc = define_avps(all[i].defs, all[i].vendor);
	return rc;
}

int dictionary_open(struct dictionary *d)
{
	int rc;

	own.d = d;
	rc = find_vendor(DIA_3GPP);
	if (rc == 0)
		rc = find_vendor(DIA_ETSI);
	if (rc == 0)
		rc = define_applications();
	if (rc == 0)
		rc = define_all_avps();
	if (rc == 0)
		rc = find_base_avps();
	if (rc == 0)
		rc = define_commands();
	return -rc;
}

struct dictionary *dictionary_get(void)
{
	return own.d;
}

struct dict_object *dictionary_application(enum dia_application a)
{
	return own.application[a];
}

uint32_t dictionary_application_id(enum dia_application a)
{
	return application_ids[a];
}

struct dict_object *dictionary_vendor(void)
{
	return own.vendor[DIA_3GPP];
}

uint32_t dictionary_vendor_id(enum dia_vendor v)
{
	return vendor_ids[v];
}

struct dict_object *dictionary_command(enum dia_command_id c, bool request)
{
	return own.command[c][request];
}

struct dict_object *dictionary_avp(uint32_t code, enum dia_vendor vendor)
{
	return code < MAX_CODE ? own.avp[vendor][code] : NULL;
}
