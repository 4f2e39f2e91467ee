/* tests/hss/subs_file.c - the subscribers file: a YAML list, every mistake with file:line:column. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>
#include "common/config/private.h"	/* what a mistyped key probably meant */
#include "tests/hss/subscribers.h"

#define FILE_MAX_BYTES (64u << 20)
#define FILE_MAX_DEPTH 8		/* lists and sections in each other; libyaml needs the square of it */

struct reader {
	struct subs *s;
	yaml_document_t doc;
	const char *name;
	struct buf *errors;
	unsigned mistakes;
};

static void say(struct reader *r, unsigned line, unsigned col, const char *text)
{
	if (++r->mistakes <= CFG_MAX_MISTAKES)
		buf_printf(r->errors, "%s:%u:%u: %s\n", r->name, line, col, text);
}

static void say_at(struct reader *r, const yaml_node_t *n, const char *text)
{
	say(r, (unsigned)n->start_mark.line + 1, (unsigned)n->start_mark.column + 1, text);
}

static void on_mistake(void *arg, const struct sub_spec *s, enum sub_field f, const char *text)
{
	bool there = f < N_SUB_FIELDS && s->f[f].line;

	say(arg, there ? s->f[f].line : s->line, there ? s->f[f].col : s->col, text);
}

static struct str scalar(const yaml_node_t *n)
{
	return str_make((const char *)n->data.scalar.value, n->data.scalar.length);
}

static bool take_item(struct reader *r, struct sub_value *v, const yaml_node_t *n)
{
	if (n->type != YAML_SCALAR_NODE) {
		say_at(r, n, "must be a single value");
		return false;
	}
	if (v->n == SUB_MAX_LIST) {
		say_at(r, n, "the list is too long");
		return false;
	}
	v->v[v->n++] = scalar(n);
	return true;
}

static void take_value(struct reader *r, struct sub_spec *spec, enum sub_field f, const yaml_node_t *n)
{
	struct sub_value *v = &spec->f[f];

	v->line = (unsigned)n->start_mark.line + 1;
	v->col = (unsigned)n->start_mark.column + 1;
	if (n->type != YAML_SEQUENCE_NODE) {
		take_item(r, v, n);
		return;
	}
	if (!sub_fields[f].list) {
		say_at(r, n, "must be a single value, not a list");
		return;
	}
	for (const yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++)
		if (!take_item(r, v, yaml_document_get_node(&r->doc, *i)))
			return;
}

static void unknown_key(struct reader *r, const yaml_node_t *key, bool template)
{
	struct cfg_suggest sug;
	struct cfg_shown shown;
	char hint[96], line[256];

	if (key->type != YAML_SCALAR_NODE) {
		say_at(r, key, "a key must be a single word");
		return;
	}
	if (r->mistakes >= CFG_MAX_MISTAKES) {		/* not shown any more */
		r->mistakes++;
		return;
	}
	cfg_suggest_init(&sug, scalar(key));
	for (int f = 0; f < N_SUB_FIELDS; f++)
		if (template ? !sub_fields[f].not_template : !sub_fields[f].template_only)
			cfg_suggest_word(&sug, str_from_c(sub_fields[f].yaml));
	snprintf(line, sizeof(line), "unknown key %s%s", cfg_show(scalar(key), &shown),
		 cfg_suggest_text(&sug, hint, sizeof(hint)));
	say_at(r, key, line);
}

static enum sub_field field_of(const yaml_node_t *key, bool template)
{
	for (int f = 0; f < N_SUB_FIELDS; f++)
		if (key->type == YAML_SCALAR_NODE && str_eq_c(scalar(key), sub_fields[f].yaml) &&
		    !(template ? sub_fields[f].not_template : sub_fields[f].template_only))
			return (enum sub_field)f;
	return N_SUB_FIELDS;
}

static void read_map(struct reader *r, const yaml_node_t *map, struct sub_spec *spec, bool template)
{
	*spec = (struct sub_spec){ .line = (unsigned)map->start_mark.line + 1, .col = (unsigned)map->start_mark.column + 1 };
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
		enum sub_field f = field_of(key, template);

		if (f == N_SUB_FIELDS)
			unknown_key(r, key, template);
		else if (spec->f[f].line)
			say_at(r, key, "the key stands twice in this entry");
		else
			take_value(r, spec, f, yaml_document_get_node(&r->doc, p->value));
	}
}

/* "generate: {...}" is the only key of its entry. */
static const yaml_node_t *template_of(struct reader *r, const yaml_node_t *map)
{
	const yaml_node_pair_t *p = map->data.mapping.pairs.start;
	const yaml_node_t *key;

	if (p == map->data.mapping.pairs.top)
		return NULL;
	key = yaml_document_get_node(&r->doc, p->key);
	if (key->type != YAML_SCALAR_NODE || !str_eq(scalar(key), STR("generate")))
		return NULL;
	return yaml_document_get_node(&r->doc, p->value);
}

static void read_entry(struct reader *r, const yaml_node_t *n, struct sub_spec *spec)
{
	unsigned before = r->mistakes;
	const yaml_node_t *t;

	if (n->type != YAML_MAPPING_NODE) {
		say_at(r, n, "an entry must be a section of \"key: value\" lines");
		return;
	}
	t = template_of(r, n);
	if (t && t->type != YAML_MAPPING_NODE) {
		say_at(r, t, "generate: must be a section of \"key: value\" lines");
		return;
	}
	read_map(r, t ? t : n, spec, t != NULL);
	if (r->mistakes > before)
		return;
	if (t)
		subs_generate(r->s, spec, on_mistake, r);
	else
		subs_add(r->s, spec, on_mistake, r, NULL);
}

static void read_document(struct reader *r)
{
	const yaml_node_t *root = yaml_document_get_root_node(&r->doc);
	struct sub_spec *spec;

	if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
		return;				/* empty: nobody yet */
	if (root->type != YAML_SEQUENCE_NODE) {
		say_at(r, root, "the file must be a list of subscribers (\"- imsi: ...\")");
		return;
	}
	spec = malloc(sizeof(*spec));
	if (!spec) {
		say(r, 1, 1, "out of memory");
		return;
	}
	for (const yaml_node_item_t *i = root->data.sequence.items.start; i < root->data.sequence.items.top; i++)
		read_entry(r, yaml_document_get_node(&r->doc, *i), spec);
	free(spec);
}

/* More brackets open than an honest file has: perhaps only in a text, so that who knows YAML must look. */
static bool may_be_deep(struct str text)
{
	int open = 0;

	for (size_t i = 0; i < text.l && open <= FILE_MAX_DEPTH; i++)
		open += (text.p[i] == '[' || text.p[i] == '{') - (open > 0 && (text.p[i] == ']' || text.p[i] == '}'));
	return open > FILE_MAX_DEPTH;
}

/* Looks through the text up to where its values stand too deep in each other. */
static bool too_deep(struct reader *r, struct str text)
{
	yaml_parser_t p;
	yaml_event_t e;
	unsigned depth = 0;
	bool more = true;

	if (!yaml_parser_initialize(&p))
		return false;			/* the next one says so */
	yaml_parser_set_input_string(&p, (const unsigned char *)text.p, text.l);
	while (more && depth <= FILE_MAX_DEPTH && yaml_parser_parse(&p, &e)) {
		if (e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT)
			depth++;
		else if (e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT)
			depth--;
		if (depth > FILE_MAX_DEPTH)
			say(r, (unsigned)e.start_mark.line + 1, (unsigned)e.start_mark.column + 1, "sections and lists stand too deep in each other");
		more = e.type != YAML_STREAM_END_EVENT && e.type != YAML_DOCUMENT_END_EVENT;
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	return depth > FILE_MAX_DEPTH;
}

int subs_read_text(struct subs *s, struct str text, const char *name, struct buf *errors)
{
	struct reader r = { .s = s, .name = name, .errors = errors };
	yaml_parser_t p;

	if (!text.l)
		text = STR("\n");
	if (may_be_deep(text) && too_deep(&r, text))
		return -EINVAL;
	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	yaml_parser_set_input_string(&p, (const unsigned char *)text.p, text.l);
	if (!yaml_parser_load(&p, &r.doc)) {
		say(&r, (unsigned)p.problem_mark.line + 1, (unsigned)p.problem_mark.column + 1, p.problem ? p.problem : "not YAML");
	} else {
		read_document(&r);
		yaml_document_delete(&r.doc);
	}
	yaml_parser_delete(&p);
	return r.mistakes ? -EINVAL : 0;
}

int subs_read_file(struct subs *s, const char *file, struct buf *errors)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	char chunk[16384];
	struct buf b;
	ssize_t n = 0;

	buf_init(&b, FILE_MAX_BYTES);
	while (fd >= 0 && !b.failed && (n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_put(&b, str_make(chunk, (size_t)n));
	if (fd < 0 || n < 0 || b.failed) {
		buf_printf(errors, "%s:1:1: cannot be read: %s\n", file, b.failed ? "too large" : strerror(errno));
		rc = -EINVAL;
	} else {
		rc = subs_read_text(s, buf_str(&b), file, errors);
	}
	if (fd >= 0)
		close(fd);
	buf_fini(&b);
	return rc;
}
