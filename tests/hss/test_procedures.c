/* tests/hss/test_procedures.c - uar.c lir.c mar.c sar.c: the state machine of TS 29.228 §6.1.1, §6.1.2, §6.1.4, §6.3 as scripts;
 * rows D3 to D6, D10, I1 to I3, I6, S4, S7. */
#include <errno.h>
#include <stdio.h>
#include "tests/hss/auc.h"
#include "tests/hss/hss.h"
#include "tests/check.h"

#define A "sip:a.home;lr"
#define B "sip:b.home;lr"
#define NOT SUB_NOT_REGISTERED
#define REG SUB_REGISTERED
#define UNREG SUB_UNREGISTERED

static const char people[] =
	"- {imsi: \"1\", msisdn: \"491\", k: 465b5ce8b199b49faa5f0a2ee238a6bc, opc: cd63cb71954a9f4e48a5994e37a02baf, password: pw}\n"
	"- {imsi: \"2\", k: 465b5ce8b199b49faa5f0a2ee238a6bc, opc: cd63cb71954a9f4e48a5994e37a02baf, unregistered_services: true,\n"
	"   mandatory_capabilities: [1, 2], optional_capabilities: [3], server_names: [\"sip:x\"], visited_networks: [good.test]}\n"
	"- {imsi: \"3\", password: pw, digest_algorithm: SHA-256, may_register: false}\n"
	"- {imsi: \"4\", msisdn: \"494\", password: pw, barred: [\"sip:4@home\"], server_name: \"sip:named\"}\n"
	"- {imsi: \"5\", password: pw, barred: [\"sip:5@home\"]}\n"
	"- {imsi: \"6\", password: pw, impu: [\"sip:6@home\", \"sip:+4960![0-9]*!@home\"]}\n"
	"- {imsi: \"6\", set: 2, impu: [\"sip:office@home\"]}\n"
	"- {impi: chat@home, psi: true, impu: [\"sip:chat-!.*!@home\"]}\n";

enum cmd { END, UAR, LIR, MAR, SAR, DROP_NAMES };
struct step {
	enum cmd cmd;
	const char *impi, *impu;
	uint32_t type;			/* UAR, SAR; LIR: originating; MAR: vectors asked for */
	const char *server;		/* MAR, SAR: Server-Name; UAR: visited network */
	uint32_t code;
	bool exp;
	const char *name;		/* UAA, LIA: Server-Name */
	enum sub_state st;		/* afterwards, of impi */
};
#define E true
#define MAX_STEPS 8

static const struct { const char *name; struct step s[MAX_STEPS]; } scripts[] = {
	{ "register with AKA §6.1.1.1, §6.3.1, §6.1.2.1", {
		{ UAR, "1@home", "sip:1@home", 0, "v", 2001, E, "", NOT },
		{ MAR, "1@home", "sip:1@home", 1, A, 2001, false, "", NOT },
		{ UAR, "1@home", "sip:1@home", 0, "v", 2002, E, A, NOT },	/* the challenge is out: back to the same S-CSCF */
		{ SAR, "1@home", "sip:1@home", 1, A, 2001, false, "", REG },
		{ LIR, "1@home", "tel:+491", 0, "", 2001, false, A, REG },
		{ UAR, "1@home", "sip:+491@home", 1, "v", 2001, false, A, REG },
		{ SAR, "1@home", "sip:1@home", 5, A, 2001, false, "", NOT },
		{ UAR, "1@home", "sip:1@home", 0, "v", 2001, E, "", NOT } } },
	{ "who is asked for is not known", {
		{ UAR, "9@home", "sip:1@home", 0, "v", 5001, E, "", NOT }, { UAR, "1@home", "sip:9@home", 0, "v", 5001, E, "", NOT },
		{ UAR, "1@home", "sip:2@home", 0, "v", 5002, E, "", NOT }, { UAR, "", "sip:1@home", 0, "v", 5005, false, "", NOT },
		{ LIR, "1@home", "sip:9@home", 0, "", 5001, E, "", NOT }, { MAR, "1@home", "sip:2@home", 1, A, 5002, E, "", NOT },
		{ SAR, "1@home", "sip:2@home", 1, A, 5002, E, "", NOT }, { SAR, "9@home", "sip:1@home", 1, A, 5001, E, "", NOT } } },
	{ "not registered", {
		{ UAR, "1@home", "sip:1@home", 1, "v", 5003, E, "", NOT }, { LIR, "1@home", "sip:1@home", 0, "", 5003, E, "", NOT },
		{ LIR, "1@home", "sip:1@home", 1, "", 2003, E, "", NOT }, { LIR, "2@home", "sip:2@home", 0, "", 2003, E, "", NOT },
		{ SAR, "1@home", "sip:1@home", 0, A, 5012, false, "", NOT }, { SAR, "1@home", "sip:1@home", 5, A, 5012, false, "", NOT },
		{ SAR, "1@home", "sip:1@home", 14, A, 5012, false, "", NOT }, { UAR, "1@home", "sip:1@home", 3, "v", 5004, false, "", NOT } } },
	{ "who may not register", {
		{ UAR, "2@home", "sip:2@home", 0, "bad.test", 5004, E, "", NOT }, { UAR, "2@home", "sip:2@home", 0, "Good.test", 2001, E, "", NOT },
		{ UAR, "3@home", "sip:3@home", 0, "v", 5003, false, "", NOT }, { UAR, "5@home", "sip:5@home", 0, "v", 5003, false, "", NOT },
		{ UAR, "4@home", "sip:4@home", 0, "v", 2001, E, "sip:named", NOT },	/* barred, but others are registered with it */
		{ UAR, "1@home", "sip:1@home", 2, "v", 2001, false, "", NOT } } },
	{ "unregistered service, then registered", {
		{ SAR, "2@home", "sip:2@home", 3, A, 2001, false, "", UNREG }, { LIR, "2@home", "sip:2@home", 0, "", 2001, false, A, UNREG },
		{ UAR, "2@home", "sip:2@home", 0, "good.test", 2002, E, A, UNREG }, { SAR, "2@home", "sip:2@home", 3, B, 5005, E, "", UNREG },
		{ SAR, "2@home", "sip:2@home", 1, A, 2001, false, "", REG }, { SAR, "2@home", "sip:2@home", 3, A, 5007, E, "", REG },
		{ SAR, "2@home", "sip:2@home", 4, B, 5012, false, "", REG }, { SAR, "2@home", "sip:2@home", 4, A, 2001, false, "", NOT } } },
	{ "another S-CSCF: only after a challenge of its own", {
		{ SAR, "1@home", "sip:1@home", 1, A, 2001, false, "", REG }, { SAR, "1@home", "sip:1@home", 1, B, 5005, E, "", REG },
		{ SAR, "1@home", "sip:1@home", 14, A, 5012, false, "", REG }, { MAR, "1@home", "sip:1@home", 1, B, 2001, false, "", REG },
		{ SAR, "1@home", "sip:1@home", 1, B, 2001, false, "", REG }, { LIR, "1@home", "sip:1@home", 0, "", 2001, false, B, REG },
		{ SAR, "1@home", "sip:1@home", 0, A, 5012, false, "", REG }, { SAR, "1@home", "sip:1@home", 0, B, 2001, false, "", REG } } },
	{ "a failed challenge", {
		{ MAR, "1@home", "sip:1@home", 1, A, 2001, false, "", NOT }, { SAR, "1@home", "sip:1@home", 9, A, 2001, false, "", NOT },
		{ UAR, "1@home", "sip:1@home", 0, "v", 2001, E, "", NOT }, { SAR, "1@home", "sip:1@home", 1, A, 2001, false, "", REG },
		{ MAR, "1@home", "sip:1@home", 1, A, 2001, false, "", REG }, { SAR, "1@home", "sip:1@home", 10, A, 2001, false, "", REG },
		{ LIR, "1@home", "sip:1@home", 0, "", 2001, false, A, REG } } },
	{ "de-registration that keeps the name", {
		{ SAR, "1@home", "sip:1@home", 1, A, 2001, false, "", REG }, { SAR, "1@home", "sip:1@home", 6, A, 2001, false, "", UNREG },
		{ LIR, "1@home", "sip:1@home", 0, "", 2001, false, A, UNREG }, { UAR, "1@home", "sip:1@home", 1, "v", 2001, false, A, UNREG },
		{ SAR, "1@home", "sip:1@home", 2, A, 2001, false, "", REG }, { .cmd = DROP_NAMES },
		{ SAR, "1@home", "sip:1@home", 7, A, 2004, E, "", NOT } } },
	{ "wildcarded public identity: of the registration that it is in, TS 23.003 §13.4A", {
		{ LIR, "6@home", "sip:+496012@home", 0, "", 5003, E, "", NOT }, { SAR, "6@home", "sip:6@home", 1, A, 2001, false, "", REG },
		{ LIR, "6@home", "sip:+496012@home", 0, "", 2001, false, A, REG }, { LIR, "6@home", "sip:+496x@home", 0, "", 5001, E, "", REG } } },
	{ "two implicit registration sets: each by itself, one S-CSCF, TS 23.228 §4.3.3.4", {
		{ UAR, "6@home", "sip:office@home", 0, "v", 2001, E, "", NOT }, { MAR, "6@home", "sip:6@home", 1, A, 2001, false, "", NOT },
		{ SAR, "6@home", "sip:6@home", 1, A, 2001, false, "", REG }, { UAR, "6@home", "sip:office@home", 0, "v", 2002, E, A, REG },
		{ LIR, "6@home", "sip:office@home", 0, "", 5003, E, "", REG }, { MAR, "6@home", "sip:office@home", 1, A, 2001, false, "", REG },
		{ SAR, "6@home#2", "sip:office@home", 1, A, 2001, false, "", REG }, { SAR, "6@home", "sip:6@home", 5, A, 2001, false, "", NOT } } },
	{ "two sets: the end of one, of both", {
		{ SAR, "6@home", "sip:6@home", 1, A, 2001, false, "", REG }, { SAR, "6@home#2", "sip:office@home", 1, A, 2001, false, "", REG },
		{ SAR, "6@home", "sip:6@home", 5, A, 2001, false, "", NOT }, { LIR, "6@home#2", "sip:office@home", 0, "", 2001, false, A, REG },
		{ SAR, "6@home", "", 8, A, 2001, false, "", NOT }, { LIR, "6@home#2", "sip:office@home", 0, "", 5003, E, "", NOT },
		{ UAR, "6@home#2", "sip:office@home", 0, "v", 2001, E, "", NOT } } },
	{ "wildcarded service identity: served, never registered, TS 23.003 §13.5", {
		{ LIR, "chat@home", "sip:chat-a@home", 0, "", 2003, E, "", NOT }, { SAR, "chat@home", "sip:chat-a@home", 3, A, 2001, false, "", UNREG },
		{ LIR, "chat@home", "sip:chat-b@home", 0, "", 2001, false, A, UNREG }, { UAR, "chat@home", "sip:chat-a@home", 0, "v", 5003, false, "", UNREG } } },
	{ "every way out", {
		{ SAR, "1@home", "sip:1@home", 1, A, 2001, false, "", REG }, { SAR, "1@home", "", 8, A, 2001, false, "", NOT },
		{ SAR, "1@home", "sip:1@home", 1, A, 2001, false, "", REG }, { SAR, "1@home", "tel:+491", 11, A, 2001, false, "", NOT },
		{ SAR, "1@home", "", 1, A, 5005, false, "", NOT }, { SAR, "1@home", "sip:1@home", 12, A, 5012, false, "", NOT },
		{ SAR, "1@home", "sip:1@home", 15, A, 5004, false, "", NOT }, { SAR, "1@home", "sip:1@home", 1, "", 5005, false, "", NOT } } },
};

static struct hss h;

static void open_hss(void)
{
	struct buf e;

	memset(&h, 0, sizeof(h));
	h.set.keep_server_name = true;
	h.set.max_vectors = 5;
	buf_init(&e, 4096);
	ck_assert_int_eq(subs_new(&h.subs, STR("home")), 0);
	ck_assert_msg(subs_read_text(h.subs, STR(people), "people", &e) == 0, "%.*s", STR_ARG(buf_str(&e)));
	buf_fini(&e);
}

static struct dia_result do_step(const struct step *s, char name[128])
{
	struct cx_uar uar = { .impi = str_from_c(s->impi), .impu = str_from_c(s->impu), .visited_network = str_from_c(s->server), .type = s->type };
	struct cx_lir lir = { .impu = str_from_c(s->impu), .originating = s->type, .session_priority = UINT32_MAX };
	struct cx_mar mar = { .impi = str_from_c(s->impi), .impu = str_from_c(s->impu), .server_name = str_from_c(s->server), .n_items = s->type,
			      .item = { .scheme = STR("Unknown") }, .origin_host = STR("host") };
	struct cx_sar sar = { .impi = str_from_c(s->impi), .server_name = str_from_c(s->server), .type = s->type, .origin_host = STR("host") };
	static struct cx_uaa uaa;
	static struct cx_lia lia;
	static struct cx_maa maa;
	static struct cx_saa saa;
	struct mar_work w;
	const char *moved;
	struct buf xml;

	memset(&uaa, 0, sizeof(uaa));
	memset(&lia, 0, sizeof(lia));
	memset(&maa, 0, sizeof(maa));
	memset(&saa, 0, sizeof(saa));
	name[0] = '\0';
	switch (s->cmd) {
	case UAR:
		hss_uar(&h, &uar, &uaa);
		str_copy(uaa.server_name, name, 128);
		return uaa.result;
	case LIR:
		hss_lir(&h, &lir, &lia);
		str_copy(lia.server_name, name, 128);
		return lia.result;
	case MAR:
		hss_mar(&h, &mar, &maa, &w);
		return maa.result;
	case SAR:
		if (*s->impu)
			sar.impus = (struct cx_strs){ 1, { str_from_c(s->impu) } };
		buf_init(&xml, 65536);
		hss_sar(&h, &sar, &saa, &xml, &moved);
		/* User-Data with the types that ask for it, and only when it went well */
		ck_assert_msg((saa.user_data.l > 0) == (saa.result.code == 2001 && (s->type <= 3 || s->type == 14)), "User-Data of type %u", s->type);
		buf_fini(&xml);
		return saa.result;
	default:
		h.set.keep_server_name = false;
		return (struct dia_result){ 0 };
	}
}

START_TEST(test_lia_names_the_wildcard)		/* TS 29.228 §6.1.4.1; row T10 */
{
	static const struct { const char *impu, *wild_impu, *wild_psi; } rows[] = {
		{ "sip:+496012@home", "sip:+4960![0-9]*!@home", "" }, { "sip:chat-a@home", "", "sip:chat-!.*!@home" }, { "sip:6@home", "", "" } };

	open_hss();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cx_lir r = { .impu = str_from_c(rows[i].impu), .session_priority = UINT32_MAX };
		struct cx_lia a = { 0 };

		hss_lir(&h, &r, &a);
		ck_assert_msg(str_eq_c(a.wildcarded_impu, rows[i].wild_impu) && str_eq_c(a.wildcarded_psi, rows[i].wild_psi), "%s", rows[i].impu);
	}
	subs_free(h.subs);
}
END_TEST

/* TS 33.203 annex T; row S5: by both names of the scheme; without a name only for who has nothing else. */
static const struct { const char *name, *sub, *scheme, *want; uint32_t code; size_t l; } giba_rows[] = {
	{ "IPv4", "giba_address: 10.1.2.3", "GIBA", "\x0a\x01\x02\x03", 2001, 4 },
	{ "the old name", "giba_address: 10.1.2.3", "Early-IMS-Security", "\x0a\x01\x02\x03", 2001, 4 },
	{ "nothing else there", "giba_address: 10.1.2.3", "Unknown", "\x0a\x01\x02\x03", 2001, 4 },
	{ "IPv6: the prefix", "giba_address: '2001:db8:1:2::'", "GIBA", "\0\x40\x20\x01\x0d\xb8\0\x01\0\x02", 2001, 10 },
	{ "IPv6: with the interface", "giba_address: '2001:db8:1:2::9'", "GIBA", "\0\x40\x20\x01\x0d\xb8\0\x01\0\x02", 2001, 10 },
	{ "password beside it", "giba_address: 10.1.2.3, password: x", "Unknown", "", 2001, 0 },
	{ "no address", "password: x", "GIBA", "", CX_AUTH_SCHEME_NOT_SUPPORTED, 0 },
	{ "no password", "giba_address: 10.1.2.3", "SIP Digest", "", CX_AUTH_SCHEME_NOT_SUPPORTED, 0 },
};

START_TEST(test_giba_S5)
{
	struct cx_mar mar = { .impi = STR("1@home"), .impu = STR("sip:1@home"), .server_name = STR(A), .n_items = 1,
			      .item = { .scheme = str_from_c(giba_rows[_i].scheme) }, .origin_host = STR("host") };
	struct cx_maa maa = { 0 };
	struct mar_work w;
	char text[256];
	struct buf e;
	struct str got;

	memset(&h, 0, sizeof(h));
	buf_init(&e, 4096);
	snprintf(text, sizeof(text), "- {imsi: \"1\", %s}\n", giba_rows[_i].sub);
	ck_assert_int_eq(subs_new(&h.subs, STR("home")), 0);
	ck_assert_msg(subs_read_text(h.subs, str_from_c(text), "f", &e) == 0, "%.*s", STR_ARG(buf_str(&e)));
	hss_mar(&h, &mar, &maa, &w);
	ck_assert_msg(maa.result.code == giba_rows[_i].code, "%s: %u", giba_rows[_i].name, maa.result.code);
	got = maa.item[0].framed_ip.l ? maa.item[0].framed_ip : maa.item[0].framed_ip6;
	ck_assert_msg(got.l == giba_rows[_i].l && (!got.l || memcmp(got.p, giba_rows[_i].want, got.l) == 0), "%s", giba_rows[_i].name);
	ck_assert_msg(maa.item[0].framed_interface.l == (strstr(giba_rows[_i].sub, "::9") ? 8 : 0), "%s", giba_rows[_i].name);
	ck_assert_msg(!got.l || !maa.item[0].digest_ha1.l, "%s", giba_rows[_i].name);
	subs_free(h.subs);
	buf_fini(&e);
}
END_TEST

START_TEST(test_script)
{
	open_hss();
	for (int i = 0; i < MAX_STEPS && scripts[_i].s[i].cmd != END; i++) {
		const struct step *s = &scripts[_i].s[i];
		struct sub *b = s->impi ? subs_by_impi(h.subs, str_from_c(s->impi)) : NULL;
		char name[128];
		struct dia_result r = do_step(s, name);

		if (s->cmd == DROP_NAMES)
			continue;
		ck_assert_msg(r.code == s->code && r.experimental == s->exp, "%s, step %d: %u%s", scripts[_i].name, i, r.code, r.experimental ? "E" : "");
		ck_assert_msg(strcmp(name, s->name) == 0, "%s, step %d: name %s", scripts[_i].name, i, name);
		if (b)
			ck_assert_msg(b->d.state == s->st, "%s, step %d: state %d", scripts[_i].name, i, b->d.state);
	}
	subs_free(h.subs);
}
END_TEST

START_TEST(test_capabilities_of_the_answers)
{
	struct cx_uar r = { .impi = STR("2@home"), .impu = STR("sip:2@home"), .visited_network = STR("good.test") };
	struct cx_lir l = { .impu = STR("sip:2@home") };
	struct cx_uaa a = { 0 };
	struct cx_lia la = { 0 };

	open_hss();
	hss_uar(&h, &r, &a);
	ck_assert(a.has_caps && a.caps.mandatory.n == 2 && a.caps.mandatory.v[1] == 2 && a.caps.optional.v[0] == 3);
	ck_assert(a.caps.server_names.n == 1 && str_eq(a.caps.server_names.v[0], STR("sip:x")) && a.server_name.l == 0);
	hss_lir(&h, &l, &la);
	ck_assert(la.has_caps && la.caps.mandatory.n == 2);
	subs_free(h.subs);
}
END_TEST

/* UAR-Flags: an emergency registration is not stopped by barring or roaming. */
START_TEST(test_emergency_registration_is_let_in)
{
	struct cx_uar r = { .impi = STR("5@home"), .impu = STR("sip:5@home"), .flags = 1 };
	struct cx_uaa a = { 0 };

	open_hss();
	hss_uar(&h, &r, &a);
	ck_assert(a.result.code == CX_FIRST_REGISTRATION && a.result.experimental);
	subs_free(h.subs);
}
END_TEST

static const struct { const char *impi, *scheme, *answer; uint32_t n, code; unsigned items; bool exp; } schemes[] = {
	{ "1", "Digest-AKAv1-MD5", "Digest-AKAv1-MD5", 1, 2001, 1, false }, { "1", "digest-akav1-md5", "Digest-AKAv1-MD5", 3, 2001, 3, false },
	{ "1", "Digest-AKAv2-SHA-256", "Digest-AKAv2-SHA-256", 1, 2001, 1, false },
	{ "1", "Unknown", "Digest-AKAv1-MD5", 9, 2001, 5, false }, { "1", "", "Digest-AKAv1-MD5", 0, 2001, 1, false },
	{ "1", "SIP Digest", "SIP Digest", 4, 2001, 1, false }, { "1", "NASS-Bundled", NULL, 1, 5006, 0, true },
	{ "2", "SIP Digest", NULL, 1, 5006, 0, true }, { "3", "Digest-AKAv1-MD5", NULL, 1, 5006, 0, true }, { "3", "Unknown", "SIP Digest", 2, 2001, 1, false },
};

START_TEST(test_scheme_rows_S2_S4)
{
	char impi[32], impu[32], ha1[AUTH_HEX_MAX];
	struct cx_mar r = { .server_name = STR(A), .n_items = schemes[_i].n, .item = { .scheme = str_from_c(schemes[_i].scheme) } };
	static struct cx_maa a;
	struct mar_work w;

	open_hss();
	snprintf(impi, sizeof(impi), "%s@home", schemes[_i].impi);
	snprintf(impu, sizeof(impu), "sip:%s@home", schemes[_i].impi);
	r.impi = str_from_c(impi);
	r.impu = str_from_c(impu);
	hss_mar(&h, &r, &a, &w);
	ck_assert_msg(a.result.code == schemes[_i].code && a.result.experimental == schemes[_i].exp, "row %d: %u", _i, a.result.code);
	ck_assert_uint_eq(a.n_items, schemes[_i].items);
	for (unsigned i = 0; i < a.n_items; i++) {
		const struct cx_auth_item *it = &a.item[i];

		ck_assert(it->number == i + 1 && str_eq_c(it->scheme, schemes[_i].answer));
		if (str_eq(it->scheme, STR("SIP Digest"))) {
			bool sha = schemes[_i].impi[0] == '3';

			auth_ha1(sha ? AUTH_SHA256 : AUTH_MD5, r.impi, STR("home"), STR("pw"), ha1);
			ck_assert(str_eq_c(it->digest_ha1, ha1) && str_eq(it->digest_realm, STR("home")) && str_eq(it->digest_qop, STR("auth")));
			ck_assert(str_eq_c(it->digest_algorithm, sha ? "SHA-256" : "MD5"));
		} else {
			ck_assert(it->authenticate.l == 32 && it->authorization.l == 8 && it->ck.l == 16 && it->ik.l == 16);
			ck_assert(i == 0 || !str_eq(it->authenticate, a.item[i - 1].authenticate));
		}
	}
	subs_free(h.subs);
}
END_TEST

START_TEST(test_resynchronisation_in_a_MAR)
{
	struct cx_mar r = { .impi = STR("1@home"), .impu = STR("sip:1@home"), .server_name = STR(A), .n_items = 1,
			    .item = { .scheme = STR("Digest-AKAv1-MD5") } };
	struct sub *b;
	static struct cx_maa a;
	struct milenage_out m;
	struct mar_work w;
	uint8_t ra[30];
	uint64_t ms = 0xabcdef;

	open_hss();
	b = subs_by_impi(h.subs, r.impi);
	hss_mar(&h, &r, &a, &w);
	memcpy(ra, a.item[0].authenticate.p, 16);
	ck_assert_int_eq(aka_usim(b->k, b->opc, ra, (const uint8_t *)a.item[0].authenticate.p + 16, &ms, &m, ra + 16), -ESTALE);
	r.item.authorization = str_make((char *)ra, 30);
	r.server_name = STR(B);				/* only the S-CSCF that has the challenge */
	memset(&a, 0, sizeof(a));
	hss_mar(&h, &r, &a, &w);
	ck_assert(a.result.code == DIA_UNABLE_TO_COMPLY && a.n_items == 0);
	r.server_name = STR(A);
	ra[29] ^= 1;
	memset(&a, 0, sizeof(a));
	hss_mar(&h, &r, &a, &w);
	ck_assert(a.result.code == DIA_UNABLE_TO_COMPLY && a.n_items == 0);
	ra[29] ^= 1;
	memset(&a, 0, sizeof(a));
	hss_mar(&h, &r, &a, &w);
	ck_assert_uint_eq(a.result.code, DIA_SUCCESS);
	ck_assert_int_eq(aka_usim(b->k, b->opc, (const uint8_t *)a.item[0].authenticate.p, (const uint8_t *)a.item[0].authenticate.p + 16, &ms, &m, ra + 16), 0);
	ck_assert_uint_eq(b->n.resyncs, 1);
	subs_free(h.subs);
}
END_TEST

START_TEST(test_the_server_that_lost_the_user_is_told)
{
	struct cx_mar m = { .impi = STR("1@home"), .impu = STR("sip:1@home"), .server_name = STR(B), .n_items = 1, .origin_host = STR("b.host") };
	struct cx_sar r = { .impi = STR("1@home"), .impus = { 1, { STR("sip:1@home") } }, .server_name = STR(A), .type = 1, .origin_host = STR("a.host") };
	static struct cx_maa maa;
	struct cx_saa a = { 0 };
	struct mar_work w;
	const char *moved;
	struct buf xml;

	open_hss();
	str_copy(STR("aaa://ccf"), h.set.primary_ccf, sizeof(h.set.primary_ccf));
	buf_init(&xml, 65536);
	hss_sar(&h, &r, &a, &xml, &moved);
	ck_assert(a.result.code == DIA_SUCCESS && moved == NULL && str_eq(a.primary_ccf, STR("aaa://ccf")));
	hss_mar(&h, &m, &maa, &w);
	r.server_name = STR(B);
	r.origin_host = STR("b.host");
	r.user_data_available = true;
	buf_reset(&xml);
	memset(&a, 0, sizeof(a));
	hss_sar(&h, &r, &a, &xml, &moved);
	ck_assert_uint_eq(a.result.code, DIA_SUCCESS);
	ck_assert_str_eq(moved, "a.host");
	ck_assert_uint_eq(a.user_data.l, 0);		/* User-Data-Already-Available */
	ck_assert_str_eq(subs_by_impi(h.subs, r.impi)->d.server_host, "b.host");
	/* several public identities only where the type allows it */
	r.impus = (struct cx_strs){ 2, { STR("sip:1@home"), STR("tel:+491") } };
	hss_sar(&h, &r, &a, &xml, &moved);
	ck_assert_uint_eq(a.result.code, DIA_AVP_OCCURS_TOO_MANY_TIMES);
	r.type = CX_SAR_USER_DEREGISTRATION;
	hss_sar(&h, &r, &a, &xml, &moved);
	ck_assert_uint_eq(a.result.code, DIA_SUCCESS);
	buf_fini(&xml);
	subs_free(h.subs);
}
END_TEST

TEST_MAIN("procedures", TEST_ROWS(test_giba_S5, giba_rows), TEST_ROWS(test_script, scripts), TEST_ONE(test_lia_names_the_wildcard), TEST_ONE(test_capabilities_of_the_answers), TEST_ONE(test_emergency_registration_is_let_in),
	  TEST_ROWS(test_scheme_rows_S2_S4, schemes), TEST_ONE(test_resynchronisation_in_a_MAR), TEST_ONE(test_the_server_that_lost_the_user_is_told))
