/* common/config/json.c - a configuration as JSON: the shape of its file, for REST. */
#include <stdlib.h>
#include "common/config/private.h"

static cJSON *node_json(const struct cfg_node *n, const struct cfg_slot *section);

static cJSON *text_json(const struct cfg_slot *s, struct str v)
{
	char *c = s->row->flags & CFG_SECRET ? NULL : str_dup(v);
	cJSON *o = cJSON_CreateString(c ? c : "***");

	free(c);
	return o;
}

static cJSON *list_json(const struct cfg_slot *s, const struct cfg_value *v)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < v->count; i++)
		cJSON_AddItemToArray(list, s->row->type == CFG_LIST ? node_json(v->elems[i], NULL) : text_json(s, v->items[i]));
	return list;
}

static cJSON *map_json(const struct cfg_slot *s, const struct cfg_value *v)
{
	cJSON *map = cJSON_CreateObject();

	for (size_t i = 0; i < v->count; i++) {
		char *key = str_dup(v->items[2 * i]);

		cJSON_AddItemToObject(map, key ? key : "", text_json(s, v->items[2 * i + 1]));
		free(key);
	}
	return map;
}

/* NULL: it has no value. */
static cJSON *value_json(const struct cfg_slot *s, const struct cfg_value *v)
{
	switch (s->row->type) {
	case CFG_MAP:
		return NULL;
	case CFG_LIST:
	case CFG_STR_LIST:
	case CFG_LISTEN:
		return v->raw || v->count ? list_json(s, v) : NULL;
	case CFG_STR_MAP:
		return v->raw || v->count ? map_json(s, v) : NULL;
	case CFG_INT:
		return v->text.p ? cJSON_CreateNumber((double)v->n) : NULL;
	case CFG_BOOL:
		return v->text.p ? cJSON_CreateBool(v->n != 0) : NULL;
	default:
		return v->text.p ? text_json(s, v->text) : NULL;
	}
}

/* A section that is not written is left out when it needs keys that have no default, as in the normal form. */
static cJSON *section_json(const struct cfg_node *n, const struct cfg_slot *s)
{
	bool written = n->val[s->index].raw;
	cJSON *o = written || !cfg_slot_has_required(n->scope, s) ? node_json(n, s) : NULL;

	if (o && !o->child && !written) {
		cJSON_Delete(o);
		o = NULL;
	}
	return o;
}

static cJSON *node_json(const struct cfg_node *n, const struct cfg_slot *section)
{
	cJSON *o = cJSON_CreateObject();

	for (size_t i = 0; i < n->scope->n; i++) {
		const struct cfg_slot *s = n->scope->slots[i];
		cJSON *v;

		if (s->parent != section)
			continue;
		v = s->row->type == CFG_MAP ? section_json(n, s) : value_json(s, &n->val[i]);
		if (v)
			cJSON_AddItemToObject(o, s->leaf, v);
	}
	return o;
}

cJSON *cfg_json(const struct cfg *c)
{
	return node_json(c->root, NULL);
}

cJSON *cfg_value_json(const struct cfg *c, const char *path)
{
	const struct cfg_slot *s = cfg_scope_find(c->scope, path);
	cJSON *v = s ? value_json(s, &c->root->val[s->index]) : NULL;

	return v ? v : cJSON_CreateNull();
}

static bool scope_names_file(const struct cfg_scope *scope)
{
	for (size_t i = 0; i < scope->n; i++) {
		const struct cfg_slot *s = scope->slots[i];

		if (s->row->type == CFG_FILE || (s->row->type == CFG_LIST && s->elem && scope_names_file(s->elem)))
			return true;
	}
	return false;
}

bool cfg_names_file(const struct cfg *c, const char *path)
{
	const struct cfg_slot *s = cfg_scope_find(c->scope, path);

	return s && (s->row->type == CFG_FILE || (s->row->type == CFG_LIST && s->elem && scope_names_file(s->elem)));
}
