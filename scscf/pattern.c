/* scscf/pattern.c - POSIX extended regular expressions on PCRE2; see pattern.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include "common/metrics/metrics.h"
#include "common/util/per_thread.h"
#include "scscf/pattern.h"

static METRIC_DEF(m_limits, "cscf_scscf_pattern_limits_total", METRIC_COUNTER,
		  "Regular expressions of filter criteria that were stopped at a limit; they count as no match.", NULL, NULL);

struct pattern {
	pcre2_code *code;			/* NULL: the text below is looked for as it is */
	size_t l;
	char text[];
};

static pcre2_match_data *make_data(void)
{
	metrics_register(&m_limits);
	return pcre2_match_data_create(1, NULL);
}
PER_THREAD(match_data, pcre2_match_data, make_data, pcre2_match_data_free)

static pcre2_match_context *make_limits(void)
{
	pcre2_match_context *c = pcre2_match_context_create(NULL);

	if (c) {
		pcre2_set_match_limit(c, PATTERN_MATCH_LIMIT);
		pcre2_set_depth_limit(c, PATTERN_DEPTH_LIMIT);
		pcre2_set_heap_limit(c, PATTERN_HEAP_LIMIT_KIB);
	}
	return c;
}
PER_THREAD(match_limits, pcre2_match_context, make_limits, pcre2_match_context_free)

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.l; i++)
		if (strchr(".[]()*+?{}|^$\\", s.p[i]))		/* an octet 0, too */
			return false;
	return s.l > 0;
}

static int fail(int rc, const char *why, const char **reterr)
{
	*reterr = why;
	return rc;
}

static int compile(struct pattern *p, struct str ere, enum pattern_use use, const char **reterr)
{
	static _Thread_local char text[160];
	uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL | PCRE2_NO_AUTO_CAPTURE;
	pcre2_compile_context *limits;
	PCRE2_UCHAR *converted = NULL;
	PCRE2_SIZE l = 0, off;
	int rc;

	rc = pcre2_pattern_convert((PCRE2_SPTR)ere.p, ere.l, PCRE2_CONVERT_POSIX_EXTENDED, &converted, &l, NULL);
	if (rc == 0) {
		if (use == PATTERN_NAME)
			options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_CASELESS;
		limits = pcre2_compile_context_create(NULL);
		if (limits) {
			pcre2_set_parens_nest_limit(limits, PATTERN_MAX_PARENS);
			p->code = pcre2_compile(converted, l, options, &rc, &off, limits);
		}
		pcre2_compile_context_free(limits);
	}
	pcre2_converted_pattern_free(converted);
	if (p->code) {
		(void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);	/* where it is forbidden, the interpreter does the same */
		return 0;
	}
	if (rc == 0 || rc == PCRE2_ERROR_NOMEMORY)
		return fail(-ENOMEM, "out of memory", reterr);
	pcre2_get_error_message(rc, (PCRE2_UCHAR *)text, sizeof(text));
	return fail(-EBADMSG, text, reterr);
}

int pattern_new(struct str ere, enum pattern_use use, struct pattern **ret, const char **reterr)
{
	struct pattern *p;
	int rc = 0;

	if (ere.l > PATTERN_MAX_BYTES)
		return fail(-EFBIG, "the expression is too long", reterr);
	p = calloc(1, sizeof(*p) + ere.l + 1);
	if (!p)
		return fail(-ENOMEM, "out of memory", reterr);
	if (use == PATTERN_ANYWHERE && is_plain(ere)) {
		memcpy(p->text, ere.p, ere.l);
		p->l = ere.l;
	} else {
		rc = compile(p, ere, use, reterr);
	}
	if (rc < 0)
		pattern_free(p);
	else
		*ret = p;
	return rc;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	free(p);
}

bool pattern_matches(const struct pattern *p, struct str text)
{
	pcre2_match_data *d;
	pcre2_match_context *c;
	int rc;

	if (!p->code)
		return str_find(text, str_make(p->text, p->l)) >= 0;
	d = match_data();
	c = match_limits();
	if (!d || !c)
		return false;
	rc = pcre2_match(p->code, (PCRE2_SPTR)(text.l ? text.p : ""), text.l, 0, 0, d, c);
	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		metric_add(&m_limits, NULL, NULL, 1);
	return rc >= 0;
}
