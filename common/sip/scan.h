/* common/sip/scan.h - looking through many octets at once.  Private to common/sip.
 *
 * With AVX2 where the processor has it, else eight octets at a time in plain C: the results are equal (tests/sip/test_scan.c).
 * Nothing here reads outside of the text it is given. */
#pragma once
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "common/util/str.h"

enum scan_level { SCAN_PLAIN, SCAN_AVX2 };
enum scan_level scan_level(void);		/* in use: the best the processor has */
/* Tests and measurements only, before other threads run.  Returns what is in use then. */
enum scan_level scan_set_level(enum scan_level want);

/* A set of ASCII characters. */
struct scan_set {
	const uint8_t *table;			/* 256 entries; a character belongs to the set that has `bit` in its entry */
	uint8_t bit;
	uint8_t rows[16];			/* by the lower half of a character: one bit per upper half that belongs to it */
};
void scan_set_init(struct scan_set *s, const uint8_t table[256], uint8_t bit);
bool scan_all(const struct scan_set *set, struct str s);	/* every octet of s belongs to it */

#define SCAN_LF_MAX UINT32_C(0x3fffffff)
#define SCAN_LF_FOLDED UINT32_C(0x40000000)	/* the line goes over several */
#define SCAN_LF_LONE_CR UINT32_C(0x80000000)	/* it holds a CR that ends no line */
/* The logical lines of a message head that begins at `start`, up to and with its empty line: RFC 3261 §7.3.1, folds.
 * Writes for each the offset of the LF that ends it, and flags; at most `max` of them.  Returns how many; less than `max`:
 * the last one is the empty line, or no other line is complete.  raw.l <= SCAN_LF_MAX. */
unsigned scan_lines(struct str raw, size_t start, uint32_t *ret, unsigned max);

#ifdef __SSE2__
static inline unsigned scan_eq16(__m128i v, char a, char b, char c)
{
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(a)),
						       _mm_cmpeq_epi8(v, _mm_set1_epi8(b))), _mm_cmpeq_epi8(v, _mm_set1_epi8(c))));
}
#endif

/* Index of the first a, b or c, or s.l. */
static inline size_t scan_find3(struct str s, char a, char b, char c)
{
	size_t i = 0;

#ifdef __SSE2__
	for (; s.l - i >= 16; i += 16) {
		unsigned m = scan_eq16(_mm_loadu_si128((const __m128i *)(const void *)(s.p + i)), a, b, c);

		if (m)
			return i + (unsigned)__builtin_ctz(m);
	}
	if (s.l - i >= 8) {
		unsigned m = scan_eq16(_mm_loadl_epi64((const __m128i *)(const void *)(s.p + i)), a, b, c) & 0xff;

		if (m)
			return i + (unsigned)__builtin_ctz(m);
		i += 8;
	}
#endif
	while (i < s.l && s.p[i] != a && s.p[i] != b && s.p[i] != c)
		i++;
	return i;
}
