/* tests/util/test_arena.c - the message's memory: alignment, growth, limit, references. */
#include "common/util/arena.h"
#include "common/util/block.h"
#include "tests/check.h"

START_TEST(test_many)
{
	struct arena *a = arena_new(100);
	uint8_t *p[400];

	ck_assert_ptr_nonnull(a);
	for (size_t i = 0; i < 400; i++) {
		p[i] = arena_alloc(a, i + 1);
		ck_assert_ptr_nonnull(p[i]);
		ck_assert_uint_eq((uintptr_t)p[i] % 16, 0);
		memset(p[i], (int)(i & 0xff), i + 1);
	}
	for (size_t i = 0; i < 400; i++)
		for (size_t k = 0; k <= i; k++)
			ck_assert_uint_eq(p[i][k], i & 0xff);
	ck_assert_uint_gt(arena_bytes(a), 400 * 401 / 2);
	arena_unref(a);
}
END_TEST

START_TEST(test_limit)
{
	struct arena *a = arena_new(4096);
	size_t got = 0;

	ck_assert(!arena_failed(a));
	while (arena_alloc(a, 10000))
		got += 10000;
	ck_assert(arena_failed(a));		/* and stays so, although a small one fits again */
	ck_assert_ptr_nonnull(arena_alloc(a, 1));
	ck_assert(arena_failed(a));
	ck_assert_uint_gt(got, ARENA_LIMIT_BYTES * 8ull / 10);
	ck_assert_uint_le(arena_bytes(a), ARENA_LIMIT_BYTES);
	ck_assert_ptr_null(arena_alloc(a, ARENA_LIMIT_BYTES));
	ck_assert_ptr_null(arena_alloc(a, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(a, SIZE_MAX - 8));
	arena_unref(a);
	ck_assert_ptr_null(arena_new(SIZE_MAX));
	ck_assert_ptr_null(arena_new(SIZE_MAX - 8));
	ck_assert_ptr_null(arena_new(ARENA_LIMIT_BYTES));
	arena_unref(NULL);
}
END_TEST

START_TEST(test_text)
{
	struct arena *a = arena_new(0), *b = arena_ref(a);
	char big[2000];
	struct str s;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	s = arena_dup(a, STR("alice"));
	ck_assert_str_eq(s.p, "alice");
	ck_assert_uint_eq(s.l, 5);
	s = arena_dup(a, STR_NONE);
	ck_assert(s.p && s.l == 0 && s.p[0] == '\0');
	s = arena_printf(a, "%s-%d", "z9hG4bK", 7);
	ck_assert_str_eq(s.p, "z9hG4bK-7");
	s = arena_printf(a, "<%s>", big);
	ck_assert_uint_eq(s.l, sizeof(big) + 1);
	ck_assert_uint_eq(strlen(s.p), s.l);
	ck_assert(s.p[0] == '<' && s.p[s.l - 1] == '>');
	arena_unref(a);
	ck_assert_int_eq(s.p[1], 'x');		/* the other reference holds it */
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(((char *)arena_zalloc(b, 64))[63], 0);
	arena_unref(b);
}
END_TEST

START_TEST(test_pieces)
{
	struct arena *a = arena_new(1000);
	struct arena_text t = arena_text(a);
	size_t before;

	for (unsigned i = 0; i < 20000; i++)
		arena_text_item(&t, STR("ab"));
	ck_assert(!t.failed && t.l == 20000 * 4 - 2 && memcmp(t.p, "ab, ab, ab", 10) == 0);
	ck_assert_uint_lt(arena_bytes(a), 8 * t.l);		/* no square: it would be 800 MB */
	arena_text_put(&t, STR("!"));
	ck_assert_int_eq(t.p[t.l - 1], '!');
	before = t.l;
	while (!t.failed)					/* the arena is full */
		arena_text_item(&t, arena_text_str(&t));
	ck_assert(t.l >= before && memcmp(t.p, "ab, ab", 6) == 0 && t.p[t.l - 1] == '!');
	arena_text_put(&t, STR("more"));
	ck_assert_int_eq(t.p[t.l - 1], '!');
	t = arena_text(a);
	ck_assert_uint_eq(arena_text_str(&t).l, 0);
	arena_unref(a);
}
END_TEST

START_TEST(test_rewind)
{
	struct arena *a = arena_new(4096);
	struct str kept = arena_dup(a, STR("kept"));
	struct arena_mark m = arena_mark(a);
	size_t before = arena_bytes(a);
	char *p = arena_alloc(a, 100), *again;

	for (int i = 0; i < 50; i++)
		ck_assert_ptr_nonnull(memset(arena_alloc(a, 1000), 'x', 1000));
	ck_assert_uint_gt(arena_bytes(a), before + 40000);
	arena_rewind(a, m);
	ck_assert_uint_eq(arena_bytes(a), before);	/* further blocks are given back too */
	ck_assert_str_eq(kept.p, "kept");
	again = arena_alloc(a, 100);
	ck_assert_ptr_eq(again, p);
	memset(again, 'y', 100);
	arena_unref(a);
}
END_TEST

START_TEST(test_parts)		/* they go one by one, in any order, past marks; the last ones with the arena */
{
	struct arena *a = arena_new(100);
	size_t before = arena_bytes(a);
	struct arena_mark m;
	char *p[4];

	for (int i = 0; i < 4; i++) {
		p[i] = arena_part(a, 600);
		ck_assert_ptr_nonnull(p[i]);
		memset(p[i], i, 600);
	}
	m = arena_mark(a);
	ck_assert_ptr_nonnull(arena_alloc(a, 5000));
	arena_part_free(a, p[1]);
	arena_rewind(a, m);
	arena_part_free(a, p[3]);
	arena_part_free(a, NULL);
	ck_assert_uint_eq(arena_bytes(a), before + 2 * block_bytes(600 + 16));
	for (int i = 0; i < 600; i++)
		ck_assert(p[0][i] == 0 && p[2][i] == 2);
	ck_assert_ptr_null(arena_part(a, ARENA_LIMIT_BYTES));
	ck_assert(arena_failed(a));
	arena_unref(a);
}
END_TEST

TEST_MAIN("arena", TEST_ONE(test_parts), TEST_ONE(test_pieces), TEST_ONE(test_many), TEST_ONE(test_limit), TEST_ONE(test_text), TEST_ONE(test_rewind))
