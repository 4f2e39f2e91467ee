/* common/sip/lines.h - the logical lines of a message head, folds included: RFC 3261 §7.3.1.  Private to common/sip. */
#pragma once
#include "common/sip/hdr.h"

#define SIP_TOKEN_CHAR 1u
#define SIP_HOST_CHAR 2u
#define SIP_LWS_CHAR 4u			/* SP, HTAB, CR, LF */
extern const uint8_t sip_char_class[256];	/* RFC 3261 §25.1: token, host, LWS */

static inline bool sip_is_blank(char c)
{
	return c == ' ' || c == '\t';
}
static inline bool sip_is_token(struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if (!(sip_char_class[(unsigned char)s.p[i]] & SIP_TOKEN_CHAR))
			return false;
	return s.l > 0;
}

struct sip_line {
	struct str text;		/* without its last line end */
	unsigned folds;			/* line ends inside */
	bool lone_cr;			/* holds a CR that ends no line */
};
/* Cuts the logical line at *pos, which moves behind it.  A line end followed by SP or HTAB belongs to the line, except
 * behind an empty line, where the body starts.  false: no line end. */
bool sip_line_next(struct str raw, size_t *pos, struct sip_line *ret);
/* Splits "Name : value" of a logical line; the value is trimmed.  false: no colon, or the name is no token. */
bool sip_line_split(struct str line, struct str *name, struct str *value, enum sip_hdr_id *id);
/* Replaces the line ends inside a folded line by SP.  The text must be writable. */
void sip_line_unfold(struct str line);
