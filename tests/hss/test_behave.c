/* tests/hss/test_behave.c - misbehaviour to order: which rule counts, and what JSON may say. */
#include <errno.h>
#include "tests/hss/behave.h"
#include "tests/check.h"

static int set(struct behave *b, const char *text, char why[200])
{
	cJSON *j = cJSON_Parse(text);
	int rc;

	ck_assert_msg(j != NULL, "not JSON: %s", text);
	rc = behave_from_json(b, j, why);
	cJSON_Delete(j);
	return rc;
}

static const struct { const char *text, *why; } bad[] = {
	{ "[]", "must be an object" }, { "{\"XXR\":{}}", "none of UAR" }, { "{\"RTR\":{}}", "none of UAR" }, { "{\"UAR\":3}", "must be an object or a list" },
	{ "{\"UAR\":{\"delay\":3}}", "unknown key \"delay\"" }, { "{\"UAR\":{\"delayMs\":-1}}", "delayMs must be" },
	{ "{\"UAR\":{\"delayMs\":\"1\"}}", "delayMs must be" }, { "{\"UAR\":{\"probability\":2}}", "probability must be" },
	{ "{\"UAR\":{\"resultCode\":3004,\"experimentalCode\":5001}}", "not both" }, { "{\"UAR\":{\"silent\":1}}", "silent must be" },
	{ "{\"SAR\":{\"userData\":1}}", "userData must be" }, { "{\"SAR\":{\"identity\":1}}", "identity must be" },
	{ "{\"SAR\":{\"redirectTo\":\"hss1\"}}", "redirectTo must be" }, { "{\"SAR\":{\"redirectUsage\":7}}", "redirectUsage must be" },
};

START_TEST(test_bad_order_changes_nothing)
{
	struct behave b = { 0 };
	char why[200];

	ck_assert_int_eq(set(&b, "{\"MAR\":{\"silent\":true}}", why), 0);
	ck_assert_int_eq(set(&b, bad[_i].text, why), -EINVAL);
	ck_assert_msg(strstr(why, bad[_i].why) != NULL, "%s: %s", bad[_i].text, why);
	ck_assert(b.n == 1 && b.rule[0].silent);
	behave_clear(&b);
}
END_TEST

START_TEST(test_first_fitting_rule_counts)
{
	struct behave b = { 0 };
	const struct behave_rule *r;
	char why[200];

	ck_assert_int_eq(set(&b, "{\"SAR\":[{\"count\":2,\"experimentalCode\":5001},{\"identity\":\"bob\",\"userData\":\"<x\"}],"
				 "\"uar\":{\"delayMs\":70,\"resultCode\":3004}}", why), 0);
	for (int i = 0; i < 2; i++) {
		r = behave_match(&b, HSS_SAR, STR("alice"), STR("sip:alice"));
		ck_assert(r && r->result.code == 5001 && r->result.experimental);
	}
	ck_assert_ptr_null(behave_match(&b, HSS_SAR, STR("alice"), STR("sip:alice")));
	r = behave_match(&b, HSS_SAR, STR("x"), STR("sip:bob@h"));
	ck_assert(r && r->set_user_data && strcmp(r->user_data, "<x") == 0 && r->result.code == 0);
	r = behave_match(&b, HSS_UAR, STR("x"), STR("y"));
	ck_assert(r && r->delay_ms == 70 && r->result.code == 3004 && !r->result.experimental);
	ck_assert_ptr_null(behave_match(&b, HSS_LIR, STR("x"), STR("y")));
	ck_assert_int_eq(set(&b, "{}", why), 0);
	ck_assert_uint_eq(b.n, 0);
}
END_TEST

START_TEST(test_probability_and_printing_back)
{
	struct behave b = { 0 };
	unsigned hit = 0;
	char why[200], *text;
	cJSON *j;

	ck_assert_int_eq(set(&b, "{\"LIR\":{\"probability\":0.5,\"silent\":true,\"identity\":\"x\"}}", why), 0);
	for (int i = 0; i < 2000; i++)
		hit += behave_match(&b, HSS_LIR, STR("x"), STR_NONE) != NULL;
	ck_assert_msg(hit > 700 && hit < 1300, "%u of 2000", hit);
	j = behave_to_json(&b);
	text = cJSON_PrintUnformatted(j);
	ck_assert_str_eq(text, "{\"LIR\":[{\"silent\":true,\"delayMs\":0,\"probability\":0.5,\"identity\":\"x\"}]}");
	free(text);
	cJSON_Delete(j);
	behave_clear(&b);
}
END_TEST

START_TEST(test_counters)
{
	static struct hss_count c[HSS_N_COMMANDS];
	char *text;
	cJSON *j;

	hss_count_result(&c[HSS_UAR], &(struct dia_result){ 0, 2001, true });
	hss_count_result(&c[HSS_UAR], &(struct dia_result){ 0, 2001, true });
	hss_count_result(&c[HSS_UAR], &(struct dia_result){ 0, 2001, false });
	c[HSS_MAR].silent = 1;
	j = hss_count_to_json(c);
	text = cJSON_PrintUnformatted(j);
	ck_assert_str_eq(text, "{\"UAR\":{\"2001E\":2,\"2001\":1},\"LIR\":{},\"MAR\":{\"silent\":1},\"SAR\":{},\"RTR\":{},\"PPR\":{}}");
	free(text);
	cJSON_Delete(j);
}
END_TEST

TEST_MAIN("behave", TEST_ROWS(test_bad_order_changes_nothing, bad), TEST_ONE(test_first_fitting_rule_counts),
	  TEST_ONE(test_probability_and_printing_back), TEST_ONE(test_counters))
