/* tests/scscf/test_dryrun_number.c - routing of what a user dials, shown and not done: TS 24.229 §5.4.3.2, §5.6.2; RFC 3966, RFC 6116,
 * RFC 4694; rows C3, R9, T14. */
#include "scscf/dryrun.h"
#include "tests/scscf/rig.h"

#define PLAN "{country_code: \"49\", enum_suffix: e164.test, routes: [" \
	     "{prefix: \"+44\", next_hop: \"sip:10.0.0.61\", priority: 2}, " \
	     "{prefix: \"+44\", next_hop: \"sip:10.0.0.62\", priority: 1, trusted: false, strip_headers: [X-In], add_headers: {X-Out: \"1\"}}, " \
	     "{prefix: \"+4999\", next_hop: \"sip:10.0.0.64\"}, {domain: trunk.example, next_hop: \"sip:10.0.0.66\"}]}"

static unsigned done;

/* In the stack's place. */
void ask_done(struct ask *a)
{
	(void)a;
	done++;
}

void stack_ask(struct stack *s, struct http_req *r, struct worker *w, struct str key, void (*fn)(struct worker *w, struct ask *a))
{
	(void)s, (void)r, (void)w, (void)key, (void)fn;
	ck_abort();
}

struct worker *stack_worker(struct stack *s, unsigned i)
{
	(void)s, (void)i;
	return NULL;
}

/* "decidedBy requestUri nextHop; ..." */
static void ways(const cJSON *doc, char *dst, size_t size)
{
	const cJSON *t;

	dst[0] = '\0';
	cJSON_ArrayForEach(t, cJSON_GetObjectItem(doc, "targets"))
		snprintf(dst + strlen(dst), size - strlen(dst), "%s %s %s; ", cJSON_GetStringValue(cJSON_GetObjectItem(t, "decidedBy")),
			 cJSON_GetStringValue(cJSON_GetObjectItem(t, "requestUri")), cJSON_GetStringValue(cJSON_GetObjectItem(t, "nextHop")));
}

static cJSON *dry(struct rig *r, const char *question, unsigned status)
{
	struct ask a = { 0 };

	snprintf(a.key, sizeof(a.key), "%s", question);
	done = 0;
	dryrun_number_here(&r->w, &a);
	ck_assert_msg(a.status == status && done == (status == 200), "%s: %u, done %u", question, a.status, done);
	return a.json;
}

static const struct { const char *name, *question, *canonical, *ways; } rows[] = {
	{ "home number, then the default way: none", "{\"number\":\"0301\"}", "+49301",
	  "home sip:+49301@home.example;user=phone sip:+49301@home.example;user=phone; home sip:0301@home.example sip:0301@home.example; " },
	{ "by ENUM", "{\"number\":\"+49777\"}", "+49777",
	  "ENUM sip:777@foreign.example sip:777@foreign.example; home sip:+49777@home.example;user=phone sip:+49777@home.example;user=phone; " },
	{ "ported", "{\"requestUri\":\"tel:+49888\"}", "+49888",
	  "home sip:+49888@home.example;user=phone sip:+49888@home.example;user=phone; "
	  "sessions.routes sip:+49888;npdi;rn=+49991@home.example;user=phone sip:10.0.0.64;lr; " },
	{ "trunks by priority", "{\"number\":\"+44123\"}", "+44123",
	  "home sip:+44123@home.example;user=phone sip:+44123@home.example;user=phone; "
	  "sessions.routes sip:+44123@home.example;user=phone sip:10.0.0.62;lr; "
	  "sessions.routes sip:+44123@home.example;user=phone sip:10.0.0.61;lr; " },
	{ "a domain of the table", "{\"requestUri\":\"sip:x@trunk.example\"}", NULL, "sessions.routes sip:x@trunk.example sip:10.0.0.66;lr; " },
	{ "another domain", "{\"requestUri\":\"sip:x@foreign.example\"}", NULL, "domain sip:x@foreign.example sip:x@foreign.example; " },
};

START_TEST(test_row)
{
	struct rig r;
	cJSON *doc;
	char text[1024];
	const char *canonical;

	rig_init(&r, PLAN);
	r.enums[0] = (struct rig_enum){ "+49777", "sip:777@foreign.example", NULL };
	r.enums[1] = (struct rig_enum){ "+49888", NULL, "tel:+49888;npdi;rn=+49991" };
	doc = dry(&r, rows[_i].question, 200);
	ways(doc, text, sizeof(text));
	ck_assert_msg(strcmp(text, rows[_i].ways) == 0, "%s: %s", rows[_i].name, text);
	canonical = cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(doc, "number"), "canonical"));
	ck_assert_msg(rows[_i].canonical ? canonical && strcmp(canonical, rows[_i].canonical) == 0 : !canonical, "%s: %s", rows[_i].name, canonical);
	cJSON_Delete(doc);
	rig_fini(&r);
}
END_TEST

static const char *text_at(const cJSON *o, const char *a, const char *b)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(o, a), b));

	return s ? s : "";
}

START_TEST(test_profile)		/* the row, its header profile, the trust domain, and where the next hop is */
{
	struct rig r;
	cJSON *doc, *t;

	rig_init(&r, PLAN);
	doc = dry(&r, "{\"number\":\"+44123\"}", 200);
	t = cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "targets"), 1);
	ck_assert(cJSON_IsFalse(cJSON_GetObjectItem(t, "trusted")));
	ck_assert_str_eq(text_at(t, "route", "id"), "1");
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(t, "route"), "stripHeaders"), 0)), "X-In");
	ck_assert_str_eq(text_at(cJSON_GetObjectItem(t, "route"), "addHeaders", "X-Out"), "1");
	t = cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(t, "resolution"), "targets"), 0);
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(t, "address")), "10.0.0.62");
	ck_assert_str_eq(text_at(doc, "enum", "why"), "no such number");
	cJSON_Delete(doc);
	rig_fini(&r);
}
END_TEST

static const struct { const char *who; bool known, registered, barred; } callers[] = {
	{ "sip:alice@home.example", true, true, false },
	{ "sip:carol@home.example", true, false, false },
	{ "sip:dave@home.example", true, true, true },
	{ "sip:nobody@home.example", false, false, false },
};

START_TEST(test_caller)
{
	char question[256];
	struct rig r;
	cJSON *doc, *c;

	rig_init(&r, NULL);
	rig_users(&r);
	snprintf(question, sizeof(question), "{\"number\":\"+491\",\"originating\":\"%s\"}", callers[_i].who);
	doc = dry(&r, question, 200);
	c = cJSON_GetObjectItem(doc, "caller");
	ck_assert_msg(cJSON_IsTrue(cJSON_GetObjectItem(c, "known")) == callers[_i].known, "%s", callers[_i].who);
	ck_assert_msg(cJSON_IsTrue(cJSON_GetObjectItem(c, "registered")) == callers[_i].registered, "%s", callers[_i].who);
	ck_assert_msg(cJSON_IsTrue(cJSON_GetObjectItem(c, "barred")) == callers[_i].barred, "%s", callers[_i].who);
	cJSON_Delete(doc);
	rig_fini(&r);
}
END_TEST

START_TEST(test_refused)
{
	struct rig r;
	cJSON *doc;

	rig_init(&r, NULL);
	doc = dry(&r, "{\"requestUri\":\"sip:bob@scscf.home.example:6060\"}", 200);
	ck_assert_double_eq(cJSON_GetObjectItem(doc, "refusedWith")->valuedouble, 404);
	cJSON_Delete(doc);
	doc = dry(&r, "{\"requestUri\":\"tel:abc\"}", 200);
	ck_assert_double_eq(cJSON_GetObjectItem(doc, "refusedWith")->valuedouble, 484);
	cJSON_Delete(doc);
	ck_assert_ptr_null(dry(&r, "{\"requestUri\":\"sip:\"}", 422));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("dryrun_number", TEST_ROWS(test_row, rows), TEST_ONE(test_profile), TEST_ROWS(test_caller, callers), TEST_ONE(test_refused))
