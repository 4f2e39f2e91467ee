/* common/sip/out_private.h - the edits of a struct sip_out, between out.c and out_write.c. */
#pragma once
#include "common/sip/out.h"
#include "common/sip/private.h"

enum edit_kind {
	EDIT_DROP, EDIT_DROP_NAME, EDIT_DROP_LINE, EDIT_DROP_FIRST, EDIT_SET_LINE, EDIT_PUSH, EDIT_ADD, EDIT_DROP_TOKEN,
	EDIT_ADD_TOKEN,
};

struct sip_edit {			/* never changed once it is made */
	const struct sip_edit *before;
	struct str value;		/* or the token */
	uint8_t kind;			/* enum edit_kind */
	bool named;
	uint16_t id;
	uint16_t line;			/* EDIT_DROP_LINE, EDIT_SET_LINE: its index */
};
struct sip_named_edit {			/* of a header without an id */
	struct sip_edit e;
	const char *name;
};
static inline struct str sip_edit_name(const struct sip_edit *e)
{
	return e->named ? str_from_c(((const struct sip_named_edit *)e)->name) : sip_hdr_name((enum sip_hdr_id)e->id);
}
