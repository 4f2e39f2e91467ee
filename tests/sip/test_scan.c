/* tests/sip/test_scan.c - looking through many octets at once: the same results with and without AVX2, and as one octet at a time
 * would give them, with nothing mapped behind the text. */
#include "common/sip/lines.h"
#include "common/util/rand.h"
#include "tests/check.h"
#include "tests/guard.h"

#define MAX_LINES 200u
#define ROUNDS 20000
#define ROOM 4096

static struct guard guard;

/* RFC 3261 §7.3.1, by the letter. */
static unsigned lines_by_hand(struct str s, size_t start, uint32_t *ret, unsigned max)
{
	uint32_t flags = 0;
	unsigned n = 0;

	for (size_t i = start, at = start; i < s.l && n < max; i++) {
		bool empty;

		if (s.p[i] == '\r' && (i + 1 == s.l || s.p[i + 1] != '\n'))
			flags |= SCAN_LF_LONE_CR;
		if (s.p[i] != '\n')
			continue;
		empty = i == at || (i == at + 1 && s.p[at] == '\r');
		if (!empty && i + 1 < s.l && (s.p[i + 1] == ' ' || s.p[i + 1] == '\t')) {
			flags |= SCAN_LF_FOLDED;
			continue;
		}
		ret[n++] = (uint32_t)i | flags;
		flags = 0;
		at = i + 1;
		if (empty)
			break;
	}
	return n;
}

static void compare_lines(struct str s, size_t start, unsigned max)
{
	uint32_t want[MAX_LINES], got[MAX_LINES];
	unsigned n = lines_by_hand(s, start, want, max);

	for (int level = SCAN_PLAIN; level <= SCAN_AVX2; level++) {
		scan_set_level((enum scan_level)level);
		ck_assert_uint_eq(scan_lines(s, start, got, max), n);
		ck_assert_int_eq(memcmp(want, got, n * sizeof(*got)), 0);
	}
}

static const char *const rows[] = {
	"", "\n", "\r\n", "\r", "a", "a\n", "a\r\n", "a\r\n\r\n", "a\n\n", "a\r\n b\r\n\r\n", "a\n\tb\nc\n\nd", "a\rb\r\n\r\n",
	"\r\r\n\r\n", "a\r\n \r\n\r\n", "\r\n b\r\n", "a\r\n\r", "a\n b",
};

START_TEST(test_lines_row)
{
	guard_init(&guard, ROOM);
	compare_lines(guard_put(&guard, str_from_c(rows[_i])), 0, MAX_LINES);
}
END_TEST

/* Few different octets, so that every neighbourhood occurs at every place of a block. */
START_TEST(test_lines_random)
{
	static const char octets[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n\n\r \t:\x8a\x8d";
	char text[600];

	guard_init(&guard, ROOM);
	for (int round = 0; round < ROUNDS; round++) {
		size_t l = rand_below(sizeof(text)), start;
		unsigned common = 1 + rand_below(sizeof(octets) - 1);
		struct str s;

		for (size_t i = 0; i < l; i++)
			text[i] = octets[sizeof(octets) - 2 - rand_below(common)];
		s = guard_put(&guard, str_make(text, l));
		start = l ? rand_below((unsigned)(l < 70 ? l : 70)) : 0;
		compare_lines(s, start, MAX_LINES);
		compare_lines(s, start, 1 + rand_below(4));
	}
}
END_TEST

START_TEST(test_sets)
{
	static uint8_t table[256];
	struct scan_set set;
	char text[100];

	guard_init(&guard, ROOM);
	for (int round = 0; round < ROUNDS; round++) {
		size_t l = rand_below(sizeof(text));
		bool all = true;
		struct str s;

		if (round % 100 == 0) {
			for (unsigned c = 0; c < 128; c++)
				table[c] = (uint8_t)rand_below(256);
			scan_set_init(&set, table, (uint8_t)(1u << rand_below(8)));
		}
		/* Mostly members, else nothing is ever all. */
		for (size_t i = 0; i < l; i++)
			do
				text[i] = (char)rand_below(256);
			while (!(table[(unsigned char)text[i]] & set.bit) && rand_below(100));
		for (size_t i = 0; i < l; i++)
			all &= (table[(unsigned char)text[i]] & set.bit) != 0;
		s = guard_put(&guard, str_make(text, l));
		for (int level = SCAN_PLAIN; level <= SCAN_AVX2; level++) {
			scan_set_level((enum scan_level)level);
			ck_assert(scan_all(&set, s) == all);
		}
	}
}
END_TEST

START_TEST(test_find)
{
	char text[80];

	guard_init(&guard, ROOM);
	for (int round = 0; round < ROUNDS; round++) {
		size_t l = rand_below(sizeof(text)), want = 0;
		struct str s;

		for (size_t i = 0; i < l; i++)
			text[i] = (char)('a' + rand_below(26));
		s = guard_put(&guard, str_make(text, l));
		while (want < l && text[want] != 'x' && text[want] != 'y' && text[want] != 'z')
			want++;
		ck_assert_uint_eq(scan_find3(s, 'x', 'y', 'z'), want);
	}
}
END_TEST

/* Every name is found in every case, and what is one octet away from it is another name. */
START_TEST(test_names)
{
	guard_init(&guard, ROOM);
	for (unsigned id = 1; id < SIP_N_HDRS; id++) {
		struct str name = sip_hdr_name((enum sip_hdr_id)id), s;
		char text[64];

		ck_assert_uint_lt(name.l, sizeof(text));
		memcpy(text, name.p, name.l);
		for (size_t i = 0; i < name.l; i++) {
			for (unsigned c = 0; c < 256; c++) {
				text[i] = (char)c;
				s = guard_put(&guard, str_make(text, name.l));
				if (str_ieq(s, name))
					ck_assert_uint_eq(sip_hdr_id_from_name(s), id);
				else
					ck_assert_uint_ne(sip_hdr_id_from_name(s), id);
			}
			text[i] = name.p[i];
		}
		s = guard_put(&guard, str_make(text, name.l - 1));
		ck_assert(sip_hdr_id_from_name(s) != id || s.l == 1);	/* "T" is To */
	}
	ck_assert_uint_eq(sip_hdr_id_from_name(STR_NONE), SIP_H_OTHER);
	ck_assert_uint_eq(sip_hdr_id_from_name(STR("\x01")), SIP_H_OTHER);
	ck_assert_uint_eq(sip_hdr_id_from_name(STR("V")), SIP_H_VIA);
}
END_TEST

TEST_MAIN("scan", TEST_ROWS(test_lines_row, rows), TEST_ONE(test_lines_random), TEST_ONE(test_sets), TEST_ONE(test_find),
	  TEST_ONE(test_names))
