/* common/log/log.c - one line, one write(2). */
#include <errno.h>
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
static _Thread_local struct {
	log_tap_fn fn;
	void *u;
} tap;

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

enum log_level log_level_of(enum log_area a)
{
	return (enum log_level)atomic_load_explicit(&levels[a], memory_order_relaxed);
}

static int name_find(struct str name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (str_ieq_c(name, names[i]))
			return i;
	return -ENOENT;
}

int log_level_from_name(struct str name, enum log_level *ret)
{
	int i = name_find(name, level_names, LOG_N_LEVELS);

	if (i < 0)
		return i;
	*ret = (enum log_level)i;
	return 0;
}

int log_area_from_name(struct str name, enum log_area *ret)
{
	int i = name_find(name, area_names, LOG_N_AREAS);

	if (i < 0)
		return i;
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

static bool is_written(enum log_area a, enum log_level l)
{
	return (int)l <= atomic_load_explicit(&levels[a], memory_order_relaxed);
}

bool log_enabled(enum log_area a, enum log_level l)
{
	return is_written(a, l) || (tap.fn && l <= LOG_INFO);
}

void log_tap(log_tap_fn fn, void *u)
{
	tap.fn = fn;
	tap.u = u;
}

void log_text(const char *msg, const struct log_field *f, size_t n, char *dst, size_t size)
{
	size_t l = str_put(dst, size, 0, str_from_c(msg));

	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].name, "why") == 0 && f[i].s.l)
			l = str_put(dst, size, str_put(dst, size, l, STR(": ")), f[i].s);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(f[i].name, "why") == 0 || strcmp(f[i].name, "call_id") == 0 || (f[i].kind == LOG_FIELD_STR && f[i].s.l == 0))
			continue;
		l = str_put(dst, size, l, STR(" "));
		l = str_put(dst, size, l, str_from_c(f[i].name));
		l = str_put(dst, size, l, STR("="));
		l = f[i].kind == LOG_FIELD_STR ? str_put(dst, size, l, f[i].s) : str_put_int(dst, size, l, f[i].n);
	}
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

/* ---- a line, built on the stack.  What does not fit is left out whole: a value ends early, later fields go, and
 * the line says so at its end, so that a cut JSON line still parses ---- */

#define CUT_TEXT " cut=1\n"
#define CUT_JSON ",\"cut\":1}\n"
#define TAIL_BYTES (sizeof(CUT_JSON))

struct line {
	char p[LINE_BYTES];
	size_t l;
	bool cut;
};

static size_t room(const struct line *o)
{
	return sizeof(o->p) - TAIL_BYTES - o->l;
}

static void put(struct line *o, struct str s)
{
	if (o->cut || s.l > room(o)) {
		o->cut = true;
		return;
	}
	if (s.l)
		memcpy(o->p + o->l, s.p, s.l);
	o->l += s.l;
}

static void put_c(struct line *o, const char *c)
{
	put(o, str_from_c(c));
}

static void put_num(struct line *o, int64_t n, bool is_signed)
{
	char text[24];
	int l;

	if (is_signed || n >= 0) {
		put(o, str_make(text, str_put_int(text, sizeof(text), 0, n)));
		return;
	}
	l = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	put(o, str_make(text, (size_t)l));
}

/* Length of the well-formed UTF-8 sequence (RFC 3629 §4) that begins s, 0 when it is none, a C1 control included. */
static size_t utf8_len(struct str s)
{
	static const uint32_t least[5] = { 0, 0, 0xa0, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
	uint32_t v = n > 1 ? c & (0x7fu >> n) : c;

	if (n < 2 || c >= 0xf8 || n > s.l)
		return n == 1 ? 1 : 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	return v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000) ? 0 : n;
}

static size_t plain_run(struct str s)
{
	size_t i = 0, n;

	while (i < s.l) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			break;
		n = c < 0x80 ? 1 : utf8_len(str_from(s, i));
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

/* `spare` octets stay free behind the value for its closing quote. */
static void put_escaped(struct line *o, struct str s, size_t spare)
{
	while (s.l && !o->cut) {
		size_t run = plain_run(s), left = room(o) - (room(o) < spare ? room(o) : spare);
		char esc[8];
		int n = 0;

		if (run > left) {
			while (left && ((unsigned char)s.p[left] & 0xc0) == 0x80)
				left--;			/* not inside a UTF-8 sequence */
			put(o, str_head(s, left));
			o->cut = true;
			return;
		}
		put(o, str_head(s, run));
		s = str_from(s, run);
		if (s.l == 0)
			return;
		if (s.p[0] == '"' || s.p[0] == '\\')
			n = snprintf(esc, sizeof(esc), "\\%c", s.p[0]);
		else
			n = snprintf(esc, sizeof(esc), "\\u%04x", (unsigned char)s.p[0]);
		if ((size_t)n + spare > room(o))
			o->cut = true;
		put(o, str_make(esc, (size_t)n));
		s = str_from(s, 1);
	}
}

static void put_quoted(struct line *o, struct str s)
{
	if (o->cut || room(o) < 2) {
		o->cut = true;
		return;
	}
	o->p[o->l++] = '"';
	put_escaped(o, s, 1);
	o->p[o->l++] = '"';
}

static void put_text_value(struct line *o, struct str s)
{
	if (s.l && plain_run(s) == s.l && str_chr(s, ' ') < 0 && s.l <= room(o))
		put(o, s);
	else
		put_quoted(o, s);
}

static void put_tail(struct line *o, const char *whole, const char *cut)
{
	const char *t = o->cut ? cut : whole;
	size_t n = strlen(t);

	memcpy(o->p + o->l, t, n);		/* TAIL_BYTES were kept free */
	o->l += n;
}

/* ---- the newest lines are kept ---- */

static struct kept {
	atomic_flag busy;		/* somebody writes or reads it: others pass by */
	uint64_t number;
	size_t l;
	char p[LOG_TAIL_BYTES];
} kept[LOG_TAIL_LINES];
static atomic_uint_fast64_t n_kept;

static void keep(const char *p, size_t l)
{
	uint64_t number = atomic_fetch_add_explicit(&n_kept, 1, memory_order_relaxed);
	struct kept *k = &kept[number % LOG_TAIL_LINES];

	if (atomic_flag_test_and_set_explicit(&k->busy, memory_order_acquire))
		return;
	k->number = number;
	k->l = l < sizeof(k->p) ? l : sizeof(k->p);
	memcpy(k->p, p, k->l);
	atomic_flag_clear_explicit(&k->busy, memory_order_release);
}

void log_tail(void (*fn)(void *u, struct str line), void *u)
{
	uint64_t end = atomic_load_explicit(&n_kept, memory_order_relaxed);

	for (uint64_t i = end > LOG_TAIL_LINES ? end - LOG_TAIL_LINES : 0; i < end; i++) {
		struct kept *k = &kept[i % LOG_TAIL_LINES];
		char text[LOG_TAIL_BYTES];
		size_t l = 0;

		if (atomic_flag_test_and_set_explicit(&k->busy, memory_order_acquire))
			continue;
		if (k->number == i) {
			l = k->l;
			memcpy(text, k->p, l);
		}
		atomic_flag_clear_explicit(&k->busy, memory_order_release);
		if (l)
			fn(u, str_trim(str_make(text, l)));
	}
}

static void write_text(struct line *o, enum log_area a, enum log_level l, const char *msg, const struct log_field *f, size_t n)
{
	static const char marks[LOG_N_LEVELS] = { 'E', 'W', 'I', 'D' };
	char when[40];

	clock_rfc3339(clock_wall_us(), when);
	put(o, str_make(when, 23));		/* milliseconds */
	put(o, STR("Z "));
	put(o, str_make(&marks[l], 1));
	put(o, STR(" "));
	put_c(o, area_names[a]);
	put(o, str_head(STR("       "), strlen(area_names[a]) < 6 ? 7 - strlen(area_names[a]) : 1));
	put_escaped(o, str_from_c(msg), 0);
	if (correlation.l) {
		put_c(o, " icid=");
		put_text_value(o, log_correlation_get());
	}
	for (size_t i = 0; i < n && !o->cut; i++) {
		size_t before = o->l, name_l = strlen(f[i].name);

		if (name_l + 4 > room(o)) {		/* " name=" and two quotes */
			o->cut = true;
			break;
		}
		put_c(o, " ");
		put_c(o, f[i].name);
		put_c(o, "=");
		if (f[i].kind == LOG_FIELD_STR)
			put_text_value(o, f[i].s);
		else
			put_num(o, f[i].n, f[i].kind == LOG_FIELD_INT);
		if (o->cut && f[i].kind != LOG_FIELD_STR)
			o->l = before;
	}
	put_tail(o, "\n", CUT_TEXT);
}

/* Returns false, with nothing written, when not even an empty value would fit. */
static bool put_name(struct line *o, const char *name)
{
	size_t before = o->l;

	put_c(o, o->l == 1 ? "\"" : ",\"");
	put_c(o, name);
	put_c(o, "\":");
	if (!o->cut && room(o) >= 2)
		return true;
	o->l = before;
	o->cut = true;
	return false;
}

static void put_member(struct line *o, const char *name, struct str value)
{
	if (put_name(o, name))
		put_quoted(o, value);
}

static void write_json(struct line *o, enum log_area a, enum log_level l, const char *msg, const struct log_field *f, size_t n)
{
	char when[40];

	clock_rfc3339(clock_wall_us(), when);
	put_c(o, "{");
	put_member(o, "ts", str_from_c(when));
	put_member(o, "lvl", str_from_c(level_names[l]));
	put_member(o, "nf", str_from_c(nf_name));
	put_member(o, "cat", str_from_c(area_names[a]));
	put_member(o, "msg", str_from_c(msg));
	if (correlation.l)
		put_member(o, "icid", log_correlation_get());
	for (size_t i = 0; i < n && !o->cut; i++) {
		size_t before = o->l;

		if (f[i].kind == LOG_FIELD_STR) {
			put_member(o, f[i].name, f[i].s);
			continue;
		}
		if (put_name(o, f[i].name))
			put_num(o, f[i].n, f[i].kind == LOG_FIELD_INT);
		if (o->cut)
			o->l = before;
	}
	put_tail(o, "}\n", CUT_JSON);
}

void log_write(enum log_area a, enum log_level l, const char *msg, const struct log_field *f, size_t n)
{
	struct line o;
	ssize_t put_bytes;

	if (tap.fn && l <= LOG_INFO) {
		tap.fn(tap.u, a, msg, f, n);
		if (!is_written(a, l))
			return;
	}
	o.l = 0;
	o.cut = false;
	if (format == LOG_JSON)
		write_json(&o, a, l, msg, f, n);
	else
		write_text(&o, a, l, msg, f, n);
	keep(o.p, o.l);
	do {
		put_bytes = write(STDERR_FILENO, o.p, o.l);
	} while (put_bytes < 0 && errno == EINTR);
	if (put_bytes != (ssize_t)o.l)
		atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
}
