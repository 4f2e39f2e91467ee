/* tests/proxy/test_branch.c - failover, UDP to TCP, Timer C and the other waits of one branch.
 * RFC 3261 §16.6 to §16.8, §18.1.1; RFC 3263 §4.3. */
#include "tests/proxy/rig.h"

static void one(struct rig *r, const char *method, const char *ruri)
{
	rig_init(r);
	r->targets[0] = ruri;
	r->n_targets = 1;
	(void)method;
}

/* ---- failover ---- */

static const struct {
	const char *name, *method;
	unsigned status;		/* of the first address; 0: silence */
	const char *down, *up, *failed;
} failover_rows[] = {
	{ "503", "INVITE", 503, "INVITE@10.0.0.1 ACK@10.0.0.1 INVITE@10.0.0.2", "100 200", "10.0.0.1 " },
	{ "503, MESSAGE", "MESSAGE", 503, "MESSAGE@10.0.0.1 MESSAGE@10.0.0.2", "200", "10.0.0.1 " },
	{ "500 is an answer", "INVITE", 500, "INVITE@10.0.0.1 ACK@10.0.0.1", "100 500", "" },
	{ "404 is an answer", "INVITE", 404, "INVITE@10.0.0.1 ACK@10.0.0.1", "100 404", "" },
};

START_TEST(test_failover_row)
{
	struct rig_sent *first, *second;
	struct rig r;

	one(&r, failover_rows[_i].method, "sip:x@n12");
	rig_request(&r, failover_rows[_i].method, "sip:bob@b", "");
	first = rig_req(&r, failover_rows[_i].method, 0);
	rig_reply(&r, first, failover_rows[_i].status, "B1", "");
	second = rig_req(&r, failover_rows[_i].method, 1);
	if (second) {
		ck_assert(!str_eq(first->m->via.branch, second->m->via.branch));
		ck_assert(str_eq_c(second->m->ruri_text, "sip:x@n12"));
		rig_reply(&r, second, 200, "B2", "");
	}
	ck_assert_msg(!strcmp(rig_down(&r), failover_rows[_i].down), "%s: %s", failover_rows[_i].name, rig_down(&r));
	ck_assert_msg(!strcmp(rig_up(&r), failover_rows[_i].up), "%s: %s", failover_rows[_i].name, rig_up(&r));
	ck_assert_msg(!strcmp(r.resolver_failed, failover_rows[_i].failed), "%s", failover_rows[_i].name);
	rig_fini(&r);
}
END_TEST

START_TEST(test_failover_silence)	/* timer B on the first address, then the next one */
{
	struct proxy_stats st;
	struct rig r;

	one(&r, "INVITE", "sip:x@n12");
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_run(&r, 32100);
	ck_assert_str_eq(r.resolver_failed, "10.0.0.1 ");
	ck_assert_ptr_nonnull(strstr(rig_down(&r), "INVITE@10.0.0.2"));
	rig_run(&r, 32100);
	ck_assert_str_eq(r.resolver_failed, "10.0.0.1 10.0.0.2 ");
	ck_assert_str_eq(rig_up(&r), "100 408");
	proxy_layer_stats(r.pl, &st);
	ck_assert_uint_eq(st.failovers, 1);
	ck_assert_uint_eq(st.branches, 2);
	rig_fini(&r);
}
END_TEST

START_TEST(test_failover_response_wait)	/* response_wait_ms is shorter than timer B; the last address has all of it */
{
	struct rig r;

	one(&r, "INVITE", "sip:x@n12");
	proxy_layer_free(r.pl);
	r.env.response_wait_ms = 2000;
	r.pl = proxy_layer_new(&r.env);
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_run(&r, 1900);
	ck_assert_ptr_null(strstr(rig_down(&r), "10.0.0.2"));
	rig_run(&r, 200);
	ck_assert_ptr_nonnull(strstr(rig_down(&r), "10.0.0.2"));
	rig_run(&r, 20000);
	ck_assert_str_eq(rig_up(&r), "100");
	rig_run(&r, 20000);
	ck_assert_str_eq(rig_up(&r), "100 408");
	rig_fini(&r);
}
END_TEST

START_TEST(test_provisional_holds_address)	/* whoever rings is not given up */
{
	struct rig r;

	one(&r, "INVITE", "sip:x@n12");
	proxy_layer_free(r.pl);
	r.env.response_wait_ms = 2000;
	r.pl = proxy_layer_new(&r.env);
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 100, "", "");
	rig_run(&r, 60000);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.1");
	ck_assert_str_eq(r.resolver_failed, "");
	rig_fini(&r);
}
END_TEST

START_TEST(test_transport_error)	/* refused everywhere: §16.9, as if 503 had come */
{
	struct rig r;

	one(&r, "INVITE", "sip:x@n123");
	r.udp_err = -ECONNREFUSED;
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_run(&r, 100);
	ck_assert_str_eq(r.resolver_failed, "10.0.0.1 10.0.0.2 10.0.0.3 ");
	ck_assert_ptr_nonnull(strstr(r.log, "own-failed:503 final:503"));
	ck_assert_str_eq(rig_up(&r), "100 500");
	rig_fini(&r);
}
END_TEST

/* What this node lacks is no fault of the next hop's: it is not passed over by others for that (row C12). */
static const struct { const char *name, *ruri; int udp_err; bool starved; const char *log, *up; } own_fault_rows[] = {
	{ "no memory to write", "sip:x@n12", 0, true, "own-failed:500 final:500", "100 500" },
	{ "no memory to send", "sip:x@n12", -ENOMEM, false, "own-failed:500 final:500", "100 500" },
	{ "the kernel has no buffers", "sip:x@n1", -ENOBUFS, false, "own-failed:500 final:500", "100 500" },
};

START_TEST(test_own_fault_row)
{
	struct rig r;

	one(&r, "INVITE", own_fault_rows[_i].ruri);
	r.udp_err = own_fault_rows[_i].udp_err;
	r.starved = own_fault_rows[_i].starved;
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_run(&r, 100);
	ck_assert_msg(!strcmp(r.resolver_failed, ""), "%s: blamed %s", own_fault_rows[_i].name, r.resolver_failed);
	ck_assert_msg(strstr(r.log, own_fault_rows[_i].log), "%s: %s", own_fault_rows[_i].name, r.log);
	ck_assert_msg(!strcmp(rig_up(&r), own_fault_rows[_i].up), "%s: %s", own_fault_rows[_i].name, rig_up(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_resolver_late)
{
	struct rig r;

	one(&r, "INVITE", "sip:x@wait1");
	rig_request(&r, "INVITE", "sip:bob@b", "");
	ck_assert_str_eq(rig_down(&r), "");
	rig_resolve(&r);
	ck_assert_str_eq(rig_down(&r), "INVITE@10.0.0.1");
	rig_fini(&r);
}
END_TEST

START_TEST(test_flow)			/* a target with a flow asks nobody */
{
	struct sip_flow flow = { .proto = SIP_TCP, .conn = 4, .conn_gen = 2 };
	struct rig r;

	ck_assert_int_eq(addr_parse(STR("10.7.7.7"), 5070, &flow.remote), 0);
	one(&r, "INVITE", "sip:x@nx");
	r.flow = &flow;
	rig_request(&r, "INVITE", "sip:bob@b", "");
	ck_assert_str_eq(rig_down(&r), "INVITE@10.7.7.7/tcp");
	ck_assert(sip_flow_eq(&rig_req(&r, "INVITE", 0)->to, &flow));
	ck_assert(str_eq_c(rig_req(&r, "INVITE", 0)->m->via.proto_text, "TCP"));
	rig_fini(&r);
}
END_TEST

/* ---- UDP to TCP, §18.1.1 ---- */

static char large[2000];

static const struct {
	const char *name, *ruri;
	bool large;
	int tcp_err;
	const char *down, *via;
} tcp_rows[] = {
	{ "small", "sip:x@n1", false, 0, "INVITE@10.0.0.1", "UDP" },
	{ "large", "sip:x@n1", true, 0, "INVITE@10.0.0.1/tcp", "TCP" },
	{ "large, transport fixed", "sip:x@n1;transport=udp", true, 0, "INVITE@10.0.0.1", "UDP" },
	{ "large, tcp refused: back to udp", "sip:x@n1", true, -ECONNREFUSED, "INVITE@10.0.0.1", "UDP" },
	{ "small, tcp by record", "sip:x@tcp1", false, 0, "INVITE@10.0.0.1/tcp", "TCP" },
};

START_TEST(test_tcp_row)
{
	struct rig r;

	memset(large, 'x', sizeof(large) - 2);
	memcpy(large, "Subject: ", 9);
	large[sizeof(large) - 2] = '\n';
	one(&r, "INVITE", tcp_rows[_i].ruri);
	r.tcp_err = tcp_rows[_i].tcp_err;
	rig_request(&r, "INVITE", "sip:bob@b", tcp_rows[_i].large ? large : "");
	rig_run(&r, 10);
	ck_assert_msg(!strcmp(rig_down(&r), tcp_rows[_i].down), "%s: %s", tcp_rows[_i].name, rig_down(&r));
	ck_assert_msg(str_eq_c(rig_req(&r, "INVITE", 0)->m->via.proto_text, tcp_rows[_i].via), "%s", tcp_rows[_i].name);
	ck_assert_str_eq(r.resolver_failed, "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 200, "B", "");
	ck_assert_str_eq(rig_up(&r), "100 200");
	rig_fini(&r);
}
END_TEST

/* ---- waits ---- */

START_TEST(test_timer_c_ringing)	/* §16.8: CANCEL, then whatever comes of it */
{
	struct proxy_stats st;
	struct rig r;

	one(&r, "INVITE", "sip:x@n1");
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B", "");
	rig_run(&r, 184000);
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B", "");	/* §16.7 step 2: starts it anew */
	rig_run(&r, 184000);
	ck_assert_ptr_null(rig_req(&r, "CANCEL", 0));
	rig_reply(&r, rig_req(&r, "INVITE", 0), 100, "", "");		/* a 100 does not */
	rig_run(&r, 2000);
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 0));
	proxy_layer_stats(r.pl, &st);
	ck_assert_uint_eq(st.timer_c, 1);
	rig_run(&r, 33000);					/* not even that is answered */
	ck_assert_str_eq(rig_up(&r), "100 180 180 408");
	rig_fini(&r);
}
END_TEST

START_TEST(test_timer_c_silent)
{
	struct rig r;

	one(&r, "INVITE", "sip:x@n1");
	proxy_layer_free(r.pl);
	r.env.timer_c_ms = 5000;
	r.pl = proxy_layer_new(&r.env);
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_run(&r, 5100);
	ck_assert_str_eq(rig_up(&r), "100 408");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 180, "B", "");	/* wakes up: nobody wants it any more */
	ck_assert_ptr_nonnull(rig_req(&r, "CANCEL", 0));
	rig_fini(&r);
}
END_TEST

static const struct {
	const char *name;
	unsigned got;			/* before the wait is over; 0: nothing */
	const char *up;
} wait_rows[] = {
	{ "silence", 0, "100 408" },
	{ "100 in time", 100, "100" },
	{ "180 in time", 180, "100 180" },
	{ "404 in time", 404, "100 404" },
};

START_TEST(test_wait_row)		/* proxy_target.wait_ms: TS 24.229 §5.4.3 default handling hangs on it */
{
	struct rig r;

	one(&r, "INVITE", "sip:x@n1");
	r.wait_ms = 4000;
	rig_request(&r, "INVITE", "sip:bob@b", "");
	if (wait_rows[_i].got)
		rig_reply(&r, rig_req(&r, "INVITE", 0), wait_rows[_i].got, wait_rows[_i].got == 100 ? "" : "B", "");
	rig_run(&r, 4100);
	ck_assert_msg(!strcmp(rig_up(&r), wait_rows[_i].up), "%s: %s", wait_rows[_i].name, rig_up(&r));
	rig_fini(&r);
}
END_TEST

START_TEST(test_blame_after_all)		/* row C12: the caller was answered before, the address is silent all the same */
{
	struct rig r;

	rig_init(&r);
	rig_request(&r, "MESSAGE", "sip:bob@n1", "");
	rig_run(&r, 20000);
	proxy_reject(r.p, &(const struct refusal){ .status = 504, .why = "nobody answered in time" });
	ck_assert_str_eq(r.resolver_failed, "");
	rig_run(&r, 13000);
	ck_assert_str_ne(r.resolver_failed, "");
	rig_fini(&r);
}
END_TEST

START_TEST(test_waits_on)		/* the user knows better than wait_ms: an application server that passed a MESSAGE on */
{
	struct rig r;

	one(&r, "MESSAGE", "sip:x@n1");
	r.wait_ms = 1000;
	r.waits_on = true;
	rig_request(&r, "MESSAGE", "sip:bob@b", "");
	rig_run(&r, 20000);
	ck_assert_str_eq(r.log, "branch waited ");
	rig_reply(&r, rig_req(&r, "MESSAGE", 0), 200, "B", "");
	ck_assert(rig_last_up(&r)->status == 200);
	rig_fini(&r);
}
END_TEST

/* Default handling: what the server said is no candidate for the best response, though its class is the lowest. */
static const struct { bool disregard; unsigned up; } disregard_rows[] = { { false, 404 }, { true, 500 } };

START_TEST(test_disregard)
{
	struct rig r;

	one(&r, "INVITE", "sip:x@n1");
	r.add_in_failed = "sip:x@n2";
	r.disregard = disregard_rows[_i].disregard;
	rig_request(&r, "INVITE", "sip:bob@b", "");
	rig_reply(&r, rig_req(&r, "INVITE", 0), 404, "B", "");
	rig_reply(&r, rig_req(&r, "INVITE", 1), 500, "C", "");
	ck_assert_uint_eq(rig_last_up(&r)->status, disregard_rows[_i].up);
	rig_fini(&r);
}
END_TEST

/* RFC 5923: what we open over TLS serves the other way too; nothing else does. */
START_TEST(test_alias)
{
	static const char *const hosts[] = { "tls1", "tcp1", "n1" };
	struct rig r;

	for (unsigned i = 0; i < 3; i++) {
		char ruri[32];
		struct str v;

		rig_init(&r);
		snprintf(ruri, sizeof(ruri), "sip:bob@%s", hosts[i]);
		rig_request(&r, "MESSAGE", ruri, NULL);
		ck_assert_ptr_nonnull(rig_req(&r, "MESSAGE", 0));
		ck_assert_int_eq(sip_param_get(rig_req(&r, "MESSAGE", 0)->m->via.params, "alias", &v), i == 0);
		rig_reply(&r, rig_req(&r, "MESSAGE", 0), 200, "2", "");
		rig_run(&r, 70000);
		rig_fini(&r);
	}
}
END_TEST

TEST_MAIN("proxy branch", TEST_ONE(test_alias), TEST_ROWS(test_failover_row, failover_rows), TEST_ONE(test_failover_silence),
	  TEST_ONE(test_failover_response_wait), TEST_ONE(test_provisional_holds_address), TEST_ONE(test_transport_error), TEST_ROWS(test_own_fault_row, own_fault_rows),
	  TEST_ONE(test_resolver_late), TEST_ONE(test_flow), TEST_ROWS(test_tcp_row, tcp_rows), TEST_ONE(test_timer_c_ringing),
	  TEST_ONE(test_timer_c_silent), TEST_ROWS(test_wait_row, wait_rows), TEST_ONE(test_blame_after_all), TEST_ONE(test_waits_on),
	  TEST_ROWS(test_disregard, disregard_rows))
