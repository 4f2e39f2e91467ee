/* tests/pcrf/session.c - Rx sessions as told. */
#include <stdlib.h>
#include "common/util/addr.h"
#include "tests/pcrf/pcrf.h"

struct pcrf_session *session_find(struct pcrf *p, struct str id)
{
	struct list *i;

	list_for_each(i, &p->sessions)
		if (str_eq_c(id, list_entry(i, struct pcrf_session, link)->id))
			return list_entry(i, struct pcrf_session, link);
	return NULL;
}

struct pcrf_session *session_by_number(struct pcrf *p, unsigned number)
{
	struct list *i;

	list_for_each(i, &p->sessions)
		if (list_entry(i, struct pcrf_session, link)->number == number)
			return list_entry(i, struct pcrf_session, link);
	return NULL;
}

const struct pcrf_media *media_find(const struct pcrf_session *s, uint32_t number)
{
	for (unsigned i = 0; i < s->n_media; i++)
		if (s->media[i].number == number)
			return &s->media[i];
	return NULL;
}

void media_take(struct pcrf_media *m, const struct rx_media *r)
{
	memset(m, 0, sizeof(*m));
	m->number = r->number;
	m->type = r->type;
	m->status = r->status;
	m->ul_bps = r->ul_bps;
	m->dl_bps = r->dl_bps;
	m->texts = hash_mix(r->rs_bps, r->rr_bps);
	for (unsigned i = 0; i < r->n_subs; i++)
		for (unsigned f = 0; f < r->sub[i].n_flows; f++)
			str_copy(r->sub[i].flow[f].v, m->flow[m->n_flows++], sizeof(m->flow[0]));
	for (unsigned i = 0; i < r->n_codecs; i++)
		m->texts = hash_mix(m->texts, hash_str(r->codec[i].v));
}

bool media_same(const struct pcrf_media *a, const struct pcrf_media *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static struct pcrf_media *place_for(struct pcrf_session *s, uint32_t number)
{
	struct pcrf_media *m = (struct pcrf_media *)(uintptr_t)media_find(s, number);

	return m ? m : s->n_media < RX_MAX_MEDIA ? &s->media[s->n_media++] : NULL;
}

static void drop(struct pcrf_session *s, uint32_t number)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_media; i++)
		if (s->media[i].number != number)
			s->media[n++] = s->media[i];
	s->n_media = n;
}

void session_take(struct pcrf_session *s, const struct rx_aar *r)
{
	struct pcrf_media *m;

	s->aars++;
	s->several = r->forking == 1;
	for (unsigned i = 0; i < r->n_media; i++) {
		if (r->media[i].status == RX_REMOVED) {
			drop(s, r->media[i].number);
			continue;
		}
		m = place_for(s, r->media[i].number);
		if (m)
			media_take(m, &r->media[i]);
	}
}

static void take_address(struct pcrf_session *s, const struct rx_aar *r)
{
	struct addr a = { 0 };

	if (r->framed_ip.l == 4) {
		a.in4.sin_family = AF_INET;
		memcpy(&a.in4.sin_addr, r->framed_ip.p, 4);
	} else if (r->framed_ip6.l == 18) {
		a.in6.sin6_family = AF_INET6;
		memcpy(&a.in6.sin6_addr, r->framed_ip6.p + 2, 16);
	} else {
		return;
	}
	addr_host(&a, s->address);
}

struct pcrf_session *session_new(struct pcrf *p, const struct rx_aar *r)
{
	struct pcrf_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->number = ++p->last_number;
	str_copy(r->session_id, s->id, sizeof(s->id));
	str_copy(r->origin_host, s->host, sizeof(s->host));
	str_copy(r->origin_realm, s->realm, sizeof(s->realm));
	str_copy(r->af_charging, s->icid, sizeof(s->icid));
	str_copy(r->af_application, s->application, sizeof(s->application));
	str_copy(r->service_urn, s->service_urn, sizeof(s->service_urn));
	if (r->n_ids)
		str_copy(r->id[0].data, s->subscription, sizeof(s->subscription));
	take_address(s, r);
	list_add_tail(&p->sessions, &s->link);
	return s;
}

void session_free(struct pcrf_session *s)
{
	list_del(&s->link);
	free(s);
}
