/* tests/icscf/test_select.c - the table of S-CSCFs: TS 24.229 §5.3.1.2, §5.3.1.3; TS 29.228 annex B; rows I3, I4. */
#include <errno.h>
#include "icscf/icscf.h"
#include "tests/check.h"

static struct cfg *config(const char *yaml)
{
	static const struct cfg_row *const schemas[] = { cfg_common_schema, icscf_schema, NULL };
	struct cfg *c = NULL;
	struct buf text, errors;

	buf_init(&text, 65536);
	buf_init(&errors, 65536);
	buf_printf(&text, "plmn: {mcc: \"001\", mnc: \"01\"}\nsip: {listen: [\"udp:127.0.33.1:4060\"]}\n%s", yaml);
	ck_assert_msg(cfg_load_text(buf_str(&text), "test", schemas, &c, &errors) == 0, "%.*s", STR_ARG(buf_str(&errors)));
	buf_fini(&text);
	buf_fini(&errors);
	return c;
}

/* ---- Server-Name ---- */

static const struct { const char *name, *in, *out; int rc; } uri_rows[] = {
	{ "plain", "sip:s.home:6060", "sip:s.home:6060", 0 },
	{ "without scheme (PyHSS pool)", "s.home:6060", "sip:s.home:6060", 0 },
	{ "host only", "s.home", "sip:s.home", 0 },
	{ "brackets, lr", "<sip:s.home:6060;lr>", "sip:s.home:6060", 0 },
	{ "lr between others", "sip:s.home;transport=tcp;lr;x", "sip:s.home;transport=tcp;x", 0 },
	{ "blanks around", " sip:s.home ", "sip:s.home", 0 },
	{ "sips", "sips:s.home", "sips:s.home", 0 },
	{ "a user part", "sip:u@s.home", "sip:u@s.home", 0 },
	{ "IPv6", "sip:[2001:db8::1]:6060", "sip:[2001:db8::1]:6060", 0 },
	{ "headers go", "sip:s.home?a=b", "sip:s.home", 0 },
	{ "tel", "tel:+49", NULL, -EBADMSG },
	{ "empty", "", NULL, -EBADMSG },
	{ "a blank inside", "sip:s home", NULL, -EBADMSG },
};

START_TEST(test_uri_row)
{
	char text[SCSCF_URI_MAX];
	struct str out = STR_NONE;
	int rc = scscf_uri(str_from_c(uri_rows[_i].in), text, &out);

	ck_assert_msg(rc == uri_rows[_i].rc, "%s: %d", uri_rows[_i].name, rc);
	if (rc == 0)
		ck_assert_msg(str_eq_c(out, uri_rows[_i].out), "%s: %.*s", uri_rows[_i].name, STR_ARG(out));
}
END_TEST

START_TEST(test_uri_long)
{
	char in[SCSCF_URI_MAX + 64], text[SCSCF_URI_MAX];
	struct str out;

	memset(in, 'a', sizeof(in));
	for (size_t n = SCSCF_URI_MAX - 10; n < sizeof(in); n++)
		ck_assert(scscf_uri(str_make(in, n), text, &out) < 0 || out.l < SCSCF_URI_MAX);
}
END_TEST

/* ---- the choice ---- */

#define TABLE "selection:\n  suspect_s: 10\n  servers:\n" \
	      "    - {name: \"sip:a\", capabilities: [1, 2]}\n" \
	      "    - {name: \"sip:b\", capabilities: [1, 3], priority: 1}\n" \
	      "    - {name: \"sip:c\", capabilities: [1, 2, 3, 4], priority: 2}\n"
#define DEFAULT "  default_server: \"sip:d\"\n"

/* expect: the S-CSCFs in the order in which they are tried. */
static const struct {
	const char *name, *yaml;
	bool has_caps;
	struct cx_caps caps;
	const char *suspect, *expect;
	int end;
	enum scscf_why why;
} rows[] = {
	{ "nothing asked, default, then the table", TABLE DEFAULT, false, { .mandatory = { 0 } }, "", "d a b c", -ENODATA, SCSCF_DEFAULT },
	{ "empty capabilities are nothing asked", TABLE DEFAULT, true, { .mandatory = { 0 } }, "", "d a b c", -ENODATA, SCSCF_DEFAULT },
	{ "nothing asked, no default", TABLE, false, { .mandatory = { 0 } }, "", "a b c", -ENODATA, SCSCF_BY_CAPABILITIES },
	{ "all mandatory", TABLE DEFAULT, true, { .mandatory = { 2, { 1, 3 } } }, "", "b c", -ENODATA, SCSCF_BY_CAPABILITIES },
	{ "most optional first, priority second", TABLE, true, { .mandatory = { 1, { 1 } }, .optional = { 2, { 3, 4 } } }, "", "c b a",
	  -ENODATA, SCSCF_BY_CAPABILITIES },
	{ "optional only", TABLE, true, { .optional = { 1, { 4 } } }, "", "c a b", -ENODATA, SCSCF_BY_CAPABILITIES },
	{ "nobody has it, the default neither", TABLE DEFAULT, true, { .mandatory = { 1, { 99 } } }, "", "", -ENOENT,
	  SCSCF_BY_CAPABILITIES },
	{ "no table: the default has whatever is asked", "selection:\n" DEFAULT, true, { .mandatory = { 1, { 99 } } }, "", "d", -ENODATA,
	  SCSCF_DEFAULT },
	{ "nothing at all", "", false, { .mandatory = { 0 } }, "", "", -ENOENT, SCSCF_BY_CAPABILITIES },
	{ "names of the HSS first", TABLE DEFAULT, true, { .mandatory = { 1, { 4 } }, .server_names = { 2, { { "sip:x", 5 }, { "sip:y", 5 } } } },
	  "", "x y c", -ENODATA, SCSCF_BY_CAPABILITIES },
	{ "a suspect comes last", TABLE, false, { .mandatory = { 0 } }, "a", "b c a", -ENODATA, SCSCF_BY_CAPABILITIES },
	{ "a suspect default comes behind the table", TABLE DEFAULT, false, { .mandatory = { 0 } }, "d", "a b c d", -ENODATA,
	  SCSCF_BY_CAPABILITIES },
	{ "a suspect is better than nobody", TABLE, true, { .mandatory = { 1, { 4 } } }, "c", "c", -ENODATA, SCSCF_BY_CAPABILITIES },
	{ "a suspect name of the HSS waits", TABLE, true, { .mandatory = { 1, { 4 } }, .server_names = { 1, { { "sip:x", 5 } } } }, "x",
	  "c x", -ENODATA, SCSCF_BY_CAPABILITIES },
};

START_TEST(test_choice_row)
{
	struct cfg *c = config(rows[_i].yaml);
	struct selection *s = selection_new(c, NULL);
	struct scscf_tried tried = { 0 };
	char suspect[16], got[64] = "";
	enum scscf_why why, first = SCSCF_BY_CAPABILITIES;
	struct str uri;
	int rc;

	if (rows[_i].suspect[0]) {
		snprintf(suspect, sizeof(suspect), "sip:%s", rows[_i].suspect);
		scscf_report(s, str_from_c(suspect), 408, 1000);
	}
	while ((rc = scscf_select(s, rows[_i].has_caps ? &rows[_i].caps : NULL, &tried, 1500, &uri, &why)) == 0) {
		ck_assert_uint_lt(tried.n, SELECT_MAX_ATTEMPTS);
		if (!tried.n)
			first = why;
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s", tried.n ? " " : "", STR_ARG(str_from(uri, 4)));
		tried.uri[tried.n++] = uri;
	}
	ck_assert_msg(!strcmp(got, rows[_i].expect) && rc == rows[_i].end, "%s: %s, %d", rows[_i].name, got, rc);
	ck_assert_msg(first == rows[_i].why, "%s: %s", rows[_i].name, scscf_why_name(first));
	obj_unref(s);
	cfg_unref(c);
}
END_TEST

START_TEST(test_weight)
{
	struct cfg *c = config("selection: {servers: [{name: a, weight: 3}, {name: b, weight: 1}, {name: z, weight: 0}]}\n");
	struct selection *s = selection_new(c, NULL);
	static const struct scscf_tried none;
	unsigned n[256] = { 0 };
	enum scscf_why why;
	struct str uri;

	for (int i = 0; i < 4000; i++) {
		ck_assert_int_eq(scscf_select(s, NULL, &none, 0, &uri, &why), 0);
		n[(uint8_t)uri.p[4]]++;
	}
	ck_assert_msg(n['a'] > 2700 && n['a'] < 3300, "a %u", n['a']);	/* 3000, sigma 27 */
	ck_assert_uint_eq(n['a'] + n['b'], 4000);
	obj_unref(s);
	cfg_unref(c);
}
END_TEST

/* ---- health ---- */

START_TEST(test_health)
{
	struct cfg *c = config(TABLE);
	struct selection *s = selection_new(c, NULL);
	struct scscf_server *a = scscf_server_of(s, STR("SIP:A"));	/* any case */

	ck_assert_str_eq(a->uri, "sip:a");
	ck_assert(!scscf_is_suspect(a, 0));
	scscf_report(s, STR("sip:a"), 503, 1000);
	ck_assert(scscf_is_suspect(a, 10999) && !scscf_is_suspect(a, 11000));
	scscf_report(s, STR("sip:a"), 0, 2000);
	ck_assert(!scscf_is_suspect(a, 2000));
	ck_assert_uint_eq(atomic_load(&a->attempts), 2);
	ck_assert_uint_eq(atomic_load(&a->failures), 1);
	ck_assert_uint_eq(atomic_load(&a->last_status), 503);
	obj_unref(s);
	cfg_unref(c);
}
END_TEST

START_TEST(test_known_is_bounded)
{
	struct cfg *c = config("");
	struct selection *s = selection_new(c, NULL);
	char text[32];

	for (int i = 0; i < 2 * SELECT_MAX_KNOWN; i++) {
		snprintf(text, sizeof(text), "sip:s%d", i);
		scscf_report(s, str_from_c(text), 0, 0);
	}
	ck_assert_uint_eq(atomic_load(&s->n), SELECT_MAX_KNOWN);
	ck_assert_ptr_null(scscf_server_of(s, STR("sip:one-more")));
	obj_unref(s);
	cfg_unref(c);
}
END_TEST

START_TEST(test_reload)			/* row I4: figures stay, the table is new; a request keeps the one it began with */
{
	struct cfg *c = config(TABLE), *d = config("selection: {servers: [{name: \"sip:a\"}, {name: \"sip:z\"}]}\n");
	static const struct scscf_tried none;
	struct selection *old, *now;
	struct icscf *i = NULL;
	enum scscf_why why;
	struct str uri;

	ck_assert_int_eq(icscf_new(&i, c), 0);
	old = icscf_selection(i);
	scscf_report(old, STR("sip:a"), 408, 1000);
	icscf_reload(i, d);
	now = icscf_selection(i);
	ck_assert_ptr_ne(now, old);
	ck_assert(scscf_is_suspect(scscf_server_of(now, STR("sip:a")), 1500));
	ck_assert(!scscf_server_of(now, STR("sip:b"))->configured);
	ck_assert_int_eq(scscf_select(now, NULL, &none, 1500, &uri, &why), 0);
	ck_assert(str_eq_c(uri, "sip:z"));
	ck_assert_int_eq(scscf_select(old, NULL, &none, 1500, &uri, &why), 0);
	ck_assert(str_eq_c(uri, "sip:b"));
	obj_unref(old);
	obj_unref(now);
	icscf_free(i);
	cfg_unref(c);
	cfg_unref(d);
}
END_TEST

TEST_MAIN("select", TEST_ROWS(test_uri_row, uri_rows), TEST_ONE(test_uri_long), TEST_ROWS(test_choice_row, rows),
	  TEST_ONE(test_weight), TEST_ONE(test_health), TEST_ONE(test_known_is_bounded), TEST_ONE(test_reload))
