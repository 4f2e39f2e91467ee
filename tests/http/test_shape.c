/* tests/http/test_shape.c - the notation of answers, and the examples made of it.  Row U7. */
#include "common/http/private.h"
#include "tests/check.h"

static const struct { const char *name, *shape, *schema; } rows[] = {
	{ "string", "s", "{\"type\":\"string\"}" },
	{ "date", "t", "{\"type\":\"string\",\"format\":\"date-time\"}" },
	{ "anything", "any", "{}" },
	{ "a shape by name", "Peer", "{\"$ref\":\"#/components/schemas/Peer\"}" },
	{ "array", "[i]", "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}" },
	{ "map", "<n>", "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"number\"}}" },
	{ "enumeration", "(a|b-c.d)", "{\"type\":\"string\",\"enum\":[\"a\",\"b-c.d\"]}" },
	{ "object", "{a:s b?:[b]}", "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"array\",\"items\":"
	  "{\"type\":\"boolean\"}}},\"additionalProperties\":false,\"required\":[\"a\"]}" },
	{ "nothing is needed", "{a?:o}", "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\"}},\"additionalProperties\":false}" },
	{ "no such type", "x", NULL },
	{ "empty", "", NULL },
	{ "more behind it", "s s", NULL },
	{ "an array without an end", "[s", NULL },
	{ "an object without an end", "{a:s", NULL },
	{ "a member without a type", "{a b:s}", NULL },
	{ "an enumeration without an end", "(a|b", NULL },
	{ "an empty alternative", "(a|)", NULL },
	{ "too deep", "[[[[[[[[[[[[[[[[[[s]]]]]]]]]]]]]]]]]]", NULL },
};

START_TEST(test_schema)
{
	cJSON *o = shape_schema(rows[_i].shape, true);
	char *text = o ? cJSON_PrintUnformatted(o) : NULL;

	ck_assert_msg((text == NULL) == (rows[_i].schema == NULL), "%s: %s", rows[_i].name, text ? text : "none");
	if (text)
		ck_assert_str_eq(text, rows[_i].schema);
	cJSON_free(text);
	cJSON_Delete(o);
}
END_TEST

/* A body may have members that nobody reads. */
START_TEST(test_open)
{
	cJSON *o = shape_schema("{a:s}", false);

	ck_assert_ptr_null(cJSON_GetObjectItem(o, "additionalProperties"));
	cJSON_Delete(o);
}
END_TEST

START_TEST(test_example)
{
	cJSON *all = cJSON_CreateObject(), *o, *x;
	char *text;

	cJSON_AddItemToObject(all, "Peer", shape_schema("{open:b}", true));
	cJSON_AddItemToObject(all, "Loop", shape_schema("{loop:Loop}", true));
	o = shape_schema("{nf:(pcscf|icscf) method:s since:t n:i list:[Peer] map:<s>}", true);
	x = shape_example(o, all);
	text = cJSON_PrintUnformatted(x);
	ck_assert_str_eq(text, "{\"nf\":\"pcscf\",\"method\":\"INVITE\",\"since\":\"2026-01-31T12:04:05.123456Z\",\"n\":1,\"list\":[{\"open\":true}],"
			       "\"map\":{\"name\":\"text\"}}");
	cJSON_free(text);
	cJSON_Delete(x);
	x = shape_example(cJSON_GetObjectItem(all, "Loop"), all);	/* it ends */
	ck_assert_ptr_nonnull(x);
	cJSON_Delete(x);
	cJSON_Delete(o);
	cJSON_Delete(all);
}
END_TEST

TEST_MAIN("shape", TEST_ROWS(test_schema, rows), TEST_ONE(test_open), TEST_ONE(test_example))
