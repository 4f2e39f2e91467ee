/* common/store/dialog_fields.c - one end of a dialog as a record. */
#include <errno.h>
#include "common/store/dialog_fields.h"

enum { ROUTE = 100 };
static const struct field fields[] = {
	FIELD(1, FIELD_STR, struct dialog_kept, call_id),
	FIELD(2, FIELD_STR, struct dialog_kept, local_tag),
	FIELD(3, FIELD_STR, struct dialog_kept, remote_tag),
	FIELD(4, FIELD_STR, struct dialog_kept, local),
	FIELD(5, FIELD_STR, struct dialog_kept, remote),
	FIELD(6, FIELD_STR, struct dialog_kept, target),
	FIELD(7, FIELD_U32, struct dialog_kept, local_cseq),
	FIELD(8, FIELD_U32, struct dialog_kept, remote_cseq),
	FIELD(9, FIELD_U8, struct dialog_kept, remote_cseq_known),
	FIELD(10, FIELD_U8, struct dialog_kept, confirmed),
	FIELD(11, FIELD_U8, struct dialog_kept, uac),
	FIELD(12, FIELD_U32, struct dialog_kept, invite_cseq),
	{ 0 },
};

void dialog_fields_write(const struct dialog *d, struct buf *out)
{
	struct dialog_kept k;

	dialog_keep(d, &k);
	fields_write(fields, &k, out);
	for (unsigned i = 0; i < k.n_routes; i++)
		field_write(ROUTE, k.route[i], out);
}

static int on_route(void *arg, uint8_t number, struct str octets)
{
	struct dialog_kept *k = arg;

	if (number == ROUTE && k->n_routes == DIALOG_MAX_ROUTES)
		return -EBADMSG;
	if (number == ROUTE)
		k->route[k->n_routes++] = octets;
	return 0;
}

int dialog_fields_read(struct str record, struct dialog **ret)
{
	struct dialog_kept k = { .n_routes = 0 };
	int rc = fields_read(fields, record, &k, on_route, &k);

	*ret = NULL;
	return rc < 0 ? rc : dialog_restore(&k, ret);
}
