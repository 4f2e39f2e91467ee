/* common/daemon/config_rest.c - the configuration and the log's levels over REST. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/daemon/private.h"
#include "common/log/log.h"

#define ERRORS_BYTES (64u * 1024)
#define DOCUMENT_BYTES (1u << 20)
#define MAX_REVERT_S 86400u

/* ---- configuration ---- */

static void get_config(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct buf out;

	if (str_find(http_header(r, "Accept"), STR("yaml")) < 0) {
		http_reply_json(r, 200, config_json(s));
		return;
	}
	buf_init(&out, DOCUMENT_BYTES);
	cfg_write_normal(s->daemon->config, &out);
	http_reply(r, 200, "application/yaml", buf_str(&out));
	buf_fini(&out);
}

static void get_schema(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct buf out;

	buf_init(&out, DOCUMENT_BYTES);
	daemon_schema_json(s->daemon, &out);
	http_reply(r, 200, "application/schema+json", buf_str(&out));
	buf_fini(&out);
}

static void add_number(cJSON *o, const char *name, struct str s)
{
	uint32_t n;

	if (str_to_u32(s, &n) == 0)
		cJSON_AddNumberToObject(o, name, n);
}

/* "file:line:column: message" to {line, column, message}; another line is a message as it is. */
static cJSON *finding(struct str line)
{
	cJSON *o = cJSON_CreateObject();
	ssize_t end = str_find(line, STR(": "));
	struct str where = end > 0 ? str_head(line, (size_t)end) : STR_NONE, file, n, column;
	ssize_t second = str_rchr(where, ':'), first = second > 0 ? str_rchr(str_head(where, (size_t)second), ':') : -1;
	char *text;

	if (first > 0) {
		file = str_head(where, (size_t)first);
		n = str_make(where.p + first + 1, (size_t)(second - first - 1));
		column = str_from(where, (size_t)second + 1);
		text = str_dup(file);
		cJSON_AddStringToObject(o, "file", text ? text : "");
		free(text);
		add_number(o, "line", n);
		add_number(o, "column", column);
		line = str_from(line, (size_t)end + 2);
	}
	text = str_dup(line);
	cJSON_AddStringToObject(o, "message", text ? text : "");
	free(text);
	return o;
}

cJSON *config_findings(const struct buf *errors)
{
	cJSON *list = cJSON_CreateArray();
	struct str rest = buf_str(errors), line;

	while (rest.l) {
		str_cut(rest, '\n', &line, &rest);
		if (line.l)
			cJSON_AddItemToArray(list, finding(line));
	}
	return list;
}

/* A text of others must not make us read files: what a mistake quotes would leave in the answer. */
static void post_validate(void *u, struct http_req *r)
{
	struct stack *s = u;
	struct str text = http_body(r);
	struct buf errors;
	cJSON *doc;
	int rc;

	if (cfg_text_includes(text)) {
		http_problem(r, 422, "INCLUDE_REFUSED", "a configuration that is checked by REST must be in one piece, without include");
		return;
	}
	buf_init(&errors, ERRORS_BYTES);
	rc = daemon_check_text(s->daemon, text, &errors);
	doc = cJSON_CreateObject();
	cJSON_AddBoolToObject(doc, "valid", rc == 0);
	cJSON_AddItemToObject(doc, "findings", config_findings(&errors));
	buf_fini(&errors);
	http_reply_json(r, 200, doc);
}

/* ---- log levels ---- */

static void on_revert(struct timer *t)
{
	struct stack *s = container_of(t, struct stack, log_revert);

	daemon_log_levels(s->daemon);
	log_info(LOG_CORE, "log levels are as configured again");
}

void config_rest_init(struct stack *s)
{
	timer_init(&s->log_revert, on_revert);
}

static cJSON *logging_json(const struct stack *s)
{
	cJSON *doc = cJSON_CreateObject(), *areas;

	areas = cJSON_AddObjectToObject(doc, "categories");
	for (int a = 0; a < LOG_N_AREAS; a++)
		cJSON_AddStringToObject(areas, log_area_name((enum log_area)a), log_level_name(log_level_of((enum log_area)a)));
	cJSON_AddStringToObject(doc, "format", cfg_cstr(cfg_root(s->config), "log.format"));
	cJSON_AddBoolToObject(doc, "reverts", timer_pending(&s->log_revert));
	return doc;
}

static void get_logging(void *u, struct http_req *r)
{
	http_reply_json(r, 200, logging_json(u));
}

static bool level_of(struct http_req *r, const cJSON *v, enum log_level *ret)
{
	if (cJSON_IsString(v) && log_level_from_name(str_from_c(v->valuestring), ret) == 0)
		return true;
	http_problem(r, 422, "INVALID_LEVEL", "a level is error, warn, info or debug");
	return false;
}

/* Read once to see that all of it is good, and once to do it. */
static bool categories(struct http_req *r, const cJSON *map, bool doit)
{
	const cJSON *v;
	enum log_area a;
	enum log_level l;

	cJSON_ArrayForEach(v, map) {
		if (log_area_from_name(str_from_c(v->string), &a) < 0) {
			http_problem(r, 422, "INVALID_CATEGORY", "%s is no category of the log", v->string);
			return false;
		}
		if (!level_of(r, v, &l))
			return false;
		if (doit)
			log_set_level(a, l);
	}
	return true;
}

/* The levels as they are, and their ETag. */
static void reply_levels(struct stack *s, struct http_req *r)
{
	cJSON *now = logging_json(s);
	char etag[HTTP_ETAG_STRLEN];

	if (http_etag_json(now, etag))
		http_set_etag(r, etag);
	http_reply_json(r, 200, now);
}

/* {"level": ..., "categories": {"reg": "debug"}, "revertAfterS": 600} */
static void patch_logging(void *u, struct http_req *r)
{
	struct stack *s = u;
	const cJSON *doc = http_json(r), *all, *some, *after;
	enum log_level l = LOG_INFO;

	if (!doc || !http_may_change_json(r, logging_json(s), false))
		return;
	all = cJSON_GetObjectItemCaseSensitive(doc, "level");
	some = cJSON_GetObjectItemCaseSensitive(doc, "categories");
	after = cJSON_GetObjectItemCaseSensitive(doc, "revertAfterS");
	if ((all && !level_of(r, all, &l)) || !categories(r, some, false))
		return;
	if (after && (!cJSON_IsNumber(after) || after->valuedouble < 1 || after->valuedouble > MAX_REVERT_S)) {
		http_problem(r, 422, "INVALID_TIME", "revertAfterS is 1 to %u", MAX_REVERT_S);
		return;
	}
	if (all)
		log_set_level(LOG_N_AREAS, l);
	categories(r, some, true);
	if (after)
		timer_start(loop_wheel(s->main_loop), &s->log_revert, (uint64_t)after->valuedouble * 1000);
	else
		timer_stop(&s->log_revert);
	reply_levels(s, r);
}

const struct http_route config_routes[] = {
	{ "GET", "/api/v1/config", HTTP_VIEW, get_config,
	  "The configuration, defaults filled in, secrets as ***; in normal form where Accept asks for application/yaml." },
	{ "GET", "/api/v1/config/schema", HTTP_VIEW, get_schema, "JSON Schema of the configuration." },
	{ "POST", "/api/v1/config/validate", HTTP_ADMIN, post_validate, "Checks a configuration (YAML) and changes nothing." },
	{ "GET", "/api/v1/logging", HTTP_VIEW, get_logging, "Levels of the log." },
	{ "PATCH", "/api/v1/logging", HTTP_OPERATE, patch_logging, "Changes levels of the log, for revertAfterS or until the next reload." },
	{ NULL, NULL, HTTP_OPEN, NULL, NULL },
};
