/* common/transport/stream.c - framing of a byte stream: RFC 3261 §18.3, keep-alives: RFC 5626 §4.4.1. */
#include <errno.h>
#include <stdlib.h>
#include "common/sip/msg.h"
#include "common/transport/stream.h"

void stream_init(struct stream *s, size_t max_message_bytes)
{
	*s = (struct stream){ .max = max_message_bytes };
}

void stream_fini(struct stream *s)
{
	free(s->p);
	*s = (struct stream){ .max = s->max };
}

void stream_trim(struct stream *s)
{
	if (s->start == s->end)
		stream_fini(s);
}

char *stream_room(struct stream *s, size_t *ret_room)
{
	if (s->start) {
		memmove(s->p, s->p + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
	if (s->cap - s->end < STREAM_CHUNK_BYTES) {
		size_t cap = s->cap * 2 > s->end + STREAM_CHUNK_BYTES ? s->cap * 2 : s->end + STREAM_CHUNK_BYTES;
		char *p = realloc(s->p, cap);

		if (!p)
			return NULL;
		s->p = p;
		s->cap = cap;
	}
	*ret_room = s->cap - s->end;
	return s->p + s->end;
}

void stream_filled(struct stream *s, size_t n)
{
	s->end += n;
}

static struct str unread(const struct stream *s)
{
	return str_make(s->p + s->start, s->end - s->start);
}

static struct str take(struct stream *s, size_t n)
{
	struct str r = str_make(s->p + s->start, n);

	s->start += n;
	s->scanned = s->need = 0;
	return r;
}

/* Is there a line end right behind a line end?  Only then framing is worth a try.  *ret_l: octets up to there. */
static bool head_ends(struct stream *s, struct str in, size_t *ret_l)
{
	size_t i = s->scanned;
	const char *lf;

	while (i < in.l && (lf = memchr(in.p + i, '\n', in.l - i)) != NULL) {
		size_t at = (size_t)(lf - in.p);

		if (at + 1 < in.l && (in.p[at + 1] == '\n' || (in.p[at + 1] == '\r' && at + 2 < in.l && in.p[at + 2] == '\n'))) {
			*ret_l = at + (in.p[at + 1] == '\n' ? 2 : 3);
			return true;
		}
		if (at + 2 >= in.l) {		/* undecided: look at this one again */
			s->scanned = at;
			return false;
		}
		i = at + 1;
	}
	s->scanned = in.l;
	return false;
}

static enum stream_event lost(struct stream *s, enum stream_event what, struct str *ret)
{
	*ret = take(s, s->end - s->start);
	return what;
}

static enum stream_event between_messages(struct stream *s, struct str in, struct str *ret)
{
	if (in.p[0] == '\r' && in.l == 1)
		return STREAM_MORE;
	if (in.p[0] != '\r' || in.p[1] != '\n') {		/* a bare CR or LF: RFC 3261 §7.5 says ignore */
		*ret = take(s, 1);
		return STREAM_PONG;
	}
	if (in.l == 2 || (in.l == 3 && in.p[2] == '\r'))	/* perhaps the first half of a ping */
		return STREAM_MORE;
	if (in.p[2] == '\r' && in.p[3] == '\n') {
		*ret = take(s, 4);
		return STREAM_PING;
	}
	*ret = take(s, 2);
	return STREAM_PONG;
}

enum stream_event stream_next(struct stream *s, struct str *ret)
{
	struct str in = unread(s);
	size_t len;
	int rc;

	*ret = STR_NONE;
	if (in.l == 0)
		return STREAM_MORE;
	if (s->need == 0 && (in.p[0] == '\r' || in.p[0] == '\n'))
		return between_messages(s, in, ret);
	if (s->need == 0) {
		if (!head_ends(s, in, &len)) {
			if (in.l > s->max)
				return lost(s, STREAM_TOO_LARGE, ret);
			return STREAM_MORE;
		}
		if (len > s->max)			/* as it would have been, had less arrived at a time */
			return lost(s, STREAM_TOO_LARGE, ret);
		rc = sip_frame(in, &len);
		if (rc == -EBADMSG)
			return lost(s, STREAM_BAD, ret);
		if (rc == -EMSGSIZE || (rc == 0 && len > s->max))
			return lost(s, STREAM_TOO_LARGE, ret);
		if (rc < 0)				/* cannot be after an empty line; but the stream must not stall */
			return in.l > s->max ? lost(s, STREAM_TOO_LARGE, ret) : STREAM_MORE;
		s->need = len;
	}
	if (in.l < s->need)
		return STREAM_MORE;
	*ret = take(s, s->need);
	return STREAM_MESSAGE;
}

static bool only_crlf(const struct stream *s)
{
	struct str in = unread(s);

	return in.l && in.l <= 3 && (in.p[0] == '\r' || in.p[0] == '\n');
}

bool stream_partial(const struct stream *s)
{
	return s->start != s->end && !only_crlf(s);
}

bool stream_drop_crlf(struct stream *s)
{
	if (!only_crlf(s))
		return false;
	take(s, s->end - s->start);
	return true;
}
