/* scscf/held.c - servers that failed just now: not asked until then, by any worker.  TS 24.229 §5.4.3.2, row T8; row T14.
 *
 * Two servers in one place: the later one counts.  A reader that sees half of a change asks a dead server once more, or passes over
 * a well one for a moment: no lock is worth that. */
#include "common/util/hash.h"
#include "scscf/session.h"

void held_set(struct scscf_worker *sw, struct str server, uint32_t hold_s)
{
	uint64_t key = hash_str(server);
	struct as_held *e = &sw->s->as_held[key % AS_MAX_HELD];

	atomic_store_explicit(&e->server, key, memory_order_relaxed);
	atomic_store_explicit(&e->until_ms, sw->w->wheel->now_ms + hold_s * 1000, memory_order_relaxed);
}

bool held_is(const struct scscf_worker *sw, struct str server)
{
	uint64_t key = hash_str(server);
	struct as_held *e = &sw->s->as_held[key % AS_MAX_HELD];

	return atomic_load_explicit(&e->server, memory_order_relaxed) == key &&
	       atomic_load_explicit(&e->until_ms, memory_order_relaxed) > sw->w->wheel->now_ms;
}
