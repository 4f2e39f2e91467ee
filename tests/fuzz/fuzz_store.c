/* tests/fuzz/fuzz_store.c - what is read back after a crash: the first octet says what the rest is.  Rows H1, F4.
 *
 *	r	a record under the key "k", with its sum put right so that the fuzzer gets behind it
 *	j	the file of a journal
 *	f	fields
 *	k	a registration of the S-CSCF
 *	d	a dialog */
#include <errno.h>
#include <stdlib.h>
#include "common/store/dialog_fields.h"
#include "common/store/fields.h"
#include "common/store/private.h"
#include "scscf/keep.h"
#include "tests/fuzz/fuzz.h"

struct any {
	struct str text;
	uint8_t small, key[8];
	uint16_t port;
	uint32_t count;
	uint64_t when;
};
static const struct field any_fields[] = {
	FIELD(1, FIELD_STR, struct any, text), FIELD(2, FIELD_U8, struct any, small), FIELD(3, FIELD_BYTES, struct any, key),
	FIELD(4, FIELD_U16, struct any, port), FIELD(5, FIELD_U32, struct any, count), FIELD(6, FIELD_U64, struct any, when), { 0 },
};

struct inside {
	struct str in;
	unsigned depth;
};

static int nested(void *arg, uint8_t number, struct str octets)
{
	struct inside *i = arg, next = { octets, i->depth + 1 };
	struct any a;

	MUST(octets.p >= i->in.p && octets.p + octets.l <= i->in.p + i->in.l && number);
	if (i->depth < 8)
		(void)fields_read(any_fields, octets, &a, nested, &next);
	return 0;
}

static void read_fields(struct str in)
{
	struct inside i = { in, 0 };
	struct any a = { 0 };
	struct buf b;

	if (fields_read(any_fields, in, &a, nested, &i) < 0)
		return;
	MUST(a.text.l == 0 || (a.text.p >= in.p && a.text.p + a.text.l <= in.p + in.l));
	buf_init(&b, in.l + 256);
	fields_write(any_fields, &a, &b);
	MUST(!b.failed);
	buf_fini(&b);
}

static void read_record(struct str in)
{
	struct record r;
	struct buf b;

	(void)record_read(STR("\4kk"), in, &r);
	/* The same octets as the value of a good record come back as they were. */
	buf_init(&b, in.l + 256);
	record_write(&(const struct record){ .table = 4, .key = STR("k"), .value = in, .expires_ms = in.l }, &b);
	MUST(!b.failed && record_read(STR("\4kk"), buf_str(&b), &r) == 0 && str_eq(r.value, in) && r.expires_ms == in.l);
	buf_fini(&b);
}

/* What was read and is written again reads the same. */
static void read_registration(struct str in)
{
	struct keep_record *k = malloc(sizeof(*k)), *again = malloc(sizeof(*again));
	struct buf b;

	if (k && again && keep_record_read(in, k) == 0) {
		buf_init(&b, KEEP_MAX_BYTES);
		keep_record_write(k, &b);
		MUST(b.failed || (keep_record_read(buf_str(&b), again) == 0 && again->n_contacts == k->n_contacts &&
				  again->n_identities == k->n_identities && again->id == k->id));
		buf_fini(&b);
	}
	free(k);
	free(again);
}

static void read_dialog(struct str in)
{
	struct dialog *d;

	if (dialog_fields_read(in, &d) == 0)
		dialog_free(d);
}

static void on_change(void *arg, const struct change *c)
{
	MUST(c->r.key.l <= STORE_MAX_KEY && c->r.value.l <= STORE_MAX_VALUE);
	++*(unsigned *)arg;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	unsigned n = 0;

	if (size == 0)
		return;
	in = str_from(in, 1);
	switch (data[0]) {
	case 'r': read_record(in); break;
	case 'j': (void)journal_replay_text(in, on_change, &n); break;
	case 'f': read_fields(in); break;
	case 'k': read_registration(in); break;
	case 'd': read_dialog(in); break;
	}
}
