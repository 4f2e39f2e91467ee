/* scscf/ending.c - sessions ended by the network: TS 24.229 §5.4.5.1, §5.4.5.2; RFC 3261 §15.1, RFC 3326; row T18.
 *
 * A BYE goes to both ends, as if the other one had sent it, along the route set of the dialog: application servers and the P-CSCFs
 * see it pass.  Ordered over REST, or by a session that has lasted sessions.max_session_s. */
#include <stdio.h>
#include "common/dialog/dialog.h"
#include "common/log/log.h"
#include "common/proxy/uac.h"
#include "scscf/session.h"

#define BYE_WAIT_MS 32000u		/* 64*T1: then that end is taken to be gone */
#define DEFAULT_CAUSE 480u

static METRIC_DEF(m_ended, "cscf_scscf_sessions_ended_total", METRIC_COUNTER, "Sessions ended by this node, by what ordered it.", "by", NULL);

static void on_answer(void *arg, unsigned status, const struct sip_msg *m)
{
	(void)arg;
	log_debug(LOG_SESS, "BYE of ours was answered", LOG_U("status", status), LOG_S("call_id", m ? m->call_id : STR_NONE));
}

static void send_byes(struct scscf_worker *sw, struct bytes *bye[2])
{
	for (unsigned i = 0; i < 2; i++) {
		if (bye[i] && !uac_send(sw->w->proxy, bytes_str(bye[i]), TX_CORE, BYE_WAIT_MS, on_answer, NULL))
			log_warn(LOG_SESS, "a BYE of ours cannot be sent", LOG_C("to", i ? "callee" : "caller"));
		bytes_unref(bye[i]);
	}
}

static bool end_one(struct scscf_worker *sw, struct str call_id, uint64_t id, struct str reason, const char *by)
{
	struct bytes *bye[2] = { NULL, NULL };
	int rc = dialog_table_release(sw->w->dialogs, call_id, id, reason, bye);

	if (rc < 0)
		return false;
	metric_add(&m_ended, by, NULL, 1);
	log_info(LOG_SESS, "session ended by the network", LOG_C("by", by), LOG_S("reason", reason), LOG_S("call_id", call_id));
	send_byes(sw, bye);
	return true;
}

unsigned ending_call(struct scscf_worker *sw, struct str call_id, struct str reason)
{
	uint64_t id = 0;
	unsigned n = 0;

	while ((id = dialog_table_of_call(sw->w->dialogs, call_id, id)) != 0)
		n += end_one(sw, call_id, id, reason, "operator");
	return n;
}

static void on_limit(void *arg, struct str call_id, uint64_t id)
{
	end_one(arg, call_id, id, STR("SIP;cause=480;text=\"The longest duration of a session is over\""), "duration");
}

void ending_watch(struct scscf_worker *sw)
{
	const struct session_config *c = sw->s->sessions;

	metrics_register(&m_ended);
	dialog_table_keep_ends(sw->w->dialogs);
	dialog_table_limit(sw->w->dialogs, c ? c->max_session_s : 0, on_limit, sw);
}

/* ---- REST ---- */

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
	if (ending_call(scscf_of(w), call_id, str_from_c(reason)))
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
