/* common/sip/out_private.h - the edits of a struct sip_out, between out.c and out_write.c. */
#pragma once
#include "common/sip/out.h"
#include "common/sip/private.h"

enum edit_kind {
	EDIT_DROP, EDIT_DROP_NAME, EDIT_DROP_LINE, EDIT_DROP_FIRST, EDIT_SET_LINE, EDIT_PUSH, EDIT_ADD, EDIT_DROP_TOKEN,
	EDIT_ADD_TOKEN,
};

struct sip_edit {
	struct sip_edit *next;
	enum edit_kind kind;
	uint16_t id;
	struct str name;		/* of a line to add or drop */
	struct str value;		/* or the token */
	const struct sip_hdr *h;	/* EDIT_DROP_LINE, EDIT_SET_LINE */
};
