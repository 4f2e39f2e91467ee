/* pcscf/n5_signalling.c - the N5 session of a registration: the flows of SIP, and word of the PDU session's end.  TS 29.514 §4.2.2.16,
 * §4.2.5.3; row Q1.  As rx_signalling.c: a registration that moves gets a new one, and no 200 waits for it. */
#include "pcscf/n5.h"

static bool is_of(const struct hnode *n, const void *key)
{
	return container_of(n, struct n5_session, by_phone)->b->id == *(const uint64_t *)key;
}

static struct n5_session *find(struct pcscf_worker *pw, uint64_t binding_id)
{
	struct hnode *n = pw->n5 ? htab_find(&pw->n5->by_phone, binding_id, is_of, &binding_id) : NULL;

	return n ? container_of(n, struct n5_session, by_phone) : NULL;
}

/* A flow for each pair of ports and protocol: fDescs holds one rule for each direction. */
static cJSON *flows_of(struct pcscf_worker *pw, const struct binding *b)
{
	struct signalling_pair pair[SIGNALLING_MAX_PAIRS];
	struct media_flow flow[2 * SIGNALLING_MAX_PAIRS];
	unsigned n_pairs = signalling_pairs(pw, b, pair), n = 0;

	for (unsigned i = 0; i < n_pairs; i++) {
		if (pair[i].udp)
			flow[n++] = (struct media_flow){ .ue = pair[i].phone, .remote = pair[i].us, .protocol = 17 };
		if (pair[i].tcp)
			flow[n++] = (struct media_flow){ .ue = pair[i].phone, .remote = pair[i].us, .protocol = 6 };
	}
	return n ? n5_signalling(flow, n) : NULL;
}

void n5_signalling_registered(struct pcscf_worker *pw, struct binding *b)
{
	struct n5_session *s = find(pw, b->id);

	if (!pw->n5 || (s && (s->agreed || s->busy) && signalling_same_way(s->b, b)))
		return;
	if (s)
		n5_session_end(s);
	s = n5_session_new(pw, b);
	if (!s)
		return;
	s->signalling = true;
	htab_add(&pw->n5->by_phone, &s->by_phone, b->id);
	if (!n5_session_ask(s, flows_of(pw, b), 0, true, false))
		n5_session_end(s);
}

void n5_signalling_ended(struct pcscf_worker *pw, const struct binding *b)
{
	struct n5_session *s = find(pw, b->id);

	if (s)
		n5_session_end(s);
}
