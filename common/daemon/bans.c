/* common/daemon/bans.c - GET and DELETE /api/v1/bans: sources that are kept out for a while.  Row X10. */
#include <stdio.h>
#include "common/daemon/events.h"
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"

#define PAGE_MAX 1000u			/* http_page() allows no more */

static cJSON *show(const struct source_view *v, uint64_t now_ms)
{
	cJSON *o = cJSON_CreateObject();
	char when[40];

	cJSON_AddStringToObject(o, "source", v->source);
	cJSON_AddStringToObject(o, "reason", v->reason);
	clock_rfc3339(clock_wall_us() - (now_ms - v->since_ms) * 1000, when);
	cJSON_AddStringToObject(o, "since", when);
	cJSON_AddNumberToObject(o, "expiresInS", (double)((v->until_ms - now_ms + 999) / 1000));
	cJSON_AddNumberToObject(o, "dropped", (double)v->dropped);
	return o;
}

static void get_bans(void *u, struct http_req *r)
{
	static struct source_view v[PAGE_MAX + 1];		/* the main thread's only */
	struct stack *s = u;
	uint64_t now = clock_mono_ms();
	struct str cursor;
	uint32_t skip = 0;
	unsigned limit;
	char next[16];
	cJSON *items;
	size_t n;

	if (!http_page(r, &limit, &cursor))
		return;
	if (cursor.l && str_to_u32(cursor, &skip) < 0) {
		http_problem(r, 400, "INVALID_QUERY_PARAM", "the cursor is not one of ours");
		return;
	}
	n = s->sources ? sources_bans(s->sources, now, skip, v, limit + 1) : 0;
	items = cJSON_CreateArray();
	for (size_t i = 0; i < n && i < limit; i++)
		cJSON_AddItemToArray(items, show(&v[i], now));
	snprintf(next, sizeof(next), "%u", skip + limit);
	http_reply_page(r, items, n > limit ? next : NULL);
}

static void tell_lifted(struct stack *s, struct str source, const char *by)
{
	cJSON *o = cJSON_CreateObject();

	events_add(o, "source", source);
	cJSON_AddStringToObject(o, "by", by);
	stack_event(s, "ban.lifted", o);
}

/* The source as it is listed; an IPv6 address stands for its /64. */
static void delete_ban(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct addr a;
	unsigned bits;

	if (addr_prefix_parse(http_param(r, "source"), &a, &bits) < 0) {
		http_problem(r, 400, "INVALID_PARAM", "the source is not an address");
	} else if (!s->sources || !sources_unban(s->sources, &a, clock_mono_ms())) {
		http_problem(r, 404, "RESOURCE_NOT_FOUND", "that source is not banned");
	} else {
		log_info(LOG_SEC, "ban lifted", LOG_S("source", http_param(r, "source")), LOG_C("by", "administration"));
		tell_lifted(s, http_param(r, "source"), http_who(r));
		http_reply(r, 204, NULL, STR_NONE);
	}
}

const struct http_route bans_routes[] = {
	{ "GET", "/api/v1/bans", HTTP_VIEW, get_bans, "Sources that are kept out for a while, and why." },
	{ "DELETE", "/api/v1/bans/{source}", HTTP_OPERATE, delete_ban, "Lets a source in again." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
