/* common/daemon/config_revisions.c - /api/v1/config/revisions: texts that the configuration file had, what differs, and the way back to one. */
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/config_private.h"
#include "common/util/clock.h"

static cJSON *revision_json(const struct revision *v)
{
	cJSON *o = cJSON_CreateObject();
	char when[40];

	config_add_revision(o, "revision", v->number);
	clock_rfc3339(v->wall_us, when);
	cJSON_AddStringToObject(o, "appliedAt", when);
	cJSON_AddStringToObject(o, "by", v->by);
	cJSON_AddStringToObject(o, "origin", v->origin);
	return o;
}

static void get_revisions(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct revision *v;
	uint64_t before = 0;
	unsigned limit;
	char next[16];
	cJSON *items;
	size_t n;

	if (!http_page_number(r, UINT32_MAX, &limit, &before))
		return;
	v = calloc((size_t)limit + 1, sizeof(*v));
	items = cJSON_CreateArray();
	n = v ? revisions_list(s->revisions, (uint32_t)before, v, (size_t)limit + 1) : 0;
	for (size_t i = 0; i < n && i < limit; i++)
		cJSON_AddItemToArray(items, revision_json(&v[i]));
	snprintf(next, sizeof(next), "%u", n > limit ? v[limit - 1].number : 0);
	http_reply_page(r, items, n > limit ? next : NULL);
	free(v);
}

/* The text of a revision that is still kept.  False after an answer. */
static bool text_of(struct stack *s, struct http_req *r, struct str number, struct buf *text)
{
	uint32_t n;

	if (str_to_u32(number, &n) == 0 && revisions_read(s->revisions, n, text) == 0)
		return true;
	http_problem(r, 404, "RESOURCE_NOT_FOUND", "that revision is not kept");
	return false;
}

/* The same read by today's schema, with what it includes as that is today. */
static struct cfg *config_of(struct stack *s, struct http_req *r, struct str number)
{
	struct cfg *c = NULL;
	struct buf text, errors;

	buf_init(&text, CONFIG_TEXT_BYTES);
	buf_init(&errors, CONFIG_ERRORS_BYTES);
	if (text_of(s, r, number, &text) && daemon_load_text(s->daemon, buf_str(&text), &c, &errors) < 0)
		http_problem_with(r, 409, "REVISION_INVALID", "it is no good configuration any more", "findings", config_findings(&errors));
	buf_fini(&text);
	buf_fini(&errors);
	return c;
}

static void get_revision(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct cfg *c = config_of(s, r, http_param(r, "revision"));
	struct revision v;
	uint32_t n = 0;
	cJSON *o;

	if (!c)
		return;
	str_to_u32(http_param(r, "revision"), &n);
	o = revisions_list(s->revisions, n + 1, &v, 1) ? revision_json(&v) : cJSON_CreateObject();
	cJSON_AddItemToObject(o, "config", cfg_json(c));
	http_reply_json(r, 200, o);
	cfg_unref(c);
}

static void get_diff(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct str other = http_query(r, "to");
	struct cfg *from = config_of(s, r, http_param(r, "revision")), *to;
	struct config_changes c;
	cJSON *o;

	if (!from)
		return;
	to = other.l ? config_of(s, r, other) : cfg_ref(s->daemon->config);
	if (to) {
		config_compare(&c, from, to);
		o = cJSON_CreateObject();
		cJSON_AddItemToObject(o, "changes", c.list);
		http_reply_json(r, 200, o);
	}
	cfg_unref(from);
	cfg_unref(to);
}

static void post_restore(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct buf text;
	bool dry;

	buf_init(&text, CONFIG_TEXT_BYTES);
	if (config_dry_run(r, &dry) && http_may_change_json(r, config_json(s), false) && text_of(s, r, http_param(r, "revision"), &text) && config_file_is_ours(s, r))
		config_propose(s, r, buf_str(&text), NULL, "restore", dry);
	buf_fini(&text);
}

const struct http_route config_revisions_routes[] = {
	{ "GET", "/api/v1/config/revisions", HTTP_VIEW, get_revisions, "Versions of the configuration file, newest first." },
	{ "GET", "/api/v1/config/revisions/{revision}", HTTP_VIEW, get_revision, "One of them, defaults filled in, secrets as ***." },
	{ "GET", "/api/v1/config/revisions/{revision}/diff", HTTP_VIEW, get_diff,
	  "What is different in to=, another revision, or else in the configuration that runs." },
	{ "POST", "/api/v1/config/revisions/{revision}/restore", HTTP_ADMIN, post_restore, "Makes it the configuration file again." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
