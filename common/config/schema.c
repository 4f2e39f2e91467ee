/* common/config/schema.c - the schema tables, indexed by section; and what somebody meant who mistyped a word. */
#include <stdio.h>
#include <stdlib.h>
#include "common/config/private.h"

#define SUGGEST_MAX 48			/* longer words get no suggestion */

static int by_path(const void *a, const void *b)
{
	return strcmp((*(struct cfg_slot *const *)a)->path, (*(struct cfg_slot *const *)b)->path);
}

static struct cfg_slot *find_linear(const struct cfg_scope *s, struct str path)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(path, str_make(s->slots[i]->path, s->slots[i]->path_l)))
			return s->slots[i];
	return NULL;
}

static bool grow(struct cfg_pool *p, struct cfg_scope *s)
{
	size_t cap = s->cap ? s->cap * 2 : 32;
	struct cfg_slot **more;

	if (s->n < s->cap)
		return true;
	more = cfg_pool_alloc(p, cap * sizeof(struct cfg_slot *));
	if (!more)
		return false;
	if (s->n)
		memcpy(more, s->slots, s->n * sizeof(struct cfg_slot *));
	s->slots = more;
	s->cap = cap;
	return true;
}

/* The slot of `path`, made when it is new; sections above it are made as well. */
static struct cfg_slot *ensure(struct cfg_pool *p, struct cfg_scope *s, struct str path, enum cfg_type type)
{
	struct cfg_slot *slot = find_linear(s, path), *parent = NULL;
	struct cfg_row *row;
	ssize_t dot = str_rchr(path, '.');

	if (slot)
		return slot;
	if (dot > 0) {
		parent = ensure(p, s, str_head(path, (size_t)dot), CFG_MAP);
		if (!parent)
			return NULL;
	}
	slot = cfg_pool_alloc(p, sizeof(*slot));
	row = cfg_pool_alloc(p, sizeof(*row));
	if (!slot || !row || !grow(p, s))
		return NULL;
	slot->path = cfg_pool_dup(p, path);
	if (!slot->path)
		return NULL;
	slot->path_l = path.l;
	slot->leaf = slot->path + dot + 1;
	row->path = slot->path;
	row->type = type;
	slot->row = row;
	slot->parent = parent;
	slot->index = s->n;
	s->slots[s->n++] = slot;
	return slot;
}

static bool add_row(struct cfg_pool *p, struct cfg_scope *s, struct str path, const struct cfg_row *row)
{
	ssize_t list = str_find(path, STR("[]."));
	struct cfg_slot *slot;
	size_t full;

	if (list < 0) {
		slot = ensure(p, s, path, row->type);
		if (!slot)
			return false;
		slot->row = row;		/* a later table may say a row anew: a daemon can make a common key required */
		return true;
	}
	slot = ensure(p, s, str_head(path, (size_t)list), CFG_LIST);
	if (!slot)
		return false;
	if (!slot->elem) {
		slot->elem = cfg_pool_alloc(p, sizeof(*slot->elem));
		full = (size_t)(path.p - row->path) + (size_t)list;
		if (!slot->elem)
			return false;
		slot->elem->name = cfg_pool_dup(p, str_make(row->path, full));
	}
	return add_row(p, slot->elem, str_from(path, (size_t)list + 3), row);
}

static bool sort_scope(struct cfg_pool *p, struct cfg_scope *s)
{
	s->sorted = cfg_pool_alloc(p, (s->n + 1) * sizeof(struct cfg_slot *));
	if (!s->sorted || !s->name)
		return false;
	if (s->n) {
		memcpy(s->sorted, s->slots, s->n * sizeof(struct cfg_slot *));
		qsort(s->sorted, s->n, sizeof(struct cfg_slot *), by_path);
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->slots[i]->elem && !sort_scope(p, s->slots[i]->elem))
			return false;
	return true;
}

struct cfg_scope *cfg_scope_new(struct cfg_pool *p, const struct cfg_row *const *schemas)
{
	struct cfg_scope *s = cfg_pool_alloc(p, sizeof(*s));

	if (!s)
		return NULL;
	s->name = "";
	for (; *schemas; schemas++)
		for (const struct cfg_row *r = *schemas; r->path; r++)
			if (!add_row(p, s, str_from_c(r->path), r))
				return NULL;
	return sort_scope(p, s) ? s : NULL;
}

const struct cfg_slot *cfg_scope_find(const struct cfg_scope *s, const char *path)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(path, s->sorted[mid]->path);

		if (c == 0)
			return s->sorted[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct cfg_slot *cfg_scope_child(const struct cfg_scope *s, const struct cfg_slot *parent, struct str key)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->slots[i]->parent == parent && str_eq_c(key, s->slots[i]->leaf))
			return s->slots[i];
	return NULL;
}

static bool is_below(const struct cfg_slot *s, const struct cfg_slot *section)
{
	for (; s; s = s->parent)
		if (s->parent == section)
			return true;
	return false;
}

bool cfg_slot_has_required(const struct cfg_scope *s, const struct cfg_slot *section)
{
	for (size_t i = 0; i < s->n; i++)
		if ((s->slots[i]->row->flags & CFG_REQUIRED) && !s->slots[i]->row->def && is_below(s->slots[i], section))
			return true;
	return false;
}

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b. */
static unsigned edit_distance(struct str a, struct str b)
{
	unsigned char d[3][SUGGEST_MAX + 1];	/* the rows before last, last, now */

	for (size_t j = 0; j <= b.l; j++)
		d[1][j] = (unsigned char)j;
	for (size_t i = 1; i <= a.l; i++) {
		d[2][0] = (unsigned char)i;
		for (size_t j = 1; j <= b.l; j++) {
			unsigned char best = (unsigned char)(d[1][j - 1] + (a.p[i - 1] != b.p[j - 1]));

			if (d[1][j] + 1 < best)
				best = (unsigned char)(d[1][j] + 1);
			if (d[2][j - 1] + 1 < best)
				best = (unsigned char)(d[2][j - 1] + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] && d[0][j - 2] + 1 < best)
				best = (unsigned char)(d[0][j - 2] + 1);
			d[2][j] = best;
		}
		memcpy(d[0], d[1], sizeof(d[0]));
		memcpy(d[1], d[2], sizeof(d[1]));
	}
	return d[1][b.l];
}

void cfg_suggest_init(struct cfg_suggest *s, struct str typed)
{
	*s = (struct cfg_suggest){ .typed = typed, .distance = 1 + (unsigned)(typed.l < 12 ? (typed.l + 2) / 3 : 4) };
}

void cfg_suggest_word(struct cfg_suggest *s, struct str word)
{
	char lower[SUGGEST_MAX];
	unsigned d;

	if (s->typed.l > SUGGEST_MAX || word.l > SUGGEST_MAX || s->typed.l == 0 || word.l == 0)
		return;
	for (size_t i = 0; i < s->typed.l; i++) {	/* "Listen", "token-file": what other programs' files look like */
		char c = s->typed.p[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c == '-' ? '_' : c;
	}
	d = edit_distance(str_make(lower, s->typed.l), word);
	/* "tls" (three letters, two of them wrong) is no typing error of "udp" */
	if (d < s->distance && d < word.l && d < s->typed.l) {
		s->best = word.p;
		s->best_l = word.l;
		s->distance = d;
	}
}

void cfg_suggest_choices(struct cfg_suggest *s, const char *choices)
{
	struct str rest = str_from_c(choices), word;

	while (rest.l) {
		str_cut(rest, '|', &word, &rest);
		cfg_suggest_word(s, word);
	}
}

const char *cfg_suggest_text(const struct cfg_suggest *s, char *dst, size_t size)
{
	dst[0] = '\0';
	if (s->best)
		snprintf(dst, size, "; did you mean \"%.*s\"?", (int)s->best_l, s->best);
	return dst;
}
