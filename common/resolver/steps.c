/* common/resolver/steps.c - tells who watches a lookup what it went by. */
#include <stdio.h>
#include <stdlib.h>
#include "common/resolver/private.h"

void step_begin(const struct resolver_query *q)
{
	if (q->watch && q->watch->begin)
		q->watch->begin(q->watch->arg);
}

/* ---- records as a zone's file has them ---- */

static void record_text(uint16_t type, const struct rec *r, char *dst, size_t size)
{
	char text[ADDR_STRLEN];
	struct addr a = r->a;
	bool expression = r->flag && (r->flag | 0x20) == 'u';

	switch (type) {
	case DNS_SRV:
		snprintf(dst, size, "%u %u %u %s", r->prio, r->weight, r->port, r->name);
		break;
	case DNS_NAPTR:
		snprintf(dst, size, "%u %u \"%.1s\" \"%s\" \"%s\" %s", r->prio, r->weight, r->flag ? &r->flag : "", r->service,
			 expression ? r->name : "", expression ? "." : r->name);
		break;
	default:
		snprintf(dst, size, "%s", addr_host(&a, text));
	}
}

static void fill(const struct resolver_query *q, uint16_t type, const struct rec *rec, unused_fn unused, struct resolver_record *to)
{
	record_text(type, rec, to->text, sizeof(to->text));
	to->gives[0] = '\0';
	to->unused = q->enum_fn ? enum_record(q, rec, to->gives) : unused ? unused(q, rec) : NULL;
	if (to->unused)
		to->gives[0] = '\0';
}

static enum resolver_source source_of(const struct resolver_query *q, const struct answer *a, uint64_t ttl_end_ms)
{
	bool now = a->heard_ms >= q->started_ms;

	if (q->started_ms >= ttl_end_ms || (now && a->failed))
		return RESOLVER_STALE;
	return now ? RESOLVER_ASKED : RESOLVER_CACHED;
}

void step_dns(const struct resolver_query *q, uint16_t type, const char *name, int rc, const struct answer *a, const struct rec *rec,
	      unused_fn unused)
{
	struct resolver_step *s = q->watch ? calloc(1, sizeof(*s)) : NULL;
	uint64_t now = loop_now_ms(q->r->loop), end;

	if (!s)
		return;
	s->type = q->enum_fn ? "ENUM" : type == DNS_NAPTR ? "NAPTR" : type == DNS_SRV ? "SRV" : type == DNS_A ? "A" : "AAAA";
	s->name = name;
	s->err = rc;
	if (a && rc == 0) {
		end = a->good_until_ms > (uint64_t)q->r->c.stale_max_s * 1000 ? a->good_until_ms - (uint64_t)q->r->c.stale_max_s * 1000 : 0;
		s->source = source_of(q, a, end);
		s->ttl_s = end > now ? (uint32_t)((end - now + 999) / 1000) : 0;
		for (; rec && s->n < a->n && s->n < RESOLVER_STEP_RECORDS; s->n++)
			fill(q, type, &rec[s->n], unused, &s->record[s->n]);
	}
	q->watch->step(q->watch->arg, s);
	free(s);
}

void step_static(const struct resolver_watch *w, const char *type, struct str name, const struct resolver_result *res)
{
	struct resolver_step *s = w ? calloc(1, sizeof(*s)) : NULL;
	char *text = s ? str_dup(name) : NULL;

	if (text) {
		s->type = type;
		s->name = text;
		s->source = RESOLVER_CONFIGURED;
		for (; s->n < res->n && s->n < RESOLVER_STEP_RECORDS; s->n++) {
			char flow[SIP_FLOW_STRLEN];

			snprintf(s->record[s->n].text, RESOLVER_RECORD_MAX, "%s", sip_flow_fmt(&res->target[s->n], flow));
		}
		w->step(w->arg, s);
	}
	free(text);
	free(s);
}
