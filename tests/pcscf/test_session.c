/* tests/pcscf/test_session.c - calls that the network ends: TS 24.229 §5.2.8, RFC 3326; row P19, SEC-07. */
#include <string.h>
#include "pcscf/reg_event.h"
#include "pcscf/session.h"
#include "tests/pcscf/rig.h"

#define S_RR "<sip:s@10.0.0.30:6060;lr>"
#define A_RR "<sip:as@10.0.0.60;lr>"

static struct pcscf_worker *pw(struct rig *r)
{
	return pcscf_of(&r->workers[0].w);
}

static size_t sessions(struct rig *r)
{
	return sessions_count(pw(r)->sessions);
}

/* Alice calls; her INVITE as the S-CSCF has it. */
static struct rig_sent *calls(struct rig *r, const char *call_id)
{
	rig_request_as(r, ALICE, "INVITE", "sip:bob@home", "From: \"A\" <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", call_id,
		       "Contact: <sip:alice@10.9.0.1:5060>\n");
	return rig_expect(r, "INVITE", SCSCF);
}

static void answered(struct rig *r, struct rig_sent *inv, const char *extra)
{
	char text[1024];

	snprintf(text, sizeof(text), "Contact: <sip:bob@10.9.0.2:6000>\nRecord-Route: " A_RR ", " S_RR ", %s\n%s", rig_hdr(inv, "Record-Route"),
		 extra ? extra : "");
	rig_reply(r, inv, 200, text);
	rig_expect_status(r, 200, ALICE);
}

/* Alice is called; what she got. */
static void is_called(struct rig *r, const char *path, const char *call_id)
{
	char text[1024];
	struct rig_sent *s;

	snprintf(text, sizeof(text), "Route: %s\nRecord-Route: " S_RR ", " A_RR "\nContact: <sip:bob@10.9.0.2:6000>\n", path);
	rig_request_as(r, SCSCF, "INVITE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", call_id, text);
	s = rig_expect(r, "INVITE", ALICE);
	snprintf(text, sizeof(text), "Contact: <sip:alice@10.9.0.1:5060>\nRecord-Route: %s\n", rig_hdr(s, "Record-Route"));
	rig_reply(r, s, 200, text);
	rig_expect_status(r, 200, SCSCF);
}

static struct rig_sent *expect_bye(struct rig *r, const char *where, const char *ruri, const char *from, const char *to, unsigned cseq,
				   const char *route)
{
	struct rig_sent *s = rig_expect(r, "BYE", where);

	ck_assert_msg(str_eq_c(s->m->ruri_text, ruri), "%.*s", STR_ARG(s->m->ruri_text));
	ck_assert_str_eq(rig_hdr(s, "From"), from);
	ck_assert_str_eq(rig_hdr(s, "To"), to);
	ck_assert_str_eq(rig_hdr(s, "Route"), route);
	ck_assert_uint_eq(s->m->cseq, cseq);
	ck_assert(strstr(rig_hdr(s, "Reason"), "SIP;cause=503;text=\"") != NULL);
	return s;
}

static void end_binding(struct rig *r, const char *why)
{
	ck_assert(bindings_del(pw(r)->bindings, STR("alice@home|alice@10.9.0.1:5060"), why));
	rig_run(r, 0);
}

/* The phone's registration ends by the network (From and To: the URIs and tags of the dialog, RFC 3261 §12.2.1.1): to the far end along the route set (RFC 3261 §12.1.2), to the phone where it was. */
START_TEST(test_both_ways)
{
	struct rig r;
	struct rig_sent *inv;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	inv = calls(&r, "call");
	answered(&r, inv, NULL);
	end_binding(&r, "expired");
	expect_bye(&r, SCSCF, "sip:bob@10.9.0.2:6000", "<sip:alice@home>;tag=A", "<sip:bob@home>;tag=T", inv->m->cseq + 1,
		   S_RR ", " A_RR);
	expect_bye(&r, ALICE, "sip:alice@10.9.0.1:5060", "<sip:bob@home>;tag=T", "<sip:alice@home>;tag=A", 1, "");
	rig_none(&r);
	ck_assert_uint_eq(sessions(&r), 0);
	rig_fini(&r);
}
END_TEST

/* What phones write as Record-Route is not where our BYE goes: they are reached by their flow. */
START_TEST(test_forged_route)
{
	char path[256], text[1024];
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	if (_i == 0) {
		rig_request_as(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "call",
			       "Contact: <sip:alice@10.9.0.1:5060>\nRecord-Route: <sip:evil@10.66.0.1;lr>\n");
		s = rig_expect(&r, "INVITE", SCSCF);
		answered(&r, s, NULL);
	} else {
		snprintf(text, sizeof(text), "Route: %s\nRecord-Route: " S_RR ", " A_RR "\nContact: <sip:bob@10.9.0.2:6000>\n", path);
		rig_request_as(&r, SCSCF, "INVITE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", "call", text);
		s = rig_expect(&r, "INVITE", ALICE);
		rig_reply(&r, s, 200, "Contact: <sip:alice@10.9.0.1:5060>\nRecord-Route: <sip:evil@10.66.0.1;lr>\n");
		rig_expect_status(&r, 200, SCSCF);
	}
	end_binding(&r, "expired");
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "BYE", SCSCF), "Route"), S_RR ", " A_RR);
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "BYE", ALICE), "Route"), "");
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

START_TEST(test_callee)
{
	char path[256];
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	is_called(&r, path, "mt");
	ck_assert_uint_eq(sessions(&r), 1);
	end_binding(&r, "administration");
	expect_bye(&r, SCSCF, "sip:bob@10.9.0.2:6000", "<sip:alice@home>;tag=T", "<sip:bob@home>;tag=B", 1, S_RR ", " A_RR);
	expect_bye(&r, ALICE, "sip:alice@10.9.0.1:5060", "<sip:bob@home>;tag=B", "<sip:alice@home>;tag=T", r.cseq + 1, "");
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* Both phones are ours: the call passes twice, with the same tags. */
START_TEST(test_both_phones_here)
{
	char path[256], text[2048], rr[512];
	struct rig r;
	struct rig_sent *mo, *mt;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_register(&r, "bob", BOB, NULL, NULL, path);
	mo = calls(&r, "call");
	snprintf(rr, sizeof(rr), "%s", rig_hdr(mo, "Record-Route"));
	snprintf(text, sizeof(text), "Route: %s\nRecord-Route: " S_RR ", %s\nContact: <sip:alice@10.9.0.1:5060>\n", path, rr);
	rig_request_as(&r, SCSCF, "INVITE", "sip:bob@10.9.0.2:5060", "From: \"A\" <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "call", text);
	mt = rig_expect(&r, "INVITE", BOB);
	snprintf(text, sizeof(text), "Contact: <sip:bob@10.9.0.2:5060>\nRecord-Route: %s\n", rig_hdr(mt, "Record-Route"));
	rig_reply(&r, mt, 200, text);
	rig_expect_status(&r, 200, SCSCF);
	snprintf(text, sizeof(text), "Contact: <sip:bob@10.9.0.2:5060>\nRecord-Route: %s, " S_RR ", %s\n", rig_hdr(mt, "Record-Route"), rr);
	rig_reply(&r, mo, 200, text);
	rig_expect_status(&r, 200, ALICE);
	ck_assert_uint_eq(sessions(&r), 2);
	end_binding(&r, "administration");			/* Alice's: her leg alone, the other hears of it by the core */
	rig_expect(&r, "BYE", SCSCF);
	rig_expect(&r, "BYE", ALICE);
	rig_none(&r);
	ck_assert_uint_eq(sessions(&r), 1);
	ck_assert_uint_eq(sessions_release_call(pw(&r)->sessions, STR("call"), "administration"), 1);
	rig_fini(&r);
}
END_TEST

/* CSeq and targets follow what passes. */
START_TEST(test_follows_the_dialog)
{
	char rr[512], route[1024];
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	s = calls(&r, "call");
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	answered(&r, s, NULL);
	snprintf(route, sizeof(route), "Route: %s, " S_RR ", " A_RR "\nContact: <sip:alice@10.9.0.1:5099>\n", rr);
	r.cseq = 40;
	rig_request_as(&r, ALICE, "UPDATE", "sip:bob@10.9.0.2:6000", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "call", route);
	s = rig_expect(&r, "UPDATE", SCSCF);
	rig_reply(&r, s, 200, "Contact: <sip:bob@10.9.0.2:7000>\n");
	rig_expect_status(&r, 200, ALICE);
	r.cseq = 70;
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	rig_request_as(&r, SCSCF, "INFO", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=T\nTo: <sip:alice@home>;tag=A\n", "call", route);
	s = rig_expect(&r, "INFO", ALICE);
	rig_reply(&r, s, 200, NULL);
	rig_expect_status(&r, 200, SCSCF);
	end_binding(&r, "administration");
	expect_bye(&r, SCSCF, "sip:bob@10.9.0.2:7000", "<sip:alice@home>;tag=A", "<sip:bob@home>;tag=T", 42, S_RR ", " A_RR);
	expect_bye(&r, ALICE, "sip:alice@10.9.0.1:5099", "<sip:bob@home>;tag=T", "<sip:alice@home>;tag=A", 72, "");
	rig_fini(&r);
}
END_TEST

/* A BYE that passes ends what we keep; a challenged one does not. */
START_TEST(test_bye_passes)
{
	char rr[512], route[1024];
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	s = calls(&r, "call");
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	answered(&r, s, NULL);
	snprintf(route, sizeof(route), "Route: %s, " S_RR ", " A_RR "\n", rr);
	for (unsigned i = 0; i < 2; i++) {
		rig_request_as(&r, ALICE, "BYE", "sip:bob@10.9.0.2:6000", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "call", route);
		rig_reply(&r, rig_expect(&r, "BYE", SCSCF), i ? 200 : 407, NULL);
		rig_expect_status(&r, i ? 200 : 407, ALICE);
		rig_run(&r, 40000);
		ck_assert_uint_eq(sessions(&r), !i);
	}
	end_binding(&r, "administration");
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* Not answered yet: CANCEL one way, 503 the other (§5.2.8.1.2, §5.2.8.1.3). */
START_TEST(test_early)
{
	char path[256], text[512];
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	if (_i == 0) {
		s = calls(&r, "early");
		rig_reply(&r, s, 180, NULL);
		rig_expect_status(&r, 180, ALICE);
	} else {
		snprintf(text, sizeof(text), "Route: %s\nContact: <sip:bob@10.9.0.2:6000>\n", path);
		rig_request_as(&r, SCSCF, "INVITE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", "mt", text);
		s = rig_expect(&r, "INVITE", ALICE);
		rig_reply(&r, s, 180, NULL);
		rig_expect_status(&r, 180, SCSCF);
	}
	end_binding(&r, "administration");
	s = rig_next(&r);
	if (!s->m->request) {			/* either order */
		ck_assert_uint_eq(s->m->status, 503);
		rig_expect(&r, "CANCEL", _i ? ALICE : SCSCF);
	} else {
		ck_assert(str_eq_c(s->m->method_name, "CANCEL"));
		rig_expect_status(&r, 503, _i ? SCSCF : ALICE);
	}
	rig_fini(&r);
}
END_TEST

/* What does not end a call. */
static const struct { const char *name, *why; unsigned byes; } reasons[] = {
	{ "the phone leaves, or comes back under another contact", "de-registered", 0 }, { "expiry", "expired", 2 },
	{ "reg event", "terminated by the home network", 2 }, { "pushed out by others", "replaced", 2 },
};

START_TEST(test_reason)
{
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	answered(&r, calls(&r, "call"), NULL);
	end_binding(&r, reasons[_i].why);
	for (unsigned i = 0; i < reasons[_i].byes; i++)
		ck_assert_msg(strstr(rig_hdr(rig_next(&r), "Reason"), reasons[_i].why) != NULL, "%s", reasons[_i].name);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* §5.2.10: an emergency call goes on whatever becomes of the registration. */
START_TEST(test_emergency_stays)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, "  emergency: {ecscf: \"sip:10.0.0.70\"}\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request(&r, ALICE, "INVITE", "urn:service:sos", "Contact: <sip:alice@10.9.0.1:5060>\n");
	s = rig_expect(&r, "INVITE", "udp:10.0.0.70:5060");
	answered(&r, s, NULL);
	ck_assert_uint_eq(sessions(&r), 1);
	end_binding(&r, "expired");
	rig_none(&r);
	ck_assert_uint_eq(sessions_release_call(pw(&r)->sessions, STR("call"), "administration"), 1);	/* but an operator may */
	rig_fini(&r);
}
END_TEST

/* DELETE /api/v1/dialogs/{callId}. */
START_TEST(test_by_call_id)
{
	struct rig r;
	struct rig_sent *s;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	s = calls(&r, "one");
	answered(&r, s, "Session-Expires: 1800;refresher=uac\n");
	s = calls(&r, "two");
	ck_assert_uint_eq(sessions_release_call(pw(&r)->sessions, STR("none"), "administration"), 0);
	ck_assert_uint_eq(sessions_release_call(pw(&r)->sessions, STR("one"), "administration"), 1);
	rig_expect(&r, "BYE", SCSCF);
	rig_expect(&r, "BYE", ALICE);
	rig_reply(&r, s, 180, NULL);
	rig_expect_status(&r, 180, ALICE);
	ck_assert_uint_eq(sessions_release_call(pw(&r)->sessions, STR("two"), "administration"), 1);
	ck_assert_uint_eq(sessions(&r), 0);
	rig_fini(&r);
}
END_TEST

/* RFC 4028 §8.3: what is not refreshed is forgotten, without a BYE. */
START_TEST(test_not_refreshed)
{
	struct rig r;

	rig_init(&r, NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	answered(&r, calls(&r, "call"), "Session-Expires: 100;refresher=uac\n");
	rig_run(&r, 131000);
	ck_assert_uint_eq(sessions(&r), 1);
	rig_run(&r, 2000);
	ck_assert_uint_eq(sessions(&r), 0);
	rig_none(&r);
	rig_fini(&r);
}
END_TEST

/* The kernel has ended the associations: nobody can be reached by them, and the far end must not wait. */
START_TEST(test_associations_die)
{
	struct rig r;
	struct rig_sent *s;
	char flow[80];

	rig_init_ipsec(&r, "{policy: require}", NULL);
	rig_request_as(&r, "udp:10.9.0.1:5060>10.0.0.10:5060", "REGISTER", "sip:home", "From: <sip:alice@home>;tag=r\nTo: <sip:alice@home>\n", "reg",
		       "Contact: <sip:alice@10.9.0.1:6001>\nSecurity-Client: ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;spi-c=1000;spi-s=1001;"
		       "port-c=6000;port-s=6001\nRequire: sec-agree\nProxy-Require: sec-agree\n"
		       "Authorization: Digest username=\"alice@home\",realm=\"home\",nonce=\"\",uri=\"sip:home\",response=\"\"\n");
	rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 401, "WWW-Authenticate: Digest realm=\"home\",nonce=\"n\",algorithm=AKAv1-MD5,"
		  "ck=\"00112233445566778899aabbccddeeff\",ik=\"ffeeddccbbaa99887766554433221100\"\n");
	rig_run(&r, 0);
	s = rig_expect_status(&r, 401, "udp:10.9.0.1:5060");
	{
		char extra[2048];

		snprintf(extra, sizeof(extra), "Contact: <sip:alice@10.9.0.1:6001>\nSecurity-Client: ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;"
			 "spi-c=1000;spi-s=1001;port-c=6000;port-s=6001\nSecurity-Verify: %s\nRequire: sec-agree\nProxy-Require: sec-agree\n"
			 "Authorization: Digest username=\"alice@home\",realm=\"home\",nonce=\"n\",uri=\"sip:home\",algorithm=AKAv1-MD5,response=\"a\"\n",
			 rig_hdr(s, "Security-Server"));
		snprintf(flow, sizeof(flow), "udp:10.9.0.1:6000>10.0.0.10:%u", r.kernel.set[0].mine.port_s);
		rig_request_as(&r, flow, "REGISTER", "sip:home", "From: <sip:alice@home>;tag=r\nTo: <sip:alice@home>\n", "reg", extra);
	}
	rig_reply(&r, rig_expect(&r, "REGISTER", DOOR), 200, "Contact: <sip:alice@10.9.0.1:6001>;expires=600\n"
		  "Service-Route: <sip:orig-alice@10.0.0.30:6060;lr>\nP-Associated-URI: <sip:alice@home>\n");
	rig_expect_status(&r, 200, "udp:10.9.0.1:6000");
	rig_request_as(&r, flow, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "call",
		       "Contact: <sip:alice@10.9.0.1:6001>\n");
	s = rig_expect(&r, "INVITE", SCSCF);
	{
		char text[1024];

		snprintf(text, sizeof(text), "Contact: <sip:bob@10.9.0.2>\nRecord-Route: " S_RR ", %s\n", rig_hdr(s, "Record-Route"));
		rig_reply(&r, s, 200, text);
	}
	rig_expect_status(&r, 200, "udp:10.9.0.1:6000");
	r.kernel.port.event(r.kernel.port.u, &(struct ipsec_event){ .spi = r.kernel.set[0].mine.spi_s });
	rig_expect(&r, "BYE", SCSCF);
	ck_assert_uint_eq(bindings_count(pw(&r)->bindings), 0);
	ck_assert_uint_eq(r.kernel.n, 0);
	rig_fini(&r);
}
END_TEST

/* SEC-07: calls that nobody answers: so many of one phone, and not for ever. */
START_TEST(test_early_calls)
{
	struct rig_sent *inv[4];
	struct rig r;
	char id[8];

	rig_init(&r, _i ? "  max_ringing_s: 100\n  early_grace_s: 0\n" : "  max_ringing_s: 102\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(id, sizeof(id), "c%u", i);
		inv[i] = calls(&r, id);
		rig_reply(&r, inv[i], 183, NULL);
		rig_expect_status(&r, 183, ALICE);
	}
	for (unsigned i = 0; i < 20 && !_i; i++) {				/* what is answered at once has no limit */
		snprintf(id, sizeof(id), "s%u", i);
		answered(&r, calls(&r, id), NULL);
	}
	rig_run(&r, _i ? 0 : 2000);
	rig_request_as(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "c5", NULL);
	rig_expect_status(&r, 486, ALICE);
	rig_request_as(&r, ALICE, "MESSAGE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "m", NULL);
	rig_reply(&r, rig_expect(&r, "MESSAGE", SCSCF), 200, NULL);
	rig_expect_status(&r, 200, ALICE);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);			/* a registration is no way around */
	rig_request_as(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "c6", NULL);
	rig_expect_status(&r, 486, ALICE);
	answered(&r, inv[0], NULL);						/* one is answered: another may ring */
	inv[0] = calls(&r, "c7");
	rig_run(&r, _i ? 0 : 2000);
	for (unsigned round = 0; round < 2; round++) {				/* a 183 now and then is no answer */
		for (unsigned i = 0; i < 4; i++)
			rig_reply(&r, inv[i], 183, NULL);
		for (unsigned i = 0; i < 4; i++)
			rig_expect_status(&r, 183, ALICE);
		rig_run(&r, round ? 3000 : 97000);
	}
	for (unsigned i = 0; i < 4; i++) {
		struct rig_sent *a = rig_next(&r), *b = rig_next(&r);

		ck_assert((a->m->request && b->m->status == 408) || (b->m->request && a->m->status == 408));
	}
	rig_fini(&r);
}
END_TEST

TEST_MAIN("session", TEST_ONE(test_both_ways), { &(test_forged_route), 2 }, TEST_ONE(test_callee), TEST_ONE(test_both_phones_here), TEST_ONE(test_follows_the_dialog), TEST_ONE(test_bye_passes),
	  { &(test_early), 2 }, TEST_ROWS(test_reason, reasons), TEST_ONE(test_emergency_stays), TEST_ONE(test_by_call_id),
	  TEST_ONE(test_not_refreshed), TEST_ONE(test_associations_die), { &(test_early_calls), 2 })
