/* tests/pcscf/test_secpolicy.c - which pair of algorithms is taken: TS 33.203 §7.2, TR 33.926 annex O.2 (S1), row X2; and what of
 * access.ipsec is refused. */
#include <errno.h>
#include "pcscf/pcscf.h"
#include "tests/check.h"

#define N 6u

static const struct security_pair all[N] = {
	{ SEC_ALG_HMAC_SHA1_96, SEC_EALG_AES_CBC }, { SEC_ALG_NULL, SEC_EALG_AES_GCM }, { SEC_ALG_AES_GMAC, SEC_EALG_NULL },
	{ SEC_ALG_HMAC_SHA1_96, SEC_EALG_NULL }, { SEC_ALG_HMAC_MD5_96, SEC_EALG_AES_CBC }, { SEC_ALG_HMAC_SHA1_96, SEC_EALG_DES_EDE3_CBC },
};
static unsigned order[720][N], n_orders;

static void permute(unsigned *v, unsigned k)
{
	if (k == N) {
		memcpy(order[n_orders++], v, sizeof(order[0]));
		return;
	}
	for (unsigned i = k; i < N; i++) {
		unsigned t = v[k];

		v[k] = v[i];
		v[i] = t;
		permute(v, k + 1);
		t = v[k];
		v[k] = v[i];
		v[i] = t;
	}
}

static void orders(void)
{
	unsigned v[N] = { 0, 1, 2, 3, 4, 5 };

	n_orders = 0;
	permute(v, 0);
	ck_assert_uint_eq(n_orders, 720);
}

static void offer(struct sec_list *l, const unsigned *o, unsigned subset)
{
	l->n = l->others = 0;
	for (unsigned i = 0; i < N; i++)
		if (subset & 1u << o[i])
			l->entry[l->n++] = (struct sec_agree){ .alg = all[o[i]].alg, .ealg = all[o[i]].ealg, .q = (uint16_t)(1000 - i) };
}

/* S1: every order of our list with every order of the offer: the first of ours, whatever the phone prefers. */
START_TEST(test_all_orders)
{
	struct security_config c = { .n_pairs = N };
	struct sec_list l;
	unsigned pair;

	orders();
	for (unsigned ours = 0; ours < 720; ours++) {
		for (unsigned i = 0; i < N; i++)
			c.pair[i] = all[order[ours][i]];
		for (unsigned theirs = 0; theirs < 720; theirs++) {
			int at;

			offer(&l, order[theirs], 0x3f);
			at = security_choose(&c, &l, SEC_MOD_TRANS, &pair);
			ck_assert(at >= 0 && pair == 0 && l.entry[at].alg == c.pair[0].alg && l.entry[at].ealg == c.pair[0].ealg);
		}
	}
}
END_TEST

/* And with every part of it, in every order: the first of ours that is among them; NULL never while another is. */
START_TEST(test_all_subsets)
{
	struct security_config c = { .n_pairs = N };
	struct sec_list l;
	unsigned pair = 0;

	orders();
	memcpy(c.pair, all, sizeof(all));
	for (unsigned subset = 0; subset < 1u << N; subset++)
		for (unsigned theirs = 0; theirs < 720; theirs++) {
			int at;

			offer(&l, order[theirs], subset);
			at = security_choose(&c, &l, SEC_MOD_TRANS, &pair);
			ck_assert_int_eq(at < 0, subset == 0);
			ck_assert(at < 0 || pair == (unsigned)__builtin_ctz(subset));
		}
}
END_TEST

/* RFC 3329 §2.3.1: who takes the highest q among what it offered takes what we took. */
START_TEST(test_server_list)
{
	const struct ipsec_end mine = { 5000, 5001, 5120, 5100 };
	struct security_config c = { .n_pairs = N };
	struct sec_agree list[SECURITY_MAX_PAIRS];
	struct sec_list l;
	unsigned pair;

	memcpy(c.pair, all, sizeof(all));
	ck_assert_uint_eq(security_server_list(&c, SEC_MOD_TRANS, &mine, list), N);
	for (unsigned subset = 1; subset < 1u << N; subset++) {
		const struct sec_agree *best = NULL;

		offer(&l, (const unsigned[N]){ 5, 4, 3, 2, 1, 0 }, subset);
		ck_assert_int_ge(security_choose(&c, &l, SEC_MOD_TRANS, &pair), 0);
		for (unsigned i = 0; i < N; i++)
			for (unsigned k = 0; k < l.n; k++)
				if (list[i].alg == l.entry[k].alg && list[i].ealg == l.entry[k].ealg && (!best || list[i].q > best->q))
					best = &list[i];
		ck_assert_ptr_eq(best, &list[pair]);
		ck_assert(best->spi_c == 5000 && best->spi_s == 5001 && best->port_c == 5120 && best->port_s == 5100);
	}
}
END_TEST

static const struct { const char *name, *ipsec, *says; } configs[] = {
	{ "as it comes", "{}", NULL },
	{ "a list", "{policy: prefer, algorithms: [null/aes-gcm, hmac-sha-1-96/aes-cbc]}", NULL },
	{ "null without a word", "{algorithms: [hmac-sha-1-96/null]}", "encrypts nothing" },
	{ "GMAC encrypts nothing either", "{algorithms: [aes-gmac/null]}", "encrypts nothing" },
	{ "null allowed", "{allow_null: true, algorithms: [hmac-sha-1-96/null]}", NULL },
	{ "no such pair", "{algorithms: [hmac-sha-1-96/aes-gcm]}", "no pair" },
	{ "no such name", "{algorithms: [sha256/aes-cbc]}", "no pair" },
	{ "no integrity", "{algorithms: [null/aes-cbc]}", "no pair" },
	{ "ports overlap", "{server_port: 5100, client_port: 5102}", "overlap" },
	{ "a policy of a listener", "{listeners: {\"udp:10.0.0.10:5060\": prefer}}", NULL },
	{ "of none", "{listeners: {\"udp:10.0.0.11:5060\": prefer}}", "not in sip.listen" },
	{ "no such policy", "{listeners: {\"udp:10.0.0.10:5060\": maybe}}", "require, prefer or off" },
	{ "a listener among them", "{server_port: 5058}", "protected ports" },
};

START_TEST(test_config_row)
{
	static const struct cfg_row *const schemas[] = { cfg_common_schema, pcscf_schema, NULL };
	struct buf errors, text;
	struct cfg *cfg = NULL;

	buf_init(&errors, 4096);
	buf_init(&text, 4096);
	buf_printf(&text, "domain: home\nsip: {listen: [\"udp:10.0.0.10:5060\"]}\naccess: {ipsec: %s}\n", configs[_i].ipsec);
	ck_assert_msg(cfg_load_text(buf_str(&text), "t", schemas, &cfg, &errors) == 0, "%.*s", STR_ARG(buf_str(&errors)));
	pcscf_config_check(cfg, &errors);
	if (configs[_i].says)
		ck_assert_msg(str_find(buf_str(&errors), str_from_c(configs[_i].says)) >= 0, "%s: %.*s", configs[_i].name,
			      STR_ARG(buf_str(&errors)));
	else
		ck_assert_msg(errors.l == 0, "%s: %.*s", configs[_i].name, STR_ARG(buf_str(&errors)));
	cfg_unref(cfg);
	buf_fini(&errors);
	buf_fini(&text);
}
END_TEST

TEST_MAIN("secpolicy", TEST_ONE(test_all_orders), TEST_ONE(test_all_subsets), TEST_ONE(test_server_list),
	  TEST_ROWS(test_config_row, configs))
