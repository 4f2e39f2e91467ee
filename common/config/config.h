/* common/config/config.h - YAML configuration against a schema table.
 *
 * One table per daemon says every key: path, type, range, default, unit, help.  The reader, `-t`, the man page's
 * table, the sample file and GET /api/v1/config/schema come from it.  Every mistake is one line
 * "file:line:column: message"; unknown keys get a suggestion; all mistakes are reported, not only the first. */
#pragma once
#include <cjson/cJSON.h>
#include "common/util/bytes.h"

enum cfg_type {
	CFG_MAP,		/* section: its keys are rows of their own */
	CFG_LIST,		/* list of maps: rows "path[].key" */
	CFG_STR, CFG_INT, CFG_BOOL,
	CFG_ENUM,		/* one of `choices`, "a|b|c" */
	CFG_STR_LIST,		/* list of strings, or one string */
	CFG_ADDR,		/* "ADDRESS:PORT" */
	CFG_LISTEN,		/* list of "udp:ADDRESS:PORT" / "tcp:..." / "tls:..." */
	CFG_FILE,		/* path; relative ones are relative to the file they stand in */
	CFG_STR_MAP,		/* free map of string to string (e.g. next_hops) */
};

struct cfg_row {
	const char *path;	/* "sip.listen", "diameter.peers[].port" */
	enum cfg_type type;
	int64_t min, max;	/* CFG_INT; CFG_STR: length */
	const char *def;	/* text of the default; NULL: none (required if CFG_REQUIRED, else absent) */
	const char *choices;	/* CFG_ENUM: "a|b|c"; strings: a format, "@host", "@digits"... (format.c), or NULL: any text */
	unsigned flags;		/* CFG_REQUIRED, CFG_RELOAD, CFG_SECRET */
	const char *unit;	/* "s", "ms", "bytes"; NULL */
	const char *help;	/* one sentence */
};
#define CFG_REQUIRED 1u		/* within its section when that section (or list element) is present */
#define CFG_RELOAD 2u		/* takes effect on SIGHUP */
#define CFG_SECRET 4u		/* never shown */

struct cfg;			/* a read configuration, immutable, refcounted */
struct cfg_node;		/* a map in it: the root or a list element */

/* Reads `file` (and what it includes by `include: other.yaml`, a string or list, whose keys it may override).
 * schema: rows, ended by path == NULL; `common` rows (cfg_common_schema: plmn, workers, sip, diameter, dns, rest, log, state)
 * are added by the caller concatenating tables: schemas is a NULL-terminated array of tables.
 * errors: one line per mistake is appended.  Returns 0, -EINVAL (mistakes), -ENOENT/-EACCES (file). */
int cfg_load(const char *file, const struct cfg_row *const *schemas, struct cfg **ret, struct buf *errors);
int cfg_load_text(struct str text, const char *name, const struct cfg_row *const *schemas, struct cfg **ret, struct buf *errors);
/* Does the text, by whatever encoding or escape, name files to be included?  true when memory is short, too. */
bool cfg_text_includes(struct str text);
struct cfg *cfg_ref(struct cfg *c);
void cfg_unref(struct cfg *c);
const struct cfg_node *cfg_root(const struct cfg *c);

/* Values by schema path (relative to the node: "peers[].port" rows are read from an element as "port").  Defaults apply.
 * Asking for a path that is not in the schema is a programming error and aborts. */
struct str cfg_str(const struct cfg_node *n, const char *path);		/* NUL-terminated behind; empty when absent */
const char *cfg_cstr(const struct cfg_node *n, const char *path);	/* NULL when absent */
int64_t cfg_int(const struct cfg_node *n, const char *path);
bool cfg_bool(const struct cfg_node *n, const char *path);
bool cfg_has(const struct cfg_node *n, const char *path);		/* written in the file */
size_t cfg_list_len(const struct cfg_node *n, const char *path);
const struct cfg_node *cfg_list_at(const struct cfg_node *n, const char *path, size_t i);	/* CFG_LIST */
struct str cfg_strs_at(const struct cfg_node *n, const char *path, size_t i);		/* CFG_STR_LIST, CFG_LISTEN */
bool cfg_map_at(const struct cfg_node *n, const char *path, size_t i, struct str *key, struct str *value);	/* CFG_STR_MAP */
/* "file:line:column" of a key, for errors found later (a name that does not resolve...). */
void cfg_where(const struct cfg_node *n, const char *path, struct buf *out);
/* Adds a semantic mistake found by a daemon's own check, in the same form. */
void cfg_error(const struct cfg_node *n, const char *path, struct buf *errors, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

void cfg_write_normal(const struct cfg *c, struct buf *out);		/* normal form, defaults filled in, secrets as *** */
void cfg_schema_write_sample(const struct cfg_row *const *schemas, struct buf *out);	/* commented sample YAML */
void cfg_schema_write_json(const struct cfg_row *const *schemas, struct buf *out);	/* JSON Schema */

/* As JSON, as the file has it (numbers, booleans, lists), secrets as ***: every key that has a value, defaults filled in. */
cJSON *cfg_json(const struct cfg *c);				/* NULL: out of memory */
cJSON *cfg_value_json(const struct cfg *c, const char *path);	/* of one key of the root; null: it has no value */

/* A JSON merge patch (RFC 7396) on the text of one file: `out` gets the new text, without comments.  expand: what it includes is
 * taken in first; else `include` stays as it is.  name: of the file, for messages and for what it includes.  Whether the result is
 * a configuration is seen by reading it.  0, -EINVAL with a line per mistake, -EFBIG, -ENOMEM. */
int cfg_merge(struct str text, const char *name, bool expand, const cJSON *patch, struct buf *out, struct buf *errors);
bool cfg_names_file(const struct cfg *c, const char *path);	/* is the key's value, or one in its list, a path? */

/* Calls fn for every key whose value differs between two configurations of the same schemas; a list of maps is one key.
 * reload: it takes effect without a restart. */
void cfg_changes(const struct cfg *a, const struct cfg *b, void (*fn)(void *u, const char *path, bool reload), void *u);

/* The keys every daemon has (DESIGN.md §5). */
extern const struct cfg_row cfg_common_schema[];
/* TS 23.003 §13.2: "ims.mnc001.mcc001.3gppnetwork.org" from plmn, or `domain`. */
struct str cfg_home_domain(const struct cfg *c);
