/* tests/proxy/test_session_timer.c - session timers as a proxy: RFC 4028 §8.1, §8.2; row C16. */
#include "tests/proxy/rig.h"
#include "common/proxy/private.h"

static uint32_t told_s;
static bool told_uas;
static unsigned n_told;

static void on_session(void *u, const struct sip_msg *m, uint32_t session_s, bool refresher_uas)
{
	(void)u;
	ck_assert_uint_eq(m->status / 100, 2);
	told_s = session_s;
	told_uas = refresher_uas;
	n_told++;
}

/* min 0: not a node of the route. */
static void begin(struct rig *r, uint32_t min_s, uint32_t expires_s)
{
	rig_init(r);
	r->pl->env.session_min_s = min_s;
	r->pl->env.session_expires_s = expires_s;
	r->pl->env.session = on_session;
	n_told = 0;
}

static const char *value(const struct sip_msg *m, enum sip_hdr_id id)
{
	static char text[4][128];
	static unsigned i;
	struct sip_values it = sip_values(m, id);
	char *t = text[i++ % 4];
	struct str v;

	for (t[0] = 0; sip_values_next(&it, &v);)
		snprintf(t + strlen(t), 128 - strlen(t), "%s%.*s", t[0] ? ", " : "", STR_ARG(v));
	return t;
}

static const struct {
	const char *name, *method;
	uint32_t min_s, expires_s;
	const char *extra;
	const char *se, *min_se;		/* as forwarded; se NULL: 422 with this Min-SE */
} request_rows[] = {
	{ "nothing is added by default", "INVITE", 90, 0, "Supported: timer\n", "", "" },
	{ "what the phone asks passes", "INVITE", 90, 0, "Supported: timer\nSession-Expires: 1800;refresher=uas\nMin-SE: 600\n", "1800;refresher=uas", "600" },
	{ "compact form", "INVITE", 90, 0, "k: timer\nx: 1800\n", "1800", "" },
	{ "too small", "INVITE", 90, 0, "Supported: timer\nSession-Expires: 89\n", NULL, "90" },
	{ "too small, UPDATE", "UPDATE", 300, 0, "Supported: 100rel, timer\nSession-Expires: 120\n", NULL, "300" },
	{ "the smallest", "INVITE", 90, 0, "Supported: timer\nSession-Expires: 90\n", "90", "" },
	{ "too small, by a proxy: both go up", "INVITE", 300, 0, "Session-Expires: 120\n", "300", "300" },
	{ "asked for by us", "INVITE", 90, 1800, "Supported: timer\n", "1800", "" },
	{ "asked for by us, the caller knows nothing of it", "INVITE", 90, 1800, "", "1800", "" },
	{ "lowered", "INVITE", 90, 1800, "Supported: timer\nSession-Expires: 7200;refresher=uac\n", "1800;refresher=uac", "" },
	{ "never raised", "INVITE", 90, 1800, "Supported: timer\nSession-Expires: 600\n", "600", "" },
	{ "not lowered below its Min-SE", "INVITE", 90, 1800, "Supported: timer\nSession-Expires: 7200\nMin-SE: 3600\n", "3600", "3600" },
	{ "asked for with its Min-SE", "INVITE", 90, 600, "Supported: timer\nMin-SE: 900\n", "900", "900" },
	{ "unreadable: as absent", "INVITE", 90, 0, "Supported: timer\nSession-Expires: soon\n", "soon", "" },
	{ "other methods", "MESSAGE", 90, 1800, "Supported: timer\nSession-Expires: 5\n", "5", "" },
	{ "a node beside the route", "INVITE", 0, 0, "Supported: timer\nSession-Expires: 5\n", "5", "" },
};

START_TEST(test_request_row)
{
	struct rig r;
	struct rig_sent *s;

	begin(&r, request_rows[_i].min_s, request_rows[_i].expires_s);
	rig_request(&r, request_rows[_i].method, "sip:bob@n1", request_rows[_i].extra);
	s = rig_req(&r, request_rows[_i].method, 0);
	if (!request_rows[_i].se) {
		ck_assert_ptr_null(s);
		ck_assert_uint_eq(rig_last_up(&r)->status, 422);
		ck_assert_str_eq(value(rig_last_up(&r), SIP_H_MIN_SE), request_rows[_i].min_se);
	} else {
		ck_assert_ptr_nonnull(s);
		ck_assert_msg(!strcmp(value(s->m, SIP_H_SESSION_EXPIRES), request_rows[_i].se), "%s: %s", request_rows[_i].name,
			      value(s->m, SIP_H_SESSION_EXPIRES));
		ck_assert_msg(!strcmp(value(s->m, SIP_H_MIN_SE), request_rows[_i].min_se), "%s: %s", request_rows[_i].name,
			      value(s->m, SIP_H_MIN_SE));
	}
	rig_fini(&r);
}
END_TEST

static const struct {
	const char *name;
	uint32_t expires_s;
	const char *extra, *answer;
	const char *se, *require;		/* as it goes upstream */
	uint32_t told_s;
	bool told_uas;
} response_rows[] = {
	{ "agreed", 0, "Supported: timer\nSession-Expires: 1800\n", "Session-Expires: 1800;refresher=uas\r\nRequire: timer\r\n",
	  "1800;refresher=uas", "timer", 1800, true },
	{ "never changed", 600, "Supported: timer\nSession-Expires: 600\n", "Session-Expires: 500;refresher=uac\r\n", "500;refresher=uac", "", 500, false },
	{ "callee left out, we do not ask", 0, "Supported: timer\nSession-Expires: 1800\n", "", "", "", 0, false },
	{ "callee left out", 1800, "Supported: timer\n", "", "1800;refresher=uac", "timer", 1800, false },
	{ "callee left out, other Require", 1800, "Supported: timer\nSession-Expires: 700\n", "Require: foo\r\n", "700;refresher=uac", "foo, timer", 700, false },
	{ "nobody knows it", 1800, "", "", "", "", 0, false },
	{ "only the callee knows it", 1800, "", "Session-Expires: 1800;refresher=uas\r\n", "1800;refresher=uas", "", 1800, true },
};

START_TEST(test_response_row)
{
	struct rig r;
	const struct sip_msg *up;

	begin(&r, 90, response_rows[_i].expires_s);
	rig_request(&r, "INVITE", "sip:bob@n1", response_rows[_i].extra);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 183, "B", "Session-Expires: 7;refresher=uas\r\n");	/* means nothing */
	ck_assert_uint_eq(n_told, 0);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "B", response_rows[_i].answer);
	up = rig_last_up(&r);
	ck_assert_msg(!strcmp(value(up, SIP_H_SESSION_EXPIRES), response_rows[_i].se), "%s: %s", response_rows[_i].name,
		      value(up, SIP_H_SESSION_EXPIRES));
	ck_assert_msg(!strcmp(value(up, SIP_H_REQUIRE), response_rows[_i].require), "%s: %s", response_rows[_i].name,
		      value(up, SIP_H_REQUIRE));
	ck_assert_uint_eq(n_told, 1);
	ck_assert_msg(told_s == response_rows[_i].told_s && told_uas == response_rows[_i].told_uas, "%s: %u", response_rows[_i].name, told_s);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("session timer", TEST_ROWS(test_request_row, request_rows), TEST_ROWS(test_response_row, response_rows))
