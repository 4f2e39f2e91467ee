/* tests/pcscf/test_topology.c - what a phone gets to see: no cell, no private identity, no IMEI of the far end, and, with
 * access.hide_topology, nothing of the core.  Everything that is sent to a phone is scanned.  SEC-05; rows P12, C8. */
#include <string.h>
#include "tests/pcscf/rig.h"

#define S_RR "<sip:s@10.0.0.30:6060;lr>"
#define A_RR "<sip:as@10.0.0.60;lr>"
#define CORE_VIA "Via: SIP/2.0/UDP 10.0.0.30:6060;branch=z9hG4bKs%u\nVia: SIP/2.0/UDP 10.0.0.60;branch=z9hG4bKas\n" \
	"Via: SIP/2.0/UDP scscf.home;branch=z9hG4bKx;received=10.0.0.31\n"
#define OF_THE_CORE "P-Charging-Vector: icid-value=secret;orig-ioi=home\nP-Charging-Function-Addresses: ccf=10.0.0.90\n" \
	"P-Access-Network-Info: 3GPP-NR;utran-cell-id-3gpp=00101cell\nCellular-Network-Info: 3GPP-NR;utran-cell-id-3gpp=00101cell;cell-info-age=5\n" \
	"P-Served-User: <sip:001010000000002@home>\nP-Visited-Network-ID: visited\nServer: core\n" \
	"Warning: 399 scscf.home:6060 \"secret\"\nPath: <sip:10.0.0.40;lr>\nService-Route: <sip:10.0.0.30:6060;lr>\n"

/* Of the core and of the far end; what is hidden only by access.hide_topology comes last. */
static const char *const planted[] = { "utran-cell", "00101cell", "0010100000", "gsma:imei", "icid-value", "visited", "10.0.0.90", "10.0.0.40",
				       "P-Charging", "P-Served-User", "Cellular-Network-Info", NULL };
static const char *const hidden[] = { "10.0.0.20", "10.0.0.3", "10.0.0.60", "scscf", "icscf", "Server:", "Warning:", NULL };

static bool to_phone(const struct rig_sent *s)
{
	return strncmp(s->where, "udp:10.9.", 9) == 0;
}

/* Returns how many messages went to phones. */
static unsigned scan(const struct rig *r, const char *const *words)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++) {
		if (!to_phone(&r->sent[i]))
			continue;
		n++;
		for (unsigned k = 0; words[k]; k++)
			ck_assert_msg(!rig_contains(&r->sent[i], words[k]), "%s to a phone:\n%.*s", words[k], STR_ARG(bytes_str(r->sent[i].wire)));
	}
	return n;
}

/* A request of the core within the Vias of the core; extra: complete lines. */
static void core_request(struct rig *r, const char *method, const char *ruri, const char *from_to, const char *call_id, const char *extra)
{
	char text[20000];

	r->cseq++;
	snprintf(text, sizeof(text), "%s %s SIP/2.0\n" CORE_VIA "Max-Forwards: 60\n%sCall-ID: %s\nCSeq: %u %s\n%s" OF_THE_CORE, method, ruri, r->cseq,
		 from_to, call_id, r->cseq, method, extra);
	rig_in(r, SCSCF, text);
}

static void expect_vias_back(const struct rig_sent *s)
{
	const char *via = rig_hdr(s, "Via");

	ck_assert_msg(sip_values_count(s->m, SIP_H_VIA) == 3 && strstr(via, "10.0.0.60;branch=z9hG4bKas") && strstr(via, "received=10.0.0.31"), "%s", via);
}

static const char *const privacy[] = { "", "Privacy: id\n", "Privacy: header;id\n", "Privacy: session;user;critical\n" };

/* A call to a phone, with everything within it, from both ends. */
static void mt_call(struct rig *r, const char *path, bool hide, const char *more)
{
	static const char *const methods[] = { "PRACK", "UPDATE", "INFO", "BYE" };
	char text[8192], rr[1024];
	struct rig_sent *s;

	snprintf(text, sizeof(text), "Route: %s\nRecord-Route: " S_RR ", " A_RR "\nContact: <sip:bob@10.8.7.6:5060>\n%s", path, more);
	core_request(r, "INVITE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", "mt", text);
	s = rig_expect(r, "INVITE", ALICE);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	ck_assert_uint_eq(sip_values_count(s->m, SIP_H_VIA), hide ? 1 : 4);
	ck_assert_uint_eq(sip_values_count(s->m, SIP_H_RECORD_ROUTE), hide ? 1 : 3);
	snprintf(text, sizeof(text), "Record-Route: %s\nContact: <sip:alice@10.9.0.1:5060>\n", rr);
	rig_reply(r, s, 180, text);
	expect_vias_back(rig_expect_status(r, 180, SCSCF));
	rig_reply(r, s, 200, text);
	s = rig_expect_status(r, 200, SCSCF);
	expect_vias_back(s);
	/* the core gets its own values, and ours as it can use it */
	ck_assert_msg(strstr(rig_hdr(s, "Record-Route"), ", " S_RR ", " A_RR) && !strstr(rig_hdr(s, "Record-Route"), "rs="), "%s",
		      rig_hdr(s, "Record-Route"));
	{
		struct str rest = str_from_c(rig_hdr(s, "Record-Route")), one;

		sip_list_next(&rest, &one);
		snprintf(text, sizeof(text), "Route: %.*s\n", STR_ARG(one));
	}
	core_request(r, "ACK", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>;tag=T\n", "mt", text);
	s = rig_expect(r, "ACK", ALICE);
	ck_assert_uint_eq(sip_values_count(s->m, SIP_H_VIA), hide ? 1 : 4);
	core_request(r, "UPDATE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>;tag=T\n", "mt", text);
	s = rig_expect(r, "UPDATE", ALICE);
	rig_reply(r, s, 200, NULL);
	expect_vias_back(rig_expect_status(r, 200, SCSCF));
	for (unsigned i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "Route: %s\n", rr);
		rig_request_as(r, ALICE, methods[i], "sip:bob@10.8.7.6:5060", "From: <sip:alice@home>;tag=T\nTo: <sip:bob@home>;tag=B\n", "mt", text);
		s = rig_expect(r, methods[i], SCSCF);
		ck_assert_str_eq(rig_hdr(s, "Route"), S_RR ", " A_RR);
		rig_reply(r, s, 200, OF_THE_CORE);
		rig_expect_status(r, 200, ALICE);
	}
}

/* A call of a phone; the caller's route set is the other way round. */
static void mo_call(struct rig *r, bool hide, const char *more)
{
	static const char *const methods[] = { "PRACK", "ACK", "UPDATE", "BYE" };
	char text[8192], rr[1024], route[2048];
	struct rig_sent *s, *inv;

	snprintf(text, sizeof(text), "Contact: <sip:alice@10.9.0.1:5060>\n%s", more);
	rig_request_as(r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "mo", text);
	inv = rig_expect(r, "INVITE", SCSCF);
	snprintf(text, sizeof(text), "Record-Route: " A_RR ", " S_RR ", %s\nContact: <sip:bob@10.8.7.6>;+sip.instance=\"<urn:gsma:imei:35-1>\"\n" OF_THE_CORE,
		 rig_hdr(inv, "Record-Route"));
	rig_reply(r, inv, 183, text);
	rig_expect_status(r, 183, ALICE);
	rig_reply(r, inv, 200, text);
	s = rig_expect_status(r, 200, ALICE);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	ck_assert_uint_eq(sip_values_count(s->m, SIP_H_RECORD_ROUTE), hide ? 1 : 3);
	snprintf(route, sizeof(route), "Route: %s%s\n", hide ? rr : rig_hdr(inv, "Record-Route"), hide ? "" : ", " S_RR ", " A_RR);
	for (unsigned i = 0; i < 4; i++) {
		rig_request_as(r, ALICE, methods[i], "sip:bob@10.8.7.6", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "mo", route);
		s = rig_expect(r, methods[i], SCSCF);
		ck_assert_str_eq(rig_hdr(s, "Route"), S_RR ", " A_RR);
		if (i == 1)
			continue;
		rig_reply(r, s, 200, OF_THE_CORE);
		rig_expect_status(r, 200, ALICE);
	}
}

static void message_and_refusals(struct rig *r, const char *path, const char *more)
{
	char text[4096];
	struct rig_sent *s;

	snprintf(text, sizeof(text), "Route: %s\n%s", path, more);
	core_request(r, "MESSAGE", "sip:alice@10.9.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", "m", text);
	s = rig_expect(r, "MESSAGE", ALICE);
	rig_reply(r, s, 200, NULL);
	rig_expect_status(r, 200, SCSCF);
	for (unsigned status = 400; status < 700; status += 86) {
		rig_request_as(r, ALICE, "MESSAGE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "x", more);
		s = rig_expect(r, "MESSAGE", SCSCF);
		rig_reply(r, s, status, OF_THE_CORE);
		rig_expect_status(r, status, ALICE);
	}
}

START_TEST(test_scan)
{
	bool hide = _i % 2;
	const char *more = privacy[_i / 2];
	char path[256];
	struct rig r;

	rig_init(&r, hide ? "  hide_topology: true\n" : NULL, 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, path);
	mt_call(&r, path, hide, more);
	mo_call(&r, hide, more);
	message_and_refusals(&r, path, more);
	rig_none(&r);
	ck_assert_uint_ge(scan(&r, planted), 19);
	if (hide)
		scan(&r, hidden);
	rig_fini(&r);
}
END_TEST

/* The sealed part cannot be changed, nor left out. */
START_TEST(test_forged)
{
	char rr[1024], route[2048], *at;
	struct rig_sent *inv;
	struct rig r;

	rig_init(&r, "  hide_topology: true\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	rig_request_as(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", "mo",
		       "Contact: <sip:alice@10.9.0.1:5060>\n");
	inv = rig_expect(&r, "INVITE", SCSCF);
	snprintf(route, sizeof(route), "Record-Route: " S_RR ", %s\nContact: <sip:bob@10.8.7.6>\n", rig_hdr(inv, "Record-Route"));
	rig_reply(&r, inv, 200, route);
	snprintf(rr, sizeof(rr), "%s", rig_hdr(rig_expect_status(&r, 200, ALICE), "Record-Route"));
	at = strstr(rr, ";rs=") + 10;
	*at = *at == 'A' ? 'B' : 'A';
	snprintf(route, sizeof(route), "Route: %s\n", rr);
	rig_request_as(&r, ALICE, "BYE", "sip:bob@10.8.7.6", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "mo", route);
	rig_expect_status(&r, 403, ALICE);
	at = strstr(rr, ";rs=");		/* left out: the phone's own idea of a route set is as good as ever */
	strcpy(at, ">");
	snprintf(route, sizeof(route), "Route: %s, <sip:evil@10.9.0.66;lr>\n", rr);
	rig_request_as(&r, ALICE, "BYE", "sip:bob@10.8.7.6", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "mo", route);
	rig_expect_status(&r, 403, ALICE);
	rig_fini(&r);
}
END_TEST

/* What was sealed for one call, beside the token of another, each good in itself: a phone would choose a route set for its call. */
START_TEST(test_route_of_another_call)
{
	static const char *const call_ids[] = { "one", "two" }, *const hops[] = { "<sip:as@10.0.0.60;lr>, ", "" };
	char rr[2][1024], mixed[2048], route[2400], *first, *second;
	struct rig_sent *inv;
	struct rig r;

	rig_init(&r, "  hide_topology: true\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	for (unsigned i = 0; i < 2; i++) {
		rig_request_as(&r, ALICE, "INVITE", "sip:bob@home", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>\n", call_ids[i],
			       "Contact: <sip:alice@10.9.0.1:5060>\n");
		inv = rig_expect(&r, "INVITE", SCSCF);
		snprintf(route, sizeof(route), "Record-Route: %s" S_RR ", %s\nContact: <sip:bob@10.8.7.6>\n", hops[i], rig_hdr(inv, "Record-Route"));
		rig_reply(&r, inv, 200, route);
		snprintf(rr[i], sizeof(rr[i]), "%s", rig_hdr(rig_expect_status(&r, 200, ALICE), "Record-Route"));
	}
	first = strstr(rr[0], ";rs=");
	second = strstr(rr[1], ";rs=");
	ck_assert(first && second);
	snprintf(mixed, sizeof(mixed), "%.*s%s", (int)(first - rr[0]), rr[0], second);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(route, sizeof(route), "Route: %s\n", i ? rr[0] : mixed);
		rig_request_as(&r, ALICE, "BYE", "sip:bob@10.8.7.6", "From: <sip:alice@home>;tag=A\nTo: <sip:bob@home>;tag=T\n", "one", route);
		if (i)
			ck_assert_str_eq(rig_hdr(rig_expect(&r, "BYE", SCSCF), "Route"), S_RR ", <sip:as@10.0.0.60;lr>");
		else
			rig_expect_status(&r, 403, ALICE);
	}
	rig_fini(&r);
}
END_TEST

/* With two addresses of ours the phone sees the one on its side. */
START_TEST(test_two_sides)
{
	char text[2048], path[256], rr[1024];
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, "  hide_topology: true\n", 1);
	rig_register(&r, "alice", "udp:10.8.0.1:5060", NULL, NULL, path);
	snprintf(text, sizeof(text), "Route: %s\nRecord-Route: " S_RR "\nContact: <sip:bob@10.8.7.6>\n", path);
	core_request(&r, "INVITE", "sip:alice@10.8.0.1:5060", "From: <sip:bob@home>;tag=B\nTo: <sip:alice@home>\n", "mt", text);
	s = rig_expect(&r, "INVITE", "udp:10.8.0.1:5060");
	snprintf(rr, sizeof(rr), "%s", rig_hdr(s, "Record-Route"));
	ck_assert_msg(strstr(rr, "@10.1.0.10:5060") && !rig_contains(s, "10.0.0."), "%s", rr);
	snprintf(text, sizeof(text), "Record-Route: %s\nContact: <sip:alice@10.8.0.1:5060>\n", rr);
	rig_reply(&r, s, 200, text);
	s = rig_expect_status(&r, 200, SCSCF);
	ck_assert_uint_eq(sip_values_count(s->m, SIP_H_RECORD_ROUTE), 3);
	snprintf(text, sizeof(text), "Route: %s\n", rr);
	rig_request_as(&r, "udp:10.8.0.1:5060", "BYE", "sip:bob@10.8.7.6", "From: <sip:alice@home>;tag=T\nTo: <sip:bob@home>;tag=B\n", "mt", text);
	s = rig_expect(&r, "BYE", SCSCF);
	ck_assert_str_eq(rig_hdr(s, "Route"), S_RR);
	rig_fini(&r);
}
END_TEST

/* A phone's REGISTER: the Service-Route it hears is ours; what it then writes does not count (P11). */
START_TEST(test_service_route)
{
	struct rig_sent *s;
	struct rig r;

	rig_init(&r, "  hide_topology: true\n", 1);
	rig_register(&r, "alice", ALICE, NULL, NULL, NULL);
	s = &r.sent[r.n - 1];
	ck_assert_str_eq(rig_hdr(s, "Service-Route"), "<sip:pcscf.home:5060;lr>");
	rig_request(&r, ALICE, "MESSAGE", "sip:bob@home", "Route: <sip:10.0.0.10;lr>, <sip:pcscf.home:5060;lr>\n");
	ck_assert_str_eq(rig_hdr(rig_expect(&r, "MESSAGE", SCSCF), "Route"), "<sip:orig-alice@10.0.0.30:6060;lr>");
	rig_fini(&r);
}
END_TEST

TEST_MAIN("topology", { &(test_scan), 8 }, TEST_ONE(test_forged), TEST_ONE(test_route_of_another_call), TEST_ONE(test_two_sides), TEST_ONE(test_service_route))
