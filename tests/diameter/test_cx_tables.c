/* tests/diameter/test_cx_tables.c - the rows agree with the dictionary and stay inside their structs: TS 29.229 §6; D3 to D8, D10. */
#include "common/diameter/cx_tables.h"
#include "tests/check.h"

static const struct cx_avp_def *def_of(uint32_t code)
{
	for (const struct cx_avp_def *d = cx_avps; d->code; d++)
		if (d->code == code)
			return d;
	return NULL;
}

static size_t width(enum cx_kind k)
{
	static const size_t w[] = { [CX_K_STR] = sizeof(struct str), [CX_K_U32] = 4, [CX_K_U32_OPT] = 4, [CX_K_U32_OR_MAX] = 4,
				    [CX_K_BOOL] = sizeof(bool), [CX_K_PRESENT] = sizeof(bool),
				    [CX_K_STRS] = sizeof(struct cx_strs), [CX_K_U32S] = sizeof(struct cx_u32s), [CX_K_GROUP] = 0,
				    [CX_K_ITEMS] = CX_MAX_VECTORS * sizeof(struct cx_auth_item) };

	return w[k];
}

static void check_rows(const struct cx_row *rows, size_t size, const char *name)
{
	for (const struct cx_row *r = rows; r->code; r++) {
		const struct cx_avp_def *d = def_of(r->code);
		bool group = r->kind == CX_K_GROUP || r->kind == CX_K_ITEMS;
		bool number = r->kind == CX_K_U32 || r->kind == CX_K_U32_OPT || r->kind == CX_K_BOOL || r->kind == CX_K_U32S ||
			      r->kind == CX_K_U32_OR_MAX || r->kind == CX_K_PRESENT;

		ck_assert_msg(r->off + width(r->kind) <= size, "%s: AVP %u lies outside", name, r->code);
		ck_assert_msg(r->base || d, "%s: AVP %u is not in the dictionary", name, r->code);
		if (!r->base)
			ck_assert_msg(group == (d->type == CX_AVP_GROUP) && number == (d->type == CX_AVP_U32), "%s: kind of AVP %u", name, r->code);
		ck_assert_msg(group == (r->sub != NULL), "%s: rows below AVP %u", name, r->code);
		if (r->kind == CX_K_GROUP)
			check_rows(r->sub, r->off ? sizeof(struct cx_auth_item) : size, name);
		for (const struct cx_row *q = r + 1; q->code; q++)
			ck_assert_msg(q->code != r->code || q->base != r->base, "%s: AVP %u twice", name, r->code);
	}
}

START_TEST(test_command)
{
	const struct cx_command *c = &cx_commands[_i];

	ck_assert_uint_eq(c->code, 300 + (unsigned)_i);
	check_rows(c->request, c->request_size, c->request_name);
	check_rows(c->answer, c->answer_size, c->answer_name);
}
END_TEST

START_TEST(test_dictionary_codes_are_unique_and_rise)
{
	for (const struct cx_avp_def *d = cx_avps; d[1].code; d++)
		ck_assert_uint_lt(d->code, d[1].code);
}
END_TEST

START_TEST(test_result_names)
{
	ck_assert_str_eq(cx_result_name(5001, true), "USER_UNKNOWN");
	ck_assert_str_eq(cx_result_name(5003, false), "AUTHORIZATION_REJECTED");
	ck_assert_str_eq(cx_result_name(5003, true), "IDENTITY_NOT_REGISTERED");
	ck_assert_str_eq(cx_result_name(5999, true), "result 5999");
}
END_TEST

TEST_MAIN("cx_tables", TEST_ROWS(test_command, cx_commands), TEST_ONE(test_dictionary_codes_are_unique_and_rise), TEST_ONE(test_result_names))
