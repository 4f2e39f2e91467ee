/* tests/scscf/test_auth.c - challenges and answers: TS 24.229 §5.4.1.2.1, §5.4.1.2.2, §5.4.1.2.3; TS 33.203 §6.1; RFC 3310;
 * RFC 7616; rows S1, S2, S4; clients.md 1-4, 10; reliability row SEC-10. */
#include <string.h>
#include "common/util/rand.h"
#include "tests/scscf/reg_rig.h"

static struct reg_rig r;
static struct rig_phone p;

static void begin(void)
{
	rig_init(&r);
	phone_init(&p);
}

static void digest(enum auth_algorithm a)
{
	begin();
	r.password = "secret";
	r.digest = a;
	p.password = "secret";
	p.integrity = "ip-assoc-pending";
}

START_TEST(test_aka_registration_S2)
{
	begin();
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert_str_eq(r.scheme, "Unknown");
	ck_assert(rig_has(&r, "WWW-Authenticate: Digest realm=\"" RIG_DOMAIN "\", nonce=\""));
	ck_assert(rig_has(&r, "algorithm=AKAv1-MD5, ck=\"") && rig_has(&r, ", ik=\"") && rig_has(&r, "qop=\"auth\""));
	ck_assert(!rig_has(&r, "stale"));
	ck_assert_int_eq(phone_solve(&r, &p), 0);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	ck_assert(rig_has(&r, "Service-Route: <sip:") && rig_has(&r, "@127.0.31.30:6060;lr>"));
	ck_assert(rig_has(&r, "P-Associated-URI: <sip:+491510000001@" RIG_DOMAIN ">, <tel:+491510000001>\r\n"));
	ck_assert(rig_has(&r, "Path: <sip:TOKEN@127.0.31.10:5060;lr>\r\n"));
	ck_assert(rig_has(&r, "Contact: <sip:001010000000001@127.0.31.101:5066>;+g.3gpp.smsip;q=0.500;expires=600\r\n"));
	/* The answer serves once. */
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert(rig_has(&r, "stale=true"));
	rig_fini(&r);
}
END_TEST

/* One MAR brings three vectors; the second is asked for when none is left (DESIGN: cost is counted in Diameter exchanges). */
START_TEST(test_vectors_are_used_one_by_one_S2)
{
	begin();
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_eq(phone_register(&r, &p), 200);
		ck_assert_str_eq(r.cx, i < 3 ? "MAR SAR1 " : "MAR SAR1 MAR ");
	}
	rig_fini(&r);
}
END_TEST

static const struct { const char *name; const char *integrity; bool allow, wrong; unsigned status; const char *cx; enum hss_profile hss; } answers[] = {
	{ "right, unprotected, allowed", "no", true, false, 200, "MAR SAR1 ", HSS_STANDARD },
	{ "right, unprotected, not allowed", "no", false, false, 403, "MAR ", HSS_STANDARD },
	{ "right, protected", "yes", false, false, 200, "MAR SAR1 ", HSS_STANDARD },
	{ "wrong: the HSS is told", "yes", false, true, 403, "MAR SAR9 ", HSS_STANDARD },
	{ "wrong: PyHSS would clear the S-CSCF", "yes", false, true, 403, "MAR ", HSS_PYHSS },
	{ "wrong: Open5GS bears it", "yes", false, true, 403, "MAR SAR9 ", HSS_OPEN5GS },
};

START_TEST(test_answer_row)
{
	begin();
	r.cfg->allow_unprotected_aka = answers[_i].allow;
	r.s->hss = answers[_i].hss;
	p.wrong = answers[_i].wrong;
	phone_send(&r, &p);
	p.integrity = answers[_i].integrity;
	phone_solve(&r, &p);
	ck_assert_msg(phone_send(&r, &p) == answers[_i].status, "%s: %u", answers[_i].name, r.status);
	ck_assert_msg(strcmp(r.cx, answers[_i].cx) == 0, "%s: %s", answers[_i].name, r.cx);
	ck_assert_msg((rig_registration(&r) && rig_registration(&r)->n_bindings) == (answers[_i].status == 200), "%s", answers[_i].name);
	rig_fini(&r);
}
END_TEST

/* Somebody else's wrong answers do not void the user's challenge at once, but three do. */
START_TEST(test_wrong_answers_of_others)
{
	struct rig_phone other;

	begin();
	phone_init(&other);
	other.wrong = true;
	phone_send(&r, &p);
	phone_solve(&r, &p);
	phone_send(&r, &other);
	other.sqn_ms = 0;
	phone_solve(&r, &other);
	ck_assert_uint_eq(phone_send(&r, &other), 403);
	ck_assert_uint_eq(phone_send(&r, &other), 403);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	rig_fini(&r);
	begin();
	phone_init(&other);
	other.wrong = true;
	phone_send(&r, &p);
	phone_solve(&r, &p);
	phone_send(&r, &other);
	phone_solve(&r, &other);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(phone_send(&r, &other), 403);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	rig_fini(&r);
}
END_TEST

START_TEST(test_phone_refuses_the_network)
{
	begin();
	phone_send(&r, &p);
	phone_solve(&r, &p);
	snprintf(p.auth, sizeof(p.auth), "Digest username=\"%s\", realm=\"x\", nonce=\"%s\", uri=\"sip:x\", response=\"\"", p.user, p.nonce);
	ck_assert_uint_eq(phone_send(&r, &p), 403);
	ck_assert(rig_has(&r, "MAC failure"));
	ck_assert_str_eq(r.cx, "MAR SAR9 ");
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_resynchronisation_S2)
{
	begin();
	p.sqn_ms = 1u << 20;
	phone_send(&r, &p);
	ck_assert_int_eq(phone_solve(&r, &p), -ESTALE);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert_str_eq(r.scheme, "Digest-AKAv1-MD5");
	ck_assert_int_eq(phone_solve(&r, &p), 0);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR MAR+auts SAR1 ");
	rig_fini(&r);
}
END_TEST

/* A phone (or somebody) that never has enough: two resynchronisations, then 403; and the counter is not reset by trying again. */
START_TEST(test_resynchronisation_ends)
{
	begin();
	phone_send(&r, &p);
	for (int i = 0; i < 3; i++) {
		p.sqn_ms = 1ull << (20 + i);
		ck_assert_int_eq(phone_solve(&r, &p), -ESTALE);
		ck_assert_uint_eq(phone_send(&r, &p), i < 2 ? 401 : 403);
	}
	ck_assert(strncmp(r.cx, "MAR MAR+auts MAR+auts ", 22) == 0 && !strstr(r.cx + 22, "auts"));
	phone_begin(&p);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	p.sqn_ms = 1ull << 30;
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 403);
	/* With reg-await-auth over it may start anew. */
	rig_run(&r, 300000);
	ck_assert_ptr_null(rig_registration(&r));
	phone_begin(&p);
	phone_send(&r, &p);
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *auts; } broken_auts[] = {
	{ "too short", "AAAA" }, { "too long", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA" }, { "no base64", "!!!!" },
};

START_TEST(test_broken_auts_row)
{
	begin();
	phone_send(&r, &p);
	phone_solve(&r, &p);
	snprintf(p.auth, sizeof(p.auth), "Digest username=\"%s\", realm=\"x\", nonce=\"%s\", uri=\"sip:x\", response=\"\", auts=\"%s\"",
		 p.user, p.nonce, broken_auts[_i].auts);
	ck_assert_msg(phone_send(&r, &p) == 403, "%s: %u", broken_auts[_i].name, r.status);
	rig_fini(&r);
}
END_TEST

START_TEST(test_nobody_answers_the_challenge)
{
	begin();
	phone_send(&r, &p);
	rig_run(&r, 239000);
	ck_assert_str_eq(r.cx, "MAR ");
	rig_run(&r, 2000);
	ck_assert_str_eq(r.cx, "MAR SAR10 ");
	ck_assert_ptr_null(rig_registration(&r));
	phone_solve(&r, &p);		/* too late */
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	rig_fini(&r);
}
END_TEST

/* SEC-10: the same challenge while nobody answered it; another one after a while, for a phone whose USIM used it up. */
START_TEST(test_flood_costs_one_mar_SEC_10)
{
	struct rig_phone hostile;
	char first[128];

	begin();
	phone_init(&hostile);
	phone_send(&r, &p);
	phone_solve(&r, &p);
	str_copy(str_from_c(p.nonce), first, sizeof(first));
	for (int i = 0; i < 50; i++) {
		rand_token(hostile.call_id, 16);
		ck_assert_uint_eq(phone_send(&r, &hostile), 401);
		ck_assert(rig_has(&r, first));
	}
	ck_assert_str_eq(r.cx, "MAR ");
	rig_run(&r, 11000);
	ck_assert_uint_eq(phone_send(&r, &hostile), 401);
	ck_assert(!rig_has(&r, first));
	ck_assert_uint_eq(phone_send(&r, &p), 200);		/* the user's own still counts */
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *integrity; bool challenge_refresh, other_contact; unsigned status; } refreshes[] = {
	{ "through the association", "yes", true, false, 200 },
	{ "through the association, new contact", "yes", true, true, 200 },
	{ "unprotected", "no", true, false, 401 },
	{ "unprotected, not to be challenged", "no", false, false, 200 },
	{ "unprotected, not to be challenged, new contact", "no", false, true, 401 },
	{ "SIP Digest, known address", "ip-assoc-yes", true, false, 401 },
	{ "SIP Digest, known address, not to be challenged", "ip-assoc-yes", false, true, 200 },
	{ "P-CSCF says nothing", NULL, true, false, 401 },
};

START_TEST(test_refresh_row_S1)
{
	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	r.cfg->challenge_refresh = refreshes[_i].challenge_refresh;
	p.integrity = refreshes[_i].integrity;
	p.contact = refreshes[_i].other_contact ? "<sip:me@10.9.9.9>" : NULL;
	phone_begin(&p);
	ck_assert_msg(phone_send(&r, &p) == refreshes[_i].status, "%s: %u", refreshes[_i].name, r.status);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	rig_fini(&r);
}
END_TEST

/* §5.4.1.2.3: a registration that stands survives a re-authentication that fails, and nobody tells the HSS. */
START_TEST(test_old_registration_survives)
{
	begin();
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	p.wrong = true;
	phone_begin(&p);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 403);
	phone_begin(&p);
	phone_send(&r, &p);
	rig_run(&r, 300000);					/* reg-await-auth is over */
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
	rig_run(&r, 310000);
	ck_assert_str_eq(r.cx, "MAR SAR1 SAR4 ");
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

/* ---- what agents send ---- */

START_TEST(test_without_authorization_clients_1)
{
	begin();
	p.no_authorization = true;
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	p.no_authorization = false;
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_name_without_realm_clients_1)
{
	begin();
	p.no_authorization = true;
	phone_send(&r, &p);
	p.no_authorization = false;
	p.user = "001010000000001";
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_ptr_nonnull(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_two_authorizations_clients_2)
{
	begin();
	phone_send(&r, &p);
	phone_solve(&r, &p);
	p.extra = "Authorization: Digest username=\"" RIG_IMPI "\", realm=\"*\", nonce=\"\", uri=\"sip:x\", response=\"\"\r\n";
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_uri_of_the_header_counts_clients_3)
{
	begin();
	p.uri = "sip:127.0.0.1:5060";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_res_with_zero_octets_clients_10)
{
	begin();
	r.zero_res = true;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	rig_fini(&r);
}
END_TEST

/* ---- SIP Digest ---- */

static const enum auth_algorithm digests[] = { AUTH_MD5, AUTH_SHA256 };

START_TEST(test_digest_row_S4)
{
	digest(digests[_i]);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert(rig_has(&r, _i ? "algorithm=SHA-256" : "algorithm=MD5") && !rig_has(&r, "ck="));
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	/* The nonce serves on with a counter that grows; a gap is fine. */
	p.nc += 5;
	phone_send(&r, &p);			/* the same counter again: a replay */
	ck_assert_uint_eq(r.status, 401);
	ck_assert(rig_has(&r, "stale=true"));
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	rig_fini(&r);
}
END_TEST

/* The 401's text for phone_solve() again, with a counter that has a gap. */
static void solve_again(struct sip_msg *challenge, uint32_t nc)
{
	struct sip_msg *now = r.m;

	r.m = challenge;
	p.nc = nc - 1;
	phone_solve(&r, &p);
	r.m = now;
}

START_TEST(test_digest_counter_may_jump_S4)
{
	struct sip_msg *challenge;

	digest(AUTH_MD5);
	phone_send(&r, &p);
	challenge = sip_msg_ref(r.m);
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	solve_again(challenge, 7);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	solve_again(challenge, 5);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	solve_again(challenge, 8);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	rig_run(&r, 3601000);				/* the binding is gone and the nonce too old */
	p.expires = 600;
	solve_again(challenge, 9);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert(rig_has(&r, "stale=true"));
	sip_msg_unref(challenge);
	rig_fini(&r);
}
END_TEST

START_TEST(test_digest_without_qop_serves_once)
{
	digest(AUTH_MD5);
	p.without_qop = true;
	phone_send(&r, &p);
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	rig_fini(&r);
}
END_TEST

START_TEST(test_digest_wrong_then_changed_password)
{
	digest(AUTH_MD5);
	p.password = "old";
	phone_send(&r, &p);
	phone_solve(&r, &p);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(phone_send(&r, &p), 403);
	r.password = "old";				/* now the HSS has it too: it is asked again */
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	rig_fini(&r);
}
END_TEST

START_TEST(test_two_phones_of_one_digest_user)
{
	struct rig_phone q;

	digest(AUTH_MD5);
	phone_init(&q);
	q.password = "secret";
	q.contact = "<sip:second@10.0.0.2>";
	phone_send(&r, &p);
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	phone_send(&r, &q);
	phone_solve(&r, &q);
	ck_assert_uint_eq(phone_send(&r, &q), 200);
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 2);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	rig_fini(&r);
}
END_TEST

static const struct { const char *name, *algorithm, *scheme; } schemes[] = {
	{ "AKA", ", algorithm=AKAv1-MD5", "Digest-AKAv1-MD5" },
	{ "MD5", ", algorithm=MD5", "SIP Digest" },
	{ "SHA-256", ", algorithm=SHA-256", "SIP Digest" },
	{ "nobody knows it", ", algorithm=ROT13", "Unknown" },
	{ "nothing said", "", "Unknown" },
};

START_TEST(test_scheme_row)
{
	begin();
	snprintf(p.auth, sizeof(p.auth), "Digest username=\"%s\", realm=\"" RIG_DOMAIN "\", nonce=\"\", response=\"\", uri=\"sip:x\"%s",
		 p.user, schemes[_i].algorithm);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert_msg(strcmp(r.scheme, schemes[_i].scheme) == 0, "%s: %s", schemes[_i].name, r.scheme);
	rig_fini(&r);
}
END_TEST

/* The HSS's answer is good but cannot be used. */
START_TEST(test_no_vector)
{
	begin();
	r.max_vectors = 0;
	ck_assert_uint_eq(phone_send(&r, &p), 500);
	ck_assert(rig_has(&r, "Retry-After: "));
	ck_assert_ptr_null(rig_registration(&r));
	rig_fini(&r);
}
END_TEST

TEST_MAIN("auth", TEST_ONE(test_aka_registration_S2), TEST_ONE(test_vectors_are_used_one_by_one_S2), TEST_ROWS(test_answer_row, answers),
	  TEST_ONE(test_wrong_answers_of_others), TEST_ONE(test_phone_refuses_the_network), TEST_ONE(test_resynchronisation_S2),
	  TEST_ONE(test_resynchronisation_ends), TEST_ROWS(test_broken_auts_row, broken_auts), TEST_ONE(test_nobody_answers_the_challenge),
	  TEST_ONE(test_flood_costs_one_mar_SEC_10), TEST_ROWS(test_refresh_row_S1, refreshes), TEST_ONE(test_old_registration_survives),
	  TEST_ONE(test_without_authorization_clients_1), TEST_ONE(test_name_without_realm_clients_1),
	  TEST_ONE(test_two_authorizations_clients_2), TEST_ONE(test_uri_of_the_header_counts_clients_3),
	  TEST_ONE(test_res_with_zero_octets_clients_10), TEST_ROWS(test_digest_row_S4, digests), TEST_ONE(test_digest_counter_may_jump_S4),
	  TEST_ONE(test_digest_without_qop_serves_once), TEST_ONE(test_digest_wrong_then_changed_password),
	  TEST_ONE(test_two_phones_of_one_digest_user), TEST_ROWS(test_scheme_row, schemes), TEST_ONE(test_no_vector))
