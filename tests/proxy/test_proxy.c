/* tests/proxy/test_proxy.c - forks, order of q, CANCEL at every stage, 2xx against the rest, life of a context.
 * RFC 3261 §16.6, §16.7, §16.10; RFC 3326; RFC 5393 §5; RFC 6026. */
#include "tests/proxy/rig.h"

static void two(struct rig *r, unsigned q0, unsigned q1)
{
	rig_init(r);
	r->targets[0] = "sip:x@n1";
	r->targets[1] = "sip:x@n2";
	r->q[0] = q0;
	r->q[1] = q1;
	r->n_targets = 2;
	rig_request(r, "INVITE", "sip:bob@b", "");
}

START_TEST(test_parallel)
{
	struct rig r;

	two(&r, 500, 500);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.1 INVITE@10.0.0.2");
	ck_assert(str_eq_c(rig_req(&r, "INVITE", 0)->m->ruri_text, "sip:x@n1"));
	ck_assert(str_eq_c(rig_req(&r, "INVITE", 1)->m->ruri_text, "sip:x@n2"));
	ck_assert(!str_eq(rig_req(&r, "INVITE", 0)->m->via.branch, rig_req(&r, "INVITE", 1)->m->via.branch));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 183, "B2", "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 200, "B2", "");		/* §16.7 step 10: the other one is cancelled */
	ck_assert_str_eq(rig_up(&r), "100 180 183 200");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.1 INVITE@10.0.0.2 CANCEL@10.0.0.1");
	ck_assert(str_find(sip_msg_value(rig_req(&r, "CANCEL", 0)->m, SIP_H_REASON), STR("cause=200")) >= 0);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 487, "B1", "");
	ck_assert_str_eq(rig_up(&r), "100 180 183 200");
	rig_run(&r, 70000);
	ck_assert_ptr_null(r.p);
	rig_fini(&r);
}
END_TEST

START_TEST(test_2xx_race)		/* both answer: both 2xx go up, RFC 3261 §16.7 step 5 */
{
	struct rig r;

	two(&r, 0, 0);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 200, "B2", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "B1", "");
	ck_assert_str_eq(rig_up(&r), "100 180 200 200");
	ck_assert(str_eq_c(rig_last_up(&r)->to_tag, "B1"));
	rig_fini(&r);
}
END_TEST

START_TEST(test_cancel_waits_for_provisional)	/* §9.1: the loser of a fork that said nothing yet */
{
	struct rig r;

	two(&r, 0, 0);
	rig_reply(&r, rig_req(&r, "INVITE", 1), 200, "B2", "");
	ck_assert_ptr_null(rig_req(&r, "CANCEL", 0));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B1", "");
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 0));
	ck_assert_str_eq(rig_up(&r), "100 200");
	rig_fini(&r);
}
END_TEST

START_TEST(test_sequential)
{
	struct rig r;

	two(&r, 200, 900);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.2");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B2", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 486, "B2", "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.2 ACK@10.0.0.2 INVITE@10.0.0.1");
	ck_assert_str_eq(rig_up(&r), "100 180");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 200, "B1", "");
	ck_assert_str_eq(rig_up(&r), "100 180 200");
	rig_fini(&r);
}
END_TEST

START_TEST(test_sequential_2xx)		/* a 2xx of the first group: the second is never tried */
{
	struct rig r;

	two(&r, 900, 200);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "B1", "");
	rig_run(&r, 100);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.1");
	rig_fini(&r);
}
END_TEST

START_TEST(test_message_fork)		/* not INVITE: nobody is cancelled, one final goes up */
{
	struct rig r;

	rig_init(&r);
	r.targets[0] = "sip:x@n1";
	r.targets[1] = "sip:x@n2";
	r.n_targets = 2;
	rig_request(&r, "MESSAGE", "sip:bob@b", "");
	rig_reply(&r, rig_req(&r, "MESSAGE", 0), 200, "B1", "");
	rig_reply(&r, rig_req(&r, "MESSAGE", 1), 200, "B2", "");
	ck_assert_str_eq(rig_up(&r), "200");
	ck_assert_ptr_null(rig_req(&r, "CANCEL", 0));
	rig_fini(&r);
}
END_TEST

/* ---- CANCEL ---- */

static const struct {
	const char *name;
	const char *host;
	unsigned before[3];		/* what came from the peer before the CANCEL */
	unsigned after;			/* and after it; 0: nothing ever */
	bool cancel_down;		/* a CANCEL goes downstream */
	unsigned final;			/* what the caller gets */
} cancel_rows[] = {
	{ "resolving", "sip:x@wait1", { 0 }, 0, false, 487 },
	{ "no response yet", "sip:x@n1", { 0 }, 0, false, 487 },
	{ "no response yet, 180 later", "sip:x@n1", { 0 }, 180, true, 487 },
	{ "after 100", "sip:x@n1", { 100 }, 487, true, 487 },
	{ "ringing", "sip:x@n1", { 100, 180 }, 487, true, 487 },
	{ "ringing, never answered", "sip:x@n1", { 180 }, 0, true, 487 },
	{ "crossing 486", "sip:x@n1", { 180 }, 486, true, 487 },
	{ "crossing 200, §9.1", "sip:x@n1", { 180 }, 200, true, 200 },
	{ "crossing 200 without provisional", "sip:x@n1", { 0 }, 200, false, 200 },
	{ "after 200", "sip:x@n1", { 180, 200 }, 0, false, 200 },
	{ "after 486", "sip:x@n1", { 180, 486 }, 0, false, 486 },
};

START_TEST(test_cancel_row)
{
	struct rig_sent *cancel;
	struct rig r;

	rig_init(&r);
	r.targets[0] = cancel_rows[_i].host;
	r.n_targets = 1;
	rig_request(&r, "INVITE", "sip:bob@b", "");
	for (unsigned i = 0; i < 3 && cancel_rows[_i].before[i]; i++)
		rig_reply(&r, rig_req(&r, "INVITE", 0), cancel_rows[_i].before[i], "B", "");
	rig_cancel(&r, "Reason: SIP;cause=26;text=\"x\"\nReason: Q.850;cause=16\n");
	if (cancel_rows[_i].after)
		rig_reply(&r, rig_req(&r, "INVITE", 0), cancel_rows[_i].after, "B", "");
	cancel = rig_req(&r, "CANCEL", 0);
	ck_assert_msg((cancel != NULL) == cancel_rows[_i].cancel_down, "%s: %s", cancel_rows[_i].name, rig_down(&r));
	if (cancel) {			/* RFC 3326 */
		ck_assert(str_eq(cancel->m->via.branch, rig_req(&r, "INVITE", 0)->m->via.branch));
		ck_assert(str_find(cancel->m->raw, STR("cause=26")) >= 0);
		ck_assert(str_find(cancel->m->raw, STR("Q.850;cause=16")) >= 0);
	}
	if (cancel_rows[_i].after < 200)
		rig_run(&r, 33000);
	ck_assert_msg(rig_last_up(&r)->status == cancel_rows[_i].final, "%s: %s", cancel_rows[_i].name, rig_up(&r));
	rig_run(&r, 80000);
	ck_assert_ptr_null(r.p);
	rig_fini(&r);
}
END_TEST

START_TEST(test_cancel_fork)		/* all branches; the group behind is not begun */
{
	struct rig r;

	rig_init(&r);
	r.targets[0] = "sip:x@n1";
	r.targets[1] = "sip:x@n2";
	r.targets[2] = "sip:x@n3";
	r.q[0] = r.q[1] = 700;
	r.n_targets = 3;
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 180, "B2", "");
	rig_cancel(&r, "");
	rig_cancel(&r, "");
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 1));
	ck_assert_ptr_null(rig_req(&r, "CANCEL", 2));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 487, "B1", "");
	ck_assert_str_eq(rig_up(&r), "100 180 180");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 487, "B2", "");
	ck_assert_str_eq(rig_up(&r), "100 180 180 487");
	ck_assert_ptr_null(rig_req(&r, "INVITE", 2));
	rig_fini(&r);
}
END_TEST

START_TEST(test_cancel_before_targets)	/* the role still waits for its HSS */
{
	struct rig r;

	rig_init(&r);
	r.by_hand = true;
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	rig_cancel(&r, "");
	ck_assert_str_eq(rig_up(&r), "100 487");
	ck_assert_int_eq(proxy_target_add(r.p, &(struct proxy_target){ .q = 1 }), -ECANCELED);
	proxy_start(r.p);
	ck_assert_str_eq(rig_down(&r), "");
	rig_fini(&r);
}
END_TEST

/* ---- the role's turns ---- */

START_TEST(test_add_in_failed)		/* S-CSCF reselection: the next target starts at once */
{
	struct rig r;

	rig_init(&r);
	r.add_in_failed = "sip:x@n2";
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 480, "B1", "");
	ck_assert_str_eq(r.log, "branch response:480 failed:480 branch ");
	ck_assert_str_eq(rig_up(&r), "100");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 200, "B2", "");
	ck_assert_str_eq(rig_up(&r), "100 200");
	rig_fini(&r);
}
END_TEST

START_TEST(test_add_in_failed_by_ourselves)	/* the first does not even resolve */
{
	struct rig r;

	rig_init(&r);
	r.add_in_failed = "sip:x@n2";
	rig_request(&r, "REGISTER", "sip:nx", "");
	ck_assert_str_eq(r.log, "own-failed:503 branch ");
	rig_reply(&r, rig_req(&r, "REGISTER", 0), 200, "B2", "");
	ck_assert_str_eq(rig_up(&r), "200");
	rig_fini(&r);
}
END_TEST

START_TEST(test_no_targets)
{
	struct rig r;

	rig_init(&r);
	r.by_hand = true;
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	proxy_start(r.p);
	ck_assert_str_eq(rig_up(&r), "100 480");
	rig_fini(&r);
}
END_TEST

START_TEST(test_reject)
{
	struct rig r;

	two(&r, 0, 0);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B1", "");
	proxy_reject(r.p, &(const struct refusal){ .status = 503, .reason = "Media gone", .extra = STR("Retry-After: 5\r\n") });
	ck_assert_str_eq(rig_up(&r), "100 180 503");
	ck_assert(str_eq_c(rig_last_up(&r)->reason, "Media gone"));
	ck_assert(str_eq_c(sip_msg_value(rig_last_up(&r), SIP_H_RETRY_AFTER), "5"));
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 0));
	/* RFC 3326 §2: the callee learns what its call ended with. */
	ck_assert(str_eq_c(sip_msg_value(rig_req(&r, "CANCEL", 0)->m, SIP_H_REASON), "SIP;cause=503;text=\"Service Unavailable\""));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 487, "B1", "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 404, "B2", "");
	ck_assert_str_eq(rig_up(&r), "100 180 503");
	rig_fini(&r);
}
END_TEST

START_TEST(test_reject_in_branch)	/* the role changes its mind in the last moment: nothing is sent */
{
	struct rig r;

	rig_init(&r);
	r.reject_in_branch = true;
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	ck_assert_str_eq(rig_up(&r), "100 403");
	ck_assert_str_eq(rig_down(&r), "");
	rig_fini(&r);
}
END_TEST

/* ---- Max-Breadth, RFC 5393 §5.3.3 ---- */

static const struct {
	const char *name, *header;
	const char *share[3];		/* of each of three parallel targets; NULL: not sent yet */
} breadth_rows[] = {
	{ "absent: 60 split", "", { "20", "20", "20" } },
	{ "ten", "Max-Breadth: 10\n", { "3", "3", "4" } },
	{ "three", "Max-Breadth: 3\n", { "1", "1", "1" } },
	{ "two: the third waits", "Max-Breadth: 2\n", { "1", "1", NULL } },
	{ "one: one after the other", "Max-Breadth: 1\n", { "1", NULL, NULL } },
	{ "more than ours", "Max-Breadth: 9999\n", { "20", "20", "20" } },
};

START_TEST(test_breadth_row)
{
	struct rig_sent *s;
	struct rig r;

	rig_init(&r);
	r.targets[0] = "sip:x@n1";
	r.targets[1] = "sip:x@n2";
	r.targets[2] = "sip:x@n3";
	r.n_targets = 3;
	rig_request(&r, "INVITE", "sip:bob@b", breadth_rows[_i].header);
	for (unsigned i = 0; i < 3; i++) {
		s = rig_req(&r, "INVITE", i);
		ck_assert_msg((s != NULL) == (breadth_rows[_i].share[i] != NULL), "%s: %u", breadth_rows[_i].name, i);
		if (s)
			ck_assert_msg(str_eq_c(sip_msg_value(s->m, SIP_H_MAX_BREADTH), breadth_rows[_i].share[i]),
				      "%s: %u", breadth_rows[_i].name, i);
	}
	for (unsigned i = 0; i < 3; i++)	/* whoever waits gets its turn */
		rig_reply(&r, rig_req(&r, "INVITE", i), 486, "B", "");
	ck_assert_str_eq(rig_up(&r), "100 486");
	rig_fini(&r);
}
END_TEST

START_TEST(test_breadth_single)		/* alone and without a limit: nothing is added */
{
	struct rig r;

	rig_init(&r);
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	ck_assert_ptr_null(sip_msg_hdr(rig_req(&r, "INVITE", 0)->m, SIP_H_MAX_BREADTH));
	rig_fini(&r);
}
END_TEST

START_TEST(test_target_limit)
{
	struct rig r;
	int rc = 0;

	rig_init(&r);
	r.by_hand = true;
	rig_request(&r, "INVITE", "sip:bob@n1", "");
	ck_assert_ptr_nonnull(r.p);
	for (unsigned i = 0; i < 60; i++)
		ck_assert_int_eq(proxy_target_add(r.p, &(struct proxy_target){ .q = 1 }), 0);
	rc = proxy_target_add(r.p, &(struct proxy_target){ .q = 1 });
	ck_assert_int_eq(rc, -ENOSPC);
	rig_fini(&r);
}
END_TEST

/* ---- ends ---- */

static const struct {
	const char *name, *method, *host;
	unsigned got;
	bool tx_first;
} end_rows[] = {
	{ "proxy first, calling", "INVITE", "sip:x@n1", 0, false },
	{ "proxy first, ringing", "INVITE", "sip:x@n1", 180, false },
	{ "proxy first, resolving", "INVITE", "sip:x@wait1", 0, false },
	{ "proxy first, answered", "INVITE", "sip:x@n1", 200, false },
	{ "proxy first, refused", "INVITE", "sip:x@n1", 404, false },
	{ "proxy first, message", "MESSAGE", "sip:x@n1", 0, false },
	{ "transactions first, calling", "INVITE", "sip:x@n1", 0, true },
	{ "transactions first, ringing", "INVITE", "sip:x@n1", 180, true },
	{ "transactions first, resolving", "INVITE", "sip:x@wait1", 0, true },
	{ "transactions first, answered", "INVITE", "sip:x@n1", 200, true },
	{ "transactions first, message", "MESSAGE", "sip:x@n1", 0, true },
};

START_TEST(test_end_row)		/* whatever is taken down first: one gone callback, nothing left */
{
	struct rig r;

	rig_init(&r);
	r.targets[0] = end_rows[_i].host;
	r.n_targets = 1;
	rig_request(&r, end_rows[_i].method, "sip:bob@b", "");
	if (end_rows[_i].got)
		rig_reply(&r, rig_req(&r, end_rows[_i].method, 0), end_rows[_i].got, "B", "");
	if (end_rows[_i].tx_first) {
		tx_layer_free(r.tx);
		r.tx = NULL;
		ck_assert_msg(r.p == NULL, "%s", end_rows[_i].name);
	} else {
		proxy_layer_free(r.pl);
		r.pl = NULL;
		ck_assert_msg(r.p == NULL, "%s", end_rows[_i].name);
		rig_run(&r, 200000);
	}
	ck_assert_ptr_nonnull(strstr(r.log, "gone "));
	ck_assert_ptr_null(strstr(strstr(r.log, "gone ") + 1, "gone "));
	if (r.tx)
		tx_layer_free(r.tx);
	proxy_layer_free(r.pl);
	rig_sent_free(&r);
}
END_TEST

START_TEST(test_server_gone)		/* MESSAGE nobody answers: the caller has given up, so do we */
{
	struct proxy_stats st;
	struct rig r;

	rig_init(&r);
	rig_request(&r, "MESSAGE", "sip:bob@n1", "");
	proxy_layer_stats(r.pl, &st);
	ck_assert_uint_eq(st.now, 1);
	rig_run(&r, 40000);
	proxy_layer_stats(r.pl, &st);
	ck_assert_uint_eq(st.now, 0);
	ck_assert_uint_eq(st.forwarded, 1);
	ck_assert_uint_eq(st.branches, 1);
	ck_assert_ptr_null(r.p);
	rig_fini(&r);
}
END_TEST

/* A context goes once nothing can come any more, not with its server transaction 64*T1 later: two minutes toward a phone. */
static const struct { const char *method; unsigned status; bool stays; } overs[] = {
	{ "MESSAGE", 200, false }, { "MESSAGE", 404, false }, { "REGISTER", 401, false }, { "INVITE", 486, false },
	{ "INVITE", 603, false }, { "INVITE", 200, true },
};

START_TEST(test_over)
{
	struct rig r;

	rig_init(&r);
	rig_request(&r, overs[_i].method, "sip:bob@n1", "");
	rig_reply(&r, rig_req(&r, overs[_i].method, 0), overs[_i].status, "T", "");
	ck_assert_ptr_nonnull(r.p);		/* never from inside */
	rig_run(&r, 1);
	ck_assert_msg((r.p != NULL) == overs[_i].stays, "%s %u", overs[_i].method, overs[_i].status);
	rig_request(&r, overs[_i].method, "sip:bob@n1", "");		/* absorbed by the transaction all the same */
	ck_assert_ptr_null(rig_req(&r, overs[_i].method, 1));
	rig_run(&r, 64000);
	ck_assert_ptr_null(r.p);
	rig_fini(&r);
}
END_TEST

TEST_MAIN("proxy", TEST_ROWS(test_over, overs), TEST_ONE(test_parallel), TEST_ONE(test_2xx_race), TEST_ONE(test_cancel_waits_for_provisional),
	  TEST_ONE(test_sequential), TEST_ONE(test_sequential_2xx), TEST_ONE(test_message_fork),
	  TEST_ROWS(test_cancel_row, cancel_rows), TEST_ONE(test_cancel_fork), TEST_ONE(test_cancel_before_targets),
	  TEST_ONE(test_add_in_failed), TEST_ONE(test_add_in_failed_by_ourselves), TEST_ONE(test_no_targets),
	  TEST_ONE(test_reject), TEST_ONE(test_reject_in_branch), TEST_ROWS(test_breadth_row, breadth_rows),
	  TEST_ONE(test_breadth_single), TEST_ONE(test_target_limit), TEST_ROWS(test_end_row, end_rows),
	  TEST_ONE(test_server_gone))
