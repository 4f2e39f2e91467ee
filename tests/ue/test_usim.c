/* tests/ue/test_usim.c - the card: nonce, fresh and stale sequence numbers, AUTS.  TS 33.102 §6.3, §C.2. */
#include <errno.h>
#include "tests/check.h"
#include "tests/ue/usim.h"

/* TS 35.208 test set 1: K and OPc. */
static const uint8_t k[16] = { 0x46, 0x5b, 0x5c, 0xe8, 0xb1, 0x99, 0xb4, 0x9f, 0xaa, 0x5f, 0x0a, 0x2e, 0xe2, 0x38, 0xa6, 0xbc };
static const uint8_t opc[16] = { 0xcd, 0x63, 0xcb, 0x71, 0x95, 0x4a, 0x9f, 0x4e, 0x48, 0xa5, 0x99, 0x4e, 0x37, 0xa0, 0x2b, 0xaf };
static const uint8_t amf[2] = { 0x80, 0 };
static const uint8_t rnd[16] = { 1, 2, 3 };

static void vector(uint64_t sqn, struct aka_vector *v)
{
	uint8_t s[6];

	for (int i = 0; i < 6; i++)
		s[i] = (uint8_t)(sqn >> (40 - 8 * i));
	aka_vector_make(k, opc, rnd, s, amf, v);
}

/* Vectors of one batch come out of order (their IND differ), none is taken twice. */
static const struct { const char *name; uint64_t start, sqn[4]; int rc[4]; uint64_t highest; } rows[] = {
	{ "in order",               0,    { 32, 64, 96, 128 },   { 0, 0, 0, 0 },                      128 },
	{ "one index, twice",       0,    { 64, 64, 65, 65 },    { 0, -ESTALE, 0, -ESTALE },          65 },
	{ "batch out of order",     0,    { 35, 33, 34, 33 },    { 0, 0, 0, -ESTALE },                35 },
	{ "below a fresh card",     5000, { 4999, 5000, 5001 },  { -ESTALE, -ESTALE, 0, -ESTALE },    5001 },
	{ "zero is never fresh",    0,    { 0, 1, 0, 2 },        { -ESTALE, 0, -ESTALE, 0 },          2 },
	{ "largest",                0,    { (1ull << 48) - 1 },  { 0, -ESTALE, -ESTALE, -ESTALE },    (1ull << 48) - 1 },
};

START_TEST(test_usim_row)
{
	struct milenage_out out;
	struct aka_vector v;
	uint8_t auts[14], sqn_ms[6];
	struct usim s;

	usim_init(&s, k, opc, rows[_i].start);
	for (int i = 0; i < 4; i++) {
		uint64_t back = 0;
		int rc;

		vector(rows[_i].sqn[i], &v);
		rc = usim_challenge(&s, v.rand, v.autn, &out, auts);
		ck_assert_msg(rc == rows[_i].rc[i], "%s: SQN %d: rc %d", rows[_i].name, i, rc);
		if (rc == 0) {
			ck_assert_mem_eq(out.res, v.xres, 8);
			ck_assert_mem_eq(out.ck, v.ck, 16);
			continue;
		}
		ck_assert_int_eq(aka_auts_check(k, opc, v.rand, auts, sqn_ms), 0);
		for (int n = 0; n < 6; n++)
			back = back << 8 | sqn_ms[n];
		ck_assert_msg(back == s.highest, "%s: AUTS says %llu", rows[_i].name, (unsigned long long)back);
	}
	ck_assert_uint_eq(s.highest, rows[_i].highest);
}
END_TEST

/* A wrong MAC neither moves the card nor yields an AUTS: the network is not ours. */
START_TEST(test_wrong_mac)
{
	struct milenage_out out;
	uint8_t auts[14];
	struct aka_vector v;
	struct usim s;

	usim_init(&s, k, opc, 10);
	vector(1000, &v);
	v.autn[15] ^= 1;
	ck_assert_int_eq(usim_challenge(&s, v.rand, v.autn, &out, auts), -EPERM);
	ck_assert_uint_eq(s.highest, 10);
	v.autn[15] ^= 1;
	ck_assert_int_eq(usim_challenge(&s, v.rand, v.autn, &out, auts), 0);
}
END_TEST

static const struct { const char *name, *nonce; int rc; } nonces[] = {
	{ "32 octets",           "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=", 0 },
	{ "server data behind",  "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg+q", 0 },
	{ "too short",           "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg==", -EBADMSG },
	{ "empty",               "",                                            -EBADMSG },
	{ "not base64",          "a digest nonce of somebody else, quite long!", -EBADMSG },
};

START_TEST(test_nonce_row)
{
	uint8_t r[16], a[16];
	int rc = usim_nonce(str_from_c(nonces[_i].nonce), r, a);

	ck_assert_msg(rc == nonces[_i].rc, "%s: rc %d", nonces[_i].name, rc);
	if (rc == 0) {
		ck_assert_uint_eq(r[1], 1);
		ck_assert_uint_eq(a[14], 14);
	}
}
END_TEST

TEST_MAIN("usim", TEST_ROWS(test_usim_row, rows), TEST_ONE(test_wrong_mac), TEST_ROWS(test_nonce_row, nonces))
