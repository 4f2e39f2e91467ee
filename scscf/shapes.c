/* scscf/shapes.c - what the S-CSCF's own operations answer and take; the notation is in common/http/shape.c. */
#include "common/http/http.h"
#include "scscf/scscf.h"

#define REGISTRATION "impi:s impu:s irs?:[{impu:s barred:b default:b displayName?:s}] state:(registered|unregistered|pending) emergency?:b " \
		     "contacts:[Contact] scscf:s registeredAt?:t"

const struct http_shape scscf_shapes[] = {
	{ "Registration", "{" REGISTRATION "}" },
	{ "RegistrationFull", "{" REGISTRATION " services?:[Service] otherSets?:[Registration]}" },
	{ "Service", "{identities:[s] criteria:[{priority:i applicationServer:s defaultHandling:(SESSION_TERMINATED|SESSION_CONTINUED) triggers:i}] skipped:i "
		     "skippedWhy?:s}" },
	{ "Contact", "{id:s uri:s instance?:s regId?:i q:n expiresAt:t path:[s] features:<s>}" },
	{ "GET /api/v1/registrations", "[Registration]" },
	{ "GET /api/v1/registrations/{id}", "RegistrationFull" },
	{ "DELETE /api/v1/registrations/{id}", "204" },
	{ "DELETE /api/v1/registrations/{id}/contacts/{contactId}", "204" },
	{ "DELETE /api/v1/registrations", "202 Operation" },
	{ "POST /api/v1/registrations/{id}/reauthenticate", "204" },
	{ "RegSubscription", "{impu:s subscriber:s callId:s state:(active|terminated) expiresInS:i version:i}" },
	{ "GET /api/v1/reg-subscriptions", "[RegSubscription]" },
	{ "DELETE /api/v1/dialogs/{callId}", "204" },
	{ "FilterCriterion", "{priority:i applicationServer:s defaultHandling:(continue|terminate) profilePart:(any|registered|unregistered) "
			     "conditionType:(none|cnf|dnf) triggers:[{trigger:Trigger}] serviceInformation?:s}" },
	{ "Trigger", "{kind:(requestUri|method|header|sessionCase|sessionDescription) negated:b value?:s}" },
	{ "Profile", "{impu:s impi:s state:(registered|unregistered) barred:b displayName?:s irs:[{impu:s barred:b default:b}] sharedWith:[s] "
		     "filterCriteria:[FilterCriterion] skipped:i skippedWhy?:s}" },
	{ "GET /api/v1/profiles/{impu}", "Profile" },
	{ "PUT /api/v1/profiles/{impu}", "204" },
	{ "< PUT /api/v1/profiles/{impu}", "{xml:s}" },
	{ "GET /api/v1/profiles/{impu}/ifc", "[FilterCriterion]" },
	{ "POST /api/v1/profiles/{impu}/ifc/dry-run", "{chain:[{priority:i applicationServer:s matched:b registeredPart:b unregisteredPart:b "
						      "triggers:[{trigger:Trigger result:b}]}] invoked:[s]}" },
	{ "< POST /api/v1/profiles/{impu}/ifc/dry-run", "{sessionCase:s message?:s request?:{method:s requestUri:s headers?:<s> sdp?:s}}" },
	{ "POST /api/v1/ifc/check", "{valid:b why?:s services:[{identities:[s] filterCriteria:[FilterCriterion] skipped:i skippedWhy?:s}]}" },
	{ "< POST /api/v1/ifc/check", "{xml:s}" },
	{ "ApplicationServer", "{uri:s health:(suspect|unknown) waitMs:i criteria:i}" },
	{ "GET /api/v1/application-servers", "[ApplicationServer]" },
	{ "SharedIfcSet", "{id:i xml:s filterCriteria:[FilterCriterion] skipped?:i skippedWhy?:s}" },
	{ "GET /api/v1/shared-ifc-sets", "[SharedIfcSet]" },
	{ "GET /api/v1/shared-ifc-sets/{setId}", "SharedIfcSet" },
	{ "PUT /api/v1/shared-ifc-sets/{setId}", "200 SharedIfcSet | 201 SharedIfcSet" },
	{ "< PUT /api/v1/shared-ifc-sets/{setId}", "{xml:s}" },
	{ "DELETE /api/v1/shared-ifc-sets/{setId}", "204" },
	{ "Route", "{id:s order:i weight:i match:{prefix?:s domain?:s} action:(forward) nextHops:[s] trusted:b}" },
	{ "GET /api/v1/routing/routes", "[Route]" },
	{ "GET /api/v1/routing/enum", "{enabled:b suffixes:[s] services:[s]}" },
	{ "Resolution", "{transportFixed:b targets:[{transport:s address:s port:i held:b}] error?:{cause:s detail:s} steps?:[Step]}" },
	{ "RoutingTarget", "{decidedBy:(sessions.routes|ENUM|home|domain) requestUri:s nextHop:s trusted:b homeNetwork:b route?:{id:s prefix?:s domain?:s "
			   "priority:i weight:i held:b stripHeaders:[s] addHeaders:<s>} resolution:Resolution}" },
	{ "POST /api/v1/routing/dry-run", "{requestUri:s caller?:{impu:s known:b registered?:b barred?:b applicationServers?:[s]} number?:{dialled:s phoneContext?:s "
					  "readings:[{number:s why:s}] canonical?:s npdi?:b routingNumber?:s} enum?:{uris?:[{uri:s service:s npdi?:b "
					  "routingNumber?:s}] why?:s steps?:[Step]} targets:[RoutingTarget] refusedWith?:i why?:s decidedBy?:s nextHop?:s "
					  "rewrittenRequestUri?:s}" },
	{ "< POST /api/v1/routing/dry-run", "{number?:s requestUri?:s originating?:s bypassCache?:b}" },
	{ "POST /api/v1/cx/explain", "{asked:s impi?:s impu?:s code?:i result:s meaning:s refusedWith?:i hss?:s profile?:{bytes:i error?:s impi?:s "
				     "identities?:[{impu:s barred:b default:b criteria:i}]} charging?:s associatedImpis?:[s] restorations?:i vectors?:[{scheme?:s what:s realm?:s algorithm?:s}]}" },
	{ "< POST /api/v1/cx/explain", "{ask:(sar|mar) impu?:s impi?:s scheme?:s useVector?:b}" },
	{ NULL, NULL },
};
