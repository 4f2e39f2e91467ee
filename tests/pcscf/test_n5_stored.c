/* tests/pcscf/test_n5_stored.c - N5 sessions when the daemon stops and starts again: no crash, and no PCF keeps one whose call is over;
 * and whose answers lead where.
 * TS 29.514 §4.2.4, §4.2.5.3; rows Q1, Q4, Q6, Q12, H1; reliability F1. */
#include <stdio.h>
#include <stdlib.h>
#include "common/http2/h2.h"
#include "common/http/http.h"
#include "common/store/private.h"
#include "common/util/clock.h"
#include "pcscf/n5.h"
#include "pcscf/session.h"
#include "pcscf/stored.h"
#include "tests/pcscf/rig.h"

#define PATIENCE_MS 5000u
#define S_RR "<sip:s@10.0.0.30:6060;lr>"
#define HERS "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n"
#define SDP(ip, media) "Content-Type: application/sdp\n", "v=0\no=- 1 1 IN IP4 " ip "\ns=-\nc=IN IP4 " ip "\nt=0 0\n" media
#define AUDIO(port) "m=audio " port " RTP/AVP 0\nb=AS:64\n"

static char dir[64], config[512], root[64], rr[512];
static struct rig r;
static struct store *store;

/* ---- a PCF ---- */

static struct {
	struct loop *loop;
	struct h2_server *server;
	struct h2_client *client;
	bool silent;
	unsigned bsf;			/* what the BSF of the same address says: 0: a binding, else a status */
	unsigned created, updated, deleted, noticed;
	char notify[N5_NOTIFY_BYTES];
} pcf;

static void on_pcf(void *u, struct h2_req *req)
{
	const struct h2_header location = { STR("location"), STR("/npcf-policyauthorization/v1/app-sessions/1") };
	bool end = str_ends(h2_req_path(req), STR("/delete")), make = !end && str_eq(h2_req_method(req), STR("POST"));
	int err;

	(void)u;
	if (str_starts(h2_req_path(req), STR("/nbsf-management/"))) {
		char text[128];

		snprintf(text, sizeof(text), "{\"pcfIpEndPoints\":[{\"ipv4Address\":\"127.0.0.1\",\"port\":%u}]}", h2_server_port(pcf.server));
		h2_reply(req, pcf.bsf ? pcf.bsf : 200, NULL, 0, pcf.bsf ? STR_NONE : str_from_c(text));
		return;
	}
	pcf.created += make;
	pcf.updated += !make && !end;
	pcf.deleted += end;
	if (make) {
		cJSON *j = http_json_parse(h2_req_body(req), &err);
		const cJSON *uri = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(j, "ascReqData"), "notifUri");

		ck_assert(cJSON_IsString(uri));
		snprintf(pcf.notify, sizeof(pcf.notify), "%s", uri->valuestring);
		cJSON_Delete(j);
	}
	if (pcf.silent)
		h2_req_drop(req);
	else
		h2_reply(req, make ? 201 : end ? 204 : 200, &location, make, STR_NONE);
}

static void on_noticed(void *arg, const struct h2_response *res)
{
	(void)arg;
	ck_assert_int_eq(res->err, 0);
	pcf.noticed = res->status;
}

/* Everybody works for a while. */
static void work(void)
{
	loop_run_for(r.workers[0].w.loop, 1);
	loop_run_for(pcf.loop, 1);
	loop_run_for(r.stack.main_loop, 1);
	rig_run(&r, 1);
}

static void until(const unsigned *what, unsigned is)
{
	uint64_t end_us = clock_mono_us() + PATIENCE_MS * 1000;

	while (*what != is && clock_mono_us() < end_us)
		work();
	ck_assert_uint_eq(*what, is);
}

static void until_sent(unsigned status, const char *where)
{
	uint64_t end_us = clock_mono_us() + PATIENCE_MS * 1000;

	while ((!r.n || r.sent[r.n - 1].m->status != status) && clock_mono_us() < end_us)
		work();
	rig_expect_status(&r, status, where);
}

/* So long that what is on its way arrives. */
static void settle(void)
{
	for (unsigned i = 0; i < 20; i++)
		work();
}

static void notify(const char *resource, unsigned status)
{
	struct h2_request q = { .method = "POST", .deadline_ms = PATIENCE_MS };
	char path[N5_NOTIFY_BYTES + 16], body[256];
	struct sbi_uri u;

	snprintf(body, sizeof(body), "{\"termCause\":\"PDU_SESSION_TERMINATION\",\"resUri\":\"%s\"}", resource);
	q.body = str_from_c(body);

	ck_assert_int_eq(sbi_uri_parse(str_from_c(pcf.notify), &u), 0);
	ck_assert_int_eq(addr_parse(u.host, u.port, &q.to), 0);
	snprintf(path, sizeof(path), "%.*s/terminate", STR_ARG(u.path));
	q.authority = u.authority;
	q.path = str_from_c(path);
	ck_assert(h2_send(pcf.client, &q, on_noticed, NULL));
	until(&pcf.noticed, status);
}

static void terminate(void)
{
	notify("/1", 204);
}

/* ---- life ---- */

/* A port that nobody has: the kernel's choice. */
static uint16_t free_port(void)
{
	struct h2_server_config c = { .max_connections = 1, .max_streams = 1, .idle_ms = 1000, .request = on_pcf };
	struct h2_server *s;
	uint16_t port;

	ck_assert_int_eq(addr_parse(STR("127.0.0.1"), 0, &c.listen), 0);
	ck_assert_int_eq(h2_server_new(&s, pcf.loop, &c), 0);
	port = h2_server_port(s);
	h2_server_free(s);
	return port;
}

static void open_store(int64_t later_ms)
{
	const struct store_config c = { .dir = dir, .max_bytes = 64 << 20, .max_pending_bytes = 1 << 20, .journal_bytes = 65536, .commit_ms = 100 };

	ck_assert_int_eq(store_open(&store, &c, 2), 0);
	store->offset_ms += later_ms;
	rig_use_store(store);
}

static void begin_with(const char *policy, bool by_bsf)
{
	struct h2_server_config c = { .max_connections = 8, .max_streams = 8, .idle_ms = 60000, .request = on_pcf };
	const struct h2_client_config cc = { .connect_ms = PATIENCE_MS, .idle_ms = 60000, .max_requests = 8, .max_streams = 8 };

	memset(&pcf, 0, sizeof(pcf));
	pcf.loop = loop_new();
	pcf.client = h2_client_new(pcf.loop, &cc);
	ck_assert_int_eq(addr_parse(STR("127.0.0.1"), 0, &c.listen), 0);
	ck_assert_int_eq(h2_server_new(&pcf.server, pcf.loop, &c), 0);
	snprintf(dir, sizeof(dir), "/tmp/cscf-n5-XXXXXX");
	ck_assert(mkdtemp(dir));
	snprintf(root, sizeof(root), "http://127.0.0.1:%u", h2_server_port(pcf.server));
	snprintf(config, sizeof(config), "  reg_event: false\npolicy: {%s, on_silence: go_on, wait_ms: 1000, "
		 "n5: {pcf: \"%s\", listen: \"127.0.0.1:%u\"%s%s%s}}\n", policy, root, free_port(), by_bsf ? ", bsf_cache_s: 0, bsf: \"" : "",
		 by_bsf ? root : "", by_bsf ? "\"" : "");
	open_store(0);
	rig_init(&r, config, 1);
}

static void begin(void)
{
	begin_with("mode: n5, registration: false", false);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
}

static void stop(void)
{
	rig_fini(&r);
	store_close(store);
}

static void start(int64_t later_ms)
{
	open_store(later_ms);
	rig_init(&r, config, 1);
	ck_assert_int_eq(pcscf_ops.restore(&r.p, &r.stack, store), 0);
}

static void end(void)
{
	char command[128];

	stop();
	rig_use_store(NULL);
	h2_server_free(pcf.server);
	h2_client_free(pcf.client);
	loop_free(pcf.loop);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- a call ---- */

static struct rig_sent *invite(void)
{
	rig_request_body(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "call",
			 "Contact: <sip:alice@10.9.0.1:5060>\n", SDP("10.9.0.1", AUDIO("5000")));
	return rig_expect(&r, "INVITE", SCSCF);
}

static void answer(const struct rig_sent *s, const char *extra)
{
	char text[1024];

	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	snprintf(text, sizeof(text), "Contact: <sip:bob@10.9.0.2:6000>\nRecord-Route: " S_RR ", %s\n%s", rr, extra);
	rig_reply_body(&r, s, 200, "T", text, SDP("10.46.0.9", AUDIO("4000")));
}

static void answered(const char *extra)
{
	answer(invite(), extra);
	until_sent(200, ALICE);
	ck_assert_uint_eq(pcf.created, 1);
}

static void hang_up(void)
{
	char route[1024];

	snprintf(route, sizeof(route), "Route: %s, " S_RR "\n", rr);
	rig_request_as(&r, ALICE, "BYE", "sip:bob@10.9.0.2:6000", HERS, "call", route);
	rig_reply(&r, rig_expect(&r, "BYE", SCSCF), 200, NULL);
	rig_expect_status(&r, 200, ALICE);
}

/* ---- tests ---- */

static const char *const open_requests[] = { "create", "update" };

/* The PCF is slow, the call goes on, the daemon stops: what is told of the question then has no call any more. */
START_TEST(test_stop_while_asked)
{
	char extra[1024];

	begin();
	pcf.silent = _i == 0;
	if (_i == 0) {
		answer(invite(), "");
	} else {
		answered("");
		pcf.silent = true;
		snprintf(extra, sizeof(extra), "Route: %s, " S_RR "\nContact: <sip:alice@10.9.0.1:5060>\n", rr);
		rig_request_body(&r, ALICE, "INVITE", "sip:bob@10.9.0.2:6000", HERS, "call", extra, SDP("10.9.0.1", AUDIO("5000")));
		rig_reply_body(&r, rig_expect(&r, "INVITE", SCSCF), 200, "T", "Contact: <sip:bob@10.9.0.2:6000>\n", SDP("10.46.0.9", AUDIO("4400")));
	}
	until(_i ? &pcf.updated : &pcf.created, 1);
	rig_run(&r, 1000);			/* the budget */
	rig_expect_status(&r, 200, ALICE);
	end();
}
END_TEST

static const struct { const char *name, *answer; int64_t away_ms; bool bye; } overs[] = {
	{ "its end unconfirmed", "", 60000, true },
	{ "the registration gone meanwhile", "", 700000, false },
	{ "its session timer ran out meanwhile", "Session-Expires: 90;refresher=uac\n", 200000, false },
};

/* The call is over when the daemon comes back, or is released then: the PCF hears of it at once, not at policy.max_call_s. */
START_TEST(test_over)
{
	begin();
	answered(overs[_i].answer);
	if (overs[_i].bye) {
		pcf.silent = true;
		hang_up();
		until(&pcf.deleted, 1);
	}
	stop();
	pcf.silent = false;
	pcf.deleted = 0;
	start(overs[_i].away_ms);
	until(&pcf.deleted, 1);
	settle();
	stop();
	start(0);
	settle();
	ck_assert_msg(pcf.deleted == 1, "%s: ended twice", overs[_i].name);
	end();
}
END_TEST

static void forget_call(void *arg, const struct store_record *rec)
{
	(void)arg;
	store_del(store_port(store, 1), STORE_CALL, rec->key);
}

static void by_admin(void)
{
	ck_assert_uint_eq(sessions_release_call(pcscf_of(&r.workers[0].w)->sessions, STR("call"), "administration"), 1);
}

static void expire(void)
{
	rig_run(&r, 130000);
}

static const struct { const char *name; void (*end)(void); } enders[] = { { "BYE", hang_up }, { "the PCF", terminate }, { "released", by_admin },
									       { "session timer", expire } };

/* A left-over: the call goes on and only policy control does not know it any more.  Its session goes with it, or when the PCF wants. */
START_TEST(test_left_over)
{
	begin();
	answered("Session-Expires: 90;refresher=uac\n");
	stop();
	start(10000);
	ck_assert_int_eq(store_scan(store, STORE_CALL, forget_call, NULL), 0);
	stop();
	start(10000);
	settle();
	ck_assert_msg(pcf.deleted == 0, "%s: ended while the call goes on", enders[_i].name);
	enders[_i].end();
	until(&pcf.deleted, 1);
	settle();
	ck_assert_uint_eq(pcf.deleted, 1);
	end();
}
END_TEST

/* ---- which session, and whose ---- */

#define ON_WIFI ";x\nP-Access-Network-Info: IEEE-802.11;i-wlan-node-id=00ff"
static const struct { const char *name, *policy; bool by_bsf; } moves[] = {
	{ "by its access", "mode: n5, registration: true, access: [{type: IEEE-802.11, mode: \"off\"}]", false },
	{ "by the BSF", "mode: bsf, bsf: {none: \"off\", silent: \"off\"}, registration: true", true },
};

/* Row Q12: a phone whose mode is another one now.  The PCF does not keep the session of its signalling; it stays where the mode does. */
START_TEST(test_mode_changes)
{
	begin_with(moves[_i].policy, moves[_i].by_bsf);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	until(&pcf.created, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	settle();
	ck_assert_msg(pcf.created == 1 && pcf.deleted == 0, "%s: %u made, %u ended", moves[_i].name, pcf.created, pcf.deleted);
	pcf.bsf = 204;
	rig_register(&r, "alice", ALICE, NULL, moves[_i].by_bsf ? NULL : ON_WIFI, NULL);
	until(&pcf.deleted, 1);
	ck_assert_uint_eq(pcf.created, 1);
	end();
}
END_TEST

static const struct { const char *name; unsigned bsf; } unknowns[] = { { "none", 204 }, { "silent", 500 } };

/* Row Q12: the BSF has no PCF for the phone, policy.bsf says n5 all the same: the configured PCF is asked. */
START_TEST(test_n5_anyway)
{
	begin_with("mode: bsf, bsf: {none: n5, silent: n5}, registration: false", true);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	pcf.bsf = unknowns[_i].bsf;
	answer(invite(), "");
	until(&pcf.created, 1);
	until_sent(200, ALICE);
	hang_up();
	until(&pcf.deleted, 1);
	end();
}
END_TEST

/* Row Q4: what was perhaps made is named by a notification: a name of another place is none. */
START_TEST(test_orphan)
{
	char text[128];

	begin();
	pcf.silent = true;
	answer(invite(), "");
	until(&pcf.created, 1);
	h2_server_hang_up(pcf.server);
	until_sent(200, ALICE);
	pcf.silent = false;
	notify("http://127.0.0.2:9/npcf-policyauthorization/v1/app-sessions/1", 400);
	snprintf(text, sizeof(text), "http://127.0.0.1:%u/npcf-policyauthorization/v1/app-sessions/1", h2_server_port(pcf.server) ^ 1u);
	notify(text, 400);
	settle();
	ck_assert_uint_eq(pcf.deleted, 0);
	snprintf(text, sizeof(text), "%s/npcf-policyauthorization/v1/app-sessions/1", root);
	notify(text, 204);
	until(&pcf.deleted, 1);
	end();
}
END_TEST

TEST_MAIN("n5_stored", TEST_ROWS(test_mode_changes, moves), TEST_ROWS(test_n5_anyway, unknowns), TEST_ONE(test_orphan),
	   TEST_ROWS(test_stop_while_asked, open_requests), TEST_ROWS(test_over, overs), TEST_ROWS(test_left_over, enders))
