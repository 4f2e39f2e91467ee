/* tests/fuzz/fuzz_bencode.c - bencode: answers of a media relay. */
#include <errno.h>
#include "common/util/bencode.h"
#include "tests/fuzz/fuzz.h"

static void inside(struct str in, struct str s)
{
	MUST(s.l == 0 || (s.p >= in.p && s.p + s.l <= in.p + in.l));
}

/* What was checked as a whole can be walked to its innermost, octet by octet. */
static void walk(struct str value, unsigned depth)
{
	struct bencode_walk w;
	struct str key, v, text;
	size_t octets = 2;
	int64_t n;

	MUST(depth <= BENCODE_MAX_DEPTH);
	if (!bencode_walk(value, &w)) {
		MUST(bencode_str(value, &text) || bencode_int(value, &n) || value.l > 20);
		return;
	}
	while (bencode_next(&w, &key, &v)) {
		inside(value, key);
		inside(value, v);
		octets += v.l;
		walk(v, depth + 1);
	}
	MUST(w.rest.l == 0 && octets <= value.l);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size), value, rest;

	(void)bencode_find_str(in, "result");		/* of what nobody has checked */
	if (bencode_value(in, &value, &rest) < 0)
		return;
	inside(in, value);
	MUST(value.l + rest.l == size);
	walk(value, 0);
	inside(in, bencode_find_str(value, "sdp"));
}
