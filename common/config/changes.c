/* common/config/changes.c - which keys differ between two configurations. */
#include "common/config/private.h"

static bool node_eq(const struct cfg_node *a, const struct cfg_node *b);

static bool value_eq(const struct cfg_slot *s, const struct cfg_value *a, const struct cfg_value *b)
{
	size_t items = s->row->type == CFG_STR_MAP ? a->count * 2 : a->count;

	if (!str_eq(a->text, b->text) || (a->text.p == NULL) != (b->text.p == NULL) || a->n != b->n || a->count != b->count)
		return false;
	for (size_t i = 0; i < items; i++)
		if (s->row->type == CFG_LIST ? !node_eq(a->elems[i], b->elems[i]) : !str_eq(a->items[i], b->items[i]))
			return false;
	return true;
}

static bool node_eq(const struct cfg_node *a, const struct cfg_node *b)
{
	for (size_t i = 0; i < a->scope->n; i++) {
		const struct cfg_slot *s = a->scope->slots[i];

		if (s->row->type != CFG_MAP && !value_eq(s, &a->val[s->index], &b->val[s->index]))
			return false;
	}
	return true;
}

void cfg_changes(const struct cfg *a, const struct cfg *b, void (*fn)(void *u, const char *path, bool reload), void *u)
{
	for (size_t i = 0; i < a->scope->n; i++) {
		const struct cfg_slot *s = a->scope->slots[i];

		if (s->row->type != CFG_MAP && !value_eq(s, &a->root->val[s->index], &b->root->val[s->index]))
			fn(u, s->path, s->row->flags & CFG_RELOAD);
	}
}
