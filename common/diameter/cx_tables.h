/* common/diameter/cx_tables.h - one row per AVP of each Cx command: code, kind, place in the struct.  The same rows
 * write a message and read it.  Only this folder sees it. */
#pragma once
#include "common/diameter/cx.h"

enum cx_kind {
	CX_K_STR,			/* not sent when empty */
	CX_K_U32,			/* always sent */
	CX_K_U32_OPT,			/* 0: absent */
	CX_K_U32_OR_MAX,		/* UINT32_MAX: absent */
	CX_K_BOOL,			/* always sent, 0 or 1 */
	CX_K_PRESENT,			/* a bool: sent with value 0 when true */
	CX_K_STRS, CX_K_U32S,
	CX_K_GROUP,			/* sent when something is in it, or when the bool at n_off says so */
	CX_K_ITEMS
};
struct cx_row {
	uint32_t code;
	bool base;			/* of the base protocol, not 3GPP */
	enum cx_kind kind;
	size_t off;
	const struct cx_row *sub;	/* CX_K_GROUP, CX_K_ITEMS: rows ended by code 0 */
	size_t n_off;			/* CX_K_ITEMS: the count; CX_K_GROUP: a bool that says it is there, or 0 */
};
struct cx_command {
	uint32_t code;
	const char *request_name, *answer_name;
	const struct cx_row *request, *answer;
	size_t request_size, answer_size;
};
enum cx_command_id { CX_UA, CX_SA, CX_LI, CX_MA, CX_RT, CX_PP, CX_N_COMMANDS };
extern const struct cx_command cx_commands[CX_N_COMMANDS];

/* The AVPs of vendor 10415 that the rows name, for the dictionary. */
struct cx_avp_def {
	uint32_t code;
	const char *name;
	enum { CX_AVP_OCTETS, CX_AVP_U32, CX_AVP_GROUP } type;
	bool mandatory;
};
extern const struct cx_avp_def cx_avps[];	/* ended by code 0 */
