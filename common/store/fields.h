/* common/store/fields.h - structs as records: a table says which member has which number.
 *
 * A field is its number, its length and its octets.  What a reader does not know it leaves out, what is missing stays as it was: a record
 * of an earlier or later version can be read.  A new member is one row with a new number; numbers are never used again. */
#pragma once
#include "common/util/bytes.h"

enum field_kind {
	FIELD_U8, FIELD_U16, FIELD_U32, FIELD_U64,	/* of that size; bool is FIELD_U8 */
	FIELD_STR,					/* struct str; read: borrowed from the record */
	FIELD_BYTES,					/* an array of `size` octets */
};
struct field {
	uint8_t number;			/* 1..255; 0 ends a table */
	enum field_kind kind;
	size_t at, size;		/* offsetof; of FIELD_BYTES */
};
#define FIELD(n, k, type, member) { (n), (k), offsetof(type, member), sizeof(((type *)0)->member) }

void fields_write(const struct field *table, const void *from, struct buf *out);	/* empty texts and zeros are left out */
void field_write(uint8_t number, struct str octets, struct buf *out);			/* one that stands in no table, e.g. nested */
/* Fills what `table` names; each other field goes to other(), unless NULL, in order; it returns 0 or -errno.  0, -EBADMSG, what other() said. */
int fields_read(const struct field *table, struct str record, void *to, int (*other)(void *arg, uint8_t number, struct str octets), void *arg);
