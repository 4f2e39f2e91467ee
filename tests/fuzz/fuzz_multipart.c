/* tests/fuzz/fuzz_multipart.c - bodies and their parts: RFC 2046 §5.1; REG-16.  The first line is the Content-Type. */
#include <errno.h>
#include "common/sip/body.h"
#include "tests/fuzz/fuzz.h"

static bool inside(struct str in, struct str s)
{
	return s.l == 0 || (s.p >= in.p && s.p + s.l <= in.p + in.l);
}

static void parts(struct str in, const struct body_part *of, unsigned depth)
{
	struct body_walk w;
	struct body_part p;
	unsigned n = 0;
	int rc = body_parts(of, &w);

	MUST(rc == 0 || rc == -ENOENT || rc == -EBADMSG);
	if (rc < 0)
		return;
	MUST(w.boundary.l && w.boundary.l <= BODY_MAX_BOUNDARY);
	for (const char *before = in.p; body_next(&w, &p); n++) {
		MUST(inside(in, p.params) && inside(in, p.disposition) && inside(in, p.text));
		MUST(p.text.l == 0 || p.text.p >= before);	/* one behind the other */
		before = p.text.l ? p.text.p + p.text.l : before;
		if (depth < BODY_MAX_DEPTH)
			parts(in, &p, depth + 1);
	}
	MUST(n <= BODY_MAX_PARTS);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size), line, body;
	struct body_part all = { .type = STR("multipart/mixed") }, p;

	str_cut(in, '\n', &line, &body);
	all.params = str_trim(line);
	all.text = body;
	parts(in, &all, 0);
	MUST(!body_find_in(&all, "application/sdp", &p) || (body_is(&p, "application/sdp") && inside(in, p.text)));
}
