/* pcscf/ringing.c - calls that nobody has answered: how many a phone may have, and for how long.  SEC-07; see session.h. */
#include "pcscf/session_private.h"

static uint32_t ringing_left_s(const struct pcscf_config *c)
{
	return c->max_ringing_s > c->early_grace_s ? c->max_ringing_s - c->early_grace_s : 1;
}

/* Who lets a phone ring has few calls; who begins many that are answered at once (a gateway, a load test) is no attacker. */
static void hangs(struct ringing *g)
{
	g->hangs = true;
	if (!g->limited)
		return;
	binding_early_add(g->b);
	g->counted = true;
}

static void on_ringing(struct timer *t)
{
	struct ringing *g = container_of(t, struct ringing, timer);

	if (g->hangs) {
		proxy_reject(g->p, &(const struct refusal){ .status = 408, .why = "nobody answers the call" });
		return;
	}
	hangs(g);
	timer_start(g->ss->pw->w->wheel, &g->timer, (uint64_t)ringing_left_s(&g->ss->pw->p->cfg) * 1000);
}

bool ringing_begin(struct sessions *ss, struct ringing *g, struct proxy *p, struct binding *b, bool from_phone, bool emergency,
		   struct str icid)
{
	const struct pcscf_config *c = &ss->pw->p->cfg;

	*g = (struct ringing){ .icid = icid, .ss = ss, .p = p, .b = b, .emergency = emergency, .limited = from_phone && b && !emergency };
	if (g->limited && binding_early(b) >= c->max_early_calls) {
		g->p = NULL;
		return false;
	}
	timer_init(&g->timer, on_ringing);
	list_add_tail(&ss->ringing, &g->link);
	htab_add(&ss->ringing_by_call, &g->by_call, hash_str(proxy_request(p)->call_id));
	if (!c->early_grace_s)
		hangs(g);
	timer_start(ss->pw->w->wheel, &g->timer, (uint64_t)(g->hangs ? c->max_ringing_s : c->early_grace_s) * 1000);
	return true;
}

void ringing_end(struct ringing *g)
{
	if (!g->p)
		return;
	timer_stop(&g->timer);
	list_del(&g->link);
	htab_del(&g->ss->ringing_by_call, &g->by_call);
	if (g->counted)
		binding_early_give(g->b);
	g->p = NULL;
}
