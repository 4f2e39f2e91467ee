/* pcscf/policy_choose.c - policy.mode bsf: each phone's mode by what the BSF says of its address.  Row Q12; TS 29.521 §4.2.4, TS 23.228 annex Y.
 *
 *   question --BSF--> a binding: n5, with the PCF that it names
 *                     none: policy.bsf.none            \  rx, n5 or off
 *                     no answer: policy.bsf.silent     /
 *
 * This backend stands for the others until the first question of a call is due.  Then the one that was chosen takes its place, and
 * gets the question.  "off" stays here: everything is agreed to.  What the BSF said is remembered by n5_find.c, for a while. */
#include <errno.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "pcscf/n5.h"

static METRIC_DEF(m_chosen, "cscf_pcscf_policy_modes_total", METRIC_COUNTER, "Choices of policy.mode bsf, by what the BSF said and the mode that it meant.",
		  "bsf", "mode");

struct choice {
	struct pcscf_worker *pw;
	struct call *call;		/* NULL: over */
	struct timer later;		/* nobody is answered from inside his question */
	struct policy_question q;
	bool asking, decided;
	enum policy_mode mode;
};

static enum policy_mode mode_of(const struct pcscf_worker *pw, int err)
{
	const struct policy_config *c = &pw->p->cfg.policy;
	enum policy_mode m = err == 0 ? POLICY_N5 : err == -ENOENT ? c->bsf_none : c->bsf_silent;

	metric_add(&m_chosen, err == 0 ? "binding" : err == -ENOENT ? "none" : "silent", policy_mode_name(m), 1);
	return m;
}

static void decide(struct timer *t)
{
	static const struct policy_answer yes = { .verdict = POLICY_YES };
	struct choice *k = container_of(t, struct choice, later);
	struct call *c = k->call;
	struct policy_question q = k->q;

	log_correlation(c->icid);
	if (k->mode == POLICY_OFF) {
		policy_answered(c, q.number, &yes);		/* k may be gone */
	} else {
		policy_chosen(c, &q, policy_backend_by_mode(k->mode));
		free(k);
	}
	log_correlation(STR_NONE);
}

static void on_binding(void *arg, const struct n5_found *f)
{
	struct choice *k = arg;

	k->asking = false;
	if (!k->call) {
		free(k);
		return;
	}
	k->mode = mode_of(k->pw, f->err);
	k->decided = true;
	log_debug(LOG_SESS, "policy mode chosen", LOG_C("mode", policy_mode_name(k->mode)), LOG_I("bsf", f->err), LOG_S("call_id", k->call->call_id));
	timer_start(k->pw->w->wheel, &k->later, 0);
}

static void *choice_open(struct pcscf_worker *pw, struct call *c)
{
	struct choice *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->pw = pw;
	k->call = c;
	timer_init(&k->later, decide);
	metrics_register(&m_chosen);
	return k;
}

static bool choice_ask(void *session, const struct policy_question *q)
{
	struct choice *k = session;

	k->q = *q;
	if (k->decided)
		timer_start(k->pw->w->wheel, &k->later, 0);
	else if (!k->asking && !(k->asking = n5_find_binding(k->pw->n5->finder, &k->call->b->flow.remote, on_binding, k)))
		return false;
	return true;
}

static void choice_end(void *session)
{
	struct choice *k = session;

	timer_stop(&k->later);
	k->call = NULL;
	if (!k->asking)
		free(k);
}

static const char *choice_id(const void *session)
{
	return ((const struct choice *)session)->decided ? "off" : "";
}

/* ---- the signalling of a registration ---- */

struct newcomer {
	struct pcscf_worker *pw;
	uint64_t binding_id;
};

static void on_newcomer(void *arg, const struct n5_found *f)
{
	struct newcomer n = *(struct newcomer *)arg;
	struct binding *b = f->err == -ECANCELED ? NULL : phone_by_id(n.pw->p->phones, n.binding_id);	/* the daemon stops: all stays as it is */

	free(arg);
	if (b)
		policy_signalling_by(n.pw, b, policy_backend_by_mode(mode_of(n.pw, f->err)));
	obj_unref(b);
}

static void choice_registered(struct pcscf_worker *pw, struct binding *b)
{
	struct newcomer *n = malloc(sizeof(*n));

	if (!n)
		return;
	*n = (struct newcomer){ pw, b->id };
	metrics_register(&m_chosen);
	if (!n5_find_binding(pw->n5->finder, &b->flow.remote, on_newcomer, n))
		free(n);
}

const struct policy_backend choose_backend = {
	.name = "bsf", .open = choice_open, .ask = choice_ask, .end = choice_end, .id = choice_id, .registered = choice_registered,
	.leave = choice_end,
};
