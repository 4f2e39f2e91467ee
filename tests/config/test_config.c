/* tests/config/test_config.c - values, defaults, places, home domain, normal form (golden/NAME.yaml and NAME.ok). */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cjson/cJSON.h>
#include "common/config/config.h"
#include "tests/check.h"

#define OUT_MAX (1u << 20)

static const struct cfg_row own[] = {
	{ "access", CFG_MAP, .help = "What only this daemon has." },
	{ "access.ipsec", CFG_BOOL, 0, 0, "true", NULL, 0, NULL, "IPsec." },
	{ "access.nets", CFG_STR_LIST, 0, 0, "10.0.0.1 10.0.0.2", "@ip", 0, NULL, "Nets." },
	{ "access.rules[].name", CFG_STR, 1, 20, NULL, NULL, CFG_REQUIRED, NULL, "Name." },
	{ "access.rules[].hits[].n", CFG_INT, -5, 5, "-1", NULL, 0, NULL, "Number." },
	{ "access.any", CFG_INT, 0, 0, NULL, NULL, 0, NULL, "No upper bound." },
	{ 0 },
};
static const struct cfg_row *const schemas[] = { cfg_common_schema, own, NULL };

static struct cfg *load(const char *text)
{
	struct cfg *c = NULL;
	struct buf e;
	int rc;

	buf_init(&e, OUT_MAX);
	rc = cfg_load_text(str_from_c(text), "t.yaml", schemas, &c, &e);
	ck_assert_msg(rc == 0 && e.l == 0, "rc %d: %.*s", rc, STR_ARG(buf_str(&e)));
	buf_fini(&e);
	return c;
}

START_TEST(test_values)
{
	struct cfg *c = load("sip: {listen: [\"udp:127.0.0.1:5060\", 'tcp:[::1]:5061'], timers: {t1_ms: 100}}\n"
			     "plmn: {mcc: 001, mnc: 01}\n"
			     "dns: {servers: 127.0.0.53, next_hops: {a.example: \"udp:127.0.0.1:4060\", b: 127.0.0.2:1}}\n"
			     "diameter:\n  identity: s.example\n  peers:\n  - {identity: h1}\n  - {identity: h2, port: 3869}\n"
			     "access:\n  ipsec: no\n  rules:\n  - name: a\n    hits: [{n: 3}, {}]\n  any: 99999999999\n");
	const struct cfg_node *r = cfg_root(c), *p;
	struct str k, v;

	ck_assert(str_eq_c(cfg_str(r, "plmn.mcc"), "001") && str_eq_c(cfg_str(r, "plmn.mnc"), "01"));
	ck_assert_uint_eq(cfg_list_len(r, "sip.listen"), 2);
	ck_assert(str_eq_c(cfg_strs_at(r, "sip.listen", 1), "tcp:[::1]:5061"));
	ck_assert_uint_eq(cfg_strs_at(r, "sip.listen", 2).l, 0);
	ck_assert_int_eq(cfg_int(r, "sip.timers.t1_ms"), 100);
	ck_assert_uint_eq(cfg_list_len(r, "dns.servers"), 1);
	ck_assert(cfg_map_at(r, "dns.next_hops", 1, &k, &v) && str_eq_c(k, "b") && str_eq_c(v, "127.0.0.2:1"));
	ck_assert(!cfg_map_at(r, "dns.next_hops", 2, &k, &v));
	ck_assert_uint_eq(cfg_list_len(r, "diameter.peers"), 2);
	p = cfg_list_at(r, "diameter.peers", 1);
	ck_assert_int_eq(cfg_int(p, "port"), 3869);
	ck_assert_int_eq(cfg_int(cfg_list_at(r, "diameter.peers", 0), "port"), 3868);
	ck_assert_str_eq(cfg_cstr(p, "identity"), "h2");
	ck_assert_ptr_null(cfg_cstr(p, "address"));
	ck_assert_ptr_null(cfg_list_at(r, "diameter.peers", 2));
	ck_assert(!cfg_bool(r, "access.ipsec"));
	ck_assert_uint_eq(cfg_list_len(r, "access.nets"), 2);
	ck_assert(str_eq_c(cfg_strs_at(r, "access.nets", 1), "10.0.0.2"));
	p = cfg_list_at(r, "access.rules", 0);
	ck_assert_int_eq(cfg_int(cfg_list_at(p, "hits", 0), "n"), 3);
	ck_assert_int_eq(cfg_int(cfg_list_at(p, "hits", 1), "n"), -1);
	ck_assert_int_eq(cfg_int(r, "access.any"), 99999999999);
	ck_assert(cfg_has(r, "access") && cfg_has(r, "diameter.peers") && !cfg_has(r, "rest") && !cfg_has(r, "sip.name"));
	ck_assert_ptr_eq(cfg_ref(c), c);
	cfg_unref(c);
	cfg_unref(c);
	cfg_unref(NULL);
}
END_TEST

/* The defaults that DESIGN and the clauses name. */
static const struct { const char *path; int64_t n; } ints[] = {
	{ "workers", 1 },
	{ "sip.timers.t1_ms", 500 },		/* RFC 3261 table 4 */
	{ "sip.timers.t2_ms", 4000 },
	{ "sip.timers.t4_ms", 5000 },
	{ "sip.timers.d_ms", 32000 },
	{ "sip.ue_timers.t1_ms", 2000 },	/* TS 24.229 §7.7 */
	{ "sip.ue_timers.t2_ms", 16000 },
	{ "sip.ue_timers.t4_ms", 17000 },
	{ "sip.ue_timers.d_ms", 128000 },
	{ "sip.timer_c_s", 185 },		/* RFC 3261 §16.6: more than three minutes */
	{ "sip.max_transactions", 100000 },
	{ "sip.udp_max_bytes", 1300 },		/* RFC 3261 §18.1.1 */
	{ "diameter.request_timeout_ms", 5000 },
	{ "diameter.max_outstanding", 64 },
	{ "dns.timeout_ms", 500 },
	{ "dns.tries", 2 },
	{ "dns.stale_max_s", 3600 },
};

START_TEST(test_default)
{
	struct cfg *c = load("sip: {listen: \"udp:127.0.0.1:5060\"}\n");

	ck_assert_msg(cfg_int(cfg_root(c), ints[_i].path) == ints[_i].n, "%s", ints[_i].path);
	ck_assert(!cfg_has(cfg_root(c), ints[_i].path));
	cfg_unref(c);
}
END_TEST

/* TS 23.003 §13.2 */
static const struct { const char *text, *domain; } domains[] = {
	{ "plmn: {mcc: \"001\", mnc: \"01\"}\n", "ims.mnc001.mcc001.3gppnetwork.org" },
	{ "plmn: {mcc: 001, mnc: 01}\n", "ims.mnc001.mcc001.3gppnetwork.org" },
	{ "plmn: {mcc: 310, mnc: 410}\n", "ims.mnc410.mcc310.3gppnetwork.org" },
	{ "plmn: {mcc: 262, mnc: 02}\ndomain: ims.example.org\n", "ims.example.org" },
	{ "domain: ims.example.org\n", "ims.example.org" },
	{ "", "" },
};

START_TEST(test_domain)
{
	char text[256];
	struct cfg *c;

	snprintf(text, sizeof(text), "%ssip: {listen: \"udp:127.0.0.1:5060\"}\n", domains[_i].text);
	c = load(text);
	ck_assert_str_eq(cfg_home_domain(c).p, domains[_i].domain);
	ck_assert_uint_eq(cfg_home_domain(c).l, strlen(domains[_i].domain));
	cfg_unref(c);
}
END_TEST

START_TEST(test_where)
{
	struct cfg *c = load("sip:\n  listen: \"udp:127.0.0.1:5060\"\ndiameter:\n  identity: a\n  peers:\n"
			     "    - identity: b\ndomain: c\n");
	const struct cfg_node *r = cfg_root(c);
	struct buf b;

	buf_init(&b, 4096);
	cfg_where(r, "sip.listen", &b);
	buf_putc(&b, ' ');
	cfg_where(r, "sip.timers.t1_ms", &b);		/* not written: the section above */
	buf_putc(&b, ' ');
	cfg_where(r, "log.level", &b);
	buf_putc(&b, ' ');
	cfg_where(cfg_list_at(r, "diameter.peers", 0), "port", &b);
	buf_putc(&b, '\n');
	cfg_error(r, "diameter.identity", &b, "%s is taken", "a");
	ck_assert_msg(str_eq_c(buf_str(&b), "t.yaml:2:3 t.yaml:1:1 t.yaml:1:1 t.yaml:6:7\nt.yaml:4:3: a is taken\n"), "%.*s",
		      STR_ARG(buf_str(&b)));
	buf_fini(&b);
	cfg_unref(c);
}
END_TEST

/* --- what a reload changes --- */

static void on_change(void *u, const char *path, bool reload)
{
	buf_printf(u, "%s%s ", path, reload ? "!" : "");
}

static const struct {
	const char *before, *after, *changed;
} changes[] = {
	{ "", "", "" },
	{ "", "log: {level: info}\n", "" },				/* the default, written */
	{ "log: {level: info}\n", "log: {level: debug}\n", "log.level! " },
	{ "", "workers: 2\nlog: {levels: {sip: debug}}\n", "workers log.levels! " },
	{ "diameter: {identity: a.b, peers: [{identity: h.b}]}\n", "diameter: {identity: a.b, peers: [{identity: h.b, port: 3869}]}\n",
	  "diameter.peers " },
	{ "dns: {servers: [192.0.2.1]}\n", "dns: {servers: [192.0.2.1, 192.0.2.2]}\n", "dns.servers " },
	{ "rest: {token: a}\n", "rest: {token: b}\n", "rest.token! " },
	{ "domain: x.example\n", "", "domain " },
};

START_TEST(test_changes)
{
	static const char head[] = "plmn: {mcc: '001', mnc: '01'}\nsip: {listen: ['udp:127.0.0.1:5060']}\n";
	const struct cfg_row *const common[] = { cfg_common_schema, NULL };
	struct cfg *c[2];
	struct buf b, text;

	buf_init(&b, 65536);
	for (int i = 0; i < 2; i++) {
		buf_init(&text, 65536);
		buf_puts(&text, head);
		buf_puts(&text, i ? changes[_i].after : changes[_i].before);
		ck_assert_msg(cfg_load_text(buf_str(&text), "t.yaml", common, &c[i], &b) == 0, "%.*s", STR_ARG(buf_str(&b)));
		buf_fini(&text);
	}
	cfg_changes(c[0], c[1], on_change, &b);
	ck_assert_msg(str_eq_c(buf_str(&b), changes[_i].changed), "%d: %.*s", _i, STR_ARG(buf_str(&b)));
	buf_fini(&b);
	cfg_unref(c[0]);
	cfg_unref(c[1]);
}
END_TEST

/* --- normal form --- */

static const char *const pairs[] = { "least", "full", "odd" };

static void slurp(const char *file, struct buf *b)
{
	FILE *f = fopen(file, "r");
	char chunk[4096];
	size_t n;

	ck_assert_msg(f != NULL, "%s", file);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_put(b, str_make(chunk, n));
	fclose(f);
}

START_TEST(test_normal)
{
	const char *top = getenv("srcdir");
	struct buf e, first, second, ok;
	struct cfg *c = NULL;
	char name[512];

	buf_init(&e, OUT_MAX);
	buf_init(&first, OUT_MAX);
	buf_init(&second, OUT_MAX);
	buf_init(&ok, OUT_MAX);
	snprintf(name, sizeof(name), "%s/tests/config/golden/%s.yaml", top ? top : ".", pairs[_i]);
	slurp(name, &e);
	ck_assert_int_eq(cfg_load_text(buf_str(&e), "t.yaml", schemas, &c, &first), 0);
	cfg_write_normal(c, &first);
	cfg_unref(c);
	snprintf(name, sizeof(name), "%s/tests/config/golden/%s.ok", top ? top : ".", pairs[_i]);
	slurp(name, &ok);
	ck_assert_msg(str_eq(buf_str(&first), buf_str(&ok)), "%s:\n%.*s", pairs[_i], STR_ARG(buf_str(&first)));
	buf_reset(&e);
	ck_assert_msg(cfg_load_text(buf_str(&first), "n.yaml", schemas, &c, &e) == 0, "%.*s", STR_ARG(buf_str(&e)));
	cfg_write_normal(c, &second);
	ck_assert(str_eq(buf_str(&first), buf_str(&second)));
	ck_assert_int_eq(str_find(buf_str(&first), STR("hunter2")), -1);	/* a secret is never shown */
	cfg_unref(c);
	buf_fini(&e);
	buf_fini(&first);
	buf_fini(&second);
	buf_fini(&ok);
}
END_TEST

/* --- files --- */

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void sweep(const char *dir, const char *const *names)
{
	char path[256];

	for (; *names; names++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *names);
		remove(path);
	}
}

/* CFG_MAX_KEYS */
START_TEST(test_many_keys)
{
	struct cfg *c = NULL;
	struct buf text, e;

	buf_init(&text, OUT_MAX);
	buf_init(&e, OUT_MAX);
	buf_puts(&text, "dns:\n  next_hops:\n");
	for (unsigned i = 0; i < 4097; i++)
		buf_printf(&text, "    h%u.example: 127.0.0.1:1\n", i);
	ck_assert_int_lt(cfg_load_text(buf_str(&text), "t.yaml", schemas, &c, &e), 0);
	ck_assert_msg(str_starts(buf_str(&e), STR("t.yaml:4099:5: too many keys in one section\n")), "%.*s", STR_ARG(buf_str(&e)));
	buf_fini(&text);
	buf_fini(&e);
}
END_TEST

START_TEST(test_include)
{
	static const char *const names[] = { "main.yaml", "sub/shared.yaml", "sub/more.yaml", "sub", "", NULL };
	char dir[] = "/tmp/test_config.XXXXXX", path[256], want[256];
	const struct cfg_node *r;
	struct cfg *c = NULL;
	struct buf e;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sub", dir);
	mkdir(path, 0700);
	put_file(dir, "main.yaml", "include: [sub/shared.yaml]\nsip: {timers: {t1_ms: 111}}\nrest: {token_file: tok}\n");
	put_file(dir, "sub/shared.yaml", "include: more.yaml\nsip: {listen: \"udp:127.0.0.1:5060\", timers: {t1_ms: 5, t2_ms: 222}}\n"
					 "state: {dir: data}\n");
	put_file(dir, "sub/more.yaml", "plmn: {mcc: \"001\", mnc: \"01\"}\nsip: {timer_c_s: 200, timers: {t2_ms: 9}}\n");
	snprintf(path, sizeof(path), "%s/main.yaml", dir);
	buf_init(&e, OUT_MAX);
	ck_assert_msg(cfg_load(path, schemas, &c, &e) == 0, "%.*s", STR_ARG(buf_str(&e)));
	r = cfg_root(c);
	ck_assert_int_eq(cfg_int(r, "sip.timers.t1_ms"), 111);
	ck_assert_int_eq(cfg_int(r, "sip.timers.t2_ms"), 222);
	ck_assert_int_eq(cfg_int(r, "sip.timer_c_s"), 200);
	snprintf(want, sizeof(want), "%s/tok", dir);
	ck_assert_str_eq(cfg_cstr(r, "rest.token_file"), want);
	snprintf(want, sizeof(want), "%s/sub/data", dir);	/* relative to the file it stands in */
	ck_assert_str_eq(cfg_cstr(r, "state.dir"), want);
	cfg_unref(c);
	buf_fini(&e);
	sweep(dir, names);
}
END_TEST

START_TEST(test_include_mistakes)
{
	static const char *const names[] = { "loop.yaml", "back.yaml", "gone.yaml", "deep.yaml", "", NULL };
	static const struct { const char *file; int rc; const char *want; } rows[] = {
		{ "loop.yaml", -EINVAL, "back.yaml:2:10: include: \"loop.yaml\" is being read already: the files include each other in a circle\n" },
		{ "gone.yaml", -EINVAL, "gone.yaml:1:11: include: \"nowhere.yaml\" cannot be read: No such file or directory\n" },
		{ "deep.yaml", -EINVAL, "gone.yaml:1:11: include: \"nowhere.yaml\" cannot be read: No such file or directory\n" },
		{ "none.yaml", -ENOENT, "none.yaml:1:1: cannot be read: No such file or directory\n" },
	};
	char dir[] = "/tmp/test_config.XXXXXX", path[256], want[512];
	struct cfg *c = NULL;
	struct buf e;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	put_file(dir, "loop.yaml", "include: back.yaml\n");
	put_file(dir, "back.yaml", "log: {level: info}\ninclude: loop.yaml\n");
	put_file(dir, "gone.yaml", "include: [nowhere.yaml]\n");
	put_file(dir, "deep.yaml", "include: gone.yaml\n");
	buf_init(&e, OUT_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		snprintf(path, sizeof(path), "%s/%s", dir, rows[i].file);
		snprintf(want, sizeof(want), "%s/%s", dir, rows[i].want);
		buf_reset(&e);
		rc = cfg_load(path, schemas, &c, &e);
		ck_assert_msg(rc == rows[i].rc && str_eq_c(buf_str(&e), want), "%s: rc %d %.*s", rows[i].file, rc,
			      STR_ARG(buf_str(&e)));
	}
	buf_reset(&e);
	ck_assert_int_eq(cfg_load("/dev/null", schemas, &c, &e), -EINVAL);	/* a device is no file to wait for */
	buf_reset(&e);
	ck_assert_int_eq(cfg_load(dir, schemas, &c, &e), -EINVAL);
	buf_fini(&e);
	sweep(dir, names);
}
END_TEST

/* --- what a schema says of itself --- */

START_TEST(test_sample)
{
	struct cfg *c = NULL;
	struct buf s, e, all;
	struct str rest, line;

	buf_init(&s, OUT_MAX);
	buf_init(&e, OUT_MAX);
	buf_init(&all, OUT_MAX);
	cfg_schema_write_sample(schemas, &s);
	ck_assert_msg(cfg_load_text(buf_str(&s), "sample.yaml", schemas, &c, &e) == 0, "%.*s%.*s", STR_ARG(buf_str(&e)),
		      STR_ARG(buf_str(&s)));
	cfg_unref(c);
	for (rest = buf_str(&s); rest.l;) {		/* with everything switched on it is good as well */
		str_cut(rest, '\n', &line, &rest);
		if (line.l > 1 && line.p[0] == '#' && str_find(str_trim(str_from(line, 1)), STR("# ")) != 0 &&
		    (line.p[1] != ' ' || (line.p[2] == ' ' && line.p[1] == ' ')))
			line = str_from(line, 1);
		buf_put(&all, line);
		buf_putc(&all, '\n');
	}
	cfg_load_text(buf_str(&all), "all.yaml", schemas, &c, &e);
	/* token and token_file exclude each other; "name" is no area of the log: nothing else may be said */
	rest = buf_str(&e);
	ck_assert_int_ge(str_find(rest, STR("is no area of the log")), 0);
	str_cut(rest, '\n', &line, &rest);
	ck_assert_int_ge(str_find(rest, STR("not both")), 0);
	str_cut(rest, '\n', &line, &rest);
	ck_assert_msg(rest.l == 0, "%.*s", STR_ARG(buf_str(&e)));
	buf_fini(&s);
	buf_fini(&e);
	buf_fini(&all);
}
END_TEST

START_TEST(test_json_schema)
{
	const cJSON *sip, *peers, *wk;
	struct buf s;
	cJSON *j;

	buf_init(&s, OUT_MAX);
	cfg_schema_write_json(schemas, &s);
	j = cJSON_ParseWithLength(s.p, s.l);
	ck_assert_msg(j != NULL, "%.*s", STR_ARG(buf_str(&s)));
	sip = cJSON_GetObjectItem(cJSON_GetObjectItem(j, "properties"), "sip");
	ck_assert_str_eq(cJSON_GetArrayItem(cJSON_GetObjectItem(sip, "required"), 0)->valuestring, "listen");
	wk = cJSON_GetObjectItem(cJSON_GetObjectItem(j, "properties"), "workers");
	ck_assert_int_eq(cJSON_GetObjectItem(wk, "maximum")->valueint, 64);
	ck_assert_int_eq(cJSON_GetObjectItem(wk, "default")->valueint, 1);
	peers = cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(j, "properties"), "diameter"),
							"properties"), "peers");
	ck_assert_str_eq(cJSON_GetObjectItem(peers, "type")->valuestring, "array");
	ck_assert_ptr_nonnull(cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(peers, "items"), "properties"), "port"));
	cJSON_Delete(j);
	buf_fini(&s);
}
END_TEST

TEST_MAIN("config", TEST_ONE(test_values), TEST_ROWS(test_default, ints), TEST_ROWS(test_domain, domains), TEST_ONE(test_where),
	  TEST_ROWS(test_normal, pairs), TEST_ONE(test_many_keys), TEST_ONE(test_include), TEST_ONE(test_include_mistakes), TEST_ONE(test_sample),
	  TEST_ONE(test_json_schema), TEST_ROWS(test_changes, changes))
