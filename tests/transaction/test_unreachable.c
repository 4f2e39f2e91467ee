/* tests/transaction/test_unreachable.c - what an ICMP error may end: RFC 3261 §18.4, RFC 3263 §4.3. */
#include "tests/guard.h"
#include "tests/transaction/world.h"

static struct world w;

enum how { WHOLE, CUT, NO_BRANCH, FORGED, OTHER_BRANCH, ANSWER, AS_ACK };

static const struct {
	const char *name, *method;
	enum how how;
	bool has_other, elsewhere;	/* the error is of another address */
	unsigned answered;		/* before it */
	bool ends;
	const char *above;		/* in front of the Via */
} rows[] = {
	{ "all of it",                       "MESSAGE", WHOLE, true, false, 0, true, NULL },
	{ "an INVITE",                       "INVITE",  WHOLE, true, false, 0, true, NULL },
	{ "cut behind the branch",           "MESSAGE", CUT, true, false, 0, true, NULL },
	{ "cut before the branch ends",      "MESSAGE", NO_BRANCH, true, false, 0, false, NULL },
	{ "no other address: time decides",  "MESSAGE", WHOLE, false, false, 0, false, NULL },
	{ "of another address",              "MESSAGE", WHOLE, true, true, 0, false, NULL },
	{ "a guessed branch",                "MESSAGE", OTHER_BRANCH, true, false, 0, false, NULL },
	{ "not what was sent",               "MESSAGE", FORGED, true, false, 0, false, NULL },
	{ "a response",                      "MESSAGE", ANSWER, true, false, 0, false, NULL },
	{ "the INVITE's ACK",                "INVITE",  AS_ACK, true, false, 0, false, NULL },
	{ "a copy, after an answer",         "INVITE",  WHOLE, true, false, 180, false, NULL },
	{ "no INVITE, after a 1xx",          "MESSAGE", WHOLE, true, false, 100, false, NULL },
	{ "a copy, after the final answer",  "MESSAGE", WHOLE, true, false, 200, false, NULL },
	{ "lines above the Via",             "MESSAGE", WHOLE, true, false, 0, true, "Max-Breadth: 60\r\nRoute: <sip:x;branch=1>\r\n" },
	{ "cut before it ends there",        "MESSAGE", NO_BRANCH, true, false, 0, false, "Max-Breadth: 60\r\n" },
	{ "no header of that name",          "MESSAGE", CUT, true, false, 0, true, "X-Via: SIP/2.0/UDP x;branch=z9hG4bKx\r\n" },
};

/* What was sent, as the row changes it. */
static struct str quote(char *text, enum how how)
{
	char *branch = strstr(text, WORLD_BRANCH);

	ck_assert_ptr_nonnull(branch);
	switch (how) {
	case CUT: return str_make(text, (size_t)(branch - text) + strlen(WORLD_BRANCH) + 4);
	case NO_BRANCH: return str_make(text, (size_t)(branch - text) + strlen(WORLD_BRANCH));
	case FORGED: text[strlen(text) - 5] ^= 1; break;
	case OTHER_BRANCH: branch[strlen(WORLD_BRANCH) - 1] ^= 1; break;
	case ANSWER: memcpy(text, "SIP/2.0 200 OK", 14); break;
	case AS_ACK: memcpy(text, "ACK   ", 6); break;
	case WHOLE: break;
	}
	return str_from_c(text);
}

START_TEST(test_unreachable_row)
{
	struct addr to;
	char text[1500];

	world_init(&w, SIP_UDP, TX_CORE);
	w.above = rows[_i].above;
	world_client(&w, rows[_i].method);
	w.ct->has_other = rows[_i].has_other;
	to = w.sent[0].to.remote;
	snprintf(text, sizeof(text), "%s", w.sent[0].text);
	if (rows[_i].answered)
		world_response(&w, rows[_i].answered, rows[_i].method);
	if (rows[_i].elsewhere)
		addr_set_port(&to, 9);
	ck_assert_msg(tx_unreachable(w.l, &to, quote(text, rows[_i].how), -ECONNREFUSED) == rows[_i].ends, "%s", rows[_i].name);
	ck_assert_msg(w.n_failed == rows[_i].ends, "%s: told %u times", rows[_i].name, w.n_failed);
	if (rows[_i].ends)
		ck_assert_int_eq(w.last_err, -ECONNREFUSED);
	snprintf(text, sizeof(text), "%s", w.sent[0].text);	/* told again: it has gone */
	ck_assert(!rows[_i].ends || !tx_unreachable(w.l, &to, str_from_c(text), -ECONNREFUSED));
	world_fini(&w);
}
END_TEST

/* Quoted up to any octet, with nothing mapped behind it: it ends by what holds the whole branch, and by nothing shorter. */
START_TEST(test_cut_at_every_octet)
{
	struct guard guard;
	size_t least, l;

	guard_init(&guard, 4096);
	world_init(&w, SIP_UDP, TX_CORE);
	world_client(&w, "MESSAGE");
	w.ct->has_other = true;
	least = (size_t)(strstr(w.sent[0].text, WORLD_BRANCH) - w.sent[0].text) + strlen(WORLD_BRANCH) + 1;
	for (l = 0; l < least; l++)
		ck_assert(!tx_unreachable(w.l, &w.sent[0].to.remote, guard_put(&guard, str_make(w.sent[0].text, l)), -EHOSTUNREACH));
	ck_assert(tx_unreachable(w.l, &w.sent[0].to.remote, guard_put(&guard, str_make(w.sent[0].text, l)), -EHOSTUNREACH));
	ck_assert_int_eq(w.last_err, -EHOSTUNREACH);
	world_fini(&w);
	guard_fini(&guard);
}
END_TEST

TEST_MAIN("unreachable", TEST_ONE(test_cut_at_every_octet), TEST_ROWS(test_unreachable_row, rows))
