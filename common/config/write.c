/* common/config/write.c - a configuration in normal form: every key that has a value, defaults filled in.
 *
 * Reading the normal form gives the same normal form again.  So a section that is not written is left out when it would
 * need keys that have no default. */
#include <inttypes.h>
#include "common/config/private.h"

static void indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_puts(out, "  ");
}

/* Characters beyond ASCII that YAML reads as a line end or does not take as they are: C1, U+2028, U+2029, U+FEFF.  s is UTF-8. */
static unsigned odd_character(struct str s, size_t *ret_octets)
{
	const unsigned char *p = (const unsigned char *)s.p;

	*ret_octets = 2;
	if (s.l >= 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return p[1];
	*ret_octets = 3;
	if (s.l >= 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 0x2000u | (p[2] - 0x80u);
	return s.l >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf ? 0xfeff : 0;
}

void cfg_put_json_str(struct buf *out, struct str s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.l; i++) {
		unsigned char c = (unsigned char)s.p[i];
		size_t l;
		unsigned odd = odd_character(str_from(s, i), &l);

		if (odd) {
			buf_printf(out, "\\u%04x", odd);
			i += l - 1;
			continue;
		}
		if (c == '"' || c == '\\')
			buf_putc(out, '\\');
		if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else
			buf_putc(out, (char)c);
	}
	buf_putc(out, '"');
}

static void write_node(const struct cfg_node *n, const struct cfg_slot *section, unsigned depth, struct buf *out);

static void write_strs(const struct cfg_value *v, bool secret, struct buf *out)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < v->count; i++) {
		if (i)
			buf_puts(out, ", ");
		cfg_put_json_str(out, secret ? STR("***") : v->items[i]);
	}
	buf_puts(out, "]\n");
}

static void write_map(const struct cfg_value *v, bool secret, unsigned depth, struct buf *out)
{
	if (v->count == 0) {
		buf_puts(out, "{}\n");
		return;
	}
	buf_putc(out, '\n');
	for (size_t i = 0; i < v->count; i++) {
		indent(out, depth + 1);
		cfg_put_json_str(out, v->items[2 * i]);
		buf_puts(out, ": ");
		cfg_put_json_str(out, secret ? STR("***") : v->items[2 * i + 1]);
		buf_putc(out, '\n');
	}
}

static void write_list(const struct cfg_value *v, unsigned depth, struct buf *out)
{
	if (v->count == 0) {
		buf_puts(out, "[]\n");
		return;
	}
	buf_putc(out, '\n');
	for (size_t i = 0; i < v->count; i++) {
		size_t before;

		indent(out, depth + 1);
		buf_puts(out, "-\n");
		before = out->l;
		write_node(v->elems[i], NULL, depth + 2, out);
		if (out->l == before && !out->failed) {		/* nothing in it: still a section */
			out->l--;
			buf_puts(out, " {}\n");
		}
	}
}

static bool has_value(const struct cfg_slot *s, const struct cfg_value *v)
{
	switch (s->row->type) {
	case CFG_LIST:
	case CFG_STR_LIST:
	case CFG_LISTEN:
	case CFG_STR_MAP:
		return v->raw || v->count;
	default:
		return v->text.p;
	}
}

static void write_value(const struct cfg_slot *s, const struct cfg_value *v, unsigned depth, struct buf *out)
{
	bool secret = s->row->flags & CFG_SECRET;

	indent(out, depth);
	buf_printf(out, "%s:", s->leaf);
	if (s->row->type == CFG_LIST) {
		if (v->count == 0)
			buf_putc(out, ' ');
		write_list(v, depth, out);
		return;
	}
	if (s->row->type != CFG_STR_MAP || v->count == 0)
		buf_putc(out, ' ');
	switch (s->row->type) {
	case CFG_STR_LIST:
	case CFG_LISTEN:
		write_strs(v, secret, out);
		return;
	case CFG_STR_MAP:
		write_map(v, secret, depth, out);
		return;
	case CFG_INT:
		buf_printf(out, "%" PRId64 "\n", v->n);
		return;
	case CFG_BOOL:
		buf_puts(out, v->n ? "true\n" : "false\n");
		return;
	case CFG_ENUM:
		buf_printf(out, "%.*s\n", STR_ARG(v->text));
		return;
	default:
		cfg_put_json_str(out, secret ? STR("***") : v->text);
		buf_putc(out, '\n');
	}
}

static void write_section(const struct cfg_node *n, const struct cfg_slot *s, unsigned depth, struct buf *out)
{
	bool written = n->val[s->index].raw;
	size_t start = out->l, before;

	if (!written && cfg_slot_has_required(n->scope, s))
		return;
	indent(out, depth);
	buf_printf(out, "%s:\n", s->leaf);
	before = out->l;
	write_node(n, s, depth + 1, out);
	if (out->l != before || out->failed)
		return;
	if (!written) {				/* nothing to say */
		out->l = start;
		return;
	}
	out->l--;
	buf_puts(out, " {}\n");
}

static void write_node(const struct cfg_node *n, const struct cfg_slot *section, unsigned depth, struct buf *out)
{
	for (size_t i = 0; i < n->scope->n; i++) {
		const struct cfg_slot *s = n->scope->slots[i];

		if (s->parent != section)
			continue;
		if (s->row->type == CFG_MAP)
			write_section(n, s, depth, out);
		else if (has_value(s, &n->val[i]))
			write_value(s, &n->val[i], depth, out);
	}
}

void cfg_write_normal(const struct cfg *c, struct buf *out)
{
	write_node(c->root, NULL, 0, out);
}
