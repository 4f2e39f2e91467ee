/* icscf/rest.c - what only the I-CSCF shows: the table of S-CSCFs. */
#include <stdio.h>
#include "common/http/http.h"
#include "common/util/clock.h"
#include "icscf/icscf.h"

static const char *health(const struct scscf_server *v)
{
	if (scscf_is_suspect(v, clock_mono_ms()))
		return "suspect";
	return atomic_load(&((struct scscf_server *)v)->answered) ? "up" : "unknown";
}

static cJSON *show(struct scscf_server *v)
{
	cJSON *o = cJSON_CreateObject(), *caps;
	uint64_t failed_us = atomic_load(&v->last_failure_us);
	char when[40];

	cJSON_AddStringToObject(o, "uri", v->uri);
	cJSON_AddStringToObject(o, "source", v->configured ? "configured" : v->is_default ? "default" : "hss");
	cJSON_AddBoolToObject(o, "default", v->is_default);
	caps = cJSON_AddArrayToObject(o, "capabilities");
	for (unsigned i = 0; i < v->n_caps; i++)
		cJSON_AddItemToArray(caps, cJSON_CreateNumber(v->caps[i]));
	if (v->configured) {
		cJSON_AddNumberToObject(o, "priority", v->priority);
		cJSON_AddNumberToObject(o, "weight", v->weight);
	}
	cJSON_AddStringToObject(o, "health", health(v));
	cJSON_AddNumberToObject(o, "attempts", (double)atomic_load(&v->attempts));
	cJSON_AddNumberToObject(o, "failures", (double)atomic_load(&v->failures));
	if (failed_us) {
		clock_rfc3339(failed_us, when);
		cJSON_AddStringToObject(o, "lastFailureAt", when);
		cJSON_AddNumberToObject(o, "lastFailureStatus", atomic_load(&v->last_status));
	}
	return o;
}

/* The cursor is the number of the next row: rows are never taken out. */
static void get_scscfs(void *u, struct http_req *r)
{
	struct icscf *i = u;
	struct selection *s;
	uint64_t at = 0;
	uint32_t n;
	unsigned limit;
	char next[24];
	cJSON *items;

	if (!http_page_number(r, UINT32_MAX, &limit, &at))
		return;
	s = icscf_selection(i);
	n = atomic_load_explicit(&s->n, memory_order_acquire);
	items = cJSON_CreateArray();
	for (; at < n && limit; at++, limit--)
		cJSON_AddItemToArray(items, show(&s->server[at]));
	snprintf(next, sizeof(next), "%llu", (unsigned long long)at);
	http_reply_page(r, items, at < n ? next : NULL);
	obj_unref(s);
}

const struct http_route icscf_routes[] = {
	{ "GET", "/api/v1/scscfs", HTTP_VIEW, get_scscfs, "The S-CSCFs that are known, with capabilities, health and counters." },
	{ "POST", "/api/v1/scscf-selection/dry-run", HTTP_OPERATE, dryrun_select,
	  "Which S-CSCF would be chosen, in which order and why: by mandatoryCapabilities, optionalCapabilities, serverNames, or by what the HSS "
	  "says to ask: uar (impi, impu) or lir (impu), with its answer in words; nothing is sent to an S-CSCF." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
