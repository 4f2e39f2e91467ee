/* common/log/log.h - log lines as facts with fields, to stderr, text or JSON.
 *
 *   log_info(LOG_REG, "registered", LOG_S("impu", impu), LOG_U("expires_s", n));
 *   text:  2026-01-31T12:04:05.123Z I reg    registered icid=9f3c impu=sip:... expires_s=3600
 *   JSON:  {"ts":...,"lvl":"info","nf":"scscf","cat":"reg","msg":"registered","icid":...,"impu":...}
 *
 * The correlation id of the request in hand (P-Charging-Vector icid, else Call-ID) is set per thread
 * by log_correlation() and is in every line until it is changed.  Levels per area change at run time
 * from any thread.  Keys, passwords and RES never go in; control characters are escaped. */
#pragma once
#include <stdarg.h>
#include "common/util/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_N_LEVELS };
enum log_area {
	LOG_CORE, LOG_CONF, LOG_SIP, LOG_TX, LOG_PROXY, LOG_TP, LOG_DNS, LOG_DIA, LOG_REG, LOG_SESS, LOG_SEC, LOG_REST,
	LOG_N_AREAS
};

enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
	const char *name;
	enum { LOG_FIELD_STR, LOG_FIELD_UINT, LOG_FIELD_INT } kind;
	struct str s;
	int64_t n;
};
#define LOG_S(nm, v) ((struct log_field){ (nm), LOG_FIELD_STR, (v), 0 })
#define LOG_C(nm, v) ((struct log_field){ (nm), LOG_FIELD_STR, str_from_c(v), 0 })
#define LOG_U(nm, v) ((struct log_field){ (nm), LOG_FIELD_UINT, STR_NONE, (int64_t)(v) })
#define LOG_I(nm, v) ((struct log_field){ (nm), LOG_FIELD_INT, STR_NONE, (int64_t)(v) })

void log_open(const char *nf, enum log_format f, enum log_level all);	/* before other threads start */
void log_set_level(enum log_area a, enum log_level l);			/* LOG_N_AREAS: every area */
enum log_level log_level_of(enum log_area a);
int log_level_from_name(struct str name, enum log_level *ret);		/* -ENOENT */
int log_area_from_name(struct str name, enum log_area *ret);		/* -ENOENT */
const char *log_area_name(enum log_area a);
const char *log_level_name(enum log_level l);
bool log_enabled(enum log_area a, enum log_level l);
void log_correlation(struct str icid);			/* copied (truncated at 128); empty: none */
struct str log_correlation_get(void);
void log_write(enum log_area a, enum log_level l, const char *msg, const struct log_field *f, size_t n);
/* This thread's lines of LOG_INFO and above go to fn too, whatever the levels are, before they are written.  NULL: no more. */
typedef void (*log_tap_fn)(void *u, enum log_area a, const char *msg, const struct log_field *f, size_t n);
void log_tap(log_tap_fn fn, void *u);
/* "msg: WHY name=value ..." of a line without `call_id` and empty fields; `why` stands first.  Truncated. */
void log_text(const char *msg, const struct log_field *f, size_t n, char *dst, size_t size);
/* The newest lines that were written, oldest first, without their line ends; long ones are cut.  Any thread; nobody waits for the
 * reader: what is written into the place it looks at is missed. */
#define LOG_TAIL_LINES 256u
#define LOG_TAIL_BYTES 480u
void log_tail(void (*fn)(void *u, struct str line), void *u);
uint64_t log_dropped(void);				/* lines not written because stderr refused */

#define LOG_AT(area, lvl, msg, ...) \
	do { \
		if (log_enabled(area, lvl)) { \
			const struct log_field f_[] = { __VA_ARGS__ __VA_OPT__(,) { 0 } }; \
			log_write(area, lvl, msg, f_, sizeof(f_) / sizeof(f_[0]) - 1); \
		} \
	} while (0)
#define log_error(area, msg, ...) LOG_AT(area, LOG_ERROR, msg, __VA_ARGS__)
#define log_warn(area, msg, ...) LOG_AT(area, LOG_WARN, msg, __VA_ARGS__)
#define log_info(area, msg, ...) LOG_AT(area, LOG_INFO, msg, __VA_ARGS__)
#define log_debug(area, msg, ...) LOG_AT(area, LOG_DEBUG, msg, __VA_ARGS__)
