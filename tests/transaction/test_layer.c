/* tests/transaction/test_layer.c - matching (RFC 3261 §17.1.3, §17.2.3), CANCEL (§9.2), response addresses (§18.2.2,
 * RFC 3581), limits, handles, and callbacks that call back in. */
#include <stdio.h>
#include "tests/transaction/world.h"

static struct world w;

/* A second request after a first: is it the same transaction? */
static const struct { const char *name, *method, *branch, *method2, *branch2, *to_tag2, *params2; unsigned requests, acks; } matches[] = {
	{ "a copy",                     "MESSAGE", "z9hG4bKx", "MESSAGE", "z9hG4bKx", NULL, NULL, 1, 0 },
	{ "another branch (merged)",    "MESSAGE", "z9hG4bKx", "MESSAGE", "z9hG4bKy", NULL, NULL, 2, 0 },
	{ "another method",             "MESSAGE", "z9hG4bKx", "OPTIONS", "z9hG4bKx", NULL, NULL, 2, 0 },
	{ "unknown method, a copy",     "FOO",     "z9hG4bKx", "FOO",     "z9hG4bKx", NULL, NULL, 1, 0 },
	{ "two unknown methods",        "FOO",     "z9hG4bKx", "BAR",     "z9hG4bKx", NULL, NULL, 2, 0 },
	{ "cookie alone is no branch",  "MESSAGE", "z9hG4bK",  "MESSAGE", "z9hG4bK",  NULL, NULL, 1, 0 },
	{ "ACK of a pending INVITE",    "INVITE",  "z9hG4bKx", "ACK",     "z9hG4bKx", "t",  NULL, 1, 0 },
	{ "ACK with its own branch",    "INVITE",  "z9hG4bKx", "ACK",     "z9hG4bKy", "t",  NULL, 1, 1 },
	{ "RFC 2543, a copy",           "MESSAGE", "1",        "MESSAGE", "1",        NULL, NULL, 1, 0 },
	{ "RFC 2543, no branch",        "INVITE",  NULL,       "INVITE",  NULL,       NULL, NULL, 1, 0 },
	{ "RFC 2543, other To tag",     "MESSAGE", "1",        "MESSAGE", "1",        "t",  NULL, 2, 0 },
	{ "RFC 2543, other Via",        "MESSAGE", "1",        "MESSAGE", "1",        NULL, ";x=1", 2, 0 },
	{ "RFC 2543, ACK, foreign tag", "INVITE",  "1",        "ACK",     "1",        "t",  NULL, 1, 1 },
};

START_TEST(test_layer_match)
{
	world_init(&w, SIP_UDP, TX_CORE);
	world_request_full(&w, matches[_i].method, matches[_i].branch, NULL, NULL);
	world_request_full(&w, matches[_i].method2, matches[_i].branch2, matches[_i].to_tag2, matches[_i].params2);
	ck_assert_msg(w.n_request == matches[_i].requests && w.n_ack == matches[_i].acks, "%s: %u requests, %u ACKs",
		      matches[_i].name, w.n_request, w.n_ack);
	world_fini(&w);
}
END_TEST

START_TEST(test_layer_rfc2543_ack)	/* §17.2.3: the ACK's To tag is that of the response */
{
	char tag[32];

	world_init(&w, SIP_UDP, TX_CORE);
	world_request_full(&w, "INVITE", "7", NULL, NULL);
	world_answer(&w, 486);
	str_copy(tx_server_to_tag(w.st), tag, sizeof(tag));
	world_request_full(&w, "ACK", "7", tag, NULL);
	ck_assert_int_eq(w.st->t.state, IST_CONFIRMED);
	ck_assert_uint_eq(w.n_ack, 0);
	world_fini(&w);
}
END_TEST

START_TEST(test_layer_rfc2543_users_tag)	/* the same for a response the user brought, with a tag of its own */
{
	struct bytes *wire = bytes_new(STR("SIP/2.0 486 Busy\r\nFrom: <sip:a@b>;tag=a1\r\nTo: <sip:b@b>;x=tagged;tag=tagged9\r\n"
					   "Call-ID: world@test\r\n\r\n"));

	world_init(&w, SIP_UDP, TX_CORE);
	world_request_full(&w, "INVITE", "7", NULL, NULL);
	tx_server_send(w.st, 486, wire);
	world_request_full(&w, "ACK", "7", "tagged", NULL);
	ck_assert_int_eq(w.st->t.state, IST_COMPLETED);
	world_request_full(&w, "ACK", "7", "tagged9", NULL);
	ck_assert_int_eq(w.st->t.state, IST_CONFIRMED);
	ck_assert_uint_eq(w.n_ack, 1);
	world_request_full(&w, "ACK", "7", "tagged9", NULL);	/* a copy */
	ck_assert_uint_eq(w.n_ack, 1);
	world_fini(&w);
	bytes_unref(wire);
}
END_TEST

START_TEST(test_layer_client_match)	/* §17.1.3: branch and CSeq method */
{
	world_init(&w, SIP_UDP, TX_CORE);
	world_client(&w, "MESSAGE");
	world_response(&w, 200, "INVITE");
	world_response(&w, 200, "CANCEL");
	ck_assert_uint_eq(w.n_stray, 2);
	world_response(&w, 200, "MESSAGE");
	ck_assert_uint_eq(w.n_response, 1);
	ck_assert_uint_eq(w.n_stray, 2);
	world_fini(&w);
}
END_TEST

/* §18.2.2, RFC 3581 §4.  The peer sends from 127.0.0.9:40000 and writes 127.0.0.9:5080 into its Via. */
static const struct { const char *name; enum sip_proto proto; const char *params, *to; bool conn; } addresses[] = {
	{ "UDP, sent-by port",       SIP_UDP, NULL, "127.0.0.9:5080", false },
	{ "UDP, rport asked",        SIP_UDP, ";rport", "127.0.0.9:40000", false },
	{ "UDP, maddr not obeyed",   SIP_UDP, ";maddr=127.0.0.66", "127.0.0.9:5080", false },
	{ "UDP, received not obeyed", SIP_UDP, ";received=127.0.0.66", "127.0.0.9:5080", false },
	{ "TCP, same connection",    SIP_TCP, NULL, "127.0.0.9:5080", true },
	{ "TLS, same connection",    SIP_TLS, ";rport", "127.0.0.9:5080", true },
};

START_TEST(test_layer_response_address)
{
	char to[ADDR_STRLEN];

	world_init(&w, addresses[_i].proto, TX_CORE);
	world_request_full(&w, "MESSAGE", "z9hG4bKx", NULL, addresses[_i].params);
	world_answer(&w, 200);
	addr_fmt(&w.sent[0].to.remote, to);
	ck_assert_msg(!strcmp(to, addresses[_i].to), "%s: %s", addresses[_i].name, to);
	ck_assert_int_eq(w.sent[0].to.conn == 7 && w.sent[0].to.conn_gen == 2, addresses[_i].conn);
	ck_assert_int_eq(w.sent[0].to.proto, addresses[_i].proto);
	if (addresses[_i].params && !strcmp(addresses[_i].params, ";rport"))
		ck_assert_ptr_nonnull(strstr(w.sent[0].text, ";rport=40000"));
	world_fini(&w);
}
END_TEST

START_TEST(test_layer_default_port)	/* §18.2.2: 5060, for TLS 5061 */
{
	struct sip_msg *m;
	struct sip_flow to;

	for (int i = 0; i < 2; i++) {
		world_init(&w, i ? SIP_TLS : SIP_UDP, TX_CORE);
		m = world_parse(&w, "OPTIONS sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP phone.invalid;branch=z9hG4bK1\r\n"
				"From: <sip:a@b>;tag=a1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
				"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n");
		tx_response_flow(m, &to);
		ck_assert_uint_eq(addr_port(&to.remote), i ? 5061 : 5060);
		sip_msg_unref(m);
		world_fini(&w);
	}
}
END_TEST

START_TEST(test_layer_cancel)		/* §9.2 */
{
	world_init(&w, SIP_UDP, TX_CORE);
	world_request(&w, "INVITE");
	world_request(&w, "CANCEL");
	ck_assert_uint_eq(w.n_cancel, 1);
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 200 "), 1);
	ck_assert_ptr_nonnull(strstr(world_last(&w), w.st->to_tag));	/* the INVITE's tag */
	ck_assert_ptr_nonnull(strstr(world_last(&w), "1 CANCEL"));
	world_request(&w, "CANCEL");					/* a copy: the 200 again, nothing else */
	ck_assert_uint_eq(w.n_cancel, 1);
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 200 "), 2);
	world_answer(&w, 487);
	ck_assert_ptr_nonnull(strstr(world_last(&w), w.st->to_tag));
	ck_assert_uint_eq(w.n_request, 1);
	world_fini(&w);
}
END_TEST

static const unsigned finals[] = { 200, 486 };

START_TEST(test_layer_cancel_too_late)	/* §9.2: after a final response it has no effect, but is answered 200 */
{
	world_init(&w, SIP_UDP, TX_CORE);
	world_request(&w, "INVITE");
	world_answer(&w, finals[_i]);
	world_request(&w, "CANCEL");
	ck_assert_uint_eq(w.n_cancel, 0);
	ck_assert_int_eq(strncmp(world_last(&w), "SIP/2.0 200 ", 12), 0);
	ck_assert_ptr_nonnull(strstr(world_last(&w), "1 CANCEL"));
	world_fini(&w);
}
END_TEST

START_TEST(test_layer_cancel_nothing)
{
	world_init(&w, SIP_UDP, TX_CORE);
	world_request(&w, "CANCEL");
	ck_assert_int_eq(strncmp(world_last(&w), "SIP/2.0 481 ", 12), 0);
	world_request(&w, "MESSAGE");			/* same branch, but no INVITE */
	world_request_full(&w, "CANCEL", "z9hG4bKother", NULL, NULL);
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 481 "), 2);
	ck_assert_uint_eq(w.n_cancel, 0);
	world_fini(&w);
}
END_TEST

START_TEST(test_layer_cancel_rfc2543)
{
	world_init(&w, SIP_UDP, TX_CORE);
	world_request_full(&w, "INVITE", NULL, NULL, NULL);
	world_request_full(&w, "CANCEL", NULL, NULL, NULL);
	ck_assert_uint_eq(w.n_cancel, 1);
	world_fini(&w);
}
END_TEST

START_TEST(test_layer_full)		/* new requests: 503 with Retry-After 5..15, no state; ACK, CANCEL and what is open go on */
{
	struct tx_stats s;
	unsigned after = 0;
	char *h;

	world_init(&w, SIP_UDP, TX_CORE);
	tx_layer_set_limits(w.l, 1);
	world_request(&w, "INVITE");
	world_request_full(&w, "MESSAGE", "z9hG4bKtoo-many", NULL, NULL);
	ck_assert_int_eq(strncmp(world_last(&w), "SIP/2.0 503 ", 12), 0);
	h = strstr(w.sent[w.n_sent - 1].text, "Retry-After: ");
	ck_assert_ptr_nonnull(h);
	after = (unsigned)strtoul(h + 13, NULL, 10);
	ck_assert(after >= 5 && after <= 15);
	ck_assert_uint_eq(w.sent[w.n_sent - 1].origin.gen, 0);
	world_request_full(&w, "ACK", "z9hG4bKack", "t", NULL);
	ck_assert_uint_eq(w.n_ack, 1);
	ck_assert_ptr_null(world_client(&w, "INVITE"));
	world_request(&w, "CANCEL");
	ck_assert_uint_eq(w.n_cancel, 1);
	ck_assert_uint_eq(w.n_request, 1);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.refused_full, 2);
	ck_assert_uint_eq(s.server_now, 2);
	world_fini(&w);
}
END_TEST

static bool vital_if_tagged(void *u, const struct sip_msg *m)
{
	(void)u;
	return m->to_tag.l > 0;
}

START_TEST(test_layer_full_vital)	/* what belongs to a call is let in an eighth above the limit */
{
	struct tx_stats s;
	char branch[32];

	world_init(&w, SIP_UDP, TX_CORE);
	tx_layer_set_limits(w.l, 8);
	tx_layer_set_vital_fn(w.l, vital_if_tagged);
	for (int i = 0; i < 9; i++) {
		snprintf(branch, sizeof(branch), "z9hG4bK%d", i);
		world_request_full(&w, "MESSAGE", branch, NULL, NULL);
	}
	ck_assert_uint_eq(w.n_request, 8);
	world_request_full(&w, "INFO", "z9hG4bKcall", "t", NULL);
	ck_assert_uint_eq(w.n_request, 9);
	world_request_full(&w, "INFO", "z9hG4bKcall2", "t", NULL);
	ck_assert_uint_eq(w.n_request, 9);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.refused_full, 2);
	world_fini(&w);
}
END_TEST

static void answer_200(struct world *x, struct tx_server *st)
{
	tx_server_reply(st, 200, NULL, STR_NONE);
	(void)x;
}

START_TEST(test_layer_makes_room)	/* an answered request makes room once its sender has been silent for longer than 2*T2 */
{
	struct tx_stats s;

	world_init(&w, SIP_UDP, TX_CORE);
	tx_layer_set_limits(w.l, 1);
	w.in_request = answer_200;
	world_request_full(&w, "MESSAGE", "z9hG4bKfirst", NULL, NULL);
	world_advance(&w, 3000);
	world_request_full(&w, "MESSAGE", "z9hG4bKfirst", NULL, NULL);	/* its 200 was lost */
	world_advance(&w, 7900);
	world_request_full(&w, "MESSAGE", "z9hG4bKsecond", NULL, NULL);
	ck_assert_uint_eq(w.n_request, 1);
	ck_assert_int_eq(strncmp(world_last(&w), "SIP/2.0 503 ", 12), 0);
	world_advance(&w, 200);
	world_request_full(&w, "MESSAGE", "z9hG4bKthird", NULL, NULL);
	ck_assert_uint_eq(w.n_request, 2);
	ck_assert_int_eq(strncmp(world_last(&w), "SIP/2.0 200 ", 12), 0);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.made_room, 1);
	ck_assert_uint_eq(s.refused_full, 1);
	world_fini(&w);
}
END_TEST

static void answer_at_once(struct world *x, struct tx_server *st)
{
	tx_server_reply(st, 180, NULL, STR_NONE);
	tx_server_reply(st, 200, NULL, STR_NONE);
	tx_server_reply(st, 200, NULL, STR_NONE);
	ck_assert_ptr_nonnull(tx_server_request(st));
	(void)x;
}

static void cancel_and_forget(struct world *x, struct tx_client *ct)
{
	tx_client_cancel(ct, STR_NONE);
	tx_client_forget(ct);
	tx_client_cancel(ct, STR_NONE);
	(void)x;
}

static void start_another(struct world *x)
{
	x->in_gone = NULL;
	world_client(x, "OPTIONS");
}

START_TEST(test_layer_reentrant)	/* callbacks may answer, cancel, forget and start others */
{
	struct tx_stats s;

	world_init(&w, SIP_UDP, TX_CORE);
	w.in_request = answer_at_once;
	world_request(&w, "INVITE");
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 200 "), 2);
	w.in_response = cancel_and_forget;
	world_client(&w, "INVITE");
	world_response(&w, 180, "INVITE");
	ck_assert_uint_eq(world_count(&w, "CANCEL "), 1);
	world_response(&w, 180, "INVITE");
	ck_assert_uint_eq(w.n_response, 1);
	w.in_gone = start_another;
	world_advance(&w, 300000);
	tx_layer_stats(w.l, &s);
	ck_assert_uint_eq(s.server_now, 0);
	ck_assert_uint_eq(s.client_now, 0);
	ck_assert_uint_eq(w.n_failed, 1);			/* the one started from `gone` */
	ck_assert_uint_eq(w.wheel.n_pending, 0);
	world_fini(&w);
}
END_TEST

static void note_view(void *arg, const struct tx_view *v)
{
	unsigned *n = arg;

	ck_assert(str_eq_c(v->call_id, "world@test"));
	ck_assert_uint_eq(v->age_ms, 250);
	ck_assert_str_eq(v->state, v->server ? "proceeding" : "calling");
	ck_assert_int_eq(v->method, SIP_INVITE);
	++*n;
}

START_TEST(test_layer_views_and_handles)
{
	struct tx_handle h, wrong;
	unsigned n = 0;

	world_init(&w, SIP_UDP, TX_CORE);
	world_request(&w, "INVITE");
	world_client(&w, "INVITE");
	world_advance(&w, 250);
	tx_layer_each(w.l, note_view, &n);
	ck_assert_uint_eq(n, 2);
	h = wrong = tx_server_handle(w.st);
	ck_assert_ptr_eq(tx_server_find(w.l, h), w.st);
	wrong.gen++;
	ck_assert_ptr_null(tx_server_find(w.l, wrong));
	wrong = h;
	wrong.worker++;
	ck_assert_ptr_null(tx_server_find(w.l, wrong));
	ck_assert_ptr_null(tx_server_find(w.l, tx_client_handle(w.ct)));
	ck_assert_uint_eq(w.n_seen_in, 1);
	ck_assert_uint_eq(w.n_seen_out, 2);
	world_fini(&w);
	ck_assert_uint_eq(w.n_gone, 2);				/* tx_layer_free() tells everybody */
}
END_TEST

START_TEST(test_layer_many)		/* slots grow; each transaction is found again, and none is left over */
{
	static struct world many;
	struct tx_stats s;
	char branch[32];

	world_init(&many, SIP_TCP, TX_CORE);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			many.n_sent = 0;
			snprintf(branch, sizeof(branch), "z9hG4bK%d", i);
			world_request_full(&many, "OPTIONS", branch, NULL, NULL);
		}
	}
	ck_assert_uint_eq(many.n_request, 1000);
	many.n_sent = 0;
	tx_layer_stats(many.l, &s);
	ck_assert_uint_eq(s.server_now, 1000);
	ck_assert_uint_eq(s.retransmissions_absorbed, 1000);
	world_fini(&many);
	ck_assert_uint_eq(many.n_gone, 1000);
}
END_TEST

START_TEST(test_layer_branch)		/* §8.1.1.7 */
{
	char a[24], b[24];

	tx_branch_make(a);
	tx_branch_make(b);
	ck_assert_uint_eq(strlen(a), 22);
	ck_assert_int_eq(strncmp(a, "z9hG4bK", 7), 0);
	ck_assert_str_ne(a, b);
}
END_TEST

/* ---- refused before a transaction is made: rows C18, X10 ---- */

static struct refusal refusal;
static bool let_in;

static bool on_admit(void *u, struct sip_msg *m, struct refusal *ret)
{
	(void)u, (void)m;
	*ret = refusal;
	return let_in;
}

static void to_tag_of(const char *wire, char dst[64])
{
	const char *p = strstr(strstr(wire, "\r\nTo:"), ";tag=");

	ck_assert_ptr_nonnull(p);
	snprintf(dst, 64, "%.*s", (int)strcspn(p + 5, ";\r\n"), p + 5);
}

START_TEST(test_layer_refused)
{
	char tag[64], again[64];
	struct tx_stats st;

	world_init(&w, SIP_UDP, TX_CORE);
	tx_layer_set_admit_fn(w.l, on_admit);
	refusal = (struct refusal){ .status = 503, .extra = STR("Retry-After: 7\r\n") };
	let_in = false;
	world_request_full(&w, "INVITE", "z9hG4bKr", NULL, NULL);
	ck_assert_uint_eq(w.n_sent, 1);				/* no 100 before it */
	ck_assert_ptr_nonnull(strstr(world_last(&w), "SIP/2.0 503 "));
	ck_assert_ptr_nonnull(strstr(world_last(&w), "\r\nRetry-After: 7\r\n"));
	to_tag_of(world_last(&w), tag);
	world_advance(&w, 64000);
	ck_assert_uint_eq(w.n_sent, 1);				/* and no timer G behind it */
	world_request_full(&w, "INVITE", "z9hG4bKr", NULL, NULL);	/* §8.2.7: a retransmission hears the same */
	to_tag_of(world_last(&w), again);
	ck_assert_str_eq(tag, again);
	world_request_full(&w, "ACK", "z9hG4bKr", tag, NULL);
	ck_assert_uint_eq(w.n_ack, 0);				/* it ends here */
	world_request_full(&w, "ACK", "z9hG4bKs", tag, NULL);	/* of another call, with a tag that looks like ours */
	ck_assert_uint_eq(w.n_ack, 1);
	tx_layer_stats(w.l, &st);
	ck_assert_uint_eq(st.refused, 2);
	ck_assert_uint_eq(st.server_now, 0);
	ck_assert_uint_eq(w.n_request, 0);
	let_in = true;
	world_request_full(&w, "INVITE", "z9hG4bKr", NULL, NULL);
	ck_assert_uint_eq(w.n_request, 1);
	let_in = false;						/* what was let in is not asked about again */
	world_request_full(&w, "INVITE", "z9hG4bKr", NULL, NULL);
	tx_layer_stats(w.l, &st);
	ck_assert_uint_eq(st.refused, 2);
	world_fini(&w);
}
END_TEST

static unsigned percent;

static unsigned on_overload(void *u)
{
	(void)u;
	return percent;
}

/* RFC 7339 §5.2: who offers it is told, in every response while it lasts; others are not. */
START_TEST(test_layer_overload)
{
	world_init(&w, SIP_UDP, TX_CORE);
	tx_layer_set_overload_fn(w.l, on_overload);
	percent = 40;
	world_request_full(&w, "MESSAGE", "z9hG4bKo1", NULL, ";oc;oc-algo=\"loss\"");
	world_answer(&w, 200);
	ck_assert_ptr_nonnull(strstr(world_last(&w), ";oc=40;oc-algo=\"loss\";oc-validity="));
	world_request_full(&w, "MESSAGE", "z9hG4bKo2", NULL, NULL);
	world_answer(&w, 200);
	ck_assert_ptr_null(strstr(world_last(&w), "oc="));
	percent = 0;
	world_request_full(&w, "MESSAGE", "z9hG4bKo3", NULL, ";oc;oc-algo=\"loss\"");
	world_answer(&w, 200);
	ck_assert_ptr_null(strstr(world_last(&w), "oc="));
	world_fini(&w);
}
END_TEST

/* SEC-11: never longer than what came. */
START_TEST(test_layer_refused_small)
{
	size_t plain, with_extra;

	world_init(&w, SIP_UDP, TX_CORE);
	tx_layer_set_admit_fn(w.l, on_admit);
	let_in = false;
	refusal = (struct refusal){ .status = 403, .extra = STR("Warning: 399 p.example \"why\"\r\n"), .max_bytes = 4096 };
	world_request(&w, "MESSAGE");
	with_extra = strlen(world_last(&w));
	refusal.max_bytes = with_extra - 1;
	world_request(&w, "MESSAGE");
	plain = strlen(world_last(&w));
	ck_assert_uint_eq(plain, with_extra - refusal.extra.l);
	refusal.max_bytes = plain - 1;
	world_request(&w, "MESSAGE");
	ck_assert_uint_eq(w.n_sent, 2);				/* nothing at all */
	refusal.status = 0;
	world_request(&w, "MESSAGE");
	ck_assert_uint_eq(w.n_sent, 2);
	world_fini(&w);
}
END_TEST

/* SEC-11: let in, but its address may be forged: one datagram out for one in. */
START_TEST(test_layer_forgeable)
{
	world_init(&w, SIP_UDP, TX_CORE);
	tx_layer_set_admit_fn(w.l, on_admit);
	let_in = true;
	refusal = (struct refusal){ .forgeable = true };
	world_request(&w, "INVITE");
	ck_assert_uint_eq(w.n_request, 1);
	ck_assert_uint_eq(w.n_sent, 0);				/* no 100 */
	world_answer(&w, 380);
	ck_assert_uint_eq(w.n_sent, 1);
	world_advance(&w, 31000);
	ck_assert_uint_eq(w.n_sent, 1);				/* no timer G */
	world_request(&w, "INVITE");
	ck_assert_uint_eq(w.n_sent, 2);
	world_advance(&w, 2000);				/* timer H ends it */
	ck_assert_ptr_null(w.st);
	world_fini(&w);
}
END_TEST

/* A response needs all Vias of its request, and those may leave no room for anything else. */
static const struct { const char *name, *method; size_t octets, extra; unsigned sent; } large[] = {
	{ "INVITE, fits without what is extra", "INVITE", 30000, 40000, 1 }, { "INVITE, nothing fits", "INVITE", 65525, 0, 0 },
	{ "MESSAGE, fits without what is extra", "MESSAGE", 30000, 40000, 1 }, { "MESSAGE, nothing fits", "MESSAGE", 65525, 0, 0 },
};

START_TEST(test_layer_too_large)	/* found by fuzz_proxy: a transaction without an end */
{
	struct sip_flow flow = { .proto = SIP_UDP };
	struct sip_parse_error e;
	struct tx_stats stats;
	struct sip_msg *m;
	struct buf b, extra;

	world_init(&w, SIP_UDP, TX_CORE);
	ck_assert_int_eq(addr_parse(STR(WORLD_PEER), 5080, &flow.remote), 0);
	buf_init(&b, 65535);
	buf_init(&extra, 65535);
	buf_printf(&b, "%s sip:b@h SIP/2.0\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 %s\r\n"
		   "v: SIP/2.0/UDP h;branch=z9hG4bKx;y=", large[_i].method, large[_i].method);
	while (!b.failed && b.l < large[_i].octets)
		buf_putc(&b, 'y');
	buf_puts(&b, "\r\nl: 0\r\n\r\n");
	buf_puts(&extra, "X: ");
	for (size_t i = 0; i < large[_i].extra; i++)
		buf_putc(&extra, 'x');
	buf_puts(&extra, "\r\n");
	ck_assert(!b.failed && !extra.failed);
	ck_assert_int_eq(sip_msg_parse_copy(buf_str(&b), &flow, &m, &e), 0);
	tx_input(w.l, m);
	ck_assert_uint_eq(w.n_request, 1);
	tx_server_reply(w.st, 486, NULL, buf_str(&extra));
	ck_assert_msg(world_count(&w, "SIP/2.0 486") == large[_i].sent, "%s", large[_i].name);
	ck_assert(tx_server_final_sent(w.st));
	tx_input(w.l, m);					/* a copy: the same, and no second request */
	ck_assert_uint_eq(w.n_request, 1);
	world_advance(&w, 33000);
	tx_layer_stats(w.l, &stats);
	ck_assert_msg(stats.server_now == 0 && w.n_gone == 1, "%s", large[_i].name);
	sip_msg_unref(m);
	buf_fini(&b);
	buf_fini(&extra);
	world_fini(&w);
}
END_TEST

TEST_MAIN("layer", TEST_ROWS(test_layer_too_large, large), TEST_ONE(test_layer_overload),
	  TEST_ONE(test_layer_forgeable), TEST_ONE(test_layer_refused),
	  TEST_ONE(test_layer_refused_small),
	  TEST_ROWS(test_layer_match, matches), TEST_ONE(test_layer_rfc2543_ack),
	  TEST_ONE(test_layer_rfc2543_users_tag), TEST_ONE(test_layer_client_match),
	  TEST_ROWS(test_layer_response_address, addresses), TEST_ONE(test_layer_default_port), TEST_ONE(test_layer_cancel),
	  TEST_ROWS(test_layer_cancel_too_late, finals), TEST_ONE(test_layer_cancel_nothing),
	  TEST_ONE(test_layer_cancel_rfc2543), TEST_ONE(test_layer_full), TEST_ONE(test_layer_full_vital), TEST_ONE(test_layer_makes_room),
	  TEST_ONE(test_layer_reentrant),
	  TEST_ONE(test_layer_views_and_handles), TEST_ONE(test_layer_many), TEST_ONE(test_layer_branch))
