/* tests/store/test_fields.c - structs as records, records as the backend keeps them, changes in a journal's file; rows H1, F4. */
#include <errno.h>
#include "common/store/dialog_fields.h"
#include "common/store/fields.h"
#include "common/store/private.h"
#include "tests/check.h"

struct thing {
	struct str name, text;
	uint8_t small, key[4];
	uint16_t port;
	uint32_t count;
	uint64_t when;
};
static const struct field thing_fields[] = {
	FIELD(1, FIELD_STR, struct thing, name), FIELD(2, FIELD_STR, struct thing, text), FIELD(3, FIELD_U8, struct thing, small),
	FIELD(4, FIELD_BYTES, struct thing, key), FIELD(5, FIELD_U16, struct thing, port), FIELD(6, FIELD_U32, struct thing, count),
	FIELD(7, FIELD_U64, struct thing, when), { 0 },
};
static const struct thing thing = { STR("alice"), STR_NONE, 7, { 1, 0, 2, 3 }, 5060, 70000, UINT64_C(1) << 40 };

static int count_other(void *arg, uint8_t number, struct str octets)
{
	(void)octets;
	*(unsigned *)arg += number;
	return 0;
}

START_TEST(test_round_trip)
{
	struct thing back = { .text = STR("stays") };
	unsigned others = 0;
	struct buf b;

	buf_init(&b, 4096);
	fields_write(thing_fields, &thing, &b);
	field_write(200, STR("of a later version"), &b);
	ck_assert(!b.failed);
	ck_assert_int_eq(fields_read(thing_fields, buf_str(&b), &back, count_other, &others), 0);
	ck_assert(str_eq(back.name, thing.name) && str_eq_c(back.text, "stays"));
	ck_assert(back.small == 7 && back.port == 5060 && back.count == 70000 && back.when == thing.when);
	ck_assert_mem_eq(back.key, thing.key, 4);
	ck_assert_uint_eq(others, 200);
	buf_fini(&b);
}
END_TEST

START_TEST(test_cut_fields)
{
	struct thing back;
	struct buf b;
	unsigned good = 0;

	buf_init(&b, 4096);
	fields_write(thing_fields, &thing, &b);
	for (size_t l = 0; l < b.l; l++) {
		int rc = fields_read(thing_fields, str_make(b.p, l), &back, NULL, NULL);

		ck_assert(rc == 0 || rc == -EBADMSG);
		good += rc == 0;
	}
	ck_assert_uint_eq(good, 6);		/* between fields */
	ck_assert_int_eq(fields_read(thing_fields, str_make("\0\0\0\0\0", 5), &back, NULL, NULL), -EBADMSG);	/* no number */
	buf_fini(&b);
}
END_TEST

START_TEST(test_record)
{
	struct record r = { .table = STORE_PHONE, .key = STR("user@ims"), .value = STR("value"), .expires_ms = 12345 }, back;
	char key[RECORD_MAX_KEY], other[RECORD_MAX_KEY], long_key[300];
	struct buf b;

	buf_init(&b, 4096);
	memset(long_key, 'x', sizeof(long_key));
	for (int i = 0; i < 2; i++) {
		struct str k = record_key(r.table, r.key, key);

		buf_reset(&b);
		record_write(&r, &b);
		ck_assert_int_eq(record_read(k, buf_str(&b), &back), 0);
		ck_assert(str_eq(back.key, r.key) && str_eq(back.value, r.value) && back.expires_ms == 12345 && back.table == r.table);
		ck_assert_int_eq(record_read(record_key(r.table, STR("other@ims"), other), buf_str(&b), &back), -EBADMSG);
		for (size_t l = 0; l < b.l; l++) {
			ck_assert_int_eq(record_read(k, str_make(b.p, l), &back), -EBADMSG);
			b.p[l] ^= 0x10;
			ck_assert_int_eq(record_read(k, buf_str(&b), &back), -EBADMSG);
			b.p[l] ^= 0x10;
		}
		r.key = str_make(long_key, sizeof(long_key));
	}
	buf_fini(&b);
}
END_TEST

/* A dialog goes on where it was: RFC 3261 §12.2. */
START_TEST(test_dialog)
{
	struct dialog_kept k = { .call_id = STR("c@h"), .local_tag = STR("l"), .remote_tag = STR("r"), .local = STR("<sip:us>;tag=l"),
				 .remote = STR("<sip:them>;tag=r"), .target = STR("sip:them@1.2.3.4"), .n_routes = 2,
				 .route = { STR("<sip:a;lr>"), STR("<sip:b;lr>") }, .local_cseq = 17, .remote_cseq = 5, .remote_cseq_known = 1,
				 .confirmed = 1 }, again;
	struct dialog *d, *back;
	struct buf b;

	ck_assert_int_eq(dialog_restore(&k, &d), 0);
	buf_init(&b, 8192);
	dialog_fields_write(d, &b);
	ck_assert_int_eq(dialog_fields_read(buf_str(&b), &back), 0);
	dialog_keep(back, &again);
	ck_assert(str_eq(again.call_id, k.call_id) && str_eq(again.local, k.local) && str_eq(again.target, k.target));
	ck_assert(again.n_routes == 2 && str_eq(again.route[1], k.route[1]) && again.local_cseq == 17 && again.remote_cseq == 5);
	ck_assert(again.remote_cseq_known && again.confirmed && !again.uac);
	dialog_free(back);
	for (size_t l = 0; l < b.l; l++)
		if (dialog_fields_read(str_make(b.p, l), &back) == 0)
			dialog_free(back);
	buf_fini(&b);
	dialog_free(d);
}
END_TEST

/* ---- journals ---- */

struct seen {
	unsigned n, bad;
	uint32_t last;
};

static void on_change(void *arg, const struct change *c)
{
	struct seen *s = arg;
	uint32_t number;

	if (c->r.value.l < 4) {
		s->bad++;
		return;
	}
	memcpy(&number, c->r.value.p, 4);
	s->bad += s->n && number != s->last + 1;
	s->last = number;
	s->n++;
}

static struct str read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *p = malloc(1 << 20);
	size_t n;

	ck_assert(f && p);
	n = fread(p, 1, 1 << 20, f);
	fclose(f);
	return str_make(p, n);
}

static void write_one(struct journal *j, uint32_t number, size_t l)
{
	char value[2000] = { 0 };
	struct change c = { JOURNAL_PUT, { STORE_PHONE, STR("key"), str_make(value, l), number } };

	memcpy(value, &number, 4);
	ck_assert_int_eq(journal_write(j, &c), 0);
}

START_TEST(test_journal)
{
	const char *path = "test_journal.tmp";
	char *room = malloc(JOURNAL_ROOM);
	struct seen s = { 0 };
	struct change c;
	struct journal *j;
	struct str file;
	bool safe;

	unlink(path);
	ck_assert_int_eq(journal_new(path, 65536, &j, &safe), 0);
	ck_assert(safe);
	/* Round and round: what is left is always what was not released. */
	for (uint32_t i = 0; i < 1000; i++) {
		write_one(j, i, 4 + i * 37 % 1900);
		if (i % 7 == 6) {
			while (journal_take(j, room, &c))
				on_change(&s, &c);
			if (i < 990)
				journal_release(j);
		}
	}
	ck_assert_uint_eq(s.bad, 0);
	ck_assert_uint_eq(s.last, 993);
	journal_free(j, false);
	file = read_file(path);
	s = (struct seen){ 0 };
	ck_assert_int_eq(journal_replay(path, on_change, &s), 0);
	ck_assert(s.n == 13 && s.last == 999 && s.bad == 0);
	/* F4: a file that was cut anywhere tells the beginning of it, and nothing else. */
	for (size_t l = 0; l < file.l; l += l % 64 == 0 ? 1 : 63) {
		s = (struct seen){ 0 };
		ck_assert_int_eq(journal_replay_text(str_make(file.p, l), on_change, &s), 0);
		ck_assert(s.bad == 0 && s.n <= 13);
		ck_assert(s.n == 0 || s.last == 986 + s.n);
	}
	free((char *)(uintptr_t)file.p);
	free(room);
	unlink(path);
}
END_TEST

START_TEST(test_journal_full)
{
	struct change c = { JOURNAL_PUT, { STORE_PHONE, STR("key"), STR_NONE, 0 } };
	char value[1000] = { 0 }, *room = malloc(JOURNAL_ROOM);
	struct journal *j;
	unsigned n = 0;
	bool safe;

	c.r.value = str_make(value, sizeof(value));
	ck_assert_int_eq(journal_new("/nowhere/at/all", 65536, &j, &safe), 0);	/* in memory then */
	ck_assert(!safe);
	while (journal_write(j, &c) == 0)
		n++;
	ck_assert_uint_eq(n, 65536 / journal_need(&c));
	ck_assert(journal_half_full(j));
	while (journal_take(j, room, &c))
		n--;
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(journal_write(j, &c), -ENOSPC);
	journal_release(j);
	ck_assert_int_eq(journal_write(j, &c), 0);
	journal_free(j, true);
	free(room);
}
END_TEST

TEST_MAIN("store fields", TEST_ONE(test_round_trip), TEST_ONE(test_cut_fields), TEST_ONE(test_record), TEST_ONE(test_dialog), TEST_ONE(test_journal), TEST_ONE(test_journal_full))
