/* tests/resolver/ask.h - one resolver on one loop, asked and awaited. */
#pragma once
#include "common/resolver/resolver.h"
#include "tests/check.h"

#define ASK_MAX_MS 4000u

static struct loop *l;
static struct resolver *r;
static struct resolver_result got;
static unsigned calls;

static inline void on_result(void *arg, const struct resolver_result *res)
{
	(void)arg;
	got = *res;
	calls++;
}

/* Asks for the targets of a URI; the answer is in `got`. */
static inline void look(const char *text)
{
	struct sip_uri u;

	ck_assert_int_eq(sip_uri_parse(str_from_c(text), &u, NULL), 0);
	calls = 0;
	resolver_lookup(r, &u, on_result, NULL);
	for (unsigned i = 0; !calls && i < ASK_MAX_MS / 10; i++)
		loop_run_for(l, 10);
	ck_assert_uint_eq(calls, 1);
}

struct row {
	const char *uri;
	int err;
	const char *first;		/* target; NULL on error */
	bool fixed;			/* explicit_proto */
};

static inline void check_row(const struct row *w)
{
	char text[SIP_FLOW_STRLEN];

	look(w->uri);
	ck_assert_msg(got.err == w->err, "%s: err %d (%s)", w->uri, got.err, got.err ? got.why : "");
	if (w->err)
		return;
	ck_assert_str_eq(sip_flow_fmt(&got.target[0], text), w->first);
	ck_assert_msg(got.explicit_proto == w->fixed, "%s: explicit_proto", w->uri);
}
