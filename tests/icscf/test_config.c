/* tests/icscf/test_config.c - the keys of the I-CSCF: mistakes are said where they stand, the man page knows every key. */
#include <stdio.h>
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

/* ---- mistakes in the configuration ---- */

static const struct { const char *name, *yaml, *says; } mistakes[] = {
	{ "default", "selection: {default_server: \"tel:+49\"}\n", "selection.default_server" },
	{ "server", "selection: {servers: [{name: \"sip:a b\"}]}\n", "not a SIP URI" },
	{ "capability", "selection: {servers: [{name: \"sip:a\", capabilities: [4294967296]}]}\n", "4294967295" },
	{ "network", "trust: {networks: [\"10.0.0.0/33\"]}\n", "\"10.0.0.0/33\" is not ADDRESS or ADDRESS/BITS" },
	{ "next hop", "numbers: {next_hop: \"mailto:a\"}\n", "numbers.next_hop" },
};

START_TEST(test_mistake_row)
{
	struct cfg *c = config(mistakes[_i].yaml);
	struct buf errors;

	buf_init(&errors, 65536);
	icscf_config_check(c, &errors);
	ck_assert_msg(str_find(buf_str(&errors), str_from_c(mistakes[_i].says)) >= 0, "%s: %.*s", mistakes[_i].name,
		      STR_ARG(buf_str(&errors)));
	ck_assert_msg(str_starts(buf_str(&errors), STR("test:3:")), "%s: %.*s", mistakes[_i].name, STR_ARG(buf_str(&errors)));
	buf_fini(&errors);
	cfg_unref(c);
}
END_TEST

/* ---- icscfd.8 ---- */

static void read_man_page(struct buf *ret)
{
	char text[4096];
	size_t n;
	FILE *f;

	f = fopen(MAN_PAGE, "r");
	ck_assert_msg(f != NULL, "%s cannot be read", MAN_PAGE);
	buf_init(ret, 1u << 20);
	while ((n = fread(text, 1, sizeof(text), f)) > 0)
		buf_put(ret, str_make(text, n));
	fclose(f);
}

START_TEST(test_man_page)
{
	char line[256];
	struct buf man;

	read_man_page(&man);
	for (const struct cfg_row *r = icscf_schema; r->path; r++) {
		snprintf(line, sizeof(line), "\n.B %s\n", r->path);
		ck_assert_msg(str_find(buf_str(&man), str_from_c(line)) >= 0, "icscfd.8 does not know %s", r->path);
	}
	buf_fini(&man);
}
END_TEST

TEST_MAIN("config", TEST_ROWS(test_mistake_row, mistakes), TEST_ONE(test_man_page))
