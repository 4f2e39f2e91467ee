/* common/config/yaml.c - YAML text to a tree of maps, lists and scalars, each with its line and column.
 *
 * Of YAML only what a configuration needs: one document; no anchors, aliases or tags (an alias can make a small file
 * a huge tree).  Scalars stay the text that was written: whether `01` is a string or a number is the schema's affair. */
#include <stdio.h>
#include <yaml.h>
#include "common/config/private.h"
#include "common/util/hash.h"

#define SEEN_BITS 65536u

struct builder {
	struct cfg_load *l;
	const char *name;
	yaml_parser_t parser;
	struct raw *stack[CFG_MAX_DEPTH];
	struct raw *pending[CFG_MAX_DEPTH];	/* key that waits for its value */
	bool twice[CFG_MAX_DEPTH];		/* and that stood here before */
	unsigned depth;
	uint8_t seen[SEEN_BITS / 8];		/* keys by a hash of map and text: who is not in it is new */
	struct raw *root;
	bool bad;
};

bool cfg_raw_is_null(const struct raw *r)
{
	return r->kind == RAW_SCALAR && r->plain &&
	       (r->text.l == 0 || str_eq_c(r->text, "~") || str_eq_c(r->text, "null"));
}

struct raw *cfg_raw_find(const struct raw *map, struct str key)
{
	for (struct raw *r = map->first; r; r = r->next)
		if (str_eq(r->key->text, key))
			return r;
	return NULL;
}

static bool refuse(struct builder *b, const yaml_mark_t *m, const char *why)
{
	cfg_mistake(b->l, b->name, (unsigned)m->line + 1, (unsigned)m->column + 1, "%s", why);
	b->bad = true;
	return false;
}

static struct raw *new_raw(struct builder *b, enum raw_kind kind, const yaml_mark_t *m)
{
	struct raw *r;

	if (++b->l->n_nodes > CFG_MAX_NODES) {
		refuse(b, m, "too many values in one configuration");
		return NULL;
	}
	r = cfg_pool_alloc(b->l->pool, sizeof(*r));
	if (!r)
		return NULL;
	r->kind = kind;
	r->file = b->name;
	r->line = (unsigned)m->line + 1;
	r->col = (unsigned)m->column + 1;
	return r;
}

void cfg_raw_append(struct raw *to, struct raw *r)
{
	if (to->last)
		to->last->next = r;
	else
		to->first = r;
	to->last = r;
	to->n++;
}

/* The value that has this key already.  To walk along the map for each of its keys would take the square of their number. */
static const struct raw *same_key(struct builder *b, const struct raw *map, struct str key)
{
	uint64_t bit = hash_mix(hash_str(key), (uintptr_t)map) % SEEN_BITS;
	uint8_t mask = (uint8_t)(1u << bit % 8);
	bool maybe = b->seen[bit / 8] & mask;

	b->seen[bit / 8] |= mask;
	return maybe ? cfg_raw_find(map, key) : NULL;
}

/* A key that stands twice is reported and its second value goes nowhere. */
static bool take_key(struct builder *b, struct raw *map, struct raw *key, const yaml_mark_t *m)
{
	const struct raw *old;
	struct cfg_shown shown;

	if (key->kind != RAW_SCALAR)
		return refuse(b, m, "a key must be plain text, not a map or a list");
	if (map->n >= CFG_MAX_KEYS)
		return refuse(b, m, "too many keys in one section");
	old = same_key(b, map, key->text);
	if (old)
		cfg_mistake_at(b->l, key, "key %s stands twice in this section; first in line %u",
			       cfg_show(key->text, &shown), old->key->line);
	b->pending[b->depth - 1] = key;
	b->twice[b->depth - 1] = old != NULL;
	return true;
}

static bool add(struct builder *b, struct raw *r, const yaml_mark_t *m)
{
	struct raw *up, *key;

	if (b->depth == 0) {
		b->root = r;
		return true;
	}
	up = b->stack[b->depth - 1];
	if (up->kind == RAW_SEQ) {
		if (up->n >= CFG_MAX_ITEMS)
			return refuse(b, m, "too many entries in one list");
		cfg_raw_append(up, r);
		return true;
	}
	key = b->pending[b->depth - 1];
	if (!key)
		return take_key(b, up, r, m);
	b->pending[b->depth - 1] = NULL;
	r->key = key;
	if (!b->twice[b->depth - 1])
		cfg_raw_append(up, r);
	return true;
}

static bool add_scalar(struct builder *b, const yaml_event_t *e)
{
	struct str text = { (const char *)e->data.scalar.value, e->data.scalar.length };
	struct raw *r;

	if (e->data.scalar.anchor)
		return refuse(b, &e->start_mark, "anchors and aliases are not supported: write the value out");
	if (e->data.scalar.tag)
		return refuse(b, &e->start_mark, "tags (\"!\") are not supported: leave it out");
	for (size_t i = 0; i < text.l; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return refuse(b, &e->start_mark, "a value must not hold line breaks or control characters");
	r = new_raw(b, RAW_SCALAR, &e->start_mark);
	if (!r)
		return false;
	r->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	r->text = (struct str){ cfg_pool_dup(b->l->pool, text), text.l };
	return r->text.p && add(b, r, &e->start_mark);
}

static bool open_group(struct builder *b, enum raw_kind kind, const yaml_event_t *e, bool anchor, bool tag)
{
	struct raw *r;

	if (anchor)
		return refuse(b, &e->start_mark, "anchors and aliases are not supported: write the value out");
	if (tag)
		return refuse(b, &e->start_mark, "tags (\"!\") are not supported: leave it out");
	if (b->depth == CFG_MAX_DEPTH)
		return refuse(b, &e->start_mark, "sections and lists stand too deep in each other");
	r = new_raw(b, kind, &e->start_mark);
	if (!r || !add(b, r, &e->start_mark))
		return false;
	b->pending[b->depth] = NULL;
	b->stack[b->depth++] = r;
	return true;
}

/* False: stop, either at the end or at something that cannot be taken. */
static bool take_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return add_scalar(b, e);
	case YAML_MAPPING_START_EVENT:
		return open_group(b, RAW_MAP, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
	case YAML_SEQUENCE_START_EVENT:
		return open_group(b, RAW_SEQ, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		b->depth--;
		return true;
	case YAML_ALIAS_EVENT:
		return refuse(b, &e->start_mark, "anchors and aliases are not supported: write the value out");
	case YAML_DOCUMENT_START_EVENT:
		return !b->root || refuse(b, &e->start_mark, "one document only: nothing may follow a second \"---\"");
	case YAML_STREAM_END_EVENT:
		return false;
	default:
		return true;
	}
}

/* Is the white space that line `line` (from 0) starts with, or the character at column `col`, a tab? */
static bool tab_there(struct str text, size_t line, size_t col)
{
	struct str cur = text, rest = text;

	for (size_t i = 0; i <= line; i++)
		str_cut(rest, '\n', &cur, &rest);
	for (size_t i = 0; i < cur.l && (cur.p[i] == ' ' || cur.p[i] == '\t'); i++)
		if (cur.p[i] == '\t')
			return true;
	return col < cur.l && cur.p[col] == '\t';
}

static void report_syntax(struct builder *b, struct str text)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem ? p->problem : "cannot be read";
	yaml_mark_t m = p->problem_mark;
	char context[160] = "";

	if (p->error == YAML_MEMORY_ERROR) {
		b->l->pool->failed = true;
		return;
	}
	if (p->error == YAML_READER_ERROR) {		/* no mark, but the octet */
		m = (yaml_mark_t){ 0 };
		for (size_t i = 0; i < p->problem_offset && i < text.l; i++) {
			m.column = text.p[i] == '\n' ? 0 : m.column + 1;
			m.line += text.p[i] == '\n';
		}
	}
	if (p->context && p->context_mark.line != m.line)
		snprintf(context, sizeof(context), ", %s that starts in line %zu", p->context, p->context_mark.line + 1);
	else if (p->context)
		snprintf(context, sizeof(context), ", %s", p->context);
	cfg_mistake(b->l, b->name, (unsigned)m.line + 1, (unsigned)m.column + 1, "not YAML: %s%s%s", problem, context,
		    tab_there(text, m.line, m.column) ? "; indent with spaces, not with tabs" : "");
}

struct raw *cfg_yaml_parse(struct cfg_load *l, struct str text, const char *name)
{
	struct builder b = { .l = l, .name = cfg_pool_dup(l->pool, str_from_c(name)) };
	const yaml_mark_t start = { 0 };
	yaml_event_t e;
	bool go;

	if (!b.name)
		return NULL;
	if (text.l > CFG_MAX_BYTES) {
		refuse(&b, &start, "the file is larger than 1 MiB");
		return NULL;
	}
	if (!yaml_parser_initialize(&b.parser)) {
		l->pool->failed = true;
		return NULL;
	}
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)(text.l ? text.p : ""), text.l);
	do {
		if (!yaml_parser_parse(&b.parser, &e)) {
			report_syntax(&b, text);
			b.bad = true;
			break;
		}
		go = take_event(&b, &e);
		yaml_event_delete(&e);
	} while (go);
	yaml_parser_delete(&b.parser);
	if (b.bad || l->pool->failed)
		return NULL;
	if (!b.root || cfg_raw_is_null(b.root))		/* an empty file is an empty map */
		b.root = new_raw(&b, RAW_MAP, &start);
	if (b.root && b.root->kind != RAW_MAP) {
		cfg_mistake_at(l, b.root, "a configuration is made of \"key: value\" lines");
		return NULL;
	}
	return b.root;
}
