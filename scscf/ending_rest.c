/* scscf/ending_rest.c - DELETE /api/v1/dialogs/{callId}: an operator ends a session; row T18. */
#include <stdio.h>
#include "scscf/session.h"

#define DEFAULT_CAUSE 480u

/* The key is "CAUSE CALL-ID". */
static void end_here(struct worker *w, struct ask *a)
{
	struct str cause, call_id;
	char reason[64];
	uint32_t n;

	str_cut(str_from_c(a->key), ' ', &cause, &call_id);
	if (str_to_u32(cause, &n) < 0)
		return;
	snprintf(reason, sizeof(reason), "SIP;cause=%u;text=\"Ended by the operator\"", n);
	if (ending_call(scscf_of(w), call_id, str_from_c(reason), n >= 400 ? n : DEFAULT_CAUSE))
		a->status = 204;
}

void ending_route(void *u, struct http_req *r)
{
	struct scscf *s = u;
	struct str call_id = http_param(r, "callId"), cause = http_query(r, "cause");
	uint32_t n = DEFAULT_CAUSE;
	char key[512];

	if (cause.l && (str_to_u32(cause, &n) < 0 || n < 200 || n > 699)) {
		http_problem(r, 400, "INVALID_QUERY_PARAM", "cause is a SIP status, 200 to 699");
		return;
	}
	if (snprintf(key, sizeof(key), "%u %.*s", n, STR_ARG(call_id)) >= (int)sizeof(key))
		http_problem(r, 404, "RESOURCE_NOT_FOUND", "no such session");
	else
		stack_ask_all(s->stack, r, str_from_c(key), end_here);
}
