/* common/transport/stream.h - cuts a byte stream into SIP messages and keep-alives.  RFC 3261 §18.3, RFC 5626 §4.4.1.
 *
 * Pure: octets in, events out, no sockets and no clock.  However the octets are chopped, the events are the same, and
 * the work per octet is bounded: the head is framed once, when its empty line has arrived. */
#pragma once
#include "common/util/str.h"

#define STREAM_CHUNK_BYTES 16384u		/* least room offered for one read */

struct stream {
	char *p;
	size_t start, end, cap;			/* unread octets are p[start..end) */
	size_t scanned;				/* from start: no empty line ends before here */
	size_t need;				/* length of the message at start; 0: not known yet */
	size_t max;				/* longest message */
};

enum stream_event {
	STREAM_MORE,				/* nothing complete */
	STREAM_PING,				/* double CRLF: wants a CRLF */
	STREAM_PONG,				/* lone CRLF in front of something else: nothing to do */
	STREAM_MESSAGE,
	STREAM_BAD,				/* Content-Length missing, absurd or twice: the stream is lost */
	STREAM_TOO_LARGE,
};

void stream_init(struct stream *s, size_t max_message_bytes);
void stream_fini(struct stream *s);
/* Room for at least STREAM_CHUNK_BYTES more octets; NULL when out of memory.  Then stream_filled() with what came. */
char *stream_room(struct stream *s, size_t *ret_room);
void stream_filled(struct stream *s, size_t n);
/* The next event.  *ret: the octets it is about, valid until stream_room(); BAD, TOO_LARGE: what there is of the head,
 * and nothing more will come. */
enum stream_event stream_next(struct stream *s, struct str *ret);
/* Half a message waits for its rest.  A lone CRLF does not count: it may be a whole keep-alive. */
bool stream_partial(const struct stream *s);
/* Forgets a lone CRLF that waited for a second one; tells whether there was one. */
bool stream_drop_crlf(struct stream *s);
void stream_trim(struct stream *s);		/* gives the memory back when empty */
