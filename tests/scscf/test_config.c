/* tests/scscf/test_config.c - the keys of the S-CSCF: what is read, which mistakes are said where, and the man page knows every key. */
#include <stdio.h>
#include "scscf/registrar.h"
#include "tests/check.h"

static struct cfg *config(const char *yaml)
{
	const struct cfg_row *const schemas[] = { cfg_common_schema, scscf_schema(), NULL };
	struct cfg *c = NULL;
	struct buf text, errors;

	buf_init(&text, 65536);
	buf_init(&errors, 65536);
	buf_printf(&text, "plmn: {mcc: \"001\", mnc: \"01\"}\nsip: {listen: [\"udp:127.0.31.1:6060\"]}\n%s", yaml);
	ck_assert_msg(cfg_load_text(buf_str(&text), "test", schemas, &c, &errors) == 0, "%.*s", STR_ARG(buf_str(&errors)));
	buf_fini(&text);
	buf_fini(&errors);
	return c;
}

static const struct { const char *name, *yaml, *says; } mistakes[] = {
	{ "good", "registrar: {min_expires_s: 10, default_expires_s: 20, max_expires_s: 30}\n", NULL },
	{ "nothing", "", NULL },
	{ "min over max", "registrar: {min_expires_s: 100, default_expires_s: 100, max_expires_s: 99}\n", "longer than max_expires_s" },
	{ "default over max", "registrar: {max_expires_s: 600}\n", "default_expires_s is not between" },
	{ "default under min", "registrar: {default_expires_s: 10}\n", "default_expires_s is not between" },
	{ "no URI", "registrar: {server_name: \"scscf.example\"}\n", "must be a SIP URI" },
	{ "GIBA without anybody to believe", "registrar: {giba: GIBA}\n", "registrar.giba needs registrar.giba_trusted" },
	{ "GIBA", "registrar: {giba: Early-IMS-Security, giba_trusted: [10.0.0.1, \"10.1.0.0/16\"]}\n", NULL },
	{ "no network", "registrar: {giba_trusted: [\"10.1.0.0/33\"]}\n", "\"10.1.0.0/33\" is not ADDRESS or ADDRESS/BITS" },
	{ "no feature", "registrar: {feature_caps: [\"+g.3gpp.verstat\", \"g.3gpp.x\"]}\n", "\"g.3gpp.x\" is neither +NAME nor +NAME=VALUE" },
	{ "a feature with a space", "registrar: {feature_caps: [\"+g.3gpp x\"]}\n", "is neither +NAME" },
	{ "a feature that leaves its quotes", "registrar: {feature_caps: ['+a=b\"c']}\n", "is neither +NAME" },
	{ "sessions too", "sessions: {routes: [{prefix: \"+\", domain: d, next_hop: \"sip:a\"}]}\n", "prefix or for a domain" },
};

START_TEST(test_mistake_row)
{
	struct cfg *c = config(mistakes[_i].yaml);
	struct buf errors;

	buf_init(&errors, 65536);
	scscf_check(c, &errors);
	if (!mistakes[_i].says)
		ck_assert_msg(errors.l == 0, "%s: %.*s", mistakes[_i].name, STR_ARG(buf_str(&errors)));
	else
		ck_assert_msg(str_find(buf_str(&errors), str_from_c(mistakes[_i].says)) >= 0, "%s: %.*s", mistakes[_i].name,
			      STR_ARG(buf_str(&errors)));
	buf_fini(&errors);
	cfg_unref(c);
}
END_TEST

static const struct { const char *text; enum reg_qop qop; } qops[] = {
	{ "none", REG_QOP_NONE }, { "auth", REG_QOP_AUTH }, { "auth-int", REG_QOP_AUTH_INT },
	{ "both", REG_QOP_BOTH },
};

START_TEST(test_qop_row)
{
	char yaml[128];
	struct reg_config *reg;
	struct cfg *c;

	snprintf(yaml, sizeof(yaml), "registrar: {qop: %s, vectors: 5, sar_on_refresh: true, max_contacts: 32}\n", qops[_i].text);
	c = config(yaml);
	reg = reg_config_new(c);
	ck_assert(reg && reg->qop == qops[_i].qop && reg->vectors == 5 && reg->sar_on_refresh && reg->max_contacts == 32);
	ck_assert(reg->await_auth_s == 240 && reg->min_expires_s == 60 && reg->challenge_refresh && reg->allow_unprotected_aka);
	reg_config_free(reg);
	cfg_unref(c);
}
END_TEST

START_TEST(test_server_name)
{
	struct scscf *s;
	struct cfg *c = config("diameter: {identity: s.example, hss_profile: pyhss}\n");

	ck_assert_int_eq(scscf_new(&s, c), 0);
	ck_assert(s->hss == HSS_PYHSS && s->cx->mar && s->cx->sar && s->sessions && reg_directory_count(s->dir) == 0);
	scscf_free(s);
	cfg_unref(c);
}
END_TEST

START_TEST(test_feature_caps_S10)	/* RFC 6809 */
{
	struct cfg *c = config("registrar: {feature_caps: [\"+g.3gpp.verstat\", \"+g.3gpp.trf=<sip:trf.home>\"]}\n");
	struct reg_config *reg = reg_config_new(c);
	struct buf errors;

	buf_init(&errors, 4096);
	scscf_check(c, &errors);
	ck_assert_uint_eq(errors.l, 0);
	ck_assert_str_eq(reg->feature_caps, "*;+g.3gpp.verstat;+g.3gpp.trf=\"<sip:trf.home>\"");
	buf_fini(&errors);
	reg_config_free(reg);
	cfg_unref(c);
}
END_TEST

START_TEST(test_man_page)
{
	char line[256], text[4096];
	struct buf man;
	size_t n;
	FILE *f = fopen(MAN_PAGE, "r");

	ck_assert_msg(f != NULL, "%s cannot be read", MAN_PAGE);
	buf_init(&man, 1u << 20);
	while ((n = fread(text, 1, sizeof(text), f)) > 0)
		buf_put(&man, str_make(text, n));
	fclose(f);
	for (const struct cfg_row *r = scscf_schema(); r->path; r++) {
		snprintf(line, sizeof(line), "\n.B %s\n", r->path);
		ck_assert_msg(str_find(buf_str(&man), str_from_c(line)) >= 0, "scscfd.8 does not know %s", r->path);
	}
	buf_fini(&man);
}
END_TEST

TEST_MAIN("config", TEST_ROWS(test_mistake_row, mistakes), TEST_ROWS(test_qop_row, qops), TEST_ONE(test_server_name), TEST_ONE(test_feature_caps_S10), TEST_ONE(test_man_page))
