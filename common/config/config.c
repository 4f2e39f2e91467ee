/* common/config/config.c - loading a configuration and asking it for values. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/config/private.h"

static bool has_table(const struct cfg_row *const *schemas, const struct cfg_row *table)
{
	for (; *schemas; schemas++)
		if (*schemas == table)
			return true;
	return false;
}

/* TS 23.003 §13.2: a network code of two digits gets a zero in front. */
static bool derive_domain(struct cfg *c)
{
	const struct cfg_node *r = c->root;
	struct str mnc, mcc;
	char text[64];

	c->home_domain = STR("");
	if (!cfg_scope_find(c->scope, "domain") || !cfg_scope_find(c->scope, "plmn.mcc"))
		return true;
	if (cfg_str(r, "domain").l) {
		c->home_domain = cfg_str(r, "domain");
		return true;
	}
	mcc = cfg_str(r, "plmn.mcc");
	mnc = cfg_str(r, "plmn.mnc");
	if (mcc.l == 0 || mnc.l == 0)
		return true;
	snprintf(text, sizeof(text), "ims.mnc%s%.*s.mcc%.*s.3gppnetwork.org", mnc.l == 2 ? "0" : "", STR_ARG(mnc), STR_ARG(mcc));
	c->home_domain = (struct str){ cfg_pool_dup(&c->pool, str_from_c(text)), strlen(text) };
	return c->home_domain.p;
}

static int finish(struct cfg *c, struct cfg_load *l, const struct raw *raw, const struct cfg_row *const *schemas)
{
	if (!raw)
		return -EINVAL;
	c->scope = cfg_scope_new(&c->pool, schemas);
	if (!c->scope)
		return -ENOMEM;
	c->root = cfg_check_map(l, c->scope, raw);
	if (!c->root)
		return -ENOMEM;
	if (has_table(schemas, cfg_common_schema))
		cfg_common_check(l, c->root);
	if (l->n_mistakes)
		return -EINVAL;
	return derive_domain(c) ? 0 : -ENOMEM;
}

static struct cfg *new_cfg(void)
{
	struct cfg *c = calloc(1, sizeof(*c));

	if (c)
		atomic_init(&c->refs, 1);
	return c;
}

static int deliver(struct cfg *c, int rc, struct cfg **ret)
{
	if (c->pool.failed)
		rc = -ENOMEM;
	if (rc < 0)
		cfg_unref(c);
	else
		*ret = c;
	return rc;
}

int cfg_load(const char *file, const struct cfg_row *const *schemas, struct cfg **ret, struct buf *errors)
{
	struct cfg *c = new_cfg();
	struct cfg_load l = { .errors = errors };
	struct raw *raw;
	int rc = 0;

	if (!c)
		return -ENOMEM;
	l.pool = &c->pool;
	raw = cfg_read_file(&l, file, &rc);
	if (rc == 0)
		rc = finish(c, &l, raw, schemas);
	else if (rc != -ENOENT && rc != -EACCES)
		rc = -EINVAL;
	return deliver(c, rc, ret);
}

int cfg_load_text(struct str text, const char *name, const struct cfg_row *const *schemas, struct cfg **ret, struct buf *errors)
{
	struct cfg *c = new_cfg();
	struct cfg_load l = { .errors = errors };
	struct raw *raw;

	if (!c)
		return -ENOMEM;
	l.pool = &c->pool;
	raw = cfg_yaml_parse(&l, text, name);
	if (raw)
		raw = cfg_include(&l, raw);
	return deliver(c, finish(c, &l, raw, schemas), ret);
}

bool cfg_text_includes(struct str text)
{
	struct cfg_pool pool = { 0 };
	struct buf errors;
	struct cfg_load l = { .pool = &pool, .errors = &errors };
	const struct raw *raw;
	bool found;

	buf_init(&errors, CFG_MAX_BYTES);
	raw = cfg_yaml_parse(&l, text, "text");
	found = pool.failed || (raw && cfg_raw_find(raw, STR("include")));	/* as cfg_include() finds it */
	cfg_pool_fini(&pool);
	buf_fini(&errors);
	return found;
}

struct cfg *cfg_ref(struct cfg *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void cfg_unref(struct cfg *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	cfg_pool_fini(&c->pool);
	free(c);
}

const struct cfg_node *cfg_root(const struct cfg *c)
{
	return c->root;
}

struct str cfg_home_domain(const struct cfg *c)
{
	return c->home_domain;
}

const struct cfg_value *cfg_value(const struct cfg_node *n, const char *path, const struct cfg_slot **ret_slot)
{
	const struct cfg_slot *s = cfg_scope_find(n->scope, path);

	if (!s) {
		fprintf(stderr, "config: \"%s\" is not in the schema\n", path);
		abort();
	}
	if (ret_slot)
		*ret_slot = s;
	return &n->val[s->index];
}

struct str cfg_str(const struct cfg_node *n, const char *path)
{
	const struct cfg_value *v = cfg_value(n, path, NULL);

	return v->text.p ? v->text : STR("");
}

const char *cfg_cstr(const struct cfg_node *n, const char *path)
{
	return cfg_value(n, path, NULL)->text.p;
}

int64_t cfg_int(const struct cfg_node *n, const char *path)
{
	return cfg_value(n, path, NULL)->n;
}

bool cfg_bool(const struct cfg_node *n, const char *path)
{
	return cfg_value(n, path, NULL)->n != 0;
}

bool cfg_has(const struct cfg_node *n, const char *path)
{
	return cfg_value(n, path, NULL)->raw != NULL;
}

size_t cfg_list_len(const struct cfg_node *n, const char *path)
{
	return cfg_value(n, path, NULL)->count;
}

const struct cfg_node *cfg_list_at(const struct cfg_node *n, const char *path, size_t i)
{
	const struct cfg_value *v = cfg_value(n, path, NULL);

	return v->elems && i < v->count ? v->elems[i] : NULL;
}

struct str cfg_strs_at(const struct cfg_node *n, const char *path, size_t i)
{
	const struct cfg_slot *s;
	const struct cfg_value *v = cfg_value(n, path, &s);

	return v->items && i < v->count && s->row->type != CFG_STR_MAP ? v->items[i] : STR_NONE;
}

bool cfg_map_at(const struct cfg_node *n, const char *path, size_t i, struct str *key, struct str *value)
{
	const struct cfg_slot *s;
	const struct cfg_value *v = cfg_value(n, path, &s);

	if (!v->items || i >= v->count || s->row->type != CFG_STR_MAP)
		return false;
	*key = v->items[2 * i];
	*value = v->items[2 * i + 1];
	return true;
}

/* Where the key stands, or the nearest section above it that is written. */
static const struct raw *place(const struct cfg_node *n, const char *path)
{
	const struct cfg_slot *s;

	cfg_value(n, path, &s);
	for (; s; s = s->parent)
		if (n->val[s->index].raw)
			return n->val[s->index].raw->key;
	return n->raw;
}

void cfg_where(const struct cfg_node *n, const char *path, struct buf *out)
{
	const struct raw *r = place(n, path);

	buf_printf(out, "%s:%u:%u", r->file, r->line, r->col);
}

void cfg_error(const struct cfg_node *n, const char *path, struct buf *errors, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cfg_where(n, path, errors);
	buf_printf(errors, ": %s\n", text);
}
