/* tests/scscf/test_dryrun.c - filter criteria explained: TS 29.228 annexes B, C, F; rows T2, T4, D15. */
#include <errno.h>
#include "scscf/dryrun.h"
#include "tests/check.h"

#define IFC(priority, more, spts, as) "<InitialFilterCriteria><Priority>" priority "</Priority>" more "<TriggerPoint><ConditionTypeCNF>1" \
	"</ConditionTypeCNF>" spts "</TriggerPoint><ApplicationServer><ServerName>sip:" as "</ServerName></ApplicationServer></InitialFilterCriteria>"
#define SPT(what) "<SPT><Group>0</Group>" what "</SPT>"
#define NOT(what) "<SPT><ConditionNegated>1</ConditionNegated><Group>1</Group>" what "</SPT>"
#define UNREGISTERED "<ProfilePartIndicator>1</ProfilePartIndicator>"

static const char criteria[] =
	IFC("1", "", SPT("<Method>INVITE</Method>") NOT("<SIPHeader><Header>X-No</Header></SIPHeader>"), "one")
	IFC("2", "", SPT("<Method>MESSAGE</Method>"), "two") IFC("3", "", SPT("<SessionCase>0</SessionCase>"), "three")
	IFC("4", UNREGISTERED, SPT("<Method>INVITE</Method>"), "four")
	IFC("5", "", SPT("<SessionDescription><Line>m</Line><Content>video</Content></SessionDescription>"), "five");

#define LINES "Via: SIP/2.0/UDP h;branch=z9hG4bK1\\nFrom: <sip:a@b>;tag=1\\nTo: <sip:b@b>\\nCall-ID: c\\nCSeq: 1 INVITE\\nMax-Forwards: 7\\n"

static const struct { const char *name, *body; enum session_case scase; bool registered; int rc; const char *invoked; } rows[] = {
	{ "parts", "{\"request\":{\"method\":\"INVITE\",\"requestUri\":\"tel:+49\"}}", CASE_ORIGINATING, true, 0, "one three " },
	{ "another case", "{\"request\":{\"method\":\"INVITE\",\"requestUri\":\"tel:+49\"}}", CASE_TERMINATING_REGISTERED, true, 0, "one " },
	{ "not registered, row T4", "{\"request\":{\"method\":\"INVITE\",\"requestUri\":\"tel:+49\"}}", CASE_TERMINATING_UNREGISTERED, false, 0,
	  "one four " },
	{ "a header", "{\"request\":{\"method\":\"INVITE\",\"requestUri\":\"tel:+49\",\"headers\":{\"X-No\":\"1\"}}}", CASE_ORIGINATING, true, 0,
	  "three " },
	{ "SDP", "{\"request\":{\"method\":\"INVITE\",\"requestUri\":\"tel:+49\",\"sdp\":\"v=0\\nm=video 1 RTP/AVP 99\\n\"}}", CASE_ORIGINATING, true, 0,
	  "one three five " },
	{ "a message with LF", "{\"message\":\"INVITE sip:b@b SIP/2.0\\n" LINES "\\n\"}", CASE_ORIGINATING, true, 0, "one three " },
	{ "a response", "{\"message\":\"SIP/2.0 200 OK\\n" LINES "\\n\"}", CASE_ORIGINATING, true, -EBADMSG, NULL },
	{ "no message", "{\"message\":\"hello\"}", CASE_ORIGINATING, true, -EBADMSG, NULL },
	{ "no method", "{\"request\":{\"requestUri\":\"tel:+49\"}}", CASE_ORIGINATING, true, -EBADMSG, NULL },
	{ "nothing", "{}", CASE_ORIGINATING, true, -EBADMSG, NULL },
	{ "numbers", "{\"request\":{\"method\":1,\"requestUri\":2}}", CASE_ORIGINATING, true, -EBADMSG, NULL },
};

static void check_invoked(const char *name, const cJSON *o, const char *want)
{
	char text[256] = "";
	const cJSON *one;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(o, "invoked"))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", one->valuestring + strlen("sip:"));
	ck_assert_msg(strcmp(text, want) == 0, "%s: %s", name, text);
}

START_TEST(test_row)
{
	struct criteria *c = NULL;
	struct sip_msg *m = NULL;
	cJSON *body = cJSON_Parse(rows[_i].body), *o;
	const char *why = NULL;

	ck_assert_ptr_nonnull(body);
	ck_assert_int_eq(criteria_get(NULL, str_from_c(criteria), &c), 0);
	ck_assert_msg(dryrun_message(body, &m, &why) == rows[_i].rc, "%s: %s", rows[_i].name, why);
	if (rows[_i].rc == 0) {
		const struct criteria_query q = { .m = m, .ruri = m->ruri_text, .scase = rows[_i].scase, .registered = rows[_i].registered };

		o = dryrun_json(c, &q);
		check_invoked(rows[_i].name, o, rows[_i].invoked);
		ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(o, "chain")), 5);
		cJSON_Delete(o);
		sip_msg_unref(m);
	} else {
		ck_assert_ptr_nonnull(why);
	}
	obj_unref(c);
	cJSON_Delete(body);
}
END_TEST

START_TEST(test_triggers)		/* each one by itself, with what it is about */
{
	struct criteria *c = NULL;
	struct sip_msg *m = NULL;
	cJSON *body = cJSON_Parse(rows[3].body), *o;
	const char *why;
	char *text;

	ck_assert_int_eq(criteria_get(NULL, str_from_c(criteria), &c), 0);
	ck_assert_int_eq(dryrun_message(body, &m, &why), 0);
	o = dryrun_json(c, &(const struct criteria_query){ .m = m, .ruri = m->ruri_text, .registered = true });
	text = cJSON_PrintUnformatted(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "chain"), 0));
	ck_assert_str_eq(text, "{\"priority\":1,\"applicationServer\":\"sip:one\",\"matched\":false,\"registeredPart\":true,\"unregisteredPart\":true,"
			 "\"triggers\":[{\"trigger\":{\"kind\":\"method\",\"negated\":false,\"value\":\"INVITE\"},\"result\":true},"
			 "{\"trigger\":{\"kind\":\"header\",\"negated\":true,\"value\":\"X-No\"},\"result\":false}]}");
	free(text);
	cJSON_Delete(o);
	cJSON_Delete(body);
	sip_msg_unref(m);
	obj_unref(c);
}
END_TEST

START_TEST(test_no_criteria)
{
	cJSON *o = dryrun_json(NULL, &(const struct criteria_query){ .registered = true });

	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(o, "chain")), 0);
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(o, "invoked")), 0);
	cJSON_Delete(o);
}
END_TEST

START_TEST(test_case)
{
	enum session_case c = N_SESSION_CASES;

	ck_assert(dryrun_case("originating-registered", &c) == 0 && c == CASE_ORIGINATING);
	ck_assert(dryrun_case("terminating-unregistered", &c) == 0 && c == CASE_TERMINATING_UNREGISTERED);
	ck_assert(dryrun_case("originating-cdiv", &c) == 0 && c == CASE_ORIGINATING_CDIV);
	ck_assert(dryrun_case("x", &c) == -EINVAL && dryrun_case(NULL, &c) == -EINVAL);
}
END_TEST

TEST_MAIN("dryrun", TEST_ROWS(test_row, rows), TEST_ONE(test_triggers), TEST_ONE(test_no_criteria), TEST_ONE(test_case))
