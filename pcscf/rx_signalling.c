/* pcscf/rx_signalling.c - the Rx session of a registration: AF signalling flows, and word of the bearer's loss.  TS 29.214 §4.4.5,
 * §4.4.6.2, annex B; row Q1.
 *
 * It says which flows are SIP between this phone and us: with security associations all four protected ports, else where the
 * REGISTER came from.  A registration that moves gets a new one.  No 200 waits for it. */
#include <stdio.h>
#include "common/log/log.h"
#include "pcscf/rx.h"

#define SIP_PROTOCOL 1u			/* AF-Signalling-Protocol, §5.3.26 */
#define RULES_PER_PAIR 4u		/* UDP and TCP, both directions */

static bool is_of(const struct hnode *n, const void *key)
{
	return container_of(n, struct rx_session, by_phone)->b->id == *(const uint64_t *)key;
}

static struct rx_session *find(struct pcscf_worker *pw, uint64_t binding_id)
{
	struct hnode *n = pw->rx ? htab_find(&pw->rx->by_phone, binding_id, is_of, &binding_id) : NULL;

	return n ? container_of(n, struct rx_session, by_phone) : NULL;
}

static void add_pair(struct rx_media *m, const struct signalling_pair *p, struct arena *a)
{
	struct rx_sub *sub = &m->sub[m->n_subs++];
	struct media_flow f = { .ue = p->phone, .remote = p->us };
	char rule[MEDIA_RULE_STRLEN];

	*sub = (struct rx_sub){ .number = m->n_subs, .status = RX_ENABLED, .usage = RX_AF_SIGNALLING, .protocol = SIP_PROTOCOL };
	for (unsigned i = 0; i < RULES_PER_PAIR; i++) {
		if (!(i < 2 ? p->udp : p->tcp))
			continue;
		f.protocol = i < 2 ? 17 : 6;
		sub->flow[sub->n_flows++].v = arena_dup(a, str_from_c(media_rule(&f, i % 2 == 0, rule)));
	}
}

static void add_flows(struct rx_media *m, struct pcscf_worker *pw, const struct binding *b, struct arena *a)
{
	struct signalling_pair pair[SIGNALLING_MAX_PAIRS];
	unsigned n = signalling_pairs(pw, b, pair);

	for (unsigned i = 0; i < n; i++)
		add_pair(m, &pair[i], a);
}

static bool ask(struct rx_session *s)
{
	struct arena *a = arena_new(4096);
	struct rx_aar *r = a ? arena_alloc(a, sizeof(*r)) : NULL;
	struct rx_media *m;
	bool sent = false;

	if (r) {
		rx_aar_init(r);
		r->request_type = 0;
		r->actions = (struct cx_u32s){ 3, { RX_LOSS_OF_BEARER, RX_RELEASE_OF_BEARER, RX_IP_CAN_CHANGE } };
		m = &r->media[r->n_media++];
		rx_media_init(m);
		m->type = RX_CONTROL;		/* without it some read AUDIO, and make a bearer */
		m->status = RX_ENABLED;
		add_flows(m, s->pw, s->b, a);
		sent = rx_session_ask(s, r, 0);
	}
	arena_unref(a);
	return sent;
}

void rx_signalling_begin(struct rx_session *s)
{
	s->signalling = true;
	htab_add(&s->pw->rx->by_phone, &s->by_phone, s->b->id);
}

void rx_signalling_registered(struct pcscf_worker *pw, struct binding *b)
{
	struct rx_session *s = find(pw, b->id);

	if (!pw->rx || !pw->w->dia)
		return;
	if (s && (s->agreed || s->outstanding) && signalling_same_way(s->b, b))
		return;
	if (s)
		rx_session_end(s);
	s = rx_session_new(pw, b, STR_NONE);
	if (!s)
		return;
	rx_signalling_begin(s);
	if (!ask(s))
		rx_session_end(s);
}

void rx_signalling_ended(struct pcscf_worker *pw, const struct binding *b)
{
	struct rx_session *s = find(pw, b->id);

	if (s)
		rx_session_end(s);
}

void rx_signalling_lost(struct rx_session *s, const char *why)
{
	signalling_lost(s->pw, s->b, why);
}
