/* tests/diameter/test_cx_tables.c - the rows agree with the dictionary and stay inside their structs: TS 29.229 §6, TS 29.214 §5; D3 to D8, D10. */
#include "common/diameter/tables.h"
#include "tests/check.h"

static const struct dia_avp_def *const dictionaries[] = { cx_avps, rx_avps, rx_base_avps, rx_etsi_avps };

static const struct dia_avp_def *def_of(const struct dia_row *r)
{
	for (size_t i = 0; i < sizeof(dictionaries) / sizeof(dictionaries[0]); i++)
		for (const struct dia_avp_def *d = dictionaries[i]; d->code; d++)
			if (d->code == r->code)
				return d;
	return NULL;
}

static size_t width(enum dia_kind k)
{
	static const size_t w[] = { [DIA_K_STR] = sizeof(struct str), [DIA_K_U32] = 4, [DIA_K_U32_OPT] = 4, [DIA_K_U32_OR_MAX] = 4,
				    [DIA_K_U32_OR_NONE] = 4, [DIA_K_BOOL] = sizeof(bool), [DIA_K_PRESENT] = sizeof(bool),
				    [DIA_K_STRS] = sizeof(struct cx_strs), [DIA_K_U32S] = sizeof(struct cx_u32s), [DIA_K_GROUP] = 0,
				    [DIA_K_ITEMS] = 0, [DIA_K_ITEMS_M] = 0 };

	return w[k];
}

static void check_rows(const struct dia_row *rows, size_t size, const char *name)
{
	for (const struct dia_row *r = rows; r->code; r++) {
		const struct dia_avp_def *d = def_of(r);
		bool group = r->kind == DIA_K_GROUP || r->kind == DIA_K_ITEMS_M || (r->kind == DIA_K_ITEMS && r->sub);
		bool number = r->kind == DIA_K_U32 || r->kind == DIA_K_U32_OPT || r->kind == DIA_K_BOOL || r->kind == DIA_K_U32S ||
			      r->kind == DIA_K_U32_OR_MAX || r->kind == DIA_K_U32_OR_NONE || r->kind == DIA_K_PRESENT;

		ck_assert_msg(r->off + width(r->kind) + r->item_max * r->item_size <= size, "%s: AVP %u lies outside", name, r->code);
		ck_assert_msg(r->vendor == DIA_BASE || d, "%s: AVP %u is not in the dictionary", name, r->code);
		if (r->vendor != DIA_BASE)
			ck_assert_msg(group == (d->type == DIA_AVP_GROUP) && number == (d->type == DIA_AVP_U32), "%s: kind of AVP %u", name, r->code);
		ck_assert_msg(group == (r->sub != NULL), "%s: rows below AVP %u", name, r->code);
		if ((r->kind == DIA_K_ITEMS || r->kind == DIA_K_ITEMS_M) && r->sub)
			check_rows(r->sub, r->item_size, name);
		if (r->kind == DIA_K_GROUP)
			check_rows(r->sub, r->off ? sizeof(struct cx_auth_item) : size, name);
		for (const struct dia_row *q = r + 1; q->code; q++)
			ck_assert_msg(q->code != r->code || q->vendor != r->vendor, "%s: AVP %u twice", name, r->code);
	}
}

START_TEST(test_command)
{
	const struct dia_command *c = &dia_commands[_i];

	static const uint32_t codes[DIA_N_COMMANDS] = { 300, 301, 302, 303, 304, 305, 265, 275, 274, 258 };

	ck_assert_uint_eq(c->code, codes[_i]);
	check_rows(c->request, c->request_size, c->request_name);
	check_rows(c->answer, c->answer_size, c->answer_name);
}
END_TEST

START_TEST(test_dictionary_codes_are_unique_and_rise)
{
	for (const struct dia_avp_def *d = dictionaries[_i]; d[1].code; d++)
		ck_assert_uint_lt(d->code, d[1].code);
}
END_TEST

START_TEST(test_result_names)
{
	ck_assert_str_eq(cx_result_name(5001, true), "USER_UNKNOWN");
	ck_assert_str_eq(cx_result_name(5003, false), "AUTHORIZATION_REJECTED");
	ck_assert_str_eq(cx_result_name(5003, true), "IDENTITY_NOT_REGISTERED");
	ck_assert_str_eq(cx_result_name(5999, true), "result 5999");
	ck_assert_str_eq(rx_result_name(5065, true), "IP-CAN_SESSION_NOT_AVAILABLE");
	ck_assert_str_eq(rx_result_name(5002, false), "UNKNOWN_SESSION_ID");
	ck_assert_str_eq(rx_result_name(5999, true), "code 5999");
	ck_assert_str_eq(rx_abort_name(RX_PS_TO_CS_HANDOVER), "handover to circuit switched");
	ck_assert_str_eq(rx_action_name(RX_FAILED_ALLOCATION), "resources not allocated");
}
END_TEST

TEST_MAIN("cx_tables", TEST_ROWS(test_command, dia_commands), TEST_ROWS(test_dictionary_codes_are_unique_and_rise, dictionaries), TEST_ONE(test_result_names))
