/* tests/sip/test_out.c - edits of a forwarded message, and the messages we make: RFC 3261 §16.6, §8.2.6, §17.1.1.3, §9.1. */
#include <errno.h>
#include <stdio.h>
#include "common/sip/out.h"
#include "tests/check.h"

#define HEAD "INVITE sip:bob@h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2\r\n" \
	"v: SIP/2.0/UDP c;branch=z9hG4bK3\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\ni: x\r\nCSeq: 1 INVITE\r\n"
#define TAIL "Content-Length: 2\r\n\r\n\x01\xff"

static void op_none(struct sip_out *o) { (void)o; }
static void op_drop(struct sip_out *o) { sip_out_drop(o, SIP_H_PAI); }
static void op_drop_name(struct sip_out *o) { sip_out_drop_name(o, "x-private"); }
static void op_drop_name_id(struct sip_out *o) { sip_out_drop_name(o, "p-asserted-identity"); }
static void op_drop_route(struct sip_out *o) { sip_out_drop_first(o, SIP_H_ROUTE); }
static void op_drop_route2(struct sip_out *o) { op_drop_route(o); op_drop_route(o); }
static void op_drop_route3(struct sip_out *o) { op_drop_route2(o); op_drop_route(o); }
static void op_push_then_drop(struct sip_out *o) { sip_out_push(o, SIP_H_ROUTE, STR("<sip:new>")); op_drop_route(o); }
static void op_push(struct sip_out *o) { sip_out_push(o, SIP_H_ROUTE, STR("<sip:new>")); }
static void op_push2(struct sip_out *o) { op_push(o); sip_out_push(o, SIP_H_ROUTE, STR("<sip:newer>")); }
static void op_push_drop(struct sip_out *o) { op_drop_route(o); op_push(o); }
static void op_add(struct sip_out *o) { sip_out_add(o, SIP_H_PAI, STR("<sip:me>")); }
static void op_add2(struct sip_out *o) { op_add(o); sip_out_add_name(o, "X-Z", STR("9")); }
static void op_set(struct sip_out *o) { sip_out_set(o, SIP_H_PAI, STR("<sip:me>")); }
static void op_set_twice(struct sip_out *o) { sip_out_set(o, SIP_H_PAI, STR("<sip:no>")); op_set(o); }
static void op_add_drop(struct sip_out *o) { op_add(o); op_drop(o); }
static void op_inject(struct sip_out *o) { sip_out_set(o, SIP_H_PAI, STR("<sip:me>\r\nX-Evil: 1")); }
static void op_token(struct sip_out *o) { sip_out_drop_token(o, SIP_H_REQUIRE, "sec-agree"); }
static void op_token_add(struct sip_out *o) { sip_out_add_token(o, SIP_H_REQUIRE, "path"); }
static void op_token_both(struct sip_out *o) { op_token_add(o); sip_out_drop_token(o, SIP_H_REQUIRE, "PATH"); }
static void op_line(struct sip_out *o) { sip_out_set_line(o, sip_msg_hdr(o->m, SIP_H_ROUTE), STR("<sip:z>")); }
static void op_drop_line(struct sip_out *o) { sip_out_drop_line(o, sip_msg_hdr(o->m, SIP_H_ROUTE)); }

/* The lines of one header as they come out, "|" between them. */
static const struct {
	const char *name, *extra;
	void (*op)(struct sip_out *o);
	const char *show, *want;
} rows[] = {
	{ "untouched", "P-Asserted-Identity: <sip:a>\r\n", op_none, "p-asserted-identity", "<sip:a>" },
	{ "drop", "P-Asserted-Identity: <sip:a>\r\n", op_drop, "p-asserted-identity", "" },
	{ "drop odd case", "p-aSSERTED-identity: <sip:a>\r\n", op_drop, "p-asserted-identity", "" },
	{ "drop SP before the colon", "P-Asserted-Identity \t : <sip:a>\r\n", op_drop, "p-asserted-identity", "" },
	{ "drop folded", "P-Asserted-Identity:\r\n <sip:a>,\r\n\t<sip:b>\r\n", op_drop, "p-asserted-identity", "" },
	{ "drop repeated", "P-Asserted-Identity: <sip:a>\r\nX: 1\r\nP-Asserted-Identity: <sip:b>\r\n", op_drop, "p-asserted-identity", "" },
	{ "drop by name", "X-Private: 1\r\nX-Public: 2\r\nx-PRIVATE : 3\r\n", op_drop_name, "x-private", "" },
	{ "drop by name leaves others", "X-Private: 1\r\nX-Public: 2\r\n", op_drop_name, "x-public", "2" },
	{ "drop by a known name", "P-Asserted-Identity: <sip:a>\r\n", op_drop_name_id, "p-asserted-identity", "" },
	{ "drop of an absent header", "", op_drop, "p-asserted-identity", "" },
	{ "drop first of a line", "Route: <sip:a>\r\nRoute: <sip:b>\r\n", op_drop_route, "route", "<sip:b>" },
	{ "drop first of a list", "Route: <sip:a>, <sip:b> ,<sip:c>\r\n", op_drop_route, "route", "<sip:b> ,<sip:c>" },
	{ "drop first twice in a list", "Route: <sip:a>, <sip:b> ,<sip:c>\r\n", op_drop_route2, "route", "<sip:c>" },
	{ "drop first over lines", "Route: <sip:a>\r\nRoute: <sip:b>,<sip:c>\r\n", op_drop_route2, "route", "<sip:c>" },
	{ "drop first, all", "Route: <sip:a>\r\nRoute: <sip:b>,<sip:c>\r\n", op_drop_route3, "route", "" },
	{ "drop first, more than there are", "Route: <sip:a>\r\n", op_drop_route3, "route", "" },
	{ "drop first, comma in the URI", "Route: <sip:a,b@h>, <sip:c>\r\n", op_drop_route, "route", "<sip:c>" },
	{ "drop first, folded list", "Route: <sip:a>,\r\n <sip:b>\r\n", op_drop_route, "route", "<sip:b>" },
	{ "drop first skips empty elements", "Route: ,, <sip:a>,,<sip:b>,\r\n", op_drop_route, "route", ",<sip:b>," },
	{ "push above", "Route: <sip:a>\r\n", op_push, "route", "<sip:new>|<sip:a>" },
	{ "push twice", "Route: <sip:a>\r\n", op_push2, "route", "<sip:newer>|<sip:new>|<sip:a>" },
	{ "push without one", "", op_push2, "route", "<sip:newer>|<sip:new>" },
	{ "drop first, then push", "Route: <sip:a>,<sip:b>\r\n", op_push_drop, "route", "<sip:new>|<sip:b>" },
	{ "drop only one, then push", "Route: <sip:a>\r\n", op_push_drop, "route", "<sip:new>" },
	{ "push, then drop first", "Route: <sip:a>\r\n", op_push_then_drop, "route", "<sip:a>" },
	{ "add", "P-Asserted-Identity: <sip:a>\r\n", op_add, "p-asserted-identity", "<sip:a>|<sip:me>" },
	{ "add by name", "", op_add2, "x-z", "9" },
	{ "set", "P-Asserted-Identity: <sip:a>\r\nP-Asserted-Identity: <sip:b>\r\n", op_set, "p-asserted-identity", "<sip:me>" },
	{ "set twice", "P-Asserted-Identity: <sip:a>\r\n", op_set_twice, "p-asserted-identity", "<sip:me>" },
	{ "add, then drop", "P-Asserted-Identity: <sip:a>\r\n", op_add_drop, "p-asserted-identity", "" },
	{ "CRLF in a value makes no line", "", op_inject, "x-evil", "" },
	{ "token out of a list", "Require: path, Sec-Agree,gruu\r\n", op_token, "require", "path,gruu" },
	{ "last token", "Require: sec-agree\r\n", op_token, "require", "" },
	{ "token over lines", "Require: sec-agree\r\nRequire: path,sec-agree\r\n", op_token, "require", "path" },
	{ "token that is not there", "Require: path ,gruu\r\n", op_token, "require", "path ,gruu" },
	{ "token added", "Require: gruu\r\n", op_token_add, "require", "gruu|path" },
	{ "token present", "Require: Path\r\n", op_token_add, "require", "Path" },
	{ "token added and dropped", "", op_token_both, "require", "" },
	{ "set line", "Route: <sip:a>\r\nRoute: <sip:b>\r\n", op_line, "route", "<sip:z>|<sip:b>" },
	{ "drop line", "Route: <sip:a>\r\nRoute: <sip:b>\r\n", op_drop_line, "route", "<sip:b>" },
};

static struct sip_msg *parse(const char *text, const struct sip_flow *flow)
{
	struct sip_msg *m;
	struct sip_parse_error e = { 0 };
	int rc = sip_msg_parse_copy(str_from_c(text), flow, &m, &e);

	ck_assert_msg(rc == 0, "%s: %s", e.why ? e.why : "", text);
	return m;
}

static struct sip_msg *written(struct sip_out *o)
{
	struct sip_msg *m;
	struct sip_parse_error e = { 0 };
	struct bytes *b;
	struct arena *a;

	ck_assert_int_eq(sip_out_write(o, &b), 0);
	a = arena_new(b->l + 4096);
	ck_assert_msg(sip_msg_parse(a, arena_dup(a, bytes_str(b)), NULL, true, &m, &e) == 0, "%s\n%.*s", e.why, (int)b->l, b->p);
	bytes_unref(b);
	return m;
}

static const char *lines(const struct sip_msg *m, const char *name, char *dst)
{
	char *at = dst;

	*at = '\0';
	for (unsigned i = 0; i < m->n_hdrs; i++)
		if (str_ieq_c(sip_msg_hdr_name(m, &m->hdrs[i]), name))
			at += sprintf(at, "%s%.*s", at == dst ? "" : "|", STR_ARG(sip_msg_hdr_value(m, &m->hdrs[i])));
	return dst;
}

START_TEST(test_edit_row)
{
	char text[2048], got[1024];
	struct sip_msg *m, *w;
	struct sip_out o;

	snprintf(text, sizeof(text), "%s%s%s", HEAD, rows[_i].extra, TAIL);
	m = parse(text, NULL);
	sip_out_init(&o, m);
	rows[_i].op(&o);
	w = written(&o);
	ck_assert_msg(strcmp(lines(w, rows[_i].show, got), rows[_i].want) == 0, "%s: %s", rows[_i].name, got);
	ck_assert_msg(str_eq_c(w->body, "\x01\xff"), "%s: body", rows[_i].name);
	ck_assert_msg(sip_values_count(w, SIP_H_VIA) == 3, "%s: Via", rows[_i].name);
	sip_msg_unref(w);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_untouched_is_verbatim)
{
	struct sip_msg *m = parse(HEAD "X-a :  b\r\n" TAIL, NULL);
	struct sip_out o;
	struct bytes *b;

	sip_out_init(&o, m);
	ck_assert_int_eq(sip_out_write(&o, &b), 0);
	ck_assert(str_eq_c(bytes_str(b), HEAD "X-a :  b\r\n" TAIL));
	bytes_unref(b);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_ruri_body_fork)
{
	struct sip_msg *m = parse(HEAD "Content-Type: a/b\r\nContent-Encoding: gzip\r\n" TAIL, NULL), *w;
	struct sip_out o, fork;
	char got[256];

	sip_out_init(&o, m);
	sip_out_set_ruri(&o, STR("sip:other@h2"));
	sip_out_add(&o, SIP_H_PRIVACY, STR("id"));
	sip_out_copy(&fork, &o);
	sip_out_set_body(&fork, STR("text/plain"), str_make("\0x", 2));
	sip_out_drop(&fork, SIP_H_PRIVACY);
	w = written(&fork);
	ck_assert(str_eq_c(w->ruri_text, "sip:other@h2"));
	ck_assert_str_eq(lines(w, "content-type", got), "text/plain");
	ck_assert_str_eq(lines(w, "content-encoding", got), "");
	ck_assert_str_eq(lines(w, "privacy", got), "");
	ck_assert(w->body.l == 2 && memcmp(w->body.p, "\0x", 2) == 0);
	sip_msg_unref(w);
	w = written(&o);
	ck_assert_str_eq(lines(w, "privacy", got), "id");
	ck_assert_str_eq(lines(w, "content-type", got), "a/b");
	sip_msg_unref(w);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_lf_lines_leave_with_crlf)
{
	struct sip_msg *m = parse("INVITE sip:b@h SIP/2.0\nVia: SIP/2.0/UDP h\nFrom: <sip:a@h>\nTo: <sip:b@h>\nCall-ID: x\n"
				  "CSeq: 1 INVITE\n\n", NULL);
	struct sip_out o;
	struct bytes *b;

	sip_out_init(&o, m);
	ck_assert_int_eq(sip_out_write(&o, &b), 0);
	for (size_t i = 0; i < b->l; i++)
		ck_assert(b->p[i] != '\n' || (i && b->p[i - 1] == '\r'));
	bytes_unref(b);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_too_large)
{
	struct sip_msg *m = parse(HEAD TAIL, NULL);
	char *big = malloc(70000);
	struct sip_out o;
	struct bytes *b;

	memset(big, 'x', 70000);
	sip_out_init(&o, m);
	sip_out_add(&o, SIP_H_SUBJECT, str_make(big, 70000));
	ck_assert_int_eq(sip_out_write(&o, &b), -EMSGSIZE);
	free(big);
	sip_msg_unref(m);
}
END_TEST

/* What an edit says may have been made of memory that was not there: such a message is not sent with an empty value in its place
 * (the next hop answered 400 bad Max-Forwards). */
static void no_set(struct sip_out *o) { sip_out_set(o, SIP_H_MAX_FORWARDS, STR_NONE); }
static void no_line(struct sip_out *o) { sip_out_set_line(o, sip_msg_hdr(o->m, SIP_H_TO), STR_NONE); }
static void no_push(struct sip_out *o) { sip_out_push(o, SIP_H_ROUTE, STR_NONE); }
static void no_name(struct sip_out *o) { sip_out_add_name(o, "X-A", STR_NONE); }
static void no_ruri(struct sip_out *o) { sip_out_set_ruri(o, STR_NONE); }
static void no_arena(struct sip_out *o) { ck_assert_ptr_null(arena_alloc(o->arena, ARENA_LIMIT_BYTES)); }
static const struct { const char *name; void (*op)(struct sip_out *o); } no_memory_rows[] = {
	{ "set", no_set }, { "set_line", no_line }, { "push", no_push }, { "add_name", no_name }, { "set_ruri", no_ruri },
	{ "part of a text", no_arena },
};

START_TEST(test_rest)		/* the table of headers goes while a call rings, and comes again: what was planned before stays right */
{
	struct sip_msg *m = parse(HEAD "Subject: a\r\n b\r\nSubject: c\r\n" TAIL, NULL), *w;
	struct str subject = sip_msg_value(m, SIP_H_SUBJECT);
	size_t before = arena_bytes(m->arena);
	unsigned n = m->n_hdrs;
	struct sip_out o;
	char got[256];

	sip_out_init(&o, m);
	sip_out_set_line(&o, sip_msg_hdr_next(m, sip_msg_hdr(m, SIP_H_SUBJECT)), STR("d"));
	for (int i = 0; i < 2; i++) {
		sip_msg_rest(m);
		ck_assert_uint_lt(arena_bytes(m->arena), before);
		sip_msg_rest(m);		/* twice is harmless */
		ck_assert(str_eq_c(subject, "a   b"));
		ck_assert(str_eq(sip_msg_value(m, SIP_H_SUBJECT), subject));
		ck_assert_uint_eq(m->n_hdrs, n);
		ck_assert_uint_eq(sip_values_count(m, SIP_H_VIA), 3);
		ck_assert_uint_eq(arena_bytes(m->arena), before);
	}
	sip_msg_rest(m);
	w = written(&o);
	ck_assert_str_eq(lines(w, "subject", got), "a   b|d");
	ck_assert_uint_eq(sip_values_count(w, SIP_H_VIA), 3);
	sip_msg_unref(w);
	sip_msg_rest(m);
	sip_msg_unref(m);			/* as it rests */
}
END_TEST

START_TEST(test_rest_no_memory)		/* nothing is written that lacks its headers */
{
	struct sip_msg *m = parse(HEAD TAIL, NULL);
	struct sip_out o;
	struct bytes *b;

	sip_msg_rest(m);
	while (arena_alloc(m->arena, 16))
		;
	ck_assert_ptr_null(sip_msg_hdr(m, SIP_H_TO));
	ck_assert_ptr_null(sip_reply_make(m, 500, NULL, STR("t"), STR_NONE, STR_NONE, STR_NONE));
	sip_out_init(&o, m);
	ck_assert_int_eq(sip_out_write(&o, &b), -ENOMEM);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_no_memory_row)
{
	struct sip_msg *m = parse(HEAD TAIL, NULL);
	struct sip_out o, fork;
	struct bytes *b;

	sip_out_init(&o, m);
	no_memory_rows[_i].op(&o);
	sip_out_copy(&fork, &o);
	ck_assert_msg(sip_out_write(&o, &b) == -ENOMEM, "%s", no_memory_rows[_i].name);
	ck_assert_msg(sip_out_write(&fork, &b) == -ENOMEM, "%s: its copy", no_memory_rows[_i].name);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_too_many_lines)	/* found by fuzz_sip_msg: we wrote what we would refuse */
{
	struct sip_msg *m;
	struct sip_out o;
	struct bytes *b;
	struct buf text;

	buf_init(&text, 65535);
	buf_puts(&text, HEAD);
	for (unsigned i = 0; i < SIP_MSG_MAX_HDRS; i++)
		buf_puts(&text, "A: b\r\n");
	buf_putc(&text, '\0');
	ck_assert(!text.failed);
	for (unsigned cut = 0; cut < 2; cut++) {		/* one line more than fits, then just as many */
		struct str all = str_from_c(text.p);
		struct buf one;

		m = NULL;
		buf_init(&one, 65535);
		buf_put(&one, str_head(all, all.l - 6 * (8 + cut)));
		buf_puts(&one, TAIL);
		buf_putc(&one, '\0');
		m = parse(one.p, NULL);
		sip_out_init(&o, m);
		sip_out_push(&o, SIP_H_VIA, STR("SIP/2.0/UDP me;branch=z9hG4bKme"));
		sip_out_push(&o, SIP_H_RECORD_ROUTE, STR("<sip:me;lr>"));
		ck_assert_uint_eq(m->n_hdrs, SIP_MSG_MAX_HDRS - 1 - cut);
		ck_assert_int_eq(sip_out_write(&o, &b), cut ? 0 : -EMSGSIZE);
		if (cut)
			bytes_unref(b);
		sip_msg_unref(m);
		buf_fini(&one);
	}
	buf_fini(&text);
}
END_TEST

/* RFC 3261 §18.2.1, RFC 3581 §4. */
static const struct { const char *name, *via, *remote, *want; } via_rows[] = {
	{ "same host", "10.0.0.1:5070;branch=z1", "10.0.0.1:5070", "SIP/2.0/UDP 10.0.0.1:5070;branch=z1" },
	{ "other host", "10.0.0.9;branch=z1", "10.0.0.1:5070", "SIP/2.0/UDP 10.0.0.9;branch=z1;received=10.0.0.1" },
	{ "a name", "ue.example;branch=z1", "10.0.0.1:5070", "SIP/2.0/UDP ue.example;branch=z1;received=10.0.0.1" },
	{ "rport, same host", "10.0.0.1;rport;branch=z1", "10.0.0.1:6000",
	  "SIP/2.0/UDP 10.0.0.1;rport=6000;branch=z1;received=10.0.0.1" },
	{ "forged received", "10.0.0.1;received=6.6.6.6;branch=z1", "10.0.0.1:1", "SIP/2.0/UDP 10.0.0.1;branch=z1" },
	{ "forged rport", "10.0.0.1;rport=1;rport=2;branch=z1", "10.0.0.1:65535",
	  "SIP/2.0/UDP 10.0.0.1;rport=65535;branch=z1;received=10.0.0.1" },
	{ "IPv6", "[2001:db8::9]:5060;branch=z1", "[2001:db8::1]:5060",
	  "SIP/2.0/UDP [2001:db8::9]:5060;branch=z1;received=2001:db8::1" },
	{ "IPv6, spelled otherwise", "[2001:DB8:0::1];branch=z1", "[2001:db8::1]:5060", "SIP/2.0/UDP [2001:DB8:0::1];branch=z1" },
	{ "rest of the line stays", "a;branch=z1, SIP/2.0/TCP b;branch=z2", "10.0.0.1:5070",
	  "SIP/2.0/UDP a;branch=z1;received=10.0.0.1, SIP/2.0/TCP b;branch=z2" },
	{ "no flow", "ue.example;rport", NULL, "SIP/2.0/UDP ue.example;rport" },
};

START_TEST(test_via_row)
{
	struct sip_flow flow = { 0 };
	char text[1024], got[512], seen[80];
	struct sip_msg *m, *w;
	struct sip_parse_error e;
	struct sip_out o;
	struct bytes *b;

	if (via_rows[_i].remote)
		ck_assert_int_eq(addr_parse_hostport(str_from_c(via_rows[_i].remote), 5060, &flow.remote), 0);
	snprintf(text, sizeof(text), "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP %s\r\nFrom: <sip:a@h>;tag=1\r\nTo: sip:b@h\r\n"
		 "Call-ID: x\r\nCSeq: 1 OPTIONS\r\nTimestamp: 54\r\n\r\n", via_rows[_i].via);
	m = parse(text, &flow);
	b = sip_reply_make(m, 200, NULL, STR("t1"), STR("Allow: INVITE\r\n"), STR("a/b"), STR("xyz"));
	ck_assert_int_eq(sip_msg_parse_copy(bytes_str(b), NULL, &w, &e), 0);
	ck_assert_msg(strcmp(lines(w, "via", got), via_rows[_i].want) == 0, "%s: %s", via_rows[_i].name, got);
	ck_assert(w->status == 200 && str_eq_c(w->reason, "OK") && str_eq_c(w->to_tag, "t1") && str_eq_c(w->body, "xyz"));
	ck_assert(str_eq_c(w->call_id, "x") && w->cseq == 1 && !sip_msg_hdr(w, SIP_H_TIMESTAMP) && sip_msg_hdr(w, SIP_H_ALLOW));
	sip_msg_unref(w);
	bytes_unref(b);
	sip_out_init(&o, m);
	sip_out_fix_via(&o);
	sip_out_push(&o, SIP_H_VIA, STR("SIP/2.0/UDP me"));
	w = written(&o);
	ck_assert(strncmp(lines(w, "via", got), "SIP/2.0/UDP me|", 15) == 0);
	ck_assert_msg(strcmp(got + 15, via_rows[_i].want) == 0, "%s: forwarded %s", via_rows[_i].name, got);
	sip_msg_unref(w);
	sip_out_init(&o, m);			/* vouched for: what we saw stands there once, whatever the sender wrote */
	sip_out_vouch(&o);
	sip_out_fix_via(&o);
	w = written(&o);
	addr_host(&flow.remote, text);
	snprintf(seen, sizeof(seen), ";received=%.*s", (int)strcspn(text + (*text == '['), "]"), text + (*text == '['));
	ck_assert_msg(!via_rows[_i].remote || strstr(lines(w, "via", got), seen), "%s: vouched %s", via_rows[_i].name, got);
	ck_assert_msg(!via_rows[_i].remote || !strstr(strstr(got, "received=") + 1, "received="), "%s: vouched %s", via_rows[_i].name, got);
	sip_msg_unref(w);
	sip_msg_unref(m);
}
END_TEST

START_TEST(test_reply_100)
{
	struct sip_msg *m = parse(HEAD "Timestamp: 54\r\n" TAIL, NULL), *w;
	struct sip_parse_error e;
	struct bytes *b = sip_reply_make(m, 100, NULL, STR("t1"), STR_NONE, STR_NONE, STR_NONE);

	ck_assert_int_eq(sip_msg_parse_copy(bytes_str(b), NULL, &w, &e), 0);
	ck_assert(w->status == 100 && w->to_tag.l == 0 && str_eq_c(sip_msg_value(w, SIP_H_TIMESTAMP), "54"));
	ck_assert_uint_eq(sip_values_count(w, SIP_H_VIA), 3);
	sip_msg_unref(w);
	sip_msg_unref(m);
	bytes_unref(b);
}
END_TEST

START_TEST(test_reply_to_a_broken_request)
{
	struct sip_msg *m, *w;
	struct sip_parse_error e;
	struct bytes *b;
	int rc = sip_msg_parse_copy(STR("INVITE  sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: sip:b@h\r\n"
					"Call-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"), NULL, &m, &e);

	ck_assert(rc == -EBADMSG && m && e.status == 400);
	b = sip_reply_make(m, e.status, e.why, STR("t"), STR_NONE, STR_NONE, STR_NONE);
	ck_assert_int_eq(sip_msg_parse_copy(bytes_str(b), NULL, &w, &e), 0);
	ck_assert(w->status == 400 && w->method == SIP_INVITE);
	sip_msg_unref(w);
	sip_msg_unref(m);
	bytes_unref(b);
}
END_TEST

START_TEST(test_ack_and_cancel)
{
	static const char invite[] = HEAD "Route: <sip:p1;lr>,<sip:p2;lr>\r\nRoute: <sip:p3;lr>\r\nContact: <sip:a@1>\r\n" TAIL;
	struct sip_msg *r = parse("SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
				  "To: <sip:b@h>;tag=9\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n", NULL), *w;
	struct sip_parse_error e;
	struct bytes *b = sip_ack_make(str_from_c(invite), r);
	char got[256];

	/* RFC 3261 §17.1.1.3 */
	ck_assert_int_eq(sip_msg_parse_copy(bytes_str(b), NULL, &w, &e), 0);
	ck_assert(w->method == SIP_ACK && str_eq_c(w->ruri_text, "sip:bob@h") && str_eq_c(w->to_tag, "9") && w->cseq == 1);
	ck_assert_str_eq(lines(w, "via", got), "SIP/2.0/UDP a;branch=z9hG4bK1");
	ck_assert_str_eq(lines(w, "route", got), "<sip:p1;lr>,<sip:p2;lr>|<sip:p3;lr>");
	ck_assert(w->body.l == 0 && w->max_forwards == 70 && !sip_msg_hdr(w, SIP_H_CONTACT));
	sip_msg_unref(w);
	bytes_unref(b);
	/* RFC 3261 §9.1, RFC 3326 */
	b = sip_cancel_make(str_from_c(invite), STR("SIP;cause=200"));
	ck_assert_int_eq(sip_msg_parse_copy(bytes_str(b), NULL, &w, &e), 0);
	ck_assert(w->method == SIP_CANCEL && w->to_tag.l == 0 && w->cseq == 1 && str_eq_c(w->from_tag, "1"));
	ck_assert_str_eq(lines(w, "via", got), "SIP/2.0/UDP a;branch=z9hG4bK1");
	ck_assert_str_eq(lines(w, "route", got), "<sip:p1;lr>,<sip:p2;lr>|<sip:p3;lr>");
	ck_assert_str_eq(lines(w, "reason", got), "SIP;cause=200");
	sip_msg_unref(w);
	bytes_unref(b);
	sip_msg_unref(r);
	ck_assert_ptr_null(sip_cancel_make(STR("junk"), STR_NONE));
}
END_TEST

/* What is left of an INVITE while it rings makes the same ACK and the same CANCEL. */
START_TEST(test_shrunk_invite)
{
	static const char invite[] = HEAD "Route: <sip:p1;lr>,<sip:p2;lr>\r\nRoute: <sip:p3;lr>\r\nContact: <sip:a@1>\r\n"
				     "Content-Length: 4\r\n\r\nv=0\n";
	struct sip_msg *r = parse("SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
				  "To: <sip:b@h>;tag=9\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n", NULL);
	struct bytes *less = sip_invite_shrink(str_from_c(invite)), *a, *b;

	ck_assert_ptr_nonnull(less);
	ck_assert(str_find(bytes_str(less), STR("v=0")) < 0 && str_find(bytes_str(less), STR("Contact")) < 0);
	a = sip_ack_make(str_from_c(invite), r);
	b = sip_ack_make(bytes_str(less), r);
	ck_assert(str_eq(bytes_str(a), bytes_str(b)));
	bytes_unref(a);
	bytes_unref(b);
	a = sip_cancel_make(str_from_c(invite), STR("SIP;cause=200"));
	b = sip_cancel_make(bytes_str(less), STR("SIP;cause=200"));
	ck_assert(str_eq(bytes_str(a), bytes_str(b)));
	bytes_unref(a);
	bytes_unref(b);
	bytes_unref(less);
	sip_msg_unref(r);
}
END_TEST

TEST_MAIN("out", TEST_ROWS(test_edit_row, rows), TEST_ONE(test_untouched_is_verbatim), TEST_ONE(test_ruri_body_fork),
	  TEST_ONE(test_shrunk_invite),
	  TEST_ONE(test_lf_lines_leave_with_crlf), TEST_ONE(test_too_large), TEST_ONE(test_too_many_lines), TEST_ROWS(test_via_row, via_rows),
	  TEST_ROWS(test_no_memory_row, no_memory_rows), TEST_ONE(test_rest), TEST_ONE(test_rest_no_memory),
	  TEST_ONE(test_reply_100), TEST_ONE(test_reply_to_a_broken_request), TEST_ONE(test_ack_and_cancel))
