/* scscf/pattern.h - regular expressions of filter criteria: POSIX extended ones (IEEE 1003.1 §9.4, which TS 29.228 annex F
 * names), run by PCRE2 with limits; reliability row SEC-14.
 *
 * They come from the HSS and run over what phones send.  A pattern or a text that would cost too much gives "no match" and is
 * counted; nothing here allocates once a thread has matched its first pattern. */
#pragma once
#include "common/util/str.h"

#define PATTERN_MAX_BYTES 1024u			/* of an expression */
#define PATTERN_MAX_PARENS 32u			/* nested */
#define PATTERN_MATCH_LIMIT 20000u		/* steps of one match: under a millisecond */
#define PATTERN_DEPTH_LIMIT 2000u		/* saved places */
#define PATTERN_HEAP_LIMIT_KIB 1024u

enum pattern_use {
	PATTERN_ANYWHERE,			/* somewhere in the text, as written */
	PATTERN_NAME,				/* all of the text, in any case: names of headers */
};
struct pattern;

/* 0; -EBADMSG (not an expression; *reterr says why, a static or per-thread text), -EFBIG, -ENOMEM. */
int pattern_new(struct str ere, enum pattern_use use, struct pattern **ret, const char **reterr);
void pattern_free(struct pattern *p);		/* NULL is fine */
bool pattern_matches(const struct pattern *p, struct str text);
