/* tests/fuzz/fuzz_stream.c - framing: however a stream is chopped, the events are the same.  RFC 3261 §18.3; REG-11, F17.
 *
 * Octet 0 seeds the chopping, the rest is the stream. */
#include "common/transport/stream.h"
#include "common/util/bytes.h"
#include "tests/fuzz/fuzz.h"

#define MAX_MESSAGE_BYTES 4096u

/* A lone CRLF may come alone or within a ping, by the chopping: only messages and the end of the stream must agree. */
static bool told(enum stream_event e)
{
	return e == STREAM_MESSAGE || e == STREAM_BAD || e == STREAM_TOO_LARGE;
}

static void drain(struct stream *s, struct buf *log, bool *lost)
{
	enum stream_event e;
	struct str m;

	while (!*lost && (e = stream_next(s, &m)) != STREAM_MORE) {
		MUST(m.l > 0);
		if (!told(e))
			continue;
		buf_printf(log, "%d %zu\n", e, e == STREAM_MESSAGE ? m.l : 0);
		if (e == STREAM_MESSAGE)
			buf_put(log, m);
		*lost = e != STREAM_MESSAGE;
	}
}

static void feed(const uint8_t *p, size_t n, uint8_t seed, struct buf *log)
{
	uint32_t r = seed;
	struct stream s;
	bool lost = false;

	stream_init(&s, MAX_MESSAGE_BYTES);
	while (n && !lost) {
		size_t room, chunk = n;
		char *to = stream_room(&s, &room);

		MUST(to && room >= STREAM_CHUNK_BYTES);
		r = r * 1103515245u + 12345u;
		if (seed && chunk > 1 + (r >> 16) % 64)
			chunk = 1 + (r >> 16) % 64;
		if (chunk > room)
			chunk = room;
		memcpy(to, p, chunk);
		stream_filled(&s, chunk);
		p += chunk;
		n -= chunk;
		drain(&s, log, &lost);
		MUST(s.end - s.start <= MAX_MESSAGE_BYTES + s.cap);
	}
	stream_partial(&s);
	stream_drop_crlf(&s);
	stream_trim(&s);
	stream_fini(&s);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct buf whole, chopped;

	if (size < 2 || size > 65536)
		return;
	buf_init(&whole, 1u << 20);
	buf_init(&chopped, 1u << 20);
	feed(data + 1, size - 1, 0, &whole);
	feed(data + 1, size - 1, data[0] | 1, &chopped);
	MUST(str_eq(buf_str(&whole), buf_str(&chopped)));
	buf_fini(&whole);
	buf_fini(&chopped);
}
