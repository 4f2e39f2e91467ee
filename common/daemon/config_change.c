/* common/daemon/config_change.c - the configuration changed over REST: merge patch, reload, revisions and the way back to one.
 *
 * What is asked for becomes the file's text first, then the file is read as SIGHUP would: nothing takes effect that is not
 * on the disk, and a mistake anywhere changes nothing.  Who may change the configuration over REST must not get at other files by
 * it, nor at who may do what: keys that name files, `include`, `user` and `rest` stay with who can write the file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/daemon/revisions.h"
#include "common/log/log.h"
#include "common/util/clock.h"
#include "common/util/file.h"

#define TEXT_BYTES (1u << 20)
#define ERRORS_BYTES (64u * 1024)

/* ---- what differs ---- */

struct changes {
	const struct cfg *from, *to;
	cJSON *list;
	char refused[128];		/* the first key that is not changed by REST */
};

static bool by_rest(const struct cfg *c, const char *path)
{
	return strncmp(path, "rest.", 5) != 0 && strcmp(path, "user") != 0 && !cfg_names_file(c, path);
}

static void on_change(void *u, const char *path, bool reload)
{
	struct changes *c = u;
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "path", path);
	cJSON_AddItemToObject(o, "from", cfg_value_json(c->from, path));
	cJSON_AddItemToObject(o, "to", cfg_value_json(c->to, path));
	cJSON_AddStringToObject(o, "effect", reload ? "applied" : "needs-restart");
	cJSON_AddItemToArray(c->list, o);
	if (!c->refused[0] && !by_rest(c->to, path))
		snprintf(c->refused, sizeof(c->refused), "%s", path);
}

static void compare(struct changes *c, const struct cfg *from, const struct cfg *to)
{
	*c = (struct changes){ .from = from, .to = to, .list = cJSON_CreateArray() };
	cfg_changes(from, to, on_change, c);
}

/* ---- answers ---- */

static void add_revision(cJSON *o, const char *name, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	cJSON_AddStringToObject(o, name, text);
}

cJSON *config_json(const struct stack *s)
{
	cJSON *o = cJSON_CreateObject();

	add_revision(o, "revision", revisions_newest(s->revisions));
	cJSON_AddStringToObject(o, "source", s->daemon->config_file);
	cJSON_AddItemToObject(o, "config", cfg_json(s->daemon->config));
	return o;
}

static void reply_changes(struct stack *s, struct http_req *r, cJSON *changes, bool dry)
{
	cJSON *o = cJSON_CreateObject(), *now = config_json(s);
	char etag[HTTP_ETAG_STRLEN];

	if (http_etag_json(now, etag))
		http_set_etag(r, etag);
	cJSON_Delete(now);
	add_revision(o, "revision", revisions_newest(s->revisions));
	cJSON_AddItemToObject(o, "changes", changes);
	if (dry)
		cJSON_AddBoolToObject(o, "dryRun", true);
	http_reply_json(r, 200, o);
}

static void refuse_mistakes(struct http_req *r, const struct buf *errors)
{
	http_problem_with(r, 422, "CONFIG_INVALID", "it would have mistakes: the old configuration stays", "findings", config_findings(errors));
}

/* dryRun=true.  False after a 400. */
static bool dry_run(struct http_req *r, bool *ret)
{
	struct str v = http_query(r, "dryRun");

	*ret = str_eq_c(v, "true");
	if (v.l == 0 || *ret || str_eq_c(v, "false"))
		return true;
	http_problem(r, 400, "INVALID_QUERY_PARAM", "dryRun is true or false");
	return false;
}

/* ---- a new text for the file ---- */

/* The file must say what we run by: else a change would bring along what somebody wrote into it meanwhile. */
static bool file_is_ours(struct stack *s, struct http_req *r)
{
	struct buf text;
	int rc;

	buf_init(&text, TEXT_BYTES);
	rc = file_read(s->daemon->config_file, &text);
	if (rc == 0 && str_eq(buf_str(&text), revisions_text(s->revisions))) {
		buf_fini(&text);
		return true;
	}
	buf_fini(&text);
	if (rc < 0)
		http_problem(r, 409, "CONFIG_NOT_READABLE", "%s: %s", s->daemon->config_file, strerror(-rc));
	else
		http_problem(r, 409, "FILE_CHANGED", "%s was changed since it was read: reload first", s->daemon->config_file);
	return false;
}

/* What the revision that comes of it will say. */
static void reload_begins(struct stack *s, const struct http_req *r, const char *origin)
{
	s->reload_for.origin = origin;
	s->reload_for.by = http_who(r);
}

static void reload_ends(struct stack *s)
{
	s->reload_for.origin = s->reload_for.by = NULL;
}

/* The old text comes back when the new one is refused after all: what it includes may have changed in this moment. */
static int take(struct stack *s, struct str text, struct buf *errors)
{
	int rc = file_replace(s->daemon->config_file, text, 0640);

	if (rc < 0)
		return rc;
	if (daemon_reload(s->daemon, errors, NULL, NULL) == 0)
		return 0;
	rc = file_replace(s->daemon->config_file, revisions_text(s->revisions), 0640);
	if (rc < 0)
		log_error(LOG_CONF, "the configuration file holds a text that is not taken", LOG_C("error", strerror(-rc)));
	return -EINVAL;
}

/* text becomes the file's.  changes is taken over. */
static void put_text(struct stack *s, struct http_req *r, struct str text, const char *origin, cJSON *changes)
{
	struct buf errors;
	int rc;

	buf_init(&errors, ERRORS_BYTES);
	reload_begins(s, r, origin);
	rc = take(s, text, &errors);
	reload_ends(s);
	if (rc == 0) {
		reply_changes(s, r, changes, false);
		buf_fini(&errors);
		return;
	}
	cJSON_Delete(changes);
	if (rc == -EINVAL && errors.l)
		refuse_mistakes(r, &errors);
	else
		http_problem(r, 409, "CONFIG_NOT_WRITABLE", "%s cannot be written: %s; nothing was changed", s->daemon->config_file, strerror(-rc));
	buf_fini(&errors);
}

/* text: what the file would say; wanted: what must come of it (NULL: whatever does). */
static void propose(struct stack *s, struct http_req *r, struct str text, const struct cfg *wanted, const char *origin, bool dry)
{
	struct changes c, other;
	struct cfg *fresh = NULL;
	struct buf errors;

	buf_init(&errors, ERRORS_BYTES);
	if (daemon_load_text(s->daemon, text, &fresh, &errors) < 0) {
		refuse_mistakes(r, &errors);
		buf_fini(&errors);
		return;
	}
	buf_fini(&errors);
	compare(&c, s->daemon->config, fresh);
	if (wanted)
		compare(&other, fresh, wanted);
	if (c.refused[0]) {
		http_problem(r, 422, "KEY_NOT_BY_REST", "%s is changed in the file only: keys that name files, `user` and `rest`", c.refused);
	} else if (wanted && cJSON_GetArraySize(other.list)) {
		http_problem(r, 422, "KEY_IS_INCLUDED", "%s comes from a file that is included: take it out there",
			     cJSON_GetArrayItem(other.list, 0)->child->valuestring);
	} else if (dry) {
		reply_changes(s, r, c.list, true);
		c.list = NULL;
	} else {
		put_text(s, r, text, origin, c.list);
		c.list = NULL;
	}
	if (wanted)
		cJSON_Delete(other.list);
	cJSON_Delete(c.list);
	cfg_unref(fresh);
}

/* ---- PATCH ---- */

/* The patch on what the file and its included ones say together: what must come of it. */
static int wanted_of(struct stack *s, const cJSON *patch, struct cfg **ret, struct buf *errors)
{
	struct buf all;
	int rc;

	buf_init(&all, TEXT_BYTES);
	rc = cfg_merge(revisions_text(s->revisions), s->daemon->config_file, true, patch, &all, errors);
	if (rc == 0)
		rc = daemon_load_text(s->daemon, buf_str(&all), ret, errors);
	buf_fini(&all);
	return rc;
}

static void patch_with(struct stack *s, struct http_req *r, const cJSON *patch, bool dry)
{
	struct buf text, errors;
	struct cfg *wanted = NULL;

	buf_init(&text, TEXT_BYTES);
	buf_init(&errors, ERRORS_BYTES);
	if (cfg_merge(revisions_text(s->revisions), s->daemon->config_file, false, patch, &text, &errors) < 0 ||
	    wanted_of(s, patch, &wanted, &errors) < 0)
		refuse_mistakes(r, &errors);
	else
		propose(s, r, buf_str(&text), wanted, "api", dry);
	cfg_unref(wanted);
	buf_fini(&text);
	buf_fini(&errors);
}

static void patch_config(void *u, struct http_req *r)
{
	struct stack *s = u;
	const cJSON *patch = http_json(r);
	bool dry;

	if (!patch || !dry_run(r, &dry) || !http_may_change_json(r, config_json(s), true))
		return;
	if (!cJSON_IsObject(patch))
		http_problem(r, 400, "INVALID_PATCH", "a merge patch of the configuration is a JSON object (RFC 7396)");
	else if (cJSON_HasObjectItem(patch, "include"))
		http_problem(r, 422, "INCLUDE_REFUSED", "include is changed in the file only");
	else if (file_is_ours(s, r))
		patch_with(s, r, patch, dry);
}

/* ---- reload ---- */

static void reload_dry(struct stack *s, struct http_req *r, struct str text)
{
	struct cfg *fresh = NULL;
	struct changes c;
	struct buf errors;

	buf_init(&errors, ERRORS_BYTES);
	if (daemon_load_text(s->daemon, text, &fresh, &errors) < 0) {
		refuse_mistakes(r, &errors);
	} else {
		compare(&c, s->daemon->config, fresh);
		reply_changes(s, r, c.list, true);
	}
	cfg_unref(fresh);
	buf_fini(&errors);
}

static void reload_now(struct stack *s, struct http_req *r)
{
	struct cfg *old = cfg_ref(s->daemon->config);
	struct changes c;
	struct buf errors;

	buf_init(&errors, ERRORS_BYTES);
	if (daemon_reload(s->daemon, &errors, NULL, NULL) < 0) {
		refuse_mistakes(r, &errors);
	} else {
		compare(&c, old, s->daemon->config);
		reply_changes(s, r, c.list, false);
	}
	buf_fini(&errors);
	cfg_unref(old);
}

static void post_reload(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct buf text;
	bool dry;
	int rc;

	if (!dry_run(r, &dry) || !http_may_change_json(r, config_json(s), false))
		return;
	if (!dry) {
		reload_begins(s, r, "file");
		reload_now(s, r);
		reload_ends(s);
		return;
	}
	buf_init(&text, TEXT_BYTES);
	rc = file_read(s->daemon->config_file, &text);
	if (rc < 0)
		http_problem(r, 409, "CONFIG_NOT_READABLE", "%s: %s", s->daemon->config_file, strerror(-rc));
	else
		reload_dry(s, r, buf_str(&text));
	buf_fini(&text);
}

static void tell_changed(struct stack *s)
{
	cJSON *o = cJSON_CreateObject();

	add_revision(o, "revision", revisions_newest(s->revisions));
	cJSON_AddStringToObject(o, "by", s->reload_for.by ? s->reload_for.by : "");
	cJSON_AddStringToObject(o, "origin", s->reload_for.origin ? s->reload_for.origin : "file");
	stack_event(s, "config.changed", o);
}

/* After every reload, by SIGHUP too. */
void config_was_read(struct stack *s)
{
	uint32_t before = revisions_newest(s->revisions);
	struct buf text;

	buf_init(&text, TEXT_BYTES);
	if (s->daemon->config_file && file_read(s->daemon->config_file, &text) == 0)
		revisions_add(s->revisions, buf_str(&text), s->reload_for.origin ? s->reload_for.origin : "file",
			      s->reload_for.by ? s->reload_for.by : "");
	if (revisions_newest(s->revisions) != before)
		tell_changed(s);
	buf_fini(&text);
}

/* ---- revisions ---- */

static cJSON *revision_json(const struct revision *v)
{
	cJSON *o = cJSON_CreateObject();
	char when[40];

	add_revision(o, "revision", v->number);
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

	buf_init(&text, TEXT_BYTES);
	buf_init(&errors, ERRORS_BYTES);
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
	struct changes c;
	cJSON *o;

	if (!from)
		return;
	to = other.l ? config_of(s, r, other) : cfg_ref(s->daemon->config);
	if (to) {
		compare(&c, from, to);
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

	buf_init(&text, TEXT_BYTES);
	if (dry_run(r, &dry) && http_may_change_json(r, config_json(s), false) && text_of(s, r, http_param(r, "revision"), &text) && file_is_ours(s, r))
		propose(s, r, buf_str(&text), NULL, "restore", dry);
	buf_fini(&text);
}

const struct http_route config_change_routes[] = {
	{ "PATCH", "/api/v1/config", HTTP_ADMIN, patch_config,
	  "Changes the configuration by a JSON merge patch (RFC 7396), in its file too; If-Match is needed, dryRun=true changes nothing." },
	{ "POST", "/api/v1/config/reload", HTTP_ADMIN, post_reload,
	  "Reads the configuration file again, all or nothing; says what changed and what needs a restart; dryRun=true changes nothing." },
	{ "GET", "/api/v1/config/revisions", HTTP_VIEW, get_revisions, "Versions of the configuration file, newest first." },
	{ "GET", "/api/v1/config/revisions/{revision}", HTTP_VIEW, get_revision, "One of them, defaults filled in, secrets as ***." },
	{ "GET", "/api/v1/config/revisions/{revision}/diff", HTTP_VIEW, get_diff,
	  "What is different in to=, another revision, or else in the configuration that runs." },
	{ "POST", "/api/v1/config/revisions/{revision}/restore", HTTP_ADMIN, post_restore, "Makes it the configuration file again." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
