/* tests/proxy/test_uac.c - requests of our own: RFC 3261 §8.1, §18.1.1; RFC 3263 §4.3. */
#include "common/proxy/uac.h"
#include "tests/proxy/rig.h"

static char told[256];

static void on_result(void *arg, unsigned status, const struct sip_msg *m)
{
	size_t l = strlen(told);
	(void)arg;

	ck_assert(!m || m->status == status);
	snprintf(told + l, sizeof(told) - l, "%s%u ", m ? "" : "own-", status);
}

static struct uac *send_to(struct rig *r, const char *ruri, const char *extra, size_t body, uint32_t wait_ms)
{
	struct buf b;
	struct uac *u;

	told[0] = '\0';
	buf_init(&b, 60000);
	buf_printf(&b, "NOTIFY %s SIP/2.0\r\nMax-Forwards: 70\r\nFrom: <sip:a@self>;tag=1\r\nTo: <sip:b@b>;tag=2\r\n"
		       "Call-ID: of-ours\r\nCSeq: 7 NOTIFY\r\n%sContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
		   ruri, extra, body);
	for (size_t i = 0; i < body; i++)
		buf_putc(&b, 'x');
	ck_assert(!b.failed);
	u = uac_send(r->pl, buf_str(&b), TX_CORE, wait_ms, on_result, NULL);
	buf_fini(&b);
	return u;
}

static const struct {
	const char *name, *ruri, *extra;
	const char *down;
	int udp_err, tcp_err;
	size_t body;
	unsigned answer;		/* of the last one sent; 0: silence */
	const char *told;
} rows[] = {
	{ "by Request-URI", "sip:b@n1", "", "NOTIFY@10.0.0.1", 0, 0, 0, 200, "200 " },
	{ "by Route", "sip:b@n1", "Route: <sip:t@n2;lr>\r\n", "NOTIFY@10.0.0.2", 0, 0, 0, 481, "481 " },
	{ "a dialog's strict router stands in the Request-URI", "sip:n1", "Route: <sip:b@n2>\r\n", "NOTIFY@10.0.0.1", 0, 0, 0, 200,
	  "200 " },
	{ "silence, timer F", "sip:b@n1", "", "NOTIFY@10.0.0.1", 0, 0, 0, 0, "own-408 " },
	{ "RFC 3263 §4.3: silence, the next address", "sip:b@n12", "", "NOTIFY@10.0.0.1 NOTIFY@10.0.0.2", 0, 0, 0, 0, "own-408 " },
	{ "503: the next address", "sip:b@n12", "", "NOTIFY@10.0.0.1 NOTIFY@10.0.0.2", 0, 0, 0, 503, "503 " },
	{ "503 and no other address", "sip:b@n1", "", "NOTIFY@10.0.0.1", 0, 0, 0, 503, "503 " },
	{ "no such name", "sip:b@nx", "", "", 0, 0, 0, 0, "own-503 " },
	{ "cannot be sent", "sip:b@n1", "", "", -ENETUNREACH, 0, 0, 0, "own-503 " },
	{ "no memory to send it", "sip:b@n12", "", "", -ENOMEM, 0, 0, 0, "own-503 " },
	{ "§18.1.1: too large for a datagram", "sip:b@n1", "", "NOTIFY@10.0.0.1/tcp", 0, 0, 1300, 200, "200 " },
	{ "§18.1.1: and TCP is refused", "sip:b@n1", "", "NOTIFY@10.0.0.1", 0, -ECONNREFUSED, 1300, 200, "200 " },
	{ "a Request-URI that asks for UDP", "sip:b@n1;transport=udp", "", "NOTIFY@10.0.0.1", 0, 0, 1300, 200, "200 " },
};

START_TEST(test_uac_row)
{
	struct rig r;

	rig_init(&r);
	r.udp_err = rows[_i].udp_err;
	r.tcp_err = rows[_i].tcp_err;
	ck_assert_ptr_nonnull(send_to(&r, rows[_i].ruri, rows[_i].extra, rows[_i].body, 0));
	ck_assert_str_eq(told, "");		/* never from inside */
	rig_run(&r, 5);
	for (unsigned i = 0; rows[_i].answer && rig_req(&r, "NOTIFY", i); i++)
		rig_reply(&r, rig_req(&r, "NOTIFY", i), rows[_i].answer, "2", "");
	rig_run(&r, 70000);
	ck_assert_msg(!strcmp(rig_down(&r), rows[_i].down), "%s: %s", rows[_i].name, rig_down(&r));
	ck_assert_msg(!strcmp(told, rows[_i].told), "%s: told %s", rows[_i].name, told);
	if (rows[_i].udp_err == -ENOMEM)	/* that is our own fault: nobody else need pass it over */
		ck_assert_str_eq(r.resolver_failed, "");
	if (rig_req(&r, "NOTIFY", 0))
		ck_assert_uint_eq(sip_values_count(rig_req(&r, "NOTIFY", 0)->m, SIP_H_VIA), 1);
	rig_fini(&r);
}
END_TEST

START_TEST(test_wait)			/* the user's own limit */
{
	struct rig r;

	rig_init(&r);
	ck_assert_ptr_nonnull(send_to(&r, "sip:b@n1", "", 0, 2000));
	rig_run(&r, 1990);
	ck_assert_str_eq(told, "");
	rig_run(&r, 20);
	ck_assert_str_eq(told, "own-408 ");
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "2", "");	/* too late */
	rig_run(&r, 70000);
	ck_assert_str_eq(told, "own-408 ");
	rig_fini(&r);
}
END_TEST

/* REG-20: whatever provisional response comes, bare as it is, is no answer ... */
START_TEST(test_every_provisional_reg_20)
{
	struct rig r;

	rig_init(&r);
	ck_assert_ptr_nonnull(send_to(&r, "sip:b@n12", "", 0, 0));
	for (unsigned status = 100; status < 200; status++) {
		rig_reply(&r, rig_req(&r, "NOTIFY", 0), status, status % 2 ? "2" : NULL, "");
		ck_assert_str_eq(told, "");
	}
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "2", "");
	ck_assert_str_eq(told, "200 ");
	ck_assert_str_eq(rig_down(&r), "NOTIFY@10.0.0.1");
	rig_fini(&r);
}
END_TEST

/* ... and does not hold the request either: timer F runs in Proceeding too, RFC 3261 §17.1.2.2. */
START_TEST(test_provisional_for_ever_reg_20)
{
	struct rig r;
	unsigned ms = 0;

	rig_init(&r);
	ck_assert_ptr_nonnull(send_to(&r, "sip:b@n1", "", 0, 0));
	for (; !*told && ms < 60000; ms += 1000) {
		rig_reply(&r, rig_req(&r, "NOTIFY", 0), 183, "2", "");
		rig_run(&r, 1000);
	}
	ck_assert_str_eq(told, "own-408 ");
	ck_assert_uint_eq(ms, 32000);
	rig_fini(&r);
}
END_TEST

START_TEST(test_forget)			/* the user goes first; then the layer, which tells what is still on its way */
{
	struct rig r;
	struct uac *u;

	rig_init(&r);
	u = send_to(&r, "sip:b@n1", "", 0, 500);
	uac_forget(u);
	rig_reply(&r, rig_req(&r, "NOTIFY", 0), 200, "2", "");
	rig_run(&r, 70000);
	ck_assert_str_eq(told, "");
	uac_forget(send_to(&r, "sip:b@wait1", "", 0, 0));	/* while the name is looked up */
	ck_assert_str_eq(told, "");
	uac_forget(send_to(&r, "sip:b@nx", "", 0, 0));		/* before it is told */
	rig_run(&r, 10);
	ck_assert_str_eq(told, "");
	ck_assert_ptr_nonnull(send_to(&r, "sip:b@n1", "", 0, 0));
	rig_fini(&r);
	ck_assert_str_eq(told, "own-503 ");
}
END_TEST

START_TEST(test_malformed)		/* what is no request, or not one of these, is refused at once */
{
	static const char *const texts[] = {
		"", "NOTIFY", "NOTIFY sip:b@n1 SIP/2.0\r\n\r\n",
		"SIP/2.0 200 OK\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 NOTIFY\r\n\r\n",
		"INVITE sip:b@n1 SIP/2.0\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n",
	};
	struct rig r;

	rig_init(&r);
	told[0] = '\0';
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_ptr_null(uac_send(r.pl, str_from_c(texts[i]), TX_CORE, 0, on_result, NULL));
	ck_assert_str_eq(told, "");
	ck_assert_str_eq(rig_down(&r), "");
	rig_fini(&r);
}
END_TEST

TEST_MAIN("uac", TEST_ROWS(test_uac_row, rows), TEST_ONE(test_wait), TEST_ONE(test_every_provisional_reg_20),
	  TEST_ONE(test_provisional_for_ever_reg_20), TEST_ONE(test_forget), TEST_ONE(test_malformed))
