/* tests/config/test_merge.c - merge patches (RFC 7396) on configuration files, and a configuration as JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/config/config.h"
#include "tests/check.h"

#define OUT_MAX (1u << 20)

static const struct cfg_row own[] = {
	{ "access", CFG_MAP, .help = "Own." },
	{ "access.rules[].name", CFG_STR, 1, 20, NULL, NULL, CFG_REQUIRED, NULL, "Name." },
	{ "access.ipsec", CFG_BOOL, 0, 0, "true", NULL, 0, NULL, "IPsec." },
	{ "access.nets", CFG_STR_LIST, 0, 0, "10.0.0.1 10.0.0.2", "@ip", 0, NULL, "Nets." },
	{ "access.rules[].hits[].n", CFG_INT, -5, 5, "-1", NULL, 0, NULL, "Number." },
	{ "access.any", CFG_INT, 0, 0, NULL, NULL, 0, NULL, "No upper bound." },
	{ "access.rules[].page", CFG_FILE, 0, 0, NULL, NULL, 0, NULL, "A file." },
	{ 0 },
};
static const struct cfg_row *const schemas[] = { cfg_common_schema, own, NULL };

#define LISTEN "sip:\n  listen:\n    - \"udp:127.0.0.1:5060\"\n"
static const struct { const char *name, *text, *patch, *wanted; } rows[] = {
	{ "nothing: only comments go", "# one\nworkers: 1 # two\n" LISTEN, "{}", "workers: 1\n" LISTEN },
	{ "a value", "workers: 1\n", "{\"workers\":2}", "workers: 2\n" },
	{ "a value in its place", "a: 1\nb: x\nc: 3\n", "{\"b\":\"y\"}", "a: 1\nb: \"y\"\nc: 3\n" },
	{ "the last value, then another", "a: 1\n", "{\"a\":2,\"b\":3}", "a: 2\n\"b\": 3\n" },
	{ "a new key", "a: 1\n", "{\"sip\":{\"timer_c_s\":200}}", "a: 1\n\"sip\":\n  \"timer_c_s\": 200\n" },
	{ "sections are joined", "sip:\n  name: n\n  timer_c_s: 1\n", "{\"sip\":{\"timer_c_s\":200}}", "sip:\n  name: n\n  timer_c_s: 200\n" },
	{ "null takes out", "a: 1\nb: 2\n", "{\"a\":null,\"c\":null}", "b: 2\n" },
	{ "null takes out the last one", "a: 1\nb: {c: 1}\nd: 2\n", "{\"b\":{\"c\":null},\"d\":null}", "a: 1\nb: {}\n" },
	{ "null in what is new is no member: RFC 7396 §2", "", "{\"a\":{\"b\":null,\"c\":true}}", "\"a\":\n  \"c\": true\n" },
	{ "a list is one value", "l: [1, 2, 3]\n", "{\"l\":[\"x\",{\"a\":1}]}", "l:\n  - \"x\"\n  -\n    \"a\": 1\n" },
	{ "an object for a text", "a: x\n", "{\"a\":{\"b\":1}}", "a:\n  \"b\": 1\n" },
	{ "a text for a section", "a: {b: 1}\n", "{\"a\":\"x\"}", "a: \"x\"\n" },
	{ "a section without keys", "rest:\na: 1\n", "{\"rest\":{\"b\":1}}", "rest:\n  \"b\": 1\na: 1\n" },
	{ "quotes stay quotes", "a: '01'\nb: 01\n", "{}", "a: \"01\"\nb: 01\n" },
	{ "what YAML would read otherwise", "", "{\"a\":\"no: # {\\\"\",\"b:\":\"\"}", "\"a\": \"no: # {\\\"\"\n\"b:\": \"\"\n" },
	{ "include stays", "include: c.yaml\na: 1\n", "{\"a\":2}", "include: c.yaml\na: 2\n" },
	{ "large numbers and fractions", "", "{\"a\":1099511627776,\"b\":1.5}", "\"a\": 1099511627776\n\"b\": 1.5\n" },
};

static int merge(const char *text, const char *patch, bool expand, const char *name, struct buf *out, struct buf *errors)
{
	cJSON *p = cJSON_Parse(patch);
	int rc;

	ck_assert_ptr_nonnull(p);
	rc = cfg_merge(str_from_c(text), name, expand, p, out, errors);
	cJSON_Delete(p);
	return rc;
}

START_TEST(test_merge_row)
{
	struct buf out, errors, again;

	buf_init(&out, OUT_MAX);
	buf_init(&again, OUT_MAX);
	buf_init(&errors, OUT_MAX);
	ck_assert_int_eq(merge(rows[_i].text, rows[_i].patch, false, "t.yaml", &out, &errors), 0);
	ck_assert_msg(str_eq_c(buf_str(&out), rows[_i].wanted), "%s:\n%.*s", rows[_i].name, STR_ARG(buf_str(&out)));
	buf_putc(&out, '\0');
	ck_assert_int_eq(merge(out.p, "{}", false, "t.yaml", &again, &errors), 0);
	ck_assert_msg(str_eq_c(buf_str(&again), rows[_i].wanted), "%s: read again:\n%.*s", rows[_i].name, STR_ARG(buf_str(&again)));
	buf_fini(&out);
	buf_fini(&again);
	buf_fini(&errors);
}
END_TEST

static void never(void *u, const char *path, bool reload)
{
	(void)u, (void)reload;
	ck_abort_msg("%s differs", path);
}

/* A golden file that is written anew means the same. */
static const char *const golden[] = { "least", "full", "odd" };
START_TEST(test_golden)
{
	const char *top = getenv("srcdir");
	struct cfg *a = NULL, *b = NULL;
	struct buf text, out, errors;
	char name[512], chunk[4096];
	FILE *f;
	size_t n;

	buf_init(&text, OUT_MAX);
	buf_init(&out, OUT_MAX);
	buf_init(&errors, OUT_MAX);
	snprintf(name, sizeof(name), "%s/tests/config/golden/%s.yaml", top ? top : ".", golden[_i]);
	f = fopen(name, "r");
	ck_assert_ptr_nonnull(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_put(&text, str_make(chunk, n));
	fclose(f);
	buf_putc(&text, '\0');
	ck_assert_int_eq(merge(text.p, "{}", false, "t.yaml", &out, &errors), 0);
	ck_assert_int_eq(cfg_load_text(str_from_c(text.p), "t.yaml", schemas, &a, &errors), 0);
	ck_assert_msg(cfg_load_text(buf_str(&out), "t.yaml", schemas, &b, &errors) == 0, "%.*s", STR_ARG(buf_str(&errors)));
	cfg_changes(a, b, never, NULL);
	cfg_unref(a);
	cfg_unref(b);
	buf_fini(&text);
	buf_fini(&out);
	buf_fini(&errors);
}
END_TEST

/* With what it includes taken in, a patch can take out what the included file says; without, it cannot. */
START_TEST(test_included)
{
	char dir[] = "/tmp/cscf-merge-XXXXXX", name[64], path[128];
	struct buf out, errors;
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/c.yaml", dir);
	snprintf(name, sizeof(name), "%s/t.yaml", dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("workers: 3\nlog: {level: warn}\n", f);
	fclose(f);
	buf_init(&out, OUT_MAX);
	buf_init(&errors, OUT_MAX);
	ck_assert_int_eq(merge("include: c.yaml\nlog: {format: json}\n", "{\"workers\":null}", true, name, &out, &errors), 0);
	ck_assert_msg(str_eq_c(buf_str(&out), "log:\n  format: json\n  level: warn\n"), "%.*s", STR_ARG(buf_str(&out)));
	unlink(path);
	buf_reset(&out);
	ck_assert_int_eq(merge("include: c.yaml\n", "{}", true, name, &out, &errors), -EINVAL);
	ck_assert_int_gt((int)errors.l, 0);
	rmdir(dir);
	buf_fini(&out);
	buf_fini(&errors);
}
END_TEST

START_TEST(test_json)
{
	struct cfg *c = NULL;
	struct buf errors;
	cJSON *j, *one;
	char *text;

	buf_init(&errors, OUT_MAX);
	ck_assert_msg(cfg_load_text(STR("plmn: {mcc: 001, mnc: 01}\n" LISTEN "rest: {token: hunter2}\ndns: {next_hops: {a.b: 127.0.0.1:1}}\n"
					"access: {rules: [{name: x}]}\n"), "t.yaml", schemas, &c, &errors) == 0,
		      "%.*s", STR_ARG(buf_str(&errors)));
	j = cfg_json(c);
	text = cJSON_PrintUnformatted(j);
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_null(strstr(text, "hunter2"));
	ck_assert_ptr_nonnull(strstr(text, "\"token\":\"***\""));
	ck_assert_ptr_nonnull(strstr(text, "\"mnc\":\"01\""));
	ck_assert_ptr_nonnull(strstr(text, "\"listen\":[\"udp:127.0.0.1:5060\"]"));
	ck_assert_ptr_nonnull(strstr(text, "\"next_hops\":{\"a.b\":\"127.0.0.1:1\"}"));
	ck_assert_ptr_nonnull(strstr(text, "\"rules\":[{\"name\":\"x\"}]"));
	ck_assert_ptr_nonnull(strstr(text, "\"timer_c_s\":185"));
	ck_assert_ptr_null(strstr(text, "diameter"));		/* needs keys that have no default */
	free(text);
	cJSON_Delete(j);
	one = cfg_value_json(c, "rest.token");
	ck_assert_str_eq(one->valuestring, "***");
	cJSON_Delete(one);
	one = cfg_value_json(c, "domain");
	ck_assert(cJSON_IsNull(one));
	cJSON_Delete(one);
	ck_assert(cfg_names_file(c, "state.dir") && cfg_names_file(c, "access.rules") && !cfg_names_file(c, "workers"));
	cfg_unref(c);
	buf_fini(&errors);
}
END_TEST

TEST_MAIN("merge", TEST_ROWS(test_merge_row, rows), TEST_ROWS(test_golden, golden), TEST_ONE(test_included), TEST_ONE(test_json))
