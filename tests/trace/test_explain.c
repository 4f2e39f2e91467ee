/* tests/trace/test_explain.c - causes in words: the twenty first-hour failures of goal U4 and what no single event says. */
#include <stdio.h>
#include <time.h>
#include "common/trace/explain.h"
#include "tests/check.h"

#define T0 1795676595000000ull
#define FLOW_OF(m, st) { .call_id = "c", .icid = "i", .from = "001010000000001@ims.example", .to = "callee@ims.example", \
			 .method = (m), .has_method = true, .status = (st) }

static const struct {
	const char *name, *nf;
	enum trace_kind kind;
	const char *text;
	unsigned status;
	const char *cause, *first;		/* the first sentence */
} rows[] = {
	{ "1 MAC", "scscf", TRACE_NOTE, "refused: the phone did not trust our challenge (MAC failure) impi=u@ims.example impu=sip:u status=403", 403,
	  "key_mismatch", "The SIM of u@ims.example refused the challenge: its MAC check failed, so K or OPc of the SIM and of the HSS differ." },
	{ "1 answer", "scscf", TRACE_NOTE, "refused: the answer to the challenge is wrong impi=u@ims.example", 403,
	  "key_mismatch", "u@ims.example answered the challenge wrongly: K or OPc" },
	{ "2", "scscf", TRACE_NOTE, "refused: the sequence numbers of phone and HSS do not come together impi=u@x", 403,
	  "sqn", "The sequence numbers (SQN) of the SIM of u@x and of the HSS do not come together" },
	{ "4", "pcscf", TRACE_NOTE, "421 by us: security agreement required", 421, "no_security_client", "The phone sent no Security-Client" },
	{ "5", "pcscf", TRACE_NOTE, "494 by us: no security mechanism in common", 494, "no_common_algorithm", "Phone and P-CSCF have no IPsec algorithm" },
	{ "6", "pcscf", TRACE_NOTE, "403 by us: challenge answered in clear", 403, "in_clear", "IPsec associations are installed, but the phone" },
	{ "6 later", "pcscf", TRACE_NOTE, "in clear from a phone that has security associations impi=u@x", 403, "in_clear", "The phone of u@x has IPsec" },
	{ "7", "pcscf", TRACE_NOTE, "403 by us: Security-Verify differs from what was sent", 403,
	  "security_verify", "Security-Verify differs from what was sent: the phone must repeat" },
	{ "7 missing", "pcscf", TRACE_NOTE, "403 by us: Security-Verify is missing", 403, "security_verify", "Security-Verify is missing: the phone" },
	{ "8 rights", "pcscf", TRACE_NOTE, "security associations cannot be made: kernel errno=1 impi=u@x", 500, "xfrm_refused",
	  "The kernel refused the IPsec associations: the P-CSCF may not change them (no CAP_NET_ADMIN)." },
	{ "8 module", "pcscf", TRACE_NOTE, "security associations cannot be made: kernel errno=93 impi=u@x", 500, "xfrm_refused",
	  "The IPsec associations could not be made: kernel (errno 93)." },
	{ "9", "pcscf", TRACE_NOTE, "403 by us: foreign domain", 403, "foreign_domain",
	  "The phone registers in a domain that is not the home domain ims.example." },
	{ "10", "icscf", TRACE_NOTE, "refused: the HSS does not know this private identity procedure=registration impi=u@x", 403, "unknown_user",
	  "The HSS does not know the private identity u@x (5001)." },
	{ "11", "icscf", TRACE_NOTE, "refused: the public identity does not belong to the private identity impi=u@x", 403, "identities",
	  "The public identity of u@x does not belong" },
	{ "12", "icscf", TRACE_NOTE, "403 by us: roaming in the visited network is not allowed", 403, "roaming",
	  "The HSS does not let 001010000000001@ims.example roam" },
	{ "13", "icscf", TRACE_NOTE, "504 by us: no Diameter peer is open", 504, "hss_away",
	  "The Diameter connection to the HSS is not open: hss.x is closed, Connection refused." },
	{ "14", "scscf", TRACE_NOTE, "refused: another S-CSCF serves this identity, or the HSS does not know it impi=u@x", 403, "other_scscf",
	  "The HSS has another S-CSCF for u@x than this one" },
	{ "15", "pcscf", TRACE_NOTE, "next hop not resolved: no A or AAAA record for ims.example host=x", 500, "dns",
	  "DNS gave no way to the next hop: no A or AAAA record for ims.example." },
	{ "16", "scscf", TRACE_NOTE, "User-Data of the HSS cannot be used: no element found impi=u@x", 500, "user_data",
	  "The service profile (User-Data) of the HSS cannot be used: no element found." },
	{ "17", "icscf", TRACE_NOTE, "480 by us: the callee is not registered", 480, "callee_not_registered",
	  "The callee callee@ims.example is not registered" },
	{ "18", "scscf", TRACE_NOTE, "application server failed: the session ends as=sip:as.x:5060 priority=1", 504, "dead_as",
	  "The application server sip:as.x:5060 does not answer, and the filter criterion says SESSION_TERMINATED" },
	{ "19 refused", "pcscf", TRACE_NOTE, "policy control does not agree verdict=no cause=REQUESTED_SERVICE_NOT_AUTHORIZED code=5063", 403, "policy",
	  "Policy control (PCRF, PCF) did not grant the media of the call: no, REQUESTED_SERVICE_NOT_AUTHORIZED." },
	{ "19 absent", "pcscf", TRACE_DIA_IN, "AAA: none, Connection timed out", 500, "policy", "Policy control (PCRF) did not answer" },
	{ "20", "pcscf", TRACE_SIP_IN, "488 Not Acceptable Here (INVITE)", 488, "codecs", "The other phone refused the media offer (488)" },
	{ "a refusal that has no rule", "scscf", TRACE_NOTE, "483 by us: too many hops", 483, "refused",
	  "The S-CSCF refused the INVITE with 483: too many hops." },
	{ "somebody else's", "pcscf", TRACE_SIP_IN, "580 Precondition Failure (INVITE)", 580, "status",
	  "The INVITE ended with 580, which came from udp:192.0.2.1:5060." },
	{ "the number stands in the text", "pcscf", TRACE_SIP_IN, "200 OK 488 (INVITE)", 200, "success", "The INVITE of" },
};

static struct explain_facts facts(const char *nf, uint64_t now_us)
{
	return (struct explain_facts){ .nf = nf, .now_us = now_us, .peers = "hss.x is closed, Connection refused", .domain = "ims.example" };
}

static struct trace_event event(uint64_t us, enum trace_kind k, const char *text)
{
	struct trace_event e = { .wall_us = us, .kind = (uint8_t)k, .call_id = "c", .peer = "udp:192.0.2.1:5060" };

	snprintf(e.text, sizeof(e.text), "%s", text);
	return e;
}

START_TEST(test_causes)
{
	struct trace_flow f = FLOW_OF(SIP_INVITE, (uint16_t)rows[_i].status);
	struct trace_event e[3] = { event(T0, TRACE_SIP_IN, "INVITE sip:x"), event(T0 + 1, rows[_i].kind, rows[_i].text),
				    event(T0 + 2, TRACE_SIP_OUT, "x") };
	struct explain_facts k = facts(rows[_i].nf, T0);
	struct explanation x;

	explain(&k, &f, e, 3, &x);
	ck_assert_msg(strcmp(x.cause, rows[_i].cause) == 0, "%s: %s, %s", rows[_i].name, x.cause, x.summary);
	ck_assert_msg(strncmp(x.summary, rows[_i].first, strlen(rows[_i].first)) == 0, "%s: %s", rows[_i].name, x.summary);
	ck_assert_msg(!strchr(x.summary, '{') && !strchr(x.summary, '?'), "%s: %s", rows[_i].name, x.summary);
}
END_TEST

/* 3: the phone never got the 401.  Said by the P-CSCF with the most weight: it knows the address. */
START_TEST(test_silence)
{
	struct trace_flow f = FLOW_OF(SIP_REGISTER, 401);
	struct trace_event e[] = { event(T0, TRACE_SIP_IN, "REGISTER sip:ims.example"), event(T0 + 9000, TRACE_SIP_OUT, "401 Unauthorized (REGISTER)"),
				   event(T0 + 500000, TRACE_SIP_IN, "REGISTER sip:ims.example"),
				   event(T0 + 500100, TRACE_SIP_OUT, "401 Unauthorized (REGISTER)") };
	struct explain_facts k = facts("pcscf", T0 + 600000);
	struct explanation x, core;

	explain(&k, &f, e, 4, &x);
	ck_assert_str_eq(x.cause, "challenged");
	ck_assert_str_eq(x.outcome, "running");
	k.now_us = T0 + 8000000;
	explain(&k, &f, e, 4, &x);
	ck_assert_str_eq(x.cause, "challenge_unanswered");
	ck_assert_msg(strstr(x.summary, "the 401 was sent 2 times to 192.0.2.1, the last 7 s ago"), "%s", x.summary);
	ck_assert_ptr_nonnull(strstr(x.tries[0], "ip route get 192.0.2.1"));
	k.nf = "scscf";
	explain(&k, &f, e, 4, &core);
	ck_assert_uint_lt(core.weight, x.weight);
}
END_TEST

/* 14: where the I-CSCF was sent by the HSS. */
START_TEST(test_named_server)
{
	struct trace_flow f = FLOW_OF(SIP_REGISTER, 500);
	struct trace_event e[] = { event(T0, TRACE_NOTE, "sent on procedure=registration how=named by the HSS to=sip:gone.x:6060 cx_ms=1"),
				   event(T0 + 1, TRACE_NOTE, "next hop not resolved: no A or AAAA record for gone.x") };
	struct explain_facts k = facts("icscf", T0);
	struct explanation x;

	explain(&k, &f, e, 2, &x);
	ck_assert_str_eq(x.cause, "other_scscf");
	ck_assert_msg(strstr(x.summary, "sip:gone.x:6060, cannot be reached"), "%s", x.summary);
	strcpy(e[0].text, "sent on procedure=registration how=default to=sip:s.x");
	explain(&k, &f, e, 2, &x);
	ck_assert_str_eq(x.cause, "dns");
}
END_TEST

/* Newest first: which one somebody means. */
static const struct {
	const char *name;
	struct { enum sip_method m; unsigned status; } f[4];
	size_t n, wanted;
} choices[] = {
	{ "the newest failure", { { SIP_INVITE, 480 }, { SIP_INVITE, 486 } }, 2, 0 },
	{ "behind a success of something else", { { SIP_REGISTER, 200 }, { SIP_INVITE, 486 } }, 2, 1 },
	{ "healed", { { SIP_REGISTER, 200 }, { SIP_REGISTER, 403 } }, 2, 0 },
	{ "healed, but a call failed before", { { SIP_REGISTER, 200 }, { SIP_REGISTER, 403 }, { SIP_INVITE, 500 } }, 3, 2 },
	{ "in progress does not count", { { SIP_INVITE, 0 }, { SIP_REGISTER, 401 } }, 2, 1 },
	{ "all well", { { SIP_INVITE, 200 }, { SIP_REGISTER, 200 } }, 2, 0 },
};

START_TEST(test_choice)
{
	struct trace_flow f[4] = { 0 };

	for (size_t i = 0; i < choices[_i].n; i++) {
		f[i].method = (uint8_t)choices[_i].f[i].m;
		f[i].status = (uint16_t)choices[_i].f[i].status;
	}
	ck_assert_msg(explain_choose(f, choices[_i].n) == choices[_i].wanted, "%s", choices[_i].name);
}
END_TEST

/* Odd text must not run over: events hold what peers wrote. */
START_TEST(test_odd_text)
{
	static const char *const odd[] = { "", ": ", "=", " =", "a=", "by us: ", " by us: {status} {why}", "next hop not resolved", "next hop failed: =",
					   "sent on how=named by the HSS", "401 ", "488 " };
	struct explain_facts k = facts("icscf", T0);
	struct trace_event e[2];
	struct explanation x;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (int kind = TRACE_SIP_IN; kind <= TRACE_NOTE; kind++) {
			struct trace_flow f = FLOW_OF(SIP_REGISTER, 401);

			e[0] = event(T0, (enum trace_kind)kind, odd[i]);
			e[1] = event(T0, TRACE_SIP_OUT, "401 x");
			e[1].peer[0] = '\0';
			explain(&k, &f, e, 2, &x);
			ck_assert(x.summary[0] != '\0');
			f.status = 500;
			memset(e[0].text, 'x', sizeof(e[0].text) - 1);
			explain(&k, &f, e, 1, &x);
			ck_assert(x.summary[0] != '\0');
		}
	}
}
END_TEST

/* U4: within 100 ms, with as many events as are ever looked at. */
START_TEST(test_time)
{
	static struct trace_event e[600];
	struct trace_flow f = FLOW_OF(SIP_INVITE, 503);
	struct explain_facts k = facts("scscf", T0);
	struct explanation x;
	clock_t began;

	for (size_t i = 0; i < 600; i++) {
		e[i] = event(T0, TRACE_NOTE, "");
		memset(e[i].text, 'a' + (int)i % 26, sizeof(e[i].text) - 1);
	}
	began = clock();
	explain(&k, &f, e, 600, &x);
	ck_assert_double_lt((double)(clock() - began) / CLOCKS_PER_SEC, 0.1);
}
END_TEST

TEST_MAIN("explain", TEST_ROWS(test_causes, rows), TEST_ONE(test_silence), TEST_ONE(test_named_server), TEST_ROWS(test_choice, choices),
	  TEST_ONE(test_odd_text), TEST_ONE(test_time))
