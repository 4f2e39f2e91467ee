/* common/sip/lines.h - the logical lines of a message head, folds included: RFC 3261 §7.3.1.  Private to common/sip. */
#pragma once
#include "common/sip/hdr_private.h"
#include "common/sip/scan.h"

extern struct scan_set sip_token_chars, sip_host_chars;	/* RFC 3261 §25.1; constant since before main() */
extern struct scan_set sip_call_id_chars;		/* what is visible, but for ',' */

static inline bool sip_is_blank(char c)
{
	return c == ' ' || c == '\t';
}
static inline bool sip_is_token(struct str s)
{
	return s.l > 0 && scan_all(&sip_token_chars, s);
}

struct sip_line {
	struct str text;		/* without its last line end */
	uint32_t off, len;		/* with it, in the whole text */
	uint32_t flags;			/* SCAN_LF_FOLDED: line ends inside; SCAN_LF_LONE_CR: a CR that ends no line */
};

#define SIP_LINES_AT_ONCE 48u		/* more than most heads have */
struct sip_lines {			/* of one head */
	struct str raw;
	size_t start;			/* of the next line */
	unsigned i, n;
	bool last;			/* lf[] holds the end of the head */
	uint32_t lf[SIP_LINES_AT_ONCE];
};
static inline void sip_lines_init(struct sip_lines *l, struct str raw)
{
	l->raw = raw;
	l->start = 0;
	l->i = l->n = 0;
	l->last = raw.l > SCAN_LF_MAX;
}
bool sip_lines_more(struct sip_lines *l);	/* reads lf[] anew; false: no line is left */
static inline struct sip_line sip_line_at(const char *raw, size_t start, uint32_t lf)
{
	size_t at = lf & SCAN_LF_MAX, l = at - start;

	if (l)
		l -= raw[at - 1] == '\r';
	return (struct sip_line){ .text = str_make(raw + start, l), .off = (uint32_t)start, .len = (uint32_t)(at + 1 - start),
				  .flags = lf & ~SCAN_LF_MAX };
}
/* A line end followed by SP or HTAB belongs to the line, except behind an empty line, where the body starts.
 * false: no further line end.  Behind the empty line there is nothing to be read. */
static inline bool sip_lines_next(struct sip_lines *l, struct sip_line *ret)
{
	if (l->i == l->n && !sip_lines_more(l))
		return false;
	*ret = sip_line_at(l->raw.p, l->start, l->lf[l->i++]);
	l->start += ret->len;
	return true;
}
/* Splits "Name : value" of a logical line; the value is trimmed.  false: no colon, or the name is no token. */
static inline bool sip_line_split(struct str line, struct str *name, struct str *value, enum sip_hdr_id *id)
{
	size_t n = scan_find3(line, ':', ':', ':');

	if (n == line.l)
		return false;
	*value = str_from(line, n + 1);
	if (value->l && value->p[0] == ' ')
		*value = str_from(*value, 1);
	*value = str_trim(*value);
	while (n && line.p[n - 1] <= ' ' && sip_is_blank(line.p[n - 1]))
		n--;
	*name = str_head(line, n);
	*id = hdr_id(*name);
	return *id != SIP_H_OTHER || sip_is_token(*name);
}
/* Replaces the line ends inside a folded line by SP.  The text must be writable. */
void sip_line_unfold(struct str line);
