/* pcscf/policy_offer.c - offers and answers of a call, in whatever messages they come: RFC 3264, RFC 3261 §13.2.1, RFC 3262 §5. */
#include <stdlib.h>
#include "common/log/log.h"
#include "pcscf/policy_private.h"

/* ---- offers that wait for an answer in a later request: RFC 3261 §13.2.1, RFC 3262 §5 ---- */

static struct late_offer *late_find(struct policy_session *s, struct str tag)
{
	for (unsigned i = 0; i < POLICY_MAX_LATE_OFFERS; i++)
		if (s->late[i].sdp && str_eq_c(tag, s->late[i].tag))
			return &s->late[i];
	return NULL;
}

static void late_drop(struct late_offer *l)
{
	free(l->sdp);
	*l = (struct late_offer){ 0 };
}

static void late_put(struct policy_session *s, struct str tag, struct str sdp)
{
	struct late_offer *l = late_find(s, tag);

	for (unsigned i = 0; i < POLICY_MAX_LATE_OFFERS && !l; i++)
		if (!s->late[i].sdp)
			l = &s->late[i];
	if (!l)
		return;
	late_drop(l);
	if (str_copy(tag, l->tag, sizeof(l->tag)) && (l->sdp = str_dup(sdp)))
		l->l = sdp.l;
}

/* ---- what an answer means ---- */

/* Types that nobody is asked about are left out (policy.media). */
static void choose_media(const struct policy_config *c, struct media_set *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (c->media & 1u << s->c[i].type)
			s->c[n++] = s->c[i];
	s->n = n;
}

struct media_set *policy_agree(const struct policy_session *s, struct str offer, struct str answer, bool ue_offered)
{
	struct media_set *set;
	struct sdp *d = malloc(2 * sizeof(*d));

	set = d ? malloc(sizeof(*set)) : NULL;
	if (!set || sdp_parse(offer, &d[0], NULL) < 0 || sdp_parse(answer, &d[1], NULL) < 0) {
		log_info(LOG_SESS, "a session description that cannot be read is not asked about", LOG_S("call_id", s->c->call_id));
		free(set);
		free(d);
		return NULL;
	}
	media_derive(&d[!ue_offered], &d[ue_offered], ue_offered, set);
	choose_media(&s->pw->p->cfg.policy, set);
	free(d);
	return set;
}

/* The description in a message as the phone sees it. */
static struct str seen_sdp(const struct sip_out *o, bool to_phone)
{
	return to_phone ? sdp_of_plan(o) : sdp_of_message(o->m);
}

struct media_set *policy_answer_in(struct policy_session *s, const struct sip_out *request, const struct sip_out *response, bool to_phone)
{
	const struct sip_msg *req = request->m, *m = response->m;
	struct str offer = seen_sdp(request, to_phone), answer = seen_sdp(response, !to_phone);

	if (!answer.l)
		return NULL;
	if (offer.l && !(req->method == SIP_PRACK && late_find(s, req->to_tag)))
		return policy_agree(s, offer, answer, !to_phone);
	if (req->method == SIP_INVITE)
		late_put(s, m->to_tag, answer);
	return NULL;
}

struct media_set *policy_late_answer(struct policy_session *s, struct sip_msg *m, const struct sip_out *o, struct str tag, bool to_phone)
{
	struct str sdp = seen_sdp(o, to_phone), offer;
	struct late_offer *l = sdp.l && (m->method == SIP_PRACK || m->method == SIP_ACK) ? late_find(s, tag) : NULL;

	if (!l)
		return NULL;
	offer = arena_dup(m->arena, str_make(l->sdp, l->l));		/* slices of it are asked about as long as m is held */
	late_drop(l);
	return offer.p ? policy_agree(s, offer, sdp, to_phone) : NULL;	/* who gets the answer made the offer */
}

void policy_forget_offers(struct policy_session *s)
{
	for (unsigned i = 0; i < POLICY_MAX_LATE_OFFERS; i++)
		late_drop(&s->late[i]);
}
