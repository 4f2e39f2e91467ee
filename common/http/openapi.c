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

static void add_parameters(cJSON *op, const char *path)
{
	cJSON *params = cJSON_AddArrayToObject(op, "parameters");
	const char *p = path;

	while ((p = strchr(p, '{'))) {
		const char *end = strchr(p, '}');
		cJSON *one = cJSON_CreateObject();
		char name[64];

		str_copy(str_make(p + 1, (size_t)(end - p - 1)), name, sizeof(name));
		cJSON_AddStringToObject(one, "name", name);
		cJSON_AddStringToObject(one, "in", "path");
		cJSON_AddBoolToObject(one, "required", true);
		cJSON_AddStringToObject(cJSON_AddObjectToObject(one, "schema"), "type", "string");
		cJSON_AddItemToArray(params, one);
		p = end;
	}
}

static void add_operation(cJSON *paths, const struct http_route *e)
{
	cJSON *item = cJSON_GetObjectItemCaseSensitive(paths, e->path), *op, *resp, *one;
	char lower[16] = "", id[128];

	if (!item)
		item = cJSON_AddObjectToObject(paths, e->path);
	for (size_t i = 0; e->method[i] && i + 1 < sizeof(lower); i++)
		lower[i] = (char)tolower((unsigned char)e->method[i]);
	op = cJSON_AddObjectToObject(item, lower);
	operation_id(e, id, sizeof(id));
	cJSON_AddStringToObject(op, "operationId", id);
	cJSON_AddStringToObject(op, "summary", e->help);
	cJSON_AddStringToObject(op, "x-role", role_names[e->role]);
	add_parameters(op, e->path);
	if (e->role == HTTP_OPEN)
		cJSON_AddArrayToObject(op, "security");
	resp = cJSON_AddObjectToObject(op, "responses");
	one = cJSON_AddObjectToObject(resp, "2XX");
	cJSON_AddStringToObject(one, "description", "Done.");
	one = cJSON_AddObjectToObject(resp, "default");
	cJSON_AddStringToObject(one, "description", "A problem (RFC 9457) with its cause.");
	one = cJSON_AddObjectToObject(one, "content");
	one = cJSON_AddObjectToObject(one, "application/problem+json");
	one = cJSON_AddObjectToObject(one, "schema");
	cJSON_AddStringToObject(one, "$ref", "#/components/schemas/Problem");
}

static void add_components(cJSON *doc)
{
	static const char *const members[] = { "type", "title", "detail", "cause", "instance" };
	cJSON *c = cJSON_AddObjectToObject(doc, "components"), *s, *p;

	s = cJSON_AddObjectToObject(cJSON_AddObjectToObject(c, "securitySchemes"), "bearer");
	cJSON_AddStringToObject(s, "type", "http");
	cJSON_AddStringToObject(s, "scheme", "bearer");
	s = cJSON_AddObjectToObject(cJSON_AddObjectToObject(c, "schemas"), "Problem");
	cJSON_AddStringToObject(s, "type", "object");
	p = cJSON_AddObjectToObject(s, "properties");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		cJSON_AddStringToObject(cJSON_AddObjectToObject(p, members[i]), "type", "string");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(p, "status"), "type", "integer");
}

void http_server_openapi(const struct http_server *s, struct buf *out)
{
	cJSON *doc = cJSON_CreateObject(), *info, *paths;
	char title[96], *text;

	cJSON_AddStringToObject(doc, "openapi", "3.1.0");
	info = cJSON_AddObjectToObject(doc, "info");
	snprintf(title, sizeof(title), "%s management interface", s->nf);
	cJSON_AddStringToObject(info, "title", title);
	cJSON_AddStringToObject(info, "version", "1");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(info, "license"), "name", "Apache-2.0");
	cJSON_AddArrayToObject(cJSON_GetArrayItem(
		(cJSON_AddItemToArray(cJSON_AddArrayToObject(doc, "security"), cJSON_CreateObject()),
		 cJSON_GetObjectItemCaseSensitive(doc, "security")), 0), "bearer");
	paths = cJSON_AddObjectToObject(doc, "paths");
	for (unsigned t = 0; t < s->n_tables; t++)
		for (const struct http_route *e = s->table[t].routes; e->method; e++)
			add_operation(paths, e);
	add_components(doc);
	text = cJSON_PrintUnformatted(doc);
	if (text)
		buf_puts(out, text);
	cJSON_free(text);
	cJSON_Delete(doc);
}
