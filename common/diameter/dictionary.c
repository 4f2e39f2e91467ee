/* common/diameter/dictionary.c - the Cx application in freeDiameter's dictionary, from the rows of cx_tables.c. */
#include <errno.h>
#include "common/diameter/private.h"
#include "common/log/log.h"

#define MAX_CODE 1024		/* of the AVPs in use */

static struct {
	struct dictionary *d;
	struct dict_object *vendor, *application;
	struct dict_object *command[CX_N_COMMANDS][2];
	struct dict_object *avp[2][MAX_CODE];		/* [base]: by code */
} own;

/* RFC 4740 §9.5, as SIP-Digest-Authenticate uses them (TS 29.229 §6.3.36): vendor 0. */
static const struct cx_avp_def digest_avps[] = {
	{ 104, "Digest-Realm", CX_AVP_OCTETS, true }, { 110, "Digest-QoP", CX_AVP_OCTETS, true },
	{ 111, "Digest-Algorithm", CX_AVP_OCTETS, true }, { 121, "Digest-HA1", CX_AVP_OCTETS, true }, { 0 },
};
/* Of the base protocol that libfdcore defines itself. */
static const uint32_t base_avps[] = { 1, 258, 260, 263, 264, 266, 268, 277, 283, 293, 296, 297, 298 };

static int find_vendor(void)
{
	vendor_id_t id = VENDOR_3GPP;
	static char name[] = "3GPP";
	struct dict_vendor_data data = { VENDOR_3GPP, name };
	int rc = fd_dict_search(own.d, DICT_VENDOR, VENDOR_BY_ID, &id, &own.vendor, ENOENT);

	return rc == ENOENT ? fd_dict_new(own.d, DICT_VENDOR, &data, NULL, &own.vendor) : rc;
}

static int define_avps(const struct cx_avp_def *defs, uint32_t vendor)
{
	static const enum dict_avp_basetype types[] = { [CX_AVP_OCTETS] = AVP_TYPE_OCTETSTRING, [CX_AVP_U32] = AVP_TYPE_UNSIGNED32,
							[CX_AVP_GROUP] = AVP_TYPE_GROUPED };
	int rc = 0;

	for (; rc == 0 && defs->code; defs++) {
		struct dict_avp_data data = {
			.avp_code = defs->code,
			.avp_vendor = vendor,
			.avp_name = (char *)(uintptr_t)defs->name,
			.avp_flag_mask = AVP_FLAG_VENDOR | AVP_FLAG_MANDATORY,
			.avp_flag_val = (uint8_t)((vendor ? AVP_FLAG_VENDOR : 0) | (defs->mandatory ? AVP_FLAG_MANDATORY : 0)),
			.avp_basetype = types[defs->type],
		};

		if (defs->code < MAX_CODE)
			rc = fd_dict_new(own.d, DICT_AVP, &data, NULL, &own.avp[vendor == 0][defs->code]);
	}
	return rc;
}

static int find_base_avps(void)
{
	for (size_t i = 0; i < sizeof(base_avps) / sizeof(base_avps[0]); i++) {
		struct dict_avp_request what = { .avp_vendor = 0, .avp_code = base_avps[i] };
		int rc = fd_dict_search(own.d, DICT_AVP, AVP_BY_CODE_AND_VENDOR, &what, &own.avp[1][base_avps[i]], ENOENT);

		if (rc)
			return rc;
	}
	return 0;
}

static int define_commands(void)
{
	int rc = 0;

	for (int i = 0; i < CX_N_COMMANDS && rc == 0; i++) {
		const struct cx_command *c = &cx_commands[i];
		struct dict_cmd_data req = { c->code, (char *)(uintptr_t)c->request_name,
					     CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE | CMD_FLAG_ERROR,
					     CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE };
		struct dict_cmd_data ans = { c->code, (char *)(uintptr_t)c->answer_name, CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE,
					     CMD_FLAG_PROXIABLE };

		rc = fd_dict_new(own.d, DICT_COMMAND, &req, own.application, &own.command[i][1]);
		if (rc == 0)
			rc = fd_dict_new(own.d, DICT_COMMAND, &ans, own.application, &own.command[i][0]);
	}
	return rc;
}

int dictionary_open(struct dictionary *d)
{
	static char name[] = "Cx";
	struct dict_application_data app = { CX_APPLICATION, name };
	int rc;

	own.d = d;
	rc = find_vendor();
	if (rc == 0)
		rc = fd_dict_new(d, DICT_APPLICATION, &app, own.vendor, &own.application);
	if (rc == 0)
		rc = define_avps(cx_avps, VENDOR_3GPP);
	if (rc == 0)
		rc = define_avps(digest_avps, 0);
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

struct dict_object *dictionary_application(void)
{
	return own.application;
}

struct dict_object *dictionary_vendor(void)
{
	return own.vendor;
}

struct dict_object *dictionary_command(enum cx_command_id c, bool request)
{
	return own.command[c][request];
}

struct dict_object *dictionary_avp(uint32_t code, bool base)
{
	return code < MAX_CODE ? own.avp[base][code] : NULL;
}
