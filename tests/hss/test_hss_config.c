/* tests/hss/test_hss_config.c - keys of labhssd's file: settings, misbehaviour, mistakes. */
#include <errno.h>
#include "tests/hss/hss_config.h"
#include "tests/check.h"

#define LEAST "plmn: {mcc: \"001\", mnc: \"01\"}\ndiameter: {identity: h.test, listen: \"127.0.35.40:13300\"}\n"

static int read_text(const char *text, struct cfg **c, struct buf *e)
{
	static const struct cfg_row *const schemas[] = { hss_common_schema, hss_schema, NULL };
	int rc = cfg_load_text(str_from_c(text), "f", schemas, c, e);

	if (rc == 0)
		hss_config_check(*c, e);
	return rc;
}

START_TEST(test_settings_and_rules)
{
	struct hss h = { 0 };
	struct cfg *c = NULL;
	struct buf e;
	struct subs *s;
	const struct behave_rule *r;

	buf_init(&e, 4096);
	ck_assert_msg(read_text(LEAST "hss: {zero_in_res: yes, max_vectors: 2, keep_server_name: no, primary_ccf: \"aaa://c\", silent: [UAR], answer_delay_ms: 20,\n"
				"  behaviour: [{command: SAR, user_data: \"<x\", count: 1}, {command: LIR, experimental_code: 5003, identity: bob, percent: 100}]}\n", &c, &e) == 0 &&
			      e.l == 0, "%.*s", STR_ARG(buf_str(&e)));
	hss_config_apply(&h, c);
	ck_assert(h.set.zero_in_res && h.set.max_vectors == 2 && !h.set.keep_server_name && h.set.rtr_on_new_server);
	ck_assert_str_eq(h.set.primary_ccf, "aaa://c");
	r = behave_match(&h.behave, HSS_SAR, STR("a"), STR("b"));
	ck_assert(r && r->set_user_data && strcmp(r->user_data, "<x") == 0);
	r = behave_match(&h.behave, HSS_SAR, STR("a"), STR("b"));		/* the first one is used up */
	ck_assert(r && r->delay_ms == 20 && !r->set_user_data);
	r = behave_match(&h.behave, HSS_LIR, STR_NONE, STR("sip:bob@h"));
	ck_assert(r && r->result.code == 5003 && r->result.experimental);
	r = behave_match(&h.behave, HSS_UAR, STR("a"), STR("b"));
	ck_assert(r && r->silent);
	s = hss_config_take_subs();
	ck_assert(s && s->n == 0);
	ck_assert_str_eq(s->domain, "ims.mnc001.mcc001.3gppnetwork.org");
	ck_assert_ptr_null(hss_config_take_subs());
	behave_clear(&h.behave);
	subs_free(s);
	cfg_unref(c);
	buf_fini(&e);
}
END_TEST

static const struct { const char *text, *want; } bad[] = {
	{ "plmn: {mcc: \"001\", mnc: \"01\"}\n", "required section \"diameter\" is missing" },
	{ LEAST "sip: {listen: \"udp:1.2.3.4:1\"}\n", "unknown key \"sip\"" },
	{ LEAST "hss: {silent: [XXR]}\n", "f:3:7: hss.silent: \"XXR\" is none of UAR" },
	{ LEAST "hss: {behaviour: [{command: RTR}]}\n", "is not one of UAR" },
	{ LEAST "hss: {max_vectors: 6}\n", "out of range, 1 to 5" },
	{ LEAST "subscribers_file: no/such.yaml\n", "no/such.yaml:1:1: cannot be read" },
};

START_TEST(test_mistake)
{
	struct cfg *c = NULL;
	struct buf e;

	buf_init(&e, 4096);
	read_text(bad[_i].text, &c, &e);
	ck_assert_msg(str_find(buf_str(&e), str_from_c(bad[_i].want)) >= 0, "%s said: %.*s", bad[_i].text, STR_ARG(buf_str(&e)));
	ck_assert_ptr_null(hss_config_take_subs());
	cfg_unref(c);
	buf_fini(&e);
}
END_TEST

TEST_MAIN("hss_config", TEST_ONE(test_settings_and_rules), TEST_ROWS(test_mistake, bad))
