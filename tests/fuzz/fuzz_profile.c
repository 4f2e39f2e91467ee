/* tests/fuzz/fuzz_profile.c - Cx User-Data as the S-CSCF reads it: TS 29.228 annexes B, E; rows S8, D15, SEC-04, SEC-14.
 *
 * What is taken is a set of identities that can be found, and P-Associated-URI made from it is one header value of that many
 * name-addrs. */
#include <errno.h>
#include <string.h>
#include "common/sip/nameaddr.h"
#include "scscf/profile.h"
#include "tests/fuzz/fuzz.h"

static void associated(const struct profile *p)
{
	struct sip_nameaddr na;
	struct str rest, one;
	unsigned n = 0, open = 0;
	struct buf b;

	for (unsigned i = 0; i < p->n_identities; i++)
		open += !p->identity[i].barred;
	buf_init(&b, 1u << 20);
	profile_associated_uri(p, &b);
	for (size_t i = 0; i < b.l; i++)
		MUST(b.p[i] != '\r' && b.p[i] != '\n' && b.p[i] != '\0');
	for (rest = buf_str(&b); sip_list_next(&rest, &one); n++)
		MUST(sip_nameaddr_parse(one, &na) == 0 && na.bracketed && !na.params.l);
	MUST(n == open);
	buf_fini(&b);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct profile *p = NULL;
	char why[160];
	int rc = profile_parse(str_make((const char *)data, size), NULL, &p, why);

	MUST(rc == 0 || rc == -EBADMSG || rc == -EFBIG || rc == -ENOMEM);
	if (rc < 0) {
		MUST(why[0] && memchr(why, '\0', sizeof(why)));
		return;
	}
	MUST(p->n_identities > 0 && p->n_identities <= PROFILE_MAX_IDENTITIES && p->n_services <= PROFILE_MAX_SERVICES);
	for (unsigned i = 0; i < p->n_identities; i++) {
		const struct profile_identity *id = &p->identity[i];

		MUST(profile_find(p, str_from_c(id->aor)) && id->service < PROFILE_MAX_SERVICES);
		profile_other_form(p, id);
	}
	MUST(!profile_default(p) || !profile_default(p)->barred);
	associated(p);
	obj_unref(p);
}
