/* tests/scscf/test_dryrun_cx.c - what the HSS says of a user, in words and without secrets: TS 29.228 §6.1.2, §6.3.1; rows D10, D15. */
#include <errno.h>
#include <stdio.h>
#include "scscf/dryrun.h"
#include "scscf/registration.h"
#include "tests/check.h"

#define PROFILE "<IMSSubscription><PrivateID>a@h</PrivateID><ServiceProfile><PublicIdentity><BarringIndication>1</BarringIndication>" \
		"<Identity>sip:imsi@h</Identity></PublicIdentity><PublicIdentity><Identity>sip:a@h</Identity></PublicIdentity>" \
		"</ServiceProfile></IMSSubscription>"

static struct cx_sar asked_sar;
static struct cx_mar asked_mar;
static struct cx_saa saa;
static struct cx_maa maa;
static unsigned done;
static bool full;

void __wrap_ask_done(struct ask *a);
void __wrap_ask_done(struct ask *a)
{
	(void)a;
	done++;
}

static cx_saa_fn saa_fn;
static cx_maa_fn maa_fn;
static void *fn_arg;

static uint64_t send_sar(struct dia_client *c, const struct cx_sar *r, cx_saa_fn fn, void *arg)
{
	(void)c;
	asked_sar = *r;
	saa_fn = fn;
	fn_arg = arg;
	return full ? 0 : 1;
}

static uint64_t send_mar(struct dia_client *c, const struct cx_mar *r, cx_maa_fn fn, void *arg)
{
	(void)c;
	asked_mar = *r;
	maa_fn = fn;
	fn_arg = arg;
	return full ? 0 : 1;
}

static const struct scscf_cx cx = { send_mar, send_sar };
static struct scscf s;
static struct scscf_worker sw;
static struct worker w;

static cJSON *dry(const char *question, unsigned status)
{
	struct ask a = { 0 };

	s = (struct scscf){ .cx = &cx, .server_name = STR("sip:s.h") };
	sw = (struct scscf_worker){ .s = &s, .w = &w };
	w.role = &sw;
	done = 0;
	saa_fn = NULL;
	maa_fn = NULL;
	snprintf(a.key, sizeof(a.key), "%s", question);
	dryrun_cx_here(&w, &a);
	if (saa_fn && !full)
		saa_fn(fn_arg, &saa);
	if (maa_fn && !full)
		maa_fn(fn_arg, &maa);
	ck_assert_uint_eq(a.status, status);
	ck_assert_uint_eq(done, a.later ? 1 : 0);
	return a.json;
}

static const char *text_at(const cJSON *o, const char *name)
{
	const char *t = cJSON_GetStringValue(cJSON_GetObjectItem(o, name));

	return t ? t : "";
}

#define SAR "{\"ask\":\"sar\",\"impi\":\"a@h\",\"impu\":\"sip:a@h\"}"
#define MAR "{\"ask\":\"mar\",\"impi\":\"a@h\",\"impu\":\"sip:a@h\",\"useVector\":true}"

START_TEST(test_sar)
{
	cJSON *o, *ids;

	saa = (struct cx_saa){ .result = { 0, DIA_SUCCESS, false }, .user_data = STR(PROFILE), .primary_ccf = STR("ccf.h") };
	o = dry(SAR, 200);
	ck_assert_uint_eq(asked_sar.type, CX_SAR_NO_ASSIGNMENT);		/* nothing else is ever asked */
	ck_assert_str_eq(text_at(o, "meaning"), "done");
	ids = cJSON_GetObjectItem(cJSON_GetObjectItem(o, "profile"), "identities");
	ck_assert_int_eq(cJSON_GetArraySize(ids), 2);
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetArrayItem(ids, 0), "barred")));
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetArrayItem(ids, 1), "default")));
	ck_assert_str_eq(text_at(o, "charging"), "ccf=\"ccf.h\"");
	cJSON_Delete(o);
}
END_TEST

static const struct { const char *name; struct dia_result r; const char *xml; unsigned refused; const char *words; } answers[] = {
	{ "unknown", { 0, CX_USER_UNKNOWN, true }, "", 403, "does not know" },
	{ "served elsewhere", { 0, DIA_UNABLE_TO_COMPLY, false }, "", 500, "not served by this S-CSCF" },
	{ "silent", { -ETIMEDOUT, 0, false }, "", 504, "did not answer" },
	{ "broken profile", { 0, DIA_SUCCESS, false }, "<x", 0, "done" },
};

START_TEST(test_answers)
{
	cJSON *o, *refused;

	saa = (struct cx_saa){ .result = answers[_i].r, .user_data = str_from_c(answers[_i].xml) };
	o = dry(SAR, 200);
	refused = cJSON_GetObjectItem(o, "refusedWith");
	ck_assert_msg((refused ? refused->valuedouble : 0) == answers[_i].refused, "%s", answers[_i].name);
	ck_assert_msg(strstr(text_at(o, "meaning"), answers[_i].words) != NULL, "%s: %s", answers[_i].name, text_at(o, "meaning"));
	ck_assert_msg((text_at(cJSON_GetObjectItem(o, "profile"), "error")[0] != '\0') == (answers[_i].xml[0] != '\0'), "%s", answers[_i].name);
	cJSON_Delete(o);
}
END_TEST

#define SIXTEEN "0123456789abcdef"

static const struct { const char *name; struct cx_auth_item item; const char *what; } items[] = {
	{ "AKA", { .scheme = STR("Digest-AKAv1-MD5"), .authenticate = STR(SIXTEEN SIXTEEN), .authorization = STR("SECRETRS"), .ck = STR(SIXTEEN),
		   .ik = STR(SIXTEEN) }, "a vector of AKA with keys for IPsec" },
	{ "AKA without keys", { .authenticate = STR(SIXTEEN SIXTEEN), .authorization = STR("SECRETRS") }, "a vector of AKA without keys: no IPsec" },
	{ "AKA cut short", { .authenticate = STR(SIXTEEN), .authorization = STR("SECRETRS") },
	  "a vector that cannot be used: it has no RAND and AUTN of 16 octets each, or no expected response" },
	{ "digest", { .scheme = STR("SIP Digest"), .digest_ha1 = STR("SECRET" SIXTEEN), .digest_realm = STR("r") }, "what SIP Digest is checked with" },
};

START_TEST(test_mar)			/* what came is named and thrown away */
{
	cJSON *o;
	char *text;

	maa = (struct cx_maa){ .result = { 0, DIA_SUCCESS, false }, .n_items = 1, .item = { items[_i].item } };
	o = dry(MAR, 200);
	ck_assert_uint_eq(asked_mar.n_items, 1);
	text = cJSON_PrintUnformatted(o);
	ck_assert_msg(!strstr(text, "SECRET") && !strstr(text, "0123456789"), "%s: %s", items[_i].name, text);
	ck_assert_str_eq(text_at(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "vectors"), 0), "what"), items[_i].what);
	cJSON_free(text);
	cJSON_Delete(o);
}
END_TEST

START_TEST(test_mar_empty)
{
	cJSON *o;

	maa = (struct cx_maa){ .result = { 0, DIA_SUCCESS, false } };
	o = dry(MAR, 200);
	ck_assert_ptr_nonnull(strstr(text_at(o, "meaning"), "nothing to authenticate with"));
	cJSON_Delete(o);
	full = true;
	ck_assert_ptr_null(dry(MAR, 503));
	full = false;
}
END_TEST

static const struct { const char *question; enum hss_profile hss; bool good; } questions[] = {
	{ SAR, HSS_STANDARD, true },
	{ MAR, HSS_STANDARD, true },
	{ MAR, HSS_PYHSS, true },
	{ SAR, HSS_PYHSS, false },		/* clears the S-CSCF there */
	{ SAR, HSS_OPEN5GS, false },
	{ "{\"ask\":\"mar\",\"impi\":\"a@h\",\"impu\":\"sip:a@h\"}", HSS_STANDARD, false },
	{ "{\"ask\":\"mar\",\"impu\":\"sip:a@h\",\"useVector\":true}", HSS_STANDARD, false },
	{ "{\"ask\":\"sar\"}", HSS_STANDARD, false },
	{ "{\"ask\":\"uar\",\"impi\":\"a@h\",\"impu\":\"sip:a@h\"}", HSS_STANDARD, false },
	{ "[]", HSS_STANDARD, false },
};

START_TEST(test_question)
{
	const struct scscf which = { .hss = questions[_i].hss };
	cJSON *doc = cJSON_Parse(questions[_i].question);

	ck_assert_msg((dryrun_cx_wrong(&which, doc) == NULL) == questions[_i].good, "%s", questions[_i].question);
	cJSON_Delete(doc);
}
END_TEST

TEST_MAIN("dryrun_cx", TEST_ONE(test_sar), TEST_ROWS(test_answers, answers), TEST_ROWS(test_mar, items), TEST_ONE(test_mar_empty),
	  TEST_ROWS(test_question, questions))
