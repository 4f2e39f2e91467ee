/* scscf/services.c - the place of initial filter criteria and application servers: TS 24.229 §5.4.3.2, §5.4.3.3,
 * TS 23.218 §5.2, TS 29.228 annexes B and C; rows T2, T3, T7, T8.
 *
 * Both sides of a call come by here after the checks and before the way on is chosen.  The criteria are in the profile as the
 * HSS sent them (profile.h); they are not evaluated yet, and a user who has some is counted and seen in the log, so that
 * nobody takes a service that does not run for one that found nothing to do. */
#include "common/log/log.h"
#include "scscf/session.h"

static METRIC_DEF(m_skipped, "cscf_scscf_filter_criteria_skipped_total", METRIC_COUNTER,
		  "Requests of users whose initial filter criteria were not evaluated.", "case", NULL);

static const char *const case_names[] = {
	[CASE_ORIGINATING] = "originating",
	[CASE_TERMINATING_REGISTERED] = "terminating-registered",
	[CASE_TERMINATING_UNREGISTERED] = "terminating-unregistered",
};

bool services_apply(struct session *s, struct session_in *in, const struct profile *p, const struct profile_identity *id,
		    enum session_case c)
{
	(void)s;
	if (id->service < p->n_services && p->ifc[id->service].l) {
		metric_add(&m_skipped, case_names[c], NULL, 1);
		log_debug(LOG_SESS, "initial filter criteria are not evaluated", LOG_C("case", case_names[c]),
			  LOG_C("impu", id->aor), LOG_S("call_id", in->m->call_id));
	}
	return false;
}
