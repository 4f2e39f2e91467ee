/* common/sip/body.h - what a body is made of: Content-Type (RFC 3261 §20.15), parts of a multipart body (RFC 2046 §5.1, RFC 5621).
 *
 * Slices into the message, nothing is decoded or allocated.  The cost is linear in the octets: a part is looked at once for each
 * level of nesting, of which there are at most BODY_MAX_DEPTH. */
#pragma once
#include "common/sip/msg.h"

#define BODY_MAX_PARTS 64u		/* of one multipart body; what comes behind them is not looked at */
#define BODY_MAX_DEPTH 4u
#define BODY_MAX_BOUNDARY 70u		/* octets: RFC 2046 §5.1.1 */

struct body_part {
	struct str type;		/* "application/sdp", as written; "text/plain" where none is given (RFC 2046 §5.1) */
	struct str params;		/* of the type, without the leading ';' */
	struct str disposition;		/* value of Content-Disposition; empty: none, so "render" or "session" (RFC 3261 §20.11) */
	struct str text;		/* without the line break that belongs to the delimiter behind it */
};

/* The whole body as one part.  Empty type: there is no Content-Type. */
void body_of(const struct sip_msg *m, struct body_part *ret);
bool body_is(const struct body_part *p, const char *type);	/* in any case, whatever parameters it has */

struct body_walk {
	struct str rest, boundary;
	unsigned n;			/* parts so far */
};
/* 0; -ENOENT: p is no multipart; -EBADMSG: its boundary is absent, empty, too long or has octets that cannot be in one. */
int body_parts(const struct body_part *p, struct body_walk *ret);
/* false: no more.  A last part without its closing delimiter ends with the body. */
bool body_next(struct body_walk *w, struct body_part *ret);

/* The first part of that type, however deep, in the order of the octets; the body itself when it is of that type. */
bool body_find(const struct sip_msg *m, const char *type, struct body_part *ret);
bool body_find_in(const struct body_part *all, const char *type, struct body_part *ret);
