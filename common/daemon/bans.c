/* common/daemon/bans.c - GET, POST and DELETE /api/v1/bans: sources that are kept out for a while.  Row X10. */
#include <errno.h>
#include <stdio.h>
#include "common/daemon/events.h"
#include "common/daemon/private.h"
#include "common/log/log.h"
#include "common/util/clock.h"

#define MAX_BAN_S 604800u
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
	uint64_t skip = 0;
	unsigned limit;
	char next[24];
	cJSON *items;
	size_t n;

	if (!http_page_number(r, UINT32_MAX, &limit, &skip))
		return;
	n = s->sources ? sources_bans(s->sources, now, skip, v, limit + 1) : 0;
	items = cJSON_CreateArray();
	for (size_t i = 0; i < n && i < limit; i++)
		cJSON_AddItemToArray(items, show(&v[i], now));
	snprintf(next, sizeof(next), "%llu", (unsigned long long)skip + limit);
	http_reply_page(r, items, n > limit ? next : NULL);
}

static void tell(struct stack *s, const char *what, struct str source, const char *by)
{
	cJSON *o = cJSON_CreateObject();

	events_add(o, "source", source);
	cJSON_AddStringToObject(o, "by", by);
	stack_event(s, what, o);
}

/* {"source": ADDRESS, "durationS": N}: dropped from now on.  Where it works is said in sources.h. */
static void post_ban(void *u, struct http_req *r)
{
	const cJSON *doc = http_json(r), *source = doc ? cJSON_GetObjectItemCaseSensitive(doc, "source") : NULL, *time;
	struct stack *s = u;
	char shown[SOURCE_STRLEN], at[SOURCE_STRLEN + 32];
	uint64_t now = clock_mono_ms();
	struct source_view v;
	struct addr a;
	unsigned bits;
	int rc;

	if (!doc)
		return;
	time = cJSON_GetObjectItemCaseSensitive(doc, "durationS");
	if (!cJSON_IsString(source) || addr_prefix_parse(str_from_c(source->valuestring), &a, &bits) < 0 || bits < (a.sa.sa_family == AF_INET6 ? 64 : 32)) {
		http_problem(r, 422, "INVALID_SOURCE", "source must be an address; an IPv6 address stands for its /64");
		return;
	}
	if (time && (!cJSON_IsNumber(time) || time->valuedouble < 1 || time->valuedouble > MAX_BAN_S)) {
		http_problem(r, 422, "INVALID_TIME", "durationS is 1 to %u", MAX_BAN_S);
		return;
	}
	if (!s->sources) {
		http_problem(r, 409, "NO_SOURCES", "this node limits no sources: sip.sources, at the P-CSCF");
		return;
	}
	rc = sources_ban(s->sources, &a, "administration", time ? (uint32_t)time->valuedouble : (uint32_t)cfg_int(cfg_root(s->config), "sip.sources.ban_s"),
			 now, &v);
	if (rc < 0) {
		http_problem(r, rc == -ENOMEM ? 503 : 409, rc == -EPERM ? "SOURCE_EXEMPT" : rc == -EEXIST ? "ALREADY_BANNED" : "OUT_OF_MEMORY",
			     rc == -EPERM ? "that source is exempt: a trusted node, or sip.sources.exempt" :
			     rc == -EEXIST ? "it is kept out by hand already, and as long" : "out of memory");
		return;
	}
	snprintf(shown, sizeof(shown), "%s", v.source);
	log_info(LOG_SEC, "source banned", LOG_C("source", shown), LOG_C("reason", v.reason), LOG_C("by", http_who(r)));
	tell(s, "ban.added", str_from_c(shown), http_who(r));
	snprintf(at, sizeof(at), "/api/v1/bans/%.*s", (int)strcspn(shown, "/"), shown);
	http_set_header(r, "Location", at);
	http_reply_json(r, 201, show(&v, now));
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
		tell(s, "ban.lifted", http_param(r, "source"), http_who(r));
		http_reply(r, 204, NULL, STR_NONE);
	}
}

const struct http_route bans_routes[] = {
	{ "GET", "/api/v1/bans", HTTP_VIEW, get_bans, "Sources that are kept out for a while, and why." },
	{ "POST", "/api/v1/bans", HTTP_OPERATE, post_ban, "Keeps source out, for durationS or sip.sources.ban_s." },
	{ "DELETE", "/api/v1/bans/{source}", HTTP_OPERATE, delete_ban, "Lets a source in again." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
