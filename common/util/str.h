/* common/util/str.h - borrowed text.
 *
 * A struct str is a view: not NUL-terminated, never freed, valid as long as what it points into.
 * Print with "%.*s", STR_ARG(s).  The empty str is {NULL, 0} or any p with l == 0. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

struct str {
	const char *p;
	size_t l;
};

#define STR_ARG(s) (int)(s).l, (s).l ? (s).p : ""
#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })	/* of a string literal */
#define STR_NONE ((struct str){ NULL, 0 })

static inline struct str str_from_c(const char *c)		/* NULL gives the empty str */
{
	return (struct str){ c, c ? strlen(c) : 0 };
}
static inline struct str str_make(const char *p, size_t l)
{
	return (struct str){ p, l };
}
static inline bool str_eq(struct str a, struct str b)
{
	return a.l == b.l && (a.l == 0 || memcmp(a.p, b.p, a.l) == 0);
}
/* ASCII case is ignored; unlike strncasecmp() it looks behind a NUL octet and at no locale. */
bool mem_ieq(const char *a, const char *b, size_t n);
static inline bool str_ieq(struct str a, struct str b)		/* ASCII case is ignored */
{
	if (a.l != b.l)
		return false;
	/* Literals are usually met in their own spelling. */
	if (__builtin_constant_p(b.l) && b.l && memcmp(a.p, b.p, b.l) == 0)
		return true;
	return mem_ieq(a.p, b.p, a.l);
}
static inline bool str_eq_c(struct str a, const char *c)
{
	return str_eq(a, str_from_c(c));
}
static inline bool str_ieq_c(struct str a, const char *c)
{
	return str_ieq(a, str_from_c(c));
}
static inline bool str_starts(struct str a, struct str prefix)
{
	return a.l >= prefix.l && (prefix.l == 0 || memcmp(a.p, prefix.p, prefix.l) == 0);
}
static inline bool str_istarts(struct str a, struct str prefix)
{
	return a.l >= prefix.l && mem_ieq(a.p, prefix.p, prefix.l);
}
static inline bool str_ends(struct str a, struct str tail)
{
	return a.l >= tail.l && (tail.l == 0 || memcmp(a.p + a.l - tail.l, tail.p, tail.l) == 0);
}
static inline struct str str_from(struct str a, size_t off)	/* the rest from `off`; off <= a.l */
{
	return (struct str){ a.p + off, a.l - off };
}
static inline struct str str_head(struct str a, size_t n)	/* the first n octets; n <= a.l */
{
	return (struct str){ a.p, n };
}

static inline ssize_t str_chr(struct str s, char c)		/* index of the first c, or -1 */
{
	const char *p = s.l ? memchr(s.p, c, s.l) : NULL;

	return p ? p - s.p : -1;
}
ssize_t str_rchr(struct str s, char c);				/* index of the last c, or -1 */
ssize_t str_find(struct str s, struct str needle);		/* index, or -1; an empty needle is nowhere */
ssize_t str_ifind(struct str s, struct str needle);		/* the same, ASCII case is ignored */
static inline bool str_is_blank(char c)
{
	return (unsigned char)c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}
static inline struct str str_trim(struct str s)			/* without SP, HTAB, CR, LF at both ends */
{
	while (s.l && str_is_blank(s.p[0]))
		s = str_from(s, 1);
	while (s.l && str_is_blank(s.p[s.l - 1]))
		s.l--;
	return s;
}
/* Splits at the first c: head before it, tail after it.  Without c: head is all, tail empty, returns false. */
static inline bool str_cut(struct str s, char c, struct str *head, struct str *tail)
{
	ssize_t i = str_chr(s, c);

	*head = i < 0 ? s : str_head(s, (size_t)i);
	*tail = i < 0 ? STR_NONE : str_from(s, (size_t)i + 1);
	return i >= 0;
}
/* All of s must be ASCII digits and fit.  Returns 0, -EBADMSG (empty, not digits), -ERANGE (too large). */
int str_to_u32(struct str s, uint32_t *ret);
int str_to_u64(struct str s, uint64_t *ret);
char *str_dup(struct str s);					/* malloc'd, NUL-terminated; NULL when out of memory */
/* Copies into a C array, truncating; always NUL-terminated.  Returns false when it did not fit. */
bool str_copy(struct str s, char *dst, size_t size);
/* Text put together in an array of `size` octets where printf() would be dear: appends what fits, a NUL behind it.  Both return the new length,
 * which is at most size - 1; l: the length so far. */
size_t str_put(char *dst, size_t size, size_t l, struct str s);
size_t str_put_int(char *dst, size_t size, size_t l, int64_t n);
bool str_const_time_eq(struct str a, struct str b);		/* for secrets: time depends on the lengths only */
/* Hex, lower case.  dst has room for 2*n+1. */
void hex_encode(const uint8_t *in, size_t n, char *dst);
int hex_decode(struct str in, uint8_t *dst, size_t size, size_t *ret_n);	/* -EBADMSG, -ENOSPC */
/* Base64 of RFC 4648 §4 (padding written, optional when read) and, with url = true, §5 without padding.
 * dst of encode has room for 4*((n+2)/3)+1; returns the length without the NUL. */
size_t base64_encode(const uint8_t *in, size_t n, bool url, char *dst);
int base64_decode(struct str in, bool url, uint8_t *dst, size_t size, size_t *ret_n);	/* -EBADMSG, -ENOSPC */
