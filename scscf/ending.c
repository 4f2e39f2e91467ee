/* scscf/ending.c - sessions ended by the network: TS 24.229 §5.4.5.1, §5.4.5.2; RFC 3261 §15.1, RFC 3326; row T18.
 *
 * A BYE goes to both ends, as if the other one had sent it, along the route set of the dialog: application servers and the P-CSCFs
 * see it pass.  A call that rings gets CANCEL and a status (§5.4.5.1.1).  Ordered over REST, by a session that has lasted
 * sessions.max_session_s, or by contacts that end (legs.c). */
#include "common/dialog/dialog.h"
#include "common/log/log.h"
#include "common/proxy/uac.h"
#include "scscf/session.h"

#define BYE_WAIT_MS 32000u		/* 64*T1: then that end is taken to be gone */

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

bool ending_dialog(struct scscf_worker *sw, struct str call_id, uint64_t id, struct str reason, const char *by)
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

static struct session *ringing(struct scscf_worker *sw, struct str call_id)
{
	struct list *i;

	list_for_each(i, &sw->invites) {
		struct session *s = list_entry(i, struct session, invite);

		if (!s->answered && !s->given_up && str_eq(proxy_request(s->p)->call_id, call_id))
			return s;
	}
	return NULL;
}

/* A call that passes here several times is given up each time, the caller's side first. */
static unsigned give_up(struct scscf_worker *sw, struct str call_id, unsigned status, const char *by)
{
	struct session *s = ringing(sw, call_id);

	if (!s)
		return 0;
	for (; s; s = ringing(sw, call_id))
		session_give_up(s, status, "ended by the network");
	metric_add(&m_ended, by, NULL, 1);
	return 1;
}

unsigned ending_call(struct scscf_worker *sw, struct str call_id, struct str reason, unsigned status)
{
	unsigned n = give_up(sw, call_id, status, "operator");
	uint64_t id = 0;

	while ((id = dialog_table_of_call(sw->w->dialogs, call_id, id)) != 0)
		n += ending_dialog(sw, call_id, id, reason, "operator");
	return n;
}

static void on_limit(void *arg, struct str call_id, uint64_t id)
{
	ending_dialog(arg, call_id, id, STR("SIP;cause=480;text=\"The longest duration of a session is over\""), "duration");
}

void ending_watch(struct scscf_worker *sw)
{
	const struct session_config *c = sw->s->sessions;

	metrics_register(&m_ended);
	dialog_table_keep_ends(sw->w->dialogs);
	dialog_table_limit(sw->w->dialogs, c ? c->max_session_s : 0, on_limit, sw);
}
