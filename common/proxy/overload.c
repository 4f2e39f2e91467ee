/* common/proxy/overload.c - next hops that asked for less: RFC 7339 §5.5 to §5.10, loss-based.
 *
 * What is held back is new work, at random, by the percentage the next hop's last response gave; it ends by itself when that is
 * no longer valid.  Requests within dialogs and emergencies always go. */
#include "common/proxy/private.h"
#include "common/sip/oc.h"
#include "common/util/rand.h"

static struct proxy_peer *find(struct proxy_layer *l, const struct addr *a)
{
	for (unsigned i = 0; i < l->n_peers; i++)
		if (addr_eq(&l->peer[i].a, a))
			return &l->peer[i];
	return NULL;
}

/* One whose word is no longer valid makes room, else the one that ends first. */
static struct proxy_peer *make(struct proxy_layer *l, const struct addr *a)
{
	struct proxy_peer *p = &l->peer[0];

	if (l->n_peers < PROXY_MAX_PEERS)
		p = &l->peer[l->n_peers++];
	for (unsigned i = 0; l->n_peers == PROXY_MAX_PEERS && i < l->n_peers; i++)
		if (l->peer[i].until_ms < p->until_ms)
			p = &l->peer[i];
	*p = (struct proxy_peer){ .a = *a };
	return p;
}

void proxy_oc_heard(struct proxy_layer *l, const struct sip_flow *from, const struct sip_via *via)
{
	struct proxy_peer *p;
	struct sip_oc oc;

	if (!l->env.may_hold || sip_oc_read(via, &oc) < 0)
		return;
	p = find(l, &from->remote);
	if (p && oc.seq && oc.seq < p->seq)
		return;				/* overtaken by a later word: §5.4 */
	if (!p && oc.percent)
		p = make(l, &from->remote);
	if (!p)
		return;
	p->percent = oc.percent;
	p->seq = oc.seq;
	p->until_ms = l->env.wheel->now_ms + oc.validity_ms;
}

bool proxy_oc_holds(struct proxy_layer *l, const struct sip_flow *to, const struct sip_msg *m)
{
	const struct proxy_peer *p = l->n_peers ? find(l, &to->remote) : NULL;

	if (!p || p->until_ms <= l->env.wheel->now_ms || rand_below(100) >= p->percent || !l->env.may_hold(l->env.u, m))
		return false;
	l->stats.held++;
	return true;
}
