/* common/daemon/config_text.c - a new text for the configuration file: compared with what runs, checked, put into the file, read. */
#include <errno.h>
#include <stdio.h>
#include "common/daemon/config_private.h"
#include "common/log/log.h"
#include "common/util/file.h"

/* ---- what differs ---- */

static bool by_rest(const struct cfg *c, const char *path)
{
	return strncmp(path, "rest.", 5) != 0 && strcmp(path, "user") != 0 && !cfg_names_file(c, path);
}

static void on_change(void *u, const char *path, bool reload)
{
	struct config_changes *c = u;
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "path", path);
	cJSON_AddItemToObject(o, "from", cfg_value_json(c->from, path));
	cJSON_AddItemToObject(o, "to", cfg_value_json(c->to, path));
	cJSON_AddStringToObject(o, "effect", reload ? "applied" : "needs-restart");
	cJSON_AddItemToArray(c->list, o);
	if (!c->refused[0] && !by_rest(c->to, path))
		snprintf(c->refused, sizeof(c->refused), "%s", path);
}

void config_compare(struct config_changes *c, const struct cfg *from, const struct cfg *to)
{
	*c = (struct config_changes){ .from = from, .to = to, .list = cJSON_CreateArray() };
	cfg_changes(from, to, on_change, c);
}

/* ---- answers ---- */

void config_add_revision(cJSON *o, const char *name, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	cJSON_AddStringToObject(o, name, text);
}

cJSON *config_json(const struct stack *s)
{
	cJSON *o = cJSON_CreateObject();

	config_add_revision(o, "revision", revisions_newest(s->revisions));
	cJSON_AddStringToObject(o, "source", s->daemon->config_file);
	cJSON_AddItemToObject(o, "config", cfg_json(s->daemon->config));
	return o;
}

void config_reply_changes(struct stack *s, struct http_req *r, cJSON *changes, bool dry)
{
	cJSON *o = cJSON_CreateObject(), *now = config_json(s);
	char etag[HTTP_ETAG_STRLEN];

	if (http_etag_json(now, etag))
		http_set_etag(r, etag);
	cJSON_Delete(now);
	config_add_revision(o, "revision", revisions_newest(s->revisions));
	cJSON_AddItemToObject(o, "changes", changes);
	if (dry)
		cJSON_AddBoolToObject(o, "dryRun", true);
	http_reply_json(r, 200, o);
}

void config_refuse(struct http_req *r, const struct buf *errors)
{
	http_problem_with(r, 422, "CONFIG_INVALID", "it would have mistakes: the old configuration stays", "findings", config_findings(errors));
}

/* dryRun=true.  False after a 400. */
bool config_dry_run(struct http_req *r, bool *ret)
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
bool config_file_is_ours(struct stack *s, struct http_req *r)
{
	struct buf text;
	int rc;

	buf_init(&text, CONFIG_TEXT_BYTES);
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
void config_reload_begins(struct stack *s, const struct http_req *r, const char *origin)
{
	s->reload_for.origin = origin;
	s->reload_for.by = http_who(r);
}

void config_reload_ends(struct stack *s)
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

	buf_init(&errors, CONFIG_ERRORS_BYTES);
	config_reload_begins(s, r, origin);
	rc = take(s, text, &errors);
	config_reload_ends(s);
	if (rc == 0) {
		config_reply_changes(s, r, changes, false);
		buf_fini(&errors);
		return;
	}
	cJSON_Delete(changes);
	if (rc == -EINVAL && errors.l)
		config_refuse(r, &errors);
	else
		http_problem(r, 409, "CONFIG_NOT_WRITABLE", "%s cannot be written: %s; nothing was changed", s->daemon->config_file, strerror(-rc));
	buf_fini(&errors);
}

/* text: what the file would say; wanted: what must come of it (NULL: whatever does). */
void config_propose(struct stack *s, struct http_req *r, struct str text, const struct cfg *wanted, const char *origin, bool dry)
{
	struct config_changes c, other;
	struct cfg *fresh = NULL;
	struct buf errors;

	buf_init(&errors, CONFIG_ERRORS_BYTES);
	if (daemon_load_text(s->daemon, text, &fresh, &errors) < 0) {
		config_refuse(r, &errors);
		buf_fini(&errors);
		return;
	}
	buf_fini(&errors);
	config_compare(&c, s->daemon->config, fresh);
	if (wanted)
		config_compare(&other, fresh, wanted);
	if (c.refused[0]) {
		http_problem(r, 422, "KEY_NOT_BY_REST", "%s is changed in the file only: keys that name files, `user` and `rest`", c.refused);
	} else if (wanted && cJSON_GetArraySize(other.list)) {
		http_problem(r, 422, "KEY_IS_INCLUDED", "%s comes from a file that is included: take it out there",
			     cJSON_GetArrayItem(other.list, 0)->child->valuestring);
	} else if (dry) {
		config_reply_changes(s, r, c.list, true);
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
