/* tests/hss/test_auc.c - SQN, vectors and resynchronisation against a USIM: TS 33.102 §6.3.2, §6.3.5, annex C; row S2. */
#include <errno.h>
#include "tests/hss/auc.h"
#include "tests/check.h"

static void subscriber(struct sub *b)
{
	size_t n;

	memset(b, 0, sizeof(*b));
	hex_decode(STR("465b5ce8b199b49faa5f0a2ee238a6bc"), b->k, 16, &n);
	hex_decode(STR("cd63cb71954a9f4e48a5994e37a02baf"), b->opc, 16, &n);
	b->amf[0] = 0x80;
	b->aka = true;
}

static const struct { uint64_t last, next; } steps[] = {
	{ 0, 0x21 }, { 0x21, 0x42 }, { 0x1f, 0x20 }, { 0x3f, 0x40 }, { 0xffffffffffe0ull, 1 }, { 0xffffffffffffull, 0 },
};

START_TEST(test_sqn_step)
{
	ck_assert_msg(auc_sqn_next(steps[_i].last) == steps[_i].next, "%llx", (unsigned long long)auc_sqn_next(steps[_i].last));
}
END_TEST

START_TEST(test_sqn_always_rises)
{
	uint64_t last = 0, next;

	for (int i = 0; i < 1000; i++, last = next) {
		next = auc_sqn_next(last);
		ck_assert_msg(next > last && (next >> 5) == (last >> 5) + 1, "after %llx", (unsigned long long)last);
	}
}
END_TEST

START_TEST(test_a_usim_takes_the_vectors_in_order)
{
	struct aka_vector v[5];
	struct milenage_out m;
	struct sub b;
	uint8_t auts[14];
	uint64_t ms = 0;

	subscriber(&b);
	for (int i = 0; i < 5; i++)
		auc_vector(&b, false, &v[i]);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(aka_usim(b.k, b.opc, v[i].rand, v[i].autn, &ms, &m, auts), 0);
		ck_assert(memcmp(m.res, v[i].xres, 8) == 0 && memcmp(m.ck, v[i].ck, 16) == 0 && memcmp(m.ik, v[i].ik, 16) == 0);
		ck_assert(v[i].autn[6] == 0x80 && v[i].autn[7] == 0);
	}
	ck_assert_uint_eq(ms, b.d.sqn);
	ck_assert_int_eq(aka_usim(b.k, b.opc, v[4].rand, v[4].autn, &ms, &m, auts), -ESTALE);
}
END_TEST

/* clients.md 10 */
START_TEST(test_no_zero_octet_in_res)
{
	struct aka_vector v;
	struct sub b;
	int with = 0;

	subscriber(&b);
	for (int i = 0; i < 2000; i++) {
		auc_vector(&b, false, &v);
		ck_assert_msg(!memchr(v.xres, 0, v.xres_len), "a RES with a zero octet");
	}
	for (int i = 0; i < 2000; i++) {	/* 3.1 %: none in 2000 has a chance of 1e-27 */
		auc_vector(&b, true, &v);
		with += memchr(v.xres, 0, v.xres_len) != NULL;
	}
	ck_assert_msg(with > 0, "the knob does nothing");
}
END_TEST

static void stale(struct sub *b, uint64_t *ms, uint8_t rand_auts[30])
{
	struct aka_vector v;
	struct milenage_out m;

	auc_vector(b, false, &v);
	memcpy(rand_auts, v.rand, 16);
	ck_assert_int_eq(aka_usim(b->k, b->opc, v.rand, v.autn, ms, &m, rand_auts + 16), -ESTALE);
}

START_TEST(test_resynchronisation_row_S2)
{
	uint8_t ra[30];
	struct milenage_out m;
	struct aka_vector v;
	struct sub b;
	uint64_t ms = 0x123456;

	subscriber(&b);
	stale(&b, &ms, ra);
	ck_assert_int_eq(auc_resync(&b, str_make((char *)ra, 29)), -EBADMSG);
	ra[29] ^= 1;
	ck_assert_int_eq(auc_resync(&b, str_make((char *)ra, 30)), -EPERM);
	ck_assert_uint_eq(b.d.sqn, 0x21);			/* a wrong MAC-S moves nothing */
	ra[29] ^= 1;
	ck_assert_int_eq(auc_resync(&b, str_make((char *)ra, 30)), 0);
	ck_assert_uint_eq(b.d.sqn, 0x123456);
	auc_vector(&b, false, &v);
	ck_assert_int_eq(aka_usim(b.k, b.opc, v.rand, v.autn, &ms, &m, ra + 16), 0);
}
END_TEST

/* TS 33.102 §6.3.5: a SQN that the USIM would accept is not reset. */
START_TEST(test_an_old_auts_does_not_take_the_counter_back)
{
	uint8_t ra[30];
	struct sub b;
	uint64_t ms = 0x123456;

	subscriber(&b);
	stale(&b, &ms, ra);
	ck_assert_int_eq(auc_resync(&b, str_make((char *)ra, 30)), 0);
	b.d.sqn = 0x200000;
	ck_assert_int_eq(auc_resync(&b, str_make((char *)ra, 30)), 0);
	ck_assert_uint_eq(b.d.sqn, 0x200000);
}
END_TEST

TEST_MAIN("auc", TEST_ROWS(test_sqn_step, steps), TEST_ONE(test_sqn_always_rises), TEST_ONE(test_a_usim_takes_the_vectors_in_order),
	  TEST_ONE(test_no_zero_octet_in_res), TEST_ONE(test_resynchronisation_row_S2),
	  TEST_ONE(test_an_old_auts_does_not_take_the_counter_back))
