/* common/sip/scan.c - line ends and character classes, many octets at a time. */
#include "common/sip/scan.h"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define HAVE_AVX2 1
#define AVX2 __attribute__((target("avx2,bmi")))
#else
#define HAVE_AVX2 0
#endif

#define BLOCK 64u			/* octets looked at in one go */

static bool avx2;			/* written before main(), read by all threads */

static void __attribute__((constructor)) choose(void)
{
#if HAVE_AVX2
	__builtin_cpu_init();
	avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
#endif
}

enum scan_level scan_level(void)
{
	return avx2 ? SCAN_AVX2 : SCAN_PLAIN;
}

enum scan_level scan_set_level(enum scan_level want)
{
	choose();
	avx2 = avx2 && want == SCAN_AVX2;
	return scan_level();
}

/* ---- line ends ---- */

struct ends {				/* bit n: octet n of a block */
	uint64_t lf, cr;
};

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

static uint64_t load64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Bit n: octet n of v (in the order of memory) is `octet`. */
static uint64_t equal8(uint64_t v, uint8_t octet)
{
	uint64_t x = v ^ EACH(octet), t = ~(((x & EACH(0x7f)) + EACH(0x7f)) | x | EACH(0x7f));

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	t = __builtin_bswap64(t);
#endif
	return (t >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static inline struct ends ends_plain(const char *p)
{
	struct ends e = { 0 };

	for (unsigned i = 0; i < BLOCK; i += 8) {
		uint64_t v = load64(p + i);

		/* Most words hold nothing below 0x0e (false alarms do no harm). */
		if (((v - EACH(0x0e)) & ~v & EACH(0x80)) == 0)
			continue;
		e.lf |= equal8(v, '\n') << i;
		e.cr |= equal8(v, '\r') << i;
	}
	return e;
}

#if HAVE_AVX2
AVX2 static inline uint64_t equal64(__m256i a, __m256i b, char c)
{
	uint32_t lo = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, _mm256_set1_epi8(c)));
	uint32_t hi = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, _mm256_set1_epi8(c)));

	return lo | (uint64_t)hi << 32;
}

AVX2 static inline struct ends ends_avx2(const char *p)
{
	__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
	__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));

	return (struct ends){ equal64(a, b, '\n'), equal64(a, b, '\r') };
}
#endif

struct lines {
	struct str raw;
	size_t start;			/* of the logical line that is being read */
	uint32_t flags;
	uint32_t *ret;
	unsigned n, max;
};

/* One LF at `at`.  false: no more lines are wanted. */
static inline __attribute__((always_inline)) bool line_end(struct lines *l, size_t at)
{
	const char *p = l->raw.p;
	size_t length = at - l->start;
	bool empty = length == 0 || (length == 1 && p[l->start] == '\r');

	if (!empty && at + 1 < l->raw.l && (unsigned char)p[at + 1] <= ' ' && (p[at + 1] == ' ' || p[at + 1] == '\t')) {
		l->flags |= SCAN_LF_FOLDED;
		return true;
	}
	l->ret[l->n++] = (uint32_t)at | l->flags;
	l->start = at + 1;
	l->flags = 0;
	return !empty && l->n < l->max;
}

static inline __attribute__((always_inline)) bool block(struct lines *l, size_t base, struct ends e)
{
	uint64_t lone = e.cr & ~(e.lf >> 1);

	if (lone >> 63 && base + BLOCK < l->raw.l && l->raw.p[base + BLOCK] == '\n')
		lone &= ~(UINT64_C(1) << 63);
	for (; e.lf; e.lf &= e.lf - 1) {
		unsigned i = (unsigned)__builtin_ctzll(e.lf);

		if (lone) {
			uint64_t before = lone & ((UINT64_C(1) << i) - 1);

			l->flags |= before ? SCAN_LF_LONE_CR : 0;
			lone ^= before;
		}
		if (!line_end(l, base + i))
			return false;
	}
	if (lone)
		l->flags |= SCAN_LF_LONE_CR;
	return true;
}

/* What is left is less than a block: zeros lie behind it. */
static void last_block(struct lines *l, size_t base)
{
	char last[BLOCK] = { 0 };

	memcpy(last, l->raw.p + base, l->raw.l - base);
	block(l, base, ends_plain(last));
}

static inline __attribute__((always_inline)) void lines(struct lines *ret, struct ends (*ends)(const char *p))
{
	struct lines l = *ret;
	size_t base = l.start;

	while (base + BLOCK <= l.raw.l && block(&l, base, ends(l.raw.p + base)))
		base += BLOCK;
	if (base < l.raw.l && base + BLOCK > l.raw.l)
		last_block(&l, base);
	*ret = l;
}

static void lines_plain(struct lines *l)
{
	lines(l, ends_plain);
}

#if HAVE_AVX2
AVX2 static void lines_avx2(struct lines *l)
{
	lines(l, ends_avx2);
}
#endif

unsigned scan_lines(struct str raw, size_t start, uint32_t *ret, unsigned max)
{
	struct lines l = { .raw = raw, .start = start, .ret = ret, .max = max };

#if HAVE_AVX2
	if (avx2)
		lines_avx2(&l);
	else
#endif
		lines_plain(&l);
	return l.n;
}

/* ---- character classes ---- */

void scan_set_init(struct scan_set *s, const uint8_t table[256], uint8_t bit)
{
	*s = (struct scan_set){ .table = table, .bit = bit };
	for (unsigned c = 0; c < 128; c++)
		if (table[c] & bit)
			s->rows[c & 15] |= (uint8_t)(1u << (c >> 4));
}

static bool all_plain(const struct scan_set *set, const unsigned char *p, size_t n)
{
	const uint8_t *t = set->table;
	uint8_t acc = set->bit;
	size_t i = 0;

	for (; i + 4 <= n; i += 4)
		acc &= t[p[i]] & t[p[i + 1]] & t[p[i + 2]] & t[p[i + 3]];
	for (; i < n; i++)
		acc &= t[p[i]];
	return acc != 0;
}

#if HAVE_AVX2
#define SHORTEST 4u
/* Both halves of a character are looked up at once; an octet from 0x80 on gives no row. */
AVX2 static inline __m128i outside(__m128i rows, __m128i v)
{
	const __m128i bits = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0);
	__m128i upper = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15));
	__m128i in = _mm_and_si128(_mm_shuffle_epi8(rows, v), _mm_shuffle_epi8(bits, upper));

	return _mm_cmpeq_epi8(in, _mm_setzero_si128());
}

/* 4 to 16 octets in one register, the middle ones twice. */
AVX2 static inline __m128i load_short(const unsigned char *p, size_t n)
{
	uint32_t lo, hi;
	uint64_t a, b;

	if (n >= 8) {
		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + n - sizeof(b), sizeof(b));
	} else {
		memcpy(&lo, p, sizeof(lo));
		memcpy(&hi, p + n - sizeof(hi), sizeof(hi));
		a = b = lo | (uint64_t)hi << 32;
	}
	return _mm_set_epi64x((long long)b, (long long)a);
}

AVX2 static bool all_avx2(const struct scan_set *set, const unsigned char *p, size_t n)
{
	const __m128i rows = _mm_loadu_si128((const __m128i *)(const void *)set->rows);
	__m128i bad;

	if (n < 16)
		bad = outside(rows, load_short(p, n));
	else
		bad = outside(rows, _mm_loadu_si128((const __m128i *)(const void *)(p + n - 16)));
	for (size_t i = 0; i + 16 < n; i += 16)
		bad = _mm_or_si128(bad, outside(rows, _mm_loadu_si128((const __m128i *)(const void *)(p + i))));
	return _mm_testz_si128(bad, bad);
}
#endif

bool scan_all(const struct scan_set *set, struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

#if HAVE_AVX2
	if (avx2 && s.l >= SHORTEST)
		return all_avx2(set, p, s.l);
#endif
	return all_plain(set, p, s.l);
}
