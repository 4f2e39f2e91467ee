/* common/config/merge.c - a JSON merge patch (RFC 7396) on the text of a configuration file. */
#include <errno.h>
#include <stdio.h>
#include "common/config/private.h"

struct merge {
	struct cfg_load l;
	const char *name;
	bool failed;
};

static struct raw *node_of(struct merge *m, const cJSON *v);

static struct raw *new_raw(struct merge *m, enum raw_kind kind)
{
	struct raw *r = cfg_pool_alloc(m->l.pool, sizeof(*r));

	if (!r)
		return NULL;
	r->kind = kind;
	r->file = m->name;
	return r;
}

static struct raw *scalar(struct merge *m, const char *text, bool plain)
{
	struct raw *r = new_raw(m, RAW_SCALAR);

	if (!r)
		return NULL;
	r->plain = plain;
	r->text = (struct str){ cfg_pool_dup(m->l.pool, str_from_c(text)), strlen(text) };
	return r->text.p ? r : NULL;
}

/* Whether a whole number fits is the schema's affair, as it is for what a file says. */
static struct raw *number(struct merge *m, double n)
{
	char text[32];

	if (n == (double)(int64_t)n && n < 1e15 && n > -1e15)
		snprintf(text, sizeof(text), "%lld", (long long)n);
	else
		snprintf(text, sizeof(text), "%.17g", n);
	return scalar(m, text, true);
}

static struct raw *list_of(struct merge *m, const cJSON *v)
{
	struct raw *list = new_raw(m, RAW_SEQ), *one;
	const cJSON *e;

	cJSON_ArrayForEach(e, v) {
		one = list ? node_of(m, e) : NULL;
		if (!one)
			return NULL;
		cfg_raw_append(list, one);
	}
	return list;
}

static void apply(struct merge *m, struct raw *map, const cJSON *patch)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, patch) {
		struct str key = str_from_c(v->string);
		struct raw *old = cfg_raw_find(map, key), *fresh;

		if (cJSON_IsObject(v) && old && old->kind == RAW_MAP) {
			apply(m, old, v);
			continue;
		}
		if (cJSON_IsNull(v) && old)
			cfg_raw_drop(map, old);
		if (cJSON_IsNull(v))
			continue;
		fresh = node_of(m, v);
		if (fresh && !old)
			fresh->key = scalar(m, v->string, false);
		if (!fresh || (!old && !fresh->key)) {
			m->failed = true;
			return;
		}
		if (old) {			/* in its place */
			fresh->key = old->key;
			fresh->next = old->next;
			*old = *fresh;
		} else {
			cfg_raw_append(map, fresh);
		}
	}
}

/* A new value; of an object the members that are not null (RFC 7396 §2). */
static struct raw *node_of(struct merge *m, const cJSON *v)
{
	struct raw *r;

	if (cJSON_IsString(v))
		return scalar(m, v->valuestring, false);
	if (cJSON_IsNumber(v))
		return number(m, v->valuedouble);
	if (cJSON_IsBool(v))
		return scalar(m, cJSON_IsTrue(v) ? "true" : "false", true);
	if (cJSON_IsArray(v))
		return list_of(m, v);
	if (!cJSON_IsObject(v))
		return scalar(m, "", true);	/* null in a list: the schema says where */
	r = new_raw(m, RAW_MAP);
	if (r)
		apply(m, r, v);
	return r;
}

/* ---- the tree as YAML, a line per value ---- */

static void write_node(const struct raw *r, unsigned depth, struct buf *out);

static void write_scalar(const struct raw *r, struct buf *out)
{
	if (r->plain)
		buf_put(out, r->text);
	else
		cfg_put_json_str(out, r->text);
}

static void indent(unsigned depth, struct buf *out)
{
	for (unsigned i = 0; i < depth; i++)
		buf_puts(out, "  ");
}

static void write_member(const struct raw *r, unsigned depth, struct buf *out)
{
	indent(depth, out);
	if (r->key) {
		write_scalar(r->key, out);
		buf_putc(out, ':');
	} else {
		buf_putc(out, '-');
	}
	if (r->kind == RAW_SCALAR) {
		buf_putc(out, ' ');
		write_scalar(r, out);
	} else if (r->n == 0) {
		buf_puts(out, r->kind == RAW_MAP ? " {}" : " []");
	} else {
		buf_putc(out, '\n');
		write_node(r, depth + 1, out);
		return;
	}
	buf_putc(out, '\n');
}

static void write_node(const struct raw *r, unsigned depth, struct buf *out)
{
	for (const struct raw *one = r->first; one; one = one->next)
		write_member(one, depth, out);
}

int cfg_merge(struct str text, const char *name, bool expand, const cJSON *patch, struct buf *out, struct buf *errors)
{
	struct cfg_pool pool = { 0 };
	struct merge m = { .l = { .pool = &pool, .errors = errors }, .name = name };
	struct raw *root = cfg_yaml_parse(&m.l, text, name);
	int rc = 0;

	if (root && expand)
		root = cfg_include(&m.l, root);
	if (root)
		apply(&m, root, patch);
	if (pool.failed || m.failed || out->failed)
		rc = -ENOMEM;
	else if (!root)
		rc = -EINVAL;
	else
		write_node(root, 0, out);
	cfg_pool_fini(&pool);
	return rc < 0 ? rc : out->failed ? -EFBIG : 0;
}
