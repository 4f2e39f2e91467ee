/* common/http/openapi.c - the OpenAPI 3.1 document, from the route tables themselves. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/http/private.h"

static const char *const role_names[] = { "open", "view", "operate", "admin" };

/* "GET /api/v1/registrations/{id}" -> "getRegistrationsId" */
static void operation_id(const struct http_route *e, char *dst, size_t size)
{
	size_t n = 0;
	bool up = false;
	const char *p = strncmp(e->path, "/api/v1", 7) == 0 ? e->path + 7 : e->path;

	for (const char *m = e->method; *m && n + 1 < size; m++)
		dst[n++] = (char)tolower((unsigned char)*m);
	for (; *p && n + 1 < size; p++) {
		if (!isalnum((unsigned char)*p)) {
			up = true;
			continue;
		}
		dst[n++] = up ? (char)toupper((unsigned char)*p) : *p;
		up = false;
	}
	dst[n] = '\0';
}

/* "/api/v1/config/revisions/{revision}" -> "config"; what stands outside of /api/v1 is "probes". */
static void tag_of(const char *path, char *dst, size_t size)
{
	struct str first, rest = str_from_c(path);

	if (!str_starts(rest, STR("/api/v1/"))) {
		snprintf(dst, size, "probes");
		return;
	}
	str_cut(str_from(rest, 8), '/', &first, &rest);
	str_copy(first, dst, size);
}

static cJSON *add_parameters(cJSON *op, const char *path)
{
	cJSON *params = cJSON_CreateArray(), *one;
	const char *p = path;

	while ((p = strchr(p, '{'))) {
		const char *end = strchr(p, '}');
		char name[64], text[96];

		one = cJSON_CreateObject();
		str_copy(str_make(p + 1, (size_t)(end - p - 1)), name, sizeof(name));
		snprintf(text, sizeof(text), "%s, percent-encoded", name);
		cJSON_AddStringToObject(one, "name", name);
		cJSON_AddStringToObject(one, "in", "path");
		cJSON_AddBoolToObject(one, "required", true);
		cJSON_AddStringToObject(one, "description", text);
		cJSON_AddStringToObject(cJSON_AddObjectToObject(one, "schema"), "type", "string");
		cJSON_AddItemToArray(params, one);
		p = end;
	}
	cJSON_AddItemToObject(op, "parameters", params);
	return params;
}

/* Help texts name query parameters as "name=": they are in the document because they are in the sentence. */
static void add_queries(cJSON *params, const char *help)
{
	for (const char *p = help; (p = strchr(p, '=')); p++) {
		const char *from = p;
		cJSON *one;
		char name[32];

		while (from > help && isalnum((unsigned char)from[-1]))
			from--;
		if (from == p || !islower((unsigned char)*from) || !str_copy(str_make(from, (size_t)(p - from)), name, sizeof(name)))
			continue;
		one = cJSON_CreateObject();
		cJSON_AddStringToObject(one, "name", name);
		cJSON_AddStringToObject(one, "in", "query");
		cJSON_AddStringToObject(one, "description", "As the summary says.");
		cJSON_AddStringToObject(cJSON_AddObjectToObject(one, "schema"), "type", "string");
		cJSON_AddItemToArray(params, one);
	}
}

/* Lists page by these; a resource that is none does not look at them. */
static void add_references(cJSON *params, const struct http_route *e)
{
	static const char *const pages[] = { "#/components/parameters/Limit", "#/components/parameters/Cursor" };
	bool get = strcmp(e->method, "GET") == 0, list = get && e->path[strlen(e->path) - 1] == 's';

	for (size_t i = 0; list && i < 2; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "$ref", pages[i]);
		cJSON_AddItemToArray(params, one);
	}
	if (!get) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "$ref", "#/components/parameters/IfMatch");
		cJSON_AddItemToArray(params, one);
	}
}

static void add_schema(cJSON *to, const char *type, const char *ref)
{
	cJSON *schema = cJSON_AddObjectToObject(cJSON_AddObjectToObject(cJSON_AddObjectToObject(to, "content"), type), "schema");

	if (ref)
		cJSON_AddStringToObject(schema, "$ref", ref);
}

/* {"content": {TYPE: {"schema": schema}}}; schema is taken over. */
static void add_content(cJSON *to, const char *type, cJSON *schema)
{
	cJSON_AddItemToObject(cJSON_AddObjectToObject(cJSON_AddObjectToObject(to, "content"), type), "schema", schema);
}

/* Of a content that has no shape: "application/schema+json" is an object, all else a text. */
static cJSON *text_schema(const char *content_type)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "type", str_ends(str_from_c(content_type), STR("json")) ? "object" : "string");
	return o;
}

static void add_body(cJSON *op, const struct http_server *s, const struct http_route *e)
{
	const char *shape = shape_find(s, "< ", e->method, e->path);
	cJSON *body, *schema;

	if (!shape || strcmp(e->method, "GET") == 0 || strcmp(e->method, "DELETE") == 0)
		return;
	body = cJSON_AddObjectToObject(op, "requestBody");
	cJSON_AddStringToObject(body, "description", "As the summary says.");
	schema = strchr(shape, '/') ? text_schema(shape) : shape_schema(shape, false);
	add_content(body, strchr(shape, '/') ? shape : strcmp(e->method, "PATCH") == 0 ? "application/merge-patch+json" : "application/json", schema);
}

/* A list pages. */
static cJSON *page_schema(const char *shape)
{
	cJSON *o = cJSON_CreateObject(), *members, *need;

	cJSON_AddStringToObject(o, "type", "object");
	need = cJSON_AddArrayToObject(o, "required");
	cJSON_AddItemToArray(need, cJSON_CreateString("items"));
	cJSON_AddItemToArray(need, cJSON_CreateString("page"));
	members = cJSON_AddObjectToObject(o, "properties");
	cJSON_AddItemToObject(members, "items", shape_schema(shape, true));
	cJSON_AddStringToObject(cJSON_AddObjectToObject(members, "page"), "$ref", "#/components/schemas/Page");
	return o;
}

/* "201 Ban", "[Peer]", "204", "text/plain": one of the answers that are good. */
static void add_answer(cJSON *all, struct str one)
{
	char status[4] = "200", shape[1024];
	cJSON *o;

	one = str_trim(one);
	if (one.l >= 3 && isdigit((unsigned char)one.p[0])) {
		str_copy(str_head(one, 3), status, sizeof(status));
		one = str_trim(str_from(one, 3));
	}
	o = cJSON_AddObjectToObject(all, status);
	cJSON_AddStringToObject(o, "description", strcmp(status, "201") == 0 ? "Made." : strcmp(status, "202") == 0 ? "Begun." : "Done.");
	if (!str_copy(one, shape, sizeof(shape)) || !one.l)
		return;
	if (strchr(shape, '/'))
		add_content(o, shape, text_schema(shape));
	else
		add_content(o, "application/json", shape[0] == '[' ? page_schema(shape) : shape_schema(shape, true));
}

/* The shape's own alternatives stand within parentheses: " | " is between answers. */
static void add_answers(cJSON *all, const char *shapes)
{
	struct str rest = str_from_c(shapes);
	ssize_t at;

	while ((at = str_find(rest, STR(" | "))) >= 0) {
		add_answer(all, str_head(rest, (size_t)at));
		rest = str_from(rest, (size_t)at + 3);
	}
	add_answer(all, rest);
}

static void add_responses(cJSON *op, const struct http_server *s, const struct http_route *e)
{
	static const struct { const char *status, *ref; bool open, changes, param; } rows[] = {
		{ "400", "BadRequest", true, false, false },	     { "401", "Unauthorized", false, false, false },
		{ "403", "Forbidden", false, false, false },	     { "404", "NotFound", true, false, true },
		{ "412", "PreconditionFailed", false, true, false }, { "422", "Unprocessable", false, true, false },
		{ "429", "TooManyRequests", true, false, false },
	};
	bool open = e->role == HTTP_OPEN, changes = strcmp(e->method, "GET") != 0, param = strchr(e->path, '{');
	const char *shape = shape_find(s, "", e->method, e->path);
	cJSON *all = cJSON_AddObjectToObject(op, "responses");
	char ref[64];

	if (shape)
		add_answers(all, shape);
	else
		cJSON_AddStringToObject(cJSON_AddObjectToObject(all, "2XX"), "description", "Done.");
	if (shape && !changes && !strchr(shape, '/'))
		cJSON_AddStringToObject(cJSON_AddObjectToObject(all, "304"), "description", "It is as If-None-Match says.");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((open && !rows[i].open) || (rows[i].changes && !changes) || (rows[i].param && !param))
			continue;
		snprintf(ref, sizeof(ref), "#/components/responses/%s", rows[i].ref);
		cJSON_AddStringToObject(cJSON_AddObjectToObject(all, rows[i].status), "$ref", ref);
	}
	cJSON_AddStringToObject(cJSON_AddObjectToObject(all, "default"), "$ref", "#/components/responses/Other");
}

static void add_operation(cJSON *paths, const struct http_server *s, const struct http_route *e)
{
	cJSON *item = cJSON_GetObjectItemCaseSensitive(paths, e->path), *op, *params;
	char lower[16] = "", id[128], tag[64];

	if (!item)
		item = cJSON_AddObjectToObject(paths, e->path);
	for (size_t i = 0; e->method[i] && i + 1 < sizeof(lower); i++)
		lower[i] = (char)tolower((unsigned char)e->method[i]);
	op = cJSON_AddObjectToObject(item, lower);
	operation_id(e, id, sizeof(id));
	tag_of(e->path, tag, sizeof(tag));
	cJSON_AddItemToArray(cJSON_AddArrayToObject(op, "tags"), cJSON_CreateString(tag));
	cJSON_AddStringToObject(op, "operationId", id);
	cJSON_AddStringToObject(op, "summary", e->help);
	cJSON_AddStringToObject(op, "description", e->help);
	cJSON_AddStringToObject(op, "x-role", role_names[e->role]);
	params = add_parameters(op, e->path);
	add_queries(params, e->help);
	add_references(params, e);
	add_body(op, s, e);
	if (e->role == HTTP_OPEN)
		cJSON_AddArrayToObject(op, "security");
	add_responses(op, s, e);
}

/* ---- what operations refer to ---- */

static void add_problem_schema(cJSON *schemas)
{
	static const char *const members[] = { "type", "title", "detail", "cause", "instance" };
	cJSON *s = cJSON_AddObjectToObject(schemas, "Problem"), *p, *need;

	cJSON_AddStringToObject(s, "type", "object");
	cJSON_AddStringToObject(s, "description", "RFC 9457, with the cause for programs.");
	need = cJSON_AddArrayToObject(s, "required");
	for (size_t i = 1; i < 4; i += 2)
		cJSON_AddItemToArray(need, cJSON_CreateString(members[i]));
	cJSON_AddItemToArray(need, cJSON_CreateString("status"));
	p = cJSON_AddObjectToObject(s, "properties");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		cJSON_AddStringToObject(cJSON_AddObjectToObject(p, members[i]), "type", "string");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(p, "status"), "type", "integer");
}

static void add_problem_responses(cJSON *responses)
{
	static const struct { const char *name, *text; } rows[] = {
		{ "BadRequest", "A parameter or the body is not understood." },
		{ "Unauthorized", "No token, or one that is not valid." },
		{ "Forbidden", "The role is not enough." },
		{ "NotFound", "There is no such resource." },
		{ "PreconditionFailed", "If-Match names another state." },
		{ "Unprocessable", "Understood, but it cannot be." },
		{ "TooManyRequests", "More than the limit of one address." },
		{ "Other", "A problem (RFC 9457) with its cause." },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cJSON *one = cJSON_AddObjectToObject(responses, rows[i].name);

		cJSON_AddStringToObject(one, "description", rows[i].text);
		add_schema(one, "application/problem+json", "#/components/schemas/Problem");
	}
}

static void add_parameter(cJSON *parameters, const char *key, const char *name, const char *in, const char *type, const char *text)
{
	cJSON *one = cJSON_AddObjectToObject(parameters, key);

	cJSON_AddStringToObject(one, "name", name);
	cJSON_AddStringToObject(one, "in", in);
	cJSON_AddStringToObject(one, "description", text);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(one, "schema"), "type", type);
}

static void add_shapes(cJSON *schemas, const struct http_server *s)
{
	for (unsigned t = 0; t < s->n_shapes; t++)
		for (const struct http_shape *e = s->shapes[t]; e->name; e++)
			if (!strchr(e->name, ' '))
				cJSON_AddItemToObject(schemas, e->name, shape_schema(e->text, true));
	for (unsigned t = 0; t < s->n_shapes; t++) {
		for (const struct http_shape *e = s->shapes[t]; e->name; e++) {
			cJSON *one = strchr(e->name, ' ') ? NULL : cJSON_GetObjectItemCaseSensitive(schemas, e->name);
			cJSON *example = one ? shape_example(one, schemas) : NULL;

			if (one)
				cJSON_AddItemToArray(cJSON_AddArrayToObject(one, "examples"), example);
		}
	}
}

static void add_page_schema(cJSON *schemas)
{
	cJSON *s = cJSON_AddObjectToObject(schemas, "Page"), *next, *types;

	cJSON_AddStringToObject(s, "type", "object");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(s, "required"), cJSON_CreateString("nextCursor"));
	next = cJSON_AddObjectToObject(cJSON_AddObjectToObject(s, "properties"), "nextCursor");
	types = cJSON_AddArrayToObject(next, "type");
	cJSON_AddItemToArray(types, cJSON_CreateString("string"));
	cJSON_AddItemToArray(types, cJSON_CreateString("null"));
	cJSON_AddBoolToObject(s, "additionalProperties", false);
}

static void add_components(cJSON *doc, const struct http_server *server)
{
	cJSON *c = cJSON_AddObjectToObject(doc, "components"), *s;

	s = cJSON_AddObjectToObject(cJSON_AddObjectToObject(c, "securitySchemes"), "bearer");
	cJSON_AddStringToObject(s, "type", "http");
	cJSON_AddStringToObject(s, "scheme", "bearer");
	s = cJSON_AddObjectToObject(c, "parameters");
	add_parameter(s, "Limit", "limit", "query", "integer", "Page size, 1 to 1000; 100 when absent.");
	add_parameter(s, "Cursor", "cursor", "query", "string", "page.nextCursor of the page before.");
	add_parameter(s, "IfMatch", "If-Match", "header", "string", "The ETag that the change is based on.");
	s = cJSON_AddObjectToObject(c, "schemas");
	add_problem_schema(s);
	add_page_schema(s);
	add_shapes(s, server);
	add_problem_responses(cJSON_AddObjectToObject(c, "responses"));
}

static void add_info(cJSON *doc, const struct http_server *s)
{
	cJSON *info = cJSON_AddObjectToObject(doc, "info"), *one;
	char text[160];

	snprintf(text, sizeof(text), "%s management interface", s->nf);
	cJSON_AddStringToObject(info, "title", text);
	cJSON_AddStringToObject(info, "version", "1");
	cJSON_AddStringToObject(info, "description",
				"Made from the tables that serve it. x-role is the least role that may call. Lists page by cursor; errors are problem details.");
	one = cJSON_AddObjectToObject(info, "license");
	cJSON_AddStringToObject(one, "name", "Apache-2.0");
	cJSON_AddStringToObject(one, "identifier", "Apache-2.0");
	one = cJSON_AddObjectToObject(info, "contact");
	cJSON_AddStringToObject(one, "name", "who runs this node");
	one = cJSON_CreateObject();
	cJSON_AddStringToObject(one, "url", "/");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(doc, "servers"), one);
}

/* The tags that the operations have, once each. */
static void add_tags(cJSON *doc, const struct http_server *s)
{
	cJSON *tags = cJSON_AddArrayToObject(doc, "tags"), *one;
	char tag[64], text[96];

	for (unsigned t = 0; t < s->n_tables; t++) {
		for (const struct http_route *e = s->table[t].routes; e->method; e++) {
			tag_of(e->path, tag, sizeof(tag));
			cJSON_ArrayForEach(one, tags)
				if (strcmp(one->child->valuestring, tag) == 0)
					break;
			if (one)
				continue;
			one = cJSON_CreateObject();
			snprintf(text, sizeof(text), "What is under %s.", tag);
			cJSON_AddStringToObject(one, "name", tag);
			cJSON_AddStringToObject(one, "description", text);
			cJSON_AddItemToArray(tags, one);
		}
	}
}

void http_server_openapi(const struct http_server *s, struct buf *out)
{
	cJSON *doc = cJSON_CreateObject(), *paths, *one = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(doc, "openapi", "3.1.0");
	add_info(doc, s);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(doc, "security"), one);
	cJSON_AddArrayToObject(one, "bearer");
	add_tags(doc, s);
	paths = cJSON_AddObjectToObject(doc, "paths");
	for (unsigned t = 0; t < s->n_tables; t++)
		for (const struct http_route *e = s->table[t].routes; e->method; e++)
			add_operation(paths, s, e);
	add_components(doc, s);
	text = cJSON_PrintUnformatted(doc);
	if (text)
		buf_puts(out, text);
	cJSON_free(text);
	cJSON_Delete(doc);
}

/* ---- for people ---- */

static void put_text(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '<' || *s == '>' || *s == '&')
			buf_printf(out, "&#%d;", *s);
		else
			buf_putc(out, *s);
	}
}

void http_server_docs(const struct http_server *s, struct buf *out)
{
	buf_printf(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s: REST</title>"
			"<meta name=\"viewport\" content=\"width=device-width\"><style>body{font:1em sans-serif;margin:2em;max-width:75em}"
			"table{border-collapse:collapse;width:100%%}td,th{padding:.3em .6em;text-align:left;border-bottom:1px solid #8886;vertical-align:top}"
			"td:nth-child(2){font-family:monospace;overflow-wrap:anywhere}:root{color-scheme:light dark}</style></head><body><h1>%s</h1>"
			"<p>Bearer token, by role: view &lt; operate &lt; admin. Lists page by limit= and cursor=. Errors are problem details (RFC 9457) with a "
			"cause. The same for programs: <a href=\"openapi.json\">openapi.json</a>.</p>"
			"<table><tr><th>Method<th>Path<th>Role<th>What it does</tr>\n", s->nf, s->nf);
	for (unsigned t = 0; t < s->n_tables; t++) {
		for (const struct http_route *e = s->table[t].routes; e->method; e++) {
			buf_printf(out, "<tr><td>%s<td>%s</td><td>%s<td>", e->method, e->path, role_names[e->role]);
			put_text(out, e->help);
			buf_puts(out, "</tr>\n");
		}
	}
	buf_puts(out, "</table></body></html>\n");
}
