/* common/daemon/correlation.c - the ICID of a Call-ID, for logs and traces: responses and requests of a phone have none of
 * their own (RFC 7315 §5.6 keeps P-Charging-Vector inside the network).
 *
 * A direct-mapped cache: a busier Call-ID may push another out, whose lines then carry the Call-ID instead.  It never mixes
 * two up: the whole hash is compared. */
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/hash.h"

#define SLOTS 4096u			/* of one worker */
#define ICID_BYTES 64u			/* longer ones are cut, as in the trace */

struct correlation {
	struct slot {
		uint64_t call_id;	/* its hash; 0: free */
		char icid[ICID_BYTES];
	} slot[SLOTS];
};

struct correlation *correlation_new(void)
{
	return calloc(1, sizeof(struct correlation));	/* pages that nobody uses cost nothing */
}

void correlation_free(struct correlation *c)
{
	free(c);
}

static struct slot *slot_of(struct correlation *c, uint64_t h)
{
	return &c->slot[h % SLOTS];
}

static struct str icid_of(const struct sip_msg *m)
{
	struct str icid, params = sip_msg_value(m, SIP_H_PCV);

	return params.l && sip_param_get(params, "icid-value", &icid) ? sip_unquote(icid) : STR_NONE;
}

void correlation_begin(struct correlation *c, const struct sip_msg *m, bool believe)
{
	struct str icid = believe ? icid_of(m) : STR_NONE;
	uint64_t h = hash_str(m->call_id);
	const struct slot *s = slot_of(c, h);

	if (icid.l == 0 && s->call_id == h)
		icid = str_from_c(s->icid);
	log_correlation(icid.l ? icid : m->call_id);
}

void correlation_keep(struct correlation *c, const struct sip_msg *m)
{
	struct str icid = log_correlation_get();
	uint64_t h = hash_str(m->call_id);
	struct slot *s = slot_of(c, h);

	if (icid.l == 0 || str_eq(icid, m->call_id) || (s->call_id == h && str_eq_c(icid, s->icid)))
		return;
	s->call_id = h;
	str_copy(icid, s->icid, sizeof(s->icid));
}
