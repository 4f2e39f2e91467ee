/* tests/pcscf/test_reg_event.c - our subscription to a user's registration state: TS 24.229 §5.2.3, RFC 6665 §4.1; rows P7, P8, REG-20. */
#include <stdio.h>
#include <string.h>
#include "common/sip/reginfo.h"
#include "pcscf/reg_event.h"
#include "tests/pcscf/rig.h"

#define WATCHED "  reg_event: true\n"
#define GRANTED "Contact: <sip:alice@10.9.0.1:5060>;expires=600\nP-Associated-URI: <sip:alice@home>\n" \
		"Service-Route: <sip:orig-alice@10.0.0.30:6060;lr>\n"
#define XML(state, text) "<?xml version=\"1.0\"?><reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"0\" state=\"" state "\">" text "</reginfo>"
#define SET(state, contacts) "<registration aor=\"sip:alice@home\" id=\"1\" state=\"" state "\">" contacts "</registration>"
#define CONTACT(state, event, uri) "<contact id=\"2\" state=\"" state "\" event=\"" event "\"><uri>" uri "</uri></contact>"
#define OURS "sip:alice@10.9.0.1:5060"


static unsigned watches(struct rig *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RIG_WORKERS; i++)
		if (i < r->stack.n_workers)
			n += reg_events_count(pcscf_of(&r->workers[i].w)->reg_events);
	return n;
}

/* Alice's REGISTER up to the 200 of the core. */
static void register_alice(struct rig *r, const char *expires, const char *answer)
{
	char contact[128], extra[256];

	rig_contact("alice", ALICE, contact);
	snprintf(extra, sizeof(extra), "Contact: <%s>\nExpires: %s\n", contact, expires);
	rig_request_as(r, ALICE, "REGISTER", "sip:home", "From: <sip:alice@home>;tag=r\nTo: <sip:alice@home>\n", "alice", extra);
	rig_reply(r, rig_expect(r, "REGISTER", DOOR), 200, answer);
}

/* She registers; returns our SUBSCRIBE. */
static struct rig_sent *watched(struct rig *r)
{
	struct rig_sent *s;

	register_alice(r, "600", GRANTED);
	s = rig_expect(r, "SUBSCRIBE", DOOR);
	ck_assert(strstr(rig_hdr(s, "P-Charging-Vector"), ";icid-generated-at=pcscf.home;orig-ioi=\"Type 1home\""));
	rig_expect_status(r, 200, ALICE);
	return s;
}

static void leave(struct rig *r)
{
	register_alice(r, "0", "");
	rig_expect_status(r, 200, ALICE);
}

static void subscribed(struct rig *r, const struct rig_sent *subscribe)
{
	rig_reply(r, subscribe, 200, "Contact: <sip:10.0.0.30:6060>\nExpires: 600000\nRecord-Route: <sip:10.0.0.30:6060;lr>\n");
}

static void notify(struct rig *r, const struct rig_sent *subscribe, const char *state)
{
	char text[1024], from[256], tag[64] = "";
	const char *t = strstr(rig_hdr(subscribe, "From"), "tag=");

	snprintf(tag, sizeof(tag), "%s", t ? t + 4 : "");
	snprintf(from, sizeof(from), "%s", rig_hdr(subscribe, "From"));
	snprintf(text, sizeof(text), "NOTIFY sip:pcscf.home:5060 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.30:6060;branch=z9hG4bKn%s\nMax-Forwards: 70\n"
		 "From: <sip:alice@home>;tag=T\nTo: %s\nCall-ID: %s\nCSeq: 1 NOTIFY\nContact: <sip:10.0.0.30:6060>\nEvent: reg\n"
		 "Subscription-State: %s\n", state, from, rig_hdr(subscribe, "Call-ID"), state);
	rig_in(r, SCSCF, text);
}

/* P8: one SUBSCRIBE for each registration; the phone's de-registration ends it as soon as the notifier says so. */
START_TEST(test_p8_subscribes)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, WATCHED, 1);
	s = watched(&r);
	ck_assert_str_eq(rig_hdr(s, "Event"), "reg");
	subscribed(&r, s);
	ck_assert_uint_eq(watches(&r), 1);
	leave(&r);
	ck_assert_uint_eq(watches(&r), 1);		/* the last NOTIFY may still come */
	notify(&r, s, "terminated;reason=noresource");
	rig_expect_status(&r, 200, SCSCF);
	ck_assert_uint_eq(watches(&r), 0);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* P8: a notifier that says nothing keeps nothing here for longer than 64*T1 (RFC 6665 §4.1.2.4, timer N). */
START_TEST(test_p8_silent_end)
{
	struct rig r;

	rig_init(&r, WATCHED, 1);
	subscribed(&r, watched(&r));
	leave(&r);
	rig_run(&r, 31000);
	ck_assert_uint_eq(watches(&r), 1);
	rig_run(&r, 2000);
	ck_assert_uint_eq(watches(&r), 0);
	rig_fini(&r);
}
END_TEST

/* P8: what never became a subscription ends with the phone's registration at once, whichever comes first. */
static const struct { const char *name; unsigned status; bool left_first; } refused[] = {
	{ "403, then the phone leaves", 403, false },
	{ "503, then the phone leaves", 503, false },
	{ "the phone leaves, then 403", 403, true },
	{ "the phone leaves, then 503", 503, true },
};

START_TEST(test_p8_refused)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, WATCHED, 1);
	s = watched(&r);
	if (refused[_i].left_first)
		leave(&r);
	rig_reply(&r, s, refused[_i].status, "");
	if (!refused[_i].left_first)
		leave(&r);
	ck_assert_msg(watches(&r) == 0, "%s: %u watches", refused[_i].name, watches(&r));
	rig_fini(&r);
}
END_TEST

static size_t bound(struct rig *r)
{
	return bindings_count(pcscf_of(&r->workers[0].w)->bindings);
}

/* The registration ended before it could be watched: no NOTIFY will say so. */
START_TEST(test_ended_before)
{
	struct rig r;

	rig_init(&r, WATCHED, 1);
	rig_reply(&r, watched(&r), 480, NULL);
	rig_run(&r, REG_EVENT_GRACE_S * 1000);		/* asked once more */
	ck_assert_uint_eq(bound(&r), 1);
	rig_reply(&r, rig_expect(&r, "SUBSCRIBE", DOOR), 480, NULL);
	ck_assert_uint_eq(bound(&r), 1);
	rig_run(&r, REG_EVENT_GRACE_S * 1000 + 100);
	ck_assert_uint_eq(bound(&r), 0);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

START_TEST(test_crossed)		/* the first 480 crossed a REGISTER: what is registered stays, and is watched */
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, WATCHED, 1);
	s = watched(&r);
	register_alice(&r, "600", GRANTED);
	rig_expect_status(&r, 200, ALICE);
	rig_reply(&r, s, 480, NULL);
	rig_run(&r, REG_EVENT_GRACE_S * 1000);
	subscribed(&r, rig_expect(&r, "SUBSCRIBE", DOOR));
	rig_run(&r, 60000);
	ck_assert_uint_eq(bound(&r), 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_registers_anew)		/* between the two */
{
	struct rig r;

	rig_init(&r, WATCHED, 1);
	rig_reply(&r, watched(&r), 480, NULL);
	rig_reply(&r, watched(&r), 480, NULL);
	rig_run(&r, REG_EVENT_GRACE_S * 1000);
	subscribed(&r, rig_expect(&r, "SUBSCRIBE", DOOR));
	rig_run(&r, 60000);
	ck_assert_uint_eq(bound(&r), 1);
	rig_fini(&r);
}
END_TEST

/* REG-20: whatever the answer, without any header that one might expect in it: nothing breaks, and the phone stays registered. */
START_TEST(test_every_status_reg_20)
{
	struct rig r;

	for (unsigned status = 200; status < 700; status++) {
		rig_init(&r, WATCHED, 1);
		rig_reply(&r, watched(&r), status, NULL);
		ck_assert_msg(bound(&r) == 1, "%u", status);
		leave(&r);
		rig_run(&r, 40000);
		ck_assert_msg(bound(&r) == 0 && watches(&r) == 0, "%u", status);
		rig_none(&r);
		rig_fini(&r);
	}
}
END_TEST

/* A provisional one is no answer: the 200 behind it counts. */
START_TEST(test_every_provisional_reg_20)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, WATCHED, 1);
	s = watched(&r);
	for (unsigned status = 100; status < 200; status++)
		rig_reply(&r, s, status, NULL);
	rig_run(&r, 1000);
	ck_assert(bound(&r) == 1 && watches(&r) == 1);
	subscribed(&r, s);
	rig_run(&r, 60000);
	rig_none(&r);
	ck_assert(bound(&r) == 1 && watches(&r) == 1);
	rig_fini(&r);
}
END_TEST

static void tell(struct rig *r, const struct rig_sent *s, const char *xml)
{
	char from_to[512], extra[4096];
	const char *call_id = rig_hdr(s, "Call-ID");

	snprintf(from_to, sizeof(from_to), "From: <sip:alice@home>;tag=T\nTo: %s\n", rig_hdr(s, "From"));
	snprintf(extra, sizeof(extra), "Event: reg\nSubscription-State: active\nContact: <sip:10.0.0.30:6060>\nContent-Type: " REGINFO_TYPE
		 "\nContent-Length: %zu\n\n%s", strlen(xml), xml);
	rig_request_as(r, SCSCF, "NOTIFY", "sip:pcscf.home", from_to, call_id, extra);
	rig_expect_status(r, 200, SCSCF);
}

static const struct { const char *name, *xml; bool ends; } documents[] = {
	{ "active", XML("full", SET("active", CONTACT("active", "registered", OURS))), false },
	{ "ended", XML("full", SET("terminated", CONTACT("terminated", "rejected", OURS))), true },
	{ "ended, partial", XML("partial", SET("terminated", CONTACT("terminated", "deactivated", OURS))), true },
	{ "nobody is registered any more", XML("full", SET("terminated", "")), true },
	{ "never was, RFC 3680 §3.2", XML("full", SET("init", "")), true },
	{ "another phone's contact ended, ours is not listed", XML("full", SET("terminated", CONTACT("terminated", "expired", "sip:x@y"))), true },
	{ "another phone is registered", XML("full", SET("active", CONTACT("active", "registered", "sip:alice@10.9.0.7"))), false },
	{ "nothing new", XML("partial", SET("active", "")), false },
	{ "of nobody", XML("full", ""), false },
	{ "of somebody else", XML("full", "<registration aor=\"sip:bob@home\" id=\"1\" state=\"init\"></registration>"), false },
};

START_TEST(test_document)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, WATCHED, 1);
	s = watched(&r);
	subscribed(&r, s);
	tell(&r, s, documents[_i].xml);
	ck_assert_uint_eq(bound(&r), 1);
	rig_run(&r, REG_EVENT_GRACE_S * 1000 + 100);
	ck_assert_msg(bound(&r) == (documents[_i].ends ? 0 : 1), "%s: %zu", documents[_i].name, bound(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_document_in_parts_RFC_5621)
{
	char from_to[512], extra[2048];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, WATCHED, 1);
	s = watched(&r);
	subscribed(&r, s);
	snprintf(from_to, sizeof(from_to), "From: <sip:alice@home>;tag=T\nTo: %s\n", rig_hdr(s, "From"));
	snprintf(extra, sizeof(extra), "Event: reg\nSubscription-State: active\nContact: <sip:10.0.0.30:6060>\nContent-Type: multipart/mixed;"
		 "boundary=b\n\n--b\n\ntext\n--b\nContent-Type: " REGINFO_TYPE "\n\n%s\n--b--\n", documents[1].xml);
	rig_request_as(&r, SCSCF, "NOTIFY", "sip:pcscf.home", from_to, rig_hdr(s, "Call-ID"), extra);
	rig_expect_status(&r, 200, SCSCF);
	rig_run(&r, REG_EVENT_GRACE_S * 1000 + 100);
	ck_assert_uint_eq(bound(&r), 0);
	rig_fini(&r);
}
END_TEST

/* P8, TS 24.229 §5.2.3: an identity that a Push-Profile gives may be used at once, one that it takes away may not. */
#define WORK(state, contacts) "<registration aor=\"sip:work@home\" id=\"3\" state=\"" state "\">" contacts "</registration>"
#define BOTH SET("active", CONTACT("active", "registered", OURS)) WORK("active", CONTACT("active", "created", OURS))
static const struct { const char *name, *first, *then, *as_work, *as_alice; } identities[] = {
	{ "given", XML("full", BOTH), NULL, "<sip:work@home>", "<sip:alice@home>" },
	{ "given, partial", XML("partial", WORK("active", CONTACT("active", "created", OURS))), NULL, "<sip:work@home>", "<sip:alice@home>" },
	{ "given to another phone", XML("partial", WORK("active", CONTACT("active", "created", "sip:alice@10.9.0.7"))), NULL, "<sip:alice@home>", "<sip:alice@home>" },
	{ "not registered", XML("partial", WORK("init", "")), NULL, "<sip:alice@home>", "<sip:alice@home>" },
	{ "one that nobody can name beside one that goes", XML("full", "<registration aor=\"pres:alice@home\" id=\"9\" state=\"active\">" CONTACT("active", "created", OURS)
	  "</registration>" BOTH), SET("active", CONTACT("active", "registered", OURS)) "<registration aor=\"im:alice@home\" id=\"9\" state=\"active\">"
	  CONTACT("active", "created", OURS) "</registration>" WORK("terminated", CONTACT("terminated", "deactivated", OURS)), "<sip:alice@home>", "<sip:alice@home>" },
	{ "a wildcard", XML("partial", "<registration aor=\"sip:w!.*!@home\" id=\"3\" state=\"active\">" CONTACT("active", "created", OURS) "</registration>"),
	  NULL, "<sip:alice@home>", "<sip:alice@home>" },
	{ "given and taken", XML("full", BOTH), SET("active", CONTACT("active", "registered", OURS)) WORK("terminated", CONTACT("terminated", "deactivated", OURS)), "<sip:alice@home>", "<sip:alice@home>" },
	{ "another in its place", XML("full", BOTH), SET("terminated", CONTACT("terminated", "deactivated", OURS))
	  WORK("active", CONTACT("active", "registered", OURS)), "<sip:work@home>", "<sip:work@home>" },
};

START_TEST(test_identities_P8)
{
	const char *const want[] = { identities[_i].as_work, identities[_i].as_alice };
	char text[1024], extra[128];
	struct rig_sent *s, *m;
	struct rig r;

	rig_init(&r, WATCHED, 1);
	s = watched(&r);
	subscribed(&r, s);
	tell(&r, s, identities[_i].first);
	if (identities[_i].then) {
		snprintf(text, sizeof(text), "<?xml version=\"1.0\"?><reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"1\" state=\"full\">%s</reginfo>",
			 identities[_i].then);
		tell(&r, s, text);
	}
	rig_run(&r, REG_EVENT_GRACE_S * 1000 + 100);
	ck_assert_uint_eq(bound(&r), 1);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(extra, sizeof(extra), "P-Preferred-Identity: <sip:%s@home>\n", i ? "alice" : "work");
		rig_request_as(&r, ALICE, "MESSAGE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", i ? "m1" : "m0", extra);
		m = rig_next(&r);
		ck_assert_msg(strcmp(rig_hdr(m, "P-Asserted-Identity"), want[i]) == 0, "%s: %s", identities[_i].name, rig_hdr(m, "P-Asserted-Identity"));
	}
	rig_fini(&r);
}
END_TEST

/* REG-01: who is not the notifier, and what belongs to no subscription, is refused before anything of it is parsed. */
static const struct { const char *name, *from; bool call_id, tag; unsigned status; } strangers[] = {
	{ "another Call-ID", SCSCF, false, true, 481 },
	{ "another tag", SCSCF, true, false, 481 },
	{ "a phone that has guessed both", ALICE, true, true, 403 },
	{ "the notifier", SCSCF, true, true, 200 },
};

START_TEST(test_strangers_reg_01)
{
	char from_to[512], extra[512], call_id[128], from[256];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, WATCHED, 1);
	s = watched(&r);
	subscribed(&r, s);
	snprintf(call_id, sizeof(call_id), "%s", strangers[_i].call_id ? rig_hdr(s, "Call-ID") : "other");
	snprintf(from, sizeof(from), "%s", strangers[_i].tag ? rig_hdr(s, "From") : "<sip:pcscf.home>;tag=other");
	snprintf(from_to, sizeof(from_to), "From: <sip:alice@home>;tag=T\nTo: %s\n", from);
	snprintf(extra, sizeof(extra), "Event: reg\nSubscription-State: active\nContact: <sip:10.0.0.30:6060>\nContent-Type: " REGINFO_TYPE
		 "\nContent-Length: %zu\n\n%s", strlen(documents[1].xml), documents[1].xml);
	rig_request_as(&r, strangers[_i].from, "NOTIFY", "sip:pcscf.home", from_to, call_id, extra);
	rig_expect_status(&r, strangers[_i].status, strangers[_i].from);
	rig_run(&r, REG_EVENT_GRACE_S * 1000 + 100);
	ck_assert_msg(bound(&r) == (strangers[_i].status == 200 ? 0 : 1), "%s", strangers[_i].name);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("reg_event", TEST_ONE(test_p8_subscribes), TEST_ONE(test_p8_silent_end), TEST_ROWS(test_p8_refused, refused),
	  TEST_ONE(test_ended_before), TEST_ONE(test_crossed), TEST_ONE(test_registers_anew), TEST_ONE(test_every_status_reg_20), TEST_ONE(test_every_provisional_reg_20),
	  TEST_ROWS(test_document, documents), TEST_ROWS(test_identities_P8, identities), TEST_ONE(test_document_in_parts_RFC_5621), TEST_ROWS(test_strangers_reg_01, strangers))
