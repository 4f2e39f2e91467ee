/* tests/fuzz/fuzz_reginfo.c - registration state documents as the P-CSCF reads them: RFC 3680 §5; REG-01, REG-13. */
#include <errno.h>
#include <string.h>
#include "common/sip/reginfo.h"
#include "tests/fuzz/fuzz.h"

/* What was read is written again, and read again: the same registrations, with the same contacts. */
static void again(const struct reginfo *doc, struct arena *a)
{
	struct reginfo_registration *r, *s;
	struct reginfo back;
	struct buf b;

	buf_init(&b, 1u << 20);
	reginfo_begin(&b, doc->version, doc->full);
	for (r = doc->registrations; r; r = r->next) {
		reginfo_registration_begin(&b, r->aor, 1, r->state);
		for (struct reginfo_contact *c = r->contacts; c; c = c->next)
			reginfo_contact(&b, c);
		reginfo_registration_end(&b, STR_NONE);
	}
	reginfo_end(&b);
	if (!b.failed && b.l <= REGINFO_MAX_BYTES && reginfo_read(buf_str(&b), a, &back) == 0) {
		MUST(back.version == doc->version && back.full == doc->full);
		for (r = doc->registrations, s = back.registrations; r && s; r = r->next, s = s->next)
			MUST(str_eq(r->aor, s->aor) && r->state == s->state && !r->contacts == !s->contacts);
		MUST(!r && !s);
	}
	buf_fini(&b);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(4096);
	struct reginfo doc;
	unsigned n = 0;
	int rc;

	if (!a)
		return;
	rc = reginfo_read(str_make((const char *)data, size), a, &doc);
	MUST(rc == 0 || rc == -EBADMSG || rc == -EFBIG || rc == -ENOMEM);
	for (struct reginfo_registration *r = rc == 0 ? doc.registrations : NULL; r; r = r->next, n++)
		for (struct reginfo_contact *c = r->contacts; c; c = c->next, n++)
			MUST(c->uri.l <= REGINFO_MAX_TEXT && c->q <= 1000);
	MUST(n <= 2 * REGINFO_MAX_CONTACTS);
	if (rc == 0)
		again(&doc, a);
	arena_unref(a);
}
