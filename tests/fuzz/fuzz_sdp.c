/* tests/fuzz/fuzz_sdp.c - session descriptions: RFC 8866, RFC 3264, preconditions of RFC 3312. */
#include <errno.h>
#include "common/sip/sdp.h"
#include "tests/fuzz/fuzz.h"

static bool inside(struct str in, struct str s)
{
	return s.l == 0 || (s.p >= in.p && s.p + s.l <= in.p + in.l);
}

static void attributes(struct str in, struct str block)
{
	static const char *const names[] = { "rtpmap", "curr", "des", "sendrecv", "rtcp" };
	struct str v;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t pos = 0, before = 0;

		while (sdp_attr_next(block, names[i], &pos, &v)) {
			MUST(inside(in, v) && pos > before && pos <= block.l);
			before = pos;
		}
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	size_t off = SIZE_MAX;
	struct sdp s;
	int rc = sdp_parse(in, &s, &off);

	MUST(rc == 0 || rc == -ENOSPC || (rc == -EBADMSG && off <= size));
	attributes(in, in);
	if (rc < 0)
		return;
	MUST(s.n_media <= SDP_MAX_MEDIA && inside(in, s.origin) && inside(in, s.session_conn));
	for (unsigned i = 0; i < s.n_media; i++) {
		const struct sdp_media *m = &s.media[i];

		MUST(m->type.l && inside(in, m->type) && inside(in, m->proto) && inside(in, m->formats) && inside(in, m->conn));
		MUST(inside(in, m->text) && inside(in, m->curr_local) && inside(in, m->curr_remote) && inside(in, m->des_local));
		MUST(m->port <= 65535 && m->dir <= SDP_INACTIVE);
		attributes(in, m->text);
	}
}
