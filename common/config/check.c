/* common/config/check.c - the YAML tree against the schema: values, or one mistake for each thing that is wrong. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include "common/config/private.h"

/* What one value is read with. */
struct rd {
	struct cfg_load *l;
	const struct cfg_scope *scope;
	const struct cfg_slot *slot;
	const struct raw *raw;
};

static const char *const kind_names[] = { [RAW_SCALAR] = "a single value", [RAW_MAP] = "a section", [RAW_SEQ] = "a list" };
static const char *const type_names[] = {
	[CFG_MAP] = "a section of \"key: value\" lines", [CFG_LIST] = "a list of sections", [CFG_STR] = "a text",
	[CFG_INT] = "a whole number", [CFG_BOOL] = "true or false", [CFG_ENUM] = "one word", [CFG_STR_LIST] = "a list of texts",
	[CFG_ADDR] = "\"ADDRESS:PORT\"", [CFG_LISTEN] = "a list of \"udp:ADDRESS:PORT\"", [CFG_FILE] = "a file name",
	[CFG_STR_MAP] = "a section of \"name: text\" lines",
};

#define mistake(r, at, fmt, ...) \
	cfg_mistake_at((r)->l, (at), "%s%s%s: " fmt, (r)->scope->name, *(r)->scope->name ? "[]." : "", (r)->slot->path, __VA_ARGS__)

/* The offending text, unless it is a secret. */
static const char *show(const struct rd *r, struct str s, struct cfg_shown *dst)
{
	return r->slot->row->flags & CFG_SECRET ? "the value" : cfg_show(s, dst);
}

static bool is_kind(const struct rd *r, enum raw_kind kind)
{
	struct cfg_shown shown;

	if (r->raw->kind == kind)
		return true;
	if (r->raw->kind == RAW_SCALAR)
		mistake(r, r->raw, "must be %s, not %s", type_names[r->slot->row->type], show(r, r->raw->text, &shown));
	else
		mistake(r, r->raw, "must be %s, not %s", type_names[r->slot->row->type], kind_names[r->raw->kind]);
	return false;
}

static bool keep(const struct rd *r, struct cfg_value *v, struct str s)
{
	v->text = (struct str){ cfg_pool_dup(r->l->pool, s), s.l };
	return v->text.p;
}

static bool str_fits(const struct rd *r, const struct raw *at, struct str s)
{
	const struct cfg_row *row = r->slot->row;
	const struct cfg_format *f = cfg_format_find(row->choices);
	struct cfg_shown shown;

	if ((row->max && (int64_t)s.l > row->max) || (int64_t)s.l < row->min) {
		if (row->min == row->max)
			mistake(r, at, "%s must have %" PRId64 " characters", show(r, s, &shown), row->min);
		else if (row->max)
			mistake(r, at, "%s must have %" PRId64 " to %" PRId64 " characters", show(r, s, &shown), row->min,
				row->max);
		else
			mistake(r, at, "%s must have at least %" PRId64 " characters", show(r, s, &shown), row->min);
		return false;
	}
	if (f && !f->ok(s)) {
		mistake(r, at, "%s must be %s", show(r, s, &shown), f->what);
		return false;
	}
	return true;
}

static void read_str(const struct rd *r, struct cfg_value *v)
{
	if (str_fits(r, r->raw, r->raw->text))
		keep(r, v, r->raw->text);
}

static void read_int(const struct rd *r, struct cfg_value *v)
{
	const struct cfg_row *row = r->slot->row;
	struct str t = r->raw->text, digits = t;
	bool minus = t.l && t.p[0] == '-';
	const char *unit = row->unit ? row->unit : "";
	struct cfg_shown shown;
	uint64_t n;
	int rc;

	if (minus)
		digits = str_from(t, 1);
	rc = str_to_u64(digits, &n);
	if (rc == -EBADMSG) {
		mistake(r, r->raw, "%s is not a whole number%s%s", cfg_show(t, &shown), *unit ? " of " : "", unit);
		return;
	}
	if (rc == 0 && digits.l > 1 && digits.p[0] == '0') {
		mistake(r, r->raw, "%s: write the number without the zero in front", cfg_show(t, &shown));
		return;
	}
	v->n = rc < 0 || n > INT64_MAX ? INT64_MAX : (int64_t)n;
	if (minus)
		v->n = -v->n;
	if (rc < 0 || v->n < row->min || v->n > (row->max ? row->max : INT64_MAX)) {
		if (row->max)
			mistake(r, r->raw, "%.*s is out of range, %" PRId64 " to %" PRId64 "%s%s", STR_ARG(t), row->min, row->max,
				*unit ? " " : "", unit);
		else
			mistake(r, r->raw, "%.*s is out of range, at least %" PRId64 "%s%s", STR_ARG(t), row->min,
				*unit ? " " : "", unit);
		return;
	}
	keep(r, v, t);
}

static void read_bool(const struct rd *r, struct cfg_value *v)
{
	static const struct { const char *word; bool on; } words[] = {
		{ "true", true }, { "false", false }, { "yes", true }, { "no", false }, { "on", true }, { "off", false },
	};
	struct cfg_shown shown;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!str_ieq_c(r->raw->text, words[i].word))
			continue;
		v->n = words[i].on;
		keep(r, v, words[i].on ? STR("true") : STR("false"));
		return;
	}
	mistake(r, r->raw, "%s must be true or false", cfg_show(r->raw->text, &shown));
}

static void read_enum(const struct rd *r, struct cfg_value *v)
{
	struct str rest = str_from_c(r->slot->row->choices), word;
	struct cfg_suggest sug;
	struct cfg_shown shown;
	char list[256] = "", hint[96];
	size_t l = 0;

	while (rest.l) {
		str_cut(rest, '|', &word, &rest);
		if (str_eq(word, r->raw->text)) {
			keep(r, v, word);
			return;
		}
		if (l < sizeof(list))
			l += (size_t)snprintf(list + l, sizeof(list) - l, "%s%.*s", l ? ", " : "", STR_ARG(word));
	}
	cfg_suggest_init(&sug, r->raw->text);
	cfg_suggest_choices(&sug, r->slot->row->choices);
	mistake(r, r->raw, "%s is not one of %s%s", cfg_show(r->raw->text, &shown), list,
		cfg_suggest_text(&sug, hint, sizeof(hint)));
}

static void read_addr(const struct rd *r, struct cfg_value *v)
{
	const char *why = cfg_hostport_why(r->raw->text);
	struct cfg_shown shown;

	if (why)
		mistake(r, r->raw, "%s: %s", cfg_show(r->raw->text, &shown), why);
	else
		keep(r, v, r->raw->text);
}

static void read_file(const struct rd *r, struct cfg_value *v)
{
	if (r->raw->text.l == 0) {
		mistake(r, r->raw, "%s", "a file name is missing");
		return;
	}
	v->text.p = cfg_path_beside(r->l->pool, r->raw, r->raw->text);
	v->text.l = v->text.p ? strlen(v->text.p) : 0;
}

static bool item_ok(const struct rd *r, const struct raw *item)
{
	struct cfg_shown shown;
	const char *why;

	if (item->kind != RAW_SCALAR) {
		mistake(r, item, "an entry must be a text, not %s", kind_names[item->kind]);
		return false;
	}
	if (cfg_raw_is_null(item)) {
		mistake(r, item, "%s", "an entry of the list is empty");
		return false;
	}
	if (r->slot->row->type != CFG_LISTEN)
		return str_fits(r, item, item->text);
	why = cfg_listen_why(item->text);
	if (why)
		mistake(r, item, "%s: %s", cfg_show(item->text, &shown), why);
	return !why;
}

static bool is_repeated(const struct rd *r, const struct cfg_value *v, const struct raw *item)
{
	struct cfg_shown shown;

	if (r->slot->row->type != CFG_LISTEN)
		return false;
	for (size_t i = 0; i < v->count; i++) {
		if (!str_eq(v->items[i], item->text))
			continue;
		mistake(r, item, "%s stands twice", cfg_show(item->text, &shown));
		return true;
	}
	return false;
}

static void read_strs(const struct rd *r, struct cfg_value *v)
{
	const struct raw *item = r->raw->kind == RAW_SEQ ? r->raw->first : r->raw;
	size_t n = r->raw->kind == RAW_SEQ ? r->raw->n : 1;

	if (r->raw->kind == RAW_MAP) {
		is_kind(r, RAW_SEQ);
		return;
	}
	if (n == 0 && (r->slot->row->flags & CFG_REQUIRED))
		mistake(r, r->raw, "%s", "the list is empty");
	if (r->slot->row->type == CFG_LISTEN && n > 256) {
		mistake(r, r->raw, "%zu listeners are too many", n);
		return;
	}
	v->items = cfg_pool_alloc(r->l->pool, n * sizeof(*v->items));
	v->item_raws = cfg_pool_alloc(r->l->pool, n * sizeof(const struct raw *));
	for (size_t i = 0; i < n && v->items && v->item_raws; i++, item = item->next) {
		if (!item_ok(r, item) || is_repeated(r, v, item))
			continue;
		v->item_raws[v->count] = item;
		v->items[v->count++] = item->text;
	}
}

static void read_str_map(const struct rd *r, struct cfg_value *v)
{
	if (!is_kind(r, RAW_MAP))
		return;
	v->items = cfg_pool_alloc(r->l->pool, 2 * r->raw->n * sizeof(*v->items));
	v->item_raws = cfg_pool_alloc(r->l->pool, 2 * r->raw->n * sizeof(const struct raw *));
	for (const struct raw *x = r->raw->first; x && v->items && v->item_raws; x = x->next) {
		if (!item_ok(r, x))
			continue;
		v->item_raws[2 * v->count] = x->key;
		v->item_raws[2 * v->count + 1] = x;
		v->items[2 * v->count] = x->key->text;
		v->items[2 * v->count + 1] = x->text;
		v->count++;
	}
}

static void read_list(const struct rd *r, struct cfg_value *v)
{
	if (!is_kind(r, RAW_SEQ))
		return;
	if (!r->slot->elem || r->raw->n > CFG_MAX_KEYS) {
		mistake(r, r->raw, "%zu entries are too many", r->raw->n);
		return;
	}
	if (r->raw->n == 0 && (r->slot->row->flags & CFG_REQUIRED))
		mistake(r, r->raw, "%s", "the list is empty");
	v->elems = cfg_pool_alloc(r->l->pool, r->raw->n * sizeof(struct cfg_node *));
	for (const struct raw *x = r->raw->first; x && v->elems; x = x->next) {
		if (x->kind != RAW_MAP) {
			mistake(r, x, "an entry must be a section of \"key: value\" lines, not %s", kind_names[x->kind]);
			continue;
		}
		v->elems[v->count] = cfg_check_map(r->l, r->slot->elem, x);
		if (v->elems[v->count])
			v->count++;
	}
}

static void read_scalar(const struct rd *r, struct cfg_value *v)
{
	static void (*const readers[])(const struct rd *, struct cfg_value *) = {
		[CFG_STR] = read_str, [CFG_INT] = read_int, [CFG_BOOL] = read_bool, [CFG_ENUM] = read_enum,
		[CFG_ADDR] = read_addr, [CFG_FILE] = read_file,
	};

	if (is_kind(r, RAW_SCALAR))
		readers[r->slot->row->type](r, v);
}

static void read_value(const struct rd *r, struct cfg_value *v)
{
	switch (r->slot->row->type) {
	case CFG_LIST:
		read_list(r, v);
		break;
	case CFG_STR_LIST:
	case CFG_LISTEN:
		read_strs(r, v);
		break;
	case CFG_STR_MAP:
		read_str_map(r, v);
		break;
	default:
		read_scalar(r, v);
	}
}

/* A default is read by the same code, so that a bad one in a table shows at once. */
static void read_default(struct cfg_load *l, const struct cfg_scope *s, const struct cfg_slot *slot, struct cfg_value *v)
{
	struct raw raw = { .kind = RAW_SCALAR, .file = "(default)", .line = 1, .col = 1 };
	struct rd r = { l, s, slot, &raw };
	struct str rest = str_from_c(slot->row->def), one;
	size_t n = 0;

	if (!slot->row->def)
		return;
	raw.text = rest;
	if (slot->row->type != CFG_STR_LIST && slot->row->type != CFG_LISTEN) {
		read_value(&r, v);
		return;
	}
	v->items = cfg_pool_alloc(l->pool, (rest.l + 1) * sizeof(*v->items));	/* "a b": words */
	while (rest.l && v->items) {
		str_cut(rest, ' ', &one, &rest);
		if (one.l)
			v->items[n++] = (struct str){ cfg_pool_dup(l->pool, one), one.l };
	}
	v->count = n;
}

static void report_unknown(struct cfg_load *l, const struct cfg_scope *s, const struct cfg_slot *section, const struct raw *key)
{
	struct cfg_suggest sug;
	struct cfg_shown shown;
	char hint[160];
	const char *in = section ? section->path : s->name;

	cfg_suggest_init(&sug, key->text);
	for (size_t i = 0; i < s->n; i++)
		if (s->slots[i]->parent == section)
			cfg_suggest_word(&sug, str_from_c(s->slots[i]->leaf));
	if (!section && !*s->name)
		cfg_suggest_word(&sug, STR("include"));
	cfg_suggest_text(&sug, hint, sizeof(hint));
	for (size_t i = 0; i < s->n && !sug.best; i++) {	/* right word, wrong section */
		if (!str_eq_c(key->text, s->slots[i]->leaf))
			continue;
		if (s->slots[i]->parent)
			snprintf(hint, sizeof(hint), "; it belongs in \"%s\"", s->slots[i]->parent->path);
		else
			snprintf(hint, sizeof(hint), "; it belongs at the top");
		break;
	}
	cfg_mistake_at(l, key, "unknown key %s%s%s%s", cfg_show(key->text, &shown), *in ? " in " : "", in, hint);
}

static void check_section(struct cfg_load *l, struct cfg_node *n, const struct cfg_slot *section, const struct raw *map);

static void check_key(struct cfg_load *l, struct cfg_node *n, const struct cfg_slot *section, const struct raw *x)
{
	const struct cfg_slot *slot = cfg_scope_child(n->scope, section, x->key->text);
	struct rd r = { l, n->scope, slot, x };
	struct cfg_value *v;

	if (!slot) {
		report_unknown(l, n->scope, section, x->key);
		return;
	}
	v = &n->val[slot->index];
	v->raw = x;
	if (slot->row->type == CFG_MAP) {
		if (cfg_raw_is_null(x) || is_kind(&r, RAW_MAP))		/* all its keys commented out: fine */
			check_section(l, n, slot, x);
	} else if (cfg_raw_is_null(x)) {
		mistake(&r, x->key, "%s", "the value is missing");
	} else {
		read_value(&r, v);
	}
}

/* `map` may be a scalar without a value: an empty section. */
static void check_section(struct cfg_load *l, struct cfg_node *n, const struct cfg_slot *section, const struct raw *map)
{
	const struct raw *at = map->key ? map->key : map;

	for (const struct raw *x = map->kind == RAW_MAP ? map->first : NULL; x; x = x->next)
		check_key(l, n, section, x);
	for (size_t i = 0; i < n->scope->n; i++) {
		const struct cfg_slot *s = n->scope->slots[i];

		if (s->parent != section || n->val[i].raw || !(s->row->flags & CFG_REQUIRED) || s->row->def)
			continue;
		if (section || *n->scope->name)
			cfg_mistake_at(l, at, "required key \"%s\" is missing in %s", s->leaf,
				       section ? section->path : n->scope->name);
		else
			cfg_mistake_at(l, at, "required %s \"%s\" is missing", s->row->type == CFG_MAP ? "section" : "key", s->leaf);
	}
}

struct cfg_node *cfg_check_map(struct cfg_load *l, const struct cfg_scope *s, const struct raw *map)
{
	struct cfg_node *n = cfg_pool_alloc(l->pool, sizeof(*n));

	if (!n)
		return NULL;
	n->scope = s;
	n->raw = map;
	n->val = cfg_pool_alloc(l->pool, (s->n + 1) * sizeof(*n->val));
	if (!n->val)
		return NULL;
	check_section(l, n, NULL, map);
	for (size_t i = 0; i < s->n; i++)
		if (!n->val[i].raw && s->slots[i]->row->type != CFG_MAP)
			read_default(l, s, s->slots[i], &n->val[i]);
	return n;
}
