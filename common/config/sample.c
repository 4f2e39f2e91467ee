/* common/config/sample.c - what a schema says of itself: the commented sample file and a JSON Schema. */
#include <inttypes.h>
#include "common/config/private.h"

static const char json_types[][12] = {
	[CFG_MAP] = "object", [CFG_LIST] = "array", [CFG_STR] = "string", [CFG_INT] = "integer", [CFG_BOOL] = "boolean",
	[CFG_ENUM] = "string", [CFG_STR_LIST] = "array", [CFG_ADDR] = "string", [CFG_LISTEN] = "array", [CFG_FILE] = "string",
	[CFG_STR_MAP] = "object",
};

static void indent(struct buf *out, unsigned depth, const char *off)
{
	for (unsigned i = 0; i < depth; i++)
		buf_puts(out, "  ");
	buf_puts(out, off);
}

/* A value that the reader takes: the default, or an example of the kind. */
static void put_example(const struct cfg_row *row, struct buf *out)
{
	const struct cfg_format *f = cfg_format_find(row->choices);
	struct str first, rest, text = str_from_c(row->def ? row->def : f ? f->example : "text");

	switch (row->type) {
	case CFG_INT:
		if (row->def)
			buf_puts(out, row->def);
		else
			buf_printf(out, "%" PRId64, row->min);
		return;
	case CFG_BOOL:
		buf_puts(out, row->def ? row->def : "false");
		return;
	case CFG_ENUM:
		str_cut(str_from_c(row->choices), '|', &first, &rest);
		buf_put(out, row->def ? text : first);
		return;
	case CFG_ADDR:
		cfg_put_json_str(out, row->def ? text : STR("127.0.0.1:8080"));
		return;
	case CFG_LISTEN:
		buf_puts(out, "[\"udp:127.0.0.1:5060\", \"tcp:127.0.0.1:5060\"]");
		return;
	case CFG_STR_LIST:
		for (const char *sep = "["; text.l; sep = ", ") {
			str_cut(text, ' ', &first, &text);
			buf_puts(out, sep);
			cfg_put_json_str(out, first);
		}
		buf_putc(out, ']');
		return;
	case CFG_STR_MAP:
		buf_puts(out, "{name: ");
		cfg_put_json_str(out, text);
		buf_putc(out, '}');
		return;
	case CFG_FILE:
		cfg_put_json_str(out, row->def ? text : STR("/etc/cscf/file"));
		return;
	default:
		if (!row->def && row->choices && strcmp(row->choices, "@digits") == 0 && row->min == 3)
			text = STR("001");
		cfg_put_json_str(out, text);
	}
}

static void put_help(const struct cfg_row *row, unsigned depth, struct buf *out)
{
	struct str rest = str_from_c(row->choices), one;

	indent(out, depth, "# ");
	buf_puts(out, row->help ? row->help : "");
	if (row->type == CFG_ENUM) {
		buf_puts(out, row->help ? " One of" : "One of");
		for (const char *sep = " "; rest.l; sep = ", ") {
			str_cut(rest, '|', &one, &rest);
			buf_printf(out, "%s%.*s", sep, STR_ARG(one));
		}
		buf_putc(out, '.');
	}
	if (row->type == CFG_INT && row->max)
		buf_printf(out, " %" PRId64 " to %" PRId64 "%s%s.", row->min, row->max, row->unit ? " " : "",
			   row->unit ? row->unit : "");
	if (row->flags & CFG_REQUIRED)
		buf_puts(out, " Required.");
	else if (!row->def && row->type != CFG_MAP && row->type != CFG_LIST)
		buf_puts(out, " No default.");
	if (row->flags & CFG_RELOAD)
		buf_puts(out, " Taken over on SIGHUP.");
	buf_putc(out, '\n');
}

static void sample_scope(const struct cfg_scope *s, const struct cfg_slot *section, unsigned depth, bool off, bool dash,
			 struct buf *out);

/* Sections that are not required, and keys that have a default, are written with "#" right before the key: take the
 * "#" away to set them.  Prose has a blank after it. */
static void sample_slot(const struct cfg_scope *s, const struct cfg_slot *slot, unsigned depth, bool off, struct buf *out)
{
	const struct cfg_row *row = slot->row;

	off = off || !(row->flags & CFG_REQUIRED);
	if (depth == 0)
		buf_putc(out, '\n');
	if (row->help)
		put_help(row, depth, out);
	indent(out, 0, off ? "#" : "");
	indent(out, depth, slot->leaf);
	buf_putc(out, ':');
	if (row->type == CFG_MAP) {
		buf_putc(out, '\n');
		sample_scope(s, slot, depth + 1, off, false, out);
	} else if (row->type == CFG_LIST) {
		buf_putc(out, '\n');
		if (slot->elem)
			sample_scope(slot->elem, NULL, depth + 2, off, true, out);
	} else {
		buf_putc(out, ' ');
		put_example(row, out);
		buf_putc(out, '\n');
	}
}

static void sample_scope(const struct cfg_scope *s, const struct cfg_slot *section, unsigned depth, bool off, bool dash,
			 struct buf *out)
{
	if (dash) {
		indent(out, 0, off ? "#" : "");
		indent(out, depth - 1, "-\n");
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->slots[i]->parent == section)
			sample_slot(s, s->slots[i], depth, off, out);
}

void cfg_schema_write_sample(const struct cfg_row *const *schemas, struct buf *out)
{
	struct cfg_pool pool = { 0 };
	const struct cfg_scope *s = cfg_scope_new(&pool, schemas);

	buf_puts(out, "# Every key there is. A key behind a bare \"#\" shows its default or an example;\n"
		      "# take the \"#\" away, there and at the sections above it, to set it.\n");
	if (s)
		sample_scope(s, NULL, 0, false, false, out);
	else
		out->failed = true;
	cfg_pool_fini(&pool);
}

static void json_scope(const struct cfg_scope *s, const struct cfg_slot *section, struct buf *out);

static void json_limits(const struct cfg_row *row, struct buf *out)
{
	if (row->type == CFG_INT) {
		buf_printf(out, ",\"minimum\":%" PRId64, row->min);
		if (row->max)
			buf_printf(out, ",\"maximum\":%" PRId64, row->max);
	} else if (row->type == CFG_STR) {
		if (row->min)
			buf_printf(out, ",\"minLength\":%" PRId64, row->min);
		if (row->max)
			buf_printf(out, ",\"maxLength\":%" PRId64, row->max);
	}
}

static void json_words(const char *name, const char *words, char sep, struct buf *out)
{
	struct str rest = str_from_c(words), one;
	bool first = true;

	buf_printf(out, ",\"%s\":[", name);
	while (rest.l) {
		str_cut(rest, sep, &one, &rest);
		if (!first)
			buf_putc(out, ',');
		cfg_put_json_str(out, one);
		first = false;
	}
	buf_putc(out, ']');
}

static void json_default(const struct cfg_row *row, struct buf *out)
{
	if (!row->def)
		return;
	if (row->type == CFG_STR_LIST || row->type == CFG_LISTEN) {
		json_words("default", row->def, ' ', out);
		return;
	}
	buf_puts(out, ",\"default\":");
	if (row->type == CFG_INT || row->type == CFG_BOOL)
		buf_puts(out, row->def);
	else
		cfg_put_json_str(out, str_from_c(row->def));
}

static void json_slot(const struct cfg_scope *s, const struct cfg_slot *slot, struct buf *out)
{
	const struct cfg_row *row = slot->row;

	if (row->type == CFG_STR_LIST || row->type == CFG_LISTEN)
		buf_puts(out, "{\"type\":[\"array\",\"string\"]");	/* one string is a list of one */
	else
		buf_printf(out, "{\"type\":\"%s\"", json_types[row->type]);
	if (row->help) {
		buf_puts(out, ",\"description\":");
		cfg_put_json_str(out, str_from_c(row->help));
	}
	if (row->unit) {
		buf_puts(out, ",\"x-unit\":");
		cfg_put_json_str(out, str_from_c(row->unit));
	}
	json_limits(row, out);
	json_default(row, out);
	if (row->flags & CFG_RELOAD)
		buf_puts(out, ",\"x-reload\":true");
	if (row->flags & CFG_SECRET)
		buf_puts(out, ",\"writeOnly\":true");
	if (row->type == CFG_ENUM)
		json_words("enum", row->choices, '|', out);
	if (row->type == CFG_STR_LIST || row->type == CFG_LISTEN)
		buf_puts(out, ",\"items\":{\"type\":\"string\"}");
	if (row->type == CFG_STR_MAP)
		buf_puts(out, ",\"additionalProperties\":{\"type\":\"string\"}");
	if (row->type == CFG_MAP)
		json_scope(s, slot, out);
	if (row->type == CFG_LIST && slot->elem) {
		buf_puts(out, ",\"items\":{\"type\":\"object\"");
		json_scope(slot->elem, NULL, out);
		buf_putc(out, '}');
	}
	buf_putc(out, '}');
}

/* The members of an object's schema; a comma first. */
static void json_scope(const struct cfg_scope *s, const struct cfg_slot *section, struct buf *out)
{
	bool first = true;

	buf_puts(out, ",\"additionalProperties\":false,\"properties\":{");
	for (size_t i = 0; i < s->n; i++) {
		if (s->slots[i]->parent != section)
			continue;
		if (!first)
			buf_putc(out, ',');
		cfg_put_json_str(out, str_from_c(s->slots[i]->leaf));
		buf_putc(out, ':');
		json_slot(s, s->slots[i], out);
		first = false;
	}
	buf_puts(out, "},\"required\":[");
	first = true;
	for (size_t i = 0; i < s->n; i++) {
		if (s->slots[i]->parent != section || !(s->slots[i]->row->flags & CFG_REQUIRED) || s->slots[i]->row->def)
			continue;
		if (!first)
			buf_putc(out, ',');
		cfg_put_json_str(out, str_from_c(s->slots[i]->leaf));
		first = false;
	}
	buf_putc(out, ']');
}

void cfg_schema_write_json(const struct cfg_row *const *schemas, struct buf *out)
{
	struct cfg_pool pool = { 0 };
	const struct cfg_scope *s = cfg_scope_new(&pool, schemas);

	buf_puts(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\"");
	if (s)
		json_scope(s, NULL, out);
	else
		out->failed = true;
	buf_puts(out, "}");
	cfg_pool_fini(&pool);
}
