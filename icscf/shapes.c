/* icscf/shapes.c - what the I-CSCF's own operations answer and take; the notation is in common/http/shape.c. */
#include "common/http/http.h"
#include "icscf/icscf.h"

const struct http_shape icscf_shapes[] = {
	{ "ScscfServer", "{uri:s source:(configured|default|hss) default:b capabilities:[i] priority?:i weight?:i health:(up|suspect|unknown) attempts:i "
			 "failures:i lastFailureAt?:t lastFailureStatus?:i}" },
	{ "GET /api/v1/scscfs", "[ScscfServer]" },
	{ "Selection", "{hss?:{asked:s code?:i result:s meaning:s serverName?:s mandatoryCapabilities:[i] optionalCapabilities:[i]} refusedWith?:i chosen?:s "
		       "why?:s order?:[{uri:s why:s}] candidates?:[{uri:s default:b missing:[i] optionalMatched:i priority:i weight:i suspect:b}]}" },
	{ "POST /api/v1/scscf-selection/dry-run", "Selection" },
	{ "< POST /api/v1/scscf-selection/dry-run", "{ask?:(uar|lir) impi?:s impu?:s visitedNetwork?:s originating?:b mandatoryCapabilities?:[i] "
						    "optionalCapabilities?:[i] serverNames?:[s]}" },
	{ NULL, NULL },
};
