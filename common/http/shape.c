/* common/http/shape.c - what answers look like, in a short notation: JSON Schema (2020-12) and an example made of it.
 *
 *   type    := s | i | n | b | t | o | any     string, integer, number, boolean, date-time, object, anything
 *            | Name                            a shape of that name
 *            | [type] | <type>                 array; map of names to it
 *            | (one|two)                       one of these strings
 *            | {name:type name?:type}          object; `?`: may be absent */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "common/http/private.h"

#define NAME_MAX_CHARS 64
#define MAX_DEPTH 16u

struct parse {
	const char *p;
	bool closed;			/* objects have no other members */
	unsigned depth;
};

static cJSON *type_of(struct parse *p);

static bool take(struct parse *p, char c)
{
	if (*p->p != c)
		return false;
	p->p++;
	return true;
}

static bool word(struct parse *p, char dst[NAME_MAX_CHARS])
{
	size_t n = 0;

	while (isalnum((unsigned char)p->p[n]) || (n && strchr("-_.", p->p[n]) && p->p[n]))
		n++;
	if (!str_copy(str_make(p->p, n), dst, NAME_MAX_CHARS) || n == 0)
		return false;
	p->p += n;
	return true;
}

static cJSON *wrap(struct parse *p, char end, const char *type, const char *member)
{
	cJSON *inner = type_of(p), *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "type", type);
	cJSON_AddItemToObject(o, member, inner);
	if (inner && take(p, end))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static cJSON *one_of(struct parse *p)
{
	cJSON *o = cJSON_CreateObject(), *all;

	cJSON_AddStringToObject(o, "type", "string");
	all = cJSON_AddArrayToObject(o, "enum");
	for (;;) {
		size_t n = strcspn(p->p, "|)");
		char text[NAME_MAX_CHARS];

		if (n == 0 || !p->p[n] || !str_copy(str_make(p->p, n), text, sizeof(text)))
			break;
		cJSON_AddItemToArray(all, cJSON_CreateString(text));
		p->p += n;
		if (take(p, ')'))
			return o;
		p->p++;
	}
	cJSON_Delete(o);
	return NULL;
}

static cJSON *object(struct parse *p)
{
	cJSON *o = cJSON_CreateObject(), *need, *members;

	cJSON_AddStringToObject(o, "type", "object");
	need = cJSON_CreateArray();
	members = cJSON_AddObjectToObject(o, "properties");
	if (p->closed)
		cJSON_AddBoolToObject(o, "additionalProperties", false);
	while (!take(p, '}')) {
		char name[NAME_MAX_CHARS];
		cJSON *inner;
		bool absent;

		while (take(p, ' '))
			;
		if (!word(p, name))
			goto bad;
		absent = take(p, '?');
		if (!take(p, ':') || !(inner = type_of(p)))
			goto bad;
		cJSON_AddItemToObject(members, name, inner);
		if (!absent)
			cJSON_AddItemToArray(need, cJSON_CreateString(name));
	}
	if (cJSON_GetArraySize(need))
		cJSON_AddItemToObject(o, "required", need);
	else
		cJSON_Delete(need);
	return o;
bad:
	cJSON_Delete(need);
	cJSON_Delete(o);
	return NULL;
}

static cJSON *plain(const char *name)
{
	static const struct { const char *name, *type; } types[] = {
		{ "s", "string" }, { "i", "integer" }, { "n", "number" }, { "b", "boolean" }, { "t", "string" }, { "o", "object" }, { "any", NULL } };
	cJSON *o = cJSON_CreateObject();
	char ref[NAME_MAX_CHARS + 32];

	if (isupper((unsigned char)name[0])) {
		snprintf(ref, sizeof(ref), "#/components/schemas/%s", name);
		cJSON_AddStringToObject(o, "$ref", ref);
		return o;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(name, types[i].name) != 0)
			continue;
		if (types[i].type)
			cJSON_AddStringToObject(o, "type", types[i].type);
		if (name[0] == 't')
			cJSON_AddStringToObject(o, "format", "date-time");
		return o;
	}
	cJSON_Delete(o);
	return NULL;
}

static cJSON *type_of(struct parse *p)
{
	char name[NAME_MAX_CHARS];
	cJSON *o = NULL;

	if (++p->depth > MAX_DEPTH)
		return NULL;
	if (take(p, '['))
		o = wrap(p, ']', "array", "items");
	else if (take(p, '<'))
		o = wrap(p, '>', "object", "additionalProperties");
	else if (take(p, '('))
		o = one_of(p);
	else if (take(p, '{'))
		o = object(p);
	else if (word(p, name))
		o = plain(name);
	p->depth--;
	return o;
}

cJSON *shape_schema(const char *text, bool closed)
{
	struct parse p = { text, closed, 0 };
	cJSON *o = type_of(&p);

	if (!o || !*p.p)
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* ---- examples ---- */

static const char *text_for(const char *name)
{
	static const struct { const char *name, *text; } rows[] = {
		{ "impu", "sip:+49152000001@ims.mnc001.mcc001.3gppnetwork.org" },
		{ "impi", "001010000000001@ims.mnc001.mcc001.3gppnetwork.org" },
		{ "callId", "3f0c8a71e2@10.45.0.3" }, { "icid", "9f3c2a7be01d44d0" }, { "uri", "sip:scscf.ims.mnc001.mcc001.3gppnetwork.org:6060" },
		{ "address", "192.0.2.10:5060" }, { "remote", "192.0.2.20:5060" }, { "local", "192.0.2.10:5060" }, { "source", "192.0.2.7" },
		{ "identity", "hss.ims.mnc001.mcc001.3gppnetwork.org" }, { "realm", "ims.mnc001.mcc001.3gppnetwork.org" },
		{ "from", "sip:+49152000001@ims.mnc001.mcc001.3gppnetwork.org" }, { "to", "sip:+49152000002@ims.mnc001.mcc001.3gppnetwork.org" },
		{ "method", "INVITE" }, { "transport", "tcp" }, { "nf", "scscf" }, { "by", "olga" }, { "who", "olga" } };

	for (size_t i = 0; name && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].text;
	return "text";
}

static cJSON *example_of(const cJSON *schema, const cJSON *all, const char *name, unsigned depth);

static cJSON *example_object(const cJSON *schema, const cJSON *all, unsigned depth)
{
	const cJSON *more = cJSON_GetObjectItemCaseSensitive(schema, "additionalProperties"), *m;
	cJSON *o = cJSON_CreateObject();

	cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(schema, "properties"))
		cJSON_AddItemToObject(o, m->string, example_of(m, all, m->string, depth + 1));
	if (cJSON_IsObject(more))
		cJSON_AddItemToObject(o, "name", example_of(more, all, "name", depth + 1));
	return o;
}

static cJSON *example_of(const cJSON *schema, const cJSON *all, const char *name, unsigned depth)
{
	const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(schema, "type"));
	const char *ref = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(schema, "$ref"));
	const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(schema, "enum"), 0);
	cJSON *list;

	if (ref)
		return depth > MAX_DEPTH ? cJSON_CreateObject() : example_of(cJSON_GetObjectItemCaseSensitive(all, strrchr(ref, '/') + 1), all, name, depth + 1);
	if (!type)
		return cJSON_CreateObject();
	if (one)
		return cJSON_CreateString(one->valuestring);
	if (strcmp(type, "string") == 0)
		return cJSON_CreateString(cJSON_GetObjectItemCaseSensitive(schema, "format") ? "2026-01-31T12:04:05.123456Z" : text_for(name));
	if (strcmp(type, "boolean") == 0)
		return cJSON_CreateBool(true);
	if (strcmp(type, "array") == 0) {
		list = cJSON_CreateArray();
		cJSON_AddItemToArray(list, example_of(cJSON_GetObjectItemCaseSensitive(schema, "items"), all, name, depth + 1));
		return list;
	}
	return strcmp(type, "object") == 0 ? example_object(schema, all, depth) : cJSON_CreateNumber(1);
}

cJSON *shape_example(const cJSON *schema, const cJSON *all)
{
	return example_of(schema, all, NULL, 0);
}

const char *shape_find(const struct http_server *s, const char *what, const char *method, const char *path)
{
	char key[256];

	snprintf(key, sizeof(key), "%s%s %s", what, method, path);
	for (unsigned t = 0; t < s->n_shapes; t++)
		for (const struct http_shape *e = s->shapes[t]; e->name; e++)
			if (strcmp(e->name, key) == 0)
				return e->text;
	return NULL;
}
