/* tests/daemon/test_stack.c - who we are: the name of our own URIs and the URIs that mean us.  RFC 3261 §16.4, RFC 3263 §4.2.
 * And what a running worker counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "common/daemon/stack.h"
#include "common/metrics/metrics.h"
#include "tests/check.h"

static void on_request(struct worker *w, struct tx_server *st, struct sip_msg *m)
{
	(void)w, (void)m;
	tx_server_reply(st, 501, NULL, STR_NONE);
}

static void on_ack(struct worker *w, struct sip_msg *m)
{
	(void)w, (void)m;
}

static const struct role_ops ops = { .request = on_request, .ack = on_ack };
static const struct cfg_row *const schemas[] = { cfg_common_schema, NULL };

static const struct { const char *name, *listen, *sip_name, *self[3], *other[3]; } rows[] = {
	{ "listener only", "udp:127.0.32.1:6061", "127.0.32.1:6061", { "sip:127.0.32.1:6061", "sip:u@127.0.32.1:6061;lr" },
	  { "sip:127.0.32.1", "sip:127.0.32.2:6061", "tel:+49" } },
	{ "name gets the port", "udp:127.0.32.1:6061", "scscf.ims.example:6061",
	  { "sip:scscf.ims.example:6061", "sip:tok@SCSCF.ims.example:6061;lr", "sip:scscf.ims.example" },
	  { "sip:scscf.ims.example:5060", "sip:ims.example:6061", "sip:x.scscf.ims.example:6061" } },
	{ "every address", "udp:0.0.0.0:6063", "scscf.ims.example:6063",
	  { "sip:tok@127.0.32.77:6063;lr", "sip:scscf.ims.example:6063" }, { "sip:127.0.32.77:6061", "sip:192.0.2.1:6063", "sip:[::1]:6063" } },
	{ "name is an IPv6 literal", "udp:[::1]:6062", "[::1]:6062", { "sip:[::1]:6062" }, { "sip:[::1]" } },
};

START_TEST(test_name_row)
{
	struct buf err;
	struct daemon d = { .name = "test" };
	struct stack *s = NULL;
	struct sip_uri u;
	char text[512];
	int n;

	buf_init(&err, 4096);
	n = snprintf(text, sizeof(text), "plmn: {mcc: \"001\", mnc: \"01\"}\nsip:\n  listen: [\"%s\"]\n", rows[_i].listen);
	if (_i)
		snprintf(text + n, sizeof(text) - (size_t)n, "  name: \"%s\"\n", strchr(rows[_i].listen, '[') ? "::1" : "scscf.ims.example");
	ck_assert_msg(cfg_load_text(str_from_c(text), "test", schemas, &d.config, &err) == 0, "%.*s", STR_ARG(buf_str(&err)));
	d.loop = loop_new();
	ck_assert_int_eq(stack_start(&s, &d, &ops, NULL), 0);
	ck_assert_msg(str_eq_c(stack_sip_name(s), rows[_i].sip_name), "%s: %.*s", rows[_i].name, STR_ARG(stack_sip_name(s)));
	for (unsigned i = 0; i < 3 && rows[_i].self[i]; i++) {
		ck_assert_int_eq(sip_uri_parse(str_from_c(rows[_i].self[i]), &u, NULL), 0);
		ck_assert_msg(stack_is_self(s, &u), "%s: %s", rows[_i].name, rows[_i].self[i]);
	}
	for (unsigned i = 0; i < 3 && rows[_i].other[i]; i++) {
		ck_assert_int_eq(sip_uri_parse(str_from_c(rows[_i].other[i]), &u, NULL), 0);
		ck_assert_msg(!stack_is_self(s, &u), "%s: %s", rows[_i].name, rows[_i].other[i]);
	}
	stack_free(s);
	loop_free(d.loop);
	cfg_unref(d.config);
	buf_fini(&err);
}
END_TEST

/* One new request from a socket of its own; its answer's status, 0: none came. */
static unsigned ask(int fd, const struct addr *to, unsigned n)
{
	char text[512];
	ssize_t l = snprintf(text, sizeof(text), "OPTIONS sip:x@ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.32.9;rport;branch=z9hG4bK%u\r\n"
			     "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: %u\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n", n, n);

	ck_assert_int_eq(sendto(fd, text, (size_t)l, 0, &to->sa, sizeof(to->in4)), l);
	l = recv(fd, text, sizeof(text) - 1, 0);
	return l > 12 ? (unsigned)atoi(text + 8) : 0;
}

static double figure(const char *name)
{
	struct buf b;
	const char *at;
	double v;

	buf_init(&b, 1 << 20);
	metrics_write(&b);
	buf_putc(&b, '\0');
	ck_assert(!b.failed);
	at = strstr(b.p, name);
	ck_assert_msg(at && at[strlen(name)] == ' ', "no %s", name);
	v = atof(at + strlen(name));
	buf_fini(&b);
	return v;
}

#define TX_MAX 16u
static const char room_config[] = "plmn: {mcc: \"001\", mnc: \"01\"}\nworkers: 1\nsip: {listen: [\"udp:127.0.32.1:6064\"], max_transactions: 16, "
				  "timers: {t1_ms: 20, t2_ms: 20, t4_ms: 20, d_ms: 640}}\n";

START_TEST(test_room_figure)		/* an answered request makes room for a new one, and that is counted */
{
	struct timeval wait = { .tv_sec = 2 };
	struct daemon d = { .name = "test" };
	unsigned n = 0, full = 0;
	struct stack *s = NULL;
	struct addr to;
	struct buf err;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	buf_init(&err, 4096);
	ck_assert_msg(cfg_load_text(str_from_c(room_config), "test", schemas, &d.config, &err) == 0, "%.*s", STR_ARG(buf_str(&err)));
	d.loop = loop_new();
	ck_assert_int_eq(stack_start(&s, &d, &ops, NULL), 0);
	ck_assert_double_eq(figure("\ncscf_sip_made_room_total"), 0);
	ck_assert_int_eq(addr_parse(STR("127.0.32.1"), 6064, &to), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	while (n < TX_MAX)
		ck_assert_uint_eq(ask(fd, &to, n++), 501);
	/* Full until 2*T2 have passed (timer J takes 64*T1); the figures are renewed once a second. */
	for (unsigned i = 0; i < 100000 && figure("\ncscf_sip_made_room_total") < 1; i++) {
		unsigned status = ask(fd, &to, n++);

		ck_assert(status == 501 || status == 503);
		full += status == 503;
	}
	ck_assert_double_ge(figure("\ncscf_sip_made_room_total"), 1);
	ck_assert_uint_gt(full, 0);
	close(fd);
	stack_free(s);
	loop_free(d.loop);
	cfg_unref(d.config);
	buf_fini(&err);
}
END_TEST

TEST_MAIN("stack", TEST_ROWS(test_name_row, rows), TEST_ONE(test_room_figure))
