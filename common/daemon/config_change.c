/* common/daemon/config_change.c - the configuration changed over REST: merge patch and reload.
 *
 * What is asked for becomes the file's text first, then the file is read as SIGHUP would: nothing takes effect that is not
 * on the disk, and a mistake anywhere changes nothing.  Who may change the configuration over REST must not get at other files by
 * it, nor at who may do what: keys that name files, `include`, `user` and `rest` stay with who can write the file. */
#include <errno.h>
#include "common/daemon/config_private.h"
#include "common/util/file.h"

/* ---- PATCH ---- */

/* The patch on what the file and its included ones say together: what must come of it. */
static int wanted_of(struct stack *s, const cJSON *patch, struct cfg **ret, struct buf *errors)
{
	struct buf all;
	int rc;

	buf_init(&all, CONFIG_TEXT_BYTES);
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

	buf_init(&text, CONFIG_TEXT_BYTES);
	buf_init(&errors, CONFIG_ERRORS_BYTES);
	if (cfg_merge(revisions_text(s->revisions), s->daemon->config_file, false, patch, &text, &errors) < 0 ||
	    wanted_of(s, patch, &wanted, &errors) < 0)
		config_refuse(r, &errors);
	else
		config_propose(s, r, buf_str(&text), wanted, "api", dry);
	cfg_unref(wanted);
	buf_fini(&text);
	buf_fini(&errors);
}

static void patch_config(void *u, struct http_req *r)
{
	struct stack *s = u;
	const cJSON *patch = http_json(r);
	bool dry;

	if (!patch || !config_dry_run(r, &dry) || !http_may_change_json(r, config_json(s), true))
		return;
	if (!cJSON_IsObject(patch))
		http_problem(r, 400, "INVALID_PATCH", "a merge patch of the configuration is a JSON object (RFC 7396)");
	else if (cJSON_HasObjectItem(patch, "include"))
		http_problem(r, 422, "INCLUDE_REFUSED", "include is changed in the file only");
	else if (config_file_is_ours(s, r))
		patch_with(s, r, patch, dry);
}

/* ---- reload ---- */

static void reload_dry(struct stack *s, struct http_req *r, struct str text)
{
	struct cfg *fresh = NULL;
	struct config_changes c;
	struct buf errors;

	buf_init(&errors, CONFIG_ERRORS_BYTES);
	if (daemon_load_text(s->daemon, text, &fresh, &errors) < 0) {
		config_refuse(r, &errors);
	} else {
		config_compare(&c, s->daemon->config, fresh);
		config_reply_changes(s, r, c.list, true);
	}
	cfg_unref(fresh);
	buf_fini(&errors);
}

static void reload_now(struct stack *s, struct http_req *r)
{
	struct cfg *old = cfg_ref(s->daemon->config);
	struct config_changes c;
	struct buf errors;

	buf_init(&errors, CONFIG_ERRORS_BYTES);
	if (daemon_reload(s->daemon, &errors, NULL, NULL) < 0) {
		config_refuse(r, &errors);
	} else {
		config_compare(&c, old, s->daemon->config);
		config_reply_changes(s, r, c.list, false);
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

	if (!config_dry_run(r, &dry) || !http_may_change_json(r, config_json(s), false))
		return;
	if (!dry) {
		config_reload_begins(s, r, "file");
		reload_now(s, r);
		config_reload_ends(s);
		return;
	}
	buf_init(&text, CONFIG_TEXT_BYTES);
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

	config_add_revision(o, "revision", revisions_newest(s->revisions));
	cJSON_AddStringToObject(o, "by", s->reload_for.by ? s->reload_for.by : "");
	cJSON_AddStringToObject(o, "origin", s->reload_for.origin ? s->reload_for.origin : "file");
	stack_event(s, "config.changed", o);
}

/* After every reload, by SIGHUP too. */
void config_was_read(struct stack *s)
{
	uint32_t before = revisions_newest(s->revisions);
	struct buf text;

	buf_init(&text, CONFIG_TEXT_BYTES);
	if (s->daemon->config_file && file_read(s->daemon->config_file, &text) == 0)
		revisions_add(s->revisions, buf_str(&text), s->reload_for.origin ? s->reload_for.origin : "file",
			      s->reload_for.by ? s->reload_for.by : "");
	if (revisions_newest(s->revisions) != before)
		tell_changed(s);
	buf_fini(&text);
}

const struct http_route config_change_routes[] = {
	{ "PATCH", "/api/v1/config", HTTP_ADMIN, patch_config,
	  "Changes the configuration by a JSON merge patch (RFC 7396), in its file too; If-Match is needed, dryRun=true changes nothing." },
	{ "POST", "/api/v1/config/reload", HTTP_ADMIN, post_reload,
	  "Reads the configuration file again, all or nothing; says what changed and what needs a restart; dryRun=true changes nothing." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
