/* scscf/breakout.c - the table sessions.routes: which trunk, in which order, with which headers.  TS 24.229 §5.6.2; row T14.
 *
 * Rows with the longest prefix of a number, or for its domain, are tried by priority; equal priorities by chance in proportion to
 * the weight, as RFC 2782 has it.  One that failed just now comes last. */
#include <stdio.h>
#include <stdlib.h>
#include "common/log/log.h"
#include "common/util/rand.h"
#include "scscf/session.h"

static METRIC_DEF(m_routes, "cscf_scscf_route_attempts_total", METRIC_COUNTER,
		  "Requests that left by a row of sessions.routes, by next hop and whether it failed.", "next_hop", "result");

/* ---- order ---- */

struct pick {
	const struct session_route *row[SESSION_MAX_ROUTES];
	unsigned n;
};

static bool comes_first(const struct scscf_worker *sw, const struct session_route *a, const struct session_route *b)
{
	bool a_held = held_is(sw, a->next_hop), b_held = held_is(sw, b->next_hop);

	return a_held != b_held ? b_held : a->priority < b->priority;
}

static bool same_rank(const struct scscf_worker *sw, const struct session_route *a, const struct session_route *b)
{
	return !comes_first(sw, a, b) && !comes_first(sw, b, a);
}

/* Which of the rows of the first rank is next: by chance in proportion to their weights. */
static unsigned draw(const struct scscf_worker *sw, const struct pick *p, unsigned first)
{
	uint64_t sum = 0, at;

	for (unsigned i = 0; i < p->n; i++)
		sum += same_rank(sw, p->row[i], p->row[first]) ? p->row[i]->weight : 0;
	if (sum == 0)
		return first;
	at = rand_u64() % sum;
	for (unsigned i = 0; i < p->n; i++) {
		if (!same_rank(sw, p->row[i], p->row[first]))
			continue;
		if (at < p->row[i]->weight)
			return i;
		at -= p->row[i]->weight;
	}
	return first;
}

static unsigned order(const struct scscf_worker *sw, struct pick *p, const struct session_route *ret[ROUTE_MAX_TRIES])
{
	unsigned n = 0;

	while (p->n && n < ROUTE_MAX_TRIES) {
		unsigned first = 0;

		for (unsigned i = 1; i < p->n; i++)
			if (comes_first(sw, p->row[i], p->row[first]))
				first = i;
		first = draw(sw, p, first);
		ret[n++] = p->row[first];
		p->row[first] = p->row[--p->n];
	}
	return n;
}

/* ---- what fits ---- */

unsigned breakout_domain(const struct scscf_worker *sw, struct str host, const struct session_route *ret[ROUTE_MAX_TRIES])
{
	const struct session_config *c = sw->s->sessions;
	struct pick p = { .n = 0 };

	for (size_t i = 0; c && i < c->n_routes; i++)
		if (c->routes[i].domain.l && str_ieq(c->routes[i].domain, host))
			p.row[p.n++] = &c->routes[i];
	return order(sw, &p, ret);
}

unsigned breakout_number(const struct scscf_worker *sw, struct str number, const struct session_route *ret[ROUTE_MAX_TRIES])
{
	const struct session_config *c = sw->s->sessions;
	struct pick p = { .n = 0 };
	size_t longest = 0;

	for (size_t i = 0; c && i < c->n_routes; i++) {
		const struct session_route *r = &c->routes[i];

		if (r->prefix.l == 0 || r->prefix.l < longest || !str_starts(number, r->prefix))
			continue;
		if (r->prefix.l > longest)
			p.n = 0;
		longest = r->prefix.l;
		p.row[p.n++] = r;
	}
	return order(sw, &p, ret);
}

/* ---- on its way ---- */

void breakout_branch(const struct session_route *r, struct sip_out *o)
{
	size_t n = cfg_list_len(r->node, "strip_headers");
	struct str name, value;

	for (size_t i = 0; i < n; i++)
		sip_out_drop_name(o, cfg_strs_at(r->node, "strip_headers", i).p);
	for (size_t i = 0; cfg_map_at(r->node, "add_headers", i, &name, &value); i++) {
		sip_out_drop_name(o, name.p);
		sip_out_add_name(o, name.p, value);
	}
}

bool breakout_failed(struct scscf_worker *sw, const struct session_route *r, unsigned status, const struct sip_msg *m)
{
	bool failed = status == 408 || status == 500 || (status >= 502 && status <= 504);
	char text[256];

	snprintf(text, sizeof(text), "%.*s", STR_ARG(r->next_hop));
	metric_add(&m_routes, text, failed ? "failed" : "rejected", 1);
	if (failed && (!m || status == 503) && sw->s->sessions->as_hold_s)
		held_set(sw, r->next_hop, sw->s->sessions->as_hold_s);
	return failed;
}

/* ---- REST ---- */

static void add_str(cJSON *o, const char *name, struct str s)
{
	char *c = str_dup(s);

	if (c && s.l)
		cJSON_AddStringToObject(o, name, c);
	free(c);
}

static cJSON *route_json(const struct session_route *r, size_t at)
{
	cJSON *o = cJSON_CreateObject(), *match = cJSON_AddObjectToObject(o, "match"), *hops;
	struct str hop = r->next_hop;
	char id[24];

	snprintf(id, sizeof(id), "%zu", at);
	cJSON_AddStringToObject(o, "id", id);
	cJSON_AddNumberToObject(o, "order", r->priority);
	cJSON_AddNumberToObject(o, "weight", r->weight);
	add_str(match, "prefix", r->prefix);
	add_str(match, "domain", r->domain);
	cJSON_AddStringToObject(o, "action", "forward");
	hops = cJSON_AddArrayToObject(o, "nextHops");
	hop = hop.l > 2 ? str_make(hop.p + 1, hop.l - 2) : hop;		/* without the brackets */
	char *text = str_dup(hop);

	if (text)
		cJSON_AddItemToArray(hops, cJSON_CreateString(text));
	free(text);
	cJSON_AddBoolToObject(o, "trusted", r->trusted);
	return o;
}

void breakout_list(void *u, struct http_req *req)
{
	const struct scscf *s = u;
	const struct session_config *c = s->sessions;
	cJSON *items = cJSON_CreateArray();
	char next[24] = "";
	uint64_t from = 0;
	unsigned limit;

	if (!http_page_number(req, UINT32_MAX, &limit, &from)) {
		cJSON_Delete(items);
		return;
	}
	for (size_t i = from; c && i < c->n_routes; i++) {
		if (limit-- == 0) {
			snprintf(next, sizeof(next), "%zu", i);
			break;
		}
		cJSON_AddItemToArray(items, route_json(&c->routes[i], i));
	}
	http_reply_page(req, items, next[0] ? next : NULL);
}

void routing_enum(void *u, struct http_req *r)
{
	const struct scscf *s = u;
	struct str suffix = s->sessions ? s->sessions->enum_suffix : STR_NONE;
	cJSON *o = cJSON_CreateObject(), *list, *services;

	cJSON_AddBoolToObject(o, "enabled", suffix.l > 0);
	list = cJSON_AddArrayToObject(o, "suffixes");
	if (suffix.l) {
		char *c = str_dup(suffix);

		cJSON_AddItemToArray(list, cJSON_CreateString(c ? c : ""));
		free(c);
	}
	services = cJSON_AddArrayToObject(o, "services");
	cJSON_AddItemToArray(services, cJSON_CreateString("E2U+sip"));
	cJSON_AddItemToArray(services, cJSON_CreateString("E2U+pstn"));
	http_reply_json(r, 200, o);
}
