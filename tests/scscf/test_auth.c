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
	ck_assert(!rig_has(&r, "Feature-Caps"));
	/* The answer serves once. */
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert(rig_has(&r, "stale=true"));
	r.cfg->feature_caps = str_dup(STR("*;+g.3gpp.verstat"));
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert(rig_has(&r, "Feature-Caps: *;+g.3gpp.verstat\r\n"));
	p.integrity = "yes";
	p.expires = 0;
	phone_begin(&p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert(!rig_has(&r, "Feature-Caps"));
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
	snprintf(p.auth, sizeof(p.auth), "Digest username=\"%s\", realm=\"x\", nonce=\"%s\", uri=\"sip:x\", response=\"\", integrity-protected=\"yes\"",
		 p.user, p.nonce);
	ck_assert_uint_eq(phone_send(&r, &p), 403);
	ck_assert(rig_has(&r, "MAC failure"));
	ck_assert_str_eq(r.cx, "MAR SAR9 ");
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	rig_fini(&r);
}
END_TEST

/* S2, S7: the nonce is no secret.  What anybody may have sent in clear does not void the user's challenge, and the HSS hears nothing. */
static const struct { const char *name; bool said; const char *auts, *cx; } in_clear[] = {
	{ "S7 an empty answer", false, "", "MAR " },
	{ "S7 an empty answer, the P-CSCF says no", true, "", "MAR " },
	{ "S2 an AUTS costs one MAR", true, ", auts=\"AAAAAAAAAAAAAAAAAAA=\"", "MAR MAR+auts " },
	{ "S2 a broken AUTS", true, ", auts=\"AAAA\"", "MAR " },
};

START_TEST(test_in_clear_row)
{
	struct rig_phone other;

	begin();
	phone_send(&r, &p);
	p.integrity = "yes";
	phone_solve(&r, &p);
	phone_init(&other);
	for (int i = 0; i < 5; i++) {
		snprintf(other.auth, sizeof(other.auth), "Digest username=\"%s\", realm=\"x\", nonce=\"%s\", uri=\"sip:x\", response=\"\"%s%s",
			 p.user, p.nonce, in_clear[_i].auts, in_clear[_i].said ? ", integrity-protected=no" : "");
		phone_send(&r, &other);
		ck_assert_msg(r.status == 401 || r.status == 403, "%s: %u", in_clear[_i].name, r.status);
	}
	ck_assert_msg(r.status == 403, "%s: bounded", in_clear[_i].name);
	ck_assert_msg(strcmp(r.cx, in_clear[_i].cx) == 0, "%s: %s", in_clear[_i].name, r.cx);
	ck_assert_msg(phone_send(&r, &p) == 200, "%s: the user's own answer: %u", in_clear[_i].name, r.status);
	rig_fini(&r);
}
END_TEST

/* Three resynchronisations that nobody but an intruder wants: the HSS does not hear of a failure, the user gets in. */
START_TEST(test_resynchronisation_in_clear_ends_S7)
{
	struct rig_phone other;

	begin();
	phone_send(&r, &p);
	p.integrity = "yes";
	phone_solve(&r, &p);
	phone_init(&other);
	other.integrity = "no";
	phone_send(&r, &other);
	for (int i = 0; i < 3; i++) {
		other.sqn_ms = 1ull << (20 + i);
		ck_assert_int_eq(phone_solve(&r, &other), -ESTALE);
		ck_assert_uint_eq(phone_send(&r, &other), i < 2 ? 401 : 403);
	}
	ck_assert_str_eq(r.cx, "MAR MAR+auts MAR+auts ");
	ck_assert_uint_eq(phone_send(&r, &p), 200);
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

/* ---- AKAv2: RFC 4169, RFC 8760 ---- */

static const struct { const char *name, *asks; bool akav2, no_keys; enum hss_profile hss; const char *scheme, *answer; } akas[] = {
	{ "SHA-256", "AKAv2-SHA-256", true, false, HSS_STANDARD, "Digest-AKAv2-SHA-256", "algorithm=AKAv2-SHA-256" },
	{ "MD5: no name of its own at the HSS", "AKAv2-MD5", true, false, HSS_STANDARD, "Digest-AKAv1-MD5", "algorithm=AKAv2-MD5" },
	{ "Open5GS knows AKAv1 only, its vectors do", "AKAv2-SHA-256", true, false, HSS_OPEN5GS, "Digest-AKAv1-MD5", "algorithm=AKAv2-SHA-256" },
	{ "not allowed here", "AKAv2-SHA-256", false, false, HSS_STANDARD, "Digest-AKAv1-MD5", "algorithm=AKAv1-MD5" },
	{ "the HSS gave no keys", "AKAv2-SHA-256", true, true, HSS_STANDARD, "Digest-AKAv2-SHA-256", "algorithm=AKAv1-MD5" },
	{ "the phone does not say", NULL, true, false, HSS_STANDARD, "Unknown", "algorithm=AKAv1-MD5" },
};

START_TEST(test_akav2_row_S3)
{
	begin();
	p.integrity = "yes";
	p.asks = akas[_i].asks;
	r.no_keys = akas[_i].no_keys;
	r.cfg->akav2 = akas[_i].akav2;
	r.s->hss = akas[_i].hss;
	phone_begin(&p);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert_msg(strcmp(r.scheme, akas[_i].scheme) == 0, "%s: %s", akas[_i].name, r.scheme);
	ck_assert_msg(rig_has(&r, akas[_i].answer), "%s: %.*s", akas[_i].name, STR_ARG(r.m->raw));
	ck_assert_int_eq(phone_solve(&r, &p), 0);
	ck_assert_msg(phone_send(&r, &p) == 200, "%s: %u", akas[_i].name, r.status);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	rig_fini(&r);
}
END_TEST

/* A HSS that knows AKAv1 only is asked by that name: its vectors are the same. */
START_TEST(test_akav2_hss_refuses_the_name_S3)
{
	begin();
	p.integrity = "yes";
	p.asks = "AKAv2-SHA-256";
	r.unknown_scheme = "Digest-AKAv2-SHA-256";
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR MAR SAR1 ");
	ck_assert_str_eq(r.scheme, "Digest-AKAv1-MD5");
	rig_fini(&r);
	begin();
	p.asks = "AKAv2-SHA-256";
	r.unknown_scheme = "Digest-AKAv1-MD5";		/* asked once, not for ever */
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	rig_fini(&r);
	begin();
	p.asks = "AKAv1-MD5";
	r.unknown_scheme = "Digest-AKAv1-MD5";
	ck_assert_uint_eq(phone_register(&r, &p), 403);
	ck_assert_str_eq(r.cx, "MAR ");
	rig_fini(&r);
}
END_TEST

/* Nobody can talk a phone's challenge down: an algorithm that was not offered does not answer. */
START_TEST(test_akav2_answer_in_another_algorithm_S3)
{
	begin();
	p.integrity = "yes";
	p.asks = "AKAv2-SHA-256";
	phone_begin(&p);
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	{
		struct sip_msg *was = r.m;
		struct sip_parse_error err;
		struct buf b;
		ssize_t at = str_find(was->raw, STR("AKAv2-SHA-256"));

		buf_init(&b, 8192);
		buf_put(&b, str_head(was->raw, (size_t)at));
		buf_puts(&b, "AKAv1-MD5");
		buf_put(&b, str_from(was->raw, (size_t)at + 13));
		ck_assert_int_eq(sip_msg_parse_copy(buf_str(&b), NULL, &r.m, &err), 0);
		sip_msg_unref(was);
		buf_fini(&b);
	}
	ck_assert_int_eq(phone_solve(&r, &p), 0);
	ck_assert_uint_eq(phone_send(&r, &p), 403);
	rig_fini(&r);
}
END_TEST

/* ---- when a proof is due: TS 24.229 §5.4.1.2.2 ---- */

static const struct { const char *name; uint32_t every, after_s; unsigned wait_s, status[4]; } dues[] = {
	{ "never", 0, 0, 100, { 200, 200, 200, 200 } },
	{ "all", 1, 0, 1, { 401, 401, 401, 401 } },
	{ "each third", 3, 0, 1, { 200, 200, 401, 200 } },
	{ "by age", 0, 250, 100, { 200, 200, 401, 200 } },
	{ "by either", 4, 250, 100, { 200, 200, 401, 200 } },
};

START_TEST(test_proof_is_due_row_S1)
{
	begin();
	p.integrity = "yes";
	r.cfg->challenge_every = dues[_i].every;
	r.cfg->challenge_after_s = dues[_i].after_s;
	ck_assert_uint_eq(phone_register(&r, &p), 200);
	for (int i = 0; i < 4; i++) {
		rig_run(&r, dues[_i].wait_s * 1000);
		phone_begin(&p);
		ck_assert_msg(phone_send(&r, &p) == dues[_i].status[i], "%s: %d is %u", dues[_i].name, i, r.status);
		if (r.status == 401) {
			ck_assert_int_eq(phone_solve(&r, &p), 0);
			ck_assert_uint_eq(phone_send(&r, &p), 200);
		}
	}
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

/* RFC 7616 §3.5: the server proves that it knows the password, and gives the next nonce before this one ends. */
START_TEST(test_authentication_info_S4)
{
	struct auth_params a = { 0 };
	char proof[AUTH_HEX_MAX], line[200];
	ssize_t at;

	digest(AUTH_SHA256);
	phone_send(&r, &p);
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	a = (struct auth_params){ .algorithm = AUTH_SHA256, .nonce = str_from_c(p.nonce), .uri = str_from_c(p.uri), .qop = STR("auth"),
				  .nc = STR("00000001"), .cnonce = STR("cn") };
	ck_assert_int_eq(auth_rspauth(&a, str_from_c(p.ha1), STR_NONE, proof), 0);
	ck_assert_str_ne(proof, p.response);
	snprintf(line, sizeof(line), "Authentication-Info: qop=auth, rspauth=\"%s\", cnonce=\"cn\", nc=00000001\r\n", proof);
	ck_assert_msg(rig_has(&r, line), "%.*s", STR_ARG(r.m->raw));
	r.cfg->nonce_lifetime_s = 1000;
	rig_run(&r, 590000);
	snprintf(p.auth, sizeof(p.auth), "%s", "");
	{
		struct sip_msg *ok = r.m;
		static const char again[] = "SIP/2.0 401 x\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\nCall-ID: c\r\n"
			"CSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm=\"%.*s\", nonce=\"%s\", algorithm=SHA-256, qop=\"auth\"\r\n\r\n";
		struct sip_parse_error err;
		char text[1024], nonce[128] = "";

		snprintf(text, sizeof(text), again, (int)strlen(p.realm), p.realm, p.nonce);
		ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), NULL, &r.m, &err), 0);
		sip_msg_unref(ok);
		phone_solve(&r, &p);			/* the old nonce, counted on */
		ck_assert_uint_eq(phone_send(&r, &p), 200);
		at = str_find(r.m->raw, STR("nextnonce=\""));
		ck_assert_msg(at >= 0, "%.*s", STR_ARG(r.m->raw));
		str_copy(str_head(str_from(r.m->raw, (size_t)at + 11), 32), nonce, sizeof(nonce));
		snprintf(text, sizeof(text), again, (int)strlen(p.realm), p.realm, nonce);
		ok = r.m;
		ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), NULL, &r.m, &err), 0);
		sip_msg_unref(ok);
	}
	rig_run(&r, 500000);				/* the first nonce is too old, this one is not */
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	ck_assert_str_eq(r.cx, "MAR SAR1 ");
	rig_fini(&r);
}
END_TEST

static const struct { const char *name; enum reg_qop ours; const char *hss, *offered, *answer; unsigned status; } qops[] = {
	{ "auth", REG_QOP_AUTH, "", "qop=\"auth\"", "auth", 200 },
	{ "auth-int", REG_QOP_AUTH_INT, "", "qop=\"auth-int\"", "auth-int", 200 },
	{ "both, auth", REG_QOP_BOTH, "", "qop=\"auth,auth-int\"", "auth", 200 },
	{ "both, auth-int", REG_QOP_BOTH, "", "qop=\"auth,auth-int\"", "auth-int", 200 },
	{ "the HSS decides", REG_QOP_AUTH, "auth-int", "qop=\"auth-int\"", "auth-int", 200 },
	{ "less than asked for", REG_QOP_AUTH_INT, "", "qop=\"auth-int\"", "auth", 403 },
	{ "none, where the body shall be protected", REG_QOP_AUTH_INT, "", "qop=\"auth-int\"", NULL, 403 },
	{ "none, an old client", REG_QOP_AUTH, "", "qop=\"auth\"", NULL, 200 },
	{ "more than asked for", REG_QOP_AUTH, "", "qop=\"auth\"", "auth-int", 403 },
	{ "none asked for", REG_QOP_NONE, "", "algorithm=MD5\r\n", NULL, 200 },
};

START_TEST(test_qop_row_S4)
{
	digest(AUTH_MD5);
	r.cfg->qop = qops[_i].ours;
	r.digest_qop = qops[_i].hss;
	p.without_qop = !qops[_i].answer;
	p.qop = qops[_i].answer;
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert_msg(rig_has(&r, qops[_i].offered), "%s: %.*s", qops[_i].name, STR_ARG(r.m->raw));
	phone_solve(&r, &p);
	ck_assert_msg(phone_send(&r, &p) == qops[_i].status, "%s: %u", qops[_i].name, r.status);
	rig_fini(&r);
}
END_TEST

/* Folded lines and odd spacing are read like any other. */
/* A phone that does not care for nextnonce keeps its nonce alive however often it comes back. */
START_TEST(test_nextnonce_ignored_S4)
{
	static const char again[] = "SIP/2.0 401 x\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\nCall-ID: c\r\n"
		"CSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm=\"%s\", nonce=\"%s\", algorithm=SHA-256, qop=\"auth\"\r\n\r\n";
	char text[1024];

	digest(AUTH_SHA256);
	phone_send(&r, &p);
	phone_solve(&r, &p);
	ck_assert_uint_eq(phone_send(&r, &p), 200);
	snprintf(text, sizeof(text), again, p.realm, p.nonce);
	r.cfg->nonce_lifetime_s = 1000;
	rig_run(&r, 550000);
	for (unsigned i = 0; i < 7; i++) {
		struct sip_msg *ok = r.m;
		struct sip_parse_error err;

		ck_assert_int_eq(sip_msg_parse_copy(str_from_c(text), NULL, &r.m, &err), 0);
		sip_msg_unref(ok);
		phone_solve(&r, &p);
		ck_assert_uint_eq(phone_send(&r, &p), 200);
		rig_run(&r, 50000);
	}
}
END_TEST

START_TEST(test_folded_authorization_S4)
{
	char folded[1024] = "", *to = folded;

	digest(AUTH_MD5);
	phone_send(&r, &p);
	phone_solve(&r, &p);
	for (const char *c = p.auth; *c; c++) {
		*to++ = *c;
		if (*c == ',') {
			memcpy(to, "\r\n\t ", 4);
			to += 4;
		}
	}
	*to = '\0';
	memcpy(p.auth, folded, sizeof(p.auth));
	ck_assert_uint_eq(phone_send(&r, &p), 200);
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
	{ "AKAv2", ", algorithm=AKAv2-SHA-256", "Digest-AKAv2-SHA-256" },
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

/* ---- the same request once more: the I-CSCF tried again after a stall of ours, RFC 3261 §16.7, TS 24.229 §5.3.1.3 ---- */

#define P_CSCF "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKpcscf\r\n"
#define PHONES "Via: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKphone;received=10.1.2.3\r\n"
static const struct { const char *name; const char *integrity; bool digest, without_qop, held; const char *vias; uint64_t later_ms; int more; unsigned status; }
repeats[] = {
	{ "AKA", "no", false, false, false, P_CSCF PHONES, 6000, 0, 200 },
	{ "AKA, protected", "yes", false, false, false, P_CSCF PHONES, 6000, 0, 200 },
	{ "Digest", "ip-assoc-pending", true, false, false, P_CSCF PHONES, 6000, 0, 200 },
	{ "Digest without qop", "ip-assoc-pending", true, true, false, P_CSCF PHONES, 6000, 0, 200 },
	{ "while the first still waits for the HSS", "no", false, false, true, P_CSCF PHONES, 6000, 0, 200 },
	{ "Digest, while the first still waits", "ip-assoc-pending", true, false, true, P_CSCF PHONES, 6000, 0, 200 },
	{ "long after", "ip-assoc-pending", true, false, false, P_CSCF PHONES, 33000, 0, 401 },
	{ "another CSeq", "ip-assoc-pending", true, false, false, P_CSCF PHONES, 6000, 1, 401 },
	{ "replayed through the P-CSCF", "ip-assoc-pending", true, false, false, "Via: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKelse\r\n" PHONES, 6000, 0, 401 },
	{ "from another address", "ip-assoc-pending", true, false, false, P_CSCF "Via: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKphone;received=10.6.6.6\r\n", 6000, 0, 401 },
	{ "no node between", "ip-assoc-pending", true, false, false, PHONES, 6000, 0, 401 },
};

START_TEST(test_repeated_register_row)
{
	const char *first = strcmp(repeats[_i].vias, PHONES) == 0 ? PHONES : P_CSCF PHONES;
	unsigned n;

	begin();
	r.password = p.password = repeats[_i].digest ? "secret" : NULL;
	r.digest = AUTH_MD5;
	p.integrity = repeats[_i].integrity;
	p.without_qop = repeats[_i].without_qop;
	ck_assert_uint_eq(phone_send(&r, &p), 401);
	ck_assert_int_eq(phone_solve(&r, &p), 0);
	p.extra = first;
	r.hold = repeats[_i].held;
	ck_assert_uint_eq(phone_send(&r, &p), repeats[_i].held ? 0 : 200);
	if (!repeats[_i].held)
		ck_assert_str_eq(r.cx, "MAR SAR1 ");
	rig_run(&r, repeats[_i].later_ms);
	p.extra = repeats[_i].vias;
	p.cseq += (unsigned)(repeats[_i].more - 1);
	n = r.n_responses;
	phone_send(&r, &p);
	r.hold = false;
	rig_run(&r, 0);
	ck_assert_uint_eq(r.n_responses, n + (repeats[_i].held ? 2 : 1));
	ck_assert_msg(r.status == repeats[_i].status, "%s: %u", repeats[_i].name, r.status);
	if (r.status == 200) {
		ck_assert_msg(rig_has(&r, "Service-Route: ") && rig_has(&r, "P-Associated-URI: ") && rig_has(&r, "Path: "), "%s", repeats[_i].name);
		ck_assert_msg(rig_has(&r, repeats[_i].held ? "expires=600\r\n" : "expires=594\r\n"), "%s: nothing is prolonged", repeats[_i].name);
		ck_assert_msg(strcmp(r.cx, "MAR SAR1 ") == 0, "%s: %s", repeats[_i].name, r.cx);
	}
	ck_assert_uint_eq(rig_registration(&r)->n_bindings, 1);
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
	  TEST_ONE(test_wrong_answers_of_others), TEST_ONE(test_phone_refuses_the_network), TEST_ROWS(test_in_clear_row, in_clear), TEST_ONE(test_resynchronisation_in_clear_ends_S7), TEST_ONE(test_resynchronisation_S2),
	  TEST_ONE(test_resynchronisation_ends), TEST_ROWS(test_broken_auts_row, broken_auts), TEST_ONE(test_nobody_answers_the_challenge),
	  TEST_ONE(test_flood_costs_one_mar_SEC_10), TEST_ROWS(test_refresh_row_S1, refreshes), TEST_ONE(test_old_registration_survives),
	  TEST_ONE(test_without_authorization_clients_1), TEST_ONE(test_name_without_realm_clients_1),
	  TEST_ONE(test_two_authorizations_clients_2), TEST_ONE(test_uri_of_the_header_counts_clients_3),
	  TEST_ONE(test_res_with_zero_octets_clients_10), TEST_ROWS(test_digest_row_S4, digests), TEST_ONE(test_digest_counter_may_jump_S4),
	  TEST_ROWS(test_akav2_row_S3, akas), TEST_ONE(test_akav2_hss_refuses_the_name_S3), TEST_ONE(test_akav2_answer_in_another_algorithm_S3),
	  TEST_ROWS(test_proof_is_due_row_S1, dues), TEST_ONE(test_authentication_info_S4), TEST_ONE(test_nextnonce_ignored_S4), TEST_ROWS(test_qop_row_S4, qops),
	  TEST_ONE(test_folded_authorization_S4), TEST_ONE(test_digest_without_qop_serves_once), TEST_ONE(test_digest_wrong_then_changed_password),
	  TEST_ONE(test_two_phones_of_one_digest_user), TEST_ROWS(test_scheme_row, schemes), TEST_ONE(test_no_vector), TEST_ROWS(test_repeated_register_row, repeats))
