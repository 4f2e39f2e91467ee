/* common/diameter/tables.h - one row per AVP of each command: code, kind, place in the struct.  The same rows write a message and
 * read it.  Only this folder sees it. */
#pragma once
#include "common/diameter/cx.h"
#include "common/diameter/rx.h"

enum dia_kind {
	DIA_K_STR,			/* not sent when empty */
	DIA_K_U32,			/* always sent */
	DIA_K_U32_OPT,			/* 0: absent */
	DIA_K_U32_OR_MAX,		/* UINT32_MAX: absent */
	DIA_K_U32_OR_NONE,		/* DIA_NONE: absent, where UINT32_MAX means something */
	DIA_K_U64, DIA_K_U64_OPT,	/* the same of uint64_t */
	DIA_K_BOOL,			/* always sent, 0 or 1 */
	DIA_K_PRESENT,			/* a bool: sent with value 0 when true */
	DIA_K_STRS, DIA_K_U32S,
	DIA_K_GROUP,			/* sent when something is in it, or when the bool at n_off says so */
	DIA_K_GROUP_IF,			/* sent when the bool at n_off says so, and only then */
	DIA_K_ITEMS,			/* without rows: of struct str */
	DIA_K_ITEMS_M			/* with rows; an item begins with a bool: the M flag of its group */
};
#define DIA_NONE (UINT32_MAX - 1)
enum dia_vendor { DIA_3GPP, DIA_BASE, DIA_ETSI, DIA_N_VENDORS };	/* 10415; 0, the base protocol and IETF applications; 13019 */
struct dia_row {
	uint32_t code;
	enum dia_vendor vendor;
	enum dia_kind kind;
	size_t off;
	const struct dia_row *sub;	/* DIA_K_GROUP, DIA_K_ITEMS: rows ended by code 0 */
	size_t n_off;			/* DIA_K_ITEMS: the count; DIA_K_GROUP, _IF: a bool that says it is there, or 0 */
	size_t item_size;		/* DIA_K_ITEMS */
	unsigned item_max;
};
#define DIA_ROW(code, vendor, kind, T, m) { (code), DIA_##vendor, DIA_K_##kind, offsetof(struct T, m), NULL, 0, 0, 0 }
#define DIA_ROW_ITEMS(code, vendor, T, m, n, sub) \
	{ (code), DIA_##vendor, DIA_K_ITEMS, offsetof(struct T, m), (sub), offsetof(struct T, n), sizeof(((struct T *)0)->m[0]), \
	  sizeof(((struct T *)0)->m) / sizeof(((struct T *)0)->m[0]) }
#define DIA_ROW_ITEMS_M(code, vendor, T, m, n, sub) \
	{ (code), DIA_##vendor, DIA_K_ITEMS_M, offsetof(struct T, m), (sub), offsetof(struct T, n), sizeof(((struct T *)0)->m[0]), \
	  sizeof(((struct T *)0)->m) / sizeof(((struct T *)0)->m[0]) }
/* A group whose rows count from the same struct. */
#define DIA_ROW_GROUP(code, vendor, sub) { (code), DIA_##vendor, DIA_K_GROUP, 0, (sub), 0, 0, 0 }

enum dia_application { DIA_CX, DIA_RX, DIA_N_APPLICATIONS };
struct dia_command {
	uint32_t code;
	enum dia_application application;
	const char *request_name, *answer_name;
	const struct dia_row *request, *answer;
	size_t request_size, answer_size;
};
enum dia_command_id { CX_UA, CX_SA, CX_LI, CX_MA, CX_RT, CX_PP, RX_AA, RX_ST, RX_AS, RX_RA, DIA_N_COMMANDS };
extern const struct dia_command dia_commands[DIA_N_COMMANDS];		/* tables.c */
/* The request's member that holds this AVP of the base protocol (Session-Id, Destination-Host...); empty: none. */
struct str dia_request_text(enum dia_command_id c, const void *req, uint32_t code);
void dia_request_set_text(enum dia_command_id c, void *req, uint32_t code, struct str v);	/* nothing when it has no such member */
const char *dia_command_result_name(enum dia_command_id c, const struct dia_result *r);

extern const struct dia_row cx_uar_rows[], cx_uaa_rows[], cx_lir_rows[], cx_lia_rows[], cx_mar_rows[], cx_maa_rows[], cx_sar_rows[],
	cx_saa_rows[], cx_rtr_rows[], cx_rta_rows[], cx_ppr_rows[], cx_ppa_rows[];
extern const struct dia_row rx_aar_rows[], rx_aaa_rows[], rx_str_rows[], rx_sta_rows[], rx_asr_rows[], rx_asa_rows[], rx_rar_rows[],
	rx_raa_rows[];

/* The AVPs that the rows name, for the dictionary. */
struct dia_avp_def {
	uint32_t code;
	const char *name;
	enum { DIA_AVP_OCTETS, DIA_AVP_U32, DIA_AVP_U64, DIA_AVP_GROUP } type;
	bool mandatory;
};
extern const struct dia_avp_def cx_avps[], rx_avps[], rx_base_avps[], rx_etsi_avps[];	/* ended by code 0 */
