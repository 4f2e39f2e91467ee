/* common/store/fields.c - structs as records.  Number (1 octet), length (4, little endian), octets. */
#include <errno.h>
#include "common/store/fields.h"
#include "common/store/private.h"

#define FIELD_HEAD 5u

void field_write(uint8_t number, struct str octets, struct buf *out)
{
	uint8_t head[FIELD_HEAD] = { number };

	le_put(head + 1, octets.l, 4);
	buf_put(out, str_make((const char *)head, sizeof(head)));
	buf_put(out, octets);
}

static size_t width(enum field_kind k)
{
	return (size_t)1 << k;		/* of the numbers */
}

static uint64_t number_at(const void *p, enum field_kind k)
{
	switch (k) {
	case FIELD_U8: return *(const uint8_t *)p;
	case FIELD_U16: return *(const uint16_t *)p;
	case FIELD_U32: return *(const uint32_t *)p;
	default: return *(const uint64_t *)p;
	}
}

static void number_set(void *p, enum field_kind k, uint64_t v)
{
	switch (k) {
	case FIELD_U8: *(uint8_t *)p = (uint8_t)v; break;
	case FIELD_U16: *(uint16_t *)p = (uint16_t)v; break;
	case FIELD_U32: *(uint32_t *)p = (uint32_t)v; break;
	default: *(uint64_t *)p = v; break;
	}
}

void fields_write(const struct field *table, const void *from, struct buf *out)
{
	for (const struct field *f = table; f->number; f++) {
		const char *p = (const char *)from + f->at;
		const struct str *s = (const struct str *)(const void *)p;
		uint8_t le[8];

		if (f->kind == FIELD_STR) {
			if (s->l)
				field_write(f->number, *s, out);
		} else if (f->kind == FIELD_BYTES) {
			field_write(f->number, str_make(p, f->size), out);
		} else if (number_at(p, f->kind)) {
			le_put(le, number_at(p, f->kind), width(f->kind));
			field_write(f->number, str_make((const char *)le, width(f->kind)), out);
		}
	}
}

static int take(const struct field *f, struct str octets, void *to)
{
	char *p = (char *)to + f->at;

	if (f->kind == FIELD_STR) {
		*(struct str *)(void *)p = octets;
		return 0;
	}
	if (octets.l != (f->kind == FIELD_BYTES ? f->size : width(f->kind)))
		return -EBADMSG;
	if (f->kind == FIELD_BYTES)
		memcpy(p, octets.p, octets.l);
	else
		number_set(p, f->kind, le_get((const uint8_t *)octets.p, octets.l));
	return 0;
}

int fields_read(const struct field *table, struct str record, void *to, int (*other)(void *arg, uint8_t number, struct str octets), void *arg)
{
	while (record.l) {
		const struct field *f = table;
		struct str octets;
		uint8_t number;
		int rc = 0;

		if (record.l < FIELD_HEAD || le_get((const uint8_t *)record.p + 1, 4) > record.l - FIELD_HEAD)
			return -EBADMSG;
		number = (uint8_t)record.p[0];
		if (!number)
			return -EBADMSG;
		octets = str_make(record.p + FIELD_HEAD, (size_t)le_get((const uint8_t *)record.p + 1, 4));
		record = str_from(record, FIELD_HEAD + octets.l);
		while (f->number && f->number != number)
			f++;
		if (f->number)
			rc = take(f, octets, to);
		else if (other)
			rc = other(arg, number, octets);
		if (rc < 0)
			return rc;
	}
	return 0;
}
