/* tests/pcscf/test_n5_stored.c - N5 sessions when the daemon stops and starts again.
 * TS 29.514 §4.2.4; rows Q4, H1; reliability F1. */
#include <stdio.h>
#include <stdlib.h>
#include "common/http2/h2.h"
#include "common/store/private.h"
#include "common/util/clock.h"
#include "tests/pcscf/rig.h"

#define PATIENCE_MS 5000u
#define S_RR "<sip:s@10.0.0.30:6060;lr>"
#define HERS "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n"
#define SDP(ip, media) "Content-Type: application/sdp\n", "v=0\no=- 1 1 IN IP4 " ip "\ns=-\nc=IN IP4 " ip "\nt=0 0\n" media
#define AUDIO(port) "m=audio " port " RTP/AVP 0\nb=AS:64\n"

static char dir[64], config[512], rr[512];
static struct rig r;
static struct store *store;

/* ---- a PCF ---- */

static struct {
	struct loop *loop;
	struct h2_server *server;
	bool silent;
	unsigned created, updated, deleted;
} pcf;

static void on_pcf(void *u, struct h2_req *req)
{
	const struct h2_header location = { STR("location"), STR("/npcf-policyauthorization/v1/app-sessions/1") };
	bool end = str_ends(h2_req_path(req), STR("/delete")), make = !end && str_eq(h2_req_method(req), STR("POST"));

	(void)u;
	pcf.created += make;
	pcf.updated += !make && !end;
	pcf.deleted += end;
	if (pcf.silent)
		h2_req_drop(req);
	else
		h2_reply(req, make ? 201 : end ? 204 : 200, &location, make, STR_NONE);
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

static void open_store(void)
{
	const struct store_config c = { .dir = dir, .max_bytes = 64 << 20, .max_pending_bytes = 1 << 20, .journal_bytes = 65536, .commit_ms = 100 };

	ck_assert_int_eq(store_open(&store, &c, 2), 0);
	rig_use_store(store);
}

static void begin(void)
{
	struct h2_server_config c = { .max_connections = 8, .max_streams = 8, .idle_ms = 60000, .request = on_pcf };

	memset(&pcf, 0, sizeof(pcf));
	pcf.loop = loop_new();
	ck_assert_int_eq(addr_parse(STR("127.0.0.1"), 0, &c.listen), 0);
	ck_assert_int_eq(h2_server_new(&pcf.server, pcf.loop, &c), 0);
	snprintf(dir, sizeof(dir), "/tmp/cscf-n5-XXXXXX");
	ck_assert(mkdtemp(dir));
	snprintf(config, sizeof(config), "  reg_event: false\npolicy: {mode: n5, registration: false, on_silence: go_on, wait_ms: 1000, "
		 "n5: {pcf: \"http://127.0.0.1:%u\", listen: \"127.0.0.1:%u\"}}\n", h2_server_port(pcf.server), free_port());
	open_store();
	rig_init(&r, config, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
}

static void stop(void)
{
	rig_fini(&r);
	store_close(store);
}

static void end(void)
{
	char command[128];

	stop();
	rig_use_store(NULL);
	h2_server_free(pcf.server);
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

TEST_MAIN("n5_stored", TEST_ROWS(test_stop_while_asked, open_requests))
