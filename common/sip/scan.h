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
static inline __attribute__((always_inline)) unsigned scan_eq16(__m128i v, char a, char b, char c)
{
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(a)),
						       _mm_cmpeq_epi8(v, _mm_set1_epi8(b))), _mm_cmpeq_epi8(v, _mm_set1_epi8(c))));
}
#endif

#ifdef __SSE2__
/* Less than 16 octets: both ends in one register, the middle twice. */
static inline __attribute__((always_inline)) size_t scan_find3_short(struct str s, char a, char b, char c)
{
	size_t half = s.l >= 8 ? 8 : 4, i;
	uint64_t x = 0, y = 0;
	unsigned m;

	if (s.l >= 8) {
		memcpy(&x, s.p, 8);
		memcpy(&y, s.p + s.l - 8, 8);
	} else if (s.l >= 4) {
		memcpy(&x, s.p, 4);
		memcpy((char *)&x + 4, s.p + s.l - 4, 4);
	} else {
		for (i = 0; i < s.l && s.p[i] != a && s.p[i] != b && s.p[i] != c; i++)
			;
		return i;
	}
	m = scan_eq16(_mm_set_epi64x((long long)y, (long long)x), a, b, c) & ((1u << 2 * half) - 1);
	if (!m)
		return s.l;
	i = (unsigned)__builtin_ctz(m);
	return i < half ? i : s.l - 2 * half + i;
}
#endif

/* Index of the first a, b or c, or s.l. */
static inline __attribute__((always_inline)) size_t scan_find3(struct str s, char a, char b, char c)
{
	size_t i = 0;

#ifdef __SSE2__
	if (s.l < 16)
		return scan_find3_short(s, a, b, c);
	for (;; i = i + 32 <= s.l ? i + 16 : s.l - 16) {
		unsigned m = scan_eq16(_mm_loadu_si128((const __m128i *)(const void *)(s.p + i)), a, b, c);

		if (m)
			return i + (unsigned)__builtin_ctz(m);
		if (i + 16 == s.l)
			return s.l;
	}
#else
	while (i < s.l && s.p[i] != a && s.p[i] != b && s.p[i] != c)
		i++;
	return i;
#endif
}
