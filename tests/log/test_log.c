/* tests/log/test_log.c - lines as they reach stderr: text, JSON, escapes, levels, and what is too long. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include "common/log/log.h"
#include "tests/check.h"

static char out[1 << 16];
static int pipe_fd[2], saved;

static void catch_begin(void)
{
	ck_assert_int_eq(pipe(pipe_fd), 0);
	saved = dup(STDERR_FILENO);
	dup2(pipe_fd[1], STDERR_FILENO);
	close(pipe_fd[1]);
}

static const char *catch_end(void)
{
	size_t l = 0;
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	close(saved);
	while ((n = read(pipe_fd[0], out + l, sizeof(out) - 1 - l)) > 0)
		l += (size_t)n;
	close(pipe_fd[0]);
	out[l] = '\0';
	return out;
}

static bool shape_is(const char *line, const char *shape)	/* 0 in the shape: any digit */
{
	for (; *shape; line++, shape++)
		if (*shape == '0' ? *line < '0' || *line > '9' : *line != *shape)
			return false;
	return true;
}

#define PREFIX (sizeof("2026-01-31T12:04:05.123Z ") - 1)

START_TEST(test_text)
{
	const char *o;

	log_open("scscf", LOG_TEXT, LOG_INFO);
	catch_begin();
	log_correlation(STR("9f3c"));
	log_info(LOG_REG, "registered", LOG_C("impu", "sip:a@x"), LOG_U("expires_s", 3600), LOG_I("d", -5));
	log_correlation(STR_NONE);
	log_warn(LOG_SESS, "odd", LOG_S("v", STR("a \"b\"\r\n\x01")), LOG_S("none", STR_NONE), LOG_C("b", "\\"));
	log_debug(LOG_REG, "not shown");
	o = catch_end();
	ck_assert_msg(shape_is(o, "0000-00-00T00:00:00.000Z I reg    registered "), "%s", o);
	ck_assert_msg(strstr(o, "registered icid=9f3c impu=sip:a@x expires_s=3600 d=-5\n") != NULL, "%s", o);
	o = strchr(o, '\n') + 1;
	ck_assert_str_eq(o + PREFIX, "W sess   odd v=\"a \\\"b\\\"\\u000d\\u000a\\u0001\" none=\"\" b=\"\\\\\"\n");
}
END_TEST

START_TEST(test_json)
{
	cJSON *j;
	const char *o;

	log_open("pcscf", LOG_JSON, LOG_DEBUG);
	catch_begin();
	log_correlation(STR("id\"1"));
	log_error(LOG_SEC, "SA \"x\"", LOG_S("v", str_make("\xc3\xa9\xff\n\0\xc2\x85", 7)), LOG_U("n", UINT64_MAX), LOG_I("i", -1));
	o = catch_end();
	ck_assert_uint_eq(strchr(o, '\n')[1], '\0');
	ck_assert_ptr_nonnull(strstr(o, "\"v\":\"\xc3\xa9\\u00ff\\u000a\\u0000\\u00c2\\u0085\",\"n\":18446744073709551615,\"i\":-1}\n"));
	j = cJSON_Parse(o);
	ck_assert_ptr_nonnull(j);
	ck_assert_str_eq(cJSON_GetObjectItem(j, "lvl")->valuestring, "error");
	ck_assert_str_eq(cJSON_GetObjectItem(j, "nf")->valuestring, "pcscf");
	ck_assert_str_eq(cJSON_GetObjectItem(j, "cat")->valuestring, "sec");
	ck_assert_str_eq(cJSON_GetObjectItem(j, "msg")->valuestring, "SA \"x\"");
	ck_assert_str_eq(cJSON_GetObjectItem(j, "icid")->valuestring, "id\"1");
	ck_assert(shape_is(cJSON_GetObjectItem(j, "ts")->valuestring, "0000-00-00T00:00:00.000000Z"));
	cJSON_Delete(j);
}
END_TEST

/* Whatever is too long, in whichever place: one line, at most 4 KiB, and JSON that parses. */
START_TEST(test_long)
{
	static const char *const fill[] = { "x", "\"", "\xe2\x82\xac", "\n" };
	enum log_format f = _i & 1 ? LOG_JSON : LOG_TEXT;
	const char *unit = fill[_i / 2], *o;
	static char big[3 * 6000 + 1];
	size_t ul = strlen(unit), grown = (const size_t[]){ 1, 2, 3, 6 }[_i / 2];

	for (size_t i = 0; i < 6000; i++)
		memcpy(big + i * ul, unit, ul);
	log_open("scscf", f, LOG_INFO);
	for (size_t l = 0; l <= 6000; l += l * grown > 3850 && l * grown < 4100 ? 1 : 100) {
		catch_begin();
		log_info(LOG_TP, "m", LOG_S("v", str_make(big, l * ul)), LOG_U("n", 1234567890), LOG_C("w", "t t"));
		o = catch_end();
		ck_assert_msg(strlen(o) <= 4096 && strchr(o, '\n') == o + strlen(o) - 1, "%zu: %zu", l, strlen(o));
		if (l == 0)
			ck_assert_ptr_null(strstr(o, "cut"));
		if (l == 6000)
			ck_assert_ptr_nonnull(strstr(o, f == LOG_JSON ? ",\"cut\":1}\n" : " cut=1\n"));
		if (f == LOG_JSON) {
			cJSON *j = cJSON_Parse(o);

			ck_assert_msg(j != NULL, "%zu: %s", l, o);
			cJSON_Delete(j);
		}
	}
}
END_TEST

START_TEST(test_many_fields)
{
	struct log_field f[600];
	const char *o;
	cJSON *j;

	for (int i = 0; i < 600; i++)
		f[i] = i % 2 ? LOG_U("number", i) : LOG_C("text", "value");
	log_open("scscf", LOG_JSON, LOG_INFO);
	catch_begin();
	log_write(LOG_CORE, LOG_INFO, "many", f, 600);
	o = catch_end();
	ck_assert_uint_le(strlen(o), 4096);
	j = cJSON_Parse(o);
	ck_assert_ptr_nonnull(j);
	ck_assert_ptr_nonnull(cJSON_GetObjectItem(j, "cut"));
	cJSON_Delete(j);
}
END_TEST

START_TEST(test_levels)
{
	enum log_level l;
	enum log_area a;

	log_open("x", LOG_TEXT, LOG_WARN);
	ck_assert(log_enabled(LOG_TX, LOG_WARN) && !log_enabled(LOG_TX, LOG_INFO));
	log_set_level(LOG_TX, LOG_DEBUG);
	ck_assert(log_enabled(LOG_TX, LOG_DEBUG) && !log_enabled(LOG_SIP, LOG_INFO));
	log_set_level(LOG_N_AREAS, LOG_ERROR);
	ck_assert(!log_enabled(LOG_TX, LOG_WARN) && log_enabled(LOG_TX, LOG_ERROR));
	for (int i = 0; i < LOG_N_LEVELS; i++) {
		ck_assert_int_eq(log_level_from_name(str_from_c(log_level_name((enum log_level)i)), &l), 0);
		ck_assert_int_eq(l, i);
	}
	for (int i = 0; i < LOG_N_AREAS; i++) {
		ck_assert_int_eq(log_area_from_name(str_from_c(log_area_name((enum log_area)i)), &a), 0);
		ck_assert_int_eq(a, i);
	}
	ck_assert_int_eq(log_level_from_name(STR("loud"), &l), -ENOENT);
	ck_assert_int_eq(log_area_from_name(STR("all"), &a), -ENOENT);
}
END_TEST

static void *other_thread(void *arg)
{
	*(size_t *)arg = log_correlation_get().l;
	log_correlation(STR("theirs"));
	return NULL;
}

START_TEST(test_correlation)
{
	char longer[200];
	size_t seen = 99;
	pthread_t t;

	memset(longer, 'c', sizeof(longer));
	log_correlation(STR("mine"));
	pthread_create(&t, NULL, other_thread, &seen);
	pthread_join(t, NULL);
	ck_assert_uint_eq(seen, 0);
	ck_assert(str_eq_c(log_correlation_get(), "mine"));
	log_correlation(str_make(longer, sizeof(longer)));
	ck_assert_uint_eq(log_correlation_get().l, 128);
}
END_TEST

START_TEST(test_dropped)
{
	uint64_t before = log_dropped();
	int keep = dup(STDERR_FILENO);

	log_open("x", LOG_TEXT, LOG_INFO);
	close(STDERR_FILENO);
	log_error(LOG_CORE, "nobody hears this");
	dup2(keep, STDERR_FILENO);
	close(keep);
	ck_assert_uint_eq(log_dropped(), before + 1);
}
END_TEST

/* The recorder of flows hears what is decided, whatever is written: row O7. */
static char heard[256];

static void hear(void *u, enum log_area a, const char *msg, const struct log_field *f, size_t n)
{
	ck_assert_ptr_eq(u, heard);
	ck_assert_int_eq(a, LOG_REG);
	log_text(msg, f, n, heard, sizeof(heard));
}

START_TEST(test_tap)
{
	log_open("x", LOG_TEXT, LOG_ERROR);
	log_tap(hear, heard);
	catch_begin();
	log_info(LOG_REG, "refused", LOG_U("status", 403), LOG_C("empty", ""), LOG_C("why", "no key"), LOG_C("call_id", "c"), LOG_I("n", -1));
	ck_assert_str_eq(catch_end(), "");
	ck_assert_str_eq(heard, "refused: no key status=403 n=-1");
	log_debug(LOG_REG, "nobody hears that");
	ck_assert_str_eq(heard, "refused: no key status=403 n=-1");
	catch_begin();
	log_error(LOG_REG, "both");
	ck_assert_ptr_nonnull(strstr(catch_end(), " E reg    both\n"));
	ck_assert_str_eq(heard, "both");
	log_tap(NULL, NULL);
	ck_assert(!log_enabled(LOG_REG, LOG_INFO));
}
END_TEST

static const int long_rows[8];

static char tail[LOG_TAIL_LINES * 2][64];
static unsigned n_tail;

static void note_tail(void *u, struct str line)
{
	(void)u;
	str_copy(line, tail[n_tail++], sizeof(tail[0]));
}

/* What was written last is kept, the oldest go, levels count. */
START_TEST(test_tail)
{
	log_open("x", LOG_TEXT, LOG_INFO);
	catch_begin();
	for (unsigned i = 0; i < LOG_TAIL_LINES + 10; i++)
		log_info(LOG_REG, "line", LOG_U("n", i));
	log_debug(LOG_REG, "not written");
	catch_end();
	n_tail = 0;
	log_tail(note_tail, NULL);
	ck_assert_uint_eq(n_tail, LOG_TAIL_LINES);
	ck_assert_ptr_nonnull(strstr(tail[0], "line n=10"));
	ck_assert_ptr_nonnull(strstr(tail[LOG_TAIL_LINES - 1], "line n=265"));
}
END_TEST

TEST_MAIN("log", TEST_ONE(test_tail), TEST_ONE(test_text), TEST_ONE(test_json), TEST_ROWS(test_long, long_rows), TEST_ONE(test_many_fields),
	  TEST_ONE(test_levels), TEST_ONE(test_correlation), TEST_ONE(test_dropped), TEST_ONE(test_tap))
