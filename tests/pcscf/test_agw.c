/* tests/pcscf/test_agw.c - media through a relay that the test plays: TS 24.229 §6.7; RFC 3264, RFC 3261 §13.2.1, RFC 3262 §5; row P17. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/store/store.h"
#include "common/util/bencode.h"
#include "pcscf/agw.h"
#include "pcscf/agw_private.h"
#include "pcscf/policy.h"
#include "pcscf/stored.h"
#include "tests/pcscf/rig.h"

#define MEDIA(mode, more) "  reg_event: false\nmedia: {mode: " mode ", rtpengine: [{address: \"10.0.0.80:2223\"}, {address: \"10.0.0.81:2223\"}]" more "}\n"
#define SDP(ip, port) "Content-Type: application/sdp\n", "v=0\no=- 1 1 IN IP4 " ip "\ns=-\nc=IN IP4 " ip "\nt=0 0\nm=audio " port " RTP/AVP 0\n"
#define OFFER SDP("10.9.0.1", "5000")
#define ANSWER SDP("10.46.0.9", "4000")
#define A_TO_B "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n"
#define NOTHING "", ""

/* ---- the relays that the test plays: they answer pings, and say the rest when they are told to ---- */

static struct {
	struct rig *r;
	bool mute;			/* no answer by itself to deletes and pings either */
	bool deaf;			/* to deletes alone */
	unsigned asked, deleted, relay;
	struct {
		unsigned relay;
		char id[AGW_ID_BYTES];
	} end[64];			/* of the deletes */
	char cookie[20];
	char text[4096];		/* of the last question */
	size_t l;
} net;

static void says(const char *dict)
{
	char text[2048];

	snprintf(text, sizeof(text), "%s %s", net.cookie, dict);
	ng_input(pcscf_of(&net.r->workers[0].w)->agw->ng, net.relay, str_from_c(text));
}

/* What it makes of a description: an address and port of its own. */
static void ok(const char *ip, unsigned port)
{
	char sdp[256], dict[400];

	snprintf(sdp, sizeof(sdp), "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/AVP 0\r\n", ip, ip, port);
	snprintf(dict, sizeof(dict), "d6:result2:ok3:sdp%zu:%se", strlen(sdp), sdp);
	says(dict);
}

struct later {
	char cookie[20];
	unsigned relay;
	bool ping;
};
static struct later later[64];
static unsigned n_later;

static void on_send(void *u, unsigned relay, struct str octets)
{
	struct str cookie, dict, command;

	(void)u;
	str_cut(octets, ' ', &cookie, &dict);
	command = bencode_find_str(dict, "command");
	if (str_eq_c(command, "ping") || str_eq_c(command, "delete")) {
		if (str_eq_c(command, "delete") && net.deleted < 64) {
			net.end[net.deleted].relay = relay;
			str_copy(bencode_find_str(dict, "call-id"), net.end[net.deleted++].id, sizeof(net.end[0].id));
		}
		if (!net.mute && n_later < 64 && !(net.deaf && str_eq_c(command, "delete"))) {
			later[n_later].relay = relay;
			later[n_later].ping = str_eq_c(command, "ping");
			str_copy(cookie, later[n_later++].cookie, sizeof(later[0].cookie));
		}
		return;
	}
	if (net.l && str_eq_c(cookie, net.cookie) && net.relay == relay)	/* it comes again */
		return;
	net.asked++;
	net.relay = relay;
	str_copy(cookie, net.cookie, sizeof(net.cookie));
	ck_assert(dict.l < sizeof(net.text));
	memcpy(net.text, dict.p, dict.l);
	net.l = dict.l;
}

/* Pings and deletes get their answers. */
static void settle(struct rig *r)
{
	char text[64];

	rig_run(r, 1);
	while (n_later) {
		struct later l = later[--n_later];

		snprintf(text, sizeof(text), "%s %s", l.cookie, l.ping ? "d6:result4:ponge" : "d6:result2:oke");
		ng_input(pcscf_of(&r->workers[0].w)->agw->ng, l.relay, str_from_c(text));
	}
}

static struct str said(const char *key)
{
	return bencode_find_str(str_make(net.text, net.l), key);
}

static void wants(unsigned asked, const char *command, const char *from, const char *address)
{
	ck_assert_msg(net.asked == asked, "asked %u times: %.*s", net.asked, (int)net.l, net.text);
	ck_assert_msg(str_eq_c(said("command"), command) && str_eq_c(said("from-tag"), from), "%.*s", (int)net.l, net.text);
	ck_assert_msg(str_find(said("sdp"), str_from_c(address)) >= 0, "%s in %.*s", address, (int)net.l, net.text);
}

/* ---- messages ---- */

static char path[256];
static struct rig_sent *invite;

static void request(struct rig *r, const char *from, const char *method, const char *from_to, const char *extra, const char *type, const char *body)
{
	rig_request_body(r, from, method, "sip:bob@home", from_to, "c1", extra, type, body);
}

static const char *rr_back(void)
{
	static char text[1024];

	snprintf(text, sizeof(text), "Contact: <sip:bob@10.46.0.9>\nRecord-Route: <sip:s@10.0.0.30:6060;lr>, %s\n", rig_hdr(invite, "Record-Route"));
	return text;
}

static void start(struct rig *r, const char *config)
{
	memset(&net, 0, sizeof(net));
	n_later = 0;
	net.r = r;
	rig_use_media(on_send);
	rig_init(r, config, 1);
	rig_register(r, "alice", ALICE, NULL, NULL, path);
	settle(r);
}

/* Alice's INVITE is out, with the relay's address in it. */
static void begin(struct rig *r, const char *config)
{
	start(r, config);
	request(r, ALICE, "INVITE", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	rig_none(r);
	wants(1, "offer", "phone", "10.9.0.1");
	ok("10.0.0.80", 20000);
	invite = rig_expect(r, "INVITE", SCSCF);
	ck_assert(rig_contains(invite, "c=IN IP4 10.0.0.80\r\n") && !rig_contains(invite, "c=IN IP4 10.9.0.1"));
}

static void answer(struct rig *r, unsigned status, const char *tag, const char *type, const char *body)
{
	rig_reply_body(r, invite, status, tag, rr_back(), type, body);
}

static bool tells(const struct rig_sent *s, const char *ip)
{
	char line[64];

	snprintf(line, sizeof(line), "c=IN IP4 %s\r\n", ip);
	return rig_contains(s, line);
}

static struct str list_item(const char *key, unsigned n)
{
	struct str all, name, v = STR_NONE, text = STR_NONE;
	struct bencode_walk w;

	ck_assert_msg(bencode_find(str_make(net.text, net.l), key, &all) && bencode_walk(all, &w), "no %s", key);
	for (unsigned i = 0; i <= n; i++)
		ck_assert(bencode_next(&w, &name, &v));
	ck_assert(bencode_str(v, &text));
	return text;
}

START_TEST(test_flags)		/* what is asked: sides, family, interfaces, origin, ICE, label */
{
	struct rig r;

	begin(&r, MEDIA("always", ", core_family: ipv6, access_interface: acc, core_interface: net"));
	ck_assert(str_eq_c(said("to-tag"), "core") && str_eq_c(said("address-family"), "IP6") && str_eq_c(said("ICE"), "remove"));
	ck_assert(str_eq_c(list_item("direction", 0), "acc") && str_eq_c(list_item("direction", 1), "net"));
	ck_assert(str_eq_c(list_item("replace", 0), "origin") && str_eq_c(list_item("replace", 1), "session-connection"));
	ck_assert(str_starts(said("call-id"), STR("c1/")));
	answer(&r, 183, "T", ANSWER);
	rig_none(&r);
	wants(2, "answer", "phone", "10.46.0.9");
	ck_assert(str_eq_c(said("label"), "T") && str_eq_c(said("to-tag"), "core") && said("address-family").l == 0);
	ok("10.0.0.81", 30000);
	ck_assert(tells(rig_expect_status(&r, 183, ALICE), "10.0.0.81"));
	rig_fini(&r);
}
END_TEST

START_TEST(test_order)		/* nothing overtakes what waits; the same answer is not asked about again */
{
	struct rig r;
	struct rig_sent *s;

	begin(&r, MEDIA("always", ""));
	answer(&r, 183, "T", ANSWER);
	answer(&r, 180, "T", NOTHING);
	answer(&r, 183, "T", ANSWER);			/* comes again */
	rig_none(&r);
	ok("10.0.0.81", 30000);
	rig_expect_status(&r, 183, ALICE);
	rig_expect_status(&r, 180, ALICE);
	rig_none(&r);
	answer(&r, 200, "T", ANSWER);
	s = rig_expect_status(&r, 200, ALICE);
	ck_assert(tells(s, "10.0.0.81"));
	ck_assert_uint_eq(net.asked, 2);
	ck_assert_uint_eq(atomic_load(&r.p.relay[net.relay].sessions), 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_fork)		/* the fork whose 2xx comes is the last that the relay has heard, also when that says nothing */
{
	struct rig r;

	begin(&r, MEDIA("always", ""));
	answer(&r, 183, "T", ANSWER);
	ok("10.0.0.81", 30000);
	rig_expect_status(&r, 183, ALICE);
	answer(&r, 183, "U", SDP("10.46.0.77", "4000"));
	wants(3, "answer", "phone", "10.46.0.77");
	ok("10.0.0.81", 30002);
	rig_expect_status(&r, 183, ALICE);
	answer(&r, 200, "T", NOTHING);
	rig_none(&r);
	wants(4, "answer", "phone", "10.46.0.9");
	ok("10.0.0.81", 30000);
	ck_assert(!rig_contains(rig_expect_status(&r, 200, ALICE), "c=IN"));
	answer(&r, 200, "U", SDP("10.46.0.77", "4000"));	/* another one: its caller ends it */
	ck_assert(tells(rig_expect_status(&r, 200, ALICE), "10.0.0.81"));
	ck_assert_uint_eq(net.asked, 4);
	rig_fini(&r);
}
END_TEST

START_TEST(test_late_offer)	/* the offer in the 200, the answer in the ACK, which comes twice */
{
	char ack[1024];
	struct rig r;

	start(&r, MEDIA("always", ""));
	request(&r, ALICE, "INVITE", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", NOTHING);
	invite = rig_expect(&r, "INVITE", SCSCF);
	answer(&r, 200, "T", ANSWER);
	wants(1, "offer", "core", "10.46.0.9");
	ck_assert(str_eq_c(said("address-family"), "IP4"));
	ok("10.0.0.81", 30000);
	ck_assert(tells(rig_expect_status(&r, 200, ALICE), "10.0.0.81"));
	snprintf(ack, sizeof(ack), "Route: %s\nRoute: <sip:s@10.0.0.30:6060;lr>\n", rig_hdr(invite, "Record-Route"));
	for (int i = 0; i < 2; i++) {
		rig_request_body(&r, ALICE, "ACK", "sip:bob@10.46.0.9", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "c1", ack, OFFER);
		if (i == 0) {
			rig_none(&r);
			wants(2, "answer", "core", "10.9.0.1");
			ok("10.0.0.80", 20000);
		}
		ck_assert(tells(rig_expect(&r, "ACK", SCSCF), "10.0.0.80"));
	}
	ck_assert_uint_eq(net.asked, 2);
	rig_fini(&r);
}
END_TEST

START_TEST(test_multipart)	/* only the description is replaced */
{
	struct rig r;

	start(&r, MEDIA("always", ""));
	request(&r, ALICE, "INVITE", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", "Content-Type: multipart/mixed;boundary=\"b1\"\n",
		"--b1\nContent-Type: text/plain\n\nkept 10.9.0.1\n--b1\nContent-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 1\ns=-\nc=IN IP4 10.9.0.1\nt=0 0\n"
		"m=audio 5000 RTP/AVP 0\n\n--b1--\n");
	ok("10.0.0.80", 20000);
	invite = rig_expect(&r, "INVITE", SCSCF);
	ck_assert(tells(invite, "10.0.0.80") && rig_contains(invite, "kept 10.9.0.1\r\n--b1\r\n") && rig_contains(invite, "20000 RTP/AVP 0\r\n\r\n--b1--"));
	ck_assert_str_eq(rig_hdr(invite, "Content-Type"), "multipart/mixed;boundary=\"b1\"");
	rig_fini(&r);
}
END_TEST

static const struct { const char *name; unsigned status, n_sent; } ends[] = {
	{ "refused by the callee", 486, 1 }, { "refused after the answer", 580, 1 },
};

START_TEST(test_failure)	/* delete goes with the failure, once */
{
	struct rig r;

	begin(&r, MEDIA("always", ""));
	if (_i) {
		answer(&r, 183, "T", ANSWER);
		ok("10.0.0.81", 30000);
		rig_expect_status(&r, 183, ALICE);
	}
	answer(&r, ends[_i].status, "T", NOTHING);
	rig_expect(&r, "ACK", SCSCF);
	rig_expect_status(&r, ends[_i].status, ALICE);
	settle(&r);
	ck_assert_msg(net.deleted == 1, "%s: %u deletes", ends[_i].name, net.deleted);
	ck_assert_uint_eq(atomic_load(&r.p.relay[0].sessions) + atomic_load(&r.p.relay[1].sessions), 0);
	ck_assert(list_empty(&pcscf_of(&r.workers[0].w)->agw->ends));
	rig_fini(&r);
}
END_TEST

static void cancel(struct rig *r)
{
	r->cseq--;
	rig_request_as(r, ALICE, "CANCEL", "sip:bob@home", A_TO_B, "c1", "");
	rig_expect_status(r, 200, ALICE);
}

START_TEST(test_cancel_while_asked)	/* about the offer: the INVITE never leaves; about the answer.  The session is ended, a late answer changes nothing */
{
	struct rig r;

	if (_i) {
		begin(&r, MEDIA("always", ""));
		answer(&r, 183, "T", ANSWER);
		cancel(&r);
		rig_expect(&r, "CANCEL", SCSCF);
		answer(&r, 487, "T", NOTHING);
		rig_expect(&r, "ACK", SCSCF);
	} else {
		start(&r, MEDIA("always", ""));
		request(&r, ALICE, "INVITE", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
		cancel(&r);
	}
	rig_expect_status(&r, 487, ALICE);
	ok("10.0.0.80", 20000);
	settle(&r);
	rig_none(&r);
	ck_assert_uint_eq(net.deleted, 1);
	ck_assert_ptr_null(call_find(pcscf_of(&r.workers[0].w)->calls, STR("c1"), 0));
	rig_fini(&r);
}
END_TEST

START_TEST(test_silent)		/* the second relay; both silent: 503 with the cause */
{
	struct rig r;
	unsigned first;

	start(&r, MEDIA("always", ", timeout_ms: 1000"));
	net.mute = true;
	request(&r, ALICE, "INVITE", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	first = net.relay;
	for (int i = 0; i < 25 && net.asked == 1; i++)
		rig_run(&r, 50);
	wants(2, "offer", "phone", "10.9.0.1");
	ck_assert_uint_ne(net.relay, first);
	for (int i = 0; i < 25; i++)
		rig_run(&r, 50);
	ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 503, ALICE), "Reason"), "SIP;cause=503;text=\"Media relay: no answer in time\"");
	rig_none(&r);
	ck_assert_uint_ge(net.deleted, 2);		/* each may have it */
	rig_fini(&r);
}
END_TEST

START_TEST(test_goes_on)	/* on_failure: go_on, and the next offer tries again */
{
	struct rig r;

	start(&r, MEDIA("always", ", on_failure: go_on"));
	request(&r, ALICE, "INVITE", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	says("d6:result5:error12:error-reason4:fulle");
	says("d6:result5:error12:error-reason4:fulle");
	ck_assert_uint_eq(net.asked, 2);
	invite = rig_expect(&r, "INVITE", SCSCF);
	ck_assert(tells(invite, "10.9.0.1"));
	answer(&r, 200, "T", ANSWER);
	ck_assert(tells(rig_expect_status(&r, 200, ALICE), "10.46.0.9"));
	ck_assert_uint_eq(net.asked, 2);
	rig_fini(&r);
}
END_TEST

START_TEST(test_no_answer)	/* the answer cannot be had: CANCEL and 503; in the 200: it goes, and BYE both ways */
{
	struct rig r;

	begin(&r, MEDIA("always", ""));
	answer(&r, _i ? 200 : 183, "T", ANSWER);
	says("d6:result5:error12:error-reason15:Unknown call-ide");
	if (_i) {
		rig_expect_status(&r, 200, ALICE);
		rig_expect(&r, "BYE", SCSCF);
		ck_assert_str_eq(rig_hdr(rig_expect(&r, "BYE", ALICE), "Reason"), "SIP;cause=503;text=\"Media relay: Unknown call-id\"");
	} else {
		rig_expect_status(&r, 503, ALICE);
		rig_expect(&r, "CANCEL", SCSCF);
	}
	settle(&r);
	ck_assert_uint_eq(net.deleted, 1);
	rig_fini(&r);
}
END_TEST

static char our_route[512];	/* outlives the rig */

/* Answered, with two questions. */
static void confirmed(struct rig *r, const char *config)
{
	char ack[1024];

	begin(r, config);
	str_copy(str_from_c(rig_hdr(invite, "Record-Route")), our_route, sizeof(our_route));
	answer(r, 200, "T", ANSWER);
	ok("10.0.0.81", 30000);
	rig_expect_status(r, 200, ALICE);
	snprintf(ack, sizeof(ack), "Route: %s\nRoute: <sip:s@10.0.0.30:6060;lr>\n", rig_hdr(invite, "Record-Route"));
	rig_request_body(r, ALICE, "ACK", "sip:bob@10.46.0.9", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "c1", ack, NOTHING);
	rig_expect(r, "ACK", SCSCF);
	ck_assert_uint_eq(net.asked, 2);
}

static void within(struct rig *r, const char *method, const char *type, const char *body)
{
	char route[1024];

	snprintf(route, sizeof(route), "Contact: <sip:alice@10.9.0.1:5060>\nRoute: %s\nRoute: <sip:s@10.0.0.30:6060;lr>\n", our_route);
	rig_request_body(r, ALICE, method, "sip:bob@10.46.0.9", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "c1", route, type, body);
}

START_TEST(test_refresh)	/* the same offer again, the same answer again: nobody is asked */
{
	struct rig r;
	struct rig_sent *s;

	confirmed(&r, MEDIA("always", ""));
	within(&r, "UPDATE", OFFER);
	s = rig_expect(&r, "UPDATE", SCSCF);
	ck_assert(tells(s, "10.0.0.80"));
	rig_reply_body(&r, s, 200, "T", "Contact: <sip:bob@10.46.0.9>\n", ANSWER);
	ck_assert(tells(rig_expect_status(&r, 200, ALICE), "10.0.0.81"));
	ck_assert_uint_eq(net.asked, 2);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *cause; bool silent, down; } refusals[] = {
	{ "it says no", "full", false, false },
	{ "it is silent, and there is no other", "no answer in time", true, false },
	{ "it is down, and there is no other", "no media relay is available", false, true },
};

START_TEST(test_change_refused)		/* 503 to the change alone: the call and its session go on */
{
	char reason[96], id[AGW_ID_BYTES];
	struct rig r;
	unsigned at;

	confirmed(&r, MEDIA("always", ", timeout_ms: 1000"));
	at = net.relay;
	str_copy(said("call-id"), id, sizeof(id));
	net.mute = true;
	if (refusals[_i].silent || refusals[_i].down)
		atomic_store(&r.p.relay[!at].up, false);
	if (refusals[_i].down)
		atomic_store(&r.p.relay[at].up, false);
	within(&r, "UPDATE", SDP("10.9.0.1", "5002"));
	if (!refusals[_i].down)
		wants(3, "offer", "phone", "10.9.0.1");
	for (int i = 0; i < 25 && refusals[_i].silent; i++)
		rig_run(&r, 50);
	if (!refusals[_i].silent && !refusals[_i].down)
		says("d6:result5:error12:error-reason4:fulle");
	snprintf(reason, sizeof(reason), "SIP;cause=503;text=\"Media relay: %s\"", refusals[_i].cause);
	ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 503, ALICE), "Reason"), reason);
	rig_run(&r, 1);
	rig_none(&r);
	ck_assert_msg(net.deleted == 0, "%s: deleted", refusals[_i].name);
	ck_assert_uint_eq(atomic_load(&r.p.relay[at].sessions), 1);
	atomic_store(&r.p.relay[at].up, true);		/* asked about that session, once it answers again */
	within(&r, "UPDATE", SDP("10.9.0.1", "5004"));
	wants(refusals[_i].down ? 3 : 4, "offer", "phone", "10.9.0.1");
	ck_assert(net.relay == at && str_eq_c(said("call-id"), id));
	rig_fini(&r);
}
END_TEST

START_TEST(test_change_goes_on)		/* on_failure: go_on; nobody is asked about the answer to what no relay has heard */
{
	struct rig r;
	struct rig_sent *s;

	confirmed(&r, MEDIA("always", ", on_failure: go_on"));
	atomic_store(&r.p.relay[0].up, false);
	atomic_store(&r.p.relay[1].up, false);
	within(&r, "UPDATE", SDP("10.9.0.1", "5002"));
	s = rig_expect(&r, "UPDATE", SCSCF);
	ck_assert(tells(s, "10.9.0.1"));
	rig_reply_body(&r, s, 200, "T", "Contact: <sip:bob@10.46.0.9>\n", ANSWER);
	ck_assert(tells(rig_expect_status(&r, 200, ALICE), "10.46.0.9"));
	ck_assert_uint_eq(net.asked, 2);
	ck_assert_uint_eq(net.deleted, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_moves)		/* its relay is down: the next offer begins the session at the other one */
{
	struct rig r;
	unsigned first;

	confirmed(&r, MEDIA("always", ""));
	first = net.relay;
	atomic_store(&r.p.relay[first].up, false);
	within(&r, "UPDATE", SDP("10.9.0.1", "5002"));
	wants(3, "offer", "phone", "10.9.0.1");
	ck_assert_uint_ne(net.relay, first);
	ok("10.0.0.90", 20000);
	ck_assert(tells(rig_expect(&r, "UPDATE", SCSCF), "10.0.0.90"));
	ck_assert_uint_eq(net.deleted, 1);		/* the first one may have it still */
	ck_assert_uint_eq(atomic_load(&r.p.relay[first].sessions), 0);
	rig_fini(&r);
}
END_TEST

/* A change goes to the other relay, this one being down. */
static void move(struct rig *r, const char *port, char id[AGW_ID_BYTES])
{
	char body[256];
	struct rig_sent *s;
	unsigned from = net.relay;

	snprintf(body, sizeof(body), "v=0\no=- 1 1 IN IP4 10.9.0.1\ns=-\nc=IN IP4 10.9.0.1\nt=0 0\nm=audio %s RTP/AVP 0\n", port);
	atomic_store(&r->p.relay[from].up, false);
	atomic_store(&r->p.relay[!from].up, true);
	within(r, "UPDATE", "Content-Type: application/sdp\n", body);
	ck_assert_uint_ne(net.relay, from);
	str_copy(said("call-id"), id, AGW_ID_BYTES);
	ok("10.0.0.90", 20000);
	s = rig_expect(r, "UPDATE", SCSCF);
	rig_reply_body(r, s, 200, "T", "Contact: <sip:bob@10.46.0.9>\n", ANSWER);
	ck_assert(str_eq_c(said("command"), "answer") && str_eq_c(said("call-id"), id));
	ok("10.0.0.91", 30000);
	rig_expect_status(r, 200, ALICE);
}

START_TEST(test_back)		/* to the other relay and back, before the first one has heard of the end: that ends nothing that lives */
{
	char id[3][AGW_ID_BYTES];
	struct rig r;
	unsigned first;

	confirmed(&r, MEDIA("always", ""));
	first = net.relay;
	str_copy(said("call-id"), id[0], sizeof(id[0]));
	net.deaf = true;
	move(&r, "5002", id[1]);
	move(&r, "5004", id[2]);
	ck_assert_uint_eq(net.relay, first);
	ck_assert_str_ne(id[0], id[1]);
	ck_assert_str_ne(id[1], id[2]);
	ck_assert_str_ne(id[0], id[2]);
	for (int i = 0; i < 25; i++) {
		rig_run(&r, 500);
		settle(&r);
	}
	ck_assert_uint_gt(net.deleted, 3);		/* again and again */
	for (unsigned i = 0; i < net.deleted; i++)
		ck_assert_str_eq(net.end[i].id, id[net.end[i].relay != first]);
	ck_assert_uint_eq(atomic_load(&r.p.relay[first].sessions), 1);
	rig_fini(&r);
}
END_TEST

static char dir[64];

static struct store *open_store(void)
{
	const struct store_config c = { .dir = dir, .max_bytes = 64 << 20, .max_pending_bytes = 1 << 20, .journal_bytes = 65536, .commit_ms = 100 };
	struct store *s;

	ck_assert_int_eq(store_open(&s, &c, 2), 0);
	rig_use_store(s);
	return s;
}

static void on_call(void *arg, struct call *c)
{
	*(struct call **)arg = c;
}

/* The call has the session that lives, whether the other one's end was confirmed before the restart or is to be told again. */
START_TEST(test_moved_and_restarted)
{
	char before[AGW_ID_BYTES], id[AGW_ID_BYTES], command[128];
	struct store *store;
	struct call *c = NULL;
	unsigned first;
	struct rig r;

	snprintf(dir, sizeof(dir), "/tmp/cscf-agw-XXXXXX");
	ck_assert(mkdtemp(dir));
	store = open_store();
	confirmed(&r, MEDIA("always", ""));
	first = net.relay;
	str_copy(said("call-id"), before, sizeof(before));
	net.deaf = _i;
	move(&r, "5002", id);
	settle(&r);
	ck_assert(list_empty(&pcscf_of(&r.workers[0].w)->agw->ends) == !_i);
	rig_fini(&r);
	store_close(store);
	store = open_store();
	net.deleted = n_later = 0;
	rig_init(&r, MEDIA("always", ""), 1);
	ck_assert_int_eq(pcscf_ops.restore(&r.p, &r.stack, store), 0);
	calls_each(pcscf_of(&r.workers[0].w)->calls, on_call, &c);
	ck_assert_ptr_nonnull(c);
	ck_assert_msg(c->agw && strcmp(c->agw->id, id) == 0, "has %s", c->agw ? c->agw->id : "none");
	ck_assert_uint_ne(c->agw->relay, first);
	rig_run(&r, 1100);
	ck_assert_uint_eq(net.deleted, _i);
	if (_i)
		ck_assert(net.end[0].relay == first && strcmp(net.end[0].id, before) == 0);
	move(&r, "5004", id);				/* a name that no relay has heard */
	ck_assert(strcmp(before, id) != 0 && strcmp(net.end[net.deleted - 1].id, id) != 0);
	rig_fini(&r);
	rig_use_store(NULL);
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

static const struct { const char *name, *config; bool emergency, passes; } crowds[] = {
	{ "refused", MEDIA("always", "") "policy: {max_calls: 1}\n", false, false },
	{ "goes on", MEDIA("always", ", on_failure: go_on") "policy: {max_calls: 1}\n", false, true },
	{ "needs no relay", MEDIA("nat", "") "policy: {max_calls: 1}\n", false, true },
	{ "an emergency", "  emergency: {ecscf: \"sip:10.0.0.70\"}\n" MEDIA("always", "") "policy: {max_calls: 1}\n", true, true },
};

START_TEST(test_too_many_calls)		/* policy.max_calls: a call more is counted; what needs a relay and cannot have one is refused */
{
	const char *to = crowds[_i].emergency ? "urn:service:sos" : "sip:bob@home";
	char from_to[128];
	int64_t before;
	struct rig r;

	start(&r, crowds[_i].config);
	request(&r, ALICE, "INVITE", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	if (net.asked)
		ok("10.0.0.80", 20000);
	invite = rig_expect(&r, "INVITE", SCSCF);
	before = metrics_sum("cscf_pcscf_calls_not_kept_total");
	snprintf(from_to, sizeof(from_to), "From: <sip:alice@home>;tag=A2\nTo: <%s>\n", to);
	rig_request_body(&r, ALICE, "INVITE", to, from_to, "c2", "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	if (crowds[_i].passes) {
		ck_assert_msg(tells(rig_expect(&r, "INVITE", crowds[_i].emergency ? "udp:10.0.0.70:5060" : SCSCF), "10.9.0.1"), "%s", crowds[_i].name);
	} else {
		ck_assert_str_eq(rig_hdr(rig_expect_status(&r, 503, ALICE), "Reason"), "SIP;cause=503;text=\"Media relay: too many calls\"");
		rig_none(&r);
	}
	ck_assert(metrics_sum("cscf_pcscf_calls_not_kept_total") == before + 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_bye)		/* one that waits behind a question overtakes nothing, and ends the session */
{
	struct rig r;
	struct rig_sent *s;

	confirmed(&r, MEDIA("always", ""));
	within(&r, "UPDATE", SDP("10.9.0.1", "5002"));
	rig_none(&r);
	within(&r, "BYE", NOTHING);
	rig_expect(&r, "UPDATE", SCSCF);
	s = rig_expect(&r, "BYE", SCSCF);
	rig_reply(&r, s, 200, "");
	rig_expect_status(&r, 200, ALICE);
	settle(&r);
	ck_assert_uint_eq(net.deleted, 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_emergency)	/* goes on whatever the relays say: TS 24.229 §5.2.10 */
{
	struct rig r;

	start(&r, "  emergency: {ecscf: \"sip:10.0.0.70\"}\n" MEDIA("always", ""));
	rig_request_body(&r, ALICE, "INVITE", "urn:service:sos", "From: <sip:alice@home>;tag=A\nTo: <urn:service:sos>\n", "c1",
			 "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	wants(1, "offer", "phone", "10.9.0.1");
	says("d6:result5:error12:error-reason4:fulle");
	says("d6:result5:error12:error-reason4:fulle");
	ck_assert(tells(rig_expect(&r, "INVITE", "udp:10.0.0.70:5060"), "10.9.0.1"));
	rig_fini(&r);
}
END_TEST

START_TEST(test_silent_delete)	/* again and again, for five minutes; then it is given up */
{
	struct rig r;

	begin(&r, MEDIA("always", ""));
	net.mute = true;
	answer(&r, 486, "T", NOTHING);
	for (int i = 0; i < 40; i++)
		rig_run(&r, 500);
	ck_assert_uint_gt(net.deleted, 1);
	ck_assert(!list_empty(&pcscf_of(&r.workers[0].w)->agw->ends));
	for (int i = 0; i < 700; i++)
		rig_run(&r, 500);
	ck_assert(list_empty(&pcscf_of(&r.workers[0].w)->agw->ends));
	rig_fini(&r);
}
END_TEST

START_TEST(test_off)		/* costs nothing: no call is kept, nobody is asked */
{
	struct rig r;

	memset(&net, 0, sizeof(net));
	rig_use_media(on_send);
	rig_init(&r, _i ? MEDIA("off", "") : NULL, 1);
	ck_assert_ptr_null(pcscf_of(&r.workers[0].w)->calls);
	ck_assert_ptr_null(pcscf_of(&r.workers[0].w)->agw);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	request(&r, ALICE, "INVITE", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", OFFER);
	ck_assert(tells(rig_expect(&r, "INVITE", SCSCF), "10.9.0.1"));
	rig_run(&r, 10);
	ck_assert_uint_eq(net.asked + n_later, 0);
	rig_fini(&r);
}
END_TEST

/* ---- which calls ---- */

#define V4 "v=0\r\no=- 1 1 IN IP4 10.9.0.1\r\ns=-\r\nc=IN IP4 10.9.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"
#define V4_AT(ip) "v=0\r\no=- 1 1 IN IP4 " ip "\r\ns=-\r\nc=IN IP4 " ip "\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"
#define V6_AT(ip) "v=0\r\no=- 1 1 IN IP6 " ip "\r\ns=-\r\nc=IN IP6 " ip "\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"
static const struct { const char *name; enum agw_mode mode; int core; const char *contact, *flow; bool from_phone; const char *sdp; bool want, nat; } wanted[] = {
	{ "off", AGW_OFF, AF_INET6, "10.9.0.1", "10.9.0.1", true, V4, false, false },
	{ "always", AGW_ALWAYS, 0, "10.9.0.1", "10.9.0.1", true, V4, true, false },
	{ "always, what cannot be read", AGW_ALWAYS, 0, "10.9.0.1", "10.9.0.1", true, "x", false, false },
	{ "always, without media", AGW_ALWAYS, 0, "10.9.0.1", "10.9.0.1", true, "v=0\r\no=- 1 1 IN IP4 1\r\ns=-\r\nt=0 0\r\n", false, false },
	{ "family, the core may be anything", AGW_FAMILY, 0, "10.9.0.1", "10.9.0.1", true, V4, false, false },
	{ "family, the core is another", AGW_FAMILY, AF_INET6, "10.9.0.1", "10.9.0.1", true, V4, true, false },
	{ "family, the core is the same", AGW_FAMILY, AF_INET, "10.9.0.1", "10.9.0.1", true, V4, false, false },
	{ "family, to a phone of the same", AGW_FAMILY, 0, "10.9.0.1", "10.9.0.1", false, V4, false, false },
	{ "family, to a phone of another", AGW_FAMILY, 0, "10.9.0.1", "10.9.0.1", false, V6_AT("2001:db8::1"), true, false },
	{ "family, a NAT does not matter", AGW_FAMILY, 0, "10.9.0.1", "192.0.2.7", true, V4, false, true },
	{ "nat, it is where it says", AGW_NAT, 0, "10.9.0.1", "10.9.0.1", true, V4, false, false },
	{ "nat, it is elsewhere", AGW_NAT, 0, "10.9.0.1", "192.0.2.7", true, V4, true, true },
	{ "nat, families differ", AGW_NAT, AF_INET6, "10.9.0.1", "10.9.0.1", true, V4, true, false },
	{ "nat, on hold with 0.0.0.0", AGW_NAT, 0, "10.9.0.1", "192.0.2.7", true, V4_AT("0.0.0.0"), false, false },
	{ "nat, a name", AGW_NAT, 0, "10.9.0.1", "192.0.2.7", true, V4_AT("phone.example"), false, false },
	{ "nat, to a phone that registered from elsewhere", AGW_NAT, 0, "192.168.1.4", "192.0.2.7", false, V4, true, false },
	{ "nat, to a phone with a name in its contact", AGW_NAT, 0, "", "192.0.2.7", false, V4, false, false },
	{ "nat, another address of the same /64", AGW_NAT, 0, "2001:db8::1", "2001:db8::1", true, V6_AT("2001:db8::beef"), false, false },
	{ "nat, another /64", AGW_NAT, 0, "2001:db8::1", "2001:db8::1", true, V6_AT("2001:db8:0:1::1"), true, true },
};

START_TEST(test_wants)
{
	struct agw_config cfg = { .mode = wanted[_i].mode, .core_family = wanted[_i].core };
	struct binding b = { .id = 1 };
	bool nat;

	if (wanted[_i].contact[0])
		ck_assert_int_eq(addr_parse(str_from_c(wanted[_i].contact), 5060, &b.contact_addr), 0);
	ck_assert_int_eq(addr_parse(str_from_c(wanted[_i].flow), 5060, &b.flow.remote), 0);
	ck_assert_msg(agw_wants(&cfg, &b, str_from_c(wanted[_i].sdp), wanted[_i].from_phone, &b.flow.remote, &nat) == wanted[_i].want, "%s",
		      wanted[_i].name);
	ck_assert_msg(nat == wanted[_i].nat, "%s: nat", wanted[_i].name);
}
END_TEST

START_TEST(test_nat)		/* the relay is told where its SIP comes from */
{
	struct rig r;

	start(&r, MEDIA("nat", ""));
	request(&r, ALICE, "INVITE", A_TO_B, "Contact: <sip:alice@10.9.0.1:5060>\n", SDP("192.168.1.4", "5000"));
	wants(1, "offer", "phone", "192.168.1.4");
	ck_assert(str_eq_c(list_item("flags", 0), "SIP-source-address"));
	ck_assert(str_eq_c(list_item("received-from", 0), "IP4") && str_eq_c(list_item("received-from", 1), "10.9.0.1"));
	ok("10.0.0.80", 20000);
	rig_expect(&r, "INVITE", SCSCF);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("agw", TEST_ONE(test_flags), TEST_ONE(test_order), TEST_ONE(test_fork), TEST_ONE(test_late_offer), TEST_ONE(test_multipart),
	  TEST_ROWS(test_failure, ends), { &(test_cancel_while_asked), 2 }, TEST_ONE(test_silent), TEST_ONE(test_goes_on), { &(test_no_answer), 2 },
	  TEST_ONE(test_refresh), TEST_ROWS(test_change_refused, refusals), TEST_ONE(test_change_goes_on), TEST_ONE(test_moves), TEST_ONE(test_back),
	  { &(test_moved_and_restarted), 2 }, TEST_ROWS(test_too_many_calls, crowds),
	  TEST_ONE(test_bye), TEST_ONE(test_emergency), TEST_ONE(test_silent_delete), { &(test_off), 2 }, TEST_ROWS(test_wants, wanted), TEST_ONE(test_nat))
