/* scscf/translate.c - numbers by ENUM on the originating side: TS 24.229 §5.4.3.2; RFC 6116, RFC 4694 §5, RFC 4769; row T14.
 *
 * The request waits in its proxy, without a branch, until the resolver knows; what it says comes before everything else that
 * nexthop.c finds.  DNS that is silent or knows nothing costs its time-out only. */
#include <errno.h>
#include "common/log/log.h"
#include "common/resolver/enum.h"
#include "scscf/session.h"

static METRIC_DEF(m_enum, "cscf_scscf_enum_total", METRIC_COUNTER, "Numbers looked up in ENUM, by outcome.", "outcome", NULL);

struct waiting {			/* in the arena of the request */
	struct session *s;
	struct session_in *in;
	void (*onward)(struct session *s, struct session_in *in);
	bool later;			/* the answer did not come at once */
	struct str correlation;
};

static const char *outcome(const struct enum_result *res)
{
	if (res->err == 0)
		return res->uri[0].pstn ? "pstn" : "sip";
	return res->err == -ENOENT ? "none" : "failed";
}

static void go_on(void *arg)
{
	struct waiting *w = arg;

	if (!proxy_is_over(w->s->p))
		w->onward(w->s, w->in);
}

static void on_answer(void *arg, const struct enum_result *res)
{
	struct waiting *w = arg;
	struct session *s = w->s;
	struct translation *t = s->found;

	s->query = NULL;
	log_correlation(w->correlation);
	metric_add(&m_enum, outcome(res), NULL, 1);
	if (res->err)
		log_debug(LOG_SESS, "ENUM does not know the number", LOG_C("why", res->why), LOG_S("ruri", w->in->ruri.text));
	for (unsigned i = 0; i < res->n && t->n < sizeof(t->uri) / sizeof(t->uri[0]); i++) {
		t->uri[t->n].text = arena_dup(w->in->m->arena, str_from_c(res->uri[i].text));
		t->uri[t->n].pstn = res->uri[i].pstn;
		t->n += t->uri[t->n].text.p != NULL;
	}
	if (w->later && res->err != -ECANCELED)
		proxy_release(s->p, go_on, w);
	log_correlation(STR_NONE);
}

bool translate(struct session *s, struct session_in *in, void (*onward)(struct session *s, struct session_in *in))
{
	const struct session_config *c = s->sw->s->sessions;
	struct arena *a = in->m->arena;
	struct number num, global;
	struct waiting *w;

	if (s->found || !c || c->enum_suffix.l == 0 || !nexthop_number(s->sw, in, &num) || num.rn[0] || !number_global(c, &num, &global))
		return false;
	s->found = arena_zalloc(a, sizeof(*s->found));
	w = s->found ? arena_zalloc(a, sizeof(*w)) : NULL;
	if (!w || !(w->in = session_in_keep(in)))
		return false;
	w->s = s;
	w->onward = onward;
	w->correlation = arena_dup(a, log_correlation_get());
	s->query = enum_lookup(s->sw->w->resolver, global.s, c->enum_suffix, on_answer, w);
	if (!s->query)
		return false;
	w->later = true;
	if (!session_hold(s, w->in))		/* refused: nothing is waited for */
		translate_gone(s);
	return true;
}

void translate_gone(struct session *s)
{
	if (s->query)
		resolver_cancel(s->query);
	s->query = NULL;
}
