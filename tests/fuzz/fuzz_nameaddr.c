/* tests/fuzz/fuzz_nameaddr.c - values of Contact, Route, Via, CSeq and lists of them: RFC 3261 §20.10, §20.42, §25.1.
 *
 * A list that is cut and joined again is cut at the same places. */
#include <errno.h>
#include "common/sip/msg.h"
#include "tests/fuzz/fuzz.h"

static bool inside(struct str in, struct str s)
{
	return s.l == 0 || (s.p >= in.p && s.p + s.l <= in.p + in.l);
}

static void params(struct str in, struct str text)
{
	struct str rest = text, k, v, got;
	size_t left = rest.l + 1;

	while (sip_param_next(&rest, &k, &v)) {
		MUST(rest.l < left);			/* it gets on */
		left = rest.l;
		MUST(inside(in, k) && inside(in, v) && inside(in, sip_unquote(v)));
	}
	if (sip_param_get(text, "tag", &got))
		MUST(inside(in, got));
}

static void value(struct str v)
{
	struct sip_nameaddr na;
	struct sip_via via;
	struct str method;
	uint32_t n;

	if (sip_nameaddr_parse(v, &na) == 0) {
		MUST(na.star || (inside(v, na.display) && inside(v, na.uri.text) && inside(v, na.params) && na.uri.text.l));
		if (!na.star)
			params(v, na.params);
	}
	if (sip_via_parse(v, &via) == 0) {
		MUST(via.host.l && inside(v, via.host) && inside(v, via.branch) && inside(v, via.received) && inside(v, via.params));
		params(v, via.params);
	}
	if (sip_cseq_parse(v, &n, &method) == 0)
		MUST(method.l && inside(v, method));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size), rest = in, one;
	struct buf joined;
	unsigned n = 0, again = 0;

	buf_init(&joined, 4 * GUARD_INPUT_BYTES);
	while (sip_list_next(&rest, &one)) {
		MUST(one.l && inside(in, one));
		value(one);
		if (n++)
			buf_puts(&joined, ", ");
		buf_put(&joined, one);
	}
	MUST(!joined.failed);
	for (rest = buf_str(&joined); sip_list_next(&rest, &one);)
		again++;
	MUST(n == again);
	buf_fini(&joined);
}
