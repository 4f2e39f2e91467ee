/* tests/util/test_hash.c - seeded hashing and the table that grows and shrinks. */
#include "common/util/hash.h"
#include "common/util/list.h"
#include "tests/check.h"

#define N 5000u

struct item {
	struct hnode node;
	unsigned key;
	unsigned visits;
};

static struct item items[N];

static uint64_t key_hash(unsigned k)
{
	return hash_str(str_make((const char *)&k, sizeof(k)));
}

static bool item_is(const struct hnode *n, const void *key)
{
	return container_of(n, const struct item, node)->key == *(const unsigned *)key;
}

static void visit(struct hnode *n, void *arg)
{
	struct item *it = container_of(n, struct item, node);

	it->visits++;
	if (arg && it->key % 16)
		ck_assert(htab_del(arg, n));
}

static struct hnode *find(const struct htab *t, unsigned k)
{
	return htab_find(t, key_hash(k), item_is, &k);
}

START_TEST(test_table)
{
	struct htab t;
	struct item other = { .key = 3 };

	memset(&t, 0xa5, sizeof(t));
	ck_assert_int_eq(htab_init(&t, 100), 0);
	ck_assert_uint_eq(t.n_slots, 128);
	for (unsigned i = 0; i < N; i++) {
		items[i].key = i;
		htab_add(&t, &items[i].node, key_hash(i));
		ck_assert_uint_le(t.n, t.n_slots);
	}
	for (unsigned i = 0; i < N; i++)
		ck_assert_ptr_eq(find(&t, i), &items[i].node);
	ck_assert_ptr_null(find(&t, N));
	other.node.h = key_hash(3);
	ck_assert(!htab_del(&t, &other.node));			/* equal, but not in */
	htab_each(&t, visit, &t);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_uint_eq(items[i].visits, 1);
		ck_assert((find(&t, i) != NULL) == (i % 16 == 0));
	}
	ck_assert_uint_eq(t.n, (N + 15) / 16);
	for (unsigned i = 0; i < N; i += 16)
		ck_assert(htab_del(&t, &items[i].node));
	ck_assert_uint_eq(t.n, 0);
	ck_assert_uint_eq(t.n_slots, 128);			/* not below what it was made with */
	htab_fini(&t);
}
END_TEST

START_TEST(test_same_hash)
{
	struct item a = { .key = 1 }, b = { .key = 2 };
	struct htab t;
	unsigned k = 1;

	ck_assert_int_eq(htab_init(&t, 0), 0);
	htab_add(&t, &a.node, 42);
	htab_add(&t, &b.node, 42);
	ck_assert_ptr_eq(htab_find(&t, 42, item_is, &k), &a.node);
	ck_assert(htab_del(&t, &b.node) && !htab_del(&t, &b.node));
	ck_assert_ptr_eq(htab_find(&t, 42, item_is, &k), &a.node);
	htab_fini(&t);
}
END_TEST

START_TEST(test_hashes)
{
	char a[1000], b[1000];

	ck_assert(hash_str(STR("x")) == hash_str(STR("x")) && hash_str(STR("x")) != hash_str(STR("y")));
	ck_assert(hash_str(STR_NONE) == hash_str(str_make("z", 0)));
	ck_assert(hash_istr(STR("Call-ID")) == hash_istr(STR("cALL-id")) && hash_istr(STR("@")) != hash_istr(STR("`")));
	ck_assert(hash_mix(1, 2) != hash_mix(2, 1));
	memset(a, 'q', sizeof(a));
	memset(b, 'Q', sizeof(b));
	for (size_t l = 0; l <= sizeof(a); l += 50) {
		ck_assert_uint_eq(hash_istr(str_make(a, l)), hash_istr(str_make(b, l)));
		if (l) {
			b[l - 1] = 'x';
			ck_assert_uint_ne(hash_istr(str_make(a, l)), hash_istr(str_make(b, l)));
			b[l - 1] = 'Q';
		}
	}
}
END_TEST

TEST_MAIN("hash", TEST_ONE(test_table), TEST_ONE(test_same_hash), TEST_ONE(test_hashes))
