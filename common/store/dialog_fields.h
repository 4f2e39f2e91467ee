/* common/store/dialog_fields.h - one end of a dialog as a record: RFC 3261 §12. */
#pragma once
#include "common/dialog/dialog.h"
#include "common/store/fields.h"

void dialog_fields_write(const struct dialog *d, struct buf *out);
int dialog_fields_read(struct str record, struct dialog **ret);	/* 0, -EBADMSG, -ENOMEM */
