/* tests/daemon/test_stack.c - who we are: the name of our own URIs and the URIs that mean us.  RFC 3261 §16.4, RFC 3263 §4.2. */
#include <stdio.h>
#include <string.h>
#include "common/daemon/stack.h"
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

TEST_MAIN("stack", TEST_ROWS(test_name_row, rows))
