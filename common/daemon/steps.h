/* common/daemon/steps.h - what the resolver goes by (resolver_watch) as JSON, for dry runs: rows T14, O1.
 *
 * One lookup after the other may be watched by the same struct; its steps are taken before the next one begins. */
#pragma once
#include <cjson/cJSON.h>
#include "common/resolver/resolver.h"

struct steps {
	struct resolver_watch watch;	/* for resolver_lookup_watched(), enum_lookup_watched(); stays where it is */
	cJSON *list;
};
void steps_init(struct steps *s, bool fresh);
void steps_fini(struct steps *s);
/* Moves the steps seen so far into o.steps: [{"type", "query", "result", "source", "cached", "ttl", "answers": [{"record", "gives",
 * "unused"}]}]. */
void steps_take(struct steps *s, cJSON *o);
/* o.targets: [{"transport", "address", "port", "held"}] in the order to be tried, o.transportFixed; of a lookup that failed o.error
 * {"cause", "detail"} as well. */
void steps_result(cJSON *o, const struct resolver_result *res);
