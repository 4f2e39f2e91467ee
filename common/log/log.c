/* common/log/log.c - one line, one write(2). */
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "common/log/log.h"
#include "common/util/clock.h"

#define LINE_BYTES 4096

static const char *const area_names[LOG_N_AREAS] = { "core", "conf", "sip", "tx", "proxy", "tp",
						     "dns", "dia", "reg", "sess", "sec", "rest" };
static const char *const level_names[LOG_N_LEVELS] = { "error", "warn", "info", "debug" };

static char nf_name[32] = "cscf";
static enum log_format format = LOG_TEXT;
static atomic_int levels[LOG_N_AREAS] = { LOG_WARN, LOG_WARN, LOG_WARN, LOG_WARN, LOG_WARN, LOG_WARN,
					  LOG_WARN, LOG_WARN, LOG_WARN, LOG_WARN, LOG_WARN, LOG_WARN };
static atomic_uint_fast64_t dropped;
static _Thread_local struct {
	char text[129];
	size_t l;
} correlation;

void log_open(const char *nf, enum log_format f, enum log_level all)
{
	str_copy(str_from_c(nf), nf_name, sizeof(nf_name));
	format = f;
	log_set_level(LOG_N_AREAS, all);
}

void log_set_level(enum log_area a, enum log_level l)
{
	for (int i = 0; i < LOG_N_AREAS; i++)
		if (a == LOG_N_AREAS || (int)a == i)
			atomic_store_explicit(&levels[i], (int)l, memory_order_relaxed);
}

static int name_find(struct str name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (str_ieq_c(name, names[i]))
			return i;
	return -2;
}

int log_level_from_name(struct str name, enum log_level *ret)
{
	int i = name_find(name, level_names, LOG_N_LEVELS);

	if (i < 0)
		return -2;
	*ret = (enum log_level)i;
	return 0;
}

int log_area_from_name(struct str name, enum log_area *ret)
{
	int i = name_find(name, area_names, LOG_N_AREAS);

	if (i < 0)
		return -2;
	*ret = (enum log_area)i;
	return 0;
}

const char *log_area_name(enum log_area a)
{
	return a < LOG_N_AREAS ? area_names[a] : "all";
}

const char *log_level_name(enum log_level l)
{
	return level_names[l];
}

bool log_enabled(enum log_area a, enum log_level l)
{
	return (int)l <= atomic_load_explicit(&levels[a], memory_order_relaxed);
}

void log_correlation(struct str icid)
{
	str_copy(icid, correlation.text, sizeof(correlation.text));
	correlation.l = strlen(correlation.text);
}

struct str log_correlation_get(void)
{
	return str_make(correlation.text, correlation.l);
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&dropped, memory_order_relaxed);
}

/* ---- a line, built on the stack; what does not fit is cut ---- */

struct line {
	char p[LINE_BYTES];
	size_t l;
};

static void put(struct line *o, struct str s)
{
	size_t room = sizeof(o->p) - 2 - o->l, n = s.l < room ? s.l : room;

	memcpy(o->p + o->l, s.p, n);
	o->l += n;
}

static void put_num(struct line *o, int64_t n, bool is_signed)
{
	char text[24];
	int l = is_signed ? snprintf(text, sizeof(text), "%lld", (long long)n)
			  : snprintf(text, sizeof(text), "%llu", (unsigned long long)n);

	put(o, str_make(text, (size_t)l));
}

static void put_escaped(struct line *o, struct str s)
{
	for (size_t i = 0; i < s.l; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char esc[8];
		int n;

		if (c == '"' || c == '\\')
			n = snprintf(esc, sizeof(esc), "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			n = snprintf(esc, sizeof(esc), "\\u%04x", c);
		else
			n = snprintf(esc, sizeof(esc), "%c", c);
		put(o, str_make(esc, (size_t)n));
	}
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.l; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\')
			return false;
	}
	return s.l > 0;
}

static void put_text_value(struct line *o, struct str s)
{
	if (is_plain(s)) {
		put(o, s);
		return;
	}
	put(o, STR("\""));
	put_escaped(o, s);
	put(o, STR("\""));
}

static void write_text(struct line *o, enum log_area a, enum log_level l, const char *msg, const struct log_field *f, size_t n)
{
	static const char marks[LOG_N_LEVELS] = { 'E', 'W', 'I', 'D' };
	char head[80], when[40];
	int k;

	clock_rfc3339(clock_wall_us(), when);
	k = snprintf(head, sizeof(head), "%.23sZ %c %-6s ", when, marks[l], area_names[a]);
	put(o, str_make(head, (size_t)k));
	put(o, str_from_c(msg));
	if (correlation.l) {
		put(o, STR(" icid="));
		put_text_value(o, log_correlation_get());
	}
	for (size_t i = 0; i < n; i++) {
		put(o, STR(" "));
		put(o, str_from_c(f[i].name));
		put(o, STR("="));
		if (f[i].kind == LOG_FIELD_STR)
			put_text_value(o, f[i].s);
		else
			put_num(o, f[i].n, f[i].kind == LOG_FIELD_INT);
	}
}

static void put_member(struct line *o, const char *name, struct str value)
{
	put(o, STR(",\""));
	put(o, str_from_c(name));
	put(o, STR("\":\""));
	put_escaped(o, value);
	put(o, STR("\""));
}

static void write_json(struct line *o, enum log_area a, enum log_level l, const char *msg, const struct log_field *f, size_t n)
{
	char when[40];

	clock_rfc3339(clock_wall_us(), when);
	put(o, STR("{\"ts\":\""));
	put(o, str_from_c(when));
	put(o, STR("\""));
	put_member(o, "lvl", str_from_c(level_names[l]));
	put_member(o, "nf", str_from_c(nf_name));
	put_member(o, "cat", str_from_c(area_names[a]));
	put_member(o, "msg", str_from_c(msg));
	if (correlation.l)
		put_member(o, "icid", log_correlation_get());
	for (size_t i = 0; i < n; i++) {
		if (f[i].kind == LOG_FIELD_STR) {
			/* A value is cut so that the line stays valid JSON. */
			struct str v = f[i].s;

			if (v.l * 6 + o->l + 64 > sizeof(o->p))
				v.l = o->l + 128 < sizeof(o->p) ? (sizeof(o->p) - o->l - 128) / 6 : 0;
			put_member(o, f[i].name, v);
		} else {
			put(o, STR(",\""));
			put(o, str_from_c(f[i].name));
			put(o, STR("\":"));
			put_num(o, f[i].n, f[i].kind == LOG_FIELD_INT);
		}
	}
	put(o, STR("}"));
}

void log_write(enum log_area a, enum log_level l, const char *msg, const struct log_field *f, size_t n)
{
	struct line o;

	o.l = 0;
	if (format == LOG_JSON)
		write_json(&o, a, l, msg, f, n);
	else
		write_text(&o, a, l, msg, f, n);
	o.p[o.l++] = '\n';
	if (write(STDERR_FILENO, o.p, o.l) != (ssize_t)o.l)
		atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
}
