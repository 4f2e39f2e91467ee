/* tests/fuzz/fuzz_subs.c - the lab HSS's subscribers file, and the records of its state: read, or refused with a place.
 *
 * A text that begins with "1 " is a state record, any other a file.  Whatever subscriber comes out of a file has User-Data that the
 * S-CSCF takes (unless the file brings filter criteria of its own). */
#include <errno.h>
#include <string.h>
#include "scscf/profile.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hss/hss.h"
#include "tests/hss/state.h"

/* A file is the operator's own, and subscribers stay in memory: 2500 of them fit into 64 KiB. */
const struct fuzz_limits fuzz_budget = { .cpu_us = GUARD_CPU_US, .heap_bytes = 6u << 20 };

/* `generate` makes as many as it is told: here not more than two digits' worth. */
static bool makes_many(struct str text)
{
	ssize_t at;

	for (; (at = str_find(text, STR("count"))) >= 0; text = str_from(text, (size_t)at + 5)) {
		size_t i = (size_t)at + 5, digits = 0;

		for (; i < text.l && text.p[i] != '\n' && digits < 3; i++)
			digits += text.p[i] >= '0' && text.p[i] <= '9';
		if (digits > 2)
			return true;
	}
	return false;
}

static void user_data(const struct sub *b)
{
	struct profile *p = NULL;
	char why[160];
	struct buf xml;

	buf_init(&xml, 1u << 20);
	profile_xml(b, &xml);
	if (!b->ifc && !xml.failed) {
		int rc = profile_parse(buf_str(&xml), NULL, &p, why);

		if (rc < 0)
			fprintf(stderr, "%s\n%.*s\n", why, STR_ARG(buf_str(&xml)));
		MUST(rc == 0);
		obj_unref(p);
	}
	buf_fini(&xml);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct sub_dyn d;
	struct buf errors;
	struct subs *s;
	int rc;

	if (makes_many(text) || subs_new(&s, STR("home.test")) < 0)
		return;
	buf_init(&errors, 1u << 20);
	if (str_starts(text, STR("1 "))) {
		rc = state_read_record(text, s, &d);
		MUST(rc == -EBADMSG || (rc == 0 && d.state <= SUB_UNREGISTERED && d.sqn < UINT64_C(1) << 48));
	} else {
		cost_step_begin();
		rc = subs_read_text(s, text, "f", &errors);
		cost_step_end();
		MUST((rc == 0) == (errors.l == 0));
		for (size_t i = 0; rc == 0 && i < s->n; i++)
			if (s->v[i]) {
				cost_step_begin();
				user_data(s->v[i]);
				cost_step_end();
			}
	}
	buf_fini(&errors);
	subs_free(s);
}
