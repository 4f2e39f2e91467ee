/* tests/transaction/test_refuse.c - what our own error responses say about themselves: RFC 3261 §20.33, §20.43,
 * TS 24.229 §7.2.17; row R18. */
#include <stdio.h>
#include <string.h>
#include "tests/transaction/world.h"

static struct world w;
static struct refusal seen;
static unsigned n_seen;

static void on_judge(void *u, const struct sip_msg *m, struct refusal *r)
{
	ck_assert(u == &w && m->request);
	if (m->method == SIP_MESSAGE)		/* this sender may not know */
		r->secret = true;
}

static void on_refused(void *u, const struct sip_msg *m, const struct refusal *r)
{
	ck_assert(u == &w && m->request);
	seen = *r;
	n_seen++;
}

static void begin(void)
{
	world_init(&w, SIP_UDP, TX_CORE);
	tx_layer_set_agent(w.l, &(const struct tx_agent){ .name = STR("node.example:5060"), .fe = "s-cscf", .judge = on_judge,
							  .refused = on_refused, .u = &w });
	n_seen = 0;
}

#define WARNING "Warning: 399 node.example:5060 \"nobody is there\"\r\n"
#define SOURCE "Response-Source: fe=<urn:3gpp:fe:s-cscf"

static const struct {
	const char *name, *method;
	struct refusal r;
	const char *has[3], *has_not[3];
} rows[] = {
	{ "plain", "OPTIONS", { .status = 480 }, { WARNING, SOURCE ">\r\n" }, { "Retry-After" } },
	{ "with its side", "INVITE", { .status = 404, .side = "term" }, { WARNING, SOURCE ".term>\r\n" }, { NULL } },
	{ "secret", "OPTIONS", { .status = 403, .secret = true }, { SOURCE }, { "Warning", "nobody" } },
	{ "the role says secret", "MESSAGE", { .status = 403 }, { SOURCE }, { "Warning", "nobody" } },
	{ "a challenge is no error", "OPTIONS", { .status = 407 }, { "SIP/2.0 407 Proxy Authentication Required\r\n" },
	  { "Warning", "Response-Source" } },
	{ "own phrase and lines", "OPTIONS", { .status = 420, .reason = "No Way", .extra = STR("Unsupported: foo\r\n") },
	  { "SIP/2.0 420 No Way\r\n", "Unsupported: foo\r\n", WARNING }, { NULL } },
	{ "with a body", "OPTIONS", { .status = 504, .content_type = STR("text/plain"), .body = STR("gone") },
	  { "Content-Type: text/plain\r\n", "\r\n\r\ngone", WARNING }, { NULL } },
};

/* A check that lacked memory may have found what is not there: the sender is not told that it is at fault (RFC 3261 §21.5.1). */
static const struct { unsigned status, told; } doubt_rows[] = { { 400, 500 }, { 403, 500 }, { 404, 500 }, { 604, 500 }, { 503, 503 },
								 { 401, 401 }, { 487, 487 } };

START_TEST(test_doubt_row)
{
	char want[32];

	begin();
	world_request(&w, "OPTIONS");
	ck_assert_ptr_null(arena_alloc(tx_server_request(w.st)->arena, ARENA_LIMIT_BYTES));
	tx_refuse(w.st, &(const struct refusal){ .status = doubt_rows[_i].status, .why = "it is wrong", .extra = STR("X-Proof: it\r\n") });
	snprintf(want, sizeof(want), "SIP/2.0 %u ", doubt_rows[_i].told);
	ck_assert_msg(strstr(world_last(&w), want), "%u: %s", doubt_rows[_i].status, world_last(&w));
	ck_assert_int_eq(strstr(world_last(&w), "X-Proof") != NULL, doubt_rows[_i].told == doubt_rows[_i].status);
	world_fini(&w);
}
END_TEST

START_TEST(test_refuse_row)
{
	struct refusal r = rows[_i].r;

	begin();
	r.why = "nobody is there";
	world_request(&w, rows[_i].method);
	tx_refuse(w.st, &r);
	for (unsigned i = 0; i < 3; i++) {
		if (rows[_i].has[i])
			ck_assert_msg(strstr(world_last(&w), rows[_i].has[i]), "%s: no %s in\n%s", rows[_i].name, rows[_i].has[i],
				      world_last(&w));
		if (rows[_i].has_not[i])
			ck_assert_msg(!strstr(world_last(&w), rows[_i].has_not[i]), "%s: %s in\n%s", rows[_i].name,
				      rows[_i].has_not[i], world_last(&w));
	}
	ck_assert_uint_eq(n_seen, 1);		/* counted whatever the sender hears */
	ck_assert_uint_eq(seen.status, r.status);
	ck_assert_str_eq(seen.why, "nobody is there");
	world_fini(&w);
}
END_TEST

START_TEST(test_retry_spread)		/* not all come back in the same second */
{
	unsigned least = 99, most = 0, n;

	begin();
	for (unsigned i = 0; i < 300; i++) {
		char branch[32];
		const char *at;

		snprintf(branch, sizeof(branch), "z9hG4bKs%u", i);
		w.n_sent = 0;
		world_request_full(&w, "OPTIONS", branch, NULL, NULL);
		tx_refuse(w.st, &(const struct refusal){ .status = 503, .why = "busy", .retry_after_s = 10 });
		at = strstr(world_last(&w), "Retry-After: ");
		ck_assert_ptr_nonnull(at);
		ck_assert_int_eq(sscanf(at, "Retry-After: %u\r\n", &n), 1);
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	ck_assert_uint_eq(least, 10);
	ck_assert_uint_eq(most, 15);
	world_fini(&w);
}
END_TEST

START_TEST(test_once)			/* what is answered is not refused, nor counted as such */
{
	begin();
	world_request(&w, "INVITE");
	world_answer(&w, 486);
	tx_refuse_why(w.st, 500, "too late");
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(world_count(&w, "SIP/2.0 500"), 0);
	world_fini(&w);
}
END_TEST

START_TEST(test_nameless)		/* a phone or a tool on the same stack: plain responses */
{
	world_init(&w, SIP_UDP, TX_CORE);
	world_request(&w, "OPTIONS");
	ck_assert_ptr_nonnull(w.st);
	tx_refuse_why(w.st, 404, "nobody is there");
	ck_assert(!strstr(world_last(&w), "Warning") && !strstr(world_last(&w), "Response-Source"));
	world_fini(&w);
}
END_TEST

START_TEST(test_layers_own)		/* the layer's refusals are no others: full (RFC 3261 §21.5.4), CANCEL of nothing (§9.2) */
{
	begin();
	world_request_full(&w, "CANCEL", "z9hG4bKnone", NULL, NULL);
	ck_assert(strstr(world_last(&w), "SIP/2.0 481 ") && strstr(world_last(&w), SOURCE));
	tx_layer_set_limits(w.l, 1);
	world_request_full(&w, "OPTIONS", "z9hG4bKmore", NULL, NULL);
	ck_assert(strstr(world_last(&w), "SIP/2.0 503 ") && strstr(world_last(&w), "Retry-After: 1") && strstr(world_last(&w), SOURCE));
	ck_assert_uint_eq(n_seen, 2);
	world_fini(&w);
}
END_TEST

TEST_MAIN("refuse", TEST_ROWS(test_refuse_row, rows), TEST_ROWS(test_doubt_row, doubt_rows), TEST_ONE(test_retry_spread), TEST_ONE(test_once), TEST_ONE(test_nameless),
	  TEST_ONE(test_layers_own))
