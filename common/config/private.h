/* common/config/private.h - what the files of this folder share: pool, YAML tree, schema index, values.
 *
 * A load runs in four steps: yaml.c (text to a tree with marks), include.c (files, overriding), check.c (tree against
 * the schema: values or mistakes), and the accessors of config.c over the values.  Everything lives in one pool. */
#pragma once
#include <stdatomic.h>
#include "common/config/config.h"

#define CFG_MAX_BYTES (1u << 20)	/* of one file */
#define CFG_MAX_DEPTH 16		/* maps and lists in each other */
#define CFG_MAX_NODES 100000u		/* of all files of one configuration */
#define CFG_MAX_KEYS 4096u		/* of one map */
#define CFG_MAX_ITEMS 65536u		/* of one list */
#define CFG_MAX_INCLUDE_DEPTH 8
#define CFG_MAX_FILES 64
#define CFG_MAX_MISTAKES 100
#define CFG_SHOWN_CHARS 60		/* of an offending text */

/* Memory of one configuration: freed in one step. */
struct cfg_pool {
	struct cfg_block *blocks;
	bool failed;			/* out of memory once: the load ends with -ENOMEM */
};
void *cfg_pool_alloc(struct cfg_pool *p, size_t bytes);		/* cleared; NULL when out of memory */
char *cfg_pool_dup(struct cfg_pool *p, struct str s);		/* NUL-terminated */
void cfg_pool_fini(struct cfg_pool *p);

enum raw_kind { RAW_SCALAR, RAW_MAP, RAW_SEQ };
struct raw {
	enum raw_kind kind;
	bool plain;			/* scalar without quotes: may mean "no value" */
	const char *file;
	unsigned line, col;		/* from 1 */
	struct str text;		/* scalar; NUL-terminated behind */
	struct raw *key;		/* of a value in a map */
	struct raw *next, *first, *last;
	size_t n;
};

/* State of one load. */
struct cfg_load {
	struct cfg_pool *pool;
	struct buf *errors;
	unsigned n_mistakes, n_nodes, n_files;
};
void cfg_mistake(struct cfg_load *l, const char *file, unsigned line, unsigned col, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
#define cfg_mistake_at(l, r, ...) cfg_mistake((l), (r)->file, (r)->line, (r)->col, __VA_ARGS__)
struct cfg_shown {
	char text[CFG_SHOWN_CHARS * 4 + 8];
};
/* Text as messages show it: in quotes, control characters as '?', cut. */
const char *cfg_show(struct str s, struct cfg_shown *ret);

/* text -> tree.  NULL with mistakes reported (or the pool failed). */
struct raw *cfg_yaml_parse(struct cfg_load *l, struct str text, const char *name);
bool cfg_raw_is_null(const struct raw *r);
struct raw *cfg_raw_find(const struct raw *map, struct str key);
void cfg_raw_append(struct raw *to, struct raw *r);	/* r stands in no other */
void cfg_raw_drop(struct raw *map, const struct raw *gone);	/* takes it out of the map */
/* Reads what root's `include` names; the tree that comes back has no `include` any more. */
struct raw *cfg_include(struct cfg_load *l, struct raw *root);
/* `name` as seen from the file that r stands in. */
char *cfg_path_beside(struct cfg_pool *pool, const struct raw *r, struct str name);
/* file -> tree with includes; *ret_errno is 0 or -ENOENT... when the file itself could not be read. */
struct raw *cfg_read_file(struct cfg_load *l, const char *file, int *ret_rc);

/* The schema, indexed: one scope for the root and one for the elements of each list. */
struct cfg_slot {
	const char *path, *leaf;	/* "timers.t1_ms" in its scope, "t1_ms" */
	size_t path_l, index;
	const struct cfg_row *row;	/* never NULL: sections without a row get one */
	const struct cfg_slot *parent;	/* section; NULL at the top of the scope */
	struct cfg_scope *elem;		/* CFG_LIST */
};
struct cfg_scope {
	struct cfg_slot **slots, **sorted;	/* in the order of the schema; by path */
	size_t n, cap;
	const char *name;			/* "diameter.peers" for messages; "" */
};
struct cfg_scope *cfg_scope_new(struct cfg_pool *p, const struct cfg_row *const *schemas);
const struct cfg_slot *cfg_scope_find(const struct cfg_scope *s, const char *path);
const struct cfg_slot *cfg_scope_child(const struct cfg_scope *s, const struct cfg_slot *parent, struct str key);
bool cfg_slot_has_required(const struct cfg_scope *s, const struct cfg_slot *section);
/* Of words, the one that `typed` probably meant; NULL when none is near. */
struct cfg_suggest {
	struct str typed;
	const char *best;
	size_t best_l;
	unsigned distance;
};
void cfg_suggest_init(struct cfg_suggest *s, struct str typed);
void cfg_suggest_word(struct cfg_suggest *s, struct str word);
/* "; did you mean "x"?" or "".  Returns dst. */
const char *cfg_suggest_text(const struct cfg_suggest *s, char *dst, size_t size);
void cfg_suggest_choices(struct cfg_suggest *s, const char *choices);	/* "a|b|c" */

/* Named formats of strings: `choices` of CFG_STR, CFG_STR_LIST and the values of CFG_STR_MAP. */
struct cfg_format {
	const char *name;		/* "@host" */
	bool (*ok)(struct str s);
	const char *what;		/* "a host name" */
	const char *example;
};
const struct cfg_format *cfg_format_find(const char *choices);	/* NULL: not a format */
/* Says in `why` what is wrong with "ADDRESS:PORT" (NULL when it is right). */
const char *cfg_hostport_why(struct str s);
const char *cfg_listen_why(struct str s);

struct cfg_value {
	const struct raw *raw;		/* NULL: not written */
	struct str text;		/* scalars; p == NULL: absent */
	int64_t n;			/* CFG_INT, CFG_BOOL */
	size_t count;
	struct str *items;		/* lists of strings; string maps: key, value, key, value... */
	const struct raw **item_raws;	/* where they stand; NULL for defaults */
	struct cfg_node **elems;	/* CFG_LIST */
};
struct cfg_node {
	const struct cfg_scope *scope;
	const struct raw *raw;
	struct cfg_value *val;		/* by slot index */
};
struct cfg {
	atomic_uint refs;
	struct cfg_pool pool;
	struct cfg_scope *scope;
	struct cfg_node *root;
	struct str home_domain;
};
/* Fills a node from a map; mistakes are reported.  NULL when out of memory only. */
struct cfg_node *cfg_check_map(struct cfg_load *l, const struct cfg_scope *s, const struct raw *map);
const struct cfg_value *cfg_value(const struct cfg_node *n, const char *path, const struct cfg_slot **ret_slot);
void cfg_common_check(struct cfg_load *l, const struct cfg_node *root);	/* what the rows cannot say */
void cfg_put_json_str(struct buf *out, struct str s);			/* quoted: good for JSON and YAML */
